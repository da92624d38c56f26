//! What can be typed after `bincover`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bincover::Rescuing;
use bincover::gocover::LineRule;
use clap::{ArgGroup, Args as ClapArgs, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::merge_args::MergeArgs;
use crate::patch_args::{ChangeArgs, PatchFormatArgs, RatchetOptions};
use crate::report_args::{FormatArgs, GateArgs, LookArgs};
use crate::selection_args::SelectionArgs;

const EXAMPLES: &str = "\
Examples:
  bincover demo                              the whole way, on a small program
  bincover run -- target/debug/server --port 0
  bincover report --lcov lcov.info           what all runs so far reached";

/// Coverage of binaries: run instrumented programs, lose nothing, report.
#[derive(Debug, Parser)]
#[command(name = "bincover", version, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Read options from this file, instead of the bincover.toml of the working folder or one above
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read no options from a file
    #[arg(long, conflicts_with = "config")]
    pub(crate) no_config: bool,
    #[command(subcommand)]
    pub(crate) command: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Build a small program instrumented, run it to five different ends, and report.
    Demo(DemoArgs),
    /// Run an instrumented program and keep what it reached.
    ///
    /// Output, input, signals and the exit code are the program's own.
    Run(RunArgs),
    /// Run a build, as by make, with the flags that make clang instrument; note what it makes. Or one by go.
    Build(BuildArgs),
    /// Print the environment in which instrumented programs write into the store.
    Env(EnvArgs),
    /// Merge profiles, raw, indexed and text, of any version, into one; and Go's coverage.
    ///
    /// A file that is unreadable or damaged does not end the merge: what is good is merged, what
    /// was left out is said, and the exit code is 92.
    Merge(MergeArgs),
    /// Keep a folder of profiles small: add each to a total when its writer is gone, and delete it.
    ///
    /// Profiles that a process still writes to, or has mapped, are left alone. A crash at any
    /// moment loses nothing and counts nothing twice. Several of these may run at once.
    Fold(FoldArgs),
    /// Merge the profiles of all runs and report, in any number of formats at once.
    Report(ReportArgs),
    /// List what the runs did not reach: the places, their functions, and why.
    ///
    /// A place is code that was never executed, as long as it is in one piece, or a branch that was
    /// always decided alike.
    Missing(MissingArgs),
    /// Report on what changed: how much of the new lines was executed, and what was before and is no
    /// more.
    Diff(DiffArgs),
    /// Fail if a file is covered less than the committed ratchet says, or new files are.
    Ratchet(RatchetArgs),
    /// Say where the source files of a report are looked for.
    #[command(subcommand)]
    Paths(PathsAction),
    /// Read reports that others wrote, put them together, and report, in any number of formats.
    ///
    /// Lcov tracefiles, Cobertura's XML, llvm-cov's JSON, and Go's text profiles and folders.
    Convert(ConvertArgs),
    /// List the runs: how each ended, and how its coverage was obtained.
    Runs(RunsArgs),
    /// Keep what a live process has reached so far; the process goes on.
    ///
    /// It must be instrumented, and yours to look at. What is kept is replaced by the next snapshot,
    /// and by the profile that comes when the process ends, if `bincover run` started it.
    Snapshot(SnapshotArgs),
    /// Delete all runs and what they reached.
    Clean(CleanArgs),
    /// Write what the runs reached to one file, or put such files together.
    ///
    /// Neither the programs nor their sources are needed for this.
    #[command(subcommand)]
    Store(StoreAction),
    /// Show which options bincover.toml gives to which command, and where it is.
    Config(ConfigArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write pages for man, one for each command.
    Man(ManArgs),
    /// Coverage of Go programs: textfmt, percent, func, pkglist, merge, subtract, intersect and
    /// debugdump, as `go tool covdata` has them; and init, for test binaries that are programs.
    #[command(disable_help_flag = true)]
    Go {
        /// As after `go tool covdata`.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "COVDATA ARGS"
        )]
        args: Vec<OsString>,
    },
    /// Be llvm-cov: export, report and show, with LLVM's own options and output.
    #[command(disable_help_flag = true)]
    LlvmCov {
        /// As after `llvm-cov`.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "LLVM-COV ARGS"
        )]
        args: Vec<OsString>,
    },
}

const DEMO_EXAMPLES: &str = "\
Examples:
  bincover demo
  bincover demo --out /tmp/demo";

#[derive(Debug, ClapArgs)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Where the demo's files go; made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "target/bincover-demo")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StoreArgs {
    /// The store of runs [default: $BINCOVER_STORE; else target/bincover of the Cargo workspace;
    /// else .bincover, here or above]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

const RUN_EXAMPLES: &str = "\
Examples:
  bincover run -- target/debug/server --port 0
  bincover run --context login --env MODE=test -- ./app login
  bincover run --timeout 30s -- ./app

