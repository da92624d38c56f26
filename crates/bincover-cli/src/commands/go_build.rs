//! `bincover build -- go build …`: the go command, with coverage.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bincover::run::{GoBuild, GoMade};
use bincover::{Error, Stdin, instrumentation};

use crate::args::BuildArgs;
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

/// Runs the build, and says what it made.
pub(crate) fn run(args: &BuildArgs, build: GoBuild) -> Result<Exit, Error> {
    let build = match args.covermode {
        Some(mode) => build.mode(mode.word()),
        None => build,
    };
    let prepared = build.prepare()?;
    if let Some(warning) = &prepared.warning {
        ui::say(format_args!("{NAME}: warning: {warning}"));
    }
    let began = SystemTime::now();
    let command = prepared.command.inherit().stdin(Stdin::Inherit);
    let output = command.run()?;
    if !output.status.success() {
        let code = u8::try_from(output.status.exit_code()).unwrap_or(u8::MAX);
        return Ok(Exit::Program(code));
    }
    let made = made(&prepared.made, began);
    if made.is_empty() {
        let reason = "the build left no instrumented program; of several packages, go keeps \
                      programs if `-o` names a folder";
        return Err(Error::NothingToMeasure {
            reason: reason.to_owned(),
        });
    }
    for program in made {
        let program = program.display();
        ui::say(format_args!("{NAME}: {program} is instrumented"));
    }
    Ok(Exit::Done)
}

/// The programs with coverage that the build has made. go touches those that were there already, too.
fn made(place: &GoMade, began: SystemTime) -> Vec<PathBuf> {
    let is_covered =
        |path: &PathBuf| instrumentation(path).is_some_and(|found| found.go_cover == Some(true));
    match place {
        GoMade::File(file) => Some(file.clone()).into_iter().filter(is_covered).collect(),
        GoMade::Folder(folder) => {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let paths = entries.map(|entry| entry.path());
            let mut made: Vec<PathBuf> = paths
                .filter(|path| is_newer(path, began) && is_covered(path))
                .collect();
            made.sort();
            made
        }
    }
}

fn is_newer(path: &Path, began: SystemTime) -> bool {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file);
    metadata.is_some_and(|metadata| metadata.modified().is_ok_and(|time| time >= began))
}
