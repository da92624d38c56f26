//! Reads text line by line (LLVM: `TextInstrProfReader`).

use crate::error::{Error, ErrorKind, Result};
use crate::kind::ProfileKind;
use crate::names::NameRef;
use crate::profile::FunctionHash;
use crate::traces::Trace;
use crate::values::{VALUE_KINDS, ValueCount, Values};

/// What stands for a call target that is not in the profile.
pub(super) const EXTERNAL: &[u8] = b"** External Symbol **";

/// The lines that start with a colon, before the first record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextHeader {
    /// What the counters mean.
    pub kind: ProfileKind,
    /// Temporal traces.
    pub traces: Vec<Trace>,
    /// How many traces there were before a reservoir was drawn from them.
    pub trace_stream_size: u64,
}

/// One function's record; `counts` and `bitmap` are kept from one to the next by the reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextRecord<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The function's hash.
    pub hash: FunctionHash,
    /// Its counts.
    pub counts: Vec<u64>,
    /// Its MC/DC bitmap; `None` if the record says nothing of one.
    pub bitmap: Option<Vec<u8>>,
    /// The names of the vtables among its values.
    pub vtables: Vec<&'a [u8]>,
}

/// A text profile, its header read.
#[derive(Clone, Debug)]
pub struct TextProfile<'a> {
    header: TextHeader,
    lines: Lines<'a>,
}

/// Lines that are neither empty nor comments, each with its offset.
#[derive(Clone, Debug)]
struct Lines<'a> {
    rest: &'a [u8],
    offset: u64,
    current: Option<(u64, &'a [u8])>,
}

impl<'a> Lines<'a> {
    /// LLVM takes a zero byte for the end of the text.
    fn new(text: &'a [u8]) -> Self {
        let end = text.iter().position(|&byte| byte == 0);
        let text = &text[..end.unwrap_or(text.len())];
        let mut lines = Self {
            rest: text,
            offset: 0,
            current: None,
        };
        lines.advance();
        lines
    }

    fn advance(&mut self) {
        self.current = None;
        while !self.rest.is_empty() {
            let start = self.offset;
            let end = self.rest.iter().position(|&byte| byte == b'\n');
            let (line, taken) = match end {
                Some(end) => (&self.rest[..end], end + 1),
                None => (self.rest, self.rest.len()),
            };
            self.rest = &self.rest[taken..];
            self.offset += taken as u64;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() && !line.starts_with(b"#") {
                self.current = Some((start, line));
                return;
            }
        }
    }

    fn peek(&self) -> Option<&'a [u8]> {
        self.current.map(|(_, line)| line)
    }

    /// The current line, which is then passed.
    fn next(&mut self, what: &'static str) -> Result<(u64, &'a [u8])> {
        let Some(line) = self.current else {
            return Err(Error::new(
                ErrorKind::Truncated,
                what,
                self.offset,
                "another line",
                "the end of the file",
            ));
        };
        self.advance();
        Ok(line)
    }
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Ten,
    /// `0x`, `0b`, `0o`, or a leading 0 for octal.
    Auto,
}

