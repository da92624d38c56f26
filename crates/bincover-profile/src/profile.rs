//! The profile in memory: what a merge makes and what the writers take.

use std::collections::{BTreeSet, HashMap};

use crate::kind::ProfileKind;
use crate::names::{HashedMap, NameRef};
use crate::string_map::StringMap;
use crate::traces::Traces;
use crate::values::Values;

/// A function's structural hash: two records are the same function only if it agrees
/// (LLVM: `FuncHash`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionHash(pub u64);

impl FunctionHash {
    /// Bit 60, which marks context-sensitive records of IR profiles; hashes of front-end profiles
    /// use it like any other bit (LLVM: `NamedInstrProfRecord::hasCSFlagInHash`).
    #[must_use]
    pub fn has_context_bit(self) -> bool {
        self.0 >> 60 & 1 == 1
    }
}

/// Counters of functions by name and hash, merged from any number of files.
///
/// Counts of all functions lie in one array and names in another, so that a profile of a large
/// program is a handful of allocations.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    kind: ProfileKind,
    names: Vec<u8>,
    functions: Vec<NamedFunction>,
    by_name: HashedMap<NameRef, u32>,
    records: Vec<StoredRecord>,
    counts: Vec<u64>,
    bitmaps: Vec<u8>,
    binary_ids: BTreeSet<Box<[u8]>>,
    traces: Traces,
    vtable_names: StringMap,
}

/// A function's name and its records.
#[derive(Clone, Debug)]
struct NamedFunction {
    name: (usize, usize),
    name_ref: NameRef,
    first: u32,
    /// Present where a name has more than one hash.
    more: Option<Box<MoreRecords>>,
    /// The next function whose name has the same MD5, of which there is none in honest files.
    twin: Option<u32>,
}

#[derive(Clone, Debug, Default)]
struct MoreRecords {
    in_order: Vec<u32>,
    by_hash: HashMap<FunctionHash, u32>,
    last: LastHashes,
}

impl MoreRecords {
    fn add(&mut self, id: u32, hash: FunctionHash) {
        self.in_order.push(id);
        self.by_hash.insert(hash, id);
        self.last.note(hash);
    }
}

/// Of the hashes under a name, the last one without and the last one with the context bit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastHashes([Option<FunctionHash>; 2]);

impl LastHashes {
    pub(crate) fn note(&mut self, hash: FunctionHash) {
        self.0[usize::from(hash.has_context_bit())] = Some(hash);
    }

    /// The one whose context bit is as that of `hash`.
    pub(crate) fn like(self, hash: FunctionHash) -> Option<FunctionHash> {
        self.0[usize::from(hash.has_context_bit())]
    }
}

#[derive(Clone, Debug)]
struct StoredRecord {
    /// Index of its name.
    function: u32,
    hash: FunctionHash,
    counts: (usize, usize),
    bitmap: (usize, usize),
    values: Option<Box<Values>>,
}

/// Names a record of a [`Profile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(u32);

/// Some of a profile's records, all that have neighbouring numbers.
#[derive(Debug)]
pub(crate) struct RecordsMut<'p> {
    first: RecordId,
    records: &'p mut [StoredRecord],
    counts: (usize, &'p mut [u64]),
    bitmaps: (usize, &'p mut [u8]),
}

impl RecordsMut<'_> {
    /// # Panics
    /// If it is not among them.
    pub(crate) fn record_mut(&mut self, id: RecordId) -> RecordMut<'_> {
        let record = &mut self.records[(id.0 - self.first.0) as usize];
        let ((counts_start, counts), (bitmaps_start, bitmaps)) =
            (&mut self.counts, &mut self.bitmaps);
        let within = |(start, end): (usize, usize), first: usize| start - first..end - first;
        RecordMut {
            counts: &mut counts[within(record.counts, *counts_start)],
            bitmap: &mut bitmaps[within(record.bitmap, *bitmaps_start)],
            values: &mut record.values,
        }
    }
}

/// Names a function of a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionId(u32);

