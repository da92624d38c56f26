//! A folder that programs write profiles into, kept small: each profile is added to a total as
//! soon as its writer is gone, and deleted.
//!
//! All that a fold needs lies in `.bincover-fold/` inside the folder, so that moving a file there
//! is one rename. A fold goes through these states, and a crash between any two of them loses
//! nothing and counts nothing twice:
//!
//! 1. A profile that no process has open for writing or mapped is moved to `waiting/`. From now on
//!    nobody can find it by its name. A process that opened it just before may still write to it.
//! 2. Once nobody has it open, it is moved to `batch-N/`, where *N* is one more than the number of
//!    the newest total. From now on nothing can change it.
//! 3. The newest total and all of `batch-N/` are merged into a folder of another name, which is
//!    then renamed to `total-N/`. That rename is the moment at which the batch counts.
//! 4. `batch-N/` is deleted, and the older total. Profiles that could not be used, or only in
//!    part, are not deleted but moved to `left-out/`; `total-N/fold.json` names them.
//!
//! Whoever folds next sees by the numbers how far it went: batches up to the newest total count,
//! newer ones do not. Folds take turns by a lock on `.bincover-fold/lock`.

pub(crate) mod in_use;
mod state;

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bincover_profile::{Cause, Entry, Ledger, WriteOptions, indexed};

use crate::error::{Error, Result, again, is_scarce};
use crate::merge::{FileMerge, ProfileInput, profiles_below};
use in_use::{Use, use_of};
use state::State;

pub(crate) use state::profiles_in;

/// The name of the folder inside a folder of profiles that holds what was folded.
pub(crate) const STATE: &str = ".bincover-fold";

/// A folder of profiles that is to be folded.
///
/// ```no_run
/// use bincover::Folder;
///
/// let folder = Folder::new("/tmp/profiles");
/// let folded = folder.fold()?;
/// println!("{} more profiles, {} still written to", folded.files, folded.in_use.len());
/// if let Some(total) = folder.total()? {
///     println!("all of them are in {}", total.display());
/// }
/// # Ok::<(), bincover::Error>(())
/// ```
///
/// Any number of processes may fold the same folder: they take turns. Of a file system without
/// leases (a network's, mostly) it cannot be told who has a file open; there nothing is folded
/// unless it is said that [nobody writes](Folder::assume_finished).
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    assumes_finished: bool,
}

/// What one fold did.
#[derive(Debug, Default)]
pub struct Folded {
    /// Profiles that are now in the total and gone from the folder, those left out included.
    pub files: u64,
    /// Profiles that a living process has open for writing, or mapped: they were left alone.
    pub in_use: Vec<PathBuf>,
    /// Profiles of which it cannot be told whether a process writes to them, and why not, and links to
    /// profiles; they were left alone.
    pub unknown: Vec<(PathBuf, io::Error)>,
    /// What could not be used of this fold's profiles. Those files are kept, in
    /// `.bincover-fold/left-out/`.
    pub ledger: Ledger,
}

