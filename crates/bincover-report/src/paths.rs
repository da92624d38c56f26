//! File names relative to a directory.
//!
//! Names are the compiler's, and may come from another machine: `/` separates, and in a name that
//! starts as Windows' absolute ones do, `\` does so too. Nothing is looked up on disk.

use std::borrow::Cow;

use bincover_model::Coverage;
use bstr::ByteSlice;

use crate::Options;

/// The bytes that separate the components of this path.
fn separators(path: &[u8]) -> &'static [u8] {
    let is_windows = has_drive(path) || path.starts_with(br"\\");
    if is_windows { br"/\" } else { b"/" }
}

fn has_drive(path: &[u8]) -> bool {
    matches!(path, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// The innermost directory that holds all of these files, with its closing separator; empty when
/// there is none.
pub(crate) fn common_directory<'a>(mut names: impl Iterator<Item = &'a [u8]>) -> &'a [u8] {
    let mut common = names.next().map_or(&b""[..], directory);
    for name in names {
        let shared = common.iter().zip(name).take_while(|(a, b)| a == b).count();
        common = directory(common.get(..shared).unwrap_or(common));
    }
    common
}

/// Names of files as people and services read them: relative to one directory, with `/` between
/// their parts.
pub(crate) struct Names<'a> {
    /// With its closing separator, or as it was given; may be empty.
    pub(crate) root: &'a [u8],
}

impl<'a> Names<'a> {
    /// Relative to [`Options::repository`].
    pub(crate) fn new(coverage: &'a Coverage, options: &'a Options) -> Self {
        let names = coverage.measured_files().map(|file| file.name.as_slice());
        let root = match &options.repository {
            Some(root) => root.as_slice(),
            None => common_directory(names),
        };
        Self {
            root: if is_root(root) { b"" } else { root },
        }
    }

    /// The name of a file. Bytes that are not UTF-8 become U+FFFD; all else stays.
    pub(crate) fn of(&self, name: &[u8]) -> String {
        let text = relative(name, self.root).to_str_lossy();
        match separators(name) {
            br"/\" => text.replace('\\', "/"),
            _ => text.into_owned(),
        }
    }
}

/// A path with `/` between its parts.
pub(crate) fn slashed(path: &[u8]) -> Cow<'_, [u8]> {
    match separators(path) {
        br"/\" => path.replace(r"\", "/").into(),
        _ => path.into(),
    }
}

/// Up to and with the last separator.
fn directory(path: &[u8]) -> &[u8] {
    let end = path.rfind_byteset(separators(path)).map_or(0, |at| at + 1);
    path.get(..end).unwrap_or(path)
}

/// Whether this directory is where a file system begins (`/`, `C:\`), or no directory at all.
pub(crate) fn is_root(directory: &[u8]) -> bool {
    let start = usize::from(has_drive(directory));
    components(directory, directory).nth(start).is_none()
}

/// `name` as seen from `directory` (which may lack its closing separator); whole if it lies
/// elsewhere.
pub(crate) fn relative<'a>(name: &'a [u8], directory: &[u8]) -> &'a [u8] {
    if directory.is_empty() {
        return name;
    }
    let separators = separators(directory);
    let is_separator = |byte: &u8| separators.contains(byte);
    let length = directory
        .iter()
        .rposition(|byte| !is_separator(byte))
        .map_or(0, |last| last + 1);
    let Some(rest) = directory
        .get(..length)
        .and_then(|directory| name.strip_prefix(directory))
    else {
        return name;
    };
    match rest.iter().position(|byte| !is_separator(byte)) {
        // At 0, `name` only starts alike, as `/work2/a` does when seen from `/work`.
        None | Some(0) => name,
        Some(start) => rest.get(start..).unwrap_or(rest),
    }
}

/// The components of `part`, without empty ones and `.`. It is a part of the path `whole`, whose
/// beginning says what separates them.
pub(crate) fn components<'a>(
    part: &'a [u8],
    whole: &[u8],
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let separators = separators(whole);
    part.split(|byte| separators.contains(byte))
        .filter(|component| !component.is_empty() && *component != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_common(names: &[&str], expected: &str) {
        let common = common_directory(names.iter().map(|name| name.as_bytes()));
        assert_eq!(common.as_bstr(), expected);
    }

    #[test]
    fn common_directories_end_at_a_separator() {
        check_common(&[], "");
        check_common(&["a.rs"], "");
        check_common(&["/w/src/a.rs"], "/w/src/");
        check_common(&["/w/src/a.rs", "/w/src/b/c.rs"], "/w/src/");
        check_common(&["/w/src/a.rs", "/w/srcs/a.rs"], "/w/");
        check_common(&["/w/a.rs", "/x/a.rs"], "/");
        check_common(&["/w/a.rs", "b.rs"], "");
        check_common(&[r"C:\w\a.rs", r"C:\w\b\c.rs"], r"C:\w\");
    }

    #[track_caller]
    fn check_relative(name: &str, directory: &str, expected: &str) {
        assert_eq!(
            relative(name.as_bytes(), directory.as_bytes()).as_bstr(),
            expected
        );
    }

    #[test]
    fn names_elsewhere_stay_whole() {
        check_relative("/w/src/a.rs", "/w", "src/a.rs");
        check_relative("/w/src/a.rs", "/w//", "src/a.rs");
        check_relative("/w//a.rs", "/w", "a.rs");
        check_relative("/work2/a.rs", "/work", "/work2/a.rs");
        check_relative("/w", "/w", "/w");
        check_relative("/w/", "/w", "/w/");
        check_relative("/w/a.rs", "/", "w/a.rs");
        check_relative("a.rs", "/", "a.rs");
        check_relative("/w/a.rs", "", "/w/a.rs");
        check_relative(r"C:\w\a.rs", r"C:\w", "a.rs");
        check_relative(r"/w/a\b.rs", "/w", r"a\b.rs");
    }

    #[test]
    fn roots_are_nothing_to_cut() {
        assert!(is_root(b"") && is_root(b"/") && is_root(br"C:\"));
        assert!(!is_root(b"/c:/"));
        assert!(!is_root(b"/w/") && !is_root(br"C:\w\"));
    }
}
