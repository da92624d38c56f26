//! Programs of Go: a process writes a file of its own when it calls `os.Exit` or returns from `main`, and
//! not otherwise.
//!
//! What its memory held at its end is the truth, and what it has written is measured by that:
//!
//! - it has left no file: its memory is written, and its metadata unless that is there;
//! - its file has all that ran: it is taken;
//! - its file is wrong, since a goroutine called a function for the first time while it was written, or it
//!   lacks a block that ran later: the memory is written in its place;
//! - the counters were set back when it had been written (`runtime/coverage.ClearCounters`): both count.
//!
//! A forked process began with its parent's counters: its memory minus those is written, in place of what
//! it wrote. Metadata is that of the packages whose code had begun; of a process that ends before all have,
//! the others are missing.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bincover_gocover::{
    Args, CounterFile, FileName, Hash, Kind, Mode, Program, Record, Registered,
};
use bincover_rescue::{GoImage, GoPackage, Memory};

use super::elsewhere::{is_same, path_in};
use super::{CLOCK_SLACK, Cause, Means, write_new};

/// What is known of Go's programs.
#[derive(Debug, Default)]
pub(super) struct Go {
    /// By their packages.
    programs: Mutex<HashMap<Vec<Registered>, Known>>,
    /// Names of counter files of processes that have ended, or were replaced.
    settled: Mutex<HashSet<OsString>>,
}

/// A program, or why its packages make no metadata.
type Known = Result<Arc<Program>, String>;

/// What is to be done for an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// To be written.
    write: Option<Write>,
    /// What the process has written, and stays.
    own: Vec<PathBuf>,
    /// What it has written, and is counted elsewhere.
    superseded: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct Write {
    program: Arc<Program>,
    counters: Arc<CounterFile>,
    /// The process's number as it saw that itself.
    pid: u32,
}

/// What a file lacks of that which memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// It is wrong, or memory has all that it has.
    Superseded,
    /// The counters were set back when it had been written.
    Rest,
}

type Last = (Means, Option<PathBuf>, Option<Work>);

impl Go {
    /// Looks at an image in a process that is stopped, for the last time or before it may be replaced.
    pub(super) fn last(
        &self,
        folder: &Path,
        image: &GoImage,
        memory: &Memory,
        process: &super::Program,
    ) -> bincover_rescue::Result<Last> {
        let none = |cause| Ok((Means::None(cause), None, None));
        let packages = image.packages(memory)?;
        if packages.is_empty() {
            return none(Cause::NothingCounted);
        }
        let registered: Vec<Registered> = packages.iter().map(registered).collect();
        let program = match self.program(image, memory, &packages, &registered)? {
            Ok(program) => program,
            Err(reason) => return none(Cause::Unreadable(reason)),
        };
        let thread = memory.pid();
        let pid = own_number(thread);
        let area = image.counters(memory)?;
        let baselines = process.go_baseline.as_deref();
        let baseline = baselines.and_then(|all| all.get(&image.address()));
        let baseline = baseline.map(Vec::as_slice);
        let args = args(thread, image.architecture());
        let counters = CounterFile::from_memory(&program, &registered, args, &area, baseline);
        let hash = program.meta().hash;
        let written = |folder: &Path| files_of(folder, hash, pid, process.began);

        let mut own = Vec::new();
        match path_in(thread, bincover_run::GO_FOLDER_VARIABLE) {
            Some(target) if is_same(&target, folder) => {
                own = written(folder);
                let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
                own.retain(|path| !path.file_name().is_some_and(|name| settled.contains(name)));
            }
            Some(target) if !written(&target).is_empty() => return none(Cause::Elsewhere),
            _ => {}
        }
        let mut work = Work::default();
        if baselines.is_some() {
            work.superseded = own;
            if !has_counted(&counters) {
                return Ok((Means::None(Cause::NothingCounted), None, Some(work)));
            }
        } else if let Some(last) = own.pop() {
            let file = std::fs::read(&last).ok();
            let file = file.and_then(|bytes| CounterFile::parse(&bytes).ok());
            let lack = file.map_or(Lack::Superseded, |file| lack(&file, &counters, &program));
            match lack {
                Lack::Superseded => work.superseded.push(last.clone()),
                Lack::Nothing | Lack::Rest => own.push(last.clone()),
            }
            work.own = own;
            if lack == Lack::Nothing {
                return Ok((Means::Exit, Some(last), Some(work)));
            }
        }
        work.write = Some(Write {
            program,
            counters: Arc::new(counters),
            pid,
        });
        Ok((Means::Rescued, None, Some(work)))
    }

