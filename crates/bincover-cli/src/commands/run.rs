//! `bincover run`: the program is left alone, its coverage is kept.

use bincover::{Error, Stdin};

use crate::args::RunArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Error> {
    let Some((program, program_args)) = args.program.split_first() else {
        return Ok(Exit::Usage);
    };
    let context = args.context.clone();
    let run = store(&args.store).run(program, program_args, context, |command| {
        let mut command = command.inherit();
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
    })?;
    if !run.obtained.is_some() {
        let why = run.obtained;
        ui::say(format_args!(
            "bincover: warning: no coverage of this run ({why})"
        ));
    }
    Ok(Exit::Program(
        u8::try_from(run.exit_code).unwrap_or(u8::MAX),
    ))
}
