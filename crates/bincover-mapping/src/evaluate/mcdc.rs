//! MC/DC: which conditions belong to which decision, and which test vectors the bitmap says were
//! executed (LLVM: `MCDCDecisionRecorder`, `TVIdxBuilder` and `MCDCRecordProcessor` in
//! `CoverageMapping.cpp` at `llvmorg-22.1.8`).
//!
//! The conditions of a decision are the nodes of a graph without rings: each has a successor, or a
//! leaf, for true and for false. A way from node 0 to a leaf is a test vector. Vectors have
//! indices: a node's incoming edges share out the ways that reach it (`Edge::offset`), and the
//! leaves share out all of them. So an index leads back along one way, and only vectors whose bit
//! is set are ever made, however many there could be.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use bincover_model::{Condition, LocalFile, McdcRecord, TestVector};
use bincover_profile::Bitmap;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{MAX_MCDC_STEPS, MAX_MCDC_VALUES};
use crate::mapping::{ConditionIds, Counter, DecisionBits, MappedKind, MappedRegion, Mcdc};

/// How a profile's bitmaps number test vectors. An indexed profile's version says which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitmapLayout {
    /// A bit for each vector; a decision's own bits end at its index (index version 12 and later,
    /// LLVM 19 and later).
    #[default]
    Vectors,
    /// A bit for each combination of conditions that are true, from the byte of the decision's
    /// index on (index version 11, LLVM 18).
    Masks,
}

impl BitmapLayout {
    /// The layout in an indexed profile of this version (LLVM: `IsVersion11`).
    #[must_use]
    pub fn of_index_version(version: u32) -> Self {
        if version < 12 {
            Self::Masks
        } else {
            Self::Vectors
        }
    }
}

/// What an evaluation may still spend on MC/DC, all its threads together; a few crafted bytes
/// could ask for years.
#[derive(Debug)]
pub(super) struct Budget {
    steps: AtomicU64,
    values: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            steps: AtomicU64::new(MAX_MCDC_STEPS),
            values: AtomicU64::new(MAX_MCDC_VALUES),
        }
    }
}

impl Budget {
    fn spend_steps(&self, steps: u64) -> Result<()> {
        match spend(&self.steps, steps) {
            true => Ok(()),
            false => Err(too_much("steps to put together", MAX_MCDC_STEPS)),
        }
    }

    fn spend_values(&self, values: u64) -> Result<()> {
        match spend(&self.values, values) {
            true => Ok(()),
            false => Err(too_much("values in test vectors", MAX_MCDC_VALUES)),
        }
    }
}

/// Once a purse is too small, it is empty: whether all can be paid does not depend on the order.
fn spend(purse: &AtomicU64, amount: u64) -> bool {
    let pay = |left: u64| Some(left.saturating_sub(amount));
    match purse.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay) {
        Ok(before) | Err(before) => before >= amount,
    }
}

/// What it takes to see whether a region belongs to a decision, in pairs of vectors compared.
const STEPS_TO_LOOK_AT: u64 = 8;

#[cold]
fn too_much(what: &str, most: u64) -> Error {
    let expected = format_args!("at most {most} {what}");
    Error::of(ErrorKind::Malformed, "MC/DC decisions", expected, "more")
}

/// The decisions of a function, in the order in which their last conditions are stored. `bitmap`
/// is the profile's; what lies beyond its end was not executed.
pub(super) fn records(
    regions: &[MappedRegion],
    bitmap: Bitmap<'_>,
    layout: BitmapLayout,
    budget: &Budget,
) -> Result<Vec<McdcRecord>> {
    let mut open: Vec<OpenDecision<'_>> = Vec::new();
    let mut records = Vec::new();
    for region in regions {
        match (region.kind, region.mcdc) {
            (MappedKind::Decision, Mcdc::Decision(bits)) => open.push(OpenDecision {
                region,
                bits,
                conditions: VecDeque::new(),
                ids: HashSet::new(),
                expanded: HashSet::new(),
            }),
            (MappedKind::Expansion, _) if !open.is_empty() => {
                budget.spend_steps(STEPS_TO_LOOK_AT * open.len() as u64)?;
                if let Some(decision) = open.iter_mut().find(|open| open.dominates(region)) {
                    decision.expanded.insert(region.expanded);
                }
            }
            (MappedKind::Condition, Mcdc::Condition(ids)) => {
                budget.spend_steps(STEPS_TO_LOOK_AT * open.len() as u64)?;
                let Some(index) = open.iter().position(|open| open.takes(region, ids)) else {
                    // Undefined in LLVM.
                    continue;
                };
                let decision = &mut open[index];
                decision.ids.insert(ids.id);
                if ids.id == 0 {
                    decision.conditions.push_front((region, ids));
                } else {
                    decision.conditions.push_back((region, ids));
                }
                if decision.conditions.len() == usize::from(decision.bits.condition_count) {
                    let complete = open.remove(index);
                    records.extend(complete.record(bitmap, layout, budget)?);
                }
            }
            _ => {}
        }
    }
    Ok(records)
}

