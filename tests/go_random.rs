//! Differential tests: `bincover go` against `go tool covdata`, over programs and runs from a seeded
//! generator, and over real ones.
//!
//! Without a Go toolchain the tests say *ignored*; with `BINCOVER_REQUIRE_ORACLES=1` (as in CI) they
//! fail instead. What is not generated, since ours is meant to differ, is marked DIFFERENCE.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover::gocover::counters::write;
use bincover::gocover::meta::Function;
use bincover::gocover::{
    Args, CounterFile, Granularity, HashKind, Meta, MetaBuilder, Mode, Record, Unit,
};
use bincover_testkit::fixture;
use bincover_testkit::rng::Rng;
use libtest_mimic::{Arguments, Failed, Trial};

mod go_tools;

/// How many sets of runs are generated; each is given to one command of both tools.
const ROUNDS: u64 = 300;

fn main() -> ExitCode {
    let trials = vec![
        trial("generated_runs_equal_covdata", generated_runs),
        trial("real_runs_equal_covdata", real_runs),
        trial("covdata_reads_what_we_write", covdata_reads_ours),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, run: fn() -> Result<(), Failed>) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    Trial::test(name, run).with_ignored_flag(!go_tools::is_there() && !is_required)
}

/// Which commands a set of runs can be given to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One mode, any number of programs.
    Same,
    /// DIFFERENCE: covdata's `-pcombine` adds what was only set as counts, or not, as the order of
    /// the files has it; so modes are mixed for other commands only.
    Mixed,
    /// DIFFERENCE: of several programs, covdata takes nothing away; it intersects with each file of
    /// a folder rather than with the folder; and with a folder without counters not at all.
    OneForOne,
}

const COMMANDS: [(&str, &[&str], Kind); 11] = [
    ("textfmt", &[], Kind::Same),
    ("percent", &[], Kind::Mixed),
    ("func", &["-by=name"], Kind::Mixed),
    ("pkglist", &[], Kind::Mixed),
    ("merge", &[], Kind::Mixed),
    ("merge", &["-pcombine"], Kind::Same),
    ("subtract", &[], Kind::OneForOne),
    ("intersect", &[], Kind::OneForOne),
    ("debugdump", &[], Kind::Mixed),
    ("debugdump", &["-live"], Kind::Same),
    ("textfmt", &[], Kind::Mixed),
];

fn generated_runs() -> Result<(), Failed> {
    let covdata = go_tools::covdata()?;
    for round in 0..ROUNDS {
        let mut rng = Rng::new(round);
        let scratch = tempfile::tempdir()?;
        let index = usize::try_from(round).unwrap_or(0) % COMMANDS.len();
        let (command, options, kind) = COMMANDS[index];
        let folders = generate(&mut rng, kind, scratch.path())?;
        let mut options = options.to_vec();
        if rng.below(4) == 0 {
            options
                .push(["-pkg=m/a", "-pkg=m/...", "-pkg=m/a,m/b/c", "-pkg=none"][pick(&mut rng, 4)]);
        }
        compare(&covdata, command, &options, &folders, scratch.path())
            .map_err(|failed| format!("round {round}: {command} {options:?}: {failed:?}"))?;
    }
    Ok(())
}

fn pick(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).unwrap_or(0)
}

fn small(rng: &mut Rng, bound: u32) -> u32 {
    u32::try_from(rng.below(bound.into())).unwrap_or(0)
}

/// Folders with runs of programs.
fn generate(rng: &mut Rng, kind: Kind, scratch: &Path) -> Result<Vec<String>, Failed> {
    const MODES: [Mode; 3] = [Mode::Set, Mode::Count, Mode::Atomic];
    let program_count = if kind == Kind::OneForOne {
        1
    } else {
        1 + pick(rng, 3)
    };
    let mode = MODES[pick(rng, 3)];
    let mut programs = Vec::new();
    for _ in 0..program_count {
        let mode = if kind == Kind::Mixed {
            MODES[pick(rng, 3)]
        } else {
            mode
        };
        programs.push(program(rng, mode));
    }
    let folder_count = if kind == Kind::OneForOne {
        2
    } else {
        1 + pick(rng, 3)
    };
    let mut folders = Vec::new();
    for folder in 0..folder_count {
        let path = scratch.join(format!("d{folder}"));
        std::fs::create_dir(&path)?;
        for bytes in &programs {
            let meta = Meta::parse(bytes)?;
            let runs = if kind == Kind::OneForOne {
                1
            } else {
                pick(rng, 4)
            };
            if runs > 0 || folder == 0 {
                std::fs::write(path.join(format!("covmeta.{}", meta.hash)), bytes)?;
            }
            for run in 0..runs {
                let name = format!("covcounters.{}.{}.{run}", meta.hash, 1 + small(rng, 99));
                let is_single = program_count == 1;
                std::fs::write(path.join(name), counters(rng, &meta, is_single))?;
            }
        }
        folders.push(path.display().to_string());
    }
    Ok(folders)
}

