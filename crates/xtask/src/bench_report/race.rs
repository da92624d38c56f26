//! Programs that do the same work, in turn.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{released, statistics};
use crate::{Failure, command};

/// One piece of work, and who does it.
pub(super) struct Race {
    /// How many input files there are.
    pub(super) files: usize,
    /// Their size in all.
    pub(super) bytes: u64,
    pub(super) racers: Vec<Racer>,
}

pub(super) struct Racer {
    pub(super) role: Role,
    /// As the report calls it.
    pub(super) name: String,
    pub(super) command: Vec<OsString>,
    /// The file that it makes. It is removed before each run.
    pub(super) output: Option<PathBuf>,
    /// Whether that is its standard output.
    pub(super) prints: bool,
}

impl Racer {
    pub(super) fn stdout(&self) -> Option<&Path> {
        self.output.as_deref().filter(|_| self.prints)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    /// The one that we are measured by.
    Theirs,
    /// The same with other settings, for the picture.
    Also,
    /// Makes the same from other inputs: its bytes count, its time does not.
    Check,
    /// What nobody can do without. There may be several; the fastest counts.
    Floor,
}

/// How a racer did.
pub(super) struct Times {
    pub(super) role: Role,
    pub(super) name: String,
    /// From start to end, one for each round.
    pub(super) seconds: Vec<f64>,
    /// Processor time, of all threads.
    pub(super) processor_seconds: Vec<f64>,
    pub(super) peak_bytes: Vec<f64>,
    /// A digest of each round's output, where there is one.
    pub(super) outputs: Vec<u64>,
}

impl Times {
    pub(super) fn median(&self) -> f64 {
        statistics::median(&self.seconds)
    }

    /// The highest of all runs: a peak that happened once can happen again.
    pub(super) fn peak(&self) -> f64 {
        statistics::spread(&self.peak_bytes).1
    }

    /// Whether this and the other made something, and the same in every round. None where one of them makes nothing.
    pub(super) fn has_output_of(&self, other: &Self) -> Option<bool> {
        let first = self.outputs.first()?;
        other.outputs.first()?;
        let mut all = self.outputs.iter().chain(&other.outputs);
        Some(all.all(|output| output == first))
    }

    pub(super) fn is_stable(&self) -> bool {
        self.has_output_of(self) != Some(false)
    }
}

/// All racers once to warm up, then once in each round.
pub(super) fn run(race: &Race, rounds: usize) -> Result<Vec<Times>, Failure> {
    let mut times: Vec<Times> = race.racers.iter().map(Times::of).collect();
    for round in 0..=rounds {
        for (racer, times) in race.racers.iter().zip(&mut times) {
            let run = measure(racer)?;
            if round > 0 {
                times.seconds.push(run.seconds);
                times.processor_seconds.push(run.processor_seconds);
                times.peak_bytes.push(run.peak_bytes);
            }
            if let Some(output) = &racer.output {
                times.outputs.push(digest(&fs::read(output)?));
            }
        }
    }
    for times in &times {
        eprintln!(
            "{:<24}{:>12}{:>12}",
            times.name,
            statistics::seconds(times.median()),
            statistics::bytes(times.peak())
        );
    }
    Ok(times)
}

impl Times {
    fn of(racer: &Racer) -> Self {
        Self {
            role: racer.role,
            name: racer.name.clone(),
            seconds: Vec::new(),
            processor_seconds: Vec::new(),
            peak_bytes: Vec::new(),
            outputs: Vec::new(),
        }
    }
}

struct Run {
    seconds: f64,
    processor_seconds: f64,
    peak_bytes: f64,
}

fn measure(racer: &Racer) -> Result<Run, Failure> {
    if let Some(output) = &racer.output
        && output.exists()
    {
        fs::remove_file(output)?;
    }
    let mut measure = Command::new(released("measure"));
    measure.arg(racer.stdout().unwrap_or(Path::new("/dev/null")));
    let line = command::stdout(measure.args(&racer.command))?;
    parse(&line).ok_or_else(|| format!("`measure` said {line:?}").into())
}

/// Stands for a file that is compared: enough to notice a difference, not to keep anybody from hiding one.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The line that `bin/measure.rs` writes.
fn parse(line: &str) -> Option<Run> {
    let numbers: Vec<f64> = line
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let [nanoseconds, processor_nanoseconds, kibibytes] = numbers[..] else {
        return None;
    };
    Some(Run {
        seconds: nanoseconds / 1e9,
        processor_seconds: processor_nanoseconds / 1e9,
        peak_bytes: kibibytes * 1024.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_measure() {
        let run = parse("1500000000 2000000000 4096\n").unwrap();
        assert_eq!(run.seconds, 1.5);
        assert_eq!(run.processor_seconds, 2.0);
        assert_eq!(run.peak_bytes, 4096.0 * 1024.0);
        assert!(parse("1 2").is_none());
        assert!(parse("1 2 three").is_none());
    }

    #[test]
    fn outputs_are_equal_or_vary() {
        let times = |outputs: &[u64]| Times {
            role: Role::Ours,
            name: String::new(),
            seconds: Vec::new(),
            processor_seconds: Vec::new(),
            peak_bytes: Vec::new(),
            outputs: outputs.to_vec(),
        };
        let ours = times(&[1, 1]);
        assert_eq!(times(&[1, 1]).has_output_of(&ours), Some(true));
        assert_eq!(times(&[1, 2]).has_output_of(&ours), Some(false));
        assert_eq!(times(&[]).has_output_of(&ours), None);
        assert!(ours.is_stable() && times(&[]).is_stable());
        assert!(!times(&[1, 2]).is_stable());
    }
}