The exit code is the program's, or 128 and the number of the signal that ended it,
or 124 after a timeout; 126 and 127 if it could not be run.";

#[derive(Debug, ClapArgs)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// A name for the run, kept with it.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// End the program after this time: 500ms, 30s, 5m.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,
    /// Set an environment variable of the program; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Read the program's standard input from a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<PathBuf>,
    /// Read the coverage of processes from their memory when they end without writing it (killed,
    /// aborted, replaced by another program)
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) rescue: Rescue,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The program and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROG ARGS"
    )]
    pub(crate) program: Vec<OsString>,
}

impl RunArgs {
    /// The arguments of `bincover run`, if these are that, in order. To put the definitions of all the
    /// commands together is a third of the instructions of our start.
    pub(crate) fn of(args: &[OsString]) -> Option<Self> {
        let (name, rest) = args.get(1..)?.split_first()?;
        if name != "run" {
            return None;
        }
        let command = Self::augment_args(clap::Command::new("run").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(rest).ok()?).ok()
    }
}

const BUILD_EXAMPLES: &str = "\
Examples:
  bincover build -- make -j4
  bincover build -- sh -c 'cmake -B build && cmake --build build'
  bincover build -- go build -o app ./cmd/app
  bincover build --test-main -- go test -c -o covered ./cmd/app

go gets -cover, and -coverpkg has the program's own package. For other builds CC and CXX are
clang, and CFLAGS, CXXFLAGS and LDFLAGS have its flags added. The exit code is the build's; 91 means that it left no instrumented binary.";

#[derive(Debug, ClapArgs)]
#[command(after_help = BUILD_EXAMPLES)]
pub(crate) struct BuildArgs {
    /// The build is `go test -c`, of a package with the test file of `bincover go init`
    #[arg(long)]
    pub(crate) test_main: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// For go build, install and test -c: what counters mean; count by default, and atomic with -race
    #[arg(long, value_name = "MODE")]
    pub(crate) covermode: Option<CoverMode>,
    /// The build's program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROG ARGS"
    )]
    pub(crate) program: Vec<OsString>,
}

const ENV_EXAMPLES: &str = "\
Examples:
  eval \"$(bincover env --sh)\" && pytest && bincover report
  bincover env --fish | source
  bincover env --github                       for later steps of a workflow
  eval \"$(bincover env --sh --build)\"        for a build in this shell";

#[derive(Debug, ClapArgs)]
#[command(after_help = ENV_EXAMPLES)]
pub(crate) struct EnvArgs {
    /// For sh, bash and zsh
    #[arg(long, group = "shell")]
    pub(crate) sh: bool,
    /// For fish
    #[arg(long, group = "shell")]
    pub(crate) fish: bool,
    /// For PowerShell
    #[arg(long, group = "shell")]
    pub(crate) powershell: bool,
    /// As JSON
    #[arg(long, group = "shell")]
    pub(crate) json: bool,
    /// For later steps of a GitHub workflow: append it to $GITHUB_ENV
    #[arg(long, group = "shell")]
    pub(crate) github: bool,
    /// Also what a build needs: CC, CXX, CFLAGS, CXXFLAGS, LDFLAGS
    #[arg(long)]
    pub(crate) build: bool,
    /// The programs were built without counter relocation: they write when they exit
    #[arg(long)]
    pub(crate) at_exit: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// What the counters of a Go program mean.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CoverMode {
    /// Whether a block ran
    Set,
    /// How often; low where goroutines count at once
    Count,
    /// How often, exact and slower
    Atomic,
}

impl CoverMode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Count => "count",
            Self::Atomic => "atomic",
        }
    }
}

/// Whether processes are followed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Rescue {
    /// Unless the program was built so that its counters live in a file
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

impl From<Rescue> for Rescuing {
    fn from(rescue: Rescue) -> Self {
        match rescue {
            Rescue::Auto => Self::Auto,
            Rescue::On => Self::On,
            Rescue::Off => Self::Off,
        }
    }
}

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  bincover snapshot 4711
  bincover snapshot 4711 --every 5s            until it ends, or Ctrl-C
  bincover snapshot 4711 -o now.profraw";

