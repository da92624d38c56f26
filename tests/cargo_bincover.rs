//! `cargo bincover` on a workspace with a program, a procedural macro, a build script that compiles
//! C, doctests, and tests that kill what they start; and `bincover env` and `bincover build` around
//! suites that know nothing of cargo.
//!
//! A test whose client or oracle is not installed says *ignored*; with
//! `BINCOVER_REQUIRE_ORACLES=1` (as in CI) it fails instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

mod write_program;

const LLVM_COV: &str = "cargo-llvm-cov";
const NEXTEST: &str = "cargo-nextest";
const ORACLE: &[&str] = &[LLVM_COV, "llvm-cov-22", "llvm-profdata-22", NEXTEST];

fn main() -> ExitCode {
    let trials = vec![
        trial("nextest_is_as_llvm_cov", ORACLE, nextest_is_as_llvm_cov),
        trial(
            "killed_processes_are_all_that_differs",
            ORACLE,
            killed_processes_are_all_that_differs,
        ),
        trial("test_is_as_llvm_cov", ORACLE, test_is_as_llvm_cov),
        trial(
            "c_is_as_llvm_cov",
            &[LLVM_COV, "llvm-cov-22", "llvm-profdata-22", "clang-22"],
            c_is_as_llvm_cov,
        ),
        trial("tests_name_their_runs", &[NEXTEST], tests_name_their_runs),
        trial("binaries_name_their_runs", &[], binaries_name_their_runs),
        trial(
            "failing_tests_keep_their_coverage",
            &[],
            failing_tests_keep_their_coverage,
        ),
        trial("runs_are_put_together", &[], runs_are_put_together),
        trial("all_formats_are_written", &[], all_formats_are_written),
        trial(
            "uncovered_items_are_counted",
            &[],
            uncovered_items_are_counted,
        ),
        trial("benches_are_measured", &[], benches_are_measured),
        trial(
            "features_are_put_together_as_llvm_cov",
            ORACLE,
            features_are_put_together_as_llvm_cov,
        ),
        trial(
            "a_fuzzed_program_is_counted",
            &["bash"],
            a_fuzzed_program_is_counted,
        ),
        trial(
            "ui_tests_of_macros_are_as_llvm_cov",
            ORACLE,
            ui_tests_of_macros_are_as_llvm_cov,
        ),
        trial(
            "the_compiler_is_told_of_coverage",
            &[],
            the_compiler_is_told_of_coverage,
        ),
        trial(
            "dependencies_are_as_llvm_cov",
            ORACLE,
            dependencies_are_as_llvm_cov,
        ),
        trial(
            "branches_and_doctests_are_as_llvm_cov",
            ORACLE,
            branches_and_doctests_are_as_llvm_cov,
        ),
        trial(
            "reports_follow_the_tests",
            &[NEXTEST],
            reports_follow_the_tests,
        ),
        trial(
            "remapped_names_are_as_llvm_cov",
            ORACLE,
            remapped_names_are_as_llvm_cov,
        ),
        trial(
            "progress_is_for_terminals",
            &["script", NEXTEST],
            progress_is_for_terminals,
        ),
        trial("no_llvm_tool_is_needed", &["cc"], no_llvm_tool_is_needed),
        trial("a_part_of_the_workspace", &[], a_part_of_the_workspace),
        trial("what_changed_is_told", &["git"], what_changed_is_told),
        trial("archives_run_elsewhere", &[NEXTEST], archives_run_elsewhere),
        trial(
            "show_env_is_for_cargo_itself",
            &[],
            show_env_is_for_cargo_itself,
        ),
        trial(
            "what_cannot_be_done_is_said",
            &[],
            what_cannot_be_done_is_said,
        ),
        trial("clean_forgets", &[], clean_forgets),
        trial("a_killed_run_is_kept", &[], a_killed_run_is_kept),
        trial(
            "a_toolchain_without_profiler_runtime",
            &[],
            a_toolchain_without_profiler_runtime,
        ),
        trial(
            "make_and_pytest",
            &["clang-22", "make", "pytest"],
            make_and_pytest,
        ),
    ];
    let names: Vec<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    let table = Trial::test("each_workflow_has_its_test", move || table_of_tests(&names));
    let trials = trials.into_iter().chain([table]).collect();
    // They share a workspace and what is built of it.
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, needed: &[&str], run: fn() -> Result<(), Failed>) -> Trial {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = needed.iter().any(|tool| which::which(tool).is_err());
    Trial::test(name, run).with_ignored_flag(is_missing && !is_required)
}

/// A copy of the workspace, in a folder without a `tests` above it: those are left out of reports.
fn shop() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-bincover");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/workspaces/shop");
        let copy = folder.join("shop");
        for part in ["crates", "target/bincover-target/store", ".git"] {
            let _ = fs::remove_dir_all(copy.join(part));
        }
        fs::create_dir_all(&copy).expect("a folder of our own");
        let copied = Command::new("cp")
            .args(["-R", "--preserve=timestamps"])
            .args(["crates", "Cargo.toml", "Cargo.lock"].map(|part| source.join(part)))
            .arg(&copy)
            .status();
        assert!(copied.expect("cp").success());
        copy.canonicalize().expect("a folder that is there")
    })
}

/// A command in the workspace, without what the cargo that runs us has set.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(shop())
        .env("LC_ALL", "C")
        .env("CARGO_TERM_COLOR", "never");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos = text.starts_with("CARGO_PKG_") || text.starts_with("NEXTEST");
        let is_odd = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "LLVM_PROFILE_FILE",
            "BINCOVER_STORE",
            "CARGO_MANIFEST_DIR",
            "CC",
            "CXX",
            "CFLAGS",
        ];
        if is_cargos || is_odd.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn bincover(args: &str) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_cargo-bincover"));
    command.arg("bincover").args(words(args));
    command
}

/// The store's own command, on what `cargo bincover` keeps.
fn in_store(args: &str) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_bincover"));
    command.args(words(args)).arg("--store");
    command.arg("target/bincover-target/store");
    command
}

