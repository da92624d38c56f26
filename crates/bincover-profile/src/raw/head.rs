//! The runs of one binary, kept as one raw profile: a template without a run, and the counters of
//! all runs added up.
//!
//! This is for whoever keeps a total on disk and adds to it, run by run: of a run only the head,
//! the counters and the bitmaps are read, of the total only its counters and bitmaps. What may be
//! added in this way is decided by [`Frame::of`](super::Frame::of), once for each binary.

use std::ops::Range;

use crate::bytes::{Cursor, Endian};
use crate::limits::SUSPICIOUS_COUNTER;
use crate::merge::{Unfit, all_bits};
use crate::raw::binary_ids;
use crate::raw::frame::Identity;
use crate::raw::header::RawHeader;
use crate::raw::record::Counters;

/// The head of a raw profile: whose it is, and where its counters and bitmaps lie in the file.
#[derive(Clone, Debug)]
pub struct RawHead {
    identity: Identity,
    build_id: Vec<u8>,
    endian: Endian,
    counters: Range<u64>,
    bitmaps: Range<u64>,
    /// Where the addresses lie that differ from run to run.
    addresses: Vec<usize>,
}

impl RawHead {
    /// Reads the first bytes of a file of `file_bytes` bytes;
    /// [`Identity::HEAD_BYTES`](Identity::HEAD_BYTES) are enough. `None` if it is no raw profile
    /// of a known version, its sections do not fill the file exactly, or its counters are not
    /// counts (LLVM: single byte coverage).
    #[must_use]
    pub fn of(head: &[u8], file_bytes: u64) -> Option<Self> {
        let header = RawHeader::parse(head, 0).ok()?;
        let sections = header.sections(file_bytes, 0).ok()?;
        if sections.end as u64 != file_bytes || header.counter_bytes() != 8 {
            return None;
        }
        let identity = Identity::of(head)?;
        let ids = head.get(sections.binary_ids.clone())?;
        let ids = Cursor::new(ids, sections.binary_ids.start as u64, header.layout.endian);
        let build_id = binary_ids(ids).next().and_then(Result::ok);
        let wide = |range: &Range<usize>| range.start as u64..range.end as u64;
        Some(Self {
            identity,
            build_id: build_id.unwrap_or_default().to_vec(),
            endian: header.layout.endian,
            counters: wide(&sections.counters),
            bitmaps: wide(&sections.bitmaps),
            addresses: header.addresses().collect(),
        })
    }

    /// What all runs of the binary share.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The build id, or that of the first of several binaries; empty if there is none.
    #[must_use]
    pub fn build_id(&self) -> &[u8] {
        &self.build_id
    }

    /// Where the counters lie in the file.
    #[must_use]
    pub fn counters(&self) -> Range<u64> {
        self.counters.clone()
    }

    /// Where the bitmaps lie in the file.
    #[must_use]
    pub fn bitmaps(&self) -> Range<u64> {
        self.bitmaps.clone()
    }

    /// Takes what belongs to the run out of a whole file: counters, bitmaps and addresses become
    /// zero. Two runs of one binary are then equal, if [`Frame::of`](super::Frame::of) takes them.
    pub fn strip(&self, file: &mut [u8]) {
        for at in &self.addresses {
            fill(file, &(*at as u64..*at as u64 + 8), None);
        }
        fill(file, &self.counters, None);
        fill(file, &self.bitmaps, None);
    }

    /// Puts counters and bitmaps into a file, where they fit.
    pub fn put(&self, file: &mut [u8], counters: &[u8], bitmaps: &[u8]) {
        fill(file, &self.counters, Some(counters));
        fill(file, &self.bitmaps, Some(bitmaps));
    }

