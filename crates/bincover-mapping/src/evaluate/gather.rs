//! Which function records of all objects there are, each once: test binaries that share their
//! dependencies hold mostly the same ones, and what was decided of a record holds for its copies.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bincover_model::FileId;
use bincover_profile::{FunctionHash, HashedMap, Inflater, NameRef};
use bstr::{BStr, BString};

use crate::error::Result;
use crate::evaluate::names::{Chunks, Names};
use crate::mapping::{Mapping, Name, Record, Table, TableLayout, Unit, read_file_names};
use crate::parallel;
use crate::sections::COVMAP;

/// Tables that a thread takes at a time.
const BLOCK: usize = 8;

/// A record is compared with so many others of its name, one by one. An archive may have any number of them.
const COMPARED: usize = 16;

/// A record that differs from all others in name, hash, files or mapping bytes.
#[derive(Clone, Copy)]
pub(super) struct Unique {
    pub(super) name_ref: NameRef,
    /// Index into [`Gathered::units`]: the first object that holds it.
    pub(super) unit: u32,
    /// Index into its records.
    pub(super) record: u32,
    /// Index into [`Gathered::tables`].
    pub(super) table: u32,
    /// One more than the index of another of the same name; 0 if there is none.
    next: u32,
}

/// All objects, in the order given.
#[derive(Default)]
pub(super) struct Gathered<'m> {
    pub(super) units: Vec<GatheredUnit<'m>>,
    pub(super) uniques: Vec<Unique>,
    /// Records as met: index of the unit and of the unique record.
    pub(super) met: Vec<(u32, u32)>,
    /// Files of each table of file names.
    pub(super) tables: Vec<Vec<FileId>>,
    /// By [`FileId`].
    pub(super) file_names: Vec<BString>,
    names: Names,
    file_ids: HashMap<BString, FileId>,
    /// Tables by what they are stored as and how they are resolved.
    table_ids: HashMap<(&'m [u8], TableLayout, &'m [u8]), usize>,
    /// One more than the index of the last unique record of each name. Empty if there is one unit
    /// and nobody asks: an object has one record for each name.
    by_name: HashedMap<NameRef, u32>,
    /// Where a name has more than [`COMPARED`] unique records, the others of them.
    crowded: HashMap<Key<'m>, u32>,
}

/// What a unique record differs in from all others: name, table, hash, mapping.
type Key<'m> = (NameRef, u32, FunctionHash, &'m [u8]);

pub(super) struct GatheredUnit<'m> {
    /// Index of the mapping that it is in.
    pub(super) mapping: usize,
    pub(super) unit: &'m Unit<'m>,
}