fn llvm_cov(args: &str) -> Result<Command, Failed> {
    let mut command = command("cargo");
    command
        .arg("llvm-cov")
        .args(words(args))
        .env("LLVM_COV", which::which("llvm-cov-22")?)
        .env("LLVM_PROFDATA", which::which("llvm-profdata-22")?);
    Ok(command)
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// Runs a command that is to end with this exit code, and gives back all it said.
fn ends(command: &mut Command, code: i32) -> Result<String, Failed> {
    let output = command.output()?;
    match output.status.code() == Some(code) {
        true => Ok(said(&output)),
        false => {
            let status = output.status;
            Err(format!(
                "{command:?}: expected {code}, found {status}\n{}",
                said(&output)
            )
            .into())
        }
    }
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    match holds {
        true => Ok(()),
        false => Err(what().into()),
    }
}

fn read(name: &str) -> Result<String, Failed> {
    let path = shop().join(name);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The counts of an lcov file's lines.
fn lines(lcov: &str) -> BTreeMap<(String, u32), u64> {
    let mut file = String::new();
    let mut lines = BTreeMap::new();
    for line in lcov.lines() {
        if let Some(name) = line.strip_prefix("SF:") {
            file = Path::new(name)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
        }
        if let Some((number, count)) = line.strip_prefix("DA:").and_then(|da| da.split_once(',')) {
            let place = (file.clone(), number.parse().unwrap_or(0));
            lines.insert(place, count.parse().unwrap_or(0));
        }
    }
    lines
}

/// The line of a source file that holds this text.
fn line_of(file: &str, text: &str) -> Result<u32, Failed> {
    let source = read(file)?;
    let index = source.lines().position(|line| line.contains(text));
    let index = index.ok_or_else(|| format!("{file}: no line holds `{text}`"))?;
    Ok(u32::try_from(index)? + 1)
}

/// Both tools with the same arguments; returns their lcov files.
fn both(args: &str, ours: &str) -> Result<(String, String), Failed> {
    // Its objects are all that it finds.
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    ends(
        &mut llvm_cov(&format!("{args} --lcov --output-path theirs.info"))?,
        0,
    )?;
    ends(
        &mut bincover(&format!("{args} {ours} --lcov --output-path ours.info")),
        0,
    )?;
    Ok((read("ours.info")?, read("theirs.info")?))
}

/// The same bytes, but for what differs between any two builds: a crate's hash in mangled names,
/// and so the order of a file's functions.
fn same((ours, theirs): (String, String)) -> Result<(), Failed> {
    expect(theirs.contains("DA:"), || {
        "the oracle reports no line".to_owned()
    })?;
    let (ours, theirs) = (without_hashes(&ours), without_hashes(&theirs));
    let mut pairs = ours.iter().zip(&theirs);
    let differs = pairs.find(|(ours, theirs)| ours != theirs);
    expect(ours == theirs, || {
        format!("first difference: {differs:?}\n{ours:#?}\n---\n{theirs:#?}")
    })
}

/// The lines of an lcov file, those that name functions sorted within their file.
fn without_hashes(lcov: &str) -> Vec<String> {
    let mut all = Vec::new();
    for record in lcov.split_inclusive("end_of_record\n") {
        let is_function = |line: &&str| line.starts_with("FN:") || line.starts_with("FNDA:");
        let (functions, others): (Vec<&str>, Vec<&str>) = record.lines().partition(is_function);
        let mut functions: Vec<String> = functions.into_iter().map(without_hash).collect();
        functions.sort();
        all.extend(functions);
        all.extend(others.into_iter().map(str::to_owned));
    }
    all
}

/// In Rust's mangling, `Cs`, the hash and `_` stand before a crate's name.
fn without_hash(line: &str) -> String {
    let mut parts = line.split("Cs");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once('_').map_or(part, |(_, rest)| rest);
        text.push_str("C_");
        text.push_str(rest);
    }
    text
}

/// Programs that are killed leave nothing for the oracle, so those tests are left out here. It
/// instruments procedural macros, which we do when asked.
fn nextest_is_as_llvm_cov() -> Result<(), Failed> {
    let args = "nextest --workspace -E not(test(kill)|test(abort))";
    same(both(args, "--include-proc-macros")?)
}

fn killed_processes_are_all_that_differs() -> Result<(), Failed> {
    let (ours, theirs) = both("nextest --workspace", "--include-proc-macros")?;
    let (ours, theirs) = (lines(&ours), lines(&theirs));
    let places =
        |lines: &BTreeMap<(String, u32), u64>| -> BTreeSet<_> { lines.keys().cloned().collect() };
    expect(places(&ours) == places(&theirs), || {
        format!("{ours:?}\n{theirs:?}")
    })?;
    let reached = |lines: &BTreeMap<(String, u32), u64>| -> BTreeSet<(String, u32)> {
        let reached = lines.iter().filter(|(_, count)| **count > 0);
        reached.map(|(place, _)| place.clone()).collect()
    };
    let only_ours: BTreeSet<_> = reached(&ours)
        .difference(&reached(&theirs))
        .cloned()
        .collect();
    let only_theirs: Vec<_> = reached(&theirs)
        .difference(&reached(&ours))
        .cloned()
        .collect();
    expect(only_theirs.is_empty(), || format!("lost: {only_theirs:?}"))?;
    // The server, and the arms that lead to it and to abort. Its end is counted as what went into
    // the loop and did not come back.
    let main = "crates/app/src/main.rs";
    let mut expected = BTreeSet::new();
    let mut expect_lines = |from: u32, to: u32| {
        expected.extend((from..=to).map(|line| ("main.rs".to_owned(), line)));
    };
    let serve = line_of(main, "[\"serve\"] =>")?;
    expect_lines(serve, serve + 4);
    let start = line_of(main, "fn serve()")?;
    expect_lines(start, line_of(main, "line.clear();")? + 3);
    let missing: Vec<_> = only_ours.difference(&expected).collect();
    expect(missing.is_empty(), || {
        format!("reached by others than those that are killed: {missing:?}")
    })?;
    let clear = ("main.rs".to_owned(), line_of(main, "line.clear();")?);
    expect(only_ours.contains(&clear), || format!("{only_ours:?}"))
}

fn test_is_as_llvm_cov() -> Result<(), Failed> {
    // Libtest takes filters without an operator.
    let args = "test --workspace --no-fail-fast";
    let skip = "-- --skip kill --skip abort";
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    ends(
        &mut llvm_cov(&format!("{args} --lcov --output-path theirs.info {skip}"))?,
        0,
    )?;
    ends(
        &mut bincover(&format!(
            "{args} --include-proc-macros --lcov --output-path ours.info {skip}"
        )),
        0,
    )?;
    same((read("ours.info")?, read("theirs.info")?))
}

/// C in a build script, compiled by clang of rustc's LLVM.
fn c_is_as_llvm_cov() -> Result<(), Failed> {
    let args = "test --include-ffi -p shop-pricing --lib";
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    let mut theirs = llvm_cov(&format!("{args} --lcov --output-path theirs.info"))?;
    ends(theirs.env("CC", "clang-22").env("CXX", "clang++-22"), 0)?;
    ends(
        &mut bincover(&format!("{args} --lcov --output-path ours.info")),
        0,
    )?;
    let ours = read("ours.info")?;
    expect(ours.contains("c/round.c"), || format!("no C: {ours}"))?;
    same((ours, read("theirs.info")?))
}

fn contexts() -> Result<Vec<(String, String)>, Failed> {
    let json = in_store("runs --json").output()?;
    let runs: serde_json::Value = serde_json::from_slice(&json.stdout)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let runs = runs.as_array().into_iter().flatten();
    Ok(runs
        .map(|run| (text(&run["context"]), text(&run["coverage"])))
        .collect())
}

fn tests_name_their_runs() -> Result<(), Failed> {
    let said = ends(&mut bincover("nextest --workspace"), 0)?;
    let runs = contexts()?;
    let of = |context: &str| runs.iter().find(|(known, _)| known == context);
    for context in [
        "shop::e2e it_serves_until_it_is_killed",
        "shop-pricing tests::few",
        "shop-macros tests::names",
    ] {
        expect(
            of(context).is_some_and(|(_, way)| way == "continuous"),
            || format!("{context}: {runs:?}"),
        )?;
    }
    expect(said.contains("cargo-bincover: lines "), || said.clone())?;
    // The compiler knows `cfg(coverage)`.
    expect(!said.contains("unexpected `cfg`"), || said.clone())?;
    expect(said.contains(" continuous"), || said.clone())?;
    // Again, with nothing to build: the same.
    let again = ends(&mut bincover("nextest --workspace"), 0)?;
    let last = |said: &str| {
        said.lines()
            .find(|line| line.contains(" runs: "))
            .map(str::to_owned)
    };
    expect(last(&again) == last(&said), || {
        format!("{said}\n---\n{again}")
    })
}

fn binaries_name_their_runs() -> Result<(), Failed> {
    ends(&mut bincover("test --workspace"), 0)?;
    let found: BTreeSet<String> = contexts()?
        .into_iter()
        .map(|(context, _)| context)
        .collect();
    let expected = ["shop", "shop-macros", "shop-pricing", "shop::e2e"];
    expect(found.iter().eq(expected.iter()), || format!("{found:?}"))
}

fn failing_tests_keep_their_coverage() -> Result<(), Failed> {
    let args = "test --workspace --features shop/broken --lcov --output-path ours.info";
    let _ = fs::remove_file(shop().join("ours.info"));
    let said = ends(&mut bincover(args), 101)?;
    expect(
        said.contains("what was reached is kept and reported"),
        || said.clone(),
    )?;
    let usage = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "usage: shop")?,
    );
    let found = lines(&read("ours.info")?);
    expect(found.get(&usage) == Some(&1), || format!("{found:?}"))?;
    ends(
        &mut bincover(&format!("{args} --ignore-run-fail --no-fail-fast")),
        0,
    )?;
    // A build that fails runs nothing.
    let broken = shop().join("crates/app/src/main.rs");
    let source = fs::read_to_string(&broken)?;
    fs::write(&broken, format!("{source}\nfn broken() {{ nonsense }}\n"))?;
    let said = ends(&mut bincover("test --workspace"), 101);
    fs::write(&broken, source)?;
    let said = said?;
    expect(said.contains("the build failed; nothing was run"), || {
        said.clone()
    })
}

