//! How much is held: inputs as large or as many as nobody should have them, one after another, with the time and the
//! peak memory of each command. [`docs/robustness.md`](../../../docs/robustness.md) has the figures of a run.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover_testkit::mapping::{self, Region};
use bincover_testkit::raw::{Function, RawFile, Shape, binary};

use crate::{Failure, command};

/// Everything is made here, and deleted when a load is done.
const ROOT: &str = "target/load";

/// One kind of load.
struct Load {
    name: &'static str,
    about: &'static str,
    /// Makes the inputs, runs the commands, checks what they made.
    run: fn(&Site) -> Result<(), Failure>,
}

const LOADS: &[Load] = &[
    Load {
        name: "profiles",
        about: "100,000 profiles in one folder, and five that are damaged",
        run: profiles,
    },
    Load {
        name: "store",
        about: "200 processes at once that run a program five times each, in one store",
        run: store,
    },
    Load {
        name: "object",
        about: "an object of 1 GiB with 100,000 functions",
        run: object,
    },
    Load {
        name: "line",
        about: "a source whose one line has 50,000,000 bytes and 10,000 regions",
        run: line,
    },
    Load {
        name: "functions",
        about: "1,000,000 functions in 1,000 files",
        run: functions,
    },
];

pub(crate) fn run(names: &[String]) -> Result<ExitCode, Failure> {
    if let Some(unknown) = names
        .iter()
        .find(|name| LOADS.iter().all(|load| load.name != *name))
    {
        let known: Vec<&str> = LOADS.iter().map(|load| load.name).collect();
        return Err(format!("no load `{unknown}`; there are {}", known.join(", ")).into());
    }
    let build = ["build", "--release", "--locked", "--target-dir", "target"];
    let packages = ["-p", "bincover-cli", "-p", "xtask", "--bins"];
    command::run(command::cargo().args(build).args(packages))?;
    println!("| command | time | processor | peak memory | exit code | left out |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for load in LOADS {
        if names.is_empty() || names.iter().any(|name| name == load.name) {
            println!("| **{}** | | | | | |", load.about);
            let site = Site(std::path::absolute(ROOT)?.join(load.name));
            if site.0.exists() {
                fs::remove_dir_all(&site.0)?;
            }
            fs::create_dir_all(&site.0)?;
            (load.run)(&site)?;
            fs::remove_dir_all(&site.0)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder of one load, in which its commands run.
struct Site(PathBuf);

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        Ok(fs::write(self.path(name), bytes)?)
    }

    fn text(&self, name: &str) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.path(name))?)
    }

    /// Runs `bincover`, and prints what it took. It has to end as it should.
    fn bincover(&self, args: &[&str], code: i32) -> Result<(), Failure> {
        let script = "\"$0\" \"$@\" 2>said; echo $? >code";
        let program = released("bincover")?;
        self.measured(script, &program, args)?;
        let found = self.text("code")?;
        let said = self.text("said")?;
        let left_out = said.lines().filter(|line| line.contains("left out: "));
        let more = |line: &str| {
            let more = line.rsplit("left out: ").next()?.strip_suffix(" more")?;
            more.parse::<usize>().ok()
        };
        let left_out: usize = left_out.map(|line| more(line).unwrap_or(1)).sum();
        println!(" {} | {left_out} |", found.trim());
        if found.trim() != code.to_string() {
            return Err(format!("{args:?}: expected exit code {code}, found {found}{said}").into());
        }
        Ok(())
    }

    /// Runs a script and prints the first columns of its row.
    fn measured(&self, script: &str, program: &Path, args: &[&str]) -> Result<(), Failure> {
        let mut measure = Command::new(released("measure")?);
        measure
            .args(["/dev/null", "sh", "-c", script])
            .arg(program)
            .args(args)
            .current_dir(&self.0);
        let line = command::stdout(&mut measure)?;
        let numbers: Vec<f64> = line.split_whitespace().flat_map(str::parse).collect();
        let [elapsed, processor, kibibytes] = numbers[..] else {
            return Err(format!("`measure` said {line:?}").into());
        };
        print!(
            "| `{}` | {:.2} s | {:.2} s | {:.0} MB |",
            args.join(" "),
            elapsed / 1e9,
            processor / 1e9,
            kibibytes * 1024.0 / 1e6
        );
        Ok(())
    }
}

fn released(name: &str) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute("target/release")?.join(name))
}

