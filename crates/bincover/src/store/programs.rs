//! The binaries of a store: what each file that was run says of itself, and its coverage sections,
//! copied, so that a report needs no binary.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bincover_mapping::{Instrumentation, inspect, kept_sections};
use bincover_profile::Merger;
use memmap2::Mmap;
use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_128;

use super::database::Failure;
use super::known::Known;
use super::now_ms;
use super::record::{Note, Text, column_path, path_column, whole};
use super::totals::{compress, hex, inflate};
use crate::input::map_object;

/// A program that is about to be run, and what is known of it.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    stamp: String,
    /// The store's row, if it has one and was asked.
    id: Option<i64>,
    /// The store has a row, as is [known](Known) without asking it.
    is_known: bool,
    /// The file, mapped, if the store does not know it: the file that is run, whatever takes its
    /// place meanwhile.
    file: Option<Mmap>,
    /// Has counters, LLVM's or Go's.
    pub(super) counters: bool,
    pub(super) is_go: bool,
    /// `None` if it has no symbols that would tell.
    pub(super) relocatable: Option<bool>,
    /// Its object's key in the store.
    object_key: Option<String>,
}

impl Program {
    /// Looks at a program's file, or at what the store knows of it. `None` if it cannot be read.
    pub(super) fn look(store: Option<&Connection>, path: &Path) -> Option<Self> {
        let stamp = stamp(path)?;
        if let Some(store) = store
            && let Ok(Some(known)) = Self::known(store, path, &stamp)
        {
            return Some(known);
        }
        let file = map_object(path).ok();
        let found = file.as_deref().and_then(|bytes| inspect(bytes).ok());
        let found = found.unwrap_or_default();
        Some(Self {
            path: path.to_owned(),
            stamp,
            id: None,
            is_known: false,
            file: file.filter(|_| found.mapping),
            counters: found.counters || found.go_cover == Some(true),
            is_go: found.go_cover.is_some(),
            relocatable: found.relocatable_counters,
            object_key: None,
        })
    }

    fn known(store: &Connection, path: &Path, stamp: &str) -> rusqlite::Result<Option<Self>> {
        store
            .prepare_cached(
                "SELECT program.id, counters, relocatable, object.key, go FROM program \
                 LEFT JOIN object ON object.id = object_id WHERE path = ? AND stamp = ?",
            )?
            .query_row(params![path_column(path), stamp], |row| {
                Ok(Self {
                    path: path.to_owned(),
                    stamp: stamp.to_owned(),
                    id: row.get(0)?,
                    is_known: true,
                    file: None,
                    counters: row.get(1)?,
                    relocatable: row.get(2)?,
                    object_key: row.get(3)?,
                    is_go: row.get(4)?,
                })
            })
            .optional()
    }

    /// What is known of a program without asking the store's database.
    pub(super) fn find_known(store: &Path, path: &Path) -> Option<Self> {
        let stamp = stamp(path)?;
        let known = Known::find(store, path, &stamp)?;
        Some(Self {
            path: path.to_owned(),
            stamp,
            id: None,
            is_known: true,
            file: None,
            counters: known.counters,
            relocatable: known.relocatable,
            object_key: known.object_key,
            is_go: known.is_go,
        })
    }

    /// The program of a run that was to be added later. `None` if its file is another one by now, and
    /// the store does not know the one that was.
    pub(super) fn of_note(store: &Connection, note: &Note) -> Option<Self> {
        let path = note.program()?;
        if let Some(stamp) = note.stamp()
            && let Ok(Some(known)) = Self::known(store, &path, stamp)
        {
            return Some(known);
        }
        let found = Self::look(None, &path)?;
        let is_it = note.stamp().is_none_or(|stamp| stamp == found.stamp);
        is_it.then_some(found)
    }

    /// The store has it, as it is now.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Its object's key, if the store knows it.
    pub(super) fn object_key(&self) -> Option<&str> {
        self.object_key.as_deref()
    }

    pub(super) fn stamp(&self) -> &str {
        &self.stamp
    }

    /// Makes it known without asking the database. Call it when the database has it, with its object's
    /// key.
    pub(super) fn make_known(&self, store: &Path, object_key: Option<&str>) {
        let known = Known {
            path: Text::from(&self.path),
            stamp: self.stamp.clone(),
            counters: self.counters,
            relocatable: self.relocatable,
            is_go: self.is_go,
            object_key: object_key.map(str::to_owned),
        };
        known.write(store, &self.path);
    }

    /// What the program says of its instrumentation.
    pub(super) fn instrumentation(&self) -> Instrumentation {
        Instrumentation {
            counters: self.counters,
            mapping: self.object_key.is_some() || self.file.is_some(),
            relocatable_counters: self.relocatable,
            ..Instrumentation::default()
        }
    }

    /// Copies the sections of a program that the store does not know. This takes its time, so it
    /// is done before the store's turn is taken.
    pub(super) fn copy(&self) -> Option<Copied> {
        let bytes = self.file.as_deref()?;
        let sections = kept_sections(bytes).ok()?;
        let build_id = inspect(bytes).ok()?.build_id;
        let key = match build_id.as_slice() {
            [] => format!("xxh3:{:032x}", xxh3_128(&sections)),
            id => hex(id),
        };
        let sections = compress(&sections);
        Some(Copied { key, sections })
    }

