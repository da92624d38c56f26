//! What is not covered: by file, the places, the functions that they are in, and why.
//!
//! A place is either code that was never executed, as long as it is in one piece, or a branch that
//! was always decided alike. Each line of [`File::lines`] with a count of zero is in exactly one
//! place. Branches inside macro expansions are counted in the numbers of a file, but not listed
//! here: their places are those of the macro.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use bincover_model::{Branch, Coverage, File, Group, Line, Position, Segment};
use bstr::ByteSlice;

use crate::Options;
use crate::names::{demangled, repeated};
use crate::paths::Names;
use crate::printable::{printable, printable_at_start};

/// Something that is not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it begins.
    pub start: Position,
    /// Where it ends; the column is exclusive. `None` if only lines are known, or if it lasts to
    /// the end of the file.
    pub end: Option<Position>,
    /// The first and the last line that were not executed at all. `None` if the code shares all
    /// of its lines with code that was, and for branches.
    pub lines: Option<(u32, u32)>,
    /// How many lines that hold code were not executed at all, of those from first to last.
    pub line_count: u64,
    /// Index into [`File::groups`] of the innermost function around it.
    pub group: Option<usize>,
    /// Why.
    pub reason: Reason,
}

/// Why something is not covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The function was never entered.
    NeverEntered,
    /// The function was, and went another way.
    NotReached,
    /// The branch's condition was evaluated and never true.
    NeverTrue,
    /// The branch's condition was evaluated and never false.
    NeverFalse,
    /// The code was reached, but not the branch's condition.
    NotEvaluated,
    /// The branch never went one of its ways; which, and in which column, is not known.
    NotTaken,
}

impl Reason {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NeverEntered => "function never entered",
            Self::NotReached => "region not reached",
            Self::NeverTrue => "branch never true",
            Self::NeverFalse => "branch never false",
            Self::NotEvaluated => "branch not evaluated",
            Self::NotTaken => "branch not taken",
        }
    }

    /// As one word, for JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::NeverEntered => "never_entered",
            Self::NotReached => "not_reached",
            Self::NeverTrue => "never_true",
            Self::NeverFalse => "never_false",
            Self::NotEvaluated => "not_evaluated",
            Self::NotTaken => "not_taken",
        }
    }
}

impl Missing {
    /// The first line to show.
    #[must_use]
    pub fn first_line(&self) -> u32 {
        self.lines.map_or(self.start.line, |(first, _)| first)
    }

    /// The last line to show.
    #[must_use]
    pub fn last_line(&self) -> u32 {
        self.lines.map_or(self.start.line, |(_, last)| last)
    }

    /// The name of the innermost function around it, in source form.
    #[must_use]
    pub fn function(&self, coverage: &Coverage, file: &File) -> Option<String> {
        let group = file.groups.get(self.group?)?;
        Some(group_name(coverage, group))
    }

    /// Where it begins in its line, if it is no whole line and that is known.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        let is_known = self.lines.is_none() && self.reason != Reason::NotTaken;
        is_known.then_some(self.start.column)
    }

    /// The reason, after the column if that says anything: a note beside the line.
    pub(crate) fn note(&self) -> String {
        let words = self.reason.words();
        match self.column() {
            Some(column) => format!("column {column}: {words}"),
            None => words.to_owned(),
        }
    }

    /// Lines if it has any, else a line and, if that is known, a column.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.lines, self.column()) {
            (Some((first, last)), _) if first != last => format!("{first}-{last}"),
            (_, Some(column)) => format!("{}:{column}", self.start.line),
            (_, None) => self.first_line().to_string(),
        }
    }
}

/// What is not covered in a file, by position.
#[must_use]
pub fn missing(coverage: &Coverage, file: &File) -> Vec<Missing> {
    let extents = Extents::new(coverage, &file.groups);
    let mut found = code(file, &extents);
    // A condition that lies in code that was not executed is no news.
    let is_inside = |position: Position| {
        let next = found.partition_point(|one| one.start <= position);
        found[..next]
            .last()
            .is_some_and(|one| one.end.is_none_or(|end| position < end))
    };
    let branches: Vec<Missing> = branches(file)
        .into_iter()
        .filter(|one| !is_inside(one.start))
        .chain(outcomes(file))
        .collect();
    found.extend(branches);
    found.sort_by_key(|one| one.start);
    for one in &mut found {
        one.group = extents.around(one.start).or(one.group);
        let group = one.group.and_then(|index| file.groups.get(index));
        if one.reason == Reason::NotReached && group.is_some_and(|group| group.count == 0) {
            one.reason = Reason::NeverEntered;
        }
    }
    found
}

