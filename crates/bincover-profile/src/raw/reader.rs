//! One raw profile, and the sequence of them that a file may hold.

use std::sync::Arc;

use crate::bytes::{Cursor, pad8};
use crate::error::{Error, ErrorKind, Result};
use crate::names::{Chunks, NameRef, NameTable};
use crate::raw::frame::Functions;
use crate::raw::header::{RawHeader, Sections};
use crate::raw::layout::Layout;
use crate::raw::record::RawRecords;
use crate::values::{VALUE_KINDS, ValueCount, Values, sort_like_libstdcxx};

/// The profiles of one raw file: usually one; several where an executable and its shared
/// libraries wrote to the same file.
#[derive(Clone, Debug)]
pub struct RawProfiles<'a> {
    bytes: &'a [u8],
    offset: u64,
    /// Magic and layout of the profile before; the next one must share the magic.
    previous: Option<([u8; 8], Layout)>,
}

impl<'a> RawProfiles<'a> {
    /// Starts at the beginning of a file.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            previous: None,
        }
    }

    /// The next profile, or `None` at the end of the file. `end` is where the previous one ended,
    /// its value data included ([`RawProfile::values`]); 0 at first.
    ///
    /// # Errors
    /// If what follows is neither zero bytes nor another profile of the same byte order and width.
    pub fn next(&mut self, end: u64) -> Result<Option<RawProfile<'a>>> {
        self.offset = end;
        let start = usize::try_from(end).unwrap_or(usize::MAX);
        let mut rest = self.bytes.get(start..).unwrap_or(&[]);
        if let Some((magic, layout)) = self.previous {
            let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
            rest = &rest[zeros..];
            self.offset += zeros as u64;
            if rest.is_empty() {
                return Ok(None);
            }
            self.check_following(rest, magic, &layout)
                .map_err(|error| error.in_context(layout))?;
        }
        let profile = RawProfile::parse(rest, self.offset)?;
        let layout = profile.header.layout;
        self.previous = rest.first_chunk().map(|magic| (*magic, layout));
        Ok(Some(profile))
    }

    fn check_following(&self, rest: &[u8], magic: [u8; 8], layout: &Layout) -> Result<()> {
        if (rest.len() as u64) < layout.header_bytes {
            return Err(Error::malformed(
                "data after the profile",
                self.offset,
                "zero bytes or another header",
                format_args!("{} bytes, not enough space for another header", rest.len()),
            )
            .with_detail("not enough space for another header"));
        }
        if !self.offset.is_multiple_of(8) {
            return Err(Error::malformed(
                "data after the profile",
                self.offset,
                "an offset divisible by 8",
                "insufficient padding",
            )
            .with_detail("insufficient padding"));
        }
        if rest[..8] != magic {
            return Err(Error::new(
                ErrorKind::BadMagic,
                "magic of the next profile",
                self.offset,
                format_args!("{magic:02x?}"),
                format_args!("{:02x?}", &rest[..8]),
            ));
        }
        Ok(())
    }
}

/// One raw profile: header checked, sections found, nothing copied.
#[derive(Clone, Debug)]
pub struct RawProfile<'a> {
    bytes: &'a [u8],
    offset: u64,
    header: RawHeader,
    sections: Sections,
}

