//! The bodies of `raw`, `indexed` and `text`, and the laws of whatever profile they make.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::ops::Range;

use bincover_profile::indexed::{self, IndexedProfile};
use bincover_profile::raw::{Frame, Functions, Identity, RawHead, RawProfile, RawProfiles};
use bincover_profile::{
    Cause, Chunks, Entry, Error, FileKind, Ledger, MAX_COUNT, MergeOptions, Merged, Merger,
    NameTable, Profile, ProfileKind, Result, Sums, Values, WriteOptions,
};
use bincover_testkit::raw::Shape;

/// Reads the bytes as a raw profile, directly and through a merge; then again with a valid magic
/// and version put over them, if they have none.
pub fn raw(bytes: &[u8]) {
    raw_as_it_is(bytes);
    if !matches!(FileKind::sniff(bytes), Some(FileKind::Raw { .. })) && bytes.len() >= 16 {
        let shapes: Vec<Shape> = Shape::all().collect();
        let shape = shapes[usize::from(bytes[0]) % shapes.len()];
        let mut valid = bytes.to_vec();
        valid[..8].copy_from_slice(&shape.magic());
        // The flags stay what they are.
        let version = shape.version.to_le_bytes();
        valid[8..12].copy_from_slice(&version);
        if shape.big_endian {
            valid[8..16].reverse();
        }
        raw_as_it_is(&valid);
    }
}

fn raw_as_it_is(bytes: &[u8]) {
    if let Err(error) = read_raw(bytes) {
        check_offset(&error, bytes);
    }
    check_merge(bytes);
    if let Some((frame, functions)) = Frame::of(bytes) {
        assert_eq!(Identity::of(bytes).as_ref(), Some(frame.identity()));
        let profile = RawProfile::parse(bytes, 0).unwrap();
        let names = profile.names_of(&functions, &mut Chunks::default());
        assert_eq!(names.is_ok(), profile.names().is_ok());
        if let Ok(names) = names {
            check_sums(&frame, &functions, &names, bytes);
        }
    }
    check_total(bytes);
}

/// The two parts that a store keeps of a raw profile: a template, and counters that are added up.
/// Together they are read as the file merged twice, if it is one for sums.
fn check_total(bytes: &[u8]) {
    let head = &bytes[..bytes.len().min(Identity::HEAD_BYTES)];
    let Some(head) = RawHead::of(head, bytes.len() as u64) else {
        return;
    };
    let part = |range: Range<u64>| {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        &bytes[start..end]
    };
    let (counters, bitmaps) = (part(head.counters()), part(head.bitmaps()));
    let mut total = bytes.to_vec();
    head.strip(&mut total);
    let mut sum = counters.to_vec();
    if head.add_counters(&mut sum, counters).is_err() {
        return;
    }
    let mut reached = vec![0; bitmaps.len()];
    RawHead::add_bitmaps(&mut reached, bitmaps);
    assert_eq!(reached, bitmaps);
    head.put(&mut total, &sum, bitmaps);
    if Frame::of(bytes).is_some() {
        let [total, twice] = [merged(&[&total]), merged(&[bytes, bytes])];
        assert_eq!(listed(&total.profile), listed(&twice.profile));
    }
}

/// A file added twice as a sum is the file merged twice.
fn check_sums(frame: &Frame, functions: &Functions, names: &NameTable, bytes: &[u8]) {
    let position = |at: u64| usize::try_from(at).unwrap();
    let part = &bytes[position(frame.part().start)..position(frame.part().end)];
    let mut sums = Sums::new();
    let mut merger = Merger::new();
    let is_added = sums.add(frame, part, 1).is_ok() && sums.add(frame, part, 1).is_ok();
    let anchor = merger.add_frame(frame, functions, names);
    let Some(anchor) = anchor.filter(|_| is_added) else {
        return;
    };
    assert!(merger.still_takes(frame.kind()));
    let is_exact = merger.add_sums(frame, &anchor, &sums);
    let summed = merger.finish();
    let twice = merged(&[bytes, bytes]);
    assert_eq!(is_exact, twice.ledger.is_empty(), "{:?}", twice.ledger);
    assert_eq!(listed(&summed.profile), listed(&twice.profile));
    assert_eq!(summed.ledger.records, twice.ledger.records);
    assert!(summed.profile.binary_ids().eq(twice.profile.binary_ids()));
}

