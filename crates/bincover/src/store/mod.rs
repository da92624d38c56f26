//! A folder that keeps what runs reached, for a report later.
//!
//! - `store.db` is a SQLite database: a record of each run, the totals of each binary, and the
//!   coverage sections of the binaries. `docs/store.md` explains its tables.
//! - `runs/` has a folder for each run that is going on, into which its processes write. When the
//!   run has ended, its profiles are added to the totals and deleted: at once, or a few runs later together
//!   with theirs, or by whoever wants to know what is in the store.
//! - `known/` says of programs what the database says, and `ended` counts the runs that are to be added.
//! - `left-out/` has the profiles that could not be used.
//!
//! Any number of processes may use a store at once, and each may be killed at any moment: profiles
//! are added, and the run is recorded, in one transaction, which also notes which batch of profiles
//! that was; they are deleted after that, and a batch that is noted is never added again. The profiles of a run
//! whose runner was killed are found by whoever uses the store next.

mod binaries;
mod database;
mod go;
mod go_text;
mod known;
mod loose;
mod programs;
mod record;
mod settle;
mod shard;
mod snapshot;
mod spool;
mod totals;

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bincover_profile::{Cause, Entry, Merged, Merger};
use bincover_run::{Command, Mechanism, Output};

use crate::error::{Error, Result, shown};
use crate::followed::{Followed, Rescuing, mechanism_for};
use crate::go::GoMerged;
use crate::objects::{Covered, Objects};
use crate::own;
use database::{Database, Idle};
use programs::{Builds, Program};
use record::{Note, Outcome};
use settle::batch_of_run;
use spool::{Profiles, Spool};

pub use loose::Loose;
pub use programs::Superseded;
pub use record::{Ended, Obtained, StoredRun, Uncovered};
pub use shard::combine_stores;
pub use snapshot::{Snapshot, snapshot_profile};

/// Runs are labelled by the variable of this name where nothing else labels them.
pub const STORE_VARIABLE: &str = "BINCOVER_STORE";

/// A folder of runs.
///
/// ```no_run
/// use bincover::Store;
///
/// let store = Store::new("target/bincover");
/// let run = store.run("target/debug/app".as_ref(), &["--help".into()], None, |command| command)?;
/// println!("{}, coverage {}", run.ended, run.obtained);
/// let coverage = store.contents()?.coverage()?.evaluation.coverage;
/// println!("{:.1} % of lines", coverage.totals().lines.percent());
/// # Ok::<(), bincover::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    idle: Idle,
}

/// All that a store knows, put together.
#[derive(Debug)]
pub struct Contents {
    /// All profiles, merged, and what was left out of this. Profiles of processes that are still
    /// running are in it as they are now.
    pub merged: Merged,
    /// Programs of Go, with the runs of each.
    pub go: GoMerged,
    /// Where those programs' files are, as far as that is known.
    pub go_program_files: Vec<PathBuf>,
    /// The coverage sections of the newest build of each binary.
    pub objects: Objects,
    /// Builds that are not in it, since the same file has a newer one.
    pub superseded: Vec<Superseded>,
    /// How many profiles of theirs were left out.
    pub superseded_profiles: u64,
    /// How many runs there are.
    pub runs: u64,
    /// How many of them left no coverage.
    pub uncovered: u64,
}

impl Contents {
    /// The coverage of all of it.
    ///
    /// # Errors
    /// As [`Objects::coverage`].
    pub fn coverage(&self) -> Result<Covered> {
        if self.go.is_empty() {
            return self.objects.coverage(&self.merged.profile);
        }
        let covered = match self.objects.is_empty() {
            true => Covered::default(),
            false => self.objects.coverage(&self.merged.profile)?,
        };
        let files = self.go_program_files.iter().map(PathBuf::as_path);
        Ok(covered.join_go(&self.go, files))
    }
}

/// What [`Store::clean`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records of runs that were deleted.
    pub runs: u64,
    /// Runs that are going on; their profiles will be in the store when they end.
    pub going_on: u64,
}

