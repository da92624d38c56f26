//! `bincover report`: everything that the runs reached.

use std::path::{Path, PathBuf};

use bincover::mapping::Options;
use bincover::profile::Merged;
use bincover::profile::indexed::{self, WriteOptions};
use bincover::{
    Contents, Covered, Error, GoInputs, GoMerged, Objects, ProfileInput, SourceFiles, check_folder,
    check_left, merge_files, profiles_below, write_atomically,
};

use crate::args::{InputArgs, ReportArgs};
use crate::commands::{settle, store};
use crate::exit::Exit;
use crate::go::convert;
use crate::report_args::Reports;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Error> {
    let reports = Reports::new(&args.formats)?;
    for path in args.profdata.iter().chain(&args.ledger) {
        check_folder(path)?;
    }
    let evaluated = evaluated(&args.inputs, args.ledger.as_deref())?;
    let Evaluated {
        merged, covered, ..
    } = &evaluated;
    if let Some(path) = &args.profdata {
        let bytes = indexed::write(&merged.profile, &WriteOptions::default());
        write_atomically(path, |out| out.write_all(&bytes))?;
    }
    let coverage = &covered.evaluation.coverage;
    let sources = SourceFiles::of(covered.objects.iter().map(PathBuf::as_path));
    reports.write(coverage, &args.look.options(coverage), &sources)?;
    ui::mismatches(NAME, &covered.evaluation, args.ledger.as_deref());
    let is_reached = args.gates.check(NAME, coverage);
    Ok(match (is_reached, left_out(&evaluated)) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}

/// The merged profile and what it covers.
pub(crate) struct Evaluated {
    pub(crate) merged: Merged,
    pub(crate) go: GoMerged,
    pub(crate) covered: Covered,
}

/// Merges and evaluates; says what is left out, and writes it to `ledger_path`.
pub(crate) fn evaluated(args: &InputArgs, ledger_path: Option<&Path>) -> Result<Evaluated, Error> {
    let mut evaluated = evaluated_whole(args, ledger_path)?;
    let covered = &mut evaluated.covered;
    let sources = SourceFiles::of(covered.objects.iter().map(PathBuf::as_path));
    let coverage = &mut covered.evaluation.coverage;
    let selected = args.selection.apply(NAME, coverage, &sources)?;
    write_ledger(ledger_path, || {
        let ledgers = (&evaluated.merged.ledger, &evaluated.go.ledger);
        crate::ledger::report_json(ledgers, &evaluated.covered, &selected)
    })?;
    check_left(&evaluated.covered.evaluation.coverage)?;
    Ok(evaluated)
}

/// As [`evaluated`], with all files and lines and as they were compiled.
pub(crate) fn unselected(args: &InputArgs) -> Result<Evaluated, Error> {
    evaluated_whole(args, None)
}

fn evaluated_whole(args: &InputArgs, ledger_path: Option<&Path>) -> Result<Evaluated, Error> {
    let mut given_go = GoInputs::default();
    let profiles = convert::split(&args.profile, &mut given_go)?;
    let Inputs {
        merged,
        objects,
        mut go,
    } = match given_go.is_empty() {
        true => inputs(args, &profiles)?,
        false => Inputs {
            go: convert::read(NAME, &given_go),
            ..beside_go(args, &profiles)?
        },
    };
    ui::ledger(NAME, &merged.ledger);
    let ledger = &merged.ledger;
    let inputs = ledger.inputs + go.ledger.inputs;
    if ledger.unused_inputs() + go.ledger.unused_inputs() == inputs {
        write_ledger(ledger_path, || crate::ledger::json(ledger, &go.ledger))?;
        return Err(Error::NothingToMeasure {
            reason: match inputs {
                0 => "none of the runs left a profile".to_owned(),
                inputs => format!("none of {inputs} profiles could be used"),
            },
        });
    }
    let explain = Options {
        explain: true,
        ..Options::default()
    };
    let covered = match &objects {
        Some(objects) => objects.coverage_with(&merged.profile, &explain),
        None => Ok(Covered::default()),
    };
    let mut covered = match covered {
        Ok(covered) => covered,
        Err(error) => {
            write_ledger(ledger_path, || {
                crate::ledger::failed_json(ledger, &go.ledger, &error)
            })?;
            return Err(error);
        }
    };
    if go.mode().is_some() {
        let rule = args.go.go_lines.into();
        let of_go = convert::evaluate(NAME, &mut go, &args.go.go_module, rule)?;
        let coverage = std::mem::take(&mut covered.evaluation.coverage);
        covered.evaluation.coverage = coverage.join(of_go);
    }
    for (path, error) in covered.without_mapping.iter().chain(&covered.damaged) {
        ui::say(format_args!(
            "{NAME}: left out: {}: {error}",
            path.display()
        ));
    }
    Ok(Evaluated {
        merged,
        go,
        covered,
    })
}

/// Whether something is missing that was to be in the report.
pub(crate) fn left_out(evaluated: &Evaluated) -> bool {
    let Evaluated {
        merged,
        go,
        covered,
    } = evaluated;
    merged.ledger.has_losses()
        || go.ledger.has_losses()
        || !covered.without_mapping.is_empty()
        || !covered.damaged.is_empty()
}

/// Writes the ledger, which is not made unless it was asked for.
fn write_ledger(path: Option<&Path>, json: impl FnOnce() -> String) -> Result<(), Error> {
    let Some(path) = path else {
        return Ok(());
    };
    let json = json();
    write_atomically(path, |out| out.write_all(json.as_bytes()))
}

/// What is reported on.
struct Inputs {
    merged: Merged,
    /// None where there is Go's data alone.
    objects: Option<Objects>,
    go: GoMerged,
}

/// What there is beside Go's data: nothing, or profiles and objects that were given.
fn beside_go(args: &InputArgs, profiles: &[PathBuf]) -> Result<Inputs, Error> {
    let mut files = Vec::new();
    for path in profiles {
        files.extend(profiles_below(path)?);
    }
    if files.is_empty() && args.object.is_empty() {
        return Ok(Inputs {
            merged: merge_files([]),
            objects: None,
            go: GoMerged::default(),
        });
    }
    if files.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: "objects were given, and no profile of LLVM for them".to_owned(),
        });
    }
    if args.object.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: "profiles of LLVM were given beside those of Go, and no object for them"
                .to_owned(),
        });
    }
    Ok(Inputs {
        merged: merge_files(files.into_iter().map(ProfileInput::from)),
        objects: Some(Objects::open(&args.object)?),
        go: GoMerged::default(),
    })
}

