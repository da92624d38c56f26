//! What it costs to be followed: the same programs bare and under rescue, in turns.
//!
//! No criterion: each program runs for long enough to be timed alone, and what is quoted is the median
//! of a few rounds. `-- --test` runs everything once, and small.

use std::path::{Path, PathBuf};
use std::process::{Command as Tool, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bincover::Rescue;
use bincover::run::{Command, Mechanism, Tracer};
use bincover_testkit::top;

type Failed = Box<dyn std::error::Error>;

/// What is run, the work that it is told to do in a bench, and in a test.
const WORKLOADS: &[(&str, &[&str], &[&str])] = &[
    ("start and end", &["return"], &["return"]),
    (
        "10,000 threads, one after another",
        &["threads", "10000"],
        &["threads", "10"],
    ),
    (
        "1,000,000 system calls",
        &["getpid", "1000000"],
        &["getpid", "10"],
    ),
    ("a chain of 10 forks", &["chain"], &["chain"]),
    (
        "100 programs that execute themselves",
        &["generations", "100"],
        &["generations", "2"],
    ),
];

fn main() -> ExitCode {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let result = match which("clang-22") {
        true => measure(is_test),
        false => {
            println!("left out: clang-22 is not installed");
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn which(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(name).is_file())
}

fn measure(is_test: bool) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let program = build(scratch.path())?;
    let rounds = if is_test { 1 } else { 11 };
    println!("| program | bare | followed | more |\n| --- | --- | --- | --- |");
    for (name, args, small) in WORKLOADS {
        let args = if is_test { small } else { args };
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (followed, times) in times.iter_mut().enumerate() {
                let folder = tempfile::tempdir_in(scratch.path())?;
                times.push(run(&program, args, folder.path(), followed == 1)?);
            }
        }
        let [bare, followed] = times.map(median);
        let more = followed.as_secs_f64() / bare.as_secs_f64();
        println!("| {name} | {bare:.1?} | {followed:.1?} | {more:.2} times |");
    }
    Ok(())
}

fn build(folder: &Path) -> Result<PathBuf, Failed> {
    let program = folder.join("program");
    let status = Tool::new("clang-22")
        .args(["-O1", "-fprofile-instr-generate", "-fcoverage-mapping"])
        .args(["-pthread", "-o"])
        .arg(&program)
        .arg(top().join("tests/programs/rescue.c"))
        .status()?;
    match status.success() {
        true => Ok(program),
        false => Err("clang-22 does not build the program".into()),
    }
}

/// The time until the last process has ended.
fn run(
    program: &Path,
    args: &[&str],
    folder: &Path,
    is_followed: bool,
) -> Result<Duration, Failed> {
    let mut command = Command::new(program)
        .args(args.iter().copied())
        .profiles(folder, Mechanism::Exit);
    if is_followed {
        command = command.tracer(Arc::new(Rescue::new(folder)?) as Arc<dyn Tracer>);
    }
    let began = Instant::now();
    let output = command.run()?;
    if let Some(tracing) = output.tracing {
        match tracing.limit() {
            Some(limit) => return Err(limit.to_string().into()),
            None => tracing.wait_all(Duration::from_secs(60)),
        };
    }
    Ok(began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
