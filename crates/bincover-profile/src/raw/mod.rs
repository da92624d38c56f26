//! Raw profiles (`.profraw`): what an instrumented program writes.
//!
//! Layout: LLVM `compiler-rt/include/profile/InstrProfData.inc` at `llvmorg-22.1.8`; reader:
//! `RawInstrProfReader` in `llvm/lib/ProfileData/InstrProfReader.cpp`. Read: versions 4 (LLVM 9),
//! 5, 7, 8, 9 and 10 (LLVM 22), both byte orders and pointer widths.

mod header;
mod layout;
mod reader;
mod record;

pub use header::RawHeader;
pub use reader::{RawProfile, RawProfiles, RawValues};
pub(crate) use reader::{binary_ids, read_value_block};
pub use record::{Counters, RawRecord, RawRecords};
