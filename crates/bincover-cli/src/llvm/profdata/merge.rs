//! `llvm-profdata merge`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read};
use std::num::{NonZeroU64, NonZeroUsize};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bincover::profile::indexed::{self, IndexedVersion};
use bincover::profile::{
    Cause, Entry, ErrorKind, Ledger, MergeOptions, Profile, TraceLimits, WriteOptions, text,
};
use bincover::{FileMerge, ProfileInput};
use regex::bytes::Regex;

use super::{Failure, os_words, put, write};
use crate::llvm::options::{Parsed, Program, Spec, Takes, parse};
use crate::ui;

pub(super) const SPECS: &[Spec] = &[
    Spec::new("output", Takes::Text).or("o"),
    Spec::new("weighted-input", Takes::Text),
    Spec::new("input-files", Takes::Text).or("f"),
    Spec::new("remapping-file", Takes::Text).or("r"),
    Spec::new("sparse", Takes::Flag),
    Spec::new("num-threads", Takes::Number).or("j"),
    Spec::new("failure-mode", Takes::OneOf(&["any", "all", "warn"])),
    Spec::new("function", Takes::Text),
    Spec::new("no-function", Takes::Text),
    Spec::new("temporal-profile-trace-reservoir-size", Takes::Number),
    Spec::new("temporal-profile-max-trace-length", Takes::Number),
    Spec::new("write-prev-version", Takes::Flag),
    Spec::new("keep-vtable-symbols", Takes::Flag),
    Spec::new("dump-input-file-list", Takes::Flag),
    Spec::new("instr", Takes::Flag),
    Spec::new("sample", Takes::Flag),
    Spec::new("memory", Takes::Flag),
    Spec::new("binary", Takes::Flag),
    Spec::new("extbinary", Takes::Flag),
    Spec::new("text", Takes::Flag),
    Spec::new("gcc", Takes::Flag),
    Spec::new("write-version", Takes::Number),
    // These concern sample profiles only, or nothing that we do, and are taken without effect, as
    // LLVM takes them for instrumentation profiles.
    Spec::new("compress-all-sections", Takes::Flag),
    Spec::new("use-md5", Takes::Flag),
    Spec::new("gen-partial-profile", Takes::Flag),
    Spec::new("split-layout", Takes::Flag),
    Spec::new("sample-merge-cold-context", Takes::Flag),
    Spec::new("trim-sample-profile", Takes::Flag),
    Spec::new("convert-sample-profile-layout", Takes::Text),
    Spec::new("max-debug-info-correlation-warnings", Takes::Number),
    // These change what is merged: refused by name, below.
    Spec::new("debug-info", Takes::Text),
    Spec::new("binary-file", Takes::Text),
    Spec::new("debuginfod", Takes::Flag),
    Spec::new("supplement-instr-with-sample", Takes::Text),
    Spec::new("profiled-binary", Takes::Text),
];

const REFUSED: &[(&str, &str)] = &[
    ("sample", "sample profiles are not supported"),
    ("memory", "memory profiles are not supported"),
    (
        "debug-info",
        "profiles correlated by debug info are not supported",
    ),
    (
        "binary-file",
        "profiles correlated by a binary are not supported",
    ),
    (
        "debuginfod",
        "profiles correlated by debuginfod are not supported",
    ),
    (
        "supplement-instr-with-sample",
        "sample profiles are not supported",
    ),
    ("profiled-binary", "memory profiles are not supported"),
];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Failure> {
    let parsed = parse(program, SPECS, args)?;
    if let Some((_, why)) = REFUSED
        .iter()
        .find(|(name, _)| parsed.value(name).is_some())
    {
        return Err(Failure::error(why));
    }
    let inputs = inputs(program, &parsed)?;
    if parsed.flag("dump-input-file-list") {
        let line = |input: &ProfileInput| format!("{},{}\n", input.weight, input.path.display());
        let text: String = inputs.iter().map(line).collect();
        return put(None, text.as_bytes());
    }
    let mut merge = FileMerge::new().without_salvage().options(MergeOptions {
        traces: trace_limits(&parsed),
        renamed: renamed(&parsed)?,
        accept_correlated: true,
        keep_vtable_names: parsed.flag("keep-vtable-symbols"),
    });
    let threads = parsed
        .number("num-threads")
        .and_then(|number| usize::try_from(number).ok());
    if let Some(threads) = threads.and_then(NonZeroUsize::new) {
        merge = merge.threads(threads);
    }
    let mut merged = merge.run(&inputs);
    if let Some(failure) = memory_profile(&merged.ledger) {
        return Err(failure);
    }
    report(&merged.ledger);
    let failed = merged.ledger.failed_inputs();
    let fails = match parsed.text("failure-mode").as_deref() {
        Some("all") => failed == merged.ledger.inputs,
        Some("warn") => false,
        _ => failed > 0,
    };
    if fails {
        return Err(Failure::error("no profile can be merged"));
    }
    filter(&parsed, &mut merged.profile)?;
    output(&parsed, &merged.profile)
}

