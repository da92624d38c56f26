//! How fast profiles are merged, read and written. See `README.md`.

use std::hint::black_box;
use std::num::NonZeroU64;

use bincover_profile::{Merged, Merger, WriteOptions, indexed};
use bincover_testkit::raw::{Function, RawFile, Shape, binary, run};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Functions of the imagined binary; they have 8 counters on average.
const FUNCTIONS: usize = 10_000;
const COUNTERS: u64 = 8;

fn raw(functions: &[Function]) -> Vec<u8> {
    RawFile::new(Shape::CURRENT, functions).bytes()
}

fn runs(functions: &[Function], count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|seed| raw(&run(functions, seed))).collect()
}

fn counter_bytes(functions: &[Function]) -> u64 {
    let counters: usize = functions.iter().map(|function| function.counts.len()).sum();
    8 * counters as u64
}

fn merged<'f>(files: impl IntoIterator<Item = &'f Vec<u8>>) -> Merged {
    let mut merger = Merger::new();
    for bytes in files {
        merger.add("a file", bytes, NonZeroU64::MIN);
    }
    let merged = merger.finish();
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    merged
}

/// The hot path: 100 runs of one binary; all but the first only add counters.
fn add_counters(criterion: &mut Criterion) {
    let functions = binary(1, FUNCTIONS, COUNTERS, true);
    let files = runs(&functions, 100);
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(100 * counter_bytes(&functions)));
    group.bench_function("add_counters", |bencher| {
        bencher.iter(|| merged(black_box(&files)));
    });
    group.finish();
}

/// A test suite of many small programs: 10,000 files of 20 functions each.
fn merge_10k_small(criterion: &mut Criterion) {
    let functions = binary(2, 20, COUNTERS, true);
    // A hundred different ones, over and over.
    let files = runs(&functions, 100);
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(10);
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("merge_10k_small", |bencher| {
        bencher.iter(|| merged(black_box(&files).iter().cycle().take(10_000)));
    });
    group.finish();
}

/// One file of a huge program: names are decoded and functions inserted, nothing is added up.
fn merge_one_huge(criterion: &mut Criterion) {
    let functions = binary(3, 200_000, COUNTERS, true);
    let file = raw(&run(&functions, 0));
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("merge_one_huge", |bencher| {
        bencher.iter(|| merged([black_box(&file)]));
    });
    group.finish();
}

/// An indexed profile merged into one that has the same functions, as when shards are joined.
fn indexed_reload(criterion: &mut Criterion) {
    let functions = binary(1, FUNCTIONS, COUNTERS, true);
    let profile = merged(&runs(&functions, 1)).profile;
    let bytes = indexed::write(&profile, &WriteOptions::default());
    let mut group = criterion.benchmark_group("merge");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("indexed_reload", |bencher| {
        let loaded = || {
            let mut merger = Merger::new();
            merger.add("first", &bytes, NonZeroU64::MIN);
            merger
        };
        bencher.iter_batched(
            loaded,
            |mut merger| {
                merger.add("second", black_box(&bytes), NonZeroU64::MIN);
                merger
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn write_indexed(criterion: &mut Criterion) {
    let functions = binary(1, FUNCTIONS, COUNTERS, true);
    let profile = merged(&runs(&functions, 1)).profile;
    let options = WriteOptions::default();
    let mut group = criterion.benchmark_group("merge");
    let len = indexed::write(&profile, &options).len();
    group.throughput(Throughput::Bytes(len as u64));
    group.bench_function("write_indexed", |bencher| {
        bencher.iter(|| indexed::write(black_box(&profile), &options));
    });
    group.finish();
}

criterion_group!(
    benches,
    add_counters,
    merge_10k_small,
    merge_one_huge,
    indexed_reload,
    write_indexed
);
criterion_main!(benches);