/// Fails with these words unless it is so.
fn check(is_so: bool, words: impl FnOnce() -> String) -> Result<(), Failure> {
    match is_so {
        true => Ok(()),
        false => Err(words().into()),
    }
}

fn profiles(site: &Site) -> Result<(), Failure> {
    const PROFILES: usize = 100_000;
    const DIFFERENT: usize = 50;
    let folder = site.path("profiles");
    fs::create_dir(&folder)?;
    let mut functions = binary(5, 200, 4, false);
    let mut whole = Vec::new();
    for number in 0..DIFFERENT {
        for function in &mut functions {
            function.counts.fill(number as u64);
        }
        let mut file = RawFile::new(Shape::CURRENT, &functions);
        file.binary_ids.push(vec![5; 20]);
        whole = file.bytes();
        site.write(&format!("{number}"), &whole)?;
    }
    for number in 0..PROFILES {
        let from = site.path(&format!("{}", number % DIFFERENT));
        fs::hard_link(from, folder.join(format!("{number}.profraw")))?;
    }
    let mut other_version = whole.clone();
    other_version[8] = 99;
    for (name, bytes) in [
        ("empty", &whole[..0]),
        ("header", &whole[..100]),
        ("names", &whole[..whole.len() - 50]),
        ("version", &other_version),
        ("text", b"no profile"),
    ] {
        fs::write(folder.join(format!("{name}.profraw")), bytes)?;
    }
    let merge = ["merge", "--text", "-o", "out.proftext", "profiles"];
    site.bincover(&merge, 92)?;
    // What could be saved of the file that is cut counts too.
    let sum = (0..DIFFERENT as u64).sum::<u64>() * (PROFILES / DIFFERENT) as u64;
    let expected = sum + (DIFFERENT as u64 - 1);
    let text = site.text("out.proftext")?;
    let count = first_count(&text, |_| true);
    check(count == Some(expected), || {
        format!("expected a count of {expected}, found {count:?}")
    })?;
    site.bincover(&["fold", "profiles"], 92)
}

/// The first counter of the first function of a text profile whose name is wanted.
fn first_count(text: &str, is_wanted: impl Fn(&str) -> bool) -> Option<u64> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(':')).collect();
    let hash = |at: &usize| lines[*at] == "# Func Hash:" && is_wanted(lines[at - 1]);
    let at = (1..lines.len()).find(hash)?;
    // The hash, `# Num Counters:`, their number, `# Counter Values:`.
    lines.get(at + 5)?.parse().ok()
}

fn store(site: &Site) -> Result<(), Failure> {
    const PROCESSES: usize = 200;
    const RUNS: usize = 5;
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition=2024", "--crate-name=endings"])
        .args([
            "-Cinstrument-coverage",
            "-Cllvm-args=-runtime-counter-relocation",
        ])
        .arg("-o")
        .args([
            &site.path("program"),
            Path::new("tests/programs/endings.rs"),
        ]);
    command::run(&mut rustc)?;
    let script = format!(
        "for process in $(seq {PROCESSES}); do (for run in $(seq {RUNS}); do \
         \"$0\" \"$@\" 2>>said || echo $? >>failed; done) & done; wait"
    );
    let run = ["run", "--store", "store", "--", "./program", "return"];
    site.measured(&script, &released("bincover")?, &run)?;
    let said = site.text("said")?;
    println!(" 0 | {} |", said.lines().count());
    check(!site.path("failed").exists() && said.is_empty(), || {
        format!("some runs failed: {said}")
    })?;
    site.bincover(
        &[
            "report",
            "--store",
            "store",
            "--profdata",
            "out.profdata",
            "--lcov",
            "out.info",
        ],
        0,
    )?;
    site.bincover(
        &["merge", "--text", "-o", "out.proftext", "out.profdata"],
        0,
    )?;
    let text = site.text("out.proftext")?;
    let count = first_count(&text, |name| name.ends_with("7endings4main"));
    let expected = (PROCESSES * RUNS) as u64;
    check(count == Some(expected), || {
        format!("expected a count of {expected}, found {count:?}")
    })
}

