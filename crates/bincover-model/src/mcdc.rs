//! MC/DC: whether each condition of a decision was seen to change its outcome on its own.

use crate::{LocalFile, Position, Tally};

/// A decision, its conditions and the ways in which it was taken (LLVM: `MCDCRecord`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McdcRecord {
    /// The file that the decision lies in, by its function's numbering; conditions inside a macro
    /// lie in others.
    pub file: LocalFile,
    /// First position of the decision.
    pub start: Position,
    /// End of the decision; the column is exclusive.
    pub end: Position,
    /// Its conditions, in the order in which reports number them from 1 (LLVM: condition
    /// positions).
    pub conditions: Vec<Condition>,
    /// The test vectors that were executed, each once: those whose outcome is false come first
    /// (LLVM: `TV`). Reports number them from 1.
    pub vectors: Vec<TestVector>,
}

/// A condition of a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// First position of the condition.
    pub start: Position,
    /// A side of the condition is a constant zero: it cannot change (LLVM: `Folded`).
    pub is_folded: bool,
    /// Two test vectors that differ in this condition alone and in their outcome: index into
    /// [`McdcRecord::vectors`] of the one whose outcome is false, then of the other. Reports print
    /// both plus one.
    pub pair: Option<(u32, u32)>,
}

impl Condition {
    /// It was seen to change the outcome on its own (LLVM: `isConditionIndependencePairCovered`).
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.pair.is_some()
    }
}

/// The conditions' values in one execution of a decision, and what came of them (LLVM:
/// `TestVector` and its `CondState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestVector {
    /// By condition; `None` where it was not evaluated (LLVM: `MCDC_DontCare`).
    pub values: Box<[Option<bool>]>,
    /// The decision's value.
    pub outcome: bool,
}

impl McdcRecord {
    /// How many executed vectors there are of each outcome: true, then false (`nTrueRows` and
    /// `nFalseRows` in llvm-cov's JSON).
    #[must_use]
    pub fn outcomes(&self) -> (usize, usize) {
        let of_true = self.vectors.iter().filter(|vector| vector.outcome).count();
        (of_true, self.vectors.len() - of_true)
    }

    /// Of its conditions that are not folded, how many are covered (LLVM: `sumMCDCPairs`,
    /// `getPercentCovered`).
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for condition in self.conditions.iter().filter(|one| !one.is_folded) {
            tally.covered += u64::from(condition.is_covered());
            tally.total += 1;
        }
        tally
    }
}
