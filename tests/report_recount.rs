//! Each report is counted again from its own bytes, with nobody's help: all come to the model's
//! numbers.
//!
//! Formats that list lines are held to the lines of the model ([`File::lines`] and
//! `branches_by_line`), those that print numbers to its summaries.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Mutex;

use bincover_mapping::{Mapping, evaluate};
use bincover_model::{
    Coverage, ExcludedPart, ExcludedRange, File, FileId, RegionKind, Summary, Tally, lines,
    segments,
};
use bincover_profile::Merger;
use bincover_report::{Emit, FORMATS, Format, NoSources, Options, Outputs, html, missing, patch};
use bincover_testkit::fixture_bytes;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

/// Programs in Rust, C and C++, with branches, instantiations, macros and decisions.
const CASES: &[&str] = &["rust-v10", "clang22-c", "clang22-cxx", "clang22-mcdc"];

fn coverage(case: &str) -> Coverage {
    let object = fixture_bytes(&format!("object/{case}/app.elf"));
    let mapping = Mapping::parse(&object).expect("a fixture's mapping");
    let name = format!("raw/{case}/merged.profdata");
    let mut merger = Merger::new();
    merger.add(&name, &fixture_bytes(&name), NonZeroU64::MIN);
    let evaluation = evaluate(&[mapping], &merger.finish().profile);
    evaluation.expect("a fixture").coverage
}

fn report(name: &str, coverage: &Coverage) -> String {
    let format = Format::named(name).expect("it is in the table");
    let mut out = Vec::new();
    let written = format.write(coverage, &Options::default(), &NoSources, &mut out);
    written.expect("a Vec takes everything");
    String::from_utf8(out).expect("reports of fixtures are UTF-8")
}

/// What is counted.
#[derive(Debug, Default, PartialEq)]
struct Count {
    lines: Tally,
    branches: Tally,
}

fn add(tally: &mut Tally, is_covered: bool) {
    tally.covered += u64::from(is_covered);
    tally.total += 1;
}

/// The lines and branch sides of the model.
fn listed(coverage: &Coverage) -> Count {
    let mut count = Count::default();
    for file in &coverage.files {
        for line in &file.lines {
            add(&mut count.lines, line.count > 0);
        }
        let numbers: BTreeSet<u32> = file.lines.iter().map(|line| line.number).collect();
        for branch in coverage.branches_by_line(file) {
            if numbers.contains(&branch.line) {
                add(&mut count.branches, branch.true_count > 0);
                add(&mut count.branches, branch.false_count > 0);
            }
        }
    }
    assert!(count.lines.covered > 0);
    count
}

/// Lines that are left out of each file: two of each seven, branches of a third, and of lines 40 to
/// 44 those that were not executed.
fn asked(coverage: &Coverage) -> Vec<(FileId, Vec<ExcludedRange>)> {
    let range = |first, last, part| ExcludedRange {
        first,
        last,
        part,
        rule: "a test".into(),
        lines: 0,
    };
    let ranges = |file: &File| {
        let last = file.lines.last().map_or(0, |line| line.number);
        let mut ranges = Vec::new();
        for start in (3..=last).step_by(7) {
            ranges.push(range(start, start + 1, ExcludedPart::Lines));
            ranges.push(range(start + 3, start + 3, ExcludedPart::Branches));
        }
        ranges.push(range(40, 44, ExcludedPart::Unexecuted));
        ranges
    };
    let files = (0..).map(FileId).zip(&coverage.files);
    files.map(|(id, file)| (id, ranges(file))).collect()
}

/// A case's coverage as it is, and with lines left out.
fn coverages(case: &str) -> [Coverage; 2] {
    let whole = coverage(case);
    assert!(listed(&whole).lines.missed() > 0, "{case}");
    let mut less = whole.clone();
    less.exclude(asked(&whole));
    [whole, less]
}

/// Calls `check` with each case's coverage, the report and the model's lines.
fn for_each(name: &str, check: impl Fn(&Coverage, &str, Count)) {
    for coverage in CASES.iter().flat_map(|case| coverages(case)) {
        check(&coverage, &report(name, &coverage), listed(&coverage));
    }
}

