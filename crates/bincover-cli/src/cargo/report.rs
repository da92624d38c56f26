//! Reports on what cargo ran.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bincover::mapping::Options;
use bincover::model::{Coverage, FileId, Tally};
use bincover::profile::indexed::{self, WriteOptions};
use bincover::report::{self as emitters, NoSources, Parts, Source, Sources, lcov, llvm_json};
use bincover::{
    Contents, Covered, Error, Obtained, SourceFiles, Store, check_folder, check_left, check_report,
    write_atomically, write_reports,
};
use bstr::{BStr, ByteSlice};

use super::args::{FailureMode, Line};
use super::files::{self, Files};
use super::plan::Plan;
use super::{Failure, NAME};
use crate::exit::Exit;
use crate::ui::{self, Live};

/// What would fail in the end is said before anything is built.
pub(super) fn check(line: &Line) -> Result<(), Failure> {
    let report = &line.options.report;
    for path in report.output_path.iter().chain(&report.profdata) {
        check_folder(path)?;
    }
    for (format, path) in &report.also {
        check_report(format, path)?;
    }
    if report.text && !line.options.selection.is_empty() {
        return Err(Failure::usage(
            "--text shows all lines, as `llvm-cov show` does, and nothing can be left out of it"
                .to_owned(),
            "--html shows the sources too",
        ));
    }
    if let Some(expression) = &line.options.files.ignore_filename_regex {
        files::check(expression)?;
    }
    if let Some(path) = &report.output_path
        && (report.html || report.open)
    {
        return Err(Failure::usage(
            format!(
                "--html makes a folder of pages, and `{}` is a file",
                path.display()
            ),
            "use --output-dir",
        ));
    }
    Ok(())
}

/// What was run, for the files that are wanted.
pub(super) struct Evaluated {
    pub(super) contents: Contents,
    files: Files,
    covered: Covered,
    /// Something is missing that was to be in the report.
    pub(super) has_losses: bool,
}

impl Evaluated {
    pub(super) fn coverage(&self) -> &Coverage {
        &self.covered.evaluation.coverage
    }

    pub(super) fn sources(&self) -> SourceFiles {
        SourceFiles::of(self.contents.objects.files().map(|(path, _)| path))
    }

    /// Functions of another build than the profile's.
    pub(super) fn say_mismatches(&self) {
        ui::mismatches(NAME, &self.covered.evaluation, None);
    }

    /// That nothing was reached is no 0 %.
    pub(super) fn check_reached(&self) -> Result<(), Failure> {
        let totals = self.coverage().totals();
        if totals.regions.covered > 0 || totals.lines.covered > 0 {
            return Ok(());
        }
        Err(nothing(Error::NothingToMeasure {
            reason: match totals.lines.total {
                0 => "no source file is left to report on".to_owned(),
                lines => format!("none of {lines} lines was reached"),
            },
        }))
    }
}

/// Merges and evaluates, and says what is left out.
pub(super) fn evaluated(plan: &Plan, line: &Line) -> Result<Evaluated, Failure> {
    // Programs that cargo did not build for us, but in our environment.
    let mut folders = vec![plan.target_dir.clone(), plan.workspace.target_dir.clone()];
    folders.dedup();
    let live = Live::start();
    live.show("making the report");
    plan.store.find_binaries(&folders)?;
    let contents = plan.store.contents().map_err(nothing)?;
    let ledger = &contents.merged.ledger;
    drop(live);
    ui::ledger(NAME, ledger);
    if ledger.unused_inputs() == ledger.inputs {
        let reason = match contents.runs {
            0 => "nothing was run".to_owned(),
            runs => format!("none of {runs} runs left a profile"),
        };
        return Err(nothing(Error::NothingToMeasure { reason }));
    }
    let files = Files::new(plan, line)?;
    let is_wanted = |name: &BStr| files.wants(name);
    let mut covered = contents.objects.coverage_with(
        &contents.merged.profile,
        &Options {
            wanted: Some(&is_wanted),
            ..Options::default()
        },
    )?;
    for (path, error) in covered.without_mapping.iter().chain(&covered.damaged) {
        ui::say(format_args!(
            "{NAME}: left out: {}: {error}",
            path.display()
        ));
    }
    let sources = SourceFiles::of(contents.objects.files().map(|(path, _)| path));
    let selection = &line.options.selection;
    selection.apply(NAME, &mut covered.evaluation.coverage, &sources)?;
    check_left(&covered.evaluation.coverage)?;
    let is_failure = line.options.files.failure_mode == FailureMode::Any;
    let has_losses = ledger.has_losses() && is_failure
        || !covered.without_mapping.is_empty()
        || !covered.damaged.is_empty();
    Ok(Evaluated {
        contents,
        files,
        covered,
        has_losses,
    })
}

