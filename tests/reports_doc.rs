//! `docs/reports.md` and `docs/patch.md` show what each format looks like: the samples are the
//! beginnings of real reports, and every format is there.
//!
//! `BLESS=1 cargo test -p bincover --test reports-doc` puts today's into the pages.

use std::num::NonZeroU64;

use bincover_mapping::{Mapping, evaluate};
use bincover_model::Coverage;
use bincover_profile::Merger;
use bincover_report::patch::{Baseline, PATCH_FORMATS, Patch, PatchCoverage};
use bincover_report::ratchet::Ratchet;
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
    coverage_of("merged.profdata")
}

fn coverage_of(profile: &str) -> Coverage {
    let object = fixture_bytes(&format!("object/{CASE}/app.elf"));
    let mapping = Mapping::parse(&object).expect("a fixture's mapping");
    let name = format!("raw/{CASE}/{profile}");
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
    beginning(&out, LINES)
}

/// The first lines of a text, cut.
fn beginning(text: &[u8], lines: usize) -> String {
    let text = std::str::from_utf8(text).expect("it is UTF-8");
    let mut shown = String::new();
    for line in text.lines().take(lines) {
        let start: String = line.chars().take(COLUMNS).collect();
        shown += start.trim_end();
        shown += if start.len() < line.len() {
            "…\n"
        } else {
            "\n"
        };
    }
    if text.lines().count() > lines {
        shown += "…\n";
    }
    shown
}

#[test]
fn samples_of_reports_are_real() {
    let coverage = coverage();
    let samples = FORMATS.iter().filter(|format| !format.is_folder());
    let samples = samples.map(|format| (format.name, sample(format, &coverage)));
    let options = FORMATS.iter().map(|format| format.name);
    check("docs/reports.md", options, samples.collect());
}

/// Two places of the program and a document.
const PATCH: &str = "\
diff --git a/README.md b/README.md
--- a/README.md
+++ b/README.md
@@ -1 +1 @@
-# A program
+# A small program
diff --git a/main.c b/main.c
--- a/main.c
+++ b/main.c
@@ -17,0 +18 @@ const char *classify(int n) {
+    return \"zero\";
@@ -34,3 +35,3 @@ int collatz(int n) {
-    n = n % 2 ? 1 + 3 * n : n / 2;
-    if (++steps > 1000)
-      break;
+    n = n % 2 ? 3 * n + 1 : n / 2;
+    if (++steps > 100)
+      goto out;
";

/// The report of the version before: all runs. The coverage after it is that of the second run.
fn patch_coverage() -> PatchCoverage {
    let mut before = Vec::new();
    let json = Format::named("json").expect("it is in the table");
    let written = json.write(&coverage(), &Options::default(), &Program, &mut before);
    written.expect("a Vec takes everything");
    // Before, there was no line 18.
    let mut before: serde_json::Value = serde_json::from_slice(&before).expect("it is JSON");
    for range in before["files"][0]["lines"].as_array_mut().expect("ranges") {
        let range = range.as_array_mut().expect("a range");
        for (index, least) in [(0, 19), (1, 18)] {
            let line = range[index].as_u64().expect("a line");
            range[index] = (line - u64::from(line >= least)).into();
        }
    }
    let before = Baseline::parse(before.to_string().as_bytes()).expect("a report");
    let patch = Patch::parse(PATCH.as_bytes()).expect("a patch");
    let now = coverage_of("2.profraw");
    PatchCoverage::new(&now, &Options::default(), &patch, Some(&before)).expect("a baseline of it")
}

#[test]
fn samples_of_patch_coverage_are_real() {
    let found = patch_coverage();
    let samples = PATCH_FORMATS.iter().map(|format| {
        let mut out = Vec::new();
        (format.emit)(&found, &Options::default(), &mut out).expect("a Vec takes everything");
        (format.name, beginning(&out, 40))
    });
    let ratchet = Ratchet::of(&coverage(), &Options::default()).to_string();
    let ratchet = ("ratchet", beginning(ratchet.as_bytes(), 40));
    let options = ["json", "markdown", "github"].into_iter();
    check("docs/patch.md", options, samples.chain([ratchet]).collect());
}

/// The page tells of each option, and shows each sample.
fn check<'o>(
    page: &str,
    options: impl Iterator<Item = &'o str>,
    samples: Vec<(&'static str, String)>,
) {
    let path = top().join(page);
    let text = std::fs::read_to_string(&path).expect("a readable page");
    for option in options {
        let option = format!("`--{option}`");
        assert!(text.contains(&option), "{page} tells of {option}");
    }
    let mut expected = text.clone();
    for (name, sample) in samples {
        let mark = format!("<!-- sample: {name} -->\n");
        let after = expected.split(&*mark).nth(1);
        let after = after.unwrap_or_else(|| panic!("{page} has the line {mark}"));
        let fence = after.find("\n").expect("a fence") + 1;
        let end = after[fence - 1..].find("\n```\n").expect("the fence ends") + fence;
        let (old, fence) = (&after[fence..end], &after[..fence]);
        let before = format!("{mark}{fence}{old}```\n");
        assert!(expected.contains(&before));
        expected = expected.replace(&before, &format!("{mark}{fence}{sample}```\n"));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, expected).expect("a writable page");
        return;
    }
    assert!(expected == text, "BLESS=1 puts today's samples into {page}");
}
