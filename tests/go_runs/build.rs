//! `bincover build -- go …`: what it adds, and what becomes of that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover::gocover::Mode;
use bincover::{Obtained, Store};
use bincover_testkit::{fixture, top};
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::exits::unpack;
use crate::go_tools;

/// The trials of this module.
pub(crate) fn trials(is_ignored: bool) -> Vec<Trial> {
    let real = [
        Trial::test("build::a_program", a_program),
        Trial::test("build::its_own_package", its_own_package),
        Trial::test("build::a_test_binary", a_test_binary),
        Trial::test("build::nothing_left", nothing_left),
    ];
    let real = real.map(|trial| trial.with_ignored_flag(is_ignored));
    let mut trials = Vec::from(real);
    trials.push(Trial::test("build::what_is_added", what_is_added));
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        trials.push(Trial::test("build::a_faulty_release", a_faulty_release));
    }
    trials
}

/// A copy of `testdata/go/src/multi`: commands alpha and beta over the packages words, shapes and idle.
struct Project(TempDir);

impl Project {
    fn new() -> Result<Self, Failed> {
        let project = Self(tempfile::tempdir()?);
        copy(&fixture("go/src/multi"), project.0.path())?;
        Ok(project)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `bincover build` with these arguments, here.
    fn build(&self, args: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
        command.current_dir(self.0.path()).arg("build").args(args);
        let go = go_tools::go();
        for (name, value) in go.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ok(command.output()?)
    }

    fn store(&self) -> Store {
        Store::new(self.path("store"))
    }

    /// Runs a program; gives back how its coverage was obtained, and the packages that it is of.
    fn run(&self, program: &str, args: &[&str]) -> Result<(Obtained, Vec<String>), Failed> {
        let store = self.store();
        let args: Vec<_> = args.iter().map(Into::into).collect();
        let program = self.path(program);
        let run = store.run(program.as_os_str(), &args, None, |command| command)?;
        let go = store.contents()?.go;
        let packages = go
            .programs
            .iter()
            .flat_map(|one| &one.program.meta().packages);
        let packages = packages.map(|one| String::from_utf8_lossy(&one.import_path).into_owned());
        let mut packages: Vec<String> = packages.collect();
        packages.sort();
        store.clean()?;
        Ok((run.obtained, packages))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &place)?,
            false => {
                fs::copy(entry.path(), place)?;
            }
        }
    }
    Ok(())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const ALL: [&str; 4] = [
    "example.com/multi/cmd/alpha",
    "example.com/multi/idle",
    "example.com/multi/shapes",
    "example.com/multi/words",
];

fn a_program() -> Result<(), Failed> {
    let project = Project::new()?;
    fs::write(
        project.path("cmd/alpha/tagged.go"),
        "//go:build tagged\n\npackage main\n\nimport \"os\"\n\nvar word string\n\n\
         func init() {\n\tos.Stdout.WriteString(word)\n}\n",
    )?;
    let line = "-- go build -tags tagged -ldflags=-X=main.word=built -o alpha ./cmd/alpha";
    let line: Vec<&str> = line.split(' ').collect();
    // The second time there is nothing to do.
    for _ in 0..2 {
        let output = project.build(&line)?;
        assert_eq!(said(&output), "bincover: alpha is instrumented\n");
        assert!(output.status.success());
    }
    let store = project.store();
    let alpha = project.path("alpha");
    let run = store.run(alpha.as_os_str(), &["x".into()], None, |command| command)?;
    assert_eq!(run.obtained, Obtained::Exit);
    let go = store.contents()?.go;
    assert_eq!(go.programs[0].program.meta().mode, Mode::Count);
    store.clean()?;
    let output = Command::new(&alpha)
        .arg("x")
        .env_remove("GOCOVERDIR")
        .output()?;
    assert!(output.stdout.starts_with(b"built"));

    let output = project.build(&[
        "--covermode",
        "atomic",
        "--",
        "go",
        "build",
        "-C",
        "cmd/beta",
    ])?;
    assert_eq!(said(&output), "bincover: cmd/beta/beta is instrumented\n");
    let beta = project.path("cmd/beta/beta");
    store.run(beta.as_os_str(), &[], None, |command| command)?;
    let go = store.contents()?.go;
    assert_eq!(go.programs[0].program.meta().mode, Mode::Atomic);
    Ok(())
}

/// Go leaves a program mute whose own package is not in `-coverpkg`.
fn its_own_package() -> Result<(), Failed> {
    let project = Project::new()?;
    let mut go = go_tools::go();
    go.current_dir(project.path("")).args(["build", "-cover"]);
    go.args(["-coverpkg=./words", "-o", "mute", "./cmd/alpha"]);
    go_tools::output(&mut go)?;
    let folder = project.path("data");
    fs::create_dir(&folder)?;
    Command::new(project.path("mute"))
        .arg("x")
        .env("GOCOVERDIR", &folder)
        .output()?;
    assert_eq!(crate::support::names_in(&folder), [""; 0]);

    let line = "-- go build -coverpkg ./words -o bin/ ./...";
    let output = project.build(&line.split(' ').collect::<Vec<_>>())?;
    assert!(output.status.success(), "{}", said(&output));
    let (obtained, packages) = project.run("bin/alpha", &["x"])?;
    assert_eq!(obtained, Obtained::Exit);
    assert_eq!(packages, [ALL[0], ALL[3]]);
    // By files.
    let output = project.build(&[
        "--",
        "go",
        "build",
        "-coverpkg=./words",
        "-o",
        "bin/files",
        "cmd/alpha/main.go",
    ])?;
    assert!(output.status.success(), "{}", said(&output));
    let (obtained, packages) = project.run("bin/files", &["x"])?;
    assert_eq!(obtained, Obtained::Exit);
    assert_eq!(packages, ["command-line-arguments", ALL[3]]);
    Ok(())
}