pub(super) fn report(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    let options = &line.options.report;
    let evaluated = evaluated(plan, line)?;
    let Evaluated {
        contents, files, ..
    } = &evaluated;
    let coverage = evaluated.coverage();
    let mut written = Vec::new();
    written.extend(write(plan, line, contents, coverage, files)?);
    written.extend(also(plan, line, &evaluated)?);
    if let Some(path) = &options.profdata {
        write_profile(contents, path)?;
        written.push(path.clone());
    }
    if options.show_missing_lines {
        ui::print(missing_lines(coverage).as_bytes())?;
    }
    evaluated.say_mismatches();
    say_runs(&plan.store)?;
    say_totals(coverage, &written);
    evaluated.check_reached()?;
    if !line.options.gates.check(NAME, coverage) {
        return Ok(Exit::Threshold);
    }
    Ok(match evaluated.has_losses {
        true => Exit::LeftOut,
        false => Exit::Done,
    })
}

fn nothing(error: Error) -> Failure {
    let mut failure = Failure::from(error);
    if failure.exit == Exit::Nothing {
        failure.hint =
            Some("are there tests, and do they run what the workspace builds?".to_owned());
    }
    failure
}

/// Writes the report that was asked for. Returns where it is, unless that is standard output.
fn write(
    plan: &Plan,
    line: &Line,
    contents: &Contents,
    coverage: &Coverage,
    files: &Files,
) -> Result<Option<PathBuf>, Failure> {
    let options = &line.options.report;
    if options.html || options.open {
        return pages(plan, line, coverage, contents);
    }
    if options.text {
        return show(plan, line, contents, files);
    }
    let measured = coverage
        .files
        .iter()
        .zip(0..)
        .filter(|(file, _)| !file.is_blank());
    let ids: Vec<FileId> = measured.map(|(_, id)| FileId(id)).collect();
    let parts = Parts {
        summary_only: options.summary_only,
        skip_functions: options.skip_functions,
        ..Parts::default()
    };
    let emit = |out: &mut dyn Write| match (options.lcov, options.json) {
        (true, _) => lcov::emit_files(coverage, &ids, &parts, out),
        (_, true) => llvm_json::emit(coverage, &ids, &parts, out),
        _ => {
            let name = match (options.cobertura, options.codecov) {
                (true, _) => "cobertura",
                (_, true) => "codecov",
                _ => "table",
            };
            let root = plan.workspace.root.as_os_str().as_encoded_bytes();
            let chosen = emitters::Options {
                root: Some(root.into()),
                repository: ui::repository(coverage),
                ..ui::report_options()
            };
            let to_file = emitters::Options {
                width: None,
                colour: false,
                ..chosen.clone()
            };
            let is_file = options.output_path.is_some();
            let chosen = if is_file { to_file } else { chosen };
            crate::report_args::format(name).write(coverage, &chosen, &NoSources, out)
        }
    };
    match &options.output_path {
        Some(path) => write_atomically(path, |out| emit(out))?,
        None => {
            let mut text = Vec::new();
            emit(&mut text).expect("writing to memory does not fail");
            ui::print(&text)?;
        }
    }
    Ok(options.output_path.clone())
}

