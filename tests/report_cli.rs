//! `bincover report` in all formats at once, its gates, and `bincover missing`, as they are typed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bincover::report::FORMATS;
use bincover_testkit::fixture;

/// A command on a program in C, whose source is not there.
fn bincover(folder: &Path, command: &str, args: &[&str]) -> Output {
    let mut bincover = Command::new(env!("CARGO_BIN_EXE_bincover"));
    bincover.current_dir(folder).arg(command);
    bincover
        .arg("--object")
        .arg(fixture("object/clang22-c/app.elf"));
    bincover
        .arg("--profile")
        .arg(fixture("raw/clang22-c/merged.profdata"));
    bincover.args(args).output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn all_formats_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options: Vec<String> = FORMATS
        .iter()
        .map(|format| format!("--{}", format.name))
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = bincover(folder.path(), "report", &options);
    let (stdout, _) = check(&output, 0);
    assert!(
        stdout.contains("Total"),
        "the table is printed too: {stdout}"
    );
    let mut expected: Vec<&str> = FORMATS
        .iter()
        .map(|format| format.default_file_name)
        .collect();
    expected.sort_unstable();
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut found: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    let html = fs::read_to_string(folder.path().join("coverage-html/index.html")).unwrap();
    assert!(html.contains("main.c"));
    // No colours in a file.
    let table = fs::read_to_string(folder.path().join("coverage.txt")).unwrap();
    assert!(!table.contains('\u{1b}'));
    // And once more, over what is there.
    check(&bincover(folder.path(), "report", &options), 0);
}

#[test]
fn two_reports_do_not_share_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = bincover(folder.path(), "report", &["--lcov", "-", "--json", "-"]);
    let (_, stderr) = check(&output, 2);
    assert!(stderr.contains("--lcov and --json cannot both"), "{stderr}");
}

#[test]
fn html_goes_into_no_folder_of_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/precious.c"), "int a;\n").unwrap();
    let output = bincover(folder.path(), "report", &["--html", "src"]);
    let (_, stderr) = check(&output, 1);
    assert!(stderr.contains("a folder of other files"), "{stderr}");
    assert!(folder.path().join("src/precious.c").exists());
}

#[test]
fn the_table_by_folder_and_in_other_orders() {
    let folder = tempfile::tempdir().unwrap();
    let (by_name, _) = check(&bincover(folder.path(), "report", &[]), 0);
    let (sorted, _) = check(&bincover(folder.path(), "report", &["--sort", "missed"]), 0);
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&by_name), lines(&sorted));
    let (folders, _) = check(&bincover(folder.path(), "report", &["--folders"]), 0);
    assert!(folders.contains("Folder  "), "{folders}");
    let totals = |text: &str| -> Vec<String> {
        let last = text.lines().last().unwrap_or_default();
        last.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(totals(&folders), totals(&by_name));
}

#[test]
fn a_missed_gate_says_the_number_the_threshold_and_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let json = |folder: &Path| -> serde_json::Value {
        check(&bincover(folder, "report", &["--json"]), 0);
        serde_json::from_slice(&fs::read(folder.join("coverage.json")).unwrap()).unwrap()
    };
    let lines = json(folder.path())["totals"]["lines"].clone();
    let (covered, total) = (
        lines["covered"].as_u64().unwrap(),
        lines["total"].as_u64().unwrap(),
    );
    assert!(covered < total);

    let (stdout, stderr) = check(
        &bincover(folder.path(), "report", &["--fail-under-lines", "100"]),
        90,
    );
    assert!(stdout.contains("Total"), "the report is there all the same");
    let missed = total - covered;
    let lines = if missed == 1 { "line" } else { "lines" };
    let expected = format!("({covered} of {total}), below 100%; {missed} more {lines} would do");
    assert!(
        stderr.contains("--fail-under-lines: line coverage is ") && stderr.contains(&expected),
        "{stderr}"
    );

    for reached in [
        ["--fail-under-lines", "1"],
        ["--fail-under-functions", "main.c=1"],
        ["--fail-under-regions", "**/*.c=0.5"],
        ["--fail-under-branches", "0"],
        ["--fail-uncovered-lines", "1000000"],
        ["--fail-uncovered-functions", "main.c=1000"],
        ["--fail-uncovered-regions", "1000"],
        ["--fail-under-file-lines", "1"],
    ] {
        check(&bincover(folder.path(), "report", &reached), 0);
    }
    for missed in [
        ["--fail-under-functions", "none.c=1"],
        ["--fail-uncovered-lines", "0"],
        ["--fail-uncovered-functions", "0"],
        ["--fail-uncovered-regions", "0"],
        ["--fail-under-file-lines", "main.c=99"],
    ] {
        check(&bincover(folder.path(), "report", &missed), 90);
    }
    check(
        &bincover(folder.path(), "report", &["--fail-under-lines", "101"]),
        2,
    );
}

