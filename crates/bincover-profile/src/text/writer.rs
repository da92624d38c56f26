//! Writes a profile as text, byte for byte as `llvm-profdata merge --text` does (LLVM:
//! `InstrProfWriter::writeText`).

use std::io::Write;

use crate::kind::ProfileKind;
use crate::names::{HashedMap, NameRef};
use crate::profile::{Profile, Record};
use crate::read::FileRecord;
use crate::text::reader::EXTERNAL;
use crate::values::{VALUE_KINDS, Values};
use crate::write::{WriteOptions, records_to_write};

/// The text of a profile.
#[must_use]
pub fn write(profile: &Profile, options: &WriteOptions) -> Vec<u8> {
    let mut records: Vec<Record<'_>> = records_to_write(profile, options).collect();
    records.sort_unstable_by_key(|record| (record.name, record.hash));
    let names: HashedMap<NameRef, &[u8]> = records
        .iter()
        .map(|record| (record.name_ref, record.name))
        .chain(profile.vtable_names().map(|name| (NameRef::of(name), name)))
        .collect();
    let mut out = Vec::new();
    write_all(&mut out, profile, &records, &names).expect("writing to memory does not fail");
    out
}

type Names<'a> = HashedMap<NameRef, &'a [u8]>;

fn write_all(
    out: &mut Vec<u8>,
    profile: &Profile,
    records: &[Record<'_>],
    names: &Names<'_>,
) -> std::io::Result<()> {
    write_header(out, profile.kind())?;
    if profile.kind().contains(ProfileKind::TEMPORAL) {
        write_traces(out, profile, names)?;
    }
    for record in records {
        emit_record(out, record, names)?;
    }
    Ok(())
}

/// One record of a file as text, as `llvm-profdata show --text` shows it.
pub fn write_record(
    record: &FileRecord<'_>,
    name_of: impl Fn(NameRef) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let (counts, bitmap) = (record.counts(), record.bitmap_bytes());
    let targets = [0, 2].map(|kind| record.values.kind(kind).iter().flatten());
    let named: Vec<(NameRef, Vec<u8>)> = targets
        .into_iter()
        .flatten()
        .map(|value| NameRef(value.value))
        .filter_map(|name| Some((name, name_of(name)?)))
        .collect();
    let names = named
        .iter()
        .map(|(name, text)| (*name, text.as_slice()))
        .collect();
    let record = Record {
        name: record.name,
        name_ref: record.name_ref,
        hash: record.hash,
        counts: &counts,
        bitmap: &bitmap,
        values: Some(record.values),
    };
    let mut out = Vec::new();
    emit_record(&mut out, &record, &names).expect("writing to memory does not fail");
    out
}

fn write_header(out: &mut Vec<u8>, kind: ProfileKind) -> std::io::Result<()> {
    if kind.contains(ProfileKind::CONTEXT_SENSITIVE) {
        out.write_all(b"# CSIR level Instrumentation Flag\n:csir\n")?;
    } else if kind.contains(ProfileKind::IR) {
        out.write_all(b"# IR level Instrumentation Flag\n:ir\n")?;
    }
    if kind.contains(ProfileKind::ENTRY_FIRST) {
        out.write_all(b"# Always instrument the function entry block\n:entry_first\n")?;
    }
    if kind.contains(ProfileKind::LOOP_ENTRIES) {
        out.write_all(b"# Always instrument the loop entry blocks\n:instrument_loop_entries\n")?;
    }
    if kind.contains(ProfileKind::BYTE_COVERAGE) {
        out.write_all(b"# Instrument block coverage\n:single_byte_coverage\n")?;
    }
    Ok(())
}

fn write_traces(out: &mut Vec<u8>, profile: &Profile, names: &Names<'_>) -> std::io::Result<()> {
    let traces = profile.traces();
    writeln!(
        out,
        ":temporal_prof_traces\n# Num Temporal Profile Traces:\n{}\n# Temporal Profile Trace Stream Size:\n{}",
        traces.list().len(),
        traces.stream_size()
    )?;
    for trace in traces.list() {
        writeln!(out, "# Weight:\n{}", trace.weight)?;
        for function in &trace.functions {
            out.write_all(names.get(function).copied().unwrap_or_default())?;
            out.write_all(b",")?;
        }
        out.write_all(b"\n")?;
    }
    out.write_all(b"\n")
}

fn emit_record(out: &mut Vec<u8>, record: &Record<'_>, names: &Names<'_>) -> std::io::Result<()> {
    out.write_all(record.name)?;
    writeln!(
        out,
        "\n# Func Hash:\n{}\n# Num Counters:\n{}\n# Counter Values:",
        record.hash.0,
        record.counts.len()
    )?;
    for count in record.counts {
        writeln!(out, "{count}")?;
    }
    if !record.bitmap.is_empty() {
        writeln!(
            out,
            "# Num Bitmap Bytes:\n${}\n# Bitmap Byte Values:",
            record.bitmap.len()
        )?;
        for byte in record.bitmap {
            writeln!(out, "{byte:#x}")?;
        }
        out.write_all(b"\n")?;
    }
    if let Some(values) = record.values.filter(|values| !values.is_empty()) {
        write_values(out, values, names)?;
    }
    out.write_all(b"\n")
}

const KINDS: [&str; VALUE_KINDS] = [
    "IPVK_IndirectCallTarget",
    "IPVK_MemOPSize",
    "IPVK_VTableTarget",
];

fn write_values(out: &mut Vec<u8>, values: &Values, names: &Names<'_>) -> std::io::Result<()> {
    let present = |kind: &usize| !values.kind(*kind).is_empty();
    let kinds = (0..VALUE_KINDS).filter(present).count();
    writeln!(out, "# Num Value Kinds:\n{kinds}")?;
    for kind in (0..VALUE_KINDS).filter(present) {
        let sites = values.kind(kind);
        writeln!(
            out,
            "# ValueKind = {}:\n{kind}\n# NumValueSites:\n{}",
            KINDS[kind],
            sites.len()
        )?;
        for site in sites.iter() {
            writeln!(out, "{}", site.len())?;
            for value in site {
                if kind == 1 {
                    write!(out, "{}", value.value)?;
                } else {
                    let name = names.get(&NameRef(value.value)).copied();
                    out.write_all(name.unwrap_or(EXTERNAL))?;
                }
                writeln!(out, ":{}", value.count)?;
            }
        }
    }
    Ok(())
}
