//! A store as one file, to be combined with others: where tests are shared out among machines.
//!
//! The file is a store's database, written anew with its rows in a fixed order; so what is in it
//! decides its bytes, and the order in which files are combined does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bincover_mapping::kept_sections;
use bincover_profile::raw::{Identity, RawHead};
use bincover_profile::{Merger, indexed};
use bincover_report::printable;
use rusqlite::{Connection, params};

use super::database::{self, Damaged, Database, Failure};
use super::record::{StoredRun, column_path, path_column};
use super::totals::{add_kept, compress, inflate, inflate_beside};
use super::{LEFT_OUT, RUNS, Store, go, known, loose, spool};
use crate::error::{Error, Result, shown};
use crate::output::{check_folder, folder_of, private_folder, target_of, write_atomically};

impl Store {
    /// Writes all that the store knows to one file, but for the arguments of its runs: the file goes to
    /// other machines, and they may hold secrets.
    ///
    /// # Errors
    /// If there is no store, or it cannot be read, or the file is a part of it or cannot be written.
    pub fn export(&self, file: &Path) -> Result<()> {
        self.export_whole(file, |run| run.argv.truncate(1))
    }

    /// The same with the arguments.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_with_arguments(&self, file: &Path) -> Result<()> {
        self.export_whole(file, |_| ())
    }

    fn export_whole(&self, file: &Path, change: impl Fn(&mut StoredRun)) -> Result<()> {
        check_folder(file)?;
        if is_of_store(&self.folder, file)? {
            return Err(part_of_a_store(file));
        }
        let _ = self.settle();
        let Some(database) = Database::read(&self.folder)? else {
            let reason = format!("no runs in `{}`", shown(&self.folder));
            return Err(Error::NothingToMeasure { reason });
        };
        let mut whole = database.ask(Whole::read)?;
        whole.runs.values_mut().for_each(|(run, _)| change(run));
        whole.write_file(file)
    }

    /// Adds what is in these files to the store. All of it is added, or nothing.
    ///
    /// # Errors
    /// If a file cannot be read, something in it is damaged, it is of a newer version, or has a run that the store
    /// or another file has too: its counts would count twice.
    pub fn import<P: AsRef<Path>>(&self, files: impl IntoIterator<Item = P>) -> Result<()> {
        let mut added = Combined::default();
        for file in files {
            added.add(file.as_ref())?;
        }
        self.settle()?;
        let mut database = Database::write(&self.folder)?;
        database.change(|to| {
            added.join(Whole::read(to)?, &self.folder)?;
            clear(to)?;
            added.finish()?.write(to)
        })
    }
}

/// Whether the store in this folder is made of this file, among others; or would be, if it were there.
fn is_of_store(store: &Path, file: &Path) -> Result<bool> {
    let target = target_of(file)?;
    let (Ok(store), Ok(folder)) = (
        std::fs::canonicalize(store),
        std::fs::canonicalize(folder_of(&target)),
    ) else {
        return Ok(false);
    };
    let target = folder.join(target.file_name().unwrap_or_default());
    let Ok(inside) = target.strip_prefix(store) else {
        return Ok(false);
    };
    let name = inside.iter().next().unwrap_or_default();
    let own = [
        database::LOCK,
        spool::ENDED,
        known::FOLDER,
        loose::LOOSE,
        RUNS,
        LEFT_OUT,
    ];
    // SQLite's files beside the database have names that begin as its name does.
    let is_database = name
        .as_encoded_bytes()
        .starts_with(database::FILE.as_bytes());
    Ok(is_database || own.iter().any(|own| name == *own))
}

fn part_of_a_store(file: &Path) -> Error {
    Error::write(file, io::Error::other("it is a part of a store"))
}

