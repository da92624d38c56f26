//! What can be typed about reports: formats, their look, and gates. Commands that end in a report
//! flatten these.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bincover::Error;
use bincover::model::Coverage;
use bincover::report::gate::{Gate, Metric};
use bincover::report::{FORMATS, Format, Instantiations, Options, Sort, Sources};
use bincover::{check_report, write_reports};
use clap::{Arg, ArgMatches, Args as ClapArgs, Command, FromArgMatches, ValueEnum, ValueHint};

use crate::ui;

/// Which formats go where: an option for each row of the table of formats.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormatArgs {
    reports: Vec<(&'static Format, PathBuf)>,
}

impl ClapArgs for FormatArgs {
    fn augment_args(mut command: Command) -> Command {
        for format in FORMATS {
            let (what, hint, or_stdout) = match format.is_folder() {
                true => ("DIR", ValueHint::DirPath, ""),
                false => (
                    "FILE",
                    ValueHint::FilePath,
                    "; - for standard output, instead of the table",
                ),
            };
            let default = format.default_file_name;
            let help = format!("{} [{default}]{or_stdout}", capitalised(format.help));
            command = command.arg(
                Arg::new(format.name)
                    .long(format.name)
                    .value_name(what)
                    .num_args(0..=1)
                    .default_missing_value(default)
                    .value_parser(clap::value_parser!(OsString))
                    .value_hint(hint)
                    .help_heading("Formats")
                    .help(help),
            );
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

impl FromArgMatches for FormatArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for format in FORMATS {
            if let Some(path) = matches.get_one::<OsString>(format.name) {
                self.reports.retain(|(other, _)| other.name != format.name);
                self.reports.push((format, path.into()));
            }
        }
        let to_stdout = self.reports.iter().filter(|(_, path)| is_stdout(path));
        let to_stdout: Vec<&str> = to_stdout.map(|(format, _)| format.name).collect();
        if let [first, second, ..] = &to_stdout[..] {
            let message = format!("--{first} and --{second} cannot both go to standard output");
            return Err(clap::Error::raw(
                clap::error::ErrorKind::ArgumentConflict,
                message + "\n",
            ));
        }
        Ok(())
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// How reports look and what they count.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct LookArgs {
    /// A row of the table for each folder, rather than for each file
    #[arg(long, help_heading = "Look")]
    pub(crate) folders: bool,
    /// The order of the table's rows
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "name",
        help_heading = "Look"
    )]
    pub(crate) sort: Order,
    /// What counts as a function where several start at one place of the source, as the
    /// instantiations of a generic one do [default: union; lcov: as llvm-cov]
    ///
    /// The table counts places, with `each` instantiations. Cobertura has a method, and lcov an FN
    /// and an FNDA line, for each place, with `each` for each instantiation; their hits are those
    /// of all instantiations together (union) or of the one with the most (max). By default lcov is
    /// llvm-cov's to the byte: it lists each, and FNF and FNH count places. Lines, regions and
    /// branches are the same whatever is chosen.
    #[arg(long, value_name = "POLICY", help_heading = "Look")]
    pub(crate) instantiations: Option<Policy>,
    /// Names of Rust and C++ functions in source form in lcov too; the others always have them so
    ///
    /// Functions of one file that would have the same name keep their symbols' names.
    #[arg(long, help_heading = "Look")]
    pub(crate) demangle: bool,
}

impl LookArgs {
    /// As for the terminal on standard output.
    pub(crate) fn options(&self, coverage: &Coverage) -> Options {
        Options {
            demangle: self.demangle,
            instantiations: self.instantiations.map(Into::into),
            by_folder: self.folders,
            sort: self.sort.into(),
            repository: ui::repository(coverage),
            ..ui::report_options()
        }
    }
}

/// The order of a table's rows.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Order {
    /// By name
    Name,
    /// By the percentage of lines, the lowest first
    Percent,
    /// By the number of lines that are not covered, the highest first
    Missed,
}

impl From<Order> for Sort {
    fn from(order: Order) -> Self {
        match order {
            Order::Name => Self::Name,
            Order::Percent => Self::Percent,
            Order::Missed => Self::Missed,
        }
    }
}

/// How instantiations are listed and counted.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Policy {
    /// One for each place, executed as often as all instantiations together
    Union,
    /// One for each place, executed as often as the instantiation that was executed most
    Max,
    /// Each instantiation by itself
    Each,
}

impl From<Policy> for Instantiations {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Union => Self::Union,
            Policy::Max => Self::Max,
            Policy::Each => Self::Each,
        }
    }
}

