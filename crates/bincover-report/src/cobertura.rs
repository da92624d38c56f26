//! Cobertura XML, after
//! [coverage-04.dtd](https://github.com/cobertura/cobertura/blob/f986347ec66fe9443c6f48d0995c658ed34c1704/cobertura/src/site/htdocs/xml/coverage-04.dtd).
//!
//! Cobertura knows lines, conditions, methods, classes and packages. What we make of them:
//!
//! - A **class** is a file and a **package** is the directory that it lies in, with dots for
//!   separators, as in lcov2cobertura (which is inside cargo-llvm-cov). The package of files in the
//!   root is `.`, where lcov2cobertura has an empty name.
//! - **The numbers are those of the lines listed here.** Consumers count the lines again, so every
//!   `line-rate`, `lines-valid`, `branches-covered` and so on is taken from the `line` elements of
//!   the classes below it, and therefore from [`File::lines`] and [`Coverage::branches_by_line`].
//!   The other formats print [`File::summary`], LLVM's counts by function, and may differ. The lines
//!   of a method repeat lines of its class and count once.
//! - A rate of nothing is 0, as in [`Tally::percent`] and in lcov2cobertura: what was never
//!   measured passes no threshold.
//! - **Conditions** are two-way branches: type `jump`, covered by 0%, 50% or 100%. A side that is a
//!   constant counts as one that was missed, as in lcov. Branches on a line that holds no code are
//!   left out.
//! - A **method** is an instantiation group: the copies of one generic function begin at the same
//!   place, so they are one method, under the name of the first copy, or as
//!   [`Options::instantiations`] says. Names of Rust and C++ are demangled; the signature is always
//!   empty.
//! - A method's **lines** are those that its regions touch. Their hits are the file's, but no more
//!   than the method's own regions add up to: a closure that never ran shows no hits, even if the
//!   line around it did run.
//! - **Complexity** is not measured and always 0.
//!
//! The document is well-formed whatever the names hold: bytes that are not UTF-8 and characters
//! that XML 1.0 has no way to write become U+FFFD.

use std::collections::{BTreeMap, BinaryHeap};
use std::io;

use bincover_model::{Coverage, File, Function, FunctionId, Line, Region, RegionKind, Tally};
use bstr::ByteSlice;

use crate::limits::{MAX_METHOD_LINES, MAX_METHOD_LINES_OF_REGION};
use crate::listed::{ListedLine, Rates, both_sides, listed};
use crate::names::demangled;
use crate::paths::{common_directory, components, relative};
use crate::xml::{Xml, printable};
use crate::{Instantiations, Options};

#[cfg(test)]
pub(crate) mod tests;

const DOCTYPE: &str = "coverage SYSTEM \"http://cobertura.sourceforge.net/xml/coverage-04.dtd\"";
const VERSION: &str = concat!("bincover ", env!("CARGO_PKG_VERSION"));

/// Writes a Cobertura document. Reads [`Options::root`], [`Options::timestamp`] and
/// [`Options::instantiations`].
///
/// # Errors
/// If the writer fails; or, before anything is written, if functions lie over each other as no program's do, so
/// that their lines would be gigabytes.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let names = coverage.measured_files().map(|file| file.name.as_slice());
    let root = options
        .root
        .as_ref()
        .map_or_else(|| common_directory(names), |root| root.as_slice());
    let instantiations = options.instantiations.unwrap_or(Instantiations::Union);
    let packages = packages(coverage, root, instantiations);
    check_methods(coverage, &packages)?;

    let mut xml = Xml::new(out);
    xml.prologue(Some(DOCTYPE))?;
    emit_coverage(&mut xml, coverage, &packages, root, options.timestamp)?;
    xml.finish()
}

/// The classes of each package, by the package's name.
type Packages<'a> = BTreeMap<String, Vec<Class<'a>>>;