impl<'a> RawProfile<'a> {
    /// Reads the profile at the start of `bytes`, which lies at `offset` of its file; what follows
    /// the profile may follow.
    ///
    /// # Errors
    /// If the header is not one of a known version, or its sizes do not fit the bytes.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<Self> {
        let header = RawHeader::parse(bytes, offset)?;
        let available = bytes.len() as u64;
        let ids = header.binary_ids(available, offset)?;
        let ids_offset = offset + ids.start as u64;
        for id in binary_ids(Cursor::new(&bytes[ids], ids_offset, header.layout.endian)) {
            id.map_err(|error| error.in_context(header.layout))?;
        }
        let sections = header.sections(available, offset)?;
        Ok(Self {
            bytes,
            offset,
            header,
            sections,
        })
    }

    /// Reads a profile that ends too early, in its counters or behind them: the header, the build
    /// ids and the data records have to be whole. [`RawProfile::records`] then gives the records
    /// whose counters are there, and errors for the others; names have to come from elsewhere.
    ///
    /// # Errors
    /// If less is there.
    pub fn parse_cut(bytes: &'a [u8], offset: u64) -> Result<Self> {
        let header = RawHeader::parse(bytes, offset)?;
        let available = bytes.len() as u64;
        let ids = header.binary_ids(available, offset)?;
        // A claim of more than the address space is no cut, but nonsense.
        let sections = header.sections(isize::MAX.unsigned_abs() as u64, offset)?;
        if sections.records.end > bytes.len() {
            // Says which section it was.
            header.sections(available, offset)?;
        }
        let profile = Self {
            bytes,
            offset,
            sections: sections.clipped(bytes.len()),
            header,
        };
        let ids_offset = offset + ids.start as u64;
        for id in binary_ids(Cursor::new(
            &bytes[ids],
            ids_offset,
            profile.header.layout.endian,
        )) {
            id.map_err(|error| error.in_context(profile.header.layout))?;
        }
        Ok(profile)
    }

    /// The build ids as they lie in the file: what tells profiles of one binary from others.
    /// Empty if the binary has none.
    #[must_use]
    pub fn binary_id_section(&self) -> &'a [u8] {
        &self.bytes[self.sections.binary_ids.clone()]
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &RawHeader {
        &self.header
    }

    /// The build ids of the binary (LLVM: binary ids), in file order.
    pub fn binary_ids(&self) -> impl Iterator<Item = Result<&'a [u8]>> + use<'a> {
        let range = self.sections.binary_ids.clone();
        let offset = self.offset + range.start as u64;
        let cursor = Cursor::new(&self.bytes[range], offset, self.header.layout.endian);
        binary_ids(cursor)
    }

    /// The names blob and where it lies, for [`NameTable::decode`].
    #[must_use]
    pub fn names_blob(&self) -> (&'a [u8], u64) {
        let range = self.sections.names.clone();
        (&self.bytes[range.clone()], self.offset + range.start as u64)
    }

    /// Decodes the names.
    ///
    /// # Errors
    /// As [`NameTable::decode`].
    pub fn names(&self) -> Result<NameTable> {
        self.names_knowing(&mut Chunks::default())
    }

    /// Decodes the names, as far as their chunks are not known.
    ///
    /// # Errors
    /// As [`NameTable::decode`].
    pub fn names_knowing(&self, chunks: &mut Chunks) -> Result<NameTable> {
        let (blob, offset) = self.names_blob();
        NameTable::decode_knowing(chunks, blob, offset)
            .map_err(|error| error.in_context(self.header.layout))
    }

    /// As [`RawProfile::names_knowing`], but keeps only the names of these functions: a program has
    /// the names of all functions that were compiled, and a good deal of them was not linked.
    ///
    /// # Errors
    /// As [`NameTable::decode`].
    pub fn names_of(&self, functions: &Functions, chunks: &mut Chunks) -> Result<NameTable> {
        let (blob, offset) = self.names_blob();
        let wanted = functions.spots().iter().map(|spot| spot.name);
        NameTable::decode_wanted(chunks, wanted, blob, offset)
            .map_err(|error| error.in_context(self.header.layout))
    }

    /// Decodes the names of the vtables.
    ///
    /// # Errors
    /// As [`NameTable::decode`].
    pub fn vtable_names(&self) -> Result<NameTable> {
        let range = self.sections.vtable_names.clone();
        let offset = self.offset + range.start as u64;
        NameTable::decode(&self.bytes[range], offset)
            .map_err(|error| error.in_context(self.header.layout))
    }

    /// The records in file order.
    #[must_use]
    pub fn records(&self) -> RawRecords<'_, 'a> {
        RawRecords::new(self)
    }

    /// A reader of the value data, which follows the names; its blocks belong, in order, to the
    /// records with [`RawRecord::has_values`](crate::raw::RawRecord::has_values).
    #[must_use]
    pub fn values(&self) -> RawValues<'a> {
        self.values_among(self.addresses(), 0)
    }

    pub(crate) fn addresses(&self) -> Arc<Addresses> {
        Arc::new(Addresses::new(self.function_addresses()))
    }

    /// As [`RawProfile::values`]. If all functions are where another run of the binary had them, or
    /// moved as one, they are looked up in that run's table, so that caches have to hold one only.
    pub(crate) fn values_like(&self, other: &Arc<Addresses>) -> RawValues<'a> {
        let functions = self.function_addresses();
        match other.distance_to(&functions) {
            Some(moved) => self.values_among(Arc::clone(other), moved),
            None => self.values_among(Addresses::new(functions).into(), 0),
        }
    }

    fn values_among(&self, functions: Arc<Addresses>, moved: u64) -> RawValues<'a> {
        let start = self.sections.end;
        let layout = self.header.layout;
        RawValues {
            layout,
            cursor: Cursor::new(
                &self.bytes[start..],
                self.offset + start as u64,
                layout.endian,
            ),
            functions,
            moved,
            vtables: self.vtable_addresses(),
        }
    }

    pub(crate) fn sections(&self) -> &Sections {
        &self.sections
    }

    pub(crate) fn records_section(&self) -> &'a [u8] {
        &self.bytes[self.sections.records.clone()]
    }

    pub(crate) fn records_offset(&self) -> u64 {
        self.offset + self.sections.records.start as u64
    }

    pub(crate) fn counters(&self) -> &'a [u8] {
        &self.bytes[self.sections.counters.clone()]
    }

    pub(crate) fn bitmaps(&self) -> &'a [u8] {
        &self.bytes[self.sections.bitmaps.clone()]
    }

    /// Function pointers that are set, sorted by address as LLVM sorts them: with identical code
    /// folding, several functions have one address and the tie decides the name.
    fn function_addresses(&self) -> Vec<(u64, NameRef)> {
        let layout = &self.header.layout;
        let size = usize::try_from(layout.record.bytes).unwrap_or(usize::MAX);
        let mut addresses: Vec<(u64, NameRef)> = self
            .records_section()
            .chunks_exact(size)
            .map(|record| {
                let address = read_pointer(layout, &record[layout.record.function_pointer..]);
                (address, NameRef(layout.endian.u64(record)))
            })
            .filter(|(address, _)| *address != 0)
            .collect();
        // Records are mostly in the order of the code.
        if !addresses.is_sorted_by(|(one, _), (next, _)| one < next) {
            sort_like_libstdcxx(&mut addresses, |(address, _)| *address);
            addresses.dedup();
        }
        addresses
    }

    /// VTables as (first address, end, name), sorted by address.
    fn vtable_addresses(&self) -> Vec<(u64, u64, u64)> {
        let layout = &self.header.layout;
        let size = usize::try_from(layout.vtable_bytes()).unwrap_or(usize::MAX);
        let size_at = if layout.pointer_bytes == 8 { 16 } else { 12 };
        let mut tables: Vec<(u64, u64, u64)> = self.bytes[self.sections.vtables.clone()]
            .chunks_exact(size)
            .map(|table| {
                let start = read_pointer(layout, &table[8..]);
                let len = u64::from(layout.endian.u32(&table[size_at..]));
                (start, start.saturating_add(len), layout.endian.u64(table))
            })
            .filter(|(start, _, _)| *start != 0)
            .collect();
        tables.sort_by_key(|(start, _, _)| *start);
        tables
    }
}

