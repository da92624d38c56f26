//! How much the expansions of a report ask for.

use bincover_model::{Function, LocalFile, Region, RegionKind};

/// Counts down while it goes the way that a report goes through the branches of expansions: a file costs as much as it
/// is deep and has regions and branches, as often as it is expanded.
pub(crate) struct Steps {
    pub(crate) left: u64,
}

impl Steps {
    /// False if there are not enough left for the expansions of this function.
    pub(crate) fn suffice(&mut self, function: &Function) -> bool {
        let Some(main) = function.main_file.filter(|_| !function.branches.is_empty()) else {
            return true;
        };
        let mut is_open = vec![false; function.files.len()];
        let mut open = vec![(main, expansions(function, main))];
        while let Some((file, rest)) = open.last_mut() {
            match rest.next() {
                // One that leads back to itself is not followed.
                Some(inner) if !std::mem::replace(&mut is_open[inner.0 as usize], true) => {
                    let cost = open.len()
                        + function.regions_in(inner).len()
                        + function.branches_in(inner).len();
                    match self.left.checked_sub(cost as u64) {
                        Some(left) => self.left = left,
                        None => return false,
                    }
                    open.push((inner, expansions(function, inner)));
                }
                Some(_) => {}
                None => {
                    is_open[file.0 as usize] = false;
                    open.pop();
                }
            }
        }
        true
    }
}

/// The files to which those expansions lead that are in this one.
fn expansions(function: &Function, file: LocalFile) -> impl Iterator<Item = LocalFile> + '_ {
    let regions = function.regions_in(file).iter();
    let is_one = |region: &&Region| region.kind == RegionKind::Expansion;
    regions.filter(is_one).map(|region| region.expanded)
}
