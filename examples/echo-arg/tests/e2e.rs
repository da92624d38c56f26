//! The example, measured as a user would measure a program of their own: build it instrumented
//! once, run it to each of its ends, look at what it printed, and at what all runs reached together.

use std::path::Path;

use bincover::{CargoBuild, Collector};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[test]
fn echoes_its_one_argument() -> Result {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = package.join("../../target/bincover-e2e");
    let merged = target.join("merged.profdata");

    // The instrumented build has a folder of its own: ordinary builds stay as they are.
    let echo_arg = CargoBuild::new(package.join("Cargo.toml"))
        .target_dir(&target)
        .run()?
        .path;
    let collector = Collector::builder(&merged).build()?;

    // One argument: it is printed, whatever is in it.
    let text = "two words\nand a line feed";
    let run = collector.command(&echo_arg).arg(text).run()?;
    assert!(run.output.status.success());
    assert_eq!(run.output.stdout, format!("{text}\n").as_bytes());

    // None: an error, and exit code 1.
    let run = collector.command(&echo_arg).run()?;
    assert_eq!(run.output.status.exit_code(), 1);
    assert_eq!(
        run.output.stderr,
        b"error: expected one argument, found none\n"
    );

    // Two: a panic.
    let run = collector.command(&echo_arg).args(["one", "two"]).run()?;
    assert_eq!(run.output.status.exit_code(), 101);
    let message = String::from_utf8(run.output.stderr)?;
    assert!(
        message.contains("expected one argument, found 2"),
        "{message}"
    );

    // All three runs in one profile, and what they reached in it.
    let collected = collector.finish()?;
    assert!(merged.is_file());
    let coverage = collected.coverage()?.evaluation.coverage;
    let main = coverage
        .files
        .iter()
        .find(|file| file.name.ends_with(b"main.rs"));
    let lines = &main.ok_or("main.rs was not measured")?.lines;
    let count = |text: &str| {
        let index = SOURCE.lines().position(|line| line.contains(text));
        let line = lines
            .iter()
            .find(|line| Some(line.number as usize) == index.map(|i| i + 1));
        line.map(|line| line.count)
    };
    assert_eq!(count("fn main()"), Some(3));
    assert_eq!(count("println!(\"{text}\")"), Some(1));
    assert_eq!(count("ExitCode::FAILURE"), Some(1));
    assert_eq!(count("many => panic!"), Some(1));
    assert_eq!(count("fn abort()"), Some(0));
    Ok(())
}

const SOURCE: &str = include_str!("../src/main.rs");
