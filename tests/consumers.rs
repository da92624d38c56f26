//! Programs that people read reports with read ours: a browser, and those that count lcov and
//! Cobertura again.
//!
//! A test whose program is not installed says *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in
//! CI) it fails instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover::model::{Branch, Coverage, File, Line, LocalFile, Position};
use bincover::run::RUSTC_FLAGS;
use bincover::{Exclusions, SourceFiles};
use bincover_testkit::{fixture, top};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "consumers/patches.rs"]
mod patches;

/// The program that is reported on.
const SOURCE: &str = include_str!("programs/endings.rs");

fn main() -> ExitCode {
    let trials = vec![
        trial("browser", browser_is_there(), browser),
        trial("browser_at_size", browser_is_there(), browser_at_size),
        trial("xmllint", found(&["xmllint"]), xmllint),
        trial("genhtml", found(&["genhtml", "lcov"]), genhtml),
        trial("gcovr", found(&["gcovr"]), gcovr),
        trial("diff_cover", found(&["diff-cover", "git"]), diff_cover),
        trial(
            "changed_lines",
            found(&["diff-cover", "git"]),
            patches::changed_lines,
        ),
        trial("git", found(&["git"]), patches::git_repositories),
        trial(
            "grcov_excludes",
            found(&["grcov", "clang-22"]),
            grcov_excludes,
        ),
        trial(
            "lcov_and_gcovr_exclude",
            found(&["geninfo", "gcovr", "gcc", "gcov"]),
            lcov_and_gcovr_exclude,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn found(tools: &[&str]) -> bool {
    tools.iter().all(|tool| which::which(tool).is_ok())
}

/// Where `.ci/run` puts playwright-core and axe-core.
fn modules() -> PathBuf {
    top().join("target/browser/node_modules")
}

fn browser_is_there() -> bool {
    let modules = ["playwright-core", "axe-core"].map(|name| modules().join(name).is_dir());
    found(&["chromium", "node"]) && modules == [true, true]
}

fn trial(name: &str, is_there: bool, run: fn() -> Result<(), Failed>) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    Trial::test(name, run).with_ignored_flag(!is_there && !is_required)
}

/// Runs a command to its good end and gives back what it printed.
fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{stdout}\n{stderr}", output.status).into())
}

/// A repository with a program that was run once, and reports on it.
struct Project {
    scratch: tempfile::TempDir,
}

impl Project {
    /// The program in `src/endings.rs`; two of its endings are run. One of the fixtures' programs
    /// is on the report too, whose sources are not there.
    fn new() -> Result<Self, Failed> {
        let scratch = tempfile::tempdir()?;
        let project = Self { scratch };
        let folder = project.folder();
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/endings.rs"), SOURCE)?;
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args(["--edition=2024", "--crate-name=endings"]);
        command
            .args(RUSTC_FLAGS)
            .arg("-o")
            .arg(folder.join("endings"));
        run(command
            .arg(folder.join("src/endings.rs"))
            .current_dir(&folder))?;
        for (how, code) in [("both", 3), ("return", 0)] {
            let mut command = project.bincover();
            command.args(["run", "--", "./endings", how]);
            let status = command.output()?.status;
            if status.code() != Some(code) {
                return Err(format!("{command:?}: {status}").into());
            }
        }
        Ok(project)
    }

    fn folder(&self) -> PathBuf {
        // Without links, as compilers and git write it.
        let path = self.scratch.path().canonicalize();
        path.unwrap_or_else(|_| self.scratch.path().to_owned())
    }

    fn bincover(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command
            .current_dir(self.folder())
            .env("BINCOVER_STORE", "store");
        command
    }

    fn report(&self, args: &[&str]) -> Result<(), Failed> {
        run(self.bincover().arg("report").args(args)).map(|_| ())
    }

    fn json(&self) -> Result<Value, Failed> {
        self.report(&["--json", "coverage.json"])?;
        Ok(serde_json::from_slice(&fs::read(
            self.folder().join("coverage.json"),
        )?)?)
    }
}

/// Covered and all of the lines that are listed in all files.
fn listed_lines(json: &Value) -> (u64, u64) {
    let files = json["files"].as_array().into_iter().flatten();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    files.fold((0, 0), |(covered, total), file| {
        let lines = &file["listed"]["lines"];
        (
            covered + number(&lines["covered"]),
            total + number(&lines["total"]),
        )
    })
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Failed> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: found {found:?}, expected {expected:?}").into()),
    }
}

