//! A test suite as many have it, with the crate `assert_cmd` and the standard library, measured: one
//! more variable in the environment of each command is all that it takes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::OutputAssertExt;
use bincover::{CargoBuild, Collector};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[test]
fn counts_words_until_it_is_killed() -> Result {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = package.join("../../target/bincover-e2e");
    let server = CargoBuild::new(package.join("Cargo.toml"))
        .target_dir(&target)
        .run()?
        .path;
    let collector = Collector::builder(target.join("line-server.profdata")).build()?;
    let command = || -> Result<Command> {
        let mut command = Command::new(&server);
        command.envs(collector.guest(&server, None)?);
        Ok(command)
    };

    // What it is told wrong.
    command()?
        .assert()
        .failure()
        .stderr("error: expected a port, found nothing\n");
    command()?.arg("a").assert().failure().code(1);

    // It serves, and is killed while it does.
    let mut serving = command()?.arg("0").stdout(Stdio::piped()).spawn()?;
    let mut port = String::new();
    let stdout = serving.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout).read_line(&mut port)?;
    let mut client = TcpStream::connect(("127.0.0.1", port.trim().parse()?))?;
    for (line, words) in [("one two  three\n", "3\n"), ("\n", "0\n")] {
        client.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(client.try_clone()?).read_line(&mut answer)?;
        assert_eq!(answer, words);
    }
    serving.kill()?;
    serving.wait()?;

    let coverage = collector.finish()?.coverage()?.evaluation.coverage;
    let count = |text: &str| {
        let index = SOURCE.lines().position(|line| line.contains(text))?;
        let lines = &coverage.files.first()?.lines;
        let line = lines
            .iter()
            .find(|line| line.number as usize == index + 1)?;
        Some(line.count)
    };
    assert_eq!(count("fn main()"), Some(3));
    assert_eq!(count("fn fail("), Some(2));
    assert_eq!(count("fn serve("), Some(1));
    assert_eq!(count("writeln!(client"), Some(2));
    Ok(())
}

const SOURCE: &str = include_str!("../src/main.rs");
