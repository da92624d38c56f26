//! Profiles to totals: one for each binary, as large as one profile however many runs there are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bincover_profile::raw::{Frame, Identity, RawHead};
use bincover_profile::{Entry, Merger, Unfit, indexed};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::database::{Damaged, Failure};
use super::go;
use super::record::whole;
use super::spool::{is_go, original_name};
use crate::error::{Error, is_scarce};
use crate::limits::{MAX_KEPT_ANYWAY, MAX_KEPT_RATIO};

/// What became of some profiles.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// How many count now, in whole or in part.
    pub(super) profiles: u64,
    /// Those that could not be used, or only in part, and why.
    pub(super) left_out: Vec<(PathBuf, String)>,
}

/// The sum of a binary's runs, being added to.
struct Sum {
    total_id: i64,
    /// The row that these counts replace, if there is one.
    counts_id: Option<i64>,
    counters: Vec<u8>,
    bitmaps: Vec<u8>,
    profiles: u64,
    is_changed: bool,
}

/// Adds finished profiles of one run. `object_key` is the object of those without a build id, and
/// `program` the row of the run's program.
pub(super) fn add(
    to: &Connection,
    run: &str,
    files: &[PathBuf],
    object_key: Option<&str>,
    program: Option<i64>,
) -> Result<Added, Failure> {
    let mut totals = Totals {
        to,
        object_key,
        sums: HashMap::new(),
        buffer: Vec::new(),
    };
    let mut added = Added::default();
    let mut odd = Vec::new();
    let (of_go, files): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| is_go(path));
    if !of_go.is_empty() {
        go::add(to, &of_go, program, &mut added)?;
    }
    for path in files {
        match totals.add(path)? {
            Some(true) => added.profiles += 1,
            Some(false) => odd.push(path),
            // Nothing was ever written to it.
            None => {}
        }
    }
    totals.write()?;
    if !odd.is_empty() {
        add_rest(to, &odd, &mut added)?;
    }
    for (path, cause) in &added.left_out {
        to.execute(
            "INSERT INTO left_out (run, file, cause) VALUES (?, ?, ?)",
            params![run, original_name(path), cause],
        )?;
    }
    Ok(added)
}

struct Totals<'a> {
    to: &'a Connection,
    object_key: Option<&'a str>,
    sums: HashMap<String, Sum>,
    buffer: Vec<u8>,
}

