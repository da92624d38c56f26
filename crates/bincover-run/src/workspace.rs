//! A Cargo workspace: its members, its folders, and what cargo is configured for in it.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use cargo_config2::Config;
use cargo_metadata::MetadataCommand;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::instrument::with_sources;
use crate::wrapper;

/// A package of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name in the manifest.
    pub name: String,
    /// The folder of its manifest, absolute.
    pub folder: PathBuf,
}

const MANIFEST: &str = "Cargo.toml";

/// What tells that a file has not changed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    path: PathBuf,
    bytes: u64,
    /// Since 1970.
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    fn of(path: PathBuf) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self {
            bytes: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            path,
        })
    }
}

/// A workspace as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    root: PathBuf,
    target_dir: PathBuf,
    members: Vec<Member>,
    manifests: Vec<Stamp>,
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A Cargo workspace.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the workspace's manifest, absolute.
    pub root: PathBuf,
    /// Where cargo puts what it makes, absolute.
    pub target_dir: PathBuf,
    /// Its members.
    pub members: Vec<Member>,
    /// The manifest of the member that we are in, or that was named.
    pub current: Option<PathBuf>,
    config: Config,
    cargo: OsString,
    /// The output of `rustc -vV`.
    said_by_rustc: OnceCell<String>,
}

impl Workspace {
    /// The workspace of this manifest, or that which the current folder is in. Runs `cargo
    /// metadata` without dependencies: nothing is resolved or downloaded.
    ///
    /// # Errors
    /// If there is none, or cargo or its configuration does not work.
    pub fn load(manifest: Option<&Path>) -> Result<Self> {
        let cargo = cargo();
        let mut command = MetadataCommand::new();
        command.no_deps().cargo_path(&cargo);
        if let Some(manifest) = manifest {
            command.manifest_path(manifest);
        }
        let action = "find the Cargo workspace";
        let failed = |reason: String| Error::new(ErrorKind::Toolchain, action, reason);
        let metadata = command.exec().map_err(|error| match error {
            cargo_metadata::Error::CargoMetadata { stderr } => {
                failed(stderr.trim().trim_start_matches("error: ").to_owned())
            }
            other => failed(with_sources(&other)),
        })?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let members = metadata.workspace_packages();
        let folder = |manifest: &Path| manifest.parent().unwrap_or(&root).to_owned();
        let here = match manifest {
            Some(manifest) => folder(&absolute(manifest)),
            None => absolute(Path::new(".")),
        };
        let config = Config::load_with_cwd(&here).map_err(|error| failed(with_sources(&error)))?;
        let manifests = members
            .iter()
            .map(|package| package.manifest_path.as_std_path());
        let current = here
            .ancestors()
            .map(|folder| folder.join(MANIFEST))
            .find(|path| path.is_file());
        Ok(Self {
            current: manifests
                .filter(|path| Some(*path) == current.as_deref())
                .map(Path::to_owned)
                .next(),
            members: members
                .iter()
                .map(|package| Member {
                    name: package.name.to_string(),
                    folder: folder(package.manifest_path.as_std_path()),
                })
                .collect(),
            target_dir: metadata.target_directory.into_std_path_buf(),
            root,
            config,
            cargo,
            said_by_rustc: OnceCell::new(),
        })
    }

    /// Writes down what [`recall`](Self::recall) reads. That is a help, so if it fails nothing is
    /// said.
    pub fn remember(&self, file: &Path) {
        let manifests = self.members.iter().map(|member| &member.folder);
        let manifests = manifests.chain([&self.root]);
        let stamps: Option<Vec<Stamp>> = manifests
            .map(|folder| Stamp::of(folder.join(MANIFEST)))
            .collect();
        let (Some(manifests), Some(folder), Some(name)) = (
            stamps,
            file.parent(),
            file.file_name().and_then(|name| name.to_str()),
        ) else {
            return;
        };
        let memory = Memory {
            root: self.root.clone(),
            target_dir: self.target_dir.clone(),
            members: self.members.clone(),
            manifests,
        };
        let _ = std::fs::create_dir_all(folder);
        let json = serde_json::to_vec_pretty(&memory).unwrap_or_default();
        let _ = wrapper::write_whole(folder, name, &json);
    }