fn runs_are_put_together() -> Result<(), Failed> {
    let usage = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "usage: shop")?,
    );
    let price = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "shop_pricing::price")?,
    );
    ends(&mut bincover("clean"), 0)?;
    ends(&mut bincover("--no-report test -p shop"), 0)?;
    // The program's exit code is cargo's.
    ends(&mut bincover("--no-report run -q"), 2)?;
    ends(&mut bincover("--no-report run -q -- price 1 2"), 0)?;
    ends(&mut bincover("report --lcov --output-path ours.info"), 0)?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&usage) == Some(&1), || format!("{found:?}"))?;
    expect(found.get(&price).is_some_and(|count| *count >= 2), || {
        format!("{found:?}")
    })?;
    // What is asked for last begins anew, unless it is told to keep the rest.
    ends(
        &mut bincover("run --lcov --output-path ours.info -- price 1 2"),
        0,
    )?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&price) == Some(&1), || format!("{found:?}"))?;
    ends(
        &mut bincover("run --no-clean --lcov --output-path ours.info -- price 1 2"),
        0,
    )?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&price) == Some(&2), || format!("{found:?}"))
}

fn all_formats_are_written() -> Result<(), Failed> {
    ends(&mut bincover("--no-report test --workspace"), 0)?;
    let lcov = bincover("report --lcov").output()?;
    expect(lcov.stdout.starts_with(b"SF:"), || said(&lcov))?;
    ends(
        &mut bincover("report --cobertura --output-path ours.xml"),
        0,
    )?;
    expect(read("ours.xml")?.contains("crates/app/src/main.rs"), || {
        "no file".to_owned()
    })?;
    ends(&mut bincover("report --json --output-path ours.json"), 0)?;
    let json: serde_json::Value = serde_json::from_str(&read("ours.json")?)?;
    expect(json["type"] == "llvm.coverage.json.export", || {
        json.to_string()
    })?;
    let summary = bincover("report --json --summary-only").output()?;
    let summary: serde_json::Value = serde_json::from_slice(&summary.stdout)?;
    expect(
        summary["data"][0]["totals"] == json["data"][0]["totals"],
        || summary.to_string(),
    )?;
    ends(&mut bincover("report --text --output-path ours.txt"), 0)?;
    let text = read("ours.txt")?;
    expect(text.contains("fn serve() -> ExitCode {"), || text.clone())?;
    expect(!text.contains("fn it_aborts"), || {
        "tests are left out".to_owned()
    })?;
    ends(&mut bincover("report --html --output-dir pages"), 0)?;
    expect(read("pages/html/index.html")?.contains("main.rs"), || {
        "no file".to_owned()
    })?;
    ends(
        &mut bincover("report --codecov --output-path codecov.json"),
        0,
    )?;
    let codecov: serde_json::Value = serde_json::from_str(&read("codecov.json")?)?;
    // Relative to the repository, which may have the workspace in a folder.
    let mut files = codecov["coverage"]
        .as_object()
        .into_iter()
        .flat_map(|files| files.keys());
    let has_main = files.any(|file| file.ends_with("crates/app/src/main.rs"));
    expect(has_main, || codecov.to_string())?;
    ends(&mut bincover("report --fail-under-lines 1"), 0)?;
    let said = ends(&mut bincover("report --fail-under-lines 100"), 90)?;
    expect(said.contains("--fail-under-lines"), || said.clone())?;
    for missed in [
        "--fail-uncovered-lines 0",
        "--fail-uncovered-functions 0",
        "--fail-uncovered-regions 0",
        "--fail-under-file-lines 100",
    ] {
        ends(&mut bincover(&format!("report {missed}")), 90)?;
    }
    // `BROWSER` opens pages.
    ends(
        bincover("report --open --output-dir pages").env("BROWSER", "true"),
        0,
    )?;
    let missing = bincover("report --show-missing-lines").output()?;
    let found = String::from_utf8_lossy(&missing.stdout).into_owned();
    expect(found.contains("Uncovered Lines:"), || found.clone())?;
    ends(&mut bincover("report --profdata ours.profdata"), 0)?;
    expect(shop().join("ours.profdata").is_file(), || {
        "no profile".to_owned()
    })?;
    let less = bincover("report --lcov --exclude-files main.rs --excl-line fn").output()?;
    let [found, all] = [less, lcov].map(|one| lines(&String::from_utf8_lossy(&one.stdout)));
    let is_in_main = |(file, _): &(String, u32)| file.ends_with("main.rs");
    expect(
        !found.is_empty() && found.len() < all.len() && !found.keys().any(is_in_main),
        || format!("{found:?}"),
    )?;
    ends(&mut bincover("report --text --markers"), 2)?;
    let table = bincover("report --ignore-filename-regex main\\.rs").output()?;
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    expect(
        table.contains("pricing") && !table.contains("main.rs"),
        || table.clone(),
    )
}

fn a_part_of_the_workspace() -> Result<(), Failed> {
    let files = |args: &str| -> Result<BTreeSet<String>, Failed> {
        let output = bincover(&format!("{args} --lcov")).output()?;
        expect(output.status.success(), || said(&output))?;
        let lcov = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = lcov.lines().filter_map(|line| line.strip_prefix("SF:"));
        let crates = format!("{}/crates/", shop().display());
        Ok(names.map(|name| name.replace(&crates, "")).collect())
    };
    let names =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    let (app, macros, pricing) = ("app/src/main.rs", "macros/src/lib.rs", "pricing/src/lib.rs");
    let found = files("test --workspace")?;
    expect(found == names(&[app, macros, pricing]), || {
        format!("{found:?}")
    })?;
    let found = files("test -p shop")?;
    expect(found == names(&[app]), || format!("{found:?}"))?;
    let found = files("test --workspace --exclude shop-macros")?;
    expect(found == names(&[app, pricing]), || format!("{found:?}"))?;
    let found = files("test --workspace --exclude-from-report shop-pricing")?;
    expect(found == names(&[app, macros]), || format!("{found:?}"))?;
    // A program that is not reported on still counts what it reaches of others.
    let found = files("test --workspace --exclude-from-report shop --output-path ours.info")?;
    expect(found.is_empty(), || format!("{found:?}"))?;
    let found = lines(&read("ours.info")?);
    let paid = line_of("crates/pricing/src/lib.rs", "each * paid")?;
    let paid = ("lib.rs".to_owned(), paid);
    expect(found.get(&paid) == Some(&2), || format!("{found:?}"))?;
    let found = files("test --workspace --exclude-from-test shop")?;
    expect(found == names(&[macros, pricing]), || format!("{found:?}"))?;
    let found = files("test -p shop-pricing --include-build-script")?;
    expect(found == names(&["pricing/build.rs", pricing]), || {
        format!("{found:?}")
    })
}

