//! What can be saved of a raw profile that ends too early: its program was killed while it wrote.
//!
//! The counters come before the names, so a file that is cut in its names still has all of them.
//! The names are those of any other profile of the same binary, known by its build id, or of the
//! binary itself. LLVM has nothing of this kind: it drops the file.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::kind::FileKind;
use crate::names::{NameRef, NameTable};
use crate::raw::{RawProfile, RawRecord};
use crate::read::{Bitmap, FileRecord, ReadError, Reader, Visitor};

/// What was saved of a file.
#[derive(Debug)]
pub struct Salvaged {
    /// What is wrong with the file.
    pub error: Error,
    /// How many records the file announced.
    pub announced: u64,
    /// Names of the functions whose records could not be saved.
    pub lost: Vec<NameRef>,
    /// The names of the binary's functions.
    pub names: Arc<NameTable>,
}

impl Reader {
    /// Makes the names of a binary known, for its profiles that have lost theirs.
    pub fn learn_names(&mut self, build_id: &[u8], names: Arc<NameTable>) {
        if !build_id.is_empty() {
            self.names_by_id.insert(build_id.to_vec(), names);
        }
    }

    /// Makes the names known that a raw profile holds, for others of its binary.
    pub(crate) fn learn_names_of(&mut self, bytes: &[u8]) {
        let Ok(profile) = RawProfile::parse(bytes, 0) else {
            return;
        };
        if let Ok(names) = profile.names() {
            let names = Arc::new(names);
            for id in profile.binary_ids().filter_map(Result::ok) {
                self.learn_names(id, Arc::clone(&names));
            }
        }
    }

    /// Tells what can be saved of a raw profile that [`Reader::read`] refused: each record whose
    /// counters are there.
    ///
    /// # Errors
    /// The error of [`Reader::read`], if nothing can be saved: it is no raw profile, its header or
    /// records are not whole, or its names are not known.
    pub fn salvage(
        &mut self,
        bytes: &[u8],
        visitor: &mut dyn Visitor,
    ) -> Result<Salvaged, ReadError> {
        if !matches!(FileKind::sniff(bytes), Some(FileKind::Raw { .. })) {
            return Err(Error::new(
                ErrorKind::UnrecognizedFormat,
                "magic",
                0,
                "a raw profile",
                "another format",
            )
            .into());
        }
        let error = match RawProfile::parse(bytes, 0) {
            Ok(profile) => match profile.names() {
                // It is whole; what is wrong is not that it ends too early.
                Ok(_) => {
                    return Err(Error::malformed(
                        "profile",
                        0,
                        "a profile that is cut",
                        "a whole one",
                    )
                    .into());
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        let Ok(profile) = RawProfile::parse_cut(bytes, 0) else {
            return Err(error.into());
        };
        let announced = profile.header().record_count;
        let Some(names) = self.known_names(&profile).filter(|_| announced > 0) else {
            return Err(ReadError {
                error,
                announced: Some(announced),
            });
        };
        let header = profile.header();
        if !visitor.file(header.kind, header.version_field) {
            return Err(ReadError {
                error,
                announced: Some(announced),
            });
        }
        let lost = self.tell_records(&profile, &names, visitor);
        for id in profile.binary_ids().filter_map(Result::ok) {
            visitor.binary_id(id);
        }
        Ok(Salvaged {
            error,
            announced,
            lost,
            names,
        })
    }

    fn known_names(&self, profile: &RawProfile<'_>) -> Option<Arc<NameTable>> {
        let ids = profile.binary_ids().filter_map(Result::ok);
        let known = ids.filter_map(|id| self.names_by_id.get(id)).next();
        known.map(Arc::clone)
    }

    /// Tells the records that are whole; returns the names of the others.
    fn tell_records(
        &mut self,
        profile: &RawProfile<'_>,
        names: &NameTable,
        visitor: &mut dyn Visitor,
    ) -> Vec<NameRef> {
        let mut lost = Vec::new();
        let mut records = profile.records().keep_going();
        self.values.clear();
        while let Some(record) = records.next() {
            // Value data comes last and is gone; without it, a record with value sites would
            // contradict its siblings.
            let whole = |record: &RawRecord<'_>| !record.has_values && record.timestamp.is_none();
            let record = record.ok().filter(whole);
            match record.and_then(|record| Some((record, names.get(record.name)?))) {
                Some((record, name)) => {
                    visitor.record(&FileRecord {
                        name,
                        name_ref: record.name,
                        is_proven: true,
                        hash: record.hash,
                        counters: record.counters,
                        bitmap: Bitmap::Bytes(record.bitmap),
                        values: &self.values,
                        is_raw: true,
                    });
                }
                None => lost.extend(records.last_name()),
            }
        }
        lost
    }
}
