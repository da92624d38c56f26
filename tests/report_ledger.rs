//! Which functions a report could not count, and why: `bincover report --ledger`, and how
//! instantiations are listed. All from fixtures.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover_testkit::{elf, fixture, fixture_bytes};
use serde_json::Value;
use tempfile::TempDir;

const C: &str = "object/clang22-c/app.elf";
const CPP: &str = "object/clang22-cxx/app.elf";
const C_PROFILE: &str = "raw/clang22-c/merged.profdata";
const CPP_PROFILE: &str = "raw/clang22-cxx/merged.profdata";

/// The C program's profile, but: `classify` is of another build, `collatz` has too few counters,
/// `main.c:clamp` is missing, and there is a function that the program does not have.
const STALE: &str = "\
classify
664524075607429804
9
9 1 0 1 1 1 6 1 2
collatz
672712362549710279
2
9 249
main
174501569741667286
5
3 11 1 1 0
main.c:is_small_odd
106530698229727
6
5 2 5 2 0 0
never_called
902232
2
0 0
_Z4gonei
77
1
4
";

/// What a report said and wrote.
struct Told {
    stdout: String,
    stderr: String,
    ledger: Value,
}

/// A report with a ledger, with this exit code.
#[track_caller]
fn report(objects: &[&Path], profile: &Path, more: &[&str], code: i32) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.json");
    let output = run(objects, profile, &ledger, more);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let ledger = serde_json::from_slice(&fs::read(ledger).unwrap()).unwrap();
    Told {
        stdout,
        stderr,
        ledger,
    }
}

fn run(objects: &[&Path], profile: &Path, ledger: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.args(["report", "--profile"]).arg(profile);
    for object in objects {
        command.arg("--object").arg(object);
    }
    command.arg("--ledger").arg(ledger).args(more);
    command.output().unwrap()
}

impl Told {
    fn functions(&self) -> &[Value] {
        self.ledger["functions"].as_array().unwrap()
    }

    /// By cause and name, in the ledger's order.
    fn causes(&self) -> Vec<(&str, &str)> {
        let functions = self.functions().iter();
        functions
            .map(|one| {
                let cause = one["cause"].as_str().unwrap();
                (cause, one["function"].as_str().unwrap())
            })
            .collect()
    }

    /// What is said of functions, without the last line, which tells where they are listed.
    fn notes(&self) -> Vec<&str> {
        let notes = self.stderr.lines().filter(|line| line.contains(": note: "));
        let mut notes: Vec<&str> = notes.collect();
        assert!(
            notes
                .pop()
                .is_none_or(|last| last.contains("are listed in"))
        );
        notes
    }
}

/// A file in a folder that goes with it.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The text format has one counter in each line.
fn stale() -> (TempDir, PathBuf) {
    file("stale.proftext", STALE.replace(' ', "\n"))
}

// What profile and object disagree on.

#[test]
fn a_profile_that_fits_is_no_news() {
    let told = report(&[&fixture(CPP)], &fixture(CPP_PROFILE), &[], 0);
    assert_eq!(told.stderr, "");
    assert_eq!(told.ledger["functions"], serde_json::json!([]));
    assert_eq!(told.ledger["entries"], serde_json::json!([]));
}

