//! What reports say of a file line by line, as it comes in, and the model's files from that.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use bincover_model::{
    Coverage, File, FileId, Function, FunctionId, Group, Line, LocalFile, Outcome, Position,
    Summary, Tally,
};
use bstr::{BStr, BString};

/// Line, block and number of an outcome.
pub(crate) type Place = (u32, u32, u32);

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    lines: BTreeMap<u32, u64>,
    functions: Vec<Named>,
    /// Where in `functions`.
    known: HashMap<(u32, BString), usize>,
    outcomes: BTreeMap<Place, Option<u64>>,
    /// Totals that the report itself has. They hold as long as nothing else is added.
    stated: Option<Summary>,
    parts: u32,
}

/// What a report says of a function.
#[derive(Debug)]
pub(crate) struct Named {
    /// 0 if it is not known.
    pub(crate) line: u32,
    pub(crate) name: BString,
    pub(crate) last_line: Option<u32>,
    pub(crate) count: u64,
    /// It counts as one with others of which the same is said: where their group begins.
    pub(crate) group: Option<Position>,
}

impl Gathered {
    /// Another report on the file, or another part of one, begins.
    pub(crate) fn begin_part(&mut self) {
        self.parts = self.parts.saturating_add(1);
    }

    /// The part's own totals; none if there is more than one part.
    pub(crate) fn state(&mut self, summary: Summary) {
        self.stated = (self.parts == 1).then_some(summary);
    }

    pub(crate) fn add_line(&mut self, line: u32, count: u64) {
        let sum = self.lines.entry(line).or_default();
        *sum = sum.saturating_add(count);
    }

    /// A function of the same name on the same line is the same, in another part.
    pub(crate) fn add_function(&mut self, mut added: Named) {
        let name = std::mem::take(&mut added.name);
        match self.known.entry((added.line, name)) {
            Entry::Vacant(place) => {
                added.name = place.key().1.clone();
                place.insert(self.functions.len());
                self.functions.push(added);
            }
            Entry::Occupied(place) => {
                let one = &mut self.functions[*place.get()];
                one.count = one.count.saturating_add(added.count);
                // None is less than any.
                one.last_line = one.last_line.max(added.last_line);
                one.group = one.group.or(added.group);
            }
        }
    }

    /// A function that is another than those of the same name.
    pub(crate) fn push_function(&mut self, added: Named) {
        let key = (added.line, added.name.clone());
        self.known.entry(key).or_insert(self.functions.len());
        self.functions.push(added);
    }

    /// Adds the count; never reached twice is never reached.
    pub(crate) fn add_outcome(&mut self, place: Place, count: Option<u64>) {
        let sum = self.outcomes.entry(place).or_default();
        *sum = match (*sum, count) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    }

    /// The file, whose functions go to `functions`.
    pub(crate) fn into_file(
        self,
        name: BString,
        id: FileId,
        functions: &mut Vec<Function>,
    ) -> File {
        let mut file = File {
            name,
            lines: self
                .lines
                .into_iter()
                .map(|(number, count)| Line { number, count })
                .collect(),
            outcomes: self
                .outcomes
                .into_iter()
                .map(|((line, block, number), count)| Outcome {
                    line,
                    block,
                    number,
                    count,
                })
                .collect(),
            ..File::default()
        };
        let mut groups: Vec<(Position, Vec<FunctionId>)> = Vec::new();
        let mut known: HashMap<Position, usize> = HashMap::new();
        for one in self.functions {
            let function = FunctionId(u32::try_from(functions.len()).unwrap_or(u32::MAX));
            let declared = (one.line > 0).then_some(Position {
                line: one.line,
                column: 0,
            });
            functions.push(Function {
                last_line: one.last_line,
                ..plain_function(one.name, id, declared, one.count)
            });
            file.functions.push(function);
            let Some(start) = declared else {
                continue;
            };
            let next = groups.len();
            let group = match one.group {
                Some(place) => *known.entry(place).or_insert(next),
                None => next,
            };
            match groups.get_mut(group) {
                Some((_, members)) => members.push(function),
                None => groups.push((start, vec![function])),
            }
        }
        let groups = groups.into_iter();
        let groups = groups.map(|(start, members)| Group::new(start, members, functions));
        file.groups = groups.collect();
        file.groups.sort_by_key(|group| group.start);
        file.summary = self
            .stated
            .filter(|_| self.parts == 1)
            .unwrap_or_else(|| counted(&file));
        file
    }
}

/// A function of which no more is known than where it begins.
pub(crate) fn plain_function(
    name: BString,
    file: FileId,
    declared: Option<Position>,
    count: u64,
) -> Function {
    let itself = one(count > 0);
    Function {
        name,
        count,
        files: vec![file],
        main_file: Some(LocalFile(0)),
        declared,
        summary: Summary {
            functions: itself,
            instantiations: itself,
            ..Summary::default()
        },
        ..Function::default()
    }
}

/// The numbers of what is listed.
fn counted(file: &File) -> Summary {
    let sum = |tallies: &mut dyn Iterator<Item = Tally>| {
        let mut sum = Tally::default();
        for tally in tallies {
            sum += tally;
        }
        sum
    };
    let groups = || file.groups.iter();
    Summary {
        lines: sum(&mut file.lines.iter().map(|line| one(line.count > 0))),
        functions: sum(&mut groups().map(|group| group.summary.functions)),
        instantiations: sum(&mut groups().map(|group| group.summary.instantiations)),
        branches: sum(&mut file
            .outcomes
            .iter()
            .map(|outcome| one(outcome.count.is_some_and(|count| count > 0)))),
        ..Summary::default()
    }
}

fn one(is_covered: bool) -> Tally {
    Tally {
        covered: u64::from(is_covered),
        total: 1,
    }
}

/// Files by name, as they come in.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<BString, Gathered>);

impl Files {
    pub(crate) fn file(&mut self, name: &BStr) -> &mut Gathered {
        // `entry` would want an owned name for each look.
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Gathered::default());
        }
        self.0.entry(name.to_owned()).or_default()
    }

    pub(crate) fn into_coverage(self) -> Coverage {
        let mut coverage = Coverage::default();
        for (id, (name, gathered)) in (0..=u32::MAX).map(FileId).zip(self.0) {
            let file = gathered.into_file(name, id, &mut coverage.functions);
            coverage.files.push(file);
        }
        coverage
    }
}
