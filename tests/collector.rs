//! The collector with whole programs: what goes to them and comes back, whatever their end, and
//! what is left on disk.

#[expect(unreachable_pub, reason = "shared by several test binaries")]
mod support;

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bincover::model::Coverage;
use bincover::profile::{Cause, Profile};
use bincover::run::{ErrorKind, RUSTC_FLAGS};
use bincover::{
    Collected, Collector, Command, Ending, Error, Obtained, ProfileInput, Rescuing, Signal, Stdin,
    Store, Uncovered, merge_files, profiles_below,
};
use support::{compile, line_of, names_in};
use tempfile::TempDir;

/// Built as bincover wants programs to be.
fn covered() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| compile("covered", &RUSTC_FLAGS))
}

/// With coverage, and counters that stay where they are.
fn not_relocatable() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| compile("not-relocatable", &RUSTC_FLAGS[..2]))
}

/// Without coverage.
fn plain() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| compile("plain", &[]))
}

/// A place for one test, and the merged profile in it.
fn scratch() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("merged.profdata");
    (folder, merged)
}

fn collector(merged: &Path) -> Collector {
    Collector::builder(merged).build().unwrap()
}

/// What a run of the covered program prints.
fn stdout_of(configure: impl FnOnce(Command<'_>) -> Command<'_>) -> Vec<u8> {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let run = configure(collector.command(covered())).run().unwrap();
    assert_eq!(run.output.status, Ending::Code(0));
    assert_eq!(run.output.stderr, b"");
    assert_eq!(run.obtained, Obtained::Continuous);
    run.output.stdout
}

fn profile_in(merged: &Path) -> Profile {
    let merged = merge_files([ProfileInput::from(merged.to_owned())]);
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    merged.profile
}

/// How often `main` was reached; it has no branches.
fn runs_of_main(profile: &Profile) -> u64 {
    let mains: Vec<_> = profile
        .records()
        .filter(|record| record.name.ends_with(b"7endings4main"))
        .collect();
    assert_eq!(mains.len(), 1);
    assert_eq!(mains[0].counts.len(), 1);
    mains[0].counts[0]
}

/// The counts of all functions, in an order of their own.
fn all_counts(profile: &Profile) -> Vec<(Vec<u8>, Vec<u64>)> {
    let records = profile.records();
    let mut all: Vec<_> = records
        .map(|r| (r.name.to_vec(), r.counts.to_vec()))
        .collect();
    all.sort();
    all
}

fn coverage(collected: &Collected) -> Coverage {
    let covered = collected.coverage().unwrap();
    assert!(covered.without_mapping.is_empty());
    covered.evaluation.coverage
}

/// The count of the program's line with this mark.
fn count(coverage: &Coverage, mark: &str) -> u64 {
    let name = b"endings.rs".as_slice();
    let mut files = coverage
        .files
        .iter()
        .filter(|file| file.name.ends_with(name));
    let lines = &files.next().unwrap().lines;
    let line = lines.iter().find(|line| line.number == line_of(mark));
    line.unwrap_or_else(|| panic!("no code in line `{mark}`"))
        .count
}

// What goes in.

#[test]
fn arguments_arrive_as_they_are() {
    let args: [&OsStr; 9] = [
        OsStr::new(""),
        OsStr::new("two words"),
        OsStr::new("line\nfeed\r\n"),
        OsStr::new("'single' \"double\" `$HOME` \\"),
        OsStr::new("--"),
        OsStr::new("-o"),
        OsStr::new("é"),
        OsStr::from_bytes(b"\xff\xfe not UTF-8"),
        OsStr::new(""),
    ];
    let mut expected = Vec::new();
    for arg in args {
        expected.extend(format!("{}:", arg.len()).into_bytes());
        expected.extend(arg.as_bytes());
    }
    assert_eq!(stdout_of(|run| run.arg("args").args(args)), expected);
    assert_eq!(stdout_of(|run| run.arg("args")), b"");
}

#[test]
fn the_record_has_the_arguments_and_the_label() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let odd = OsString::from("a\nb");
    let labelled = collector.command(covered()).label("with a label");
    labelled
        .args([&OsString::from("args"), &odd])
        .run()
        .unwrap();
    collector.command(covered()).arg("return").run().unwrap();
    let runs = collector.finish().unwrap().runs;
    assert_eq!(runs[0].label.as_deref(), Some("with a label"));
    assert_eq!(runs[0].args, [OsString::from("args"), odd]);
    assert_eq!(runs[0].program, covered());
    assert_eq!(runs[0].program_file.as_deref(), Some(covered()));
    assert_eq!(runs[1].label, None);
    assert_eq!((runs[0].number, runs[1].number), (1, 2));
}

