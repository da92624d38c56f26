//! Text to blocks.

use memchr::memrchr;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::MAX_NAME;
use crate::meta::Unit;
use crate::mode::Mode;

/// A text profile, decoded. Nothing is added up yet: a block may be there many times.
#[derive(Clone, Debug, PartialEq)]
pub struct TextProfile<'a> {
    /// What the counts mean: of several mode lines, the one that counts most exactly.
    pub mode: Mode,
    /// The blocks, in the order of the lines.
    pub blocks: Vec<TextBlock<'a>>,
    /// Mode lines do not agree: profiles were put together that do not go together.
    pub modes_differ: bool,
}

/// A line of a text profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextBlock<'a> {
    /// The import path and the base name of the file.
    pub file: &'a [u8],
    /// Where it is, and how many statements it has.
    pub unit: Unit,
    /// How often it ran.
    pub count: u64,
}

impl<'a> TextProfile<'a> {
    /// Reads a text profile. Empty lines and further mode lines are taken, as they come when files
    /// are joined; so are lines that end in a carriage return.
    ///
    /// # Errors
    /// If there is no mode line at the start, or a line is none of a profile.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut mode = None;
        let mut modes_differ = false;
        let mut blocks = Vec::new();
        let mut offset = 0u64;
        for line in bytes.split(|&byte| byte == b'\n') {
            let at = offset;
            offset += line.len() as u64 + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            if let Some(word) = line.strip_prefix(b"mode: ") {
                let found = of_word(word);
                // Any word but `set` counts, in Go's eyes; but only where a profile begins.
                if found.is_none() && mode.is_none() && word.is_empty() {
                    return Err(not(at, "a mode line", line));
                }
                let found = found.unwrap_or(Mode::Count);
                modes_differ |= mode.is_some_and(|mode| mode != found);
                mode = mode.max(Some(found));
            } else if mode.is_none() {
                return Err(not(at, "a mode line", line));
            } else {
                let expected = "FILE:LINE.COL,LINE.COL STATEMENTS COUNT";
                let block = block(line).ok_or_else(|| not(at, expected, line))?;
                if block.file.len() > MAX_NAME {
                    let found = block.file.len();
                    return Err(Error::too_long("file name", at, MAX_NAME, found));
                }
                blocks.push(block);
            }
        }
        let Some(mode) = mode else {
            let expected = "a mode line";
            return Err(Error::new(ErrorKind::Empty, "file", None, expected, "none"));
        };
        Ok(Self {
            mode,
            blocks,
            modes_differ,
        })
    }
}

fn of_word(word: &[u8]) -> Option<Mode> {
    let modes = [Mode::Set, Mode::Count, Mode::Atomic];
    modes
        .into_iter()
        .find(|mode| mode.word().as_bytes() == word)
}

#[cold]
fn not(at: u64, expected: &str, line: &[u8]) -> Error {
    const SHOWN: usize = 60;
    let shown = line.get(..SHOWN).unwrap_or(line);
    let more = if line.len() > SHOWN { "…" } else { "" };
    let found = format_args!("`{}{more}`", shown.escape_ascii());
    Error::malformed("line", at, expected, found)
}

/// From the right: a file's name may hold any of what separates the fields.
fn block(line: &[u8]) -> Option<TextBlock<'_>> {
    let (rest, count) = split(line, b' ')?;
    let (rest, statements) = split(rest, b' ')?;
    let (rest, end_column) = split(rest, b'.')?;
    let (rest, end_line) = split(rest, b',')?;
    let (rest, start_column) = split(rest, b'.')?;
    let (file, start_line) = split(rest, b':')?;
    let small = |digits| number(digits).and_then(|number| u32::try_from(number).ok());
    (!file.is_empty()).then_some(TextBlock {
        file,
        unit: Unit {
            start_line: small(start_line)?,
            start_column: small(start_column)?,
            end_line: small(end_line)?,
            end_column: small(end_column)?,
            statements: small(statements)?,
        },
        count: number(count)?,
    })
}

fn split(line: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memrchr(separator, line)?;
    Some((&line[..at], &line[at + 1..]))
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use bincover_testkit::mutate;

    use super::*;

    const PROFILE: &str = "mode: count\nexample.com/m/a.go:1.13,3.2 2 7\nC:\\x, y.go:4.1,4.9 1 0\n";

    #[test]
    fn names_may_hold_anything() {
        let profile = TextProfile::parse(PROFILE.as_bytes()).unwrap();
        assert_eq!(profile.mode, Mode::Count);
        assert_eq!(profile.blocks[0].file, b"example.com/m/a.go");
        assert_eq!(profile.blocks[1].file, b"C:\\x, y.go");
        assert_eq!(profile.blocks[0].count, 7);
        assert_eq!(profile.blocks[0].unit.end_column, 2);
    }

    #[test]
    fn joined_files() {
        let text = "mode: set\r\na.go:1.1,1.2 1 1\r\n\r\nmode: atomic\na.go:1.1,1.2 1 18446744073709551615";
        let profile = TextProfile::parse(text.as_bytes()).unwrap();
        assert_eq!(profile.blocks.len(), 2);
        assert_eq!(profile.blocks[1].count, u64::MAX);
        assert!(profile.modes_differ && profile.mode == Mode::Atomic);
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = TextProfile::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn lines_that_are_none() {
        refused("", "file: expected a mode line, found none");
        refused(
            "a.go:1.1,1.2 1 1",
            "line: expected a mode line at offset 0x0, found `a.go:1.1,1.2 1 1`",
        );
        let expected =
            "line: expected FILE:LINE.COL,LINE.COL STATEMENTS COUNT at offset 0xa, found";
        for line in [
            "a.go:1.1,1.2 1 -1",
            "a.go:1.1,1.2 1",
            "a.go:1.1,99999999999.2 1 1",
            ":1.1,1.2 1 1",
        ] {
            refused(
                &format!("mode: set\n{line}"),
                &format!("{expected} `{line}`"),
            );
        }
        let long = "x".repeat(100);
        refused(
            &format!("mode: set\n{long}"),
            &format!("{expected} `{}…`", &long[..60]),
        );
    }

    #[test]
    fn cut_at_each_byte() {
        for end in 0..PROFILE.len() {
            let bytes = &PROFILE.as_bytes()[..end];
            if let Err(error) = TextProfile::parse(bytes) {
                assert!(error.offset().is_none_or(|at| at <= end as u64), "{error}");
            }
        }
        for flipped in mutate::flips(PROFILE.as_bytes()) {
            let _ = TextProfile::parse(&flipped);
        }
    }

    #[test]
    fn names_have_an_end() {
        let with = |bytes| format!("mode: set\n{}:1.1,1.2 1 1\n", "x".repeat(bytes));
        assert!(TextProfile::parse(with(MAX_NAME).as_bytes()).is_ok());
        refused(
            &with(MAX_NAME + 1),
            "file name: expected no more than 4096 bytes at offset 0xa, found 4097",
        );
    }
}
