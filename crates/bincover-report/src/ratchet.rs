//! A ratchet: what was covered once, in a file that is committed, and that coverage does not fall
//! below.
//!
//! The file has a line for each source file, by name, with the numbers of the table. Of two
//! versions of a file, the new one holds if its percentage of covered lines is not lower, or if it
//! has not more lines that are not covered: so nobody is punished who deletes covered code. New
//! files have to be covered, together, as well as those in the ratchet are, or else to have no more
//! uncovered lines than the files that were deleted: so nobody is punished who renames one.

use std::collections::BTreeMap;
use std::fmt;

use bincover_model::{Coverage, Tally};
use bstr::{BStr, BString, ByteSlice};
use serde::Deserialize;

use crate::paths::{Names, relative};
use crate::printable::printable;
use crate::quoted::quoted;
use crate::table::percent;
use crate::{Options, Percent};

/// The version of the file's format.
const VERSION: u32 = 1;

/// What was covered once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ratchet {
    /// Percentage points that may be missing.
    pub tolerance: Percent,
    /// Lines that may be missing of each file, and of new ones together.
    pub tolerance_lines: u64,
    /// Lines of each file, by its name.
    files: BTreeMap<String, Tally>,
}

/// Why a file is no ratchet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatchetError {
    reason: String,
}

impl fmt::Display for RatchetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RatchetError {}

#[derive(Deserialize)]
struct Document {
    version: u32,
    #[serde(default)]
    tolerance: Option<toml::Value>,
    #[serde(default)]
    tolerance_lines: u64,
    #[serde(default)]
    files: BTreeMap<String, (u64, u64)>,
}

/// What became of a ratchet's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is covered less than it was, beyond the tolerance: files by name, then new files
    /// together. This is a miss.
    pub fallen: Vec<Fallen>,
    /// Files that are still there and not measured any more, by name. This is a miss.
    pub unmeasured: Vec<String>,
    /// Files that are not there any more.
    pub deleted: Vec<String>,
    /// Files that the ratchet does not have yet.
    pub new: Vec<String>,
    /// Files of which other numbers hold as well.
    pub changed: Vec<String>,
}

impl Findings {
    /// Whether nothing is missed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.fallen.is_empty() && self.unmeasured.is_empty()
    }
}

/// Coverage that is less than it was. Its text says the number, what it was, and what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// The file; `None` for all new files together.
    pub name: Option<String>,
    /// Its lines, as the ratchet has them; for new files, the lines of all files in the ratchet.
    pub before: Tally,
    /// Its lines now.
    pub now: Tally,
    /// How many more would have to be covered.
    pub needed: u64,
}

impl fmt::Display for Fallen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            before,
            now,
            needed,
        } = self;
        let (of_what, was) = match name {
            Some(name) => (format!("`{}`", printable(name)), "was"),
            None => ("new files".to_owned(), "in the ratchet it is"),
        };
        let lines = if *needed == 1 { "line" } else { "lines" };
        write!(
            f,
            "line coverage of {of_what} is {} ({} of {}), and {was} {} ({} of {}); {needed} more \
             {lines} would do",
            percent(*now),
            now.covered,
            now.total,
            percent(*before),
            before.covered,
            before.total
        )
    }
}

impl Ratchet {
    /// What is covered now, without a tolerance. Reads [`Options::repository`], for the files'
    /// names; files that are not in it, as those of a compiler, lie elsewhere on each machine, and
    /// are left out.
    #[must_use]
    pub fn of(coverage: &Coverage, options: &Options) -> Self {
        let names = Names::new(coverage, options);
        let files = coverage
            .measured_files()
            .filter(|file| file.summary.lines.total > 0)
            .filter(|file| {
                let has_root = options.repository.is_some() && !names.root.is_empty();
                !has_root || relative(&file.name, names.root) != file.name
            })
            .map(|file| (names.of(&file.name), file.summary.lines));
        let mut ratchet = Self::default();
        for (name, lines) in files {
            // Names that differ in bytes which are not UTF-8 are one name here.
            *ratchet.files.entry(name).or_default() += lines;
        }
        ratchet
    }

