//! Options as LLVM's tools read them: one dash or two, a value after `=` or as the next word,
//! response files, and LLVM's words for what is wrong (LLVM: `CommandLine.cpp`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::limits::MAX_RESPONSE_DEPTH;

/// The tool as LLVM's messages name it.
#[derive(Debug)]
pub(crate) struct Program {
    /// The file's name.
    pub(crate) name: String,
    /// As it was called.
    pub(crate) invoked: String,
}

impl Program {
    /// Of the first word of a command line.
    pub(crate) fn new(invoked: &OsStr) -> Self {
        let name = Path::new(invoked).file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            invoked: invoked.to_string_lossy().into_owned(),
        }
    }
}

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true`, `=false`, `=1`, `=0`.
    Flag,
    /// Any text.
    Text,
    /// A number that fits in 32 bits.
    Number,
    /// A number with a fraction.
    Real,
    /// Nothing; the words after it that are no options are its values, to the end (LLVM: a
    /// positional option with a name).
    Words,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Takes {
    /// How help shows what follows.
    pub(crate) fn placeholder(self) -> String {
        match self {
            Self::Flag => String::new(),
            Self::Text => " <text>".to_owned(),
            Self::Number | Self::Real => " <number>".to_owned(),
            Self::Words => " <text>...".to_owned(),
            Self::OneOf(words) => format!(" <{}>", words.join("|")),
        }
    }
}

/// An option of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// The name, without dashes.
    pub(crate) name: &'static str,
    /// Another name, usually of one letter.
    pub(crate) alias: Option<&'static str>,
    pub(crate) takes: Takes,
}

impl Spec {
    pub(crate) const fn new(name: &'static str, takes: Takes) -> Self {
        let alias = None;
        Self { name, alias, takes }
    }

    pub(crate) const fn or(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }
}

/// A command line, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    values: Vec<(&'static str, OsString)>,
    pub(crate) positional: Vec<OsString>,
}

impl Parsed {
    /// The last value of an option.
    pub(crate) fn value(&self, name: &str) -> Option<&OsString> {
        let mut given = self.values.iter().filter(|(option, _)| *option == name);
        given.next_back().map(|(_, value)| value)
    }

    /// All values of an option, in order.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.values
            .iter()
            .filter(move |(option, _)| *option == name)
            .map(|(_, value)| value)
    }

    /// The flag was given, and not as `=false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self.value(name);
        value
            .is_some_and(|value| !matches!(value.as_bytes(), b"false" | b"FALSE" | b"False" | b"0"))
    }

    /// The number, which was checked when the option was read.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.to_str().and_then(auto_base)
    }

    /// The flag as it was given last; `None` if it was not given.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|_| self.flag(name))
    }

    /// The number, which was checked when the option was read.
    pub(crate) fn real(&self, name: &str) -> Option<f64> {
        self.value(name)?.to_str()?.parse().ok()
    }

    /// The value as text; bytes that are no text are replaced.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(self.value(name)?.to_string_lossy().into_owned())
    }
}

