//! What is left out of coverage on request: lines, branches, whole files.
//!
//! Functions, regions, expansions, branches and decisions go with the line on which they begin;
//! what lies in a macro goes with the line of its use, or with its own. What a function has on
//! other lines stays, and counts for its file, though the function does not.
//!
//! Regions and branches of a [`Function`] stay in the model, and what was left out of each file
//! stays with it ([`File::excluded`]): views and lists of branches pass over it, and numbers were
//! taken off. [`Coverage::kept`] says of a function's parts which are still there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{
    Branch, Coverage, File, FileId, Function, FunctionId, Group, LocalFile, McdcRecord, Position,
    Region, RegionKind, Segment, Summary, Tally, segments, tally_lines,
};

/// Lines, as ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSet {
    /// First and last lines, ascending.
    ranges: Vec<(u32, u32)>,
}

impl LineSet {
    /// The lines of these ranges, of which each is from a first to a last line, in any order. One
    /// whose last line is before its first has none.
    #[must_use]
    pub fn of(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let real = |(first, last): &(u32, u32)| first <= last;
        let mut ranges: Vec<(u32, u32)> = ranges.into_iter().filter(real).collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        Self { ranges }
    }

    /// Whether the line is one of them.
    #[must_use]
    pub fn contains(&self, line: u32) -> bool {
        let next = self.ranges.partition_point(|range| range.1 < line);
        self.ranges.get(next).is_some_and(|range| range.0 <= line)
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// First and last lines of the ranges, ascending; between two of them is a line that is in
    /// neither.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges.iter().copied()
    }
}

/// What of a range of lines was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExcludedPart {
    /// The file, of which only its name is left.
    File,
    /// The lines, with all that begins on them.
    Lines,
    /// The lines that were not executed. The others are still there.
    Unexecuted,
    /// Branches and decisions alone.
    Branches,
}

impl ExcludedPart {
    /// One word for it, as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Lines => "lines",
            Self::Unexecuted => "unexecuted_lines",
            Self::Branches => "branches",
        }
    }
}

/// A range of lines that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcludedRange {
    /// The first line.
    pub first: u32,
    /// The last line.
    pub last: u32,
    /// What of it.
    pub part: ExcludedPart,
    /// Who asked for it, in words.
    pub rule: Arc<str>,
    /// How many lines that hold code went with it, or lines with branches if only these did;
    /// counted by [`Coverage::exclude`]. Those that an earlier rule took are not counted again.
    pub lines: u64,
}

/// What was left out of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Excluded {
    /// By whom, in the order in which it was asked for; they may overlap.
    pub ranges: Vec<ExcludedRange>,
    /// All lines that are out.
    pub lines: LineSet,
    /// All lines whose branches are out: the above, and more.
    pub branches: LineSet,
    /// Functions that are out since they begin on such a line, with the numbers of what they have on
    /// others, which count for the file.
    pub groups: Vec<Group>,
}

impl Excluded {
    /// Nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The whole file was left out, by this rule.
    #[must_use]
    pub fn file_rule(&self) -> Option<&str> {
        let mut ranges = self.ranges.iter();
        let found = ranges.find(|range| range.part == ExcludedPart::File);
        found.map(|range| &*range.rule)
    }

    pub(crate) fn add(&mut self, ranges: Vec<ExcludedRange>) {
        if ranges.is_empty() {
            return;
        }
        self.ranges.extend(ranges);
        let of = |is_wanted: fn(ExcludedPart) -> bool| {
            let wanted = self.ranges.iter().filter(|range| is_wanted(range.part));
            LineSet::of(wanted.map(|range| (range.first, range.last)))
        };
        self.lines = of(|part| part != ExcludedPart::Branches);
        self.branches = of(|_| true);
    }
}

/// Which parts of a function are still there.
#[derive(Debug)]
pub struct Kept<'c> {
    coverage: &'c Coverage,
    function: &'c Function,
    /// By local file; empty if nothing was left out of any of its files.
    gone: Vec<Gone>,
}

/// What is left of a local file whose uses were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Gone {
    all: bool,
    branches: bool,
}

