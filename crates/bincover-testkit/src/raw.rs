//! Assembles raw profiles of any version, byte order and pointer width from a list of functions.
//!
//! It shares no code with the readers that it tests. Every field has a label (LLVM's name for it),
//! so that a test makes a valid file and then breaks one field:
//!
//! ```
//! use bincover_testkit::raw::{Function, RawFile, Shape};
//!
//! let functions = [Function::new("main", 7, [1, 2])];
//! let mut file = RawFile::new(Shape::CURRENT, &functions).assemble();
//! file.set("NumData", 9);
//! assert_eq!(file.offset("NumData"), 0x18);
//! assert_eq!(file.bytes[0x18], 9);
//! ```

use md5::{Digest, Md5};

use crate::rng::Rng;

/// Which of the raw formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// 4, 5, 7, 8, 9 or 10.
    pub version: u32,
    /// Byte order.
    pub big_endian: bool,
    /// 4 or 8.
    pub pointer_bytes: usize,
}

impl Shape {
    /// What LLVM 22 writes on x86-64.
    pub const CURRENT: Self = Self {
        version: 10,
        big_endian: false,
        pointer_bytes: 8,
    };

    /// All of them, 24.
    pub fn all() -> impl Iterator<Item = Self> {
        [4, 5, 7, 8, 9, 10].into_iter().flat_map(|version| {
            [(false, 8), (true, 8), (false, 4), (true, 4)].map(|(big_endian, pointer_bytes)| Self {
                version,
                big_endian,
                pointer_bytes,
            })
        })
    }

    /// Records can hold MC/DC bitmaps.
    #[must_use]
    pub fn has_bitmaps(&self) -> bool {
        self.version >= 9
    }

    /// The first 8 bytes.
    #[must_use]
    pub fn magic(&self) -> [u8; 8] {
        let mut magic = *b"\x81rforpl\xff";
        if self.pointer_bytes == 4 {
            magic[1] = b'R';
        }
        if self.big_endian {
            magic.reverse();
        }
        magic
    }

    /// The size of a data record.
    fn record_bytes(&self) -> u64 {
        match (self.version, self.pointer_bytes) {
            (9.., 8) => 64,
            (9.., _) | (_, 8) => 48,
            _ => 40,
        }
    }
}

/// One function of a profile to assemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name, of which the record holds the hash.
    pub name: Vec<u8>,
    /// LLVM: `FuncHash`.
    pub hash: u64,
    /// At least one, or the file is malformed.
    pub counts: Vec<u64>,
    /// Left out of versions before 9.
    pub bitmap: Vec<u8>,
    /// By kind and site: value and count. Kinds 0 and 2 hold addresses.
    pub values: [Vec<Vec<(u64, u64)>>; 3],
    /// LLVM: `FunctionPointer`.
    pub address: u64,
}

impl Function {
    /// A function without bitmap and values.
    #[must_use]
    pub fn new(name: &str, hash: u64, counts: impl Into<Vec<u64>>) -> Self {
        Self {
            name: name.into(),
            hash,
            counts: counts.into(),
            ..Self::default()
        }
    }
}

/// Functions of one binary, the same for the same seed: `count` different names with hashes of all
/// 64 bits, `1..=2 * counters - 1` counters each, all zero. Every eighth function has a bitmap if
/// `bitmaps` is set.
#[must_use]
pub fn binary(seed: u64, count: usize, counters: u64, bitmaps: bool) -> Vec<Function> {
    let mut rng = Rng::new(seed);
    let function = |index: usize| {
        let len = 1 + rng.below(2 * counters - 1);
        let bitmap_bytes = if bitmaps && index.is_multiple_of(8) {
            1 + rng.below(4)
        } else {
            0
        };
        let length = |len: u64| usize::try_from(len).unwrap_or(0);
        Function {
            name: format!(
                "_RNvNtCs{:08x}_7example6module{}f{index}",
                rng.below(1 << 32),
                rng.below(90)
            )
            .into_bytes(),
            hash: rng.bits(),
            counts: vec![0; length(len)],
            bitmap: vec![0; length(bitmap_bytes)],
            ..Function::default()
        }
    };
    (0..count).map(function).collect()
}

/// One run of a binary: about a third of its functions reached, with small counts and now and
/// then a large one.
#[must_use]
pub fn run(functions: &[Function], seed: u64) -> Vec<Function> {
    let mut rng = Rng::new(seed);
    let mut functions = functions.to_vec();
    for function in &mut functions {
        if rng.below(3) > 0 {
            continue;
        }
        for count in &mut function.counts {
            *count = match rng.below(16) {
                0 => 0,
                1 => rng.bits() >> 24,
                _ => rng.below(1000),
            };
        }
        function.bitmap.fill_with(|| rng.byte());
    }
    functions
}