/// The name of a group's functions in source form, that of its first.
#[must_use]
pub fn group_name(coverage: &Coverage, group: &Group) -> String {
    let first = group.members.first();
    first.map_or_else(String::new, |id| {
        demangled(coverage.function(*id).name.as_bstr())
    })
}

/// The names of a file's functions in source form, by their index in [`File::groups`]. Each is made
/// when it is first asked for.
pub(crate) struct GroupNames<'a> {
    coverage: &'a Coverage,
    groups: &'a [Group],
    names: Vec<OnceCell<GroupName>>,
}

struct GroupName {
    whole: String,
    /// As it is shown at its places, if it is cut there.
    cut: Option<String>,
}

impl GroupName {
    fn new(whole: String) -> Self {
        let cut = match repeated(&whole) {
            Cow::Borrowed(_) => None,
            Cow::Owned(cut) => Some(cut),
        };
        Self { whole, cut }
    }
}

impl<'a> GroupNames<'a> {
    pub(crate) fn new(coverage: &'a Coverage, file: &'a File) -> Self {
        Self {
            coverage,
            groups: &file.groups,
            names: file.groups.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        Some(&self.name(index)?.whole)
    }

    /// Of the innermost function around a place, as it is shown there: the beginning of a very long one.
    pub(crate) fn around(&self, one: &Missing) -> Option<&str> {
        let name = self.name(one.group?)?;
        Some(name.cut.as_deref().unwrap_or(&name.whole))
    }

    fn name(&self, index: usize) -> Option<&GroupName> {
        let group = self.groups.get(index)?;
        let name = || GroupName::new(group_name(self.coverage, group));
        Some(self.names.get(index)?.get_or_init(name))
    }
}

/// Pieces of code with a count of zero. What lies between two of one function without a count
/// (white space, operators, comments) is no end.
fn code(file: &File, extents: &Extents) -> Vec<Missing> {
    if file.segments.is_empty() {
        return by_lines(file);
    }
    let mut found = Vec::new();
    // The next line that may be in a piece: a line is in one piece only.
    let mut next = 0;
    let is_missed = |segment: &Segment| segment.has_count && segment.count == 0;
    let mut rest = &file.segments[..];
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if !is_missed(first) {
            continue;
        }
        let function_end = extents.end_around(first.start);
        let mut entry = (!first.is_gap).then_some(first.start);
        loop {
            let uncounted = rest.iter().take_while(|segment| !segment.has_count).count();
            let Some(more) = rest.get(uncounted).filter(|segment| is_missed(segment)) else {
                break;
            };
            if uncounted > 0 && function_end.is_none_or(|end| more.start >= end) {
                break;
            }
            entry = entry.or_else(|| (!more.is_gap).then_some(more.start));
            rest = &rest[uncounted + 1..];
        }
        let end = rest.first().map(|segment| segment.start);
        let last_line = end.map_or(u32::MAX, |end| end.line);
        let one = zero_lines(file, first.start.line, last_line, &mut next);
        // White space between statements is no code by itself.
        if one.is_none() && entry.is_none() {
            continue;
        }
        found.push(Missing {
            start: entry.unwrap_or(first.start),
            end,
            ..one.unwrap_or_else(|| piece(first.start))
        });
    }
    found
}

fn piece(start: Position) -> Missing {
    Missing {
        start,
        end: None,
        lines: None,
        line_count: 0,
        group: None,
        reason: Reason::NotReached,
    }
}

/// The lines with a count of zero from one line to another, of those that nobody has yet.
fn zero_lines(file: &File, first: u32, last: u32, next: &mut usize) -> Option<Missing> {
    let from = file.lines.partition_point(|line| line.number < first);
    let from = from.max(*next);
    let to = file.lines.partition_point(|line| line.number <= last);
    let zeros = file.lines.get(from..to).unwrap_or_default().iter();
    let mut zeros = zeros.filter(|line| line.count == 0).peekable();
    let start = zeros.peek()?.number;
    let mut one = piece(Position {
        line: start,
        column: 1,
    });
    for line in zeros {
        one.lines = Some((start, line.number));
        one.line_count += 1;
    }
    // All that are left have their place; the next one's begin behind them.
    *next = to;
    Some(one)
}

