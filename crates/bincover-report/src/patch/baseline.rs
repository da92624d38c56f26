//! The report of an earlier version, as [our own JSON](crate::json) has it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use bincover_model::Tally;
use serde::Deserialize;

use crate::json;
use crate::printable::printable;

/// Which lines were executed in an earlier version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    files: BTreeMap<String, Earlier>,
    /// The number of all its lines.
    pub lines: Tally,
}

/// A file of an earlier version: first line, last line, count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Earlier(Vec<(u32, u32, u64)>);

/// Why a report was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineError {
    reason: String,
}

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for BaselineError {}

#[derive(Deserialize)]
struct Report {
    totals: Totals,
    files: Vec<ReportFile>,
}

#[derive(Deserialize)]
struct Totals {
    lines: ReportTally,
}

#[derive(Deserialize)]
struct ReportTally {
    covered: u64,
    total: u64,
}

#[derive(Deserialize)]
struct ReportFile {
    name: String,
    lines: Vec<(u32, u32, u64)>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Baseline {
    /// Reads what `bincover report --json` wrote.
    ///
    /// # Errors
    /// If it is something else, or of a version that is not known.
    pub fn parse(bytes: &[u8]) -> Result<Self, BaselineError> {
        let error = |reason: String| BaselineError { reason };
        let not_ours = |found: serde_json::Error| {
            error(format!(
                "expected what `bincover report --json` writes, found {found}"
            ))
        };
        let Version { version } = serde_json::from_slice(bytes).map_err(not_ours)?;
        if version != json::VERSION {
            let expected = json::VERSION;
            return Err(error(format!(
                "expected version {expected}, found {version}"
            )));
        }
        let Report { totals, files } = serde_json::from_slice(bytes).map_err(not_ours)?;
        let mut baseline = Self {
            files: BTreeMap::new(),
            lines: Tally {
                covered: totals.lines.covered,
                total: totals.lines.total,
            },
        };
        for ReportFile { name, lines } in files {
            // No compiler writes line 0, but a mapping may, and then it is reported.
            let mut next = 0;
            for (first, last, _) in &lines {
                if *first < next || last < first {
                    let name = printable(&name);
                    return Err(error(format!(
                        "expected lines from {next} on in `{name}`, found {first} to {last}"
                    )));
                }
                next = last.saturating_add(1);
            }
            match baseline.files.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(Earlier(lines))),
                // Their names differ in bytes that are not UTF-8: which is which is not known, so nothing of either is.
                Entry::Occupied(mut entry) => drop(entry.insert(Earlier::default())),
            }
        }
        Ok(baseline)
    }

    /// The files, and for each whether anything of it was executed.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, bool)> {
        let files = self.files.iter();
        let was_executed =
            |Earlier(ranges): &Earlier| ranges.iter().any(|(_, _, count)| *count > 0);
        files.map(move |(name, file)| (name.as_str(), was_executed(file)))
    }

    /// A file by its name.
    pub(crate) fn file(&self, name: &str) -> Option<&Earlier> {
        self.files.get(name)
    }
}

impl Earlier {
    /// How often a line was executed; `None` if it held no code.
    pub(crate) fn count(&self, line: u32) -> Option<u64> {
        let next = self.0.partition_point(|(first, ..)| *first <= line);
        let (_, last, count) = self.0.get(next.checked_sub(1)?)?;
        (line <= *last).then_some(*count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(version: u32, lines: &str) -> Vec<u8> {
        let totals = r#"{"lines":{"covered":1,"total":2}}"#;
        let file = format!(r#"{{"name":"a","lines":{lines}}}"#);
        format!(r#"{{"version":{version},"totals":{totals},"files":[{file}]}}"#).into()
    }

    fn count(baseline: &Baseline, file: &str, line: u32) -> Option<u64> {
        baseline.file(file)?.count(line)
    }

    #[test]
    fn lines_are_found_in_their_ranges() {
        let baseline = Baseline::parse(&report(1, "[[2,4,7],[9,9,0]]")).expect("a report");
        let counts: Vec<_> = (1..=10).map(|line| count(&baseline, "a", line)).collect();
        let seven = Some(7);
        let expected = [
            None,
            seven,
            seven,
            seven,
            None,
            None,
            None,
            None,
            Some(0),
            None,
        ];
        assert_eq!(counts, expected);
        assert_eq!(count(&baseline, "b", 2), None);
        assert_eq!(
            baseline.lines,
            Tally {
                covered: 1,
                total: 2
            }
        );
    }

    #[test]
    fn of_files_with_one_name_nothing_is_known() {
        let mut coverage = crate::testing::one_of_everything();
        let file = &mut coverage.files[0];
        file.name = b"/w/\xfe.c".as_slice().into();
        let mut other = file.clone();
        other.name = b"/w/\xff.c".as_slice().into();
        other.lines[0].count = 0;
        coverage.files.push(other);
        let mut json = Vec::new();
        json::emit(&coverage, &crate::Options::default(), &mut json).expect("a Vec takes it");
        let baseline = Baseline::parse(&json).expect("our own");
        assert_eq!(count(&baseline, "\u{fffd}.c", 1), None);
        let files: Vec<_> = baseline.files().collect();
        assert_eq!(files, [("\u{fffd}.c", false)]);
    }

    /// Found by the fuzz target `reports`: what we wrote of such a mapping was refused.
    #[test]
    fn a_line_0_is_read() {
        let baseline = Baseline::parse(&report(1, "[[0,0,3],[1,2,0]]")).expect("a report");
        assert_eq!(count(&baseline, "a", 0), Some(3));
        assert_eq!(count(&baseline, "a", 1), Some(0));
    }

    #[test]
    fn ours_is_read_back() {
        let mut json = Vec::new();
        let coverage = crate::testing::one_of_everything();
        json::emit(&coverage, &crate::Options::default(), &mut json).expect("a Vec takes it");
        let baseline = Baseline::parse(&json).expect("our own");
        for line in &coverage.files[0].lines {
            assert_eq!(count(&baseline, "a.c", line.number), Some(line.count));
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (bytes, expected) in [
            (b"{}".to_vec(), "missing field `version`"),
            (b"<xml>".to_vec(), "expected what `bincover report --json`"),
            (report(2, "[]"), "expected version 1, found 2"),
            (report(1, "[[4,2,1]]"), "found 4 to 2"),
            (report(1, "[[1,2,1],[2,3,1]]"), "expected lines from 3 on"),
            (report(1, "[[1,1000000000,-1]]"), "invalid value"),
        ] {
            let error = Baseline::parse(&bytes).expect_err("no report").to_string();
            assert!(error.contains(expected), "{error}");
        }
        // Ranges are not lines: this is four numbers.
        let large = report(1, "[[1,4000000000,1]]");
        let baseline = Baseline::parse(&large).expect("a report");
        assert_eq!(count(&baseline, "a", 1 << 31), Some(1));
    }
}
