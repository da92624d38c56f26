//! What can be typed about the files and lines of a report: where files lie here, and what is left
//! out. Commands that report flatten these.

use bincover::model::{Coverage, ExcludedPart};
use bincover::report::{FilePattern, Sources, printable};
use bincover::{
    Error, ExclusionNote, Exclusions, PathMap, PathRules, PathTrace, Paths, Skip, excluded_by_rule,
};
use bstr::ByteSlice;
use clap::{Args as ClapArgs, ValueEnum};
use regex::bytes::Regex;

use crate::ui;

/// Which files and lines a report is on.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct SelectionArgs {
    #[command(flatten, next_help_heading = "Paths")]
    pub(crate) paths: PathArgs,
    #[command(flatten, next_help_heading = "What to leave out")]
    pub(crate) exclusions: ExclusionArgs,
}

/// Where files lie here.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct PathArgs {
    /// Names of source files that begin with FROM begin with TO instead; can be repeated, and the
    /// longest FROM is taken
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) map: Vec<PathMap>,
    /// Look for source files that are not where they were compiled among those that git knows, by
    /// the end of their names
    #[arg(long)]
    pub(crate) find_moved: bool,
    /// Leave out source files that are not there
    #[arg(long, alias = "ignore-not-existing")]
    pub(crate) only_found: bool,
}

/// What is left out.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ExclusionArgs {
    /// Leave out what markers in the sources say: those of lcov and gcovr (LCOV_EXCL_LINE,
    /// GCOVR_EXCL_START and so on)
    #[arg(long)]
    pub(crate) markers: bool,
    /// Leave out lines in which this is found; can be repeated, as all of these can
    #[arg(long, value_name = "REGEX", alias = "excl-line")]
    pub(crate) exclude_line: Vec<Regex>,
    /// Leave out lines from one in which this is found
    #[arg(long, value_name = "REGEX", alias = "excl-start")]
    pub(crate) exclude_start: Vec<Regex>,
    /// Up to one in which this is found, which is not left out; or to the end of the file
    #[arg(
        long,
        value_name = "REGEX",
        alias = "excl-stop",
        requires = "exclude_start"
    )]
    pub(crate) exclude_stop: Vec<Regex>,
    /// As --exclude-line, of branches alone
    #[arg(long, value_name = "REGEX", alias = "excl-br-line")]
    pub(crate) exclude_branch_line: Vec<Regex>,
    /// As --exclude-start, of branches alone
    #[arg(long, value_name = "REGEX", alias = "excl-br-start")]
    pub(crate) exclude_branch_start: Vec<Regex>,
    /// As --exclude-stop, of branches alone
    #[arg(
        long,
        value_name = "REGEX",
        alias = "excl-br-stop",
        requires = "exclude_branch_start"
    )]
    pub(crate) exclude_branch_stop: Vec<Regex>,
    /// Report on these source files alone
    #[arg(long, value_name = "GLOB")]
    pub(crate) include_files: Vec<FilePattern>,
    /// Leave out these source files
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude_files: Vec<FilePattern>,
    /// Leave out parts of Rust's sources, by their syntax; separated by commas
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    pub(crate) skip: Vec<SkipPart>,
}

/// Parts of Rust's sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SkipPart {
    /// What has #[test] or #[cfg(test)], and the files of such modules
    Tests,
    /// The lines of #[derive]
    Derives,
    /// Lines of unreachable!() that were not executed
    Unreachable,
}

impl From<SkipPart> for Skip {
    fn from(part: SkipPart) -> Self {
        match part {
            SkipPart::Tests => Self::Tests,
            SkipPart::Derives => Self::Derives,
            SkipPart::Unreachable => Self::Unreachable,
        }
    }
}

/// What is to be told of a selection.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    pub(crate) notes: Vec<ExclusionNote>,
    pub(crate) traces: Vec<PathTrace>,
}

impl PathArgs {
    /// With what git knows of the repository of the working folder, if that is asked for.
    pub(crate) fn prepare(&self) -> Result<Paths, Error> {
        let rules = PathRules {
            maps: self.map.clone(),
            find_moved: self.find_moved,
            only_found: self.only_found,
        };
        rules.prepare(".".as_ref())
    }
}

