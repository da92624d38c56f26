//! The ledger as JSON, for `--ledger`: the schema is in `docs/ledger.md`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use bincover::mapping::{self, ErrorKind, Evaluation, LeftOut, Reason, Unmapped};
use bincover::model::{Coverage, ExcludedPart};
use bincover::profile::{Cause, Ledger};
use bincover::report::demangled;
use bincover::{Covered, Error, GoEntry, GoLedger, ImportCause, ImportEntry};
use bstr::ByteSlice;
use serde::Serialize;

use crate::go::convert::error_of;
use crate::selection_args::Selected;

/// The version of the schema; it grows when a field changes its meaning or goes.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Json<'l> {
    version: u32,
    inputs: u64,
    records: u64,
    entries: Vec<Entry<'l>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<Mismatch<'l>>>,
    #[serde(flatten)]
    selection: Selection<'l>,
}

/// What was asked for, and what became of it; nothing if nothing was.
#[derive(Default, Serialize)]
struct Selection<'l> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<Renamed<'l>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<Excluded<'l>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceNote<'l>>,
}

/// A source file that has another name here, or is not there.
#[derive(Serialize)]
struct Renamed<'l> {
    original: Cow<'l, str>,
    name: Cow<'l, str>,
    steps: Vec<String>,
    is_left_out: bool,
}

/// What was left out of a source file.
#[derive(Serialize)]
struct Excluded<'l> {
    file: Cow<'l, str>,
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_line: Option<u32>,
    rule: &'l str,
    lines: u64,
}

/// What is to be known of a source file.
#[derive(Serialize)]
struct SourceNote<'l> {
    file: Cow<'l, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    cause: &'static str,
    message: String,
}

impl<'l> Selection<'l> {
    fn new(coverage: &'l Coverage, selected: &'l Selected) -> Self {
        let paths = selected.traces.iter().map(|trace| Renamed {
            original: trace.original.to_str_lossy(),
            name: trace.name.to_str_lossy(),
            steps: trace.steps.iter().map(ToString::to_string).collect(),
            is_left_out: trace.is_dropped,
        });
        let excluded = coverage.files.iter().flat_map(|file| {
            let ranges = file.excluded.ranges.iter();
            ranges.map(|range| {
                let is_part = range.part != ExcludedPart::File;
                Excluded {
                    file: file.name.to_str_lossy(),
                    part: range.part.name(),
                    first_line: is_part.then_some(range.first),
                    last_line: is_part.then_some(range.last),
                    rule: &range.rule,
                    lines: range.lines,
                }
            })
        });
        let sources = selected.notes.iter().map(|note| SourceNote {
            file: note.file.to_str_lossy(),
            line: note.line,
            cause: note.cause.name(),
            message: note.cause.to_string(),
        });
        Self {
            paths: paths.collect(),
            excluded: excluded.collect(),
            sources: sources.collect(),
        }
    }
}

#[derive(Default, Serialize)]
struct Entry<'l> {
    file: Cow<'l, str>,
    cause: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'l str>,
    /// Of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'static str>,
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

/// A function that profile and objects disagree on.
#[derive(Serialize)]
struct Mismatch<'l> {
    cause: &'static str,
    message: String,
    /// In source form.
    function: String,
    /// As the profile has it.
    symbol: Cow<'l, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Cow<'l, str>>,
    /// In hexadecimal: as a number, most readers of JSON would round it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_hash: Option<String>,
    counts_as: &'static str,
}

/// Why profile and objects disagree on a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MismatchCause {
    HashMismatch,
    MissingCounters,
    NoProfile,
    NoMapping,
    UnusedStub,
}

impl MismatchCause {
    fn of(left_out: &LeftOut) -> Self {
        match left_out.reason {
            _ if left_out.is_stub => Self::UnusedStub,
            Reason::NotInProfile => Self::NoProfile,
            Reason::MissingCounters => Self::MissingCounters,
            _ => Self::HashMismatch,
        }
    }

    /// How many functions there are of each cause; one is counted for each object that holds it.
    pub(crate) fn tally(evaluation: &Evaluation) -> [(Self, usize); 5] {
        let count = |cause| {
            let causes = evaluation.left_out.iter().map(Self::of);
            causes.filter(|one| *one == cause).count()
        };
        [
            (Self::HashMismatch, count(Self::HashMismatch)),
            (Self::MissingCounters, count(Self::MissingCounters)),
            (Self::NoProfile, count(Self::NoProfile)),
            (Self::NoMapping, evaluation.unmapped.len()),
            (Self::UnusedStub, count(Self::UnusedStub)),
        ]
    }

    fn name(self) -> &'static str {
        match self {
            Self::HashMismatch => "hash-mismatch",
            Self::MissingCounters => "missing-counters",
            Self::NoProfile => "no-profile",
            Self::NoMapping => "no-mapping",
            Self::UnusedStub => "unused-stub",
        }
    }
}

impl fmt::Display for MismatchCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HashMismatch => {
                "left out, since the profile has another hash, of another build or program"
            }
            Self::MissingCounters => {
                "left out, since the profile has fewer counters than the mapping needs"
            }
            Self::NoProfile => "counted as not executed, since not in the profile",
            Self::NoMapping => "left out, since in the profile and in none of the objects",
            Self::UnusedStub => "unused in the object, which has no code there to count",
        })
    }
}

/// The ledger's JSON, with a line feed at the end.
pub(crate) fn json(ledger: &Ledger, go: &GoLedger) -> String {
    with_objects(ledger, go, Vec::new(), None, Selection::default())
}