fn read_pointer(layout: &Layout, bytes: &[u8]) -> u64 {
    match layout.pointer_bytes {
        8 => layout.endian.u64(bytes),
        _ => u64::from(layout.endian.u32(bytes)),
    }
}

/// Build ids: `u64` length, bytes, zero padding to 8, repeated. After an error it ends.
pub(crate) fn binary_ids<'a>(
    mut cursor: Cursor<'a>,
) -> impl Iterator<Item = Result<&'a [u8]>> + use<'a> {
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || cursor.is_empty() {
            return None;
        }
        let id = binary_id(&mut cursor);
        failed = id.is_err();
        Some(id)
    })
}

fn binary_id<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let malformed = |detail: &'static str| {
        move |error: Error| error.reclassify(ErrorKind::Malformed).with_detail(detail)
    };
    let at = cursor.offset();
    let too_short = malformed("not enough data to read binary id length");
    let len = cursor.u64("binary id length").map_err(too_short)?;
    if len == 0 {
        return Err(Error::malformed("binary id length", at, "at least 1", 0)
            .with_detail("binary id length is 0"));
    }
    let padded = len.saturating_add(pad8(len));
    let too_short = malformed("not enough data to read binary id data");
    let id = cursor.take(padded, "binary id data").map_err(too_short)?;
    Ok(&id[..usize::try_from(len).unwrap_or(0)])
}

