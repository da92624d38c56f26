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
