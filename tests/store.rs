//! The store: many writers, killed writers, other machines, older builds, and versions to come.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bincover::run::RUSTC_FLAGS;
use bincover::{Contents, Ended, Error, Obtained, Store, Uncovered, combine_stores};
use rusqlite::Connection;
use tempfile::TempDir;

#[expect(unreachable_pub, reason = "shared by several test binaries")]
#[expect(dead_code, reason = "not all of it is needed here")]
mod support;

fn covered() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| support::compile("store-covered", &RUSTC_FLAGS))
}

fn at_exit() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| support::compile("store-at-exit", &["-Cinstrument-coverage"]))
}

fn run(store: &Store, program: &Path, args: &[&str]) -> bincover::StoredRun {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    store
        .run(
            program.as_os_str(),
            &args,
            Some("a test".into()),
            |command| command,
        )
        .unwrap()
}

/// Copies a program. Not in this process: another test that starts a program meanwhile would have
/// the copy open for writing for a moment, and what is written to cannot be run.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// How often the program's `main` was reached.
fn mains(contents: &Contents) -> u64 {
    let mut records = contents.merged.profile.records();
    let main = records.find(|record| record.name.ends_with(b"7endings4main"));
    main.map_or(0, |record| record.counts[0])
}

fn bytes_in(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        bytes += match metadata.is_dir() {
            true => bytes_in(&entry.path()),
            false => metadata.len(),
        };
    }
    bytes
}

#[test]
fn runs_add_up_and_take_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    let first = run(&store, covered(), &["return"]);
    assert_eq!(first.ended, Ended::Code(0));
    assert_eq!(first.obtained, Obtained::Continuous);
    assert_eq!(first.profiles, 1);
    let after_one = bytes_in(store.folder());
    for _ in 0..20 {
        run(&store, covered(), &["kill", "9"]);
        run(&store, at_exit(), &["return"]);
    }
    // A record each, and the other program.
    let after_all = bytes_in(store.folder());
    assert!(after_all < after_one + 100_000, "{after_one} {after_all}");
    assert_eq!(support::names_in(&store.folder().join("runs")), [""; 0]);

    let runs = store.runs().unwrap();
    assert_eq!(runs.len(), 41);
    assert_eq!(runs[1].ended, Ended::Signal(9));
    assert_eq!(runs[2].obtained, Obtained::Exit);
    assert_eq!(runs[1].context.as_deref(), Some("a test"));
    assert_eq!(runs[1].argv[1..], ["kill", "9"]);

    let contents = store.contents().unwrap();
    assert!(
        contents.merged.ledger.is_empty(),
        "{:?}",
        contents.merged.ledger
    );
    // Two builds of one source, with the same functions.
    assert_eq!(mains(&contents), 41);
    assert_eq!((contents.runs, contents.uncovered), (41, 0));
    let coverage = contents.coverage().unwrap().evaluation.coverage;
    assert!(coverage.files[0].name.ends_with(b"endings.rs"));

    // One that does not write its profile is rescued; one that leaves nothing is not passed over.
    let rescued = run(&store, at_exit(), &["kill", "9"]);
    assert_eq!(rescued.obtained, Obtained::Rescued);
    assert_eq!(mains(&store.contents().unwrap()), 42);
    let plain = run(&store, Path::new("/bin/true"), &[]);
    assert_eq!(plain.obtained, Obtained::None(Uncovered::NotInstrumented));
    assert_eq!(store.contents().unwrap().uncovered, 1);

    let cleaned = store.clean().unwrap();
    assert_eq!((cleaned.runs, cleaned.going_on), (43, 0));
    assert_eq!(store.runs().unwrap(), []);
}

#[test]
fn neither_the_binary_nor_its_folder_is_needed_for_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = bin.join("program");
    copy(covered(), &program);
    let store = Store::new(folder.path().join("store"));
    run(&store, &program, &["return"]);
    fs::remove_dir_all(&bin).unwrap();

    let moved = folder.path().join("elsewhere");
    fs::rename(store.folder(), &moved).unwrap();
    let covered = Store::new(moved).contents().unwrap().coverage().unwrap();
    assert_eq!(covered.objects, [program]);
    assert!(covered.evaluation.coverage.totals().lines.covered > 0);
}