/// The reports of other formats that were asked for besides.
fn also(plan: &Plan, line: &Line, evaluated: &Evaluated) -> Result<Vec<PathBuf>, Failure> {
    let coverage = evaluated.coverage();
    let chosen = emitters::Options {
        repository: ui::repository(coverage),
        width: None,
        colour: false,
        ..ui::report_options()
    };
    let sources = OfWorkspace {
        files: evaluated.sources(),
        root: &plan.workspace.root,
    };
    let reports = line.options.report.also.iter().cloned();
    Ok(write_reports(coverage, &chosen, &sources, reports)?)
}

fn write_profile(contents: &Contents, path: &Path) -> Result<(), Failure> {
    let bytes = indexed::write(&contents.merged.profile, &WriteOptions::default());
    Ok(write_atomically(path, |out| out.write_all(&bytes))?)
}

/// The source with counts, as pages for a browser.
fn pages(
    plan: &Plan,
    line: &Line,
    coverage: &Coverage,
    contents: &Contents,
) -> Result<Option<PathBuf>, Failure> {
    let options = &line.options.report;
    let folder = match &options.output_dir {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|source| Error::Write {
                path: folder.clone(),
                source,
            })?;
            folder.join("html")
        }
        None => plan.store.folder().with_file_name("html"),
    };
    let chosen = emitters::Options {
        repository: ui::repository(coverage),
        ..ui::report_options()
    };
    let sources = OfWorkspace {
        files: SourceFiles::of(contents.objects.files().map(|(path, _)| path)),
        root: &plan.workspace.root,
    };
    let report = (crate::report_args::format("html"), folder.clone());
    write_reports(coverage, &chosen, &sources, [report])?;
    let page = folder.join("index.html");
    if options.open {
        open(&page);
    }
    Ok(Some(page))
}

/// Source files whose names may be relative to the workspace's folder (`--remap-path-prefix`).
struct OfWorkspace<'p> {
    files: SourceFiles,
    root: &'p Path,
}

impl Sources for OfWorkspace<'_> {
    fn read(&self, name: &BStr) -> Source {
        let path = self.root.join(OsStr::from_bytes(name));
        self.files.read(BStr::new(path.as_os_str().as_bytes()))
    }
}

/// The source with counts: this program as llvm-cov, given what the store has.
fn show(
    plan: &Plan,
    line: &Line,
    contents: &Contents,
    files: &Files,
) -> Result<Option<PathBuf>, Failure> {
    let options = &line.options.report;
    let folder = plan.store.folder().with_file_name("show");
    let made = || -> std::io::Result<Vec<PathBuf>> {
        // Whatever lies there is not written into; of a link it is the link that goes.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let mut objects = Vec::new();
        for (number, (_, bytes)) in contents.objects.files().enumerate() {
            let path = folder.join(format!("object-{number}"));
            std::fs::write(&path, bytes)?;
            objects.push(path);
        }
        Ok(objects)
    };
    let objects = made().map_err(|source| Error::Write {
        path: folder.clone(),
        source,
    })?;
    let profile = folder.join("merged.profdata");
    write_profile(contents, &profile)?;
    let all = contents.coverage()?.evaluation.coverage;
    let names = all.files.iter().map(|file| file.name.as_slice());
    let output = options
        .output_dir
        .as_ref()
        .map(|folder| folder.join("text"));
    let absolute = |folder: &PathBuf| std::path::absolute(folder).unwrap_or(folder.clone());
    let this = std::env::current_exe().map_err(|source| Error::Read {
        path: "this program".into(),
        source,
    })?;
    let mut command = Command::new(this);
    command
        .args([
            "llvm-cov",
            "show",
            match options.show_instantiations {
                true => "-show-instantiations=true",
                false => "-show-instantiations=false",
            },
            "-show-line-counts-or-regions",
            "-show-expansions",
            "-format=text",
        ])
        .arg("-instr-profile")
        .arg(&profile);
    for object in &objects {
        command.arg("-object").arg(object);
    }
    if let Some(unwanted) = files.unwanted(names) {
        command.arg("-ignore-filename-regex").arg(unwanted);
    }
    if let Some(folder) = &output {
        std::fs::create_dir_all(folder).map_err(|source| Error::Write {
            path: folder.clone(),
            source,
        })?;
        command.arg("-output-dir").arg(absolute(folder));
    }
    let run = command
        .current_dir(&plan.workspace.root)
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output();
    let run = run.map_err(|source| Error::Read {
        path: "this program as llvm-cov".into(),
        source,
    })?;
    let _ = std::fs::remove_dir_all(&folder);
    if !run.status.success() {
        return Err(Failure {
            message: format!(
                "the source could not be shown: llvm-cov show ended with {}",
                run.status
            ),
            hint: None,
            exit: Exit::Failure,
        });
    }
    match (&options.output_path, &output) {
        (Some(path), _) => {
            write_atomically(path, |out| out.write_all(&run.stdout))?;
            Ok(Some(path.clone()))
        }
        (None, Some(_)) => Ok(output),
        (None, None) => {
            ui::print(&run.stdout)?;
            Ok(None)
        }
    }
}

