//! Mapping and profile to evaluated coverage (LLVM: `CoverageMapping::load`,
//! `loadFunctionRecord`).

mod counts;
mod gather;
mod mcdc;
mod names;
mod views;

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};

use bincover_model::{
    Branch, Coverage, FileId, Function, LocalFile, Region, RegionKind, Segmenter,
};
use bincover_profile::indexed::Finder;
use bincover_profile::{Bitmap, FunctionHash, HashedMap, Mixing, NameRef, Profile};
use bstr::{BStr, BString};

use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::counts::{Evaluator, Looked, for_each_record, look_up};
use crate::evaluate::gather::{Gathered, Unique};
use crate::evaluate::mcdc::Budget;
use crate::limits::MAX_LINES;
use crate::mapping::{Counter, Decoded, MappedKind, MappedRegion, Mapping, files_of, no_name};
use crate::parallel::{self, thread_count};

pub use counts::Source;
pub use mcdc::BitmapLayout;

/// Records that a thread takes at a time.
const BLOCK: usize = 64;

/// What [`evaluate_with`] is told.
#[derive(Clone, Copy, Default)]
pub struct Options<'o> {
    /// How the profile numbers MC/DC test vectors.
    pub bitmap_layout: BitmapLayout,
    /// How many threads work; as many as the machine runs if it is not given. The result does not
    /// depend on it.
    pub threads: Option<NonZeroUsize>,
    /// Whether a file is wanted, by name. A function of which no file is wanted is passed over
    /// undecoded, unless the profile has it with another hash; files that are not wanted have
    /// nothing but their name.
    pub wanted: Option<&'o (dyn Fn(&BStr) -> bool + Sync)>,
    /// How much is made.
    pub detail: Detail,
    /// Called when the records of all objects are listed. From then on few bytes of the objects are
    /// read again: of records that several have, the first one's.
    pub listed: Option<&'o (dyn Fn() + Sync)>,
    /// Also list functions that count as not executed since the profile does not have them, and
    /// functions of the profile that no object has.
    pub explain: bool,
}

/// How much an evaluation makes. Less is faster, and takes less memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    #[default]
    All,
    /// All but the files' segments.
    Lines,
    /// Of files their summaries only: no segments, lines, branches, expansions and decisions.
    /// Functions have their summaries too, and no regions but those that they begin with.
    Summaries,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("bitmap_layout", &self.bitmap_layout)
            .field("threads", &self.threads)
            .field("wanted", &self.wanted.map(|_| ..))
            .field("detail", &self.detail)
            .field("listed", &self.listed.map(|_| ..))
            .field("explain", &self.explain)
            .finish()
    }
}

/// What an evaluation makes.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// The coverage.
    pub coverage: Coverage,
    /// Functions of the mapping that are not in it, in the order in which they were met. A
    /// function that several objects hold is listed for each. With [`Options::explain`] also
    /// those that are in it, but without counts; each once.
    pub left_out: Vec<LeftOut>,
    /// With [`Options::explain`], functions of the profile that no mapping has, in its order.
    pub unmapped: Vec<Unmapped>,
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

/// A function that was left out, or counts as not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name as the profile has it.
    pub function: BString,
    /// The source file that it is in; empty if it is in none.
    pub file: BString,
    /// Index of the mapping that holds it.
    pub mapping: usize,
    /// The member of the archive, or the slice of the universal file, if the mapping is of such.
    pub member: Option<BString>,
    /// The mapping's hash; 0 if the function is unused in this object.
    pub hash: u64,
    /// The profile's hash, of several the last; `None` if it does not have the function.
    pub profile_hash: Option<u64>,
    /// Why.
    pub reason: Reason,
    /// The compiler found the function unused in this object, which has its mapping, with nothing
    /// but zeros, and no code of it that could count. So it says nothing of how well the object
    /// and the profile fit.
    pub is_stub: bool,
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
    /// The profile does not have the function. It is in the coverage, as not executed.
    NotInProfile,
}

