//! [GitHub's workflow commands](https://docs.github.com/actions/reference/workflow-commands-for-github-actions)
//! that put a warning beside lines which are not covered.
//!
//! GitHub shows ten warnings of a step, so what has the most lines comes first.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, BufWriter, Write};

use bincover_model::Coverage;

use crate::Options;
use crate::missing::{GroupNames, Missing, missing};
use crate::names::repeated;
use crate::paths::Names;
use crate::printable::printable;

/// Writes the commands. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let names = Names::new(coverage, options);
    let files: Vec<_> = coverage
        .measured_files()
        .map(|file| (file, names.of(&file.name), GroupNames::new(coverage, file)))
        .collect();
    let all = files.iter().flat_map(|of| {
        let found = missing(coverage, of.0);
        found.into_iter().map(move |one| (of, one))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, one)| Reverse(one.line_count));
    let mut out = BufWriter::new(out);
    for ((_, name, groups), one) in all {
        warning("Not covered", name, &one, groups.around(&one), &mut out)?;
    }
    out.flush()
}

/// The command that puts a warning beside a place.
pub(crate) fn warning(
    title: &str,
    name: &str,
    one: &Missing,
    function: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut message = one.reason.words().to_owned();
    if let Some(function) = function {
        message = format!("{message}: {function}");
    }
    write!(
        out,
        "::warning file={},line={},endLine={}",
        property(&printable(&repeated(name))),
        one.first_line(),
        one.last_line()
    )?;
    if one.lines.is_none() {
        write!(out, ",col={}", one.start.column)?;
    }
    writeln!(out, ",title={title}::{}", data(&printable(&message)))
}

/// What stands after the second `::`.
fn data(text: &str) -> Cow<'_, str> {
    escaped(text, &[('%', "%25"), ('\r', "%0D"), ('\n', "%0A")])
}

/// What stands after `=`.
fn property(text: &str) -> Cow<'_, str> {
    let codes = [
        ('%', "%25"),
        ('\r', "%0D"),
        ('\n', "%0A"),
        (':', "%3A"),
        (',', "%2C"),
    ];
    escaped(text, &codes)
}

fn escaped<'t>(text: &'t str, codes: &[(char, &str)]) -> Cow<'t, str> {
    let code = |c: char| codes.iter().find(|(from, _)| *from == c);
    if text.chars().all(|c| code(c).is_none()) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match code(c) {
            Some((_, to)) => escaped.push_str(to),
            None => escaped.push(c),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, lines, one_of_everything};

    fn commands(coverage: &Coverage) -> String {
        let mut out = Vec::new();
        emit(coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_largest_comes_first() {
        let expected = "\
::warning file=a.c,line=14,endLine=14,title=Not covered::region not reached: main
::warning file=a.c,line=1,endLine=1,col=21,title=Not covered::branch never true
::warning file=a.c,line=1,endLine=1,col=28,title=Not covered::branch not evaluated
::warning file=a.c,line=4,endLine=4,col=16,title=Not covered::branch never false: a.c:inner
";
        assert_eq!(commands(&one_of_everything()), expected);
    }

    #[test]
    fn a_name_cannot_end_its_command() {
        let coverage = Coverage {
            files: vec![file("a\n::error::b,c:d%", lines(&[(1, 0)]))],
            functions: Vec::new(),
        };
        assert_eq!(
            commands(&coverage),
            "::warning file=a\u{fffd}%3A%3Aerror%3A%3Ab%2Cc%3Ad%25,line=1,endLine=1,title=Not covered::region not reached\n"
        );
    }
}
