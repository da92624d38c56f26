//! Tasks of the project: what CI runs, how fixtures are made, how speed is measured. `cargo xtask` lists them.

mod bench_report;
mod ci;
mod command;
mod fixtures;
mod fuzz;
mod instructions;
mod load;

use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Failure = Box<dyn std::error::Error>;

struct Task {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<ExitCode, Failure>,
}

const TASKS: &[Task] = &[
    Task {
        name: "bench-report",
        help: "measure ours against llvm-profdata, into benches/RESULTS.md: [WORKLOAD]... [--rounds N] [--quick]",
        run: bench_report::run,
    },
    Task {
        name: "ci",
        help: "what CI runs: [STEP]..., of fmt, clippy, doc, test, bench, instructions, demo, asan, fuzz",
        run: ci::run,
    },
    Task {
        name: "fixtures",
        help: "make testdata/ again with the oracles that are here: [CASE]... [--fresh] [--require-tools] [--list]",
        run: fixtures::run,
    },
    Task {
        name: "fuzz",
        help: "fuzz for so long in all: --hours N | --minutes N | --seconds N, [TARGET]... [--jobs N], of 2",
        run: fuzz::run,
    },
    Task {
        name: "instructions",
        help: "count those of the hot paths, against benches/instructions.txt: [--bless]",
        run: instructions::run,
    },
    Task {
        name: "load",
        help: "how much is held, into a table: [LOAD]..., of profiles, store, object, line, functions",
        run: load::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let task = args.split_first().and_then(|(name, rest)| {
        let task = TASKS.iter().find(|task| task.name == name)?;
        Some((task, rest))
    });
    let Some((task, rest)) = task else {
        eprintln!("usage: cargo xtask TASK [ARGS]\n\ntasks:");
        for task in TASKS {
            eprintln!("  {:<14}{}", task.name, task.help);
        }
        return ExitCode::from(2);
    };
    if let Err(error) = std::env::set_current_dir(bincover_testkit::top()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match (task.run)(rest) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