/// Counted again from each function's regions, with the lines taken out one by one.
#[test]
fn what_is_left_out_is_what_was_asked() {
    for case in CASES {
        let [whole, less] = coverages(case);
        let numbers =
            |file: &File| -> Vec<u32> { file.lines.iter().map(|line| line.number).collect() };
        for (before, after) in whole.files.iter().zip(&less.files) {
            let out = &after.excluded.lines;
            let mut left = before.lines.clone();
            left.retain(|line| !out.contains(line.number));
            assert_eq!(after.lines, left, "{case}");
            assert!(numbers(after).len() < numbers(before).len());
            assert_eq!(lines(&after.segments), left, "{case}");

            let mut expected = Summary::default();
            for group in &before.groups {
                let mut of_group = Summary::default();
                for id in &group.members {
                    let function = whole.function(*id);
                    let main = function.main_file.unwrap();
                    let mut own = lines(&segments(function.regions_in(main)));
                    own.retain(|line| !out.contains(line.number));
                    let regions = function.regions_in(main).iter().filter(|region| {
                        region.kind == RegionKind::Code && !out.contains(region.start.line)
                    });
                    let mut one = Summary::default();
                    own.iter()
                        .for_each(|line| add(&mut one.lines, line.count > 0));
                    regions.for_each(|region| add(&mut one.regions, region.count > 0));
                    of_group = of_group.max(one);
                    let view = less.function_view(*id);
                    assert_eq!(lines(&view.segments), own, "{case}");
                }
                add(&mut of_group.functions, group.count > 0);
                if out.contains(group.start.line) {
                    of_group.functions = Tally::default();
                }
                expected += of_group;
            }
            assert_eq!(after.summary.lines, expected.lines, "{case}");
            assert_eq!(after.summary.functions, expected.functions, "{case}");
            if after.expansions.is_empty() && before.expansions.is_empty() {
                assert_eq!(after.summary.regions, expected.regions, "{case}");
            }
            let branches = less.branches_by_line(after);
            let is_out = |line| after.excluded.branches.contains(line);
            assert!(!branches.iter().any(|branch| is_out(branch.line)), "{case}");
        }
        // In two steps it is the same.
        let mut twice = whole.clone();
        for (id, ranges) in asked(&whole) {
            for range in ranges {
                twice.exclude([(id, vec![range])]);
            }
        }
        assert_eq!(twice.totals(), less.totals(), "{case}");
        // Nothing is left of a file that is left out as a whole.
        let mut none = whole.clone();
        let all = (0..).map(FileId).take(whole.files.len());
        none.exclude(all.map(|id| {
            let range = ExcludedRange {
                first: 1,
                last: u32::MAX,
                part: ExcludedPart::File,
                rule: "all".into(),
                lines: 0,
            };
            (id, vec![range])
        }));
        assert_eq!(none.totals(), Summary::default(), "{case}");
        assert_eq!(none.measured_files().count(), 0, "{case}");
        assert_eq!(none.excluded_files().count(), whole.files.len(), "{case}");
    }
}

/// Two builds of one program, each in a folder of its own, are one program when their files are.
#[test]
fn a_program_from_two_places_is_one_when_its_files_are() {
    for case in CASES {
        let once = coverage(case);
        let names = |coverage: &Coverage, change: fn(&[u8]) -> Vec<u8>| {
            let files = coverage.files.iter();
            files.map(|file| change(&file.name).into()).collect()
        };
        let elsewhere = names(&once, |name| [b"/elsewhere", name].concat());
        let both = once.clone().join(once.clone().renamed(elsewhere));
        assert_eq!(both.files.len(), 2 * once.files.len(), "{case}");
        let back = names(&both, |name| {
            name.strip_prefix(b"/elsewhere").unwrap_or(name).to_vec()
        });
        let joined = both.renamed(back);
        assert_eq!(joined.files.len(), once.files.len(), "{case}");
        for (one, two) in once.files.iter().zip(&joined.files) {
            assert_eq!(two.name, one.name);
            let mut doubled = one.lines.clone();
            doubled.iter_mut().for_each(|line| line.count *= 2);
            assert_eq!(two.lines, doubled, "{case}");
            let mut summary = one.summary;
            summary.instantiations += one.summary.instantiations;
            assert_eq!(two.summary, summary, "{case}");
            assert_eq!(two.groups.len(), one.groups.len(), "{case}");
            let branches = joined.branches_by_line(two);
            assert_eq!(branches.len(), once.branches_by_line(one).len(), "{case}");
        }
    }
}

