//! A child that keeps our terminal. The signals are for a whole process, so each test runs this
//! test program again, with one of the ignored tests as its main function.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use bincover_run::{Command, Ending, Signal, Stdin};

use crate::support::{LONG, shell};

/// Set for the ignored tests when they are to do their work, not when someone runs them all.
const AGAIN: &str = "BINCOVER_RUN_TEST_AGAIN";

fn is_again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

/// This program with the ignored test `name` only; it says "ready" when its child does.
fn again(name: &str) -> Command {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("inherit::{name}"))
        .env(AGAIN, "")
        .timeout(LONG)
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    String::from_utf8_lossy(haystack).contains(needle)
}

const UNTIL_TOLD: &str = "echo ready; while :; do sleep 0.05; done";

#[test]
fn output_passes_by() {
    let output = again("main_writes").run().unwrap();
    assert!(output.status.success());
    assert!(contains(&output.stdout, "to stdout"));
    assert!(contains(&output.stderr, "to stderr"));
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_writes() {
    if !is_again() {
        return;
    }
    let script = shell("cat; echo to stderr >&2; exit 5").inherit();
    let output = script
        .stdin(Stdin::Bytes(b"to stdout\n".to_vec()))
        .run()
        .unwrap();
    assert_eq!(output.status, Ending::Code(5));
    assert!(output.stdout.is_empty() && output.combined.is_empty());
    assert!(!output.pipes_left_open);
}

#[test]
fn sigterm_and_sighup_are_passed_on() {
    for signal in [Signal::TERM, Signal::HUP] {
        let command = again("main_forwards").on_output(move |_, bytes, process| {
            if contains(bytes, "ready") {
                process.signal(signal).unwrap();
            }
        });
        let output = command.run().unwrap();
        assert!(output.status.success(), "{signal}: {}", output.status);
        assert!(contains(&output.stdout, "told"));
    }
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_forwards() {
    if !is_again() {
        return;
    }
    let script = format!("trap 'echo told; exit 7' TERM HUP; {UNTIL_TOLD}");
    let output = shell(&script).inherit().run().unwrap();
    assert_eq!(output.status, Ending::Code(7));
}

#[test]
fn ctrl_c_ends_the_child_and_leaves_us() {
    // As the terminal does: to the whole foreground group.
    let command = again("main_outlives").on_output(|_, bytes, process| {
        if contains(bytes, "ready") {
            process.signal_group(Signal::INT).unwrap();
        }
    });
    let output = command.run().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(contains(&output.stdout, "outlived"));
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_outlives() {
    if !is_again() {
        return;
    }
    let script = format!("trap 'exit 6' INT; {UNTIL_TOLD}");
    let output = shell(&script).inherit().run().unwrap();
    assert_eq!(output.status, Ending::Code(6));
    println!("outlived");
}

#[test]
fn signals_are_as_before_when_the_child_is_gone() {
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP] {
        let command = again("main_waits_afterwards").on_output(move |_, bytes, process| {
            if contains(bytes, "afterwards") {
                process.signal(signal).unwrap();
            }
        });
        let ended = command.run().unwrap().status;
        assert!(
            matches!(ended, Ending::Signal { number, .. } if number == signal.number()),
            "{signal}: {ended}"
        );
    }
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_waits_afterwards() {
    if !is_again() {
        return;
    }
    assert!(shell("true").inherit().run().unwrap().status.success());
    println!("afterwards");
    std::thread::sleep(LONG);
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let program = std::env::current_exe().unwrap();
    let script = "trap '' INT HUP; exec \"$0\" --ignored --exact --nocapture \
        inherit::main_ignores_already";
    let output = shell(script).arg(program).env(AGAIN, "").run().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(contains(&output.stdout, "still here"));
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_ignores_already() {
    if !is_again() {
        return;
    }
    for _ in 0..2 {
        let child = shell("kill -INT $$; kill -HUP $$; exit 3").inherit();
        assert_eq!(child.run().unwrap().status, Ending::Code(3));
    }
    let own_pid = std::process::id();
    let kill = shell(&format!("kill -INT {own_pid}; kill -HUP {own_pid}"));
    assert!(kill.run().unwrap().status.success());
    println!("still here");
}

#[test]
fn a_timeout_ends_the_child_and_not_us() {
    let output = again("main_times_out").run().unwrap();
    assert!(output.status.success(), "{}", output.status);
}

#[test]
#[ignore = "run by another test, in its own process"]
fn main_times_out() {
    if !is_again() {
        return;
    }
    let command = shell("exec sleep 1000").inherit();
    let output = command.timeout(Duration::from_millis(200)).run().unwrap();
    assert!(matches!(
        output.status,
        Ending::TimedOut { then, .. } if then.signal() == Some(Signal::TERM.number())
    ));
}