/// Opens a page in the browser, which is no part of the report: if that fails, it is said.
fn open(page: &Path) {
    let browser = std::env::var_os("BROWSER").filter(|name| !name.is_empty());
    let program = browser.unwrap_or_else(|| "xdg-open".into());
    let opened = Command::new(&program)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !opened.is_ok_and(|status| status.success()) {
        ui::say(format_args!(
            "{NAME}: warning: `{}` did not open {} (BROWSER names another program)",
            program.display(),
            page.display()
        ));
    }
}

/// The lines that hold code and were not reached, for each file that has some.
fn missing_lines(coverage: &Coverage) -> String {
    let mut text = String::new();
    for file in &coverage.files {
        let missing = file.lines.iter().filter(|line| line.count == 0);
        let missing: Vec<u32> = missing.map(|line| line.number).collect();
        if missing.is_empty() {
            continue;
        }
        if text.is_empty() {
            text.push_str("Uncovered Lines:\n");
        }
        let spans = missing
            .chunk_by(|line, next| line + 1 == *next)
            .map(|span| match span {
                [first, .., last] => format!("{first}-{last}"),
                _ => span[0].to_string(),
            });
        let spans: Vec<String> = spans.collect();
        let name = emitters::printable_at_start(&file.name.to_str_lossy());
        text.push_str(&format!("{name}: {}\n", spans.join(", ")));
    }
    text
}

/// How many runs there were, and how their coverage was obtained.
pub(super) fn say_runs(store: &Store) -> Result<(), Failure> {
    let tally = store.tally()?;
    ui::say(format_args!("{NAME}: {}", runs_so_far(&tally)));
    Ok(())
}

/// How many runs, and how many of each way: `3 runs: 2 continuous, 1 rescued`.
pub(super) fn runs_so_far(tally: &[(Obtained, u64)]) -> String {
    let all: u64 = tally.iter().map(|(_, count)| count).sum();
    let noun = if all == 1 { "run" } else { "runs" };
    let ways: Vec<String> = tally
        .iter()
        .map(|(way, count)| format!("{count} {way}"))
        .collect();
    match ways.is_empty() {
        true => format!("{all} {noun}"),
        false => format!("{all} {noun}: {}", ways.join(", ")),
    }
}

/// The last line: the numbers, and where they are to be found in full.
fn say_totals(coverage: &Coverage, written: &[PathBuf]) {
    let totals = coverage.totals();
    let part = |tally: Tally| {
        format!(
            "{}/{} ({:.2} %)",
            tally.covered,
            tally.total,
            tally.percent()
        )
    };
    let places: Vec<String> = written
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let places = match places.is_empty() {
        true => String::new(),
        false => format!("; in {}", places.join(", ")),
    };
    ui::say(format_args!(
        "{NAME}: lines {}, functions {}, regions {}{places}",
        part(totals.lines),
        part(totals.functions),
        part(totals.regions)
    ));
}