#[test]
fn each_file_below_a_gate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--fail-under-file-lines", "83.9"];
    let (_, stderr) = check(&bincover(folder.path(), "report", &args), 90);
    let missed: Vec<&str> = stderr
        .lines()
        .filter(|line| line.contains("--fail-under-file-lines"))
        .collect();
    // The other file is at 84.0%, and all together are at 83.92%.
    assert_eq!(
        missed,
        [
            "bincover: --fail-under-file-lines: line coverage of `util.h` is 83.3% (5 of 6), below \
             83.9%; 1 more line would do"
        ]
    );
}

/// A patch that makes these lines of the program new.
fn patch(lines: &[u32]) -> String {
    let mut patch = "diff --git a/main.c b/main.c\n--- a/main.c\n+++ b/main.c\n".to_owned();
    for line in lines {
        patch += &format!("@@ -{line} +{line} @@\n-old\n+new\n");
    }
    patch
}

#[test]
fn the_coverage_of_a_patch_and_its_gates() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let diff = |args: &[&str], code| check(&bincover(folder.path(), "diff", args), code);
    // A comment, a line that was not executed, and three that were.
    write("some.patch", &patch(&[1, 16, 17, 19, 20]));
    let (stdout, _) = diff(&["--patch", "some.patch", "--fail-under-patch", "75"], 0);
    assert!(stdout.contains("Total      3/4  75.0%"), "{stdout}");
    assert!(
        stdout.contains("\n  17  region not reached  classify\n"),
        "{stdout}"
    );
    let (_, stderr) = diff(&["--patch", "some.patch", "--fail-under-patch", "75.1"], 90);
    let expected = "--fail-under-patch: line coverage of changed lines is 75.0% (3 of 4), below 75.1%; \
                    1 more line would do\n";
    assert!(stderr.contains(expected), "{stderr}");

    // No code: neither 0 nor 100.
    let document = "--- a/README\n+++ b/README\n@@ -1 +1 @@\n-a\n+b\n";
    for (text, not_measured) in [
        (patch(&[1]), false),
        (document.to_owned(), true),
        (String::new(), false),
    ] {
        write("none.patch", &text);
        let (stdout, stderr) = diff(&["--patch", "none.patch", "--fail-under-patch", "100"], 0);
        assert!(!stdout.contains('%'), "{stdout}");
        assert!(stdout.starts_with("No changed line holds code that is measured.\n"));
        assert_eq!(
            stdout.contains("Changed, and not measured: README\n"),
            not_measured
        );
        assert!(
            stderr.contains("passed, since no changed line holds code"),
            "{stderr}"
        );
    }

    // All formats at once, on standard output too.
    let args = [
        "--patch",
        "some.patch",
        "--json",
        "--markdown",
        "a.md",
        "--table",
        "--github",
        "-",
    ];
    let (stdout, _) = diff(&args, 0);
    assert!(
        stdout.starts_with("::warning file=main.c,line=17,"),
        "{stdout}"
    );
    let json = fs::read(folder.path().join("diff.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["lines"], serde_json::json!({"covered": 3, "total": 4}));
    let markdown = fs::read_to_string(folder.path().join("a.md")).unwrap();
    assert!(markdown.starts_with("### Coverage of changed lines: 75.0%\n"));
    assert!(folder.path().join("diff.txt").exists());

    // The report of now as that of before: all that is executed still is.
    check(
        &bincover(folder.path(), "report", &["--json", "now.json"]),
        0,
    );
    let against = ["--patch", "some.patch", "--baseline"];
    let gate = ["--fail-lost-lines", "0"];
    let (stdout, _) = diff(&[&against[..], &["now.json"], &gate].concat(), 0);
    assert!(
        stdout.contains("\nAll lines: 83.9%, before 83.9%\n"),
        "{stdout}"
    );
    let now = fs::read_to_string(folder.path().join("now.json")).unwrap();
    let mut before: serde_json::Value = serde_json::from_str(&now).unwrap();
    before["files"][0]["lines"] = serde_json::json!([[1, 60, 1]]);
    write("before.json", &before.to_string());
    let (stdout, stderr) = diff(&[&against[..], &["before.json"], &gate].concat(), 90);
    // Line 18 lost it; 17 is new; `never_called` has six lines.
    assert!(
        stdout.contains("7 lines that did not change lost coverage:"),
        "{stdout}"
    );
    assert!(
        stderr.contains("--fail-lost-lines: 7 lines that did not change"),
        "{stderr}"
    );

    for (name, text, expected) in [
        (
            "x.patch",
            "diff --cc main.c\n",
            "`main.c` is that of a merge",
        ),
        ("y.patch", "int main() {}\n", "no valid patches found"),
        ("z.patch", &now, "no valid patches found"),
    ] {
        write(name, text);
        let (_, stderr) = diff(&["--patch", name], 1);
        assert!(
            stderr.contains(&format!("cannot use `{name}`: ")),
            "{stderr}"
        );
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (_, stderr) = diff(&["--patch", "some.patch", "--baseline", "some.patch"], 1);
    assert!(
        stderr.contains("expected what `bincover report --json` writes"),
        "{stderr}"
    );
    diff(&["--patch", "nowhere.patch"], 1);
    diff(&[], 2);
    diff(&["--patch", "some.patch", "--base", "main"], 2);
    diff(&["--patch", "some.patch", "--fail-lost-lines", "0"], 2);
    diff(
        &["--patch", "some.patch", "--json", "-", "--github", "-"],
        2,
    );
    diff(&["--patch", "some.patch", "--fail-under-patch", "101"], 2);
}

#[test]
fn a_ratchet_goes_one_way() {
    let folder = tempfile::tempdir().unwrap();
    let ratchet = |args: &[&str], code| check(&bincover(folder.path(), "ratchet", args), code).1;
    let path = folder.path().join("bincover-ratchet.toml");
    let read = || fs::read_to_string(&path).unwrap();
    let said = ratchet(&[], 1);
    assert!(
        said.contains("`bincover ratchet --update` makes one"),
        "{said}"
    );
    ratchet(
        &["--update", "--tolerance", "0.5", "--tolerance-lines", "1"],
        0,
    );
    let first = read();
    assert!(first.ends_with(
        "tolerance = 0.5\ntolerance_lines = 1\n\n[files]\n\"main.c\" = [42, 50]\n\"util.h\" = [5, 6]\n"
    ), "{first}");
    let said = ratchet(&[], 0);
    assert!(
        said.contains("holds: 47 of 56 lines covered in 2 files"),
        "{said}"
    );
    let said = ratchet(&["--update"], 0);
    assert!(said.contains("stays as it is"), "{said}");

    // What was better once: within the tolerance, and beyond it.
    fs::write(&path, first.replace("[42,", "[43,")).unwrap();
    ratchet(&[], 0);
    ratchet(&["--update"], 0);
    assert!(read().contains("[43, 50]"), "{}", read());
    fs::write(&path, first.replace("[42,", "[45,")).unwrap();
    let said = ratchet(&[], 90);
    let expected = "line coverage of `main.c` is 84.0% (42 of 50), and was 90.0% (45 of 50); 2 more \
                    lines would do\n";
    assert!(said.contains(expected), "{said}");
    ratchet(&["--tolerance", "6"], 0);
    ratchet(&["--update"], 90);
    assert!(read().contains("[45, 50]"), "{}", read());
    ratchet(&["--update", "--lower"], 0);
    assert_eq!(read(), first);

    // Better than it was, new, and not there any more.
    let other = first
        .replace("[42, 50]", "[1, 50]")
        .replace("util.h", "old.h");
    fs::write(&path, other).unwrap();
    let said = ratchet(&[], 0);
    for expected in [
        "new, held together: util.h",
        "not there any more: old.h",
        "other numbers: main.c",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    ratchet(&["--update"], 0);
    assert_eq!(read(), first);
    fs::write(&path, "<<<<<<< HEAD\n").unwrap();
    let said = ratchet(&[], 1);
    assert!(
        said.contains("cannot use `bincover-ratchet.toml`: line 1: "),
        "{said}"
    );
}

#[test]
fn missing_names_the_places() {
    let folder = tempfile::tempdir().unwrap();
    let (long, _) = check(&bincover(folder.path(), "missing", &[]), 0);
    let (compact, _) = check(&bincover(folder.path(), "missing", &["--compact"]), 0);
    check(
        &bincover(folder.path(), "report", &["--missing", "places"]),
        0,
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("places")).unwrap(),
        long
    );
    let places: Vec<&str> = long
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect();
    assert!(!places.is_empty());
    let compact_places: Vec<&str> = compact
        .lines()
        .flat_map(|line| line.split_once(": ").unwrap().1.split(", "))
        .collect();
    assert_eq!(places, compact_places);
}

/// A repository with the program's source, of which a line and a function are marked.
fn marked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("src")).unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    for (name, marks) in [
        (
            "main.c",
            &[(17, "LCOV_EXCL_LINE"), (43, "GCOVR_EXCL_FUNCTION")][..],
        ),
        ("util.h", &[]),
    ] {
        let text = fs::read_to_string(fixture(&format!("raw/clang22-c/{name}"))).unwrap();
        let lines = (1..).zip(text.lines()).map(|(number, line)| {
            let mark = marks.iter().find(|(marked, _)| *marked == number);
            let mark = mark.map_or(String::new(), |(_, mark)| format!(" /* {mark} */"));
            format!("{line}{mark}\n")
        });
        fs::write(
            folder.path().join("src").join(name),
            lines.collect::<String>(),
        )
        .unwrap();
    }
    folder
}

