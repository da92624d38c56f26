//! Go's data in `bincover merge` and `bincover report`.

use std::path::{Path, PathBuf};

use bincover::gocover::{Cause, FileName, LineRule, Pod, Profile, coverage, text};
use bincover::model::Coverage;
use bincover::{
    Error, GoInputs, GoLedger, GoMerged, GoModules, GoReader, write_atomically, write_pods,
};
use bstr::ByteSlice;

use crate::ui;

/// Which of these inputs hold Go's data; the others are given back. A folder may hold both.
pub(crate) fn split(inputs: &[PathBuf], go: &mut GoInputs) -> Result<Vec<PathBuf>, Error> {
    let mut others = Vec::new();
    for input in inputs {
        if !go.add(input)? || input.is_dir() {
            others.push(input.clone());
        }
    }
    Ok(others)
}

/// Reads them; says what was left out, and which programs have no runs.
pub(crate) fn read(name: &str, inputs: &GoInputs) -> GoMerged {
    let merged = GoReader::new().read(inputs);
    ui::go_ledger(name, &merged.ledger);
    let has_runs = |sums: &[bincover::gocover::Sums]| sums.iter().any(|sums| sums.has_runs());
    for one in merged.programs.iter().filter(|one| !has_runs(&one.sums)) {
        ui::say(format_args!(
            "{name}: warning: {}: no run of this program left counters, so all of it counts as not \
             executed",
            one.path.display()
        ));
    }
    merged
}

/// Why nothing of this is to be written, if so.
pub(crate) fn failure(ledger: &GoLedger, is_strict: bool) -> Option<String> {
    let all = ledger.inputs;
    if ledger.unused_inputs() == all {
        return Some(format!("none of {all} files of Go could be used"));
    }
    let left_out = ledger.entries.len();
    let fails = is_strict && left_out > 0;
    fails.then(|| format!("{left_out} entries in the ledger, and --strict allows none"))
}

/// Everything together, in the highest mode that there is; says what is odd about it.
pub(super) fn profile(name: &str, merged: &mut GoMerged) -> Result<Profile, Error> {
    let before = merged.ledger.entries.len();
    let mode = merged.mode().ok_or_else(|| Error::NothingToMerge {
        reason: "no program and no text profile of Go could be read".to_owned(),
    })?;
    let profile = merged.profile(mode, |_| true);
    for entry in &merged.ledger.entries[before..] {
        ui::say(format_args!("{name}: warning: {entry}"));
    }
    if let Some((count, first)) = profile.overlaps() {
        ui::say(format_args!(
            "{name}: warning: {count} blocks overlap others, as when versions of a source or of Go are \
             put together; their statements count twice (the first: {}:{})",
            first.file.as_bstr(),
            first.unit.start_line
        ));
    }
    Ok(profile)
}

/// Writes what was read: into a folder, or as a text profile.
pub(crate) fn write(name: &str, merged: &mut GoMerged, output: &Path) -> Result<(), Error> {
    if is_folder(output) {
        return write_folder(merged, output);
    }
    let bytes = text::write(&profile(name, merged)?);
    match output == Path::new("-") {
        true => ui::print(&bytes),
        false => write_atomically(output, |out| out.write_all(&bytes)),
    }
}

/// An output is a folder if it is there as one, or is written as one.
pub(crate) fn is_folder(output: &Path) -> bool {
    output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn write_folder(merged: &GoMerged, folder: &Path) -> Result<(), Error> {
    if merged.has_texts() {
        let reason = "a text profile does not know all that a folder holds: write text (-o FILE)";
        return Err(Error::NothingToMerge {
            reason: reason.to_owned(),
        });
    }
    let fail = |source| Error::Write {
        path: folder.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?.file_name();
        if FileName::parse(entry.as_encoded_bytes()).is_some() {
            let text = format!(
                "`{}` is there already, and would count too",
                entry.display()
            );
            return Err(fail(std::io::Error::other(text)));
        }
    }
    let programs = merged.programs.iter();
    let pods = programs.flat_map(|one| one.sums.iter().map(|sums| Pod::of(&one.program, sums)));
    write_pods(folder, &pods.collect::<Vec<_>>())
}

/// The coverage of what was read; sources are those of the modules of these folders, or of the
/// working folder.
pub(crate) fn evaluate(
    name: &str,
    merged: &mut GoMerged,
    folders: &[PathBuf],
    rule: LineRule,
) -> Result<Coverage, Error> {
    let profile = profile(name, merged)?;
    let here = [PathBuf::from(".")];
    let folders = if folders.is_empty() { &here } else { folders };
    let mut modules = GoModules::of_environment();
    for folder in folders {
        modules = modules.with_folder(folder);
    }
    let mut lost = 0u32;
    let mut first = None;
    let evaluated = coverage(
        &profile,
        &mut |file, module| {
            let located = modules.locate(file, module);
            if located.source.is_none() {
                lost += 1;
                first.get_or_insert_with(|| file.to_string());
            }
            located
        },
        rule,
    );
    if let Some(first) = first {
        let files = if lost == 1 { "file" } else { "files" };
        ui::say(format_args!(
            "{name}: note: {lost} {files} of Go not found, so import paths stand for paths, and lines are \
             guessed (the first: {first}; --go-module DIR tells where a module is)"
        ));
    }
    Ok(evaluated)
}

/// A cause's own parts, as the ledger's JSON has them.
pub(crate) fn error_of(cause: &Cause) -> Option<&bincover::gocover::Error> {
    match cause {
        Cause::Unreadable(error) => Some(error),
        _ => None,
    }
}
