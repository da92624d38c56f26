//! The command line: `bincover run`, `bincover report` and `bincover-merge` as they are typed.

#[expect(unreachable_pub, reason = "shared by several test binaries")]
mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use bincover::profile::Profile;
use bincover::run::RUSTC_FLAGS;
use bincover::{
    Ended, Obtained, ProfileInput, Store, StoredRun, Uncovered, merge_files, profiles_below,
};
use bincover_testkit::fixture;
use support::{compile, line_of, names_in};
use tempfile::TempDir;

/// The program under test, built as bincover wants programs to be.
fn covered() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| compile("covered", &RUSTC_FLAGS))
}

/// The same without coverage.
fn plain() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| compile("plain", &[]))
}

fn bincover(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn bincover_merge(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover-merge"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs to the end, which is to have this exit code.
#[track_caller]
fn check(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let said = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said:?}");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Runs the covered program under `bincover run`, in the store `runs` of the folder.
#[track_caller]
fn run(folder: &Path, args: &[&str], code: i32) -> Output {
    let mut command = bincover(folder);
    command
        .args(["run", "--store", "runs", "--"])
        .arg(covered())
        .args(args);
    check(&mut command, code)
}

fn stored(store: PathBuf) -> Vec<StoredRun> {
    Store::new(store).runs().unwrap()
}

fn merged(path: &Path) -> Profile {
    let merged = merge_files([ProfileInput::from(path.to_owned())]);
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    merged.profile
}

/// How often the program's `main` was reached.
fn runs_of_main(profile: &Profile) -> u64 {
    let mut records = profile.records();
    let main = records.find(|record| record.name.ends_with(b"7endings4main"));
    main.unwrap().counts[0]
}

/// The line of an lcov report for the program's line with this mark.
fn lcov_line(mark: &str, count: u64) -> String {
    format!("\nDA:{},{count}\n", line_of(mark))
}

// Help.

#[test]
fn help_has_examples() {
    let here = Path::new(".");
    for (command, example) in [
        (bincover(here).arg("--help"), "  bincover demo "),
        (bincover(here).args(["run", "--help"]), "  bincover run -- "),
        (
            bincover(here).args(["report", "--help"]),
            "  bincover report --lcov ",
        ),
        (
            bincover(here).args(["demo", "--help"]),
            "  bincover demo --out ",
        ),
        (bincover_merge(here).arg("--help"), "  bincover-merge -o "),
    ] {
        let help = check(command, 0);
        let text = stdout(&help);
        assert!(text.contains("Examples:\n"), "{text}");
        assert!(text.contains(example), "{text}");
        assert!(text.contains("Usage:"), "{text}");
        assert_eq!(help.stderr, b"");
    }
}

#[test]
fn mistakes_are_told_apart_from_failures() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&[], "Usage:"),
        (&["fly"], "fly"),
        (&["run"], "PROG"),
        (
            &["run", "--timeout", "3h", "--", "true"],
            "expected the unit ms, s or m, found `h`",
        ),
        (
            &["run", "--env", "=x", "--", "true"],
            "expected NAME=VALUE, found `=x`",
        ),
        (&["report", "--pdf", "x"], "--pdf"),
        (&["demo", "extra"], "extra"),
    ];
    for (args, words) in cases {
        let output = check(bincover(folder.path()).args(args), 2);
        assert!(
            stderr(&output).contains(words),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.stdout, b"");
    }
    let cases: [(&[&str], &str); 4] = [
        (&["in.profraw"], "--output"),
        (&["-o", "out", "--write-version", "9", "in"], "found `9`"),
        (
            &["-o", "out", "--weighted-input", "0,in"],
            "positive integer",
        ),
        (&["-o", "out", "--weighted-input", "in"], "N,FILE"),
    ];
    for (args, words) in cases {
        let output = check(bincover_merge(folder.path()).args(args), 2);
        assert!(
            stderr(&output).contains(words),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert_eq!(names_in(folder.path()), [""; 0]);
}

// bincover run.

#[test]
fn the_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"\xff\n' \"");
    for args in [
        &[OsStr::new("both")][..],
        &[
            "args".as_ref(),
            "".as_ref(),
            "a b".as_ref(),
            "--help".as_ref(),
            odd,
        ],
        &["exit".as_ref(), "0".as_ref()],
        &["exit".as_ref(), "42".as_ref()],
        &["exit".as_ref(), "255".as_ref()],
        &["kill".as_ref(), "9".as_ref()],
        &["kill".as_ref(), "10".as_ref()],
        &["abort".as_ref()],
        &["cat".as_ref()],
        &["cwd".as_ref()],
    ] {
        // Without coverage, and alone: this is what it does.
        let mut alone = Command::new(plain());
        alone
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let alone = alone.output().unwrap();
        let code = alone
            .status
            .code()
            .or(alone.status.signal().map(|signal| 128 + signal));
        let mut under_bincover = bincover(folder.path());
        under_bincover.args(["run", "--"]).arg(covered()).args(args);
        let under_bincover = check(&mut under_bincover, code.unwrap());
        assert_eq!(under_bincover.stdout, alone.stdout, "{args:?}");
        assert_eq!(under_bincover.stderr, alone.stderr, "{args:?}");
    }
}

