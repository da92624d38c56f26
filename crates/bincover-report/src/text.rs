//! Sources for people at a terminal: each line with its count, and notes where something is not
//! covered.
//!
//! Between count and source stands `!` if the line was not executed, `~` if it was, but not all of
//! it, and a note below says what. Lines without code have no count, and `out` stands there for those
//! that were left out on request; below the first of them stands by which rule.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};
use bincover_model::{Coverage, ExcludedRange, File};
use bstr::{ByteSlice, ByteVec};

use crate::left_out::LeftOut;
use crate::missing::{Missing, missing};
use crate::paths::Names;
use crate::printable::{is_plain, printable, printable_at_start, visible};
use crate::table::percent;
use crate::{Options, Source, Sources};

/// Writes the sources. Reads [`Options::repository`] and [`Options::colour`].
///
/// # Errors
/// If the writer fails.
pub fn emit(
    coverage: &Coverage,
    options: &Options,
    sources: &dyn Sources,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    let style = |colour: AnsiColor| match options.colour {
        true => Paint::of(Style::new().fg_color(Some(colour.into()))),
        false => Paint::default(),
    };
    let look = Look {
        missed: style(AnsiColor::Red),
        partial: style(AnsiColor::Yellow),
        left_out: style(AnsiColor::Cyan),
        aside: style(AnsiColor::BrightBlack),
        none: Paint::default(),
    };
    for (index, file) in coverage.measured_files().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let lines = file.summary.lines;
        let name = printable_at_start(&names.of(&file.name));
        let (covered, total) = (lines.covered, lines.total);
        writeln!(out, "{name}  {covered}/{total} lines  {}", percent(lines))?;
        emit_file(coverage, file, sources, &look, &mut out)?;
    }
    out.flush()
}

struct Look {
    missed: Paint,
    partial: Paint,
    left_out: Paint,
    aside: Paint,
    none: Paint,
}

/// What begins a style and what ends it.
#[derive(Default)]
struct Paint {
    on: String,
    off: String,
}

impl Paint {
    fn of(style: Style) -> Self {
        Self {
            on: style.render().to_string(),
            off: style.render_reset().to_string(),
        }
    }
}

fn emit_file(
    coverage: &Coverage,
    file: &File,
    sources: &dyn Sources,
    look: &Look,
    out: &mut impl Write,
) -> io::Result<()> {
    let found = missing(coverage, file);
    let text = match sources.read(file.name.as_bstr()) {
        Source::Text { text, is_changed } => {
            if is_changed {
                writeln!(
                    out,
                    "(the source is newer than the program: lines may have moved)"
                )?;
            }
            text
        }
        Source::Missing { reason } => {
            writeln!(out, "(no source: {})", printable(&reason))?;
            for one in &found {
                writeln!(out, "  {}: {}", one.place(), one.reason.words())?;
            }
            return Ok(());
        }
    };
    let last = file.lines.last().map_or(0, |line| line.number);
    let mut lines = file.lines.iter().peekable();
    let mut notes = found.iter().filter(|one| one.lines.is_none()).peekable();
    let mut left_out = LeftOut::lines(file);
    let mut rule: Option<&ExcludedRange> = None;
    let mut number: u32 = 0;
    let mut line = Vec::new();
    let mut digits = itoa::Buffer::new();
    for source in text.lines() {
        number = number.saturating_add(1);
        while lines.next_if(|line| line.number < number).is_some() {}
        let count = lines
            .next_if(|line| line.number == number)
            .map(|line| line.count);
        while notes.next_if(|note| note.start.line < number).is_some() {}
        let mut here: Vec<&Missing> = Vec::new();
        while let Some(note) = notes.next_if(|note| note.start.line == number) {
            here.push(note);
        }
        // What was executed on a line whose other part is out has its count.
        let before = rule.map(|range| &range.rule);
        rule = left_out.at(number).filter(|_| count.is_none());
        let (mark, style) = match count {
            Some(0) => ('!', &look.missed),
            _ if !here.is_empty() => ('~', &look.partial),
            None if rule.is_some() => (' ', &look.left_out),
            _ => (' ', &look.none),
        };
        let shown: Cow<'_, str> = match (count, rule) {
            (Some(count), _) => short(count).into(),
            (None, Some(_)) => "out".into(),
            (None, None) => "".into(),
        };
        // Formatting each of these would be most of the time.
        line.clear();
        line.push_str(&look.aside.on);
        push_right(&mut line, 5, digits.format(number));
        line.push_str(&look.aside.off);
        line.push_char(' ');
        push_right(&mut line, 7, &shown);
        line.push_char(' ');
        line.push_str(&style.on);
        line.push_char(mark);
        line.push_char(' ');
        if source.iter().all(is_plain) {
            line.extend_from_slice(source.trim_ascii_end());
        } else {
            let source = visible(&source.to_str_lossy().replace('\t', "    "));
            line.extend_from_slice(source.trim_end().as_bytes());
        }
        line.push_str(&style.off);
        line.push_char('\n');
        out.write_all(&line)?;
        for note in here {
            writeln!(out, "{:>15} {}{}{}", "", style.on, note.note(), style.off)?;
        }
        if let Some(range) = rule.filter(|range| before != Some(&range.rule)) {
            let Paint { on, off } = &look.left_out;
            let by = printable(&range.rule);
            writeln!(out, "{:>15} {on}left out by {by}{off}", "")?;
        }
    }
    if last > number {
        writeln!(
            out,
            "(the source has {number} lines, the program has code at line {last}: it has changed)"
        )?;
    }
    Ok(())
}

