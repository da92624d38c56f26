//! The numbers of functions and of instantiation groups (LLVM: `FunctionCoverageSummary`).

use crate::{
    Function, FunctionId, Group, Position, RegionKind, Segmenter, Summary, Tally, tally_lines,
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
            summary.branches = self.branches_below(main, |_| true, |_| true);
        }
        for record in self.mcdc.iter().filter(|record| record.file == main) {
            summary.mcdc += record.tally();
        }
        summary
    }
}

fn tally(counts: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for count in counts {
        tally.covered += u64::from(count > 0);
        tally.total += 1;
    }
    tally
}
