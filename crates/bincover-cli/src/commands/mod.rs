//! One file for each command.

pub(crate) mod demo;
pub(crate) mod fold;
pub(crate) mod merge;
pub(crate) mod report;
pub(crate) mod run;

use std::path::{Path, PathBuf};

use bincover::Store;

use crate::args::StoreArgs;

/// The store that was asked for, or the usual one: in Cargo's target folder where there is a
/// Cargo project, else a folder of its own.
fn store(args: &StoreArgs) -> Store {
    Store::new(match &args.store {
        Some(folder) => folder.clone(),
        None if Path::new("Cargo.toml").is_file() => PathBuf::from("target/bincover"),
        None => PathBuf::from(".bincover"),
    })
}