fn browser() -> Result<(), Failed> {
    let project = Project::new()?;
    // Another program, whose sources are nowhere and whose names are many.
    let other = fixture("object/clang22-cxx/app.elf");
    let profile = fixture("raw/clang22-cxx/merged.profdata");
    let store = project.folder().join("store");
    let mut args = vec!["report".into(), "--profdata".into(), "own.profdata".into()];
    run(project.bincover().args(&args))?;
    args = ["report", "--profile", "own.profdata", "--object", "endings"]
        .map(Into::into)
        .to_vec();
    args.extend(["--profile".into(), profile.into_os_string()]);
    args.extend(["--object".into(), other.into_os_string()]);
    args.extend(["--html".into(), "html".into()]);
    // Nothing before it is missed, so the first place stays the same.
    args.extend(["--exclude-line".into(), "^fn main".into()]);
    run(project.bincover().args(&args).env("BINCOVER_STORE", &store))?;

    let missing = run(project.bincover().arg("missing"))?;
    let first = missing
        .lines()
        .skip_while(|line| !line.ends_with("endings.rs"))
        .nth(1)
        .and_then(|line| line.split_whitespace().next())
        .ok_or("`bincover missing` names no place in endings.rs")?;
    let line = first.split(['-', ':']).next().unwrap_or_default();

    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&screenshots)?;
    let mut node = Command::new("node");
    node.arg(top().join("tests/browser/report.mjs"));
    node.args([&project.folder().join("html"), &modules()]);
    node.arg(which::which("chromium")?);
    run(node.arg(&screenshots).args(["endings.rs", line]))?;
    Ok(())
}

/// Files of the large report, beside a large one and odd ones.
const FILES: u32 = 10_000;
/// Lines of the large one.
const LINES: u32 = 20_000;

fn browser_at_size() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    let mut lcov = String::new();
    for file in 0..FILES {
        let (part, module) = (file / 200, file / 10 % 20);
        lcov += &format!("SF:crates/part-{part}/src/module_{module}/some_file_{file}.rs\n");
        for line in 1..=3 {
            lcov += &format!("DA:{line},{}\n", file % (line + 1));
        }
        lcov += "end_of_record\n";
    }
    let mut source = String::new();
    let mut missed = Vec::new();
    lcov += "SF:src/large.rs\n";
    for line in 1..=LINES {
        let count = match line % 7 {
            0 => 0,
            rest => line / rest,
        };
        if count == 0 {
            missed.push(line);
        }
        lcov += &format!("DA:{line},{count}\n");
        if line % 10 == 0 && count > 0 {
            lcov += &format!("BRDA:{line},0,0,{count}\nBRDA:{line},0,1,{count}\n");
        }
        source += &format!("    let value_{line} = \"text\".len() + {line}; // and why\n");
    }
    lcov += "end_of_record\n";
    for name in ["gone", "empty", "other", "long"] {
        lcov += &format!("SF:odd/{name}.c\nDA:1,1\n");
        lcov += if name == "long" { "" } else { "DA:9,0\n" };
        lcov += "end_of_record\n";
    }
    for name in ["src", "odd"] {
        fs::create_dir(folder.join(name))?;
    }
    fs::write(folder.join("large.info"), lcov)?;
    fs::write(folder.join("src/large.rs"), source)?;
    fs::write(folder.join("odd/empty.c"), "")?;
    fs::write(folder.join("odd/other.c"), "one\ntwo\n")?;
    // A line of 50 MB.
    fs::write(folder.join("odd/long.c"), vec![b'x'; 50 << 20])?;

    let mut convert = Command::new(env!("CARGO_BIN_EXE_bincover"));
    convert.args(["convert", "large.info", "--html", "html"]);
    run(convert.current_dir(folder))?;
    let size = fs::metadata(folder.join("html/index.html"))?.len();
    equal("the index is small", size < 2_000_000, true)?;

    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&screenshots)?;
    let mut node = Command::new("node");
    node.arg(top().join("tests/browser/large.mjs"));
    node.args([&folder.join("html"), &modules()]);
    node.arg(which::which("chromium")?).arg(&screenshots);
    let [first, second, ..] = &missed[..] else {
        return Err("no line is missed".into());
    };
    node.args([first.to_string(), second.to_string()]);
    print!("{}", run(&mut node)?);
    Ok(())
}