static NOTHING: Excluded = Excluded {
    ranges: Vec::new(),
    lines: LineSet { ranges: Vec::new() },
    branches: LineSet { ranges: Vec::new() },
    groups: Vec::new(),
};

impl<'c> Kept<'c> {
    /// Nothing was left out of the function.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.gone.is_empty()
    }

    /// What was left out of one of the function's files.
    #[must_use]
    pub fn excluded(&self, file: LocalFile) -> &'c Excluded {
        let id = self.function.files.get(file.0 as usize);
        let file = id.and_then(|id| self.coverage.files.get(id.0 as usize));
        file.map_or(&NOTHING, |file| &file.excluded)
    }

    fn gone(&self, file: LocalFile) -> Gone {
        let gone = self.gone.get(file.0 as usize);
        gone.copied().unwrap_or_default()
    }

    /// Whether the function itself is there.
    #[must_use]
    pub fn has_function(&self) -> bool {
        if self.is_all() {
            return true;
        }
        let (Some(main), Some(start)) = (self.function.main_file, self.function.start()) else {
            return true;
        };
        !self.excluded(main).lines.contains(start.line)
    }

    /// Whether one of its regions is there.
    #[must_use]
    pub fn has_region(&self, region: &Region) -> bool {
        self.is_all()
            || !self.gone(region.file).all
                && !self.excluded(region.file).lines.contains(region.start.line)
    }

    /// Whether one of its branches is there.
    #[must_use]
    pub fn has_branch(&self, branch: &Branch) -> bool {
        self.has_branches_at(branch.file, branch.start)
    }

    /// Whether one of its decisions is there.
    #[must_use]
    pub fn has_mcdc(&self, record: &McdcRecord) -> bool {
        self.has_branches_at(record.file, record.start)
    }

    fn has_branches_at(&self, file: LocalFile, start: Position) -> bool {
        self.is_all()
            || !self.gone(file).branches && !self.excluded(file).branches.contains(start.line)
    }

    /// Of each local file, whether all uses of it were left out.
    fn find_gone(&mut self) {
        let function = self.function;
        let local = || (0..=u32::MAX).map(LocalFile).take(function.files.len());
        if local().all(|file| self.excluded(file).is_empty()) {
            return;
        }
        let uses = |region: &&Region| region.kind == RegionKind::Expansion;
        let mut expanded: Vec<Vec<&Region>> = vec![Vec::new(); function.files.len()];
        let mut is_used = vec![false; function.files.len()];
        for region in function.regions.iter().filter(uses) {
            if let Some(expanded) = expanded.get_mut(region.file.0 as usize) {
                expanded.push(region);
            }
            if let Some(is_used) = is_used.get_mut(region.expanded.0 as usize) {
                *is_used = true;
            }
        }
        let reach = |is_out: &dyn Fn(&Region) -> bool| {
            // What is used nowhere is where one begins.
            let mut reached: Vec<bool> = is_used.iter().map(|is_used| !is_used).collect();
            let mut pending: Vec<LocalFile> =
                local().filter(|file| reached[file.0 as usize]).collect();
            while let Some(file) = pending.pop() {
                for region in &expanded[file.0 as usize] {
                    if let Some(reached) = reached.get_mut(region.expanded.0 as usize)
                        && !is_out(region)
                        && !std::mem::replace(reached, true)
                    {
                        pending.push(region.expanded);
                    }
                }
            }
            reached
        };
        let whole = reach(&|_| false);
        let lines = |region: &Region| self.excluded(region.file).lines.contains(region.start.line);
        let branches = |region: &Region| {
            let excluded = self.excluded(region.file);
            excluded.branches.contains(region.start.line)
        };
        let (with_lines, with_branches) = (reach(&lines), reach(&branches));
        let gone = whole.iter().zip(&with_lines).zip(&with_branches);
        self.gone = gone
            .map(|((whole, lines), branches)| Gone {
                // What no use leads to was never used.
                all: *whole && !lines,
                branches: *whole && !branches,
            })
            .collect();
    }
}

