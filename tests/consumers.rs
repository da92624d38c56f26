//! Programs that people read reports with read ours: a browser, and those that count lcov and
//! Cobertura again.
//!
//! A test whose program is not installed says *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in
//! CI) it fails instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover::run::RUSTC_FLAGS;
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
