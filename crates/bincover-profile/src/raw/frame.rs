//! What the raw profiles of one build of a program have in common, so that of all but the first
//! only the counters need to be read.
//!
//! Two runs of one binary differ in their counters and bitmaps, in two header fields that hold
//! addresses (LLVM: `NamesDelta`, and `BitmapDelta` if there are no bitmaps), in the addresses of
//! functions with value sites, and in value data. [`Frame`] is the rest, checked once. Indexed
//! profiles of the same functions are alike in the same way, so there are frames of them, too.

use std::ops::Range;

use crate::bytes::Endian;
use crate::indexed::{IndexedHeader, IndexedProfile, IndexedRecord};
use crate::kind::ProfileKind;
use crate::names::{NameRef, NameTable};
use crate::profile::FunctionHash;
use crate::raw::header::RawHeader;
use crate::raw::reader::RawProfile;
use crate::raw::record::{Counters, RawRecord};
use crate::values::Values;

/// What stands at the start of a raw profile and is the same in each run of its binary: the header
/// without addresses, and the build ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Box<[u8]>);

impl Identity {
    /// How many bytes of a profile are enough to find its identity, if its build ids are of an
    /// ordinary size.
    pub const HEAD_BYTES: usize = 512;

    /// The identity of the raw profile that begins with `head`. `None` if it is no raw profile of
    /// a known version, or its build ids do not end in `head`.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let header = RawHeader::parse(head, 0).ok()?;
        let ids = header.binary_ids(head.len() as u64, 0).ok()?;
        let mut bytes: Box<[u8]> = head[..ids.end].into();
        for at in header.addresses() {
            bytes[at..at + 8].fill(0);
        }
        Some(Self(bytes))
    }

    /// The identity of the indexed profile that begins with `head`: its header, and the sizes of its
    /// summary. Profiles of the same functions have the same.
    #[must_use]
    pub fn of_indexed(head: &[u8]) -> Option<Self> {
        let layout = IndexedHeader::parse(head).ok()?.layout;
        let header = usize::try_from(layout.header_bytes).ok()?;
        let sizes = if layout.summary { 16 } else { 0 };
        Some(Self(head.get(..header + sizes)?.into()))
    }

    /// It as bytes, by which it can be found again.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A profile without its run: where the counters lie. Whose they are is said by its
/// [`Functions`].
#[derive(Clone, Debug)]
pub struct Frame {
    identity: Identity,
    file_bytes: u64,
    kind: ProfileKind,
    endian: Endian,
    /// 8 or 1.
    counter_bytes: usize,
    /// Where the counters lie in the part that is read of a sibling.
    counters: Range<usize>,
    /// Where the bitmaps lie in it.
    bitmaps: Range<usize>,
    part: Range<u64>,
    /// Where there is no build id, what comes before the counters in that part, and what comes
    /// after the bitmaps.
    shared: Option<[Box<[u8]>; 2]>,
    /// Where counters do not lie one after another.
    scattered: Option<Scattered>,
    record_count: u64,
    binary_ids: Vec<Box<[u8]>>,
}

/// An indexed profile has each function's counters behind its name.
#[derive(Clone, Debug)]
struct Scattered {
    /// The part of the first file; all but counters and bitmaps is the same in its siblings.
    like: Box<[u8]>,
    places: Box<[Place]>,
}

/// Where a record's counters begin in the part; they are followed by the number of bitmap bytes, if
/// there are any, and these, each as a word.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u32,
    counters: u32,
    bitmap: u32,
}

/// The functions that a frame's counters belong to.
#[derive(Clone, Debug)]
pub struct Functions(Box<[Spot]>);

/// A record: whose it is, and where its counters and bitmap lie, as indices into the two sections.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) name: NameRef,
    pub(crate) hash: FunctionHash,
    pub(crate) counters: Range<u32>,
    pub(crate) bitmap: Range<u32>,
    pub(crate) has_values: bool,
}

