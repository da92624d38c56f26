//! The lcov tracefile, after
//! [geninfo(1)](https://github.com/linux-test-project/lcov/blob/v2.5/docs/man/geninfo.rst): what llvm-cov,
//! geninfo (1.16 and 2.5 were tested), gcovr, grcov, c8 and most others write.
//!
//! - Counts are whole numbers from 0; a negative one, as old versions of gcc made them, is an error.
//!   Sums of more than 64 bits, which lcov writes as floating point (`3.68934881474191e+19`), are cut to the most.
//! - Two records of one file add up, as do two lines of one number.
//! - A record's own totals (`LF`, `FNF`, `BRF` and so on) hold for it, since LLVM counts otherwise
//!   than by the lines that are listed, unless another record of the file is added.
//! - `VER`, checksums of lines, marks of exceptions (`e`) and of falling through (`f`) and the `MCDC`
//!   lines are passed over, as are fields that are not known; of MC/DC the totals stay.
//! - Branches that are marked as unreachable (`U`) were left out by lcov: they are in no total of its own, and
//!   are not there.
//! - A function's last line, where it is before its first or beyond all limits, is not known.
//! - A function on line 0, which stands for none, or before it (`-1`), is nowhere.
//! - gcovr 7.2 may write `None` for a branch's block ([its issue 973](https://github.com/gcovr/gcovr/issues/973)), where
//!   later versions write 0.
//! - Functions with aliases (`FNL`, `FNA`) are one for each alias; those of one line count as one.

use std::collections::{HashMap, HashSet};

use bincover_model::{Coverage, Position, Summary, Tally};
use bstr::{BStr, ByteSlice};

use crate::error::{Error, ErrorKind, Result, shown};
use crate::gathered::{Files, Gathered, Named};
use crate::kind::MARK;
use crate::limits::{MAX_FILE_NAME, MAX_FUNCTION_NAME, MAX_LINE, MAX_LINES};

/// Reads a tracefile.
///
/// # Errors
/// If a line is none of a tracefile, or the file ends within a record.
pub fn read(bytes: &[u8]) -> Result<Coverage> {
    let mut reader = Reader {
        bytes,
        at: 0,
        files: Files::default(),
        last_lines: 0,
    };
    let mut record: Option<Record<'_>> = None;
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let mut next = bytes.len() - text.len();
    while next < bytes.len() {
        reader.at = next;
        let rest = &bytes[next..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        next += end + 1;
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            continue;
        }
        if line.trim_ascii_end() == b"end_of_record" {
            match record.take() {
                Some(record) => reader.finish(record)?,
                None => return Err(reader.wrong("record", "SF: before it", line)),
            }
            continue;
        }
        let colon = memchr::memchr(b':', line).filter(|colon| is_field(&line[..*colon]));
        let Some(colon) = colon else {
            return Err(reader.wrong("line", "a field such as DA: or end_of_record", line));
        };
        let (field, value) = (&line[..colon], &line[colon + 1..]);
        match (field, &mut record) {
            (b"TN", _) => {}
            (b"SF", None) => {
                reader.fits("file name", value, MAX_FILE_NAME)?;
                record = Some(Record::new(value.as_bstr()));
            }
            (b"SF", Some(_)) => return Err(reader.wrong("record", "end_of_record", line)),
            (_, Some(record)) => reader.field(field, value, record)?,
            (_, None) => return Err(reader.wrong("record", "SF: first", line)),
        }
    }
    if record.is_some() {
        return Err(Error::new(
            ErrorKind::Truncated,
            "record",
            bytes,
            bytes.len(),
            "end_of_record",
            "the end of the file",
        ));
    }
    Ok(reader.files.into_coverage())
}

fn is_field(name: &[u8]) -> bool {
    (1..=8).contains(&name.len()) && name.iter().all(u8::is_ascii_uppercase)
}

/// A function as its lines say it, one after another.
struct Function<'b> {
    line: u32,
    last_line: Option<u32>,
    name: &'b BStr,
    /// All after the line: a name may begin with a number and a comma, too.
    whole: &'b BStr,
    count: Option<u64>,
    /// It is one of an `FNL`.
    is_alias: bool,
}