/// A decision some of whose conditions are still to come.
struct OpenDecision<'r> {
    region: &'r MappedRegion,
    bits: DecisionBits,
    /// The one with id 0 first, others as they come.
    conditions: VecDeque<(&'r MappedRegion, ConditionIds)>,
    ids: HashSet<u16>,
    /// Files that expansions in the decision lead to.
    expanded: HashSet<LocalFile>,
}

impl OpenDecision<'_> {
    fn dominates(&self, region: &MappedRegion) -> bool {
        let decision = self.region;
        region.file == decision.file && region.start >= decision.start && region.end <= decision.end
            || self.expanded.contains(&region.file)
    }

    fn takes(&self, region: &MappedRegion, ids: ConditionIds) -> bool {
        ids.id < self.bits.condition_count && !self.ids.contains(&ids.id) && self.dominates(region)
    }

    /// `None` if its conditions follow each other in a way that cannot be; undefined in LLVM.
    fn record(
        self,
        bitmap: Bitmap<'_>,
        layout: BitmapLayout,
        budget: &Budget,
    ) -> Result<Option<McdcRecord>> {
        let conditions = Vec::from(self.conditions);
        let Some(graph) = Graph::new(&conditions) else {
            return Ok(None);
        };
        let mut record = McdcRecord {
            file: self.region.file,
            start: self.region.start,
            end: self.region.end,
            conditions: conditions
                .iter()
                .map(|(region, _)| Condition {
                    start: region.start,
                    is_folded: region.counter == Counter::Zero
                        || region.false_counter == Counter::Zero,
                    pair: None,
                })
                .collect(),
            vectors: graph.executed(bitmap, layout, self.bits.bitmap_index, budget)?,
        };
        find_pairs(&mut record, budget)?;
        Ok(Some(record))
    }
}

/// A way to a node: from which other, by which of its values.
#[derive(Clone, Copy)]
struct Edge {
    from: usize,
    value: bool,
    /// Added to the index of a vector that takes this way.
    offset: u64,
}

/// A decision's conditions, by id.
struct Graph {
    /// By id: successors for false and for true, `None` where the decision is made.
    next: Vec<[Option<usize>; 2]>,
    /// By id: where the condition stands in the record.
    position: Vec<usize>,
    /// By id: the ways that lead to it, ascending by offset.
    incoming: Vec<Vec<Edge>>,
    /// Where the decision is made, ascending by offset; each takes as many indices as its node has
    /// ways that lead to it.
    leaves: Vec<Edge>,
    /// How many test vectors there are.
    vector_count: u64,
}

impl Graph {
    /// `conditions` hold each id once. `None` if one is followed by one that is not there, or there
    /// are more vectors than can be numbered.
    fn new(conditions: &[(&MappedRegion, ConditionIds)]) -> Option<Self> {
        let len = conditions.len();
        let mut graph = Self {
            next: vec![[None; 2]; len],
            position: vec![0; len],
            incoming: vec![Vec::new(); len],
            leaves: Vec::new(),
            vector_count: 0,
        };
        let mut waiting = vec![0u32; len];
        for (position, (_, ids)) in conditions.iter().enumerate() {
            let id = usize::from(ids.id);
            *graph.position.get_mut(id)? = position;
            graph.next[id] = [ids.after_false, ids.after_true].map(|next| next.map(usize::from));
            for next in graph.next[id].into_iter().flatten() {
                *waiting.get_mut(next)? += 1;
            }
        }
        graph.number(waiting)?;
        Some(graph)
    }

