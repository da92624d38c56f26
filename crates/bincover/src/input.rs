//! The one place where files are mapped into memory.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

use crate::error::{Error, Result};

/// Maps an object file. Only objects are mapped: they are large, of which little is read, and
/// nothing writes to them. Profiles, to which a live process may write, are read.
#[expect(unsafe_code, reason = "mapping a file is unsafe; see SAFETY")]
pub(crate) fn map_object(path: &Path) -> Result<Mmap> {
    let fail = |source| Error::read(path, source);
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(ErrorKind::IsADirectory.into()));
    }
    // A thin archive names members and a store programs; opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(fail(std::io::Error::other("it is no regular file")));
    }
    let file = File::open(path).map_err(fail)?;
    // SAFETY: the mapping is private and read-only. If another process changes the file
    // meanwhile, we may read old bytes or new ones: every reader checks what it reads, but two
    // reads of one byte could differ. If another process truncates the file, touching what is
    // gone ends ours with SIGBUS. Compilers and linkers replace executables rather than truncate
    // them (a running one cannot be written at all), and reading a binary while it is being
    // linked is a mistake of its own.
    unsafe { Mmap::map(&file) }.map_err(fail)
}

/// Lets go of the memory that a mapped object takes. What is needed again is read again.
#[expect(unsafe_code, reason = "advice may lose what was written; see SAFETY")]
pub(crate) fn release(object: &Mmap) {
    // SAFETY: nothing is ever written to this memory, so what is dropped is what the file holds, from
    // which it comes back. If it cannot be dropped, it stays.
    let _ = unsafe { object.unchecked_advise(UncheckedAdvice::DontNeed) };
}

#[cfg(test)]
mod tests {
    use bincover_testkit::{fixture, fixture_bytes};

    use super::*;

    #[test]
    fn what_was_released_is_read_again() {
        const OBJECT: &str = "object/rust-v10/app.elf";
        let object = map_object(&fixture(OBJECT)).unwrap();
        for _ in 0..2 {
            assert!(object[..] == fixture_bytes(OBJECT)[..]);
            release(&object);
        }
    }
}
