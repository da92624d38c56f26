//! The ledger as JSON, for `--ledger`: the schema is in `docs/ledger.md`.

use bincover::profile::{Cause, Ledger};
use serde::Serialize;

/// The version of the schema; it grows when a field changes its meaning or goes.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Json<'l> {
    version: u32,
    inputs: u64,
    records: u64,
    entries: Vec<Entry<'l>>,
}

#[derive(Default, Serialize)]
struct Entry<'l> {
    file: &'l str,
    cause: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    lost: &'l [String],
}

/// The ledger's JSON, with a line feed at the end.
pub(crate) fn json(ledger: &Ledger) -> String {
    let entries = ledger.entries.iter().map(|entry| {
        let mut json = of_cause(&entry.cause);
        json.file = &entry.source;
        json.message = entry.cause.to_string();
        json
    });
    let json = Json {
        version: VERSION,
        inputs: ledger.inputs,
        records: ledger.records,
        entries: entries.collect(),
    };
    let text = serde_json::to_string_pretty(&json);
    text.expect("strings and numbers are valid JSON") + "\n"
}

fn of_cause(cause: &Cause) -> Entry<'_> {
    let mut entry = Entry::default();
    let mut error = None;
    entry.cause = match cause {
        Cause::Empty => "empty",
        Cause::Inaccessible(_) => "inaccessible",
        Cause::Unreadable(what) => {
            error = Some(what);
            "unreadable"
        }
        Cause::Damaged {
            error: what,
            kept,
            announced,
            lost,
        } => {
            error = Some(what);
            entry.kept = Some(*kept);
            entry.announced = *announced;
            entry.lost = lost;
            "damaged"
        }
        Cause::KindMismatch => "kind-mismatch",
        Cause::SuspiciousCounter { function, count } => {
            entry.function = Some(function);
            entry.found = Some(count.to_string());
            "suspicious-counter"
        }
        Cause::CounterMismatch {
            function,
            expected,
            found,
        } => {
            entry.function = Some(function);
            entry.expected = Some(format!("{expected} counters"));
            entry.found = Some(found.to_string());
            "counter-mismatch"
        }
        Cause::BitmapMismatch {
            function,
            expected,
            found,
        } => {
            entry.function = Some(function);
            entry.expected = Some(format!("{expected} bitmap bytes"));
            entry.found = Some(found.to_string());
            "bitmap-mismatch"
        }
        Cause::ValueSiteMismatch { function } => {
            entry.function = Some(function);
            "value-site-mismatch"
        }
        Cause::CounterOverflow { function } => {
            entry.function = Some(function);
            "counter-overflow"
        }
        _ => "other",
    };
    if let Some(error) = error {
        entry.what = Some(error.what());
        entry.offset = error.offset();
        entry.expected = Some(error.expected().to_owned());
        entry.found = Some(error.found().to_owned());
    }
    entry
}
