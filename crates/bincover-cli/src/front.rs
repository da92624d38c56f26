//! Two processes for one command: one that goes on as long as it has to, and one in front of it that
//! ends when the command is done.
//!
//! A run whose processes are followed has to be followed to the last of them, or the system kills
//! them. Whoever typed the command waits for the program alone.

use std::io::{self, PipeWriter, Read, Write};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Which of the two this process is.
pub(crate) enum Side {
    /// The one in front; it is over, with this exit code.
    Front(u8),
    /// The one behind, which does the work.
    Behind(Behind),
}

/// The way to the process in front.
#[derive(Debug)]
pub(crate) struct Behind(PipeWriter);

/// Splits this process in two.
///
/// # Errors
/// If the system refuses; this process then goes on alone.
#[expect(unsafe_code, reason = "fork is unsafe; see SAFETY")]
pub(crate) fn split() -> io::Result<Side> {
    let (mut from_behind, to_front) = io::pipe()?;
    // SAFETY: in the child of a process with several threads only the one that forked goes on, and
    // locks of the others stay locked for ever. There are no others: this is called from `main`'s
    // thread, before anything starts one.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(Side::Behind(Behind(to_front))),
        ForkResult::Parent { child } => {
            drop(to_front);
            pass_signals_on(child)?;
            let mut code = [0];
            Ok(Side::Front(match from_behind.read_exact(&mut code) {
                Ok(()) => code[0],
                Err(_) => ending_of(child),
            }))
        }
    }
}

/// As `bincover_run::Command` does it for its child: what the terminal sends, all of the group get;
/// what is sent to us is meant for the program.
fn pass_signals_on(child: Pid) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGTERM => Signal::SIGTERM,
                SIGHUP => Signal::SIGHUP,
                _ => continue,
            };
            // It may have ended just now.
            let _ = kill(child, signal);
        }
    })?;
    Ok(())
}

/// What became of the process behind, which said nothing.
fn ending_of(child: Pid) -> u8 {
    let code = match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, code)) => code,
        Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
        _ => 1,
    };
    u8::try_from(code).unwrap_or(1)
}

impl Behind {
    /// The command is done, with this exit code.
    pub(crate) fn tell(mut self, code: u8) {
        // If nobody is in front any more, nobody wants to know.
        let _ = self.0.write_all(&[code]);
    }
}

/// Lets go of the terminal, and of pipes whose readers wait for their end.
pub(crate) fn go_behind() -> io::Result<()> {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}