impl Totals<'_> {
    /// True if the file was added, false if it has to go another way, `None` if it is empty.
    fn add(&mut self, path: &Path) -> Result<Option<bool>, Failure> {
        let read = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let file_bytes = file.metadata()?.len();
            Ok((file, file_bytes))
        };
        let (file, file_bytes) = match read() {
            Ok(found) => found,
            Err(error) if is_scarce(&error) => return Err(Error::read(path, error).into()),
            Err(_) => return Ok(Some(false)),
        };
        if file_bytes == 0 {
            return Ok(None);
        }
        let mut head = [0; Identity::HEAD_BYTES];
        let wanted = usize::try_from(file_bytes).map_or(head.len(), |len| len.min(head.len()));
        let head = match file.read_exact_at(&mut head[..wanted], 0) {
            Ok(()) => RawHead::of(&head[..wanted], file_bytes),
            Err(_) => None,
        };
        let Some(head) = head else {
            return Ok(Some(false));
        };
        Ok(Some(match head.build_id() {
            [] => self.add_whole(&file, file_bytes, &head)?,
            id => {
                let key = format!("{}-{:016x}", hex(id), xxh3_64(head.identity().as_bytes()));
                match self.sum_of(&key)? {
                    true => self.add_counts(&file, &head, &key),
                    false => self.add_whole(&file, file_bytes, &head)?,
                }
            }
        }))
    }

    /// Adds a run of a binary that has a total.
    fn add_counts(&mut self, file: &File, head: &RawHead, key: &str) -> bool {
        let Some(sum) = self.sums.get_mut(key) else {
            return false;
        };
        let mut counters = std::mem::take(&mut self.buffer);
        let mut bitmaps = Vec::new();
        let is_read = read_range(file, &head.counters(), &mut counters).is_ok()
            && read_range(file, &head.bitmaps(), &mut bitmaps).is_ok();
        let is_added = is_read && sum.add(head, &counters, &bitmaps);
        self.buffer = counters;
        is_added
    }

    /// Adds a run of a binary that has no total yet, or that has no build id to know it by.
    fn add_whole(&mut self, file: &File, file_bytes: u64, head: &RawHead) -> Result<bool, Failure> {
        let mut bytes = Vec::new();
        if read_range(file, &(0..file_bytes), &mut bytes).is_err() || Frame::of(&bytes).is_none() {
            return Ok(false);
        }
        let part = |range: Range<u64>| {
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            bytes
                .get(index(range.start)..index(range.end))
                .map(<[u8]>::to_vec)
        };
        let (Some(counters), Some(bitmaps)) = (part(head.counters()), part(head.bitmaps())) else {
            return Ok(false);
        };
        head.strip(&mut bytes);
        let (key, object_key) = match head.build_id() {
            [] => (
                format!("-{:032x}", xxh3_128(&bytes)),
                self.object_key.map(str::to_owned),
            ),
            id => {
                let id = hex(id);
                let key = format!("{id}-{:016x}", xxh3_64(head.identity().as_bytes()));
                (key, Some(id))
            }
        };
        if !self.sum_of(&key)? {
            self.to.execute(
                "INSERT INTO total (key, object_key, template) VALUES (?, ?, ?)",
                params![key, object_key, compress(&bytes)],
            )?;
            let sum = Sum {
                total_id: self.to.last_insert_rowid(),
                counts_id: None,
                counters: vec![0; counters.len()],
                bitmaps: vec![0; bitmaps.len()],
                profiles: 0,
                is_changed: true,
            };
            self.sums.insert(key.clone(), sum);
        }
        let sum = self.sums.get_mut(&key);
        Ok(sum.is_some_and(|sum| sum.add(head, &counters, &bitmaps)))
    }

    /// Reads the sum of this key, unless that was done before. False if there is none.
    fn sum_of(&mut self, key: &str) -> Result<bool, Failure> {
        if self.sums.contains_key(key) {
            return Ok(true);
        }
        let found = self
            .to
            .prepare_cached(
                "SELECT total.id, counts.id, counters, bitmaps, profiles FROM total JOIN counts \
                 ON counts.id BETWEEN 2 * total.id AND 2 * total.id + 1 WHERE key = ?",
            )?
            .query_row([key], |row| {
                Ok(Sum {
                    total_id: row.get(0)?,
                    counts_id: row.get(1)?,
                    counters: row.get(2)?,
                    bitmaps: row.get(3)?,
                    profiles: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                    is_changed: false,
                })
            })
            .optional()?;
        let Some(sum) = found else {
            return Ok(false);
        };
        self.sums.insert(key.to_owned(), sum);
        Ok(true)
    }

    /// Writes the sums, also one of nothing: a total has its counts.
    fn write(&self) -> Result<(), Failure> {
        for sum in self.sums.values().filter(|sum| sum.is_changed) {
            // Ours are small, and no other total has counts.
            let first = sum.total_id.saturating_mul(2);
            let free = match sum.counts_id {
                Some(id) if id == first => first + 1,
                _ => first,
            };
            self.to
                .prepare_cached(
                    "INSERT INTO counts (id, profiles, counters, bitmaps) VALUES (?, ?, ?, ?)",
                )?
                .execute(params![
                    free,
                    whole(sum.profiles),
                    sum.counters,
                    sum.bitmaps
                ])?;
            if let Some(id) = sum.counts_id {
                self.to
                    .prepare_cached("DELETE FROM counts WHERE id = ?")?
                    .execute([id])?;
            }
        }
        Ok(())
    }
}

impl Sum {
    /// False if the run has to go another way; the sum is then as it was.
    fn add(&mut self, head: &RawHead, counters: &[u8], bitmaps: &[u8]) -> bool {
        if bitmaps.len() != self.bitmaps.len() {
            return false;
        }
        match head.add_counters(&mut self.counters, counters) {
            Ok(()) => {
                RawHead::add_bitmaps(&mut self.bitmaps, bitmaps);
                self.profiles += 1;
                self.is_changed = true;
                true
            }
            Err(Unfit::Odd | Unfit::TooLarge) => false,
        }
    }
}

/// Merges the profiles that are no sums into the one that is for them.
fn add_rest(to: &Connection, files: &[&PathBuf], added: &mut Added) -> Result<(), Failure> {
    const SOURCE: &str = "the rest";
    let mut merger = Merger::new();
    let before: Option<(Vec<u8>, i64)> = to
        .query_row("SELECT profile, profiles FROM rest", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((profile, _)) = &before {
        merger.add(SOURCE, &inflate(profile)?, NonZeroU64::MIN);
    }
    let mut cut = Vec::new();
    for path in files {
        let source = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => {
                // A profile that lost its names has them in those of its siblings.
                if let Some(template) = template_of(to, &bytes)? {
                    merger.add(SOURCE, &template, NonZeroU64::MIN);
                }
                merger.add(&source, &bytes, NonZeroU64::MIN);
                if merger.may_be_salvaged(&bytes) {
                    cut.push((source, bytes));
                }
            }
            Err(error) if is_scarce(&error) => return Err(Error::read(*path, error).into()),
            Err(error) => merger.add_failure(&source, error),
        }
    }
    for (source, bytes) in cut {
        merger.salvage(&source, &bytes, NonZeroU64::MIN);
    }
    let merged = merger.finish();
    let mut of: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in &merged.ledger.entries {
        of.entry(&entry.source).or_default().push(entry);
    }
    let mut unused = 0;
    for path in files {
        let entries = of.remove(&*path.display().to_string()).unwrap_or_default();
        if entries.iter().any(|entry| entry.cause.is_whole_file()) {
            unused += 1;
        }
        let errors = entries.iter().filter(|entry| entry.cause.is_error());
        let causes: Vec<String> = errors.map(|entry| entry.cause.to_string()).collect();
        if !causes.is_empty() {
            added.left_out.push(((*path).clone(), causes.join("; ")));
        }
    }
    let used = files.len() as u64 - unused;
    added.profiles += used;
    if used > 0 {
        let bytes = indexed::write(&merged.profile, &indexed::WriteOptions::default());
        let profiles = before.map_or(0, |(_, profiles)| profiles);
        let profiles = profiles.saturating_add(whole(used));
        to.execute(
            "INSERT OR REPLACE INTO rest (id, profile, profiles) VALUES (1, ?, ?)",
            params![compress(&bytes), profiles],
        )?;
    }
    Ok(())
}

