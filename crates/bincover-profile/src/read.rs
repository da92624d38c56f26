//! One way to read any profile: a [`Reader`] sniffs the format and tells a [`Visitor`] what the
//! file holds, piece by piece and in the file's order.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::indexed::IndexedProfile;
use crate::kind::{FileKind, ProfileKind};
use crate::names::{Chunks, NameRef, NameTable};
use crate::profile::FunctionHash;
use crate::raw::{Counters, RawProfile, RawProfiles};
use crate::text::TextProfile;
use crate::traces::Trace;
use crate::values::Values;

/// Is told what a file holds. After an error, what was told stands.
pub trait Visitor {
    /// First of all: what the file's counters mean, and its whole version field (0 for text).
    /// With `false`, nothing more of the file is wanted.
    fn file(&mut self, kind: ProfileKind, version: u64) -> bool;

    /// A record. Returns whether a record of that name and hash was known already, which decides
    /// a detail of the text format.
    fn record(&mut self, record: &FileRecord<'_>) -> bool;

    /// Temporal traces, drawn from `stream_size` ones. `has_weights`: they have weights of their
    /// own, else those are the input's.
    fn traces(&mut self, traces: Vec<Trace>, stream_size: u64, has_weights: bool);

    /// The name of a vtable.
    fn vtable_name(&mut self, _name: &[u8]) {}

    /// A build id. None is told of a file that ends badly.
    fn binary_id(&mut self, id: &[u8]);
}

/// A record as it lies in a file.
#[derive(Clone, Copy, Debug)]
pub struct FileRecord<'a> {
    /// The function's name; empty if the file does not hold it.
    pub name: &'a [u8],
    /// The name's hash.
    pub name_ref: NameRef,
    /// The hash was computed from the name; else an indexed file claims it.
    pub is_proven: bool,
    /// The function's hash.
    pub hash: FunctionHash,
    /// Its counters.
    pub counters: Counters<'a>,
    /// Its MC/DC bitmap.
    pub bitmap: Bitmap<'a>,
    /// Its value sites.
    pub values: &'a Values,
    /// The counters are as a program wrote them: no merge has bounded them.
    pub is_raw: bool,
}

impl FileRecord<'_> {
    /// The counters, decoded.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.counters.len()];
        self.counters
            .zip_into(&mut counts, |slot, count| *slot = count);
        counts
    }

    /// The bitmap, one byte a byte.
    #[must_use]
    pub fn bitmap_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bitmap.len()];
        self.bitmap.or_into(&mut bytes);
        bytes
    }
}

/// Bitmap bytes as the formats hold them.
#[derive(Clone, Copy, Debug)]
pub enum Bitmap<'a> {
    /// One after another.
    Bytes(&'a [u8]),
    /// Each byte is a little-endian word of 8 bytes.
    Words(&'a [u8]),
}

impl Bitmap<'_> {
    /// How many bytes the bitmap has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(words) => words.len() / 8,
        }
    }

    /// There is no bitmap.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The byte of this index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u8> {
        match self {
            Self::Bytes(bytes) => bytes.get(index).copied(),
            Self::Words(words) => {
                let words: &[[u8; 8]] = words.as_chunks().0;
                words.get(index).map(|word| word[0])
            }
        }
    }

    /// Or-s each byte into the one of `target` that belongs to it.
    pub fn or_into(&self, target: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => {
                for (slot, byte) in target.iter_mut().zip(*bytes) {
                    *slot |= byte;
                }
            }
            Self::Words(words) => {
                for (slot, word) in target.iter_mut().zip(words.chunks_exact(8)) {
                    *slot |= word[0];
                }
            }
        }
    }
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub struct ReadError {
    /// What was met.
    pub error: Error,
    /// How many records the file had announced by then, if its format announces them.
    pub announced: Option<u64>,
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self {
            error,
            announced: None,
        }
    }
}