/// A raw profile to assemble.
#[derive(Clone, Debug)]
pub struct RawFile<'f> {
    /// The format.
    pub shape: Shape,
    /// High 32 bits of the version field, in place (bit 56: IR).
    pub flags: u64,
    /// Build ids; left out of versions before 7.
    pub binary_ids: Vec<Vec<u8>>,
    /// The functions, in record order.
    pub functions: &'f [Function],
}

/// One byte a counter.
pub const BYTE_COVERAGE: u64 = 1 << 60;

/// Where the sections are in the process. Counters before data and bitmaps after them, so that
/// both signs of a distance occur.
const DATA_ADDRESS: u64 = 0x5000_0000;
const COUNTERS_ADDRESS: u64 = 0x4000_0000;
const BITMAPS_ADDRESS: u64 = 0x6000_0000;

/// A record's fields for the kinds of values.
const VALUE_SITES: [&str; 3] = ["NumValueSites[0]", "NumValueSites[1]", "NumValueSites[2]"];

impl<'f> RawFile<'f> {
    /// A front-end profile without build ids.
    #[must_use]
    pub fn new(shape: Shape, functions: &'f [Function]) -> Self {
        Self {
            shape,
            flags: 0,
            binary_ids: Vec::new(),
            functions,
        }
    }

    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.assemble().bytes
    }

    /// The bytes of the file and where its fields are.
    #[must_use]
    pub fn assemble(&self) -> Assembled {
        let mut counters = Vec::new();
        let mut bitmaps = Vec::new();
        let mut places = Vec::new();
        for function in self.functions {
            places.push((counters.len() as u64, bitmaps.len() as u64));
            for &count in &function.counts {
                if self.flags & BYTE_COVERAGE == 0 {
                    push(&mut counters, count, 8, self.shape.big_endian);
                } else {
                    counters.push(u8::from(count == 0) * 0xff);
                }
            }
            if self.shape.has_bitmaps() {
                bitmaps.extend(&function.bitmap);
            }
        }
        let names = names_blob(self.functions);

        let mut out = Assembled::new(self.shape.big_endian);
        self.header(&mut out, counters.len(), bitmaps.len(), names.len());
        if self.shape.version >= 7 {
            out.label("binary ids");
            for id in &self.binary_ids {
                out.field("binary id length", 8, id.len() as u64);
                out.raw(id);
                out.pad8();
            }
        }
        out.label("data");
        for (index, function) in self.functions.iter().enumerate() {
            self.record(&mut out, index as u64, function, places[index]);
        }
        out.section("counters", &counters);
        out.section("bitmaps", &bitmaps);
        out.section("names", &names);
        out.label("value data");
        for function in self.functions {
            self.value_data(&mut out, function);
        }
        out
    }

    fn header(
        &self,
        out: &mut Assembled,
        counter_bytes: usize,
        bitmap_bytes: usize,
        name_bytes: usize,
    ) {
        let Shape { version, .. } = self.shape;
        let relative = version >= 8;
        let pad = |len: usize| (len.next_multiple_of(8) - len) as u64;
        let counter_width = if self.flags & BYTE_COVERAGE == 0 {
            8
        } else {
            1
        };
        let ids: usize = self
            .binary_ids
            .iter()
            .map(|id| 8 + id.len().next_multiple_of(8))
            .sum();
        out.label("Magic");
        out.raw(&self.shape.magic());
        out.field("Version", 8, u64::from(version) | self.flags);
        if version >= 7 {
            out.field("BinaryIdsSize", 8, ids as u64);
        }
        out.field("NumData", 8, self.functions.len() as u64);
        if version >= 5 {
            out.field("PaddingBytesBeforeCounters", 8, 0);
        }
        out.field("NumCounters", 8, (counter_bytes / counter_width) as u64);
        if version >= 5 {
            out.field("PaddingBytesAfterCounters", 8, pad(counter_bytes));
        }
        if version >= 9 {
            out.field("NumBitmapBytes", 8, bitmap_bytes as u64);
            out.field("PaddingBytesAfterBitmapBytes", 8, pad(bitmap_bytes));
        }
        out.field("NamesSize", 8, name_bytes as u64);
        let delta = if relative {
            COUNTERS_ADDRESS.wrapping_sub(DATA_ADDRESS)
        } else {
            COUNTERS_ADDRESS
        };
        out.field("CountersDelta", 8, self.pointer(delta));
        if version >= 9 {
            out.field(
                "BitmapDelta",
                8,
                self.pointer(BITMAPS_ADDRESS - DATA_ADDRESS),
            );
        }
        out.field("NamesDelta", 8, 0x1234);
        if version >= 10 {
            out.field("NumVTables", 8, 0);
            out.field("VNamesSize", 8, 0);
        }
        out.field("ValueKindLast", 8, if version >= 10 { 2 } else { 1 });
    }

    /// What is left of an address or a distance in a pointer of the program's width.
    fn pointer(&self, value: u64) -> u64 {
        match self.shape.pointer_bytes {
            4 => value & 0xffff_ffff,
            _ => value,
        }
    }

    fn record(&self, out: &mut Assembled, index: u64, function: &Function, place: (u64, u64)) {
        let Shape {
            version,
            pointer_bytes: width,
            ..
        } = self.shape;
        let name = |field| Label {
            record: Some(index),
            field,
        };
        out.records.push(out.fields.len());
        let start = out.bytes.len() as u64;
        let itself = DATA_ADDRESS + index * self.shape.record_bytes();
        let base = if version >= 8 { itself } else { 0 };
        let bitmap_bytes = if self.shape.has_bitmaps() {
            function.bitmap.len()
        } else {
            0
        };
        let bitmap = match bitmap_bytes {
            0 => 0,
            _ => BITMAPS_ADDRESS + place.1 - itself,
        };
        out.field(name("NameRef"), 8, name_ref(&function.name));
        out.field(name("FuncHash"), 8, function.hash);
        let counters = (COUNTERS_ADDRESS + place.0).wrapping_sub(base);
        out.field(name("CounterPtr"), width, self.pointer(counters));
        if version >= 9 {
            out.field(name("BitmapPtr"), width, self.pointer(bitmap));
        }
        out.field(name("FunctionPointer"), width, function.address);
        out.field(name("Values"), width, 0);
        out.field(name("NumCounters"), 4, function.counts.len() as u64);
        let kinds = if version >= 10 { 3 } else { 2 };
        for (kind, sites) in function.values[..kinds].iter().enumerate() {
            out.field(name(VALUE_SITES[kind]), 2, sites.len() as u64);
        }
        if version >= 9 {
            while !out.bytes.len().is_multiple_of(4) {
                out.raw(&[0]);
            }
            out.field(name("NumBitmapBytes"), 4, bitmap_bytes as u64);
        }
        while (out.bytes.len() as u64 - start) < self.shape.record_bytes() {
            out.raw(&[0]);
        }
    }

    fn value_data(&self, out: &mut Assembled, function: &Function) {
        let kinds = if self.shape.version >= 10 { 3 } else { 2 };
        let present: Vec<_> = function.values[..kinds]
            .iter()
            .enumerate()
            .filter(|(_, sites)| !sites.is_empty())
            .collect();
        if present.is_empty() {
            return;
        }
        let size: usize = present
            .iter()
            .map(|(_, sites)| {
                let values: usize = sites.iter().map(Vec::len).sum();
                (8 + sites.len()).next_multiple_of(8) + 16 * values
            })
            .sum();
        out.field("TotalSize", 4, 8 + size as u64);
        out.field("NumValueKinds", 4, present.len() as u64);
        for (kind, sites) in present {
            out.field("Kind", 4, kind as u64);
            out.field("NumValueSites", 4, sites.len() as u64);
            out.label("SiteCount");
            for site in sites {
                out.raw(&[u8::try_from(site.len()).unwrap_or(u8::MAX)]);
            }
            out.pad8();
            for &(value, count) in sites.iter().flatten() {
                out.field("Value", 8, value);
                out.field("Count", 8, count);
            }
        }
    }
}

