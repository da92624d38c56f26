//! Go's coverage data, without Go: read it, merge it as Go's tools do, write it, evaluate it.
//!
//! What goes in is bytes, of three kinds:
//!
//! | file | written by | read | written |
//! | --- | --- | --- | --- |
//! | `covmeta.*` | programs built with `go build -cover`, Go 1.20 to 1.27 | [`Meta`] | [`MetaBuilder`], [`Pod`] |
//! | `covcounters.*` | the same, at their end | [`CounterFile`], [`CounterView`] | [`counters::write`], [`Pod`] |
//! | text profile | `go test -coverprofile`, `go tool covdata textfmt`, all versions | [`TextProfile`] | [`text::write`] |
//!
//! A [`Program`] is a metadata file, [`Sums`] are the counters of its runs; a [`Profile`] has the
//! blocks of programs and text profiles by package and function, from which come the listings of
//! `covdata` ([`listing`]) and, by [`coverage()`], the model that reports are made of.
//!
//! ```
//! use bincover_gocover::{Mode, Profile, TextProfile, text};
//!
//! let run = TextProfile::parse(b"mode: count\nm/a.go:3.14,5.2 2 1\n")?;
//! let mut profile = Profile::new(Mode::Count);
//! profile.add_text(&run);
//! profile.add_text(&run);
//! assert_eq!(text::write(&profile), b"mode: count\nm/a.go:3.14,5.2 2 2\n");
//! # Ok::<(), bincover_gocover::Error>(())
//! ```
//!
//! No input makes it panic, and what was left out is data: each record of a counter file is checked
//! against the metadata, and a [`Cause`] says what did not fit.
//!
//! What a program that ends otherwise leaves in its memory makes the same files:
//! [`Program::from_memory`], [`CounterFile::from_memory`].
//!
//! Deliberately not here: opening files, finding sources, running programs.

mod bytes;
mod combine;
pub mod counters;
pub mod cover;
mod coverage;
mod error;
mod hash;
mod kind;
mod ledger;
mod limits;
pub mod listing;
mod memory;
pub mod meta;
mod mode;
pub mod pattern;
mod profile;
mod program;
#[cfg(test)]
mod sample;
mod source;
pub mod text;

pub use combine::Pod;
pub use counters::{Args, CounterFile, CounterView, Record};
pub use coverage::{LineRule, Located, coverage};
pub use error::{Error, ErrorKind, Result};
pub use hash::{Hash, HashKind};
pub use kind::{FileName, Kind};
pub use ledger::Cause;
pub use memory::Registered;
pub use meta::{Meta, MetaBuilder, Text, Unit};
pub use mode::{Granularity, Mode};
pub use profile::{Block, FunctionCounts, Package, Profile};
pub use program::{Program, Sums};
pub use text::{TextBlock, TextProfile};
