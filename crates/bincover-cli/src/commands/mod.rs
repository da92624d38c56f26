//! One file for each command.

pub(crate) mod build;
pub(crate) mod clean;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod env;
pub(crate) mod fold;
pub(crate) mod go_build;
pub(crate) mod merge;
pub(crate) mod missing;
pub(crate) mod paths;
pub(crate) mod ratchet;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod shards;
pub(crate) mod snapshot;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bincover::{Error, Store};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::StoreArgs;

/// The store that was asked for, or that of the working folder.
fn store(args: &StoreArgs) -> Result<Store, Error> {
    if let Some(folder) = &args.store {
        return Ok(Store::new(folder));
    }
    // Where that folder was deleted, only an absolute store can be written to, and programs are run all the same.
    let here = std::env::current_dir().unwrap_or_default();
    Ok(Store::of(&here))
}

/// The context of what programs write that nobody of ours ran.
const CONTEXT_OF_LOOSE: &str = "environment";

/// Adds what has come to the store from others: runs whose runners are gone, and programs in an
/// environment of `bincover env`.
fn settle(store: &Store) -> Result<(), Error> {
    store.settle()?;
    store.add_loose(&store.loose_folder(), Some(CONTEXT_OF_LOOSE))?;
    Ok(())
}

/// True once the process is told to end.
fn end_signal() -> Result<Arc<AtomicBool>, Error> {
    let ends = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ends)).map_err(|source| Error::Read {
            path: "signals".into(),
            source,
        })?;
    }
    Ok(ends)
}
