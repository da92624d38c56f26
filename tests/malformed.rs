//! What is said of malformed files, word for word, and what is kept of them.

use std::num::NonZeroU64;

use bincover_profile::ErrorKind::{
    self, BadHeader, Correlated, Malformed, RawVersionMismatch, TooLarge, Truncated,
    UncompressFailed, UnsupportedHashType, UnsupportedVersion,
};
use bincover_profile::{Cause, Error, Merged, Merger, WriteOptions, indexed};
use bincover_testkit::raw::{Assembled, Function, RawFile, Shape};

fn functions() -> [Function; 2] {
    let main = Function {
        bitmap: vec![3],
        ..Function::new("main", 7, [1, 2])
    };
    let mut half = Function::new("half", 8, [4]);
    half.values[1] = vec![vec![(16, 2)]];
    [main, half]
}

fn assembled(shape: Shape, functions: &[Function]) -> Assembled {
    let file = RawFile {
        binary_ids: vec![b"ident".to_vec()],
        ..RawFile::new(shape, functions)
    };
    file.assemble()
}

fn merged(files: &[(&str, &[u8])]) -> Merged {
    let mut merger = Merger::new();
    for (source, bytes) in files {
        merger.add(source, bytes, NonZeroU64::MIN);
    }
    merger.finish()
}

/// The error of a file that is the only input, and how many records were kept.
fn error_of(merged: &Merged) -> Option<(&Error, u64)> {
    match &merged.ledger.entries[..] {
        [] => None,
        [entry] => match &entry.cause {
            Cause::Unreadable(error) => Some((error, 0)),
            Cause::Damaged { error, kept, .. } => Some((error, *kept)),
            other => panic!("another cause: {other:?}"),
        },
        several => panic!("several entries: {several:?}"),
    }
}

#[track_caller]
fn check(case: &str, bytes: &[u8], kind: ErrorKind, offset: Option<u64>, message: &str, kept: u64) {
    let merged = merged(&[("input", bytes)]);
    let Some((error, found)) = error_of(&merged) else {
        panic!("{case}: no error, but {message}");
    };
    assert_eq!(error.to_string(), message, "{case}");
    assert_eq!((error.kind(), error.offset()), (kind, offset), "{case}");
    assert_eq!(found, kept, "{case}: records kept");
    assert_eq!(merged.profile.record_count() as u64, kept, "{case}");
    // A build id of a file that ends badly would claim that all of it is there.
    assert_eq!(merged.profile.binary_ids().count(), 0, "{case}");
}

/// A field of the file below and a value that it must not have. The message without the layout,
/// which is the same for all; records kept.
type Case = (&'static str, u64, ErrorKind, u64, &'static str, u64);

const LAYOUT: &str = " (raw profile version 10, little-endian, 64-bit)";

