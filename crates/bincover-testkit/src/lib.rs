//! What bincover's own tests share: fixtures and where they lie, builders of valid files to break,
//! seeded inputs. Never published.

pub mod container;
pub mod elf;
pub mod mapping;
pub mod mutate;
pub mod raw;
pub mod rng;

use std::path::{Path, PathBuf};

/// The top of the repository.
#[must_use]
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/bincover-testkit lies two levels below the top")
        .to_owned()
}

/// A file or folder below `testdata/`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    top().join("testdata").join(name)
}

/// The bytes of a file below `testdata/`.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn fixture_bytes(name: &str) -> Vec<u8> {
    let path = fixture(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The paths in a folder below `testdata/` whose names end in `suffix`, sorted.
///
/// # Panics
/// If the folder cannot be read or has no such file: a test over nothing would pass.
#[must_use]
pub fn fixtures_ending(folder: &str, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&fixture(folder), suffix, &mut found);
    assert!(!found.is_empty(), "no *{suffix} in testdata/{folder}");
    found.sort();
    found
}

fn collect(folder: &Path, suffix: &str, found: &mut Vec<PathBuf>) {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, suffix, found);
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
}
