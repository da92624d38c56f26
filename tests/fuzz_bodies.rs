//! The fuzz targets' bodies over all of `testdata/` and over cheap damage to it, on stable.

use std::collections::HashSet;
use std::path::PathBuf;

use bincover_testkit::{fixtures_ending, mutate};

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library where it lives")]
mod bodies;

type Body = fn(&[u8]);

const BODIES: [Body; 8] = [
    bodies::raw,
    bodies::indexed,
    bodies::text,
    bodies::mapping,
    bodies::go_meta,
    bodies::go_counters,
    bodies::go_text,
    bodies::import,
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
        // To `merge`, bytes are decisions: a few files have enough of them.
        if index % 8 == 0 {
            bodies::merge(&bytes);
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
    for suffix in ["a.info", "rust.xml", "python.xml"] {
        all_damaged(bodies::import, "import", suffix, 5);
    }
    all_damaged(bodies::import, "object/wasm", "expected.json", 91);
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
        let sections = bodies::split_object(&bytes).expect("a fixture with a mapping");
        damaged(bodies::mapping, &sections, 7);
    }
}
