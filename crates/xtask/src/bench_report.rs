//! `cargo xtask bench-report`: whole processes compared, on inputs that it makes itself, into `benches/RESULTS.md`.
//!
//! A [group](workloads::Group) is a section of the report, and its [workloads](Workload) are rows. A workload prepares its
//! inputs once, below `target/bench-report/`, and says which commands race on them. The racers take turns in one run, so that
//! whatever else the machine does meets them all. A new comparison is a new row; a new kind of target is a variant of
//! [`Target`](targets::Target).

mod coverage;
mod go;
mod inputs;
mod machine;
mod programs;
mod race;
mod report;
mod statistics;
mod suite;
mod targets;
mod workloads;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{Failure, command};
use inputs::Site;
use workloads::{GROUPS, Workload};

/// What all workloads get that do not ask for more or fewer.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 2;

/// The report of a whole run; anything less is written below `target/`.
const RESULTS: &str = "benches/RESULTS.md";
const PARTIAL_RESULTS: &str = "target/bench-report/RESULTS.md";

pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::parse(args)?;
    build()?;
    let site = Site::new(options.is_quick)?;
    let machine = machine::Machine::look(args)?;

    let mut results = Vec::new();
    for workload in GROUPS.iter().flat_map(|group| group.workloads) {
        if options.wants(workload) {
            eprintln!("== {}", workload.name);
            let race = (workload.prepare)(&site)?;
            let rounds = (workload.rounds)(options.rounds);
            let times = race::run(&race, rounds)?;
            results.push(report::Outcome {
                workload,
                race,
                times,
            });
        }
    }

    let path = Path::new(if options.is_whole() {
        RESULTS
    } else {
        PARTIAL_RESULTS
    });
    let mut text = report::write(&machine, &results);
    if options.names.is_empty() {
        eprintln!("== disk");
        text.push_str(&suite::disk(&site)?);
        text.push_str(&runs(options.is_quick)?);
    }
    fs::write(path, text)?;
    eprintln!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// What runs cost: benches of their own, which print tables.
fn runs(is_quick: bool) -> Result<String, Failure> {
    const BENCHES: [(&str, &str, &str); 2] = [
        ("bincover-cli", "launches", "Cost of a run"),
        ("bincover", "trace", "Cost of being followed"),
    ];
    let mut text = String::new();
    for (package, bench, title) in BENCHES {
        eprintln!("== {bench}");
        let mut cargo = command::cargo();
        cargo.args(["bench", "--locked", "-q", "--target-dir", "target"]);
        cargo.args(["-p", package, "--bench", bench]);
        if is_quick {
            cargo.args(["--", "--test"]);
        }
        let table = command::stdout(&mut cargo)?;
        let quick = if is_quick { " -- --test" } else { "" };
        text += &format!(
            "\n## {title}\n\n`cargo bench -p {package} --bench {bench}{quick}` ([source]({bench}.rs)). Medians.\n\n{}\n",
            table.trim()
        );
    }
    Ok(text)
}

struct Options {
    /// Workloads. None: all.
    names: Vec<String>,
    rounds: usize,
    is_quick: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut names = Vec::new();
        let mut rounds = None;
        let mut is_quick = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => is_quick = true,
                "--rounds" => {
                    let count: usize = args.next().ok_or("--rounds wants a number")?.parse()?;
                    rounds = Some(count.max(1));
                }
                flag if flag.starts_with('-') => {
                    return Err(format!("unknown option `{flag}`").into());
                }
                name => names.push(name.to_owned()),
            }
        }
        let known: Vec<&str> = GROUPS
            .iter()
            .flat_map(|group| group.workloads)
            .map(|workload| workload.name)
            .collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("no workload `{unknown}`; there are {}", known.join(", ")).into());
        }
        let usual = if is_quick { QUICK_ROUNDS } else { ROUNDS };
        Ok(Self {
            names,
            rounds: rounds.unwrap_or(usual),
            is_quick,
        })
    }

    fn wants(&self, workload: &Workload) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == workload.name)
    }

    fn is_whole(&self) -> bool {
        self.names.is_empty() && !self.is_quick
    }
}

/// What is compared, and what compares, as it is released. One after the other, so that neither gets features of the other's
/// dependencies.
fn build() -> Result<(), Failure> {
    for package in ["bincover-cli", "xtask"] {
        let build = ["build", "--release", "--locked", "--target-dir", "target"];
        command::run(command::cargo().args(build).args(["-p", package, "--bins"]))?;
    }
    Ok(())
}

/// A program of ours in the release build.
fn released(name: &str) -> PathBuf {
    Path::new("target/release").join(name)
}
