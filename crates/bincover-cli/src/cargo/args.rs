//! What can be typed after `cargo bincover`. What is not ours goes to cargo as it is.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use bincover::report::{FORMATS, Format};
use clap::{ArgAction, ArgGroup, ArgMatches, Args as _, Command, FromArgMatches as _};

use crate::patch_args::{ChangeArgs, PatchFormatArgs, RatchetOptions};
use crate::report_args::GateArgs;
use crate::selection_args::SelectionArgs;

const EXAMPLES: &str = "\
Examples:
  cargo bincover                                     cargo test, and a table
  cargo bincover nextest --lcov --output-path lcov.info
  cargo bincover --no-report test && cargo bincover --no-report run -- --help
  cargo bincover report --html --open
  cargo bincover diff --base origin/main --fail-under-patch 80

All options of `cargo test`, `cargo nextest run` and so on can be given too.";

/// A command of `cargo bincover`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Build,
    Run,
    Test,
    Nextest,
    NextestArchive,
    Bench,
    Report,
    Diff,
    Missing,
    Ratchet,
    Clean,
    ShowEnv,
}

/// Each command: its name, and what it does.
const ACTIONS: &[(&str, Action, &str)] = &[
    (
        "test",
        Action::Test,
        "cargo test, and a report (the default)",
    ),
    (
        "nextest",
        Action::Nextest,
        "cargo nextest run, and a report",
    ),
    (
        "nextest-archive",
        Action::NextestArchive,
        "cargo nextest archive, instrumented",
    ),
    ("run", Action::Run, "cargo run, and a report"),
    ("bench", Action::Bench, "cargo bench, and a report"),
    ("build", Action::Build, "cargo build, instrumented"),
    ("report", Action::Report, "a report on what was run so far"),
    ("diff", Action::Diff, "how much of what changed was reached"),
    (
        "missing",
        Action::Missing,
        "what was not reached, in which function, and why",
    ),
    (
        "ratchet",
        Action::Ratchet,
        "fail if less is reached than a committed file says",
    ),
    (
        "clean",
        Action::Clean,
        "forget what was run, and what was built for it",
    ),
    (
        "show-env",
        Action::ShowEnv,
        "print the environment in which cargo builds and runs so",
    ),
];

impl Action {
    fn named(name: &OsStr) -> Option<Self> {
        let mut actions = ACTIONS.iter();
        actions
            .find(|(known, ..)| name == *known)
            .map(|(_, action, _)| *action)
    }

    pub(crate) fn name(self) -> &'static str {
        let mut actions = ACTIONS.iter();
        let found = actions.find(|(_, action, _)| *action == self);
        found.map_or("test", |(name, ..)| name)
    }

    /// The words for cargo.
    pub(crate) fn cargo_words(self) -> &'static [&'static str] {
        match self {
            Self::Build => &["build"],
            Self::Run => &["run"],
            Self::Test => &["test"],
            Self::Nextest => &["nextest", "run"],
            Self::NextestArchive => &["nextest", "archive"],
            Self::Bench => &["bench"],
            Self::Report
            | Self::Diff
            | Self::Missing
            | Self::Ratchet
            | Self::Clean
            | Self::ShowEnv => &[],
        }
    }

    /// Whether it asks something about what was run before, with options of its own.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Self::Diff | Self::Missing | Self::Ratchet)
    }

    /// Its own options, if it is a question.
    fn augment(self, command: Command) -> Command {
        match self {
            Self::Diff => {
                let command = ChangeArgs::augment_args(command);
                let command = PatchFormatArgs::augment_args(command);
                let one_of = ArgGroup::new("changes").required(true);
                command.group(one_of.args(["base", "patch"]))
            }
            Self::Missing => MissingOptions::augment_args(command),
            Self::Ratchet => RatchetOptions::augment_args(command),
            _ => command,
        }
    }
}

/// What is asked about what was run before.
#[derive(Debug)]
pub(crate) enum Question {
    Diff(Box<ChangeArgs>, PatchFormatArgs),
    Missing(MissingOptions),
    Ratchet(RatchetOptions),
}

