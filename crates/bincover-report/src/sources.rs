//! What a report needs from its caller, which alone has a disk: sources in, files out.

use std::io;

use bstr::BStr;

/// Where formats that show sources get them from. Several threads ask at once.
pub trait Sources: Sync {
    /// The source of the file with this name (that of [`File::name`](bincover_model::File::name)).
    fn read(&self, name: &BStr) -> Source;
}

/// A source file, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is there.
    Text {
        /// Its bytes, which may be anything.
        text: Vec<u8>,
        /// It was written after the program was built, so lines may not be where they were.
        is_changed: bool,
    },
    /// It cannot be shown.
    Missing {
        /// Why, in words: "No such file or directory".
        reason: String,
    },
}

/// For callers that have no sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn read(&self, _: &BStr) -> Source {
        Source::Missing {
            reason: "no sources were given".to_owned(),
        }
    }
}

/// Where a report that is a folder of files goes. Several threads write at once.
pub trait Outputs: Sync {
    /// Takes a whole file, in no particular order and each once. The name is relative to the
    /// report's folder: parts of ASCII letters, digits, `-`, `_` and `.` with `/` between them, none
    /// of them `.` or `..`.
    ///
    /// # Errors
    /// If it cannot be written.
    fn file(&self, name: &str, contents: &[u8]) -> io::Result<()>;
}
