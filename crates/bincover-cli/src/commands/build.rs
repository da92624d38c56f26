//! `bincover build` and `bincover env`: programs that others build and run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::SystemTime;

use bincover::run::{Command, GoBuild, Mechanism, PROFILE_FILE_VARIABLE, profile_path};
use bincover::{Error, STORE_VARIABLE, Stdin, Store};

use super::env::{Shell, write};
use crate::args::{BuildArgs, EnvArgs};
use crate::clang;
use crate::commands::{go_build, store};
use crate::exit::Exit;
use crate::go;
use crate::ui;

const NAME: &str = "bincover";

/// Runs a build with clang's flags in its environment, and notes what it made; or go's, with its own.
pub(crate) fn build(args: &BuildArgs) -> Result<Exit, Error> {
    if args.test_main {
        return go::build::test_main(&args.program);
    }
    if let Some(go) = GoBuild::of(&args.program) {
        return go_build::run(args, go?);
    }
    let store = store(&args.store)?;
    let Some((program, program_args)) = args.program.split_first() else {
        return Ok(Exit::Usage);
    };
    let mut command = Command::new(program).args(program_args).inherit();
    for (name, value) in compilers()? {
        command = command.env(name, value);
    }
    // What a build runs is not what is measured.
    command = command.env(PROFILE_FILE_VARIABLE, "/dev/null");
    let began = SystemTime::now();
    let output = command.stdin(Stdin::Inherit).run()?;
    let code = u8::try_from(output.status.exit_code()).unwrap_or(u8::MAX);
    if !output.status.success() {
        return Ok(Exit::Program(code));
    }
    let here = Path::new(".");
    // A build that had nothing to do leaves what it made before.
    let built = match store.add_built(here, began)? {
        0 => store.add_built(here, SystemTime::UNIX_EPOCH)?,
        built => built,
    };
    if built == 0 {
        return Err(Error::NothingToMeasure {
            reason: "the build left no instrumented binary below this folder; does it use CC, \
                     CFLAGS and LDFLAGS of its environment (`make -e` does)?"
                .to_owned(),
        });
    }
    let noun = if built == 1 { "binary" } else { "binaries" };
    ui::say(format_args!("{NAME}: {built} instrumented {noun} noted"));
    Ok(Exit::Done)
}

/// Prints the environment in which instrumented programs write into the store.
pub(crate) fn env(args: &EnvArgs) -> Result<Exit, Error> {
    let store = store(&args.store)?;
    let mut environment = BTreeMap::new();
    if args.build {
        environment.extend(compilers()?);
    }
    environment.extend(profiles(&store, args.at_exit)?);
    let shell = if args.sh {
        Shell::Sh
    } else if args.fish {
        Shell::Fish
    } else if args.powershell {
        Shell::Pwsh
    } else if args.json {
        Shell::Json
    } else if args.github {
        Shell::GitHub
    } else {
        Shell::Plain
    };
    write(NAME, &environment, shell)?;
    Ok(Exit::Done)
}

fn profiles(store: &Store, at_exit: bool) -> Result<[(OsString, OsString); 2], Error> {
    let mechanism = match at_exit {
        true => Mechanism::Exit,
        false => Mechanism::Continuous,
    };
    let folder = std::path::absolute(store.folder()).unwrap_or_else(|_| store.folder().to_owned());
    let pattern = profile_path::pattern(&Store::new(&folder).loose_folder(), mechanism)?;
    Ok([
        (PROFILE_FILE_VARIABLE.into(), pattern),
        (STORE_VARIABLE.into(), folder.into()),
    ])
}

/// Compilers and flags, as make, cmake, autoconf and meson take them from the environment.
fn compilers() -> Result<Vec<(OsString, OsString)>, Error> {
    let mut variables = Vec::new();
    for (name, program) in [("CC", "clang"), ("CXX", "clang++")] {
        let own = std::env::var(name).ok();
        let own = own.filter(|compiler| clang::major_of(compiler).is_some());
        let compiler = own.or_else(|| clang::find(program, None));
        let compiler = compiler.ok_or_else(|| Error::Read {
            path: program.into(),
            source: std::io::Error::other(format!("expected it in PATH, or in {name}, found none")),
        })?;
        variables.push((name.into(), compiler.into()));
    }
    let all = [
        ("CFLAGS", clang::FLAGS),
        ("CXXFLAGS", clang::FLAGS),
        ("LDFLAGS", clang::LINKER_FLAGS),
    ];
    for (name, ours) in all {
        let before = clang::first_variable(&[name]);
        // In an environment that `bincover env --build` made, they are there already.
        let flags = match before {
            Some(before) if before.contains(ours) => before,
            before => clang::with(before, ours),
        };
        variables.push((name.into(), flags.into()));
    }
    Ok(variables)
}
