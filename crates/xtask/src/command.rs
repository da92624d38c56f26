//! Other programs, run from the top of the repository.

use std::ffi::OsString;
use std::process::{Command, Output};

use crate::Failure;

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    Command::new(program)
}

/// Runs it to its end; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

/// Runs it to its end and hands over what it wrote to its standard output. Where it failed, its standard error is in the
/// failure.
pub(crate) fn stdout(command: &mut Command) -> Result<String, Failure> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(String::from_utf8(stdout)?)
    } else {
        let stderr = String::from_utf8_lossy(&stderr);
        Err(format!("{command:?} ended with {status}\n{stderr}").into())
    }
}

/// Nightly's `cargo`, which rustup gives.
pub(crate) fn nightly() -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .arg("+nightly")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    cargo
}