impl Frame {
    /// Checks a whole file. `None` if files like it cannot simply be added up: it is damaged, or
    /// holds several profiles, or value data or time stamps, which differ from run to run in more
    /// than counts.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<(Self, Functions)> {
        let identity = Identity::of(file)?;
        let profile = RawProfile::parse(file, 0).ok()?;
        let (header, sections) = (profile.header(), profile.sections());
        let is_temporal = header.kind.contains(ProfileKind::TEMPORAL);
        let has_vtables = header.vtable_count > 0 || header.vtable_name_bytes > 0;
        let is_whole = file.len() == sections.end;
        if is_temporal || has_vtables || header.is_correlated() || !is_whole {
            return None;
        }
        let counter_bytes = usize::try_from(header.counter_bytes()).ok()?;
        let functions = Functions::of(&profile)?;
        if functions.0.iter().any(|spot| spot.has_values) {
            return None;
        }
        let (counters, bitmaps) = (sections.counters.clone(), sections.bitmaps.clone());
        let has_build_id = !sections.binary_ids.is_empty();
        let part = match has_build_id {
            true => counters.start..bitmaps.end,
            false => sections.records.start..file.len(),
        };
        let within = |range: &Range<usize>| range.start - part.start..range.end - part.start;
        let frame = Self {
            identity,
            file_bytes: file.len() as u64,
            kind: header.kind,
            endian: header.layout.endian,
            counter_bytes,
            counters: within(&counters),
            bitmaps: within(&bitmaps),
            shared: (!has_build_id).then(|| {
                [
                    file[part.start..counters.start].into(),
                    file[bitmaps.end..].into(),
                ]
            }),
            scattered: None,
            part: part.start as u64..part.end as u64,
            record_count: header.record_count,
            binary_ids: profile
                .binary_ids()
                .map(|id| id.ok().map(Box::from))
                .collect::<Option<_>>()?,
        };
        Some((frame, functions))
    }

    /// Checks a whole indexed profile; the names of its functions come with it. `None` if files like
    /// it cannot simply be added up: it is damaged, or holds value data, traces or names of vtables.
    #[must_use]
    pub fn of_indexed<'f>(file: &'f [u8]) -> Option<(Self, Functions, NameTable)> {
        let identity = Identity::of_indexed(file)?;
        let profile = IndexedProfile::parse(file).ok()?;
        let header = profile.header();
        let is_odd = header.kind.contains(ProfileKind::TEMPORAL)
            || header.kind.contains(ProfileKind::CONTEXT_SENSITIVE);
        if is_odd || !profile.vtable_names().ok()?.is_empty() {
            return None;
        }
        let start = usize::try_from(profile.payload_start()).ok()?;
        let part = file.get(start..)?;
        let mut names = Vec::new();
        let mut spots = Vec::new();
        let mut places = Vec::new();
        let (mut counter_count, mut bitmap_bytes) = (0u32, 0u32);
        let mut is_plain = true;
        let mut take = |record: &IndexedRecord<'f>, values: &Values| {
            let place = Place {
                at: u32::try_from(record.counters_at - start as u64).ok()?,
                counters: u32::try_from(record.counters.len()).ok()?,
                bitmap: u32::try_from(record.bitmap_words.len() / 8).ok()?,
            };
            let counters = counter_count..counter_count.checked_add(place.counters)?;
            let bitmap = bitmap_bytes..bitmap_bytes.checked_add(place.bitmap)?;
            (counter_count, bitmap_bytes) = (counters.end, bitmap.end);
            names.push(record.name);
            places.push(place);
            spots.push(Spot {
                name: NameRef::default(),
                hash: record.hash,
                counters,
                bitmap,
                has_values: false,
            });
            values.is_empty().then_some(())
        };
        let visit = |record: IndexedRecord<'f>, values: &Values| {
            is_plain &= take(&record, values).is_some();
        };
        profile.for_each(&mut Values::default(), visit).ok()?;
        let binary_ids = profile.binary_ids().ok()?;
        let binary_ids = binary_ids.map(|id| id.ok().map(Box::from));
        let binary_ids = binary_ids.collect::<Option<_>>()?;
        if !is_plain {
            return None;
        }
        let (table, name_refs) = NameTable::of(&names)?;
        for (spot, name_ref) in spots.iter_mut().zip(name_refs) {
            spot.name = name_ref;
        }
        let frame = Self {
            identity,
            file_bytes: file.len() as u64,
            kind: header.kind,
            endian: Endian::Little,
            counter_bytes: size_of::<u64>(),
            counters: 0..counter_count as usize * size_of::<u64>(),
            bitmaps: 0..bitmap_bytes as usize,
            shared: None,
            scattered: Some(Scattered {
                like: part.into(),
                places: places.into(),
            }),
            part: start as u64..file.len() as u64,
            record_count: spots.len() as u64,
            binary_ids,
        };
        Some((frame, Functions(spots.into()), table))
    }

    /// What all siblings share.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The size of each sibling's file, in bytes.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The bytes of a sibling's file that have to be read: counters and bitmaps; where the binary
    /// has no build id, also the records and names, which then are the proof that it is one.
    #[must_use]
    pub fn part(&self) -> Range<u64> {
        self.part.clone()
    }

    /// How many functions have counters.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.record_count
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let shared = self.shared.iter().flatten().map(|bytes| bytes.len());
        let scattered = self.scattered.iter();
        let scattered = scattered.map(|all| all.like.len() + size_of_val(&*all.places));
        shared.chain(scattered).sum()
    }

    /// What the counters mean.
    #[must_use]
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    pub(crate) fn binary_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.binary_ids.iter().map(AsRef::as_ref)
    }

    /// How much memory the sums of its runs take, in bytes.
    #[must_use]
    pub fn sums_memory(&self) -> usize {
        let (counters, bitmap_bytes) = self.sizes();
        counters * size_of::<u64>() + bitmap_bytes
    }

    /// How many counters and how many bytes of bitmaps there are.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.counters.len() / self.counter_bytes, self.bitmaps.len())
    }

    /// The counters and bitmaps in a sibling's [part](Self::part), or `None` if it is not one. Where
    /// they are scattered, they are gathered in `room`.
    pub(crate) fn run_of<'a>(
        &self,
        part: &'a [u8],
        room: &'a mut Gathered,
    ) -> Option<(Counters<'a>, &'a [u8])> {
        if let Some(scattered) = &self.scattered {
            scattered.gather(part, room)?;
            return Some((Counters::Decoded(&room.counts), &room.bitmaps));
        }
        let wanted = self.part.end - self.part.start;
        let is_sibling = part.len() as u64 == wanted
            && self.shared.as_ref().is_none_or(|[before, after]| {
                part[..self.counters.start] == **before && part[self.bitmaps.end..] == **after
            });
        let counters = &part.get(self.counters.clone()).filter(|_| is_sibling)?;
        let counters = match self.counter_bytes {
            1 => Counters::Bytes(counters),
            _ => Counters::Words(counters, self.endian),
        };
        Some((counters, &part[self.bitmaps.clone()]))
    }
}

