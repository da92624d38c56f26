//! What can fail between a program and its report.

use std::io;
use std::path::{Path, PathBuf};

use bincover_report::printable;
use bstr::{BString, ByteSlice};

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a callback may fail with.
pub type CallbackError = Box<dyn std::error::Error + Send + Sync>;

/// Why something was not done. The message is complete: it holds the path and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("cannot read `{}`: {source}", shown(path))]
    Read {
        /// Which.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file or folder could not be written. What was there before is as it was.
    #[error("cannot write `{}`: {source}", shown(path))]
    Write {
        /// Which.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// An output cannot be written because its folder does not exist.
    #[error(
        "cannot write `{}`: expected a folder `{}`, found none",
        shown(path),
        shown(folder)
    )]
    NoFolder {
        /// The output.
        path: PathBuf,
        /// The folder that is missing.
        folder: PathBuf,
    },
    /// An object's coverage mapping could not be read.
    #[error("cannot read the coverage mapping of `{}`: {source}", shown(path))]
    Object {
        /// Which.
        path: PathBuf,
        /// What was wanted, what was there, and where.
        source: bincover_mapping::Error,
    },
    /// Inputs could not be used, or there were none; nothing was written.
    #[error("nothing was merged: {reason}")]
    NothingToMerge {
        /// How many could not be used, or that there was none.
        reason: String,
    },
    /// No object with a coverage mapping was given or run.
    #[error("nothing to measure: {reason}")]
    NothingToMeasure {
        /// What was looked at.
        reason: String,
    },
    /// Markers in sources, which say what to leave out of reports, have no beginning or no end.
    #[error("markers are not balanced: {}", listed(places))]
    UnbalancedMarkers {
        /// The file, the line, and what is wrong there.
        places: Vec<(BString, u32, String)>,
    },
    /// A program could not be built or started.
    #[error("{0}")]
    Run(#[from] bincover_run::Error),
    /// A process's memory could not be read.
    #[error("{0}")]
    Memory(#[from] bincover_rescue::Error),
    /// A callback of the caller's failed.
    #[error("the callback {when} failed: {source}")]
    Callback {
        /// "before the run" or "after the run".
        when: &'static str,
        /// The callback's error.
        source: CallbackError,
    },
    /// A test binary of Go does not run `main` as it was asked to.
    #[error("cannot run `{}` as a test of main: {reason}", shown(program))]
    TestMain {
        /// As it was called.
        program: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The total of earlier folds cannot be read. The profiles that were to be added to it are
    /// where they were.
    #[error("cannot add to `{}`: {reason}", shown(path))]
    Total {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to compare with.
    #[error("cannot compare with `{}`: {reason}", printable(base))]
    NoBase {
        /// What was to be compared with.
        base: String,
        /// What is not there.
        reason: String,
        /// The repository has only a part of its history.
        is_shallow: bool,
    },
    /// Git failed, or could not be started.
    #[error("`{command}` failed: {reason}")]
    Git {
        /// What was asked of it.
        command: String,
        /// What it said.
        reason: String,
    },
    /// A patch or the report of an earlier version cannot be used.
    #[error("cannot use `{}`: {reason}", shown(path))]
    Comparison {
        /// Which.
        path: PathBuf,
        /// What was expected, and what was found.
        reason: String,
    },
    /// A store's database cannot be used. What was in it is as it was.
    #[error("cannot use the store `{}`: {reason}", shown(path))]
    Store {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A record of a run or of a fold is not one that this version writes.
    #[error("cannot read the record `{}`: {reason}", shown(path))]
    Record {
        /// Which.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
}

/// A path as messages show it: it cannot move a terminal's cursor or begin a line of its own.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

fn listed(places: &[(BString, u32, String)]) -> String {
    const SHOWN: usize = 20;
    let shown = places.iter().take(SHOWN).map(|(file, line, what)| {
        let file = crate::exclusions::shown(file.as_bstr());
        format!("{file}:{line}: {what}")
    });
    let mut text = shown.collect::<Vec<_>>().join("; ");
    if places.len() > SHOWN {
        text += &format!("; {} more", places.len() - SHOWN);
    }
    text
}

impl Error {
    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Read { path, source }
    }

    pub(crate) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Write { path, source }
    }
}

/// Whether a file could not be opened or read for want of something that there may be enough of the
/// next time: descriptors, or memory. That says nothing of the file, so it must not be given up.
pub(crate) fn is_scarce(error: &io::Error) -> bool {
    let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOMEM];
    let is_scarce = |code| scarce.contains(&code);
    error.kind() == io::ErrorKind::OutOfMemory || error.raw_os_error().is_some_and(is_scarce)
}

/// The same error once more.
pub(crate) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
