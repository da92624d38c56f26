//! Runs of a Go program into one: what is compared with `go tool covdata`, which the toolchain builds from its own source.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bincover_testkit::rng::Rng;

use super::inputs::Site;
use super::race::{Race, Racer, Role, digest};
use super::released;
use super::targets::Target;
use super::workloads::{Group, Workload};
use crate::{Failure, command};

pub(super) const GROUP: Group = Group {
    title: "Go",
    about: "Runs of a Go program of 5,000 functions, which the toolchain built and ran: `bincover go`, as it stands in for \
        `go tool covdata`. The floor reads the files.",
    workloads: &[
        Workload {
            name: "go-textfmt",
            about: "1,000 runs; a text profile",
            rounds: |rounds| rounds,
            prepare: |site| textfmt(site, "go-textfmt", site.count(1000, 40)),
            targets: &[Target::Faster(8.0), Target::AboveFloor(4.0)],
        },
        Workload {
            name: "go-merge",
            about: "the same; a folder of one run",
            rounds: |rounds| rounds,
            prepare: merge,
            targets: &[Target::Faster(8.0), Target::AboveFloor(4.0)],
        },
        Workload {
            name: "go-textfmt-8000",
            about: "8,000 runs, most of them the same again",
            rounds: super::workloads::few,
            prepare: |site| textfmt(site, "go-textfmt-8000", site.count(8000, 320)),
            targets: &[Target::Faster(8.0), Target::MemoryOf("go-textfmt", 1.2)],
        },
    ],
};

const PACKAGES: usize = 10;

fn textfmt(site: &Site, name: &str, count: usize) -> Result<Race, Failure> {
    let folder = linked(site, count)?;
    let racers = |role, name: &str, program: Vec<OsString>| {
        let output = site.path(&format!("{name}.out").replace(' ', "-"));
        let mut command = program;
        command.push("textfmt".into());
        command.push(joined("-i=", &folder));
        command.push(joined("-o=", &output));
        Racer {
            role,
            name: name.to_owned(),
            command,
            output: Some(output),
            prints: false,
        }
    };
    let mut all = vec![
        racers(
            Role::Ours,
            "bincover go",
            vec![released("bincover").into(), "go".into()],
        ),
        racers(Role::Theirs, "covdata", vec![covdata(site)?.into()]),
    ];
    all.extend(floors(&folder));
    race(&folder, all).map_err(|failure| format!("{name}: {failure}").into())
}

/// Both write a folder whose files have the time in their names, so that their bytes are not compared here; tests do that.
fn merge(site: &Site) -> Result<Race, Failure> {
    let folder = linked(site, site.count(1000, 40))?;
    let racer = |role, name: &str, program: Vec<OsString>| -> Result<Racer, Failure> {
        let output = site.path(&format!("{name}.merged").replace(' ', "-"));
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        fs::create_dir(&output)?;
        let mut command = program;
        command.push("merge".into());
        command.push(joined("-i=", &folder));
        command.push(joined("-o=", &output));
        Ok(Racer {
            role,
            name: name.to_owned(),
            command,
            output: None,
            prints: false,
        })
    };
    let mut all = vec![
        racer(
            Role::Ours,
            "bincover go",
            vec![released("bincover").into(), "go".into()],
        )?,
        racer(Role::Theirs, "covdata", vec![covdata(site)?.into()])?,
    ];
    all.extend(floors(&folder));
    race(&folder, all)
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(path);
    word
}

fn race(folder: &Path, racers: Vec<Racer>) -> Result<Race, Failure> {
    let mut race = Race {
        files: 0,
        bytes: 0,
        racers,
    };
    for entry in fs::read_dir(folder)? {
        race.files += 1;
        race.bytes += entry?.metadata()?.len();
    }
    Ok(race)
}

/// See `bin/read.rs`.
fn floors(folder: &Path) -> [Racer; 2] {
    ["1", "2"].map(|threads| Racer {
        role: Role::Floor,
        name: format!("reading, threads: {threads}"),
        command: vec![released("read").into(), threads.into(), folder.into()],
        output: None,
        prints: false,
    })
}

