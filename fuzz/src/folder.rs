//! Folders for the bodies whose subject is files.

use std::path::Path;

use tempfile::TempDir;

/// A folder that is gone when it is dropped: in memory, where the system has such a place.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => TempDir::new_in(memory),
        false => TempDir::new(),
    };
    made.expect("a folder for temporary files")
}
