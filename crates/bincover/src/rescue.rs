//! The profiles of processes that end without writing them: killed, aborted, replaced by another
//! program.
//!
//! `bincover-run` stops each process of a run at its end and knows no format; `bincover-rescue` reads
//! the counters of a process and stops none. Here they meet, in [`Rescue`], and what is decided here is
//! who has written a profile already.
//!
//! # Who counts what
//!
//! A process writes to files of its own, whose names begin with its id. A forked process inherits the
//! name, and the counters, of its parent; so the two are one *family* until the child executes another
//! program.
//!
//! - A process alone: if it has left a whole profile, that is taken. Else its memory is written beside
//!   it, and a profile that was cut is removed.
//! - A family: each member's memory is written as it ends, minus what it began with; what the members
//!   wrote themselves is removed. LLVM's runtime, when it finds a profile under its name, adds that to
//!   its own counters in memory before it writes them. So a member's counters are read when it asks for
//!   the lock on that file, before it adds anything.
//! - A process that executes another program: its memory is written when that has worked.
//! - Continuous mode: the counters are in the file already, those of a whole family in one.
//!
//! Go's programs: see [`go`].
//!
//! A process whose own variable leads elsewhere, as in a run within this one, has written there what
//! counts there: see [`elsewhere`].
//!
//! A process whose environment was cleared writes `default*.profraw` to its current folder, as it does
//! without us. Its memory is written to the folder of the run; the stray file is left alone.
//!
//! Not seen: what a program counts after it has written its profile before its end
//! (`__llvm_profile_write_file`).

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bincover_rescue::{Counters, ErrorKind, Image, Images, Memory, Reader, Snapshot};
use bincover_run::{Traced, Tracer};

mod elsewhere;
mod go;

/// How the coverage of a process was obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Means {
    /// It wrote its profile when it ended.
    Exit,
    /// From its memory.
    Rescued,
    /// Its counters were in a file all the time.
    Continuous,
    /// Not at all.
    None(Cause),
}

/// Why there is no coverage of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It was built without.
    NotInstrumented,
    /// All that its counters held was its parent's: it executed no instrumented code of its own.
    NothingCounted,
    /// Its memory was gone when we heard of its end.
    Lost,
    /// Its memory could not be read, with the reason.
    Unreadable(String),
    /// Its profile could not be written, with the reason.
    NotWritten(String),
    /// It wrote its coverage where its own LLVM_PROFILE_FILE or GOCOVERDIR led.
    Elsewhere,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit => f.write_str("written at its end"),
            Self::Rescued => f.write_str("read from its memory"),
            Self::Continuous => f.write_str("written continuously"),
            Self::None(cause) => write!(f, "{cause}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstrumented => f.write_str("built without coverage"),
            Self::NothingCounted => f.write_str("executed no instrumented code of its own"),
            Self::Lost => f.write_str("ended before its memory could be read"),
            Self::Elsewhere => {
                f.write_str("wrote it where its LLVM_PROFILE_FILE or GOCOVERDIR led")
            }
            Self::Unreadable(reason) | Self::NotWritten(reason) => f.write_str(reason),
        }
    }
}

/// A program that has run in a process, from its start, or from the fork, to its end.
#[derive(Clone, Debug)]
pub struct RescuedProcess {
    /// The process's id. One that executes another program is there once for each.
    pub pid: u32,
    /// The process that it was started by, if that one was followed, too.
    pub parent: Option<u32>,
    /// What it executed, as `/proc/PID/exe` said.
    pub exe: PathBuf,
    /// The instrumented binaries that were mapped in it.
    pub images: Vec<RescuedImage>,
    /// How the coverage of its program was obtained; if only shared libraries are instrumented,
    /// theirs.
    pub obtained: Means,
}

/// An instrumented binary in a process.
#[derive(Clone, Debug)]
pub struct RescuedImage {
    /// Where it was, as the process saw it.
    pub path: PathBuf,
    /// It was the program, and no shared library.
    pub is_program: bool,
    /// Its build ids, of which there is mostly one.
    pub build_ids: Vec<Vec<u8>>,
    /// How its coverage was obtained.
    pub obtained: Means,
    /// The profile with it, unless it is none.
    pub profile: Option<PathBuf>,
}

/// Looks after the profiles of a run: give it to [`Command::tracer`](bincover_run::Command::tracer).
///
/// One can look after several runs into one folder.
#[derive(Debug)]
pub struct Rescue {
    folder: PathBuf,
    reader: Reader,
    go: go::Go,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    programs: HashMap<u32, Program>,
    /// By the id in the names of their files.
    families: HashMap<u32, Family>,
    /// What is to be done with those that have asked for another program, if that works.
    held: HashMap<u32, Last>,
    done: Vec<RescuedProcess>,
}

