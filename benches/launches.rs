//! What a run costs: a small program launched thousands of times, bare, through `bincover run` and
//! through the library's collector, one after another and eight at once.
//!
//! No criterion: what is wanted is the time that one more run takes, as its user sees it. The ways take
//! turns, so that whatever else the machine does meets them all. `-- --test` runs everything a few
//! times. Prints Markdown, for `cargo xtask bench-report`.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bincover::run::RUSTC_FLAGS;
use bincover::{Collector, Rescuing, Store};

type Failed = Box<dyn Error + Send + Sync>;

/// Launches in one turn.
const TURN: usize = 100;

fn main() -> ExitCode {
    let is_test = std::env::args().any(|arg| arg == "--test");
    match measure(if is_test { 16 } else { 4000 }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A way to run a program.
struct Way {
    name: &'static str,
    program: PathBuf,
    kind: Kind,
    /// Of one launch each, in seconds; for several at once, of a turn divided by its launches.
    alone: Vec<f64>,
    at_once: Vec<f64>,
}

enum Kind {
    Bare(PathBuf),
    CommandLine(PathBuf, &'static str),
    Collector(Box<Collector>),
}

fn measure(launches: usize) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let continuous = compile(scratch.path(), "continuous", &RUSTC_FLAGS)?;
    let at_exit = compile(scratch.path(), "at-exit", &["-Cinstrument-coverage"])?;
    let path = |name: &str| scratch.path().join(name);
    let collector = |name: &str, rescuing| -> Result<Kind, Failed> {
        let builder = Collector::builder(path(&format!("{name}.profdata")));
        let builder = builder.store(Store::new(path(name))).rescue(rescuing);
        Ok(Kind::Collector(Box::new(builder.build()?)))
    };
    let way = |name, program: &Path, kind| Way {
        name,
        program: program.to_owned(),
        kind,
        alone: Vec::new(),
        at_once: Vec::new(),
    };
    let mut ways = [
        way("bare", &continuous, Kind::Bare(path("bare"))),
        way(
            "`bincover run`, counters in a file",
            &continuous,
            Kind::CommandLine(path("run"), "auto"),
        ),
        way(
            "`bincover run`, profile at exit, followed",
            &at_exit,
            Kind::CommandLine(path("followed"), "on"),
        ),
        way(
            "Collector, counters in a file",
            &continuous,
            collector("collector", Rescuing::Auto)?,
        ),
        way(
            "Collector, profile at exit, followed",
            &at_exit,
            collector("collector-followed", Rescuing::On)?,
        ),
    ];
    for way in &ways {
        // The first run of a program looks at the program, and keeps its mapping.
        way.launch()?;
    }
    for _ in 0..launches.div_ceil(TURN) {
        for way in &mut ways {
            way.turn(TURN.min(launches), 1)?;
        }
    }
    for _ in 0..launches.div_ceil(TURN) {
        for way in &mut ways {
            way.turn(TURN.min(launches), 8)?;
        }
    }
    report(&mut ways, launches, scratch.path())
}

impl Way {
    fn launch(&self) -> Result<(), Failed> {
        let status = match &self.kind {
            Kind::Bare(folder) => Command::new(&self.program)
                .env("LLVM_PROFILE_FILE", folder.join("%p%c.profraw"))
                .stdout(Stdio::null())
                .status()?,
            Kind::CommandLine(store, rescue) => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
                command.args(["run", "--rescue", rescue, "--store"]);
                command.arg(store).arg("--").arg(&self.program);
                command.stdout(Stdio::null()).status()?
            }
            Kind::Collector(collector) => {
                let run = collector.command(&self.program).run()?;
                return match run.output.status.success() && run.obtained.is_some() {
                    true => Ok(()),
                    false => Err(format!("{}: {}", run.output.status, run.obtained).into()),
                };
            }
        };
        match status.success() {
            true => Ok(()),
            false => Err(format!("{}: {status}", self.name).into()),
        }
    }

    fn turn(&mut self, launches: usize, at_once: usize) -> Result<(), Failed> {
        if at_once == 1 {
            for _ in 0..launches {
                let start = Instant::now();
                self.launch()?;
                self.alone.push(start.elapsed().as_secs_f64());
            }
        } else {
            let left = AtomicUsize::new(launches);
            let start = Instant::now();
            std::thread::scope(|scope| -> Result<(), Failed> {
                let work = || -> Result<(), Failed> {
                    let take = |left: usize| left.checked_sub(1);
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                        .is_ok()
                    {
                        self.launch()?;
                    }
                    Ok(())
                };
                let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
                for thread in threads {
                    thread.join().map_err(|_| "a launch panicked")??;
                }
                Ok(())
            })?;
            let each = start.elapsed().as_secs_f64() / launches as f64;
            self.at_once.push(each);
        }
        if let Kind::Bare(folder) = &self.kind {
            // Else the folder grows, and with it the time to make a file in it.
            std::fs::remove_dir_all(folder)?;
        }
        Ok(())
    }

    /// What is left on the disk, in bytes, and the number of records.
    fn left(&self, scratch: &Path) -> Result<Option<(u64, usize)>, Failed> {
        let folder = match &self.kind {
            Kind::Bare(_) => return Ok(None),
            Kind::CommandLine(store, _) => store.clone(),
            Kind::Collector(collector) => match collector.store() {
                Some(store) => store.folder().to_owned(),
                None => scratch.to_owned(),
            },
        };
        let runs = Store::new(&folder).runs()?.len();
        Ok(Some((size_of(&folder)?, runs)))
    }
}

fn report(ways: &mut [Way], launches: usize, scratch: &Path) -> Result<(), Failed> {
    let profile = scratch.join("one.profraw");
    let program = &ways[0].program;
    let one = Command::new(program)
        .env("LLVM_PROFILE_FILE", &profile)
        .stdout(Stdio::null())
        .status()?;
    assert!(one.success());
    println!(
        "{launches} launches of a program that prints a line, and that writes a profile of {} kB.\n",
        kilobytes(profile.metadata()?.len())
    );
    println!(
        "| way | one after another | more | eight at once, each | more | on the disk at the end |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let bare = (median(&mut ways[0].alone), median(&mut ways[0].at_once));
    for way in ways {
        let left = way.left(scratch)?;
        let (alone, at_once) = (median(&mut way.alone), median(&mut way.at_once));
        let more = |time: f64, bare: f64| match left {
            Some(_) => format!("{:+.2} ms", (time - bare) * 1e3),
            None => String::new(),
        };
        println!(
            "| {} | {:.2?} | {} | {:.2?} | {} | {} |",
            way.name,
            Duration::from_secs_f64(alone),
            more(alone, bare.0),
            Duration::from_secs_f64(at_once),
            more(at_once, bare.1),
            match left {
                Some((bytes, runs)) => format!("{} kB, with {runs} records", kilobytes(bytes)),
                None => String::new(),
            }
        );
    }
    Ok(())
}

fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1000)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn size_of(folder: &Path) -> Result<u64, Failed> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => size_of(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(bytes)
}

fn compile(folder: &Path, name: &str, flags: &[impl AsRef<OsStr>]) -> Result<PathBuf, Failed> {
    let source = folder.join("launched.rs");
    std::fs::write(&source, "fn main() { println!(\"launched\"); }\n")?;
    let program = folder.join(name);
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-O", "-o"]).arg(&program);
    match rustc.args(flags).arg(&source).status()?.success() {
        true => Ok(program),
        false => Err(format!("rustc fails to build {name}").into()),
    }
}