impl Store {
    /// A store in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            idle: Idle::default(),
        }
    }

    /// The store that belongs to a folder: that which the environment variable `BINCOVER_STORE`
    /// names; else `bincover` in the target folder of the Cargo workspace that this is in; else a
    /// folder `.bincover` here or above, or a new one here.
    #[must_use]
    pub fn of(here: &Path) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(folder) = variable(STORE_VARIABLE) {
            return Self::new(here.join(folder));
        }
        let here = std::path::absolute(here).unwrap_or_else(|_| here.to_owned());
        let mut package = None;
        for folder in here.ancestors() {
            let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else {
                continue;
            };
            package.get_or_insert(folder);
            if is_workspace(&manifest) {
                package = Some(folder);
                break;
            }
        }
        let Some(root) = package else {
            let above = here.ancestors().map(|folder| folder.join(".bincover"));
            let found = above.into_iter().find(|folder| folder.is_dir());
            return Self::new(found.unwrap_or_else(|| here.join(".bincover")));
        };
        let target = variable("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        Self::new(root.join(target).join("bincover"))
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a program, keeps what it reached and a record of the run. `configure` sets what else
    /// there is to set: environment, input, a timeout, whether output is captured. If processes
    /// that are [followed](Rescuing) outlive the program, it waits for them.
    ///
    /// # Errors
    /// If the program could not be started, or the store cannot be written to.
    pub fn run(
        &self,
        program: &OsStr,
        args: &[OsString],
        context: Option<String>,
        configure: impl FnOnce(Command) -> Command,
    ) -> Result<StoredRun> {
        let command = configure(Command::new(program).args(args));
        let mut argv = vec![program.to_owned()];
        argv.extend_from_slice(args);
        let mut going = self.begin(argv, context, &command, Rescuing::Auto)?;
        // If this fails, there was no run, and the folder goes as it came.
        let output = match going.prepare(command).run() {
            Ok(output) => output,
            Err(error) => {
                going.abandon();
                return Err(error.into());
            }
        };
        let run = going.end(&output)?;
        going.wait_rest()?;
        Ok(run)
    }

    /// Makes ready for a run by this command, which is not changed. `argv` is the program as it is
    /// called, and its arguments.
    ///
    /// # Errors
    /// If the store cannot be written to, or is of a newer version.
    pub fn begin(
        &self,
        argv: Vec<OsString>,
        context: Option<String>,
        command: &Command,
        rescuing: Rescuing,
    ) -> Result<Going> {
        let program_file = argv.first().and_then(|name| find_program(name, command));
        let mut database = self.idle.take();
        let look = |database: Option<&Database>| {
            let path = program_file.as_deref()?;
            match database {
                Some(database) => database
                    .ask(|connection| Ok(Program::look(Some(connection), path)))
                    .ok()?,
                None => Program::look(None, path),
            }
        };
        let mut program = match (&database, program_file.as_deref()) {
            (None, Some(path)) => Program::find_known(&self.folder, path),
            (database, _) => look(database.as_ref()),
        };
        if program.is_none() && database.is_none() {
            database = Database::read(&self.folder)?;
            program = look(database.as_ref());
            if let Some(program) = program.as_ref().filter(|program| program.is_known()) {
                program.make_known(&self.folder, program.object_key());
            }
        }
        let started_ms = now_ms();
        own::folder(&self.folder)?;
        let spool = Spool::create(&self.folder.join(RUNS), started_ms)?;
        let instrumentation = program.as_ref().map(Program::instrumentation);
        let mechanism = mechanism_for(instrumentation.as_ref());
        let stamp = program.as_ref().map(Program::stamp);
        let note = Note::new(
            program_file.as_deref().map(|path| (path, stamp)),
            &argv,
            context.as_deref(),
            mechanism,
        );
        spool.write_note(&note.to_line())?;
        let followed = Followed::new(rescuing, mechanism, spool.folder())?;
        Ok(Going {
            store: self.clone(),
            argv,
            context,
            mechanism,
            program_file,
            program,
            started_ms,
            spool,
            database,
            followed,
            has_rest: false,
        })
    }

    /// The records of all runs that have ended, in order of their beginning.
    ///
    /// # Errors
    /// If the store cannot be read, or is of a newer version.
    pub fn runs(&self) -> Result<Vec<StoredRun>> {
        // A store that may not be written to is read as it is.
        let settled = self.settle();
        let Some(database) = Database::read(&self.folder)? else {
            return Ok(Vec::new());
        };
        let mut runs = database.ask(StoredRun::all)?;
        if settled.is_err() {
            runs.extend(self.waiting(&database)?);
        }
        Ok(runs)
    }

    /// The records of runs that are to be added.
    fn waiting(&self, database: &Database) -> Result<Vec<StoredRun>> {
        let mut waiting = Vec::new();
        for folder in spool::folders(&self.folder.join(RUNS))? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let (note, outcome) = Note::parse(spool::note(&folder).unwrap_or_default());
            if outcome.is_some() && database.ask(|from| batch_of_run(from, &name))?.is_none() {
                let profiles = spool::not_added(&folder, None).len() as u64;
                waiting.push(note.into_run(&name, outcome.as_ref(), profiles, true));
            }
        }
        Ok(waiting)
    }

    /// How many runs there are, by how their coverage was obtained; the most first.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
    pub fn tally(&self) -> Result<Vec<(Obtained, u64)>> {
        let database = match self.idle.take() {
            Some(database) => Some(database),
            None => Database::read(&self.folder)?,
        };
        let Some(database) = database else {
            return Ok(Vec::new());
        };
        let mut tally = database.ask(record::tally)?;
        for run in self.waiting(&database)? {
            match tally
                .iter_mut()
                .find(|(obtained, _)| *obtained == run.obtained)
            {
                Some((_, count)) => *count += 1,
                None => tally.push((run.obtained, 1)),
            }
        }
        tally.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        self.idle.keep(database);
        Ok(tally)
    }

    /// All that the store knows, put together.
    ///
    /// # Errors
    /// If there is no store, or it cannot be read, or is of a newer version.
    pub fn contents(&self) -> Result<Contents> {
        // A store that may not be written to is read as it is.
        let settled = self.settle();
        let _turn = database::take_turn(&self.folder);
        let Some(database) = Database::read(&self.folder)? else {
            let reason = format!("no runs in `{}`", shown(&self.folder));
            return Err(Error::NothingToMeasure { reason });
        };
        let mut merger = Merger::new();
        let mut left_out = Vec::new();
        let contents = database.ask(|from| {
            let builds = Builds::of(from)?;
            let unwanted = totals::merge_all(from, &mut merger, |key| builds.wants(key))?;
            snapshot::merge_all(from, &mut merger)?;
            let objects = builds.sections(from, &mut merger)?;
            let (go, go_program_files) = go::read_all(from, &mut merger)?;
            let count = |sql| from.query_row(sql, [], |row| row.get::<_, i64>(0));
            let runs = count("SELECT count(*) FROM run")?;
            let uncovered = count("SELECT count(*) FROM run WHERE obtained = 'none'")?;
            let mut statement =
                from.prepare("SELECT run, file, cause FROM left_out ORDER BY run, file")?;
            let rows = statement.query_map([], |row| {
                let (run, file): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(Entry {
                    source: format!("{run}/{file}"),
                    cause: Cause::Earlier(row.get(2)?),
                })
            })?;
            left_out = rows.collect::<Result<Vec<_>, _>>()?;
            Ok(Contents {
                merged: Merged::default(),
                go,
                go_program_files,
                objects: Objects::in_memory(objects),
                superseded: builds.superseded,
                superseded_profiles: unwanted,
                runs: u64::try_from(runs).unwrap_or(0),
                uncovered: u64::try_from(uncovered).unwrap_or(0),
            })
        })?;
        let waiting = match settled {
            Ok(()) => 0,
            Err(_) => self.waiting(&database)?.len() as u64,
        };
        self.add_living(&database, &mut merger)?;
        let mut merged = merger.finish();
        merged.ledger.inputs += left_out.len() as u64;
        merged.ledger.entries.extend(left_out);
        let runs = contents.runs + waiting;
        Ok(Contents {
            merged,
            runs,
            ..contents
        })
    }

    /// Adds the profiles that are in no total yet, as they are now: processes still write to them,
    /// or their runs are just coming to their ends. The caller has the writers' turn, so that none
    /// of them becomes part of a total meanwhile.
    fn add_living(&self, database: &Database, merger: &mut Merger) -> Result<()> {
        for folder in spool::folders(&self.folder.join(RUNS))? {
            let run = folder.file_name().unwrap_or_default().to_string_lossy();
            let last = database.ask(|from| batch_of_run(from, &run))?;
            spool::read_each(&folder, last, |path, read| {
                let source = path.display().to_string();
                match read {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => merger.add(&source, &bytes, NonZeroU64::MIN),
                    Err(error) => merger.add_failure(&source, error),
                }
            });
        }
        Ok(())
    }

    /// Deletes all that the store knows. Runs that are going on are left alone.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub fn clean(&self) -> Result<Cleaned> {
        let mut cleaned = Cleaned::default();
        if !self.folder.is_dir() {
            return Ok(cleaned);
        }
        // What waits to be added goes as well; what is still written to comes later.
        self.settle()?;
        let mut database = Database::write(&self.folder)?;
        known::forget(&self.folder).map_err(|source| Error::write(&self.folder, source))?;
        cleaned.runs = database.change(|to| {
            let runs = to.query_row("SELECT count(*) FROM run", [], |row| row.get::<_, i64>(0))?;
            shard::clear(to)?;
            Ok(u64::try_from(runs).unwrap_or(0))
        })?;
        database.ask(|connection| Ok(connection.execute_batch("VACUUM")?))?;
        let left_out = self.folder.join(LEFT_OUT);
        own::empty(&left_out).map_err(|source| Error::write(&left_out, source))?;
        cleaned.going_on = spool::folders(&self.folder.join(RUNS))?.len() as u64;
        Ok(cleaned)
    }

    /// Moves profiles that could not be used to where people can look at them.
    fn keep_left_out(&self, spool: &Spool, left_out: &[(PathBuf, String)]) {
        let folder = self.folder.join(LEFT_OUT);
        for (path, _) in left_out {
            let name = format!("{}-{}", spool.name(), spool::original_name(path));
            // If this fails the file is deleted with the others; the store says what it was.
            if own::folder(&folder).is_ok() {
                let _ = std::fs::rename(path, folder.join(name));
            }
        }
    }
}

