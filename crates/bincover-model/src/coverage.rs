//! Files, functions and what is in them.

use std::cmp::Ordering;

use bstr::BString;

use crate::{Excluded, McdcId, McdcRecord, Summary};

/// Index into [`Coverage::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Index into [`Coverage::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// Index into [`Function::files`]: a function's own numbering of the files it touches (LLVM:
/// `FileID`). Several local files may name the same [`FileId`], one for each macro expansion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalFile(pub u32);

/// Everything that was measured (LLVM: `CoverageMapping`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Source files, sorted bytewise by name, each name once.
    pub files: Vec<File>,
    /// Functions as compiled (each instantiation is one), in the order in which they were loaded.
    pub functions: Vec<Function>,
}

impl Coverage {
    /// The file with this id.
    ///
    /// # Panics
    /// If the id belongs to another `Coverage`.
    #[must_use]
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }

    /// The function with this id.
    ///
    /// # Panics
    /// If the id belongs to another `Coverage`.
    #[must_use]
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// Both together: files by name, the functions of `other` after those of this. Where both have
    /// a file, its lines ran as often as in that of the two where they ran most, and all else of it
    /// is there twice.
    #[must_use]
    pub fn join(mut self, mut other: Self) -> Self {
        let shift = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        for file in &mut other.files {
            let groups = file.groups.iter_mut().chain(&mut file.excluded.groups);
            let groups = groups.flat_map(|group| &mut group.members);
            let expansions = file.expansions.iter_mut();
            let ids = file.functions.iter_mut().chain(groups);
            let ids = ids.chain(expansions.map(|expansion| &mut expansion.function));
            for id in ids.chain(file.mcdc.iter_mut().map(|mcdc| &mut mcdc.function)) {
                id.0 += shift;
            }
        }
        // Each file with its place before, in this or in the other.
        let all = |files: Vec<File>, of| {
            let numbered = (0..=u32::MAX).map(FileId).zip(files);
            numbered.map(move |(id, file)| (file, [(of, id)].to_vec()))
        };
        let mut files: Vec<(File, Vec<(usize, FileId)>)> =
            all(std::mem::take(&mut self.files), 0).collect();
        files.extend(all(std::mem::take(&mut other.files), 1));
        files.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        files.dedup_by(|(new, new_places), (old, places)| {
            let is_same = new.name == old.name;
            if is_same {
                old.absorb([std::mem::take(new)]);
                places.append(new_places);
            }
            is_same
        });
        let mut renumbered = [vec![FileId(0); files.len()], vec![FileId(0); files.len()]];
        for (new, (_, places)) in (0..=u32::MAX).map(FileId).zip(&files) {
            for (of, old) in places {
                renumbered[*of][old.0 as usize] = new;
            }
        }
        self.files = files.into_iter().map(|(file, _)| file).collect();
        for (functions, renumbered) in [&mut self.functions, &mut other.functions]
            .into_iter()
            .zip(&renumbered)
        {
            for id in functions
                .iter_mut()
                .flat_map(|function| &mut function.files)
            {
                *id = renumbered[id.0 as usize];
            }
        }
        self.functions.append(&mut other.functions);
        self
    }

    /// The files that something is known of, in order: those to list in a report.
    pub fn measured_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| !file.is_blank())
    }

    /// The sum of the files' summaries.
    #[must_use]
    pub fn totals(&self) -> Summary {
        let mut totals = Summary::default();
        for file in &self.files {
            totals += file.summary;
        }
        totals
    }
}