#[test]
fn variables_are_set_removed_and_cleared() {
    let lines = |stdout: Vec<u8>| -> Vec<String> {
        let text = String::from_utf8(stdout).unwrap();
        // The profile runtime sets a variable of its own.
        let ours = |line: &&str| !line.starts_with("__LLVM_PROFILE_RT_INIT_ONCE=");
        text.lines().filter(ours).map(str::to_owned).collect()
    };
    let has = |lines: &[String], name: &str| lines.iter().any(|line| line.starts_with(name));

    let inherited = lines(stdout_of(|run| run.arg("env").env("OURS", "two words")));
    assert!(inherited.contains(&"OURS=two words".to_owned()));
    assert!(has(&inherited, "PATH="));
    assert!(has(&inherited, "LLVM_PROFILE_FILE="));

    let removed = lines(stdout_of(|run| run.arg("env").env_remove("PATH")));
    assert!(!has(&removed, "PATH="));
    assert!(!has(&removed, "OURS="));

    let cleared = stdout_of(|run| {
        run.arg("env")
            .env("BEFORE", "")
            .env_clear()
            .env("AFTER", "1")
    });
    let cleared = lines(cleared);
    assert_eq!(cleared.len(), 3, "{cleared:?}");
    assert!(has(&cleared, "AFTER=1"));
    assert!(has(&cleared, "LLVM_PROFILE_FILE="));
    assert!(has(&cleared, "GOCOVERDIR="));
}

#[test]
fn input_arrives_as_it_is() {
    let bytes = b"\0\xff line\n\r\n".repeat(50_000);
    let given = stdout_of(|run| run.arg("cat").stdin(Stdin::Bytes(bytes.clone())));
    assert!(given == bytes, "{} bytes of {}", given.len(), bytes.len());
    assert_eq!(stdout_of(|run| run.arg("cat")), b"");
}

#[test]
fn the_working_folder_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().canonicalize().unwrap();
    let stdout = stdout_of(|run| run.arg("cwd").current_dir(&there));
    assert_eq!(stdout, there.as_os_str().as_bytes());
    assert_eq!(names_in(&there), [""; 0]);
}

// What comes back.

#[test]
fn output_and_exit_code_come_back() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let run = collector.command(covered()).arg("both").run().unwrap();
    assert_eq!(run.output.status, Ending::Code(3));
    assert_eq!(run.output.stdout, b"to standard output");
    assert_eq!(run.output.stderr, b"to standard error");
    assert_eq!(run.obtained, Obtained::Continuous);
    assert_eq!(count(&coverage(&collector.finish().unwrap()), "both"), 1);
}

#[test]
fn every_ending_keeps_its_lines() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let run = |args: &[&str]| {
        let run = collector.command(covered()).args(args).run().unwrap();
        assert_eq!(run.obtained, Obtained::Continuous, "{args:?}");
        run.output.status.exit_code()
    };
    assert_eq!(run(&["panic"]), 101);
    assert_eq!(run(&["abort"]), 128 + 6);
    assert_eq!(run(&["kill", "9"]), 128 + 9);
    assert_eq!(run(&["kill", "15"]), 128 + 15);
    let killed = collector
        .command(covered())
        .arg("spin")
        .on_output(|_, _, process| {
            process.signal(Signal::KILL).unwrap();
        })
        .run()
        .unwrap();
    assert_eq!(killed.output.status.to_string(), "signal 9 (SIGKILL)");
    assert_eq!(killed.output.stdout, b"spinning\n");
    assert_eq!(killed.obtained, Obtained::Continuous);

    let coverage = coverage(&collector.finish().unwrap());
    assert_eq!(count(&coverage, "main"), 5);
    assert_eq!(count(&coverage, "panic"), 1);
    assert_eq!(count(&coverage, "abort"), 1);
    assert_eq!(count(&coverage, "kill"), 2);
    assert_eq!(count(&coverage, "spin"), 1);
    assert_eq!(count(&coverage, "both"), 0);
}

