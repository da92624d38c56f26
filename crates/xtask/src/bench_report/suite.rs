//! A workspace's test suite, from its sources to a report: `cargo bincover nextest` beside `cargo llvm-cov nextest`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::inputs::Site;
use super::race::{Race, Racer, Role};
use super::statistics::bytes;
use super::targets::Target;
use super::workloads::{Group, LLVM_PROFDATA, Workload};
use super::{coverage, released};
use crate::{Failure, command};

pub(super) const GROUP: Group = Group {
    title: "A workspace's tests",
    about: "[A workspace](../tests/workspaces/shop) of three crates and ten tests under cargo-nextest, from sources to lcov. \
        Both programs are called as cargo calls them. The floor is cargo-nextest without coverage. And the crates of this project \
        that read, evaluate and report, with their unit tests.",
    workloads: &[
        Workload {
            name: "suite-cold",
            about: "nothing is built; the time has the deletion of what was built in it",
            rounds: super::workloads::few,
            prepare: |site| suite(site, &SHOP, true, &[]),
            targets: &[Target::Faster(1.0)],
        },
        Workload {
            name: "suite-warm",
            about: "again, with nothing changed; cargo-llvm-cov builds the workspace's crates anew unless it is told not to",
            rounds: |rounds| rounds,
            prepare: |site| suite(site, &SHOP, false, &[]),
            targets: &[Target::Faster(1.0)],
        },
        Workload {
            name: "suite-warm-no-clean",
            about: "the same with `--no-clean`: nothing is built, and profiles of earlier rounds stay",
            rounds: |rounds| rounds,
            prepare: |site| suite(site, &SHOP, false, &["--no-clean"]),
            targets: &[Target::Faster(1.0)],
        },
        Workload {
            name: "suite-report",
            about: "a report on what one suite left",
            rounds: |rounds| 4 * rounds,
            prepare: |site| report(site, &SHOP),
            targets: &[Target::Faster(10.0)],
        },
        Workload {
            name: "own-suite-cold",
            about: "the same on this project, of which nothing is built",
            rounds: |_| 1,
            prepare: |site| suite(site, &OWN, true, &[]),
            targets: &[Target::Faster(1.0)],
        },
        Workload {
            name: "own-suite-report",
            about: "a report on what this project's suite left",
            rounds: |rounds| 4 * rounds,
            prepare: |site| report(site, &OWN),
            targets: &[Target::Faster(10.0)],
        },
    ],
};

/// A workspace whose tests are run.
struct Suite {
    name: &'static str,
    /// Copies it.
    copy: &'static [&'static str],
    /// Cargo's words for the packages.
    packages: &'static [&'static str],
}

const SHOP: Suite = Suite {
    name: "suite",
    copy: &["cp", "-R", "tests/workspaces/shop"],
    packages: &["--workspace"],
};

const OWN: Suite = Suite {
    name: "own-suite",
    // What is committed.
    copy: &["git", "clone", "--quiet", "."],
    packages: &[
        "-p",
        "bincover-model",
        "-p",
        "bincover-profile",
        "-p",
        "bincover-mapping",
        "-p",
        "bincover-report",
    ],
};

/// A program, and where it keeps what it builds and what was reached.
struct Tool {
    role: Role,
    name: &'static str,
    words: Vec<OsString>,
}

fn ours() -> Tool {
    Tool {
        role: Role::Ours,
        name: "cargo bincover",
        words: vec![released("cargo-bincover").into(), "bincover".into()],
    }
}

fn theirs() -> Tool {
    Tool {
        role: Role::Theirs,
        name: "cargo llvm-cov",
        words: vec![
            "env".into(),
            format!("LLVM_COV={}", coverage::LLVM_COV).into(),
            format!("LLVM_PROFDATA={LLVM_PROFDATA}").into(),
            "cargo-llvm-cov".into(),
            "llvm-cov".into(),
        ],
    }
}

fn bare() -> Tool {
    Tool {
        role: Role::Floor,
        name: "cargo nextest",
        words: vec!["cargo".into()],
    }
}

/// A copy of the workspace for each program, so that none builds for another.
fn workspace(site: &Site, suite: &Suite, tool: &Tool) -> Result<PathBuf, Failure> {
    let folder = site.path(&format!("{}-{}", suite.name, tool.name.replace(' ', "-")));
    if !folder.exists()
        && let Some((program, words)) = suite.copy.split_first()
    {
        command::run(Command::new(program).args(words).arg(&folder))?;
    }
    Ok(folder)
}