#[test]
fn input_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = b"\0 to be echoed \xff\n".repeat(20_000);
    let mut child = bincover(folder.path())
        .args(["run", "--"])
        .arg(covered())
        .arg("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let echoed = std::thread::scope(|scope| {
        scope.spawn(|| {
            stdin.write_all(&bytes).unwrap();
            drop(stdin);
        });
        child.wait_with_output().unwrap()
    });
    assert!(echoed.stdout == bytes);

    fs::write(folder.path().join("input"), &bytes).unwrap();
    let mut command = bincover(folder.path());
    command
        .args(["run", "--stdin", "input", "--"])
        .arg(covered())
        .arg("cat");
    assert!(check(&mut command, 0).stdout == bytes);
}

#[test]
fn variables_and_a_context_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bincover(folder.path());
    command.args([
        "run",
        "--context",
        "log in",
        "--env",
        "MODE=a=b c",
        "--env",
        "EMPTY=",
    ]);
    let output = check(command.arg("--").arg(covered()).args(["env", "x\ny"]), 0);
    let lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    assert!(lines.contains(&"MODE=a=b c".to_owned()), "{lines:?}");
    assert!(lines.contains(&"EMPTY=".to_owned()), "{lines:?}");

    let runs = stored(folder.path().join(".bincover"));
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].context.as_deref(), Some("log in"));
    assert_eq!(
        runs[0].argv,
        [covered().as_os_str(), "env".as_ref(), "x\ny".as_ref()]
    );
    assert_eq!(runs[0].program.as_deref(), Some(covered()));
    assert_eq!(
        (runs[0].ended, runs[0].ended.to_string().as_str()),
        (Ended::Code(0), "exit code 0")
    );
    assert_eq!(runs[0].obtained, Obtained::Continuous);
    assert_eq!(runs[0].profiles, 1);
}

#[test]
fn a_profile_that_the_user_leads_elsewhere_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs.profraw");
    let run = |variable: &Path| {
        let mut command = bincover(folder.path());
        command.env("LLVM_PROFILE_FILE", variable);
        command.args(["run", "--"]).arg(covered()).arg("return");
        check(&mut command, 0)
    };
    let said = stderr(&run(&theirs));
    assert!(
        said.contains("LLVM_PROFILE_FILE or GOCOVERDIR leads elsewhere"),
        "{said}"
    );
    assert!(said.contains("hint: unset LLVM_PROFILE_FILE"), "{said}");
    assert!(theirs.is_file());

    // A run within a run: nobody but bincover itself said so.
    let outer = folder.path().join("outer");
    fs::create_dir(&outer).unwrap();
    fs::write(outer.join("run.json"), "{}").unwrap();
    let said = stderr(&run(&outer.join("%p-%m%c.profraw")));
    assert_eq!(said, "");
    assert_eq!(names_in(&outer), ["run.json"]);

    let runs = stored(folder.path().join(".bincover"));
    let obtained: Vec<_> = runs.iter().map(|run| run.obtained).collect();
    let elsewhere = Obtained::None(Uncovered::Elsewhere);
    assert_eq!(obtained, [elsewhere, Obtained::Continuous]);
}

