//! The coverage that a process holds in its memory, as the raw profile that it has not written.
//!
//! In goes the id of a process: a live one, or one that a debugger holds at its very end. Out come
//! the instrumented binaries that are mapped in it, their counters, and raw profiles that any
//! reader of LLVM profiles takes: byte for byte what LLVM's runtime would have written at that
//! moment, without the values of value profiling. For Linux, and any instrumented ELF binary.
//!
//! ```no_run
//! for (image, profile) in bincover_rescue::snapshot(4711)? {
//!     let name = image.path().file_name().unwrap_or_default();
//!     std::fs::write(name, profile)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`snapshot`]: all of a process at once;
//! - [`Reader`]: the same in steps, for whoever asks often; it remembers the binaries;
//! - [`Counters::minus`]: what a forked process added to what it inherited.
//!
//! # What is read where
//!
//! The program itself is read through `/proc/PID/exe`, so that it may have been deleted or replaced;
//! shared libraries by their path, if the file there is still the one that is mapped. Sections are
//! found by their names, so a binary must have its section headers. Two things are asked of the
//! symbols: the version (`__llvm_profile_raw_version`), and whether the counters have been moved
//! into a shared mapping of the profile (continuous mode, `__llvm_profile_counter_bias`). In a
//! stripped binary the version is the newest whose records fit the counters
//! ([`RawShape::deduce`](bincover_profile::raw::RawShape::deduce)), it is taken to be front-end
//! coverage, and moved counters are found by the header in the shared mapping.
//!
//! # Go
//!
//! A program of Go, built with `-cover`, has no profile of LLVM's but an area with its counters and a list
//! of its packages; [`GoImage`] hands both over as they lie there, and what they mean is not known here.
//! They are found without symbols, so that stripped programs are no different.
//!
//! Reading a process needs the rights to trace it: the same user, and a kernel that allows it.
//! Whatever lies in its memory and its binaries, the answer is a result or an [`Error`]; nothing
//! larger than what is mapped is allocated.
//!
//! Deliberately not here: stopping processes, and any file but those in `/proc` and the binaries.

mod elf;
mod error;
mod go;
mod image;
mod limits;
mod maps;
mod memory;

pub use error::{Error, ErrorKind, Result};
pub use go::{GoImage, GoPackage};
pub use image::{Counters, Image, Images, Reader};
pub use memory::Memory;

/// The instrumented binaries of a process, each with its raw profile.
pub type Snapshot = Vec<(Image, Vec<u8>)>;

/// The profiles of a live process, which goes on meanwhile: one for each instrumented binary that is
/// mapped in it.
///
/// A counter that changes while it is read has its value before or after.
///
/// # Errors
///
/// There is no such process, it may not be read, or nothing in it is instrumented.
pub fn snapshot(pid: u32) -> Result<Snapshot> {
    Reader::new().snapshot(pid)
}

/// The instrumented binaries that are mapped in a process. [`Reader::images`] is faster from the
/// second time on.
///
/// # Errors
///
/// As [`Reader::images`].
pub fn images(pid: u32) -> Result<Vec<Image>> {
    Reader::new().images(pid)
}
