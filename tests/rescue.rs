//! Coverage of processes that end without writing it, by every ending that we know.
//!
//! Each of the [`endings`] is what a program is told, what is done to it from outside, and what must come
//! of it: how often its function `step` ran, to the unit, and how that was obtained. The counts are read
//! from the merged profile. `docs/exits.md` is made from them.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bincover::memory::Reader;
use bincover::profile::Merger;
use bincover::run::{Command, Ending as Status, Mechanism, Output, Signal, Stream};
use bincover::{Cause, Means, Rescue, RescuedProcess};
use bincover_testkit::top;
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

#[path = "rescue/endings.rs"]
mod endings;
#[path = "rescue/page.rs"]
mod page;
mod write_program;

use endings::{Act, Ending, Language};

const CLANG: &str = "clang-22";

/// Set for this program itself, when it is run by one of its tests.
const WITHIN: &str = "BINCOVER_TEST_WITHIN";

/// A test that is not a row of the table.
struct Named {
    name: &'static str,
    /// As the page says it.
    told: &'static str,
    needs_clang: bool,
    run: fn() -> Result<(), Failed>,
}

const TESTS: &[Named] = &[
    Named {
        name: "equals_what_the_runtime_writes",
        told: "What is read from memory is the file that LLVM's runtime writes, byte for byte: C, C++ with \
               MC/DC, without build id, with relocated counters, with one-byte counters, Rust, stripped.",
        needs_clang: true,
        run: equals_the_runtime,
    },
    Named {
        name: "libraries",
        told: "An instrumented shared library: opened with `dlopen`, and loaded with the program; killed in both.",
        needs_clang: true,
        run: libraries,
    },
    Named {
        name: "a_stripped_program",
        told: "A stripped program, plain and continuous, that aborts.",
        needs_clang: true,
        run: stripped,
    },
    Named {
        name: "a_program_that_is_deleted_meanwhile",
        told: "A program whose file is deleted and replaced while it runs, and that is killed.",
        needs_clang: true,
        run: deleted,
    },
    Named {
        name: "many_runs_at_once",
        told: "64 runs at once, which abort, fork, return and execute themselves.",
        needs_clang: true,
        run: many_at_once,
    },
    Named {
        name: "a_live_process",
        told: "A snapshot of a process that goes on.",
        needs_clang: true,
        run: live,
    },
    Named {
        name: "a_daemon_can_be_waited_for",
        told: "A daemon that has outlived the program is waited for, and a snapshot of it is taken meanwhile.",
        needs_clang: true,
        run: daemon,
    },
    Named {
        name: "a_program_that_is_not_there",
        told: "A program that cannot be started is said to be so, and nobody is followed.",
        needs_clang: false,
        run: not_there,
    },
    Named {
        name: "an_older_file_of_the_same_id",
        told: "An older process with the same number has left a profile of the same name: both count.",
        needs_clang: true,
        run: older_file,
    },
    Named {
        name: "a_profile_that_was_cut",
        told: "A process that is killed while it writes its profile: the rest of a file is replaced.",
        needs_clang: true,
        run: cut,
    },
    Named {
        name: "values_are_left_out",
        told: "A PGO build: its counters are rescued, in a file that LLVM reads.",
        needs_clang: true,
        run: values,
    },
    Named {
        name: "where_it_is_forbidden",
        told: "Where tracing is forbidden the run goes on without, and says so.",
        needs_clang: true,
        run: forbidden,
    },
    Named {
        name: "killed_at_any_moment",
        told: "A storm of threads, forks and programs that is killed at forty moments: whatever is written is whole.",
        needs_clang: true,
        run: killed,
    },
];

fn main() -> ExitCode {
    if std::env::var_os(WITHIN).is_some() {
        return within();
    }
    let mut trials: Vec<Trial> = rows().into_iter().map(Row::trial).collect();
    for test in TESTS {
        trials.push(trial(test.name.to_owned(), test.needs_clang, test.run));
    }
    trials.push(Trial::test("the_page_says_what_is_tested", the_page));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(
    name: String,
    needs_clang: bool,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = needs_clang && which::which(CLANG).is_err();
    let not_here = !cfg!(target_os = "linux");
    Trial::test(name, run).with_ignored_flag(not_here || (is_missing && !is_required))
}

/// A program that we start may become another user.
fn may_set_user() -> bool {
    const CAP_SETUID: u64 = 1 << 7;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let rights = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let rights = rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok());
    rights.is_some_and(|rights| rights & CAP_SETUID != 0)
}

