//! Test binaries of Go that run `main`: those that `bincover go init` helps to make are programs, and
//! those of the Go package bincover are driven by its protocol.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bincover::{Collected, Collector, Covered, Ending, Obtained, Rescuing, Store};
use bincover_testkit::{fixture, top};
use libtest_mimic::{Failed, Trial};

use crate::{go_tools, same, support, text_of};

/// The name that the file gives its test.
const TEST: &str = "TestBincoverRunMain";

/// Which arguments, and what a program of Go makes of them.
const ENDINGS: [(&[&str], i32, &str); 5] = [
    (&["one"], 0, "argument: <one>\n"),
    (&[" -test.v\n\n two "], 0, "argument: < -test.v\n\n two >\n"),
    (&[""], 0, "empty\n"),
    (&[], 2, ""),
    (&["one", "two"], 2, ""),
];

pub(crate) fn trials(is_ignored: bool) -> Vec<Trial> {
    vec![
        Trial::test("the_file_of_the_example", the_file_of_the_example),
        Trial::test("a_file_of_somebody_else", a_file_of_somebody_else),
        Trial::test("marks_and_arguments", marks_and_arguments),
        Trial::test("a_main_that_is_a_test", a_main_that_is_a_test).with_ignored_flag(is_ignored),
        Trial::test("its_goroutines_and_flags", its_goroutines_and_flags)
            .with_ignored_flag(is_ignored),
    ]
}

fn bincover(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command
        .current_dir(folder)
        .args(args)
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOFLAGS")
        .env_remove("GOCOVERDIR")
        .env_remove("BINCOVER_STORE");
    command
}

fn the_file_of_the_example() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("main.go"), "package main\n")?;
    for _ in 0..2 {
        go_tools::output(&mut bincover(folder.path(), &["go", "init"]))?;
    }
    let name = "bincover_main_test.go";
    let made = fs::read_to_string(folder.path().join(name))?;
    let examples = fs::read_to_string(top().join("examples/echo-arg-go").join(name))?;
    assert_eq!(made, examples, "`bincover go init` writes it anew");
    Ok(())
}

fn a_file_of_somebody_else() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let refused = |part: &str| -> Result<(), Failed> {
        let output = bincover(folder.path(), &["go", "init", "."]).output()?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(part), "{said}");
        Ok(())
    };
    refused("expected a package main, found no Go source")?;
    fs::write(path("a.go"), "// A library.\npackage a\n")?;
    refused("expected a package main, found package a")?;
    fs::write(path("a.go"), "package main\n")?;
    fs::write(path("bincover_main_test.go"), "package main\n")?;
    refused("another file of this name is there")?;
    assert_eq!(
        fs::read(path("bincover_main_test.go"))?,
        b"package main\n",
        "it is theirs"
    );
    Ok(())
}

/// A copy of `testdata/go/src/echoarg` with the file; `change` is made to that.
fn source(folder: &Path, name: &str, change: (&str, &str)) -> Result<PathBuf, Failed> {
    let source = folder.join(name);
    fs::create_dir(&source)?;
    for file in ["go.mod", "main.go"] {
        fs::copy(fixture("go/src/echoarg").join(file), source.join(file))?;
    }
    go_tools::output(&mut bincover(folder, &["go", "init", name]))?;
    let file = source.join("bincover_main_test.go");
    let text = fs::read_to_string(&file)?;
    assert!(text.contains(change.0));
    fs::write(file, text.replace(change.0, change.1))?;
    Ok(source)
}

fn build(source: &Path) -> Result<PathBuf, Failed> {
    let args = "build --test-main -- go test -c -covermode count -o covered .";
    let args: Vec<&str> = args.split(' ').collect();
    go_tools::output(&mut bincover(source, &args))?;
    Ok(source.join("covered"))
}

/// Runs it to each of its ends, and looks at what was reached.
fn run_all(program: &Path, store: Option<Store>) -> Result<Collected, Failed> {
    let is_old = program
        .parent()
        .is_some_and(|folder| folder.ends_with("old"));
    let mut builder = Collector::builder(program.with_extension("profdata"));
    if let Some(store) = store {
        builder = builder.store(store);
    }
    if is_old {
        // It has counters in memory all the same, as programs of old releases do not.
        builder = builder.rescue(Rescuing::Off);
    }
    let collector = builder.build()?;
    std::thread::scope(|scope| {
        for (args, code, stdout) in ENDINGS {
            let collector = &collector;
            scope.spawn(move || {
                let run = collector.command(program).args(args).run().unwrap();
                let said = String::from_utf8_lossy(&run.output.stderr);
                // Of old releases, what is counted is written when tests end, and these then fail.
                let code = if is_old && args.len() == 2 { 1 } else { code };
                assert_eq!(run.output.status, Ending::Code(code), "{args:?}: {said}");
                let found = String::from_utf8_lossy(&run.output.stdout);
                assert_eq!(found, stdout, "{args:?}: {said}");
                match args.len() {
                    0 => assert_eq!(said, "echoarg: one argument, please\n"),
                    1 => assert_eq!(said, ""),
                    _ => assert!(
                        said.starts_with("panic: echoarg: 2 arguments\n\ngoroutine ")
                            && said.lines().nth(3).unwrap().ends_with(".main()"),
                        "{said}"
                    ),
                }
                // What is not known to have counters is followed, and read at its end.
                assert!(
                    is_old || run.obtained.is_some(),
                    "{args:?}: {}",
                    run.obtained
                );
            });
        }
    });
    let collected = collector.finish()?;
    assert!(
        !collected.go.ledger.has_losses(),
        "{:?}",
        collected.go.ledger
    );
    assert_eq!(counts(&collected.coverage()?)?, OF_ALL);
    Ok(collected)
}