const RUNS: &str = "runs";

const LEFT_OUT: &str = "left-out";

/// So many runs may wait to be added: the database is opened once for all of them.
const MOST_WAITING: u64 = 16;

/// A run whose profiles are larger is added at once, so that the disk is not filled with what waits.
const LARGE_BYTES: u64 = 1 << 16;

/// A run that is going on: a folder for its profiles, and what is known of the program.
///
/// Dropped without [`end`](Self::end), or while it [has a rest](Self::has_rest), it leaves what its processes wrote for whoever uses the
/// store next, as if this process had been killed.
#[derive(Debug)]
#[must_use = "a run is recorded by `end`"]
pub struct Going {
    store: Store,
    spool: Spool,
    argv: Vec<OsString>,
    context: Option<String>,
    program_file: Option<PathBuf>,
    program: Option<Program>,
    mechanism: Mechanism,
    started_ms: u64,
    /// Opened to look the program up; opening it takes as long as writing to it.
    database: Option<Database>,
    followed: Option<Followed>,
    has_rest: bool,
}

impl Going {
    /// The folder that the run's processes are to write profiles into.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.spool.folder()
    }

    /// How its counters are best kept.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The program's file, if it was found.
    #[must_use]
    pub fn program_file(&self) -> Option<&Path> {
        self.program_file.as_deref()
    }

    /// Has a command write its profiles into the run's folder, and its processes followed if that
    /// is to be.
    pub fn prepare(&self, command: Command) -> Command {
        let command = command.profiles(self.spool.folder(), self.mechanism);
        match &self.followed {
            Some(followed) => followed.prepare(command),
            None => command,
        }
    }

    /// Processes are followed.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.followed.is_some()
    }

    /// Closes what must not be open in two processes: call it before a `fork`.
    pub fn close_database(&mut self) {
        self.database = None;
    }

    /// There was no run after all: nothing of it stays.
    pub fn abandon(self) {
        self.spool.tidy(&Profiles::default());
    }

    /// Adds the run's profiles to the totals and records it.
    ///
    /// # Errors
    /// If the store cannot be written to. The profiles then stay in the run's folder, and are added
    /// by whoever uses the store next.
    pub fn end(&mut self, output: &Output) -> Result<StoredRun> {
        let binaries = match &mut self.followed {
            Some(followed) => {
                followed.ended(output);
                followed.binaries()
            }
            None => Vec::new(),
        };
        let others = self.others(binaries);
        let others = programs::copies(&others);
        // Those that are there now may write when the profiles were taken.
        self.has_rest = self.followed.as_ref().is_some_and(Followed::has_rest);
        own::check(&self.store.folder)?;
        if others.is_empty()
            && !self.has_rest
            && let Some(run) = self.leave(output)?
        {
            return Ok(run);
        }
        let living = self.followed.as_ref().map(Followed::living);
        let profiles = self.spool.take(0, &living.unwrap_or_default())?;
        let copied = self.program.as_ref().and_then(Program::copy);
        let mut run = self.record(output);
        let mut database = match self.database.take() {
            Some(database) => database.into_writer(&self.store.folder)?,
            None => Database::write(&self.store.folder)?,
        };
        let (left_out, object_key) = database.change(|to| {
            let (program, object_key) = match &self.program {
                Some(program) => {
                    let (id, key) = program.note(to, copied.as_ref(), self.started_ms)?;
                    (Some(id), key)
                }
                None => (None, None),
            };
            for (other, copied) in &others {
                other.note(to, copied.as_ref(), self.started_ms)?;
            }
            snapshot::supersede(to, &run.name, &profiles.free)?;
            let key = object_key.as_deref();
            let added = totals::add(to, &run.name, &profiles.free, key, program)?;
            let is_written_to =
                self.mechanism == Mechanism::Continuous && has_any_bytes(&profiles.in_use);
            run.profiles = added.profiles;
            run.obtained = self.obtained(output, added.profiles > 0 || is_written_to, &added);
            if !run.obtained.is_some() && snapshot::are_there(to, &run.name)? {
                run.obtained = Obtained::Snapshot;
            }
            run.insert(to, program)?;
            Ok((added.left_out, object_key))
        })?;
        if let Some(program) = self.program.as_ref().filter(|program| !program.is_known()) {
            program.make_known(&self.store.folder, object_key.as_deref());
        }
        self.store.idle.keep(database);
        self.store.keep_left_out(&self.spool, &left_out);
        match self.has_rest {
            true => self.spool.delete(&profiles),
            false => self.spool.tidy(&profiles),
        }
        Ok(run)
    }

    /// Leaves the run to be added later, if the store knows the program and its profiles are small and
    /// in order.
    fn leave(&mut self, output: &Output) -> Result<Option<StoredRun>> {
        let is_known = self.program.as_ref().is_some_and(Program::is_known);
        // With an open database, there is less to save.
        if !is_known || self.database.is_some() {
            return Ok(None);
        }
        let profiles = match self.spool.whole_profiles() {
            Some((profiles, bytes)) if profiles > 0 && bytes <= LARGE_BYTES => profiles,
            _ => return Ok(None),
        };
        let added = totals::Added::default();
        let run = StoredRun {
            obtained: self.obtained(output, true, &added),
            profiles,
            ..self.record(output)
        };
        self.spool.leave(&Outcome::of(&run).to_line())?;
        let folder = &self.store.folder;
        let waiting = spool::count_ended(folder).map_err(|source| Error::write(folder, source))?;
        if waiting >= MOST_WAITING {
            self.store.settle()?;
        }
        Ok(Some(run))
    }

    fn record(&self, output: &Output) -> StoredRun {
        StoredRun {
            name: self.spool.name().to_owned(),
            program: self.program_file.clone(),
            argv: self.argv.clone(),
            context: self.context.clone(),
            started_ms: self.started_ms,
            wall: output.wall,
            ended: output.status.into(),
            obtained: Obtained::Off,
            profiles: 0,
        }
    }

    /// Processes that are followed had outlived the program when it [ended](Self::end).
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.has_rest
    }

    /// Waits for processes that are followed and have outlived the program, and adds what they
    /// reached.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn wait_rest(self) -> Result<()> {
        let Some(followed) = self.followed.as_ref().filter(|_| self.has_rest) else {
            return Ok(());
        };
        while !followed.wait_rest(Duration::from_secs(3600)) {}
        let others = self.others(followed.binaries());
        self.store.settle_run(&self.spool, &others)
    }

    /// Adds what the processes have reached that are followed and have outlived the program. They
    /// end when this process ends; what they reach from now on is lost.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn leave_rest(self) -> Result<()> {
        let Some(followed) = self.followed.as_ref().filter(|_| self.has_rest) else {
            return Ok(());
        };
        let mut binaries = followed.write_living()?;
        binaries.extend(followed.binaries());
        self.store.settle_run(&self.spool, &self.others(binaries))
    }

    /// The binaries of processes, except the program itself, each once.
    fn others(&self, mut binaries: Vec<PathBuf>) -> Vec<Program> {
        binaries.sort();
        binaries.dedup();
        binaries.retain(|path| self.program_file.as_ref() != Some(path));
        let look = |path: &PathBuf| match &self.database {
            Some(database) => database
                .ask(|store| Ok(Program::look(Some(store), path)))
                .ok()?,
            None => Program::look(None, path),
        };
        binaries.iter().filter_map(look).collect()
    }

    fn obtained(&self, output: &Output, has_coverage: bool, added: &totals::Added) -> Obtained {
        if !has_coverage && !added.left_out.is_empty() {
            return Obtained::None(Uncovered::Unusable);
        }
        let has_rescued = self.followed.as_ref().is_some_and(Followed::has_rescued);
        if has_coverage && has_rescued {
            return Obtained::Rescued;
        }
        let is_elsewhere = self.followed.as_ref().is_some_and(Followed::is_elsewhere);
        if !has_coverage && is_elsewhere {
            return Obtained::None(Uncovered::Elsewhere);
        }
        let program = self.program.as_ref();
        let is_instrumented = program.is_some_and(|program| program.counters);
        let is_go = program.is_some_and(|program| program.is_go);
        Obtained::by(output, self.mechanism, is_instrumented, is_go, has_coverage)
    }
}

