//! Folders and files of ours at places where somebody else may have put a link before us: a repository that was
//! cloned has whatever links its author liked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
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

/// Checks that a file that others will open by its name, if it is there, is a regular one.
///
/// # Errors
/// If it is not.
pub(crate) fn check_file(path: &Path) -> Result<()> {
    check(path)?;
    match std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        true => Err(Error::write(path, not_a_file())),
        false => Ok(()),
    }
}

/// Opens a file, unless it is a link or no regular file.
///
/// # Errors
/// If it is one, or cannot be opened.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // A pipe would wait for its other end.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = options.custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => link(),
        // A pipe without its other end, or a socket.
        Some(libc::ENXIO) => not_a_file(),
        _ => error,
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(not_a_file()),
    }
}

/// Reads a file, unless it is a link or no regular file.
///
/// # Errors
/// As [`open`], or if it cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(File::options().read(true), path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a folder, unless it is a link.
///
/// # Errors
/// If it is one, or no folder, or cannot be opened.
pub(crate) fn open_folder(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_DIRECTORY;
    File::options().read(true).custom_flags(flags).open(path)
}

/// Deletes what is in a folder, and the folder unless something has come into it meanwhile: others may be at work
/// there. Of a link, the link goes.
///
/// # Errors
/// If something that is in it cannot be deleted.
pub(crate) fn empty(folder: &Path) -> io::Result<()> {
    let gone_is_done = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    if folder.is_symlink() {
        return gone_is_done(std::fs::remove_file(folder));
    }
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        gone_is_done(match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path()),
            false => std::fs::remove_file(entry.path()),
        })?;
    }
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

fn link() -> io::Error {
    io::Error::other("expected bincover's own, found a link, which leads elsewhere")
}

fn not_a_file() -> io::Error {
    io::Error::other("expected a file of bincover's own, found none that is regular")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    /// What comes into a folder while it is emptied stays, and is no error: as often as that is tried here,
    /// `remove_dir_all` fails some ten times.
    #[test]
    fn a_folder_is_emptied_while_others_write_to_it() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("f");
        let is_over = AtomicBool::new(false);
        let write = |writer: u32| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                let _ = folder(&path);
                let _ = std::fs::write(path.join(format!("{writer}-{number}")), "");
                number += 1;
            }
        };
        let write = &write;
        std::thread::scope(|scope| {
            for writer in 0..2 {
                scope.spawn(move || write(writer));
            }
            let emptied: Vec<_> = (0..200)
                .map(|_| {
                    std::thread::sleep(Duration::from_millis(1));
                    empty(&path)
                })
                .collect();
            is_over.store(true, Ordering::Relaxed);
            for result in emptied {
                result.unwrap();
            }
        });
        empty(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_a_link_leads_to_is_not_emptied() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("theirs")).unwrap();
        std::fs::write(top.path().join("theirs/a"), "theirs").unwrap();
        let link = top.path().join("f");
        std::os::unix::fs::symlink("theirs", &link).unwrap();
        empty(&link).unwrap();
        assert!(!link.is_symlink() && top.path().join("theirs/a").exists());
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let top = tempfile::tempdir().unwrap();
        let pipe = top.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for options in [File::options().read(true), File::options().append(true)] {
            let error = open(options, &pipe).unwrap_err().to_string();
            assert!(error.contains("found none that is regular"), "{error}");
        }
        assert!(check_file(&pipe).is_err() && check_file(top.path()).is_err());
        assert!(check_file(&top.path().join("none")).is_ok());
    }
}
