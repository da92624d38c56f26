//! `bincover report`: everything that the runs reached.

use std::path::{Path, PathBuf};

use bincover::mapping::Options;
use bincover::profile::indexed::{self, WriteOptions};
use bincover::report::Format;
use bincover::{
    Error, Objects, ProfileInput, Store, check_folder, merge_files, profiles_below,
    write_atomically, write_reports,
};

use crate::args::ReportArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Error> {
    let reports = Reports::new(args)?;
    let store = store(&args.store);
    let profiles = profiles(args, &store)?;
    let objects = Objects::open(object_paths(args, &store)?)?;

    let merged = merge_files(profiles.into_iter().map(ProfileInput::from));
    ui::ledger(NAME, &merged.ledger);
    let ledger = &merged.ledger;
    if ledger.unused_inputs() == ledger.inputs {
        write_ledger(args, || crate::ledger::json(ledger))?;
        return Err(Error::NothingToMeasure {
            reason: format!("none of {} profiles could be used", ledger.inputs),
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

fn profiles(args: &ReportArgs, store: &Store) -> Result<Vec<PathBuf>, Error> {
    let mut profiles = Vec::new();
    for path in &args.profile {
        profiles.extend(profiles_below(path)?);
    }
    if args.profile.is_empty() {
        if !store.folder().is_dir() {
            let reason = format!(
                "no profile was given and there is no store `{}` (`bincover run` makes one)",
                store.folder().display()
            );
            return Err(Error::NothingToMeasure { reason });
        }
        profiles = store.profiles()?;
    }
    if profiles.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: "no profile was found".to_owned(),
        });
    }
    Ok(profiles)
}

/// The objects that were given, else the programs that the store's runs ran, each once.
fn object_paths(args: &ReportArgs, store: &Store) -> Result<Vec<PathBuf>, Error> {
    if !args.object.is_empty() {
        return Ok(args.object.clone());
    }
    let mut programs = Vec::new();
    if store.folder().is_dir() {
        for program in store.runs()?.into_iter().filter_map(|run| run.program) {
            let is_instrumented =
                bincover::instrumentation(&program).is_some_and(|found| found.mapping);
            if is_instrumented && !programs.contains(&program) {
                programs.push(program);
            }
        }
    }
    if programs.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: "no instrumented binary was given (--object) or run".to_owned(),
        });
    }
    Ok(programs)
}
