//! Several files that are one: what was found in each, together.

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::BString;

use crate::exclude::{outcomes, sum, tally};
use crate::{
    Branch, File, FileId, Function, FunctionId, Group, Line, LocalFile, Outcome, Position, Region,
    Segment, Summary, Tally, lines, segments, tally_lines,
};

/// Files that become one.
pub(crate) struct Several {
    pub(crate) parts: Vec<File>,
    /// Where functions touch it.
    pub(crate) uses: Vec<(FunctionId, LocalFile)>,
}

impl Several {
    /// Whether there are regions, and their numbers are LLVM's rather than Go's.
    pub(crate) fn is_of_llvm(&self, functions: &[Function]) -> bool {
        let mut used = self
            .uses
            .iter()
            .map(|(id, local)| (&functions[id.0 as usize], *local));
        let of_go = |part: &File| part.summary.statements != Tally::default();
        let counts = |id: &FunctionId| !functions[id.0 as usize].statements.is_empty();
        used.any(|(function, local)| !function.regions_in(local).is_empty())
            && !self.uses.iter().any(|(id, _)| counts(id))
            && !self.parts.iter().any(of_go)
    }

    /// Groups by place, and segments of all regions.
    pub(crate) fn instantiated(self, functions: &[Function]) -> File {
        let mut file = File::default();
        file.absorb(self.parts);
        let is_sum_of_groups = sum(&file.groups) == file.summary;
        let mut groups = std::mem::take(&mut file.groups);
        by_place(&mut groups, |_| true);
        let mut regions: Vec<Region> = Vec::new();
        for (id, local) in self.uses {
            regions.extend_from_slice(functions[id.0 as usize].regions_in(local));
        }
        let together = segments(&regions);
        // They are those lines that were listed before, unless regions are not what they seem.
        let is_listed = tally_lines(&together).total <= 2 * file.lines.len() as u64;
        if !file.segments.is_empty() && !regions.is_empty() && is_listed {
            file.lines = lines(&together);
            file.segments = together;
        }
        if is_sum_of_groups {
            file.summary = sum(&groups);
        }
        file.groups = groups;
        file
    }

    /// Lines and outcomes by their numbers, and segments over each other. Functions for which there
    /// is another go to `same`, with that one.
    pub(crate) fn added_up(
        self,
        id: FileId,
        functions: &mut [Function],
        same: &mut BTreeMap<FunctionId, FunctionId>,
    ) -> File {
        let parts = self.parts;
        let known: Vec<&File> = parts.iter().filter(|part| !part.is_blank()).collect();
        let stated: Vec<Summary> = known.iter().map(|part| part.summary).collect();
        let blocks = blocks(&known, functions);
        let mut lines: BTreeMap<u32, u64> = BTreeMap::new();
        let mut sides: BTreeMap<(u32, u32, u32), Option<u64>> = BTreeMap::new();
        for part in &parts {
            for line in &part.lines {
                let sum = lines.entry(line.number).or_default();
                *sum = sum.saturating_add(line.count);
            }
            for one in &part.outcomes {
                let sum = sides.entry((one.line, one.block, one.number)).or_default();
                // What was never reached in both is never reached.
                *sum = match (*sum, one.count) {
                    (Some(count), Some(more)) => Some(count.saturating_add(more)),
                    (count, more) => count.or(more),
                };
            }
        }
        let branches = branches(&parts);
        let together = overlay(&parts);
        let changed = find_doubles(id, &parts, functions, same);

        let mut file = File::default();
        file.absorb(parts);
        let line = |(number, count)| Line { number, count };
        file.lines = lines.into_iter().map(line).collect();
        let outcome = |((line, block, number), count)| Outcome {
            line,
            block,
            number,
            count,
        };
        file.outcomes = sides.into_iter().map(outcome).collect();
        file.branches = branches;
        file.segments = together;
        file.functions.retain(|id| !same.contains_key(id));
        for group in &mut file.groups {
            group.members.retain(|id| !same.contains_key(id));
            if group.members.iter().any(|id| changed.contains(id)) {
                group.recount_executions(functions);
            }
        }
        file.groups.retain(|group| !group.members.is_empty());
        // Functions of which the column is not known may be several on a line.
        by_place(&mut file.groups, |start| start.column > 0);
        file.summary = match &stated[..] {
            [] => Summary::default(),
            [one] => *one,
            several => counted(&file, several, blocks),
        };
        file
    }
}

