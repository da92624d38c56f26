//! How a run's coverage was obtained, and a folder that keeps runs for a report later.
//!
//! A store is a folder `runs/` with a folder for each run: its profiles and `run.json`, which is
//! written last, beside and renamed. Any number of processes may add runs at once.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bincover_run::{Command, Mechanism, Output};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::merge::profiles_below;
use crate::objects::instrumentation;
use crate::output::{private_folder, write_atomically};

/// How a run's coverage was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obtained {
    /// From a file that the program had mapped into memory: whatever its end, it is all there.
    Continuous,
    /// From the file that the program wrote when it exited.
    Exit,
    /// Not at all.
    None(Uncovered),
    /// It was not wanted.
    Off,
}

/// Why a run left no coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncovered {
    /// The program has no counters.
    NotInstrumented,
    /// The program ended before it wrote its profile, and its counters cannot be kept elsewhere.
    NotWritten,
    /// The caller set `LLVM_PROFILE_FILE` for this run: the profile is where that says.
    Elsewhere,
}

impl fmt::Display for Obtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continuous => "continuous",
            Self::Exit => "at exit",
            Self::None(Uncovered::NotInstrumented) => "none: not instrumented",
            Self::None(Uncovered::NotWritten) => "none: ended before writing it",
            Self::None(Uncovered::Elsewhere) => "none: LLVM_PROFILE_FILE leads elsewhere",
            Self::Off => "off",
        })
    }
}

impl Obtained {
    /// There is coverage of the run.
    #[must_use]
    pub fn is_some(self) -> bool {
        matches!(self, Self::Continuous | Self::Exit)
    }

    /// Looks at what a run left in its folder. `is_instrumented` is what the program's own file
    /// says; a script may still have started programs that are.
    pub(crate) fn by(
        output: &Output,
        mechanism: Mechanism,
        is_instrumented: bool,
        profiles: &[PathBuf],
    ) -> Self {
        let has_bytes = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.len() > 0);
        if profiles.iter().any(has_bytes) {
            return match mechanism {
                Mechanism::Continuous => Self::Continuous,
                Mechanism::Exit => Self::Exit,
            };
        }
        Self::None(if output.profile_file_overridden {
            Uncovered::Elsewhere
        } else if is_instrumented {
            Uncovered::NotWritten
        } else {
            Uncovered::NotInstrumented
        })
    }
}

/// How the counters of a program are best kept.
pub(crate) fn mechanism_for(
    instrumentation: Option<&bincover_mapping::Instrumentation>,
) -> Mechanism {
    match instrumentation {
        Some(found) if found.relocatable_counters == Some(true) => Mechanism::Continuous,
        _ => Mechanism::Exit,
    }
}

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// One run in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// The run's folder, with its profiles.
    pub folder: PathBuf,
    /// The program's file, if it was found.
    pub program: Option<PathBuf>,
    /// The program as it was called, and its arguments.
    pub argv: Vec<OsString>,
    /// A label that the caller gave.
    pub context: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub wall_ms: u64,
    /// The exit code, or 128 and the signal's number.
    pub exit_code: i32,
    /// How it ended, in words.
    pub ended: String,
    /// How its coverage was obtained.
    pub obtained: Obtained,
}

/// What `run.json` holds.
#[derive(Serialize, Deserialize)]
struct Json {
    version: u32,
    program: Option<Text>,
    argv: Vec<Text>,
    context: Option<String>,
    started_ms: u64,
    wall_ms: u64,
    exit_code: i32,
    ended: String,
    obtained: Obtained,
}

/// Text where it is text, bytes where it is not.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        match text.into_string() {
            Ok(text) => Self::Utf8(text),
            Err(text) => Self::Bytes(text.into_encoded_bytes()),
        }
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        use std::os::unix::ffi::OsStringExt;
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

const RECORD: &str = "run.json";
const RECORD_VERSION: u32 = 1;

impl Store {
    /// A store in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a program and keeps its profiles and a record of the run. `configure` sets what else
    /// there is to set: environment, input, a timeout, whether output is captured.
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
        let (folder, started_ms) = self.begin_run()?;
        let command = configure(Command::new(program).args(args));
        let program_file = find_program(program, &command);
        let found = program_file.as_deref().and_then(instrumentation);
        let mechanism = mechanism_for(found.as_ref());
        // If this fails, there was no run, and the folder goes as it came.
        let output = command.profiles(folder.path(), mechanism).run()?;

