//! `bincover clean`: the store begins anew.

use bincover::Error;

use crate::args::CleanArgs;
use crate::commands::store;
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &CleanArgs) -> Result<Exit, Error> {
    let store = store(&args.store)?;
    store.add_loose(&store.loose_folder(), None)?;
    let cleaned = store.clean()?;
    let going_on = match cleaned.going_on {
        0 => String::new(),
        count => format!("; {count} going on will be in it"),
    };
    ui::say(format_args!(
        "bincover: deleted {} runs from {}{going_on}",
        cleaned.runs,
        store.folder().display()
    ));
    Ok(Exit::Done)
}
