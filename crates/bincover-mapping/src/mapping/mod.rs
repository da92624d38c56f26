//! Reads the three sections of one object (LLVM: `BinaryCoverageReader`,
//! `VersionedCovMapFuncRecordReader` in `CoverageMappingReader.cpp` at `llvmorg-22.1.8`).

mod file_names;
mod function;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use bincover_profile::bytes::{Cursor, Endian, pad8};
use bincover_profile::{FunctionHash, HashedMap, NameRef, NameTable, md5_low64};
use bstr::BString;

use crate::error::{Error, ErrorKind, Result};
use crate::object_file::{COVFUN, COVMAP, NAMES, Sections};

pub(crate) use function::{
    ConditionIds, Counter, DecisionBits, Decoded, MappedKind, MappedRegion, Mcdc,
};

/// The version field's value is one less than the version's name.
const OLDEST: u32 = 3;
const NEWEST: u32 = 6;

/// The coverage mapping of one object: file names read, each function's record found, the regions
/// still undecoded.
#[derive(Debug)]
pub struct Mapping<'a> {
    names: NameTable,
    tables: Vec<Vec<BString>>,
    records: Vec<Record>,
    covfun: Cow<'a, [u8]>,
}

/// One function's record; its bytes are in `Mapping::covfun`.
#[derive(Debug)]
struct Record {
    name: NameRef,
    hash: FunctionHash,
    /// Index into `Mapping::tables`.
    table: usize,
    bytes: Range<usize>,
}

/// One function of a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FunctionRecord<'m> {
    /// As the profile has it, file prefix of local functions included.
    pub(crate) name: &'m [u8],
    pub(crate) name_ref: NameRef,
    pub(crate) hash: FunctionHash,
    /// Index into [`Mapping::tables`].
    pub(crate) table: usize,
    pub(crate) bytes: &'m [u8],
    /// Where the bytes lie in the section.
    pub(crate) offset: u64,
}

impl<'a> Mapping<'a> {
    /// Reads the mapping of one object.
    ///
    /// # Errors
    /// If the bytes are no ELF object, have no coverage sections, or these are malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Self::parse_with(bytes, b"")
    }

    /// As [`Mapping::parse`]; relative file names are resolved against `compilation_dir` instead
    /// of the compiler's own record, unless it is empty (llvm-cov's `-compilation-dir`).
    ///
    /// # Errors
    /// As [`Mapping::parse`].
    pub fn parse_with(bytes: &'a [u8], compilation_dir: &[u8]) -> Result<Self> {
        let sections = Sections::find(bytes)?;
        let names = NameTable::decode(sections.names, 0)
            .map_err(|error| Error::from(error).in_section(NAMES))?;
        let tables = FileTables::read(sections.covmap, sections.endian, compilation_dir)
            .map_err(|error| error.in_section(COVMAP))?;
        let records = read_records(&sections, &names, &tables.by_key)
            .map_err(|error| error.in_section(COVFUN))?;
        Ok(Self {
            names,
            tables: tables.tables,
            records,
            covfun: sections.covfun,
        })
    }

    /// How many functions have a mapping.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.records.len()
    }

    /// The file name tables, resolved.
    pub(crate) fn tables(&self) -> &[Vec<BString>] {
        &self.tables
    }

    /// The functions in record order.
    pub(crate) fn functions(&self) -> impl Iterator<Item = FunctionRecord<'_>> {
        self.records.iter().map(|record| FunctionRecord {
            name: self.names.get(record.name).unwrap_or_default(),
            name_ref: record.name,
            hash: record.hash,
            table: record.table,
            bytes: &self.covfun[record.bytes.clone()],
            offset: record.bytes.start as u64,
        })
    }
}

/// The file name tables of an object and the keys by which records refer to them.
#[derive(Default)]
struct FileTables {
    tables: Vec<Vec<BString>>,
    /// `None`: two different tables have this key, and records with it are passed over.
    by_key: HashMap<u64, Option<usize>>,
}

