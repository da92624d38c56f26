//! Views as text (LLVM: `SourceCoverageViewText`).

use std::io::{self, Write};

use bincover::model::{Branch, McdcRecord};

use super::tree::{Instantiation, Node};
use super::walk::{Frame, Line, Skin, print};
use super::{Branches, Look, short_count};
use crate::limits::MAX_GAP;
use crate::llvm::cov::paths;

const COUNT_WIDTH: usize = 7;
const NUMBER_WIDTH: usize = 5;

const RED_GROUND: &str = "41";
const CYAN_GROUND: &str = "46";
const RED: &str = "31";
const MAGENTA: &str = "35";
const CYAN: &str = "36";

pub(super) struct Text<'a> {
    look: &'a Look,
}

impl<'a> Text<'a> {
    pub(super) fn new(look: &'a Look) -> Self {
        Self { look }
    }

    /// How wide what stands left of the source is.
    fn columns(&self) -> usize {
        let counts = if self.look.line_counts {
            COUNT_WIDTH + 1
        } else {
            0
        };
        counts + NUMBER_WIDTH + 1
    }

    fn coloured(&self, colour: &str, text: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !self.look.console.colours {
            return out.write_all(text);
        }
        write!(out, "\x1b[0;{colour}m")?;
        out.write_all(text)?;
        out.write_all(b"\x1b[0m")
    }

    fn source(
        &self,
        line: &Line<'_>,
        expansion: Option<u32>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut highlight = line
            .wrapped
            .filter(|wrapped| wrapped.has_count && !wrapped.is_gap && wrapped.count == 0)
            .map(|_| RED_GROUND);
        // 1-based, and 32 bits that wrap as in LLVM: in a malformed mapping the segments of a line
        // may go back, and then the rest of the line is there again.
        let mut column = 1u32;
        let mut piece = |column: u32, len: usize, highlight: Option<&str>| {
            let rest = line.text.get(column.wrapping_sub(1) as usize..);
            let rest = rest.unwrap_or_default();
            let text = &rest[..len.min(rest.len())];
            match highlight {
                Some(colour) => self.coloured(colour, text, out),
                None => out.write_all(text),
            }
        };
        let end_of_line = u32::try_from(line.text.len() + 1).unwrap_or(u32::MAX);
        for segment in line.segments {
            let end = segment.start.column.min(end_of_line);
            piece(column, end.wrapping_sub(column) as usize, highlight)?;
            column = end;
            let is_uncovered = segment.has_count && segment.count == 0;
            highlight = if is_uncovered && (!segment.is_gap || highlight == Some(RED_GROUND)) {
                Some(RED_GROUND)
            } else if expansion == Some(column) {
                Some(CYAN_GROUND)
            } else {
                None
            };
        }
        piece(column, usize::MAX, highlight)?;
        out.write_all(b"\n")
    }

    fn markers(&self, line: &Line<'_>, depth: usize, out: &mut dyn Write) -> io::Result<()> {
        prefix(depth, out)?;
        let columns = self.columns();
        write!(out, "{:columns$}", "")?;
        let mut at = 1;
        for segment in line.marked() {
            let column = segment.start.column as usize;
            let gap = column.saturating_sub(at).min(MAX_GAP);
            let count = short_count(segment.count);
            write!(out, "{:gap$}^{count}", "")?;
            at = column + 1 + count.len();
        }
        out.write_all(b"\n")
    }

    fn side(
        &self,
        label: &str,
        count: u64,
        is_folded: bool,
        total: f64,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if is_folded {
            return out.write_all(b"Folded");
        }
        out.write_all(label.as_bytes())?;
        match self.look.branches {
            Some(Branches::Percent) => write!(out, ": {:.2}%", branch_percent(count, total)),
            _ => write!(out, ": {}", self.look.count(count)),
        }
    }
}

/// The share of a side.
#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage of more than 2^53 is not exact, nor is LLVM's"
)]
pub(super) fn branch_percent(count: u64, total: f64) -> f64 {
    match total {
        0.0 => 0.0,
        _ => 100.0 * count as f64 / total,
    }
}

/// How often a branch was taken, either way.
#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage of more than 2^53 is not exact, nor is LLVM's"
)]
pub(super) fn branch_total(branch: &Branch) -> f64 {
    branch.true_count as f64 + branch.false_count as f64
}

fn prefix(depth: usize, out: &mut dyn Write) -> io::Result<()> {
    for _ in 0..depth {
        out.write_all(b"  |")?;
    }
    Ok(())
}

/// A name as the head of a view, which takes it for a path.
pub(super) fn source_name(name: &[u8]) -> Vec<u8> {
    paths::native(&paths::remove_dots(name))
}

