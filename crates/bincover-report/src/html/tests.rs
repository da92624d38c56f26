//! The pages as text. `tests/browser.rs` looks at them in a browser.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bincover_model::segments;
use bstr::BStr;

use super::*;
use crate::Source;
use crate::testing::{file, lines, one_of_everything, tally};

/// Keeps the pages.
#[derive(Default)]
struct Pages(Mutex<BTreeMap<String, String>>);

impl Outputs for Pages {
    fn file(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let text = String::from_utf8(contents.to_vec()).expect("pages are UTF-8");
        assert!(
            self.0
                .lock()
                .unwrap()
                .insert(name.to_owned(), text)
                .is_none(),
            "{name} comes once"
        );
        Ok(())
    }
}

/// One text for all files.
struct One(Vec<u8>, bool);

impl Sources for One {
    fn read(&self, _: &BStr) -> Source {
        Source::Text {
            text: self.0.clone(),
            is_changed: self.1,
        }
    }
}

fn pages(coverage: &Coverage, sources: &dyn Sources) -> BTreeMap<String, String> {
    let pages = Pages::default();
    emit(coverage, &Options::default(), sources, &pages).expect("memory takes everything");
    pages.0.into_inner().unwrap()
}

const SOURCE: &str = "\
#define BOTH(a, b) ((a) && (b))

static int inner(int x) {
  if (x > 2 && x < 9)
    return 1;
  return 0;
}

int main(int argc, char **argv) {
  int n = 0;
  for (int i = 0; i < 5; i++)
    n += inner(i);
  if (BOTH(argc > 1, n))
    return 1;
  return 0;
}
";

fn with_segments() -> Coverage {
    let mut coverage = one_of_everything();
    let regions = coverage
        .functions
        .iter()
        .flat_map(|one| one.regions.clone());
    coverage.files[0].segments = segments(&regions.collect::<Vec<_>>());
    coverage
}

#[track_caller]
fn only_page(pages: &BTreeMap<String, String>) -> &str {
    let mut found = pages.iter().filter(|(name, _)| name.starts_with("f/"));
    let (Some((_, page)), None) = (found.next(), found.next()) else {
        panic!("one page: {:?}", pages.keys())
    };
    page
}

#[test]
fn a_page_has_lines_with_counts_branches_and_macros() {
    let pages = pages(&with_segments(), &One(SOURCE.into(), false));
    let page = only_page(&pages);
    for part in [
        "<tr id=L2><td>2<td><td><td><code></code>\n",
        "<tr id=L3 class=h><td>3<td>5<td><td><code><i class=sk>static</i> ",
        "<tr id=L4 class=\"p u\"><td>4<td>5<td>3/4<td><code>",
        "<p>column 16: branch never false</p>",
        "<tr id=L14 class=\"m u\"><td>14<td>0<td><td><code>",
        "<a href=\"#L14\">14</a> region not reached <code>main</code>",
        "<details><summary>column 7: macro, from a.c:1</summary>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("role=\"note\""), "nothing to be warned of");
}

#[test]
fn many_lines_are_in_parts() {
    let parts = |lines: usize| {
        let pages = pages(&with_segments(), &One("x\n".repeat(lines).into(), false));
        let page = only_page(&pages);
        assert_eq!(page.matches("<tr id=L").count(), lines);
        let table = page.split("<caption").nth(1).expect("a table");
        (
            page.contains("<table class=\"src large\">"),
            table.matches("<tbody>\n").count(),
        )
    };
    assert_eq!(parts(2000), (false, 1));
    assert_eq!(parts(2001), (true, 11));
}

