//! What `covdata percent`, `func` and `pkglist` print.

use std::collections::HashMap;
use std::fmt::Write as _;

use bincover_model::Tally;
use bstr::ByteSlice;

use crate::limits::MAX_WIDTH;
use crate::meta::Unit;
use crate::profile::{Block, Package, Profile};

/// What a row of [`functions`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// A function.
    #[default]
    Functions,
    /// As `covdata func` has it: blocks that come one after another in functions of one name. So
    /// two `init` in a row are one, or the methods of two generic types that have one name.
    Names,
}

/// Statements covered, by package (`covdata percent`). A package without statements ends no line,
/// as in Go.
#[must_use]
pub fn percent(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, package) in profile.named_packages() {
        out.push(b'\t');
        out.extend_from_slice(path);
        out.extend_from_slice(b"\t\t");
        let statements = statements(package.blocks().iter());
        if statements.total > 0 {
            let percent = in_percent(statements);
            out.extend_from_slice(format!("coverage: {percent}% of statements\n").as_bytes());
        }
    }
    out
}

/// The import paths, sorted (`covdata pkglist`).
#[must_use]
pub fn packages(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, _) in profile.named_packages() {
        out.extend_from_slice(path);
        out.push(b'\n');
    }
    out
}

/// Statements covered, by function, and in all (`covdata func`). Function literals outside of
/// functions have no row, and are in the total.
#[must_use]
pub fn functions(profile: &Profile, rows: Rows) -> Vec<u8> {
    let mut table = Table::default();
    let mut total = Tally::default();
    for package in profile.packages() {
        let blocks = package.blocks();
        total += statements(blocks.iter());
        match rows {
            Rows::Names => table.add_names(&blocks),
            Rows::Functions => table.add_functions(package),
        }
    }
    table.add_total("total", total);
    table.write()
}

pub(crate) fn statements<'b>(blocks: impl Iterator<Item = &'b Block<'b>>) -> Tally {
    let mut tally = Tally::default();
    for block in blocks {
        tally += of_block(&block.unit, block.count);
    }
    tally
}

fn of_block(unit: &Unit, count: u64) -> Tally {
    let total = u64::from(unit.statements);
    Tally {
        covered: if count > 0 { total } else { 0 },
        total,
    }
}

/// With one decimal, rounded; nothing of nothing is 0.
#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage of more than 2^53 statements is not exact, nor is Go's"
)]
pub(crate) fn in_percent(statements: Tally) -> String {
    let total = statements.total.max(1);
    // In this order of operations, as in Go.
    format!("{:.1}", 100.0 * statements.covered as f64 / total as f64)
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[Vec<u8>; 3]>,
}

impl Table {
    pub(crate) fn add(&mut self, file: &[u8], line: u32, name: &[u8], statements: Tally) {
        let mut place = file.to_vec();
        place.extend_from_slice(format!(":{line}:").as_bytes());
        let percent = (in_percent(statements) + "%").into_bytes();
        self.rows.push([place, name.to_vec(), percent]);
    }

    pub(crate) fn add_total(&mut self, word: &str, total: Tally) {
        let percent = in_percent(total) + "%";
        self.rows
            .push([word, "(statements)", &percent].map(Into::into));
    }

    fn add_names(&mut self, blocks: &[Block<'_>]) {
        for row in blocks.chunk_by(|a, b| a.function == b.function) {
            let first = &row[0];
            if !first.literal {
                let line = first.unit.start_line;
                self.add(first.file, line, first.function, statements(row.iter()));
            }
        }
    }

    fn add_functions(&mut self, package: &Package) {
        let mut rows = Vec::new();
        for one in package.functions() {
            let function = &one.function;
            let order = |unit: &&Unit| {
                let unit = **unit;
                let lines = [unit.start_line, unit.end_line];
                (lines, [unit.start_column, unit.end_column])
            };
            let first = function.units.iter().min_by_key(order);
            let Some(first) = first.filter(|_| !function.literal) else {
                continue;
            };
            let mut tally = Tally::default();
            for (unit, &count) in function.units.iter().zip(&one.counts) {
                tally += of_block(unit, count);
            }
            rows.push((&function.file, order(&first), &function.name, tally));
        }
        rows.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        for (file, order, name, tally) in rows {
            self.add(file, order.0[0], name, tally);
        }
    }

    /// Pads the first two columns with tabs, to the next tab stop beyond the longest cell.
    pub(crate) fn write(&self) -> Vec<u8> {
        const TAB: usize = 8;
        let width = |column: usize| {
            let widths = self.rows.iter().map(|row| row[column].chars().count());
            // A name from a source may be longer, and does not make all rows as wide.
            let widths = widths.filter(|width| *width <= MAX_WIDTH);
            (widths.max().unwrap_or(0) + 1).next_multiple_of(TAB)
        };
        let widths = [width(0), width(1)];
        let mut out = Vec::new();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(widths) {
                out.extend_from_slice(cell);
                let tabs = width.saturating_sub(cell.chars().count()).div_ceil(TAB);
                // One that is too long is still apart from the next.
                let tabs = tabs.max(1);
                out.resize(out.len() + tabs, b'\t');
            }
            out.extend_from_slice(&row[2]);
            out.push(b'\n');
        }
        out
    }
}

