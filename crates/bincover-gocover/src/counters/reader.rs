//! Bytes to records.

use std::ops::Range;

use crate::bytes::{Cursor, u32_at};
use crate::counters::Args;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hash;
use crate::kind::COUNTERS_MAGIC;
use crate::limits::{FOOTER_BYTES, LEAST_COUNTER_FILE};

/// The version that Go has written since 1.20 (Go: `CounterFileVersion`). Its reader takes lower
/// numbers too.
const VERSION: u32 = 1;

/// A counter file, decoded. To read many, [`read`](Self::read) into one again and again: it keeps
/// its memory.
#[derive(Clone, Debug, Default)]
pub struct CounterFile {
    /// The hash of the metadata that it belongs to.
    pub hash: Hash,
    /// Which run it is of, by its first segment.
    pub args: Args,
    records: Vec<Place>,
    counters: Vec<u32>,
}

/// The counters of a function that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Index of the package in the metadata.
    pub package: u32,
    /// Index of the function in the package.
    pub function: u32,
    /// One for each of its blocks; but a program that ends while it counts may write anything.
    pub counters: &'a [u32],
}

#[derive(Clone, Debug)]
struct Place {
    package: u32,
    function: u32,
    counters: Range<usize>,
}

/// How numbers are written (Go: `CounterFlavor`).
#[derive(Clone, Copy, Debug)]
enum Flavour {
    Raw { big_endian: bool },
    Uleb,
}

/// How a file counts the entries of its segments.
#[derive(Default)]
struct Counting {
    /// The count of the segment before.
    previous: u64,
    /// Go's writer gives the entries of all segments so far, where those of one are meant. Whether
    /// a file was made by it shows where a footer follows, and is decided once.
    is_running: Option<bool>,
}

impl CounterFile {
    /// A file without records.
    pub(crate) fn new(hash: Hash, args: Args) -> Self {
        Self {
            hash,
            args,
            ..Self::default()
        }
    }

    /// Adds a function.
    pub(crate) fn push_record(&mut self, package: u32, function: u32, counters: &[u32]) {
        let start = self.counters.len();
        self.counters.extend_from_slice(counters);
        self.push(package, function, start);
    }

