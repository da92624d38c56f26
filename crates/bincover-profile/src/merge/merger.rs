//! Adds files to a profile, one after another.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::error::{ErrorKind, Result};
use crate::kind::{FileKind, ProfileKind};
use crate::limits::{MAX_COUNT, SUSPICIOUS_COUNTER};
use crate::merge::sums::{Sums, all_bits};
use crate::merge::{Cause, Ledger};
use crate::names::{NameRef, NameTable};
use crate::profile::{Profile, Pseudo, RecordId, RecordMut};
use crate::raw::{Counters, Frame, Functions, Spot};
use crate::read::{Bitmap, FileRecord, ReadError, Reader, Visitor};
use crate::salvage::Salvaged;
use crate::string_map::StringMap;
use crate::traces::{Trace, TraceLimits};
use crate::values::{Scratch, ValueOutcome, Values};

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
    /// Take a correlated profile, whose records are elsewhere, for an empty one, as llvm-profdata
    /// does; else it is left out with an entry in the ledger.
    pub accept_correlated: bool,
    /// Keep the names of vtables (LLVM: `--keep-vtable-symbols`).
    pub keep_vtable_names: bool,
}

impl MergeOptions {
    /// The name under which a function is merged.
    pub(super) fn renamed<'n>(&'n self, name: &'n [u8], name_ref: NameRef) -> (&'n [u8], NameRef) {
        match self.renamed.get(name) {
            Some(name) => (name, NameRef::of(name)),
            None => (name, name_ref),
        }
    }
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
    pub(super) profile: Profile,
    pub(super) ledger: Ledger,
    pub(super) options: MergeOptions,
    pub(super) reader: Reader,
    scratch: Scratch,
    /// The record that was merged last.
    last: RecordId,
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
        let reader = match options.accept_correlated {
            true => Reader::accepting_correlated(),
            false => Reader::default(),
        };
        Self {
            options,
            reader,
            ..Self::default()
        }
    }

    /// Adds the contents of one file, each count multiplied by `weight`. `source` names the file
    /// in the ledger, where all that is wrong with it ends up.
    pub fn add(&mut self, source: &str, bytes: &[u8], weight: NonZeroU64) {
        self.ledger.inputs += 1;
        let before = self.ledger.records;
        let noted = self.ledger.entries.len();
        let read = |reader: &mut Reader, input: &mut Input<'_>| reader.read(bytes, input);
        if let Err(failed) = self.reading(source, weight, read) {
            self.note_failure(source, failed, before);
        }
        let is_failed = self.ledger.entries[noted..]
            .iter()
            .any(|entry| entry.cause.is_error());
        self.ledger.failed += u64::from(is_failed);
    }

    /// Makes room for the functions of a binary at this place in the order of the files, with no
    /// counts yet; those come as [sums](Merger::add_sums). `names` are the functions'. `None` if its
    /// files have to be added one by one, because something of each is to be left out.
    ///
    /// When the files are added in that way, the profile is the same as if each had been added at
    /// its place, as long as no count overflows (see [`Merger::add_sums`]) and the profile's kind
    /// still takes them in the end (see [`Merger::still_takes`]). One thing is left to the caller:
    /// the names are not kept for files that have lost theirs (see [`Merger::learn_names_of`]).
    pub fn add_frame(
        &mut self,
        frame: &Frame,
        functions: &Functions,
        names: &NameTable,
    ) -> Option<Anchor> {
        let kind = self.profile.kind().join(frame.kind())?;
        // With flags that exclude each other a file does not go with its like.
        if kind.join(frame.kind()) != Some(kind) {
            return None;
        }
        self.profile.set_kind(kind);
        let mut places = Vec::with_capacity(functions.spots().len());
        for spot in functions.spots() {
            let (name, name_ref) = match names.get(spot.name) {
                Some(name) => (name, spot.name),
                None => (&b""[..], NameRef::of(b"")),
            };
            places.push(Anchored {
                record: self.place_of(name, name_ref, spot)?,
                counters: spot.counters.start,
                bitmap: spot.bitmap.start,
            });
        }
        for id in frame.binary_ids() {
            self.profile.add_binary_id(id);
        }
        Some(Anchor(places.into()))
    }

    /// Where the counts of a function belong; `None` if those that are there do not fit.
    fn place_of(&mut self, name: &[u8], name_ref: NameRef, spot: &Spot) -> Option<RecordId> {
        let (name, name_ref) = self.options.renamed(name, name_ref);
        let after = self
            .profile
            .find_after(self.last, name, name_ref, spot.hash);
        let known = after.or_else(|| self.profile.find(name, name_ref, spot.hash));
        let (counts, bitmap) = (spot.counters.len(), spot.bitmap.len());
        let id = known.unwrap_or_else(|| {
            self.profile
                .insert(name, name_ref, spot.hash, counts, bitmap)
        });
        self.last = id;
        let stored = self.profile.record_mut(id);
        let fits = stored.counts.len() == counts
            && stored.bitmap.len() == bitmap
            && stored.values.is_none()
            && Pseudo::of(stored.counts).is_none();
        fits.then_some(id)
    }

    /// Adds the sums of files whose binary was [announced](Merger::add_frame) before. True if no
    /// count reached its bound: else the files' order decides what is said of which, and the
    /// profile should be made again, file by file.
    #[must_use]
    pub fn add_sums(&mut self, frame: &Frame, anchor: &Anchor, sums: &Sums) -> bool {
        let mut is_exact = true;
        if sums.files == 0 {
            return is_exact;
        }
        for place in &anchor.0 {
            let stored = self.profile.record_mut(place.record);
            // The function lies inside its frame's sections, and has as many counters as stored.
            let counts = &sums.counts[place.counters as usize..];
            for (slot, count) in stored.counts.iter_mut().zip(counts) {
                let sum = slot.saturating_add(*count);
                is_exact &= sum <= MAX_COUNT;
                *slot = sum.min(MAX_COUNT);
            }
            let bitmap = &sums.bitmaps[place.bitmap as usize..];
            for (slot, byte) in stored.bitmap.iter_mut().zip(bitmap) {
                *slot |= byte;
            }
        }
        self.ledger.inputs += sums.files;
        self.ledger.records += sums.files * frame.record_count();
        is_exact
    }

    /// Files of a kind that was added before could still be added: nothing that came since has
    /// changed what the profile counts.
    #[must_use]
    pub fn still_takes(&self, kind: ProfileKind) -> bool {
        let merged = self.profile.kind();
        merged.join(kind) == Some(merged)
    }

    fn note_failure(&mut self, source: &str, failed: ReadError, before: u64) {
        let ReadError { error, announced } = failed;
        let kept = self.ledger.records - before;
        let cause = match error.kind() {
            ErrorKind::Empty => Cause::Empty,
            _ if kept == 0 => Cause::Unreadable(error),
            _ => Cause::Damaged {
                error,
                kept,
                announced,
                lost: Vec::new(),
            },
        };
        self.ledger.add(source, cause);
    }

    /// A file of which [`Merger::add`] could use nothing, and that may still be
    /// [salvaged](Merger::salvage) once more names are known: the last entry of the ledger is the
    /// file's, and it is a raw profile that ends too early.
    #[must_use]
    pub fn may_be_salvaged(&self, bytes: &[u8]) -> bool {
        let is_raw = matches!(FileKind::sniff(bytes), Some(FileKind::Raw { .. }));
        let last = self.ledger.entries.last().map(|entry| &entry.cause);
        is_raw && matches!(last, Some(Cause::Unreadable(error)) if error.is_cut())
    }

    /// Makes the names of a binary known, for its profiles that have lost theirs. Those of
    /// profiles that were [added](Merger::add) are known.
    pub fn learn_names(&mut self, build_id: &[u8], names: Arc<NameTable>) {
        self.reader.learn_names(build_id, names);
    }

    /// Makes the names known that a raw profile holds, as [`Merger::learn_names`] does.
    pub fn learn_names_of(&mut self, bytes: &[u8]) {
        self.reader.learn_names_of(bytes);
    }

    /// Merges what can be saved of a file that was added before in vain; its entry in the ledger
    /// then says what was kept and what was lost.
    pub fn salvage(&mut self, source: &str, bytes: &[u8], weight: NonZeroU64) {
        let before = self.ledger.records;
        let salvage = |reader: &mut Reader, input: &mut Input<'_>| reader.salvage(bytes, input);
        let result = self.reading(source, weight, salvage);
        let Ok(Salvaged {
            error,
            announced,
            lost,
            names,
        }) = result
        else {
            return;
        };
        let lost = lost
            .into_iter()
            .map(|name| printable(names.get(name).unwrap_or_default()));
        let cause = Cause::Damaged {
            error,
            kept: self.ledger.records - before,
            announced: Some(announced),
            lost: lost.collect(),
        };
        self.ledger.replace(source, cause);
    }

    fn reading<T>(
        &mut self,
        source: &str,
        weight: NonZeroU64,
        read: impl FnOnce(&mut Reader, &mut Input<'_>) -> T,
    ) -> T {
        let mut reader = std::mem::take(&mut self.reader);
        let weight = weight.get();
        let mut input = Input {
            merger: self,
            source,
            weight,
            is_suspicious: false,
            vtable_names: StringMap::default(),
        };
        let result = read(&mut reader, &mut input);
        let vtable_names = input.vtable_names;
        for name in vtable_names.iter() {
            self.profile.add_vtable_name(name);
        }
        self.reader = reader;
        result
    }

    /// Notes an input whose bytes could not be had; `reason` says why.
    pub fn add_failure(&mut self, source: &str, reason: std::io::Error) {
        self.ledger.inputs += 1;
        self.ledger.failed += 1;
        self.ledger.add(source, Cause::Inaccessible(reason));
    }

    /// The account so far.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The merged profile and the account of what was left out.
    #[must_use]
    pub fn finish(mut self) -> Merged {
        self.profile.settle_values();
        Merged {
            profile: self.profile,
            ledger: self.ledger,
        }
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
    fn add_record(&mut self, source: &str, incoming: &FileRecord<'_>, weight: u64) -> bool {
        self.ledger.records += 1;
        let (name, mut name_ref) = self.options.renamed(incoming.name, incoming.name_ref);
        let (counts, bitmap) = (incoming.counters.len(), incoming.bitmap.len());
        let after = self
            .profile
            .find_after(self.last, name, name_ref, incoming.hash);
        let mut known = after.or_else(|| self.profile.find(name, name_ref, incoming.hash));
        if known.is_none() && !incoming.is_proven {
            // The claimed hash is unknown with this name: new, or a lie. The true one decides.
            let claimed = std::mem::replace(&mut name_ref, NameRef::of(name));
            if name_ref != claimed {
                known = self.profile.find(name, name_ref, incoming.hash);
            }
        }
        let (id, problem, wanted) = match known {
            Some(id) => {
                let stored = self.profile.record_mut(id);
                let wanted = (stored.counts.len(), stored.bitmap.len());
                let problem = merge_record(stored, &incoming.addend(), weight, &mut self.scratch);
                (id, problem, wanted)
            }
            None => {
                let id = self
                    .profile
                    .insert(name, name_ref, incoming.hash, counts, bitmap);
                let stored = self.profile.record_mut(id);
                (
                    id,
                    first_record(stored, &incoming.addend(), weight),
                    (counts, bitmap),
                )
            }
        };
        if let Some(problem) = problem {
            let cause = problem.cause(name, wanted, (counts, bitmap));
            self.ledger.add(source, cause);
        }
        self.last = id;
        known.is_some()
    }
}

/// Where the records of a binary are in a profile, for the sums of its runs. It belongs to the
/// merger that gave it.
#[derive(Clone, Debug)]
pub struct Anchor(Box<[Anchored]>);

/// A record of the profile, and where its counters and bitmap begin in the sections of a file.
#[derive(Clone, Copy, Debug)]
struct Anchored {
    record: RecordId,
    counters: u32,
    bitmap: u32,
}

impl Anchor {
    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.len() * size_of::<Anchored>()
    }
}

