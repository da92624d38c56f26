//! `llvm-profdata`: merge, show, overlap and order, for instrumentation profiles.

mod merge;
mod order;
mod overlap;
mod show;

use std::ffi::OsString;

use crate::exit::Exit;
use crate::llvm::options::{Program, Spec};
use crate::llvm::{LLVM_VERSION, os_words};
use crate::ui;

/// One of the tool's commands.
struct Command {
    name: &'static str,
    help: &'static str,
    options: &'static [Spec],
    run: fn(&Program, Vec<OsString>) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "merge",
        help: "Merge profiles, raw, indexed and text, into one",
        options: merge::SPECS,
        run: merge::run,
    },
    Command {
        name: "show",
        help: "Show what is in a profile",
        options: show::SPECS,
        run: show::run,
    },
    Command {
        name: "order",
        help: "Order functions by temporal traces",
        options: order::SPECS,
        run: order::run,
    },
    Command {
        name: "overlap",
        help: "Compare two profiles",
        options: overlap::SPECS,
        run: overlap::run,
    },
];

/// What there is, or what a command takes.
fn help(command: Option<&Command>) -> String {
    let mut text = "OVERVIEW: LLVM profile data, as llvm-profdata handles it\n\n".to_owned();
    match command {
        Some(command) => {
            text += &format!(
                "{}\n\nUSAGE: llvm-profdata {} [options] <inputs>\n\nOPTIONS:\n",
                command.help, command.name
            );
            for option in command.options {
                let alias = option
                    .alias
                    .map(|alias| format!("-{alias}, "))
                    .unwrap_or_default();
                let value = option.takes.placeholder();
                text += &format!("  {alias}--{}{value}\n", option.name);
            }
        }
        None => {
            text += "USAGE: llvm-profdata <command> [options] <inputs>\n\nCOMMANDS:\n";
            for command in COMMANDS {
                text += &format!("  {:<9}{}\n", command.name, command.help);
            }
        }
    }
    text + "\nSample profiles and memory profiles are not read. `bincover-merge --help` has our own spelling.\n"
}

/// Why a command failed; the text is LLVM's.
pub(super) struct Failure(String);

impl Failure {
    /// As LLVM's tools print errors of their own.
    pub(super) fn error(message: impl std::fmt::Display) -> Self {
        Self(format!("error: {message}"))
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message)
    }
}

fn command_named(word: &OsString) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| word == command.name)
}

/// True for the first words that make a command line LLVM's.
pub(crate) fn is_command(word: &OsString) -> bool {
    command_named(word).is_some()
}

/// Runs the tool under its name, which LLVM's messages begin with.
pub(crate) fn run(program: &Program, args: impl Iterator<Item = OsString>) -> Exit {
    match run_command(program, args.collect()) {
        Ok(()) => Exit::Done,
        Err(Failure(message)) => {
            ui::say_text(message);
            Exit::Failure
        }
    }
}

fn run_command(program: &Program, mut args: Vec<OsString>) -> Result<(), Failure> {
    let Program { name, invoked } = program;
    let Some(first) = args.first() else {
        let message = "No subcommand specified! Run llvm-profdata --help for usage.";
        return Err(format!("{name}: {message}").into());
    };
    let command = command_named(first);
    let asks = |words: &[&str]| {
        let is_it = |arg: &OsString| words.iter().any(|word| arg == word);
        args.iter()
            .take(if command.is_some() { usize::MAX } else { 1 })
            .any(is_it)
    };
    if asks(&["-version", "--version"]) {
        let version = env!("CARGO_PKG_VERSION");
        return print(&format!(
            "bincover {version}\n  LLVM version {LLVM_VERSION}\n"
        ));
    }
    if asks(&["-h", "-help", "--help"]) {
        return print(&help(command));
    }
    let Some(command) = command else {
        let word = first.display();
        return Err(
            format!("{name}: Unknown subcommand '{word}'.  Try: '{invoked} --help'").into(),
        );
    };
    args.remove(0);
    (command.run)(program, args)
}

fn print(text: &str) -> Result<(), Failure> {
    ui::print(text.as_bytes()).map_err(Failure::error)
}

/// Puts what a command shows where `-o` says, standard output by default.
fn put(output: Option<&OsString>, text: &[u8]) -> Result<(), Failure> {
    match output.filter(|output| *output != "-") {
        Some(path) => write(path.as_ref(), text),
        None => ui::print(text).map_err(Failure::error),
    }
}

/// Writes a file; the message has LLVM's form.
fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    bincover::write_atomically(path, |out| out.write_all(bytes))
        .map_err(|error| Failure::error(format_args!("{}: {}", path.display(), reason(&error))))
}

/// The operating system's words, without the number that Rust adds.
fn reason(error: &bincover::Error) -> String {
    match error {
        bincover::Error::NoFolder { .. } => "No such file or directory".to_owned(),
        bincover::Error::Write { source, .. } | bincover::Error::Read { source, .. } => {
            os_words(source)
        }
        other => other.to_string(),
    }
}

/// LLVM's message for a profile that cannot be read.
fn unreadable(path: &OsString, error: &bincover::profile::Error) -> Failure {
    let hint = match error.kind() {
        bincover::profile::ErrorKind::UnrecognizedFormat => {
            "\nnote: Perhaps you forgot to use the --sample or --memory option?"
        }
        _ => "",
    };
    Failure::error(format_args!(
        "{}: {}{hint}",
        path.display(),
        error.llvm_message()
    ))
}

/// The bytes of a profile; the message for one that cannot be opened is LLVM's.
fn read(path: &OsString) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| match path.is_empty() {
        true => Failure::error(os_words(&error)),
        false => Failure::error(format_args!("{}: {}", path.display(), os_words(&error))),
    })
}
