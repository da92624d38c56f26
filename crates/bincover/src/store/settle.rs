//! Runs' folders to totals and records: those of runs that were left to be added, and of those whose
//! runners were killed.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};

use super::database::{Database, Failure};
use super::programs::{self, Copied, Program};
use super::record::{self, Note, Outcome};
use super::spool::{self, Profiles, Spool};
use super::{RUNS, Store, has_any_bytes, now_ms, snapshot, totals};
use crate::error::{Error, Result};

/// No more runs than this are added in one transaction; each has a file open.
const MOST_TOGETHER: usize = 256;

/// So many runs are added in one transaction: a part of the files that this process may have open.
fn together() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let part = limit.and_then(|limit| usize::try_from(limit / 4).ok());
    part.map_or(MOST_TOGETHER, |part| part.clamp(1, MOST_TOGETHER))
}

impl Store {
    /// Adds the runs that were left to be added, those whose runners were killed, and what processes wrote
    /// that outlived their runs and have ended now.
    ///
    /// # Errors
    /// If the store cannot be read or written. Nothing is lost then.
    pub fn settle(&self) -> Result<()> {
        let folders = spool::folders(&self.folder.join(RUNS))?;
        if folders.is_empty() {
            return Ok(());
        }
        // In our turn: whoever has the turn after us finds all in the totals that was to be added.
        let mut database = Database::write(&self.folder)?;
        spool::reset_ended(&self.folder).map_err(|source| Error::write(&self.folder, source))?;
        for folders in folders.chunks(together()) {
            let mut spools = Vec::new();
            for folder in folders {
                spools.extend(Spool::adopt(folder)?);
            }
            let spools: Vec<&Spool> = spools.iter().collect();
            self.settle_runs(&mut database, &spools, &[])?;
        }
        Ok(())
    }

    /// Adds what lies in the folder of a run that is ours.
    pub(super) fn settle_run(&self, spool: &Spool, others: &[Program]) -> Result<()> {
        let others = programs::copies(others);
        let mut database = Database::write(&self.folder)?;
        self.settle_runs(&mut database, &[spool], &others)
    }

    /// Adds what lies in the folders of runs; records those of which there is no record. `others` are
    /// binaries of their processes.
    fn settle_runs(
        &self,
        database: &mut Database,
        spools: &[&Spool],
        others: &[(&Program, Option<Copied>)],
    ) -> Result<()> {
        let mut settled = Vec::new();
        for spool in spools {
            settled.extend(Settling::of(database, spool)?);
        }
        let left_out = database.change(|to| {
            for (other, copied) in others {
                other.note(to, copied.as_ref(), now_ms())?;
            }
            settled
                .iter_mut()
                .map(|run| run.add(to))
                .collect::<Result<Vec<_>, _>>()
        })?;
        for (run, left_out) in settled.iter().zip(&left_out) {
            self.keep_left_out(run.spool, left_out);
            run.spool.tidy(&run.profiles);
        }
        Ok(())
    }
}

/// A run that is being added to the totals.
struct Settling<'a> {
    spool: &'a Spool,
    note: Note,
    outcome: Option<Outcome>,
    /// The last batch that is in the totals, if there is a record.
    known: Option<u64>,
    profiles: Profiles,
    program: Option<(Program, Option<Copied>)>,
}

impl<'a> Settling<'a> {
    /// `None` if the run is going on without its runner, or its note cannot be read now.
    fn of(database: &Database, spool: &'a Spool) -> Result<Option<Self>> {
        // Of a run that is added, the note is deleted.
        let Ok(note) = spool.note() else {
            return Ok(None);
        };
        let (note, outcome) = Note::parse(note);
        let known = database.ask(|from| batch_of_run(from, spool.name()))?;
        let profiles = spool.take(known.unwrap_or(0), &[])?;
        if known.is_none() && outcome.is_none() && !profiles.in_use.is_empty() {
            return Ok(None);
        }
        let program = match known {
            Some(_) => None,
            None => database.ask(|from| Ok(Program::of_note(from, &note)))?,
        };
        let program = program.map(|program| {
            let copied = program.copy();
            (program, copied)
        });
        Ok(Some(Self {
            spool,
            note,
            outcome,
            known,
            profiles,
            program,
        }))
    }

    /// Adds it. Returns what could not be used.
    fn add(&mut self, to: &Connection) -> Result<Vec<(PathBuf, String)>, Failure> {
        let run = self.spool.name();
        let free = &self.profiles.free;
        let (program, object_key) = match (self.known, &self.program) {
            (None, Some((program, copied))) => {
                let (id, key) = program.note(to, copied.as_ref(), now_ms())?;
                (Some(id), key)
            }
            _ => (None, object_of_run(to, run)?),
        };
        snapshot::supersede(to, run, free)?;
        let added = totals::add(to, run, free, object_key.as_deref(), program)?;
        match self.known {
            Some(_) if free.is_empty() => {}
            Some(_) => {
                let obtained = self.note.obtained();
                record::add_batch(to, run, added.profiles, obtained)?;
            }
            None => {
                let note = std::mem::take(&mut self.note);
                let is_written_to = self.outcome.is_some() && has_any_bytes(&self.profiles.in_use);
                let outcome = self.outcome.as_ref();
                note.into_run(run, outcome, added.profiles, is_written_to)
                    .insert(to, program)?;
            }
        }
        Ok(added.left_out)
    }
}

/// The last batch of a run that is in the totals, if the run is.
pub(super) fn batch_of_run(from: &Connection, run: &str) -> Result<Option<u64>, Failure> {
    let batch: Option<i64> = from
        .query_row("SELECT batch FROM run WHERE name = ?", [run], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(batch.map(|batch| u64::try_from(batch).unwrap_or(0)))
}

fn object_of_run(from: &Connection, run: &str) -> Result<Option<String>, Failure> {
    let sql = "SELECT object.key FROM run JOIN program ON program.id = program_id \
               JOIN object ON object.id = object_id WHERE name = ?";
    Ok(from.query_row(sql, [run], |row| row.get(0)).optional()?)
}
