//! What the fuzz targets do with their bytes: plain functions, so that `tests/fuzz_bodies.rs` runs
//! them over `testdata/` on stable (and is why the modules call each other `super`). A body panics
//! when a law is broken.
//!
//! | body | input | laws |
//! | --- | --- | --- |
//! | [`raw`] | a raw profile, or anything with a raw magic put over it | round trip; twice is double |
//! | [`indexed`] | an indexed profile, likewise | the same |
//! | [`text`] | a text profile | the same, and as text where text can say it |
//! | [`mapping`] | an ELF file; the sections of one; a recipe for them | the evaluation is in order |
//! | [`merge`] | a recipe for raw files | order, grouping, weight, format |
//! | [`go_meta`] | Go's metadata, or anything with its magic put over it | round trip; the evaluation is in order |
//! | [`go_counters`] | Go's counters, likewise | round trip; twice is double |
//! | [`go_text`] | Go's text profile, and source | written and read back it is the same |
//! | [`import`] | lcov, Cobertura, llvm-cov's JSON | in order; written and read back it is the same; twice is double |

mod go;
mod import;
mod mapping;
mod merge;
mod profile;

pub use go::{go_counters, go_meta, go_text};
pub use import::import;
pub use mapping::{mapping, split_object};
pub use merge::merge;
pub use profile::{indexed, raw, text};
