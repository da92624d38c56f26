//! Functions to files: what each file shows, its instantiation groups and its numbers (LLVM:
//! `getCoverageForFile`, `getInstantiationGroups`, `CoverageReport::prepareSingleFileReport`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use bincover_model::{
    Coverage, File, FileId, Function, FunctionId, Group, LocalFile, McdcId, Position, Region,
    Segmenter, lines,
};
use bstr::BString;

use crate::evaluate::Detail;
use crate::parallel;

/// How views are made.
pub(super) struct Views {
    pub(super) threads: usize,
    /// By file as numbered before sorting; all if not given.
    pub(super) wanted: Option<Vec<bool>>,
    pub(super) detail: Detail,
}

/// Files that a thread takes at a time.
const BLOCK: usize = 4;

impl Views {
    /// Puts functions whose files are numbered as in `names` together. Files that no function
    /// refers to do not appear.
    pub(super) fn coverage(self, names: Vec<BString>, mut functions: Vec<Function>) -> Coverage {
        let sorted = sort_files(names, &mut functions);
        let touches = touches_by_file(sorted.len(), &functions);
        let wanted = sorted.iter().map(|&(_, old)| {
            let wanted = self.wanted.as_ref();
            wanted.is_none_or(|wanted| wanted[old])
        });
        let wanted: Vec<bool> = wanted.collect();
        let decisions = decisions_by_file(&wanted, &functions);
        let view = |memory: &mut Memory, index: usize| {
            // There are as many files as FileIds.
            let id = FileId(u32::try_from(index).unwrap_or(u32::MAX));
            match wanted[index] {
                true => view_file(id, &touches[index], &functions, self.detail, memory),
                false => File::default(),
            }
        };
        let files = parallel::map(sorted.len(), self.threads, BLOCK, view);
        let named = sorted.into_iter().zip(files).zip(decisions);
        let files = named.map(|(((name, _), file), mcdc)| File { name, mcdc, ..file });
        Coverage {
            files: files.collect(),
            functions,
        }
    }
}

/// Drops unused names, sorts the others and renumbers the functions' files. The numbers are those
/// before.
fn sort_files(names: Vec<BString>, functions: &mut [Function]) -> Vec<(BString, usize)> {
    let mut used = vec![false; names.len()];
    for file in functions.iter().flat_map(|function| &function.files) {
        used[file.0 as usize] = true;
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|&index| used[index]).collect();
    order.sort_by(|&a, &b| names[a].cmp(&names[b]));
    let mut renumbered = vec![FileId(0); names.len()];
    for (new, &old) in order.iter().enumerate() {
        renumbered[old] = FileId(u32::try_from(new).unwrap_or(u32::MAX));
    }
    for file in functions
        .iter_mut()
        .flat_map(|function| &mut function.files)
    {
        *file = renumbered[file.0 as usize];
    }
    let mut names: Vec<Option<BString>> = names.into_iter().map(Some).collect();
    let named = |index: usize| (names[index].take().unwrap_or_default(), index);
    order.into_iter().map(named).collect()
}

/// A function and a file of it.
type Touch = (FunctionId, LocalFile);

/// For each file, the functions that touch it, in load order, each with all its numbers for it.
fn touches_by_file(files: usize, functions: &[Function]) -> Vec<Vec<Touch>> {
    let mut touches: Vec<Vec<Touch>> = vec![Vec::new(); files];
    for (id, function) in (0..=u32::MAX).map(FunctionId).zip(functions) {
        for (local, file) in (0..=u32::MAX).map(LocalFile).zip(&function.files) {
            touches[file.0 as usize].push((id, local));
        }
    }
    touches
}

/// For each file that is wanted, the MC/DC decisions in it, in load order.
fn decisions_by_file(wanted: &[bool], functions: &[Function]) -> Vec<Vec<McdcId>> {
    let mut decisions: Vec<Vec<McdcId>> = vec![Vec::new(); wanted.len()];
    for (function, Function { files, mcdc, .. }) in (0..=u32::MAX).map(FunctionId).zip(functions) {
        for (record, decision) in (0..=u32::MAX).zip(mcdc) {
            let file = files
                .get(decision.file.0 as usize)
                .map(|file| file.0 as usize);
            if let Some(file) = file.filter(|&file| wanted[file]) {
                decisions[file].push(McdcId { function, record });
            }
        }
    }
    decisions
}

