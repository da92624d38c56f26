//! Reads an indexed profile from front to back, as LLVM's merge does (LLVM:
//! `IndexedInstrProfReader`). Nothing is looked up by hash here, so the bucket table is used for its
//! count of names only.

use crate::bytes::{Cursor, Endian, pad8};
use crate::error::{Error, ErrorKind, Result};
use crate::indexed::header::IndexedHeader;
use crate::kind::ProfileKind;
use crate::names::{NameRef, NameTable};
use crate::profile::FunctionHash;
use crate::raw::Counters;
use crate::raw::{binary_ids, read_value_block};
use crate::traces::Trace;
use crate::values::Values;

/// An indexed profile: header and table checked, nothing copied.
#[derive(Clone, Debug)]
pub struct IndexedProfile<'a> {
    pub(super) bytes: &'a [u8],
    header: IndexedHeader,
    payload_start: u64,
    name_count: u64,
    /// Where each bucket of the hash table lies; 0 if it is empty.
    pub(super) buckets: &'a [[u8; 8]],
}

/// One function's record.
#[derive(Clone, Copy, Debug)]
pub struct IndexedRecord<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The name's hash as the table claims it; [`NameRef::of`] the name is the truth.
    pub claimed_name_ref: NameRef,
    /// The function's hash.
    pub hash: FunctionHash,
    /// Counters: little-endian words.
    pub counters: Counters<'a>,
    /// The MC/DC bitmap: each byte as a little-endian word.
    pub bitmap_words: &'a [u8],
    /// Where the counters begin in the file.
    pub(crate) counters_at: u64,
}

