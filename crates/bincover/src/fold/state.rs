//! The files inside `.bincover-fold/`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{STATE, sync_folder};
use crate::error::{Error, Result};
use crate::own;

const WAITING: &str = "waiting";
const LEFT_OUT: &str = "left-out";
const NEW: &str = "new";
const BATCH: &str = "batch-";
const TOTAL: &str = "total-";
const PROFILE: &str = "total.profdata";
const RECORD: &str = "fold.json";
const RECORD_VERSION: u32 = 1;

/// Names on Linux have at most this many bytes.
const MAX_NAME: usize = 255;

/// The folder of a fold, locked.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    /// The number for the next profile that is taken: no other in here has it.
    next: Cell<u64>,
    /// Held as long as it is open.
    _lock: File,
}

/// What `fold.json` holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// Profiles that were folded, those left out included.
    pub(super) files: u64,
    /// Of these, files without a byte: their programs never wrote them.
    pub(super) empty: u64,
    /// The names, in the newest batch, of those that could not be used in full.
    pub(super) left_out: BTreeSet<String>,
    /// What was left out of all profiles so far, and why.
    pub(super) entries: Vec<String>,
}

impl State {
    /// Makes the folder if it is not there, and waits until nobody else folds.
    pub(super) fn open(profiles: &Path) -> Result<Self> {
        let folder = profiles.join(STATE);
        own::folder(&folder)?;
        for name in [WAITING, LEFT_OUT] {
            own::folder(&folder.join(name))?;
        }
        let path = folder.join("lock");
        let mut options = File::options();
        let lock = own::open(options.create(true).truncate(false).write(true), &path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| Error::write(&path, source))?;
        let mut folders = vec![folder.join(WAITING), folder.join(LEFT_OUT)];
        folders.extend(numbered(&folder, BATCH)?.into_iter().map(|(_, path)| path));
        let mut next = 0;
        for folder in folders {
            for path in files_in(&folder)? {
                next = next.max(number_of(&path).map_or(0, |number| number + 1));
            }
        }
        Ok(Self {
            folder,
            next: Cell::new(next),
            _lock: lock,
        })
    }

    /// Finishes what an earlier fold began; returns the number of the newest total, 0 if there is
    /// none.
    pub(super) fn recover(&self) -> Result<u64> {
        let newest = newest_number(&self.folder)?;
        remove_folder(&self.folder.join(NEW))?;
        let record = self.record()?;
        for (number, path) in numbered(&self.folder, BATCH)? {
            if number > newest {
                continue;
            }
            for file in files_in(&path)? {
                let name = file.file_name().unwrap_or_default();
                let is_left_out = record.left_out.contains(&*name.to_string_lossy());
                match is_left_out {
                    true => rename(&file, &self.folder.join(LEFT_OUT).join(name))?,
                    false => {
                        fs::remove_file(&file).map_err(|source| Error::write(&file, source))?
                    }
                }
            }
            fs::remove_dir(&path).map_err(|source| Error::write(&path, source))?;
        }
        for (number, path) in numbered(&self.folder, TOTAL)? {
            if number < newest {
                remove_folder(&path)?;
            }
        }
        Ok(newest)
    }

    /// Moves a profile to where nobody finds it. `name` is its path inside the folder, for people.
    pub(super) fn take(&self, name: &Path, path: &Path) -> Result<()> {
        let number = self.next.get();
        self.next.set(number + 1);
        let mut file = OsString::from(format!("{number}-"));
        file.push(flattened(name));
        let target = self.folder.join(WAITING).join(file);
        match fs::rename(path, &target) {
            // Whoever wrote it may have removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| Error::write(path, source)),
        }
    }

    /// The profiles that were taken.
    pub(super) fn waiting(&self) -> Result<Vec<PathBuf>> {
        files_in(&self.folder.join(WAITING))
    }

    pub(super) fn add_to_batch(&self, path: &Path, number: u64) -> Result<()> {
        let batch = self.folder.join(format!("{BATCH}{number}"));
        own::folder(&batch)?;
        rename(path, &batch.join(path.file_name().unwrap_or_default()))
    }

    /// The profiles of a batch, sorted.
    pub(super) fn batch(&self, number: u64) -> Result<Vec<PathBuf>> {
        let batch = self.folder.join(format!("{BATCH}{number}"));
        match batch.is_dir() {
            true => files_in(&batch),
            false => Ok(Vec::new()),
        }
    }

    /// The newest total's profile.
    pub(super) fn newest(&self) -> Result<Option<PathBuf>> {
        newest_profile(&self.folder)
    }

    /// The newest total's record.
    pub(super) fn record(&self) -> Result<Record> {
        newest_record(&self.folder)
    }

    /// Makes a total. When this returns, its batch counts.
    pub(super) fn commit(&self, number: u64, profile: &[u8], record: &Record) -> Result<()> {
        let new = self.folder.join(NEW);
        fs::create_dir(&new).map_err(|source| Error::write(&new, source))?;
        write(&new.join(PROFILE), profile)?;
        let json = serde_json::to_vec_pretty(record);
        let json = json.map_err(|error| Error::write(&new, error.into()))?;
        write(&new.join(RECORD), &json)?;
        sync_folder(&new)?;
        rename(&new, &self.folder.join(format!("{TOTAL}{number}")))?;
        sync_folder(&self.folder)
    }
}

