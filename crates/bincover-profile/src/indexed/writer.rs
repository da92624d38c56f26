//! Writes an indexed profile, byte for byte as `llvm-profdata merge` does (LLVM:
//! `InstrProfWriter::writeImpl`).

use crate::bytes::pad8;
use crate::indexed::hash_table::Buckets;
use crate::indexed::header::{Layout, MAGIC};
use crate::indexed::record_order::slot_order;
use crate::kind::ProfileKind;
use crate::names::{NameRef, encode_chunk};
use crate::profile::{FunctionHash, FunctionId, Profile, Record};
use crate::summary::{CUTOFFS, Summary};
use crate::values::{VALUE_KINDS, Values};
use crate::write::{WriteOptions, functions_to_write};

/// The bytes of an indexed profile.
#[must_use]
pub fn write(profile: &Profile, options: &WriteOptions) -> Vec<u8> {
    let functions = sorted_functions(profile, options);
    let layout = Layout::new(options.version.number()).expect("a version that can be written");
    let hashes: Vec<NameRef> = functions
        .iter()
        .map(|function| profile.name_of(*function).1)
        .collect();
    let buckets = Buckets::build(&hashes);

    let mut out = Vec::with_capacity(capacity(profile, &functions, buckets.len()));
    let kind = profile.kind();
    push(
        &mut out,
        [MAGIC, u64::from(layout.version) | kind.indexed_bits(), 0, 0],
    );
    let offsets_at = out.len();
    // The offsets of the sections, to be filled in; older versions have fewer.
    out.resize(usize::try_from(layout.header_bytes).unwrap_or(0), 0);
    let summary_at = out.len();
    let context_sensitive = kind.contains(ProfileKind::CONTEXT_SENSITIVE);
    let summaries = if context_sensitive { 2 } else { 1 };
    out.resize(summary_at + summaries * SUMMARY_BYTES, 0);

    let mut records = Vec::new();
    let mut summary = Summary::default();
    let mut context_summary = Summary::default();
    let mut bucket_offsets = Vec::with_capacity(buckets.len());
    for bucket in 0..buckets.len() {
        let items = buckets.bucket(bucket).count();
        if items == 0 {
            bucket_offsets.push(0);
            continue;
        }
        bucket_offsets.push(out.len() as u64);
        // A u16 in the format; that many names in one bucket need a crafted profile.
        let items = u16::try_from(items).unwrap_or(u16::MAX);
        out.extend(items.to_le_bytes());
        for key in buckets.bucket(bucket) {
            records_in_order(profile, functions[key], &mut records);
            for record in &records {
                if record.hash.has_context_bit() {
                    context_summary.add(record);
                } else {
                    summary.add(record);
                }
            }
            write_item(&mut out, &records, layout.bitmaps);
        }
    }
    pad(&mut out);

    let hash_offset = out.len() as u64;
    push(&mut out, [buckets.len() as u64, functions.len() as u64]);
    push(&mut out, bucket_offsets);
    let mut offsets = vec![hash_offset];
    offsets.push(section(
        &mut out,
        kind.contains(ProfileKind::MEMPROF),
        write_empty_memprof,
    ));
    offsets.push(section(&mut out, true, |out| {
        write_binary_ids(out, profile)
    }));
    // The traces come last in the file, but before the vtables' names in the header.
    let has_vtable_names = layout.vtable_names;
    let vtable_names = section(&mut out, has_vtable_names, |out| {
        write_vtable_names(out, profile);
    });
    let is_temporal = kind.contains(ProfileKind::TEMPORAL);
    offsets.push(section(&mut out, is_temporal, |out| {
        write_traces(out, profile)
    }));
    offsets.extend(has_vtable_names.then_some(vtable_names));
    patch(
        &mut out,
        offsets_at,
        offsets.iter().flat_map(|offset| offset.to_le_bytes()),
    );
    let mut summaries = Vec::new();
    write_summary(&mut summaries, summary);
    if context_sensitive {
        write_summary(&mut summaries, context_summary);
    }
    patch(&mut out, summary_at, summaries);
    out
}

/// Size of a written summary in bytes.
const SUMMARY_BYTES: usize = (2 + 6 + 3 * CUTOFFS.len()) * 8;

