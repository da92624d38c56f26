//! The example in Go, measured from Rust: build it with coverage once, run it to each of its ends,
//! look at what it printed, and at what all runs reached together.

use std::path::Path;
use std::process::{Command, ExitCode};

use bincover::Collector;
use libtest_mimic::{Arguments, Failed, Trial};

/// Without Go the test says *ignored*, unless that is not enough.
fn main() -> ExitCode {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some();
    let is_ignored = !is_required && which::which("go").is_err();
    let test = Trial::test("echoes_its_one_argument", echoes_its_one_argument);
    let tests = vec![test.with_ignored_flag(is_ignored)];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn echoes_its_one_argument() -> Result<(), Failed> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = package.join("../../target/bincover-e2e-go/echo-arg");

    // With the file that `bincover go init` has written, a test binary is the program itself.
    let mut go = Command::new("go");
    go.args("test -c -tags bincover -covermode count -coverpkg ./... -o".split(' '));
    let built = go.arg(&program).current_dir(package).status()?;
    assert!(built.success(), "{built}");
    let collector = Collector::builder(program.with_extension("profdata")).build()?;

    // One argument: it is printed, whatever is in it.
    let text = "two words\nand a line feed";
    let run = collector.command(&program).arg(text).run()?;
    assert!(run.output.status.success());
    assert_eq!(run.output.stdout, format!("{text}\n").as_bytes());

    // None: an error, and exit code 1.
    let run = collector.command(&program).run()?;
    assert_eq!(run.output.status.exit_code(), 1);
    let expected = b"error: expected one argument, found none\n";
    assert_eq!(run.output.stderr, expected);

    // Two: a panic.
    let run = collector.command(&program).args(["one", "two"]).run()?;
    assert_eq!(run.output.status.exit_code(), 2);
    let message = String::from_utf8(run.output.stderr)?;
    assert!(message.contains("expected one argument, found 2"));

    // All three runs together, and what they reached.
    let coverage = collector.finish()?.coverage()?.evaluation.coverage;
    let count = |text: &str| {
        let index = SOURCE.lines().position(|line| line.contains(text));
        let mut lines = coverage.files.iter().flat_map(|file| &file.lines);
        let line = lines.find(|line| Some(line.number as usize) == index.map(|i| i + 1));
        line.map(|line| line.count)
    };
    assert_eq!(count("args := "), Some(3));
    assert_eq!(count("os.Exit(1)"), Some(1));
    assert_eq!(count("fmt.Println"), Some(1));
    assert_eq!(count("panic("), Some(1));
    assert_eq!(count("(an empty argument)"), Some(0));
    Ok(())
}

const SOURCE: &str = include_str!("../main.go");
