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

/// A counter file, checked from end to end: what is in it can be read without an error.
#[derive(Clone, Debug, Default)]
pub struct CounterView<'a> {
    /// The hash of the metadata that it belongs to.
    pub hash: Hash,
    /// Which run it is of, by its first segment.
    pub args: Args,
    segments: Vec<Entries<'a>>,
}

/// The entries of a segment.
#[derive(Clone, Copy, Debug)]
struct Entries<'a> {
    bytes: &'a [u8],
    count: u64,
    flavour: Flavour,
}

/// What is called with each record of a file.
pub(crate) trait Visitor {
    /// The first `len` are its counters, 16 at most; what follows is 0.
    fn short(&mut self, package: u32, function: u32, counters: [u8; 16], len: usize);

    /// The same, of any number and size.
    fn words(&mut self, package: u32, function: u32, counters: &[u32]);
}

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
        self.words(package, function, counters);
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
        self.records.clear();
        self.counters.clear();
        (self.hash, self.args) = (Hash::default(), Args::default());
        let view = CounterView::parse(bytes)?;
        view.visit(self);
        (self.hash, self.args) = (view.hash, view.args);
        Ok(())
    }

    /// The functions, in the order in which the file has them.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|place| Record {
            package: place.package,
            function: place.function,
            counters: &self.counters[place.counters.clone()],
        })
    }
}

impl Visitor for CounterFile {
    fn short(&mut self, package: u32, function: u32, counters: [u8; 16], len: usize) {
        let counters = &counters.map(u32::from)[..len.min(16)];
        self.words(package, function, counters);
    }

    fn words(&mut self, package: u32, function: u32, counters: &[u32]) {
        let start = self.counters.len();
        self.counters.extend_from_slice(counters);
        self.records.push(Place {
            package,
            function,
            counters: start..self.counters.len(),
        });
    }
}

impl<'a> CounterView<'a> {
    /// Looks through a counter file.
    ///
    /// # Errors
    /// If it is of another version, was cut, or contradicts itself.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut view = Self::default();
        view.read_all(bytes)?;
        Ok(view)
    }

    /// Tells of each record, in order.
    #[inline]
    pub(crate) fn visit(&self, visitor: &mut impl Visitor) {
        let mut words = Vec::new();
        for entries in &self.segments {
            match entries.flavour {
                Flavour::Uleb => entries.visit_uleb(&mut words, visitor),
                Flavour::Raw { big_endian } => entries.visit_raw(big_endian, &mut words, visitor),
            }
        }
    }

    fn read_all(&mut self, bytes: &'a [u8]) -> Result<()> {
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
        cursor: &mut Cursor<'a>,
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
            let entries = Entries::read(cursor, flavour, new);
            if let Ok(entries) = entries
                && footer(cursor).is_ok()
            {
                counting.is_running = Some(true);
                self.segments.push(entries);
                return Ok(());
            }
            *cursor = start;
        }
        if previous > 0 {
            counting.is_running = Some(false);
        }
        self.segments.push(Entries::read(cursor, flavour, count)?);
        footer(cursor)?;
        Ok(())
    }
}

impl<'a> Entries<'a> {
    /// Looks through so many entries.
    fn read(cursor: &mut Cursor<'a>, flavour: Flavour, count: u64) -> Result<Self> {
        let bytes = cursor.rest();
        match flavour {
            Flavour::Uleb => skip_uleb(cursor, count)?,
            Flavour::Raw { big_endian } => skip_raw(cursor, count, big_endian)?,
        }
        let len = bytes.len() - cursor.rest().len();
        Ok(Self {
            bytes: &bytes[..len],
            count,
            flavour,
        })
    }

    /// They were looked through before, so nothing of what would end this early is there.
    #[inline]
    fn visit_uleb(&self, words: &mut Vec<u32>, visitor: &mut impl Visitor) {
        let mut rest = self.bytes;
        for _ in 0..self.count {
            if let Some(short) = Short::read(rest) {
                visitor.short(short.package, short.function, short.counters, short.len);
                rest = &rest[short.size..];
                continue;
            }
            let mut cursor = Cursor::new(rest, 0);
            let Ok((package, function)) = entry(&mut cursor, words) else {
                return;
            };
            visitor.words(package, function, words);
            rest = cursor.rest();
        }
    }

    fn visit_raw(&self, big_endian: bool, words: &mut Vec<u32>, visitor: &mut impl Visitor) {
        let mut rest = self.bytes;
        for _ in 0..self.count {
            let Some((head, after)) = rest.split_at_checked(12) else {
                return;
            };
            let number = |at: usize| word(&head[at..], big_endian);
            let len = (number(0) as usize).saturating_mul(4);
            let Some((counters, after)) = after.split_at_checked(len) else {
                return;
            };
            words.clear();
            words.extend(
                counters
                    .chunks_exact(4)
                    .map(|bytes| word(bytes, big_endian)),
            );
            visitor.words(number(4), number(8), words);
            rest = after;
        }
    }
}

