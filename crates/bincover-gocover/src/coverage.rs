//! [`Profile`] to evaluated coverage: blocks to lines.
//!
//! Go counts blocks and statements. Which lines a block has is nowhere defined, and tools differ.
//! Here a line belongs to a block if code lies on it inside of the block; a brace is no code. That
//! gives the same lines for data of Go up to 1.26 and since 1.27, whose blocks are cut in other
//! ways. Without the source, the lines at a block's ends are guessed from its columns. A line ran
//! as often as the block on it that ran most.

use std::collections::{BTreeMap, HashMap, HashSet};

use bincover_model::{
    Coverage, File, FileId, Function, FunctionId, Group, Line, LocalFile, Position, Region,
    RegionKind, Summary, Tally, segments,
};
use bstr::{BStr, BString, ByteSlice};

use crate::limits::{MAX_LINE, MAX_LINES, MAX_LINES_OF_BLOCK};
use crate::listing::numbered;
use crate::meta::Unit;
use crate::profile::{Package, Profile};
use crate::source::Source;

/// Where a source file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The name that reports have for it.
    pub name: BString,
    /// Its text, if it can be had.
    pub source: Option<Vec<u8>>,
}

/// Which lines a block has, and what a line's count is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineRule {
    /// Lines with code of the block; the count is that of the block on the line that ran most.
    #[default]
    Max,
    /// As gcov2lcov has it: all lines from the first to the last, and the sum of the blocks'
    /// counts.
    Sum,
}

/// Evaluates a profile. `locate` is given the name of each file, an import path and a base name, and
/// the path of its module; it is asked once for each.
pub fn coverage(
    profile: &Profile,
    locate: &mut dyn FnMut(&BStr, &BStr) -> Located,
    rule: LineRule,
) -> Coverage {
    let mut files: BTreeMap<BString, Gathered<'_>> = BTreeMap::new();
    let mut names: HashMap<&[u8], BString> = HashMap::new();
    for (path, package) in profile.named_packages() {
        let element = path.rsplit(|&byte| byte == b'/').next();
        gather(
            package,
            element.unwrap_or_default(),
            locate,
            &mut names,
            &mut files,
        );
    }
    let mut coverage = Coverage::default();
    let blocks = files.values().map(|file| file.blocks.len() as u64).sum();
    let mut left = Left::of(blocks);
    for (name, gathered) in files {
        let id = FileId(u32::try_from(coverage.files.len()).unwrap_or(u32::MAX));
        let file = gathered.file(id, rule, &mut left, &mut coverage.functions);
        coverage.files.push(File { name, ..file });
    }
    coverage
}

/// How many lines may still be looked at, of all files and of all functions.
struct Left {
    of_files: u64,
    of_functions: u64,
}

impl Left {
    fn of(blocks: u64) -> Self {
        let lines = MAX_LINES.saturating_add(blocks.saturating_mul(MAX_LINES_OF_BLOCK));
        Self {
            of_files: lines,
            of_functions: lines,
        }
    }
}

/// What lies in one file.
#[derive(Default)]
struct Gathered<'p> {
    source: Option<Source>,
    functions: Vec<Named<'p>>,
    blocks: Vec<(Unit, u64)>,
    /// Blocks of which no function is known.
    loose: Vec<(Unit, u64)>,
    /// The last element of the package's import path.
    element: &'p [u8],
}

struct Named<'p> {
    name: BString,
    units: Vec<(Unit, u64)>,
    count: u64,
    declared: Position,
    element: &'p [u8],
}

