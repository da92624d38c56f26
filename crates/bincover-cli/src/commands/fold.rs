//! `bincover fold`: a folder of profiles stays as small as those that are being written.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use bincover::{Error, Folded, Folder, Loose, check_folder, write_atomically};

use crate::args::{FoldArgs, StoreArgs};
use crate::commands::{CONTEXT_OF_LOOSE, end_signal, store};
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &FoldArgs) -> Result<Exit, Error> {
    if let Some(output) = &args.output {
        check_folder(output)?;
    }
    let Some(folder) = &args.folder else {
        return into_store(args);
    };
    let mut folder = Folder::new(folder);
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

/// What programs write in an environment of `bincover env`, as one run of the store.
fn into_store(args: &FoldArgs) -> Result<Exit, Error> {
    let store = store(&StoreArgs {
        store: args.store.clone(),
    })?;
    let mut all = Loose::default();
    let mut note = |loose: &Loose| {
        all.profiles += loose.profiles;
        all.left_out += loose.left_out;
        all.in_use = loose.in_use;
    };
    let ends = end_signal()?;
    let mut is_last = !args.follow;
    store.follow_loose(Some(CONTEXT_OF_LOOSE), args.every, |loose| {
        note(loose);
        // After a signal, once more: what was finished in the meantime.
        match std::mem::replace(&mut is_last, ends.load(Ordering::Relaxed)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let in_use = match all.in_use {
        0 => String::new(),
        count => format!("; {count} still being written"),
    };
    ui::say(format_args!(
        "bincover: folded {} profiles into {}{in_use}",
        all.profiles,
        store.folder().display()
    ));
    Ok(match (all.left_out, store.tally()?.is_empty()) {
        (0, false) => Exit::Done,
        (0, true) => Exit::Nothing,
        _ => Exit::LeftOut,
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
