//! What can be typed about changes: what to compare with, formats, gates, and the ratchet.

use std::path::{Path, PathBuf};

use bincover::report::Percent;
use bincover::report::patch::{PATCH_FORMATS, PatchFormat};
use bincover::{Error, check_folder};
use clap::Args as ClapArgs;

/// What changed, and what is wanted of it.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct PatchArgs {
    /// What changed since this branch, tag or commit, by git: the working tree against the last
    /// commit that it has in common with HEAD
    #[arg(
        long,
        value_name = "REF",
        required_unless_present = "patch",
        help_heading = "What changed"
    )]
    pub(crate) base: Option<String>,
    /// What changed by a patch, as `git diff` or `diff -u` write it; - for standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "base",
        help_heading = "What changed"
    )]
    pub(crate) patch: Option<PathBuf>,
    /// Files that git does not know yet are new, too, unless they are ignored
    #[arg(long, requires = "base", help_heading = "What changed")]
    pub(crate) include_untracked: bool,
    /// The report (`bincover report --json`) of the commit before the changes: also tell which lines
    /// that did not change lost their coverage
    #[arg(long, value_name = "FILE", help_heading = "What changed")]
    pub(crate) baseline: Option<PathBuf>,
    /// The table, to a file [diff.txt]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "diff.txt", help_heading = "Formats")]
    pub(crate) table: Option<PathBuf>,
    /// JSON, for scripts [diff.json]; - for standard output, instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "diff.json", help_heading = "Formats")]
    pub(crate) json: Option<PathBuf>,
    /// Markdown that fits a pull request's comment (65,535 characters) [diff.md]; likewise
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "diff.md", help_heading = "Formats")]
    pub(crate) markdown: Option<PathBuf>,
    /// GitHub workflow commands that annotate lines [annotations.txt]; likewise
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "annotations.txt", help_heading = "Formats")]
    pub(crate) github: Option<PathBuf>,
    /// Fail with 90 below this percentage of changed lines; a patch without a line of code passes
    #[arg(long, value_name = "PERCENT", value_parser = Percent::parse, help_heading = "Thresholds")]
    pub(crate) fail_under_patch: Option<Percent>,
    /// Fail with 90 if more lines than this did not change and lost their coverage
    #[arg(
        long,
        value_name = "LINES",
        requires = "baseline",
        help_heading = "Thresholds"
    )]
    pub(crate) fail_lost_lines: Option<u64>,
}

/// A ratchet, and what becomes of it.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct RatchetOptions {
    /// The ratchet
    #[arg(long, value_name = "FILE", default_value = "bincover-ratchet.toml")]
    pub(crate) file: PathBuf,
    /// Write what is better now, and what is new; what is worse stays, and fails
    #[arg(long)]
    pub(crate) update: bool,
    /// Write what is worse, too
    #[arg(long, requires = "update")]
    pub(crate) lower: bool,
    /// Percentage points that may be missing [default: those in the ratchet]
    #[arg(long, value_name = "POINTS", value_parser = Percent::parse)]
    pub(crate) tolerance: Option<Percent>,
    /// Lines that may be missing, of each file and of new ones together [default: those in the ratchet]
    #[arg(long, value_name = "LINES")]
    pub(crate) tolerance_lines: Option<u64>,
}

/// Which formats go where, decided.
pub(crate) struct PatchReports<'a> {
    pub(crate) stdout: &'static PatchFormat,
    pub(crate) files: Vec<(&'static PatchFormat, &'a Path)>,
}

impl PatchArgs {
    /// Decides, and checks the files' folders before anything is computed. Two formats for standard
    /// output are the error in words.
    pub(crate) fn reports(&self) -> Result<Result<PatchReports<'_>, String>, Error> {
        let paths = [&self.table, &self.json, &self.markdown, &self.github];
        let mut stdout = Vec::new();
        let mut files = Vec::new();
        for (format, path) in PATCH_FORMATS.iter().zip(paths) {
            match path {
                Some(path) if path == Path::new("-") => stdout.push(format),
                Some(path) => {
                    check_folder(path)?;
                    files.push((format, path.as_path()));
                }
                None => {}
            }
        }
        Ok(match stdout[..] {
            [] => Ok(PatchReports {
                stdout: &PATCH_FORMATS[0],
                files,
            }),
            [stdout] => Ok(PatchReports { stdout, files }),
            [first, second, ..] => Err(format!(
                "--{} and --{} cannot both go to standard output",
                first.name, second.name
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn each_format_has_its_option_and_its_file() {
        let options = PATCH_FORMATS
            .iter()
            .map(|format| format!("--{}", format.name));
        let line = ["diff", "--patch", "x"].map(str::to_owned);
        let command = PatchArgs::augment_args(clap::Command::new("diff"));
        let matches = command.get_matches_from(line.into_iter().chain(options));
        let args = PatchArgs::from_arg_matches(&matches).expect("options of ours");
        let reports = args
            .reports()
            .expect("a folder")
            .expect("one for each file");
        for (format, path) in &reports.files {
            assert_eq!(*path, Path::new(format.default_file_name));
        }
        assert_eq!(reports.files.len(), PATCH_FORMATS.len());
    }
}