/// A test of an ending.
struct Row {
    ending: Ending,
    language: Language,
    mechanism: Mechanism,
    means: Vec<Means>,
}

/// Each ending in each language, with both kinds of build.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ending in endings::all().into_iter().flat_map(|(_, endings)| endings) {
        for mechanism in [Mechanism::Exit, Mechanism::Continuous] {
            let Some(means) = ending.means_with(mechanism) else {
                continue;
            };
            let row = |language: &Language| Row {
                ending: ending.clone(),
                language: *language,
                mechanism,
                means: means.to_vec(),
            };
            rows.extend(ending.languages.iter().map(row));
        }
    }
    rows
}

impl Row {
    fn trial(self) -> Trial {
        let ending = &self.ending;
        let act = match ending.act {
            Act::Nothing => String::new(),
            Act::Signal(signal) => format!("_{signal}"),
            Act::Timeout => "_timeout".to_owned(),
            Act::StopAndGo => "_stopped_meanwhile".to_owned(),
        };
        let args = ending.args.join("_");
        let name = format!("{:?}_{:?}_{args}{act}", self.mechanism, self.language);
        let needs_clang = matches!(self.language, Language::C | Language::Cpp);
        let is_allowed = ending.args[0] != "drop-rights" || may_set_user();
        let trial = trial(name, needs_clang, move || self.check());
        match is_allowed {
            true => trial,
            false => trial.with_ignored_flag(true),
        }
    }

    fn check(&self) -> Result<(), Failed> {
        let ending = &self.ending;
        let path = program_for(self.language, self.mechanism)?;
        let run = follow_as(path, self.mechanism, |command| {
            let command = command.args(ending.args.iter().copied());
            act(command, ending.act)
        })?;
        let status = run.output.status.to_string();
        same("ending", &status.starts_with(ending.status), &true)
            .map_err(|_| format!("it ended with {status}"))?;
        same("steps", &count(&run.folder(), "step")?, &ending.steps)
            .map_err(|error| run.tell(error))?;
        same("means", &run.means(), &sorted(self.means.clone()))
            .map_err(|error| run.tell(error))?;
        let strays = files(&run.folder(), |name| !name.ends_with(".profraw"))?;
        same("files beside the profiles", &strays, &Vec::new())
    }
}

/// The page that people read says what is tested here.
fn the_page() -> Result<(), Failed> {
    let path = top().join("docs/exits.md");
    let wanted = page::page(TESTS);
    if std::env::var_os("BLESS").is_some_and(|set| set == "1") {
        std::fs::write(&path, &wanted)?;
    }
    let found = std::fs::read_to_string(&path)?;
    match found == wanted {
        true => Ok(()),
        false => Err("docs/exits.md is not what the tests say; BLESS=1 writes it anew".into()),
    }
}

fn act(command: Command, act: Act) -> Command {
    match act {
        Act::Nothing => command.timeout(Duration::from_secs(60)),
        Act::Signal(signal) => command.on_output(move |stream, bytes, process| {
            if stream == Stream::Stdout && bytes.starts_with(b"ready") {
                process.signal(signal).expect("our child");
            }
        }),
        Act::Timeout => command
            .timeout(Duration::from_millis(300))
            .grace(Duration::from_millis(200)),
        Act::StopAndGo => command.on_output(|_, bytes, process| {
            if bytes.starts_with(b"ready") {
                std::thread::sleep(Duration::from_millis(50));
                process.signal(Signal::STOP).expect("our child");
                wait_until("it has stopped", || state(process.id()) == Some('T')).expect("stopped");
                std::thread::sleep(Duration::from_millis(100));
                assert_eq!(state(process.id()), Some('T'), "it does not stay stopped");
                process.signal(Signal::CONT).expect("our child");
            }
        }),
    }
}

/// The letter of `/proc/PID/stat`; for a debugger's stop it is `t`.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    // A process that a debugger leaves stopped shows the same as one that it stopped.
    Some(after.chars().next()?.to_ascii_uppercase())
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) -> Result<(), Failed> {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        if Instant::now() > end {
            return Err(format!("not within 20 seconds: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), Failed> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: expected {wanted:?}, found {found:?}").into()),
    }
}

/// A run that is over, with all its processes.
struct Followed {
    output: Output,
    processes: Vec<RescuedProcess>,
    scratch: TempDir,
}

