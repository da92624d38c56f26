//! Cargo at work: a build whose objects are noted, and the run after it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use bincover::run::built_objects;
use bincover::{Error, Obtained, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::{Action, Line};
use super::plan::Plan;
use super::report::runs_so_far;
use super::runner::{NESTED_TARGET_VARIABLE, NESTED_WRAPPER_VARIABLE, SAYS_VARIABLE};
use super::{Failure, NAME};
use crate::ui::{self, Live};

type Environment = BTreeMap<OsString, OsString>;

/// How building and running ended.
pub(super) enum Outcome {
    /// Nothing was run.
    NotBuilt(ExitStatus),
    Ran(ExitStatus),
}

const MESSAGES: &str = "json-render-diagnostics";

/// Builds without running.
pub(super) fn build(
    plan: &Plan,
    line: &Line,
    environment: &Environment,
) -> Result<ExitStatus, Failure> {
    renew(plan, environment)?;
    let mut command = cargo(
        plan,
        line,
        environment,
        line.action.cargo_words(),
        Runs::Nothing,
    )?;
    match line.action {
        Action::NextestArchive => command.args(["--cargo-message-format", MESSAGES]),
        _ => command.args(["--message-format", MESSAGES]),
    };
    command.args(&line.cargo);
    excluded(line, &mut command);
    run_reading(plan, &mut command, true, &Live::off())
}

/// Builds, and runs what was built.
pub(super) fn build_and_run(
    plan: &Plan,
    line: &Line,
    environment: &Environment,
) -> Result<Outcome, Failure> {
    let from_archive = !line.cargo_values("archive-file", None).is_empty();
    if !from_archive {
        ui::say(format_args!(
            "{NAME}: building in {}",
            plan.target_dir.display()
        ));
        renew(plan, environment)?;
    }
    let words = line.action.cargo_words();
    if line.action == Action::Nextest {
        let mut command = cargo(plan, line, environment, words, Runs::InRunners)?;
        if !from_archive {
            command.args(["--cargo-message-format", MESSAGES]);
        }
        finish(line, &mut command);
        // Where the tests have the terminal to themselves, it is not ours to write on.
        let live = match line.has_cargo_flag(&["--no-capture", "--nocapture"]) {
            true => Live::off(),
            false => Live::start(),
        };
        let counted = count(&plan.store.tally()?);
        let status = run_reading(plan, &mut command, writes_to_stdout(line), &live)?;
        let ran = count(&plan.store.tally()?) > counted;
        return Ok(match ran || status.success() {
            true => Outcome::Ran(status),
            false => Outcome::NotBuilt(status),
        });
    }
    // Doctests alone cannot be built without being run.
    if !line.has_cargo_flag(&["--doc"]) {
        let first: &[&str] = match line.action {
            Action::Run => &["build"],
            _ => words,
        };
        let mut command = cargo(plan, line, environment, first, Runs::Nothing)?;
        if line.action != Action::Run {
            command.arg("--no-run");
        }
        command.args(["--message-format", MESSAGES]);
        command.args(tests_only(line)).args(&line.cargo);
        excluded(line, &mut command);
        let status = run_reading(plan, &mut command, true, &Live::off())?;
        if !status.success() {
            return Ok(Outcome::NotBuilt(status));
        }
    }
    ui::say(format_args!("{NAME}: running"));
    let mut command = cargo(plan, line, environment, words, Runs::InRunners)?;
    finish(line, &mut command);
    if !writes_to_stdout(line) {
        let stderr = io::stderr().as_fd().try_clone_to_owned();
        command.stdout(stderr.map(Stdio::from).unwrap_or_else(|_| Stdio::null()));
    }
    if line.action != Action::Run && io::stderr().is_terminal() {
        command.env(SAYS_VARIABLE, "1");
    }
    let status = wait(&mut command, |_| Ok(()))?;
    Ok(Outcome::Ran(status))
}

/// Cargo's arguments, and the program's.
fn finish(line: &Line, command: &mut Command) {
    command.args(tests_only(line)).args(&line.cargo);
    excluded(line, command);
    if line.options.measure.ignore_run_fail
        && line.action != Action::Run
        && !line.has_cargo_flag(&["--no-fail-fast"])
    {
        command.arg("--no-fail-fast");
    }
    if !line.program.is_empty() {
        command.arg("--").args(&line.program);
    }
}

/// Doctests are run only when they are asked for: rustdoc compiles them uninstrumented otherwise.
fn tests_only(line: &Line) -> &'static [&'static str] {
    const TARGETS: [&str; 6] = [
        "--lib",
        "--bins",
        "--examples",
        "--tests",
        "--benches",
        "--doc",
    ];
    const NAMED: [&str; 4] = ["bin", "example", "test", "bench"];
    let chooses = line.has_cargo_flag(&TARGETS)
        || line.has_cargo_flag(&["--all-targets"])
        || NAMED
            .iter()
            .any(|name| !line.cargo_values(name, None).is_empty());
    match line.action == Action::Test && !line.options.measure.doctests && !chooses {
        true => &["--tests"],
        false => &[],
    }
}

