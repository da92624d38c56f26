//! Programs that do the same work, in turn.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    /// The one that we are measured by.
    Theirs,
    /// The same with other settings, for the picture.
    Also,
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
    /// Whether every output had the same bytes as ours. None for ours itself and where there is no output.
    pub(super) is_equal: Option<bool>,
}

impl Times {
    pub(super) fn median(&self) -> f64 {
        statistics::median(&self.seconds)
    }

    /// The highest of all runs: a peak that happened once can happen again.
    pub(super) fn peak(&self) -> f64 {
        statistics::spread(&self.peak_bytes).1
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
        }
        compare(race, &mut times)?;
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
            is_equal: None,
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
    let line = command::stdout(Command::new(released("measure")).args(&racer.command))?;
    parse(&line).ok_or_else(|| format!("`measure` said {line:?}").into())
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

/// Looks whether the outputs of this round are equal; one that differs once stays different.
fn compare(race: &Race, times: &mut [Times]) -> Result<(), Failure> {
    let ours = race.racers.iter().find(|racer| racer.role == Role::Ours);
    let Some(expected) = ours.and_then(|racer| racer.output.as_ref()) else {
        return Ok(());
    };
    let expected = fs::read(expected)?;
    for (racer, times) in race.racers.iter().zip(times) {
        if let Some(output) = &racer.output
            && racer.role != Role::Ours
        {
            let is_equal = fs::read(output)? == expected;
            times.is_equal = Some(is_equal && times.is_equal != Some(false));
        }
    }
    Ok(())
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
}
