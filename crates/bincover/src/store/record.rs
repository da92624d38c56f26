//! Run records: how a run ended and how its coverage was obtained.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bincover_run::{Ending, Mechanism, Output, signal_name};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::database::Failure;
use crate::error::Error;

/// How a run's coverage was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obtained {
    /// From a file that the program had mapped into memory: whatever its end, it is all there.
    Continuous,
    /// From the file that the program wrote when it exited.
    Exit,
    /// From the program's memory, when it ended without writing its profile.
    Rescued,
    /// From the program's memory, while it ran.
    Snapshot,
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
    /// The program ended before it wrote its profile, and its counters could not be had elsewhere.
    NotWritten,
    /// The caller set `LLVM_PROFILE_FILE` for this run, or for a program of Go `GOCOVERDIR`: the profile
    /// is where that says.
    Elsewhere,
    /// A profile is there, and nothing of it could be used.
    Unusable,
    /// Whoever ran the program was killed before it ended, and no profile was left.
    RunnerLost,
}

impl Obtained {
    /// There is coverage of the run.
    #[must_use]
    pub fn is_some(self) -> bool {
        !matches!(self, Self::None(_) | Self::Off)
    }

    /// How the coverage of a run was obtained, of which there is some or none.
    pub(crate) fn by(
        output: &Output,
        mechanism: Mechanism,
        is_instrumented: bool,
        is_go: bool,
        has_coverage: bool,
    ) -> Self {
        if has_coverage {
            return match mechanism {
                Mechanism::Continuous => Self::Continuous,
                Mechanism::Exit => Self::Exit,
            };
        }
        let is_elsewhere = match is_go {
            true => output.go_folder_overridden,
            false => output.profile_file_overridden,
        };
        Self::None(if is_elsewhere {
            Uncovered::Elsewhere
        } else if is_instrumented {
            Uncovered::NotWritten
        } else {
            Uncovered::NotInstrumented
        })
    }

    /// The word for it: `continuous`, `exit`, `rescued`, `snapshot`, `none` or `off`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Exit => "exit",
            Self::Rescued => "rescued",
            Self::Snapshot => "snapshot",
            Self::None(_) => "none",
            Self::Off => "off",
        }
    }

    /// For [`Obtained::None`]: why.
    #[must_use]
    pub fn cause(self) -> Option<Uncovered> {
        match self {
            Self::None(cause) => Some(cause),
            _ => None,
        }
    }

    fn parse(word: &str, cause: Option<&str>) -> Option<Self> {
        Some(match word {
            "continuous" => Self::Continuous,
            "exit" => Self::Exit,
            "rescued" => Self::Rescued,
            "snapshot" => Self::Snapshot,
            "off" => Self::Off,
            "none" => Self::None(
                Uncovered::ALL
                    .into_iter()
                    .find(|c| Some(c.word()) == cause)?,
            ),
            _ => return None,
        })
    }
}

impl Uncovered {
    const ALL: [Self; 5] = [
        Self::NotInstrumented,
        Self::NotWritten,
        Self::Elsewhere,
        Self::Unusable,
        Self::RunnerLost,
    ];

    /// The word for it, as in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotInstrumented => "not-instrumented",
            Self::NotWritten => "not-written",
            Self::Elsewhere => "elsewhere",
            Self::Unusable => "unusable",
            Self::RunnerLost => "runner-lost",
        }
    }
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInstrumented => "not instrumented",
            Self::NotWritten => "ended before writing it",
            Self::Elsewhere => "LLVM_PROFILE_FILE or GOCOVERDIR leads elsewhere",
            Self::Unusable => "the profile could not be used",
            Self::RunnerLost => "whoever ran it was killed",
        })
    }
}

impl fmt::Display for Obtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit => f.write_str("at exit"),
            Self::None(cause) => write!(f, "none: {cause}"),
            _ => f.write_str(self.word()),
        }
    }
}