/// How often all the lines of the endings ran: in the source, what comes first, no argument, an empty
/// one, one, and two.
fn counts(covered: &Covered) -> Result<Vec<u64>, Failed> {
    let [file] = covered.evaluation.coverage.files.as_slice() else {
        return Err(format!("{:?}", covered.evaluation.coverage.files).into());
    };
    let lines = file.lines.iter();
    let lines = lines.filter(|line| [11, 13, 16, 18, 20].contains(&line.number));
    Ok(lines.map(|line| line.count).collect())
}

/// What that is after [`ENDINGS`].
const OF_ALL: [u64; 5] = [5, 1, 1, 2, 1];

fn a_main_that_is_a_test() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    let new = source(folder, "new", ("package main", "package main"))?;
    let gofmt = go_tools::tool("gofmt")?;
    let unformatted = go_tools::output(Command::new(gofmt).arg("-l").arg(&new))?;
    assert_eq!(String::from_utf8(unformatted.stdout)?, "");
    go_tools::output(
        go_tools::go()
            .current_dir(&new)
            .args("vet -tags bincover .".split(' ')),
    )?;
    let program = build(&new)?;
    run_all(&program, None)?;

    // In a store, and by the command line: as any program.
    let store = Store::new(folder.join("store"));
    run_all(&program, Some(store.clone()))?;
    let store_path = store.folder().display().to_string();
    let mut run = bincover(folder, &["run", "--store", &store_path, "--"]);
    let run = run.arg(&program).arg("--flag\nof its own").output()?;
    assert_eq!(run.stdout, b"argument: <--flag\nof its own>\n");
    assert_eq!(String::from_utf8(run.stderr)?, "");
    let runs = store.runs()?;
    assert_eq!(runs.last().map(|run| run.obtained), Some(Obtained::Exit));

    // By the protocol of the Go package, which says of a panic that the code is 1.
    let collector = Collector::builder(folder.join("marks.profdata")).build()?;
    let command = |args: &[&str]| collector.command(&program).args(args).test_main(TEST);
    for (args, code, stdout) in ENDINGS {
        let run = command(args).run()?;
        let code = if args.len() == 2 { 1 } else { code };
        assert_eq!(run.output.status, Ending::Code(code), "{args:?}");
        assert!(run.output.stdout.starts_with(stdout.as_bytes()), "{args:?}");
        assert!(run.output.stdout.len() == stdout.len() || args.len() == 2);
        assert_eq!(run.obtained, Obtained::Exit, "{args:?}");
    }
    let error = collector.command(&program).test_main("TestOther").run();
    let error = error.expect_err("there is none").to_string();
    assert!(error.contains("expected a test `TestOther`"), "{error}");
    let collected = collector.finish()?;
    assert_eq!(counts(&collected.coverage()?)?, OF_ALL);

    // Ordinary tests are as before; and without the file there is none to run.
    go_tools::output(
        go_tools::go()
            .current_dir(&new)
            .args("test -tags bincover .".split(' ')),
    )?;
    fs::remove_file(new.join("bincover_main_test.go"))?;
    fs::write(new.join("other_test.go"), "package main\n")?;
    let args = [
        "build",
        "--test-main",
        "--",
        "go",
        "test",
        "-c",
        "-o",
        "other",
        ".",
    ];
    let output = bincover(&new, &args).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(91), "{said}");
    assert!(said.contains("bincover go init"), "{said}");

    // As with a release before Go 1.20, which does not have the flag and writes text when the tests
    // are over. (There, os.Exit leaves nothing; here, what `go build -cover` leaves.)
    let old = source(folder, "old", ("\"test.gocoverdir\"", "\"test.none\""))?;
    let program = build(&old)?;
    let beside = text_of(run_all(&program, None)?.go)?;
    let stores = ["a", "b"].map(|name| Store::new(folder.join(name)));
    for store in &stores {
        same(
            &text_of(run_all(&program, Some(store.clone()))?.go)?,
            &beside,
        );
        assert_eq!(support::names_in(&store.folder().join("runs")), [""; 0]);
        store.export(&store.folder().with_extension("shard"))?;
    }
    let both = Store::new(folder.join("both"));
    both.import(stores.map(|store| store.folder().with_extension("shard")))?;
    let twice = OF_ALL.map(|count| 2 * count);
    assert_eq!(counts(&both.contents()?.coverage()?)?, twice);
    Ok(())
}