fn xmllint() -> Result<(), Failed> {
    let project = Project::new()?;
    project.report(&[
        "--cobertura",
        "a.xml",
        "--sonar",
        "b.xml",
        "--clover",
        "c.xml",
        "--badge",
        "d.svg",
    ])?;
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "a.xml", "b.xml", "c.xml", "d.svg"]);
    run(command.current_dir(project.folder()))?;
    Ok(())
}

fn genhtml() -> Result<(), Failed> {
    let project = Project::new()?;
    let (covered, total) = listed_lines(&project.json()?);
    project.report(&["--lcov", "lcov.info"])?;
    let mut lcov = Command::new("lcov");
    lcov.args(["--summary", "lcov.info"])
        .current_dir(project.folder());
    let output = lcov.output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let expected = format!("({covered} of {total} lines)");
    if !said.contains(&expected) {
        return Err(format!("lcov said {said}, expected {expected}").into());
    }
    let mut genhtml = Command::new("genhtml");
    genhtml.args(["-o", "genhtml", "lcov.info"]);
    run(genhtml.current_dir(project.folder()))?;
    let index = fs::read_to_string(project.folder().join("genhtml/index.html"))?;
    let has_numbers =
        index.contains(&format!(">{covered}<")) && index.contains(&format!(">{total}<"));
    equal("genhtml's index has the numbers", has_numbers, true)
}

fn gcovr() -> Result<(), Failed> {
    let project = Project::new()?;
    let expected = listed_lines(&project.json()?);
    project.report(&["--cobertura", "cobertura.xml"])?;
    let mut gcovr = Command::new("gcovr");
    gcovr.args([
        "--cobertura-add-tracefile",
        "cobertura.xml",
        "--json-summary",
        "summary.json",
        "--root",
        ".",
    ]);
    run(gcovr.current_dir(project.folder()))?;
    let summary: Value = serde_json::from_slice(&fs::read(project.folder().join("summary.json"))?)?;
    let number = |name: &str| summary[name].as_u64().unwrap_or_default();
    equal(
        "gcovr's lines",
        (number("line_covered"), number("line_total")),
        expected,
    )
}