#[test]
fn the_newest_build_of_a_path_counts_and_the_older_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let store = Store::new(folder.path().join("store"));
    copy(at_exit(), &program);
    run(&store, &program, &["return"]);
    run(&store, &program, &["return"]);
    fs::remove_file(&program).unwrap();
    copy(covered(), &program);
    run(&store, &program, &["return"]);

    let contents = store.contents().unwrap();
    assert_eq!(mains(&contents), 1);
    assert_eq!(contents.superseded.len(), 1);
    assert_eq!(contents.superseded[0].path, program);
    assert_eq!(contents.superseded_profiles, 2);

    // Both are kept: the older one is run again, and is the newest.
    fs::remove_file(&program).unwrap();
    copy(at_exit(), &program);
    run(&store, &program, &["return"]);
    assert_eq!(mains(&store.contents().unwrap()), 3);
}

/// Whoever runs it: a process that can be killed.
fn bincover() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bincover"))
}

#[test]
fn writers_that_are_killed_lose_nothing_that_was_acknowledged() {
    const WRITERS: usize = 64;
    const RUNS: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    // Each writer acknowledges a run by a line, once `bincover run` has returned.
    let script = r#"i=0; while [ $i -lt "$1" ]; do
        "$2" run --context "$5" --store "$3" -- "$4" return >/dev/null 2>&1 && echo done
        i=$((i+1)); done"#;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let writer = Command::new("sh")
            .args(["-c", script, "sh", &RUNS.to_string()])
            .arg(env!("CARGO_BIN_EXE_bincover"))
            .arg(store.folder())
            .arg(covered())
            .arg(format!("writer {number}"))
            .stdout(Stdio::piped())
            .process_group_of_its_own()
            .spawn()
            .unwrap();
        writers.push(writer);
    }
    // Every third is killed, with all that it started, at moments that are all over its runs.
    let began = Instant::now();
    for (number, writer) in writers.iter().enumerate().step_by(3) {
        let at = Duration::from_millis(20 + 40 * number as u64);
        std::thread::sleep(at.saturating_sub(began.elapsed()));
        let group = rustix::process::Pid::from_child(writer);
        // It may have done all its runs by now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let mut acknowledged = BTreeMap::new();
    for (number, writer) in writers.into_iter().enumerate() {
        let output = writer.wait_with_output().unwrap();
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        acknowledged.insert(format!("writer {number}"), lines);
    }
    let contents = store.contents().unwrap();
    // A process that was killed while it made its profile may leave a damaged one, and that is said.
    let left_out = &contents.merged.ledger.entries;
    assert!(left_out.len() <= WRITERS.div_ceil(3), "{left_out:?}");
    let runs = store.runs().unwrap();
    for (writer, count) in &acknowledged {
        let of = |run: &&bincover::StoredRun| run.context.as_ref() == Some(writer);
        let recorded: Vec<_> = runs.iter().filter(of).collect();
        assert!(recorded.len() >= *count, "{writer}");
        // Of a killed writer there may be one more, that was not acknowledged.
        assert!(recorded.len() <= count + 1, "{writer}: {recorded:?}");
    }
    let total: usize = acknowledged.values().sum();
    assert!(total >= WRITERS * RUNS * 2 / 3, "{total}");
    let reached = mains(&contents);
    let recorded: u64 = runs.iter().map(|run| run.profiles).sum();
    // A run that was killed before `main` left a profile of zeros.
    assert!(reached >= total as u64, "{reached} of {total}");
    assert!(reached <= recorded, "{reached} of {recorded}");
    // Folders that were just being made go later.
    let mut left = support::names_in(&store.folder().join("runs"));
    left.retain(|name| !name.starts_with("new-"));
    assert_eq!(left, [""; 0]);
    // Once more: nothing counts twice.
    assert_eq!(mains(&store.contents().unwrap()), reached);
}