/// Runs git in the workspace, which becomes a repository by it.
fn git(args: &[&str]) -> Result<(), Failed> {
    let mut git = command("git");
    for setting in ["user.name=a", "user.email=a@b", "init.defaultBranch=main"] {
        git.args(["-c", setting]);
    }
    ends(git.args(args), 0).map(drop)
}

/// The same as `bincover diff`, `missing` and `ratchet`, without tests and other people's code.
fn what_changed_is_told() -> Result<(), Failed> {
    let changed = ["crates/app/src/main.rs", "crates/app/tests/e2e.rs"];
    let before = [read(changed[0])?, read(changed[1])?];
    let mut told = git(&["init", "--quiet"]);
    if told.is_ok() {
        told = tell_what_changed(&before, changed);
    }
    // The workspace is no repository for other tests.
    fs::remove_dir_all(shop().join(".git"))?;
    for (name, text) in changed.iter().zip(before) {
        fs::write(shop().join(name), text)?;
    }
    told
}

fn tell_what_changed(before: &[String; 2], names: [&str; 2]) -> Result<(), Failed> {
    fs::write(shop().join(".git/info/exclude"), "/*\n!/crates/\n")?;
    git(&["add", "crates"])?;
    git(&["commit", "--quiet", "-m", "before"])?;
    git(&["tag", "base"])?;
    ends(&mut bincover("clean --profraw-only"), 0)?;
    ends(&mut bincover("--no-report test -p shop"), 0)?;
    let _ = fs::remove_file(shop().join("bincover-ratchet.toml"));
    ends(
        &mut bincover("report --also json=main.json --also markdown=main.md"),
        0,
    )?;
    expect(read("main.md")?.contains("crates/app/src/main.rs"), || {
        "no file".to_owned()
    })?;
    let said = ends(&mut bincover("ratchet"), 1)?;
    expect(said.contains("`cargo bincover ratchet --update`"), || {
        said.clone()
    })?;
    ends(&mut bincover("ratchet --update"), 0)?;
    let said = ends(&mut bincover("ratchet"), 0)?;
    expect(said.contains("the ratchet holds"), || said.clone())?;

    // A line that is reached, a function that nobody calls, and what is no part of the report.
    let source = before[0].replace("price(each, pieces);", "price(each, pieces) + 0;");
    let source = source.replace(
        "[\"serve\"] => serve(),",
        "[\"serve\"] => serve(),\n        [\"version\"] => version(),",
    );
    let version = "\nfn version() -> ExitCode {\n    println!(\"1\");\n    ExitCode::SUCCESS\n}\n";
    fs::write(shop().join(names[0]), source + version)?;
    fs::write(shop().join(names[1]), format!("{}// end\n", before[1]))?;
    ends(&mut bincover("clean --profraw-only"), 0)?;
    ends(
        &mut bincover("test -p shop --no-report -- it_prints_a_price"),
        0,
    )?;
    let said = ends(
        &mut bincover("diff --base base --fail-under-patch 80 --json"),
        90,
    )?;
    for words in [
        "crates/app/src/main.rs     1/6  16.6%",
        "12     region not reached  shop::main",
        "Changed, and not measured: crates/app/tests/e2e.rs",
        "cargo-bincover: --fail-under-patch: line coverage of changed lines is 16.6% (1 of 6)",
    ] {
        expect(said.contains(words), || format!("`{words}`: {said}"))?;
    }
    let ours: serde_json::Value = serde_json::from_str(&read("diff.json")?)?;
    expect(
        ours["lines"] == serde_json::json!({"covered": 1, "total": 6}),
        || ours.to_string(),
    )?;
    // The lines are those of lcov.
    ends(&mut bincover("report --lcov --output-path ours.info"), 0)?;
    let found = lines(&read("ours.info")?);
    let texts = [
        "+ 0;",
        "[\"version\"] =>",
        "fn version()",
        "println!(\"1\")",
    ];
    let counts = texts.map(|text| {
        let line = line_of(names[0], text).ok()?;
        found
            .get(&("main.rs".to_owned(), line))
            .map(|count| *count > 0)
    });
    expect(
        counts == [Some(true), Some(false), Some(false), Some(false)],
        || format!("{counts:?}"),
    )?;
    // Beside tests and dependencies, `bincover diff` has the same.
    let mut plain = in_store("diff --base base --json plain.json");
    ends(&mut plain, 0)?;
    let plain: serde_json::Value = serde_json::from_str(&read("plain.json")?)?;
    let main = |json: &serde_json::Value| -> Option<serde_json::Value> {
        let mut files = json["files"].as_array()?.iter();
        files.find(|file| file["name"] == names[0]).cloned()
    };
    expect(main(&ours).is_some() && main(&ours) == main(&plain), || {
        format!("{ours}\n{plain}")
    })?;
    let said = ends(
        &mut bincover("diff --base base --baseline main.json --fail-lost-lines 0"),
        90,
    )?;
    expect(
        said.contains("lines that did not change lost coverage"),
        || said.clone(),
    )?;
    let said = ends(&mut bincover("missing"), 0)?;
    expect(
        said.contains("function never entered  shop::version"),
        || said.clone(),
    )?;
    expect(!said.contains("e2e.rs"), || said.clone())?;
    let said = ends(
        &mut bincover("missing --compact --exclude-files main.rs"),
        0,
    )?;
    expect(
        !said.contains("app/src/main.rs") && said.contains("pricing"),
        || said.clone(),
    )?;
    let said = ends(&mut bincover("ratchet"), 90)?;
    expect(
        said.contains("line coverage of `crates/app/src/main.rs`"),
        || said.clone(),
    )?;
    // What cannot be compared.
    for (args, code, words) in [
        ("diff", 2, "--base"),
        ("diff --base nowhere", 1, "there is no such commit"),
        ("diff --base base --lcov", 2, "--lcov"),
        (
            "diff --base base --json - --markdown -",
            2,
            "standard output",
        ),
        ("report --also nonsense=a", 2, "there are table,"),
        ("report --also json=no/such/a", 1, "no/such"),
    ] {
        let said = ends(&mut bincover(args), code)?;
        expect(said.contains(words), || format!("{args}: {said}"))?;
    }
    Ok(())
}

fn uncovered_items_are_counted() -> Result<(), Failed> {
    ends(&mut bincover("clean --workspace"), 0)?;
    ends(&mut bincover("build --workspace"), 0)?;
    ends(&mut bincover("--no-report test -p shop-pricing"), 0)?;
    let json = bincover("report -p shop-pricing --json --summary-only").output()?;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout)?;
    let totals = &json["data"][0]["totals"];
    for metric in ["functions", "regions", "lines"] {
        let number = |name: &str| totals[metric][name].as_u64().ok_or("a number is missing");
        let missed = number("count")? - number("covered")?;
        expect(missed > 0, || format!("all {metric} are covered"))?;
        let with = |most: u64| {
            bincover(&format!(
                "report -p shop-pricing --fail-uncovered-{metric} {most}"
            ))
        };
        ends(&mut with(missed), 0)?;
        let said = ends(&mut with(missed - 1), 90)?;
        expect(said.contains("1 more"), || said.clone())?;
    }
    // The program was built, and not run.
    let each = |least: &str| {
        bincover(&format!(
            "report --workspace --fail-under-file-lines {least}"
        ))
    };
    ends(&mut each("0"), 0)?;
    let said = ends(&mut each("80"), 90)?;
    let gates: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("--fail-under"))
        .collect();
    expect(
        gates
            .iter()
            .any(|gate| gate.contains("app/src/main.rs` is 0.0%")),
        || said.clone(),
    )?;
    expect(
        !gates.iter().any(|gate| gate.contains("pricing/src/lib.rs")),
        || said.clone(),
    )?;
    ends(&mut each("many"), 2)?;
    Ok(())
}

