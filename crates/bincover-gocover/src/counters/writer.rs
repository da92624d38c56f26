//! Records to bytes.

use crate::bytes::{put_u32, put_uleb};
use crate::counters::{Args, Record};
use crate::hash::Hash;
use crate::kind::COUNTERS_MAGIC;
use crate::meta::Strings;

/// A counter file with these records, in their order, in one segment of ULEB128 numbers.
///
/// Go has the strings in a random order; here it is that of their use.
#[must_use]
pub fn write(hash: Hash, args: &Args, records: &[Record<'_>]) -> Vec<u8> {
    let mut strings = Strings::default();
    strings.index(b"");
    let pairs = args.pairs();
    let mut encoded_args = Vec::new();
    put_uleb(&mut encoded_args, pairs.len() as u64);
    for (key, value) in &pairs {
        for text in [key, value] {
            put_uleb(&mut encoded_args, strings.index(text) as u64);
        }
    }
    let table = strings.write();
    // The segment's header has 16 bytes, so this brings all three to a multiple of 4.
    let padding = (table.len() + encoded_args.len()).wrapping_neg() % 4;
    encoded_args.resize(encoded_args.len() + padding, 0);

    let mut out = Vec::new();
    out.extend_from_slice(&COUNTERS_MAGIC);
    put_u32(&mut out, 1);
    out.extend_from_slice(&hash.0);
    out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&(records.len() as u64).to_le_bytes());
    put_u32(&mut out, table.len());
    put_u32(&mut out, encoded_args.len());
    out.extend_from_slice(&table);
    out.extend_from_slice(&encoded_args);
    for record in records {
        put_uleb(&mut out, record.counters.len() as u64);
        put_uleb(&mut out, record.package.into());
        put_uleb(&mut out, record.function.into());
        for &counter in record.counters {
            put_uleb(&mut out, counter.into());
        }
    }
    out.extend_from_slice(&COUNTERS_MAGIC);
    for word in [0, 1, 0] {
        put_u32(&mut out, word);
    }
    out
}
