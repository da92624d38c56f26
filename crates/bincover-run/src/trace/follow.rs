//! The tracer's thread: one loop over what the kernel tells.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::sys::{self, Status};
use super::{Limit, Traced, Tracer, Tracing, filter};

/// A process, in the kernel's words a thread group.
#[derive(Debug, Default)]
struct Process {
    parent: Option<u32>,
    /// Its threads that have not come to their ends.
    threads: HashSet<u32>,
    /// Those that have, as long as the process may still list them.
    ended: HashSet<u32>,
    /// It runs a program, and not between fork and exec a part of ours.
    has_program: bool,
    /// Its memory is another process's (after `vfork`).
    is_guest: bool,
    /// The thread that has asked for another program.
    exec_by: Option<u32>,
    /// A thread that is kept at its end, so that the memory is there when the last one is gone.
    keeper: Option<u32>,
}

impl Process {
    /// Has a program and a memory of its own.
    fn is_of_interest(&self) -> bool {
        self.has_program && !self.is_guest
    }
}

/// The signals that end a process without a core dump. Where there is one, older kernels have the
/// thread that writes it wait for all others to be gone, so that none may be kept.
const PLAIN_ENDS: &[i32] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGKILL,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// When a process remembers more ended threads than this, those that are gone are forgotten.
const MANY_ENDED: usize = 1024;

pub(super) struct Follow {
    tracing: Tracing,
    tracer: Arc<dyn Tracer>,
    channel: UnixStream,
    processes: HashMap<u32, Process>,
    /// Of each thread that has not come to its end, its process.
    threads: HashMap<u32, u32>,
    /// Those that have stopped for the first time before whoever started them has told us, and how they
    /// go on then.
    parked: HashMap<u32, i32>,
    /// Those that ended before whoever started them has told us, and the process that will, unless it
    /// ends, too.
    ended_unannounced: HashMap<u32, u32>,
    sees_calls: bool,
    main: u32,
}

impl Drop for Follow {
    /// Also when a tracer panics: nobody may wait for ever. The kernel then ends what is left.
    fn drop(&mut self) {
        self.tracing.change(|state| {
            state.live.clear();
            state.released = true;
            state.ended = true;
        });
    }
}

impl Follow {
    pub(super) fn new(tracing: Tracing, tracer: Arc<dyn Tracer>, channel: UnixStream) -> Self {
        Self {
            tracing,
            tracer,
            channel,
            processes: HashMap::new(),
            threads: HashMap::new(),
            parked: HashMap::new(),
            ended_unannounced: HashMap::new(),
            sees_calls: false,
            main: 0,
        }
    }

    pub(super) fn run(mut self) {
        if self.attach() && self.wait_for_program() {
            self.follow();
        }
    }

    /// Attaches to the child, which waits for that. `false`: there is none, or we may not.
    fn attach(&mut self) -> bool {
        let mut id = [0; 4];
        if self.channel.read_exact(&mut id).is_err() {
            return false;
        }
        self.main = u32::from_ne_bytes(id);
        if self.main == 0 {
            return false;
        }
        let seized = sys::seize(self.main);
        let answer = match &seized {
            Ok(()) => sys::TRACED,
            Err(_) => sys::NOT_TRACED,
        };
        // A child that is gone does not read it.
        let _ = self.channel.write_all(&[answer]);
        if let Err(error) = seized {
            let limit = Limit::NotTraced(error.to_string());
            self.tracing.change(|state| state.limit = Some(limit));
            return false;
        }
        let process = self.processes.entry(self.main).or_default();
        process.threads.insert(self.main);
        self.threads.insert(self.main, self.main);
        let main = self.main;
        self.tracing.change(|state| {
            state.live.insert(main);
        });
        true
    }

