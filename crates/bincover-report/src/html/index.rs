//! The index: totals, a picture, and the tree of folders as one table.

use std::fmt::Write;

use bincover_model::{ExcludedPart, Summary};
use maud::{Markup, html};

use super::tree::{Folder, tree};
use super::{
    Entry, Excluded, FOOT, cards, escape, escaped, head, metrics, raw, treemap, whole_percent,
};

/// The page.
pub(super) fn render(files: &[Entry], excluded: &[Excluded<'_>]) -> String {
    let root = tree(files);
    let totals = root.summary;
    let mut rows = String::with_capacity(files.len() * 200);
    folder_rows(&root, 0, &totals, &mut rows);
    let content = html! {
        header class="top" {
            h1 { "Coverage" }
            button type="button" id="theme" class="js" title="Light or dark (t)" { "Theme" }
        }
        main {
            (cards(&totals))
            (raw(treemap::render(&root)))
            div class="tools js" {
                label for="filter" { "Filter" }
                input type="search" id="filter" placeholder="part of a path ( / )" autocomplete="off";
                button type="button" id="open" { "Open all" }
                button type="button" id="close" { "Close all" }
                output id="found" for="filter" {}
            }
            div class="scroll" tabindex="0" role="region" aria-label="Files" {
                table id="files" class=(if files.len() > MAX_SMALL { "files many" } else { "files" }) {
                    caption class="hidden" { "Files by folder, with covered and all of each kind" }
                    thead {
                        tr {
                            th scope="col" data-key="name" { "Name" }
                            @for (name, _) in metrics(&totals) {
                                th scope="col" data-key="percent" { (name) " %" }
                                th scope="col" data-key="missed" { span class="hidden" { (name) ": " } "Covered/all" }
                            }
                        }
                    }
                    tbody { (raw(rows)) }
                }
            }
            (left_out(excluded))
        }
        footer {
            p class="js" {
                kbd { "/" } " filter  " kbd { "t" } " light or dark"
            }
            p { (files.len()) " files" }
        }
    };
    [&*head("Coverage", ""), &content.into_string(), FOOT].concat()
}

/// Of a table with more files, a browser lays rows out when they come into view.
const MAX_SMALL: usize = 2000;

/// Of what was left out on request, no more is listed.
const MAX_EXCLUDED: usize = 1000;

/// What was left out on request, and by which rule.
fn left_out(excluded: &[Excluded<'_>]) -> Markup {
    let lines: u64 = excluded.iter().map(|one| one.lines()).sum();
    html! {
        @if !excluded.is_empty() {
            details class="list" {
                summary { "Left out on request: " (lines) @if lines == 1 { " line" } @else { " lines" } }
                table {
                    thead { tr {
                        th scope="col" { "File" } th scope="col" { "What" }
                        th scope="col" { "Lines" } th scope="col" { "Rule" }
                    } }
                    tbody {
                        @for one in excluded.iter().take(MAX_EXCLUDED) {
                            tr {
                                td {
                                    @match one.page {
                                        Some(page) if one.range.part != ExcludedPart::File => {
                                            a href=(format!("{page}#L{}", one.range.first)) { (escaped(one.name)) }
                                        }
                                        _ => (escaped(one.name))
                                    }
                                }
                                td { (one.words()) }
                                td { (one.range.lines) }
                                td { code { (escaped(&one.range.rule)) } }
                            }
                        }
                    }
                }
                @if excluded.len() > MAX_EXCLUDED { p { (excluded.len() - MAX_EXCLUDED) " more" } }
            }
        }
    }
}

/// The rows of what is in a folder. `class=d2` says how deep a row is, the tree's only mark.
fn folder_rows(folder: &Folder<'_>, depth: usize, totals: &Summary, rows: &mut String) {
    for inner in &folder.folders {
        let _ = write!(rows, "<tr class=\"d{depth} dir\"><th>");
        rows.push_str(&escape::escaped(inner.name.as_bytes()));
        rows.push('/');
        cells(&inner.summary, totals, rows);
        folder_rows(inner, depth + 1, totals, rows);
    }
    for (name, entry) in &folder.files {
        let _ = write!(rows, "<tr class=d{depth}><th><a href={}>", entry.page);
        // A link has to have something to be followed by.
        let name = if name.is_empty() { "(no name)" } else { name };
        rows.push_str(&escape::escaped(name.as_bytes()));
        rows.push_str("</a>");
        cells(&entry.summary, totals, rows);
    }
}

/// The numbers of a row: of each metric a percentage, and covered of all.
fn cells(summary: &Summary, totals: &Summary, rows: &mut String) {
    let all = [
        (summary.lines, totals.lines, true),
        (summary.functions, totals.functions, true),
        (summary.regions, totals.regions, true),
        (summary.branches, totals.branches, false),
        (summary.mcdc, totals.mcdc, false),
    ];
    for (index, (tally, total, always)) in all.into_iter().enumerate() {
        if !always && total.total == 0 {
            continue;
        }
        if tally.total == 0 {
            rows.push_str("<td>-<td>");
            continue;
        }
        let percent = crate::table::percent(tally);
        let percent = percent.trim_end_matches('%');
        let _ = match index {
            // The bar is the lines'.
            0 => write!(rows, "<td class=p{}>{percent}<td>", whole_percent(tally)),
            _ => write!(rows, "<td>{percent}<td>"),
        };
        let _ = write!(rows, "{}/{}", tally.covered, tally.total);
    }
    rows.push('\n');
}