/// The segments of a view without some lines. What was open before them goes on behind them, as it
/// was where they end.
#[must_use]
pub fn cut(all: &[Segment], lines: &LineSet) -> Vec<Segment> {
    let mut kept = Vec::with_capacity(all.len());
    let mut rest = all;
    let mut open: Option<Segment> = None;
    for (first, last) in lines.ranges() {
        let before = rest.partition_point(|segment| segment.start.line < first);
        let (here, after) = rest.split_at(before);
        kept.extend_from_slice(here);
        open = here.last().copied().or(open);
        let inside = after.partition_point(|segment| segment.start.line <= last);
        let (inside, after) = after.split_at(inside);
        rest = after;
        if open.is_some_and(|open| open.has_count) {
            // As code that the preprocessor skipped.
            kept.push(Segment {
                start: Position {
                    line: first,
                    column: 1,
                },
                count: 0,
                has_count: false,
                is_entry: true,
                is_gap: false,
            });
        }
        open = inside.last().copied().or(open);
        let Some(state) = open.filter(|open| open.has_count) else {
            continue;
        };
        let column = match inside.last() {
            Some(end) if end.start.line == last => end.start.column.max(2),
            _ => 2,
        };
        // It begins nowhere, so it is no code by itself.
        let resumed = Segment {
            start: Position { line: last, column },
            is_entry: false,
            is_gap: true,
            ..state
        };
        kept.push(resumed);
        open = Some(resumed);
    }
    kept.extend_from_slice(rest);
    kept
}

impl Coverage {
    /// Which parts of one of its functions are still there.
    #[must_use]
    pub fn kept<'c>(&'c self, function: &'c Function) -> Kept<'c> {
        let mut kept = Kept {
            coverage: self,
            function,
            gone: Vec::new(),
        };
        kept.find_gone();
        kept
    }

    /// The files that were left out as a whole.
    pub fn excluded_files(&self) -> impl Iterator<Item = &File> {
        let is_out = |file: &&File| file.excluded.file_rule().is_some();
        self.files.iter().filter(is_out)
    }

    /// Leaves out what is asked for of each file, and takes it off the numbers. What was left out
    /// before stays out.
    ///
    /// # Panics
    /// If a file's id belongs to another `Coverage`.
    pub fn exclude(&mut self, asked: impl IntoIterator<Item = (FileId, Vec<ExcludedRange>)>) {
        let asked = asked.into_iter();
        let asked: Vec<_> = asked.filter(|(_, ranges)| !ranges.is_empty()).collect();
        if asked.is_empty() {
            return;
        }
        let mut is_touched = vec![false; self.files.len()];
        for (id, _) in &asked {
            is_touched[id.0 as usize] = true;
        }
        let functions = (0..=u32::MAX).map(FunctionId).zip(&self.functions);
        let functions = functions.filter(|(_, function)| {
            let mut files = function.files.iter();
            files.any(|id| is_touched[id.0 as usize])
        });
        let gone = functions.map(|(id, function)| (id, self.gone(function)));
        let gone: Vec<(FunctionId, Summary)> = gone.collect();
        for (id, ranges) in asked {
            let file = &mut self.files[id.0 as usize];
            let ranges = counted(file, ranges);
            file.excluded.add(ranges);
        }
        let mut before: HashMap<FunctionId, Summary> = HashMap::new();
        for (id, gone_before) in gone {
            let function = self.function(id);
            let more = self.gone(function).without(gone_before);
            let mut summary = function.summary.without(more).sound();
            self.recount_branches(function, &mut summary);
            let function = &mut self.functions[id.0 as usize];
            before.insert(id, std::mem::replace(&mut function.summary, summary));
        }
        for (index, is_touched) in is_touched.iter().enumerate() {
            let file = &self.files[index];
            let groups = file.groups.iter().chain(&file.excluded.groups);
            // A macro's file may be the one that was touched.
            let mut members = groups.flat_map(|group| &group.members);
            if *is_touched || members.any(|id| before.contains_key(id)) {
                let file = std::mem::take(&mut self.files[index]);
                self.files[index] = self.without_excluded(file, &before);
            }
        }
    }

