//! The summary: how many functions and counters there are, and how hot the hot ones are (LLVM:
//! `InstrProfSummaryBuilder`, `ProfileSummaryBuilder::computeDetailedSummary`).

use crate::profile::{Pseudo, Record};

/// The fractions of the total count that an indexed profile's summary tells of, in millionths
/// (LLVM: `ProfileSummaryBuilder::DefaultCutoffs`).
pub const CUTOFFS: [u32; 16] = [
    10_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000,
    950_000, 990_000, 999_000, 999_900, 999_990, 999_999,
];

/// Numbers over any records. Sums wrap; functions and counters are counted in 32 bits, as in LLVM.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    functions: u32,
    blocks: u32,
    max_function_count: u64,
    max_internal_count: u64,
    total: u64,
    /// All counts; sorted when they are asked for.
    counts: Vec<u64>,
}

/// The hottest counters that together make a fraction of the total count (LLVM:
/// `ProfileSummaryEntry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutoffEntry {
    /// The fraction, in millionths.
    pub cutoff: u32,
    /// The smallest count among them.
    pub min_count: u64,
    /// How many they are.
    pub blocks: u32,
}

impl Summary {
    /// Takes a record in; one that is marked hot or warm instead of counted is passed over.
    pub fn add(&mut self, record: &Record<'_>) {
        self.add_counts(record.counts);
    }

    /// As [`Summary::add`], of a record's counts alone.
    pub fn add_counts(&mut self, counts: &[u64]) {
        if Pseudo::of(counts).is_some() {
            return;
        }
        let Some((&first, internal)) = counts.split_first() else {
            return;
        };
        self.functions = self.functions.wrapping_add(1);
        self.max_function_count = self.max_function_count.max(first);
        let max_internal = internal.iter().copied().max().unwrap_or(0);
        self.max_internal_count = self.max_internal_count.max(max_internal);
        for &count in counts {
            self.blocks = self.blocks.wrapping_add(1);
            self.total = self.total.wrapping_add(count);
        }
        self.counts.extend_from_slice(counts);
    }

    /// How many records (LLVM: `TotalNumFunctions`).
    #[must_use]
    pub fn functions(&self) -> u32 {
        self.functions
    }

    /// How many counters (LLVM: `TotalNumBlocks`).
    #[must_use]
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The largest first counter of a function (LLVM: `MaxFunctionCount`).
    #[must_use]
    pub fn max_function_count(&self) -> u64 {
        self.max_function_count
    }

    /// The largest counter that is not a function's first (LLVM: `MaxInternalBlockCount`).
    #[must_use]
    pub fn max_internal_count(&self) -> u64 {
        self.max_internal_count
    }

    /// The sum of all counters (LLVM: `TotalBlockCount`).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// For each cutoff, which must ascend, the hottest counters that reach it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "LLVM counts blocks in 32 bits"
    )]
    pub fn entries(&mut self, cutoffs: &[u32]) -> Vec<CutoffEntry> {
        self.counts.sort_unstable_by(|a, b| b.cmp(a));
        let mut frequencies = self.counts.chunk_by(|a, b| a == b);
        let (mut reached, mut min_count, mut blocks) = (0u64, 0u64, 0u32);
        let mut entries = Vec::with_capacity(cutoffs.len());
        for &cutoff in cutoffs {
            let wanted = u128::from(self.total) * u128::from(cutoff) / 1_000_000;
            while u128::from(reached) < wanted {
                let Some(equal) = frequencies.next() else {
                    break;
                };
                min_count = equal[0];
                reached = reached.wrapping_add(min_count.wrapping_mul(equal.len() as u64));
                blocks = blocks.wrapping_add(equal.len() as u32);
            }
            entries.push(CutoffEntry {
                cutoff,
                min_count,
                blocks,
            });
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_carries_over_from_cutoff_to_cutoff() {
        let mut summary = Summary::default();
        summary.add_counts(&[10, 5, 5]);
        summary.add_counts(&[0]);
        summary.add_counts(&[u64::MAX, 1]);
        assert_eq!(
            (summary.functions(), summary.blocks(), summary.total()),
            (2, 4, 20)
        );
        let entries = summary.entries(&[10_000, 500_000, 500_001, 999_999]);
        let listed: Vec<_> = entries.iter().map(|e| (e.min_count, e.blocks)).collect();
        // A hundredth of 20 is nothing, which no counter is needed for.
        assert_eq!(listed, [(0, 0), (10, 1), (10, 1), (5, 3)]);
    }
}