/// The file: header to 0x80, build id to 0x90, records to 0x110, counters to 0x128, bitmap to
/// 0x129, names from 0x130 to 0x13b, value data from 0x140 to 0x168.
const FIELDS: &[Case] = &[
    (
        "BinaryIdsSize",
        12,
        BadHeader,
        0x10,
        "BinaryIdsSize: expected a multiple of 8 at offset 0x10, found 12",
        0,
    ),
    (
        "BinaryIdsSize",
        8,
        Malformed,
        0x88,
        "binary id data: expected 8 bytes at offset 0x88, found 0",
        0,
    ),
    (
        "BinaryIdsSize",
        u64::MAX - 7,
        BadHeader,
        0x80,
        "binary ids: expected 18446744073709551608 bytes at offset 0x80, found 232",
        0,
    ),
    (
        "binary id length",
        0,
        Malformed,
        0x80,
        "binary id length: expected at least 1 at offset 0x80, found 0",
        0,
    ),
    (
        "binary id length",
        9,
        Malformed,
        0x88,
        "binary id data: expected 16 bytes at offset 0x88, found 8",
        0,
    ),
    (
        "NumData",
        1,
        Malformed,
        0xf0,
        "names: expected a name at offset 0xf0, found an empty one",
        0,
    ),
    (
        "NumData",
        3,
        BadHeader,
        0x168,
        "bitmaps: expected 1 bytes at offset 0x168, found 0",
        0,
    ),
    (
        "NumData",
        u64::MAX,
        BadHeader,
        0x90,
        "data records: expected 18446744073709551615 times 64 bytes at offset 0x90, found 216",
        0,
    ),
    (
        "PaddingBytesBeforeCounters",
        8,
        UncompressFailed,
        0x13a,
        "names: expected 105 bytes at offset 0x13a, found 9",
        0,
    ),
    (
        "PaddingBytesBeforeCounters",
        u64::MAX,
        BadHeader,
        0x110,
        "padding before counters: expected 18446744073709551615 bytes at offset 0x110, found 88",
        0,
    ),
    (
        "NumCounters",
        2,
        Truncated,
        0x132,
        "names: expected 9 bytes at offset 0x132, found 1",
        0,
    ),
    (
        "NumCounters",
        1 << 61,
        BadHeader,
        0x110,
        "counters: expected 2305843009213693952 times 8 bytes at offset 0x110, found 88",
        0,
    ),
    (
        "PaddingBytesAfterCounters",
        65,
        BadHeader,
        0x128,
        "padding after counters: expected 65 bytes at offset 0x128, found 64",
        0,
    ),
    (
        "NumBitmapBytes",
        1000,
        BadHeader,
        0x128,
        "bitmaps: expected 1000 bytes at offset 0x128, found 64",
        0,
    ),
    (
        "PaddingBytesAfterBitmapBytes",
        0,
        Malformed,
        0x129,
        "names: expected a name at offset 0x129, found an empty one",
        0,
    ),
    (
        "PaddingBytesAfterBitmapBytes",
        64,
        BadHeader,
        0x129,
        "padding after bitmaps: expected 64 bytes at offset 0x129, found 63",
        0,
    ),
    (
        "NamesSize",
        10,
        Truncated,
        0x132,
        "names: expected 9 bytes at offset 0x132, found 8",
        0,
    ),
    (
        "NamesSize",
        57,
        BadHeader,
        0x130,
        "names: expected 57 bytes at offset 0x130, found 56",
        0,
    ),
    // Names are value data then, and the first record has none.
    (
        "NamesSize",
        0,
        TooLarge,
        0x130,
        "value data: expected 1634205705 bytes at offset 0x130, found 56",
        1,
    ),
    (
        "CountersDelta",
        0,
        Malformed,
        0x90,
        "counter offset: expected 0 or more at offset 0x90, found -268435456",
        0,
    ),
    (
        "CountersDelta",
        (1u64 << 28).wrapping_neg() - 24,
        Malformed,
        0x90,
        "counter offset: expected at most 23 at offset 0x90, found 24",
        0,
    ),
    (
        "BitmapDelta",
        1 << 29,
        Malformed,
        0x90,
        "bitmap offset: expected 0 or more at offset 0x90, found -268435456",
        0,
    ),
    (
        "BitmapDelta",
        (1 << 28) - 1,
        Malformed,
        0x90,
        "bitmap offset: expected at most 0 at offset 0x90, found 1",
        0,
    ),
    (
        "NumVTables",
        2,
        BadHeader,
        0x140,
        "vtables: expected 48 bytes at offset 0x140, found 40",
        0,
    ),
    (
        "VNamesSize",
        41,
        BadHeader,
        0x140,
        "vtable names: expected 41 bytes at offset 0x140, found 40",
        0,
    ),
    (
        "VNamesSize",
        33,
        Truncated,
        0x168,
        "value data: expected 8 bytes at offset 0x168, found 0",
        1,
    ),
    (
        "record 0 CounterPtr",
        0,
        Malformed,
        0x90,
        "counter offset: expected at most 23 at offset 0x90, found 268435456",
        0,
    ),
    (
        "record 0 BitmapPtr",
        0,
        Malformed,
        0x90,
        "bitmap offset: expected 0 or more at offset 0x90, found -268435456",
        0,
    ),
    (
        "record 0 NumCounters",
        0,
        Malformed,
        0xc0,
        "number of counters: expected at least 1 at offset 0xc0, found 0",
        0,
    ),
    (
        "record 0 NumCounters",
        4,
        Malformed,
        0x90,
        "number of counters: expected at most 3 at offset 0x90, found 4",
        0,
    ),
    (
        "record 1 NumCounters",
        u64::MAX,
        Malformed,
        0xd0,
        "number of counters: expected at most 1 at offset 0xd0, found 4294967295",
        1,
    ),
    (
        "record 0 NumBitmapBytes",
        2,
        Malformed,
        0x90,
        "number of bitmap bytes: expected at most 1 at offset 0x90, found 2",
        0,
    ),
    (
        "record 0 NumValueSites[0]",
        1,
        Truncated,
        0x168,
        "value data: expected 8 bytes at offset 0x168, found 0",
        1,
    ),
    (
        "record 1 NumValueSites[1]",
        0,
        Malformed,
        0x140,
        "data after the profile: expected zero bytes or another header at offset 0x140, found 40 bytes, not enough space for another header",
        2,
    ),
    (
        "TotalSize",
        0,
        Malformed,
        0x140,
        "size of value data: expected a multiple of 8, at least 8 at offset 0x140, found 0",
        1,
    ),
    (
        "TotalSize",
        12,
        Malformed,
        0x140,
        "size of value data: expected a multiple of 8, at least 8 at offset 0x140, found 12",
        1,
    ),
    (
        "TotalSize",
        16,
        Malformed,
        0x150,
        "value site counts: expected 1 bytes at offset 0x150, found 0",
        1,
    ),
    (
        "TotalSize",
        48,
        TooLarge,
        0x140,
        "value data: expected 48 bytes at offset 0x140, found 40",
        1,
    ),
    (
        "NumValueKinds",
        4,
        Malformed,
        0x144,
        "number of value kinds: expected at most 3 at offset 0x144, found 4",
        1,
    ),
    (
        "NumValueKinds",
        2,
        Malformed,
        0x168,
        "value kind: expected 4 bytes at offset 0x168, found 0",
        1,
    ),
    (
        "Kind",
        3,
        Malformed,
        0x148,
        "value kind: expected 0, 1 or 2 at offset 0x148, found 3",
        1,
    ),
    (
        "NumValueSites",
        u64::MAX,
        Malformed,
        0x150,
        "value site counts: expected 4294967295 bytes at offset 0x150, found 24",
        1,
    ),
];

