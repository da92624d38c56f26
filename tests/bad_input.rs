//! What cannot be used: the message says what was wanted and what was there, the exit code is not
//! 0, nothing panics, an output that exists stays as it was, and nothing is left beside it.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};

use bincover_testkit::{elf, fixture, fixture_bytes, mutate};
use tempfile::TempDir;

const OLD: &[u8] = b"what was there before";

/// A folder with the outputs of another day, and the inputs of the test.
struct Bench {
    folder: TempDir,
}

impl Bench {
    const OUTPUTS: [&str; 4] = [
        "out.profdata",
        "lcov.info",
        "cobertura.xml",
        "again.profdata",
    ];

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in Self::OUTPUTS {
            fs::write(folder.path().join(name), OLD).unwrap();
        }
        Self { folder }
    }

    fn with(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().display().to_string())
            .collect();
        names.sort();
        names
    }

    /// Runs a command that is to fail, and gives back what it says.
    #[track_caller]
    fn fails(&self, program: &str, args: &[&str]) -> String {
        let before = self.names();
        let output = Command::new(program)
            .args(args)
            .current_dir(self.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        let code = output.status.code().expect("no signal");
        assert!(
            [1, 91].contains(&code),
            "{args:?}: exit code {code}: {stderr}"
        );
        assert_eq!(output.stdout, b"", "{args:?}");
        assert!(stderr.contains("error: "), "{args:?}: {stderr}");
        assert_eq!(self.names(), before, "{args:?}");
        for name in Self::OUTPUTS {
            assert!(
                fs::read(self.path().join(name)).unwrap() == OLD,
                "{args:?}: {name}"
            );
        }
        stderr
    }

    #[track_caller]
    fn merge_fails(&self, inputs: &[&str]) -> String {
        let args = [&["-o", "out.profdata"], inputs].concat();
        self.fails(env!("CARGO_BIN_EXE_bincover-merge"), &args)
    }

    /// A report with all outputs.
    #[track_caller]
    fn report_fails(&self, inputs: &[&str]) -> String {
        let outputs = ["--lcov", "lcov.info", "--cobertura", "cobertura.xml"];
        let args = [
            &["report"],
            &outputs[..],
            &["--profdata", "again.profdata"],
            inputs,
        ]
        .concat();
        self.fails(env!("CARGO_BIN_EXE_bincover"), &args)
    }

    /// Both ways for a profile to come in.
    #[track_caller]
    fn profile_fails(&self, profile: &str, words: &[&str]) {
        let object = fixture("object/rust-v10/app.elf");
        let report = ["--profile", profile, "--object", object.to_str().unwrap()];
        for said in [self.merge_fails(&[profile]), self.report_fails(&report)] {
            holds(&said, &[&[profile], words].concat());
        }
    }

    /// A good profile and an object that cannot be used.
    #[track_caller]
    fn object_fails(&self, object: &str, words: &[&str]) {
        let profile = fixture("raw/rust-v10/merged.profdata");
        let profile = profile.to_str().unwrap();
        let said = self.report_fails(&["--profile", profile, "--object", object]);
        holds(&said, &[&[object], words].concat());
    }
}

#[track_caller]
fn holds(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

// Profiles.

#[test]
fn a_file_that_is_no_profile() {
    let bench = Bench::new()
        .with("zeros", &[0; 100])
        .with("elf", &fixture_bytes("object/rust-v10/app.elf"))
        .with("one-byte", b"\xff");
    for name in ["zeros", "elf", "one-byte"] {
        bench.profile_fails(name, &["expected ", " at offset 0x0", ", found "]);
    }
    // Text could be a profile in LLVM's text format.
    Bench::new()
        .with("text", b"Dear diary\n")
        .profile_fails("text", &["expected ", "found "]);
}

#[test]
fn an_empty_file() {
    Bench::new()
        .with("empty.profraw", b"")
        .profile_fails("empty.profraw", &[": empty"]);
}

#[test]
fn a_missing_file() {
    Bench::new().profile_fails("missing.profraw", &["No such file or directory"]);
    Bench::new().profile_fails("missing/below.profraw", &["No such file or directory"]);
    let bench = Bench::new();
    std::os::unix::fs::symlink("nowhere", bench.path().join("link.profraw")).unwrap();
    bench.profile_fails("link.profraw", &["No such file or directory"]);
    // In a folder it is found by its name, and then it cannot be read.
    holds(
        &bench.merge_fails(&["."]),
        &["./link.profraw: No such file or directory"],
    );
}

#[test]
fn a_folder_without_profiles() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("folder.profraw")).unwrap();
    holds(
        &bench.merge_fails(&["folder.profraw"]),
        &["folders without profiles"],
    );
    let object = fixture("object/rust-v10/app.elf");
    let args = [
        "--profile",
        "folder.profraw",
        "--object",
        object.to_str().unwrap(),
    ];
    holds(&bench.report_fails(&args), &["no profile was found"]);
}

