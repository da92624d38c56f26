//! This program before each program that cargo runs: what that reaches is kept, under its test's
//! name.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bincover::run::workspace::RunnerFile;
use bincover::run::{Command, Mechanism, Output};
use bincover::{Ending, Error, Going, Obtained, Rescuing, Stdin, Store, Uncovered};
use nix::sys::resource::{Resource, setrlimit};

use super::report::runs_so_far;
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "cargo-bincover";

/// Set where people wait at a terminal for one program after the other: it is said how many there
/// were so far.
pub(super) const SAYS_VARIABLE: &str = "CARGO_BINCOVER_SAYS";

/// Set where procedural macros are measured: the wrapper, and the target folder, for cargo when a test
/// calls it, as trybuild does.
pub(super) const NESTED_WRAPPER_VARIABLE: &str = "CARGO_BINCOVER_NESTED_WRAPPER";
pub(super) const NESTED_TARGET_VARIABLE: &str = "CARGO_BINCOVER_NESTED_TARGET_DIR";

/// Runs a program. `runner` is the path by which this was called.
pub(super) fn run(runner: &Path, args: Vec<OsString>) -> ExitCode {
    match attempt(runner, args) {
        Ok(output) => end_as(&output),
        Err(error) => {
            ui::error(NAME, &error);
            Exit::of(&error).into()
        }
    }
}

fn attempt(runner: &Path, args: Vec<OsString>) -> Result<Output, Error> {
    let file = RunnerFile::read(runner)?;
    let store = Store::new(&file.store);
    let argv = args.clone();
    let mut words = file.runner.into_iter().chain(args);
    let program = words.next().unwrap_or_default();
    let command = Command::new(program)
        .args(words)
        .inherit()
        .stdin(Stdin::Inherit);
    let command = match std::env::var_os(NESTED_WRAPPER_VARIABLE) {
        None => command,
        Some(wrapper) => {
            let command = command.env_remove("RUSTC_WORKSPACE_WRAPPER");
            let target = std::env::var_os(NESTED_TARGET_VARIABLE).unwrap_or_default();
            command
                .env("RUSTC_WRAPPER", wrapper)
                .env("CARGO_TARGET_DIR", target)
        }
    };
    let binaries = binaries_of_test();
    let context = context(argv.first().map(PathBuf::from).as_deref());
    let begun = store
        .add_binaries(&binaries)
        .and_then(|_| store.begin(argv, Some(context), &command, Rescuing::Off));
    let mut going = match begun {
        Ok(going) => going,
        // Whoever runs a test wants it to run.
        Err(error) => {
            ui::error(NAME, &error);
            ui::say(format_args!(
                "{NAME}: warning: there will be no coverage of this run"
            ));
            return Ok(command.discard_profiles().run()?);
        }
    };
    going.assume_continuous();
    let command = command.profiles(going.folder(), Mechanism::Continuous);
    let output = match command.run() {
        Ok(output) => output,
        Err(error) => {
            going.abandon();
            return Err(error.into());
        }
    };
    keep(&mut going, &output);
    let says = std::env::var_os(SAYS_VARIABLE).is_some() && std::io::stderr().is_terminal();
    if says && let Ok(tally) = store.tally() {
        ui::say(format_args!("{NAME}: so far {}", runs_so_far(&tally)));
    }
    Ok(output)
}

fn keep(going: &mut Going, output: &Output) {
    match going.end(output) {
        Ok(run) => {
            let is_lost = matches!(run.obtained, Obtained::None(Uncovered::Unusable));
            if is_lost {
                ui::say(format_args!(
                    "{NAME}: warning: the profile of this run could not be used"
                ));
            }
        }
        Err(error) => {
            ui::error(NAME, &error);
            ui::say(format_args!(
                "  hint: what the run reached is kept in {}, and will be in the report once the \
                 store can be written to",
                going.folder().display()
            ));
        }
    }
}

/// Ends as the program did: whoever waits for us is to see the same.
fn end_as(output: &Output) -> ExitCode {
    if let Ending::Signal { number, .. } = output.status {
        // A core file of ours would be of no use to anybody.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = signal_hook::low_level::emulate_default_handler(number);
    }
    let code = u8::try_from(output.status.exit_code()).unwrap_or(u8::MAX);
    Exit::Program(code).into()
}

/// The executables of other packages that nextest gives a test. Those in an archive are at places
/// that nobody could know before.
fn binaries_of_test() -> Vec<PathBuf> {
    let variables = std::env::vars_os();
    let given =
        variables.filter(|(name, _)| name.as_encoded_bytes().starts_with(b"NEXTEST_BIN_EXE_"));
    let mut paths: Vec<PathBuf> = given.map(|(_, path)| path.into()).collect();
    paths.sort();
    // Names with `-` are given twice.
    paths.dedup();
    paths
}

/// The test, as nextest writes it: the binary's id, a space, and the test's name.
fn context(program: Option<&Path>) -> String {
    let variable = |name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let binary = variable("NEXTEST_BINARY_ID").unwrap_or_else(|| {
        let stem = program.and_then(Path::file_stem).unwrap_or_default();
        binary_id(variable("CARGO_PKG_NAME").as_deref(), stem)
    });
    match (
        variable("NEXTEST_TEST_NAME"),
        variable("NEXTEST_TEST_PHASE"),
    ) {
        (Some(test), _) => format!("{binary} {test}"),
        (None, Some(phase)) if phase == "list" => format!("{binary} (list)"),
        _ => binary,
    }
}

/// A binary of a package: the package's name for its library, else both names.
fn binary_id(package: Option<&str>, stem: &OsStr) -> String {
    let stem = stem.to_string_lossy();
    let name = match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && is_hexadecimal(hash) => name,
        _ => &stem,
    };
    match package {
        Some(package) if package.replace('-', "_") == name.replace('-', "_") => package.to_owned(),
        Some(package) => format!("{package}::{name}"),
        None => name.to_owned(),
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_have_names() {
        let id = |package, stem: &str| binary_id(package, stem.as_ref());
        assert_eq!(id(Some("my-lib"), "my_lib-0123456789abcdef"), "my-lib");
        assert_eq!(id(Some("a"), "e2e-0123456789abcdef"), "a::e2e");
        assert_eq!(id(Some("a"), "some-tool"), "a::some-tool");
        assert_eq!(id(None, "some-tool"), "some-tool");
    }
}
