//! What is to be done: folders, the compiler's wrapper, the runner, and the environment that tells
//! cargo of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bincover::run::workspace::RunnerFile;
use bincover::run::{Mechanism, Member, Scope, Workspace, Wrapper, profile_path};
use bincover::{Error, Store};
use glob::Pattern;

use super::Failure;
use super::args::{Action, Line};
use super::ffi;

/// What is known of the workspace since it was built.
const MEMORY: &str = "workspace.json";

/// All that is decided before anything is built.
pub(super) struct Plan {
    pub(super) workspace: Workspace,
    /// Where we build.
    pub(super) target_dir: PathBuf,
    pub(super) store: Store,
    pub(super) wrapper: Wrapper,
    /// The target triples that are built for.
    pub(super) targets: Vec<String>,
    /// Members that are not reported on.
    pub(super) unreported: Vec<Member>,
    /// Folders of the dependencies that are reported on, and nothing else is; empty for the members.
    pub(super) dependencies: Vec<PathBuf>,
    /// Compiling may write profiles that are wanted.
    pub(super) measures_builds: bool,
}

impl Plan {
    pub(super) fn new(line: &Line) -> Result<Self, Failure> {
        let manifest = line.cargo_values("manifest-path", None).pop();
        let measure = &line.options.measure;
        let folder = |target_dir: &Path| {
            let base = match &measure.target_dir {
                Some(folder) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
                None => target_dir.to_owned(),
            };
            base.join("bincover-target")
        };
        let manifest = manifest.as_deref().map(Path::new);
        let is_question = line.action.is_question();
        let needs_compiler = !is_question && !matches!(line.action, Action::Report | Action::Clean);
        // What was built is known. Names of packages are looked up in the workspace as it is.
        let names_packages = !line.cargo_values("package", Some('p')).is_empty()
            || !measure.exclude.is_empty()
            || !measure.exclude_from_report.is_empty();
        let recalled = match needs_compiler || names_packages {
            true => None,
            false => Workspace::recall(manifest, |target_dir| folder(target_dir).join(MEMORY)),
        };
        let workspace = match recalled {
            Some(workspace) => workspace,
            None => Workspace::load(manifest).map_err(Error::from)?,
        };
        let folder = folder(&workspace.target_dir);
        // A repository could have brought one along, and `clean` deletes what is in there.
        for path in [folder.clone(), folder.join("store"), folder.join("tools")] {
            if path.is_symlink() {
                let source = std::io::Error::other("it is a link, which leads elsewhere");
                return Err(Error::Write { path, source }.into());
            }
        }
        let targets = match needs_compiler {
            true => workspace.targets(&line.cargo_values("target", None)),
            false => Ok(Vec::new()),
        };
        let targets = targets.map_err(Error::from)?;
        let is_nightly = needs_compiler && workspace.has_nightly_rustc().map_err(Error::from)?;
        for (option, is_given) in [
            ("--branch", measure.branch),
            (
                "--doctests",
                measure.doctests || line.has_cargo_flag(&["--doc"]),
            ),
        ] {
            if is_given && needs_compiler && !is_nightly {
                return Err(Failure::usage(
                    format!("{option} needs a nightly compiler"),
                    "try `cargo +nightly bincover`",
                ));
            }
        }
        let mut dependencies = Vec::new();
        for name in &measure.dep_coverage {
            let folders = workspace.folders_of(name).map_err(Error::from)?;
            if folders.is_empty() {
                return Err(Failure::usage(
                    format!("--dep-coverage: the workspace depends on no package `{name}`"),
                    "`cargo tree` lists what it depends on",
                ));
            }
            dependencies.extend(folders);
        }
        let mut wrapper = Wrapper {
            scope: match (measure.include_deps, measure.dep_coverage.as_slice()) {
                (true, _) => Scope::All,
                (false, []) => Scope::Workspace,
                (false, names) => Scope::Packages(names.to_vec()),
            },
            build_scripts: measure.include_build_script,
            proc_macros: measure.include_proc_macros,
            ..Wrapper::default()
        };
        let off: Vec<&String> = measure
            .exclude
            .iter()
            .chain(&measure.exclude_from_report)
            .collect();
        let excluded = matching(&workspace, off.iter().map(|spec| spec.as_str()))?;
        wrapper.excluded = excluded.iter().map(|member| member.name.clone()).collect();
        wrapper.flags = flags(line, is_nightly, &workspace);
        wrapper.inner = workspace.rustc_wrapper(wrapper.variable());
        let unreported = unreported(&workspace, line, &excluded)?;
        if needs_compiler {
            refuse_instrumented(&workspace, &targets)?;
        }
        Ok(Self {
            target_dir: match wrapper.scope {
                Scope::Workspace => folder.clone(),
                // Cargo does not keep apart what different wrappers of this kind compile.
                Scope::All | Scope::Packages(_) => folder.join(format!("deps-{}", wrapper.key())),
            },
            store: Store::new(folder.join("store")),
            measures_builds: measure.doctests
                || line.has_cargo_flag(&["--doc"])
                || wrapper.build_scripts
                || wrapper.proc_macros,
            workspace,
            wrapper,
            targets,
            unreported,
            dependencies,
        })
    }