impl Question {
    fn of(action: Action, matches: &ArgMatches) -> Result<Option<Self>, clap::Error> {
        Ok(Some(match action {
            Action::Diff => {
                let changes = ChangeArgs::from_arg_matches(matches)?;
                Self::Diff(changes.into(), PatchFormatArgs::from_arg_matches(matches)?)
            }
            Action::Missing => Self::Missing(MissingOptions::from_arg_matches(matches)?),
            Action::Ratchet => Self::Ratchet(RatchetOptions::from_arg_matches(matches)?),
            _ => return Ok(None),
        }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct MissingOptions {
    /// A line for each file
    #[arg(long)]
    pub(crate) compact: bool,
}

/// What is ours of a command line.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) measure: MeasureOptions,
    #[command(flatten)]
    pub(crate) report: ReportOptions,
    #[command(flatten)]
    pub(crate) files: FileOptions,
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) env: EnvOptions,
}

/// What questions share with the other commands.
#[derive(Debug, Default, clap::Args)]
struct CommonOptions {
    #[command(flatten)]
    measure: MeasureOptions,
    #[command(flatten)]
    files: FileOptions,
    #[command(flatten)]
    selection: SelectionArgs,
}

impl From<CommonOptions> for Options {
    fn from(common: CommonOptions) -> Self {
        Self {
            measure: common.measure,
            files: common.files,
            selection: common.selection,
            ..Self::default()
        }
    }
}

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What to measure")]
pub(crate) struct MeasureOptions {
    /// Also instrument all that the workspace depends on
    #[arg(long)]
    pub(crate) include_deps: bool,
    /// Instrument these dependencies, and nothing else; separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "include_deps"
    )]
    pub(crate) dep_coverage: Vec<String>,
    /// Also instrument build scripts; the workspace's crates are then built anew each time
    #[arg(long)]
    pub(crate) include_build_script: bool,
    /// Also instrument procedural macros; the workspace's crates are then built anew each time
    #[arg(long)]
    pub(crate) include_proc_macros: bool,
    /// Also instrument C and C++ that build scripts compile; needs clang of rustc's LLVM version
    #[arg(long)]
    pub(crate) include_ffi: bool,
    /// Also run and count doctests; needs a nightly compiler
    #[arg(long)]
    pub(crate) doctests: bool,
    /// Count branches; needs a nightly compiler
    #[arg(long)]
    pub(crate) branch: bool,
    /// Neither test these packages nor report on them; can be repeated
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude: Vec<String>,
    /// Do not test these packages, but report on them; can be repeated
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude_from_test: Vec<String>,
    /// Test these packages, but do not report on them; can be repeated
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude_from_report: Vec<String>,
    /// Do not set cfg(coverage)
    #[arg(long)]
    pub(crate) no_cfg_coverage: bool,
    /// Do not set cfg(coverage_nightly), which a nightly compiler gets
    #[arg(long)]
    pub(crate) no_cfg_coverage_nightly: bool,
    /// Make the debug information that the profile asks for, not only what panics need
    #[arg(long)]
    pub(crate) debuginfo: bool,
    /// Keep what earlier runs reached
    #[arg(long)]
    pub(crate) no_clean: bool,
    /// Run all tests, and succeed although some fail
    #[arg(long)]
    pub(crate) ignore_run_fail: bool,
    /// Forget what was run, and keep what was built; for clean
    #[arg(long)]
    pub(crate) profraw_only: bool,
    /// Write names of source files relative to the workspace's folder
    #[arg(long)]
    pub(crate) remap_path_prefix: bool,
    /// Instrument for the target triple only, as is done anyway
    #[arg(long, hide = true, conflicts_with_all = ["include_build_script", "include_proc_macros"])]
    pub(crate) coverage_target_only: bool,
    /// Where to build and to keep what was reached is a folder in this one [default: cargo's target
    /// folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
}

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportOptions {
    /// Keep what was reached, and report later
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Run nothing: report on what was run before
    #[arg(long, conflicts_with = "no_report")]
    pub(crate) no_run: bool,
    /// Report as lcov
    #[arg(long, group = "format")]
    pub(crate) lcov: bool,
    /// Report as Cobertura XML
    #[arg(long, group = "format")]
    pub(crate) cobertura: bool,
    /// Report as JSON, as `llvm-cov export` writes it
    #[arg(long, group = "format")]
    pub(crate) json: bool,
    /// Report as Codecov's JSON
    #[arg(long, group = "format")]
    pub(crate) codecov: bool,
    /// Show the source with counts, as `llvm-cov show` does
    #[arg(long, group = "format")]
    pub(crate) text: bool,
    /// Show the source with counts in pages
    #[arg(long, group = "format")]
    pub(crate) html: bool,
    /// Make pages and open them in a browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Only numbers for each file; with --json or --lcov
    #[arg(long)]
    pub(crate) summary_only: bool,
    /// No functions; with --json or --lcov
    #[arg(long)]
    pub(crate) skip_functions: bool,
    /// Write the report to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output_path: Option<PathBuf>,
    /// Write pages to the folder html, or text to the folder text, in this one
    #[arg(long, value_name = "DIR", conflicts_with = "output_path")]
    pub(crate) output_dir: Option<PathBuf>,
    /// List the lines that were not reached
    #[arg(long)]
    pub(crate) show_missing_lines: bool,
    /// Show each instantiation of a generic function by itself; with --text
    #[arg(long)]
    pub(crate) show_instantiations: bool,
    /// Also write a report of a format of `bincover report`, such as json, markdown or sonar; can be
    /// repeated
    #[arg(long, value_name = "FORMAT=FILE", value_parser = also)]
    pub(crate) also: Vec<(&'static Format, PathBuf)>,
    /// Write the merged profile to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) profdata: Option<PathBuf>,
    /// Not needed: what is in the archive is known
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) nextest_archive_file: Option<PathBuf>,
}