#[test]
fn what_was_left_out_has_a_word_and_its_rule() {
    let range = |first, last, part, rule: &str| ExcludedRange {
        first,
        last,
        part,
        rule: rule.into(),
        lines: 0,
    };
    let ranges = vec![
        range(13, 14, ExcludedPart::Lines, "LCOV_EXCL_START"),
        range(4, 4, ExcludedPart::Branches, "--exclude-branch-line \"<&"),
    ];
    let mut coverage = with_segments();
    coverage.exclude([(bincover_model::FileId(0), ranges)]);
    let pages = pages(&coverage, &One(SOURCE.into(), false));
    let page = only_page(&pages);
    for part in [
        "<tr id=L4 class=h><td>4<td>5<td title=\"branches left out by --exclude-branch-line &quot;&lt;&amp;\">out<td><code>",
        "<tr id=L13 class=e><td>13<td title=\"left out by LCOV_EXCL_START\">out<td><td><code>",
        "<tr id=L14 class=e><td>14<td title=\"left out by LCOV_EXCL_START\">out<td><td><code>",
        "<tr id=L15 class=h>",
        "<summary>Left out on request: 2 lines</summary>",
        "<a href=\"#L13\">lines 13-14</a>",
        "<a href=\"#L4\">branches of line 4</a>",
        "<li class=\"e\">out: left out on request</li>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let pages = self::pages(&with_segments(), &One(SOURCE.into(), false));
    assert!(!only_page(&pages).contains("eft out"), "nothing is out");
    // Lines that are not shown are no links.
    let pages = self::pages(&coverage, &crate::NoSources);
    let page = only_page(&pages);
    assert!(page.contains("<td>lines 13-14</td>"), "{page}");
}

#[test]
fn the_index_has_the_numbers_of_the_model() {
    let pages = pages(&with_segments(), &crate::NoSources);
    let index = &pages["index.html"];
    let row = index
        .lines()
        .find(|line| line.contains("<a href=f/a.c-"))
        .expect("a row");
    assert!(
        row.ends_with(
            ">a.c</a><td class=p92>92.3<td>12/13<td>100.0<td>2/2<td>86.6<td>13/15<td>60.0<td>6/10"
        ),
        "{row}"
    );
}

#[test]
fn what_is_wrong_with_a_source_is_said() {
    let note = |sources: &dyn Sources| {
        let pages = pages(&one_of_everything(), sources);
        let page = only_page(&pages);
        let notes = page.split("role=\"note\">").skip(1);
        let texts = notes.map(|rest| rest.split('<').next().unwrap_or_default().to_owned());
        texts.collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        note(&crate::NoSources),
        "The source cannot be shown: no sources were given."
    );
    assert_eq!(
        note(&One(SOURCE.into(), true)),
        "The source was changed since the program was built: lines may have moved."
    );
    assert_eq!(
        note(&One(Vec::new(), false)),
        "The source is empty.|The source has 0 lines, and the program has code at line 16: it is \
         not the source that the program was built from."
    );
}

#[test]
fn names_and_sources_are_no_markup() {
    let mut coverage = one_of_everything();
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{1b}\u{202e}";
    coverage.files[0].name = format!("/w/../{hostile}/{hostile}").into();
    coverage.functions[0].name = hostile.into();
    let pages = pages(&coverage, &One(hostile.repeat(20).into_bytes(), false));
    for (name, page) in pages.iter().filter(|(name, _)| name.ends_with(".html")) {
        assert!(!page.contains("<img"), "{name}");
        // Our own, in the head.
        assert_eq!(page.matches("<script").count(), 1, "{name}");
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{name}");
        let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        assert!(name.chars().all(is_safe) && !name.contains(".."), "{name}");
    }
}

#[test]
fn names_of_pages_differ() {
    let mut names = PageNames::default();
    let first = names.of(b"/w/a.rs");
    assert!(first.starts_with("f/a.rs-") && first.ends_with(".html"));
    assert_ne!(first, names.of(b"/w/b/a.rs"));
    // Even if it comes twice.
    assert_ne!(first, names.of(b"/w/a.rs"));
    assert!(PageNames::default().of(b"/w/..").starts_with("f/..-"));
}

#[test]
fn ten_thousand_files_make_an_index_of_less_than_two_megabytes() {
    let mut coverage = Coverage::default();
    for index in 0..10_000u64 {
        let name = format!(
            "/w/crates/part-{}/src/module_{}/some_file_{index}.rs",
            index / 200,
            index / 10 % 20
        );
        let mut one = file(&name, lines(&[(1, 1)]));
        one.summary.lines = tally(index % 700, 1000);
        one.summary.functions = tally(index % 70, 100);
        one.summary.regions = tally(index % 700, 1500);
        one.summary.branches = tally(index % 70, 150);
        coverage.files.push(one);
    }
    coverage.files.sort_by(|a, b| a.name.cmp(&b.name));
    let pages = pages(&coverage, &crate::NoSources);
    let size = pages["index.html"].len();
    assert!(size < 2_000_000, "{size}");
    assert_eq!(pages["index.html"].matches("<a href=f/").count(), 10_000);
}

/// Names that differ in bytes which are not UTF-8 are shown alike.
#[test]
fn lines_that_were_left_out_lead_to_the_page_of_their_file() {
    let mut coverage = Coverage::default();
    for (name, line) in [(&b"/w/\xfe.c"[..], 1), (b"/w/\xff.c", 2)] {
        let mut one = file("", lines(&[(3, 1)]));
        one.name = name.into();
        one.excluded.ranges.push(ExcludedRange {
            first: line,
            last: line,
            part: ExcludedPart::Lines,
            rule: "a rule".into(),
            lines: 1,
        });
        coverage.files.push(one);
    }
    let pages = pages(&coverage, &One(b"a\nb\nc\n".to_vec(), false));
    let mut names = PageNames::default();
    for (file, line) in coverage.files.iter().zip(1..) {
        let link = format!(
            "<a href=\"{}#L{line}\">\u{fffd}.c</a>",
            names.of(&file.name)
        );
        assert!(pages["index.html"].contains(&link), "{link}");
    }
}