/// One source file, all functions that touch it taken together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// The path as the compiler recorded it, made absolute where the compiler said how.
    pub name: BString,
    /// Points where the count changes, sorted by position (LLVM: `CoverageSegment`s of
    /// `getCoverageForFile`). Empty when the input knows only lines.
    pub segments: Vec<Segment>,
    /// Lines that hold code, ascending; other lines are absent.
    pub lines: Vec<Line>,
    /// Branches written in this file, not those inside macro expansions that it contains.
    pub branches: Vec<Branch>,
    /// Outcomes of branches of which the input knows no more than their lines, sorted; empty where
    /// `branches` are known.
    pub outcomes: Vec<Outcome>,
    /// Macro expansions in this file.
    pub expansions: Vec<Expansion>,
    /// MC/DC decisions in this file.
    pub mcdc: Vec<McdcId>,
    /// Functions whose first file is this one, in load order.
    pub functions: Vec<FunctionId>,
    /// Functions whose code starts in this file, grouped by where they start, sorted by position.
    pub groups: Vec<Group>,
    /// The file's numbers: the sum of its groups' (see [`Group::summary`]).
    ///
    /// These are LLVM's: a line that belongs to two functions (a closure inside a function) counts
    /// in both, so `summary.lines.total` may differ from `lines.len()`. Of Go, lines, regions and
    /// statements are the file's, each counted once.
    pub summary: Summary,
    /// What was left out of it on request (see [`Coverage::exclude`]), and is in none of the above.
    pub excluded: Excluded,
}

impl File {
    /// Takes in what others have of the same file. All at once: what there is is put in order once.
    pub(crate) fn absorb(&mut self, others: impl IntoIterator<Item = Self>) {
        let mut ranges = Vec::new();
        for other in others {
            self.segments.extend(other.segments);
            self.lines.extend(other.lines);
            self.branches.extend(other.branches);
            self.outcomes.extend(other.outcomes);
            self.expansions.extend(other.expansions);
            self.mcdc.extend(other.mcdc);
            self.functions.extend(other.functions);
            self.groups.extend(other.groups);
            self.summary += other.summary;
            ranges.extend(other.excluded.ranges);
            self.excluded.groups.extend(other.excluded.groups);
        }
        self.segments.sort_by_key(|segment| segment.start);
        self.lines.sort_by_key(|line| line.number);
        self.lines.dedup_by(|new, old| {
            let is_same = new.number == old.number;
            if is_same {
                old.count = old.count.max(new.count);
            }
            is_same
        });
        self.outcomes.sort();
        self.groups.sort_by_key(|group| group.start);
        self.excluded.add(ranges);
    }

    /// Nothing of it is known but its name, as of a file that was not wanted.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.segments.is_empty()
            && self.lines.is_empty()
            && self.functions.is_empty()
            && self.groups.is_empty()
            && self.summary == Summary::default()
    }
}

/// How often a line that holds code was executed (LLVM: `LineCoverageStats`, mapped lines only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1-based.
    pub number: u32,
    /// Executions.
    pub count: u64,
}

/// A position in a source file. The column counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// 1-based line.
    pub line: u32,
    /// 1-based byte column; 0 where a report is read that says only on which line a function begins.
    pub column: u32,
}

impl Position {
    /// Line and column in one: they are compared more than anything else.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.line) << 32 | u64::from(self.column)
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// From here on, until the next segment, the count is this (LLVM: `CoverageSegment`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub start: Position,
    /// Executions; 0 when `has_count` is false.
    pub count: u64,
    /// False where no code is, or code that the preprocessor skipped (LLVM: `HasCount`).
    pub has_count: bool,
    /// A region starts here, rather than an inner one ending (LLVM: `IsRegionEntry`).
    pub is_entry: bool,
    /// The region is a gap: white space between two statements (LLVM: `IsGapRegion`).
    pub is_gap: bool,
}

/// What a region is. The numbers are those of llvm-cov's JSON (LLVM: `RegionKind`); branches are
/// kept apart, as [`Branch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RegionKind {
    /// Code.
    Code = 0,
    /// A macro's or an include's use; what it expands to has a [`LocalFile`] of its own.
    Expansion = 1,
    /// Removed by the preprocessor.
    Skipped = 2,
    /// Between two statements: counts for whole lines only.
    Gap = 3,
}

