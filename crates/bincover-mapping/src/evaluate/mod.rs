//! Mapping and profile to evaluated coverage (LLVM: `CoverageMapping::load`,
//! `loadFunctionRecord`).

mod counts;
mod mcdc;
mod views;

use std::collections::HashMap;

use bincover_model::{Branch, Coverage, FileId, Function, LocalFile, Region, RegionKind};
use bincover_profile::Profile;
use bstr::BString;

use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::counts::{Evaluator, Looked, look_up};
use crate::evaluate::mcdc::Budget;
use crate::limits::MAX_LINES;
use crate::mapping::{Counter, Decoded, FunctionRecord, MappedKind, MappedRegion, Mapping};
use crate::object_file::COVFUN;

pub use mcdc::BitmapLayout;

/// What [`evaluate_with`] is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How the profile numbers MC/DC test vectors.
    pub bitmap_layout: BitmapLayout,
}

/// What an evaluation makes.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// The coverage.
    pub coverage: Coverage,
    /// Functions of the mapping that are not in it, in the order in which they were met. A
    /// function that several objects hold is listed for each.
    pub left_out: Vec<LeftOut>,
}

impl Evaluation {
    /// How many functions the profile has with another hash, each counted once for every object
    /// that holds it: the number in llvm-cov's warning (LLVM: `getMismatchedCount`).
    #[must_use]
    pub fn mismatch_count(&self) -> usize {
        let is_mismatch = |left: &&LeftOut| matches!(left.reason, Reason::HashMismatch { .. });
        self.left_out.iter().filter(is_mismatch).count()
    }
}

/// A function that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name as the profile has it.
    pub function: BString,
    /// Index of the mapping that holds it.
    pub mapping: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a function was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The profile has the function with another hash: it was made by another build, or the
    /// function is unused in this object and used in another (LLVM: hash mismatch).
    HashMismatch {
        /// The mapping's hash; 0 if the function is unused in this object.
        hash: u64,
    },
    /// The mapping refers to counters that the profile's record does not have.
    MissingCounters,
    /// The function is unused in this object, but the profile has counts for it.
    Unused,
}

/// Puts a profile's counts into the mappings of one or more objects. Where objects hold the same
/// function, the first one's is taken.
///
/// # Errors
/// If a function's mapping is malformed; [`Error::mapping`](crate::Error::mapping) says in which of the mappings.
pub fn evaluate(mappings: &[Mapping<'_>], profile: &Profile) -> Result<Evaluation> {
    evaluate_with(mappings, profile, &Options::default())
}

/// As [`evaluate`], with options.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    mappings: &[Mapping<'_>],
    profile: &Profile,
    options: &Options,
) -> Result<Evaluation> {
    let mut loader = Loader {
        options: *options,
        ..Loader::default()
    };
    for (index, mapping) in mappings.iter().enumerate() {
        loader
            .load(index, mapping, profile)
            .map_err(|error| error.in_mapping(index))?;
    }
    Ok(loader.finish())
}

/// Collects functions; file names are numbered as they come and sorted at the end.
#[derive(Default)]
struct Loader<'m> {
    options: Options,
    mcdc_budget: Budget,
    file_names: Vec<&'m BString>,
    file_ids: HashMap<&'m BString, FileId>,
    /// By file, the last line that a region ends in; and the sum of these.
    last_lines: Vec<u32>,
    line_count: u64,
    functions: Vec<Function>,
    /// Functions by shown name, to find those that are there already.
    by_name: HashMap<BString, Vec<u32>>,
    left_out: Vec<LeftOut>,
    decoded: Decoded,
    evaluator: Evaluator,
}

