//! Writes outputs so that they are whole or absent.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use bincover_model::Coverage;
use bincover_report::{Emit, Format, Options, Outputs, Sources};

use crate::error::{Error, Result, shown};

/// The folder in which `path` lies; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Checks that an output can be put at `path`, so that a mistake shows before the long work.
///
/// # Errors
/// If the folder does not exist, `path` is itself a folder, or it is a link that leads out of its folder.
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
    target_of(path).map(drop)
}

/// What has to be replaced for an output to be at `path`. A link to nothing is replaced itself; one to something in
/// its own folder, or below, stays, and so do the system's, such as `/dev/stdout`.
///
/// # Errors
/// If it is a link that leads out of its folder. A repository may have such links at the names that outputs
/// usually have, and what they lead to is the user's.
pub(crate) fn target_of(path: &Path) -> Result<PathBuf> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let Ok(target) = std::fs::canonicalize(path) else {
        return Ok(path.to_owned());
    };
    if !is_link {
        return Ok(target);
    }
    let folder = std::fs::canonicalize(folder_of(path));
    let folder = folder.map_err(|source| Error::write(path, source))?;
    let is_systems = ["/dev", "/proc"].iter().any(|of| folder.starts_with(of));
    match is_systems || target.starts_with(&folder) {
        true => Ok(target),
        false => {
            let reason = format!(
                "it is a link that leads out of its folder, to `{}`; if that is meant, name that",
                shown(&target)
            );
            Err(Error::write(path, io::Error::other(reason)))
        }
    }
}

/// Writes a file beside `path` and renames it, so that there is the old file or the new one and
/// never half of it. What is no regular file (a device, a pipe) is written to as it is. A link to a file in
/// its own folder, or below, stays a link.
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
    let target = target_of(path)?;
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
    let beside = file.into_temp_path();
    std::fs::rename(&beside, &target).map_err(fail)?;
    // It is not there any more, and need not be deleted.
    let _ = beside.keep();
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

/// Checks that a report of this format can be put at `path`, as [`check_folder`] does. For a report
/// that is a folder there must be nothing there, an empty folder, or an earlier report, which is
/// what will be replaced.
///
/// # Errors
/// If not.
pub fn check_report(format: &Format, path: &Path) -> Result<()> {
    if !format.is_folder() {
        return check_folder(path);
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        });
    }
    target_of(path)?;
    let refuse = |reason: &str| Err(Error::write(path, io::Error::other(reason.to_owned())));
    match std::fs::read_dir(path) {
        Ok(mut entries) => match entries.next().is_none() || is_earlier_report(path) {
            true => Ok(()),
            false => {
                refuse("expected an earlier report, or nothing; found a folder of other files")
            }
        },
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::write(path, source)),
    }
}

/// Whether the folder's index says that it is ours.
fn is_earlier_report(folder: &Path) -> bool {
    let mut start = [0; 1024];
    let read = std::fs::File::open(folder.join("index.html"))
        .and_then(|mut file| io::Read::read(&mut file, &mut start));
    let mark = b"<meta name=\"generator\" content=\"bincover ";
    read.is_ok_and(|len| start[..len].windows(mark.len()).any(|part| part == mark))
}

/// Writes a report that is a folder beside `path` and renames it, so that there is the old report
/// or the new one. Of an earlier report nothing is left.
///
/// # Errors
/// As [`check_report`], or if it cannot be written; what was there is then as it was.
pub fn write_report_folder(
    format: &Format,
    path: &Path,
    emit: impl FnOnce(&dyn Outputs) -> io::Result<()>,
) -> Result<()> {
    check_report(format, path)?;
    let fail = |source| Error::write(path, source);
    let target = target_of(path)?;
    let beside = private_folder(".bincover-".as_ref())
        .tempdir_in(folder_of(&target))
        .map_err(fail)?;
    let new = beside.path().join("new");
    std::fs::create_dir(&new).map_err(fail)?;
    emit(&Folder { path: &new }).map_err(fail)?;
    put_in_place(&new, &target, beside).map_err(fail)
}

/// Gives a folder in `beside` its place. What was there comes to lie in `beside`, which is deleted.
fn put_in_place(new: &Path, target: &Path, beside: tempfile::TempDir) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        // In one step, so that there is a report at any moment, even if we are killed.
        if renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    // Nothing is there, or the file system cannot do that.
    let old = beside.path().join("old");
    let was_there = std::fs::rename(target, &old).is_ok();
    std::fs::rename(new, target).inspect_err(|_| {
        // It was there a moment ago. If it cannot be put back, it is not deleted at least.
        if was_there && std::fs::rename(&old, target).is_err() {
            let _ = beside.keep();
        }
    })
}

/// The folder that a report is written into.
struct Folder<'p> {
    path: &'p Path,
}

impl Outputs for Folder<'_> {
    fn file(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let is_plain = |part: &str| {
            let is_named = !part.is_empty() && part != "." && part != "..";
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            is_named && part.bytes().all(is_safe)
        };
        if !name.split('/').all(is_plain) {
            return Err(io::Error::other(format!("`{name}` would lead elsewhere")));
        }
        let path = self.path.join(name);
        match (std::fs::write(&path, contents), path.parent()) {
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder)?;
                std::fs::write(&path, contents)
            }
            (result, _) => result,
        }
    }
}

