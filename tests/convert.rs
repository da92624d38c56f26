//! Reports of others, read, put together and written: against what lcov, gcovr and llvm-cov made of
//! the same.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover::import::{merge, read};
use bincover::mapping::{Mapping, evaluate};
use bincover::model::Coverage;
use bincover::profile::Merger;
use bincover::report::{FORMATS, Format, NoSources, Options};
use bincover_testkit::{fixture, top};

fn import(path: &str) -> Coverage {
    let bytes = std::fs::read(fixture(path)).expect("a fixture");
    read(&bytes, &|_| false).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn written(coverage: &Coverage, format: &str) -> Vec<u8> {
    let format = Format::named(format).expect("a format");
    let mut out = Vec::new();
    format
        .write(coverage, &Options::default(), &NoSources, &mut out)
        .expect("a Vec takes everything");
    out
}

/// The cases of `testdata/object` that have this file.
fn exports(file: &str) -> Vec<String> {
    let cases = std::fs::read_dir(top().join("testdata/object")).expect("a folder");
    let names = cases.map(|case| case.expect("an entry").file_name().display().to_string());
    let paths = names.map(|name| format!("object/{name}/{file}"));
    let mut paths: Vec<_> = paths.filter(|path| fixture(path).is_file()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

fn bytes_of(path: &str) -> Vec<u8> {
    std::fs::read(fixture(path)).expect("a fixture")
}

#[track_caller]
fn same(found: &[u8], expected: &[u8], what: &str) {
    let text = String::from_utf8_lossy;
    assert!(
        found == expected,
        "{what}\n{}\n{}",
        text(found),
        text(expected)
    );
}

/// llvm-cov's lcov comes out as it went in, its json gives its lcov, and itself: to the byte.
#[test]
fn llvm_covs_reports_come_back() {
    for path in exports("expected.lcov") {
        let lcov = bytes_of(&path);
        same(&written(&import(&path), "lcov"), &lcov, &path);
        let json_path = path.replace(".lcov", ".json");
        if !fixture(&json_path).is_file() {
            continue;
        }
        let coverage = import(&json_path);
        same(&written(&coverage, "lcov"), &lcov, &json_path);
        // Of MC/DC decisions only the totals are read.
        if !path.contains("mcdc") {
            same(
                &written(&coverage, "llvm-json"),
                &bytes_of(&json_path),
                &json_path,
            );
        }
    }
}

/// The coverage of some runs of a fixture's program.
fn evaluated(case: &str, profiles: &[&str]) -> Coverage {
    let object = bytes_of(&format!("object/{case}/app.elf"));
    let mapping = Mapping::parse(&object).expect("a fixture's mapping");
    let mut merger = Merger::new();
    for profile in profiles {
        let name = format!("raw/{case}/{profile}");
        merger.add(&name, &bytes_of(&name), NonZeroU64::MIN);
    }
    let evaluation = evaluate(&[mapping], &merger.finish().profile);
    evaluation.expect("a fixture").coverage
}

/// Exports of single runs come to llvm-cov's of the merged profile, to the byte.
#[test]
fn exports_of_one_build_add_up_as_profiles_do() {
    for case in ["clang22-c", "clang22-cxx", "rust-v10"] {
        let folder = std::fs::read_dir(fixture(&format!("raw/{case}"))).expect("a folder");
        let names = folder.map(|entry| entry.expect("an entry").file_name().display().to_string());
        // One more was killed, and is in none of the expected files.
        let is_run = |name: &String| name.ends_with(".profraw") && name != "killed.profraw";
        let mut runs: Vec<String> = names.filter(is_run).collect();
        runs.sort();
        assert!(runs.len() > 1, "{case}: {runs:?}");
        let exports = runs.iter().map(|run| {
            let export = written(&evaluated(case, &[run]), "llvm-json");
            read(&export, &|_| false).expect("our own export")
        });
        let merged = merge(exports.collect());
        for (format, file) in [("lcov", "expected.lcov"), ("llvm-json", "expected.json")] {
            let expected = bytes_of(&format!("object/{case}/{file}"));
            same(&written(&merged, format), &expected, case);
        }
    }
}

/// The lines of each record, sorted: lcov has an order of its own. Without names of tests.
fn records(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let records = text
        .split("end_of_record\n")
        .filter(|record| record.contains("SF:"));
    let named = records.map(|record| {
        let mut lines: Vec<_> = record
            .lines()
            .filter(|line| !line.starts_with("TN:"))
            .collect();
        lines.sort_unstable();
        let file = lines.iter().find(|line| line.starts_with("SF:"));
        (*file.expect("SF"), lines)
    });
    named.collect()
}

#[track_caller]
fn same_records(found: &[u8], expected: &[u8], but: &[&str]) {
    let found = String::from_utf8(found.to_vec()).expect("text");
    let expected = String::from_utf8(expected.to_vec()).expect("text");
    let (mut found, mut expected) = (records(&found), records(&expected));
    assert!(!expected.is_empty());
    for lines in found.values_mut().chain(expected.values_mut()) {
        lines.retain(|line| !but.iter().any(|field| line.starts_with(field)));
    }
    assert_eq!(found, expected);
}

/// As `lcov -a a.info -a b.info` has it, totals included.
#[test]
fn tracefiles_add_up_as_lcov_adds_them() {
    let merged = merge(vec![import("import/a.info"), import("import/b.info")]);
    same_records(&written(&merged, "lcov"), &bytes_of("import/ab.info"), &[]);
}

/// What lcov 2.5 writes, as it was written before: functions and their aliases have lines of their own, and
/// branches no marks. Those that it left out were not there.
fn of_older_lcov(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).expect("text");
    let mut old = String::new();
    let mut leader = "";
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let mut values = value.splitn(3, ',');
        let [first, second, third] = std::array::from_fn(|_| values.next().unwrap_or(""));
        let is_out = second.contains('U');
        match field {
            "FNL" => leader = value.split_once(',').expect("an index").1,
            "FNA" => old += &format!("FN:{leader},{third}\nFNDA:{second},{third}\n"),
            "BRDA" if is_out => {}
            "BRDA" => {
                old += &format!(
                    "BRDA:{first},{},{third}\n",
                    second.trim_start_matches(['e', 'f'])
                )
            }
            _ => old += &format!("{line}\n"),
        }
    }
    old.into_bytes()
}

/// As `lcov -a` of version 2.5 has it: ends of functions, aliases that count as one, marks.
#[test]
fn tracefiles_of_newer_versions_add_up_too() {
    for (parts, sum) in [
        (["lcov2-a.info", "lcov2-b.info"], "lcov2-ab.info"),
        (
            ["lcov2-marks.info", "lcov2-marks.info"],
            "lcov2-marks-sum.info",
        ),
    ] {
        let reports = parts.map(|part| import(&format!("import/{part}")));
        for (report, part) in reports.iter().zip(parts) {
            let expected = of_older_lcov(&bytes_of(&format!("import/{part}")));
            same_records(&written(report, "lcov"), &expected, &[]);
        }
        let expected = of_older_lcov(&bytes_of(&format!("import/{sum}")));
        same_records(&written(&merge(reports.to_vec()), "lcov"), &expected, &[]);
    }
}

/// DIFFERENCE: a file that is in one of the reports alone keeps LLVM's totals, which count by
/// function; lcov counts lines that are listed.
#[test]
fn llvm_covs_tracefiles_add_up_as_lcov_adds_them() {
    let c = || import("object/clang22-c/expected.lcov");
    let merged = merge(vec![c(), import("object/clang22-cxx/expected.lcov"), c()]);
    let totals = ["LF:", "LH:", "FNF:", "FNH:", "BRF:", "BRH:"];
    same_records(
        &written(&merged, "lcov"),
        &bytes_of("import/llvm.info"),
        &totals,
    );
}

/// What programs that read Cobertura's XML take from it: hits and conditions of each file's lines.
fn cobertura_lines(bytes: &[u8]) -> BTreeMap<(String, u32), (String, String)> {
    let text = std::str::from_utf8(bytes).expect("text");
    let mut lines = BTreeMap::new();
    let mut file = "";
    let mut in_methods = false;
    let value = |tag: &str, name: &str| -> String {
        let start = tag
            .find(&format!(" {name}=\""))
            .map(|at| at + name.len() + 3);
        let value = start.and_then(|start| tag[start..].split('"').next());
        value.unwrap_or_default().to_owned()
    };
    for tag in text.split('<') {
        match tag.split([' ', '>']).next().unwrap_or_default() {
            "class" => {
                let start = tag.find("filename=\"").expect("a name") + 10;
                file = tag[start..].split('"').next().expect("its end");
            }
            "methods" => in_methods = true,
            "/methods" => in_methods = false,
            "line" if !in_methods => {
                let number = value(tag, "number").parse().expect("a number");
                let counts = (value(tag, "hits"), value(tag, "condition-coverage"));
                lines.insert((file.to_owned(), number), counts);
            }
            _ if tag.starts_with("methods/") => in_methods = false,
            _ => {}
        }
    }
    assert!(!lines.is_empty());
    lines
}

/// As `gcovr --cobertura-add-tracefile` has it.
#[test]
fn cobertura_adds_up_as_gcovr_adds_it() {
    let merged = merge(vec![import("import/a.xml"), import("import/b.xml")]);
    let ours = cobertura_lines(&written(&merged, "cobertura"));
    assert_eq!(ours, cobertura_lines(&bytes_of("import/ab.xml")));
    let totals = merged.totals();
    let rates = String::from_utf8(bytes_of("import/ab.xml")).expect("text");
    let valid = format!(
        "lines-covered=\"{}\" lines-valid=\"{}\" branches-covered=\"{}\" branches-valid=\"{}\"",
        totals.lines.covered, totals.lines.total, totals.branches.covered, totals.branches.total
    );
    assert!(rates.contains(&valid), "{valid}");
}

/// Lines, functions and rates of one program by two tools are the same in both formats; how often
/// a side was taken is in lcov alone.
#[test]
fn both_formats_of_one_run_say_the_same() {
    for run in ["a", "b"] {
        let xml = import(&format!("import/{run}.xml"));
        let info = import(&format!("import/{run}.info"));
        assert_eq!(xml.totals(), info.totals());
        let but = ["BRDA:"];
        same_records(&written(&xml, "lcov"), &written(&info, "lcov"), &but);
    }
}

/// Cobertura of coverage.py, cargo-llvm-cov, gcovr and ours comes out with the numbers that went in.
#[test]
fn cobertura_comes_back() {
    let ours = written(&import("object/clang22-c/expected.json"), "cobertura");
    let of = |path: &str| (path.to_owned(), bytes_of(path));
    let all = ["python.xml", "rust.xml", "a.xml"].map(|name| of(&format!("import/{name}")));
    for (path, bytes) in all.into_iter().chain([("ours".to_owned(), ours)]) {
        let coverage = read(&bytes, &|_| false).unwrap_or_else(|error| panic!("{path}: {error}"));
        let again = written(&coverage, "cobertura");
        // Names are relative to another folder.
        let by_line = |bytes: &[u8]| -> BTreeMap<_, _> {
            let base = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
            let lines = cobertura_lines(bytes).into_iter();
            lines
                .map(|((name, number), counts)| ((base(&name), number), counts))
                .collect()
        };
        assert_eq!(by_line(&again), by_line(&bytes), "{path}");
        // What we write of it reads back the same, but for how outcomes are paired.
        let twice = read(&again, &|_| false).expect("ours");
        let lcov = |coverage| written(coverage, "lcov");
        same_records(&lcov(&twice), &lcov(&coverage), &["BRDA:"]);
    }
}

/// From any of these through each format that is read comes the same.
#[test]
fn formats_that_are_read_carry_lines_over() {
    for path in [
        "import/a.info",
        "import/ab.info",
        "import/rust.xml",
        "object/rust-v10/expected.json",
    ] {
        let coverage = import(path);
        let lines = |coverage: &Coverage| -> Vec<_> {
            let files = coverage.measured_files();
            files
                .map(|file| (file.name.clone(), file.lines.clone()))
                .collect()
        };
        for format in ["lcov", "cobertura", "llvm-json"] {
            let again = read(&written(&coverage, format), &|_| false).expect(format);
            assert_eq!(lines(&again), lines(&coverage), "{path} by {format}");
        }
        // And every format can be written.
        for format in FORMATS.iter().filter(|format| !format.is_folder()) {
            let _ = written(&coverage, format.name);
        }
    }
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &[u8]) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    fn bincover(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command.current_dir(self.0.path()).args(args);
        command.output().expect("bincover runs")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_bad_file_is_named_and_the_good_ones_are_there() {
    let scratch = Scratch::new();
    scratch.write(
        "good.info",
        b"SF:a.c\nFN:1,f\nFNDA:0,f\nDA:1,0\nDA:2,0\nend_of_record\n",
    );
    scratch.write("bad.info", b"SF:a.c\nDA:1,-3\nend_of_record\n");
    scratch.write("noise", b"\x00\x01\x02");
    let inputs = ["good.info", "bad.info", "noise", "gone.xml"];
    let args = [
        &["convert"],
        &inputs[..],
        &["--missing", "-", "--ledger", "left.json"],
    ]
    .concat();
    let output = scratch.bincover(&args);
    assert_eq!(output.status.code(), Some(92), "{output:?}");
    let expected = "a.c\n  1-2  function never entered  f\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let said = said(&output);
    for words in [
        "left out: bad.info: count: expected a whole number from 0 to 2^64 - 1 in line 2 (offset 0x7), found `-3`",
        "left out: noise: report: expected lcov (TN: or SF:), Cobertura (<coverage) or llvm-cov's JSON ({)",
        "left out: gone.xml: No such file",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let ledger = std::fs::read(scratch.path("left.json")).expect("the ledger");
    let ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    assert_eq!(ledger["inputs"], 4);
    assert_eq!(ledger["entries"][0]["offset"], 7);
    assert_eq!(ledger["entries"][0]["found"], "`-3`");
    assert_eq!(ledger["entries"].as_array().map(Vec::len), Some(3));

    let strict = scratch.bincover(&[
        "convert",
        "good.info",
        "bad.info",
        "--strict",
        "--lcov",
        "all.info",
    ]);
    assert_eq!(strict.status.code(), Some(1), "{strict:?}");
    assert!(!scratch.path("all.info").exists());
    let none = scratch.bincover(&["convert", "bad.info", "gone.xml"]);
    assert_eq!(none.status.code(), Some(91), "{none:?}");
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = std::fs::read_to_string(top().join("docs/convert.md")).expect("the page");
    let sample = page
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let both = merge(vec![import("import/a.info"), import("import/python.xml")]);
    same(
        &written(&both, "missing"),
        sample.expect("a sample").as_bytes(),
        "docs/convert.md",
    );
}

#[test]
fn every_kind_at_once_and_the_options_of_report() {
    let scratch = Scratch::new();
    let paths = [
        "import/a.info",
        "import/python.xml",
        "object/clang22-c/expected.json",
        "go/text/go1.27-alpha.out",
    ];
    let paths = paths.map(|path| fixture(path).display().to_string());
    let mut args = vec!["convert"];
    args.extend(paths.iter().map(String::as_str));
    let outputs = [
        "--lcov",
        "all.info",
        "--html",
        "--json=c.json",
        "--fail-under-lines",
        "99",
    ];
    args.extend(outputs);
    let output = scratch.bincover(&args);
    assert_eq!(output.status.code(), Some(90), "{output:?}");
    assert!(
        said(&output).contains("--fail-under-lines: line coverage is"),
        "{output:?}"
    );
    let lcov = std::fs::read_to_string(scratch.path("all.info")).expect("lcov");
    // main.c is in two of them; its lines ran in both.
    assert!(
        lcov.contains("SF:/tmp/fixture/main.c\n") && lcov.contains("SF:/tmp/fixture/tool.py\n")
    );
    assert!(lcov.contains(".go\n"), "{lcov}");
    assert!(scratch.path("coverage-html/index.html").is_file());
}

#[test]
fn standard_input_and_odd_files() {
    let scratch = Scratch::new();
    let report = fixture("import/a.info");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command
        .args(["convert", "-", "--lcov", "-"])
        .current_dir(scratch.0.path());
    command.stdin(std::fs::File::open(&report).expect("a fixture"));
    let output = command.output().expect("bincover runs");
    assert!(output.status.success(), "{output:?}");
    same(
        &output.stdout,
        &written(&import("import/a.info"), "lcov"),
        "standard input",
    );
    let folder = scratch.bincover(&["convert", ".", Path::new(&report).to_str().expect("text")]);
    assert_eq!(folder.status.code(), Some(92), "{folder:?}");
    // Lines of 50 MB.
    let mut long = vec![b'#'];
    long.resize(50 << 20, b'x');
    long.extend_from_slice(b"\nSF:a.c\nDA:1,1\nend_of_record\n");
    scratch.write("long.info", &long);
    let output = scratch.bincover(&["convert", "long.info", "--badge", "b.svg"]);
    assert!(output.status.success(), "{output:?}");
    long[..3].copy_from_slice(b"SF:");
    scratch.write("long.info", &long);
    let output = scratch.bincover(&["convert", "long.info"]);
    assert_eq!(output.status.code(), Some(91), "{output:?}");
    assert!(output.stderr.len() < 1000);
}

/// What reports call otherwise, and is one file here, comes out as if they had called it so: in one report, in two
/// of one format, and in two formats.
#[test]
fn names_that_become_one_add_up_as_if_they_had_been_one() {
    let scratch = Scratch::new();
    let lcov = |folder: &str, text: &str| format!("SF:/{folder}/a.c\n{text}end_of_record\n");
    let xml = |folder: &str, hits: [u32; 2]| {
        let line = |number: usize| {
            let hits = hits[number - 1];
            format!(
                "<line number=\"{number}\" hits=\"{hits}\" branch=\"true\" condition-coverage=\"50% (1/2)\"/>"
            )
        };
        let lines = [1, 2].map(line).concat();
        format!(
            "<coverage><packages><package name=\".\"><classes><class name=\"a.c\" \
             filename=\"/{folder}/a.c\"><methods/><lines>{lines}</lines></class></classes></package>\
             </packages></coverage>"
        )
    };
    let first = "FN:1,f\nFNDA:1,f\nFNF:1\nFNH:1\nDA:1,1\nDA:2,0\nLF:2\nLH:1\n\
                 BRDA:1,0,0,1\nBRDA:1,0,1,0\nBRF:2\nBRH:1\n";
    let second = "FN:1,f\nFNDA:0,f\nDA:1,2\nDA:2,3\nDA:3,0\nBRDA:1,0,0,0\nBRDA:1,0,1,4\n";
    let go = |folder: &str, counts: [u32; 2]| {
        let [one, other] = counts;
        format!("/{folder}/a.go:1.5,3.9 2 {one}\n/{folder}/a.go:5.5,6.9 1 {other}\n")
    };
    let (x, y) = ("x", "y");
    for (case, extension, parts) in [
        (
            "one",
            "info",
            vec![
                [x, y]
                    .map(|f| lcov(f, if f == x { first } else { second }))
                    .concat(),
            ],
        ),
        ("two", "info", vec![lcov(x, first), lcov(y, second)]),
        ("cobertura", "xml", vec![xml(x, [1, 0]), xml(y, [0, 1])]),
        (
            "go",
            "out",
            vec![
                format!("mode: count\n{}", go(x, [1, 0])),
                format!("mode: count\n{}", go(y, [2, 3])),
            ],
        ),
    ] {
        let written = |of: &dyn Fn(&str) -> String, prefix: &str| -> Vec<String> {
            let names =
                (0..parts.len()).map(|number| format!("{prefix}-{case}-{number}.{extension}"));
            let names: Vec<String> = names.collect();
            for (name, part) in names.iter().zip(&parts) {
                scratch.write(name, of(part).as_bytes());
            }
            names
        };
        let apart = written(&|part| part.to_owned(), "apart");
        let one = written(
            &|part| part.replace("/x/", "/w/").replace("/y/", "/w/"),
            "one",
        );
        let gate = ["--fail-uncovered-lines", "0", "--lcov", "-"];
        let convert = |names: &[String], maps: &[&str]| {
            let mut args = vec!["convert"];
            args.extend(names.iter().map(String::as_str));
            args.extend(maps);
            args.extend(gate);
            let output = scratch.bincover(&args);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), text)
        };
        let expected = convert(&one, &[]);
        assert!(
            expected.1.contains("SF:/w/a.") && expected.1.contains("LH:"),
            "{case}: {expected:?}"
        );
        let found = convert(&apart, &["--map", "/x=/w", "--map", "/y=/w"]);
        assert_eq!(found, expected, "{case}");
    }
}