    /// Writes what is to be written; gives back where the counters are.
    pub(super) fn finish(&self, folder: &Path, work: Work) -> io::Result<Option<PathBuf>> {
        let mut settled = work.own;
        let written = work.write.map(|write| write.put_into(folder)).transpose()?;
        // One that cannot be removed would be counted twice; but the folder is ours, so it can.
        for file in &work.superseded {
            let _ = std::fs::remove_file(file);
        }
        settled.extend(written.clone());
        let names = settled.iter().filter_map(|path| path.file_name());
        let mut known = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(names.map(OsStr::to_owned));
        drop(known);
        Ok(written)
    }

    /// The program of these packages; their metadata is read when they are met for the first time.
    fn program(
        &self,
        image: &GoImage,
        memory: &Memory,
        packages: &[GoPackage],
        registered: &[Registered],
    ) -> bincover_rescue::Result<Known> {
        let lock = || self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(registered) {
            return Ok(known.clone());
        }
        let metadata: Vec<Vec<u8>> = packages
            .iter()
            .map(|package| image.metadata(memory, package))
            .collect::<Result<_, _>>()?;
        let program = Program::from_memory(registered, &metadata);
        let program = program.map(Arc::new).map_err(|error| error.to_string());
        lock().insert(registered.to_vec(), program.clone());
        Ok(program)
    }
}

impl Write {
    /// Metadata first: counters are of no use without.
    fn put_into(&self, folder: &Path) -> io::Result<PathBuf> {
        let hash = self.program.meta().hash;
        let bytes = self.program.bytes();
        super::make_again(folder)?;
        let meta = folder.join(format!("covmeta.{hash}"));
        let is_there = meta
            .metadata()
            .is_ok_and(|found| found.len() == bytes.len() as u64);
        if !is_there {
            crate::output::write_atomically(&meta, |out| out.write_all(bytes))
                .map_err(io::Error::other)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        let pid = self.pid;
        write_new(folder, &self.counters.write(), |number| {
            format!("covcounters.{hash}.{pid}.{}", now + u128::from(number))
        })
    }
}

fn registered(package: &GoPackage) -> Registered {
    Registered {
        id: package.id,
        mode: package.mode,
        granularity: package.granularity,
        hash: Hash(package.hash),
    }
}

fn has_counted(file: &CounterFile) -> bool {
    file.records()
        .any(|record| record.counters.iter().any(|count| *count != 0))
}

/// What a file that a process has written lacks of what its memory holds.
fn lack(file: &CounterFile, memory: &CounterFile, program: &Program) -> Lack {
    let key = |record: &Record<'_>| (record.package, record.function);
    let in_memory: HashMap<(u32, u32), &[u32]> = memory
        .records()
        .map(|record| (key(&record), record.counters))
        .collect();
    let mut in_file: HashMap<(u32, u32), &[u32]> = HashMap::new();
    let mut is_cleared = false;
    for record in file.records() {
        match in_memory.get(&key(&record)) {
            Some(now) if program.fits(&record) => {
                let mut pairs = now.iter().zip(record.counters);
                is_cleared |= pairs.any(|(now, then)| now < then);
                in_file.insert(key(&record), record.counters);
            }
            _ => return Lack::Superseded,
        }
    }
    // In the other modes it cannot be done, and a counter becomes less when two goroutines count at once.
    if is_cleared && program.meta().mode == Mode::Atomic {
        return match has_counted(memory) {
            true => Lack::Rest,
            false => Lack::Nothing,
        };
    }
    let is_in_file = |(key, now): (&(u32, u32), &&[u32])| match in_file.get(key) {
        Some(then) => now
            .iter()
            .zip(*then)
            .all(|(now, then)| *now == 0 || *then != 0),
        None => now.iter().all(|now| *now == 0),
    };
    match in_memory.iter().all(is_in_file) {
        true => Lack::Nothing,
        false => Lack::Superseded,
    }
}

/// The counter files of this program and this process in a folder, the newest last. Files of an earlier
/// process with the same number are older.
fn files_of(folder: &Path, hash: Hash, pid: u32, began: SystemTime) -> Vec<PathBuf> {
    let began = began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let began = began.saturating_sub(CLOCK_SLACK).as_nanos();
    let start = format!("covcounters.{hash}.{pid}.");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let time = name.as_bytes().strip_prefix(start.as_bytes());
        let time = time.and_then(|time| std::str::from_utf8(time).ok()?.parse::<u128>().ok());
        let is_counters =
            FileName::parse(name.as_bytes()).is_some_and(|n| n.kind == Kind::Counters);
        if let Some(time) = time.filter(|time| is_counters && *time >= began) {
            found.push((time, entry.path()));
        }
    }
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The number of a process as it sees that itself, in a container say.
fn own_number(thread: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name));
    // The innermost is the last.
    let number = |line: &str| line.split_whitespace().next_back()?.parse().ok();
    // The process's, not the thread's.
    let number = line("NStgid:").or_else(|| line("Tgid:")).and_then(number);
    number.unwrap_or(thread)
}

