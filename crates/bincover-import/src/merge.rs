//! Several reports as one.

use std::collections::{BTreeMap, HashMap};

use bincover_model::{Coverage, File, FileId, Function, FunctionId, Outcome, Position};
use bstr::BString;

use crate::alike;
use crate::gathered::{Gathered, Named, plain_function};

/// Puts reports together, whatever they were read from. Their order does not matter but for that of
/// functions.
///
/// - Reports of one build by LLVM, with all their regions, are added up as its profiles are: nothing is
///   lost, and the result counts as one.
/// - A file that is in one of them stays as it is.
/// - Of a file that is in several, the counts of lines, functions and outcomes of branches are added
///   up, and its numbers are counted again. Columns and regions of it are gone: two reports need
///   not have cut a line alike.
/// - A function is the same if its name and line are. Instantiations, and aliases of lcov's, count as one
///   still.
#[must_use]
pub fn merge(reports: Vec<Coverage>) -> Coverage {
    let mut reports = of_one_build(reports);
    if reports.len() == 1 {
        return reports.remove(0);
    }
    let places = Places::of(&reports);
    // What needs the reports as they are comes before anything is moved.
    let mut together: Vec<Option<Gathered>> = Vec::new();
    for owners in &places.owners {
        together.push((owners.len() > 1).then(|| {
            let mut gathered = Gathered::default();
            for (report, file) in owners {
                gathered.begin_part();
                let report = &reports[*report];
                add(report, report.file(*file), &mut gathered);
            }
            gathered
        }));
    }
    let mut functions = Vec::new();
    let mut moves = Vec::new();
    for (report, of_report) in reports.iter_mut().enumerate() {
        let is_cut: Vec<bool> = of_report
            .functions
            .iter()
            .map(|one| places.is_cut(report, one))
            .collect();
        flatten(of_report, &is_cut);
        let old = std::mem::take(&mut of_report.functions);
        let new = old.into_iter().zip(&is_cut).map(|(one, is_cut)| {
            let function = places.moved(report, one, *is_cut)?;
            functions.push(function);
            Some(FunctionId(
                u32::try_from(functions.len() - 1).unwrap_or(u32::MAX),
            ))
        });
        let new: Vec<_> = new.collect();
        moves.push(Moves { new });
    }
    let mut merged = Coverage::default();
    for (index, (owners, gathered)) in places.owners.iter().zip(together).enumerate() {
        let (report, old) = owners[0];
        let old = &mut reports[report].files[old.0 as usize];
        merged.files.push(match gathered {
            Some(gathered) => {
                let id = FileId(u32::try_from(index).unwrap_or(u32::MAX));
                gathered.into_file(std::mem::take(&mut old.name), id, &mut functions)
            }
            None => moves[report].file(std::mem::take(old)),
        });
    }
    merged.functions = functions;
    merged
}

/// Those of one build added up, where the first of them stood.
fn of_one_build(reports: Vec<Coverage>) -> Vec<Coverage> {
    let mut sums: Vec<Coverage> = Vec::new();
    // A file can hold a hundred thousand reports, so each is not compared with each.
    let mut by_shape: HashMap<u64, Vec<usize>> = HashMap::new();
    for report in reports {
        let Some(shape) = alike::shape(&report) else {
            sums.push(report);
            continue;
        };
        let known = by_shape.entry(shape).or_default();
        let same = known
            .iter()
            .copied()
            .find(|sum| alike::are_alike(&sums[*sum], &report));
        match same {
            Some(sum) => alike::add(&mut sums[sum], &report),
            None => {
                known.push(sums.len());
                sums.push(report);
            }
        }
    }
    sums
}

/// Which reports have which files.
struct Places {
    /// By new number: the report and the file's number in it; never empty.
    owners: Vec<Vec<(usize, FileId)>>,
    /// By report and old number.
    new: Vec<Vec<FileId>>,
}