/// One file being merged.
struct Input<'m> {
    merger: &'m mut Merger,
    source: &'m str,
    weight: u64,
    /// A count was too large; LLVM says so once a file.
    is_suspicious: bool,
    /// The file's vtables; LLVM goes through them in the order of a map of their own.
    vtable_names: StringMap,
}

impl Visitor for Input<'_> {
    fn file(&mut self, kind: ProfileKind, _version: u64) -> bool {
        self.merger.join_kind(self.source, kind)
    }

    fn record(&mut self, record: &FileRecord<'_>) -> bool {
        if record.is_raw
            && !self.is_suspicious
            && let Some(count) = suspicious_count(&record.counters)
        {
            self.is_suspicious = true;
            let function = printable(record.name);
            let cause = Cause::SuspiciousCounter { function, count };
            self.merger.ledger.add(self.source, cause);
        }
        self.merger.add_record(self.source, record, self.weight)
    }

    fn traces(&mut self, mut traces: Vec<Trace>, stream_size: u64, has_weights: bool) {
        if !has_weights {
            for trace in &mut traces {
                trace.weight = self.weight;
            }
        }
        let limits = self.merger.options.traces;
        self.merger
            .profile
            .traces_mut()
            .add(traces, stream_size, limits);
    }

    fn vtable_name(&mut self, name: &[u8]) {
        if self.merger.options.keep_vtable_names {
            self.vtable_names.insert(name);
        }
    }

    fn binary_id(&mut self, id: &[u8]) {
        self.merger.profile.add_binary_id(id);
    }
}

