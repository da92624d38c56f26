//! Profiles on disk to a merged one.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bincover_profile::{Merged, Merger, NameTable};

use crate::error::{Error, Result};
use crate::input::map_object;

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

/// The names of a binary's functions, for its profiles that have lost theirs.
#[derive(Clone, Debug)]
pub struct BinaryNames {
    /// The binary's build id.
    pub build_id: Vec<u8>,
    /// The names.
    pub names: NameTable,
}

impl BinaryNames {
    /// Reads the names of an instrumented binary.
    ///
    /// # Errors
    /// If it cannot be read or has none.
    pub fn of(binary: &Path) -> Result<Self> {
        let bytes = map_object(binary)?;
        let (build_id, names) =
            bincover_mapping::names(&bytes).map_err(|source| Error::Object {
                path: binary.to_owned(),
                source,
            })?;
        Ok(Self { build_id, names })
    }
}

/// Merges files in the order given, one in memory at a time. A file that is gone, unreadable or
/// damaged does not end the merge: it is in the ledger, under its path. Of a raw profile that
/// ends too early, what is there is merged, as long as another profile of the same binary is
/// among the files.
#[must_use]
pub fn merge_files(inputs: impl IntoIterator<Item = ProfileInput>) -> Merged {
    merge_files_knowing(inputs, Vec::new())
}

/// As [`merge_files`]; profiles that end too early are also helped by the names of binaries.
#[must_use]
pub fn merge_files_knowing(
    inputs: impl IntoIterator<Item = ProfileInput>,
    binaries: Vec<BinaryNames>,
) -> Merged {
    let mut merger = Merger::new();
    for binary in binaries {
        merger.learn_names(&binary.build_id, binary.names);
    }
    let mut cut = Vec::new();
    for input in inputs {
        let source = input.path.display().to_string();
        match std::fs::read(&input.path) {
            Ok(bytes) => {
                let left_out = merger.ledger().entries.len();
                merger.add(&source, &bytes, input.weight);
                if merger.ledger().entries.len() > left_out && merger.may_be_salvaged(&bytes) {
                    cut.push(input);
                }
            }
            Err(error) => merger.add_failure(&source, error.to_string()),
        }
    }
    for ProfileInput { path, weight } in cut {
        // If it is gone by now, its entry in the ledger stands as it is.
        if let Ok(bytes) = std::fs::read(&path) {
            merger.salvage(&path.display().to_string(), &bytes, weight);
        }
    }
    merger.finish()
}

/// The files that an input stands for: itself, or the profiles (`.profraw`, `.profdata`,
/// `.proftext`) in a folder and those below it, sorted by path.
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
    while let Some(folder) = folders.pop() {
        let fail = |source| Error::read(&folder, source);
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = entry.path();
            // Links to folders are not followed: they may lead back up.
            if entry.file_type().map_err(fail)?.is_dir() {
                folders.push(path);
            } else if is_profile_name(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_profile_name(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| {
        ["profraw", "profdata", "proftext"]
            .iter()
            .any(|known| suffix == *known)
    })
}
