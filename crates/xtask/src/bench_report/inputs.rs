//! Where inputs lie, and what becomes of old ones.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// Everything that a report makes on its way.
const ROOT: &str = "target/bench-report";

/// The folder of whole inputs, or that of quick ones.
pub(super) struct Site {
    root: PathBuf,
    is_quick: bool,
}

impl Site {
    pub(super) fn new(is_quick: bool) -> Result<Self, Failure> {
        let root = Path::new(ROOT).join(if is_quick { "quick" } else { "whole" });
        fs::create_dir_all(&root)?;
        Ok(Self { root, is_quick })
    }

    /// How many of something there are.
    pub(super) fn count(&self, whole: usize, quick: usize) -> usize {
        if self.is_quick { quick } else { whole }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The files of a folder, sorted. They are made unless they are there and were made for the same key, which therefore
    /// says all that they depend on.
    pub(super) fn files(
        &self,
        name: &str,
        key: &str,
        make: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.path(name);
        let kept = self.path(&format!("{name}.key"));
        if !fs::read_to_string(&kept).is_ok_and(|old| old == key) {
            eprintln!("making {}", folder.display());
            if kept.exists() {
                fs::remove_file(&kept)?;
            }
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            make(&folder)?;
            // Last, so that what was interrupted is made again.
            fs::write(&kept, key)?;
        }
        files_in(&folder)
    }
}

/// The files of a folder, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