/// Combines files that [`Store::export`] wrote into one. Their order makes no difference.
///
/// # Errors
/// As [`Store::import`]; or if the output is a part of a store, or cannot be written.
pub fn combine_stores<P: AsRef<Path>>(
    files: impl IntoIterator<Item = P>,
    output: &Path,
) -> Result<()> {
    check_folder(output)?;
    let folder = std::fs::canonicalize(folder_of(&target_of(output)?));
    let folder = folder.map_err(|source| Error::write(output, source))?;
    let is_there = |store: &Path, name: &str| store.join(name).is_file();
    for store in folder.ancestors() {
        let is_store = is_there(store, database::FILE) && is_there(store, database::LOCK);
        if is_store && is_of_store(store, output)? {
            return Err(part_of_a_store(output));
        }
    }
    let mut combined = Combined::default();
    for file in files {
        combined.add(file.as_ref())?;
    }
    let whole = combined.finish().map_err(|failure| failure.at(output))?;
    whole.write_file(output)
}

/// All that is in a store, in order.
#[derive(Default)]
struct Whole {
    /// By key: the sections, compressed.
    objects: BTreeMap<String, Vec<u8>>,
    programs: BTreeMap<ProgramKey, ProgramRow>,
    /// By the time of their beginning and their names, with the key of their program.
    runs: BTreeMap<(u64, String), (StoredRun, Option<ProgramKey>)>,
    totals: BTreeMap<String, TotalRow>,
    /// By the hash of the metadata, with the key of the program.
    go_totals: BTreeMap<String, (go::Row, Option<ProgramKey>)>,
    /// Indexed profiles, compressed, and how many profiles are in each.
    rest: BTreeSet<(Vec<u8>, i64)>,
    left_out: BTreeSet<(String, String, String)>,
    snapshots: BTreeMap<(String, i64, i64), (i64, Vec<u8>)>,
}

/// Its path and its stamp.
type ProgramKey = (PathBuf, String);

struct ProgramRow {
    object_key: Option<String>,
    counters: bool,
    relocatable: Option<bool>,
    is_go: bool,
    last_run_ms: i64,
}

struct TotalRow {
    object_key: Option<String>,
    /// Compressed: a file can have many, and all of them are here at once.
    template: Vec<u8>,
    counters: Vec<u8>,
    bitmaps: Vec<u8>,
    profiles: i64,
}

impl TotalRow {
    /// The template, not compressed.
    fn inflated(&self) -> Result<Vec<u8>, Damaged> {
        let zeros = (self.counters.len() + self.bitmaps.len()) as u64;
        inflate_beside(&self.template, zeros)
    }
}

