//! A function's counts: the profile's record for it, and its counter expressions (LLVM:
//! `CounterMappingContext`).

use bincover_model::Function;
use bincover_profile::indexed::{Finder, IndexedProfile};
use bincover_profile::raw::Counters;
use bincover_profile::{Bitmap, FunctionHash, NameRef, Profile, Values};

use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::{main_file, model_branch, model_region};
use crate::mapping::{Counter, Decoded, MappedKind, MappedRegion};

/// Where counts come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'p> {
    /// A profile in memory.
    Merged(&'p Profile),
    /// One as it lies in a file, of which only the records that are asked for are read.
    Indexed(&'p IndexedProfile<'p>),
}

impl<'p> From<&'p Profile> for Source<'p> {
    fn from(profile: &'p Profile) -> Self {
        Self::Merged(profile)
    }
}

impl<'p> From<&'p IndexedProfile<'p>> for Source<'p> {
    fn from(profile: &'p IndexedProfile<'p>) -> Self {
        Self::Indexed(profile)
    }
}

/// What the profile knows of a function.
#[derive(Debug)]
pub(super) enum Looked<'p> {
    /// Its counters and MC/DC bits.
    Found(Counts<'p>),
    /// Nothing: it was never executed, or the profile is of another program.
    Unknown,
    /// The name with another hash, which is this.
    Mismatch(FunctionHash),
}

/// What the profile counted in a function, as it lies there: a mapping may ask for a few of many counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts<'p> {
    pub(super) counters: Counters<'p>,
    pub(super) bitmap: Bitmap<'p>,
}

/// Finds the record of name and hash. Records whose hash differs in the context bit do not count
/// as "the name with another hash", which matters for Rust, whose hashes use that bit like any
/// other (LLVM: `IndexedInstrProfReader::getInstrProfRecord`).
pub(super) fn look_up<'p>(
    source: Source<'p>,
    finder: &mut Finder,
    name_ref: NameRef,
    name: &[u8],
    hash: FunctionHash,
) -> Result<Looked<'p>> {
    let (counts, other_hash) = match source {
        Source::Merged(profile) => match profile.record(name, name_ref, hash) {
            Some(record) => {
                let counts = Counts {
                    counters: Counters::Decoded(record.counts),
                    bitmap: Bitmap::Bytes(record.bitmap),
                };
                (Some(counts), None)
            }
            None => (None, profile.last_hash(name, name_ref, hash)),
        },
        Source::Indexed(profile) => {
            let found = profile.find(name, name_ref, hash, finder);
            let found = found.map_err(unreadable)?;
            let counts = found.record.map(|record| Counts {
                counters: record.counters,
                bitmap: Bitmap::Words(record.bitmap_words),
            });
            (counts, found.other_hash)
        }
    };
    Ok(match (counts, other_hash) {
        (Some(counts), _) => Looked::Found(counts),
        (None, Some(other)) => Looked::Mismatch(other),
        (None, None) => Looked::Unknown,
    })
}

/// Calls `visit` with the name and the hash of each record.
pub(super) fn for_each_record(
    source: Source<'_>,
    mut visit: impl FnMut(NameRef, &[u8], FunctionHash),
) -> Result<()> {
    match source {
        Source::Merged(profile) => {
            for record in profile.records() {
                visit(record.name_ref, record.name, record.hash);
            }
            Ok(())
        }
        Source::Indexed(profile) => profile
            .for_each(&mut Values::default(), |record, _| {
                visit(NameRef::of(record.name), record.name, record.hash);
            })
            .map_err(unreadable),
    }
}

#[cold]
fn unreadable(error: bincover_profile::Error) -> Error {
    Error::from(error).of_kind(ErrorKind::DamagedProfile)
}

/// Evaluates functions; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Evaluator {
    /// Values of expressions, by index.
    values: Vec<Option<u64>>,
    /// Expressions under way, the innermost last.
    pending: Vec<u32>,
    /// By file, what counts an expansion to it: the file's first region.
    targets: Vec<Counter>,
    /// By file, the last region that expands to it.
    expanding: Vec<Option<usize>>,
}