/// Everything that can be had of the file.
fn read_raw(bytes: &[u8]) -> Result<()> {
    let mut profiles = RawProfiles::new(bytes);
    let mut values = Values::default();
    let mut end = 0;
    while let Some(profile) = profiles.next(end)? {
        for id in profile.binary_ids() {
            assert!(!id?.is_empty());
        }
        let names = profile.names();
        let mut blocks = profile.values();
        let mut count = 0;
        for record in profile.records() {
            let record = record?;
            count += 1;
            if let Ok(names) = &names {
                assert!(names.get(record.name).is_none_or(|name| !name.is_empty()));
            }
            if record.has_values {
                blocks.next_into(&mut values)?;
            }
        }
        assert_eq!(count, profile.header().record_count, "records were lost");
        names?;
        assert!(blocks.offset() > end, "no progress");
        end = blocks.offset();
    }
    Ok(())
}

/// Reads the bytes as an indexed profile, directly and through a merge; then again with a valid
/// magic and version put over them, if they have none.
pub fn indexed(bytes: &[u8]) {
    indexed_as_it_is(bytes);
    if FileKind::sniff(bytes) != Some(FileKind::Indexed) && bytes.len() >= 32 {
        let mut valid = bytes.to_vec();
        valid[..8].copy_from_slice(b"\xfflprofi\x81");
        valid[8..12].copy_from_slice(&[1 + bytes[0] % 13, 0, 0, 0]);
        // The hash type, MD5.
        valid[24..28].fill(0);
        indexed_as_it_is(&valid);
    }
}

fn indexed_as_it_is(bytes: &[u8]) {
    if let Err(error) = read_indexed(bytes) {
        check_offset(&error, bytes);
    }
    check_merge(bytes);
    if let Some((frame, functions, names)) = Frame::of_indexed(bytes) {
        assert_eq!(Identity::of_indexed(bytes).as_ref(), Some(frame.identity()));
        check_sums(&frame, &functions, &names, bytes);
    }
}

fn read_indexed(bytes: &[u8]) -> Result<()> {
    let profile = IndexedProfile::parse(bytes)?;
    let mut values = Values::default();
    let mut visited = 0;
    let read = profile.for_each(&mut values, |record, _| {
        visited += record.counters.len() + record.bitmap_words.len();
    });
    assert!(visited <= bytes.len());
    for id in profile.binary_ids()? {
        assert!(!id?.is_empty());
    }
    read
}

/// An error points into the file, or at its end.
fn check_offset(error: &Error, bytes: &[u8]) {
    if let Some(offset) = error.offset() {
        assert!(
            offset <= bytes.len() as u64,
            "{} bytes, but {error}",
            bytes.len()
        );
    }
}

/// Reads the bytes as text through a merge; the text of what was merged is read back.
pub fn text(bytes: &[u8]) {
    check_merge(bytes);
    let profile = merged(&[bytes]).profile;
    let text = bincover_profile::text::write(&profile, &WriteOptions::default());
    if !is_plain(&profile) {
        return;
    }
    let again = merged(&[&text]);
    assert!(again.ledger.is_empty(), "{:?}", again.ledger);
    assert_eq!(listed(&again.profile), listed(&profile));
    let text_again = bincover_profile::text::write(&again.profile, &WriteOptions::default());
    assert!(text_again == text, "written again, it differs");
}

/// The text format can hold it: it has no way to quote a name that looks like something else, it
/// drops the names of call targets, and a record without bitmap takes the one of the record before.
fn is_plain(profile: &Profile) -> bool {
    profile.record_count() > 0
        && profile.records().all(|record| {
            record.values.is_none()
                && record.bitmap.is_empty()
                && record.counts.iter().all(|&count| count <= MAX_COUNT)
                && !record.counts.is_empty()
                && !record.name.is_empty()
                && record.name.iter().all(u8::is_ascii_alphabetic)
        })
        && !profile.kind().contains(ProfileKind::TEMPORAL)
}

fn check_merge(bytes: &[u8]) {
    let mut merger = Merger::with_options(MergeOptions {
        keep_vtable_names: true,
        ..MergeOptions::default()
    });
    merger.add("input", bytes, NonZeroU64::MIN);
    let is_salvaged = merger.may_be_salvaged(bytes);
    if is_salvaged {
        merger.salvage("input", bytes, NonZeroU64::MIN);
    }
    let once = merger.finish();
    check_ledger(&once.ledger, bytes);
    if once.ledger.records == 0 {
        assert_eq!(once.profile.record_count(), 0);
        return;
    }
    check_profile(&once.profile);
    if is_salvaged {
        return;
    }
    let twice = merged(&[bytes, bytes]);
    let cannot_join = |entry: &Entry| matches!(entry.cause, Cause::KindMismatch);
    if !twice.ledger.entries.iter().any(cannot_join) {
        // A text record without a bitmap takes the one of the record before, now and then.
        let has_bitmaps = FileKind::sniff(bytes) != Some(FileKind::Text);
        check_double(&once.profile, &twice.profile, has_bitmaps);
    }
}