fn also(text: &str) -> Result<(&'static Format, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected FORMAT=FILE")?;
    let format = Format::named(name).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        format!("no format has this name; there are {}", names.join(", "))
    })?;
    match path.is_empty() {
        true => Ok((format, format.default_file_name.into())),
        false => Ok((format, path.into())),
    }
}

/// Which files a report is on, and what it is made of.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct FileOptions {
    /// Leave out source files whose paths match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) ignore_filename_regex: Option<String>,
    /// Do not leave out tests, examples, benches and what is not of the workspace
    #[arg(long)]
    pub(crate) no_default_ignore_filename_regex: bool,
    /// Exit with 92 if any profile could not be used, or only if none could
    #[arg(long, value_name = "WHEN", default_value = "any")]
    pub(crate) failure_mode: FailureMode,
}

/// When profiles that could not be used are a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailureMode {
    #[default]
    Any,
    All,
}

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Shells, for show-env")]
pub(crate) struct EnvOptions {
    /// For sh, bash and zsh
    #[arg(long, group = "shell")]
    pub(crate) sh: bool,
    /// As --sh
    #[arg(long, group = "shell", hide = true)]
    pub(crate) export_prefix: bool,
    /// For csh and tcsh
    #[arg(long, group = "shell")]
    pub(crate) csh: bool,
    /// For fish
    #[arg(long, group = "shell")]
    pub(crate) fish: bool,
    /// For nushell
    #[arg(long, group = "shell")]
    pub(crate) nu: bool,
    /// For xonsh
    #[arg(long, group = "shell")]
    pub(crate) xonsh: bool,
    /// For PowerShell
    #[arg(long, group = "shell", aliases = ["pwsh", "with-pwsh-env-prefix"])]
    pub(crate) powershell: bool,
    /// As JSON
    #[arg(long = "env-json", group = "shell")]
    pub(crate) as_json: bool,
    /// For later steps of a GitHub workflow: append it to $GITHUB_ENV
    #[arg(long, group = "shell")]
    pub(crate) github: bool,
}