/// Where nothing is known but lines: those in a row, whatever lies between them without code, and
/// no further than to where another function begins.
fn by_lines(file: &File) -> Vec<Missing> {
    let function_on = |line: u32| {
        let index = file.groups.partition_point(|group| group.start.line < line);
        let group = file.groups.get(index)?;
        (group.start.line == line).then_some(index)
    };
    let is_one =
        |a: &Line, b: &Line| (a.count == 0) == (b.count == 0) && function_on(b.number).is_none();
    let runs = file
        .lines
        .chunk_by(is_one)
        .filter(|run| run.first().is_some_and(|line| line.count == 0));
    let found = runs.filter_map(|run| {
        let (first, last) = (run.first()?.number, run.last()?.number);
        Some(Missing {
            end: Some(Position {
                line: last.saturating_add(1),
                column: 1,
            }),
            lines: Some((first, last)),
            line_count: run.len() as u64,
            group: function_on(first),
            ..piece(Position {
                line: first,
                column: 1,
            })
        })
    });
    found.collect()
}

/// Branches of which an outcome is missing. Those of instantiations of one function count together.
fn branches(file: &File) -> Vec<Missing> {
    let mut places: BTreeMap<(Position, Position), Branch> = BTreeMap::new();
    for branch in &file.branches {
        let place = places.entry((branch.start, branch.end));
        place
            .and_modify(|sum| {
                sum.true_count = sum.true_count.saturating_add(branch.true_count);
                sum.false_count = sum.false_count.saturating_add(branch.false_count);
                sum.true_folded &= branch.true_folded;
                sum.false_folded &= branch.false_folded;
            })
            .or_insert(*branch);
    }
    let found = places.into_values().filter_map(|branch| {
        let never_true = branch.true_count == 0 && !branch.true_folded;
        let never_false = branch.false_count == 0 && !branch.false_folded;
        let reason = match (never_true, never_false) {
            (false, false) => return None,
            (true, true) => Reason::NotEvaluated,
            (true, false) => Reason::NeverTrue,
            (false, true) => Reason::NeverFalse,
        };
        Some(Missing {
            end: Some(branch.end),
            reason,
            ..piece(branch.start)
        })
    });
    found.collect()
}

/// Lines that were executed, with a branch that never went one of its ways.
fn outcomes(file: &File) -> impl Iterator<Item = Missing> + '_ {
    let lines = file.outcomes.chunk_by(|a, b| a.line == b.line);
    let not_taken = lines.filter(|line| line.iter().any(|one| one.count.unwrap_or(0) == 0));
    not_taken.filter_map(|line| {
        let number = line.first()?.line;
        let index = file.lines.binary_search_by_key(&number, |one| one.number);
        let count = file.lines.get(index.ok()?)?.count;
        (count > 0).then(|| Missing {
            reason: Reason::NotTaken,
            ..piece(Position {
                line: number,
                column: 1,
            })
        })
    })
}

/// Where the functions of a file begin and end.
struct Extents {
    /// By start; those that contain others come before them. With the index of the group, and that
    /// of the innermost extent around it.
    extents: Vec<(Position, Position, usize, Option<usize>)>,
}

impl Extents {
    fn new(coverage: &Coverage, groups: &[Group]) -> Self {
        let extents = groups.iter().enumerate().filter_map(|(index, group)| {
            let function = coverage.function(*group.members.first()?);
            // Clang's first region is the whole body, rustc's the signature.
            let first = function.regions.first()?;
            let own = function.regions_in(first.file).iter();
            let end = own.map(|region| region.end).max()?;
            Some((first.start, end, index, None))
        });
        let mut extents: Vec<_> = extents.collect();
        extents.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut open: Vec<usize> = Vec::new();
        for index in 0..extents.len() {
            let start = extents[index].0;
            while open.last().is_some_and(|outer| extents[*outer].1 <= start) {
                open.pop();
            }
            extents[index].3 = open.last().copied();
            open.push(index);
        }
        Self { extents }
    }

    /// The group of the innermost function around a position.
    fn around(&self, position: Position) -> Option<usize> {
        self.innermost(position).map(|(_, group)| group)
    }

    /// Where the innermost function around a position ends.
    fn end_around(&self, position: Position) -> Option<Position> {
        self.innermost(position).map(|(end, _)| end)
    }

    fn innermost(&self, position: Position) -> Option<(Position, usize)> {
        let next = self.extents.partition_point(|one| one.0 <= position);
        let mut at = next.checked_sub(1);
        while let Some(index) = at {
            let (_, end, group, outer) = self.extents[index];
            if position < end {
                return Some((end, group));
            }
            at = outer;
        }
        None
    }
}

