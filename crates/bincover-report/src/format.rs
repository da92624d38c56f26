//! The table of formats, and what a caller may choose.

use std::io;
use std::num::NonZeroUsize;

use bincover_model::{Coverage, Group};
use bstr::BString;

use crate::{
    Outputs, Sources, annotations, badge, clover, cobertura, codecov, coveralls, html, json, lcov,
    llvm_json, markdown, missing, sonar, table, text,
};

/// How a format is written. What is one file buffers by itself and flushes at the end.
#[derive(Clone, Copy, Debug)]
pub enum Emit {
    /// One file, of numbers.
    File(fn(&Coverage, &Options, &mut dyn io::Write) -> io::Result<()>),
    /// One file, for which sources are read.
    Sourced(fn(&Coverage, &Options, &dyn Sources, &mut dyn io::Write) -> io::Result<()>),
    /// A folder of files, for which sources are read.
    Folder(fn(&Coverage, &Options, &dyn Sources, &dyn Outputs) -> io::Result<()>),
}

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
    /// Table: a row for each folder, rather than for each file.
    pub by_folder: bool,
    /// Table: the order of its rows.
    pub sort: Sort,
    /// The directory that names are relative to in the formats that people and services read,
    /// which is that of the repository; all but lcov, Cobertura, llvm-cov's JSON and the table.
    /// `None` stands for the innermost directory that holds all files. A file elsewhere keeps its
    /// full name.
    pub repository: Option<BString>,
    /// How functions that start at one place of the source are listed. `None` is each format's own
    /// way: for lcov what llvm-cov writes (each is listed, places are counted), for the others
    /// [`Instantiations::Union`].
    pub instantiations: Option<Instantiations>,
    /// HTML: how many threads make pages; `None` for as many as the machine runs. The report does not depend on it.
    pub threads: Option<NonZeroUsize>,
}

/// The order of a table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name, bytewise.
    #[default]
    Name,
    /// By the percentage of lines, the lowest first.
    Percent,
    /// By the number of lines that are not covered, the highest first.
    Missed,
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
    /// How it is written.
    pub emit: Emit,
}

/// All formats, in the order in which help lists them.
pub const FORMATS: &[Format] = &[
    Format {
        name: "table",
        default_file_name: "coverage.txt",
        help: "table of files with percentages; for people at a terminal",
        media_type: "text/plain; charset=utf-8",
        emit: Emit::File(table::emit),
    },
    Format {
        name: "text",
        default_file_name: "annotated.txt",
        help: "sources with counts beside them; for people at a terminal",
        media_type: "text/plain; charset=utf-8",
        emit: Emit::Sourced(text::emit),
    },
    Format {
        name: "missing",
        default_file_name: "missing.txt",
        help: "what is not covered, by file and function, and why",
        media_type: "text/plain; charset=utf-8",
        emit: Emit::File(missing::emit),
    },
    Format {
        name: "html",
        default_file_name: "coverage-html",
        help: "pages for a browser: a tree of folders, and each source file",
        media_type: "text/html; charset=utf-8",
        emit: Emit::Folder(html::emit),
    },
    Format {
        name: "lcov",
        default_file_name: "lcov.info",
        help: "lcov tracefile, as llvm-cov writes it; for editors, genhtml and most services",
        media_type: "text/plain",
        emit: Emit::File(lcov::emit),
    },
    Format {
        name: "cobertura",
        default_file_name: "cobertura.xml",
        help: "Cobertura XML (coverage-04.dtd); for GitLab, Jenkins and Azure DevOps",
        media_type: "application/xml",
        emit: Emit::File(cobertura::emit),
    },
    Format {
        name: "json",
        default_file_name: "coverage.json",
        help: "our own JSON: totals, files, functions, ranges of lines; for scripts",
        media_type: "application/json",
        emit: Emit::File(json::emit),
    },
    Format {
        name: "llvm-json",
        default_file_name: "llvm-cov.json",
        help: "JSON as `llvm-cov export` writes it",
        media_type: "application/json",
        emit: Emit::File(llvm_json::emit_all),
    },
    Format {
        name: "codecov",
        default_file_name: "codecov.json",
        help: "Codecov's own JSON",
        media_type: "application/json",
        emit: Emit::File(codecov::emit),
    },
    Format {
        name: "coveralls",
        default_file_name: "coveralls.json",
        help: "the job that Coveralls' interface takes",
        media_type: "application/json",
        emit: Emit::Sourced(coveralls::emit),
    },
    Format {
        name: "sonar",
        default_file_name: "sonar-coverage.xml",
        help: "SonarQube's generic coverage XML",
        media_type: "application/xml",
        emit: Emit::File(sonar::emit),
    },
    Format {
        name: "clover",
        default_file_name: "clover.xml",
        help: "Clover XML; for Bamboo, Jenkins and PHP's tools",
        media_type: "application/xml",
        emit: Emit::File(clover::emit),
    },
    Format {
        name: "markdown",
        default_file_name: "coverage.md",
        help: "Markdown that fits a GitHub step summary or a comment (65,535 characters)",
        media_type: "text/markdown; charset=utf-8",
        emit: Emit::File(markdown::emit),
    },
    Format {
        name: "github",
        default_file_name: "annotations.txt",
        help: "GitHub workflow commands that annotate lines; for standard output of an action",
        media_type: "text/plain; charset=utf-8",
        emit: Emit::File(annotations::emit),
    },
    Format {
        name: "badge",
        default_file_name: "badge.svg",
        help: "badge with the percentage of lines, as SVG",
        media_type: "image/svg+xml",
        emit: Emit::File(badge::emit_svg),
    },
    Format {
        name: "shields",
        default_file_name: "badge.json",
        help: "badge as a JSON endpoint of shields.io",
        media_type: "application/json",
        emit: Emit::File(badge::emit_shields),
    },
];

impl Format {
    /// The format with this name, spelled exactly.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The report is a folder of files rather than a file.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self.emit, Emit::Folder(_))
    }

    /// Writes a report that is one file.
    ///
    /// # Errors
    /// If the writer fails, or the report is a folder ([`io::ErrorKind::IsADirectory`]).
    pub fn write(
        &self,
        coverage: &Coverage,
        options: &Options,
        sources: &dyn Sources,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match self.emit {
            Emit::File(emit) => emit(coverage, options, out),
            Emit::Sourced(emit) => emit(coverage, options, sources, out),
            Emit::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::NoSources;

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
        for format in FORMATS.iter().filter(|format| !format.is_folder()) {
            let error = format
                .write(&coverage, &Options::default(), &NoSources, &mut Full)
                .expect_err(format.name);
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