    /// The file as a program writes it: in one segment, without functions that did not run.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let counted = |record: &Record<'_>| record.counters.iter().any(|count| *count != 0);
        let records: Vec<Record<'_>> = self.records().filter(counted).collect();
        super::write(self.hash, &self.args, &records)
    }

    /// Reads a counter file.
    ///
    /// # Errors
    /// If it is of another version, was cut, or contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut file = Self::default();
        file.read(bytes)?;
        Ok(file)
    }

    /// Reads a counter file in place of what was there; nothing is there after an error.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn read(&mut self, bytes: &[u8]) -> Result<()> {
        self.clear();
        let read = self.read_all(bytes);
        if read.is_err() {
            self.clear();
        }
        read
    }

    /// The functions, in the order in which the file has them.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|place| Record {
            package: place.package,
            function: place.function,
            counters: &self.counters[place.counters.clone()],
        })
    }

    fn clear(&mut self) {
        self.hash = Hash::default();
        self.args = Args::default();
        self.records.clear();
        self.counters.clear();
    }

    fn read_all(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            let expected = "a counter file";
            return Err(Error::new(ErrorKind::Empty, "file", None, expected, "none"));
        }
        let mut cursor = Cursor::new(bytes, 0);
        magic(&mut cursor, "magic")?;
        let version = cursor.u32("version")?;
        if version > VERSION {
            let kind = ErrorKind::UnsupportedVersion;
            return Err(Error::new(kind, "version", 4, VERSION, version));
        }
        self.hash
            .0
            .copy_from_slice(cursor.take(16, "metadata hash")?);
        let flavour = cursor.u8("flavour")?;
        let big_endian = cursor.u8("byte order")? != 0;
        let flavour = match flavour {
            1 => Flavour::Raw { big_endian },
            2 => Flavour::Uleb,
            other => return Err(Error::malformed("flavour", 24, "1 or 2", other)),
        };
        cursor.take(6, "padding")?;

        // A file is renamed when it is whole, so what has no footer was cut: say that first.
        let found = bytes.len() as u64;
        if found < LEAST_COUNTER_FILE {
            return Err(Error::truncated("file", 0, LEAST_COUNTER_FILE, found));
        }
        let at = found - FOOTER_BYTES;
        let last = Cursor::new(&bytes[bytes.len() - 16..], at);
        let segment_count = footer(&mut last.clone())?;
        if segment_count == 0 {
            let expected = "at least one";
            return Err(Error::malformed("segment count", at + 8, expected, 0));
        }
        let mut counting = Counting::default();
        for segment in 1..=segment_count {
            self.segment(&mut cursor, flavour, segment == 1, &mut counting)?;
        }
        if cursor.remaining() > 0 {
            let what = "end of the file";
            let expected = "nothing after the last segment";
            let found = format_args!("{} bytes", cursor.remaining());
            return Err(Error::malformed(what, cursor.offset(), expected, found));
        }
        Ok(())
    }

    /// Reads a segment with its footer.
    fn segment(
        &mut self,
        cursor: &mut Cursor<'_>,
        flavour: Flavour,
        is_first: bool,
        counting: &mut Counting,
    ) -> Result<()> {
        let count = cursor.u64("entry count")?;
        let strings_len = cursor.u32("string table length")?;
        let args_len = cursor.u32("arguments length")?;
        let at = cursor.offset();
        let table = cursor.take(strings_len.into(), "string table")?;
        let args_at = cursor.offset();
        let args = cursor.take(args_len.into(), "arguments")?;
        if is_first {
            let strings = strings(&mut Cursor::new(table, at))?;
            self.args = self::args(&mut Cursor::new(args, args_at), &strings)?;
        }
        let previous = std::mem::replace(&mut counting.previous, count);
        let new = count.checked_sub(previous).filter(|_| previous > 0);
        let tried = new.filter(|_| counting.is_running != Some(false));
        if let Some(new) = tried {
            let start = cursor.clone();
            let (records, counters) = (self.records.len(), self.counters.len());
            let entries = self.entries(cursor, flavour, new);
            if entries.and_then(|()| footer(cursor)).is_ok() {
                counting.is_running = Some(true);
                return Ok(());
            }
            self.records.truncate(records);
            self.counters.truncate(counters);
            *cursor = start;
        }
        if previous > 0 {
            counting.is_running = Some(false);
        }
        self.entries(cursor, flavour, count)?;
        footer(cursor)?;
        Ok(())
    }

    fn entries(&mut self, cursor: &mut Cursor<'_>, flavour: Flavour, count: u64) -> Result<()> {
        match flavour {
            Flavour::Uleb => self.uleb_entries(cursor, count),
            Flavour::Raw { big_endian } => self.raw_entries(cursor, count, big_endian),
        }
    }

    fn uleb_entries(&mut self, cursor: &mut Cursor<'_>, count: u64) -> Result<()> {
        for _ in 0..count {
            let at = cursor.offset();
            let counter_count = cursor.uleb32("counter count")?;
            let package = cursor.uleb32("package index")?;
            let function = cursor.uleb32("function index")?;
            let left = cursor.remaining();
            // Each takes a byte at least.
            if u64::from(counter_count) > left {
                return Err(Error::truncated("counters", at, counter_count.into(), left));
            }
            let start = self.counters.len();
            // Most counts are less than 128.
            let len = counter_count as usize;
            let short = &cursor.rest()[..len];
            if short.iter().fold(0, |all, byte| all | byte) < 0x80 {
                cursor.take(counter_count.into(), "counters")?;
                self.counters
                    .extend(short.iter().map(|&byte| u32::from(byte)));
            } else {
                for _ in 0..counter_count {
                    self.counters.push(cursor.uleb32("counter")?);
                }
            }
            self.push(package, function, start);
        }
        Ok(())
    }

    fn raw_entries(&mut self, cursor: &mut Cursor<'_>, count: u64, big_endian: bool) -> Result<()> {
        let word = |bytes: &[u8]| match big_endian {
            true => u32_at(bytes).swap_bytes(),
            false => u32_at(bytes),
        };
        for _ in 0..count {
            let head = cursor.take(12, "entry")?;
            let counters = cursor.take_array(word(head).into(), 4, "counters")?;
            let start = self.counters.len();
            self.counters.extend(counters.chunks_exact(4).map(word));
            self.push(word(&head[4..]), word(&head[8..]), start);
        }
        Ok(())
    }

    fn push(&mut self, package: u32, function: u32, start: usize) {
        self.records.push(Place {
            package,
            function,
            counters: start..self.counters.len(),
        });
    }
}

fn magic(cursor: &mut Cursor<'_>, what: &'static str) -> Result<()> {
    let at = cursor.offset();
    let found = cursor.take(4, what)?;
    if found == COUNTERS_MAGIC {
        return Ok(());
    }
    let expected = "00 63 77 6d";
    let found = format!("{found:02x?}");
    Err(Error::new(ErrorKind::BadMagic, what, at, expected, found))
}