/// Options of cargo-llvm-cov that there are not, and what to do instead.
const LACKING: &[(&str, &str)] = &[
    ("mcdc", "rustc has it no more"),
    (
        "coverage-host-only",
        "choose packages with --exclude-from-report",
    ),
    (
        "no-rustc-wrapper",
        "which crates are instrumented is the wrapper's work",
    ),
    ("cmd", "there is no cmd.exe where this runs"),
];

/// A command line, taken apart.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) action: Action,
    pub(crate) options: Options,
    pub(crate) question: Option<Question>,
    /// What goes to cargo, up to `--`.
    pub(crate) cargo: Vec<OsString>,
    /// What comes after `--`, for the program.
    pub(crate) program: Vec<OsString>,
}

/// Our options as clap has them.
pub(crate) fn command(action: Option<Action>) -> Command {
    let name = match action {
        Some(action) => format!("cargo bincover {}", action.name()),
        None => "cargo bincover".to_owned(),
    };
    let commands: String = ACTIONS
        .iter()
        .map(|(name, _, help)| format!("\n  {name:<16} {help}"))
        .collect();
    let command = Command::new("cargo-bincover")
        .bin_name(name)
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("cargo bincover [COMMAND] [OPTIONS] [CARGO'S OPTIONS] [-- ARGS]")
        .before_help(EXAMPLES)
        .after_help(format!("Commands:{commands}"));
    // Comments on options as a whole are not for those who ask for help.
    match action.filter(|action| action.is_question()) {
        Some(question) => {
            let command = question.augment(CommonOptions::augment_args(command));
            let mut actions = ACTIONS.iter();
            let found = actions.find(|(_, action, _)| *action == question);
            command.about(found.map_or("", |(.., help)| *help))
        }
        None => Options::augment_args(command)
            .about("Coverage of a Cargo workspace: build it instrumented, run it, report"),
    }
}

/// For `bincover.toml`: the options that a question shares with the other commands, and those of its
/// own. Others have all of them.
pub(crate) fn options_of_question(args: &[OsString]) -> Option<(Command, Command, Action)> {
    let action = split(args.to_vec(), &known(None)).action;
    let action = action.filter(|action| action.is_question())?;
    let common = CommonOptions::augment_args(Command::new("common"));
    let own = action.augment(Command::new(action.name()));
    Some((common, own, action))
}

/// What one of our options takes.
struct Known {
    names: Vec<String>,
    takes_value: bool,
    /// Its value may be missing.
    may_stand_alone: bool,
}

fn known(action: Option<Action>) -> Vec<Known> {
    let command = command(action);
    let known = command.get_arguments().filter_map(|arg| {
        let names = arg.get_long_and_visible_aliases()?;
        let hidden = arg.get_all_aliases().unwrap_or_default();
        let names = names.into_iter().chain(hidden).map(str::to_owned);
        Some(Known {
            names: names.collect(),
            takes_value: matches!(arg.get_action(), ArgAction::Set | ArgAction::Append),
            may_stand_alone: arg.get_num_args().is_some_and(|few| few.min_values() == 0),
        })
    });
    known.collect()
}

/// A command line's words.
struct Words {
    action: Option<Action>,
    /// For clap, with a program's name before them.
    ours: Vec<OsString>,
    cargo: Vec<OsString>,
    /// Names of options that are not ours.
    strange: Vec<String>,
    program: Vec<OsString>,
}