impl Reason {
    /// The function is not in the coverage.
    #[must_use]
    pub fn is_loss(self) -> bool {
        self != Self::NotInProfile
    }
}

/// A function of the profile that no mapping has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Its name as the profile has it.
    pub function: BString,
    /// The profile's hash.
    pub hash: u64,
}

/// Puts a profile's counts into the mappings of one or more objects. Where objects hold the same
/// function, the first one's is taken.
///
/// # Errors
/// If a function's mapping is malformed; [`Error::mapping`](crate::Error::mapping) says in which of the mappings.
pub fn evaluate(mappings: &[Mapping<'_>], profile: &Profile) -> Result<Evaluation> {
    evaluate_with(mappings, profile, &Options::default())
}

/// As [`evaluate`], with options, and also with a profile of which only what is needed is read.
///
/// # Errors
/// As [`evaluate`]; or if a record of the profile is damaged.
pub fn evaluate_with<'p>(
    mappings: &[Mapping<'_>],
    profile: impl Into<Source<'p>>,
    options: &Options<'_>,
) -> Result<Evaluation> {
    Ok(count(mappings, profile, options)?.evaluation())
}

/// The first half of [`evaluate_with`], after which objects and profile are needed no more.
///
/// # Errors
/// As [`evaluate_with`].
pub fn count<'p>(
    mappings: &[Mapping<'_>],
    profile: impl Into<Source<'p>>,
    options: &Options<'_>,
) -> Result<Counted> {
    let profile = profile.into();
    let threads = thread_count(options.threads);
    let gathered = Gathered::gather(mappings, threads, options.explain)?;
    if let Some(listed) = options.listed {
        listed();
    }
    let wanted: Option<Vec<bool>> = options.wanted.map(|is_wanted| {
        let names = gathered.file_names.iter();
        names.map(|name| is_wanted(name.as_ref())).collect()
    });
    let worker = Worker {
        gathered: &gathered,
        profile,
        layout: options.bitmap_layout,
        wanted: wanted.as_deref(),
        budget: Budget::default(),
        detail: options.detail,
        last_lines: gathered
            .file_names
            .iter()
            .map(|_| AtomicU32::new(0))
            .collect(),
    };
    let uniques = &gathered.uniques[..];
    let mut kept = Kept::new(uniques.len());
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(uniques.len());
    let located = |error: Error, unit: u32| {
        let unit = &gathered.units[unit as usize];
        match error.kind() {
            ErrorKind::DamagedProfile => error.in_mapping(unit.mapping),
            _ => error.in_section(unit.unit.section).in_mapping(unit.mapping),
        }
    };
    let work = |state: &mut State, index: usize| worker.outcome(state, &uniques[index]);
    parallel::for_each(uniques.len(), threads, BLOCK, work, |index, outcome| {
        let unit = uniques[index].unit;
        verdicts.push(match outcome.map_err(|error| located(error, unit))? {
            Outcome::Dropped(reason, hash, stub) => Verdict::Dropped(reason, hash, stub),
            Outcome::PassedOver => Verdict::Settled,
            Outcome::Evaluated {
                function,
                name_ref,
                unknown,
            } => {
                let is_new = kept.add(function, name_ref, unit);
                match unknown.filter(|_| is_new) {
                    Some(stub) => Verdict::Unknown(stub),
                    None => Verdict::Settled,
                }
            }
        });
        Ok::<_, Error>(())
    })?;
    if worker.line_count() > MAX_LINES {
        let checked = kept.check_lines(gathered.file_names.len());
        checked.map_err(|(error, unit)| located(error, unit))?;
    }
    let left_out = left_out(&gathered, verdicts, options.explain);
    let unmapped = match options.explain {
        true => unmapped(&gathered, profile)?,
        false => Vec::new(),
    };
    let functions = kept.functions;
    drop((kept.by_key, kept.next, kept.units));
    Ok(Counted {
        file_names: gathered.forget_all_but_file_names(),
        functions,
        wanted,
        left_out,
        unmapped,
        threads,
        detail: options.detail,
    })
}

/// Functions with their counts, not yet put together by file.
#[derive(Debug)]
pub struct Counted {
    /// By file as the functions number them.
    file_names: Vec<BString>,
    functions: Vec<Function>,
    wanted: Option<Vec<bool>>,
    left_out: Vec<LeftOut>,
    unmapped: Vec<Unmapped>,
    threads: usize,
    detail: Detail,
}

impl Counted {
    /// Whether a function is in a file that is wanted.
    #[must_use]
    pub fn has_wanted(&self) -> bool {
        let mut files = self.functions.iter().flat_map(|function| &function.files);
        let wanted = self.wanted.as_ref();
        files.any(|file| wanted.is_none_or(|wanted| wanted[file.0 as usize]))
    }

    /// The second half of [`evaluate_with`].
    #[must_use]
    pub fn evaluation(self) -> Evaluation {
        let views = views::Views {
            threads: self.threads,
            wanted: self.wanted,
            detail: self.detail,
        };
        Evaluation {
            coverage: views.coverage(self.file_names, self.functions),
            left_out: self.left_out,
            unmapped: self.unmapped,
        }
    }
}

/// What came of a record.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, and it is moved on soon"
)]
enum Outcome {
    Evaluated {
        function: Function,
        /// Of the shown name.
        name_ref: NameRef,
        /// The profile does not have it.
        unknown: Option<Stub>,
    },
    /// And the profile's hash.
    Dropped(Reason, FunctionHash, Stub),
    /// No file of it is wanted.
    PassedOver,
}

