//! Fuzzing: corpora from `testdata/`, one build, each target for its share of the time, and a table of
//! what was done.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bincover_testkit::container::split_object;
use bincover_testkit::{elf, fixtures_ending, top};

use crate::{Failure, command};

/// So many targets run at a time, if it is not said; each is one thread.
const AT_A_TIME: usize = 2;

/// A target that takes longer for one input than this has found something.
const SLOW: Duration = Duration::from_secs(20);

/// One that asks for more memory at once has, too: sizes are claims.
const MOST_AT_ONCE_MB: u32 = 1024;

/// What was typed.
struct Plan {
    /// For all targets together, from the first to the last.
    time: Duration,
    /// All, if none is named.
    targets: Vec<String>,
    /// How many run at a time.
    jobs: usize,
    /// What chance begins with; another one each time, if none is given.
    seed: Option<u32>,
    /// Few of the optimisations: for a short time, building would take longer than fuzzing.
    is_short: bool,
}

/// `--hours N`, `--minutes N` or `--seconds N`, `--jobs N`, and names of targets.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let plan = Plan::parse(args)?;
    let found = fuzz(&plan)?;
    Ok(match found {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Fuzzes all targets for so long, all together; a finding is a failure. It begins alike each time, since this is to say
/// whether a change broke something.
pub(crate) fn all(time: Duration) -> Result<(), Failure> {
    let plan = Plan {
        time,
        targets: Vec::new(),
        jobs: AT_A_TIME,
        seed: Some(1),
        is_short: true,
    };
    match fuzz(&plan)? {
        0 => Ok(()),
        _ => Err("there are findings".into()),
    }
}

impl Plan {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut time = None;
        let mut targets = Vec::new();
        let mut jobs = AT_A_TIME;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let unit = match arg.as_str() {
                "--hours" => 3600.0,
                "--minutes" => 60.0,
                "--seconds" => 1.0,
                "--jobs" => {
                    let number = args.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| (1..=64).contains(number));
                    jobs = number.ok_or("--jobs: expected a number from 1 to 64")?;
                    continue;
                }
                option if option.starts_with('-') => {
                    return Err(format!("no option `{option}`").into());
                }
                name => {
                    targets.push(name.to_owned());
                    continue;
                }
            };
            let number = args.next().and_then(|number| number.parse::<f64>().ok());
            let seconds = number.map(|number| number * unit);
            let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let duration = duration.filter(|duration| *duration >= Duration::from_secs(1));
            time = Some(
                duration.ok_or_else(|| format!("{arg}: expected a number, of a second or more"))?,
            );
        }
        let time = time.ok_or("say for how long: --hours N, --minutes N or --seconds N")?;
        Ok(Self {
            time,
            targets,
            jobs,
            seed: None,
            is_short: false,
        })
    }
}

/// What became of one target.
struct Outcome {
    name: String,
    seconds: u64,
    /// Of the processor, which may be shared.
    processor_seconds: u64,
    executions: u64,
    per_second: u64,
    new: usize,
    findings: usize,
}

/// The number of findings.
fn fuzz(plan: &Plan) -> Result<usize, Failure> {
    let known = targets()?;
    if let Some(unknown) = plan.targets.iter().find(|name| !known.contains(*name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(format!("no target `{unknown}`; there are {}", known.join(", ")).into());
    }
    let chosen: Vec<String> = match plan.targets.is_empty() {
        true => known.into_iter().collect(),
        false => plan.targets.clone(),
    };
    let start = Instant::now();
    let seeds = seed()?;
    build(plan)?;
    eprintln!("{seeds} seeds; built in {} s", start.elapsed().as_secs());

    let rounds = chosen.len().div_ceil(plan.jobs);
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let share = (plan.time / rounds).max(Duration::from_secs(1));
    eprintln!(
        "{} targets, {} s each, {} at a time",
        chosen.len(),
        share.as_secs(),
        plan.jobs
    );
    let left = Mutex::new(chosen.iter());
    let outcomes = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        loop {
            let Some(name) = left.lock().ok().and_then(|mut left| left.next()) else {
                return Ok(());
            };
            let outcome =
                run_one(name, share, plan.seed).map_err(|failure| format!("{name}: {failure}"))?;
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.push(outcome);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.jobs).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or(Err("a thread panicked".to_owned())))
    })?;
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    print!("{}", table(&outcomes));
    Ok(outcomes.iter().map(|outcome| outcome.findings).sum())
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table = format!(
        "{:<14}{:>9}{:>11}{:>13}{:>10}{:>12}{:>10}\n",
        "target", "seconds", "processor", "executions", "exec/s", "new inputs", "findings"
    );
    for outcome in outcomes {
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "{:<14}{:>9}{:>11}{:>13}{:>10}{:>12}{:>10}",
            outcome.name,
            outcome.seconds,
            outcome.processor_seconds,
            outcome.executions,
            outcome.per_second,
            outcome.new,
            outcome.findings
        );
    }
    table
}

