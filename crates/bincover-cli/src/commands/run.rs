//! `bincover run`: the program is left alone, its coverage is kept.

use std::ffi::OsString;

use bincover::run::{Command, GO_FOLDER_VARIABLE, Output, PROFILE_FILE_VARIABLE, Tracing};
use bincover::{Error, Going, Obtained, Stdin, Uncovered, is_of_a_run};

use crate::args::RunArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::front::{self, Behind, Inherited, Side};
use crate::ui;

const NAME: &str = "bincover";

const VARIABLES: [&str; 2] = [PROFILE_FILE_VARIABLE, GO_FOLDER_VARIABLE];

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Error> {
    let Some((program, program_args)) = args.program.split_first() else {
        return Ok(Exit::Usage);
    };
    let inherited = Inherited::now();
    let command = configured(args, Command::new(program).args(program_args));
    let store = store(&args.store)?;
    let context = args.context.clone();
    let rescue = args.rescue.into();
    let mut going = match store.begin(args.program.clone(), context, &command, rescue) {
        Ok(going) => going,
        // Whoever runs a program wants it to run.
        Err(error) => {
            ui::error(NAME, &error);
            ui::say(format_args!(
                "{NAME}: warning: there will be no coverage of this run"
            ));
            return Ok(exit(&command.discard_profiles().run()?));
        }
    };
    if going.is_followed() {
        going.close_database();
        // Where that is not to be had, those that outlive the program are waited for.
        match front::split() {
            Ok(Side::Front(code)) => return Ok(Exit::Program(code)),
            Ok(Side::Behind(behind)) => return run_behind(going, command, behind, inherited),
            Err(_) => {}
        }
    }
    let result = run_and_keep(&mut going, command);
    finish(going, result)
}

/// What is left to do in the process behind: those that outlive the program.
fn run_behind(
    mut going: Going,
    command: Command,
    behind: Behind,
    inherited: Inherited,
) -> Result<Exit, Error> {
    let result = run_and_keep(&mut going, command);
    let code = match &result {
        Ok(exit) => *exit,
        Err(error) => {
            ui::error(NAME, error);
            Exit::of(error)
        }
    };
    let has_rest = result.is_ok() && going.has_rest();
    if has_rest {
        // Whoever reads our output waits for its end, and whoever waits for the program may then end its group.
        let _ = front::go_behind(inherited);
    }
    behind.tell(code.code(), has_rest);
    let _ = finish(going, result);
    Ok(code)
}

/// Runs the program and keeps what it reached.
fn run_and_keep(going: &mut Going, command: Command) -> Result<Exit, Error> {
    let output = going.prepare(command).run()?;
    end(going, &output);
    Ok(exit(&output))
}

/// Waits for processes that outlive the program.
fn finish(going: Going, result: Result<Exit, Error>) -> Result<Exit, Error> {
    if result.is_err() {
        going.abandon();
    } else if going.has_rest() {
        going.wait_rest()?;
    }
    result
}

/// Whoever set the variable wants the profile there; unless we did, and this is a run within a run.
fn set_by_others(variable: &str) -> Option<OsString> {
    let theirs = std::env::var_os(variable)?;
    (!theirs.is_empty() && !is_of_a_run(&theirs)).then_some(theirs)
}

fn configured(args: &RunArgs, command: Command) -> Command {
    let mut command = command.inherit();
    for variable in VARIABLES {
        if let Some(theirs) = set_by_others(variable) {
            command = command.env(variable, theirs);
        }
    }
    for (name, value) in &args.env {
        command = command.env(name, value);
    }
    if let Some(timeout) = args.timeout {
        command = command.timeout(timeout);
    }
    match &args.stdin {
        Some(file) => command.stdin(Stdin::File(file.clone())),
        None => command.stdin(Stdin::Inherit),
    }
}

/// Keeps what was reached; whatever comes of that, the program's result is passed on.
fn end(going: &mut Going, output: &Output) {
    let folder = going.folder().to_owned();
    let limit = output.tracing.as_ref().and_then(Tracing::limit);
    match going.end(output) {
        Ok(run) => {
            if let Some(limit) = limit {
                ui::say(format_args!(
                    "{NAME}: note: {limit}; what is killed may be lost"
                ));
            }
            if let Obtained::None(cause) = run.obtained {
                ui::say(format_args!(
                    "{NAME}: warning: no coverage of this run ({})",
                    run.obtained
                ));
                match cause {
                    Uncovered::NotInstrumented => {
                        ui::say(format_args!("  hint: {}", ui::HOW_TO_INSTRUMENT));
                    }
                    // In a run within this one, nobody set them.
                    Uncovered::Elsewhere
                        if VARIABLES.map(set_by_others).iter().any(Option::is_some) =>
                    {
                        ui::say(format_args!(
                            "  hint: unset {PROFILE_FILE_VARIABLE} and {GO_FOLDER_VARIABLE}, and it will be in \
                             the store"
                        ));
                    }
                    _ => {}
                }
            }
        }
        Err(error) => {
            ui::error(NAME, &error);
            ui::say(format_args!(
                "  hint: what the run reached is kept in {}, and will be in the store once that \
                 can be written to",
                folder.display()
            ));
        }
    }
}

fn exit(output: &Output) -> Exit {
    Exit::Program(u8::try_from(output.status.exit_code()).unwrap_or(u8::MAX))
}
