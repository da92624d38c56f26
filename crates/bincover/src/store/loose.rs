//! Profiles that programs leave which nobody of ours runs.
//!
//! They come to lie in the store's folder `loose`. A profile is moved from there into the folder of a
//! run, and is then treated as any run's: added once nobody writes to it, together with the number
//! of its batch.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bincover_run::Mechanism;

use super::database::Database;
use super::record::{self, Note, Obtained, StoredRun, Uncovered};
use super::settle::batch_of_run;
use super::spool::{Profiles, Spool};
use super::{RUNS, Store, now_ms, totals};
use crate::error::{Error, Result};
use crate::fold::in_use::{Use, use_of};
use crate::merge::profiles_below;
use crate::own;

/// In the store's folder.
pub(super) const LOOSE: &str = "loose";

/// What [`Store::add_loose`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    /// Profiles that are in the totals now.
    pub profiles: u64,
    /// Living processes still write to these; they are added when they end.
    pub in_use: usize,
    /// Profiles that could not be used, or only in part. The store says which and why.
    pub left_out: usize,
}

impl Store {
    /// Where programs are to write that nobody of ours runs, for [`add_loose`](Self::add_loose).
    #[must_use]
    pub fn loose_folder(&self) -> PathBuf {
        self.folder.join(LOOSE)
    }

    /// Adds the profiles in a folder, here or in folders below, which programs wrote that nobody
    /// of ours ran, and records them as one run. They are gone from the folder then. Links are passed over.
    ///
    /// # Errors
    /// If the folder is a link or cannot be read, or the store not be written to. Nothing is lost then.
    pub fn add_loose(&self, folder: &Path, context: Option<&str>) -> Result<Loose> {
        let found = found_in(folder)?;
        if found.is_empty() {
            return Ok(Loose::default());
        }
        let spool = self.begin_loose(context)?;
        move_into(&spool, &found, 0)?;
        let (loose, profiles) = self.add_batch(&spool)?;
        spool.tidy(&profiles);
        Ok(loose)
    }

    /// Adds the profiles of [`loose_folder`](Self::loose_folder) as soon as their writers are gone,
    /// looking again and again with a pause of `every` between, until `seen` breaks it off: it is
    /// told what was done. All are one run. What is still written to then is left for whoever
    /// uses the store next.
    ///
    /// # Errors
    /// As [`add_loose`](Self::add_loose).
    pub fn follow_loose(
        &self,
        context: Option<&str>,
        every: Duration,
        mut seen: impl FnMut(&Loose) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut run = None;
        let mut moved = 0;
        let mut waiting = 0;
        loop {
            let found = found_in(&self.loose_folder())?;
            // Where the file system does not tell, they stay for `add_loose`.
            let is_free = |path: &PathBuf| matches!(use_of(path), Ok(Use::Free));
            let (free, in_use): (Vec<_>, Vec<_>) = found.into_iter().partition(is_free);
            let mut loose = Loose::default();
            if !free.is_empty() || waiting > 0 {
                let spool = match &mut run {
                    Some(spool) => spool,
                    none => none.insert(self.begin_loose(context)?),
                };
                move_into(spool, &free, moved)?;
                moved += free.len();
                let profiles;
                (loose, profiles) = self.add_batch(spool)?;
                spool.delete(&profiles);
                waiting = loose.in_use;
            }
            loose.in_use += in_use.len();
            if seen(&loose).is_break() {
                break;
            }
            std::thread::sleep(every);
        }
        if let Some(spool) = run.filter(|_| waiting == 0) {
            spool.tidy(&Profiles::default());
        }
        Ok(())
    }

    /// The folder of a run that nobody of ours runs.
    fn begin_loose(&self, context: Option<&str>) -> Result<Spool> {
        own::folder(&self.folder)?;
        let spool = Spool::create(&self.folder.join(RUNS), now_ms())?;
        let note = Note::new(None, &[], context, Mechanism::Continuous);
        spool.write_note(&note.to_line())?;
        Ok(spool)
    }

    /// Adds what lies in such a folder and is nobody's; records the run unless that was done.
    fn add_batch(&self, spool: &Spool) -> Result<(Loose, Profiles)> {
        let mut database = Database::write(&self.folder)?;
        let known = database.ask(|from| batch_of_run(from, spool.name()))?;
        let profiles = spool.take(known.unwrap_or(0), &[])?;
        let mut loose = Loose {
            in_use: profiles.in_use.len(),
            ..Loose::default()
        };
        let left_out = database.change(|to| {
            let added = totals::add(to, spool.name(), &profiles.free, None, None)?;
            loose.profiles = added.profiles;
            if known.is_some() {
                if !profiles.free.is_empty() {
                    record::add_batch(to, spool.name(), added.profiles, Obtained::Continuous)?;
                }
                return Ok(added.left_out);
            }
            let (note, _) = Note::parse(spool.note()?);
            let run = note.into_run(spool.name(), None, added.profiles, false);
            let obtained = match added.profiles + profiles.in_use.len() as u64 {
                0 => Obtained::None(Uncovered::Unusable),
                _ => Obtained::Continuous,
            };
            StoredRun { obtained, ..run }.insert(to, None)?;
            Ok(added.left_out)
        })?;
        drop(database);
        loose.left_out = left_out.len();
        self.keep_left_out(spool, &left_out);
        Ok((loose, profiles))
    }
}

/// The profiles in a folder that can be moved: links stay, as one that is moved may lead elsewhere.
fn found_in(folder: &Path) -> Result<Vec<PathBuf>> {
    own::check(folder)?;
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = profiles_below(folder)?;
    found.retain(|path| !path.is_symlink());
    Ok(found)
}

/// Moves profiles into a run's folder, under names of their own: so many are there already.
fn move_into(spool: &Spool, found: &[PathBuf], moved: usize) -> Result<()> {
    for (number, path) in found.iter().enumerate() {
        let mut name = OsString::from(format!("{}-", moved + number));
        name.push(path.file_name().unwrap_or_default());
        match std::fs::rename(path, spool.folder().join(name)) {
            Ok(()) => {}
            // Its writer has taken it away, or somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::write(path, source)),
        }
    }
    Ok(())
}
