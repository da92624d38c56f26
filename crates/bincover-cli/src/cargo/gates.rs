//! Gates that cargo-llvm-cov has and `bincover report` says in other words.

use bincover::model::{Coverage, Tally};
use bincover::report::gate::{Gate, Metric};
use glob::Pattern;

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct SameGates {
    /// Fail with 90 if any file has less than this percentage of its lines covered
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) fail_under_file_lines: Option<String>,
    /// Fail with 90 if more functions than this are not covered
    #[arg(long, value_name = "FUNCTIONS")]
    pub(crate) fail_uncovered_functions: Option<u64>,
    /// Fail with 90 if more regions than this are not covered
    #[arg(long, value_name = "REGIONS")]
    pub(crate) fail_uncovered_regions: Option<u64>,
}

/// A percentage, as it was written; patterns are for `--fail-under-lines`.
fn percent(text: &str) -> Result<String, String> {
    match text.contains('=') {
        true => Err(format!("expected a percentage, found `{text}`")),
        false => Gate::at_least(Metric::Lines, text).map(|_| text.to_owned()),
    }
}

impl SameGates {
    /// What is missed, each with its option.
    pub(super) fn missed(&self, coverage: &Coverage) -> Vec<(&'static str, String)> {
        let mut missed = Vec::new();
        if let Some(percent) = &self.fail_under_file_lines {
            let measured = coverage.files.iter();
            for file in measured.filter(|file| file.summary.lines.total > 0) {
                let name = Pattern::escape(&file.name.to_string());
                let gate = Gate::at_least(Metric::Lines, &format!("{name}={percent}"));
                let found = gate.ok().and_then(|gate| gate.check(coverage));
                missed.extend(found.map(|found| ("--fail-under-file-lines", found.to_string())));
            }
        }
        let totals = coverage.totals();
        let limits = [
            (
                "--fail-uncovered-functions",
                "functions",
                totals.functions,
                self.fail_uncovered_functions,
            ),
            (
                "--fail-uncovered-regions",
                "regions",
                totals.regions,
                self.fail_uncovered_regions,
            ),
        ];
        for (option, what, tally, most) in limits {
            missed.extend(most.and_then(|most| Some((option, too_many(what, tally, most)?))));
        }
        missed
    }
}

/// What was never measured passes no gate.
fn too_many(what: &str, tally: Tally, most: u64) -> Option<String> {
    if tally.total == 0 {
        return Some(format!("there are no {what} to measure"));
    }
    let more = tally.missed().checked_sub(most).filter(|more| *more > 0)?;
    Some(format!(
        "{} {what} are not covered, more than {most}; {more} more would do",
        tally.missed()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_are_told() {
        let tally = |covered, total| Tally { covered, total };
        assert_eq!(too_many("regions", tally(7, 10), 3), None);
        assert_eq!(
            too_many("regions", tally(7, 10), 1).as_deref(),
            Some("3 regions are not covered, more than 1; 2 more would do")
        );
        assert!(too_many("regions", tally(0, 0), 9).is_some());
        assert!(percent("79.5").is_ok());
        assert!(percent("src/**=80").is_err());
    }
}
