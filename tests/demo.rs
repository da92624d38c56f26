//! The demo, from building its program to the three files that it writes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The example's source, for its line numbers.
const SOURCE: &str = include_str!("../examples/echo-arg/src/main.rs");

/// Runs the demo and gives back what it prints to standard output.
fn demo(out: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bincover"))
        .args(["demo", "--out"])
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    // Plain lines, as this is no terminal.
    let steps: Vec<&str> = stderr.lines().collect();
    let expected = [
        "building the example instrumented",
        "running it to five different ends",
        "merging and evaluating",
    ];
    assert_eq!(steps, expected);
    String::from_utf8(output.stdout).unwrap()
}

/// The table of runs: arguments, how they ended, how coverage was obtained.
fn rows(stdout: &str) -> Vec<[&str; 3]> {
    let table = stdout.lines().take_while(|line| !line.is_empty()).skip(1);
    let row = |line| {
        let cells: Vec<&str> = str::split(line, "  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect();
        cells.try_into().unwrap()
    };
    table.map(row).collect()
}

/// The sums of an lcov report's records of one kind, such as `LF`.
fn sum(lcov: &str, kind: &str) -> u64 {
    let values = lcov
        .lines()
        .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
    values.map(|value| value.parse::<u64>().unwrap()).sum()
}

/// The count of the example's only line that contains this.
fn count(lcov: &str, text: &str) -> u64 {
    let mut found = (1..)
        .zip(SOURCE.lines())
        .filter(|(_, line)| line.contains(text));
    let (number, _) = found.next().unwrap();
    assert!(found.next().is_none(), "several lines with `{text}`");
    let prefix = format!("DA:{number},");
    let count = lcov.lines().find_map(|line| line.strip_prefix(&prefix));
    count
        .unwrap_or_else(|| panic!("no code in the line with `{text}`"))
        .parse()
        .unwrap()
}

/// The value of the first attribute of this name.
fn attribute(xml: &str, name: &str) -> u64 {
    let mark = format!(" {name}=\"");
    let (_, rest) = xml.split_once(&mark).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

fn check(stdout: &str, out: &Path) {
    let rows = rows(stdout);
    let arguments: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(
        arguments,
        ["hello", "(none)", "one two", "--abort", "--work"]
    );
    // The system may have written a core file, and the table says so.
    let ended: Vec<&str> = rows
        .iter()
        .map(|row| row[1].split(',').next().unwrap())
        .collect();
    let expected = [
        "exit code 0",
        "exit code 1",
        "exit code 101",
        "signal 6 (SIGABRT)",
        "signal 9 (SIGKILL)",
    ];
    assert_eq!(ended, expected);
    for row in rows {
        assert_eq!(row[2], "continuous", "{row:?}");
    }

    // The table of coverage, lcov and Cobertura have the same numbers.
    let lcov = fs::read_to_string(out.join("lcov.info")).unwrap();
    let (found, hit) = (sum(&lcov, "LF"), sum(&lcov, "LH"));
    assert!(0 < hit && hit <= found, "{hit} of {found}");
    let total = stdout
        .lines()
        .find(|line| line.starts_with("Total"))
        .unwrap();
    let cells: Vec<&str> = total.split_ascii_whitespace().collect();
    assert_eq!(cells[1], format!("{hit}/{found}"), "{stdout}");
    let functions = format!("{}/{}", sum(&lcov, "FNH"), sum(&lcov, "FNF"));
    assert_eq!(cells[3], functions, "{stdout}");
    let cobertura = fs::read_to_string(out.join("cobertura.xml")).unwrap();
    assert_eq!(attribute(&cobertura, "lines-valid"), found);
    assert_eq!(attribute(&cobertura, "lines-covered"), hit);

    // Lines that all five runs reached, and lines that only one of them did.
    assert_eq!(count(&lcov, "fn main()"), 5);
    assert_eq!(count(&lcov, "println!(\"{text}\")"), 1);
    assert_eq!(count(&lcov, "ExitCode::FAILURE"), 1);
    assert_eq!(count(&lcov, "many => panic!"), 1);
    assert_eq!(count(&lcov, "eprintln!(\"aborting\")"), 1);
    assert_eq!(count(&lcov, "println!(\"working\")"), 1);
    // It is killed when it says that it works, which is in the middle of it.
    assert!(count(&lcov, "hasher.write_u64(") >= 1000);

    // The files that it says it wrote are there.
    let merged = fs::read(out.join("merged.profdata")).unwrap();
    assert!(merged.starts_with(b"\xfflprofi\x81"));
    for name in ["merged.profdata", "lcov.info", "cobertura.xml"] {
        let line = format!("wrote {}", out.join(name).display());
        assert!(stdout.lines().any(|said| said == line), "{line}: {stdout}");
    }
}

#[test]
fn the_whole_way_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    check(&demo(&out), &out);
    check(&demo(&out), &out);
    // One folder of profiles, that of the second demo.
    let names = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let is_runs = |name: &std::ffi::OsString| name.to_string_lossy().contains(".runs-");
    assert_eq!(names.filter(is_runs).count(), 1);
}