    /// Reads a ratchet's file.
    ///
    /// # Errors
    /// If it is none, with the line.
    pub fn parse(text: &str) -> Result<Self, RatchetError> {
        let error = |reason: String| RatchetError { reason };
        let document: Document = toml::from_str(text).map_err(|found| {
            let before = found.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            error(format!("line {line}: {}", found.message().trim_end()))
        })?;
        if document.version != VERSION {
            return Err(error(format!(
                "expected version {VERSION}, found {}",
                document.version
            )));
        }
        let tolerance = match document.tolerance {
            None => Ok(Percent::default()),
            Some(toml::Value::Float(number)) => Percent::parse(&number.to_string()),
            Some(toml::Value::Integer(number)) => Percent::parse(&number.to_string()),
            Some(_) => Err("expected a number".to_owned()),
        };
        let tolerance = tolerance.map_err(|reason| error(format!("tolerance: {reason}")))?;
        let mut files = BTreeMap::new();
        for (name, (covered, total)) in document.files {
            if covered > total {
                return Err(error(format!(
                    "`{name}`: expected at most {total} covered lines of {total}, found {covered}"
                )));
            }
            files.insert(name, Tally { covered, total });
        }
        Ok(Self {
            tolerance,
            tolerance_lines: document.tolerance_lines,
            files,
        })
    }

    /// How many files it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Lines of all files together.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for lines in self.files.values() {
            // Of a file that was read: it can say anything.
            sum.covered = sum.covered.saturating_add(lines.covered);
            sum.total = sum.total.saturating_add(lines.total);
        }
        sum
    }

    /// How many lines are missing, of what is now: to be covered as well as `before`, or to have
    /// no more than `missed` uncovered lines.
    fn needed(&self, before: Tally, missed: u64, now: Tally) -> u64 {
        let by_percent = self.tolerance.below(before, now.total);
        let by_percent = by_percent.saturating_sub(now.covered);
        let by_lines = now.missed().saturating_sub(missed);
        by_percent
            .min(by_lines)
            .saturating_sub(self.tolerance_lines)
    }

    /// Compares with what is covered now. `exists` tells whether a file, by its whole name, is still
    /// there. Reads [`Options::repository`], for the files' names.
    #[must_use]
    pub fn check(
        &self,
        coverage: &Coverage,
        options: &Options,
        exists: &dyn Fn(&BStr) -> bool,
    ) -> Findings {
        let names = Names::new(coverage, options);
        let now = Self::of(coverage, options);
        let mut found = Findings::default();
        let mut fall = |name: Option<&str>, before: Tally, missed: u64, now: Tally| {
            let needed = self.needed(before, missed, now);
            let fallen = (needed > 0).then(|| Fallen {
                name: name.map(str::to_owned),
                before,
                now,
                needed,
            });
            found.fallen.extend(fallen);
            needed > 0
        };
        let mut deleted = 0u64;
        for (name, before) in &self.files {
            let Some(now) = now.files.get(name) else {
                match exists(whole(&names, name).as_bstr()) {
                    true => found.unmeasured.push(name.clone()),
                    false => {
                        deleted = deleted.saturating_add(before.missed());
                        found.deleted.push(name.clone());
                    }
                }
                continue;
            };
            let has_fallen = fall(Some(name), *before, before.missed(), *now);
            if !has_fallen && now != before && is_as_good(*before, *now) {
                found.changed.push(name.clone());
            }
        }
        let mut new = Tally::default();
        for (name, lines) in &now.files {
            if !self.files.contains_key(name) {
                new += *lines;
                found.new.push(name.clone());
            }
        }
        fall(None, self.total(), deleted, new);
        found
    }

    /// The ratchet as it is to be committed now: new files, and the numbers of those that are as
    /// good as before or better. Numbers of what is worse stay, within the tolerance too, unless
    /// `lower`.
    #[must_use]
    pub fn updated(
        &self,
        coverage: &Coverage,
        options: &Options,
        exists: &dyn Fn(&BStr) -> bool,
        lower: bool,
    ) -> Self {
        let names = Names::new(coverage, options);
        let mut updated = Self {
            tolerance: self.tolerance,
            tolerance_lines: self.tolerance_lines,
            ..Self::of(coverage, options)
        };
        if lower {
            return updated;
        }
        for (name, before) in &self.files {
            match updated.files.get_mut(name) {
                Some(now) if !is_as_good(*before, *now) => *now = *before,
                Some(_) => {}
                None if exists(whole(&names, name).as_bstr()) => {
                    updated.files.insert(name.clone(), *before);
                }
                None => {}
            }
        }
        updated
    }
}

/// Without any tolerance.
fn is_as_good(before: Tally, now: Tally) -> bool {
    Ratchet::default().needed(before, before.missed(), now) == 0
}

fn whole(names: &Names<'_>, name: &str) -> BString {
    let mut whole = BString::from(names.root);
    if !whole.is_empty() && !whole.ends_with(b"/") {
        whole.push(b'/');
    }
    whole.extend_from_slice(name.as_bytes());
    whole
}