impl FileTables {
    /// Reads the headers of `__llvm_covmap`, each with one table.
    fn read(section: &[u8], endian: Endian, compilation_dir: &[u8]) -> Result<Self> {
        let mut found = Self::default();
        let mut cursor = Cursor::new(section, 0, endian);
        let mut version = None;
        while !cursor.is_empty() {
            let at = cursor.offset();
            let _record_count = cursor.u32("NRecords")?;
            let table_bytes = cursor.u32("FilenamesSize")?;
            let mapping_bytes = cursor.u32("CoverageSize")?;
            let stated = cursor.u32("Version")?;
            // The first header speaks for the whole object, as in LLVM.
            let version = *version.get_or_insert(stated);
            if !(OLDEST..=NEWEST).contains(&version) {
                let message = format!(
                    "coverage mapping version: expected 4 to 7 at offset {:#x}, found {}",
                    at + 12,
                    u64::from(version) + 1
                );
                return Err(Error::new(ErrorKind::UnsupportedVersion, message));
            }
            if mapping_bytes != 0 {
                return Err(Error::malformed(at + 8, "CoverageSize", 0, mapping_bytes));
            }
            let table_at = cursor.offset();
            let table = cursor.take(u64::from(table_bytes), "file names")?;
            let resolve = version >= 5;
            let names = file_names::read(table, table_at, resolve, compilation_dir)?;
            found.add(md5_low64(table), names);
            let padding = pad8(cursor.offset()).min(cursor.remaining());
            cursor.take(padding, "padding of file names")?;
        }
        Ok(found)
    }

    fn add(&mut self, key: u64, names: Vec<BString>) {
        match self.by_key.get(&key) {
            Some(Some(known)) if self.tables[*known] != names => {
                self.by_key.insert(key, None);
            }
            Some(_) => {}
            None => {
                self.by_key.insert(key, Some(self.tables.len()));
                self.tables.push(names);
            }
        }
    }
}

/// Reads `__llvm_covfun` and keeps one record for each name: the first, unless that is a dummy and
/// a later one is not, which then takes its place.
fn read_records(
    sections: &Sections<'_>,
    names: &NameTable,
    tables: &HashMap<u64, Option<usize>>,
) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    let mut by_name: HashedMap<NameRef, usize> = HashedMap::default();
    let mut cursor = Cursor::new(&sections.covfun, 0, sections.endian);
    while !cursor.is_empty() {
        let at = cursor.offset();
        let name = NameRef(cursor.u64("NameRef")?);
        let data_bytes = cursor.u32("DataSize")?;
        let hash = FunctionHash(cursor.u64("FuncHash")?);
        let key = cursor.u64("FilenamesRef")?;
        let start = usize::try_from(cursor.offset()).unwrap_or(usize::MAX);
        let data = cursor.take(u64::from(data_bytes), "mapping data")?;
        let padding = pad8(cursor.offset()).min(cursor.remaining());
        cursor.take(padding, "padding of mapping data")?;

        let table = match tables.get(&key) {
            Some(Some(table)) => *table,
            Some(None) => continue,
            None => {
                return Err(Error::malformed(
                    at + 20,
                    "FilenamesRef",
                    "the key of a file name table",
                    format_args!("{key:#x}"),
                ));
            }
        };
        let record = Record {
            name,
            hash,
            table,
            bytes: start..start + data.len(),
        };
        match by_name.get(&name) {
            None => {
                if names.get(name).is_none() {
                    return Err(Error::malformed(
                        at,
                        "NameRef",
                        "the hash of a function name",
                        format_args!("{:#x}", name.0),
                    ));
                }
                by_name.insert(name, records.len());
                records.push(record);
            }
            Some(&index) => {
                let known = &records[index];
                let known_data = &sections.covfun[known.bytes.clone()];
                if function::is_dummy(known.hash, known_data) && !function::is_dummy(hash, data) {
                    records[index] = record;
                }
            }
        }
    }
    Ok(records)
}