impl Followed {
    fn folder(&self) -> PathBuf {
        self.scratch.path().join("profiles")
    }

    /// Those of the processes that are instrumented, in order.
    fn means(&self) -> Vec<Means> {
        let all = self.processes.iter().map(|one| one.obtained.clone());
        sorted(
            all.filter(|one| *one != Means::None(Cause::NotInstrumented))
                .collect(),
        )
    }

    fn tell(&self, error: Failed) -> Failed {
        let mut text = error.message().unwrap_or_default().to_owned();
        for one in &self.processes {
            text += &format!("\n{}: {:?}", one.pid, one.obtained);
        }
        for file in files(&self.folder(), |_| true).unwrap_or_default() {
            let path = self.folder().join(&file);
            text += &format!("\n{file}: {:?}", count_in(&[path], "step").ok());
        }
        text += &String::from_utf8_lossy(&self.output.stderr);
        text.into()
    }
}

fn sorted(mut means: Vec<Means>) -> Vec<Means> {
    means.sort_by_key(|one| format!("{one:?}"));
    means
}

/// Runs a program that writes its profile at its end under rescue, until the last of its processes has
/// ended.
fn follow(program: &Path, prepare: impl FnOnce(Command) -> Command) -> Result<Followed, Failed> {
    follow_as(program, Mechanism::Exit, prepare)
}

fn follow_as(
    program: &Path,
    mechanism: Mechanism,
    prepare: impl FnOnce(Command) -> Command,
) -> Result<Followed, Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("profiles");
    let rescue = Arc::new(Rescue::new(&folder)?);
    // A program that gives up its rights needs to find its library.
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755))?;
    let command = Command::new(program)
        .profiles(&folder, mechanism)
        .current_dir(scratch.path())
        .tracer(Arc::clone(&rescue) as Arc<dyn bincover::run::Tracer>);
    let output = prepare(command).run()?;
    let tracing = output.tracing.clone().ok_or("nobody traces")?;
    same("limit", &tracing.limit(), &None)?;
    same(
        "all ended",
        &tracing.wait_all(Duration::from_secs(20)),
        &true,
    )?;
    same("live", &tracing.live(), &Vec::new())?;
    same("live", &rescue.live(), &Vec::new())?;
    Ok(Followed {
        output,
        processes: rescue.processes(),
        scratch,
    })
}

fn files(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Failed> {
    let names = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<String>>>()?;
    let mut names: Vec<String> = names.into_iter().filter(|name| is_wanted(name)).collect();
    names.sort();
    Ok(names)
}

/// How often a function was entered, in all profiles of a folder.
fn count(folder: &Path, function: &str) -> Result<u64, Failed> {
    let profiles = files(folder, |name| name.ends_with(".profraw"))?;
    let paths: Vec<PathBuf> = profiles.iter().map(|name| folder.join(name)).collect();
    count_in(&paths, function)
}

fn count_in(paths: &[PathBuf], function: &str) -> Result<u64, Failed> {
    let mut merger = Merger::new();
    for path in paths {
        let name = path.display().to_string();
        merger.add(&name, &std::fs::read(path)?, NonZeroU64::MIN);
    }
    let merged = merger.finish();
    if !merged.ledger.entries.is_empty() {
        return Err(format!("left out: {:?}", merged.ledger.entries).into());
    }
    // Rust's names end in the function's own, after its length.
    let mangled = format!("{}{function}", function.len());
    let is_it = |name: &[u8]| name == function.as_bytes() || name.ends_with(mangled.as_bytes());
    let mut records = merged.profile.records();
    let record = records.find(|record| is_it(record.name));
    Ok(record.map_or(0, |record| record.counts[0]))
}

/// The programs, built once.
struct Programs {
    paths: BTreeMap<(Language, bool), PathBuf>,
    folder: PathBuf,
}

fn programs() -> Result<&'static Programs, Failed> {
    static PROGRAMS: OnceLock<Result<Programs, String>> = OnceLock::new();
    let made = PROGRAMS
        .get_or_init(|| build().map_err(|error| error.message().unwrap_or_default().to_owned()));
    made.as_ref().map_err(|error| error.clone().into())
}

fn program(language: Language) -> Result<&'static Path, Failed> {
    program_for(language, Mechanism::Exit)
}

