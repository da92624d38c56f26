//! Profiles and objects into reports: what is compared with llvm-cov.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bincover_testkit::mapping::{self, Region};
use bincover_testkit::raw::{Function, RawFile, Shape, run};

use super::inputs::Site;
use super::race::{Race, Racer, Role, digest};
use super::targets::Target;
use super::workloads::{Group, Workload, few, one_binary_profiles};
use super::{programs, released};
use crate::{Failure, command};

pub(super) const LLVM_COV: &str = "llvm-cov-22";

pub(super) const GROUP: Group = Group {
    title: "Coverage",
    about: "An indexed profile and objects into a report: `bincover llvm-cov`, as it stands in for llvm-cov. The profile is \
        merged before.",
    workloads: &[
        Workload {
            name: "export-lcov",
            about: "the binary of `one-binary`, over 30,000 functions with those of its dependencies and each instance of \
                generic ones, and all its profiles; a tracefile",
            rounds: |rounds| rounds,
            prepare: |site| big_binary(site, "export-lcov", LCOV),
            targets: &[Target::Faster(5.0), Target::OfTheirMemory(0.5)],
        },
        Workload {
            name: "export-json",
            about: "the same as JSON",
            rounds: |rounds| rounds,
            prepare: |site| big_binary(site, "export-json", &["export"]),
            targets: &[Target::Faster(5.0), Target::OfTheirMemory(0.5)],
        },
        Workload {
            name: "report",
            about: "the same as a table of files",
            rounds: |rounds| rounds,
            prepare: |site| big_binary(site, "report", &["report"]),
            targets: &[Target::Faster(5.0), Target::OfTheirMemory(0.5)],
        },
        Workload {
            name: "html",
            about: "the same as pages, one for each source file; ours have more in them, so only the time and the size on \
                the disk compare",
            rounds: few,
            prepare: |site| pages(site, "html", &[]),
            targets: &[Target::Faster(3.0)],
        },
        Workload {
            name: "all-formats",
            about: "pages and all other formats that are files, in one pass",
            rounds: few,
            prepare: |site| pages(site, "all-formats", OTHER_FORMATS),
            targets: &[Target::TimeOf("html", 2.0)],
        },
        Workload {
            name: "ten-binaries-lcov",
            about: "ten of this project's test binaries, which share most of their dependencies, and the profiles of all \
                their tests",
            rounds: few,
            prepare: |site| test_binaries(site, "ten-binaries-lcov", LCOV),
            targets: &[Target::Faster(10.0), Target::OfTheirMemory(0.5)],
        },
        Workload {
            name: "ten-binaries-report",
            about: "the same as a table of files",
            rounds: few,
            prepare: |site| test_binaries(site, "ten-binaries-report", &["report"]),
            targets: &[Target::Faster(10.0), Target::OfTheirMemory(0.5)],
        },
        Workload {
            name: "many-files",
            about: "one made-up function of 75,000 file mappings and 150,000 regions, as macros make them. llvm-cov is \
                left out: its time grows with the square of the files, into minutes",
            rounds: few,
            prepare: many_files,
            targets: &[Target::Within(2.0)],
        },
        Workload {
            name: "million-records",
            about: "a made-up object of 1,000,000 functions in 1,000 files",
            rounds: few,
            prepare: million_records,
            targets: &[Target::Memory(2e9)],
        },
    ],
};

const LCOV: &[&str] = &["export", "-format=lcov"];

/// Objects and the profile that fits them.
struct Covered {
    objects: Vec<PathBuf>,
    profile: PathBuf,
}

fn big_binary(site: &Site, name: &str, words: &[&str]) -> Result<Race, Failure> {
    covered_binary(site)?.race(site, name, words, &[Role::Ours, Role::Theirs])
}

fn covered_binary(site: &Site) -> Result<Covered, Failure> {
    let profiles = one_binary_profiles(site)?;
    // It is as old as the profiles that it is made of.
    let key = fs::read_to_string(site.path("one-binary.key"))?;
    let files = site.files("one-binary-merged", &key, |folder| merge(&profiles, folder))?;
    Ok(Covered {
        objects: vec![programs::bincover()?],
        profile: first(files)?,
    })
}

/// Formats besides pages.
const OTHER_FORMATS: &[&str] = &[
    "table",
    "text",
    "missing",
    "lcov",
    "cobertura",
    "json",
    "llvm-json",
    "codecov",
    "coveralls",
    "sonar",
    "clover",
    "markdown",
    "github",
    "badge",
    "shields",
];