/// A file as Cobertura sees it.
struct Class<'a> {
    file: &'a File,
    /// Relative to the root.
    file_name: String,
    /// The file's name with dots for separators.
    name: String,
    lines: Vec<ListedLine>,
    rates: Rates,
    instantiations: Instantiations,
}

fn packages<'a>(
    coverage: &'a Coverage,
    root: &[u8],
    instantiations: Instantiations,
) -> Packages<'a> {
    let mut packages = Packages::new();
    for file in coverage.measured_files() {
        let (package, class) = class(coverage, file, root, instantiations);
        packages.entry(package).or_default().push(class);
    }
    packages
}

/// A class and the name of its package.
fn class<'a>(
    coverage: &Coverage,
    file: &'a File,
    root: &[u8],
    instantiations: Instantiations,
) -> (String, Class<'a>) {
    let relative = relative(&file.name, root);
    let mut parts: Vec<&[u8]> = components(relative, &file.name).collect();
    let name = dotted(&parts);
    parts.pop();
    let package = if parts.is_empty() {
        ".".to_owned()
    } else {
        dotted(&parts)
    };

    let lines = listed(coverage, file);
    let class = Class {
        file,
        file_name: printable(relative),
        name,
        rates: Rates::of(&lines),
        lines,
        instantiations,
    };
    (package, class)
}

fn dotted(parts: &[&[u8]]) -> String {
    printable(&bstr::join(".", parts))
}

fn sum<'a>(classes: impl IntoIterator<Item = &'a Class<'a>>) -> Rates {
    let mut sum = Rates::default();
    for class in classes {
        sum.lines += class.rates.lines;
        sum.branches += class.rates.branches;
    }
    sum
}

/// Methods repeat the lines of their files, with the branches on them.
fn check_methods(coverage: &Coverage, packages: &Packages<'_>) -> io::Result<()> {
    let functions = coverage.functions.iter();
    let regions: u64 = functions.map(|one| one.regions.len().max(1) as u64).sum();
    let most = MAX_METHOD_LINES + regions * MAX_METHOD_LINES_OF_REGION;
    let classes = packages.values().flatten();
    let lines: u64 = classes
        .map(|class| method_line_count(coverage, class))
        .sum();
    if lines > most {
        return Err(io::Error::other(format!(
            "expected methods with {most} lines and branches at most, found {lines}"
        )));
    }
    Ok(())
}

/// Lines of all methods of a class, and branches on them.
fn method_line_count(coverage: &Coverage, class: &Class<'_>) -> u64 {
    let mut sum = 0;
    let of_lines = class.lines.iter().map(|line| {
        sum += 1 + line.branches.len() as u64;
        sum
    });
    // Those of the lines before each.
    let sums: Vec<u64> = std::iter::once(0).chain(of_lines).collect();
    let before = |line: u32| {
        let lines = class.lines.partition_point(|one| one.line.number < line);
        sums.get(lines).copied().unwrap_or_default()
    };
    let members = class.file.groups.iter().flat_map(|group| &group.members);
    let counts = members.map(|id| {
        let function = coverage.function(*id);
        let ends = own_regions(function).map(|region| (region.start.line, region.end.line));
        let all = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let declared = function.declared.filter(|_| function.regions.is_empty());
        let all = all.or(declared.map(|start| (start.line, start.line)));
        let (first, last) = all.unwrap_or((1, 0));
        before(last.saturating_add(1)).saturating_sub(before(first))
    });
    counts.sum()
}

/// The regions of a function in the file that it begins in, but for those that the preprocessor skipped.
fn own_regions(function: &Function) -> impl Iterator<Item = &Region> {
    let is_own = |region: &&Region| {
        Some(region.file) == function.main_file && region.kind != RegionKind::Skipped
    };
    function.regions.iter().filter(is_own)
}