/// The targets' names, from their files.
fn targets() -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for target in fs::read_dir("fuzz/fuzz_targets")? {
        let path = target?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    Ok(names)
}

/// The compiler is nightly's, so rustup's `cargo` is asked.
fn build(plan: &Plan) -> Result<(), Failure> {
    // cargo-fuzz would change the lock file if it did not fit.
    let locked = ["metadata", "--locked", "--format-version", "1"];
    command::stdout(
        command::cargo()
            .args(locked)
            .args(["--manifest-path", "fuzz/Cargo.toml"]),
    )?;
    let mut cargo = command::nightly();
    cargo.args(["fuzz", "build"]);
    // It takes one name, or none.
    if let [one] = &plan.targets[..] {
        cargo.arg(one);
    }
    if plan.is_short {
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    }
    command::run(&mut cargo)
}

/// The program that was built: its folder is named after the machine.
fn program(name: &str) -> Result<PathBuf, Failure> {
    let mut found = Vec::new();
    for folder in fs::read_dir("fuzz/target")? {
        let program = folder?.path().join("release").join(name);
        if program.is_file() {
            found.push((program.metadata()?.modified()?, program));
        }
    }
    let newest = found.into_iter().max();
    newest
        .map(|(_, program)| program)
        .ok_or_else(|| "it was not built".into())
}