/// Functions, each with a code region of three lines; and an object and a profile of them.
fn many(site: &Site, functions: usize, files: usize) -> Result<Vec<u8>, Failure> {
    let named = |number: usize| Function::new(&format!("function_{number:07}"), 7, [3]);
    let functions: Vec<Function> = (0..functions).map(named).collect();
    let names: Vec<String> = (0..files)
        .map(|number| format!("src/file_{number}.c"))
        .collect();
    let object = mapping::object("/nowhere", &names, &functions, |index| {
        let line = (index / files) as u64 * 4 + 1;
        mapping::function(&[(
            index % files,
            vec![Region::code(0, (line, 1), (line + 2, 2))],
        )])
    });
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids.push(vec![7; 20]);
    site.write("all.profraw", &file.bytes())?;
    Ok(object)
}

fn object(site: &Site) -> Result<(), Failure> {
    const BYTES: u64 = 1 << 30;
    let mut object = many(site, 100_000, 100)?;
    // The section headers come behind 1 GiB, of which little is on the disk.
    let (_, rest) = object.split_at(40);
    let table = u64::from_le_bytes(*rest.first_chunk().ok_or("an ELF header")?);
    let headers = object.split_off(usize::try_from(table)?);
    object[40..48].copy_from_slice(&BYTES.to_le_bytes());
    let mut file = File::create(site.path("large.o"))?;
    file.write_all(&object)?;
    file.seek(SeekFrom::Start(BYTES))?;
    file.write_all(&headers)?;
    drop(file);
    let inputs = ["--profile", "all.profraw", "--object", "large.o"];
    site.bincover(
        &[&["report", "--lcov", "out.info"][..], &inputs].concat(),
        0,
    )?;
    let found = site
        .text("out.info")?
        .lines()
        .filter(|line| *line == "FNH:1000")
        .count();
    check(found == 100, || {
        format!("expected 100 files, found {found}")
    })?;
    site.bincover(
        &[
            "merge",
            "-o",
            "out.profdata",
            "--object",
            "large.o",
            "all.profraw",
        ],
        0,
    )
}

fn line(site: &Site) -> Result<(), Failure> {
    const BYTES: usize = 50_000_000;
    const REGIONS: u64 = 10_000;
    site.write("long.c", "f(x);".repeat(BYTES / 5).as_bytes())?;
    let functions = [Function::new("f", 7, vec![1; usize::try_from(REGIONS)?])];
    let step = BYTES as u64 / REGIONS;
    let regions = (0..REGIONS).map(|at| {
        let start = at * step + 1;
        Region::code(at, (1, start), (1, start + step / 2))
    });
    let data = mapping::function(&[(0, regions.collect())]);
    let folder = site.0.to_string_lossy();
    let object = mapping::object(&folder, &["long.c".to_owned()], &functions, |_| {
        data.clone()
    });
    site.write("f.o", &object)?;
    site.write(
        "f.profraw",
        &RawFile::new(Shape::CURRENT, &functions).bytes(),
    )?;
    let inputs = ["--profile", "f.profraw", "--object", "f.o"];
    for format in [
        ["--lcov", "out.info"],
        ["--text", "out.txt"],
        ["--html", "pages"],
        ["--json", "out.json"],
        ["--cobertura", "out.xml"],
    ] {
        site.bincover(&[&["report"][..], &format, &inputs].concat(), 0)?;
    }
    site.bincover(
        &[&["report", "--markers", "--lcov", "out.info"][..], &inputs].concat(),
        0,
    )?;
    let show = ["llvm-cov", "show", "f.o", "-instr-profile=f.profdata"];
    site.bincover(&["merge", "-o", "f.profdata", "f.profraw"], 0)?;
    site.bincover(&show, 0)
}

fn functions(site: &Site) -> Result<(), Failure> {
    let object = many(site, 1_000_000, 1_000)?;
    site.write("all.o", &object)?;
    drop(object);
    site.bincover(&["merge", "-o", "all.profdata", "all.profraw"], 0)?;
    let inputs = ["--profile", "all.profdata", "--object", "all.o"];
    for format in [
        ["--lcov", "out.info"],
        ["--json", "out.json"],
        ["--html", "pages"],
    ] {
        site.bincover(&[&["report"][..], &format, &inputs].concat(), 0)?;
    }
    let found = site
        .text("out.info")?
        .lines()
        .filter(|line| *line == "FNH:1000")
        .count();
    check(found == 1000, || {
        format!("expected 1,000 files, found {found}")
    })?;
    let export = ["llvm-cov", "export", "all.o", "-instr-profile=all.profdata"];
    site.bincover(&export, 0)
}
