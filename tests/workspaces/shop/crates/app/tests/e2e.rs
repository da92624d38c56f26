//! The program as its users run it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn shop() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shop"))
}

#[test]
fn it_prints_a_price() {
    let output = shop().args(["price", "100", "3"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"300\n");
}

#[test]
fn it_refuses_words() {
    let output = shop().args(["price", "x", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// What the server reaches is known only to those who look into its memory.
#[test]
fn it_serves_until_it_is_killed() {
    let mut server = shop()
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready at 2.5");
    for _ in 0..2 {
        server.stdin.as_mut().unwrap().write_all(b"12\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "10");
    }
    // It is to wait for the next line when it is killed, so that the same is counted each time.
    std::thread::sleep(std::time::Duration::from_millis(100));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn it_aborts() {
    let output = shop().arg("abort").output().unwrap();
    assert_eq!(output.status.code(), None);
}

#[test]
#[cfg_attr(not(feature = "broken"), ignore = "it fails")]
fn it_is_broken() {
    let output = shop().output().unwrap();
    assert!(output.status.success());
}
