//! Modules of Rust that lie in other files than those that declare them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bincover_model::{Coverage, FileId};
use bstr::{BStr, ByteSlice};

/// A module that is in another file.
#[derive(Debug)]
pub(super) struct Module {
    /// It is there for tests alone.
    pub(super) is_test: bool,
    pub(super) name: String,
    /// What its attribute says.
    pub(super) path: Option<String>,
    /// The module of this file that it is declared in, if it is in one.
    pub(super) inside: Option<ScopeId>,
}

/// Index into [`Modules::scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeId(usize);

/// A module that is in the file that declares it.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) name: String,
    pub(super) inside: Option<ScopeId>,
}

/// The modules of a file. However many are in one, its name is there once.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Each after the one that it is in.
    scopes: Vec<Scope>,
    pub(super) outline: Vec<Module>,
}

impl Modules {
    pub(super) fn open(&mut self, scope: Scope) -> ScopeId {
        self.scopes.push(scope);
        ScopeId(self.scopes.len() - 1)
    }
}

/// The modules of all sources.
#[derive(Debug, Default)]
pub(super) struct RustFiles(HashMap<FileId, Modules>);

impl RustFiles {
    pub(super) fn add(&mut self, id: FileId, modules: Modules) {
        self.0.insert(id, modules);
    }

    /// The files of modules that are there for tests alone, and of modules in these.
    pub(super) fn test_files(&self, coverage: &Coverage) -> Vec<FileId> {
        let names = Names::of(coverage);
        let mut found: Vec<FileId> = Vec::new();
        let mut seen: HashSet<FileId> = HashSet::new();
        let mut pending: Vec<(FileId, bool)> = self.0.keys().map(|id| (*id, false)).collect();
        while let Some((id, is_test)) = pending.pop() {
            let Some(modules) = self.0.get(&id) else {
                continue;
            };
            let places = Places::of(coverage.file(id).name.as_bstr(), modules, &names);
            let wanted = modules.outline.iter();
            for module in wanted.filter(|module| is_test || module.is_test) {
                for id in places.files(module, &names).into_iter().flatten() {
                    if seen.insert(id) {
                        found.push(id);
                        pending.push((id, true));
                    }
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// Where the files of a file's modules may be.
struct Places {
    /// Beside the file.
    beside: Begun,
    /// Where modules lie.
    own: Begun,
    /// Where those of each scope lie.
    scopes: Vec<Begun>,
}

impl Places {
    fn of(file: &BStr, modules: &Modules, names: &Names<'_>) -> Self {
        let start = file.rfind_byteset(br"/\").map_or(0, |at| at + 1);
        let (folder, base) = file.split_at(start);
        let stem = base.strip_suffix(b".rs").unwrap_or(base);
        // A crate's root is as `mod.rs`: its modules are beside it.
        let ends = |end: &[u8]| folder.ends_with(end);
        let is_root = matches!(stem, b"lib" | b"main" | b"mod")
            || ends(b"/src/bin/")
            || ends(b"/tests/")
            || ends(b"/examples/")
            || ends(b"/benches/");
        let beside = names.going_on(&names.all(), folder);
        let own = match is_root {
            true => beside.clone(),
            false => names.below(&beside, stem),
        };
        let mut scopes: Vec<Begun> = Vec::with_capacity(modules.scopes.len());
        for scope in &modules.scopes {
            let around = scope.inside.map_or(&own, |around| &scopes[around.0]);
            scopes.push(names.below(around, scope.name.as_bytes()));
        }
        Self {
            beside,
            own,
            scopes,
        }
    }

    fn files(&self, module: &Module, names: &Names<'_>) -> [Option<FileId>; 2] {
        let folder = module.inside.map(|scope| &self.scopes[scope.0]);
        if let Some(path) = &module.path {
            let folder = folder.unwrap_or(&self.beside);
            return [names.ending(folder, path.as_bytes()), None];
        }
        let begun = names.going_on(folder.unwrap_or(&self.own), module.name.as_bytes());
        [".rs", "/mod.rs"].map(|end| names.ending(&begun, end.as_bytes()))
    }
}

/// The names of files, in order. Names that are to be looked for can be very long together, so they are never
/// made: those that begin so are beside each other, and of them those that go on so are.
struct Names<'c>(Vec<(&'c [u8], FileId)>);

/// The names that begin in one way.
#[derive(Clone, Debug)]
struct Begun {
    names: Range<usize>,
    /// How long what they have in common is.
    len: usize,
}

impl<'c> Names<'c> {
    fn of(coverage: &'c Coverage) -> Self {
        let files = (0..=u32::MAX).map(FileId).zip(&coverage.files);
        let mut names: Vec<(&[u8], FileId)> =
            files.map(|(id, file)| (file.name.as_slice(), id)).collect();
        names.sort_unstable();
        Self(names)
    }

    fn all(&self) -> Begun {
        Begun {
            names: 0..self.0.len(),
            len: 0,
        }
    }

    fn going_on(&self, begun: &Begun, with: &[u8]) -> Begun {
        let names = &self.0[begun.names.clone()];
        let before = names.partition_point(|(name, _)| name[begun.len..] < *with);
        let so = names[before..].partition_point(|(name, _)| name[begun.len..].starts_with(with));
        let start = begun.names.start + before;
        Begun {
            names: start..start + so,
            len: begun.len + with.len(),
        }
    }

    /// Those in a folder of that name.
    fn below(&self, begun: &Begun, folder: &[u8]) -> Begun {
        self.going_on(&self.going_on(begun, folder), b"/")
    }

    fn ending(&self, begun: &Begun, with: &[u8]) -> Option<FileId> {
        let names = &self.0[begun.names.clone()];
        let found = names.binary_search_by(|(name, _)| name[begun.len..].cmp(with));
        found.ok().map(|index| names[index].1)
    }
}
