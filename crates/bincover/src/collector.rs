//! Runs programs and collects what they reached.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bincover_mapping::Instrumentation;
use bincover_profile::{Merged, indexed};
use bincover_run::{
    Ending, Mechanism, Output, PROFILE_FILE_VARIABLE, ProcessHandle, Stdin, Stream,
};
use tempfile::TempDir;

use crate::error::{CallbackError, Error, Result};
use crate::followed::{Followed, Rescuing, mechanism_for};
use crate::go::{GoInputs, GoMerged, GoReader, TestMain};
use crate::merge::{ProfileInput, merge_files, profiles_below};
use crate::objects::{Covered, Objects, instrumentation};
use crate::output::{check_folder, private_folder, write_atomically};
use crate::store::{Going, Obtained, Store, find_program};

/// How a [`Collector`] is to be.
#[derive(Clone, Debug)]
pub struct CollectorBuilder {
    merged_profile: PathBuf,
    collect: bool,
    keep_profiles: bool,
    store: Option<Store>,
    rescuing: Rescuing,
}

/// Runs programs, from any number of threads at once, and merges what they reached.
///
/// Each run has a folder of its own for its profiles, beside the merged profile. A collector that
/// is dropped without [`finish`](Collector::finish) leaves them there, with a note that says what
/// they are and how to merge them ([`Collector::profiles`] is the folder).
///
/// With a [store](CollectorBuilder::store) each run is recorded there and its profiles are added to
/// the totals as soon as it has ended: disk use does not grow with the runs, and `bincover report`
/// has them all.
#[derive(Debug)]
pub struct Collector {
    merged_profile: PathBuf,
    /// Where runs are recorded, if not in folders of our own.
    store: Option<Store>,
    rescuing: Rescuing,
    /// Runs of which processes that are followed have outlived their programs.
    living: Mutex<Vec<Living>>,
    /// Runs that somebody else starts.
    guests: Mutex<Vec<Going>>,
    /// Instrumented binaries of processes that were followed.
    binaries: Mutex<BTreeSet<PathBuf>>,
    /// `None`: coverage is off.
    profiles: Option<TempDir>,
    keep_profiles: bool,
    next_run: AtomicU64,
    runs: Mutex<Vec<RunRecord>>,
    programs: Mutex<HashMap<PathBuf, Option<Instrumentation>>>,
    is_finished: bool,
}

/// What is left of a run that has processes which outlived its program.
#[derive(Debug)]
enum Living {
    /// It has a folder of its own.
    Beside(Followed),
    /// It is in the store.
    Stored(Box<Going>),
}

/// One run, as the collector remembers it.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Counts from 1, in the order in which runs began.
    pub number: u64,
    /// The label that the caller gave.
    pub label: Option<String>,
    /// The program as it was called.
    pub program: OsString,
    /// The file that is; `None` if it was not found.
    pub program_file: Option<PathBuf>,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// How it ended.
    pub ending: Ending,
    /// How long it took.
    pub wall: Duration,
    /// How its coverage was obtained.
    pub obtained: Obtained,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    /// Exit status, output, time.
    pub output: Output,
    /// How its coverage was obtained.
    pub obtained: Obtained,
    /// The collector's number for it; counts from 1.
    pub number: u64,
}

/// What a collector made.
#[derive(Debug)]
pub struct Collected {
    /// The merged profile's path; `None` if coverage was off.
    pub merged_profile: Option<PathBuf>,
    /// The merged profile, and what was left out of it.
    pub merged: Merged,
    /// What programs of Go reached, and what was left out of it.
    pub go: GoMerged,
    /// The binaries of the store, if the runs went to one.
    objects: Option<Objects>,
    /// The runs, in the order in which they began.
    pub runs: Vec<RunRecord>,
    /// The instrumented programs that were run, each once.
    pub programs: Vec<PathBuf>,
    /// The folder with the runs' profiles, if it was kept: on demand, or because something in it
    /// could not be merged.
    pub profiles: Option<PathBuf>,
}

