//! What *evaluated coverage* is: the type in the middle, between the crates that read coverage
//! data and the crates that write reports.
//!
//! It is as rich as the richest input (LLVM's coverage mapping) and knows no format: an evaluator
//! fills it, an emitter narrows it. Whatever two reports both print, they read from the same field
//! here, so they cannot disagree.
//!
//! Conventions, everywhere in this crate:
//!
//! - lines and columns are 1-based; columns count bytes; a region's end column is exclusive;
//! - file and function names are byte strings, because nothing makes them UTF-8;
//! - counts are `u64` with LLVM's wrapping sums.
//!
//! ```
//! use bincover_model::{Coverage, File, Line, Tally};
//!
//! let mut coverage = Coverage::default();
//! coverage.files.push(File {
//!     name: "src/lib.rs".into(),
//!     lines: vec![Line { number: 3, count: 1 }, Line { number: 4, count: 0 }],
//!     ..File::default()
//! });
//! coverage.files[0].summary.lines = Tally { covered: 1, total: 2 };
//! assert_eq!(coverage.totals().lines.percent(), 50.0);
//! ```
//!
//! Deliberately not here: reading or writing of any format, file access, threads.

mod branches;
mod coverage;
mod exclude;
mod limits;
mod mcdc;
mod rename;
mod segments;
mod summarize;
mod summary;
mod unite;
mod views;

pub use branches::LineBranch;
pub use coverage::{
    Branch, Coverage, Expansion, File, FileId, Function, FunctionId, Group, Line, LocalFile,
    Outcome, Position, Region, RegionKind, Segment,
};
pub use exclude::{Excluded, ExcludedPart, ExcludedRange, Kept, LineSet, cut};
pub use mcdc::{Condition, McdcRecord, TestVector};
pub use segments::{LineStats, Segmenter, line_stats, lines, segments, tally_lines};
pub use summary::{Summary, Tally};
pub use views::{McdcId, View};
