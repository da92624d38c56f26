//! Build instrumented programs and run them.
//!
//! In go a Cargo manifest, or a program with its arguments, environment and input. Out come the
//! path of an executable, the ending of a run with everything it wrote, and the folder where its
//! profiles are. For Unix; tested on Linux.
//!
//! ```
//! use std::time::Duration;
//! use bincover_run::{Command, Ending, Mechanism, Stdin};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let profiles = scratch.path().join("profiles");
//! let output = Command::new("sh")
//!     .args(["-c", "cat; echo sorry >&2; exit 3"])
//!     .stdin(Stdin::Bytes(b"hello\n".to_vec()))
//!     .timeout(Duration::from_secs(60))
//!     .profiles(&profiles, Mechanism::Continuous)
//!     .run()?;
//! assert_eq!(output.status, Ending::Code(3));
//! assert_eq!(output.status.to_string(), "exit code 3");
//! assert_eq!(output.stdout, b"hello\n");
//! assert_eq!(output.stderr, b"sorry\n");
//! assert_eq!(output.profiles.as_deref(), Some(profiles.as_path()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`instrument`]: the compiler's flags, and `cargo build` with them;
//! - [`go_build`]: the go command, with coverage;
//! - [`Command`]: a run, its timeout, an observer of its output;
//! - [`profile_path`]: where an instrumented program writes, and when;
//! - [`workspace`]: a Cargo workspace and what it is configured for; [`wrapper`]: which of its crates
//!   are instrumented;
//! - [`trace`]: a look at each process of a run before its memory is gone.
//!
//! Deliberately not here: any file format (nothing in a profile folder is opened), printing, and
//! any judgement about how a program ended. A run that fails, is killed or times out is an
//! [`Output`] like any other; an [`Error`] means that there was no run to speak of.

mod command;
mod dispositions;
mod error;
mod forward;
pub mod go_build;
pub mod instrument;
mod output;
mod process;
pub mod profile_path;
mod pump;
mod signal;
pub mod trace;
pub mod workspace;
pub mod wrapper;

pub use command::{Command, Stdin};
pub use error::{Error, ErrorKind, Result};
pub use go_build::{GoBuild, GoMade, PreparedGoBuild};
pub use instrument::{BuiltBinary, CargoBuild, RUSTC_FLAGS, built_objects};
pub use output::{Chunk, Ending, Output, Stream};
pub use process::{ProcessHandle, Running};
pub use profile_path::{GO_FOLDER_VARIABLE, Mechanism, PROFILE_FILE_VARIABLE};
pub use signal::{Signal, signal_name};
pub use trace::{Traced, Tracer, Tracing};
pub use workspace::{Member, Workspace};
pub use wrapper::{Scope, Wrapper};
