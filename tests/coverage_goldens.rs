//! Our evaluation of the committed objects, as lcov and as JSON, byte for byte against
//! llvm-cov-22's.

use std::num::NonZeroU64;

use bincover_mapping::{
    self as mapping, ErrorKind, Mapping, ParseOptions, evaluate, evaluate_with,
};
use bincover_model::FileId;
use bincover_profile::indexed::{self, IndexedProfile};
use bincover_profile::{Merger, Profile, WriteOptions};
use bincover_report::{Options, Parts, lcov, llvm_json};
use bincover_testkit::fixture_bytes;

fn profile(name: &str) -> Profile {
    let mut merger = Merger::new();
    merger.add(name, &fixture_bytes(name), NonZeroU64::MIN);
    let merged = merger.finish();
    assert!(merged.ledger.is_empty(), "{name}: {:?}", merged.ledger);
    merged.profile
}

fn check(case: &str, objects: &[&str], profile_name: &str) {
    check_with(case, objects, profile_name, &ParseOptions::default());
}

fn check_with(case: &str, objects: &[&str], profile_name: &str, options: &ParseOptions<'_>) {
    let objects: Vec<Vec<u8>> = objects.iter().map(|name| fixture_bytes(name)).collect();
    let mappings: Vec<Mapping<'_>> = objects
        .iter()
        .map(|bytes| Mapping::parse_as(bytes, options).expect("a fixture's mapping"))
        .collect();
    let profile = profile(profile_name);
    let evaluation = evaluate(&mappings, &profile).expect("a fixture");
    let coverage = &evaluation.coverage;
    same_from_a_file(&mappings, &profile);

    let mut ours = Vec::new();
    lcov::emit(coverage, &Options::default(), &mut ours).expect("writing to memory");
    pretty(case, "expected.lcov", &ours, b'\n');

    let files: Vec<FileId> = (0..).map(FileId).take(coverage.files.len()).collect();
    let mut ours = Vec::new();
    llvm_json::emit(coverage, &files, &Parts::default(), &mut ours).expect("writing to memory");
    pretty(case, "expected.json", &ours, b'{');
}

/// It is all the same whether a profile is in memory, or looked up in a file.
fn same_from_a_file(mappings: &[Mapping<'_>], profile: &Profile) {
    let bytes = indexed::write(profile, &WriteOptions::default());
    let file = IndexedProfile::parse(&bytes).expect("it was just written");
    let options = mapping::Options {
        explain: true,
        ..mapping::Options::default()
    };
    let in_memory = evaluate_with(mappings, profile, &options).expect("a fixture");
    let mut in_file = evaluate_with(mappings, &file, &options).expect("a fixture");
    assert_eq!(in_file.coverage, in_memory.coverage);
    assert_eq!(in_file.left_out, in_memory.left_out);
    // In the order of the file.
    let mut unmapped = in_memory.unmapped;
    unmapped.sort_by(|a, b| a.function.cmp(&b.function));
    in_file.unmapped.sort_by(|a, b| a.function.cmp(&b.function));
    assert_eq!(in_file.unmapped, unmapped);
}

/// Compares piece by piece, so that a difference is small enough to be read.
fn pretty(case: &str, expected: &str, ours: &[u8], separator: u8) {
    let theirs = fixture_bytes(&format!("object/{case}/{expected}"));
    assert!(!theirs.is_empty(), "{case}: an empty expectation");
    let pieces = |bytes: &[u8]| -> Vec<String> {
        let pieces = bytes.split(|&byte| byte == separator);
        pieces
            .map(|piece| String::from_utf8_lossy(piece).into_owned())
            .collect()
    };
    for (number, (left, right)) in pieces(ours).iter().zip(pieces(&theirs)).enumerate() {
        assert_eq!(left, &right, "{case}: {expected}, piece {}", number + 1);
    }
    assert_eq!(ours, theirs, "{case}: one {expected} is longer");
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

macro_rules! containers {
    ($($name:ident = $case:literal, $object:literal;)*) => {
        $(#[test] fn $name() {
            check($case, &[concat!("object/", $case, "/", $object)], COUNTS);
        })*
    };
}

/// What all of them counted.
const COUNTS: &str = "object/elf32-be/counts.proftext";

containers! {
    elf_32_big_endian = "elf32-be", "both.o";
    elf_64_big_endian = "elf64-be", "one.o";
    elf_32 = "elf32", "one.o";
    mach_o = "macho", "both.dylib";
    mach_o_32 = "macho32", "one.o";
    coff = "coff", "one.o";
    pe = "pe", "both.dll";
    wasm = "wasm", "both.wasm";
    archive = "archive", "both.a";
    test_container = "test-container", "both.covmapping";
}

const UNIVERSAL: &str = "object/macho-universal/both.o";

#[test]
fn universal() {
    let options = ParseOptions {
        architecture: Some("arm64"),
        ..ParseOptions::default()
    };
    check_with("macho-universal", &[UNIVERSAL], COUNTS, &options);
    // Both slices hold the same functions, and each is taken once.
    check("macho-universal", &[UNIVERSAL], COUNTS);
}

#[test]
fn an_architecture_that_is_not_there() {
    let universal = fixture_bytes(UNIVERSAL);
    let object = fixture_bytes("object/elf32/one.o");
    let fails = |bytes, architecture, strict, kind, message| {
        let options = ParseOptions {
            architecture,
            strict,
            ..ParseOptions::default()
        };
        let error = Mapping::parse_as(bytes, &options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.llvm_message(), message);
    };
    let needed = "`-arch` specifier is invalid or missing for universal binary";
    fails(
        &universal,
        None,
        true,
        ErrorKind::ArchitectureNeeded,
        needed,
    );
    fails(
        &universal,
        Some("i386"),
        false,
        ErrorKind::ArchitectureNeeded,
        needed,
    );
    let wrong = "No object file for requested architecture";
    fails(
        &object,
        Some("x86_64"),
        false,
        ErrorKind::WrongArchitecture,
        wrong,
    );
    let options = ParseOptions {
        architecture: Some("armv7"),
        ..ParseOptions::default()
    };
    assert!(Mapping::parse_as(&object, &options).is_ok());
}

/// llvm-cov takes the whole archive to have no data, or to be no object.
#[test]
fn members_of_an_archive_that_have_no_mapping() {
    let mut archive = fixture_bytes("object/archive/both.a");
    let member = |contents: &[u8]| {
        let header = format!(
            "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            "lib.rmeta/",
            0,
            0,
            0,
            644,
            contents.len()
        );
        [header.as_bytes(), contents].concat()
    };
    archive.resize(archive.len().next_multiple_of(2), b'\n');
    archive.extend(member(b"rust"));
    let mapping = Mapping::parse(&archive).expect("the others have one");
    assert_eq!(mapping.function_count(), 5);
    let strict = ParseOptions {
        strict: true,
        ..ParseOptions::default()
    };
    let error = Mapping::parse_as(&archive, &strict).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAnObject);
    let message = "The file was not recognized as a valid object file";
    assert_eq!(error.llvm_message(), message);
}