/// Groups that start at one place become one, if it is one of those places.
fn by_place(groups: &mut Vec<Group>, is_place: impl Fn(Position) -> bool) {
    // Stable, so that members stay in load order.
    groups.sort_by_key(|group| group.start);
    groups.dedup_by(|next, kept| {
        let is_same = next.start == kept.start && is_place(kept.start);
        if is_same {
            let instantiations = kept.summary.instantiations + next.summary.instantiations;
            kept.summary = kept.summary.max(next.summary);
            kept.summary.instantiations = instantiations;
            kept.count = kept.count.wrapping_add(next.count);
            kept.members.append(&mut next.members);
        }
        is_same
    });
}

/// The numbers of what is listed. Where nothing is listed, what the parts say themselves.
fn counted(file: &File, stated: &[Summary], blocks: Option<(Tally, Tally)>) -> Summary {
    let most = stated.iter().copied();
    let mut summary = most.fold(Summary::default(), Summary::max);
    if !file.lines.is_empty() {
        summary.lines = tally(file);
    }
    if !file.groups.is_empty() {
        let groups = sum(&file.groups);
        summary.functions = groups.functions;
        summary.instantiations = groups.instantiations;
    }
    if !file.outcomes.is_empty() || !file.branches.is_empty() {
        summary.branches = outcomes(file);
    }
    if let Some(blocks) = blocks {
        (summary.regions, summary.statements) = blocks;
    }
    summary
}

/// Blocks and statements of several files of Go, each block counted once; none unless functions
/// have all blocks that each file counts.
fn blocks(parts: &[&File], functions: &[Function]) -> Option<(Tally, Tally)> {
    let counted = |found: &HashMap<(Position, Position, u32), bool>| {
        let mut counted = (Tally::default(), Tally::default());
        for ((_, _, statements), is_covered) in found {
            let (covered, total) = (u64::from(*is_covered), u64::from(*statements));
            counted.0 += Tally { covered, total: 1 };
            counted.1 += Tally {
                covered: covered * total,
                total,
            };
        }
        counted
    };
    let mut all = HashMap::new();
    for part in parts {
        let mut found = HashMap::new();
        for id in &part.functions {
            let function = &functions[id.0 as usize];
            for (region, statements) in function.regions.iter().zip(&function.statements) {
                // Blocks without statements are counted nowhere.
                if *statements > 0 {
                    let block = (region.start, region.end, *statements);
                    *found.entry(block).or_default() |= region.count > 0;
                }
            }
        }
        if counted(&found) != (part.summary.regions, part.summary.statements) {
            return None;
        }
        for (block, is_covered) in found {
            *all.entry(block).or_default() |= is_covered;
        }
    }
    Some(counted(&all))
}

/// Branches in their order; one that a part before has too adds up with it.
fn branches(parts: &[File]) -> Vec<Branch> {
    let mut all: Vec<Branch> = Vec::new();
    let mut known: HashMap<(LocalFile, Position, Position, bool), usize> = HashMap::new();
    for part in parts {
        let before = all.len();
        for branch in &part.branches {
            let key = (branch.file, branch.start, branch.end, branch.is_condition);
            let place = *known.entry(key).or_insert(all.len());
            if place >= before {
                all.push(*branch);
                continue;
            }
            let sum = &mut all[place];
            sum.true_count = sum.true_count.saturating_add(branch.true_count);
            sum.false_count = sum.false_count.saturating_add(branch.false_count);
            sum.true_folded &= branch.true_folded;
            sum.false_folded &= branch.false_folded;
        }
    }
    all
}

/// The segments of parts over each other: where several count, the sum.
fn overlay(parts: &[File]) -> Vec<Segment> {
    let of_part = |(number, part): (usize, &File)| {
        let segments = part.segments.clone().into_iter();
        segments.map(move |segment| (segment, number))
    };
    let mut all: Vec<(Segment, usize)> = parts.iter().enumerate().flat_map(of_part).collect();
    all.sort_by_key(|(segment, _)| segment.start);
    let mut open: Vec<Option<Segment>> = vec![None; parts.len()];
    // Of what is open: how much it counts, how many count, and how many of these are gaps.
    let (mut count, mut counting, mut gaps) = (0u128, 0usize, 0usize);
    let mut together = Vec::with_capacity(all.len());
    for here in all.chunk_by(|(a, _), (b, _)| a.start == b.start) {
        for (segment, number) in here {
            let before = open[*number].replace(*segment);
            if let Some(before) = before.filter(|before| before.has_count) {
                count -= u128::from(before.count);
                counting -= 1;
                gaps -= usize::from(before.is_gap);
            }
            if segment.has_count {
                count += u128::from(segment.count);
                counting += 1;
                gaps += usize::from(segment.is_gap);
            }
        }
        together.push(Segment {
            start: here[0].0.start,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            has_count: counting > 0,
            is_entry: here.iter().any(|(segment, _)| segment.is_entry),
            is_gap: counting > 0 && gaps == counting,
        });
    }
    together
}