    /// Regions, statements and lines of a function that were left out.
    fn gone(&self, function: &Function) -> Summary {
        let kept = self.kept(function);
        let mut gone = Summary::default();
        if kept.is_all() {
            return gone;
        }
        for (index, region) in function.regions.iter().enumerate() {
            if region.kind != RegionKind::Code || kept.has_region(region) {
                continue;
            }
            let covered = u64::from(region.count > 0);
            let statements = function.statements.get(index).copied().map(u64::from);
            // Go's blocks without statements are counted nowhere.
            if statements != Some(0) {
                gone.regions += Tally { covered, total: 1 };
            }
            let total = statements.unwrap_or(0);
            gone.statements += Tally {
                covered: covered * total,
                total,
            };
        }
        if let Some(main) = function.main_file {
            let all = segments(function.regions_in(main));
            let left = cut(&all, &kept.excluded(main).lines);
            gone.lines = tally_lines(&all).without(tally_lines(&left));
        }
        gone
    }

    /// Branches and decisions of a function, of those that are there.
    fn recount_branches(&self, function: &Function, summary: &mut Summary) {
        let kept = self.kept(function);
        let Some(main) = function.main_file else {
            return;
        };
        if !function.branches.is_empty() {
            let is_expanded = |region: &Region| {
                let excluded = kept.excluded(region.file);
                !excluded.branches.contains(region.start.line)
            };
            let is_wanted = |branch: &Branch| kept.has_branch(branch);
            summary.branches = function.branches_below(main, is_wanted, is_expanded);
        }
        if !function.mcdc.is_empty() {
            let records = function.mcdc.iter();
            let records = records.filter(|record| record.file == main && kept.has_mcdc(record));
            summary.mcdc = records.fold(Tally::default(), |sum, record| sum + record.tally());
        }
    }

    /// A file without what was left out of it; `before` has the numbers that functions had.
    fn without_excluded(&self, mut file: File, before: &HashMap<FunctionId, Summary>) -> File {
        if file.excluded.file_rule().is_some() {
            return File {
                name: file.name,
                excluded: file.excluded,
                ..File::default()
            };
        }
        let old_summary = file.summary;
        let old_lines = tally(&file);
        let old_branches = outcomes(&file);
        let mut old_groups = sum(&file.groups);
        old_groups += sum(&file.excluded.groups);

        let lines = file.excluded.lines.clone();
        let branches = file.excluded.branches.clone();
        file.lines.retain(|line| !lines.contains(line.number));
        file.segments = cut(&file.segments, &lines);
        let has_branch = |branch: &Branch| !branches.contains(branch.start.line);
        file.branches.retain(has_branch);
        file.outcomes
            .retain(|outcome| !branches.contains(outcome.line));
        file.expansions.retain(|expansion| {
            let region = self.expansion_region(*expansion);
            region.is_none_or(|region| !lines.contains(region.start.line))
        });
        let has_mcdc = |record: &McdcRecord| !branches.contains(record.start.line);
        file.mcdc.retain(|id| has_mcdc(self.mcdc(*id)));
        file.functions.retain(|id| {
            // The file itself is not in its place now.
            let start = self.function(*id).start();
            start.is_none_or(|start| !lines.contains(start.line))
        });

        let mut all = std::mem::take(&mut file.groups);
        all.iter_mut().for_each(|group| self.regroup(group, before));
        let outside = &mut file.excluded.groups;
        outside
            .iter_mut()
            .for_each(|group| self.regroup(group, before));
        for mut group in all {
            match lines.contains(group.start.line) {
                false => file.groups.push(group),
                true => {
                    group.summary.functions = Tally::default();
                    group.summary.instantiations = Tally::default();
                    outside.push(group);
                }
            }
        }
        let mut new_groups = sum(&file.groups);
        new_groups += sum(&file.excluded.groups);

        let mut summary = old_summary.without(old_groups.without(new_groups));
        if old_summary.lines == old_lines {
            summary.lines = tally(&file);
        }
        if old_groups.branches != old_summary.branches && old_summary.branches == old_branches {
            summary.branches = outcomes(&file);
        }
        file.summary = summary.sound();
        file
    }

