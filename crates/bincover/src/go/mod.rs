//! Go's coverage data on disk: folders that programs wrote into (GOCOVERDIR), and text profiles.

mod inputs;
mod locate;
mod merge;
mod modfile;
mod test_main;
mod write;

pub use inputs::{GoInputs, GoPod};
pub use locate::GoModules;
pub use merge::{GoEntry, GoLedger, GoMerged, GoProgram, GoReader};
pub(crate) use test_main::TestMain;
pub use write::{go_counter_name, write_pods};
