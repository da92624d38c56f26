//! Adds up the runs of one binary without looking at its functions.

use crate::bytes::Endian;
use crate::limits::{MAX_COUNT, SUSPICIOUS_COUNTER};
use crate::raw::{Counters, Frame, Gathered};

/// The counters and bitmaps of many runs of one binary, added up. Any number of threads may each
/// have their own; [`Merger::add_sums`](crate::Merger::add_sums) takes them one after another.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    pub(crate) counts: Vec<u64>,
    pub(crate) bitmaps: Vec<u8>,
    pub(crate) files: u64,
    /// No sum is larger than this.
    most: u64,
    room: Gathered,
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
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one run: `part` is the part of its file that the frame [asks for](Frame::part), which
    /// is the same for all that are added; each count is multiplied by `weight`.
    ///
    /// # Errors
    /// If it has to go another way.
    pub fn add(&mut self, frame: &Frame, part: &[u8], weight: u64) -> Result<(), Unfit> {
        let mut room = std::mem::take(&mut self.room);
        let run = frame.run_of(part, &mut room).ok_or(Unfit::Odd);
        let added = run.and_then(|(counters, bitmaps)| self.add_run(&counters, bitmaps, weight));
        self.room = room;
        added
    }

    fn add_run(
        &mut self,
        counters: &Counters<'_>,
        bitmaps: &[u8],
        weight: u64,
    ) -> Result<(), Unfit> {
        if self.files == 0 {
            self.counts.clear();
            // Copied, for memory that is zero by itself is given by the system when it is read,
            // and once more when it is written.
            counters.decode_into(&mut self.counts);
            self.bitmaps.clear();
            self.bitmaps.resize(bitmaps.len(), 0);
            let all = self.counts.iter().fold(0, |all, count| all | count);
            self.most = self.most_with(all, weight)?;
            if weight > 1 {
                self.counts.iter_mut().for_each(|sum| *sum *= weight);
            }
        } else {
            let mut all = 0;
            match weight {
                // Apart, for the multiplication is no vector instruction everywhere.
                1 => counters.zip_into(&mut self.counts, |sum, count| {
                    all |= count;
                    *sum = sum.wrapping_add(count);
                }),
                _ => counters.zip_into(&mut self.counts, |sum, count| {
                    all |= count;
                    *sum = sum.wrapping_add(count.wrapping_mul(weight));
                }),
            }
            self.most = self.most_with(all, weight).inspect_err(|_| {
                counters.zip_into(&mut self.counts, |sum, count| {
                    *sum = sum.wrapping_sub(count.wrapping_mul(weight));
                });
            })?;
        }
        self.files += 1;
        for (sum, byte) in self.bitmaps.iter_mut().zip(bitmaps) {
            *sum |= byte;
        }
        Ok(())
    }

    /// A bound of the sums with one more run, which has `all` these bits in its counts.
    fn most_with(&self, all: u64, weight: u64) -> Result<u64, Unfit> {
        if all >= SUSPICIOUS_COUNTER {
            return Err(Unfit::Odd);
        }
        let most = all.checked_mul(weight).ok_or(Unfit::TooLarge)?;
        let most = most.saturating_add(self.most);
        match most > MAX_COUNT {
            true => Err(Unfit::TooLarge),
            false => Ok(most),
        }
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
