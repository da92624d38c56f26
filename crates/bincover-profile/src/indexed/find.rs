//! Finds the records of one name without reading the others (LLVM:
//! `OnDiskIterableChainedHashTable::find_hashed`).

use crate::bytes::Cursor;
use crate::error::Result;
use crate::indexed::reader::{IndexedProfile, IndexedRecord, at, unreadable_data};
use crate::names::NameRef;
use crate::values::Values;

impl<'a> IndexedProfile<'a> {
    /// Calls `visit` with each record under a name, whose hash is `name_ref`, in the order of the
    /// file. `values` is memory for their value sites.
    ///
    /// # Errors
    /// If the name's part of the table points outside the file, or a record under the name is cut
    /// short or contradicts itself; those before it have been visited.
    pub fn find(
        &self,
        name: &[u8],
        name_ref: NameRef,
        values: &mut Values,
        mut visit: impl FnMut(IndexedRecord<'a>),
    ) -> Result<()> {
        self.find_in_bucket(name, name_ref, values, &mut visit)
            .map_err(|error| unreadable_data(error).in_context(self.header().layout))
    }

    fn find_in_bucket(
        &self,
        name: &[u8],
        name_ref: NameRef,
        values: &mut Values,
        visit: &mut impl FnMut(IndexedRecord<'a>),
    ) -> Result<()> {
        // The number of buckets is a power of two.
        let bucket = name_ref.0 & (self.buckets.len() as u64).wrapping_sub(1);
        let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
        let offset = self
            .buckets
            .get(bucket)
            .map_or(0, |word| u64::from_le_bytes(*word));
        if offset == 0 {
            return Ok(());
        }
        let field_at = self.header().hash_offset + 16 + 8 * bucket as u64;
        let mut items: Cursor<'a> = at(self.bytes, offset, "offset of a bucket", field_at)?;
        for _ in 0..items.u16("number of items in a bucket")? {
            let claimed = NameRef(items.u64("name hash")?);
            let name_bytes = items.u64("name length")?;
            let data_bytes = items.u64("data length")?;
            let found = items.take(name_bytes, "name")?;
            let at = items.offset();
            let data = items.take(data_bytes, "function data")?;
            if claimed == name_ref && found == name {
                return self.records(found, claimed, (data, at), values, &mut |record, _| {
                    visit(record);
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::{Merger, WriteOptions, indexed};

    /// Forty functions, of which the tenth has two hashes.
    fn profile() -> Vec<u8> {
        let mut text = String::from("f9\n99\n1\n7\n");
        for index in 0..40 {
            text += &format!("f{index}\n{index}\n2\n{index}\n1\n");
        }
        let mut merger = Merger::new();
        merger.add("text", text.as_bytes(), NonZeroU64::MIN);
        indexed::write(&merger.finish().profile, &WriteOptions::default())
    }

    fn found(bytes: &[u8], name: &str) -> Result<Vec<(u64, Vec<u64>)>> {
        let profile = IndexedProfile::parse(bytes)?;
        let name = name.as_bytes();
        let mut found = Vec::new();
        profile.find(name, NameRef::of(name), &mut Values::default(), |record| {
            let mut counts = Vec::new();
            record.counters.decode_into(&mut counts);
            found.push((record.hash.0, counts));
        })?;
        Ok(found)
    }

    #[test]
    fn each_name_and_no_other() {
        let bytes = profile();
        for index in 0..40 {
            let mut expected = vec![(index, vec![index, 1])];
            if index == 9 {
                expected.push((99, vec![7]));
            }
            assert_eq!(found(&bytes, &format!("f{index}")).unwrap(), expected);
        }
        for name in ["", "f", "f40"] {
            assert_eq!(found(&bytes, name).unwrap(), [], "{name}");
        }
    }

    #[test]
    fn an_empty_table() {
        let bytes = indexed::write(&Merger::new().finish().profile, &WriteOptions::default());
        assert_eq!(found(&bytes, "f").unwrap(), []);
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
        let error = found(&bytes, "f7").unwrap_err();
        assert_eq!(
            error.llvm_message(),
            "malformed instrumentation profile data: profile data is empty"
        );
        assert!(error.offset().is_some_and(|offset| offset > at as u64));
        assert_eq!(found(&bytes, "f8").unwrap(), found(&whole, "f8").unwrap());
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let whole = profile();
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                for name in ["f7", "f9", "f31"] {
                    let _ = found(&bytes, name);
                }
            }
        }
    }
}
