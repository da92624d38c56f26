//! One file for each command.

pub(crate) mod clean;
pub(crate) mod demo;
pub(crate) mod fold;
pub(crate) mod merge;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod shards;

use bincover::{Error, Store};

use crate::args::StoreArgs;

/// The store that was asked for, or that of the working folder.
fn store(args: &StoreArgs) -> Result<Store, Error> {
    if let Some(folder) = &args.store {
        return Ok(Store::new(folder));
    }
    let here = std::env::current_dir().map_err(|source| Error::Read {
        path: ".".into(),
        source,
    })?;
    Ok(Store::of(&here))
}