/// Those that write under one name.
#[derive(Debug, Default)]
struct Family {
    live: usize,
    /// One has ended, and may have written.
    has_ended: bool,
}

/// A program in a process that is there.
#[derive(Clone, Debug)]
struct Program {
    /// The id in its files' names: its own, or of the process that it was forked from.
    name: u32,
    parent: Option<u32>,
    exe: PathBuf,
    began: SystemTime,
    /// What its counters were when it was forked, by the address of their section.
    baseline: Arc<HashMap<u64, Counters>>,
    /// The same of images of Go; `None` if it was not forked.
    go_baseline: Option<Arc<HashMap<u64, Vec<u32>>>>,
    /// The files that it has locked, to add their content to its counters and to write both; and for a
    /// member of a family what the counters were before.
    locked: Vec<(PathBuf, Arc<HashMap<u64, Counters>>)>,
    /// It is seen when a file is locked.
    sees_locks: bool,
}

/// What was found in a process, ready to be written.
#[derive(Clone, Debug)]
struct Last {
    images: Vec<(RescuedImage, Work)>,
    otherwise: Cause,
}

/// What an image needs.
#[derive(Clone, Debug)]
enum Work {
    Nothing,
    /// Write the profile, and remove what the process itself wrote.
    Write {
        profile: Vec<u8>,
        instead_of: Option<PathBuf>,
    },
    /// There is nothing to write, but what the process itself wrote is counted elsewhere.
    Remove(Option<PathBuf>),
    /// For an image of Go.
    Go(go::Work),
}

/// How much older than its process a file may look where locks are not seen: the kernel's clock for
/// files is coarse.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// Enough for a header and build ids.
const HEAD_BYTES: u64 = 8192;

