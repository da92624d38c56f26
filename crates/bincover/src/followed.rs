//! A run whose processes are followed, as the store and the collector have it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bincover_mapping::Instrumentation;
use bincover_run::{Command, Mechanism, Output, Tracing};

use crate::error::{Error, Result};
use crate::rescue::{Cause, Means, Rescue};

/// Whether processes are followed, so that the coverage of those that end without writing it can be
/// read from their memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rescuing {
    /// Where it is needed: the program's counters cannot live in a file, or it is a script, or
    /// another program that is not instrumented itself and may start some that are.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How the counters of a program are best kept.
pub(crate) fn mechanism_for(instrumentation: Option<&Instrumentation>) -> Mechanism {
    match instrumentation {
        Some(found) if found.relocatable_counters == Some(true) => Mechanism::Continuous,
        _ => Mechanism::Exit,
    }
}

/// The processes of a run that are followed.
#[derive(Debug)]
pub(crate) struct Followed {
    rescue: Arc<Rescue>,
    folder: PathBuf,
    /// Known once the program has ended.
    tracing: Option<Tracing>,
}

impl Followed {
    /// Those of a run whose profiles go to this folder; `None` if they are not to be followed.
    pub(crate) fn new(
        rescuing: Rescuing,
        mechanism: Mechanism,
        folder: &Path,
    ) -> Result<Option<Self>> {
        let is_wanted = match rescuing {
            Rescuing::Auto => mechanism == Mechanism::Exit,
            Rescuing::On => true,
            Rescuing::Off => false,
        };
        if !is_wanted {
            return Ok(None);
        }
        let rescue = Rescue::new(folder).map_err(|source| Error::write(folder, source))?;
        Ok(Some(Self {
            rescue: Arc::new(rescue),
            folder: folder.to_owned(),
            tracing: None,
        }))
    }

    /// Has a command's processes followed.
    pub(crate) fn prepare(&self, command: Command) -> Command {
        command.tracer(Arc::<Rescue>::clone(&self.rescue))
    }

    /// The program has ended. Others may not have.
    pub(crate) fn ended(&mut self, output: &Output) {
        self.tracing.clone_from(&output.tracing);
    }

    /// Processes have outlived the program.
    pub(crate) fn has_rest(&self) -> bool {
        !self.wait_rest(Duration::ZERO)
    }

    /// The processes that are there.
    pub(crate) fn living(&self) -> Vec<u32> {
        self.rescue.live()
    }

    /// Waits until all processes have ended. False: the time is over.
    pub(crate) fn wait_rest(&self, timeout: Duration) -> bool {
        let tracing = self.tracing.as_ref();
        tracing.is_none_or(|tracing| tracing.wait_all(timeout))
    }

    /// The coverage of some of the processes was read from their memory.
    pub(crate) fn has_rescued(&self) -> bool {
        self.has_any(&Means::Rescued)
    }

    /// Some of the processes wrote their coverage to where their own variables led.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.has_any(&Means::None(Cause::Elsewhere))
    }

    fn has_any(&self, means: &Means) -> bool {
        let processes = self.rescue.processes();
        let mut images = processes.iter().flat_map(|process| &process.images);
        images.any(|image| image.obtained == *means)
    }

    /// The instrumented binaries of the processes, each once for each process.
    pub(crate) fn binaries(&self) -> Vec<PathBuf> {
        let processes = self.rescue.processes().into_iter();
        let images = processes.flat_map(|process| process.images);
        let with_profile = images.filter(|image| image.profile.is_some());
        with_profile.map(|image| image.path).collect()
    }

    /// Writes what the processes that are still there have reached, as it is now; returns their
    /// binaries.
    pub(crate) fn write_living(&self) -> Result<Vec<PathBuf>> {
        let mut binaries = Vec::new();
        for pid in self.rescue.live() {
            let before = self.ends_of(pid);
            let mut written = Vec::new();
            let living = self.rescue.snapshot_all();
            let profiles = living.into_iter().filter(|(of, _)| *of == pid);
            for (image, profile) in profiles.flat_map(|(_, profiles)| profiles.unwrap_or_default())
            {
                let number = written.len();
                let path = self.folder.join(format!("{pid}-living-{number}.profraw"));
                std::fs::write(&path, profile).map_err(|source| Error::write(&path, source))?;
                written.push(path);
                binaries.push(image.path().to_owned());
            }
            let folder = &self.folder;
            let go = self.rescue.write_living_go(pid);
            for (binary, path) in go.map_err(|source| Error::write(folder, source))? {
                written.push(path);
                binaries.push(binary);
            }
            // One that has ended meanwhile has written all of that itself.
            if self.ends_of(pid) > before {
                for path in written {
                    std::fs::remove_file(&path).map_err(|source| Error::write(&path, source))?;
                }
            }
        }
        Ok(binaries)
    }

    /// How many programs have ended in the process with this id, or were replaced.
    fn ends_of(&self, pid: u32) -> usize {
        let processes = self.rescue.processes().into_iter();
        processes.filter(|process| process.pid == pid).count()
    }
}
