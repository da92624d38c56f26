//! [`Package`](super::Package)s to bytes.

use std::collections::HashMap;

use crate::bytes::{put_u32, put_uleb};
use crate::hash::{Hash, HashKind, Hasher};
use crate::kind::META_MAGIC;
use crate::meta::{Function, Meta, Package, Text};
use crate::mode::{Granularity, Mode};

/// Makes a metadata file, package by package.
#[derive(Clone, Debug, Default)]
pub struct MetaBuilder {
    kind: HashKind,
    packages: Vec<Building>,
}

#[derive(Clone, Debug)]
struct Building {
    import_path: Text,
    name: Text,
    module: Text,
    functions: Vec<Function>,
}

impl MetaBuilder {
    /// Hashes will be of this kind.
    #[must_use]
    pub fn new(kind: HashKind) -> Self {
        Self {
            kind,
            packages: Vec::new(),
        }
    }

    /// All of a file, to be written anew.
    #[must_use]
    pub fn rebuilt(meta: &Meta) -> Self {
        let mut builder = Self::default();
        for package in &meta.packages {
            let index = builder.package(&package.import_path, &package.name, &package.module);
            for function in &package.functions {
                builder.function(index, function.clone());
            }
        }
        builder
    }

    /// Adds a package without functions; returns its index.
    pub fn package(&mut self, import_path: &Text, name: &Text, module: &Text) -> usize {
        self.packages.push(Building {
            import_path: Text::clone(import_path),
            name: Text::clone(name),
            module: Text::clone(module),
            functions: Vec::new(),
        });
        self.packages.len() - 1
    }

    /// Adds a function to a package; returns its index there.
    ///
    /// # Panics
    /// If there is no such package.
    pub fn function(&mut self, package: usize, function: Function) -> usize {
        let functions = &mut self.packages[package].functions;
        functions.push(function);
        functions.len() - 1
    }

    /// The file as a program of these packages would write it: its hash is that of the packages'
    /// hashes and the words for mode and granularity.
    #[must_use]
    pub fn write(&self, mode: Mode, granularity: Granularity) -> Vec<u8> {
        let mut hasher = Hasher::new(self.kind);
        let mut blobs = Vec::new();
        for package in &self.packages {
            let (blob, hash) = package.write(self.kind);
            hasher.update(&hash.0);
            blobs.push(blob);
        }
        hasher.update(mode.word().as_bytes());
        hasher.update(granularity.word().as_bytes());
        meta_file(hasher.finish(), mode, granularity, &blobs)
    }

    /// The file as `covdata merge -pcombine` writes it: its hash is that of the blobs' hashes.
    #[must_use]
    pub fn write_merged(&self, mode: Mode, granularity: Granularity) -> Vec<u8> {
        let blobs = self.packages.iter().map(|one| one.write(self.kind).0);
        let blobs: Vec<Vec<u8>> = blobs.collect();
        merged(self.kind, mode, granularity, &blobs)
    }
}

/// The metadata of those packages that are wanted, by index, as `covdata merge -pkg` writes it.
#[must_use]
pub fn select(meta: &Meta, wanted: &[usize], kind: HashKind) -> Vec<u8> {
    let blobs = wanted
        .iter()
        .filter_map(|&index| meta.packages.get(index))
        .map(|package| package.blob().to_vec());
    let blobs: Vec<Vec<u8>> = blobs.collect();
    merged(kind, meta.mode, meta.granularity, &blobs)
}

fn merged(kind: HashKind, mode: Mode, granularity: Granularity, blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut hasher = Hasher::new(kind);
    for blob in blobs {
        hasher.update(&Hasher::of(kind, blob).0);
    }
    meta_file(hasher.finish(), mode, granularity, blobs)
}

