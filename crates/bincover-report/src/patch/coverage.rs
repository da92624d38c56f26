//! A patch beside the coverage of the version after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bincover_model::{Coverage, File, Tally};
use bstr::{BString, ByteSlice};

use super::baseline::Baseline;
use super::parse::{FileChange, Opaque, Patch, PatchError};
use crate::gate::Missed;
use crate::listed::one;
use crate::missing::{GroupNames, Missing, missing};
use crate::names::repeated;
use crate::paths::{relative, slashed};
use crate::printable::printable;
use crate::{Options, Percent};

/// How much of what a patch changed was executed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatchCoverage {
    /// New lines that hold code which was measured.
    pub lines: Tally,
    /// Files of which there is something to tell, by name.
    pub files: Vec<PatchFile>,
    /// Files that changed and are not in the coverage at all, by name: documents, or code that
    /// nobody built.
    pub unmeasured: Vec<String>,
    /// Files (or submodules with files) that are in the coverage, and whose changed lines the patch
    /// does not tell. They are not counted.
    pub opaque: Vec<(String, Opaque)>,
    /// What a baseline tells besides.
    pub comparison: Option<Comparison>,
}

/// What of a file's changes was executed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatchFile {
    /// Its name now, relative to the tree.
    pub name: String,
    /// Its name before, if it was another.
    pub old_name: Option<String>,
    /// Its new lines that hold code.
    pub lines: Tally,
    /// What is not covered on new lines: code, and branches.
    pub uncovered: Vec<Uncovered>,
    /// Lines that did not change, were executed before and are no more.
    pub lost: Vec<Uncovered>,
}

/// A place that is not covered.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncovered {
    /// Where, and why.
    pub place: Missing,
    /// The innermost function around it, in source form; of a very long name the beginning. Places
    /// share it.
    pub function: Option<Arc<str>>,
}

/// What was executed before, and now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// All lines, before.
    pub before: Tally,
    /// All lines, now.
    pub now: Tally,
    /// Lines that did not change and were executed before: how many of them are still.
    pub kept: Tally,
    /// Files that were executed before, are not deleted, and are not in the coverage any more.
    pub gone: Vec<String>,
}

impl PatchCoverage {
    /// Puts a patch beside the coverage of the version after it, and, with a baseline, that of the
    /// version before.
    ///
    /// The patch's names are relative to [`Options::repository`]. Without it they are relative to
    /// the directory in which the most of them are found; so a program can have been built
    /// elsewhere.
    ///
    /// # Errors
    /// If not one file of the baseline is in the coverage: it is one of something else.
    pub fn new(
        coverage: &Coverage,
        options: &Options,
        patch: &Patch,
        baseline: Option<&Baseline>,
    ) -> Result<Self, PatchError> {
        let measured = measured(coverage, options, patch);
        let mut found = Self::default();
        let mut changes: BTreeMap<&[u8], &FileChange> = BTreeMap::new();
        for change in &patch.files {
            let Some(name) = &change.new else { continue };
            changes.insert(name, change);
            let shown = || name.to_str_lossy().into_owned();
            let is_measured = measured.contains_key(name.as_slice());
            match change.opaque {
                Some(Opaque::Binary) if is_measured => {
                    found.opaque.push((shown(), Opaque::Binary));
                }
                Some(Opaque::Submodule) if has_files_below(&measured, name) => {
                    found.opaque.push((shown(), Opaque::Submodule));
                }
                _ if !is_measured => found.unmeasured.push(shown()),
                _ => {}
            }
        }
        found.unmeasured.sort();
        found.opaque.sort_by(|a, b| a.0.cmp(&b.0));
        let unchanged = FileChange::default();
        let mut kept = Tally::default();
        for (name, file) in &measured {
            let change = changes.get(name.as_slice());
            // Then nothing is known of its old lines either.
            let is_opaque = change.is_some_and(|change| change.opaque.is_some());
            let change = change.copied().unwrap_or(&unchanged);
            let name = name.to_str_lossy().into_owned();
            let old_name = match &change.old {
                Some(old) => old.to_str_lossy().into_owned(),
                None => name.clone(),
            };
            let earlier = baseline.filter(|_| !is_opaque);
            let earlier = earlier.and_then(|baseline| baseline.file(&old_name));
            let is_lost = |line: u32| {
                let count = earlier.and_then(|file| file.count(change.before(line)?));
                count.is_some_and(|count| count > 0)
            };
            let mut one_file = PatchFile::default();
            let mut has_lost = false;
            for line in &file.lines {
                if change.is_new(line.number) {
                    one_file.lines += one(line.count);
                } else if is_lost(line.number) {
                    kept += one(line.count);
                    has_lost |= line.count == 0;
                }
            }
            if !change.edits.is_empty() {
                one_file.uncovered = uncovered(coverage, file, true, |line| change.is_new(line));
            }
            if has_lost {
                one_file.lost = uncovered(coverage, file, false, is_lost);
            }
            found.lines += one_file.lines;
            if one_file != PatchFile::default() {
                one_file.old_name = (old_name != name).then_some(old_name);
                one_file.name = name;
                found.files.push(one_file);
            }
        }
        if let Some(baseline) = baseline {
            let comparison = compare(coverage, patch, baseline, &measured, kept)?;
            found.comparison = Some(comparison);
        }
        Ok(found)
    }

