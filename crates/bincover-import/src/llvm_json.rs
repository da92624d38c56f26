//! The JSON of `llvm-cov export`, versions 2.0.1 (LLVM 12) to 3.1.0 (LLVM 22):
//! [its writer](https://github.com/llvm/llvm-project/blob/llvmorg-22.1.8/llvm/tools/llvm-cov/CoverageExporterJson.cpp).
//!
//! It has almost all of the model. What it does not have:
//!
//! - which side of a branch is constant. A branch of the file that is in no function's list has two
//!   such sides, which is how LLVM writes it;
//! - the places of an MC/DC decision's conditions: the totals stay;
//! - lines: they are worked out from the segments, as LLVM does;
//! - functions, regions and macros, if it was made with `-skip-functions`, and all but totals, if
//!   with `-summary-only`.

use std::collections::{HashMap, HashSet};
use std::fmt;

use bincover_model::{
    Branch, Coverage, File, FileId, Function, FunctionId, Group, LocalFile, Position, Region,
    RegionKind, Segment, Segmenter, Summary, Tally, lines,
};
use bstr::BString;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::error::{Error, ErrorKind, Result};
use crate::expansions::Steps;
use crate::kind::MARK;
use crate::limits::{
    MAX_FILE_NAME, MAX_FUNCTION_NAME, MAX_LINE, MAX_LINES_BESIDE_BYTES, MAX_STEPS,
    MAX_STEPS_OF_BYTE,
};
use crate::merge::merge;

/// Reads an export.
///
/// # Errors
/// If it is not JSON, or not llvm-cov's.
pub fn read(bytes: &[u8]) -> Result<Coverage> {
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let export: Export = serde_json::from_slice(text).map_err(|error| of_json(bytes, &error))?;
    let wrong = |kind, what, expected: &str, found: String| {
        let at = bytes.len();
        Err(Error::new(kind, what, bytes, at, expected, found))
    };
    if export.kind != TYPE {
        let found = format!("{:?}", export.kind);
        return wrong(ErrorKind::Malformed, "type", TYPE, found);
    }
    let mut last_lines = 0u64;
    let most_steps = MAX_STEPS + MAX_STEPS_OF_BYTE * bytes.len() as u64;
    let mut steps = Steps { left: most_steps };
    let mut parts = Vec::new();
    for data in export.data {
        for file in &data.files {
            let last = file.segments.iter().map(|segment| segment.0.start.line);
            last_lines += u64::from(last.max().unwrap_or(0));
        }
        let limit = MAX_LINES_BESIDE_BYTES + bytes.len() as u64;
        if last_lines > limit {
            let expected = format!("no more than {limit} in all files");
            let found = last_lines.to_string();
            return wrong(ErrorKind::TooLarge, "last lines", &expected, found);
        }
        let part = data.coverage();
        if !part.functions.iter().all(|one| steps.suffice(one)) {
            let expected = format!("branches of no more than {most_steps} steps in all functions");
            return wrong(
                ErrorKind::TooLarge,
                "expansions",
                &expected,
                "more".to_owned(),
            );
        }
        parts.push(part);
    }
    Ok(match parts.len() {
        1 => parts.remove(0),
        _ => merge(parts),
    })
}

const TYPE: &str = "llvm.coverage.json.export";

/// An error of the parser, which knows line and column.
fn of_json(bytes: &[u8], error: &serde_json::Error) -> Error {
    let mut starts = memchr::memchr_iter(b'\n', bytes).map(|feed| feed + 1);
    let line = error.line().checked_sub(2);
    let start = line.map_or(0, |line| starts.nth(line).unwrap_or(bytes.len()));
    let at = start + error.column().saturating_sub(1);
    let message = error.to_string();
    let kind = match error.classify() {
        serde_json::error::Category::Eof => ErrorKind::Truncated,
        _ if message.starts_with(TOO_LONG) => ErrorKind::TooLarge,
        _ => ErrorKind::Malformed,
    };
    let found = message.split(" at line ").next().unwrap_or_default();
    Error::new(kind, "JSON", bytes, at, "llvm-cov's JSON", found)
}

#[derive(Deserialize)]
struct Export {
    #[serde(rename = "type")]
    kind: String,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<JsonFile>,
    #[serde(default)]
    functions: Vec<JsonFunction>,
}

#[derive(Deserialize)]
struct JsonFile {
    filename: FileName,
    #[serde(default)]
    segments: Vec<JsonSegment>,
    #[serde(default)]
    branches: Vec<JsonBranch>,
    summary: JsonSummary,
}

