//! Which files are read.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bincover_gocover::{FileName, Kind};

use crate::error::{Error, Result};

/// Files with Go's coverage, as they were found.
#[derive(Clone, Debug, Default)]
pub struct GoInputs {
    files: Vec<Found>,
    /// Text profiles.
    pub texts: Vec<PathBuf>,
    /// How many inputs there were.
    pub(super) origins: usize,
}

/// A file of a GOCOVERDIR.
#[derive(Clone, Debug)]
struct Found {
    path: PathBuf,
    origin: usize,
}

/// The files of one program (Go: `pods.Pod`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPod {
    /// Its metadata.
    pub meta: PathBuf,
    /// Other metadata files of the same name.
    pub other_metas: Vec<PathBuf>,
    /// Its counters: which input each came with, counted from 0, and where it is.
    pub counters: Vec<(usize, PathBuf)>,
}

impl GoInputs {
    /// Adds the files of a folder, not of those in it, as `covdata` does.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let origin = self.next_origin();
        self.add_files_in(folder, origin, None)
    }

    /// Adds an input: a file of a GOCOVERDIR, a text profile, or a folder with all that is in it
    /// and below. False if it is a file of another kind, or a folder without any of this.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn add(&mut self, input: &Path) -> Result<bool> {
        let metadata = std::fs::metadata(input).map_err(|source| Error::read(input, source))?;
        let before = self.files.len() + self.texts.len();
        let origin = self.next_origin();
        if metadata.is_dir() {
            let mut folders = vec![input.to_owned()];
            while let Some(folder) = folders.pop() {
                self.add_files_in(&folder, origin, Some(&mut folders))?;
            }
        } else if metadata.is_file() {
            match sniff(input)? {
                Some(Kind::Text) => self.texts.push(input.to_owned()),
                Some(Kind::Meta | Kind::Counters) => self.files.push(Found {
                    path: input.to_owned(),
                    origin,
                }),
                None if name(input).is_some_and(|name| name.kind != Kind::Text) => {
                    self.files.push(Found {
                        path: input.to_owned(),
                        origin,
                    })
                }
                None => {}
            }
        }
        Ok(self.files.len() + self.texts.len() > before)
    }

    /// Nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.texts.is_empty()
    }

    /// There are counters among them, of any run.
    #[must_use]
    pub fn has_counters(&self) -> bool {
        let mut names = self.files.iter().filter_map(|found| name(&found.path));
        !self.texts.is_empty() || names.any(|name| name.kind == Kind::Counters)
    }

    fn next_origin(&mut self) -> usize {
        self.origins += 1;
        self.origins - 1
    }

    fn add_files_in(
        &mut self,
        folder: &Path,
        origin: usize,
        mut below: Option<&mut Vec<PathBuf>>,
    ) -> Result<()> {
        let fail = |source| Error::read(folder, source);
        let (mut found, mut texts) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // Links to folders are not followed: they may lead back up.
            if entry.file_type().map_err(fail)?.is_dir() {
                if let Some(below) = &mut below {
                    below.push(entry.path());
                }
            } else {
                let name = entry.file_name();
                match FileName::parse(name.as_encoded_bytes()).map(|name| name.kind) {
                    Some(Kind::Text) => texts.push(entry.path()),
                    Some(_) => found.push(entry.path()),
                    None => {}
                }
            }
        }
        texts.sort();
        self.texts.extend(texts);
        found.sort();
        let found = found.into_iter().map(|path| Found { path, origin });
        self.files.extend(found);
        Ok(())
    }

    /// The programs, by the paths of their metadata; and counters for which there is none, with the
    /// names that it would have.
    ///
    /// Files belong together by their names, wherever they lie; of several metadata files of one
    /// name, the first is that of the program.
    #[must_use]
    pub fn pods(&self) -> (Vec<GoPod>, Vec<(PathBuf, String)>) {
        let mut pods: Vec<GoPod> = Vec::new();
        let mut by_tag: HashMap<&[u8], usize> = HashMap::new();
        let named = |kind| {
            let all = self
                .files
                .iter()
                .filter_map(|found| Some((name(&found.path)?, found)));
            all.filter(move |(name, _)| name.kind == kind)
        };
        for (name, found) in named(Kind::Meta) {
            match by_tag.get(name.tag) {
                Some(&pod) if pods[pod].meta == found.path => {}
                Some(&pod) => pods[pod].other_metas.push(found.path.clone()),
                None => {
                    by_tag.insert(name.tag, pods.len());
                    pods.push(GoPod {
                        meta: found.path.clone(),
                        other_metas: Vec::new(),
                        counters: Vec::new(),
                    });
                }
            }
        }
        let mut orphans = Vec::new();
        for (name, found) in named(Kind::Counters) {
            match by_tag.get(name.tag) {
                Some(&pod) => pods[pod].counters.push((found.origin, found.path.clone())),
                None => {
                    let tag = String::from_utf8_lossy(name.tag);
                    orphans.push((found.path.clone(), format!("covmeta.{tag}")));
                }
            }
        }
        for pod in &mut pods {
            pod.counters.sort();
        }
        pods.sort_by(|a, b| a.meta.as_os_str().cmp(b.meta.as_os_str()));
        orphans.sort();
        (pods, orphans)
    }
}

/// What the name of a file says.
fn name(path: &Path) -> Option<FileName<'_>> {
    FileName::parse(path.file_name()?.as_encoded_bytes())
}

/// What a file is by its first bytes.
fn sniff(path: &Path) -> Result<Option<Kind>> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
    read.map_err(|source| Error::read(path, source))?;
    Ok(Kind::sniff(&start))
}