fn json(report: &str) -> Value {
    serde_json::from_str(report).expect("it is JSON")
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("a number: {value}"))
}

/// Elements with their attributes, in order.
fn elements(document: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut reader = Reader::from_str(document);
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("it is well-formed") {
            Event::Start(start) | Event::Empty(start) => {
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.expect("attributes are well-formed");
                    (attribute.key.0.to_owned(), attribute.value.into_owned())
                });
                found.push((start.name().0.to_owned(), attributes.collect()));
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn every_format_is_counted_here() {
    let counted = [
        "table",
        "text",
        "missing",
        "html",
        "lcov",
        "cobertura",
        "json",
        "llvm-json",
        "codecov",
        "coveralls",
        "sonar",
        "clover",
        "markdown",
        "github",
        "badge",
        "shields",
    ];
    let all: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(all, counted);
}

#[test]
fn lcov() {
    for_each("lcov", |coverage, report, expected| {
        let mut count = Count::default();
        let mut totals = Summary::default();
        for line in report.lines() {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let last = value.rsplit(',').next().unwrap_or_default();
            match key {
                "DA" => add(&mut count.lines, last != "0"),
                "LF" => totals.lines.total += value.parse::<u64>().unwrap(),
                "LH" => totals.lines.covered += value.parse::<u64>().unwrap(),
                "FNF" => totals.functions.total += value.parse::<u64>().unwrap(),
                "FNH" => totals.functions.covered += value.parse::<u64>().unwrap(),
                _ => {}
            }
        }
        let model = coverage.totals();
        assert_eq!(count.lines, expected.lines);
        assert_eq!(totals.lines, model.lines);
        assert_eq!(totals.functions, model.functions);
    });
}

#[test]
fn cobertura() {
    for_each("cobertura", |coverage, report, expected| {
        let mut count = Count::default();
        let mut methods = 0;
        // Lines of methods repeat lines of the class.
        let classes = report.split("</methods>").skip(1);
        let lines = classes.filter_map(|class| class.split("</class>").next());
        for element in lines.flat_map(|lines| {
            let lines = lines.replace("<methods>", "");
            elements(&format!("<x>{lines}</x>"))
        }) {
            let (name, attributes) = element;
            if name != "line" {
                continue;
            }
            add(&mut count.lines, attributes["hits"] != "0");
            if let Some(conditions) = attributes.get("condition-coverage") {
                let inner = conditions.split(['(', ')']).nth(1).unwrap();
                let (covered, total) = inner.split_once('/').unwrap();
                count.branches.covered += covered.parse::<u64>().unwrap();
                count.branches.total += total.parse::<u64>().unwrap();
            }
        }
        for (name, _) in elements(report) {
            methods += u64::from(name == "method");
        }
        assert_eq!(count, expected);
        assert_eq!(methods, coverage.totals().functions.total);
    });
}

#[test]
fn our_json() {
    for_each("json", |coverage, report, expected| {
        let json = json(report);
        let mut count = Count::default();
        let mut functions = Tally::default();
        let mut missed = 0;
        for file in json["files"].as_array().unwrap() {
            for range in file["lines"].as_array().unwrap() {
                for _ in number(&range[0])..=number(&range[1]) {
                    add(&mut count.lines, number(&range[2]) > 0);
                }
            }
            for branch in file["branches"].as_array().unwrap() {
                add(&mut count.branches, number(&branch[1]) > 0);
                add(&mut count.branches, number(&branch[2]) > 0);
            }
            for function in file["functions"].as_array().unwrap() {
                add(&mut functions, number(&function["count"]) > 0);
            }
            for place in file["missing"].as_array().unwrap() {
                missed += number(&place["lines"]);
            }
        }
        let totals = coverage.totals();
        assert_eq!(missed, expected.lines.missed());
        assert_eq!(count, expected);
        assert_eq!(functions, totals.functions);
        for (name, tally) in [
            ("lines", totals.lines),
            ("functions", totals.functions),
            ("instantiations", totals.instantiations),
            ("regions", totals.regions),
            ("branches", totals.branches),
            ("mcdc", totals.mcdc),
        ] {
            let total = &json["totals"][name];
            assert_eq!(number(&total["covered"]), tally.covered, "{name}");
            assert_eq!(number(&total["total"]), tally.total, "{name}");
        }
    });
}

/// The members that the schema names are those that are written, and the required ones are there.
#[test]
fn our_json_follows_its_schema() {
    let schema = include_str!("../docs/report.schema.json");
    let schema = json(schema);
    assert_eq!(
        schema["properties"]["version"]["const"],
        bincover_report::json::VERSION
    );
    for_each("json", |_, report, _| {
        follows(&schema, &schema, &json(report), "report");
    });
}

/// Every second line changed, and the others were executed before.
#[test]
fn the_json_of_patches_follows_its_schema() {
    let schema = json(include_str!("../docs/diff.schema.json"));
    assert_eq!(schema["properties"]["version"]["const"], patch::VERSION);
    let format = patch::PATCH_FORMATS
        .iter()
        .find(|format| format.name == "json");
    let format = format.expect("it is in the table");
    for case in CASES {
        let coverage = coverage(case);
        let mut text = String::new();
        let mut before = Vec::new();
        let mut lines = Vec::new();
        for file in &coverage.files {
            let name = &file.name;
            text += &format!("--- {name}\n+++ {name}\n");
            let odd = file.lines.iter().filter(|line| line.number % 2 == 1);
            for line in odd.clone() {
                text += &format!("@@ -{0} +{0} @@\n-\n+\n", line.number);
            }
            lines.extend(odd.map(|line| line.count > 0));
            before.push(serde_json::json!({"name": name.to_string(), "lines": [[1, u32::MAX, 1]]}));
        }
        let totals = serde_json::json!({"lines": {"covered": 1, "total": 1}});
        let before = serde_json::json!({"version": 1, "totals": totals, "files": before});
        let before = patch::Baseline::parse(before.to_string().as_bytes()).expect("a report");
        let changes = patch::Patch::parse(text.as_bytes()).expect("a patch");
        let root = Options::default();
        let found = patch::PatchCoverage::new(&coverage, &root, &changes, Some(&before));
        let found = found.expect("a baseline of these files");
        let mut expected = Tally::default();
        for is_covered in lines {
            add(&mut expected, is_covered);
        }
        assert_eq!(found.lines, expected, "{case}");
        let mut out = Vec::new();
        (format.emit)(&found, &root, &mut out).expect("a Vec takes everything");
        let document: Value = serde_json::from_slice(&out).expect("it is JSON");
        follows(&schema, &schema, &document, "diff");

        // Each line without an execution is in one place, of the new ones or of the others.
        let places = |name: &str| -> u64 {
            let files = document["files"].as_array().into_iter().flatten();
            let places = files.flat_map(|file| file[name].as_array().expect("places"));
            places.map(|place| number(&place["lines"])).sum()
        };
        let all = listed(&coverage).lines;
        assert_eq!(places("missing"), expected.missed(), "{case}");
        assert_eq!(places("lost"), all.missed() - expected.missed(), "{case}");
    }
}

/// As much of JSON Schema as ours uses.
fn follows(all: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a reference of ours");
        let definition = &all["$defs"][name];
        assert!(definition.is_object(), "{at}: no definition of {name}");
        return follows(all, definition, value, at);
    }
    if let Some(expected) = schema.get("const") {
        assert_eq!(value, expected, "{at}");
        return;
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
        return;
    }
    match schema["type"].as_str().expect("a type") {
        "object" => {
            let members = value
                .as_object()
                .unwrap_or_else(|| panic!("{at}: an object"));
            for required in schema["required"].as_array().into_iter().flatten() {
                let required = required.as_str().unwrap();
                assert!(members.contains_key(required), "{at}: no {required}");
            }
            for (name, member) in members {
                let schema = &schema["properties"][name];
                assert!(schema.is_object(), "{at}: {name} is not in the schema");
                follows(all, schema, member, &format!("{at}.{name}"));
            }
        }
        "array" => {
            let items = value.as_array().unwrap_or_else(|| panic!("{at}: an array"));
            let places = schema["prefixItems"].as_array();
            for (index, item) in items.iter().enumerate() {
                let schema = places.map_or(&schema["items"], |places| &places[index]);
                follows(all, schema, item, &format!("{at}[{index}]"));
            }
            assert!(
                places.is_none_or(|places| places.len() == items.len()),
                "{at}"
            );
        }
        "string" => assert!(value.is_string(), "{at}: {value}"),
        "integer" => {
            let least = schema["minimum"].as_u64().expect("a minimum");
            assert!(number(value) >= least, "{at}: {value}");
        }
        other => panic!("{at}: a type that ours does not use: {other}"),
    }
}

