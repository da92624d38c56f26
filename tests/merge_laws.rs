//! The laws of merging, as properties of generated profiles.
//!
//! Should one fail, proptest leaves its case in `tests/proptest-regressions/`: commit that with the fix.

use std::num::NonZeroU64;

use bincover_profile::indexed::IndexedVersion;
use bincover_profile::{Cause, MAX_COUNT, Merged, Merger, Profile, WriteOptions, indexed, text};
use bincover_testkit::raw::{self, BYTE_COVERAGE, Function, RawFile, Shape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/proptest-regressions/merge_laws.txt"
);

/// What one run of a binary left behind.
type Run = (Shape, Vec<Function>);

/// A count as a program may have it: small, large, or at the bound; never one of the two marks.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..1000u64,
        1 => 0..=MAX_COUNT,
        1 => MAX_COUNT - 3..=MAX_COUNT,
        1 => (1 << 56) - 1..=(1u64 << 56) + 1,
    ]
}

fn shape(has_bitmaps: bool) -> impl Strategy<Value = Shape> {
    let shapes: Vec<Shape> = Shape::all()
        .filter(|shape| shape.has_bitmaps() || !has_bitmaps)
        .collect();
    proptest::sample::select(shapes)
}

/// Functions with different names and all counts zero: how many counters, bitmap bytes and the
/// hash of each.
fn binary() -> impl Strategy<Value = Vec<Function>> {
    let function = (1..8usize, 0..4usize, any::<u64>());
    vec(function, 1..40).prop_map(|functions| {
        let named = functions.into_iter().enumerate();
        named
            .map(|(index, (counters, bitmap, hash))| Function {
                bitmap: vec![0; bitmap],
                ..Function::new(&format!("f{index}"), hash, vec![0; counters])
            })
            .collect()
    })
}

/// A run of the binary, in any format that can hold it, with some of its functions.
fn run_of(binary: &[Function]) -> impl Strategy<Value = Run> + use<> {
    let functions: Vec<_> = binary.iter().cloned().map(counted).collect();
    (shape(true), functions).prop_map(|(shape, functions)| {
        let present = functions.into_iter().filter(|(is_present, _)| *is_present);
        (shape, present.map(|(_, function)| function).collect())
    })
}

fn counted(function: Function) -> impl Strategy<Value = (bool, Function)> {
    let counts = vec(count(), function.counts.len());
    let bitmap = vec(any::<u8>(), function.bitmap.len());
    (prop::bool::weighted(0.8), counts, bitmap).prop_map(move |(is_present, counts, bitmap)| {
        let function = Function {
            counts,
            bitmap,
            ..function.clone()
        };
        (is_present, function)
    })
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    binary().prop_flat_map(|binary| vec(run_of(&binary), 1..6))
}

/// All runs of one binary, where hashes are what distinguishes functions of the same name.
fn runs_of_one_name() -> impl Strategy<Value = Vec<Run>> {
    runs().prop_map(|mut runs| {
        for function in runs.iter_mut().flat_map(|(_, functions)| functions) {
            // The number of the name becomes the hash.
            let index = function.name[1..]
                .iter()
                .fold(0, |sum, &digit| sum * 10 + u64::from(digit - b'0'));
            function.hash = index;
            function.name = b"one name".to_vec();
        }
        runs
    })
}

fn files(runs: &[Run]) -> Vec<Vec<u8>> {
    let assembled = runs.iter();
    assembled
        .map(|(shape, functions)| RawFile::new(*shape, functions).bytes())
        .collect()
}

fn merge_weighted<'f>(files: impl IntoIterator<Item = &'f Vec<u8>>, weight: u64) -> Merged {
    let weight = NonZeroU64::new(weight).expect("a weight is not 0");
    let mut merger = Merger::new();
    for (index, bytes) in files.into_iter().enumerate() {
        merger.add(&index.to_string(), bytes, weight);
    }
    merger.finish()
}

/// The bytes of the merged profile. Nothing may have been left out, but for sums that overflow and
/// counts that are suspiciously large.
fn merged<'f>(files: impl IntoIterator<Item = &'f Vec<u8>>) -> Vec<u8> {
    written(&merge_weighted(files, 1))
}