/// What `covdata debugdump` prints of one program, after the lines on its files.
#[must_use]
pub fn dump(
    program: &crate::Program,
    sums: &crate::Sums,
    is_wanted: impl Fn(&[u8]) -> bool,
    only_live: bool,
) -> (Vec<u8>, Tally) {
    let mut out = String::new();
    let mut total = Tally::default();
    // Names that are not UTF-8 show U+FFFD.
    let mut line = |key: &str, value: &[u8]| {
        // A String takes everything.
        let _ = writeln!(out, "{key}{}", value.as_bstr());
    };
    for (index, package) in program.meta().packages.iter().enumerate() {
        if !is_wanted(&package.import_path) {
            continue;
        }
        let mut is_begun = false;
        for (function, counts) in sums.by_package(program, index) {
            let is_shown = counts.is_some() || !only_live;
            if is_shown {
                if !std::mem::replace(&mut is_begun, true) {
                    line("\nPackage path: ", &package.import_path);
                    line("Package name: ", &package.name);
                    line("Module path: ", &package.module);
                }
                line("\nFunc: ", &function.name);
                line("Srcfile: ", &function.file);
                line("Literal: ", function.literal.to_string().as_bytes());
            }
            for (at, unit) in function.units.iter().enumerate() {
                let count = counts.map_or(0, |counts| counts[at]);
                total += of_block(unit, count.into());
                if is_shown {
                    let text = format!(
                        "{at}: L{}:C{} -- L{}:C{} NS={} = {count}",
                        unit.start_line,
                        unit.start_column,
                        unit.end_line,
                        unit.end_column,
                        unit.statements
                    );
                    line("", text.as_bytes());
                }
            }
        }
    }
    (out.into_bytes(), total)
}

/// How often each name occurs: for those who tell functions by name.
pub(crate) fn numbered<'n>(names: impl Iterator<Item = &'n [u8]>) -> Vec<u32> {
    let mut uses: HashMap<&[u8], u32> = HashMap::new();
    names
        .map(|name| {
            let uses = uses.entry(name).or_default();
            *uses += 1;
            *uses
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::{Mode, Sums};

    fn profile() -> Profile {
        let program = sample::program(Mode::Count);
        let file = crate::CounterFile::parse(&sample::counter_bytes(&[(0, 1, &[3, 0])])).unwrap();
        let mut sums = Sums::new(&program, Mode::Count);
        sums.add(&program, &file, &mut Vec::new());
        let mut profile = Profile::new(Mode::Count);
        profile.add_program(&program, &sums, |_| true);
        profile
    }

    #[test]
    fn percentages_and_names() {
        assert_eq!(
            percent(&profile()).as_bstr(),
            "\texample.com/m/a\t\tcoverage: 50.0% of statements\n\
             \texample.com/m/b\t\tcoverage: 0.0% of statements\n"
        );
        assert_eq!(
            packages(&profile()).as_bstr(),
            "example.com/m/a\nexample.com/m/b\n"
        );
    }

    #[test]
    fn cells_are_padded_with_tabs() {
        for rows in [Rows::Functions, Rows::Names] {
            assert_eq!(
                functions(&profile(), rows).as_bstr(),
                "example.com/m/a/t.go:3:\tF\t\t0.0%\n\
                 example.com/m/a/t.go:7:\t*T.M\t\t66.7%\n\
                 total\t\t\t(statements)\t40.0%\n"
            );
        }
    }

    /// Go's sources may have such names.
    #[test]
    fn one_long_name_does_not_make_all_rows_as_long() {
        let mut table = Table::default();
        let long = [b'x'; 1 << 16];
        table.add(b"a.go", 1, &long, Tally::default());
        table.add(b"a.go", 2, b"f", Tally::default());
        let written = table.write();
        let expected = format!("a.go:1:\t{}\t0.0%\na.go:2:\tf\t0.0%\n", long.as_bstr());
        assert_eq!(written.as_bstr(), expected.as_bytes().as_bstr());
    }
}