#[test]
fn llvm_json() {
    for_each("llvm-json", |coverage, report, _| {
        let json = json(report);
        let totals = coverage.totals();
        for (name, tally) in [
            ("lines", totals.lines),
            ("functions", totals.functions),
            ("regions", totals.regions),
            ("branches", totals.branches),
        ] {
            let total = &json["data"][0]["totals"][name];
            assert_eq!(number(&total["covered"]), tally.covered, "{name}");
            assert_eq!(number(&total["count"]), tally.total, "{name}");
        }
    });
}

#[test]
fn codecov() {
    for_each("codecov", |_, report, expected| {
        let mut count = Count::default();
        let json = json(report);
        for lines in json["coverage"].as_object().unwrap().values() {
            for hits in lines.as_object().unwrap().values() {
                // A line is partial only if it was executed.
                add(&mut count.lines, hits.as_u64() != Some(0));
            }
        }
        assert_eq!(count.lines, expected.lines);
    });
}

#[test]
fn coveralls() {
    for_each("coveralls", |_, report, expected| {
        let mut count = Count::default();
        for file in json(report)["source_files"].as_array().unwrap() {
            for hits in file["coverage"].as_array().unwrap() {
                if !hits.is_null() {
                    add(&mut count.lines, number(hits) > 0);
                }
            }
            let branches = file["branches"].as_array().map_or(&[][..], Vec::as_slice);
            for branch in branches.chunks(4) {
                add(&mut count.branches, number(&branch[3]) > 0);
            }
        }
        assert_eq!(count, expected);
    });
}

