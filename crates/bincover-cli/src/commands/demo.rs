//! `bincover demo`: the whole way, on the example program.

use std::path::{Path, PathBuf};

use bincover::report::NoSources;
use bincover::{
    CargoBuild, Collected, Collector, Error, RunRecord, Signal, write_atomically, write_reports,
};

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::report_args::format;
use crate::ui::{self, Progress};

/// The example, as it stands in `examples/echo-arg`.
const SOURCE: &str = include_str!("../../../../examples/echo-arg/src/main.rs");

/// A workspace of its own, so that nothing around the demo's folder matters.
const MANIFEST: &str = "\
[package]
name = \"echo-arg\"
version = \"0.1.0\"
edition = \"2024\"

[workspace]
";

pub(crate) fn run(args: &DemoArgs) -> Result<Exit, Error> {
    let progress = Progress::start();
    let out = &args.out;
    let manifest = write_example(out)?;
    progress.step("building the example instrumented");
    let program = CargoBuild::new(&manifest)
        .target_dir(out.join("target"))
        .run()?
        .path;

    progress.step("running it to five different ends");
    remove_earlier_runs(out)?;
    let collector = Collector::builder(out.join("merged.profdata"))
        .keep_profiles(true)
        .build()?;
    run_all(&collector, &program)?;

    progress.step("merging and evaluating");
    let collected = collector.finish()?;
    let covered = collected.coverage()?;
    let coverage = &covered.evaluation.coverage;
    let options = ui::report_options();
    let reports = ["lcov", "cobertura"].map(format);
    let files = reports.map(|format| (format, out.join(format.default_file_name)));
    let written = write_reports(coverage, &options, &NoSources, files)?;
    progress.finish();

    ui::ledger("bincover", &collected.merged.ledger);
    let mut text = runs_table(&collected.runs).into_bytes();
    text.push(b'\n');
    let in_memory = format("table").write(coverage, &options, &NoSources, &mut text);
    in_memory.expect("writing to memory does not fail");
    text.extend(paths(&collected, &written).into_bytes());
    ui::print(&text)?;
    Ok(Exit::Done)
}

/// Puts the example into the demo's folder; returns its manifest.
fn write_example(out: &Path) -> Result<PathBuf, Error> {
    let folder = out.join("echo-arg");
    let fail = |path: &Path, source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let sources = folder.join("src");
    std::fs::create_dir_all(&sources).map_err(|source| fail(&sources, source))?;
    let manifest = folder.join("Cargo.toml");
    for (path, text) in [(&manifest, MANIFEST), (&sources.join("main.rs"), SOURCE)] {
        write_atomically(path, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(manifest)
}

/// The profiles of an earlier demo in this folder are of no use to anybody.
fn remove_earlier_runs(out: &Path) -> Result<(), Error> {
    let fail = |source| Error::Write {
        path: out.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(out).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("merged.profdata.runs-")
        {
            std::fs::remove_dir_all(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

fn run_all(collector: &Collector, program: &Path) -> Result<(), Error> {
    let command = || collector.command(program);
    command().arg("hello").run()?;
    command().run()?;
    command().args(["one", "two"]).run()?;
    command().arg("--abort").run()?;
    // It works until it is killed, which is as soon as it says that it works.
    command()
        .arg("--work")
        .on_output(|_, _, process| {
            // If it is gone already, the table shows how.
            let _ = process.signal(Signal::KILL);
        })
        .run()?;
    Ok(())
}

fn runs_table(runs: &[RunRecord]) -> String {
    let header = ["Arguments", "Ended", "Coverage"].map(str::to_owned);
    let rows = runs.iter().map(|run| {
        let args: Vec<String> = run
            .args
            .iter()
            .map(|arg| arg.display().to_string())
            .collect();
        let args = if args.is_empty() {
            "(none)".to_owned()
        } else {
            args.join(" ")
        };
        [args, run.ending.to_string(), run.obtained.to_string()]
    });
    let rows: Vec<[String; 3]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    let line = |[args, ended, coverage]: &[String; 3]| {
        format!("{args:first$}  {ended:second$}  {coverage}\n")
    };
    rows.iter().map(line).collect()
}

fn paths(collected: &Collected, written: &[PathBuf]) -> String {
    let all = collected
        .merged_profile
        .iter()
        .chain(written)
        .chain(&collected.profiles);
    let lines = all.map(|path| format!("wrote {}\n", from_here(path).display()));
    std::iter::once("\n".to_owned()).chain(lines).collect()
}

/// The path as seen from the working folder, if it is below it.
fn from_here(path: &Path) -> &Path {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}
