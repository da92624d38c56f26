//! Hot work for callgrind to count, one piece a process: `instructions NAME`. `cargo xtask instructions` runs it; see
//! `README.md`.

use std::hint::black_box;
use std::num::NonZeroU64;

use bincover_profile::raw::{Frame, ValueFrame, ValueRun};
use bincover_profile::{Merger, Profile, Sums, WriteOptions, indexed, text};
use bincover_testkit::raw::{Function, RawFile, Shape, binary, run};
use bincover_testkit::rng::Rng;

/// What it is called by, and what it does.
const PIECES: &[(&str, fn())] = &[
    ("add_sums", add_sums),
    ("add_counters", add_counters),
    ("merge_first", merge_first),
    ("indexed_reload", indexed_reload),
    ("write_indexed", write_indexed),
    ("read_text", read_text),
    ("add_values", add_values),
    ("add_shards", add_shards),
    ("merge_parts", merge_parts),
];

/// Functions of the imagined binary; they have 8 counters on average.
const FUNCTIONS: usize = 2_000;
const COUNTERS: u64 = 8;

fn main() {
    // `cargo bench` passes options of its own.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for (name, piece) in PIECES {
        match &wanted {
            Some(wanted) if wanted == name => piece(),
            Some(_) => {}
            None => println!("{name}"),
        }
    }
}

/// Callgrind counts while this runs, and at no other time: it is told so by the function's name.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// A run, with a build id as linkers give one.
fn raw(functions: &[Function], seed: u64) -> Vec<u8> {
    let functions = run(functions, seed);
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids.push(vec![1; 20]);
    file.bytes()
}

fn functions() -> Vec<Function> {
    binary(1, FUNCTIONS, COUNTERS, true)
}

/// A merge into which this file went.
fn merger(bytes: &[u8]) -> Merger {
    let mut merger = Merger::new();
    merger.add("first", bytes, NonZeroU64::MIN);
    merger
}

/// The profile, if nothing was left out: a piece that does not do its work would be a fast one.
fn whole(merger: Merger) -> Profile {
    let merged = merger.finish();
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    merged.profile
}

/// Runs of one binary, added without a look at its functions: twenty, of which two are different.
fn add_sums() {
    let functions = functions();
    let files = [1, 2].map(|seed| raw(&functions, seed));
    let (frame, _) = Frame::of(&files[0]).expect("a raw profile as LLVM writes it");
    let offset = |value| usize::try_from(value).expect("a small file");
    let part = offset(frame.part().start)..offset(frame.part().end);
    let mut sums = Sums::new();
    counted(|| {
        for file in black_box(&files).iter().cycle().take(20) {
            let added = sums.add(&frame, &file[part.clone()], 1);
            added.expect("small counts");
        }
    });
}

/// Further files of a binary that is known, each read as a whole.
fn add_counters() {
    let functions = functions();
    let files: Vec<Vec<u8>> = (1..4).map(|seed| raw(&functions, seed)).collect();
    let mut merger = merger(&raw(&functions, 0));
    counted(|| {
        for bytes in black_box(&files) {
            merger.add("another", bytes, NonZeroU64::MIN);
        }
    });
    whole(merger);
}

/// The first file: names are decoded, functions inserted.
fn merge_first() {
    let file = raw(&functions(), 0);
    whole(counted(|| merger(black_box(&file))));
}

/// An indexed profile merged into its like.
fn indexed_reload() {
    let profile = whole(merger(&raw(&functions(), 0)));
    let bytes = indexed::write(&profile, &WriteOptions::default());
    let mut merger = merger(&bytes);
    counted(|| merger.add("second", black_box(&bytes), NonZeroU64::MIN));
    whole(merger);
}

fn write_indexed() {
    let profile = whole(merger(&raw(&functions(), 0)));
    let options = WriteOptions::default();
    counted(|| indexed::write(black_box(&profile), &options));
}

fn read_text() {
    let profile = whole(merger(&raw(&functions(), 0)));
    let bytes = text::write(&profile, &WriteOptions::default());
    whole(counted(|| merger(black_box(&bytes))));
}

/// A file with targets of calls and sizes of copies, into one of the same binary.
fn add_values() {
    let mut merger = merger(&with_values(1));
    let second = with_values(2);
    counted(|| merger.add("second", black_box(&second), NonZeroU64::MIN));
    whole(merger);
}

/// Indexed profiles of the same functions, added where their counters lie: twenty.
fn add_shards() {
    let functions = functions();
    let files = [1, 2].map(|seed| {
        let profile = whole(merger(&raw(&functions, seed)));
        indexed::write(&profile, &WriteOptions::default())
    });
    let (frame, _, _) = Frame::of_indexed(&files[0]).expect("an indexed profile without values");
    let start = usize::try_from(frame.part().start).expect("a small file");
    let mut sums = Sums::new();
    counted(|| {
        for file in black_box(&files).iter().cycle().take(20) {
            let added = sums.add(&frame, &file[start..], 1);
            added.expect("small counts");
        }
    });
}

/// Files with values, four together, each function from all of them.
fn merge_parts() {
    let first = with_values(1);
    let mut merger = merger(&first);
    let frame = ValueFrame::of(&first).expect("a raw profile with value sites");
    let anchor = merger
        .value_anchor(&frame)
        .expect("its functions are there");
    let files: Vec<Vec<u8>> = (2..6).map(with_values).collect();
    counted(|| {
        let runs = black_box(&files)
            .iter()
            .map(|file| frame.run_of(file, NonZeroU64::MIN));
        let runs: Vec<ValueRun<'_>> = runs.collect::<Option<_>>().expect("runs of it");
        for part in &mut merger.parts(&frame, &anchor, &runs, 2) {
            part.merge(&runs);
        }
    });
    whole(merger);
}

/// A run with targets of calls and sizes of copies.
fn with_values(seed: u64) -> Vec<u8> {
    let address = |index: u64| 0x1000 + 16 * index;
    let mut rng = Rng::new(seed);
    let mut functions = functions();
    for (index, function) in (0..).zip(&mut functions) {
        function.address = address(index);
    }
    for function in functions.iter_mut().step_by(4) {
        let mut four = |bound: u64| -> Vec<(u64, u64)> {
            let values = (0..4).map(|_| (rng.below(bound), 1 + rng.below(90)));
            values.collect()
        };
        let sizes = four(64);
        let called = four(16).into_iter();
        let targets = called.map(|(index, count)| (address(index), count));
        function.values = [vec![targets.collect()], vec![sizes], Vec::new()];
    }
    raw(&functions, seed)
}
