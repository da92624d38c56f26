//! Instrumented binaries on disk, and the coverage that a profile gives with them.

use std::path::{Path, PathBuf};

use bincover_mapping::{Evaluation, Instrumentation, Mapping, Options};
use bincover_profile::Profile;
use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::input::map_object;

/// Object files, opened.
#[derive(Debug)]
pub struct Objects {
    files: Vec<(PathBuf, Bytes)>,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// Coverage, and which objects it is of.
#[derive(Debug)]
pub struct Covered {
    /// The coverage and the functions that are not in it.
    pub evaluation: Evaluation,
    /// Objects whose mapping was used. [`LeftOut::mapping`](bincover_mapping::LeftOut::mapping)
    /// is an index into this list.
    pub objects: Vec<PathBuf>,
    /// Objects without a coverage mapping, with the reason.
    pub without_mapping: Vec<(PathBuf, bincover_mapping::Error)>,
}

impl Objects {
    /// Opens object files.
    ///
    /// # Errors
    /// If one cannot be opened.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            let path = path.as_ref();
            files.push((path.to_owned(), Bytes::Mapped(map_object(path)?)));
        }
        Ok(Self { files })
    }

    /// Objects that were read already, or their
    /// [coverage sections](bincover_mapping::kept_sections), each under the path that stands for it.
    #[must_use]
    pub fn in_memory(objects: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let read = |(path, bytes)| (path, Bytes::Read(bytes));
        Self {
            files: objects.into_iter().map(read).collect(),
        }
    }

    /// The bytes of each, in the order in which they were given.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|(_, bytes)| bytes.get())
    }

    /// Puts a profile's counts into the objects' mappings. An object without a mapping is passed
    /// over as long as another has one.
    ///
    /// # Errors
    /// If an object is malformed, or none has a mapping.
    pub fn coverage(&self, profile: &Profile) -> Result<Covered> {
        self.coverage_with(profile, &Options::default())
    }

    /// As [`coverage`](Self::coverage), with options; [`Options::explain`] lists each function
    /// that was dropped or is unknown.
    ///
    /// # Errors
    /// As [`coverage`](Self::coverage).
    pub fn coverage_with(&self, profile: &Profile, options: &Options<'_>) -> Result<Covered> {
        let mut mappings = Vec::new();
        let mut objects = Vec::new();
        let mut without_mapping = Vec::new();
        for (path, bytes) in &self.files {
            match Mapping::parse(bytes.get()) {
                Ok(mapping) => {
                    mappings.push(mapping);
                    objects.push(path.clone());
                }
                Err(source) if source.kind() == bincover_mapping::ErrorKind::NoCoverageData => {
                    without_mapping.push((path.clone(), source));
                }
                Err(source) => {
                    let path = path.clone();
                    return Err(Error::Object { path, source });
                }
            }
        }
        if mappings.is_empty() {
            return Err(match without_mapping.into_iter().next() {
                Some((path, source)) => Error::Object { path, source },
                None => Error::NothingToMeasure {
                    reason: "no instrumented binary was given or run".to_owned(),
                },
            });
        }
        match bincover_mapping::evaluate_with(&mappings, profile, options) {
            Ok(evaluation) => Ok(Covered {
                evaluation,
                objects,
                without_mapping,
            }),
            Err(source) => Err(Error::Object {
                path: objects.swap_remove(source.mapping()),
                source,
            }),
        }
    }
}

/// What a program says of its instrumentation; `None` if it is no object file (a script, say) or
/// cannot be read.
#[must_use]
pub fn instrumentation(program: &Path) -> Option<Instrumentation> {
    let bytes = map_object(program).ok()?;
    bincover_mapping::inspect(&bytes).ok()
}