/// A program of packages that others have too, in this version or another.
fn program(rng: &mut Rng, mode: Mode) -> Vec<u8> {
    let mut builder = MetaBuilder::new(HashKind::Fnv);
    let paths = ["m/a", "m/a-b", "m/b/c", "other"];
    let first = pick(rng, paths.len());
    for path in &paths[first..] {
        let name = path.rsplit('/').next().unwrap_or_default();
        let module = if path.starts_with('m') { "m" } else { "" };
        let package = builder.package(&text(path), &text(name), &text(module));
        for at in 0..small(rng, 4) {
            let version = small(rng, 2);
            let file = text(&format!("{path}/{}.go", ["x", "y"][pick(rng, 2)]));
            // What has one place has one name.
            let unit = |index: u32| Unit {
                start_line: 100 * (at + 1) + 10 * index,
                start_column: 1 + 3 * version,
                end_line: 100 * (at + 1) + 10 * index + 4 * version + 3,
                end_column: 200 + index,
                statements: (at + index) % 3,
            };
            let units = (0..=small(rng, 4)).map(unit).collect::<Vec<_>>();
            builder.function(
                package,
                Function {
                    name: text(&format!(
                        "{}F{at}v{version}",
                        ["", "*T.", "Größe."][at as usize % 3]
                    )),
                    file,
                    units: units.into(),
                    literal: at == 2,
                },
            );
        }
    }
    builder.write(mode, Granularity::Block)
}

fn text(text: &str) -> bincover::gocover::Text {
    text.as_bytes().into()
}

fn counters(rng: &mut Rng, meta: &Meta, may_overflow: bool) -> Vec<u8> {
    let mut all: Vec<(u32, u32, Vec<u32>)> = Vec::new();
    for (package, one) in (0..).zip(&meta.packages) {
        for (function, one) in (0..).zip(&one.functions) {
            if rng.below(3) == 0 {
                continue;
            }
            let counter = |_: &Unit| match rng.below(6) {
                0 => 0,
                _ if meta.mode == Mode::Set => 1,
                1 => small(rng, 100_000),
                2 if may_overflow => u32::MAX - small(rng, 3),
                _ => small(rng, 128),
            };
            all.push((package, function, one.units.iter().map(counter).collect()));
        }
    }
    let records = all.iter().map(|(package, function, counters)| Record {
        package: *package,
        function: *function,
        counters,
    });
    let args = Args {
        args: ["./m", ["x", ""][pick(rng, 2)]].map(Into::into).to_vec(),
        os: "linux".into(),
        arch: ["amd64", "arm64"][pick(rng, 2)].into(),
    };
    write(meta.hash, &args, &records.collect::<Vec<_>>())
}

/// Runs a command of both tools and compares all that they give.
fn compare(
    covdata: &Path,
    command: &str,
    options: &[&str],
    folders: &[String],
    scratch: &Path,
) -> Result<(), Failed> {
    let writes_folder = matches!(command, "merge" | "subtract" | "intersect");
    let mut results = Vec::new();
    for is_ours in [true, false] {
        let out = scratch.join(if is_ours { "ours" } else { "theirs" });
        let mut tool = Command::new(match is_ours {
            true => Path::new(env!("CARGO_BIN_EXE_bincover")),
            false => covdata,
        });
        if is_ours {
            tool.arg("go");
        }
        tool.arg(command).arg(format!("-i={}", folders.join(",")));
        // This is what makes ours as theirs.
        tool.args(
            options
                .iter()
                .filter(|option| is_ours || **option != "-by=name"),
        );
        if writes_folder {
            std::fs::create_dir(&out)?;
        }
        if writes_folder || command == "textfmt" {
            tool.arg("-o").arg(&out);
        }
        let output = tool.output()?;
        let stdout = match command {
            // What was typed is in the first lines.
            "debugdump" => output
                .stdout
                .splitn(7, |&byte| byte == b'\n')
                .last()
                .map(<[u8]>::to_vec),
            _ => Some(output.stdout.clone()),
        };
        let written = match output.status.success() {
            true if writes_folder => held(&out)?,
            true if command == "textfmt" => String::from_utf8(std::fs::read(&out)?)?,
            _ => String::new(),
        };
        let stdout = String::from_utf8(stdout.unwrap_or_default())?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        results.push((output.status.code(), stdout, written, stderr));
    }
    let (ours, theirs) = (&results[0], &results[1]);
    if (ours.0, &ours.1, &ours.2) == (theirs.0, &theirs.1, &theirs.2) {
        return Ok(());
    }
    Err(format!("ours:\n{ours:#?}\ntheirs:\n{theirs:#?}").into())
}

