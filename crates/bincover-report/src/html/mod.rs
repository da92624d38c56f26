//! Pages for a browser: an index that is a tree of folders, and a page for each source file.
//!
//! The pages work from a disk, without a network, and can be read without JavaScript, which adds
//! sorting, a filter, folding and keys. Their content-security policy lets nothing in a page run or
//! load but the report's own two files. All that comes from programs is escaped: file names are
//! text, and the names of the pages are made of safe letters and a hash.
//!
//! Three files are the same for all reports: `index.html` beside `report.css` and `report.js`; pages
//! of sources lie in `f/`. What is as large as the sources (rows of the index, lines of a page) is
//! written by hand to keep it small; all else is in templates.

mod escape;
mod index;
mod page;
mod source;
mod syntax;
mod tree;
mod treemap;
mod workers;

use std::collections::{HashMap, HashSet};
use std::io;

use bincover_model::{Coverage, ExcludedPart, ExcludedRange, File, Summary, Tally};
use bstr::ByteSlice;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use md5::{Digest, Md5};

use crate::paths::Names;
use crate::{Instantiations, Options, Outputs, Sources};

const CSS: &str = include_str!("report.css");
const JS: &str = include_str!("report.js");

/// Writes the pages. Reads [`Options::repository`], [`Options::instantiations`] and
/// [`Options::threads`].
///
/// # Errors
/// If an output cannot be written.
pub fn emit(
    coverage: &Coverage,
    options: &Options,
    sources: &dyn Sources,
    out: &dyn Outputs,
) -> io::Result<()> {
    let names = Names::new(coverage, options);
    let mut css = CSS.to_owned();
    for percent in 0..=100 {
        let level = level(Tally {
            covered: percent,
            total: 100,
        });
        css.push_str(&format!(
            ".p{percent}{{--p:{percent}%;--c:var(--{level})}}\n"
        ));
    }
    for depth in 1..=tree::MAX_DEPTH {
        let rem = format!("{}.{}", (8 + depth * 11) / 10, (8 + depth * 11) % 10);
        css.push_str(&format!(".files .d{depth}>th{{padding-left:{rem}rem}}\n"));
    }
    out.file("report.css", css.as_bytes())?;
    out.file("report.js", JS.as_bytes())?;

    let each = options.instantiations == Some(Instantiations::Each);
    let mut pages = PageNames::default();
    let mut files = Vec::new();
    for file in coverage.measured_files() {
        let mut summary = file.summary;
        if each {
            summary.functions = summary.instantiations;
        }
        files.push(Entry {
            name: names.of(&file.name),
            page: pages.of(&file.name),
            summary,
        });
    }
    let measured: Vec<(&File, &Entry)> = coverage.measured_files().zip(&files).collect();
    // Memory that a page took is there for the next.
    let state = || (source::Texts::new(sources), Vec::new());
    workers::for_each(&measured, options.threads, state, |state, (file, entry)| {
        let (texts, html) = state;
        html.clear();
        page::write(coverage, file, entry, texts, html);
        out.file(&entry.page, html)
    })?;
    let page_of: HashMap<&[u8], &str> = measured
        .iter()
        .map(|(file, entry)| (file.name.as_slice(), entry.page.as_str()))
        .collect();
    let with_excluded = coverage
        .files
        .iter()
        .filter(|file| !file.excluded.is_empty());
    let with_excluded: Vec<(String, &File)> = with_excluded
        .map(|file| (names.of(&file.name), file))
        .collect();
    let excluded = with_excluded.iter().flat_map(|(name, file)| {
        let page = page_of.get(file.name.as_slice()).copied();
        let ranges = file.excluded.ranges.iter();
        ranges.map(move |range| Excluded { name, page, range })
    });
    let excluded: Vec<Excluded<'_>> = excluded.collect();
    out.file("index.html", index::render(&files, &excluded).as_bytes())
}

/// A range of lines that was left out on request.
struct Excluded<'a> {
    /// Of its file.
    name: &'a str,
    /// The file's page, if it has one.
    page: Option<&'a str>,
    range: &'a ExcludedRange,
}

