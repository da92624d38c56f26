//! What CI runs, so that a laptop can run it too.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::{Failure, command, instructions};

/// One step: a name to ask for it by, and the commands.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), Failure>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        run: || cargo(&["fmt", "--all", "--check"], &[]),
    },
    Step {
        name: "clippy",
        run: || {
            let args = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ];
            cargo(&args, &[])
        },
    },
    Step {
        name: "doc",
        run: || {
            let args = [
                "doc",
                "--workspace",
                "--no-deps",
                "--locked",
                "--document-private-items",
            ];
            cargo(&args, &[("RUSTDOCFLAGS", "-D warnings")])
        },
    },
    Step {
        // The README's command, as it stands there.
        name: "test",
        run: || {
            cargo(
                &["test", "--workspace"],
                &[("BINCOVER_REQUIRE_ORACLES", "1")],
            )
        },
    },
    Step {
        name: "bench",
        run: || {
            cargo(
                &[
                    "bench",
                    "-p",
                    "bincover-profile",
                    "--bench",
                    "merge",
                    "--",
                    "--test",
                ],
                &[],
            )
        },
    },
    Step {
        name: "instructions",
        run: || instructions::run(&[]).map(|_| ()),
    },
    Step {
        // The README's other command.
        name: "demo",
        run: || cargo(&["run", "--release", "--", "demo"], &[]),
    },
    Step {
        name: "fuzz",
        run: fuzz,
    },
];

/// Runs the steps that are named, or all of them, and stops at the first that fails.
pub(crate) fn run(names: &[String]) -> Result<ExitCode, Failure> {
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != *name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("no step `{unknown}`; there are {}", known.join(", ")).into());
    }
    for step in STEPS {
        if names.is_empty() || names.iter().any(|name| name == step.name) {
            let start = Instant::now();
            eprintln!("== {}", step.name);
            (step.run)().map_err(|failure| format!("{}: {failure}", step.name))?;
            eprintln!("== {} done in {} s", step.name, start.elapsed().as_secs());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<(), Failure> {
    command::run(command::cargo().args(args).envs(env.iter().copied()))
}

/// Each target for 20 seconds, from the fixtures on. The compiler is nightly's, so rustup's `cargo` is asked.
fn fuzz() -> Result<(), Failure> {
    cargo(
        &[
            "run",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--example",
            "seed",
        ],
        &[],
    )?;
    for target in std::fs::read_dir("fuzz/fuzz_targets")? {
        let path = target?.path();
        let name = path.file_stem().unwrap_or_default();
        let mut cargo = Command::new("cargo");
        cargo
            .args(["+nightly", "fuzz", "run"])
            .arg(name)
            .args(["--", "-max_total_time=20", "-print_final_stats=1"])
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO");
        command::run(&mut cargo)?;
    }
    Ok(())
}