/// With optimisation, as cargo builds benches.
fn benches_are_measured() -> Result<(), Failed> {
    ends(
        &mut bincover("bench -p shop-pricing --bench prices --lcov --output-path ours.info"),
        0,
    )?;
    let found = lines(&read("ours.info")?);
    let free = line_of("crates/pricing/src/lib.rs", "pieces - pieces / 10")?;
    expect(
        found.get(&("lib.rs".to_owned(), free)) == Some(&1000),
        || format!("{found:?}"),
    )
}

/// Each row of the table of workflows ends with tests that are here.
fn table_of_tests(names: &[String]) -> Result<(), Failed> {
    let page = include_str!("../docs/from-cargo-llvm-cov.md");
    let rows = page.lines().skip_while(|line| !line.ends_with("| test |"));
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    expect(rows.len() > 20, || "the table is gone".to_owned())?;
    for row in &rows[2..] {
        let tests = row.trim_end_matches(" |").rsplit("| ").next().unwrap_or("");
        // What is not there needs none.
        for test in tests.split(", ").filter(|test| *test != "–") {
            let name = test.trim_matches('`');
            expect(names.iter().any(|known| known == name), || {
                format!("{row}: no test has the name {test}")
            })?;
        }
    }
    Ok(())
}

/// One package built in two ways, and one report on both.
fn features_are_put_together_as_llvm_cov() -> Result<(), Failed> {
    let each = ["--features summer", "--features winter"];
    let args = "--no-report -p shop-pricing --lib";
    // It always counts macros.
    let report = "report --ignore-filename-regex macros --lcov --output-path";
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    for features in each {
        ends(&mut llvm_cov(&format!("{args} {features}"))?, 0)?;
    }
    ends(&mut llvm_cov(&format!("{report} theirs.info"))?, 0)?;
    ends(&mut bincover("clean --workspace"), 0)?;
    for features in each {
        ends(&mut bincover(&format!("{args} {features}")), 0)?;
    }
    ends(&mut bincover(&format!("{report} ours.info")), 0)?;
    let found = lines(&read("ours.info")?);
    let pricing = "crates/pricing/src/lib.rs";
    for (text, count) in [("    10", 1), ("    20", 1), ("fn few()", 2)] {
        let place = ("lib.rs".to_owned(), line_of(pricing, text)?);
        expect(found.get(&place) == Some(&count), || {
            format!("{text}: {found:?}")
        })?;
    }
    same((read("ours.info")?, read("theirs.info")?))
}

/// A command in a copy of one of the small packages.
fn in_package(package: &str, files: &[&str], mut command: Command) -> Result<Command, Failed> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/workspaces");
    let source = source.join(package);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(package);
    for name in ["Cargo.toml", "Cargo.lock"].iter().chain(files) {
        if let Some(inner) = folder.join(name).parent() {
            fs::create_dir_all(inner)?;
        }
        let text = fs::read(source.join(name))?;
        // What did not change need not be built anew.
        if fs::read(folder.join(name)).ok().as_ref() != Some(&text) {
            fs::write(folder.join(name), text)?;
        }
    }
    command.current_dir(folder);
    Ok(command)
}

/// A command in the package that is fuzzed.
fn in_drill(program: &str, args: &str) -> Result<Command, Failed> {
    let mut command = command(program);
    command.args(words(args));
    in_package("drill", &["src/main.rs"], command)
}

/// Tests of a macro, of which some are that the compiler refuses it: cargo is called by the tests, as
/// trybuild and ui_test do.
fn ui_tests_of_macros_are_as_llvm_cov() -> Result<(), Failed> {
    let here = |command: Command| in_package("stencil", &["src/lib.rs", "tests/ui.rs"], command);
    let mut theirs = here(llvm_cov("test --lcov --output-path theirs.info")?)?;
    let folder = theirs.get_current_dir().ok_or("a folder")?.to_owned();
    // It does not know what our tests leave for a second time.
    let _ = fs::remove_dir_all(folder.join("target/tests"));
    ends(&mut theirs, 0)?;
    let args = "test --include-proc-macros --lcov --output-path ours.info";
    // The second time, all is built.
    for _ in 0..2 {
        ends(&mut here(bincover(args))?, 0)?;
        let [ours, theirs] =
            ["ours.info", "theirs.info"].map(|name| fs::read_to_string(folder.join(name)));
        let (ours, theirs) = (ours?, theirs?);
        let found = lines(&ours);
        let source = include_str!("workspaces/stencil/src/lib.rs");
        for (text, count) in [
            // Both are compared with it, and one with the next.
            ("\"triangle\"", 2),
            ("\"square\"", 1),
            ("compile_error!", 1),
        ] {
            let index = source.lines().position(|line| line.contains(text));
            let line = u32::try_from(index.ok_or(text)?)? + 1;
            let there = found.get(&("lib.rs".to_owned(), line));
            expect(there == Some(&count), || format!("{text}: {ours}"))?;
        }
        same((ours, theirs))?;
    }
    Ok(())
}