/// Appends text of ASCII so that it ends at a column.
fn push_right(line: &mut Vec<u8>, width: usize, text: &str) {
    line.resize(line.len() + width.saturating_sub(text.len()), b' ');
    line.extend_from_slice(text.as_bytes());
}

/// A count in at most five characters: 999, 9.9k, 99k, 999k, 9.9M.
pub(crate) fn short(count: u64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    if count < 1000 {
        return count.to_string();
    }
    let mut scaled = count;
    let mut unit = "";
    let mut tenths = 0;
    for name in UNITS {
        if scaled < 1000 {
            break;
        }
        tenths = scaled % 1000 / 100;
        scaled /= 1000;
        unit = name;
    }
    match scaled < 10 {
        true => format!("{scaled}.{tenths}{unit}"),
        false => format!("{scaled}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use bincover_model::{ExcludedPart, FileId};
    use bstr::BStr;

    use super::*;
    use crate::testing::one_of_everything;

    struct One(&'static str);

    impl Sources for One {
        fn read(&self, _: &BStr) -> Source {
            Source::Text {
                text: self.0.into(),
                is_changed: false,
            }
        }
    }

    fn report(sources: &dyn Sources) -> String {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), sources, &mut out)
            .expect("a Vec takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lines_have_counts_and_notes() {
        let source = One(
            "#define\n\nstatic int inner(int x) {\n\tif (x > 2 && x < 9)\n\u{1b}[31mreturn 1;\n",
        );
        let expected = "\
a.c  12/13 lines  92.3%
    1       1 ~ #define
                column 21: branch never true
                column 28: branch not evaluated
    2
    3       5   static int inner(int x) {
    4       5 ~     if (x > 2 && x < 9)
                column 16: branch never false
    5       2   \u{fffd}[31mreturn 1;
(the source has 5 lines, the program has code at line 16: it has changed)
";
        let report = report(&source);
        let trimmed: Vec<&str> = report.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n") + "\n", expected);
    }

    #[test]
    fn what_was_left_out_has_a_word_and_its_rule() {
        let mut coverage = one_of_everything();
        let range = |first, last, part, rule: &str| ExcludedRange {
            first,
            last,
            part,
            rule: rule.into(),
            lines: 0,
        };
        let id = FileId(0);
        coverage.exclude([(
            id,
            vec![
                range(1, 2, ExcludedPart::Lines, "LCOV_EXCL_START"),
                range(4, 4, ExcludedPart::Lines, "--exclude-line i\u{1b}f"),
            ],
        )]);
        let options = Options {
            colour: true,
            ..Options::default()
        };
        let source = One("#define\n\nstatic int inner(int x) {\n\tif (x > 2 && x < 9)\n");
        let mut out = Vec::new();
        emit(&coverage, &options, &source, &mut out).expect("a Vec takes everything");
        let report = String::from_utf8(out).expect("text");
        let cyan = "\u{1b}[36m";
        for part in [
            format!("    out {cyan}  #define"),
            format!("{cyan}left out by LCOV_EXCL_START"),
            format!("    out {cyan}      if (x > 2 && x < 9)"),
            format!("{cyan}left out by --exclude-line i\u{fffd}f"),
        ] {
            assert!(report.contains(&part), "{part:?}\n{report:?}");
        }
        assert_eq!(report.matches("left out by").count(), 2, "{report}");
        assert_eq!(report.matches(" out ").count(), 5, "{report}");
    }

    #[test]
    fn without_a_source_the_places_are_listed() {
        let expected = "\
a.c  12/13 lines  92.3%
(no source: no sources were given)
  1:21: branch never true
  1:28: branch not evaluated
  4:16: branch never false
  14: region not reached
";
        assert_eq!(report(&crate::NoSources), expected);
    }

    #[test]
    fn counts_are_short() {
        let shown = |count| short(count);
        assert_eq!(shown(999), "999");
        assert_eq!(shown(1000), "1.0k");
        assert_eq!(shown(9_999), "9.9k");
        assert_eq!(shown(12_345), "12k");
        assert_eq!(shown(999_999), "999k");
        assert_eq!(shown(1_000_000), "1.0M");
        assert_eq!(shown(u64::MAX), "18E");
    }
}
