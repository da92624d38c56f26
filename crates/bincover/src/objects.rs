//! Instrumented binaries on disk, and the coverage that a profile gives with them.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use bincover_gocover::LineRule;
use bincover_mapping::{
    ErrorKind, Evaluation, Instrumentation, Mapping, Members, Options, ParseOptions, ThinMember,
    thin_members,
};
use bincover_profile::Profile;
use bstr::{BString, ByteSlice as _};
use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::go::{GoMerged, GoModules};
use crate::input::{map_object, release};
use crate::limits::MAX_THIN_MEMBERS;

/// Object files, opened; with those that thin archives among them name.
#[derive(Debug)]
pub struct Objects {
    files: Vec<(PathBuf, Bytes)>,
    members: Vec<(BString, io::Result<Mmap>)>,
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
#[derive(Debug, Default)]
pub struct Covered {
    /// The coverage and the functions that are not in it.
    pub evaluation: Evaluation,
    /// Objects whose mapping was used. [`LeftOut::mapping`](bincover_mapping::LeftOut::mapping)
    /// is an index into this list.
    pub objects: Vec<PathBuf>,
    /// Objects without a coverage mapping, with the reason.
    pub without_mapping: Vec<(PathBuf, bincover_mapping::Error)>,
    /// Files that are no objects, or whose mapping is damaged, with what is wrong. Nothing of them
    /// is in the coverage.
    pub damaged: Vec<(PathBuf, bincover_mapping::Error)>,
}

impl Covered {
    /// Adds what programs of Go reached. Their sources are looked for in the modules of the working
    /// folder and of the folders with these program files.
    #[must_use]
    pub(crate) fn join_go<'p>(
        mut self,
        go: &GoMerged,
        program_files: impl IntoIterator<Item = &'p Path>,
    ) -> Self {
        let mut modules = GoModules::of_environment().with_folder(Path::new("."));
        for folder in program_files.into_iter().filter_map(Path::parent) {
            modules = modules.with_folder(folder);
        }
        let of_go = go.coverage(&modules, LineRule::default());
        let coverage = std::mem::take(&mut self.evaluation.coverage);
        self.evaluation.coverage = coverage.join(of_go);
        self
    }
}