/// As cargo-llvm-cov's README has it for AFL, with a driver that does what `afl-fuzz` does: it talks
/// to a server that forks for each input, kills what takes too long, and kills the server in the
/// end. Processes that are killed count like others, so that the server needs no end of its own
/// (`AFL_FUZZER_LOOPCOUNT`).
fn a_fuzzed_program_is_counted() -> Result<(), Failed> {
    let ours = env!("CARGO_BIN_EXE_cargo-bincover");
    let printed = in_drill(ours, "bincover show-env --env-json")?.output()?;
    let environment: BTreeMap<String, String> = serde_json::from_slice(&printed.stdout)?;
    ends(&mut in_drill(ours, "bincover clean --workspace")?, 0)?;
    ends(in_drill("cargo", "build --quiet")?.envs(&environment), 0)?;

    let mut server = in_drill("bash", "-c")?;
    server
        .arg("exec target/debug/drill 198<&0 199>&1")
        .envs(&environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let input = server.get_current_dir().ok_or("a folder")?.join("input");
    let mut server = server.spawn()?;
    let mut commands = server.stdin.take().ok_or("no input")?;
    let mut answers = server.stdout.take().ok_or("no output")?;
    let mut word = || -> Result<i32, Failed> {
        let mut word = [0; 4];
        answers.read_exact(&mut word)?;
        Ok(i32::from_ne_bytes(word))
    };
    expect(word()? == 0, || "no server".to_owned())?;
    let (abort, kill) = (6, 9);
    for (text, signal) in [
        ("fine", 0),
        ("crash", abort),
        ("ab", 0),
        ("hang", kill),
        ("crash", abort),
        ("aacrash", abort),
        ("hang", kill),
    ] {
        fs::write(&input, text)?;
        commands.write_all(&[0; 4])?;
        let child = word()?.to_string();
        if signal == kill {
            std::thread::sleep(Duration::from_millis(100));
            Command::new("kill").args(["-KILL", &child]).status()?;
        }
        let status = word()?;
        expect(status & 0x7f == signal, || format!("{text}: {status}"))?;
    }
    // It is to wait for the next input when it is killed, so that the same is counted each time.
    std::thread::sleep(Duration::from_millis(100));
    server.kill()?;
    server.wait()?;

    let report = in_drill(ours, "bincover report --lcov")?.output()?;
    let lcov = String::from_utf8_lossy(&report.stdout).into_owned();
    let found = lines(&lcov);
    let source = include_str!("workspaces/drill/src/main.rs");
    for (text, count) in [
        ("while commands.read_exact", 8),
        ("fn drill", 10),
        // Those that come to a pattern: what crashed comes to no other.
        ("b\"crash\" =>", 10),
        ("b\"hang\" =>", 7),
        ("std::thread::sleep", 2),
        ("drill(rest)", 3),
        ("_ => {}", 2),
        ("cfg!(coverage)", 0),
    ] {
        let index = source.lines().position(|line| line.contains(text));
        let line = u32::try_from(index.ok_or(text)?)? + 1;
        let there = found.get(&("main.rs".to_owned(), line));
        expect(there == Some(&count), || format!("{text}: {lcov}"))?;
    }
    Ok(())
}

fn the_compiler_is_told_of_coverage() -> Result<(), Failed> {
    let ours = env!("CARGO_BIN_EXE_cargo-bincover");
    for (option, expected) in [("", "true\n"), ("--no-cfg-coverage", "false\n")] {
        let args = format!("bincover --no-report run {option} -- cfg");
        let output = in_drill(ours, &args)?.output()?;
        expect(output.stdout == expected.as_bytes(), || said(&output))?;
    }
    Ok(())
}

/// What the tests need from a registry, instead of the workspace's crates or beside them.
fn dependencies_are_as_llvm_cov() -> Result<(), Failed> {
    let args = "run -p shop --lcov --output-path";
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    let words = "--dep-coverage itoa -- price 2 3";
    ends(&mut llvm_cov(&format!("{args} theirs.info {words}"))?, 0)?;
    ends(&mut bincover(&format!("{args} ours.info {words}")), 0)?;
    same((read("ours.info")?, read("theirs.info")?))?;
    let files = |lcov: &str| -> Vec<String> {
        let names = lcov.lines().filter_map(|line| line.strip_prefix("SF:"));
        names.map(str::to_owned).collect()
    };
    let found = files(&read("ours.info")?);
    expect(
        !found.is_empty() && found.iter().all(|file| file.contains("/itoa-1.")),
        || format!("{found:?}"),
    )?;
    let words = "--include-deps -- price 2 3";
    ends(&mut bincover(&format!("{args} ours.info {words}")), 0)?;
    let found = files(&read("ours.info")?);
    for part in ["/itoa-1.", "app/src/main.rs"] {
        expect(found.iter().any(|file| file.contains(part)), || {
            format!("{found:?}")
        })?;
    }
    let said = ends(&mut bincover("test --dep-coverage nobody"), 2)?;
    expect(said.contains("no package `nobody`"), || said.clone())
}

/// Branches and doctests, of a nightly compiler that rustup knows; without one they are refused.
fn branches_and_doctests_are_as_llvm_cov() -> Result<(), Failed> {
    let args = "test -p shop-pricing --branch --doctests --lcov --output-path";
    let Some(mut ours) = nightly(&format!("bincover {args} ours.info")) else {
        let said = ends(&mut bincover(&format!("{args} ours.info")), 2)?;
        return expect(said.contains("nightly"), || said.clone());
    };
    ends(&mut ours, 0)?;
    // Its objects are all that it finds.
    ends(&mut llvm_cov("clean --workspace")?, 0)?;
    let mut theirs = nightly(&format!("llvm-cov {args} theirs.info")).ok_or("it was there")?;
    theirs
        .env("LLVM_COV", which::which("llvm-cov-22")?)
        .env("LLVM_PROFDATA", which::which("llvm-profdata-22")?);
    ends(&mut theirs, 0)?;
    expect(read("theirs.info")?.contains("BRDA:"), || {
        "no branches".to_owned()
    })?;
    let free = line_of("crates/pricing/src/lib.rs", "pieces - pieces / 10")?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&("lib.rs".to_owned(), free)) == Some(&1), || {
        format!("only a doctest gets there: {found:?}")
    })?;
    // What is marked so is left out.
    expect(!read("ours.info")?.contains("is_measured"), || {
        "it is there".to_owned()
    })?;
    same((read("ours.info")?, read("theirs.info")?))?;
    // The same of cargo itself, in our environment.
    let script = "set -e
eval \"$(cargo bincover show-env --sh --doctests)\"
cargo bincover clean --workspace
cargo test -p shop-pricing --doc
cargo bincover report -p shop-pricing --doctests --lcov --output-path ours.info";
    let mut shell = command("sh");
    shell
        .args(["-c", script])
        .env("PATH", with_our_programs()?)
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .env_remove("CARGO");
    ends(&mut shell, 0)?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&("lib.rs".to_owned(), free)) == Some(&1), || {
        format!("{found:?}")
    })
}

/// Reports of another form on what was run before; what was built stays for the next run.
fn reports_follow_the_tests() -> Result<(), Failed> {
    ends(&mut bincover("clean --workspace"), 0)?;
    ends(&mut bincover("nextest --workspace --html"), 0)?;
    let said = ends(
        &mut bincover("report --workspace --cobertura --output-path ours.xml"),
        0,
    )?;
    let last = said.lines().last().unwrap_or_default();
    expect(
        last.contains("lines ") && last.contains("regions ") && last.ends_with("; in ours.xml"),
        || said.clone(),
    )?;
    expect(read("ours.xml")?.contains("crates/app/src/main.rs"), || {
        "no file".to_owned()
    })?;
    // GitLab takes the last group, of the last line that has what it looks for.
    let page = include_str!("../docs/from-cargo-llvm-cov.md");
    let after = page.split("coverage: '/").nth(1).unwrap_or_default();
    let pattern = after.split("/'").next().unwrap_or_default();
    let pattern = regex::bytes::Regex::new(pattern)?;
    let said = ends(&mut bincover("report --workspace"), 0)?;
    let found = said.lines().rev().find_map(|line| {
        let groups = pattern.captures(line.as_bytes())?;
        String::from_utf8(groups.get(1)?.as_bytes().to_owned()).ok()
    });
    let line_coverage = said.split("lines ").last().and_then(|rest| {
        let rest = rest.split('(').nth(1)?;
        rest.split(' ').next()?.parse::<f64>().ok()
    });
    let numbers = found.and_then(|found| Some((found.parse::<f64>().ok()?, line_coverage?)));
    expect(
        numbers.is_some_and(|(found, expected)| (found - expected).abs() < 0.11),
        || format!("{numbers:?}: {said}"),
    )?;
    // Words of theirs that change nothing here, or little.
    let said = ends(
        &mut bincover(
            "test --no-run --workspace --release --failure-mode all --coverage-target-only \
             --nextest-archive-file a.tar.zst --text --show-instantiations --output-path ours.txt",
        ),
        0,
    )?;
    expect(
        read("ours.txt")?.contains("| shop_pricing::larger::<f64>")
            || read("ours.txt")?.contains("larger"),
        || said.clone(),
    )?;
    ends(&mut bincover("clean --profraw-only"), 0)?;
    ends(&mut bincover("report"), 91)?;
    let said = ends(&mut bincover("test --workspace"), 0)?;
    expect(!said.contains("Compiling"), || said.clone())
}

/// Names that are relative to the workspace, wherever the report is made.
fn remapped_names_are_as_llvm_cov() -> Result<(), Failed> {
    same(both("test -p shop-pricing --lib --remap-path-prefix", "")?)?;
    expect(
        read("ours.info")?.contains("SF:crates/pricing/src/lib.rs"),
        || "another name".to_owned(),
    )?;
    let in_member = |args: &str| {
        let mut report = bincover(&format!("report -p shop-pricing {args}"));
        report.current_dir(shop().join("crates/app"));
        report
    };
    let text = ends(&mut in_member("--text"), 0)?;
    expect(text.contains("pub fn larger"), || text.clone())?;
    let _ = fs::remove_dir_all(shop().join("pages"));
    ends(&mut in_member("--html --output-dir ../../pages"), 0)?;
    let mut pages = Vec::new();
    let mut folders = vec![shop().join("pages/html/f")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => pages.push(fs::read_to_string(path)?),
            }
        }
    }
    expect(pages.iter().any(|page| page.contains("larger")), || {
        format!("{pages:?}")
    })
}

