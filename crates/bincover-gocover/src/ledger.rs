//! What of the inputs was left out, and why.

use std::fmt;

use bstr::BString;

use crate::error::Error;
use crate::meta::Text;
use crate::mode::Mode;

/// One thing that was left out, or is odd. The caller knows of which file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The file could not be opened or read.
    Inaccessible(std::io::Error),
    /// Nothing of the file could be used.
    Unreadable(Error),
    /// Counters whose metadata is not among the inputs, or cannot be read.
    NoMetadata {
        /// What the metadata file would be called.
        name: BString,
    },
    /// A metadata file of the same name was read before, and this one differs from it; the first
    /// was used.
    OtherMetadata,
    /// The counter file's header names other metadata than its name does; the name was followed,
    /// since there is no metadata of that hash.
    OtherHash {
        /// The hash in the header.
        found: String,
    },
    /// Counters for a package that the program does not have. A program that ends while it counts
    /// writes such things.
    NoPackage {
        /// How many packages it has.
        packages: usize,
        /// The index.
        found: u32,
    },
    /// Counters for a function that the package does not have.
    NoFunction {
        /// The package.
        package: Text,
        /// How many functions it has.
        functions: usize,
        /// The index.
        found: u32,
    },
    /// Another number of counters than the function has blocks; they were left out.
    CounterMismatch {
        /// The function.
        function: Text,
        /// Its file.
        file: Text,
        /// How many blocks it has.
        expected: usize,
        /// How many counters there are.
        found: usize,
    },
    /// A counter that can only be 0 or 1 is neither, so the record is a damaged one; it was left
    /// out.
    NotASet {
        /// The function.
        function: Text,
        /// Its file.
        file: Text,
        /// The counter.
        found: u32,
    },
    /// A count went beyond 2^32 - 1 and stays there, as in Go.
    CounterOverflow,
    /// The blocks of a text profile have another number of statements than those at the same places
    /// that were read before: of another version of the source or of Go. The larger was kept.
    StatementMismatch {
        /// The file of the first.
        file: BString,
        /// Its line.
        line: u32,
        /// How many there are.
        blocks: u64,
    },
    /// The file's mode lines do not agree; what was counted and what was only set were added up.
    ModesDiffer {
        /// The mode that it was read in.
        mode: Mode,
    },
}

impl Cause {
    /// The whole file contributed nothing.
    #[must_use]
    pub fn is_whole_file(&self) -> bool {
        matches!(
            self,
            Self::Inaccessible(_) | Self::Unreadable(_) | Self::NoMetadata { .. }
        )
    }

    /// Something that was there is not in the result. What remains is worth knowing and no loss.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        !matches!(
            self,
            Self::OtherMetadata
                | Self::OtherHash { .. }
                | Self::CounterOverflow
                | Self::StatementMismatch { .. }
                | Self::ModesDiffer { .. }
        )
    }

    /// A word for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inaccessible(_) => "inaccessible",
            Self::Unreadable(_) => "unreadable",
            Self::NoMetadata { .. } => "no-metadata",
            Self::OtherMetadata => "other-metadata",
            Self::OtherHash { .. } => "other-hash",
            Self::NoPackage { .. } => "no-package",
            Self::NoFunction { .. } => "no-function",
            Self::CounterMismatch { .. } => "counter-mismatch",
            Self::NotASet { .. } => "not-a-set",
            Self::CounterOverflow => "counter-overflow",
            Self::StatementMismatch { .. } => "statement-mismatch",
            Self::ModesDiffer { .. } => "modes-differ",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inaccessible(reason) => write!(f, "{reason}"),
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::NoMetadata { name } => {
                write!(
                    f,
                    "expected metadata `{}` beside these counters, found none",
                    name.escape_ascii()
                )
            }
            Self::OtherMetadata => write!(
                f,
                "differs from the metadata of the same name that was read before, which was used"
            ),
            Self::OtherHash { found } => write!(
                f,
                "the header names metadata {found}, of which there is none; the file's name was followed"
            ),
            Self::NoPackage { packages, found } => write!(
                f,
                "package index: expected less than {packages}, found {found}; the record was left out"
            ),
            Self::NoFunction {
                package,
                functions,
                found,
            } => write!(
                f,
                "function index in {}: expected less than {functions}, found {found}; the record was left out",
                package.escape_ascii()
            ),
            Self::CounterMismatch {
                function,
                file,
                expected,
                found,
            } => write!(
                f,
                "{} in {}: expected {expected} counters, found {found}; the record was left out",
                function.escape_ascii(),
                file.escape_ascii()
            ),
            Self::NotASet {
                function,
                file,
                found,
            } => write!(
                f,
                "{} in {}: expected counters of 0 or 1, found {found}; the record was left out",
                function.escape_ascii(),
                file.escape_ascii()
            ),
            Self::CounterOverflow => write!(f, "a counter overflowed and stays at its maximum"),
            Self::StatementMismatch { file, line, blocks } => write!(
                f,
                "{}:{line}: another number of statements than in what was read before ({blocks} such blocks); the larger was kept",
                file.escape_ascii()
            ),
            Self::ModesDiffer { mode } => {
                write!(f, "mode lines differ; all was read as {mode}")
            }
        }
    }
}
