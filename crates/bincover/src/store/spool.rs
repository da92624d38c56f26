//! The folder into which the processes of one run write their profiles.
//!
//! Whoever runs the program holds a lock on the folder; it goes with its process, so that others see
//! which runs have lost their runner. A profile is moved aside before it is asked whether anybody
//! still writes to it: from then on nobody can open it by its name.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bincover_gocover::FileName;
use bincover_profile::raw::{Identity, RawHead};

use crate::error::{Error, Result, is_scarce};
use crate::fold::in_use::{Use, use_of};
use crate::merge::profiles_below;
use crate::output::private_folder;
use crate::own;
use crate::rescue::UNFINISHED;

/// Names of folders that are not yet locked begin with this, and others leave them alone.
const NEW: &str = "new-";

/// A folder is locked in much less time than this.
const NEW_FOR: Duration = Duration::from_secs(60);

/// The note on the run.
const NOTE: &str = "run.json";

/// In the store's folder: see [`count_ended`].
pub(super) const ENDED: &str = "ended";

/// Names of profiles that were moved aside begin with this and a number of their own.
const TAKEN: &str = "taken-";

/// Names of profiles that are about to be added, or are, begin with this and the batch's number.
const BATCH: &str = "batch-";

/// A run's folder, locked.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    name: String,
    /// None once it is let go of.
    lock: Option<File>,
}

/// The profiles in a run's folder.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    /// These are in the totals already.
    pub(super) added: Vec<PathBuf>,
    /// Nobody writes to these any more: the next batch.
    pub(super) free: Vec<PathBuf>,
    /// Living processes have these open for writing, or mapped.
    pub(super) in_use: Vec<PathBuf>,
}

impl Spool {
    /// Makes a folder in `runs`.
    pub(super) fn create(runs: &Path, started_ms: u64) -> Result<Self> {
        own::folder(runs)?;
        let create = || -> io::Result<Self> {
            // The name sorts by time.
            let prefix = format!("{NEW}{started_ms:013}-");
            let folder = private_folder(prefix.as_ref()).tempdir_in(runs)?;
            let lock = File::open(folder.path())?;
            lock.lock()?;
            let name = folder.path().file_name().unwrap_or_default();
            let name = name.to_string_lossy()[NEW.len()..].to_owned();
            let folder = folder.keep();
            let path = runs.join(&name);
            std::fs::rename(&folder, &path)?;
            Ok(Self {
                folder: path,
                name,
                lock: Some(lock),
            })
        };
        create().map_err(|source| Error::write(runs, source))
    }

    /// Takes over a folder whose runner is gone; `None` if it is still there.
    pub(super) fn adopt(folder: &Path) -> Result<Option<Self>> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(NEW) {
            sweep(folder);
            return Ok(None);
        }
        let lock = match own::open_folder(folder) {
            Ok(file) => file,
            // Somebody else was faster, or it is a link by now.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(source) => return Err(Error::read(folder, source)),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                folder: folder.to_owned(),
                name: name.into_owned(),
                lock: Some(lock),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::read(folder, source)),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The folder is there, and neither it nor that of all runs is a link. A program can put one in its place: what that
    /// leads to is none of ours, and the run has left nothing. If the program has deleted the folder, LLVM's
    /// runtime makes it anew, so it need not be the one that is locked.
    fn is_there(&self) -> bool {
        let is_folder = |path: &Path| {
            let metadata = std::fs::symlink_metadata(path);
            metadata.is_ok_and(|metadata| metadata.is_dir())
        };
        self.folder.ancestors().take(2).all(is_folder)
    }

    /// Writes a note on what is run, should nobody be left to tell.
    pub(super) fn write_note(&self, note: &[u8]) -> Result<()> {
        let path = self.folder.join(NOTE);
        std::fs::write(&path, note).map_err(|source| Error::write(path, source))
    }

    /// Writes one line more, and lets go of the folder.
    pub(super) fn leave(&mut self, line: &[u8]) -> Result<()> {
        let path = self.folder.join(NOTE);
        let append = || {
            // In one piece, so that whoever is killed has written it or not.
            own::open(File::options().append(true), &path)?.write_all(line)
        };
        append().map_err(|source| Error::write(&path, source))?;
        if let Some(lock) = self.lock.take() {
            // To close it would not do: a process that another thread starts just now has it open too, for a moment.
            let _ = lock.unlock();
        }
        Ok(())
    }

