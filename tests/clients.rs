//! Programs that call llvm-profdata and llvm-cov, or read what they write, with ours in their
//! place: the same results, and no warning.
//!
//! A test whose client is not installed says *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in
//! CI) it fails instead.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

const PROFDATA: &str = "llvm-profdata-22";
const COV: &str = "llvm-cov-22";
const CLANG: &str = "clang-22";

fn main() -> ExitCode {
    let trials = vec![
        trial(
            "cargo_llvm_cov",
            &[PROFDATA, COV, "cargo-llvm-cov"],
            cargo_llvm_cov,
        ),
        trial("grcov", &[PROFDATA, COV, "grcov"], grcov),
        trial(
            "rustc_uses_our_profile",
            &[PROFDATA],
            rustc_uses_our_profile,
        ),
        trial(
            "clang_uses_our_profile",
            &[PROFDATA, CLANG],
            clang_uses_our_profile,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, needed: &[&str], run: fn() -> Result<(), Failed>) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = needed.iter().any(|tool| which::which(tool).is_err());
    Trial::test(name, run).with_ignored_flag(is_missing && !is_required)
}

/// Runs a command to its good end and gives back what it said on both streams.
fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{command:?}: {}\n{said}", output.status).into()),
    }
}

/// A folder with `llvm-profdata` and `llvm-cov`.
fn tools(scratch: &Path, name: &str, profdata: &Path, cov: &Path) -> Result<PathBuf, Failed> {
    let folder = scratch.join(name);
    std::fs::create_dir(&folder)?;
    symlink(profdata, folder.join("llvm-profdata"))?;
    symlink(cov, folder.join("llvm-cov"))?;
    Ok(folder)
}

fn both_tools(scratch: &Path) -> Result<[PathBuf; 2], Failed> {
    let profdata = Path::new(env!("CARGO_BIN_EXE_bincover-merge"));
    let cov = Path::new(env!("CARGO_BIN_EXE_bincover"));
    Ok([
        tools(scratch, "ours", profdata, cov)?,
        tools(
            scratch,
            "theirs",
            &which::which(PROFDATA)?,
            &which::which(COV)?,
        )?,
    ])
}

/// A crate with a library, a program that panics, and tests that run both.
fn small_crate(scratch: &Path) -> Result<PathBuf, Failed> {
    let folder = scratch.join("small");
    std::fs::create_dir_all(folder.join("src"))?;
    std::fs::create_dir_all(folder.join("tests"))?;
    let manifest =
        "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    std::fs::write(
        folder.join("src/lib.rs"),
        "pub fn sign<T: PartialOrd + Default>(number: T) -> i32 {
    if number < T::default() {
        -1
    } else if number > T::default() {
        1
    } else {
        0
    }
}