const MAP: &str = "/tmp/fixture=src";

fn json_file(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_is_left_out_is_out_of_every_report_and_listed() {
    let folder = marked();
    let json = |args: &[&str]| {
        let all = [
            &["--json", "j.json", "--ledger", "l.json", "--map", MAP],
            args,
        ]
        .concat();
        let (_, said) = check(&bincover(folder.path(), "report", &all), 0);
        let read = |name: &str| json_file(&folder.path().join(name));
        (read("j.json"), read("l.json"), said)
    };
    let (whole, ledger, _) = json(&[]);
    assert!(whole.get("excluded").is_none() && ledger.get("excluded").is_none());
    assert_eq!(whole["files"][0]["name"], "src/main.c");
    assert_eq!(ledger["paths"][0]["original"], "/tmp/fixture/main.c");
    assert_eq!(ledger["paths"][0]["name"], "src/main.c");

    let (less, ledger, said) = json(&["--markers", "--html", "html", "--lcov", "a.info"]);
    let totals = |json: &serde_json::Value, name: &str| -> u64 {
        json["totals"][name]["total"].as_u64().unwrap()
    };
    // Lines 43 to 48 are the function's.
    assert_eq!(totals(&less, "lines"), totals(&whole, "lines") - 7);
    assert_eq!(totals(&less, "functions"), totals(&whole, "functions") - 1);
    let out = |part: &str, first: u32, last: u32, rule: &str, lines: u32| {
        serde_json::json!({"name": "src/main.c", "part": part, "first_line": first,
            "last_line": last, "rule": rule, "lines": lines})
    };
    assert_eq!(
        less["excluded"],
        serde_json::json!([
            out("lines", 17, 17, "LCOV_EXCL_LINE", 1),
            out("lines", 43, 48, "GCOVR_EXCL_FUNCTION", 6),
        ])
    );
    assert_eq!(ledger["excluded"].as_array().unwrap().len(), 2);
    assert!(
        said.contains("left out by LCOV_EXCL_LINE: 1 line\n"),
        "{said}"
    );
    let html = fs::read_to_string(folder.path().join("html/index.html")).unwrap();
    assert!(html.contains("Left out on request: 7 lines"), "{html}");
    let pages = fs::read_dir(folder.path().join("html/f")).unwrap();
    let pages = pages.map(|page| fs::read_to_string(page.unwrap().path()).unwrap());
    let noted = pages.filter(|page| page.contains("Left out on request: 7 lines"));
    assert_eq!(noted.count(), 1);
    let lcov = fs::read_to_string(folder.path().join("a.info")).unwrap();
    assert!(lcov.starts_with("SF:src/main.c\n") && !lcov.contains("never_called"));

    let (missing, _) = check(
        &bincover(folder.path(), "missing", &["--map", MAP, "--markers"]),
        0,
    );
    assert!(!missing.contains("never_called"), "{missing}");
    let gate = ["--map", MAP, "--markers", "--fail-uncovered-lines", "2"];
    check(&bincover(folder.path(), "report", &gate), 0);
    check(&bincover(folder.path(), "report", &gate[3..]), 90);
}

#[test]
fn markers_that_are_not_balanced_and_reports_on_nothing_are_errors() {
    let folder = marked();
    let main = folder.path().join("src/main.c");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text.replace("LCOV_EXCL_LINE", "LCOV_EXCL_STOP")).unwrap();
    let (_, said) = check(
        &bincover(folder.path(), "report", &["--map", MAP, "--markers"]),
        1,
    );
    let expected = "src/main.c:17: LCOV_EXCL_STOP without LCOV_EXCL_START before it";
    assert!(said.contains(expected), "{said}");

    for (args, rule) in [
        (["--only-found", "--ledger=l.json"], "2 by only-found"),
        (
            ["--include-files=*.rs", "--ledger=l.json"],
            "2 by include-files",
        ),
    ] {
        let all = [&args[..], &["--map", "/tmp/fixture=/nowhere"]].concat();
        let (_, said) = check(&bincover(folder.path(), "report", &all), 91);
        assert!(
            said.contains(&format!("all 2 files are left out: {rule}")),
            "{said}"
        );
        let ledger = json_file(&folder.path().join("l.json"));
        assert_eq!(ledger["excluded"].as_array().unwrap().len(), 2);
        assert_eq!(ledger["excluded"][0]["part"], "file");
    }
    check(
        &bincover(folder.path(), "report", &["--exclude-line", "("]),
        2,
    );
    check(
        &bincover(folder.path(), "report", &["--exclude-stop", "x"]),
        2,
    );
    check(&bincover(folder.path(), "report", &["--skip", "all"]), 2);
    check(&bincover(folder.path(), "report", &["--map", "nothing"]), 2);
}