fn its_goroutines_and_flags() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = source(scratch.path(), "more", ("package main", "package main"))?;
    fs::copy(
        top().join("tests/go_test_main/more.go"),
        folder.join("main.go"),
    )?;
    let program = build(&folder)?;
    let collector = Collector::builder(folder.join("merged.profdata")).build()?;
    let run = |args: &[&str]| collector.command(&program).args(args).run();
    // `main` calls runtime.Goexit, and a goroutine os.Exit.
    let goexit = run(&["-n", "7", "goexit"])?;
    assert_eq!(goexit.output.status, Ending::Code(7));
    assert_eq!(goexit.obtained, Obtained::Exit);
    // The flags of tests are none of the program's.
    let help = run(&["-h"])?.output;
    assert_eq!(help.status, Ending::Code(0));
    let help = String::from_utf8(help.stderr)?;
    assert!(
        help.ends_with("covered:\n  -n int\n    \ta number (default 1)\n"),
        "{help}"
    );
    let unknown = run(&["-test.v", "x"])?.output.status;
    assert_eq!(
        unknown,
        Ending::Code(0),
        "called as a test binary, it is one"
    );
    let rest = run(&["-n", "2", "--", "-test.v"])?.output;
    assert_eq!(String::from_utf8(rest.stdout)?, "2 [\"-test.v\"]\n");
    Ok(())
}

/// What test binaries of the Go package do, old releases of both included, in a script that needs
/// no Go: it writes text, and has marks.
const SCRIPT: &str = r#"#!/bin/sh
for arg do
    case $arg in
    -test.coverprofile=*) profile=${arg#*=} ;;
    -args-file=*) args=${arg#*=} ;;
    -test.run=^TestMain\$) found=1 ;;
    -test.run=*) ;;
    -*) exit 9 ;;
    *) echo "[$arg]" ;;
    esac
done
[ "$found" ] || { echo "testing: warning: no tests to run" >&2; echo PASS; exit 0; }
cat "$args"
echo "to standard error" >&2
grep -q exit "$args" && exit 5
[ "$profile" ] && printf 'mode: count\nm/a.go:1.1,2.2 1 %d\nm/a.go:3.1,4.2 1 0\n' 3 > "$profile"
printf 'START_BINCOVER_METADATA\n'
printf 'START\n{"cover_mode":"count","exit_code":3}\nEND\nPASS\ncoverage: 50.0%%\n'
"#;

fn marks_and_arguments() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    for (start, end) in [
        ("START_BINCOVER_METADATA", "END_BINCOVER_METADATA"),
        ("START_OF_METADATA", "END_OF_METADATA"),
    ] {
        let program = folder.join(start);
        let script = SCRIPT.replace("'START\\n", &format!("'{start}\\n"));
        crate::write_program::write_program(&program, script.replace("END", end).as_bytes());
        let store = Store::new(folder.join(end));
        for store in [None, Some(store)] {
            let mut builder = Collector::builder(folder.join("merged.profdata"));
            if let Some(store) = store {
                builder = builder.store(store);
            }
            let collector = builder.build()?;
            let command = |args: &[&str]| {
                let command = collector.command(&program).args(args);
                command.test_main("TestMain").run()
            };
            for _ in 0..2 {
                let run = command(&["", "a\nb", "-c", "d e"])?;
                assert_eq!(run.output.status, Ending::Code(3));
                let stdout = String::from_utf8(run.output.stdout.clone())?;
                // The last marks are those of the framework.
                let expected = "[]\n[a\nb]\n-c\nd e\nSTART_BINCOVER_METADATA\n";
                assert_eq!(stdout, expected);
                assert_eq!(run.output.stderr, b"to standard error\n");
                let combined = run.output.combined_bytes();
                assert_eq!(combined.len(), stdout.len() + run.output.stderr.len());
                assert_eq!(run.obtained, Obtained::Exit);
            }
            let run = command(&["exit"])?;
            assert_eq!(run.output.status, Ending::Code(5));
            assert_eq!(run.output.stdout, b"exit\n");
            assert!(!run.obtained.is_some());
            let error = collector.command(&program).test_main("TestOther").run();
            let error = error.expect_err("there is none").to_string();
            assert!(error.contains("expected a test `TestOther`"), "{error}");
            let error = command(&["-a", ""]).expect_err("it cannot be passed on");
            assert!(error.to_string().contains("`-a`"), "{error}");

            let collected = collector.finish()?;
            let text = text_of(collected.go)?;
            let expected = "mode: count\nm/a.go:1.1,2.2 1 6\nm/a.go:3.1,4.2 1 0\n";
            assert_eq!(text, expected);
        }
    }
    Ok(())
}
