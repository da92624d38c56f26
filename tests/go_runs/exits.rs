//! The ways out of a program of Go: what it leaves by itself, and what is kept of it here.
//!
//! Each of the [`ways`] is what the program in `tests/programs/exits-go` is told, what is done to it from
//! outside, and what must come of it: how often its functions `step` ran, to the unit. `docs/go.md`
//! has the table.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bincover::run::{Command, Mechanism, Output, Signal, Stream, Tracer};
use bincover::{Cause, Collector, GoInputs, GoMerged, GoReader, Means, Obtained, Rescue, Store};
use bincover_testkit::top;
use flate2::read::GzDecoder;
use libtest_mimic::{Failed, Trial};
use std::io::Read as _;
use tempfile::TempDir;

use crate::{go_tools, support};

/// What is done to a program from outside.
#[derive(Clone, Copy, Debug)]
enum Act {
    Nothing,
    /// It is sent when the program says that it is ready.
    Signal(Signal),
    /// It runs into its timeout.
    Timeout,
    /// Its environment has this besides.
    Env(&'static str, &'static str),
}

/// One way out.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// As the page says it.
    what: &'static str,
    args: &'static [&'static str],
    act: Act,
    /// How the status begins that is told.
    status: &'static str,
    /// How many steps Go itself has written.
    alone: u64,
    /// How many there were, in all processes together.
    steps: u64,
    /// How their coverage is obtained, in any order.
    means: &'static [Means],
}

const EXIT: &[Means] = &[Means::Exit];
const RESCUED: &[Means] = &[Means::Rescued];
const ONE_OF_EACH: &[Means] = &[Means::Exit, Means::Rescued];
const BOTH: &[Means] = &[Means::Rescued, Means::Rescued];

