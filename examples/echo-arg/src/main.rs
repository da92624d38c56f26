//! Bincover's example program. It ends in three ways, as a real one does: it prints its one
//! argument, it fails without arguments, it panics with more than one.
//!
//! Two arguments are special, so that worse ends can be shown: `--abort` ends it at once, and
//! `--work` makes it work until it is killed.

use std::hash::{DefaultHasher, Hasher};
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
            "" => {
                println!("(an empty argument)");
                ExitCode::SUCCESS
            }
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

/// Never ends by itself; says so once it is well under way.
fn work() -> ! {
    let mut hasher = DefaultHasher::new();
    for round in 0u64.. {
        hasher.write_u64(round);
        if round == 1_000 {
            println!("working");
        }
    }
    unreachable!("2^64 rounds take longer than any machine lasts")
}
