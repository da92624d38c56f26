//! `merge`, `subtract` and `intersect`.

use std::path::Path;

use bincover::gocover::{HashKind, Pod, Program, Sums};
use bincover::{Error, GoMerged, GoReader, write_pods};

use crate::exit::Exit;
use crate::go::options::{Command, Options};
use crate::go::{done, read};
use crate::ui;

pub(super) fn run(name: &str, options: &Options) -> Result<Exit, Error> {
    let folder = options.output.as_deref().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::NoFolder {
            path: folder.to_owned(),
            folder: folder.to_owned(),
        });
    }
    let reader = match options.command {
        Command::Merge if options.pcombine => GoReader::new().in_highest_mode(),
        Command::Merge => GoReader::new(),
        _ => GoReader::new().by_origin(),
    };
    let merged = read(name, options, reader)?;
    let pods = pods(options, &merged);
    if pods.iter().any(|pod| pod.overflowed) {
        ui::say(format_args!(
            "{name}: warning: a counter overflowed and stays at its maximum"
        ));
    }
    write_pods(folder, &pods)?;
    Ok(done(&merged.ledger))
}

fn pods(options: &Options, merged: &GoMerged) -> Vec<Pod> {
    let is_wanted = |path: &[u8]| options.is_wanted(path);
    let sums = merged.programs.iter().map(|one| {
        let mut sums = one.sums.iter();
        // There is one for each input, or one.
        let mut first = sums.next().cloned();
        for other in sums {
            match (options.command, &mut first) {
                (Command::Subtract, Some(first)) => first.subtract(other),
                (Command::Intersect, Some(first)) => first.intersect(other),
                _ => {}
            }
        }
        first.map(|sums| (&one.program, sums))
    });
    let sums: Vec<(&Program, Sums)> = sums.flatten().collect();
    if options.pcombine {
        let programs: Vec<_> = sums
            .iter()
            .map(|(program, sums)| (*program, sums))
            .collect();
        let has_any = !programs.is_empty();
        let combined = || Pod::combined(&programs, is_wanted, HashKind::Fnv);
        return has_any.then(combined).into_iter().collect();
    }
    let pods = sums.iter().map(|(program, sums)| match options.selects() {
        true => Pod::of_packages(program, sums, is_wanted, HashKind::Fnv),
        false => Pod::of(program, sums),
    });
    pods.collect()
}
