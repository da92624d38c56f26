//! `bincover fold`: a folder of profiles stays as small as those that are being written.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use bincover::{Error, Folded, Folder, check_folder, write_atomically};

use crate::args::FoldArgs;
use crate::commands::end_signal;
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &FoldArgs) -> Result<Exit, Error> {
    if let Some(output) = &args.output {
        check_folder(output)?;
    }
    let mut folder = Folder::new(&args.folder);
    if args.assume_finished {
        folder = folder.assume_finished();
    }
    let mut files = 0;
    let mut has_losses = false;
    let mut note = |folded: &Folded| {
        ui::ledger("bincover", &folded.ledger);
        files += folded.files;
        has_losses |= folded.ledger.has_losses();
    };
    if args.follow {
        let ends = end_signal()?;
        folder.follow(args.every, |folded| {
            note(folded);
            match ends.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
    }
    // After a signal, what was finished in the meantime.
    let last = folder.fold()?;
    note(&last);
    for (path, error) in &last.unknown {
        ui::say(format_args!(
            "bincover: warning: `{}` is left alone: {error}",
            path.display()
        ));
    }
    let total = folder.total()?;
    if let (Some(output), Some(total)) = (&args.output, &total) {
        let bytes = std::fs::read(total).map_err(|source| Error::Read {
            path: total.clone(),
            source,
        })?;
        write_atomically(output, |out| out.write_all(&bytes))?;
    }
    say(&folder, files, &last)?;
    Ok(match (has_losses || !last.unknown.is_empty(), total) {
        (true, _) => Exit::LeftOut,
        (false, Some(_)) => Exit::Done,
        (false, None) => Exit::Nothing,
    })
}

fn say(folder: &Folder, files: u64, last: &Folded) -> Result<(), Error> {
    let in_use = match last.in_use.len() {
        0 => String::new(),
        count => format!("; {count} still being written"),
    };
    let total = folder.total_files()?;
    ui::say(format_args!(
        "bincover: folded {files} profiles, {total} in all{in_use}"
    ));
    Ok(())
}
