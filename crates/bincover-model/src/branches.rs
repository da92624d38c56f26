//! Branches by line: one answer for every report that prints them.

use std::ops::Range;

use crate::limits::{MAX_STEPS, MAX_STEPS_INSIDE, MAX_STEPS_OF_REGION};
use crate::{
    Branch, Coverage, Expansion, File, Function, LocalFile, Outcome, Position, Region, RegionKind,
    Tally,
};

/// A branch as a line-oriented report shows it: the counts of its two outcomes, all uses of a
/// macro and all instantiations of a function taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineBranch {
    /// 1-based line; for a branch in a macro, the line of the macro's use.
    pub line: u32,
    /// Times true, summed with wrapping.
    pub true_count: u64,
    /// Times false, summed with wrapping.
    pub false_count: u64,
    /// It is one [`Outcome`] for which there is no other: `false_count` is 0 and counts for nothing.
    pub is_single: bool,
}

impl LineBranch {
    /// The counts of its sides.
    pub fn sides(&self) -> impl Iterator<Item = u64> {
        let second = (!self.is_single).then_some(self.false_count);
        std::iter::once(self.true_count).chain(second)
    }
}

/// Outcomes, two of one block after another as the sides of a branch.
fn paired(outcomes: &[Outcome]) -> impl Iterator<Item = LineBranch> + '_ {
    let blocks = outcomes.chunk_by(|a, b| (a.line, a.block) == (b.line, b.block));
    blocks.flat_map(|block| block.chunks(2)).map(|pair| {
        let count = |outcome: &Outcome| outcome.count.unwrap_or(0);
        LineBranch {
            line: pair[0].line,
            true_count: count(&pair[0]),
            false_count: pair.get(1).map_or(0, count),
            is_single: pair.len() == 1,
        }
    })
}

/// A branch and how one gets to it: the starts of the expansions around it, outermost first (its
/// own start if there are none), then a running number.
struct Reached {
    /// Where the path lies in [`AllReached::paths`]; never empty.
    path: Range<usize>,
    order: usize,
    branch: Branch,
}

/// All branches of a file, those reached by one path together.
#[derive(Default)]
struct AllReached {
    /// The paths, one after another.
    paths: Vec<Position>,
    branches: Vec<Reached>,
}

impl AllReached {
    fn path(&self, one: &Reached) -> &[Position] {
        &self.paths[one.path.clone()]
    }

    fn on_its_line(&self, one: &Reached) -> LineBranch {
        LineBranch {
            line: self.path(one)[0].line,
            true_count: one.branch.true_count,
            false_count: one.branch.false_count,
            is_single: false,
        }
    }
}

impl Coverage {
    /// The branches of `file` with those of its macro expansions, sorted by line.
    ///
    /// Branches that are reached by the same path are one: instantiations of one function add up,
    /// and so do all branches inside one macro expansion. Constant branches are left out. This is
    /// llvm-cov's rule for lcov with `-unify-instantiations` (its default).
    ///
    /// Outcomes that are known without their columns are paired as they come.
    #[must_use]
    pub fn branches_by_line(&self, file: &File) -> Vec<LineBranch> {
        if !file.outcomes.is_empty() {
            return paired(&file.outcomes).collect();
        }
        let reached = self.reached(file);
        let mut unified: Vec<LineBranch> = Vec::new();
        let mut previous: Option<&[Position]> = None;
        for one in &reached.branches {
            let path = reached.path(one);
            match unified.last_mut() {
                Some(last) if previous == Some(path) => {
                    last.true_count = last.true_count.wrapping_add(one.branch.true_count);
                    last.false_count = last.false_count.wrapping_add(one.branch.false_count);
                }
                _ => unified.push(reached.on_its_line(one)),
            }
            previous = Some(path);
        }
        unified
    }