trait Group {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

impl Group for Command {
    fn process_group_of_its_own(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}

#[test]
fn a_run_whose_runner_was_killed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    let mut runner = bincover()
        .args(["run", "--context", "lost", "--store"])
        .arg(store.folder())
        .arg("--")
        .arg(covered())
        .arg("spin")
        .stdout(Stdio::null())
        .process_group_of_its_own()
        .spawn()
        .unwrap();
    wait_for(|| {
        profile_of(store.folder()).is_some_and(|path| fs::metadata(path).unwrap().len() > 0)
    });
    // What a living process has reached is in the report.
    wait_for(|| {
        store.contents().is_ok_and(|contents| mains(&contents) == 1) || {
            // There is no database yet: make one.
            run(&store, covered(), &["return"]);
            store.contents().is_ok_and(|contents| mains(&contents) >= 2)
        }
    });
    let group = rustix::process::Pid::from_child(&runner);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    runner.wait().unwrap();
    wait_for(|| {
        // The program has been killed as well, and may take its time.
        store.settle().unwrap();
        support::names_in(&store.folder().join("runs")).is_empty()
    });
    let runs = store.runs().unwrap();
    let lost = runs
        .iter()
        .find(|run| run.context.as_deref() == Some("lost"));
    let lost = lost.unwrap_or_else(|| panic!("{runs:?}"));
    assert_eq!(lost.ended, Ended::Lost);
    assert_eq!(lost.obtained, Obtained::Continuous);
    assert_eq!(lost.program.as_deref(), Some(covered()));
    assert_eq!(lost.argv[1..], ["spin"]);
    assert_eq!(mains(&store.contents().unwrap()), runs.len() as u64);
}

fn profile_of(store: &Path) -> Option<PathBuf> {
    let runs = fs::read_dir(store.join("runs")).ok()?;
    runs.flatten()
        .filter_map(|run| bincover::profiles_below(&run.path()).ok())
        .flatten()
        .next()
}

fn wait_for(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Three stores, two of them with the same program.
fn shards(folder: &Path) -> Vec<PathBuf> {
    let of = |number: usize, runs: &[(&Path, &str)]| {
        let store = Store::new(folder.join(format!("store-{number}")));
        for (program, ending) in runs {
            run(&store, program, &[ending]);
        }
        let file = folder.join(format!("{number}.store"));
        store.export(&file).unwrap();
        file
    };
    vec![
        of(1, &[(covered(), "return"), (covered(), "panic")]),
        of(2, &[(at_exit(), "return")]),
        of(3, &[(covered(), "both"), (Path::new("/bin/true"), "x")]),
    ]
}

#[test]
fn shards_come_together_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let shards = shards(folder.path());
    let mut backwards = shards.clone();
    backwards.reverse();
    combine_stores(&shards, &path("a")).unwrap();
    combine_stores(&backwards, &path("b")).unwrap();
    assert!(fs::read(path("a")).unwrap() == fs::read(path("b")).unwrap());
    // One by one, too.
    combine_stores(&shards[1..], &path("c")).unwrap();
    combine_stores([&path("c"), &shards[0]], &path("d")).unwrap();
    assert!(fs::read(path("a")).unwrap() == fs::read(path("d")).unwrap());
    // An export of what was imported is what was exported.
    let store = Store::new(path("all"));
    store.import(&shards).unwrap();
    store.export(&path("e")).unwrap();
    assert!(fs::read(path("a")).unwrap() == fs::read(path("e")).unwrap());

    let contents = store.contents().unwrap();
    assert_eq!((contents.runs, contents.uncovered), (5, 1));
    assert_eq!(mains(&contents), 4);
    assert!(contents.coverage().is_ok());
}

#[test]
fn a_run_does_not_count_twice() {
    let folder = tempfile::tempdir().unwrap();
    let shards = shards(folder.path());
    let store = Store::new(folder.path().join("all"));
    store.import(&shards[..2]).unwrap();
    let before = store.runs().unwrap();
    let error = store.import(&shards[1..]).unwrap_err().to_string();
    assert!(error.contains("would count twice"), "{error}");
    // All of it or nothing.
    assert_eq!(store.runs().unwrap(), before);
    assert_eq!(mains(&store.contents().unwrap()), 3);
}

/// What is damaged in a store is left out of its reports, and the rest is in them.
#[test]
fn a_damaged_row_is_left_out_of_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    run(&store, covered(), &["return"]);
    run(&store, at_exit(), &["return"]);
    let database = store.folder().join("store.db");
    let whole = fs::read(&database).unwrap();
    let is_of = "WHERE id = (SELECT object_id FROM program WHERE path LIKE '%store-at-exit%')";
    let key = "(SELECT object.key FROM object JOIN program ON object_id = object.id \
               WHERE path LIKE '%store-at-exit%')";
    for (sql, reached) in [
        (format!("UPDATE object SET sections = x'789c00' {is_of}"), 2),
        (format!("UPDATE total SET template = x'789c00' WHERE object_key = {key}"), 1),
        (
            "INSERT INTO rest (id, profile, profiles) VALUES (1, x'789c00', 1)".to_owned(),
            2,
        ),
        (
            "INSERT INTO snapshot (run, pid, part, taken_ms, profile) VALUES ('r', 1, 0, 1, x'789c00')".to_owned(),
            2,
        ),
        (
            "INSERT INTO go_total (hash, meta, profiles, counters) VALUES ('h', x'789c00', 1, x'789c00')".to_owned(),
            2,
        ),
    ] {
        fs::write(&database, &whole).unwrap();
        let changed = Connection::open(&database).unwrap().execute(&sql, []);
        assert_eq!(changed.unwrap(), 1, "{sql}");
        let contents = store.contents().unwrap();
        let entries = &contents.merged.ledger.entries;
        assert_eq!(entries.len(), 1, "{sql}: {entries:?}");
        let said = entries[0].to_string();
        assert!(said.contains("expected compressed data"), "{said}");
        assert_eq!(mains(&contents), reached, "{sql}");
        assert!(contents.coverage().is_ok(), "{sql}");
        let mut report = bincover();
        report.args(["report", "--lcov", "-", "--store"]).arg(store.folder());
        let output = report.output().unwrap();
        assert_eq!(output.status.code(), Some(92), "{sql}: {output:?}");
        assert!(output.stdout.starts_with(b"TN:") || output.stdout.starts_with(b"SF:"));
    }
}