fn write_summary(out: &mut Vec<u8>, mut summary: Summary) {
    let max_count = summary
        .max_function_count()
        .max(summary.max_internal_count());
    push(out, [6, CUTOFFS.len() as u64]);
    push(
        out,
        [u64::from(summary.functions()), u64::from(summary.blocks())],
    );
    push(
        out,
        [
            summary.max_function_count(),
            max_count,
            summary.max_internal_count(),
        ],
    );
    push(out, [summary.total()]);
    for entry in summary.entries(&CUTOFFS) {
        push(
            out,
            [
                u64::from(entry.cutoff),
                entry.min_count,
                u64::from(entry.blocks),
            ],
        );
    }
}

/// Functions in ascending byte order of their names.
fn sorted_functions(profile: &Profile, options: &WriteOptions) -> Vec<FunctionId> {
    let mut functions: Vec<FunctionId> = functions_to_write(profile, options).collect();
    functions.sort_unstable_by_key(|function| profile.name_of(*function).0);
    functions
}

/// About as much as will be written: all but bitmaps, values and what comes once.
fn capacity(profile: &Profile, functions: &[FunctionId], buckets: usize) -> usize {
    let names = functions
        .iter()
        .map(|function| profile.name_of(*function).0.len());
    // For each name its hash, its length and that of its records; for each record its hash, the
    // numbers of its counters and of its bitmap's bytes, and 8 bytes for no values.
    let words = 3 * functions.len() + 4 * profile.record_count() + profile.count_total() + buckets;
    names.sum::<usize>() + 8 * words + 2 * buckets + 4096
}

/// A function's records in LLVM's order.
fn records_in_order<'a>(profile: &'a Profile, function: FunctionId, records: &mut Vec<Record<'a>>) {
    records.clear();
    records.extend(profile.records_under(function));
    if records.len() > 1 {
        let hashes: Vec<FunctionHash> = records.iter().map(|record| record.hash).collect();
        let order = slot_order(&hashes);
        *records = order.into_iter().map(|index| records[index]).collect();
    }
}

/// Writes a section, if it is there, and returns its offset for the header, else 0.
fn section(out: &mut Vec<u8>, is_there: bool, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
    if !is_there {
        return 0;
    }
    let offset = out.len() as u64;
    write(out);
    offset
}

/// LLVM keeps the flag of an input's memory profile and writes an empty one (version 3, schema of
/// five fields, no record).
fn write_empty_memprof(out: &mut Vec<u8>) {
    let end = out.len() as u64 + 0x48;
    push(out, [3, end, end, end, 4, 1, 5, 10, 23, 1, 0, 0]);
}

fn write_vtable_names(out: &mut Vec<u8>, profile: &Profile) {
    let names: Vec<&[u8]> = profile.vtable_names().collect();
    let chunk = match names.is_empty() {
        true => Vec::new(),
        false => encode_chunk(&names),
    };
    push(out, [chunk.len() as u64]);
    let padded = chunk.len().next_multiple_of(8);
    out.extend_from_slice(&chunk);
    out.resize(out.len() + padded - chunk.len(), 0);
}

fn write_traces(out: &mut Vec<u8>, profile: &Profile) {
    let traces = profile.traces();
    push(out, [traces.list().len() as u64, traces.stream_size()]);
    for trace in traces.list() {
        push(out, [trace.weight, trace.functions.len() as u64]);
        push(out, trace.functions.iter().map(|function| function.0));
    }
}

fn write_item(out: &mut Vec<u8>, records: &[Record<'_>], bitmaps: bool) {
    let data_bytes: usize = records
        .iter()
        .map(|record| {
            let bitmap_words = if bitmaps { 1 + record.bitmap.len() } else { 0 };
            let words = 2 + record.counts.len() + bitmap_words;
            words * 8 + record.values.map_or(8, value_block_bytes)
        })
        .sum();
    let Some(Record { name, name_ref, .. }) = records.first() else {
        return;
    };
    push(out, [name_ref.0, name.len() as u64, data_bytes as u64]);
    out.extend_from_slice(name);
    for record in records {
        push(out, [record.hash.0, record.counts.len() as u64]);
        push(out, record.counts.iter().copied());
        if bitmaps {
            push(out, [record.bitmap.len() as u64]);
            push(out, record.bitmap.iter().map(|&byte| u64::from(byte)));
        }
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
        out.extend(
            sites
                .iter()
                .map(|site| u8::try_from(site.len()).unwrap_or(u8::MAX)),
        );
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
