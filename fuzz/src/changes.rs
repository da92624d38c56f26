//! The bodies of `patch`, `baseline` and `ratchet`: what a version is compared with.

use std::collections::BTreeSet;

use bincover_model::{Coverage, File, Line, Summary, Tally};
use bincover_report::patch::{Baseline, FileChange, PATCH_FORMATS, Patch, PatchCoverage};
use bincover_report::ratchet::Ratchet;
use bincover_report::{Format, NoSources, Options};

/// Reads the bytes as a patch. Names are there once, edits in order, and of each line at an edit's
/// border it is known whether it is new or which one it was. With a coverage of files that it names,
/// all that is written of it can be written.
pub fn patch(bytes: &[u8]) {
    let patch = match Patch::parse(bytes) {
        Ok(patch) => patch,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 20_000, "{text}");
            assert!(!text.contains(['\u{1b}', '\n']), "{text:?}");
            return;
        }
    };
    let names: Vec<_> = patch
        .files
        .iter()
        .filter_map(|file| file.new.clone())
        .collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "a name is there twice");
    for file in &patch.files {
        check_edits(file);
    }
    let mut files: Vec<File> = names
        .iter()
        .take(4)
        .map(|name| file([&b"/w/"[..], &name[..]].concat(), 1..40, |line| line % 3))
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name);
    let coverage = Coverage {
        files,
        functions: Vec::new(),
    };
    let baseline = baseline_of(&coverage);
    for repository in [None, Some("/w".into())] {
        let options = Options {
            repository,
            ..Options::default()
        };
        for baseline in [None, Some(&baseline)] {
            let Ok(covered) = PatchCoverage::new(&coverage, &options, &patch, baseline) else {
                continue;
            };
            assert!(covered.lines.covered <= covered.lines.total);
            let sum: u64 = covered.files.iter().map(|file| file.lines.total).sum();
            assert_eq!(sum, covered.lines.total);
            for format in PATCH_FORMATS {
                let mut out = Vec::new();
                (format.emit)(&covered, &options, &mut out).expect("a Vec takes everything");
                assert!(!out.contains(&0x1b), "{} has an escape", format.name);
            }
        }
    }
}

fn check_edits(file: &FileChange) {
    let edits = &file.edits;
    assert!(edits.is_sorted_by_key(|edit| edit.new.first), "{edits:?}");
    for edit in edits {
        for lines in [edit.old, edit.new] {
            assert!(lines.first.checked_add(lines.count).is_some(), "{edit:?}");
        }
        let [first, end] = [edit.new.first, edit.new.first + edit.new.count];
        let mut lines = [first.saturating_sub(1), first, end.saturating_sub(1), end];
        lines.sort_unstable();
        let mut before: Option<u32> = None;
        for line in lines {
            if file.is_new(line) {
                assert_eq!(file.before(line), None, "line {line} of {edits:?}");
            } else if let Some(old) = file.before(line) {
                assert!(before.is_none_or(|last| last <= old), "{line}: {edits:?}");
                before = Some(old);
            }
        }
    }
}

/// A file of these lines.
fn file(name: Vec<u8>, lines: std::ops::Range<u32>, count: impl Fn(u32) -> u32) -> File {
    let lines: Vec<Line> = lines
        .map(|number| Line {
            number,
            count: u64::from(count(number)),
        })
        .collect();
    let covered = lines.iter().filter(|line| line.count > 0).count() as u64;
    let total = lines.len() as u64;
    File {
        name: name.into(),
        lines,
        summary: Summary {
            lines: Tally { covered, total },
            ..Summary::default()
        },
        ..File::default()
    }
}

pub(crate) fn baseline_of(coverage: &Coverage) -> Baseline {
    let mut json = Vec::new();
    let format = Format::named("json").expect("a format");
    let written = format.write(coverage, &in_w(), &NoSources, &mut json);
    written.expect("a Vec takes everything");
    Baseline::parse(&json).expect("we read what we wrote")
}

/// Names are relative to `/w`.
pub(crate) fn in_w() -> Options {
    Options {
        repository: Some("/w".into()),
        ..Options::default()
    }
}

/// Reads the bytes as our own JSON; what is read is compared with a coverage.
pub fn baseline(bytes: &[u8]) {
    let baseline = match Baseline::parse(bytes) {
        Ok(baseline) => baseline,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let patch = b"--- a/a.c\n+++ b/a.c\n@@ -3,2 +3,4 @@\n-1\n-2\n+1\n+2\n+3\n+4\n";
    let patch = Patch::parse(patch).expect("a patch");
    let coverage = Coverage {
        files: vec![file(b"/w/a.c".to_vec(), 1..60, |line| line % 2)],
        functions: Vec::new(),
    };
    let options = in_w();
    let Ok(covered) = PatchCoverage::new(&coverage, &options, &patch, Some(&baseline)) else {
        return;
    };
    let compared = covered.comparison.as_ref().expect("there is a baseline");
    assert_eq!(compared.before, baseline.lines);
    assert!(compared.kept.covered <= compared.kept.total);
    for format in PATCH_FORMATS {
        let mut out = Vec::new();
        (format.emit)(&covered, &options, &mut out).expect("a Vec takes everything");
    }
}

/// Reads the bytes as a ratchet's file. Written and read back it is the same, and so is the one that
/// a coverage makes of it; a ratchet that was made of a coverage holds for it.
pub fn ratchet(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let ratchet = match Ratchet::parse(text) {
        Ok(ratchet) => ratchet,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let read = |ratchet: &Ratchet| Ratchet::parse(&ratchet.to_string());
    assert_eq!(read(&ratchet).as_ref(), Ok(&ratchet));
    let files = [("/w/a.c", 1..10), ("/w/b/c.rs", 3..50)];
    let files = files.map(|(name, lines)| file(name.into(), lines, |line| line % 2));
    let coverage = Coverage {
        files: files.into(),
        functions: Vec::new(),
    };
    let options = in_w();
    for exists in [true, false] {
        let found = ratchet.check(&coverage, &options, &|_| exists);
        for fallen in &found.fallen {
            assert!(fallen.needed > 0 && !fallen.to_string().is_empty());
        }
        for lower in [true, false] {
            let updated = ratchet.updated(&coverage, &options, &|_| exists, lower);
            assert_eq!(read(&updated).as_ref(), Ok(&updated));
            if lower {
                let found = updated.check(&coverage, &options, &|_| exists);
                assert!(found.holds(), "{found:?}");
            }
        }
    }
}
