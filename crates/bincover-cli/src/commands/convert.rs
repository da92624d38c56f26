//! `bincover convert`: from reports to reports.

use std::path::Path;

use bincover::import::merge;
use bincover::{
    Error, GoInputs, GoMerged, ImportCause, Imported, SourceFiles, check_folder, check_left,
    write_atomically,
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
    let inputs = (imported.reports.len() + imported.left_out.len()) as u64 + go.ledger.inputs;
    let left_out = imported.left_out.len() + go.ledger.entries.len();
    if args.strict && left_out > 0 {
        write_ledger(args, || {
            crate::ledger::import_json(inputs, &imported.left_out, &go.ledger, None)
        })?;
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
        write_ledger(args, || {
            crate::ledger::import_json(inputs, &imported.left_out, &go.ledger, None)
        })?;
        return Err(Error::NothingToMeasure {
            reason: format!("none of {} inputs could be used", args.inputs.len()),
        });
    }
    let sources = SourceFiles::default();
    let selection = &args.selection;
    let (coverage, selected) = selection.apply_to_each(NAME, all, merge, &sources)?;
    write_ledger(args, || {
        crate::ledger::import_json(
            inputs,
            &imported.left_out,
            &go.ledger,
            Some((&coverage, &selected)),
        )
    })?;
    check_left(&coverage)?;
    reports.write(&coverage, &args.look.options(&coverage), &sources)?;
    let is_reached = args.gates.check(NAME, &coverage);
    let has_losses = !imported.left_out.is_empty() || go.ledger.has_losses();
    Ok(match (is_reached, has_losses) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}

fn write_ledger(args: &ConvertArgs, json: impl FnOnce() -> String) -> Result<(), Error> {
    let Some(path) = &args.ledger else {
        return Ok(());
    };
    let json = json();
    write_atomically(path, |out| out.write_all(json.as_bytes()))
}
