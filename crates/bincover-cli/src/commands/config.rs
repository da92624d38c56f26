//! `bincover config`, `bincover completions` and `bincover man`: what the definitions of the options say.

use std::path::Path;

use bincover::{Error, write_atomically};
use clap::{Command, CommandFactory};

use crate::args::{Args, CompletionsArgs, ManArgs, Program};
use crate::exit::Exit;
use crate::merge_args::Merge;
use crate::{cargo, ui};

/// The definition of a program.
fn command(program: Program) -> Command {
    match program {
        Program::Bincover => Args::command(),
        Program::BincoverMerge => Merge::command(),
        Program::CargoBincover => cargo::args::command(None),
    }
}

/// Prints completions.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Error> {
    let mut command = command(args.program);
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    ui::print(&text)?;
    Ok(Exit::Done)
}

/// Writes a page for each command of each program.
pub(crate) fn man(args: &ManArgs) -> Result<Exit, Error> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.clone(),
        source,
    })?;
    for program in [
        Program::Bincover,
        Program::BincoverMerge,
        Program::CargoBincover,
    ] {
        let mut command = command(program).disable_help_subcommand(true);
        command.build();
        let name = command.get_name().to_owned();
        write_pages(folder, &name, &command)?;
    }
    Ok(Exit::Done)
}

/// The page of a command, and those of the commands below it.
fn write_pages(folder: &Path, name: &str, command: &Command) -> Result<(), Error> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    let written = page.render(&mut text);
    written.expect("writing to memory does not fail");
    let path = folder.join(format!("{name}.1"));
    write_atomically(&path, |out| out.write_all(&text))?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        write_pages(folder, &format!("{name}-{}", below.get_name()), below)?;
    }
    Ok(())
}
