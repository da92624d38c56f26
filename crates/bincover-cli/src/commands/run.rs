//! `bincover run`: the program is left alone, its coverage is kept.

use bincover::run::{Command, Output};
use bincover::{Error, Going, Obtained, Stdin, Uncovered};

use crate::args::RunArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Error> {
    let Some((program, program_args)) = args.program.split_first() else {
        return Ok(Exit::Usage);
    };
    let command = configured(args, Command::new(program).args(program_args));
    let store = store(&args.store)?;
    let going = match store.begin(args.program.clone(), args.context.clone(), &command) {
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
    match going.prepare(command).run() {
        Ok(output) => {
            end(going, &output);
            Ok(exit(&output))
        }
        Err(error) => {
            going.abandon();
            Err(error.into())
        }
    }
}

fn configured(args: &RunArgs, command: Command) -> Command {
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
}

/// Keeps what was reached; whatever comes of that, the program's result is passed on.
fn end(going: Going<'_>, output: &Output) {
    let folder = going.folder().to_owned();
    match going.end(output) {
        Ok(run) => {
            if let Obtained::None(cause) = run.obtained {
                ui::say(format_args!(
                    "{NAME}: warning: no coverage of this run ({})",
                    run.obtained
                ));
                if cause == Uncovered::NotInstrumented {
                    ui::say(format_args!("  hint: {}", ui::HOW_TO_INSTRUMENT));
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
