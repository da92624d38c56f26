//! The fuzz targets' bodies over all of `testdata/` and over cheap damage to it, on stable.

use std::collections::HashSet;
use std::path::PathBuf;

use bincover_mapping::Mapping;
use bincover_profile::FileKind;
use bincover_testkit::container::{Container, Sections, split_object};
use bincover_testkit::raw::{Function, RawFile, Shape};
use bincover_testkit::rng::Rng;
use bincover_testkit::{elf, fixture_bytes, fixtures_ending, mapping, mutate};

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library where it lives")]
mod bodies;

type Body = fn(&[u8]);

const BODIES: [Body; 16] = [
    bodies::raw,
    bodies::indexed,
    bodies::text,
    bodies::names,
    bodies::symbols,
    bodies::mapping,
    bodies::go_meta,
    bodies::go_counters,
    bodies::go_text,
    bodies::lcov,
    bodies::cobertura,
    bodies::llvm_json,
    bodies::patch,
    bodies::baseline,
    bodies::ratchet,
    bodies::sources,
];

/// To these, bytes are decisions.
const RECIPES: [Body; 6] = [
    bodies::merge,
    bodies::shards,
    bodies::damage,
    bodies::reports,
    bodies::store,
    bodies::container,
];

/// The files of a folder of `testdata/` that end in this, contents that repeat left out.
fn files(folder: &str, suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut seen = HashSet::new();
    let read = fixtures_ending(folder, suffix).into_iter().map(|path| {
        let bytes = std::fs::read(&path).expect("a fixture");
        (path, bytes)
    });
    read.filter(|(_, bytes)| seen.insert(bytes.clone()))
        .collect()
}

/// The body over the bytes cut and flipped; of all such damage, every `step`-th, so that all tests
/// together take seconds. The step is odd: flips at odd and even offsets differ. `malformed.rs` cuts
/// profiles at each byte, and fuzzing does the rest.
fn damaged(body: Body, bytes: &[u8], step: usize) {
    for end in mutate::cuts(bytes.len()).step_by(step) {
        body(&bytes[..end]);
    }
    for flipped in mutate::flips(bytes).step_by(step) {
        body(&flipped);
    }
}

fn all_damaged(body: Body, folder: &str, suffix: &str, step: usize) {
    for (path, bytes) in files(folder, suffix) {
        println!("{}", path.display());
        damaged(body, &bytes, step);
    }
}

#[test]
fn every_body_over_every_file() {
    for (index, (path, bytes)) in files("", "").into_iter().enumerate() {
        println!("{}", path.display());
        for body in BODIES {
            body(&bytes);
        }
        // A few files have decisions enough.
        if index % 16 == 0 {
            bodies::config(&bytes);
            for body in RECIPES {
                body(&bytes[..bytes.len().min(2_000)]);
            }
        }
    }
}

/// One run of each compiler; the others differ in little but counts.
#[test]
fn damaged_raw_profiles() {
    all_damaged(bodies::raw, "raw", "1.profraw", 3);
}

#[test]
fn damaged_indexed_profiles() {
    all_damaged(bodies::indexed, "indexed", "input.profdata", 3);
}

#[test]
fn damaged_text_profiles() {
    all_damaged(bodies::text, "text", "input.proftext", 5);
}

/// One program of each release; the others differ in little but counts.
#[test]
fn damaged_go_data() {
    for release in ["go1.21", "go1.27"] {
        for (path, bytes) in files(&format!("go/data/{release}/echoarg/count"), "") {
            println!("{}", path.display());
            let is_meta = path.to_string_lossy().contains("covmeta");
            let body = if is_meta {
                bodies::go_meta
            } else {
                bodies::go_counters
            };
            damaged(body, &bytes, 3);
        }
    }
    all_damaged(bodies::go_text, "go/text", "joined.out", 5);
}

#[test]
fn damaged_reports() {
    all_damaged(bodies::lcov, "import", "a.info", 5);
    for suffix in ["rust.xml", "python.xml"] {
        all_damaged(bodies::cobertura, "import", suffix, 5);
    }
    all_damaged(bodies::llvm_json, "object/wasm", "expected.json", 91);
}

/// What is damaged already may be damaged a little more.
#[test]
fn damaged_malformed_profiles() {
    for (path, bytes) in files("malformed", "") {
        println!("{}", path.display());
        for flipped in mutate::flips(&bytes).step_by(9) {
            bodies::raw(&flipped);
        }
    }
}

