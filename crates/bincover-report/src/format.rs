//! The table of formats, and what a caller may choose.

use std::io;

use bincover_model::{Coverage, Group};
use bstr::BString;

use crate::{cobertura, lcov, table};

/// Writes one report. It buffers by itself and flushes at the end.
pub type Emit = fn(&Coverage, &Options, &mut dyn io::Write) -> io::Result<()>;

/// What a caller may choose. Each field says which formats read it; the others ignore it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Cobertura: the directory that file names are relative to. `None` stands for the innermost
    /// directory that holds all files. A file elsewhere keeps its full name.
    pub root: Option<BString>,
    /// Cobertura: when the report was made, in seconds since the Unix epoch.
    pub timestamp: u64,
    /// Table: the most columns of a terminal that a line may take; `None` for as many as needed.
    pub width: Option<usize>,
    /// Table: whether to colour percentages with ANSI escape sequences.
    pub colour: bool,
    /// lcov: functions have their names in source form. Those of which a file has several of one
    /// name keep their symbols' names, so that each is told from the others. Cobertura always
    /// demangles; the table names no functions.
    pub demangle: bool,
    /// How functions that start at one place of the source are listed. `None` is each format's own
    /// way: for lcov what llvm-cov writes (each is listed, places are counted), for the others
    /// [`Instantiations::Union`].
    pub instantiations: Option<Instantiations>,
}

/// What is listed and counted as a function where several start at one place of the source: the
/// instantiations of a generic one. Lines, regions and branches do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instantiations {
    /// One for each place, executed as often as all of its instantiations together.
    Union,
    /// One for each place, executed as often as that of its instantiations which was executed
    /// most.
    Max,
    /// Each by itself.
    Each,
}

impl Instantiations {
    /// How often a group's one entry was executed; not for [`Instantiations::Each`], which has
    /// none.
    pub(crate) fn count(self, coverage: &Coverage, group: &Group) -> u64 {
        let counts = group.members.iter().map(|id| coverage.function(*id).count);
        match self {
            Self::Max => counts.max().unwrap_or(0),
            Self::Union | Self::Each => group.count,
        }
    }
}

/// A report format: one row of [`FORMATS`].
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What a user types to get it.
    pub name: &'static str,
    /// The file name that tools which read this format look for.
    pub default_file_name: &'static str,
    /// One line of help: lower case, no full stop.
    pub help: &'static str,
    /// The media type (MIME type) of the report.
    pub media_type: &'static str,
    /// Writes the report.
    pub emit: Emit,
}

/// All formats, in the order in which help lists them.
pub const FORMATS: &[Format] = &[
    Format {
        name: "lcov",
        default_file_name: "lcov.info",
        help: "lcov tracefile, as llvm-cov writes it; for editors, genhtml and most services",
        media_type: "text/plain",
        emit: lcov::emit,
    },
    Format {
        name: "cobertura",
        default_file_name: "cobertura.xml",
        help: "Cobertura XML (coverage-04.dtd); for GitLab, Jenkins and Azure DevOps",
        media_type: "application/xml",
        emit: cobertura::emit,
    },
    Format {
        name: "table",
        default_file_name: "coverage.txt",
        help: "table of files with percentages; for people at a terminal",
        media_type: "text/plain; charset=utf-8",
        emit: table::emit,
    },
];

impl Format {
    /// The format with this name, spelled exactly.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_files_are_distinct() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
        let files: BTreeSet<_> = FORMATS
            .iter()
            .map(|format| format.default_file_name)
            .collect();
        assert_eq!((names.len(), files.len()), (FORMATS.len(), FORMATS.len()));
    }

    #[test]
    fn formats_are_found_by_their_exact_name() {
        assert_eq!(
            Format::named("lcov").map(|format| format.default_file_name),
            Some("lcov.info")
        );
        assert!(Format::named("LCOV").is_none());
    }

    /// A writer that has run out of space.
    struct Full;

    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_report_that_was_not_written_is_an_error() {
        let coverage = crate::testing::one_of_everything();
        for format in FORMATS {
            let error =
                (format.emit)(&coverage, &Options::default(), &mut Full).expect_err(format.name);
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