/// Reads files one after another.
#[derive(Debug, Default)]
pub struct Reader {
    /// The last names blob: thousands of profiles of one binary have the same.
    names: Option<(Vec<u8>, Arc<NameTable>)>,
    chunks: Chunks,
    /// Names by build id, for profiles that have lost theirs.
    pub(crate) names_by_id: HashMap<Vec<u8>, Arc<NameTable>>,
    pub(crate) values: Values,
    accept_correlated: bool,
}

impl Reader {
    /// A reader that takes a correlated profile, whose records are elsewhere, for an empty one, as
    /// llvm-profdata does; else it is an error.
    #[must_use]
    pub fn accepting_correlated() -> Self {
        Self {
            accept_correlated: true,
            ..Self::default()
        }
    }

    /// Reads a file of any format.
    ///
    /// # Errors
    /// If it is empty, no profile, or damaged; what came before the damage has been told.
    pub fn read(&mut self, bytes: &[u8], visitor: &mut dyn Visitor) -> Result<(), ReadError> {
        match FileKind::sniff(bytes) {
            Some(FileKind::Raw { .. }) => self.read_raw(bytes, visitor),
            Some(FileKind::Indexed) => self.read_indexed(bytes, visitor),
            Some(FileKind::Text) => self.read_text(bytes, visitor),
            kind => Err(unreadable(kind, bytes).into()),
        }
    }

