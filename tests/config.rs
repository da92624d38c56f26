//! What the options' definitions give besides parsing: `bincover.toml` with its schema, completions for
//! shells, pages for man.
//!
//! `BLESS=1 cargo test -p bincover-cli --test config schema` writes `docs/bincover.schema.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use bincover_testkit::{fixture, top};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

fn main() -> ExitCode {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let groff = which::which("groff").is_ok() || is_required;
    let trials = vec![
        Trial::test("schema", schema),
        Trial::test("options_come_from_the_file", options_come_from_the_file),
        Trial::test("the_command_line_wins", the_command_line_wins),
        Trial::test("which_file", which_file),
        Trial::test("a_run_gets_its_options", a_run_gets_its_options),
        Trial::test("cargo_has_a_table_too", cargo_has_a_table_too),
        Trial::test("mistakes_say_where_and_what", mistakes_say_where_and_what),
        Trial::test("the_page_shows_a_good_file", the_page_shows_a_good_file),
        Trial::test("bash_completes_an_option", bash_completes_an_option),
        Trial::test(
            "man_has_a_page_for_each_command",
            man_has_a_page_for_each_command,
        ),
        Trial::test("groff_likes_the_pages", groff_likes_the_pages).with_ignored_flag(!groff),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A repository with a report in it.
struct Project(tempfile::TempDir);

impl Project {
    fn new(config: &str) -> Result<Self, Failed> {
        let project = Self(tempfile::tempdir()?);
        fs::create_dir_all(project.path(".git"))?;
        fs::create_dir_all(project.path("src/deep"))?;
        fs::copy(fixture("import/a.info"), project.path("a.info"))?;
        fs::write(project.path("bincover.toml"), config)?;
        Ok(project)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a program in a folder of it.
    fn run(&self, program: &str, folder: &str, args: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new(program);
        command.current_dir(self.path(folder)).args(args);
        Ok(command.env_remove("BINCOVER_STORE").output()?)
    }

    fn bincover(&self, folder: &str, args: &[&str]) -> Result<Output, Failed> {
        self.run(env!("CARGO_BIN_EXE_bincover"), folder, args)
    }
}

fn expect(output: &Output, code: i32, words: &[&str]) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let missing = words.iter().find(|word| !text.contains(**word));
    match (output.status.code() == Some(code), missing) {
        (true, None) => Ok(()),
        _ => Err(format!("expected {code} and {words:?}, found {output:?}").into()),
    }
}

fn ensure(is_so: bool, what: &str) -> Result<(), Failed> {
    is_so.then_some(()).ok_or_else(|| what.into())
}

/// The committed schema is that of the definitions, and knows each long option of a command.
fn schema() -> Result<(), Failed> {
    let project = Project::new("")?;
    let output = project.bincover(".", &["config", "--schema"])?;
    let path = top().join("docs/bincover.schema.json");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &output.stdout)?;
    }
    let is_same = fs::read(&path)? == output.stdout;
    ensure(
        is_same,
        "docs/bincover.schema.json is old: BLESS=1 cargo test -p bincover-cli --test config schema",
    )?;
    let schema: Value = serde_json::from_slice(&output.stdout)?;
    for command in ["report", "convert", "missing", "run", "merge"] {
        let help = project.bincover(".", &[command, "--help"])?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let options = help.lines().filter_map(|line| {
            let option = line.trim_start().split("--").nth(1)?;
            let is_option = line.trim_start().starts_with('-');
            let end = option.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
            is_option.then(|| option[..end.unwrap_or(option.len())].to_owned())
        });
        let options: Vec<String> = options.filter(|option| option != "help").collect();
        ensure(options.len() > 2, &help)?;
        let keys = &schema["properties"][command]["properties"];
        for option in options {
            ensure(
                keys[&option].is_object(),
                &format!("{command}: {option}: {keys}"),
            )?;
        }
    }
    Ok(())
}

const CONFIG: &str = r#"# For all commands that have it.
store = "kept"

[convert]
lcov = "all.info"
missing = true
fail-under-lines = [80, "*.h=99.5"]
sort = "missed"
"#;

fn options_come_from_the_file() -> Result<(), Failed> {
    let project = Project::new(CONFIG)?;
    let output = project.bincover(".", &["convert", "a.info"])?;
    expect(&output, 90, &["--fail-under-lines: line coverage is 73.9%"])?;
    let files = ["all.info", "missing.txt"].map(|name| project.path(name).is_file());
    ensure(files == [true, true], "the reports")?;
    let output = project.bincover(".", &["config"])?;
    let words = [
        "bincover.toml\n",
        "  line 2    runs      --store=kept\n",
        "  line 5    convert   --lcov=all.info\n",
        "  line 7    convert   --fail-under-lines=80 --fail-under-lines=*.h=99.5\n",
    ];
    expect(&output, 0, &words)
}

