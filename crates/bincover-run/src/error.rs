//! What can go wrong before, around and after a child process. How the child ended is no error:
//! that is [`Ending`](crate::Ending).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a program was not built, not started or not followed to its end.
///
/// The message is a fragment that fits after "failed to", holds the path, and is complete:
/// [`source`](std::error::Error::source) is always `None`.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    action: String,
    reason: String,
    path: Option<PathBuf>,
    hint: Option<String>,
    build_stderr: Option<String>,
    io: Option<io::Error>,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such program, neither at the path nor in `PATH`.
    ProgramNotFound,
    /// The system refuses to execute it: it is no program or not ours to run, its path goes through a file, round in circles
    /// or on for too long, it is open for writing, or its arguments and environment are too large.
    NotExecutable,
    /// The folder to run in is missing or no folder.
    WorkingFolder,
    /// The file for the child's standard input cannot be opened.
    StdinFile,
    /// The folder for profiles cannot be created or written.
    ProfileFolder,
    /// `%` in a profile folder: LLVM's runtime has no escape for it.
    PercentInPath,
    /// The system is out of processes, memory or file descriptors, or an argument has a NUL.
    Spawn,
    /// Following the process failed: a pipe, a signal or the wait.
    Process,
    /// Cargo's configuration or the toolchain could not be read.
    Toolchain,
    /// The toolchain has no profiler runtime (`profiler_builtins`).
    NoProfilerRuntime,
    /// Cargo ended without success; see [`Error::build_stderr`].
    BuildFailed,
    /// The build made no executable.
    NoExecutable,
    /// The build made several executables, and which one is meant was not said.
    SeveralExecutables,
}

impl Error {
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        action: impl fmt::Display,
        reason: impl fmt::Display,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            // It holds a path, which may be any.
            action: action.to_string().replace(char::is_control, "\u{fffd}"),
            reason: reason.to_string(),
            path: None,
            hint: None,
            build_stderr: None,
            io: None,
        }))
    }

    #[cold]
    pub(crate) fn io(kind: ErrorKind, action: impl fmt::Display, error: io::Error) -> Self {
        let mut made = Self::new(kind, action, &error);
        made.0.io = Some(error);
        made
    }

    #[cold]
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    #[cold]
    pub(crate) fn hinting(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint;
        self
    }

    #[cold]
    pub(crate) fn with_build_stderr(mut self, stderr: String) -> Self {
        self.0.build_stderr = Some(stderr);
        self
    }

    /// The class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or folder that the error is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// What to try, as a sentence fragment; not part of the message.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Everything that cargo wrote to its standard error, when a build failed.
    #[must_use]
    pub fn build_stderr(&self) -> Option<&str> {
        self.0.build_stderr.as_deref()
    }

    /// The system's error, when there is one. Its text is part of the message.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.io.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.action, self.0.reason)
    }
}

impl std::error::Error for Error {}