/// Go writes what one process did.
const fn exits(what: &'static str, args: &'static [&'static str], status: &'static str) -> Way {
    Way {
        what,
        args,
        act: Act::Nothing,
        status,
        alone: 1,
        steps: 1,
        means: EXIT,
    }
}

/// Go writes nothing.
const fn dies(what: &'static str, args: &'static [&'static str], status: &'static str) -> Way {
    Way {
        alone: 0,
        means: RESCUED,
        ..exits(what, args, status)
    }
}

impl Way {
    const fn when(self, act: Act) -> Self {
        Self { act, ..self }
    }

    /// Two processes, of which Go writes what one did, or none.
    const fn two(self, alone: u64, means: &'static [Means]) -> Self {
        Self {
            alone,
            steps: 2,
            means,
            ..self
        }
    }
}

const TERM: Act = Act::Signal(Signal::TERM);

#[rustfmt::skip]
fn ways() -> Vec<Way> {
    vec![
        exits("return from `main`", &["return"], "exit code 0"),
        exits("`os.Exit(0)`", &["exit-0"], "exit code 0"),
        exits("`os.Exit(3)`", &["exit-3"], "exit code 3"),
        exits("`log.Fatal`", &["log-fatal"], "exit code 1"),
        exits("an unknown flag", &["flag-error"], "exit code 2"),
        exits("`os.Exit` in a goroutine", &["exit-in-goroutine"], "exit code 4"),
        exits("`os.Exit` in a deferred function after `recover`", &["exit-in-defer"], "exit code 5"),
        exits("a panic that is recovered, then return", &["recovered"], "exit code 0"),
        dies("panic in the main goroutine", &["panic"], "exit code 2"),
        dies("`log.Panic`", &["log-panic"], "exit code 2"),
        dies("nil dereference", &["nil"], "exit code 2"),
        dies("panic in another goroutine", &["panic-in-goroutine"], "exit code 2"),
        dies("panic with `GOTRACEBACK=crash`", &["panic"], "signal 6 (SIGABRT)")
            .when(Act::Env("GOTRACEBACK", "crash")),
        dies("`runtime.Goexit` in `main`, all asleep", &["goexit"], "exit code 2"),
        exits("`runtime.Goexit` in `main`, later `os.Exit` elsewhere", &["goexit-exit"], "exit code 4"),
        dies("deadlock", &["deadlock"], "exit code 2"),
        dies("concurrent map writes", &["map-race"], "exit code 2"),
        dies("stack overflow", &["stack-overflow"], "exit code 2"),
        dies("out of memory", &["out-of-memory"], "exit code 2"),
        dies("`syscall.Exit`", &["raw-exit"], "exit code 9"),
        dies("SIGTERM", &["signal", "15"], "signal 15 (SIGTERM)"),
        dies("SIGINT", &["signal", "2"], "signal 2 (SIGINT)"),
        dies("SIGHUP", &["signal", "1"], "signal 1 (SIGHUP)"),
        dies("SIGQUIT", &["signal", "3"], "exit code 2"),
        dies("SIGABRT", &["signal", "6"], "exit code 2"),
        dies("SIGKILL", &["signal", "9"], "signal 9 (SIGKILL)"),
        dies("SIGTERM from outside", &["wait"], "signal 15 (SIGTERM)").when(TERM),
        dies("SIGKILL from outside", &["wait"], "signal 9 (SIGKILL)").when(Act::Signal(Signal::KILL)),
        exits("SIGTERM, caught by `signal.Notify`, then return", &["caught"], "exit code 0").when(TERM),
        dies("our timeout", &["wait"], "timed out").when(Act::Timeout),
        dies("standard output is a pipe that nobody reads", &["closed-pipe"], "signal 13 (SIGPIPE)"),
        dies("exec of another program", &["exec"], "exit code 0"),
        exits("exec of itself, which returns", &["exec-itself", "return"], "exit code 0")
            .two(1, ONE_OF_EACH),
        exits("exec of itself, which panics", &["exec-itself", "panic"], "exit code 2").two(0, BOTH),
        dies("exec that fails, then `syscall.Exit`", &["exec-fails"], "exit code 9"),
        exits("a child that panics", &["child", "panic"], "exit code 0").two(1, ONE_OF_EACH),
        exits("a child without environment, which returns", &["child-clean", "return"], "exit code 0")
            .two(1, ONE_OF_EACH),
        exits("a child without environment, which panics", &["child-clean", "panic"], "exit code 0")
            .two(1, ONE_OF_EACH),
        exits("a fork without exec, whose child calls `exit_group`", &["fork"], "exit code 0")
            .two(1, ONE_OF_EACH),
        dies("the folder is removed meanwhile, then panic", &["folder-gone"], "exit code 2"),
        dies("`os.Exit` in the `init` of an imported package", &["init-of-a-package"], "exit code 6"),
        dies("`os.Exit` in a variable of `main`", &["variable-of-main"], "exit code 7"),
        exits("`os.Exit` in `init` of `main`", &["init-of-main"], "exit code 8"),
    ]
}

/// How the program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    Count,
    /// Without symbols.
    StrippedSet,
    Atomic,
}

impl Build {
    const ALL: [Self; 3] = [Self::Count, Self::StrippedSet, Self::Atomic];

    fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::StrippedSet => "stripped_set",
            Self::Atomic => "atomic",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Count => &["-covermode=count"],
            Self::StrippedSet => &["-covermode=set", "-ldflags=-s -w"],
            Self::Atomic => &["-covermode=atomic"],
        }
    }

    /// What is seen of so many steps in as many processes.
    fn seen(self, steps: u64) -> u64 {
        match self {
            Self::StrippedSet => steps.min(1),
            _ => steps,
        }
    }
}

/// The trials of this module.
pub(crate) fn trials(is_ignored: bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    for way in ways() {
        for build in Build::ALL {
            let name = format!("exits::{}::{}", build.word(), way.args.join("-"));
            let name = match way.act {
                Act::Nothing => name,
                act => format!("{name} {act:?}"),
            };
            trials.push(Trial::test(name, move || check(way, build)));
        }
    }
    trials.extend([
        Trial::test("exits::the_same_files_as_go", the_same_files),
        Trial::test("exits::written_before", written_before),
        Trial::test("exits::elsewhere", elsewhere),
        Trial::test("exits::outlived", outlived),
        Trial::test("exits::no_snapshot", no_snapshot),
        Trial::test("exits::storm", storm),
        Trial::test("exits::large_variables", large_variables),
    ]);
    let mut trials: Vec<Trial> = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(is_ignored))
        .collect();
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        trials.push(Trial::test("exits::recorded_programs", recorded_programs));
    }
    trials.push(Trial::test("exits::the_page", the_page));
    trials
}