    /// The workspace of this manifest, or that which the current folder is in, as it was written
    /// down, if no manifest has changed since. This takes much less time than to ask cargo; a member
    /// that was added meanwhile without a change of the root's manifest is not known. `file` is where
    /// it was written down for a target folder.
    #[must_use]
    pub fn recall(manifest: Option<&Path>, file: impl Fn(&Path) -> PathBuf) -> Option<Self> {
        let here = match manifest {
            Some(manifest) => absolute(manifest).parent()?.to_owned(),
            None => absolute(Path::new(".")),
        };
        let mut roots = here
            .ancestors()
            .filter(|folder| folder.join(MANIFEST).is_file())
            .peekable();
        let nearest = roots.peek()?.join(MANIFEST);
        let config = Config::load_with_cwd(&here).ok()?;
        let target_dir = config.build.target_dir.clone();
        let memory = roots.find_map(|root| {
            let target_dir = target_dir.clone().unwrap_or_else(|| root.join("target"));
            let json = std::fs::read(file(&target_dir)).ok()?;
            let memory: Memory = serde_json::from_slice(&json).ok()?;
            let is_of_nearest = memory.manifests.iter().any(|stamp| stamp.path == nearest);
            (memory.target_dir == target_dir && is_of_nearest).then_some(memory)
        })?;
        let is_as_before = |stamp: &Stamp| Stamp::of(stamp.path.clone()).as_ref() == Some(stamp);
        if !memory.manifests.iter().all(is_as_before) {
            return None;
        }
        let is_member = |member: &Member| member.folder.join(MANIFEST) == nearest;
        Some(Self {
            current: memory.members.iter().any(is_member).then_some(nearest),
            root: memory.root,
            target_dir: memory.target_dir,
            members: memory.members,
            config,
            cargo: cargo(),
            said_by_rustc: OnceCell::new(),
        })
    }

    /// The cargo to run.
    #[must_use]
    pub fn cargo(&self) -> &OsString {
        &self.cargo
    }

    /// The folders of all packages of this name, members and what they depend on; there may be
    /// several versions of one. Has cargo resolve all dependencies.
    ///
    /// # Errors
    /// If cargo cannot do that.
    pub fn folders_of(&self, package: &str) -> Result<Vec<PathBuf>> {
        let mut command = MetadataCommand::new();
        command
            .cargo_path(&self.cargo)
            .manifest_path(self.root.join(MANIFEST));
        let metadata = command.exec().map_err(|error| {
            let action = "find the workspace's dependencies";
            Error::new(ErrorKind::Toolchain, action, with_sources(&error))
        })?;
        let named = metadata.packages.into_iter();
        let named = named.filter(|found| found.name.as_str() == package);
        let folder = |manifest: PathBuf| manifest.parent().map(Path::to_owned);
        Ok(named
            .filter_map(|found| folder(found.manifest_path.into_std_path_buf()))
            .collect())
    }

    /// The target triples that cargo builds for: those that were asked for, else those that it is
    /// configured for, else the host's.
    ///
    /// # Errors
    /// If the configuration or the compiler does not say.
    pub fn targets(&self, asked: &[String]) -> Result<Vec<String>> {
        let mut targets = self.config.build_target_for_cli(asked).map_err(odd)?;
        if targets.is_empty() {
            targets.push(self.rustc_says("host")?.to_owned());
        }
        Ok(targets)
    }

    /// The program, with arguments, that runs programs of this target, if one is configured.
    ///
    /// # Errors
    /// If the configuration cannot be read.
    pub fn runner(&self, target: &str) -> Result<Option<Vec<OsString>>> {
        let runner = self.config.runner(target).map_err(odd)?;
        Ok(runner.map(|runner| {
            let program = runner.path.into_os_string();
            std::iter::once(program).chain(runner.args).collect()
        }))
    }

    /// The flags that rustc gets for this target without us.
    ///
    /// # Errors
    /// If the configuration cannot be read.
    pub fn rustflags(&self, target: &str) -> Result<Vec<String>> {
        let flags = self.config.rustflags(target).map_err(odd)?;
        Ok(flags.map(|flags| flags.flags).unwrap_or_default())
    }

    /// The flags that rustdoc gets for this target without us.
    ///
    /// # Errors
    /// If the configuration cannot be read.
    pub fn rustdocflags(&self, target: &str) -> Result<Vec<String>> {
        let flags = self.config.rustdocflags(target).map_err(odd)?;
        Ok(flags.map(|flags| flags.flags).unwrap_or_default())
    }

    /// The wrapper of rustc that is configured under this environment variable.
    #[must_use]
    pub fn rustc_wrapper(&self, variable: &str) -> Option<PathBuf> {
        let build = &self.config.build;
        match variable {
            "RUSTC_WRAPPER" => build.rustc_wrapper.clone(),
            _ => build.rustc_workspace_wrapper.clone(),
        }
    }

