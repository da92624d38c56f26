//! What is said of malformed files, word for word, and what is kept of them.

use std::num::NonZeroU64;

use bincover_profile::{Cause, Error, ErrorKind, Merged, Merger, WriteOptions, indexed};
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
fn check(case: &str, bytes: &[u8], kind: &str, message: &str, kept: u64) {
    let merged = merged(&[("input", bytes)]);
    let Some((error, found)) = error_of(&merged) else {
        panic!("{case}: no error, but {message}");
    };
    assert_eq!(error.to_string(), message, "{case}");
    assert_eq!(format!("{:?}", error.kind()), kind, "{case}");
    let said = message.split_once("at offset 0x").map(|(_, rest)| {
        let digits = rest.split(|digit: char| !digit.is_ascii_hexdigit()).next();
        u64::from_str_radix(digits.unwrap_or_default(), 16).expect("an offset")
    });
    assert_eq!(error.offset(), said, "{case}");
    assert_eq!(found, kept, "{case}: records kept");
    assert_eq!(merged.profile.record_count() as u64, kept, "{case}");
    // A build id of a file that ends badly would claim that all of it is there.
    assert_eq!(merged.profile.binary_ids().count(), 0, "{case}");
}

const LAYOUT: &str = " (raw profile version 10, little-endian, 64-bit)";

/// A field of the file of [`functions`] and a value that it must not have; the error's kind and
/// how many records are kept; and its message, without the layout, which is the same for all.
///
/// The file: header to 0x80, build id to 0x90, records to 0x110, counters to 0x128, bitmap to
/// 0x129, names from 0x130 to 0x13b, value data from 0x140 to 0x168.
const FIELDS: &str = "\
BinaryIdsSize = 0xc -> BadHeader, 0 kept
    BinaryIdsSize: expected a multiple of 8 at offset 0x10, found 12
BinaryIdsSize = 0x8 -> Malformed, 0 kept
    binary id data: expected 8 bytes at offset 0x88, found 0
BinaryIdsSize = 0xfffffffffffffff8 -> BadHeader, 0 kept
    binary ids: expected 18446744073709551608 bytes at offset 0x80, found 232
binary id length = 0x0 -> Malformed, 0 kept
    binary id length: expected at least 1 at offset 0x80, found 0
binary id length = 0x9 -> Malformed, 0 kept
    binary id data: expected 16 bytes at offset 0x88, found 8
NumData = 0x1 -> Malformed, 0 kept
    names: expected a name at offset 0xf0, found an empty one
NumData = 0x3 -> BadHeader, 0 kept
    bitmaps: expected 1 bytes at offset 0x168, found 0
NumData = 0xffffffffffffffff -> BadHeader, 0 kept
    data records: expected 18446744073709551615 times 64 bytes at offset 0x90, found 216
PaddingBytesBeforeCounters = 0x8 -> UncompressFailed, 0 kept
    names: expected 105 bytes at offset 0x13a, found 9
PaddingBytesBeforeCounters = 0xffffffffffffffff -> BadHeader, 0 kept
    padding before counters: expected 18446744073709551615 bytes at offset 0x110, found 88
NumCounters = 0x2 -> Truncated, 0 kept
    names: expected 9 bytes at offset 0x132, found 1
NumCounters = 0x2000000000000000 -> BadHeader, 0 kept
    counters: expected 2305843009213693952 times 8 bytes at offset 0x110, found 88
PaddingBytesAfterCounters = 0x41 -> BadHeader, 0 kept
    padding after counters: expected 65 bytes at offset 0x128, found 64
NumBitmapBytes = 0x3e8 -> BadHeader, 0 kept
    bitmaps: expected 1000 bytes at offset 0x128, found 64
PaddingBytesAfterBitmapBytes = 0x0 -> Malformed, 0 kept
    names: expected a name at offset 0x129, found an empty one
PaddingBytesAfterBitmapBytes = 0x40 -> BadHeader, 0 kept
    padding after bitmaps: expected 64 bytes at offset 0x129, found 63