fn view_file(
    id: FileId,
    touches: &[Touch],
    functions: &[Function],
    detail: Detail,
    memory: &mut Memory,
) -> File {
    let mut file = File::default();
    let Memory { regions, segmenter } = memory;
    regions.clear();
    let mut starts: Vec<(Position, FunctionId)> = Vec::new();
    for of_function in touches.chunk_by(|a, b| a.0 == b.0) {
        let function_id = of_function[0].0;
        let function = &functions[function_id.0 as usize];
        if function.files.first() == Some(&id) {
            file.functions.push(function_id);
        }
        let is_here = |local: &LocalFile| function.files.get(local.0 as usize) == Some(&id);
        let main = function.main_file.filter(is_here);
        if let Some(first) = main.and_then(|main| function.regions_in(main).first()) {
            starts.push((first.start, function_id));
        }
        if detail == Detail::Summaries {
            continue;
        }
        for (_, local) in of_function {
            regions.add(function.regions_in(*local));
            file.branches
                .extend_from_slice(function.branches_in(*local));
        }
        if let Some(main) = main {
            file.expansions
                .extend(function.expansions_in(function_id, main));
        }
    }
    let segments = segmenter.segments(regions.regions());
    file.lines = lines(segments);
    if detail == Detail::All {
        file.segments = segments.to_vec();
    }
    // Stable, so that members stay in load order.
    starts.sort_by_key(|(start, _)| *start);
    for members in starts.chunk_by(|a, b| a.0 == b.0) {
        let ids = members.iter().map(|(_, function)| *function).collect();
        let group = Group::new(members[0].0, ids, functions);
        file.summary += group.summary;
        file.groups.push(group);
    }
    file
}

/// What a thread keeps from one file to the next.
#[derive(Default)]
struct Memory {
    regions: Instances,
    segmenter: Segmenter,
}

/// The regions of a file. Instantiations of one function have the same ones, of which only the
/// counts differ, and these would be added up in the end: doing so at once leaves less to sort.
#[derive(Default)]
struct Instances {
    regions: Vec<Region>,
    /// Where those of one function lie that are like no others'.
    blocks: Vec<Range<usize>>,
    /// By the start of the first region and the number of regions, where the last ones begin that
    /// were met.
    known: HashMap<(Position, usize), usize>,
    /// Memory for them in another order.
    sorted: Vec<Region>,
}

impl Instances {
    fn clear(&mut self) {
        self.regions.clear();
        self.blocks.clear();
        self.known.clear();
    }

    fn add(&mut self, regions: &[Region]) {
        let Some(first) = regions.first() else {
            return;
        };
        let here = self.regions.len();
        let place = |region: &Region| (region.start, region.end, region.kind);
        match self.known.entry((first.start, regions.len())) {
            Entry::Occupied(mut slot) => {
                let known = &mut self.regions[*slot.get()..][..regions.len()];
                if known.iter().map(place).eq(regions.iter().map(place)) {
                    for (known, region) in known.iter_mut().zip(regions) {
                        known.count = known.count.wrapping_add(region.count);
                    }
                    return;
                }
                slot.insert(here);
            }
            Entry::Vacant(slot) => {
                slot.insert(here);
            }
        }
        self.regions.extend_from_slice(regions);
        self.blocks.push(here..self.regions.len());
    }

    /// All of them. Functions are put in order of where they start, which leaves them almost
    /// sorted.
    fn regions(&mut self) -> &[Region] {
        let start = |block: &Range<usize>| self.regions[block.start].start;
        if self.blocks.is_sorted_by_key(start) {
            return &self.regions;
        }
        self.blocks.sort_by_key(start);
        self.sorted.clear();
        for block in &self.blocks {
            self.sorted.extend_from_slice(&self.regions[block.clone()]);
        }
        &self.sorted
    }
}
