//! `cargo bincover`: cargo's own commands, instrumented, and a report.
//!
//! Cargo calls this program in three roles: as a command; as the compiler's wrapper, for each
//! crate ([`wrapper`]); and as the runner of each program ([`runner`]). The last two are links of
//! their own names, with a file beside them that says what is to be done.

pub(crate) mod args;
mod ask;
mod build;
mod ffi;
mod files;
mod plan;
mod report;
mod runner;
mod show_env;
mod wrapper;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use bincover::Error;
use bincover::run::workspace::RUNNER_NAME;
use bincover::run::wrapper::WRAPPER_NAME;

use crate::exit::Exit;
use crate::ui::{self, Live};
use args::{Action, Line};
use plan::Plan;

const NAME: &str = "cargo-bincover";

/// Why there is no report, or less than that.
#[derive(Debug)]
struct Failure {
    message: String,
    hint: Option<String>,
    exit: Exit,
}

impl Failure {
    /// What was asked for cannot be had.
    fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
            exit: Exit::Usage,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: error.to_string(),
            hint: ui::hint(&error),
            exit: Exit::of(&error),
        }
    }
}

/// The command, in whichever role it was called.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let mut args: Vec<OsString> = args.collect();
    let name = Path::new(&program).file_name().unwrap_or_default();
    if name == WRAPPER_NAME {
        return wrapper::run(Path::new(&program), &args);
    }
    if name == RUNNER_NAME {
        return runner::run(Path::new(&program), args);
    }
    // Cargo gives the word that it found us by.
    if args.first().is_some_and(|word| word == "bincover") {
        args.remove(0);
    }
    let args = match crate::config::with_cargo_options(args) {
        Ok(args) => args,
        Err(wrong) => return crate::misconfigured(NAME, &wrong),
    };
    let line = match args::parse(args, is_cargos) {
        Ok(line) => line,
        Err(error) => return crate::usage(&error),
    };
    match perform(&line) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say(&failure);
            failure.exit.into()
        }
    }
}

fn say(failure: &Failure) {
    ui::say_text(format_args!("{NAME}: error: {}", failure.message));
    if let Some(hint) = &failure.hint {
        ui::say_text(format_args!("  hint: {hint}"));
    }
}

/// Whether cargo's help for a command has an option of this name.
fn is_cargos(action: Action, name: &str) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = action.cargo_words();
    let output = Command::new(cargo).args(words).arg("--help").output();
    let Ok(output) = output else {
        return false;
    };
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut options = help.split(|letter| !is_part(letter));
    options.any(|word| word.strip_prefix("--") == Some(name))
}

fn perform(line: &Line) -> Result<Exit, Failure> {
    let plan = Plan::new(line)?;
    report::check(line)?;
    match line.action {
        Action::Report => report_only(&plan, line),
        Action::Diff | Action::Missing | Action::Ratchet => ask::answer(&plan, line),
        Action::Clean => clean(&plan, line),
        Action::ShowEnv => show_env::show(&plan, line),
        Action::Build | Action::NextestArchive => {
            let environment = plan.environment(line)?;
            let status = build::build(&plan, line, &environment)?;
            Ok(exit(status))
        }
        Action::Run | Action::Test | Action::Nextest | Action::Bench => {
            match line.options.report.no_run {
                true => report_only(&plan, line),
                false => measure(&plan, line),
            }
        }
    }
}

fn report_only(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    settle(plan, "environment")?;
    report::report(plan, line)
}

/// Builds, runs and reports. The tests' outcome is the exit code, whatever the report says, unless
/// they passed.
fn measure(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    let options = &line.options;
    if !options.measure.no_clean && !options.report.no_report {
        plan.store.add_loose(&plan.store.loose_folder(), None)?;
        plan.store.clean()?;
    }
    let environment = plan.environment(line)?;
    let status = build::build_and_run(plan, line, &environment)?;
    let status = match status {
        build::Outcome::NotBuilt(status) => {
            ui::say(format_args!(
                "{NAME}: error: the build failed; nothing was run"
            ));
            for target in &plan.targets {
                if !plan.workspace.has_profiler_runtime(target) {
                    ui::say(format_args!(
                        "  hint: this toolchain has no profiler runtime (`profiler_builtins`) for \
                         {target}; toolchains from rustup have one"
                    ));
                }
            }
            return Ok(exit(status));
        }
        build::Outcome::Ran(status) => status,
    };
    settle(plan, "build")?;
    let ran = exit(status);
    if !status.success() && !options.measure.ignore_run_fail {
        ui::say(format_args!(
            "{NAME}: warning: {} ended with {status}; what was reached is kept{}",
            line.action.name(),
            if options.report.no_report {
                ""
            } else {
                " and reported"
            }
        ));
    }
    let reported = match options.report.no_report {
        true => {
            report::say_runs(&plan.store)?;
            Ok(Exit::Done)
        }
        false => report::report(plan, line),
    };
    if status.success() || options.measure.ignore_run_fail {
        return reported;
    }
    if let Err(failure) = reported {
        say(&failure);
    }
    Ok(ran)
}

/// Puts into the store what lies about; `context` says who wrote it.
fn settle(plan: &Plan, context: &str) -> Result<(), Failure> {
    let live = Live::start();
    live.show("adding up what was reached");
    plan.store.settle()?;
    let loose = plan
        .store
        .add_loose(&plan.store.loose_folder(), Some(context))?;
    drop(live);
    if loose.in_use > 0 {
        ui::say(format_args!(
            "{NAME}: note: {} processes are still running; what they reached so far is counted",
            loose.in_use
        ));
    }
    Ok(())
}

/// Forgets what was run. What was built is in no report before it runs again, so it need not go
/// unless all is to go.
fn clean(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    let cleaned = plan.store.clean()?;
    if line.options.measure.profraw_only || line.has_cargo_flag(&["--workspace"]) {
        ui::say(format_args!("{NAME}: deleted {} runs", cleaned.runs));
        return Ok(Exit::Done);
    }
    let folder = plan.store.folder().parent().unwrap_or(Path::new("."));
    let going_on = match cleaned.going_on {
        0 => String::new(),
        count => format!("; {count} going on will be in the store"),
    };
    // Runs that are going on are in the store, and it is left to them.
    if let Ok(entries) = std::fs::read_dir(folder) {
        for entry in entries.filter_map(|entry| entry.ok()) {
            let path = entry.path();
            let is_at_work = path == plan.store.folder() && cleaned.going_on > 0;
            // Environments that `show-env` made name these.
            if is_at_work || path == plan.tools() {
                continue;
            }
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(|source| Error::Write { path, source })?;
        }
    }
    ui::say(format_args!(
        "{NAME}: deleted {} runs, and what was built, from {}{going_on}",
        cleaned.runs,
        folder.display()
    ));
    Ok(Exit::Done)
}

/// Cargo's own end as ours.
fn exit(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    let code = match (status.code(), status.signal()) {
        (Some(0), _) => return Exit::Done,
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    Exit::Program(u8::try_from(code).unwrap_or(u8::MAX))
}
