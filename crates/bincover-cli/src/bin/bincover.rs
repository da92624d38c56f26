//! The command `bincover`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bincover_cli::bincover(std::env::args_os())
}
