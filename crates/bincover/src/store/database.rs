//! The store's database: opening it, taking turns, its version.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{Error, Result};
use crate::own;

pub(super) const FILE: &str = "store.db";
pub(super) const LOCK: &str = "lock";
const SCHEMA: &str = include_str!("schema.sql");

/// The newest version of the tables that is known (SQLite's `user_version`).
pub(super) const VERSION: i64 = 1;

/// "binc": other programs see what the file is (SQLite's `application_id`).
const APPLICATION: i64 = 0x6269_6e63;

/// Counters are a few large blobs, which take less time in larger pages.
const PAGE_BYTES: i64 = 8192;

/// A connection to the store's database. One that may write holds the store's lock.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// Which file that was when it was opened. There may be another one by now.
    file: Option<FileId>,
    /// Writers wait for each other here, in the kernel, rather than by SQLite's polling. The lock
    /// is gone with its process, however that ends.
    turn: Option<File>,
}

impl Database {
    /// Opens the database to read; `None` if there is none yet.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        // A writer that was killed may have left something to roll back, so reading alone would
        // not do; where writing is not allowed, it has to.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::open(&path, flags, None)?.if_made()
    }

    /// Opens a file that was [exported](super::Store::export), which nothing writes to; `None` if it is
    /// empty. What lies beside it, such as a journal that somebody made for it, is not looked at.
    pub(super) fn read_shard(path: &Path) -> Result<Option<Self>> {
        for suffix in ["-journal", "-wal"] {
            if std::fs::metadata(beside(path, suffix)).is_ok_and(|metadata| metadata.len() > 0) {
                let reason = format!(
                    "expected a store that was exported, found one that is written to: there is a `{suffix}` beside it"
                );
                let path = path.to_owned();
                return Err(Error::Store { path, reason });
            }
        }
        let absolute = std::path::absolute(path).map_err(|source| Error::read(path, source))?;
        // <https://www.sqlite.org/uri.html>
        let mut uri = String::from("file:");
        for byte in absolute.as_os_str().as_encoded_bytes() {
            match byte {
                b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
                byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
                byte => uri.push_str(&format!("%{byte:02x}")),
            }
        }
        uri.push_str("?immutable=1");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fail = |error: rusqlite::Error| store_error(path, &error);
        let connection = Connection::open_with_flags(uri, flags).map_err(fail)?;
        make_safe(&connection).map_err(fail)?;
        let database = Self {
            connection,
            path: path.to_owned(),
            file: None,
            turn: None,
        };
        database.if_made()
    }

    /// `None` if it has no tables yet.
    fn if_made(self) -> Result<Option<Self>> {
        match self.version()? {
            VERSION => {
                self.check_tables()?;
                Ok(Some(self))
            }
            // Somebody is making it just now.
            0 => Ok(None),
            found => Err(self.unknown_version(found)),
        }
    }

    /// Opens the database to write, and makes it if there is none. Waits until it is our turn.
    pub(super) fn write(folder: &Path) -> Result<Self> {
        own::folder(folder)?;
        let turn = take_turn(folder)?;
        Self::create(&folder.join(FILE), Some(turn))
    }

    /// Waits until it is our turn to write.
    pub(super) fn into_writer(mut self, folder: &Path) -> Result<Self> {
        let turn = take_turn(folder)?;
        if !self.is_current() {
            // Somebody has deleted the store.
            return Self::create(&folder.join(FILE), Some(turn));
        }
        self.turn = Some(turn);
        Ok(self)
    }

    /// The file is the one that has this name now.
    fn is_current(&self) -> bool {
        self.file.is_some() && self.file == file_id(&self.path)
    }

    /// Opens or makes a database in this file.
    pub(super) fn create(path: &Path, turn: Option<File>) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Self::open(path, flags, turn)?;
        match database.version()? {
            VERSION => database.check_tables()?,
            0 => database.make_tables()?,
            found => return Err(database.unknown_version(found)),
        }
        Ok(database)
    }

    fn open(path: &Path, flags: OpenFlags, turn: Option<File>) -> Result<Self> {
        // SQLite would wait for whoever is at the other end of a pipe.
        own::check_file(path)?;
        own::check_file(&beside(path, "-wal"))?;
        check_journal(path)?;
        let fail = |error: rusqlite::Error| store_error(path, &error);
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        connection
            .busy_timeout(Duration::from_secs(60))
            .map_err(fail)?;
        // Whatever becomes of any process, the file is whole. After a failure of power it may not
        // be: waiting for the disk would take more time than most programs run.
        connection
            .pragma_update(None, "synchronous", "OFF")
            .map_err(fail)?;
        // Making and deleting a file takes longer than emptying one.
        connection
            .pragma_update_and_check(None, "journal_mode", "TRUNCATE", |_| Ok(()))
            .map_err(fail)?;
        make_safe(&connection).map_err(fail)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            file: file_id(path),
            turn,
        })
    }

    fn version(&self) -> Result<i64> {
        self.connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| store_error(&self.path, &error))
    }

    fn make_tables(&mut self) -> Result<()> {
        let path = &self.path;
        let fail = |error: rusqlite::Error| store_error(path, &error);
        let set = |name, value| self.connection.pragma_update(None, name, value);
        set("page_size", PAGE_BYTES).map_err(fail)?;
        let transaction = self.connection.transaction().map_err(fail)?;
        transaction.execute_batch(SCHEMA).map_err(fail)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION)
            .map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", VERSION)
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// The tables are ours and there is nothing else: a file from somebody else could have a view or a
    /// column in a table's place that is computed, without end or out of nothing.
    fn check_tables(&self) -> Result<()> {
        let fail = |error: rusqlite::Error| store_error(&self.path, &error);
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL";
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let found = statement.query_map([], |row| row.get::<_, String>(0));
        let found = found.map_err(fail)?.collect::<rusqlite::Result<Vec<_>>>();
        let found = found.map_err(fail)?;
        let mut found: Vec<String> = found.iter().map(|sql| plain(sql)).collect();
        let mut ours: Vec<String> = plain(SCHEMA).split_terminator(';').map(plain).collect();
        found.sort();
        ours.sort();
        match found == ours {
            true => Ok(()),
            false => Err(Error::Store {
                path: self.path.clone(),
                reason: "expected bincover's tables and nothing else, found others".to_owned(),
            }),
        }
    }

    #[cold]
    fn unknown_version(&self, found: i64) -> Error {
        Error::Store {
            path: self.path.clone(),
            reason: format!(
                "expected version {VERSION} of its tables, found {found}: it was written by a newer bincover"
            ),
        }
    }

    /// Asks, and says where it was asked if that fails.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T> {
        ask(&self.connection).map_err(|failure| failure.at(&self.path))
    }

    /// All that `change` does becomes valid at once, or nothing.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        let path = &self.path;
        let connection = &mut self.connection;
        let attempt = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        attempt().map_err(|failure: Failure| failure.at(path))
    }
}