fn split(args: Vec<OsString>, known: &[Known]) -> Words {
    let mut ours = vec![OsString::from("cargo-bincover")];
    let mut cargo = Vec::new();
    let mut action = None;
    let mut strange = Vec::new();
    let mut may_be_action = true;
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        if matches!(arg.to_str(), Some("-h" | "--help" | "-V" | "--version")) {
            ours.push(arg);
            continue;
        }
        let text = arg.to_string_lossy().into_owned();
        let Some(option) = text.strip_prefix("--") else {
            if may_be_action && !text.starts_with('-') {
                action = Action::named(&arg);
                may_be_action = false;
                if action.is_some() {
                    continue;
                }
            }
            // The next word may be this one's value.
            may_be_action &= !text.starts_with('-') || text.len() > 2;
            cargo.push(arg);
            continue;
        };
        let (name, has_value) = match option.split_once('=') {
            Some((name, _)) => (name, true),
            None => (option, false),
        };
        match known
            .iter()
            .find(|known| known.names.iter().any(|n| n == name))
        {
            Some(known) => {
                ours.push(arg);
                let is_value = |next: &OsString| {
                    let is_option = next != "-" && next.as_encoded_bytes().starts_with(b"-");
                    !known.may_stand_alone || !is_option
                };
                if known.takes_value && !has_value {
                    ours.extend(args.next_if(is_value));
                }
            }
            None => {
                may_be_action &= has_value;
                strange.push(name.to_owned());
                cargo.push(arg);
            }
        }
    }
    Words {
        action,
        ours,
        cargo,
        strange,
        program: args.collect(),
    }
}

/// Takes a command line apart, that begins behind the program's name. `is_cargos` says whether
/// cargo has an option of this name for the command.
pub(crate) fn parse(
    args: Vec<OsString>,
    is_cargos: impl Fn(Action, &str) -> bool,
) -> Result<Line, clap::Error> {
    let mut known = self::known(None);
    let mut words = split(args.clone(), &known);
    if let Some(question) = words.action.filter(|action| action.is_question()) {
        known = self::known(Some(question));
        words = Words {
            action: Some(question),
            ..split(args, &known)
        };
    }
    let action = words.action.unwrap_or(Action::Test);
    let mut clap = command(Some(action));
    let matches = clap.try_get_matches_from_mut(&words.ours)?;
    for name in words.strange {
        let lacking = LACKING.iter().find(|(lacking, _)| *lacking == name);
        if let Some((_, instead)) = lacking {
            let message = format!("'--{name}' is not supported\n\n  tip: {instead}\n");
            return Err(clap.error(clap::error::ErrorKind::UnknownArgument, message));
        }
        let has_no_cargo = action.cargo_words().is_empty();
        if let Some(nearest) = nearest(&known, &name)
            && !is_cargos(action, &name)
        {
            let message = format!(
                "unexpected argument '--{name}' found\n\n  tip: a similar argument exists: \
                 '--{nearest}'\n"
            );
            return Err(clap.error(clap::error::ErrorKind::UnknownArgument, message));
        }
        let of_cargo = [
            "package",
            "workspace",
            "all",
            "manifest-path",
            "target",
            "release",
            "profile",
            "cargo-profile",
            "locked",
            "frozen",
            "offline",
            "quiet",
            "color",
            "features",
            "all-features",
            "no-default-features",
            "jobs",
            "verbose",
        ];
        if has_no_cargo && !of_cargo.contains(&name.as_str()) {
            let message = format!("unexpected argument '--{name}' found\n");
            return Err(clap.error(clap::error::ErrorKind::UnknownArgument, message));
        }
    }
    Ok(Line {
        action,
        options: match action.is_question() {
            true => CommonOptions::from_arg_matches(&matches)?.into(),
            false => Options::from_arg_matches(&matches)?,
        },
        question: Question::of(action, &matches)?,
        cargo: words.cargo,
        program: words.program,
    })
}

/// The one of our options that a mistyped one is most like, if any is like it.
fn nearest<'k>(known: &'k [Known], typed: &str) -> Option<&'k str> {
    let names = known.iter().flat_map(|known| &known.names);
    let scored = names.map(|name| (strsim::damerau_levenshtein(name, typed), name));
    let (distance, name) = scored.min()?;
    let is_like = distance <= 2 && distance < name.len().min(typed.len());
    is_like.then_some(name.as_str())
}