/// One record of a profile: a function of one structural hash (LLVM: `NamedInstrProfRecord`).
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The function's name; empty if the profile did not hold it.
    pub name: &'a [u8],
    /// The name's hash.
    pub name_ref: NameRef,
    /// The function's hash.
    pub hash: FunctionHash,
    /// Counters (LLVM: `Counts`).
    pub counts: &'a [u64],
    /// MC/DC test vectors seen, one bit each (LLVM: `BitmapBytes`).
    pub bitmap: &'a [u8],
    /// Value sites, if the function has any.
    pub values: Option<&'a Values>,
}

/// The three parts of a stored record that a merge changes.
pub(crate) struct RecordMut<'a> {
    pub(crate) counts: &'a mut [u64],
    pub(crate) bitmap: &'a mut [u8],
    pub(crate) values: &'a mut Option<Box<Values>>,
}

/// What marks a function hot or warm without counts (LLVM: `CountPseudoKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Warm,
    Hot,
}

impl Pseudo {
    pub(crate) fn of(counts: &[u64]) -> Option<Self> {
        match counts.first() {
            Some(&u64::MAX) => Some(Self::Hot),
            Some(&value) if value == u64::MAX - 1 => Some(Self::Warm),
            _ => None,
        }
    }
}

impl Profile {
    /// What the counters mean.
    #[must_use]
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// How many different function names there are.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// How many records there are: one for each name and hash.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// All records: names in order of first appearance, and under a name its hashes likewise.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.functions
            .iter()
            .flat_map(move |function| self.records_of(function))
    }

    /// The records under a name, in order of first appearance.
    pub fn lookup(&self, name_ref: NameRef) -> impl Iterator<Item = Record<'_>> {
        let mut next = self.by_name.get(&name_ref).copied();
        std::iter::from_fn(move || {
            let function = &self.functions[next? as usize];
            next = function.twin;
            Some(function)
        })
        .flat_map(move |function| self.records_of(function))
    }

    /// The record of a name, whose hash is `name_ref`, and a hash. However many records the name has, finding
    /// it takes the same time.
    #[must_use]
    pub fn record(&self, name: &[u8], name_ref: NameRef, hash: FunctionHash) -> Option<Record<'_>> {
        let RecordId(id) = self.find(name, name_ref, hash)?;
        let function = &self.functions[self.records[id as usize].function as usize];
        Some(self.record_of(function, id))
    }

    /// Of the hashes under a name, whose hash is `name_ref`, the last one whose context bit is as that of `hash`.
    #[must_use]
    pub fn last_hash(
        &self,
        name: &[u8],
        name_ref: NameRef,
        hash: FunctionHash,
    ) -> Option<FunctionHash> {
        let function = &self.functions[self.find_function(name, name_ref)? as usize];
        let last = match &function.more {
            Some(more) => more.last,
            None => {
                let mut only = LastHashes::default();
                only.note(self.records[function.first as usize].hash);
                only
            }
        };
        last.like(hash)
    }

    /// Keeps the functions whose names are wanted, and forgets the others.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(&[u8]) -> bool) {
        let mut kept = Self {
            kind: self.kind,
            binary_ids: std::mem::take(&mut self.binary_ids),
            traces: std::mem::take(&mut self.traces),
            vtable_names: std::mem::take(&mut self.vtable_names),
            ..Self::default()
        };
        for record in self.records().filter(|record| is_wanted(record.name)) {
            let (counts, bitmap) = (record.counts.len(), record.bitmap.len());
            let id = kept.insert(record.name, record.name_ref, record.hash, counts, bitmap);
            let stored = kept.record_mut(id);
            stored.counts.copy_from_slice(record.counts);
            stored.bitmap.copy_from_slice(record.bitmap);
            *stored.values = record.values.cloned().map(Box::new);
        }
        *self = kept;
    }

    /// The build ids of the binaries that made the profile, sorted, each once (LLVM: binary ids).
    pub fn binary_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.binary_ids.iter().map(AsRef::as_ref)
    }

    /// In which order functions were first entered, if the profile is a temporal one.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// The names of vtables that were kept, in the order in which they are written.
    pub fn vtable_names(&self) -> impl Iterator<Item = &[u8]> {
        self.vtable_names.iter()
    }

    pub(crate) fn add_vtable_name(&mut self, name: &[u8]) {
        self.vtable_names.insert(name);
    }

    pub(crate) fn traces_mut(&mut self) -> &mut Traces {
        &mut self.traces
    }

    fn records_of<'a>(&'a self, function: &'a NamedFunction) -> impl Iterator<Item = Record<'a>> {
        let ids: &[u32] = match &function.more {
            Some(more) => &more.in_order,
            None => std::slice::from_ref(&function.first),
        };
        ids.iter().map(move |&id| self.record_of(function, id))
    }

    fn record_of<'a>(&'a self, function: &'a NamedFunction, id: u32) -> Record<'a> {
        let record = &self.records[id as usize];
        Record {
            name: &self.names[function.name.0..function.name.1],
            name_ref: function.name_ref,
            hash: record.hash,
            counts: &self.counts[record.counts.0..record.counts.1],
            bitmap: &self.bitmaps[record.bitmap.0..record.bitmap.1],
            values: record.values.as_deref(),
        }
    }

    /// The functions, for the writers.
    pub(crate) fn functions(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..index(self.functions.len())).map(FunctionId)
    }

    /// The name of a function and its hash.
    pub(crate) fn name_of(&self, id: FunctionId) -> (&[u8], NameRef) {
        let function = &self.functions[id.0 as usize];
        let name = &self.names[function.name.0..function.name.1];
        (name, function.name_ref)
    }

    /// The records of a function, in order of first appearance.
    pub(crate) fn records_under(&self, id: FunctionId) -> impl Iterator<Item = Record<'_>> {
        self.records_of(&self.functions[id.0 as usize])
    }

    /// How many counters all records have.
    pub(crate) fn count_total(&self) -> usize {
        self.counts.len()
    }

    pub(crate) fn set_kind(&mut self, kind: ProfileKind) {
        self.kind = kind;
    }

    pub(crate) fn add_binary_id(&mut self, id: &[u8]) {
        if !self.binary_ids.contains(id) {
            self.binary_ids.insert(id.into());
        }
    }

    /// The record of this name and hash, if it is there.
    pub(crate) fn find(
        &self,
        name: &[u8],
        name_ref: NameRef,
        hash: FunctionHash,
    ) -> Option<RecordId> {
        let function = &self.functions[self.find_function(name, name_ref)? as usize];
        let id = match &function.more {
            Some(more) => *more.by_hash.get(&hash)?,
            None => function.first,
        };
        (self.records[id as usize].hash == hash).then_some(RecordId(id))
    }

    /// The record that was inserted after `last`, if it is the one of this name and hash: files
    /// of one binary have their records in one order.
    pub(crate) fn find_after(
        &self,
        last: RecordId,
        name: &[u8],
        name_ref: NameRef,
        hash: FunctionHash,
    ) -> Option<RecordId> {
        let id = last.0.wrapping_add(1);
        let record = self.records.get(id as usize)?;
        let function = &self.functions[record.function as usize];
        let is_the_one = record.hash == hash
            && function.name_ref == name_ref
            && &self.names[function.name.0..function.name.1] == name;
        is_the_one.then_some(RecordId(id))
    }

    fn find_function(&self, name: &[u8], name_ref: NameRef) -> Option<u32> {
        let mut next = self.by_name.get(&name_ref).copied();
        while let Some(index) = next {
            let function = &self.functions[index as usize];
            if &self.names[function.name.0..function.name.1] == name {
                return Some(index);
            }
            next = function.twin;
        }
        None
    }

    /// The name of the function that a record is of.
    pub(crate) fn function_name(&self, id: RecordId) -> &[u8] {
        self.name_of(FunctionId(self.records[id.0 as usize].function))
            .0
    }

    /// Adds a record whose name and hash are not there yet, with zeroed counts and bitmap.
    pub(crate) fn insert(
        &mut self,
        name: &[u8],
        name_ref: NameRef,
        hash: FunctionHash,
        counts: usize,
        bitmap_bytes: usize,
    ) -> RecordId {
        let id = index(self.records.len());
        let counts_start = self.counts.len();
        self.counts.resize(counts_start + counts, 0);
        let bitmap_start = self.bitmaps.len();
        self.bitmaps.resize(bitmap_start + bitmap_bytes, 0);
        let function = match self.find_function(name, name_ref) {
            Some(function) => {
                self.attach(function, id, hash);
                function
            }
            None => self.add_function(name, name_ref, id),
        };
        self.records.push(StoredRecord {
            function,
            hash,
            counts: (counts_start, self.counts.len()),
            bitmap: (bitmap_start, self.bitmaps.len()),
            values: None,
        });
        RecordId(id)
    }

    fn attach(&mut self, function: u32, id: u32, hash: FunctionHash) {
        let function = &mut self.functions[function as usize];
        let first = function.first;
        let first_hash = self.records[first as usize].hash;
        let more = function.more.get_or_insert_with(|| {
            let mut more = MoreRecords::default();
            more.add(first, first_hash);
            Box::new(more)
        });
        more.add(id, hash);
    }

    fn add_function(&mut self, name: &[u8], name_ref: NameRef, first: u32) -> u32 {
        let start = self.names.len();
        self.names.extend_from_slice(name);
        let function = index(self.functions.len());
        let twin = self.by_name.insert(name_ref, function);
        self.functions.push(NamedFunction {
            name: (start, self.names.len()),
            name_ref,
            first,
            more: None,
            twin,
        });
        function
    }

    /// Ranks the values of all value sites, as they are when a merge is over.
    pub(crate) fn settle_values(&mut self) {
        for values in self
            .records
            .iter_mut()
            .filter_map(|record| record.values.as_mut())
        {
            values.settle();
        }
    }

    /// All records, cut before each of these, which must ascend.
    pub(crate) fn split(&mut self, cuts: &[RecordId]) -> Vec<RecordsMut<'_>> {
        let mut parts = Vec::with_capacity(cuts.len() + 1);
        let (mut records, mut counts) = (&mut self.records[..], &mut self.counts[..]);
        let mut bitmaps = &mut self.bitmaps[..];
        let (mut first, mut counts_start, mut bitmaps_start) = (0, 0, 0);
        let ends = cuts.iter().map(|cut| cut.0 as usize);
        for end in ends.chain([records.len()]) {
            let (head, tail) = records.split_at_mut(end - first);
            // What a record has lies after what the records before it have.
            let (counts_end, bitmaps_end) = match tail.first() {
                Some(next) => (next.counts.0, next.bitmap.0),
                None => (counts_start + counts.len(), bitmaps_start + bitmaps.len()),
            };
            let of_counts = counts.split_at_mut(counts_end - counts_start);
            let of_bitmaps = bitmaps.split_at_mut(bitmaps_end - bitmaps_start);
            parts.push(RecordsMut {
                first: RecordId(index(first)),
                records: head,
                counts: (counts_start, of_counts.0),
                bitmaps: (bitmaps_start, of_bitmaps.0),
            });
            (records, counts, bitmaps) = (tail, of_counts.1, of_bitmaps.1);
            (first, counts_start, bitmaps_start) = (end, counts_end, bitmaps_end);
        }
        parts
    }

    pub(crate) fn record_mut(&mut self, id: RecordId) -> RecordMut<'_> {
        let record = &mut self.records[id.0 as usize];
        RecordMut {
            counts: &mut self.counts[record.counts.0..record.counts.1],
            bitmap: &mut self.bitmaps[record.bitmap.0..record.bitmap.1],
            values: &mut record.values,
        }
    }
}

/// A record needs at least 8 bytes of counters, so 2^32 of them are 32 GiB.
fn index(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 records fit in memory")
}
