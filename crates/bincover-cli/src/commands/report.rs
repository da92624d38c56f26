//! `bincover report`: everything that the runs reached.

use std::path::{Path, PathBuf};

use bincover::mapping::Options;
use bincover::profile::Merged;
use bincover::profile::indexed::{self, WriteOptions};
use bincover::report::Format;
use bincover::{
    Contents, Error, Objects, ProfileInput, check_folder, merge_files, profiles_below,
    write_atomically, write_reports,
};

use crate::args::ReportArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Error> {
    let reports = Reports::new(args)?;
    let Inputs { merged, objects } = inputs(args)?;
    ui::ledger(NAME, &merged.ledger);
    let ledger = &merged.ledger;
    if ledger.unused_inputs() == ledger.inputs {
        write_ledger(args, || crate::ledger::json(ledger))?;
        return Err(Error::NothingToMeasure {
            reason: match ledger.inputs {
                0 => "none of the runs left a profile".to_owned(),
                inputs => format!("none of {inputs} profiles could be used"),
            },
        });
    }
    let explain = Options {
        explain: true,
        ..Options::default()
    };
    let covered = match objects.coverage_with(&merged.profile, &explain) {
        Ok(covered) => covered,
        Err(error) => {
            write_ledger(args, || crate::ledger::failed_json(ledger, &error))?;
            return Err(error);
        }
    };
    for (path, error) in covered.without_mapping.iter().chain(&covered.damaged) {
        ui::say(format_args!(
            "{NAME}: left out: {}: {error}",
            path.display()
        ));
    }

    write_ledger(args, || crate::ledger::report_json(ledger, &covered))?;
    if let Some(path) = &args.profdata {
        let bytes = indexed::write(&merged.profile, &WriteOptions::default());
        write_atomically(path, |out| out.write_all(&bytes))?;
    }
    let options = bincover::report::Options {
        demangle: args.demangle,
        instantiations: args.instantiations.map(Into::into),
        ..ui::report_options()
    };
    let coverage = &covered.evaluation.coverage;
    write_reports(coverage, &options, reports.files)?;
    let mut text = Vec::new();
    let in_memory = (reports.stdout.emit)(coverage, &options, &mut text);
    in_memory.expect("writing to memory does not fail");
    ui::print(&text)?;
    ui::mismatches(NAME, &covered.evaluation, args.ledger.as_deref());
    let left_out =
        ledger.has_losses() || !covered.without_mapping.is_empty() || !covered.damaged.is_empty();
    Ok(if left_out { Exit::LeftOut } else { Exit::Done })
}

/// Writes the ledger, which is not made unless it was asked for.
fn write_ledger(args: &ReportArgs, json: impl FnOnce() -> String) -> Result<(), Error> {
    let Some(path) = &args.ledger else {
        return Ok(());
    };
    let json = json();
    write_atomically(path, |out| out.write_all(json.as_bytes()))
}

/// Which reports go where.
struct Reports {
    stdout: &'static Format,
    files: Vec<(&'static Format, PathBuf)>,
}

impl Reports {
    /// Decides, and checks the files' folders before anything is computed.
    fn new(args: &ReportArgs) -> Result<Self, Error> {
        let mut reports = Self {
            stdout: format("table"),
            files: Vec::new(),
        };
        for (name, path) in [("lcov", &args.lcov), ("cobertura", &args.cobertura)] {
            match path {
                Some(path) if path == Path::new("-") => reports.stdout = format(name),
                Some(path) => {
                    check_folder(path)?;
                    reports.files.push((format(name), path.clone()));
                }
                None => {}
            }
        }
        for path in args.profdata.iter().chain(&args.ledger) {
            check_folder(path)?;
        }
        Ok(reports)
    }
}

/// A format by its name in the table of formats.
pub(crate) fn format(name: &str) -> &'static Format {
    Format::named(name).expect("the table of formats has the names that are used here")
}

/// What is reported on.
struct Inputs {
    merged: Merged,
    objects: Objects,
}

/// The profiles and objects that were given; in place of either, the store's.
fn inputs(args: &ReportArgs) -> Result<Inputs, Error> {
    if !args.profile.is_empty() && !args.object.is_empty() {
        return Ok(Inputs {
            merged: given(&args.profile)?,
            objects: Objects::open(&args.object)?,
        });
    }
    let store = store(&args.store)?;
    store.add_loose(&store.loose_folder(), Some("environment"))?;
    let contents = store.contents().map_err(|error| match error {
        Error::NothingToMeasure { .. } => Error::NothingToMeasure {
            reason: format!(
                "{} was given, and there are no runs in `{}` (`bincover run` makes some)",
                match args.profile.is_empty() {
                    true => "no profile",
                    false => "no object",
                },
                store.folder().display()
            ),
        },
        other => other,
    })?;
    if !args.profile.is_empty() {
        return Ok(Inputs {
            merged: given(&args.profile)?,
            objects: contents.objects,
        });
    }
    say_of_store(&contents);
    let objects = match args.object.is_empty() {
        true => contents.objects,
        false => Objects::open(&args.object)?,
    };
    Ok(Inputs {
        merged: contents.merged,
        objects,
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