/// LLVM: `StringRef::getAsInteger` for unsigned numbers.
fn number(text: &[u8], base: Base) -> Option<u64> {
    let (digits, radix) = match (base, text) {
        (Base::Auto, [b'0', b'x' | b'X', digits @ ..]) => (digits, 16),
        (Base::Auto, [b'0', b'b' | b'B', digits @ ..]) => (digits, 2),
        (Base::Auto, [b'0', b'o', digits @ ..]) => (digits, 8),
        (Base::Auto, [b'0', digits @ ..]) if digits.first().is_some_and(u8::is_ascii_digit) => {
            (digits, 8)
        }
        _ => (text, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.first()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

impl<'a> TextProfile<'a> {
    /// Reads the header of a text profile.
    ///
    /// # Errors
    /// If a header line is not known, or the temporal traces are malformed.
    pub fn parse(text: &'a [u8]) -> Result<Self> {
        let mut profile = Self {
            header: TextHeader::default(),
            lines: Lines::new(text),
        };
        while let Some(keyword) = profile
            .lines
            .peek()
            .and_then(|line| line.strip_prefix(b":"))
        {
            let (offset, _) = profile.lines.next("header")?;
            profile.header_line(keyword, offset)?;
        }
        Ok(profile)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &TextHeader {
        &self.header
    }

    fn header_line(&mut self, keyword: &[u8], offset: u64) -> Result<()> {
        let kind = self.header.kind;
        self.header.kind = match keyword.to_ascii_lowercase().as_slice() {
            b"ir" => kind.with(ProfileKind::IR),
            b"fe" => kind.with(ProfileKind::FRONT_END),
            b"csir" => kind
                .with(ProfileKind::IR)
                .with(ProfileKind::CONTEXT_SENSITIVE),
            b"entry_first" => kind.with(ProfileKind::ENTRY_FIRST),
            b"not_entry_first" => kind.without(ProfileKind::ENTRY_FIRST),
            b"instrument_loop_entries" => kind.with(ProfileKind::LOOP_ENTRIES),
            b"single_byte_coverage" => kind.with(ProfileKind::BYTE_COVERAGE),
            b"temporal_prof_traces" => {
                self.traces().map_err(|error| match error.kind() {
                    ErrorKind::Truncated => error.reclassify(ErrorKind::EndOfFile),
                    _ => error,
                })?;
                kind.with(ProfileKind::TEMPORAL)
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::BadHeader,
                    "header line",
                    offset,
                    "a keyword such as `:ir`",
                    format_args!("`:{}`", keyword.escape_ascii()),
                ));
            }
        };
        Ok(())
    }

    fn traces(&mut self) -> Result<()> {
        let (offset, count) = self.number("number of traces", Base::Auto, "")?;
        if count > u64::from(u32::MAX) {
            return Err(Error::malformed(
                "number of traces",
                offset,
                "32 bits",
                count,
            ));
        }
        let (_, stream_size) = self.number("trace stream size", Base::Auto, "")?;
        for _ in 0..count {
            let (_, weight) = self.number("trace weight", Base::Auto, "")?;
            let (_, names) = self.lines.next("trace")?;
            let functions = names
                .split(|&byte| byte == b',')
                .filter(|name| !name.is_empty())
                .map(|name| NameRef::of(name.trim_ascii()))
                .collect();
            self.header.traces.push(Trace { weight, functions });
        }
        self.header.trace_stream_size = stream_size;
        Ok(())
    }

    /// Reads the next line as a number; `detail` is LLVM's text if it is none.
    fn number(
        &mut self,
        what: &'static str,
        base: Base,
        detail: &'static str,
    ) -> Result<(u64, u64)> {
        let (offset, line) = self.lines.next(what)?;
        match number(line, base) {
            Some(value) => Ok((offset, value)),
            None => Err(not_a_number(what, offset, line, detail)),
        }
    }

    /// Reads the next record and its value sites; `None` at the end.
    ///
    /// # Errors
    /// If a line is not what it should be, or the text ends inside a record.
    pub fn next_record(&mut self, values: &mut Values) -> Result<Option<TextRecord<'a>>> {
        let Some(name) = self.lines.peek() else {
            return Ok(None);
        };
        self.lines.advance();
        values.clear();
        let detail = "function hash is not a valid integer";
        let (_, hash) = self.number("function hash", Base::Auto, detail)?;
        let detail = "number of counters is not a valid integer";
        let (offset, count) = self.number("number of counters", Base::Ten, detail)?;
        if count == 0 {
            return Err(
                Error::malformed("number of counters", offset, "at least 1", 0)
                    .with_detail("number of counters is zero"),
            );
        }
        let mut counts = Vec::new();
        for _ in 0..count {
            counts.push(self.number("count", Base::Ten, "count is invalid")?.1);
        }
        let bitmap = self.bitmap()?;
        let mut vtables = Vec::new();
        self.values(values, &mut vtables)?;
        Ok(Some(TextRecord {
            vtables,
            name,
            hash: FunctionHash(hash),
            counts,
            bitmap,
        }))
    }

    fn bitmap(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(size) = self.lines.peek().and_then(|line| line.strip_prefix(b"$")) else {
            return Ok(None);
        };
        let what = "number of bitmap bytes";
        let (offset, line) = self.lines.next(what)?;
        let Some(size) = number(size.trim_ascii(), Base::Auto) else {
            let detail = "number of bitmap bytes is not a valid integer";
            return Err(not_a_number(what, offset, line, detail));
        };
        let mut bitmap = Vec::new();
        for _ in 0..size {
            let what = "bitmap byte";
            let (offset, line) = self.lines.next(what)?;
            let byte = number(line, Base::Auto).and_then(|byte| u8::try_from(byte).ok());
            match byte {
                Some(byte) => bitmap.push(byte),
                None => {
                    let detail = "bitmap byte is not a valid integer";
                    return Err(not_a_number(what, offset, line, detail));
                }
            }
        }
        Ok(Some(bitmap))
    }

    /// Value data is there if the next line is a number: so a function whose name is one is
    /// misread, here as in LLVM.
    fn values(&mut self, values: &mut Values, vtables: &mut Vec<&'a [u8]>) -> Result<()> {
        let Some((offset, line)) = self.lines.current else {
            return Ok(());
        };
        let Some(kinds) = number(line, Base::Ten).filter(|kinds| *kinds <= u64::from(u32::MAX))
        else {
            return Ok(());
        };
        if kinds == 0 || kinds > VALUE_KINDS as u64 {
            return Err(
                Error::malformed("number of value kinds", offset, "1 to 3", kinds)
                    .with_detail("number of value kinds is invalid"),
            );
        }
        self.lines.advance();
        for _ in 0..kinds {
            let (offset, kind) = self.number("value kind", Base::Ten, "")?;
            if kind >= VALUE_KINDS as u64 {
                return Err(Error::malformed("value kind", offset, "0, 1 or 2", kind)
                    .with_detail("value kind is invalid"));
            }
            let (_, sites) = self.number("number of value sites", Base::Ten, "")?;
            for _ in 0..sites {
                let (_, count) = self.number("number of values", Base::Ten, "")?;
                let mut site = Vec::new();
                for _ in 0..count {
                    site.push(self.value(kind, vtables)?);
                }
                // Less than 3, as checked.
                values
                    .kind_mut(usize::try_from(kind).unwrap_or(0))
                    .push(site);
            }
        }
        Ok(())
    }

    /// `TARGET:COUNT`, split at the last colon.
    fn value(&mut self, kind: u64, vtables: &mut Vec<&'a [u8]>) -> Result<ValueCount> {
        let what = "value";
        let (offset, line) = self.lines.next(what)?;
        let malformed = || not_a_number(what, offset, line, "");
        let colon = line
            .iter()
            .rposition(|&byte| byte == b':')
            .ok_or_else(malformed)?;
        let (target, count) = (&line[..colon], &line[colon + 1..]);
        let value = match kind {
            1 => number(target, Base::Ten).ok_or_else(malformed)?,
            _ if target == EXTERNAL => 0,
            _ if target.is_empty() => {
                let error = Error::malformed(what, offset, "a symbol name", "an empty one");
                return Err(error.with_detail("symbol name is empty"));
            }
            _ => {
                vtables.extend((kind == 2).then_some(target));
                NameRef::of(target).0
            }
        };
        let count = number(count, Base::Ten).ok_or_else(malformed)?;
        Ok(ValueCount { value, count })
    }
}

#[cold]
fn not_a_number(what: &'static str, offset: u64, line: &[u8], detail: &'static str) -> Error {
    const SHOWN: usize = 40;
    let shown = line[..line.len().min(SHOWN)].escape_ascii();
    Error::malformed(what, offset, "a number", format_args!("`{shown}`")).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let auto = |text: &str| number(text.as_bytes(), Base::Auto);
        assert_eq!(auto("0x1F"), Some(31));
        assert_eq!(auto("0b101"), Some(5));
        assert_eq!(auto("0o17"), Some(15));
        assert_eq!(auto("017"), Some(15));
        assert_eq!(auto("0"), Some(0));
        assert_eq!(auto("18446744073709551615"), Some(u64::MAX));
        for wrong in [
            "",
            "+1",
            "-1",
            " 1",
            "1 ",
            "0x",
            "18446744073709551616",
            "09",
        ] {
            assert_eq!(auto(wrong), None, "{wrong:?}");
        }
        assert_eq!(number(b"0x1F", Base::Ten), None);
        assert_eq!(number(b"010", Base::Ten), Some(10));
    }

    #[test]
    fn a_record_with_everything() {
        let text = b":IR\r\n# a comment\r\n\r\nmain\n0x10\n2\n5\n6\n$2\n0xff\n3\n2\n0\n1\n2\nfoo:3\n** External Symbol **:4\n1\n0\nnext\n1\n1\n9";
        let mut profile = TextProfile::parse(text).unwrap();
        assert!(profile.header().kind.contains(ProfileKind::IR));
        let mut values = Values::default();
        let record = profile.next_record(&mut values).unwrap().unwrap();
        assert_eq!((record.name, record.hash.0), (&b"main"[..], 16));
        assert_eq!(record.counts, [5, 6]);
        assert_eq!(record.bitmap, Some(vec![255, 3]));
        let site = values.kind(0).iter().next().unwrap();
        assert_eq!(site[0].value, NameRef::of(b"foo").0);
        assert_eq!((site[1].value, site[1].count), (0, 4));
        assert!(values.kind(1).is_empty());
        let record = profile.next_record(&mut values).unwrap().unwrap();
        assert_eq!(
            (record.name, record.counts, record.bitmap),
            (&b"next"[..], vec![9], None)
        );
        assert_eq!(profile.next_record(&mut values).unwrap(), None);
    }

    #[test]
    fn errors_name_the_line() {
        let mut profile = TextProfile::parse(b"main\nabc\n").unwrap();
        let error = profile.next_record(&mut Values::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "function hash: expected a number at offset 0x5, found `abc`"
        );
        // Found by fuzzing: kept as a vtable's name, it made a profile that cannot be read.
        for kind in ["0", "2"] {
            let text = format!("main\n1\n1\n5\n1\n{kind}\n1\n1\n:3\n");
            let mut profile = TextProfile::parse(text.as_bytes()).unwrap();
            let error = profile.next_record(&mut Values::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "value: expected a symbol name at offset 0x13, found an empty one"
            );
        }
        let mut profile = TextProfile::parse(b"main\n1\n2\n3\n").unwrap();
        let error = profile.next_record(&mut Values::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
}