/// Counters and bitmaps that were scattered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    counts: Vec<u64>,
    bitmaps: Vec<u8>,
}

impl Scattered {
    /// `None` if the part differs in more than counters and bitmaps.
    fn gather(&self, part: &[u8], room: &mut Gathered) -> Option<()> {
        room.counts.clear();
        room.bitmaps.clear();
        let (mut rest, mut like) = (part, &*self.like);
        let mut at = 0;
        for place in &self.places {
            let shared = place.at as usize - at;
            let counter_bytes = 8 * place.counters as usize;
            let counters = step(&mut rest, &mut like, shared, counter_bytes)?;
            let words = counters.as_chunks().0.iter();
            room.counts
                .extend(words.map(|word| u64::from_le_bytes(*word)));
            at = place.at as usize + counter_bytes;
            if place.bitmap > 0 {
                let bitmap_bytes = 8 * place.bitmap as usize;
                let bitmap = step(&mut rest, &mut like, 8, bitmap_bytes)?;
                let words = bitmap.as_chunks::<8>().0.iter();
                room.bitmaps.extend(words.map(|word| word[0]));
                at += 8 + bitmap_bytes;
            }
        }
        (rest == like).then_some(())
    }
}

/// Steps over `shared` bytes, which have to be the same in both, and so many that need not.
fn step<'a>(
    rest: &mut &'a [u8],
    like: &mut &[u8],
    shared: usize,
    other: usize,
) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(shared)?;
    let (like_head, like_tail) = like.split_at_checked(shared)?;
    let (own, tail) = tail.split_at_checked(other)?;
    (*rest, *like) = (tail, like_tail.get(other..)?);
    (head == like_head).then_some(own)
}

impl Functions {
    /// `None` if a record is bad, or its counters lie between two others.
    pub(crate) fn of(profile: &RawProfile<'_>) -> Option<Self> {
        let header = profile.header();
        let counter_bytes = usize::try_from(header.counter_bytes()).ok()?;
        // The records are in the file, so there is room for as many spots.
        let mut spots = Vec::with_capacity(usize::try_from(header.record_count).ok()?);
        for record in profile.records() {
            spots.push(Spot::of(&record.ok()?, counter_bytes)?);
        }
        Some(Self(spots.into()))
    }

    pub(crate) fn spots(&self) -> &[Spot] {
        &self.0
    }
}

impl Spot {
    /// `None` if its counters lie between two others.
    fn of(record: &RawRecord<'_>, counter_bytes: usize) -> Option<Self> {
        let range = |start: usize, len: usize| {
            let start = u32::try_from(start).ok()?;
            Some(start..start.checked_add(u32::try_from(len).ok()?)?)
        };
        if !record.counters_at.is_multiple_of(counter_bytes) {
            return None;
        }
        Some(Self {
            name: record.name,
            hash: record.hash,
            counters: range(record.counters_at / counter_bytes, record.counters.len())?,
            bitmap: range(record.bitmap_at, record.bitmap.len())?,
            has_values: record.has_values,
        })
    }
}