    /// Gives the ways their offsets, node by node after all that lead to it. `waiting` is how many
    /// ways lead to each.
    fn number(&mut self, mut waiting: Vec<u32>) -> Option<()> {
        let mut widths = vec![0u64; self.next.len()];
        *widths.first_mut()? = 1;
        let mut leaves = Vec::new();
        let mut is_done = vec![false; self.next.len()];
        let mut queue = VecDeque::from([0]);
        while let Some(node) = queue.pop_front() {
            if std::mem::replace(&mut is_done[node], true) {
                return None;
            }
            for value in [false, true] {
                let way = Edge {
                    from: node,
                    value,
                    offset: 0,
                };
                let Some(next) = self.next[node][usize::from(value)] else {
                    leaves.push((widths[node], way));
                    continue;
                };
                let offset = widths[next];
                self.incoming[next].push(Edge { offset, ..way });
                widths[next] = widths[next].checked_add(widths[node])?;
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    queue.push_back(next);
                }
            }
        }
        // The widest first; those that are equally wide in the order in which they were met.
        leaves.sort_by_key(|(width, _)| std::cmp::Reverse(*width));
        for (width, leaf) in leaves {
            self.leaves.push(Edge {
                offset: self.vector_count,
                ..leaf
            });
            self.vector_count = self.vector_count.checked_add(width)?;
        }
        Some(())
    }

    /// The executed vectors: false outcomes first, each kind by index.
    fn executed(
        &self,
        bitmap: Bitmap<'_>,
        layout: BitmapLayout,
        bitmap_index: u32,
        budget: &Budget,
    ) -> Result<Vec<TestVector>> {
        let bitmap_index = i128::from(bitmap_index);
        let len = self.next.len();
        let (first, count) = match layout {
            BitmapLayout::Vectors => {
                let count = i128::from(self.vector_count);
                (bitmap_index - count, count)
            }
            BitmapLayout::Masks => (bitmap_index * 8, 1 << len.min(100)),
        };
        let bit_count = bitmap.len() as i128 * 8;
        let bits = first.clamp(0, bit_count)..(first + count).clamp(0, bit_count);
        budget.spend_steps(u64::try_from(bits.end - bits.start).unwrap_or(u64::MAX))?;
        let mut indexed: Vec<(u64, TestVector)> = Vec::new();
        for bit in bits {
            let is_set = usize::try_from(bit / 8)
                .ok()
                .and_then(|byte| bitmap.get(byte))
                .is_some_and(|byte| byte >> (bit % 8) & 1 != 0);
            if !is_set {
                continue;
            }
            // Not negative, and less than the bits of a bitmap in memory.
            let number = u64::try_from(bit - first).unwrap_or(u64::MAX);
            let vector = match layout {
                BitmapLayout::Vectors => self.vector(number).map(|vector| (number, vector)),
                BitmapLayout::Masks => self.vector_of_mask(number),
            };
            budget.spend_values(len as u64)?;
            indexed.extend(vector);
        }
        indexed.sort_by_key(|(index, vector)| (vector.outcome, *index));
        Ok(indexed.into_iter().map(|(_, vector)| vector).collect())
    }

    /// The vector of this index, from its leaf back to node 0.
    fn vector(&self, index: u64) -> Option<TestVector> {
        let mut values = vec![None; self.next.len()].into_boxed_slice();
        let leaf = way_at(&self.leaves, index)?;
        let (mut way, mut rest) = (leaf, index - leaf.offset);
        for _ in 0..self.next.len() {
            values[self.position[way.from]] = Some(way.value);
            if way.from == 0 {
                break;
            }
            way = way_at(&self.incoming[way.from], rest)?;
            rest -= way.offset;
        }
        Some(TestVector {
            values,
            outcome: leaf.value,
        })
    }

    /// The vector in which these conditions (bit: id) are true, and its index. `None` if one of
    /// them is not evaluated then, so that the bit means nothing.
    fn vector_of_mask(&self, mask: u64) -> Option<(u64, TestVector)> {
        let mut values = vec![None; self.next.len()].into_boxed_slice();
        let (mut node, mut index, mut seen) = (0, 0u64, 0u64);
        for _ in 0..self.next.len() {
            let bit = u32::try_from(node)
                .ok()
                .and_then(|id| 1u64.checked_shl(id))
                .unwrap_or(0);
            let value = mask & bit != 0;
            seen |= mask & bit;
            values[self.position[node]] = Some(value);
            let is_way = |edge: &&Edge| edge.from == node && edge.value == value;
            let Some(next) = self.next[node][usize::from(value)] else {
                index += self.leaves.iter().find(is_way)?.offset;
                let outcome = value;
                return (seen == mask).then_some((index, TestVector { values, outcome }));
            };
            index += self.incoming[next].iter().find(is_way)?.offset;
            node = next;
        }
        None
    }
}

