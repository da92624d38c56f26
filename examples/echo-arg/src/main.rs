//! Bincover's example program. It ends in three ways, as a real one does: it prints its one
//! argument, it fails without arguments, it panics with more than one.
//!
//! Two arguments are special, so that worse ends can be shown: `--abort` ends it at once, and
//! `--work` makes it work until it is killed.

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [] => {
            eprintln!("error: expected one argument, found none");
            ExitCode::FAILURE
        }
        [only] => match only.as_str() {
            "--abort" => abort(),
            "--work" => work(),
            text => {
                println!("{text}");
                ExitCode::SUCCESS
            }
        },
        many => panic!("expected one argument, found {}", many.len()),
    }
}

/// Ends without unwinding, destructors or exit handlers.
fn abort() -> ! {
    eprintln!("aborting");
    std::process::abort()
}

/// Never ends by itself.
fn work() -> ! {
    println!("working");
    std::io::stdout().flush().expect("standard output is open");
    let mut hasher = DefaultHasher::new();
    let mut rounds = 0u64;
    loop {
        hasher.write_u64(rounds);
        rounds += 1;
        if hasher.finish() == 0 {
            println!("a rare hash after {rounds} rounds");
        }
    }
}
