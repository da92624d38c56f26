//! What a process has reached that is still running: its latest state, until its own profile comes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bincover_profile::Merger;
use bincover_run::PROFILE_FILE_VARIABLE;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Database, Failure};
use super::programs::{self, Program};
use super::record::{Ended, Obtained, StoredRun, whole};
use super::spool::original_name;
use super::totals::{add_kept, compress};
use super::{RUNS, Store, now_ms};
use crate::error::{Error, Result};

/// What [`Store::snapshot`] took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The run that it belongs to: one of this store's, or one of its own.
    pub run: String,
    /// The instrumented binaries in the process.
    pub binaries: Vec<PathBuf>,
}

impl Store {
    /// Keeps what a live process has reached so far; the process goes on. It replaces what was
    /// kept of the process before, and is itself replaced by the profile that comes when the
    /// process ends, if it is one of a run of this store.
    ///
    /// # Errors
    /// If there is no such process, it may not be read, nothing in it is instrumented, or the store
    /// cannot be written to.
    pub fn snapshot(&self, pid: u32) -> Result<Snapshot> {
        let mut profiles = Vec::new();
        let mut binaries = Vec::new();
        for (image, profile) in bincover_rescue::snapshot(pid)? {
            binaries.push(image.path().to_owned());
            // The counters of these are in the run's folder, where the report finds them.
            let is_here = |file: &Path| self.run_at(file).is_some();
            if !image.continuous().is_some_and(is_here) {
                profiles.push(profile);
            }
        }
        let look = |path: &PathBuf| Program::look(None, path);
        let programs: Vec<Program> = binaries.iter().filter_map(look).collect();
        let copied = programs::copies(&programs);
        let known = self.run_of(pid);
        let own = known.is_none().then(|| run_of_its_own(pid));
        let run = match (&known, &own) {
            (Some(name), _) => name.clone(),
            (None, Some(run)) => run.name.clone(),
            (None, None) => String::new(),
        };
        let mut database = Database::write(self.folder())?;
        database.change(|to| {
            let now = now_ms();
            let mut first = None;
            for (program, copied) in &copied {
                let (id, _) = program.note(to, copied.as_ref(), now)?;
                first.get_or_insert(id);
            }
            if let Some(own) = &own {
                to.execute("DELETE FROM run WHERE name = ?", [&own.name])?;
                own.insert(to, first)?;
            }
            to.execute(
                "DELETE FROM snapshot WHERE run = ? AND pid = ?",
                params![run, pid],
            )?;
            for (part, profile) in (0_i64..).zip(&profiles) {
                to.execute(
                    "INSERT INTO snapshot (run, pid, part, taken_ms, profile) VALUES (?, ?, ?, ?, ?)",
                    params![run, pid, part, whole(now), compress(profile)],
                )?;
            }
            Ok(())
        })?;
        Ok(Snapshot { run, binaries })
    }

    /// The run of this store into whose folder a process writes.
    fn run_of(&self, pid: u32) -> Option<String> {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let pattern = variables.find_map(|variable| {
            let rest = variable.strip_prefix(PROFILE_FILE_VARIABLE.as_bytes())?;
            rest.strip_prefix(b"=")
        })?;
        self.run_at(Path::new(&OsString::from_vec(pattern.to_vec())))
    }

    /// The run of this store in whose folder a file is.
    fn run_at(&self, file: &Path) -> Option<String> {
        let folder = file.parent()?;
        let runs = self.folder().join(RUNS).canonicalize().ok()?;
        let is_here = folder.parent()?.canonicalize().ok()? == runs;
        let name = is_here.then(|| folder.file_name())??;
        Some(name.to_string_lossy().into_owned())
    }
}

/// The record of a process that no run of this store started.
fn run_of_its_own(pid: u32) -> StoredRun {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let read = |name| std::fs::read(proc.join(name)).unwrap_or_default();
    let began = proc.metadata().and_then(|metadata| metadata.modified());
    let began = began
        .ok()
        .and_then(|began| began.duration_since(UNIX_EPOCH).ok());
    let started_ms = began_ms(&proc)
        .or_else(|| u64::try_from(began?.as_millis()).ok())
        .unwrap_or(0);
    let argv = read("cmdline");
    let argv = argv.strip_suffix(&[0]).unwrap_or(&argv);
    let argv = argv.split(|byte| *byte == 0);
    StoredRun {
        name: format!("{started_ms:013}-pid{pid}"),
        program: proc.join("exe").read_link().ok(),
        argv: argv.map(|arg| OsString::from_vec(arg.to_vec())).collect(),
        context: None,
        started_ms,
        wall: Duration::from_millis(now_ms().saturating_sub(started_ms)),
        ended: Ended::Running,
        obtained: Obtained::Snapshot,
        profiles: 0,
    }
}

/// When a process began: its `starttime`, which is in hundredths of a second since the machine
/// started (`proc(5)`; Linux's USER_HZ is 100 wherever programs can see it).
fn began_ms(proc: &Path) -> Option<u64> {
    let stat = std::fs::read_to_string(proc.join("stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let ticks: u64 = after_name.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let boot: u64 = boot.trim().parse().ok()?;
    boot.checked_mul(1000)?.checked_add(ticks.checked_mul(10)?)
}

/// Forgets the snapshots of processes whose own profiles are added now.
pub(super) fn supersede(to: &Connection, run: &str, files: &[PathBuf]) -> Result<(), Failure> {
    let has_any: Option<i64> = to
        .prepare_cached("SELECT 1 FROM snapshot WHERE run = ? LIMIT 1")?
        .query_row([run], |row| row.get(0))
        .optional()?;
    if has_any.is_none() {
        return Ok(());
    }
    for file in files {
        let name = original_name(file);
        let has_bytes = file.metadata().is_ok_and(|metadata| metadata.len() > 0);
        if let Some((pid, _)) = name.split_once('-').filter(|_| has_bytes) {
            to.execute(
                "DELETE FROM snapshot WHERE run = ? AND pid = ?",
                params![run, pid.parse::<i64>().unwrap_or(-1)],
            )?;
        }
    }
    Ok(())
}

/// There are snapshots of this run.
pub(super) fn are_there(from: &Connection, run: &str) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM snapshot WHERE run = ? LIMIT 1";
    let found = from.query_row(sql, [run], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// Adds all snapshots to a merge.
pub(super) fn merge_all(from: &Connection, merger: &mut Merger) -> Result<(), Failure> {
    let mut statement =
        from.prepare("SELECT run, pid, profile FROM snapshot ORDER BY run, pid, part")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (run, pid): (String, i64) = (row.get(0)?, row.get(1)?);
        let source = format!("{run}, a snapshot of process {pid}");
        add_kept(merger, &source, &row.get::<_, Vec<u8>>(2)?);
    }
    Ok(())
}

/// What a live process has reached so far, as one raw profile file: that of the program, followed
/// by those of its libraries.
///
/// # Errors
/// If there is no such process, it may not be read, or nothing in it is instrumented.
pub fn snapshot_profile(pid: u32) -> Result<Vec<u8>, Error> {
    let profiles = bincover_rescue::snapshot(pid)?;
    let profiles = profiles.into_iter().map(|(_, profile)| profile);
    Ok(profiles.collect::<Vec<_>>().concat())
}