NamesSize = 0xa -> Truncated, 0 kept
    names: expected 9 bytes at offset 0x132, found 8
NamesSize = 0x39 -> BadHeader, 0 kept
    names: expected 57 bytes at offset 0x130, found 56
NamesSize = 0x0 -> TooLarge, 1 kept
    value data: expected 1634205705 bytes at offset 0x130, found 56
CountersDelta = 0x0 -> Malformed, 0 kept
    counter offset: expected 0 or more at offset 0x90, found -268435456
CountersDelta = 0xffffffffefffffe8 -> Malformed, 0 kept
    counter offset: expected at most 23 at offset 0x90, found 24
BitmapDelta = 0x20000000 -> Malformed, 0 kept
    bitmap offset: expected 0 or more at offset 0x90, found -268435456
BitmapDelta = 0xfffffff -> Malformed, 0 kept
    bitmap offset: expected at most 0 at offset 0x90, found 1
NumVTables = 0x2 -> BadHeader, 0 kept
    vtables: expected 48 bytes at offset 0x140, found 40
VNamesSize = 0x29 -> BadHeader, 0 kept
    vtable names: expected 41 bytes at offset 0x140, found 40
VNamesSize = 0x21 -> Truncated, 0 kept
    names: expected 40 bytes at offset 0x142, found 31
record 0 CounterPtr = 0x0 -> Malformed, 0 kept
    counter offset: expected at most 23 at offset 0x90, found 268435456
record 0 BitmapPtr = 0x0 -> Malformed, 0 kept
    bitmap offset: expected 0 or more at offset 0x90, found -268435456
record 0 NumCounters = 0x0 -> Malformed, 0 kept
    number of counters: expected at least 1 at offset 0xc0, found 0
record 0 NumCounters = 0x4 -> Malformed, 0 kept
    number of counters: expected at most 3 at offset 0x90, found 4
record 1 NumCounters = 0xffffffffffffffff -> Malformed, 1 kept
    number of counters: expected at most 1 at offset 0xd0, found 4294967295
record 0 NumBitmapBytes = 0x2 -> Malformed, 0 kept
    number of bitmap bytes: expected at most 1 at offset 0x90, found 2
record 0 NumValueSites[0] = 0x1 -> Truncated, 1 kept
    value data: expected 8 bytes at offset 0x168, found 0
record 1 NumValueSites[1] = 0x0 -> Malformed, 2 kept
    data after the profile: expected zero bytes or another header at offset 0x140, found 40 bytes, not enough space for another header
TotalSize = 0x0 -> Malformed, 1 kept
    size of value data: expected a multiple of 8, at least 8 at offset 0x140, found 0
TotalSize = 0xc -> Malformed, 1 kept
    size of value data: expected a multiple of 8, at least 8 at offset 0x140, found 12
TotalSize = 0x10 -> Malformed, 1 kept
    value site counts: expected 1 bytes at offset 0x150, found 0
TotalSize = 0x30 -> TooLarge, 1 kept
    value data: expected 48 bytes at offset 0x140, found 40
NumValueKinds = 0x4 -> Malformed, 1 kept
    number of value kinds: expected at most 3 at offset 0x144, found 4
NumValueKinds = 0x2 -> Malformed, 1 kept
    value kind: expected 4 bytes at offset 0x168, found 0
Kind = 0x3 -> Malformed, 1 kept
    value kind: expected 0, 1 or 2 at offset 0x148, found 3
NumValueSites = 0xffffffffffffffff -> Malformed, 1 kept
    value site counts: expected 4294967295 bytes at offset 0x150, found 24
";

#[test]
fn each_field_of_a_raw_profile() {
    for case in cases(FIELDS) {
        let mut file = assembled(Shape::CURRENT, &functions());
        file.set(case.field, case.value);
        let message = format!("{}{LAYOUT}", case.message);
        check(case.title, &file.bytes, case.kind, &message, case.kept);
    }
}