#[test]
fn paths_are_explained() {
    let folder = marked();
    let explain = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command
            .current_dir(folder.path())
            .args(["paths", "explain"]);
        command
            .arg("--object")
            .arg(fixture("object/clang22-c/app.elf"));
        command
            .arg("--profile")
            .arg(fixture("raw/clang22-c/merged.profdata"));
        check(&command.args(args).output().unwrap(), 0).0
    };
    assert_eq!(
        explain(&["main.c", "--map", MAP, "--map", "/tmp=/elsewhere"]),
        "/tmp/fixture/main.c\n  --map /tmp/fixture=src: src/main.c\n  there is such a file\n  \
         in reports: src/main.c\n"
    );
    assert_eq!(
        explain(&[
            "nowhere/main.c",
            "--exclude-files=main.*",
            "--map=/tmp/fixture=/nowhere"
        ]),
        "/tmp/fixture/main.c\n  --map /tmp/fixture=/nowhere: /nowhere/main.c\n  there is no such \
         file\n  left out by exclude-files: main.*\n"
    );
    let none = explain(&["/x/none.c", "--map", "/x=/y"]);
    assert!(none.ends_with("  in reports: /y/none.c\n"), "{none}");
    assert!(
        none.starts_with("no file of the report has this name"),
        "{none}"
    );

    // A real repository: files are found by the ends of their names.
    fs::remove_dir(folder.path().join(".git")).unwrap();
    let git = Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(folder.path())
        .status();
    assert!(git.unwrap().success());
    let found = explain(&["util.h", "--find-moved", "--map", "/tmp/fixture=/ci/src"]);
    assert!(found.contains("the same last 2 parts"), "{found}");
    assert!(
        found.ends_with("  in the repository: src/util.h\n"),
        "{found}"
    );
}

