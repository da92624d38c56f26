//! The page of a source file.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::rc::Rc;

use bincover_model::{
    Coverage, Expansion, File, FileId, Group, Position, Region, line_stats, lines, segments,
};
use bstr::{ByteSlice, ByteVec};
use maud::{Markup, PreEscaped, html};

use super::source::{Text, Texts};
use super::{Entry, Excluded, FOOT, cards, escape, escaped, head};
use crate::left_out::LeftOut;
use crate::listed::{ListedLine, listed};
use crate::missing::{GroupNames, Missing, missing};
use crate::names::demangled;
use crate::text::short;

/// Lines of a source that are shown.
const MAX_LINES: u32 = 100_000;
/// A table of more lines is cut into parts, which a browser lays out when they come into view.
const MAX_SMALL: u32 = 2000;
/// Lines of a part; the style sheet knows how high they are together.
const PART_LINES: u32 = 200;
/// Places and functions that are listed above the source.
const MAX_LISTED: usize = 1000;
/// Instantiations of a function that are listed below its first line.
const MAX_INSTANTIATIONS: usize = 50;
/// Lines of a macro that are shown where it is used.
const MAX_MACRO_LINES: u32 = 40;

/// Writes the page.
pub(super) fn write(
    coverage: &Coverage,
    file: &File,
    entry: &Entry,
    texts: &Texts<'_>,
    html: &mut Vec<u8>,
) {
    let found = missing(coverage, file);
    let groups = GroupNames::new(coverage, file);
    let text = texts.get(&file.name);
    let title = entry.name.replace(crate::printable::is_harmful, "\u{fffd}");
    html.push_str(head(&title, "../"));
    html.push_str(above(file, entry, &found, &groups, &text).into_string());
    html.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Source\">");
    Rows::push(coverage, file, &found, &text, texts, html);
    html.push_str("</div></main>");
    let keys = html! {
        footer {
            p class="js" {
                kbd { "n" } " " kbd { "p" } " next and previous place that is not covered  "
                kbd { "u" } " index  " kbd { "t" } " light or dark"
            }
        }
    };
    html.push_str(keys.into_string());
    html.push_str(FOOT);
}

/// What stands above the source; it begins the main part.
fn above(
    file: &File,
    entry: &Entry,
    found: &[Missing],
    groups: &GroupNames<'_>,
    text: &Rc<Result<Text, String>>,
) -> Markup {
    let (folder, base) = match entry.name.rsplit_once('/') {
        Some((folder, base)) => (Some(folder), base),
        None => (None, entry.name.as_str()),
    };
    html! {
        header class="top" {
            nav aria-label="Path" {
                a href="../index.html" { "Coverage" }
                @if let Some(folder) = folder {
                    " / " span { (escaped(folder)) }
                }
            }
            h1 { (escaped(base)) }
            button type="button" id="theme" class="js" title="Light or dark (t)" { "Theme" }
        }
        (PreEscaped("<main>"))
        (cards(&entry.summary))
        @for note in notes(file, text) { p class="note" role="note" { (note) } }
        (places(groups, found))
        (functions(groups, file))
        (left_out(file, text.is_ok()))
        div class="tools js" {
            button type="button" id="previous" title="Previous place (p)" { "↑" span class="hidden" { " previous place not covered" } }
            button type="button" id="next" title="Next place (n)" { "↓" span class="hidden" { " next place not covered" } }
            output id="at" {}
        }
        ul class="legend" aria-label="Legend" {
            li class="h" { "executed" }
            li class="p" { "executed, but not all of it" }
            li class="m" { "not executed" }
            @if !file.excluded.is_empty() { li class="e" { "out: left out on request" } }
        }
    }
}

/// What readers have to know before they trust the page.
fn notes(file: &File, text: &Rc<Result<Text, String>>) -> Vec<String> {
    let mut notes = Vec::new();
    let last = file.lines.last().map_or(0, |line| line.number);
    match &**text {
        Err(reason) => notes.push(format!("The source cannot be shown: {reason}.")),
        Ok(text) => {
            let count = text.line_count();
            if text.is_changed {
                notes.push(
                    "The source was changed since the program was built: lines may have moved."
                        .to_owned(),
                );
            }
            if count == 0 {
                notes.push("The source is empty.".to_owned());
            }
            if u64::from(last) > count as u64 {
                notes.push(format!(
                    "The source has {count} lines, and the program has code at line {last}: \
                     it is not the source that the program was built from."
                ));
            }
            if count as u64 > u64::from(MAX_LINES) {
                notes.push(format!("Of {count} lines the first {MAX_LINES} are shown."));
            }
        }
    }
    notes
}