    /// How many profiles there are, and their bytes, if all of them are whole ones of binaries with a
    /// build id, or empty.
    pub(super) fn whole_profiles(&self) -> Option<(u64, u64)> {
        if !self.is_there() {
            return None;
        }
        let mut found = (0, 0);
        for path in profiles_below(&self.folder).ok()? {
            let file = own::open(File::options().read(true), &path).ok()?;
            let file_bytes = file.metadata().ok()?.len();
            if file_bytes == 0 {
                continue;
            }
            let mut head = [0; Identity::HEAD_BYTES];
            let wanted = usize::try_from(file_bytes).map_or(head.len(), |len| len.min(head.len()));
            file.read_exact_at(&mut head[..wanted], 0).ok()?;
            let head = RawHead::of(&head[..wanted], file_bytes)?;
            if head.build_id().is_empty() {
                return None;
            }
            found = (found.0 + 1, found.1 + file_bytes);
        }
        let has_other = !go_files(&self.folder).ok()?.is_empty();
        (!has_other).then_some(found)
    }

    /// What [`write_note`](Self::write_note) wrote.
    pub(super) fn note(&self) -> Result<Option<Vec<u8>>> {
        note(&self.folder)
    }

    /// Moves the profiles aside and sees which of them are finished. Those become the batch after
    /// `batch`, which is the last that is in the totals. Go's files of the `living` stay: at their ends
    /// it is asked which there are.
    pub(super) fn take(&self, batch: u64, living: &[u32]) -> Result<Profiles> {
        let mut profiles = Profiles::default();
        if !self.is_there() {
            return Ok(profiles);
        }
        let mut paths = profiles_below(&self.folder)?;
        paths.retain(|path| !path.is_symlink());
        let of_living = |path: &PathBuf| go_writer(path).is_some_and(|pid| living.contains(&pid));
        paths.extend(
            go_files(&self.folder)?
                .into_iter()
                .filter(|path| !of_living(path)),
        );
        for path in paths {
            let fail = |source| Error::write(&path, source);
            match batch_of(&path) {
                Some(number) if number <= batch => {
                    profiles.added.push(path);
                    continue;
                }
                Some(_) => {
                    profiles.free.push(path);
                    continue;
                }
                None => {}
            }
            let aside = aside(&path).map_err(fail)?;
            match use_of(&aside) {
                Ok(Use::Written) => profiles.in_use.push(aside),
                Err(error) if is_scarce(&error) => return Err(Error::read(aside, error)),
                // Where the file system does not tell: the run is over.
                Ok(Use::Free) | Err(_) => {
                    let batch = to_batch(&aside, batch + 1).map_err(fail)?;
                    profiles.free.push(batch);
                }
            }
        }
        Ok(profiles)
    }

