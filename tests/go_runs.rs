//! Runs of Go programs: in a store, in a collector, and beside programs of LLVM.
//!
//! The tests that build a Go program say *ignored* where there is no Go toolchain; with
//! `BINCOVER_REQUIRE_ORACLES=1` (as in CI) they fail instead.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover::gocover::text;
use bincover::run::RUSTC_FLAGS;
use bincover::{
    Collector, GoInputs, GoMerged, GoReader, Obtained, Rescuing, Store, StoredRun, Uncovered,
    combine_stores,
};
use bincover_testkit::fixture;
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "go_runs/build.rs"]
mod build;
#[path = "go_runs/exits.rs"]
mod exits;
mod go_test_main;
#[expect(dead_code, reason = "not all of it is needed here")]
mod go_tools;
#[expect(unreachable_pub, reason = "shared by several test binaries")]
#[expect(dead_code, reason = "not all of it is needed here")]
mod support;
mod write_program;

fn main() -> ExitCode {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_ignored = !is_required && !go_tools::is_there();
    let mut trials = vec![
        Trial::test("runs_add_up", runs_add_up),
        Trial::test("shards_add_up", shards_add_up),
        Trial::test("what_is_damaged_is_left_out", what_is_damaged_is_left_out),
        Trial::test("three_endings", three_endings).with_ignored_flag(is_ignored),
        Trial::test("rust_and_go", rust_and_go).with_ignored_flag(is_ignored),
        Trial::test("a_newer_build", a_newer_build).with_ignored_flag(is_ignored),
    ];
    trials.extend(go_test_main::trials(is_ignored));
    trials.extend(build::trials(is_ignored));
    trials.extend(exits::trials(is_ignored));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What two programs left, and a third.
const ALPHA: [&str; 2] = [
    "go/data/go1.27/alpha/count/a",
    "go/data/go1.27/alpha/count/b",
];

/// A run that leaves the files of these folders, as a Go program would, and then does `more`.
fn leave(store: &Store, folders: &[&str], more: &str) -> Result<StoredRun, Failed> {
    let mut script = String::new();
    for folder in folders {
        let folder = fixture(folder);
        script += &format!("cp '{}'/cov* \"$GOCOVERDIR\" && ", folder.display());
    }
    let args: Vec<OsString> = vec!["-c".into(), (script + more).into()];
    Ok(store.run("sh".as_ref(), &args, None, |command| command)?)
}

/// The same files, read without a store; each folder as often as it is named.
fn read(folders: &[&str]) -> Result<GoMerged, Failed> {
    let mut inputs = GoInputs::default();
    for folder in folders {
        inputs.add(&fixture(folder))?;
    }
    Ok(GoReader::new().read(&inputs))
}

/// All that was reached, as a text profile.
fn text_of(mut merged: GoMerged) -> Result<String, Failed> {
    let mode = merged.mode().ok_or("there is nothing")?;
    let profile = merged.profile(mode, |_| true);
    Ok(String::from_utf8(text::write(&profile))?)
}

#[track_caller]
fn same(ours: &str, expected: &str) {
    assert!(ours.lines().count() > 10, "{ours}");
    assert_eq!(ours, expected);
}

fn runs_add_up() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let store = Store::new(scratch.path().join("store"));
    let [a, b] = ALPHA;
    // The first is of another program.
    let other = "go/data/go1.27/echoarg/count/arg";
    for folders in [&[other][..], &[a], &[a, b], &[a]] {
        let run = leave(&store, folders, "touch \"$GOCOVERDIR/tmp.covcounters.cut\"")?;
        assert_eq!(run.obtained, Obtained::Exit);
    }
    assert_eq!(support::names_in(&store.folder().join("runs")), [""; 0]);
    let contents = store.contents()?;
    assert_eq!(contents.go.programs.len(), 2);
    same(
        &text_of(contents.go)?,
        &text_of(read(&[other, a, a, b, a])?)?,
    );
    Ok(())
}