#[test]
fn each_field_of_a_raw_profile() {
    for &(field, value, kind, offset, message, kept) in FIELDS {
        let mut file = assembled(Shape::CURRENT, &functions());
        file.set(field, value);
        let case = format!("{field} = {value:#x}");
        check(
            &case,
            &file.bytes,
            kind,
            Some(offset),
            &format!("{message}{LAYOUT}"),
            kept,
        );
    }
}

/// What these hold is not looked at, as in LLVM.
#[test]
fn fields_that_may_hold_anything() {
    let whole = assembled(Shape::CURRENT, &functions());
    let expected = merged(&[("input", &whole.bytes)]);
    for field in [
        "NamesDelta",
        "ValueKindLast",
        "record 0 Values",
        "record 0 FunctionPointer",
    ] {
        let mut file = whole.clone();
        file.set(field, 0x1234_5678);
        let found = merged(&[("input", &file.bytes)]);
        assert!(found.ledger.is_empty(), "{field}: {:?}", found.ledger);
        assert_eq!(written(&found), written(&expected), "{field}");
    }
}

/// Without a version there is no layout to name.
#[test]
fn versions() {
    for (version, found) in [
        (0, "0"),
        (3, "3"),
        (6, "6"),
        (12, "12, newer than the newest known, 11"),
        (
            u64::from(u32::MAX),
            "4294967295, newer than the newest known, 11",
        ),
    ] {
        let mut file = assembled(Shape::CURRENT, &functions());
        file.set("Version", version);
        let message = format!(
            "raw profile version: expected 4, 5, 7, 8, 9, 10 or 11 at offset 0x8, found {found}"
        );
        check(
            "Version",
            &file.bytes,
            RawVersionMismatch,
            Some(8),
            &message,
            0,
        );
    }
}

