//! Writes outputs so that they are whole or absent.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bincover_model::Coverage;
use bincover_report::{Format, Options};

use crate::error::{Error, Result};

/// The folder in which `path` lies; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Checks that an output can be put at `path`, so that a mistake shows before the long work.
///
/// # Errors
/// If the folder does not exist, or `path` is itself a folder.
pub fn check_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        });
    }
    if path.is_dir() {
        let source = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(Error::write(path, source));
    }
    Ok(())
}

/// Writes a file beside `path` and renames it, so that there is the old file or the new one and
/// never half of it. What is no regular file (a device, a pipe) is written to as it is.
///
/// # Errors
/// If it cannot be written; what was there is then as it was.
pub fn write_atomically(
    path: &Path,
    emit: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    check_folder(path)?;
    let fail = |source| Error::write(path, source);
    let existing = std::fs::metadata(path).ok();
    if existing
        .as_ref()
        .is_some_and(|metadata| !metadata.is_file())
    {
        let mut file = std::fs::File::options()
            .write(true)
            .open(path)
            .map_err(fail)?;
        return emit(&mut file).map_err(fail);
    }
    // A link stays a link: what it leads to is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = tempfile::Builder::new();
    beside.prefix(".bincover-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As `open` would: the process's umask takes its part off.
        let mode = existing.map_or(0o666, |metadata| metadata.permissions().mode());
        beside.permissions(std::fs::Permissions::from_mode(mode & 0o777));
    }
    let mut file = beside.tempfile_in(folder_of(&target)).map_err(fail)?;
    emit(file.as_file_mut()).map_err(fail)?;
    file.persist(&target).map_err(|error| fail(error.error))?;
    Ok(())
}

/// Makes folders that only their owner can look into, with names that nobody can guess.
pub(crate) fn private_folder(prefix: &OsStr) -> tempfile::Builder<'_, '_> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder
}

/// Writes a report in each of the formats, all from the same coverage; returns where.
///
/// # Errors
/// At the first that cannot be written; those before it have been.
pub fn write_reports<'f>(
    coverage: &Coverage,
    options: &Options,
    reports: impl IntoIterator<Item = (&'f Format, PathBuf)>,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (format, path) in reports {
        write_atomically(&path, |out| (format.emit)(coverage, options, out))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, "old").unwrap();
        let result = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(result.unwrap_err().to_string().ends_with("no more"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        write_atomically(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = check_folder(Path::new("/nowhere/at/all/out.info")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write `/nowhere/at/all/out.info`: expected a folder `/nowhere/at/all`, found none"
        );
    }

    #[test]
    fn a_device_is_written_to() {
        write_atomically(Path::new("/dev/null"), |out| out.write_all(b"x")).unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }
}
