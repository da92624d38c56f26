//! Where the files of a report lie here: names that compilers recorded elsewhere (in a container,
//! on another machine, with a prefix remapped) to names of this machine.
//!
//! For each name, in this order: the longest prefix that is mapped is replaced; if there is no such
//! file then, it may be looked for among those that git knows, by the end of its name. Nothing is
//! opened, and a name decides nothing but which file is read as its source.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bincover_model::{Coverage, ExcludedPart, ExcludedRange, FileId};
use bstr::{BStr, BString, ByteSlice, ByteVec};

use crate::error::Result;
use crate::exclusions::{range, shown};
use crate::git::Git;
use crate::limits::MAX_CANDIDATES;

/// A prefix that stands for another.
///
/// ```
/// # use bincover::PathMap;
/// let map: PathMap = r"C:\ci\app=/home/me/app".parse()?;
/// assert_eq!(map.apply(br"C:\ci\app\src\a.c").unwrap(), "/home/me/app/src/a.c");
/// assert_eq!(map.apply(br"C:\ci\application\a.c"), None);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathMap {
    from: BString,
    to: BString,
}

impl PathMap {
    /// One that replaces `from`, whole components of it, with `to`. An empty `to` leaves the rest of
    /// a name, which is relative then.
    #[must_use]
    pub fn new(from: impl Into<BString>, to: impl Into<BString>) -> Self {
        let trimmed = |mut path: BString| {
            while path.len() > 1 && path.last().is_some_and(|byte| is_separator(*byte)) {
                path.pop();
            }
            path
        };
        Self {
            from: trimmed(from.into()),
            to: trimmed(to.into()),
        }
    }

    /// The name with its prefix replaced, if it has it. What is behind the prefix has `/` between
    /// its components then, if the prefix is of Windows.
    #[must_use]
    pub fn apply(&self, name: &[u8]) -> Option<BString> {
        let rest = name.strip_prefix(self.from.as_slice())?;
        let ends_open = self.from.last().is_some_and(|byte| is_separator(*byte));
        if !ends_open && !rest.is_empty() && !is_separator(rest[0]) {
            return None;
        }
        let start = rest.iter().position(|byte| !is_separator(*byte));
        let mut rest: Vec<u8> = rest[start.unwrap_or(rest.len())..].to_vec();
        if self.from.contains(&b'\\') {
            rest = rest.replace(b"\\", b"/");
        }
        let mut mapped = self.to.clone();
        if !mapped.is_empty() && !rest.is_empty() && !mapped.ends_with(b"/") {
            mapped.push(b'/');
        }
        mapped.extend_from_slice(&rest);
        Some(mapped)
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

impl FromStr for PathMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() => Ok(Self::new(from, to)),
            _ => Err(format!("expected FROM=TO, found `{text}`")),
        }
    }
}

impl fmt::Display for PathMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

/// How names become those of this machine. The default leaves them as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathRules {
    /// Prefixes; of several that a name has, the longest is replaced.
    pub maps: Vec<PathMap>,
    /// Files that do not exist are looked for among those that git knows.
    pub find_moved: bool,
    /// Files that do not exist, after all that, are left out.
    pub only_found: bool,
}

/// What became of a name, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTrace {
    /// As it was recorded.
    pub original: BString,
    /// What was done, in order.
    pub steps: Vec<PathStep>,
    /// As reports have it, or make theirs of.
    pub name: BString,
    /// The file is left out.
    pub is_dropped: bool,
}

/// A step of a name's way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathStep {
    /// A prefix was replaced.
    Mapped {
        /// The rule.
        map: PathMap,
        /// The name since.
        to: BString,
    },
    /// There is such a file.
    Found,
    /// There is none, and git knows one whose name ends alike.
    Moved {
        /// How many components at the end are the same.
        components: usize,
        /// The name since.
        to: BString,
    },
    /// There is none, and git knows several whose names end alike.
    Ambiguous {
        /// How many.
        count: usize,
        /// The first few of them, relative to the repository.
        candidates: Vec<BString>,
    },
    /// There is none, and git knows none; or it was not asked.
    NotFound {
        /// Why it was not looked for, if it was not.
        why: &'static str,
    },
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mapped { map, to } => write!(
                f,
                "--map {}: {}",
                shown(map.to_string().as_bytes().as_bstr()),
                shown(to.as_bstr())
            ),
            Self::Found => f.write_str("there is such a file"),
            Self::Moved { components, to } => {
                let parts = if *components == 1 { "part" } else { "parts" };
                write!(
                    f,
                    "there is no such file; --find-moved: git knows one with the same last \
                     {components} {parts}: {}",
                    shown(to.as_bstr())
                )
            }
            Self::Ambiguous { count, candidates } => {
                let names = candidates.iter().map(|name| shown(name.as_bstr()));
                let names: Vec<String> = names.collect();
                let more = if *count > names.len() { ", …" } else { "" };
                write!(
                    f,
                    "there is no such file; --find-moved: git knows {count} that end alike, so none is \
                     taken: {}{more}",
                    names.join(", ")
                )
            }
            Self::NotFound { why } => {
                f.write_str("there is no such file")?;
                match *why {
                    "" => Ok(()),
                    why => write!(f, "; {why}"),
                }
            }
        }
    }
}

