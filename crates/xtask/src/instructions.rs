//! `cargo xtask instructions`: how many instructions the hot paths take, against the numbers in `benches/instructions.txt`.
//!
//! Callgrind counts those inside one function of `benches/instructions.rs`. No other process, clock or cache changes the
//! count, so a few per cent are a change of the code, or of the compiler. A count that fell fails too: `--bless` writes it
//! down, else the next rise would go unseen.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::{Failure, command};

const NUMBERS: &str = "benches/instructions.txt";

/// How far a count may be off, in per cent of the committed one.
const TOLERANCE: f64 = 3.0;

/// Callgrind counts inside the functions of this name; see `benches/instructions.rs`.
const COUNTED: &str = "instructions::counted*";

/// Where callgrind's files go; `callgrind_annotate` reads them.
const FOLDER: &str = "target/instructions";

pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let is_blessing = match args {
        [] => false,
        [bless] if bless == "--bless" => true,
        _ => return Err("usage: cargo xtask instructions [--bless]".into()),
    };
    let program = build()?;
    fs::create_dir_all(FOLDER)?;
    let names = command::stdout(&mut Command::new(&program))?;
    let mut counts = Vec::new();
    for name in names.lines() {
        counts.push((name.to_owned(), count(&program, name)?));
    }
    let compiler = command::stdout(Command::new("rustc").arg("--version"))?;
    let now = Numbers {
        compiler: compiler.trim().to_owned(),
        counts,
    };
    if is_blessing {
        fs::write(NUMBERS, now.write())?;
        print!("{}", now.write());
        return Ok(ExitCode::SUCCESS);
    }

    let committed = fs::read_to_string(NUMBERS).map_err(|error| format!("{NUMBERS}: {error}"))?;
    let committed = Numbers::parse(&committed)?;
    let changes = changes(&committed, &now);
    for change in &changes {
        println!("{change}");
    }
    if changes.iter().all(Change::is_small) {
        return Ok(ExitCode::SUCCESS);
    }
    if committed.compiler != now.compiler {
        println!(
            "counted with {}, and now with {}",
            committed.compiler, now.compiler
        );
    }
    Err(format!(
        "more than {TOLERANCE} % off; if that is meant, `cargo xtask instructions --bless` and commit {NUMBERS}"
    )
    .into())
}

/// The bench, built but not run.
fn build() -> Result<PathBuf, Failure> {
    let args = [
        "bench",
        "--no-run",
        "--locked",
        "--package=xtask",
        "--bench=instructions",
        "--message-format=json-render-diagnostics",
    ];
    let messages = command::stdout(command::cargo().args(args))?;
    // The package's programs are built, too.
    let benches = messages
        .lines()
        .filter(|message| message.contains("\"kind\":[\"bench\"]"));
    let executable = benches.rev().find_map(|message| {
        let (_, rest) = message.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    executable.ok_or_else(|| "cargo built no bench `instructions`".into())
}

fn count(program: &Path, name: &str) -> Result<u64, Failure> {
    let file = format!("{FOLDER}/{name}.callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={file}"))
        .arg(program)
        .arg(name)
        // The C library chooses its copying loops by processor; the plain ones are everywhere.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS,-FSRM",
        );
    command::stdout(&mut valgrind)?;
    match summary(&fs::read_to_string(&file)?) {
        None | Some(0) => Err(format!("{file}: nothing was counted in `{COUNTED}`").into()),
        Some(count) => Ok(count),
    }
}

/// The total of a file that callgrind wrote with its one usual event, instructions read.
fn summary(text: &str) -> Option<u64> {
    let line = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let is_instructions = line("events:")?.trim() == "Ir";
    let total = line("summary:").or_else(|| line("totals:"))?;
    total.trim().parse().ok().filter(|_| is_instructions)
}

/// What `benches/instructions.txt` holds.
#[derive(Debug, PartialEq)]
struct Numbers {
    compiler: String,
    counts: Vec<(String, u64)>,
}