/// The first 8 bytes of the name's MD5, little-endian.
#[must_use]
pub fn name_ref(name: &[u8]) -> u64 {
    let digest: [u8; 16] = Md5::digest(name).into();
    let [head, _] = digest.as_chunks().0 else {
        return 0;
    };
    u64::from_le_bytes(*head)
}

/// Names in one stored chunk, each once, as a linker leaves them.
#[must_use]
pub fn names_blob(functions: &[Function]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = functions
        .iter()
        .map(|function| &function.name[..])
        .collect();
    names.sort_unstable();
    names.dedup();
    let text = names.join(&1);
    if text.is_empty() {
        return Vec::new();
    }
    let mut blob = uleb(text.len() as u64);
    blob.push(0);
    blob.extend(text);
    blob
}

/// An unsigned LEB128 number.
#[must_use]
pub fn uleb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// A file and where its fields are.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The file.
    pub bytes: Vec<u8>,
    big_endian: bool,
    /// In their order. Many a file is made only for its bytes, so nothing is looked up in advance.
    fields: Vec<Field>,
    /// For each record, the first of its fields.
    records: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Field {
    label: Label,
    offset: usize,
    /// Bytes; none for a section.
    width: usize,
}

/// What a field is called: `NumData`, or in a record `record 0 NameRef`.
#[derive(Clone, Copy, Debug)]
struct Label {
    record: Option<u64>,
    field: &'static str,
}

