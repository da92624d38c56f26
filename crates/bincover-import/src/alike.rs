//! Reports of one build by LLVM, which differ in counts alone.
//!
//! Counts of regions are sums of counters, so they add up as those do; segments, lines and totals are
//! worked out again. The result is the report of the merged profiles.

use std::hash::{DefaultHasher, Hash, Hasher};

use bincover_model::{
    Branch, Coverage, File, Function, Group, LocalFile, Region, Segmenter, Summary, lines, segments,
};

/// What reports of one build have in common, as a hash; `None` if not all is there that is needed to add such
/// reports up: functions with regions, and totals that follow from them.
pub(crate) fn shape(report: &Coverage) -> Option<u64> {
    let has_regions = |function: &Function| !function.regions.is_empty();
    if !report.functions.iter().any(has_regions) || !follows(report) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    for file in &report.files {
        (&file.name, file.branches.len(), file.groups.len()).hash(&mut hasher);
        file.summary.branches.total.hash(&mut hasher);
    }
    for function in &report.functions {
        (&function.name, &function.files, function.main_file).hash(&mut hasher);
        for region in &function.regions {
            (region.kind, region.file, region.expanded).hash(&mut hasher);
            (region.start, region.end).hash(&mut hasher);
        }
        for branch in &function.branches {
            (branch.file, branch.start, branch.end).hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}

/// Whether two reports that have a [`shape`] are of one build.
pub(crate) fn are_alike(one: &Coverage, other: &Coverage) -> bool {
    one.functions.len() == other.functions.len()
        && one.files.len() == other.files.len()
        && one
            .functions
            .iter()
            .zip(&other.functions)
            .all(|(one, other)| function(one, other))
        && one
            .files
            .iter()
            .zip(&other.files)
            .all(|(one, other)| file(one, other))
}

fn all<T>(one: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

fn function(one: &Function, other: &Function) -> bool {
    one.name == other.name
        && one.files == other.files
        && one.main_file == other.main_file
        && one.declared == other.declared
        && one.last_line == other.last_line
        && one.mcdc.is_empty()
        && other.mcdc.is_empty()
        && all(&one.regions, &other.regions, |one, other| {
            let place = |region: &Region| Region {
                count: 0,
                ..*region
            };
            place(one) == place(other)
        })
        && all(&one.branches, &other.branches, branch)
}

fn branch(one: &Branch, other: &Branch) -> bool {
    let place = |branch: &Branch| Branch {
        true_count: 0,
        false_count: 0,
        ..*branch
    };
    place(one) == place(other)
}

fn file(one: &File, other: &File) -> bool {
    one.name == other.name
        && one.summary.branches.total == other.summary.branches.total
        && one.functions == other.functions
        && one.expansions == other.expansions
        && one.outcomes.is_empty()
        && other.outcomes.is_empty()
        && all(&one.branches, &other.branches, branch)
        && all(&one.groups, &other.groups, |one, other| {
            (one.start, &one.members) == (other.start, &other.members)
        })
}

/// Segments, lines and totals are what follows from the functions. Not so if there are MC/DC
/// decisions.
fn follows(report: &Coverage) -> bool {
    let mut files = report.files.iter().zip(regions(report));
    files.all(|(file, regions)| {
        file.is_blank()
            || file.segments == segments(&regions)
                && file.lines == lines(&file.segments)
                && file.summary == summary(file)
    })
}

/// The regions in each file, those of one function after those of another, as LLVM gathers them.
fn regions(report: &Coverage) -> Vec<Vec<Region>> {
    let mut regions = vec![Vec::new(); report.files.len()];
    for function in &report.functions {
        for (local, file) in (0..).map(LocalFile).zip(&function.files) {
            let here = function.regions_in(local);
            regions[file.0 as usize].extend_from_slice(here);
        }
    }
    regions
}

/// The sum of the functions' numbers. An export does not tell which sides of branches are constant:
/// these are never taken, so what was covered is right, and how many there are is as the report
/// has it.
fn summary(file: &File) -> Summary {
    let mut sum = Summary::default();
    for group in &file.groups {
        sum += group.summary;
    }
    sum.branches.total = file.summary.branches.total;
    sum
}

/// Adds the counts of a report that is alike.
pub(crate) fn add(sum: &mut Coverage, other: &Coverage) {
    let mut segmenter = Segmenter::default();
    for (one, other) in sum.functions.iter_mut().zip(&other.functions) {
        one.count = one.count.saturating_add(other.count);
        for (one, other) in one.regions.iter_mut().zip(&other.regions) {
            one.count = one.count.saturating_add(other.count);
        }
        add_branches(&mut one.branches, &other.branches);
        one.summary = one.summarize(&mut segmenter);
    }
    let regions = regions(sum);
    let functions = &sum.functions;
    let files = sum.files.iter_mut().zip(&other.files).zip(regions);
    for ((one, other), regions) in files.filter(|((one, _), _)| !one.is_blank()) {
        add_branches(&mut one.branches, &other.branches);
        one.segments = segments(&regions);
        one.lines = lines(&one.segments);
        for group in &mut one.groups {
            *group = Group::new(group.start, std::mem::take(&mut group.members), functions);
        }
        one.summary = summary(one);
    }
}

fn add_branches(one: &mut [Branch], other: &[Branch]) {
    for (one, other) in one.iter_mut().zip(other) {
        one.true_count = one.true_count.saturating_add(other.true_count);
        one.false_count = one.false_count.saturating_add(other.false_count);
    }
}
