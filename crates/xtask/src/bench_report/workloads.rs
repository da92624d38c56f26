//! What is compared, and on which inputs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bincover_testkit::raw::{Assembled, Function, RawFile, Shape, binary, run};

use super::inputs::Site;
use super::programs::{self, CxxProgram, RustFamily};
use super::race::{Race, Racer, Role, digest};
use super::released;
use super::targets::Target;
use super::{coverage, go, suite};
use crate::{Failure, command};

/// A section of the report.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) workloads: &'static [Workload],
}

/// A row of it.
pub(super) struct Workload {
    /// To ask for it by.
    pub(super) name: &'static str,
    /// What the inputs are.
    pub(super) about: &'static str,
    /// How many rounds it gets where the others get so many.
    pub(super) rounds: fn(usize) -> usize,
    /// Makes the inputs, or finds them made.
    pub(super) prepare: fn(&Site) -> Result<Race, Failure>,
    pub(super) targets: &'static [Target],
}

pub(super) const LLVM_PROFDATA: &str = "llvm-profdata-22";

pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Merge",
        about: "Profiles into one indexed profile: `bincover-merge merge`, as it stands in for llvm-profdata.",
        workloads: &[
            Workload {
                name: "one-binary",
                about: "an instrumented debug build of `bincover-merge`, run on the files of `testdata/`",
                rounds: |rounds| rounds,
                prepare: one_binary,
                targets: &[Target::Faster(100.0), Target::AboveFloor(2.5)],
            },
            Workload {
                name: "sixty-binaries",
                about: "sixty Rust programs that share a library of 2,000 functions, ten runs of each",
                rounds: |rounds| rounds,
                prepare: sixty_binaries,
                targets: &[Target::Faster(20.0)],
            },
            Workload {
                name: "indexed-shards",
                about: "indexed profiles, each merged by llvm-profdata from ten of `one-binary`",
                rounds: |rounds| rounds,
                prepare: indexed_shards,
                targets: &[Target::Faster(2.0)],
            },
            Workload {
                name: "ir-pgo",
                about: "a C++ program of 3,000 functions with `-fprofile-generate`; values of indirect calls, sizes and \
                    vtables. llvm-profdata's output depends on its threads here, so the reference is that of `-j 1`",
                rounds: |rounds| rounds,
                prepare: ir_pgo,
                targets: &[Target::Faster(5.0)],
            },
            Workload {
                name: "one-small",
                about: "one profile of a small program, so that starting and ending is most of it",
                rounds: |rounds| 20 * rounds,
                prepare: one_small,
                targets: &[Target::Faster(1.0)],
            },
        ],
    },
    Group {
        title: "Growth",
        about: "Made-up profiles of one binary, 5 MB each, as more and more of them are merged. Fifty are different; the \
            others are hard links to these, so disks are left out of it.",
        workloads: &[
            Workload {
                name: "growth-100",
                about: "100 files from a seeded generator",
                rounds: few,
                prepare: |site| growth(site, site.count(100, 10), by_llvm),
                targets: &[],
            },
            Workload {
                name: "growth-1000",
                about: "1,000 of them",
                rounds: few,
                prepare: |site| growth(site, site.count(1000, 20), by_llvm),
                targets: &[Target::TimePerFileOf("growth-100", 1.2)],
            },
            Workload {
                name: "growth-10000",
                about: "10,000 of them; llvm-profdata gets each of the fifty once, weighing 200, for its bytes alone",
                rounds: few,
                prepare: |site| growth(site, site.count(10_000, 40), by_weights),
                targets: &[
                    Target::MemoryOf("growth-100", 1.2),
                    Target::MemoryBelowTheirs("growth-1000"),
                    Target::TimePerFileOf("growth-100", 1.2),
                ],
            },
        ],
    },
    Group {
        title: "Fold",
        about: "The same files, copied one by one into a folder that `bincover fold` empties meanwhile; a hundred at most \
            wait in it. The time is that of copying and folding, and beside it llvm-profdata merges what is there already.",
        workloads: &[
            Workload {
                name: "fold-100",
                about: "100 files",
                rounds: few,
                prepare: |site| fold(site, site.count(100, 10), by_llvm),
                targets: &[],
            },
            Workload {
                name: "fold-10000",
                about: "10,000 files; llvm-profdata as in `growth-10000`",
                rounds: few,
                prepare: |site| fold(site, site.count(10_000, 120), by_weights),
                targets: &[
                    Target::MemoryOf("fold-100", 1.2),
                    Target::MemoryBelowTheirs("fold-100"),
                    Target::TimePerFileOf("fold-100", 1.2),
                ],
            },
        ],
    },
    coverage::GROUP,
    go::GROUP,
    suite::GROUP,
];