    /// As [`Coverage::branches_by_line`], but each branch of each instantiation and expansion on
    /// its own (llvm-cov's `-unify-instantiations=false`).
    #[must_use]
    pub fn branches_by_line_each(&self, file: &File) -> Vec<LineBranch> {
        let reached = self.reached(file);
        let branches = reached.branches.iter();
        branches.map(|one| reached.on_its_line(one)).collect()
    }

    /// The branches of a file and of its expansions.
    fn reached(&self, file: &File) -> AllReached {
        let mut all = AllReached::default();
        for (order, branch) in file.branches.iter().enumerate() {
            let path = all.paths.len()..all.paths.len() + 1;
            all.paths.push(branch.start);
            all.branches.push(Reached {
                path,
                order,
                branch: *branch,
            });
        }
        let mut order = 0;
        let mut budget = MAX_STEPS / self.files.len().max(1) as u64;
        // Expansions of one function come together.
        for expansions in file.expansions.chunk_by(|a, b| a.function == b.function) {
            let function = self.function(expansions[0].function);
            if function.branches.is_empty() {
                continue;
            }
            budget += MAX_STEPS_OF_REGION * function.regions.len() as u64;
            let mut nested = NestedBranches::new(function);
            let kept = self.kept(function);
            for expansion in expansions {
                let Some(region) = function.regions.get(expansion.region as usize) else {
                    continue;
                };
                nested.visit(region, &mut budget, &mut |path, branches| {
                    let start = all.paths.len();
                    all.paths.extend_from_slice(path);
                    for branch in branches {
                        order += 1;
                        if kept.has_branch(branch) {
                            all.branches.push(Reached {
                                path: start..all.paths.len(),
                                order,
                                branch: *branch,
                            });
                        }
                    }
                });
            }
        }
        let paths = &all.paths;
        let is_kept = |one: &Reached| {
            let line = paths[one.path.start].line;
            !one.branch.is_folded() && !file.excluded.branches.contains(line)
        };
        all.branches.retain(is_kept);
        // Stable: one that is written in the file comes before one of a macro.
        all.branches.sort_by(|a, b| {
            let key = |one: &Reached| (paths[one.path.clone()].iter(), one.order);
            let ((a_path, a_order), (b_path, b_order)) = (key(a), key(b));
            a_path.cmp(b_path).then(a_order.cmp(&b_order))
        });
        all
    }

    /// The branches inside an expansion, in llvm-cov's order: those of deeper expansions first,
    /// then its own.
    #[must_use]
    pub fn branches_inside(&self, expansion: Expansion) -> Vec<Branch> {
        let mut inside = Vec::new();
        if let Some(region) = self.expansion_region(expansion) {
            let function = self.function(expansion.function);
            let mut budget = MAX_STEPS_INSIDE + MAX_STEPS_OF_REGION * function.regions.len() as u64;
            let mut nested = NestedBranches::new(function);
            nested.visit(region, &mut budget, &mut |_, branches| {
                inside.extend_from_slice(branches);
            });
        }
        inside
    }
}

/// Finds branches inside the expansions of one function.
struct NestedBranches<'f> {
    function: &'f Function,
    /// By file: there is a branch in it or in what it expands to.
    leads_to_branches: Vec<bool>,
    /// By file: it is being visited.
    is_open: Vec<bool>,
}

impl<'f> NestedBranches<'f> {
    fn new(function: &'f Function) -> Self {
        let mut leads_to_branches = vec![false; function.files.len()];
        if !function.branches.is_empty() {
            let mut expanded_in: Vec<Vec<LocalFile>> = vec![Vec::new(); function.files.len()];
            let expansions = function.regions.iter();
            for region in expansions.filter(|region| region.kind == RegionKind::Expansion) {
                if let Some(parents) = expanded_in.get_mut(region.expanded.0 as usize) {
                    parents.push(region.file);
                }
            }
            let mut pending: Vec<LocalFile> =
                function.branches.iter().map(|branch| branch.file).collect();
            while let Some(file) = pending.pop() {
                let Some(leads) = leads_to_branches.get_mut(file.0 as usize) else {
                    continue;
                };
                if !std::mem::replace(leads, true) {
                    pending.append(&mut expanded_in[file.0 as usize]);
                }
            }
        }
        Self {
            is_open: vec![false; leads_to_branches.len()],
            function,
            leads_to_branches,
        }
    }