fn written(merged: &Merged) -> Vec<u8> {
    for entry in &merged.ledger.entries {
        let is_kept = matches!(
            entry.cause,
            Cause::CounterOverflow { .. } | Cause::SuspiciousCounter { .. }
        );
        assert!(is_kept, "{entry}");
    }
    indexed::write(&merged.profile, &WriteOptions::default())
}

/// The records, sorted.
fn listed(profile: &Profile) -> Vec<String> {
    let mut records: Vec<String> = profile
        .records()
        .map(|record| format!("{record:?}"))
        .collect();
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn order_does_not_matter(runs in runs(), turn in 0..6usize) {
        let mut files = files(&runs);
        let expected = merged(&files);
        files.reverse();
        prop_assert!(merged(&files) == expected);
        let turn = turn % files.len();
        files.rotate_left(turn);
        prop_assert!(merged(&files) == expected);
    }

    /// Under one name, the order of hashes in the file is that in which they came, as in LLVM. The
    /// records are the same.
    #[test]
    fn order_of_hashes_under_a_name(runs in runs_of_one_name()) {
        let mut files = files(&runs);
        let forwards = merge_weighted(&files, 1);
        files.reverse();
        prop_assert_eq!(listed(&merge_weighted(&files, 1).profile), listed(&forwards.profile));
    }

    #[test]
    fn grouping_does_not_matter(runs in runs(), cut in 0..6usize) {
        let files = files(&runs);
        let (left, right) = files.split_at(cut % (files.len() + 1));
        prop_assert!(merged(&[merged(left), merged(right)]) == merged(&files));
        let one_by_one = files.iter().fold(merged([]), |sum, file| merged([&sum, file]));
        prop_assert!(one_by_one == merged(&files));
    }

    #[test]
    fn weight_is_repetition(runs in runs(), weight in 1..5usize) {
        let files = files(&runs);
        let repeated = files.iter().flat_map(|file| std::iter::repeat_n(file, weight));
        let weighted = merge_weighted(&files, weight as u64);
        prop_assert!(written(&weighted) == merged(repeated));
    }

    #[test]
    fn nothing_changes_nothing(runs in runs()) {
        let files = files(&runs);
        let sum = merged(&files);
        let nothing = merged([]);
        prop_assert!(merged([&nothing, &sum]) == sum);
        prop_assert!(merged([&sum, &nothing]) == sum);
        let no_functions = RawFile::new(Shape::CURRENT, &[]).bytes();
        prop_assert!(merged([&no_functions, &sum, &no_functions]) == sum);
    }

    /// Text says all of it but the build ids.
    #[test]
    fn through_text_and_back(runs in runs()) {
        let first = merge_weighted(&files(&runs), 1);
        // Of nothing the text is empty, and an empty file is an error.
        prop_assume!(first.profile.record_count() > 0);
        let text = text::write(&first.profile, &WriteOptions::default());
        let again = merge_weighted([&text], 1);
        prop_assert!(again.ledger.is_empty());
        prop_assert_eq!(listed(&again.profile), listed(&first.profile));
        prop_assert!(text::write(&again.profile, &WriteOptions::default()) == text);
    }

    /// An older version holds the same, but for bitmaps in one that has none.
    #[test]
    fn older_versions_are_read_back(runs in runs(), number in 10..=13u32) {
        let first = merge_weighted(&files(&runs), 1);
        let version = IndexedVersion::from_number(number).expect("a known version");
        let options = WriteOptions { version, ..WriteOptions::default() };
        let bytes = indexed::write(&first.profile, &options);
        prop_assert_eq!(u32::from(bytes[8]), number);
        let again = merge_weighted([&bytes], 1);
        prop_assert!(again.ledger.is_empty());
        if version == IndexedVersion::V10 {
            let counts = |profile: &Profile| -> Vec<Vec<u64>> {
                let mut counts: Vec<_> = profile.records().map(|record| record.counts.to_vec()).collect();
                counts.sort();
                counts
            };
            prop_assert_eq!(counts(&again.profile), counts(&first.profile));
        } else {
            prop_assert_eq!(listed(&again.profile), listed(&first.profile));
        }
        prop_assert!(indexed::write(&again.profile, &options) == bytes);
    }

    #[test]
    fn what_is_written_is_read(runs in runs()) {
        let first = merge_weighted(&files(&runs), 1);
        let bytes = written(&first);
        let again = merge_weighted([&bytes], 1);
        prop_assert!(again.ledger.is_empty());
        prop_assert_eq!(listed(&again.profile), listed(&first.profile));
        prop_assert!(written(&again) == bytes);
    }

    /// Counts are sums, computed here without any limit, then cut; bitmaps are unions.
    #[test]
    fn counts_add_up_and_stop_at_the_maximum(runs in runs()) {
        let profile = merge_weighted(&files(&runs), 1).profile;
        for record in profile.records() {
            let of_function = || runs.iter().flat_map(|(_, functions)| functions).filter(|function| {
                function.name == record.name
            });
            for (index, &count) in record.counts.iter().enumerate() {
                let sum: u128 = of_function().map(|function| u128::from(function.counts[index])).sum();
                prop_assert_eq!(u128::from(count), sum.min(u128::from(MAX_COUNT)));
            }
            for (index, &byte) in record.bitmap.iter().enumerate() {
                let union = of_function().fold(0, |union, function| union | function.bitmap[index]);
                prop_assert_eq!(byte, union);
            }
        }
    }

    #[test]
    fn every_format_says_the_same(runs in runs()) {
        let (_, functions) = &runs[0];
        for has_bitmaps in [false, true] {
            let shapes = Shape::all().filter(|shape| shape.has_bitmaps() == has_bitmaps);
            let mut written = shapes.map(|shape| (shape, merged([&RawFile::new(shape, functions).bytes()])));
            let (_, first) = written.next().expect("there are formats");
            for (shape, bytes) in written {
                prop_assert!(bytes == first, "{:?} differs", shape);
            }
        }
    }

    /// One byte a counter: the count is how many runs reached it.
    #[test]
    fn bytes_count_runs(runs in runs()) {
        let assembled: Vec<Vec<u8>> = runs
            .iter()
            .map(|(shape, functions)| RawFile {
                flags: BYTE_COVERAGE,
                ..RawFile::new(*shape, functions)
            })
            .map(|file| file.bytes())
            .collect();
        let merged = merge_weighted(&assembled, 1);
        prop_assert!(merged.ledger.is_empty());
        for record in merged.profile.records() {
            for (index, &count) in record.counts.iter().enumerate() {
                let reached = runs.iter().flat_map(|(_, functions)| functions).filter(|function| {
                    function.name == record.name && function.counts[index] > 0
                });
                prop_assert_eq!(count, reached.count() as u64);
            }
        }
    }

    /// Several profiles in one file are several files.
    #[test]
    fn concatenation_is_merging(runs in runs()) {
        let assembled: Vec<Vec<u8>> = runs
            .iter()
            .map(|(_, functions)| RawFile::new(Shape::CURRENT, functions).bytes())
            .collect();
        prop_assert!(merged([&assembled.concat()]) == merged(&assembled));
    }
}

/// A binary that is large enough for several resizes of the writer's hash table.
#[test]
fn a_large_binary() {
    let binary = raw::binary(1, 3000, 4, true);
    let files: Vec<Vec<u8>> = (0..4)
        .map(|seed| RawFile::new(Shape::CURRENT, &raw::run(&binary, seed)).bytes())
        .collect();
    let expected = merged(&files);
    assert!(merged(files.iter().rev()) == expected);
    assert!(merged(&[merged(&files[..1]), merged(&files[1..])]) == expected);
    assert!(merged([&expected, &merged([])]) == expected);
}

/// The two marks above the maximum are no counts: they stay what they are.
#[test]
fn marks_are_not_counted() {
    let hot = RawFile::new(Shape::CURRENT, &[Function::new("f", 1, [u64::MAX, 5])]).bytes();
    let warm = RawFile::new(Shape::CURRENT, &[Function::new("f", 1, [u64::MAX - 1, 5])]).bytes();
    let merged = merge_weighted([&warm, &hot, &warm], 1);
    let record = merged.profile.records().next().expect("a record");
    assert_eq!(record.counts, [u64::MAX, 5]);
}
