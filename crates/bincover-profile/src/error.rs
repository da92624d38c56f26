//! What can be wrong with a profile, and where.

use std::fmt;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why bytes were not read as a profile: what was wanted, what was there, and where.
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
    context: String,
    detail: String,
}

/// The class of an [`Error`]; each corresponds to one of LLVM's `instrprof_error` codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file has no bytes (LLVM: `empty_raw_profile`).
    Empty,
    /// No known magic and no text (LLVM: `unrecognized_format`).
    UnrecognizedFormat,
    /// A memory profile, which this crate does not read (LLVM: `unrecognized_format`).
    MemoryProfile,
    /// A second header that is none (LLVM: `bad_magic`).
    BadMagic,
    /// The header contradicts the file (LLVM: `bad_header`).
    BadHeader,
    /// A version that this crate does not read (LLVM: `unsupported_version`).
    UnsupportedVersion,
    /// The same of a raw profile (LLVM: `raw_profile_version_mismatch`).
    RawVersionMismatch,
    /// A hash type other than MD5 (LLVM: `unsupported_hash_type`).
    UnsupportedHashType,
    /// The file ends inside a list (LLVM: `eof`).
    EndOfFile,
    /// The data ends too early (LLVM: `truncated`).
    Truncated,
    /// A size larger than the file (LLVM: `too_large`).
    TooLarge,
    /// A value that cannot be (LLVM: `malformed`).
    Malformed,
    /// Compressed names that do not inflate to what they claim (LLVM: `uncompress_failed`).
    UncompressFailed,
    /// Counters only: names and records were left in the debug info or the binary
    /// (LLVM: `missing_correlation_info`).
    Correlated,
}

impl ErrorKind {
    /// LLVM's text for this class of error.
    #[must_use]
    pub fn llvm_text(self) -> &'static str {
        match self {
            Self::Empty => "empty raw profile file",
            Self::UnrecognizedFormat | Self::MemoryProfile => {
                "unrecognized instrumentation profile encoding format"
            }
            Self::BadMagic => "invalid instrumentation profile data (bad magic)",
            Self::BadHeader => "invalid instrumentation profile data (file header is corrupt)",
            Self::UnsupportedVersion => "unsupported instrumentation profile format version",
            Self::RawVersionMismatch => "raw profile version mismatch",
            Self::UnsupportedHashType => "unsupported instrumentation profile hash type",
            Self::EndOfFile => "end of File",
            Self::Truncated => "truncated profile data",
            Self::TooLarge => "too much profile data",
            Self::Malformed => "malformed instrumentation profile data",
            Self::UncompressFailed => "failed to uncompress data (zlib)",
            Self::Correlated => "debug info/binary for correlation is required",
        }
    }
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
            context: String::new(),
            detail: String::new(),
        }))
    }

    /// `len` bytes were wanted at `offset`, `found` are left.
    #[cold]
    pub(crate) fn truncated(what: &'static str, offset: u64, len: u64, found: u64) -> Self {
        Self::new(
            ErrorKind::Truncated,
            what,
            offset,
            format_args!("{len} bytes"),
            found,
        )
    }

    #[cold]
    pub(crate) fn malformed(
        what: &'static str,
        offset: u64,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Malformed, what, offset, expected, found)
    }

    /// The same error under another class: LLVM names some truncations a bad header.
    #[cold]
    pub(crate) fn reclassify(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds which layout the reader had assumed.
    #[cold]
    pub(crate) fn in_context(mut self, context: impl fmt::Display) -> Self {
        if self.0.context.is_empty() {
            self.0.context = context.to_string();
        }
        self
    }

    /// What LLVM says beyond its text for the class.
    #[cold]
    pub(crate) fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = detail.to_string();
        self
    }

    /// What LLVM's tools say of this error: the text of its class and, for some, a detail.
    #[must_use]
    pub fn llvm_message(&self) -> String {
        let text = self.0.kind.llvm_text();
        match self.0.detail.as_str() {
            "" => text.to_owned(),
            detail => format!("{text}: {detail}"),
        }
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

    /// The bytes end too early, or names do not inflate to what they claim: the file may have been
    /// cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::BadHeader
                | ErrorKind::Truncated
                | ErrorKind::UncompressFailed
                | ErrorKind::TooLarge
        )
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
        write!(f, ", found {}", inner.found)?;
        if !inner.context.is_empty() {
            write!(f, " ({})", inner.context)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
