//! JSON, byte for byte as `llvm-cov export` writes it, version 3.1.0:
//! [its source](https://github.com/llvm/llvm-project/blob/llvmorg-22.1.8/llvm/tools/llvm-cov/CoverageExporterJson.cpp).
//! Compared with LLVM 22.1.8.
//!
//! All is on one line, keys are in alphabetical order, and there is no line feed at the end. What
//! surprises people, and is LLVM's choice:
//!
//! - `functions` has all functions, whichever files are listed;
//! - branches of which both sides are constant are in a file's `branches` and nowhere else;
//! - counts above the largest signed number are cut to it.
//!
//! It is written as it is made: memory does not grow with the report.

use std::borrow::Cow;
use std::io::{self, Write};

use bincover_model::{
    Branch, Coverage, Expansion, File, FileId, Function, Line, McdcRecord, Position, Region,
    Segment, Summary, Tally,
};
use bstr::{BStr, ByteSlice};

use crate::limits::MAX_EXPANDED;
use crate::{Options, Parts};

/// Writes the export of these files, and of all functions. llvm-cov lists files by name.
///
/// # Errors
/// If the writer fails; or, before anything is written, if expansions repeat so much of their functions as no
/// program's do, which would be a report of gigabytes.
///
/// # Panics
/// If a file's id belongs to another `Coverage`.
pub fn emit(
    coverage: &Coverage,
    files: &[FileId],
    parts: &Parts,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if !parts.summary_only && !parts.skip_expansions {
        check_expansions(coverage, files)?;
    }
    let mut json = Json {
        text: Vec::with_capacity(2 * FULL),
        out,
    };
    json.raw("{\"data\":[{\"files\":[");
    let mut totals = Summary::default();
    for (index, id) in files.iter().enumerate() {
        let file = coverage.file(*id);
        json.comma(index);
        json.file(coverage, file, parts)?;
        totals += file.summary;
    }
    json.raw("]");
    if !parts.summary_only && !parts.skip_functions {
        json.raw(",\"functions\":[");
        let functions = coverage.functions.iter();
        let functions = functions.filter(|function| coverage.kept(function).has_function());
        for (index, function) in functions.enumerate() {
            json.comma(index);
            json.function(coverage, function);
            json.spill()?;
        }
        json.raw("]");
    }
    json.raw(",\"totals\":");
    json.summary(&totals);
    json.raw("}],\"type\":\"llvm.coverage.json.export\",\"version\":\"3.1.0\"}");
    json.out.write_all(&json.text)?;
    json.out.flush()
}

/// Writes the export of all files. Reads no option.
///
/// # Errors
/// If the writer fails.
pub fn emit_all(coverage: &Coverage, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let files: Vec<FileId> = (0..).map(FileId).take(coverage.files.len()).collect();
    emit(coverage, &files, &Parts::default(), out)
}

/// Each expansion has all regions and files of its function.
fn check_expansions(coverage: &Coverage, files: &[FileId]) -> io::Result<()> {
    let expansions = files.iter().flat_map(|id| &coverage.file(*id).expansions);
    let repeated = expansions.map(|expansion| {
        let function = coverage.function(expansion.function);
        (function.regions.len() + function.files.len()) as u64
    });
    let repeated: u64 = repeated.sum();
    if repeated > MAX_EXPANDED {
        return Err(io::Error::other(format!(
            "expected expansions with {MAX_EXPANDED} regions and files of their functions at most, found {repeated}"
        )));
    }
    Ok(())
}

/// The file's segments. Where no more than lines is known, each line is one that begins in its
/// first column and ends in its second, which gives readers the lines' counts.
fn segments(file: &File) -> Cow<'_, [Segment]> {
    if !file.segments.is_empty() || file.lines.is_empty() {
        return Cow::Borrowed(&file.segments);
    }
    let of_line = |line: &Line| {
        let start = |column| Position {
            line: line.number,
            column,
        };
        let entry = Segment {
            start: start(1),
            count: line.count,
            has_count: true,
            is_entry: true,
            is_gap: false,
        };
        let end = Segment {
            start: start(2),
            count: 0,
            has_count: false,
            is_entry: false,
            is_gap: false,
        };
        [entry, end]
    };
    file.lines.iter().flat_map(of_line).collect()
}

/// When there is this much text, it goes out.
const FULL: usize = 1 << 16;

/// Text on its way out.
struct Json<'w> {
    text: Vec<u8>,
    out: &'w mut dyn Write,
}