/// Most damage to an object is seen before its sections are; so these are damaged by themselves.
#[test]
fn damaged_objects() {
    all_damaged(bodies::mapping, "object", "app.elf", 9);
}

#[test]
fn damaged_containers() {
    let kinds = [
        "both.o",
        "one.o",
        "both.dylib",
        "both.dll",
        "both.wasm",
        "both.a",
    ];
    for kind in kinds {
        all_damaged(bodies::mapping, "object", kind, 21);
    }
    all_damaged(bodies::mapping, "object", "both.covmapping", 1);
}

#[test]
fn damaged_sections() {
    for (path, bytes) in files("object", "app.elf") {
        println!("{}", path.display());
        let sections = split_object(&bytes).expect("a fixture with a mapping");
        damaged(bodies::mapping, &sections, 7);
    }
}

/// Decisions by a seeded generator, many times, of the bodies that take them.
#[test]
fn random_recipes() {
    let mut rng = Rng::new(1);
    for (body, times) in RECIPES.into_iter().zip([40, 15, 2_000, 300, 15, 200]) {
        for _ in 0..times {
            let len = 4 + rng.below(200);
            let recipe: Vec<u8> = (0..len).map(|_| rng.byte()).collect();
            body(&recipe);
        }
    }
}

#[test]
fn damaged_settings() {
    let files: [(Body, &[u8]); 5] = [
        (
            bodies::config,
            b"store = \"a\"\n[report]\nlcov = true\nexclude-line = [\"x\", \"y\"]\n",
        ),
        (
            bodies::ratchet,
            b"version = 1\ntolerance = 0.5\n[files]\n\"a.c\" = [5, 9]\n\"b\" = [1, 47]\n",
        ),
        (
            bodies::baseline,
            br#"{"version":1,"totals":{"lines":{"covered":2,"total":4}},"files":[{"name":"/w/a.c","lines":[[1,2,1]]}]}"#,
        ),
        (
            bodies::patch,
            b"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,3 +1,4 @@ f\n a\n-b\n+c\n+d\n e\n",
        ),
        (
            bodies::sources,
            b"fn f() { // LCOV_EXCL_START\n unreachable!() }\n#[test]\nfn t() {} // LCOV_EXCL_STOP\n",
        ),
    ];
    for (body, bytes) in files {
        damaged(body, bytes, 3);
    }
}

/// Each kind of object file that the fuzz target makes is read as what it is.
#[test]
fn every_container_is_reached() {
    let functions = [Function::new("f", 1, [2]), Function::new("g", 2, [3])];
    let regions = || vec![mapping::Region::code(0, (1, 1), (3, 2))];
    let object = mapping::object("/w", &["a.c".to_owned()], &functions, |_| {
        mapping::function(&[(0, regions())])
    });
    let [names, covmap, covfun] = ["__llvm_prf_names", "__llvm_covmap", "__llvm_covfun"]
        .map(|name| elf::section(&object, name));
    let sections = Sections {
        names: &names,
        covmap: &covmap,
        covfun: &covfun,
    };
    for kind in Container::ALL {
        let file = kind.build(&sections);
        match Mapping::parse(&file) {
            Ok(found) => assert_eq!(found.function_count(), 2, "{kind:?}"),
            // The sections are found, and make no sense in the other byte order.
            Err(error) => assert!(
                !kind.is_little_endian() && error.section().is_some(),
                "{kind:?}: {error}"
            ),
        }
    }
}

/// A stand-in for libFuzzer's own mutation: a byte changes, or the end does.
fn plain(rng: &mut Rng, data: &mut [u8], size: usize, max_size: usize) -> usize {
    let below = |rng: &mut Rng, bound: usize| usize::try_from(rng.below(bound as u64)).unwrap_or(0);
    match rng.below(3) {
        0 if size < max_size => {
            data[size] = rng.byte();
            size + 1
        }
        1 if size > 1 => size - 1,
        _ if size > 0 => {
            let at = below(rng, size);
            data[at] = rng.byte();
            size.min(max_size)
        }
        _ => 0,
    }
}

