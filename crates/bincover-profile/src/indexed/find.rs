//! Finds the record of one name and hash without reading others (LLVM:
//! `OnDiskIterableChainedHashTable::find_hashed`, `IndexedInstrProfReader::getInstrProfRecord`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::bytes::{Cursor, Endian};
use crate::error::{Error, Result};
use crate::indexed::reader::{IndexedProfile, IndexedRecord, at, unreadable_data};
use crate::limits::{LARGE_DATA, MAX_BUCKET};
use crate::names::NameRef;
use crate::profile::{FunctionHash, LastHashes};
use crate::values::Values;

/// What one [lookup](IndexedProfile::find) after another needs in one profile: memory, and where the records of
/// names lie that have many.
#[derive(Debug, Default)]
pub struct Finder {
    values: Values,
    /// By where the data of a name begins and how many bytes it has.
    known: HashMap<(u64, usize), Known>,
    /// How many bytes those data have.
    known_bytes: usize,
}

/// Where the records of one name begin in its data.
#[derive(Debug, Default)]
struct Known {
    starts: HashMap<FunctionHash, u64>,
    last: LastHashes,
}

/// What there is under a name.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// The record of the hash; of several, the first.
    pub record: Option<IndexedRecord<'a>>,
    /// If there is none, of the other hashes the last one with the same context bit.
    pub other_hash: Option<FunctionHash>,
}

/// What the table has for a name.
struct Item<'a> {
    name: &'a [u8],
    data: &'a [u8],
    /// Where the data begins in the file.
    at: u64,
}

