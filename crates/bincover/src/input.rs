//! The one place where files are mapped into memory.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// Maps an object file. Only objects are mapped: they are large, of which little is read, and
/// nothing writes to them. Profiles, to which a live process may write, are read.
#[expect(unsafe_code, reason = "mapping a file is unsafe; see SAFETY")]
pub(crate) fn map_object(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|source| Error::read(path, source))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::read(path, ErrorKind::IsADirectory.into()));
    }
    // SAFETY: the mapping is private and read-only. If another process changes the file
    // meanwhile, we may read old bytes or new ones: every reader checks what it reads, but two
    // reads of one byte could differ. If another process truncates the file, touching what is
    // gone ends ours with SIGBUS. Compilers and linkers replace executables rather than truncate
    // them (a running one cannot be written at all), and reading a binary while it is being
    // linked is a mistake of its own.
    unsafe { Mmap::map(&file) }.map_err(|source| Error::read(path, source))
}