#[test]
fn each_cause_is_told_with_name_file_object_and_hashes() {
    let (_folder, profile) = stale();
    let told = report(&[&fixture(C)], &profile, &[], 0);
    assert_eq!(
        told.causes(),
        [
            ("hash-mismatch", "classify"),
            ("missing-counters", "collatz"),
            ("no-profile", "main.c:clamp"),
            ("unused-stub", "main.c:unused_in_header"),
            ("no-mapping", "gone(int)"),
        ]
    );
    let object = fixture(C).to_str().unwrap().to_owned();
    let expected = serde_json::json!([
        {
            "cause": "hash-mismatch",
            "message": "left out, since the profile has another hash, of another build or program",
            "function": "classify",
            "symbol": "classify",
            "source": "/tmp/fixture/main.c",
            "object": object,
            "hash": format!("{:#018x}", 664_524_075_607_429_803_u64),
            "profile_hash": format!("{:#018x}", 664_524_075_607_429_804_u64),
            "counts_as": "left-out",
        },
        {
            "cause": "no-mapping",
            "message": "left out, since in the profile and in none of the objects",
            "function": "gone(int)",
            "symbol": "_Z4gonei",
            "profile_hash": "0x000000000000004d",
            "counts_as": "left-out",
        },
    ]);
    assert_eq!(told.functions()[0], expected[0]);
    assert_eq!(told.functions()[4], expected[1]);
    let unknown = &told.functions()[2];
    assert_eq!(unknown["source"], "/tmp/fixture/util.h");
    assert_eq!(unknown["counts_as"], "not-executed");
    assert_eq!(unknown.get("profile_hash"), None);

    // A line for each cause.
    assert_eq!(told.notes().len(), 5, "{}", told.stderr);
    assert!(
        told.stderr
            .contains("note: 1 function: left out, since the profile has another hash")
    );
}

#[test]
fn without_a_ledger_a_line_says_how_to_get_one() {
    let (_folder, profile) = stale();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.args(["report", "--profile"]).arg(profile);
    let output = command.arg("--object").arg(fixture(C)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("note: --ledger FILE lists these functions\n"),
        "{said}"
    );
    // That a function is unused is the ordinary thing.
    assert!(!said.contains("unused"), "{said}");
    assert_eq!(said.lines().count(), 5, "{said}");
}

#[test]
fn a_profile_of_another_compiler() {
    let profile = fixture("raw/clang19-c/merged.profdata");
    let told = report(&[&fixture(C)], &profile, &["--lcov", "-"], 0);
    assert_eq!(told.causes()[0], ("hash-mismatch", "classify"));
    let lcov = fixture_bytes("object/clang22-c-old-profile/expected.lcov");
    assert_eq!(told.stdout.as_bytes(), lcov);
}

#[test]
fn a_profile_of_another_program() {
    let told = report(&[&fixture(CPP)], &fixture(C_PROFILE), &[], 0);
    let causes = told.causes();
    // Both have a `main`; nothing else is in both.
    let of = |wanted: &str| causes.iter().filter(|(cause, _)| *cause == wanted).count();
    assert_eq!(
        (of("hash-mismatch"), of("no-profile"), of("no-mapping")),
        (1, 19, 5)
    );
    assert!(causes.contains(&("no-profile", "shared_inline(int)")));
    assert!(causes.contains(&("no-mapping", "main.c:clamp")));
    assert_eq!(told.notes().len(), 3, "{}", told.stderr);
}

#[test]
fn an_object_that_never_ran() {
    let archive = fixture("object/archive/both.a");
    let told = report(&[&fixture(CPP), &archive], &fixture(CPP_PROFILE), &[], 0);
    let mut members = BTreeSet::new();
    for function in told.functions() {
        assert_eq!(function["object"], archive.to_str().unwrap());
        assert_eq!(function["counts_as"], "not-executed");
        if function["cause"] == "no-profile" {
            members.insert(function["member"].as_str().unwrap());
        } else {
            assert_eq!(function["cause"], "unused-stub");
        }
    }
    assert_eq!(Vec::from_iter(members), ["one.o", "two.o"]);
}

/// The compiler found the function unused in this object; in another it was not.
#[test]
fn a_function_that_another_program_uses_is_a_stub() {
    let text = String::from_utf8(fixture_bytes("raw/rust-v10/merged.proftext")).unwrap();
    let used = format!("{text}\n_RNvCs32gj3y4fnmh_4main12never_called\n5\n1\n1\n");
    let (_folder, profile) = file("used.proftext", used);
    let told = report(&[&fixture("object/rust-v10/app.elf")], &profile, &[], 0);
    assert_eq!(told.causes(), [("unused-stub", "main::never_called")]);
    let stub = &told.functions()[0];
    assert_eq!(stub["symbol"], "_RNvCs32gj3y4fnmh_4main12never_called");
    assert_eq!(stub["counts_as"], "left-out");
    assert_eq!(stub["hash"], "0x0000000000000000");
    assert_eq!(stub["profile_hash"], "0x0000000000000005");
}

