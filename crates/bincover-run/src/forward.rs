//! Signals while a child has our terminal.
//!
//! The terminal sends Ctrl-C to the child and to us, and we must outlive the child to say how it
//! ended. SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 usually come to us alone and are meant for the whole.
//!
//! A handler that was once installed stays (signal-hook only takes its actions away), so the first
//! use adds one action per signal that does nothing while a child runs and what the system does by
//! default at all other times. It is added only where the default was in force: an ignored signal
//! stays ignored, in the child too, and a handler of the program that embeds us stays in charge.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::{pipe, unregister};

use crate::dispositions::{Disposition, Dispositions};
use crate::signal::Signal;

const SURVIVED: [Signal; 6] = [
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
];
const FORWARDED: [Signal; 4] = [Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2];

struct Users {
    count: usize,
    /// No child has our terminal, so signals do what they do by default.
    idle: Option<Arc<AtomicBool>>,
}

static USERS: Mutex<Users> = Mutex::new(Users {
    count: 0,
    idle: None,
});

/// From its making to its end, signals are for the child.
#[derive(Debug)]
pub(crate) struct Forwarding {
    pipes: Vec<(Signal, UnixStream)>,
    ids: Vec<SigId>,
}

impl Forwarding {
    pub(crate) fn start() -> io::Result<Self> {
        let dispositions = Dispositions::read();
        lock_users().count += 1;
        let mut made = Self {
            pipes: Vec::new(),
            ids: Vec::new(),
        };
        // Before they are survived: what comes in between is kept for the child, or ends us before there is one.
        for signal in FORWARDED {
            if dispositions.of(signal) != Disposition::Ignored {
                made.add(signal)?;
            }
        }
        let mut users = lock_users();
        let idle = match &users.idle {
            Some(idle) => Arc::clone(idle),
            None => survive(&dispositions)?,
        };
        idle.store(false, Ordering::SeqCst);
        users.idle = Some(idle);
        drop(users);
        Ok(made)
    }

    fn add(&mut self, signal: Signal) -> io::Result<()> {
        let (ours, handlers) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        self.ids.push(pipe::register(signal.number(), handlers)?);
        self.pipes.push((signal, ours));
        Ok(())
    }

    /// Readable when a signal has come.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|(_, pipe)| pipe.as_fd())
    }

    /// The signals that have come since the last call.
    pub(crate) fn take(&mut self) -> Vec<Signal> {
        let arrived = self.pipes.iter_mut().filter_map(|(signal, pipe)| {
            let mut wakes = [0; 64];
            matches!(pipe.read(&mut wakes), Ok(1..)).then_some(*signal)
        });
        arrived.collect()
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let mut users = lock_users();
        users.count -= 1;
        if let (0, Some(idle)) = (users.count, &users.idle) {
            idle.store(true, Ordering::SeqCst);
        }
        drop(users);
        // After the above, so that no signal falls between the two and is lost.
        for id in self.ids.drain(..) {
            unregister(id);
        }
    }
}

fn lock_users() -> MutexGuard<'static, Users> {
    USERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn survive(dispositions: &Dispositions) -> io::Result<Arc<AtomicBool>> {
    let idle = Arc::new(AtomicBool::new(false));
    for signal in SURVIVED {
        if dispositions.of(signal) == Disposition::Default {
            register_conditional_default(signal.number(), Arc::clone(&idle))?;
        }
    }
    Ok(idle)
}