#[derive(Deserialize)]
struct JsonFunction {
    name: FunctionName,
    count: u64,
    filenames: Vec<FileName>,
    regions: Vec<JsonRegion>,
    #[serde(default)]
    branches: Vec<JsonBranch>,
}

/// Names as long as they may be.
type FileName = Name<MAX_FILE_NAME>;
type FunctionName = Name<MAX_FUNCTION_NAME>;

/// Text of no more than so many bytes.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name<const MOST: usize>(String);

/// How the message on one that is longer begins.
const TOO_LONG: &str = "a name of more than";

impl<const MOST: usize> TryFrom<String> for Name<MOST> {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.len() > MOST {
            true => Err(format!("{TOO_LONG} {MOST} bytes ({})", name.len())),
            false => Ok(Self(name)),
        }
    }
}

#[derive(Default, Deserialize)]
struct JsonSummary {
    lines: JsonTally,
    functions: JsonTally,
    instantiations: JsonTally,
    regions: JsonTally,
    #[serde(default)]
    branches: JsonTally,
    #[serde(default)]
    mcdc: JsonTally,
}

#[derive(Default, Deserialize)]
#[serde(try_from = "Counted")]
struct JsonTally(Tally);

#[derive(Deserialize)]
struct Counted {
    count: u64,
    covered: u64,
}

impl TryFrom<Counted> for JsonTally {
    type Error = String;

    fn try_from(counted: Counted) -> Result<Self, String> {
        let Counted { count, covered } = counted;
        match covered <= count {
            true => Ok(Self(Tally {
                covered,
                total: count,
            })),
            false => Err(format!("{covered} covered of {count}")),
        }
    }
}

/// A list whose items have places but no names. Newer versions put more at its end.
struct JsonSegment(Segment);
struct JsonRegion(Region);
struct JsonBranch(Branch);

/// Takes the items of a list one after another.
struct Items<A>(A, usize);

impl<'de, A: SeqAccess<'de>> Items<A> {
    fn next<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        self.1 += 1;
        let item = self.0.next_element()?;
        item.ok_or_else(|| de::Error::invalid_length(self.1 - 1, &"more numbers"))
    }

    fn optional<T: Deserialize<'de> + Default>(&mut self) -> Result<T, A::Error> {
        Ok(self.0.next_element()?.unwrap_or_default())
    }

    fn position(&mut self) -> Result<Position, A::Error> {
        let line: u64 = self.next()?;
        let column: u64 = self.next()?;
        let small = |number: u64| u32::try_from(number).ok();
        let line = small(line).filter(|line| (0..=MAX_LINE).contains(line));
        let line = line.ok_or_else(|| {
            de::Error::custom(format_args!("a line number that is not 0 to {MAX_LINE}"))
        })?;
        let column = small(column).ok_or_else(|| de::Error::custom("a column above 2^32 - 1"))?;
        Ok(Position { line, column })
    }

    fn finish(mut self) -> Result<(), A::Error> {
        while self.0.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Makes one of a list's items.
trait OfList<'de>: Sized {
    fn of<A: SeqAccess<'de>>(items: &mut Items<A>) -> Result<Self, A::Error>;
}

struct ListVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: OfList<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        let mut items = Items(seq, 0);
        let value = T::of(&mut items)?;
        items.finish()?;
        Ok(value)
    }
}

macro_rules! lists {
    ($($name:ident),*) => {
        $(impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_seq(ListVisitor(std::marker::PhantomData))
            }
        })*
    };
}

lists!(JsonSegment, JsonRegion, JsonBranch);

impl<'de> OfList<'de> for JsonSegment {
    fn of<A: SeqAccess<'de>>(items: &mut Items<A>) -> Result<Self, A::Error> {
        Ok(Self(Segment {
            start: items.position()?,
            count: items.next()?,
            has_count: items.next()?,
            is_entry: items.next()?,
            is_gap: items.optional()?,
        }))
    }
}

impl<'de> OfList<'de> for JsonRegion {
    fn of<A: SeqAccess<'de>>(items: &mut Items<A>) -> Result<Self, A::Error> {
        let (start, end) = (items.position()?, items.position()?);
        if end < start {
            return Err(de::Error::custom("a region that ends before it begins"));
        }
        let count = items.next()?;
        let file = LocalFile(items.next()?);
        let expanded = LocalFile(items.next()?);
        let kind: u32 = items.next()?;
        let kind = match kind {
            0 => RegionKind::Code,
            1 => RegionKind::Expansion,
            2 => RegionKind::Skipped,
            3 => RegionKind::Gap,
            other => {
                let unexpected = de::Unexpected::Unsigned(other.into());
                return Err(de::Error::invalid_value(
                    unexpected,
                    &"a region's kind, 0 to 3",
                ));
            }
        };
        Ok(Self(Region {
            kind,
            file,
            expanded,
            start,
            end,
            count,
        }))
    }
}

