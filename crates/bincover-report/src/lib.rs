//! Evaluated coverage to reports: for people at a terminal or a browser, for services, for scripts.
//!
//! What goes in is a [`Coverage`](bincover_model::Coverage), whoever evaluated it, and a few
//! [`Options`]. What comes out is text on any [`io::Write`](std::io::Write), or named files for any
//! [`Outputs`]; formats that show sources ask the caller's [`Sources`] for them. The same input
//! gives the same bytes, always: nothing here looks at the clock, the terminal or the disk.
//!
//! ```
//! use bincover_model::{Coverage, File, Line, Tally};
//! use bincover_report::{Format, NoSources, Options};
//!
//! let mut file = File { name: "/w/src/lib.rs".into(), ..File::default() };
//! file.lines = vec![Line { number: 3, count: 1 }, Line { number: 4, count: 0 }];
//! file.summary.lines = Tally { covered: 1, total: 2 };
//! let coverage = Coverage { files: vec![file], functions: Vec::new() };
//!
//! let format = Format::named("lcov").ok_or("no such format")?;
//! let mut report = Vec::new();
//! format.write(&coverage, &Options::default(), &NoSources, &mut report)?;
//! assert!(report.ends_with(b"DA:3,1\nDA:4,0\nBRF:0\nBRH:0\nLF:2\nLH:1\nend_of_record\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All formats are rows of one table, [`FORMATS`]; a command line reads its choices and its help
//! from there. Each row's `emit` is also a plain function: [`lcov::emit`], [`cobertura::emit`],
//! [`table::emit`].
//!
//! The only thing that can go wrong is the writer, so `emit` returns [`io::Result`](std::io::Result)
//! and there is no error type of our own. Odd content (names that are not UTF-8, counts that
//! overflow, groups without members) is reported as well as the format can, and never panics, as
//! long as the ids in the model belong to it.
//!
//! Deliberately not here: reading profiles, objects or sources, filters, the choice of colour or of
//! a terminal's width.

pub mod annotations;
#[cfg(test)]
mod any_model;
pub mod badge;
pub mod clover;
pub mod cobertura;
pub mod codecov;
pub mod coveralls;
mod format;
pub mod gate;
pub mod html;
pub mod json;
pub mod lcov;
mod left_out;
mod limits;
mod listed;
pub mod llvm_json;
pub mod markdown;
pub mod missing;
mod names;
mod parts;
pub mod patch;
mod paths;
mod pattern;
mod percent;
mod printable;
mod quoted;
pub mod ratchet;
pub mod sonar;
mod sources;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;
mod xml;

pub use format::{Emit, FORMATS, Format, Instantiations, Options, Sort};
pub use names::demangled;
pub use parts::Parts;
pub use pattern::FilePattern;
pub use percent::Percent;
pub use printable::{printable, printable_at_start};
pub use sources::{NoSources, Outputs, Source, Sources};