    /// Takes off a group's numbers what was taken off those of its members.
    fn regroup(&self, group: &mut Group, before: &HashMap<FunctionId, Summary>) {
        let now = |id: &FunctionId| self.function(*id).summary;
        let then = |id: &FunctionId| before.get(id).copied().unwrap_or_else(|| now(id));
        let members = || group.members.iter();
        let old = members().map(then).fold(Summary::default(), Summary::max);
        let new = members().map(now).fold(Summary::default(), Summary::max);
        group.summary = group.summary.without(old.without(new)).sound();
    }
}

/// What ranges take of a file: with its lines counted, and such as take only unexecuted lines cut
/// to these.
fn counted(file: &File, ranges: Vec<ExcludedRange>) -> Vec<ExcludedRange> {
    let mut counted = Vec::with_capacity(ranges.len());
    let mut left = Left::all(file.lines.len());
    let of_outcomes = file.outcomes.iter().map(|one| one.line);
    let of_branches = file.branches.iter().map(|one| one.start.line);
    let mut branches: Vec<u32> = of_branches.chain(of_outcomes).collect();
    branches.sort_unstable();
    branches.dedup();
    for range in ranges {
        let until = |line: u32| line <= range.last;
        let from = file.lines.partition_point(|line| line.number < range.first);
        let here = file.lines[from..].partition_point(|line| until(line.number));
        match range.part {
            ExcludedPart::Branches => {
                let from = branches.partition_point(|line| *line < range.first);
                let lines = branches[from..].partition_point(|line| until(*line)) as u64;
                counted.push(ExcludedRange { lines, ..range });
            }
            ExcludedPart::File | ExcludedPart::Lines => {
                let lines = left.take(from..from + here);
                counted.push(ExcludedRange { lines, ..range });
            }
            ExcludedPart::Unexecuted => {
                let mut run: Option<ExcludedRange> = None;
                for (index, line) in (from..).zip(&file.lines[from..from + here]) {
                    if line.count > 0 {
                        counted.extend(run.take());
                        continue;
                    }
                    let run = run.get_or_insert_with(|| ExcludedRange {
                        first: line.number,
                        lines: 0,
                        rule: Arc::clone(&range.rule),
                        ..range
                    });
                    run.last = line.number;
                    run.lines += left.take(index..index + 1);
                }
                counted.extend(run);
            }
        }
    }
    counted
}

/// Lines, by index, that no range has taken yet.
struct Left {
    /// For each, itself, or one behind it before which all are taken.
    next: Vec<usize>,
}

impl Left {
    fn all(count: usize) -> Self {
        Self {
            next: (0..=count).collect(),
        }
    }

    /// Takes what is left of these, and says how many that were. However many ranges there are over
    /// each other, each line is taken once.
    fn take(&mut self, lines: std::ops::Range<usize>) -> u64 {
        let mut taken = 0;
        let mut at = self.first(lines.start);
        while at < lines.end {
            self.next[at] = at + 1;
            taken += 1;
            at = self.first(at + 1);
        }
        taken
    }

    /// The first that is left from this one on. The way there is shorter the next time.
    fn first(&mut self, mut at: usize) -> usize {
        while self.next[at] != at {
            self.next[at] = self.next[self.next[at]];
            at = self.next[at];
        }
        at
    }
}

pub(crate) fn tally(file: &File) -> Tally {
    let covered = file.lines.iter().filter(|line| line.count > 0).count();
    Tally {
        covered: covered as u64,
        total: file.lines.len() as u64,
    }
}

pub(crate) fn outcomes(file: &File) -> Tally {
    let branches = file.branches.iter().map(Branch::outcomes);
    let outcomes = file.outcomes.iter().map(|one| Tally {
        covered: u64::from(one.count.is_some_and(|count| count > 0)),
        total: 1,
    });
    branches
        .chain(outcomes)
        .fold(Tally::default(), |sum, one| sum + one)
}

pub(crate) fn sum(groups: &[Group]) -> Summary {
    let mut sum = Summary::default();
    for group in groups {
        sum += group.summary;
    }
    sum
}
