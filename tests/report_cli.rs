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
    ] {
        check(&bincover(folder.path(), "report", &reached), 0);
    }
    for missed in [
        ["--fail-under-functions", "none.c=1"],
        ["--fail-uncovered-lines", "0"],
    ] {
        check(&bincover(folder.path(), "report", &missed), 90);
    }
    check(
        &bincover(folder.path(), "report", &["--fail-under-lines", "101"]),
        2,
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
