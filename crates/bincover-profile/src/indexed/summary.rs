//! The summary: how hot the hot counters are (LLVM: `InstrProfSummaryBuilder`,
//! `ProfileSummaryBuilder::computeDetailedSummary`).

use crate::profile::{Pseudo, Record};

/// Fractions of the total count, in millionths (LLVM: `DefaultCutoffs`).
const CUTOFFS: [u64; 16] = [
    10_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000,
    950_000, 990_000, 999_000, 999_900, 999_990, 999_999,
];

/// Size of a written summary in bytes.
pub(crate) const SUMMARY_BYTES: usize = (2 + 6 + 3 * CUTOFFS.len()) * 8;

#[derive(Debug, Default)]
pub(crate) struct Summary {
    functions: u32,
    blocks: u32,
    max_function_count: u64,
    max_internal_count: u64,
    total: u64,
    zeros: u32,
    non_zero: Vec<u64>,
}

impl Summary {
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        if Pseudo::of(record.counts).is_some() {
            return;
        }
        let Some((&first, internal)) = record.counts.split_first() else {
            return;
        };
        // LLVM counts functions and blocks in 32 bits.
        self.functions = self.functions.wrapping_add(1);
        self.max_function_count = self.max_function_count.max(first);
        for &count in internal {
            self.max_internal_count = self.max_internal_count.max(count);
        }
        for &count in record.counts {
            self.blocks = self.blocks.wrapping_add(1);
            self.total = self.total.wrapping_add(count);
            if count == 0 {
                self.zeros = self.zeros.wrapping_add(1);
            } else {
                self.non_zero.push(count);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "LLVM counts blocks in 32 bits")]
    pub(crate) fn write(mut self, out: &mut Vec<u8>) {
        let max_count = self.max_function_count.max(self.max_internal_count);
        let fields = [
            6,
            CUTOFFS.len() as u64,
            u64::from(self.functions),
            u64::from(self.blocks),
            self.max_function_count,
            max_count,
            self.max_internal_count,
            self.total,
        ];
        for field in fields {
            out.extend(field.to_le_bytes());
        }
        self.non_zero.sort_unstable_by(|a, b| b.cmp(a));
        let mut frequencies = self.non_zero.chunk_by(|a, b| a == b).map(|equal| {
            let count = equal[0];
            (count, equal.len() as u64)
        });
        let mut zeros = Some((0u64, u64::from(self.zeros))).filter(|(_, times)| *times > 0);
        let (mut reached, mut count, mut seen) = (0u64, 0u64, 0u32);
        for cutoff in CUTOFFS {
            let wanted = u128::from(self.total) * u128::from(cutoff) / 1_000_000;
            while u128::from(reached) < wanted {
                let Some((next, times)) = frequencies.next().or_else(|| zeros.take()) else {
                    break;
                };
                count = next;
                reached = reached.wrapping_add(next.wrapping_mul(times));
                // 32 bits in LLVM.
                seen = seen.wrapping_add(times as u32);
            }
            for field in [cutoff, count, u64::from(seen)] {
                out.extend(field.to_le_bytes());
            }
        }
    }
}