/// Go's blocks go with the line on which they begin, and their statements with them. The profile
/// was written by Go 1.27.
#[test]
fn statements_of_go_go_with_their_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("go.mod", "module example.com/m\ngo 1.22\n");
    write("m.go", GO);
    write("c.out", GO_PROFILE);
    let report = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command.current_dir(folder.path());
        command.args(["report", "--profile", "c.out"]).args(args);
        let (table, _) = check(&command.output().unwrap(), 0);
        let last = table.lines().last().unwrap_or_default();
        let words = last.split_whitespace().filter(|word| word.contains('/'));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(report(&[]), ["2/10", "1/2", "2/6", "2/10"]);
    assert_eq!(report(&["--markers"]), ["2/5", "1/1", "2/4", "2/4"]);
}

const GO: &str = "\
package m

func Sign(x int) string {
	if x > 0 {
		return \"plus\"
	}
	if x < 0 {
		a := 1 // LCOV_EXCL_START
		a++
		_ = a
		return \"minus\" // LCOV_EXCL_STOP
	}
	return \"zero\"
}

func Never() int { // GCOVR_EXCL_FUNCTION
	x := 1
	return x
}
";

const GO_PROFILE: &str = "\
mode: set
example.com/m/m.go:4.2,4.11 1 1
example.com/m/m.go:5.3,6.1 1 1
example.com/m/m.go:7.2,7.11 1 0
example.com/m/m.go:8.3,12.1 4 0
example.com/m/m.go:13.2,13.15 1 0
example.com/m/m.go:17.2,19.1 2 0
";
