//! One loop that serves a child: reads both outputs, writes its input, passes signals on, keeps
//! the time, and notices the end.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::command::Observer;
use crate::error::Error;
use crate::forward::Forwarding;
use crate::output::{Chunk, Stream};
use crate::process::ProcessHandle;
use crate::signal::Signal;

/// One read or write at most, in bytes: Linux's usual pipe size.
const PIECE_BYTES: usize = 64 * 1024;

/// What two pipes can hold when the child ends, in bytes: Linux's limit for those without
/// privileges. Whatever comes after that much was written by someone else.
const PIPES_HOLD_BYTES: usize = 2 << 20;

/// The times to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) drain: Duration,
}

/// Our ends of everything that connects us with the child. None of them blocks.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// Ready when the child has ended.
    exit: OwnedFd,
    signals: Option<Forwarding>,
    stdin: Option<Feed>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

impl Pipes {
    pub(crate) fn new(
        exit: OwnedFd,
        signals: Option<Forwarding>,
        stdin: Option<Feed>,
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
    ) -> io::Result<Self> {
        for fd in [&stdout, &stderr].into_iter().flatten() {
            never_block(fd.as_fd())?;
        }
        Ok(Self {
            exit,
            signals,
            stdin: stdin.filter(|feed| !feed.rest.is_empty()),
            stdout: stdout.map(PipeReader::from),
            stderr: stderr.map(PipeReader::from),
        })
    }

    fn output(&mut self, stream: Stream) -> &mut Option<PipeReader> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn outputs_closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }
}

/// The bytes for the child's input, and the pipe that they go through. Dropping it is the end of
/// the child's input.
#[derive(Debug)]
pub(crate) struct Feed {
    pipe: PipeWriter,
    rest: Vec<u8>,
    written: usize,
}

impl Feed {
    pub(crate) fn new(fd: OwnedFd, bytes: Vec<u8>) -> io::Result<Self> {
        never_block(fd.as_fd())?;
        Ok(Self {
            pipe: fd.into(),
            rest: bytes,
            written: 0,
        })
    }

    /// Whether there is more to write.
    fn write_piece(&mut self) -> io::Result<bool> {
        let rest = &self.rest[self.written..];
        match self.pipe.write(&rest[..rest.len().min(PIECE_BYTES)]) {
            Ok(count) => self.written += count,
            Err(e) if is_later(&e) => {}
            // The child does not want the rest.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(e) => return Err(e),
        }
        Ok(self.written < self.rest.len())
    }
}

/// What the loop has collected when it is over.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) combined: Vec<Chunk>,
    pub(crate) ended: Instant,
    pub(crate) timed_out: bool,
    pub(crate) pipes_left_open: bool,
}

/// A pipe failed, or a signal could not be sent; the caller knows the program's name.
#[derive(Debug)]
pub(crate) enum PumpError {
    Pipe(io::Error),
    Signal(Error),
}

impl PumpError {
    pub(crate) fn into_error(self, named: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Pipe(error) => named(error),
            Self::Signal(error) => error,
        }
    }
}

impl From<io::Error> for PumpError {
    fn from(error: io::Error) -> Self {
        Self::Pipe(error)
    }
}

impl From<Error> for PumpError {
    fn from(error: Error) -> Self {
        Self::Signal(error)
    }
}

/// How far a timeout has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    /// Not at all, so far. With `None` it never will.
    Unused { deadline: Option<Instant> },
    /// SIGTERM was sent.
    Asked { kill_at: Option<Instant> },
    /// SIGKILL was sent.
    Killed,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Output(Stream),
    Stdin,
    Signals,
    Exit,
}