/// Numbers that coverage has to reach. Each can be repeated, and be for the files that a pattern
/// matches.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct GateArgs {
    /// Fail with 90 below this percentage of lines; `src/parser/**=95` for the files that match
    #[arg(long, value_name = "[GLOB=]PERCENT", value_parser = lines, help_heading = "Thresholds")]
    pub(crate) fail_under_lines: Vec<Gate>,
    /// Likewise, of functions
    #[arg(long, value_name = "[GLOB=]PERCENT", value_parser = functions, help_heading = "Thresholds")]
    pub(crate) fail_under_functions: Vec<Gate>,
    /// Likewise, of regions
    #[arg(long, value_name = "[GLOB=]PERCENT", value_parser = regions, help_heading = "Thresholds")]
    pub(crate) fail_under_regions: Vec<Gate>,
    /// Likewise, of outcomes of branches
    #[arg(long, value_name = "[GLOB=]PERCENT", value_parser = branches, help_heading = "Thresholds")]
    pub(crate) fail_under_branches: Vec<Gate>,
    /// Fail with 90 if any file is below this percentage of lines
    #[arg(long, value_name = "[GLOB=]PERCENT", value_parser = file_lines, help_heading = "Thresholds")]
    pub(crate) fail_under_file_lines: Vec<Gate>,
    /// Fail with 90 if more lines than this are not covered
    #[arg(long, value_name = "[GLOB=]LINES", value_parser = uncovered_lines, help_heading = "Thresholds")]
    pub(crate) fail_uncovered_lines: Vec<Gate>,
    /// Likewise, of functions
    #[arg(long, value_name = "[GLOB=]FUNCTIONS", value_parser = uncovered_functions, help_heading = "Thresholds")]
    pub(crate) fail_uncovered_functions: Vec<Gate>,
    /// Likewise, of regions
    #[arg(long, value_name = "[GLOB=]REGIONS", value_parser = uncovered_regions, help_heading = "Thresholds")]
    pub(crate) fail_uncovered_regions: Vec<Gate>,
}

fn lines(text: &str) -> Result<Gate, String> {
    Gate::at_least(Metric::Lines, text)
}

fn functions(text: &str) -> Result<Gate, String> {
    Gate::at_least(Metric::Functions, text)
}

fn regions(text: &str) -> Result<Gate, String> {
    Gate::at_least(Metric::Regions, text)
}

fn branches(text: &str) -> Result<Gate, String> {
    Gate::at_least(Metric::Branches, text)
}

fn file_lines(text: &str) -> Result<Gate, String> {
    Gate::each_at_least(Metric::Lines, text)
}

fn uncovered_lines(text: &str) -> Result<Gate, String> {
    Gate::uncovered(Metric::Lines, text)
}

fn uncovered_functions(text: &str) -> Result<Gate, String> {
    Gate::uncovered(Metric::Functions, text)
}

fn uncovered_regions(text: &str) -> Result<Gate, String> {
    Gate::uncovered(Metric::Regions, text)
}

impl GateArgs {
    /// Says which gates are missed, each with its option; true if none is.
    pub(crate) fn check(&self, command: &str, coverage: &Coverage) -> bool {
        const SHOWN: usize = 20;
        let all = [
            ("--fail-under-lines", &self.fail_under_lines),
            ("--fail-under-functions", &self.fail_under_functions),
            ("--fail-under-regions", &self.fail_under_regions),
            ("--fail-under-branches", &self.fail_under_branches),
            ("--fail-under-file-lines", &self.fail_under_file_lines),
            ("--fail-uncovered-lines", &self.fail_uncovered_lines),
            ("--fail-uncovered-functions", &self.fail_uncovered_functions),
            ("--fail-uncovered-regions", &self.fail_uncovered_regions),
        ];
        let options = Options {
            repository: ui::repository(coverage),
            ..Options::default()
        };
        let mut is_reached = true;
        for (option, gates) in all {
            for gate in gates {
                let missed = gate.check(coverage, &options);
                is_reached &= missed.is_empty();
                for one in missed.iter().take(SHOWN) {
                    ui::say(format_args!("{command}: {option}: {one}"));
                }
                if missed.len() > SHOWN {
                    let more = missed.len() - SHOWN;
                    ui::say(format_args!(
                        "{command}: {option}: {more} more files are below it"
                    ));
                }
            }
        }
        is_reached
    }
}

/// Which reports go where, decided: files, and what is printed.
pub(crate) struct Reports {
    stdout: &'static Format,
    files: Vec<(&'static Format, PathBuf)>,
}

impl Reports {
    /// Decides, and checks the files' folders before anything is computed.
    pub(crate) fn new(args: &FormatArgs) -> Result<Self, Error> {
        let mut reports = Self {
            stdout: format("table"),
            files: Vec::new(),
        };
        for (format, path) in &args.reports {
            match is_stdout(path) && !format.is_folder() {
                true => reports.stdout = format,
                false => {
                    check_report(format, path)?;
                    reports.files.push((format, path.clone()));
                }
            }
        }
        Ok(reports)
    }

    /// Writes the files, and prints what is for standard output.
    pub(crate) fn write(
        self,
        coverage: &Coverage,
        options: &Options,
        sources: &dyn Sources,
    ) -> Result<(), Error> {
        // A file is not as wide as the terminal.
        let plain = Options {
            width: None,
            colour: false,
            ..options.clone()
        };
        write_reports(coverage, &plain, sources, self.files)?;
        let mut text = Vec::new();
        let in_memory = self.stdout.write(coverage, options, sources, &mut text);
        in_memory.expect("writing to memory does not fail");
        ui::print(&text)
    }
}

/// A format by its name in the table of formats.
pub(crate) fn format(name: &str) -> &'static Format {
    Format::named(name).expect("the table of formats has the names that are used here")
}
