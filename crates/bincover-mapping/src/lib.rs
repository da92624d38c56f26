//! LLVM coverage mapping, natively: an instrumented binary and a profile in, evaluated coverage
//! out.
//!
//! A compiler that instruments for coverage leaves three sections in the object: function names,
//! file names (`__llvm_covmap`), and for each function the regions of its source with the counters
//! that count them (`__llvm_covfun`). [`Mapping::parse`] reads them; [`evaluate()`] puts a profile's
//! counts in and makes a [`Coverage`](bincover_model::Coverage).
//!
//! | container | |
//! | --- | --- |
//! | ELF, Mach-O | objects, executables and libraries, 32 and 64 bits, both byte orders |
//! | COFF, PE | objects; executables and libraries |
//! | WebAssembly | linked modules |
//! | archives (`.a`, `.rlib`; thin ones with their [`Members`]), universal Mach-O files | each member or slice |
//! | what `llvm-cov convert-for-testing` writes | |
//!
//! All mapping versions are read: 1 to 7, LLVM 3.7 to 22.
//!
//! ```no_run
//! use std::num::NonZeroU64;
//! use bincover_mapping::{Mapping, evaluate};
//! use bincover_profile::Merger;
//!
//! let mut merger = Merger::new();
//! merger.add("run.profraw", &std::fs::read("run.profraw")?, NonZeroU64::MIN);
//! let profile = merger.finish().profile;
//!
//! let binary = std::fs::read("program")?;
//! let mapping = Mapping::parse(&binary)?;
//! let evaluation = evaluate(&[mapping], &profile)?;
//! println!("{:.1} % of lines", evaluation.coverage.totals().lines.percent());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The numbers are llvm-cov's, by its own rules for which record wins, what a line's count is and
//! how instantiations are grouped; `tests/oracle.rs` compares them byte for byte.
//!
//! Deliberately not here: opening files, source files, reports, processes.

mod container;
mod error;
mod evaluate;
mod kept;
mod limits;
mod mapping;
mod object_file;
mod parallel;
mod sections;
mod test_container;
mod thin;
mod wasm;

pub use container::{ParseOptions, is_architecture};
pub use error::{Error, ErrorKind, Result};
pub use evaluate::{
    BitmapLayout, Counted, Detail, Evaluation, LeftOut, Options, Reason, Source, Unmapped, count,
    evaluate, evaluate_with,
};
pub use kept::kept_sections;
pub use mapping::Mapping;
pub use object_file::{Instrumentation, build_id, inspect, names};
pub use thin::{Members, ThinMember, thin_members};
