//! The mapping bytes of one function (LLVM: `RawCoverageMappingReader`).

use bincover_model::{LocalFile, Position};
use bincover_profile::FunctionHash;
use bincover_profile::bytes::{Cursor, Endian};

use crate::error::{Error, Result};
use crate::limits::{MAX_CONDITIONS, MAX_LINE};

/// What counts a region (LLVM: `Counter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Counter {
    #[default]
    Zero,
    /// Index of a profile counter.
    Profile(u32),
    /// Index of an expression.
    Expression(u32),
}

/// The sum or difference of two counters (LLVM: `CounterExpression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) left: Counter,
    pub(crate) right: Counter,
    /// Else subtract: the references to an expression say which, and the last one counts.
    pub(crate) add: bool,
}

/// What a stored region is (LLVM: `CounterMappingRegion::RegionKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappedKind {
    Code,
    Expansion,
    Skipped,
    Gap,
    /// A branch: true and false counter.
    Branch,
    /// A branch that is a condition of an MC/DC decision.
    Condition,
    /// The whole condition of an MC/DC decision.
    Decision,
}

/// A region and what counts it (LLVM: `CounterMappingRegion`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappedRegion {
    pub(crate) kind: MappedKind,
    pub(crate) file: LocalFile,
    /// For expansions.
    pub(crate) expanded: LocalFile,
    pub(crate) start: Position,
    pub(crate) end: Position,
    pub(crate) counter: Counter,
    /// For branches: the false side's.
    pub(crate) false_counter: Counter,
    /// For decisions and conditions.
    pub(crate) mcdc: Mcdc,
}

/// What MC/DC regions hold more than others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Mcdc {
    #[default]
    None,
    Decision(DecisionBits),
    Condition(ConditionIds),
}

/// Where a decision's bits are (LLVM: `mcdc::DecisionParameters`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecisionBits {
    /// See [`BitmapLayout`](crate::BitmapLayout) (LLVM: `BitmapIdx`).
    pub(crate) bitmap_index: u32,
    pub(crate) condition_count: u16,
}

/// Which conditions follow on one (LLVM: `mcdc::BranchParameters`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConditionIds {
    /// From 0.
    pub(crate) id: u16,
    /// The next one if this one is false; `None` if that decides.
    pub(crate) after_false: Option<u16>,
    /// The next one if this one is true.
    pub(crate) after_true: Option<u16>,
}

/// One function's mapping, decoded. Kept between functions so that its memory is.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// By local file, an index into the function's file name table.
    pub(crate) files: Vec<u32>,
    pub(crate) expressions: Vec<Expression>,
    pub(crate) regions: Vec<MappedRegion>,
    /// There is an MC/DC decision among them.
    pub(crate) has_mcdc: bool,
}

/// A region that spans whole lines ends in this column.
const LAST_COLUMN: u32 = u32::MAX;

const GAP_BIT: u64 = 1 << 31;

/// A record that only says that its function exists: hash 0, one file, no expression, one region
/// counted by constant zero (LLVM: `isCoverageMappingDummy`).
pub(super) fn is_dummy(hash: FunctionHash, bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes, 0, Endian::Little);
    let mut next = || cursor.uleb("dummy").ok();
    hash.0 == 0
        && next() == Some(1)
        && next().is_some()
        && next() == Some(0)
        && next() == Some(1)
        && next().is_some_and(|counter| counter & 3 == 0)
}

/// The files of a function, by local file, as indices into its table of `table_len` names; the
/// rest of its mapping is not looked at.
pub(crate) fn files_of(bytes: &[u8], offset: u64, table_len: usize) -> Result<Vec<u32>> {
    let mut files = Vec::new();
    let mut cursor = Cursor::new(bytes, offset, Endian::Little);
    read_files(&mut cursor, table_len, &mut files)?;
    Ok(files)
}

fn read_files(cursor: &mut Cursor<'_>, table_len: usize, files: &mut Vec<u32>) -> Result<()> {
    for _ in 0..count(cursor, "number of files")? {
        let at = cursor.offset();
        let index = bounded(cursor, "file index", u64::MAX)?;
        if index as usize >= table_len {
            let expected = format_args!("less than {table_len}");
            return Err(Error::malformed(at, "file index", expected, index));
        }
        files.push(index);
    }
    Ok(())
}