/// Functions of a part that a part before has, by name and line, where no more is known of them:
/// they add up with those. Gives the ones that did.
fn find_doubles(
    id: FileId,
    parts: &[File],
    functions: &mut [Function],
    same: &mut BTreeMap<FunctionId, FunctionId>,
) -> HashSet<FunctionId> {
    let mut changed = HashSet::new();
    let mut known: HashMap<(BString, Position), (usize, FunctionId)> = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        for double in &part.functions {
            let function = &functions[double.0 as usize];
            let Some(declared) = function.declared.filter(|_| function.is_plain(id)) else {
                continue;
            };
            let key = (function.name.clone(), declared);
            let (of, kept) = *known.entry(key).or_insert((number, *double));
            if of == number || kept == *double || same.contains_key(double) {
                continue;
            }
            let (count, last_line) = (function.count, function.last_line);
            same.insert(*double, kept);
            changed.insert(kept);
            let function = &mut functions[kept.0 as usize];
            function.count = function.count.saturating_add(count);
            function.last_line = function.last_line.max(last_line);
            let itself = Tally {
                covered: u64::from(function.count > 0),
                total: 1,
            };
            function.summary.functions = itself;
            function.summary.instantiations = itself;
        }
    }
    changed
}

impl Function {
    /// No more is known of it than where in this file it begins, and how often it did.
    fn is_plain(&self, file: FileId) -> bool {
        self.files == [file]
            && self.regions.is_empty()
            && self.branches.is_empty()
            && self.mcdc.is_empty()
    }
}