fn suite(site: &Site, suite: &Suite, is_cold: bool, more: &[&str]) -> Result<Race, Failure> {
    let mut racers = Vec::new();
    for tool in [ours(), theirs(), bare()] {
        let folder = workspace(site, suite, &tool)?;
        let mut command: Vec<OsString> = Vec::new();
        if is_cold {
            let delete = format!(
                "rm -rf {}; exec \"$0\" \"$@\"",
                folder.join("target").display()
            );
            command.extend(["sh".into(), "-c".into(), delete.into()]);
        }
        let is_bare = tool.role == Role::Floor;
        command.extend(tool.words);
        command.push("nextest".into());
        if is_bare {
            command.push("run".into());
        } else {
            command.extend(more.iter().map(OsString::from));
            command.extend(to_lcov(&folder));
        }
        command.extend(suite.packages.iter().map(OsString::from));
        command.push("--manifest-path".into());
        command.push(folder.join("Cargo.toml").into());
        racers.push(Racer {
            role: tool.role,
            name: tool.name.to_owned(),
            command,
            output: None,
            prints: false,
        });
    }
    Ok(race(racers))
}

fn report(site: &Site, suite: &Suite) -> Result<Race, Failure> {
    let mut racers = Vec::new();
    for tool in [ours(), theirs()] {
        let folder = workspace(site, suite, &tool)?;
        run_suite(&tool, suite, &folder, &[])?;
        let mut command = tool.words;
        command.push("report".into());
        command.extend(to_lcov(&folder));
        command.push("--manifest-path".into());
        command.push(folder.join("Cargo.toml").into());
        racers.push(Racer {
            role: tool.role,
            name: tool.name.to_owned(),
            command,
            output: None,
            prints: false,
        });
    }
    Ok(race(racers))
}

/// Names of functions differ by the crates' hashes, so bytes are not compared here; tests do that.
fn race(racers: Vec<Racer>) -> Race {
    Race {
        files: 0,
        bytes: 0,
        racers,
    }
}

fn to_lcov(folder: &Path) -> [OsString; 3] {
    let output = folder.join("lcov.info").into();
    ["--lcov".into(), "--output-path".into(), output]
}

fn run_suite(tool: &Tool, tests: &Suite, folder: &Path, more: &[&str]) -> Result<(), Failure> {
    let mut words = tool.words.iter();
    let mut suite = Command::new(words.next().ok_or("a program has a name")?);
    suite
        .args(words)
        .arg("nextest")
        .args(tests.packages)
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .args(more)
        .args(to_lcov(folder));
    command::stdout(&mut suite).map(drop)
}

/// What is kept on the disk of what the tests reached, after one suite and after ten of them.
pub(super) fn disk(site: &Site) -> Result<String, Failure> {
    const SUITES: usize = 10;
    let mut rows = String::new();
    for (tool, kept) in [
        (ours(), "target/bincover-target/store"),
        (theirs(), "target/llvm-cov-target"),
    ] {
        let folder = workspace(site, &SHOP, &tool)?;
        run_suite(&tool, &SHOP, &folder, &[])?;
        let one = size(&folder.join(kept))?;
        for _ in 1..SUITES {
            run_suite(&tool, &SHOP, &folder, &["--no-clean"])?;
        }
        let ten = size(&folder.join(kept))?;
        rows += &format!("| {} | {} | {} |\n", tool.name, bytes(one), bytes(ten));
    }
    Ok(format!(
        "\n## Disk of a suite\n\nWhat is kept of what the tests reached: the store, which has a record of each run and the programs' coverage \
         mappings too, and the files `*.profraw` and `*.profdata`. \
         Later suites ran with `--no-clean`.\n\n| program | one suite | {SUITES} suites |\n| --- | --- | --- |\n{rows}"
    ))
}

/// Of the store with all that is in it, and of profiles directly in a folder with other things.
#[expect(clippy::cast_precision_loss, reason = "megabytes")]
fn size(folder: &Path) -> Result<f64, Failure> {
    let is_store = folder.ends_with("store");
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_profile = path
            .extension()
            .is_some_and(|end| end == "profraw" || end == "profdata");
        if entry.file_type()?.is_file() && (is_store || is_profile) {
            all += entry.metadata()?.len();
        }
    }
    Ok(all as f64)
}
