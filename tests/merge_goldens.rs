//! Our merges of the committed profiles, byte for byte against what llvm-profdata-22 made of them:
//! each merge command in a fixture's `RECIPE.md` is a test.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bincover_profile::indexed::IndexedVersion;
use bincover_profile::{MergeOptions, Merged, Merger, WriteOptions, indexed, text};
use bincover_testkit::{fixture, fixtures_ending, top};
use libtest_mimic::{Arguments, Failed, Trial};

/// Options of llvm-profdata that are not for us, with the reason.
const NOT_OURS: &[(&str, &str)] = &[
    ("--debug-info", "reads debug info"),
    ("--binary-file", "reads the binary"),
];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for format in ["raw", "text", "indexed"] {
        for recipe in fixtures_ending(format, "RECIPE.md") {
            trials.extend(cases(&recipe).into_iter().map(|case| {
                let name = case.expected.strip_prefix(top().join("testdata"));
                let name = name.unwrap_or(&case.expected).display().to_string();
                Trial::test(name, move || case.check())
            }));
        }
    }
    assert!(
        trials.len() > 80,
        "only {} merges in the recipes",
        trials.len()
    );
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// One merge command of a recipe.
struct Case {
    inputs: Vec<(PathBuf, NonZeroU64)>,
    options: WriteOptions,
    as_text: bool,
    keep_vtable_names: bool,
    expected: PathBuf,
    expected_stderr: Option<PathBuf>,
}

/// The merge commands whose output is committed.
fn cases(recipe: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(recipe).expect("a recipe");
    let commands = text
        .lines()
        .filter_map(|line| line.strip_prefix("llvm-profdata-22 merge -j 1 "));
    let files = Files::of(recipe, &text);
    commands
        .filter_map(|command| case(&files, command))
        .collect()
}

fn case(files: &Files, command: &str) -> Option<Case> {
    let folder = &files.folder;
    if folder.ends_with("clang22-correlated") {
        // DIFFERENCE: llvm-profdata takes counters without records for an empty profile; we say
        // that they cannot be read alone.
        return None;
    }
    let mut case = Case {
        inputs: Vec::new(),
        options: WriteOptions::default(),
        as_text: false,
        keep_vtable_names: false,
        expected: PathBuf::new(),
        expected_stderr: None,
    };
    let mut weighted = Vec::new();
    let mut words = command.split(' ');
    while let Some(word) = words.next() {
        if NOT_OURS.iter().any(|(option, _)| word.starts_with(option)) {
            return None;
        }
        match word {
            "-o" => case.expected = folder.join(words.next().expect("an output")),
            "2>" => case.expected_stderr = words.next().map(|name| folder.join(name)),
            "--text" => case.as_text = true,
            "--keep-vtable-symbols" => case.keep_vtable_names = true,
            "--sparse" => case.options.sparse = true,
            "--write-prev-version" => case.options.version = IndexedVersion::V11,
            _ => match word.strip_prefix("--weighted-input=") {
                Some(input) => {
                    let (weight, name) = input.split_once(',').expect("a weight");
                    weighted.push((files.find(name), weight.parse().expect("a weight")));
                }
                None => case.inputs.extend(files.glob(word)),
            },
        }
    }
    case.inputs.extend(weighted);
    // A memory profile, which LLVM merges in; we refuse it by name.
    if command.contains(".yaml") {
        return None;
    }
    let is_here = |path: &Path| path.is_file();
    let all_here = case.inputs.iter().all(|(path, _)| is_here(path));
    (is_here(&case.expected) && all_here && !case.inputs.is_empty()).then_some(case)
}

/// The files that a case's commands see: its own, and those that it takes from other cases.
struct Files {
    folder: PathBuf,
    taken: Vec<PathBuf>,
}

impl Files {
    fn of(recipe: &Path, text: &str) -> Self {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Taken from other cases: "));
        // Names stand between backquotes.
        let names = line.unwrap_or_default().split('`').skip(1).step_by(2);
        Self {
            folder: recipe.parent().expect("a case's folder").to_owned(),
            taken: names.map(fixture).collect(),
        }
    }

    fn find(&self, name: &str) -> PathBuf {
        let taken = self.taken.iter().find(|path| path.ends_with(name));
        taken.cloned().unwrap_or_else(|| self.folder.join(name))
    }

    /// `[0-9].profraw` or a name.
    fn glob(&self, word: &str) -> Vec<(PathBuf, NonZeroU64)> {
        let names = match word.strip_prefix("[0-9]") {
            Some(suffix) => (0..10).map(|digit| format!("{digit}{suffix}")).collect(),
            None => vec![word.to_owned()],
        };
        let paths = names.iter().map(|name| self.find(name));
        paths
            .filter(|path| path.is_file() || names.len() == 1)
            .map(|path| (path, NonZeroU64::MIN))
            .collect()
    }
}

impl Case {
    fn check(&self) -> Result<(), Failed> {
        let merged = self.merge()?;
        let ours = match self.as_text {
            true => text::write(&merged.profile, &self.options),
            false => indexed::write(&merged.profile, &self.options),
        };
        let theirs = std::fs::read(&self.expected)?;
        if ours != theirs {
            let at = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            return Err(format!("differs from byte {at:#x} on; {:?}", merged.ledger).into());
        }
        self.check_ledger(&merged)
    }

    fn merge(&self) -> Result<Merged, Failed> {
        let mut merger = Merger::with_options(MergeOptions {
            keep_vtable_names: self.keep_vtable_names,
            ..MergeOptions::default()
        });
        for (path, weight) in &self.inputs {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            merger.add(&name, &std::fs::read(path)?, *weight);
        }
        Ok(merger.finish())
    }

    /// LLVM's account of what it left out names the same inputs and functions as ours.
    fn check_ledger(&self, merged: &Merged) -> Result<(), Failed> {
        let stderr = match &self.expected_stderr {
            Some(path) => std::fs::read_to_string(path)?,
            None => return Ok(()),
        };
        let entries: Vec<String> = merged
            .ledger
            .entries
            .iter()
            .map(ToString::to_string)
            .collect();
        let theirs: Vec<&str> = stderr
            .lines()
            .filter(|line| !line.starts_with("Make sure"))
            .collect();
        let is_same = |(ours, theirs): (&String, &&str)| {
            let function = |line: &str| {
                line.split(':')
                    .take(2)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            function(ours) == function(theirs)
        };
        match entries.len() == theirs.len() && entries.iter().zip(&theirs).all(is_same) {
            true => Ok(()),
            false => Err(format!("{entries:#?} against {theirs:#?}").into()),
        }
    }
}