impl Json<'_> {
    fn file(&mut self, coverage: &Coverage, file: &File, parts: &Parts) -> io::Result<()> {
        self.raw("{");
        if !parts.summary_only {
            self.raw("\"branches\":[");
            self.list(&file.branches, Self::branch);
            self.raw("],");
            if !parts.skip_expansions {
                self.raw("\"expansions\":[");
                for (index, expansion) in file.expansions.iter().enumerate() {
                    self.comma(index);
                    self.expansion(coverage, *expansion);
                    self.spill()?;
                }
                self.raw("],");
            }
        }
        self.raw("\"filename\":");
        self.string(file.name.as_bstr());
        if !parts.summary_only {
            self.raw(",\"mcdc_records\":[");
            self.list(&file.mcdc, |json, id| json.mcdc(coverage.mcdc(*id)));
            self.raw("],\"segments\":[");
            for (index, segment) in segments(file).iter().enumerate() {
                self.comma(index);
                self.raw("[");
                self.number(segment.start.line.into());
                self.raw(",");
                self.number(segment.start.column.into());
                self.raw(",");
                self.count(segment.count);
                for flag in [segment.has_count, segment.is_entry, segment.is_gap] {
                    self.raw(if flag { ",true" } else { ",false" });
                }
                self.raw("]");
                self.spill()?;
            }
            self.raw("]");
        }
        self.raw(",\"summary\":");
        self.summary(&file.summary);
        self.raw("}");
        self.spill()
    }

    fn function(&mut self, coverage: &Coverage, function: &Function) {
        let kept = coverage.kept(function);
        self.raw("{\"branches\":[");
        let branches = function.branches.iter();
        let is_listed = |branch: &&Branch| !branch.is_folded() && kept.has_branch(branch);
        self.list(branches.filter(is_listed), Self::branch);
        self.raw("],\"count\":");
        self.count(function.count);
        self.raw(",\"filenames\":");
        self.file_names(coverage, function);
        self.raw(",\"mcdc_records\":[");
        let mcdc = function.mcdc.iter();
        self.list(mcdc.filter(|record| kept.has_mcdc(record)), Self::mcdc);
        self.raw("],\"name\":");
        self.string(function.name.as_bstr());
        self.raw(",\"regions\":[");
        let regions = function.regions.iter();
        self.list(
            regions.filter(|region| kept.has_region(region)),
            Self::region,
        );
        self.raw("]}");
    }

    fn expansion(&mut self, coverage: &Coverage, expansion: Expansion) {
        let function = coverage.function(expansion.function);
        self.raw("{\"branches\":[");
        let branches = coverage.branches_inside(expansion);
        let kept = coverage.kept(function);
        let is_listed = |branch: &&Branch| !branch.is_folded() && kept.has_branch(branch);
        self.list(branches.iter().filter(is_listed), Self::branch);
        self.raw("],\"filenames\":");
        self.file_names(coverage, function);
        self.raw(",\"source_region\":");
        match coverage.expansion_region(expansion) {
            Some(region) => self.region(region),
            None => self.raw("null"),
        }
        self.raw(",\"target_regions\":[");
        let regions = function.regions.iter();
        self.list(
            regions.filter(|region| kept.has_region(region)),
            Self::region,
        );
        self.raw("]}");
    }

    fn file_names(&mut self, coverage: &Coverage, function: &Function) {
        self.raw("[");
        self.list(&function.files, |json, file| {
            json.string(coverage.file(*file).name.as_bstr());
        });
        self.raw("]");
    }

    fn region(&mut self, region: &Region) {
        self.raw("[");
        self.range(region.start, region.end);
        self.count(region.count);
        self.numbers([region.file.0, region.expanded.0, region.kind as u32]);
        self.raw("]");
    }

    fn branch(&mut self, branch: &Branch) {
        self.raw("[");
        self.range(branch.start, branch.end);
        self.count(branch.true_count);
        self.raw(",");
        self.count(branch.false_count);
        self.numbers([branch.file.0, 0, if branch.is_condition { 6 } else { 4 }]);
        self.raw("]");
    }

    fn mcdc(&mut self, record: &McdcRecord) {
        self.raw("[");
        self.range(record.start, record.end);
        let (of_true, of_false) = record.outcomes();
        self.number(of_true as u64);
        self.raw(",");
        self.number(of_false as u64);
        self.numbers([record.file.0, 0, 5]);
        self.raw(",[");
        self.list(&record.conditions, |json, condition| {
            json.flag(condition.is_covered());
        });
        self.raw("],[");
        self.list(&record.vectors, |json, vector| {
            json.raw("{\"conditions\":[");
            json.list(&vector.values, |json, value| match value {
                Some(value) => json.flag(*value),
                None => json.raw("null"),
            });
            json.raw("],\"executed\":true,\"result\":");
            json.flag(vector.outcome);
            json.raw("}");
        });
        self.raw("]]");
    }

    fn summary(&mut self, summary: &Summary) {
        let tallies = [
            ("{\"branches\":", summary.branches, true),
            (",\"functions\":", summary.functions, false),
            (",\"instantiations\":", summary.instantiations, false),
            (",\"lines\":", summary.lines, false),
            (",\"mcdc\":", summary.mcdc, true),
            (",\"regions\":", summary.regions, true),
        ];
        for (key, tally, with_missed) in tallies {
            self.raw(key);
            self.tally(tally, with_missed);
        }
        self.raw("}");
    }

    fn tally(&mut self, tally: Tally, with_missed: bool) {
        self.raw("{\"count\":");
        self.count(tally.total);
        self.raw(",\"covered\":");
        self.count(tally.covered);
        if with_missed {
            self.raw(",\"notcovered\":");
            self.count(tally.missed());
        }
        self.raw(",\"percent\":");
        let percent = shortest_of_17(tally.percent());
        self.raw(&percent);
        self.raw("}");
    }

    fn range(&mut self, start: Position, end: Position) {
        for part in [start.line, start.column, end.line, end.column] {
            self.number(part.into());
            self.raw(",");
        }
    }

    /// Each after a comma.
    fn numbers(&mut self, numbers: [u32; 3]) {
        for number in numbers {
            self.raw(",");
            self.number(number.into());
        }
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (index, item) in items.into_iter().enumerate() {
            self.comma(index);
            each(self, item);
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.raw(",");
        }
    }

    fn flag(&mut self, flag: bool) {
        self.raw(if flag { "true" } else { "false" });
    }

    /// No larger than a signed number can be.
    fn count(&mut self, count: u64) {
        self.number(count.min(i64::MAX.unsigned_abs()));
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text.extend_from_slice(&digits[at..]);
    }

    fn string(&mut self, text: &BStr) {
        self.raw("\"");
        for &byte in text.to_str_lossy().as_bytes() {
            match byte {
                b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', byte]),
                b'\t' => self.raw("\\t"),
                b'\n' => self.raw("\\n"),
                b'\r' => self.raw("\\r"),
                0..0x20 => self.raw(&format!("\\u{byte:04x}")),
                _ => self.text.push(byte),
            }
        }
        self.raw("\"");
    }

    fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.text.len() >= FULL {
            self.out.write_all(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }
}

