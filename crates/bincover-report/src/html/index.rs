//! The index: totals, a picture, and the tree of folders as one table.

use std::fmt::Write;

use bincover_model::Summary;
use maud::html;

use super::tree::{Folder, tree};
use super::{Entry, cards, escape, frame, metrics, raw, treemap, whole_percent};

/// The page.
pub(super) fn render(files: &[Entry]) -> String {
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
                table id="files" class="files" {
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
        }
        footer {
            p class="js" {
                kbd { "/" } " filter  " kbd { "t" } " light or dark"
            }
            p { (files.len()) " files" }
        }
    };
    frame("Coverage", "", &content)
}

/// The rows of what is in a folder. `class=d2` says how deep a row is, the tree's only mark.
fn folder_rows(folder: &Folder<'_>, depth: usize, totals: &Summary, rows: &mut String) {
    for inner in &folder.folders {
        let _ = write!(rows, "<tr class=\"d{depth} dir\"><th>");
        escape::push(rows, inner.name.as_bytes());
        rows.push('/');
        cells(&inner.summary, totals, rows);
        folder_rows(inner, depth + 1, totals, rows);
    }
    for (name, entry) in &folder.files {
        let _ = write!(rows, "<tr class=d{depth}><th><a href={}>", entry.page);
        // A link has to have something to be followed by.
        let name = if name.is_empty() { "(no name)" } else { name };
        escape::push(rows, name.as_bytes());
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
