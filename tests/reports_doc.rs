//! `docs/reports.md` shows what each format looks like: the samples are the beginnings of real
//! reports, and every format is there.
//!
//! `BLESS=1 cargo test -p bincover --test reports-doc` puts today's into the page.

use std::num::NonZeroU64;

use bincover_mapping::{Mapping, evaluate};
use bincover_model::Coverage;
use bincover_profile::Merger;
use bincover_report::{FORMATS, Format, Options, Source, Sources};
use bincover_testkit::{fixture_bytes, top};
use bstr::BStr;

const CASE: &str = "clang22-c";
/// What is shown of a report.
const LINES: usize = 12;
const COLUMNS: usize = 150;

/// The program's source lies beside its profiles.
struct Program;

impl Sources for Program {
    fn read(&self, _: &BStr) -> Source {
        Source::Text {
            text: fixture_bytes(&format!("raw/{CASE}/main.c")),
            is_changed: false,
        }
    }
}

fn coverage() -> Coverage {
    let object = fixture_bytes(&format!("object/{CASE}/app.elf"));
    let mapping = Mapping::parse(&object).expect("a fixture's mapping");
    let name = format!("raw/{CASE}/merged.profdata");
    let mut merger = Merger::new();
    merger.add(&name, &fixture_bytes(&name), NonZeroU64::MIN);
    let evaluation = evaluate(&[mapping], &merger.finish().profile);
    evaluation.expect("a fixture").coverage
}

/// The first lines of a report, cut.
fn sample(format: &Format, coverage: &Coverage) -> String {
    let mut out = Vec::new();
    let written = format.write(coverage, &Options::default(), &Program, &mut out);
    written.expect("a Vec takes everything");
    let text = String::from_utf8(out).expect("it is UTF-8");
    let mut shown = String::new();
    for line in text.lines().take(LINES) {
        let start: String = line.chars().take(COLUMNS).collect();
        shown += start.trim_end();
        shown += if start.len() < line.len() {
            "…\n"
        } else {
            "\n"
        };
    }
    if text.lines().count() > LINES {
        shown += "…\n";
    }
    shown
}

#[test]
fn samples_are_real() {
    let path = top().join("docs/reports.md");
    let text = std::fs::read_to_string(&path).expect("a readable page");
    let coverage = coverage();
    let mut expected = text.clone();
    for format in FORMATS {
        assert!(
            text.contains(&format!("`--{}`", format.name)),
            "the page tells of --{}",
            format.name
        );
        if format.is_folder() {
            continue;
        }
        let mark = format!("<!-- sample: {} -->\n", format.name);
        let after = expected.split(&*mark).nth(1);
        let after = after.unwrap_or_else(|| panic!("the page has the line {mark}"));
        let fence = after.find("\n").expect("a fence") + 1;
        let end = after.find("\n```\n").expect("the fence ends") + 1;
        let old = after[fence..end].to_owned();
        let fence = after[..fence].to_owned();
        let before = format!("{mark}{fence}{old}```\n");
        assert!(expected.contains(&before));
        let sample = sample(format, &coverage);
        expected = expected.replace(&before, &format!("{mark}{fence}{sample}```\n"));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, expected).expect("a writable page");
        return;
    }
    assert!(
        expected == text,
        "BLESS=1 puts today's samples into the page"
    );
}