impl Objects {
    /// Opens object files.
    ///
    /// # Errors
    /// If one cannot be opened. A member that a thin archive names is not one of them: what is
    /// wrong with it is said when the archive is read.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            let path = path.as_ref();
            files.push((path.to_owned(), Bytes::Mapped(map_object(path)?)));
        }
        Ok(Self::with_members(files))
    }

    /// An object that was read already, from standard input, say. What a thin archive names is
    /// relative to `path`.
    #[must_use]
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self::with_members(vec![(path.into(), Bytes::Read(bytes))])
    }

    /// Objects that were read already, or their
    /// [coverage sections](bincover_mapping::kept_sections), each under the path that stands for it.
    #[must_use]
    pub fn in_memory(objects: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let read = |(path, bytes)| (path, Bytes::Read(bytes));
        Self::with_members(objects.into_iter().map(read).collect())
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn with_members(files: Vec<(PathBuf, Bytes)>) -> Self {
        let mut members: Vec<(BString, io::Result<Mmap>)> = Vec::new();
        let mut needed: Vec<ThinMember> = Vec::new();
        for (path, bytes) in &files {
            needed.extend(thin_members(
                bytes.get(),
                path.as_os_str().as_encoded_bytes(),
            ));
        }
        // A member may be an archive itself, even one that names its own archive.
        let mut known: HashSet<ThinMember> = HashSet::new();
        let mut named = needed.len();
        while let Some(member) = needed.pop() {
            // What is not looked at is not there for whoever reads the archive.
            if known.len() >= MAX_THIN_MEMBERS || !known.insert(member.clone()) {
                continue;
            }
            let bytes = match member.path.to_path() {
                Ok(path) => map_object(path).map_err(|error| match error {
                    Error::Read { source, .. } => source,
                    other => io::Error::other(other),
                }),
                Err(error) => Err(io::Error::new(io::ErrorKind::InvalidFilename, error)),
            };
            if let Ok(bytes) = &bytes
                && named < MAX_THIN_MEMBERS
            {
                let more = thin_members(bytes, &member.name);
                named += more.len();
                needed.extend(more);
            }
            members.push((member.path, bytes));
        }
        Self { files, members }
    }

    /// The path and the bytes of each, in the order in which they were given.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let files = self.files.iter();
        files.map(|(path, bytes)| (path.as_path(), bytes.get()))
    }

    /// Lets go of the memory that mapped files take. What is needed again is read again.
    pub fn release(&self) {
        for (_, bytes) in &self.files {
            if let Bytes::Mapped(bytes) = bytes {
                release(bytes);
            }
        }
        for (_, bytes) in &self.members {
            if let Ok(bytes) = bytes {
                release(bytes);
            }
        }
    }

    /// What thin archives among them name; `words` is what to say of a file that cannot be read.
    pub fn members(&self, words: impl Fn(&io::Error) -> String) -> Members<'_> {
        let mut members = Members::default();
        for (path, bytes) in &self.members {
            let contents = match bytes {
                Ok(bytes) => Ok(&bytes[..]),
                Err(error) => Err(words(error)),
            };
            members.insert(path.clone(), contents);
        }
        members
    }

    /// Puts a profile's counts into the objects' mappings. An object without a mapping, or with a
    /// damaged one, is passed over as long as another can be used.
    ///
    /// # Errors
    /// If none of the objects can be used.
    pub fn coverage(&self, profile: &Profile) -> Result<Covered> {
        self.coverage_with(profile, &Options::default())
    }

    /// As [`coverage`](Self::coverage), with options; [`Options::explain`] lists each function
    /// that was dropped or is unknown.
    ///
    /// # Errors
    /// As [`coverage`](Self::coverage).
    pub fn coverage_with(&self, profile: &Profile, options: &Options<'_>) -> Result<Covered> {
        let members = self.members(io::Error::to_string);
        let mut mappings = Vec::new();
        // By index into the files, as what is wrong with others.
        let mut objects: Vec<usize> = Vec::new();
        let mut unused: Vec<(usize, bincover_mapping::Error)> = Vec::new();
        for (index, (path, bytes)) in self.files().enumerate() {
            let options = ParseOptions {
                path: path.as_os_str().as_encoded_bytes(),
                members: Some(&members),
                ..ParseOptions::default()
            };
            match Mapping::parse_as(bytes, &options) {
                Ok(mapping) => {
                    mappings.push(mapping);
                    objects.push(index);
                }
                Err(error) => unused.push((index, error)),
            }
        }
        let listed = || self.release();
        let options = &Options {
            listed: Some(&listed),
            ..*options
        };
        // Regions are decoded by the evaluation, so some damage is seen only there.
        let evaluation = loop {
            if mappings.is_empty() {
                return Err(self.nothing_left(unused));
            }
            match bincover_mapping::evaluate_with(&mappings, profile, options) {
                Ok(evaluation) => break evaluation,
                Err(error) => {
                    let damaged = error.mapping();
                    mappings.remove(damaged);
                    unused.push((objects.remove(damaged), error));
                }
            }
        };
        unused.sort_by_key(|(index, _)| *index);
        let (without_mapping, damaged) = unused
            .into_iter()
            .map(|(index, error)| (self.files[index].0.clone(), error))
            .partition(|(_, error)| error.kind() == ErrorKind::NoCoverageData);
        Ok(Covered {
            evaluation,
            objects: objects
                .iter()
                .map(|&index| self.files[index].0.clone())
                .collect(),
            without_mapping,
            damaged,
        })
    }

    /// What is wrong with the first object that is damaged; if all are whole, why the first is of
    /// no use.
    fn nothing_left(&self, mut unused: Vec<(usize, bincover_mapping::Error)>) -> Error {
        unused.sort_by_key(|(index, error)| (error.kind() == ErrorKind::NoCoverageData, *index));
        match unused.into_iter().next() {
            Some((index, source)) => Error::Object {
                path: self.files[index].0.clone(),
                source,
            },
            None => Error::NothingToMeasure {
                reason: "no instrumented binary was given or run".to_owned(),
            },
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
