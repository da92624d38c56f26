//! `measure PROGRAM [ARGS]...` runs a program once and prints one line: nanoseconds from start to end, nanoseconds of
//! processor time, kibibytes of peak memory.
//!
//! It is a process of its own because the kernel tells the peak of all children together, so there may be only one; and
//! because a child begins with its parent's peak, so that has to be small.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let program = args.next().ok_or("usage: measure PROGRAM [ARGS]...")?;
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());

    let start = Instant::now();
    let status = command.status()?;
    let elapsed = start.elapsed();

    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let processor = microseconds(usage.user_time()) + microseconds(usage.system_time());
    println!(
        "{} {} {}",
        elapsed.as_nanos(),
        processor * 1000,
        usage.max_rss()
    );
    Ok(())
}
