//! The markers of lcov and gcovr, as
//! [geninfo 1.16](https://github.com/linux-test-project/lcov/blob/v1.16/bin/geninfo) and
//! [gcovr 8](https://gcovr.com/en/8.3/guide/exclusion-markers.html) have them.
//!
//! | marker | what is out |
//! | --- | --- |
//! | `LCOV_EXCL_LINE` | the line |
//! | `LCOV_EXCL_START`, `LCOV_EXCL_STOP` | from the line of the first to that before the second |
//! | `LCOV_EXCL_BR_LINE`, `_BR_START`, `_BR_STOP` | likewise, branches alone |
//! | `GCOVR_EXCL_FUNCTION`, `_BR_FUNCTION` | the function that begins on the line |
//! | `LCOV_UNREACHABLE_LINE`, `_START`, `_STOP` | lines that were not executed (lcov 2) |
//!
//! `LCOV`, `LCOVR`, `GCOV` and `GCOVR` may stand for each other, as for gcovr; what one of them
//! starts the same one stops. A marker may be anywhere in a line. Where lcov and gcovr do not agree
//! on what is left open, or started twice, it is unbalanced here.

use std::sync::{Arc, LazyLock};

use bincover_model::{ExcludedPart, ExcludedRange};
use bstr::ByteSlice;
use regex::bytes::Regex;

use super::range;

static MARKER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = "(LCOVR|LCOV|GCOVR|GCOV)_(?:(EXCL_BR_|EXCL_)(LINE|START|STOP|FUNCTION)\
                   |(UNREACHABLE_)(LINE|START|STOP))";
    Regex::new(pattern).expect("it is an expression")
});

/// What the markers of a source say.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ranges: Vec<ExcludedRange>,
    pub(super) functions: Vec<FunctionMarker>,
    /// Lines, and what is wrong there.
    pub(super) unbalanced: Vec<(u32, String)>,
}

/// A marker that means the function that begins on its line.
#[derive(Debug)]
pub(super) struct FunctionMarker {
    pub(super) line: u32,
    pub(super) part: ExcludedPart,
    pub(super) rule: Arc<str>,
}

/// A section that has begun, by the text before `START`.
struct Open {
    family: String,
    line: u32,
    part: ExcludedPart,
}

pub(super) fn scan(text: &[u8]) -> Found {
    let mut found = Found::default();
    // Most sources have none, and looking for a part of them all is cheaper.
    if text.find(b"COV").is_none() {
        return found;
    }
    let mut open: Vec<Open> = Vec::new();
    for (line, content) in (1..=u32::MAX).zip(text.lines()) {
        for captures in MARKER.captures_iter(content) {
            let name = |index| {
                let part = captures.get(index);
                part.map_or("", |part| part.as_bytes().to_str().unwrap_or_default())
            };
            let kind = [name(2), name(4)].concat();
            let family = format!("{}_{kind}", name(1));
            let what = [name(3), name(5)].concat();
            let part = match kind.as_str() {
                "EXCL_BR_" => ExcludedPart::Branches,
                "EXCL_" => ExcludedPart::Lines,
                _ => ExcludedPart::Unexecuted,
            };
            let rule: Arc<str> = format!("{family}{what}").into();
            let begun = open.iter().position(|open| open.family == family);
            match (what.as_str(), begun) {
                ("LINE", _) => found.ranges.push(range(line, line, part, &rule)),
                ("FUNCTION", _) => found.functions.push(FunctionMarker { line, part, rule }),
                ("START", None) => open.push(Open { family, line, part }),
                ("START", Some(begun)) => {
                    let first = open[begun].line;
                    let what = format!("{rule} inside of what {rule} began on line {first}");
                    found.unbalanced.push((line, what));
                }
                (_, Some(begun)) => {
                    let begun = open.remove(begun);
                    let rule: Arc<str> = format!("{family}START").into();
                    if begun.line < line {
                        let ended = range(begun.line, line - 1, begun.part, &rule);
                        found.ranges.push(ended);
                    }
                }
                (_, None) => {
                    let what = format!("{rule} without {family}START before it");
                    found.unbalanced.push((line, what));
                }
            }
        }
    }
    for Open { family, line, .. } in open {
        let what = format!("{family}START without {family}STOP after it");
        found.unbalanced.push((line, what));
    }
    found.unbalanced.sort();
    found
}
