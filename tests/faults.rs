//! What a disk, a system or another process can do to a command, done to all of them: calls that
//! fail, `kill -9` at any call, profiles that change while they are read, a clock that jumps.
//!
//! Outputs are whole or absent, the store has what it acknowledged, and what was left out is said.
//! In CI some calls of each command are tried; with `BINCOVER_ALL_FAULTS=1`, each of them:
//!
//! ```sh
//! BINCOVER_ALL_FAULTS=1 cargo test -p bincover-cli --test faults -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bincover::profile::{WriteOptions, indexed};
use bincover::run::RUSTC_FLAGS;
use bincover::{
    Contents, Folder, Obtained, ProfileInput, Store, StoredRun, combine_stores, merge_files,
};
use bincover_testkit::raw::{self, RawFile, Shape};
use bincover_testkit::{fixture, fixture_bytes};
use tempfile::TempDir;

#[expect(unreachable_pub, reason = "shared by several test binaries")]
#[expect(dead_code, reason = "not all of it is needed here")]
mod support;

/// The seconds since 1970 at which the clock stands, so that reports are the same.
const NOW: &str = "1700000000";

/// Each call is tried, not only some.
fn tries_all() -> bool {
    std::env::var_os("BINCOVER_ALL_FAULTS").is_some()
}

/// The library that is preloaded.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("fault.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(bincover_testkit::top().join("tests/programs/fault.c"))
            .status()
            .expect("cc, which links Rust programs too");
        assert!(status.success());
        (folder, library)
    });
    path
}

fn covered() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| support::compile("faults-covered", &RUSTC_FLAGS))
}

/// The same, whose counters are in its memory until it ends: it is followed.
fn at_exit() -> &'static str {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| support::compile("faults-at-exit", &["-Cinstrument-coverage"]));
    path.to_str().unwrap()
}

/// The id of a process that does nothing and ends with this one.
fn live_process() -> &'static str {
    static PROCESS: OnceLock<(Child, String)> = OnceLock::new();
    let (_, pid) = PROCESS.get_or_init(|| {
        let mut child = Command::new(at_exit())
            .arg("wait")
            .env("LLVM_PROFILE_FILE", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "waiting\n");
        let pid = child.id().to_string();
        (child, pid)
    });
    pid
}

/// What is to happen at which call.
#[derive(Clone, Copy, Debug)]
struct Fault<'f> {
    what: &'f str,
    at: usize,
    /// Of the files that it is about; empty for all.
    name: &'f str,
    /// For changes of files.
    with: Option<&'f Path>,
}

impl<'f> Fault<'f> {
    fn new(what: &'f str, at: usize) -> Self {
        let (name, with) = ("", None);
        Self {
            what,
            at,
            name,
            with,
        }
    }

    /// Sets what the library is told.
    fn tell(self, command: &mut Command, folder: &Path, log: &Path) {
        let folder = match self.name {
            PROC => Path::new("/"),
            _ => folder,
        };
        command
            .env("FAULT_FOLDER", folder)
            .env("FAULT", self.what)
            .env("FAULT_AT", self.at.to_string())
            .env("FAULT_LOG", log);
        if !self.name.is_empty() {
            command.env("FAULT_NAME", self.name);
        }
        if let Some(with) = self.with {
            command.env("FAULT_WITH", with);
        }
    }
}

/// The files with which the system tells of processes, and their memory.
const PROC: &str = "/proc/";

/// How a command ended.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    /// The call at which it happened; none if there are not so many.
    hit: Option<String>,
}

/// Runs `bincover` in a folder, which is all that a fault is about.
fn run(folder: &Path, args: &[&str], fault: Option<Fault<'_>>) -> Ended {
    let outside = tempfile::tempdir().unwrap();
    let path = |name: &str| outside.path().join(name);
    let file = |name: &str| File::create(path(name)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command
        .args(args)
        .current_dir(folder)
        .env("LD_PRELOAD", library())
        .env("FAULT_PROGRAM", "bincover")
        .env("CLOCK_AT", NOW)
        .env_remove("BINCOVER_STORE")
        .env_remove("LLVM_PROFILE_FILE")
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"));
    if let Some(fault) = fault {
        fault.tell(&mut command, folder, &path("log"));
    }
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{args:?} with {fault:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let text = |name: &str| String::from_utf8_lossy(&fs::read(path(name)).unwrap()).into_owned();
    let log = fs::read_to_string(path("log")).ok();
    Ended {
        status,
        stdout: text("stdout"),
        stderr: text("stderr"),
        hit: log.map(|log| log.lines().next().unwrap_or_default().to_owned()),
    }
}

/// Runs it without a fault.
#[track_caller]
fn good(folder: &Path, args: &[&str]) -> Ended {
    let ended = run(folder, args, None);
    assert!(ended.status.success(), "{args:?}: {ended:?}");
    ended
}

/// Copies a folder with all that is in it, or a file.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for name in support::names_in(from) {
        copy(&from.join(&name), &to.join(&name));
    }
}

/// What is at a path: the bytes of a file, or of all files in a folder; nothing if there is nothing.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    if path.is_dir() {
        for name in support::names_in(path) {
            found.extend(contents(&path.join(name)));
        }
    } else if path.exists() {
        found.insert(path.to_owned(), fs::read(path).unwrap());
    }
    found
}