impl From<&'static str> for Label {
    fn from(field: &'static str) -> Self {
        Self {
            record: None,
            field,
        }
    }
}

impl Assembled {
    fn new(big_endian: bool) -> Self {
        Self {
            bytes: Vec::new(),
            big_endian,
            fields: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Where the field or section begins.
    ///
    /// # Panics
    /// If there is none of that name. The other methods panic likewise.
    #[must_use]
    pub fn offset(&self, label: &str) -> usize {
        self.place(label).0
    }

    /// Overwrites a field, cut to its width.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn set(&mut self, label: &str, value: u64) {
        let (at, width) = self.place(label);
        let mut field = Vec::new();
        push(&mut field, value, width, self.big_endian);
        self.bytes[at..at + width].copy_from_slice(&field);
    }

    /// What a field holds.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn get(&self, label: &str) -> u64 {
        let (at, width) = self.place(label);
        let mut field = self.bytes[at..at + width].to_vec();
        if !self.big_endian {
            field.reverse();
        }
        field
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// Offset and width; where a label occurs twice, of the first.
    fn place(&self, label: &str) -> (usize, usize) {
        let in_record = label.strip_prefix("record ").and_then(|label| {
            let (record, field) = label.split_once(' ')?;
            Some((Some(record.parse().ok()?), field))
        });
        let label = in_record.unwrap_or((None, label));
        let is_wanted = |field: &&Field| (field.label.record, field.label.field) == label;
        let record = label.0.and_then(|record| usize::try_from(record).ok());
        let first = record.and_then(|record| self.records.get(record));
        let fields = &self.fields[*first.unwrap_or(&0)..];
        match fields.iter().find(is_wanted) {
            Some(field) => (field.offset, field.width),
            None => panic!("no field {label:?}; there are {:?}", self.fields),
        }
    }

    fn label(&mut self, label: impl Into<Label>) {
        self.fields.push(Field {
            label: label.into(),
            offset: self.bytes.len(),
            width: 0,
        });
    }

    fn field(&mut self, label: impl Into<Label>, width: usize, value: u64) {
        self.fields.push(Field {
            label: label.into(),
            offset: self.bytes.len(),
            width,
        });
        push(&mut self.bytes, value, width, self.big_endian);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn section(&mut self, label: &'static str, bytes: &[u8]) {
        self.label(label);
        self.raw(bytes);
        self.pad8();
    }

    fn pad8(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }
}

/// Appends the low bytes of a number.
fn push(bytes: &mut Vec<u8>, value: u64, width: usize, big_endian: bool) {
    match big_endian {
        true => bytes.extend_from_slice(&value.to_be_bytes()[8 - width..]),
        false => bytes.extend_from_slice(&value.to_le_bytes()[..width]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The C structs' sizes, from the format notes.
    #[test]
    fn header_and_record_sizes() {
        let functions = [Function::new("f", 1, [1]), Function::new("g", 2, [2])];
        for shape in Shape::all() {
            let file = RawFile::new(shape, &functions).assemble();
            let header = match shape.version {
                4 => 64,
                5 => 80,
                7 | 8 => 88,
                9 => 112,
                _ => 128,
            };
            assert_eq!(file.offset("data"), header, "{shape:?}");
            let record = file.offset("record 1 NameRef") - header;
            assert_eq!(record as u64, shape.record_bytes(), "{shape:?}");
            assert_eq!(
                file.offset("counters") as u64,
                header as u64 + 2 * shape.record_bytes()
            );
        }
    }

    #[test]
    fn the_hash_of_main() {
        assert_eq!(name_ref(b"main"), 0xdb95_6436_e78d_d5fa);
    }
}