/// Built once, by all tests together.
fn program(build: Build) -> Result<PathBuf, Failed> {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    static BUILT: [OnceLock<Result<PathBuf, String>>; 3] = [const { OnceLock::new() }; 3];
    let at = Build::ALL.iter().position(|one| *one == build).unwrap_or(0);
    let built = BUILT[at].get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder"));
        let program = folder.path().join(build.word());
        let mut go = go_tools::go();
        go.current_dir(top().join("tests/programs/exits-go"));
        go.args(["build", "-cover"]).args(build.options());
        match go_tools::output(go.arg("-o").arg(&program).arg(".")) {
            Ok(_) => Ok(program),
            Err(error) => Err(error.message().unwrap_or_default().to_owned()),
        }
    });
    Ok(built.clone()?)
}

#[track_caller]
fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    wanted: &T,
) -> Result<(), Failed> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: expected {wanted:?}, found {found:?}").into()),
    }
}

/// A run, and what it has left.
struct Ran {
    output: Output,
    means: Vec<Means>,
    scratch: TempDir,
}

impl Ran {
    fn folder(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// How often functions with this name were entered.
    fn calls(&self, name: &str) -> Result<u64, Failed> {
        let mut inputs = GoInputs::default();
        // One of the programs removes it.
        if self.folder().is_dir() {
            inputs.add(&self.folder())?;
        }
        let merged = GoReader::new().read(&inputs);
        if merged.ledger.has_losses() {
            return Err(format!("{:?}", merged.ledger.entries).into());
        }
        Ok(calls(merged, name))
    }

    fn files(&self, start: &str) -> Vec<String> {
        let mut names = support::names_in(&self.folder());
        names.retain(|name| name.starts_with(start));
        names
    }
}

/// How often functions with this name were entered.
fn calls(mut merged: GoMerged, name: &str) -> u64 {
    let Some(mode) = merged.mode() else {
        return 0;
    };
    let profile = merged.profile(mode, |_| true);
    let functions = profile.packages().flat_map(|package| package.functions());
    let wanted = functions.filter(|one| *one.function.name == *name.as_bytes());
    wanted.filter_map(|one| one.counts.first()).sum()
}

fn run(
    program: &Path,
    is_followed: bool,
    prepare: impl FnOnce(Command) -> Command,
) -> Result<Ran, Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("data");
    let rescue = Arc::new(Rescue::new(&folder)?);
    let mut command = Command::new(program)
        .profiles(&folder, Mechanism::Exit)
        // Where a core dump may go.
        .current_dir(scratch.path())
        .timeout(Duration::from_secs(60));
    if is_followed {
        command = command.tracer(Arc::clone(&rescue) as Arc<dyn Tracer>);
    }
    let output = prepare(command).run()?;
    if let Some(tracing) = &output.tracing {
        same("limit", &tracing.limit(), &None)?;
        same("ended", &tracing.wait_all(Duration::from_secs(20)), &true)?;
    }
    let means = rescue.processes().into_iter().map(|one| one.obtained);
    let mut means: Vec<Means> = means
        .filter(|means| *means != Means::None(Cause::NotInstrumented))
        .collect();
    means.sort_by_key(Means::to_string);
    Ok(Ran {
        output,
        means,
        scratch,
    })
}

fn go_out(way: Way, build: Build, is_followed: bool) -> Result<Ran, Failed> {
    run(&program(build)?, is_followed, |command| {
        let command = command.args(way.args);
        match way.act {
            Act::Nothing => command,
            Act::Env(name, value) => command.env(name, value),
            Act::Timeout => command.timeout(Duration::from_secs(1)),
            Act::Signal(signal) => command.on_output(move |stream, _, process| {
                if stream == Stream::Stdout {
                    process.signal(signal).expect("our child");
                }
            }),
        }
    })
}

fn check(way: Way, build: Build) -> Result<(), Failed> {
    let ours = go_out(way, build, true)?;
    let status = ours.output.status.to_string();
    let tell = |error: Failed| {
        let said = String::from_utf8_lossy(&ours.output.stderr).into_owned();
        Failed::from(format!("{}\n{said}", error.message().unwrap_or_default()))
    };
    same("status", &status.starts_with(way.status), &true)
        .map_err(|error| format!("{status}: {}", error.message().unwrap_or_default()))?;
    let mut means = way.means.to_vec();
    means.sort_by_key(Means::to_string);
    same("means", &ours.means, &means).map_err(tell)?;
    same("steps", &ours.calls("step")?, &build.seen(way.steps)).map_err(tell)?;
    same("counters", &ours.files("covcounters").len(), &means.len()).map_err(tell)?;
    if build == Build::Count {
        let go = go_out(way, build, false)?;
        same("status", &go.output.status.to_string(), &status)?;
        same("steps that Go wrote", &go.calls("step")?, &way.alone)?;
    }
    Ok(())
}