/// A file from somebody else is data, and nothing in it is run.
fn make_safe(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(())
}

/// The path of a file that SQLite keeps beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    beside.into()
}

/// SQL without comments, with one space where there is any.
fn plain(sql: &str) -> String {
    let lines = sql.lines();
    let code = lines.map(|line| line.split("--").next().unwrap_or_default());
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// Checks that the journal of a writer that was killed, if there is one, speaks of this file alone. One of several
/// files has the name of another journal at its end, and SQLite deletes that when it is done: it may be any
/// file's name. <https://www.sqlite.org/fileformat.html#the_rollback_journal>
fn check_journal(path: &Path) -> Result<()> {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let journal = &beside(path, "-journal");
    own::check_file(journal)?;
    let end = || {
        let file = own::open(File::options().read(true), journal).ok()?;
        let at = file
            .metadata()
            .ok()?
            .len()
            .checked_sub(MAGIC.len() as u64)?;
        let mut end = MAGIC;
        file.read_exact_at(&mut end, at).ok()?;
        (at > 0).then_some(end)
    };
    match end() == Some(MAGIC) {
        false => Ok(()),
        true => Err(Error::Store {
            path: path.to_owned(),
            reason: "expected a journal of this file alone, found one that names another"
                .to_owned(),
        }),
    }
}

/// Connections that nobody uses just now: opening one takes as long as a transaction. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle(Arc<Mutex<Vec<Database>>>);

impl Idle {
    /// As many as there are; more at once are opened anew.
    const MOST: usize = 16;

    /// One of them.
    pub(super) fn take(&self) -> Option<Database> {
        let idle = self.list().pop();
        idle.filter(Database::is_current)
    }

    /// Ends its turn, and keeps it.
    pub(super) fn keep(&self, mut database: Database) {
        database.turn = None;
        let mut list = self.list();
        if list.len() < Self::MOST {
            list.push(database);
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Database>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Device and inode.
type FileId = (u64, u64);

/// Tells a store's database from any that was or will be in its place. `None` if there is none of our
/// version, or the file system does not say when a file was made.
pub(super) fn birth(folder: &Path) -> Option<String> {
    let file = own::open(File::options().read(true), &folder.join(FILE)).ok()?;
    let metadata = file.metadata().ok()?;
    let made = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    // The user version, in SQLite's file header: <https://www.sqlite.org/fileformat.html#the_database_header>.
    let mut version = [0; 4];
    file.read_exact_at(&mut version, 60).ok()?;
    let is_ours = i64::from(u32::from_be_bytes(version)) == VERSION;
    let (device, inode) = (metadata.dev(), metadata.ino());
    is_ours.then(|| format!("{device:x}-{inode:x}-{}", made.as_nanos()))
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Why something could not be done with a database whose path the caller knows.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(rusqlite::Error),
    /// What is wrong with something in it.
    Damaged(String),
    Other(Error),
}

/// What is wrong with something that a database holds.
#[derive(Debug)]
pub(super) struct Damaged(pub(super) String);

impl From<Damaged> for Failure {
    fn from(Damaged(reason): Damaged) -> Self {
        Self::Damaged(reason)
    }
}

/// For the ledger.
impl From<Damaged> for std::io::Error {
    fn from(Damaged(reason): Damaged) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, reason)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> Error {
        match self {
            Self::Sql(error) => store_error(path, &error),
            Self::Damaged(reason) => Error::Store {
                path: path.to_owned(),
                reason,
            },
            Self::Other(error) => error,
        }
    }
}

#[cold]
pub(super) fn store_error(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Store {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Waits until it is our turn to write to the store in this folder; it lasts as long as the file is
/// open.
pub(super) fn take_turn(folder: &Path) -> Result<File> {
    own::check(folder)?;
    let path = &folder.join(LOCK);
    let lock = || -> std::io::Result<File> {
        let mut options = File::options();
        let file = own::open(options.create(true).truncate(false).write(true), path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => file.lock()?,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(file)
    };
    lock().map_err(|source| Error::write(path, source))
}
