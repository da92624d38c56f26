//! Which lines of a file were left out on request, and by which rule, as one goes down the file.

use std::collections::BTreeMap;

use bincover_model::{ExcludedPart, ExcludedRange, File};

/// Looks lines up, of which each is after the one before.
pub(crate) struct LeftOut<'c> {
    /// Places in the file's list, by first line.
    coming: std::iter::Peekable<std::vec::IntoIter<(u32, usize)>>,
    /// Those that have begun, in the order in which they were asked for.
    begun: BTreeMap<usize, &'c ExcludedRange>,
    ranges: &'c [ExcludedRange],
}

impl<'c> LeftOut<'c> {
    /// Lines that are out with all that is on them.
    pub(crate) fn lines(file: &'c File) -> Self {
        Self::of(file, |part| {
            matches!(part, ExcludedPart::Lines | ExcludedPart::Unexecuted)
        })
    }

    /// Lines of which branches alone were asked for.
    pub(crate) fn branches(file: &'c File) -> Self {
        Self::of(file, |part| part == ExcludedPart::Branches)
    }

    fn of(file: &'c File, is_wanted: impl Fn(ExcludedPart) -> bool) -> Self {
        let ranges = &file.excluded.ranges;
        let wanted = ranges.iter().enumerate();
        let wanted = wanted.filter(|(_, range)| is_wanted(range.part));
        let mut coming: Vec<_> = wanted.map(|(index, range)| (range.first, index)).collect();
        coming.sort_unstable();
        Self {
            coming: coming.into_iter().peekable(),
            begun: BTreeMap::new(),
            ranges,
        }
    }

    /// There are none in the whole file, or no more of them.
    pub(crate) fn is_done(&mut self) -> bool {
        self.begun.is_empty() && self.coming.peek().is_none()
    }

    /// The range that took a line; of several, the one that was asked for first.
    pub(crate) fn at(&mut self, line: u32) -> Option<&'c ExcludedRange> {
        while let Some((_, index)) = self.coming.next_if(|(first, _)| *first <= line) {
            if let Some(range) = self.ranges.get(index) {
                self.begun.insert(index, range);
            }
        }
        // Each range ends once.
        while let Some(first) = self.begun.first_entry() {
            if first.get().last >= line {
                return Some(first.get());
            }
            first.remove();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, last: u32, part: ExcludedPart, rule: &str) -> ExcludedRange {
        ExcludedRange {
            first,
            last,
            part,
            rule: rule.into(),
            lines: 1,
        }
    }

    #[test]
    fn the_first_rule_has_the_line() {
        let mut file = File::default();
        file.excluded.ranges = vec![
            range(4, 5, ExcludedPart::Lines, "a"),
            range(2, 8, ExcludedPart::Unexecuted, "b"),
            range(7, u32::MAX, ExcludedPart::Lines, "c"),
            range(1, 3, ExcludedPart::Branches, "d"),
            range(1, 1, ExcludedPart::File, "e"),
        ];
        let rules = |mut out: LeftOut<'_>| -> String {
            let rules = (1..=10).map(|line| match out.at(line) {
                Some(range) => range.rule.to_string(),
                None => "-".to_owned(),
            });
            rules.collect()
        };
        assert_eq!(rules(LeftOut::lines(&file)), "-bbaabbbcc");
        assert_eq!(rules(LeftOut::branches(&file)), "ddd-------");
        assert!(!LeftOut::lines(&file).is_done());
        assert!(LeftOut::lines(&File::default()).is_done());
    }
}