impl Excluded<'_> {
    /// Lines that are not counted; of branches alone, none.
    fn lines(&self) -> u64 {
        match self.range.part {
            ExcludedPart::Branches => 0,
            _ => self.range.lines,
        }
    }

    fn words(&self) -> String {
        let (first, last) = (self.range.first, self.range.last);
        let lines = match first == last {
            true => format!("line {first}"),
            false => format!("lines {first}-{last}"),
        };
        match self.range.part {
            ExcludedPart::File => "the file".to_owned(),
            ExcludedPart::Lines => lines,
            ExcludedPart::Unexecuted => format!("{lines}, not executed"),
            ExcludedPart::Branches => format!("branches of {lines}"),
        }
    }
}

/// A source file as the index lists it.
struct Entry {
    /// Relative to the repository.
    name: String,
    /// Its page, relative to the index.
    page: String,
    summary: Summary,
}

/// Names for pages: of safe letters, each once whatever a file system thinks of upper and lower
/// case, and the same in the next report.
#[derive(Default)]
struct PageNames {
    used: HashSet<String>,
}

impl PageNames {
    fn of(&mut self, name: &[u8]) -> String {
        let start = name.rfind_byteset(br"/\").map_or(0, |at| at + 1);
        let base = name.get(start..).unwrap_or_default();
        let safe = base.iter().take(60).map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(*byte),
            _ => '_',
        });
        let safe: String = safe.collect();
        let mut hash = String::new();
        for byte in Md5::digest(name) {
            hash.push_str(&format!("{byte:02x}"));
        }
        let short = format!("f/{safe}-{}.html", &hash[..8]);
        if self.used.insert(short.to_lowercase()) {
            return short;
        }
        let mut number = 0;
        loop {
            let long = format!("f/{safe}-{hash}-{number}.html");
            if self.used.insert(long.to_lowercase()) {
                return long;
            }
            number += 1;
        }
    }
}

/// Green from 90%, yellow from 60%, red below, as in the table; grey for nothing.
fn level(tally: Tally) -> &'static str {
    let reaches =
        |percent: u128| u128::from(tally.covered) * 100 >= u128::from(tally.total) * percent;
    match tally.total {
        0 => "none",
        _ if reaches(90) => "good",
        _ if reaches(60) => "fair",
        _ => "poor",
    }
}

/// A whole percentage, rounded down.
fn whole_percent(tally: Tally) -> u64 {
    let percent = u128::from(tally.covered) * 100 / u128::from(tally.total.max(1));
    u64::try_from(percent.min(100)).unwrap_or(100)
}

/// The metrics that are shown, with their names.
fn metrics(summary: &Summary) -> impl Iterator<Item = (&'static str, Tally)> {
    let all = [
        ("Lines", summary.lines, true),
        ("Functions", summary.functions, true),
        ("Regions", summary.regions, true),
        ("Branches", summary.branches, summary.branches.total > 0),
        ("MC/DC", summary.mcdc, summary.mcdc.total > 0),
    ];
    let shown = all.into_iter().filter(|(.., is_shown)| *is_shown);
    shown.map(|(name, tally, _)| (name, tally))
}

/// What all pages begin with, up to their content. `up` leads to the report's folder.
fn head(title: &str, up: &str) -> String {
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
        img-src data:; base-uri 'none'; form-action 'none'";
    let page = html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta name="generator" content=(concat!("bincover ", env!("CARGO_PKG_VERSION")));
            meta http-equiv="Content-Security-Policy" content=(POLICY);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href="data:,";
            link rel="stylesheet" href=(format!("{up}report.css"));
            script src=(format!("{up}report.js")) {}
        }
        (PreEscaped("<body>"))
    };
    page.into_string()
}

/// What all pages end with.
const FOOT: &str = "</body></html>";

/// The numbers as cards.
fn cards(summary: &Summary) -> Markup {
    html! {
        dl class="cards" {
            @for (name, tally) in metrics(summary) {
                div class=(format!("card p{}", whole_percent(tally))) {
                    dt { (name) }
                    dd {
                        strong { (crate::table::percent(tally)) }
                        span { (tally.covered) " of " (tally.total) }
                    }
                }
            }
        }
    }
}

/// Text of others, without markup.
fn escaped(text: &str) -> Markup {
    raw(escape::escaped(text.as_bytes()))
}

/// Text that was escaped when it was made.
fn raw(text: String) -> Markup {
    PreEscaped(text)
}

#[cfg(test)]
mod tests;
