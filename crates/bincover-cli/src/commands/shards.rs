//! `bincover store`: one file for what another machine's runs reached, and many of them as one.

use bincover::{Error, combine_stores};

use crate::args::{StoreAction, StoreMergeArgs};
use crate::commands::{settle, store};
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(action: &StoreAction) -> Result<Exit, Error> {
    match action {
        StoreAction::Export(args) => {
            let store = store(&args.store)?;
            settle(&store)?;
            match args.with_args {
                true => store.export_with_arguments(&args.file)?,
                false => store.export(&args.file)?,
            }
            Ok(Exit::Done)
        }
        StoreAction::Merge(args) => merge(args),
    }
}

fn merge(args: &StoreMergeArgs) -> Result<Exit, Error> {
    if let Some(output) = &args.output {
        combine_stores(&args.files, output)?;
        return Ok(Exit::Done);
    }
    let store = store(&args.store)?;
    store.import(&args.files)?;
    ui::say(format_args!(
        "bincover: {} runs in {}",
        store.runs()?.len(),
        store.folder().display()
    ));
    Ok(Exit::Done)
}
