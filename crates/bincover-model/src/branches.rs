//! Branches by line: one answer for every report that prints them.

use crate::{Branch, Coverage, File, Function, LocalFile, Position};

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
}

/// A branch and how one gets to it: the starts of the expansions around it, outermost first (its
/// own start if there are none), then a running number.
struct Reached {
    path: Vec<Position>,
    order: usize,
    branch: Branch,
}

impl Coverage {
    /// The branches of `file` with those of its macro expansions, sorted by line.
    ///
    /// Branches that are reached by the same path are one: instantiations of one function add up,
    /// and so do all branches inside one macro expansion. Constant branches are left out. This is
    /// llvm-cov's rule for lcov with `-unify-instantiations` (its default).
    #[must_use]
    pub fn branches_by_line(&self, file: &File) -> Vec<LineBranch> {
        let mut unified: Vec<LineBranch> = Vec::new();
        let mut previous: Option<&[Position]> = None;
        let reached = self.reached(file);
        for one in &reached {
            match unified.last_mut() {
                Some(last) if previous == Some(&one.path) => {
                    last.true_count = last.true_count.wrapping_add(one.branch.true_count);
                    last.false_count = last.false_count.wrapping_add(one.branch.false_count);
                }
                _ => unified.push(one.on_its_line()),
            }
            previous = Some(&one.path);
        }
        unified
    }

    /// As [`Coverage::branches_by_line`], but each branch of each instantiation and expansion on
    /// its own (llvm-cov's `-unify-instantiations=false`).
    #[must_use]
    pub fn branches_by_line_each(&self, file: &File) -> Vec<LineBranch> {
        self.reached(file)
            .iter()
            .map(Reached::on_its_line)
            .collect()
    }

    /// The branches of a file and of its expansions, those reached by one path together.
    fn reached(&self, file: &File) -> Vec<Reached> {
        let direct = file
            .branches
            .iter()
            .enumerate()
            .map(|(order, branch)| Reached {
                path: vec![branch.start],
                order,
                branch: *branch,
            });
        let mut reached: Vec<Reached> = direct.collect();

        let mut nested = Vec::new();
        let mut path = Vec::new();
        for expansion in &file.expansions {
            let function = self.function(expansion.function);
            let Some(region) = function.regions.get(expansion.region as usize) else {
                continue;
            };
            path.push(region.start);
            collect(function, region.expanded, &mut path, &mut nested);
            path.pop();
        }
        reached.append(&mut nested);
        reached.retain(|one| !one.branch.is_folded());
        reached.sort_by(|a, b| (&a.path, a.order).cmp(&(&b.path, b.order)));
        reached
    }
}

impl Reached {
    fn on_its_line(&self) -> LineBranch {
        LineBranch {
            line: self.path[0].line,
            true_count: self.branch.true_count,
            false_count: self.branch.false_count,
        }
    }
}

/// The branches inside one expansion: those of deeper expansions first, then its own.
///
/// The depth is bounded: every step goes to another local file of the function.
fn collect(function: &Function, file: LocalFile, path: &mut Vec<Position>, out: &mut Vec<Reached>) {
    if path.len() > function.files.len() {
        return;
    }
    for region in function.regions_in(file) {
        if region.kind == crate::RegionKind::Expansion {
            path.push(region.start);
            collect(function, region.expanded, path, out);
            path.pop();
        }
    }
    for branch in function.branches_in(file) {
        out.push(Reached {
            path: path.clone(),
            order: out.len(),
            branch: *branch,
        });
    }
}