impl<'de> OfList<'de> for JsonBranch {
    fn of<A: SeqAccess<'de>>(items: &mut Items<A>) -> Result<Self, A::Error> {
        let (start, end) = (items.position()?, items.position()?);
        let (true_count, false_count) = (items.next()?, items.next()?);
        let file = LocalFile(items.next()?);
        let _expanded: u32 = items.next()?;
        let kind: u32 = items.next()?;
        Ok(Self(Branch {
            file,
            start,
            end,
            true_count,
            false_count,
            true_folded: false,
            false_folded: false,
            is_condition: kind == 6,
        }))
    }
}

impl JsonSummary {
    fn summary(&self) -> Summary {
        Summary {
            lines: self.lines.0,
            functions: self.functions.0,
            instantiations: self.instantiations.0,
            regions: self.regions.0,
            branches: self.branches.0,
            mcdc: self.mcdc.0,
            ..Summary::default()
        }
    }
}

impl Data {
    fn coverage(self) -> Coverage {
        let mut names: Vec<&str> = self.files.iter().map(|file| &*file.filename.0).collect();
        let of_functions = self.functions.iter().flat_map(|one| &one.filenames);
        names.extend(of_functions.map(|name| &*name.0));
        names.sort_unstable();
        names.dedup();
        let ids: HashMap<BString, FileId> = names
            .iter()
            .zip((0..).map(FileId))
            .map(|(name, id)| ((*name).into(), id))
            .collect();
        let blank = |name: &&str| File {
            name: (*name).into(),
            ..File::default()
        };
        let mut coverage = Coverage {
            files: names.iter().map(blank).collect(),
            functions: Vec::new(),
        };
        let mut is_listed = vec![false; names.len()];
        let id = |name: &str| ids.get(name.as_bytes()).copied().unwrap_or(FileId(0));
        let mut segmenter = Segmenter::default();
        coverage.functions = self
            .functions
            .into_iter()
            .map(|function| function.function(&id, &mut segmenter))
            .collect();
        for file in self.files {
            let index = id(&file.filename.0).0 as usize;
            is_listed[index] = true;
            let slot = &mut coverage.files[index];
            // A file that is there twice is as it was last.
            slot.segments = file.segments.into_iter().map(|segment| segment.0).collect();
            slot.segments.sort_by_key(|segment| segment.start);
            slot.lines = lines(&slot.segments);
            slot.branches = file.branches.into_iter().map(|branch| branch.0).collect();
            slot.summary = file.summary.summary();
        }
        place_functions(&mut coverage, &is_listed);
        mark_constant_branches(&mut coverage);
        coverage
    }
}

impl JsonFunction {
    fn function(self, id: &dyn Fn(&str) -> FileId, segmenter: &mut Segmenter) -> Function {
        let count = u32::try_from(self.filenames.len()).unwrap_or(u32::MAX);
        let files = self.filenames.iter().map(|name| id(&name.0)).collect();
        // What lies in a file that the function does not have is nowhere.
        let regions = self.regions.into_iter().map(|region| region.0);
        let mut regions: Vec<Region> = regions
            .filter(|region| region.file.0 < count && region.expanded.0 < count)
            .collect();
        regions.sort_by_key(|region| region.file);
        let branches = self.branches.into_iter().map(|branch| branch.0);
        let mut branches: Vec<Branch> = branches.filter(|branch| branch.file.0 < count).collect();
        branches.sort_by_key(|branch| branch.file);
        let mut is_expanded = vec![false; self.filenames.len()];
        for region in &regions {
            if region.kind == RegionKind::Expansion {
                is_expanded[region.expanded.0 as usize] = true;
            }
        }
        let main = (0..).map(LocalFile).zip(&is_expanded);
        let main = main.filter(|(_, is_expanded)| !**is_expanded);
        let mut function = Function {
            name: self.name.0.into(),
            count: self.count,
            files,
            main_file: main.map(|(file, _)| file).next(),
            regions,
            branches,
            ..Function::default()
        };
        function.summary = function.summarize(segmenter);
        function
    }
}