/// Whether a variable with this value, `LLVM_PROFILE_FILE` or `GOCOVERDIR`, leads into the folder of a run
/// of any store: it was set for that run, and not by a person.
#[must_use]
pub fn is_of_a_run(variable: &OsStr) -> bool {
    let path = Path::new(variable);
    spool::is_run(path) || path.parent().is_some_and(spool::is_run)
}

/// The file that a program's name stands for, when it is run by this command.
pub(crate) fn find_program(program: &OsStr, command: &Command) -> Option<PathBuf> {
    // Without a `PATH`, the system looks in these.
    let path = command
        .search_path()
        .unwrap_or_else(|| "/bin:/usr/bin".into());
    // Absolute paths need none.
    let here = std::env::current_dir().unwrap_or_default();
    let found = which::which_in(program, Some(path), here).ok()?;
    Some(std::path::absolute(&found).unwrap_or(found))
}

fn is_workspace(manifest: &str) -> bool {
    manifest
        .lines()
        .any(|line| line.trim_start().starts_with("[workspace"))
}

fn has_any_bytes(paths: &[PathBuf]) -> bool {
    let has_bytes = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    paths.iter().any(has_bytes)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest way through all that follows a process, which `cargo xtask ci asan` takes, too.
    #[test]
    fn a_program_is_followed_through_its_exec() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("store"));
        let command = Command::new("env").arg("true");
        let argv = vec!["env".into(), "true".into()];
        let mut going = store.begin(argv, None, &command, Rescuing::On).unwrap();
        assert!(going.is_followed());
        let output = going.prepare(command).run().unwrap();
        let run = going.end(&output).unwrap();
        assert_eq!(run.ended, Ended::Code(0));
        assert_eq!(run.obtained, Obtained::None(Uncovered::NotInstrumented));
        going.wait_rest().unwrap();
        assert_eq!(store.runs().unwrap()[0].name, run.name);
    }
}