/// The report has standard output to itself, unless it goes elsewhere.
fn writes_to_stdout(line: &Line) -> bool {
    let report = &line.options.report;
    let is_file = report.output_path.is_some() || report.output_dir.is_some();
    report.no_report || is_file || report.html || report.open
}

/// Who writes profiles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// Only what compiles.
    Nothing,
    /// Each program, in a runner.
    InRunners,
}

fn cargo(
    plan: &Plan,
    line: &Line,
    environment: &Environment,
    words: &[&str],
    runs: Runs,
) -> Result<Command, Failure> {
    let mut command = Command::new(plan.workspace.cargo());
    command.args(words).envs(environment);
    if line.cargo_values("archive-file", None).is_empty() || line.action == Action::NextestArchive {
        command.arg("--target-dir").arg(&plan.target_dir);
    }
    if runs == Runs::InRunners {
        command.args(plan.runner_options()?);
        if let Some(wrapper) = plan.nested_wrapper()? {
            command.env(NESTED_WRAPPER_VARIABLE, wrapper);
            command.env(NESTED_TARGET_VARIABLE, plan.nested_target_dir());
        }
    }
    // What is compiled runs while others are: rustc with macros, build scripts, doctests.
    match plan.measures_builds {
        true => command.env("LLVM_PROFILE_FILE", plan.loose_pattern()?),
        false => command.env("LLVM_PROFILE_FILE", "/dev/null"),
    };
    Ok(command)
}

fn excluded(line: &Line, command: &mut Command) {
    let measure = &line.options.measure;
    for spec in measure.exclude.iter().chain(&measure.exclude_from_test) {
        command.args(["--exclude", spec]);
    }
}

/// What runs in the compiler reaches nothing when nothing is compiled: the workspace's crates are
/// compiled anew where that is measured.
fn renew(plan: &Plan, environment: &Environment) -> Result<(), Failure> {
    if !plan.wrapper.build_scripts && !plan.wrapper.proc_macros {
        return Ok(());
    }
    if !plan.target_dir.is_dir() {
        return Ok(());
    }
    // What tests of macros had compiled would not be compiled again.
    let _ = std::fs::remove_dir_all(plan.nested_target_dir());
    let mut command = Command::new(plan.workspace.cargo());
    command
        .args(["clean", "--quiet", "--workspace"])
        .envs(environment);
    command.current_dir(&plan.workspace.root);
    command.arg("--target-dir").arg(&plan.target_dir);
    wait(&mut command, |_| Ok(())).map(|_| ())
}

/// Runs cargo and notes what it built, as soon as all is built. Other lines of its output are
/// passed on, and above the live line if there is one.
fn run_reading(
    plan: &Plan,
    command: &mut Command,
    to_stdout: bool,
    live: &Live,
) -> Result<ExitStatus, Failure> {
    command.stdout(Stdio::piped());
    if live.is_on() {
        command.stderr(Stdio::piped());
        if std::env::var_os("CARGO_TERM_COLOR").is_none() && ui::has_colour() {
            command.env("CARGO_TERM_COLOR", "always");
        }
    }
    wait(command, |child| {
        let stderr = child.stderr.take();
        let Some(stdout) = child.stdout.take() else {
            return Ok(());
        };
        let (over, is_over) = mpsc::channel::<()>();
        let (runs, store) = (AtomicBool::new(false), &plan.store);
        std::thread::scope(|scope| {
            if let Some(stderr) = stderr {
                scope.spawn(|| pass_on(stderr, live));
                {
                    let runs = &runs;
                    scope.spawn(move || show_runs(store, runs, is_over, live));
                }
            }
            let noted = read_messages(plan, stdout, to_stdout, &runs, live);
            drop(over);
            noted
        })
    })
}

/// Passes cargo's messages to people on, line by line.
fn pass_on(stderr: impl io::Read, live: &Live) {
    let mut lines = BufReader::new(stderr);
    let mut read = Vec::new();
    while lines
        .read_until(b'\n', &mut read)
        .is_ok_and(|count| count > 0)
    {
        let _ = live.above(|| io::stderr().write_all(&read));
        read.clear();
    }
}

/// Shows how many runs there are, until it is over.
fn show_runs(store: &Store, runs: &AtomicBool, over: mpsc::Receiver<()>, live: &Live) {
    const EVERY: Duration = Duration::from_millis(500);
    while over.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        // A store that cannot be read just now is the business of those that need it.
        if runs.load(Ordering::Relaxed)
            && let Ok(tally) = store.tally()
        {
            live.show(format_args!("running: {}", runs_so_far(&tally)));
        }
    }
}