/// The lines of the class that a method's functions touch, each with its hits.
fn method_lines(coverage: &Coverage, members: &[FunctionId], class: &Class<'_>) -> Vec<ListedLine> {
    let mut own_counts: BTreeMap<u32, u64> = BTreeMap::new();
    for member in members {
        for (line, count) in highest_counts(coverage.function(*member), &class.file.lines) {
            let own_count = own_counts.entry(line).or_default();
            *own_count = match class.instantiations {
                Instantiations::Max => count.max(*own_count),
                Instantiations::Union | Instantiations::Each => own_count.saturating_add(count),
            };
        }
    }
    let (Some((first, _)), Some((last, _))) =
        (own_counts.first_key_value(), own_counts.last_key_value())
    else {
        return Vec::new();
    };
    let start = class.lines.partition_point(|one| one.line.number < *first);
    let end = class.lines.partition_point(|one| one.line.number <= *last);
    let around = class.lines.get(start..end).unwrap_or_default().iter();
    let touched = around.filter_map(|listed| {
        let own_count = own_counts.get(&listed.line.number)?;
        let count = listed.line.count.min(*own_count);
        Some(ListedLine {
            line: Line {
                count,
                ..listed.line
            },
            branches: listed.branches.clone(),
        })
    });
    touched.collect()
}

/// For each of `lines` that the function touches, the highest count of its regions there.
///
/// Regions nest, so one pass keeps those that are open, with the highest count on top: the time
/// does not grow with the depth of nesting.
fn highest_counts(function: &Function, lines: &[Line]) -> Vec<(u32, u64)> {
    let mut regions: Vec<&Region> = own_regions(function).collect();
    regions.sort_by_key(|region| region.start.line);
    if function.regions.is_empty() {
        // Of a function from a report, no more is known than where it begins.
        let declared = function.declared.map(|start| (start.line, function.count));
        return declared.into_iter().collect();
    }
    let first_line = regions.first().map_or(u32::MAX, |region| region.start.line);
    let start = lines.partition_point(|line| line.number < first_line);

    let mut touched = Vec::new();
    let mut open: BinaryHeap<(u64, u32)> = BinaryHeap::new();
    let mut waiting = regions.into_iter().peekable();
    for line in lines.iter().skip(start) {
        while let Some(region) = waiting.next_if(|region| region.start.line <= line.number) {
            open.push((region.count, region.end.line));
        }
        while open.peek().is_some_and(|(_, end)| *end < line.number) {
            open.pop();
        }
        match open.peek() {
            Some((count, _)) => touched.push((line.number, *count)),
            None if waiting.peek().is_none() => break,
            None => {}
        }
    }
    touched
}

fn emit_coverage(
    xml: &mut Xml<'_>,
    coverage: &Coverage,
    packages: &Packages<'_>,
    root: &[u8],
    timestamp: u64,
) -> io::Result<()> {
    let rates = sum(packages.values().flatten());
    xml.open(
        "coverage",
        &[
            ("line-rate", (&rate(rates.lines)).into()),
            ("branch-rate", (&rate(rates.branches)).into()),
            ("lines-covered", rates.lines.covered.into()),
            ("lines-valid", rates.lines.total.into()),
            ("branches-covered", rates.branches.covered.into()),
            ("branches-valid", rates.branches.total.into()),
            ("complexity", "0".into()),
            ("version", VERSION.into()),
            ("timestamp", timestamp.into()),
        ],
    )?;
    xml.open("sources", &[])?;
    // Relative names with no common directory are relative to wherever the compiler ran.
    xml.text_element(
        "source",
        &printable(if root.is_empty() { b"." } else { root }),
    )?;
    xml.close("sources")?;

    xml.open("packages", &[])?;
    for (name, classes) in packages {
        emit_package(xml, coverage, name, classes)?;
    }
    xml.close("packages")?;
    xml.close("coverage")
}