/// Whether a record is of a function that is unused in its object.
#[derive(Clone, Copy)]
struct Stub(bool);

/// What is to be said of a record and its copies.
#[derive(Clone, Copy)]
enum Verdict {
    Dropped(Reason, FunctionHash, Stub),
    Unknown(Stub),
    Settled,
}

/// What each thread keeps from one record to the next.
#[derive(Default)]
struct State {
    finder: Finder,
    decoded: Decoded,
    evaluator: Evaluator,
    segmenter: Segmenter,
    /// Memory for those of functions of which they are not kept.
    regions: Vec<Region>,
    branches: Vec<Branch>,
}

impl State {
    /// Leaves the regions that a function and its main file begin with, and takes the others'
    /// memory for the next.
    fn keep_beginnings(&mut self, function: &mut Function) {
        let main = function.main_file;
        let main = main.and_then(|main| function.regions_in(main).first());
        let first = function.regions.first();
        let others = main.filter(|main| first.is_some_and(|first| first.file != main.file));
        let beginnings = first.into_iter().chain(others).copied().collect();
        self.regions = std::mem::replace(&mut function.regions, beginnings);
        self.regions.clear();
        self.branches = std::mem::take(&mut function.branches);
        self.branches.clear();
        function.mcdc = Vec::new();
    }
}

/// Evaluates records, each by itself.
struct Worker<'w> {
    gathered: &'w Gathered<'w>,
    profile: Source<'w>,
    layout: BitmapLayout,
    wanted: Option<&'w [bool]>,
    budget: Budget,
    detail: Detail,
    /// By file, the last line that a region of any function ends in; all 0 if no lines are listed.
    last_lines: Vec<AtomicU32>,
}