    /// Deletes the profiles that are in the totals.
    pub(super) fn delete(&self, profiles: &Profiles) {
        if !self.is_there() {
            return;
        }
        for path in profiles.added.iter().chain(&profiles.free) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Deletes the profiles that are in the totals, and the folder if nothing is left in it. This
    /// is tidiness: what is left is known not to count again.
    pub(super) fn tidy(&self, profiles: &Profiles) {
        if !self.is_there() {
            if self.folder.is_symlink() {
                let _ = std::fs::remove_file(&self.folder);
            }
            return;
        }
        self.delete(profiles);
        if profiles.in_use.is_empty() {
            let _ = std::fs::remove_file(self.folder.join(NOTE));
        }
        if std::fs::remove_dir(&self.folder).is_err() && profiles.in_use.is_empty() {
            remove_others(&self.folder);
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

/// Deletes a folder whose maker was killed before it could lock it, if it is empty.
fn sweep(folder: &Path) {
    let age = folder.metadata().and_then(|metadata| metadata.modified());
    let age = age.map(|time| time.elapsed().unwrap_or_default());
    if age.is_ok_and(|age| age > NEW_FOR) {
        let _ = std::fs::remove_dir(folder);
    }
}

/// What is written on a run in its folder, if anything is.
pub(super) fn note(folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = folder.join(NOTE);
    match own::read(&path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::read(path, source)),
    }
}

/// Whether this is the folder of a run.
pub(super) fn is_run(folder: &Path) -> bool {
    folder.join(NOTE).is_file()
}

/// The batch that a profile belongs to, if it belongs to one.
pub(super) fn batch_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_prefix(BATCH)?;
    name.split_once('-')?.0.parse().ok()
}

/// A file's name as the process gave it.
pub(super) fn original_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let after = |name: &str, prefix| {
        let (_, rest) = name.strip_prefix(prefix)?.split_once('-')?;
        Some(rest.to_owned())
    };
    let name = after(&name, BATCH).unwrap_or_else(|| name.into_owned());
    after(&name, TAKEN).unwrap_or(name)
}

/// A file of Go's coverage, by the name that the process gave it.
pub(super) fn is_go(path: &Path) -> bool {
    FileName::parse(original_name(path).as_bytes()).is_some()
}

/// The process that has written a file of Go's counters.
fn go_writer(path: &Path) -> Option<u32> {
    let name = original_name(path);
    name.strip_prefix("covcounters.")?
        .rsplit('.')
        .nth(1)?
        .parse()
        .ok()
}

/// Go's files in a run's folder. A process gives them their names when they are whole.
fn go_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = files_in(folder)?;
    found.retain(|path| is_go(path));
    Ok(found)
}

