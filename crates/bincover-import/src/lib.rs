//! Coverage reports that others wrote, to the model: the way back from a report.
//!
//! | format | what it knows | here |
//! | --- | --- | --- |
//! | lcov tracefile | lines, functions with their lines, outcomes of branches by line, totals | [`lcov`] |
//! | Cobertura XML | lines, methods, how many outcomes of a line were taken | [`cobertura`] |
//! | llvm-cov's JSON | all but MC/DC vectors and which branches are constant | [`llvm_json`] |
//!
//! What a format cannot know is absent from the model, not zero: no columns, no regions.
//!
//! ```
//! let text = b"SF:src/a.c\nDA:3,1\nDA:4,0\nend_of_record\n";
//! let report = bincover_import::read(text, &|_| false)?;
//! let both = bincover_import::merge(vec![report.clone(), report]);
//! assert_eq!(both.files[0].lines[0].count, 2);
//! # Ok::<(), bincover_import::Error>(())
//! ```
//!
//! No input makes a reader panic. Memory is in proportion to the input, and limits hold for what a
//! few bytes could claim: the number of a line, the outcomes on one.
//!
//! Deliberately not here: Go's text profile, which is `bincover-gocover`'s; files; writing.

mod alike;
pub mod cobertura;
mod error;
mod expansions;
mod gathered;
mod kind;
pub mod lcov;
mod limits;
pub mod llvm_json;
mod merge;

use bincover_model::Coverage;
use bstr::BStr;

pub use error::{Error, ErrorKind, Result};
pub use kind::Kind;
pub use merge::merge;

/// Reads a report, whatever it is. `exists` is asked for files where a report names several folders
/// that a file may lie in.
///
/// # Errors
/// If it is none of these formats, or damaged.
pub fn read(bytes: &[u8], exists: &dyn Fn(&BStr) -> bool) -> Result<Coverage> {
    match Kind::sniff(bytes) {
        Some(Kind::Lcov) => lcov::read(bytes),
        Some(Kind::Cobertura) => cobertura::read(bytes, exists),
        Some(Kind::LlvmJson) => llvm_json::read(bytes),
        None => Err(Error::unknown(bytes)),
    }
}
