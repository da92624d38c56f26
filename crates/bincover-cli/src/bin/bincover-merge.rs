//! The command `bincover-merge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bincover_cli::bincover_merge(std::env::args_os())
}
