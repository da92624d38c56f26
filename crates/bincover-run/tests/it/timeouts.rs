//! A run that is over when its time is.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use bincover_run::{Ending, Signal};

use crate::support::{LONG, assert_goes_away, first_number, helper, shell};

const SHORT: Duration = Duration::from_secs(2);

#[test]
fn a_child_in_time_is_left_alone() {
    let output = shell("exit 3").timeout(Duration::MAX).run().unwrap();
    assert_eq!(output.status, Ending::Code(3));
}

#[test]
fn the_whole_group_is_told_to_end() {
    let output = shell("sleep 1000 & echo $!; wait")
        .timeout(SHORT)
        .run()
        .unwrap();
    let Ending::TimedOut { after, then } = output.status else {
        panic!("{}", output.status)
    };
    assert_eq!(after, SHORT);
    assert_eq!(then.signal(), Some(Signal::TERM.number()));
    assert_eq!(output.status.to_string(), "timed out after 2s");
    assert_eq!(output.status.exit_code(), 124);
    assert!(!output.pipes_left_open);
    assert!(output.wall >= SHORT);
    assert_goes_away(first_number(&output.stdout));
}

#[test]
fn a_child_may_end_in_its_own_way() {
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let output = shell(script).timeout(SHORT).grace(LONG).run().unwrap();
    assert!(!output.status.success());
    assert!(matches!(output.status, Ending::TimedOut { then, .. } if then.success()));
    assert_eq!(output.stdout, b"ready\nbye\n");
}

#[test]
fn who_ignores_sigterm_is_killed_after_the_grace_period() {
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    let command = shell(script).timeout(SHORT);
    let output = command.grace(Duration::from_millis(200)).run().unwrap();
    let Ending::TimedOut { then, .. } = output.status else {
        panic!("{}", output.status)
    };
    assert_eq!(then.signal(), Some(Signal::KILL.number()));
}

#[test]
fn a_descendant_that_ignores_sigterm_is_killed_too() {
    let script = "(trap '' TERM; while :; do sleep 0.05; done) & echo $!; wait";
    let command = shell(script).timeout(SHORT);
    let output = command.grace(Duration::from_millis(200)).run().unwrap();
    assert!(matches!(output.status, Ending::TimedOut { .. }));
    assert_goes_away(first_number(&output.stdout));
}

#[test]
fn a_stopped_child_times_out() {
    let command = shell("kill -STOP $$").timeout(Duration::from_millis(200));
    let output = command.grace(Duration::from_millis(200)).run().unwrap();
    assert!(matches!(output.status, Ending::TimedOut { .. }));
}

#[test]
fn without_a_group_the_child_alone_is_ended() {
    let command = helper().arg("spin").own_group(false);
    let output = command.timeout(Duration::from_millis(200)).run().unwrap();
    assert!(matches!(output.status, Ending::TimedOut { .. }));
}
