//! `llvm-cov report`: tables of files and of functions (LLVM: `CoverageReport`).

use std::ffi::OsString;
use std::io::{self, Write};
use std::mem::ManuallyDrop;

use bincover::mapping::Detail;
use bincover::model::{FileId, Group, Summary, Tally};

use super::filters::Filters;
use super::load::{Loaded, Need, check_profile};
use super::settings::{Columns, Format, Settings};
use super::{Output, Stop, paths, shown};
use crate::llvm::options::{Program, Spec, Takes};

pub(super) const SPECS: &[Spec] = &[Spec::new("show-functions", Takes::Flag)];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Stop> {
    let settings = Settings::read(program, SPECS, args)?;
    let console = settings.console;
    match settings.format {
        Format::Html => {
            let message = "HTML output for summary reports is not yet supported.";
            return Err(console.fatal(message));
        }
        Format::Lcov => {
            return Err(console.fatal("lcov format should be used with 'llvm-cov export'."));
        }
        Format::Text => {}
    }
    check_profile(&settings)?;
    let need = Need {
        all_functions: false,
        detail: Detail::Summaries,
    };
    // The process ends here, and its memory with it: faster than piece by piece.
    let loaded = ManuallyDrop::new(Loaded::load(&settings, need)?);
    let mut output = Output::new();
    let written = if settings.parsed.flag("show-functions") {
        if loaded.given().is_empty() {
            return Err(console
                .fatal("source files must be specified when -show-functions=true is specified"));
        }
        functions(&settings, &loaded, &mut output.0)
    } else {
        let files = loaded.files(&settings);
        files_table(
            &settings,
            &loaded,
            &files,
            &Filters::default(),
            &mut output.0,
        )
    };
    output.finish(written)
}

/// A row of a table of files.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) name: Vec<u8>,
    pub(super) summary: Summary,
}

/// The numbers of a file, of its functions that match. The name is the file's.
pub(super) fn summarize(loaded: &Loaded, id: FileId, filters: &Filters) -> Summary {
    let file = loaded.file(id);
    if filters.is_empty() {
        return file.summary;
    }
    let mut summary = Summary::default();
    for group in &file.groups {
        summary += summarize_group(loaded, group, filters);
    }
    summary
}

/// As for a whole group, over the members that match.
fn summarize_group(loaded: &Loaded, group: &Group, filters: &Filters) -> Summary {
    let members = group.members.iter().map(|id| loaded.coverage.function(*id));
    let mut summary = Summary::default();
    for member in members.filter(|member| filters.matches(member)) {
        let instantiations = summary.instantiations;
        summary = summary.max(member.summary);
        summary.instantiations = instantiations;
        summary.instantiations.total += 1;
        summary.instantiations.covered += u64::from(member.count > 0);
    }
    let is_there = summary.instantiations.total > 0;
    summary.functions = Tally {
        // Of all members: LLVM does not ask which of them match.
        covered: u64::from(is_there && group.count > 0),
        total: u64::from(is_there),
    };
    summary
}

/// What `-dump` says of each group.
pub(super) fn dump_groups(
    settings: &Settings,
    loaded: &Loaded,
    files: &[FileId],
    out: &mut dyn Write,
) -> io::Result<()> {
    if !settings.dump {
        return Ok(());
    }
    for id in files {
        for group in &loaded.file(*id).groups {
            let mut names = group
                .members
                .iter()
                .map(|id| &loaded.coverage.function(*id).name);
            let first = names.next();
            out.write_all(b"InstantiationGroup: ")?;
            match first.filter(|first| names.all(|name| name == *first)) {
                Some(name) => out.write_all(name)?,
                None => write!(
                    out,
                    "Definition at line {}, column {}",
                    group.start.line, group.start.column
                )?,
            }
            writeln!(out, " with size = {}", group.members.len())?;
        }
    }
    Ok(())
}

/// The table of files, with those that hold no function apart, and a row of totals.
pub(super) fn files_table(
    settings: &Settings,
    loaded: &Loaded,
    files: &[FileId],
    filters: &Filters,
    out: &mut dyn Write,
) -> io::Result<()> {
    dump_groups(settings, loaded, files, out)?;
    let (rows, totals) = rows(loaded, files, filters);
    let has_empty = filters.is_empty();
    Table::new(settings, &rows).write(&rows, &totals, has_empty, out)
}

