//! Adding the runs of a binary as sums gives what adding them one by one gives: the same profile
//! to the byte and the same ledger, in whatever order, with whatever lies between, on any number
//! of threads.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::Path;

use bincover::profile::{Merged, Merger, WriteOptions, indexed, text};
use bincover::{FileMerge, ProfileInput};
use bincover_testkit::raw::{self, BYTE_COVERAGE, Function, RawFile, Shape};
use bincover_testkit::rng::Rng;

/// A binary whose runs are merged.
struct Binary {
    shape: Shape,
    flags: u64,
    build_id: Option<Vec<u8>>,
    functions: Vec<Function>,
    /// Files may be damaged and counts wild.
    is_stormy: bool,
}

const IR: u64 = 1 << 56;
/// Function entries only, and blocks besides: flags that exclude each other, so that such a file does not go with its like.
const CONTRADICTORY: u64 = IR | 1 << 58 | 1 << 61;

impl Binary {
    fn random(rng: &mut Rng, is_stormy: bool) -> Self {
        let shapes: Vec<Shape> = Shape::all().collect();
        let shape = match rng.below(2) {
            0 => Shape::CURRENT,
            _ => shapes[index(rng, shapes.len())],
        };
        // Few seeds, so that binaries share functions, and now and then disagree about them.
        let mut functions = raw::binary(rng.below(3), 1 + index(rng, 20), 3, rng.below(2) == 0);
        if is_stormy && rng.below(6) == 0 {
            let function = index(rng, functions.len());
            functions[function].counts.push(0);
        }
        if is_stormy && rng.below(6) == 0 {
            let function = index(rng, functions.len());
            functions[function].bitmap.push(0);
        }
        if rng.below(3) == 0 {
            for (address, function) in (1..).zip(&mut functions) {
                function.address = 0x1000 * address;
            }
            for _ in 0..1 + rng.below(4) {
                let function = index(rng, functions.len());
                let sites = vec![Vec::new(); 1 + index(rng, 3)];
                functions[function].values[index(rng, 2)] = sites;
            }
        }
        Self {
            shape,
            flags: [0, 0, 0, 0, 0, BYTE_COVERAGE, IR, CONTRADICTORY][index(rng, 8)],
            build_id: (rng.below(3) > 0).then(|| rng.bits().to_le_bytes().repeat(2)),
            functions,
            is_stormy,
        }
    }

    fn run(&self, rng: &mut Rng) -> Vec<Function> {
        let mut functions = raw::run(&self.functions, rng.bits());
        for function in &mut functions {
            for sites in &mut function.values {
                if self.is_stormy && !sites.is_empty() && rng.below(40) == 0 {
                    sites.push(Vec::new());
                }
                for site in sites {
                    *site = values(rng);
                }
            }
        }
        let wild = match rng.below(if self.is_stormy { 30 } else { 1 << 40 }) {
            0 => 1 << 60,
            1 => u64::MAX - 5,
            2 => u64::MAX,
            3 => 1 << 56,
            _ => return functions,
        };
        let function = index(rng, functions.len());
        functions[function].counts[0] = wild;
        functions
    }

    fn file(&self, functions: &[Function]) -> RawFile<'static> {
        // Leaked so that the file may borrow them: a test's kilobytes.
        let functions: &'static [Function] = functions.to_vec().leak();
        let mut file = RawFile::new(self.shape, functions);
        file.flags = self.flags;
        file.binary_ids.extend(self.build_id.clone());
        file
    }

    fn bytes(&self, rng: &mut Rng) -> Vec<u8> {
        let file = self.file(&self.run(rng)).assemble();
        let (counters, mut bytes) = (file.offset("counters"), file.bytes);
        match rng.below(if self.is_stormy { 40 } else { 1 << 40 }) {
            0 => bytes.truncate(index(rng, bytes.len())),
            1 => bytes.extend([0; 8]),
            2 => bytes.extend(bytes.clone()),
            3 => bytes.extend(b"tail"),
            4 => bytes.clear(),
            // With a build id, what lies between it and the counters is taken on trust.
            5 if self.build_id.is_none() => {
                let at = index(rng, bytes.len());
                bytes[at] ^= 1 << rng.below(8);
            }
            6 if self.shape.version >= 7 => {
                let at = index(rng, 88.min(counters));
                bytes[at] ^= 1 << rng.below(8);
            }
            _ => {}
        }
        bytes
    }
}

/// What a site saw: sizes, or addresses of functions and of other things. Some are there twice, and
/// some sites see more than are kept.
fn values(rng: &mut Rng) -> Vec<(u64, u64)> {
    let (count, bound) = match rng.below(6) {
        0 => (200, 1000),
        1 => (0, 1),
        _ => (8, 30),
    };
    let values = (0..rng.below(count + 1)).map(|_| (0x1000 * rng.below(bound), rng.below(9)));
    values.collect()
}

fn index(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap()
}

