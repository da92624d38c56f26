//! The bodies of `go_meta`, `go_counters` and `go_text`: Go's three formats.

use bincover_gocover::counters::write;
use bincover_gocover::meta::Function;
use bincover_gocover::{
    Cause, CounterFile, CounterView, Error, Granularity, HashKind, LineRule, Located, Meta,
    MetaBuilder, Mode, Pod, Profile, Program, Sums, TextProfile, Unit, cover, coverage, listing,
    text,
};
use bstr::ByteSlice;

fn check_offset(error: &Error, bytes: &[u8]) {
    if let Some(offset) = error.offset() {
        assert!(offset <= bytes.len() as u64, "{error}");
    }
}

/// Reads the bytes as a metadata file, as they are and with a magic and their length put over them;
/// what is read is written and read back, and evaluated.
pub fn go_meta(bytes: &[u8]) {
    meta_as_it_is(bytes);
    if bytes.len() >= 56 {
        let mut valid = bytes.to_vec();
        valid[..8].copy_from_slice(b"\0cvm\x01\0\0\0");
        valid[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        valid[48..56].copy_from_slice(&[1 + bytes[48] % 3, 1, 0, 0, 0, 0, 0, 0]);
        meta_as_it_is(&valid);
    }
}

fn meta_as_it_is(bytes: &[u8]) {
    let program = match Program::parse(bytes.to_vec()) {
        Ok(program) => program,
        Err(error) => return check_offset(&error, bytes),
    };
    let meta = program.meta();
    let again = MetaBuilder::rebuilt(meta).write(meta.mode, meta.granularity);
    let again = Meta::parse(&again).expect("we read what we wrote");
    assert_eq!(again.packages.len(), meta.packages.len());
    for (again, package) in again.packages.iter().zip(&meta.packages) {
        assert_eq!(again.import_path, package.import_path);
        assert_eq!(again.functions, package.functions);
    }
    let sums = Sums::new(&program, meta.mode);
    for pod in [
        Pod::of(&program, &sums),
        Pod::of_packages(&program, &sums, |path| path.len() % 2 == 0, HashKind::Fnv),
        Pod::combined(
            &[(&program, &sums), (&program, &sums)],
            |_| true,
            HashKind::Md5,
        ),
    ] {
        let meta = Meta::parse(&pod.meta).expect("we read what we wrote");
        assert_eq!(meta.hash, pod.hash);
        let counters = CounterFile::parse(&pod.counters).expect("we read what we wrote");
        assert_eq!(counters.records().count(), 0);
    }
    let mut profile = Profile::new(meta.mode);
    profile.add_program(&program, &sums, |_| true);
    check_profile(&profile, bytes);
}

/// Everything that is made of a profile.
fn check_profile(profile: &Profile, source: &[u8]) {
    for rows in [listing::Rows::Functions, listing::Rows::Names] {
        assert!(!listing::functions(profile, rows).is_empty());
    }
    let _ = (
        listing::percent(profile),
        listing::packages(profile),
        profile.overlaps(),
    );
    // One text for all files; for a few, since it may be long.
    let few = || {
        let mut left = 8u32;
        move || {
            left = left.saturating_sub(1);
            left > 0
        }
    };
    let mut is_early = few();
    let files = cover::files(profile, |_, _| is_early().then(|| source.to_vec()));
    assert!(!cover::functions(&files).is_empty());
    let page = cover::page(&files);
    assert_eq!(
        page.find_iter(b"<pre").count(),
        files.len(),
        "a tag is open"
    );
    for rule in [LineRule::Max, LineRule::Sum] {
        let mut is_early = few();
        let coverage = coverage(
            profile,
            &mut |file, _| Located {
                name: file.to_owned(),
                source: (is_early() && file.len() % 2 == 0).then(|| source.to_vec()),
            },
            rule,
        );
        assert!(coverage.files.is_sorted_by(|a, b| a.name < b.name));
        for file in &coverage.files {
            assert!(file.lines.is_sorted_by(|a, b| a.number < b.number));
            assert_eq!(file.summary.lines.total, file.lines.len() as u64);
            assert!(file.segments.is_sorted_by_key(|segment| segment.start));
        }
    }
}

/// Reads the bytes as a counter file; what is read is written and read back, and added to a program
/// once and twice.
pub fn go_counters(bytes: &[u8]) {
    counters_as_they_are(bytes);
    if bytes.len() >= 68 {
        let mut valid = bytes.to_vec();
        valid[..8].copy_from_slice(b"\0cwm\x01\0\0\0");
        valid[24] = 1 + bytes[24] % 2;
        let footer = valid.len() - 16;
        valid[footer..footer + 4].copy_from_slice(b"\0cwm");
        counters_as_they_are(&valid);
    }
}

fn counters_as_they_are(bytes: &[u8]) {
    let file = match CounterFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => return check_offset(&error, bytes),
    };
    let records: Vec<_> = file.records().collect();
    let counters: usize = records.iter().map(|record| record.counters.len()).sum();
    assert!(counters <= bytes.len());
    let again = write(file.hash, &file.args, &records);
    let again = CounterFile::parse(&again).expect("we read what we wrote");
    assert!(again.records().eq(file.records()));
    assert_eq!((again.hash, again.args), (file.hash, file.args.clone()));

    for mode in [Mode::Set, Mode::Count] {
        let program = Program::parse(sample(mode)).expect("a program");
        let mut once = Sums::new(&program, mode);
        let mut causes = Vec::new();
        once.add(&program, &file, &mut causes);
        assert!(causes.len() <= records.len() && causes.iter().all(Cause::is_loss));
        // Added as it is read, it comes to the same.
        let view = CounterView::parse(bytes).expect("it was read before");
        let mut of_view = Sums::new(&program, mode);
        let mut others = Vec::new();
        of_view.add_view(&program, &view, &mut others);
        assert!(of_view == once);
        let words = |causes: &[Cause]| causes.iter().map(Cause::to_string).collect::<Vec<_>>();
        assert_eq!(words(&others), words(&causes));
        let mut twice = once.clone();
        twice.join(&once);
        for (one, two) in once.records(&program).iter().zip(twice.records(&program)) {
            for (one, two) in one.counters.iter().zip(two.counters) {
                let expected = match mode {
                    Mode::Set => *one,
                    _ => one.saturating_mul(2),
                };
                assert_eq!(*two, expected);
            }
        }
        let pod = Pod::of(&program, &once);
        let read = CounterFile::parse(&pod.counters).expect("we read what we wrote");
        assert!(read.records().eq(once.records(&program)));
    }
}