/// For what takes minutes.
pub(super) fn few(rounds: usize) -> usize {
    rounds.min(3)
}

fn one_binary(site: &Site) -> Result<Race, Failure> {
    let files = one_binary_profiles(site)?;
    race(site, "one-binary", &files, |list| {
        let mut racers = raw_racers(list);
        racers.push(llvm(list, Role::Also, &["-j", "1"]));
        Ok(racers)
    })
}

pub(super) fn one_binary_profiles(site: &Site) -> Result<Vec<PathBuf>, Failure> {
    let program = programs::bincover()?;
    let inputs = fixtures();
    let runs = site.count(1000, 40);
    let key = format!("{runs} runs of {}", programs::identity(&program)?);
    site.files("one-binary", &key, |folder| {
        for index in 0..runs {
            let input = inputs[index % inputs.len()].display().to_string();
            let unwanted = site.path("unwanted").display().to_string();
            let args: &[&str] = match index / inputs.len() % 5 {
                0 => &["merge", &input, "-o", &unwanted],
                1 => &["show", "--all-functions", "--counts", &input],
                2 => &["merge", "--text", "--sparse", &input, "-o", &unwanted],
                3 => &["overlap", &input, &input],
                _ => &["show", "--topn=3", "--text", &input],
            };
            programs::run(&program, args, &folder.join(format!("{index:04}.profraw")))?;
        }
        Ok(())
    })
}

/// Profiles of all kinds, whole and broken.
fn fixtures() -> Vec<PathBuf> {
    let suffixes = ["profraw", "profdata", "proftext"];
    let mut inputs: Vec<PathBuf> = suffixes
        .iter()
        .flat_map(|suffix| bincover_testkit::fixtures_ending("", &format!(".{suffix}")))
        .collect();
    inputs.sort();
    inputs
}

fn sixty_binaries(site: &Site) -> Result<Race, Failure> {
    let family = RustFamily::new(site.count(60, 6), site.count(2000, 200));
    let compiler = command::stdout(Command::new("rustc").arg("--version"))?;
    let key = compiler + &family.sources();
    let files = site.files("sixty-binaries", &key, |folder| {
        for (index, program) in family.build(site)?.iter().enumerate() {
            for seed in 0..10 {
                let profile = folder.join(format!("{seed}-{index:02}.profraw"));
                let seed = (17 * index + seed).to_string();
                programs::run(program, &[&seed], &profile)?;
            }
        }
        Ok(())
    })?;
    race(site, "sixty-binaries", &files, |list| Ok(raw_racers(list)))
}

fn indexed_shards(site: &Site) -> Result<Race, Failure> {
    let profiles = one_binary_profiles(site)?;
    // They are as old as the profiles that they are made of.
    let key = fs::read_to_string(site.path("one-binary.key"))?;
    let files = site.files("indexed-shards", &key, |folder| {
        for (index, ten) in profiles.chunks(10).enumerate() {
            let shard = folder.join(format!("{index:03}.profdata"));
            let mut merge = Command::new(LLVM_PROFDATA);
            merge.arg("merge").args(ten).arg("-o").arg(shard);
            command::run(&mut merge)?;
        }
        Ok(())
    })?;
    race(site, "indexed-shards", &files, |list| {
        Ok(vec![ours(list), llvm(list, Role::Theirs, &[])])
    })
}

