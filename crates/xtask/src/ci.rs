//! What CI runs, so that a laptop can run it too.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{Failure, command, fuzz, instructions};

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
        // Each once, not optimised: do they still run? Of the whole workspace, for which all is built already.
        name: "bench",
        run: || cargo(&["test", "--workspace", "--bench", "merge"], &[]),
    },
    Step {
        name: "instructions",
        run: || instructions::run(&[]).map(|_| ()),
    },
    Step {
        // The README's other command, of what the tests built: to optimise it takes minutes, of which the demo's five
        // runs have nothing. `instructions` builds what counts with the release profile.
        name: "demo",
        run: || cargo(&["run", "--", "demo"], &[]),
    },
    Step {
        name: "asan",
        run: asan,
    },
    Step {
        name: "fuzz",
        run: || fuzz::all(FUZZ_TIME),
    },
];

/// Runs the steps that are named, those up to one (`--to STEP`) or after it (`--after STEP`), or all of them, and stops at
/// the first that fails.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    for step in chosen(args)? {
        let start = Instant::now();
        eprintln!("== {}", step.name);
        (step.run)().map_err(|failure| format!("{}: {failure}", step.name))?;
        eprintln!("== {} done in {} s", step.name, start.elapsed().as_secs());
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(args: &[String]) -> Result<Vec<&'static Step>, Failure> {
    let place = |name: &String| {
        let place = STEPS.iter().position(|step| step.name == name);
        place.ok_or_else(|| {
            let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            format!("no step `{name}`; there are {}", known.join(", "))
        })
    };
    Ok(match args {
        [] => STEPS.iter().collect(),
        [option, last] if option == "--to" => STEPS[..=place(last)?].iter().collect(),
        [option, last] if option == "--after" => STEPS[place(last)? + 1..].iter().collect(),
        names => {
            let places = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
            let steps = STEPS.iter().enumerate();
            let steps = steps.filter(|(index, _)| places.contains(index));
            steps.map(|(_, step)| step).collect()
        }
    })
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<(), Failure> {
    command::run(command::cargo().args(args).envs(env.iter().copied()))
}

/// How long all targets are fuzzed, together.
const FUZZ_TIME: Duration = Duration::from_secs(110);

/// The unsafe code that touches memory, under AddressSanitizer: mapping objects, leases, following processes; the
/// unit tests that reach it. What it depends on is not optimised, since that takes longer than the tests do.
fn asan() -> Result<(), Failure> {
    let mut cargo = command::nightly();
    cargo
        .args(["test", "--locked", "--target", "x86_64-unknown-linux-gnu"])
        .args(["--target-dir", "target/asan"])
        .args(["--config", "profile.dev.package.'*'.opt-level=0"])
        .args(["-p", "bincover", "--lib", "--", "input::", "store::"])
        .env("RUSTFLAGS", "-Zsanitizer=address")
        // Looking for leaks needs ptrace, too, and a process has one tracer.
        .env("ASAN_OPTIONS", "detect_leaks=0");
    command::run(&mut cargo)
}