impl<'m> Gathered<'m> {
    /// With `by_name`, [`has`](Self::has) knows the names.
    pub(super) fn gather(
        mappings: &'m [Mapping<'m>],
        threads: usize,
        by_name: bool,
    ) -> Result<Self> {
        let mut gathered = Self::default();
        gathered.read_tables(mappings, threads)?;
        let units = mappings.iter().map(|mapping| mapping.units().len());
        let by_name = by_name || units.sum::<usize>() > 1;
        for (index, mapping) in mappings.iter().enumerate() {
            for unit in mapping.units() {
                gathered.add(index, mapping.compilation_dir(), unit, by_name);
            }
        }
        gathered.read_names(threads)?;
        Ok(gathered)
    }

    /// Reads all tables of file names, each once.
    fn read_tables(&mut self, mappings: &'m [Mapping<'m>], threads: usize) -> Result<()> {
        let mut tables = Vec::new();
        for (index, mapping) in mappings.iter().enumerate() {
            let directory = mapping.compilation_dir();
            for unit in mapping.units() {
                for table in &unit.tables {
                    let key = (table.bytes, unit.table_layout, directory);
                    if let Entry::Vacant(slot) = self.table_ids.entry(key) {
                        slot.insert(tables.len());
                        tables.push((index, table, unit.table_layout, directory));
                    }
                }
            }
        }
        let read = |inflater: &mut Inflater, index: usize| {
            let (mapping, table, layout, directory) = tables[index];
            read_file_names(inflater, table.bytes, table.offset, layout, directory)
                .map_err(|error| error.in_section(COVMAP).in_mapping(mapping))
        };
        self.tables.reserve_exact(tables.len());
        parallel::for_each(tables.len(), threads, BLOCK, read, |_, names| {
            let files = names?.into_iter().map(|name| self.intern(name)).collect();
            self.tables.push(files);
            Ok(())
        })
    }

    fn add(&mut self, mapping: usize, directory: &'m [u8], unit: &'m Unit<'m>, by_name: bool) {
        let unit_index = self.units.len();
        self.units.push(GatheredUnit { mapping, unit });
        let key = |table: &Table<'m>| (table.bytes, unit.table_layout, directory);
        let tables = unit.tables.iter();
        let tables: Vec<usize> = tables.map(|table| self.table_ids[&key(table)]).collect();
        self.met.reserve(unit.records.len());
        self.uniques.reserve(unit.records.len() / (unit_index + 1));
        if by_name && unit_index == 0 {
            self.by_name.reserve(unit.records.len());
        }
        for (record_index, record) in unit.records.iter().enumerate() {
            let unique = Unique {
                name_ref: match record.name {
                    Name::Ref(name) => name,
                    Name::Span { start, len } => {
                        let (start, len) = (start as usize, len as usize);
                        NameRef::of(&unit.names[start..start + len])
                    }
                },
                unit: small(unit_index),
                record: small(record_index),
                table: small(tables[record.table as usize]),
                next: 0,
            };
            let index = match by_name {
                true => self.index_of(unique),
                false => self.push(unique),
            };
            self.met.push((small(unit_index), index));
        }
    }

    fn index_of(&mut self, mut unique: Unique) -> u32 {
        let last = self.by_name.entry(unique.name_ref).or_default();
        let mut at = *last;
        for compared in 1.. {
            let Some(index) = at.checked_sub(1) else {
                break;
            };
            let known = &self.uniques[index as usize];
            if known.table == unique.table
                && known.record(&self.units).hash == unique.record(&self.units).hash
                && known.bytes(&self.units) == unique.bytes(&self.units)
            {
                return index;
            }
            if compared == COMPARED {
                if let Some(&index) = self.crowded.get(&unique.key(&self.units)) {
                    return index;
                }
                // The new one takes its place among those that are compared.
                self.crowded.insert(known.key(&self.units), index);
                break;
            }
            at = known.next;
        }
        unique.next = *last;
        *last = small(self.uniques.len() + 1);
        self.push(unique)
    }

    fn push(&mut self, unique: Unique) -> u32 {
        let index = small(self.uniques.len());
        self.uniques.push(unique);
        index
    }

    fn intern(&mut self, name: BString) -> FileId {
        if let Some(&known) = self.file_ids.get(&name) {
            return known;
        }
        let id = FileId(small(self.file_names.len()));
        self.file_names.push(name.clone());
        self.file_ids.insert(name, id);
        id
    }

    /// Reads the names of units that hold a record which no unit before them has.
    fn read_names(&mut self, threads: usize) -> Result<()> {
        let mut is_needed = vec![false; self.units.len()];
        for unique in &self.uniques {
            is_needed[unique.unit as usize] |=
                matches!(unique.record(&self.units).name, Name::Ref(_));
        }
        let mut chunks = Chunks::default();
        for (unit, _) in self
            .units
            .iter()
            .zip(is_needed)
            .filter(|(_, needed)| *needed)
        {
            chunks.add(unit.unit.names, unit.mapping)?;
        }
        self.names = chunks.read(self.uniques.len(), threads)?;
        Ok(())
    }

    pub(super) fn forget_all_but_file_names(self) -> Vec<BString> {
        self.file_names
    }

    /// A record has this name.
    pub(super) fn has(&self, name: NameRef) -> bool {
        self.by_name.contains_key(&name)
    }

    /// The name of a record's function, as the profile has it.
    pub(super) fn name(&self, unique: &Unique) -> Option<&BStr> {
        let unit = &self.units[unique.unit as usize];
        let name = match unique.record(&self.units).name {
            Name::Ref(name) => self.names.get(name)?,
            Name::Span { start, len } => {
                let (start, len) = (start as usize, len as usize);
                unit.unit.names.get(start..start + len)?
            }
        };
        (!name.is_empty()).then_some(name.into())
    }
}

impl Unique {
    pub(super) fn record<'m>(&self, units: &[GatheredUnit<'m>]) -> &'m Record {
        &units[self.unit as usize].unit.records[self.record as usize]
    }

    fn key<'m>(&self, units: &[GatheredUnit<'m>]) -> Key<'m> {
        let hash = self.record(units).hash;
        (self.name_ref, self.table, hash, self.bytes(units))
    }

    /// Its mapping.
    pub(super) fn bytes<'m>(&self, units: &[GatheredUnit<'m>]) -> &'m [u8] {
        let unit = units[self.unit as usize].unit;
        unit.bytes_of(self.record(units))
    }
}

/// An index of something that takes bytes of an object, of which there are fewer than 2^32.
fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bincover_testkit::mapping::{self, Region};
    use bincover_testkit::raw::Function;

    use super::*;

    /// More than are compared one by one.
    #[test]
    fn many_records_of_one_name_are_each_there_once() {
        let hashes = || (0..3 * COMPARED as u64).chain(0..3 * COMPARED as u64);
        let object = |hash: u64| {
            let functions = [Function::new("f", hash, [1])];
            let regions = vec![Region::code(0, (1, 1), (2, 1))];
            mapping::object("/", &["a.c".to_owned()], &functions, |_| {
                mapping::function(&[(0, regions.clone())])
            })
        };
        let objects: Vec<Vec<u8>> = hashes().map(object).collect();
        let mappings = objects.iter().map(|object| Mapping::parse(object));
        let mappings: Vec<Mapping<'_>> = mappings.collect::<Result<_>>().unwrap();
        let gathered = Gathered::gather(&mappings, 1, true).unwrap();
        assert_eq!(gathered.uniques.len(), 3 * COMPARED);
        let met = gathered.met.iter().map(|&(_, index)| u64::from(index));
        assert!(met.eq(hashes()));
    }
}