fn emit_package(
    xml: &mut Xml<'_>,
    coverage: &Coverage,
    name: &str,
    classes: &[Class<'_>],
) -> io::Result<()> {
    let rates = sum(classes);
    xml.open(
        "package",
        &[
            ("name", name.into()),
            ("line-rate", (&rate(rates.lines)).into()),
            ("branch-rate", (&rate(rates.branches)).into()),
            ("complexity", "0".into()),
        ],
    )?;
    xml.open("classes", &[])?;
    for class in classes {
        emit_class(xml, coverage, class)?;
    }
    xml.close("classes")?;
    xml.close("package")
}

fn emit_class(xml: &mut Xml<'_>, coverage: &Coverage, class: &Class<'_>) -> io::Result<()> {
    xml.open(
        "class",
        &[
            ("name", (&class.name).into()),
            ("filename", (&class.file_name).into()),
            ("line-rate", (&rate(class.rates.lines)).into()),
            ("branch-rate", (&rate(class.rates.branches)).into()),
            ("complexity", "0".into()),
        ],
    )?;
    xml.open("methods", &[])?;
    for group in &class.file.groups {
        let members_of_one = match class.instantiations {
            Instantiations::Each => 1,
            Instantiations::Union | Instantiations::Max => usize::MAX,
        };
        for members in group.members.chunks(members_of_one) {
            emit_method(xml, coverage, members, class)?;
        }
    }
    xml.close("methods")?;
    emit_lines(xml, &class.lines)?;
    xml.close("class")
}

fn emit_method(
    xml: &mut Xml<'_>,
    coverage: &Coverage,
    members: &[FunctionId],
    class: &Class<'_>,
) -> io::Result<()> {
    let Some(first) = members.first() else {
        return Ok(());
    };
    let name = demangled(coverage.function(*first).name.as_bstr());
    let lines = method_lines(coverage, members, class);
    let rates = Rates::of(&lines);
    xml.open(
        "method",
        &[
            ("name", (&printable(name.as_bytes())).into()),
            ("signature", "".into()),
            ("line-rate", (&rate(rates.lines)).into()),
            ("branch-rate", (&rate(rates.branches)).into()),
            ("complexity", "0".into()),
        ],
    )?;
    emit_lines(xml, &lines)?;
    xml.close("method")
}

fn emit_lines(xml: &mut Xml<'_>, lines: &[ListedLine]) -> io::Result<()> {
    xml.open("lines", &[])?;
    for line in lines {
        emit_line(xml, line)?;
    }
    xml.close("lines")
}

fn emit_line(xml: &mut Xml<'_>, listed: &ListedLine) -> io::Result<()> {
    let number = ("number", listed.line.number.into());
    let hits = ("hits", listed.line.count.into());
    if listed.branches.is_empty() {
        return xml.empty("line", &[number, hits, ("branch", "false".into())]);
    }
    let conditions = listed.conditions();
    let covered = format!(
        "{} ({}/{})",
        whole_percent(conditions),
        conditions.covered,
        conditions.total
    );
    xml.open(
        "line",
        &[
            number,
            hits,
            ("branch", "true".into()),
            ("condition-coverage", (&covered).into()),
        ],
    )?;
    xml.open("conditions", &[])?;
    for (index, branch) in listed.branches.iter().enumerate() {
        xml.empty(
            "condition",
            &[
                ("number", (index as u64).into()),
                ("type", "jump".into()),
                ("coverage", (&whole_percent(both_sides(*branch))).into()),
            ],
        )?;
    }
    xml.close("conditions")?;
    xml.close("line")
}

/// Between 0 and 1; 0 if there is nothing to cover.
#[expect(
    clippy::cast_precision_loss,
    reason = "there are fewer than 2^53 lines"
)]
fn rate(tally: Tally) -> String {
    if tally.total == 0 {
        return "0".to_owned();
    }
    (tally.covered as f64 / tally.total as f64).to_string()
}

/// Rounded down, so that only what is complete is 100%.
fn whole_percent(tally: Tally) -> String {
    let percent = tally.covered.saturating_mul(100).checked_div(tally.total);
    format!("{}%", percent.unwrap_or(0))
}
