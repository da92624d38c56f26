//! Function records: where each function's mapping lies (LLVM: `CovMapFunctionRecordV1` to `V3`,
//! `insertFunctionRecordIfNeeded`).

use std::collections::hash_map::Entry;

use bincover_profile::bytes::{Cursor, Endian, pad8};
use bincover_profile::{FunctionHash, HashedMap, NameRef};

use crate::error::{Error, Result};
use crate::mapping::function::is_dummy;
use crate::mapping::{Header, Name, Record};
use crate::sections::Sections;

/// Reads `__llvm_covfun`: since version 4, each record is followed by its mapping. `tables` are
/// those of file names by key; a record whose table is `None` is passed over.
pub(super) fn read(
    section: &[u8],
    endian: Endian,
    tables: &HashedMap<u64, Option<u32>>,
) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut cursor = Cursor::new(section, 0, endian);
    while !cursor.is_empty() {
        let offset = cursor.offset();
        let name = NameRef(cursor.u64("NameRef")?);
        let len = cursor.u32("DataSize")?;
        let hash = FunctionHash(cursor.u64("FuncHash")?);
        let key = cursor.u64("FilenamesRef")?;
        let start = cursor.offset();
        cursor.take(u64::from(len), "mapping data")?;
        let padding = pad8(cursor.offset()).min(cursor.remaining());
        cursor.take(padding, "padding of mapping data")?;
        match tables.get(&key) {
            Some(Some(table)) => records.push(Record {
                name: Name::Ref(name),
                hash,
                table: *table,
                start,
                len,
                offset,
            }),
            Some(None) => {}
            None => {
                let expected = "the key of a file name table";
                let found = format_args!("{key:#x}");
                let detail = format!("no filename found for function with hash=0x{key:x}");
                return Err(
                    Error::malformed(offset + 20, "FilenamesRef", expected, found)
                        .with_llvm_detail(detail),
                );
            }
        }
    }
    Ok(records)
}

/// Records before version 4, in `__llvm_covmap`: one after another, and their mappings likewise
/// behind the file names.
pub(super) struct OldLayout {
    /// Width of a pointer to the name and where names are in memory (version 1), instead of the
    /// name's hash.
    pointer: Option<(u8, u64)>,
    names_len: usize,
}

impl OldLayout {
    pub(super) fn new(version: u32, sections: &Sections<'_>) -> Self {
        Self {
            pointer: (version == 0).then_some((sections.pointer_bytes, sections.names_address)),
            names_len: sections.names.len(),
        }
    }

    pub(super) fn record_bytes(&self) -> u64 {
        match self.pointer {
            Some((width, _)) => u64::from(width) + 16,
            None => 20,
        }
    }

    pub(super) fn read(
        &self,
        header: &Header<'_>,
        table: u32,
        records: &mut Vec<Record>,
    ) -> Result<()> {
        let mut cursor = header.records.clone();
        let mut mappings = header.mappings.clone();
        for _ in 0..header.record_count {
            let offset = cursor.offset();
            let name = match self.pointer {
                Some((width, address)) => {
                    let pointer = match width {
                        8 => cursor.u64("NamePtr")?,
                        _ => u64::from(cursor.u32("NamePtr")?),
                    };
                    let len = u64::from(cursor.u32("NameSize")?);
                    self.span(offset, pointer.wrapping_sub(address), len)?
                }
                None => Name::Ref(NameRef(cursor.u64("NameRef")?)),
            };
            let len = cursor.u32("DataSize")?;
            let hash = FunctionHash(cursor.u64("FuncHash")?);
            let start = mappings.offset();
            mappings.take(u64::from(len), "mapping data")?;
            records.push(Record {
                name,
                hash,
                table,
                start,
                len,
                offset,
            });
        }
        Ok(())
    }

    /// A name inside the names section.
    fn span(&self, offset: u64, start: u64, len: u64) -> Result<Name> {
        let is_inside = |end: &u64| *end <= self.names_len as u64;
        let inside = start.checked_add(len).filter(is_inside);
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) if inside.is_some() && len > 0 => Ok(Name::Span { start, len }),
            _ => Err(no_name(
                offset,
                format_args!("{len} bytes at {start:#x} of it"),
            )),
        }
    }
}

/// A record's name is not there.
#[cold]
pub(crate) fn no_name(offset: u64, found: impl std::fmt::Display) -> Error {
    Error::malformed(offset, "function name", "one in the names section", found)
        .with_llvm_message("malformed instrumentation profile data: function name is empty")
}

/// Keeps one record for each name: the first, unless that is a dummy and a later one is not, which
/// then takes its place.
pub(super) fn one_of_each(records: Vec<Record>, data: &[u8]) -> Vec<Record> {
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    let mut by_name: HashedMap<u64, usize> =
        HashedMap::with_capacity_and_hasher(records.len(), Default::default());
    let is_dummy = |record: &Record| is_dummy(record.hash, record.bytes(data));
    for record in records {
        let key = match record.name {
            Name::Ref(name) => name.0,
            Name::Span { start, .. } => u64::from(start),
        };
        match by_name.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(kept.len());
                kept.push(record);
            }
            Entry::Occupied(slot) => {
                let known = &mut kept[*slot.get()];
                if is_dummy(known) && !is_dummy(&record) {
                    *known = record;
                }
            }
        }
    }
    kept
}
