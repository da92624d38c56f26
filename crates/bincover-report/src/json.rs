//! Our own JSON, of which `docs/report.schema.json` is the schema.
//!
//! `version` is raised when a reader of the old one would misunderstand the new one; members may be
//! added without. It is written file by file: memory does not grow with the report.

use std::io::{self, BufWriter, Write};

use bincover_model::{Coverage, ExcludedPart, ExcludedRange, File, Summary, Tally};
use bstr::ByteSlice;
use serde::Serialize;

use crate::Options;
use crate::listed::{Rates, listed};
use crate::missing::{GroupNames, Missing, missing};
use crate::names::repeated;
use crate::paths::Names;
use crate::quoted::quoted;

/// The version of the schema.
pub const VERSION: u32 = 1;
/// Who writes documents.
pub(crate) const TOOL: &str = concat!("bincover ", env!("CARGO_PKG_VERSION"));

#[derive(Serialize)]
pub(crate) struct JsonTally {
    covered: u64,
    total: u64,
}

impl From<Tally> for JsonTally {
    fn from(Tally { covered, total }: Tally) -> Self {
        Self { covered, total }
    }
}

#[derive(Serialize)]
struct JsonSummary {
    lines: JsonTally,
    functions: JsonTally,
    instantiations: JsonTally,
    regions: JsonTally,
    branches: JsonTally,
    mcdc: JsonTally,
}

impl From<Summary> for JsonSummary {
    fn from(summary: Summary) -> Self {
        Self {
            lines: summary.lines.into(),
            functions: summary.functions.into(),
            instantiations: summary.instantiations.into(),
            regions: summary.regions.into(),
            branches: summary.branches.into(),
            mcdc: summary.mcdc.into(),
        }
    }
}

/// The numbers of what is listed.
#[derive(Serialize)]
struct JsonListed {
    lines: JsonTally,
    branches: JsonTally,
}

#[derive(Serialize)]
struct JsonFile<'c> {
    name: String,
    summary: JsonSummary,
    listed: JsonListed,
    /// First line, last line, count.
    lines: Vec<(u32, u32, u64)>,
    /// Line, times true, times false.
    branches: Vec<Vec<u64>>,
    functions: Vec<JsonFunction<'c>>,
    missing: Vec<JsonMissing<'c>>,
}

#[derive(Serialize)]
struct JsonFunction<'c> {
    name: &'c str,
    symbol: String,
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    count: u64,
    instantiations: usize,
}

#[derive(Serialize)]
pub(crate) struct JsonMissing<'c> {
    first_line: u32,
    last_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    lines: u64,
    reason: &'static str,
    /// Of a very long name the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'c str>,
}

impl<'c> JsonMissing<'c> {
    pub(crate) fn new(one: &Missing, function: Option<&'c str>) -> Self {
        Self {
            first_line: one.first_line(),
            last_line: one.last_line(),
            column: one.lines.is_none().then_some(one.start.column),
            lines: one.line_count,
            reason: one.reason.key(),
            function,
        }
    }
}

/// Writes the document. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    write!(
        out,
        "{{\"version\":{VERSION},\"tool\":\"{TOOL}\",\"root\":{},\"totals\":",
        quoted(&names.root.to_str_lossy())
    )?;
    serde_json::to_writer(&mut out, &JsonSummary::from(coverage.totals()))?;
    write!(out, ",\"files\":[")?;
    for (index, file) in coverage.measured_files().enumerate() {
        writeln!(out, "{}", if index == 0 { "" } else { "," })?;
        let groups = GroupNames::new(coverage, file);
        serde_json::to_writer(&mut out, &json_file(coverage, file, &names, &groups))?;
    }
    write!(out, "\n]")?;
    let mut is_first = true;
    for file in coverage
        .files
        .iter()
        .filter(|file| !file.excluded.is_empty())
    {
        let name = names.of(&file.name);
        let name = repeated(&name);
        for range in &file.excluded.ranges {
            let start = if is_first { ",\"excluded\":[\n" } else { ",\n" };
            is_first = false;
            out.write_all(start.as_bytes())?;
            serde_json::to_writer(&mut out, &json_excluded(&name, range))?;
        }
    }
    writeln!(out, "{}}}", if is_first { "" } else { "\n]" })?;
    out.flush()
}

/// A range of lines that was left out.
#[derive(Serialize)]
struct JsonExcluded<'c> {
    /// Of a very long one the beginning.
    name: &'c str,
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_line: Option<u32>,
    rule: &'c str,
    lines: u64,
}