impl Whole {
    fn read(from: &Connection) -> Result<Self, Failure> {
        let mut all = Self::default();
        let mut statement = from.prepare("SELECT key, sections FROM object")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            all.objects.insert(row.get(0)?, row.get(1)?);
        }
        let mut ids = BTreeMap::new();
        let mut statement = from.prepare(
            "SELECT program.id, path, stamp, object.key, counters, relocatable, last_run_ms, go \
             FROM program LEFT JOIN object ON object.id = object_id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = (
                column_path(row.get_ref(1)?).unwrap_or_default(),
                row.get(2)?,
            );
            ids.insert(row.get::<_, i64>(0)?, key.clone());
            let program = ProgramRow {
                object_key: row.get(3)?,
                counters: row.get(4)?,
                relocatable: row.get(5)?,
                last_run_ms: row.get(6)?,
                is_go: row.get(7)?,
            };
            all.programs.insert(key, program);
        }
        let mut program_of = BTreeMap::new();
        let mut statement = from.prepare("SELECT name, program_id FROM run")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(id) = row.get::<_, Option<i64>>(1)? {
                program_of.insert(row.get::<_, String>(0)?, id);
            }
        }
        for run in StoredRun::all(from)? {
            let program = program_of
                .get(&run.name)
                .and_then(|id| ids.get(id))
                .cloned();
            all.runs
                .insert((run.started_ms, run.name.clone()), (run, program));
        }
        let mut statement = from.prepare(
            "SELECT key, object_key, template, counters, bitmaps, profiles FROM total \
             JOIN counts ON counts.id BETWEEN 2 * total.id AND 2 * total.id + 1",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let total = TotalRow {
                object_key: row.get(1)?,
                template: row.get(2)?,
                counters: row.get(3)?,
                bitmaps: row.get(4)?,
                profiles: row.get(5)?,
            };
            all.totals.insert(row.get(0)?, total);
        }
        let mut statement =
            from.prepare("SELECT hash, meta, counters, profiles, program_id FROM go_total")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let program: Option<i64> = row.get(4)?;
            let program = program.and_then(|id| ids.get(&id)).cloned();
            let total = (row.get(1)?, row.get(2)?, row.get(3)?);
            all.go_totals.insert(row.get(0)?, (total, program));
        }
        all.read_small(from)?;
        Ok(all)
    }

    fn read_small(&mut self, from: &Connection) -> Result<(), Failure> {
        let mut statement = from.prepare("SELECT profile, profiles FROM rest")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.rest.insert((row.get(0)?, row.get(1)?));
        }
        let mut statement = from.prepare("SELECT run, file, cause FROM left_out")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.left_out
                .insert((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        let mut statement =
            from.prepare("SELECT run, pid, part, taken_ms, profile FROM snapshot")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.snapshots.insert(key, (row.get(3)?, row.get(4)?));
        }
        Ok(())
    }

    fn write(&self, to: &Connection) -> Result<(), Failure> {
        for (key, sections) in &self.objects {
            to.prepare_cached("INSERT INTO object (key, sections) VALUES (?, ?)")?
                .execute(params![key, sections])?;
        }
        for ((path, stamp), program) in &self.programs {
            to.prepare_cached(
                "INSERT INTO program (path, stamp, object_id, counters, relocatable, go, last_run_ms) \
                 VALUES (?, ?, (SELECT id FROM object WHERE key = ?), ?, ?, ?, ?)",
            )?
            .execute(params![
                path_column(path),
                stamp,
                program.object_key,
                program.counters,
                program.relocatable,
                program.is_go,
                program.last_run_ms
            ])?;
        }
        for (run, program) in self.runs.values() {
            run.insert(to, id_of(to, program.as_ref())?)?;
        }
        for (key, total) in &self.totals {
            to.prepare_cached("INSERT INTO total (key, object_key, template) VALUES (?, ?, ?)")?
                .execute(params![key, total.object_key, compress(&total.inflated()?)])?;
            to.prepare_cached(
                "INSERT INTO counts (id, profiles, counters, bitmaps) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![
                2 * to.last_insert_rowid(),
                total.profiles,
                total.counters,
                total.bitmaps
            ])?;
        }
        for (hash, ((meta, counters, profiles), program)) in &self.go_totals {
            to.execute(
                "INSERT INTO go_total (hash, program_id, meta, profiles, counters) \
                 VALUES (?, ?, ?, ?, ?)",
                params![hash, id_of(to, program.as_ref())?, meta, profiles, counters],
            )?;
        }
        for (profile, profiles) in &self.rest {
            to.execute(
                "INSERT INTO rest (id, profile, profiles) VALUES (1, ?, ?)",
                params![compress(&inflate(profile)?), profiles],
            )?;
        }
        for (run, file, cause) in &self.left_out {
            to.execute(
                "INSERT INTO left_out (run, file, cause) VALUES (?, ?, ?)",
                params![run, file, cause],
            )?;
        }
        for ((run, pid, part), (taken_ms, profile)) in &self.snapshots {
            to.execute(
                "INSERT INTO snapshot (run, pid, part, taken_ms, profile) VALUES (?, ?, ?, ?, ?)",
                params![run, pid, part, taken_ms, profile],
            )?;
        }
        Ok(())
    }

    /// Writes a database beside the file and puts it in its place. What is no regular file (a device, a pipe) is
    /// written to as it is.
    fn write_file(&self, file: &Path) -> Result<()> {
        let fail = |source| Error::write(file, source);
        let is_other = std::fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
        let target = target_of(file)?;
        let place = match is_other {
            true => std::env::temp_dir(),
            false => folder_of(&target).to_owned(),
        };
        let beside = private_folder(".bincover-".as_ref())
            .tempdir_in(place)
            .map_err(fail)?;
        let path = beside.path().join(database::FILE);
        let mut database = Database::create(&path, None)?;
        database.change(|to| self.write(to))?;
        drop(database);
        if is_other {
            let mut written = File::open(&path).map_err(fail)?;
            return write_atomically(file, |out| io::copy(&mut written, out).map(drop));
        }
        std::fs::rename(&path, &target).map_err(fail)
    }

    /// Checks that all that is compressed in it can be read. Here it is still known whose it is.
    fn check(&self) -> Result<(), Damaged> {
        for sections in self.objects.values() {
            // Reads what it wrote. Whether each function's mapping can be read is for a report to say.
            kept_sections(&inflate(sections)?)
                .map_err(|error| Damaged(format!("expected a coverage mapping, found: {error}")))?;
        }
        for total in self.totals.values() {
            total.inflated()?;
        }
        for (total, _) in self.go_totals.values() {
            go::check(total)?;
        }
        for (profile, _) in &self.rest {
            check_profile("the rest", profile)?;
        }
        for ((run, pid, _), (_, profile)) in &self.snapshots {
            check_profile(&format!("{run}, a snapshot of process {pid}"), profile)?;
        }
        Ok(())
    }
}