impl Rescue {
    /// For programs whose profiles go to `folder`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder: folder.as_ref().canonicalize()?,
            reader: Reader::new(),
            go: go::Go::default(),
            state: Mutex::default(),
        })
    }

    /// The processes that have ended, in the order of their ends.
    #[must_use]
    pub fn processes(&self) -> Vec<RescuedProcess> {
        self.state().done.clone()
    }

    /// The processes that are there now.
    #[must_use]
    pub fn live(&self) -> Vec<u32> {
        let mut live: Vec<u32> = self.state().programs.keys().copied().collect();
        live.sort_unstable();
        live
    }

    /// What the processes that are there have counted so far, without stopping them: for each its
    /// images and their profiles. A forked one has only what it counted itself. Images in continuous
    /// mode are left out: their profile is in the folder.
    #[must_use]
    pub fn snapshot_all(&self) -> Vec<(u32, bincover_rescue::Result<Snapshot>)> {
        let state = self.state();
        let programs = state.programs.iter();
        let mut programs: Vec<_> = programs.map(|(pid, one)| (*pid, one.clone())).collect();
        drop(state);
        programs.sort_by_key(|(pid, _)| *pid);
        programs
            .into_iter()
            .map(|(pid, program)| (pid, self.snapshot(pid, &program)))
            .collect()
    }

    fn snapshot(&self, pid: u32, program: &Program) -> bincover_rescue::Result<Snapshot> {
        let memory = Memory::open(pid)?;
        let images = self.reader.images_in(&memory)?;
        let wanted = images
            .into_iter()
            .filter(|image| image.continuous().is_none());
        let profile = |image: Image| {
            let counters = image.read(&memory)?;
            let counters = program.own(&image, counters);
            let profile = image.raw_profile(&memory, &counters)?;
            Ok((image, profile))
        };
        wanted.map(profile).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of all images of a stopped process. None if it has none.
    fn counters(&self, process: &Traced) -> HashMap<u64, Counters> {
        let read = || {
            let memory = Memory::open(process.thread)?;
            let images = self.reader.images_in(&memory)?;
            let counters = |image: Image| Ok((image.address(), image.read(&memory)?));
            images.into_iter().map(counters).collect()
        };
        // Whoever cannot be read now is asked again at its end, which tells why.
        bincover_rescue::Result::unwrap_or_default(read())
    }

    /// The same of images of Go.
    fn go_counters(&self, process: &Traced) -> HashMap<u64, Vec<u32>> {
        let read = || {
            let memory = Memory::open(process.thread)?;
            let images = self.reader.all_in(&memory)?.go;
            let counters = images
                .iter()
                .map(|one| Ok((one.address(), one.counters(&memory)?)));
            counters.collect()
        };
        bincover_rescue::Result::unwrap_or_default(read())
    }

    /// Writes what the images of Go in a living process have counted so far. Gives back the binaries, and
    /// what was written.
    pub(crate) fn write_living_go(&self, pid: u32) -> io::Result<Vec<(PathBuf, PathBuf)>> {
        let Some(program) = self.state().programs.get(&pid).cloned() else {
            return Ok(Vec::new());
        };
        let found = Memory::open(pid).and_then(|memory| Ok((self.reader.all_in(&memory)?, memory)));
        let Ok((images, memory)) = found else {
            return Ok(Vec::new());
        };
        let mut written = Vec::new();
        for image in images.go {
            let last = self.go.last(&self.folder, &image, &memory, &program);
            if let Ok((_, _, Some(work))) = last
                && let Some(path) = self.go.finish(&self.folder, work)?
            {
                written.push((image.path().to_owned(), path));
            }
        }
        Ok(written)
    }

    /// Looks at a process that is stopped, for the last time or before it may be replaced.
    fn last(&self, process: &Traced, program: &Program, is_family: bool) -> Last {
        let nothing = |otherwise| Last {
            images: Vec::new(),
            otherwise,
        };
        let memory = match Memory::open(process.thread) {
            Ok(memory) => memory,
            Err(error) => return nothing(Cause::Unreadable(error.to_string())),
        };
        let Images { llvm, go } = match self.reader.all_in(&memory) {
            Ok(images) => images,
            Err(error) => {
                return nothing(match error.kind() {
                    ErrorKind::NotInstrumented => Cause::NotInstrumented,
                    _ => Cause::Unreadable(error.to_string()),
                });
            }
        };
        let unreadable = |error: bincover_rescue::Error| {
            let cause = Cause::Unreadable(error.to_string());
            (Means::None(cause), None, Work::Nothing)
        };
        let go = go.into_iter().map(|image| {
            let last = self.go.last(&self.folder, &image, &memory, program);
            let last = last.map(|(obtained, profile, work)| {
                (obtained, profile, work.map_or(Work::Nothing, Work::Go))
            });
            let (obtained, profile, work) = last.unwrap_or_else(unreadable);
            let told = RescuedImage {
                path: image.path().to_owned(),
                is_program: image.is_program(),
                build_ids: Vec::new(),
                obtained,
                profile,
            };
            (told, work)
        });
        let llvm = llvm.into_iter().map(|image| {
            let (obtained, profile, work) = self
                .last_of(&image, &memory, program, is_family)
                .unwrap_or_else(unreadable);
            let told = RescuedImage {
                path: image.path().to_owned(),
                is_program: image.is_program(),
                build_ids: image.build_ids().to_vec(),
                obtained,
                profile,
            };
            (told, work)
        });
        Last {
            images: llvm.chain(go).collect(),
            otherwise: Cause::NotInstrumented,
        }
    }

    fn last_of(
        &self,
        image: &Image,
        memory: &Memory,
        program: &Program,
        is_family: bool,
    ) -> bincover_rescue::Result<(Means, Option<PathBuf>, Work)> {
        if let Some(file) = image.continuous()
            && self.is_below(file)
            && file.exists()
        {
            return Ok((Means::Continuous, Some(file.to_owned()), Work::Nothing));
        }
        if elsewhere::has_written(&self.folder, image, memory, program)? {
            return Ok((Means::None(Cause::Elsewhere), None, Work::Nothing));
        }
        let name = format!("{}-{}_0.profraw", program.name, image.signature(memory)?);
        let own_file = self.folder.join(name);
        if !is_family && program.wrote(image, &own_file) {
            return Ok((Means::Exit, Some(own_file), Work::Nothing));
        }
        let superseded = program.is_superseded(image, &own_file);
        let counters = match program.before_lock(image, &own_file) {
            Some(counters) if is_family => counters.clone(),
            _ => image.read(memory)?,
        };
        let counters = program.own(image, counters);
        if counters.is_blank() && program.baseline.contains_key(&image.address()) {
            let cause = Cause::NothingCounted;
            let file = superseded.then_some(own_file);
            return Ok((Means::None(cause), None, Work::Remove(file)));
        }
        let work = Work::Write {
            profile: image.raw_profile(memory, &counters)?,
            instead_of: superseded.then_some(own_file),
        };
        Ok((Means::Rescued, None, work))
    }

    /// `folder` itself, by whatever name the process reached it.
    fn is_below(&self, file: &Path) -> bool {
        file.parent().is_some_and(|folder| {
            folder == self.folder || folder.canonicalize().is_ok_and(|real| real == self.folder)
        })
    }

    /// Writes what is to be written, and puts the process into the list.
    fn finish(&self, pid: u32, program: &Program, last: Last) {
        let mut images = Vec::new();
        for (mut told, work) in last.images {
            match work {
                Work::Nothing => {}
                Work::Remove(file) => remove(file.as_deref()),
                Work::Go(work) => match self.go.finish(&self.folder, work) {
                    Ok(Some(path)) => told.profile = Some(path),
                    Ok(None) => {}
                    Err(error) => told.obtained = self.not_written(&error),
                },
                Work::Write {
                    profile,
                    instead_of,
                } => match self.write(pid, &profile) {
                    Ok(path) => {
                        remove(instead_of.as_deref());
                        told.profile = Some(path);
                    }
                    Err(error) => told.obtained = self.not_written(&error),
                },
            }
            images.push(told);
        }
        let its_own = images.iter().find(|image| image.is_program);
        let obtained = match its_own.or(images.first()) {
            Some(image) => image.obtained.clone(),
            None => Means::None(last.otherwise),
        };
        self.state().done.push(RescuedProcess {
            pid,
            parent: program.parent,
            exe: program.exe.clone(),
            images,
            obtained,
        });
    }

    fn not_written(&self, error: &io::Error) -> Means {
        let folder = self.folder.display();
        let reason = format!("write its profile to `{folder}`: {error}");
        Means::None(Cause::NotWritten(reason))
    }

    /// Puts a profile into the folder, whole, under a name that nobody has.
    fn write(&self, pid: u32, profile: &[u8]) -> io::Result<PathBuf> {
        write_new(&self.folder, profile, |number| {
            format!("{pid}-rescued-{number}.profraw")
        })
    }
}

