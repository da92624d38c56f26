//! A table of files for people at a terminal.
//!
//! The numbers are [`File::summary`](bincover_model::File::summary) and [`Coverage::totals`], the
//! same as in lcov's `LF` and `LH`. Each metric has two columns, covered/total and a percentage;
//! `-` stands for a percentage of nothing. Branches and Go's statements are shown if there are any.
//! Files without code, as headers of C may be, are only counted, below (llvm-cov: "Files which contain no
//! functions").
//!
//! Percentages are rounded down to one decimal, so that 100.0% is always complete and what is shown
//! never looks better than what a threshold sees.
//!
//! When [`Options::width`] is too small, then first names lose their beginning, as long as 20
//! columns of them are left; then covered/total goes, from the right; then names shrink further.
//! Below that the table is wider than asked for: a percentage is never cut. Without a width, names are
//! whole, and a very long one sticks out of its column.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};
use bincover_model::{Coverage, File, Summary, Tally};
use bstr::ByteSlice;
use unicode_width::UnicodeWidthStr;

use crate::limits::MAX_PADDED_NAME;
use crate::paths::{common_directory, is_root, relative};
use crate::printable::{printable, printable_at_start};
use crate::{Instantiations, Options, Sort};

/// Names are not shortened below this before covered/total columns go.
const COMFORTABLE_NAME: usize = 20;
/// Names are never shortened below this: room for "Total".
const LEAST_NAME: usize = 5;
/// Between two columns.
const GAP: &str = "  ";

/// Writes the table. Reads [`Options::width`], [`Options::colour`] and
/// [`Options::instantiations`]: with [`Instantiations::Each`] the functions' column counts
/// instantiations; the other two differ in counts, which the table does not show.
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let has_code = |file: &&File| {
        METRICS
            .iter()
            .any(|one| (one.tally)(&file.summary).total > 0)
    };
    let files = || coverage.measured_files().filter(has_code);
    let common = common_directory(files().map(|file| file.name.as_slice()));
    let common = if is_root(common) { b"" } else { common };
    let by_policy = |mut summary: Summary| {
        if options.instantiations == Some(Instantiations::Each) {
            summary.functions = summary.instantiations;
        }
        summary
    };
    let rows = files().map(|file| {
        let name = printable_at_start(&relative(&file.name, common).to_str_lossy());
        (name, by_policy(file.summary))
    });
    let mut rows: Vec<(String, Summary)> = rows.collect();
    if options.by_folder {
        rows = by_folder(rows);
    }
    sort(&mut rows, options.sort);
    let totals = by_policy(coverage.totals());
    let is_shown = |metric: &&'static Metric| match metric.heading {
        "Branches" | "Statements" => (metric.tally)(&totals).total > 0,
        _ => true,
    };
    let layout = Layout::new(&rows, totals, METRICS.iter().filter(is_shown), options);
    if !common.is_empty() {
        let room = options.width.map(|width| width.max(layout.width()));
        title(common, room.unwrap_or(usize::MAX), &mut out)?;
    }
    layout.header(if options.by_folder { "Folder" } else { "File" }, &mut out)?;
    for (name, summary) in &rows {
        layout.row(name, summary, &mut out)?;
    }
    layout.divider(&mut out)?;
    layout.row("Total", &totals, &mut out)?;
    match coverage.measured_files().count() - files().count() {
        0 => {}
        1 => writeln!(out, "\nNot listed: 1 file without code")?,
        more => writeln!(out, "\nNot listed: {more} files without code")?,
    }
    out.flush()
}

/// Changed lines rather than all.
static CHANGED: Metric = Metric {
    heading: "Changed lines",
    tally: |summary| summary.lines,
};

