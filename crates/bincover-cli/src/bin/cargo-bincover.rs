//! The command `cargo bincover`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bincover_cli::cargo_bincover(std::env::args_os())
}
