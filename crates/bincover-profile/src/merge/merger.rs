//! Adds files to a profile, one after another.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::rc::Rc;

use crate::error::{Error, ErrorKind, Result};
use crate::indexed::IndexedProfile;
use crate::kind::{FileKind, ProfileKind};
use crate::limits::{MAX_COUNT, SUSPICIOUS_COUNTER};
use crate::merge::{Cause, Ledger};
use crate::names::{NameRef, NameTable};
use crate::profile::{FunctionHash, Profile, Pseudo};
use crate::raw::{Counters, RawProfile, RawProfiles};
use crate::text::TextProfile;
use crate::traces::{Trace, TraceLimits};
use crate::values::{ValueOutcome, Values};

/// What a merge makes.
#[derive(Debug, Default)]
pub struct Merged {
    /// The profile.
    pub profile: Profile,
    /// What was left out of it.
    pub ledger: Ledger,
}

/// How to merge.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// Bounds of the sample of temporal traces.
    pub traces: TraceLimits,
    /// Functions of the first name are merged under the second (LLVM: `--remapping-file`).
    pub renamed: HashMap<Vec<u8>, Vec<u8>>,
}

/// Merges files into one profile. Files are given one at a time, as bytes, so that the caller
/// decides how they are read and how many are in memory.
///
/// ```
/// use std::num::NonZeroU64;
/// use bincover_profile::{Merger, indexed};
///
/// let mut merger = Merger::new();
/// merger.add("no-profile.txt", b"\x00\x01", NonZeroU64::MIN);
/// let merged = merger.finish();
/// assert_eq!(merged.profile.function_count(), 0);
/// assert_eq!(merged.ledger.failed_inputs(), 1);
/// let bytes = indexed::write(&merged.profile, &indexed::WriteOptions::default());
/// assert_eq!(bytes.len(), 560);
/// ```
#[derive(Debug, Default)]
pub struct Merger {
    profile: Profile,
    ledger: Ledger,
    options: MergeOptions,
    /// The last names blob: thousands of profiles of one binary have the same.
    names: Option<(Vec<u8>, Rc<NameTable>)>,
}

/// What is remembered from one profile of a raw file to the next.
#[derive(Default)]
struct RawFile {
    /// A count was too large; LLVM says so once a file.
    is_suspicious: bool,
    timestamps: Vec<(u64, NameRef)>,
}

/// A record about to be merged.
struct Incoming<'a> {
    name: &'a [u8],
    name_ref: NameRef,
    hash: FunctionHash,
    counters: Counters<'a>,
    bitmap: Bitmap<'a>,
    values: &'a Values,
}

/// Bitmap bytes as the two binary formats hold them.
#[derive(Clone, Copy)]
enum Bitmap<'a> {
    Bytes(&'a [u8]),
    /// Each byte is a little-endian word.
    Words(&'a [u8]),
}

impl Bitmap<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(words) => words.len() / 8,
        }
    }

    fn or_into(&self, target: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => {
                for (slot, byte) in target.iter_mut().zip(*bytes) {
                    *slot |= byte;
                }
            }
            Self::Words(words) => {
                for (slot, word) in target.iter_mut().zip(words.chunks_exact(8)) {
                    *slot |= word[0];
                }
            }
        }
    }
}

