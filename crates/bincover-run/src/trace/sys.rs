//! The system calls for which there is no safe crate, each in a function that is safe to call.
//!
//! `nix` has `ptrace` and `waitpid`, but takes only the signals that have names: a stop at a
//! real-time signal, which the C library uses among its threads, would be lost.

#![expect(
    unsafe_code,
    reason = "ptrace, waitid, kcmp and seccomp have no safe wrapper that fits; see above"
)]

use std::io::{self, Error};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_int, c_long, c_void, pid_t, sock_filter};

/// What a process that is waited for has done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Status {
    /// It has ended.
    Ended,
    /// It is stopped: by this signal, or at this event.
    Stopped { signal: c_int, event: c_int },
}

/// Sent to the child: it is traced, or it is not and goes on without.
pub(super) const TRACED: u8 = 1;
pub(super) const NOT_TRACED: u8 = 0;

/// What is set from the start on, and when the program runs.
///
/// The end of a child that could not execute its program is no event, since the standard library
/// waits for it, and a wait from another thread of our process would be told of our stop.
pub(super) const FIRST_OPTIONS: c_int = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACESECCOMP;
pub(super) const OPTIONS: c_int = FIRST_OPTIONS | libc::PTRACE_O_TRACEEXIT;

const OUR_TRACEES: c_int = libc::__WALL | libc::__WNOTHREAD;

fn pid(id: u32) -> pid_t {
    // The kernel's ids are below 2^22; -1 is nobody's.
    pid_t::try_from(id).unwrap_or(-1)
}

fn ok(result: c_long) -> io::Result<()> {
    match result {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

fn ptrace(request: libc::c_uint, id: u32, data: c_long) -> io::Result<()> {
    // SAFETY: the requests that come here take `data` as a number and write to no memory of ours.
    ok(unsafe { libc::ptrace(request, pid(id), ptr::null_mut::<c_void>(), data) })
}

/// Becomes the tracer of a process; it is not stopped.
pub(super) fn seize(id: u32) -> io::Result<()> {
    ptrace(libc::PTRACE_SEIZE, id, FIRST_OPTIONS.into())
}

pub(super) fn set_options(id: u32) -> io::Result<()> {
    ptrace(libc::PTRACE_SETOPTIONS, id, OPTIONS.into())
}

/// Lets a stopped thread go on, with a signal or (0) without, from the stop that was heard of last.
///
/// SIGKILL takes a thread out of any stop, to its next one, at its end, and that must not be passed
/// over. To ask first leaves a gap of two system calls, in which a thread that is killed would have to
/// be woken and come to its end; what then is lost is said to be lost.
pub(super) fn go_on(id: u32, signal: c_int) -> io::Result<()> {
    match peek(Some(id), libc::WNOHANG)? {
        Some(_) => Ok(()),
        None => ptrace(libc::PTRACE_CONT, id, signal.into()),
    }
}

/// Leaves a thread stopped that job control has stopped, and goes on being told of it.
pub(super) fn leave_stopped(id: u32) -> io::Result<()> {
    ptrace(libc::PTRACE_LISTEN, id, 0)
}

/// Lets a stopped thread go on, untraced.
pub(super) fn detach(id: u32) -> io::Result<()> {
    ptrace(libc::PTRACE_DETACH, id, 0)
}

/// The number that comes with an event: the new process's id, or the old id of one that executed.
pub(super) fn event_message(id: u32) -> io::Result<u32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: this request writes one unsigned long to where its last argument points.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            pid(id),
            ptr::null_mut::<c_void>(),
            &raw mut message,
        )
    };
    ok(result)?;
    u32::try_from(message).map_err(|_| Error::from(io::ErrorKind::InvalidData))
}

/// What the filter said about the call at which a thread is stopped, and the call's first argument.
pub(super) fn filtered_call(id: u32) -> io::Result<(u32, u64)> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let size = mem::size_of_val(&info);
    // SAFETY: this request writes at most `size` bytes to where its last argument points, where there
    // are as many.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            pid(id),
            size,
            info.as_mut_ptr(),
        )
    };
    ok(result)?;
    // SAFETY: the structure was zeroed, and consists of integers, for which all bits are valid.
    let info = unsafe { info.assume_init() };
    if info.op != libc::PTRACE_SYSCALL_INFO_SECCOMP {
        return Err(Error::from(io::ErrorKind::InvalidData));
    }
    // SAFETY: the field that `op` names is the one that the kernel filled; all bits are valid.
    let call = unsafe { info.u.seccomp };
    Ok((call.ret_data, call.args[0]))
}

