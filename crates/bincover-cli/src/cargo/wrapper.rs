//! This program in rustc's place: cargo calls it for each crate.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitCode;

use bincover::run::Wrapper;

use crate::exit::Exit;
use crate::ui;

/// Becomes the compiler. `program` is the path that cargo called.
pub(super) fn run(program: &Path, args: &[OsString]) -> ExitCode {
    let package = std::env::var_os("CARGO_PKG_NAME");
    let command =
        Wrapper::installed(program).and_then(|wrapper| wrapper.command(args, package.as_deref()));
    let error = match command {
        Ok(mut command) => format!("cannot execute the compiler: {}", command.exec()),
        Err(error) => error.to_string(),
    };
    ui::say_text(format_args!("cargo-bincover: error: {error}"));
    Exit::Failure.into()
}