#[derive(Debug, ClapArgs)]
#[command(after_help = SNAPSHOT_EXAMPLES)]
pub(crate) struct SnapshotArgs {
    /// The process
    #[arg(value_name = "PID")]
    pub(crate) pid: u32,
    /// Again and again, after this time: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) every: Option<Duration>,
    /// Write a raw profile to this file instead of keeping it in the store
    #[arg(short, long, value_name = "FILE", conflicts_with = "store")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const RUNS_EXAMPLES: &str = "\
Examples:
  bincover runs
  bincover runs --uncovered        those that left no coverage, and why
  bincover runs --json --show-args with arguments, for other programs";

#[derive(Debug, ClapArgs)]
#[command(after_help = RUNS_EXAMPLES)]
pub(crate) struct RunsArgs {
    /// Only runs of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Only runs that left no coverage
    #[arg(long)]
    pub(crate) uncovered: bool,
    /// As JSON; docs/store.md has the fields
    #[arg(long)]
    pub(crate) json: bool,
    /// With the programs' arguments, which may hold secrets
    #[arg(long)]
    pub(crate) show_args: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CleanArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const SHARD_EXAMPLES: &str = "\
Examples:
  bincover store export shard-1.store                       on each machine of a CI
  bincover store merge shard-*.store && bincover report     on the one that reports";

#[derive(Debug, Subcommand)]
#[command(after_help = SHARD_EXAMPLES)]
pub(crate) enum StoreAction {
    /// Write counters, coverage mappings and run records to one file.
    Export(StoreExportArgs),
    /// Add such files to the store, or put them together into one. Their order does not matter.
    Merge(StoreMergeArgs),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = SHARD_EXAMPLES)]
pub(crate) struct StoreExportArgs {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// With the programs' arguments, which may hold secrets
    #[arg(long)]
    pub(crate) with_args: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = SHARD_EXAMPLES)]
pub(crate) struct StoreMergeArgs {
    /// Files that `bincover store export` wrote
    #[arg(value_name = "FILES", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write one such file instead of adding to the store
    #[arg(short, long, value_name = "FILE", conflicts_with = "store")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const FOLD_EXAMPLES: &str = "\
Examples:
  bincover fold profiles/                          once: what is finished now
  bincover fold profiles/ -o merged.profdata       the total goes to a file too
  bincover fold profiles/ --follow &               until it is told to end (Ctrl-C, SIGTERM)
  bincover fold --follow &                         what `bincover env` has programs write, into the store

The total and what could not be used lie in `.bincover-fold/` inside the folder. Exit code
92 means that something was left out (and listed).";

#[derive(Debug, ClapArgs)]
#[command(after_help = FOLD_EXAMPLES)]
pub(crate) struct FoldArgs {
    /// The folder that programs write profiles into, here or in folders below [default: that of
    /// `bincover env`, and into the store]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Go on until told to end
    #[arg(long)]
    pub(crate) follow: bool,
    /// The pause between two looks at the folder: 200ms, 2s
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "200ms")]
    pub(crate) every: Duration,
    /// Write the total to this file in the end
    #[arg(short, long, value_name = "FILE", requires = "folder")]
    pub(crate) output: Option<PathBuf>,
    /// Do not ask whether processes still write: for file systems that cannot tell
    #[arg(long, requires = "folder")]
    pub(crate) assume_finished: bool,
    /// The store of runs, where no folder is given [default: as in `bincover run`]
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    pub(crate) store: Option<PathBuf>,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  bincover report
  bincover report --lcov lcov.info --cobertura cobertura.xml --html coverage/ --json
  bincover report --sort missed --fail-under-lines 80 --fail-under-lines 'src/parser/**=95'
  bincover report --object target/debug/app --profile merged.profdata --profile more/
  bincover report --profile gocoverdir/ --lcov lcov.info
  bincover report --lcov - --instantiations union --demangle --ledger left-out.json

Exit code 90 means that a threshold was missed, 91 that there was nothing to measure,
92 that the report is there but some inputs were left out (and listed).";

#[derive(Debug, ClapArgs)]
#[command(after_help = REPORT_EXAMPLES)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    #[command(flatten)]
    pub(crate) formats: FormatArgs,
    /// Write the merged profile to this file
    #[arg(long, value_name = "FILE", help_heading = "More to write")]
    pub(crate) profdata: Option<PathBuf>,
    /// Write what was left out to this file, as JSON: profiles, objects, and by name each function
    /// that was dropped or counts as not executed since profile and object do not fit
    #[arg(long, value_name = "FILE", help_heading = "More to write")]
    pub(crate) ledger: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) gates: GateArgs,
}

/// What is reported on.
#[derive(Debug, ClapArgs)]
pub(crate) struct InputArgs {
    /// A profile, or a folder of them, of LLVM or of Go (GOCOVERDIR, text profile); can be repeated
    /// [default: those of the store's runs]
    #[arg(long, value_name = "PATH", help_heading = "Inputs")]
    pub(crate) profile: Vec<PathBuf>,
    /// An instrumented binary; can be repeated [default: those of the store's runs]
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(crate) object: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Inputs")]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) go: GoArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

/// How Go's coverage is read.
#[derive(Debug, ClapArgs)]
pub(crate) struct GoArgs {
    /// A folder of a Go module whose sources are wanted; can be repeated [default: the working folder]
    ///
    /// The module is that of the folder or of one above. With it come the members of its go.work, the
    /// targets of replace, its vendor folder and the module cache.
    #[arg(long, value_name = "DIR", help_heading = "Inputs")]
    pub(crate) go_module: Vec<PathBuf>,
    /// Which lines a block of Go has, and how often a line ran
    #[arg(
        long,
        value_name = "RULE",
        default_value = "max",
        help_heading = "Inputs"
    )]
    pub(crate) go_lines: GoLines,
}