impl SelectionArgs {
    /// Nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        let PathArgs {
            map,
            find_moved,
            only_found,
        } = &self.paths;
        map.is_empty() && !find_moved && !only_found && self.exclusions().is_empty()
    }

    pub(crate) fn exclusions(&self) -> Exclusions {
        let args = &self.exclusions;
        Exclusions {
            markers: args.markers,
            line: args.exclude_line.clone(),
            start: args.exclude_start.clone(),
            stop: args.exclude_stop.clone(),
            branch_line: args.exclude_branch_line.clone(),
            branch_start: args.exclude_branch_start.clone(),
            branch_stop: args.exclude_branch_stop.clone(),
            include_files: args.include_files.clone(),
            exclude_files: args.exclude_files.clone(),
            skip: args.skip.iter().copied().map(Into::into).collect(),
        }
    }

    /// Gives files their names here, leaves out what is to be left out, and says so. That nothing
    /// is left is for the caller to see ([`bincover::check_left`]).
    pub(crate) fn apply(
        &self,
        command: &str,
        coverage: &mut Coverage,
        sources: &dyn Sources,
    ) -> Result<Selected, Error> {
        let paths = self.paths.prepare()?;
        let (named, traces) = paths.apply(std::mem::take(coverage));
        *coverage = named;
        self.leave_out(command, coverage, traces, sources)
    }

    /// As [`Self::apply`], of several reports that are put together once their files have their names
    /// here.
    pub(crate) fn apply_to_each(
        &self,
        command: &str,
        reports: Vec<Coverage>,
        put_together: impl FnOnce(Vec<Coverage>) -> Coverage,
        sources: &dyn Sources,
    ) -> Result<(Coverage, Selected), Error> {
        let paths = self.paths.prepare()?;
        let (mut coverage, traces) = paths.apply_to_each(reports, put_together);
        let selected = self.leave_out(command, &mut coverage, traces, sources)?;
        Ok((coverage, selected))
    }

    fn leave_out(
        &self,
        command: &str,
        coverage: &mut Coverage,
        traces: Vec<PathTrace>,
        sources: &dyn Sources,
    ) -> Result<Selected, Error> {
        let notes = self.exclusions().apply(coverage, sources)?;
        let selected = Selected { notes, traces };
        say(command, coverage, &selected);
        Ok(selected)
    }
}

/// A line for each rule that took something, and what is to be known of sources.
fn say(command: &str, coverage: &Coverage, selected: &Selected) {
    const SHOWN: usize = 5;
    let counted = |count: u64, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    for (rule, tally) in excluded_by_rule(coverage) {
        let mut parts = Vec::new();
        if tally.whole_files > 0 {
            parts.push(counted(tally.whole_files, "file"));
        }
        if tally.lines > 0 {
            parts.push(counted(tally.lines, "line"));
        }
        if tally.branch_lines > 0 {
            parts.push(format!(
                "the branches of {}",
                counted(tally.branch_lines, "line")
            ));
        }
        if !parts.is_empty() {
            let parts = parts.join(", ");
            ui::say(format_args!("{command}: left out by {rule}: {parts}"));
        }
    }
    let mut dropped = coverage.excluded_files().filter(|file| {
        let mut ranges = file.excluded.ranges.iter();
        ranges.any(|range| range.part == ExcludedPart::File && &*range.rule == "only-found")
    });
    for file in dropped.by_ref().take(SHOWN) {
        let name = file.name.to_str_lossy();
        let name = printable(&name);
        ui::say(format_args!(
            "{command}: left out: {name}: there is no such file"
        ));
    }
    match dropped.count() {
        0 => {}
        more => ui::say(format_args!(
            "{command}: left out: {more} more that are not there"
        )),
    }
    for note in selected.notes.iter().take(SHOWN) {
        ui::say(format_args!("{command}: warning: {note}"));
    }
    match selected.notes.len().saturating_sub(SHOWN) {
        0 => {}
        more => ui::say(format_args!(
            "{command}: warning: {more} more of this kind (--ledger FILE lists them)"
        )),
    }
}