/// A link is neither moved nor deleted, and what it leads to does not count.
#[test]
fn links_among_loose_profiles_stay() {
    let (folder, store) = small();
    let (loose, theirs) = (store.loose_folder(), folder.path().join("theirs.profraw"));
    fs::create_dir(&loose).unwrap();
    for profile in [&theirs, &loose.join("1.profraw")] {
        let mut command = Command::new(covered());
        command.arg("return").env("LLVM_PROFILE_FILE", profile);
        assert!(command.stdout(Stdio::null()).status().is_ok());
    }
    let link = loose.join("2.profraw");
    std::os::unix::fs::symlink(&theirs, &link).unwrap();
    let added = store.add_loose(&loose, None).unwrap();
    assert_eq!(added.profiles, 1);
    assert!(link.is_symlink() && theirs.exists());
    assert_eq!(mains(&store.contents().unwrap()), 2);
}

#[test]
fn a_store_is_not_written_onto_itself() {
    let (folder, store) = small();
    let exported = folder.path().join("exported.store");
    store.export(&exported).unwrap();
    let link = folder.path().join("a.store");
    std::os::unix::fs::symlink("store/store.db", &link).unwrap();
    let own = |name: &str| store.folder().join(name);
    let before = fs::read(own("store.db")).unwrap();
    for file in [
        own("store.db"),
        own("store.db-journal"),
        own("lock"),
        own("ended"),
        own("known/x"),
        folder.path().join("store/../store/loose"),
        link,
    ] {
        for written in [store.export(&file), combine_stores([&exported], &file)] {
            let error = written.unwrap_err().to_string();
            let is_said = error.contains("a part of a store");
            // A folder that is not there, or is.
            let is_other = error.contains("found none") || error.contains("directory");
            assert!(is_said || is_other, "{error}");
            assert!(fs::read(own("store.db")).unwrap() == before);
        }
    }
    assert_eq!(fs::metadata(own("lock")).unwrap().len(), 0);
    store.export(&own("a.store")).unwrap();
    combine_stores([&exported], &own("b.store")).unwrap();
    // Where no store is, names are free.
    combine_stores([&exported], &folder.path().join("store.db")).unwrap();
}