fn json_excluded<'c>(name: &'c str, range: &'c ExcludedRange) -> JsonExcluded<'c> {
    let is_part = range.part != ExcludedPart::File;
    JsonExcluded {
        name,
        part: range.part.name(),
        first_line: is_part.then_some(range.first),
        last_line: is_part.then_some(range.last),
        rule: &range.rule,
        lines: range.lines,
    }
}

fn json_file<'c>(
    coverage: &Coverage,
    file: &File,
    names: &Names<'_>,
    names_of: &'c GroupNames<'_>,
) -> JsonFile<'c> {
    let lines = listed(coverage, file);
    let rates = Rates::of(&lines);
    let mut ranges: Vec<(u32, u32, u64)> = Vec::new();
    for line in &file.lines {
        match ranges.last_mut() {
            Some((_, last, count))
                if *count == line.count && last.checked_add(1) == Some(line.number) =>
            {
                *last = line.number;
            }
            _ => ranges.push((line.number, line.number, line.count)),
        }
    }
    let branches = lines.iter().flat_map(|line| &line.branches);
    let groups = file.groups.iter().enumerate();
    let functions = groups.map(|(index, group)| JsonFunction {
        name: names_of.get(index).unwrap_or_default(),
        symbol: group.members.first().map_or_else(String::new, |id| {
            coverage.function(*id).name.to_str_lossy().into_owned()
        }),
        line: group.start.line,
        column: Some(group.start.column).filter(|column| *column > 0),
        count: group.count,
        instantiations: group.members.len(),
    });
    let missing = missing(coverage, file)
        .into_iter()
        .map(|one| JsonMissing::new(&one, names_of.around(&one)));
    JsonFile {
        name: names.of(&file.name),
        summary: file.summary.into(),
        listed: JsonListed {
            lines: rates.lines.into(),
            branches: rates.branches.into(),
        },
        lines: ranges,
        branches: branches
            .map(|branch| {
                std::iter::once(branch.line.into())
                    .chain(branch.sides())
                    .collect()
            })
            .collect(),
        functions: functions.collect(),
        missing: missing.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::one_of_everything;

    #[test]
    fn what_was_left_out_is_listed() {
        let mut coverage = one_of_everything();
        let range = |first, last, part| ExcludedRange {
            first,
            last,
            part,
            rule: "a rule".into(),
            lines: 0,
        };
        let ranges = vec![
            range(3, 4, ExcludedPart::Lines),
            range(11, 11, ExcludedPart::Branches),
            range(13, 15, ExcludedPart::Unexecuted),
        ];
        coverage.exclude([(bincover_model::FileId(0), ranges)]);
        let mut out = Vec::new();
        emit(&coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(
            json["excluded"],
            serde_json::json!([
                {"name": "a.c", "part": "lines", "first_line": 3, "last_line": 4,
                 "rule": "a rule", "lines": 2},
                {"name": "a.c", "part": "branches", "first_line": 11, "last_line": 11,
                 "rule": "a rule", "lines": 1},
                {"name": "a.c", "part": "unexecuted_lines", "first_line": 14, "last_line": 14,
                 "rule": "a rule", "lines": 1}
            ])
        );
        assert_eq!(json["files"][0]["lines"][1], serde_json::json!([5, 5, 2]));
    }

    #[test]
    fn ranges_functions_and_what_is_missing() {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), &mut out).expect("a Vec takes everything");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(json["version"], VERSION);
        assert_eq!(json["root"], "/w/");
        let file = &json["files"][0];
        assert_eq!(file["name"], "a.c");
        assert_eq!(file["lines"][0], serde_json::json!([1, 1, 1]));
        assert_eq!(file["lines"][5], serde_json::json!([9, 10, 1]));
        assert_eq!(file["branches"][2], serde_json::json!([4, 2, 3]));
        assert_eq!(file["functions"][0]["name"], "a.c:inner");
        assert_eq!(
            file["missing"],
            serde_json::json!([
                {"first_line": 1, "last_line": 1, "column": 21, "lines": 0,
                 "reason": "never_true"},
                {"first_line": 1, "last_line": 1, "column": 28, "lines": 0,
                 "reason": "not_evaluated"},
                {"first_line": 4, "last_line": 4, "column": 16, "lines": 0,
                 "reason": "never_false", "function": "a.c:inner"},
                {"first_line": 14, "last_line": 14, "lines": 1,
                 "reason": "not_reached", "function": "main"}
            ])
        );
    }
}