#[test]
fn records_left_in_the_binary() {
    let mut file = assembled(Shape::CURRENT, &functions());
    file.set("NumData", 0);
    let message = "data records: expected records and names in the profile, found 3 counters without them (built with -profile-correlate: they are in the debug info or the binary)";
    check("NumData = 0", &file.bytes, Correlated, None, message, 0);
}

/// A message names the layout that was assumed, whichever it is.
#[test]
fn each_layout_is_named() {
    for shape in Shape::all() {
        let mut file = assembled(shape, &functions());
        file.set("record 0 NumCounters", 99);
        let merged = merged(&[("input", &file.bytes)]);
        let (error, _) = error_of(&merged).expect("an error");
        let endian = if shape.big_endian { "big" } else { "little" };
        let expected = format!(
            "number of counters: expected at most 3 at offset {:#x}, found 99 (raw profile version {}, {endian}-endian, {}-bit)",
            file.offset("data"),
            shape.version,
            shape.pointer_bytes * 8
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), Malformed);
    }
}

/// With value data and without, in every format: whatever is missing is said.
#[test]
fn a_raw_profile_cut_at_each_byte() {
    let [main, half] = functions();
    let plain = [
        main.clone(),
        Function {
            values: Default::default(),
            ..half.clone()
        },
    ];
    for shape in Shape::all() {
        for functions in [&[main.clone(), half.clone()], &plain] {
            let bytes = assembled(shape, functions).bytes;
            let whole = merged(&[("input", &bytes)]);
            assert!(whole.ledger.is_empty(), "{shape:?}: {:?}", whole.ledger);
            assert_eq!(whole.profile.record_count(), 2);
            for end in 0..bytes.len() {
                check_cut(&format!("{shape:?} cut to {end}"), &bytes[..end]);
            }
        }
    }
}

fn check_cut(case: &str, bytes: &[u8]) {
    let merged = merged(&[("input", bytes)]);
    if bytes.is_empty() {
        assert!(matches!(merged.ledger.entries[0].cause, Cause::Empty));
        return;
    }
    let Some((error, kept)) = error_of(&merged) else {
        panic!("{case}: nothing was said");
    };
    assert!(kept < 2, "{case}: {error}");
    assert_eq!(merged.profile.record_count() as u64, kept, "{case}");
    assert_eq!(merged.profile.binary_ids().count(), 0, "{case}");
    let offset = error.offset().expect("an offset");
    assert!(offset <= bytes.len() as u64, "{case}: {error}");
}

/// A file of two profiles: cut between them it is a file of one, cut elsewhere that is said.
#[test]
fn two_profiles_cut_at_each_byte() {
    let [main, half] = functions();
    let first = assembled(Shape::CURRENT, &[main]).bytes;
    let both = [&first[..], &assembled(Shape::CURRENT, &[half]).bytes].concat();
    for end in first.len()..both.len() {
        let merged = merged(&[("input", &both[..end])]);
        assert_eq!(merged.profile.record_count(), 1, "{end}");
        match error_of(&merged) {
            None => assert_eq!(end, first.len()),
            Some((error, kept)) => {
                assert_eq!(kept, 1, "{end}: {error}");
                let offset = error.offset().expect("an offset");
                assert!(
                    (first.len() as u64..=end as u64).contains(&offset),
                    "{end}: {error}"
                );
            }
        }
    }
}

fn written(merged: &Merged) -> Vec<u8> {
    indexed::write(&merged.profile, &WriteOptions::default())
}

/// Fields of an indexed profile of `main` and `half` at known places: offset, bytes.
type Patch = (usize, &'static [u8], ErrorKind, u64, &'static str, u64);

