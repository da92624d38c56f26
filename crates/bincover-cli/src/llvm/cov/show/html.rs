//! Views as HTML: what llvm-cov's pages hold, in a markup of our own. Whatever comes from a file
//! or an object is escaped.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use bincover::model::{Branch, McdcRecord, Summary, Tally};

use super::pages::{create, footer};
use super::text::{branch_percent, branch_total, mcdc_lines, source_name};
use super::tree::{Instantiation, Node};
use super::walk::{Frame, Line, Skin, print};
use super::{Branches, Look, short_count};
use crate::llvm::cov::paths;
use crate::llvm::cov::report::Row;
use crate::llvm::cov::settings::{Columns, Settings};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("control.js");

/// Writes the files that all pages use.
pub(super) fn write_style(folder: &Path) -> io::Result<()> {
    for (name, text) in [("style.css", STYLE), ("control.js", SCRIPT)] {
        let mut out = create(folder, name.as_bytes())?;
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

/// Sends the reader on.
pub(super) fn write_redirection(target: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let target = escape(&link(target));
    writeln!(
        out,
        "<!doctype html>\n<html><head><meta charset='UTF-8'><meta http-equiv='Refresh' content=\"0; url='{target}'\"></head><body><a href='{target}'>{target}</a></body></html>"
    )
}

/// From a page to the folder that all pages are in.
pub(super) fn way_up(page: &[u8]) -> String {
    let slashes = paths::relative(page).iter().filter(|&&byte| byte == b'/');
    "../".repeat(slashes.count())
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML has no place for other control characters.
            '\u{0}'..='\u{1f}' if !matches!(letter, '\t' | '\n' | '\r') => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

fn escape_bytes(text: &[u8]) -> String {
    escape(&String::from_utf8_lossy(text))
}

/// A path as the address of a page.
fn link(path: &[u8]) -> String {
    let mut link = String::new();
    for &byte in path {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                link.push(char::from(byte));
            }
            _ => {
                let _ = write!(link, "%{byte:02X}");
            }
        }
    }
    link
}

fn begin(title: &str, to_top: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<!doctype html>\n<html><head><meta name='viewport' content='width=device-width,initial-scale=1'><meta charset='UTF-8'>")?;
    write!(out, "<title>{}</title>", escape(title))?;
    match to_top {
        Some(to_top) => write!(
            out,
            "<link rel='stylesheet' type='text/css' href='{to_top}style.css'><script src='{to_top}control.js'></script>"
        )?,
        None => write!(out, "<style>\n{STYLE}</style><script>\n{SCRIPT}</script>")?,
    }
    out.write_all(b"</head><body>\n")
}

const END: &[u8] = b"</body></html>\n";

pub(super) struct Html<'a> {
    look: &'a Look,
}

impl<'a> Html<'a> {
    pub(super) fn new(look: &'a Look) -> Self {
        Self { look }
    }

    /// A piece of a line, from a column on: escaped, with its tabs as blanks.
    fn piece(&self, text: &[u8], from: usize) -> String {
        let mut spaced = Vec::with_capacity(text.len());
        let mut column = from;
        for &byte in text {
            if byte == b'\t' {
                let blanks = self.look.tab_size - column % self.look.tab_size;
                spaced.resize(spaced.len() + blanks, b' ');
                column += blanks;
            } else {
                spaced.push(byte);
                column += 1;
            }
        }
        escape_bytes(&spaced)
    }