/// Of reports that were converted.
pub(crate) fn import_json(
    inputs: u64,
    left_out: &[ImportEntry],
    go: &GoLedger,
    selected: Option<(&Coverage, &Selected)>,
) -> String {
    let selection = selected.map(|(coverage, selected)| Selection::new(coverage, selected));
    let mut json = Json {
        version: VERSION,
        inputs,
        records: 0,
        entries: left_out.iter().map(of_import).collect(),
        functions: None,
        selection: selection.unwrap_or_default(),
    };
    json.entries.extend(go.entries.iter().map(of_go));
    pretty(&json)
}

/// As [`json`], with the object for which there is no report.
pub(crate) fn failed_json(ledger: &Ledger, go: &GoLedger, error: &Error) -> String {
    let objects = match error {
        Error::Object { path, source } => vec![of_unused(path, source)],
        _ => Vec::new(),
    };
    with_objects(ledger, go, objects, None, Selection::default())
}

/// As [`json`], with what was left out when the merged profile met the objects. The evaluation is
/// one that was asked to explain.
pub(crate) fn report_json(
    (ledger, go): (&Ledger, &GoLedger),
    covered: &Covered,
    selected: &Selected,
) -> String {
    let evaluation = &covered.evaluation;
    let left_out = evaluation
        .left_out
        .iter()
        .map(|left| of_object(left, covered));
    let unmapped = evaluation.unmapped.iter().map(of_profile);
    let functions = left_out.chain(unmapped).collect();
    let unused = covered.without_mapping.iter().chain(&covered.damaged);
    let objects = unused.map(|(path, error)| of_unused(path, error));
    let selection = Selection::new(&evaluation.coverage, selected);
    with_objects(ledger, go, objects.collect(), Some(functions), selection)
}

fn with_objects<'l>(
    ledger: &'l Ledger,
    go: &'l GoLedger,
    objects: Vec<Entry<'l>>,
    functions: Option<Vec<Mismatch<'l>>>,
    selection: Selection<'l>,
) -> String {
    let entries = ledger.entries.iter().map(|entry| {
        let mut json = of_cause(&entry.cause);
        json.file = Cow::Borrowed(&entry.source);
        json.message = entry.cause.to_string();
        json
    });
    let json = Json {
        version: VERSION,
        inputs: ledger.inputs + go.inputs,
        records: ledger.records,
        entries: entries
            .chain(go.entries.iter().map(of_go))
            .chain(objects)
            .collect(),
        functions,
        selection,
    };
    pretty(&json)
}

fn pretty(json: &Json<'_>) -> String {
    let text = serde_json::to_string_pretty(json);
    text.expect("strings and numbers are valid JSON") + "\n"
}

/// Of a report.
fn of_import(entry: &ImportEntry) -> Entry<'_> {
    let (cause, error) = match &entry.cause {
        ImportCause::Unreadable(error) => ("unreadable", Some(error)),
        _ => ("inaccessible", None),
    };
    Entry {
        file: entry.path.to_string_lossy(),
        cause,
        message: entry.cause.to_string(),
        what: error.map(bincover::import::Error::what),
        offset: error.map(bincover::import::Error::offset),
        expected: error.map(|error| error.expected().to_owned()),
        found: error.map(|error| error.found().to_owned()),
        ..Entry::default()
    }
}

/// Of Go's files.
fn of_go(entry: &GoEntry) -> Entry<'_> {
    let error = error_of(&entry.cause);
    Entry {
        file: entry.path.to_string_lossy(),
        cause: entry.cause.name(),
        message: entry.cause.to_string(),
        what: error.map(bincover::gocover::Error::what),
        offset: error.and_then(bincover::gocover::Error::offset),
        expected: error.map(|error| error.expected().to_owned()),
        found: error.map(|error| error.found().to_owned()),
        ..Entry::default()
    }
}

/// An object that is not in the report.
fn of_unused<'l>(path: &'l Path, error: &'l mapping::Error) -> Entry<'l> {
    Entry {
        file: path.to_string_lossy(),
        cause: match error.kind() {
            ErrorKind::NoCoverageData => "no-coverage-data",
            _ => "damaged-object",
        },
        message: error.to_string(),
        what: Some(error.what()).filter(|what| !what.is_empty()),
        section: error.section(),
        offset: error.offset(),
        expected: Some(error.expected().to_owned()),
        found: Some(error.found().to_owned()),
        ..Entry::default()
    }
}

fn of_object<'l>(left_out: &'l LeftOut, covered: &'l Covered) -> Mismatch<'l> {
    let cause = MismatchCause::of(left_out);
    let is_in_a_file = !left_out.file.is_empty();
    let member = left_out.member.as_ref();
    Mismatch {
        cause: cause.name(),
        message: cause.to_string(),
        function: demangled(left_out.function.as_bstr()),
        symbol: left_out.function.to_str_lossy(),
        source: is_in_a_file.then(|| left_out.file.to_str_lossy()),
        object: Some(covered.objects[left_out.mapping].to_string_lossy()),
        member: member.map(|member| member.to_str_lossy()),
        hash: Some(hexadecimal(left_out.hash)),
        profile_hash: left_out.profile_hash.map(hexadecimal),
        counts_as: match left_out.reason.is_loss() {
            true => "left-out",
            false => "not-executed",
        },
    }
}

fn of_profile(unmapped: &Unmapped) -> Mismatch<'_> {
    let cause = MismatchCause::NoMapping;
    Mismatch {
        cause: cause.name(),
        message: cause.to_string(),
        function: demangled(unmapped.function.as_bstr()),
        symbol: unmapped.function.to_str_lossy(),
        source: None,
        object: None,
        member: None,
        hash: None,
        profile_hash: Some(hexadecimal(unmapped.hash)),
        counts_as: "left-out",
    }
}

fn hexadecimal(hash: u64) -> String {
    format!("{hash:#018x}")
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
        Cause::Earlier(_) => "earlier",
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