/// What is no regular file is written to, and not replaced.
#[test]
fn a_store_is_exported_into_a_pipe() {
    let (folder, store) = small();
    let (file, pipe) = (folder.path().join("a.store"), folder.path().join("pipe"));
    store.export(&file).unwrap();
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // It ends though nobody writes.
    let mut reader = Command::new("timeout");
    let reader = reader.args(["60", "cat"]).arg(&pipe).stdout(Stdio::piped());
    let reader = reader.spawn().unwrap();
    store.export(&pipe).unwrap();
    let read = reader.wait_with_output().unwrap();
    assert!(read.stdout == fs::read(&file).unwrap());
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

/// A store with one run.
fn small() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    run(&store, covered(), &["return"]);
    (folder, store)
}

#[test]
fn a_store_that_was_deleted_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    run(&store, covered(), &["return"]);
    // Its connection is kept for the next run. Another store takes its place meanwhile.
    fs::remove_dir_all(store.folder()).unwrap();
    run(&Store::new(store.folder()), covered(), &["return"]);
    run(&store, covered(), &["return"]);
    assert_eq!(store.runs().unwrap().len(), 2);
    fs::remove_dir_all(store.folder()).unwrap();
    run(&store, covered(), &["return"]);
    assert_eq!(mains(&store.contents().unwrap()), 1);
}

#[test]
fn a_store_from_a_newer_version_is_left_alone() {
    let (_folder, store) = small();
    let database = store.folder().join("store.db");
    let connection = Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    let errors = [
        store.contents().map(drop),
        store.runs().map(drop),
        store.clean().map(drop),
        store.export(&store.folder().join("x")),
    ];
    for error in errors {
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("found 2: it was written by a newer bincover"),
            "{error}"
        );
    }
    // The program is run all the same.
    let output = bincover()
        .args(["run", "--store"])
        .arg(store.folder())
        .arg("--")
        .arg(covered())
        .arg("both")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"to standard output");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a newer bincover"), "{said}");
    assert!(fs::read(&database).unwrap() == before);
}

