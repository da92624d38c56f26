//! What the fuzz targets do with their bytes: plain functions, so that `tests/fuzz_bodies.rs` runs
//! them over `testdata/` on stable (and is why the modules call each other `super`). A body panics
//! when a law is broken; [README.md](../README.md) has the table of all.
//!
//! [`mutate`] has what a target does to an input beside libFuzzer's own mutations, so that headers
//! stay plausible.

mod changes;
mod config;
mod container;
mod damage;
mod folder;
mod go;
mod import;
mod mapping;
mod merge;
pub mod mutate;
mod names;
mod profile;
mod recipe;
mod reports;
mod shards;
mod sources;
mod store;

pub use changes::{baseline, patch, ratchet};
pub use config::config;
pub use container::container;
pub use damage::damage;
pub use go::{go_counters, go_meta, go_text};
pub use import::{cobertura, lcov, llvm_json};
pub use mapping::mapping;
pub use merge::merge;
pub use names::{names, symbols};
pub use profile::{indexed, raw, text};
pub use reports::reports;
pub use shards::shards;
pub use sources::sources;
pub use store::store;
