//! `bincover ratchet`: coverage does not fall below what it was once.

use std::io;
use std::path::PathBuf;

use bincover::report::Options;
use bincover::report::ratchet::{Findings, Ratchet};
use bincover::{Error, check_folder, write_atomically};
use bstr::{BStr, ByteSlice};

use crate::args::RatchetArgs;
use crate::commands::report::{evaluated, left_out};
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";
/// What is listed of one kind.
const SHOWN: usize = 20;

pub(crate) fn run(args: &RatchetArgs) -> Result<Exit, Error> {
    check_folder(&args.file)?;
    let mut ratchet = read(args)?;
    let is_first = ratchet.is_none();
    let evaluated = evaluated(&args.inputs, None)?;
    let coverage = &evaluated.covered.evaluation.coverage;
    let options = Options {
        repository: ui::repository(coverage),
        ..Options::default()
    };
    let exists = |name: &BStr| name.to_path_lossy().exists();
    let ratchet = ratchet.get_or_insert_default();
    ratchet.tolerance = args.tolerance.unwrap_or(ratchet.tolerance);
    ratchet.tolerance_lines = args.tolerance_lines.unwrap_or(ratchet.tolerance_lines);
    let found = match is_first {
        true => Findings::default(),
        false => ratchet.check(coverage, &options, &exists),
    };
    let file = args.file.display();
    if args.update {
        let updated = ratchet.updated(coverage, &options, &exists, args.lower);
        let text = updated.to_string();
        let old = std::fs::read(&args.file).unwrap_or_default();
        match old == text.as_bytes() {
            true => ui::say(format_args!("{NAME}: {file} stays as it is")),
            false => {
                write_atomically(&args.file, |out| out.write_all(text.as_bytes()))?;
                ui::say(format_args!("{NAME}: wrote {file}"));
            }
        }
    } else {
        say_of_files("new, held together", &found.new);
        say_of_files("not there any more", &found.deleted);
        say_of_files(
            "not worse than the ratchet, with other numbers",
            &found.changed,
        );
        let some = [&found.new, &found.deleted, &found.changed];
        if some.iter().any(|names| !names.is_empty()) {
            ui::say(format_args!("{NAME}: note: --update takes that over"));
        }
    }
    let is_lowered = args.update && args.lower;
    if !found.holds() && !is_lowered {
        say_misses(&found);
        return Ok(Exit::Threshold);
    }
    if !args.update {
        let (total, files) = (ratchet.total(), ratchet.len());
        let noun = if files == 1 { "file" } else { "files" };
        ui::say(format_args!(
            "{NAME}: the ratchet holds: {} of {} lines covered in {files} {noun}, or better",
            total.covered, total.total
        ));
    }
    Ok(match left_out(&evaluated) {
        true => Exit::LeftOut,
        false => Exit::Done,
    })
}

/// The ratchet; `None` if there is none yet, and one is to be made.
fn read(args: &RatchetArgs) -> Result<Option<Ratchet>, Error> {
    let unusable = |reason: String| Error::Comparison {
        path: PathBuf::from(&args.file),
        reason,
    };
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && args.update => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unusable(
                "there is no ratchet yet; `bincover ratchet --update` makes one".to_owned(),
            ));
        }
        Err(source) => {
            return Err(Error::Read {
                path: args.file.clone(),
                source,
            });
        }
    };
    let ratchet = Ratchet::parse(&text);
    Ok(Some(ratchet.map_err(|error| unusable(error.to_string()))?))
}

fn say_of_files(what: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = shown.join(", ");
    ui::say(format_args!("{NAME}: note: {what}: {names}{more}"));
}

fn say_misses(found: &Findings) {
    for fallen in found.fallen.iter().take(SHOWN) {
        ui::say(format_args!("{NAME}: ratchet: {fallen}"));
    }
    if found.fallen.len() > SHOWN {
        let more = found.fallen.len() - SHOWN;
        ui::say(format_args!("{NAME}: ratchet: {more} more files"));
    }
    for name in found.unmeasured.iter().take(SHOWN) {
        ui::say(format_args!(
            "{NAME}: ratchet: `{name}` is there and not measured any more"
        ));
    }
    if found.unmeasured.len() > SHOWN {
        let more = found.unmeasured.len() - SHOWN;
        ui::say(format_args!(
            "{NAME}: ratchet: {more} more files are not measured any more"
        ));
    }
    ui::say(format_args!(
        "  hint: if that is meant, `bincover ratchet --update --lower` takes it over"
    ));
}
