//! `bincover paths explain`: which rule takes a file where.

use bincover::report::{Options, printable, printable_at_start};
use bincover::{Error, Exclusions, PathTrace, SourceFiles};
use bstr::{BStr, ByteSlice};

use crate::args::{ExplainArgs, PathsAction};
use crate::commands::report::unselected;
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(action: &PathsAction) -> Result<Exit, Error> {
    let PathsAction::Explain(args) = action;
    explain(args)
}

fn explain(args: &ExplainArgs) -> Result<Exit, Error> {
    let selection = &args.inputs.selection;
    let paths = selection.paths.prepare()?;
    let asked = args.file.as_os_str().as_encoded_bytes().as_bstr();
    let evaluated = match unselected(&args.inputs) {
        Ok(evaluated) => Some(evaluated),
        Err(error @ Error::NothingToMeasure { .. }) => {
            ui::say(format_args!("bincover: note: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    let coverage = evaluated.map(|one| one.covered.evaluation.coverage);
    let mut coverage = coverage.unwrap_or_default();
    let names = coverage
        .measured_files()
        .map(|file| paths.trace(file.name.as_bstr()));
    let found: Vec<PathTrace> = names
        .filter(|trace| ends_with(&trace.original, asked) || ends_with(&trace.name, asked))
        .collect();
    if found.is_empty() {
        ui::print(b"no file of the report has this name; of one that had:\n")?;
        return print(&[paths.trace(asked)], &Options::default(), &[]);
    }
    let sources = SourceFiles::default();
    // Whole files only.
    let all = selection.exclusions();
    let exclusions = Exclusions {
        include_files: all.include_files,
        exclude_files: all.exclude_files,
        skip: all.skip,
        ..Exclusions::default()
    };
    (coverage, _) = paths.apply(coverage);
    exclusions.apply(&mut coverage, &sources)?;
    let options = Options {
        repository: ui::repository(&coverage),
        ..Options::default()
    };
    let out: Vec<(&BStr, &str)> = coverage
        .excluded_files()
        .filter_map(|file| Some((file.name.as_bstr(), file.excluded.file_rule()?)))
        .collect();
    print(&found, &options, &out)
}

/// Whether a name is this one, or ends in it after a separator.
fn ends_with(name: &[u8], end: &BStr) -> bool {
    let before = name.strip_suffix(end.as_bytes());
    before.is_some_and(|before| matches!(before.last(), None | Some(b'/' | b'\\')))
}

fn print(traces: &[PathTrace], options: &Options, out: &[(&BStr, &str)]) -> Result<Exit, Error> {
    let mut text = String::new();
    let shown = |name: &[u8]| printable(&name.to_str_lossy());
    for trace in traces {
        let original = printable_at_start(&trace.original.to_str_lossy());
        text += &format!("{original}\n");
        for step in &trace.steps {
            text += &format!("  {step}\n");
        }
        let rule = out.iter().find(|(name, _)| *name == trace.name);
        if let Some((_, rule)) = rule {
            text += &format!("  left out by {}\n", printable(rule));
            continue;
        }
        if trace.is_dropped {
            text += "  left out by only-found\n";
            continue;
        }
        let root = options.repository.as_ref();
        let relative = root.and_then(|root| {
            let rest = trace.name.strip_prefix(root.as_slice())?;
            rest.strip_prefix(b"/")
        });
        match relative {
            Some(relative) => {
                let relative = shown(relative);
                text += &format!("  in the repository: {relative}\n");
            }
            None => text += &format!("  in reports: {}\n", shown(&trace.name)),
        }
    }
    ui::print(text.as_bytes())?;
    Ok(Exit::Done)
}
