//! How a process ends, and who else can end it.

use bincover_run::{Ending, Signal};

use crate::support::{assert_goes_away, helper, shell};

#[test]
fn exit_codes() {
    for code in [0, 1, 2, 101, 127, 255] {
        let output = helper().arg("exit").arg(code.to_string()).run().unwrap();
        assert_eq!(output.status, Ending::Code(code));
        assert_eq!(output.status.exit_code(), code);
        assert_eq!(output.status.success(), code == 0);
    }
    assert_eq!(
        helper().arg("panic").run().unwrap().status,
        Ending::Code(101)
    );
}

#[test]
fn each_signal() {
    let all = [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::ABRT,
        Signal::KILL,
        Signal::SEGV,
        Signal::TERM,
        Signal::USR1,
        Signal::USR2,
    ];
    for signal in all {
        let number = signal.number();
        let output = shell(&format!("kill -{number} $$")).run().unwrap();
        assert!(matches!(output.status, Ending::Signal { number: n, .. } if n == number));
        assert_eq!(output.status.exit_code(), 128 + number);
        let expected = format!("signal {number} ({signal})");
        assert!(output.status.to_string().starts_with(&expected));
    }
}

#[test]
fn abort_is_a_signal() {
    let output = helper().arg("abort").run().unwrap();
    let abort = Signal::ABRT.number();
    assert!(matches!(output.status, Ending::Signal { number, .. } if number == abort));
}

#[test]
fn a_handle_works_from_another_thread_and_after_the_end() {
    let running = shell("exec sleep 1000").spawn().unwrap();
    let handle = running.handle().clone();
    let killer = std::thread::spawn(move || {
        assert!(handle.signal(Signal::TERM).unwrap());
        handle
    });
    let output = running.wait().unwrap();
    let handle = killer.join().unwrap();
    assert_eq!(output.status.exit_code(), 128 + Signal::TERM.number());
    assert_eq!(handle.id(), output.pid);
    assert!(!handle.signal(Signal::KILL).unwrap());
    assert!(!handle.signal_group(Signal::KILL).unwrap());
}

#[test]
fn a_child_that_nobody_waits_for_is_killed() {
    let running = shell("sleep 1000 & wait").spawn().unwrap();
    let handle = running.handle().clone();
    drop(running);
    assert!(!handle.signal(Signal::TERM).unwrap());
    assert_goes_away(handle.id());
}