fn diff_cover() -> Result<(), Failed> {
    let project = Project::new()?;
    let folder = project.folder();
    let git = |args: &[&str]| {
        let identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ];
        run(Command::new("git")
            .args(identity)
            .args(args)
            .current_dir(&folder))
    };
    // All lines of the program are new.
    git(&["init", "--quiet"])?;
    git(&["commit", "--quiet", "--allow-empty", "-m", "nothing"])?;
    git(&["tag", "base"])?;
    let json = project.json()?;
    let (covered, total) = listed_lines(&json);
    // What ours says of them: before git knows them, and after.
    let ours = |args: &[&str]| -> Result<(Value, String), Failed> {
        let mut command = project.bincover();
        command.args(["diff", "--base", "base", "--json", "ours.json"]);
        let output = command.args(args).output()?;
        equal("exit code", output.status.code(), Some(0))?;
        let json = serde_json::from_slice(&fs::read(folder.join("ours.json"))?)?;
        Ok((json, String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let all = serde_json::json!({"covered": covered, "total": total});
    let (found, said) = ours(&[])?;
    equal("ours", &found["lines"]["total"], &Value::from(0))?;
    equal(
        &said,
        said.contains("(--include-untracked): src/endings.rs\n"),
        true,
    )?;
    equal("ours", &ours(&["--include-untracked"])?.0["lines"], &all)?;
    git(&["add", "src"])?;
    git(&["commit", "--quiet", "-m", "the program"])?;
    let (found, said) = ours(&[])?;
    equal("ours", &found["lines"], &all)?;
    equal(&said, said.contains("newer"), false)?;
    let source = fs::File::options()
        .append(true)
        .open(folder.join("src/endings.rs"))?;
    source.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(9))?;
    let said = ours(&[])?.1;
    equal(&said, said.contains("newer than the program"), true)?;
    equal(
        "the file's name",
        &json["files"][0]["name"],
        &Value::from("src/endings.rs"),
    )?;
    project.report(&["--lcov", "lcov.info", "--cobertura", "cobertura.xml"])?;
    for report in ["lcov.info", "cobertura.xml"] {
        let mut command = Command::new("diff-cover");
        command.args([
            report,
            "--compare-branch",
            "base",
            "--format",
            "json:diff.json",
        ]);
        run(command.current_dir(&folder))?;
        let diff: Value = serde_json::from_slice(&fs::read(folder.join("diff.json"))?)?;
        let number = |name: &str| diff[name].as_u64().unwrap_or_default();
        let found = (number("total_num_lines"), number("total_num_violations"));
        equal(report, found, (total, total - covered))?;
        let missed = &diff["src_stats"]["src/endings.rs"]["violation_lines"];
        let spin = SOURCE
            .lines()
            .position(|line| line.ends_with("// line: spin"));
        let spin = Value::from(spin.unwrap_or_default() + 1);
        let has_spin = missed.as_array().is_some_and(|lines| lines.contains(&spin));
        equal("the line of `spin` is missed", has_spin, true)?;
    }
    Ok(())
}

/// A program with all markers that lcov, gcovr and grcov agree on.
const MARKERS: &str = include_str!("programs/markers.c");

/// Lines with their counts, and lines with branches, as often as they have some.
#[derive(Debug, Default, PartialEq)]
struct Lines {
    counts: Vec<(u32, u64)>,
    branches: Vec<u32>,
}

impl Lines {
    /// Those of a tracefile on one file.
    fn of_lcov(text: &str) -> Self {
        let mut lines = Self::default();
        for line in text.lines() {
            let (key, values) = line.split_once(':').unwrap_or((line, ""));
            let (number, rest) = values.split_once(',').unwrap_or((values, ""));
            let number = number.parse().unwrap_or_default();
            match key {
                "DA" => lines
                    .counts
                    .push((number, rest.parse().unwrap_or_default())),
                "BRDA" => lines.branches.push(number),
                _ => {}
            }
        }
        lines.counts.sort_unstable();
        lines.branches.sort_unstable();
        lines
    }

    /// What is left of them, of a file of this name.
    fn without_marked(&self, name: &Path) -> Result<Self, Failed> {
        let lines = self.counts.iter();
        let lines = lines.map(|&(number, count)| Line { number, count });
        let branches = self.branches.iter().map(|&line| {
            let start = Position { line, column: 1 };
            Branch {
                file: LocalFile(0),
                start,
                end: start,
                true_count: 1,
                false_count: 1,
                true_folded: false,
                false_folded: false,
                is_condition: false,
            }
        });
        let file = File {
            name: name.to_str().ok_or("a name of text")?.into(),
            lines: lines.collect(),
            branches: branches.collect(),
            ..File::default()
        };
        let mut coverage = Coverage {
            files: vec![file],
            functions: Vec::new(),
        };
        let exclusions = Exclusions {
            markers: true,
            ..Exclusions::default()
        };
        let notes = exclusions.apply(&mut coverage, &SourceFiles::default())?;
        equal("notes", notes.len(), 0)?;
        let file = &coverage.files[0];
        let starts = file.branches.iter().map(|branch| branch.start.line);
        let counts = file.lines.iter().map(|line| (line.number, line.count));
        Ok(Self {
            counts: counts.collect(),
            branches: starts.collect(),
        })
    }
}

/// grcov, given our report on all lines and the markers as expressions, leaves the lines that ours
/// has without them. It keeps branches of lines that it leaves out.
fn grcov_excludes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let tool = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(folder.path());
        command
    };
    fs::write(folder.path().join("markers.c"), MARKERS)?;
    let flags = [
        "-fprofile-instr-generate",
        "-fcoverage-mapping",
        "-o",
        "app",
    ];
    run(tool("clang-22").args(flags).arg("markers.c"))?;
    run(tool("./app").env("LLVM_PROFILE_FILE", "app.profraw"))?;
    let report = |name: &str, args: &[&str]| -> Result<Lines, Failed> {
        let mut command = tool(env!("CARGO_BIN_EXE_bincover"));
        command.args(["report", "--object", "app", "--profile", "app.profraw"]);
        run(command.args(["--lcov", name]).args(args))?;
        Ok(Lines::of_lcov(&fs::read_to_string(
            folder.path().join(name),
        )?))
    };
    let all = report("all.info", &[])?;
    let expressions = [
        "--excl-line",
        "LCOV_EXCL_LINE",
        "--excl-start",
        "LCOV_EXCL_START",
        "--excl-stop",
        "LCOV_EXCL_STOP",
        "--excl-br-line",
        "LCOV_EXCL_BR_LINE",
        "--excl-br-start",
        "LCOV_EXCL_BR_START",
        "--excl-br-stop",
        "LCOV_EXCL_BR_STOP",
    ];
    let marked = report("marked.info", &["--markers"])?;
    let expressed = report("expressed.info", &expressions)?;
    let mut grcov = tool("grcov");
    grcov.args(["all.info", "-s", ".", "-t", "lcov", "--branch"]);
    let mut expected = Lines::of_lcov(&run(grcov.args(expressions))?);
    let is_left = |line: u32| expected.counts.iter().any(|(number, _)| *number == line);
    let mut branches = expected.branches.clone();
    branches.retain(|line| is_left(*line));
    expected.branches = branches;
    equal(
        "some are left out",
        all.counts.len() > expected.counts.len(),
        true,
    )?;
    equal("by markers", marked, expected)?;
    equal(
        "by expressions",
        expressed,
        report("again.info", &["--markers"])?,
    )
}

