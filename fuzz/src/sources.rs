//! The body of `sources`: source files, in which markers, expressions and Rust's own syntax say what
//! is left out.

use std::sync::OnceLock;

use bincover::{Exclusions, Skip};
use bincover_model::{Branch, Coverage, File, Line, LocalFile, Position};
use bincover_report::{Source, Sources};
use bstr::BStr;
use regex::bytes::Regex;

/// Every file has this text.
struct Text<'t>(&'t [u8]);

impl Sources for Text<'_> {
    fn read(&self, _: &BStr) -> Source {
        Source::Text {
            text: self.0.to_vec(),
            is_changed: false,
        }
    }
}

/// Takes the bytes as a source of Rust and as one of C, all lines of which were measured. What is
/// left is some of what was there, in order; and asked again, nothing more is left out.
pub fn sources(bytes: &[u8]) {
    static ALL: OnceLock<[Exclusions; 3]> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let regex = |text| vec![Regex::new(text).expect("an expression")];
        [
            Exclusions {
                markers: true,
                ..Exclusions::default()
            },
            Exclusions {
                line: regex("unreachable|panic!"),
                start: regex("BEGIN|^a"),
                stop: regex("END|b$"),
                branch_line: regex("assert"),
                branch_start: regex("if"),
                branch_stop: regex("else"),
                ..Exclusions::default()
            },
            Exclusions {
                skip: vec![Skip::Tests, Skip::Derives, Skip::Unreachable],
                ..Exclusions::default()
            },
        ]
    });
    let full = coverage(bytes);
    for exclusions in all {
        let mut left = full.clone();
        let notes = match exclusions.apply(&mut left, &Text(bytes)) {
            Ok(notes) => notes,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert!(notes.iter().all(|note| !note.to_string().is_empty()));
        for (left, full) in left.files.iter().zip(&full.files) {
            assert_eq!(left.name, full.name);
            assert!(left.lines.is_sorted_by(|a, b| a.number < b.number));
            assert!(left.lines.iter().all(|line| full.lines.contains(line)));
            assert!(left.branches.len() <= full.branches.len());
            let ranges = &left.excluded.ranges;
            assert!(ranges.iter().all(|range| range.first <= range.last));
        }
        let mut again = left.clone();
        if exclusions.apply(&mut again, &Text(bytes)).is_ok() {
            for (again, left) in again.files.iter().zip(&left.files) {
                assert_eq!(again.lines, left.lines);
                assert_eq!(again.branches.len(), left.branches.len());
            }
        }
    }
}

/// Lines that ran and lines that did not take turns, each with a branch. A longer text is measured
/// at its start alone: what is asserted takes the square of that.
fn coverage(text: &[u8]) -> Coverage {
    let count = text.split(|byte| *byte == b'\n').count().min(200);
    let lines: Vec<Line> = (1..=u32::try_from(count).unwrap_or(0))
        .map(|number| Line {
            number,
            count: u64::from(number % 2),
        })
        .collect();
    let branches: Vec<Branch> = lines
        .iter()
        .map(|line| {
            let start = Position {
                line: line.number,
                column: 1,
            };
            Branch {
                file: LocalFile(0),
                start,
                end: start,
                true_count: 1,
                false_count: 0,
                true_folded: false,
                false_folded: false,
                is_condition: false,
            }
        })
        .collect();
    let file = |name: &str| File {
        name: name.into(),
        lines: lines.clone(),
        branches: branches.clone(),
        ..File::default()
    };
    Coverage {
        files: vec![file("/w/src/a.c"), file("/w/src/lib.rs")],
        functions: Vec::new(),
    }
}