const COMPILER: &str = "# compiler: ";

impl Numbers {
    fn write(&self) -> String {
        let mut text = format!(
            "# Instructions of the pieces of benches/instructions.rs, counted by callgrind; {TOLERANCE} % more or less \
             fail.\n# Written by `cargo xtask instructions --bless`.\n{COMPILER}{}\n",
            self.compiler
        );
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{name:<16}{count:>14}");
        }
        text
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let mut counts = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, count] = words[..] else {
                return Err(format!("{NUMBERS}: {line:?} is no name and number").into());
            };
            counts.push((name.to_owned(), count.parse()?));
        }
        Ok(Self {
            compiler: compiler.unwrap_or("an unknown compiler").to_owned(),
            counts,
        })
    }

    fn get(&self, name: &str) -> Option<u64> {
        let found = self.counts.iter().find(|(known, _)| known == name);
        found.map(|(_, count)| *count)
    }
}

/// A piece, and its counts where it has any.
#[derive(Debug)]
struct Change<'n> {
    name: &'n str,
    before: Option<u64>,
    now: Option<u64>,
}

/// Every piece that is in either.
fn changes<'n>(before: &'n Numbers, now: &'n Numbers) -> Vec<Change<'n>> {
    let change = |name: &'n str| Change {
        name,
        before: before.get(name),
        now: now.get(name),
    };
    let here = now.counts.iter().map(|(name, _)| change(name));
    let gone = before.counts.iter().map(|(name, _)| change(name));
    here.chain(gone.filter(|change| change.now.is_none()))
        .collect()
}

impl Change<'_> {
    fn percent(&self) -> Option<f64> {
        let (before, now) = (self.before? as f64, self.now? as f64);
        Some(100.0 * (now - before) / before)
    }

    fn is_small(&self) -> bool {
        self.percent()
            .is_some_and(|percent| percent.abs() <= TOLERANCE)
    }
}

impl std::fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number =
            |count: Option<u64>| count.map_or("none".to_owned(), |count| count.to_string());
        let (before, now) = (number(self.before), number(self.now));
        write!(f, "{:<16}{before:>14}{now:>14}", self.name)?;
        if let Some(percent) = self.percent() {
            write!(f, "{percent:>+9.2} %")?;
        }
        f.write_str(if self.is_small() { "" } else { "  too far" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(counts: &[(&str, u64)]) -> Numbers {
        let counts = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        Numbers {
            compiler: "rustc 1.2.3".to_owned(),
            counts: counts.collect(),
        }
    }

    #[test]
    fn the_summary_of_callgrind() {
        let text = "# callgrind format\nversion: 1\nevents: Ir\n\nfn=(1) main\n16 4\nsummary: 1234567\n\ntotals: 9\n";
        assert_eq!(summary(text), Some(1_234_567));
        assert_eq!(summary("events: Ir\ntotals: 9\n"), Some(9));
        assert_eq!(summary("events: Ir Dr\nsummary: 1 2\n"), None);
        assert_eq!(summary("events: Ir\n"), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let numbers = numbers(&[("add_counters", 12), ("b", 3_000_000_000)]);
        assert_eq!(Numbers::parse(&numbers.write()).unwrap(), numbers);
        assert!(Numbers::parse("a b c\n").is_err());
        assert!(Numbers::parse("a b\n").is_err());
    }

    #[test]
    fn more_less_new_and_gone() {
        let before = numbers(&[("same", 1000), ("more", 1000), ("less", 1000), ("gone", 1)]);
        let now = numbers(&[("same", 1029), ("more", 1031), ("less", 969), ("new", 1)]);
        let small: Vec<(&str, bool)> = changes(&before, &now)
            .iter()
            .map(|change| (change.name, change.is_small()))
            .collect();
        let expected = [
            ("same", true),
            ("more", false),
            ("less", false),
            ("new", false),
            ("gone", false),
        ];
        assert_eq!(small, expected);
    }
}
