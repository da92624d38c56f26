//! Which source files a report is about.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bincover::run::{Member, Scope};
use regex::bytes::Regex;

use super::Failure;
use super::args::Line;
use super::plan::Plan;

/// Whether this is an expression that names of files can be compared with.
pub(super) fn check(expression: &str) -> Result<(), Failure> {
    Regex::new(expression).map(drop).map_err(|error| {
        Failure::usage(
            format!("--ignore-filename-regex: {error}"),
            "a path is left out if the expression is found anywhere in it",
        )
    })
}

/// The files that are wanted, by their paths.
pub(super) struct Files {
    ignored: Vec<Regex>,
    /// All members' folders; true if the member is reported on.
    members: Vec<(PathBuf, bool)>,
    /// Folders of dependencies; nothing but what is in those is wanted.
    dependencies: Option<Vec<PathBuf>>,
    root: PathBuf,
}

impl Files {
    pub(super) fn new(plan: &Plan, line: &Line) -> Result<Self, Failure> {
        let options = &line.options.files;
        let mut text = Vec::new();
        if let Some(own) = &options.ignore_filename_regex {
            check(own)?;
            text.push(format!("({own})"));
        }
        let mut dependencies = None;
        let mut members = Vec::new();
        if !options.no_default_ignore_filename_regex {
            match &plan.wrapper.scope {
                Scope::Packages(_) => dependencies = Some(plan.dependencies.clone()),
                Scope::All => text.extend(outside(plan, false)),
                Scope::Workspace => text.extend(outside(plan, true)),
            }
            if dependencies.is_none() {
                let is_reported = |member: &Member| !plan.unreported.contains(member);
                let all = plan.workspace.members.iter();
                members = all
                    .map(|member| (member.folder.clone(), is_reported(member)))
                    .collect();
            }
        }
        let mut ignored = Vec::new();
        for part in &text {
            let compiled = Regex::new(part);
            ignored.push(compiled.map_err(|error| Failure::usage(error.to_string(), ""))?);
        }
        Ok(Self {
            ignored,
            members,
            dependencies,
            root: plan.workspace.root.clone(),
        })
    }

    /// Whether the file of this name is reported on.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        // Names that `--remap-path-prefix` made are relative.
        let path = self.root.join(std::ffi::OsStr::from_bytes(name));
        let full = path.as_os_str().as_bytes();
        let is_ignored = |regex: &Regex| regex.is_match(name) || regex.is_match(full);
        if self.ignored.iter().any(is_ignored) {
            return false;
        }
        if let Some(folders) = &self.dependencies {
            return folders.iter().any(|folder| path.starts_with(folder));
        }
        // A member may lie in another's folder.
        let owner = self
            .members
            .iter()
            .filter(|(folder, _)| path.starts_with(folder))
            .max_by_key(|(folder, _)| folder.components().count());
        owner.is_none_or(|(_, is_reported)| *is_reported)
    }

    /// An expression that exactly the unwanted ones of these names match.
    pub(super) fn unwanted<'n>(&self, names: impl Iterator<Item = &'n [u8]>) -> Option<String> {
        let unwanted = names.filter(|name| !self.wants(name));
        let unwanted =
            unwanted.map(|name| format!("^{}$", regex::escape(&String::from_utf8_lossy(name))));
        let unwanted: Vec<String> = unwanted.collect();
        (!unwanted.is_empty()).then(|| unwanted.join("|"))
    }
}

/// What is not the workspace's own code: the standard library, what was generated, tests,
/// examples and benches; with `and_dependencies`, also what cargo downloads.
fn outside(plan: &Plan, and_dependencies: bool) -> Vec<String> {
    let escaped = |path: &Path| regex::escape(&path.to_string_lossy());
    let root = escaped(&plan.workspace.root);
    let home = |variable: &str, folder: &str| {
        let set = std::env::var_os(variable).filter(|value| !value.is_empty());
        let default = || Some(PathBuf::from(std::env::var_os("HOME")?).join(folder));
        set.map(PathBuf::from).or_else(default)
    };
    let mut parts = vec![
        r"/rustc/([0-9a-f]+|[0-9]+\.[0-9]+\.[0-9]+)/".to_owned(),
        format!("^{root}(/.*)?/(tests|examples|benches)/"),
        format!(r"^{root}(/.*)?/(tests\.rs|[0-9a-zA-Z_-]+[_-]tests\.rs)$"),
        format!("^{}/", escaped(&plan.target_dir)),
        format!("^{}/", escaped(&plan.workspace.target_dir)),
    ];
    if let Some(rustup) = home("RUSTUP_HOME", ".rustup") {
        parts.push(format!("^{}/", escaped(&rustup.join("toolchains"))));
    }
    if let Some(cargo) = home("CARGO_HOME", ".cargo").filter(|_| and_dependencies) {
        parts.push(format!("^{}/(registry|git)/", escaped(&cargo)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_member_owns_a_file() {
        let files = Files {
            ignored: Vec::new(),
            members: vec![
                ("/w".into(), true),
                ("/w/crates/a".into(), false),
                ("/w/crates/a/b".into(), true),
            ],
            dependencies: None,
            root: "/w".into(),
        };
        assert!(files.wants(b"/w/src/lib.rs"));
        assert!(!files.wants(b"/w/crates/a/src/lib.rs"));
        assert!(files.wants(b"/w/crates/a/b/src/lib.rs"));
        assert!(files.wants(b"/w/crates/ab/src/lib.rs"));
        assert!(!files.wants(b"crates/a/src/lib.rs"));
        let files = Files {
            dependencies: Some(vec!["/r/serde-1.0.2".into()]),
            ..files
        };
        assert!(files.wants(b"/r/serde-1.0.2/src/lib.rs"));
        assert!(!files.wants(b"/r/serde-1.0.20/src/lib.rs"));
        assert!(!files.wants(b"/w/src/lib.rs"));
    }
}