#[test]
fn a_run_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bincover(folder.path());
    command
        .args(["run", "--timeout", "700ms", "--"])
        .arg(covered())
        .arg("spin");
    check(&mut command, 124);
    let runs = stored(folder.path().join(".bincover"));
    assert_eq!(
        (
            runs[0].ended.exit_code(),
            runs[0].ended.to_string().as_str()
        ),
        (Some(124), "timed out after 700ms")
    );
    assert!(runs[0].wall >= Duration::from_millis(700));
}

#[test]
fn the_store_is_where_one_looks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let run_in = |folder: &Path, options: &[&str]| {
        let mut command = bincover(folder);
        command
            .arg("run")
            .args(options)
            .arg("--")
            .arg(covered())
            .arg("return");
        check(&mut command, 0);
    };
    run_in(folder.path(), &[]);
    assert_eq!(names_in(folder.path()), [".bincover"]);
    run_in(folder.path(), &["--store", "a/b"]);
    assert_eq!(names_in(folder.path()), [".bincover", "a"]);
    assert_eq!(stored(folder.path().join("a/b")).len(), 1);

    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("Cargo.toml"), "").unwrap();
    run_in(&project, &[]);
    run_in(&project, &[]);
    assert_eq!(names_in(&project), ["Cargo.toml", "target"]);
    assert_eq!(names_in(&project.join("target")), ["bincover"]);
    assert_eq!(stored(project.join("target/bincover")).len(), 2);
    // The report looks in the same place.
    let report = check(bincover(&project).args(["report", "--lcov", "-"]), 0);
    assert!(
        stdout(&report).contains(&lcov_line("main", 2)),
        "{}",
        stdout(&report)
    );
}

#[test]
fn programs_that_cannot_be_run_have_the_codes_that_shells_give() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "no program").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    let long = format!("./{}", "x".repeat(300));
    fs::copy("/bin/true", folder.path().join("busy")).unwrap();
    let _open = fs::File::options()
        .write(true)
        .open(folder.path().join("busy"))
        .unwrap();
    for (program, code) in [
        ("./missing", 127),
        ("bincover-no-such-program", 127),
        ("./text", 126),
        (".", 126),
        ("./text/below", 126),
        ("./loop", 126),
        ("./busy", 126),
        (&long, 126),
    ] {
        let output = check(bincover(folder.path()).args(["run", "--", program]), code);
        assert!(stderr(&output).contains(program), "{}", stderr(&output));
        assert_eq!(output.stdout, b"");
    }
    // Where there was no run, there is none in the store.
    assert_eq!(stored(folder.path().join(".bincover")), []);
    assert_eq!(names_in(&folder.path().join(".bincover/runs")), [""; 0]);

    let mut no_store = bincover(folder.path());
    no_store
        .args(["run", "--store", "text/store", "--"])
        .arg(covered())
        .arg("return");
    // Whoever runs a program wants it to run.
    let output = check(&mut no_store, 0);
    assert!(
        stderr(&output).contains("text/store"),
        "{}",
        stderr(&output)
    );
    let no_input = &mut bincover(folder.path());
    no_input
        .args(["run", "--stdin", "missing", "--"])
        .arg(covered())
        .arg("cat");
    let output = check(no_input, 1);
    assert!(stderr(&output).contains("missing"), "{}", stderr(&output));
}

/// From a shell that has done this before.
fn bincover_after(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{script}; exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_bincover"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

#[test]
fn without_a_working_folder_absolute_paths_do() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mkdir gone; cd gone; rmdir ../gone";
    let bincover = |args: &[&str]| {
        let mut command = bincover_after(script, folder.path());
        command.args(args);
        command
    };
    let store = folder.path().join("store");
    let of_store = format!("--store={}", store.display());
    let exits = |command: &mut Command| check(command.arg(covered()).args(["exit", "3"]), 3);
    let output = exits(&mut bincover(&["run", &of_store, "--"]));
    assert_eq!(stderr(&output), "");
    exits(bincover(&["run", "--"]).env(bincover::STORE_VARIABLE, &store));
    let config = folder.path().join("some.toml");
    fs::write(&config, "[run]\ncontext = \"configured\"\n").unwrap();
    let of_config = format!("--config={}", config.display());
    exits(&mut bincover(&[&of_config, "run", &of_store, "--"]));
    assert_eq!(stored(store.clone()).len(), 3);
    let output = check(&mut bincover(&["runs", &of_store]), 0);
    assert_eq!(stdout(&output).matches("exit code 3").count(), 3);
    assert!(stdout(&output).contains("configured"));

    let lcov = folder.path().join("lcov.info");
    let of_lcov = format!("--lcov={}", lcov.display());
    check(&mut bincover(&["report", &of_store, &of_lcov]), 0);
    assert!(fs::metadata(&lcov).unwrap().len() > 0);
    check(&mut bincover(&["missing", &of_store]), 0);
    check(&mut bincover(&["config"]), 0);
    check(&mut bincover(&["clean", &of_store]), 0);
    assert_eq!(stored(store), []);

    // Where there can be no store, the program is run all the same.
    let output = exits(&mut bincover(&["run", "--"]));
    assert!(stderr(&output).contains("no coverage of this run"));
}

