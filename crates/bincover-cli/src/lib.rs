//! The command line: arguments in, exit codes and words out. Everything else is the library
//! `bincover`.
//!
//! `args` is what was typed, `commands` what is done about it, `ui` how people are spoken to,
//! `exit` what the exit codes mean, `signals` what does not end us.

mod args;
mod cargo;
mod clang;
mod commands;
mod config;
mod exit;
mod front;
mod go;
mod ledger;
mod limits;
mod llvm;
mod merge_args;
mod patch_args;
mod report_args;
mod selection_args;
mod signals;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use exit::Exit;

/// The command `bincover`.
#[must_use]
pub fn bincover(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    signals::survive_large_files();
    let mut args: Vec<OsString> = args.into_iter().collect();
    let program =
        llvm::options::Program::new(args.first().map_or("".as_ref(), OsString::as_os_str));
    // Called as LLVM's tool, it is LLVM's tool.
    if program.name.starts_with("llvm-cov") {
        return llvm::cov::run(&program, args.drain(1..)).into();
    }
    // Suites start thousands of runs. Without a file of options, the other commands need not be known for one.
    if config::found().is_none()
        && let Some(args) = args::RunArgs::of(&args)
    {
        return finish("bincover", commands::run::run(&args));
    }
    let args = match config::with_options(args) {
        Ok(args) => args,
        Err(wrong) => return misconfigured("bincover", &wrong),
    };
    let args = match args::Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let choice = config::Choice::of(args.config.as_deref(), args.no_config);
    let result = match args.command {
        args::Action::Demo(args) => commands::demo::run(&args),
        args::Action::Run(args) => commands::run::run(&args),
        args::Action::Build(args) => commands::build::build(&args),
        args::Action::Env(args) => commands::build::env(&args),
        args::Action::Merge(args) => commands::merge::run("bincover", &args),
        args::Action::Fold(args) => commands::fold::run(&args),
        args::Action::Report(args) => commands::report::run(&args),
        args::Action::Convert(args) => commands::convert::run(&args),
        args::Action::Missing(args) => commands::missing::run(&args),
        args::Action::Diff(args) => commands::diff::run(&args),
        args::Action::Ratchet(args) => commands::ratchet::run(&args),
        args::Action::Paths(action) => commands::paths::run(&action),
        args::Action::Runs(args) => commands::runs::run(&args),
        args::Action::Snapshot(args) => commands::snapshot::run(&args),
        args::Action::Clean(args) => commands::clean::run(&args),
        args::Action::Store(action) => commands::shards::run(&action),
        args::Action::Config(args) if args.schema => {
            ui::print(config::schema().as_bytes()).map(|()| Exit::Done)
        }
        args::Action::Config(_) => match config::shown(&choice) {
            Ok(text) => ui::print(text.as_bytes()).map(|()| Exit::Done),
            Err(wrong) => return misconfigured("bincover", &wrong),
        },
        args::Action::Completions(args) => commands::config::completions(&args),
        args::Action::Man(args) => commands::config::man(&args),
        args::Action::Go { args } => return go::run(args.into_iter()).into(),
        args::Action::LlvmCov { args } => {
            let program = llvm::options::Program::new("llvm-cov".as_ref());
            return llvm::cov::run(&program, args.into_iter()).into();
        }
    };
    finish("bincover", result)
}

/// The command `bincover-merge`.
#[must_use]
pub fn bincover_merge(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    signals::survive_large_files();
    let mut args: Vec<OsString> = args.into_iter().collect();
    let program =
        llvm::options::Program::new(args.first().map_or("".as_ref(), OsString::as_os_str));
    // Called as LLVM's tool, or with one of its commands, it is LLVM's tool.
    let is_llvm = program.name.starts_with("llvm-profdata");
    if is_llvm || args.get(1).is_some_and(llvm::profdata::is_command) {
        return llvm::profdata::run(&program, args.drain(1..)).into();
    }
    let args = match merge_args::Merge::try_parse_from(args) {
        Ok(merge) => merge.args,
        Err(error) => return usage(&error),
    };
    finish(
        "bincover-merge",
        commands::merge::run("bincover-merge", &args),
    )
}

/// The command `cargo bincover`, and what cargo calls while that is at work.
#[must_use]
pub fn cargo_bincover(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    signals::survive_large_files();
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|word| word == "llvm-cov") {
        let program = llvm::options::Program::new("llvm-cov".as_ref());
        return llvm::cov::run(&program, args.drain(2..)).into();
    }
    cargo::run(args)
}

/// What a `bincover.toml` of this text says: the options that each command gets, and their lines, as
/// `bincover config` shows them.
///
/// # Errors
/// What is wrong with it, in a message that begins with the file's name, the line and the column.
pub fn config_options(text: &str) -> Result<String, String> {
    config::shown_of(text).map_err(|config::Wrong(message)| message)
}

/// Help goes to standard output and is a success, a mistake to standard error.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    // It shows arguments, and a pattern may have put a file's name among them.
    let mut shown = error.context().map(|(_, value)| value.to_string());
    if let Some(value) = shown.find(|value| value.lines().any(|line| ui::tame(line) != line)) {
        ui::say(format_args!("error: {}: {value}", error.kind()));
        return Exit::Usage.into();
    }
    // If nobody listens any more, there is nobody to tell.
    let _ = error.print();
    if is_help { Exit::Done } else { Exit::Usage }.into()
}

/// A mistake in the configuration file is one of usage.
fn misconfigured(command: &str, wrong: &config::Wrong) -> ExitCode {
    ui::say_text(format_args!("{command}: error: {}", wrong.0));
    Exit::Usage.into()
}

fn finish(command: &str, result: Result<Exit, bincover::Error>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui::error(command, &error);
            Exit::of(&error).into()
        }
    }
}