fn check_ledger(ledger: &Ledger, bytes: &[u8]) {
    assert_eq!(ledger.inputs, 1);
    for entry in &ledger.entries {
        assert_eq!(entry.source, "input");
        assert!(!entry.to_string().is_empty());
        match &entry.cause {
            Cause::Unreadable(error) => check_offset(error, bytes),
            Cause::Damaged {
                error,
                kept,
                announced,
                lost,
            } => {
                assert!(lost.is_empty(), "no names were learnt: {lost:?}");
                check_offset(error, bytes);
                assert!(
                    announced.is_none_or(|announced| *kept <= announced),
                    "{entry}"
                );
            }
            _ => {}
        }
    }
}

/// The merge of files that are all called `input`.
pub(crate) fn merged(files: &[&[u8]]) -> Merged {
    weighted(files, NonZeroU64::MIN)
}

pub(crate) fn weighted(files: &[&[u8]], weight: NonZeroU64) -> Merged {
    let mut merger = Merger::new();
    for bytes in files {
        merger.add("input", bytes, weight);
    }
    merger.finish()
}

/// What is written is read back, and written again is the same.
pub(crate) fn check_profile(profile: &Profile) {
    // Byte 1 joins the names of vtables, and text may have it in one: such a name cannot be kept,
    // here as in LLVM.
    if profile.vtable_names().any(|name| name.contains(&1)) {
        return;
    }
    let bytes = indexed::write(profile, &WriteOptions::default());
    let mut merger = Merger::with_options(MergeOptions {
        keep_vtable_names: true,
        ..MergeOptions::default()
    });
    merger.add("written", &bytes, NonZeroU64::MIN);
    let again = merger.finish();
    assert!(
        again.ledger.is_empty(),
        "we refuse what we wrote: {:?}",
        again.ledger
    );
    let kind = profile.kind().without(ProfileKind::FRONT_END);
    assert_eq!(again.profile.kind(), kind);
    assert_eq!(listed(&again.profile), listed(profile));
    assert!(again.profile.binary_ids().eq(profile.binary_ids()));
    let bytes_again = indexed::write(&again.profile, &WriteOptions::default());
    // The order of several hashes under a name is that in which they came, and so is that of the
    // vtables' names: both may turn round, as in LLVM. All else is the same.
    let sorted_names = |profile: &Profile| {
        let names = profile.vtable_names().map(<[u8]>::to_vec);
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(sorted_names(&again.profile), sorted_names(profile));
    let has_one_order = profile.function_count() == profile.record_count();
    if has_one_order && profile.vtable_names().next().is_none() {
        assert!(bytes_again == bytes, "written again, it differs");
    } else {
        assert_eq!(listed(&merged(&[&bytes_again]).profile), listed(profile));
    }

    let sparse = indexed::write(
        profile,
        &WriteOptions {
            sparse: true,
            ..WriteOptions::default()
        },
    );
    let sparse = merged(&[&sparse]);
    assert!(sparse.ledger.is_empty(), "{:?}", sparse.ledger);
    let everything = listed(profile);
    assert!(
        listed(&sparse.profile)
            .iter()
            .all(|(key, record)| everything[key] == *record)
    );
}

type Key<'p> = (&'p [u8], u64);
type Contents<'p> = (&'p [u64], &'p [u8], Option<&'p Values>);

/// The records by name and hash.
pub(crate) fn listed(profile: &Profile) -> BTreeMap<Key<'_>, Contents<'_>> {
    let listed: BTreeMap<_, _> = profile
        .records()
        .map(|record| {
            (
                (record.name, record.hash.0),
                (record.counts, record.bitmap, record.values),
            )
        })
        .collect();
    assert_eq!(
        listed.len(),
        profile.record_count(),
        "a record is there twice"
    );
    listed
}

/// The same file twice: each count is doubled, or at its maximum. Marks stay what they are.
fn check_double(once: &Profile, twice: &Profile, has_bitmaps: bool) {
    let (once, twice) = (listed(once), listed(twice));
    assert!(once.keys().eq(twice.keys()));
    for (one, two) in once.values().zip(twice.values()) {
        let is_mark = one.0.first().is_some_and(|&first| first > MAX_COUNT);
        let expected = |&count: &u64| match is_mark {
            true => count,
            false => count.saturating_mul(2).min(MAX_COUNT),
        };
        assert!(
            one.0.iter().map(expected).eq(two.0.iter().copied()),
            "{one:?} {two:?}"
        );
        assert!(!has_bitmaps || one.1 == two.1, "a bitmap changed");
        for kind in 0..bincover_profile::VALUE_KINDS {
            let sites =
                |values: Option<&Values>| values.map_or(0, |values| values.kind(kind).len());
            assert_eq!(sites(one.2), sites(two.2), "value sites changed");
        }
    }
}