    /// Until the child executes its program it is a copy of ours, and if that fails, the standard
    /// library waits for it. So we take notice of nothing but its stops.
    fn wait_for_program(&mut self) -> bool {
        loop {
            match sys::wait(Some(self.main), self.main) {
                Ok((id, Status::Stopped { signal, event })) => {
                    if event == libc::PTRACE_EVENT_EXEC {
                        // It fails only for a process that was killed this moment.
                        let _ = sys::set_options(id);
                        self.note_filter();
                        self.stopped(id, signal, event);
                        return true;
                    }
                    match event {
                        libc::PTRACE_EVENT_STOP => self.stopped(id, signal, event),
                        0 => go_on(id, signal),
                        _ => go_on(id, 0),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok((_, Status::Ended)) | Err(_) => return false,
            }
        }
    }

    /// The child has told whether it got its filter, or it got none on this architecture.
    fn note_filter(&mut self) {
        let mut result = [0; 4];
        let told = self.channel.set_nonblocking(true);
        let told = told.and_then(|()| self.channel.read_exact(&mut result));
        let error = match (told, i32::from_ne_bytes(result)) {
            (Ok(()), 0) => {
                self.sees_calls = true;
                return;
            }
            (Ok(()), number) => io::Error::from_raw_os_error(number),
            (Err(error), _) => error,
        };
        let limit = Limit::ExecNotSeen(error.to_string());
        self.tracing.change(|state| state.limit = Some(limit));
    }

    fn follow(&mut self) {
        loop {
            match self.next() {
                Ok((id, Status::Stopped { signal, event })) => self.stopped(id, signal, event),
                Ok((id, Status::Ended)) if id == self.main => {
                    // Killed where it could not stop. It is there until its parent has heard of it.
                    self.lost(id);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok((id, Status::Ended)) => self.lost(id),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody is left.
                Err(_) => return,
            }
        }
    }

    /// Waits for what the kernel tells next.
    ///
    /// Of a first thread that was killed where it could not stop it tells nothing as long as another thread of the
    /// process is there. If that is one that is kept, both would wait for ever, so it is looked at.
    fn next(&self) -> io::Result<(u32, Status)> {
        loop {
            let mut waiting = self.processes.iter().filter(|(pid, process)| {
                let is_alone = process.threads.len() == 1 && process.threads.contains(pid);
                process.keeper.is_some() && is_alone
            });
            let Some(first) = waiting.next() else {
                return sys::wait(None, self.main);
            };
            if let Some(heard) = sys::wait_now(self.main)? {
                return Ok(heard);
            }
            let mut waiting = std::iter::once(first).chain(waiting);
            if let Some((pid, _)) = waiting.find(|(pid, _)| is_dead(**pid)) {
                return Ok((*pid, Status::Ended));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn stopped(&mut self, id: u32, signal: i32, event: i32) {
        let pid = match self.threads.get(&id) {
            Some(pid) => *pid,
            None if event == libc::PTRACE_EVENT_EXEC => id,
            // It has executed nothing yet. What it is, its parent's stop will tell, which is near.
            None if event == libc::PTRACE_EVENT_STOP => {
                self.parked.insert(id, signal);
                return;
            }
            None => self.adopt(id),
        };
        match event {
            0 => go_on(id, signal),
            libc::PTRACE_EVENT_STOP => go_on_or_stay(id, signal),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                let may_share = event == libc::PTRACE_EVENT_VFORK;
                if let Ok(new) = sys::event_message(id) {
                    self.announced(id, pid, new, may_share);
                }
                go_on(id, 0);
            }
            libc::PTRACE_EVENT_SECCOMP => {
                self.filtered(id, pid);
                go_on(id, 0);
            }
            libc::PTRACE_EVENT_EXEC => {
                self.executed(id);
                go_on(id, 0);
            }
            libc::PTRACE_EVENT_EXIT => self.thread_ends(id, pid),
            _ => go_on(id, 0),
        }
    }

    fn traced(&self, pid: u32, thread: u32) -> Traced {
        let process = self.processes.get(&pid);
        Traced {
            pid,
            thread,
            parent: process.and_then(|process| process.parent),
            sees_calls: self.sees_calls,
        }
    }

    /// A thread tells that it has started `new`, which may have stopped already, or even ended.
    fn announced(&mut self, id: u32, pid: u32, new: u32, may_share: bool) {
        if self.ended_unannounced.remove(&new).is_some() {
            return;
        }
        // A thread that was killed in this stop may be at its end, and the number its exit status.
        if !self.parked.contains_key(&new) && Origin::of(new).tracer != Some(sys::own_thread()) {
            return;
        }
        self.born(id, pid, new, may_share);
        if let Some(signal) = self.parked.remove(&new) {
            go_on_or_stay(new, signal);
        }
    }

    /// A thread is at its end, of which nobody has told us: it was killed at its beginning, and has
    /// executed nothing. Gives back its process.
    fn adopt(&mut self, id: u32) -> u32 {
        self.parked.remove(&id);
        let origin = Origin::of(id);
        if let Some(by) = origin
            .started_by(id)
            .filter(|by| self.processes.contains_key(by))
        {
            self.ended_unannounced.insert(id, by);
        }
        match origin.process {
            Some(pid) if pid != id => {
                self.add_thread(pid, id);
                pid
            }
            _ => {
                self.add_process(id, origin.parent, true);
                id
            }
        }
    }

    /// Those that a process has started and can tell no more of: the thread that would have was killed.
    /// A parent that has lent out its memory waits until it has it back, so theirs is their own.
    fn unpark(&mut self, pid: u32) {
        let mut waiting = std::mem::take(&mut self.parked);
        waiting.retain(|id, signal| {
            if Origin::of(*id).started_by(*id) != Some(pid) {
                return true;
            }
            self.born(pid, pid, *id, false);
            go_on_or_stay(*id, *signal);
            false
        });
        self.parked = waiting;
        self.ended_unannounced.retain(|_, by| *by != pid);
    }

    /// `new` is a thread of `pid`, or a process that its thread `parent` has started.
    fn born(&mut self, parent: u32, pid: u32, new: u32, may_share: bool) {
        if Path::new(&format!("/proc/{pid}/task/{new}")).exists() {
            return self.add_thread(pid, new);
        }
        let has_program = self.processes.get(&pid).is_some_and(|one| one.has_program);
        let is_guest = sys::share_memory(parent, new).unwrap_or(may_share);
        self.add_process(new, Some(pid), is_guest);
        if let Some(process) = self.processes.get_mut(&new) {
            process.has_program = has_program;
        }
        if has_program && !is_guest {
            let (parent, child) = (self.traced(pid, parent), self.traced(new, new));
            self.tracer.forked(&parent, &child);
        }
    }

    fn add_thread(&mut self, pid: u32, id: u32) {
        let process = self.processes.entry(pid).or_default();
        process.threads.insert(id);
        process.ended.remove(&id);
        self.threads.insert(id, pid);
    }

    fn add_process(&mut self, pid: u32, parent: Option<u32>, is_guest: bool) {
        let process = self.processes.entry(pid).or_default();
        process.parent = parent;
        process.is_guest = is_guest;
        process.has_program = true;
        self.add_thread(pid, pid);
        self.tracing.change(|state| {
            state.live.insert(pid);
        });
    }

    fn filtered(&mut self, id: u32, pid: u32) {
        let Ok((what, first)) = sys::filtered_call(id) else {
            return;
        };
        let traced = self.traced(pid, id);
        let Some(process) = self.processes.get_mut(&pid) else {
            return;
        };
        if !process.is_of_interest() {
            return;
        }
        match what {
            filter::EXEC => {
                process.exec_by = Some(id);
                self.tracer.about_to_exec(&traced);
            }
            filter::LOCK => {
                if let Ok(descriptor) = u32::try_from(first) {
                    self.tracer.about_to_lock(&traced, descriptor);
                }
            }
            _ => {}
        }
    }

    /// All other threads of the process are gone, and the one that is left has the process's id.
    fn executed(&mut self, pid: u32) {
        let process = self.processes.entry(pid).or_default();
        for thread in process.threads.drain() {
            self.threads.remove(&thread);
        }
        process.ended.clear();
        process.exec_by = None;
        let was_its_own = process.is_of_interest();
        process.keeper = None;
        process.has_program = true;
        process.is_guest = false;
        self.add_thread(pid, pid);
        self.unpark(pid);
        let traced = self.traced(pid, pid);
        if was_its_own {
            self.tracer.exec_done(&traced);
        }
        self.tracer.started(&traced);
    }

    /// A thread is at its end. It is let go, so that nobody but its real parent hears of what follows.
    fn thread_ends(&mut self, id: u32, pid: u32) {
        if self.forget_thread(id, pid) {
            self.process_ends(pid, Some(id));
            let _ = sys::detach(id);
            self.forget_process(pid);
            return;
        }
        let sees_calls = self.sees_calls;
        let Some(process) = self.processes.get_mut(&pid) else {
            let _ = sys::detach(id);
            return;
        };
        // A thread that was killed when it had just begun may end without a stop. One that is kept
        // makes good for that; but nobody may wait for it, as a thread that executes a program would.
        let is_killed = || sys::event_message(id).is_ok_and(is_plain_end);
        let is_alone = process.exec_by.is_none() && process.keeper.is_none();
        if process.is_of_interest() && sees_calls && is_alone && is_killed() {
            process.keeper = Some(id);
            return;
        }
        // Another thread has asked for a new program, and is the only one that is left.
        if let Some(by) = process.exec_by
            && process.threads.len() == 1
            && process.threads.contains(&by)
            && process.is_of_interest()
        {
            self.tracer.about_to_exec(&self.traced(pid, id));
        }
        let _ = sys::detach(id);
    }

    /// All threads of a process have come to their ends: this one now, if it is there still, and
    /// perhaps one that was kept.
    fn process_ends(&mut self, pid: u32, last: Option<u32>) {
        self.unpark(pid);
        let Some(process) = self.processes.get(&pid) else {
            return;
        };
        let keeper = process.keeper;
        if process.is_of_interest() {
            match last.or(keeper) {
                Some(thread) => self.tracer.process_ends(&self.traced(pid, thread)),
                None => self.tracer.process_lost(&self.traced(pid, pid)),
            }
        }
        if let Some(keeper) = keeper {
            let _ = sys::detach(keeper);
        }
    }

    /// `true`: it was the last one of its process.
    fn forget_thread(&mut self, id: u32, pid: u32) -> bool {
        self.threads.remove(&id);
        let Some(process) = self.processes.get_mut(&pid) else {
            return false;
        };
        process.threads.remove(&id);
        process.ended.insert(id);
        if process.ended.len() > MANY_ENDED {
            let is_listed = |id: &u32| Path::new(&format!("/proc/{pid}/task/{id}")).exists();
            process.ended.retain(is_listed);
        }
        process.threads.is_empty() && !has_others(pid, &process.ended)
    }

    fn forget_process(&mut self, pid: u32) {
        self.processes.remove(&pid);
        let is_main = pid == self.main;
        self.tracing.change(|state| {
            state.live.remove(&pid);
            state.released |= is_main;
        });
    }

    /// It was killed where it could not stop.
    fn lost(&mut self, id: u32) {
        let Some(pid) = self.threads.get(&id).copied() else {
            self.lost_keeper(id);
            return self.end_without_others();
        };
        if self.forget_thread(id, pid) || id == self.main {
            self.process_ends(pid, None);
            self.forget_process(pid);
        }
    }

    /// A thread that we had not heard of is gone, killed before its first stop: it may have been the last of its
    /// process, of which the others have come to their ends before, and one may be kept.
    fn end_without_others(&mut self) {
        let is_over = |(pid, process): &(&u32, &Process)| {
            process.threads.is_empty() && !has_others(**pid, &process.ended)
        };
        let over: Vec<u32> = self
            .processes
            .iter()
            .filter(is_over)
            .map(|(pid, _)| *pid)
            .collect();
        for pid in over {
            self.process_ends(pid, None);
            self.forget_process(pid);
        }
    }

    /// A thread that was kept is gone all the same.
    fn lost_keeper(&mut self, id: u32) {
        for process in self.processes.values_mut() {
            if process.keeper == Some(id) {
                process.keeper = None;
            }
        }
    }
}

/// The exit status, as an event tells it, is that of a thread that a signal has ended.
fn is_plain_end(status: u32) -> bool {
    i32::try_from(status).is_ok_and(|status| PLAIN_ENDS.contains(&status))
}

/// The first thread of a process has come to its end, though others may not.
fn is_dead(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let state = lines.find_map(|line| line.strip_prefix("State:"));
    state.is_none_or(|state| state.trim_start().starts_with(['Z', 'X']))
}

/// Where a thread comes from, as `/proc` says.
struct Origin {
    process: Option<u32>,
    parent: Option<u32>,
    /// The thread that traces it.
    tracer: Option<u32>,
}

impl Origin {
    fn of(id: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let number = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name))?;
            value.trim().parse::<u32>().ok()
        };
        Self {
            process: number("Tgid:"),
            parent: number("PPid:"),
            tracer: number("TracerPid:"),
        }
    }

    /// The process that has started the thread `id`.
    fn started_by(&self, id: u32) -> Option<u32> {
        match self.process {
            Some(pid) if pid != id => Some(pid),
            _ => self.parent,
        }
    }
}

/// A thread that was killed meanwhile needs nothing more.
fn go_on(id: u32, signal: i32) {
    let _ = sys::go_on(id, signal);
}

/// The same, from a stop that job control may have asked for; then it stays stopped.
fn go_on_or_stay(id: u32, signal: i32) {
    match signal {
        libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => {
            let _ = sys::leave_stopped(id);
        }
        _ => go_on(id, 0),
    }
}

/// The process has threads that have not come to their ends and that we have not heard of yet.
fn has_others(pid: u32, ended: &HashSet<u32>) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    let mut ids = threads
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.any(|id| !ended.contains(&id))
}
