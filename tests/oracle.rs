//! Differential tests: ours against LLVM's tools and against a reader of Cobertura that others
//! wrote.
//!
//! A test whose oracle is not installed says *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in
//! CI) it fails instead.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover::run::Wrapper;
use bincover::{Collected, Collector, profiles_below};
use bincover_testkit::{fixture, fixtures_ending, top};
use libtest_mimic::{Arguments, Failed, Trial};

const PROFDATA: &str = "llvm-profdata-22";
const COV: &str = "llvm-cov-22";

fn main() -> ExitCode {
    let trials = vec![
        trial("demo_equals_llvm", &[PROFDATA, COV], demo_equals_llvm),
        trial(
            "bincover_itself_equals_llvm",
            &[PROFDATA, COV],
            itself_equals_llvm,
        ),
        trial("sparse_equals_llvm", &[PROFDATA], sparse_equals_llvm),
        trial("weights_equal_llvm", &[PROFDATA], weights_equal_llvm),
        trial(
            "pycobertura_reads_ours",
            &["pycobertura"],
            pycobertura_reads_ours,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, oracles: &[&str], run: fn() -> Result<(), Failed>) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = oracles.iter().any(|oracle| which::which(oracle).is_err());
    Trial::test(name, run).with_ignored_flag(is_missing && !is_required)
}

/// Runs a tool and gives back what it printed.
fn tool(name: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Vec<u8>, Failed> {
    let output = Command::new(name)
        .args(args)
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}: {stderr}", output.status).into());
    }
    Ok(output.stdout)
}

fn bincover() -> &'static str {
    env!("CARGO_BIN_EXE_bincover")
}

fn bincover_merge() -> &'static str {
    env!("CARGO_BIN_EXE_bincover-merge")
}

fn same(what: &str, ours: &[u8], theirs: &[u8]) -> Result<(), Failed> {
    if theirs.is_empty() {
        return Err(format!("{what}: the oracle gave nothing").into());
    }
    if ours == theirs {
        return Ok(());
    }
    let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let sizes = (ours.len(), theirs.len());
    Err(format!("{what}: differs from byte {at:#x} on (ours and theirs have {sizes:?})").into())
}

/// Merges with both tools and compares; returns our file.
fn compare_merge(folder: &Path, options: &[&str], inputs: &[PathBuf]) -> Result<PathBuf, Failed> {
    let (ours, theirs) = (folder.join("ours.profdata"), folder.join("theirs.profdata"));
    for (tool_name, out) in [(bincover_merge(), &ours), (PROFDATA, &theirs)] {
        let words = ["merge", "-j", "1", "-o"].map(OsStr::new).into_iter();
        let words = words.chain([out.as_os_str()]);
        let words = words.chain(options.iter().map(OsStr::new));
        tool(
            tool_name,
            words.chain(inputs.iter().map(|path| path.as_os_str())),
        )?;
    }
    same(
        "merged profile",
        &std::fs::read(&ours)?,
        &std::fs::read(&theirs)?,
    )?;
    Ok(ours)
}

/// Exports with both tools and compares; llvm-cov reads our merged profile.
fn compare_lcov(folder: &Path, objects: &[PathBuf], profile: &Path) -> Result<(), Failed> {
    let lcov = folder.join("ours.info");
    let mut args = vec![
        "report".into(),
        "--lcov".into(),
        lcov.clone().into_os_string(),
    ];
    args.extend(["--profile".into(), profile.as_os_str().to_owned()]);
    for object in objects {
        args.extend(["--object".into(), object.as_os_str().to_owned()]);
    }
    tool(bincover(), &args)?;
    let profile_option = format!("-instr-profile={}", profile.display());
    let mut args = vec![
        "export".to_owned(),
        "-format=lcov".to_owned(),
        profile_option,
    ];
    for (index, object) in objects.iter().enumerate() {
        args.extend((index > 0).then(|| "-object".to_owned()));
        args.push(object.display().to_string());
    }
    same("lcov", &std::fs::read(&lcov)?, &tool(COV, &args)?)?;
    args[0] = "report".to_owned();
    args.remove(1);
    let report = tool(COV, &args)?;
    match String::from_utf8_lossy(&report).contains("TOTAL") {
        true => Ok(()),
        false => Err("llvm-cov report has no TOTAL".into()),
    }
}

fn run_demo(folder: &Path) -> Result<PathBuf, Failed> {
    tool(
        bincover(),
        [OsStr::new("demo"), OsStr::new("--out"), folder.as_os_str()],
    )?;
    Ok(folder.to_owned())
}

fn demo_equals_llvm() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let demo = run_demo(&scratch.path().join("demo"))?;
    let profiles: Vec<PathBuf> = profiles_below(&demo)?
        .into_iter()
        .filter(|path| path.extension() == Some(OsStr::new("profraw")))
        .collect();
    if profiles.len() != 5 {
        return Err(format!("five runs left {} profiles", profiles.len()).into());
    }
    let ours = compare_merge(scratch.path(), &[], &profiles)?;
    let merged = demo.join("merged.profdata");
    same(
        "the demo's profile",
        &std::fs::read(&merged)?,
        &std::fs::read(ours)?,
    )?;
    let binary = find(&demo.join("target"), "echo-arg")?;
    compare_lcov(scratch.path(), std::slice::from_ref(&binary), &merged)?;
    let theirs = tool(COV, export_args(&binary, &merged))?;
    same(
        "the demo's lcov",
        &std::fs::read(demo.join("lcov.info"))?,
        &theirs,
    )
}

