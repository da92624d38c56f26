//! Our merges of the committed profiles, byte for byte against what llvm-profdata-22 made of them.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bincover_profile::indexed::{self, WriteOptions};
use bincover_profile::{Merged, Merger};
use bincover_testkit::{fixture, fixture_bytes};

fn merged(inputs: &[PathBuf]) -> Merged {
    let mut merger = Merger::new();
    for path in inputs {
        let bytes = std::fs::read(path).expect("a fixture");
        merger.add(&path.display().to_string(), &bytes, NonZeroU64::MIN);
    }
    merger.finish()
}

/// The case's `.profraw` files in the order in which its recipe merges them: that of their names.
fn raw_inputs(case: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(case).expect("a case");
    let mut inputs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "profraw"))
        .filter(|path| path.file_name().is_some_and(|name| name != "killed.profraw"))
        .collect();
    inputs.sort();
    inputs
}

fn check(case: &str, merged: &Merged, expected: &str, sparse: bool) {
    assert!(merged.ledger.is_empty(), "{case}: {:?}", merged.ledger);
    let ours = indexed::write(&merged.profile, &WriteOptions { sparse });
    let theirs = fixture_bytes(&format!("raw/{case}/{expected}"));
    assert!(ours == theirs, "{case}/{expected} differs");
}

/// Profiles of the version that llvm-profdata-22 reads.
fn check_current(case: &str) {
    let inputs = raw_inputs(&fixture("raw").join(case));
    let merged = merged(&inputs);
    check(case, &merged, "merged.profdata", false);
    check(case, &merged, "sparse.profdata", true);
}

/// Profiles of older versions, which llvm-profdata-22 reads by way of its older sisters' text.
fn check_older(case: &str) {
    let inputs = raw_inputs(&fixture("raw").join(case));
    check(case, &merged(&inputs), "merged.profdata", false);
}

/// DIFFERENCE: llvm-profdata-14 writes an indexed version that has no build ids and so loses them
/// on the way to llvm-profdata-22; we keep them. The records are the same.
fn check_but_for_ids(case: &str) {
    let folder = fixture("raw").join(case);
    let ours = merged(&raw_inputs(&folder));
    let theirs = merged(&[folder.join("merged.profdata")]);
    assert!(ours.ledger.is_empty() && theirs.ledger.is_empty());
    assert_eq!(ours.profile.binary_ids().count(), 1);
    assert_eq!(theirs.profile.binary_ids().count(), 0);
    let records = |merged: &Merged| {
        let mut records: Vec<String> =
            merged.profile.records().map(|record| format!("{record:?}")).collect();
        records.sort();
        records
    };
    assert_eq!(records(&ours), records(&theirs), "{case}");
}

macro_rules! cases {
    ($check:ident: $($name:ident = $case:literal,)*) => {
        $(#[test] fn $name() { $check($case); })*
    };
}

cases! { check_current:
    rust = "rust-v10",
    c = "clang22-c",
    cxx = "clang22-cxx",
    mcdc = "clang22-mcdc",
    byte_counters = "clang22-bytes",
    block_coverage = "clang22-block-coverage",
    ir_with_values = "clang22-ir",
    context_sensitive = "clang22-cs",
    vtables = "clang22-vtables",
    concatenated = "clang22-concat",
    without_build_id = "clang22-nobuildid",
    function_entries = "clang22-entry",
    entry_first = "clang22-entry-first",
    thirty_two_bits = "clang22-32bit",
}

cases! { check_older:
    version_7 = "clang13-c",
    version_7_ir = "clang13-ir",
    version_8_of_clang_16 = "clang16-c",
    version_10_of_clang_19 = "clang19-c",
}

cases! { check_but_for_ids:
    version_8 = "clang14-c",
    version_8_ir = "clang14-ir",
}

/// A process that was killed at work, its counters in a shared mapping.
#[test]
fn killed() {
    let folder = fixture("raw/rust-v10");
    let mut inputs = raw_inputs(&folder);
    inputs.push(folder.join("killed.profraw"));
    check("rust-v10", &merged(&inputs), "with-killed.profdata", false);
}
