//! Folders and files of ours at places where somebody else may have put a link before us: a repository that was
//! cloned has whatever links its author liked.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// Makes a folder that its owner alone can look into, unless it is there. The folders above get the usual
/// permissions.
///
/// # Errors
/// If it is a link, or cannot be made.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let make = || {
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    };
    check(path)?;
    make().map_err(|source| Error::write(path, source))
}

/// Checks that a file or folder, if it is there, is no link.
///
/// # Errors
/// If it is one.
pub(crate) fn check(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        true => Err(Error::write(path, link())),
        false => Ok(()),
    }
}

/// Opens a file, unless it is a link.
///
/// # Errors
/// If it is one, or cannot be opened.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let opened = options.custom_flags(libc::O_NOFOLLOW).open(path);
    opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => link(),
        _ => error,
    })
}

fn link() -> io::Error {
    io::Error::other("expected bincover's own, found a link, which leads elsewhere")
}