/// Reads the blocks of value data one after another.
#[derive(Clone, Debug)]
pub struct RawValues<'a> {
    layout: Layout,
    cursor: Cursor<'a>,
    functions: Arc<Addresses>,
    /// How much further on than in their table the functions are.
    moved: u64,
    vtables: Vec<(u64, u64, u64)>,
}

impl<'a> RawValues<'a> {
    /// Where the next block begins; after the last one, where the profile ends.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.cursor.offset()
    }

    /// Reads the next block into `values`, addresses replaced by name hashes (0 where no
    /// instrumented function or vtable has the address).
    ///
    /// # Errors
    /// If the block is cut short or contradicts itself.
    pub fn next_into(&mut self, values: &mut Values) -> Result<()> {
        let mut cursor = self.cursor.clone();
        let read = self.read_from(&mut cursor, values);
        self.cursor = cursor;
        read
    }

    /// Checks the next block and steps over it; returns where it begins.
    pub(crate) fn skip(&mut self) -> Result<u64> {
        let start = self.offset();
        walk_value_block(&mut self.cursor, |_, _, _| {})
            .map_err(|error| error.in_context(self.layout))?;
        Ok(start)
    }

    /// As [`RawValues::next_into`], of the block that begins at `offset` of the file.
    pub(crate) fn read_at(&self, offset: u64, values: &mut Values) -> Result<()> {
        self.read_from(&mut self.at(offset)?, values)
    }

    /// How many bytes the block has that begins at `offset` of the file.
    pub(crate) fn bytes_at(&self, offset: u64) -> Result<u64> {
        Ok(u64::from(self.at(offset)?.u32("value data")?))
    }

    fn at(&self, offset: u64) -> Result<Cursor<'a>> {
        let mut cursor = self.cursor.clone();
        cursor.take(offset.saturating_sub(cursor.offset()), "value data")?;
        Ok(cursor)
    }

    fn read_from(&self, cursor: &mut Cursor<'a>, values: &mut Values) -> Result<()> {
        let (functions, vtables) = (&self.functions, &self.vtables);
        read_value_block(cursor, values, |kind, value| match kind {
            0 => functions.at(value.wrapping_sub(self.moved)),
            2 => vtable_at(vtables, value),
            _ => value,
        })
        .map_err(|error| error.in_context(self.layout))
    }
}

/// Functions by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    /// In ascending order.
    functions: Vec<(u64, NameRef)>,
    /// The addresses from the first one on are cut into pieces of `1 << shift`; for each, the index
    /// of the first function that is in it or after it. So few functions are left to be searched.
    pieces: Vec<u32>,
    shift: u32,
}

impl Addresses {
    fn new(functions: Vec<(u64, NameRef)>) -> Self {
        let (Some((first, _)), Some((last, _))) = (functions.first(), functions.last()) else {
            return Self::default();
        };
        let span = last - first;
        // About two pieces for each function, which is a record in memory.
        let wanted = 2 * functions.len() as u64;
        let shift = (span / wanted).checked_ilog2().map_or(0, |log| log + 1);
        let mut pieces = Vec::with_capacity(usize::try_from((span >> shift) + 2).unwrap_or(0));
        for (index, (address, _)) in (0..).zip(&functions) {
            let piece = usize::try_from((address - first) >> shift).unwrap_or(usize::MAX);
            if pieces.len() <= piece {
                pieces.resize(piece + 1, index);
            }
        }
        Self {
            functions,
            pieces,
            shift,
        }
    }

    /// By how much these addresses are larger, if all are by the same, of the same functions.
    fn distance_to(&self, functions: &[(u64, NameRef)]) -> Option<u64> {
        let (here, there) = (self.functions.first()?.0, functions.first()?.0);
        let distance = there.wrapping_sub(here);
        let is_like = |((one, name), (other, other_name)): (&(u64, NameRef), &(u64, NameRef))| {
            other.wrapping_sub(*one) == distance && name == other_name
        };
        let is_same = self.functions.len() == functions.len()
            && self.functions.iter().zip(functions).all(is_like);
        is_same.then_some(distance)
    }

    fn at(&self, address: u64) -> u64 {
        let first = self.functions.first().map_or(0, |(first, _)| *first);
        let Some(piece) = address.checked_sub(first) else {
            return 0;
        };
        let piece = usize::try_from(piece >> self.shift).unwrap_or(usize::MAX);
        let Some(&start) = self.pieces.get(piece) else {
            return 0;
        };
        let end = self.pieces.get(piece + 1);
        let end = end.map_or(self.functions.len(), |end| *end as usize);
        let near = &self.functions[start as usize..end];
        let index = near.partition_point(|(start, _)| *start < address);
        match near.get(index) {
            Some((start, name)) if *start == address => name.0,
            _ => 0,
        }
    }
}

