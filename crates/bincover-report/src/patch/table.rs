//! Patch coverage for people at a terminal.

use std::io::{self, BufWriter, Write};

use super::coverage::{PatchCoverage, PatchFile, Uncovered};
use crate::Options;
use crate::missing::list;
use crate::printable::{printable, printable_at_start};
use crate::table::{changed_lines, percent};

/// Names that are listed of files that are not counted.
const NAMES: usize = 10;

/// Writes a table of files, then the places that are not covered, then what is not counted. Reads
/// [`Options::width`] and [`Options::colour`].
///
/// # Errors
/// If the writer fails.
pub(super) fn emit(
    found: &PatchCoverage,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match found.lines.total {
        0 => writeln!(out, "No changed line holds code that is measured.")?,
        _ => {
            let files = found.files.iter().filter(|file| file.lines.total > 0);
            let rows = files.map(|file| (file.name.clone(), file.lines));
            changed_lines(rows, found.lines, options, &mut out)?;
        }
    }
    for file in &found.files {
        section(file, &file.uncovered, &mut out)?;
    }
    if let Some(comparison) = &found.comparison {
        let lost = comparison.kept.missed();
        if lost > 0 {
            let lines = if lost == 1 { "line" } else { "lines" };
            writeln!(out, "\n{lost} {lines} that did not change lost coverage:")?;
        }
        for file in &found.files {
            section(file, &file.lost, &mut out)?;
        }
        writeln!(
            out,
            "\nAll lines: {}, before {}",
            percent(comparison.now),
            percent(comparison.before)
        )?;
        names("Measured before, and not now", &comparison.gone, &mut out)?;
    }
    for (name, why) in &found.opaque {
        writeln!(out, "Not counted: {}: {}", printable(name), why.words())?;
    }
    names("Changed, and not measured", &found.unmeasured, &mut out)?;
    out.flush()
}

fn section(file: &PatchFile, places: &[Uncovered], out: &mut impl Write) -> io::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    write!(out, "\n{}", printable_at_start(&file.name))?;
    if let Some(old) = &file.old_name {
        write!(out, ", before {}", printable(old))?;
    }
    writeln!(out)?;
    let places = places.iter();
    list(places.map(|one| (&one.place, one.function.as_deref())), out)
}

fn names(what: &str, names: &[String], out: &mut impl Write) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let shown = names.iter().take(NAMES).map(|name| printable(name));
    let shown: Vec<String> = shown.collect();
    write!(out, "{what}: {}", shown.join(", "))?;
    match names.len().saturating_sub(NAMES) {
        0 => writeln!(out),
        more => writeln!(out, " and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::coverage::tests::example;
    use super::*;

    fn table(found: &PatchCoverage) -> String {
        let mut out = Vec::new();
        emit(found, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("the table is UTF-8")
    }

    #[test]
    fn all_that_there_is_to_tell() {
        let expected = "\
File      Changed lines
-----------------------
src/a.rs     1/3  33.3%
-----------------------
Total        1/3  33.3%

src/a.rs
  2  region not reached
  5  region not reached

2 lines that did not change lost coverage:

src/a.rs
  3  region not reached

src/b.rs, before src/old.rs
  1  region not reached

All lines: -, before 83.3%
Measured before, and not now: src/c.rs
Changed, and not measured: logo.png
";
        assert_eq!(table(&example()), expected);
    }

    #[test]
    fn no_code_is_no_percentage() {
        let found = PatchCoverage {
            unmeasured: vec!["README\u{1b}.md".to_owned(); 12],
            ..PatchCoverage::default()
        };
        let table = table(&found);
        assert!(table.starts_with("No changed line holds code that is measured.\n"));
        assert!(table.ends_with("README\u{fffd}.md and 2 more\n"), "{table}");
    }

    #[test]
    fn no_name_begins_a_line_as_a_command() {
        let mut found = example();
        for file in &mut found.files {
            file.name = format!("::error::{}", file.name);
        }
        let table = table(&found);
        assert!(table.contains("\n./::error::src/a.rs\n"), "{table}");
        assert!(!table.lines().any(|line| line.starts_with(':')), "{table}");
    }
}