/// Runs a target for so long. Its output is kept beside what it finds; if it ends badly, the end of that is shown.
fn run_one(name: &str, time: Duration, seed: Option<u32>) -> Result<Outcome, Failure> {
    let corpus = Path::new("fuzz/corpus").join(name);
    let artifacts = Path::new("fuzz/artifacts").join(name);
    let logs = Path::new("fuzz/target/logs");
    for folder in [&corpus, &artifacts, logs] {
        fs::create_dir_all(folder)?;
    }
    let before = count(&corpus)?;
    let found_before = count(&artifacts)?;
    let log = logs.join(format!("{name}.txt"));
    let mut fuzzer = Command::new(program(name)?);
    fuzzer
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-timeout={}", SLOW.as_secs()))
        .arg(format!("-malloc_limit_mb={MOST_AT_ONCE_MB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // Names of functions that are reached for the first time come from a symbolizer, which is waited for.
        .args(["-print_final_stats=1", "-print_funcs=0"]);
    if let Some(seed) = seed {
        fuzzer.arg(format!("-seed={seed}"));
    }
    let dictionary = PathBuf::from(format!("fuzz/dictionaries/{name}.dict"));
    if dictionary.is_file() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    let output = File::create(&log)?;
    let start = Instant::now();
    let fuzzer = fuzzer
        .arg(&corpus)
        // As `cargo fuzz run` has it: the same static may be in several crates.
        .env("ASAN_OPTIONS", "detect_odr_violation=0")
        .stdin(std::process::Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let (status, processor_seconds) = run_measured(fuzzer)?;
    let seconds = start.elapsed().as_secs();
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let findings = count(&artifacts)?.saturating_sub(found_before);
    if !status.success() {
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(60)..].join("\n");
        eprintln!(
            "== {name} ended with {status}; `cargo +nightly fuzz run {name} FILE` repeats it, with a file of \
             {}\n{end}",
            artifacts.display()
        );
    }
    // After a finding there are no statistics, but for the last line that tells of progress.
    let executions = statistic(&text, "number_of_executed_units").or_else(|| progress(&text));
    let executions = executions.unwrap_or(0);
    Ok(Outcome {
        name: name.to_owned(),
        seconds,
        processor_seconds,
        executions,
        per_second: executions / seconds.max(1),
        new: count(&corpus)?.saturating_sub(before),
        findings: match status.success() {
            true => findings,
            false => findings.max(1),
        },
    })
}

/// Runs it to its end, and tells how many seconds of the processor it had. It is asked now and then, since the kernel
/// tells of children that have ended only all together.
fn run_measured(command: &mut Command) -> Result<(ExitStatus, u64), Failure> {
    let mut child = command.spawn()?;
    let stat = PathBuf::from(format!("/proc/{}/stat", child.id()));
    let mut ticks = 0;
    loop {
        let now = fs::read_to_string(&stat)
            .ok()
            .and_then(|stat| processor_ticks(&stat));
        ticks = ticks.max(now.unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            return Ok((status, ticks / TICKS));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// In a second, for all that reads `/proc` (`USER_HZ`).
const TICKS: u64 = 100;

/// `utime` and `stime`: the 14th and 15th field, of which the second is a name in brackets.
fn processor_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields
        .split(' ')
        .skip(11)
        .map(|field| field.parse::<u64>().ok());
    Some(ticks.next()?? + ticks.next()??)
}

/// `stat::number_of_executed_units: 1234`.
fn statistic(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().rev().find_map(|line| {
        let statistic = line.strip_prefix("stat::")?;
        statistic.strip_prefix(name)?.strip_prefix(':')
    });
    line?.trim().parse().ok()
}

/// `#1234  NEW    cov: …`.
fn progress(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| {
        let number = line.strip_prefix('#')?.split_whitespace().next()?;
        number.parse().ok()
    })
}

fn count(folder: &Path) -> Result<usize, Failure> {
    Ok(fs::read_dir(folder)?.count())
}

/// Copies what is in `testdata/` into `fuzz/corpus/<target>/`; tells how many files these are.
fn seed() -> Result<usize, Failure> {
    let corpus = Path::new("fuzz/corpus");
    let mut count = 0;
    let mut put = |target: &str, name: &str, bytes: &[u8]| -> std::io::Result<()> {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        count += 1;
        fs::write(folder.join(name), bytes)
    };
    for path in fixtures_ending("", "") {
        let bytes = fs::read(&path)?;
        let below = path.strip_prefix(top().join("testdata")).unwrap_or(&path);
        let name = below.display().to_string().replace('/', "-");
        for target in targets_of(below) {
            put(target, &name, &bytes)?;
        }
        if let Some(sections) = split_object(&bytes) {
            put("mapping", &format!("{name}.sections"), &sections)?;
            // Behind the kind of file and no damage; a few kinds, the fuzzer finds the others.
            for kind in (0..16).step_by(3) {
                let seed = [&[kind, 0], &sections[..]].concat();
                put("container", &format!("{name}.{kind}"), &seed)?;
            }
            let names = elf::section(&bytes, "__llvm_prf_names");
            put("names", &name, &names)?;
        }
    }
    for (target, name, text) in WRITTEN {
        put(target, name, text.as_bytes())?;
    }
    for target in ["merge", "shards", "damage", "reports", "store", "container"] {
        // A recipe is any bytes; these have one of each.
        put(target, "every-byte", &(0..=u8::MAX).collect::<Vec<u8>>())?;
        put(target, "saturated", &[0xf0; 128])?;
    }
    Ok(count)
}

/// What no fixture is of.
const WRITTEN: &[(&str, &str, &str)] = &[
    (
        "config",
        "two-tables",
        "store = \"cov\"\n[report]\nlcov = true\nexclude-files = [\"a\", \"b/**\"]\n[diff]\nfail-under-patch = 80\n",
    ),
    (
        "ratchet",
        "two-files",
        "version = 1\ntolerance = 0.5\ntolerance_lines = 2\n\n[files]\n\"a.c\" = [5, 9]\n\"b/c.rs\" = [1, 47]\n",
    ),
    (
        "baseline",
        "one-file",
        r#"{"version":1,"totals":{"lines":{"covered":2,"total":4}},"files":[{"name":"/w/a.c","lines":[[1,2,1],[3,4,0]]}]}"#,
    ),
    (
        "patch",
        "git",
        "diff --git a/a.c b/a.c\nindex 0123456..789abcd 100644\n--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,4 @@ f\n a\n-b\n+c\n+d\n e\ndiff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n",
    ),
    (
        "patch",
        "unified",
        "--- a.c\t2026-01-01 00:00:00\n+++ a.c\t2026-01-02 00:00:00\n@@ -3 +3,2 @@\n-old\n+new\n+newer\n",
    ),
    (
        "symbols",
        "two-languages",
        "_ZN5shape4areaEv\n_Z6biggerIdET_S0_S0_\n_RNvCskwGfYPst2Cb_3foo16example_function\n_ZN3foo3bar17h05af221e174051e9E\n_RINvMsa_NtC4core3fooINtB2_3BarKj1_E3newpE\na.c;_ZL1fv\n",
    ),
    (
        "sources",
        "markers",
        "a\nb // LCOV_EXCL_LINE\n// GCOVR_EXCL_START\nc\n// GCOVR_EXCL_STOP\nd // LCOV_EXCL_BR_LINE\ne // LCOV_UNREACHABLE_LINE\n",
    ),
    (
        "sources",
        "rust",
        "#[derive(Debug)]\nstruct S;\nfn f(x: u8) -> u8 {\n    match x {\n        0 => 1,\n        _ => unreachable!(),\n    }\n}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {}\n}\n",
    ),
];

/// The targets for a file below `testdata/`.
fn targets_of(path: &Path) -> &'static [&'static str] {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let suffix = path.extension().unwrap_or_default().to_string_lossy();
    if path.starts_with("go") {
        return match &*name {
            name if name.starts_with("covmeta.") => &["go_meta"],
            name if name.contains("covcounters.") => &["go_counters"],
            // Sources too: the target takes its bytes for both.
            name if name.ends_with(".out") || name.ends_with(".go") => &["go_text"],
            _ => &[],
        };
    }
    match &*suffix {
        "profraw" => &["raw"],
        "profdata" => &["indexed"],
        "proftext" => &["text"],
        "elf" | "o" | "a" | "dylib" | "dll" | "wasm" | "covmapping" => &["mapping"],
        "info" | "lcov" => &["lcov"],
        "xml" => &["cobertura"],
        "json" => &["llvm_json"],
        "c" | "h" | "cpp" | "rs" => &["sources"],
        _ => &[],
    }
}
