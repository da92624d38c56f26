//! `bincover ratchet`: coverage does not fall below what it was once.

use std::io;
use std::path::Path;

use bincover::model::Coverage;
use bincover::report::Options;
use bincover::report::ratchet::{Findings, Ratchet};
use bincover::{Error, check_folder, write_atomically};
use bstr::{BStr, ByteSlice};

use crate::args::RatchetArgs;
use crate::commands::report::{evaluated, left_out};
use crate::exit::Exit;
use crate::patch_args::RatchetOptions;
use crate::ui;

const NAME: &str = "bincover";
/// What is listed of one kind.
const SHOWN: usize = 20;

pub(crate) fn run(args: &RatchetArgs) -> Result<Exit, Error> {
    let ratchet = read(NAME, &args.ratchet)?;
    let evaluated = evaluated(&args.inputs, None)?;
    let coverage = &evaluated.covered.evaluation.coverage;
    let holds = check(NAME, &args.ratchet, ratchet, coverage)?;
    Ok(match (holds, left_out(&evaluated)) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}

/// Checks and updates, as was asked for, and says what is found; true if nothing is missed. `command`
/// says who speaks.
pub(crate) fn check(
    command: &str,
    args: &RatchetOptions,
    ratchet: Option<Ratchet>,
    coverage: &Coverage,
) -> Result<bool, Error> {
    let options = Options {
        repository: ui::repository(coverage),
        ..Options::default()
    };
    let exists = |name: &BStr| name.to_path_lossy().exists();
    let is_first = ratchet.is_none();
    let mut ratchet = ratchet.unwrap_or_default();
    ratchet.tolerance = args.tolerance.unwrap_or(ratchet.tolerance);
    ratchet.tolerance_lines = args.tolerance_lines.unwrap_or(ratchet.tolerance_lines);
    let found = match is_first {
        true => Findings::default(),
        false => ratchet.check(coverage, &options, &exists),
    };
    if args.update {
        let updated = ratchet.updated(coverage, &options, &exists, args.lower);
        write(command, &args.file, &updated.to_string())?;
    } else {
        say_of_files(command, "new, held together", &found.new);
        say_of_files(command, "not there any more", &found.deleted);
        say_of_files(
            command,
            "not worse than the ratchet, with other numbers",
            &found.changed,
        );
        let some = [&found.new, &found.deleted, &found.changed];
        if some.iter().any(|names| !names.is_empty()) {
            ui::say(format_args!("{command}: note: --update takes that over"));
        }
    }
    let is_lowered = args.update && args.lower;
    if !found.holds() && !is_lowered {
        say_misses(command, &found);
        return Ok(false);
    }
    if !args.update {
        let (total, files) = (ratchet.total(), ratchet.len());
        let noun = if files == 1 { "file" } else { "files" };
        ui::say(format_args!(
            "{command}: the ratchet holds: {} of {} lines covered in {files} {noun}, or better",
            total.covered, total.total
        ));
    }
    Ok(true)
}

/// Writes the file, unless it is the same.
fn write(command: &str, path: &Path, text: &str) -> Result<(), Error> {
    let file = path.display();
    if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        ui::say(format_args!("{command}: {file} stays as it is"));
        return Ok(());
    }
    write_atomically(path, |out| out.write_all(text.as_bytes()))?;
    ui::say(format_args!("{command}: wrote {file}"));
    Ok(())
}

/// The ratchet; `None` if there is none yet, and one is to be made.
pub(crate) fn read(command: &str, args: &RatchetOptions) -> Result<Option<Ratchet>, Error> {
    check_folder(&args.file)?;
    let unusable = |reason: String| Error::Comparison {
        path: args.file.clone(),
        reason,
    };
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && args.update => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let words = words(command);
            return Err(unusable(format!(
                "there is no ratchet yet; `{words} ratchet --update` makes one"
            )));
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

/// As the command is typed.
fn words(command: &str) -> String {
    command.replace('-', " ")
}

fn say_of_files(command: &str, what: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = shown.join(", ");
    ui::say(format_args!("{command}: note: {what}: {names}{more}"));
}

fn say_misses(command: &str, found: &Findings) {
    for fallen in found.fallen.iter().take(SHOWN) {
        ui::say(format_args!("{command}: ratchet: {fallen}"));
    }
    if found.fallen.len() > SHOWN {
        let more = found.fallen.len() - SHOWN;
        ui::say(format_args!("{command}: ratchet: {more} more files"));
    }
    for name in found.unmeasured.iter().take(SHOWN) {
        ui::say(format_args!(
            "{command}: ratchet: `{name}` is there and not measured any more"
        ));
    }
    if found.unmeasured.len() > SHOWN {
        let more = found.unmeasured.len() - SHOWN;
        ui::say(format_args!(
            "{command}: ratchet: {more} more files are not measured any more"
        ));
    }
    ui::say(format_args!(
        "  hint: if that is meant, `{} ratchet --update --lower` takes it over",
        words(command)
    ));
}