/// LLVM reads memory profiles; without the binary that made them it fails at the first, with these
/// words for raw ones.
fn memory_profile(ledger: &Ledger) -> Option<Failure> {
    let is_memory_profile = |entry: &&Entry| matches!(&entry.cause, Cause::Unreadable(error) if error.kind() == ErrorKind::MemoryProfile);
    let source = &ledger.entries.iter().find(is_memory_profile)?.source;
    let is_yaml = std::fs::read(source).is_ok_and(|bytes| bytes.starts_with(b"---"));
    Some(match is_yaml {
        true => Failure::error(format_args!("{source}: memory profiles are not supported")),
        false => Failure::error(format_args!(
            "{source}: {source}\nunsupported instrumentation profile format version"
        )),
    })
}

fn output(parsed: &Parsed, profile: &Profile) -> Result<(), Failure> {
    let path = parsed.value("output").filter(|path| *path != "-");
    if parsed.flag("gcc") {
        return Err(Failure::error("unknown format is specified"));
    }
    let options = WriteOptions {
        sparse: parsed.flag("sparse"),
        version: version(parsed)?,
    };
    if parsed.flag("text") {
        return put(path, &text::write(profile, &options));
    }
    if path.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::error(
            "cannot write a non-text format profile to the terminal",
        ));
    }
    let bytes = indexed::write(profile, &options);
    match path {
        Some(path) => write(path.as_ref(), &bytes),
        None => put(None, &bytes),
    }
}

/// `-write-prev-version` is LLVM's, `--write-version N` ours.
fn version(parsed: &Parsed) -> Result<IndexedVersion, Failure> {
    match parsed.number("write-version") {
        Some(number) => u32::try_from(number)
            .ok()
            .and_then(IndexedVersion::from_number)
            .ok_or_else(|| {
                Failure::error(format_args!(
                    "cannot write version {number}: expected 10, 11, 12 or 13"
                ))
            }),
        None if parsed.flag("write-prev-version") => Ok(IndexedVersion::V11),
        None => Ok(IndexedVersion::default()),
    }
}

fn trace_limits(parsed: &Parsed) -> TraceLimits {
    let mut limits = TraceLimits::default();
    let number = |name| {
        parsed
            .number(name)
            .and_then(|number| usize::try_from(number).ok())
    };
    if let Some(reservoir) = number("temporal-profile-trace-reservoir-size") {
        limits.reservoir = reservoir;
    }
    if let Some(length) = number("temporal-profile-max-trace-length") {
        limits.length = length;
    }
    limits
}

/// The inputs in LLVM's order: positional ones, weighted ones, those of list files.
fn inputs(program: &Program, parsed: &Parsed) -> Result<Vec<ProfileInput>, Failure> {
    let mut inputs = Vec::new();
    for path in &parsed.positional {
        add_input(&mut inputs, path, NonZeroU64::MIN)?;
    }
    for input in parsed.values("weighted-input") {
        let (weight, path) = weighted(input.as_bytes())?;
        add_input(&mut inputs, OsStr::from_bytes(path), weight)?;
    }
    if let Some(list) = parsed.value("input-files") {
        let text = file_or_stdin(list)?;
        for entry in text.split(|&byte| byte == b'\n') {
            let entry = entry.trim_ascii();
            if entry.is_empty() || entry.starts_with(b"#") {
                continue;
            }
            let (weight, path) = match entry.contains(&b',') {
                true => weighted(entry)?,
                false => (NonZeroU64::MIN, entry),
            };
            add_input(&mut inputs, OsStr::from_bytes(path), weight)?;
        }
    }
    if inputs.is_empty() {
        return Err(Failure::error(format_args!(
            "no input files specified. See {} merge -help",
            program.invoked
        )));
    }
    Ok(inputs)
}

/// LLVM reads lists from standard input if they are called `-`; so does grcov call it.
fn file_or_stdin(path: &OsString) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = match path == "-" {
        true => std::io::stdin().lock().read_to_end(&mut text).map(drop),
        false => std::fs::read(path).map(|bytes| text = bytes),
    };
    match read {
        Ok(()) => Ok(text),
        Err(error) => Err(Failure::error(format_args!(
            "{}: {}",
            path.display(),
            os_words(&error)
        ))),
    }
}

/// `WEIGHT,PATH`; the path may have commas.
fn weighted(text: &[u8]) -> Result<(NonZeroU64, &[u8]), Failure> {
    let comma = text
        .iter()
        .position(|&byte| byte == b',')
        .unwrap_or(text.len());
    let digits = std::str::from_utf8(&text[..comma]).ok();
    let weight = digits
        .filter(|digits| !digits.starts_with('+'))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Failure::error("input weight must be a positive integer"))?;
    Ok((weight, text.get(comma + 1..).unwrap_or_default()))
}

