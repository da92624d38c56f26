//! Go's coverage: each case of `testdata/go/expected/cases.tsv`, which Go's own tools made, to the
//! byte; merges and reports that Go's tools do not have.
//!
//! Where covdata panics, fails or is wrong, ours does better: [`BETTER`] lists these, with reasons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use bincover::GoReader;
use bincover::gocover::{CounterFile, HashKind, Meta, Pod};
use bincover_testkit::fixture;
use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = cases()
        .into_iter()
        .map(|case| Trial::test(case.name.clone(), move || case.run()))
        .collect();
    let others: [(&str, Test); 13] = [
        ("every_exception_is_of_a_case", exceptions_are_of_cases),
        ("functions_each_have_a_row", functions_each_have_a_row),
        ("all_segments_are_read", all_segments_are_read),
        ("lines_are_those_of_both_releases", lines_of_both_releases),
        ("sums_are_those_of_gcov2lcov", sums_of_gcov2lcov),
        ("text_profiles_are_merged", text_profiles_are_merged),
        ("mixtures_are_merged", mixtures_are_merged),
        ("folders_are_written_once", folders_are_written_once),
        ("modes_can_be_set", modes_can_be_set),
        ("bad_files_are_in_the_ledger", bad_files_are_in_the_ledger),
        ("a_report_of_llvm_and_go", a_report_of_llvm_and_go),
        ("lost_runs_are_told", lost_runs_are_told),
        ("cover_takes_folders", cover_takes_folders),
    ];
    trials.extend(others.map(|(name, run)| Trial::test(name, run)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A row of the table.
struct Case {
    name: String,
    tool: String,
    command: String,
    inputs: String,
    options: Vec<String>,
    exit: i32,
    /// `-` for none.
    expected: String,
}

/// How ours is better, and why.
struct Better {
    case: &'static str,
    exit: i32,
    result: Outcome,
    /// What is said on standard error.
    says: &'static str,
    reason: &'static str,
}

enum Outcome {
    /// Nothing is written.
    Nothing,
    /// As that expected file.
    As(&'static str),
    /// As the expected file of the case or this one, but lines that begin so count 0.
    Zero(&'static str, &'static [&'static str]),
    /// As the first folder's runs, but 0 for what the runs of the other did not reach together.
    Intersection(&'static str, &'static str),
    /// As the runs in this folder.
    AsRunsOf(&'static str),
    /// As Go's, which comes with another exit code.
    AsGo,
}

const EACH_FILE: &str =
    "covdata intersects with each file of the second folder, not with the folder";
const LEFT_OUT: &str = "a damaged file is named and left out, the rest is kept";

/// Where Go's tool panics, refuses everything for one file, or counts what never ran.
const BETTER: &[Better] = &[
    Better {
        case: "1.27-alpha-set-intersect",
        exit: 0,
        result: Outcome::Intersection("data/go1.27/alpha/set/a", "data/go1.27/alpha/set/b"),
        says: "",
        reason: EACH_FILE,
    },
    Better {
        case: "1.27-alpha-count-intersect",
        exit: 0,
        result: Outcome::Intersection("data/go1.27/alpha/count/a", "data/go1.27/alpha/count/b"),
        says: "",
        reason: EACH_FILE,
    },
    Better {
        case: "modes-textfmt",
        exit: 1,
        result: Outcome::Nothing,
        says: "counter mode clash while reading meta-data file data/go1.27/alpha/set/a/covmeta.\
               71c316e487f6a5249fb875a7d709bc78: previous file had count, new file has set",
        reason: "the same refusal, but no empty file is left; -mode=set takes both",
    },
    Better {
        case: "two-programs-subtract-panics",
        exit: 0,
        result: Outcome::Zero("1.27-alphabeta-count-textfmt.out", &[""]),
        says: "",
        reason: "covdata panics with two programs; what is taken from itself leaves nothing",
    },
    Better {
        case: "synthetic-counters-long",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "expected 3 counters, found 4",
        reason: "a record of another length is a damaged one, whatever it begins with",
    },
    Better {
        case: "synthetic-counters-short",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "expected 3 counters, found 2",
        reason: "covdata panics",
    },
    Better {
        case: "synthetic-counters-version-2",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "version: expected 1 at offset 0x4, found 2",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-empty-counters",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "file: expected a counter file, found none",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-flavor-9",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "flavour: expected 1 or 2 at offset 0x18, found 9",
        reason: "covdata panics",
    },
    Better {
        case: "synthetic-func-out-of-range",
        exit: 92,
        result: Outcome::AsGo,
        says: "function index in example.com/multi/",
        reason: "covdata passes over it without a word",
    },
    Better {
        case: "synthetic-package-out-of-range",
        exit: 92,
        result: Outcome::AsGo,
        says: "package index: expected less than 4, found 77",
        reason: "what was left out shows in the exit code",
    },
    Better {
        case: "synthetic-garbage",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "magic: expected 00 63 77 6d at offset 0x0",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-header-cut",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "metadata hash: expected 16 bytes at offset 0x8, found 12",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-meta-cut",
        exit: 1,
        result: Outcome::Nothing,
        says: "file: expected 1275 bytes at offset 0x8, found 100",
        reason: "the same refusal, but no empty file is left",
    },
    Better {
        case: "synthetic-meta-empty",
        exit: 1,
        result: Outcome::Nothing,
        says: "file: expected a metadata file, found none",
        reason: "the same refusal, but no empty file is left",
    },
    Better {
        case: "synthetic-meta-version-2",
        exit: 1,
        result: Outcome::Nothing,
        says: "version: expected 1 at offset 0x4, found 2",
        reason: "the same refusal, but no empty file is left",
    },
    Better {
        case: "synthetic-no-segments",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "segment count: expected at least one",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-orphan",
        exit: 1,
        result: Outcome::Nothing,
        says: "expected metadata `covmeta.00000000000000000000000000000000` beside these counters",
        reason: "counters without metadata are lost data, and covdata does not say so",
    },
    Better {
        case: "synthetic-race-clash",
        exit: 92,
        result: Outcome::As("synthetic-func-twice.out"),
        says: "expected 1 counters, found 9; the record was left out",
        reason: "one record that a program wrote half at its end is no reason to refuse all runs",
    },
    Better {
        case: "synthetic-race-record",
        exit: 92,
        result: Outcome::As("synthetic-func-twice.out"),
        says: "Never in example.com/multi/idle/idle.go: expected",
        reason: "a record of another length is a damaged one: covdata counts a function that never ran",
    },
    Better {
        case: "synthetic-truncated",
        exit: 92,
        result: Outcome::As("synthetic-meta-only.out"),
        says: "footer: expected 00 63 77 6d at offset",
        reason: LEFT_OUT,
    },
    Better {
        case: "synthetic-two-segments-raw",
        exit: 0,
        result: Outcome::AsRunsOf("data/go1.27/alpha/count/a"),
        says: "",
        reason: "covdata reads the first segment alone",
    },
    Better {
        case: "synthetic-two-segments-uleb",
        exit: 0,
        result: Outcome::AsRunsOf("data/go1.27/alpha/count/a"),
        says: "",
        reason: "covdata reads the first segment alone",
    },
];

fn cases() -> Vec<Case> {
    let table = std::fs::read_to_string(fixture("go/expected/cases.tsv")).expect("a table");
    let rows = table.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        Case {
            name: fields[0].to_owned(),
            tool: fields[1].to_owned(),
            command: fields[2].to_owned(),
            inputs: fields[3].to_owned(),
            options: fields[4].split_whitespace().map(str::to_owned).collect(),
            exit: fields[5].parse().expect("an exit code"),
            expected: fields[6].to_owned(),
        }
    });
    rows.collect()
}

fn bincover(args: &[impl AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bincover"))
        .args(args)
        .current_dir(fixture("go"))
        .output()
        .expect("bincover starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ends_with(output: &Output, exit: i32) -> Result<(), Failed> {
    if output.status.code() == Some(exit) {
        return Ok(());
    }
    let said = stderr(output);
    Err(format!("expected exit code {exit}, found {}: {said}", output.status).into())
}

fn expected(name: &str) -> Vec<u8> {
    let path = fixture("go/expected").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn same(what: &str, ours: &[u8], theirs: &[u8]) -> Result<(), Failed> {
    if ours == theirs {
        return Ok(());
    }
    let (ours, theirs) = (
        String::from_utf8_lossy(ours),
        String::from_utf8_lossy(theirs),
    );
    for (number, (ours, theirs)) in (1..).zip(ours.lines().zip(theirs.lines())) {
        if ours != theirs {
            return Err(format!("{what}:{number}: found `{ours}`, expected `{theirs}`").into());
        }
    }
    let lines = (ours.lines().count(), theirs.lines().count());
    Err(
        format!("{what}: the lines are the same as far as they go (found, expected: {lines:?})")
            .into(),
    )
}

impl Case {
    fn run(&self) -> Result<(), Failed> {
        if self.tool == "go1.21" {
            return self.run_old();
        }
        if let Some(option) = self.command.strip_prefix("cover ") {
            return self.run_cover(option);
        }
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("out");
        let mut args = vec![
            "go".to_owned(),
            self.command.clone(),
            format!("-i={}", self.inputs),
        ];
        args.extend(self.options.iter().cloned());
        let writes_folder = matches!(&*self.command, "merge" | "subtract" | "intersect");
        if writes_folder {
            std::fs::create_dir(&out)?;
        }
        if writes_folder || self.command == "textfmt" {
            args.push(format!("-o={}", out.display()));
        }
        if self.command == "func" {
            args.push("-by=name".to_owned());
        }
        let output = bincover(&args);
        let better = BETTER.iter().find(|better| better.case == self.name);
        ends_with(&output, better.map_or(self.exit, |better| better.exit))?;
        if let Some(better) = better {
            assert!(!better.reason.is_empty());
            if !stderr(&output).contains(better.says) {
                return Err(
                    format!("expected `{}`, found {}", better.says, stderr(&output)).into(),
                );
            }
            return self.check_better(&better.result, &out);
        }
        let theirs = fixture("go").join(&self.expected);
        match &*self.command {
            _ if self.expected == "-" => Err("an expectation is missing".into()),
            "textfmt" => same("text", &std::fs::read(&out)?, &std::fs::read(theirs)?),
            "debugdump" => {
                // What was typed is in the first lines.
                let text = String::from_utf8(output.stdout)?;
                let ours: Vec<&str> = text.splitn(7, '\n').collect();
                same("dump", ours[6].as_bytes(), &std::fs::read(theirs)?)
            }
            _ if writes_folder => same_folder(&out, &theirs),
            _ => same("listing", &output.stdout, &std::fs::read(theirs)?),
        }
    }

    /// `go tool cover` looks for the sources from the folder in which it runs. Of its page, the list of
    /// files and the files are compared.
    fn run_cover(&self, option: &str) -> Result<(), Failed> {
        let scratch = tempfile::tempdir()?;
        let out = scratch.path().join("out");
        let output = Command::new(env!("CARGO_BIN_EXE_bincover"))
            .args(["go", "cover"])
            .arg(format!(
                "{option}={}",
                fixture("go").join(&self.inputs).display()
            ))
            .arg(format!("-o={}", out.display()))
            .current_dir(fixture("go/src/multi"))
            .output()?;
        ends_with(&output, self.exit)?;
        let mut ours = std::fs::read_to_string(&out)?;
        if option == "-html" {
            let lines = |from: &str, to: &str| -> Option<String> {
                let start = ours.find(from)?;
                let end = start + ours[start..].find(to)?;
                Some(ours[start..end].to_owned())
            };
            let parts = [("<option", "</select>"), ("<pre", "<script>")];
            ours = parts
                .map(|(from, to)| lines(from, to).expect(from))
                .concat();
        }
        let theirs = std::fs::read(fixture("go").join(&self.expected))?;
        same(&self.name, ours.as_bytes(), &theirs)
    }

    /// Go 1.21's tool writes MD5 hashes, which the command does not, but the library can.
    fn run_old(&self) -> Result<(), Failed> {
        let mut inputs = bincover::GoInputs::default();
        for input in self.inputs.split(',') {
            inputs.add_folder(&fixture("go").join(input))?;
        }
        let merged = GoReader::new().in_highest_mode().read(&inputs);
        let programs: Vec<_> = merged
            .programs
            .iter()
            .map(|one| (&one.program, &one.sums[0]))
            .collect();
        let pod = Pod::combined(&programs, |_| true, HashKind::Md5);
        let folder = tempfile::tempdir()?;
        bincover::write_pods(folder.path(), &[pod])?;
        same_folder(folder.path(), &fixture("go").join(&self.expected))
    }

    fn check_better(&self, result: &Outcome, out: &Path) -> Result<(), Failed> {
        let ours = || -> Result<Vec<u8>, Failed> {
            if !out.is_dir() {
                return Ok(std::fs::read(out)?);
            }
            textfmt(&out.display().to_string())
        };
        let zeroed = |name: &str, starts: &[&str]| {
            let text = String::from_utf8(expected(name)).expect("text");
            let lines = text.lines().map(|line| {
                let is_zero =
                    !line.starts_with("mode:") && starts.iter().any(|s| line.starts_with(s));
                match line.rsplit_once(' ').filter(|_| is_zero) {
                    Some((start, _)) => format!("{start} 0\n"),
                    None => format!("{line}\n"),
                }
            });
            lines.collect::<String>()
        };
        match result {
            Outcome::Nothing if out.exists() => Err("something was written".into()),
            Outcome::Nothing => Ok(()),
            Outcome::As(name) => same("text", &ours()?, &expected(name)),
            Outcome::Zero(name, starts) => same("text", &ours()?, zeroed(name, starts).as_bytes()),
            Outcome::Intersection(first, second) => {
                let (first, second) = (textfmt(first)?, textfmt(second)?);
                let pairs = lines(&first).into_iter().zip(lines(&second));
                let kept = pairs.map(|(line, other)| {
                    assert_eq!(line.0, other.0);
                    let is_kept = line.0.starts_with("mode:") || other.1 != "0";
                    let count = if is_kept { line.1 } else { "0".to_owned() };
                    format!("{} {count}\n", line.0)
                });
                same("text", &ours()?, kept.collect::<String>().as_bytes())
            }
            Outcome::AsRunsOf(folder) => same("text", &ours()?, &textfmt(folder)?),
            Outcome::AsGo => {
                let theirs = std::fs::read(fixture("go").join(&self.expected))?;
                same("text", &ours()?, &theirs)
            }
        }
    }
}

/// The lines of a text profile, each without and with its last word.
fn lines(text: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let halves = text.lines().filter_map(|line| line.rsplit_once(' '));
    halves
        .map(|(start, end)| (start.to_owned(), end.to_owned()))
        .collect()
}

/// Our text of a folder.
fn textfmt(folder: &str) -> Result<Vec<u8>, Failed> {
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("text");
    let args = [
        "go",
        "textfmt",
        &format!("-i={folder}"),
        &format!("-o={}", out.display()),
    ];
    ends_with(&bincover(&args), 0)?;
    Ok(std::fs::read(out)?)
}

/// What a GOCOVERDIR holds: metadata by name; and per hash in it, arguments and records.
type Held = (BTreeMap<String, Vec<u8>>, BTreeMap<String, String>);

fn held(folder: &Path) -> Result<Held, Failed> {
    let mut held = Held::default();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::read(&path)?;
        if name.starts_with("covmeta.") {
            assert!(Meta::parse(&bytes).is_ok_and(|meta| name.ends_with(&meta.hash.to_string())));
            held.0.insert(name, bytes);
            continue;
        }
        let file = CounterFile::parse(&bytes)?;
        let records: Vec<_> = file.records().collect();
        let text = format!("{:?} {records:?}", file.args);
        assert!(
            name.starts_with(&format!("covcounters.{}.0.", file.hash)),
            "{name}"
        );
        if held.1.insert(file.hash.to_string(), text).is_some() {
            return Err(format!("{name}: two counter files of one program").into());
        }
    }
    Ok(held)
}

fn same_folder(ours: &Path, theirs: &Path) -> Result<(), Failed> {
    let (ours, theirs) = (held(ours)?, held(theirs)?);
    let names = |held: &Held| held.0.keys().cloned().collect::<Vec<_>>();
    if names(&ours) != names(&theirs) {
        return Err(format!("found {:?}, expected {:?}", names(&ours), names(&theirs)).into());
    }
    assert!(ours.0 == theirs.0, "metadata differs");
    for (hash, theirs) in &theirs.1 {
        let ours = ours.1.get(hash).map_or("", String::as_str);
        same(hash, ours.as_bytes(), theirs.as_bytes())?;
    }
    Ok(())
}

fn exceptions_are_of_cases() -> Result<(), Failed> {
    let cases = cases();
    for better in BETTER {
        if !cases.iter().any(|case| case.name == better.case) {
            return Err(format!("no case {}", better.case).into());
        }
    }
    Ok(())
}

const ALPHA_BETA: [&str; 3] = [
    "data/go1.27/alpha/count/a",
    "data/go1.27/alpha/count/b",
    "data/go1.27/beta/count/c",
];

/// DIFFERENCE: covdata makes one row of neighbours that have one name.
fn functions_each_have_a_row() -> Result<(), Failed> {
    let inputs = format!("-i={}", ALPHA_BETA.join(","));
    let output = bincover(&["go", "func", &inputs]);
    ends_with(&output, 0)?;
    let text = String::from_utf8(output.stdout)?;
    let rows = |name: &str| {
        let name = format!("\t{name}\t");
        text.lines().filter(|line| line.contains(&name)).count()
    };
    let source = std::fs::read_to_string(fixture("go/src/multi/words/words.go"))?;
    let inits = source
        .lines()
        .filter(|line| line.starts_with("func init()"))
        .count();
    assert!(inits > 1, "the fixture has several");
    assert_eq!(rows("init"), inits, "{text}");
    let theirs = String::from_utf8(expected("1.27-alphabeta-count-func.out"))?;
    assert_eq!(text.lines().last(), theirs.lines().last());
    assert!(text.lines().count() > theirs.lines().count());
    Ok(())
}

fn all_segments_are_read() -> Result<(), Failed> {
    let expected = textfmt("data/go1.27/alpha/count/a")?;
    for flavour in ["raw", "uleb"] {
        same(
            flavour,
            &textfmt(&format!("synthetic/two-segments-{flavour}"))?,
            &expected,
        )?;
    }
    Ok(())
}

/// Lines by file and number, from lcov.
fn lcov_lines(text: &str) -> BTreeMap<(String, u32), u64> {
    let mut lines = BTreeMap::new();
    let mut file = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("SF:") {
            file = name;
        }
        if let Some((number, count)) = line.strip_prefix("DA:").and_then(|da| da.split_once(',')) {
            let number = number.parse().expect("a line");
            lines.insert((file.to_owned(), number), count.parse().expect("a count"));
        }
    }
    lines
}

fn report(args: &[&str]) -> Result<String, Failed> {
    let mut all = vec!["report", "--lcov", "-"];
    all.extend_from_slice(args);
    let output = bincover(&all);
    ends_with(&output, 0)?;
    Ok(String::from_utf8(output.stdout)?)
}

fn lines_of_both_releases() -> Result<(), Failed> {
    let table = String::from_utf8(expected("lines-max-alphabeta-count.tsv"))?;
    let expected: BTreeMap<(String, u32), u64> = table
        .lines()
        .skip(1)
        .map(|row| {
            let fields: Vec<&str> = row.split('\t').collect();
            let numbers: Vec<u64> = fields[1..]
                .iter()
                .map(|n| n.parse().expect("a number"))
                .collect();
            let line = u32::try_from(numbers[0]).expect("a line");
            ((fields[0].to_owned(), line), numbers[1])
        })
        .collect();
    let module = fixture("go/src/multi").canonicalize()?;
    for release in ["1.26", "1.27"] {
        let folders = ALPHA_BETA.map(|folder| folder.replace("1.27", release));
        let mut args = vec!["--go-module", "src/multi"];
        for folder in &folders {
            args.extend(["--profile", folder.as_str()]);
        }
        let found: BTreeMap<_, _> = lcov_lines(&report(&args)?)
            .into_iter()
            .map(|((file, line), count)| {
                let below = Path::new(&file)
                    .strip_prefix(&module)
                    .expect("a file of the module");
                (
                    (format!("example.com/multi/{}", below.display()), line),
                    count,
                )
            })
            .collect();
        for (place, count) in &expected {
            assert_eq!(found.get(place), Some(count), "{release}: {place:?}");
        }
        assert_eq!(found.len(), expected.len(), "{release}");
    }
    Ok(())
}

fn sums_of_gcov2lcov() -> Result<(), Failed> {
    for name in ["go1.27-alpha", "go1.19-alpha1"] {
        let text = format!("text/{name}.out");
        // Elsewhere, so that import paths stay.
        let scratch = tempfile::tempdir()?;
        let module = scratch.path().display().to_string();
        let args = [
            "--profile",
            &text,
            "--go-lines",
            "sum",
            "--go-module",
            &module,
        ];
        let theirs = String::from_utf8(expected(&format!("lcov-sum-{name}.info")))?;
        assert_eq!(lcov_lines(&report(&args)?), lcov_lines(&theirs), "{name}");
    }
    Ok(())
}

fn merge(args: &[&str], exit: i32) -> Result<Output, Failed> {
    let mut all = vec!["merge"];
    all.extend_from_slice(args);
    let output = bincover(&all);
    ends_with(&output, exit)?;
    Ok(output)
}

fn text_profiles_are_merged() -> Result<(), Failed> {
    let theirs = expected("text-merged.out");
    let pairs = [
        ["text/go1.19-alpha1.out", "text/go1.19-alpha2.out"],
        ["text/go1.19-alpha2.out", "text/go1.19-alpha1.out"],
    ];
    for [first, second] in pairs {
        same(
            "merged",
            &merge(&[first, second, "-o", "-"], 0)?.stdout,
            &theirs,
        )?;
    }
    // Joined, as the original of this program does it: no line feed at the end, one header.
    same(
        "joined",
        &merge(&["text/go1.19-joined.out", "-o", "-"], 0)?.stdout,
        &theirs,
    )
}

/// A folder and the text of another are as much as both folders.
fn mixtures_are_merged() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let text = scratch.path().join("b.out");
    let text = text.to_str().ok_or("a path in UTF-8")?;
    merge(&[ALPHA_BETA[1], "-o", text], 0)?;
    let both = merge(&[ALPHA_BETA[0], ALPHA_BETA[1], "-o", "-"], 0)?.stdout;
    for inputs in [[ALPHA_BETA[0], text], [text, ALPHA_BETA[0]]] {
        same(
            "mixture",
            &merge(&[inputs[0], inputs[1], "-o", "-"], 0)?.stdout,
            &both,
        )?;
    }
    // Folders are searched to the bottom.
    let below = merge(&["data/go1.27/alpha/count", "-o", "-"], 0)?.stdout;
    same("below", &below, &both)?;
    let folder = format!("{}/", scratch.path().join("folder").display());
    let refused = merge(&[ALPHA_BETA[0], text, "-o", &folder], 1)?;
    assert!(
        stderr(&refused).contains("a text profile does not know all"),
        "{}",
        stderr(&refused)
    );
    Ok(())
}

fn folders_are_written_once() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let folder = format!("{}/", scratch.path().join("new").display());
    let mut args = ALPHA_BETA.to_vec();
    args.extend(["-o", &folder]);
    merge(&args, 0)?;
    let theirs = fixture("go/expected/1.27-alphabeta-count-merge");
    same_folder(Path::new(&folder), &theirs)?;
    let refused = merge(&args, 1)?;
    assert!(
        stderr(&refused).contains("is there already"),
        "{}",
        stderr(&refused)
    );
    Ok(())
}

fn modes_can_be_set() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let args = [
        "go",
        "textfmt",
        "-mode=set",
        "-i=data/go1.27/alpha/count/a,data/go1.27/alpha/set/a",
        &format!("-o={}", out.display()),
    ];
    ends_with(&bincover(&args), 0)?;
    same(
        "set",
        &std::fs::read(out)?,
        &textfmt("data/go1.27/alpha/set/a")?,
    )
}

fn bad_files_are_in_the_ledger() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("ledger.json");
    let path = path.to_str().ok_or("a path in UTF-8")?;
    let args = [
        "synthetic/truncated",
        ALPHA_BETA[0],
        "-o",
        "-",
        "--ledger",
        path,
    ];
    merge(&args, 92)?;
    let text = std::fs::read_to_string(path)?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let entry = &json["entries"][0];
    assert_eq!(entry["cause"], "unreadable", "{text}");
    assert_eq!(entry["what"], "footer");
    assert!(entry["offset"].is_number() && entry["expected"] == "00 63 77 6d");
    assert!(
        entry["file"]
            .as_str()
            .is_some_and(|file| file.starts_with("synthetic/truncated/"))
    );
    // The same name twice, the same program: metadata once, counters of three runs.
    assert_eq!(json["inputs"], 4);
    merge(
        &["synthetic/truncated", ALPHA_BETA[0], "-o", "-", "--strict"],
        1,
    )?;
    Ok(())
}

/// The profile and the object of a C program, beside Go's folders.
fn a_report_of_llvm_and_go() -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name).display().to_string();
    let (xml, lcov, merged, text) = (at("c.xml"), at("c.info"), at("m.profdata"), at("go.out"));
    let file = |name: &str| fixture(name).display().to_string();
    let profile = file("raw/clang22-c/merged.profdata");
    let object = file("object/clang22-c/app.elf");
    let both = [
        "--profile",
        ALPHA_BETA[0],
        "--profile",
        &profile,
        "--object",
        &object,
    ];
    let mut args = vec![
        "report",
        "--lcov",
        &lcov,
        "--cobertura",
        &xml,
        "--go-module",
        "src/multi",
    ];
    args.extend(both);
    let output = bincover(&args);
    ends_with(&output, 0)?;
    let table = String::from_utf8(output.stdout)?;
    assert!(
        table.contains("Statements") && table.contains("main.c"),
        "{table}"
    );
    let lcov = std::fs::read_to_string(lcov)?;
    let files: Vec<&str> = lcov
        .lines()
        .filter_map(|line| line.strip_prefix("SF:"))
        .collect();
    assert!(files.is_sorted());
    for end in [
        "multi/cmd/alpha/main.go",
        "multi/shapes/shapes.go",
        "main.c",
    ] {
        assert!(
            files.iter().any(|file| file.ends_with(end)),
            "{end}: {files:?}"
        );
    }
    assert!(
        lcov.contains("FN:21,alpha.main\nFN:30,alpha.run\n"),
        "{lcov}"
    );
    assert!(std::fs::read_to_string(xml)?.contains("filename=\""));

    let args = [ALPHA_BETA[0], &profile, "-o", &merged];
    let refused = merge(&args, 2)?;
    assert!(
        stderr(&refused).contains("--go-output"),
        "{}",
        stderr(&refused)
    );
    merge(
        &[ALPHA_BETA[0], &profile, "-o", &merged, "--go-output", &text],
        0,
    )?;
    same("go", &std::fs::read(text)?, &textfmt(ALPHA_BETA[0])?)?;
    assert!(PathBuf::from(merged).exists());
    Ok(())
}

