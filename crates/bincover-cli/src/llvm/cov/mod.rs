//! `llvm-cov`: export, report and show, for coverage mapping of instrumented binaries.

mod demangle;
mod export;
mod filters;
mod load;
mod paths;
mod patterns;
mod report;
mod settings;
mod show;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;

use crate::exit::Exit;
use crate::llvm::LLVM_VERSION;
use crate::llvm::options::{Program, Spec};

/// One of the tool's commands.
struct Command {
    name: &'static str,
    help: &'static str,
    /// Beside those of all commands.
    options: &'static [Spec],
    run: fn(&Program, Vec<OsString>) -> Result<(), Stop>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "export",
        help: "Export coverage as JSON, or as an lcov tracefile.",
        options: export::SPECS,
        run: export::run,
    },
    Command {
        name: "report",
        help: "Summarize coverage by file, or by function.",
        options: report::SPECS,
        run: report::run,
    },
    Command {
        name: "show",
        help: "Annotate source files with coverage.",
        options: show::SPECS,
        run: show::run,
    },
];

/// Why a command ended: what there was to say has been said.
#[derive(Debug)]
struct Stop(Exit);

/// Where messages go, and in which colour.
#[derive(Clone, Copy, Debug, Default)]
struct Console {
    colours: bool,
}

impl Console {
    /// An error that ends the command.
    fn fatal(self, message: impl Display) -> Stop {
        self.error(message);
        Stop(Exit::Failure)
    }

    fn error(self, message: impl Display) {
        self.say(format_args!("error: {message}"));
    }

    fn warning(self, message: impl Display) {
        self.say(format_args!("warning: {message}"));
    }

    fn say(self, line: impl Display) {
        match self.colours {
            true => say(format_args!("\x1b[0;31m{line}\n\x1b[0m")),
            false => say(format_args!("{line}\n")),
        }
    }
}

/// Text for standard error as it is: LLVM colours a pipe too, when it is told to. If nobody
/// listens any more, there is nobody to tell.
fn say(text: impl Display) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Standard output, with room; a closed pipe means that the reader has seen enough.
struct Output(std::io::BufWriter<std::io::StdoutLock<'static>>);

impl Output {
    fn new() -> Self {
        let stdout = std::io::stdout().lock();
        Self(std::io::BufWriter::with_capacity(1 << 16, stdout))
    }

    /// What became of what was written.
    fn finish(mut self, written: std::io::Result<()>) -> Result<(), Stop> {
        match written.and_then(|()| self.0.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let words = super::os_words(&error);
                Err(Console::default().fatal(format_args!("standard output: {words}")))
            }
            _ => Ok(()),
        }
    }
}

const USAGE: &str = "\
Usage: llvm-cov {export|report|show} [OPTION]...

Shows code coverage information.

Subcommands:
";

fn usage() -> String {
    let mut text = USAGE.to_owned();
    for command in COMMANDS {
        text += &format!("  {}: {}\n", command.name, command.help);
    }
    text
}

/// What a command takes.
fn help(command: &Command) -> String {
    let mut text = format!(
        "OVERVIEW: LLVM code coverage, as llvm-cov shows it\n\n{}\n\nUSAGE: llvm-cov {} [options] <object> [-sources <source files>]\n\nOPTIONS:\n",
        command.help, command.name
    );
    for option in settings::specs(command.options) {
        let alias = option
            .alias
            .map(|alias| format!("-{alias}, "))
            .unwrap_or_default();
        text += &format!("  {alias}--{}{}\n", option.name, option.takes.placeholder());
    }
    text
}

/// Runs the tool under its name, which LLVM's messages begin with.
pub(crate) fn run(program: &Program, args: impl Iterator<Item = OsString>) -> Exit {
    match run_command(program, args.collect()) {
        Ok(()) => Exit::Done,
        Err(Stop(exit)) => exit,
    }
}

fn run_command(program: &Program, mut args: Vec<OsString>) -> Result<(), Stop> {
    let asks = |words: &[&str], args: &[OsString]| {
        args.iter().any(|arg| words.iter().any(|word| arg == word))
    };
    let Some(first) = args.first() else {
        say(usage());
        return Err(Stop(Exit::Failure));
    };
    let version = ["-version", "--version"];
    let Some(command) = COMMANDS.iter().find(|command| first == command.name) else {
        let first = std::slice::from_ref(first);
        if asks(&version, first) {
            return print(&version_text());
        }
        if asks(&["-h", "-help", "--help"], first) {
            return print(&usage());
        }
        let name = first[0].display();
        say(match name.to_string().as_str() {
            "gcov" | "convert-for-testing" => {
                format!("error: the command {name} is not supported by bincover\n")
            }
            _ => format!("Unrecognized command: {name}.\n\n{}", usage()),
        });
        return Err(Stop(Exit::Failure));
    };
    args.remove(0);
    if asks(&version, &args) {
        return print(&version_text());
    }
    if asks(&["-h", "-help", "--help"], &args) {
        return print(&help(command));
    }
    let program = Program {
        name: format!("{} {}", program.name, command.name),
        invoked: format!("{} {}", program.invoked, command.name),
    };
    (command.run)(&program, args)
}

fn version_text() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("bincover {version}\n  LLVM version {LLVM_VERSION}\n")
}

fn print(text: &str) -> Result<(), Stop> {
    let mut output = Output::new();
    let written = output.0.write_all(text.as_bytes());
    output.finish(written)
}

/// Bytes of a name as messages show them.
fn shown(name: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(name)
}