/// On a terminal, and nowhere else, there is a line that says how far it is.
fn progress_is_for_terminals() -> Result<(), Failed> {
    let live = ["running", "so far"];
    let said = ends(&mut bincover("nextest --workspace"), 0)?;
    expect(!live.iter().any(|part| said.contains(part)), || {
        said.clone()
    })?;
    let on_terminal = |args: &str| -> Result<String, Failed> {
        let ours = env!("CARGO_BIN_EXE_cargo-bincover");
        let mut terminal = command("script");
        terminal.args([
            "-q",
            "-e",
            "-c",
            &format!("'{ours}' bincover {args}"),
            "/dev/null",
        ]);
        // Nothing is drawn on a terminal of this kind otherwise.
        ends(
            terminal.env("TERM", "xterm").env_remove("CARGO_TERM_COLOR"),
            0,
        )
    };
    let said = on_terminal("nextest --workspace --no-fail-fast")?;
    expect(
        said.contains("running") && said.contains("cargo-bincover: lines "),
        || said.clone(),
    )?;
    let said = on_terminal("test -p shop-pricing --lib")?;
    expect(said.contains("so far 1 run: 1 continuous"), || said.clone())
}

/// Cargo, rustc, a C compiler and its linker are all that is in `PATH`.
fn no_llvm_tool_is_needed() -> Result<(), Failed> {
    let tools = tempfile::tempdir()?;
    for tool in ["cargo", "rustc", "cc", "ld", "as", "ar"] {
        std::os::unix::fs::symlink(which::which(tool)?, tools.path().join(tool))?;
    }
    let alone = |mut command: Command| {
        command.env("PATH", tools.path());
        command
    };
    let args = "test --workspace --lcov --output-path ours.info --profdata ours.profdata";
    ends(&mut alone(bincover(args)), 0)?;
    expect(read("ours.info")?.contains("DA:"), || "no lines".to_owned())?;
    ends(&mut alone(in_store("report --lcov ours.info")), 0)?;
    let merge = command(env!("CARGO_BIN_EXE_bincover-merge"));
    let mut merge = alone(merge);
    merge.args(words("-o again.profdata ours.profdata"));
    ends(&mut merge, 0)?;
    expect(
        fs::read(shop().join("again.profdata"))? == fs::read(shop().join("ours.profdata"))?,
        || "one profile is merged into itself".to_owned(),
    )
}

/// Built here, run from the archive, in which binaries are elsewhere each time.
fn archives_run_elsewhere() -> Result<(), Failed> {
    ends(&mut bincover("clean"), 0)?;
    let _ = fs::remove_file(shop().join("shop.tar.zst"));
    ends(
        &mut bincover("nextest-archive --workspace --archive-file shop.tar.zst"),
        0,
    )?;
    ends(
        &mut bincover(
            "--no-clean nextest --archive-file shop.tar.zst --lcov --output-path ours.info",
        ),
        0,
    )?;
    let found = lines(&read("ours.info")?);
    let price = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "shop_pricing::price")?,
    );
    expect(found.get(&price) == Some(&1), || format!("{found:?}"))
}

fn show_env_is_for_cargo_itself() -> Result<(), Failed> {
    ends(&mut bincover("clean"), 0)?;
    let script = format!(
        "set -e
eval \"$('{}' bincover show-env --sh)\"
'{}' bincover clean --workspace
cargo test --workspace
target/debug/shop price 2 3
'{}' bincover report --workspace --lcov --output-path ours.info",
        env!("CARGO_BIN_EXE_cargo-bincover"),
        env!("CARGO_BIN_EXE_cargo-bincover"),
        env!("CARGO_BIN_EXE_cargo-bincover"),
    );
    ends(command("sh").args(["-c", &script]), 0)?;
    let found = lines(&read("ours.info")?);
    let price = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "shop_pricing::price")?,
    );
    let clear = (
        "main.rs".to_owned(),
        line_of("crates/app/src/main.rs", "line.clear();")?,
    );
    expect(found.get(&price) == Some(&2), || format!("{found:?}"))?;
    expect(found.get(&clear).is_some_and(|count| *count > 0), || {
        format!("{found:?}")
    })?;
    let contexts = contexts()?;
    expect(
        contexts.iter().any(|(context, _)| context == "shop::e2e"),
        || format!("{contexts:?}"),
    )?;
    for shell in ["--csh", "--fish", "--nu", "--xonsh", "--pwsh", "--env-json"] {
        let text = ends(&mut bincover(&format!("show-env {shell}")), 0)?;
        expect(text.contains("RUSTC_WORKSPACE_WRAPPER"), || text.clone())?;
    }
    let file = shop().join("github.env");
    fs::write(&file, "BEFORE=1\n")?;
    ends(bincover("show-env --github").env("GITHUB_ENV", &file), 0)?;
    let text = read("github.env")?;
    expect(
        text.starts_with("BEFORE=1\n") && text.contains("LLVM_PROFILE_FILE<<"),
        || text.clone(),
    )
}

fn what_cannot_be_done_is_said() -> Result<(), Failed> {
    let says = |command: &mut Command, code: i32, words: &str| -> Result<(), Failed> {
        let said = ends(command, code)?;
        expect(said.contains(words), || {
            format!("expected `{words}`: {said}")
        })
    };
    says(&mut bincover("test --lcvo"), 2, "'--lcov'")?;
    says(&mut bincover("report --test x"), 2, "--test")?;
    says(
        &mut bincover("test --lcov --cobertura"),
        2,
        "cannot be used with",
    )?;
    says(
        &mut bincover("test --output-path no/such/folder --lcov"),
        1,
        "no/such/folder",
    )?;
    says(
        &mut bincover("test --exclude nobody --workspace"),
        2,
        "shop-pricing",
    )?;
    says(
        &mut bincover("report --ignore-filename-regex ("),
        2,
        "--ignore-filename-regex",
    )?;
    let instrumented = "RUSTFLAGS";
    says(
        bincover("test").env(instrumented, "-Cinstrument-coverage"),
        2,
        "instrument already",
    )?;
    says(&mut bincover("test --branch"), 2, "nightly")?;
    says(
        bincover("test --include-ffi").env("CC", "gcc"),
        2,
        "expected clang",
    )?;
    ends(&mut bincover("clean"), 0)?;
    says(&mut bincover("report"), 91, "nothing to measure")?;
    // No test is no coverage, and not 0 %.
    says(
        &mut bincover("test -p shop-pricing --lib no_such_test"),
        91,
        "nothing to measure",
    )?;
    let outside = tempfile::tempdir()?;
    says(
        bincover("test").current_dir(outside.path()),
        1,
        "Cargo.toml",
    )
}

fn clean_forgets() -> Result<(), Failed> {
    ends(&mut bincover("clean"), 0)?;
    ends(&mut bincover("build --workspace"), 0)?;
    ends(&mut bincover("--no-report test -p shop-pricing"), 0)?;
    let folder = shop().join("target/bincover-target");
    expect(folder.join("debug").is_dir(), || {
        "nothing was built".to_owned()
    })?;
    let said = ends(&mut bincover("clean"), 0)?;
    expect(said.contains("deleted 1 runs"), || said.clone())?;
    // An environment that `show-env` made goes on to work.
    let left = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.file_name()));
    let left: Vec<_> = left.collect();
    expect(left == ["tools"], || format!("{left:?}"))
}

/// Cargo with a nightly compiler, if rustup knows one.
fn nightly(args: &str) -> Option<Command> {
    let of_rustup = || {
        let mut cargo = command("cargo");
        cargo
            .arg("+nightly")
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN");
        cargo
    };
    let is_there = of_rustup().arg("--version").output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut cargo = of_rustup();
    cargo
        .args(words(args))
        .env("PATH", with_our_programs().ok()?);
    Some(cargo)
}

