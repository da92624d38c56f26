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

mod mapping;
mod merge;
mod profile;

pub use mapping::{mapping, split_object};
pub use merge::merge;
pub use profile::{indexed, raw, text};