/// Rules, with what git knows.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    rules: PathRules,
    /// The repository.
    root: PathBuf,
    /// The files that git knows, relative to it, in the order of their components from the last one on:
    /// those that end alike are beside each other.
    tracked: Vec<BString>,
}

/// Folders of compilers and package managers, which are no part of a repository though their files
/// may end as some of its do.
const FOREIGN: [&[u8]; 5] = [
    b"/rustc/",
    b"/registry/src/",
    b"/git/checkouts/",
    b"/pkg/mod/",
    b"/usr/",
];

impl PathRules {
    /// Asks git, if it has to be, for the files of the repository that a folder is in.
    ///
    /// # Errors
    /// If git cannot be asked.
    pub fn prepare(&self, folder: &Path) -> Result<Paths> {
        let mut paths = Paths {
            rules: self.clone(),
            ..Paths::default()
        };
        if self.find_moved {
            let root = Git { folder }.done(["rev-parse", "--show-toplevel"])?;
            let root = root.strip_suffix(b"\n").unwrap_or(&root);
            paths.root = root.to_path_lossy().into_owned();
            let listing = [
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ];
            let folder = &paths.root;
            let files = Git { folder }.done(listing)?;
            let files = files.split(|byte| *byte == 0);
            let files = files.filter(|file| !file.is_empty()).map(BString::from);
            paths.tracked = files.collect();
            paths
                .tracked
                .sort_unstable_by(|a, b| backwards(a).cmp(backwards(b)));
            // One with a conflict is listed several times.
            paths.tracked.dedup();
        }
        Ok(paths)
    }
}

impl Paths {
    /// The way of a name.
    #[must_use]
    pub fn trace(&self, name: &BStr) -> PathTrace {
        let mut trace = PathTrace {
            original: name.to_owned(),
            steps: Vec::new(),
            name: name.to_owned(),
            is_dropped: false,
        };
        let fitting = self.rules.maps.iter();
        let fitting = fitting.filter_map(|map| Some((map, map.apply(name)?)));
        // Of two that are as long, the first.
        let longest = fitting.rev().max_by_key(|(map, _)| map.from.len());
        if let Some((map, to)) = longest {
            trace.name = to.clone();
            let map = map.clone();
            trace.steps.push(PathStep::Mapped { map, to });
        }
        if exists(&trace.name) {
            trace.steps.push(PathStep::Found);
            return trace;
        }
        let step = match self.rules.find_moved {
            true => self.look_for(&trace.name),
            false => PathStep::NotFound { why: "" },
        };
        match &step {
            PathStep::Moved { to, .. } => trace.name = to.clone(),
            _ => trace.is_dropped = self.rules.only_found,
        }
        trace.steps.push(step);
        trace
    }

