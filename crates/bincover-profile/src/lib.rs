//! LLVM instrumentation profiles, natively: `.profraw`, `.profdata` and `.proftext` in, one merged
//! profile out, no LLVM tool anywhere.
//!
//! | format | versions read | versions written |
//! | --- | --- | --- |
//! | raw, 32 and 64 bits, both byte orders ([`raw`]) | 4, 5, 7, 8, 9, 10, 11 | all of them, from a process's memory |
//! | indexed ([`indexed`]) | 1 to 13 | 10 to 13 |
//! | text ([`text`]) | all of the grammar | all of it |
//!
//! What goes in is bytes: this crate opens no file, starts no thread and prints nothing. What
//! comes out is a [`Profile`], the bytes of an indexed one, and a [`Ledger`] of what was left out.
//! No input makes it panic.
//!
//! ```no_run
//! use std::num::NonZeroU64;
//! use bincover_profile::{Merger, indexed};
//!
//! let mut merger = Merger::new();
//! for path in ["one.profraw", "two.profraw", "earlier.profdata"] {
//!     merger.add(path, &std::fs::read(path)?, NonZeroU64::MIN);
//! }
//! let merged = merger.finish();
//! for entry in &merged.ledger.entries {
//!     eprintln!("left out: {entry}");
//! }
//! let bytes = indexed::write(&merged.profile, &indexed::WriteOptions::default());
//! std::fs::write("merged.profdata", bytes)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Deliberately not here: object files and coverage mapping (`bincover-mapping`), sample profiles,
//! memory profiles.

pub mod bytes;
mod error;
pub mod indexed;
mod kind;
mod limits;
mod md5_lanes;
mod merge;
mod names;
pub mod order;
mod profile;
mod random;
pub mod raw;
mod read;
mod salvage;
mod string_map;
mod summary;
pub mod text;
mod traces;
mod values;
mod write;

pub use error::{Error, ErrorKind, Result};
pub use kind::{FileKind, ProfileKind};
pub use limits::MAX_COUNT;
pub use merge::{
    Anchor, Cause, Entry, Ledger, MergeOptions, Merged, Merger, Part, Problems, Sums, Unfit,
    ValueAnchor,
};
pub use names::{
    Chunks, HashedMap, Inflater, Mixed, Mixing, NameRef, NameTable, decode_blob, md5_low64,
    most_text,
};
pub use profile::{FunctionHash, Profile, Record};
pub use read::{Bitmap, FileRecord, ReadError, Reader, Visitor};
pub use salvage::Salvaged;
pub use summary::{CUTOFFS, CutoffEntry, Summary};
pub use traces::{Trace, TraceLimits, Traces};
pub use values::{Sites, VALUE_KINDS, ValueCount, Values};
pub use write::WriteOptions;