/// The number in front of the name of a profile that was taken. We never come to those that are near the end of
/// what a number can be.
fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let number = name.split_once('-')?.0.parse().ok();
    number.filter(|number| *number < u64::MAX / 2)
}

/// The name of a profile before it was taken.
pub(super) fn original(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let start = name
        .iter()
        .position(|&byte| byte == b'-')
        .map_or(0, |at| at + 1);
    let mut original = Vec::new();
    let mut rest = &name[start..];
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.split_at_checked(2).filter(|_| first == b'%');
        (rest, _) = match escape {
            Some((b"2F", after)) => (after, original.push(b'/')),
            Some((b"25", after)) => (after, original.push(b'%')),
            _ => (after, original.push(first)),
        };
    }
    OsString::from_vec(original).into()
}

/// A path as a name: `/` and `%` escaped. What is too long for a name loses its beginning.
fn flattened(path: &Path) -> OsString {
    let mut name = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' => name.extend(b"%2F"),
            b'%' => name.extend(b"%25"),
            _ => name.push(byte),
        }
    }
    // Room for the number in front.
    let excess = name.len().saturating_sub(MAX_NAME - 24);
    OsString::from_vec(name.split_off(excess))
}

/// The profiles inside a fold's folder that count or will count: the newest total, and what was
/// taken since. Those that were left out are not among them.
///
/// Somebody may be folding. A profile goes from `waiting/` into a batch, under the same name, and from there
/// into a total; they are looked at in this order, so that none is overlooked.
pub(crate) fn profiles_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let there = |folder: &Path| match folder.is_dir() && !folder.is_symlink() {
        true => files_in(folder),
        false => Ok(Vec::new()),
    };
    // One that was just there may be gone: what was in it is further on.
    let gone_is_empty = |folder: &Path, listed: Result<Vec<PathBuf>>| match listed {
        Err(_) if !folder.exists() => Ok(Vec::new()),
        listed => listed,
    };
    let waiting = folder.join(WAITING);
    let mut waiting = gone_is_empty(&waiting, there(&waiting))?;
    let mut batches = Vec::new();
    for (number, batch) in numbered(folder, BATCH)? {
        let files = gone_is_empty(&batch, there(&batch))?;
        batches.extend(files.into_iter().map(|path| (number, path)));
    }
    let moved: BTreeSet<_> = batches.iter().map(|(_, path)| path.file_name()).collect();
    waiting.retain(|path| !moved.contains(&path.file_name()));
    let newest = newest_number(folder)?;
    let mut found = Vec::new();
    found.extend(profile_of_total(folder, newest));
    let later = batches.iter().filter(|(number, _)| *number > newest);
    found.extend(later.map(|(_, path)| path.clone()));
    found.extend(waiting);
    Ok(found)
}

pub(super) fn newest_profile(folder: &Path) -> Result<Option<PathBuf>> {
    Ok(profile_of_total(folder, newest_number(folder)?))
}

/// There is no total of the number 0.
fn profile_of_total(folder: &Path, number: u64) -> Option<PathBuf> {
    (number > 0).then(|| folder.join(format!("{TOTAL}{number}")).join(PROFILE))
}

pub(super) fn newest_record(folder: &Path) -> Result<Record> {
    let number = newest_number(folder)?;
    if number == 0 {
        return Ok(Record {
            version: RECORD_VERSION,
            ..Record::default()
        });
    }
    let path = folder.join(format!("{TOTAL}{number}")).join(RECORD);
    let bytes = fs::read(&path).map_err(|source| Error::read(&path, source))?;
    let fail = |reason: String| Error::Record {
        path: path.clone(),
        reason,
    };
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))?;
    if record.version != RECORD_VERSION {
        let found = record.version;
        return Err(fail(format!(
            "expected version {RECORD_VERSION}, found {found}"
        )));
    }
    Ok(record)
}

fn newest_number(folder: &Path) -> Result<u64> {
    let totals = numbered(folder, TOTAL)?;
    Ok(totals.iter().map(|(number, _)| *number).max().unwrap_or(0))
}

/// The folders whose name is a prefix and a number; none if there is no `folder`.
fn numbered(folder: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>> {
    let fail = |source| Error::read(folder, source);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
        // Nothing of ours is a link, or has a number that has no next one.
        let is_folder = entry.file_type().map_err(fail)?.is_dir();
        let number = number.and_then(|number| number.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| is_folder && *number < u64::MAX) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The files of a folder, sorted by their own names and then by the numbers in front of those.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::read(folder, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        found.push(entry.map_err(fail)?.path());
    }
    found.sort_by_cached_key(|path| (original(path), number_of(path)));
    Ok(found)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| Error::write(to, source))
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.map_err(|source| Error::write(path, source)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    put().map_err(|source| Error::write(path, source))
}