    fn look_for(&self, name: &BString) -> PathStep {
        let slashed = name.replace(b"\\", b"/");
        if FOREIGN.iter().any(|folder| slashed.contains_str(folder)) {
            return PathStep::NotFound {
                why: "--find-moved: it is of a compiler, a package or the system, not of a \
                      repository",
            };
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in slashed.split_str("/") {
            match part {
                b"" | b"." => {}
                // What is before it may be anything.
                b".." => parts.clear(),
                part => parts.push(part),
            }
        }
        parts.reverse();
        // Of the files that are next to where it would be, one ends like it most.
        let place = self
            .tracked
            .partition_point(|file| backwards(file).lt(parts.iter().copied()));
        let next = self.tracked[..place].last().into_iter();
        let next = next.chain(self.tracked.get(place));
        let best = next.map(|file| alike(file, &parts)).max().unwrap_or(0);
        let end = &parts[..best];
        let first = self
            .tracked
            .partition_point(|file| by_end(file, end) == Ordering::Less);
        let found = self.tracked[first..].partition_point(|file| by_end(file, end).is_eq());
        let mut found = &self.tracked[first..first + found];
        // A repository that lay elsewhere as it lies here: the shortest comes first.
        if let [whole, _, ..] = found
            && backwards(whole).count() == best
        {
            found = &found[..1];
        }
        let is_whole = |file: &BString| parts.len() == 1 || !file.contains(&b'/');
        match found {
            // One part is little: it does only if it is all of either name.
            [file, ..] if best == 1 && !is_whole(file) => NONE_ALIKE,
            _ if best == 0 => NONE_ALIKE,
            [] => NONE_ALIKE,
            [one] => {
                let mut to: Vec<u8> = Vec::from_path_lossy(&self.root).into_owned();
                to.push(b'/');
                to.extend_from_slice(one);
                PathStep::Moved {
                    components: best,
                    to: to.into(),
                }
            }
            several => PathStep::Ambiguous {
                count: several.len(),
                candidates: several.iter().take(MAX_CANDIDATES).cloned().collect(),
            },
        }
    }

    /// Gives a report's files their names here and leaves out what is to be, and says what became
    /// of each that has another name or is out.
    #[must_use]
    pub fn apply(&self, coverage: Coverage) -> (Coverage, Vec<PathTrace>) {
        self.apply_to_each(vec![coverage], |mut reports| {
            reports.pop().unwrap_or_default()
        })
    }

    /// As [`Paths::apply`], of several reports that are put together. Their files have their names here
    /// before that, so that those of one file are put together as such.
    #[must_use]
    pub fn apply_to_each(
        &self,
        mut reports: Vec<Coverage>,
        put_together: impl FnOnce(Vec<Coverage>) -> Coverage,
    ) -> (Coverage, Vec<PathTrace>) {
        if self.rules == PathRules::default() {
            return (put_together(reports), Vec::new());
        }
        // By the names that were recorded, with whether there is anything of the file.
        let mut traces: BTreeMap<BString, (PathTrace, bool)> = BTreeMap::new();
        for report in &mut reports {
            let mut names = Vec::with_capacity(report.files.len());
            for file in &report.files {
                let (trace, is_measured) = traces
                    .entry(file.name.clone())
                    .or_insert_with(|| (self.trace(file.name.as_bstr()), false));
                *is_measured |= !file.is_blank();
                names.push(trace.name.clone());
            }
            let old = report.files.iter().map(|file| &file.name);
            if !names.iter().eq(old) {
                *report = std::mem::take(report).renamed(names);
            }
        }
        let mut coverage = put_together(reports);
        let mut is_dropped: HashMap<&BString, bool> = HashMap::new();
        for (trace, _) in traces.values() {
            *is_dropped.entry(&trace.name).or_insert(true) &= trace.is_dropped;
        }
        let rule: Arc<str> = "only-found".into();
        let files = (0..=u32::MAX).map(FileId).zip(&coverage.files);
        let dropped = files.filter(|(_, file)| !file.is_blank());
        let dropped = dropped.filter(|(_, file)| is_dropped.get(&file.name) == Some(&true));
        let dropped =
            dropped.map(|(id, _)| (id, vec![range(1, u32::MAX, ExcludedPart::File, &rule)]));
        let dropped: Vec<(FileId, Vec<ExcludedRange>)> = dropped.collect();
        coverage.exclude(dropped);
        let is_told = |trace: &PathTrace| trace.is_dropped || trace.name != trace.original;
        let told = traces
            .into_values()
            .filter(|(trace, is_measured)| *is_measured && is_told(trace));
        (coverage, told.map(|(trace, _)| trace).collect())
    }
}

const NONE_ALIKE: PathStep = PathStep::NotFound {
    why: "--find-moved: git knows none whose name ends alike",
};

/// The components of a file that git knows, the last one first.
fn backwards(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.rsplit(|byte| *byte == b'/')
}

/// How many of these components a file ends in; they are backwards too.
fn alike(file: &[u8], parts: &[&[u8]]) -> usize {
    let pairs = backwards(file).zip(parts);
    pairs.take_while(|(a, b)| a == *b).count()
}

/// Whether a file comes before those that end in these components, is one of them, or comes behind.
fn by_end(file: &[u8], end: &[&[u8]]) -> Ordering {
    backwards(file).take(end.len()).cmp(end.iter().copied())
}

/// Whether there is a regular file of this name, from the working folder if it is relative.
fn exists(name: &[u8]) -> bool {
    name.to_path().is_ok_and(Path::is_file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bincover_model::{File, Line, Summary, Tally};

    use super::*;

    fn map(text: &str, name: &str) -> Option<String> {
        let map: PathMap = text.parse().unwrap();
        Some(map.apply(name.as_bytes())?.to_string())
    }

    #[test]
    fn prefixes_are_whole_components() {
        let mapped = |text: &str| Some(text.to_owned());
        assert_eq!(map("/build=/w", "/build/a.c"), mapped("/w/a.c"));
        assert_eq!(map("/build/=/w/", "/build//a.c"), mapped("/w/a.c"));
        assert_eq!(map("/build=/w", "/builder/a.c"), None);
        assert_eq!(map("/build=", "/build/src/a.c"), mapped("src/a.c"));
        assert_eq!(map("/=/host", "/a.c"), mapped("/host/a.c"));
        assert_eq!(map("src=/w/src", "src/a.c"), mapped("/w/src/a.c"));
        assert_eq!(map(r"D:\a=/w", r"D:\a\b\c.rs"), mapped("/w/b/c.rs"));
        assert_eq!(map(r"D:/a=/w", r"D:/a/b\c.rs"), mapped(r"/w/b\c.rs"));
        for wrong in ["", "=", "=/w", "/build"] {
            assert!(wrong.parse::<PathMap>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_prefix_is_replaced_once() {
        let rules = PathRules {
            maps: ["/b=/c", "/b/sub=/elsewhere", "/c=/wrong"]
                .map(|map| map.parse().unwrap())
                .to_vec(),
            ..PathRules::default()
        };
        let paths = rules.prepare(Path::new("/")).unwrap();
        assert_eq!(paths.trace(b"/b/sub/a.c".as_bstr()).name, "/elsewhere/a.c");
        assert_eq!(paths.trace(b"/b/a.c".as_bstr()).name, "/c/a.c");
    }

    /// A repository with these files.
    fn repository(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let git = Git {
            folder: folder.path(),
        };
        git.done(["init", "--quiet"]).unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        folder
    }

    #[test]
    fn files_that_were_elsewhere_are_found_by_the_end_of_their_names() {
        let folder = repository(&[
            "main.c",
            "src/lib.rs",
            "src/a.rs",
            "crates/one/src/a.rs",
            "crates/two/src/a.rs",
            "odd/b.c",
            "c.c",
            "deep/c.c",
        ]);
        let rules = PathRules {
            find_moved: true,
            ..PathRules::default()
        };
        let paths = rules.prepare(folder.path()).unwrap();
        let root = paths.root.to_str().unwrap().to_owned();
        let trace = |name: &str| paths.trace(name.as_bytes().as_bstr());
        for (name, expected) in [
            ("/ci/app/src/a.rs", "src/a.rs"),
            ("/ci/app/crates/one/src/a.rs", "crates/one/src/a.rs"),
            ("one/src/a.rs", "crates/one/src/a.rs"),
            ("/ci/../two/src/./a.rs", "crates/two/src/a.rs"),
            (r"D:\a\app\crates\two\src\a.rs", "crates/two/src/a.rs"),
            ("/ci/main.c", "main.c"),
            ("b.c", "odd/b.c"),
            ("/ci/c.c", "c.c"),
        ] {
            assert_eq!(trace(name).name, format!("{root}/{expected}"), "{name}");
        }
        for name in [
            "/rustc/0123/library/core/src/lib.rs",
            "/root/.cargo/registry/src/index-1/x-1.0.0/src/lib.rs",
            "/ci/else/b.c",
            "/ci/none.c",
            "",
            "/",
            "..",
            "/ci/src/..",
            "a\0b",
            "\u{1b}[31m",
        ] {
            assert_eq!(trace(name).name, name);
            assert!(
                matches!(trace(name).steps[..], [PathStep::NotFound { .. }]),
                "{name}"
            );
        }
        let ambiguous = trace("/ci/crates/three/src/a.rs");
        // `src/a.rs` is there as a whole.
        assert_eq!(ambiguous.name, format!("{root}/src/a.rs"));
        fs::remove_file(folder.path().join("src/a.rs")).unwrap();
        let paths = rules.prepare(folder.path()).unwrap();
        let ambiguous = paths.trace(b"/ci/crates/three/src/a.rs".as_bstr());
        assert_eq!(
            ambiguous.steps[0].to_string(),
            "there is no such file; --find-moved: git knows 2 that end alike, so none is taken: \
             crates/one/src/a.rs, crates/two/src/a.rs"
        );
    }

    fn coverage(names: &[&str]) -> Coverage {
        let file = |name: &&str| File {
            name: (*name).into(),
            lines: vec![Line {
                number: 1,
                count: 2,
            }],
            summary: Summary {
                lines: Tally {
                    covered: 1,
                    total: 1,
                },
                ..Summary::default()
            },
            ..File::default()
        };
        Coverage {
            files: names.iter().map(file).collect(),
            functions: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_there_is_left_out_on_request_and_something_has_to_be_left() {
        let folder = repository(&["src/a.c"]);
        let rules = PathRules {
            maps: vec![PathMap::new(
                "/ci",
                Vec::from_path_lossy(folder.path()).into_owned(),
            )],
            only_found: true,
            ..PathRules::default()
        };
        let paths = rules.prepare(folder.path()).unwrap();
        let (left, told) = paths.apply(coverage(&["/ci/src/a.c", "/gone/b.c"]));
        let names: Vec<_> = left
            .measured_files()
            .map(|file| file.name.to_string())
            .collect();
        assert_eq!(names, [folder.path().join("src/a.c").to_str().unwrap()]);
        assert_eq!(told.len(), 2);
        assert!(told[1].is_dropped && told[1].original == "/gone/b.c");
        assert_eq!(left.excluded_files().count(), 1);
        let (none, _) = paths.apply(coverage(&["/gone/b.c"]));
        let error = crate::check_left(&none).unwrap_err().to_string();
        assert!(error.contains("1 by only-found"), "{error}");
    }

    #[test]
    fn what_is_one_file_here_is_one_in_the_report() {
        let rules = PathRules {
            maps: ["/x=/w", "/y=/w"].map(|map| map.parse().unwrap()).to_vec(),
            ..PathRules::default()
        };
        let paths = rules.prepare(Path::new("/")).unwrap();
        let (joined, told) = paths.apply(coverage(&["/x/a.c", "/y/a.c"]));
        assert_eq!((joined.files.len(), told.len()), (1, 2));
        assert_eq!(
            joined.files[0].lines,
            [Line {
                number: 1,
                count: 4
            }]
        );
        assert_eq!(
            joined.files[0].summary.lines,
            Tally {
                covered: 1,
                total: 1
            }
        );
        // Of several reports, each has the names before they are put together.
        let reports = vec![coverage(&["/x/a.c"]), coverage(&["/y/a.c", "/z.c"])];
        let mut names = Vec::new();
        let (_, told) = paths.apply_to_each(reports, |reports| {
            let files = reports.iter().flat_map(|report| &report.files);
            names = files.map(|file| file.name.to_string()).collect();
            Coverage::default()
        });
        assert_eq!(names, ["/w/a.c", "/w/a.c", "/z.c"]);
        let told: Vec<_> = told
            .iter()
            .map(|trace| trace.original.to_string())
            .collect();
        assert_eq!(told, ["/x/a.c", "/y/a.c"]);
    }

    /// Each of these names could be any of the files; all of them together would be 2^24 paths.
    #[test]
    fn of_many_files_that_end_alike_a_few_are_named() {
        let mut paths = Paths {
            rules: PathRules {
                find_moved: true,
                ..PathRules::default()
            },
            root: "/w".into(),
            tracked: Vec::new(),
        };
        let count = 1 << 12;
        let tracked = (0..count).map(|number| format!("c{number:04}/src/lib.rs").into());
        paths.tracked = tracked.collect();
        for number in 0..count {
            let trace = paths.trace(format!("/ci/x{number}/src/lib.rs").as_bytes().as_bstr());
            let [
                PathStep::Ambiguous {
                    count: of,
                    candidates,
                },
            ] = &trace.steps[..]
            else {
                panic!("{trace:?}");
            };
            assert_eq!((*of, candidates.len()), (count, MAX_CANDIDATES));
        }
        let trace = paths.trace(b"/ci/x/src/lib.rs".as_bstr());
        assert_eq!(
            trace.steps[0].to_string(),
            "there is no such file; --find-moved: git knows 4096 that end alike, so none is taken: \
             c0000/src/lib.rs, c0001/src/lib.rs, c0002/src/lib.rs, c0003/src/lib.rs, \
             c0004/src/lib.rs, …"
        );
    }
}