/// Takes a command line apart; `program` begins each message. The error is LLVM's text.
pub(crate) fn parse(
    program: &Program,
    specs: &[Spec],
    args: impl IntoIterator<Item = OsString>,
) -> Result<Parsed, String> {
    let name_of_program = &program.name;
    let mut parsed = Parsed::default();
    let mut errors = Vec::new();
    let mut args = expand(args.into_iter().collect(), 0).into_iter();
    let mut only_positional = false;
    let mut words = None;
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if only_positional || bytes.len() < 2 || bytes[0] != b'-' {
            match words {
                Some(option) => parsed.values.push((option, arg)),
                None => parsed.positional.push(arg),
            }
            continue;
        }
        if bytes == b"--" {
            only_positional = true;
            continue;
        }
        let body = bytes.strip_prefix(b"--").unwrap_or(&bytes[1..]);
        let equals = body.iter().position(|&byte| byte == b'=');
        let (name, glued) = match equals {
            Some(equals) => (
                &body[..equals],
                Some(OsString::from_vec(body[equals + 1..].to_vec())),
            ),
            None => (body, None),
        };
        let is_this = |known: &str| known.as_bytes() == name;
        let spec = specs
            .iter()
            .find(|spec| is_this(spec.name) || spec.alias.is_some_and(is_this));
        let Some(spec) = spec else {
            errors.push(unknown(program, specs, &arg.to_string_lossy()));
            continue;
        };
        if spec.takes == Takes::Words {
            words = Some(spec.name);
            continue;
        }
        let value = match (spec.takes, glued) {
            (Takes::Flag, glued) => glued.unwrap_or_default(),
            (_, Some(glued)) => glued,
            (_, None) => match args.next() {
                Some(next) => next,
                None => {
                    let typed = String::from_utf8_lossy(name).into_owned();
                    errors.push(format!(
                        "{name_of_program}: for the {} option: requires a value!",
                        dashed(&typed)
                    ));
                    continue;
                }
            },
        };
        match check(spec, &value) {
            Ok(()) => parsed.values.push((spec.name, value)),
            Err(problem) => {
                errors.push(format!(
                    "{name_of_program}: for the {} option: {problem}",
                    dashed(spec.name)
                ));
            }
        }
    }
    match errors.is_empty() {
        true => Ok(parsed),
        false => Err(errors.join("\n")),
    }
}

/// One letter has one dash, a word two.
fn dashed(name: &str) -> String {
    match name.len() {
        1 => format!("-{name}"),
        _ => format!("--{name}"),
    }
}

fn check(spec: &Spec, value: &OsString) -> Result<(), String> {
    let shown = value.to_string_lossy();
    match spec.takes {
        Takes::Text | Takes::Words => Ok(()),
        Takes::Real => match shown.parse::<f64>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!(
                "'{shown}' value invalid for floating point argument!"
            )),
        },
        Takes::Flag => match value.as_bytes() {
            b"" | b"true" | b"TRUE" | b"True" | b"1" | b"false" | b"FALSE" | b"False" | b"0" => {
                Ok(())
            }
            _ => Err(format!(
                "'{shown}' is invalid value for boolean argument! Try 0 or 1"
            )),
        },
        Takes::Number => match auto_base(&shown).filter(|number| *number <= u64::from(u32::MAX)) {
            Some(_) => Ok(()),
            None => Err(format!("'{shown}' value invalid for uint argument!")),
        },
        Takes::OneOf(words) => match words.contains(&shown.as_ref()) {
            true => Ok(()),
            false => Err(format!("Cannot find option named '{shown}'!")),
        },
    }
}

/// Decimal, `0x`, `0b`, `0o` or octal with a leading 0.
fn auto_base(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', b'o', ..] => (&text[2..], 8),
        [b'0', b'0'..=b'9', ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    match digits.starts_with(['+', '-']) {
        true => None,
        false => u64::from_str_radix(digits, radix).ok(),
    }
}

fn unknown(program: &Program, specs: &[Spec], arg: &str) -> String {
    let Program {
        name: tool,
        invoked,
    } = program;
    let mut message = String::new();
    let body = arg.trim_start_matches('-');
    // LLVM first tries to read a one-letter option with more letters glued to it.
    let letter = &body[..body.chars().next().map_or(0, char::len_utf8)];
    let is_letter = specs
        .iter()
        .any(|spec| spec.alias == Some(letter) || spec.name == letter);
    if is_letter && body.len() > letter.len() {
        message += &format!("{tool}: for the -{letter} option: may not occur within a group!\n");
    }
    message += &format!("{tool}: Unknown command line argument '{arg}'.  Try: '{invoked} --help'");
    let name = body.split('=').next().unwrap_or(body);
    if let Some(nearest) = nearest(specs, name) {
        let value = body.strip_prefix(name).unwrap_or_default();
        message += &format!("\n{tool}: Did you mean '{}{value}'?", dashed(nearest));
    }
    message
}

/// The known name with the fewest letters changed, in alphabetical order.
fn nearest(specs: &[Spec], name: &str) -> Option<&'static str> {
    let names = specs
        .iter()
        .flat_map(|spec| [Some(spec.name), spec.alias])
        .flatten();
    names.min_by_key(|known| (distance(known.as_bytes(), name.as_bytes()), *known))
}