/// Deletes what processes of Go left that were killed while they wrote, and runners that were killed while they wrote
/// what they had read of a process; links, pipes, and folders in which nothing is. Files that are something else are
/// the program's.
fn remove_others(folder: &Path) {
    const UNFINISHED_GO: [&str; 2] = ["tmp.covmeta.", "tmp.covcounters."];
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let name = entry.file_name();
        let is_unfinished =
            |beginning: &str| name.as_encoded_bytes().starts_with(beginning.as_bytes());
        let is_any = is_unfinished(UNFINISHED) || UNFINISHED_GO.into_iter().any(is_unfinished);
        if kind.is_dir() {
            let _ = std::fs::remove_dir(entry.path());
        } else if !kind.is_file() || is_any {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::read(folder, source);
    let entries = std::fs::read_dir(folder).map_err(fail)?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn to_batch(path: &Path, number: u64) -> io::Result<PathBuf> {
    let mut name = OsString::from(format!("{BATCH}{number}-"));
    name.push(path.file_name().unwrap_or_default());
    let batch = path.with_file_name(name);
    std::fs::rename(path, &batch)?;
    Ok(batch)
}

/// Renames a profile, unless that was done before.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default();
    if name.to_string_lossy().starts_with(TAKEN) {
        return Ok(path.to_owned());
    }
    // The name comes again if a process executes itself anew, or gets the number of one that is
    // gone; so the new name has to be one that never was.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut stamp = now.unwrap_or_default().as_nanos();
    loop {
        let mut aside = OsString::from(format!("{TAKEN}{stamp:x}-"));
        aside.push(name);
        let aside = path.with_file_name(aside);
        if !aside.exists() {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
        stamp += 1;
    }
}

/// The profiles in a run's folder that are in no total; `last` is the run's last batch that is.
pub(super) fn not_added(folder: &Path, last: Option<u64>) -> Vec<PathBuf> {
    let is_added = |path: &PathBuf| batch_of(path).is_some_and(|batch| last >= Some(batch));
    // The folder may be gone by now: then there was nothing more in it.
    let mut paths = profiles_below(folder).unwrap_or_default();
    paths.retain(|path| !is_added(path) && !path.is_symlink());
    paths
}

/// Reads those, one after another: there may be more of them than may be open at once. Its processes
/// and its runner may be at work there.
pub(super) fn read_each(
    folder: &Path,
    last: Option<u64>,
    mut tell: impl FnMut(&Path, io::Result<Vec<u8>>),
) {
    /// One that is not there was renamed after it was listed, by its runner or by the process.
    const ATTEMPTS: usize = 100;
    // By device and inode, which stay as they are when it is renamed.
    let mut seen = HashSet::new();
    let mut refused = HashSet::new();
    for _ in 0..ATTEMPTS {
        let mut is_renamed = false;
        for path in not_added(folder, last) {
            let mut read = || -> io::Result<Option<Vec<u8>>> {
                let mut file = own::open(File::options().read(true), &path)?;
                let metadata = file.metadata()?;
                if !seen.insert((metadata.dev(), metadata.ino())) {
                    return Ok(None);
                }
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            };
            match read() {
                Ok(bytes) => bytes.into_iter().for_each(|bytes| tell(&path, Ok(bytes))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => is_renamed = true,
                Err(error) => {
                    if refused.insert(path.clone()) {
                        tell(&path, Err(error));
                    }
                }
            }
        }
        if !is_renamed {
            break;
        }
    }
}

/// How many runs have ended since the last that was added, this one included: the length of a file
/// that each makes one byte longer.
pub(super) fn count_ended(store: &Path) -> io::Result<u64> {
    let mut file = own::open(
        File::options().create(true).append(true),
        &store.join(ENDED),
    )?;
    file.write_all(b".")?;
    Ok(file.metadata()?.len())
}

/// Begins to count anew.
pub(super) fn reset_ended(store: &Path) -> io::Result<()> {
    match own::open(
        File::options().write(true).truncate(true),
        &store.join(ENDED),
    ) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folders of all runs that are going on, that were left to be added, or were not tidied up.
pub(super) fn folders(runs: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::read(runs, source);
    own::check(runs)?;
    let entries = match std::fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(fail(source)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let runs = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(runs.path(), 5).unwrap();
        assert!(spool.name().starts_with("0000000000005-"));
        assert!(Spool::adopt(spool.folder()).unwrap().is_none());
        let folder = spool.folder().to_owned();
        // As a process has it that another thread has forked and that executes nothing yet.
        let of_another = spool.lock.as_ref().unwrap().try_clone().unwrap();
        spool.write_note(b"").unwrap();
        spool.leave(b"\n").unwrap();
        let spool = Spool::adopt(&folder).unwrap().unwrap();
        spool.tidy(&Profiles::default());
        assert!(!folder.exists());
        assert!(Spool::adopt(&folder).unwrap().is_none());
        drop(of_another);
    }

    #[test]
    fn what_was_left_unfinished_keeps_no_folder() {
        let runs = tempfile::tempdir().unwrap();
        let spool = Spool::create(runs.path(), 5).unwrap();
        for name in ["tmp.covmeta.ab", "tmp.covcounters.ab.7.1", ".rescued-x"] {
            std::fs::write(spool.folder().join(name), "x").unwrap();
        }
        let profiles = spool.take(0, &[]).unwrap();
        assert!(profiles.free.is_empty() && profiles.in_use.is_empty());
        spool.tidy(&profiles);
        assert!(!spool.folder().exists());
    }

    /// A program can put anything into its run's folder, or in its place.
    #[test]
    fn nothing_is_taken_through_a_link() {
        let top = tempfile::tempdir().unwrap();
        let theirs = top.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        for name in ["a.profraw", "covmeta.ab", NOTE] {
            std::fs::write(theirs.join(name), "theirs").unwrap();
        }
        let are_there = || std::fs::read_dir(&theirs).unwrap().count() == 3;
        let runs = top.path().join("runs");
        let is_untouched = |spool: &Spool| {
            assert!(spool.whole_profiles().is_none());
            let profiles = spool.take(0, &[]).unwrap();
            assert!(profiles.free.is_empty() && profiles.in_use.is_empty());
            let planted = Profiles {
                free: vec![spool.folder().join("a.profraw")],
                ..Profiles::default()
            };
            spool.delete(&planted);
            spool.tidy(&planted);
            assert!(are_there());
        };
        let spool = Spool::create(&runs, 5).unwrap();
        std::fs::remove_dir(spool.folder()).unwrap();
        std::os::unix::fs::symlink(&theirs, spool.folder()).unwrap();
        is_untouched(&spool);
        assert!(!spool.folder().is_symlink());
        // In the place of all runs, where a folder has the name of this one.
        let spool = Spool::create(&runs, 5).unwrap();
        let elsewhere = top.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::rename(&theirs, elsewhere.join(spool.name())).unwrap();
        std::fs::rename(&runs, top.path().join("before")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &runs).unwrap();
        std::os::unix::fs::symlink(elsewhere.join(spool.name()), &theirs).unwrap();
        is_untouched(&spool);
        std::fs::remove_file(&runs).unwrap();
        // Within the folder.
        let spool = Spool::create(&runs, 5).unwrap();
        std::os::unix::fs::symlink(theirs.join("a.profraw"), spool.folder().join("b.profraw"))
            .unwrap();
        let profiles = spool.take(0, &[]).unwrap();
        assert!(profiles.free.is_empty());
        assert!(not_added(spool.folder(), None).is_empty());
        spool.tidy(&profiles);
        assert!(!spool.folder().exists() && are_there());
    }

    /// As LLVM's runtime does it when a program has deleted its folder.
    #[test]
    fn a_folder_that_was_made_anew_is_taken() {
        let runs = tempfile::tempdir().unwrap();
        let spool = Spool::create(runs.path(), 5).unwrap();
        std::fs::remove_dir_all(spool.folder()).unwrap();
        let profiles = spool.take(0, &[]).unwrap();
        assert!(profiles.free.is_empty() && profiles.in_use.is_empty());
        std::fs::create_dir(spool.folder()).unwrap();
        std::fs::write(spool.folder().join("a.profraw"), "x").unwrap();
        let profiles = spool.take(0, &[]).unwrap();
        assert_eq!(profiles.free.len(), 1);
        spool.tidy(&profiles);
        assert!(!spool.folder().exists());
    }

    #[test]
    fn pipes_and_empty_folders_keep_no_folder() {
        let runs = tempfile::tempdir().unwrap();
        let spool = Spool::create(runs.path(), 5).unwrap();
        let pipe = spool.folder().join("a.profraw");
        let made = std::process::Command::new("mkfifo").arg(pipe).status();
        assert!(made.unwrap().success());
        std::fs::create_dir(spool.folder().join("deep")).unwrap();
        std::fs::write(spool.folder().join("deep/b.profraw"), "x").unwrap();
        let profiles = spool.take(0, &[]).unwrap();
        assert_eq!(profiles.free.len(), 1);
        spool.tidy(&profiles);
        assert!(!spool.folder().exists());
    }

    #[test]
    fn go_files_of_the_living_stay() {
        let runs = tempfile::tempdir().unwrap();
        let spool = Spool::create(runs.path(), 5).unwrap();
        for name in ["covmeta.ab", "covcounters.ab.7.1", "covcounters.ab.8.1"] {
            std::fs::write(spool.folder().join(name), "x").unwrap();
        }
        let profiles = spool.take(0, &[8]).unwrap();
        let mut names: Vec<String> = profiles.free.iter().map(|p| original_name(p)).collect();
        names.sort();
        assert_eq!(names, ["covcounters.ab.7.1", "covmeta.ab"]);
        assert_eq!(spool.take(1, &[]).unwrap().free.len(), 1);
    }

    #[test]
    fn profiles_that_are_written_to_stay() {
        let runs = tempfile::tempdir().unwrap();
        let spool = Spool::create(runs.path(), 5).unwrap();
        let path = |name: &str| spool.folder().join(name);
        std::fs::write(path("1-a_0.profraw"), "x").unwrap();
        let open = File::create(path("2-a_0.profraw")).unwrap();
        let profiles = spool.take(0, &[]).unwrap();
        assert!(profiles.free.iter().all(|path| batch_of(path) == Some(1)));
        let names = |paths: &[PathBuf]| paths.iter().map(|p| original_name(p)).collect::<Vec<_>>();
        assert_eq!(names(&profiles.free), ["1-a_0.profraw"]);
        assert_eq!(names(&profiles.in_use), ["2-a_0.profraw"]);
        drop(open);
        std::fs::write(path("2-a_0.profraw"), "x").unwrap();
        // As if batch 1 had been added, and its deletion was yet to come.
        let profiles = spool.take(1, &[]).unwrap();
        assert_eq!(names(&profiles.added), ["1-a_0.profraw"]);
        assert_eq!(names(&profiles.free), ["2-a_0.profraw", "2-a_0.profraw"]);
        spool.tidy(&profiles);
        assert!(!spool.folder().exists());
    }
}
