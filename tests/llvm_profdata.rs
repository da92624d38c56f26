//! `bincover-merge` as `llvm-profdata`: messages and exit codes for broken profiles against what
//! was recorded from the tool, and whole command lines against the tool itself.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bincover_testkit::{fixture, fixtures_ending};
use libtest_mimic::{Arguments, Failed, Trial};

const ORACLE: &str = "llvm-profdata-22";

/// Broken profiles of which we say something else than LLVM, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "indexed-ids-size-huge.profdata",
        "LLVM reads the ids before it sees that they end nowhere",
    ),
    (
        "raw-num-counters-less.profraw",
        "LLVM reads names beyond their section",
    ),
    (
        "raw-num-data-wraps.profraw",
        "LLVM's sum of sizes wraps, ours does not",
    ),
    (
        "raw-padding-huge.profraw",
        "LLVM's sum of sizes wraps, ours does not",
    ),
    ("raw-trailing-version.profraw", "we read version 9"),
    ("raw-version-11.profraw", "we read version 11"),
    ("raw-version-9.profraw", "we read version 9"),
    ("raw-version-flags.profraw", "we read version 7"),
];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for stderr in fixtures_ending("malformed", ".stderr") {
        let input = stderr.with_extension("");
        let name = input
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        trials.push(Trial::test(format!("malformed/{name}"), move || {
            malformed(&input)
        }));
    }
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_missing = which::which(ORACLE).is_err();
    for line in COMMANDS
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let trial = Trial::test(line.to_owned(), move || same_as_tool(line));
        trials.push(trial.with_ignored_flag(is_missing && !is_required));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What a command printed, its exit code, and the file `out` that it may have written.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    out: Option<Vec<u8>>,
}

/// Runs a tool in `folder` under LLVM's name for it.
fn run(program: &Path, folder: &Path, words: &[String]) -> Result<Outcome, Failed> {
    let out = folder.join("out");
    let _ = std::fs::remove_file(&out);
    let output = Command::new(program)
        // Some of LLVM's messages have the name by which the tool was called.
        .arg0(ORACLE)
        .args(words)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        out: std::fs::read(&out).ok(),
    })
}

/// Our tool, by a link of LLVM's name in the folder.
fn ours(folder: &Path) -> Result<PathBuf, Failed> {
    let link = folder.join(ORACLE);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bincover-merge"), &link)?;
    Ok(link)
}

fn malformed(input: &Path) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let name = input.file_name().ok_or("a name")?;
    std::fs::copy(input, scratch.path().join(name))?;
    let program = ours(scratch.path())?;
    let name = name.to_string_lossy().into_owned();
    let words = ["merge", "-j", "1", "-o", "out", &name].map(str::to_owned);
    let ours = run(&program, scratch.path(), &words)?;
    let beside = |suffix: &str| input.with_file_name(format!("{name}.{suffix}"));
    let code = std::fs::read_to_string(beside("code"))?;
    let theirs = Outcome {
        code: code.trim().parse().ok(),
        stdout: String::new(),
        stderr: std::fs::read_to_string(beside("stderr"))?,
        out: std::fs::read(beside("merged")).ok(),
    };
    let is_different = DIFFERENT.iter().any(|(different, _)| *different == name);
    match (ours == theirs, is_different) {
        (true, false) | (false, true) => Ok(()),
        (true, true) => Err("is listed as different, but is the same".into()),
        (false, false) => Err(explain(&ours, &theirs)),
    }
}

fn explain(ours: &Outcome, theirs: &Outcome) -> Failed {
    let show = |outcome: &Outcome| {
        let size = outcome.out.as_ref().map(Vec::len);
        let Outcome {
            code,
            stdout,
            stderr,
            ..
        } = outcome;
        format!("code {code:?}, out {size:?} bytes\nstdout:\n{stdout}\nstderr:\n{stderr}")
    };
    format!("--- ours\n{}\n--- theirs\n{}", show(ours), show(theirs)).into()
}

fn same_as_tool(line: &str) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let program = ours(scratch.path())?;
    let mut words = Vec::new();
    for word in line.split(' ') {
        words.push(place(scratch.path(), word)?);
    }
    let theirs = run(&which::which(ORACLE)?, scratch.path(), &words)?;
    let ours = run(&program, scratch.path(), &words)?;
    match ours == theirs {
        true => Ok(()),
        false => Err(explain(&ours, &theirs)),
    }
}

/// A word of a command line; `{raw/x/1.profraw}` in it is a fixture, which is copied to the
/// folder under a short name, so that no path of this machine is in the messages.
fn place(folder: &Path, word: &str) -> Result<String, Failed> {
    let (Some(open), Some(close)) = (word.find('{'), word.find('}')) else {
        return Ok(word.to_owned());
    };
    let name = &word[open + 1..close];
    let short = name.replace('/', "-");
    std::fs::copy(fixture(name), folder.join(&short))?;
    Ok(format!("{}{short}{}", &word[..open], &word[close + 1..]))
}