/// What is not covered, as links.
fn places(groups: &GroupNames<'_>, found: &[Missing]) -> Markup {
    html! {
        @if found.is_empty() {
            p class="done" { "Nothing is left uncovered here." }
        } @else {
            details class="list" {
                summary {
                    (found.len()) @if found.len() == 1 { " place" } @else { " places" }
                    " not covered"
                }
                ol {
                    @for one in found.iter().take(MAX_LISTED) {
                        li {
                            a href=(format!("#L{}", one.first_line())) { (one.place()) }
                            " " (one.reason.words())
                            @if let Some(name) = groups.around(one) {
                                " " code { (escaped(name)) }
                            }
                        }
                    }
                }
                @if found.len() > MAX_LISTED { p { (found.len() - MAX_LISTED) " more" } }
            }
        }
    }
}

fn functions(groups: &GroupNames<'_>, file: &File) -> Markup {
    html! {
        @if !file.groups.is_empty() {
            details class="list" {
                summary {
                    (file.groups.len())
                    @if file.groups.len() == 1 { " function" } @else { " functions" }
                }
                table {
                    thead { tr {
                        th scope="col" { "Line" } th scope="col" { "Entered" }
                        th scope="col" { "Lines" } th scope="col" { "Name" }
                    } }
                    tbody {
                        @for (index, group) in file.groups.iter().take(MAX_LISTED).enumerate() {
                            tr class=(if group.count == 0 { "m" } else { "h" }) {
                                td { a href=(format!("#L{}", group.start.line)) { (group.start.line) } }
                                td { (group.count) }
                                td {
                                    @if group.summary.lines.total > 0 {
                                        (group.summary.lines.covered) "/" (group.summary.lines.total)
                                    }
                                }
                                td { code { @if let Some(name) = groups.get(index) { (escaped(name)) } } }
                            }
                        }
                    }
                }
                @if file.groups.len() > MAX_LISTED { p { (file.groups.len() - MAX_LISTED) " more" } }
            }
        }
    }
}

/// What was left out on request, and by which rule. Lines are links if they are shown.
fn left_out(file: &File, is_shown: bool) -> Markup {
    let ranges = file.excluded.ranges.iter().map(|range| Excluded {
        name: "",
        page: None,
        range,
    });
    let ranges: Vec<Excluded<'_>> = ranges.collect();
    let lines: u64 = ranges.iter().map(Excluded::lines).sum();
    html! {
        @if !ranges.is_empty() {
            details class="list" {
                summary { "Left out on request: " (lines) @if lines == 1 { " line" } @else { " lines" } }
                table {
                    thead { tr {
                        th scope="col" { "What" } th scope="col" { "Lines with code" } th scope="col" { "Rule" }
                    } }
                    tbody {
                        @for one in ranges.iter().take(MAX_LISTED) {
                            tr {
                                td {
                                    @if is_shown {
                                        a href=(format!("#L{}", one.range.first)) { (one.words()) }
                                    } @else { (one.words()) }
                                }
                                td { (one.range.lines) }
                                td { code { (escaped(&one.range.rule)) } }
                            }
                        }
                    }
                }
                @if ranges.len() > MAX_LISTED { p { (ranges.len() - MAX_LISTED) " more" } }
            }
        }
    }
}

/// The table of lines, as it is written.
struct Rows<'a, 'h> {
    coverage: &'a Coverage,
    file: &'a File,
    /// By line.
    listed: Vec<ListedLine>,
    has_branches: bool,
    out_lines: LeftOut<'a>,
    out_branches: LeftOut<'a>,
    is_large: bool,
    html: &'h mut Vec<u8>,
}

/// What is told of a line besides its count.
#[derive(Default)]
struct Here<'a> {
    /// A place begins here that is not covered.
    is_first: bool,
    places: Vec<&'a Missing>,
    groups: Vec<&'a Group>,
    expansions: Vec<(&'a Region, Vec<Expansion>)>,
    decisions: Vec<String>,
}

