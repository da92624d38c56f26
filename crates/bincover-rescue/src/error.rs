//! What can go wrong with a process that is to be read.

use std::fmt;
use std::io;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a process could not be read. The message is a fragment that fits after "failed to".
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    pid: u32,
    reason: String,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no process with this id, or it has ended and its memory is gone.
    NoSuchProcess,
    /// The system does not let us read this process.
    Permission,
    /// Nothing that is mapped in it was built with coverage.
    NotInstrumented,
    /// Its memory or a binary that is mapped in it makes no sense, or could not be read.
    Unreadable,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, pid: u32, reason: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            kind,
            pid,
            // It may hold the path of a file.
            reason: reason.to_string().replace(char::is_control, "\u{fffd}"),
        }))
    }

    #[cold]
    pub(crate) fn io(pid: u32, what: &str, error: &io::Error) -> Self {
        const NO_SUCH_PROCESS: i32 = 3;
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            io::ErrorKind::NotFound => ErrorKind::NoSuchProcess,
            _ if error.raw_os_error() == Some(NO_SUCH_PROCESS) => ErrorKind::NoSuchProcess,
            _ => ErrorKind::Unreadable,
        };
        let reason = match kind {
            ErrorKind::NoSuchProcess => "there is no such process any more".to_owned(),
            ErrorKind::Permission => format!(
                "{what}: {error}; it may belong to another user, or the kernel restricts tracing \
                 (kernel.yama.ptrace_scope, a container's profile)"
            ),
            _ => format!("{what}: {error}"),
        };
        Self::new(kind, pid, reason)
    }

    #[cold]
    pub(crate) fn unreadable(pid: u32, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unreadable, pid, reason)
    }

    /// The class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The process that was to be read.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { pid, reason, .. } = &*self.0;
        write!(f, "read the coverage of process {pid}: {reason}")
    }
}

impl std::error::Error for Error {}