/// Waits for `only`, or for any that this thread traces, without taking notice: the next wait says the
/// same. `true`: it has ended. With WNOHANG there may be nothing to hear of.
fn peek(only: Option<u32>, more_options: c_int) -> io::Result<Option<(u32, bool)>> {
    let (kind, id) = match only {
        Some(id) => (libc::P_PID, id),
        None => (libc::P_ALL, 0),
    };
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | OUR_TRACEES | more_options;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: `waitid` writes one structure to where it is told.
        let result = unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) };
        match ok(result.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => {
                other?;
                break;
            }
        }
    }
    // SAFETY: the structure was zeroed, for which all its fields are valid, and then filled.
    let info = unsafe { info.assume_init() };
    let has_ended = matches!(
        info.si_code,
        libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED
    );
    // SAFETY: `waitid` has filled the part of the structure that tells of children.
    let id = unsafe { info.si_pid() };
    Ok((id > 0).then_some((id.unsigned_abs(), has_ended)))
}

/// Waits for the next event of `only`, or of any that this thread traces. The end of `kept` is left
/// for its parent to hear of.
pub(super) fn wait(only: Option<u32>, kept: u32) -> io::Result<(u32, Status)> {
    let heard = peek(only, 0)?;
    take(heard.ok_or(io::ErrorKind::Interrupted)?, kept)
}

/// The next event of any that this thread traces, if there is one by now.
pub(super) fn wait_now(kept: u32) -> io::Result<Option<(u32, Status)>> {
    let heard = peek(None, libc::WNOHANG)?;
    heard.map(|heard| take(heard, kept)).transpose()
}

/// Hears of what was peeked at.
fn take((id, has_ended): (u32, bool), kept: u32) -> io::Result<(u32, Status)> {
    if has_ended && id == kept {
        return Ok((id, Status::Ended));
    }
    let mut status = 0;
    // SAFETY: `waitpid` writes one integer to where it is told.
    let result = unsafe { libc::waitpid(pid(id), &raw mut status, OUR_TRACEES | libc::WNOHANG) };
    ok(result.into())?;
    let status = match libc::WIFSTOPPED(status) {
        // Between the two calls it was killed, or somebody else heard of it.
        _ if result == 0 => return Err(Error::from(io::ErrorKind::Interrupted)),
        true => Status::Stopped {
            signal: libc::WSTOPSIG(status),
            event: status >> 16,
        },
        false => Status::Ended,
    };
    Ok((id, status))
}

/// The id of the thread that asks.
pub(super) fn own_thread() -> u32 {
    // SAFETY: `gettid` has no conditions.
    unsafe { libc::gettid() }.unsigned_abs()
}

/// The two processes share their memory. `None`: the kernel cannot say.
pub(super) fn share_memory(one: u32, other: u32) -> Option<bool> {
    const KCMP_VM: c_int = 1;
    // SAFETY: `kcmp` compares what two processes have, and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, pid(one), pid(other), KCMP_VM, 0, 0) };
    (result >= 0).then_some(result == 0)
}

/// Has the child of `command`, before it executes its program, tell its id on `channel`, wait for an
/// answer there, install the filter if it is traced, and tell how that went (an error number, or 0).
///
/// `tracers_end` is the other end, which the child closes, so that it sees when nobody answers.
pub(super) fn wait_for_tracer(
    command: &mut Command,
    tracers_end: &UnixStream,
    channel: UnixStream,
    filter: Vec<sock_filter>,
) {
    let tracers_end = tracers_end.as_raw_fd();
    let prepare = move || {
        // SAFETY: in the child, which has one thread, nobody uses this copy of the descriptor.
        unsafe { libc::close(tracers_end) };
        let own = channel.as_raw_fd();
        // SAFETY: `getpid` has no conditions.
        let id = unsafe { libc::getpid() };
        send(own, &id.to_ne_bytes());
        if receive(own) == Some(TRACED) {
            send(own, &install(&filter).to_ne_bytes());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls alone; it neither allocates nor
    // locks anything.
    unsafe { command.pre_exec(prepare) };
}

fn send(socket: RawFd, bytes: &[u8]) {
    // SAFETY: the pointer and the length are those of one slice. Nobody listening is no harm.
    unsafe {
        libc::send(
            socket,
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL,
        );
    }
}

fn receive(socket: RawFd) -> Option<u8> {
    let mut byte = 0_u8;
    loop {
        // SAFETY: one byte may be written to where the second argument points.
        let count = unsafe { libc::recv(socket, (&raw mut byte).cast(), 1, 0) };
        match count {
            1 => return Some(byte),
            -1 if Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

/// Installs the filter in this process; an error number, or 0.
fn install(filter: &[sock_filter]) -> c_int {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_ptr().cast_mut(),
    };
    let set = || {
        // SAFETY: the kernel reads the program, whose pointer and length are those of one slice.
        let result = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        match result {
            0 => 0,
            _ => Error::last_os_error().raw_os_error().unwrap_or(-1),
        }
    };
    match set() {
        libc::EACCES => {
            // SAFETY: this sets a flag of the process.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            set()
        }
        other => other,
    }
}