        let folder = folder.keep();
        let profiles = profiles_below(&folder)?;
        let is_instrumented = found.is_some_and(|found| found.counters);
        let mut argv = vec![program.to_owned()];
        argv.extend_from_slice(args);
        let run = StoredRun {
            folder,
            program: program_file,
            argv,
            context,
            started_ms,
            wall_ms: milliseconds(output.wall),
            exit_code: output.status.exit_code(),
            ended: output.status.to_string(),
            obtained: Obtained::by(&output, mechanism, is_instrumented, &profiles),
        };
        record(&run)?;
        Ok(run)
    }

    /// A new, private folder for a run, and when the run began.
    fn begin_run(&self) -> Result<(TempDir, u64)> {
        let runs = self.folder.join("runs");
        std::fs::create_dir_all(&runs).map_err(|source| Error::write(&runs, source))?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let started_ms = milliseconds(now);
        // The name sorts by time.
        let folder = private_folder(format!("{started_ms:013}-").as_ref())
            .tempdir_in(&runs)
            .map_err(|source| Error::write(&runs, source))?;
        Ok((folder, started_ms))
    }

    /// The runs that have ended, in order of their beginning. Folders without a record belong to
    /// runs that are still going on, or whose runner was killed: their profiles are listed by
    /// [`Store::profiles`] all the same.
    ///
    /// # Errors
    /// If the store cannot be read, or a record is not of this version.
    pub fn runs(&self) -> Result<Vec<StoredRun>> {
        let mut found = Vec::new();
        for folder in self.run_folders()? {
            let path = folder.join(RECORD);
            match std::fs::read(&path) {
                Ok(bytes) => found.push(parse_record(&path, &bytes, folder)?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::read(path, source)),
            }
        }
        Ok(found)
    }

    /// The profiles of all runs, in order of the runs.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn profiles(&self) -> Result<Vec<PathBuf>> {
        profiles_below(&self.folder.join("runs"))
    }

    fn run_folders(&self) -> Result<Vec<PathBuf>> {
        let runs = self.folder.join("runs");
        let fail = |source| Error::read(&runs, source);
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&runs).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.file_type().map_err(fail)?.is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort();
        Ok(folders)
    }
}

/// Writes a run's record.
fn record(run: &StoredRun) -> Result<()> {
    let json = Json {
        version: RECORD_VERSION,
        program: run.program.clone().map(|path| path.into_os_string().into()),
        argv: run.argv.iter().cloned().map(Text::from).collect(),
        context: run.context.clone(),
        started_ms: run.started_ms,
        wall_ms: run.wall_ms,
        exit_code: run.exit_code,
        ended: run.ended.clone(),
        obtained: run.obtained,
    };
    write_atomically(&run.folder.join(RECORD), |out| {
        serde_json::to_writer_pretty(out, &json).map_err(std::io::Error::from)
    })
}

/// The file that a program's name stands for, when it is run by this command.
pub(crate) fn find_program(program: &OsStr, command: &Command) -> Option<PathBuf> {
    // Without a `PATH`, the system looks in these.
    let path = command
        .search_path()
        .unwrap_or_else(|| "/bin:/usr/bin".into());
    let here = std::env::current_dir().ok()?;
    let found = which::which_in(program, Some(path), here).ok()?;
    Some(std::path::absolute(&found).unwrap_or(found))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn parse_record(path: &Path, bytes: &[u8], folder: PathBuf) -> Result<StoredRun> {
    let fail = |reason: String| Error::Record {
        path: path.to_owned(),
        reason,
    };
    let json: Json = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
    if json.version != RECORD_VERSION {
        let found = json.version;
        return Err(fail(format!(
            "expected version {RECORD_VERSION}, found {found}"
        )));
    }
    Ok(StoredRun {
        folder,
        program: json.program.map(|text| OsString::from(text).into()),
        argv: json.argv.into_iter().map(OsString::from).collect(),
        context: json.context,
        started_ms: json.started_ms,
        wall_ms: json.wall_ms,
        exit_code: json.exit_code,
        ended: json.ended,
        obtained: json.obtained,
    })
}