#[test]
fn a_store_that_may_not_be_written_to_is_read() {
    // Root may write everywhere.
    if rustix::process::geteuid().is_root() {
        let (folder, store) = small();
        let copy = folder.path().join("copy");
        fs::create_dir(&copy).unwrap();
        fs::copy(store.folder().join("store.db"), copy.join("store.db")).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(mains(&Store::new(&copy).contents().unwrap()), 1);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        return;
    }
    let (_folder, store) = small();
    let mode =
        |mode| fs::set_permissions(store.folder(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    assert_eq!(mains(&store.contents().unwrap()), 1);
    let output = bincover()
        .args(["run", "--store"])
        .arg(store.folder())
        .args(["--", "sh", "-c", "exit 7"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    mode(0o755);
    assert_eq!(store.runs().unwrap().len(), 1);
}

#[test]
fn there_is_an_error_for_what_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("text"), "this is no database, whatever else it is").unwrap();
    fs::write(path("empty"), "").unwrap();
    let other = Connection::open(path("other")).unwrap();
    other
        .execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1")
        .unwrap();
    drop(other);
    for (name, words) in [
        ("text", "not a database"),
        ("empty", "found an empty file"),
        ("other", "bincover's tables"),
        ("missing", "No such file"),
    ] {
        let error = combine_stores([path(name)], &path("out")).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!path("out").exists());
    }
    let store = Store::new(path("none"));
    assert!(matches!(
        store.contents(),
        Err(Error::NothingToMeasure { .. })
    ));
    assert_eq!(store.runs().unwrap(), []);
    assert!(!path("none").exists());
}

#[test]
fn a_full_disk_loses_nothing_that_was_stored() {
    let (_folder, store) = small();
    // A file may not grow beyond what the database has: as a full disk, for the database alone.
    let size = fs::metadata(store.folder().join("store.db")).unwrap().len();
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", size / 512 / 8);
    let run = || {
        let output = Command::new("sh")
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_bincover")])
            .args(["run", "--store"])
            .arg(store.folder())
            .arg("--")
            .arg(covered())
            .arg("both")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    };
    // One that is left to be added later needs no room in the database.
    let mut said = run();
    let mut runs = 2;
    while !said.contains("cannot use the store") && !said.contains("cannot write") {
        assert!(runs < 32, "{said}");
        said = run();
        runs += 1;
    }
    // What they reached comes into the store when there is room again.
    assert_eq!(mains(&store.contents().unwrap()), runs);
    assert_eq!(store.runs().unwrap().len() as u64, runs);
}

#[test]
fn runs_that_wait_to_be_added_are_there_for_whoever_asks() {
    let (folder, store) = small();
    let path = folder.path().join("app");
    copy(covered(), &path);
    let run = || {
        let output = run_command(&store, &[], &path, &["both"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
    };
    let waiting = || fs::read_dir(store.folder().join("runs")).unwrap().count();
    // The first run of a build is added at once, since its mapping is copied.
    run();
    assert_eq!(waiting(), 0);
    for number in 1..=4 {
        run();
        assert_eq!(waiting(), number);
    }
    // Another build in its place: those that wait were runs of the old one.
    copy(at_exit(), &path);
    let runs = store.runs().unwrap();
    assert_eq!(waiting(), 0);
    let words: Vec<&str> = runs.iter().map(|run| run.obtained.word()).collect();
    assert_eq!(words[1..], ["continuous"; 5]);
    assert!(
        runs[1..]
            .iter()
            .all(|run| run.ended == Ended::Code(3) && run.profiles == 1)
    );
    assert!(
        runs[1..]
            .iter()
            .all(|run| run.program.as_deref() == Some(&*path))
    );
    assert!(runs[1..].iter().all(|run| !run.wall.is_zero()));
    assert_eq!(mains(&store.contents().unwrap()), 6);

    // However many there are, no more than some wait.
    copy(covered(), &path);
    for _ in 0..40 {
        run();
        assert!(waiting() < 17);
    }
    assert_eq!(store.runs().unwrap().len(), 46);

    // A store that may not be written to is read with those that wait: as if there were a folder in
    // the way of its lock.
    run();
    fs::remove_file(store.folder().join("lock")).unwrap();
    fs::create_dir(store.folder().join("lock")).unwrap();
    assert_eq!(store.runs().unwrap().len(), 47);
    let contents = store.contents().unwrap();
    assert_eq!((contents.runs, mains(&contents)), (47, 47));
    assert_eq!(waiting(), 1);
    fs::remove_dir(store.folder().join("lock")).unwrap();

    // Clean takes them, too, and what is known of programs.
    assert_eq!(store.clean().unwrap().runs, 47);
    assert_eq!(waiting(), 0);
    assert!(!store.folder().join("known").exists());
    run();
    assert_eq!(mains(&store.contents().unwrap()), 1);
}

/// `bincover run` of a program, with these options.
fn run_command(store: &Store, options: &[&str], program: &Path, args: &[&str]) -> Command {
    let mut command = bincover();
    command.arg("run").args(options).arg("--store");
    command
        .arg(store.folder())
        .arg("--")
        .arg(program)
        .args(args);
    command
}

#[test]
fn a_rescue_is_had_where_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    for (options, obtained) in [
        (&[][..], Obtained::Rescued),
        (&["--rescue", "on"], Obtained::Rescued),
        (&["--rescue", "off"], Obtained::None(Uncovered::NotWritten)),
    ] {
        let output = run_command(&store, options, at_exit(), &["kill", "9"]);
        let output = { output }.output().unwrap();
        assert_eq!(output.status.code(), Some(137));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.is_empty(), obtained.is_some(), "{said}");
        assert_eq!(store.runs().unwrap().last().unwrap().obtained, obtained);
    }
    // Where it is not needed: the counters are in a file.
    let status = run_command(&store, &["--rescue", "on"], covered(), &["kill", "9"]);
    assert_eq!({ status }.status().unwrap().code(), Some(137));
    let last = store.runs().unwrap().pop().unwrap();
    assert_eq!(last.obtained, Obtained::Continuous);
    assert_eq!(mains(&store.contents().unwrap()), 3);
}

#[test]
fn what_a_script_starts_is_in_the_report_with_its_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    let script = r#""$0" kill 9; "$0" return; exit 5"#;
    let program = at_exit().to_str().unwrap();
    let args = ["-c", script, program];
    let output = run_command(&store, &[], Path::new("sh"), &args)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(store.runs().unwrap()[0].obtained, Obtained::Rescued);
    let contents = store.contents().unwrap();
    assert_eq!(mains(&contents), 2);
    assert_eq!(contents.coverage().unwrap().objects, [at_exit()]);
}

