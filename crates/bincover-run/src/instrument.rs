//! How a Rust program is built so that its coverage survives a kill.
//!
//! Decisions:
//!
//! - Cargo runs in the manifest's folder, so that the project's own `.cargo/config.toml` and
//!   `rust-toolchain.toml` apply, wherever we were started.
//! - Our flags go into `CARGO_ENCODED_RUSTFLAGS`, which takes precedence over every other source of
//!   flags. What would have applied without us (`CARGO_ENCODED_RUSTFLAGS`, else `RUSTFLAGS`, else
//!   `target.*.rustflags`, else `build.rustflags`) is therefore looked up and put before them.
//! - A target is always named: the configured one, else the host. Cargo then keeps rustflags from
//!   build scripts and procedural macros, so these are not instrumented and leave no
//!   `default_*.profraw` in the source folder. It also means that the executable is in
//!   `target/<triple>/`, and that ordinary builds are not invalidated.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cargo_config2::{Config, ResolveOptions};
use serde::Deserialize;

use crate::command::{Command, Observer};
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Stream};

/// What rustc needs for coverage that survives a kill: `instrument-coverage` counts, and counter
/// relocation lets the counters live in the profile file itself.
pub const RUSTC_FLAGS: [&str; 4] = [
    "-C",
    "instrument-coverage",
    "-C",
    "llvm-args=-runtime-counter-relocation",
];

/// How much of cargo's standard error goes into an error's message, in lines.
const LAST_LINES: usize = 20;

/// A `cargo build` of one instrumented program.
#[derive(Clone, Debug)]
#[must_use = "nothing is built before `run`"]
pub struct CargoBuild {
    manifest: PathBuf,
    cargo: Option<OsString>,
    package: Option<String>,
    bin: Option<String>,
    release: bool,
    target: Option<String>,
    target_dir: Option<PathBuf>,
    features: Vec<String>,
    args: Vec<OsString>,
    env: BTreeMap<OsString, Option<OsString>>,
    observer: Option<Observer>,
}

/// What a build has made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuiltBinary {
    /// The executable, absolute.
    pub path: PathBuf,
    /// Its name in the manifest.
    pub name: String,
    /// The target triple that it was built for.
    pub target: String,
    /// Shared libraries of the same build, absolute: they are instrumented too, and write profiles
    /// of their own when they are loaded.
    pub libraries: Vec<PathBuf>,
    /// What cargo wrote to its standard error: progress and warnings.
    pub stderr: String,
}