/// `PATH`, in which cargo finds us.
fn with_our_programs() -> Result<std::ffi::OsString, Failed> {
    let ours = Path::new(env!("CARGO_BIN_EXE_cargo-bincover")).parent();
    let before = std::env::var_os("PATH").unwrap_or_default();
    let folders = ours
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&before));
    Ok(std::env::join_paths(folders)?)
}

/// A program that make builds and pytest runs; neither knows of us.
fn make_and_pytest() -> Result<(), Failed> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/workspaces/bell");
    let folder = tempfile::tempdir()?;
    for name in ["Makefile", "bell.c", "test_bell.py"] {
        fs::copy(source.join(name), folder.path().join(name))?;
    }
    let here = |program: &str, args: &str| {
        let mut command = command(program);
        command.current_dir(folder.path()).args(words(args));
        command
    };
    let bincover = env!("CARGO_BIN_EXE_bincover");
    let says = |mut command: Command, code: i32, words: &str| -> Result<(), Failed> {
        let said = ends(&mut command, code)?;
        expect(said.contains(words), || {
            format!("expected `{words}`: {said}")
        })
    };
    says(
        here(bincover, "build -- true"),
        91,
        "no instrumented binary",
    )?;
    says(here(bincover, "build -- false"), 1, "")?;
    let mut make = here(bincover, "build -- make");
    make.env("CC", "clang-22");
    says(make, 0, "1 instrumented binary noted")?;
    // Nothing to do: what was made before is there.
    let mut make = here(bincover, "build -- make");
    make.env("CC", "clang-22");
    says(make, 0, "1 instrumented binary noted")?;
    let script = format!("eval \"$('{bincover}' env --sh)\" && pytest -q -p no:cacheprovider");
    let mut suite = here("sh", "-c");
    suite.arg(script);
    ends(&mut suite, 0)?;
    says(here(bincover, "report --lcov bell.info"), 0, "bell.c")?;
    let lcov = fs::read_to_string(folder.path().join("bell.info"))?;
    let found = lines(&lcov);
    let source = fs::read_to_string(folder.path().join("bell.c"))?;
    let count_in = |found: &BTreeMap<(String, u32), u64>, text: &str| -> Option<u64> {
        let index = source.lines().position(|line| line.contains(text))?;
        found
            .get(&("bell.c".to_owned(), u32::try_from(index).ok()? + 1))
            .copied()
    };
    let counts = ["puts(\"ding\")", "puts(\"waiting\")", "usage: bell", "atoi"]
        .map(|text| count_in(&found, text));
    expect(counts == [Some(2), Some(1), Some(0), Some(2)], || {
        lcov.clone()
    })?;
    // Nothing is left of the profiles, and nothing counts twice.
    let loose = folder.path().join(".bincover/loose");
    expect(fs::read_dir(&loose)?.next().is_none(), || {
        "profiles are left".to_owned()
    })?;
    says(here(bincover, "report --lcov again.info"), 0, "bell.c")?;
    expect(
        fs::read_to_string(folder.path().join("again.info"))? == lcov,
        || "more".to_owned(),
    )?;
    // Whoever follows adds each profile up when its program has ended, the killed one's too; and
    // one that is killed itself has lost nothing.
    for (signal, ended) in [("-KILL", None), ("-TERM", Some(0))] {
        let follower = here(bincover, "fold --follow --every 20ms")
            .stderr(Stdio::piped())
            .spawn()?;
        ends(&mut suite, 0)?;
        let mut tries = 0;
        while fs::read_dir(&loose)?.next().is_some() {
            expect(tries < 1000, || "profiles stay".to_owned())?;
            tries += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = follower.id().to_string();
        Command::new("kill").args([signal, &pid]).status()?;
        let output = follower.wait_with_output()?;
        expect(output.status.code() == ended, || said(&output))?;
        expect(
            ended.is_none() || said(&output).contains("folded 2 profiles"),
            || said(&output),
        )?;
    }
    says(here(bincover, "report --lcov bell.info"), 0, "bell.c")?;
    let found = lines(&fs::read_to_string(folder.path().join("bell.info"))?);
    let counts = ["puts(\"ding\")", "puts(\"waiting\")"].map(|text| count_in(&found, text));
    expect(counts == [Some(6), Some(3)], || format!("{found:?}"))?;
    // Three suites are three runs.
    let runs = here(bincover, "runs --json").output()?;
    let runs: serde_json::Value = serde_json::from_slice(&runs.stdout)?;
    let runs = runs.as_array().ok_or("no runs")?;
    expect(
        runs.len() == 3 && runs.iter().all(|run| run["coverage"] == "continuous"),
        || format!("{runs:?}"),
    )?;
    says(here(bincover, "fold"), 0, "folded 0 profiles")?;
    says(here(bincover, "fold --store none"), 91, "folded 0 profiles")?;
    says(here(bincover, "env --json"), 0, "\"LLVM_PROFILE_FILE\"")?;
    says(here(bincover, "env --fish --build"), 0, "set -gx CFLAGS")
}

/// What is told to end is passed on to the program, whose end is ours.
fn a_killed_run_is_kept() -> Result<(), Failed> {
    let mut running = bincover("run --lcov --output-path ours.info -- serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = running.stdout.take().ok_or("no output")?;
    let mut lines_of = BufReader::new(stdout).lines();
    // The server ends with its input; it is to end by the signal.
    let stdin = running.stdin.take();
    let ready = lines_of.next().transpose()?;
    expect(ready.as_deref() == Some("ready at 2.5"), || {
        format!("{ready:?}")
    })?;
    let pid = running.id().to_string();
    expect(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()?
            .success(),
        || "it is gone".to_owned(),
    )?;
    let output = running.wait_with_output()?;
    drop(stdin);
    expect(output.status.code() == Some(128 + 15), || {
        format!("{}\n{}", output.status, said(&output))
    })?;
    let found = lines(&read("ours.info")?);
    let serve = line_of("crates/app/src/main.rs", "fn serve()")?;
    let place = ("main.rs".to_owned(), serve);
    expect(found.get(&place) == Some(&1), || format!("{found:?}"))?;
    // If we are killed ourselves, the program goes on, and what it reaches is there later.
    let mut running = bincover("run --lcov --output-path ours.info -- serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = running.stdout.take().ok_or("no output")?;
    let ready = BufReader::new(stdout).lines().next().transpose()?;
    expect(ready.as_deref() == Some("ready at 2.5"), || {
        format!("{ready:?}")
    })?;
    let stdin = running.stdin.take();
    running.kill()?;
    running.wait()?;
    drop(stdin);
    let mut tries = 0;
    while contexts()?.is_empty() {
        expect(tries < 600, || "no run was recorded".to_owned())?;
        tries += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    ends(&mut bincover("report --lcov --output-path ours.info"), 0)?;
    let found = lines(&read("ours.info")?);
    expect(found.get(&place) == Some(&1), || format!("{found:?}"))
}

fn a_toolchain_without_profiler_runtime() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rustc = folder.path().join("rustc");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty)?;
    let script = format!(
        "#!/bin/sh
case \"$*\" in
*'--print target-libdir'*) echo '{}' ;;
*instrument-coverage*) echo 'error: no profiler_builtins' >&2; exit 1 ;;
*) exec rustc \"$@\" ;;
esac
",
        empty.display()
    );
    write_program::write_program(&rustc, script.as_bytes());
    let mut test = bincover("test -p shop-macros --target-dir");
    test.arg(folder.path()).env("RUSTC", &rustc);
    let said = ends(&mut test, 101)?;
    expect(said.contains("has no profiler runtime"), || said.clone())?;
    expect(said.contains("nothing was run"), || said.clone())
}