/// What stands between `SF` and `end_of_record`.
struct Record<'b> {
    file: &'b BStr,
    lines: Vec<(u32, u64)>,
    functions: Vec<Function<'b>>,
    /// `FNDA` lines, and where they are.
    counts: Vec<(&'b BStr, u64, usize)>,
    /// First and last lines of `FNL`, by index.
    leaders: HashMap<u64, (u32, Option<u32>)>,
    outcomes: Vec<((u32, u32, u32), Option<u64>)>,
    /// For branches whose outcomes have words for numbers.
    words: HashMap<(u32, u32, &'b [u8]), u32>,
    found: [Option<u64>; 4],
    hit: [Option<u64>; 4],
    last_line: u32,
}

impl<'b> Record<'b> {
    fn new(file: &'b BStr) -> Self {
        Self {
            file,
            lines: Vec::new(),
            functions: Vec::new(),
            counts: Vec::new(),
            leaders: HashMap::new(),
            outcomes: Vec::new(),
            words: HashMap::new(),
            found: [None; 4],
            hit: [None; 4],
            last_line: 0,
        }
    }
}

/// Totals, in the order of `Record::found`.
const TOTALS: [(&[u8], &[u8]); 4] = [
    (b"LF", b"LH"),
    (b"FNF", b"FNH"),
    (b"BRF", b"BRH"),
    (b"MCF", b"MCH"),
];

struct Reader<'b> {
    bytes: &'b [u8],
    /// Where the line begins that is being read.
    at: usize,
    files: Files,
    /// The last lines of all records.
    last_lines: u64,
}

impl<'b> Reader<'b> {
    #[cold]
    fn wrong(&self, what: &'static str, expected: &str, found: &[u8]) -> Error {
        let kind = ErrorKind::Malformed;
        Error::new(kind, what, self.bytes, self.at, expected, shown(found))
    }

    fn fits(&self, what: &'static str, name: &[u8], most: usize) -> Result<()> {
        match name.len() {
            found if found > most => Err(Error::too_long(what, self.bytes, self.at, most, found)),
            _ => Ok(()),
        }
    }