impl Decoded {
    /// Reads the mapping of one function, whose bytes lie at `offset` of the section.
    /// `table_len` is the number of names in its file table.
    pub(crate) fn read(&mut self, bytes: &[u8], offset: u64, table_len: usize) -> Result<()> {
        self.files.clear();
        self.expressions.clear();
        self.regions.clear();
        self.has_mcdc = false;
        let mut cursor = Cursor::new(bytes, offset, Endian::Little);
        let cursor = &mut cursor;

        read_files(cursor, table_len, &mut self.files)?;
        let expressions = count(cursor, "number of expressions")?;
        self.expressions.resize(expressions, Expression::default());
        for index in 0..expressions {
            self.expressions[index].left = self.counter(cursor)?;
            self.expressions[index].right = self.counter(cursor)?;
        }
        for file in 0..self.files.len() {
            // At most as many files as bytes, of which a section has less than 2^32.
            let file = LocalFile(u32::try_from(file).unwrap_or(u32::MAX));
            let regions = count(cursor, "number of regions")?;
            let mut line = 0;
            for _ in 0..regions {
                let region = self.region(cursor, file, &mut line)?;
                self.regions.push(region);
            }
        }
        Ok(())
    }

    fn region(
        &mut self,
        cursor: &mut Cursor<'_>,
        file: LocalFile,
        line: &mut u64,
    ) -> Result<MappedRegion> {
        let at = cursor.offset();
        let head = bounded(cursor, "region header", u64::from(u32::MAX) - 1)?;
        let mut region = MappedRegion {
            kind: MappedKind::Code,
            file,
            expanded: LocalFile::default(),
            start: Position::default(),
            end: Position::default(),
            counter: Counter::Zero,
            false_counter: Counter::Zero,
            mcdc: Mcdc::None,
        };
        if head & 3 != 0 {
            region.counter = self.reference(head, at)?;
        } else if head & 4 != 0 {
            region.kind = MappedKind::Expansion;
            region.expanded = LocalFile(head >> 3);
            if (head >> 3) as usize >= self.files.len() {
                return Err(Error::malformed(
                    at,
                    "expanded file",
                    format_args!("less than {}", self.files.len()),
                    head >> 3,
                ));
            }
        } else {
            region.kind = match head >> 3 {
                0 => MappedKind::Code,
                2 => MappedKind::Skipped,
                4 => MappedKind::Branch,
                5 => MappedKind::Decision,
                6 => MappedKind::Condition,
                other => {
                    let known = "0, 2, 4, 5 or 6";
                    return Err(Error::malformed(at, "region kind", known, other));
                }
            };
            if matches!(region.kind, MappedKind::Branch | MappedKind::Condition) {
                region.counter = self.counter(cursor)?;
                region.false_counter = self.counter(cursor)?;
            }
            region.mcdc = match region.kind {
                MappedKind::Decision => {
                    self.has_mcdc = true;
                    Mcdc::Decision(decision(cursor)?)
                }
                MappedKind::Condition => Mcdc::Condition(condition(cursor)?),
                _ => Mcdc::None,
            };
        }
        place(cursor, line, &mut region)?;
        Ok(region)
    }

    fn counter(&mut self, cursor: &mut Cursor<'_>) -> Result<Counter> {
        let at = cursor.offset();
        let value = bounded(cursor, "counter", u64::from(u32::MAX) - 1)?;
        self.reference(value, at)
    }

    /// Decodes a reference to a counter. A reference to an expression also says whether the
    /// expression adds.
    fn reference(&mut self, value: u32, at: u64) -> Result<Counter> {
        let index = value >> 2;
        Ok(match value & 3 {
            0 => Counter::Zero,
            1 => Counter::Profile(index),
            operator => {
                let known = self.expressions.len();
                let Some(expression) = self.expressions.get_mut(index as usize) else {
                    let expected = format!("less than {known}");
                    return Err(Error::malformed(at, "expression index", expected, index));
                };
                expression.add = operator == 3;
                Counter::Expression(index)
            }
        })
    }
}