/// Command lines that both tools are given.
const COMMANDS: &str = "
    merge
    merge -o out
    merge -o out nofile
    merge -o nofolder/out {raw/clang22-c/1.profraw}
    merge -o
    merge -foo -o out {raw/clang22-c/1.profraw}
    merge -j4 -o out {raw/clang22-c/1.profraw}
    merge -j x -o out {raw/clang22-c/1.profraw}
    merge -sparse=maybe -o out {raw/clang22-c/1.profraw}
    merge -failure-mode=zzz -o out {raw/clang22-c/1.profraw}
    merge --weighted-input=0,a -o out
    merge --weighted-input=a -o out
    merge --gcc -o out {raw/clang22-c/1.profraw}
    merge -f nofile -o out
    merge -j 1 -o out {raw/clang22-c/1.profraw} {raw/clang22-c/2.profraw}
    merge -j 1 -o=out {raw/clang22-c/1.profraw} {text/bitmap/input.proftext}
    merge -j 1 --output out -sparse {raw/clang22-cxx/1.profraw} {raw/clang22-cxx/2.profraw}
    merge -j 1 -o out --text {raw/clang22-ir/1.profraw} {raw/clang22-ir/2.profraw}
    merge -j 1 -o out -weighted-input=5,{raw/clang22-ir/1.profraw} {raw/clang22-ir/2.profraw}
    merge -j 1 -o out -write-prev-version {raw/clang22-mcdc/1.profraw} {raw/clang22-mcdc/2.profraw}
    merge -j 1 -o out {raw/clang22-c/1.profraw} {raw/clang22-ir/1.profraw}
    merge -j 1 -o out {text/fe/input.proftext} {raw/clang22-ir/1.profraw}
    merge -j 1 -o out -failure-mode=warn {text/fe/input.proftext} {raw/clang22-ir/1.profraw}
    merge -j 1 -o out -failure-mode=all {malformed/zeros.profraw} {raw/clang22-c/1.profraw}
    merge -j 1 -o out -failure-mode=any {malformed/zeros.profraw} {raw/clang22-c/1.profraw}
    merge -j 1 -o out -failure-mode=warn {malformed/zeros.profraw}
    merge -j 1 -o out {malformed/empty.profraw}
    merge -j 1 -o out {text/mismatch/first.proftext} {text/mismatch/second.proftext} {text/mismatch/sites.proftext}
    merge -j 1 -o out {text/saturate/first.proftext} {text/saturate/second.proftext}
    merge -j 1 -o out --function=main {raw/clang22-c/1.profraw}
    merge -j 1 -o out --no-function=^m {raw/clang22-c/1.profraw}
    merge -j 1 -o out --function=a --no-function=main --text {raw/clang22-cxx/1.profraw}
    merge -j 1 -o out {raw/clang22-temporal/1.profraw} {raw/clang22-temporal/2.profraw} {raw/clang22-temporal/3.profraw}
    merge -j 1 -o out --temporal-profile-trace-reservoir-size=2 {raw/clang22-temporal/1.profraw} {raw/clang22-temporal/2.profraw} {raw/clang22-temporal/3.profraw} {text/temporal/input.proftext}
    merge -j 1 -o out --temporal-profile-max-trace-length=1 {raw/clang22-temporal/1.profraw} {raw/clang22-temporal/2.profraw}
    merge -j 1 -o out --dump-input-file-list {raw/clang22-c/1.profraw} --weighted-input=3,{raw/clang22-c/2.profraw}
    merge -j 1 -o out --keep-vtable-symbols {raw/clang22-vtables/1.profraw} {raw/clang22-vtables/merged.profdata}
    merge -j 1 -o out --keep-vtable-symbols {raw/clang22-vtables/kept-vtables.profdata} {raw/clang22-vtables/kept-vtables.proftext}
    merge -j 1 -o out --keep-vtable-symbols --text {raw/clang22-vtables/kept-vtables.profdata}
    merge -j 1 -o out {raw/clang22-bytes/1.profraw} {raw/clang22-bytes/2.profraw} {raw/clang22-bytes/3.profraw}
    merge -j 1 -o out {raw/clang22-32bit/1.profraw} {raw/clang22-c/1.profraw}
    merge -j 1 -o out {indexed/many-hashes/input.profdata} {text/many-hashes/input.proftext}
    merge -j 1 -o out {indexed/v7-llvm13/input.profdata} {indexed/v9-llvm16/input.profdata} {indexed/v12-llvm19/input.profdata}
    show
    show nofile
    show -foo {raw/clang22-c/1.profraw}
    show {malformed/zeros.profraw}
    show {malformed/empty.profraw}
    show {malformed/text-hash-word.proftext}
    show {malformed/raw-record-no-counters.profraw}
    show {raw/clang22-c/1.profraw}
    show {raw/clang22-c/merged.profdata}
    show --all-functions {raw/clang22-c/1.profraw}
    show --all-functions --counts {raw/clang22-cxx/1.profraw}
    show --all-functions --counts {raw/clang22-mcdc/merged.profdata}
    show --all-functions --counts {raw/clang22-ir/1.profraw}
    show --all-functions --counts {raw/clang22-cs/merged.profdata}
    show --all-functions --counts --showcs {raw/clang22-cs/merged.profdata}
    show --all-functions --counts {text/pseudo/input.proftext}
    show --all-functions --counts {raw/clang22-block-coverage/merged.profdata}
    show --function=main --counts {raw/clang22-c/1.profraw}
    show --function=nothing {raw/clang22-c/1.profraw}
    show --all-functions --ic-targets --memop-sizes {raw/clang22-ir/merged.profdata}
    show --all-functions --ic-targets --memop-sizes --show-vtables {raw/clang22-vtables/merged.profdata}
    show --all-functions --ic-targets --memop-sizes {raw/clang22-ir/1.profraw}
    show --ic-targets {raw/clang22-ir/1.profraw}
    show --topn=3 {raw/clang22-cxx/merged.profdata}
    show --topn=100 {raw/clang22-cxx/merged.profdata}
    show --detailed-summary {raw/clang22-cxx/merged.profdata}
    show --detailed-summary --detailed-summary-cutoffs=500000,990000,999999 {raw/clang22-cxx/merged.profdata}
    show --detailed-summary-cutoffs=500000 {raw/clang22-cxx/merged.profdata}
    show --detailed-summary {indexed/empty/input.profdata}
    show --hot-func-list {raw/clang22-cxx/merged.profdata}
    show --value-cutoff=3 {raw/clang22-cxx/merged.profdata}
    show --value-cutoff=3 --list-below-cutoff {raw/clang22-cxx/merged.profdata}
    show --value-cutoff=3 --all-functions {raw/clang22-cxx/merged.profdata}
    show --covered {raw/rust-v10/1.profraw}
    show --covered {raw/rust-v10/merged.profdata}
    show --binary-ids {raw/rust-v10/1.profraw}
    show --binary-ids {raw/rust-v10/merged.profdata}
    show --binary-ids {raw/clang22-nobuildid/1.profraw}
    show --binary-ids {raw/clang22-nobuildid/merged.profdata}
    show --binary-ids {raw/clang22-concat/1.profraw}
    show --profile-version {raw/clang22-ir/1.profraw}
    show --profile-version {raw/clang22-ir/merged.profdata}
    show --profile-version {indexed/prev-version/input.profdata}
    show --profile-version {text/ir/input.proftext}
    show --temporal-profile-traces {raw/clang22-temporal/merged.profdata}
    show --temporal-profile-traces {raw/clang22-temporal/1.profraw}
    show --temporal-profile-traces {text/temporal/input.proftext}
    show --text --all-functions {raw/clang22-ir/1.profraw}
    show --text --all-functions {raw/clang22-mcdc/merged.profdata}
    show --text {raw/clang22-ir/merged.profdata}
    show --text {raw/clang22-c/merged.profdata}
    show --json {raw/clang22-c/merged.profdata}
    show --show-format=json {raw/clang22-c/merged.profdata}
    show --show-format=yaml {raw/clang22-c/merged.profdata}
    show -o out --all-functions {raw/clang22-c/merged.profdata}
    overlap
    overlap {raw/clang22-c/1.profraw}
    overlap {raw/clang22-c/1.profraw} {malformed/empty.profraw}
    overlap {raw/clang22-c/1.profraw} nofile
    overlap {raw/clang22-c/1.profraw} {raw/clang22-c/2.profraw}
    overlap {raw/clang22-c/merged.profdata} {raw/clang22-c/3.profraw}
    overlap {raw/clang22-cxx/merged.profdata} {raw/clang22-c/merged.profdata}
    overlap {raw/clang22-ir/1.profraw} {raw/clang22-ir/2.profraw}
    overlap {raw/clang22-vtables/1.profraw} {raw/clang22-vtables/merged.profdata}
    overlap --function=main {raw/clang22-c/1.profraw} {raw/clang22-c/2.profraw}
    overlap --value-cutoff=2 {raw/clang22-cxx/1.profraw} {raw/clang22-cxx/2.profraw}
    overlap --cs {raw/clang22-cs/1.profraw} {raw/clang22-cs/2.profraw}
    overlap -o out {raw/clang22-c/1.profraw} {raw/clang22-c/2.profraw}
    overlap {text/mismatch/first.proftext} {text/mismatch/second.proftext}
    order
    order nofile
    order {raw/clang22-c/1.profraw} {raw/clang22-c/2.profraw}
    order {raw/clang22-c/1.profraw}
    order {raw/clang22-temporal/1.profraw}
    order {raw/clang22-temporal/merged.profdata}
    order -o out {raw/clang22-temporal/merged.profdata}
    order {text/temporal/input.proftext}
    order --num-test-traces=1 {text/temporal/input.proftext}
    order --num-test-traces=100 {text/temporal/input.proftext}
    order {malformed/zeros.profraw}
    foo
";