fn program_for(language: Language, mechanism: Mechanism) -> Result<&'static Path, Failed> {
    let is_continuous = mechanism == Mechanism::Continuous;
    let path = programs()?.paths.get(&(language, is_continuous));
    path.map(PathBuf::as_path)
        .ok_or_else(|| format!("no program in {language:?}").into())
}

fn build() -> Result<Programs, Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rescue");
    std::fs::create_dir_all(&folder)?;
    let mut paths = BTreeMap::new();
    let source = |name: &str| top().join("tests/programs").join(name);
    let has_clang = which::which(CLANG).is_ok();
    for (suffix, is_continuous) in [("", false), ("-continuous", true)] {
        for (language, name, options) in [
            (Language::Rust, "in-rust", &[][..]),
            (Language::RustAbort, "in-rust-abort", &["-Cpanic=abort"][..]),
        ] {
            let path = folder.join(format!("{name}{suffix}"));
            let mut rustc = std::process::Command::new("rustc");
            rustc
                .args(["--edition=2024", "-Cinstrument-coverage"])
                .args(options);
            if is_continuous {
                rustc.arg("-Cllvm-args=-runtime-counter-relocation");
            }
            tool(rustc.arg("-o").arg(&path).arg(source("rescue.rs")))?;
            paths.insert((language, is_continuous), path);
        }
        for (language, name, file, options) in [
            (Language::C, "in-c", "rescue.c", &[][..]),
            (Language::Cpp, "in-cpp", "rescue.cpp", &["-lstdc++"][..]),
        ] {
            if !has_clang {
                continue;
            }
            let path = folder.join(format!("{name}{suffix}"));
            let mut options = options.to_vec();
            if is_continuous {
                options.extend(["-mllvm", "-runtime-counter-relocation"]);
            }
            clang(&options, &source(file), &path)?;
            paths.insert((language, is_continuous), path);
        }
    }
    if has_clang {
        let library = folder.join("library.so");
        clang(&["-shared", "-fPIC"], &source("rescue_library.c"), &library)?;
    }
    Ok(Programs { paths, folder })
}

fn clang(options: &[&str], source: &Path, out: &Path) -> Result<(), Failed> {
    let mut clang = std::process::Command::new(CLANG);
    clang.args([
        "-O1",
        "-fprofile-instr-generate",
        "-fcoverage-mapping",
        "-pthread",
        "-o",
    ]);
    tool(clang.arg(out).arg(source).args(options))
}

fn tool(command: &mut std::process::Command) -> Result<(), Failed> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn library() -> Result<PathBuf, Failed> {
    Ok(programs()?.folder.join("library.so"))
}

fn libraries() -> Result<(), Failed> {
    let path = library()?.display().to_string();
    let opened = follow(program(Language::C)?, |command| {
        command.args(["library", &path])
    })?;
    let preloaded = follow(program(Language::C)?, |command| {
        command.arg("library").env("LD_PRELOAD", &path)
    })?;
    for run in [opened, preloaded] {
        same("steps", &count(&run.folder(), "step")?, &1).map_err(|error| run.tell(error))?;
        same("library's steps", &count(&run.folder(), "lib_step")?, &3)
            .map_err(|error| run.tell(error))?;
        let images = &run.processes[0].images;
        same("images", &images.len(), &2)?;
        let found = images.iter().find(|image| !image.is_program);
        let found = found.ok_or("no library")?;
        same("path", &found.path, &library()?.canonicalize()?)?;
        same("build ids", &found.build_ids.len(), &1)?;
        same("means", &found.obtained, &Means::Rescued)?;
    }
    Ok(())
}

/// A tracer that compares, at a process's end, what it wrote with what we would have written.
#[derive(Default)]
struct Compare {
    folder: PathBuf,
    reader: Reader,
    results: std::sync::Mutex<Vec<Result<(), String>>>,
}

impl bincover::run::Tracer for Compare {
    fn process_ends(&self, process: &bincover::run::Traced) {
        let compare = || -> Result<(), Box<dyn std::error::Error>> {
            let memory = bincover::memory::Memory::open(process.thread)?;
            for image in self.reader.images(process.thread)? {
                let signature = image.signature(&memory)?;
                let name = format!("{}-{signature}_0.profraw", process.pid);
                let theirs =
                    std::fs::read(self.folder.join(&name)).map_err(|e| format!("{name}: {e}"))?;
                let ours = image.raw_profile(&memory, &image.read(&memory)?)?;
                if ours != theirs {
                    let at = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
                    let sizes = (ours.len(), theirs.len());
                    return Err(
                        format!("{name} differs from byte {at:#x} on, sizes {sizes:?}").into(),
                    );
                }
                if !image.wrote(&theirs, theirs.len() as u64) {
                    return Err("its own profile is not taken for its own".into());
                }
            }
            Ok(())
        };
        let result = compare().map_err(|error| error.to_string());
        self.results.lock().expect("nobody panics").push(result);
    }
}