#[test]
fn a_file_that_may_not_grow_is_a_write_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str, program: &[&str], code: i32| {
        let mut command = bincover_after(script, folder.path());
        check(
            command.args(["run", "--store=store", "--"]).args(program),
            code,
        )
    };
    let exits: &[&str] = &["sh", "-c", "exit 3"];
    // Before there is a store, and with one.
    for script in ["ulimit -f 0", ":", "ulimit -f 0", "ulimit -f 4"] {
        let output = run(script, exits, 3);
        assert_eq!(
            stderr(&output).contains("error"),
            script != ":",
            "{}",
            stderr(&output)
        );
    }
    // To the program the signal is what it is to all others.
    let signals: &[&str] = &["sh", "-c", "kill -XFSZ $$; exit 3"];
    for limit in [":", "ulimit -f 0", "ulimit -f 100000"] {
        run(limit, signals, 128 + 25);
        run(&format!("trap '' XFSZ; {limit}"), signals, 3);
    }

    let program = covered().to_str().unwrap();
    let mut kept = bincover(folder.path());
    check(
        kept.args(["run", "--store=other", "--", program, "return"]),
        0,
    );
    fs::write(folder.path().join("lcov.info"), "old").unwrap();
    let before = names_in(folder.path());
    let mut report = bincover_after("ulimit -f 0", folder.path());
    report.args(["report", "--store=other", "--lcov=lcov.info"]);
    let output = check(&mut report, 1);
    assert!(
        stderr(&output).contains("cannot write"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(folder.path().join("lcov.info")).unwrap(), b"old");
    assert_eq!(names_in(folder.path()), before);
}

#[test]
fn a_run_without_coverage_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bincover(folder.path());
    let output = check(command.args(["run", "--"]).arg(plain()).arg("both"), 3);
    assert_eq!(output.stdout, b"to standard output");
    let said = stderr(&output);
    assert!(said.starts_with("to standard error"), "{said}");
    assert!(
        said.contains("no coverage of this run (none: not instrumented)"),
        "{said}"
    );
    let runs = stored(folder.path().join(".bincover"));
    assert_eq!(runs[0].obtained, Obtained::None(Uncovered::NotInstrumented));
}

// bincover report.

/// A folder with a store of four runs that ended badly.
fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["both"], 3);
    run(folder.path(), &["panic"], 101);
    run(folder.path(), &["abort"], 134);
    run(folder.path(), &["kill", "9"], 137);
    folder
}

fn report(folder: &Path) -> Command {
    let mut command = bincover(folder);
    command.args(["report", "--store", "runs"]);
    command
}