/// Checks that a profile can be read, if not all of it.
fn check_profile(source: &str, profile: &[u8]) -> Result<(), Damaged> {
    let mut merger = Merger::new();
    add_kept(&mut merger, source, profile);
    let mut entries = merger.ledger().entries.iter();
    match entries.find(|entry| entry.cause.is_whole_file()) {
        Some(entry) => Err(Damaged(entry.to_string())),
        None => Ok(()),
    }
}

/// A program's row.
fn id_of(from: &Connection, program: Option<&ProgramKey>) -> Result<Option<i64>, Failure> {
    let Some((path, stamp)) = program else {
        return Ok(None);
    };
    let id = from
        .prepare_cached("SELECT id FROM program WHERE path = ? AND stamp = ?")?
        .query_row(params![path_column(path), stamp], |row| row.get(0))?;
    Ok(Some(id))
}

/// Stores being combined.
#[derive(Default)]
struct Combined {
    all: Whole,
    /// Where each run came from.
    origins: BTreeMap<String, PathBuf>,
}

impl Combined {
    fn add(&mut self, file: &Path) -> Result<()> {
        let metadata = std::fs::metadata(file).map_err(|source| Error::read(file, source))?;
        if !metadata.is_file() {
            let source = io::Error::other("it is no regular file");
            return Err(Error::read(file, source));
        }
        let Some(database) = Database::read_shard(file)? else {
            return Err(Error::Store {
                path: file.to_owned(),
                reason: "expected a store that was exported, found an empty file".to_owned(),
            });
        };
        let whole = database.ask(Whole::read)?;
        self.join(whole, file).map_err(|failure| failure.at(file))
    }