impl CollectorBuilder {
    /// With `false`, runs are the same but no coverage is collected and no file is written.
    #[must_use]
    pub fn collect(mut self, collect: bool) -> Self {
        self.collect = collect;
        self
    }

    /// Keep the runs' own profiles after [`Collector::finish`].
    #[must_use]
    pub fn keep_profiles(mut self, keep: bool) -> Self {
        self.keep_profiles = keep;
        self
    }

    /// Records the runs in a store, beside those that are there. The collector's result is then
    /// that of all runs in the store. [`label`](Command::label)s become contexts.
    #[must_use]
    pub fn store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Whether the coverage of processes that end without writing it is read from their memory;
    /// when not said, [where that is needed](Rescuing::Auto). Processes that outlive their
    /// program are followed until the collector [finishes](Collector::finish).
    #[must_use]
    pub fn rescue(mut self, rescuing: Rescuing) -> Self {
        self.rescuing = rescuing;
        self
    }

    /// Sets the collector up.
    ///
    /// # Errors
    /// If the merged profile's folder does not exist or cannot be written to.
    pub fn build(self) -> Result<Collector> {
        let merged_profile = std::path::absolute(&self.merged_profile)
            .map_err(|source| Error::write(&self.merged_profile, source))?;
        let store = self.store.filter(|_| self.collect);
        let profiles = match self.collect {
            true if store.is_some() => {
                check_folder(&merged_profile)?;
                None
            }
            true => Some(profiles_folder(&merged_profile)?),
            false => None,
        };
        Ok(Collector {
            merged_profile,
            store,
            rescuing: self.rescuing,
            living: Mutex::default(),
            guests: Mutex::default(),
            binaries: Mutex::default(),
            profiles,
            keep_profiles: self.keep_profiles,
            next_run: AtomicU64::new(1),
            runs: Mutex::default(),
            programs: Mutex::default(),
            is_finished: false,
        })
    }
}

/// A private folder beside the merged profile, so that both are on one file system.
fn profiles_folder(merged_profile: &Path) -> Result<TempDir> {
    check_folder(merged_profile)?;
    let (Some(folder), Some(name)) = (merged_profile.parent(), merged_profile.file_name()) else {
        let source = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
        return Err(Error::write(merged_profile, source));
    };
    let mut prefix = name.to_owned();
    prefix.push(".runs-");
    private_folder(&prefix)
        .tempdir_in(folder)
        .map_err(|source| Error::write(folder, source))
}

impl Collector {
    /// A collector that will write the merged profile to this path.
    #[must_use]
    pub fn builder(merged_profile: impl Into<PathBuf>) -> CollectorBuilder {
        CollectorBuilder {
            merged_profile: merged_profile.into(),
            collect: true,
            keep_profiles: false,
            store: None,
            rescuing: Rescuing::Auto,
        }
    }

