//! A program as AFL runs it: a server that forks for each input.
//!
//! Descriptor 198 brings a word for each input, which is in the file `input`; 199 takes the child's
//! process id, and how it ended.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

unsafe extern "C" {
    safe fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == "cfg") {
        println!("{}", cfg!(coverage));
        return;
    }
    // SAFETY: whoever runs us has opened these two for us.
    let (mut commands, mut answers) = unsafe { (File::from_raw_fd(198), File::from_raw_fd(199)) };
    answers.write_all(&[0; 4]).expect("somebody listens");
    let mut word = [0; 4];
    while commands.read_exact(&mut word).is_ok() {
        let child = fork();
        if child == 0 {
            drill(&std::fs::read("input").expect("an input"));
            return;
        }
        answers.write_all(&child.to_ne_bytes()).expect("a listener");
        let mut status = 0;
        // SAFETY: a child of ours, and a place for its status.
        unsafe { waitpid(child, &mut status, 0) };
        answers.write_all(&status.to_ne_bytes()).expect("a listener");
    }
}

fn drill(input: &[u8]) {
    match input {
        b"crash" => std::process::abort(),
        b"hang" => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        [b'a', rest @ ..] => drill(rest),
        _ => {}
    }
}
