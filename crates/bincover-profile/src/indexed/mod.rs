//! Indexed profiles (`.profdata`): what a merger writes and compilers and reports read.
//!
//! Layout: LLVM `llvm/include/llvm/ProfileData/InstrProf.h` (namespace `IndexedInstrProf`) at
//! `llvmorg-22.1.8`; reader `IndexedInstrProfReader`, writer `InstrProfWriter`. Read: versions 1
//! to 13. Written: 10 to 13. All integers are little-endian.

mod find;
mod hash_table;
mod header;
mod reader;
mod record_order;
mod writer;

pub use crate::write::{IndexedVersion, WriteOptions};
pub use find::{Finder, Found};
pub use header::IndexedHeader;
pub use reader::{IndexedProfile, IndexedRecord};
pub use writer::write;

/// The newest version that is read, and the one that is written.
pub const NEWEST: u32 = 13;