/// A piece of a function with its count (LLVM: `CountedRegion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it is.
    pub kind: RegionKind,
    /// The file it lies in, by the function's numbering.
    pub file: LocalFile,
    /// For an expansion, the local file that it expands to (LLVM: `ExpandedFileID`); else 0.
    pub expanded: LocalFile,
    /// First position.
    pub start: Position,
    /// End; the column is exclusive.
    pub end: Position,
    /// Executions.
    pub count: u64,
}

/// A two-way branch with the count of each outcome (LLVM: `BranchRegion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The file it lies in, by its function's numbering.
    pub file: LocalFile,
    /// First position of the condition.
    pub start: Position,
    /// End of the condition; the column is exclusive.
    pub end: Position,
    /// Times the condition was true.
    pub true_count: u64,
    /// Times the condition was false.
    pub false_count: u64,
    /// The true side is a constant zero: it cannot happen and counts for nothing.
    pub true_folded: bool,
    /// The false side is a constant zero.
    pub false_folded: bool,
    /// It is a condition of an MC/DC decision (LLVM: `MCDCBranchRegion`, kind 6 in llvm-cov's
    /// JSON; other branches are of kind 4).
    pub is_condition: bool,
}

impl Branch {
    /// Neither side can happen: the condition is a constant.
    #[must_use]
    pub fn is_folded(&self) -> bool {
        self.true_folded && self.false_folded
    }
}

/// One way that a branch can go, where the input says on which line, and not in which column (lcov:
/// `BRDA`). A branch may have any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// 1-based.
    pub line: u32,
    /// Outcomes of one branch have the same; by line, and with no meaning but that.
    pub block: u32,
    /// Tells the outcomes of a block apart.
    pub number: u32,
    /// How often it went this way; `None` if the branch was never reached.
    pub count: Option<u64>,
}

/// A macro's use in a file (LLVM: `ExpansionRecord`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The function that contains it.
    pub function: FunctionId,
    /// Index of its region in [`Function::regions`].
    pub region: u32,
}

/// A function as compiled: one instantiation of a generic one (LLVM: `FunctionRecord`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Function {
    /// The symbol's name, mangled, without the file prefix of local functions.
    pub name: BString,
    /// How often it was entered.
    pub count: u64,
    /// The files it touches, by [`LocalFile`].
    pub files: Vec<FileId>,
    /// The file that no expansion leads to (LLVM: main view file); `None` if there is no such.
    pub main_file: Option<LocalFile>,
    /// Where its declaration begins, where that is not its first region.
    pub declared: Option<Position>,
    /// The last line of its body, where a report without regions says it (lcov: the end line of `FN`);
    /// not before the line of its declaration.
    pub last_line: Option<u32>,
    /// Regions in the order in which they were stored, which is by [`LocalFile`]; never branches.
    pub regions: Vec<Region>,
    /// Branches in the order in which they were stored, which is by [`LocalFile`]; constant ones
    /// included.
    pub branches: Vec<Branch>,
    /// MC/DC decisions, in the order in which their last conditions were stored.
    pub mcdc: Vec<McdcRecord>,
    /// How many statements each region has, where they are counted; else empty.
    pub statements: Vec<u32>,
    /// This function's own numbers; `functions` and `instantiations` count itself.
    pub summary: Summary,
}

impl Function {
    /// Where the function starts: its declaration, if that is known, or else its first region.
    #[must_use]
    pub fn start(&self) -> Option<Position> {
        let first = self.regions.first();
        self.declared.or_else(|| first.map(|region| region.start))
    }
}

/// Functions that start at one place of the source: the instantiations of a generic function
/// (LLVM: `InstantiationGroup`).
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Where they start.
    pub start: Position,
    /// Its members in load order; never empty.
    pub members: Vec<FunctionId>,
    /// The sum of the members' counts (wrapping).
    pub count: u64,
    /// Per field, the maximum over the members of covered and of total, each on its own;
    /// `functions` counts the group once and `instantiations` the members.
    pub summary: Summary,
}