impl Places {
    fn of(reports: &[Coverage]) -> Self {
        let mut by_name: BTreeMap<&BString, Vec<(usize, FileId)>> = BTreeMap::new();
        for (index, report) in reports.iter().enumerate() {
            for (id, file) in (0..).map(FileId).zip(&report.files) {
                by_name.entry(&file.name).or_default().push((index, id));
            }
        }
        let mut new: Vec<Vec<FileId>> = reports
            .iter()
            .map(|report| vec![FileId(0); report.files.len()])
            .collect();
        let mut owners = Vec::new();
        for (id, mut places) in (0..).map(FileId).zip(by_name.into_values()) {
            for (report, old) in &places {
                new[*report][old.0 as usize] = id;
            }
            // Where it is but a name, nothing is said of it.
            let is_known =
                |(report, old): &(usize, FileId)| !reports[*report].file(*old).is_blank();
            match places.iter().any(is_known) {
                true => places.retain(is_known),
                false => places.truncate(1),
            }
            owners.push(places);
        }
        Self { owners, new }
    }

    fn is_shared(&self, report: usize, file: FileId) -> bool {
        self.owners[self.new[report][file.0 as usize].0 as usize].len() > 1
    }

    /// A function touches a file that is put together line by line, so no more is left of it than
    /// where it begins.
    fn is_cut(&self, report: usize, function: &Function) -> bool {
        let mut files = function.files.iter();
        files.any(|file| self.is_shared(report, *file))
    }

    /// The function with new numbers; none if a file that is put together has it anew.
    fn moved(&self, report: usize, mut function: Function, is_cut: bool) -> Option<Function> {
        let first = function.files.first().copied();
        if let Some(first) = first.filter(|_| is_cut) {
            if self.is_shared(report, first) {
                return None;
            }
            let start = function.start();
            let (summary, last_line) = (function.summary, function.last_line);
            let name = std::mem::take(&mut function.name);
            let plain = plain_function(name, first, start, function.count);
            function = Function {
                summary,
                last_line,
                ..plain
            };
        }
        for file in &mut function.files {
            *file = self.new[report][file.0 as usize];
        }
        Some(function)
    }
}

/// Branches inside macros of a function that is cut are kept as those of their lines.
fn flatten(report: &mut Coverage, is_cut: &[bool]) {
    let is_cut = |id: FunctionId| is_cut[id.0 as usize];
    for index in 0..report.files.len() {
        let file = &report.files[index];
        if file.expansions.iter().any(|one| is_cut(one.function)) {
            let outcomes = outcomes(report, file);
            let file = &mut report.files[index];
            file.outcomes = outcomes;
            file.branches.clear();
            file.expansions.clear();
        }
        let file = &mut report.files[index];
        file.mcdc.retain(|one| !is_cut(one.function));
    }
}

/// What became of the functions of a report.
struct Moves {
    new: Vec<Option<FunctionId>>,
}

impl Moves {
    fn id(&self, id: FunctionId) -> Option<FunctionId> {
        self.new.get(id.0 as usize).copied().flatten()
    }

    /// A file that is in this report alone.
    fn file(&self, mut file: File) -> File {
        let functions = file.functions.iter();
        file.functions = functions.filter_map(|id| self.id(*id)).collect();
        for group in &mut file.groups {
            let members = group.members.iter();
            group.members = members.filter_map(|id| self.id(*id)).collect();
        }
        file.groups.retain(|group| !group.members.is_empty());
        // Of functions that are not whole there are none left.
        for one in &mut file.expansions {
            one.function = self.id(one.function).unwrap_or(one.function);
        }
        for one in &mut file.mcdc {
            one.function = self.id(one.function).unwrap_or(one.function);
        }
        file
    }
}

/// What a report says of a file, line by line.
fn add(report: &Coverage, file: &File, gathered: &mut Gathered) {
    for line in &file.lines {
        gathered.add_line(line.number, line.count);
    }
    let mut places: HashMap<FunctionId, Position> = HashMap::new();
    for group in file.groups.iter().filter(|group| group.members.len() > 1) {
        places.extend(group.members.iter().map(|id| (*id, group.start)));
    }
    for id in &file.functions {
        let function = report.function(*id);
        gathered.add_function(Named {
            line: function.start().map_or(0, |start| start.line),
            name: function.name.clone(),
            last_line: function.last_line,
            count: function.count,
            group: places.get(id).copied(),
        });
    }
    for one in outcomes(report, file) {
        gathered.add_outcome((one.line, one.block, one.number), one.count);
    }
}