fn equals_the_runtime() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let built = &programs()?.folder;
    let mcdc = built.join("mcdc");
    let source = top().join("tests/programs/rescue.cpp");
    clang(&["-lstdc++", "-fcoverage-mcdc"], &source, &mcdc)?;
    let no_id = built.join("no-build-id");
    clang(
        &["-lstdc++", "-Wl,--build-id=none", "-no-pie"],
        &source,
        &no_id,
    )?;
    let relocated = built.join("relocated");
    clang(
        &["-lstdc++", "-mllvm", "-runtime-counter-relocation"],
        &source,
        &relocated,
    )?;
    let bytes = built.join("bytes");
    clang(
        &["-lstdc++", "-mllvm", "-enable-single-byte-coverage=true"],
        &source,
        &bytes,
    )?;
    let stripped = built.join("stripped-to-compare");
    std::fs::copy(program(Language::C)?, &stripped)?;
    tool(std::process::Command::new("strip").arg(&stripped))?;
    for (number, program) in [
        program(Language::C)?,
        program(Language::Rust)?,
        &mcdc,
        &no_id,
        &relocated,
        &bytes,
        &stripped,
    ]
    .into_iter()
    .enumerate()
    {
        let folder = scratch.path().join(number.to_string());
        let compare = Arc::new(Compare {
            folder: folder.clone(),
            ..Compare::default()
        });
        let output = Command::new(program)
            .arg("return")
            .profiles(&folder, Mechanism::Exit)
            .tracer(Arc::clone(&compare) as Arc<dyn bincover::run::Tracer>)
            .run()?;
        same(
            "ended by itself",
            &matches!(output.status, Status::Code(0)),
            &true,
        )?;
        let results = compare.results.lock().expect("nobody panics").clone();
        same(&program.display().to_string(), &results, &vec![Ok(())])?;
    }
    Ok(())
}

fn copy(name: &str) -> Result<PathBuf, Failed> {
    let path = programs()?.folder.join(name);
    write_program::write_program(&path, &std::fs::read(program(Language::C)?)?);
    Ok(path)
}

fn stripped() -> Result<(), Failed> {
    let path = copy("stripped")?;
    tool(std::process::Command::new("strip").arg(&path))?;
    let run = follow(&path, |command| command.arg("abort"))?;
    same("steps", &count(&run.folder(), "step")?, &1)?;
    same("means", &run.means(), &vec![Means::Rescued])?;

    let path = programs()?.folder.join("stripped-continuous");
    std::fs::copy(program_for(Language::C, Mechanism::Continuous)?, &path)?;
    tool(std::process::Command::new("strip").arg(&path))?;
    let run = follow_as(&path, Mechanism::Continuous, |command| command.arg("abort"))?;
    same("steps", &count(&run.folder(), "step")?, &1)?;
    same("means", &run.means(), &vec![Means::Continuous])
}

fn deleted() -> Result<(), Failed> {
    let path = copy("deleted")?;
    let doomed = path.clone();
    let run = follow(&path, |command| {
        command.arg("ready").on_output(move |_, _, process| {
            std::fs::remove_file(&doomed).expect("it is there");
            std::fs::write(&doomed, "something else").expect("a file can be written");
            process.signal(Signal::KILL).expect("our child");
        })
    })?;
    same("steps", &count(&run.folder(), "step")?, &1)?;
    same("path", &run.processes[0].exe, &path.canonicalize()?)
}