/// An entry as most are: of few counters and small numbers, with more bytes after it.
struct Short {
    package: u32,
    function: u32,
    /// What follows the counters is 0.
    counters: [u8; 16],
    len: usize,
    /// How many bytes it takes.
    size: usize,
}

/// The highest bits of bytes: a number goes on in the next.
const GOES_ON: u128 = u128::from_le_bytes([0x80; 16]);

/// By length, all bits of so many bytes.
const MASKS: [u128; 17] = {
    let mut masks = [0; 17];
    let mut len = 1;
    while len < masks.len() {
        masks[len] = masks[len - 1] << 8 | 0xff;
        len += 1;
    }
    masks
};

impl Short {
    /// `None` for any other.
    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        let head = u32::from_le_bytes(*bytes.first_chunk()?);
        if head & 0x8080 != 0 {
            return None;
        }
        let (low, high) = (head >> 16 & 0x7f, head >> 17 & 0x3f80);
        let (function, used) = if head & 0x0080_0000 == 0 {
            (low, 3)
        } else if head & 0x8000_0000 == 0 {
            (low | high, 4)
        } else {
            return None;
        };
        let len = (head & 0x7f) as usize;
        let these = *MASKS.get(len)?;
        let counters = u128::from_le_bytes(*bytes.get(used..)?.first_chunk()?) & these;
        if counters & GOES_ON != 0 {
            return None;
        }
        Some(Self {
            package: head >> 8 & 0x7f,
            function,
            counters: counters.to_le_bytes(),
            len,
            size: used + len,
        })
    }
}

fn skip_uleb(cursor: &mut Cursor<'_>, count: u64) -> Result<()> {
    let mut left = count;
    while left > 0 {
        // Without a look at the offset, which only an error needs.
        let mut rest = cursor.rest();
        while left > 0
            && let Some(short) = Short::read(rest)
        {
            rest = &rest[short.size..];
            left -= 1;
        }
        cursor.take(cursor.remaining() - rest.len() as u64, "entry")?;
        if left > 0 {
            numbers(cursor, |_| ())?;
            left -= 1;
        }
    }
    Ok(())
}

/// Reads an entry of any kind; returns the package and the function.
fn entry(cursor: &mut Cursor<'_>, words: &mut Vec<u32>) -> Result<(u32, u32)> {
    words.clear();
    numbers(cursor, |number| words.push(number))
}

fn numbers(cursor: &mut Cursor<'_>, mut each: impl FnMut(u32)) -> Result<(u32, u32)> {
    let at = cursor.offset();
    let counter_count = cursor.uleb32("counter count")?;
    let package = cursor.uleb32("package index")?;
    let function = cursor.uleb32("function index")?;
    let left = cursor.remaining();
    // Each takes a byte at least.
    if u64::from(counter_count) > left {
        return Err(Error::truncated("counters", at, counter_count.into(), left));
    }
    let mut left = counter_count;
    while left > 0 {
        // Most counters are less than 128.
        if left >= 8
            && let Some(eight) = cursor.rest().first_chunk::<8>()
            && u128::from(u64::from_le_bytes(*eight)) & GOES_ON == 0
        {
            eight.iter().for_each(|&byte| each(byte.into()));
            cursor.take(8, "counters")?;
            left -= 8;
        } else {
            each(cursor.uleb32("counter")?);
            left -= 1;
        }
    }
    Ok((package, function))
}

fn skip_raw(cursor: &mut Cursor<'_>, count: u64, big_endian: bool) -> Result<()> {
    for _ in 0..count {
        let head = cursor.take(12, "entry")?;
        cursor.take_array(word(head, big_endian).into(), 4, "counters")?;
    }
    Ok(())
}

fn word(bytes: &[u8], big_endian: bool) -> u32 {
    match big_endian {
        true => u32_at(bytes).swap_bytes(),
        false => u32_at(bytes),
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
    fn counters_of_any_number_and_size() {
        let values = [1, 0, 127, 5, 128, 0, 300, u32::MAX];
        let indices = [0, 1, 127, 128, 300, 0x3fff, 0x4000, u32::MAX];
        let numbers = |len: usize, stride: usize| -> Vec<u32> {
            let at = |index: usize| values[index * stride % 7 % values.len()];
            (0..len).map(at).collect()
        };
        let mut all = Vec::new();
        for len in 0..40 {
            // All small, or with large ones between.
            all.push(vec![3; len]);
            all.push(numbers(len, 1));
            all.push(numbers(len, 3));
        }
        let records: Vec<Record<'_>> = (0..)
            .zip(&all)
            .map(|(at, counters)| Record {
                package: indices[at / 3 % indices.len()],
                function: indices[at % indices.len()],
                counters,
            })
            .collect();
        let bytes = write(sample::meta().hash, &Args::default(), &records);
        let file = CounterFile::parse(&bytes).unwrap();
        assert_eq!(file.records().collect::<Vec<_>>(), records);
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