/// What all the commands read.
fn inputs() -> &'static Path {
    static INPUTS: OnceLock<TempDir> = OnceLock::new();
    let folder = INPUTS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["1.profraw", "2.profraw", "3.profraw", "merged.profdata"] {
            copy(&fixture("raw/clang22-c").join(name), &path(name));
        }
        copy(&fixture("object/clang22-c/app.elf"), &path("app.elf"));
        copy(&fixture("go/synthetic/uleb"), &path("go"));
        copy(&fixture("import/a.info"), &path("a.info"));
        copy(&fixture("import/b.xml"), &path("b.xml"));
        fs::create_dir(path("go-merged")).unwrap();
        fs::write(
            path("change.patch"),
            "--- a/main.c\n+++ b/main.c\n@@ -20,0 +21,2 @@\n+a\n+b\n",
        )
        .unwrap();
        for store in ["one", "two"] {
            for _ in 0..3 {
                let args = ["run", "--store", store, "--", program(), "return"];
                good(folder.path(), &args);
            }
            let file = path(&format!("{store}.store"));
            Store::new(path(store)).export(&file).unwrap();
        }
        for _ in 0..4 {
            let args = ["run", "--store", "one", "--", program(), "return"];
            good(folder.path(), &args);
        }
        fs::remove_dir_all(path("two")).unwrap();
        folder
    });
    folder.path()
}

/// Runs in `one`, of which some wait to be added, and in the exported `two`.
const RUNS: u64 = 7;
const RUNS_OF_OTHER: u64 = 3;

fn program() -> &'static str {
    covered().to_str().unwrap()
}

/// A command with all that it writes.
struct Case {
    name: &'static str,
    args: Vec<&'static str>,
    outputs: &'static [&'static str],
    /// How many runs the store `one` may have afterwards, besides as many as before.
    runs_after: Option<u64>,
    /// It is done once before, without a fault.
    is_second: bool,
    /// The exit code when nothing happens: that of the program, if there is one.
    code: i32,
}

fn case(name: &'static str, args: &[&'static str], outputs: &'static [&'static str]) -> Case {
    Case {
        name,
        args: args.to_vec(),
        outputs,
        runs_after: None,
        is_second: false,
        code: 0,
    }
}