#[test]
fn objects_and_profiles_are_in_the_ledger_too() {
    let (_folder, plain) = file("plain", elf::build(&[(".text", b"\xc3")]));
    let told = report(&[&fixture(C), &plain], &fixture(C_PROFILE), &[], 92);
    let entry = &told.ledger["entries"][0];
    assert_eq!(entry["cause"], "no-coverage-data");
    assert_eq!(entry["file"], plain.to_str().unwrap());

    // Nothing could be used: that is in the ledger as well.
    let (_folder, broken) = file("broken.profraw", b"\x00\x01");
    let told = report(&[&fixture(C)], &broken, &[], 91);
    assert_eq!(told.ledger["entries"][0]["cause"], "unreadable");
    assert_eq!(told.ledger.get("functions"), None);
}

/// An object like the fixture, but for one section.
fn with_section(object: &str, name: &str, contents: &[u8]) -> Vec<u8> {
    let whole = fixture_bytes(object);
    let names = ["__llvm_prf_names", "__llvm_covmap", "__llvm_covfun"];
    let sections = names.map(|known| (known, elf::section(&whole, known)));
    let sections = sections.iter().map(|(known, bytes)| match *known == name {
        true => (*known, contents),
        false => (*known, &bytes[..]),
    });
    elf::build(&sections.collect::<Vec<_>>())
}

#[test]
fn damaged_objects_are_in_the_ledger_and_the_others_in_the_report() {
    // One is seen to be damaged when its sections are, one when its regions are decoded, and
    // one is no object.
    let covfun = elf::section(&fixture_bytes(CPP), "__llvm_covfun");
    let cut = with_section(CPP, "__llvm_covfun", &covfun[..covfun.len() / 2 + 5]);
    let mut covfun = elf::section(&fixture_bytes(CPP), "__llvm_covfun");
    // The file of the first function, behind the head of its record and the number of files.
    covfun[29] = 0x7f;
    let wrong = with_section(CPP, "__llvm_covfun", &covfun);
    let ((_a, cut), (_b, wrong)) = (file("cut", cut), file("wrong", wrong));
    let (_c, script) = file("script", "#!/bin/sh\necho a script and no object\n");
    let objects = [&cut, &fixture(CPP), &wrong, &script];
    let objects = objects.map(PathBuf::as_path);

    let told = report(&objects, &fixture(CPP_PROFILE), &["--lcov", "-"], 92);
    let expected = fixture_bytes("object/clang22-cxx/expected.lcov");
    assert_eq!(told.stdout.as_bytes(), expected);
    let entries = told.ledger["entries"].as_array().unwrap();
    let files = entries.iter().map(|entry| entry["file"].as_str().unwrap());
    let expected = [&cut, &wrong, &script].map(|path| path.to_str().unwrap());
    assert_eq!(files.collect::<Vec<_>>(), expected);
    for (entry, section, part) in [
        (&entries[0], Some("__llvm_covfun"), Some("mapping data")),
        (&entries[1], Some("__llvm_covfun"), Some("file index")),
        (&entries[2], None, None),
    ] {
        assert_eq!(entry["cause"], "damaged-object");
        assert_eq!(entry.get("section").and_then(Value::as_str), section);
        assert_eq!(entry.get("what").and_then(Value::as_str), part);
        assert_eq!(entry.get("offset").is_some(), section.is_some());
        assert_ne!(entry["expected"], "");
        assert_ne!(entry["found"], "");
        let file = entry["file"].as_str().unwrap();
        let line = format!("left out: {file}: {}", entry["message"].as_str().unwrap());
        assert!(told.stderr.contains(&line), "{line}: {}", told.stderr);
    }
    assert_eq!(entries[1]["offset"], 29);
    assert_eq!(entries[1]["found"], "127");
    // Functions are told of by the objects that were used.
    assert_eq!(told.ledger["functions"], serde_json::json!([]));
}

