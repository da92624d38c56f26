//! Gates: numbers that coverage has to reach.
//!
//! They look at the numbers that the table prints ([`Summary`]), of all files or of those that a
//! pattern matches, taken together or each by itself. What was never measured passes no gate: a
//! percentage of nothing is a miss. (A file without lines is no miss by itself.)

use std::fmt;

use bincover_model::{Coverage, File, Summary, Tally};

use crate::FilePattern;

use crate::paths::Names;
use crate::printable::printable;
use crate::{Options, Percent};

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

/// A number that coverage has to reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Which files; `None` for all.
    files: Option<FilePattern>,
    /// Each of them by itself, rather than all together.
    is_for_each: bool,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    AtLeast(Metric, Percent),
    /// So many may be uncovered.
    Uncovered(Metric, u64),
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
        Ok(Self {
            files,
            is_for_each: false,
            limit: Limit::AtLeast(metric, Percent::parse(number)?),
        })
    }

    /// Likewise, for each file by itself. A file that has nothing to measure is left out.
    ///
    /// # Errors
    /// In words, if it is no such thing.
    pub fn each_at_least(metric: Metric, text: &str) -> Result<Self, String> {
        let gate = Self::at_least(metric, text)?;
        Ok(Self {
            is_for_each: true,
            ..gate
        })
    }

    /// How many lines, functions and so on may be uncovered: a number, or a pattern, `=` and a
    /// number.
    ///
    /// # Errors
    /// In words, if it is no such thing.
    pub fn uncovered(metric: Metric, text: &str) -> Result<Self, String> {
        let (files, number) = split(text)?;
        let (_, several) = metric.names();
        let most = number
            .parse()
            .map_err(|_| format!("expected a number of {several}, found `{number}`"))?;
        Ok(Self {
            files,
            is_for_each: false,
            limit: Limit::Uncovered(metric, most),
        })
    }

    fn matches(&self, file: &File) -> bool {
        let pattern = self.files.as_ref();
        pattern.is_none_or(|pattern| pattern.matches(&file.name))
    }

    /// What is missing: nothing, or something, or, if each file has to reach a number, an entry for
    /// each that does not. Reads [`Options::repository`], for the files' names.
    #[must_use]
    pub fn check(&self, coverage: &Coverage, options: &Options) -> Vec<Missed> {
        let files = coverage.files.iter().filter(|file| self.matches(file));
        let metric = self.limit.metric();
        if self.is_for_each {
            let names = Names::new(coverage, options);
            let mut measured = files
                .filter(|file| metric.of(&file.summary).total > 0)
                .peekable();
            if measured.peek().is_some() {
                let missed = measured.filter_map(|file| {
                    let name = format!(" of `{}`", printable(&names.of(&file.name)));
                    self.limit.missed(name, metric.of(&file.summary))
                });
                return missed.collect();
            }
            return self.of_all(Tally::default());
        }
        let summary = files.fold(Summary::default(), |mut sum, file| {
            sum += file.summary;
            sum
        });
        self.of_all(metric.of(&summary))
    }

    fn of_all(&self, tally: Tally) -> Vec<Missed> {
        let of_files = match &self.files {
            Some(pattern) => format!(" of `{pattern}`"),
            None => String::new(),
        };
        Vec::from_iter(self.limit.missed(of_files, tally))
    }
}

impl Limit {
    fn metric(self) -> Metric {
        match self {
            Self::AtLeast(metric, _) | Self::Uncovered(metric, _) => metric,
        }
    }