/// Two lines of a table of cases.
struct Case {
    title: &'static str,
    field: &'static str,
    value: u64,
    kind: &'static str,
    kept: u64,
    message: &'static str,
}

fn cases(table: &'static str) -> impl Iterator<Item = Case> {
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len().is_multiple_of(2) && !lines.is_empty());
    let (pairs, _) = lines.as_chunks();
    let pairs: Vec<[&str; 2]> = pairs.to_vec();
    pairs
        .into_iter()
        .map(|[title, message]| case(title, message).expect(title))
}

fn case(title: &'static str, message: &'static str) -> Option<Case> {
    let (field, rest) = title.split_once(" = 0x")?;
    let (value, rest) = rest.split_once(" -> ")?;
    let (kind, kept) = rest.split_once(", ")?;
    Some(Case {
        title,
        field,
        value: u64::from_str_radix(value, 16).ok()?,
        kind,
        kept: kept.strip_suffix(" kept")?.parse().ok()?,
        message: message.trim_start(),
    })
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
        check("Version", &file.bytes, "RawVersionMismatch", &message, 0);
    }
}

#[test]
fn records_left_in_the_binary() {
    let mut file = assembled(Shape::CURRENT, &functions());
    file.set("NumData", 0);
    let message = "data records: expected records and names in the profile, found 3 counters without them (built with -profile-correlate: they are in the debug info or the binary)";
    check("NumData = 0", &file.bytes, "Correlated", message, 0);
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
        assert_eq!(error.kind(), ErrorKind::Malformed);
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

/// Offset and value of words of 8 bytes.
///
/// The file: header to 0x48, summary to 0x208, `half` at 0x20a, `main` at 0x26e, table at 0x2c8,
/// build ids at 0x2e0, vtable names at 0x2f8, end at 0x300.
const PATCHES: &str = "\
0x8 = 0xe -> UnsupportedVersion, 0 kept
    indexed profile version: expected 1 to 13 at offset 0x8, found 14
0x8 = 0x0 -> UnsupportedVersion, 0 kept
    indexed profile version: expected 1 to 13 at offset 0x8, found 0
0x18 = 0x1 -> UnsupportedHashType, 0 kept
    hash type: expected 0 (MD5) at offset 0x18, found 1
0x20 = 0xffff -> Truncated, 0 kept
    HashOffset: expected at most 0x300, the file's size at offset 0x20, found 0xffff
0x20 = 0x0 -> Malformed, 0 kept
    HashOffset: expected at least 0x208 at offset 0x20, found 0x0
0x30 = 0xffff -> Truncated, 2 kept
    BinaryIdOffset: expected at most 0x300, the file's size at offset 0x30, found 0xffff
0x40 = 0xffff -> Truncated, 0 kept
    VTableNamesOffset: expected at most 0x300, the file's size at offset 0x40, found 0xffff
0x48 = 0xffff -> Truncated, 0 kept
    summary fields: expected 524280 bytes at offset 0x58, found 680
0x48 = 0x8000000000000006 -> Truncated, 0 kept
    summary fields: expected 9223372036854775814 times 8 bytes at offset 0x58, found 680
0x208 = 0x14159f39fe7a0000 -> Malformed, 0 kept
    number of items in a bucket: expected 1 to 2 at offset 0x208, found 0
0x208 = 0x14159f39fe7a0003 -> Malformed, 0 kept
    number of items in a bucket: expected 1 to 2 at offset 0x208, found 3
0x212 = 0xff -> Malformed, 0 kept
    name: expected 255 bytes at offset 0x222, found 166
0x21a = 0x0 -> Malformed, 0 kept
    data length: expected a multiple of 8, at least 8 at offset 0x226, found 0
0x21a = 0x49 -> Malformed, 0 kept
    data length: expected a multiple of 8, at least 8 at offset 0x226, found 73
0x21a = 0x40 -> Malformed, 0 kept
    value data: expected 40 bytes at offset 0x246, found 32
0x21a = 0xffff -> Malformed, 0 kept
    function data: expected 65535 bytes at offset 0x226, found 162
0x22e = 0xffff -> Malformed, 0 kept
    counts: expected 524280 bytes at offset 0x236, found 56
0x23e = 0xffff -> Malformed, 0 kept
    bitmap bytes: expected 524280 bytes at offset 0x246, found 40
0x246 = 0x10000ffff -> Malformed, 0 kept
    value data: expected 65535 bytes at offset 0x246, found 40
0x27e = 0x39 -> Malformed, 1 kept
    data length: expected a multiple of 8, at least 8 at offset 0x28a, found 57
0x2c8 = 0xffff -> Truncated, 0 kept
    bucket table: expected 524280 bytes at offset 0x2d8, found 40
0x2d0 = 0x1 -> Malformed, 0 kept
    number of items in a bucket: expected 1 to 1 at offset 0x208, found 2
0x2d0 = 0x3 -> Malformed, 2 kept
    number of items in a bucket: expected 1 to 1 at offset 0x2c2, found 0
0x2e0 = 0x11 -> BadHeader, 2 kept
    size of binary ids: expected a multiple of 8 at offset 0x2e0, found 17
0x2e0 = 0xf0 -> Truncated, 2 kept
    binary ids: expected 240 bytes at offset 0x2e8, found 24
0x2e8 = 0x0 -> Malformed, 2 kept
    binary id length: expected at least 1 at offset 0x2e8, found 0
0x2f8 = 0x8 -> Truncated, 0 kept
    vtable names: expected 8 bytes at offset 0x300, found 0
";

#[test]
fn fields_of_an_indexed_profile() {
    let raw = assembled(Shape::CURRENT, &functions());
    let whole = written(&merged(&[("input", &raw.bytes)]));
    for case in cases(PATCHES) {
        let at = case
            .field
            .strip_prefix("0x")
            .map(|at| usize::from_str_radix(at, 16));
        let at = at.expect("an offset").expect("a number");
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&case.value.to_le_bytes());
        // Before the version is known there is no layout to name.
        let layout = if at < 0x20 {
            ""
        } else {
            " (indexed profile version 13)"
        };
        let message = format!("{}{layout}", case.message);
        check(case.title, &bytes, case.kind, &message, case.kept);
    }
}