/// A program of two packages with functions of one to three blocks.
pub(crate) fn sample(mode: Mode) -> Vec<u8> {
    let mut builder = MetaBuilder::new(HashKind::Fnv);
    for path in ["m/a", "m/b"] {
        let module = b"m"[..].into();
        let package = builder.package(&path.as_bytes().into(), &b"p"[..].into(), &module);
        for length in 1..4u32 {
            let unit = |line| Unit {
                start_line: 10 * length + line,
                start_column: 1,
                end_line: 10 * length + line,
                end_column: 9,
                statements: 1,
            };
            builder.function(
                package,
                Function {
                    name: b"f"[..].into(),
                    file: path.as_bytes().into(),
                    units: (0..length).map(unit).collect(),
                    literal: false,
                },
            );
        }
    }
    builder.write(mode, Granularity::Block)
}

/// Reads the bytes as a text profile; what was added up is written, and that is read back the same.
/// They are also taken for Go source.
pub fn go_text(bytes: &[u8]) {
    let parsed = match TextProfile::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => return check_offset(&error, bytes),
    };
    let mut profile = Profile::new(parsed.mode);
    profile.add_text(&parsed);
    check_profile(&profile, bytes);
    let written = text::write(&profile);
    let again = TextProfile::parse(&written).expect("we read what we wrote");
    assert!(again.blocks.len() <= parsed.blocks.len() && !again.modes_differ);
    let mut profile = Profile::new(again.mode);
    assert!(profile.add_text(&again).is_empty());
    assert!(
        text::write(&profile) == written,
        "written again, it differs"
    );
}