fn ir_pgo(site: &Site) -> Result<Race, Failure> {
    let program = CxxProgram::new(site.count(3000, 500));
    let runs = site.count(200, 10);
    let key = format!("{runs} runs\n{}", program.sources());
    let files = site.files("ir-pgo", &key, |folder| {
        let program = program.build(site)?;
        for seed in 1..=runs {
            let profile = folder.join(format!("{seed:03}.profraw"));
            programs::run(&program, &[&seed.to_string()], &profile)?;
        }
        Ok(())
    })?;
    race(site, "ir-pgo", &files, |list| {
        let mut racers = raw_racers(list);
        racers.push(llvm(list, Role::Also, &["-j", "1"]));
        Ok(racers)
    })
}

fn one_small(site: &Site) -> Result<Race, Failure> {
    let file = PathBuf::from("testdata/raw/rust-v10/1.profraw");
    race(site, "one-small", &[file], |list| Ok(raw_racers(list)))
}

fn growth(site: &Site, count: usize, reference: Reference) -> Result<Race, Failure> {
    let files = linked_profiles(site, count)?;
    race(site, &format!("growth-{count}"), &files, |list| {
        let mut racers = vec![ours(list), reference(site, list, &files)?];
        racers.extend(floors(list));
        Ok(racers)
    })
}

fn fold(site: &Site, count: usize, reference: Reference) -> Result<Race, Failure> {
    let files = linked_profiles(site, count)?;
    race(site, &format!("fold-{count}"), &files, |list| {
        Ok(vec![folding(list), reference(site, list, &files)?])
    })
}

/// How many generated files are different from each other.
fn different(site: &Site) -> usize {
    site.count(50, 5)
}

/// So many files; all but the first few are the same again.
fn linked_profiles(site: &Site, count: usize) -> Result<Vec<PathBuf>, Failure> {
    let generated = generated_profiles(site, different(site))?;
    let key = fs::read_to_string(site.path("generated.key"))?;
    site.files(&format!("linked-{count}"), &key, |folder| {
        for index in 0..count {
            let link = folder.join(format!("{index:05}.profraw"));
            fs::hard_link(&generated[index % generated.len()], link)?;
        }
        Ok(())
    })
}

/// What the bytes are compared with.
type Reference = fn(&Site, &List, &[PathBuf]) -> Result<Racer, Failure>;

fn by_llvm(_: &Site, list: &List, _: &[PathBuf]) -> Result<Racer, Failure> {
    Ok(llvm(list, Role::Theirs, &[]))
}

/// llvm-profdata would take too long for all of them: it gets each different file once, with its number as the weight.
fn by_weights(site: &Site, list: &List, files: &[PathBuf]) -> Result<Racer, Failure> {
    let different = different(site);
    let weight = files.len() / different;
    let mut weighted = String::new();
    for path in &files[..different] {
        weighted.push_str(&format!("{weight},{}\n", path.display()));
    }
    let list = List(list.0.with_extension("weighted"));
    fs::write(&list.0, weighted)?;
    let mut racer = llvm(&list, Role::Check, &[]);
    racer.name.push_str(", by weights");
    Ok(racer)
}

/// Different runs of a made-up binary.
fn generated_profiles(site: &Site, count: usize) -> Result<Vec<PathBuf>, Failure> {
    const FUNCTIONS: usize = 30_000;
    const COUNTERS: u64 = 8;
    let functions = binary(5, FUNCTIONS, COUNTERS, true);
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids.push((1..=20).collect());
    let template = file.assemble();
    let key = format!("{count} of {:016x}", digest(&template.bytes));
    site.files("generated", &key, |folder| {
        for seed in 0..count {
            let functions = run(&functions, seed as u64);
            let bytes = with_counters(&template, &functions);
            fs::write(folder.join(format!("{seed:02}.profraw")), bytes)?;
        }
        Ok(())
    })
}

