//! Reads the files of programs, and adds the counters of their runs.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bincover_gocover::{
    Cause, CounterView, Hash, LineRule, Mode, Profile, Program, Sums, TextProfile,
};
use bincover_model::Coverage;
use bstr::BStr;

use super::inputs::{GoInputs, GoPod};
use super::locate::GoModules;
use crate::error::shown;

/// Starting a thread costs about as much as reading this many small files.
const FILES_PER_THREAD: usize = 16;

/// A program with the sums of its runs.
#[derive(Debug)]
pub struct GoProgram {
    /// Its metadata file.
    pub path: PathBuf,
    /// What that says.
    pub program: Program,
    /// The counters of its runs; with [`GoReader::by_origin`], of those that came with each input.
    pub sums: Vec<Sums>,
}

/// What was left out, and why, in the order of the files.
#[derive(Debug, Default)]
pub struct GoLedger {
    /// What was left out.
    pub entries: Vec<GoEntry>,
    /// Files that were read.
    pub inputs: u64,
}

/// One thing that was left out.
#[derive(Debug)]
pub struct GoEntry {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for GoEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path), self.cause)
    }
}

impl GoLedger {
    fn add(&mut self, path: &Path, cause: Cause) {
        let path = path.to_owned();
        self.entries.push(GoEntry { path, cause });
    }

    /// Something that was there is not in the result.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        self.entries.iter().any(|entry| entry.cause.is_loss())
    }

    /// Files of which nothing was used.
    #[must_use]
    pub fn unused_inputs(&self) -> u64 {
        let whole = |entry: &&GoEntry| entry.cause.is_whole_file();
        self.entries.iter().filter(whole).count() as u64
    }
}

/// All that was read.
#[derive(Debug, Default)]
pub struct GoMerged {
    /// The programs, by the paths of their metadata.
    pub programs: Vec<GoProgram>,
    /// Text profiles, whose bytes are kept: they are read again when they are added up.
    texts: Vec<(PathBuf, Vec<u8>, Mode)>,
    /// What was left out.
    pub ledger: GoLedger,
}

/// How files are read, and then [`read`](Self::read).
///
/// ```no_run
/// use bincover::{GoInputs, GoReader, gocover::text};
///
/// let mut inputs = GoInputs::default();
/// inputs.add("gocoverdir".as_ref())?;
/// let mut merged = GoReader::new().read(&inputs);
/// if let Some(mode) = merged.mode() {
///     let profile = merged.profile(mode, |_import_path| true);
///     std::fs::write("profile.txt", text::write(&profile))?;
/// }
/// assert!(!merged.ledger.has_losses(), "{:?}", merged.ledger);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GoReader {
    by_origin: bool,
    mode: Option<Mode>,
    joint: bool,
    threads: Option<NonZeroUsize>,
}

impl GoReader {
    /// Each program's runs are added up, in its own mode.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the sums of each input apart.
    #[must_use]
    pub fn by_origin(mut self) -> Self {
        self.by_origin = true;
        self
    }

    /// Adds counters as in this mode, whatever the programs' own is.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Adds the counters of all programs as in the highest of their modes.
    #[must_use]
    pub fn in_highest_mode(mut self) -> Self {
        self.joint = true;
        self
    }

    /// How many threads read files; if never said, one for each processor. The result does not
    /// depend on it.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Reads everything. What cannot be used is in the ledger; the rest is added up.
    #[must_use]
    pub fn read(&self, inputs: &GoInputs) -> GoMerged {
        let (pods, orphans) = inputs.pods();
        let mut merged = GoMerged::default();
        let programs = self.programs(&pods, &mut merged.ledger);
        let mode = programs.iter().flatten().map(|one| one.meta().mode).max();
        let mode = self.mode.or(mode.filter(|_| self.joint));
        let origins = if self.by_origin {
            inputs.origins.max(1)
        } else {
            1
        };
        let sums = Adding {
            pods: &pods,
            programs: &programs,
            by_hash: by_hash(&programs),
            mode,
            by_origin: self.by_origin,
        };
        let mut added = sums.run(self.threads, &mut merged.ledger);
        for (path, name) in orphans {
            merged.ledger.inputs += 1;
            let name = name.into();
            merged.ledger.add(&path, Cause::NoMetadata { name });
        }
        for (index, (pod, program)) in pods.into_iter().zip(programs).enumerate() {
            let Some(program) = program else {
                continue;
            };
            let mode = mode.unwrap_or(program.meta().mode);
            let mut sums = Vec::new();
            for origin in 0..origins {
                let one = added.remove(&(index, origin));
                sums.push(one.unwrap_or_else(|| Sums::new(&program, mode)));
            }
            if sums.iter().any(Sums::overflowed) {
                merged.ledger.add(&pod.meta, Cause::CounterOverflow);
            }
            merged.programs.push(GoProgram {
                path: pod.meta,
                program,
                sums,
            });
        }
        for path in &inputs.texts {
            merged.ledger.inputs += 1;
            match std::fs::read(path) {
                Err(error) => merged.ledger.add(path, Cause::Inaccessible(error)),
                Ok(bytes) => match TextProfile::parse(&bytes).map(|text| text.mode) {
                    Err(error) => merged.ledger.add(path, Cause::Unreadable(error)),
                    Ok(mode) => merged.texts.push((path.clone(), bytes, mode)),
                },
            }
        }
        merged
    }