/// Commands that read files and write others.
fn of_files() -> Vec<Case> {
    let profiles = ["1.profraw", "2.profraw", "3.profraw"];
    let with = |args: &[&'static str]| [args, &profiles].concat();
    let evaluated = [
        "--profile",
        "1.profraw",
        "--profile",
        "2.profraw",
        "--object",
        "app.elf",
    ];
    let of = |args: &[&'static str]| [args, &evaluated].concat();
    vec![
        case(
            "merge",
            &with(&["merge", "-o", "out.profdata"]),
            &["out.profdata"],
        ),
        case(
            "merge --text",
            &with(&[
                "merge",
                "--text",
                "-o",
                "out.proftext",
                "--ledger",
                "ledger.json",
            ]),
            &["out.proftext", "ledger.json"],
        ),
        case(
            "report",
            &of(&[
                "report",
                "--lcov",
                "out.info",
                "--cobertura",
                "out.xml",
                "--json",
                "out.json",
                "--text",
                "out.txt",
                "--profdata",
                "out.profdata",
            ]),
            &["out.info", "out.xml", "out.json", "out.txt", "out.profdata"],
        ),
        case(
            "report --html",
            &of(&["report", "--html", "pages"]),
            &["pages"],
        ),
        case("missing", &of(&["missing"]), &[]),
        case(
            "diff",
            &of(&["diff", "--patch", "change.patch", "--json", "out.json"]),
            &["out.json"],
        ),
        case(
            "ratchet --update",
            &of(&["ratchet", "--update", "--file", "ratchet.toml"]),
            &["ratchet.toml"],
        ),
        case(
            "llvm-cov export",
            &[
                "llvm-cov",
                "export",
                "-format=lcov",
                "app.elf",
                "-instr-profile=merged.profdata",
            ],
            &[],
        ),
        case(
            "convert",
            &["convert", "a.info", "b.xml", "--lcov", "out.info"],
            &["out.info"],
        ),
        case(
            "go textfmt",
            &["go", "textfmt", "-i=go", "-o=out.txt"],
            &["out.txt"],
        ),
        case(
            "go merge",
            &["go", "merge", "-i=go", "-o=go-merged"],
            &["go-merged"],
        ),
    ]
}

/// Commands that have to do with the store `one`.
fn of_stores() -> Vec<Case> {
    let changing = |case: Case, runs: u64| Case {
        runs_after: Some(runs),
        ..case
    };
    let run = || {
        let args = ["run", "--store", "one", "--", program(), "return"];
        changing(case("run", &args, &[]), RUNS + 1)
    };
    vec![
        run(),
        // Of a program that is known, whose run waits to be added.
        Case {
            name: "run, once more",
            runs_after: Some(RUNS + 2),
            is_second: true,
            ..run()
        },
        case("runs", &["runs", "--json", "--store", "one"], &[]),
        case(
            "report of a store",
            &["report", "--store", "one", "--lcov", "out.info"],
            &["out.info"],
        ),
        case(
            "store export",
            &["store", "export", "out.store", "--store", "one"],
            &["out.store"],
        ),
        case(
            "store merge -o",
            &[
                "store",
                "merge",
                "one.store",
                "two.store",
                "-o",
                "out.store",
            ],
            &["out.store"],
        ),
        changing(
            case(
                "store merge",
                &["store", "merge", "two.store", "--store", "one"],
                &[],
            ),
            RUNS + RUNS_OF_OTHER,
        ),
        changing(case("clean", &["clean", "--store", "one"], &[]), 0),
    ]
}

/// Commands that read the memory of processes, at their ends or before.
fn of_processes() -> Vec<Case> {
    let pid = live_process();
    let run = |name, args: &[&'static str], code| Case {
        runs_after: Some(RUNS + 1),
        code,
        ..case(
            name,
            &[&["run", "--store", "one", "--", at_exit()], args].concat(),
            &[],
        )
    };
    vec![
        // It writes its profile.
        run("run, followed", &["return"], 0),
        // It does not.
        run("run, rescued", &["abort"], 128 + 6),
        case(
            "snapshot -o",
            &["snapshot", pid, "-o", "out.profraw"],
            &["out.profraw"],
        ),
        Case {
            runs_after: Some(RUNS + 1),
            ..case("snapshot", &["snapshot", pid, "--store", "one"], &[])
        },
    ]
}

impl Case {
    /// A folder with all that the command needs.
    fn fresh(&self) -> TempDir {
        let folder = fresh();
        if self.is_second {
            good(folder.path(), &self.args);
        }
        folder
    }

    fn runs_before(&self) -> u64 {
        RUNS + u64::from(self.is_second)
    }
}

const FAULTS: &[&str] = &[
    "ENOSPC", "ENOSPC+", "EIO", "EMFILE", "EMFILE+", "EACCES", "kill",
];

/// Tries the calls of these commands, and says how many faults there were.
fn try_all(cases: &[Case], stride: usize) {
    for (index, case) in cases.iter().enumerate() {
        let good = Good::of(case);
        for (number, what) in FAULTS.iter().enumerate() {
            let first = index * 5 + number * 3;
            good.survives_each(case, Fault::new(what, first), stride);
        }
    }
}

/// What a command does when nothing happens.
struct Good {
    stdout: String,
    outputs: Vec<BTreeMap<PathBuf, Vec<u8>>>,
    /// Where the inputs are that made them.
    folder: TempDir,
}

impl Good {
    fn of(case: &Case) -> Self {
        let folder = case.fresh();
        let ended = run(folder.path(), &case.args, None);
        assert_eq!(
            ended.status.code(),
            Some(case.code),
            "{}: {ended:?}",
            case.name
        );
        Self {
            stdout: ended.stdout,
            outputs: case.outputs.iter().map(|name| at(&folder, name)).collect(),
            folder,
        }
    }

    /// Tries calls of a command, from about the fault's on, and says how many faults there were.
    fn survives_each(&self, case: &Case, fault: Fault<'_>, stride: usize) {
        let stride = if tries_all() { 1 } else { stride };
        let first = 1 + fault.at % stride;
        let mut faults = 0;
        for at in (first..).step_by(stride) {
            if !self.survives(case, Fault { at, ..fault }) {
                break;
            }
            faults += 1;
        }
        eprintln!(
            "{:20} {:8} {faults:5} {}",
            case.name, fault.what, fault.name
        );
    }

    /// Does it with a fault, and checks what there is then. False if there was no such call.
    fn survives(&self, case: &Case, fault: Fault<'_>) -> bool {
        let folder = case.fresh();
        let has_old = fault.at % 2 == 1;
        let mut before = Vec::new();
        for name in case.outputs {
            if has_old {
                self.put_old(name, folder.path());
            }
            before.push(at(&folder, name));
        }
        let ended = run(folder.path(), &case.args, Some(fault));
        let told = format!("{}, {fault:?}, old outputs {has_old}: {ended:?}", case.name);
        let is_kill = fault.what == "kill";
        let code = ended.status.code();
        let is_passed_on = code == Some(case.code);
        let Some(hit) = &ended.hit else {
            assert!(is_passed_on, "{told}");
            self.check_outputs(case, &folder, &told);
            return false;
        };
        match (is_kill, code) {
            // Of a run that is followed, the process behind may have been killed.
            (true, _) => {
                let is_killed = ended.status.signal() == Some(9) || code == Some(128 + 9);
                assert!(is_killed, "{told}");
            }
            (false, _) if is_passed_on => {
                // It did no harm; or, where a program was run, that is said.
                if !case.args.contains(&"run") {
                    self.check_outputs(case, &folder, &told);
                    // The list of runs says of one that its profile could not be read.
                    let is_said = case.name == "runs" && ended.stdout.contains("unusable");
                    let is_good = ended.stdout == self.stdout || case.runs_after.is_some();
                    assert!(is_good || is_said && fault.what == "EIO", "{told}");
                }
            }
            (false, Some(1..=92)) => assert!(!ended.stderr.is_empty(), "{told}"),
            (false, _) => panic!("{told}"),
        }
        if !is_passed_on {
            let outputs = case.outputs.iter().zip(&before).zip(&self.outputs);
            for ((name, before), good) in outputs {
                let now = at(&folder, name);
                let is_whole = now == *before || is_same(name, &now, good);
                // Then it is of fewer inputs.
                let is_less = code == Some(92) && ended.stderr.contains("left out");
                assert!(
                    is_whole || is_less || is_part(name, &now, good),
                    "{name}: {told}"
                );
                assert!(!is_less || is_complete(name, &now), "{name}: {told}");
            }
        }
        let removes = ["unlink", "rmdir", "openat64", "opendir"];
        let is_removal = removes.iter().any(|call| hit.starts_with(call));
        if !is_kill && !is_removal && !fault.what.ends_with('+') {
            let left = support::names_in(folder.path());
            let is_ours = |name: &&String| name.starts_with(".bincover-");
            assert_eq!(left.iter().find(is_ours), None, "{told}");
        }
        check_store(case, &ended, &folder, &told);
        true
    }

    /// An output that was there before: what the command writes, and something else.
    fn put_old(&self, name: &str, folder: &Path) {
        let (good, old) = (self.folder.path().join(name), folder.join(name));
        if good.is_dir() {
            if name == "pages" {
                copy(&good, &old);
                fs::write(old.join("old"), "").unwrap();
            }
        } else if name != "ratchet.toml" {
            fs::write(old, "old").unwrap();
        }
    }

    fn check_outputs(&self, case: &Case, folder: &TempDir, told: &str) {
        for (name, good) in case.outputs.iter().zip(&self.outputs) {
            assert!(is_same(name, &at(folder, name), good), "{name}: {told}");
        }
    }
}

/// A folder with the inputs.
fn fresh() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(inputs(), folder.path());
    folder
}

/// What is in an output, by names in it. Beside a folder's files there may be those of writers that were killed.
fn at(folder: &TempDir, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let path = folder.path().join(name);
    let found = contents(&path).into_iter();
    let found = found.map(|(file, bytes)| (file.strip_prefix(&path).unwrap().to_owned(), bytes));
    let is_finished = |(file, _): &(PathBuf, Vec<u8>)| {
        let name = file.to_string_lossy();
        !name.starts_with(".bincover-")
    };
    found.filter(is_finished).collect()
}

/// The same to the byte; or, of a store, the same runs, each of which counts once.
fn is_same(
    name: &str,
    now: &BTreeMap<PathBuf, Vec<u8>>,
    good: &BTreeMap<PathBuf, Vec<u8>>,
) -> bool {
    let is_store = name.ends_with(".store");
    let has_both = !now.is_empty() && !good.is_empty();
    if !is_store || !has_both || now == good {
        return now == good;
    }
    let runs_of = |files: &BTreeMap<PathBuf, Vec<u8>>| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, &files[Path::new("")]).unwrap();
        let store = Store::new(folder.path().join("store"));
        store.import([file]).ok()?;
        let contents = store.contents().unwrap();
        assert_eq!(mains(&contents), reached(&store));
        Some(contents.runs)
    };
    runs_of(now) == runs_of(good)
}

