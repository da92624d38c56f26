//! `bincover snapshot`: what a live process has reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bincover::memory::ErrorKind;
use bincover::{Error, Store, snapshot_profile, write_atomically};

use crate::args::SnapshotArgs;
use crate::commands::{end_signal, store};
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &SnapshotArgs) -> Result<Exit, Error> {
    let store = store(&args.store)?;
    let Some(every) = args.every else {
        take(args, &store)?;
        return Ok(Exit::Done);
    };
    let ends = end_signal()?;
    let mut taken: u64 = 0;
    loop {
        match take(args, &store) {
            Ok(()) => taken += 1,
            // The process has ended, which had to come.
            Err(Error::Memory(error)) if taken > 0 && error.kind() == ErrorKind::NoSuchProcess => {
                break;
            }
            Err(error) => return Err(error),
        }
        if wait(every, &ends) {
            break;
        }
    }
    ui::say(format_args!("{NAME}: {taken} snapshots"));
    Ok(Exit::Done)
}

fn take(args: &SnapshotArgs, store: &Store) -> Result<(), Error> {
    match &args.output {
        Some(path) => {
            let profile = snapshot_profile(args.pid)?;
            write_atomically(path, |out| out.write_all(&profile))
        }
        None => store.snapshot(args.pid).map(drop),
    }
}

/// True if this process is to end.
fn wait(time: Duration, ends: &Arc<AtomicBool>) -> bool {
    const STEP: Duration = Duration::from_millis(50);
    let began = Instant::now();
    loop {
        if ends.load(Ordering::Relaxed) {
            return true;
        }
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return false;
        }
        sleep(left.min(STEP));
    }
}
