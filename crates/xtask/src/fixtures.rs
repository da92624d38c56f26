//! `cargo xtask fixtures`: makes the files below `testdata/`, or makes them again.
//!
//! A case is a directory `testdata/<format>/<case>/` and a row in [`cases`]. It has three kinds of files:
//!
//! - *sources*, written by hand;
//! - *recorded* files, which the case's `record` steps make from the sources: profiles, reduced objects. Two runs of one
//!   program give different bytes (addresses vary), so what is there is kept. They are recorded again when one is missing,
//!   when the commands or the sources changed (`RECIPE.md` carries a digest of both), or with `--fresh`;
//! - *expected* files, which the `expect` steps make from the recorded ones with the oracles. They are made again on every
//!   run and come out the same.
//!
//! `RECIPE.md` is written from the same row, so it cannot say something else than what was done. A case whose tools are not
//! installed is skipped, aloud. [`malformed`] is different: it breaks the files of the other cases, byte by byte.

mod cases;
mod malformed;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use crate::Failure;
use cases::{CASES, Case, Step};

/// Where everything is compiled and run. Compilers write this name into what they make, so it is the same everywhere.
const WORK: &str = "/tmp/fixture";

/// The end of the line in `RECIPE.md` that says from which commands and sources the recorded files come.
const DIGEST: &str = "Recorded from commands and sources with digest ";

/// The line in `RECIPE.md` that says with which compilers.
const RECORDED_WITH: &str = "Recorded with ";

pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::parse(args)?;
    let chosen: Vec<&Case> = CASES
        .iter()
        .filter(|case| options.wants(case.path))
        .collect();
    let with_malformed = options.wants(malformed::PATH);
    if chosen.is_empty() && !with_malformed {
        return Err("no such case; --list shows them all".into());
    }
    if options.list {
        for case in chosen {
            println!("{:<32}{}", case.path, case.about);
        }
        if with_malformed {
            println!("{:<32}{}", malformed::PATH, malformed::ABOUT);
        }
        return Ok(ExitCode::SUCCESS);
    }

    let lock = File::create(format!("{WORK}.lock"))?;
    lock.lock()?;
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut tally = Tally::default();
    for case in chosen {
        let outcome = make(case, &testdata, options.fresh)
            .map_err(|failure| format!("{}: {failure}", case.path))?;
        tally.add(case.path, outcome);
    }
    if with_malformed {
        tally.add(malformed::PATH, malformed::make(&testdata)?);
    }
    remove_work()?;

    println!(
        "{} made, {} skipped, {} files changed",
        tally.made, tally.skipped, tally.changed
    );
    let fail = tally.strays > 0 || (options.require_tools && tally.skipped > 0);
    Ok(if fail {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

struct Options {
    /// Cases, or the formats that they are in. None: all.
    names: Vec<String>,
    fresh: bool,
    require_tools: bool,
    list: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut options = Self {
            names: Vec::new(),
            fresh: false,
            require_tools: false,
            list: false,
        };
        for arg in args {
            match arg.as_str() {
                "--fresh" => options.fresh = true,
                "--require-tools" => options.require_tools = true,
                "--list" => options.list = true,
                flag if flag.starts_with('-') => {
                    return Err(format!("unknown option `{flag}`").into());
                }
                name => options.names.push(name.trim_end_matches('/').to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, path: &str) -> bool {
        let is = |name: &String| {
            path.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.names.is_empty() || self.names.iter().any(is)
    }
}

/// What became of a case.
enum Outcome {
    Made {
        recorded: bool,
        changed: Vec<String>,
        strays: Vec<String>,
    },
    /// These tools are not installed, or these files of other cases are not there.
    Skipped(Vec<String>),
}

#[derive(Default)]
struct Tally {
    made: usize,
    skipped: usize,
    changed: usize,
    strays: usize,
}

impl Tally {
    fn add(&mut self, path: &str, outcome: Outcome) {
        match outcome {
            Outcome::Skipped(tools) => {
                self.skipped += 1;
                println!("{path:<32}SKIPPED for want of {}", tools.join(", "));
            }
            Outcome::Made {
                recorded,
                changed,
                strays,
            } => {
                self.made += 1;
                self.changed += changed.len();
                self.strays += strays.len();
                let how = if recorded { "recorded" } else { "kept" };
                println!("{path:<32}{how}, {} files changed", changed.len());
                for name in changed {
                    println!("  changed: {name}");
                }
                for name in strays {
                    println!("  STRAY, in no row of the table: {name}");
                }
            }
        }
    }
}

fn make(case: &Case, testdata: &Path, fresh: bool) -> Result<Outcome, Failure> {
    let home = testdata.join(case.path);
    let absent: Vec<&str> = case
        .borrows
        .iter()
        .copied()
        .filter(|path| !testdata.join(path).is_file())
        .collect();
    if !absent.is_empty() {
        return Ok(Outcome::Skipped(
            absent.into_iter().map(str::to_owned).collect(),
        ));
    }
    let inputs = case.inputs(testdata)?;
    let recipe = fs::read_to_string(home.join("RECIPE.md")).unwrap_or_default();
    let digest = digest(case, &inputs);
    let is_current = recipe
        .lines()
        .any(|line| line == format!("{DIGEST}{digest:016x}."));
    let is_there = outputs(case.record).all(|name| home.join(name).is_file());
    let record = !case.record.is_empty() && (fresh || !is_current || !is_there);

    let mut missing = missing_tools(case.expect);
    if record {
        missing.extend(missing_tools(case.record));
    }
    if !missing.is_empty() {
        return Ok(Outcome::Skipped(missing.into_iter().collect()));
    }

    fs::create_dir_all(&home)?;
    let mut changed = Vec::new();
    if record {
        fresh_work(&inputs)?;
        run_steps(case.record)?;
        keep(case.record, &home, &mut changed)?;
    }
    // From here on only what is kept is there, so nothing expected can depend on a file that was thrown away.
    fresh_work(&inputs)?;
    for name in outputs(case.record) {
        fs::copy(home.join(name), Path::new(WORK).join(name))?;
    }
    run_steps(case.expect)?;
    keep(case.expect, &home, &mut changed)?;

    let recorded_with = match recipe
        .lines()
        .find_map(|line| line.strip_prefix(RECORDED_WITH))
    {
        Some(line) if !record => line.to_owned(),
        _ => format!("{}.", versions(case.record)),
    };
    let recipe = write_recipe(case, &recorded_with, digest);
    keep_bytes(&home.join("RECIPE.md"), recipe.as_bytes(), &mut changed)?;
    Ok(Outcome::Made {
        recorded: record,
        changed,
        strays: strays(case, &home)?,
    })
}

fn outputs(steps: &[Step]) -> impl Iterator<Item = &'static str> {
    steps.iter().flat_map(|step| step.makes.iter().copied())
}

fn commands(steps: &[Step]) -> impl Iterator<Item = &'static str> {
    steps.iter().flat_map(|step| step.commands.iter().copied())
}

impl Case {
    /// The sources and the borrowed files: name in the work directory, bytes.
    fn inputs(&self, testdata: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
        let own = self
            .sources
            .iter()
            .map(|name| format!("{}/{name}", self.path));
        let borrowed = self.borrows.iter().map(|&path| path.to_owned());
        let mut inputs = Vec::new();
        for path in own.chain(borrowed) {
            let bytes =
                fs::read(testdata.join(&path)).map_err(|error| format!("{path}: {error}"))?;
            let name = Path::new(&path)
                .file_name()
                .ok_or("a source without a name")?;
            inputs.push((PathBuf::from(name), bytes));
        }
        Ok(inputs)
    }
}

/// FNV-1a, 64 bits. It notices an edit; it keeps nobody out.
fn digest(case: &Case, inputs: &[(PathBuf, Vec<u8>)]) -> u64 {
    let commands = commands(case.record).map(|command| command.as_bytes());
    let sources = inputs.iter().map(|(_, bytes)| bytes.as_slice());
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in commands.chain(sources) {
        for &byte in part.iter().chain(b"\0") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn remove_work() -> io::Result<()> {
    match fs::remove_dir_all(WORK) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fresh_work(inputs: &[(PathBuf, Vec<u8>)]) -> io::Result<()> {
    remove_work()?;
    fs::create_dir_all(WORK)?;
    inputs
        .iter()
        .try_for_each(|(name, bytes)| fs::write(Path::new(WORK).join(name), bytes))
}

/// A shell command in the work directory, with little environment: nobody's `LLVM_PROFILE_FILE` or `CFLAGS` gets in.
fn shell(command: &str) -> io::Result<Output> {
    let mut shell = Command::new("bash");
    shell
        .args(["-euc", command])
        .current_dir(WORK)
        .env_clear()
        .env("LC_ALL", "C");
    for name in [
        "PATH",
        "HOME",
        "RUSTUP_HOME",
        "CARGO_HOME",
        "RUSTUP_TOOLCHAIN",
    ] {
        if let Some(value) = std::env::var_os(name) {
            shell.env(name, value);
        }
    }
    shell.output()
}

fn run_steps(steps: &[Step]) -> Result<(), Failure> {
    for command in commands(steps) {
        let output = shell(command)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{command}`: {}\n{stderr}", output.status).into());
        }
    }
    Ok(())
}

fn keep(steps: &[Step], home: &Path, changed: &mut Vec<String>) -> Result<(), Failure> {
    for name in outputs(steps) {
        let bytes = fs::read(Path::new(WORK).join(name))
            .map_err(|error| format!("{name} was not made: {error}"))?;
        keep_bytes(&home.join(name), &bytes, changed)?;
    }
    Ok(())
}

fn keep_bytes(path: &Path, bytes: &[u8], changed: &mut Vec<String>) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    changed.extend(
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned()),
    );
    fs::write(path, bytes)
}

/// Files that no row accounts for: left over from an older table, most likely.
fn strays(case: &Case, home: &Path) -> io::Result<Vec<String>> {
    let known: BTreeSet<&str> = case
        .sources
        .iter()
        .copied()
        .chain(outputs(case.record))
        .chain(outputs(case.expect))
        .chain(["RECIPE.md"])
        .collect();
    let mut strays = Vec::new();
    for entry in fs::read_dir(home)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !known.contains(name.as_str()) {
            strays.push(name);
        }
    }
    strays.sort();
    Ok(strays)
}

/// The words of the commands that are oracles or compilers.
fn tools(steps: &[Step]) -> BTreeSet<&'static str> {
    let is_tool = |word: &&str| {
        let is_llvm = ["clang-", "clang++-", "llvm-"]
            .iter()
            .any(|prefix| word.starts_with(prefix));
        matches!(*word, "rustc" | "objcopy") || (is_llvm && !word.contains('='))
    };
    commands(steps)
        .flat_map(str::split_whitespace)
        .filter(is_tool)
        .collect()
}

fn missing_tools(steps: &[Step]) -> BTreeSet<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here =
        |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    tools(steps)
        .into_iter()
        .filter(|tool| !is_here(tool))
        .map(str::to_owned)
        .collect()
}

fn versions(steps: &[Step]) -> String {
    let version = |tool: &str| {
        let output = Command::new(tool).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text
            .lines()
            .find(|line| line.contains(|letter: char| letter.is_ascii_digit()))?;
        Some(format!("{tool} ({})", line.trim()))
    };
    let versions: Vec<String> = tools(steps).into_iter().filter_map(version).collect();
    if versions.is_empty() {
        "nothing but a shell".to_owned()
    } else {
        versions.join(", ")
    }
}

fn write_recipe(case: &Case, recorded_with: &str, digest: u64) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>| {
        names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut text = format!("# {}\n\n{}\n\n", case.path, case.about);
    let mut paragraph = |line: String| {
        text.push_str(&line);
        text.push_str("\n\n");
    };
    paragraph(
        "Written by `cargo xtask fixtures`; its table is `crates/xtask/src/fixtures/cases.rs`."
            .to_owned(),
    );
    let sources = list(&mut case.sources.iter().copied());
    let borrows = list(&mut case.borrows.iter().copied());
    if !sources.is_empty() {
        paragraph(format!("Sources here: {sources}."));
    }
    if !borrows.is_empty() {
        paragraph(format!("Taken from other cases: {borrows}."));
    }
    paragraph("Licence: ours, Apache-2.0 OR MIT.".to_owned());
    paragraph(format!(
        "The commands run in `{WORK}`, which holds nothing but those files, with `LC_ALL=C`."
    ));
    let code = |steps: &[Step]| {
        format!(
            "```sh\n{}\n```",
            commands(steps)
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n")
        )
    };
    if !case.record.is_empty() {
        paragraph(format!("## Recorded: {}", list(&mut outputs(case.record))));
        paragraph(code(case.record));
        paragraph(format!(
            "{RECORDED_WITH}{recorded_with}\n\n{DIGEST}{digest:016x}."
        ));
    }
    paragraph(format!("## Expected: {}", list(&mut outputs(case.expect))));
    paragraph(code(case.expect));
    text.push_str(&format!("Expected by {}.\n", versions(case.expect)));
    text
}
