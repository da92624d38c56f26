//! Whether a process still has a file open for writing, or mapped.
//!
//! Linux gives a lease for reading (`fcntl(2)`, `F_SETLEASE`) on a file only if nobody has it open
//! for writing, and a shared mapping keeps the file open. The kernel answers from the file itself,
//! so that processes in other containers count too. The lease is given back at once.

use std::fs::File;
use std::io;
use std::path::Path;

/// Who uses a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nobody writes to it.
    Free,
    /// A process has it open for writing, or mapped.
    Written,
}

/// Asks whether anybody writes to a file.
///
/// # Errors
/// If it cannot be opened, or the file system does not tell.
pub(crate) fn use_of(path: &Path) -> io::Result<Use> {
    // A pipe is not opened, as that would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    lease(&File::open(path)?)
}

/// As in Linux's `asm-generic/fcntl.h`; the crate `libc` does not have it everywhere.
#[cfg(target_os = "linux")]
const F_SETSIG: libc::c_int = 10;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe crate has leases; see SAFETY")]
fn lease(file: &File) -> io::Result<Use> {
    use std::os::fd::AsRawFd;

    let descriptor = file.as_raw_fd();
    let control = |command, argument: libc::c_int| {
        // SAFETY: these commands take an int and touch no memory; the descriptor is open as long as
        // `file` is.
        match unsafe { libc::fcntl(descriptor, command, argument) } {
            -1 => Err(io::Error::last_os_error()),
            value => Ok(value),
        }
    };
    // Should somebody open the file for writing before the lease is given back, the kernel sends a
    // signal: this one, which is ignored by default, instead of SIGIO, which ends the process.
    control(F_SETSIG, libc::SIGURG)?;
    match control(libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Use::Written),
        Err(error) => {
            let reason = format!("cannot tell whether a process writes to it: {error}");
            return Err(io::Error::new(error.kind(), reason));
        }
    }
    control(libc::F_SETLEASE, libc::F_UNLCK)?;
    Ok(Use::Free)
}

#[cfg(not(target_os = "linux"))]
fn lease(_file: &File) -> io::Result<Use> {
    let reason = "cannot tell whether a process writes to it: this system has no leases";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}