#[test]
fn sonar() {
    for_each("sonar", |_, report, expected| {
        let mut count = Count::default();
        for (name, attributes) in elements(report) {
            if name == "lineToCover" {
                add(&mut count.lines, attributes["covered"] == "true");
                if let Some(total) = attributes.get("branchesToCover") {
                    count.branches.total += total.parse::<u64>().unwrap();
                    count.branches.covered += attributes["coveredBranches"].parse::<u64>().unwrap();
                }
            }
        }
        assert_eq!(count, expected);
    });
}

#[test]
fn clover() {
    for_each("clover", |coverage, report, expected| {
        let mut count = Count::default();
        let elements = elements(report);
        for (name, attributes) in &elements {
            if name == "line" && attributes["type"] != "method" {
                add(&mut count.lines, attributes["count"] != "0");
            }
        }
        assert_eq!(count.lines, expected.lines);
        let (_, project) = elements.iter().find(|(name, _)| name == "metrics").unwrap();
        let tally = |name: &str| Tally {
            covered: project[&format!("covered{name}")].parse().unwrap(),
            total: project[name].parse().unwrap(),
        };
        assert_eq!(tally("statements"), expected.lines);
        assert_eq!(tally("conditionals"), expected.branches);
        assert_eq!(tally("methods"), coverage.totals().functions);
    });
}

/// `12/34` as the numbers it is.
fn fraction(text: &str) -> Tally {
    let (covered, total) = text.split_once('/').unwrap();
    Tally {
        covered: covered.parse().unwrap(),
        total: total.parse().unwrap(),
    }
}

/// Lines, functions, regions, and branches if there are any, in the tables' order.
fn columns(summary: &Summary) -> Vec<Tally> {
    let mut all = vec![summary.lines, summary.functions, summary.regions];
    all.extend((summary.branches.total > 0).then_some(summary.branches));
    all
}

#[test]
fn table() {
    for_each("table", |coverage, report, _| {
        let fractions = |line: &str| -> Vec<Tally> {
            let words = line.split_whitespace().skip(1);
            let words = words.filter(|word| word.contains('/'));
            words.map(fraction).collect()
        };
        let rule = |line: &&str| line.starts_with("---");
        let rows = report.lines().skip_while(|line| !rule(line)).skip(1);
        let rows: Vec<&str> = rows.take_while(|line| !rule(line)).collect();
        let mut sums = vec![Tally::default(); columns(&coverage.totals()).len()];
        for row in rows {
            for (sum, tally) in sums.iter_mut().zip(fractions(row)) {
                *sum += tally;
            }
        }
        assert_eq!(sums, columns(&coverage.totals()));
        assert_eq!(fractions(report.lines().last().unwrap()), sums);
    });
}