/// How many runs there are of each way in which coverage was obtained, the most first.
pub(super) fn tally(from: &Connection) -> Result<Vec<(Obtained, u64)>, Failure> {
    let sql = "SELECT obtained, cause, count(*) FROM run GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";
    let mut statement = from.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let (word, cause): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let obtained = Obtained::parse(&word, cause.as_deref());
        let obtained = obtained.ok_or_else(|| {
            rusqlite::Error::InvalidColumnType(0, word, rusqlite::types::Type::Text)
        })?;
        let count: i64 = row.get(2)?;
        Ok((obtained, u64::try_from(count).unwrap_or(0)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes one more batch of a run's profiles, of which so many count. `obtained` is how, if there was
/// nothing of it before.
pub(super) fn add_batch(
    to: &Connection,
    run: &str,
    profiles: u64,
    obtained: Obtained,
) -> Result<(), Failure> {
    to.execute(
        "UPDATE run SET profiles = profiles + ?1, batch = batch + 1, \
         cause = iif(obtained = 'none' AND ?1 > 0, NULL, cause), \
         obtained = iif(obtained = 'none' AND ?1 > 0, ?2, obtained) \
         WHERE name = ?3",
        params![whole(profiles), obtained.word(), run],
    )?;
    Ok(())
}

/// How a run ended, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned or called `exit`: 0 to 255.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
    /// It was ended after this time.
    TimedOut(Duration),
    /// It had not ended when it was looked at.
    Running,
    /// It is not known: whoever ran it was killed.
    Lost,
}

impl Ended {
    /// The code that a shell would give; `None` if it is not known.
    #[must_use]
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(number) => Some(number.saturating_add(128)),
            Self::TimedOut(_) => Some(124),
            Self::Running | Self::Lost => None,
        }
    }

    fn columns(self) -> (&'static str, Option<i64>) {
        match self {
            Self::Code(code) => ("code", Some(code.into())),
            Self::Signal(number) => ("signal", Some(number.into())),
            Self::TimedOut(after) => ("timeout", i64::try_from(after.as_millis()).ok()),
            Self::Running => ("running", None),
            Self::Lost => ("lost", None),
        }
    }

    fn parse(word: &str, with: Option<i64>) -> Option<Self> {
        let number = || i32::try_from(with?).ok();
        Some(match word {
            "code" => Self::Code(number()?),
            "signal" => Self::Signal(number()?),
            "timeout" => Self::TimedOut(Duration::from_millis(u64::try_from(with?).ok()?)),
            "running" => Self::Running,
            "lost" => Self::Lost,
            _ => return None,
        })
    }
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Code(code) => Self::Code(code),
            Ending::Signal { number, .. } => Self::Signal(number),
            Ending::TimedOut { after, .. } => Self::TimedOut(after),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            Self::TimedOut(after) => write!(f, "timed out after {after:?}"),
            Self::Running => f.write_str("running"),
            Self::Lost => f.write_str("unknown"),
        }
    }
}

/// One run in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// Unique among all stores; names sort by the time of the beginning.
    pub name: String,
    /// The program's file, if it was found.
    pub program: Option<PathBuf>,
    /// The program as it was called, and its arguments.
    pub argv: Vec<OsString>,
    /// A label that the caller gave.
    pub context: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took.
    pub wall: Duration,
    /// How it ended.
    pub ended: Ended,
    /// How its coverage was obtained.
    pub obtained: Obtained,
    /// How many profiles of it count.
    pub profiles: u64,
}

/// Text where it is text, bytes where it is not.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl<T: AsRef<OsStr> + ?Sized> From<&T> for Text {
    fn from(text: &T) -> Self {
        let text = text.as_ref();
        match text.to_str() {
            Some(text) => Self::Utf8(text.to_owned()),
            None => Self::Bytes(text.as_bytes().to_vec()),
        }
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

/// What is known of a run before it begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Note {
    program: Option<Text>,
    /// Of the program's file; without one, it is taken as it is when the note is read.
    stamp: Option<String>,
    argv: Vec<Text>,
    context: Option<String>,
    is_continuous: bool,
}

impl Note {
    pub(super) fn new(
        program: Option<(&Path, Option<&str>)>,
        argv: &[OsString],
        context: Option<&str>,
        mechanism: Mechanism,
    ) -> Self {
        Self {
            is_continuous: mechanism == Mechanism::Continuous,
            program: program.map(|(path, _)| Text::from(path)),
            stamp: program.and_then(|(_, stamp)| stamp.map(str::to_owned)),
            argv: argv.iter().map(Text::from).collect(),
            context: context.map(str::to_owned),
        }
    }

    /// The program's file.
    pub(super) fn program(&self) -> Option<PathBuf> {
        match self.program.as_ref()? {
            Text::Utf8(path) => Some(path.into()),
            Text::Bytes(bytes) => Some(OsString::from_vec(bytes.clone()).into()),
        }
    }

    pub(super) fn stamp(&self) -> Option<&str> {
        self.stamp.as_deref()
    }

    /// How coverage is obtained, if there is any.
    pub(super) fn obtained(&self) -> Obtained {
        match self.is_continuous {
            true => Obtained::Continuous,
            false => Obtained::Exit,
        }
    }

    /// As it is written, a line.
    pub(super) fn to_line(&self) -> Vec<u8> {
        line(self)
    }

    /// What a run's file says: the note, and how the run ended if its runner has lived to write that. An
    /// empty note if there is none that can be read.
    pub(super) fn parse(lines: Option<Vec<u8>>) -> (Self, Option<Outcome>) {
        let lines = lines.unwrap_or_default();
        let mut lines = lines.split(|byte| *byte == b'\n');
        let note = lines
            .next()
            .and_then(|line| serde_json::from_slice(line).ok());
        let outcome = lines
            .next()
            .and_then(|line| serde_json::from_slice(line).ok());
        (note.unwrap_or_default(), outcome)
    }