/// lcov and gcovr read the sources of what GCC measured: with markers, they leave the lines that we
/// leave of those that they have without.
fn lcov_and_gcovr_exclude() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let tool = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(folder.path());
        command
    };
    let source = folder.path().join("markers.c");
    fs::write(&source, MARKERS)?;
    run(tool("gcc").args(["--coverage", "-o", "app", "markers.c"]))?;
    run(&mut tool("./app"))?;
    let geninfo = |name: &str, args: &[&str]| -> Result<Lines, Failed> {
        let mut command = tool("geninfo");
        command.args(["--quiet", "--rc", "lcov_branch_coverage=1", "-o", name]);
        run(command.args(args).arg("."))?;
        Ok(Lines::of_lcov(&fs::read_to_string(
            folder.path().join(name),
        )?))
    };
    let all = geninfo("all.info", &["--no-markers"])?;
    let left = geninfo("left.info", &[])?;
    equal(
        "some are left out",
        all.counts.len() > left.counts.len(),
        true,
    )?;
    equal("lcov's lines", all.without_marked(&source)?, left)?;

    for family in ["LCOV", "GCOVR", "GCOV"] {
        fs::write(&source, MARKERS.replace("LCOV_", &format!("{family}_")))?;
        run(tool("gcovr").args(["--json", "gcovr.json", "--root", "."]))?;
        let text = fs::read(folder.path().join("gcovr.json"))?;
        let json: Value = serde_json::from_slice(&text)?;
        let (mut all, mut left) = (Lines::default(), Lines::default());
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for line in list(&json["files"][0]["lines"]) {
            let number = line["line_number"].as_u64().unwrap_or_default();
            let number = u32::try_from(number)?;
            let count = line["count"].as_u64().unwrap_or_default();
            let is_left = |value: &Value| value["gcovr/excluded"] != Value::Bool(true);
            all.counts.push((number, count));
            if is_left(&line) {
                left.counts.push((number, count));
            }
            for branch in list(&line["branches"]) {
                all.branches.push(number);
                if is_left(&branch) && is_left(&line) {
                    left.branches.push(number);
                }
            }
        }
        equal(
            "some are left out",
            all.counts.len() > left.counts.len(),
            true,
        )?;
        equal(family, all.without_marked(&source)?, left)?;
    }
    Ok(())
}
