//! What can be wrong with an object's coverage mapping, and where.

use std::fmt;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an object's coverage mapping was not read.
///
/// The message does not hold a path: the caller knows it and puts it in front.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    mapping: usize,
    section: Option<&'static str>,
    offset: Option<u64>,
    /// The part of the format; empty if the file as a whole is meant.
    what: String,
    expected: String,
    found: String,
    /// All of it in words.
    message: String,
    /// What llvm-cov says, where that is not the text of the class.
    llvm: Option<String>,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not an object file of a kind that this crate reads.
    NotAnObject,
    /// No coverage sections: not instrumented, or stripped (LLVM: `no_data_found`).
    NoCoverageData,
    /// A mapping version that this crate does not read (LLVM: `unsupported_version`).
    UnsupportedVersion,
    /// The data ends too early (LLVM: `truncated`).
    Truncated,
    /// Something that cannot be (LLVM: `malformed`).
    Malformed,
    /// The object is of another architecture than was asked for (LLVM: `arch_not_found`).
    WrongArchitecture,
    /// A universal file, and no architecture of it was named.
    ArchitectureNeeded,
    /// A thin archive names a file that is not there, or cannot be read.
    MissingMember,
    /// The profile, not the object: a record of it that is needed cannot be read (LLVM:
    /// `instrprof_error::malformed`). The offset is from the start of the profile.
    DamagedProfile,
}

impl ErrorKind {
    /// What llvm-cov says of errors of this class.
    fn llvm_text(self) -> &'static str {
        match self {
            Self::NotAnObject => "The file was not recognized as a valid object file",
            Self::NoCoverageData => "no coverage data found",
            Self::UnsupportedVersion => "unsupported coverage format version",
            Self::Truncated => "truncated coverage data",
            Self::Malformed => "malformed coverage data",
            Self::DamagedProfile => "malformed instrumentation profile data",
            Self::WrongArchitecture => "No object file for requested architecture",
            Self::ArchitectureNeeded => {
                "`-arch` specifier is invalid or missing for universal binary"
            }
            Self::MissingMember => "No such file or directory",
        }
    }
}

impl Error {
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let (expected, found) = (expected.to_string(), found.to_string());
        Self(Box::new(Inner {
            kind,
            mapping: 0,
            section: None,
            offset: None,
            what: String::new(),
            message: format!("expected {expected}, found {found}"),
            expected,
            found,
            llvm: None,
        }))
    }

    /// As [`new`](Self::new), of a part of the format.
    #[cold]
    pub(crate) fn of(
        kind: ErrorKind,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let mut error = Self::new(kind, expected, found);
        error.0.what = what.to_string();
        error.0.message = format!("{what}: {}", error.0.message);
        error
    }

    /// `offset` is from the start of the section, or of the file where no section is named.
    #[cold]
    pub(crate) fn at(
        kind: ErrorKind,
        offset: u64,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let mut error = Self::of(kind, what, expected, found);
        let Inner {
            what,
            expected,
            found,
            ..
        } = &*error.0;
        error.0.message =
            format!("{what}: expected {expected} at offset {offset:#x}, found {found}");
        error.0.offset = Some(offset);
        error
    }

    /// `offset` is from the start of the section.
    #[cold]
    pub(crate) fn malformed(
        offset: u64,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::at(ErrorKind::Malformed, offset, what, expected, found)
    }

    #[cold]
    pub(crate) fn no_data(expected: &str, found: &str) -> Self {
        let mut error = Self::new(ErrorKind::NoCoverageData, expected, found);
        error.0.message += ": the binary is not instrumented for coverage, or was stripped of it";
        error
    }

    #[cold]
    pub(crate) fn no_section(name: &str) -> Self {
        Self::no_data(&format!("a section {name}"), "none of that name")
    }

    /// llvm-cov says more than the text of the class.
    #[cold]
    pub(crate) fn with_llvm_detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.llvm = Some(format!("{}: {detail}", self.0.kind.llvm_text()));
        self
    }

    #[cold]
    pub(crate) fn with_llvm_message(mut self, message: impl Into<String>) -> Self {
        self.0.llvm = Some(message.into());
        self
    }

    /// What llvm-cov says of this error, after the name of the file.
    #[must_use]
    pub fn llvm_message(&self) -> &str {
        let own = self.0.llvm.as_deref();
        own.unwrap_or_else(|| self.0.kind.llvm_text())
    }

    /// The same error as one of another class.
    #[cold]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self.0.llvm = None;
        self
    }

    #[cold]
    pub(crate) fn in_section(mut self, section: &'static str) -> Self {
        self.0.section.get_or_insert(section);
        self
    }

    #[cold]
    pub(crate) fn in_mapping(mut self, index: usize) -> Self {
        self.0.mapping = index;
        self
    }

    /// Which of the mappings given to [`evaluate`](crate::evaluate()), by index; 0 elsewhere.
    #[must_use]
    pub fn mapping(&self) -> usize {
        self.0.mapping
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The section in question, by its ELF name.
    #[must_use]
    pub fn section(&self) -> Option<&'static str> {
        self.0.section
    }

    /// Where, in bytes from the start of the section.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The part of the format that is wrong; empty if the file as a whole is.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.0.what
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

/// The cursor's errors: it counts from the start of the section.
impl From<bincover_profile::Error> for Error {
    fn from(error: bincover_profile::Error) -> Self {
        use bincover_profile::ErrorKind as Profile;
        let kind = match error.kind() {
            Profile::Truncated => ErrorKind::Truncated,
            _ => ErrorKind::Malformed,
        };
        let mut converted = Self::of(kind, error.what(), error.expected(), error.found());
        converted.0.message = error.to_string();
        converted.0.offset = error.offset();
        converted
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(section) = self.0.section {
            write!(f, "section {section}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
