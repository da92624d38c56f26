//! What can be wrong with a report, and where.

use std::fmt;

use bstr::ByteSlice;

use crate::limits::{MAX_FOUND, MAX_MESSAGE};

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a report was not read: what was wanted, what was there, and where.
///
/// The message does not hold a path: the caller knows it and puts it in front.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    what: &'static str,
    offset: u64,
    line: u64,
    expected: String,
    found: String,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The report begins like none that this crate reads.
    Unknown,
    /// The report ends too early.
    Truncated,
    /// Something that cannot be.
    Malformed,
    /// A number beyond what this crate takes.
    TooLarge,
}

impl Error {
    /// `at` is an offset in `bytes`, the whole report.
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        what: &'static str,
        bytes: &[u8],
        at: usize,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let at = at.min(bytes.len());
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
        Self(Box::new(Inner {
            kind,
            what,
            offset: at as u64,
            line,
            expected: expected.to_string(),
            found: tamed(&found.to_string()),
        }))
    }

    /// `at` is where the name is, or where what has it begins.
    #[cold]
    pub(crate) fn too_long(
        what: &'static str,
        bytes: &[u8],
        at: usize,
        most: usize,
        found: usize,
    ) -> Self {
        let expected = format_args!("no more than {most} bytes");
        Self::new(ErrorKind::TooLarge, what, bytes, at, expected, found)
    }

    #[cold]
    pub(crate) fn unknown(bytes: &[u8]) -> Self {
        let expected = "lcov (TN: or SF:), Cobertura (<coverage) or llvm-cov's JSON ({)";
        let first = bytes.lines().next().unwrap_or_default();
        let found = match bytes.is_empty() {
            true => "no bytes".to_owned(),
            false => shown(first),
        };
        Self::new(ErrorKind::Unknown, "report", bytes, 0, expected, found)
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being read.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.0.what
    }

    /// Bytes from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The line of the report, 1-based.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.0.line
    }

    /// What was wanted.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What was there.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.0.found
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            what,
            offset,
            line,
            expected,
            found,
            ..
        } = &*self.0;
        write!(
            f,
            "{what}: expected {expected} in line {line} (offset {offset:#x}), found {found}"
        )
    }
}

impl std::error::Error for Error {}

/// A parser's message, which may hold as much of the report as there is.
fn tamed(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    let mut letters = text.chars().map(plain);
    let mut tamed: String = letters.by_ref().take(MAX_MESSAGE).collect();
    if letters.next().is_some() {
        tamed.push('…');
    }
    tamed
}

/// Bytes of a report as a message shows them: cut, and nothing that a terminal would obey.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(MAX_FOUND)];
    let more = if cut.len() < bytes.len() { "…" } else { "" };
    format!("`{}{more}`", cut.to_str_lossy().escape_debug())
}
