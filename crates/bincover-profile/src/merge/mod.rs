//! Merging: any number of files, of any format and version, into one [`Profile`](crate::Profile).
//!
//! The laws, which are those of LLVM's `InstrProfWriter::addRecord` and
//! `InstrProfRecord::merge`:
//!
//! - A function is its name and its hash. The same name with another hash is another function.
//! - Counts add up and stop at 2^64 - 3; bitmaps are or-ed; value sites are joined by value.
//! - A record whose number of counters (or bitmap bytes, or value sites) differs from what is
//!   there contributes nothing (or only what still fits): the first one wins.
//! - A weight of *n* is the same as merging a file *n* times, but for values that are new to a
//!   value site, which LLVM does not weight.
//! - A file that ends badly contributes what came before, and no build id.
//!
//! Everything that was left out is an [`Entry`] of the [`Ledger`].

mod ledger;
mod merger;
mod parts;
mod sums;

pub use ledger::{Cause, Entry, Ledger};
pub use merger::{Anchor, MergeOptions, Merged, Merger};
pub use parts::{Part, Problems, ValueAnchor};
pub(crate) use sums::all_bits;
pub use sums::{Sums, Unfit};
