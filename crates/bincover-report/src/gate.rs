//! Gates: numbers that coverage has to reach.
//!
//! They look at the numbers that the table prints ([`Summary`]), of all files or of those that a
//! pattern matches. What was never measured passes no gate: a percentage of nothing is a miss.

use std::fmt;

use bincover_model::{Coverage, File, Summary, Tally};

use crate::FilePattern;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Lines that hold code.
    Lines,
    /// Functions; the instantiations of a generic one are one.
    Functions,
    /// Regions of code.
    Regions,
    /// Outcomes of branches.
    Branches,
}

impl Metric {
    fn of(self, summary: &Summary) -> Tally {
        match self {
            Self::Lines => summary.lines,
            Self::Functions => summary.functions,
            Self::Regions => summary.regions,
            Self::Branches => summary.branches,
        }
    }

    /// For one, and for several.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Lines => ("line", "lines"),
            Self::Functions => ("function", "functions"),
            Self::Regions => ("region", "regions"),
            Self::Branches => ("branch", "branches"),
        }
    }
}

/// A percentage as it was written: no float rounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Percent {
    millionths: u64,
    decimals: usize,
}

/// Millionths of a percent in a percent.
const MILLION: u64 = 1_000_000;

impl Percent {
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !is_number(whole) || !is_number(part) {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let part: u64 = format!("{part:0<6}").parse().ok()?;
        let millionths = whole.checked_mul(MILLION)?.checked_add(part)?;
        (millionths <= 100 * MILLION).then_some(Self {
            millionths,
            decimals: text
                .len()
                .saturating_sub(text.find('.').map_or(text.len(), |at| at + 1)),
        })
    }

    /// How many of `total` are this much of it, rounded up.
    fn of(self, total: u64) -> u64 {
        let whole = u128::from(total) * u128::from(self.millionths);
        let needed = whole.div_ceil(u128::from(100 * MILLION));
        u64::try_from(needed).unwrap_or(u64::MAX)
    }
}

/// A number that coverage has to reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Which files; `None` for all.
    files: Option<FilePattern>,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    AtLeast(Metric, Percent),
    UncoveredLines(u64),
}

impl Gate {
    /// A percentage that a metric has to reach: `80`, `79.5`, or `src/parser/**=95` for the files
    /// that match a pattern, taken together.
    ///
    /// A pattern is for the whole of a file's name, or for any of its ends that begins after a `/`.
    /// `*` and `?` do not match a `/`, `**` does.
    ///
    /// # Errors
    /// In words, if it is no such thing.
    pub fn at_least(metric: Metric, text: &str) -> Result<Self, String> {
        let (files, number) = split(text)?;
        let percent = Percent::parse(number).ok_or_else(|| {
            format!("expected a percentage from 0 to 100 of at most 6 decimals, found `{number}`")
        })?;
        Ok(Self {
            files,
            limit: Limit::AtLeast(metric, percent),
        })
    }

    /// A number of lines that may be uncovered, or a pattern, `=` and a number.
    ///
    /// # Errors
    /// In words, if it is no such thing.
    pub fn uncovered_lines(text: &str) -> Result<Self, String> {
        let (files, number) = split(text)?;
        let most = number
            .parse()
            .map_err(|_| format!("expected a number of lines, found `{number}`"))?;
        Ok(Self {
            files,
            limit: Limit::UncoveredLines(most),
        })
    }

    fn matches(&self, file: &File) -> bool {
        let pattern = self.files.as_ref();
        pattern.is_none_or(|pattern| pattern.matches(&file.name))
    }

    /// What is missing, if anything is.
    #[must_use]
    pub fn check(&self, coverage: &Coverage) -> Option<Missed> {
        let mut summary = Summary::default();
        let files = coverage.files.iter().filter(|file| self.matches(file));
        let mut is_empty = true;
        for file in files {
            summary += file.summary;
            is_empty = false;
        }
        let (tally, needed) = match self.limit {
            Limit::AtLeast(metric, percent) => {
                let tally = metric.of(&summary);
                (tally, percent.of(tally.total).saturating_sub(tally.covered))
            }
            Limit::UncoveredLines(most) => {
                let tally = summary.lines;
                (tally, tally.missed().saturating_sub(most))
            }
        };
        (needed > 0 || is_empty || tally.total == 0).then(|| Missed {
            gate: self.clone(),
            tally,
            needed,
        })
    }
}

/// The pattern before the last `=`, if there is one, and the number.
fn split(text: &str) -> Result<(Option<FilePattern>, &str), String> {
    match text.rsplit_once('=') {
        None => Ok((None, text)),
        Some((pattern, number)) => Ok((Some(pattern.parse()?), number)),
    }
}