    /// Adds a run's counters to the sum of others', both as they lie in a file.
    ///
    /// # Errors
    /// If the sizes differ or a count is suspicious ([`Unfit::Odd`]), or a sum might become too
    /// large ([`Unfit::TooLarge`]). The sum is then as it was.
    pub fn add_counters(&self, sum: &mut [u8], run: &[u8]) -> Result<(), Unfit> {
        if sum.len() != run.len() || sum.len() as u64 != self.counters.end - self.counters.start {
            return Err(Unfit::Odd);
        }
        let counters = |bytes| Counters::Words(bytes, self.endian);
        let of_run = all_bits(&counters(run));
        if of_run >= SUSPICIOUS_COUNTER {
            return Err(Unfit::Odd);
        }
        // A sum that a reader would find suspicious is no good as a profile.
        if of_run.saturating_add(all_bits(&counters(sum))) >= SUSPICIOUS_COUNTER {
            return Err(Unfit::TooLarge);
        }
        let (sums, _) = sum.as_chunks_mut::<8>();
        let (runs, _) = run.as_chunks::<8>();
        match self.endian {
            Endian::Little => {
                for (sum, run) in sums.iter_mut().zip(runs) {
                    *sum = (u64::from_le_bytes(*sum) + u64::from_le_bytes(*run)).to_le_bytes();
                }
            }
            Endian::Big => {
                for (sum, run) in sums.iter_mut().zip(runs) {
                    *sum = (u64::from_be_bytes(*sum) + u64::from_be_bytes(*run)).to_be_bytes();
                }
            }
        }
        Ok(())
    }

    /// Adds a run's bitmaps to those of others: what was reached by any is reached.
    pub fn add_bitmaps(sum: &mut [u8], run: &[u8]) {
        for (sum, run) in sum.iter_mut().zip(run) {
            *sum |= run;
        }
    }
}

fn fill(file: &mut [u8], range: &Range<u64>, with: Option<&[u8]>) {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let Some(place) = file.get_mut(index(range.start)..index(range.end)) else {
        return;
    };
    match with {
        Some(bytes) if bytes.len() == place.len() => place.copy_from_slice(bytes),
        Some(_) => {}
        None => place.fill(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Frame;

    const PROFILE: &[u8] = include_bytes!("../../../../testdata/raw/clang22-mcdc/1.profraw");

    #[test]
    fn a_total_is_a_profile_again() {
        let head = RawHead::of(&PROFILE[..512.min(PROFILE.len())], PROFILE.len() as u64).unwrap();
        assert!(Frame::of(PROFILE).is_some());
        let index = |range: Range<u64>| {
            usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
        };
        let counters = &PROFILE[index(head.counters())];
        let bitmaps = &PROFILE[index(head.bitmaps())];
        let mut sum = vec![0; counters.len()];
        let mut bits = vec![0; bitmaps.len()];
        for _ in 0..3 {
            head.add_counters(&mut sum, counters).unwrap();
            RawHead::add_bitmaps(&mut bits, bitmaps);
        }
        let mut file = PROFILE.to_vec();
        head.strip(&mut file);
        head.put(&mut file, &sum, &bits);

        let merge = |files: &[&[u8]]| {
            let mut merger = crate::Merger::new();
            for file in files {
                merger.add("a", file, std::num::NonZeroU64::MIN);
            }
            let merged = merger.finish();
            assert!(merged.ledger.entries.is_empty());
            crate::indexed::write(&merged.profile, &crate::indexed::WriteOptions::default())
        };
        assert_eq!(merge(&[&file]), merge(&[PROFILE, PROFILE, PROFILE]));
    }

    #[test]
    fn what_is_no_run_of_it_is_refused() {
        let head = RawHead::of(PROFILE, PROFILE.len() as u64).unwrap();
        let len = usize::try_from(head.counters().end - head.counters().start).unwrap();
        let mut sum = vec![0; len];
        assert_eq!(
            head.add_counters(&mut sum, &vec![0; len - 8]),
            Err(Unfit::Odd)
        );
        assert_eq!(
            head.add_counters(&mut sum, &vec![0xff; len]),
            Err(Unfit::Odd)
        );
        let large = SUSPICIOUS_COUNTER - 1;
        let mut sum = large.to_le_bytes().repeat(len / 8);
        let one = 1_u64.to_le_bytes().repeat(len / 8);
        assert_eq!(head.add_counters(&mut sum, &one), Err(Unfit::TooLarge));
        assert!(RawHead::of(PROFILE, PROFILE.len() as u64 + 8).is_none());
    }
}