/// Lists functions, groups and macros in the files where they are, as LLVM does when it loads them.
/// Of files that are not listed there is but the name.
fn place_functions(coverage: &mut Coverage, is_listed: &[bool]) {
    let Coverage { files, functions } = coverage;
    let mut starts: Vec<Vec<(Position, FunctionId)>> = vec![Vec::new(); files.len()];
    for (id, function) in (0..).map(FunctionId).zip(&*functions) {
        let is_listed = |file: FileId| is_listed[file.0 as usize];
        if let Some(first) = function.files.first().filter(|file| is_listed(**file)) {
            files[first.0 as usize].functions.push(id);
        }
        let Some(main) = function.main_file else {
            continue;
        };
        let file = function.files[main.0 as usize];
        if !is_listed(file) {
            continue;
        }
        let file = file.0 as usize;
        if let Some(first) = function.regions_in(main).first() {
            starts[file].push((first.start, id));
        }
        let expansions = function.expansions_in(id, main);
        files[file].expansions.extend(expansions);
    }
    for (file, mut starts) in files.iter_mut().zip(starts) {
        starts.sort_by_key(|(start, _)| *start);
        let groups = starts.chunk_by(|a, b| a.0 == b.0).map(|members| {
            let ids = members.iter().map(|(_, id)| *id).collect();
            Group::new(members[0].0, ids, functions)
        });
        file.groups = groups.collect();
    }
}