impl<'a> IndexedProfile<'a> {
    /// Looks for the record of a name, whose hash is `name_ref`, and a function's hash. A `finder` is for one profile.
    ///
    /// # Errors
    /// If the name's part of the table points outside the file, or has more names than there can be; or if a record
    /// under the name is cut short or contradicts itself.
    pub fn find(
        &self,
        name: &[u8],
        name_ref: NameRef,
        hash: FunctionHash,
        finder: &mut Finder,
    ) -> Result<Found<'a>> {
        let item = self.item_of(name, name_ref);
        item.and_then(|item| match item {
            None => Ok(Found::default()),
            Some(item) if item.data.len() > LARGE_DATA => self.known(&item, name_ref, hash, finder),
            Some(item) => self.read(&item, name_ref, hash, finder),
        })
        .map_err(|error| unreadable_data(error).in_context(self.header().layout))
    }

    fn item_of(&self, name: &[u8], name_ref: NameRef) -> Result<Option<Item<'a>>> {
        // The number of buckets is a power of two.
        let bucket = name_ref.0 & (self.buckets.len() as u64).wrapping_sub(1);
        let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
        let offset = self
            .buckets
            .get(bucket)
            .map_or(0, |word| u64::from_le_bytes(*word));
        if offset == 0 {
            return Ok(None);
        }
        let field_at = self.header().hash_offset + 16 + 8 * bucket as u64;
        let mut items: Cursor<'a> = at(self.bytes, offset, "offset of a bucket", field_at)?;
        let count = items.u16("number of items in a bucket")?;
        if count > MAX_BUCKET {
            let expected = format_args!("at most {MAX_BUCKET}");
            return Err(Error::malformed(
                "number of items in a bucket",
                offset,
                expected,
                count,
            ));
        }
        for _ in 0..count {
            let claimed = NameRef(items.u64("name hash")?);
            let name_bytes = items.u64("name length")?;
            let data_bytes = items.u64("data length")?;
            let found = items.take(name_bytes, "name")?;
            let at = items.offset();
            let data = items.take(data_bytes, "function data")?;
            if claimed == name_ref && found == name {
                return Ok(Some(Item {
                    name: found,
                    data,
                    at,
                }));
            }
        }
        Ok(None)
    }

    /// Reads all records under a name.
    fn read(
        &self,
        item: &Item<'a>,
        name_ref: NameRef,
        hash: FunctionHash,
        finder: &mut Finder,
    ) -> Result<Found<'a>> {
        let mut record = None;
        let mut last = LastHashes::default();
        let data = (item.data, item.at);
        self.records(
            item.name,
            name_ref,
            data,
            &mut finder.values,
            &mut |read, _| {
                if record.is_none() && read.hash == hash {
                    record = Some(read);
                }
                last.note(read.hash);
            },
        )?;
        Ok(Found {
            other_hash: last.like(hash).filter(|_| record.is_none()),
            record,
        })
    }

    /// Reads them once, and then only the one that is asked for.
    fn known(
        &self,
        item: &Item<'a>,
        name_ref: NameRef,
        hash: FunctionHash,
        finder: &mut Finder,
    ) -> Result<Found<'a>> {
        let slot = match finder.known.entry((item.at, item.data.len())) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => {
                finder.known_bytes += item.data.len();
                if finder.known_bytes > self.bytes.len() {
                    let expected = "data that no other name has";
                    return Err(Error::malformed(
                        "function data",
                        item.at,
                        expected,
                        "others'",
                    ));
                }
                let mut known = Known::default();
                let data = (item.data, item.at);
                // The function's hash, and how many counters follow.
                let head = 8 + 8 * u64::from(self.header().layout.count_field);
                self.records(
                    item.name,
                    name_ref,
                    data,
                    &mut finder.values,
                    &mut |read, _| {
                        let start = read.counters_at - head - item.at;
                        known.starts.entry(read.hash).or_insert(start);
                        known.last.note(read.hash);
                    },
                )?;
                slot.insert(known)
            }
        };
        let Some(&start) = slot.starts.get(&hash) else {
            return Ok(Found {
                record: None,
                other_hash: slot.last.like(hash),
            });
        };
        let rest = usize::try_from(start)
            .ok()
            .and_then(|start| item.data.get(start..));
        let mut data = Cursor::new(rest.unwrap_or_default(), item.at + start, Endian::Little);
        Ok(Found {
            record: Some(self.counters_and_bitmap(item.name, name_ref, &mut data)?),
            other_hash: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::{Merger, WriteOptions, indexed};

    fn merged(text: &str) -> Vec<u8> {
        let mut merger = Merger::new();
        merger.add("text", text.as_bytes(), NonZeroU64::MIN);
        indexed::write(&merger.finish().profile, &WriteOptions::default())
    }

    /// Forty functions, of which the tenth has two hashes.
    fn profile() -> Vec<u8> {
        let mut text = String::from("f9\n99\n1\n7\n");
        for index in 0..40 {
            text += &format!("f{index}\n{index}\n2\n{index}\n1\n");
        }
        merged(&text)
    }

    /// The counts of the record, or the other hash.
    fn found(bytes: &[u8], name: &str, hash: u64) -> Result<(Vec<u64>, Option<u64>)> {
        found_by(&mut Finder::default(), bytes, name, hash)
    }

    fn found_by(
        finder: &mut Finder,
        bytes: &[u8],
        name: &str,
        hash: u64,
    ) -> Result<(Vec<u64>, Option<u64>)> {
        let profile = IndexedProfile::parse(bytes)?;
        let (name, hash) = (name.as_bytes(), FunctionHash(hash));
        let found = profile.find(name, NameRef::of(name), hash, finder)?;
        let mut counts = Vec::new();
        if let Some(record) = found.record {
            record.counters.decode_into(&mut counts);
        }
        Ok((counts, found.other_hash.map(|hash| hash.0)))
    }

    #[test]
    fn each_name_and_no_other() {
        let bytes = profile();
        for index in 0..40 {
            let name = format!("f{index}");
            assert_eq!(found(&bytes, &name, index).unwrap(), (vec![index, 1], None));
            let other = if index == 9 { 99 } else { index };
            assert_eq!(found(&bytes, &name, 100).unwrap(), (vec![], Some(other)));
        }
        assert_eq!(found(&bytes, "f9", 99).unwrap(), (vec![7], None));
        for name in ["", "f", "f40"] {
            assert_eq!(found(&bytes, name, 1).unwrap(), (vec![], None), "{name}");
        }
    }

    /// More records than are read again for each that is looked up.
    #[test]
    fn a_name_with_many_hashes() {
        let with_bit = |hash: u64| hash | 1 << 60;
        let mut text = String::new();
        for index in 0..200 {
            text += &format!("f\n{index}\n2\n{index}\n1\n");
            text += &format!("f\n{}\n1\n{}\n", with_bit(index), index + 1000);
            text += &format!("g\n{index}\n1\n1\n");
        }
        let bytes = merged(&text);
        let mut finder = Finder::default();
        let mut look = |hash| found_by(&mut finder, &bytes, "f", hash).unwrap();
        for index in 0..200 {
            assert_eq!(look(index), (vec![index, 1], None));
            assert_eq!(look(with_bit(index)), (vec![index + 1000], None));
        }
        // They are not in order in the file.
        let mut last = [0; 2];
        let profile = IndexedProfile::parse(&bytes).unwrap();
        let read = profile.for_each(&mut Values::default(), |record, _| {
            if record.name == b"f" {
                last[usize::from(record.hash.has_context_bit())] = record.hash.0;
            }
        });
        read.unwrap();
        assert_eq!(look(200), (vec![], Some(last[0])));
        assert_eq!(look(with_bit(200)), (vec![], Some(last[1])));
        assert_eq!(finder.known.len(), 1);
        assert_eq!(
            found_by(&mut finder, &bytes, "g", 7).unwrap(),
            (vec![1], None)
        );
        assert_eq!(finder.known.len(), 2);
    }

    /// The second name's data, which say that they are the first's as well.
    #[test]
    fn names_that_share_their_data() {
        let text: String = (0..400).map(|hash| format!("f\n{hash}\n1\n1\n")).collect();
        let bytes = merged(&(text + "g\n1\n1\n1\n"));
        let mut finder = Finder::default();
        found_by(&mut finder, &bytes, "f", 1).unwrap();
        finder.known_bytes = bytes.len();
        found_by(&mut finder, &bytes, "f", 1).unwrap();
        finder.known.clear();
        let error = found_by(&mut finder, &bytes, "f", 1).unwrap_err();
        assert_eq!(error.expected(), "data that no other name has");
    }

    #[test]
    fn a_bucket_with_more_names_than_there_can_be() {
        let mut bytes = merged("f\n1\n1\n1\n");
        let bucket = bytes
            .windows(10)
            .position(|window| window[2..] == NameRef::of(b"f").0.to_le_bytes());
        let bucket = bucket.expect("it is there");
        assert_eq!(found(&bytes, "f", 1).unwrap(), (vec![1], None));
        bytes[bucket] = 65;
        let error = found(&bytes, "f", 1).unwrap_err();
        assert_eq!((error.expected(), error.found()), ("at most 64", "65"));
        assert_eq!(error.offset(), Some(bucket as u64));
    }

    #[test]
    fn an_empty_table() {
        let bytes = indexed::write(&Merger::new().finish().profile, &WriteOptions::default());
        assert_eq!(found(&bytes, "f", 1).unwrap(), (vec![], None));
    }

    /// Other names than the damaged one are found all the same.
    #[test]
    fn damage_matters_to_whom_it_meets() {
        let whole = profile();
        let at = whole
            .windows(2)
            .position(|bytes| bytes == b"f7")
            .expect("it is there");
        let mut bytes = whole.clone();
        // How many counts the record has.
        bytes[at + 10] = 0xff;
        let error = found(&bytes, "f7", 7).unwrap_err();
        assert_eq!(
            error.llvm_message(),
            "malformed instrumentation profile data: profile data is empty"
        );
        assert!(error.offset().is_some_and(|offset| offset > at as u64));
        assert_eq!(found(&bytes, "f8", 8).unwrap(), (vec![8, 1], None));
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let whole = profile();
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                for (name, hash) in [("f7", 7), ("f9", 99), ("f31", 31)] {
                    let _ = found(&bytes, name, hash);
                }
            }
        }
    }
}
