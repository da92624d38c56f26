//! Numbers that reports print: how many of what were reached.

use std::ops::{Add, AddAssign};

/// Covered of total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items with a non-zero count.
    pub covered: u64,
    /// All items.
    pub total: u64,
}

impl Tally {
    /// `covered / total * 100`, in this order of operations (as LLVM computes it); 0 when there is
    /// nothing to cover.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage of more than 2^53 items is not exact, nor is LLVM's"
    )]
    pub fn percent(self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.covered as f64 / self.total as f64 * 100.0
    }

    /// Items with a count of zero.
    #[must_use]
    pub fn missed(self) -> u64 {
        self.total.saturating_sub(self.covered)
    }

    /// The larger of both fields, each on its own: LLVM's rule for an instantiation group, so the
    /// two numbers may come from different members.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            covered: self.covered.max(other.covered),
            total: self.total.max(other.total),
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            covered: self.covered.saturating_add(other.covered),
            total: self.total.saturating_add(other.total),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The tallies of a function, an instantiation group, a file or everything.
///
/// Field order is the order of llvm-cov's `report` columns; it has no statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Code regions, macro bodies included.
    pub regions: Tally,
    /// Source functions: an instantiation group counts once.
    pub functions: Tally,
    /// Functions as compiled: each instantiation counts.
    pub instantiations: Tally,
    /// Lines that hold code.
    pub lines: Tally,
    /// Branch outcomes: each two-way branch counts twice unless a side is constant.
    pub branches: Tally,
    /// Conditions of MC/DC decisions, those that are constant left out of the total.
    pub mcdc: Tally,
    /// Statements, which Go counts; 0 for what LLVM measured.
    pub statements: Tally,
}

impl Tally {
    /// What two numbers differ by, or are without others; each on its own, and never less than
    /// nothing.
    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            covered: self.covered.saturating_sub(other.covered),
            total: self.total.saturating_sub(other.total),
        }
    }
}

impl Summary {
    /// Field by field, [`Tally::without`].
    pub(crate) fn without(self, other: Self) -> Self {
        self.with(other, Tally::without)
    }

    /// Nothing has more covered than there is, as may be when lines were counted by other rules
    /// than they were taken off by.
    pub(crate) fn sound(self) -> Self {
        self.with(self, |tally, _| Tally {
            covered: tally.covered.min(tally.total),
            ..tally
        })
    }

    fn with(self, other: Self, op: impl Fn(Tally, Tally) -> Tally) -> Self {
        Self {
            regions: op(self.regions, other.regions),
            functions: op(self.functions, other.functions),
            instantiations: op(self.instantiations, other.instantiations),
            lines: op(self.lines, other.lines),
            branches: op(self.branches, other.branches),
            mcdc: op(self.mcdc, other.mcdc),
            statements: op(self.statements, other.statements),
        }
    }

    /// Field by field, [`Tally::max`].
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.with(other, Tally::max)
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.regions += other.regions;
        self.functions += other.functions;
        self.instantiations += other.instantiations;
        self.lines += other.lines;
        self.branches += other.branches;
        self.mcdc += other.mcdc;
        self.statements += other.statements;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_of_nothing_is_zero() {
        assert_eq!(Tally::default().percent(), 0.0);
    }

    #[test]
    fn max_takes_each_field_on_its_own() {
        let a = Tally {
            covered: 3,
            total: 4,
        };
        let b = Tally {
            covered: 1,
            total: 9,
        };
        assert_eq!(
            a.max(b),
            Tally {
                covered: 3,
                total: 9
            }
        );
    }
}