/// The profiles and objects that were given; in place of either, the store's.
fn inputs(args: &InputArgs, profiles: &[PathBuf]) -> Result<Inputs, Error> {
    if !profiles.is_empty() && !args.object.is_empty() {
        return Ok(Inputs {
            merged: given(profiles)?,
            objects: Some(Objects::open(&args.object)?),
            go: GoMerged::default(),
        });
    }
    let store = store(&args.store)?;
    settle(&store)?;
    let contents = store.contents().map_err(|error| match error {
        Error::NothingToMeasure { .. } => Error::NothingToMeasure {
            reason: format!(
                "{} was given, and there are no runs in `{}` (`bincover run` makes some)",
                match profiles.is_empty() {
                    true => "no profile",
                    false => "no object",
                },
                store.folder().display()
            ),
        },
        other => other,
    })?;
    if !profiles.is_empty() {
        return Ok(Inputs {
            merged: given(profiles)?,
            objects: Some(contents.objects),
            go: GoMerged::default(),
        });
    }
    say_of_store(&contents);
    let objects = match args.object.is_empty() {
        true if contents.objects.is_empty() && !contents.go.programs.is_empty() => None,
        true => Some(contents.objects),
        false => Some(Objects::open(&args.object)?),
    };
    Ok(Inputs {
        merged: contents.merged,
        objects,
        go: contents.go,
    })
}

/// The profiles that were given, and those in the folders that were given, merged.
fn given(paths: &[PathBuf]) -> Result<Merged, Error> {
    let mut profiles = Vec::new();
    for path in paths {
        profiles.extend(profiles_below(path)?);
    }
    if profiles.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: "no profile was found".to_owned(),
        });
    }
    Ok(merge_files(profiles.into_iter().map(ProfileInput::from)))
}

/// What is in the store and not in the report, or not in the store though it was run.
fn say_of_store(contents: &Contents) {
    for old in &contents.superseded {
        ui::say(format_args!(
            "{NAME}: note: an older build of {} is not in the report (build {})",
            old.path.display(),
            old.build
        ));
    }
    if contents.uncovered > 0 {
        ui::say(format_args!(
            "{NAME}: warning: {} of {} runs left no coverage (`bincover runs --uncovered` lists them)",
            contents.uncovered, contents.runs
        ));
    }
}
