//! How people are spoken to: on standard error, with colour and progress only on a terminal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bincover::mapping::Evaluation;
use bincover::model::{Coverage, File};
use bincover::profile::Ledger;
use bincover::report::{Options, printable};
use bincover::{Error, GoLedger, ImportEntry};
use bstr::{BString, ByteSlice, ByteVec};
use indicatif::{ProgressBar, ProgressStyle};

use crate::ledger::MismatchCause;

/// What makes a program's coverage measurable.
pub(crate) const HOW_TO_INSTRUMENT: &str = "build it with coverage: RUSTFLAGS=\"-C instrument-coverage \
     -C llvm-args=-runtime-counter-relocation\" cargo build, or clang -fprofile-instr-generate \
     -fcoverage-mapping -mllvm -runtime-counter-relocation, or go build -cover";

/// A line to standard error, and no more than a line, whatever names are in it. If nobody listens any more,
/// there is nobody to tell.
pub(crate) fn say(line: impl Display) {
    let line = printable(&line.to_string());
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// The same for messages that may have several lines, such as what a compiler said.
pub(crate) fn say_text(text: impl Display) {
    let text = tame(&text.to_string());
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Lines of text as a terminal may be given them.
pub(crate) fn tame(text: &str) -> String {
    let tame = |part: &str| {
        let end = part.len() - usize::from(part.ends_with(['\n', '\t']));
        printable(&part[..end]) + &part[end..]
    };
    text.split_inclusive(['\n', '\t']).map(tame).collect()
}

/// An error, with a hint where we have one.
pub(crate) fn error(command: &str, error: &Error) {
    say_text(format_args!("{command}: error: {error}"));
    if let Some(hint) = hint(error) {
        say_text(format_args!("  hint: {hint}"));
    }
}

/// What to do about an error, where we know that.
pub(crate) fn hint(error: &Error) -> Option<String> {
    use bincover::mapping::ErrorKind;
    match error {
        Error::Object { source, .. } if source.kind() == ErrorKind::NoCoverageData => {
            Some(HOW_TO_INSTRUMENT.to_owned())
        }
        Error::NoFolder { folder, .. } => Some(format!("mkdir -p '{}'", printable(&folder.to_string_lossy()))),
        Error::Run(error) => error.hint().map(str::to_owned),
        Error::NoBase {
            is_shallow: true, ..
        } => Some(
            "this clone has a part of the history only: `git fetch --unshallow`, or `fetch-depth: 0` \
             for actions/checkout, `GIT_DEPTH: 0` for GitLab"
                .to_owned(),
        ),
        Error::NoBase { .. } => Some(
            "`git fetch origin` gets the remote's branches, and `git branch --all` lists what there is"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The short account of what a merge left out.
pub(crate) fn ledger(command: &str, ledger: &Ledger) {
    const SHOWN: usize = 20;
    for entry in ledger.entries.iter().take(SHOWN) {
        say(format_args!("{command}: left out: {entry}"));
    }
    let rest = ledger.entries.len().saturating_sub(SHOWN);
    if rest > 0 {
        say(format_args!("{command}: left out: {rest} more"));
    }
}

/// The same of Go's files.
pub(crate) fn go_ledger(command: &str, ledger: &GoLedger) {
    const SHOWN: usize = 20;
    for entry in ledger.entries.iter().take(SHOWN) {
        let what = match entry.cause.is_loss() {
            true => "left out",
            false => "warning",
        };
        say(format_args!("{command}: {what}: {entry}"));
    }
    let rest = ledger.entries.len().saturating_sub(SHOWN);
    if rest > 0 {
        say(format_args!("{command}: left out: {rest} more"));
    }
}

/// The same of reports.
pub(crate) fn imports(command: &str, left_out: &[ImportEntry]) {
    for entry in left_out {
        say(format_args!("{command}: left out: {entry}"));
    }
}

/// How many functions profile and objects disagree on, a line for each cause. A function that one
/// binary uses and another does not is nothing to be told of, unless the ledger was asked for.
/// None of this is a failure.
pub(crate) fn mismatches(command: &str, evaluation: &Evaluation, ledger: Option<&Path>) {
    let is_said = |cause: &MismatchCause| *cause != MismatchCause::UnusedStub || ledger.is_some();
    let mut said = false;
    for (cause, count) in MismatchCause::tally(evaluation) {
        if count > 0 && is_said(&cause) {
            let functions = if count == 1 { "function" } else { "functions" };
            say(format_args!(
                "{command}: note: {count} {functions}: {cause}"
            ));
            said = true;
        }
    }
    match ledger {
        Some(path) if said => say(format_args!(
            "{command}: note: these functions are listed in {}",
            path.display()
        )),
        None if said => say(format_args!(
            "{command}: note: --ledger FILE lists these functions"
        )),
        _ => {}
    }
}

/// What is being done: a spinner on a terminal, plain lines elsewhere.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {msg}");
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    pub(crate) fn step(&self, what: impl Display) {
        match &self.0 {
            Some(bar) => bar.set_message(printable(&what.to_string())),
            None => say(what),
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Whether standard error is to have colour.
pub(crate) fn has_colour() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// What is going on now, in one line at the bottom of the terminal. Elsewhere nothing is said.
pub(crate) struct Live(Option<ProgressBar>);

impl Live {
    pub(crate) fn start() -> Self {
        match std::io::stderr().is_terminal() {
            true => Self(Progress::start().0),
            false => Self::off(),
        }
    }

    pub(crate) fn off() -> Self {
        Self(None)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn show(&self, what: impl Display) {
        if let Some(bar) = &self.0 {
            bar.set_message(printable(&what.to_string()));
        }
    }

    /// Does what writes to the terminal, above that line.
    pub(crate) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Prints to standard output. A closed pipe means that the reader has seen enough.
pub(crate) fn print(text: &[u8]) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    // What is left for the end of the process to write would fail unseen.
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Write {
            path: "standard output".into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// The repository that the working folder is in, if files of it are covered: the nearest folder
/// above that has a `.git`. Empty if names are relative to it already.
pub(crate) fn repository(coverage: &Coverage) -> Option<BString> {
    let here = std::env::current_dir().ok()?;
    let folder = here
        .ancestors()
        .find(|folder| folder.join(".git").exists())?;
    let root = Vec::from_path_lossy(folder).into_owned();
    let is_inside = |file: &File| {
        let rest = file.name.strip_prefix(root.as_slice());
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    if coverage.files.iter().any(is_inside) {
        return Some(root.into());
    }
    let is_relative = |file: &File| {
        let path = file.name.to_path();
        path.is_ok_and(|path| path.is_relative() && path.is_file())
    };
    let is_at_root = here == folder;
    (is_at_root && coverage.files.iter().any(is_relative)).then(BString::default)
}

/// How reports look: as wide as the terminal on standard output, in colour if it wants that, and
/// made now. Of a file or a pipe nothing of the kind is known.
pub(crate) fn report_options() -> Options {
    let stdout = std::io::stdout();
    let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let choice = anstream::AutoStream::choice(&stdout);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Options {
        width,
        colour: choice != anstream::ColorChoice::Never,
        timestamp: now.unwrap_or_default().as_secs(),
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_nothing_else_moves() {
        assert_eq!(tame("a\tb\n\nc"), "a\tb\n\nc");
        assert_eq!(
            tame("\x1b[2J\u{9b}x\r\n\u{202e}y"),
            "\u{fffd}[2J\u{fffd}x\u{fffd}\n\u{fffd}y"
        );
    }
}
