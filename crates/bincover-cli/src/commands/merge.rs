//! `bincover-merge`: profiles to one indexed profile.

use std::io::IsTerminal;
use std::path::Path;

use bincover::profile::indexed::{self, WriteOptions};
use bincover::profile::{Cause, Ledger};
use bincover::{Error, ProfileInput, check_folder, merge_files, profiles_below, write_atomically};

use crate::exit::Exit;
use crate::merge_args::{FailureMode, MergeArgs};
use crate::ui;

const NAME: &str = "bincover-merge";

pub(crate) fn run(args: &MergeArgs) -> Result<Exit, Error> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && std::io::stdout().is_terminal() {
        ui::say(format_args!("{NAME}: error: a profile is not for the terminal: give -o a file"));
        return Ok(Exit::Usage);
    }
    if !to_stdout {
        check_folder(&args.output)?;
    }
    let merged = merge_files(inputs(args)?);
    ui::ledger(NAME, &merged.ledger);
    if let Some(reason) = failure(&merged.ledger, args.failure_mode) {
        return Err(Error::NothingToMerge { reason });
    }
    let options = WriteOptions {
        sparse: args.sparse,
        ..WriteOptions::default()
    };
    let bytes = indexed::write(&merged.profile, &options);
    if to_stdout {
        ui::print(&bytes)?;
    } else {
        write_atomically(&args.output, |out| out.write_all(&bytes))?;
    }
    let is_loss = |cause: &Cause| !matches!(cause, Cause::Empty);
    let lost = merged.ledger.entries.iter().any(|entry| is_loss(&entry.cause));
    Ok(if lost { Exit::LeftOut } else { Exit::Done })
}

/// The inputs in LLVM's order: plain ones first, then the weighted; folders unfolded.
fn inputs(args: &MergeArgs) -> Result<Vec<ProfileInput>, Error> {
    let mut inputs = Vec::new();
    for input in &args.inputs {
        inputs.extend(profiles_below(input)?.into_iter().map(ProfileInput::from));
    }
    for weighted in &args.weighted_input {
        let below = profiles_below(&weighted.path)?;
        inputs.extend(below.into_iter().map(|path| ProfileInput {
            path,
            weight: weighted.weight,
        }));
    }
    if inputs.is_empty() {
        return Err(Error::NothingToMerge {
            reason: "no inputs were given, or folders without profiles".to_owned(),
        });
    }
    Ok(inputs)
}

/// Why nothing is to be written, if so.
fn failure(ledger: &Ledger, mode: FailureMode) -> Option<String> {
    let failed = ledger.failed_inputs();
    let all = ledger.inputs;
    // An empty input is no failure beside others (LLVM passes over it), but alone it is nothing.
    let is_nothing = ledger.unused_inputs() == all;
    let fails = match mode {
        FailureMode::Any => failed > 0 || is_nothing,
        FailureMode::All => failed == all || is_nothing,
        FailureMode::Warn => false,
    };
    if fails && is_nothing {
        return Some(format!("none of {all} inputs could be used"));
    }
    fails.then(|| {
        let hint = match mode {
            FailureMode::Any if failed < all => "; --failure-mode=all merges the others",
            _ => "",
        };
        format!("{failed} of {all} inputs could not be used as they are{hint}")
    })
}
