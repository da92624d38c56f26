//! Markdown for a GitHub step summary or a comment: the totals, then the files with the most lines
//! that are not covered.
//!
//! A comment takes 65,535 characters, so files are listed as long as there is room, and the last
//! line says how many are not. Names are shown as code and cannot be markup.

use std::cmp::Reverse;
use std::io;

use bincover_model::{Coverage, File, Tally};

use crate::Options;
use crate::missing::{Missing, missing};
use crate::paths::Names;
use crate::table::percent;

/// The most that GitHub takes of a comment, in characters.
pub(crate) const MAX_CHARACTERS: usize = 65_535;
/// Kept for what comes after the table.
pub(crate) const END: usize = 200;
/// Places that are listed for a file.
const PLACES: usize = 12;

/// Writes the document. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let names = Names::new(coverage, options);
    let totals = coverage.totals();
    let mut text = format!("### Coverage: {} of lines\n\n", percent(totals.lines));
    text.push_str("| | Covered | Total | |\n|:--|--:|--:|--:|\n");
    let metrics = [
        ("Lines", totals.lines),
        ("Functions", totals.functions),
        ("Regions", totals.regions),
        ("Branches", totals.branches),
    ];
    for (name, tally) in metrics {
        if tally.total > 0 || name != "Branches" {
            let Tally { covered, total } = tally;
            text.push_str(&format!(
                "| {name} | {covered} | {total} | {} |\n",
                percent(tally)
            ));
        }
    }
    let mut files: Vec<&File> = coverage.measured_files().collect();
    files.retain(|file| file.summary.lines.missed() > 0);
    files.sort_by_key(|file| Reverse(file.summary.lines.missed()));
    let mut left = files.len();
    if left > 0 {
        text.push_str("\n| File | Lines | | Not covered |\n|:--|--:|--:|:--|\n");
    }
    let mut length = text.chars().count();
    for file in files {
        let Tally { covered, total } = file.summary.lines;
        let row = format!(
            "| {} | {covered}/{total} | {} | {} |\n",
            code(&names.of(&file.name)),
            percent(file.summary.lines),
            places(missing(coverage, file).iter())
        );
        let characters = row.chars().count();
        if length + characters + END > MAX_CHARACTERS {
            break;
        }
        length += characters;
        text.push_str(&row);
        left -= 1;
    }
    if left > 0 {
        text.push_str(&format!(
            "\n{left} more files have lines that are not covered.\n"
        ));
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The first of the places that are lines.
pub(crate) fn places<'a>(found: impl Iterator<Item = &'a Missing>) -> String {
    let lines: Vec<&Missing> = found.filter(|one| one.lines.is_some()).collect();
    let shown: Vec<String> = lines.iter().take(PLACES).map(|one| one.place()).collect();
    let more = match lines.len().saturating_sub(PLACES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

/// A name as code. References stand for all that Markdown or HTML could take for markup.
pub(crate) fn code(name: &str) -> String {
    let mut text = String::from("<code>");
    for c in name.chars() {
        match c {
            _ if crate::printable::is_harmful(c) => text.push('\u{fffd}'),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '/' | '.' | '-' | ' ' => text.push(c),
            _ if c.is_ascii() => text.push_str(&format!("&#{};", u32::from(c))),
            _ => text.push(c),
        }
    }
    text + "</code>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, lines, one_of_everything, tally};

    fn document(coverage: &Coverage) -> String {
        let mut out = Vec::new();
        emit(coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn totals_and_files() {
        let expected = "\
### Coverage: 92.3% of lines

| | Covered | Total | |
|:--|--:|--:|--:|
| Lines | 12 | 13 | 92.3% |
| Functions | 2 | 2 | 100.0% |
";
        let document = document(&one_of_everything());
        assert!(document.starts_with(expected), "{document}");
        assert!(
            document.ends_with("| <code>a.c</code> | 12/13 | 92.3% | 14 |\n"),
            "{document}"
        );
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(
            code("<b>|`@x_*\n"),
            "<code>&#60;b&#62;&#124;&#96;&#64;x&#95;&#42;\u{fffd}</code>"
        );
    }

    #[test]
    fn a_comment_takes_it_whole() {
        let mut coverage = Coverage::default();
        for index in 0..3000 {
            let mut one = file(&format!("/w/{index:0>60}.rs"), lines(&[(1, 0), (2, 1)]));
            one.summary.lines = tally(1, 2);
            coverage.files.push(one);
        }
        let document = document(&coverage);
        let length = document.chars().count();
        assert!(
            length <= MAX_CHARACTERS && length > MAX_CHARACTERS - 500,
            "{length}"
        );
        assert!(document.ends_with(" more files have lines that are not covered.\n"));
    }
}