    fn join(&mut self, other: Whole, origin: &Path) -> Result<(), Failure> {
        other.check()?;
        for (key, (run, program)) in other.runs {
            if let Some(before) = self.origins.insert(run.name.clone(), origin.to_owned()) {
                let reason = format!(
                    "the run {} is also in `{}`, and would count twice",
                    printable(&run.name),
                    shown(&before)
                );
                let path = origin.to_owned();
                return Err(Error::Store { path, reason }.into());
            }
            self.all.runs.insert(key, (run, program));
        }
        for (key, sections) in other.objects {
            // They are the same, unless somebody else's compression made other bytes of them.
            let known = self
                .all
                .objects
                .entry(key)
                .or_insert_with(|| sections.clone());
            if sections < *known {
                *known = sections;
            }
        }
        for (key, program) in other.programs {
            match self.all.programs.get_mut(&key) {
                Some(known) => {
                    known.last_run_ms = known.last_run_ms.max(program.last_run_ms);
                    known.object_key = known.object_key.take().max(program.object_key);
                }
                None => {
                    self.all.programs.insert(key, program);
                }
            }
        }
        for (key, total) in other.totals {
            match self.all.totals.remove(&key) {
                Some(known) => {
                    let sum = self.sum(known, total)?;
                    self.all.totals.insert(key, sum);
                }
                None => {
                    self.all.totals.insert(key, total);
                }
            }
        }
        for (hash, (total, program)) in other.go_totals {
            let (total, program) = match self.all.go_totals.remove(&hash) {
                // The program is the same, but may be in several places.
                Some((known, place)) => (go::sum(known, total)?, place.max(program)),
                None => (total, program),
            };
            self.all.go_totals.insert(hash, (total, program));
        }
        self.all.rest.extend(other.rest);
        self.all.left_out.extend(other.left_out);
        self.all.snapshots.extend(other.snapshots);
        Ok(())
    }

    /// Two totals of one binary as one; if they are too large for that, one of them goes to the
    /// rest.
    fn sum(&mut self, mut a: TotalRow, mut b: TotalRow) -> Result<TotalRow, Failure> {
        let (mut template, mut other) = (a.inflated()?, b.inflated()?);
        if other < template {
            std::mem::swap(&mut a, &mut b);
            std::mem::swap(&mut template, &mut other);
        }
        let head = &template[..template.len().min(Identity::HEAD_BYTES)];
        let head = RawHead::of(head, template.len() as u64);
        let Some(head) = head else { return Ok(a) };
        if a.bitmaps.len() == b.bitmaps.len()
            && head.add_counters(&mut a.counters, &b.counters).is_ok()
        {
            RawHead::add_bitmaps(&mut a.bitmaps, &b.bitmaps);
            a.profiles = a.profiles.saturating_add(b.profiles);
            a.object_key = a.object_key.take().max(b.object_key);
            return Ok(a);
        }
        if b.counters < a.counters {
            std::mem::swap(&mut a, &mut b);
            std::mem::swap(&mut template, &mut other);
        }
        head.put(&mut other, &b.counters, &b.bitmaps);
        let mut merger = Merger::new();
        merger.add("a total", &other, NonZeroU64::MIN);
        let bytes = indexed::write(&merger.finish().profile, &indexed::WriteOptions::default());
        self.all.rest.insert((compress(&bytes), b.profiles));
        Ok(a)
    }

    /// The rest becomes one profile again.
    fn finish(mut self) -> Result<Whole, Failure> {
        if self.all.rest.len() > 1 {
            let mut merger = Merger::new();
            let mut count: i64 = 0;
            let mut rest = Vec::new();
            for (profile, profiles) in &self.all.rest {
                rest.push(inflate(profile)?);
                count = count.saturating_add(*profiles);
            }
            // Their order is that of the profiles, whoever compressed them.
            rest.sort();
            for profile in rest {
                merger.add("the rest", &profile, NonZeroU64::MIN);
            }
            let bytes = indexed::write(&merger.finish().profile, &indexed::WriteOptions::default());
            self.all.rest = BTreeSet::from([(compress(&bytes), count)]);
        }
        Ok(self.all)
    }
}

/// Deletes everything.
pub(super) fn clear(to: &Connection) -> Result<(), Failure> {
    to.execute_batch(
        "DELETE FROM run; DELETE FROM go_total; DELETE FROM program; DELETE FROM object; DELETE FROM counts; \
         DELETE FROM total; DELETE FROM rest; DELETE FROM snapshot; DELETE FROM left_out;",
    )?;
    Ok(())
}
