//! The memory of another process, through `/proc/PID/mem`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::{Error, Result};

/// The memory of a process. It stays readable while the process exists, and while something holds
/// it at its end.
#[derive(Debug)]
pub struct Memory {
    file: File,
    pid: u32,
}

impl Memory {
    /// The memory of a process, or of one of its threads, which is the same.
    ///
    /// # Errors
    ///
    /// There is no such process, or it may not be read.
    pub fn open(pid: u32) -> Result<Self> {
        let file = File::open(format!("/proc/{pid}/mem"))
            .map_err(|error| Error::io(pid, "open its memory", &error))?;
        Ok(Self { file, pid })
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// `len` bytes from `address` on. The caller has bounded `len` by what is mapped.
    pub(crate) fn read(&self, address: u64, len: u64, what: &str) -> Result<Vec<u8>> {
        let len = usize::try_from(len).map_err(|error| Error::unreadable(self.pid, error))?;
        let mut bytes = vec![0; len];
        self.fill(address, &mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::io(
                    self.pid,
                    what,
                    // A process whose memory is gone reads as an empty file.
                    &io::Error::from(io::ErrorKind::NotFound),
                ),
                _ => Error::unreadable(self.pid, format_args!("{what} at {address:#x}: {error}")),
            })?;
        Ok(bytes)
    }

    fn fill(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, address)
    }

    /// The last of `len` bytes from `address` on can be read: a claim of a length that memory backs.
    pub(crate) fn holds(&self, address: u64, len: u64) -> bool {
        let last = len.checked_sub(1).and_then(|len| address.checked_add(len));
        last.is_some_and(|last| self.peek(last, &mut [0]))
    }

    /// Fills `bytes` from `address` on, if all of that can be read.
    pub(crate) fn peek(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.fill(address, bytes).is_ok()
    }
}