#[test]
fn nobody_waits_for_those_that_outlive_a_program_and_nothing_of_them_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    // The pipe is read to its end: whoever is left behind must not hold it.
    let script = r#"(sleep 1; "$0" kill 9) >/dev/null 2>&1 & echo done"#;
    let program = at_exit().to_str().unwrap();
    let began = Instant::now();
    let args = ["-c", script, program];
    let output = run_command(&store, &[], Path::new("sh"), &args)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"done\n");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    // Until it is recorded, reports read its profile where it lies.
    wait_for(|| store.contents().is_ok_and(|contents| mains(&contents) == 1));
    wait_for(|| store.runs().unwrap()[0].profiles == 1);
    assert!(store.runs().unwrap()[0].obtained.is_some());
    assert_eq!(mains(&store.contents().unwrap()), 1);
    assert_eq!(
        store.contents().unwrap().coverage().unwrap().objects,
        [at_exit()]
    );
}

#[test]
fn signals_reach_the_program_through_the_process_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    for (signal, code) in [
        (rustix::process::Signal::TERM, 143),
        (rustix::process::Signal::HUP, 129),
    ] {
        let mut child = run_command(&store, &[], at_exit(), &["spin"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let runs = || store.runs().unwrap().len();
        let before = runs();
        wait_for(|| child_of_child(child.id()).is_some_and(is_spinning));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(runs(), before + 1);
        let run = store.runs().unwrap().pop().unwrap();
        assert_eq!(run.ended.exit_code(), Some(code));
        assert_eq!(run.obtained, Obtained::Rescued);
    }
    assert_eq!(mains(&store.contents().unwrap()), 2);
}

/// The program under `bincover run`, with a process in front of it.
fn child_of_child(pid: u32) -> Option<u32> {
    let child_of = |pid: u32| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_ascii_whitespace().next()?.parse().ok()
    };
    child_of(child_of(pid)?)
}

/// It has executed some time of its own, after the loader's and before `main`'s.
fn is_spinning(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let profile = bincover::snapshot_profile(pid);
    let reached = profile.is_ok_and(|profile| {
        let mut merger = bincover::profile::Merger::new();
        merger.add("now", &profile, std::num::NonZeroU64::MIN);
        let merged = merger.finish();
        let mut records = merged.profile.records();
        records.any(|record| record.name.ends_with(b"4main") && record.counts[0] > 0)
    });
    name.starts_with("store-at-exit") && reached
}

#[test]
fn a_snapshot_counts_until_the_profile_comes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("store"));
    let mut child = run_command(&store, &["--rescue", "off"], at_exit(), &["spin"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let program = || {
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = fs::read_to_string(children).ok()?;
        children
            .split_ascii_whitespace()
            .next()?
            .parse::<u32>()
            .ok()
    };
    wait_for(|| program().is_some_and(is_spinning));
    let pid = program().unwrap();
    for _ in 0..3 {
        let snapshot = bincover()
            .args(["snapshot", &pid.to_string(), "--store"])
            .arg(store.folder())
            .status()
            .unwrap();
        assert!(snapshot.success());
    }
    assert_eq!(mains(&store.contents().unwrap()), 1);
    // It is killed, and has written nothing: the snapshot is what there is.
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    let run = store.runs().unwrap().pop().unwrap();
    assert_eq!(run.obtained, Obtained::Snapshot);
    assert_eq!(mains(&store.contents().unwrap()), 1);

    // A process that nobody of ours started.
    let mut stranger = Command::new(at_exit())
        .arg("spin")
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(|| is_spinning(stranger.id()));
    let snapshot = store.snapshot(stranger.id()).unwrap();
    assert_eq!(snapshot.binaries, [at_exit()]);
    assert_eq!(store.snapshot(stranger.id()).unwrap(), snapshot);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(mains(&store.contents().unwrap()), 2);
    let runs = store.runs().unwrap();
    let is_running = |run: &&bincover::StoredRun| run.ended == Ended::Running;
    assert_eq!(runs.iter().filter(is_running).count(), 1);

    let gone = store.snapshot(stranger.id()).unwrap_err();
    assert!(
        gone.to_string().contains(&stranger.id().to_string()),
        "{gone}"
    );
    let plain = store.snapshot(std::process::id()).unwrap_err().to_string();
    assert!(
        plain.contains("instrumented") || plain.contains("coverage"),
        "{plain}"
    );
}
