//! Compiles `c/round.c`, as the `cc` crate would: with the compiler and the flags of the
//! environment.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn variable(name: &str) -> Option<String> {
    let target = env::var("TARGET").unwrap().replace(['-', '.'], "_");
    for name in [format!("{name}_{target}"), name.to_owned()] {
        println!("cargo::rerun-if-env-changed={name}");
        if let Ok(value) = env::var(name) {
            return Some(value);
        }
    }
    None
}

fn run(command: &mut Command) {
    let status = command.status().expect("a program that can be run");
    assert!(status.success(), "{command:?}");
}

fn main() {
    println!("cargo::rerun-if-changed=c/round.c");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("c/round.c");
    let object = out.join("round.o");
    let archive = out.join("libround.a");
    let compiler = variable("CC").unwrap_or_else(|| "cc".to_owned());
    let flags = variable("CFLAGS").unwrap_or_default();
    run(Command::new(compiler)
        .args(flags.split_whitespace())
        .args(["-O0", "-fPIC", "-c"])
        .arg(source)
        .arg("-o")
        .arg(&object));
    let _ = std::fs::remove_file(&archive);
    run(Command::new("ar").arg("rcs").arg(&archive).arg(&object));
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=round");
}