/// Some files in a folder.
fn inputs(rng: &mut Rng, folder: &Path, is_stormy: bool) -> Vec<ProfileInput> {
    let binaries = 0..1 + rng.below(4);
    let binaries: Vec<Binary> = binaries.map(|_| Binary::random(rng, is_stormy)).collect();
    let count = 2 + rng.below(60);
    let heavy = rng.below(12) == 0;
    let of_25 = if rng.below(4) == 0 { 3 } else { 25 };
    (0..count)
        .map(|number| {
            let path = folder.join(format!("{number}.profraw"));
            let binary = &binaries[index(rng, binaries.len())];
            let bytes = match rng.below(of_25) {
                0 => as_text(binary, rng),
                1 => {
                    let mut bytes = as_indexed(binary, rng);
                    if is_stormy && rng.below(8) == 0 {
                        let at = index(rng, bytes.len());
                        bytes[at] ^= 1 << rng.below(8);
                    }
                    bytes
                }
                2 if is_stormy && rng.below(6) == 0 => b":fe\nsome\n1\n1\n7\n".to_vec(),
                _ => binary.bytes(rng),
            };
            if !is_stormy || rng.below(50) > 0 {
                std::fs::write(&path, bytes).unwrap();
            }
            let weight = match rng.below(8) {
                0 if heavy => 1 << 50,
                0 => 1 + rng.below(5),
                _ => 1,
            };
            ProfileInput {
                path,
                weight: NonZeroU64::new(weight).unwrap(),
            }
        })
        .collect()
}

fn of_one_run(binary: &Binary, rng: &mut Rng) -> Merged {
    let mut merger = Merger::new();
    let bytes = binary.file(&binary.run(rng)).bytes();
    merger.add("one", &bytes, NonZeroU64::MIN);
    merger.finish()
}

fn as_text(binary: &Binary, rng: &mut Rng) -> Vec<u8> {
    text::write(&of_one_run(binary, rng).profile, &WriteOptions::default())
}

fn as_indexed(binary: &Binary, rng: &mut Rng) -> Vec<u8> {
    indexed::write(&of_one_run(binary, rng).profile, &WriteOptions::default())
}

/// File after file, each as a whole: what the sums have to equal.
fn one_by_one(inputs: &[ProfileInput]) -> Merged {
    let mut merger = Merger::new();
    let mut cut = Vec::new();
    for ProfileInput { path, weight } in inputs {
        let source = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => {
                let entries = merger.ledger().entries.len();
                merger.add(&source, &bytes, *weight);
                if merger.ledger().entries.len() > entries && merger.may_be_salvaged(&bytes) {
                    cut.push((source, bytes, *weight));
                }
            }
            Err(error) => merger.add_failure(&source, error),
        }
    }
    for (source, bytes, weight) in cut {
        merger.salvage(&source, &bytes, weight);
    }
    merger.finish()
}

fn assert_same(found: &Merged, expected: &Merged, what: &str) {
    let written = |merged: &Merged| indexed::write(&merged.profile, &WriteOptions::default());
    assert_eq!(
        format!("{:?}", found.ledger),
        format!("{:?}", expected.ledger),
        "{what}"
    );
    assert!(written(found) == written(expected), "{what}");
}

#[test]
fn sums_are_the_same_as_one_by_one() {
    let mut with_entries = 0;
    for seed in 0..240 {
        let mut rng = Rng::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&mut rng, folder.path(), seed % 2 == 0);
        let expected = one_by_one(&inputs);
        with_entries += u32::from(!expected.ledger.is_empty());
        for threads in [1, 2, 7] {
            let merge = FileMerge::new().threads(NonZeroUsize::new(threads).unwrap());
            let what = format!("seed {seed}, {threads} threads");
            assert_same(&merge.run(&inputs), &expected, &what);
        }
    }
    // Both the calm and the stormy cases are there.
    assert!((100..200).contains(&with_entries), "{with_entries}");
}

/// Many small files, more than one batch of them.
#[test]
fn several_batches() {
    let mut rng = Rng::new(7);
    let folder = tempfile::tempdir().unwrap();
    let functions = raw::binary(1, 3, 2, true);
    let binary = Binary {
        shape: Shape::CURRENT,
        flags: 0,
        build_id: Some(vec![9; 20]),
        functions,
        is_stormy: false,
    };
    let other = Binary {
        build_id: None,
        functions: raw::binary(1, 4, 2, true),
        shape: Shape::CURRENT,
        flags: 0,
        is_stormy: false,
    };
    let inputs: Vec<ProfileInput> = (0..9000)
        .map(|number| {
            let path = folder.path().join(number.to_string());
            let binary = if number > 5000 && number % 3 == 0 {
                &other
            } else {
                &binary
            };
            let functions = raw::run(&binary.functions, rng.bits());
            std::fs::write(&path, binary.file(&functions).bytes()).unwrap();
            path.into()
        })
        .collect();
    let expected = one_by_one(&inputs);
    assert_same(&FileMerge::new().run(&inputs), &expected, "9000 files");
    assert_eq!(expected.ledger.inputs, 9000);
    assert!(expected.ledger.is_empty());
}

/// With the same build id, only counters and bitmaps are read: what else a file holds is taken
/// from its sibling.
#[test]
fn a_sibling_is_read_where_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    let functions = raw::run(&raw::binary(1, 30, 3, true), 5);
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids.push(vec![1; 20]);
    let file = file.assemble();
    let mut without_names = file.bytes.clone();
    without_names[file.offset("names")..].fill(0xee);
    let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
    for (path, bytes) in paths.iter().zip([&file.bytes, &without_names, &file.bytes]) {
        std::fs::write(path, bytes).unwrap();
    }
    let merged = FileMerge::new().run(&paths.clone().map(ProfileInput::from));
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    let whole = [&paths[0], &paths[0], &paths[2]].map(|path| ProfileInput::from(path.clone()));
    assert_same(&merged, &one_by_one(&whole), "names of the first");
}