/// A gate that was not reached. Its text says the number, the threshold, and what would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    gate: Gate,
    /// What there is.
    pub tally: Tally,
    /// How many more would have to be covered; 0 if there is nothing to cover.
    pub needed: u64,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (metric, percent) = match self.gate.limit {
            Limit::AtLeast(metric, percent) => (metric, Some(percent)),
            Limit::UncoveredLines(_) => (Metric::Lines, None),
        };
        let (one, several) = metric.names();
        let of_files = match &self.gate.files {
            Some(pattern) => format!(" of `{pattern}`"),
            None => String::new(),
        };
        let Tally { covered, total } = self.tally;
        if total == 0 {
            return write!(f, "there are no {several}{of_files} to measure");
        }
        match (self.gate.limit, percent) {
            (Limit::AtLeast(..), Some(percent)) => {
                // Rounded down, with as many decimals as the threshold: it looks as low as it is.
                let decimals = percent.decimals.max(1);
                let scale = 10u128.pow(u32::try_from(decimals).unwrap_or(6));
                let scaled = u128::from(covered) * 100 * scale / u128::from(total);
                write!(
                    f,
                    "{one} coverage{of_files} is {}.{:0decimals$}% ({covered} of {total}), below {}",
                    scaled / scale,
                    scaled % scale,
                    percent.millionths / MILLION,
                )?;
                if percent.decimals > 0 {
                    let part = format!("{:06}", percent.millionths % MILLION);
                    write!(f, ".{}", &part[..percent.decimals])?;
                }
                write!(f, "%")?;
            }
            (Limit::UncoveredLines(most), _) => write!(
                f,
                "{} lines{of_files} are not covered, more than {most}",
                self.tally.missed()
            )?,
            (Limit::AtLeast(..), None) => {}
        }
        let what = if self.needed == 1 { one } else { several };
        write!(f, "; {} more {what} would do", self.needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, tally};

    fn coverage() -> Coverage {
        let one = |name: &str, lines: Tally| {
            let mut one = file(name, Vec::new());
            one.summary.lines = lines;
            one
        };
        Coverage {
            files: vec![
                one("/w/src/a.rs", tally(7, 10)),
                one("/w/src/deep/b.rs", tally(10, 10)),
                one("/w/tests/c.rs", tally(0, 10)),
            ],
            functions: Vec::new(),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let gate = Gate::at_least(Metric::Lines, text).expect("a gate");
        let missed = gate.check(&coverage()).map(|missed| missed.to_string());
        assert_eq!(missed.as_deref(), expected);
    }

    #[test]
    fn a_missed_gate_says_what_would_do() {
        check("56.6", None);
        check(
            "56.7",
            Some("line coverage is 56.6% (17 of 30), below 56.7%; 1 more line would do"),
        );
        check(
            "80",
            Some("line coverage is 56.6% (17 of 30), below 80%; 7 more lines would do"),
        );
        check(
            "56.667",
            Some("line coverage is 56.666% (17 of 30), below 56.667%; 1 more line would do"),
        );
    }

    #[test]
    fn patterns_choose_files() {
        check("src/**=85", None);
        check("src/*=70", None);
        check("/w/src/*=70", None);
        check(
            "src/*=71",
            Some("line coverage of `src/*` is 70.0% (7 of 10), below 71%; 1 more line would do"),
        );
        check("b.rs=100", None);
        check(
            "none/**=0",
            Some("there are no lines of `none/**` to measure"),
        );
    }

    #[test]
    fn nothing_measured_is_not_enough() {
        let gate = Gate::at_least(Metric::Branches, "0").expect("a gate");
        let missed = gate.check(&coverage()).expect("there are none");
        assert_eq!(missed.to_string(), "there are no branches to measure");
    }

    #[test]
    fn uncovered_lines_are_counted() {
        let gate = Gate::uncovered_lines("12").expect("a gate");
        let missed = gate.check(&coverage()).expect("there are 13");
        assert_eq!(
            missed.to_string(),
            "13 lines are not covered, more than 12; 1 more line would do"
        );
        let gate = Gate::uncovered_lines("src/**=3").expect("a gate");
        assert_eq!(gate.check(&coverage()), None);
    }

    #[test]
    fn what_is_no_gate_is_refused() {
        for text in [
            "",
            "x",
            "101",
            "-1",
            "1e1",
            "1.1234567",
            "a/***b=3",
            "src=",
            "80%",
        ] {
            assert!(Gate::at_least(Metric::Lines, text).is_err(), "{text}");
        }
        assert!(Gate::uncovered_lines("1.5").is_err());
    }
}
