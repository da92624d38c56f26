//! Binaries that a report is to know before they are run, or that are run by others.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bincover_run::Mechanism;

use super::database::Database;
use super::programs::{self, Program};
use super::{Going, Store, now_ms, totals};
use crate::error::Result;
use crate::input::map_object;

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

impl Store {
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