/// A program that has no GOCOVERDIR writes nothing, and we write what it would have.
fn the_same_files() -> Result<(), Failed> {
    for build in Build::ALL {
        let way = exits("", &["return"], "");
        let theirs = go_out(way, build, false)?;
        let ours = go_out(way.when(Act::Env("GOCOVERDIR", "")), build, true)?;
        same("means", &ours.means, &RESCUED.to_vec())?;
        same("names", &ours.files("covmeta"), &theirs.files("covmeta"))?;
        let read = |ran: &Ran, start| {
            let name = ran.files(start).pop().ok_or("there is none")?;
            Ok::<_, Failed>(std::fs::read(ran.folder().join(name))?)
        };
        assert!(read(&ours, "covmeta")? == read(&theirs, "covmeta")?);
        let counters = |ran: &Ran| {
            let file = bincover::gocover::CounterFile::parse(&read(ran, "covcounters")?)?;
            let records = file.records();
            let records = records.map(|one| (one.package, one.function, one.counters.to_vec()));
            Ok::<_, Failed>((file.hash, file.args.clone(), records.collect::<Vec<_>>()))
        };
        same("counters", &counters(&ours)?, &counters(&theirs)?)?;
    }
    Ok(())
}

/// What a program has written before its end (`runtime/coverage`) is not counted twice.
fn written_before() -> Result<(), Failed> {
    for (arg, files) in [("written", 1), ("cleared", 2)] {
        let way = dies("", &["return"], "");
        let ran = run(&program(Build::Atomic)?, true, |command| command.arg(arg))?;
        same("means", &ran.means, &way.means.to_vec())?;
        same("counters", &ran.files("covcounters").len(), &files)?;
        same("steps", &ran.calls("step")?, &2)?;
        same("last", &ran.calls("last")?, &1)?;
    }
    Ok(())
}

/// Where a process has another GOCOVERDIR, what it writes there stays there; what it does not write is
/// ours.
fn elsewhere() -> Result<(), Failed> {
    let theirs = tempfile::tempdir()?;
    let lead = |arg: &'static str| {
        run(&program(Build::Count)?, true, |command| {
            command.env("GOCOVERDIR", theirs.path()).arg(arg)
        })
    };
    let ran = lead("return")?;
    same("means", &ran.means, &vec![Means::None(Cause::Elsewhere)])?;
    same("ours", &ran.files("cov").len(), &0)?;
    same("theirs", &support::names_in(theirs.path()).len(), &2)?;
    let ran = lead("panic")?;
    same("means", &ran.means, &RESCUED.to_vec())?;
    same("steps", &ran.calls("step")?, &1)?;
    same("theirs", &support::names_in(theirs.path()).len(), &2)
}

/// A process that outlives its program: what it has counted is kept when the collector finishes, in a store
/// and beside one.
fn outlived() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for is_stored in [false, true] {
        let mut builder = Collector::builder(scratch.path().join("merged.profdata"));
        if is_stored {
            builder = builder.store(Store::new(scratch.path().join("store")));
        }
        let collector = builder.build()?;
        let command = collector.command(program(Build::Count)?);
        let run = command.args(["orphan", "wait"]).run()?;
        same("obtained", &run.obtained, &Obtained::Exit)?;
        let collected = collector.finish()?;
        same("losses", &collected.go.ledger.has_losses(), &false)?;
        same("steps", &calls(collected.go, "step"), &2)?;
    }
    Ok(())
}

/// A profile cannot be made of it, and that is what is said.
fn no_snapshot() -> Result<(), Failed> {
    let said = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&said);
    run(&program(Build::Count)?, false, |command| {
        command.arg("wait").on_output(move |_, _, process| {
            let found = bincover::memory::snapshot(process.id());
            *heard.lock().expect("ours") =
                found.map_or_else(|error| error.to_string(), |_| String::new());
            process.signal(Signal::KILL).expect("our child");
        })
    })?;
    let said = said.lock().expect("ours").clone();
    same("said", &said.contains("a program of Go"), &true).map_err(|_| said.into())
}

/// Goroutines call functions for the first time while the program writes its counters. It writes half
/// records then, in `atomic` mode mostly; what is kept is right.
fn storm() -> Result<(), Failed> {
    for build in [Build::StrippedSet, Build::Atomic] {
        for _ in 0..20 {
            let ran = run(&program(build)?, true, |command| command.arg("storm"))?;
            same("counters", &ran.files("covcounters").len(), &1)?;
            same("steps", &ran.calls("step")?, &1)?;
            same("never called", &ran.calls("last")?, &0)?;
        }
    }
    Ok(())
}

