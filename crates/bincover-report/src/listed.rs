//! A file as formats show it that list lines and branches one by one.
//!
//! Who reads such a report counts the lines again, so the numbers of these formats are those of the
//! lines that are listed: [`File::lines`] and [`Coverage::branches_by_line`].

use bincover_model::{Coverage, File, Line, LineBranch, Tally};

/// The lines of a file with the branches on them. Branches on a line that holds no code are left
/// out.
pub(crate) fn listed(coverage: &Coverage, file: &File) -> Vec<ListedLine> {
    let branches = coverage.branches_by_line(file);
    let mut rest = branches.as_slice();
    let lines = file.lines.iter();
    lines
        .map(|line| {
            let (here, after) = take_line(line.number, rest);
            rest = after;
            ListedLine {
                line: *line,
                branches: here.to_vec(),
            }
        })
        .collect()
}

/// A line as formats that list lines show it.
pub(crate) struct ListedLine {
    pub(crate) line: Line,
    pub(crate) branches: Vec<LineBranch>,
}

/// The branches on a line, of those that are left, and those after it. Both are sorted.
fn take_line(line: u32, rest: &[LineBranch]) -> (&[LineBranch], &[LineBranch]) {
    let before = rest.iter().take_while(|branch| branch.line < line).count();
    let rest = rest.get(before..).unwrap_or_default();
    let here = rest.iter().take_while(|branch| branch.line == line).count();
    rest.split_at(here)
}

/// How many of the listed lines and branch sides were covered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) lines: Tally,
    pub(crate) branches: Tally,
}

impl Rates {
    pub(crate) fn of(lines: &[ListedLine]) -> Self {
        let mut rates = Self::default();
        for line in lines {
            rates.lines += one(line.line.count);
            rates.branches += line.conditions();
        }
        rates
    }
}

impl ListedLine {
    /// All sides of all branches on this line.
    pub(crate) fn conditions(&self) -> Tally {
        let sides = self.branches.iter().map(|branch| both_sides(*branch));
        sides.fold(Tally::default(), |sum, sides| sum + sides)
    }
}

pub(crate) fn both_sides(branch: LineBranch) -> Tally {
    branch
        .sides()
        .map(one)
        .fold(Tally::default(), |sum, side| sum + side)
}

/// One thing, covered if it was counted at all.
pub(crate) fn one(count: u64) -> Tally {
    Tally {
        covered: u64::from(count > 0),
        total: 1,
    }
}
