//! `bincover missing`: where it is not covered.

use bincover::Error;
use bincover::model::Coverage;
use bincover::report::missing;

use crate::args::MissingArgs;
use crate::commands::report::{evaluated, left_out};
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &MissingArgs) -> Result<Exit, Error> {
    let evaluated = evaluated(&args.inputs, None)?;
    print(&evaluated.covered.evaluation.coverage, args.compact)?;
    Ok(match left_out(&evaluated) {
        true => Exit::LeftOut,
        false => Exit::Done,
    })
}

/// Prints the list, or one with a line for each file.
pub(crate) fn print(coverage: &Coverage, is_compact: bool) -> Result<(), Error> {
    let options = bincover::report::Options {
        repository: ui::repository(coverage),
        ..ui::report_options()
    };
    let emit = match is_compact {
        true => missing::emit_compact,
        false => missing::emit,
    };
    let mut text = Vec::new();
    emit(coverage, &options, &mut text).expect("writing to memory does not fail");
    ui::print(&text)
}
