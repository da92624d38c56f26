//! What people ask to leave out of reports: by markers in the sources, by regular expressions, by
//! the names of files, and by what Rust's syntax says.
//!
//! It is decided here and taken off by [`Coverage::exclude`], before any report or gate looks at
//! the coverage; so all of them agree.

mod markers;
mod modules;
mod regexes;
mod rust;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bincover_model::{Coverage, ExcludedPart, ExcludedRange, File, FileId};
use bincover_report::{FilePattern, Source, Sources};
use bstr::{BStr, BString, ByteSlice};
use regex::bytes::Regex;

use crate::error::{Error, Result};
use markers::FunctionMarker;
use modules::RustFiles;

/// What to leave out. The default is nothing.
///
/// ```
/// use bincover::Exclusions;
/// use bincover::model::{Coverage, File, Line};
/// use bincover::report::{Source, Sources};
/// use bstr::BStr;
///
/// struct Text;
/// impl Sources for Text {
///     fn read(&self, _: &BStr) -> Source {
///         let text = b"int a;\nabort(); // LCOV_EXCL_LINE\n".to_vec();
///         Source::Text { text, is_changed: false }
///     }
/// }
///
/// let lines = [1, 2].map(|number| Line { number, count: 0 }).to_vec();
/// let file = File { name: "a.c".into(), lines, ..File::default() };
/// let mut coverage = Coverage { files: vec![file], functions: Vec::new() };
/// let exclusions = Exclusions { markers: true, ..Exclusions::default() };
/// exclusions.apply(&mut coverage, &Text)?;
/// assert_eq!(coverage.files[0].lines.len(), 1);
/// assert_eq!(&*coverage.files[0].excluded.ranges[0].rule, "LCOV_EXCL_LINE");
/// # Ok::<(), bincover::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    /// What markers of lcov and gcovr in the sources say.
    pub markers: bool,
    /// Lines in which one of these is found.
    pub line: Vec<Regex>,
    /// Lines from one in which one of these is found, up to the next of `stop`, which is not out,
    /// or to the end of the file.
    pub start: Vec<Regex>,
    /// Where such lines end.
    pub stop: Vec<Regex>,
    /// As `line`, of branches alone.
    pub branch_line: Vec<Regex>,
    /// As `start`, of branches alone.
    pub branch_start: Vec<Regex>,
    /// As `stop`, of branches alone.
    pub branch_stop: Vec<Regex>,
    /// Files that match none of these, unless there are none.
    pub include_files: Vec<FilePattern>,
    /// Files that match one of these.
    pub exclude_files: Vec<FilePattern>,
    /// Parts of Rust's sources.
    pub skip: Vec<Skip>,
}

/// A part of Rust's sources that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// What is there for tests alone: functions with `#[test]` or a like attribute, whatever has
    /// `#[cfg(test)]`, and the files of such modules.
    Tests,
    /// The lines of `#[derive(…)]`.
    Derives,
    /// Lines of `unreachable!()` and `unreachable_unchecked()` that were not executed, and what is
    /// around such a call alone.
    Unreachable,
}

impl Skip {
    fn rule(self) -> &'static str {
        match self {
            Self::Tests => "skip: tests",
            Self::Derives => "skip: derives",
            Self::Unreachable => "skip: unreachable",
        }
    }
}

/// Something about a source that whoever asked for exclusions has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExclusionNote {
    /// The file.
    pub file: BString,
    /// The line, if it is about one.
    pub line: Option<u32>,
    /// What it is.
    pub cause: ExclusionCause,
}

/// What is to be known about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExclusionCause {
    /// It could not be read, so nothing in it was left out. In words, why.
    NoSource(String),
    /// It was changed since the program was built: other lines may have been left out than those
    /// that were meant.
    Changed,
    /// It was not parsed, so no part of it was left out. In words, why.
    NotParsed(String),
    /// It says of a line that it cannot be reached, which was executed. The line is not left out.
    Executed,
    /// A marker is to leave out a function, and none begins there.
    NoFunction,
    /// A marker is to leave out a function, of which the report does not say where it ends. Only its first
    /// line is left out.
    NoEnd,
}

impl ExclusionCause {
    /// One word for it, with hyphens.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoSource(_) => "no-source",
            Self::Changed => "changed-source",
            Self::NotParsed(_) => "not-parsed",
            Self::Executed => "executed",
            Self::NoFunction => "no-function",
            Self::NoEnd => "no-end",
        }
    }
}