    fn missed(self, of_what: String, tally: Tally) -> Option<Missed> {
        let needed = match self {
            Self::AtLeast(_, percent) => percent.of(tally.total).saturating_sub(tally.covered),
            Self::Uncovered(_, most) => tally.missed().saturating_sub(most),
        };
        (needed > 0 || tally.total == 0).then_some(Missed {
            limit: self,
            of_what,
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

/// A number that was not reached. Its text says the number, the threshold, and what would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    limit: Limit,
    /// What follows the metric: nothing, or ` of …`.
    of_what: String,
    /// What there is.
    pub tally: Tally,
    /// How many more would have to be covered; 0 if there is nothing to cover.
    pub needed: u64,
}

impl Missed {
    /// Lines that have to reach a percentage, if they do not; ` of …` says which lines.
    pub(crate) fn of_lines(of_what: &str, tally: Tally, percent: Percent) -> Option<Self> {
        Limit::AtLeast(Metric::Lines, percent).missed(of_what.to_owned(), tally)
    }

    /// Lines of which so many may be uncovered, if more are.
    pub(crate) fn of_uncovered_lines(of_what: &str, tally: Tally, most: u64) -> Option<Self> {
        Limit::Uncovered(Metric::Lines, most).missed(of_what.to_owned(), tally)
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            of_what,
            tally,
            needed,
            ..
        } = self;
        let (one, several) = self.limit.metric().names();
        let named = |number: u64| if number == 1 { one } else { several };
        let Tally { covered, total } = *tally;
        if total == 0 {
            return write!(f, "there are no {several}{of_what} to measure");
        }
        match self.limit {
            Limit::AtLeast(_, percent) => write!(
                f,
                "{one} coverage{of_what} is {} ({covered} of {total}), below {percent}%",
                percent.like_this(*tally)
            )?,
            Limit::Uncovered(_, most) => {
                let missed = tally.missed();
                let are = if missed == 1 { "is" } else { "are" };
                write!(
                    f,
                    "{missed} {}{of_what} {are} not covered, more than {most}",
                    named(missed)
                )?;
            }
        }
        write!(f, "; {needed} more {} would do", named(*needed))
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
            one.summary.functions = tally(u64::from(lines.covered > 0), 1);
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

    fn missed(gate: &Gate) -> Vec<String> {
        let missed = gate.check(&coverage(), &Options::default());
        missed.iter().map(Missed::to_string).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let gate = Gate::at_least(Metric::Lines, text).expect("a gate");
        assert_eq!(missed(&gate), Vec::from_iter(expected));
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
        assert_eq!(missed(&gate), ["there are no branches to measure"]);
        let gate = Gate::each_at_least(Metric::Lines, "none.rs=0").expect("a gate");
        assert_eq!(
            missed(&gate),
            ["there are no lines of `none.rs` to measure"]
        );
    }

    #[test]
    fn uncovered_things_are_counted() {
        let check = |metric, text, expected: &[&str]| {
            let gate = Gate::uncovered(metric, text).expect("a gate");
            assert_eq!(missed(&gate), expected);
        };
        check(
            Metric::Lines,
            "12",
            &["13 lines are not covered, more than 12; 1 more line would do"],
        );
        check(Metric::Lines, "src/**=3", &[]);
        check(
            Metric::Functions,
            "0",
            &["1 function is not covered, more than 0; 1 more function would do"],
        );
        check(Metric::Functions, "1", &[]);
        check(Metric::Regions, "0", &["there are no regions to measure"]);
    }

    #[test]
    fn each_file_by_itself() {
        let check = |text, expected: &[&str]| {
            let gate = Gate::each_at_least(Metric::Lines, text).expect("a gate");
            assert_eq!(missed(&gate), expected);
        };
        check("0", &[]);
        check("src/**=70", &[]);
        check(
            "75",
            &[
                "line coverage of `src/a.rs` is 70.0% (7 of 10), below 75%; 1 more line would do",
                "line coverage of `tests/c.rs` is 0.0% (0 of 10), below 75%; 8 more lines would do",
            ],
        );
    }

    #[test]
    fn what_is_no_gate_is_refused() {
        for text in ["", "x", "101", "a/***b=3", "src=", "80%"] {
            assert!(Gate::at_least(Metric::Lines, text).is_err(), "{text}");
        }
        assert!(Gate::uncovered(Metric::Lines, "1.5").is_err());
    }
}
