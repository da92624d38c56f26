//! Binaries that a report is to know before they are run, or that are run by others.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bincover_run::Mechanism;

use super::database::Database;
use super::programs::{self, Program};
use super::record::{Note, Obtained, StoredRun, Uncovered};
use super::spool::Spool;
use super::{Going, Store, now_ms, totals};
use crate::error::{Error, Result};
use crate::input::map_object;
use crate::merge::profiles_below;

impl Store {
    /// Keeps the coverage sections of those of these files that are instrumented, so that a report
    /// counts what no run has reached, and knows programs that others start. Files that are no
    /// object files, or have no coverage mapping, are passed over. Returns how many are
    /// instrumented.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub fn add_binaries(&self, paths: &[PathBuf]) -> Result<usize> {
        if paths.is_empty() {
            return Ok(0);
        }
        let known = Database::read(&self.folder)?;
        let look = |path: &PathBuf| {
            let path = std::path::absolute(path).ok()?;
            match &known {
                Some(database) => {
                    let look = |store: &_| Ok(Program::look(Some(store), &path));
                    database.ask(look).ok()?
                }
                None => Program::look(None, &path),
            }
        };
        let programs: Vec<Program> = paths.iter().filter_map(look).collect();
        drop(known);
        let is_instrumented = |program: &Program| program.instrumentation().mapping;
        let programs: Vec<Program> = programs.into_iter().filter(is_instrumented).collect();
        if programs.iter().all(Program::is_known) {
            return Ok(programs.len());
        }
        let copies = programs::copies(&programs);
        let now = now_ms();
        Database::write(&self.folder)?.change(|to| {
            for (program, copied) in &copies {
                program.note(to, copied.as_ref(), now)?;
            }
            Ok(())
        })?;
        Ok(programs.len())
    }
}

impl Going {
    /// All that the run starts was built with counter relocation, or has no counters: they are
    /// kept in files, whatever the program itself says.
    pub fn assume_continuous(&mut self) {
        self.mechanism = Mechanism::Continuous;
    }
}

/// What [`Store::add_loose`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    /// Profiles that are in the totals now.
    pub profiles: u64,
    /// Living processes still write to these; they are added when they end.
    pub in_use: usize,
}

impl Store {
    /// Where programs are to write that nobody of ours runs, for [`add_loose`](Self::add_loose).
    #[must_use]
    pub fn loose_folder(&self) -> PathBuf {
        self.folder.join("loose")
    }

    /// Adds the profiles in a folder, here or in folders below, which programs wrote that nobody
    /// of ours ran, and records them as one run. They are gone from the folder then.
    ///
    /// # Errors
    /// If the folder cannot be read, or the store not be written to. Nothing is lost then.
    pub fn add_loose(&self, folder: &Path, context: Option<&str>) -> Result<Loose> {
        let found = match folder.is_dir() {
            true => profiles_below(folder)?,
            false => Vec::new(),
        };
        let mut loose = Loose::default();
        if found.is_empty() {
            return Ok(loose);
        }
        let started_ms = now_ms();
        let spool = Spool::create(&self.folder.join("runs"), started_ms)?;
        let note = Note::new(None, &[], context, Mechanism::Continuous);
        spool.write_note(&note.to_line())?;
        for (number, path) in found.iter().enumerate() {
            let mut name = OsString::from(format!("{number}-"));
            name.push(path.file_name().unwrap_or_default());
            let place = spool.folder().join(name);
            match std::fs::rename(path, &place) {
                Ok(()) => {}
                // Its writer has taken it away, or somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::write(path, source)),
            }
        }
        let profiles = spool.take(0, &[])?;
        loose.in_use = profiles.in_use.len();
        let mut database = Database::write(&self.folder)?;
        let left_out = database.change(|to| {
            let added = totals::add(to, spool.name(), &profiles.free, None, None)?;
            loose.profiles = added.profiles;
            let run = note.into_run(spool.name(), None, added.profiles, false);
            let obtained = match added.profiles + profiles.in_use.len() as u64 {
                0 => Obtained::None(Uncovered::Unusable),
                _ => Obtained::Continuous,
            };
            StoredRun { obtained, ..run }.insert(to, None)?;
            Ok(added.left_out)
        })?;
        drop(database);
        self.keep_left_out(&spool, &left_out);
        spool.tidy(&profiles);
        Ok(loose)
    }

    /// Looks in these folders, and folders below, for binaries that profiles in the store are of
    /// and that it does not know, and adds them. Returns how many it added.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn find_binaries(&self, folders: &[PathBuf]) -> Result<usize> {
        let Some(database) = Database::read(&self.folder)? else {
            return Ok(0);
        };
        let missing: BTreeSet<String> = database.ask(|from| {
            let sql = "SELECT DISTINCT object_key FROM total WHERE object_key IS NOT NULL \
                       AND object_key NOT IN (SELECT key FROM object)";
            let mut statement = from.prepare(sql)?;
            let keys = statement.query_map([], |row| row.get(0))?;
            Ok(keys.collect::<rusqlite::Result<_>>()?)
        })?;
        drop(database);
        if missing.is_empty() {
            return Ok(0);
        }
        let is_missing = |path: &PathBuf| {
            let bytes = map_object(path).ok()?;
            let found = bincover_mapping::inspect(&bytes).ok()?;
            Some(found.mapping && missing.contains(&totals::hex(&found.build_id)))
        };
        let mut paths = Vec::new();
        for folder in folders {
            walk(folder, None, &mut paths);
        }
        paths.retain(|path| is_missing(path).unwrap_or(false));
        self.add_binaries(&paths)
    }

    /// Adds the instrumented binaries that were made or changed below a folder since a moment, as
    /// by a build. Returns how many there are.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub fn add_built(&self, folder: &Path, since: SystemTime) -> Result<usize> {
        let mut paths = Vec::new();
        walk(folder, Some(since), &mut paths);
        self.add_binaries(&paths)
    }
}

/// Executables and shared libraries below a folder, in order of their paths. Links are not
/// followed; folders that cannot be read are passed over, and so are those whose names begin with
/// a dot.
fn walk(folder: &Path, since: Option<SystemTime>, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<_> = entries.filter_map(|entry| entry.ok()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && !is_hidden => walk(&path, since, found),
            Ok(metadata) if metadata.is_file() && metadata.mode() & 0o111 != 0 => {
                let changed = metadata.modified().ok();
                if since.is_none_or(|since| changed.is_none_or(|changed| changed >= since)) {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}
