//! A patch as git or `diff -u` writes it, for what it says of line numbers.
//!
//! The format is git's ([diff-format](https://git-scm.com/docs/diff-format)), read by the crate
//! `diffy`; git 2.47 and GNU diff 3.10 were tested. What a patch does not say of lines (modes,
//! contents of binary files) is not kept. A patch that is not understood as a whole is an error:
//! a hunk that was overlooked would be a line that nobody asks for.

use std::collections::BTreeSet;
use std::fmt;

use bstr::{BStr, BString, ByteSlice};
use diffy::patch_set::{FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet};
use diffy::{Hunk, Line};

use crate::limits::{MAX_NAMES, MAX_QUOTED_NAMES};
use crate::names::repeated;
use crate::printable::printable;

/// What changed between two versions of a tree, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The files, as they come in the patch; each new name once.
    pub files: Vec<FileChange>,
}

/// What changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    /// Its name before, relative to the tree; `None` if it is new, or a copy of another.
    pub old: Option<BString>,
    /// Its name now; `None` if it was deleted.
    pub new: Option<BString>,
    /// Lines that took the place of others, in their order; without those around them.
    pub edits: Vec<Edit>,
    /// Why its lines are not in the patch, if they are not.
    pub opaque: Option<Opaque>,
}

/// Why the lines of a file that changed are not in a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// It was taken for a binary file.
    Binary,
    /// It is a submodule: of its files, nothing is said.
    Submodule,
}

impl Opaque {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Binary => "changed as a binary file, so its lines are not in the patch",
            Self::Submodule => "a submodule, whose files are not in the patch",
        }
    }
}

/// Lines that took the place of others. Either may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Those that are gone.
    pub old: Lines,
    /// Those that are new.
    pub new: Lines,
}

/// Lines in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The first, 1-based; of none, the line before which they would be.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Lines {
    /// The line after them. It fits: [`Patch::parse`] refuses larger ones.
    fn end(self) -> u32 {
        self.first.saturating_add(self.count)
    }
}

impl FileChange {
    /// Whether a line of the new version is new.
    #[must_use]
    pub fn is_new(&self, line: u32) -> bool {
        let (last, _) = self.around(line);
        last.is_some_and(|edit| line < edit.new.end())
    }

    /// The number that a line of the new version had in the old one; `None` if it is new, or if
    /// that is not known: between edits there can be lines more or fewer, if the patch was made to
    /// say nothing of blank ones.
    #[must_use]
    pub fn before(&self, line: u32) -> Option<u32> {
        let (last, next) = self.around(line);
        let (old, new) = last.map_or((1, 1), |edit| (edit.old.end(), edit.new.end()));
        let beyond = line.checked_sub(new)?;
        let is_known = next
            .is_none_or(|next| next.old.first.checked_sub(old) == next.new.first.checked_sub(new));
        old.checked_add(beyond).filter(|_| is_known)
    }

    /// The last edit that begins at a line of the new version or before it, and the next one.
    fn around(&self, line: u32) -> (Option<&Edit>, Option<&Edit>) {
        let next = self.edits.partition_point(|edit| edit.new.first <= line);
        let last = next.checked_sub(1).and_then(|at| self.edits.get(at));
        (last, self.edits.get(next))
    }
}

/// Why a patch was not understood, or does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchError {
    reason: String,
}

impl PatchError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason }
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for PatchError {}

fn error<T>(reason: impl Into<String>) -> Result<T, PatchError> {
    Err(PatchError::new(reason))
}

fn shown(name: &[u8]) -> String {
    format!("`{}`", readable(&name.to_str_lossy()))
}

/// What a patch says, where it is told of: a name, or any part of a line.
fn readable(text: &str) -> String {
    printable(&repeated(text))
}

