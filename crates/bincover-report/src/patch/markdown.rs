//! Patch coverage as Markdown for a pull request's comment. What holds for
//! [the report's](crate::markdown) holds here: names are no markup, and it fits.

use std::cmp::Reverse;
use std::io;

use super::coverage::{PatchCoverage, PatchFile, Uncovered};
use crate::Options;
use crate::markdown::{END, MAX_CHARACTERS, code, places};
use crate::table::percent;

/// Writes the document.
///
/// # Errors
/// If the writer fails.
pub(super) fn emit(
    found: &PatchCoverage,
    _options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut text = match found.lines.total {
        0 => "### No changed line holds code that is measured\n".to_owned(),
        total => format!(
            "### Coverage of changed lines: {}\n\n{} of {total} changed lines with code were executed.\n",
            percent(found.lines),
            found.lines.covered
        ),
    };
    if let Some(comparison) = &found.comparison {
        text += &format!(
            "All lines: {}, before {}.\n",
            percent(comparison.now),
            percent(comparison.before)
        );
    }
    // What is said at the end is short, and must not be lost.
    let mut end = String::new();
    for (name, why) in found.opaque.iter().take(10) {
        end += &format!("\nNot counted: {}: {}.\n", code(name), why.words());
    }
    if let Some(comparison) = &found.comparison
        && !comparison.gone.is_empty()
    {
        let shown: Vec<String> = comparison
            .gone
            .iter()
            .take(10)
            .map(|name| code(name))
            .collect();
        let more = match comparison.gone.len().saturating_sub(10) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        end += &format!(
            "\nMeasured before, and not now: {}{more}.\n",
            shown.join(", ")
        );
    }
    // Long names are rather left out than cut.
    if end.chars().count() > MAX_CHARACTERS / 4 {
        end = "\nMore files are not counted, or not measured any more.\n".to_owned();
    }
    let mut room = MAX_CHARACTERS - END - end.chars().count();
    room = room.saturating_sub(text.chars().count());

    let mut new: Vec<&PatchFile> = found.files.iter().collect();
    new.retain(|file| file.lines.total > 0 || !file.uncovered.is_empty());
    new.sort_by_key(|file| Reverse(file.lines.missed()));
    let rows = new.iter().map(|file| {
        format!(
            "| {} | {}/{} | {} | {} |\n",
            code(&file.name),
            file.lines.covered,
            file.lines.total,
            percent(file.lines),
            listed(&file.uncovered)
        )
    });
    let head = "\n| File | Changed lines | | Not covered |\n|:--|--:|--:|:--|\n";
    table(head, rows, &mut room, &mut text);

    let mut lost: Vec<&PatchFile> = found.files.iter().collect();
    lost.retain(|file| !file.lost.is_empty());
    let lines = |file: &PatchFile| {
        file.lost
            .iter()
            .map(|one| one.place.line_count)
            .sum::<u64>()
    };
    lost.sort_by_key(|file| Reverse(lines(file)));
    let rows = lost.iter().map(|file| {
        format!(
            "| {} | {} | {} |\n",
            code(&file.name),
            lines(file),
            listed(&file.lost)
        )
    });
    let head = "\nThese lines did not change, and were executed before:\n\n\
                | File | Lines | |\n|:--|--:|:--|\n";
    table(head, rows, &mut room, &mut text);
    text += &end;
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn listed(found: &[Uncovered]) -> String {
    places(found.iter().map(|one| &one.place))
}

/// Rows as long as there is room, and how many there are besides.
fn table(head: &str, rows: impl Iterator<Item = String>, room: &mut usize, text: &mut String) {
    let mut rows = rows.peekable();
    let length = head.chars().count();
    if rows.peek().is_none() || length > *room {
        return;
    }
    *room -= length;
    text.push_str(head);
    while let Some(row) = rows.next_if(|row| row.chars().count() <= *room) {
        *room -= row.chars().count();
        text.push_str(&row);
    }
    let more = rows.count();
    if more > 0 {
        text.push_str(&format!("\n{more} more files are not listed.\n"));
    }
}

#[cfg(test)]
mod tests {
    use bincover_model::Tally;

    use super::super::coverage::tests::example;
    use super::*;

    fn document(found: &PatchCoverage) -> String {
        let mut out = Vec::new();
        emit(found, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn new_lines_then_old_ones() {
        let expected = "\
### Coverage of changed lines: 33.3%

1 of 3 changed lines with code were executed.
All lines: -, before 83.3%.

| File | Changed lines | | Not covered |
|:--|--:|--:|:--|
| <code>src/a.rs</code> | 1/3 | 33.3% | 2, 5 |

These lines did not change, and were executed before:

| File | Lines | |
|:--|--:|:--|
| <code>src/a.rs</code> | 1 | 3 |
| <code>src/b.rs</code> | 1 | 1 |

Measured before, and not now: <code>src/c.rs</code>.
";
        assert_eq!(document(&example()), expected);
    }

    #[test]
    fn a_comment_takes_it_whole() {
        let one = |index: usize| PatchFile {
            name: format!("src/{index:0>60}.rs"),
            lines: Tally {
                covered: 1,
                total: 2,
            },
            ..PatchFile::default()
        };
        let mut found = PatchCoverage {
            files: (0..3000).map(one).collect(),
            ..PatchCoverage::default()
        };
        found.opaque = vec![("x".repeat(70_000), super::super::Opaque::Binary)];
        let document = document(&found);
        let length = document.chars().count();
        assert!(
            length <= MAX_CHARACTERS && length > MAX_CHARACTERS - 500,
            "{length}"
        );
        assert!(document.contains(" more files are not listed.\n"));
    }
}
