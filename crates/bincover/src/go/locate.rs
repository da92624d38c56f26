//! Import paths to file paths.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bincover_gocover::Located;
use bstr::{BStr, BString};

use super::modfile::{ModFile, escaped};
use crate::sources::read_source;

/// Where the sources of Go modules are.
///
/// Go's data names files by import path, whatever the folder was that a program was built in, with
/// `-trimpath` or without. Of a file, the module is known (from metadata, or as the longest known
/// path that is a beginning of it); where that is, `go.mod` files tell: that of the folder and of
/// those above, the members of a `go.work`, the targets of `replace`, the `vendor` folder and the
/// module cache. The standard library is in GOROOT. Nothing is run for this.
#[derive(Clone, Debug, Default)]
pub struct GoModules {
    /// By module path, the folders that may be its.
    folders: BTreeMap<String, Vec<PathBuf>>,
    /// Folders in which whole import paths lie.
    vendors: Vec<PathBuf>,
    /// Where the standard library is.
    library: Option<PathBuf>,
    seen: HashSet<PathBuf>,
    cache: Option<PathBuf>,
}

impl GoModules {
    /// Knows the standard library and the module cache, as far as the environment tells: GOROOT, or
    /// where the `go` on PATH lies; GOMODCACHE, or GOPATH, or `go` in the home folder.
    #[must_use]
    pub fn of_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = variable("GOROOT").map(PathBuf::from).or_else(|| {
            let go = which::which("go").ok()?.canonicalize().ok()?;
            Some(go.parent()?.parent()?.to_owned())
        });
        let path = variable("GOPATH").map(|path| {
            let first = std::env::split_paths(&path).next();
            first.unwrap_or_default()
        });
        let home = || variable("HOME").map(|home| Path::new(&home).join("go"));
        let cache = variable("GOMODCACHE").map(PathBuf::from);
        let cache = cache.or_else(|| Some(path.or_else(home)?.join("pkg/mod")));
        Self {
            library: root.map(|root| root.join("src")),
            cache,
            ..Self::default()
        }
    }

    /// Knows the module that holds this folder, and all that it names.
    #[must_use]
    pub fn with_folder(mut self, folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        for above in folder.ancestors() {
            let is_module = self.add(above);
            if let Some(work) = ModFile::read(&above.join("go.work")) {
                self.add_replaced(above, &work);
                for member in work.members {
                    self.add(&above.join(member));
                }
                self.vendors.push(above.join("vendor"));
                break;
            }
            // A module's folder ends the search for another; a workspace may be further up.
            if is_module && above.join(".git").exists() {
                break;
            }
        }
        self
    }

    /// True if the folder is that of a module.
    fn add(&mut self, folder: &Path) -> bool {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Some(file) = ModFile::read(&folder.join("go.mod")) else {
            return false;
        };
        if !self.seen.insert(folder.clone()) {
            return true;
        }
        if let Some(module) = &file.module {
            self.know(module, folder.clone());
        }
        self.vendors.push(folder.join("vendor"));
        self.add_replaced(&folder, &file);
        if let Some(cache) = self.cache.clone() {
            let renamed = file.renamed.iter();
            let renamed = renamed.map(|(old, (new, version))| (old, new, version));
            let required = file
                .require
                .iter()
                .map(|(path, version)| (path, path, version));
            for (path, place, version) in renamed.chain(required) {
                let place = format!("{}@{}", escaped(place), escaped(version));
                self.know(path, cache.join(place));
            }
        }
        true
    }

    fn add_replaced(&mut self, folder: &Path, file: &ModFile) {
        for (module, target) in &file.replaced {
            let target = folder.join(target);
            let target = target.canonicalize().unwrap_or(target);
            self.know(module, target.clone());
            self.add(&target);
        }
    }

    fn know(&mut self, module: &str, folder: PathBuf) {
        let folders = self.folders.entry(module.to_owned()).or_default();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }

    /// Where a file is: `file` is an import path and a base name, `module` its module's path if that
    /// is known. Where it is not found, its name stays what it is.
    #[must_use]
    pub fn locate(&self, file: &BStr, module: &BStr) -> Located {
        match self.path(file, module) {
            Some((path, source)) => Located {
                name: BString::from(path.into_os_string().into_vec()),
                source: Some(source),
            },
            None => Located {
                name: file.to_owned(),
                source: None,
            },
        }
    }

    fn path(&self, file: &BStr, module: &BStr) -> Option<(PathBuf, Vec<u8>)> {
        let candidates = self.candidates(file, module);
        candidates
            .into_iter()
            .find_map(|path| read_source(&path).ok().map(|source| (path, source)))
    }

    fn candidates(&self, file: &BStr, module: &BStr) -> Vec<PathBuf> {
        let path = Path::new(OsStr::from_bytes(file));
        if path.is_absolute() || file.starts_with(b".") {
            return vec![path.to_owned()];
        }
        let mut found = Vec::new();
        let below = |module: &[u8]| {
            let rest = file.strip_prefix(module)?.strip_prefix(b"/")?;
            Some(Path::new(OsStr::from_bytes(rest)))
        };
        // The longest first: a module may lie in another.
        for (known, folders) in self.folders.iter().rev() {
            let is_it = module.is_empty() || *module == known.as_bytes();
            if let Some(rest) = below(known.as_bytes()).filter(|_| is_it) {
                found.extend(folders.iter().map(|folder| folder.join(rest)));
            }
        }
        found.extend(self.vendors.iter().map(|vendor| vendor.join(path)));
        if module.is_empty() {
            found.extend(self.library.iter().map(|library| library.join(path)));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A module with all the ways in which another can come with it.
    #[test]
    fn every_place() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let main = "module ex.com/m\nrequire (\n\tex.com/Cached v1.2.0\n\tex.com/old v1.0.0\n)\n\
                    replace ex.com/other => ../other\nreplace ex.com/old => ex.com/new v2.0.0\n";
        put(&top, "m/go.mod", main);
        put(&top, "m/cmd/a/main.go", "package main\n");
        put(&top, "m/sub/go.mod", "module ex.com/m/sub\n");
        put(&top, "m/sub/s.go", "package sub\n");
        put(&top, "m/vendor/ex.com/v/v.go", "package v\n");
        put(&top, "other/go.mod", "module ex.com/other\n");
        put(&top, "other/o.go", "package other\n");
        put(&top, "cache/ex.com/!cached@v1.2.0/c/c.go", "package c\n");
        put(&top, "cache/ex.com/new@v2.0.0/n.go", "package n\n");
        put(&top, "root/src/net/dial.go", "package net\n");
        let modules = GoModules {
            cache: Some(top.join("cache")),
            library: Some(top.join("root/src")),
            ..GoModules::default()
        };
        let modules = modules.with_folder(&top.join("m/cmd/a"));
        let modules = modules.with_folder(&top.join("m/sub"));
        let check = |file: &str, module: &str, expected: &str| {
            let found = modules.locate(file.into(), module.into());
            let expected = top.join(expected);
            assert_eq!(found.name, expected.as_os_str().as_bytes(), "{file}");
            assert!(found.source.is_some());
        };
        check("ex.com/m/cmd/a/main.go", "ex.com/m", "m/cmd/a/main.go");
        check("ex.com/m/cmd/a/main.go", "", "m/cmd/a/main.go");
        check("ex.com/m/sub/s.go", "", "m/sub/s.go");
        check("ex.com/v/v.go", "ex.com/v", "m/vendor/ex.com/v/v.go");
        check("ex.com/other/o.go", "ex.com/other", "other/o.go");
        check(
            "ex.com/Cached/c/c.go",
            "ex.com/Cached",
            "cache/ex.com/!cached@v1.2.0/c/c.go",
        );
        check(
            "ex.com/old/n.go",
            "ex.com/old",
            "cache/ex.com/new@v2.0.0/n.go",
        );
        check("net/dial.go", "", "root/src/net/dial.go");
        let absolute = top.join("other/o.go").display().to_string();
        check(&absolute, "", "other/o.go");
        let nowhere = modules.locate("ex.com/x/x.go".into(), "ex.com/x".into());
        assert_eq!(
            (nowhere.name, nowhere.source),
            ("ex.com/x/x.go".into(), None)
        );
    }

    #[test]
    fn members_of_a_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        put(&top, "go.work", "go 1.27\nuse (\n\t./a\n\t./b\n)\n");
        put(&top, "a/go.mod", "module ex.com/a\n");
        put(&top, "b/go.mod", "module ex.com/b/v2\n");
        put(&top, "b/x/x.go", "package x\n");
        let modules = GoModules::default().with_folder(&top.join("a"));
        let found = modules.locate("ex.com/b/v2/x/x.go".into(), "ex.com/b/v2".into());
        assert_eq!(found.name, top.join("b/x/x.go").as_os_str().as_bytes());
    }
}
