//! Patch coverage: how much of what a patch changed was executed, and which lines that it did not
//! change were executed before and are no more.
//!
//! [`Patch::parse`] reads a patch, [`Baseline::parse`] the report of the version before it, and
//! [`PatchCoverage::new`] puts them beside the coverage of the version after it. A line counts if
//! it is new in that version and holds code that was measured; where lines were only moved within
//! their file or with it, they are the old ones. [`PATCH_FORMATS`] write the result.
//!
//! ```
//! use bincover_model::{Coverage, File, Line, Tally};
//! use bincover_report::patch::{Patch, PatchCoverage};
//! use bincover_report::{Options, Percent};
//!
//! let patch = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -3 +3,2 @@\n-old\n+new\n+newer\n";
//! let patch = Patch::parse(patch.as_bytes())?;
//! let lines = [(3, 1), (4, 0), (5, 0)].map(|(number, count)| Line { number, count });
//! let file = File { name: "/w/src/lib.rs".into(), lines: lines.into(), ..File::default() };
//! let coverage = Coverage { files: vec![file], functions: Vec::new() };
//!
//! let options = Options { repository: Some("/w".into()), ..Options::default() };
//! let covered = PatchCoverage::new(&coverage, &options, &patch, None)?;
//! assert_eq!(covered.lines, Tally { covered: 1, total: 2 });
//! assert_eq!(covered.files[0].uncovered[0].place.lines, Some((4, 4)));
//! assert!(covered.check(Percent::parse("80")?).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately not here: asking git.

mod annotations;
mod baseline;
mod coverage;
mod json;
mod markdown;
mod parse;
mod table;

use std::io;

use crate::Options;

pub use baseline::{Baseline, BaselineError};
pub use coverage::{Comparison, PatchCoverage, PatchFile, Uncovered, measured_names};
pub use json::VERSION;
pub use parse::{Edit, FileChange, Lines, Opaque, Patch, PatchError};

/// A format of patch coverage: a row of [`PATCH_FORMATS`]. The fields are as those of
/// [`Format`](crate::Format).
#[derive(Clone, Copy, Debug)]
pub struct PatchFormat {
    /// What a user types to get it.
    pub name: &'static str,
    /// The file that it goes to if no other is named.
    pub default_file_name: &'static str,
    /// One line of help: lower case, no full stop.
    pub help: &'static str,
    /// How it is written. It buffers by itself and flushes at the end.
    pub emit: fn(&PatchCoverage, &Options, &mut dyn io::Write) -> io::Result<()>,
}

/// All formats of patch coverage.
pub const PATCH_FORMATS: &[PatchFormat] = &[
    PatchFormat {
        name: "table",
        default_file_name: "diff.txt",
        help: "table of changed files, and what of their changes is not covered",
        emit: table::emit,
    },
    PatchFormat {
        name: "json",
        default_file_name: "diff.json",
        help: "JSON, for scripts",
        emit: json::emit,
    },
    PatchFormat {
        name: "markdown",
        default_file_name: "diff.md",
        help: "Markdown that fits a pull request's comment (65,535 characters)",
        emit: markdown::emit,
    },
    PatchFormat {
        name: "github",
        default_file_name: "annotations.txt",
        help: "GitHub workflow commands that annotate lines; for standard output of an action",
        emit: annotations::emit,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text() {
        let hostile = "a\n::error::b|<b>\u{1b}[2J\u{202e}.rs";
        let mut found = coverage::tests::example();
        for file in &mut found.files {
            file.name = hostile.to_owned();
            file.old_name = Some(hostile.to_owned());
            for one in file.uncovered.iter_mut().chain(&mut file.lost) {
                one.function = Some(hostile.into());
            }
        }
        found.unmeasured = vec![hostile.to_owned()];
        found.opaque = vec![(hostile.to_owned(), Opaque::Binary)];
        found.comparison.as_mut().expect("there is one").gone = vec![hostile.to_owned()];
        for format in PATCH_FORMATS {
            let mut out = Vec::new();
            (format.emit)(&found, &Options::default(), &mut out).expect("a Vec takes it");
            let text = String::from_utf8(out).expect("text");
            let is_json = format.name == "json";
            assert!(is_json || !text.contains('\u{202e}'), "{text}");
            assert!(
                !text.contains('\u{1b}') && !text.contains("\n::error"),
                "{text}"
            );
            assert!(format.name != "markdown" || !text.contains("<b>"), "{text}");
        }
    }
}