    /// Whether the changed lines reach a percentage; what is missing, if they do not. A patch
    /// without a line that holds code passes.
    #[must_use]
    pub fn check(&self, percent: Percent) -> Option<Missed> {
        if self.lines.total == 0 {
            return None;
        }
        Missed::of_lines(" of changed lines", self.lines, percent)
    }

    /// Whether at most so many lines that did not change have lost their coverage; what is missing,
    /// if there are more. Without a baseline, none is known to.
    #[must_use]
    pub fn check_lost(&self, most: u64) -> Option<Missed> {
        let kept = self.comparison.as_ref()?.kept;
        if kept.total == 0 {
            return None;
        }
        let of_what = " that did not change and were executed before";
        Missed::of_uncovered_lines(of_what, kept, most)
    }
}

/// Which of these names, relative to what those of the patch are relative to, are files of the
/// coverage.
#[must_use]
pub fn measured_names<'n>(
    coverage: &Coverage,
    options: &Options,
    patch: &Patch,
    names: &'n [BString],
) -> Vec<&'n BString> {
    let measured = measured(coverage, options, patch);
    let names = names.iter();
    names
        .filter(|name| measured.contains_key(name.as_slice()))
        .collect()
}

/// The files of a coverage by name, as a patch would name them.
fn measured<'c>(
    coverage: &'c Coverage,
    options: &Options,
    patch: &Patch,
) -> BTreeMap<BString, &'c File> {
    let mut root = options.repository.clone().unwrap_or_default();
    if options.repository.is_none() {
        root = likely_root(coverage, patch);
    }
    let files = coverage.measured_files().map(|file| {
        let name = relative(&file.name, &root);
        (BString::from(slashed(name).into_owned()), file)
    });
    files.collect()
}

/// The directory in which the most files of a patch are; the shortest of such.
fn likely_root(coverage: &Coverage, patch: &Patch) -> BString {
    let names: BTreeSet<&[u8]> = patch
        .files
        .iter()
        .filter_map(|change| change.new.as_ref().map(|name| name.as_slice()))
        .collect();
    // Ends of a name are compared that are as long as one of the patch's: of a long name with very many parts, few.
    let lengths: BTreeSet<usize> = names.iter().map(|name| name.len()).collect();
    let mut votes: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for file in coverage.measured_files() {
        let name = slashed(&file.name);
        for length in lengths.range(..=name.len()) {
            let (root, rest) = name.split_at(name.len() - length);
            let is_end = root.is_empty() || root.ends_with(b"/");
            if is_end && names.contains(rest) {
                *votes.entry(root.to_owned()).or_default() += 1;
            }
        }
    }
    let best = votes
        .into_iter()
        .max_by(|(a, votes), (b, others)| votes.cmp(others).then(b.len().cmp(&a.len())));
    best.map_or_else(BString::default, |(root, _)| root.into())
}

fn has_files_below(measured: &BTreeMap<BString, &File>, folder: &BString) -> bool {
    let mut start = folder.clone();
    start.push(b'/');
    let next = measured.range(start.clone()..).next();
    next.is_some_and(|(name, _)| name.starts_with(&start))
}

/// What is not covered, of the lines that are wanted: pieces of code that are cut to them, and, if
/// `with_columns`, branches and pieces of lines.
fn uncovered(
    coverage: &Coverage,
    file: &File,
    with_columns: bool,
    is_wanted: impl Fn(u32) -> bool,
) -> Vec<Uncovered> {
    let all = missing(coverage, file);
    let mut found: Vec<Missing> = Vec::new();
    let mut next_line = 0;
    for piece in &all {
        let Some((first, last)) = piece.lines else {
            if with_columns && is_wanted(piece.start.line) {
                found.push(piece.clone());
            }
            continue;
        };
        let from = file.lines.partition_point(|line| line.number < first);
        let from = from.max(next_line);
        let to = file.lines.partition_point(|line| line.number <= last);
        next_line = to.max(next_line);
        let lines = file.lines.get(from..to).unwrap_or_default();
        let runs = lines.chunk_by(|a, b| {
            let is_part = |line: &bincover_model::Line| line.count == 0 && is_wanted(line.number);
            is_part(a) == is_part(b)
        });
        for run in runs {
            let (Some(start), Some(end)) = (run.first(), run.last()) else {
                continue;
            };
            if start.count > 0 || !is_wanted(start.number) {
                continue;
            }
            let mut one = piece.clone();
            one.lines = Some((start.number, end.number));
            one.line_count = run.len() as u64;
            found.push(one);
        }
    }
    found.sort_by_key(|one| (one.first_line(), one.start.column));
    let groups = GroupNames::new(coverage, file);
    let mut functions: HashMap<usize, Arc<str>> = HashMap::new();
    let found = found.into_iter().map(|place| {
        let name = groups.around(&place);
        let function = place.group.zip(name).map(|(group, name)| {
            let function = functions.entry(group).or_insert_with(|| name.into());
            Arc::clone(function)
        });
        Uncovered { place, function }
    });
    found.collect()
}