/// Even root cannot read this one: nothing is mapped at its beginning.
const UNREADABLE: &str = "/proc/self/mem";

#[test]
#[cfg(target_os = "linux")]
fn an_unreadable_file() {
    Bench::new().profile_fails(UNREADABLE, &["Input/output error"]);
    Bench::new().object_fails(UNREADABLE, &["cannot read"]);
}

/// The number after ` at offset 0x`.
fn offset(said: &str) -> Option<usize> {
    let (_, rest) = said.split_once(" at offset 0x")?;
    let digits = rest
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .next()?;
    usize::from_str_radix(digits, 16).ok()
}

/// Cuts the file at many bytes; the message has to say where it ended.
fn cut(fixture: &str) {
    let bytes = fixture_bytes(fixture);
    let bench = Bench::new();
    // The header's every field, then steps through the rest.
    let places = (1..bytes.len().min(144))
        .step_by(7)
        .chain(mutate::cuts(bytes.len()).step_by(7));
    for end in places.filter(|&end| end > 0) {
        fs::write(bench.path().join("cut"), &bytes[..end]).unwrap();
        let said = bench.merge_fails(&["cut"]);
        holds(&said, &["left out: cut: ", "expected ", ", found "]);
        let offset = offset(&said).unwrap_or_else(|| panic!("cut at {end}: {said}"));
        assert!(offset <= bytes.len(), "cut at {end}: {said}");
    }
    let half = bytes.len() / 2;
    Bench::new()
        .with("cut", &bytes[..half])
        .profile_fails("cut", &["expected ", ", found "]);
}

#[test]
fn a_raw_profile_that_is_cut() {
    cut("raw/rust-v10/1.profraw");
}

#[test]
fn an_indexed_profile_that_is_cut() {
    cut("raw/rust-v10/merged.profdata");
}

// Objects.

#[test]
fn a_binary_without_coverage() {
    let bench = Bench::new().with("plain", &elf::build(&[(".text", b"\xc3")]));
    let words = [
        "expected a section __llvm_prf_names",
        "found none of that name",
        "hint: ",
    ];
    bench.object_fails("plain", &words);
}

#[test]
fn a_file_that_is_no_object() {
    let bench = Bench::new().with("text", b"#!/bin/sh\n").with("empty", b"");
    for name in ["text", "empty"] {
        bench.object_fails(name, &["expected an object file at offset 0x0, found "]);
    }
}

#[test]
fn an_object_that_is_missing_or_a_folder() {
    let bench = Bench::new();
    bench.object_fails("missing", &["No such file or directory"]);
    fs::create_dir(bench.path().join("folder")).unwrap();
    bench.object_fails("folder", &["is a directory"]);
}

#[test]
fn an_object_that_is_cut() {
    let bytes = fixture_bytes("object/rust-v10/app.elf");
    let bench = Bench::new();
    for end in mutate::cuts(bytes.len()).step_by(9).filter(|&end| end > 0) {
        fs::write(bench.path().join("cut"), &bytes[..end]).unwrap();
        bench.object_fails("cut", &["expected ", "found"]);
    }
}

/// Where a section can end and be whole: behind a record, and in the padding that follows it.
fn wholes(name: &str, bytes: &[u8]) -> Vec<RangeInclusive<usize>> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    // How long a record is after these bytes, and where that stands.
    let (header_bytes, length_at) = match name {
        "__llvm_covmap" => (16, 4),
        "__llvm_covfun" => (28, 8),
        _ => return Vec::new(),
    };
    let mut wholes = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let end = start + header_bytes + word(start + length_at);
        start = end.next_multiple_of(8);
        wholes.push(end..=start);
    }
    wholes
}