fn many_at_once() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let rescue = Arc::new(Rescue::new(scratch.path())?);
    let path = program(Language::C)?;
    let run = |how: &'static str| {
        let rescue = Arc::clone(&rescue);
        let command = Command::new(path)
            .arg(how)
            .profiles(scratch.path(), Mechanism::Exit)
            .tracer(rescue as Arc<dyn bincover::run::Tracer>);
        move || command.run().map(|output| output.status)
    };
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let hows = ["abort", "fork-at-once", "return", "exec-self"];
        let runs = (0..64).map(|number| scope.spawn(run(hows[number % 4])));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join()).collect()
    });
    for status in statuses {
        let status = status.map_err(|_| "a run panicked")??;
        same(
            "ending",
            &matches!(status, Status::Code(0) | Status::Signal { number: 6, .. }),
            &true,
        )?;
    }
    wait_until("all processes have ended", || rescue.live().is_empty())?;
    same(
        "steps",
        &count(scratch.path(), "step")?,
        &(16 * (1 + 7 + 1 + 2)),
    )?;
    same(
        "processes",
        &rescue.processes().len(),
        &(16 * (1 + 2 + 1 + 2)),
    )
}

fn live() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let mut child = std::process::Command::new(program(Language::C)?)
        .arg("ready")
        .current_dir(scratch.path())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().ok_or("no pipe")?, &mut line)?;
    let found = bincover::memory::snapshot(child.id());
    child.kill()?;
    child.wait()?;
    let found = found.map_err(|error| error.to_string())?;
    same("images", &found.len(), &1)?;
    let path = scratch.path().join("live.profraw");
    std::fs::write(&path, &found[0].1)?;
    same("steps", &count_in(&[path], "step")?, &1)?;
    let gone = bincover::memory::snapshot(child.id()).map(|_| ());
    let kind = gone.map_err(|error| error.kind());
    same(
        "gone",
        &kind,
        &Err(bincover::memory::ErrorKind::NoSuchProcess),
    )
}

fn daemon() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let rescue = Arc::new(Rescue::new(scratch.path())?);
    let output = Command::new(program(Language::C)?)
        .arg("daemon")
        .profiles(scratch.path(), Mechanism::Exit)
        .tracer(Arc::clone(&rescue) as Arc<dyn bincover::run::Tracer>)
        .run()?;
    let tracing = output.tracing.ok_or("nobody traces")?;
    same("still there", &tracing.live().is_empty(), &false)?;
    same(
        "time is over",
        &tracing.wait_all(Duration::from_millis(10)),
        &false,
    )?;
    // The main process has ended, so what is there is what the daemon counted itself.
    for (pid, found) in rescue.snapshot_all() {
        let found = found.map_err(|error| format!("{pid}: {error}"))?;
        let path = scratch.path().join("snapshot");
        std::fs::write(&path, &found[0].1)?;
        same(
            "so far",
            &(count_in(std::slice::from_ref(&path), "step")? <= 3),
            &true,
        )?;
        std::fs::remove_file(path)?;
    }
    same(
        "all ended",
        &tracing.wait_all(Duration::from_secs(20)),
        &true,
    )?;
    same("steps", &count(scratch.path(), "step")?, &5)
}

fn not_there() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for _ in 0..20 {
        let rescue = Arc::new(Rescue::new(scratch.path())?);
        let run = Command::new("/nowhere/to/be/found")
            .tracer(Arc::clone(&rescue) as Arc<dyn bincover::run::Tracer>)
            .run();
        let kind = run.map(|_| ()).map_err(|error| error.kind());
        same(
            "run",
            &kind,
            &Err(bincover::run::ErrorKind::ProgramNotFound),
        )?;
        same("processes", &rescue.processes().len(), &0)?;
    }
    Ok(())
}

/// The ids of processes come round: a whole profile may be of an earlier process.
fn older_file() -> Result<(), Failed> {
    let folder = OnceLock::new();
    let run = follow(program(Language::C)?, |command| {
        // It is put there while the program runs, and made to look old.
        let folder = folder.clone();
        let _ = &folder;
        command.arg("ready").on_output(move |_, _, process| {
            let pid = process.id();
            let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a folder");
            let found = bincover::memory::snapshot(pid).expect("a live process");
            let memory = bincover::memory::Memory::open(pid).expect("a live process");
            let signature = found[0].0.signature(&memory).expect("a live process");
            let path = cwd
                .join("profiles")
                .join(format!("{pid}-{signature}_0.profraw"));
            std::fs::write(&path, &found[0].1).expect("a file can be written");
            let file = std::fs::File::options()
                .write(true)
                .open(&path)
                .expect("our file");
            let old = std::time::SystemTime::now() - Duration::from_secs(3600);
            file.set_modified(old).expect("a time can be set");
            process.signal(Signal::KILL).expect("our child");
        })
    })?;
    let _: &OnceLock<()> = &folder;
    // Its own step, and the older one's.
    same("steps", &count(&run.folder(), "step")?, &2).map_err(|error| run.tell(error))?;
    same("means", &run.means(), &vec![Means::Rescued])
}