    /// Reads the metadata of each; `None` where it cannot be read.
    fn programs(&self, pods: &[GoPod], ledger: &mut GoLedger) -> Vec<Option<Program>> {
        let mut programs = Vec::new();
        for pod in pods {
            ledger.inputs += 1;
            let program = match std::fs::read(&pod.meta) {
                Err(error) => Err(Cause::Inaccessible(error)),
                Ok(bytes) => Program::parse(bytes).map_err(Cause::Unreadable),
            };
            match program {
                Ok(program) => {
                    for other in &pod.other_metas {
                        if differs(other, program.bytes()) {
                            ledger.add(other, Cause::OtherMetadata);
                        }
                    }
                    programs.push(Some(program));
                }
                Err(cause) => {
                    ledger.add(&pod.meta, cause);
                    let name = pod.meta.file_name().unwrap_or_default();
                    for (_, path) in &pod.counters {
                        ledger.inputs += 1;
                        let name = name.as_encoded_bytes().into();
                        ledger.add(path, Cause::NoMetadata { name });
                    }
                    programs.push(None);
                }
            }
        }
        programs
    }
}

/// Metadata of one name is written by each run of a program, so it is compared by its length and
/// its header, which has a hash of the rest.
fn differs(path: &Path, known: &[u8]) -> bool {
    const HEADER: usize = 56;
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| {
        let len = file.metadata()?.len();
        file.take(HEADER as u64).read_to_end(&mut header)?;
        Ok(len)
    });
    let start = known.get(..HEADER).unwrap_or(known);
    // One that cannot be read is not needed either.
    read.is_ok_and(|len| len != known.len() as u64 || header != start)
}

/// Which program a header means; of two with one hash, the first.
fn by_hash(programs: &[Option<Program>]) -> HashMap<Hash, usize> {
    let mut by_hash = HashMap::new();
    for (index, program) in programs.iter().enumerate() {
        if let Some(program) = program {
            by_hash.entry(program.meta().hash).or_insert(index);
        }
    }
    by_hash
}

/// Sums by program and input.
type Added = HashMap<(usize, usize), Sums>;

struct Adding<'a> {
    pods: &'a [GoPod],
    programs: &'a [Option<Program>],
    by_hash: HashMap<Hash, usize>,
    mode: Option<Mode>,
    by_origin: bool,
}

/// What a thread has to itself: sums commute.
#[derive(Default)]
struct Worker {
    added: Added,
    bytes: Vec<u8>,
    left_out: Vec<Cause>,
    entries: Vec<(usize, Cause)>,
}