/// It writes no counters that a run could keep; they are read from its memory.
fn a_test_binary() -> Result<(), Failed> {
    let project = Project::new()?;
    let line = "-- go test -c -tags=runmain -o alpha.test -coverpkg=./... ./cmd/alpha";
    let output = project.build(&line.split(' ').collect::<Vec<_>>())?;
    assert_eq!(said(&output), "bincover: alpha.test is instrumented\n");
    let (obtained, packages) = project.run("alpha.test", &["-alpha-args=-n,3,hello"])?;
    assert_eq!(obtained, Obtained::Rescued);
    for package in ALL {
        assert!(packages.iter().any(|one| one == package), "{packages:?}");
    }
    Ok(())
}

fn nothing_left() -> Result<(), Failed> {
    let project = Project::new()?;
    let output = project.build(&["--", "go", "build", "./..."])?;
    assert_eq!(output.status.code(), Some(91), "{}", said(&output));
    let output = project.build(&["--", "go", "build", "-nonsense"])?;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let output = project.build(&["--", "go", "run", "./cmd/alpha"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("bincover run -- go run -cover"),
        "{}",
        said(&output)
    );
    Ok(())
}

/// A program that one of two releases built whose numbers are wrong: it says so itself.
fn a_faulty_release() -> Result<(), Failed> {
    let project = Project::new()?;
    let program = project.path("program");
    unpack(&top().join("testdata/go/programs/go1.27-pie.gz"), &program)?;
    let warning = || -> Result<bool, Failed> {
        let bincover = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
            command.current_dir(project.0.path()).args(args).output()
        };
        bincover(&["run", "--store", "store", "--", "./program"])?;
        let output = bincover(&["report", "--store", "store"])?;
        project.store().clean()?;
        assert!(output.status.success(), "{}", said(&output));
        Ok(said(&output).contains("go1.27.1 counts statements too often"))
    };
    let found = bincover::instrumentation(&program).ok_or("no program")?;
    assert_eq!(found.go_version.as_deref(), Some("go1.27.3"));
    assert!(!warning()?);
    let mut bytes = fs::read(&program)?;
    let (magic, version) = (b"\xff Go buildinf:", b"go1.27.3");
    let at = |wanted: &[u8], from: usize| {
        let found = bytes[from..]
            .windows(wanted.len())
            .position(|part| part == wanted);
        found.map(|at| from + at).ok_or("there is none")
    };
    // The first such text is where programs look for it.
    let section = bytes
        .windows(33)
        .position(|part| part.starts_with(magic) && part[32] == 8);
    let place = at(version, section.ok_or("there is none")?)?;
    bytes[place..place + version.len()].copy_from_slice(b"go1.27.1");
    fs::write(&program, bytes)?;
    assert!(warning()?);
    Ok(())
}

/// By a go that says what it is told.
fn what_is_added() -> Result<(), Failed> {
    let project = Project::new()?;
    let go = project.path("go");
    let args_of = |version: &str, usual: &str, args: &str| -> Result<(String, String), Failed> {
        let script = format!(
            "#!/bin/sh\n[ $1 = env ] && echo {version} && echo '{usual}' && exit\n\
             [ $1 = list ] && echo m/main && exit\n\
             echo \"$@\"\n"
        );
        crate::write_program::write_program(&go, script.as_bytes());
        let go = go.to_string_lossy();
        let mut line = vec!["--", &go];
        line.extend(args.split(' '));
        let output = project.build(&line)?;
        let told = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        Ok((told, said(&output)))
    };
    for (usual, args, told) in [
        ("", "build", "build -cover -covermode=count"),
        (
            "",
            "build -race .",
            "build -cover -covermode=atomic -race .",
        ),
        ("-race", "build", "build -cover -covermode=atomic"),
        ("-covermode=set", "build", "build -cover"),
        ("", "build --covermode set", "build -cover --covermode set"),
        (
            "",
            "install -x -C a",
            "install -C a -cover -covermode=count -x",
        ),
        (
            "",
            "build -coverpkg a,b ./c",
            "build -cover -covermode=count -coverpkg=a,b,m/main ./c",
        ),
        (
            "-coverpkg=a",
            "build",
            "build -cover -covermode=count -coverpkg=a,m/main",
        ),
        (
            "",
            "install -coverpkg=a m/tool@v1.2.3",
            "install -cover -covermode=count -coverpkg=a,m/tool m/tool@v1.2.3",
        ),
        (
            "",
            "test -c ./c -coverpkg=a",
            "test -cover -covermode=count -c ./c -coverpkg=a",
        ),
    ] {
        fs::create_dir_all(project.path("a"))?;
        let (found, said) = args_of("go1.27.3", usual, args)?;
        assert_eq!(found, told, "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
    let (told, said) = args_of("go1.27.1", "", "build")?;
    assert_eq!(told, "build -cover -covermode=count");
    assert!(said.contains("80974"), "{said}");
    let (told, said) = args_of("go1.19.8", "", "build")?;
    assert_eq!(told, "");
    assert!(
        said.contains("expected Go 1.20 or later, found go1.19.8"),
        "{said}"
    );
    Ok(())
}