impl CargoBuild {
    /// A debug build of the package or workspace whose `Cargo.toml` this is.
    pub fn new(manifest_path: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest_path.into(),
            cargo: None,
            package: None,
            bin: None,
            release: false,
            target: None,
            target_dir: None,
            features: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            observer: None,
        }
    }

    /// The package to build, as `cargo build --package` takes it.
    pub fn package(mut self, package: impl Into<String>) -> Self {
        self.package = Some(package.into());
        self
    }

    /// The executable to build. Needed when there are several.
    pub fn bin(mut self, name: impl Into<String>) -> Self {
        self.bin = Some(name.into());
        self
    }

    /// Whether to build with the release profile.
    pub fn release(mut self, release: bool) -> Self {
        self.release = release;
        self
    }

    /// The target triple. When not set: the one that cargo is configured for, else the host.
    pub fn target(mut self, triple: impl Into<String>) -> Self {
        self.target = Some(triple.into());
        self
    }

    /// Where cargo puts what it makes, relative to our current folder. When not set, its own
    /// choice.
    pub fn target_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.target_dir = Some(folder.into());
        self
    }

    /// Features to turn on, added to those so far.
    pub fn features<F: Into<String>>(mut self, features: impl IntoIterator<Item = F>) -> Self {
        self.features.extend(features.into_iter().map(Into::into));
        self
    }

    /// More arguments for `cargo build`, such as `--locked` or `--example x`. Flags that are given
    /// with `--config build.rustflags=…` have no effect: they yield to ours.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for cargo. `RUSTFLAGS` and the like are honoured.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable for cargo.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), None);
        self
    }

    /// The cargo to run. When not set: `$CARGO`, else `cargo`.
    pub fn cargo(mut self, program: impl Into<OsString>) -> Self {
        self.cargo = Some(program.into());
        self
    }

    /// Calls `observer` with what cargo writes to its standard error, while it builds.
    pub fn on_stderr(mut self, mut observer: impl FnMut(&[u8]) + Send + 'static) -> Self {
        self.observer = Some(Observer::new(move |stream, bytes, _| {
            if stream == Stream::Stderr {
                observer(bytes);
            }
        }));
        self
    }

    /// Builds, and finds the executable.
    ///
    /// # Errors
    ///
    /// Cargo is missing; its configuration cannot be read; the build fails, with the last lines of
    /// cargo's standard error in the message and all of them in [`Error::build_stderr`]; the
    /// toolchain has no profiler runtime; the build made no executable, or several.
    pub fn run(&self) -> Result<BuiltBinary> {
        let manifest = std::path::absolute(&self.manifest)
            .map_err(|e| Error::io(ErrorKind::Toolchain, self.action(), e).at(&self.manifest))?;
        let folder = manifest.parent().unwrap_or(Path::new("/"));
        let (target, flags) = self.target_and_flags(folder)?;
        let output = self.command(&manifest, folder, &target, &flags)?.run()?;
        if !output.status.success() {
            return Err(self.build_error(&output));
        }
        self.pick(&output, target)
    }

    fn action(&self) -> String {
        format!("build `{}`", self.manifest.display())
    }

    fn toolchain_error(&self, reason: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Toolchain, self.action(), reason).at(&self.manifest)
    }

    fn cargo_program(&self) -> OsString {
        let own = self.cargo.clone();
        own.or_else(|| self.env_value("CARGO"))
            .unwrap_or_else(|| "cargo".into())
    }

    /// The variable as cargo will see it.
    fn env_value(&self, name: &str) -> Option<OsString> {
        match self.env.get(std::ffi::OsStr::new(name)) {
            Some(own) => own.clone(),
            None => std::env::var_os(name),
        }
    }

    fn target_and_flags(&self, folder: &Path) -> Result<(String, String)> {
        let failed = |e: cargo_config2::Error| self.toolchain_error(with_sources(&e));
        let inherited = std::env::vars_os().filter(|(name, _)| !self.env.contains_key(name));
        let own = self.env.iter();
        let own = own.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let options = ResolveOptions::default()
            .env(inherited.chain(own))
            .cargo(self.cargo_program());
        let config = Config::load_with_options(folder, options).map_err(failed)?;

        let targets = config.build_target_for_cli(&self.target).map_err(failed)?;
        let target = match targets.as_slice() {
            [] => config.host_triple().map_err(failed)?.to_owned(),
            [one] => one.clone(),
            several => {
                let reason = format_args!("configured for several targets: {}", several.join(", "));
                return Err(self
                    .toolchain_error(reason)
                    .hinting(Some("choose one".into())));
            }
        };
        let user_flags = config.rustflags(target.as_str()).map_err(failed)?;
        let flags = user_flags.map(|f| f.flags).unwrap_or_default();
        Ok((target, with_ours(flags).join("\x1f")))
    }

    fn command(
        &self,
        manifest: &Path,
        folder: &Path,
        target: &str,
        flags: &str,
    ) -> Result<Command> {
        let mut command = Command::new(self.cargo_program())
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(["--target", target])
            .arg("--manifest-path")
            .arg(manifest)
            .current_dir(folder)
            // Ctrl-C is for cargo too.
            .own_group(false);
        for (option, value) in [("--package", &self.package), ("--bin", &self.bin)] {
            if let Some(value) = value {
                command = command.args([option, value]);
            }
        }
        if self.release {
            command = command.arg("--release");
        }
        if let Some(target_dir) = &self.target_dir {
            let target_dir = std::path::absolute(target_dir)
                .map_err(|e| Error::io(ErrorKind::Toolchain, self.action(), e).at(target_dir))?;
            command = command.arg("--target-dir").arg(target_dir);
        }
        if !self.features.is_empty() {
            command = command.arg("--features").arg(self.features.join(","));
        }
        command = command.args(&self.args);
        for (name, value) in &self.env {
            command = match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command = command.env("CARGO_ENCODED_RUSTFLAGS", flags);
        command.observer = self.observer.clone();
        Ok(command)
    }

    fn build_error(&self, output: &Output) -> Error {
        let stderr = lossy(&output.stderr);
        let error = if lacks_profiler_runtime(&stderr) {
            let reason = "this toolchain has no profiler runtime (`profiler_builtins`)";
            let hint = "toolchains from rustup have one; some distributions leave it out";
            Error::new(ErrorKind::NoProfilerRuntime, self.action(), reason)
                .hinting(Some(hint.into()))
        } else {
            let reason = format_args!(
                "cargo ended with {}:\n{}",
                output.status,
                last_lines(&stderr, LAST_LINES)
            );
            Error::new(ErrorKind::BuildFailed, self.action(), reason).hinting(lld_hint(&stderr))
        };
        error.at(&self.manifest).with_build_stderr(stderr)
    }

    fn pick(&self, output: &Output, target: String) -> Result<BuiltBinary> {
        let artifacts = artifacts(&output.stdout);
        let wanted = |a: &&Artifact| match &self.bin {
            Some(bin) => a.executable.is_some() && a.target.name == *bin,
            None => a.executable.is_some(),
        };
        let found: Vec<&Artifact> = artifacts.iter().filter(wanted).collect();
        let stderr = lossy(&output.stderr);
        match found.as_slice() {
            [
                Artifact {
                    executable: Some(path),
                    target: made,
                    ..
                },
            ] => Ok(BuiltBinary {
                path: path.clone(),
                name: made.name.clone(),
                target,
                libraries: artifacts.iter().flat_map(Artifact::libraries).collect(),
                stderr,
            }),
            [] => {
                let reason = "the build made no executable";
                Err(self.choice_error(ErrorKind::NoExecutable, reason.into(), stderr))
            }
            several => {
                let names: Vec<String> = several.iter().map(|a| a.described()).collect();
                let reason = format!("the build made several executables: {}", names.join(", "));
                let error = self.choice_error(ErrorKind::SeveralExecutables, reason, stderr);
                Err(error.hinting(Some("name one, and its package if need be".into())))
            }
        }
    }

    fn choice_error(&self, kind: ErrorKind, reason: String, stderr: String) -> Error {
        Error::new(kind, self.action(), reason)
            .at(&self.manifest)
            .with_build_stderr(stderr)
    }
}

