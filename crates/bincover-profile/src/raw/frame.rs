//! What the raw profiles of one build of a program have in common, so that of all but the first
//! only the counters need to be read.
//!
//! Two runs of one binary differ in their counters and bitmaps, in two header fields that hold
//! addresses (LLVM: `NamesDelta`, and `BitmapDelta` if there are no bitmaps), in the addresses of
//! functions with value sites, and in value data. [`Frame`] is the rest, checked once.

use std::ops::Range;

use crate::bytes::Endian;
use crate::kind::ProfileKind;
use crate::names::NameRef;
use crate::profile::FunctionHash;
use crate::raw::header::RawHeader;
use crate::raw::reader::RawProfile;
use crate::raw::record::{Counters, RawRecord};

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

    /// It as bytes, by which it can be found again.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A raw profile without its run: where the counters lie. Whose they are is said by its
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
    record_count: u64,
    binary_ids: Vec<Box<[u8]>>,
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
        // The records are in the file, so there is room for as many spots.
        let mut spots = Vec::with_capacity(usize::try_from(header.record_count).ok()?);
        for record in profile.records() {
            spots.push(Spot::of(&record.ok()?, counter_bytes)?);
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
            part: part.start as u64..part.end as u64,
            record_count: header.record_count,
            binary_ids: profile
                .binary_ids()
                .map(|id| id.ok().map(Box::from))
                .collect::<Option<_>>()?,
        };
        Some((frame, Functions(spots.into())))
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
        shared.sum()
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

    /// The counters and bitmaps in a sibling's [part](Self::part), or `None` if it is not one.
    pub(crate) fn run_of<'a>(&self, part: &'a [u8]) -> Option<(Counters<'a>, &'a [u8])> {
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

impl Functions {
    pub(crate) fn spots(&self) -> &[Spot] {
        &self.0
    }
}

impl Spot {
    /// `None` if the record has value sites, or its counters lie between two others.
    fn of(record: &RawRecord<'_>, counter_bytes: usize) -> Option<Self> {
        let range = |start: usize, len: usize| {
            let start = u32::try_from(start).ok()?;
            Some(start..start.checked_add(u32::try_from(len).ok()?)?)
        };
        let is_plain = !record.has_values && record.counters_at.is_multiple_of(counter_bytes);
        Some(Self {
            name: record.name,
            hash: record.hash,
            counters: range(record.counters_at / counter_bytes, record.counters.len())?,
            bitmap: range(record.bitmap_at, record.bitmap.len())?,
        })
        .filter(|_| is_plain)
    }
}