/// The outcomes of branches, numbered as llvm-cov does in a tracefile.
fn outcomes(report: &Coverage, file: &File) -> Vec<Outcome> {
    if !file.outcomes.is_empty() {
        return file.outcomes.clone();
    }
    let branches = report.branches_by_line(file);
    let mut outcomes = Vec::new();
    for on_one_line in branches.chunk_by(|a, b| a.line == b.line) {
        for (block, branch) in (0u32..).zip(on_one_line) {
            let is_reached = branch.sides().any(|count| count > 0);
            for (side, count) in (0u32..).zip(branch.sides()) {
                outcomes.push(Outcome {
                    line: branch.line,
                    block,
                    number: block.saturating_mul(2).saturating_add(side),
                    count: is_reached.then_some(count),
                });
            }
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use bincover_model::{Expansion, Group, Line, LocalFile, Region, RegionKind, Summary, Tally};

    use super::*;
    use crate::lcov;

    fn lcov(text: &str) -> Coverage {
        lcov::read(text.as_bytes()).expect("a tracefile")
    }

    #[test]
    fn lines_functions_and_outcomes_add_up() {
        let one = lcov(
            "SF:a.c\nFN:1,f\nFNDA:2,f\nFNF:1\nFNH:1\nDA:1,2\nDA:2,0\nBRDA:2,0,0,-\nBRDA:2,0,1,-\n\
             BRF:2\nBRH:0\nLF:9\nLH:1\nend_of_record\nSF:only.c\nDA:1,1\nLF:5\nLH:4\nend_of_record\n",
        );
        let other = lcov(
            "SF:a.c\nFN:1,2,f\nFN:7,g\nFNDA:1,f\nFNDA:0,g\nDA:2,3\nDA:7,0\nBRDA:2,0,0,0\nBRDA:2,0,1,3\n\
             end_of_record\n",
        );
        let merged = merge(vec![one.clone(), other.clone()]);
        let counts = |file: &File| -> Vec<(u32, u64)> {
            file.lines
                .iter()
                .map(|line| (line.number, line.count))
                .collect()
        };
        let [a, only] = &merged.files[..] else {
            panic!("{:?}", merged.files);
        };
        assert_eq!(counts(a), [(1, 2), (2, 3), (7, 0)]);
        let outcomes: Vec<_> = a.outcomes.iter().map(|one| one.count).collect();
        assert_eq!(outcomes, [Some(0), Some(3)]);
        let functions: Vec<_> = a.functions.iter().map(|id| merged.function(*id)).collect();
        let functions: Vec<_> = functions
            .iter()
            .map(|one| (one.name.to_string(), one.last_line, one.count))
            .collect();
        let expected = [("f".to_owned(), Some(2), 3), ("g".to_owned(), None, 0)];
        assert_eq!(functions, expected);
        let tally = |covered, total| Tally { covered, total };
        assert_eq!(a.summary.lines, tally(2, 3));
        assert_eq!(a.summary.functions, tally(1, 2));
        assert_eq!(a.summary.branches, tally(1, 2));
        // Its own totals hold where nothing was added.
        assert_eq!(only.summary.lines, tally(4, 5));
        // In whatever order.
        let turned = merge(vec![other, one]);
        assert_eq!(turned.files[0].lines, a.lines);
        assert_eq!(turned.functions[0].last_line, Some(2));
        assert_eq!(turned.totals(), merged.totals());
    }

    /// A file with a function whose macro lies in `util.h`.
    fn with_macro() -> Coverage {
        let at = |line, column| Position { line, column };
        let region = |kind, file, expanded, start| Region {
            kind,
            file: LocalFile(file),
            expanded: LocalFile(expanded),
            start,
            end: at(9, 9),
            count: 1,
        };
        let branch = bincover_model::Branch {
            file: LocalFile(1),
            start: at(3, 3),
            end: at(3, 5),
            true_count: 4,
            false_count: 0,
            true_folded: false,
            false_folded: false,
            is_condition: false,
        };
        let function = Function {
            name: "f".into(),
            count: 1,
            files: vec![FileId(0), FileId(1)],
            main_file: Some(LocalFile(0)),
            regions: vec![
                region(RegionKind::Code, 0, 0, at(1, 1)),
                region(RegionKind::Expansion, 0, 1, at(2, 1)),
                region(RegionKind::Code, 1, 0, at(3, 1)),
            ],
            branches: vec![branch],
            ..Function::default()
        };
        let functions = vec![function];
        let file = File {
            name: "a.c".into(),
            lines: vec![Line {
                number: 1,
                count: 1,
            }],
            functions: vec![FunctionId(0)],
            expansions: vec![Expansion {
                function: FunctionId(0),
                region: 1,
            }],
            groups: vec![bincover_model::Group::new(
                at(1, 1),
                vec![FunctionId(0)],
                &functions,
            )],
            summary: Summary::default(),
            ..File::default()
        };
        let header = File {
            name: "util.h".into(),
            lines: vec![Line {
                number: 3,
                count: 1,
            }],
            branches: vec![branch],
            ..File::default()
        };
        Coverage {
            files: vec![file, header],
            functions,
        }
    }

    #[test]
    fn a_file_of_its_own_keeps_its_columns() {
        let rich = with_macro();
        let merged = merge(vec![lcov("SF:0.c\nDA:1,1\nend_of_record\n"), rich.clone()]);
        assert_eq!(merged.functions[0].regions, rich.functions[0].regions);
        assert_eq!(merged.functions[0].files, [FileId(1), FileId(2)]);
        assert_eq!(merged.files[1].expansions, rich.files[0].expansions);
        let before = rich.branches_by_line(&rich.files[0]);
        assert_eq!(merged.branches_by_line(&merged.files[1]), before);
    }

    #[test]
    fn a_function_in_a_shared_file_leaves_its_branches_on_their_lines() {
        let rich = with_macro();
        let merged = merge(vec![
            lcov("SF:util.h\nDA:3,2\nend_of_record\n"),
            rich.clone(),
        ]);
        let before = rich.branches_by_line(&rich.files[0]);
        assert_eq!(before.len(), 1);
        assert_eq!(merged.branches_by_line(&merged.files[0]), before);
        assert_eq!(
            merged.files[1].lines,
            [Line {
                number: 3,
                count: 3
            }]
        );
        assert_eq!(merged.files[1].outcomes.len(), 2);
        let id = merged.files[0].groups[0].members[0];
        assert!(merged.function(id).regions.is_empty());
        assert_eq!(merged.function(id).start(), rich.functions[0].start());
    }

    #[test]
    fn what_counts_as_one_still_does() {
        let of_llvm = || {
            let at = |column| Position { line: 1, column };
            let functions: Vec<Function> = [("a1", 1, 1), ("b1", 9, 0), ("a2", 1, 0), ("b2", 9, 0)]
                .map(|(name, column, count)| {
                    plain_function(name.into(), FileId(0), Some(at(column)), count)
                })
                .into();
            let group = |column, ids: [u32; 2]| {
                Group::new(at(column), ids.map(FunctionId).into(), &functions)
            };
            let file = File {
                name: "a.c".into(),
                functions: (0..4).map(FunctionId).collect(),
                groups: vec![group(1, [0, 2]), group(9, [1, 3])],
                lines: vec![Line {
                    number: 1,
                    count: 1,
                }],
                ..File::default()
            };
            Coverage {
                files: vec![file],
                functions,
            }
        };
        let of_lcov =
            "SF:a.c\nFNL:0,1,3\nFNA:0,2,a1\nFNA:0,0,c\nFNL:1,1,3\nFNA:1,0,d\nend_of_record\n";
        let merged = merge(vec![of_llvm(), lcov(of_lcov)]);
        let summary = merged.files[0].summary;
        let tally = |covered, total| Tally { covered, total };
        assert_eq!(summary.functions, tally(1, 3));
        assert_eq!(summary.instantiations, tally(1, 6));
    }
}