/// The part that we need of cargo's `compiler-artifact` message,
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>.
#[derive(Debug, Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    target: ArtifactTarget,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    executable: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
struct ArtifactTarget {
    name: String,
    kind: Vec<String>,
}

impl Artifact {
    /// The name, and the path that tells two of the same name apart.
    fn described(&self) -> String {
        let path = self.executable.as_deref().unwrap_or(Path::new(""));
        format!("`{}` ({})", self.target.name, path.display())
    }

    /// Procedural macros have a kind of their own and run in the compiler.
    fn libraries(&self) -> Vec<PathBuf> {
        let shared = |kind: &String| kind == "dylib" || kind == "cdylib";
        if !self.target.kind.iter().any(shared) {
            return Vec::new();
        }
        let suffix = std::env::consts::DLL_EXTENSION;
        let is_library = |path: &&PathBuf| path.extension().is_some_and(|e| e == suffix);
        self.filenames.iter().filter(is_library).cloned().collect()
    }
}

/// Lines that are no JSON come from build scripts and are not for us.
fn artifacts(stdout: &[u8]) -> Vec<Artifact> {
    stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Artifact>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .collect()
}

/// The files of a build that may be instrumented, by what cargo wrote to its standard output with
/// `--message-format=json`: executables, shared libraries, procedural macros and build scripts.
/// Each once, in the order of the messages; none is opened.
#[must_use]
pub fn built_objects(stdout: &[u8]) -> Vec<PathBuf> {
    let suffix = std::env::consts::DLL_EXTENSION;
    let mut objects: Vec<PathBuf> = Vec::new();
    for artifact in artifacts(stdout) {
        let is_script = artifact
            .target
            .kind
            .iter()
            .any(|kind| kind == "custom-build");
        let is_library = |path: &PathBuf| path.extension().is_some_and(|e| e == suffix);
        let files = artifact.filenames.into_iter();
        let files = files.filter(|path| is_script || is_library(path));
        objects.extend(artifact.executable.into_iter().chain(files));
    }
    let mut seen = HashSet::new();
    objects.retain(|path| seen.insert(path.clone()));
    objects
}

/// LLVM accepts each of its options only once, so what the user has already is not repeated.
fn with_ours(mut flags: Vec<String>) -> Vec<String> {
    let relocates = |flag: &String| flag.contains("-runtime-counter-relocation");
    let count = if flags.iter().any(relocates) { 2 } else { 4 };
    flags.extend(RUSTC_FLAGS[..count].iter().map(|&flag| flag.to_owned()));
    flags
}