/// An item of the hash table may claim a hash that is not its name's. Found by fuzzing: such a
/// record was added beside the one of the same name and hash instead of to it.
#[test]
fn a_false_name_hash() {
    let whole = RawFile::new(Shape::CURRENT, &[Function::new("main", 7, [5])]).bytes();
    let whole = written(&merged(&[("input", &whole)]));
    const CLAIM: usize = 0x20a;
    assert_eq!(
        whole[CLAIM..CLAIM + 8],
        0xdb95_6436_e78d_d5fa_u64.to_le_bytes()
    );
    let mut lying = whole.clone();
    lying[CLAIM] ^= 1;
    let honest = merged(&[("one", &whole), ("two", &whole)]);
    for order in [[&whole, &lying], [&lying, &whole], [&lying, &lying]] {
        let found = merged(&[("one", order[0]), ("two", order[1])]);
        assert!(found.ledger.is_empty(), "{:?}", found.ledger);
        assert_eq!(found.profile.record_count(), 1);
        assert_eq!(written(&found), written(&honest));
    }
}

/// In an indexed profile everything is needed: nothing can be cut off unnoticed.
#[test]
fn an_indexed_profile_cut_at_each_byte() {
    let raw = assembled(Shape::CURRENT, &functions());
    let whole = written(&merged(&[("input", &raw.bytes)]));
    for end in 1..whole.len() {
        let merged = merged(&[("input", &whole[..end])]);
        let Some((error, _)) = error_of(&merged) else {
            panic!("cut to {end}: nothing was said");
        };
        let offset = error.offset().expect("an offset");
        assert!(offset <= end as u64, "cut to {end}: {error}");
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
            "unreadable: data records: expected 70368744177664 bytes at offset 0x90, found 216 (raw profile version 10, little-endian, 64-bit)",
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