#[test]
fn a_run_that_takes_too_long_is_ended() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let time = Duration::from_millis(700);
    let run = collector
        .command(covered())
        .arg("spin")
        .timeout(time)
        .run()
        .unwrap();
    let ending = run.output.status;
    assert!(
        matches!(ending, Ending::TimedOut { after, .. } if after == time),
        "{ending}"
    );
    assert_eq!(ending.exit_code(), 124);
    assert!(run.output.wall >= time);
    assert_eq!(collector.finish().unwrap().runs[0].ending, ending);
}

#[test]
fn counters_that_cannot_be_moved_need_an_exit_or_a_rescue() {
    for (rescuing, of_abort, mains) in [
        (Rescuing::Off, Obtained::None(Uncovered::NotWritten), 2),
        (Rescuing::Auto, Obtained::Rescued, 3),
    ] {
        let (_folder, merged) = scratch();
        let builder = Collector::builder(&merged).rescue(rescuing);
        let collector = builder.build().unwrap();
        let run = |how: &str| {
            let run = collector.command(not_relocatable()).arg(how).run().unwrap();
            assert!(!run.output.stderr.starts_with(b"LLVM"), "{:?}", run.output);
            run.obtained
        };
        assert_eq!(run("return"), Obtained::Exit);
        assert_eq!(run("panic"), Obtained::Exit);
        assert_eq!(run("abort"), of_abort);
        let collected = collector.finish().unwrap();
        assert_eq!(runs_of_main(&collected.merged.profile), mains);
        assert_eq!(count(&coverage(&collected), "panic"), 1);
        assert_eq!(count(&coverage(&collected), "abort"), mains - 2);
    }
}

#[test]
fn a_store_has_the_runs_of_all_collectors() {
    let (folder, merged) = scratch();
    let store = Store::new(folder.path().join("store"));
    for (number, program) in [covered(), not_relocatable()].into_iter().enumerate() {
        let builder = Collector::builder(&merged).store(store.clone());
        let collector = builder.build().unwrap();
        assert_eq!(collector.profiles(), None);
        std::thread::scope(|scope| {
            for ending in ["return", "abort", "panic"] {
                let collector = &collector;
                scope.spawn(move || {
                    let command = collector.command(program).arg(ending).label(ending);
                    assert!(command.run().unwrap().obtained.is_some());
                });
            }
        });
        let collected = collector.finish().unwrap();
        assert_eq!(collected.runs.len(), 3);
        let runs = 3 * (number as u64 + 1);
        assert_eq!(runs_of_main(&collected.merged.profile), runs);
        assert_eq!(store.runs().unwrap().len() as u64, runs);
        assert_eq!(count(&coverage(&collected), "abort"), runs / 3);
    }
    let mut contexts: Vec<_> = store
        .runs()
        .unwrap()
        .into_iter()
        .map(|run| run.context)
        .collect();
    contexts.sort();
    contexts.dedup();
    let labels = ["abort", "panic", "return"].map(|label| Some(label.to_owned()));
    assert_eq!(contexts, labels);
    assert_eq!(names_in(&folder.path().join("store/runs")), [""; 0]);
}

/// One that is still there when the collector finishes is in the result as far as it got.
#[test]
fn those_that_outlive_their_program_are_in_the_result() {
    for with_store in [false, true] {
        let (folder, merged) = scratch();
        let mut builder = Collector::builder(&merged);
        if with_store {
            builder = builder.store(Store::new(folder.path().join("store")));
        }
        let collector = builder.build().unwrap();
        // It says something once it is in `main`.
        let script = "\"$0\" spin >said & while [ ! -s said ]; do sleep 0.01; done";
        let run = collector
            .command("sh")
            .args(["-c", script])
            .arg(not_relocatable())
            .current_dir(folder.path())
            .run()
            .unwrap();
        assert!(run.output.status.success(), "{:?}", run.output);
        let collected = collector.finish().unwrap();
        assert_eq!(runs_of_main(&collected.merged.profile), 1);
        assert_eq!(count(&coverage(&collected), "spin"), 1);
    }
}

#[test]
fn a_program_without_coverage_is_run_all_the_same() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let run = collector.command(plain()).arg("both").run().unwrap();
    assert_eq!(run.output.status, Ending::Code(3));
    assert_eq!(run.output.stdout, b"to standard output");
    assert_eq!(run.obtained, Obtained::None(Uncovered::NotInstrumented));

    let collected = collector.finish().unwrap();
    assert_eq!(collected.programs, Vec::<PathBuf>::new());
    let error = collected.coverage().unwrap_err();
    assert!(matches!(error, Error::NothingToMeasure { .. }), "{error}");
}