    /// A run of a program, to be given arguments and started.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command<'_> {
        let program = program.as_ref();
        Command {
            collector: self,
            program: program.to_owned(),
            args: Vec::new(),
            label: None,
            test_main: None,
            command: bincover_run::Command::new(program),
            before: None,
            after: None,
        }
    }

    /// The store that runs are recorded in, if there is one.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// A variable for a command that somebody else starts, such as one of the crate `assert_cmd` or
    /// of a test suite's own: with it in the environment, what `program` and all that it starts
    /// reach is in the collector's result. `None` if coverage is off.
    ///
    /// Such processes are not followed, so a program that is killed has to be
    /// [built for that](bincover_run::RUSTC_FLAGS). How it ends is not known here, and it is not
    /// among the [`runs`](Self::runs); a store records it with an unknown end.
    ///
    /// ```no_run
    /// # let collector = bincover::Collector::builder("merged.profdata").build()?;
    /// let mut command = std::process::Command::new("target/debug/server");
    /// command.envs(collector.guest("target/debug/server", Some("serves"))?);
    /// # Ok::<(), bincover::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder for its profiles cannot be made, or there is a `%` in its path, which LLVM's
    /// runtime cannot be told.
    pub fn guest(
        &self,
        program: impl AsRef<OsStr>,
        label: Option<&str>,
    ) -> Result<Option<(OsString, OsString)>> {
        let program = program.as_ref();
        let number = self.next_run.fetch_add(1, Ordering::Relaxed);
        let command = bincover_run::Command::new(program);
        let file = find_program(program, &command);
        let found = self.inspect(file.as_deref());
        let (folder, mechanism) = match (&self.store, self.profiles()) {
            (Some(store), _) => {
                let argv = vec![program.to_owned()];
                let label = label.map(str::to_owned);
                let going = store.begin(argv, label, &command, Rescuing::Off)?;
                let place = (going.folder().to_owned(), going.mechanism());
                lock(&self.guests).push(going);
                place
            }
            (None, Some(all)) => {
                let folder = all.join(format!("{number:06}"));
                std::fs::create_dir(&folder).map_err(|source| Error::write(&folder, source))?;
                self.note_binaries(file.into_iter().collect());
                (folder, mechanism_for(found.as_ref()))
            }
            (None, None) => return Ok(None),
        };
        let pattern = bincover_run::profile_path::pattern(&folder, mechanism)?;
        Ok(Some((PROFILE_FILE_VARIABLE.into(), pattern)))
    }

    /// The folder of the runs' profiles; `None` if coverage is off or goes to a store.
    #[must_use]
    pub fn profiles(&self) -> Option<&Path> {
        self.profiles.as_ref().map(TempDir::path)
    }

    /// The runs that have ended so far, in the order in which they began.
    #[must_use]
    pub fn runs(&self) -> Vec<RunRecord> {
        let mut runs = lock(&self.runs).clone();
        runs.sort_by_key(|run| run.number);
        runs
    }

    /// Merges the runs' profiles in the order in which the runs began, and writes the merged
    /// profile. The runs' own profiles are then deleted, unless they are to be kept or one of
    /// them could not be merged whole.
    ///
    /// # Errors
    /// If the merged profile cannot be written. Nothing is lost then: the profiles stay.
    pub fn finish(mut self) -> Result<Collected> {
        // Without their owners, the runs of guests are settled like those of runners that are gone.
        lock(&self.guests).clear();
        let living = std::mem::take(&mut *lock(&self.living));
        for living in living {
            match living {
                Living::Stored(going) => going.leave_rest()?,
                Living::Beside(followed) => {
                    let mut binaries = followed.write_living()?;
                    binaries.extend(followed.binaries());
                    self.note_binaries(binaries);
                }
            }
        }
        let runs = self.runs();
        let programs = self.instrumented_programs(&runs);
        if let Some(store) = &self.store {
            let contents = store.contents()?;
            write_profile(&self.merged_profile, &contents.merged)?;
            return Ok(Collected {
                merged_profile: Some(self.merged_profile.clone()),
                merged: contents.merged,
                go: contents.go,
                objects: Some(contents.objects),
                runs,
                programs,
                profiles: None,
            });
        }
        let Some(folder) = self.profiles() else {
            return Ok(Collected {
                merged_profile: None,
                merged: Merged::default(),
                go: GoMerged::default(),
                objects: None,
                runs,
                programs,
                profiles: None,
            });
        };
        let inputs = profiles_below(folder)?;
        let merged = merge_files(inputs.into_iter().map(ProfileInput::from));
        let mut go = GoInputs::default();
        go.add(folder)?;
        let go = GoReader::new().read(&go);
        write_profile(&self.merged_profile, &merged)?;

        self.is_finished = true;
        let is_whole = !merged.ledger.has_losses() && !go.ledger.has_losses();
        let profiles = self.profiles.take().and_then(|folder| {
            if self.keep_profiles || !is_whole {
                Some(folder.keep())
            } else {
                // Deleting is tidiness: the merged profile is written, whatever comes of it.
                drop(folder);
                None
            }
        });
        Ok(Collected {
            merged_profile: Some(self.merged_profile.clone()),
            merged,
            go,
            objects: None,
            runs,
            programs,
            profiles,
        })
    }

    /// Runs a command whose profiles go to a folder of their own.
    fn run_beside(
        &self,
        program: &OsStr,
        number: u64,
        mut command: bincover_run::Command,
        test_main: Option<&TestMain>,
    ) -> Result<(Option<PathBuf>, Output, Obtained)> {
        let program_file = find_program(program, &command);
        let found = self.inspect(program_file.as_deref());
        let mechanism = mechanism_for(found.as_ref());
        let folder = self.profiles().map(|all| all.join(format!("{number:06}")));
        let mut followed = None;
        command = match &folder {
            Some(folder) => {
                followed = Followed::new(self.rescuing, mechanism, folder)?;
                command.profiles(folder, mechanism)
            }
            None => command.discard_profiles(),
        };
        if let Some(followed) = &followed {
            command = followed.prepare(command);
        }
        let output = run_as(
            command,
            test_main,
            program_file.as_deref(),
            folder.as_deref(),
        )?;
        let mut obtained = obtained(&output, folder.as_deref(), mechanism, found.as_ref())?;
        if let Some(mut followed) = followed {
            followed.ended(&output);
            if obtained.is_some() && followed.has_rescued() {
                obtained = Obtained::Rescued;
            }
            self.note_binaries(followed.binaries());
            if followed.has_rest() {
                lock(&self.living).push(Living::Beside(followed));
            }
        }
        Ok((program_file, output, obtained))
    }

    fn note_binaries(&self, binaries: Vec<PathBuf>) {
        for binary in &binaries {
            self.inspect(Some(binary));
        }
        lock(&self.binaries).extend(binaries);
    }

    /// The programs of the runs, and what else was seen in processes that were followed.
    fn instrumented_programs(&self, runs: &[RunRecord]) -> Vec<PathBuf> {
        let known = lock(&self.programs);
        let binaries = lock(&self.binaries);
        let mut programs: Vec<PathBuf> = Vec::new();
        let files = runs.iter().filter_map(|run| run.program_file.as_ref());
        for file in files.chain(binaries.iter()) {
            let has_mapping = matches!(known.get(file), Some(Some(found)) if found.mapping);
            if has_mapping && !programs.contains(file) {
                programs.push(file.clone());
            }
        }
        programs
    }

    /// What a program's own file says, asked once for each file.
    fn inspect(&self, file: Option<&Path>) -> Option<Instrumentation> {
        let file = file?;
        if let Some(known) = lock(&self.programs).get(file) {
            return known.clone();
        }
        let found = instrumentation(file);
        lock(&self.programs).insert(file.to_owned(), found.clone());
        found
    }
}