/// See the module.
fn mark_constant_branches(coverage: &mut Coverage) {
    if coverage.functions.is_empty() {
        return;
    }
    let mut real: HashSet<(FileId, Position, Position)> = HashSet::new();
    for function in &coverage.functions {
        for branch in &function.branches {
            let file = function.files[branch.file.0 as usize];
            real.insert((file, branch.start, branch.end));
        }
    }
    for (id, file) in (0..).map(FileId).zip(&mut coverage.files) {
        for branch in &mut file.branches {
            if !real.contains(&(id, branch.start, branch.end)) {
                branch.true_folded = true;
                branch.false_folded = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#""summary":{"lines":{"count":2,"covered":1},"functions":{"count":0,"covered":0},
"instantiations":{"count":0,"covered":0},"regions":{"count":0,"covered":0}}"#;

    fn export(segments: &str, functions: &str) -> String {
        format!(
            "{{\"version\":\"2.0.1\",\"type\":\"{TYPE}\",\"data\":[{{\"totals\":{{}},\"files\":[{{\"filename\":\"a.c\",\
             \"segments\":{segments},{SUMMARY}}}],\"functions\":{functions}}}]}}"
        )
    }

    #[track_caller]
    fn fails(text: &str, message: &str) {
        let error = read(text.as_bytes()).expect_err(text);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.offset() <= text.len() as u64);
    }

    #[test]
    fn an_old_export_without_gaps_and_branches() {
        let text = export("[[1,1,4,true,true],[2,9,0,false,false]]", "[]");
        let coverage = read(text.as_bytes()).expect("an export");
        let lines: Vec<_> = coverage.files[0]
            .lines
            .iter()
            .map(|line| (line.number, line.count))
            .collect();
        assert_eq!(lines, [(1, 4), (2, 4)]);
        assert_eq!(coverage.files[0].summary.lines.total, 2);
    }

    #[test]
    fn bad_exports_are_named() {
        fails(
            &export("[[1000000000,1,1,true,true,false]]", "[]"),
            "a line number that is not 0 to",
        );
        fails(
            &export("[[1,1,-5,true,true,false]]", "[]"),
            "invalid value: integer `-5`",
        );
        fails(&export("[[1,1]]", "[]"), "invalid length 2");
        fails(
            &export(
                "[[1,1,1,true,true,false],[9999999,1,0,false,false,false]]",
                "[]",
            ),
            "last lines",
        );
        fails(
            &export("[[1,1,1,true,true,false]]", "[]").replace(TYPE, "other"),
            "expected llvm.coverage.json.export",
        );
        fails("{}", "missing field");
        let long = export(&format!("\"{}\"", "x".repeat(1 << 20)), "[]");
        let error = read(long.as_bytes()).expect_err("a string");
        assert!(error.to_string().len() < 1000, "{error}");
        fails("{\n\"type\": \"x\",\n oops", "in line 3");
        fails(&format!("{{\"data\":{}", "[".repeat(1 << 20)), "JSON");
        fails(&format!("{{\"x\":{}", "[".repeat(1 << 20)), "EOF");
        let region = "[1,1,2,2,1,0,0,9]";
        let function =
            format!(r#"[{{"name":"f","count":1,"filenames":["a.c"],"regions":[{region}]}}]"#);
        fails(&export("[]", &function), "a region's kind");
        let turned = function.replace(region, "[2,1,1,9,1,0,0,0]");
        fails(&export("[]", &turned), "ends before it begins");
        let whole = export("[[1,1,4,true,true,false]]", "[]");
        for end in 0..whole.len() {
            assert!(read(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    /// Regions that point outside of their function, in no order, and expand to themselves.
    #[test]
    fn crooked_functions_are_taken_as_far_as_they_go() {
        let function = r#"[{"name":"f","count":1,"filenames":["b.h","a.c"],"branches":[[1,1,1,2,1,0,7,0,4]],
"regions":[[1,1,2,2,1,1,1,1],[3,1,4,2,1,0,0,0],[1,1,2,2,1,9,0,0],[1,1,2,2,1,0,9,1]]},
{"name":"nowhere","count":0,"filenames":[],"regions":[]}]"#;
        let coverage =
            read(export("[[1,1,4,true,true,false]]", function).as_bytes()).expect("an export");
        let one = &coverage.functions[0];
        assert_eq!(one.regions.len(), 2);
        assert!(one.regions.is_sorted_by_key(|region| region.file));
        assert_eq!(coverage.files.len(), 2);
        assert!(coverage.files[1].is_blank());
        for file in &coverage.files {
            let _ = coverage.branches_by_line(file);
        }
    }

    #[test]
    fn names_have_an_end() {
        let with = |listed: usize, file: usize, function: usize| {
            let [listed, file, function] = [listed, file, function].map(|bytes| "x".repeat(bytes));
            let function = format!(
                r#"[{{"name":"{function}","count":1,"filenames":["{file}"],"regions":[]}}]"#
            );
            export("[]", &function).replace("a.c", &listed)
        };
        let read = |text: String| read(text.as_bytes());
        assert!(read(with(MAX_FILE_NAME, MAX_FILE_NAME, MAX_FUNCTION_NAME)).is_ok());
        for (text, words) in [
            (with(MAX_FILE_NAME + 1, 1, 1), "4096 bytes (4097)"),
            (with(1, MAX_FILE_NAME + 1, 1), "4096 bytes (4097)"),
            (with(1, 1, MAX_FUNCTION_NAME + 1), "1048576 bytes (1048577)"),
        ] {
            let error = read(text).expect_err(words);
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    /// Each file of the function expands so many times to the next, the last one to the first if it turns back.
    fn expanding(files: usize, times: usize, turns_back: bool) -> String {
        let mut regions = vec!["[1,1,9,9,1,0,0,0]".to_owned()];
        for file in 0..files - usize::from(!turns_back) {
            let next = match file + 1 {
                next if next == files => 1,
                next => next,
            };
            let expansion = |at| format!("[2,{},2,{},1,{file},{next},1]", at + 1, at + 2);
            regions.extend((0..times).map(expansion));
        }
        let names = vec!["\"a.c\""; files].join(",");
        let last = files - 1;
        let function = format!(
            r#"[{{"name":"f","count":1,"filenames":[{names}],"regions":[{}],"branches":[[1,1,1,2,1,0,{last},0,4]]}}]"#,
            regions.join(",")
        );
        export("[[1,1,4,true,true,false]]", &function)
    }

    #[test]
    fn expansions_that_multiply() {
        for (files, times, is_taken) in [(300, 1, true), (14, 2, true), (26, 2, false)] {
            for turns_back in [false, true] {
                let text = expanding(files, times, turns_back);
                match read(text.as_bytes()) {
                    Ok(coverage) => {
                        assert!(is_taken, "{files}");
                        let branches = coverage.branches_by_line(&coverage.files[0]);
                        assert_eq!(branches.len(), times.pow(u32::try_from(files).unwrap() - 1));
                    }
                    Err(error) => {
                        assert!(!is_taken, "{error}");
                        assert_eq!(error.kind(), ErrorKind::TooLarge);
                        assert!(error.to_string().starts_with("expansions: "), "{error}");
                    }
                }
            }
        }
        // Few for each of them, and too many for the report.
        let text = expanding(14, 2, false);
        let function = text.split("\"functions\":[").nth(1).unwrap();
        let function = function.strip_suffix("]}]}").unwrap();
        let all = vec![function; 60].join(",");
        let error = read(text.replace(function, &all).as_bytes()).expect_err("too many");
        assert!(error.to_string().starts_with("expansions: "), "{error}");
    }
}