    /// Calls `found` with the branches of one file and the path to it, deeper ones first. The
    /// path has the starts of the expansions, outermost first.
    fn visit(
        &mut self,
        expansion: &Region,
        budget: &mut u64,
        found: &mut dyn FnMut(&[Position], &[Branch]),
    ) {
        let function = self.function;
        let expansions = |file| function.regions_in(file).iter();
        // Each entry is a file and what is left of its regions. The path is as long.
        let mut open: Vec<(LocalFile, std::slice::Iter<'f, Region>)> = Vec::new();
        let mut path: Vec<Position> = Vec::new();
        let mut next = Some(expansion);
        loop {
            if let Some(region) = next.take()
                && self.leads_to_branches.get(region.expanded.0 as usize) == Some(&true)
                && !std::mem::replace(&mut self.is_open[region.expanded.0 as usize], true)
            {
                path.push(region.start);
                open.push((region.expanded, expansions(region.expanded)));
            }
            let Some((file, rest)) = open.last_mut() else {
                return;
            };
            next = rest.find(|region| region.kind == RegionKind::Expansion);
            if next.is_some() {
                continue;
            }
            let file = *file;
            let cost = path.len() as u64;
            if let Some(left) = budget.checked_sub(cost) {
                *budget = left;
                found(&path, function.branches_in(file));
            } else {
                *budget = 0;
                for (file, _) in open.drain(..) {
                    self.is_open[file.0 as usize] = false;
                }
                return;
            }
            self.is_open[file.0 as usize] = false;
            open.pop();
            path.pop();
        }
    }
}

impl Function {
    /// How many outcomes the branches have in one of its files and, as often as it is expanded, in
    /// what it expands to; of those branches and expansions that are wanted.
    ///
    /// Each file is summed up once, after those that it expands to: expansions that multiply (each
    /// of a file's two expands to two others, and so on) take no longer than any. One that leads
    /// back to itself counts for nothing there.
    #[must_use]
    pub fn branches_below(
        &self,
        file: LocalFile,
        is_wanted: impl Fn(&Branch) -> bool,
        is_expanded: impl Fn(&Region) -> bool,
    ) -> Tally {
        let mut sums = vec![Tally::default(); self.files.len()];
        for branch in self.branches.iter().filter(|branch| is_wanted(branch)) {
            if let Some(sum) = sums.get_mut(branch.file.0 as usize) {
                *sum += branch.outcomes();
            }
        }
        let mut expanded: Vec<Vec<LocalFile>> = vec![Vec::new(); self.files.len()];
        for region in &self.regions {
            if region.kind == RegionKind::Expansion
                && is_expanded(region)
                && let Some(expanded) = expanded.get_mut(region.file.0 as usize)
            {
                expanded.push(region.expanded);
            }
        }
        // Depth first; each entry is a file and how many of its expansions have been looked at.
        let mut state = vec![Visit::New; self.files.len()];
        let mut open = vec![(file, 0)];
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
        sums.get(file.0 as usize).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Done,
}

impl Branch {
    /// Each side of a branch counts, unless it cannot happen.
    #[must_use]
    pub fn outcomes(&self) -> Tally {
        let sides = [
            (self.true_folded, self.true_count),
            (self.false_folded, self.false_count),
        ];
        let mut tally = Tally::default();
        for (_, count) in sides.iter().filter(|(folded, _)| !folded) {
            tally.covered += u64::from(*count > 0);
            tally.total += 1;
        }
        tally
    }
}