/// The way whose share of the indices holds this one.
fn way_at(ways: &[Edge], index: u64) -> Option<Edge> {
    let after = ways.partition_point(|way| way.offset <= index);
    ways[..after].last().copied()
}

/// Finds for each condition the first two vectors, by that of the true outcome and then by the
/// other, that differ in it alone (LLVM: `findIndependencePairs`).
fn find_pairs(record: &mut McdcRecord, budget: &Budget) -> Result<()> {
    let words = record.conditions.len().div_ceil(64);
    let masks: Vec<Masks> = record
        .vectors
        .iter()
        .map(|vector| Masks::new(vector, words))
        .collect();
    let of_true = record.vectors.partition_point(|vector| !vector.outcome);
    let mut missing = record.conditions.len();
    for (true_row, with_true) in masks.iter().enumerate().skip(of_true) {
        if missing == 0 {
            break;
        }
        budget.spend_steps((of_true * words) as u64)?;
        for (false_row, with_false) in masks[..of_true].iter().enumerate() {
            let Some(condition) = with_true.only_difference(with_false) else {
                continue;
            };
            let pair = &mut record.conditions[condition].pair;
            if pair.is_none() {
                let row = |row| u32::try_from(row).unwrap_or(u32::MAX);
                *pair = Some((row(false_row), row(true_row)));
                missing -= 1;
            }
        }
    }
    Ok(())
}

/// A vector as bits.
struct Masks {
    evaluated: Vec<u64>,
    values: Vec<u64>,
}

impl Masks {
    fn new(vector: &TestVector, words: usize) -> Self {
        let mut masks = Self {
            evaluated: vec![0; words],
            values: vec![0; words],
        };
        for (position, value) in vector.values.iter().enumerate() {
            let bit = 1 << (position % 64);
            if value.is_some() {
                masks.evaluated[position / 64] |= bit;
            }
            if *value == Some(true) {
                masks.values[position / 64] |= bit;
            }
        }
        masks
    }