impl Line {
    /// The values of an option of cargo's, `short` being its letter.
    pub(crate) fn cargo_values(&self, long: &str, short: Option<char>) -> Vec<String> {
        let mut found = Vec::new();
        let mut words = self.cargo.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let rest = word.strip_prefix("--").map(|word| word.split_once('='));
            let is_long = word.strip_prefix("--") == Some(long);
            match (
                rest,
                short.and_then(|short| word.strip_prefix(&format!("-{short}"))),
            ) {
                (Some(Some((name, value))), _) if name == long => found.push(value.to_owned()),
                (_, Some("")) => found.extend(words.next().map(|value| value.into_owned())),
                (None, Some(value)) => {
                    found.push(value.trim_start_matches('=').to_owned());
                }
                _ if is_long => found.extend(words.next().map(|value| value.into_owned())),
                _ => {}
            }
        }
        found
    }

    /// Whether an option of cargo's without a value was given.
    pub(crate) fn has_cargo_flag(&self, names: &[&str]) -> bool {
        self.cargo
            .iter()
            .any(|word| names.iter().any(|name| word == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line, clap::Error> {
        let args = text.split_whitespace().map(OsString::from).collect();
        parse(args, |_, name| matches!(name, "test" | "jobs" | "lib"))
    }

    fn words(words: &[OsString]) -> Vec<String> {
        words
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_definitions_are_consistent() {
        command(None).debug_assert();
        for (_, action, _) in ACTIONS {
            command(Some(*action)).debug_assert();
        }
    }

    #[test]
    fn questions_have_options_of_their_own() {
        let found = line("diff --json --base main -p one --exclude-files x --markdown -").unwrap();
        assert_eq!(found.action, Action::Diff);
        assert_eq!(words(&found.cargo), ["-p", "one"]);
        assert_eq!(found.options.selection.exclusions.exclude_files.len(), 1);
        let Some(Question::Diff(changes, formats)) = &found.question else {
            panic!("{found:?}")
        };
        assert_eq!(changes.base.as_deref(), Some("main"));
        assert_eq!(formats.json, Some("diff.json".into()));
        assert_eq!(formats.markdown, Some("-".into()));
        assert!(line("diff --lcov --base main").is_err());
        assert!(line("diff").is_err(), "nothing to compare with");
        assert!(line("missing --compact").is_ok());
        assert!(line("ratchet --update --lower --file x").is_ok());
        let help = command(Some(Action::Missing)).render_help().to_string();
        assert!(
            help.contains("what was not reached, in which function"),
            "{help}"
        );
        // Of the others, `--json` takes no value.
        assert!(line("report --json --output-path x").is_ok());
    }

    #[test]
    fn what_is_ours_and_what_is_cargos() {
        let found = line("nextest --lcov -p one --output-path=a.info --test t x -- --nocapture");
        let found = found.unwrap();
        assert_eq!(found.action, Action::Nextest);
        assert!(found.options.report.lcov);
        assert_eq!(found.options.report.output_path, Some("a.info".into()));
        assert_eq!(words(&found.cargo), ["-p", "one", "--test", "t", "x"]);
        assert_eq!(words(&found.program), ["--nocapture"]);
        assert_eq!(found.cargo_values("package", Some('p')), ["one"]);
        assert_eq!(found.cargo_values("test", None), ["t"]);
    }

    #[test]
    fn the_command_may_come_later_or_not_at_all() {
        assert_eq!(line("--no-report run --bin x").unwrap().action, Action::Run);
        assert_eq!(line("--lcov").unwrap().action, Action::Test);
        assert_eq!(line("-p run --lcov").unwrap().action, Action::Test);
        assert_eq!(line("some_test").unwrap().action, Action::Test);
    }

    #[test]
    fn the_nearest_option_is_told() {
        let error = line("test --lcvo").unwrap_err().to_string();
        assert!(error.contains("'--lcov'"), "{error}");
        // `--test` is cargo's, though it is like our `--text`.
        assert!(line("test --test x").is_ok());
        assert!(line("report --test x").is_err());
        assert!(line("test --whatever-cargo-says").is_ok());
    }
}
