//! The text format (`.proftext`): every binary profile can be written as text and read back, but
//! for call targets that are not in the profile, which lose their hash.
//!
//! Grammar: section "text format" of LLVM's `docs/CommandGuide/llvm-profdata.rst` is silent, so
//! the source is `TextInstrProfReader` and `InstrProfWriter::writeText` at `llvmorg-22.1.8`.

mod reader;
mod writer;

pub use reader::{TextHeader, TextProfile, TextRecord};
pub use writer::{write, write_record};
