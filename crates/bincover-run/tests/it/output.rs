//! Reading and writing while a child runs.

use std::sync::{Arc, Mutex};

use bincover_run::{Command, Ending, Signal, Stdin, Stream};

use crate::support::{LONG, first_number, helper, shell};

const FOUR_MEGABYTES: usize = 4 << 20;

#[test]
fn both_streams_are_kept_in_the_order_of_arrival() {
    let scratch = tempfile::tempdir().unwrap();
    // Each step waits until the observer has seen the one before.
    let script = "say() { i=$((i + 1)); printf \"$1$i \"; }
        seen() { while [ ! -e $i ]; do sleep 0.01; done; }
        for round in 1 2 3 4; do say o; seen; say e >&2; seen; done";
    let folder = scratch.path().to_owned();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let command = shell(script).current_dir(scratch.path());
    let output = command
        .on_output(move |stream, bytes, _| {
            let mut log = log.lock().unwrap();
            log.push((stream, bytes.to_vec()));
            std::fs::write(folder.join(log.len().to_string()), "").unwrap();
        })
        .run()
        .unwrap();
    assert_eq!(output.combined_bytes(), b"o1 e2 o3 e4 o5 e6 o7 e8 ");
    assert_eq!(output.stdout, b"o1 o3 o5 o7 ");
    assert_eq!(output.stderr, b"e2 e4 e6 e8 ");
    let chunks = output.combined.iter();
    let chunks = chunks.map(|c| (c.stream, output.chunk_bytes(c).to_vec()));
    assert_eq!(*seen.lock().unwrap(), chunks.collect::<Vec<_>>());
    assert_eq!(output.combined[1].stream, Stream::Stderr);
}

#[test]
fn four_megabytes_three_ways_at_once() {
    let output = helper()
        .arg("flood")
        .arg(FOUR_MEGABYTES.to_string())
        .stdin(Stdin::Bytes(vec![b'i'; FOUR_MEGABYTES]))
        .run()
        .unwrap();
    assert_eq!(output.status, Ending::Code(0));
    let (body, tail) = output.stdout.split_at(FOUR_MEGABYTES);
    assert!(body.iter().all(|&b| b == b'o'));
    assert_eq!(tail, FOUR_MEGABYTES.to_string().as_bytes());
    assert_eq!(output.stderr, vec![b'e'; FOUR_MEGABYTES]);
    assert!(!output.pipes_left_open);
}

#[test]
fn a_child_may_close_its_input() {
    let input = Stdin::Bytes(vec![0; FOUR_MEGABYTES]);
    let output = shell("exec <&-; echo done; sleep 0.2")
        .stdin(input.clone())
        .run()
        .unwrap();
    assert_eq!(output.status, Ending::Code(0));
    assert_eq!(output.stdout, b"done\n");
    assert_eq!(
        shell("true").stdin(input).run().unwrap().status,
        Ending::Code(0)
    );
}

#[test]
fn a_child_may_close_its_outputs() {
    let output = shell("echo a; exec >&- 2>&-; sleep 0.2; exit 4")
        .run()
        .unwrap();
    assert_eq!(output.status, Ending::Code(4));
    assert_eq!(output.stdout, b"a\n");
}

#[test]
fn a_descendant_that_keeps_a_pipe_open_does_not_hang_the_run() {
    let output = shell("sleep 1000 & echo $!").run().unwrap();
    assert_eq!(output.status, Ending::Code(0));
    assert!(output.pipes_left_open);
    assert!(output.wall < LONG);
    let sleeper = first_number(&output.stdout).to_string();
    assert!(
        Command::new("kill")
            .arg(sleeper)
            .run()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn a_descendant_that_never_stops_writing_does_not_hang_the_run() {
    // `yes` ends by SIGPIPE when reading stops.
    let output = shell("yes & exit 3").run().unwrap();
    assert_eq!(output.status, Ending::Code(3));
    assert!(output.pipes_left_open);
}

#[test]
fn a_descendant_that_ends_soon_is_read_to_its_end() {
    let output = shell("(sleep 0.1; echo late) &").drain(LONG).run().unwrap();
    assert_eq!(output.stdout, b"late\n");
    assert!(!output.pipes_left_open);
}

#[test]
fn a_slow_observer_loses_nothing() {
    let command = helper().arg("flood").arg("150000");
    let output = command
        .drain(std::time::Duration::ZERO)
        .on_output(|_, _, _| std::thread::sleep(std::time::Duration::from_millis(50)))
        .run()
        .unwrap();
    assert_eq!(output.stdout.len(), 150_001);
    assert_eq!(output.stderr.len(), 150_000);
}

#[test]
fn an_observer_can_kill_at_the_first_output() {
    let output = shell("echo first; sleep 1000; echo never")
        .on_output(|_, _, process| {
            process.signal_group(Signal::KILL).unwrap();
        })
        .run()
        .unwrap();
    assert_eq!(output.status.to_string(), "signal 9 (SIGKILL)");
    assert_eq!(output.stdout, b"first\n");
}

#[test]
fn the_label_is_kept() {
    let named = shell("true").label("a name").run().unwrap();
    assert_eq!(named.label, "a name");
    assert_eq!(shell("true").run().unwrap().label, "/bin/sh");
}