    fn source(
        &self,
        line: &Line<'_>,
        expansion: Option<u32>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let has_markers = self.look.region_markers && line.has_markers();
        let mut class = line
            .wrapped
            .filter(|wrapped| wrapped.has_count && !wrapped.is_gap && wrapped.count == 0)
            .map(|_| "region red");
        let mut marker = None;
        let mut html = String::new();
        let mut at = 0;
        let mut put = |from: usize, to: usize, class: Option<&str>, marker: Option<u64>| {
            let text = self.piece(line.text.get(from..to).unwrap_or_default(), from);
            let text = match class {
                Some(class) if !text.is_empty() => format!("<span class='{class}'>{text}</span>"),
                _ => text,
            };
            html += &match marker {
                Some(count) => format!(
                    "<div class='tooltip'>{text}<span class='tooltip-content'>{}</span></div>",
                    short_count(count)
                ),
                None => text,
            };
        };
        let last = line.segments.len().saturating_sub(1);
        for (index, segment) in line.segments.iter().enumerate() {
            let column = segment.start.column as usize;
            let end = column.saturating_sub(1).min(line.text.len());
            put(at, end, class, marker);
            at = end;
            let is_red = class == Some("region red");
            let is_uncovered = segment.has_count && segment.count == 0;
            class = if is_uncovered && (!segment.is_gap || is_red) {
                Some("region red")
            } else if expansion == Some(segment.start.column) {
                Some("cyan")
            } else {
                None
            };
            let is_marked = has_markers
                && index < last
                && segment.is_entry
                && segment.count != line.count.unwrap_or(0);
            marker = is_marked.then_some(segment.count);
        }
        put(at, line.text.len(), class, marker);
        write!(out, "<pre>{html}</pre>")
    }

    fn side(&self, label: &str, count: u64, is_folded: bool, total: f64) -> String {
        if is_folded {
            return "Folded".to_owned();
        }
        let class = if count == 0 { "red branch" } else { "branch" };
        let shown = match self.look.branches {
            Some(Branches::Percent) => format!("{:.2}%", branch_percent(count, total)),
            _ => self.look.count(count),
        };
        format!("<span class='{class}'>{label}</span>: {shown}")
    }
}

