//! What the store knows of a program, in a small file beside its database: whoever runs a program
//! that is known need not open the database, which is a good part of what a run costs.
//!
//! A file speaks of one build of a program and one database, and its name is a hash of both: if
//! either is another one by now, it is not found. It is a copy of what the database says; if it is
//! gone or cannot be read, the database is asked.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::database;
use super::record::Text;
use crate::own;

/// In the store's folder.
pub(super) const FOLDER: &str = "known";

/// A program whose coverage sections, if it has any, are in the database.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) path: Text,
    pub(super) stamp: String,
    pub(super) counters: bool,
    pub(super) relocatable: Option<bool>,
    pub(super) is_go: bool,
    pub(super) object_key: Option<String>,
}

impl Known {
    /// What is known of the build of a program that has this stamp.
    pub(super) fn find(store: &Path, program: &Path, stamp: &str) -> Option<Self> {
        let json = own::read(&file(store, program, stamp)?).ok()?;
        let known: Self = serde_json::from_slice(&json).ok()?;
        let is_it = known.stamp == stamp && known.path == Text::from(program);
        is_it.then_some(known)
    }

    /// Writes it. If that fails, the database is asked the next time, too.
    pub(super) fn write(&self, store: &Path, program: &Path) {
        let write = || {
            let file = file(store, program, &self.stamp)?;
            let json = serde_json::to_vec(self).ok()?;
            own::folder(file.parent()?).ok()?;
            // Whoever reads half of it cannot make sense of it.
            let mut options = File::options();
            let mut file =
                own::open(options.create(true).write(true).truncate(true), &file).ok()?;
            file.write_all(&json).ok()
        };
        let _ = write();
    }
}

/// Forgets all of them: call it before anything is deleted in the database, in our turn. Runs that begin meanwhile may
/// write more; when one ends, it finds that the database does not know its program.
pub(super) fn forget(store: &Path) -> std::io::Result<()> {
    own::empty(&store.join(FOLDER))
}

fn file(store: &Path, program: &Path, stamp: &str) -> Option<PathBuf> {
    let database = database::birth(store)?;
    let key = [
        program.as_os_str().as_encoded_bytes(),
        stamp.as_bytes(),
        database.as_bytes(),
    ];
    Some(
        store
            .join(FOLDER)
            .join(format!("{:032x}", xxh3_128(&key.join(&0)))),
    )
}