impl Patch {
    /// Reads the output of `git diff`, `git show` or `diff -u`; without any bytes, nothing changed.
    /// The prefixes `a/` and `b/`, or those that git can be told to write instead, are cut off.
    ///
    /// # Errors
    /// If it is no patch, or not one between two versions: the diff of a merge (`diff --cc`) is
    /// not, nor are several patches that change one file after another.
    pub fn parse(bytes: &[u8]) -> Result<Self, PatchError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let survey = Survey::of(bytes)?;
        let options = match survey.is_gits {
            true => ParseOptions::gitdiff(),
            false => ParseOptions::unidiff(),
        };
        let mut found = Vec::new();
        let mut hunks = 0;
        for file in PatchSet::parse_bytes(bytes, options) {
            let file = match file {
                Ok(file) => file,
                Err(reason) => {
                    // The offsets before the reason are from here or there.
                    let reason = reason.to_string();
                    let reason = reason.rsplit(": ").next().unwrap_or_default();
                    let reason = readable(reason);
                    let after = found.last().and_then(|named: &Named| named.change.name());
                    let after = after.map(|name| format!(", after {}", shown(name)));
                    let after = after.unwrap_or_default();
                    return error(format!("file {} of it{after}: {reason}", found.len() + 1));
                }
            };
            let named = Named::of(&file, survey.is_gits)?;
            hunks += named.hunks;
            found.push(named);
        }
        if hunks != survey.hunks {
            return error(format!(
                "expected a file for each of {} hunks (`@@`), found those of {hunks}",
                survey.hunks
            ));
        }
        cut_prefixes(&mut found);
        let files: Vec<FileChange> = found.into_iter().map(|named| named.change).collect();
        let mut names = BTreeSet::new();
        for name in files.iter().filter_map(|file| file.new.as_ref()) {
            if !names.insert(name) {
                return error(format!(
                    "{} is changed twice: a series of patches was found, where one patch was \
                     expected (`git diff` between the first version and the last)",
                    shown(name)
                ));
            }
        }
        Ok(Self { files })
    }

    /// Files of which all lines are new are added, as those that git does not know yet.
    pub fn add_new(&mut self, names: impl IntoIterator<Item = BString>) {
        let all = Edit {
            old: Lines { first: 1, count: 0 },
            new: Lines {
                first: 1,
                count: u32::MAX - 1,
            },
        };
        self.files.extend(names.into_iter().map(|name| FileChange {
            new: Some(name),
            edits: vec![all],
            ..FileChange::default()
        }));
    }
}

impl FileChange {
    /// The new name, or that of a file that was deleted.
    fn name(&self) -> Option<&BStr> {
        let name = self.new.as_ref().or(self.old.as_ref());
        name.map(|name| name.as_bstr())
    }
}

/// What a look at the lines tells. What a file contained has a mark before it, so these lines are
/// the patch's own.
struct Survey {
    is_gits: bool,
    hunks: usize,
}

impl Survey {
    fn of(bytes: &[u8]) -> Result<Self, PatchError> {
        let mut survey = Self {
            is_gits: false,
            hunks: 0,
        };
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return error("expected bytes as git writes them, found UTF-16 (a shell's `>`?)");
        }
        for line in bytes.lines() {
            if line.starts_with(b"\x1b[") {
                return error("the patch has colours; expected none (`git diff --no-color`)");
            }
            if let Some(names) = line.strip_prefix(b"diff --git ") {
                survey.is_gits = true;
                let most = match names.contains(&b'"') {
                    true => MAX_QUOTED_NAMES,
                    false => MAX_NAMES,
                };
                if names.len() > most {
                    return error(format!(
                        "expected names of at most {most} bytes after `diff --git`, found {}",
                        names.len()
                    ));
                }
            }
            let combined = [&b"diff --cc "[..], b"diff --combined "];
            if let Some(name) = combined.iter().find_map(|start| line.strip_prefix(*start)) {
                return error(format!(
                    "the change of {} is that of a merge (`diff --cc`), which has several old \
                     versions; expected one (`git diff` between two commits)",
                    shown(name)
                ));
            }
            if let Some(name) = line.strip_prefix(b"* Unmerged path ") {
                return error(format!(
                    "{} has a merge conflict that is not resolved",
                    shown(name)
                ));
            }
            survey.hunks += usize::from(line.starts_with(b"@@ -"));
        }
        Ok(survey)
    }
}