/// The total's template for a profile, if it is a raw one of a binary that has one.
fn template_of(from: &Connection, profile: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let Some(identity) = Identity::of(&profile[..profile.len().min(Identity::HEAD_BYTES)]) else {
        return Ok(None);
    };
    let suffix = format!("%-{:016x}", xxh3_64(identity.as_bytes()));
    let found: Option<(Vec<u8>, i64)> = from
        .query_row(
            "SELECT template, length(counters) + length(bitmaps) FROM total JOIN counts \
             ON counts.id BETWEEN 2 * total.id AND 2 * total.id + 1 WHERE key LIKE ?",
            [suffix],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let inflate = |(template, zeros): (Vec<u8>, i64)| {
        inflate_beside(&template, u64::try_from(zeros).unwrap_or(0))
    };
    Ok(found.map(inflate).transpose()?)
}

/// Adds all totals to a merge, except those of which `is_wanted` says otherwise by their object's
/// key. Returns how many profiles were left out in this way.
pub(super) fn merge_all(
    from: &Connection,
    merger: &mut Merger,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<u64, Failure> {
    let mut statement = from.prepare(
        "SELECT key, object_key, template, counters, bitmaps, profiles FROM total JOIN counts \
         ON counts.id BETWEEN 2 * total.id AND 2 * total.id + 1 ORDER BY key",
    )?;
    let mut rows = statement.query([])?;
    let mut unwanted: u64 = 0;
    while let Some(row) = rows.next()? {
        let object_key: Option<String> = row.get(1)?;
        if !object_key.is_none_or(|key| is_wanted(&key)) {
            let profiles = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0);
            unwanted = unwanted.saturating_add(profiles);
            continue;
        }
        let key: String = row.get(0)?;
        let (counters, bitmaps): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        let zeros = (counters.len() + bitmaps.len()) as u64;
        let source = format!("the total {key}");
        let mut profile = match inflate_beside(&row.get::<_, Vec<u8>>(2)?, zeros) {
            Ok(profile) => profile,
            Err(damaged) => {
                merger.add_failure(&source, damaged.into());
                continue;
            }
        };
        let head_bytes = profile.len().min(Identity::HEAD_BYTES);
        if let Some(head) = RawHead::of(&profile[..head_bytes], profile.len() as u64) {
            head.put(&mut profile, &counters, &bitmaps);
        }
        merger.add(&source, &profile, NonZeroU64::MIN);
    }
    let rest: Option<Vec<u8>> = from
        .query_row("SELECT profile FROM rest", [], |row| row.get(0))
        .optional()?;
    if let Some(rest) = rest {
        add_kept(merger, "the rest", &rest);
    }
    Ok(unwanted)
}

/// Adds a profile that was [compressed](compress) to a merge. One that is damaged is left out.
pub(super) fn add_kept(merger: &mut Merger, source: &str, profile: &[u8]) {
    match inflate(profile) {
        Ok(profile) => merger.add(source, &profile, NonZeroU64::MIN),
        Err(damaged) => merger.add_failure(source, damaged.into()),
    }
}

fn read_range(file: &File, range: &Range<u64>, buffer: &mut Vec<u8>) -> io::Result<()> {
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    buffer.resize(len, 0);
    file.read_exact_at(buffer, range.start)
}

/// As zlib does it, and quickly: this is done while a program waits to end.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    let written = encoder.write_all(bytes);
    // Writing to memory does not fail.
    debug_assert!(written.is_ok());
    encoder.finish().unwrap_or_default()
}

/// Undoes [`compress`].
pub(super) fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
    inflate_beside(bytes, 0)
}

/// The same for what may hold so many zeros besides: the template of a total.
pub(super) fn inflate_beside(bytes: &[u8], zeros: u64) -> Result<Vec<u8>, Damaged> {
    let most = (bytes.len() as u64)
        .saturating_mul(MAX_KEPT_RATIO)
        .max(MAX_KEPT_ANYWAY)
        .saturating_add(zeros);
    let mut out = Vec::new();
    let mut limited = ZlibDecoder::new(bytes).take(most.saturating_add(1));
    let reason = match limited.read_to_end(&mut out) {
        Ok(_) if out.len() as u64 <= most => return Ok(out),
        Ok(_) => format!(
            "expected no more than {most} bytes in {} compressed ones, found more",
            bytes.len()
        ),
        Err(error) => format!("expected compressed data, found: {error}"),
    };
    Err(Damaged(reason))
}

/// As people write build ids.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
