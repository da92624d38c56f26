//! Writes an indexed profile, byte for byte as `llvm-profdata merge` does (LLVM:
//! `InstrProfWriter::writeImpl`).

use crate::bytes::pad8;
use crate::indexed::hash_table::Buckets;
use crate::indexed::header::MAGIC;
use crate::indexed::record_order::slot_order;
use crate::indexed::summary::{SUMMARY_BYTES, Summary};
use crate::indexed::NEWEST;
use crate::kind::ProfileKind;
use crate::names::NameRef;
use crate::profile::{FunctionHash, Profile, Record};
use crate::values::{VALUE_KINDS, Values};

/// How to write a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Leave out names of which no record has a non-zero count or bitmap byte (LLVM: `--sparse`).
    pub sparse: bool,
}

/// The bytes of an indexed profile, version 13.
#[must_use]
pub fn write(profile: &Profile, options: &WriteOptions) -> Vec<u8> {
    let functions = functions_to_write(profile, options);
    let hashes: Vec<NameRef> = functions.iter().map(|records| records[0].name_ref).collect();
    let buckets = Buckets::build(&hashes);

    let mut out = Vec::new();
    let kind = profile.kind();
    push(&mut out, [MAGIC, u64::from(NEWEST) | kind.indexed_bits(), 0, 0]);
    let offsets_at = out.len();
    push(&mut out, [0; 5]);
    let summary_at = out.len();
    let context_sensitive = kind.contains(ProfileKind::CONTEXT_SENSITIVE);
    let summaries = if context_sensitive { 2 } else { 1 };
    out.resize(summary_at + summaries * SUMMARY_BYTES, 0);

    let mut summary = Summary::default();
    let mut context_summary = Summary::default();
    let mut bucket_offsets = Vec::with_capacity(buckets.len());
    for bucket in 0..buckets.len() {
        let keys: Vec<usize> = buckets.bucket(bucket).collect();
        if keys.is_empty() {
            bucket_offsets.push(0);
            continue;
        }
        bucket_offsets.push(out.len() as u64);
        // A u16 in the format; that many names in one bucket need a crafted profile.
        let items = u16::try_from(keys.len()).unwrap_or(u16::MAX);
        out.extend(items.to_le_bytes());
        for key in keys {
            for record in &functions[key] {
                if record.hash.has_context_bit() {
                    context_summary.add(record);
                } else {
                    summary.add(record);
                }
            }
            write_item(&mut out, &functions[key]);
        }
    }
    pad(&mut out);

    let hash_offset = out.len() as u64;
    push(&mut out, [buckets.len() as u64, functions.len() as u64]);
    push(&mut out, bucket_offsets);
    let binary_id_offset = out.len() as u64;
    write_binary_ids(&mut out, profile);
    let vtable_names_offset = out.len() as u64;
    push(&mut out, [0]);

    let offsets = [hash_offset, 0, binary_id_offset, 0, vtable_names_offset];
    patch(&mut out, offsets_at, offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    let mut summaries = Vec::new();
    summary.write(&mut summaries);
    if context_sensitive {
        context_summary.write(&mut summaries);
    }
    patch(&mut out, summary_at, summaries);
    out
}

/// Names that are to be written, in ascending byte order, each with its records in LLVM's order.
fn functions_to_write<'a>(profile: &'a Profile, options: &WriteOptions) -> Vec<Vec<Record<'a>>> {
    let mut functions: Vec<Vec<Record<'a>>> = profile
        .functions()
        .filter(|records| !options.sparse || records.iter().any(is_reached))
        .collect();
    functions.sort_unstable_by_key(|records| records[0].name);
    for records in &mut functions {
        if records.len() > 1 {
            let hashes: Vec<FunctionHash> = records.iter().map(|record| record.hash).collect();
            *records = slot_order(&hashes).into_iter().map(|index| records[index]).collect();
        }
    }
    functions
}

fn is_reached(record: &Record<'_>) -> bool {
    record.counts.iter().any(|&count| count != 0) || record.bitmap.iter().any(|&byte| byte != 0)
}

fn write_item(out: &mut Vec<u8>, records: &[Record<'_>]) {
    let data_bytes: usize = records
        .iter()
        .map(|record| {
            let words = 3 + record.counts.len() + record.bitmap.len();
            words * 8 + record.values.map_or(8, value_block_bytes)
        })
        .sum();
    let name = records[0].name;
    push(out, [records[0].name_ref.0, name.len() as u64, data_bytes as u64]);
    out.extend_from_slice(name);
    for record in records {
        push(out, [record.hash.0, record.counts.len() as u64]);
        push(out, record.counts.iter().copied());
        push(out, [record.bitmap.len() as u64]);
        push(out, record.bitmap.iter().map(|&byte| u64::from(byte)));
        write_values(out, record.values);
    }
}

fn value_block_bytes(values: &Values) -> usize {
    let kinds = (0..VALUE_KINDS).map(|kind| values.kind(kind));
    let kind_bytes = kinds.filter(|sites| !sites.is_empty()).map(|sites| {
        let head = 8 + sites.len();
        head.next_multiple_of(8) + sites.iter().map(|site| site.len() * 16).sum::<usize>()
    });
    8 + kind_bytes.sum::<usize>()
}

/// The value data of one record; 8 bytes even if there is none.
fn write_values(out: &mut Vec<u8>, values: Option<&Values>) {
    let empty = Values::default();
    let values = values.unwrap_or(&empty);
    let total = value_block_bytes(values);
    let present: Vec<usize> = (0..VALUE_KINDS)
        .filter(|&kind| !values.kind(kind).is_empty())
        .collect();
    push_u32(out, total);
    push_u32(out, present.len());
    for kind in present {
        let sites = values.kind(kind);
        push_u32(out, kind);
        push_u32(out, sites.len());
        // Ranked sites have at most 255 values.
        out.extend(sites.iter().map(|site| u8::try_from(site.len()).unwrap_or(u8::MAX)));
        let padding = (8 + sites.len()).next_multiple_of(8) - (8 + sites.len());
        out.resize(out.len() + padding, 0);
        for value in sites.iter().flatten() {
            push(out, [value.value, value.count]);
        }
    }
}

fn write_binary_ids(out: &mut Vec<u8>, profile: &Profile) {
    let size_at = out.len();
    push(out, [0]);
    for id in profile.binary_ids() {
        push(out, [id.len() as u64]);
        out.extend_from_slice(id);
        out.resize(out.len() + id.len().next_multiple_of(8) - id.len(), 0);
    }
    let size = (out.len() - size_at - 8) as u64;
    patch(out, size_at, size.to_le_bytes());
}

fn push(out: &mut Vec<u8>, words: impl IntoIterator<Item = u64>) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// A size that the format keeps in 32 bits.
fn push_u32(out: &mut Vec<u8>, value: usize) {
    out.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn pad(out: &mut Vec<u8>) {
    let zeros = pad8(out.len() as u64);
    out.extend(std::iter::repeat_n(0, usize::try_from(zeros).unwrap_or(0)));
}

/// Overwrites what was left open at `at`.
fn patch(out: &mut [u8], at: usize, bytes: impl IntoIterator<Item = u8>) {
    for (slot, byte) in out[at..].iter_mut().zip(bytes) {
        *slot = byte;
    }
}