/// By line; of most there is nothing to tell.
fn by_line<'a>(
    coverage: &'a Coverage,
    file: &'a File,
    found: &'a [Missing],
) -> BTreeMap<u32, Here<'a>> {
    let mut lines: BTreeMap<u32, Here<'a>> = BTreeMap::new();
    for one in found {
        lines.entry(one.first_line()).or_default().is_first = true;
        if one.lines.is_none() {
            lines.entry(one.start.line).or_default().places.push(one);
        }
    }
    for group in file.groups.iter().filter(|group| group.members.len() > 1) {
        lines
            .entry(group.start.line)
            .or_default()
            .groups
            .push(group);
    }
    // Where the expansions at a place are in the list of their line.
    let mut places: HashMap<Position, usize> = HashMap::new();
    for expansion in &file.expansions {
        if let Some(region) = coverage.expansion_region(*expansion) {
            let known = &mut lines.entry(region.start.line).or_default().expansions;
            // Instantiations expand it at the same place.
            let place = *places.entry(region.start).or_insert(known.len());
            match known.get_mut(place) {
                Some((_, all)) => all.push(*expansion),
                None => known.push((region, vec![*expansion])),
            }
        }
    }
    for id in &file.mcdc {
        let record = coverage.mcdc(*id);
        let tally = record.tally();
        if tally.missed() > 0 {
            let here = lines.entry(record.start.line).or_default();
            here.decisions.push(format!(
                "column {}: {} of {} conditions were seen to decide alone (MC/DC)",
                record.start.column, tally.covered, tally.total
            ));
        }
    }
    lines
}

impl<'a, 'h> Rows<'a, 'h> {
    fn push(
        coverage: &'a Coverage,
        file: &'a File,
        found: &[Missing],
        text: &Rc<Result<Text, String>>,
        texts: &Texts<'_>,
        html: &'h mut Vec<u8>,
    ) {
        let listed = listed(coverage, file);
        let mut out_branches = LeftOut::branches(file);
        let are_branches_out = !out_branches.is_done();
        let mut rows = Self {
            coverage,
            file,
            has_branches: are_branches_out || listed.iter().any(|line| !line.branches.is_empty()),
            listed,
            out_lines: LeftOut::lines(file),
            out_branches,
            is_large: false,
            html,
        };
        let told = by_line(coverage, file, found);
        let count = match &**text {
            Ok(text) => text.line_count(),
            Err(_) => rows.listed.len(),
        };
        rows.is_large = count > MAX_SMALL as usize;
        let class = if rows.is_large {
            "\"src large\""
        } else {
            "src"
        };
        let _ = write!(
            rows.html,
            "<table class={class}><caption class=hidden>Source with counts</caption><thead><tr><th scope=col>Line<th scope=col>Count"
        );
        if rows.has_branches {
            rows.html.push_str("<th scope=col>Branches");
        }
        rows.html.push_str("<th scope=col>Source<tbody>\n");
        match &**text {
            Ok(text) => rows.lines(text, &told, texts),
            Err(_) => rows.counts_alone(&told),
        }
        rows.html.push_str("</table>");
    }

    fn lines(&mut self, text: &Text, told: &BTreeMap<u32, Here<'_>>, texts: &Texts<'_>) {
        let count = u32::try_from(text.line_count()).unwrap_or(u32::MAX);
        let file = self.file;
        let mut stats = line_stats(&file.segments, 1).peekable();
        let mut listed = std::mem::take(&mut self.listed).into_iter().peekable();
        let mut told = told.iter().peekable();
        for number in 1..=count.min(MAX_LINES) {
            while stats.next_if(|stats| stats.number < number).is_some() {}
            let stats = stats.next_if(|stats| stats.number == number);
            while listed.next_if(|one| one.line.number < number).is_some() {}
            let line = listed.next_if(|one| one.line.number == number);
            while told.next_if(|(line, _)| **line < number).is_some() {}
            let here = told.next_if(|(line, _)| **line == number);
            let here = here.map(|(_, here)| here);
            self.part(number - 1);
            self.open(number, line.as_ref(), here);
            let (wrapped, segments) =
                stats.map_or((None, &[][..]), |stats| (stats.wrapped, stats.segments));
            let line_count = line.map(|line| line.line.count);
            text.push_line(number, line_count, wrapped, segments, self.html);
            self.html.push_str("</code>\n");
            if let Some(here) = here {
                self.below(here, texts);
            }
        }
    }

    /// Without a source, the lines that hold code.
    fn counts_alone(&mut self, told: &BTreeMap<u32, Here<'_>>) {
        let listed = std::mem::take(&mut self.listed);
        for (before, line) in (0..MAX_LINES).zip(&listed) {
            self.part(before);
            let number = line.line.number;
            self.open(number, Some(line), told.get(&number));
            self.html.push_str("</code>\n");
        }
    }