/// Writes the table of a patch: its files, with lines alone.
pub(crate) fn changed_lines(
    rows: impl Iterator<Item = (String, Tally)>,
    total: Tally,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<()> {
    let of_lines = |lines| Summary {
        lines,
        ..Summary::default()
    };
    let rows: Vec<(String, Summary)> = rows
        .map(|(name, lines)| (printable_at_start(&name), of_lines(lines)))
        .collect();
    let total = of_lines(total);
    let layout = Layout::new(&rows, total, [&CHANGED].into_iter(), options);
    layout.header("File", out)?;
    for (name, lines) in &rows {
        layout.row(name, lines, out)?;
    }
    layout.divider(out)?;
    layout.row("Total", &total, out)
}

/// The sums of the files that lie in each folder, not of those in folders below.
fn by_folder(files: Vec<(String, Summary)>) -> Vec<(String, Summary)> {
    let mut folders: BTreeMap<String, Summary> = BTreeMap::new();
    for (name, summary) in files {
        let is_windows = name.as_bytes().get(1) == Some(&b':') || name.starts_with(r"\\");
        let end = match is_windows {
            true => name.rfind(['/', '\\']),
            false => name.rfind('/'),
        };
        let folder = end.map_or("./", |end| &name[..=end]);
        *folders.entry(folder.to_owned()).or_default() += summary;
    }
    folders.into_iter().collect()
}

/// Rows are by name already, and stay so where the rest is equal.
fn sort(rows: &mut [(String, Summary)], sort: Sort) {
    match sort {
        Sort::Name => {}
        Sort::Missed => rows.sort_by_key(|(_, summary)| Reverse(summary.lines.missed())),
        Sort::Percent => rows.sort_by(|(_, a), (_, b)| {
            // As products: a quotient would round. What has no lines comes last.
            let (a, b) = (a.lines, b.lines);
            let product = |a: Tally, b: Tally| u128::from(a.covered) * u128::from(b.total);
            let empty = (a.total == 0).cmp(&(b.total == 0));
            empty.then(product(a, b).cmp(&product(b, a)))
        }),
    }
}

/// What the names below are relative to.
fn title(directory: &[u8], width: usize, out: &mut impl Write) -> io::Result<()> {
    let start = "Files in ";
    let directory = printable(&directory.to_str_lossy());
    let directory = shortened(&directory, width.saturating_sub(start.len()));
    writeln!(out, "{start}{directory}\n")
}

/// What to measure: its heading, and where its numbers are.
struct Metric {
    heading: &'static str,
    tally: fn(&Summary) -> Tally,
}

static METRICS: [Metric; 5] = [
    Metric {
        heading: "Lines",
        tally: |summary| summary.lines,
    },
    Metric {
        heading: "Functions",
        tally: |summary| summary.functions,
    },
    Metric {
        heading: "Regions",
        tally: |summary| summary.regions,
    },
    Metric {
        heading: "Branches",
        tally: |summary| summary.branches,
    },
    Metric {
        heading: "Statements",
        tally: |summary| summary.statements,
    },
];

/// How wide everything is, decided once. Widths are columns of a terminal.
struct Layout {
    name_width: usize,
    /// Names that are longer than that are cut, or else stick out.
    cuts_names: bool,
    metrics: Vec<MetricLayout>,
    colour: bool,
}

struct MetricLayout {
    metric: &'static Metric,
    /// Width of covered/total; `None` if there was no room for it.
    counts_width: Option<usize>,
    percent_width: usize,
}

impl MetricLayout {
    fn new(metric: &'static Metric, rows: &[(String, Summary)], totals: &Summary) -> Self {
        let summaries = || rows.iter().map(|(_, summary)| summary).chain([totals]);
        let widest = |text: fn(Tally) -> String| {
            summaries()
                .map(|summary| text((metric.tally)(summary)).len())
                .max()
        };
        Self {
            metric,
            counts_width: widest(counts),
            percent_width: widest(percent).unwrap_or(0),
        }
    }

    /// The width of this metric's columns, and of the heading above them.
    fn width(&self) -> usize {
        let columns = match self.counts_width {
            Some(counts_width) => counts_width + GAP.len() + self.percent_width,
            None => self.percent_width,
        };
        columns.max(self.metric.heading.len())
    }
}

impl Layout {
    fn new(
        rows: &[(String, Summary)],
        totals: Summary,
        metrics: impl Iterator<Item = &'static Metric>,
        options: &Options,
    ) -> Self {
        let metrics = metrics.map(|metric| MetricLayout::new(metric, rows, &totals));
        let longest = rows
            .iter()
            .map(|(name, _)| name.width())
            .max()
            .unwrap_or(0)
            .max(LEAST_NAME)
            .max(if options.by_folder { "Folder".len() } else { 0 });
        let mut layout = Self {
            name_width: match options.width {
                Some(_) => longest,
                None => longest.min(MAX_PADDED_NAME),
            },
            cuts_names: options.width.is_some(),
            metrics: metrics.collect(),
            colour: options.colour,
        };
        if let Some(width) = options.width {
            layout.fit(width);
        }
        layout
    }

    fn fit(&mut self, width: usize) {
        let enough = self.name_width.min(COMFORTABLE_NAME);
        while enough + self.width_without_name() > width {
            let Some(last) = self
                .metrics
                .iter_mut()
                .rfind(|metric| metric.counts_width.is_some())
            else {
                break;
            };
            last.counts_width = None;
        }
        let left = width.saturating_sub(self.width_without_name());
        self.name_width = self.name_width.min(left.max(LEAST_NAME));
    }

    fn width(&self) -> usize {
        self.name_width + self.width_without_name()
    }

    fn width_without_name(&self) -> usize {
        self.metrics
            .iter()
            .map(|metric| GAP.len() + metric.width())
            .sum()
    }

    fn header(&self, what: &str, out: &mut impl Write) -> io::Result<()> {
        self.name(what, out)?;
        for metric in &self.metrics {
            write!(
                out,
                "{GAP}{:>width$}",
                metric.metric.heading,
                width = metric.width()
            )?;
        }
        writeln!(out)?;
        self.divider(out)
    }

    fn divider(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", "-".repeat(self.width()))
    }

    /// The first column.
    fn name(&self, name: &str, out: &mut impl Write) -> io::Result<()> {
        let shown = match self.cuts_names {
            true => shortened(name, self.name_width),
            false => name.into(),
        };
        write!(out, "{}", left_aligned(&shown, self.name_width))
    }

    fn row(&self, name: &str, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
        self.name(name, out)?;
        for metric in &self.metrics {
            self.cells(metric, (metric.metric.tally)(summary), out)?;
        }
        writeln!(out)
    }

    fn cells(&self, metric: &MetricLayout, tally: Tally, out: &mut impl Write) -> io::Result<()> {
        let percent_width = match metric.counts_width {
            Some(_) => metric.percent_width,
            None => metric.width(),
        };
        if metric.counts_width.is_some() {
            let width = metric.width() - GAP.len() - metric.percent_width;
            write!(out, "{GAP}{:>width$}", counts(tally))?;
        }
        let style = if self.colour {
            style(tally)
        } else {
            Style::new()
        };
        write!(
            out,
            "{GAP}{style}{:>percent_width$}{style:#}",
            percent(tally)
        )
    }
}

fn counts(tally: Tally) -> String {
    format!("{}/{}", tally.covered, tally.total)
}

pub(crate) fn percent(tally: Tally) -> String {
    // In whole numbers, because a float rounds 99.96 up to 100.0.
    match (u128::from(tally.covered) * 1000).checked_div(u128::from(tally.total)) {
        Some(tenths) => format!("{}.{}%", tenths / 10, tenths % 10),
        None => "-".to_owned(),
    }
}

/// Green from 90%, yellow from 60%, red below; nothing for nothing.
pub(crate) fn style(tally: Tally) -> Style {
    let reaches =
        |percent: u128| u128::from(tally.covered) * 100 >= u128::from(tally.total) * percent;
    let colour = match tally.total {
        0 => return Style::new(),
        _ if reaches(90) => AnsiColor::Green,
        _ if reaches(60) => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// Padded to `width` columns; `format!` would count characters, not columns.
fn left_aligned(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// The end of `text`, with an ellipsis before it, if the whole does not fit.
fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    let Some(room) = width.checked_sub(1) else {
        return "".into();
    };
    // A character's width depends on its neighbours, so whole ends are measured; few of them.
    let ends = text.char_indices().map(|(start, _)| &text[start..]);
    let ends: Vec<&str> = ends.collect();
    let first = ends.partition_point(|end| end.width() > room);
    let end = ends.get(first).copied().unwrap_or_default();
    format!("…{end}").into()
}

#[cfg(test)]
mod tests {
    use bincover_model::FunctionId;

    use super::*;
    use crate::testing::{file, one_of_everything, tally};

    fn table(coverage: &Coverage, width: Option<usize>, colour: bool) -> String {
        let options = Options {
            width,
            colour,
            ..Options::default()
        };
        let mut out = Vec::new();
        emit(coverage, &options, &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("the table is UTF-8")
    }

    #[track_caller]
    fn check(coverage: &Coverage, width: Option<usize>, expected: &str) {
        assert_eq!(table(coverage, width, false), expected);
    }

    fn summary(lines: Tally, functions: Tally, regions: Tally, branches: Tally) -> Summary {
        Summary {
            regions,
            functions,
            instantiations: functions,
            lines,
            branches,
            ..Summary::default()
        }
    }

    /// Files with these names; the numbers of each are ten times those of the one before.
    fn files(names: &[&str]) -> Coverage {
        let mut coverage = Coverage::default();
        let mut scale = 1;
        for name in names {
            let mut file = file(name, Vec::new());
            file.summary = summary(
                tally(8 * scale, 9 * scale),
                tally(scale, scale),
                tally(scale, 2 * scale),
                Tally::default(),
            );
            coverage.files.push(file);
            scale *= 10;
        }
        coverage
    }

    #[test]
    fn files_without_code_are_counted() {
        let mut coverage = files(&["/w/a.c", "/w/b.h", "/x/c.h"]);
        for file in &mut coverage.files[1..] {
            file.summary = Summary::default();
            file.functions.push(FunctionId(0));
        }
        let end = "\n\nNot listed: 2 files without code\n";
        let table = table(&coverage, None, false);
        assert!(
            table.starts_with("Files in /w/\n") && table.ends_with(end),
            "{table}"
        );
        assert!(!table.contains(".h"), "{table}");
    }

    #[test]
    fn columns_are_aligned_and_the_common_directory_is_cut() {
        check(
            &files(&["/w/src/a.rs", "/w/src/net/b.rs", "/w/src/net/tcp.rs"]),
            None,
            "\
Files in /w/src/

File                 Lines        Functions         Regions
-----------------------------------------------------------
a.rs            8/9  88.8%      1/1  100.0%      1/2  50.0%
net/b.rs      80/90  88.8%    10/10  100.0%    10/20  50.0%
net/tcp.rs  800/900  88.8%  100/100  100.0%  100/200  50.0%
-----------------------------------------------------------
Total       888/999  88.8%  111/111  100.0%  111/222  50.0%
",
        );
    }

    #[test]
    fn nothing_is_not_a_percentage() {
        check(
            &Coverage::default(),
            None,
            "\
File    Lines  Functions  Regions
---------------------------------
---------------------------------
Total  0/0  -     0/0  -   0/0  -
",
        );
    }

    #[test]
    fn branches_are_shown_if_there_are_any() {
        check(
            &one_of_everything(),
            None,
            "\
Files in /w/

File          Lines    Functions       Regions     Branches
-----------------------------------------------------------
a.c    12/13  92.3%  2/2  100.0%  13/15  86.6%  6/10  60.0%
-----------------------------------------------------------
Total  12/13  92.3%  2/2  100.0%  13/15  86.6%  6/10  60.0%
",
        );
    }

    #[test]
    fn a_root_is_not_cut() {
        let text = table(&files(&["/a.rs", "/w/b.rs"]), None, false);
        assert!(text.starts_with("File "), "{text}");
        assert!(text.contains("\n/w/b.rs "), "{text}");
    }

    const LONG: [&str; 2] = [
        "/w/src/a.rs",
        "/w/src/protocols/internet/transmission/control.rs",
    ];

    #[test]
    fn names_lose_their_beginning_first() {
        check(
            &files(&LONG),
            Some(70),
            "\
Files in /w/src/

File                                Lines      Functions       Regions
----------------------------------------------------------------------
a.rs                           8/9  88.8%    1/1  100.0%    1/2  50.0%
…et/transmission/control.rs  80/90  88.8%  10/10  100.0%  10/20  50.0%
----------------------------------------------------------------------
Total                        88/99  88.8%  11/11  100.0%  11/22  50.0%
",
        );
    }

    #[test]
    fn then_counts_go_from_the_right() {
        check(
            &files(&LONG),
            Some(60),
            "\
Files in /w/src/

File                           Lines      Functions  Regions
------------------------------------------------------------
a.rs                      8/9  88.8%    1/1  100.0%    50.0%
…ansmission/control.rs  80/90  88.8%  10/10  100.0%    50.0%
------------------------------------------------------------
Total                   88/99  88.8%  11/11  100.0%    50.0%
",
        );
    }

    #[test]
    fn then_names_shrink_to_the_least() {
        check(
            &files(&LONG),
            Some(0),
            "\
Files in /w/src/

File   Lines  Functions  Regions
--------------------------------
a.rs   88.8%     100.0%    50.0%
…l.rs  88.8%     100.0%    50.0%
--------------------------------
Total  88.8%     100.0%    50.0%
",
        );
    }

    #[test]
    fn every_line_fits_and_only_percentages_are_never_cut() {
        for coverage in [
            files(&LONG),
            one_of_everything(),
            files(&["/w/\u{6f22}\u{5b57}/\u{6f22}\u{5b57}.rs"; 2]),
        ] {
            for width in 43..120 {
                for line in table(&coverage, Some(width), false).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_long_common_directory_is_shortened_too() {
        let text = table(
            &files(&["/a/very/long/way/down/to/the/sources/of/it/a.rs"]),
            Some(40),
            false,
        );
        assert!(
            text.starts_with("Files in …way/down/to/the/sources/of/it/\n\n"),
            "{text}"
        );
    }

    #[test]
    fn a_very_long_name_sticks_out() {
        let long = format!("/w/{}", "x".repeat(300));
        let text = table(&files(&["/w/a.rs", &long]), None, false);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        let start = |line: &str| line.find("8/9").or(line.find("80/90"));
        assert_eq!(start(lines[2]), Some(MAX_PADDED_NAME + 2 + 2), "{text}");
        assert_eq!(start(lines[3]), Some(300 + 2), "{text}");
        assert_eq!(lines[2].len(), lines[1].len(), "{text}");
        // The longest that is padded to.
        let long = format!("/w/{}", "x".repeat(MAX_PADDED_NAME));
        let text = table(&files(&["/w/a.rs", &long]), None, false);
        let mut widths = text.lines().skip(2).map(str::len);
        let first = widths.next();
        assert!(widths.all(|width| Some(width) == first), "{text}");
        // A terminal's width is known, and a name is cut to it.
        let long = format!("/w/{}", "x".repeat(600));
        for width in [200, 500] {
            let text = table(&files(&["/w/a.rs", &long]), Some(width), false);
            assert!(
                text.lines().skip(2).all(|line| line.width() == width),
                "{text}"
            );
        }
    }

    #[test]
    fn ends_are_found_in_long_names() {
        let long = "\u{6f22}/".repeat(1 << 16);
        assert_eq!(shortened(&long, 8), "\u{2026}/\u{6f22}/\u{6f22}/");
        // Very many characters without a width fit, too.
        let marks = "\u{301}".repeat(1 << 18);
        let shown = shortened(&format!("abcd{marks}"), 3).into_owned();
        assert!(shown == format!("\u{2026}cd{marks}"), "{}", shown.len());
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(shortened("\u{6f22}\u{5b57}.rs", 7), "\u{6f22}\u{5b57}.rs");
        assert_eq!(shortened("\u{6f22}\u{5b57}.rs", 6), "\u{2026}\u{5b57}.rs");
        assert_eq!(shortened("\u{6f22}\u{5b57}.rs", 5), "\u{2026}.rs");
        assert_eq!(shortened("abc", 1), "\u{2026}");
        assert_eq!(shortened("abc", 0), "");
        assert_eq!(left_aligned("\u{6f22}", 4), "\u{6f22}  ");
    }

    #[test]
    fn colours_change_no_widths() {
        let mut coverage = files(&["/w/a.rs", "/w/b.rs"]);
        coverage.files[1].summary =
            summary(tally(9, 10), tally(0, 3), tally(0, 0), Tally::default());
        assert_eq!(
            table(&coverage, None, true),
            "\
Files in /w/

File          Lines    Functions     Regions
--------------------------------------------
a.rs     8/9  \x1b[33m88.8%\x1b[0m  1/1  \x1b[32m100.0%\x1b[0m  1/2  \x1b[31m50.0%\x1b[0m
b.rs    9/10  \x1b[32m90.0%\x1b[0m  0/3  \x1b[31m  0.0%\x1b[0m  0/0      -
--------------------------------------------
Total  17/19  \x1b[33m89.4%\x1b[0m  1/4  \x1b[31m 25.0%\x1b[0m  1/2  \x1b[31m50.0%\x1b[0m
",
        );
    }

    #[test]
    fn colours_change_at_90_and_60() {
        let of = |covered, total| style(tally(covered, total)).get_fg_color();
        assert_eq!(of(900, 1000), Some(AnsiColor::Green.into()));
        assert_eq!(of(899, 1000), Some(AnsiColor::Yellow.into()));
        assert_eq!(of(600, 1000), Some(AnsiColor::Yellow.into()));
        assert_eq!(of(599, 1000), Some(AnsiColor::Red.into()));
        assert_eq!(of(0, 0), None);
    }

    #[test]
    fn percentages_are_rounded_down() {
        assert_eq!(percent(tally(99_999, 100_000)), "99.9%");
        assert_eq!(percent(tally(2, 3)), "66.6%");
        assert_eq!(percent(tally(u64::MAX, u64::MAX)), "100.0%");
        assert_eq!(percent(tally(0, 0)), "-");
    }

    #[test]
    fn names_cannot_reach_the_terminal() {
        let mut coverage = files(&["x", "y"]);
        coverage.files[0].name = b"a\x1b[2J\r\n\x07\xff\xc2\x9b".as_slice().into();
        coverage.files[1].name = "b\u{202e}sr.\u{2066}\u{2028}".into();
        let text = table(&coverage, None, true);
        assert!(
            text.contains("\na\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd} "),
            "{text}"
        );
        assert!(text.contains("\nb\u{fffd}sr.\u{fffd}\u{fffd} "), "{text}");
    }
}