impl<'a> IndexedProfile<'a> {
    /// Reads the header, steps over the summaries and finds the table.
    ///
    /// # Errors
    /// If the header is not one of versions 1 to 13, or points outside the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() < 24 {
            return Err(Error::truncated("header", 0, 24, bytes.len() as u64));
        }
        let header = IndexedHeader::parse(bytes)?;
        let layout = header.layout;
        Self::find_table(bytes, header).map_err(|error| error.in_context(layout))
    }

    fn find_table(bytes: &'a [u8], header: IndexedHeader) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, 0, Endian::Little);
        cursor.take(header.layout.header_bytes, "header")?;
        if header.layout.summary {
            skip_summary(&mut cursor)?;
            if header.kind.contains(ProfileKind::CONTEXT_SENSITIVE) {
                skip_summary(&mut cursor)?;
            }
        }
        let payload_start = cursor.offset();
        let mut table = at(bytes, header.hash_offset, "HashOffset", 0x20)?;
        if header.hash_offset < payload_start {
            return Err(unreadable_data(Error::malformed(
                "HashOffset",
                0x20,
                format_args!("at least {payload_start:#x}"),
                format_args!("{:#x}", header.hash_offset),
            )));
        }
        let buckets = table.u64("number of buckets")?;
        let name_count = table.u64("number of names")?;
        let buckets = table.take_array(buckets, 8, "bucket table")?;
        if let Some(offset) = header.vtable_names_offset {
            let mut names = at(bytes, offset, "VTableNamesOffset", 0x40)?;
            let len = names.u64("size of vtable names")?;
            names.take(len.saturating_add(pad8(len)), "vtable names")?;
        }
        Ok(Self {
            bytes,
            header,
            payload_start,
            name_count,
            buckets: buckets.as_chunks().0,
        })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &IndexedHeader {
        &self.header
    }

    /// Where the records begin in the file.
    pub(crate) fn payload_start(&self) -> u64 {
        self.payload_start
    }

    /// The build ids, in file order.
    ///
    /// # Errors
    /// If the section is not inside the file.
    pub fn binary_ids(&self) -> Result<impl Iterator<Item = Result<&'a [u8]>> + use<'a>> {
        let layout = self.header.layout;
        let section = self
            .binary_id_section()
            .map_err(|error| error.in_context(layout))?;
        Ok(binary_ids(section).map(move |id| id.map_err(|error| error.in_context(layout))))
    }

    fn binary_id_section(&self) -> Result<Cursor<'a>> {
        Ok(match self.header.binary_id_offset {
            Some(offset) => {
                let mut cursor = at(self.bytes, offset, "BinaryIdOffset", 0x30)?;
                let len = cursor.u64("size of binary ids")?;
                if len % 8 != 0 {
                    return Err(Error::new(
                        ErrorKind::BadHeader,
                        "size of binary ids",
                        offset,
                        "a multiple of 8",
                        len,
                    ));
                }
                let start = cursor.offset();
                Cursor::new(cursor.take(len, "binary ids")?, start, Endian::Little)
            }
            None => Cursor::new(&[], 0, Endian::Little),
        })
    }

    /// The temporal traces, and how many there were to choose from.
    ///
    /// # Errors
    /// If the section is not inside the file.
    pub fn traces(&self) -> Result<(Vec<Trace>, u64)> {
        let layout = self.header.layout;
        self.read_traces().map_err(|error| error.in_context(layout))
    }

    fn read_traces(&self) -> Result<(Vec<Trace>, u64)> {
        let is_temporal = self.header.kind.contains(ProfileKind::TEMPORAL);
        let Some(offset) = self.header.traces_offset.filter(|_| is_temporal) else {
            return Ok((Vec::new(), 0));
        };
        let mut cursor = at(self.bytes, offset, "TemporalProfTracesOffset", 0x38)?;
        let count = cursor.u64("number of traces")?;
        let stream_size = cursor.u64("trace stream size")?;
        let mut traces = Vec::new();
        for _ in 0..count {
            let weight = cursor.u64("trace weight")?;
            let length = cursor.u64("trace length")?;
            let words = cursor.take_array(length, 8, "trace")?;
            let functions = words.as_chunks().0.iter();
            let functions = functions
                .map(|word| NameRef(u64::from_le_bytes(*word)))
                .collect();
            traces.push(Trace { weight, functions });
        }
        Ok((traces, stream_size))
    }

    /// The names of the vtables, if they were kept.
    ///
    /// # Errors
    /// As [`NameTable::decode`].
    pub fn vtable_names(&self) -> Result<NameTable> {
        let layout = self.header.layout;
        self.read_vtable_names()
            .map_err(|error| error.in_context(layout))
    }

    fn read_vtable_names(&self) -> Result<NameTable> {
        let Some(offset) = self.header.vtable_names_offset else {
            return Ok(NameTable::default());
        };
        let mut cursor = at(self.bytes, offset, "VTableNamesOffset", 0x40)?;
        let len = cursor.u64("size of vtable names")?;
        let start = cursor.offset();
        NameTable::decode(cursor.take(len, "vtable names")?, start)
    }

    /// Calls `visit` with each record in the order of the file; `values` holds its value sites.
    ///
    /// # Errors
    /// If the payload is cut short or contradicts itself; the records before have been visited.
    pub fn for_each(
        &self,
        values: &mut Values,
        mut visit: impl FnMut(IndexedRecord<'a>, &Values),
    ) -> Result<()> {
        let layout = self.header.layout;
        self.buckets(values, &mut visit)
            .map_err(|error| error.in_context(layout))
    }

    fn buckets(
        &self,
        values: &mut Values,
        visit: &mut impl FnMut(IndexedRecord<'a>, &Values),
    ) -> Result<()> {
        let end = usize::try_from(self.header.hash_offset).unwrap_or(usize::MAX);
        let start = usize::try_from(self.payload_start).unwrap_or(usize::MAX);
        let payload = &self.bytes[start..end];
        let mut cursor = Cursor::new(payload, self.payload_start, Endian::Little);
        let mut names_left = self.name_count;
        while names_left > 0 {
            let items = cursor
                .u16("number of items in a bucket")
                .map_err(unreadable_data)?;
            let items = u64::from(items);
            if items == 0 || items > names_left {
                let error = Error::malformed(
                    "number of items in a bucket",
                    cursor.offset() - 2,
                    format_args!("1 to {names_left}"),
                    items,
                );
                return Err(unreadable_data(error));
            }
            for _ in 0..items {
                self.item(&mut cursor, values, visit)
                    .map_err(unreadable_data)?;
            }
            names_left -= items;
        }
        Ok(())
    }

    fn item(
        &self,
        cursor: &mut Cursor<'a>,
        values: &mut Values,
        visit: &mut impl FnMut(IndexedRecord<'a>, &Values),
    ) -> Result<()> {
        let claimed_name_ref = NameRef(cursor.u64("name hash")?);
        let name_bytes = cursor.u64("name length")?;
        let data_bytes = cursor.u64("data length")?;
        let name = cursor.take(name_bytes, "name")?;
        let data_offset = cursor.offset();
        let data = cursor.take(data_bytes, "function data")?;
        self.records(name, claimed_name_ref, (data, data_offset), values, visit)
    }

    /// The records under a name, of which there is at least one; their bytes, and where these lie.
    pub(super) fn records(
        &self,
        name: &'a [u8],
        claimed_name_ref: NameRef,
        (data, data_offset): (&'a [u8], u64),
        values: &mut Values,
        visit: &mut impl FnMut(IndexedRecord<'a>, &Values),
    ) -> Result<()> {
        if !data.len().is_multiple_of(8) || data.is_empty() {
            return Err(Error::malformed(
                "data length",
                data_offset,
                "a multiple of 8, at least 8",
                data.len(),
            ));
        }
        let mut data = Cursor::new(data, data_offset, Endian::Little);
        while !data.is_empty() {
            let record = self.counters_and_bitmap(name, claimed_name_ref, &mut data)?;
            values.clear();
            if self.header.layout.values {
                read_value_block(&mut data, values, |_, value| value)?;
            }
            visit(record, values);
        }
        Ok(())
    }

    /// The next record under a name, of which the value sites are left.
    pub(super) fn counters_and_bitmap(
        &self,
        name: &'a [u8],
        claimed_name_ref: NameRef,
        data: &mut Cursor<'a>,
    ) -> Result<IndexedRecord<'a>> {
        let hash = FunctionHash(data.u64("function hash")?);
        let count = match self.header.layout.count_field {
            true => data.u64("number of counts")?,
            false => data.remaining() / 8,
        };
        let counters_at = data.offset();
        let counters = data.take_array(count, 8, "counts")?;
        let bitmap_words = if self.header.layout.bitmaps {
            let count = data.u64("number of bitmap bytes")?;
            data.take_array(count, 8, "bitmap bytes")?
        } else {
            &[]
        };
        Ok(IndexedRecord {
            name,
            claimed_name_ref,
            hash,
            counters: Counters::Words(counters, Endian::Little),
            bitmap_words,
            counters_at,
        })
    }
}

/// LLVM has one message for all that can be wrong with the payload.
#[cold]
pub(super) fn unreadable_data(error: Error) -> Error {
    error
        .reclassify(ErrorKind::Malformed)
        .with_detail("profile data is empty")
}

/// A cursor from `offset` to the end of the file. The header's `field`, which lies at `field_at`,
/// says the offset.
pub(super) fn at<'a>(
    bytes: &'a [u8],
    offset: u64,
    field: &'static str,
    field_at: u64,
) -> Result<Cursor<'a>> {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..));
    match rest {
        Some(rest) => Ok(Cursor::new(rest, offset, Endian::Little)),
        None => Err(Error::new(
            ErrorKind::Truncated,
            field,
            field_at,
            format_args!("at most {:#x}, the file's size", bytes.len()),
            format_args!("{offset:#x}"),
        )),
    }
}

/// Two counts, then fields of 8 and cutoffs of 24 bytes.
fn skip_summary(cursor: &mut Cursor<'_>) -> Result<()> {
    let fields = cursor.u64("number of summary fields")?;
    let cutoffs = cursor.u64("number of summary cutoffs")?;
    cursor.take_array(fields, 8, "summary fields")?;
    cursor.take_array(cutoffs, 24, "summary cutoffs")?;
    Ok(())
}