    /// The one condition that is evaluated in both and differs.
    fn only_difference(&self, other: &Self) -> Option<usize> {
        let mut found = None;
        for word in 0..self.values.len() {
            let both = self.evaluated[word] & other.evaluated[word];
            let different = both & (self.values[word] ^ other.values[word]);
            if different == 0 {
                continue;
            }
            if found.is_some() || !different.is_power_of_two() {
                return None;
            }
            found = Some(word * 64 + different.trailing_zeros() as usize);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use bincover_model::Position;

    use super::*;

    /// Conditions on one line each, as (id, after false, after true) with -1 for a leaf; the ids
    /// are in stored order. The rows that a bitmap gives, and the pairs, by position.
    fn check(
        conditions: &[(u16, i16, i16)],
        bitmap_index: u32,
        bitmap: &[u8],
        layout: BitmapLayout,
        expected: &str,
    ) {
        let at = |line| Position { line, column: 1 };
        let region = |kind, mcdc, first, last| MappedRegion {
            kind,
            file: LocalFile(0),
            expanded: LocalFile(0),
            start: at(first),
            end: at(last),
            counter: Counter::Profile(0),
            false_counter: Counter::Profile(1),
            mcdc,
        };
        let count = u16::try_from(conditions.len()).unwrap();
        let decision = Mcdc::Decision(DecisionBits {
            bitmap_index,
            condition_count: count,
        });
        let mut regions = vec![region(MappedKind::Decision, decision, 1, 99)];
        for (line, &(id, after_false, after_true)) in (1..).zip(conditions) {
            let ids = Mcdc::Condition(ConditionIds {
                id,
                after_false: u16::try_from(after_false).ok(),
                after_true: u16::try_from(after_true).ok(),
            });
            regions.push(region(MappedKind::Condition, ids, line, line));
        }
        let records = records(&regions, Bitmap::Bytes(bitmap), layout, &Budget::default()).unwrap();
        let [record] = &records[..] else {
            panic!("{} records", records.len());
        };
        let letter = |value: &Option<bool>| match value {
            None => '-',
            Some(false) => 'F',
            Some(true) => 'T',
        };
        let mut rows: Vec<String> = Vec::new();
        for vector in &record.vectors {
            let values: String = vector.values.iter().map(letter).collect();
            rows.push(format!("{values}={}", letter(&Some(vector.outcome))));
        }
        for condition in &record.conditions {
            rows.push(match condition.pair {
                Some((no, yes)) => format!("({},{})", no + 1, yes + 1),
                None => "none".to_owned(),
            });
        }
        assert_eq!(rows.join(" "), expected);
    }

    const AND: &[(u16, i16, i16)] = &[(0, -1, 1), (1, -1, -1)];

    /// `(a && b) || (c && d)`, as clang stores it.
    const OR_OF_ANDS: &[(u16, i16, i16)] = &[(0, 2, 1), (2, -1, 3), (1, 2, -1), (3, -1, -1)];

    #[test]
    fn both() {
        let layout = BitmapLayout::Vectors;
        check(AND, 3, &[0b000], layout, "none none");
        check(AND, 3, &[0b101], layout, "F-=F TT=T (1,2) none");
        check(AND, 3, &[0b111], layout, "F-=F TF=F TT=T (1,3) (2,3)");
    }

    /// The bits of a decision that comes after others.
    #[test]
    fn bits_further_on() {
        check(
            AND,
            9,
            &[0b0100_0000, 1],
            BitmapLayout::Vectors,
            "F-=F TT=T (1,2) none",
        );
        check(
            AND,
            9,
            &[0b0100_0000],
            BitmapLayout::Vectors,
            "F-=F none none",
        );
        check(
            AND,
            2,
            &[0b11],
            BitmapLayout::Vectors,
            "TF=F TT=T none (1,2)",
        );
    }

    /// Section 4.3 of the format notes; there the list is by id.
    #[test]
    fn either_of_two() {
        let stored = &[(0, 2, 1), (1, 2, -1), (2, -1, 3), (3, -1, -1)];
        check(
            stored,
            7,
            &[0x57],
            BitmapLayout::Vectors,
            "F-F-=F TFF-=F F-TF=F F-TT=T TT--=T (1,5) (2,5) (1,4) (3,4)",
        );
        check(
            OR_OF_ANDS,
            7,
            &[0x57],
            BitmapLayout::Vectors,
            "FF--=F TFF-=F FT-F=F FT-T=T T-T-=T (1,5) (1,4) (2,5) (3,4)",
        );
    }

    /// A bit for each set of true conditions; those that cannot be are passed over.
    #[test]
    fn masks() {
        check(
            AND,
            1,
            &[0xff, 0b1011],
            BitmapLayout::Masks,
            "F-=F TF=F TT=T (1,3) (2,3)",
        );
        check(AND, 0, &[0b0100], BitmapLayout::Masks, "none none");
    }

    #[test]
    fn conditions_in_a_ring_are_no_decision() {
        let conditions = [
            ConditionIds {
                id: 0,
                after_false: None,
                after_true: Some(1),
            },
            ConditionIds {
                id: 1,
                after_false: None,
                after_true: Some(0),
            },
        ];
        let region = MappedRegion {
            kind: MappedKind::Condition,
            file: LocalFile(0),
            expanded: LocalFile(0),
            start: Position::default(),
            end: Position::default(),
            counter: Counter::Zero,
            false_counter: Counter::Zero,
            mcdc: Mcdc::None,
        };
        assert!(Graph::new(&conditions.map(|ids| (&region, ids))).is_none());
    }
}