#[test]
fn an_object_whose_coverage_sections_are_cut() {
    const SECTIONS: [&str; 3] = ["__llvm_prf_names", "__llvm_covmap", "__llvm_covfun"];
    let whole = fixture_bytes("object/rust-v10/app.elf");
    let contents = SECTIONS.map(|name| elf::section(&whole, name));
    let bench = Bench::new();
    for (index, name) in SECTIONS.into_iter().enumerate() {
        let bytes = &contents[index];
        let whole = wholes(name, bytes);
        let is_a_cut = |end: &usize| *end > 0 && !whole.iter().any(|range| range.contains(end));
        for end in mutate::cuts(bytes.len()).step_by(5).filter(is_a_cut) {
            let mut sections = contents.clone();
            sections[index] = bytes[..end].to_vec();
            let sections = [0, 1, 2].map(|index| (SECTIONS[index], sections[index].as_slice()));
            fs::write(bench.path().join("cut"), elf::build(&sections)).unwrap();
            bench.object_fails("cut", &["expected ", "found", name]);
        }
    }
}

// Outputs.

#[test]
fn an_output_folder_that_does_not_exist() {
    let bench = Bench::new();
    let profile = fixture("raw/rust-v10/1.profraw");
    let (profile, object) = (
        profile.to_str().unwrap(),
        fixture("object/rust-v10/app.elf"),
    );
    let words = [
        "missing/out",
        "expected a folder `missing`, found none",
        "mkdir -p 'missing'",
    ];
    let said = bench.fails(
        env!("CARGO_BIN_EXE_bincover-merge"),
        &["-o", "missing/out", profile],
    );
    holds(&said, &words);
    let inputs = ["--profile", profile, "--object", object.to_str().unwrap()];
    for option in ["--lcov", "--cobertura", "--profdata"] {
        let args = [&["report", option, "missing/out"], &inputs[..]].concat();
        holds(&bench.fails(env!("CARGO_BIN_EXE_bincover"), &args), &words);
        // Before the others are written.
        let all = [
            "--lcov",
            "lcov.info",
            "--cobertura",
            "cobertura.xml",
            "--profdata",
            "out.profdata",
        ];
        let others = all
            .chunks(2)
            .filter(|pair| pair[0] != option)
            .flatten()
            .copied();
        let args: Vec<&str> = args.iter().copied().chain(others).collect();
        holds(&bench.fails(env!("CARGO_BIN_EXE_bincover"), &args), &words);
    }
}

#[test]
fn an_output_that_is_a_folder() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("folder")).unwrap();
    let profile = fixture("raw/rust-v10/1.profraw");
    let (profile, object) = (
        profile.to_str().unwrap(),
        fixture("object/rust-v10/app.elf"),
    );
    let words = ["cannot write `folder`", "is a directory"];
    let said = bench.fails(
        env!("CARGO_BIN_EXE_bincover-merge"),
        &["-o", "folder", profile],
    );
    holds(&said, &words);
    let inputs = ["--profile", profile, "--object", object.to_str().unwrap()];
    for option in ["--lcov", "--cobertura", "--profdata"] {
        let args = [&["report", option, "folder"], &inputs[..]].concat();
        holds(&bench.fails(env!("CARGO_BIN_EXE_bincover"), &args), &words);
    }
    assert_eq!(
        fs::read_dir(bench.path().join("folder")).unwrap().count(),
        0
    );
}

#[test]
fn a_demo_or_a_store_in_the_place_of_a_file() {
    let bench = Bench::new().with("file", b"");
    let said = bench.fails(env!("CARGO_BIN_EXE_bincover"), &["demo", "--out", "file"]);
    holds(&said, &["cannot write `file"]);
    let said = bench.fails(
        env!("CARGO_BIN_EXE_bincover"),
        &["run", "--store", "file", "--", "false"],
    );
    holds(
        &said,
        &[
            "cannot write `file`",
            "there will be no coverage of this run",
        ],
    );
    let said = bench.fails(
        env!("CARGO_BIN_EXE_bincover"),
        &["report", "--store", "file"],
    );
    holds(&said, &["there are no runs in `file`"]);
}

#[test]
fn a_store_that_is_none() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("store")).unwrap();
    fs::write(
        bench.path().join("store/store.db"),
        "no database at all, but long enough",
    )
    .unwrap();
    let said = bench.report_fails(&["--store", "store"]);
    holds(
        &said,
        &["cannot use the store `store/store.db`", "not a database"],
    );
}