/// Writes the list: by file, a line for each place. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    let mut is_first = true;
    for file in coverage.measured_files() {
        let found = missing(coverage, file);
        if found.is_empty() {
            continue;
        }
        if !std::mem::replace(&mut is_first, false) {
            writeln!(out)?;
        }
        writeln!(out, "{}", printable_at_start(&names.of(&file.name)))?;
        let groups = GroupNames::new(coverage, file);
        list(found.iter().map(|one| (one, groups.around(one))), &mut out)?;
    }
    out.flush()
}

/// A line for each place: where, why, and in which function.
pub(crate) fn list<'a>(
    found: impl Iterator<Item = (&'a Missing, Option<&'a str>)> + Clone,
    out: &mut impl Write,
) -> io::Result<()> {
    let width = found.clone().map(|(one, _)| one.place().len()).max();
    let width = width.unwrap_or(0);
    for (one, function) in found {
        write!(out, "  {:<width$}  {}", one.place(), one.reason.words())?;
        if let Some(function) = function {
            write!(out, "  {}", printable(function))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes the list with a line for each file: its name, a colon, and the places between commas.
/// Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit_compact(
    coverage: &Coverage,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    for file in coverage.measured_files() {
        let found = missing(coverage, file);
        if found.is_empty() {
            continue;
        }
        let places: Vec<String> = found.iter().map(Missing::place).collect();
        let name = printable_at_start(&names.of(&file.name));
        writeln!(out, "{name}: {}", places.join(", "))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{code as region, file, function, group, lines, one_of_everything};

    fn report(emit: fn(&Coverage, &Options, &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("the list is UTF-8")
    }

    #[test]
    fn the_list_says_where_and_why() {
        // The macro's two conditions, `x < 9`, which was always so, and `return 1` in `main`.
        let expected = "\
a.c
  1:21  branch never true
  1:28  branch not evaluated
  4:16  branch never false  a.c:inner
  14    region not reached  main
";
        assert_eq!(report(emit), expected);
    }

    #[test]
    fn the_compact_list_has_a_line_for_each_file() {
        assert_eq!(report(emit_compact), "a.c: 1:21, 1:28, 4:16, 14\n");
    }

    #[test]
    fn a_function_that_never_ran_is_said_to_be_so() {
        let mut coverage = Coverage::default();
        let body = region((2, 1), (5, 2), 0);
        coverage.functions = vec![function("f", 0, vec![body])];
        let mut one = file("/w/a.c", lines(&[(2, 0), (3, 0), (5, 0)]));
        one.segments = bincover_model::segments(&[body]);
        one.groups = vec![group((2, 1), &[0], 0)];
        coverage.files = vec![one];
        let found = missing(&coverage, &coverage.files[0]);
        let [found] = &found[..] else {
            panic!("one place: {found:?}")
        };
        assert_eq!(found.lines, Some((2, 5)));
        assert_eq!((found.line_count, found.reason), (3, Reason::NeverEntered));
        assert_eq!(found.group, Some(0));
    }

    /// As rustc writes it: a region for each expression, and nothing around them.
    #[test]
    fn pieces_of_one_function_are_one_place() {
        let regions = [
            region((1, 1), (1, 9), 1),
            region((2, 5), (2, 9), 0),
            region((2, 12), (2, 20), 0),
            region((3, 5), (3, 9), 0),
            region((4, 5), (4, 9), 1),
            region((5, 5), (5, 9), 0),
            region((7, 1), (7, 9), 0),
            region((8, 5), (8, 9), 0),
        ];
        let mut coverage = Coverage {
            functions: vec![
                function("f", 1, regions[..6].to_vec()),
                function("g", 0, regions[6..].to_vec()),
            ],
            ..Coverage::default()
        };
        let numbers = [(1, 1), (2, 0), (3, 0), (4, 1), (5, 0), (7, 0), (8, 0)];
        let mut one = file("/w/a.rs", lines(&numbers));
        one.segments = bincover_model::segments(&regions);
        one.groups = vec![group((1, 1), &[0], 1), group((7, 1), &[1], 0)];
        coverage.files = vec![one];
        let found = missing(&coverage, &coverage.files[0]);
        let places: Vec<String> = found.iter().map(Missing::place).collect();
        assert_eq!(places, ["2-3", "5", "7-8"]);
        assert_eq!(found[2].reason, Reason::NeverEntered);
    }

    #[test]
    fn lines_without_regions_are_put_together() {
        let coverage = Coverage {
            files: vec![file("a", lines(&[(1, 0), (4, 0), (5, 2), (9, 0)]))],
            ..Coverage::default()
        };
        let found = missing(&coverage, &coverage.files[0]);
        let places: Vec<String> = found.iter().map(Missing::place).collect();
        assert_eq!(places, ["1-4", "9"]);
    }
}