impl Folder {
    /// A folder of profiles, which need not exist yet. Nothing is done.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            assumes_finished: false,
        }
    }

    /// Folds without asking whether a process still writes: for file systems that do not say, when
    /// all programs have ended.
    #[must_use]
    pub fn assume_finished(mut self) -> Self {
        self.assumes_finished = true;
        self
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folds the profiles whose writers are gone, in this folder and those below it; regular files, and no links. If
    /// another process is folding, it waits for its turn.
    ///
    /// # Errors
    /// If the folder cannot be read or written, or the total of earlier folds cannot be read.
    /// Nothing is lost then: all profiles are in the folder or inside `.bincover-fold/`, and the
    /// next fold goes on from there.
    pub fn fold(&self) -> Result<Folded> {
        let mut folded = Folded::default();
        if !self.path.is_dir() {
            return Ok(folded);
        }
        let state = State::open(&self.path)?;
        let next = state.recover()? + 1;
        self.take(&state, &mut folded)?;
        let batch = self.gather(&state, next, &mut folded)?;
        if !batch.is_empty() {
            folded.ledger = merge(&state, next, &batch)?;
            folded.files = batch.len() as u64;
            state.recover()?;
        }
        Ok(folded)
    }

    /// Folds again and again, with a pause of `every` between, until `seen` breaks it off: it is
    /// told what each fold did.
    ///
    /// # Errors
    /// As [`Folder::fold`].
    pub fn follow(
        &self,
        every: Duration,
        mut seen: impl FnMut(&Folded) -> ControlFlow<()>,
    ) -> Result<()> {
        while seen(&self.fold()?).is_continue() {
            std::thread::sleep(every);
        }
        Ok(())
    }

    /// The profile with all that was folded so far, if anything was. It is replaced, under another
    /// name, by the next fold.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn total(&self) -> Result<Option<PathBuf>> {
        state::newest_profile(&self.path.join(STATE))
    }

    /// How many profiles were folded so far.
    ///
    /// # Errors
    /// If the folder or its record cannot be read.
    pub fn total_files(&self) -> Result<u64> {
        Ok(state::newest_record(&self.path.join(STATE))?.files)
    }

    /// State 1: what lies in the folder and is free.
    fn take(&self, state: &State, folded: &mut Folded) -> Result<()> {
        let mut found = profiles_below(&self.path)?;
        let ours = self.path.join(STATE);
        found.retain(|path| !path.starts_with(&ours));
        let (links, files): (Vec<PathBuf>, Vec<PathBuf>) =
            found.into_iter().partition(|path| path.is_symlink());
        note_links(links, &files, folded);
        for path in &files {
            if self.is_free(path, path, folded)? {
                state.take(path.strip_prefix(&self.path).unwrap_or(path), path)?;
            }
        }
        Ok(())
    }

    /// State 2: all that is now known to be nobody's.
    fn gather(&self, state: &State, number: u64, folded: &mut Folded) -> Result<Vec<PathBuf>> {
        for path in state.waiting()? {
            if self.is_free(&path, &self.path.join(state::original(&path)), folded)? {
                state.add_to_batch(&path, number)?;
            }
        }
        state.batch(number)
    }

    /// No process writes to this file. If one does, or that cannot be told, it is noted under
    /// `name`.
    fn is_free(&self, path: &Path, name: &Path, folded: &mut Folded) -> Result<bool> {
        if self.assumes_finished {
            return Ok(true);
        }
        match use_of(path) {
            Ok(Use::Free) => return Ok(true),
            Ok(Use::Written) => folded.in_use.push(name.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => folded.unknown.push((name.to_owned(), error)),
        }
        Ok(false)
    }
}

/// Links stay where they are, as one that is moved may lead elsewhere or to nothing. Those that lead to a profile that
/// is not folded by itself are noted.
fn note_links(links: Vec<PathBuf>, files: &[PathBuf], folded: &mut Folded) {
    if links.is_empty() {
        return;
    }
    let id = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let files: HashSet<_> = files.iter().filter_map(id).collect();
    for link in links {
        if id(&link).is_some_and(|target| !files.contains(&target)) {
            let reason = io::Error::other("it is a link, and those are not moved");
            folded.unknown.push((link, reason));
        }
    }
}

/// State 3: the total before and a batch make the next total.
fn merge(state: &State, number: u64, batch: &[PathBuf]) -> Result<Ledger> {
    let before = state.newest()?;
    let mut inputs: Vec<ProfileInput> = Vec::new();
    inputs.extend(before.clone().map(ProfileInput::from));
    inputs.extend(batch.iter().cloned().map(ProfileInput::from));
    let mut merged = FileMerge::new().run(&inputs);
    if let Some(before) = before {
        let source = before.display().to_string();
        if let Some(entry) = merged
            .ledger
            .entries
            .iter()
            .find(|entry| entry.source == source)
        {
            return Err(Error::Total {
                path: before,
                reason: entry.cause.to_string(),
            });
        }
        merged.ledger.inputs -= 1;
    }
    // Those are no worse than others: the next fold takes them.
    for entry in &merged.ledger.entries {
        if let Cause::Inaccessible(reason) = &entry.cause
            && is_scarce(reason)
        {
            return Err(Error::read(&entry.source, again(reason)));
        }
    }
    let mut left_out = BTreeSet::new();
    for entry in &mut merged.ledger.entries {
        let path = Path::new(&entry.source);
        if entry.cause.is_error() {
            left_out.extend(
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
        entry.source = state::original(path).display().to_string();
    }
    let mut record = state.record()?;
    record.files = record.files.saturating_add(batch.len() as u64);
    record.left_out = left_out;
    let (empty, entries): (Vec<&Entry>, Vec<&Entry>) = merged
        .ledger
        .entries
        .iter()
        .partition(|entry| matches!(entry.cause, Cause::Empty));
    record.empty = record.empty.saturating_add(empty.len() as u64);
    record
        .entries
        .extend(entries.iter().map(ToString::to_string));
    let bytes = indexed::write(&merged.profile, &WriteOptions::default());
    state.commit(number, &bytes, &record)?;
    Ok(merged.ledger)
}

/// Makes a folder's names last, should the machine stop.
fn sync_folder(path: &Path) -> Result<()> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(|source| Error::write(path, source))
}

#[cfg(test)]
mod tests;