fn cut() -> Result<(), Failed> {
    for kept in [0, 100, 300] {
        let run = follow(program(Language::C)?, |command| {
            command.arg("ready").on_output(move |_, _, process| {
                let pid = process.id();
                let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a folder");
                let found = bincover::memory::snapshot(pid).expect("a live process");
                let memory = bincover::memory::Memory::open(pid).expect("a live process");
                let signature = found[0].0.signature(&memory).expect("a live process");
                let path = cwd
                    .join("profiles")
                    .join(format!("{pid}-{signature}_0.profraw"));
                std::fs::write(&path, &found[0].1[..kept]).expect("a file can be written");
                process.signal(Signal::KILL).expect("our child");
            })
        })?;
        same("steps", &count(&run.folder(), "step")?, &1).map_err(|error| run.tell(error))?;
        let profiles = files(&run.folder(), |_| true)?;
        same("files", &profiles.len(), &1)?;
    }
    Ok(())
}

/// Value profiling: the sites are there, without values, and LLVM's own reader takes the file.
fn values() -> Result<(), Failed> {
    let path = programs()?.folder.join("values");
    let source = top().join("tests/programs/rescue.c");
    let mut clang = std::process::Command::new(CLANG);
    clang.args(["-O1", "-fprofile-generate", "-pthread", "-o"]);
    tool(clang.arg(&path).arg(&source))?;
    let run = follow(&path, |command| command.args(["threads", "3"]))?;
    let profiles = files(&run.folder(), |_| true)?;
    same("files", &profiles.len(), &1)?;
    let profile = run.folder().join(&profiles[0]);
    same("steps", &count(&run.folder(), "one_step").is_ok(), &true)?;
    if which::which("llvm-profdata-22").is_ok() {
        let mut theirs = std::process::Command::new("llvm-profdata-22");
        tool(theirs.args(["merge", "-o", "/dev/null"]).arg(profile))?;
    }
    Ok(())
}

/// A process that is followed by one cannot be followed by another: so this program, run under rescue,
/// is one that may not trace.
fn forbidden() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let program = program(Language::C)?;
    let run = follow(&own, |command| {
        command
            .env(WITHIN, program)
            .timeout(Duration::from_secs(60))
    })?;
    let said = String::from_utf8_lossy(&run.output.stdout).into_owned();
    let expected = "exit code 7, Some(NotTraced(\"Operation not permitted (os error 1)\")), 0";
    same("said", &said.trim(), &expected).map_err(|error| run.tell(error))
}

fn within() -> ExitCode {
    let scratch = tempfile::tempdir().expect("a folder");
    let rescue = Arc::new(Rescue::new(scratch.path()).expect("a folder"));
    let program = std::env::var_os(WITHIN).expect("it is set");
    let output = Command::new(program)
        .arg("exit")
        .profiles(scratch.path(), Mechanism::Exit)
        .tracer(Arc::clone(&rescue) as Arc<dyn bincover::run::Tracer>)
        .run()
        .expect("a run");
    let limit = output.tracing.expect("it was asked for").limit();
    println!("{}, {limit:?}, {}", output.status, rescue.processes().len());
    ExitCode::SUCCESS
}

/// Threads, forks and programs begin and end all the time, and whatever they are doing, they are killed.
/// Nobody waits for ever, nobody is left, and what is written is whole.
///
/// A process that is killed in one of our stops can slip through a gap of two system calls. Of the
/// hundreds here, one in some thousands does, when the machine is busy; then that is said.
fn killed() -> Result<(), Failed> {
    let mut lost = 0;
    for milliseconds in 0..40 {
        let run = follow(program(Language::C)?, |command| {
            let timeout = Duration::from_millis(5 + milliseconds);
            command.arg("storm").timeout(timeout).grace(Duration::ZERO)
        })?;
        // The profiles of those that were killed while they wrote one are removed.
        count(&run.folder(), "step").map_err(|error| run.tell(error))?;
        let means = run.means().into_iter();
        lost += means.filter(|one| *one == Means::None(Cause::Lost)).count();
    }
    match lost {
        0..=3 => Ok(()),
        _ => Err(format!("{lost} processes were lost").into()),
    }
}