/// A file, or all files below a folder; what is neither is passed over, as by LLVM.
fn add_input(
    inputs: &mut Vec<ProfileInput>,
    path: &OsStr,
    weight: NonZeroU64,
) -> Result<(), Failure> {
    let path = PathBuf::from(OsString::from_vec(path.as_bytes().to_vec()));
    let fail = |path: &Path, error: &std::io::Error| {
        Failure::error(format_args!("{}: {}", path.display(), os_words(error)))
    };
    if path == Path::new("-") {
        // LLVM's probe for memory profiles eats standard input, so that the profile is empty. We
        // read it.
        inputs.push(ProfileInput {
            path: "/dev/stdin".into(),
            weight,
        });
        return Ok(());
    }
    let metadata = std::fs::metadata(&path).map_err(|error| fail(&path, &error))?;
    if metadata.is_file() {
        inputs.push(ProfileInput { path, weight });
    } else if metadata.is_dir() {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|error| fail(&path, &error))? {
            entries.push(entry.map_err(|error| fail(&path, &error))?.path());
        }
        // LLVM takes them as the file system gives them; sorted, the result is the same each time.
        entries.sort();
        for entry in entries {
            add_input(inputs, entry.as_os_str(), weight)?;
        }
    }
    Ok(())
}

/// `old new` on each line.
fn renamed(parsed: &Parsed) -> Result<HashMap<Vec<u8>, Vec<u8>>, Failure> {
    let mut renamed = HashMap::new();
    let Some(path) = parsed.value("remapping-file") else {
        return Ok(renamed);
    };
    let shown = path.display();
    let text = file_or_stdin(path)?;
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let space = line.iter().position(|&byte| byte == b' ');
        let Some(space) = space.filter(|space| !line[space + 1..].contains(&b' ')) else {
            return Err(Failure(format!(
                "error: {shown}:{}: unexpected line in remapping file\nnote: expected 'old_symbol new_symbol'",
                index + 1
            )));
        };
        renamed.insert(line[..space].to_vec(), line[space + 1..].to_vec());
    }
    Ok(renamed)
}

fn filter(parsed: &Parsed, profile: &mut Profile) -> Result<(), Failure> {
    let regex = |name: &str| -> Result<Option<Regex>, Failure> {
        let Some(pattern) = parsed.text(name).filter(|pattern| !pattern.is_empty()) else {
            return Ok(None);
        };
        Regex::new(&pattern).map(Some).map_err(Failure::error)
    };
    let (keep, drop) = (regex("function")?, regex("no-function")?);
    if keep.is_none() && drop.is_none() {
        return Ok(());
    }
    let all = profile.function_count();
    profile.retain(|name| {
        keep.as_ref().is_none_or(|keep| keep.is_match(name))
            && drop.as_ref().is_none_or(|drop| !drop.is_match(name))
    });
    let left = profile.function_count();
    ui::say(format_args!(
        "{} of {all} functions in the original profile are filtered.",
        all - left
    ));
    Ok(())
}

/// LLVM's account: records as they were met, then what was wrong with whole files.
fn report(ledger: &Ledger) {
    let mut hinted = Vec::new();
    for entry in &ledger.entries {
        let Some((function, text, is_mismatch)) = record_message(&entry.cause) else {
            continue;
        };
        let function = match function {
            "(unnamed function)" => String::new(),
            name => format!("{name}: "),
        };
        ui::say_text(format_args!("{}: {function}{text}", entry.source));
        if is_mismatch && !hinted.contains(&text) {
            hinted.push(text);
            ui::say_text(
                "Make sure that all profile data to be merged is generated from the same binary.",
            );
        }
    }
    for entry in &ledger.entries {
        if let Some(text) = file_message(&entry.cause) {
            ui::say_text(format_args!("warning: {}: {text}", entry.source));
        }
    }
}

fn record_message(cause: &Cause) -> Option<(&str, &'static str, bool)> {
    Some(match cause {
        Cause::CounterMismatch { function, .. } => (
            function,
            "function basic block count change detected (counter mismatch)",
            true,
        ),
        Cause::BitmapMismatch { function, .. } => (
            function,
            "function bitmap size change detected (bitmap size mismatch)",
            false,
        ),
        Cause::ValueSiteMismatch { function } => (
            function,
            "function value site count change detected (counter mismatch)",
            true,
        ),
        Cause::CounterOverflow { function } => (function, "counter overflow", false),
        _ => return None,
    })
}

fn file_message(cause: &Cause) -> Option<String> {
    Some(match cause {
        Cause::Inaccessible(reason) => os_words(reason),
        Cause::Unreadable(error) | Cause::Damaged { error, .. } => error.llvm_message(),
        Cause::KindMismatch => {
            "Merge IR generated profile with Clang generated profile.".to_owned()
        }
        Cause::SuspiciousCounter { count, .. } => {
            format!("excessively large counter value suggests corrupted profile data: {count}")
        }
        _ => return None,
    })
}