fn write_profile(path: &Path, merged: &Merged) -> Result<()> {
    let bytes = indexed::write(&merged.profile, &indexed::WriteOptions::default());
    write_atomically(path, |out| out.write_all(&bytes))
}

/// A thread that panicked while it held the lock had only pushed to a list.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Left in the folder of a collector that was not finished.
const NOTE: &str = "UNMERGED.txt";

impl Drop for Collector {
    fn drop(&mut self) {
        let Some(folder) = self.profiles.take().filter(|_| !self.is_finished) else {
            return;
        };
        // Runs that were not started leave nothing to keep; one that could not be followed to its
        // end may.
        let is_empty = profiles_below(folder.path()).is_ok_and(|profiles| profiles.is_empty());
        if lock(&self.runs).is_empty() && is_empty {
            return;
        }
        let folder = folder.keep();
        let note = format!(
            "These are the profiles of runs whose collector was dropped before it was finished\n\
             (a test that panicked, say). Nothing of them is in the merged profile. To merge them:\n\n\
             \x20   bincover-merge -o '{}' '{}'\n",
            self.merged_profile.display(),
            folder.display()
        );
        // A destructor has nobody to tell; the profiles are there with the note or without.
        let _ = std::fs::write(folder.join(NOTE), note);
    }
}