impl Merger {
    /// An empty merge.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty merge with options.
    #[must_use]
    pub fn with_options(options: MergeOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Adds the contents of one file, each count multiplied by `weight`. `source` names the file
    /// in the ledger, where all that is wrong with it ends up.
    pub fn add(&mut self, source: &str, bytes: &[u8], weight: NonZeroU64) {
        self.ledger.inputs += 1;
        let weight = weight.get();
        let before = self.ledger.records;
        let result = match FileKind::sniff(bytes) {
            _ if bytes.is_empty() => {
                self.ledger.add(source, Cause::Empty);
                return;
            }
            Some(FileKind::Raw { .. }) => self.add_raw(source, bytes, weight),
            Some(FileKind::Indexed) => self.add_indexed(source, bytes, weight),
            Some(FileKind::Text) => self.add_text(source, bytes, weight),
            kind => Err(Failure::new(unreadable(kind, bytes))),
        };
        if let Err(Failure { error, announced }) = result {
            let kept = self.ledger.records - before;
            let cause = if kept == 0 {
                Cause::Unreadable(error)
            } else {
                Cause::Damaged {
                    error,
                    kept,
                    announced,
                }
            };
            self.ledger.add(source, cause);
        }
    }

    /// Notes an input whose bytes could not be had; `reason` says why.
    pub fn add_failure(&mut self, source: &str, reason: String) {
        self.ledger.inputs += 1;
        self.ledger.add(source, Cause::Inaccessible(reason));
    }

    /// The merged profile and the account of what was left out.
    #[must_use]
    pub fn finish(self) -> Merged {
        Merged {
            profile: self.profile,
            ledger: self.ledger,
        }
    }

    fn add_raw(&mut self, source: &str, bytes: &[u8], weight: u64) -> Result<(), Failure> {
        let mut profiles = RawProfiles::new(bytes);
        let mut state = RawFile::default();
        let mut ids = Vec::new();
        let mut end = 0;
        let mut first = true;
        let mut announced = 0u64;
        loop {
            let next = profiles.next(end).map_err(|error| Failure {
                error,
                announced: Some(announced).filter(|_| !first),
            })?;
            let Some(profile) = next else { break };
            let header = profile.header();
            announced = announced.saturating_add(header.record_count);
            if header.is_correlated() {
                return Err(Failure::new(correlated(&profile)));
            }
            if first && !self.join_kind(source, header.kind) {
                return Ok(());
            }
            first = false;
            let added = self.add_raw_records(source, &profile, weight, &mut state);
            end = added.map_err(|error| {
                self.add_trace(&mut state, weight);
                Failure {
                    error,
                    announced: Some(announced),
                }
            })?;
            for id in profile.binary_ids() {
                ids.push(id?);
            }
        }
        self.add_trace(&mut state, weight);
        for id in ids {
            self.profile.add_binary_id(id);
        }
        Ok(())
    }

    /// The time stamps of a raw file, in order, are one trace.
    fn add_trace(&mut self, file: &mut RawFile, weight: u64) {
        file.timestamps.sort_unstable();
        let functions: Vec<NameRef> = file.timestamps.drain(..).map(|(_, name)| name).collect();
        if !functions.is_empty() {
            let limits = self.options.traces;
            let trace = Trace { weight, functions };
            self.profile.traces_mut().add(vec![trace], 1, limits);
        }
    }

    /// Merges the records of one raw profile; returns where its value data ended.
    fn add_raw_records(
        &mut self,
        source: &str,
        profile: &RawProfile<'_>,
        weight: u64,
        file: &mut RawFile,
    ) -> Result<u64> {
        let names = self.names_of(profile)?;
        let mut value_data = profile.values();
        let mut values = Values::default();
        for record in profile.records() {
            let record = record?;
            file.timestamps.extend(record.timestamp.map(|time| (time, record.name)));
            let (name, name_ref) = match names.get(record.name) {
                Some(name) => (name, record.name),
                // LLVM files such records under the empty name.
                None => (&b""[..], NameRef::of(b"")),
            };
            values.clear();
            if record.has_values {
                value_data.next_into(&mut values)?;
            }
            if let Some(count) = suspicious_count(&record.counters).filter(|_| !file.is_suspicious) {
                file.is_suspicious = true;
                let function = printable(name);
                let cause = Cause::SuspiciousCounter { function, count };
                self.ledger.add(source, cause);
            }
            let incoming = Incoming {
                name,
                name_ref,
                hash: record.hash,
                counters: record.counters,
                bitmap: Bitmap::Bytes(record.bitmap),
                values: &values,
            };
            self.add_record(source, &incoming, weight);
        }
        Ok(value_data.offset())
    }

    /// The profile's names, decoded once for all profiles in a row that have the same.
    fn names_of(&mut self, profile: &RawProfile<'_>) -> Result<Rc<NameTable>> {
        let (blob, _) = profile.names_blob();
        if let Some((known, table)) = &self.names
            && known == blob
        {
            return Ok(Rc::clone(table));
        }
        let table = Rc::new(profile.names()?);
        self.names = Some((blob.to_vec(), Rc::clone(&table)));
        Ok(table)
    }

    fn add_indexed(&mut self, source: &str, bytes: &[u8], weight: u64) -> Result<(), Failure> {
        let profile = IndexedProfile::parse(bytes)?;
        let kind = profile.header().kind;
        if !self.join_kind(source, kind) {
            return Ok(());
        }
        let mut values = Values::default();
        profile.for_each(&mut values, |record, values| {
            let claimed = record.claimed_name_ref;
            // A name that is there under the claimed hash proves the claim; otherwise compute.
            let known = self.profile.find(record.name, claimed, record.hash);
            let name_ref = match known {
                Some(_) => claimed,
                None => NameRef::of(record.name),
            };
            let incoming = Incoming {
                name: record.name,
                name_ref,
                hash: record.hash,
                counters: record.counters,
                bitmap: Bitmap::Words(record.bitmap_words),
                values,
            };
            self.add_record(source, &incoming, weight);
        })?;
        let (traces, stream_size) = profile.traces()?;
        let limits = self.options.traces;
        self.profile.traces_mut().add(traces, stream_size, limits);
        let ids = profile.binary_ids()?.collect::<Result<Vec<_>>>()?;
        for id in ids {
            self.profile.add_binary_id(id);
        }
        Ok(())
    }

    fn add_text(&mut self, source: &str, text: &[u8], weight: u64) -> Result<(), Failure> {
        let mut profile = TextProfile::parse(text)?;
        if !self.join_kind(source, profile.header().kind) {
            return Ok(());
        }
        let header = profile.header();
        let (traces, stream_size) = (header.traces.clone(), header.trace_stream_size);
        let mut values = Values::default();
        let mut left_over: Vec<u8> = Vec::new();
        let result = loop {
            let record = match profile.next_record(&mut values) {
                Ok(Some(record)) => record,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            // LLVM does not clear a record's bitmap between records: what a record does not say
            // it has from the one before, unless that was moved into the profile.
            let bitmap = record.bitmap.unwrap_or(std::mem::take(&mut left_over));
            let incoming = Incoming {
                name: record.name,
                name_ref: NameRef::of(record.name),
                hash: record.hash,
                counters: Counters::Decoded(&record.counts),
                bitmap: Bitmap::Bytes(&bitmap),
                values: &values,
            };
            let was_known = self.add_record(source, &incoming, weight);
            if was_known {
                left_over = bitmap;
            }
        };
        let limits = self.options.traces;
        self.profile.traces_mut().add(traces, stream_size, limits);
        result
    }

    /// False if the file's kind does not fit; that is noted.
    fn join_kind(&mut self, source: &str, kind: ProfileKind) -> bool {
        let joined = self.profile.kind().join(kind);
        match joined {
            Some(kind) => self.profile.set_kind(kind),
            None => self.ledger.add(source, Cause::KindMismatch),
        }
        joined.is_some()
    }

    /// Merges one record; true if there was one of that name and hash already.
    fn add_record(&mut self, source: &str, incoming: &Incoming<'_>, weight: u64) -> bool {
        self.ledger.records += 1;
        let renamed = self.options.renamed.get(incoming.name);
        let (name, name_ref) = match renamed {
            Some(name) => (name.as_slice(), NameRef::of(name)),
            None => (incoming.name, incoming.name_ref),
        };
        let (counts, bitmap) = (incoming.counters.len(), incoming.bitmap.len());
        let known = self.profile.find(name, name_ref, incoming.hash);
        let (problem, wanted) = match known {
            Some(id) => {
                let stored = self.profile.record_mut(id);
                let wanted = (stored.counts.len(), stored.bitmap.len());
                (merge_record(stored, incoming, weight), wanted)
            }
            None => {
                let id = self.profile.insert(name, name_ref, incoming.hash, counts, bitmap);
                let stored = self.profile.record_mut(id);
                (first_record(stored, incoming, weight), (counts, bitmap))
            }
        };
        if let Some(problem) = problem {
            let function = printable(name);
            let cause = match problem {
                Problem::Counters => Cause::CounterMismatch {
                    function,
                    expected: wanted.0 as u64,
                    found: counts as u64,
                },
                Problem::Bitmap => Cause::BitmapMismatch {
                    function,
                    expected: wanted.1 as u64,
                    found: bitmap as u64,
                },
                Problem::Sites => Cause::ValueSiteMismatch { function },
                Problem::Overflow => Cause::CounterOverflow { function },
            };
            self.ledger.add(source, cause);
        }
        known.is_some()
    }
}

/// Why a file was not read to its end, and how many records it had announced by then.
struct Failure {
    error: Error,
    announced: Option<u64>,
}

impl Failure {
    fn new(error: Error) -> Self {
        Self {
            error,
            announced: None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

/// The first thing that was wrong with a record: LLVM reports no second.
#[derive(Clone, Copy)]
enum Problem {
    Counters,
    Bitmap,
    Sites,
    Overflow,
}

fn merge_record(
    stored: crate::profile::RecordMut<'_>,
    incoming: &Incoming<'_>,
    weight: u64,
) -> Option<Problem> {
    if stored.counts.len() != incoming.counters.len() {
        return Some(Problem::Counters);
    }
    if let Some(done) = merge_pseudo(stored.counts, incoming) {
        return done.err();
    }
    let mut overflowed = false;
    incoming.counters.zip_into(stored.counts, |slot, count| {
        let sum = slot.saturating_add(count.saturating_mul(weight));
        overflowed |= sum > MAX_COUNT;
        *slot = sum.min(MAX_COUNT);
    });
    let mut problem = overflowed.then_some(Problem::Overflow);
    if stored.bitmap.len() != incoming.bitmap.len() {
        return problem.or(Some(Problem::Bitmap));
    }
    incoming.bitmap.or_into(stored.bitmap);
    if stored.values.is_some() || !incoming.values.is_empty() {
        let outcome = Values::merge_into(stored.values, incoming.values, weight);
        problem = problem.or(value_problem(outcome));
    }
    problem
}

/// Marks instead of counts: two marks give the hotter one, a mark and counts do not fit. `None`
/// if neither is a mark.
fn merge_pseudo(stored: &mut [u64], incoming: &Incoming<'_>) -> Option<Result<(), Problem>> {
    let first = [incoming.counters.first().unwrap_or(0)];
    match (Pseudo::of(stored), Pseudo::of(&first)) {
        (None, None) => None,
        (Some(old), Some(new)) => {
            let hot = old == Pseudo::Hot || new == Pseudo::Hot;
            stored[0] = if hot { u64::MAX } else { u64::MAX - 1 };
            Some(Ok(()))
        }
        _ => Some(Err(Problem::Counters)),
    }
}

/// A record of a function that was not there: copied as it is, unless it is weighted.
fn first_record(
    stored: crate::profile::RecordMut<'_>,
    incoming: &Incoming<'_>,
    weight: u64,
) -> Option<Problem> {
    let mut overflowed = false;
    if weight == 1 {
        incoming.counters.zip_into(stored.counts, |slot, count| *slot = count);
    } else {
        incoming.counters.zip_into(stored.counts, |slot, count| {
            let product = count.saturating_mul(weight);
            overflowed |= product > MAX_COUNT;
            *slot = product.min(MAX_COUNT);
        });
    }
    incoming.bitmap.or_into(stored.bitmap);
    let (values, outcome) = incoming.values.first(weight);
    *stored.values = values;
    overflowed
        .then_some(Problem::Overflow)
        .or(value_problem(outcome))
}

fn value_problem(outcome: ValueOutcome) -> Option<Problem> {
    if outcome.site_count_mismatch {
        Some(Problem::Sites)
    } else {
        outcome.overflowed.then_some(Problem::Overflow)
    }
}

/// The first 8-byte counter that is too large to be true. One pass over all of them decides
/// that there is none.
fn suspicious_count(counters: &Counters<'_>) -> Option<u64> {
    let (Counters::Words(bytes, endian), words) = (counters, counters.len()) else {
        return None;
    };
    let all = bytes
        .as_chunks::<8>()
        .0
        .iter()
        .fold(0, |all, word| all | u64::from_ne_bytes(*word));
    let any_high = match endian {
        crate::bytes::Endian::Little => u64::from_le(all),
        crate::bytes::Endian::Big => u64::from_be(all),
    };
    if any_high < SUSPICIOUS_COUNTER {
        return None;
    }
    let mut decoded = vec![0; words];
    counters.zip_into(&mut decoded, |slot, count| *slot = count);
    decoded.into_iter().find(|&count| count > SUSPICIOUS_COUNTER)
}

#[cold]
fn correlated(profile: &RawProfile<'_>) -> Error {
    let header = profile.header();
    Error::new(
        ErrorKind::Correlated,
        "data records",
        None,
        "records and names in the profile",
        format_args!(
            "{} counters without them (built with -profile-correlate: they are in the debug info or the binary)",
            header.counter_count
        ),
    )
}

#[cold]
fn unreadable(kind: Option<FileKind>, bytes: &[u8]) -> Error {
    let found = match kind {
        Some(FileKind::MemProf) => "a memory profile".to_owned(),
        _ => format!("bytes {:02x?}", &bytes[..bytes.len().min(8)]),
    };
    Error::new(
        ErrorKind::UnrecognizedFormat,
        "magic",
        0,
        "a raw, indexed or text profile",
        found,
    )
}

/// A function's name for people.
fn printable(name: &[u8]) -> String {
    if name.is_empty() {
        return "(unnamed function)".to_owned();
    }
    name.escape_ascii().to_string()
}