/// The file: header to 0x48, summary to 0x208, functions to 0x2b4, table at 0x2b8, build ids at
/// 0x2d0, vtable names at 0x2e8, end at 0x2f0.
const PATCHES: &[Patch] = &[
    (
        0x08,
        &[14],
        UnsupportedVersion,
        0x08,
        "indexed profile version: expected 1 to 13 at offset 0x8, found 14",
        0,
    ),
    (
        0x08,
        &[0],
        UnsupportedVersion,
        0x08,
        "indexed profile version: expected 1 to 13 at offset 0x8, found 0",
        0,
    ),
    (
        0x18,
        &[1],
        UnsupportedHashType,
        0x18,
        "hash type: expected 0 (MD5) at offset 0x18, found 1",
        0,
    ),
];

#[test]
fn fields_of_an_indexed_profile() {
    let raw = assembled(Shape::CURRENT, &functions());
    let whole = written(&merged(&[("input", &raw.bytes)]));
    for &(at, patch, kind, offset, message, kept) in PATCHES {
        let mut bytes = whole.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        let case = format!("{at:#x} = {patch:02x?}");
        check(&case, &bytes, kind, Some(offset), message, kept);
    }
}

/// In an indexed profile everything is needed: nothing can be cut off unnoticed.
#[test]
fn an_indexed_profile_cut_at_each_byte() {
    let raw = assembled(Shape::CURRENT, &functions());
    let whole = written(&merged(&[("input", &raw.bytes)]));
    for end in 0..whole.len() {
        let merged = merged(&[("input", &whole[..end])]);
        assert!(!merged.ledger.is_empty(), "cut to {end}: nothing was said");
        if let Some((error, _)) = error_of(&merged).filter(|_| end > 0) {
            let offset = error.offset().expect("an offset");
            assert!(offset <= end as u64, "cut to {end}: {error}");
        }
    }
}

#[test]
fn good_files_beside_bad_ones() {
    let [main, half] = functions();
    let good = assembled(Shape::CURRENT, &functions()).bytes;
    let other = assembled(Shape::CURRENT, std::slice::from_ref(&main)).bytes;
    let mut unreadable = assembled(Shape::CURRENT, &functions());
    unreadable.set("NumData", 1 << 40);
    // Its first record is whole.
    let mut damaged = assembled(Shape::CURRENT, &[main.clone(), half]);
    damaged.set("TotalSize", 12);

    let found = merged(&[
        ("good", &good),
        ("unreadable", &unreadable.bytes),
        ("empty", b""),
        ("damaged", &damaged.bytes),
        ("noise", b"\x00\x01\x02"),
        ("other", &other),
    ]);
    let entries: Vec<String> = found
        .ledger
        .entries
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        entries,
        [
            "unreadable: data records: expected 1099511627776 times 64 bytes at offset 0x90, found 216 (raw profile version 10, little-endian, 64-bit)",
            "empty: empty: its program never wrote it",
            "damaged: size of value data: expected a multiple of 8, at least 8 at offset 0x140, found 12 (raw profile version 10, little-endian, 64-bit); kept 1 of 2 functions",
            "noise: magic: expected a raw, indexed or text profile at offset 0x0, found bytes [00, 01, 02]",
        ]
    );
    assert_eq!((found.ledger.inputs, found.ledger.failed_inputs()), (6, 3));
    assert_eq!(found.ledger.unused_inputs(), 3);

    // As if the bad ones had been what of them is good.
    let what_is_left = RawFile::new(Shape::CURRENT, &[main]).bytes();
    let expected = merged(&[("good", &good), ("left", &what_is_left), ("other", &other)]);
    assert!(expected.ledger.is_empty());
    assert_eq!(written(&found), written(&expected));
}

/// A record that does not fit is named, and the file's others are kept.
#[test]
fn a_record_that_does_not_fit() {
    let [main, half] = functions();
    let first = assembled(Shape::CURRENT, &[main, half.clone()]).bytes;
    let longer = [Function::new("main", 7, [1, 2, 3]), half];
    let second = assembled(Shape::CURRENT, &longer).bytes;
    let found = merged(&[("first", &first), ("second", &second)]);
    let entries: Vec<String> = found
        .ledger
        .entries
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(entries, ["second: main: expected 2 counters, found 3"]);
    let counts: Vec<&[u64]> = found
        .profile
        .records()
        .map(|record| record.counts)
        .collect();
    assert_eq!(counts, [&[1, 2][..], &[8]]);
}