impl Skin for Html<'_> {
    fn extension(&self) -> &'static str {
        "html"
    }

    fn begin_page(&self, path: Option<&[u8]>, out: &mut dyn Write) -> io::Result<()> {
        let to_top = path.map(way_up);
        begin("Coverage Report", to_top.as_deref(), out)
    }

    fn end_page(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(END)
    }

    fn title(&self, out: &mut dyn Write) -> io::Result<()> {
        write_titles(self.look, "Coverage Report", out)
    }

    fn begin_view(&self, node: &Node<'_>, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<div class='centered'><table>")?;
        if frame.source_name {
            let name = escape_bytes(&source_name(node.name));
            write!(
                out,
                "<div class='source-name-title'><pre>{name}</pre></div>"
            )?;
        }
        let uncovered = node.view.segments.iter();
        let uncovered = uncovered
            .filter(|segment| segment.has_count && segment.count == 0)
            .map(|segment| segment.start.line)
            .next();
        out.write_all(b"<tr><td><pre>Line</pre></td>")?;
        if self.look.line_counts {
            out.write_all(b"<td><pre>Count</pre></td>")?;
        }
        out.write_all(b"<td><pre>Source")?;
        if let Some(line) = uncovered.filter(|_| frame.depth == 0) {
            write!(
                out,
                " (<a href='#L{line}'>jump to first uncovered line</a>)"
            )?;
        }
        out.write_all(b"</pre></td></tr>\n")
    }

    fn end_view(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"</table></div>\n")
    }

    fn line(
        &self,
        _node: &Node<'_>,
        line: &Line<'_>,
        expansion: Option<u32>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let number = line.number;
        // An anchor is there once: in the file itself.
        let anchor = match depth {
            0 => format!("<a id='L{number}' href='#L{number}'><pre>{number}</pre></a>"),
            _ => format!("<a href='#L{number}'><pre>{number}</pre></a>"),
        };
        write!(out, "<tr><td class='line-number'>{anchor}</td>")?;
        if self.look.line_counts {
            match line.count {
                Some(count) => {
                    let class = match count {
                        0 => "uncovered-line",
                        _ => "covered-line",
                    };
                    let count = self.look.count(count);
                    write!(out, "<td class='{class}'><pre>{count}</pre></td>")?;
                }
                None => out.write_all(b"<td class='skipped-line'></td>")?,
            }
        }
        out.write_all(b"<td class='code'>")?;
        self.source(line, expansion, out)
    }

    fn end_line(&self, _node: &Node<'_>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"</td></tr>\n")
    }

    fn divider(&self, _depth: usize, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn expansion_site(
        &self,
        line: &Line<'_>,
        expansion: u32,
        _depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.source(line, Some(expansion), out)
    }

    fn expansion(&self, node: &Node<'_>, depth: usize, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<div class='expansion-view'>")?;
        let frame = Frame {
            whole_file: false,
            source_name: false,
            title: false,
            depth: depth + 1,
        };
        print(self, node, &frame, out)?;
        out.write_all(b"</div>")
    }

    fn instantiation(
        &self,
        one: &Instantiation<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        out.write_all(b"<div class='expansion-view'>")?;
        match &one.node {
            Some(node) => {
                let frame = Frame {
                    whole_file: false,
                    source_name: true,
                    title: false,
                    depth,
                };
                print(self, node, &frame, out)?;
            }
            None => write!(
                out,
                "<div class='source-name-title'><pre>Unexecuted instantiation: {}</pre></div>",
                escape_bytes(one.name)
            )?,
        }
        out.write_all(b"</div>")
    }

    fn branches(&self, branches: &[Branch], _depth: usize, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<div class='expansion-view'><pre>")?;
        for branch in branches {
            let (line, column) = (branch.start.line, branch.start.column);
            write!(
                out,
                "  Branch (<span class='line-number'><a href='#L{line}'>{line}:{column}</a></span>): ["
            )?;
            if branch.is_folded() {
                out.write_all(b"Folded - Ignored]\n")?;
                continue;
            }
            let total = branch_total(branch);
            let sides = [
                self.side("True", branch.true_count, branch.true_folded, total),
                self.side("False", branch.false_count, branch.false_folded, total),
            ];
            writeln!(out, "{}]", sides.join(", "))?;
        }
        out.write_all(b"</pre></div>")
    }

    fn mcdc(&self, records: &[&McdcRecord], _depth: usize, out: &mut dyn Write) -> io::Result<()> {
        for record in records {
            out.write_all(b"<div class='expansion-view'><pre>")?;
            for line in mcdc_lines(record) {
                writeln!(out, "{}", escape(&line))?;
            }
            let percent = record.tally().percent();
            let class = if percent < 100.0 { "red" } else { "full" };
            writeln!(
                out,
                "  MC/DC Coverage for Decision: <span class='{class}'>{percent:.2}%</span>"
            )?;
            out.write_all(b"</pre></div>")?;
        }
        Ok(())
    }
}

fn write_titles(look: &Look, title: &str, out: &mut dyn Write) -> io::Result<()> {
    if !look.title.is_empty() {
        writeln!(out, "<h1>{}</h1>", escape(&look.title))?;
    }
    writeln!(out, "<h2>{}</h2>", escape(title))?;
    if !look.created.is_empty() {
        writeln!(out, "<h4>{}</h4>", escape(&look.created))?;
    }
    Ok(())
}

/// A row of an index.
pub(super) struct Entry {
    pub(super) link: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) summary: Summary,
}

impl Entry {
    /// A page in the same folder, or the index of a folder in it.
    pub(super) fn beside(row: &Row) -> Self {
        let native = paths::native(&row.name);
        let mut text = paths::remove_dots(&native);
        let mut link = text.clone();
        if native.ends_with(b"/") {
            text.push(b'/');
            paths::append(&mut link, b"index.html");
        } else {
            link.extend_from_slice(b".html");
        }
        Self {
            link,
            text,
            summary: row.summary,
        }
    }
}

/// A table of pages.
pub(super) struct Index {
    /// The folder that it is of; empty for all.
    pub(super) title: Vec<u8>,
    /// From here to where the style is.
    pub(super) to_top: String,
    pub(super) entries: Vec<Entry>,
    pub(super) totals: Summary,
}

