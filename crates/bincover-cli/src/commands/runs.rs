//! `bincover runs`: the records of the store's runs.

use std::fmt::Write as _;

use bincover::report::printable;
use bincover::{Error, Obtained, StoredRun};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::args::RunsArgs;
use crate::commands::{settle, store};
use crate::exit::Exit;
use crate::ui;

pub(crate) fn run(args: &RunsArgs) -> Result<Exit, Error> {
    let store = store(&args.store)?;
    settle(&store)?;
    let mut runs = store.runs()?;
    runs.retain(|run| {
        let is_of_context = args.context.is_none() || args.context == run.context;
        let is_uncovered = matches!(run.obtained, Obtained::None(_));
        is_of_context && (is_uncovered || !args.uncovered)
    });
    let text = match args.json {
        true => json(&runs, args.show_args),
        false => table(&runs, args.show_args),
    };
    ui::print(text.as_bytes())?;
    Ok(Exit::Done)
}

/// A longer cell has what comes after it further to the right, and not that of all rows.
const WIDEST: usize = 60;

/// A line for each run.
fn table(runs: &[StoredRun], with_args: bool) -> String {
    let rows: Vec<Vec<String>> = runs.iter().map(|run| row(run, with_args)).collect();
    let mut heads = vec!["began", "took", "ended", "coverage", "context", "program"];
    if with_args {
        heads.push("arguments");
    }
    let heads: Vec<String> = heads.into_iter().map(str::to_owned).collect();
    let mut widths = vec![0; heads.len()];
    for row in rows.iter().chain([&heads]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
        }
    }
    let mut text = String::new();
    for row in [&heads].into_iter().chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            // Writing to a string does not fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Arguments may hold secrets, so they are there if they were asked for.
fn row(run: &StoredRun, with_args: bool) -> Vec<String> {
    let program = match (&run.program, run.argv.first()) {
        (Some(path), _) => path.to_string_lossy().into_owned(),
        (None, Some(name)) => name.to_string_lossy().into_owned(),
        (None, None) => String::new(),
    };
    let began = i64::try_from(run.started_ms)
        .ok()
        .and_then(|time| Timestamp::from_millisecond(time).ok())
        .map(|time| time.to_zoned(TimeZone::system()));
    let mut cells = vec![
        began.map_or_else(String::new, |time| time.strftime("%F %T").to_string()),
        format!("{:.3} s", run.wall.as_secs_f64()),
        run.ended.to_string(),
        run.obtained.to_string(),
        run.context.clone().unwrap_or_default(),
        program,
    ];
    if with_args {
        let args = run.argv.iter().skip(1);
        let args: Vec<_> = args.map(|arg| arg.to_string_lossy()).collect();
        cells.push(args.join(" "));
    }
    // Nothing that a name holds moves the terminal's cursor.
    cells.iter().map(|cell| printable(cell)).collect()
}

/// A run as JSON; `docs/store.md` explains the fields.
#[derive(Serialize)]
struct Json<'a> {
    name: &'a str,
    context: Option<&'a str>,
    program: Option<String>,
    argv: Option<Vec<String>>,
    started_ms: u64,
    wall_us: u64,
    ended: String,
    exit_code: Option<i32>,
    coverage: &'static str,
    cause: Option<&'static str>,
    profiles: u64,
}

fn json(runs: &[StoredRun], with_args: bool) -> String {
    let lossy = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let runs: Vec<Json<'_>> = runs
        .iter()
        .map(|run| Json {
            name: &run.name,
            context: run.context.as_deref(),
            program: run.program.as_ref().map(|path| lossy(path.as_os_str())),
            argv: with_args.then(|| run.argv.iter().map(|arg| lossy(arg)).collect()),
            started_ms: run.started_ms,
            wall_us: u64::try_from(run.wall.as_micros()).unwrap_or(u64::MAX),
            ended: run.ended.to_string(),
            exit_code: run.ended.exit_code(),
            coverage: run.obtained.word(),
            cause: run.obtained.cause().map(|cause| cause.word()),
            profiles: run.profiles,
        })
        .collect();
    let text = serde_json::to_string_pretty(&runs);
    text.expect("strings and numbers are JSON") + "\n"
}