/// So many runs; all but the first thousand are the same again.
fn linked(site: &Site, count: usize) -> Result<PathBuf, Failure> {
    let runs = runs(site)?;
    let key = fs::read_to_string(site.path("go-runs.key"))?;
    let name = format!("go-linked-{count}");
    site.files(&name, &key, |folder| {
        let is_meta = |path: &&PathBuf| path.to_string_lossy().contains("covmeta.");
        let counters: Vec<&PathBuf> = runs.iter().filter(|path| !is_meta(path)).collect();
        for meta in runs.iter().filter(is_meta) {
            fs::copy(meta, folder.join(meta.file_name().unwrap_or_default()))?;
        }
        for index in 0..count {
            let path = counters[index % counters.len()];
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A process id beyond those that there are.
            let tag = name.split('.').nth(1).unwrap_or_default();
            fs::hard_link(
                path,
                folder.join(format!("covcounters.{tag}.{}.1", 10_000_000 + index)),
            )?;
        }
        Ok(())
    })?;
    Ok(site.path(&name))
}

/// The files that the program's runs left.
fn runs(site: &Site) -> Result<Vec<PathBuf>, Failure> {
    let functions = site.count(5000, 500);
    let runs = site.count(1000, 40);
    let sources = sources(functions);
    let version = command::stdout(go().arg("version"))?;
    let text: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    let key = format!("{runs} runs of {:016x}, {version}", digest(text.as_bytes()));
    site.files("go-runs", &key, |folder| {
        let source = site.path("go-program");
        for (name, text) in &sources {
            let path = source.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&source))?;
            fs::write(path, text)?;
        }
        let program = std::path::absolute(site.path("go-program.bin"))?;
        let mut build = go();
        build.current_dir(&source);
        build.args([
            "build",
            "-cover",
            "-covermode=count",
            "-coverpkg=./...",
            "-o",
        ]);
        command::run(build.arg(&program).arg("."))?;
        let folder = std::path::absolute(folder)?;
        for seed in 0..runs {
            let mut run = Command::new(&program);
            run.arg(seed.to_string()).env("GOCOVERDIR", &folder);
            command::run(run.stdout(Stdio::null()))?;
        }
        Ok(())
    })
}

/// A module of packages with functions of some ten blocks, of which each run calls most.
fn sources(functions: usize) -> Vec<(String, String)> {
    let mut rng = Rng::new(9);
    let mut files = vec![(
        "go.mod".to_owned(),
        "module example.com/big\n\ngo 1.20\n".to_owned(),
    )];
    let mut main = "package main\n\nimport (\n\t\"os\"\n\t\"strconv\"\n\n".to_owned();
    for package in 0..PACKAGES {
        let _ = writeln!(main, "\t\"example.com/big/p{package}\"");
        let mut text = format!("package p{package}\n\n");
        let mut list = String::new();
        for index in 0..functions / PACKAGES {
            let [a, b, c] = [2, 3, 5].map(|least| least + rng.below(9));
            let _ = write!(
                text,
                "func f{index}(x int) int {{
\tsum := x
\tfor step := 0; step < x%{a}; step++ {{
\t\tif step%2 == 0 {{
\t\t\tsum ^= step
\t\t}} else if sum > {b} {{
\t\t\tsum /= 2
\t\t}}
\t}}
\tswitch sum % {c} {{
\tcase 0:
\t\treturn sum + 1
\tcase 1:
\t\tif x > {b} {{
\t\t\treturn sum / 3
\t\t}}
\t}}
\treturn sum
}}

"
            );
            let _ = write!(list, "f{index}, ");
        }
        let _ = write!(
            text,
            "var all = []func(int) int{{{list}}}

func Run(seed int) int {{
\tsum := seed
\tfor index, f := range all {{
\t\tif (index*7+seed)%4 != 0 {{
\t\t\tsum += f(seed + index)
\t\t}}
\t}}
\treturn sum
}}
"
        );
        files.push((format!("p{package}/p.go"), text));
    }
    main.push_str(")\n\nfunc main() {\n\tseed, _ := strconv.Atoi(os.Args[1])\n\tsum := 0\n");
    for package in 0..PACKAGES {
        let _ = writeln!(main, "\tsum += p{package}.Run(seed)");
    }
    main.push_str("\tos.Stdout.WriteString(strconv.Itoa(sum))\n}\n");
    files.push(("main.go".to_owned(), main));
    files
}

/// The toolchain that is there, which downloads nothing.
fn go() -> Command {
    let mut go = Command::new("go");
    go.envs([
        ("GOPROXY", "off"),
        ("GOTOOLCHAIN", "local"),
        ("GOWORK", "off"),
        ("CGO_ENABLED", "0"),
    ]);
    go
}

fn covdata(site: &Site) -> Result<PathBuf, Failure> {
    let tool = site.path("covdata");
    command::run(go().args(["build", "-o"]).arg(&tool).arg("cmd/covdata"))?;
    Ok(tool)
}
