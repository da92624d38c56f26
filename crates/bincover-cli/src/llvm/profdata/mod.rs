//! `llvm-profdata`: merge, show, overlap and order, for instrumentation profiles.

mod merge;
mod order;
mod overlap;
mod show;

use std::ffi::OsString;

use crate::exit::Exit;
use crate::llvm::options::Program;
use crate::ui;

/// The version of LLVM whose output this is.
const LLVM_VERSION: &str = "22.1.8";

const HELP: &str = "\
OVERVIEW: LLVM profile data, as llvm-profdata handles it

USAGE: llvm-profdata <merge|show|order|overlap> [options] <inputs>

SUBCOMMANDS:
  merge    Merge profiles, raw, indexed and text, into one
  show     Show what is in a profile
  order    Order functions by temporal traces
  overlap  Compare two profiles

Options are llvm-profdata's, for instrumentation profiles. Sample profiles and memory
profiles are not read. `bincover-merge --help` has our own spelling.";

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

/// True for the first words that make a command line LLVM's.
pub(crate) fn is_subcommand(word: &OsString) -> bool {
    ["merge", "show", "overlap", "order"]
        .iter()
        .any(|name| word == name)
}

/// Runs the tool under its name, which LLVM's messages begin with.
pub(crate) fn run(program: &Program, mut args: impl Iterator<Item = OsString>) -> Exit {
    let Some(command) = args.next() else {
        let name = &program.name;
        ui::say(format_args!(
            "{name}: No subcommand specified! Run llvm-profdata --help for usage."
        ));
        return Exit::Failure;
    };
    let args: Vec<OsString> = args.collect();
    let wants = |name: &str| {
        let is_it = |arg: &OsString| {
            arg.to_str()
                .is_some_and(|arg| arg.trim_start_matches('-') == name && arg.starts_with('-'))
        };
        is_it(&command) || is_subcommand(&command) && args.iter().any(is_it)
    };
    let result = if wants("version") {
        print(&format!(
            "bincover {}\n  LLVM version {LLVM_VERSION}\n",
            env!("CARGO_PKG_VERSION")
        ))
    } else if wants("help") || wants("h") {
        print(&format!("{HELP}\n"))
    } else {
        match command.to_str() {
            Some("merge") => merge::run(program, args),
            Some("show") => show::run(program, args),
            Some("order") => order::run(program, args),
            Some("overlap") => overlap::run(program, args),
            _ => {
                let Program { name, invoked } = program;
                let word = command.display();
                Err(format!("{name}: Unknown subcommand '{word}'.  Try: '{invoked} --help'").into())
            }
        }
    };
    match result {
        Ok(()) => Exit::Done,
        Err(Failure(message)) => {
            ui::say(message);
            Exit::Failure
        }
    }
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

fn os_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
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
