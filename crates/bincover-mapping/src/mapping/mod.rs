//! Reads the three sections of each object of a file (LLVM: `BinaryCoverageReader`,
//! `VersionedCovMapFuncRecordReader` in `CoverageMappingReader.cpp` at `llvmorg-22.1.8`).
//!
//! Reading lists the function records of an object and decodes none: which of them are needed is
//! known when all objects are.

mod file_names;
mod function;
mod records;

use std::borrow::Cow;
use std::num::NonZeroUsize;

use bincover_profile::bytes::{Cursor, pad8};
use bincover_profile::{FunctionHash, HashedMap, Inflater, NameRef, md5_low64};
use bstr::BString;

use crate::container::{self, Found, ParseOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel;
use crate::sections::{COVFUN, COVMAP, Sections};

pub(crate) use file_names::{TableLayout, read as read_file_names};
pub(crate) use function::{
    ConditionIds, Counter, DecisionBits, Decoded, MappedKind, MappedRegion, Mcdc, files_of,
};
pub(crate) use records::no_name;

/// The version field's value is one less than the version's name.
const NEWEST: u32 = 6;

/// From this value of the version field on, records have a section of their own.
pub(crate) const OLDEST_WITH_COVFUN: u32 = 3;

/// From this value of the version field on, entry 0 of a table is the compiler's directory.
const OLDEST_WITH_DIRECTORY: u32 = 5;

/// The coverage mapping of one file: of an object, or of all objects of an archive or a universal
/// file. The function records are found, their regions still undecoded.
#[derive(Debug)]
pub struct Mapping<'a> {
    compilation_dir: Vec<u8>,
    units: Vec<Unit<'a>>,
}

/// The coverage mapping of one object.
#[derive(Debug)]
pub(crate) struct Unit<'a> {
    /// The member of the archive, or the slice of the universal file, that it is.
    pub(crate) member: Option<BString>,
    /// The blob of function names; read over in version 1.
    pub(crate) names: &'a [u8],
    pub(crate) table_layout: TableLayout,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) records: Vec<Record>,
    /// The section that holds the records' mappings, and its name.
    data: Cow<'a, [u8]>,
    pub(crate) section: &'static str,
}

/// A table of file names, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where it lies in `__llvm_covmap`.
    pub(crate) offset: u64,
}

/// One function's record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) hash: FunctionHash,
    /// Index into [`Unit::tables`].
    pub(crate) table: u32,
    /// Length of its mapping.
    len: u32,
    /// Where its mapping lies in the section.
    start: u64,
    /// Where its record begins in the section.
    pub(crate) offset: u64,
}

/// How a record names its function.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    /// By hash.
    Ref(NameRef),
    /// By its place in the names section (version 1).
    Span { start: u32, len: u32 },
}

impl<'a> Mapping<'a> {
    /// Reads the mapping of one file.
    ///
    /// # Errors
    /// If the bytes are no object file, have no coverage sections, or these are malformed. What
    /// needs names to be inflated or regions to be decoded is noticed by
    /// [`evaluate`](crate::evaluate()).
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Self::parse_as(bytes, &ParseOptions::default())
    }

    /// As [`Mapping::parse`], with options.
    ///
    /// # Errors
    /// As [`Mapping::parse`]; or if there is no object of the architecture asked for.
    pub fn parse_as(bytes: &'a [u8], options: &ParseOptions<'a>) -> Result<Self> {
        let found = container::open(bytes, options)?;
        let units: Result<Vec<Unit<'a>>> = found
            .into_iter()
            .map(|found| Unit::read(found, options.compilation_dir))
            .collect();
        Ok(Self {
            compilation_dir: options.compilation_dir.to_vec(),
            units: units?,
        })
    }

    /// As [`Mapping::parse_as`] of each of several files, by that many threads; as many as the
    /// machine runs if it is not given.
    #[must_use]
    pub fn parse_all(
        files: &[(&'a [u8], ParseOptions<'a>)],
        threads: Option<NonZeroUsize>,
    ) -> Vec<Result<Self>> {
        let parse = |_: &mut (), index: usize| {
            let (bytes, options) = &files[index];
            Self::parse_as(bytes, options)
        };
        parallel::map(files.len(), parallel::thread_count(threads), 1, parse)
    }

    /// How many functions have a mapping; one that is in several members of an archive counts for
    /// each.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.units.iter().map(|unit| unit.records.len()).sum()
    }

    pub(crate) fn units(&self) -> &[Unit<'a>] {
        &self.units
    }

    pub(crate) fn compilation_dir(&self) -> &[u8] {
        &self.compilation_dir
    }
}

