//! Which files are merged.

use std::fs::FileType;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fold::{STATE, profiles_in};

/// A profile to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileInput {
    /// The file.
    pub path: PathBuf,
    /// Each of its counts is multiplied by this.
    pub weight: NonZeroU64,
}

impl From<PathBuf> for ProfileInput {
    fn from(path: PathBuf) -> Self {
        let weight = NonZeroU64::MIN;
        Self { path, weight }
    }
}

/// The files that an input stands for: itself, or the files with profiles (`.profraw`, `.profdata`,
/// `.proftext`) in a folder and those below it, sorted by path. Of a folder that is
/// [folded](crate::Folder), the total is among them.
///
/// # Errors
/// If it does not exist or a folder cannot be read.
pub fn profiles_below(input: &Path) -> Result<Vec<PathBuf>> {
    let metadata = std::fs::metadata(input).map_err(|source| Error::read(input, source))?;
    if !metadata.is_dir() {
        return Ok(vec![input.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![input.to_owned()];
    let mut folded = Vec::new();
    while let Some(folder) = folders.pop() {
        let fail = |source| Error::read(&folder, source);
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(fail)?;
            // Links to folders are not followed: they may lead back up.
            if kind.is_dir() {
                match entry.file_name() == STATE {
                    true => folded.push(path),
                    false => folders.push(path),
                }
            } else if is_profile_name(&path) && is_file(kind, &path) {
                found.push(path);
            }
        }
    }
    // Last, as a fold moves profiles there: one that is moved meanwhile is listed at least once.
    for state in folded {
        found.extend(profiles_in(&state)?);
    }
    found.sort();
    Ok(found)
}

/// Not a pipe, a socket, a device, or a link to one: opening it might never end.
fn is_file(kind: FileType, path: &Path) -> bool {
    let leads_to_other = || {
        let metadata = std::fs::metadata(path);
        metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    };
    kind.is_file() || (kind.is_symlink() && !leads_to_other())
}

fn is_profile_name(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| {
        ["profraw", "profdata", "proftext"]
            .iter()
            .any(|known| suffix == *known)
    })
}
