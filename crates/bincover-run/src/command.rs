//! What to run, and how: a builder that starts nothing before [`Command::spawn`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Stream};
use crate::process::{ProcessHandle, Running};
use crate::profile_path::{GO_FOLDER_VARIABLE, Mechanism, PROFILE_FILE_VARIABLE, ProfileTarget};
use crate::trace::{Observing, Tracer};

/// What the child reads as its standard input.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// Ours.
    Inherit,
    /// Nothing.
    Null,
    /// These bytes, then the end. A child that does not read them all is no error, provided that
    /// our process ignores SIGPIPE, as Rust programs do unless they are told otherwise.
    Bytes(Vec<u8>),
    /// The content of this file, opened at the start of the run.
    File(PathBuf),
}

/// A program with its arguments and surroundings. Cheap to clone, except for [`Stdin::Bytes`].
///
/// A command can be run any number of times, and from many threads at once. By default the output
/// is captured, standard input is empty, there is no timeout, and the environment is ours.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing before `run` or `spawn`"]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env_clear: bool,
    env: BTreeMap<OsString, Option<OsString>>,
    current_dir: Option<PathBuf>,
    stdin: Option<Stdin>,
    capture: bool,
    own_group: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) drain: Duration,
    label: Option<String>,
    profiles: Option<(PathBuf, Mechanism)>,
    discard_profiles: bool,
    pub(crate) observer: Option<Observer>,
    pub(crate) tracer: Option<Observing>,
}