fn gather<'p>(
    package: &'p Package,
    element: &'p [u8],
    locate: &mut dyn FnMut(&BStr, &BStr) -> Located,
    names: &mut HashMap<&'p [u8], BString>,
    files: &mut BTreeMap<BString, Gathered<'p>>,
) {
    let mut find = |file: &'p [u8], files: &mut BTreeMap<BString, Gathered<'p>>| {
        let name = names.entry(file).or_insert_with(|| {
            let located = locate(file.as_bstr(), package.module().as_bstr());
            let gathered = files.entry(located.name.clone()).or_default();
            gathered.element = element;
            if let Some(text) = located.source {
                gathered.source.get_or_insert_with(|| Source::parse(&text));
            }
            located.name
        });
        name.clone()
    };
    for block in package.blocks() {
        let name = find(block.file, files);
        let Some(file) = files.get_mut(&name) else {
            continue;
        };
        file.blocks.push((block.unit, block.count));
        if block.function.is_empty() {
            file.loose.push((block.unit, block.count));
        }
    }
    for one in package.functions() {
        let function = &one.function;
        let Some(first) = function.units.first() else {
            continue;
        };
        let name = find(&function.file, files);
        let Some(file) = files.get_mut(&name) else {
            continue;
        };
        let mut declared = position(first.start_line, first.start_column);
        let source = file.source.as_ref().filter(|_| !function.literal);
        if let Some(found) =
            source.and_then(|source| source.function_at(declared.line, declared.column))
        {
            declared = position(found.start.0, found.start.1);
        }
        file.functions.push(Named {
            name: function.name.as_bstr().to_owned(),
            units: function
                .units
                .iter()
                .copied()
                .zip(one.counts.iter().copied())
                .collect(),
            count: one.counts.first().copied().unwrap_or(0),
            declared,
            element,
        });
    }
}

fn position(line: u32, column: u32) -> Position {
    Position { line, column }
}

impl Gathered<'_> {
    fn file(
        mut self,
        id: FileId,
        rule: LineRule,
        left: &mut Left,
        functions: &mut Vec<Function>,
    ) -> File {
        self.check_source();
        self.name_loose();
        self.functions
            .sort_by(|a, b| (a.declared, &a.name).cmp(&(b.declared, &b.name)));
        let ends: HashSet<(u32, u32)> = self
            .blocks
            .iter()
            .map(|(unit, _)| (unit.end_line, unit.end_column))
            .collect();
        let rules = Rules {
            rule,
            source: self.source.as_ref(),
            ends,
        };
        let lines = rules.lines(&self.blocks, &mut left.of_files);
        let mut file = File {
            segments: segments(&regions(&self.blocks)),
            ..File::default()
        };
        let names: Vec<Vec<u8>> = self
            .functions
            .iter()
            .map(|one| [one.element, b".", &one.name].concat())
            .collect();
        let numbers = numbered(names.iter().map(Vec::as_slice));
        for ((one, mut name), number) in self.functions.iter().zip(names).zip(numbers) {
            if number > 1 {
                name.extend_from_slice(format!("#{number}").as_bytes());
            }
            let function = FunctionId(u32::try_from(functions.len()).unwrap_or(u32::MAX));
            let itself = Tally {
                covered: u64::from(one.count > 0),
                total: 1,
            };
            let summary = Summary {
                functions: itself,
                instantiations: itself,
                lines: tally(&rules.lines(&one.units, &mut left.of_functions)),
                ..summary(&one.units)
            };
            file.functions.push(function);
            match file.groups.last_mut() {
                // Versions of a function in several programs.
                Some(group) if group.start == one.declared => {
                    let mut with = group.summary.max(summary);
                    with.functions.covered = u64::from(group.count > 0 || one.count > 0);
                    with.instantiations = group.summary.instantiations + itself;
                    group.summary = with;
                    group.count = group.count.saturating_add(one.count);
                    group.members.push(function);
                }
                _ => file.groups.push(Group {
                    start: one.declared,
                    members: vec![function],
                    count: one.count,
                    summary,
                }),
            }
            functions.push(Function {
                name: name.into(),
                count: one.count,
                files: vec![id],
                main_file: Some(LocalFile(0)),
                declared: Some(one.declared),
                regions: regions(&one.units),
                statements: statements(&one.units),
                summary,
                ..Function::default()
            });
        }
        let mut of_groups = Summary::default();
        for group in &file.groups {
            of_groups += group.summary;
        }
        file.summary = Summary {
            functions: of_groups.functions,
            instantiations: of_groups.instantiations,
            lines: tally(&lines),
            ..summary(&self.blocks)
        };
        file.lines = lines;
        file
    }

    /// A source that ends before all blocks is not what was compiled. That it ends before some is
    /// what `//line` directives do.
    fn check_source(&mut self) {
        let lines = self.source.as_ref().map_or(0, Source::line_count);
        let is_beyond = |(unit, _): &(Unit, u64)| unit.start_line > lines;
        if self.blocks.iter().all(is_beyond) {
            self.source = None;
        }
    }

    /// Text profiles know no functions, but the source does.
    fn name_loose(&mut self) {
        let Some(source) = &self.source else {
            return;
        };
        let known: HashSet<(u32, u32)> = self
            .functions
            .iter()
            .map(|one| (one.declared.line, one.declared.column))
            .collect();
        let mut found: BTreeMap<(u32, u32), Named<'_>> = BTreeMap::new();
        for &(unit, count) in &self.loose {
            let Some(declared) = source.function_at(unit.start_line, unit.start_column) else {
                continue;
            };
            let start = position(declared.start.0, declared.start.1);
            if known.contains(&declared.start) {
                continue;
            }
            let one = found.entry(declared.start).or_insert_with(|| Named {
                name: declared.name.clone(),
                units: Vec::new(),
                count,
                declared: start,
                element: self.element,
            });
            one.units.push((unit, count));
        }
        self.functions.extend(found.into_values());
    }
}