/// Files of Go come into a folder one after another, each whole; metadata is of no use alone.
fn is_part(
    name: &str,
    now: &BTreeMap<PathBuf, Vec<u8>>,
    good: &BTreeMap<PathBuf, Vec<u8>>,
) -> bool {
    name == "go-merged"
        && now
            .iter()
            .all(|(file, bytes)| good.get(file) == Some(bytes))
}

/// A report of fewer inputs has its end, too.
fn is_complete(name: &str, now: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let Some(bytes) = now.get(Path::new("")) else {
        return true;
    };
    let suffix = name.rsplit('.').next().unwrap_or_default();
    match suffix {
        "profdata" => subsets().contains(bytes) || bytes == b"old",
        "info" => bytes.is_empty() || bytes.ends_with(b"end_of_record\n") || bytes == b"old",
        "xml" => bytes.ends_with(b"</coverage>\n") || bytes == b"old",
        "json" => bytes == b"old" || serde_json::from_slice::<serde_json::Value>(bytes).is_ok(),
        _ => true,
    }
}

/// What some of the three profiles give, merged.
fn subsets() -> &'static [Vec<u8>] {
    static SUBSETS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SUBSETS.get_or_init(|| {
        let of = |set: usize| {
            let names = (1..=3).filter(|number| set >> (number - 1) & 1 == 1);
            let paths = names.map(|number| inputs().join(format!("{number}.profraw")));
            let merged = merge_files(paths.map(ProfileInput::from));
            indexed::write(&merged.profile, &WriteOptions::default())
        };
        (1..8).map(of).collect()
    })
}

/// How often the program's `main` was reached.
fn mains(contents: &Contents) -> u64 {
    let mut records = contents.merged.profile.records();
    let main = records.find(|record| record.name.ends_with(b"7endings4main"));
    main.map_or(0, |record| record.counts[0])
}