/// The names of files begin with this that are being written into the folder of a run. When we are killed they stay.
pub(crate) const UNFINISHED: &str = ".rescued-";

/// Puts a file into a folder, whole, under the first name that nobody has.
fn write_new(folder: &Path, bytes: &[u8], name: impl Fn(u64) -> String) -> io::Result<PathBuf> {
    make_again(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    for number in 0_u64.. {
        let path = folder.join(name(number));
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                file = taken.file;
            }
            Err(other) => return Err(other.error),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// A program can remove the folder that it was given; or put a link in its place, which is not followed.
fn make_again(folder: &Path) -> io::Result<()> {
    match folder.symlink_metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::other("it is no folder any more")),
        Err(_) => std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder),
    }
}

impl Program {
    /// What this process counted itself.
    fn own(&self, image: &Image, counters: Counters) -> Counters {
        match self.baseline.get(&image.address()) {
            Some(baseline) => counters.minus(baseline),
            None => counters,
        }
    }

    /// What the image counted before it added `own_file` to it; if the file's name is none that we
    /// know, before the first file that was added.
    fn before_lock(&self, image: &Image, own_file: &Path) -> Option<&Counters> {
        let known = self.locked.iter().find(|(file, _)| file == own_file);
        let (_, counters) = known.or(self.locked.first())?;
        counters.get(&image.address())
    }

    /// The file is a whole profile of the image that this program has written. Another may be there
    /// of a process that had the same id before, or of a program that this one has replaced.
    fn wrote(&self, image: &Image, own_file: &Path) -> bool {
        self.may_have_written(own_file) && is_whole(image, own_file)
    }

    fn may_have_written(&self, own_file: &Path) -> bool {
        match self.sees_locks {
            true => self.locked.iter().any(|(file, _)| file == own_file),
            false => self.is_of_its_time(own_file),
        }
    }

    fn is_of_its_time(&self, file: &Path) -> bool {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified + CLOCK_SLACK >= self.began)
    }

    /// What is counted elsewhere, or is of no use, is to be removed.
    fn is_superseded(&self, image: &Image, own_file: &Path) -> bool {
        own_file.is_file()
            && (self.may_have_written(own_file)
                || (self.is_of_its_time(own_file) && !is_whole(image, own_file)))
    }
}

fn is_whole(image: &Image, own_file: &Path) -> bool {
    let head = || {
        let file = File::open(own_file)?;
        let bytes = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        io::Result::Ok((head, bytes))
    };
    head().is_ok_and(|(head, bytes)| image.wrote(&head, bytes))
}