/// The blocks as regions, without those that have no extent.
fn regions(blocks: &[(Unit, u64)]) -> Vec<Region> {
    blocks.iter().filter_map(region).collect()
}

/// How many statements each of these regions has.
fn statements(blocks: &[(Unit, u64)]) -> Vec<u32> {
    let blocks = blocks.iter().filter(|block| region(block).is_some());
    blocks.map(|(unit, _)| unit.statements).collect()
}

fn region((unit, count): &(Unit, u64)) -> Option<Region> {
    let region = Region {
        kind: RegionKind::Code,
        file: LocalFile(0),
        expanded: LocalFile(0),
        start: position(unit.start_line, unit.start_column.max(1)),
        end: match unit.end_column {
            // Unknown: the whole line.
            0 => position(unit.end_line.saturating_add(1), 1),
            column => position(unit.end_line, column),
        },
        count: *count,
    };
    (region.start < region.end).then_some(region)
}

/// Blocks and statements.
fn summary(blocks: &[(Unit, u64)]) -> Summary {
    let mut summary = Summary::default();
    for (unit, count) in blocks.iter().filter(|(unit, _)| unit.statements > 0) {
        let covered = u64::from(*count > 0);
        summary.regions += Tally { covered, total: 1 };
        let total = u64::from(unit.statements);
        summary.statements += Tally {
            covered: covered * total,
            total,
        };
    }
    summary
}

fn tally(lines: &[Line]) -> Tally {
    let covered = lines.iter().filter(|line| line.count > 0);
    Tally {
        covered: covered.count() as u64,
        total: lines.len() as u64,
    }
}

/// How blocks become lines.
struct Rules<'s> {
    rule: LineRule,
    source: Option<&'s Source>,
    /// Where blocks of the file end.
    ends: HashSet<(u32, u32)>,
}