/// A GOCOVERDIR, decoded: the order of strings in counter files is random in Go.
fn held(folder: &Path) -> Result<String, Failed> {
    // Programs that have the same packages left have one name.
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::read(&path)?;
        if name.starts_with("covmeta.") {
            held.entry(name).or_default().push(format!("{bytes:02x?}"));
        } else {
            let file = CounterFile::parse(&bytes)?;
            let records: Vec<_> = file.records().collect();
            let text = format!("{:?} {records:?}", file.args);
            let name = format!("counters of {}", file.hash);
            held.entry(name).or_default().push(text);
        }
    }
    held.values_mut().for_each(|files| files.sort());
    Ok(format!("{held:#?}"))
}

/// Programs built by the toolchain that is there, in each mode, and their runs.
fn real_folders(scratch: &Path) -> Result<Vec<Vec<String>>, Failed> {
    let source = fixture("go/src/multi");
    let mut all = Vec::new();
    for mode in ["set", "atomic"] {
        let mut folders = Vec::new();
        for (program, runs) in [
            ("alpha", [&["-n", "300", "hello", "WORLD"][..], &["x"]]),
            ("beta", [&["one2"], &["ab", "c d"]]),
        ] {
            let binary = scratch.join(format!("{program}-{mode}"));
            let mut build = go_tools::go();
            build
                .current_dir(&source)
                .args(["build", "-cover", "-coverpkg=./..."]);
            build
                .arg(format!("-covermode={mode}"))
                .arg("-o")
                .arg(&binary);
            go_tools::output(build.arg(format!("./cmd/{program}")))?;
            for (index, args) in runs.into_iter().enumerate() {
                let folder = scratch.join(format!("{program}-{mode}-{index}"));
                std::fs::create_dir(&folder)?;
                let run = Command::new(&binary)
                    .args(args)
                    .env("GOCOVERDIR", &folder)
                    .output()?;
                assert!(run.status.code().is_some());
                folders.push(folder.display().to_string());
            }
        }
        all.push(folders);
    }
    Ok(all)
}

fn real_runs() -> Result<(), Failed> {
    let covdata = go_tools::covdata()?;
    let scratch = tempfile::tempdir()?;
    for folders in real_folders(scratch.path())? {
        for (command, options, kind) in COMMANDS {
            let out = tempfile::tempdir()?;
            let folders = if kind == Kind::OneForOne {
                &folders[..2]
            } else {
                &folders
            };
            compare(&covdata, command, options, folders, out.path())
                .map_err(|failed| format!("{command} {options:?}: {failed:?}"))?;
        }
    }
    Ok(())
}

/// What we merged and wrote is to covdata what it was made of.
fn covdata_reads_ours() -> Result<(), Failed> {
    let covdata = go_tools::covdata()?;
    let scratch = tempfile::tempdir()?;
    let text = |inputs: &str, name: &str| -> Result<Vec<u8>, Failed> {
        let out: PathBuf = scratch.path().join(name);
        let input = format!("-i={inputs}");
        go_tools::output(
            Command::new(&covdata)
                .args(["textfmt", &input, "-o"])
                .arg(&out),
        )?;
        Ok(std::fs::read(out)?)
    };
    let data = ["alpha/count/a", "alpha/count/b", "beta/count/c"];
    let folders = data.map(|name| fixture("go/data/go1.27").join(name).display().to_string());
    let before = text(&folders.join(","), "before")?;
    for options in [&[][..], &["-pcombine"]] {
        let out = tempfile::tempdir()?;
        let mut ours = Command::new(env!("CARGO_BIN_EXE_bincover"));
        ours.args(["go", "merge", &format!("-i={}", folders.join(","))]);
        go_tools::output(ours.args(options).arg("-o").arg(out.path()))?;
        let after = text(&out.path().display().to_string(), "after")?;
        assert!(before == after, "{options:?}");
    }
    Ok(())
}