/// What a record has, whosever it is.
pub(super) struct Addend<'a> {
    pub(super) counters: Counters<'a>,
    pub(super) bitmap: Bitmap<'a>,
    pub(super) values: &'a Values,
}

impl<'a> FileRecord<'a> {
    fn addend(&self) -> Addend<'a> {
        Addend {
            counters: self.counters,
            bitmap: self.bitmap,
            values: self.values,
        }
    }
}

/// The first thing that was wrong with a record: LLVM reports no second.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem {
    Counters,
    Bitmap,
    Sites,
    Overflow,
}

impl Problem {
    /// Of a function: how many counters and bitmap bytes it has, and its record had.
    pub(super) fn cause(self, name: &[u8], wanted: (usize, usize), found: (usize, usize)) -> Cause {
        let function = printable(name);
        match self {
            Self::Counters => Cause::CounterMismatch {
                function,
                expected: wanted.0 as u64,
                found: found.0 as u64,
            },
            Self::Bitmap => Cause::BitmapMismatch {
                function,
                expected: wanted.1 as u64,
                found: found.1 as u64,
            },
            Self::Sites => Cause::ValueSiteMismatch { function },
            Self::Overflow => Cause::CounterOverflow { function },
        }
    }
}

pub(super) fn merge_record(
    stored: RecordMut<'_>,
    incoming: &Addend<'_>,
    weight: u64,
    scratch: &mut Scratch,
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
        let outcome = Values::merge_into(stored.values, incoming.values, weight, scratch);
        problem = problem.or(value_problem(outcome));
    }
    problem
}

/// Marks instead of counts: two marks give the hotter one, a mark and counts do not fit. `None`
/// if neither is a mark.
fn merge_pseudo(stored: &mut [u64], incoming: &Addend<'_>) -> Option<Result<(), Problem>> {
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
fn first_record(stored: RecordMut<'_>, incoming: &Addend<'_>, weight: u64) -> Option<Problem> {
    let mut overflowed = false;
    if weight == 1 {
        incoming
            .counters
            .zip_into(stored.counts, |slot, count| *slot = count);
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
    if !matches!(counters, Counters::Words(..)) || all_bits(counters) < SUSPICIOUS_COUNTER {
        return None;
    }
    let mut decoded = vec![0; counters.len()];
    counters.zip_into(&mut decoded, |slot, count| *slot = count);
    decoded
        .into_iter()
        .find(|&count| count > SUSPICIOUS_COUNTER)
}

/// A function's name for people.
fn printable(name: &[u8]) -> String {
    if name.is_empty() {
        return "(unnamed function)".to_owned();
    }
    name.escape_ascii().to_string()
}
