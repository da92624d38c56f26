//! Text that is safe to show.

/// What begins a command in the middle of a line, too, behind `##`: of Azure Pipelines and of GitHub Actions
/// ([Command.cs][1], `TryParse` in [ActionCommand.cs][2]), and of TeamCity.
///
/// [1]: https://github.com/microsoft/azure-pipelines-agent/blob/095e99bb2f75a4c4c359aadc9ae53cf0402d9960/src/Microsoft.VisualStudio.Services.Agent/Command.cs
/// [2]: https://github.com/actions/runner/blob/42fe3105e04e4d7a4b43aa5fbfe392dfdcee796f/src/Runner.Common/ActionCommand.cs
const COMMANDS: [&str; 3] = ["[", "vso[", "teamcity["];

/// Text that is one line, whatever is in it: it cannot move a terminal's cursor, change colours, turn the direction of writing,
/// begin another line or be a command to a CI that reads the log. Characters that could become U+FFFD. What begins a line is
/// for [`printable_at_start`].
///
/// ```
/// assert_eq!(bincover_report::printable("a\x1b[2Kb\n"), "a\u{fffd}[2Kb\u{fffd}");
/// assert_eq!(bincover_report::printable("a ##[error]b"), "a #\u{fffd}[error]b");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    if text.as_bytes().iter().all(is_plain) && !text.contains("##") {
        return text.to_owned();
    }
    without_commands(visible(text))
}

/// The same for a file's name that begins a line, where `::` begins a command to GitHub Actions. That of a name has `./`
/// before it.
///
/// ```
/// assert_eq!(bincover_report::printable_at_start("::error::x"), "./::error::x");
/// assert_eq!(bincover_report::printable_at_start("src/a.rs"), "src/a.rs");
/// ```
#[must_use]
pub fn printable_at_start(name: &str) -> String {
    let name = printable(name);
    // The runner goes over white space, and .NET's comparison over characters that are not seen.
    let first = name.trim_start_matches(|c: char| c == ' ' || !c.is_ascii());
    match first.starts_with(':') {
        true => format!("./{name}"),
        false => name,
    }
}

/// The same for what is no name, and comes behind something else in its line: a source, where nothing else is changed.
pub(crate) fn visible(text: &str) -> String {
    text.replace(is_harmful, "\u{fffd}")
}

/// Without the second `#` of commands. Between a command's characters there may be some that are not of ASCII: to .NET's
/// comparison a few of these are as good as not there.
fn without_commands(text: String) -> String {
    let mut made = String::new();
    let mut made_of = 0;
    for (first, _) in text.match_indices('#') {
        let rest = &text[first + 1..];
        let Some(second) = rest.find(|c: char| c.is_ascii()) else {
            break;
        };
        let Some(behind) = rest[second..].strip_prefix('#') else {
            continue;
        };
        let is_command = |command: &&str| {
            let letters = behind.chars().filter(char::is_ascii);
            letters.take(command.len()).eq(command.chars())
        };
        if COMMANDS.iter().any(is_command) {
            let second = first + 1 + second;
            made.push_str(&text[made_of..second]);
            made.push('\u{fffd}');
            made_of = second + 1;
        }
    }
    match made_of {
        0 => text,
        _ => made + &text[made_of..],
    }
}

/// Of ASCII, and neither a control character nor white space other than a space: text of these alone, which most is, need
/// not be looked at further.
pub(crate) fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Control characters, and those that turn the direction of writing or end a line.
pub(crate) fn is_harmful(c: char) -> bool {
    let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::testing::{file, lines, one_of_everything, tally};
    use crate::{NoSources, Options, missing, table, text};

    #[test]
    fn no_text_is_a_command() {
        let cases = [
            ("##[error]a", "#\u{fffd}[error]a"),
            ("a ##vso[task.x]b", "a #\u{fffd}vso[task.x]b"),
            ("##teamcity[x]##[y]", "#\u{fffd}teamcity[x]#\u{fffd}[y]"),
            ("é ###[x]", "é ##\u{fffd}[x]"),
            // What .NET does not see: a soft hyphen, a space without width.
            ("#\u{ad}#v\u{200b}so[x]", "#\u{ad}\u{fffd}v\u{200b}so[x]"),
            ("##\x1b[x]", "#\u{fffd}\u{fffd}[x]"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        for text in [
            "",
            "#",
            "##",
            "a##b",
            "## [x]",
            "#[x]",
            "##é",
            "{closure#0}",
            "vso[",
        ] {
            assert_eq!(printable(text), text);
        }
        let long = "##[".repeat(1 << 16);
        assert_eq!(printable(&long), "#\u{fffd}[".repeat(1 << 16));
    }

    #[test]
    fn no_name_begins_a_line_as_a_command() {
        let cases = [
            ("::error::a", "./::error::a"),
            ("  ::error::a", "./  ::error::a"),
            ("\t::error::a", "./\u{fffd}::error::a"),
            ("\u{3000}\u{ad}:\u{ad}:a", "./\u{3000}\u{ad}:\u{ad}:a"),
            ("##[error]a", "#\u{fffd}[error]a"),
        ];
        for (name, expected) in cases {
            assert_eq!(printable_at_start(name), expected);
        }
        for name in ["", " ", "a::b", "a/::b", "é.c", "/::a", "C:/a", "<x>::a"] {
            assert_eq!(printable_at_start(name), name);
        }
    }

    #[test]
    fn no_report_for_people_has_a_command() {
        let names = [
            "/w/::error title=x::y",
            "/w/ ::error::y",
            "/w/##[error]y",
            "/w/##vso[a.b]y",
            "/w/::error::y/a.c",
        ];
        let mut coverage = one_of_everything();
        let measured = |name| {
            let mut file = file(name, lines(&[(1, 0), (2, 1)]));
            file.summary.lines = tally(1, 2);
            file
        };
        coverage.files = names.map(measured).into();
        let mut reports = Vec::new();
        for by_folder in [false, true] {
            let options = Options {
                by_folder,
                ..Options::default()
            };
            let mut report = |emit: &dyn Fn(&mut dyn io::Write) -> io::Result<()>| {
                let mut out = Vec::new();
                emit(&mut out).expect("a Vec takes everything");
                reports.push(String::from_utf8(out).expect("text"));
            };
            report(&|out| table::emit(&coverage, &options, out));
            report(&|out| text::emit(&coverage, &options, &NoSources, out));
            report(&|out| missing::emit(&coverage, &options, out));
            report(&|out| missing::emit_compact(&coverage, &options, out));
            let rows = names.map(|name| (name["/w/".len()..].to_owned(), tally(1, 2)));
            report(&|mut out| {
                let rows = rows.clone().into_iter();
                table::changed_lines(rows, tally(5, 10), &options, &mut out)
            });
        }
        for report in reports {
            let is_command = |line: &str| {
                line.trim_start().starts_with("::")
                    || line.contains("##[")
                    || line.contains("##vso[")
            };
            assert!(!report.lines().any(is_command), "{report}");
            assert!(report.contains("::error"), "{report}");
        }
    }
}