/// A row for each file, its name without what all have in common, and the totals.
pub(super) fn rows(loaded: &Loaded, files: &[FileId], filters: &Filters) -> (Vec<Row>, Row) {
    let names: Vec<&[u8]> = files.iter().map(|id| &loaded.file(*id).name[..]).collect();
    let prefix = paths::common_prefix(&names);
    let mut totals = Row {
        name: b"TOTAL".to_vec(),
        ..Row::default()
    };
    let mut rows = Vec::with_capacity(files.len());
    for (id, name) in files.iter().zip(names) {
        let summary = summarize(loaded, *id, filters);
        totals.summary += summary;
        rows.push(Row {
            name: name.get(prefix..).unwrap_or_default().to_vec(),
            summary,
        });
    }
    (rows, totals)
}

/// How a table of files looks.
pub(super) struct Table {
    columns: Columns,
    colours: bool,
    name_width: usize,
}

/// Headings and widths of the columns of one kind.
type Triple = [(&'static str, usize); 3];

const REGIONS: Triple = [("Regions", 12), ("Missed Regions", 18), ("Cover", 10)];
const FUNCTIONS: Triple = [
    ("Functions", 12),
    ("Missed Functions", 18),
    ("Executed", 10),
];
const INSTANTIATIONS: Triple = [
    ("Instantiations", 16),
    ("Missed Insts.", 16),
    ("Executed", 10),
];
const LINES: Triple = [("Lines", 12), ("Missed Lines", 18), ("Cover", 10)];
const BRANCHES: Triple = [("Branches", 12), ("Missed Branches", 18), ("Cover", 10)];
const MCDC: Triple = [
    ("MC/DC Conditions", 20),
    ("Missed Conditions", 21),
    ("Cover", 10),
];

impl Table {
    pub(super) fn new(settings: &Settings, rows: &[Row]) -> Self {
        let longest = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        Self {
            columns: settings.columns,
            colours: settings.console.colours,
            name_width: longest.max(25),
        }
    }

    /// Each kind of column that is there, with its numbers, the tally that it takes its colour
    /// from, and whether what was missed is coloured too.
    fn triples(&self, summary: &Summary) -> Vec<(Triple, Tally, Tally, bool)> {
        let Columns {
            regions,
            branches,
            mcdc,
            instantiations,
        } = self.columns;
        let lines = summary.lines;
        let all = [
            (regions, REGIONS, summary.regions, summary.regions, true),
            (true, FUNCTIONS, summary.functions, summary.functions, false),
            (
                instantiations,
                INSTANTIATIONS,
                summary.instantiations,
                summary.instantiations,
                false,
            ),
            (true, LINES, lines, lines, true),
            // Their colour is the lines'.
            (branches, BRANCHES, summary.branches, lines, true),
            (mcdc, MCDC, summary.mcdc, lines, true),
        ];
        all.into_iter()
            .filter(|(is_there, ..)| *is_there)
            .map(|(_, triple, tally, colour, both)| (triple, tally, colour, both))
            .collect()
    }

    pub(super) fn write(
        &self,
        rows: &[Row],
        totals: &Row,
        has_empty: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut width = self.name_width;
        write!(out, "{:<width$}", "Filename")?;
        for (triple, ..) in self.triples(&Summary::default()) {
            for (heading, column) in triple {
                write!(out, "{heading:>column$}")?;
                width += column;
            }
        }
        let divider = format!("{}\n", "-".repeat(width));
        write!(out, "\n{divider}")?;
        let (full, empty): (Vec<&Row>, Vec<&Row>) =
            rows.iter().partition(|row| row.summary.functions.total > 0);
        for row in full {
            self.row(row, out)?;
        }
        if has_empty && !empty.is_empty() {
            writeln!(out, "\nFiles which contain no functions:")?;
            for row in empty {
                self.row(row, out)?;
            }
        }
        out.write_all(divider.as_bytes())?;
        self.row(totals, out)
    }

    fn row(&self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        let name = display_name(&row.name);
        out.write_all(&name)?;
        let padding = self.name_width.saturating_sub(name.len());
        write!(out, "{:padding$}", "")?;
        for (triple, tally, colour, both) in self.triples(&row.summary) {
            let [(_, total_width), (_, missed_width), (_, cover_width)] = triple;
            write!(out, "{:>total_width$}", tally.total)?;
            let colour = Colour::of(self.colours, colour);
            let missed = format!("{:>missed_width$}", tally.missed());
            match both {
                true => colour.write(&missed, out)?,
                false => out.write_all(missed.as_bytes())?,
            }
            if tally.total == 0 {
                write!(out, "{:>cover_width$}", "-")?;
            } else {
                colour.write(&percent(tally, cover_width), out)?;
            }
        }
        out.write_all(b"\n")
    }
}

/// Without backslashes and dots; a separator at the end stays.
fn display_name(name: &[u8]) -> Vec<u8> {
    let native = paths::native(name);
    let mut clean = paths::remove_dots(&native);
    if native.ends_with(b"/") {
        clean.push(b'/');
    }
    clean
}

fn percent(tally: Tally, width: usize) -> String {
    let width = width - 1;
    format!("{:>width$.2}%", tally.percent())
}

/// The colour of a number, by how much of it was reached.
struct Colour(Option<u8>);

impl Colour {
    fn of(colours: bool, tally: Tally) -> Self {
        Self(colours.then(|| {
            if tally.covered == tally.total {
                32
            } else if tally.percent() >= 80.0 {
                33
            } else {
                31
            }
        }))
    }

    fn write(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        match self.0 {
            Some(code) => write!(out, "\x1b[0;{code}m{text}\x1b[0m"),
            None => out.write_all(text.as_bytes()),
        }
    }
}

/// A table of functions for each file.
fn functions(settings: &Settings, loaded: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    let columns = &settings.columns;
    let colours = settings.console.colours;
    // It grows with the names and stays grown.
    let mut name_width = 25;
    for (index, id) in loaded.given().iter().enumerate() {
        if index > 0 {
            out.write_all(b"\n")?;
        }
        let file = loaded.file(*id);
        let functions = file
            .functions
            .iter()
            .map(|id| loaded.coverage.function(*id));
        let functions: Vec<_> = functions
            .map(|function| (loaded.readable(function), function.summary))
            .collect();
        let longest = functions.iter().map(|(name, _)| name.len()).max();
        name_width = name_width.max(longest.unwrap_or(0));

        writeln!(out, "File '{}':", shown(&file.name))?;
        write!(out, "{:<name_width$}", "Name")?;
        let mut headings = vec![("Regions", 10), ("Miss", 8), ("Cover", 8)];
        headings.extend([("Lines", 10), ("Miss", 8), ("Cover", 8)]);
        if columns.branches {
            headings.extend([("Branches", 10), ("Miss", 8), ("Cover", 8)]);
        }
        if columns.mcdc {
            headings.extend([("MC/DC Conditions", 20), ("Miss", 8), ("Cover", 8)]);
        }
        let mut total_width = name_width;
        for (heading, width) in headings {
            write!(out, "{heading:>width$}")?;
            total_width += width;
        }
        let divider = format!("{}\n", "-".repeat(total_width));
        write!(out, "\n{divider}")?;
        let row = |name: &[u8], summary: &Summary, out: &mut dyn Write| -> io::Result<()> {
            out.write_all(name)?;
            let padding = name_width.saturating_sub(name.len());
            write!(out, "{:padding$}", "")?;
            let mut cells = vec![
                (10, summary.regions, summary.regions),
                (10, summary.lines, summary.lines),
            ];
            if columns.branches {
                cells.push((10, summary.branches, summary.lines));
            }
            if columns.mcdc {
                cells.push((20, summary.mcdc, summary.lines));
            }
            for (width, tally, missed_colour) in cells {
                write!(out, "{:>width$}", tally.total)?;
                let missed = format!("{:>8}", tally.missed());
                Colour::of(colours, missed_colour).write(&missed, out)?;
                Colour::of(colours, tally).write(&percent(tally, 8), out)?;
            }
            out.write_all(b"\n")
        };
        let mut totals = Summary::default();
        for (name, summary) in &functions {
            totals += *summary;
            row(name, summary, out)?;
        }
        if !functions.is_empty() {
            out.write_all(divider.as_bytes())?;
            row(b"TOTAL", &totals, out)?;
        }
    }
    Ok(())
}