#[test]
fn everything_that_the_runs_reached_is_reported() {
    let folder = store();
    let mut command = report(folder.path());
    command.args(["--lcov", "lcov.info", "--cobertura", "cobertura.xml"]);
    let table = check(command.args(["--profdata", "merged.profdata"]), 0);
    assert_eq!(table.stderr, b"");
    let text = stdout(&table);
    assert!(text.contains("endings.rs"), "{text}");
    assert!(text.contains("Lines") && text.contains("Total"), "{text}");
    let expected = ["cobertura.xml", "lcov.info", "merged.profdata", "runs"];
    assert_eq!(names_in(folder.path()), expected);

    let lcov = fs::read_to_string(folder.path().join("lcov.info")).unwrap();
    for (mark, count) in [
        ("main", 4),
        ("both", 1),
        ("panic", 1),
        ("abort", 1),
        ("kill", 1),
        ("spin", 0),
    ] {
        assert!(lcov.contains(&lcov_line(mark, count)), "{mark}: {lcov}");
    }
    let cobertura = fs::read_to_string(folder.path().join("cobertura.xml")).unwrap();
    assert!(cobertura.contains("coverage-04.dtd"), "{cobertura}");
    let line = format!("<line number=\"{}\" hits=\"4\"", line_of("main"));
    assert!(cobertura.contains(&line), "{cobertura}");
    assert_eq!(
        runs_of_main(&merged(&folder.path().join("merged.profdata"))),
        4
    );

    // The same again, to standard output and from what was written.
    let again = check(report(folder.path()).args(["--lcov", "-"]), 0);
    assert_eq!(stdout(&again), lcov);
    let again = check(report(folder.path()).args(["--cobertura", "-"]), 0);
    let without_time = |text: &str| -> Vec<String> {
        let other = text
            .split_ascii_whitespace()
            .filter(|word| !word.starts_with("timestamp="));
        other.map(str::to_owned).collect()
    };
    assert_eq!(without_time(&stdout(&again)), without_time(&cobertura));
    let mut given = bincover(folder.path());
    given.args([
        "report",
        "--profile",
        "merged.profdata",
        "--lcov",
        "-",
        "--object",
    ]);
    assert_eq!(stdout(&check(given.arg(covered()), 0)), lcov);
}

#[test]
fn nothing_to_measure_has_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(&mut report(folder.path()), 91);
    assert!(
        stderr(&output).contains("there are no runs in `runs`"),
        "{}",
        stderr(&output)
    );

    let mut command = bincover(folder.path());
    check(
        command
            .args(["run", "--store", "runs", "--"])
            .arg(plain())
            .arg("return"),
        0,
    );
    let output = check(report(folder.path()).args(["--lcov", "lcov.info"]), 91);
    assert!(
        stderr(&output).contains("nothing to measure"),
        "{}",
        stderr(&output)
    );
    assert_eq!(names_in(folder.path()), ["runs"]);
}