    /// Before a row: another part of the table may begin.
    fn part(&mut self, rows_before: u32) {
        if self.is_large && rows_before > 0 && rows_before.is_multiple_of(PART_LINES) {
            self.html.push_str("<tbody>\n");
        }
    }

    /// A row up to its code. Its class says how the line is: hit, missed, partial, excluded; and `u`
    /// that a place begins here that is not covered.
    fn open(&mut self, number: u32, line: Option<&ListedLine>, here: Option<&Here<'_>>) {
        let out_line = self.out_lines.at(number).filter(|_| line.is_none());
        let out_branches = self.out_branches.at(number);
        let is_partial = here.is_some_and(|here| !here.places.is_empty());
        let state = match line.map(|line| line.line.count) {
            Some(0) => "m",
            _ if is_partial => "p",
            Some(_) => "h",
            None if out_line.is_some() => "e",
            None => "",
        };
        // There are many lines; this is a good part of the time.
        let mut digits = itoa::Buffer::new();
        let number = digits.format(number);
        self.html.push_str("<tr id=L");
        self.html.push_str(number);
        if !state.is_empty() {
            self.html.push_str(" class=");
            match here.is_some_and(|here| here.is_first) {
                true => {
                    let _ = write!(self.html, "\"{state} u\"");
                }
                false => self.html.push_str(state),
            }
        }
        self.html.push_str("><td>");
        self.html.push_str(number);
        self.html.push_str("<td");
        match out_line {
            Some(range) => out(self.html, "", &range.rule),
            None => self.html.push(b'>'),
        }
        if let Some(line) = line {
            let count = line.line.count;
            match count < 1000 {
                true => self.html.push_str(digits.format(count)),
                false => {
                    let _ = write!(self.html, "<span title={count}>{}</span>", short(count));
                }
            }
        }
        if self.has_branches {
            self.html.push_str("<td");
            match (line, out_branches) {
                (Some(line), _) if !line.branches.is_empty() => {
                    let sides = line.conditions();
                    let _ = write!(self.html, ">{}/{}", sides.covered, sides.total);
                }
                (Some(_), Some(range)) => out(self.html, "branches ", &range.rule),
                _ => self.html.push(b'>'),
            }
        }
        self.html.push_str("<td><code>");
    }

    fn below(&mut self, here: &Here<'_>, texts: &Texts<'_>) {
        let mut notes = Vec::new();
        let places: Vec<String> = here.places.iter().map(|one| one.note()).collect();
        if !places.is_empty() {
            let _ = writeln!(notes, "<p>{}</p>", places.join("; "));
        }
        for text in &here.decisions {
            let _ = writeln!(notes, "<p>{text}</p>");
        }
        for group in &here.groups {
            self.instantiations(group, &mut notes);
        }
        for (region, expansions) in &here.expansions {
            self.expansion(region, expansions, texts, &mut notes);
        }
        if !notes.is_empty() {
            let columns = if self.has_branches { 3 } else { 2 };
            let _ = write!(self.html, "<tr class=x><td colspan={columns}><td>");
            self.html.append(&mut notes);
            self.html.push(b'\n');
        }
    }

    /// The instantiations of a function, each with what it did not reach.
    fn instantiations(&self, group: &Group, notes: &mut Vec<u8>) {
        let _ = write!(
            notes,
            "<details><summary>{} instantiations</summary><table><thead><tr><th scope=col>Entered<th scope=col>Lines<th scope=col>Name<th scope=col>Not covered<tbody>",
            group.members.len()
        );
        for id in group.members.iter().take(MAX_INSTANTIATIONS) {
            let function = self.coverage.function(*id);
            let tally = function.summary.lines;
            let class = if function.count == 0 { "m" } else { "h" };
            let _ = write!(
                notes,
                "<tr class={class}><td>{}<td>{}/{}<td><code>",
                function.count, tally.covered, tally.total
            );
            escape::push(notes, demangled(function.name.as_bstr()).as_bytes());
            notes.push_str("</code><td>");
            let view = self.coverage.function_view(*id);
            let missed = missed_lines(&view.segments);
            notes.push_str(missed.join(", "));
        }
        notes.push_str("</table>");
        let more = group.members.len().saturating_sub(MAX_INSTANTIATIONS);
        if more > 0 {
            let _ = write!(notes, "<p>{more} more</p>");
        }
        notes.push_str("</details>");
    }

