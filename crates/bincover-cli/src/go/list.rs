//! `textfmt`, `percent`, `func` and `pkglist`.

use bincover::gocover::{Mode, Profile, listing, text};
use bincover::{Error, GoMerged, GoReader, check_folder, write_atomically};

use crate::exit::Exit;
use crate::go::options::{Command, Options};
use crate::go::{done, read};
use crate::ui;

pub(super) fn run(name: &str, options: &Options) -> Result<Exit, Error> {
    if let Some(path) = &options.output {
        check_folder(path)?;
    }
    let mut merged = read(name, options, GoReader::new())?;
    if options.command == Command::Textfmt && !options.to_set {
        check_modes(&merged)?;
    }
    let found = merged.mode();
    let mode = if options.to_set {
        Some(Mode::Set)
    } else {
        found
    };
    let mode = mode.unwrap_or(Mode::Set);
    let profile = merged.profile(mode, |path| options.is_wanted(path));
    if let Some(path) = &options.output {
        // Nothing was found: there is no mode, and the file is empty, as covdata leaves it.
        let bytes = match found {
            Some(_) => text::write(&profile),
            None => Vec::new(),
        };
        write_atomically(path, |out| out.write_all(&bytes))?;
    }
    if found.is_some() {
        ui::print(&listed(options, &profile))?;
    }
    Ok(done(&merged.ledger))
}

fn listed(options: &Options, profile: &Profile) -> Vec<u8> {
    match options.command {
        Command::Percent => listing::percent(profile),
        Command::Func => listing::functions(profile, options.rows),
        Command::Pkglist => listing::packages(profile),
        _ => Vec::new(),
    }
}

/// A text profile has one mode.
fn check_modes(merged: &GoMerged) -> Result<(), Error> {
    let mut programs = merged.programs.iter();
    let Some(first) = programs.next() else {
        return Ok(());
    };
    let mode = first.program.meta().mode;
    match programs.find(|one| one.program.meta().mode != mode) {
        Some(other) => Err(Error::NothingToMerge {
            reason: format!(
                "counter mode clash while reading meta-data file {}: previous file had {mode}, new \
                 file has {} (-mode=set takes both)",
                other.path.display(),
                other.program.meta().mode
            ),
        }),
        None => Ok(()),
    }
}