/// `bincover report` with pages and other formats; without others, beside `llvm-cov show`. Each run has a new folder for
/// its pages, named after its process: a file system that has just deleted many files is slow to make others.
fn pages(site: &Site, name: &str, others: &[&str]) -> Result<Race, Failure> {
    let covered = covered_binary(site)?;
    let empty = |called: &str| -> Result<PathBuf, Failure> {
        let folder = site.path(&format!("{name}.{called}"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let to_new_folder = |option: &str, folder: PathBuf, words: Vec<OsString>| {
        let script = format!("exec \"$0\" \"$@\" {option}={}/$$", folder.display());
        let mut command: Vec<OsString> = vec!["sh".into(), "-c".into(), script.into()];
        command.extend(words);
        command
    };
    let mut ours: Vec<OsString> = vec![released("bincover").into(), "report".into()];
    ours.extend(["--profile".into(), covered.profile.clone().into()]);
    for object in &covered.objects {
        ours.extend(["--object".into(), object.clone().into()]);
    }
    for format in others {
        let path = site.path(&format!("{name}.{format}"));
        ours.push(format!("--{format}={}", path.display()).into());
    }
    let ours = to_new_folder("--html", empty("bincover")?, ours);
    let mut commands = vec![(Role::Ours, "bincover report", ours)];
    if others.is_empty() {
        let theirs = covered.command(Role::Theirs, &["show", "-format=html"]);
        let theirs = to_new_folder("-output-dir", empty("llvm-cov")?, theirs);
        commands.push((Role::Theirs, "llvm-cov show", theirs));
    }
    let racer = |(role, name, command): (Role, &str, Vec<OsString>)| Racer {
        role,
        name: name.to_owned(),
        command,
        output: None,
        prints: true,
    };
    covered.race_of(commands.into_iter().map(racer).collect())
}

fn test_binaries(site: &Site, name: &str, words: &[&str]) -> Result<Race, Failure> {
    let mut objects = programs::tests()?;
    objects.truncate(site.count(10, 3));
    let mut key = String::new();
    for object in &objects {
        key.push_str(&format!("{}\n", programs::identity(object)?));
    }
    let files = site.files("ten-binaries", &key, |folder| {
        // The tests start programs, with profiles of their own.
        let raw = folder.join("raw");
        for (index, object) in objects.iter().enumerate() {
            let pattern = raw.join(format!("{index}-%p.profraw"));
            programs::run_all(object, &[], &pattern)?;
        }
        let mut profiles = Vec::new();
        for entry in fs::read_dir(&raw)? {
            profiles.push(entry?.path());
        }
        profiles.sort();
        merge(&profiles, folder)?;
        fs::remove_dir_all(raw)?;
        Ok(())
    })?;
    let profile = first(files)?;
    Covered { objects, profile }.race(site, name, words, &[Role::Ours, Role::Theirs])
}

fn many_files(site: &Site) -> Result<Race, Failure> {
    let files = site.count(75_000, 750);
    let counts: Vec<u64> = (0..COUNTERS).map(|counter| counter % 5).collect();
    let functions = [Function::new("many", 7, counts)];
    let sources = ["main.c", "macros.h"].map(str::to_owned);
    let covered = made_up(site, "many-files", &sources, &functions, |_| macros(files))?;
    covered.race(site, "many-files", LCOV, &[Role::Ours])
}

fn million_records(site: &Site) -> Result<Race, Failure> {
    let count = site.count(1_000_000, 10_000);
    let function = |index: usize| {
        let module = index / FUNCTIONS_OF_FILE;
        let name = format!("_RNvNtCs0a1b2c3d_7example6module{module}f{index}");
        Function::new(&name, 1 + index as u64, vec![0; 3])
    };
    let functions: Vec<Function> = (0..count).map(function).collect();
    let sources: Vec<String> = (0..count / FUNCTIONS_OF_FILE)
        .map(|index| format!("src/module{index}.rs"))
        .collect();
    let functions = run(&functions, 1);
    let covered = made_up(site, "million-records", &sources, &functions, small)?;
    let racers = [Role::Ours, Role::Theirs];
    covered.race(site, "million-records", LCOV, &racers)
}

const FUNCTIONS_OF_FILE: usize = 1000;

/// A function of a few lines with a branch.
fn small(index: usize) -> Vec<u8> {
    let line = 1 + 10 * (index % FUNCTIONS_OF_FILE) as u64;
    let regions = vec![
        Region::code(0, (line, 1), (line + 8, 2)),
        Region::code(1, (line + 2, 8), (line + 4, 6)),
        Region::code(2, (line + 4, 12), (line + 6, 6)),
    ];
    mapping::function(&[(index / FUNCTIONS_OF_FILE, regions)])
}

const COUNTERS: u64 = 1000;

/// A function that expands a macro on each of its lines: so many files in all, and twice as many regions.
fn macros(files: usize) -> Vec<u8> {
    let end = files as u64 + 2;
    let mut regions = vec![
        Region::code(0, (1, 1), (end, 2)),
        Region::code(1, (1, 20), (end, 1)),
    ];
    let mut expanded = Vec::new();
    for file in 1..files {
        let line = file as u64 + 1;
        regions.push(Region::expansion(file, (line, 5), (line, 10)));
        let counter = file as u64 % COUNTERS;
        let line = 1 + counter;
        let code = Region::code(counter, (line, 20), (line, 40));
        expanded.push((1, vec![code]));
    }
    expanded.insert(0, (0, regions));
    mapping::function(&expanded)
}

/// An object and a profile of these functions with their counts.
fn made_up(
    site: &Site,
    name: &str,
    sources: &[String],
    functions: &[Function],
    mapping: impl Fn(usize) -> Vec<u8>,
) -> Result<Covered, Failure> {
    let object = mapping::object("/made-up", sources, functions, mapping);
    let profile = RawFile::new(Shape::CURRENT, functions).bytes();
    let key = format!("{:016x} {:016x}", digest(&object), digest(&profile));
    let files = site.files(name, &key, |folder| {
        // First: llvm-cov warns of objects that are newer than the profile.
        fs::write(folder.join("object"), &object)?;
        let raw = folder.join("raw");
        fs::write(&raw, &profile)?;
        merge(std::slice::from_ref(&raw), folder)?;
        fs::remove_file(raw)?;
        Ok(())
    })?;
    // As sorted.
    let [object, profile] = &files[..] else {
        return Err(format!("{name}: {} files", files.len()).into());
    };
    Ok(Covered {
        objects: vec![object.clone()],
        profile: profile.clone(),
    })
}

/// Into the only file of a folder.
fn merge(profiles: &[PathBuf], folder: &Path) -> Result<(), Failure> {
    let mut merge = Command::new(released("bincover-merge"));
    // Processes that are killed, or fork, among the tests may leave a damaged profile.
    merge.args(["merge", "-failure-mode=all"]).args(profiles);
    command::run(merge.arg("-o").arg(folder.join("profdata")))
}

fn first(files: Vec<PathBuf>) -> Result<PathBuf, Failure> {
    Ok(files.into_iter().next().ok_or("no profile was made")?)
}

impl Covered {
    fn race(
        &self,
        site: &Site,
        name: &str,
        words: &[&str],
        roles: &[Role],
    ) -> Result<Race, Failure> {
        let racer = |&role| {
            let called = match role {
                Role::Ours => "bincover llvm-cov",
                _ => "llvm-cov",
            };
            let output = format!("{name}.{}.txt", called.replace(' ', "-"));
            Racer {
                role,
                name: called.to_owned(),
                command: self.command(role, words),
                output: Some(site.path(&output)),
                prints: true,
            }
        };
        self.race_of(roles.iter().map(racer).collect())
    }

    fn race_of(&self, racers: Vec<Racer>) -> Result<Race, Failure> {
        let mut bytes = 0;
        for path in self.objects.iter().chain([&self.profile]) {
            bytes += fs::metadata(path)?.len();
        }
        Ok(Race {
            files: self.objects.len() + 1,
            bytes,
            racers,
        })
    }

    fn command(&self, role: Role, words: &[&str]) -> Vec<OsString> {
        let mut command: Vec<OsString> = match role {
            Role::Ours => vec![released("bincover").into(), "llvm-cov".into()],
            _ => vec![LLVM_COV.into()],
        };
        command.extend(words.iter().map(OsString::from));
        command.push("-instr-profile".into());
        command.push(self.profile.clone().into());
        for (index, object) in self.objects.iter().enumerate() {
            if index > 0 {
                command.push("-object".into());
            }
            command.push(object.clone().into());
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_as_many_regions_as_files() {
        let expected = [
            // Three files, no expressions.
            &[3, 1, 2, 2, 0][..],
            &[
                4, 1, 1, 1, 4, 2, 5, 0, 20, 4, 1, 12, 1, 5, 0, 10, 20, 1, 5, 0, 10,
            ],
            &[1, 5, 2, 20, 0, 40],
            &[1, 9, 3, 20, 0, 40],
        ];
        assert_eq!(macros(3), expected.concat());
    }

    #[test]
    fn the_first_object_needs_no_option() {
        let covered = Covered {
            objects: vec!["a".into(), "b".into()],
            profile: "p".into(),
        };
        let command = covered.command(Role::Theirs, &["report"]);
        let expected = [
            "llvm-cov-22",
            "report",
            "-instr-profile",
            "p",
            "a",
            "-object",
            "b",
        ];
        assert_eq!(command, expected);
    }
}