    fn read_raw(&mut self, bytes: &[u8], visitor: &mut dyn Visitor) -> Result<(), ReadError> {
        let mut profiles = RawProfiles::new(bytes);
        let mut timestamps: Vec<(u64, NameRef)> = Vec::new();
        let mut ids = Vec::new();
        let mut announced = None;
        let mut end = 0;
        let result = loop {
            let profile = match profiles.next(end) {
                Ok(Some(profile)) => profile,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let header = profile.header();
            if header.is_correlated() && !self.accept_correlated {
                break Err(correlated(&profile));
            }
            // The first profile speaks for the whole file, as in LLVM.
            if announced.is_none() && !visitor.file(header.kind, header.version_field) {
                return Ok(());
            }
            announced = Some(
                announced
                    .unwrap_or(0u64)
                    .saturating_add(header.record_count),
            );
            end = match self.read_raw_records(&profile, visitor, &mut timestamps) {
                Ok(end) => end,
                Err(error) => break Err(error),
            };
            ids.extend(profile.binary_ids().filter_map(Result::ok));
        };
        timestamps.sort_unstable();
        if !timestamps.is_empty() {
            let functions = timestamps.into_iter().map(|(_, name)| name).collect();
            let trace = Trace {
                weight: 1,
                functions,
            };
            visitor.traces(vec![trace], 1, false);
        }
        result.map_err(|error| ReadError { error, announced })?;
        for id in ids {
            visitor.binary_id(id);
        }
        Ok(())
    }

    /// Tells the records of one raw profile; returns where its value data ended.
    fn read_raw_records(
        &mut self,
        profile: &RawProfile<'_>,
        visitor: &mut dyn Visitor,
        timestamps: &mut Vec<(u64, NameRef)>,
    ) -> Result<u64> {
        let names = self.names_of(profile)?;
        for name in profile.vtable_names()?.in_order() {
            visitor.vtable_name(name);
        }
        let mut value_data = profile.values();
        for record in profile.records() {
            let record = record?;
            timestamps.extend(record.timestamp.map(|time| (time, record.name)));
            let (name, name_ref) = match names.get(record.name) {
                Some(name) => (name, record.name),
                // LLVM files such records under the empty name.
                None => (&b""[..], NameRef::of(b"")),
            };
            self.values.clear();
            if record.has_values {
                value_data.next_into(&mut self.values)?;
            }
            visitor.record(&FileRecord {
                name,
                name_ref,
                is_proven: true,
                hash: record.hash,
                counters: record.counters,
                bitmap: Bitmap::Bytes(record.bitmap),
                values: &self.values,
                is_raw: true,
            });
        }
        Ok(value_data.offset())
    }

    /// The profile's names, decoded once for all profiles in a row that have the same.
    fn names_of(&mut self, profile: &RawProfile<'_>) -> Result<Arc<NameTable>> {
        let (blob, _) = profile.names_blob();
        let known = self.names.as_ref().filter(|(known, _)| known == blob);
        let table = match known {
            Some((_, table)) => Arc::clone(table),
            None => {
                let table = Arc::new(profile.names_knowing(&mut self.chunks)?);
                self.names = Some((blob.to_vec(), Arc::clone(&table)));
                table
            }
        };
        // Another binary may have the same names.
        for id in profile.binary_ids().filter_map(Result::ok) {
            if !self.names_by_id.contains_key(id) {
                self.names_by_id.insert(id.to_vec(), Arc::clone(&table));
            }
        }
        Ok(table)
    }

    /// The names of the raw profile that was read last.
    pub(crate) fn last_names(&self) -> Option<&NameTable> {
        self.names.as_ref().map(|(_, names)| names.as_ref())
    }

    fn read_indexed(&mut self, bytes: &[u8], visitor: &mut dyn Visitor) -> Result<(), ReadError> {
        let profile = IndexedProfile::parse(bytes)?;
        let header = profile.header();
        if !visitor.file(header.kind, header.version_field()) {
            return Ok(());
        }
        for name in profile.vtable_names()?.in_order() {
            visitor.vtable_name(name);
        }
        profile.for_each(&mut self.values, |record, values| {
            visitor.record(&FileRecord {
                name: record.name,
                name_ref: record.claimed_name_ref,
                is_proven: false,
                hash: record.hash,
                counters: record.counters,
                bitmap: Bitmap::Words(record.bitmap_words),
                values,
                is_raw: false,
            });
        })?;
        let (traces, stream_size) = profile.traces()?;
        visitor.traces(traces, stream_size, true);
        let ids = profile.binary_ids()?.collect::<Result<Vec<_>>>()?;
        for id in ids {
            visitor.binary_id(id);
        }
        Ok(())
    }

    fn read_text(&mut self, text: &[u8], visitor: &mut dyn Visitor) -> Result<(), ReadError> {
        let mut profile = TextProfile::parse(text)?;
        if !visitor.file(profile.header().kind, 0) {
            return Ok(());
        }
        let mut left_over: Vec<u8> = Vec::new();
        let result = loop {
            let record = match profile.next_record(&mut self.values) {
                Ok(Some(record)) => record,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            for name in &record.vtables {
                visitor.vtable_name(name);
            }
            // LLVM does not clear a record's bitmap between records: what a record does not say
            // it has from the one before, unless that was moved into the profile.
            let bitmap = record.bitmap.unwrap_or(std::mem::take(&mut left_over));
            let was_known = visitor.record(&FileRecord {
                name: record.name,
                name_ref: NameRef::of(record.name),
                is_proven: true,
                hash: record.hash,
                counters: Counters::Decoded(&record.counts),
                bitmap: Bitmap::Bytes(&bitmap),
                values: &self.values,
                is_raw: false,
            });
            if was_known {
                left_over = bitmap;
            }
        };
        let header = profile.header();
        visitor.traces(header.traces.clone(), header.trace_stream_size, true);
        result
    }
}

#[cold]
fn correlated(profile: &RawProfile<'_>) -> Error {
    Error::new(
        ErrorKind::Correlated,
        "data records",
        None,
        "records and names in the profile",
        format_args!(
            "{} counters without them (built with -profile-correlate: they are in the debug info or the binary)",
            profile.header().counter_count
        ),
    )
}

#[cold]
fn unreadable(kind: Option<FileKind>, bytes: &[u8]) -> Error {
    let (error, found) = match kind {
        _ if bytes.is_empty() => (ErrorKind::Empty, "an empty file".to_owned()),
        Some(FileKind::MemProf) => (ErrorKind::MemoryProfile, "a memory profile".to_owned()),
        _ => {
            let head = &bytes[..bytes.len().min(8)];
            (ErrorKind::UnrecognizedFormat, format!("bytes {head:02x?}"))
        }
    };
    Error::new(error, "magic", 0, "a raw, indexed or text profile", found)
}