/// A change whose names may have prefixes.
struct Named {
    change: FileChange,
    /// The names before and after that may have prefixes.
    prefixed: (bool, bool),
    hunks: usize,
}

impl Named {
    fn of(file: &FilePatch<'_, [u8]>, is_gits: bool) -> Result<Self, PatchError> {
        let owned = |name: &[u8]| Some(BString::from(name));
        let (old, new, prefixed) = match file.operation() {
            FileOperation::Delete(name) => (owned(name), None, (true, false)),
            FileOperation::Create(name) => (None, owned(name), (false, true)),
            FileOperation::Modify { original, modified } => {
                (owned(original), owned(modified), (true, true))
            }
            FileOperation::Rename { from, to } => (owned(from), owned(to), (false, false)),
            FileOperation::Copy { to, .. } => (None, owned(to), (false, false)),
        };
        let mut change = FileChange {
            old,
            new,
            ..FileChange::default()
        };
        let mut hunks = 0;
        match file.patch() {
            PatchKind::Binary(_) => change.opaque = Some(Opaque::Binary),
            PatchKind::Text(patch) => {
                for hunk in patch.hunks() {
                    hunks += 1;
                    let Some(edits) = edits(hunk) else {
                        let name = change.name().unwrap_or_default();
                        return error(format!(
                            "expected line numbers from 1 to {} in the hunks of {}, found others",
                            u32::MAX - 1,
                            shown(name)
                        ));
                    };
                    change.edits.extend(edits);
                }
                let is_in_order = |edits: &[Edit]| match edits {
                    [one, next] => {
                        one.old.end() <= next.old.first && one.new.end() <= next.new.first
                    }
                    _ => true,
                };
                if !change.edits.windows(2).all(is_in_order) {
                    let name = change.name().unwrap_or_default();
                    return error(format!(
                        "expected the hunks of {} in their order, found others",
                        shown(name)
                    ));
                }
                let mut lines = patch.hunks().iter().flat_map(Hunk::lines).peekable();
                if is_gits && lines.peek().is_some() && lines.all(is_of_submodule) {
                    change.opaque = Some(Opaque::Submodule);
                    change.edits.clear();
                }
            }
        }
        // A copy has the lines of another file, which are new to it.
        if let FileOperation::Copy { .. } = file.operation() {
            change.edits = vec![Edit {
                old: Lines { first: 1, count: 0 },
                new: Lines {
                    first: 1,
                    count: u32::MAX - 1,
                },
            }];
        }
        Ok(Self {
            change,
            prefixed,
            hunks,
        })
    }
}

fn is_of_submodule(line: &Line<'_, [u8]>) -> bool {
    let (Line::Context(text) | Line::Delete(text) | Line::Insert(text)) = line;
    text.starts_with(b"Subproject commit ")
}

/// What a hunk says, without the lines around. `None` if a number is none of a line.
fn edits(hunk: &Hunk<'_, [u8]>) -> Option<Vec<Edit>> {
    // Of no lines, a range has the line after which they would be.
    let first = |range: diffy::HunkRange| {
        let first = range.start().checked_add(usize::from(range.is_empty()))?;
        let first = u32::try_from(first).ok().filter(|first| *first > 0)?;
        let count = u32::try_from(range.len()).ok()?;
        first.checked_add(count).filter(|end| *end < u32::MAX)?;
        Some(first)
    };
    let (mut old, mut new) = (first(hunk.old_range())?, first(hunk.new_range())?);
    let mut edits: Vec<Edit> = Vec::new();
    let mut is_open = false;
    for line in hunk.lines() {
        if let Line::Context(_) = line {
            is_open = false;
            (old, new) = (old + 1, new + 1);
            continue;
        }
        if !is_open {
            let none = |first| Lines { first, count: 0 };
            edits.push(Edit {
                old: none(old),
                new: none(new),
            });
            is_open = true;
        }
        let edit = edits.last_mut()?;
        match line {
            Line::Delete(_) => {
                edit.old.count += 1;
                old += 1;
            }
            _ => {
                edit.new.count += 1;
                new += 1;
            }
        }
    }
    Some(edits)
}