type Before<'c> =
    Box<dyn FnOnce(bincover_run::Command) -> Result<bincover_run::Command, CallbackError> + 'c>;
type After<'c> = Box<dyn FnOnce(&Run) -> Result<(), CallbackError> + 'c>;

/// A run to be started. Arguments and environment go to the program as they are: empty ones,
/// spaces and line feeds included.
#[must_use = "a command does nothing until it is run"]
pub struct Command<'c> {
    collector: &'c Collector,
    program: OsString,
    args: Vec<OsString>,
    label: Option<String>,
    test_main: Option<String>,
    command: bincover_run::Command,
    before: Option<Before<'c>>,
    after: Option<After<'c>>,
}

impl<'c> Command<'c> {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.args.extend(args);
        self
    }

    fn with(mut self, change: impl FnOnce(bincover_run::Command) -> bincover_run::Command) -> Self {
        self.command = change(self.command);
        self
    }

    /// Sets an environment variable.
    pub fn env(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.with(|command| command.env(name.as_ref(), value.as_ref()))
    }

    /// Removes an environment variable.
    pub fn env_remove(self, name: impl AsRef<OsStr>) -> Self {
        self.with(|command| command.env_remove(name.as_ref()))
    }

    /// Removes all environment variables; coverage works all the same.
    pub fn env_clear(self) -> Self {
        self.with(bincover_run::Command::env_clear)
    }

    /// The program's working folder.
    pub fn current_dir(self, folder: impl AsRef<Path>) -> Self {
        self.with(|command| command.current_dir(folder.as_ref()))
    }

    /// What the program reads from standard input; nothing by default.
    pub fn stdin(self, stdin: Stdin) -> Self {
        self.with(|command| command.stdin(stdin))
    }

    /// After this time the program and what it started are ended: SIGTERM, a grace period,
    /// SIGKILL.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|command| command.timeout(timeout))
    }

    /// A name for the run, in [`Collector::runs`].
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The program is a test binary of Go, made with the Go package `github.com/confluentinc/bincover`
    /// (`RunTest(main)`), and `main` is the test of this name. Arguments go to `main`, and what the
    /// run says and ends with is what `main` said and ended with, and the exit code that it gave to
    /// the package. [`on_output`](Self::on_output) sees what the test framework says, too.
    ///
    /// Binaries that `bincover go init` has helped to make are run like any program, without this.
    ///
    /// An argument that begins with `-` does not go together with one after it that is empty, or has
    /// a line feed in it or white space at an end: that is an [`Error::TestMain`].
    pub fn test_main(mut self, test: impl Into<String>) -> Self {
        self.test_main = Some(test.into());
        self
    }

    /// Called with each piece of output as it arrives; the handle can signal the process.
    pub fn on_output(
        self,
        observe: impl FnMut(Stream, &[u8], &ProcessHandle) + Send + 'static,
    ) -> Self {
        self.with(|command| command.on_output(observe))
    }

    /// Called just before this run; it may change the command. If it fails, nothing is run.
    pub fn before_run(
        mut self,
        callback: impl FnOnce(bincover_run::Command) -> Result<bincover_run::Command, CallbackError>
        + 'c,
    ) -> Self {
        self.before = Some(Box::new(callback));
        self
    }

    /// Called just after this run. If it fails, the run's coverage is still collected.
    pub fn after_run(
        mut self,
        callback: impl FnOnce(&Run) -> Result<(), CallbackError> + 'c,
    ) -> Self {
        self.after = Some(Box::new(callback));
        self
    }

    /// Runs the program and waits for its end, whatever that is.
    ///
    /// # Errors
    /// If the program could not be started, or a callback failed. A program that fails, panics or
    /// is killed is no error but an [`Ending`].
    pub fn run(self) -> Result<Run> {
        let Self {
            collector,
            program,
            args,
            label,
            test_main,
            mut command,
            before,
            after,
        } = self;
        let number = collector.next_run.fetch_add(1, Ordering::Relaxed);
        let test_main = test_main.map(|test| TestMain::new(&program, &test, &args));
        let test_main = test_main.transpose()?;
        if test_main.is_none() {
            command = command.args(&args);
        }
        if let Some(before) = before {
            command = before(command).map_err(|source| Error::Callback {
                when: "before the run",
                source,
            })?;
        }
        let (program_file, output, obtained) = match &collector.store {
            Some(store) => {
                let mut argv = vec![program.clone()];
                argv.extend_from_slice(&args);
                let rescuing = collector.rescuing;
                let mut going = store.begin(argv, label.clone(), &command, rescuing)?;
                let program_file = going.program_file().map(Path::to_owned);
                collector.inspect(program_file.as_deref());
                let folder = Some(going.folder());
                let result = run_as(
                    going.prepare(command),
                    test_main.as_ref(),
                    program_file.as_deref(),
                    folder,
                );
                let output = match result {
                    Ok(output) => output,
                    Err(error) => {
                        going.abandon();
                        return Err(error);
                    }
                };
                let obtained = going.end(&output)?.obtained;
                if going.has_rest() {
                    lock(&collector.living).push(Living::Stored(Box::new(going)));
                }
                (program_file, output, obtained)
            }
            None => collector.run_beside(&program, number, command, test_main.as_ref())?,
        };
        lock(&collector.runs).push(RunRecord {
            number,
            label,
            program,
            program_file,
            args,
            ending: output.status,
            wall: output.wall,
            obtained,
        });
        let run = Run {
            output,
            obtained,
            number,
        };
        if let Some(after) = after {
            after(&run).map_err(|source| Error::Callback {
                when: "after the run",
                source,
            })?;
        }
        Ok(run)
    }
}