impl Skin for Text<'_> {
    fn extension(&self) -> &'static str {
        "txt"
    }

    fn begin_page(&self, _path: Option<&[u8]>, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn end_page(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"\n")
    }

    fn title(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in [&self.look.title, "Coverage Report", &self.look.created] {
            if !line.is_empty() {
                self.coloured(CYAN, format!("{line}\n").as_bytes(), out)?;
            }
        }
        Ok(())
    }

    fn begin_view(&self, node: &Node<'_>, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
        if frame.source_name {
            let mut head = source_name(node.name);
            head.extend_from_slice(b":\n");
            self.coloured(CYAN, &head, out)?;
        }
        Ok(())
    }

    fn end_view(&self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn line(
        &self,
        _node: &Node<'_>,
        line: &Line<'_>,
        expansion: Option<u32>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        prefix(depth, out)?;
        let mut number = line.number.to_string();
        number.truncate(NUMBER_WIDTH);
        write!(out, "{number:>NUMBER_WIDTH$}|")?;
        if self.look.line_counts {
            match line.count {
                Some(count) => {
                    let count = self.look.count(count);
                    let padding = COUNT_WIDTH.saturating_sub(count.len());
                    write!(out, "{:padding$}", "")?;
                    match line.has_multiple_regions {
                        true => self.coloured(MAGENTA, count.as_bytes(), out)?,
                        false => out.write_all(count.as_bytes())?,
                    }
                }
                None => write!(out, "{:COUNT_WIDTH$}", "")?,
            }
            out.write_all(b"|")?;
        }
        // Without colours the first expansion does not show.
        let expansion = expansion.filter(|_| self.look.console.colours);
        self.source(line, expansion, out)?;
        if self.look.region_markers && line.has_markers() {
            self.markers(line, depth, out)?;
        }
        Ok(())
    }

    fn end_line(&self, _node: &Node<'_>, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn divider(&self, depth: usize, out: &mut dyn Write) -> io::Result<()> {
        prefix(depth.saturating_sub(1), out)?;
        writeln!(out, "  {}", "-".repeat(self.columns() + 4))
    }

    fn expansion_site(
        &self,
        line: &Line<'_>,
        expansion: u32,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        prefix(depth, out)?;
        let columns = self.columns() + usize::from(depth > 0);
        write!(out, "{:columns$}", "")?;
        self.source(line, Some(expansion), out)
    }

    fn expansion(&self, node: &Node<'_>, depth: usize, out: &mut dyn Write) -> io::Result<()> {
        let frame = Frame {
            whole_file: false,
            source_name: false,
            title: false,
            depth: depth + 1,
        };
        print(self, node, &frame, out)
    }

    fn instantiation(
        &self,
        one: &Instantiation<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        prefix(depth, out)?;
        out.write_all(b" ")?;
        let Some(node) = &one.node else {
            let text = [b"Unexecuted instantiation: ", one.name, b"\n"].concat();
            return self.coloured(RED, &text, out);
        };
        let frame = Frame {
            whole_file: false,
            source_name: true,
            title: false,
            depth,
        };
        print(self, node, &frame, out)
    }

    fn branches(&self, branches: &[Branch], depth: usize, out: &mut dyn Write) -> io::Result<()> {
        for branch in branches {
            let total = branch_total(branch);
            prefix(depth, out)?;
            let start = branch.start;
            write!(out, "  Branch ({}:{}): [", start.line, start.column)?;
            if branch.is_folded() {
                out.write_all(b"Folded - Ignored]\n")?;
                continue;
            }
            self.side("True", branch.true_count, branch.true_folded, total, out)?;
            out.write_all(b", ")?;
            self.side("False", branch.false_count, branch.false_folded, total, out)?;
            out.write_all(b"]\n")?;
        }
        Ok(())
    }

    fn mcdc(&self, records: &[&McdcRecord], depth: usize, out: &mut dyn Write) -> io::Result<()> {
        for record in records {
            for line in mcdc_lines(record) {
                prefix(depth, out)?;
                writeln!(out, "{line}")?;
            }
            prefix(depth, out)?;
            out.write_all(b"  MC/DC Coverage for Decision: ")?;
            let percent = record.tally().percent();
            let shown = format!("{percent:.2}%");
            match percent < 100.0 {
                true => self.coloured(RED_GROUND, shown.as_bytes(), out)?,
                false => out.write_all(shown.as_bytes())?,
            }
            out.write_all(b"\n")?;
            prefix(depth, out)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Everything about a decision but how much of it is covered.
pub(super) fn mcdc_lines(record: &McdcRecord) -> Vec<String> {
    let count = record.conditions.len();
    let (start, end) = (record.start, record.end);
    let mut lines = vec![
        format!(
            "---> MC/DC Decision Region ({}:{}) to ({}:{})",
            start.line, start.column, end.line, end.column
        ),
        String::new(),
        format!("  Number of Conditions: {count}"),
    ];
    for (index, condition) in record.conditions.iter().enumerate() {
        lines.push(format!(
            "     Condition C{} --> ({}:{})",
            index + 1,
            condition.start.line,
            condition.start.column
        ));
    }
    lines.extend(["", "  Executed MC/DC Test Vectors:", ""].map(str::to_owned));
    if record.vectors.is_empty() {
        lines.push("     None.".to_owned());
    } else {
        let names: Vec<String> = (1..=count).map(|index| format!("C{index}")).collect();
        lines.push(format!("     {}    Result", names.join(", ")));
    }
    for (index, vector) in record.vectors.iter().enumerate() {
        let values = record.conditions.iter().zip(&vector.values);
        let values: Vec<&str> = values
            .map(|(condition, value)| match value {
                _ if condition.is_folded => "C",
                None => "-",
                Some(true) => "T",
                Some(false) => "F",
            })
            .collect();
        let outcome = if vector.outcome { 'T' } else { 'F' };
        lines.push(format!(
            "  {} {{ {}  = {outcome}      }}",
            index + 1,
            values.join(",  ")
        ));
    }
    lines.push(String::new());
    for (index, condition) in record.conditions.iter().enumerate() {
        let state = match condition.pair {
            _ if condition.is_folded => "constant folded".to_owned(),
            Some((of_false, of_true)) => {
                format!("covered: ({},{})", of_false + 1, of_true + 1)
            }
            None => "not covered".to_owned(),
        };
        lines.push(format!("  C{}-Pair: {state}", index + 1));
    }
    lines
}