impl Worker<'_> {
    /// Keeps account of how many lines the files have.
    fn note_lines(&self, function: &Function) {
        for regions in function.regions.chunk_by(|a, b| a.file == b.file) {
            let file = function.files[regions[0].file.0 as usize];
            let last = regions.iter().map(|region| region.end.line).max();
            let (noted, last) = (&self.last_lines[file.0 as usize], last.unwrap_or(0));
            if noted.load(Ordering::Relaxed) < last {
                noted.fetch_max(last, Ordering::Relaxed);
            }
        }
    }

    /// Lines of all files together.
    fn line_count(&self) -> u64 {
        let lines = self.last_lines.iter();
        lines
            .map(|last| u64::from(last.load(Ordering::Relaxed)))
            .sum()
    }

    fn outcome(&self, state: &mut State, unique: &Unique) -> Result<Outcome> {
        let table = &self.gathered.tables[unique.table as usize][..];
        let record = unique.record(&self.gathered.units);
        let bytes = unique.bytes(&self.gathered.units);
        let offset = record.bytes_offset();
        let Some(name) = self.gathered.name(unique) else {
            let found = format_args!("{:#x}", unique.name_ref.0);
            return Err(no_name(record.offset, found));
        };
        let finder = &mut state.finder;
        let looked = look_up(self.profile, finder, unique.name_ref, name, record.hash)?;
        let is_wanted = match self.wanted {
            None => true,
            Some(wanted) => files_of(bytes, offset, table.len())?
                .iter()
                .any(|&index| wanted[table[index as usize].0 as usize]),
        };
        if !is_wanted && !matches!(looked, Looked::Mismatch(_)) {
            return Ok(Outcome::PassedOver);
        }
        let is_unknown = matches!(looked, Looked::Unknown);
        let decoded = &mut state.decoded;
        decoded.read(bytes, offset, table.len())?;
        // A function without control flow may have this hash by itself, and count.
        let stub = Stub(record.hash.0 == 0 && decoded.regions.iter().all(counts_nothing));
        let counts = match looked {
            Looked::Found(counts) => Some(counts),
            Looked::Unknown => None,
            Looked::Mismatch(profile) => {
                let hash = record.hash.0;
                let reason = Reason::HashMismatch { hash };
                return Ok(Outcome::Dropped(reason, profile, stub));
            }
        };
        let counters = counts.map(|counts| counts.counters);
        if let [only] = &decoded.regions[..]
            && is_constant_zero(only)
            && counters.is_some_and(|counts| counts.get(0).is_some_and(|count| count > 0))
        {
            return Ok(Outcome::Dropped(Reason::Unused, record.hash, Stub(true)));
        }
        let files: Vec<FileId> = decoded
            .files
            .iter()
            .map(|&index| table[index as usize])
            .collect();
        let first = files.first();
        let prefix = first.map(|file| &self.gathered.file_names[file.0 as usize]);
        let shown = shown_name(name, prefix);
        let name_ref = match shown.len() == name.len() {
            true => unique.name_ref,
            false => NameRef::of(shown),
        };
        let mut function = Function {
            name: shown.into(),
            files,
            ..Function::default()
        };
        if self.detail == Detail::Summaries {
            function.regions = std::mem::take(&mut state.regions);
            function.branches = std::mem::take(&mut state.branches);
        }
        let Some(mut function) = state.evaluator.function(decoded, counters, function) else {
            return Ok(Outcome::Dropped(Reason::MissingCounters, record.hash, stub));
        };
        if decoded.has_mcdc {
            let bitmap = counts.map_or(Bitmap::Bytes(&[]), |counts| counts.bitmap);
            function.mcdc = mcdc::records(&decoded.regions, bitmap, self.layout, &self.budget)?;
        }
        function.summary = function.summarize(&mut state.segmenter);
        if self.detail == Detail::Summaries {
            state.keep_beginnings(&mut function);
        } else {
            self.note_lines(&function);
        }
        Ok(Outcome::Evaluated {
            function,
            name_ref,
            unknown: is_unknown.then_some(stub),
        })
    }
}

/// The functions of the coverage, in the order in which they were met.
struct Kept {
    functions: Vec<Function>,
    /// By the hash of shown name and files, one more than the index of the last function that has it; for each
    /// function, of another of the same, or 0.
    by_key: HashedMap<u64, u32>,
    next: Vec<u32>,
    /// For each function, the index of the unit that it is of.
    units: Vec<u32>,
}

impl Kept {
    fn new(functions: usize) -> Self {
        Self {
            functions: Vec::with_capacity(functions),
            by_key: HashedMap::with_capacity_and_hasher(functions, Default::default()),
            next: Vec::with_capacity(functions),
            units: Vec::with_capacity(functions),
        }
    }

