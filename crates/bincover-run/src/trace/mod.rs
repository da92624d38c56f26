//! Following a run's processes to their very ends, so that a [`Tracer`] can look at each before its
//! memory is gone: however it ends, SIGKILL included, and whatever it starts.
//!
//! This is `ptrace`, for Linux. A thread of its own for each run is the debugger of the child and of
//! all its descendants. It stops them at few places: where a thread begins or ends, where a process
//! forks, at `execve`, and where a process waits for a lock on a file. Signals, stops by job control
//! and restarted system calls are as they would be without us. Four things differ:
//!
//! - a debugger (or `strace`) cannot attach to a process that is followed already;
//! - if our process dies, the kernel kills those that are followed;
//! - to see `execve` beforehand, the child gets a seccomp filter. Without CAP_SYS_ADMIN the system
//!   asks for `no_new_privs` in return: programs with the set-user-id bit then do not change the user.
//!   (They would not in any case: the kernel ignores the bit in a process that is traced by someone
//!   without CAP_SYS_PTRACE.)
//! - nobody else in our process may wait for just any child (`waitpid(-1)`): that would take away what
//!   the tracer waits for.
//!
//! Where the system forbids it, the run goes on without, and [`Tracing::limit`] says so.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod follow;
#[cfg(target_os = "linux")]
mod sys;

/// Looks at the processes of a run while they are stopped. All calls come from one thread for each
/// run, one after another; while one lasts, the events of that run's other processes wait.
///
/// `/proc` shows a process under [`Traced::thread`], also when its main thread is gone.
pub trait Tracer: Send + Sync {
    /// A program begins in a process. It has not executed anything yet.
    fn started(&self, _process: &Traced) {}

    /// `child` was forked from `parent`, and has not executed anything yet: its memory is the copy
    /// that it begins with. Not told of children that share their parent's memory (`vfork`,
    /// `posix_spawn`).
    fn forked(&self, _parent: &Traced, _child: &Traced) {}

    /// The process asks to be replaced by another program, which may fail. Can be told again for one
    /// request, when other threads ended meanwhile.
    fn about_to_exec(&self, _process: &Traced) {}

    /// The program that [`about_to_exec`](Self::about_to_exec) was told of last is gone.
    /// [`started`](Self::started) follows.
    fn exec_done(&self, _process: &Traced) {}

    /// The process is about to wait until it has the file open as `descriptor` for itself alone.
    fn about_to_lock(&self, _process: &Traced, _descriptor: u32) {}

    /// The last thread of a process is at its end. The memory is still there, and nothing in it will
    /// change.
    fn process_ends(&self, _process: &Traced) {}

    /// A process has ended, and its memory is gone already.
    fn process_lost(&self, _process: &Traced) {}
}

/// A process that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Its id.
    pub pid: u32,
    /// The thread that is stopped, under whose id `/proc` shows the process's memory.
    pub thread: u32,
    /// Who started it, if that one is followed, too.
    pub parent: Option<u32>,
    /// [`Tracer::about_to_exec`] and [`Tracer::about_to_lock`] are told: the system lets us see these
    /// calls.
    pub sees_calls: bool,
}

/// What of a run is not followed, because the system does not let us.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Nothing is: attaching failed, with this error.
    NotTraced(String),
    /// `execve` and locks are not seen beforehand: the filter was refused, with this error.
    ExecNotSeen(String),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTraced(error) => write!(f, "the system does not let us trace: {error}"),
            Self::ExecNotSeen(error) => {
                write!(f, "the system does not let us see `execve`: {error}")
            }
        }
    }
}

/// The followed processes of a run. They may outlive its main process, and go on being followed
/// then, until our process ends.
#[derive(Clone, Debug, Default)]
pub struct Tracing(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    live: BTreeSet<u32>,
    limit: Option<Limit>,
    /// The main process is ours no more: its parent can wait for it as usual.
    released: bool,
    /// Nothing is left to follow.
    ended: bool,
}

impl Tracing {
    /// The processes that are there now.
    #[must_use]
    pub fn live(&self) -> Vec<u32> {
        self.state().live.iter().copied().collect()
    }

    /// What the system does not let us do. Known once the program runs.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.state().limit.clone()
    }

    /// Waits until all processes have ended and the tracer has been told. `false`: the time is over.
    #[must_use]
    pub fn wait_all(&self, timeout: Duration) -> bool {
        let end = Instant::now().checked_add(timeout);
        let mut state = self.state();
        while !state.ended {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let wait = left.unwrap_or(Duration::from_secs(3600));
            let changed = self.0.changed.wait_timeout(state, wait);
            state = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits until the main process's parent may wait for it. Before that, a wait from another
    /// thread of our process would be told of stops that are the tracer's, as if they were ends.
    pub(crate) fn wait_released(&self) {
        let mut state = self.state();
        while !state.released {
            let changed = self.0.changed.wait(state);
            state = changed.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_all();
    }
}

/// What [`Command::tracer`](crate::Command::tracer) was given.
#[derive(Clone)]
pub(crate) struct Observing(pub(crate) Arc<dyn Tracer>);

impl fmt::Debug for Observing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

/// The tracer of a run that is about to be spawned.
pub(crate) struct Prepared {
    tracing: Tracing,
    #[cfg(target_os = "linux")]
    abandon: std::os::unix::net::UnixStream,
}

#[cfg(target_os = "linux")]
impl Prepared {
    /// Starts the tracer's thread, and has the child wait for it before it executes its program.
    pub(crate) fn new(
        command: &mut std::process::Command,
        tracer: Arc<dyn Tracer>,
    ) -> io::Result<Self> {
        let tracing = Tracing::default();
        let (ours, childs) = std::os::unix::net::UnixStream::pair()?;
        let abandon = childs.try_clone()?;
        sys::wait_for_tracer(command, &ours, childs, filter::program());
        let follow = follow::Follow::new(tracing.clone(), tracer, ours);
        std::thread::Builder::new()
            .name("trace".to_owned())
            .spawn(move || follow.run())?;
        Ok(Self { tracing, abandon })
    }

    /// The child runs its program.
    pub(crate) fn started(self) -> Tracing {
        self.tracing
    }

    /// There is no child.
    pub(crate) fn failed(self) {
        use std::io::Write;
        // If a child was there and has been followed, nobody reads this, and its end is the end.
        let _ = (&self.abandon).write_all(&0_u32.to_ne_bytes());
    }
}

#[cfg(not(target_os = "linux"))]
impl Prepared {
    /// Only Linux lets us.
    pub(crate) fn new(_: &mut std::process::Command, _: Arc<dyn Tracer>) -> io::Result<Self> {
        let tracing = Tracing::default();
        tracing.change(|state| {
            state.limit = Some(Limit::NotTraced("this system is not Linux".to_owned()));
            state.released = true;
            state.ended = true;
        });
        Ok(Self { tracing })
    }

    pub(crate) fn started(self) -> Tracing {
        self.tracing
    }

    pub(crate) fn failed(self) {}
}