fn export_args(binary: &Path, profile: &Path) -> [String; 4] {
    [
        "export".to_owned(),
        "-format=lcov".to_owned(),
        format!("-instr-profile={}", profile.display()),
        binary.display().to_string(),
    ]
}

/// The executable of this name in cargo's `debug` folder, whatever the host's triple.
fn find(target: &Path, name: &str) -> Result<PathBuf, Failed> {
    let triples = std::fs::read_dir(target)?.filter_map(Result::ok);
    triples
        .map(|entry| entry.path().join("debug").join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("no {name} below {}", target.display()).into())
}

/// Bincover, built instrumented, runs over its own test data; both toolchains measure that.
fn itself_equals_llvm() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let [merge, bincover] = build_itself()?;
    let collected = run_itself(scratch.path(), &merge, &bincover)?;
    let uncovered = collected
        .runs
        .iter()
        .filter(|run| !run.obtained.is_some())
        .count();
    if uncovered > 0 {
        return Err(format!("{uncovered} runs have no coverage").into());
    }
    let folder = collected.profiles.ok_or("the profiles were not kept")?;
    let profiles = profiles_below(&folder)?;
    let merged = compare_merge(scratch.path(), &[], &profiles)?;
    compare_lcov(scratch.path(), &[merge, bincover], &merged)
}

/// `bincover-merge` and `bincover`, of which the workspace's crates are instrumented. The others are
/// taken from where cargo has built this test, since the compiler is called for them as before.
fn build_itself() -> Result<[PathBuf; 2], Failed> {
    let built = Path::new(env!("CARGO_BIN_EXE_cargo-bincover"));
    let build_folder = built.ancestors().nth(2).ok_or("no target folder")?;
    let folder = build_folder.join("bincover-self");
    let wrapper = Wrapper::default();
    let program = wrapper.install(&folder.join("wrapper"), built)?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package=bincover-cli", "--bins"])
        .current_dir(top())
        .env(wrapper.variable(), program)
        .env("CARGO_BUILD_BUILD_DIR", build_folder)
        .env("CARGO_TARGET_DIR", &folder)
        .status()?;
    match status.success() {
        true => Ok(["bincover-merge", "bincover"].map(|name| folder.join("debug").join(name))),
        false => Err(format!("cargo: {status}").into()),
    }
}

fn run_itself(scratch: &Path, merge: &Path, bincover: &Path) -> Result<Collected, Failed> {
    let collector = Collector::builder(scratch.join("itself.profdata"))
        .keep_profiles(true)
        .build()?;
    let out = scratch.join("out");
    for folder in ["raw", "indexed", "malformed"] {
        for input in fixtures_ending(folder, "") {
            let command = collector.command(merge).arg("-o").arg(&out).arg(input);
            command.run()?;
        }
    }
    for object in fixtures_ending("object", ".elf") {
        let case = object.parent().and_then(Path::file_name).ok_or("a case")?;
        let profile = fixture("raw").join(case).join("merged.profdata");
        let command = collector
            .command(bincover)
            .arg("report")
            .arg("--object")
            .arg(&object);
        command
            .arg("--profile")
            .arg(profile)
            .arg("--cobertura")
            .arg(&out)
            .run()?;
    }
    Ok(collector.finish()?)
}

/// The raw profiles of the current version, by case.
fn raw_cases() -> Vec<Vec<PathBuf>> {
    let all = fixtures_ending("raw", ".profraw");
    all.chunk_by(|a, b| a.parent() == b.parent())
        .filter(|case| case[0].with_file_name("show.txt").is_file())
        .filter(|case| !case[0].to_string_lossy().contains("temporal"))
        .filter(|case| !case[0].to_string_lossy().contains("correlated"))
        .map(<[PathBuf]>::to_vec)
        .collect()
}

fn sparse_equals_llvm() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for case in raw_cases() {
        compare_merge(scratch.path(), &["-sparse"], &case)?;
    }
    Ok(())
}

fn weights_equal_llvm() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for case in raw_cases() {
        let weighted = format!("-weighted-input=7,{}", case[0].display());
        compare_merge(scratch.path(), &[&weighted], &case[1..])?;
    }
    Ok(())
}

const READ_COBERTURA: &str = "
import sys
from pycobertura import Cobertura
report = Cobertura(sys.argv[1])
(name,) = report.files()
missed = report.missed_statements(name)
print(report.total_statements(), report.total_misses(), len(missed))
";

fn pycobertura_reads_ours() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let demo = run_demo(&scratch.path().join("demo"))?;
    let report = demo.join("cobertura.xml");
    let printed = tool(
        "python3",
        [
            OsStr::new("-c"),
            OsStr::new(READ_COBERTURA),
            report.as_os_str(),
        ],
    )?;
    let printed = String::from_utf8_lossy(&printed);
    let numbers: Vec<usize> = printed.split_whitespace().flat_map(str::parse).collect();

    let lcov = std::fs::read_to_string(demo.join("lcov.info"))?;
    let lines: Vec<&str> = lcov
        .lines()
        .filter(|line| line.starts_with("DA:"))
        .collect();
    let missed = lines.iter().filter(|line| line.ends_with(",0")).count();
    let expected = [lines.len(), missed, missed];
    match numbers == expected && missed > 0 {
        true => Ok(()),
        false => Err(format!("pycobertura found {printed:?}, expected {expected:?}").into()),
    }
}
