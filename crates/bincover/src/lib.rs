//! Coverage of binaries, as a library: run a program any number of times, however it ends, and
//! get one merged profile and one report.
//!
//! ```no_run
//! use bincover::{CargoBuild, Collector};
//!
//! // Build the program instrumented, beside the ordinary build.
//! let program = CargoBuild::new("Cargo.toml").target_dir("target/bincover").run()?.path;
//!
//! let collector = Collector::builder("target/merged.profdata").build()?;
//! let run = collector.command(&program).arg("serve").env("PORT", "0").run()?;
//! assert!(!run.output.status.success());
//!
//! let collected = collector.finish()?;
//! let coverage = collected.coverage()?.evaluation.coverage;
//! println!("{:.1} % of lines", coverage.totals().lines.percent());
//! # Ok::<(), bincover::Error>(())
//! ```
//!
//! - [`Collector`]: runs, many at once if you like, and what they reached;
//! - [`merge_files`]: profiles of any kind and version into one, and the account of what was left
//!   out;
//! - [`Folder`]: a folder into which programs write profiles, kept as small as one of them;
//! - [`Objects`]: instrumented binaries, whose mapping turns a profile into coverage;
//! - [`Rescue`]: the coverage of processes that end without writing it, from their memory;
//! - [`Exclusions`]: what is to be left out of reports;
//! - [`PathRules`]: where the files of a report lie here;
//! - [`SourceFiles`], [`write_reports`]: reports in any [format](report::FORMATS);
//! - [`GitChanges`]: what changed in a repository, for the [coverage of a patch](report::patch);
//! - [`Store`]: a folder of runs that several processes add to, for the command line;
//! - [`Imported`]: reports that others wrote;
//! - [`GoReader`]: coverage of Go programs, from the folders that they write into and from text
//!   profiles; [`GoModules`] finds their sources.
//!
//! The engine's own crates are public under their names: [`profile`], [`mapping`], [`gocover`], [`import`],
//! [`model`], [`report`], [`run`]; and `bincover-rescue` as [`memory`].
//!
//! Deliberately not here: byte layouts, a command line, printing. What could not be used is data:
//! a [`Ledger`](profile::Ledger), an [`Obtained`], an [`Error`].

mod collector;
mod error;
mod exclusions;
mod fold;
mod followed;
mod git;
mod go;
mod imports;
mod input;
mod limits;
mod merge;
mod objects;
mod output;
mod own;
mod paths;
mod rescue;
mod sources;
mod store;

pub use bincover_gocover as gocover;
pub use bincover_import as import;
pub use bincover_mapping as mapping;
pub use bincover_model as model;
pub use bincover_profile as profile;
pub use bincover_report as report;
pub use bincover_rescue as memory;
pub use bincover_run as run;

pub use bincover_run::{CargoBuild, Ending, Signal, Stdin, Stream};
pub use collector::{Collected, Collector, CollectorBuilder, Command, Run, RunRecord};
pub use error::{CallbackError, Error, Result};
pub use exclusions::{
    ExclusionCause, ExclusionNote, Exclusions, RuleTally, Skip, check_left, excluded_by_rule,
};
pub use fold::{Folded, Folder};
pub use followed::Rescuing;
pub use git::GitChanges;
pub use go::{
    GoEntry, GoInputs, GoLedger, GoMerged, GoModules, GoPod, GoProgram, GoReader, go_counter_name,
    write_pods,
};
pub use imports::{ImportCause, ImportEntry, Imported};
pub use merge::{BinaryNames, FileMerge, ProfileInput, merge_files, profiles_below};
pub use objects::{Covered, Objects, instrumentation};
pub use output::{
    check_folder, check_report, write_atomically, write_report_folder, write_reports,
};
pub use paths::{PathMap, PathRules, PathStep, PathTrace, Paths};
pub use rescue::{Cause, Means, Rescue, RescuedImage, RescuedProcess};
pub use sources::SourceFiles;
pub use store::{
    Cleaned, Contents, Ended, Going, Loose, Obtained, STORE_VARIABLE, Snapshot, Store, StoredRun,
    Superseded, Uncovered, combine_stores, is_of_a_run, snapshot_profile,
};