impl Index {
    pub(super) fn write(
        &self,
        settings: &Settings,
        look: &Look,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let title = match self.title.is_empty() {
            true => "Coverage Report".to_owned(),
            false => format!("Coverage Report ({})", String::from_utf8_lossy(&self.title)),
        };
        begin(&title, Some(&self.to_top), out)?;
        write_titles(look, &title, out)?;
        out.write_all(b"<p>Click <a href='https://clang.llvm.org/docs/SourceBasedCodeCoverage.html#interpreting-reports'>here</a> for information about interpreting this report.</p>\n<div class='centered'><table>\n<tr><td class='column-entry-bold'>Filename</td>")?;
        for (name, _) in columns(&settings.columns, &Summary::default()) {
            write!(out, "<td class='column-entry-bold'>{name}</td>")?;
        }
        out.write_all(b"</tr>\n")?;
        let (full, empty): (Vec<&Entry>, Vec<&Entry>) = self
            .entries
            .iter()
            .partition(|entry| entry.summary.functions.total > 0);
        for entry in full {
            write!(
                out,
                "<tr class='light-row'><td><pre>{}</pre></td>",
                entry.anchor()
            )?;
            cells(settings, look, &entry.summary, out)?;
            out.write_all(b"</tr>\n")?;
        }
        out.write_all(b"<tr class='light-row-bold'><td><pre>Totals</pre></td>")?;
        cells(settings, look, &self.totals, out)?;
        out.write_all(b"</tr>\n</table></div>\n")?;
        if !empty.is_empty() && settings.filters.is_empty() {
            out.write_all(b"<p>Files which contain no functions. (These files contain code pulled into other files by the preprocessor.)</p>\n<div class='centered'><table>\n")?;
            for entry in empty {
                let anchor = entry.anchor();
                writeln!(
                    out,
                    "<tr class='light-row'><td><pre>{anchor}</pre></td></tr>"
                )?;
            }
            out.write_all(b"</table></div>\n")?;
        }
        writeln!(out, "<h5>{}</h5>", escape(&footer()))?;
        out.write_all(END)
    }
}

impl Entry {
    fn anchor(&self) -> String {
        let (link, text) = (escape(&link(&self.link)), escape_bytes(&self.text));
        format!("<a href='{link}'>{text}</a>")
    }
}

fn columns(columns: &Columns, summary: &Summary) -> Vec<(&'static str, Tally)> {
    let all = [
        (true, "Function Coverage", summary.functions),
        (
            columns.instantiations,
            "Instantiation Coverage",
            summary.instantiations,
        ),
        (true, "Line Coverage", summary.lines),
        (columns.regions, "Region Coverage", summary.regions),
        (columns.branches, "Branch Coverage", summary.branches),
        (columns.mcdc, "MC/DC", summary.mcdc),
    ];
    let shown = all.into_iter().filter(|(is_there, ..)| *is_there);
    shown.map(|(_, name, tally)| (name, tally)).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "llvm-cov compares in this precision, and 100 is exact in both"
)]
fn cells(
    settings: &Settings,
    look: &Look,
    summary: &Summary,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (high, low) = look.watermarks;
    for (_, tally) in columns(&settings.columns, summary) {
        let percent = tally.percent();
        let (class, shown) = match tally.total {
            0 => ("column-entry-gray", "- (0/0)".to_owned()),
            total => {
                let class = match percent as f32 {
                    percent if percent >= high => "column-entry-green",
                    percent if percent < low => "column-entry-red",
                    _ => "column-entry-yellow",
                };
                let covered = tally.covered;
                (class, format!("{percent:>7.2}% ({covered}/{total})"))
            }
        };
        write!(out, "<td class='{class}'><pre>{shown}</pre></td>")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        assert_eq!(
            escape("<a href='x'>\"&\"</a>\u{1}"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;\u{fffd}"
        );
        assert_eq!(link(b"a b/'<>%\xff.html"), "a%20b/%27%3C%3E%25%FF.html");
        assert_eq!(way_up(b"coverage/src/a.c.html"), "../../");
    }
}