fn shards_add_up() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let path = |name: &str| scratch.path().join(name);
    let [a, b] = ALPHA;
    for (name, folders) in [("one", &[a, b][..]), ("two", &[b, b])] {
        let store = Store::new(path(&format!("{name}.folder")));
        for folder in folders {
            leave(&store, &[*folder], "true")?;
        }
        store.export(&path(name))?;
    }
    let (one, two) = (path("one"), path("two"));
    combine_stores([&one, &two], &path("both"))?;
    combine_stores([&two, &one], &path("other way round"))?;
    assert!(fs::read(path("both"))? == fs::read(path("other way round"))?);
    let store = Store::new(path("imported"));
    store.import([path("both")])?;
    same(
        &text_of(store.contents()?.go)?,
        &text_of(read(&[a, b, b, b])?)?,
    );
    Ok(())
}

fn what_is_damaged_is_left_out() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let store = Store::new(scratch.path().join("store"));
    let [a, _] = ALPHA;
    // A counter file that is cut, and one without metadata.
    let hash = "0123456789abcdef0123456789abcdef";
    let more = format!(
        "cd \"$GOCOVERDIR\" && for f in covcounters.*.*.*; do head -c 100 $f > covcounters.{hash}.1.1; break; done"
    );
    let run = leave(&store, &[a], &more)?;
    assert_eq!(run.obtained, Obtained::Exit);
    let only = store.run(
        "sh".as_ref(),
        &["-c".into(), "echo x > \"$GOCOVERDIR/covmeta.0\"".into()],
        None,
        |command| command,
    )?;
    assert_eq!(only.obtained, Obtained::None(Uncovered::Unusable));
    let contents = store.contents()?;
    let causes: Vec<String> = contents
        .merged
        .ledger
        .entries
        .iter()
        .map(|entry| format!("{}: {}", entry.source, entry.cause))
        .collect();
    assert_eq!(causes.len(), 2, "{causes:#?}");
    assert!(
        causes.iter().any(|cause| cause.contains(hash)),
        "{causes:#?}"
    );
    assert!(
        causes.iter().any(|cause| cause.contains("covmeta.0")),
        "{causes:#?}"
    );
    assert_eq!(support::names_in(&store.folder().join("left-out")).len(), 2);
    same(&text_of(contents.go)?, &text_of(read(&[a])?)?);
    Ok(())
}

/// Builds a program of `testdata/go/src`, from a copy.
fn build(folder: &Path, is_covered: bool) -> Result<PathBuf, Failed> {
    let source = folder.join("echoarg");
    if !source.exists() {
        fs::create_dir(&source)?;
        for name in ["go.mod", "main.go"] {
            fs::copy(fixture("go/src/echoarg").join(name), source.join(name))?;
        }
    }
    let program = folder.join(if is_covered { "covered" } else { "plain" });
    let mut go = go_tools::go();
    go.current_dir(&source).args(["build", "-o"]).arg(&program);
    go_tools::output(if is_covered {
        go.arg("-cover")
    } else {
        &mut go
    })?;
    Ok(program)
}