#[test]
fn a_profile_that_the_caller_leads_elsewhere_is_theirs() {
    let (folder, merged) = scratch();
    let collector = collector(&merged);
    let theirs = folder.path().join("theirs.profraw");
    let command = collector.command(covered()).arg("return");
    let run = command.env("LLVM_PROFILE_FILE", &theirs).run().unwrap();
    assert_eq!(run.output.status, Ending::Code(0));
    assert_eq!(run.obtained, Obtained::None(Uncovered::Elsewhere));
    assert!(theirs.is_file());
    let collected = collector.finish().unwrap();
    assert_eq!(collected.runs.len(), 1);
    assert_eq!(collected.merged.profile.record_count(), 0);
}

#[test]
fn a_program_is_looked_up_in_the_path_of_its_run() {
    let (folder, merged) = scratch();
    std::os::unix::fs::symlink(covered(), folder.path().join("bincover-endings")).unwrap();
    let collector = collector(&merged);
    let path = folder.path();
    let command = |name: &str| collector.command(name).arg("abort");
    let set = command("bincover-endings").env("PATH", path).run().unwrap();
    assert_eq!(set.obtained, Obtained::Continuous);
    let changed = command("bincover-endings").before_run(|command| Ok(command.env("PATH", path)));
    assert_eq!(changed.run().unwrap().obtained, Obtained::Continuous);
    assert!(command("bincover-endings").run().is_err());
    // Without a `PATH`, in the system's folders.
    let system = collector
        .command("sh")
        .args(["-c", "exit 5"])
        .env_clear()
        .run()
        .unwrap();
    assert_eq!(system.output.status, Ending::Code(5));

    let collected = collector.finish().unwrap();
    assert_eq!(collected.programs.len(), 1);
    assert_eq!(count(&coverage(&collected), "abort"), 2);
}

// Callbacks.

#[test]
fn callbacks_hold_for_their_own_run() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let seen = Cell::new(None);
    let changed = collector
        .command(covered())
        .args(["args", "one"])
        .before_run(|command| Ok(command.arg("from the callback")))
        .after_run(|run| {
            seen.set(Some((run.number, run.output.stdout.clone(), run.obtained)));
            Ok(())
        })
        .run()
        .unwrap();
    assert_eq!(changed.output.stdout, b"3:one17:from the callback");
    let expected = (1, changed.output.stdout, Obtained::Continuous);
    assert_eq!(seen.take(), Some(expected));

    let next = collector
        .command(covered())
        .args(["args", "one"])
        .run()
        .unwrap();
    assert_eq!(next.output.stdout, b"3:one");
    assert_eq!(seen.take(), None);
}

#[test]
fn nothing_is_run_when_the_callback_before_it_fails() {
    let (folder, merged) = scratch();
    let collector = collector(&merged);
    let was_called = Cell::new(false);
    let error = collector
        .command(covered())
        .arg("return")
        .before_run(|_| Err("not today".into()))
        .after_run(|_| {
            was_called.set(true);
            Ok(())
        })
        .run()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the callback before the run failed: not today"
    );
    assert!(!was_called.get());
    assert_eq!(collector.runs().len(), 0);
    assert_eq!(
        profiles_below(folder.path()).unwrap(),
        Vec::<PathBuf>::new()
    );
    drop(collector);
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn coverage_is_collected_when_the_callback_after_it_fails() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    let command = collector.command(covered()).arg("panic");
    let error = command
        .after_run(|_| Err("too bad".into()))
        .run()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the callback after the run failed: too bad"
    );
    let collected = collector.finish().unwrap();
    assert_eq!(collected.runs.len(), 1);
    assert_eq!(collected.runs[0].ending, Ending::Code(101));
    assert_eq!(count(&coverage(&collected), "panic"), 1);
}

// Many at once.