/// The file with the counters and bitmaps of this run.
fn with_counters(template: &Assembled, functions: &[Function]) -> Vec<u8> {
    let counters = functions.iter().flat_map(|function| &function.counts);
    let bitmaps = functions.iter().flat_map(|function| &function.bitmap);
    let mut bytes = template.bytes.clone();
    let mut put = |label: &str, section: Vec<u8>| {
        let start = template.offset(label);
        bytes[start..start + section.len()].copy_from_slice(&section);
    };
    put(
        "counters",
        counters.flat_map(|count| count.to_le_bytes()).collect(),
    );
    put("bitmaps", bitmaps.copied().collect());
    bytes
}

/// A file with the paths of all inputs, one a line. What is made of them lies beside it.
struct List(PathBuf);

impl List {
    /// Where a racer's output goes.
    fn output(&self, racer: &str) -> PathBuf {
        self.0
            .with_extension(format!("{}.profdata", racer.replace(' ', "")))
    }
}

fn race(
    site: &Site,
    name: &str,
    files: &[PathBuf],
    racers: impl FnOnce(&List) -> Result<Vec<Racer>, Failure>,
) -> Result<Race, Failure> {
    let mut bytes = 0;
    let mut paths = String::new();
    for path in files {
        bytes += fs::metadata(path)?.len();
        paths.push_str(&format!("{}\n", path.display()));
    }
    let list = List(site.path(&format!("{name}.list")));
    fs::write(&list.0, paths)?;
    Ok(Race {
        files: files.len(),
        bytes,
        racers: racers(&list)?,
    })
}

/// For raw profiles, everybody's merge.
fn raw_racers(list: &List) -> Vec<Racer> {
    let mut racers = vec![ours(list), llvm(list, Role::Theirs, &[])];
    racers.extend(floors(list));
    racers
}

fn ours(list: &List) -> Racer {
    let program = released("bincover-merge");
    merger(list, Role::Ours, "bincover-merge", &program, &[])
}

fn llvm(list: &List, role: Role, options: &[&str]) -> Racer {
    let called = [&["llvm-profdata"], options].concat().join(" ");
    merger(list, role, &called, Path::new(LLVM_PROFDATA), options)
}

fn merger(list: &List, role: Role, called: &str, program: &Path, options: &[&str]) -> Racer {
    let output = list.output(called);
    let mut command: Vec<OsString> = vec![program.into(), "merge".into()];
    command.extend(options.iter().map(OsString::from));
    command.extend(["-f".into(), list.0.clone().into()]);
    command.extend(["-o".into(), output.clone().into()]);
    Racer {
        role,
        name: called.to_owned(),
        command,
        output: Some(output),
        prints: false,
    }
}

/// Raw profiles only: see `bin/floor.rs`.
fn floors(list: &List) -> [Racer; 2] {
    ["1", "2"].map(|threads| Racer {
        role: Role::Floor,
        name: format!("floor, threads: {threads}"),
        command: vec![
            released("floor").into(),
            threads.into(),
            list.0.clone().into(),
        ],
        output: None,
        prints: false,
    })
}

/// The files go through a folder that `bincover fold` empties: see `bin/stream.rs`.
fn folding(list: &List) -> Racer {
    let name = "bincover fold";
    let folder = list.0.with_extension("folder");
    let output = list.output(name);
    let mut command: Vec<OsString> = vec![
        released("stream").into(),
        folder.clone().into(),
        list.0.clone().into(),
    ];
    command.extend([released("bincover").into(), "fold".into(), folder.into()]);
    command.extend(["--follow", "--every", "20ms", "-o"].map(OsString::from));
    command.push(output.clone().into());
    Racer {
        role: Role::Ours,
        name: name.to_owned(),
        command,
        output: Some(output),
        prints: false,
    }
}