#[test]
fn markdown() {
    for_each("markdown", |coverage, report, _| {
        let rows = report.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let is_total = ["Lines", "Functions", "Regions", "Branches"].contains(cells.get(1)?);
            is_total.then(|| fraction(&format!("{}/{}", cells[2], cells[3])))
        });
        assert_eq!(rows.collect::<Vec<_>>(), columns(&coverage.totals()));
    });
}

#[test]
fn missing_lines() {
    for_each("missing", |coverage, report, expected| {
        let found: Vec<_> = coverage
            .files
            .iter()
            .flat_map(|file| missing::missing(coverage, file))
            .collect();
        let lines: u64 = found.iter().map(|one| one.line_count).sum();
        assert_eq!(lines, expected.lines.missed());
        let places = report.lines().filter(|line| line.starts_with("  "));
        assert_eq!(places.count(), found.len());
    });
}

#[test]
fn github() {
    for_each("github", |coverage, report, _| {
        let found = coverage
            .files
            .iter()
            .map(|file| missing::missing(coverage, file).len());
        assert!(
            report
                .lines()
                .all(|line| line.starts_with("::warning file="))
        );
        assert_eq!(report.lines().count(), found.sum::<usize>());
    });
}

#[test]
fn text() {
    // Without sources, the places are listed.
    for_each("text", |coverage, report, _| {
        let found = coverage
            .files
            .iter()
            .map(|file| missing::missing(coverage, file).len());
        let places = report.lines().filter(|line| line.starts_with("  "));
        assert_eq!(places.count(), found.sum::<usize>());
    });
}

#[test]
fn badges() {
    for case in CASES {
        let coverage = coverage(case);
        let lines = coverage.totals().lines;
        let percent = format!("{}%", lines.covered * 100 / lines.total);
        assert_eq!(json(&report("shields", &coverage))["message"], *percent);
        assert!(report("badge", &coverage).contains(&format!(">{percent}</text>")));
    }
}

#[derive(Default)]
struct Pages(Mutex<BTreeMap<String, String>>);

impl Outputs for Pages {
    fn file(&self, name: &str, contents: &[u8]) -> std::io::Result<()> {
        let text = String::from_utf8(contents.to_vec()).expect("pages are UTF-8");
        self.0.lock().unwrap().insert(name.to_owned(), text);
        Ok(())
    }
}

#[test]
fn html() {
    let format = Format::named("html").expect("it is in the table");
    assert!(matches!(format.emit, Emit::Folder(_)));
    for (case, coverage) in CASES
        .iter()
        .flat_map(|case| coverages(case).map(|coverage| (case, coverage)))
    {
        let pages = Pages::default();
        html::emit(&coverage, &Options::default(), &NoSources, &pages).unwrap();
        let pages = pages.0.into_inner().unwrap();

        // The rows of the index.
        let mut sums = vec![Tally::default(); columns(&coverage.totals()).len()];
        let rows = pages["index.html"]
            .lines()
            .filter(|line| line.contains("<a href=f/"));
        for row in rows {
            let row = &row[row.rfind("</a>").unwrap()..];
            // Of each metric a percentage, and covered of all; nothing if there are none.
            let tallies = row.split("<td").skip(2).step_by(2);
            for (sum, cell) in sums.iter_mut().zip(tallies) {
                if cell.trim() != ">" {
                    *sum += fraction(cell[1..].trim());
                }
            }
        }
        assert_eq!(sums, columns(&coverage.totals()), "{case}");

        // The lines of the pages: class m is a line that was not executed.
        let mut count = Count::default();
        for (_, page) in pages.iter().filter(|(name, _)| name.starts_with("f/")) {
            for row in page.lines().filter(|line| line.starts_with("<tr id=L")) {
                // A cell with a title says that something was left out.
                let cells = row.split("<td").map(|cell| cell.split_once('>'));
                let cells: Vec<&str> = cells.map(|cell| cell.unwrap_or_default().1).collect();
                let is_missed = row.contains("class=m") || row.contains("class=\"m ");
                assert_eq!(is_missed, cells[2] == "0", "{row}");
                add(&mut count.lines, !is_missed);
                if cells.len() == 5 && !["", "out"].contains(&cells[3]) {
                    count.branches += fraction(cells[3]);
                }
            }
        }
        assert_eq!(count, listed(&coverage), "{case}");
    }
}