    /// False if one of this name and these files is there.
    fn add(&mut self, function: Function, name_ref: NameRef, unit: u32) -> bool {
        // Local functions of any number of files may have one name.
        let mut key = Mixing::default().build_hasher();
        key.write_u64(name_ref.0);
        for file in &function.files {
            key.write_u64(file.0.into());
        }
        let last = self.by_key.entry(key.finish()).or_default();
        let mut at = *last;
        while let Some(index) = at.checked_sub(1) {
            let known = &self.functions[index as usize];
            if known.files == function.files && known.name == function.name {
                return false;
            }
            at = self.next[index as usize];
        }
        self.next.push(*last);
        self.units.push(unit);
        self.functions.push(function);
        // There are fewer functions than bytes in a section, which has less than 2^32.
        *last = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        true
    }

    /// Finds the first function with which the files have too many lines, and its unit.
    fn check_lines(&self, files: usize) -> Result<(), (Error, u32)> {
        let mut last_lines = vec![0; files];
        let mut line_count = 0;
        for (function, &unit) in self.functions.iter().zip(&self.units) {
            for region in &function.regions {
                let file = function.files[region.file.0 as usize];
                let last = &mut last_lines[file.0 as usize];
                let more = region.end.line.saturating_sub(*last);
                *last += more;
                line_count += u64::from(more);
            }
            if line_count > MAX_LINES {
                let expected = format_args!("at most {MAX_LINES} lines");
                let kind = ErrorKind::Malformed;
                return Err((Error::of(kind, "source files", expected, line_count), unit));
            }
        }
        Ok(())
    }
}

/// Lists what the verdicts have to say, once for each object that holds the record.
fn left_out(gathered: &Gathered<'_>, mut verdicts: Vec<Verdict>, explain: bool) -> Vec<LeftOut> {
    let mut listed = Vec::new();
    for &(unit, index) in &gathered.met {
        let verdict = &mut verdicts[index as usize];
        let (reason, profile_hash, stub) = match *verdict {
            Verdict::Dropped(reason, profile, stub) => (reason, Some(profile.0), stub),
            Verdict::Unknown(stub) if explain => {
                *verdict = Verdict::Settled;
                (Reason::NotInProfile, None, stub)
            }
            _ => continue,
        };
        let unique = &gathered.uniques[index as usize];
        let unit = &gathered.units[unit as usize];
        let table = &gathered.tables[unique.table as usize];
        let record = unique.record(&gathered.units);
        let bytes = unique.bytes(&gathered.units);
        let files = files_of(bytes, record.bytes_offset(), table.len()).unwrap_or_default();
        let file = files.first().map(|&index| table[index as usize]);
        listed.push(LeftOut {
            function: gathered.name(unique).map(BString::from).unwrap_or_default(),
            file: file
                .map(|file| gathered.file_names[file.0 as usize].clone())
                .unwrap_or_default(),
            mapping: unit.mapping,
            member: unit.unit.member.clone(),
            hash: record.hash.0,
            profile_hash,
            reason,
            is_stub: stub.0,
        });
    }
    listed
}

/// Functions of the profile that no mapping has, of any hash.
fn unmapped(gathered: &Gathered<'_>, profile: Source<'_>) -> Result<Vec<Unmapped>> {
    let mut unmapped = Vec::new();
    for_each_record(profile, |name_ref, name, hash| {
        if !gathered.has(name_ref) {
            unmapped.push(Unmapped {
                function: name.into(),
                hash: hash.0,
            });
        }
    })?;
    Ok(unmapped)
}

fn counts_nothing(region: &MappedRegion) -> bool {
    region.counter == Counter::Zero && region.false_counter == Counter::Zero
}

fn is_constant_zero(region: &MappedRegion) -> bool {
    region.counter == Counter::Zero && region.kind != MappedKind::Expansion
}

/// The name without the file prefix that local functions have: the text of the function's first
/// file and one byte more.
fn shown_name<'n>(name: &'n BStr, file: Option<&BString>) -> &'n BStr {
    let prefix = file.map_or(&b"<unknown>"[..], |file| &file[..]);
    match name.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() => rest.get(1..).unwrap_or_default().into(),
        _ => name,
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
