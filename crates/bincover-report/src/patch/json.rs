//! Patch coverage as JSON, of which `docs/diff.schema.json` is the schema.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::coverage::{PatchCoverage, Uncovered};
use crate::Options;
use crate::json::{JsonMissing, JsonTally, TOOL};

/// The version of the schema, raised when a reader of the old one would misunderstand the new one.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: &'static str,
    lines: JsonTally,
    files: Vec<JsonFile<'a>>,
    unmeasured: &'a [String],
    not_counted: Vec<NotCounted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<JsonComparison<'a>>,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_name: Option<&'a str>,
    lines: JsonTally,
    missing: Vec<JsonMissing<'a>>,
    lost: Vec<JsonMissing<'a>>,
}

#[derive(Serialize)]
struct NotCounted<'a> {
    name: &'a str,
    reason: &'static str,
}

#[derive(Serialize)]
struct JsonComparison<'a> {
    before: JsonTally,
    now: JsonTally,
    kept: JsonTally,
    gone: &'a [String],
}

/// Writes the document.
///
/// # Errors
/// If the writer fails.
pub(super) fn emit(
    found: &PatchCoverage,
    _options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let files = found.files.iter().map(|file| JsonFile {
        name: &file.name,
        old_name: file.old_name.as_deref(),
        lines: file.lines.into(),
        missing: places(&file.uncovered),
        lost: places(&file.lost),
    });
    let not_counted = found.opaque.iter().map(|(name, why)| NotCounted {
        name,
        reason: why.words(),
    });
    let comparison = found.comparison.as_ref();
    let document = Document {
        version: VERSION,
        tool: TOOL,
        lines: found.lines.into(),
        files: files.collect(),
        unmeasured: &found.unmeasured,
        not_counted: not_counted.collect(),
        baseline: comparison.map(|comparison| JsonComparison {
            before: comparison.before.into(),
            now: comparison.now.into(),
            kept: comparison.kept.into(),
            gone: &comparison.gone,
        }),
    };
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &document)?;
    writeln!(out)?;
    out.flush()
}

fn places(places: &[Uncovered]) -> Vec<JsonMissing<'_>> {
    let places = places.iter();
    places
        .map(|one| JsonMissing::new(&one.place, one.function.as_deref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::coverage::tests::example;
    use super::*;

    #[test]
    fn files_and_what_was_before() {
        let mut out = Vec::new();
        emit(&example(), &Options::default(), &mut out).expect("a Vec takes everything");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(json["lines"], serde_json::json!({"covered": 1, "total": 3}));
        let [a, b] = [&json["files"][0], &json["files"][1]];
        assert_eq!(a["missing"][1]["first_line"], 5);
        assert_eq!(a["lost"][0]["reason"], "not_reached");
        assert_eq!(b["old_name"], "src/old.rs");
        assert_eq!(json["unmeasured"], serde_json::json!(["logo.png"]));
        assert_eq!(json["baseline"]["gone"], serde_json::json!(["src/c.rs"]));
        assert_eq!(
            json["baseline"]["kept"],
            serde_json::json!({"covered": 2, "total": 4})
        );
    }
}