/// Which lines a block of Go has, and how often a line ran.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum GoLines {
    /// Lines with code of the block, as often as the block on the line that ran most
    #[default]
    Max,
    /// From the block's first line to its last, blocks added up, as gcov2lcov does
    Sum,
}

impl From<GoLines> for LineRule {
    fn from(lines: GoLines) -> Self {
        match lines {
            GoLines::Max => Self::Max,
            GoLines::Sum => Self::Sum,
        }
    }
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  bincover paths explain src/lib.rs
  bincover paths explain --map /ci/app=. /ci/app/src/lib.rs
  bincover paths explain --find-moved main.c --object app --profile app.profdata";

#[derive(Debug, Subcommand)]
pub(crate) enum PathsAction {
    /// Say which rule takes a file where, step by step.
    Explain(ExplainArgs),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The file, by its name in the program or here, or the end of either
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
}

const MISSING_EXAMPLES: &str = "\
Examples:
  bincover missing                 each place, its function, and why
  bincover missing --compact       a line for each file
  bincover missing --object target/debug/app --profile merged.profdata";

#[derive(Debug, ClapArgs)]
#[command(after_help = MISSING_EXAMPLES)]
pub(crate) struct MissingArgs {
    /// A line for each file
    #[arg(long)]
    pub(crate) compact: bool,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  bincover diff --base origin/main --fail-under-patch 80
  bincover diff --base origin/main --markdown comment.md --github -
  bincover diff --base origin/main --baseline main.json --fail-lost-lines 0
  git diff main... | bincover diff --patch -

Exit code 90 means that a threshold was missed.";

#[derive(Debug, ClapArgs)]
#[command(after_help = DIFF_EXAMPLES)]
#[command(group(ArgGroup::new("changes").required(true).args(["base", "patch"])))]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) changes: ChangeArgs,
    #[command(flatten)]
    pub(crate) formats: PatchFormatArgs,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
}

const RATCHET_EXAMPLES: &str = "\
Examples:
  bincover ratchet --update        writes bincover-ratchet.toml, which is committed
  bincover ratchet                 in CI: exit code 90 if coverage became less
  bincover ratchet --tolerance 0.5 --tolerance-lines 3";

#[derive(Debug, ClapArgs)]
#[command(after_help = RATCHET_EXAMPLES)]
pub(crate) struct RatchetArgs {
    #[command(flatten)]
    pub(crate) ratchet: RatchetOptions,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    /// Print the file's JSON schema instead
    #[arg(long)]
    pub(crate) schema: bool,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bincover completions bash > ~/.local/share/bash-completion/completions/bincover
  bincover completions zsh > ~/.zfunc/_bincover
  bincover completions fish > ~/.config/fish/completions/bincover.fish
  bincover completions bash --program cargo-bincover";

#[derive(Debug, ClapArgs)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
    /// The program
    #[arg(long, value_name = "PROGRAM", default_value = "bincover")]
    pub(crate) program: Program,
}

/// The programs that have completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Program {
    /// bincover
    Bincover,
    /// bincover-merge
    BincoverMerge,
    /// cargo-bincover
    CargoBincover,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// The folder to write into; made if it does not exist
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

const CONVERT_EXAMPLES: &str = "\
Examples:
  bincover convert lcov.info --cobertura cobertura.xml --html coverage/
  bincover convert unit.info e2e.xml go.out --lcov all.info --fail-under-lines 80
  bincover convert coverage.json --missing -

The same lines, functions and branches add up. Exit code 90 means that a threshold was missed, 91 that
none of the inputs could be used, 92 that some were left out (and listed).";

#[derive(Debug, ClapArgs)]
#[command(after_help = CONVERT_EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// Reports, each known by what it begins with; a folder for Go's; - for standard input
    #[arg(value_name = "INPUT", required = true, help_heading = "Inputs")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Write nothing if anything had to be left out
    #[arg(long, help_heading = "Inputs")]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) go: GoArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) formats: FormatArgs,
    /// Write what was left out to this file, as JSON
    #[arg(long, value_name = "FILE", help_heading = "More to write")]
    pub(crate) ledger: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) gates: GateArgs,
}

/// A number with a unit: `ms`, `s`, `m`; a bare number is seconds.
fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("expected a number with ms, s or m, found `{text}`"))?;
    let seconds = match &text[digits.len()..] {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        unit => return Err(format!("expected the unit ms, s or m, found `{unit}`")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("expected NAME=VALUE, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "3h", "1e400"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
