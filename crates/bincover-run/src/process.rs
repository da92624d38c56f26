//! A child process from its start to its reaping.
//!
//! A process id is ours only until the child is reaped; after that the system may give it away. So
//! the end is seen *without* reaping, all signals are sent under a lock, and the child is reaped
//! under the same lock, last of all. What sees the end is a descriptor of the process, where the
//! system has such (Linux), else a thread.

use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::{self, Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use crate::command::{Command, Observer};
use crate::error::{Error, ErrorKind, Result};
use crate::forward::Forwarding;
use crate::output::{Ending, Output};
use crate::profile_path::ProfileTarget;
use crate::pump::{Captured, Feed, Limits, Pipes, Pump};
use crate::signal::Signal;
use crate::trace::{Prepared, Tracing};

/// A child's address: its id, and a way to signal it that is safe at any time, from any thread.
#[derive(Clone, Debug)]
pub struct ProcessHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pid: Pid,
    leads_group: bool,
    reaped: Mutex<bool>,
}

impl ProcessHandle {
    /// The process id. After the end of the run the system may give it to another process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.pid.as_raw_pid().unsigned_abs()
    }

    /// Sends `signal` to the child alone. `false`: it is gone, and nothing was sent. `true` does
    /// not promise that it noticed: it may have ended a moment before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Process`]: the system refuses, for example because the child has become another
    /// user's.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        self.send(signal, |pid| kill_process(pid, signal.raw()))
    }

    /// Sends `signal` to the child and those of its descendants that are still in its process
    /// group; to the child alone when it has no group of its own. The answer is as for
    /// [`signal`](Self::signal).
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn signal_group(&self, signal: Signal) -> Result<bool> {
        if !self.0.leads_group {
            return self.signal(signal);
        }
        self.send(signal, |pid| {
            match kill_process_group(pid, signal.raw()) {
                // It has moved to another group and left none behind.
                Err(Errno::SRCH) => kill_process(pid, signal.raw()),
                other => other,
            }
        })
    }

    fn send(
        &self,
        signal: Signal,
        kill: impl FnOnce(Pid) -> rustix::io::Result<()>,
    ) -> Result<bool> {
        let reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return Ok(false);
        }
        match kill(self.0.pid) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(e) => {
                let action = format_args!("send {signal} to process {}", self.id());
                Err(Error::io(ErrorKind::Process, action, e.into()))
            }
        }
    }

    /// The caller knows that the child has ended, so this does not block.
    fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        *reaped = true;
        child.wait()
    }
}

/// A child that was started. Dropping it before [`wait`](Self::wait) is done kills the child, and
/// with it the process group that it leads.
#[derive(Debug)]
#[must_use = "the child's pipes are served, and its timeout is watched, by `wait`"]
pub struct Running {
    child: Guarded,
    pipes: Pipes,
    limits: Limits,
    observer: Option<Observer>,
    started: Instant,
    /// Everything of the output that is known before the end.
    output: Output,
}

impl Running {
    pub(crate) fn start(
        command: &Command,
        std_command: &mut process::Command,
        profiles: Option<ProfileTarget>,
    ) -> Result<Self> {
        let name = command.name();
        let failed = |e| Error::io(ErrorKind::Spawn, format_args!("follow `{name}`"), e);
        let signals = match command.captures() {
            true => None,
            false => Some(Forwarding::start().map_err(failed)?),
        };
        let tracer = command.tracer.as_ref().map(|one| Arc::clone(&one.0));
        let tracer = tracer.map(|tracer| Prepared::new(std_command, tracer));
        let tracer = tracer.transpose().map_err(failed)?;

        let started = Instant::now();
        let child = match std_command.spawn() {
            Ok(child) => child,
            Err(error) => {
                if let Some(tracer) = tracer {
                    tracer.failed();
                }
                return Err(command.spawn_error(error));
            }
        };
        let tracing = tracer.map(Prepared::started);
        let mut child = Guarded::new(child, command.leads_group());
        let exit = child.watch(tracing.clone()).map_err(failed)?;
        let pipes = child
            .pipes(exit, signals, command.stdin_bytes())
            .map_err(failed)?;
        Ok(Self {
            output: output_so_far(command, name, child.handle.id(), profiles, tracing),
            child,
            pipes,
            limits: Limits {
                timeout: command.timeout,
                grace: command.grace,
                drain: command.drain,
            },
            observer: command.observer.clone(),
            started,
        })
    }

    /// The child's address. It can be cloned and used from other threads during the wait.
    #[must_use]
    pub fn handle(&self) -> &ProcessHandle {
        &self.child.handle
    }

    /// The processes that are followed, if the command has a
    /// [`tracer`](crate::Command::tracer).
    #[must_use]
    pub fn tracing(&self) -> Option<&Tracing> {
        self.output.tracing.as_ref()
    }

