//! Which of cargo's compilations are instrumented: a wrapper that cargo calls in place of rustc.
//!
//! Cargo knows nothing of what the wrapper adds, but it keeps what was compiled by different
//! wrappers apart, and tells them apart by their paths. So what is to be added decides the path: a
//! link to the program that is the wrapper, in a folder of its own, with a file beside it that says
//! what to add. What was compiled in one way is found again when that way is asked for again.
//!
//! `RUSTC_WORKSPACE_WRAPPER` is called for members of the workspace, `RUSTC_WRAPPER` for all
//! crates; see <https://doc.rust-lang.org/cargo/reference/config.html#buildrustc-workspace-wrapper>.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, ErrorKind, Result};
use crate::instrument::RUSTC_FLAGS;

/// The name under which the program is the wrapper.
pub const WRAPPER_NAME: &str = "bincover-rustc";

const CONFIGURATION: &str = "wrapper.json";

/// The crates that are instrumented.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Members of the workspace.
    #[default]
    Workspace,
    /// Members, and all that they depend on.
    All,
    /// The packages of these names, which are dependencies.
    Packages(Vec<String>),
}

/// What a wrapper adds, and to which crates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapper {
    /// The crates that are instrumented.
    pub scope: Scope,
    /// Packages that are not, by name. What is linked is all the same, programs and tests: without
    /// that they would not write what others' libraries count.
    pub excluded: Vec<String>,
    /// Build scripts are, too.
    pub build_scripts: bool,
    /// Procedural macros are, too; their unit tests always are.
    pub proc_macros: bool,
    /// Flags for rustc besides those that instrument.
    pub flags: Vec<String>,
    /// A wrapper that would be called without us.
    pub inner: Option<PathBuf>,
}

impl Wrapper {
    /// The environment variable that tells cargo of the wrapper.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        match self.scope {
            Scope::Workspace => "RUSTC_WORKSPACE_WRAPPER",
            Scope::All | Scope::Packages(_) => "RUSTC_WRAPPER",
        }
    }

    /// What tells it from wrappers that do otherwise: 16 hexadecimal digits.
    #[must_use]
    pub fn key(&self) -> String {
        let mut bytes = self.to_json();
        bytes.extend(RUSTC_FLAGS.concat().bytes());
        format!("{:016x}", xxh3_64(&bytes))
    }

    /// As it is written; nothing in it is a map, so that cannot fail.
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Makes the wrapper in a folder below `folder`; `program` is what is called, and calls
    /// [`command`](Self::command). Returns its path.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn install(&self, folder: &Path, program: &Path) -> Result<PathBuf> {
        let folder = folder.join(self.key());
        let write = || {
            std::fs::create_dir_all(&folder)?;
            write_whole(&folder, CONFIGURATION, &self.to_json())?;
            link(&folder, WRAPPER_NAME, program)
        };
        write().map_err(|error| wrapper_error(&folder, error))
    }

    /// The wrapper that was called by this path.
    ///
    /// # Errors
    /// If what is beside it cannot be read.
    pub fn installed(path: &Path) -> Result<Self> {
        let path = path.with_file_name(CONFIGURATION);
        let read =
            || -> std::io::Result<Self> { Ok(serde_json::from_slice(&std::fs::read(&path)?)?) };
        read().map_err(|error| wrapper_error(&path, error))
    }

    /// The compilation, `args` being those of the wrapper without its own name: rustc and its
    /// arguments. `package` is cargo's `CARGO_PKG_NAME`.
    ///
    /// # Errors
    /// If there are no arguments: cargo did not call this.
    pub fn command(&self, args: &[OsString], package: Option<&OsStr>) -> Result<process::Command> {
        let Some((rustc, args)) = args.split_first() else {
            let reason = "expected the compiler's name, found no argument";
            return Err(Error::new(ErrorKind::Toolchain, "compile", reason));
        };
        let mut command = match &self.inner {
            Some(inner) => {
                let mut command = process::Command::new(inner);
                command.arg(rustc);
                command
            }
            None => process::Command::new(rustc),
        };
        command.args(args);
        if self.instruments(args, package) {
            command.args(RUSTC_FLAGS).args(&self.flags);
        }
        Ok(command)
    }

    fn instruments(&self, args: &[OsString], package: Option<&OsStr>) -> bool {
        // Cargo also asks rustc what it is.
        let name = values(args, "--crate-name").next();
        let Some(name) = name.filter(|name| *name != "___") else {
            return false;
        };
        let is = |other: &String| package.is_some_and(|package| package == OsStr::new(other));
        let is_in_scope = match &self.scope {
            Scope::Packages(names) => names.iter().any(is),
            Scope::Workspace | Scope::All => true,
        };
        let is_counted = is_in_scope && !self.excluded.iter().any(is);
        // <https://doc.rust-lang.org/cargo/reference/build-scripts.html>: build.rs is compiled as
        // `build_script_build`, another file as `build_script_` and its name.
        if name.as_encoded_bytes().starts_with(b"build_script_") {
            return self.build_scripts && is_counted;
        }
        let has_type = |of: &str| values(args, "--crate-type").any(|kind| kind == of);
        let is_test = args.iter().any(|arg| arg == "--test");
        // Rustc links the profile's runtime only into what is instrumented itself. Without it,
        // what the libraries of others count would be lost.
        if is_test || ["bin", "cdylib", "dylib"].into_iter().any(has_type) {
            return true;
        }
        is_counted && (self.proc_macros || !has_type("proc-macro"))
    }
}