impl Group {
    /// How often it was entered, and how many of its members were.
    fn recount_executions(&mut self, functions: &[Function]) {
        let counts = self.members.iter().map(|id| functions[id.0 as usize].count);
        self.count = counts.clone().fold(0, u64::wrapping_add);
        self.summary.functions = Tally {
            covered: u64::from(self.count > 0),
            total: 1,
        };
        self.summary.instantiations = Tally {
            covered: counts.filter(|count| *count > 0).count() as u64,
            total: self.members.len() as u64,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coverage, RegionKind};

    fn counts(file: &File) -> Vec<(u32, u64)> {
        let lines = file.lines.iter();
        lines.map(|line| (line.number, line.count)).collect()
    }

    fn tallied(covered: u64, total: u64) -> Tally {
        Tally { covered, total }
    }

    /// A file as a tracefile has it, with a function on its first line.
    fn traced(id: FileId, counts: &[u64], sides: &[Option<u64>]) -> (File, Function) {
        let declared = Position { line: 1, column: 0 };
        let itself = tallied(u64::from(counts[0] > 0), 1);
        let function = Function {
            name: "f".into(),
            count: counts[0],
            files: vec![id],
            main_file: Some(LocalFile(0)),
            declared: Some(declared),
            last_line: u32::try_from(counts.len()).ok(),
            summary: Summary {
                functions: itself,
                instantiations: itself,
                ..Summary::default()
            },
            ..Function::default()
        };
        let numbered = (1..).zip(counts);
        let outcomes = (0..).zip(sides).map(|(number, count)| Outcome {
            line: 1,
            block: 0,
            number,
            count: *count,
        });
        let file = File {
            name: format!("{}.c", id.0).into(),
            lines: numbered
                .map(|(number, count)| Line {
                    number,
                    count: *count,
                })
                .collect(),
            outcomes: outcomes.collect(),
            functions: vec![FunctionId(id.0)],
            groups: vec![Group {
                start: declared,
                members: vec![FunctionId(id.0)],
                count: counts[0],
                summary: function.summary,
            }],
            // As LLVM's tracefiles do, it says more of itself than is listed.
            summary: Summary {
                lines: tallied(7, 9),
                ..function.summary
            },
            ..File::default()
        };
        (file, function)
    }

    fn of(parts: impl IntoIterator<Item = (File, Function)>) -> Coverage {
        let (files, functions) = parts.into_iter().unzip();
        Coverage { files, functions }
    }

    #[test]
    fn lines_outcomes_and_functions_of_one_file_add_up() {
        let coverage = of([
            traced(FileId(0), &[1, 0], &[Some(1), Some(0), None]),
            traced(FileId(1), &[2, 3, 0], &[Some(0), Some(4), None]),
            traced(FileId(2), &[0], &[]),
        ]);
        let renamed = coverage.renamed(["w.c", "w.c", "z.c"].map(BString::from).to_vec());
        let [one, other] = &renamed.files[..] else {
            panic!("{:?}", renamed.files);
        };
        assert_eq!(counts(one), [(1, 3), (2, 3), (3, 0)]);
        let sides: Vec<_> = one.outcomes.iter().map(|one| one.count).collect();
        assert_eq!(sides, [Some(1), Some(4), None]);
        let expected = Summary {
            lines: tallied(2, 3),
            functions: tallied(1, 1),
            instantiations: tallied(1, 1),
            branches: tallied(2, 3),
            ..Summary::default()
        };
        assert_eq!(one.summary, expected);
        assert_eq!(renamed.functions.len(), 2);
        assert_eq!((renamed.functions[0].count, one.groups[0].count), (3, 3));
        assert_eq!(renamed.functions[0].last_line, Some(3));
        // The functions behind one that is gone have other numbers.
        assert_eq!(other.functions, [FunctionId(1)]);
        assert_eq!(renamed.function(FunctionId(1)).files, [FileId(1)]);
        // What nothing was added to has its own totals.
        assert_eq!(other.summary.lines, tallied(7, 9));
    }

    #[test]
    fn a_file_of_which_no_more_than_a_name_is_known_adds_nothing() {
        let (file, function) = traced(FileId(0), &[1], &[]);
        let blank = File {
            name: "1.c".into(),
            ..File::default()
        };
        let coverage = Coverage {
            files: vec![file.clone(), blank],
            functions: vec![function],
        };
        let renamed = coverage.renamed(vec!["w.c".into(), "w.c".into()]);
        assert_eq!(renamed.files[0].summary, file.summary);
        assert_eq!(renamed.files[0].lines, file.lines);
    }

    /// A file of Go with these blocks of one line and one statement each, in a function or loose.
    fn of_go(id: FileId, blocks: &[(u32, u64)], has_function: bool) -> (File, Function) {
        let regions = blocks.iter().map(|(line, count)| Region {
            kind: RegionKind::Code,
            file: LocalFile(0),
            expanded: LocalFile(0),
            start: Position {
                line: *line,
                column: 5,
            },
            end: Position {
                line: *line,
                column: 9,
            },
            count: *count,
        });
        let regions: Vec<Region> = regions.collect();
        let covered = blocks.iter().filter(|(_, count)| *count > 0).count() as u64;
        let all = tallied(covered, blocks.len() as u64);
        let summary = Summary {
            lines: all,
            regions: all,
            statements: all,
            ..Summary::default()
        };
        let mut file = File {
            name: format!("{}.go", id.0).into(),
            segments: segments(&regions),
            lines: blocks
                .iter()
                .map(|(number, count)| Line {
                    number: *number,
                    count: *count,
                })
                .collect(),
            summary,
            ..File::default()
        };
        let mut function = Function {
            files: vec![id],
            main_file: Some(LocalFile(0)),
            ..Function::default()
        };
        if has_function {
            function.statements = vec![1; regions.len()];
            function.regions = regions;
            function.summary = summary;
            file.functions.push(FunctionId(id.0));
        }
        (file, function)
    }

    #[test]
    fn blocks_of_one_file_of_go_are_counted_once() {
        let (first, second) = ([(1, 1), (2, 0)], [(2, 4), (3, 0)]);
        for (has_function, statements) in [(true, tallied(2, 3)), (false, tallied(1, 2))] {
            let coverage = of([
                of_go(FileId(0), &first, has_function),
                of_go(FileId(1), &second, has_function),
            ]);
            let renamed = coverage.renamed(vec!["w.go".into(), "w.go".into()]);
            let file = &renamed.files[0];
            assert_eq!(counts(file), [(1, 1), (2, 4), (3, 0)]);
            assert_eq!(file.summary.lines, tallied(2, 3));
            assert_eq!(file.summary.statements, statements, "{has_function}");
            assert_eq!(file.summary.regions, statements, "{has_function}");
            let of_blocks = file.segments.iter().filter(|segment| segment.is_entry);
            let of_blocks: Vec<_> = of_blocks
                .map(|segment| (segment.start.line, segment.count))
                .collect();
            assert_eq!(of_blocks, counts(file));
        }
    }

    #[test]
    fn many_names_of_one_file_are_put_in_order_once() {
        // Were each added to those before it, this would move 2^31 lines and segments.
        let count = 1 << 16;
        let part = |number: u32| of_go(FileId(number), &[(number + 1, 1)], true);
        let coverage = of((0..count).map(part));
        let renamed = coverage.renamed(vec!["w.go".into(); count as usize]);
        assert_eq!(renamed.files[0].lines.len(), count as usize);
        let all = u64::from(count);
        assert_eq!(renamed.files[0].summary.statements, tallied(all, all));
    }
}