pub(crate) struct Pump<'a> {
    pipes: Pipes,
    process: &'a ProcessHandle,
    observer: Option<Observer>,
    limits: Limits,
    force: Force,
    /// The child was seen to be gone.
    ended: Option<Instant>,
    /// When reading stops although a pipe is open; known once the child is gone.
    drain_until: Option<Instant>,
    drained_bytes: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    combined: Vec<Chunk>,
    piece: Vec<u8>,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        pipes: Pipes,
        process: &'a ProcessHandle,
        observer: Option<Observer>,
        limits: Limits,
        started: Instant,
    ) -> Self {
        // A time too far off for the clock is no limit.
        let deadline = limits.timeout.and_then(|time| started.checked_add(time));
        Self {
            pipes,
            process,
            observer,
            limits,
            force: Force::Unused { deadline },
            ended: None,
            drain_until: None,
            drained_bytes: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            combined: Vec::new(),
            piece: vec![0; PIECE_BYTES],
        }
    }

    pub(crate) fn run(mut self) -> Result<Captured, PumpError> {
        let ended = loop {
            let ready = self.poll()?;
            for &event in &ready {
                self.serve(event)?;
            }
            let now = Instant::now();
            self.keep_time(now)?;
            let quiet = !ready.iter().any(|r| matches!(r, Ready::Output(_)));
            if let Some(ended) = self.ended
                && self.is_done(now, quiet)
            {
                break ended;
            }
        };
        Ok(Captured {
            pipes_left_open: !self.pipes.outputs_closed(),
            timed_out: !matches!(self.force, Force::Unused { .. }),
            stdout: self.stdout,
            stderr: self.stderr,
            combined: self.combined,
            ended,
        })
    }

    fn poll(&self) -> io::Result<Vec<Ready>> {
        let sources = self.sources();
        let mut fds: Vec<PollFd<'_>> = sources
            .iter()
            .map(|(ready, fd)| PollFd::from_borrowed_fd(*fd, wanted(*ready)))
            .collect();
        match poll(&mut fds, self.until_next_deadline().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let found = sources.iter().zip(&fds);
        Ok(found
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|((ready, _), _)| *ready)
            .collect())
    }

    /// In the order in which they are served: the exit last, so that what came before it is read
    /// before it.
    fn sources(&self) -> Vec<(Ready, BorrowedFd<'_>)> {
        let pipes = &self.pipes;
        let mut all = Vec::with_capacity(6);
        all.extend((pipes.stdout.iter()).map(|pipe| (Ready::Output(Stream::Stdout), pipe.as_fd())));
        all.extend((pipes.stderr.iter()).map(|pipe| (Ready::Output(Stream::Stderr), pipe.as_fd())));
        all.extend((pipes.stdin.iter()).map(|feed| (Ready::Stdin, feed.pipe.as_fd())));
        if self.ended.is_none() {
            let signals = pipes.signals.iter().flat_map(Forwarding::fds);
            all.extend(signals.map(|fd| (Ready::Signals, fd)));
            all.push((Ready::Exit, pipes.exit.as_fd()));
        }
        all
    }

    /// `None` waits without limit.
    fn until_next_deadline(&self) -> Option<Timespec> {
        let forced_at = match self.force {
            Force::Unused { deadline } if self.ended.is_none() => deadline,
            Force::Asked { kill_at } => kill_at,
            _ => None,
        };
        let next = forced_at.into_iter().chain(self.drain_until).min()?;
        let time = next.saturating_duration_since(Instant::now());
        Timespec::try_from(time).ok()
    }

    fn serve(&mut self, ready: Ready) -> Result<(), PumpError> {
        match ready {
            Ready::Output(stream) => self.read_piece(stream)?,
            Ready::Stdin => {
                if let Some(feed) = &mut self.pipes.stdin
                    && !feed.write_piece()?
                {
                    self.pipes.stdin = None;
                }
            }
            Ready::Signals => {
                for signal in self.pipes.signals.iter_mut().flat_map(Forwarding::take) {
                    // A child that has become another user's cannot be told; it is followed still.
                    let _ = self.process.signal(signal);
                }
            }
            Ready::Exit => self.note_exit(),
        }
        Ok(())
    }

    fn read_piece(&mut self, stream: Stream) -> io::Result<()> {
        let Some(pipe) = self.pipes.output(stream) else {
            return Ok(());
        };
        let count = match pipe.read(&mut self.piece) {
            Ok(count) => count,
            Err(e) if is_later(&e) => return Ok(()),
            Err(e) => return Err(e),
        };
        if count == 0 {
            *self.pipes.output(stream) = None;
        } else {
            self.keep(stream, count);
        }
        Ok(())
    }

    fn keep(&mut self, stream: Stream, count: usize) {
        let bytes = &self.piece[..count];
        let all = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let start = all.len();
        all.extend_from_slice(bytes);
        self.combined.push(Chunk {
            stream,
            range: start..all.len(),
        });
        if self.ended.is_some() {
            self.drained_bytes += count;
        }
        if let Some(observer) = &self.observer {
            observer.call(stream, bytes, self.process);
        }
    }

    fn note_exit(&mut self) {
        let now = Instant::now();
        self.ended = Some(now);
        self.pipes.stdin = None;
        // After a timeout the descendants have the rest of the grace period first.
        if !matches!(self.force, Force::Asked { .. }) {
            self.drain_until = Some(now + self.limits.drain);
        }
    }

    fn keep_time(&mut self, now: Instant) -> Result<(), Error> {
        match self.force {
            Force::Unused {
                deadline: Some(deadline),
            } if self.ended.is_none() && deadline <= now => {
                self.process.signal_group(Signal::TERM)?;
                let kill_at = now.checked_add(self.limits.grace);
                self.force = Force::Asked { kill_at };
            }
            Force::Asked { kill_at } => {
                let over = kill_at.is_some_and(|at| at <= now);
                let nobody_writes = self.ended.is_some() && self.pipes.outputs_closed();
                if over || nobody_writes {
                    self.kill(now)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn kill(&mut self, now: Instant) -> Result<(), Error> {
        self.force = Force::Killed;
        let sent = self.process.signal_group(Signal::KILL);
        if self.ended.is_some() {
            // The child is gone. Some systems refuse to signal a group of nothing but the dead.
            self.drain_until = Some(now + self.limits.drain);
            return Ok(());
        }
        sent.map(drop)
    }

    /// Called when the child is gone. `quiet`: the last poll found nothing to read.
    fn is_done(&self, now: Instant, quiet: bool) -> bool {
        if matches!(self.force, Force::Asked { .. }) {
            return false;
        }
        let time_is_up = self.drain_until.is_some_and(|until| until <= now);
        let all_read = quiet || self.drained_bytes >= PIPES_HOLD_BYTES;
        self.pipes.outputs_closed() || (time_is_up && all_read)
    }
}

fn wanted(ready: Ready) -> PollFlags {
    match ready {
        Ready::Stdin => PollFlags::OUT,
        Ready::Output(_) | Ready::Signals | Ready::Exit => PollFlags::IN,
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The child's end is another open file and keeps its own mode.
fn never_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    Ok(())
}
