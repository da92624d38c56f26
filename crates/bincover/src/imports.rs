//! Reads reports that others wrote, files that may be good or bad.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bincover_model::Coverage;
use bstr::{BStr, ByteSlice};

use crate::error::shown;
use crate::limits::MAX_REPORT_BYTES;

/// What was read, and what was left out.
#[derive(Debug, Default)]
pub struct Imported {
    /// The reports, in the order of the files.
    pub reports: Vec<Coverage>,
    /// Files of which nothing was used.
    pub left_out: Vec<ImportEntry>,
}

/// A file that was left out.
#[derive(Debug)]
pub struct ImportEntry {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub cause: ImportCause,
}

/// Why a file was left out.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportCause {
    /// It could not be read.
    Inaccessible(io::Error),
    /// It is no report, or a damaged one.
    Unreadable(bincover_import::Error),
}

impl fmt::Display for ImportEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path), self.cause)
    }
}

impl fmt::Display for ImportCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inaccessible(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl Imported {
    /// Reads lcov tracefiles, Cobertura's XML and llvm-cov's JSON, each by what it begins with; `-` is
    /// standard input. A bad file does not keep the others from being read.
    #[must_use]
    pub fn read<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut imported = Self::default();
        for path in paths {
            match read(path) {
                Ok(report) => imported.reports.push(report),
                Err(cause) => imported.leave_out(path, cause),
            }
        }
        imported
    }

    /// Notes a file that could not be used.
    pub fn leave_out(&mut self, path: &Path, cause: ImportCause) {
        let path = path.to_owned();
        self.left_out.push(ImportEntry { path, cause });
    }
}

fn read(path: &Path) -> Result<Coverage, ImportCause> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin()
            .lock()
            .take(MAX_REPORT_BYTES)
            .read_to_end(&mut bytes),
        false => {
            File::open(path).and_then(|file| file.take(MAX_REPORT_BYTES).read_to_end(&mut bytes))
        }
    };
    read.map_err(ImportCause::Inaccessible)?;
    if bytes.len() as u64 >= MAX_REPORT_BYTES {
        let text = format!("expected less than {MAX_REPORT_BYTES} bytes");
        return Err(ImportCause::Inaccessible(io::Error::other(text)));
    }
    let exists = |name: &BStr| name.to_path_lossy().is_file();
    bincover_import::read(&bytes, &exists).map_err(ImportCause::Unreadable)
}