/// Writes a report in each of the formats, all from the same coverage and at the same time, each by
/// a thread of its own; returns where.
///
/// # Errors
/// That of the first, in their order, that could not be written. The others have been.
pub fn write_reports<'f>(
    coverage: &Coverage,
    options: &Options,
    sources: &dyn Sources,
    reports: impl IntoIterator<Item = (&'f Format, PathBuf)>,
) -> Result<Vec<PathBuf>> {
    let write = |format: &Format, path: &Path| match format.emit {
        Emit::Folder(emit) => write_report_folder(format, path, |folder| {
            emit(coverage, options, sources, folder)
        }),
        _ => write_atomically(path, |out| format.write(coverage, options, sources, out)),
    };
    let write = &write;
    thread::scope(|scope| {
        let writers = reports
            .into_iter()
            .map(|(format, path)| scope.spawn(move || write(format, &path).map(|()| path)));
        // All have begun before the first is waited for.
        let writers: Vec<_> = writers.collect();
        let written: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        written.into_iter().collect()
    })
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
    fn a_folder_of_other_files_is_left_alone() {
        let html = Format::named("html").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let write = |contents: &str| {
            write_report_folder(html, &path, |out| {
                out.file("index.html", contents.as_bytes())?;
                out.file("f/a.html", b"")
            })
        };
        let ours = "<meta name=\"generator\" content=\"bincover 1\">";
        write(ours).unwrap();
        // Ours is replaced, and of the old one nothing stays.
        std::fs::write(path.join("more"), "").unwrap();
        write("theirs").unwrap();
        assert!(!path.join("more").exists() && path.join("f/a.html").exists());
        let error = write(ours).unwrap_err().to_string();
        assert!(error.contains("a folder of other files"), "{error}");
        assert_eq!(std::fs::read(path.join("index.html")).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_file_of_a_report_lies_outside_it() {
        let folder = tempfile::tempdir().unwrap();
        let out = Folder {
            path: folder.path(),
        };
        for name in ["../a", "/a", "a//b", "a/./b", "", "a\\b", "a b"] {
            assert!(out.file(name, b"").is_err(), "{name}");
        }
    }

    #[test]
    fn links() {
        use std::os::unix::fs::symlink;
        let top = tempfile::tempdir().unwrap();
        let (out, elsewhere) = (top.path().join("out"), top.path().join("elsewhere"));
        std::fs::create_dir_all(elsewhere.join("pages")).unwrap();
        std::fs::create_dir(&out).unwrap();
        std::fs::write(elsewhere.join("theirs"), "theirs").unwrap();
        let write = |name: &str| write_atomically(&out.join(name), |out| out.write_all(b"ours"));
        let is_link = |name: &str| out.join(name).is_symlink();

        // Out of the folder: refused, before the work and at its end.
        symlink(elsewhere.join("theirs"), out.join("file")).unwrap();
        symlink("../elsewhere/pages", out.join("pages")).unwrap();
        let error = write("file").unwrap_err().to_string();
        assert!(error.contains("leads out of its folder, to `/"), "{error}");
        assert!(check_folder(&out.join("file")).is_err());
        assert_eq!(std::fs::read(elsewhere.join("theirs")).unwrap(), b"theirs");
        let html = Format::named("html").unwrap();
        let written = write_report_folder(html, &out.join("pages"), |out| out.file("a", b""));
        assert!(written.is_err() && check_report(html, &out.join("pages")).is_err());
        assert_eq!(
            std::fs::read_dir(elsewhere.join("pages")).unwrap().count(),
            0
        );

        // Within the folder: the link stays. To nothing: it goes.
        std::fs::write(out.join("latest-1"), "old").unwrap();
        symlink("latest-1", out.join("latest")).unwrap();
        write("latest").unwrap();
        assert!(is_link("latest") && std::fs::read(out.join("latest-1")).unwrap() == b"ours");
        symlink(elsewhere.join("nothing"), out.join("to-nothing")).unwrap();
        write("to-nothing").unwrap();
        assert!(!is_link("to-nothing") && !elsewhere.join("nothing").exists());
    }

    /// An earlier report in which somebody has put a link in a folder's place.
    #[test]
    fn links_inside_an_earlier_report_are_not_followed() {
        let top = tempfile::tempdir().unwrap();
        let (out, elsewhere) = (top.path().join("out"), top.path().join("elsewhere"));
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("theirs"), "theirs").unwrap();
        let html = Format::named("html").unwrap();
        let write = || {
            write_report_folder(html, &out, |out| {
                out.file(
                    "index.html",
                    b"<meta name=\"generator\" content=\"bincover 1\">",
                )?;
                out.file("f/theirs", b"ours")
            })
        };
        write().unwrap();
        std::fs::remove_dir_all(out.join("f")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, out.join("f")).unwrap();
        write().unwrap();
        assert_eq!(std::fs::read(elsewhere.join("theirs")).unwrap(), b"theirs");
        assert_eq!(std::fs::read(out.join("f/theirs")).unwrap(), b"ours");
        assert!(!out.join("f").is_symlink());
    }

    #[test]
    fn a_device_is_written_to() {
        write_atomically(Path::new("/dev/null"), |out| out.write_all(b"x")).unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }
}