    /// The compiler is a nightly one, or a build of its developers.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn has_nightly_rustc(&self) -> Result<bool> {
        let release = self.rustc_says("release")?;
        let is_unstable = release.contains("-nightly") || release.contains("-dev");
        // With this value a nightly compiler works as a stable one.
        let is_made_stable = std::env::var_os("RUSTC_BOOTSTRAP").is_some_and(|set| set == "-1");
        Ok(is_unstable && !is_made_stable)
    }

    /// The major version of the compiler's LLVM, if it says so.
    #[must_use]
    pub fn llvm_major(&self) -> Option<u32> {
        let version = self.rustc_says("LLVM version").ok()?;
        version.split('.').next()?.parse().ok()
    }

    /// What the compiler says of itself under this name. It is asked once.
    fn rustc_says(&self, name: &str) -> Result<&str> {
        let action = "ask the compiler for its version";
        if self.said_by_rustc.get().is_none() {
            let output = self.rustc().arg("-vV").output();
            let output = output.map_err(|error| Error::io(ErrorKind::Toolchain, action, error))?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let _ = self.said_by_rustc.set(said);
        }
        let mut lines = self
            .said_by_rustc
            .get()
            .into_iter()
            .flat_map(|said| said.lines());
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.ok_or_else(|| {
            let reason = format!("expected a line `{name}: …` of `rustc -vV`, found none");
            Error::new(ErrorKind::Toolchain, action, reason)
        })
    }

    /// Whether the compiler has a profiler runtime for a target, which instrumented programs need.
    /// True if it cannot be found out.
    #[must_use]
    pub fn has_profiler_runtime(&self, target: &str) -> bool {
        let asked = ["--print", "target-libdir", "--target", target];
        let Ok(output) = self.rustc().args(asked).output() else {
            return true;
        };
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Ok(entries) = std::fs::read_dir(folder) else {
            return true;
        };
        let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        names.any(|name| name.to_string_lossy().starts_with("libprofiler_builtins"))
    }

    fn rustc(&self) -> process::Command {
        let rustc = self.config.rustc();
        let mut command = process::Command::new(&rustc.path);
        command.args(&rustc.args).current_dir(&self.root);
        command
    }
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn odd(error: cargo_config2::Error) -> Error {
    let action = "read cargo's configuration";
    Error::new(ErrorKind::Toolchain, action, with_sources(&error))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The name under which a program is the one that cargo runs programs with.
pub const RUNNER_NAME: &str = "bincover-runner";

const RUNNER_FILE: &str = "runner.json";

/// What lies beside a link under which a program is cargo's
/// [runner](https://doc.rust-lang.org/cargo/reference/config.html#targettriplerunner).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerFile {
    /// The store of the runs.
    pub store: PathBuf,
    /// The runner that would be called without us, with its arguments; empty if there is none.
    pub runner: Vec<OsString>,
}

impl RunnerFile {
    /// Makes the link and the file in this folder, which is made if it is missing; returns the
    /// link's path.
    ///
    /// # Errors
    /// If the folder cannot be written, or a path is not UTF-8.
    pub fn install(&self, folder: &Path, program: &Path) -> Result<PathBuf> {
        let text = |path: &std::ffi::OsStr| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| std::io::Error::other("a path is not UTF-8"))
        };
        let write = || {
            let mut words = vec![text(self.store.as_os_str())?];
            for word in &self.runner {
                words.push(text(word)?);
            }
            let json = serde_json::to_vec_pretty(&words)?;
            std::fs::create_dir_all(folder)?;
            wrapper::write_whole(folder, RUNNER_FILE, &json)?;
            wrapper::link(folder, RUNNER_NAME, program)
        };
        write().map_err(|error| runner_error(folder, error))
    }

    /// What lies beside the link of this path.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(link: &Path) -> Result<Self> {
        let path = link.with_file_name(RUNNER_FILE);
        let read = || -> std::io::Result<Self> {
            let words: Vec<String> = serde_json::from_slice(&std::fs::read(&path)?)?;
            let mut words = words.into_iter();
            let store = words
                .next()
                .ok_or_else(|| std::io::Error::other("expected a store, found nothing"))?;
            Ok(Self {
                store: store.into(),
                runner: words.map(OsString::from).collect(),
            })
        };
        read().map_err(|error| runner_error(&path, error))
    }
}

#[cold]
fn runner_error(path: &Path, error: std::io::Error) -> Error {
    let action = format!("set up the runner `{}`", path.display());
    Error::io(ErrorKind::Toolchain, action, error).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_recalled_until_a_manifest_changes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let manifest = root.join(MANIFEST);
        std::fs::create_dir(root.join("src")).unwrap();
        std::fs::write(root.join("src/lib.rs"), "").unwrap();
        std::fs::write(&manifest, "[package]\nname = \"one\"\nedition = \"2024\"\n").unwrap();
        // As the environment of the test has it, which may name a target folder.
        let file =
            |target: &Path| root.join(format!("memory-{}", target.display().to_string().len()));
        let recall = || Workspace::recall(Some(&manifest), file);
        assert!(recall().is_none());
        let loaded = Workspace::load(Some(&manifest)).unwrap();
        loaded.remember(&file(&loaded.target_dir));
        let found = recall().unwrap();
        assert_eq!(found.members, loaded.members);
        assert_eq!(found.root, loaded.root);
        assert_eq!(found.current, loaded.current);
        std::fs::write(
            &manifest,
            "[package]\nname = \"another\"\nedition = \"2024\"\n",
        )
        .unwrap();
        assert!(recall().is_none());
    }

    #[test]
    fn a_runner_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = RunnerFile {
            store: "/a b/store".into(),
            runner: vec!["qemu".into(), "-L".into()],
        };
        let link = file.install(folder.path(), Path::new("/bin/true")).unwrap();
        assert_eq!(RunnerFile::read(&link).unwrap(), file);
        std::fs::write(link.with_file_name(RUNNER_FILE), "[]").unwrap();
        assert!(RunnerFile::read(&link).is_err());
    }
}
