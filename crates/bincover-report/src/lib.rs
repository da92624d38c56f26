//! Evaluated coverage to reports: lcov, llvm-cov's JSON, Cobertura XML and a table for the terminal.
//!
//! What goes in is a [`Coverage`](bincover_model::Coverage), whoever evaluated it, and a few
//! [`Options`]. What comes out is text on any [`io::Write`](std::io::Write). The same input gives
//! the same bytes, always: nothing here looks at the clock, the terminal or the disk.
//!
//! ```
//! use bincover_model::{Coverage, File, Line, Tally};
//! use bincover_report::{Format, Options};
//!
//! let mut file = File { name: "/w/src/lib.rs".into(), ..File::default() };
//! file.lines = vec![Line { number: 3, count: 1 }, Line { number: 4, count: 0 }];
//! file.summary.lines = Tally { covered: 1, total: 2 };
//! let coverage = Coverage { files: vec![file], functions: Vec::new() };
//!
//! let format = Format::named("lcov").ok_or("no such format")?;
//! let mut report = Vec::new();
//! (format.emit)(&coverage, &Options::default(), &mut report)?;
//! assert!(report.ends_with(b"DA:3,1\nDA:4,0\nBRF:0\nBRH:0\nLF:2\nLH:1\nend_of_record\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All formats are rows of one table, [`FORMATS`]; a command line reads its choices and its help
//! from there. Each row's `emit` is also a plain function: [`lcov::emit`], [`cobertura::emit`],
//! [`table::emit`]. llvm-cov's JSON is not in the table: [`llvm_json::emit`] is for those who ask for
//! it in llvm-cov's words.
//!
//! The only thing that can go wrong is the writer, so `emit` returns [`io::Result`](std::io::Result)
//! and there is no error type of our own. Odd content (names that are not UTF-8, counts that
//! overflow, groups without members) is reported as well as the format can, and never panics, as
//! long as the ids in the model belong to it.
//!
//! Deliberately not here: reading profiles or objects, source text, filters, thresholds, the choice
//! of colour or of a terminal's width.

#[cfg(test)]
mod any_model;
pub mod cobertura;
mod format;
pub mod lcov;
pub mod llvm_json;
mod names;
mod parts;
mod paths;
pub mod table;
#[cfg(test)]
mod testing;

pub use format::{Emit, FORMATS, Format, Instantiations, Options};
pub use names::demangled;
pub use parts::Parts;