    /// Where the wrappers and runners are.
    pub(super) fn tools(&self) -> PathBuf {
        let folder = self.store.folder().parent().unwrap_or(Path::new("."));
        folder.join("tools")
    }

    /// Makes the wrapper and returns the environment in which cargo instruments.
    pub(super) fn environment(&self, line: &Line) -> Result<BTreeMap<OsString, OsString>, Failure> {
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: OsString| {
            environment.insert(OsString::from(name), value);
        };
        let folder = self.store.folder().parent().unwrap_or(Path::new("."));
        self.workspace.remember(&folder.join(MEMORY));
        let wrapper = self.wrapper.install(&self.tools(), &this_program()?);
        let wrapper = wrapper.map_err(Error::from)?;
        set(self.wrapper.variable(), wrapper.into_os_string());
        let keeps_debug =
            line.options.measure.debuginfo || std::env::var_os("CARGO_PROFILE_DEV_DEBUG").is_some();
        if !keeps_debug {
            set("CARGO_PROFILE_DEV_DEBUG", "line-tables-only".into());
        }
        if line.options.measure.include_ffi {
            let llvm = self.workspace.llvm_major();
            for target in &self.targets {
                ffi::environment_of(target, llvm, &mut set)?;
            }
        }
        if line.options.measure.doctests || line.has_cargo_flag(&["--doc"]) {
            let flags = self.rustdoc_flags()?;
            set("CARGO_ENCODED_RUSTDOCFLAGS", flags.join("\x1f").into());
        }
        set("CARGO_BINCOVER", "1".into());
        Ok(environment)
    }

    /// <https://doc.rust-lang.org/rustc/instrument-coverage.html#including-doc-tests>
    fn rustdoc_flags(&self) -> Result<Vec<String>, Failure> {
        let target = self.targets.first().map_or("", String::as_str);
        let mut flags = self.workspace.rustdocflags(target).map_err(Error::from)?;
        let doctests = self.doctests();
        // What was deleted from the sources is not to be found here any more.
        let _ = std::fs::remove_dir_all(&doctests);
        std::fs::create_dir_all(&doctests).map_err(|source| Error::Write {
            path: doctests.clone(),
            source,
        })?;
        let ours = bincover::run::RUSTC_FLAGS
            .iter()
            .map(|&flag| flag.to_owned());
        flags.extend(ours);
        flags.extend(self.wrapper.flags.iter().cloned());
        for flag in [
            "-Z",
            "unstable-options",
            "--merge-doctests=no",
            "--persist-doctests",
        ] {
            flags.push(flag.to_owned());
        }
        flags.push(doctests.to_string_lossy().into_owned());
        Ok(flags)
    }

    /// Where rustdoc leaves the doctests' programs.
    fn doctests(&self) -> PathBuf {
        self.target_dir.join("doctests")
    }

    /// Makes the runners, and returns for each target triple its path.
    pub(super) fn runners(&self) -> Result<Vec<(String, PathBuf)>, Failure> {
        let program = this_program()?;
        let mut runners = Vec::new();
        for target in &self.targets {
            let file = RunnerFile {
                store: self.store.folder().to_owned(),
                runner: self
                    .workspace
                    .runner(target)
                    .map_err(Error::from)?
                    // That of an environment that `show-env` made is us.
                    .filter(|runner| !is_runner(runner))
                    .unwrap_or_default(),
            };
            let folder = self.tools().join(format!("run-{target}"));
            let link = file.install(&folder, &program).map_err(Error::from)?;
            runners.push((target.clone(), link));
        }
        Ok(runners)
    }

    /// `--config` for cargo and for nextest: their environment variable cannot hold paths with
    /// spaces.
    pub(super) fn runner_options(&self) -> Result<Vec<OsString>, Failure> {
        let mut options = Vec::new();
        for (target, link) in self.runners()? {
            // JSON's strings are TOML's.
            let link = serde_json::to_string(&link).map_err(|error| {
                Failure::from(Error::Write {
                    path: link,
                    source: error.into(),
                })
            })?;
            options.push("--config".into());
            options.push(format!("target.{target}.runner=[{link}]").into());
        }
        Ok(options)
    }

    /// The wrapper for cargo when tests of macros call it, whose projects are no members of the
    /// workspace: it knows the workspace's crates by name. None if macros are not measured.
    pub(super) fn nested_wrapper(&self) -> Result<Option<PathBuf>, Failure> {
        if !self.wrapper.proc_macros || self.wrapper.scope != Scope::Workspace {
            return Ok(None);
        }
        let members = self.workspace.members.iter();
        let mut nested = Wrapper {
            scope: Scope::Packages(members.map(|member| member.name.clone()).collect()),
            ..self.wrapper.clone()
        };
        nested.inner = self.workspace.rustc_wrapper(nested.variable());
        let installed = nested.install(&self.tools(), &this_program()?);
        Ok(Some(installed.map_err(Error::from)?))
    }