/// One that cannot be removed would be counted twice; but the folder is ours, so it can.
fn remove(superseded: Option<&Path>) {
    if let Some(file) = superseded {
        let _ = std::fs::remove_file(file);
    }
}

impl State {
    fn join(&mut self, pid: u32, program: Program) {
        self.families.entry(program.name).or_default().live += 1;
        if let Some(before) = self.programs.insert(pid, program) {
            self.leave(before.name, false);
        }
    }

    fn leave(&mut self, name: u32, has_ended: bool) {
        if let Some(family) = self.families.get_mut(&name) {
            family.live = family.live.saturating_sub(1);
            family.has_ended |= has_ended;
            if family.live == 0 {
                self.families.remove(&name);
            }
        }
    }

    fn is_family(&self, name: u32) -> bool {
        let family = self.families.get(&name);
        family.is_some_and(|family| family.live > 1 || family.has_ended)
    }
}

impl Tracer for Rescue {
    fn started(&self, process: &Traced) {
        let program = Program {
            name: process.pid,
            parent: process.parent,
            exe: exe(process.thread),
            began: SystemTime::now(),
            baseline: Arc::default(),
            go_baseline: None,
            locked: Vec::new(),
            sees_locks: process.sees_calls,
        };
        self.state().join(process.pid, program);
    }

    fn forked(&self, parent: &Traced, child: &Traced) {
        let baseline = Arc::new(self.counters(child));
        let go_baseline = Some(Arc::new(self.go_counters(child)));
        let mut state = self.state();
        let parent_program = state.programs.get(&parent.pid);
        let program = Program {
            name: parent_program.map_or(parent.pid, |one| one.name),
            parent: Some(parent.pid),
            exe: match parent_program {
                Some(one) => one.exe.clone(),
                None => exe(child.thread),
            },
            began: SystemTime::now(),
            baseline,
            go_baseline,
            locked: Vec::new(),
            sees_locks: child.sees_calls,
        };
        state.join(child.pid, program);
    }

    fn about_to_exec(&self, process: &Traced) {
        let state = self.state();
        let Some(program) = state.programs.get(&process.pid).cloned() else {
            return;
        };
        let is_family = state.is_family(program.name);
        drop(state);
        let last = self.last(process, &program, is_family);
        self.state().held.insert(process.pid, last);
    }

    fn exec_done(&self, process: &Traced) {
        let mut state = self.state();
        let held = state.held.remove(&process.pid);
        let Some(program) = state.programs.remove(&process.pid) else {
            return;
        };
        state.leave(program.name, false);
        drop(state);
        if let Some(last) = held {
            self.finish(process.pid, &program, last);
        }
    }

    fn about_to_lock(&self, process: &Traced, descriptor: u32) {
        let state = self.state();
        let Some(program) = state.programs.get(&process.pid) else {
            return;
        };
        let link = format!("/proc/{}/fd/{descriptor}", process.thread);
        let Ok(file) = std::fs::read_link(link) else {
            return;
        };
        let known = |(path, _): &(PathBuf, _)| *path == file;
        if file.parent() != Some(&self.folder) || program.locked.iter().any(known) {
            return;
        }
        let is_family = state.is_family(program.name);
        drop(state);
        let counters = match is_family {
            true => self.counters(process),
            false => HashMap::new(),
        };
        if let Some(program) = self.state().programs.get_mut(&process.pid) {
            program.locked.push((file, Arc::new(counters)));
        }
    }

    fn process_ends(&self, process: &Traced) {
        let state = self.state();
        let Some(program) = state.programs.get(&process.pid).cloned() else {
            return;
        };
        let is_family = state.is_family(program.name);
        drop(state);
        let last = self.last(process, &program, is_family);
        self.finish(process.pid, &program, last);
        let mut state = self.state();
        state.programs.remove(&process.pid);
        state.held.remove(&process.pid);
        state.leave(program.name, true);
    }

    fn process_lost(&self, process: &Traced) {
        let mut state = self.state();
        state.held.remove(&process.pid);
        if let Some(program) = state.programs.remove(&process.pid) {
            state.leave(program.name, true);
            state.done.push(RescuedProcess {
                pid: process.pid,
                parent: program.parent,
                exe: program.exe,
                images: Vec::new(),
                obtained: Means::None(Cause::Lost),
            });
        }
    }
}

fn exe(thread: u32) -> PathBuf {
    let link = std::fs::read_link(format!("/proc/{thread}/exe")).unwrap_or_default();
    match link.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) => PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())),
        None => link,
    }
}