#[test]
fn without_a_whole_object_there_is_no_report() {
    let (_a, script) = file("script", "#!/bin/sh\necho a script and no object\n");
    let (_b, plain) = file("plain", elf::build(&[(".text", b"\xc3")]));
    let told = report(&[&plain, &script], &fixture(CPP_PROFILE), &[], 1);
    let file = script.to_str().unwrap();
    assert!(told.stderr.contains(file), "{}", told.stderr);
    assert_eq!(told.stdout, "");
    let entries = told.ledger["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["cause"], "damaged-object");
    assert_eq!(entries[0]["file"], file);
}

/// A thin archive of the members of the one in the fixtures, in a folder with some of these.
fn thin_archive(present: &[&str]) -> (TempDir, PathBuf) {
    let field = |text: &str, width| format!("{text:<width$}");
    let whole = fixture_bytes("object/archive/both.a");
    let folder = tempfile::tempdir().unwrap();
    let mut thin = b"!<thin>\n".to_vec();
    let mut at = 8;
    while at + 60 <= whole.len() {
        let header = &whole[at..at + 60];
        let name = std::str::from_utf8(&header[..16]).unwrap().trim_end();
        let size = std::str::from_utf8(&header[48..58]).unwrap().trim_end();
        let bytes: usize = size.parse().unwrap();
        let contents = &whole[at + 60..at + 60 + bytes];
        at = (at + 60 + bytes).next_multiple_of(2);
        let name = name.trim_end_matches('/');
        if name.is_empty() {
            continue;
        }
        let fields = [
            (name.to_owned() + "/", 16),
            ("0".into(), 12),
            ("0".into(), 6),
        ];
        let more = [("0".into(), 6), ("644".into(), 8), (size.to_owned(), 10)];
        for (text, width) in fields.iter().chain(&more) {
            thin.extend(field(text, *width).bytes());
        }
        thin.extend(b"`\n");
        if present.contains(&name) {
            fs::write(folder.path().join(name), contents).unwrap();
        }
    }
    let path = folder.path().join("thin.a");
    fs::write(&path, thin).unwrap();
    (folder, path)
}

#[test]
fn a_thin_archive_is_as_one_that_holds_its_members() {
    let (_folder, thin) = thin_archive(&["one.o", "two.o"]);
    let report = |object: &Path| report(&[object], &fixture(CPP_PROFILE), &["--lcov", "-"], 0);
    let (thin, whole) = (report(&thin), report(&fixture("object/archive/both.a")));
    assert!(whole.stdout.contains("FNDA:"));
    assert_eq!(thin.stdout, whole.stdout);
    assert_eq!(thin.causes(), whole.causes());
}

#[test]
fn a_thin_archive_whose_member_is_missing_is_damaged() {
    let (_folder, thin) = thin_archive(&["one.o"]);
    let told = report(&[&thin, &fixture(CPP)], &fixture(CPP_PROFILE), &[], 92);
    let entry = &told.ledger["entries"][0];
    assert_eq!(entry["cause"], "damaged-object");
    assert_eq!(entry["file"], thin.to_str().unwrap());
    let expected = "the file `two.o`, which this thin archive names";
    assert_eq!(entry["expected"], expected);
    assert_eq!(entry["found"], "No such file or directory (os error 2)");
}

// Instantiations.

/// The functions of a report in lcov: name and count; and what FNF and FNH say in sum.
fn functions(more: &[&str]) -> (Vec<(String, u64)>, u64, u64) {
    let options = [&["--lcov", "-"], more].concat();
    let told = report(&[&fixture(CPP)], &fixture(CPP_PROFILE), &options, 0);
    let field = |field: &'static str| {
        told.stdout
            .lines()
            .filter_map(move |line| line.strip_prefix(field))
    };
    let counts = field("FNDA:").map(|text| {
        let (count, name) = text.split_once(',').unwrap();
        (name.to_owned(), count.parse().unwrap())
    });
    let sum = |name| field(name).map(|text| text.parse::<u64>().unwrap()).sum();
    assert_eq!(field("FN:").count(), field("FNDA:").count());
    (counts.collect(), sum("FNF:"), sum("FNH:"))
}