/// How many letters have to be inserted, removed or replaced (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Replaces `@FILE` by the words in the file, as a shell would split them. A file that cannot be
/// read is an ordinary argument.
fn expand(args: Vec<OsString>, depth: u32) -> Vec<OsString> {
    let mut expanded = Vec::with_capacity(args.len());
    for arg in args {
        let file = arg
            .as_bytes()
            .strip_prefix(b"@")
            .filter(|_| depth < MAX_RESPONSE_DEPTH);
        let path = file.map(|name| OsString::from_vec(name.to_vec()));
        match path.and_then(|path| std::fs::read(path).ok()) {
            Some(text) => expanded.extend(expand(words(&text), depth + 1)),
            None => expanded.push(arg),
        }
    }
    expanded
}

/// GNU's rules: blanks separate, quotes group, a backslash takes the next byte as it is.
fn words(text: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => word.get_or_insert_default().extend(bytes.next()),
            (_, Some(open)) if byte == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(byte),
            (b'"' | b'\'', None) => {
                word.get_or_insert_default();
                quote = Some(byte);
            }
            (_, None) if byte.is_ascii_whitespace() => {
                words.extend(word.take().map(OsString::from_vec));
            }
            (_, None) => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Spec] = &[
        Spec::new("output", Takes::Text).or("o"),
        Spec::new("sparse", Takes::Flag),
        Spec::new("num-threads", Takes::Number).or("j"),
        Spec::new("failure-mode", Takes::OneOf(&["any", "all"])),
        Spec::new("sources", Takes::Words),
        Spec::new("least", Takes::Real),
    ];

    fn parse(line: &str) -> Result<Parsed, String> {
        super::parse(
            &Program::new("tool".as_ref()),
            SPECS,
            line.split(' ').map(OsString::from),
        )
    }

    #[test]
    fn spellings() {
        let lines = [
            "-o x -sparse in",
            "--o=x --sparse=1 in",
            "--output x in -sparse=true",
            "-output=x -sparse -- in",
        ];
        for line in lines {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.text("output").as_deref(), Some("x"), "{line}");
            assert!(parsed.flag("sparse"), "{line}");
            assert_eq!(parsed.positional, ["in"], "{line}");
        }
        assert!(!parse("-sparse -sparse=false").unwrap().flag("sparse"));
        assert_eq!(parse("-j 0x10 -").unwrap().number("num-threads"), Some(16));
    }

    #[test]
    fn words_after_an_option_are_its_own() {
        let parsed = parse("in -sources a b --sparse c --least 1.5").unwrap();
        assert_eq!(parsed.positional, ["in"]);
        assert!(parsed.values("sources").eq(["a", "b", "c"]));
        assert_eq!(parsed.real("least"), Some(1.5));
        assert_eq!(
            (parsed.switch("sparse"), parsed.switch("output")),
            (Some(true), None)
        );
    }

    /// What llvm-profdata-22 says.
    #[test]
    fn mistakes() {
        let table = [
            (
                "-j4",
                "tool: for the -j option: may not occur within a group!\ntool: Unknown command line argument '-j4'.  Try: 'tool --help'\ntool: Did you mean '-j'?",
            ),
            ("-o", "tool: for the -o option: requires a value!"),
            (
                "-sparse=maybe",
                "tool: for the --sparse option: 'maybe' is invalid value for boolean argument! Try 0 or 1",
            ),
            (
                "-failure-mode=zzz",
                "tool: for the --failure-mode option: Cannot find option named 'zzz'!",
            ),
            (
                "-j x",
                "tool: for the --num-threads option: 'x' value invalid for uint argument!",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line).unwrap_err(), expected);
        }
    }

    #[test]
    fn response_files_are_split_like_a_shell_would() {
        let text = b"one 'two words' \"th\\\"ree\" \\ four\n\t'' end";
        assert_eq!(
            words(text),
            ["one", "two words", "th\"ree", " four", "", "end"]
        );
    }
}
