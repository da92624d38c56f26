//! What the raw profiles of one build of a program with value sites have in common: all but counters,
//! bitmaps, addresses and value data. As [`Frame`](super::Frame), but for files that have to be read
//! as a whole, and in their order, since that decides which values of a site are kept.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use crate::kind::ProfileKind;
use crate::limits::SUSPICIOUS_COUNTER;
use crate::merge::all_bits;
use crate::raw::frame::{Functions, Identity};
use crate::raw::reader::{Addresses, RawProfile, RawValues};
use crate::raw::record::Counters;
use crate::values::Values;

/// A raw profile with value sites, without its run.
#[derive(Debug)]
pub struct ValueFrame {
    identity: Identity,
    kind: ProfileKind,
    functions: Functions,
    /// Where they were in the first run.
    addresses: Arc<Addresses>,
}

/// One run: a file that was checked, and is to be [added](crate::Merger::parts).
#[derive(Debug)]
pub struct ValueRun<'a> {
    pub(crate) weight: u64,
    counters: Counters<'a>,
    bitmaps: &'a [u8],
    values: RawValues<'a>,
    /// Where the block of each function lies in the file; 0 if it has no value sites.
    blocks: Box<[u64]>,
}

impl ValueFrame {
    /// Checks a whole file. `None` if it has no value sites, or files like it have to be looked at
    /// one by one: it is damaged, holds several profiles or time stamps, or nothing proves that the
    /// others are of the same binary.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        let identity = Identity::of(file)?;
        let profile = RawProfile::parse(file, 0).ok()?;
        let header = profile.header();
        let is_temporal = header.kind.contains(ProfileKind::TEMPORAL);
        let has_build_id = !profile.binary_id_section().is_empty();
        if is_temporal || header.is_correlated() || !has_build_id {
            return None;
        }
        let functions = Functions::of(&profile)?;
        let has_values = functions.spots().iter().any(|spot| spot.has_values);
        let frame = Self {
            identity,
            kind: header.kind,
            functions,
            addresses: profile.addresses(),
        };
        (has_values && frame.run_of(file, NonZeroU64::MIN).is_some()).then_some(frame)
    }

    /// What all siblings share.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the counters mean.
    #[must_use]
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of_val(self.functions.spots())
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Checks a whole file. `None` if it is not one of the same binary, or something is to be said
    /// of it that [`Merger::add`](crate::Merger::add) says: it is damaged, or a count is suspicious.
    #[must_use]
    pub fn run_of<'a>(&self, file: &'a [u8], weight: NonZeroU64) -> Option<ValueRun<'a>> {
        if Identity::of(file)? != self.identity {
            return None;
        }
        let profile = RawProfile::parse(file, 0).ok()?;
        let header = profile.header();
        let counters = match header.counter_bytes() {
            1 => Counters::Bytes(profile.counters()),
            _ => Counters::Words(profile.counters(), header.layout.endian),
        };
        if all_bits(&counters) >= SUSPICIOUS_COUNTER {
            return None;
        }
        let mut values = profile.values_like(&self.addresses);
        let first = values.clone();
        let mut blocks = vec![0; self.functions.spots().len()].into_boxed_slice();
        for (block, spot) in blocks.iter_mut().zip(self.functions.spots()) {
            if spot.has_values {
                *block = values.skip().ok()?;
            }
        }
        (values.offset() == file.len() as u64).then_some(ValueRun {
            weight: weight.get(),
            counters,
            bitmaps: profile.bitmaps(),
            values: first,
            blocks,
        })
    }
}

impl<'a> ValueRun<'a> {
    /// Reads what the run says of the function of this index.
    pub(crate) fn read(
        &self,
        frame: &ValueFrame,
        index: usize,
        values: &mut Values,
    ) -> (Counters<'a>, &'a [u8]) {
        let spot = &frame.functions.spots()[index];
        values.clear();
        if spot.has_values {
            // It was checked before.
            let _ = self.values.read_at(self.blocks[index], values);
        }
        let place = |range: &Range<u32>| range.start as usize..range.end as usize;
        let bitmap = &self.bitmaps[place(&spot.bitmap)];
        (self.counters.slice(place(&spot.counters)), bitmap)
    }

    /// About how much there is to do for the function of this index.
    pub(crate) fn work(&self, index: usize) -> u64 {
        const OF_EACH: u64 = 32;
        let block = match self.blocks[index] {
            0 => 0,
            block => self.values.bytes_at(block).unwrap_or(0),
        };
        OF_EACH + block
    }
}