/// As C's `%.17g`: 17 digits without zeros at the end.
fn shortest_of_17(number: f64) -> String {
    let scientific = format!("{number:.16e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match usize::try_from(16 - exponent) {
        Ok(places) if exponent >= -4 => without_zeros(&format!("{number:.places$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", without_zeros(digits), exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, lines, one_of_everything};

    #[track_caller]
    fn emitted(coverage: &Coverage, files: &[FileId], parts: &Parts) -> String {
        let mut out = Vec::new();
        emit(coverage, files, parts, &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    /// What C prints with `%.17g`.
    #[test]
    fn numbers_have_17_digits() {
        let table = [
            (0.0, "0"),
            (100.0, "100"),
            (59.0 / 88.0 * 100.0, "67.045454545454547"),
            (1.0 / 3.0 * 100.0, "33.333333333333329"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        ];
        for (number, expected) in table {
            assert_eq!(shortest_of_17(number), expected);
        }
    }

    #[test]
    fn nothing() {
        let zeros = "{\"count\":0,\"covered\":0,\"percent\":0}";
        let four = "{\"count\":0,\"covered\":0,\"notcovered\":0,\"percent\":0}";
        assert_eq!(
            emitted(&Coverage::default(), &[], &Parts::default()),
            format!(
                "{{\"data\":[{{\"files\":[],\"functions\":[],\"totals\":{{\"branches\":{four},\"functions\":{zeros},\"instantiations\":{zeros},\"lines\":{zeros},\"mcdc\":{four},\"regions\":{four}}}}}],\"type\":\"llvm.coverage.json.export\",\"version\":\"3.1.0\"}}"
            )
        );
    }

    #[test]
    fn names_are_escaped_and_made_utf_8() {
        let mut coverage = Coverage {
            files: vec![file("", lines(&[(1, 1)]))],
            functions: Vec::new(),
        };
        coverage.files[0].name = b"a\"\\\t\x01\x7f\xff".as_slice().into();
        let parts = Parts {
            summary_only: true,
            ..Parts::default()
        };
        let json = emitted(&coverage, &[FileId(0)], &parts);
        let name = "\"filename\":\"a\\\"\\\\\\t\\u0001\u{7f}\u{fffd}\"";
        assert!(json.contains(name), "{json}");
    }

    #[test]
    fn parts_can_be_left_out() {
        let coverage = one_of_everything();
        let has = |parts: Parts| {
            let json = emitted(&coverage, &[FileId(0)], &parts);
            ["\"functions\":[", "\"expansions\":[", "\"segments\":["].map(|key| json.contains(key))
        };
        let all = Parts::default();
        assert_eq!(has(all), [true, true, true]);
        let skip_functions = Parts {
            skip_functions: true,
            ..all
        };
        assert_eq!(has(skip_functions), [false, true, true]);
        let skip_expansions = Parts {
            skip_expansions: true,
            ..all
        };
        assert_eq!(has(skip_expansions), [true, false, true]);
        let summary_only = Parts {
            summary_only: true,
            ..all
        };
        assert_eq!(has(summary_only), [false, false, false]);
    }
}