    /// Serves the child's pipes until it has ended, and collects what it wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Process`]: a pipe cannot be read or written, or the child cannot be killed (it
    /// may belong to another user) or waited for (someone else in this process has reaped it). The
    /// child is then killed, as by dropping this.
    pub fn wait(self) -> Result<Output> {
        let Self {
            mut child,
            pipes,
            limits,
            observer,
            started,
            mut output,
        } = self;
        let failed = |e| {
            let action = format_args!("follow `{}`", output.label);
            Error::io(ErrorKind::Process, action, e)
        };
        let pump = Pump::new(pipes, &child.handle, observer, limits, started);
        let captured = pump.run().map_err(|e| e.into_error(failed))?;
        let status = child.reap().map_err(failed)?;
        output.status = match (captured.timed_out, limits.timeout) {
            (true, Some(after)) => Ending::TimedOut {
                after,
                then: status,
            },
            _ => Ending::of(status),
        };
        fill(&mut output, captured, started);
        Ok(output)
    }
}

fn fill(output: &mut Output, captured: Captured, started: Instant) {
    output.wall = captured.ended - started;
    output.stdout = captured.stdout;
    output.stderr = captured.stderr;
    output.combined = captured.combined;
    output.pipes_left_open = captured.pipes_left_open;
}

fn output_so_far(
    command: &Command,
    label: String,
    pid: u32,
    profiles: Option<ProfileTarget>,
    tracing: Option<Tracing>,
) -> Output {
    let (folder, alias) = match profiles {
        Some(profiles) => (Some(profiles.folder), profiles.alias),
        None => (None, None),
    };
    let folder = folder.filter(|_| !command.overrides_profile_file());
    Output {
        // Overwritten at the end; nobody sees an output before that.
        status: Ending::Code(0),
        stdout: Vec::new(),
        stderr: Vec::new(),
        combined: Vec::new(),
        wall: std::time::Duration::ZERO,
        pid,
        label,
        profiles: folder,
        profile_file_overridden: command.overrides_profile_file(),
        go_folder_overridden: command.overrides_go_folder(),
        pipes_left_open: false,
        tracing,
        _alias: alias,
    }
}

/// A child that is killed and reaped when nobody has waited for its end.
#[derive(Debug)]
struct Guarded {
    child: Child,
    handle: ProcessHandle,
    watcher: Option<JoinHandle<()>>,
    reaped: bool,
}

impl Guarded {
    fn new(child: Child, leads_group: bool) -> Self {
        let handle = ProcessHandle(Arc::new(Shared {
            pid: Pid::from_child(&child),
            leads_group,
            reaped: Mutex::new(false),
        }));
        Self {
            child,
            handle,
            watcher: None,
            reaped: false,
        }
    }

    /// What can be polled beside the child's pipes, and is ready when the child has ended.
    fn watch(&mut self, tracing: Option<Tracing>) -> io::Result<OwnedFd> {
        match tracing {
            // A tracee has ended when its tracer lets go of it.
            Some(_) => self.watch_by_thread(tracing),
            None => match descriptor(self.handle.0.pid) {
                Some(process) => Ok(process),
                None => self.watch_by_thread(None),
            },
        }
    }

    fn watch_by_thread(&mut self, tracing: Option<Tracing>) -> io::Result<OwnedFd> {
        let (exit, at_exit) = io::pipe()?;
        let pid = self.handle.0.pid;
        let watcher = std::thread::Builder::new()
            .name(format!("wait-{}", self.handle.id()))
            .spawn(move || wait_for_end(pid, tracing, at_exit))?;
        self.watcher = Some(watcher);
        Ok(exit.into())
    }

    fn pipes(
        &mut self,
        exit: OwnedFd,
        signals: Option<Forwarding>,
        stdin: Option<Vec<u8>>,
    ) -> io::Result<Pipes> {
        let writer = self.child.stdin.take().map(OwnedFd::from);
        let feed = writer.map(|fd| Feed::new(fd, stdin.unwrap_or_default()));
        let stdout = self.child.stdout.take().map(OwnedFd::from);
        let stderr = self.child.stderr.take().map(OwnedFd::from);
        Pipes::new(exit, signals, feed.transpose()?, stdout, stderr)
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(watcher) = self.watcher.take() {
            // It does not panic; were it to, the wait below still does what is needed.
            let _ = watcher.join();
        }
        self.reaped = true;
        self.handle.reap(&mut self.child)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // A child that we may not kill is left alone, rather than waited for without an end.
        if self.handle.signal_group(Signal::KILL).is_ok() {
            let _ = self.reap();
        }
    }
}

/// A descriptor of the process that is readable once it has ended. `None` where the system has none,
/// or is out of them.
#[cfg(target_os = "linux")]
fn descriptor(pid: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    pidfd_open(pid, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_pid: Pid) -> Option<OwnedFd> {
    None
}

/// Closes `at_exit` when the process has ended.
fn wait_for_end(pid: Pid, tracing: Option<Tracing>, at_exit: PipeWriter) {
    if let Some(tracing) = tracing {
        tracing.wait_released();
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Any other answer means that there is nothing left to wait for.
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
    drop(at_exit);
}