#[test]
fn threads_share_a_collector() {
    const THREADS: u64 = 32;
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let collector = &collector;
            scope.spawn(move || {
                // Each its own arguments and input, to see that nobody gets another's.
                let own = format!("thread\n{thread}");
                let command = collector.command(covered()).label(thread.to_string());
                let run = if thread % 2 == 0 {
                    command.args(["args", &own]).run().unwrap()
                } else {
                    command
                        .arg("cat")
                        .stdin(Stdin::Bytes(own.clone().into()))
                        .run()
                        .unwrap()
                };
                let prefix = if thread % 2 == 0 {
                    format!("{}:", own.len())
                } else {
                    String::new()
                };
                assert_eq!(run.output.stdout, format!("{prefix}{own}").as_bytes());
                assert_eq!(run.obtained, Obtained::Continuous);
            });
        }
    });
    let collected = collector.finish().unwrap();
    assert!(
        collected.merged.ledger.is_empty(),
        "{:?}",
        collected.merged.ledger
    );
    assert_eq!(runs_of_main(&profile_in(&merged)), THREADS);
    let numbers: Vec<u64> = collected.runs.iter().map(|run| run.number).collect();
    assert_eq!(numbers, (1..=THREADS).collect::<Vec<_>>());
    let mut labels: Vec<u64> = Vec::new();
    for run in &collected.runs {
        labels.push(run.label.as_ref().unwrap().parse().unwrap());
    }
    labels.sort_unstable();
    assert_eq!(labels, (0..THREADS).collect::<Vec<_>>());
    assert_eq!(collected.programs, [covered()]);
}

// What is left on disk.

#[test]
fn without_collecting_runs_are_the_same_and_nothing_is_written() {
    let (folder, merged) = scratch();
    let collector = Collector::builder(&merged).collect(false).build().unwrap();
    assert_eq!(collector.profiles(), None);
    for (args, code, stdout) in [
        (&["args", "a b"][..], 0, &b"3:a b"[..]),
        (&["both"], 3, b"to standard output"),
        (&["panic"], 101, b""),
        (&["abort"], 134, b""),
        (&["kill", "9"], 137, b""),
    ] {
        for program in [covered(), not_relocatable(), plain()] {
            for clear in [false, true] {
                let mut command = collector
                    .command(program)
                    .args(args)
                    .current_dir(folder.path());
                if clear {
                    command = command.env_clear();
                }
                let run = command.run().unwrap();
                assert_eq!(run.output.status.exit_code(), code, "{args:?}");
                assert_eq!(run.output.stdout, stdout, "{args:?}");
                assert!(!run.output.stderr.starts_with(b"LLVM"), "{:?}", run.output);
                assert_eq!(run.obtained, Obtained::Off);
            }
        }
    }
    let collected = collector.finish().unwrap();
    assert_eq!(collected.merged_profile, None);
    assert_eq!(collected.profiles, None);
    assert_eq!(collected.runs.len(), 5 * 3 * 2);
    let left = names_in(folder.path());
    let but_cores: Vec<&String> = left
        .iter()
        .filter(|name| !name.starts_with("core"))
        .collect();
    assert_eq!(but_cores, [""; 0]);
}

#[test]
fn finish_leaves_the_merged_profile_alone() {
    let (folder, merged) = scratch();
    fs::write(&merged, "from another day").unwrap();
    let collector = collector(&merged);
    let runs = collector.profiles().unwrap().to_owned();
    collector.command(covered()).arg("return").run().unwrap();
    assert_eq!(profiles_below(&runs).unwrap().len(), 1);
    let collected = collector.finish().unwrap();
    assert_eq!(collected.profiles, None);
    assert_eq!(collected.merged_profile.as_deref(), Some(merged.as_path()));
    assert_eq!(names_in(folder.path()), ["merged.profdata"]);
    assert_eq!(runs_of_main(&profile_in(&merged)), 1);
}

#[test]
fn profiles_are_kept_on_demand() {
    let (_folder, merged) = scratch();
    let collector = Collector::builder(&merged)
        .keep_profiles(true)
        .build()
        .unwrap();
    collector.command(covered()).arg("return").run().unwrap();
    collector.command(covered()).arg("panic").run().unwrap();
    let kept = collector.finish().unwrap().profiles.unwrap();
    let profiles = profiles_below(&kept).unwrap();
    assert_eq!(profiles.len(), 2);
    let again = merge_files(profiles.into_iter().map(ProfileInput::from));
    assert_eq!(all_counts(&again.profile), all_counts(&profile_in(&merged)));
    assert!(!kept.join("UNMERGED.txt").exists());
}

#[test]
fn profiles_that_could_not_be_merged_are_kept() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    collector.command(covered()).arg("return").run().unwrap();
    let damaged = collector.profiles().unwrap().join("damaged.profraw");
    fs::write(&damaged, "no profile").unwrap();
    let collected = collector.finish().unwrap();
    assert_eq!(collected.merged.ledger.entries.len(), 1);
    let entry = &collected.merged.ledger.entries[0];
    assert_eq!(Path::new(&entry.source), damaged);
    assert!(matches!(entry.cause, Cause::Unreadable(_)), "{entry}");
    assert!(damaged.is_file());
    assert_eq!(runs_of_main(&profile_in(&merged)), 1);
}