/// The seed's seven steps, for a program of Go.
fn three_endings() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let program = build(scratch.path(), true)?;
    let stores = [None, Some(Store::new(scratch.path().join("store")))];
    for store in stores {
        let mut builder = Collector::builder(scratch.path().join("merged.profdata"));
        if let Some(store) = store {
            builder = builder.store(store);
        }
        let collector = builder.build()?;
        let run = collector.command(&program).arg("one").run()?;
        assert_eq!(run.output.stdout, b"argument: <one>\n");
        assert_eq!(
            run.output.stderr, b"",
            "standard error is the program's own"
        );
        assert_eq!(run.obtained, Obtained::Exit);
        let run = collector.command(&program).env_clear().run()?;
        assert_eq!(run.output.status.exit_code(), 2);
        assert_eq!(run.output.stderr, b"echoarg: one argument, please\n");
        assert_eq!(run.obtained, Obtained::Exit);
        let run = collector.command(&program).args(["one", "two"]).run()?;
        assert_eq!(run.output.status.exit_code(), 2);
        assert_eq!(run.obtained, Obtained::Rescued);

        let collected = collector.finish()?;
        assert!(
            !collected.go.ledger.has_losses(),
            "{:?}",
            collected.go.ledger
        );
        let coverage = collected.coverage()?.evaluation.coverage;
        let [file] = coverage.files.as_slice() else {
            return Err(format!("{:?}", coverage.files).into());
        };
        let count = |number: u32| {
            let mut lines = file.lines.iter();
            let line = lines.find(|line| line.number == number);
            line.map(|line| line.count)
        };
        // As in the source: no argument, one, and several.
        assert_eq!(
            [count(13), count(18), count(20)],
            [Some(1), Some(1), Some(1)]
        );
    }
    let collector = Collector::builder(scratch.path().join("other.profdata"))
        .rescue(Rescuing::Off)
        .build()?;
    let run = collector.command(&program).args(["one", "two"]).run()?;
    assert_eq!(run.obtained, Obtained::None(Uncovered::NotWritten));
    let plain = build(scratch.path(), false)?;
    let store = Store::new(scratch.path().join("plain-store"));
    let run = store.run(plain.as_os_str(), &["one".into()], None, |command| command)?;
    assert_eq!(run.obtained, Obtained::None(Uncovered::NotInstrumented));
    Ok(())
}

fn rust_and_go() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let go = build(scratch.path(), true)?;
    let rust = support::compile("go-runs-covered", &RUSTC_FLAGS);
    let bincover = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command.current_dir(scratch.path().join("echoarg"));
        command.args(args);
        command
    };
    let script = format!("'{}' one; '{}' return", go.display(), rust.display());
    go_tools::output(&mut bincover(&[
        "run", "--store", "../store", "--", "sh", "-c", &script,
    ]))?;
    let lcov = go_tools::output(&mut bincover(&[
        "report", "--store", "../store", "--lcov", "-",
    ]))?;
    let lcov = String::from_utf8(lcov.stdout)?;
    let files: Vec<&str> = lcov
        .lines()
        .filter(|line| line.starts_with("SF:"))
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(
        files.iter().any(|file| file.ends_with("echoarg/main.go")),
        "{files:?}"
    );
    assert!(
        files.iter().any(|file| file.ends_with("endings.rs")),
        "{files:?}"
    );

    // Where the user leads it elsewhere, it is theirs.
    let theirs = scratch.path().join("theirs");
    fs::create_dir(&theirs)?;
    let mut run = bincover(&["run", "--store", "../other", "--"]);
    let said = go_tools::output(run.arg(&go).arg("one").env("GOCOVERDIR", &theirs))?.stderr;
    let said = String::from_utf8(said)?;
    assert!(said.contains("GOCOVERDIR leads elsewhere"), "{said}");
    assert_eq!(support::names_in(&theirs).len(), 2);
    Ok(())
}

fn a_newer_build() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let store = Store::new(scratch.path().join("store"));
    let run = |program: &Path| -> Result<StoredRun, Failed> {
        Ok(
            store.run(program.as_os_str(), &["one".into()], None, |command| {
                command
            })?,
        )
    };
    run(&build(scratch.path(), true)?)?;
    let main = scratch.path().join("echoarg/main.go");
    let source = fs::read_to_string(&main)?;
    fs::write(
        &main,
        source.replace("package main\n", "package main\n\n\n"),
    )?;
    run(&build(scratch.path(), true)?)?;
    let contents = store.contents()?;
    assert_eq!(contents.go.programs.len(), 1);
    let coverage = contents.coverage()?.evaluation.coverage;
    let line = coverage.files[0]
        .lines
        .iter()
        .find(|line| line.number == 20);
    assert_eq!(line.map(|line| line.count), Some(1));
    Ok(())
}