    /// What a macro expands to: its own lines, with the counts of this use.
    fn expansion(
        &self,
        region: &Region,
        expansions: &[Expansion],
        texts: &Texts<'_>,
        notes: &mut Vec<u8>,
    ) {
        let Some((first, id)) = expansions.first().and_then(|expansion| {
            let function = self.coverage.function(expansion.function);
            let id: FileId = *function.files.get(region.expanded.0 as usize)?;
            self.coverage.files.get(id.0 as usize)?;
            Some((function.regions_in(region.expanded).first()?.start, id))
        }) else {
            return;
        };
        // All instantiations together.
        let all = expansions.iter().flat_map(|expansion| {
            let function = self.coverage.function(expansion.function);
            let region = self.coverage.expansion_region(*expansion);
            region
                .map_or(&[][..], |region| function.regions_in(region.expanded))
                .iter()
                .copied()
        });
        let segments = segments(&all.collect::<Vec<_>>());
        if is_long(&segments) {
            return;
        }
        let text = texts.of(self.coverage, id);
        let name = self.coverage.file(id).name.as_slice();
        let base = name
            .rfind_byteset(br"/\")
            .map_or(name, |at| &name[at + 1..]);
        let _ = write!(
            notes,
            "<details><summary>column {}: macro, from ",
            region.start.column
        );
        escape::push(notes, base);
        let _ = write!(
            notes,
            ":{}</summary><table class=src><thead class=hidden><tr><th scope=col>Line<th scope=col>Count<th scope=col>Source<tbody>",
            first.line
        );
        let lines = lines(&segments);
        let last = first.line.saturating_add(MAX_MACRO_LINES);
        for stats in line_stats(&segments, first.line).take_while(|stats| stats.number < last) {
            let count = lines
                .binary_search_by_key(&stats.number, |line| line.number)
                .ok()
                .and_then(|index| Some(lines.get(index)?.count));
            let class = match count {
                Some(0) => "m",
                Some(_) => "h",
                None => "n",
            };
            let shown = count.map(short).unwrap_or_default();
            let _ = write!(
                notes,
                "<tr class={class}><td>{}<td>{shown}<td><code>",
                stats.number
            );
            if let Ok(text) = &*text {
                text.push_line(stats.number, count, stats.wrapped, stats.segments, notes);
            }
            notes.push_str("</code>\n");
        }
        notes.push_str("</table></details>");
    }
}

/// The rest of a cell that says that something is out, and by which rule.
fn out(html: &mut Vec<u8>, what: &str, rule: &str) {
    let _ = write!(html, " title=\"{what}left out by ");
    escape::push(html, rule.as_bytes());
    html.push_str("\">out");
}

/// The first ranges of lines that were not executed.
fn missed_lines(of: &[bincover_model::Segment]) -> Vec<String> {
    const SHOWN: usize = 10;
    if is_long(of) {
        return Vec::new();
    }
    let all = lines(of);
    let runs = all.chunk_by(|a, b| (a.count == 0) == (b.count == 0));
    let missed = runs.filter(|run| run.first().is_some_and(|line| line.count == 0));
    let ranges = missed.filter_map(|run| {
        let (first, last) = (run.first()?.number, run.last()?.number);
        Some(match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
    });
    ranges.take(SHOWN).collect()
}

/// A region may claim to have any number of lines; these are not listed.
fn is_long(segments: &[bincover_model::Segment]) -> bool {
    // They are in order, unless somebody made them up.
    let all = || segments.iter().map(|segment| segment.start.line);
    let ends = all().min().zip(all().max());
    ends.is_some_and(|(first, last)| last - first > MAX_LINES)
}

#[cfg(test)]
mod tests {
    use bincover_model::{Position, Segment};

    use super::missed_lines;

    /// Lines of 2^31 are not listed, wherever their end stands.
    #[test]
    fn segments_in_no_order_are_as_long_as_they_are() {
        let segment = |line| Segment {
            start: Position { line, column: 1 },
            count: 0,
            has_count: true,
            is_entry: true,
            is_gap: false,
        };
        assert_eq!(missed_lines(&[1, 4].map(segment)), ["1-4"]);
        let none: [String; 0] = [];
        assert_eq!(missed_lines(&[5, 1 << 31, 3].map(segment)), none);
    }
}
