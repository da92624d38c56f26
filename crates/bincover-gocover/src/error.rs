//! What can be wrong with Go's files, and where.

use std::fmt;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why bytes were not read: what was wanted, what was there, and where.
///
/// The message does not hold a path: the caller knows it and puts it in front.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    what: &'static str,
    offset: Option<u64>,
    expected: String,
    found: String,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file has no bytes.
    Empty,
    /// It does not begin as such a file does.
    BadMagic,
    /// A version that this crate does not read.
    UnsupportedVersion,
    /// The data ends too early.
    Truncated,
    /// A value that cannot be.
    Malformed,
    /// A size beyond what this crate takes.
    TooLarge,
    /// Files that do not go together.
    Mismatch,
}

impl Error {
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        what: &'static str,
        offset: impl Into<Option<u64>>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            what,
            offset: offset.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }))
    }

    /// `len` bytes were wanted at `offset`, `found` are left.
    #[cold]
    pub(crate) fn truncated(what: &'static str, offset: u64, len: u64, found: u64) -> Self {
        let expected = format_args!("{len} bytes");
        Self::new(ErrorKind::Truncated, what, offset, expected, found)
    }

    #[cold]
    pub(crate) fn malformed(
        what: &'static str,
        offset: impl Into<Option<u64>>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Malformed, what, offset, expected, found)
    }

    /// A name that begins there, of `found` bytes.
    #[cold]
    pub(crate) fn too_long(
        what: &'static str,
        offset: u64,
        most: usize,
        found: impl fmt::Display,
    ) -> Self {
        let expected = format_args!("no more than {most} bytes");
        Self::new(ErrorKind::TooLarge, what, offset, expected, found)
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where, in bytes from the start of the file; `None` where the whole file is meant.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The part of the format in question.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.0.what
    }

    /// What should have been there.
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
        let inner = &self.0;
        write!(f, "{}: expected {}", inner.what, inner.expected)?;
        if let Some(offset) = inner.offset {
            write!(f, " at offset {offset:#x}")?;
        }
        write!(f, ", found {}", inner.found)
    }
}

impl std::error::Error for Error {}