impl Adding<'_> {
    fn run(&self, threads: Option<NonZeroUsize>, ledger: &mut GoLedger) -> Added {
        let mut jobs: Vec<(usize, usize, &Path)> = Vec::new();
        for (index, pod) in self.pods.iter().enumerate() {
            if self.programs[index].is_some() {
                let counters = pod.counters.iter();
                jobs.extend(counters.map(|(origin, path)| (index, *origin, path.as_path())));
            }
        }
        ledger.inputs += jobs.len() as u64;
        let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let wanted = threads.map_or_else(available, NonZeroUsize::get);
        let count = wanted.min(jobs.len() / FILES_PER_THREAD).max(1);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = Worker::default();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(index, origin, path)) = jobs.get(at) else {
                    return worker;
                };
                self.add(&mut worker, at, index, origin, path);
            }
        };
        let workers: Vec<Worker> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..count).map(|_| scope.spawn(work)).collect();
            let mut workers = vec![work()];
            for thread in others {
                workers.push(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            workers
        });
        let mut all = Added::new();
        let mut entries = Vec::new();
        for worker in workers {
            entries.extend(worker.entries);
            for (key, sums) in worker.added {
                match all.entry(key) {
                    std::collections::hash_map::Entry::Occupied(mut known) => {
                        known.get_mut().join(&sums);
                    }
                    std::collections::hash_map::Entry::Vacant(empty) => {
                        empty.insert(sums);
                    }
                }
            }
        }
        entries.sort_by_key(|(at, _)| *at);
        for (at, cause) in entries {
            ledger.add(jobs[at].2, cause);
        }
        all
    }

    /// Reads a counter file and adds it. One that cannot be read whole adds nothing.
    fn add(&self, worker: &mut Worker, at: usize, index: usize, origin: usize, path: &Path) {
        worker.bytes.clear();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut worker.bytes));
        if let Err(error) = read {
            worker.entries.push((at, Cause::Inaccessible(error)));
            return;
        }
        let file = match CounterView::parse(&worker.bytes) {
            Ok(file) => file,
            Err(error) => {
                worker.entries.push((at, Cause::Unreadable(error)));
                return;
            }
        };
        let mut index = index;
        let named = self.programs[index].as_ref().map(|one| one.meta().hash);
        if named != Some(file.hash) {
            match self.by_hash.get(&file.hash) {
                Some(&other) => index = other,
                None => {
                    let found = file.hash.to_string();
                    worker.entries.push((at, Cause::OtherHash { found }));
                }
            }
        }
        let Some(program) = &self.programs[index] else {
            return;
        };
        let origin = if self.by_origin { origin } else { 0 };
        let mode = self.mode.unwrap_or(program.meta().mode);
        let sums = worker.added.entry((index, origin));
        let sums = sums.or_insert_with(|| Sums::new(program, mode));
        sums.add_view(program, &file, &mut worker.left_out);
        let left_out = worker.left_out.drain(..);
        worker.entries.extend(left_out.map(|cause| (at, cause)));
    }
}

impl GoMerged {
    /// The highest mode of all that was read; `None` if nothing was.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        let programs = self.programs.iter().map(|one| one.program.meta().mode);
        programs
            .chain(self.texts.iter().map(|(_, _, mode)| *mode))
            .max()
    }

    /// Nothing was read that could be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.texts.is_empty()
    }

    /// Adds a text profile; nothing if it is none.
    pub(crate) fn add_text(&mut self, path: PathBuf, bytes: Vec<u8>) {
        if let Ok(mode) = TextProfile::parse(&bytes).map(|text| text.mode) {
            self.texts.push((path, bytes, mode));
        }
    }

    /// Something was read from text profiles.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Everything together, in this mode; of programs, the packages that are wanted, by import path.
    /// What is odd about it goes into the ledger.
    pub fn profile(&mut self, mode: Mode, is_wanted: impl Fn(&[u8]) -> bool) -> Profile {
        let mut odd = Vec::new();
        let profile = self.joined(mode, is_wanted, |path, cause| {
            odd.push((path.to_owned(), cause));
        });
        for (path, cause) in odd {
            self.ledger.add(&path, cause);
        }
        profile
    }

    /// The coverage of all of it, with the sources where these modules have them; without what is odd
    /// about it going into the ledger.
    #[must_use]
    pub fn coverage(&self, modules: &GoModules, rule: LineRule) -> Coverage {
        let mode = self.mode().unwrap_or(Mode::Set);
        let profile = self.joined(mode, |_| true, |_, _| ());
        let mut locate = |file: &BStr, module: &BStr| modules.locate(file, module);
        bincover_gocover::coverage(&profile, &mut locate, rule)
    }

    fn joined(
        &self,
        mode: Mode,
        is_wanted: impl Fn(&[u8]) -> bool,
        mut odd: impl FnMut(&Path, Cause),
    ) -> Profile {
        let mut profile = Profile::new(mode);
        for one in &self.programs {
            for sums in &one.sums {
                profile.add_program(&one.program, sums, &is_wanted);
            }
        }
        for (path, bytes, _) in &self.texts {
            // It was read before.
            if let Ok(text) = TextProfile::parse(bytes) {
                for cause in profile.add_text(&text) {
                    odd(path, cause);
                }
            }
        }
        profile
    }
}