impl<'m> Loader<'m> {
    fn load(&mut self, index: usize, mapping: &'m Mapping<'_>, profile: &Profile) -> Result<()> {
        let tables: Vec<Vec<FileId>> = mapping
            .tables()
            .iter()
            .map(|names| names.iter().map(|name| self.intern(name)).collect())
            .collect();
        for record in mapping.functions() {
            let table = &tables[record.table];
            self.decoded
                .read(record.bytes, record.offset, table.len())
                .map_err(|error| error.in_section(COVFUN))?;
            self.count_lines(table)
                .map_err(|error| error.in_section(COVFUN))?;
            let added = self.add(&record, table, profile);
            if let Err(reason) = added.map_err(|error| error.in_section(COVFUN))? {
                self.left_out.push(LeftOut {
                    function: record.name.into(),
                    mapping: index,
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Keeps account of how many lines the files have.
    fn count_lines(&mut self, table: &[FileId]) -> Result<()> {
        self.last_lines.resize(self.file_names.len(), 0);
        for region in &self.decoded.regions {
            let file = table[self.decoded.files[region.file.0 as usize] as usize];
            let last = &mut self.last_lines[file.0 as usize];
            let more = region.end.line.saturating_sub(*last);
            *last += more;
            self.line_count += u64::from(more);
        }
        if self.line_count > MAX_LINES {
            let found = self.line_count;
            let message =
                format!("source files: expected at most {MAX_LINES} lines, found {found}");
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        Ok(())
    }

    fn intern(&mut self, name: &'m BString) -> FileId {
        *self.file_ids.entry(name).or_insert_with(|| {
            self.file_names.push(name);
            // Each name takes bytes of an object, so there are fewer than 2^32.
            FileId(u32::try_from(self.file_names.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Evaluates the decoded function and keeps it, unless an equal one is there.
    fn add(
        &mut self,
        record: &FunctionRecord<'_>,
        table: &[FileId],
        profile: &Profile,
    ) -> Result<Result<(), Reason>> {
        let decoded = &self.decoded;
        let counts = match look_up(profile, record) {
            Looked::Found(counts) => Some(counts),
            Looked::Unknown => None,
            Looked::Mismatch => {
                let hash = record.hash.0;
                return Ok(Err(Reason::HashMismatch { hash }));
            }
        };
        if let [only] = &decoded.regions[..]
            && is_constant_zero(only)
            && counts.is_some_and(|counts| counts.counters.first().is_some_and(|&count| count > 0))
        {
            return Ok(Err(Reason::Unused));
        }
        let files: Vec<FileId> = decoded
            .files
            .iter()
            .map(|&index| table[index as usize])
            .collect();
        let first_file = files.first().map(|file| self.file_names[file.0 as usize]);
        let name = shown_name(record.name, first_file);
        let function = Function {
            name,
            files,
            ..Function::default()
        };
        let counters = counts.map(|counts| counts.counters);
        let Some(mut function) = self.evaluator.function(decoded, counters, function) else {
            return Ok(Err(Reason::MissingCounters));
        };
        if decoded.has_mcdc {
            function.mcdc = mcdc::records(
                &decoded.regions,
                counts.map_or(&[], |counts| counts.bitmap),
                self.options.bitmap_layout,
                &mut self.mcdc_budget,
            )?;
        }

        let same_name = self.by_name.entry(function.name.clone()).or_default();
        let is_known = same_name
            .iter()
            .any(|&known| self.functions[known as usize].files == function.files);
        if !is_known {
            // As for files: each function takes bytes of an object.
            same_name.push(u32::try_from(self.functions.len()).unwrap_or(u32::MAX));
            self.functions.push(function);
        }
        Ok(Ok(()))
    }

    fn finish(self) -> Evaluation {
        let names = self.file_names.into_iter().cloned().collect();
        Evaluation {
            coverage: views::coverage(names, self.functions),
            left_out: self.left_out,
        }
    }
}

fn is_constant_zero(region: &MappedRegion) -> bool {
    region.counter == Counter::Zero && region.kind != MappedKind::Expansion
}

/// The name without the file prefix that local functions have: the text of the function's first
/// file and one byte more.
fn shown_name(name: &[u8], file: Option<&BString>) -> BString {
    let prefix = file.map_or(&b"<unknown>"[..], |file| &file[..]);
    match name.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() => rest.get(1..).unwrap_or_default().into(),
        _ => name.into(),
    }
}

/// A mapped region as the model has it; `None` for what is no region there.
fn model_region(region: &MappedRegion, count: u64) -> Option<Region> {
    Some(Region {
        kind: match region.kind {
            MappedKind::Code => RegionKind::Code,
            MappedKind::Expansion => RegionKind::Expansion,
            MappedKind::Skipped => RegionKind::Skipped,
            MappedKind::Gap => RegionKind::Gap,
            MappedKind::Branch | MappedKind::Condition | MappedKind::Decision => return None,
        },
        file: region.file,
        expanded: region.expanded,
        start: region.start,
        end: region.end,
        count,
    })
}

fn model_branch(region: &MappedRegion, true_count: u64, false_count: u64) -> Branch {
    Branch {
        file: region.file,
        start: region.start,
        end: region.end,
        true_count,
        false_count,
        true_folded: region.counter == Counter::Zero,
        false_folded: region.false_counter == Counter::Zero,
        is_condition: region.kind == MappedKind::Condition,
    }
}

/// The smallest local file that no expansion leads to.
fn main_file(function: &Function) -> Option<LocalFile> {
    let mut is_expanded = vec![false; function.files.len()];
    for region in &function.regions {
        if region.kind == RegionKind::Expansion
            && let Some(slot) = is_expanded.get_mut(region.expanded.0 as usize)
        {
            *slot = true;
        }
    }
    let first = is_expanded.iter().position(|expanded| !expanded)?;
    u32::try_from(first).ok().map(LocalFile)
}

#[cfg(test)]
mod tests;
