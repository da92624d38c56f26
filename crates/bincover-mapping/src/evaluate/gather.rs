//! Which function records of all objects there are, each once: test binaries that share their
//! dependencies hold mostly the same ones, and what was decided of a record holds for its copies.

use std::collections::HashMap;

use bincover_model::FileId;
use bincover_profile::{FunctionHash, HashedMap, NameRef, NameTable};
use bstr::{BStr, BString};

use crate::error::{Error, Result};
use crate::evaluate::parallel;
use crate::mapping::{Mapping, Name, TableLayout, Unit, read_file_names};
use crate::sections::{COVMAP, NAMES};

/// A record that differs from all others in name, hash, files or mapping bytes.
pub(super) struct Unique<'m> {
    pub(super) name: Name,
    pub(super) name_ref: NameRef,
    pub(super) hash: FunctionHash,
    /// Index into [`Gathered::tables`].
    pub(super) table: usize,
    pub(super) bytes: &'m [u8],
    /// Where the bytes lie in the section.
    pub(super) offset: u64,
    /// Where the record lies in the section.
    pub(super) record_offset: u64,
    /// Index into [`Gathered::units`]: the first object that holds it.
    pub(super) unit: usize,
    /// Another of the same name.
    next: Option<usize>,
}

/// All objects, in the order given.
#[derive(Default)]
pub(super) struct Gathered<'m> {
    pub(super) units: Vec<GatheredUnit<'m>>,
    pub(super) uniques: Vec<Unique<'m>>,
    /// Records as met: index of the unit and of the unique record.
    pub(super) met: Vec<(u32, u32)>,
    /// Files of each table of file names.
    pub(super) tables: Vec<Vec<FileId>>,
    /// By [`FileId`].
    pub(super) file_names: Vec<BString>,
    file_ids: HashMap<BString, FileId>,
    /// Tables by what they are stored as and how they are resolved.
    table_ids: HashMap<(&'m [u8], TableLayout, &'m [u8]), usize>,
    /// The last unique record of each name.
    by_name: HashedMap<NameRef, usize>,
}

pub(super) struct GatheredUnit<'m> {
    /// Index of the mapping that it is in.
    pub(super) mapping: usize,
    pub(super) unit: &'m Unit<'m>,
    /// Read if a record needs it.
    names: Option<NameTable>,
}

impl<'m> Gathered<'m> {
    pub(super) fn gather(mappings: &'m [Mapping<'m>], threads: usize) -> Result<Self> {
        let mut gathered = Self::default();
        for (index, mapping) in mappings.iter().enumerate() {
            for unit in mapping.units() {
                gathered
                    .add(index, mapping.compilation_dir(), unit)
                    .map_err(|error| error.in_mapping(index))?;
            }
        }
        gathered.read_names(threads)?;
        Ok(gathered)
    }

    fn add(&mut self, mapping: usize, directory: &'m [u8], unit: &'m Unit<'m>) -> Result<()> {
        let unit_index = self.units.len();
        self.units.push(GatheredUnit {
            mapping,
            unit,
            names: None,
        });
        let mut tables = Vec::with_capacity(unit.tables.len());
        for table in &unit.tables {
            let key = (table.bytes, unit.table_layout, directory);
            if let Some(&known) = self.table_ids.get(&key) {
                tables.push(known);
                continue;
            }
            let names = read_file_names(table.bytes, table.offset, unit.table_layout, directory)
                .map_err(|error| error.in_section(COVMAP))?;
            let files = names.into_iter().map(|name| self.intern(name)).collect();
            self.table_ids.insert(key, self.tables.len());
            tables.push(self.tables.len());
            self.tables.push(files);
        }
        self.met.reserve(unit.records.len());
        for record in &unit.records {
            let unique = Unique {
                name: record.name,
                name_ref: match record.name {
                    Name::Ref(name) => name,
                    Name::Span { start, len } => NameRef::of(&unit.names[start..start + len]),
                },
                hash: record.hash,
                table: tables[record.table],
                bytes: unit.bytes_of(record),
                offset: record.bytes_offset(),
                record_offset: record.offset,
                unit: unit_index,
                next: None,
            };
            let index = self.index_of(unique);
            // Each takes bytes of an object, so there are fewer than 2^32.
            let small = |index| u32::try_from(index).unwrap_or(u32::MAX);
            self.met.push((small(unit_index), small(index)));
        }
        Ok(())
    }

    fn index_of(&mut self, mut unique: Unique<'m>) -> usize {
        let last = self.by_name.get(&unique.name_ref).copied();
        let mut at = last;
        while let Some(index) = at {
            let known = &self.uniques[index];
            if known.hash == unique.hash
                && known.table == unique.table
                && known.bytes == unique.bytes
            {
                return index;
            }
            at = known.next;
        }
        unique.next = last;
        self.by_name.insert(unique.name_ref, self.uniques.len());
        self.uniques.push(unique);
        self.uniques.len() - 1
    }

    fn intern(&mut self, name: BString) -> FileId {
        if let Some(&known) = self.file_ids.get(&name) {
            return known;
        }
        // Each name takes bytes of an object, so there are fewer than 2^32.
        let id = FileId(u32::try_from(self.file_names.len()).unwrap_or(u32::MAX));
        self.file_names.push(name.clone());
        self.file_ids.insert(name, id);
        id
    }

    /// Inflates the names of units that hold a record which no unit before them has.
    fn read_names(&mut self, threads: usize) -> Result<()> {
        let mut is_needed = vec![false; self.units.len()];
        for unique in &self.uniques {
            is_needed[unique.unit] |= matches!(unique.name, Name::Ref(_));
        }
        let units = &self.units;
        let read = parallel::map(units.len(), threads, 1, |_: &mut (), index| {
            is_needed[index].then(|| NameTable::decode(units[index].unit.names, 0))
        });
        for (unit, names) in self.units.iter_mut().zip(read) {
            unit.names = names.transpose().map_err(|error| {
                let llvm = error.llvm_message();
                let error = Error::from(error).in_section(NAMES).with_llvm_message(llvm);
                error.in_mapping(unit.mapping)
            })?;
        }
        Ok(())
    }

    /// A record has this name.
    pub(super) fn has(&self, name: NameRef) -> bool {
        self.by_name.contains_key(&name)
    }

    /// The name of a record's function, as the profile has it.
    pub(super) fn name(&self, unique: &Unique<'m>) -> Option<&BStr> {
        let unit = &self.units[unique.unit];
        let name = match unique.name {
            Name::Ref(name) => unit.names.as_ref()?.get(name)?,
            Name::Span { start, len } => unit.unit.names.get(start..start + len)?,
        };
        (!name.is_empty()).then_some(name.into())
    }
}