fn the_command_line_wins() -> Result<(), Failed> {
    let project = Project::new(CONFIG)?;
    let args = [
        "convert",
        "a.info",
        "--lcov",
        "mine.info",
        "--fail-under-lines",
        "1",
    ];
    expect(&project.bincover(".", &args)?, 0, &[])?;
    let files = ["mine.info", "all.info"].map(|name| project.path(name).is_file());
    ensure(
        files == [true, false],
        "the report that was typed, and no other",
    )?;
    expect(
        &project.bincover(".", &["--no-config", "convert", "a.info"])?,
        0,
        &["main.c"],
    )?;
    // What does not go with what was typed is left out, too.
    let args = ["store", "merge", "-o", "out.store"];
    fs::write(
        project.path("bincover.toml"),
        "[store-merge]\nstore = \"s\"\n",
    )?;
    let output = project.bincover(".", &[&args[..], &["gone.store"]].concat())?;
    expect(&output, 1, &["gone.store"])?;
    // The environment is nearer than the file.
    fs::write(project.path("bincover.toml"), "store = \"of-file\"\n")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command
        .current_dir(project.0.path())
        .env("BINCOVER_STORE", "of-env");
    let output = command.arg("report").output()?;
    expect(&output, 91, &["of-env"])?;
    expect(&project.bincover(".", &["report"])?, 91, &["of-file"])
}

fn which_file() -> Result<(), Failed> {
    let project = Project::new(CONFIG)?;
    // From below, and paths are relative to the file.
    let args = ["convert", "../../a.info", "--fail-under-lines=1"];
    expect(&project.bincover("src/deep", &args)?, 0, &[])?;
    ensure(project.path("all.info").is_file(), "beside the file")?;
    // The nearest one, and none above the repository.
    fs::write(
        project.path("src/bincover.toml"),
        "[convert]\nlcov = \"near.info\"\n",
    )?;
    expect(
        &project.bincover("src/deep", &["convert", "../../a.info"])?,
        0,
        &[],
    )?;
    ensure(project.path("src/near.info").is_file(), "the nearest")?;
    fs::create_dir(project.path("src/deep/.git"))?;
    let none = ["no bincover.toml here or above"];
    expect(&project.bincover("src/deep", &["config"])?, 0, &none)?;
    let args = ["--config", "../bincover.toml", "config"];
    expect(&project.bincover("src/deep", &args)?, 0, &["near.info"])?;
    let args = ["--config", "gone.toml", "convert", "x"];
    expect(
        &project.bincover(".", &args)?,
        2,
        &["cannot read", "gone.toml"],
    )
}

/// The program's own options are its own.
fn a_run_gets_its_options() -> Result<(), Failed> {
    let config = "[run]\ncontext = \"of-file\"\nenv = [\"WHO=file\"]\ntimeout = 30\n";
    let project = Project::new(config)?;
    let args = [
        "run",
        "--",
        "sh",
        "-c",
        "echo $WHO $1; exit 7",
        "--context",
        "--context=mine",
    ];
    expect(&project.bincover(".", &args)?, 7, &["file --context=mine"])?;
    expect(&project.bincover(".", &["runs"])?, 0, &["of-file"])
}

fn cargo_has_a_table_too() -> Result<(), Failed> {
    let cargo = env!("CARGO_BIN_EXE_cargo-bincover");
    let project = Project::new("[cargo]\nenv-json = true\ntarget-dir = \"elsewhere\"\n")?;
    let manifest =
        "[package]\nname = \"tool\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(project.path("Cargo.toml"), manifest)?;
    fs::write(project.path("src/lib.rs"), "")?;
    let output = project.run(cargo, ".", &["bincover", "show-env"])?;
    expect(&output, 0, &["elsewhere", "{"])?;
    serde_json::from_slice::<Value>(&output.stdout)?;
    // One of the same group was typed.
    expect(
        &project.run(cargo, ".", &["show-env", "--sh"])?,
        0,
        &["export ", "elsewhere"],
    )?;
    // A question has the options of its own table, and what it shares with the others.
    let config = "markers = true\n[cargo]\nlcov = true\ntarget-dir = \"elsewhere\"\n\
        [diff]\nbase = \"nowhere\"\n";
    fs::write(project.path("bincover.toml"), config)?;
    let output = project.run(cargo, ".", &["bincover", "diff"])?;
    expect(&output, 1, &["git"])?;
    let output = project.run(cargo, ".", &["diff", "--patch", "no-patch"])?;
    expect(&output, 1, &["no-patch"])?;
    fs::write(project.path("bincover.toml"), "[cargo]\nlcvo = true\n")?;
    let output = project.run(cargo, ".", &["show-env"])?;
    expect(
        &output,
        2,
        &["bincover.toml:2:1: unknown key `lcvo` in [cargo]", "`lcov`"],
    )
}

