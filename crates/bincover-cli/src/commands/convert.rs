//! `bincover convert`: from reports to reports.

use std::path::Path;

use bincover::import::merge;
use bincover::{
    Error, GoInputs, GoMerged, ImportCause, Imported, SourceFiles, check_folder, write_atomically,
};

use crate::args::ConvertArgs;
use crate::exit::Exit;
use crate::go::convert;
use crate::report_args::Reports;
use crate::ui;

const NAME: &str = "bincover";

pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, Error> {
    let reports = Reports::new(&args.formats)?;
    if let Some(path) = &args.ledger {
        check_folder(path)?;
    }
    let mut go_inputs = GoInputs::default();
    let mut others: Vec<&Path> = Vec::new();
    let mut unreadable = Vec::new();
    for path in &args.inputs {
        match path.as_os_str() != "-" && path.exists() {
            true => match go_inputs.add(path) {
                Ok(true) => {}
                Ok(false) => others.push(path),
                Err(Error::Read { source, .. }) => unreadable.push((path, source)),
                Err(other) => return Err(other),
            },
            false => others.push(path),
        }
    }
    let mut imported = Imported::read(others.iter().copied());
    for (path, error) in unreadable {
        imported.leave_out(path, ImportCause::Inaccessible(error));
    }
    ui::imports(NAME, &imported.left_out);
    let mut go = match go_inputs.is_empty() {
        true => GoMerged::default(),
        false => convert::read(NAME, &go_inputs),
    };
    if let Some(path) = &args.ledger {
        let json = crate::ledger::import_json(&imported, &go.ledger);
        write_atomically(path, |out| out.write_all(json.as_bytes()))?;
    }
    let left_out = imported.left_out.len() + go.ledger.entries.len();
    if args.strict && left_out > 0 {
        return Err(Error::NothingToMerge {
            reason: format!("{left_out} entries in the ledger, and --strict allows none"),
        });
    }
    let mut all = std::mem::take(&mut imported.reports);
    if go.mode().is_some() {
        let rule = args.go.go_lines.into();
        all.push(convert::evaluate(NAME, &mut go, &args.go.go_module, rule)?);
    }
    if all.is_empty() {
        return Err(Error::NothingToMeasure {
            reason: format!("none of {} inputs could be used", args.inputs.len()),
        });
    }
    let coverage = merge(all);
    reports.write(
        &coverage,
        &args.look.options(&coverage),
        &SourceFiles::default(),
    )?;
    let missed = args.gates.missed(&coverage);
    for (option, missed) in &missed {
        ui::say(format_args!("{NAME}: {option}: {missed}"));
    }
    let has_losses = !imported.left_out.is_empty() || go.ledger.has_losses();
    Ok(match (missed.is_empty(), has_losses) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}