fn read_messages(
    plan: &Plan,
    stdout: impl io::Read,
    to_stdout: bool,
    runs: &AtomicBool,
    live: &Live,
) -> Result<(), Failure> {
    let mut messages = Vec::new();
    let mut lines = BufReader::new(stdout);
    let mut read = Vec::new();
    let mut compiled = 0;
    loop {
        read.clear();
        let count = lines.read_until(b'\n', &mut read);
        if !count.is_ok_and(|count| count > 0) {
            return Ok(());
        }
        if read.starts_with(b"{\"reason\":") {
            messages.extend_from_slice(&read);
            if read.starts_with(b"{\"reason\":\"build-finished\"") {
                note(plan, &messages)?;
                runs.store(true, Ordering::Relaxed);
                live.show("running");
            } else if live.is_on()
                && let Some(name) = compiled_target(&read)
            {
                compiled += 1;
                live.show(format_args!("building: {compiled} compiled, {name} last"));
            }
            continue;
        }
        // A closed pipe means that the reader has seen enough.
        let _ = live.above(|| match to_stdout {
            true => io::stdout().write_all(&read),
            false => io::stderr().write_all(&read),
        });
    }
}

/// The target that a message of cargo's says was compiled just now.
fn compiled_target(message: &[u8]) -> Option<String> {
    let message: serde_json::Value = serde_json::from_slice(message).ok()?;
    let is_new = message["reason"] == "compiler-artifact" && message["fresh"] == false;
    let name = message["target"]["name"].as_str().filter(|_| is_new)?;
    Some(name.to_owned())
}

fn count(tally: &[(Obtained, u64)]) -> u64 {
    tally.iter().map(|(_, count)| count).sum()
}

fn note(plan: &Plan, messages: &[u8]) -> Result<(), Failure> {
    let mut objects = built_objects(messages);
    if !plan.wrapper.build_scripts {
        let is_script = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("build-script-") || name.starts_with("build_script_")
        };
        objects.retain(|path| !is_script(path));
    }
    let objects: Vec<PathBuf> = objects.into_iter().map(lasting).collect();
    plan.store.add_binaries(&objects)?;
    Ok(())
}

/// The name under which cargo keeps a file: one with a hash, which builds of other features and
/// profiles do not take. What cargo names in its messages is a link to it, of which there is one
/// for all of them.
fn lasting(path: PathBuf) -> PathBuf {
    let find = || {
        let metadata = path.metadata().ok()?;
        let folder = path.parent()?;
        let stem = path.file_stem()?.to_string_lossy().replace('-', "_");
        let folders = [folder.join("deps"), folder.to_owned()];
        let entries = folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok());
        entries
            .flatten()
            .filter_map(|entry| entry.ok())
            .find_map(|entry| {
                let name = entry.file_name().to_string_lossy().replace('-', "_");
                let is_like = name.starts_with(&stem) && entry.path() != path;
                let found = entry.metadata().ok().filter(|_| is_like)?;
                let is_same = (found.dev(), found.ino()) == (metadata.dev(), metadata.ino());
                is_same.then(|| entry.path())
            })
    };
    find().unwrap_or(path)
}

/// Runs a command to its end. Meanwhile Ctrl-C is for it, not for us.
fn wait(
    command: &mut Command,
    meanwhile: impl FnOnce(&mut std::process::Child) -> Result<(), Failure>,
) -> Result<ExitStatus, Failure> {
    let program = command.get_program().to_owned();
    let fail = |source| Error::Read {
        path: PathBuf::from(&program),
        source,
    };
    watch_signals().map_err(fail)?;
    let mut child = command.spawn().map_err(fail)?;
    CHILD.store(i32::try_from(child.id()).unwrap_or(0), Ordering::Release);
    let noted = meanwhile(&mut child);
    let status = child.wait();
    CHILD.store(0, Ordering::Release);
    let status = status.map_err(fail)?;
    noted?;
    Ok(status)
}

/// The process that signals are for; 0 if they are for us.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// What the terminal sends, cargo gets too, and what is sent to us is passed on to it. Without
/// cargo, signals do what they always do.
fn watch_signals() -> io::Result<()> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.get().is_some() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            let child = CHILD.load(Ordering::Acquire);
            let passed_on = match signal {
                SIGTERM => Some(Signal::SIGTERM),
                SIGHUP => Some(Signal::SIGHUP),
                _ => None,
            };
            if child == 0 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            } else if let Some(signal) = passed_on {
                // It may have ended just now.
                let _ = kill(Pid::from_raw(child), signal);
            }
        }
    })?;
    let _ = WATCHED.set(());
    Ok(())
}
