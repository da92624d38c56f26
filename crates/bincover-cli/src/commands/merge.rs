//! `bincover merge` and `bincover-merge`: profiles to one profile, in our own manners.

use std::ffi::OsStr;
use std::io::{IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bincover::profile::{Ledger, WriteOptions, indexed, text};
use bincover::{
    BinaryNames, Error, FileMerge, GoInputs, GoMerged, ProfileInput, check_folder, profiles_below,
    write_atomically,
};

use crate::exit::Exit;
use crate::go::convert;
use crate::merge_args::MergeArgs;
use crate::ui;

pub(crate) fn run(name: &str, args: &MergeArgs) -> Result<Exit, Error> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && !args.text && std::io::stdout().is_terminal() {
        ui::say(format_args!(
            "{name}: error: a profile is not for the terminal: give -o a file"
        ));
        return Ok(Exit::Usage);
    }
    let is_file = |path: &&PathBuf| *path != Path::new("-") && !convert::is_folder(path);
    let outputs = [&args.output].into_iter().chain(&args.go_output);
    for path in outputs.filter(is_file).chain(&args.ledger) {
        check_folder(path)?;
    }
    let mut go = GoInputs::default();
    let inputs = inputs(args, &mut go)?;
    let go_output = match (&args.go_output, inputs.is_empty()) {
        (Some(path), _) => path,
        (None, true) => &args.output,
        (None, false) if go.is_empty() => &args.output,
        (None, false) => {
            ui::say(format_args!(
                "{name}: error: one file does not hold profiles of LLVM and of Go: give \
                 --go-output PATH for the latter"
            ));
            return Ok(Exit::Usage);
        }
    };
    let binaries = args.object.iter().map(|path| BinaryNames::of(path));
    let merge = FileMerge::new().knowing(binaries.collect::<Result<_, _>>()?);
    let merged = merge.run(&inputs);
    ui::ledger(name, &merged.ledger);
    let mut go_merged = match go.is_empty() {
        true => GoMerged::default(),
        false => convert::read(name, &go),
    };
    if let Some(path) = &args.ledger {
        let json = crate::ledger::json(&merged.ledger, &go_merged.ledger);
        write_atomically(path, |out| out.write_all(json.as_bytes()))?;
    }
    let of_llvm = || failure(&merged.ledger, args.strict).filter(|_| !inputs.is_empty());
    let of_go = || convert::failure(&go_merged.ledger, args.strict).filter(|_| !go.is_empty());
    if let Some(reason) = of_llvm().or_else(of_go) {
        return Err(Error::NothingToMerge { reason });
    }
    if !go.is_empty() {
        convert::write(name, &mut go_merged, go_output)?;
    }
    if !inputs.is_empty() {
        let options = WriteOptions {
            sparse: args.sparse,
            version: args.write_version,
        };
        let bytes = match args.text {
            true => text::write(&merged.profile, &options),
            false => indexed::write(&merged.profile, &options),
        };
        if to_stdout {
            ui::print(&bytes)?;
        } else {
            write_atomically(&args.output, |out| out.write_all(&bytes))?;
        }
    }
    Ok(
        match merged.ledger.has_losses() || go_merged.ledger.has_losses() {
            true => Exit::LeftOut,
            false => Exit::Done,
        },
    )
}

/// The inputs in the order in which they were given, weighted ones last; those of Go apart.
fn inputs(args: &MergeArgs, go: &mut GoInputs) -> Result<Vec<ProfileInput>, Error> {
    let mut words = Vec::new();
    for input in &args.inputs {
        match input.as_os_str().as_bytes().strip_prefix(b"@") {
            Some(list) => words.extend(list_in(Path::new(OsStr::from_bytes(list)), b'\n')?),
            None => words.push(input.clone()),
        }
    }
    if let Some(list) = &args.files_from {
        words.extend(list_in(list, if args.null { 0 } else { b'\n' })?);
    }
    let mut inputs = Vec::new();
    for word in &words {
        for path in convert::split(&matching(word)?, go)? {
            inputs.extend(profiles_below(&path)?.into_iter().map(ProfileInput::from));
        }
    }
    for weighted in &args.weighted_input {
        let weight = weighted.weight;
        let below = profiles_below(&weighted.path)?.into_iter();
        inputs.extend(below.map(|path| ProfileInput { path, weight }));
    }
    if inputs.is_empty() && go.is_empty() {
        let reason = "no inputs were given, or folders without profiles".to_owned();
        return Err(Error::NothingToMerge { reason });
    }
    Ok(inputs)
}

/// The entries of a list; empty ones are passed over.
fn list_in(path: &Path, end: u8) -> Result<Vec<PathBuf>, Error> {
    let mut text = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut text).map(drop),
        false => std::fs::read(path).map(|bytes| text = bytes),
    };
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let entries = text.split(|&byte| byte == end).map(|entry| match end {
        b'\n' => entry.strip_suffix(b"\r").unwrap_or(entry),
        _ => entry,
    });
    let present = entries.filter(|entry| !entry.is_empty());
    Ok(present
        .map(|entry| OsStr::from_bytes(entry).into())
        .collect())
}

/// A path that exists stands for itself; else it may be a pattern.
fn matching(word: &Path) -> Result<Vec<PathBuf>, Error> {
    let pattern = word.to_str().filter(|text| text.contains(['*', '?', '[']));
    let Some(pattern) = pattern.filter(|_| !word.exists()) else {
        return Ok(vec![word.to_owned()]);
    };
    let fail = |source: std::io::Error| Error::Read {
        path: word.to_owned(),
        source,
    };
    let paths = glob::glob(pattern)
        .map_err(|error| fail(std::io::Error::other(format!("not a pattern: {error}"))))?;
    let found = paths
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fail(error.into()))?;
    match found.is_empty() {
        true => Err(fail(std::io::Error::other("no file matches the pattern"))),
        false => Ok(found),
    }
}

/// Why nothing is to be written, if so.
fn failure(ledger: &Ledger, is_strict: bool) -> Option<String> {
    let all = ledger.inputs;
    if ledger.unused_inputs() == all {
        return Some(format!("none of {all} inputs could be used"));
    }
    let left_out = ledger.entries.len();
    let fails = is_strict && left_out > 0;
    fails.then(|| format!("{left_out} entries in the ledger, and --strict allows none"))
}