/// Reads a footer; returns the number of segments before it.
fn footer(cursor: &mut Cursor<'_>) -> Result<u32> {
    magic(cursor, "footer")?;
    cursor.take(4, "footer")?;
    let count = cursor.u32("segment count")?;
    cursor.take(4, "footer")?;
    Ok(count)
}

fn strings<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<&'a [u8]>> {
    if cursor.remaining() == 0 {
        return Ok(Vec::new());
    }
    let at = cursor.offset();
    let count = cursor.uleb32("string count")?;
    if u64::from(count) > cursor.remaining() {
        let found = cursor.remaining();
        return Err(Error::truncated("strings", at, count.into(), found));
    }
    let mut strings = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let len = cursor.uleb32("string length")?;
        strings.push(cursor.take(len.into(), "string")?);
    }
    Ok(strings)
}

fn args(cursor: &mut Cursor<'_>, strings: &[&[u8]]) -> Result<Args> {
    if cursor.remaining() == 0 {
        return Ok(Args::default());
    }
    let at = cursor.offset();
    let count = cursor.uleb32("argument count")?;
    // Two numbers of at least a byte each.
    if u64::from(count) > cursor.remaining() / 2 {
        let found = cursor.remaining();
        return Err(Error::truncated(
            "arguments",
            at,
            u64::from(count) * 2,
            found,
        ));
    }
    let mut string = || {
        let at = cursor.offset();
        let index = cursor.uleb32("argument")?;
        let string = usize::try_from(index).ok().and_then(|at| strings.get(at));
        let expected = format_args!("an index below {}", strings.len());
        string
            .copied()
            .ok_or_else(|| Error::malformed("argument", at, expected, index))
    };
    let mut pairs = Vec::with_capacity(count as usize);
    for _ in 0..count {
        pairs.push((string()?, string()?));
    }
    Ok(Args::from_pairs(&pairs))
}

#[cfg(test)]
mod tests {
    use bincover_testkit::mutate;

    use super::*;
    use crate::counters::write;
    use crate::sample;

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample::counter_bytes(&[(0, 1, &[3, 0]), (1, 0, &[u32::MAX])]);
        let file = CounterFile::parse(&bytes).unwrap();
        assert_eq!(file.hash, sample::meta().hash);
        assert_eq!(file.args, sample::args());
        let records: Vec<_> = file.records().collect();
        assert_eq!(records.len(), 2);
        assert_eq!(
            records[1],
            Record {
                package: 1,
                function: 0,
                counters: &[u32::MAX]
            }
        );
    }

    #[test]
    fn cut_at_each_byte() {
        let bytes = sample::counter_bytes(&[(0, 1, &[3, 0]), (1, 0, &[300])]);
        for end in 0..bytes.len() {
            let error = CounterFile::parse(&bytes[..end]).unwrap_err();
            assert!(error.offset().is_none_or(|at| at <= end as u64), "{error}");
        }
    }

    #[test]
    fn flipped_at_each_byte() {
        let bytes = sample::counter_bytes(&[(0, 1, &[3, 0]), (1, 0, &[300])]);
        for flipped in mutate::flips(&bytes) {
            if let Err(error) = CounterFile::parse(&flipped) {
                assert!(error.offset().is_none_or(|at| at <= bytes.len() as u64));
            }
        }
    }

    #[test]
    fn a_file_read_after_another_has_nothing_of_it() {
        let mut file = CounterFile::parse(&sample::counter_bytes(&[(0, 0, &[1])])).unwrap();
        let empty = write(sample::meta().hash, &Args::default(), &[]);
        file.read(&empty).unwrap();
        assert_eq!(file.records().count(), 0);
        assert_eq!(file.args, Args::default());
        assert_eq!(empty.len() as u64, LEAST_COUNTER_FILE);
        assert!(file.read(b"x").is_err());
    }

    /// Go's writer counts entries of all segments so far; a plain writer those of each.
    #[test]
    fn segments_of_both_ways_of_counting() {
        let one = sample::counter_bytes(&[(0, 0, &[1]), (0, 1, &[1, 200])]);
        let two = sample::counter_bytes(&[(0, 1, &[0, 7]), (1, 0, &[9]), (0, 0, &[2])]);
        for second_count in [3u8, 5] {
            let mut joined = one.clone();
            joined.extend_from_slice(&two[32..]);
            joined[one.len()] = second_count;
            let end = joined.len() - 8;
            joined[end] = 2;
            let file = CounterFile::parse(&joined).unwrap();
            let last: Vec<_> = file.records().map(|record| record.counters).collect();
            let expected: [&[u32]; 5] = [&[1], &[1, 200], &[0, 7], &[9], &[2]];
            assert_eq!(last, expected, "{second_count}");
        }
    }
}