/// Adds what waits. A program whose runner was killed may still be going on, or the process behind that has followed it.
fn settle(store: &Store, told: &str) {
    let is_settled = || {
        store.settle().unwrap();
        let left = support::names_in(&store.folder().join("runs"));
        left.iter().all(|name| name.starts_with("new-"))
    };
    let began = Instant::now();
    while !is_settled() {
        assert!(began.elapsed() < Duration::from_secs(30), "{told}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The store opens, and has all runs or those that there may be; each counts once.
fn check_store(case: &Case, ended: &Ended, folder: &TempDir, told: &str) {
    if !case.args.contains(&"one") {
        return;
    }
    let store = Store::new(folder.path().join("one"));
    settle(&store, told);
    let runs = store.runs().unwrap().len() as u64;
    let contents = store.contents().unwrap();
    // A profile that could not be read is kept, and named.
    let left_out = contents.merged.ledger.entries.len();
    if left_out > 0 {
        assert!(told.contains("EIO"), "{told}: {:?}", contents.merged.ledger);
        let kept = support::names_in(&store.folder().join("left-out"));
        assert_eq!(kept.len(), left_out, "{told}");
    }
    assert_eq!(contents.runs, runs, "{told}");
    assert_eq!(mains(&contents), reached(&store), "{told}");
    let is_acknowledged = ended.status.code() == Some(case.code) && !ended.stderr.contains("error");
    if is_acknowledged {
        let uncovered = ended.stderr.matches("no coverage of this run").count();
        assert_eq!(
            runs,
            reached(&store) + (left_out + uncovered) as u64,
            "{told}"
        );
    }
    match case.runs_after {
        // One whose note cannot be read is left for later, and said to be going on.
        Some(_) if case.name == "clean" && ended.stderr.contains("1 going on") => {
            assert!(runs <= 1, "{told}");
        }
        Some(after) if is_acknowledged => assert_eq!(runs, after, "{told}"),
        Some(after) => {
            assert!(
                runs == case.runs_before() || runs == after,
                "{runs}: {told}"
            );
        }
        None => assert_eq!(runs, case.runs_before(), "{told}"),
    }
}

/// How many runs of a store have coverage, each of which reached `main` once.
fn reached(store: &Store) -> u64 {
    let runs = store.runs().unwrap();
    let is_snapshot = |run: &&StoredRun| run.obtained == Obtained::Snapshot;
    let snapshots = runs.iter().filter(is_snapshot).count() as u64;
    runs.iter().map(|run| run.profiles).sum::<u64>() + snapshots
}

#[test]
fn outputs_are_whole_or_absent() {
    try_all(&of_files(), 13);
}

#[test]
fn stores_are_exact() {
    try_all(&of_stores(), 29);
}

#[test]
fn processes_are_read_or_it_is_said() {
    let cases = of_processes();
    try_all(&cases, 17);
    for (index, case) in cases.iter().enumerate() {
        let good = Good::of(case);
        for (number, what) in ["EIO", "EMFILE", "EMFILE+", "EACCES"].iter().enumerate() {
            let fault = Fault {
                name: PROC,
                ..Fault::new(what, index * 5 + number * 3)
            };
            good.survives_each(case, fault, 13);
        }
    }
}

/// A fold adds each profile once, whatever happens to it.
#[test]
fn folds_are_exact() {
    let stride = if tries_all() { 1 } else { 23 };
    let profiles: Vec<PathBuf> = (1..=3)
        .map(|number| fixture(&format!("raw/clang22-c/{number}.profraw")))
        .collect();
    let merged = merge_files(profiles.iter().cloned().map(ProfileInput::from));
    let expected = indexed::write(&merged.profile, &WriteOptions::default());
    for (number, what) in FAULTS.iter().enumerate() {
        let first = 1 + number * 3 % stride;
        let mut faults = 0;
        for at in (first..).step_by(stride) {
            let folder = tempfile::tempdir().unwrap();
            for profile in &profiles {
                copy(profile, &folder.path().join(profile.file_name().unwrap()));
            }
            let ended = run(folder.path(), &["fold", "."], Some(Fault::new(what, at)));
            let told = format!("{what} at {at}: {ended:?}");
            let left_out = folder.path().join(".bincover-fold/left-out");
            let is_less = ended.status.code() == Some(92) && ended.stderr.contains("left out");
            if ended.status.code() == Some(0) || ended.hit.is_none() {
                assert!(ended.status.success(), "{told}");
            } else if *what == "kill" {
                assert_eq!(ended.status.signal(), Some(9), "{told}");
            } else {
                assert!(matches!(ended.status.code(), Some(1..=92)), "{told}");
                assert!(!ended.stderr.is_empty(), "{told}");
            }
            let again = run(folder.path(), &["fold", "."], None);
            assert!(again.status.success(), "{told}, then {again:?}");
            if is_less {
                // It was said, and is kept.
                let kept = support::names_in(&left_out);
                assert!(!kept.is_empty(), "{told}");
                for name in kept {
                    copy(&left_out.join(&name), &folder.path().join(&name));
                }
                let again = run(folder.path(), &["fold", "."], None);
                assert!(again.status.success(), "{told}, then {again:?}");
            } else {
                assert_eq!(support::names_in(&left_out), [""; 0], "{told}");
            }
            let total = Folder::new(folder.path()).total().unwrap().unwrap();
            assert!(fs::read(total).unwrap() == expected, "{told}");
            if ended.hit.is_none() {
                break;
            }
            faults += 1;
        }
        eprintln!("{:20} {what:8} {faults:5}", "fold");
    }
}

/// Profiles of one binary whose counts are all the same.
fn flat(count: u64) -> Vec<u8> {
    let mut functions = raw::binary(3, 5, 3, false);
    for function in &mut functions {
        function.counts.fill(count);
    }
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids.push(vec![3; 20]);
    file.bytes()
}

/// The counts of a profile as text.
fn counts(text: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut lines = text.lines().filter(|line| !line.starts_with(':'));
    while let Some(line) = lines.next() {
        if line == "# Num Counters:" {
            let count: usize = lines.next().unwrap().parse().unwrap();
            assert_eq!(lines.next(), Some("# Counter Values:"));
            found.extend(
                lines
                    .by_ref()
                    .take(count)
                    .map(|line| line.parse::<u64>().unwrap()),
            );
        }
    }
    found
}

#[test]
fn a_profile_that_changes_while_it_is_read_counts_whole_or_is_named() {
    let outside = tempfile::tempdir().unwrap();
    let with = outside.path().join("with");
    let stride = if tries_all() { 1 } else { 2 };
    let functions = raw::binary(3, 5, 3, false);
    let mut faults = 0;
    // What the counts are afterwards, if the file can be used then.
    for (what, new, count) in [
        ("vanish", Vec::new(), None),
        ("shrink", Vec::new(), None),
        ("grow", Vec::new(), None),
        ("rewrite", flat(1000), Some(1000)),
        ("replace", flat(1000), Some(1000)),
        // Two profiles, one after the other.
        ("replace", flat(1000).repeat(2), Some(2000)),
        // Of another binary, and larger: it says nothing of the functions.
        ("replace", fixture_bytes("raw/clang22-c/1.profraw"), Some(0)),
        ("rewrite", b"no profile".to_vec(), None),
    ] {
        fs::write(&with, new).unwrap();
        for at in (1..).step_by(stride) {
            let folder = tempfile::tempdir().unwrap();
            for (name, count) in [("a", 1), ("b", 10), ("c", 100)] {
                fs::write(folder.path().join(format!("{name}.profraw")), flat(count)).unwrap();
            }
            let args = [
                "merge",
                "--text",
                "-o",
                "out.proftext",
                "a.profraw",
                "b.profraw",
                "c.profraw",
            ];
            let fault = Fault {
                name: ".profraw",
                with: Some(&with),
                ..Fault::new(what, at)
            };
            let ended = run(folder.path(), &args, Some(fault));
            let told = format!("{fault:?}: {ended:?}");
            let output = folder.path().join("out.proftext");
            if ended.status.code() == Some(1) {
                // It was gone before anything was done.
                assert!(
                    what == "vanish" && ended.stderr.contains(".profraw`"),
                    "{told}"
                );
                assert!(!output.exists(), "{told}");
                faults += 1;
                continue;
            }
            assert!(matches!(ended.status.code(), Some(0 | 92)), "{told}");
            let text = fs::read_to_string(output).unwrap();
            for function in &functions {
                let name = String::from_utf8(function.name.clone()).unwrap();
                let start = text.find(&format!("{name}\n")).map_or("", |at| &text[at..]);
                let end = start.find("\n\n").map_or(start, |end| &start[..end]);
                let found = counts(end);
                assert_eq!(found.len(), function.counts.len(), "{told}: {text}");
                for found in found {
                    // Of one file, the counts may be missing, and that is said, or others.
                    let without = [110, 101, 11];
                    let with = without.map(|rest| Some(rest + count?));
                    let is_whole = found == 111 || with.contains(&Some(found));
                    let is_said =
                        ended.status.code() == Some(92) && ended.stderr.contains("left out");
                    assert!(
                        is_whole || without.contains(&found) && is_said,
                        "{found}: {told}"
                    );
                }
            }
            if ended.hit.is_none() {
                assert_eq!(ended.status.code(), Some(0), "{told}");
                break;
            }
            faults += 1;
        }
    }
    eprintln!("{:20} {:8} {faults:5}", "merge", "changes");
    assert!(faults > 20, "{faults}");
}

/// A profile that cannot be opened for want of descriptors is no worse than others, and is added later.
#[test]
fn profiles_are_not_given_up_for_want_of_descriptors() {
    for at in 1.. {
        let folder = fresh();
        let store = Store::new(folder.path().join("one"));
        store.settle().unwrap();
        let args = ["run", "--store", "one", "--", program(), "return"];
        let name = ".profraw";
        let fault = Fault {
            name,
            ..Fault::new("EMFILE+", at)
        };
        let ended = run(folder.path(), &args, Some(fault));
        let contents = store.contents().unwrap();
        assert!(contents.merged.ledger.is_empty(), "{ended:?}");
        assert_eq!(
            (contents.runs, mains(&contents)),
            (RUNS + 1, RUNS + 1),
            "{ended:?}"
        );
        if ended.hit.is_none() {
            assert!(at > 2, "{at}");
            break;
        }
    }
}

/// The same in a fold, which the next one makes up for.
#[test]
fn folds_give_nothing_up_for_want_of_descriptors() {
    let names = ["1.profraw", "2.profraw", "3.profraw"];
    let merged = merge_files(names.map(|name| ProfileInput::from(inputs().join(name))));
    let expected = indexed::write(&merged.profile, &WriteOptions::default());
    for at in 1.. {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            copy(&inputs().join(name), &folder.path().join(name));
        }
        let fault = Fault {
            name: ".profraw",
            ..Fault::new("EMFILE+", at)
        };
        let ended = run(folder.path(), &["fold", "."], Some(fault));
        let left_out = folder.path().join(".bincover-fold/left-out");
        assert_eq!(support::names_in(&left_out), [""; 0], "{ended:?}");
        good(folder.path(), &["fold", "."]);
        let total = Folder::new(folder.path()).total().unwrap().unwrap();
        assert!(fs::read(total).unwrap() == expected, "{ended:?}");
        if ended.hit.is_none() {
            assert!(at > 2, "{at}");
            break;
        }
    }
}

/// The same of Go's files, which a script leaves here.
#[test]
fn go_files_are_not_given_up_for_want_of_descriptors() {
    let script = "cp go/cov* \"$GOCOVERDIR\"";
    let args = ["run", "--store", "of-go", "--", "sh", "-c", script];
    for at in 1.. {
        let folder = fresh();
        let fault = Fault {
            name: "-cov",
            ..Fault::new("EMFILE+", at)
        };
        let ended = run(folder.path(), &args, Some(fault));
        let store = Store::new(folder.path().join("of-go"));
        settle(&store, &format!("{ended:?}"));
        let contents = store.contents().unwrap();
        assert!(contents.merged.ledger.is_empty(), "{ended:?}");
        assert!(!contents.go.is_empty(), "{ended:?}");
        if ended.hit.is_none() {
            assert!(at > 2, "{at}");
            break;
        }
    }
}

/// Live processes write to profiles, so these are never mapped; objects are.
#[test]
fn profiles_are_read_and_objects_are_mapped() {
    let folder = fresh();
    let maps = |args: &[&str], name: &str| {
        let fault = Fault {
            name,
            ..Fault::new("mmap", 1)
        };
        run(folder.path(), args, Some(fault)).hit
    };
    let cases = of_files();
    let cases = cases.iter().filter(|case| case.args.contains(&"1.profraw"));
    let mut objects = 0;
    for case in cases {
        for name in [".profraw", ".profdata"] {
            assert_eq!(maps(&case.args, name), None, "{}", case.name);
        }
        objects += usize::from(maps(&case.args, "/app.elf").is_some());
    }
    assert!(objects >= 3, "{objects}");
    assert_eq!(maps(&["fold", "."], ".profraw"), None);
}

/// Whoever merges a folder while it is folded has each profile once, or is told that one is missing.
#[test]
fn a_folder_that_is_folded_meanwhile_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let folder = folder.path();
        let is_done = &is_done;
        scope.spawn(move || {
            let here = Folder::new(folder);
            while !is_done.load(Ordering::Relaxed) {
                here.fold().unwrap();
            }
        });
        for number in 1..=if tries_all() { 600 } else { 60 } {
            // Whole at once, as by a rename.
            let beside = folder.join("new");
            fs::write(&beside, flat(1)).unwrap();
            fs::rename(beside, folder.join(format!("{number}.profraw"))).unwrap();
            let paths = bincover::profiles_below(folder).unwrap();
            let merged = merge_files(paths.into_iter().map(ProfileInput::from));
            let first = merged.profile.records().next();
            let count = first.map_or(0, |record| record.counts[0]);
            let entries = &merged.ledger.entries;
            assert!(count <= number, "{count} of {number}: {entries:?}");
            let is_told = count == number || !entries.is_empty();
            assert!(is_told, "{count} of {number}: {entries:?}");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

/// Runs `bincover` with few descriptors.
fn with_few_descriptors(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 20; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_bincover"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn few_descriptors_are_enough() {
    let folder = fresh();
    let folder = folder.path();
    // More profiles of a living process than may be open at once: what it has reached is in the report.
    let store = Store::new(folder.join("one"));
    store.settle().unwrap();
    let run = store.folder().join("runs/9000000000000-living");
    fs::create_dir(&run).unwrap();
    let lock = File::open(&run).unwrap();
    lock.lock().unwrap();
    for number in 0..40 {
        fs::write(run.join(format!("{number}-x_0.profraw")), flat(1)).unwrap();
    }
    let report = [
        "report",
        "--store",
        "one",
        "--profdata",
        "out.profdata",
        "--lcov",
    ];
    let (code, said) = with_few_descriptors(folder, &report);
    assert_eq!(code, Some(0), "{said}");
    let merged = merge_files([ProfileInput::from(folder.join("out.profdata"))]);
    let functions = raw::binary(3, 5, 3, false);
    let mut records = merged.profile.records();
    let first = records
        .find(|record| record.name == functions[0].name)
        .unwrap();
    assert_eq!(first.counts[0], 40);
    drop(lock);
    fs::remove_dir_all(run).unwrap();

    // More runs that wait than may be open at once.
    for _ in 0..16 {
        let args = ["run", "--store", "one", "--", program(), "return"];
        let (code, said) = with_few_descriptors(folder, &args);
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
    let (code, said) = with_few_descriptors(folder, &["runs", "--store", "one"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(support::names_in(&store.folder().join("runs")), [""; 0]);
    let contents = store.contents().unwrap();
    assert_eq!((contents.runs, mains(&contents)), (RUNS + 16, RUNS + 16));

    let many = folder.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..60 {
        fs::write(many.join(format!("{number}.profraw")), flat(1)).unwrap();
    }
    for args in [
        &["merge", "-o", "out.profdata", "many"][..],
        &["fold", "many"],
    ] {
        let (code, said) = with_few_descriptors(folder, args);
        assert_eq!(code, Some(0), "{args:?}: {said}");
    }
}

/// A workspace of a small package that is built.
struct Workspace(TempDir);

const CARGO_TEST: &[&str] = &[
    "bincover",
    "test",
    "--offline",
    "--lcov",
    "--output-path",
    "out.info",
];

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = "pub fn half(of: u32) -> u32 {\n    of / 2\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
                      fn halves() {\n        assert_eq!(super::half(4), 2);\n    }\n}\n";
        let manifest = "[package]\nname = \"tiny\"\nedition = \"2024\"\n\n[workspace]\n";
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), source).unwrap();
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("target/bincover-target/store")
    }

    fn output(&self) -> Option<Vec<u8>> {
        fs::read(self.path("out.info")).ok()
    }

    /// Runs `cargo bincover`, with a fault in one of its roles, and waits until all processes have ended.
    fn run(&self, args: &[&str], fault: Option<(&str, Fault<'_>)>) -> Ended {
        let outside = tempfile::tempdir().unwrap();
        let log = outside.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-bincover"));
        command
            .args(args)
            .current_dir(&self.0)
            .env_clear()
            .env("LC_ALL", "C");
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some((program, fault)) = fault {
            command
                .env("LD_PRELOAD", library())
                .env("FAULT_PROGRAM", program);
            fault.tell(&mut command, self.0.path(), &log);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let log = fs::read_to_string(log).ok();
        Ended {
            status: output.status,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            hit: log.map(|log| log.lines().next().unwrap_or_default().to_owned()),
        }
    }
}

/// The tests' outcome is passed on, the report is whole or as it was, and the next run's is right.
#[test]
fn tests_of_a_workspace_are_reported_or_it_is_said() {
    let workspace = Workspace::new();
    let good = workspace.run(CARGO_TEST, None);
    assert!(good.status.success(), "{good:?}");
    let good = workspace.output().unwrap();
    assert!(good.windows(8).any(|bytes| bytes == b"\nDA:2,1\n"));
    let before = tempfile::tempdir().unwrap();
    copy(&workspace.store(), &before.path().join("store"));
    let mut nextest = CARGO_TEST.to_vec();
    nextest[1] = "nextest";
    let commands = match tries_all() {
        true => vec![("test", CARGO_TEST), ("nextest", &nextest)],
        false => vec![("test", CARGO_TEST)],
    };
    for (command, args) in commands {
        // In this process, and in the one that runs the tests.
        for (program, stride) in [("cargo-bincover", 139), ("bincover-runner", 61)] {
            for (number, what) in FAULTS.iter().enumerate() {
                let stride = if tries_all() { 1 } else { stride };
                let mut faults = 0;
                for at in (1 + number * 7 % stride..).step_by(stride) {
                    let _ = fs::remove_dir_all(workspace.store());
                    copy(&before.path().join("store"), &workspace.store());
                    fs::write(workspace.path("out.info"), "old").unwrap();
                    let fault = Fault::new(what, at);
                    let ended = workspace.run(args, Some((program, fault)));
                    let told = format!("{command}, {program}, {fault:?}: {ended:?}");
                    check_tests(&workspace, &ended, &good, &told);
                    let again = workspace.run(args, None);
                    assert!(again.status.success(), "{told}, then {again:?}");
                    assert!(
                        workspace.output().as_ref() == Some(&good),
                        "{told}, then {again:?}"
                    );
                    if ended.hit.is_none() {
                        assert!(ended.status.success(), "{told}");
                        break;
                    }
                    faults += 1;
                }
                eprintln!(
                    "{:20} {what:8} {faults:5} {program}",
                    format!("cargo {command}")
                );
            }
        }
    }
}

/// Checks what there is after tests with a fault.
fn check_tests(workspace: &Workspace, ended: &Ended, good: &[u8], told: &str) {
    let output = workspace.output().unwrap_or_default();
    let is_said = ["no coverage", "could not be used", "left out"]
        .iter()
        .any(|words| ended.stderr.contains(words));
    match ended.status.code() {
        Some(0) => assert!(output == good || is_said, "{told}"),
        Some(_) => assert!(!ended.stderr.is_empty(), "{told}"),
        None => assert_eq!(ended.status.signal(), Some(9), "{told}"),
    }
    let is_whole = output == b"old" || output.ends_with(b"end_of_record\n");
    assert!(is_whole, "{told}");
    let store = Store::new(workspace.store());
    store.settle().unwrap();
    let runs = store.runs().unwrap().len() as u64;
    if runs > 0 {
        assert_eq!(store.contents().unwrap().runs, runs, "{told}");
    }
}

/// The build that was run last is the newest, whatever the clock says.
#[test]
fn a_clock_that_is_put_back_makes_no_build_older() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let day = 86_400;
    let builds = [covered(), Path::new(at_exit()), covered()];
    for (clock, build) in [now + day, now, now + 5].into_iter().zip(builds) {
        let _ = fs::remove_file(&program);
        // In a process of its own: see `copy` in tests/store.rs.
        let copied = Command::new("cp")
            .arg(build)
            .arg(&program)
            .status()
            .unwrap();
        assert!(copied.success());
        let status = Command::new(env!("CARGO_BIN_EXE_bincover"))
            .args(["run", "--store", "store", "--"])
            .args([&program.display().to_string(), "return"])
            .current_dir(&folder)
            .env("LD_PRELOAD", library())
            .env("FAULT_PROGRAM", "bincover")
            .env("CLOCK_AT", clock.to_string())
            .status()
            .unwrap();
        assert!(status.success());
        let contents = Store::new(folder.path().join("store")).contents().unwrap();
        let newest = bincover::instrumentation(build).unwrap().build_id;
        let superseded = contents.superseded.iter().map(|old| &old.build);
        let newest: String = newest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            !superseded.into_iter().any(|old| *old == newest),
            "at {clock}"
        );
    }
}

/// A version to come has written a fold's record: it is said, and all stays as it is.
#[test]
fn a_fold_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.profraw"), flat(1)).unwrap();
    let here = Folder::new(folder.path());
    here.fold().unwrap();
    let record = here.total().unwrap().unwrap().with_file_name("fold.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    fs::write(folder.path().join("b.profraw"), flat(1)).unwrap();
    let before = contents(folder.path());
    let error = here.fold().unwrap_err().to_string();
    assert!(error.contains("expected version 1, found 2"), "{error}");
    assert!(contents(folder.path()) == before);
}

/// An export of a version to come is not combined with ours.
#[test]
fn an_export_of_a_newer_version_is_refused() {
    let folder = fresh();
    let path = |name: &str| folder.path().join(name);
    let connection = rusqlite::Connection::open(path("two.store")).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let store = Store::new(path("one"));
    store.settle().unwrap();
    let before = fs::read(path("one/store.db")).unwrap();
    let files = [path("one.store"), path("two.store")];
    let errors = [
        combine_stores(&files, &path("out.store")),
        store.import(&files[1..]),
    ];
    for error in errors {
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("two.store") && error.contains("found 2"),
            "{error}"
        );
    }
    assert!(!path("out.store").exists());
    assert!(fs::read(path("one/store.db")).unwrap() == before);
}