/// What git writes before names, old and new, by its options and what is compared.
const PREFIXES: [(&str, &str); 7] = [
    ("a/", "b/"),
    ("b/", "a/"),
    ("i/", "w/"),
    ("c/", "i/"),
    ("c/", "w/"),
    ("o/", "w/"),
    ("1/", "2/"),
];

/// A patch has the same prefixes everywhere, or none.
fn cut_prefixes(found: &mut [Named]) {
    let all = |is_so: &dyn Fn(Option<&BString>, Option<&BString>) -> bool| {
        found.iter().all(|named| {
            let (before, after) = named.prefixed;
            let old = named.change.old.as_ref().filter(|_| before);
            let new = named.change.new.as_ref().filter(|_| after);
            is_so(old, new)
        })
    };
    let starts = |name: Option<&BString>, prefix: &str| {
        name.is_none_or(|name| name.starts_with(prefix.as_bytes()))
    };
    let known = PREFIXES
        .iter()
        .any(|(a, b)| all(&|old, new| starts(old, a) && starts(new, b)));
    // As of two folders that lie side by side.
    let are_folders = || {
        all(&|old, new| {
            let rest = |name: &BString| name.split_once_str("/").map(|(_, rest)| rest.to_owned());
            match (old, new) {
                (Some(old), Some(new)) => {
                    old != new && rest(old).is_some_and(|r| rest(new) == Some(r))
                }
                _ => true,
            }
        }) && found.iter().any(|named| named.prefixed == (true, true))
    };
    let has_prefixes = known || are_folders();
    for named in found {
        let change = &mut named.change;
        let cut = |name: &mut Option<BString>| {
            if let Some((_, rest)) = name.as_ref().and_then(|name| name.split_once_str("/")) {
                *name = Some(rest.into());
            }
        };
        if has_prefixes && named.prefixed.0 {
            cut(&mut change.old);
        }
        if has_prefixes && named.prefixed.1 {
            cut(&mut change.new);
        }
        if named.prefixed == (true, true) {
            // `diff -u a.c.orig a.c` renames nothing.
            change.old = change.new.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Patch {
        Patch::parse(text.as_bytes()).expect("a patch")
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = Patch::parse(text.as_bytes())
            .expect_err("no patch")
            .to_string();
        assert!(error.contains(expected), "{error}");
    }

    /// Old name, new name, and for each edit: first and number of old lines, of new ones.
    fn summary(patch: &Patch) -> Vec<(String, String, Vec<[u32; 4]>)> {
        let name =
            |name: &Option<BString>| name.as_ref().map_or("-".to_owned(), BString::to_string);
        let files = patch.files.iter();
        files
            .map(|file| {
                let edits = file.edits.iter();
                let edits =
                    edits.map(|Edit { old, new }| [old.first, old.count, new.first, new.count]);
                (name(&file.old), name(&file.new), edits.collect())
            })
            .collect()
    }

    const ALL: &str = "\
diff --git a/src/a.rs b/src/a.rs
index 1..2 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -2 +2,2 @@ fn f()
-two
+2
+2.5
@@ -8,2 +8,0 @@
-eight
-nine
@@ -12,0 +12 @@
+++ a line of two pluses
diff --git a/old name.rs b/new name.rs
similarity index 90%
rename from old name.rs
rename to new name.rs
index 1..2 100644
--- a/old name.rs\t
+++ b/new name.rs\t
@@ -1,3 +1,3 @@
 one
-two
+2
 three
\\ No newline at end of file
diff --git a/moved.rs b/moved2.rs
similarity index 100%
rename from moved.rs
rename to moved2.rs
diff --git \"a/\\303\\244.rs\" \"b/\\303\\244.rs\"
new file mode 100644
index 0..2
--- /dev/null
+++ \"b/\\303\\244.rs\"
@@ -0,0 +1,2 @@
+one
+two
diff --git a/gone.rs b/gone.rs
deleted file mode 100644
index 1..0
--- a/gone.rs
+++ /dev/null
@@ -1 +0,0 @@
--- a comment of SQL
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/logo.png b/logo.png
index 1..2 100644
Binary files a/logo.png and b/logo.png differ
diff --git a/vendor/lib b/vendor/lib
index 1..2 160000
--- a/vendor/lib
+++ b/vendor/lib
@@ -1 +1 @@
-Subproject commit 1111111111111111111111111111111111111111
+Subproject commit 2222222222222222222222222222222222222222
";

    #[test]
    fn all_that_git_says() {
        let patch = parse(ALL);
        let row = |old: &str, new: &str, edits: &[[u32; 4]]| {
            (old.to_owned(), new.to_owned(), edits.to_vec())
        };
        assert_eq!(
            summary(&patch),
            [
                row(
                    "src/a.rs",
                    "src/a.rs",
                    &[[2, 1, 2, 2], [8, 2, 9, 0], [13, 0, 12, 1]]
                ),
                row("old name.rs", "new name.rs", &[[2, 1, 2, 1]]),
                row("moved.rs", "moved2.rs", &[]),
                row("-", "ä.rs", &[[1, 0, 1, 2]]),
                row("gone.rs", "-", &[[1, 1, 1, 0]]),
                row("run.sh", "run.sh", &[]),
                row("logo.png", "logo.png", &[]),
                row("vendor/lib", "vendor/lib", &[]),
            ]
        );
        let opaque: Vec<_> = patch.files.iter().map(|file| file.opaque).collect();
        assert_eq!(opaque[6..], [Some(Opaque::Binary), Some(Opaque::Submodule)]);
        assert!(opaque[..6].iter().all(Option::is_none));
    }

    #[test]
    fn lines_are_carried_over() {
        let patch = parse(ALL);
        let file = &patch.files[0];
        let before: Vec<_> = (1..=13).map(|line| file.before(line)).collect();
        let expected = [1, 0, 0, 3, 4, 5, 6, 7, 10, 11, 12, 0, 13];
        assert_eq!(before, expected.map(|line| (line > 0).then_some(line)));
        assert!(file.is_new(3) && !file.is_new(4));
        // As with `--ignore-blank-lines`: where between 3 and 8 there is a line less, is not said.
        let patch = parse("--- a/x\n+++ b/x\n@@ -2 +2 @@\n-a\n+b\n@@ -8 +7 @@\n-a\n+b\n");
        let before: Vec<_> = (1..=9).map(|line| patch.files[0].before(line)).collect();
        let expected = [1, 0, 0, 0, 0, 0, 0, 9, 10];
        assert_eq!(before, expected.map(|line| (line > 0).then_some(line)));
        let new: Vec<u32> = (1..=9)
            .filter(|line| patch.files[0].is_new(*line))
            .collect();
        assert_eq!(new, [2, 7]);
        assert_eq!(FileChange::default().before(7), Some(7));
    }

    #[test]
    fn prefixes_are_cut_if_all_have_them() {
        let modified =
            |old: &str, new: &str| format!("--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n");
        let names = |text: &str| -> Vec<String> {
            let files = parse(text).files;
            files
                .iter()
                .map(|file| file.new.clone().unwrap().to_string())
                .collect()
        };
        assert_eq!(names(&modified("a/x/y", "b/x/y")), ["x/y"]);
        assert_eq!(names(&modified("i/x/y", "w/x/y")), ["x/y"]);
        assert_eq!(names(&modified("v1.0/x/y", "v1.1/x/y")), ["x/y"]);
        assert_eq!(names(&modified("x/y", "x/y")), ["x/y"]);
        assert_eq!(names(&modified("a/y.orig", "a/y")), ["a/y"]);
        assert_eq!(
            names(&(modified("a/x", "b/x") + &modified("c/x", "c/x"))),
            ["b/x", "c/x"]
        );
        assert_eq!(
            parse(&modified("y.orig", "y")).files[0].old,
            Some("y".into())
        );
        // Windows' ends of lines, and the time that diff writes.
        assert_eq!(
            names("--- a/x\t2026-01-01\r\n+++ b/x\t2026-01-02\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n"),
            ["x"]
        );
    }

    #[test]
    fn what_is_no_patch_between_two_versions_is_refused() {
        assert_eq!(parse(" \n"), Patch::default());
        check_refused("hello\n", "no valid patches");
        check_refused("\x1b[1mdiff --git a/x b/x\x1b[m\n", "has colours");
        let utf_16 = Patch::parse(b"\xff\xfed\0i\0").expect_err("no patch");
        assert!(utf_16.to_string().contains("UTF-16"), "{utf_16}");
        check_refused(
            "diff --cc src/a.rs\nindex 1,2..3\n--- a/src/a.rs\n+++ b/src/a.rs\n@@@ -1,1 -1,1 +1,1 @@@\n- a\n -b\n++c\n",
            "`src/a.rs` is that of a merge",
        );
        check_refused("* Unmerged path x\n", "`x` has a merge conflict");
        let one = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        check_refused("diff --git a/x b/x\nnew mode 1\x1b[2K\n", "1\u{fffd}[2K");
        let long = "x".repeat(1 << 20);
        for text in [
            format!("diff --git a/x b/x\nnew mode {long}\n"),
            format!("diff --cc {long}\n"),
            format!("* Unmerged path {long}\n"),
            format!("--- {long}\n+++ {long}\n@@ -1 +1 @@\n-a\n"),
        ] {
            let error = Patch::parse(text.as_bytes()).expect_err("no patch");
            assert!(
                error.to_string().len() < 10_000,
                "{}",
                error.to_string().len()
            );
        }
        check_refused(&one.repeat(2), "`x` is changed twice");
        check_refused(
            &format!("{one}junk\n@@ -5 +5 @@\n-a\n+b\n"),
            "each of 2 hunks",
        );
        check_refused(&one.replace("+b\n", ""), "file 1 of it: hunk");
        let other = one.replace("/x", "/y").replace("+b\n", "");
        check_refused(&format!("{one}{other}"), "file 2 of it, after `b/x`: hunk");
        let hunks = "@@ -5,0 +6 @@\n+a\n@@ -5 +7 @@\n-b\n+c\n";
        check_refused(&format!("--- a/x\n+++ b/x\n{hunks}"), "in their order");
        check_refused(&one.replace("-1 +1", "-0,1 +1"), "line numbers");
        check_refused(&one.replace("-1 +1", "-1 +4294967295"), "line numbers");
        check_refused(&one.replace("-1 +1", "-1 +99999999999999999999"), "range");
        check_refused(
            &format!("diff --git a/{0} b/{0}\n", "x".repeat(9000)),
            "found 18005",
        );
    }

    proptest::proptest! {
        /// Whatever is done to a patch: no panic, and a line comes from one place at most.
        #[test]
        fn no_patch_is_too_much(cuts in proptest::collection::vec((0..ALL.len(), 0..40usize, "[-+ @\\\\\"0-9a-z/,\n]{0,8}"), 0..6)) {
            let mut text = ALL.to_owned();
            for (at, length, with) in cuts {
                let at = text.floor_char_boundary(at.min(text.len()));
                let end = text.floor_char_boundary((at + length).min(text.len())).max(at);
                text.replace_range(at..end, &with);
            }
            if let Ok(patch) = Patch::parse(text.as_bytes()) {
                for file in &patch.files {
                    let before: Vec<u32> = (1..200).filter_map(|line| file.before(line)).collect();
                    proptest::prop_assert!(before.is_sorted_by(|a, b| a < b), "{text}");
                }
            }
        }
    }
}