/// A number of things that take at least a byte each, so a claim of more is a lie.
fn count(cursor: &mut Cursor<'_>, what: &'static str) -> Result<usize> {
    let at = cursor.offset();
    let count = cursor.uleb(what)?;
    let most = cursor.remaining();
    if count > most {
        return Err(Error::malformed(
            at,
            what,
            format_args!("at most {most}"),
            count,
        ));
    }
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A number that the format keeps in 32 bits, or fewer.
fn bounded(cursor: &mut Cursor<'_>, what: &'static str, most: u64) -> Result<u32> {
    let at = cursor.offset();
    let value = cursor.uleb(what)?;
    let most = most.min(u64::from(u32::MAX));
    match u32::try_from(value) {
        Ok(number) if value <= most => Ok(number),
        _ => Err(Error::malformed(
            at,
            what,
            format_args!("at most {most}"),
            value,
        )),
    }
}

/// MC/DC decision: bitmap index and number of conditions.
fn decision(cursor: &mut Cursor<'_>) -> Result<DecisionBits> {
    Ok(DecisionBits {
        bitmap_index: bounded(cursor, "bitmap index", u64::MAX)?,
        condition_count: short(cursor, "number of conditions")?,
    })
}

/// MC/DC branch: its condition's id and the two that follow, each stored plus one.
fn condition(cursor: &mut Cursor<'_>) -> Result<ConditionIds> {
    let at = cursor.offset();
    let Some(id) = short(cursor, "condition id")?.checked_sub(1) else {
        return Err(Error::malformed(at, "condition id", "at least 1", 0));
    };
    Ok(ConditionIds {
        id,
        after_true: short(cursor, "condition after true")?.checked_sub(1),
        after_false: short(cursor, "condition after false")?.checked_sub(1),
    })
}

fn short(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u16> {
    let number = bounded(cursor, what, MAX_CONDITIONS)?;
    Ok(u16::try_from(number).unwrap_or(u16::MAX))
}

/// Where a region lies: relative to the line of the one before.
fn place(cursor: &mut Cursor<'_>, line: &mut u64, region: &mut MappedRegion) -> Result<()> {
    let at = cursor.offset();
    let max = u64::from(u32::MAX);
    let line_delta = bounded(cursor, "line delta", max)?;
    let start_column = bounded(cursor, "start column", max)?;
    let line_count = bounded(cursor, "number of lines", max)?;
    let end_column = u64::from(bounded(cursor, "end column", max)?);

    *line += u64::from(line_delta);
    let end_line = *line + u64::from(line_count);
    let in_file = |line: u64| u32::try_from(line).ok().filter(|line| *line <= MAX_LINE);
    let (Some(start_line), Some(end_line)) = (in_file(*line), in_file(end_line)) else {
        let expected = format!("at most {MAX_LINE}");
        return Err(Error::malformed(at, "end line", expected, end_line));
    };
    if end_column & GAP_BIT != 0 {
        region.kind = MappedKind::Gap;
    }
    let mut columns = (
        start_column,
        u32::try_from(end_column & !GAP_BIT).unwrap_or(u32::MAX),
    );
    if columns == (0, 0) {
        columns = (1, LAST_COLUMN);
    }
    region.start = Position {
        line: start_line,
        column: columns.0,
    };
    region.end = Position {
        line: end_line,
        column: columns.1,
    };
    if region.start > region.end {
        return Err(Error::malformed(
            at,
            "region",
            "a start before its end",
            format_args!("{}:{} to {}:{}", start_line, columns.0, end_line, columns.1),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `int f(int x) { if (x) return 1; return 2; }` by clang 22, section 3.4 of the format notes.
    const F: [u8; 51] = [
        0x01, 0x01, 0x01, 0x01, 0x05, 0x07, 0x01, 0x01, 0x0e, 0x04, 0x02, 0x01, 0x01, 0x07, 0x00,
        0x08, 0x20, 0x05, 0x02, 0x00, 0x07, 0x00, 0x08, 0x05, 0x00, 0x09, 0x01, 0x85, 0x80, 0x80,
        0x80, 0x08, 0x05, 0x01, 0x05, 0x00, 0x0d, 0x02, 0x00, 0x0e, 0x01, 0x83, 0x80, 0x80, 0x80,
        0x08, 0x02, 0x01, 0x03, 0x00, 0x0b,
    ];

    #[test]
    fn decodes_what_clang_wrote() {
        let mut decoded = Decoded::default();
        decoded.read(&F, 0, 2).unwrap();
        assert_eq!(decoded.files, [1]);
        let listed: Vec<String> = decoded
            .regions
            .iter()
            .map(|r| {
                format!(
                    "{:?} {}:{}-{}:{} {:?}",
                    r.kind, r.start.line, r.start.column, r.end.line, r.end.column, r.counter
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                "Code 1:14-5:2 Profile(0)",
                "Code 2:7-2:8 Profile(0)",
                "Branch 2:7-2:8 Profile(1)",
                "Gap 2:9-3:5 Profile(1)",
                "Code 3:5-3:13 Profile(1)",
                "Gap 3:14-4:3 Expression(0)",
                "Code 4:3-4:11 Expression(0)",
            ]
        );
        assert!(!decoded.expressions[0].add);
    }

    #[test]
    fn cut_at_each_byte_it_says_where() {
        let mut decoded = Decoded::default();
        for end in 0..F.len() {
            let error = decoded.read(&F[..end], 0x1000, 2).unwrap_err();
            let offset = error.offset().unwrap();
            assert!(
                (0x1000..=0x1000 + end as u64).contains(&offset),
                "{end}: {error}"
            );
        }
    }

    #[test]
    fn a_file_index_outside_the_table() {
        let error = Decoded::default().read(&F, 0, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "file index: expected less than 1 at offset 0x1, found 1"
        );
    }

    #[test]
    fn dummies() {
        let zero = FunctionHash(0);
        assert!(is_dummy(zero, &[1, 7, 0, 1, 0, 1, 1, 1, 1]));
        assert!(!is_dummy(FunctionHash(1), &[1, 7, 0, 1, 0]));
        assert!(!is_dummy(zero, &[1, 7, 0, 2, 0]));
        assert!(!is_dummy(zero, &F));
    }
}