/// What a process was started with.
fn args(thread: u32, architecture: &str) -> Args {
    let line = std::fs::read(format!("/proc/{thread}/cmdline")).unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    let args = line.split(|byte| *byte == 0).map(Into::into);
    Args {
        args: match line.is_empty() {
            true => Vec::new(),
            false => args.collect(),
        },
        os: "linux".into(),
        arch: architecture.into(),
    }
}

#[cfg(test)]
mod tests {
    use bincover_gocover::meta::Function;
    use bincover_gocover::{Granularity, HashKind, MetaBuilder, Unit, counters};

    use super::*;

    /// F with one counter, G with two.
    fn program(mode: Mode) -> Program {
        let text = |text: &str| text.as_bytes().into();
        let mut builder = MetaBuilder::new(HashKind::Fnv);
        let package = builder.package(&text("m"), &text("main"), &text("m"));
        for (name, units) in [("F", 1), ("G", 2)] {
            let function = Function {
                name: text(name),
                file: text("m/m.go"),
                units: vec![Unit::default(); units].into(),
                literal: false,
            };
            builder.function(package, function);
        }
        Program::parse(builder.write(mode, Granularity::Block)).unwrap()
    }

    fn file(records: Records<'_>) -> CounterFile {
        let record = |&(function, counters)| Record {
            package: 0,
            function,
            counters,
        };
        let records: Vec<Record<'_>> = records.iter().map(record).collect();
        CounterFile::parse(&counters::write(
            Hash::default(),
            &Args::default(),
            &records,
        ))
        .unwrap()
    }

    type Records<'r> = &'r [(u32, &'r [u32])];

    #[track_caller]
    fn check(mode: Mode, written: Records<'_>, memory: Records<'_>, expected: Lack) {
        let found = lack(&file(written), &file(memory), &program(mode));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_file_lacks() {
        use Mode::{Atomic, Count};
        let one: Records<'_> = &[(0, &[1])];
        let two: Records<'_> = &[(0, &[1]), (1, &[3, 0])];
        check(Count, two, two, Lack::Nothing);
        // A goroutine went on counting.
        check(Count, two, &[(0, &[2]), (1, &[3, 0])], Lack::Nothing);
        // And came to something new.
        check(Count, one, two, Lack::Superseded);
        check(Count, two, &[(0, &[1]), (1, &[3, 1])], Lack::Superseded);
        // What never ran, or cannot be.
        check(Count, two, one, Lack::Superseded);
        check(Count, &[(1, &[3])], two, Lack::Superseded);
        check(Count, &[(7, &[3])], two, Lack::Superseded);
        // Set back, and counted again, or not.
        check(Atomic, two, &[(0, &[0]), (1, &[1, 0])], Lack::Rest);
        check(Atomic, two, &[(0, &[0]), (1, &[0, 0])], Lack::Nothing);
        check(Count, two, &[(0, &[1]), (1, &[2, 0])], Lack::Nothing);
    }
}