/// Runs a command, which may be a test that is `main`.
fn run_as(
    command: bincover_run::Command,
    test_main: Option<&TestMain>,
    program_file: Option<&Path>,
    folder: Option<&Path>,
) -> Result<Output> {
    let Some(test_main) = test_main else {
        return Ok(command.run()?);
    };
    let mut output = test_main.prepare(command, program_file, folder)?.run()?;
    test_main.settle(&mut output)?;
    Ok(output)
}

fn obtained(
    output: &Output,
    folder: Option<&Path>,
    mechanism: Mechanism,
    found: Option<&Instrumentation>,
) -> Result<Obtained> {
    let Some(folder) = folder else {
        return Ok(Obtained::Off);
    };
    // There is none when the caller's own environment led the profile elsewhere.
    let profiles = match folder.is_dir() {
        true => profiles_below(folder)?,
        false => Vec::new(),
    };
    let has_bytes = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    let mut go = GoInputs::default();
    let is_of_go = folder.is_dir() && go.add(folder)? && go.has_counters();
    let has_coverage = profiles.iter().any(has_bytes) || is_of_go;
    let is_go = found.is_some_and(|found| found.go_cover.is_some());
    let is_instrumented = found.is_some_and(|found| found.counters || found.go_cover == Some(true));
    let obtained = Obtained::by(output, mechanism, is_instrumented, is_go, has_coverage);
    Ok(obtained)
}

impl Collected {
    /// The coverage of the programs that were run.
    ///
    /// # Errors
    /// If none of them is instrumented, or one's mapping cannot be read.
    pub fn coverage(&self) -> Result<Covered> {
        let covered = match &self.objects {
            Some(objects) => objects.coverage(&self.merged.profile),
            None => {
                Objects::open(&self.programs).and_then(|all| all.coverage(&self.merged.profile))
            }
        };
        if self.go.is_empty() {
            return covered;
        }
        // There need be no other programs than Go's.
        let covered = match covered {
            Err(Error::NothingToMeasure { .. }) => Covered::default(),
            other => other?,
        };
        let files = self
            .runs
            .iter()
            .filter_map(|run| run.program_file.as_deref());
        Ok(covered.join_go(&self.go, files))
    }
}