impl<'a> Unit<'a> {
    fn read(found: Found<'a>, compilation_dir: &[u8]) -> Result<Self> {
        let sections = found.sections;
        let in_covmap = |error: Error| error.in_section(COVMAP);
        let (version, headers) = read_headers(&sections).map_err(in_covmap)?;
        let table_layout = match version {
            0..OLDEST_WITH_COVFUN => TableLayout::Plain,
            OLDEST_WITH_COVFUN..OLDEST_WITH_DIRECTORY => TableLayout::Blob,
            _ => TableLayout::WithDirectory,
        };
        let mut unit = Self {
            member: found.member,
            names: sections.names,
            table_layout,
            tables: Vec::new(),
            records: Vec::new(),
            data: Cow::Borrowed(&[]),
            section: COVFUN,
        };
        if version < OLDEST_WITH_COVFUN {
            unit.section = COVMAP;
            unit.data = Cow::Borrowed(sections.covmap);
            let layout = records::OldLayout::new(version, &sections);
            for header in headers {
                unit.tables.push(header.table);
                let table = small(unit.tables.len() - 1);
                layout
                    .read(&header, table, &mut unit.records)
                    .map_err(in_covmap)?;
            }
            unit.records = records::one_of_each(unit.records, sections.covmap);
            return Ok(unit);
        }
        let mut inflater = Inflater::default();
        let mut read_table = |table: &Table<'_>| {
            let (bytes, offset) = (table.bytes, table.offset);
            file_names::read(&mut inflater, bytes, offset, table_layout, compilation_dir)
        };
        // `None`: two different tables have this key, and records with it are passed over.
        let mut by_key: HashedMap<u64, Option<u32>> = HashedMap::default();
        for header in headers {
            let table = header.table;
            let key = md5_low64(table.bytes);
            match by_key.get(&key) {
                Some(Some(known)) if unit.tables[*known as usize].bytes != table.bytes => {
                    let known = read_table(&unit.tables[*known as usize]).map_err(in_covmap)?;
                    if known != read_table(&table).map_err(in_covmap)? {
                        by_key.insert(key, None);
                    }
                }
                Some(_) => {}
                None => {
                    by_key.insert(key, Some(small(unit.tables.len())));
                    unit.tables.push(table);
                }
            }
        }
        unit.records = records::read(&sections.covfun, sections.endian, &by_key)
            .map_err(|error| error.in_section(COVFUN))?;
        unit.records = records::one_of_each(unit.records, &sections.covfun);
        unit.data = sections.covfun;
        Ok(unit)
    }

    /// A record's mapping.
    pub(crate) fn bytes_of(&self, record: &Record) -> &[u8] {
        record.bytes(&self.data)
    }
}

impl Record {
    /// Where its mapping lies in the section.
    pub(crate) fn bytes_offset(&self) -> u64 {
        self.start
    }

    /// Its mapping, in the bytes of the section, where it was found to lie.
    fn bytes<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or_default();
        rest.get(..self.len as usize).unwrap_or_default()
    }
}

/// What one header of `__llvm_covmap` is about.
struct Header<'a> {
    table: Table<'a>,
    /// Function records (before version 4), and where they lie in the section.
    records: Cursor<'a>,
    record_count: u32,
    /// The records' mappings, one after another (before version 4).
    mappings: Cursor<'a>,
}

/// Reads the headers of `__llvm_covmap`. The first one's version speaks for the whole object, as
/// in LLVM.
fn read_headers<'a>(sections: &Sections<'a>) -> Result<(u32, Vec<Header<'a>>)> {
    let mut cursor = Cursor::new(sections.covmap, 0, sections.endian);
    let mut headers = Vec::new();
    let mut version = None;
    while !cursor.is_empty() {
        let at = cursor.offset();
        let record_count = cursor.u32("NRecords")?;
        let table_bytes = cursor.u32("FilenamesSize")?;
        let mapping_bytes = cursor.u32("CoverageSize")?;
        let stated = cursor.u32("Version")?;
        let version = *version.get_or_insert(stated);
        if version > NEWEST {
            return Err(Error::at(
                ErrorKind::UnsupportedVersion,
                at + 12,
                "coverage mapping version",
                "1 to 7",
                u64::from(version) + 1,
            ));
        }
        let is_old = version < OLDEST_WITH_COVFUN;
        if !is_old && mapping_bytes != 0 {
            return Err(Error::malformed(at + 8, "CoverageSize", 0, mapping_bytes));
        }
        let mut part = |len: u64, what| -> Result<Cursor<'a>> {
            let at = cursor.offset();
            Ok(Cursor::new(cursor.take(len, what)?, at, sections.endian))
        };
        let record_bytes = records::OldLayout::new(version, sections).record_bytes();
        let records = match is_old {
            true => part(u64::from(record_count) * record_bytes, "function records")?,
            false => part(0, "function records")?,
        };
        let table = part(u64::from(table_bytes), "file names")?;
        let mappings = part(u64::from(mapping_bytes), "mapping data")?;
        headers.push(Header {
            table: Table {
                bytes: table.rest(),
                offset: table.offset(),
            },
            records,
            record_count,
            mappings,
        });
        let padding = pad8(cursor.offset()).min(cursor.remaining());
        cursor.take(padding, "padding of file names")?;
    }
    Ok((version.unwrap_or(NEWEST), headers))
}

/// An index of something that takes bytes of a section, of which there are fewer than 2^32.
fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