impl Rules<'_> {
    /// `left` is how many lines may be looked at.
    fn lines(&self, blocks: &[(Unit, u64)], left: &mut u64) -> Vec<Line> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for (unit, count) in blocks {
            let lines = match self.rule {
                LineRule::Sum => unit.start_line..unit.end_line.saturating_add(1),
                LineRule::Max if unit.statements == 0 => continue,
                LineRule::Max => self.extent(unit),
            };
            let more = u64::from(lines.end.saturating_sub(lines.start));
            // One that is too much does not keep smaller ones from being listed.
            if lines.end > MAX_LINE || more > *left {
                continue;
            }
            *left -= more;
            for line in lines {
                if self.rule == LineRule::Sum {
                    let sum = counts.entry(line).or_default();
                    *sum = sum.saturating_add(*count);
                } else if self.has_code(unit, line) {
                    let most = counts.entry(line).or_default();
                    *most = (*most).max(*count);
                }
            }
        }
        let lines = counts.into_iter();
        lines
            .map(|(number, count)| Line { number, count })
            .collect()
    }

    /// The lines that a block may have.
    fn extent(&self, unit: &Unit) -> std::ops::Range<u32> {
        let mut start = unit.start_line;
        let mut end = unit.end_line.saturating_add(1);
        if self.source.is_none() {
            // The last line has a brace alone; the first is another block's if that one ends there.
            if matches!(unit.end_column, 1 | 2) {
                end -= 1;
            }
            if self.ends.contains(&(unit.start_line, unit.start_column)) {
                start = start.saturating_add(1);
            }
        }
        start.max(1)..end
    }

    fn has_code(&self, unit: &Unit, line: u32) -> bool {
        let start = match unit.start_column {
            column if line == unit.start_line => column.max(1),
            _ => 1,
        };
        let end = match unit.end_column {
            column if line == unit.end_line && column > 0 => column,
            _ => u32::MAX,
        };
        match self.source {
            Some(source) => source.has_code(line, start..end),
            None => start < end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::MetaBuilder;
    use crate::{Granularity, HashKind, Mode, Program, Sums, Text, TextProfile};

    /// The blocks of Go 1.26 and of 1.27 for one source.
    const SOURCE: &str = "package p

func f(x int) int {
\tif x > 1 {
\t\treturn 2
\t}

\t// more
\treturn 3
}
";
    const OLD: &str =
        "mode: count\nm/p/a.go:3.19,4.11 1 5\nm/p/a.go:4.11,6.3 1 0\nm/p/a.go:9.2,9.10 1 5\n";
    const NEW: &str =
        "mode: count\nm/p/a.go:4.2,4.11 1 5\nm/p/a.go:5.3,6.1 1 0\nm/p/a.go:9.2,10.1 1 5\n";

    fn evaluated(text: &str, source: Option<&str>, rule: LineRule) -> Coverage {
        let text = TextProfile::parse(text.as_bytes()).unwrap();
        let mut profile = Profile::new(Mode::Count);
        profile.add_text(&text);
        let mut locate = |file: &BStr, _: &BStr| Located {
            name: file.to_owned(),
            source: source.map(|source| source.as_bytes().to_vec()),
        };
        coverage(&profile, &mut locate, rule)
    }

    fn lines(text: &str, source: Option<&str>, rule: LineRule) -> Vec<(u32, u64)> {
        let coverage = evaluated(text, source, rule);
        let lines = coverage.files[0].lines.iter();
        lines.map(|line| (line.number, line.count)).collect()
    }

    #[test]
    fn both_ways_to_cut_blocks_give_the_same_lines() {
        let expected = [(4, 5), (5, 0), (9, 5)];
        for text in [OLD, NEW] {
            assert_eq!(lines(text, Some(SOURCE), LineRule::Max), expected);
        }
    }

    /// These would be 2^33 lines, a few bytes for each 2^23 of them.
    #[test]
    fn few_bytes_do_not_make_many_lines() {
        let mut text = String::from("mode: set\nm/a.go:1.1,65536.3 1 1\n");
        for file in 0..1024 {
            text += &format!("m/b{file:04}.go:1.1,8388608.3 1 1\n");
        }
        text += "m/z.go:1.1,2.9 1 1\n";
        let coverage = evaluated(&text, None, LineRule::Max);
        let lines = |file: &File| file.lines.len() as u64;
        let all: u64 = coverage.files.iter().map(lines).sum();
        assert!(all <= MAX_LINES + 1026 * MAX_LINES_OF_BLOCK, "{all}");
        // What is not too much stays, wherever it comes.
        assert_eq!(lines(&coverage.files[0]), 65536);
        assert_eq!(lines(&coverage.files[1]), 0);
        assert_eq!(lines(&coverage.files[1025]), 2);
    }

    /// Half of the functions of the source are in a program, and the other half in a text profile. If each were looked
    /// for among all, this would take four times as long.
    #[test]
    fn functions_that_no_program_has() {
        let count = 1 << 15;
        let unit = |line: u32| Unit {
            start_line: line,
            start_column: 16,
            end_line: line,
            end_column: 19,
            statements: 1,
        };
        let mut builder = MetaBuilder::new(HashKind::Fnv);
        let [path, name, file] = ["m/a", "a", "m/a/t.go"].map(|text| Text::from(text.as_bytes()));
        let package = builder.package(&path, &name, &Text::default());
        let mut source = String::new();
        let mut text = String::from("mode: count\n");
        for line in 1..=2 * count {
            source += &format!("func a{line:06}() {{ x }}\n");
            match line % 2 {
                0 => text += &format!("m/a/t.go:{line}.16,{line}.19 1 1\n"),
                _ => {
                    let function = crate::meta::Function {
                        name: format!("a{line:06}").as_bytes().into(),
                        file: file.clone(),
                        units: [unit(line)].into(),
                        literal: false,
                    };
                    builder.function(package, function);
                }
            }
        }
        let program = builder.write(Mode::Count, Granularity::Block);
        let program = Program::parse(program).unwrap();
        let mut profile = Profile::new(Mode::Count);
        profile.add_program(&program, &Sums::new(&program, Mode::Count), |_| true);
        profile.add_text(&TextProfile::parse(text.as_bytes()).unwrap());
        let mut locate = |file: &BStr, _: &BStr| Located {
            name: file.to_owned(),
            source: Some(source.as_bytes().to_vec()),
        };
        let coverage = coverage(&profile, &mut locate, LineRule::Max);
        let run = coverage.functions.iter().filter(|one| one.count > 0);
        let half = count as usize;
        assert_eq!((coverage.functions.len(), run.count()), (2 * half, half));
    }

    #[test]
    fn without_the_source_columns_decide() {
        assert_eq!(lines(NEW, None, LineRule::Max), [(4, 5), (5, 0), (9, 5)]);
        let guessed = [(3, 5), (4, 5), (5, 0), (6, 0), (9, 5)];
        assert_eq!(lines(OLD, None, LineRule::Max), guessed);
        // A source that is too short is another one.
        assert_eq!(lines(OLD, Some("package p\n"), LineRule::Max), guessed);
    }

    #[test]
    fn sums_as_gcov2lcov_has_them() {
        let expected = [(3, 5), (4, 5), (5, 0), (6, 0), (9, 5)];
        assert_eq!(lines(OLD, Some(SOURCE), LineRule::Sum), expected);
    }

    #[test]
    fn a_text_profile_has_functions_if_there_is_the_source() {
        let coverage = evaluated(OLD, Some(SOURCE), LineRule::Max);
        assert_eq!(coverage.functions[0].name, "p.f");
        assert_eq!(coverage.functions[0].start().map(|at| at.line), Some(3));
        assert_eq!(coverage.functions[0].count, 5);
        let summary = coverage.totals();
        assert_eq!((summary.functions.total, summary.lines.total), (1, 3));
        assert_eq!(
            (summary.statements.covered, summary.statements.total),
            (2, 3)
        );
        assert!(evaluated(OLD, None, LineRule::Max).functions.is_empty());
    }

    #[test]
    fn odd_blocks_give_no_lines() {
        for block in [
            "9.5,3.1 1 1",
            "4.1,4294967295.9 1 1",
            "0.0,0.0 1 1",
            "5.3,5.3 0 7",
        ] {
            let text = format!("mode: set\nm/a.go:{block}\n");
            let coverage = evaluated(&text, None, LineRule::Max);
            assert!(coverage.files[0].lines.is_empty(), "{block}");
        }
        // An unknown column is the whole line.
        assert_eq!(
            lines("mode: set\nm/a.go:4.0,5.0 1 1\n", None, LineRule::Max),
            [(4, 1), (5, 1)]
        );
    }
}