#[test]
fn signs() {
    assert_eq!((sign(-5), sign(2.5)), (-1, 1));
}
",
    )?;
    std::fs::write(
        folder.join("src/main.rs"),
        "fn main() {
    let numbers: Vec<i64> = std::env::args().flat_map(|word| word.parse()).collect();
    for number in &numbers {
        println!(\"{}\", small::sign(*number));
    }
    assert!(!numbers.is_empty(), \"expected numbers\");
}
",
    )?;
    std::fs::write(
        folder.join("tests/program.rs"),
        "use std::process::Command;

#[test]
fn program() {
    let run = |args: &[&str]| Command::new(env!(\"CARGO_BIN_EXE_small\")).args(args).status().unwrap();
    assert!(run(&[\"1\", \"-1\"]).success());
    assert!(!run(&[]).success());
}
",
    )?;
    Ok(folder)
}

/// Cargo, without what the cargo around this test has set.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy().into_owned();
        let is_ours = name_text.starts_with("CARGO_") && name_text != "CARGO_HOME";
        if is_ours
            || name_text == "CARGO"
            || name_text == "RUSTUP_TOOLCHAIN"
            || name_text.contains("RUSTFLAGS")
        {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_TERM_COLOR", "never");
    cargo
}

fn same_files(ours: &Path, theirs: &Path) -> Result<(), Failed> {
    let (ours, theirs) = (std::fs::read(ours)?, std::fs::read(theirs)?);
    if theirs.is_empty() {
        return Err("the report is empty".into());
    }
    match ours == theirs {
        true => Ok(()),
        false => Err(format!(
            "--- ours\n{}\n--- theirs\n{}",
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(&theirs)
        )
        .into()),
    }
}

/// All that cargo-llvm-cov makes of one run. HTML is a report in our own markup, so its pages are
/// there and that is all.
fn cargo_llvm_cov() -> Result<(), Failed> {
    const REPORTS: &[&str] = &[
        "--lcov",
        "--json",
        "--json --summary-only",
        "--cobertura",
        "--codecov",
        "--text",
        "--lcov --ignore-filename-regex main",
    ];
    let scratch = tempfile::tempdir()?;
    let folder = small_crate(scratch.path())?;
    let both = both_tools(scratch.path())?;
    for tools in &both {
        let llvm_cov = |words: &[&str]| {
            let mut command = cargo(&folder);
            command
                .arg("llvm-cov")
                .args(words)
                .env("LLVM_PROFDATA", tools.join("llvm-profdata"))
                .env("LLVM_COV", tools.join("llvm-cov"));
            run(&mut command)
        };
        llvm_cov(&["clean", "--profraw-only"])?;
        llvm_cov(&["--no-report"])?;
        for (index, report) in REPORTS.iter().enumerate() {
            let path = tools.join(index.to_string());
            let path = path.to_str().ok_or("a path that is text")?;
            let mut words = vec!["report"];
            words.extend(report.split(' '));
            llvm_cov(&[&words[..], &["--output-path", path]].concat())?;
        }
        let table = llvm_cov(&["report"])?;
        std::fs::write(tools.join("table"), table)?;
        llvm_cov(&["report", "--html"])?;
        let index = std::fs::read_to_string(folder.join("target/llvm-cov/html/index.html"))?;
        for name in ["lib.rs", "main.rs", "Totals"] {
            if !index.contains(name) {
                return Err(format!("{name} is not in {index}").into());
            }
        }
    }
    let [ours, theirs] = both;
    let names = (0..REPORTS.len()).map(|index| index.to_string());
    for name in names.chain(["table".to_owned()]) {
        same_files(
            &comparable(&ours.join(&name))?,
            &comparable(&theirs.join(&name))?,
        )?;
    }
    Ok(())
}

/// A report that can be compared: cargo-llvm-cov's Cobertura has the time of making in it, and its
/// files in another order each time.
fn comparable(report: &Path) -> Result<PathBuf, Failed> {
    let text = std::fs::read_to_string(report)?;
    let Some((before, rest)) = text.split_once(" timestamp=\"") else {
        return Ok(report.to_owned());
    };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    let whole = format!("{before}{after}");
    let mut lines: Vec<&str> = whole.lines().collect();
    lines.sort_unstable();
    std::fs::write(report, lines.join("\n"))?;
    Ok(report.to_owned())
}

fn grcov() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = small_crate(scratch.path())?;
    let profiles = scratch.path().join("profiles");
    let mut command = cargo(&folder);
    command
        .args(["test", "--quiet"])
        .env("RUSTFLAGS", "-C instrument-coverage")
        .env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"));
    run(&mut command)?;
    let mut reports = Vec::new();
    for tools in both_tools(scratch.path())? {
        let report = tools.join("report.info");
        let mut command = Command::new("grcov");
        command
            .arg(&profiles)
            .args([
                "--binary-path",
                "target/debug",
                "-s",
                ".",
                "-t",
                "lcov",
                "-o",
            ])
            .arg(&report)
            .arg("--llvm-path")
            .arg(&tools)
            .current_dir(&folder);
        run(&mut command)?;
        reports.push(report);
    }
    // grcov's own order of records within a file changes from run to run.
    let sorted = |path: &Path| -> Result<(), Failed> {
        let text = std::fs::read_to_string(path)?;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        Ok(std::fs::write(path, lines.join("\n"))?)
    };
    sorted(&reports[0])?;
    sorted(&reports[1])?;
    same_files(&reports[0], &reports[1])
}

/// Merges with both tools, which must agree, and gives back ours.
fn merged(folder: &Path) -> Result<PathBuf, Failed> {
    let mut profiles = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("profraw")) {
            profiles.push(path);
        }
    }
    profiles.sort();
    if profiles.len() < 2 {
        return Err(format!("{} profiles", profiles.len()).into());
    }
    let merge = |tool: &Path, name: &str| -> Result<PathBuf, Failed> {
        let out = folder.join(name);
        run(Command::new(tool)
            .args(["merge", "-j", "1", "-o"])
            .arg(&out)
            .args(&profiles))?;
        Ok(out)
    };
    let ours = merge(
        Path::new(env!("CARGO_BIN_EXE_bincover-merge")),
        "ours.profdata",
    )?;
    let theirs = merge(&which::which(PROFDATA)?, "theirs.profdata")?;
    match std::fs::read(&ours)? == std::fs::read(theirs)? {
        true => Ok(ours),
        false => Err("the merged profiles differ".into()),
    }
}

const RUST_PROGRAM: &str = "
use std::collections::BTreeMap;

fn main() {
    let rounds: u64 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(10);
    let mut counts = BTreeMap::new();
    let steps: [fn(u64) -> u64; 3] = [|n| n / 2, |n| 3 * n + 1, |n| n ^ 5];
    for start in 1..rounds {
        let mut number = start;
        while number > 1 && number < 1_000_000 {
            number = steps[(number % 2) as usize](number);
            *counts.entry(number % 16).or_insert(0u64) += 1;
        }
    }
    println!(\"{counts:?}\");
}
";

fn rustc_uses_our_profile() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    std::fs::write(folder.join("program.rs"), RUST_PROGRAM)?;
    let rustc = |flag: String, out: &str| {
        run(Command::new("rustc")
            .args([
                "-O",
                "--edition",
                "2024",
                "-C",
                &flag,
                "-o",
                out,
                "program.rs",
            ])
            .current_dir(folder))
    };
    rustc("profile-generate".to_owned(), "program")?;
    for rounds in ["10", "500", "20000"] {
        let profile = folder.join(format!("{rounds}.profraw"));
        run(Command::new(folder.join("program"))
            .arg(rounds)
            .env("LLVM_PROFILE_FILE", profile))?;
    }
    let ours = merged(folder)?;
    let said = rustc(format!("profile-use={}", ours.display()), "optimized")?;
    if !said.is_empty() {
        return Err(format!("rustc said: {said}").into());
    }
    let run_it = |name: &str| {
        run(Command::new(folder.join(name))
            .arg("100")
            .env("LLVM_PROFILE_FILE", "/dev/null"))
    };
    match run_it("program")? == run_it("optimized")? {
        true => Ok(()),
        false => Err("the optimized program does something else".into()),
    }
}

const C_PROGRAM: &str = "
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int add(int a) { return a + 1; }
static int twice(int a) { return a * 2; }
int main(int argc, char **argv) {
  int (*steps[2])(int) = {add, twice};
  int rounds = argc > 1 ? atoi(argv[1]) : 10, sum = 0;
  char from[64] = {0}, to[64];
  for (int i = 0; i < rounds; i++) {
    memcpy(to, from, (size_t)(i % 64));
    sum = steps[i % 3 == 0](sum) % 1000 + to[0];
  }
  printf(\"%d\\n\", sum);
  return 0;
}
";

fn clang_uses_our_profile() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    std::fs::write(folder.join("program.c"), C_PROGRAM)?;
    for (generate, usage) in [
        ("-fprofile-generate", "-fprofile-use"),
        ("-fprofile-instr-generate", "-fprofile-instr-use"),
    ] {
        let clang = |flag: &str, out: &str| {
            run(Command::new(CLANG)
                .args(["-O2", "-Wall", "-Werror", flag, "-o", out, "program.c"])
                .current_dir(folder))
        };
        clang(generate, "program")?;
        for rounds in ["10", "500"] {
            let profile = folder.join(format!("{rounds}.profraw"));
            run(Command::new(folder.join("program"))
                .arg(rounds)
                .env("LLVM_PROFILE_FILE", profile))?;
        }
        let ours = merged(folder)?;
        let said = clang(&format!("{usage}={}", ours.display()), "optimized")?;
        if !said.is_empty() {
            return Err(format!("clang said: {said}").into());
        }
        for rounds in ["10", "500"] {
            std::fs::remove_file(folder.join(format!("{rounds}.profraw")))?;
        }
    }
    Ok(())
}