#[test]
fn dropping_loses_nothing() {
    let (folder, merged) = scratch();
    let run_two = |collector: &Collector| {
        collector.command(covered()).arg("panic").run().unwrap();
        collector
            .command(covered())
            .args(["exit", "4"])
            .run()
            .unwrap();
    };
    let dropped = collector(&merged);
    run_two(&dropped);
    let left = dropped.profiles().unwrap().to_owned();
    drop(dropped);
    assert!(!merged.exists());
    let note = fs::read_to_string(left.join("UNMERGED.txt")).unwrap();
    assert!(note.contains(merged.to_str().unwrap()), "{note}");
    assert!(note.contains(left.to_str().unwrap()), "{note}");

    let finished = Collector::builder(folder.path().join("finished.profdata"))
        .build()
        .unwrap();
    run_two(&finished);
    let finished = finished.finish().unwrap();
    let profiles = profiles_below(&left).unwrap();
    let later = merge_files(profiles.into_iter().map(ProfileInput::from));
    assert!(later.ledger.is_empty());
    assert_eq!(
        all_counts(&later.profile),
        all_counts(&finished.merged.profile)
    );
    assert_eq!(runs_of_main(&later.profile), 2);
}

#[test]
fn dropping_without_runs_leaves_nothing() {
    let (folder, merged) = scratch();
    let collector = collector(&merged);
    assert!(collector.profiles().unwrap().is_dir());
    drop(collector);
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn a_profile_that_cannot_be_written_loses_nothing() {
    let (_folder, merged) = scratch();
    let collector = collector(&merged);
    collector.command(covered()).arg("return").run().unwrap();
    let left = collector.profiles().unwrap().to_owned();
    // Something gets in the way after the collector has looked.
    fs::create_dir(&merged).unwrap();
    let error = collector.finish().unwrap_err();
    assert!(
        matches!(&error, Error::Write { path, .. } if *path == merged),
        "{error}"
    );
    assert_eq!(profiles_below(&left).unwrap().len(), 1);
    assert!(left.join("UNMERGED.txt").is_file());
}

#[test]
fn any_folder_will_do() {
    for name in ["50% of p%p", "two words", "line\nfeed", "it's"] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join(name);
        fs::create_dir(&folder).unwrap();
        let merged = folder.join("100%m.profdata");
        let collector = collector(&merged);
        for how in ["return", "abort"] {
            let run = collector.command(covered()).arg(how).run().unwrap();
            assert_eq!(run.obtained, Obtained::Continuous, "{name}");
        }
        collector.finish().unwrap();
        assert_eq!(runs_of_main(&profile_in(&merged)), 2, "{name}");
        assert_eq!(names_in(&folder), ["100%m.profdata"]);
    }
}

// What cannot be.

#[test]
fn the_merged_profile_needs_a_folder() {
    let (folder, _) = scratch();
    let missing = folder.path().join("missing");
    let error = Collector::builder(missing.join("merged.profdata"))
        .build()
        .unwrap_err();
    assert!(
        matches!(&error, Error::NoFolder { folder, .. } if *folder == missing),
        "{error}"
    );
    assert!(
        error.to_string().contains("missing/merged.profdata"),
        "{error}"
    );

    let error = Collector::builder(folder.path()).build().unwrap_err();
    assert!(
        matches!(&error, Error::Write { path, .. } if path == folder.path()),
        "{error}"
    );
}

#[test]
fn a_missing_program_is_an_error_of_its_own_run() {
    let (folder, merged) = scratch();
    let collector = collector(&merged);
    collector.command(covered()).arg("return").run().unwrap();
    for program in [
        folder.path().join("no-program"),
        "bincover-no-such-program".into(),
    ] {
        let error = collector.command(&program).run().unwrap_err();
        let Error::Run(cause) = &error else {
            panic!("{error}");
        };
        assert_eq!(cause.kind(), ErrorKind::ProgramNotFound);
        assert!(
            error.to_string().contains(program.to_str().unwrap()),
            "{error}"
        );
    }
    collector.command(covered()).arg("return").run().unwrap();
    let collected = collector.finish().unwrap();
    assert_eq!(collected.runs.len(), 2);
    assert_eq!(runs_of_main(&collected.merged.profile), 2);
    assert_eq!(names_in(folder.path()), ["merged.profdata"]);
}