fn lost_runs_are_told() -> Result<(), Failed> {
    let output = bincover(&["report", "--profile", "data/go1.27/echoarg/count/panic"]);
    ends_with(&output, 0)?;
    assert!(
        stderr(&output).contains("no run of this program left counters"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

/// Of a folder, `go cover` makes what it makes of the text profile of that; without the sources it fails.
fn cover_takes_folders() -> Result<(), Failed> {
    let folder = fixture("go/data/go1.27/alpha/count/a");
    let scratch = tempfile::tempdir()?;
    let text = scratch.path().join("profile.txt");
    std::fs::write(&text, textfmt("data/go1.27/alpha/count/a")?)?;
    let cover = |profile: &Path, here: &Path| {
        Command::new(env!("CARGO_BIN_EXE_bincover"))
            .args(["go", "cover"])
            .arg(format!("-func={}", profile.display()))
            .current_dir(here)
            .output()
    };
    let sources = fixture("go/src/multi");
    let (of_folder, of_text) = (cover(&folder, &sources)?, cover(&text, &sources)?);
    ends_with(&of_folder, 0)?;
    same("-func of a folder", &of_folder.stdout, &of_text.stdout)?;
    if !of_text.stdout.ends_with(b"%\n") {
        return Err("no total".into());
    }
    let lost = cover(&folder, scratch.path())?;
    ends_with(&lost, 1)?;
    match stderr(&lost).contains("left out: example.com/multi/cmd/alpha/main.go") {
        true => Ok(()),
        false => Err(stderr(&lost).into()),
    }
}
