//! Profiles on disk to a merged one.

mod batch;
mod board;
mod input;
mod worker;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use bincover_profile::{MergeOptions, Merged, Merger, NameTable};

use crate::error::{Error, Result};
use crate::input::map_object;

pub use input::{ProfileInput, profiles_below};

/// The names of a binary's functions, for its profiles that have lost theirs.
#[derive(Clone, Debug)]
pub struct BinaryNames {
    /// The binary's build id.
    pub build_id: Vec<u8>,
    /// The names.
    pub names: Arc<NameTable>,
}

impl BinaryNames {
    /// Reads the names of an instrumented binary.
    ///
    /// # Errors
    /// If it cannot be read or has none.
    pub fn of(binary: &Path) -> Result<Self> {
        let bytes = map_object(binary)?;
        let (build_id, names) =
            bincover_mapping::names(&bytes).map_err(|source| Error::Object {
                path: binary.to_owned(),
                source,
            })?;
        let names = Arc::new(names);
        Ok(Self { build_id, names })
    }
}

/// Merges files in the order given. A file that is gone, unreadable or damaged does not end the
/// merge: it is in the ledger, under its path. Of a raw profile that ends too early, what is
/// there is merged, as long as another profile of the same binary is among the files.
///
/// As [`FileMerge::run`] with nothing set.
#[must_use]
pub fn merge_files(inputs: impl IntoIterator<Item = ProfileInput>) -> Merged {
    FileMerge::new().run(&inputs.into_iter().collect::<Vec<_>>())
}

/// A merge of files: how it is to be done, and then [`run`](Self::run).
///
/// Of the profiles of one binary all but the first are read only where they differ: in their
/// counters. That is decided by the header and the build id, which have to be the same; without a
/// build id, all the rest is compared too. Several threads read and add, each into sums of its
/// own; the result does not depend on how many there are.
#[derive(Clone, Debug)]
pub struct FileMerge {
    options: MergeOptions,
    binaries: Vec<BinaryNames>,
    threads: Option<NonZeroUsize>,
    salvages: bool,
}

impl Default for FileMerge {
    fn default() -> Self {
        Self::new()
    }
}

impl FileMerge {
    /// As many threads as there are processors, and no file given up.
    #[must_use]
    pub fn new() -> Self {
        Self {
            options: MergeOptions::default(),
            binaries: Vec::new(),
            threads: None,
            salvages: true,
        }
    }

    /// How records are merged.
    #[must_use]
    pub fn options(mut self, options: MergeOptions) -> Self {
        self.options = options;
        self
    }

    /// Profiles that end too early are also helped by the names of these binaries.
    #[must_use]
    pub fn knowing(mut self, binaries: Vec<BinaryNames>) -> Self {
        self.binaries = binaries;
        self
    }

    /// How many threads read files; if never said, one for each processor.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Gives up raw profiles that end too early, as llvm-profdata does.
    #[must_use]
    pub fn without_salvage(mut self) -> Self {
        self.salvages = false;
        self
    }

    /// Merges the files in the order given. What could not be used is in the ledger.
    #[must_use]
    pub fn run(&self, inputs: &[ProfileInput]) -> Merged {
        let fast = match inputs.len() {
            0 | 1 => None,
            _ => batch::fast(self, inputs),
        };
        // Where the order of the files decides what is said of them, they are taken one by one.
        fast.unwrap_or_else(|| batch::one_by_one(self, inputs))
    }

    fn merger(&self) -> Merger {
        let mut merger = Merger::with_options(self.options.clone());
        for BinaryNames { build_id, names } in &self.binaries {
            merger.learn_names(build_id, Arc::clone(names));
        }
        merger
    }

    /// No more threads than there is work for.
    fn thread_count(&self, inputs: usize) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let wanted = self.threads.map_or_else(available, NonZeroUsize::get);
        wanted.min(inputs / INPUTS_PER_THREAD).max(1)
    }
}

/// Starting a thread costs about as much as reading this many small files.
const INPUTS_PER_THREAD: usize = 8;