impl fmt::Display for ExclusionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource(why) => {
                write!(
                    f,
                    "nothing in it was left out, for it cannot be read: {why}"
                )
            }
            Self::Changed => f.write_str(
                "the source was changed since the program was built: other lines may be left out \
                 than were meant",
            ),
            Self::NotParsed(why) => write!(f, "nothing was skipped in it: {why}"),
            Self::Executed => f.write_str("it is marked as unreachable, and was executed"),
            Self::NoFunction => {
                f.write_str("the marker leaves out a function, and none begins here")
            }
            Self::NoEnd => f.write_str(
                "the marker leaves out a function, and the report does not say where it ends: only \
                 this line is left out",
            ),
        }
    }
}

impl fmt::Display for ExclusionNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.file.as_bstr()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// What a rule took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// Files that it left out as a whole.
    pub whole_files: u64,
    /// Files of which it took something.
    pub files: u64,
    /// Lines that hold code, those of whole files included.
    pub lines: u64,
    /// Lines of which it took the branches alone.
    pub branch_lines: u64,
}

/// What each rule took, by name.
#[must_use]
pub fn excluded_by_rule(coverage: &Coverage) -> BTreeMap<Arc<str>, RuleTally> {
    let mut rules: BTreeMap<Arc<str>, RuleTally> = BTreeMap::new();
    for file in &coverage.files {
        let mut seen = HashSet::new();
        for range in &file.excluded.ranges {
            let tally = rules.entry(Arc::clone(&range.rule)).or_default();
            tally.files += u64::from(seen.insert(&range.rule));
            match range.part {
                ExcludedPart::Branches => tally.branch_lines += range.lines,
                ExcludedPart::File => {
                    tally.whole_files += 1;
                    tally.lines += range.lines;
                }
                _ => tally.lines += range.lines,
            }
        }
    }
    rules
}

/// Whether anything is left to report on, if files were left out.
///
/// # Errors
/// If none is left, with the rules that took them.
pub fn check_left(coverage: &Coverage) -> Result<()> {
    let out = coverage.excluded_files().count();
    if out == 0 || coverage.measured_files().next().is_some() {
        return Ok(());
    }
    let rules = excluded_by_rule(coverage).into_iter();
    let rules = rules.filter(|(_, tally)| tally.whole_files > 0);
    let rules = rules.map(|(rule, tally)| format!("{} by {rule}", tally.whole_files));
    let rules: Vec<String> = rules.collect();
    Err(Error::NothingToMeasure {
        reason: format!("all {out} files are left out: {}", rules.join(", ")),
    })
}

/// A name that shows as what it is on any terminal.
pub(crate) fn shown(name: &BStr) -> String {
    bincover_report::printable(&name.to_str_lossy())
}

pub(crate) fn range(first: u32, last: u32, part: ExcludedPart, rule: &Arc<str>) -> ExcludedRange {
    ExcludedRange {
        first,
        last,
        part,
        rule: Arc::clone(rule),
        lines: 0,
    }
}