/// The values of an option of rustc, which cargo gives as words of their own.
fn values<'a>(args: &'a [OsString], option: &'a str) -> impl Iterator<Item = &'a OsStr> {
    let pairs = args.windows(2).filter(move |pair| pair[0] == option);
    pairs.map(|pair| pair[1].as_os_str())
}

/// Makes a link of this name to a program, unless it is there, and returns its path.
///
/// # Errors
/// If the folder cannot be written.
pub fn link(folder: &Path, name: &str, program: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(name);
    if std::fs::read_link(&path).is_ok_and(|target| target == program) {
        return Ok(path);
    }
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(folder)?;
    symlink(program, new.path().join(name))?;
    std::fs::rename(new.path().join(name), &path)?;
    Ok(path)
}

/// Writes a file beside its place and renames it, unless it is as it should be.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = folder.join(name);
    if std::fs::read(&path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)?;
    std::fs::write(new.path(), bytes)?;
    new.persist(&path)?;
    Ok(())
}

#[cold]
fn wrapper_error(path: &Path, error: std::io::Error) -> Error {
    let action = format!("set up the compiler's wrapper `{}`", path.display());
    Error::io(ErrorKind::Toolchain, action, error).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_added(wrapper: &Wrapper, package: &str, args: &str) -> bool {
        let args: Vec<OsString> = args.split(' ').map(OsString::from).collect();
        let command = wrapper.command(&args, Some(package.as_ref())).unwrap();
        command.get_args().any(|arg| arg == "instrument-coverage")
    }

    #[test]
    fn what_is_instrumented() {
        let plain = Wrapper::default();
        assert!(flags_added(&plain, "a", "rustc --crate-name a src/lib.rs"));
        assert!(!flags_added(&plain, "a", "rustc -vV"));
        assert!(!flags_added(
            &plain,
            "a",
            "rustc - --crate-name ___ --print=file-names"
        ));
        let script = "rustc --crate-name build_script_build build.rs";
        assert!(!flags_added(&plain, "a", script));
        let library = "rustc --crate-name m src/lib.rs --crate-type proc-macro";
        assert!(!flags_added(&plain, "m", library));
        assert!(flags_added(
            &plain,
            "m",
            "rustc --crate-name m src/lib.rs --test"
        ));
        let more = Wrapper {
            build_scripts: true,
            proc_macros: true,
            excluded: vec!["x".into()],
            ..Wrapper::default()
        };
        assert!(flags_added(&more, "a", script));
        assert!(flags_added(&more, "m", library));
        assert!(!flags_added(&more, "x", "rustc --crate-name x src/lib.rs"));
        let named = Wrapper {
            scope: Scope::Packages(vec!["d".into()]),
            ..Wrapper::default()
        };
        assert!(flags_added(&named, "d", "rustc --crate-name d src/lib.rs"));
        assert!(!flags_added(&named, "a", "rustc --crate-name a src/lib.rs"));
        let program = "rustc --crate-name a src/main.rs --crate-type bin";
        assert!(flags_added(&named, "a", program));
    }

    #[test]
    fn it_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let wrapper = Wrapper {
            flags: vec!["--cfg=coverage".into()],
            ..Wrapper::default()
        };
        let path = wrapper.install(folder.path(), Path::new("/one")).unwrap();
        assert_eq!(
            wrapper.install(folder.path(), Path::new("/two")).unwrap(),
            path
        );
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/two"));
        assert_eq!(Wrapper::installed(&path).unwrap(), wrapper);
        assert_ne!(Wrapper::default().key(), wrapper.key());
        std::fs::write(path.with_file_name(CONFIGURATION), "{").unwrap();
        let error = Wrapper::installed(&path).unwrap_err();
        assert!(error.to_string().contains(CONFIGURATION), "{error}");
    }
}
