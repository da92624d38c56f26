//! The pattern that tells LLVM's profile runtime where to write.
//!
//! The rules are those of `compiler-rt/lib/profile/InstrProfilingFile.c`
//! (<https://github.com/llvm/llvm-project/blob/llvmorg-22.1.2/compiler-rt/lib/profile/InstrProfilingFile.c>),
//! tried with the runtime of rustc 1.95 (LLVM 22.1.2):
//!
//! - `%p` is the process id, `%m` the signature of the binary (written as `<signature>_0`), `%c`
//!   asks for continuous mode and leaves no trace in the name;
//! - any other `%` is dropped together with the character after it. `%%` is no exception: there is
//!   **no way to write a `%`**, so a folder with one is reached through a symbolic link;
//! - the runtime creates missing folders.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, access};
use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Result};

/// The environment variable that the profile runtime reads when the program starts.
pub const PROFILE_FILE_VARIABLE: &str = "LLVM_PROFILE_FILE";

/// The environment variable in which a Go program built with `-cover` finds the folder to write into. A
/// program that does not find it says so on its standard error.
pub const GO_FOLDER_VARIABLE: &str = "GOCOVERDIR";

/// When the counters reach the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// At once: they live in a shared mapping of the file (`%c`), and survive SIGKILL, `abort` and
    /// `_exit`. The program must be built with [`RUSTC_FLAGS`](crate::instrument::RUSTC_FLAGS);
    /// one that was built without counter relocation writes no file at all, and says so on its
    /// standard error: `LLVM Profile Error: Neither __llvm_profile_counter_bias nor
    /// __llvm_profile_bitmap_bias is defined`.
    Continuous,
    /// When the program returns or calls `exit`; a program that is killed or aborts leaves nothing.
    Exit,
}

impl Mechanism {
    /// The file name part of the pattern.
    fn file_name(self) -> &'static str {
        match self {
            Self::Continuous => "%p-%m%c.profraw",
            Self::Exit => "%p-%m.profraw",
        }
    }
}

/// The value of `LLVM_PROFILE_FILE` for profiles in `folder`, made absolute. Nothing is created.
///
/// Each process has its own files (`%p`), and within a process each instrumented binary, such as a
/// shared library, has its own (`%m`). A process that executes itself again adds to its file.
///
/// # Errors
///
/// [`ErrorKind::PercentInPath`]: LLVM's runtime cannot be told such a folder.
/// [`Command::profiles`](crate::Command::profiles) takes one all the same.
pub fn pattern(folder: &Path, mechanism: Mechanism) -> Result<OsString> {
    let folder = absolute(folder)?;
    if has_percent(&folder) {
        return Err(percent_in_path(&folder));
    }
    Ok(folder.join(mechanism.file_name()).into_os_string())
}

/// A profile folder that exists, and the pattern that leads there.
pub(crate) struct ProfileTarget {
    pub(crate) folder: PathBuf,
    pub(crate) pattern: OsString,
    /// Holds the link by which a folder with `%` is reached.
    pub(crate) alias: Option<Arc<TempDir>>,
}

impl ProfileTarget {
    pub(crate) fn prepare(folder: &Path, mechanism: Mechanism) -> Result<Self> {
        let folder = absolute(folder)?;
        create_private(&folder)?;
        if !has_percent(&folder) {
            let pattern = pattern(&folder, mechanism)?;
            return Ok(Self {
                folder,
                pattern,
                alias: None,
            });
        }
        let alias = tempfile::Builder::new()
            .prefix("bincover-")
            .tempdir()
            .map_err(|e| folder_error(&folder, e))?;
        let link = alias.path().join("profiles");
        symlink(&folder, &link).map_err(|e| folder_error(&folder, e))?;
        Ok(Self {
            folder,
            pattern: pattern(&link, mechanism)?,
            alias: Some(Arc::new(alias)),
        })
    }
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    std::path::absolute(folder).map_err(|e| folder_error(folder, e))
}

/// Parents get the usual permissions: they are not ours alone. A folder that is there keeps its
/// own. In continuous mode the runtime says nothing about a folder it cannot write to, so we ask.
fn create_private(folder: &Path) -> Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|e| folder_error(folder, e))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        other => other.map_err(|e| folder_error(folder, e))?,
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|e| folder_error(folder, e.into()))
}

fn has_percent(path: &Path) -> bool {
    path.as_os_str().as_bytes().contains(&b'%')
}

#[cold]
fn folder_error(folder: &Path, error: std::io::Error) -> Error {
    let action = format!("write profiles to `{}`", folder.display());
    Error::io(ErrorKind::ProfileFolder, action, error).at(folder)
}

#[cold]
fn percent_in_path(folder: &Path) -> Error {
    Error::new(
        ErrorKind::PercentInPath,
        format_args!("write profiles to `{}`", folder.display()),
        "LLVM's profile runtime has no escape for the `%` in this path",
    )
    .at(folder)
    .hinting(Some("choose a folder without `%`".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn patterns() {
        let continuous = pattern(Path::new("/a b/c"), Mechanism::Continuous).unwrap();
        assert_eq!(continuous, "/a b/c/%p-%m%c.profraw");
        let exit = pattern(Path::new("d"), Mechanism::Exit).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(exit, here.join("d/%p-%m.profraw"));
    }

    #[test]
    fn a_percent_is_refused() {
        let error = pattern(Path::new("/50%/d"), Mechanism::Exit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PercentInPath);
        assert!(error.to_string().contains("/50%/d"), "{error}");
    }

    #[test]
    fn a_percent_goes_through_a_link() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("50% p%p/d");
        let target = ProfileTarget::prepare(&folder, Mechanism::Exit).unwrap();
        let link = Path::new(&target.pattern).parent().unwrap();
        assert!(!has_percent(link));
        assert_eq!(link.canonicalize().unwrap(), folder.canonicalize().unwrap());
        assert_eq!(target.folder, folder);
    }

    #[test]
    fn the_folder_is_private_and_its_parents_are_not() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("parent/d");
        ProfileTarget::prepare(&folder, Mechanism::Exit).unwrap();
        ProfileTarget::prepare(&folder, Mechanism::Exit).unwrap();
        let mode = |p: &Path| p.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        std::fs::create_dir(base.path().join("usual")).unwrap();
        assert_eq!(
            mode(folder.parent().unwrap()),
            mode(&base.path().join("usual"))
        );
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("below")] {
            let error = ProfileTarget::prepare(&folder, Mechanism::Exit)
                .err()
                .unwrap();
            assert_eq!(error.kind(), ErrorKind::ProfileFolder);
            assert_eq!(error.path(), Some(folder.as_path()));
        }
    }
}