#[test]
fn what_was_left_out_is_listed_and_has_a_code() {
    let folder = store();
    // As a runner leaves it that was killed.
    fs::create_dir(folder.path().join("runs/runs/1-x")).unwrap();
    let broken = folder.path().join("runs/runs/1-x/broken.profraw");
    fs::write(broken, b"\x00\x01").unwrap();
    let output = check(report(folder.path()).args(["--lcov", "lcov.info"]), 92);
    let said = stderr(&output);
    assert!(
        said.contains("left out: ") && said.contains("1-x/broken.profraw: "),
        "{said}"
    );
    let lcov = fs::read_to_string(folder.path().join("lcov.info")).unwrap();
    assert!(lcov.contains(&lcov_line("main", 4)), "{lcov}");
    // The file is kept, and the store remembers until it is cleaned.
    assert_eq!(
        names_in(&folder.path().join("runs/left-out")),
        ["1-x-broken.profraw"]
    );
    check(&mut report(folder.path()), 92);
    let folder = store();

    // An object without coverage beside one that has it.
    let mut command = report(folder.path());
    command
        .arg("--object")
        .arg(covered())
        .arg("--object")
        .arg(plain());
    let output = check(&mut command, 92);
    assert!(
        stderr(&output).contains("expected a section"),
        "{}",
        stderr(&output)
    );
    assert!(
        stdout(&output).contains("endings.rs"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = store();
    let mut lcov = report(folder.path());
    lcov.args(["--lcov", "-"]);
    let of = profiles();
    let mut merge = bincover_merge(of.path());
    merge.args(["-o", "-", "runs"]);
    let mut help = bincover(folder.path());
    help.args(["report", "--help"]);
    for command in [&mut report(folder.path()), &mut lcov, &mut merge, &mut help] {
        let output = check(command.stdout(closed_pipe()), 0);
        assert_eq!(output.stderr, b"", "{command:?}");
    }
}

#[test]
fn an_output_that_takes_nothing_is_a_failure() {
    let folder = store();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut lcov = report(folder.path());
    lcov.args(["--lcov", "-"]);
    let of = profiles();
    let mut merge = bincover_merge(of.path());
    merge.args(["-o", "-", "runs"]);
    for command in [&mut report(folder.path()), &mut lcov, &mut merge] {
        let output = check(command.stdout(full()), 1);
        assert!(
            stderr(&output).contains("standard output"),
            "{}",
            stderr(&output)
        );
    }
}

// bincover-merge.

/// Runs the program without us, which leaves a profile in `runs`.
fn leave_profile(folder: &Path, args: &[&str], code: i32) {
    let mut command = Command::new(covered());
    let pattern = folder.join("runs/%p-%m%c.profraw");
    command.args(args).env("LLVM_PROFILE_FILE", pattern);
    let status = command.stdin(Stdio::null()).output().unwrap().status;
    let ended = status.code().or(status.signal().map(|signal| 128 + signal));
    assert_eq!(ended, Some(code), "{command:?}");
}

/// A folder with the profiles of four runs that ended badly.
fn profiles() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    leave_profile(folder.path(), &["both"], 3);
    leave_profile(folder.path(), &["panic"], 101);
    leave_profile(folder.path(), &["abort"], 134);
    leave_profile(folder.path(), &["kill", "9"], 137);
    folder
}

#[test]
fn profiles_and_folders_are_merged() {
    let folder = profiles();
    check(
        bincover_merge(folder.path()).args(["-o", "folder.profdata", "runs"]),
        0,
    );
    let from_folder = fs::read(folder.path().join("folder.profdata")).unwrap();
    assert_eq!(
        runs_of_main(&merged(&folder.path().join("folder.profdata"))),
        4
    );

    let files = profiles_below(&folder.path().join("runs")).unwrap();
    let mut by_file = bincover_merge(folder.path());
    check(by_file.args(&files).args(["--output", "files.profdata"]), 0);
    assert_eq!(
        fs::read(folder.path().join("files.profdata")).unwrap(),
        from_folder
    );

    let to_stdout = check(bincover_merge(folder.path()).args(["-o", "-", "runs"]), 0);
    assert_eq!(to_stdout.stdout, from_folder);
    assert_eq!(to_stdout.stderr, b"");
    assert_eq!(
        names_in(folder.path()),
        ["files.profdata", "folder.profdata", "runs"]
    );

    // What was merged can be merged again.
    let mut twice = bincover_merge(folder.path());
    check(
        twice.args(["-o", "folder.profdata", "folder.profdata", "files.profdata"]),
        0,
    );
    assert_eq!(
        runs_of_main(&merged(&folder.path().join("folder.profdata"))),
        8
    );
}

#[test]
fn llvm_spelling_is_understood() {
    let folder = profiles();
    check(bincover_merge(folder.path()).args(["-o", "all", "runs"]), 0);
    check(
        bincover_merge(folder.path()).args(["-o", "ours", "--sparse", "runs"]),
        0,
    );
    check(
        bincover_merge(folder.path()).args(["merge", "-sparse", "-o", "llvms", "all"]),
        0,
    );
    check(
        bincover_merge(folder.path()).args(["merge", "-sparse", "all", "-output=last"]),
        0,
    );
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("ours"), read("llvms"));
    assert_eq!(read("ours"), read("last"));
    let records = |name: &str| merged(&folder.path().join(name)).record_count();
    assert!(
        records("ours") < records("all"),
        "{} of {}",
        records("ours"),
        records("all")
    );
    assert_eq!(runs_of_main(&merged(&folder.path().join("ours"))), 4);
}

#[test]
fn the_fixtures_merge_as_llvm_merges_them() {
    let folder = tempfile::tempdir().unwrap();
    let raw = fixture("raw/rust-v10");
    let inputs = ["1.profraw", "2.profraw", "3.profraw"].map(|name| raw.join(name));
    check(
        bincover_merge(folder.path())
            .args(["merge", "-o", "out"])
            .args(&inputs),
        0,
    );
    let ours = fs::read(folder.path().join("out")).unwrap();
    assert!(ours == fs::read(raw.join("merged.profdata")).unwrap());
    check(
        bincover_merge(folder.path())
            .args(["merge", "-sparse", "-o", "out"])
            .args(&inputs),
        0,
    );
    let ours = fs::read(folder.path().join("out")).unwrap();
    assert!(ours == fs::read(raw.join("sparse.profdata")).unwrap());
}