    /// Where that cargo builds, apart from what it builds without us.
    pub(super) fn nested_target_dir(&self) -> PathBuf {
        self.target_dir.join("nested")
    }

    /// `LLVM_PROFILE_FILE` for what is run by nobody in our name.
    pub(super) fn loose_pattern(&self) -> Result<OsString, Failure> {
        let pattern = profile_path::pattern(&self.store.loose_folder(), Mechanism::Continuous);
        Ok(pattern.map_err(Error::from)?)
    }
}

fn is_runner(words: &[OsString]) -> bool {
    let program = words.first().map(Path::new).and_then(Path::file_name);
    program.is_some_and(|name| name == bincover::run::workspace::RUNNER_NAME)
}

fn this_program() -> Result<PathBuf, Failure> {
    let found = std::env::current_exe();
    Ok(found.map_err(|source| Error::Read {
        path: "this program".into(),
        source,
    })?)
}

fn flags(line: &Line, is_nightly: bool, workspace: &Workspace) -> Vec<String> {
    let measure = &line.options.measure;
    let mut flags = Vec::new();
    let mut cfgs = Vec::new();
    if !measure.no_cfg_coverage {
        cfgs.push("coverage");
    }
    if is_nightly && !measure.no_cfg_coverage_nightly {
        cfgs.push("coverage_nightly");
    }
    for cfg in cfgs {
        flags.push(format!("--cfg={cfg}"));
        flags.push(format!("--check-cfg=cfg({cfg})"));
    }
    if measure.remap_path_prefix {
        flags.push(format!(
            "--remap-path-prefix={}/=",
            workspace.root.display()
        ));
    }
    if measure.branch {
        flags.extend(["-Z".to_owned(), "coverage-options=branch".to_owned()]);
    }
    flags
}

/// The members that these specifications name, each of which has to name one.
fn matching<'s>(
    workspace: &Workspace,
    specs: impl IntoIterator<Item = &'s str>,
) -> Result<Vec<Member>, Failure> {
    let mut found = Vec::new();
    for spec in specs {
        // `name@1.0` names a version, of which a workspace has one.
        let name = spec.split('@').next().unwrap_or(spec);
        let pattern = Pattern::new(name).ok();
        let matches = |member: &&Member| {
            let by_pattern = pattern
                .as_ref()
                .is_some_and(|pattern| pattern.matches(&member.name));
            member.name == name || by_pattern
        };
        let members = workspace.members.iter().filter(matches).cloned();
        let before = found.len();
        found.extend(members);
        if found.len() == before {
            let names: Vec<&str> = workspace.members.iter().map(|m| m.name.as_str()).collect();
            return Err(Failure::usage(
                format!("the workspace has no package `{spec}`"),
                format!("it has {}", names.join(", ")),
            ));
        }
    }
    Ok(found)
}

/// Members that were excluded, and those that were not chosen.
fn unreported(
    workspace: &Workspace,
    line: &Line,
    excluded: &[Member],
) -> Result<Vec<Member>, Failure> {
    let packages = line.cargo_values("package", Some('p'));
    let all = line.has_cargo_flag(&["--workspace", "--all"]);
    let chosen = match (all, packages.is_empty()) {
        (true, _) => workspace.members.clone(),
        (false, false) => matching(workspace, packages.iter().map(String::as_str))?,
        (false, true) => match &workspace.current {
            Some(manifest) => {
                let is_current = |member: &&Member| Some(&*member.folder) == manifest.parent();
                workspace
                    .members
                    .iter()
                    .filter(is_current)
                    .cloned()
                    .collect()
            }
            None => workspace.members.clone(),
        },
    };
    let is_off = |member: &&Member| !chosen.contains(member) || excluded.contains(member);
    Ok(workspace.members.iter().filter(is_off).cloned().collect())
}

/// Flags that instrument would instrument twice, and all dependencies with it.
fn refuse_instrumented(workspace: &Workspace, targets: &[String]) -> Result<(), Failure> {
    for target in targets {
        let flags = workspace.rustflags(target).map_err(Error::from)?;
        let instruments = |flag: &&String| {
            flag.contains("instrument-coverage") || flag.contains("runtime-counter-relocation")
        };
        if let Some(flag) = flags.iter().find(instruments) {
            return Err(Failure::usage(
                format!(
                    "the flags for rustc instrument already: expected none of the kind, found `{flag}`"
                ),
                "unset RUSTFLAGS, or build.rustflags in cargo's configuration: `cargo bincover` \
                 instruments by itself",
            ));
        }
    }
    Ok(())
}
