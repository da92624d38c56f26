//! `bincover go`: what `go tool covdata` does, with its commands, options and output; and test
//! binaries that are programs.

pub(crate) mod build;
pub(crate) mod convert;
mod cover;
mod dump;
mod init;
mod list;
mod merge;
mod options;

use std::ffi::OsString;

use bincover::{Error, GoInputs, GoLedger, GoMerged, GoReader};

use crate::exit::Exit;
use crate::go::options::{Command, Options};
use crate::ui;

/// Runs the command in `args`.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Exit {
    let mut args = args.peekable();
    if args.next_if(|word| word == "init").is_some() {
        return init::run(args);
    }
    if args.next_if(|word| word == "cover").is_some() {
        return cover::run(args);
    }
    let options = match Options::parse(args) {
        Ok(Some(options)) => options,
        Ok(None) => {
            // If nobody listens any more, there is nobody to tell.
            let _ = ui::print(options::HELP.as_bytes());
            return Exit::Done;
        }
        Err(message) => {
            ui::say(format_args!("bincover go: error: {message}"));
            ui::say("  hint: bincover go -help");
            return Exit::Usage;
        }
    };
    let name = format!("bincover go {}", options.command.name());
    let result = match options.command {
        Command::Textfmt | Command::Percent | Command::Func | Command::Pkglist => {
            list::run(&name, &options)
        }
        Command::Merge | Command::Subtract | Command::Intersect => merge::run(&name, &options),
        Command::Debugdump => dump::run(&name, &options),
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            ui::error(&name, &error);
            Exit::of(&error)
        }
    }
}

/// The files in the folders that were given.
fn inputs(options: &Options) -> Result<GoInputs, Error> {
    let mut inputs = GoInputs::default();
    for folder in &options.inputs {
        inputs.add_folder(folder)?;
    }
    Ok(inputs)
}

/// Reads them; says what was left out.
fn read(name: &str, options: &Options, reader: GoReader) -> Result<GoMerged, Error> {
    let merged = reader.read(&inputs(options)?);
    let ledger = &merged.ledger;
    ui::go_ledger(name, ledger);
    let all = ledger.inputs;
    if all == 0 {
        ui::say(format_args!(
            "{name}: warning: no applicable files found in input directories"
        ));
    } else if merged.programs.is_empty() {
        let reason = format!("none of {all} inputs could be used");
        return Err(Error::NothingToMerge { reason });
    }
    let left_out = ledger.entries.len();
    if options.strict && left_out > 0 {
        let reason = format!("{left_out} entries in the ledger, and -strict allows none");
        return Err(Error::NothingToMerge { reason });
    }
    let mut granularities = merged
        .programs
        .iter()
        .map(|one| one.program.meta().granularity);
    let first = granularities.next();
    if options.command.joins() && granularities.any(|other| Some(other) != first) {
        let reason = "programs that count blocks and programs that count functions".to_owned();
        return Err(Error::NothingToMerge { reason });
    }
    Ok(merged)
}

fn done(ledger: &GoLedger) -> Exit {
    match ledger.has_losses() {
        true => Exit::LeftOut,
        false => Exit::Done,
    }
}