fn mistakes_say_where_and_what() -> Result<(), Failed> {
    let project = Project::new("")?;
    for (config, words) in [
        (
            "[convert]\n\nfail-under-line = 3\n",
            "bincover.toml:3:1: unknown key `fail-under-line` in [convert]; the nearest is `fail-under-lines`",
        ),
        (
            "stoer = 1\n",
            ":1:1: unknown key `stoer`; the nearest is `store`",
        ),
        (
            "[reprot]\n",
            ":1:2: unknown table [reprot]; the nearest is `report`",
        ),
        (
            "lcov = true\n",
            ":1:1: `lcov` does not mean the same to all commands: put it into the table of one, [report] or [convert]",
        ),
        (
            "[run]\ntimeout = \"3h\"\n",
            ":2:11: invalid value '3h' for '--timeout <TIME>': expected the unit ms, s or m, found `h`",
        ),
        (
            "[report]\nsort = \"up\"\n",
            ":2:8: invalid value 'up' for '--sort <ORDER>' [possible values: name, percent, missed]",
        ),
        (
            "[report]\nfolders = 1\n",
            ":2:11: `folders`: expected true or false, found integer",
        ),
        (
            "[report]\nprofile = [true]\n",
            ":2:11: `profile`: expected a string, a number or a list of them, found array",
        ),
        (
            "[report]\nlcov = { x = 1 }\n",
            ":2:8: `lcov`: expected a string, a number, true or false, found table",
        ),
        ("[report\n", ":1:8: unclosed table"),
        ("a = 1\na = 2\n", ":2:1: duplicate key"),
    ] {
        fs::write(project.path("bincover.toml"), config)?;
        // Whichever command is asked for.
        for args in [&["convert", "a.info"][..], &["clean"], &["config"]] {
            expect(&project.bincover(".", args)?, 2, &[words])?;
        }
        // The mistake is in the file, not in the help.
        expect(
            &project.bincover(".", &["report", "--help"])?,
            0,
            &["Thresholds"],
        )?;
    }
    fs::write(project.path("bincover.toml"), b"a = \"\xff\"")?;
    expect(&project.bincover(".", &["clean"])?, 2, &["cannot read"])
}

fn the_page_shows_a_good_file() -> Result<(), Failed> {
    let page = fs::read_to_string(top().join("docs/config.md"))?;
    let file = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let project = Project::new(file.ok_or("a file")?)?;
    let shown = page.split("for example:\n\n```text\n").nth(1);
    let shown = shown
        .and_then(|rest| rest.split("```").next())
        .ok_or("what is shown")?;
    expect(&project.bincover(".", &["config"])?, 0, &[shown])
}

fn bash_completes_an_option() -> Result<(), Failed> {
    let project = Project::new("")?;
    for (program, function, words, expected) in [
        (
            "bincover",
            "_bincover",
            "bincover convert --fail-under-l",
            "--fail-under-lines",
        ),
        (
            "bincover",
            "_bincover",
            "bincover report --sort p",
            "percent",
        ),
        ("bincover", "_bincover", "bincover conv", "convert"),
        (
            "bincover-merge",
            "_bincover__merge",
            "bincover-merge --write-v",
            "--write-version",
        ),
        (
            "cargo-bincover",
            "_cargo__bincover",
            "cargo-bincover --show-m",
            "--show-missing-lines",
        ),
    ] {
        let output = project.bincover(".", &["completions", "bash", "--program", program])?;
        fs::write(project.path("completions"), &output.stdout)?;
        let script = format!(
            "source ./completions && words=({words}) && COMP_WORDS=(${{words[@]}}) && \
             COMP_CWORD=$((${{#words[@]}} - 1)) && \
             {function} {program} \"${{words[-1]}}\" \"${{words[-2]}}\" && echo \"${{COMPREPLY[@]}}\""
        );
        let output = project.run("bash", ".", &["-c", &script])?;
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure(found == expected, &format!("{words}: {output:?}"))?;
    }
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let output = project.bincover(".", &["completions", shell])?;
        expect(&output, 0, &["fail-under-lines", "cobertura"])?;
    }
    Ok(())
}

fn pages(project: &Project) -> Result<Vec<PathBuf>, Failed> {
    expect(&project.bincover(".", &["man", "pages"])?, 0, &[])?;
    let entries = fs::read_dir(project.path("pages"))?;
    let mut pages = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    pages.sort();
    Ok(pages)
}

fn man_has_a_page_for_each_command() -> Result<(), Failed> {
    let project = Project::new("")?;
    let pages = pages(&project)?;
    let name = |page: &PathBuf| page.file_name().unwrap_or_default().display().to_string();
    let names: Vec<String> = pages.iter().map(name).collect();
    for page in [
        "bincover.1",
        "bincover-report.1",
        "bincover-store-merge.1",
        "cargo-bincover.1",
    ] {
        ensure(names.iter().any(|name| name == page), page)?;
    }
    let report = fs::read_to_string(project.path("pages/bincover-report.1"))?;
    ensure(
        report.contains("fail\\-under\\-lines"),
        "the options are there",
    )
}

/// No page has anything that the formatter warns of.
fn groff_likes_the_pages() -> Result<(), Failed> {
    let project = Project::new("")?;
    for page in pages(&project)? {
        let page: &Path = &page;
        let args = ["-man", "-ww", "-Tutf8", page.to_str().unwrap_or_default()];
        let output = project.run("groff", ".", &args)?;
        let is_good = output.status.success() && output.stderr.is_empty();
        ensure(is_good, &format!("{}: {output:?}", page.display()))?;
    }
    Ok(())
}