fn vtable_at(vtables: &[(u64, u64, u64)], address: u64) -> u64 {
    let after = vtables.partition_point(|(start, _, _)| *start <= address);
    match after.checked_sub(1).and_then(|index| vtables.get(index)) {
        Some((_, end, name)) if address < *end => *name,
        _ => 0,
    }
}

/// Reads one block of value data (LLVM: `ValueProfData`): the same in raw and indexed files.
pub(crate) fn read_value_block(
    cursor: &mut Cursor<'_>,
    values: &mut Values,
    map: impl Fn(usize, u64) -> u64,
) -> Result<()> {
    values.clear();
    let endian = cursor.endian();
    walk_value_block(cursor, |kind, counts, mut pairs| {
        let sites = values.kind_mut(kind);
        // A kind that a block holds twice: the later one counts.
        sites.clear();
        for &count in counts {
            // There are as many pairs as the counts say together.
            let (site, rest) = pairs.split_at(usize::from(count));
            pairs = rest;
            sites.push(site.iter().map(|pair| ValueCount {
                value: map(kind, endian.u64(pair)),
                count: endian.u64(&pair[8..]),
            }));
        }
    })
}

/// A kind in a block of value data: its number, how many values each site has, and all values with
/// their counts.
type Kind<'a> = (usize, &'a [u8], &'a [[u8; 16]]);

/// Checks one block of value data and tells of each kind in it: how many values each site has, and
/// all their values with their counts.
fn walk_value_block<'a>(
    cursor: &mut Cursor<'a>,
    mut tell: impl FnMut(usize, &'a [u8], &'a [[u8; 16]]),
) -> Result<()> {
    const WHAT: &str = "value data";
    let start = cursor.offset();
    let rest = cursor.rest();
    let available = cursor.remaining();
    if available < 8 {
        return Err(Error::truncated(WHAT, start, 8, available));
    }
    let mut probe = cursor.clone();
    let total_bytes = u64::from(probe.u32(WHAT)?);
    let kind_count = probe.u32(WHAT)?;
    if total_bytes > available {
        return Err(
            Error::truncated(WHAT, start, total_bytes, available).reclassify(ErrorKind::TooLarge)
        );
    }
    if kind_count as usize > VALUE_KINDS {
        return Err(
            Error::malformed("number of value kinds", start + 4, "at most 3", kind_count)
                .with_detail("number of value profile kinds is invalid"),
        );
    }
    if total_bytes % 8 != 0 || total_bytes < 8 {
        return Err(Error::malformed(
            "size of value data",
            start,
            "a multiple of 8, at least 8",
            total_bytes,
        )
        .with_detail("total size is not multiples of quardword"));
    }
    let block = &rest[8..usize::try_from(total_bytes).unwrap_or(8)];
    let mut inner = probe;
    inner.limit(block);
    for _ in 0..kind_count {
        let (kind, counts, pairs) = walk_kind(&mut inner, start)?;
        tell(kind, counts, pairs);
    }
    cursor.take(total_bytes, WHAT)?;
    Ok(())
}

fn walk_kind<'a>(cursor: &mut Cursor<'a>, block: u64) -> Result<Kind<'a>> {
    let outside = |error: Error| {
        error
            .reclassify(ErrorKind::Malformed)
            .with_detail("value profile address is greater than total size")
    };
    let at = cursor.offset();
    let kind = cursor.u32("value kind").map_err(outside)? as usize;
    if kind >= VALUE_KINDS {
        return Err(Error::malformed("value kind", at, "0, 1 or 2", kind)
            .with_detail("value kind is invalid"));
    }
    let site_count = u64::from(cursor.u32("number of value sites").map_err(outside)?);
    let counts = cursor
        .take(site_count, "value site counts")
        .map_err(outside)?;
    let padding = pad8(cursor.offset() - block);
    cursor
        .take(padding, "padding of value site counts")
        .map_err(outside)?;
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let pairs = cursor.take_array(total, 16, "values").map_err(outside)?;
    Ok((kind, counts, pairs.as_chunks::<16>().0))
}