fn lacks_profiler_runtime(stderr: &str) -> bool {
    ["`profiler_builtins`", "without the profiler runtime"]
        .iter()
        .any(|said| stderr.contains(said))
}

/// LLVM's linker, the default on Linux, takes each `%` in its output's path for a random digit (it
/// makes a temporary file there first, and that is how it writes patterns).
fn lld_hint(stderr: &str) -> Option<String> {
    let told = |line: &&str| line.contains("lld: error: cannot open output file");
    stderr
        .lines()
        .find(told)
        .filter(|line| line.contains('%'))?;
    Some(
        "lld cannot write below a folder with `%` in its name; choose another target folder".into(),
    )
}

pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_with(config: &str, env: &[(&str, &str)]) -> Vec<String> {
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir(project.path().join(".cargo")).unwrap();
        std::fs::write(project.path().join(".cargo/config.toml"), config).unwrap();
        let mut build = CargoBuild::new(project.path().join("Cargo.toml"));
        for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            build = build.env_remove(name);
        }
        for (name, value) in env {
            build = build.env(*name, *value);
        }
        let (_, flags) = build.target_and_flags(project.path()).unwrap();
        let flags: Vec<String> = flags.split('\x1f').map(str::to_owned).collect();
        let (users, ours) = flags.split_at(flags.len() - 4);
        assert_eq!(ours, RUSTC_FLAGS);
        users.to_vec()
    }

    #[test]
    fn flags_have_cargos_precedence() {
        let build = "[build]\nrustflags = ['--cfg=b']\n";
        let both = format!("{build}[target.'cfg(unix)']\nrustflags = ['--cfg=t']\n");
        let space = ("RUSTFLAGS", "--cfg  r");
        let encoded = ("CARGO_ENCODED_RUSTFLAGS", "--cfg\x1fe=\"a b\"");
        assert_eq!(flags_with("", &[]), [""; 0]);
        assert_eq!(flags_with(build, &[]), ["--cfg=b"]);
        assert_eq!(flags_with(&both, &[]), ["--cfg=t"]);
        assert_eq!(flags_with(&both, &[space]), ["--cfg", "r"]);
        assert_eq!(flags_with(&both, &[space, encoded]), ["--cfg", "e=\"a b\""]);
    }

    #[test]
    fn empty_variables_win_as_they_do_in_cargo() {
        let space = ("RUSTFLAGS", "--cfg r");
        let empty = ("CARGO_ENCODED_RUSTFLAGS", "");
        assert_eq!(flags_with("", &[space, empty]), [""; 0]);
    }

    #[test]
    fn an_llvm_option_is_not_given_twice() {
        let theirs = vec!["-Cllvm-args=-runtime-counter-relocation".to_owned()];
        let flags = with_ours(theirs);
        assert_eq!(flags[1..], ["-C", "instrument-coverage"]);
    }

    #[test]
    fn the_configured_target_is_kept() {
        let project = tempfile::tempdir().unwrap();
        let build = CargoBuild::new(project.path().join("Cargo.toml"))
            .env("CARGO_BUILD_TARGET", "x86_64-unknown-linux-musl");
        let (target, _) = build.clone().target_and_flags(project.path()).unwrap();
        assert_eq!(target, "x86_64-unknown-linux-musl");
    }

    #[test]
    fn only_artifacts_are_read_from_cargos_output() {
        let stdout = br#"warning from a build script
{"reason":"compiler-artifact","target":{"name":"a","kind":["bin"]},"filenames":["/t/a"],"executable":"/t/a"}
{"reason":"compiler-artifact","target":{"name":"l","kind":["cdylib","rlib"]},"filenames":["/t/l.so","/t/l.rlib"],"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"build-finished","success":true}
"#;
        let found = artifacts(stdout);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].executable.as_deref(), Some(Path::new("/t/a")));
        if cfg!(target_os = "linux") {
            assert_eq!(found[1].libraries(), [PathBuf::from("/t/l.so")]);
        }
    }

    #[test]
    fn lld_and_percent_give_a_hint() {
        let said =
            |path| format!("  = note: rust-lld: error: cannot open output file {path}: No\n");
        assert!(lld_hint(&said("/50%/a")).is_some());
        assert!(lld_hint(&said("/50/a")).is_none());
        assert!(lld_hint("error: 50%").is_none());
    }

    #[test]
    fn messages_hold_the_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }
}