impl Exclusions {
    /// Nothing is to be left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include_files.is_empty() && self.exclude_files.is_empty() && !self.needs_sources()
    }

    fn needs_sources(&self) -> bool {
        let starts = [
            &self.line,
            &self.start,
            &self.branch_line,
            &self.branch_start,
        ];
        self.markers || !self.skip.is_empty() || starts.iter().any(|regexes| !regexes.is_empty())
    }

    /// Leaves it out, and says what is to be known of the sources.
    ///
    /// # Errors
    /// If markers are not balanced, with all of their places; the coverage is as it was then.
    pub fn apply(
        &self,
        coverage: &mut Coverage,
        sources: &dyn Sources,
    ) -> Result<Vec<ExclusionNote>> {
        let mut notes = Vec::new();
        let mut asked: Vec<(FileId, Vec<ExcludedRange>)> = Vec::new();
        let mut unbalanced = Vec::new();
        let mut rust = RustFiles::default();
        for (id, file) in (0..=u32::MAX).map(FileId).zip(&coverage.files) {
            if file.is_blank() {
                continue;
            }
            if let Some(rule) = self.file_rule(&file.name) {
                asked.push((id, vec![range(1, u32::MAX, ExcludedPart::File, &rule)]));
                continue;
            }
            if !self.needs_sources() {
                continue;
            }
            let mut note = |line, cause| {
                notes.push(ExclusionNote {
                    file: file.name.clone(),
                    line,
                    cause,
                });
            };
            let text = match sources.read(file.name.as_bstr()) {
                Source::Missing { reason } => {
                    note(None, ExclusionCause::NoSource(reason));
                    continue;
                }
                Source::Text { text, is_changed } => {
                    if is_changed {
                        note(None, ExclusionCause::Changed);
                    }
                    text
                }
            };
            let mut ranges = self.by_regexes(&text);
            if self.markers {
                let found = markers::scan(&text);
                let places = found.unbalanced.into_iter();
                unbalanced.extend(places.map(|(line, what)| (file.name.clone(), line, what)));
                for line in executed(file, &found.ranges) {
                    note(Some(line), ExclusionCause::Executed);
                }
                ranges.extend(found.ranges);
                let ends = function_ends(coverage, file, &found.functions);
                let mut noted = None;
                let mut seen = HashSet::new();
                for marker in found.functions {
                    if !seen.insert((marker.line, Arc::clone(&marker.rule))) {
                        continue;
                    }
                    let end = ends.get(&marker.line);
                    let cause = match end {
                        Some(Some(_)) => None,
                        Some(None) => Some(ExclusionCause::NoEnd),
                        None => Some(ExclusionCause::NoFunction),
                    };
                    // Markers come line by line, and it is of the line.
                    if let Some(cause) = cause
                        && noted.replace(marker.line) != Some(marker.line)
                    {
                        note(Some(marker.line), cause);
                    }
                    if let Some(end) = end {
                        let last = end.unwrap_or(marker.line);
                        ranges.push(range(marker.line, last, marker.part, &marker.rule));
                    }
                }
            }
            if !self.skip.is_empty() && file.name.ends_with(b".rs") {
                match rust::read(&text, &self.skip) {
                    Ok(found) => {
                        ranges.extend(found.ranges);
                        rust.add(id, found.modules);
                    }
                    Err(why) => note(None, ExclusionCause::NotParsed(why)),
                }
            }
            asked.push((id, ranges));
        }
        if !unbalanced.is_empty() {
            return Err(Error::UnbalancedMarkers { places: unbalanced });
        }
        if self.skip.contains(&Skip::Tests) {
            let rule: Arc<str> = Skip::Tests.rule().into();
            for id in rust.test_files(coverage) {
                asked.push((id, vec![range(1, u32::MAX, ExcludedPart::File, &rule)]));
            }
        }
        coverage.exclude(asked);
        Ok(notes)
    }

    /// The rule that leaves out the whole file of this name.
    fn file_rule(&self, name: &BString) -> Option<Arc<str>> {
        let mut patterns = self.exclude_files.iter();
        if let Some(pattern) = patterns.find(|pattern| pattern.matches(name)) {
            return Some(format!("exclude-files: {pattern}").into());
        }
        let is_in = |pattern: &FilePattern| pattern.matches(name);
        let is_out = !self.include_files.is_empty() && !self.include_files.iter().any(is_in);
        is_out.then(|| "include-files".into())
    }

    fn by_regexes(&self, text: &[u8]) -> Vec<ExcludedRange> {
        let of_lines = regexes::Rules {
            prefix: "exclude",
            part: ExcludedPart::Lines,
            line: &self.line,
            start: &self.start,
            stop: &self.stop,
        };
        let of_branches = regexes::Rules {
            prefix: "exclude-branch",
            part: ExcludedPart::Branches,
            line: &self.branch_line,
            start: &self.branch_start,
            stop: &self.branch_stop,
        };
        let mut ranges = of_lines.scan(text);
        ranges.extend(of_branches.scan(text));
        ranges
    }
}

/// Lines that cannot be reached, it is said, and were.
fn executed(file: &File, ranges: &[ExcludedRange]) -> Vec<u32> {
    let mut found = Vec::new();
    for range in ranges {
        if range.part != ExcludedPart::Unexecuted {
            continue;
        }
        let from = file.lines.partition_point(|line| line.number < range.first);
        let lines = file.lines.iter().skip(from);
        let lines = lines.take_while(|line| line.number <= range.last);
        found.extend(lines.filter(|line| line.count > 0).map(|line| line.number));
    }
    found
}

/// For each line of a marker on which functions begin, the last line of these, if it is known.
fn function_ends(
    coverage: &Coverage,
    file: &File,
    markers: &[FunctionMarker],
) -> HashMap<u32, Option<u32>> {
    let mut ends: HashMap<u32, Option<u32>> = HashMap::new();
    let marked: HashSet<u32> = markers.iter().map(|marker| marker.line).collect();
    if marked.is_empty() {
        return ends;
    }
    let groups = file.groups.iter();
    for group in groups.filter(|group| marked.contains(&group.start.line)) {
        let end = ends.entry(group.start.line).or_default();
        for id in &group.members {
            let function = coverage.function(*id);
            let main = function.main_file;
            let regions = main.map_or(&[][..], |main| function.regions_in(main));
            let of_regions = regions.iter().map(|region| region.end.line).max();
            // No end is less than any.
            *end = (*end).max(of_regions).max(function.last_line);
        }
    }
    ends
}

#[cfg(test)]
mod tests;