/// The file, which [`Ratchet::parse`] reads.
impl fmt::Display for Ratchet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Covered lines of each file, and how many it has. `bincover ratchet` fails if coverage becomes\n\
             # less than this; `bincover ratchet --update` writes what is better.\n\
             version = {VERSION}\n\
             # Percentage points, and lines, that may be missing.\n\
             tolerance = {}\n\
             tolerance_lines = {}\n\n\
             [files]",
            self.tolerance, self.tolerance_lines
        )?;
        for (name, Tally { covered, total }) in &self.files {
            // A string of JSON is one of TOML but for this.
            let name = quoted(name).replace('\u{7f}', "\\u007f");
            writeln!(f, "{name} = [{covered}, {total}]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, tally};

    fn coverage(files: &[(&str, u64, u64)]) -> Coverage {
        let files = files.iter().map(|(name, covered, total)| {
            let mut one = file(&format!("/w/{name}"), Vec::new());
            one.summary.lines = tally(*covered, *total);
            one
        });
        Coverage {
            files: files.collect(),
            functions: Vec::new(),
        }
    }

    fn options() -> Options {
        Options {
            repository: Some("/w".into()),
            ..Options::default()
        }
    }

    fn ratchet(files: &[(&str, u64, u64)]) -> Ratchet {
        Ratchet::of(&coverage(files), &options())
    }

    fn check(ratchet: &Ratchet, now: &[(&str, u64, u64)]) -> (Vec<String>, Findings) {
        let exists = |name: &BStr| name == "/w/there.rs";
        let found = ratchet.check(&coverage(now), &options(), &exists);
        let fallen = found.fallen.iter().map(Fallen::to_string);
        (fallen.collect(), found)
    }

    #[test]
    fn the_file_is_read_as_it_is_written() {
        let mut ratchet = ratchet(&[("src/b.rs", 5, 6), ("src/a \"\u{7f}\n.rs", 42, 50)]);
        ratchet.tolerance = Percent::parse("0.50").expect("a percentage");
        ratchet.tolerance_lines = 2;
        let text = ratchet.to_string();
        let expected = "tolerance = 0.50\ntolerance_lines = 2\n\n[files]\n\
            \"src/a \\\"\\u007f\\n.rs\" = [42, 50]\n\"src/b.rs\" = [5, 6]\n";
        assert!(text.ends_with(expected), "{text}");
        let read = Ratchet::parse(&text).expect("our own");
        // A float has no zeros at its end.
        ratchet.tolerance = Percent::parse("0.5").expect("a percentage");
        assert_eq!(read, ratchet);
        assert_eq!((read.len(), read.total()), (2, tally(47, 56)));
    }

    #[test]
    fn files_that_are_shown_with_one_name_are_added_up() {
        let mut coverage = coverage(&[("a.go", 8, 10), ("b.go", 1, 7), ("c.go", 1, 1)]);
        coverage.files[0].name = b"/w/\xfe.go".as_slice().into();
        coverage.files[1].name = b"/w/\xff.go".as_slice().into();
        let ratchet = Ratchet::of(&coverage, &options());
        assert_eq!((ratchet.len(), ratchet.total()), (2, tally(10, 18)));
        let nowhere = |_: &BStr| false;
        assert!(ratchet.check(&coverage, &options(), &nowhere).holds());
        coverage.files[0].summary.lines = tally(7, 10);
        let found = ratchet.check(&coverage, &options(), &nowhere);
        assert_eq!(
            found.fallen[0].to_string(),
            "line coverage of `\u{fffd}.go` is 47.0% (8 of 17), and was 52.9% (9 of 17); 1 more line would do"
        );
    }

    #[test]
    fn files_elsewhere_are_left_out() {
        let mut coverage = coverage(&[("a.rs", 8, 10)]);
        let mut header = file("/usr/include/vector", Vec::new());
        header.summary.lines = tally(1, 100);
        coverage.files.insert(0, header);
        assert_eq!(Ratchet::of(&coverage, &options()).total(), tally(8, 10));
        assert_eq!(Ratchet::of(&coverage, &Options::default()).len(), 2);
    }

    #[test]
    fn what_is_worse_is_missed() {
        let ratchet = ratchet(&[("a.rs", 8, 10), ("b.rs", 90, 100)]);
        assert_eq!(
            check(&ratchet, &[("a.rs", 8, 10), ("b.rs", 90, 100)]).0,
            [""; 0]
        );
        assert_eq!(
            check(&ratchet, &[("a.rs", 7, 10), ("b.rs", 95, 100)]).0,
            [
                "line coverage of `a.rs` is 70.0% (7 of 10), and was 80.0% (8 of 10); 1 more line would do"
            ]
        );
        // Covered code was deleted.
        let (fallen, found) = check(&ratchet, &[("a.rs", 1, 3), ("b.rs", 90, 100)]);
        assert_eq!((fallen.len(), found.changed), (0, vec!["a.rs".to_owned()]));
        // More of it, and as well covered.
        assert!(
            check(&ratchet, &[("a.rs", 16, 20), ("b.rs", 90, 100)])
                .1
                .holds()
        );
    }

    #[test]
    fn new_files_are_held_by_all_others() {
        let ratchet = ratchet(&[("a.rs", 8, 10)]);
        let (fallen, found) = check(&ratchet, &[("a.rs", 8, 10), ("new.rs", 4, 5)]);
        assert_eq!((fallen.len(), found.new), (0, vec!["new.rs".to_owned()]));
        assert_eq!(
            check(&ratchet, &[("a.rs", 8, 10), ("new.rs", 1, 5)]).0,
            [
                "line coverage of new files is 20.0% (1 of 5), and in the ratchet it is 80.0% (8 of \
                 10); 3 more lines would do"
            ]
        );
        // What was renamed, or split up.
        assert!(check(&ratchet, &[("b.rs", 5, 6), ("c.rs", 1, 2)]).1.holds());
        assert_eq!(check(&ratchet, &[("b.rs", 4, 8)]).1.fallen[0].needed, 2);
        // A first one.
        assert!(check(&Ratchet::default(), &[("b.rs", 0, 8)]).1.holds());
    }

    #[test]
    fn a_tolerance_is_not_a_way_down() {
        let mut ratchet = ratchet(&[("a.rs", 80, 100)]);
        ratchet.tolerance = Percent::parse("1").expect("a percentage");
        let now = coverage(&[("a.rs", 79, 100)]);
        assert!(check(&ratchet, &[("a.rs", 79, 100)]).1.holds());
        assert_eq!(check(&ratchet, &[("a.rs", 78, 100)]).1.fallen[0].needed, 1);
        let nowhere = |_: &BStr| false;
        let updated = ratchet.updated(&now, &options(), &nowhere, false);
        assert_eq!(updated, ratchet);
        let lowered = ratchet.updated(&now, &options(), &nowhere, true);
        assert_eq!(lowered.total(), tally(79, 100));
        assert_eq!(lowered.tolerance, ratchet.tolerance);

        ratchet.tolerance = Percent::default();
        ratchet.tolerance_lines = 2;
        assert!(check(&ratchet, &[("a.rs", 78, 100)]).1.holds());
        assert!(!check(&ratchet, &[("a.rs", 77, 100)]).1.holds());
    }

    #[test]
    fn files_that_are_gone() {
        let ratchet = ratchet(&[("a.rs", 8, 10), ("deleted.rs", 0, 10), ("there.rs", 1, 10)]);
        let now = [("a.rs", 9, 10), ("b.rs", 1, 1)];
        let (_, found) = check(&ratchet, &now);
        assert_eq!(found.unmeasured, ["there.rs"]);
        assert_eq!(found.deleted, ["deleted.rs"]);
        assert!(!found.holds());
        let exists = |name: &BStr| name == "/w/there.rs";
        let updated = ratchet.updated(&coverage(&now), &options(), &exists, false);
        let names: Vec<&str> = updated.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["a.rs", "b.rs", "there.rs"]);
        assert_eq!(updated.files["a.rs"], tally(9, 10));
        let lowered = ratchet.updated(&coverage(&now), &options(), &exists, true);
        assert_eq!(lowered.len(), 2);
    }

    #[test]
    fn what_is_no_ratchet_is_refused() {
        for (text, expected) in [
            ("", "line 1: missing field `version`"),
            ("version = 2", "expected version 1, found 2"),
            ("version = 1\n<<<<<<< HEAD\n", "line 2: "),
            (
                "version = 1\n[files]\n'a' = [3, 2]",
                "`a`: expected at most 2",
            ),
            ("version = 1\n[files]\n'a' = [-1, 2]", "line 3: "),
            (
                "version = 1\n[files]\n'a' = [1, 2]\n'a' = [1, 2]",
                "line 4: duplicate key",
            ),
            (
                "version = 1\ntolerance = 101",
                "tolerance: expected a percentage",
            ),
            (
                "version = 1\ntolerance = nan",
                "tolerance: expected a percentage",
            ),
            (
                "version = 1\ntolerance = 'x'",
                "tolerance: expected a number",
            ),
        ] {
            let error = Ratchet::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let huge = format!(
            "version = 1\n[files]\na = [{0}, {0}]\nb = [{0}, {0}]",
            i64::MAX
        );
        assert_eq!(Ratchet::parse(&huge).expect("a ratchet").len(), 2);
    }
}
