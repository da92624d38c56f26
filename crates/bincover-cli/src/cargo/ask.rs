//! `cargo bincover diff`, `missing` and `ratchet`: what `bincover`'s commands of these names answer,
//! of what cargo ran and for the files that are reported on.

use super::args::{Line, Question};
use super::plan::Plan;
use super::report::{self, Evaluated};
use super::{Failure, NAME, settle};
use crate::commands::diff::{self, Changes};
use crate::commands::{missing, ratchet};
use crate::exit::Exit;

pub(super) fn answer(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    let (holds, evaluated) = match &line.question {
        None => return Ok(Exit::Done),
        Some(Question::Diff(args, formats)) => {
            let reports = formats.reports()?;
            let reports = reports.map_err(|reason| {
                Failure::usage(
                    reason,
                    "only one of them can be `-`; the others need a file",
                )
            })?;
            let changes = Changes::read(NAME, args)?;
            let evaluated = evaluated(plan, line)?;
            let (coverage, sources) = (evaluated.coverage(), evaluated.sources());
            let holds = diff::report(NAME, args, reports, changes, coverage, &sources)?;
            (holds, evaluated)
        }
        Some(Question::Missing(options)) => {
            let evaluated = evaluated(plan, line)?;
            missing::print(evaluated.coverage(), options.compact)?;
            (true, evaluated)
        }
        Some(Question::Ratchet(options)) => {
            let held = ratchet::read(NAME, options)?;
            let evaluated = evaluated(plan, line)?;
            let holds = ratchet::check(NAME, options, held, evaluated.coverage())?;
            (holds, evaluated)
        }
    };
    evaluated.say_mismatches();
    Ok(match (holds, evaluated.has_losses) {
        (false, _) => Exit::Threshold,
        (true, true) => Exit::LeftOut,
        (true, false) => Exit::Done,
    })
}

/// What was run; that nothing was reached is an error of its own.
fn evaluated(plan: &Plan, line: &Line) -> Result<Evaluated, Failure> {
    settle(plan, "environment")?;
    let evaluated = report::evaluated(plan, line)?;
    evaluated.check_reached()?;
    Ok(evaluated)
}