impl Command {
    /// A command for `program`: a path when it has a slash, else a name that is looked up in the
    /// child's `PATH`. A relative path is relative to our current folder, also with
    /// [`current_dir`](Self::current_dir).
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env_clear: false,
            env: BTreeMap::new(),
            current_dir: None,
            stdin: None,
            capture: true,
            own_group: None,
            timeout: None,
            grace: Duration::from_secs(2),
            drain: Duration::from_millis(250),
            label: None,
            profiles: None,
            discard_profiles: false,
            observer: None,
            tracer: None,
        }
    }

    /// Adds one argument. Any bytes but NUL arrive as they are; no shell is involved.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the child.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable from the child.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), None);
        self
    }

    /// Starts from an empty environment, and forgets the variables set so far. The variable that
    /// [`profiles`](Self::profiles) needs is put back.
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self.env.clear();
        self
    }

    /// The folder that the child starts in; ours when not set.
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(folder.into());
        self
    }

    /// What the child reads. When not set: nothing in capture mode, ours in inherit mode.
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = Some(stdin);
        self
    }

    /// Collects the child's output (the default), all of it in memory. The child gets a process
    /// group of its own, so that a timeout ends its descendants too. Ctrl-C in the terminal then
    /// reaches only us.
    pub fn capture(mut self) -> Self {
        self.capture = true;
        self
    }

    /// Lets the child write to our output. It stays in our process group and keeps the terminal.
    ///
    /// While it runs, SIGINT and SIGQUIT do not end our process (the terminal sends them to the
    /// child as well), and SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed on to the child. A signal that
    /// our process ignores stays ignored in both; one that it catches is also delivered to its own handler.
    pub fn inherit(mut self) -> Self {
        self.capture = false;
        self
    }

    /// Whether the child leads a process group of its own. When not set: yes in capture mode, no in
    /// inherit mode. Without one, Ctrl-C reaches the child, and a timeout ends the child alone.
    pub fn own_group(mut self, own: bool) -> Self {
        self.own_group = Some(own);
        self
    }

    /// The time that the child has. Then it is sent SIGTERM, and SIGKILL after the
    /// [`grace`](Self::grace) period; with a process group of its own, so are its descendants,
    /// except those that have left the group.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The time between SIGTERM and SIGKILL after a timeout; 2 seconds when not set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long to go on reading when the child is gone and a descendant holds its pipes open; 250
    /// milliseconds when not set. What the child itself wrote is always read.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// A name for people; the program's when not set.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Has an instrumented program, and what it starts, write profiles to `folder`, which is
    /// created for us alone (mode 0700) when missing; programs of Go, too. An explicit
    /// [`env`](Self::env)`("LLVM_PROFILE_FILE", …)` or `("GOCOVERDIR", …)` wins; the output then says so.
    ///
    /// A folder with `%` in its path is reached through a symbolic link in the temporary folder,
    /// which lives as long as the [`Output`].
    pub fn profiles(mut self, folder: impl Into<PathBuf>, mechanism: Mechanism) -> Self {
        self.profiles = Some((folder.into(), mechanism));
        self.discard_profiles = false;
        self
    }

    /// Has an instrumented program, and what it starts, leave no profile behind, where it would
    /// else write `default_*.profraw` to its current folder. An explicit
    /// [`env`](Self::env)`("LLVM_PROFILE_FILE", …)` wins.
    pub fn discard_profiles(mut self) -> Self {
        self.profiles = None;
        self.discard_profiles = true;
        self
    }

    /// Calls `observer` with each piece of captured output, in the order of arrival, while the
    /// child runs. It is called on the thread that waits; the child's pipes are not read meanwhile.
    /// Clones of this command share it: it is never called twice at once.
    pub fn on_output(
        mut self,
        observer: impl FnMut(Stream, &[u8], &ProcessHandle) + Send + 'static,
    ) -> Self {
        self.observer = Some(Observer::new(observer));
        self
    }

    /// Has `tracer` look at the child and all that it starts while they are stopped: see
    /// [`trace`](crate::trace). Where the system does not allow that, the run goes on without, and
    /// [`Output::tracing`] says so.
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.tracer = Some(Observing(tracer));
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Running::wait`]. A program that fails, is killed or times
    /// out is no error: see [`Output::status`].
    pub fn run(&self) -> Result<Output> {
        self.spawn()?.wait()
    }

    /// Starts the program. Its pipes are served, and its timeout is watched, by [`Running::wait`].
    ///
    /// # Errors
    ///
    /// The program is missing or cannot be executed, the folder to run in is none, the file for
    /// standard input cannot be opened, the profile folder cannot be used, or the system is out of
    /// processes, threads or file descriptors.
    pub fn spawn(&self) -> Result<Running> {
        let profiles = self.prepare_profiles()?;
        let mut command = self.to_std(profiles.as_ref())?;
        Running::start(self, &mut command, profiles)
    }

    /// The label, or the program as typed.
    pub(crate) fn name(&self) -> String {
        self.label
            .clone()
            .unwrap_or_else(|| self.program.to_string_lossy().into_owned())
    }

    /// The `PATH` that the child will have, in which a program without a slash is looked up. `None`
    /// when it will have none.
    #[must_use]
    pub fn search_path(&self) -> Option<OsString> {
        match self.env.get(OsStr::new("PATH")) {
            Some(own) => own.clone(),
            None if self.env_clear => None,
            None => std::env::var_os("PATH"),
        }
    }

    pub(crate) fn captures(&self) -> bool {
        self.capture
    }

    pub(crate) fn leads_group(&self) -> bool {
        self.own_group.unwrap_or(self.capture)
    }

    pub(crate) fn stdin_bytes(&self) -> Option<Vec<u8>> {
        match &self.stdin {
            Some(Stdin::Bytes(bytes)) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// A profile folder was asked for, and the caller's own variable wins.
    pub(crate) fn overrides_profile_file(&self) -> bool {
        self.profiles.is_some() && self.sets(PROFILE_FILE_VARIABLE)
    }

    /// The same, for programs of Go.
    pub(crate) fn overrides_go_folder(&self) -> bool {
        self.profiles.is_some() && self.sets(GO_FOLDER_VARIABLE)
    }

    fn sets(&self, variable: &str) -> bool {
        matches!(self.env.get(OsStr::new(variable)), Some(Some(_)))
    }

    fn prepare_profiles(&self) -> Result<Option<ProfileTarget>> {
        match &self.profiles {
            Some((folder, mechanism)) => ProfileTarget::prepare(folder, *mechanism).map(Some),
            None => Ok(None),
        }
    }

    fn to_std(&self, profiles: Option<&ProfileTarget>) -> Result<process::Command> {
        let mut command = process::Command::new(self.program_path()?);
        command.arg0(&self.program).args(&self.args);
        self.apply_env(&mut command, profiles);
        if let Some(folder) = &self.current_dir {
            command.current_dir(folder);
        }
        if self.leads_group() {
            command.process_group(0);
        }
        command.stdin(self.stdin_for_child()?);
        if self.capture {
            command.stdout(process::Stdio::piped());
            command.stderr(process::Stdio::piped());
        }
        Ok(command)
    }

    fn apply_env(&self, command: &mut process::Command, profiles: Option<&ProfileTarget>) {
        if self.env_clear {
            command.env_clear();
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(profiles) = profiles {
            if !self.overrides_profile_file() {
                command.env(PROFILE_FILE_VARIABLE, &profiles.pattern);
            }
            if !self.overrides_go_folder() {
                command.env(GO_FOLDER_VARIABLE, &profiles.folder);
            }
        } else if self.discard_profiles && !self.sets(PROFILE_FILE_VARIABLE) {
            command.env(PROFILE_FILE_VARIABLE, "/dev/null");
        }
    }

    /// With a new current folder it would be up to the system where a relative path starts.
    fn program_path(&self) -> Result<PathBuf> {
        let path = PathBuf::from(&self.program);
        if self.current_dir.is_none() || !has_slash(&self.program) {
            return Ok(path);
        }
        std::path::absolute(&path).map_err(|e| self.spawn_error(e))
    }

    fn stdin_for_child(&self) -> Result<process::Stdio> {
        match &self.stdin {
            Some(Stdin::Inherit) => Ok(process::Stdio::inherit()),
            Some(Stdin::Null) => Ok(process::Stdio::null()),
            Some(Stdin::Bytes(_)) => Ok(process::Stdio::piped()),
            Some(Stdin::File(path)) => open_stdin(path),
            None if self.capture => Ok(process::Stdio::null()),
            None => Ok(process::Stdio::inherit()),
        }
    }

    /// The system's error says what failed, not which of program and folder; look again.
    #[cold]
    pub(crate) fn spawn_error(&self, error: io::Error) -> Error {
        if let Some(folder) = self.unusable_folder() {
            let action = format_args!("start `{}` in `{}`", self.name(), folder.display());
            return Error::io(ErrorKind::WorkingFolder, action, error).at(folder);
        }
        let path = Path::new(&self.program);
        let action = format!("start `{}`", path.display());
        if has_slash(&self.program) {
            return path_error(path, &action, error);
        }
        // The last folder of PATH may be none.
        let is_nowhere =
            |kind| matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        if !is_nowhere(error.kind()) {
            return Error::io(error_kind(&error), action, error).at(path);
        }
        let here = Path::new(".").join(path);
        let hint = (!self.program.is_empty() && here.is_file())
            .then(|| format!("it is in the current folder: try `{}`", here.display()));
        Error::new(ErrorKind::ProgramNotFound, action, "not found in PATH")
            .at(path)
            .hinting(hint)
    }

    fn unusable_folder(&self) -> Option<&Path> {
        let folder = self.current_dir.as_deref()?;
        let usable =
            folder.is_dir() && rustix::fs::access(folder, rustix::fs::Access::EXEC_OK).is_ok();
        (!usable).then_some(folder)
    }
}

fn open_stdin(path: &Path) -> Result<process::Stdio> {
    let action = || format!("read standard input from `{}`", path.display());
    match File::open(path) {
        Ok(file) => Ok(file.into()),
        Err(e) => Err(Error::io(ErrorKind::StdinFile, action(), e).at(path)),
    }
}

#[cold]
fn path_error(path: &Path, action: &str, error: io::Error) -> Error {
    let kind = error_kind(&error);
    let made = if kind == ErrorKind::ProgramNotFound && path.exists() {
        let reason = "the interpreter or loader that it names does not exist";
        Error::new(ErrorKind::NotExecutable, action, reason)
    } else if path.is_dir() {
        Error::new(ErrorKind::NotExecutable, action, "is a folder")
    } else {
        Error::io(kind, action, error)
    };
    made.at(path)
}

/// Whether the program is at fault, of which shells say 126, or the system that has no more processes or files.
fn error_kind(error: &io::Error) -> ErrorKind {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => ErrorKind::ProgramNotFound,
        // Without a number it is an argument that no program can have.
        None | Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => ErrorKind::Spawn,
        Some(_) => ErrorKind::NotExecutable,
    }
}

fn has_slash(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

type ObserverFn = dyn FnMut(Stream, &[u8], &ProcessHandle) + Send;

/// What [`Command::on_output`] was given.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Mutex<ObserverFn>>);

impl Observer {
    pub(crate) fn new(
        observer: impl FnMut(Stream, &[u8], &ProcessHandle) + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(observer)))
    }

    pub(crate) fn call(&self, stream: Stream, bytes: &[u8], process: &ProcessHandle) {
        let mut observer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        observer(stream, bytes, process);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_system_without_room_is_not_the_programs_fault() {
        for errno in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE] {
            let error = Command::new("/bin/true").spawn_error(errno.into());
            assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
            let error = Command::new("true").spawn_error(errno.into());
            assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
        }
    }
}