impl Building {
    fn write(&self, kind: HashKind) -> (Vec<u8>, Hash) {
        let mut hasher = Hasher::new(kind);
        let mut strings = Strings::default();
        strings.index(b"");
        let import_path = strings.index(&self.import_path);
        let name = strings.index(&self.name);
        let module = strings.index(&self.module);
        for text in [&self.import_path, &self.name, &self.module] {
            hasher.update(text);
        }
        let mut encoded = Vec::new();
        let mut ends = vec![0];
        for function in &self.functions {
            hasher.update(&function.name);
            hasher.update(&function.file);
            let fields = [
                function.units.len(),
                strings.index(&function.name),
                strings.index(&function.file),
            ];
            for field in fields {
                put_uleb(&mut encoded, field as u64);
            }
            for unit in function.units.iter() {
                for field in unit.fields() {
                    hasher.update_u32(field);
                    put_uleb(&mut encoded, field.into());
                }
            }
            hasher.update_u32(function.literal.into());
            put_uleb(&mut encoded, function.literal.into());
            ends.push(encoded.len());
        }
        ends.pop();
        let hash = hasher.finish();
        let table = strings.write();
        let records = 44 + 4 * self.functions.len() + table.len();

        let mut blob = Vec::with_capacity(records + encoded.len());
        put_u32(&mut blob, records + encoded.len());
        for index in [name, import_path, module] {
            put_u32(&mut blob, index);
        }
        blob.extend_from_slice(&hash.0);
        put_u32(&mut blob, 0);
        // What Go calls the number of files is that of strings.
        put_u32(&mut blob, strings.list.len());
        put_u32(&mut blob, self.functions.len());
        let starts = if self.functions.is_empty() {
            &[][..]
        } else {
            &ends
        };
        for start in starts {
            put_u32(&mut blob, records + start);
        }
        blob.extend_from_slice(&table);
        blob.extend_from_slice(&encoded);
        (blob, hash)
    }
}

impl super::Unit {
    /// The five numbers, in the order in which files have them.
    pub(crate) fn fields(&self) -> [u32; 5] {
        [
            self.start_line,
            self.start_column,
            self.end_line,
            self.end_column,
            self.statements,
        ]
    }
}

/// Which of the two a package's hash is. Of one that is neither, the newer is said.
pub(crate) fn hash_kind(package: &Package) -> HashKind {
    let built = Building {
        import_path: Text::clone(&package.import_path),
        name: Text::clone(&package.name),
        module: Text::clone(&package.module),
        functions: package.functions.clone(),
    };
    match built.write(HashKind::Md5).1 == package.hash {
        true => HashKind::Md5,
        false => HashKind::Fnv,
    }
}

/// A metadata file with this hash.
pub(crate) fn meta_file(
    hash: Hash,
    mode: Mode,
    granularity: Granularity,
    blobs: &[Vec<u8>],
) -> Vec<u8> {
    /// One empty string, to which nothing refers.
    const TABLE: [u8; 2] = [1, 0];
    let table_offset = 56 + 16 * blobs.len();
    let first = table_offset + TABLE.len();
    let length = first + blobs.iter().map(Vec::len).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    let put_u64 = |out: &mut Vec<u8>, value: usize| {
        out.extend_from_slice(&(value as u64).to_le_bytes());
    };
    out.extend_from_slice(&META_MAGIC);
    put_u32(&mut out, 1);
    put_u64(&mut out, length);
    put_u64(&mut out, blobs.len());
    out.extend_from_slice(&hash.0);
    put_u32(&mut out, table_offset);
    put_u32(&mut out, TABLE.len());
    out.extend_from_slice(&[mode as u8, granularity as u8, 0, 0, 0, 0, 0, 0]);
    let mut offset = first;
    for blob in blobs {
        put_u64(&mut out, offset);
        offset += blob.len();
    }
    for blob in blobs {
        put_u64(&mut out, blob.len());
    }
    out.extend_from_slice(&TABLE);
    for blob in blobs {
        out.extend_from_slice(blob);
    }
    out
}

/// A string table in the making: equal strings share an index.
#[derive(Default)]
pub(crate) struct Strings {
    list: Vec<Vec<u8>>,
    known: HashMap<Vec<u8>, usize>,
}

impl Strings {
    pub(crate) fn index(&mut self, text: &[u8]) -> usize {
        if let Some(&index) = self.known.get(text) {
            return index;
        }
        self.list.push(text.to_vec());
        self.known.insert(text.to_vec(), self.list.len() - 1);
        self.list.len() - 1
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uleb(&mut out, self.list.len() as u64);
        for text in &self.list {
            put_uleb(&mut out, text.len() as u64);
            out.extend_from_slice(text);
        }
        out
    }
}
