//! Our evaluation of the committed objects, as lcov, byte for byte against llvm-cov-22's.

use std::num::NonZeroU64;

use bincover_mapping::{Mapping, evaluate};
use bincover_profile::{Merger, Profile};
use bincover_report::{Options, lcov};
use bincover_testkit::fixture_bytes;

fn profile(name: &str) -> Profile {
    let mut merger = Merger::new();
    merger.add(name, &fixture_bytes(name), NonZeroU64::MIN);
    let merged = merger.finish();
    assert!(merged.ledger.is_empty(), "{name}: {:?}", merged.ledger);
    merged.profile
}

fn check(case: &str, objects: &[&str], profile_name: &str) {
    let objects: Vec<Vec<u8>> = objects.iter().map(|name| fixture_bytes(name)).collect();
    let mappings: Vec<Mapping<'_>> = objects
        .iter()
        .map(|bytes| Mapping::parse(bytes).expect("a fixture's mapping"))
        .collect();
    let evaluation = evaluate(&mappings, &profile(profile_name)).expect("a fixture");
    let mut ours = Vec::new();
    lcov::emit(&evaluation.coverage, &Options::default(), &mut ours).expect("writing to memory");
    let theirs = fixture_bytes(&format!("object/{case}/expected.lcov"));
    assert!(!theirs.is_empty(), "{case}: an empty expectation");
    pretty(case, &ours, &theirs);
}

fn pretty(case: &str, ours: &[u8], theirs: &[u8]) {
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        text.split('\n').map(str::to_owned).collect()
    };
    let (left, right) = (lines(ours), lines(theirs));
    for (number, (left, right)) in left.iter().zip(&right).enumerate() {
        assert_eq!(left, right, "{case}: expected.lcov, line {}", number + 1);
    }
    assert_eq!(ours, theirs, "{case}: one report is longer");
}

macro_rules! cases {
    ($($name:ident = $case:literal, [$($object:literal),+], $profile:literal;)*) => {
        $(#[test] fn $name() {
            check($case, &[$(concat!("object/", $object)),+], concat!("raw/", $profile));
        })*
    };
}

cases! {
    rust = "rust-v10", ["rust-v10/app.elf"], "rust-v10/merged.profdata";
    c = "clang22-c", ["clang22-c/app.elf"], "clang22-c/merged.profdata";
    cxx = "clang22-cxx", ["clang22-cxx/app.elf"], "clang22-cxx/merged.profdata";
    mcdc = "clang22-mcdc", ["clang22-mcdc/app.elf"], "clang22-mcdc/merged.profdata";
    byte_counters = "clang22-bytes", ["clang22-bytes/app.elf"], "clang22-bytes/merged.profdata";
    relocatable_c = "clang22-c-obj", ["clang22-c-obj/main.o"], "clang22-c/merged.profdata";
    relocatable_cxx = "clang22-cxx-obj", ["clang22-cxx-obj/main.o", "clang22-cxx-obj/second.o"], "clang22-cxx/merged.profdata";
    clang_13 = "clang13-c", ["clang13-c/app.elf"], "clang13-c/merged.profdata";
    clang_14 = "clang14-c", ["clang14-c/app.elf"], "clang14-c/merged.profdata";
    clang_16 = "clang16-c", ["clang16-c/app.elf"], "clang16-c/merged.profdata";
    clang_19 = "clang19-c", ["clang19-c/app.elf"], "clang19-c/merged.profdata";
}