/// Found by the target itself: an offset of an indexed profile that is near the largest number.
#[test]
fn mutations_take_damaged_offsets() {
    let mut indexed = fixture_bytes("indexed/names-2/input.profdata");
    indexed[40..72].fill(0xff);
    for seed in 0..50 {
        let rng = std::cell::RefCell::new(Rng::new(seed.into()));
        let plain = |data: &mut [u8], size, max| plain(&mut rng.borrow_mut(), data, size, max);
        let mut data = indexed.clone();
        data.resize(indexed.len() + 100, 0);
        let (size, most) = (indexed.len(), data.len());
        assert!(bodies::mutate::indexed(&mut data, size, most, seed, &plain) <= most);
    }
}

/// Found by the target: flags that exclude each other in one file, which therefore is not merged with a file like itself, and
/// was announced all the same.
#[test]
fn an_indexed_profile_may_not_go_with_its_like() {
    let mut indexed = fixture_bytes("indexed/v13-clang22/input.profdata");
    // IR, function entries only, and blocks.
    indexed[15] |= 0x25;
    bodies::indexed(&indexed);
}

/// Inputs that were findings once, in a folder for each target.
#[test]
fn what_was_found_stays_mended() {
    let targets: [(&str, usize, Body); 3] = [
        ("patch", 1, bodies::patch),
        ("reports", 2, bodies::reports),
        ("shards", 2, bodies::shards),
    ];
    for (target, inputs, body) in targets {
        let found = files(&format!("fuzz/{target}"), "");
        assert_eq!(found.len(), inputs, "{target}");
        for (path, bytes) in found {
            println!("{}", path.display());
            body(&bytes);
        }
    }
    let folders = std::fs::read_dir(bincover_testkit::top().join("testdata/fuzz"));
    assert_eq!(folders.expect("a folder").count(), targets.len());
}

/// Most mutations of a good file leave what comes before its records as it is to be.
#[test]
fn mutations_keep_headers_plausible() {
    let functions = [Function::new("f", 1, [2, 3]), Function::new("g", 2, [3])];
    let raw = RawFile::new(Shape::CURRENT, &functions).bytes();
    let big = RawFile::new(
        Shape {
            version: 8,
            big_endian: true,
            pointer_bytes: 4,
        },
        &functions,
    )
    .bytes();
    let indexed = fixture_bytes("indexed/names-2/input.profdata");
    let object = fixture_bytes("object/clang22-c/app.elf");
    let split = split_object(&object).expect("a fixture with a mapping");
    let names = elf::section(&object, "__llvm_prf_names");
    let boxed = [&[0, 0], &split[..]].concat();
    let is_raw = |bytes: &[u8]| {
        matches!(FileKind::sniff(bytes), Some(FileKind::Raw { .. }))
            && bincover_profile::raw::RawProfile::parse(bytes, 0).is_ok()
    };
    let is_indexed = |bytes: &[u8]| bincover_profile::indexed::IndexedProfile::parse(bytes).is_ok();
    let is_object = |bytes: &[u8]| bincover_mapping::inspect(bytes).is_ok();
    let is_table = |bytes: &[u8]| bincover_profile::NameTable::decode(bytes, 0).is_ok();
    let is_split = |bytes: &[u8]| bytes.len() > 8;
    type Mutate = fn(&mut [u8], usize, usize, u32, bodies::mutate::Plain<'_>) -> usize;
    type Is<'i> = &'i dyn Fn(&[u8]) -> bool;
    let cases: [(Mutate, &[u8], Is<'_>); 7] = [
        (bodies::mutate::raw, &raw, &is_raw),
        (bodies::mutate::raw, &big, &is_raw),
        (bodies::mutate::indexed, &indexed, &is_indexed),
        (bodies::mutate::names, &names, &is_table),
        (bodies::mutate::mapping, &object, &is_object),
        (bodies::mutate::mapping, &split, &is_split),
        (bodies::mutate::container, &boxed, &is_split),
    ];
    for (index, (mutate, good, is_plausible)) in cases.into_iter().enumerate() {
        let mut plausible = 0;
        let mut changed = 0;
        for seed in 0..100 {
            let rng = std::cell::RefCell::new(Rng::new(seed.into()));
            let mut data = good.to_vec();
            data.resize(good.len() + 100, 0);
            let plain = |data: &mut [u8], size, max| plain(&mut rng.borrow_mut(), data, size, max);
            let size = mutate(&mut data, good.len(), good.len() + 100, seed, &plain);
            plausible += u32::from(is_plausible(&data[..size]));
            changed += u32::from(data[..size] != *good);
        }
        assert!(plausible >= 60, "{index}: {plausible} of 100");
        assert!(changed >= 50, "{index}: {changed} of 100");
    }
}
