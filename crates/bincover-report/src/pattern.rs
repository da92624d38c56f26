//! Patterns that files are chosen by.

use std::fmt;
use std::str::FromStr;

use bstr::ByteSlice;
use glob::{MatchOptions, Pattern};

use crate::limits::MAX_MATCHED_NAME;

/// A pattern for the names of files: for the whole of a name, or for any of its ends that begins
/// after a `/`. `*` and `?` do not match a `/`, `**` does; in names, `\` is taken for `/`. A
/// name of more than 4096 bytes, which is no file's, is not matched.
///
/// ```
/// # use bincover_report::FilePattern;
/// let pattern: FilePattern = "src/**/*.rs".parse()?;
/// assert!(pattern.matches(b"/home/me/app/src/parser/lines.rs"));
/// assert!(!pattern.matches(b"/home/me/app/tests/lines.rs"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern(Pattern);

impl FilePattern {
    /// Whether a file of this name is meant.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.len() > MAX_MATCHED_NAME {
            return false;
        }
        let options = MatchOptions {
            require_literal_separator: true,
            ..MatchOptions::default()
        };
        let name = name.to_str_lossy().replace('\\', "/");
        let ends = name.match_indices('/').map(|(at, _)| at + 1);
        [0].into_iter().chain(ends).any(|start| {
            let end = name.get(start..).unwrap_or_default();
            self.0.matches_with(end, options)
        })
    }
}

impl FromStr for FilePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern = Pattern::new(text);
        let pattern = pattern.map_err(|error| format!("`{text}` is no pattern: {error}"))?;
        Ok(Self(pattern))
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