/// A program without symbols whose variables take more than a gigabyte: the list of its packages is among
/// them, behind 40,000 smaller ones.
fn large_variables() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let names: Vec<String> = (0..40_000).map(|number| format!("small{number}")).collect();
    let source = format!(
        "package main\n\nvar {} *int\nvar small = []**int{{&{}}}\nvar large [160 << 20]*int\n\n\
         func step() {{ large[len(small)] = *small[0] }}\n\nfunc main() {{\n\tstep()\n\tpanic(\"large\")\n}}\n",
        names.join(", "),
        names.join(", &"),
    );
    std::fs::write(scratch.path().join("main.go"), source)?;
    std::fs::write(scratch.path().join("go.mod"), "module large\n\ngo 1.20\n")?;
    let program = scratch.path().join("large");
    let mut go = go_tools::go();
    go.current_dir(scratch.path());
    go.args(["build", "-cover", "-covermode=count", "-ldflags=-s -w"]);
    go_tools::output(go.arg("-o").arg(&program).arg("."))?;
    let ran = run(&program, true, |command| command)?;
    same("means", &ran.means, &RESCUED.to_vec())?;
    same("steps", &ran.calls("step")?, &1)
}

pub(crate) fn unpack(packed: &Path, program: &Path) -> Result<(), Failed> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(packed)?).read_to_end(&mut bytes)?;
    crate::write_program::write_program(program, &bytes);
    Ok(())
}

/// Programs that others than today's toolchain built, recorded: of Go 1.21 without symbols, whose hashes
/// are MD5 and whose module data has no section of its own, and one that is independent of its position.
fn recorded_programs() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for (name, hash) in [
        ("go1.21-stripped", "1e356eb40419336dab4ca88e13a30096"),
        ("go1.27-pie", "35843687b5bee3abcd513804db07528d"),
    ] {
        let program = scratch.path().join(name);
        let packed = top().join(format!("testdata/go/programs/{name}.gz"));
        unpack(&packed, &program)?;
        let ran = run(&program, true, |command| command)?;
        same("means", &ran.means, &RESCUED.to_vec())?;
        same(
            "metadata",
            &ran.files("cov")[1..],
            &[format!("covmeta.{hash}")][..],
        )?;
        same("steps", &ran.calls("step")?, &2)?;
        // As it has written its metadata itself, so we write it.
        let theirs = std::fs::read(ran.folder().join(format!("covmeta.{hash}")))?;
        let ran = run(&program, true, |command| command.env("GOCOVERDIR", ""))?;
        let ours = std::fs::read(ran.folder().join(format!("covmeta.{hash}")))?;
        assert!(ours == theirs, "{name}: metadata differs");
    }
    Ok(())
}

const PAGE: &str = "docs/go.md";
const BEGIN: &str = "<!-- made by tests/go_runs/exits.rs -->\n";
const END: &str = "<!-- until here -->\n";

/// The table in the page is that of the tests.
fn the_page() -> Result<(), Failed> {
    let path = top().join(PAGE);
    let page = std::fs::read_to_string(&path)?;
    let parts = page.split_once(BEGIN);
    let parts = parts.and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = parts.ok_or("the page has no place for the table")?;
    let made = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, made)?;
    } else if made != page {
        let how = "BLESS=1 cargo test -p bincover-cli --test go-runs";
        return Err(format!("{PAGE} is not what the tests say; `{how}` writes it").into());
    }
    Ok(())
}

fn table() -> String {
    let mut table = "\n| way out | it ends with | Go alone | with Bincover |\n\
                     | --- | --- | --- | --- |\n"
        .to_owned();
    for way in ways() {
        let alone = match way.alone {
            0 => "nothing",
            steps if steps == way.steps => "all",
            _ => "one of two",
        };
        let rescued = way.means.iter().filter(|one| **one == Means::Rescued);
        let ours = match (rescued.count(), way.means.len()) {
            (0, _) => "all: its own file",
            (1, 2) => "all: its own file, one rescued",
            (2, _) => "all: both rescued",
            _ => "all: rescued",
        };
        table += &format!("| {} | {} | {alone} | {ours} |\n", way.what, way.status);
    }
    table + "\n"
}
