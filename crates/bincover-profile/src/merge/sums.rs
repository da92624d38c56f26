//! Adds up the runs of one binary without looking at its functions.

use crate::bytes::Endian;
use crate::limits::{MAX_COUNT, SUSPICIOUS_COUNTER};
use crate::raw::{Counters, Frame};

/// The counters and bitmaps of many runs of one binary, added up. Any number of threads may each
/// have their own; [`Merger::add_sums`](crate::Merger::add_sums) takes them one after another.
#[derive(Clone, Debug)]
pub struct Sums {
    pub(crate) counts: Vec<u64>,
    pub(crate) bitmaps: Vec<u8>,
    pub(crate) files: u64,
    /// No sum is larger than this.
    most: u64,
}

/// Why a run was not added to [`Sums`]; nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no sibling after all, or holds a count that is suspicious: the ordinary way
    /// ([`Merger::add`](crate::Merger::add)) says what is wrong with it.
    Odd,
    /// A sum might overflow. Then the order of the files decides what is said of which, so all of
    /// them have to go the ordinary way.
    TooLarge,
}

impl Sums {
    /// Nothing yet.
    #[must_use]
    pub fn new(frame: &Frame) -> Self {
        let (counters, bitmap_bytes) = frame.sizes();
        Self {
            counts: vec![0; counters],
            bitmaps: vec![0; bitmap_bytes],
            files: 0,
            most: 0,
        }
    }

    /// Nothing yet, in the memory of sums that are no longer needed.
    #[must_use]
    pub fn reusing(mut self, frame: &Frame) -> Self {
        let (counters, bitmap_bytes) = frame.sizes();
        self.counts.clear();
        self.counts.resize(counters, 0);
        self.bitmaps.clear();
        self.bitmaps.resize(bitmap_bytes, 0);
        Self {
            files: 0,
            most: 0,
            ..self
        }
    }

    /// Adds one run: `part` is the part of its file that the frame [asks for](Frame::part); each
    /// count is multiplied by `weight`.
    ///
    /// # Errors
    /// If it has to go another way.
    pub fn add(&mut self, frame: &Frame, part: &[u8], weight: u64) -> Result<(), Unfit> {
        let (counters, bitmaps) = frame.run_of(part).ok_or(Unfit::Odd)?;
        let most = all_bits(&counters);
        if most >= SUSPICIOUS_COUNTER {
            return Err(Unfit::Odd);
        }
        let most = most.checked_mul(weight).ok_or(Unfit::TooLarge)?;
        let most = most.saturating_add(self.most);
        if most > MAX_COUNT {
            return Err(Unfit::TooLarge);
        }
        self.most = most;
        self.files += 1;
        match weight {
            1 => counters.zip_into(&mut self.counts, |sum, count| *sum += count),
            _ => counters.zip_into(&mut self.counts, |sum, count| *sum += count * weight),
        }
        for (sum, byte) in self.bitmaps.iter_mut().zip(bitmaps) {
            *sum |= byte;
        }
        Ok(())
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.counts.len() * size_of::<u64>() + self.bitmaps.len()
    }
}

/// The bits that any of the counters has: no counter is larger, and the largest is more than half
/// of it. One pass without a branch.
pub(crate) fn all_bits(counters: &Counters<'_>) -> u64 {
    match *counters {
        Counters::Words(bytes, endian) => {
            let words = bytes.as_chunks::<8>().0.iter();
            let all = words.fold(0, |all, word| all | u64::from_ne_bytes(*word));
            match endian {
                Endian::Little => u64::from_le(all),
                Endian::Big => u64::from_be(all),
            }
        }
        Counters::Bytes(_) => 1,
        Counters::Decoded(counts) => counts.iter().fold(0, |all, count| all | count),
    }
}