#[track_caller]
fn has(listed: &[(String, u64)], name: &str, count: Option<u64>) {
    let found = listed.iter().find(|(known, _)| known == name);
    assert_eq!(
        found.map(|(_, count)| *count),
        count,
        "{name} in {listed:?}"
    );
}

const INT: &str = "int largest<int>(std::vector<int, std::allocator<int> > const&)";
const DOUBLE: &str = "double largest<double>(std::vector<double, std::allocator<double> > const&)";

#[test]
fn by_default_lcov_is_llvm_cov_s() {
    let told = report(&[&fixture(CPP)], &fixture(CPP_PROFILE), &["--lcov", "-"], 0);
    let expected = fixture_bytes("object/clang22-cxx/expected.lcov");
    assert_eq!(told.stdout.as_bytes(), expected);
}

#[test]
fn policies_in_lcov() {
    let (union, found, hit) = functions(&["--instantiations", "union", "--demangle"]);
    assert_eq!((union.len(), found, hit), (16, 16, 15));
    has(&union, INT, Some(18));
    has(&union, DOUBLE, None);
    has(&union, "Power<3>::of(int)", Some(7));

    let (max, found, hit) = functions(&["--instantiations", "max", "--demangle"]);
    assert_eq!((max.len(), found, hit), (16, 16, 15));
    has(&max, INT, Some(15));
    has(&max, DOUBLE, None);
    has(&max, "Power<3>::of(int)", Some(3));

    let (each, found, hit) = functions(&["--instantiations", "each", "--demangle"]);
    assert_eq!((each.len(), found, hit), (20, 20, 19));
    has(&each, INT, Some(15));
    has(&each, DOUBLE, Some(3));
    has(&each, "Power<2>::of(int)", Some(2));

    // Names are mangled unless asked for otherwise.
    let (union, _, _) = functions(&["--instantiations", "union"]);
    has(&union, "_Z7largestIiET_RKSt6vectorIS0_SaIS0_EE", Some(18));
}

#[test]
fn policies_in_cobertura() {
    let document = |policy: &[&str]| {
        let options = [&["--cobertura", "-"], policy].concat();
        report(&[&fixture(CPP)], &fixture(CPP_PROFILE), &options, 0).stdout
    };
    let methods = |document: &str| document.matches("<method ").count();
    /// The hits of the first line of a method.
    fn hits(document: &str, name: &str) -> u64 {
        let start = document.find(&format!("<method name=\"{name}\"")).unwrap();
        let hits = document[start..].split("hits=\"").nth(1).unwrap();
        hits.split('"').next().unwrap().parse().unwrap()
    }
    let by_default = document(&[]);
    let union = document(&["--instantiations", "union"]);
    assert_eq!(methods(&by_default), methods(&union));
    assert_eq!(
        (methods(&union), hits(&union, "Power&lt;3&gt;::of(int)")),
        (16, 7)
    );
    let max = document(&["--instantiations", "max"]);
    assert_eq!(
        (methods(&max), hits(&max, "Power&lt;3&gt;::of(int)")),
        (16, 3)
    );
    let each = document(&["--instantiations", "each"]);
    assert_eq!(
        (methods(&each), hits(&each, "Power&lt;2&gt;::of(int)")),
        (20, 2)
    );
}

#[test]
fn policies_in_the_table() {
    let total = |policy: &[&str]| {
        let told = report(&[&fixture(CPP)], &fixture(CPP_PROFILE), policy, 0);
        let last = told.stdout.lines().last().unwrap();
        let cells: Vec<&str> = last.split_ascii_whitespace().collect();
        (cells[1].to_owned(), cells[3].to_owned())
    };
    let (lines, functions) = total(&[]);
    assert_eq!(functions, "15/16");
    for (policy, expected) in [("union", "15/16"), ("max", "15/16"), ("each", "19/20")] {
        let expected = (lines.clone(), expected.to_owned());
        assert_eq!(total(&["--instantiations", policy]), expected);
    }
}