    fn field(&self, field: &[u8], value: &'b [u8], record: &mut Record<'b>) -> Result<()> {
        match field {
            b"DA" => {
                let (line, rest) = self.split(value, "DA")?;
                // What follows is a checksum.
                let count = rest.split(|&byte| byte == b',').next().unwrap_or_default();
                let line = self.line(line, record)?;
                record.lines.push((line, self.count(count)?));
            }
            b"FN" => {
                let (line, rest) = self.split(value, "FN")?;
                let line = match line.strip_prefix(b"-").and_then(parsed) {
                    Some(_) => 0,
                    None => self.line(line, record)?,
                };
                self.fits("function name", rest, MAX_FUNCTION_NAME)?;
                let (end, name) = end_and_name(rest);
                let last_line = last_line(line, end, record);
                record.functions.push(Function {
                    line,
                    last_line,
                    name: name.as_bstr(),
                    whole: rest.as_bstr(),
                    count: None,
                    is_alias: false,
                });
            }
            b"FNDA" => {
                let (count, name) = self.split(value, "FNDA")?;
                let count = self.count(count)?;
                self.fits("function name", name, MAX_FUNCTION_NAME)?;
                record.counts.push((name.as_bstr(), count, self.at));
            }
            b"FNL" => {
                let (index, rest) = self.split(value, "FNL")?;
                let mut lines = rest.split(|&byte| byte == b',');
                let line = self.line(lines.next().unwrap_or_default(), record)?;
                let end = last_line(line, lines.next(), record);
                record.leaders.insert(self.whole(index)?, (line, end));
            }
            b"FNA" => {
                let (index, rest) = self.split(value, "FNA")?;
                let (count, name) = self.split(rest, "FNA")?;
                self.fits("function name", name, MAX_FUNCTION_NAME)?;
                let leader = record.leaders.get(&self.whole(index)?);
                let (line, last_line) = *leader
                    .ok_or_else(|| self.wrong("FNA", "the index of an FNL before it", index))?;
                record.functions.push(Function {
                    line,
                    last_line,
                    name: name.as_bstr(),
                    whole: name.as_bstr(),
                    count: Some(self.count(count)?),
                    is_alias: true,
                });
            }
            b"BRDA" => self.branch(value, record)?,
            _ => {
                for (index, (found, hit)) in TOTALS.iter().enumerate() {
                    if field == *found {
                        record.found[index] = Some(self.whole(value)?);
                    } else if field == *hit {
                        record.hit[index] = Some(self.whole(value)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Line, block, number and count of an outcome.
    fn branch(&self, value: &'b [u8], record: &mut Record<'b>) -> Result<()> {
        let (line, rest) = self.split(value, "BRDA")?;
        let (block, rest) = self.split(rest, "BRDA")?;
        // The number may be an expression, with commas in it.
        let comma = memchr::memrchr(b',', rest)
            .ok_or_else(|| self.wrong("BRDA", "four values with commas between them", value))?;
        let (number, count) = (&rest[..comma], &rest[comma + 1..]);
        let line = self.line(line, record)?;
        let marked = block.strip_prefix(b"e").or(block.strip_prefix(b"f"));
        let block = marked.unwrap_or(block);
        let unreachable = block.strip_prefix(b"U");
        let block = match unreachable.unwrap_or(block) {
            b"None" => 0,
            block => self.small(block)?,
        };
        let count = match count {
            b"-" => None,
            count => Some(self.count(count)?),
        };
        if unreachable.is_some() {
            return Ok(());
        }
        let number = match parsed(number).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => number,
            None => {
                let next = u32::try_from(record.words.len()).unwrap_or(u32::MAX);
                *record.words.entry((line, block, number)).or_insert(next)
            }
        };
        record.outcomes.push(((line, block, number), count));
        Ok(())
    }

    /// At the first comma.
    fn split(&self, value: &'b [u8], what: &'static str) -> Result<(&'b [u8], &'b [u8])> {
        let comma = memchr::memchr(b',', value)
            .ok_or_else(|| self.wrong(what, "values with commas between them", value))?;
        Ok((&value[..comma], &value[comma + 1..]))
    }

    /// How often something was executed.
    fn count(&self, text: &[u8]) -> Result<u64> {
        let count = parsed(text).or_else(|| of_floating_point(text));
        count.ok_or_else(|| self.not_whole(text))
    }

    fn whole(&self, text: &[u8]) -> Result<u64> {
        parsed(text).ok_or_else(|| self.not_whole(text))
    }

    #[cold]
    fn not_whole(&self, text: &[u8]) -> Error {
        self.wrong("count", "a whole number from 0 to 2^64 - 1", text)
    }

    fn small(&self, text: &[u8]) -> Result<u32> {
        let number = parsed(text).and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.wrong("number", "a whole number from 0 to 2^32 - 1", text))
    }

    fn line(&self, text: &[u8], record: &mut Record<'_>) -> Result<u32> {
        let number = self.whole(text)?;
        let line = u32::try_from(number).ok();
        let line = line.filter(|line| (0..=MAX_LINE).contains(line));
        let line = line.ok_or_else(|| {
            let expected = format_args!("0 to {MAX_LINE}");
            let kind = ErrorKind::TooLarge;
            Error::new(kind, "line number", self.bytes, self.at, expected, number)
        })?;
        record.last_line = record.last_line.max(line);
        Ok(line)
    }

    fn finish(&mut self, mut record: Record<'b>) -> Result<()> {
        self.last_lines += u64::from(record.last_line);
        if self.last_lines > MAX_LINES {
            let expected = format_args!("no more than {MAX_LINES} in all files");
            let (kind, found) = (ErrorKind::TooLarge, self.last_lines);
            let what = "last lines";
            return Err(Error::new(kind, what, self.bytes, self.at, expected, found));
        }
        self.give_counts(&mut record)?;
        let summary = self.stated(&record)?;
        let file = self.files.file(record.file);
        file.begin_part();
        for (line, count) in record.lines {
            file.add_line(line, count);
        }
        add_functions(&record.functions, file);
        for (place, count) in record.outcomes {
            file.add_outcome(place, count);
        }
        if let Some(summary) = summary {
            file.state(summary);
        }
        Ok(())
    }

    /// The record's totals, if it has those of lines; what it does not say, it does not know.
    fn stated(&self, record: &Record<'_>) -> Result<Option<Summary>> {
        let mut tallies = [Tally::default(); 4];
        for ((tally, total), covered) in tallies.iter_mut().zip(record.found).zip(record.hit) {
            let (total, covered) = (total.unwrap_or(0), covered.unwrap_or(0));
            if covered > total {
                let expected = format!("no more than the {total} that were found");
                return Err(self.wrong("hits", &expected, covered.to_string().as_bytes()));
            }
            *tally = Tally { covered, total };
        }
        let listed = [
            record.lines.len(),
            record.functions.len(),
            record.outcomes.len(),
        ];
        let is_said = |(listed, found): (&usize, &Option<u64>)| *listed == 0 || found.is_some();
        let all = listed.iter().zip(&record.found).all(is_said) && record.found[0].is_some();
        let [lines, functions, branches, mcdc] = tallies;
        let executed = record.functions.iter();
        let executed = executed.filter(|one| one.count.is_some_and(|count| count > 0));
        let instantiations = Tally {
            covered: executed.count() as u64,
            total: record.functions.len() as u64,
        };
        Ok(all.then_some(Summary {
            lines,
            functions,
            instantiations,
            branches,
            mcdc,
            ..Summary::default()
        }))
    }

    /// Gives functions the counts of their names; several of one name in the order in which they
    /// stand.
    fn give_counts(&self, record: &mut Record<'b>) -> Result<()> {
        let mut waiting: HashMap<&BStr, Vec<usize>> = HashMap::new();
        let counted: HashSet<&BStr> = record.counts.iter().map(|(name, _, _)| *name).collect();
        for (index, one) in record.functions.iter_mut().enumerate().rev() {
            if !counted.contains(one.name) && counted.contains(one.whole) {
                one.name = one.whole;
                one.last_line = None;
            }
            if one.count.is_none() {
                waiting.entry(one.name).or_default().push(index);
            }
        }
        for (name, count, at) in &record.counts {
            let Some(indices) = waiting.get_mut(name) else {
                let kind = ErrorKind::Malformed;
                let expected = "the name of an FN in the same record";
                return Err(Error::new(
                    kind,
                    "FNDA",
                    self.bytes,
                    *at,
                    expected,
                    shown(name),
                ));
            };
            // The last takes what comes after it, too.
            let index = match indices.len() {
                1 => indices[0],
                _ => indices.pop().unwrap_or_default(),
            };
            let sum = &mut record.functions[index].count;
            *sum = Some(sum.unwrap_or(0).saturating_add(*count));
        }
        Ok(())
    }
}

/// The first functions of one line and name are those of the record before; what is there more
/// than once within a record is more than one.
fn add_functions(functions: &[Function<'_>], file: &mut Gathered) {
    let mut seen = HashSet::new();
    for one in functions {
        let named = Named {
            line: one.line,
            name: one.name.to_owned(),
            last_line: one.last_line,
            count: one.count.unwrap_or(0),
            group: one.is_alias.then_some(Position {
                line: one.line,
                column: 0,
            }),
        };
        match seen.insert((one.line, one.name)) {
            true => file.add_function(named),
            false => file.push_function(named),
        }
    }
}

/// A function's name, and the number of its last line that newer versions put before it.
fn end_and_name(rest: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(comma) = memchr::memchr(b',', rest) else {
        return (None, rest);
    };
    match comma > 0 && rest[..comma].iter().all(u8::is_ascii_digit) && comma + 1 < rest.len() {
        true => (Some(&rest[..comma]), &rest[comma + 1..]),
        false => (None, rest),
    }
}

/// Where a function that begins on this line ends.
fn last_line(line: u32, end: Option<&[u8]>, record: &mut Record<'_>) -> Option<u32> {
    let end = u32::try_from(parsed(end?)?).ok()?;
    let end = (line..=MAX_LINE).contains(&end).then_some(end)?;
    record.last_line = record.last_line.max(end);
    Some(end)
}

/// A whole number in digits alone.
fn parsed(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// A number with a point or an exponent, which lcov writes for sums of more than 64 bits.
fn of_floating_point(text: &[u8]) -> Option<u64> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+');
    let text = std::str::from_utf8(text).ok()?;
    let is_number =
        text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['.', 'e']);
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large is cut"
    )]
    (is_number && text.as_bytes().iter().all(is_part)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(inner: &str) -> String {
        format!("TN:\nSF:a.c\n{inner}end_of_record\n")
    }

    #[track_caller]
    fn fails(text: &str, line: u64, message: &str) {
        let error = read(text.as_bytes()).expect_err(text);
        assert_eq!(error.line(), line, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.offset() <= text.len() as u64);
    }

    #[test]
    fn newer_fields() {
        let text = record(
            "VER:2\nFN:3,9,f\nFN:4,add(int, int)\nFNDA:1,f\nFNDA:0,add(int, int)\nFNL:0,12,14\nFNA:0,5,g\n\
             DA:3,1,checksum==\nBRDA:3,e0,a == b, c,1\nBRDA:3,e0,else,-\nMCDC:3,2,t,1,0,a\nMCF:2\nMCH:1\n\
             # a comment\n\nLF:1\nLH:1\n",
        );
        let coverage = read(text.replace('\n', "\r\n").as_bytes()).expect("a tracefile");
        let functions = coverage.functions.iter();
        let functions: Vec<_> = functions
            .map(|one| {
                (
                    one.name.to_string(),
                    one.start().map(|start| start.line),
                    one.last_line,
                    one.count,
                )
            })
            .collect();
        let expected = [
            ("f", 3, Some(9), 1),
            ("add(int, int)", 4, None, 0),
            ("g", 12, Some(14), 5),
        ];
        let expected =
            expected.map(|(name, line, end, count)| (name.to_owned(), Some(line), end, count));
        assert_eq!(functions, expected);
        let outcomes: Vec<_> = coverage.files[0]
            .outcomes
            .iter()
            .map(|one| one.count)
            .collect();
        assert_eq!(outcomes, [Some(1), None]);
        // FNF and BRF are not said, so all is counted.
        assert_eq!(coverage.files[0].summary.branches.total, 2);
    }

    /// Of lcov 2.5: branches that are left out are marked, and not in `BRF`.
    #[test]
    fn marks_of_branches() {
        let text = record(
            "DA:3,1\nBRDA:3,f0,0,1\nBRDA:3,e0,1,2\nBRDA:3,eU0,2,3\nBRDA:3,fU0,3,4\nBRDA:3,U0,x > 1,-\n\
             BRDA:3,0,4,0\nBRF:3\nBRH:2\nLF:1\nLH:1\n",
        );
        let coverage = read(text.as_bytes()).expect("a tracefile");
        let file = &coverage.files[0];
        let outcomes = file.outcomes.iter().map(|one| (one.number, one.count));
        let expected = [(0, Some(1)), (1, Some(2)), (4, Some(0))];
        assert_eq!(outcomes.collect::<Vec<_>>(), expected);
        assert_eq!(file.summary.branches.total, 3);
        let text = record("BRDA:3,None,0,1\nBRDA:3,0,0,1\nBRDA:3,eNone,1,0\n");
        let coverage = read(text.as_bytes()).expect("a tracefile");
        let counts = coverage.files[0].outcomes.iter().map(|one| one.count);
        assert_eq!(counts.collect::<Vec<_>>(), [Some(2), Some(0)]);
        for mark in ["ef0", "Ue0", "g0", "U", "e"] {
            fails(&record(&format!("BRDA:3,{mark},0,1\n")), 3, "2^32 - 1");
        }
    }

    #[test]
    fn where_functions_end() {
        let far = MAX_LINE + 1;
        let ends = |inner: &str| -> Vec<Option<u32>> {
            let text = format!("{}{}", record(inner), record("FN:1,4,a\n"));
            let coverage = read(text.as_bytes()).expect("a tracefile");
            coverage.functions.iter().map(|one| one.last_line).collect()
        };
        assert_eq!(ends("FN:1,1,a\nFN:1,2,b\n"), [Some(4), Some(2)]);
        assert_eq!(ends("FN:1,a\nFN:1,9,a\n"), [Some(4), Some(9)]);
        // Before its first line, too far to be a line, and a name that begins with a number.
        let text = format!("FN:1,0,a\nFN:1,{far},b\nFN:1,{}9,c\nFN:1,7,d\n", u64::MAX);
        assert_eq!(ends(&text), [Some(4), None, None, Some(7)]);
        assert_eq!(ends("FN:1,7,d\nFNDA:1,7,d\n"), [None, Some(4)]);
        assert_eq!(ends("FNL:0,2\nFNA:0,1,e\n"), [None, Some(4)]);
        let nowhere = read(record("FN:-1,curried\nFNDA:3,curried\n").as_bytes());
        let function = &nowhere.expect("a tracefile").functions[0];
        assert_eq!((function.declared, function.count), (None, 3));
        fails(&record("FN:-,f\n"), 3, "found `-`");
    }

    #[test]
    fn functions_of_one_name_are_told_apart_by_their_order() {
        let text = record("FN:1,f\nFN:5,f\nFNDA:7,f\nFNDA:0,f\n");
        let coverage = read(text.as_bytes()).expect("a tracefile");
        let counts: Vec<u64> = coverage.functions.iter().map(|one| one.count).collect();
        assert_eq!(counts, [7, 0]);
    }

    #[test]
    fn bad_lines_are_named() {
        fails(
            &record("DA:1,-5\n"),
            3,
            "expected a whole number from 0 to 2^64 - 1 in line 3 (offset 0xb), found `-5`",
        );
        fails(&record("DA:1000000000,1\n"), 3, "expected 0 to 16777216");
        fails(&record("DA:1,18446744073709551616\n"), 3, "2^64 - 1");
        fails(&record("DA:1\n"), 3, "commas");
        fails(&record("LF:1\nLH:2\n"), 5, "no more than the 1");
        fails(&record("FNDA:1,f\n"), 3, "the name of an FN");
        fails(&record("BRDA:1,x,0,1\n"), 3, "found `x`");
        fails(&record("hello\n"), 3, "found `hello`");
        fails("SF:a\nSF:b\n", 2, "end_of_record");
        fails("TN:\nDA:1,1\n", 2, "SF: first");
        fails("end_of_record\n", 1, "SF: before it");
        let text = format!("SF:a\nDA:1,{}\u{1b}\n", "9".repeat(1 << 20));
        let error = read(text.as_bytes()).expect_err("too long");
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn every_cut_but_those_between_records_is_seen() {
        let text = record("FN:1,f\nFNDA:1,f\nDA:1,1\nBRDA:1,0,0,1\n");
        for end in 0..text.len() - 1 {
            let cut = &text.as_bytes()[..end];
            assert_eq!(
                read(cut).is_ok(),
                end <= 4 && matches!(end, 0 | 3 | 4),
                "{end}"
            );
        }
    }

    #[test]
    fn last_lines_have_a_limit_together() {
        for last in ["DA:16777216,1", "FN:1,16777216,f"] {
            let text = format!("SF:a\n{last}\nend_of_record\n").repeat(5);
            fails(&text, 15, "no more than 67108864 in all files");
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let text = record(&format!("DA:1,{}\nDA:1,9\n", u64::MAX));
        let coverage = read(text.as_bytes()).expect("a tracefile");
        assert_eq!(coverage.files[0].lines[0].count, u64::MAX);
    }

    /// As Perl adds numbers of more than 64 bits.
    #[test]
    fn sums_may_have_an_exponent() {
        let text = record("DA:1,3.68934881474191e+19\nDA:2,1.5e+3\nDA:3,7.9\n");
        let coverage = read(text.as_bytes()).expect("a tracefile");
        let counts = coverage.files[0].lines.iter().map(|line| line.count);
        assert_eq!(counts.collect::<Vec<_>>(), [u64::MAX, 1500, 7]);
        for count in [
            "1e",
            "inf",
            "nan",
            ".5",
            "+1",
            "-1.0",
            "1e-3",
            "e",
            "1.1.1",
            "18446744073709551616",
        ] {
            fails(&record(&format!("DA:1,{count}\n")), 3, "2^64 - 1");
        }
        // No other number is one.
        for line in [
            "DA:1.5,1",
            "FN:1e1,f",
            "FNL:1.0,1",
            "FNL:0,1.0",
            "BRDA:1.0,0,0,1",
            "LF:1.5",
            "LH:1e1",
        ] {
            fails(&record(&format!("{line}\n")), 3, "2^64 - 1");
        }
    }

    #[test]
    fn names_have_an_end() {
        let of_file = |bytes: usize| format!("SF:{}\nend_of_record\n", "x".repeat(bytes));
        let of_function = |field: &str, bytes: usize| {
            let name = "x".repeat(bytes);
            record(&format!("FNL:0,1\n{field}{name}\nFNF:0\n"))
        };
        assert!(read(of_file(MAX_FILE_NAME).as_bytes()).is_ok());
        let refused = |text: &str| {
            let error = read(text.as_bytes()).expect_err("a long name");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            error.to_string()
        };
        assert_eq!(
            refused(&of_file(MAX_FILE_NAME + 1)),
            "file name: expected no more than 4096 bytes in line 1 (offset 0x0), found 4097"
        );
        for field in ["FN:1,", "FNA:0,1,"] {
            assert!(read(of_function(field, MAX_FUNCTION_NAME).as_bytes()).is_ok());
        }
        for field in ["FN:1,", "FNDA:1,", "FNA:0,1,"] {
            let message = refused(&of_function(field, MAX_FUNCTION_NAME + 1));
            assert!(message.starts_with("function name: "), "{message}");
            assert!(message.contains("in line 4 "), "{message}");
        }
    }
}
