//! `bincover diff`: how much of what changed was executed.

use std::io::Read;
use std::path::{Path, PathBuf};

use bincover::model::Coverage;
use bincover::report::patch::{Baseline, Patch, PatchCoverage, measured_names};
use bincover::report::{Options, Source, Sources};
use bincover::{Error, GitChanges, SourceFiles, write_atomically};
use bstr::{BString, ByteSlice};

use crate::args::DiffArgs;
use crate::commands::report::{evaluated, left_out};
use crate::exit::Exit;
use crate::limits::MAX_PATCH_BYTES;
use crate::patch_args::{ChangeArgs, PatchReports};
use crate::ui;

const NAME: &str = "bincover";
/// Names of files that are listed in a note.
const SHOWN: usize = 5;

pub(crate) fn run(args: &DiffArgs) -> Result<Exit, Error> {
    let reports = match args.formats.reports()? {
        Ok(reports) => reports,
        Err(reason) => {
            ui::say(format_args!("{NAME}: error: {reason}"));
            return Ok(Exit::Usage);
        }
    };
    let changes = Changes::read(NAME, &args.changes)?;
    let evaluated = evaluated(&args.inputs, None)?;
    let covered = &evaluated.covered;
    let sources = SourceFiles::of(covered.objects.iter().map(PathBuf::as_path));
    let coverage = &covered.evaluation.coverage;
    let is_reached = report(NAME, &args.changes, reports, changes, coverage, &sources)?;
    Ok(match (is_reached, left_out(&evaluated)) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}

/// What is compared, read.
pub(crate) struct Changes {
    patch: Patch,
    untracked: Vec<BString>,
    /// With its file, for errors.
    baseline: Option<(PathBuf, Baseline)>,
}

impl Changes {
    /// `command` says who speaks.
    pub(crate) fn read(command: &str, args: &ChangeArgs) -> Result<Self, Error> {
        let mut untracked = Vec::new();
        let (path, bytes) = match (&args.base, &args.patch) {
            (Some(base), _) => {
                let changes = GitChanges::since(Path::new("."), base)?;
                for warning in &changes.warnings {
                    ui::say(format_args!("{command}: git: {warning}"));
                }
                let commit = changes.base.get(..12).unwrap_or(&changes.base);
                ui::say(format_args!(
                    "{command}: changes since {commit}, which HEAD and {base} have in common"
                ));
                untracked = changes.untracked;
                (PathBuf::from("git diff"), changes.patch)
            }
            (None, Some(path)) if path == Path::new("-") => {
                let path = PathBuf::from("standard input");
                let bytes = read(std::io::stdin().lock(), &path)?;
                (path, bytes)
            }
            (None, path) => {
                let path = path.clone().unwrap_or_default();
                let file = std::fs::File::open(&path).map_err(|source| Error::Read {
                    path: path.clone(),
                    source,
                })?;
                let bytes = read(file, &path)?;
                (path, bytes)
            }
        };
        let unusable = |path: &Path, reason: String| Error::Comparison {
            path: path.to_owned(),
            reason,
        };
        let mut patch = Patch::parse(&bytes).map_err(|error| unusable(&path, error.to_string()))?;
        if args.include_untracked {
            patch.add_new(std::mem::take(&mut untracked));
        }
        let baseline = match &args.baseline {
            None => None,
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|source| Error::Read {
                    path: path.clone(),
                    source,
                })?;
                let baseline = Baseline::parse(&bytes);
                let baseline = baseline.map_err(|error| unusable(path, error.to_string()))?;
                Some((path.clone(), baseline))
            }
        };
        Ok(Self {
            patch,
            untracked,
            baseline,
        })
    }
}

fn read(from: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_PATCH_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    if bytes.len() as u64 > MAX_PATCH_BYTES {
        return Err(Error::Comparison {
            path: path.to_owned(),
            reason: format!("expected a patch of at most {MAX_PATCH_BYTES} bytes, found more"),
        });
    }
    Ok(bytes)
}

/// Writes the reports; true if no gate is missed.
pub(crate) fn report(
    command: &str,
    args: &ChangeArgs,
    reports: PatchReports<'_>,
    changes: Changes,
    coverage: &Coverage,
    sources: &dyn Sources,
) -> Result<bool, Error> {
    let options = Options {
        repository: ui::repository(coverage),
        ..ui::report_options()
    };
    let Changes {
        patch,
        untracked,
        baseline,
    } = changes;
    let before = baseline.as_ref().map(|(_, baseline)| baseline);
    let found = PatchCoverage::new(coverage, &options, &patch, before);
    let found = found.map_err(|error| Error::Comparison {
        path: baseline.map(|(path, _)| path).unwrap_or_default(),
        reason: error.to_string(),
    })?;
    let plain = Options {
        width: None,
        colour: false,
        ..options.clone()
    };
    for (format, path) in reports.files {
        write_atomically(path, |out| (format.emit)(&found, &plain, out))?;
    }
    let mut text = Vec::new();
    let in_memory = (reports.stdout.emit)(&found, &options, &mut text);
    in_memory.expect("writing to memory does not fail");
    ui::print(&text)?;

    let new = measured_names(coverage, &options, &patch, &untracked);
    let new: Vec<String> = new.iter().map(|name| name.to_str_lossy().into()).collect();
    note(
        command,
        &new,
        "not known to git and not counted (--include-untracked)",
    );
    if let Some(repository) = &options.repository {
        let newer = found.files.iter().filter(|file| {
            let mut name = repository.clone();
            name.push(b'/');
            name.extend_from_slice(file.name.as_bytes());
            matches!(sources.read(name.as_bstr()), Source::Text { is_changed, .. } if is_changed)
        });
        let newer: Vec<String> = newer.map(|file| file.name.clone()).collect();
        note(
            command,
            &newer,
            "newer than the program, whose lines may have been others",
        );
    }
    Ok(check(command, args, &found))
}

/// One line for files of which there is the same to say.
fn note(command: &str, names: &[String], what: &str) {
    let shown = names.iter().take(SHOWN).map(String::as_str);
    let shown: Vec<&str> = shown.collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if !shown.is_empty() {
        let names = shown.join(", ");
        ui::say(format_args!("{command}: note: {what}: {names}{more}"));
    }
}

/// Says which gates are missed; true if none is.
fn check(command: &str, args: &ChangeArgs, found: &PatchCoverage) -> bool {
    let mut is_reached = true;
    if let Some(percent) = args.fail_under_patch {
        if let Some(missed) = found.check(percent) {
            ui::say(format_args!("{command}: --fail-under-patch: {missed}"));
            is_reached = false;
        } else if found.lines.total == 0 {
            ui::say(format_args!(
                "{command}: --fail-under-patch: passed, since no changed line holds code that is measured"
            ));
        }
    }
    if let Some(most) = args.fail_lost_lines
        && let Some(missed) = found.check_lost(most)
    {
        ui::say(format_args!("{command}: --fail-lost-lines: {missed}"));
        is_reached = false;
    }
    is_reached
}