    /// The record of a run. Without an outcome, its runner was killed.
    pub(super) fn into_run(
        self,
        name: &str,
        outcome: Option<&Outcome>,
        profiles: u64,
        is_written_to: bool,
    ) -> StoredRun {
        let digits = name.split('-').next().unwrap_or_default();
        let (wall, ended, obtained, cause) = match outcome {
            Some(outcome) => (
                Duration::from_micros(outcome.wall_us),
                Ended::parse(&outcome.ended, outcome.ended_with).unwrap_or(Ended::Lost),
                outcome.obtained,
                Uncovered::Unusable,
            ),
            None => (
                Duration::ZERO,
                Ended::Lost,
                self.obtained(),
                Uncovered::RunnerLost,
            ),
        };
        StoredRun {
            name: name.to_owned(),
            program: self.program.map(|path| OsString::from(path).into()),
            argv: self.argv.into_iter().map(OsString::from).collect(),
            context: self.context,
            started_ms: digits.parse().unwrap_or(0),
            wall,
            ended,
            obtained: match profiles {
                0 if !is_written_to => Obtained::None(cause),
                _ => obtained,
            },
            profiles,
        }
    }
}

/// How a run ended whose profiles are in no total yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// As in the database's table.
    ended: String,
    ended_with: Option<i64>,
    wall_us: u64,
    obtained: Obtained,
}

impl Outcome {
    pub(super) fn of(run: &StoredRun) -> Self {
        let (ended, ended_with) = run.ended.columns();
        Self {
            ended: ended.to_owned(),
            ended_with,
            wall_us: u64::try_from(run.wall.as_micros()).unwrap_or(u64::MAX),
            obtained: run.obtained,
        }
    }

    /// As it is written, a line.
    pub(super) fn to_line(&self) -> Vec<u8> {
        line(self)
    }
}

/// Nothing that is written in this way has a map in it, so that cannot fail.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A path as a column: text if it is UTF-8.
pub(super) fn path_column(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => Value::Text(text.to_owned()),
        None => Value::Blob(path.as_os_str().as_bytes().to_vec()),
    }
}

pub(super) fn column_path(column: ValueRef<'_>) -> Option<PathBuf> {
    match column {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(OsString::from_vec(bytes.to_vec()).into())
        }
        _ => None,
    }
}

impl StoredRun {
    /// Writes the record.
    pub(super) fn insert(&self, to: &Connection, program: Option<i64>) -> Result<(), Failure> {
        let argv: Vec<Text> = self.argv.iter().map(Text::from).collect();
        let argv = serde_json::to_string(&argv).unwrap_or_default();
        let (ended, with) = self.ended.columns();
        to.prepare_cached(
            "INSERT INTO run (name, context, argv, program_id, started_ms, wall_us, ended, \
             ended_with, obtained, cause, profiles, batch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        )?
        .execute(params![
            self.name,
            self.context,
            argv,
            program,
            whole(self.started_ms),
            i64::try_from(self.wall.as_micros()).unwrap_or(i64::MAX),
            ended,
            with,
            self.obtained.word(),
            self.obtained.cause().map(Uncovered::word),
            whole(self.profiles),
        ])?;
        Ok(())
    }

    /// All records, in order of their beginning.
    pub(super) fn all(from: &Connection) -> Result<Vec<Self>, Failure> {
        let mut statement = from.prepare(
            "SELECT name, context, argv, program.path, started_ms, wall_us, ended, ended_with, \
             obtained, cause, profiles FROM run LEFT JOIN program ON program.id = program_id \
             ORDER BY started_ms, name",
        )?;
        let mut rows = statement.query([])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(Self::of(row)?);
        }
        Ok(runs)
    }

    fn of(row: &Row<'_>) -> Result<Self, Failure> {
        let name: String = row.get(0)?;
        let odd = |what: &str| {
            let reason = format!("expected a known {what}, found another");
            Failure::Other(Error::Record {
                path: PathBuf::from(&name),
                reason,
            })
        };
        let argv: String = row.get(2)?;
        let argv: Vec<Text> = serde_json::from_str(&argv).map_err(|_| odd("list of arguments"))?;
        let ended: String = row.get(6)?;
        let obtained: String = row.get(8)?;
        let cause: Option<String> = row.get(9)?;
        let number = |column| -> Result<u64, Failure> {
            Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
        };
        Ok(Self {
            context: row.get(1)?,
            argv: argv.into_iter().map(OsString::from).collect(),
            program: column_path(row.get_ref(3)?),
            started_ms: number(4)?,
            wall: Duration::from_micros(number(5)?),
            ended: Ended::parse(&ended, row.get(7)?).ok_or_else(|| odd("ending"))?,
            obtained: Obtained::parse(&obtained, cause.as_deref())
                .ok_or_else(|| odd("way of obtaining coverage"))?,
            profiles: number(10)?,
            name,
        })
    }
}

/// A number as a column. SQLite's are signed; none of ours is that large.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
