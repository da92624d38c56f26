//! `measure FILE PROGRAM [ARGS]...` runs a program once, with its standard output into the file, and prints one line:
//! nanoseconds from start to end, nanoseconds of processor time, kibibytes of peak memory.
//!
//! It is a process of its own because the kernel tells the peak of all children together, so there may be only one; and
//! because a child begins with its parent's peak, so that has to be small.

use std::error::Error;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (args.next(), args.next()) else {
        return Err("usage: measure FILE PROGRAM [ARGS]...".into());
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(File::create(file)?);

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