impl Evaluator {
    /// Fills in regions, branches and the function's count. `counts` are the profile's; without
    /// them all is zero. `None` if a counter or expression is out of range, or an expression
    /// needs itself.
    pub(super) fn function(
        &mut self,
        decoded: &Decoded,
        counts: Option<Counters<'_>>,
        mut function: Function,
    ) -> Option<Function> {
        self.values.clear();
        self.values.resize(decoded.expressions.len(), None);
        let has_expansions = self.resolve_expansions(decoded);
        let is_branch = |region: &&MappedRegion| {
            matches!(region.kind, MappedKind::Branch | MappedKind::Condition)
        };
        let branches = decoded.regions.iter().filter(is_branch).count();
        function.branches.reserve_exact(branches);
        function
            .regions
            .reserve_exact(decoded.regions.len() - branches);
        for (index, region) in decoded.regions.iter().enumerate() {
            let expanded = region.expanded.0 as usize;
            let counter = match region.kind {
                MappedKind::Expansion if self.expanding[expanded] == Some(index) => {
                    self.targets[expanded]
                }
                _ => region.counter,
            };
            let count = self.count(counter, decoded, counts)?;
            if is_branch(&region) {
                let false_count = self.count(region.false_counter, decoded, counts)?;
                function
                    .branches
                    .push(model_branch(region, count, false_count));
            } else if let Some(region) = model_region(region, count) {
                function.regions.push(region);
            }
        }
        function.count = function.regions.first().map_or(0, |region| region.count);
        function.main_file = if has_expansions {
            main_file(&function)
        } else {
            (!function.files.is_empty()).then_some(Default::default())
        };
        Some(function)
    }

    /// An expansion is counted by the first region of the file that it expands to, which may be
    /// an expansion itself. Of several that expand to one file, only the last one is counted; a
    /// ring of expansions is by nothing. False if there are no expansions.
    fn resolve_expansions(&mut self, decoded: &Decoded) -> bool {
        let is_expansion = |region: &MappedRegion| region.kind == MappedKind::Expansion;
        if !decoded.regions.iter().any(is_expansion) {
            return false;
        }
        let file_count = decoded.files.len();
        self.expanding.clear();
        self.expanding.resize(file_count, None);
        let mut first = vec![None; file_count];
        for (index, region) in decoded.regions.iter().enumerate() {
            first[region.file.0 as usize].get_or_insert(index);
            if is_expansion(region) {
                self.expanding[region.expanded.0 as usize] = Some(index);
            }
        }
        self.targets.clear();
        self.targets.resize(file_count, Counter::Zero);
        let mut is_known = vec![false; file_count];
        let mut path = Vec::new();
        for start in 0..file_count {
            // Each file is walked through once: a walk ends at one that is known, or, in a ring,
            // at one of its own, which is marked by then.
            let mut at = start;
            let counter = loop {
                if std::mem::replace(&mut is_known[at], true) {
                    break self.targets[at];
                }
                path.push(at);
                let Some(index) = first[at] else {
                    break Counter::Zero;
                };
                let region = &decoded.regions[index];
                if !is_expansion(region) {
                    break region.counter;
                }
                at = region.expanded.0 as usize;
                if self.expanding[at] != Some(index) {
                    break Counter::Zero;
                }
            };
            for file in path.drain(..) {
                self.targets[file] = counter;
            }
        }
        true
    }

    fn count(
        &mut self,
        counter: Counter,
        decoded: &Decoded,
        counts: Option<Counters<'_>>,
    ) -> Option<u64> {
        let Some(counts) = counts else {
            // All counters are zero and so is whatever is made of them.
            return Some(0);
        };
        match counter {
            Counter::Zero => Some(0),
            Counter::Profile(index) => counts.get(index as usize),
            Counter::Expression(index) => self.expression(index, decoded, counts),
        }
    }

    /// The value of an expression, by a stack of our own: a tower of expressions in a crafted
    /// file must not overflow the thread's. Sums wrap and differences may go below zero, as in
    /// LLVM.
    fn expression(&mut self, index: u32, decoded: &Decoded, counts: Counters<'_>) -> Option<u64> {
        self.pending.clear();
        self.pending.push(index);
        while let Some(&index) = self.pending.last() {
            // A chain that is longer than all expressions visits one of them twice.
            if self.pending.len() > decoded.expressions.len() {
                return None;
            }
            let expression = decoded.expressions.get(index as usize)?;
            let mut operand = |counter| match counter {
                Counter::Zero => Some(Some(0)),
                Counter::Profile(index) => counts.get(index as usize).map(Some),
                Counter::Expression(index) => {
                    let value = *self.values.get(index as usize)?;
                    if value.is_none() {
                        self.pending.push(index);
                    }
                    Some(value)
                }
            };
            let Some(left) = operand(expression.left)? else {
                continue;
            };
            let Some(right) = operand(expression.right)? else {
                continue;
            };
            self.pending.pop();
            self.values[index as usize] = Some(if expression.add {
                left.wrapping_add(right)
            } else {
                left.wrapping_sub(right)
            });
        }
        self.values[index as usize]
    }
}
