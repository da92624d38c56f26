//! The bodies of `lcov`, `cobertura` and `llvm_json`: reports of others.

use bincover_import::{Error, cobertura, lcov, llvm_json, merge, read};
use bincover_model::Coverage;
use bincover_report::{Format, NoSources, Options};
use bstr::BStr;

/// Reads the bytes as an lcov tracefile. What is read is in order, written, and put together with
/// itself.
pub fn lcov(bytes: &[u8]) {
    check_read(&[&|| read(bytes, &exists), &|| lcov::read(bytes)], bytes);
}

/// Reads the bytes as Cobertura's XML, likewise.
pub fn cobertura(bytes: &[u8]) {
    check_read(
        &[&|| read(bytes, &exists), &|| {
            cobertura::read(bytes, &exists)
        }],
        bytes,
    );
}

/// Reads the bytes as the JSON of `llvm-cov export`, likewise.
pub fn llvm_json(bytes: &[u8]) {
    check_read(
        &[&|| read(bytes, &exists), &|| llvm_json::read(bytes)],
        bytes,
    );
}

/// Half of all files are there.
fn exists(name: &BStr) -> bool {
    name.len().is_multiple_of(2)
}

type Reader<'r> = &'r dyn Fn() -> Result<Coverage, Error>;

fn check_read(readers: &[Reader<'_>], bytes: &[u8]) {
    for reader in readers {
        match reader() {
            Ok(coverage) => check(&coverage),
            Err(error) => {
                assert!(error.offset() <= bytes.len() as u64, "{error}");
                assert!(error.to_string().len() < 2000, "{error}");
            }
        }
    }
}

pub(crate) fn check(coverage: &Coverage) {
    in_order(coverage);
    for format in ["table", "missing", "json", "llvm-json", "clover", "codecov"] {
        assert!(
            !written(coverage, format).is_empty()
                || coverage.files.is_empty()
                || format == "missing"
        );
    }
    // Lines and their counts go through a format and come back; names only if it can say them.
    let names = coverage.files.iter().map(|file| &file.name);
    let mut names = names.chain(coverage.functions.iter().map(|function| &function.name));
    if names.all(|name| name.iter().all(u8::is_ascii_graphic)) {
        for format in ["lcov", "llvm-json"] {
            let again = written(coverage, format);
            let again = read(&again, &|_| false);
            let Ok(again) = again else {
                // Of nothing there is nothing to be read; and a limit may be near.
                continue;
            };
            assert_eq!(lines(&again), lines(coverage), "{format}");
        }
    }
    let twice = merge(vec![coverage.clone(), coverage.clone()]);
    in_order(&twice);
    // LLVM's sums of instantiations wrap round, and so do ours.
    let regions = coverage
        .functions
        .iter()
        .flat_map(|function| &function.regions);
    let is_huge = regions.map(|region| region.count).max() > Some(1 << 40);
    for file in coverage.measured_files().filter(|_| !is_huge) {
        let double = twice.files.iter().find(|other| other.name == file.name);
        let double = double.expect("it was in both");
        assert_eq!(double.lines.len(), file.lines.len());
        for (double, line) in double.lines.iter().zip(&file.lines) {
            assert_eq!(double.count, line.count.saturating_mul(2));
        }
    }
    let empty = merge(vec![coverage.clone(), Coverage::default()]);
    assert_eq!(&empty.totals(), &coverage.totals());
    assert_eq!(lines(&empty), lines(coverage));
}

pub(crate) fn written(coverage: &Coverage, format: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let format = Format::named(format).expect("a format");
    let written = format.write(coverage, &Options::default(), &NoSources, &mut out);
    written.expect("a Vec takes everything");
    out
}

/// Numbers and counts.
pub(crate) type Lines = Vec<(u32, u64)>;

pub(crate) fn lines(coverage: &Coverage) -> Vec<(&[u8], Lines)> {
    let files = coverage.files.iter().filter(|file| !file.lines.is_empty());
    let pairs = files.map(|file| {
        // llvm-cov's JSON has no larger counts.
        let lines = file.lines.iter();
        let lines = lines.map(|line| (line.number, line.count.min(i64::MAX.unsigned_abs())));
        (file.name.as_slice(), lines.collect())
    });
    pairs.collect()
}

fn in_order(coverage: &Coverage) {
    assert!(coverage.files.is_sorted_by(|a, b| a.name < b.name));
    for file in &coverage.files {
        assert!(file.lines.is_sorted_by(|a, b| a.number < b.number));
        assert!(file.outcomes.is_sorted());
        assert!(file.groups.is_sorted_by_key(|group| group.start));
        for group in &file.groups {
            assert!(!group.members.is_empty());
        }
        let lines = file.summary.lines;
        assert!(lines.covered <= lines.total);
    }
}