#[test]
fn weights_multiply() {
    let folder = tempfile::tempdir().unwrap();
    leave_profile(folder.path(), &["return"], 0);
    let main_of = |args: &[&str]| {
        check(
            bincover_merge(folder.path()).args(["-o", "out"]).args(args),
            0,
        );
        runs_of_main(&merged(&folder.path().join("out")))
    };
    assert_eq!(main_of(&["runs"]), 1);
    assert_eq!(main_of(&["--weighted-input", "3,runs"]), 3);
    assert_eq!(
        main_of(&[
            "runs",
            "--weighted-input=10,runs",
            "--weighted-input=100,runs"
        ]),
        111
    );
}

#[test]
fn what_is_good_is_merged_unless_strict() {
    let folder = profiles();
    fs::write(folder.path().join("bad"), b"\x00\x01\x02").unwrap();
    fs::write(folder.path().join("worse"), b"\xff").unwrap();
    fs::write(folder.path().join("empty"), b"").unwrap();
    let merge = |args: &[&str], code: i32| {
        let _ = fs::remove_file(folder.path().join("out"));
        let output = check(
            bincover_merge(folder.path()).args(["-o", "out"]).args(args),
            code,
        );
        let out = folder.path().join("out");
        (
            out.exists().then(|| runs_of_main(&merged(&out))),
            stderr(&output),
        )
    };
    let (runs, said) = merge(&["runs", "bad"], 92);
    assert_eq!(runs, Some(4));
    assert!(said.contains("left out: bad: "), "{said}");
    let (runs, said) = merge(&["--strict", "runs", "bad"], 1);
    assert_eq!(runs, None);
    assert!(said.contains("left out: bad: "), "{said}");
    assert!(said.contains("--strict"), "{said}");
    assert_eq!(merge(&["bad", "worse"], 1).0, None);

    // An empty profile is what a program leaves that was killed early: no failure beside others.
    let (runs, said) = merge(&["runs", "empty"], 0);
    assert_eq!(runs, Some(4));
    assert!(said.contains("left out: empty: "), "{said}");
    assert_eq!(merge(&["empty"], 1).0, None);
    assert_eq!(merge(&["empty", "bad"], 1).0, None);
    assert_eq!(merge(&[], 1).0, None);
}

#[test]
fn inputs_come_from_lists_and_patterns() {
    let folder = profiles();
    let profiles: Vec<String> = bincover::profiles_below(&folder.path().join("runs"))
        .unwrap()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(profiles.len(), 4);
    let runs = |command: &mut Command| {
        check(command, 0);
        runs_of_main(&merged(&folder.path().join("out")))
    };
    let merge = || {
        let mut command = bincover_merge(folder.path());
        command.args(["-o", "out"]);
        command
    };
    assert_eq!(runs(merge().arg("runs/*.profraw")), 4);
    fs::write(folder.path().join("list"), profiles[..3].join("\r\n")).unwrap();
    assert_eq!(runs(merge().arg("@list")), 3);
    fs::write(folder.path().join("zeros"), profiles[..2].join("\0")).unwrap();
    assert_eq!(runs(merge().args(["--files-from", "zeros", "-0"])), 2);
    let list = fs::File::open(folder.path().join("list")).unwrap();
    assert_eq!(runs(merge().args(["--files-from", "-"]).stdin(list)), 3);
    let output = check(merge().arg("nothing/*.profraw"), 1);
    assert!(
        stderr(&output).contains("no file matches"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn older_versions_and_text_are_written() {
    let folder = profiles();
    for version in ["10", "11", "12", "13"] {
        let args = ["-o", "out", "runs", "--write-version", version];
        check(bincover_merge(folder.path()).args(args), 0);
        let bytes = fs::read(folder.path().join("out")).unwrap();
        assert_eq!(bytes[8].to_string(), version);
        assert_eq!(runs_of_main(&merged(&folder.path().join("out"))), 4);
    }
    check(
        bincover_merge(folder.path()).args(["-o", "out", "--text", "runs"]),
        0,
    );
    let text = fs::read_to_string(folder.path().join("out")).unwrap();
    assert!(text.contains("# Func Hash:"), "{text}");
    assert_eq!(runs_of_main(&merged(&folder.path().join("out"))), 4);
}
