//! What git knows of changes. Git itself is asked: it has the renames, the settings and the formats
//! of its repositories.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bstr::{BString, ByteSlice};

use crate::error::{Error, Result};

/// The working tree against the commit that it came from.
#[derive(Clone, Debug)]
pub struct GitChanges {
    /// The folder that the patch's names are relative to.
    pub top: PathBuf,
    /// The commit that was compared with: the last one that is in the history of both.
    pub base: String,
    /// What `git diff` says, without lines around.
    pub patch: Vec<u8>,
    /// Files that git does not know and does not ignore, relative to the top; they are not in the
    /// patch.
    pub untracked: Vec<BString>,
    /// What git had to say besides, line by line.
    pub warnings: Vec<String>,
}

impl GitChanges {
    /// Compares the working tree around a folder, as it is now, with the last commit that `base` (a
    /// branch, a tag, a commit) and `HEAD` have in common. Renamed files are found; settings that
    /// change the format of a patch do not matter.
    ///
    /// # Errors
    /// If there is no such commit here ([`Error::NoBase`]), or git fails.
    pub fn since(folder: &Path, base: &str) -> Result<Self> {
        let git = Git { folder };
        let top = git.line(["rev-parse", "--show-toplevel"])?;
        let top = top.to_path_lossy().into_owned();
        let git = Git { folder: &top };
        let no_base = |reason: &str| {
            let shallow = git.line(["rev-parse", "--is-shallow-repository"]);
            Error::NoBase {
                base: base.to_owned(),
                reason: reason.to_owned(),
                is_shallow: shallow.is_ok_and(|answer| answer == "true"),
            }
        };
        let commit = format!("{base}^{{commit}}");
        let verify = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let found = git.run(verify)?;
        if !found.status.success() {
            return Err(no_base("there is no such commit here"));
        }
        let commit = found.stdout.trim_ascii_end().to_str_lossy().into_owned();
        let found = git.run(["merge-base", &commit, "HEAD"])?;
        let merge_base = found.stdout.trim_ascii_end().to_str_lossy().into_owned();
        match found.status.code() {
            Some(0) => {}
            Some(1) => return Err(no_base("it has no commit in common with HEAD here")),
            _ => return Err(git.failed("merge-base", &found)),
        }
        let diff = [
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--submodule=short",
            "--ignore-submodules=dirty",
            "--find-renames",
            "--unified=0",
            &merge_base,
            "--",
        ];
        let patch = git.run(diff)?;
        if !patch.status.success() {
            return Err(git.failed("diff", &patch));
        }
        let others = ["ls-files", "--others", "--exclude-standard", "-z"];
        let untracked = git.done(others)?;
        let untracked = untracked.split_str("\0").filter(|name| !name.is_empty());
        let warnings = patch.stderr.to_str_lossy();
        Ok(Self {
            base: merge_base,
            untracked: untracked.map(Into::into).collect(),
            warnings: warnings.lines().map(str::to_owned).collect(),
            patch: patch.stdout,
            top,
        })
    }
}

/// Git, in a folder.
pub(crate) struct Git<'f> {
    pub(crate) folder: &'f Path,
}

impl Git<'_> {
    fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Result<Output> {
        let mut command = Command::new("git");
        command.current_dir(self.folder).args(args);
        // To look is no reason to write the index anew, or to lock it.
        command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        command.stdin(Stdio::null());
        command.output().map_err(|source| Error::Git {
            command: "git".to_owned(),
            reason: source.to_string(),
        })
    }

    fn failed(&self, command: &str, output: &Output) -> Error {
        let said = output.stderr.to_str_lossy();
        let said = said.trim_end();
        Error::Git {
            command: format!("git {command}"),
            reason: match said {
                "" => output.status.to_string(),
                said => said.to_owned(),
            },
        }
    }

    /// What it printed.
    pub(crate) fn done<const N: usize>(&self, args: [&str; N]) -> Result<Vec<u8>> {
        let output = self.run(args)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(self.failed(args.first().unwrap_or(&""), &output)),
        }
    }

    /// The line that it printed.
    fn line<const N: usize>(&self, args: [&str; N]) -> Result<BString> {
        let mut line = self.done(args)?;
        while line.ends_with(b"\n") || line.ends_with(b"\r") {
            line.pop();
        }
        Ok(line.into())
    }
}