    /// When it was run, for comparison with other builds of the file. One of them that was run in the
    /// future shows that the clock was put back, and this one is the newest all the same.
    fn after_others(&self, from: &Connection, ran_ms: u64) -> rusqlite::Result<u64> {
        let last: Option<i64> = from
            .prepare_cached("SELECT max(last_run_ms) FROM program WHERE path = ? AND stamp <> ?")?
            .query_row(params![path_column(&self.path), self.stamp], |row| {
                row.get(0)
            })?;
        let last = last.and_then(|last| u64::try_from(last).ok());
        let future = last.filter(|last| *last > now_ms());
        Ok(future.map_or(ran_ms, |last| last.saturating_add(1)))
    }

    /// Notes that it was run, and keeps the copy. Returns its row, and its object's key.
    pub(super) fn note(
        &self,
        to: &Connection,
        copied: Option<&Copied>,
        now_ms: u64,
    ) -> Result<(i64, Option<String>), Failure> {
        let now_ms = self.after_others(to, now_ms)?;
        let id = match self.id {
            None if self.is_known => {
                let known = Self::known(to, &self.path, &self.stamp)?;
                known.and_then(|known| known.id)
            }
            id => id,
        };
        if let Some(id) = id {
            let known = to
                .prepare_cached(
                    "UPDATE program SET last_run_ms = max(last_run_ms, ?) WHERE id = ?",
                )?
                .execute(params![whole(now_ms), id])?;
            if known > 0 {
                return Ok((id, self.object_key.clone()));
            }
        }
        if self.is_known {
            // The store was cleaned meanwhile.
            let again = Self::look(None, &self.path).filter(|again| again.stamp == self.stamp);
            if let Some(again) = again {
                return again.note(to, again.copy().as_ref(), now_ms);
            }
        }
        let object_id: Option<i64> = match copied {
            Some(Copied { key, sections }) => {
                to.execute(
                    "INSERT OR IGNORE INTO object (key, sections) VALUES (?, ?)",
                    params![key, sections],
                )?;
                to.query_row("SELECT id FROM object WHERE key = ?", [key], |row| {
                    row.get(0)
                })
                .optional()?
            }
            None => None,
        };
        to.execute(
            "INSERT INTO program (path, stamp, object_id, counters, relocatable, go, last_run_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path, stamp) DO UPDATE \
             SET last_run_ms = max(last_run_ms, excluded.last_run_ms)",
            params![
                path_column(&self.path),
                self.stamp,
                object_id,
                self.counters,
                self.relocatable,
                self.is_go,
                whole(now_ms)
            ],
        )?;
        let id = to.query_row(
            "SELECT id FROM program WHERE path = ? AND stamp = ?",
            params![path_column(&self.path), self.stamp],
            |row| row.get(0),
        )?;
        Ok((id, copied.map(|copied| copied.key.clone())))
    }
}

/// The sections of each that the store does not know.
pub(super) fn copies(programs: &[Program]) -> Vec<(&Program, Option<Copied>)> {
    let copy = |program| (program, Program::copy(program));
    programs.iter().map(copy).collect()
}

/// The sections of an object, copied.
#[derive(Debug)]
pub(super) struct Copied {
    key: String,
    sections: Vec<u8>,
}

/// Whether a file is still the same one.
fn stamp(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(format!(
        "{:x}-{:x}-{:x}-{:x}.{:09}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

/// A build that is in the store, but not in its reports: the same file has a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The file.
    pub path: PathBuf,
    /// The older build's id, in hexadecimal, or what stands for it.
    pub build: String,
}

/// The builds that a report is about.
#[derive(Debug, Default)]
pub(super) struct Builds {
    /// By the object's key: the file that it was.
    pub(super) newest: BTreeMap<String, PathBuf>,
    pub(super) superseded: Vec<Superseded>,
    /// The keys of those.
    old: BTreeSet<String>,
}

impl Builds {
    /// The newest build of each file. One that is the newest of any file is not superseded.
    pub(super) fn of(from: &Connection) -> Result<Self, Failure> {
        let mut statement = from.prepare(
            "SELECT path, object.key FROM program JOIN object ON object.id = object_id \
             ORDER BY last_run_ms DESC, program.id DESC",
        )?;
        let mut rows = statement.query([])?;
        let mut builds = Self::default();
        let mut seen = BTreeSet::new();
        let mut older = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(path) = column_path(row.get_ref(0)?) else {
                continue;
            };
            let key: String = row.get(1)?;
            if seen.insert(path.clone()) {
                builds.newest.entry(key).or_insert(path);
            } else {
                older.push(Superseded { path, build: key });
            }
        }
        older.retain(|old| !builds.newest.contains_key(&old.build));
        older.sort_by(|a, b| (&a.path, &a.build).cmp(&(&b.path, &b.build)));
        older.dedup();
        builds.old = older.iter().map(|old| old.build.clone()).collect();
        builds.superseded = older;
        Ok(builds)
    }

    /// Profiles of this object count.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.newest.contains_key(key) || !self.old.contains(key)
    }

    /// The sections of each, in order of their paths. One that is damaged is left out, as the merge's account
    /// says.
    pub(super) fn sections(
        &self,
        from: &Connection,
        merger: &mut Merger,
    ) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
        let mut statement = from.prepare("SELECT sections FROM object WHERE key = ?")?;
        let mut found = Vec::new();
        for (key, path) in &self.newest {
            let sections: Vec<u8> = statement.query_row([key], |row| row.get(0))?;
            match inflate(&sections) {
                Ok(sections) => found.push((path.clone(), sections)),
                Err(damaged) => {
                    let source = format!("the mapping of {}", path.display());
                    merger.add_failure(&source, damaged.into());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
