//! A program that ends as its first argument says. Tests compile it with rustc, with coverage and
//! without, and look for the lines that end in `// line: <name>`.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

fn main() {
    let args: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    act(&args); // line: main
}

fn act(args: &[std::ffi::OsString]) {
    let (how, rest) = args.split_first().expect("a first argument");
    match how.to_str().expect("a word") {
        "return" => {}
        "args" => print_args(rest),
        "env" => print_env(),
        "cwd" => print!("{}", std::env::current_dir().unwrap().display()),
        "cat" => cat(),
        "both" => both(),
        "exit" => std::process::exit(number(rest)),
        "panic" => panic(),
        "abort" => abort(),
        "kill" => kill(number(rest)),
        "spin" => spin(),
        "wait" => wait(),
        other => unreachable!("what is {other}?"),
    }
}

fn number(rest: &[std::ffi::OsString]) -> i32 {
    rest[0].to_str().unwrap().parse().unwrap()
}

/// Each as its length in bytes, a colon, and the bytes.
fn print_args(args: &[std::ffi::OsString]) {
    let mut out = std::io::stdout();
    for arg in args {
        write!(out, "{}:", arg.len()).unwrap();
        out.write_all(arg.as_bytes()).unwrap();
    }
}

fn print_env() {
    for (name, value) in std::env::vars_os() {
        println!("{}={}", name.display(), value.display());
    }
}

fn cat() {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).unwrap();
    std::io::stdout().write_all(&input).unwrap();
}

fn both() {
    print!("to standard output");
    eprint!("to standard error");
    std::process::exit(3) // line: both
}

fn panic() {
    panic!("as asked") // line: panic
}

fn abort() {
    eprintln!("aborting"); // line: abort
    std::process::abort()
}

/// Sends itself a signal, and waits for it.
fn kill(signal: i32) {
    let script = format!("kill -{signal} {}", std::process::id()); // line: kill
    Command::new("/bin/sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    loop {
        std::thread::park();
    }
}

/// Never ends by itself.
fn spin() {
    println!("spinning"); // line: spin
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count + 1);
    }
}

/// Ends when its input does.
fn wait() {
    println!("waiting");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
