//! The numbers of functions and of instantiation groups (LLVM: `FunctionCoverageSummary`).

use crate::{
    Branch, Function, FunctionId, Group, LocalFile, Position, RegionKind, Segmenter, Summary,
    Tally, tally_lines,
};

impl Group {
    /// The group of these functions, which start here.
    ///
    /// # Panics
    /// If a member is not one of `functions`.
    #[must_use]
    pub fn new(start: Position, members: Vec<FunctionId>, functions: &[Function]) -> Self {
        let mut summary = Summary::default();
        let mut count = 0u64;
        let mut executed = 0;
        for member in &members {
            let function = &functions[member.0 as usize];
            summary = summary.max(function.summary);
            count = count.wrapping_add(function.count);
            executed += u64::from(function.count > 0);
        }
        summary.functions = Tally {
            covered: u64::from(count > 0),
            total: 1,
        };
        summary.instantiations = Tally {
            covered: executed,
            total: members.len() as u64,
        };
        Self {
            start,
            members,
            count,
            summary,
        }
    }
}

impl Function {
    /// Its own numbers, from its regions, branches and decisions (LLVM:
    /// `FunctionCoverageSummary::get`).
    #[must_use]
    pub fn summarize(&self, segmenter: &mut Segmenter) -> Summary {
        let is_executed = u64::from(self.count > 0);
        let itself = Tally {
            covered: is_executed,
            total: 1,
        };
        let code = |region: &&crate::Region| region.kind == RegionKind::Code;
        let regions = tally(self.regions.iter().filter(code).map(|region| region.count));
        let mut summary = Summary {
            regions,
            functions: itself,
            instantiations: itself,
            ..Summary::default()
        };
        let Some(main) = self.main_file else {
            return summary;
        };
        summary.lines = tally_lines(segmenter.segments(self.regions_in(main)));
        if !self.branches.is_empty() {
            summary.branches = branches_below(self, main);
        }
        for record in self.mcdc.iter().filter(|record| record.file == main) {
            summary.mcdc += record.tally();
        }
        summary
    }
}

/// The branches in a file of the function and, as often as it is expanded, in what it expands to.
///
/// Each file is summed up once, after those that it expands to: expansions that multiply (each of
/// a file's two expands to two others, and so on) take no longer than any. One that leads back to
/// itself counts for nothing there.
fn branches_below(function: &Function, main: LocalFile) -> Tally {
    let mut sums = vec![Tally::default(); function.files.len()];
    for branch in &function.branches {
        if let Some(sum) = sums.get_mut(branch.file.0 as usize) {
            *sum += outcomes(branch);
        }
    }
    let mut expanded: Vec<Vec<LocalFile>> = vec![Vec::new(); function.files.len()];
    for region in &function.regions {
        if region.kind == RegionKind::Expansion
            && let Some(expanded) = expanded.get_mut(region.file.0 as usize)
        {
            expanded.push(region.expanded);
        }
    }
    // Depth first; each entry is a file and how many of its expansions have been looked at.
    let mut state = vec![Visit::New; function.files.len()];
    let mut open = vec![(main, 0)];
    while let Some((file, looked_at)) = open.last_mut() {
        let file = *file;
        let Some(state_of_file) = state.get_mut(file.0 as usize) else {
            break;
        };
        *state_of_file = Visit::Open;
        if let Some(&inner) = expanded[file.0 as usize].get(*looked_at) {
            match state.get(inner.0 as usize) {
                Some(Visit::New) => open.push((inner, 0)),
                Some(Visit::Done) => {
                    *looked_at += 1;
                    let sum = sums[inner.0 as usize];
                    sums[file.0 as usize] += sum;
                }
                Some(Visit::Open) | None => *looked_at += 1,
            }
        } else {
            *state_of_file = Visit::Done;
            open.pop();
        }
    }
    sums.get(main.0 as usize).copied().unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Done,
}

/// Each side of a branch counts, unless it cannot happen.
fn outcomes(branch: &Branch) -> Tally {
    let sides = [
        (branch.true_folded, branch.true_count),
        (branch.false_folded, branch.false_count),
    ];
    let possible = sides.iter().filter(|(folded, _)| !folded);
    tally(possible.map(|(_, count)| *count))
}

fn tally(counts: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for count in counts {
        tally.covered += u64::from(count > 0);
        tally.total += 1;
    }
    tally
}
