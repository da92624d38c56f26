//! Clover XML, after
//! [OpenClover's clover.xsd](https://github.com/openclover/clover/blob/master/clover-ant/src/test/resources/clover.xsd).
//!
//! A line that holds code is a **statement**, or a **method** where a function begins, or a
//! **conditional** where it has branches. What we make of them:
//!
//! - a `cond` line has the smallest count of its conditions' true and false sides each, since Clover
//!   has one condition on a line. An outcome without a partner (of a `switch` in lcov's files) has no
//!   other side: it is left out where others on the line have one, and stands for both where none has;
//! - `conditionals` counts the sides of all branches, as the other formats do, so it may be more
//!   than two for each `cond` line;
//! - `elements` is the sum of the other three, complexity is not measured and always 0;
//! - numbers are those of the lines that are listed; methods are the model's functions.

use std::collections::BTreeMap;
use std::io;

use bincover_model::{Coverage, File, Tally};

use crate::listed::{ListedLine, Rates, listed};
use crate::missing::group_name;
use crate::paths::Names;
use crate::xml::{Attribute, Xml, printable};
use crate::{Instantiations, Options};

/// Writes the document. Reads [`Options::repository`], [`Options::timestamp`] and
/// [`Options::instantiations`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let names = Names::new(coverage, options);
    let each = options.instantiations == Some(Instantiations::Each);
    let files: Vec<(&File, Vec<ListedLine>)> = coverage
        .measured_files()
        .map(|file| (file, listed(coverage, file)))
        .collect();
    let mut total = Metrics::default();
    for (file, lines) in &files {
        total.add(&Metrics::of(file, lines, each));
    }
    let time = options.timestamp;
    let mut xml = Xml::new(out);
    xml.prologue(None)?;
    xml.open(
        "coverage",
        &[("generated", time.into()), ("clover", "4.5.2".into())],
    )?;
    xml.open(
        "project",
        &[("timestamp", time.into()), ("name", "All files".into())],
    )?;
    total.write(&mut xml, Some(files.len()))?;
    for (file, lines) in &files {
        let name = printable(names.of(&file.name).as_bytes());
        let base = name.rsplit('/').next().unwrap_or(&name);
        xml.open("file", &[("name", base.into()), ("path", (&name).into())])?;
        Metrics::of(file, lines, each).write(&mut xml, None)?;
        let mut methods: BTreeMap<u32, (String, u64)> = BTreeMap::new();
        for group in &file.groups {
            let method = methods.entry(group.start.line);
            method.or_insert_with(|| (group_name(coverage, group), group.count));
        }
        for line in lines {
            write_line(&mut xml, line, methods.get(&line.line.number))?;
        }
        xml.close("file")?;
    }
    xml.close("project")?;
    xml.close("coverage")?;
    xml.finish()
}

fn write_line(
    xml: &mut Xml<'_>,
    line: &ListedLine,
    method: Option<&(String, u64)>,
) -> io::Result<()> {
    let number = ("num", line.line.number.into());
    let count = ("count", line.line.count.into());
    if let Some((name, entered)) = method {
        let name = printable(name.as_bytes());
        let attributes = [
            number,
            ("type", "method".into()),
            ("signature", (&name).into()),
            ("count", (*entered).into()),
        ];
        xml.empty("line", &attributes)?;
    }
    if line.branches.is_empty() {
        return xml.empty("line", &[number, ("type", "stmt".into()), count]);
    }
    let branches = line.branches.iter();
    let true_counts = branches.clone().map(|branch| branch.true_count);
    let true_count = true_counts.min().unwrap_or(0);
    let false_counts = branches
        .filter(|branch| !branch.is_single)
        .map(|branch| branch.false_count);
    let false_count = false_counts.min().unwrap_or(true_count);
    let attributes = [
        number,
        ("type", "cond".into()),
        count,
        ("truecount", true_count.into()),
        ("falsecount", false_count.into()),
    ];
    xml.empty("line", &attributes)
}

/// The numbers of a file or of all.
#[derive(Default)]
struct Metrics {
    rates: Rates,
    methods: Tally,
    lines_of_code: u64,
}

