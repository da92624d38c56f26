//! The README tells the truth: its demo's output is what the demo prints, its commands and options
//! exist, its example compiles and runs.
//!
//! `BLESS=1 cargo test -p bincover-cli --test readme` puts today's output into the README.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover_testkit::top;

/// The folder that the README's output was made in.
const FOLDER: &str = "/tmp/bincover";

/// The line above the demo's output.
const DEMO: &str = "It prints:";

fn readme_path() -> PathBuf {
    top().join("README.md")
}

fn readme() -> String {
    std::fs::read_to_string(readme_path()).expect("a readable README.md")
}

/// The fenced blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let after = text.split(&*fence).skip(1);
    after
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

fn succeeds(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {stderr}",
        output.status
    );
    output
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("it exists");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_bincover"));
    let output = succeeds(demo.arg("demo").current_dir(&here));
    let printed = String::from_utf8(output.stdout).expect("text");
    let printed = printed.replace(here.to_str().expect("text"), FOLDER);

    let text = readme();
    let after = text
        .split(DEMO)
        .nth(1)
        .expect("the README says where the output begins");
    let shown = blocks(after, "text")[0];
    if std::env::var_os("BLESS").is_some_and(|set| set == "1") {
        let blessed = text.replacen(shown, printed.trim_end(), 1);
        std::fs::write(readme_path(), blessed).expect("a writable README.md");
        return;
    }
    let with_numbers = is_known_compiler();
    assert_eq!(
        comparable(shown, with_numbers),
        comparable(&printed, with_numbers),
        "README.md shows another output than the demo's. If today's is right:\n\
         BLESS=1 cargo test -p bincover-cli --test readme\n"
    );
}

/// The text without a folder's random name; and without the numbers, how wide they are included,
/// where the compiler is another than the one that the workspace names: each divides a program into
/// regions in its own way.
fn comparable(text: &str, with_numbers: bool) -> Vec<String> {
    let line = |line: &str| match line.split_once("merged.profdata.runs-") {
        Some((before, _)) => format!("{before}merged.profdata.runs-RANDOM"),
        None if with_numbers => line.to_owned(),
        None => {
            let words: Vec<&str> = line.split_whitespace().map(without_number).collect();
            words.join(" ")
        }
    };
    text.trim().lines().map(line).collect()
}

fn without_number(word: &str) -> &str {
    let is_number = |c: char| c.is_ascii_digit() || "./%".contains(c);
    let is_rule = word.len() > 2 && word.bytes().all(|byte| byte == b'-');
    match word {
        _ if is_rule => "---",
        _ if word.contains(['/', '%']) && word.chars().all(is_number) => "N",
        _ => word,
    }
}

/// The compiler is the one that the workspace names as its `rust-version`.
fn is_known_compiler() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = succeeds(Command::new(rustc).arg("--version"));
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    version.starts_with(&format!("rustc {}.", env!("CARGO_PKG_RUST_VERSION")))
}

#[test]
fn what_may_differ_is_left_out_of_the_comparison() {
    let here = "x  1/2  50.0%\n-------------\nwrote merged.profdata.runs-Ab12";
    let there = "x  10/10  100.0%\n----------------\nwrote merged.profdata.runs-Xy";
    assert_eq!(comparable(here, false), comparable(there, false));
    assert_ne!(comparable(here, true), comparable(there, true));
    assert_eq!(
        comparable(here, true)[2],
        "wrote merged.profdata.runs-RANDOM"
    );
    for word in ["exit", "1", "a/b", "--work"] {
        assert_eq!(without_number(word), word);
    }
}

#[test]
fn commands_and_options_exist() {
    let text = readme();
    let mut checked = 0;
    for block in blocks(&text, "sh") {
        // A line that ends in a backslash goes on.
        for line in block.replace("\\\n", " ").lines() {
            let line = line.split(" #").next().unwrap_or_default();
            let line = line.replace("cargo run --release -- ", "bincover ");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["bincover", command, rest @ ..] => {
                    let bincover = Path::new(env!("CARGO_BIN_EXE_bincover"));
                    check_options(bincover, &[command, "--help"], rest, &line);
                }
                ["bincover-merge", command @ ("merge" | "show"), rest @ ..] => {
                    let merge = Path::new(env!("CARGO_BIN_EXE_bincover-merge"));
                    check_options(merge, &[command, "--help"], rest, &line);
                }
                ["bincover-merge", rest @ ..] => {
                    let merge = Path::new(env!("CARGO_BIN_EXE_bincover-merge"));
                    check_options(merge, &["--help"], rest, &line);
                }
                _ => continue,
            }
            checked += 1;
        }
    }
    assert!(
        checked >= 5,
        "only {checked} commands were found in the README"
    );
}

/// The options among the words (up to `--`) stand in the help.
fn check_options(program: &Path, help: &[&str], words: &[&str], line: &str) {
    let output = succeeds(Command::new(program).args(help));
    let help = String::from_utf8(output.stdout).expect("text");
    let known: Vec<&str> = help.split([' ', ',', '=', '\n']).collect();
    for word in words.iter().take_while(|word| **word != "--") {
        let option = word.split('=').next().unwrap_or_default();
        let option = match option.strip_prefix('-') {
            // Standard output, not an option.
            None | Some("") => continue,
            // LLVM's spelling: a long option with one dash.
            Some(name) if name.len() > 1 && !name.starts_with('-') => format!("--{name}"),
            Some(_) => option.to_owned(),
        };
        assert!(
            known.contains(&option.as_str()),
            "`{line}`: {option} is not in its help:\n{help}"
        );
    }
}

mod example {
    // README: from here
    use std::path::Path;

    use bincover::{CargoBuild, Collector, Ending};

    fn measure(manifest: &Path, out: &Path) -> Result<f64, Box<dyn std::error::Error>> {
        // An instrumented build, beside the ordinary one.
        let program = CargoBuild::new(manifest)
            .target_dir(out.join("target"))
            .run()?
            .path;

        let collector = Collector::builder(out.join("merged.profdata")).build()?;
        let run = collector
            .command(&program)
            .arg("two words")
            .env("MODE", "test")
            .run()?;
        assert_eq!(run.output.stdout, b"two words\n");

        // A panic is an ending like any other, and its coverage is kept.
        let run = collector
            .command(&program)
            .args(["", "a\nb"])
            .label("panics")
            .run()?;
        assert_eq!(run.output.status, Ending::Code(101));

        let collected = collector.finish()?; // writes merged.profdata
        let coverage = collected.coverage()?.evaluation.coverage;
        Ok(coverage.totals().lines.percent())
    }
    // README: to here

    #[test]
    fn the_example_runs() {
        let out = tempfile::tempdir().expect("a folder");
        let manifest = super::top().join("examples/echo-arg/Cargo.toml");
        let percent = measure(&manifest, out.path()).expect("the example");
        assert!(percent > 0.0 && percent < 100.0, "{percent} % of lines");
        assert!(out.path().join("merged.profdata").is_file());
    }

    #[test]
    fn the_readme_shows_it() {
        let source = include_str!("readme.rs");
        let begin = source
            .find("    // README: from here\n")
            .expect("the first mark");
        let end = source
            .find("    // README: to here\n")
            .expect("the second mark");
        let lines = source[begin..end].lines().skip(1);
        let expected: Vec<&str> = lines
            .map(|line| line.strip_prefix("    ").unwrap_or(line))
            .collect();
        let readme = super::readme();
        let shown = super::blocks(&readme, "rust")[0];
        assert_eq!(
            shown,
            expected.join("\n"),
            "README.md and tests/readme.rs differ"
        );
    }
}
