//! Two processes for one command: one that goes on as long as it has to, and one in front of it that
//! ends when the command is done.
//!
//! A run whose processes are followed has to be followed to the last of them, or the system kills
//! them. Whoever typed the command waits for the program alone.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::RawFd;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Pid, close, dup2_stderr, dup2_stdin, dup2_stdout, fork, getpid, getppid, setsid,
};
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

/// What the process in front is sent for the program.
const PASSED_ON: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// What the terminal sends to the program as well.
const SURVIVED: [Signal; 2] = [Signal::SIGINT, Signal::SIGQUIT];

/// The command is done, and so is the process behind.
const IS_DONE: u8 = 0;
/// The command is done, and the process behind has something left to do.
const HAS_REST: u8 = 1;

/// Splits this process in two. The one behind ends when the one in front is killed, as long as the command is not done.
///
/// # Errors
/// If the system refuses; this process then goes on alone.
#[expect(unsafe_code, reason = "fork is unsafe; see SAFETY")]
pub(crate) fn split() -> io::Result<Side> {
    let (from_behind, to_front) = io::pipe()?;
    let front = getpid();
    // Until both sides are ready, so that none is lost, or ends one side alone.
    let signals: SigSet = PASSED_ON.into_iter().chain(SURVIVED).collect();
    signals.thread_block()?;
    // SAFETY: in the child of a process with several threads only the one that forked goes on, and
    // locks of the others stay locked for ever. There are no others: this is called from `main`'s
    // thread, before anything starts one.
    let forked = unsafe { fork() };
    match forked {
        Ok(ForkResult::Child) => {
            let _ = set_pdeathsig(Signal::SIGKILL);
            let _ = signals.thread_unblock();
            if getppid() != front {
                // It was killed before the line above, and nobody waits for the program.
                let _ = kill(getpid(), Signal::SIGKILL);
            }
            Ok(Side::Behind(Behind(to_front)))
        }
        // From here on the program is the other side's, whatever fails on this one.
        Ok(ForkResult::Parent { child }) => {
            drop(to_front);
            let _ = pass_signals_on(child);
            let _ = signals.thread_unblock();
            Ok(Side::Front(wait_for(from_behind, child)))
        }
        Err(error) => {
            let _ = signals.thread_unblock();
            Err(error.into())
        }
    }
}

/// As `bincover_run::Command` does it for its child: what the terminal sends, all of the group get;
/// what is sent to us is meant for the program.
fn pass_signals_on(child: Pid) -> io::Result<()> {
    let all = PASSED_ON.into_iter().chain(SURVIVED);
    let mut signals = Signals::new(all.map(|signal| signal as i32))?;
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            let signal = PASSED_ON.into_iter().find(|known| *known as i32 == signal);
            // It may have ended just now.
            let _ = signal.map(|signal| kill(child, signal));
        }
    })?;
    Ok(())
}

/// The command's exit code. A process behind that is done has ended, too, and is not left to whoever adopts it.
fn wait_for(mut from_behind: PipeReader, child: Pid) -> u8 {
    let mut said = [0; 2];
    match from_behind.read_exact(&mut said) {
        Ok(()) => {
            let [code, rest] = said;
            if rest == IS_DONE {
                let _ = waitpid(child, None);
            }
            code
        }
        Err(_) => ending_of(child),
    }
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
    /// The command is done, with this exit code; whether something is left to do.
    pub(crate) fn tell(mut self, code: u8, has_rest: bool) {
        // From now on the one in front may end.
        let _ = set_pdeathsig(None);
        let rest = if has_rest { HAS_REST } else { IS_DONE };
        // If nobody is in front any more, nobody wants to know.
        let _ = self.0.write_all(&[code, rest]);
    }
}

/// Descriptors that this process was started with, besides the three that all have.
pub(crate) struct Inherited(Vec<RawFd>);

impl Inherited {
    /// Those that are there now: to be asked before anything is opened.
    pub(crate) fn now() -> Self {
        let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
        let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut numbers: Vec<RawFd> = numbers.filter(|number| *number > 2).collect();
        // The listing had one itself, whose number is free again, and may become one of ours.
        numbers.retain(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
        Self(numbers)
    }
}

/// Lets go of the terminal and the caller's group, whose end is not that of the processes that are followed; and of
/// locks and pipes whose readers wait for their end.
pub(crate) fn go_behind(inherited: Inherited) -> io::Result<()> {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    setsid()?;
    for number in inherited.0 {
        let _ = close(number);
    }
    Ok(())
}