impl Metrics {
    fn of(file: &File, lines: &[ListedLine], each: bool) -> Self {
        Self {
            rates: Rates::of(lines),
            methods: match each {
                true => file.summary.instantiations,
                false => file.summary.functions,
            },
            lines_of_code: lines.len() as u64,
        }
    }

    fn add(&mut self, other: &Self) {
        self.rates.lines += other.rates.lines;
        self.rates.branches += other.rates.branches;
        self.methods += other.methods;
        self.lines_of_code += other.lines_of_code;
    }

    fn write(&self, xml: &mut Xml<'_>, files: Option<usize>) -> io::Result<()> {
        let elements = self.rates.lines + self.rates.branches + self.methods;
        let numbers = [
            ("complexity", 0),
            ("loc", self.lines_of_code),
            ("ncloc", self.lines_of_code),
            ("statements", self.rates.lines.total),
            ("coveredstatements", self.rates.lines.covered),
            ("conditionals", self.rates.branches.total),
            ("coveredconditionals", self.rates.branches.covered),
            ("methods", self.methods.total),
            ("coveredmethods", self.methods.covered),
            ("elements", elements.total),
            ("coveredelements", elements.covered),
        ];
        let files = files.map(|files| ("files", files as u64));
        let attributes: Vec<Attribute<'_>> = numbers
            .into_iter()
            .chain(files)
            .map(|(name, number)| (name, number.into()))
            .collect();
        xml.empty("metrics", &attributes)
    }
}

#[cfg(test)]
mod tests {
    use bincover_model::Outcome;

    use super::*;
    use crate::testing::{file, lines, one_of_everything};

    #[test]
    fn outcomes_without_a_partner_have_no_other_side() {
        for (counts, attributes, conditionals, covered) in [
            (&[5][..], "truecount=\"5\" falsecount=\"5\"", 1, 1),
            (&[0], "truecount=\"0\" falsecount=\"0\"", 1, 0),
            (&[5, 2], "truecount=\"5\" falsecount=\"2\"", 2, 2),
            (&[5, 2, 1], "truecount=\"1\" falsecount=\"2\"", 3, 3),
            (&[5, 2, 0], "truecount=\"0\" falsecount=\"2\"", 3, 2),
            (&[5, 0, 1], "truecount=\"1\" falsecount=\"0\"", 3, 2),
        ] {
            let mut one = file("a.c", lines(&[(1, 5)]));
            one.outcomes = (0..)
                .zip(counts)
                .map(|(number, count)| Outcome {
                    line: 1,
                    block: 0,
                    number,
                    count: Some(*count),
                })
                .collect();
            let coverage = Coverage {
                files: vec![one],
                functions: Vec::new(),
            };
            let mut out = Vec::new();
            emit(&coverage, &Options::default(), &mut out).expect("a Vec takes everything");
            let document = String::from_utf8(out).expect("the document says that it is UTF-8");
            let totals =
                format!("conditionals=\"{conditionals}\" coveredconditionals=\"{covered}\"");
            let line = format!("<line num=\"1\" type=\"cond\" count=\"5\" {attributes}/>");
            assert!(document.contains(&totals), "{counts:?}\n{document}");
            assert!(document.contains(&line), "{counts:?}\n{document}");
        }
    }

    #[test]
    fn statements_methods_and_conditions() {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), &mut out).expect("a Vec takes everything");
        let document = String::from_utf8(out).expect("the document says that it is UTF-8");
        for part in [
            "<file name=\"a.c\" path=\"a.c\">",
            "statements=\"14\" coveredstatements=\"13\" conditionals=\"12\" coveredconditionals=\"7\" methods=\"2\" coveredmethods=\"2\"",
            "<line num=\"9\" type=\"method\" signature=\"main\" count=\"1\"/>",
            "<line num=\"4\" type=\"cond\" count=\"5\" truecount=\"2\" falsecount=\"0\"/>",
            "<line num=\"14\" type=\"stmt\" count=\"0\"/>",
        ] {
            assert!(document.contains(part), "{part}\n{document}");
        }
    }
}