fn compare(
    coverage: &Coverage,
    patch: &Patch,
    baseline: &Baseline,
    measured: &BTreeMap<BString, &File>,
    kept: Tally,
) -> Result<Comparison, PatchError> {
    let renamed: BTreeMap<String, Option<&BString>> = patch
        .files
        .iter()
        .filter_map(|change| {
            let old = change.old.as_ref()?;
            Some((old.to_str_lossy().into_owned(), change.new.as_ref()))
        })
        .collect();
    let now: BTreeSet<String> = measured
        .keys()
        .map(|name| name.to_str_lossy().into_owned())
        .collect();
    let mut gone = Vec::new();
    let mut common = 0;
    for (name, was_executed) in baseline.files() {
        let new = match renamed.get(name) {
            Some(None) => continue,
            Some(Some(new)) => new.to_str_lossy().into_owned(),
            None => name.to_owned(),
        };
        match now.contains(&new) {
            true => common += 1,
            false if was_executed => gone.push(new),
            false => {}
        }
    }
    let shown = |name: Option<&String>| {
        name.map(|name| printable(&repeated(name)))
            .unwrap_or_default()
    };
    if common == 0 && !gone.is_empty() && !now.is_empty() {
        return Err(PatchError::new(format!(
            "no file of the baseline is in the coverage: it has `{}` and the coverage `{}`",
            shown(gone.first()),
            shown(now.first())
        )));
    }
    Ok(Comparison {
        before: baseline.lines,
        now: coverage.totals().lines,
        kept,
        gone,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::missing::Reason;
    use crate::testing::{file, lines, one_of_everything, tally};

    fn change(name: &str, edits: &[[u32; 4]]) -> FileChange {
        let edits = edits.iter().map(|[a, b, c, d]| super::super::Edit {
            old: super::super::Lines {
                first: *a,
                count: *b,
            },
            new: super::super::Lines {
                first: *c,
                count: *d,
            },
        });
        FileChange {
            old: Some(name.into()),
            new: Some(name.into()),
            edits: edits.collect(),
            opaque: None,
        }
    }

    pub(in super::super) fn patch(files: Vec<FileChange>) -> Patch {
        Patch { files }
    }

    fn in_repository() -> Options {
        Options {
            repository: Some("/w".into()),
            ..Options::default()
        }
    }

    fn baseline(files: &[(&str, &str)]) -> Baseline {
        let files = files
            .iter()
            .map(|(name, lines)| format!(r#"{{"name":"{name}","lines":{lines}}}"#));
        let files: Vec<String> = files.collect();
        let files = files.join(",");
        let json = format!(
            r#"{{"version":1,"totals":{{"lines":{{"covered":5,"total":6}}}},"files":[{files}]}}"#
        );
        Baseline::parse(json.as_bytes()).expect("a report")
    }

    fn two_files() -> Coverage {
        let one = file(
            "/w/src/a.rs",
            lines(&[(1, 3), (2, 0), (3, 0), (5, 0), (6, 1)]),
        );
        let two = file("/w/src/b.rs", lines(&[(1, 0), (2, 1)]));
        Coverage {
            files: vec![one, two],
            functions: Vec::new(),
        }
    }

    pub(in super::super) fn example() -> PatchCoverage {
        let mut renamed = change("src/b.rs", &[]);
        renamed.old = Some("src/old.rs".into());
        let mut logo = change("logo.png", &[]);
        logo.opaque = Some(Opaque::Binary);
        let changed = change("src/a.rs", &[[2, 1, 2, 1], [4, 0, 4, 3]]);
        let patch = patch(vec![changed, renamed, logo]);
        let before = baseline(&[
            ("src/a.rs", "[[1,3,1]]"),
            ("src/old.rs", "[[1,2,1]]"),
            ("src/c.rs", "[[1,1,1]]"),
        ]);
        PatchCoverage::new(&two_files(), &in_repository(), &patch, Some(&before))
            .expect("a baseline of these files")
    }

    #[test]
    fn new_lines_are_counted_and_old_ones_compared() {
        let found = example();
        assert_eq!(found.lines, tally(1, 3));
        let [a, b] = &found.files[..] else {
            panic!("{:?}", found.files)
        };
        assert_eq!((a.name.as_str(), a.lines), ("src/a.rs", tally(1, 3)));
        let places = |found: &[Uncovered]| -> Vec<String> {
            found.iter().map(|one| one.place.place()).collect()
        };
        // Line 3 is old: it parts what is one piece otherwise.
        assert_eq!(places(&a.uncovered), ["2", "5"]);
        assert_eq!(places(&a.lost), ["3"]);
        assert_eq!(a.lost[0].place.reason, Reason::NotReached);
        assert_eq!(b.old_name.as_deref(), Some("src/old.rs"));
        assert_eq!(
            (b.lines, places(&b.lost)),
            (tally(0, 0), vec!["1".to_owned()])
        );
        assert_eq!(found.unmeasured, ["logo.png"]);
        let comparison = found.comparison.as_ref().expect("there is a baseline");
        assert_eq!(comparison.kept, tally(2, 4));
        assert_eq!(comparison.gone, ["src/c.rs"]);
    }

    #[test]
    fn gates() {
        let found = example();
        let percent = |text| Percent::parse(text).expect("a percentage");
        assert_eq!(found.check(percent("33.3")), None);
        assert_eq!(
            found.check(percent("60")).expect("it is less").to_string(),
            "line coverage of changed lines is 33.3% (1 of 3), below 60%; 1 more line would do"
        );
        assert_eq!(found.check_lost(2), None);
        assert_eq!(
            found.check_lost(0).expect("there are two").to_string(),
            "2 lines that did not change and were executed before are not covered, more than 0; \
             2 more lines would do"
        );
        let nothing = PatchCoverage::default();
        assert_eq!(nothing.check(percent("100")), None);
        assert_eq!(nothing.check_lost(0), None);
    }

    #[test]
    fn branches_on_new_lines_are_listed() {
        let coverage = one_of_everything();
        let patch = patch(vec![change("a.c", &[[4, 1, 4, 1], [14, 1, 14, 1]])]);
        let found = PatchCoverage::new(&coverage, &in_repository(), &patch, None).expect("found");
        let listed: Vec<String> = found.files[0]
            .uncovered
            .iter()
            .map(|one| {
                format!(
                    "{} {} {:?}",
                    one.place.place(),
                    one.place.reason.words(),
                    one.function
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                "4:16 branch never false Some(\"a.c:inner\")",
                "14 region not reached Some(\"main\")"
            ]
        );
        assert_eq!(found.lines, tally(1, 2));
    }

    #[test]
    fn a_program_that_was_built_elsewhere() {
        let patch = patch(vec![
            change("src/a.rs", &[[1, 0, 1, 9]]),
            change("src/b.rs", &[[1, 0, 1, 9]]),
            change("a.rs", &[[1, 0, 1, 9]]),
        ]);
        let found = PatchCoverage::new(&two_files(), &Options::default(), &patch, None);
        let found = found.expect("no baseline");
        assert_eq!(
            (found.lines, found.unmeasured),
            (tally(3, 7), vec!["a.rs".to_owned()])
        );
    }

    #[test]
    fn what_a_patch_does_not_tell_is_said() {
        let mut binary = change("src/a.rs", &[]);
        binary.opaque = Some(Opaque::Binary);
        let mut submodule = change("src", &[]);
        submodule.opaque = Some(Opaque::Submodule);
        let mut other = submodule.clone();
        other.new = Some("sr".into());
        let patch = patch(vec![binary, submodule, other]);
        let before = baseline(&[("src/a.rs", "[[1,9,1]]")]);
        let found = PatchCoverage::new(&two_files(), &in_repository(), &patch, Some(&before));
        let found = found.expect("a baseline of these files");
        assert_eq!(
            found.opaque,
            [
                ("src".to_owned(), Opaque::Submodule),
                ("src/a.rs".to_owned(), Opaque::Binary)
            ]
        );
        assert_eq!(found.unmeasured, ["sr"]);
        assert!(
            found.files.is_empty(),
            "nothing is known of old lines either"
        );
    }

    #[test]
    fn a_baseline_of_something_else_is_an_error() {
        let long = "x".repeat(5000);
        for (name, shown) in [
            ("lib/x.rs", "lib/x.rs"),
            ("\\u001b[2J", "\u{fffd}[2J"),
            (&long, &format!("{}…", &long[..4096])),
        ] {
            let before = baseline(&[(name, "[[1,9,1]]")]);
            let patch = Patch::default();
            let found = PatchCoverage::new(&two_files(), &in_repository(), &patch, Some(&before));
            let error = found.expect_err("no common file").to_string();
            let words = format!("has `{shown}` and the coverage `src/a.rs`");
            assert!(error.contains(&words), "{error}");
        }
    }
}
