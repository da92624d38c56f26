//! Views: what of a file, a function or an expansion is shown together (LLVM: `CoverageData`).

use std::borrow::Cow;

use crate::{
    Branch, Coverage, Expansion, File, Function, FunctionId, LineSet, LocalFile, McdcRecord,
    Region, RegionKind, Segment, cut, segments,
};

/// A piece of source with what is known of it (LLVM: `CoverageData`).
#[derive(Clone, Debug, PartialEq)]
pub struct View<'a> {
    /// Points where the count changes, sorted by position.
    pub segments: Cow<'a, [Segment]>,
    /// Branches in the piece, in the order in which they were stored.
    pub branches: Cow<'a, [Branch]>,
    /// Expansions in it; [`Coverage::expansion_view`] opens one.
    pub expansions: Cow<'a, [Expansion]>,
    /// MC/DC decisions in it; [`Coverage::mcdc`] finds one.
    pub mcdc: Cow<'a, [McdcId]>,
}

/// Names an MC/DC decision of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McdcId {
    /// The function that contains it.
    pub function: FunctionId,
    /// Index into [`Function::mcdc`].
    pub record: u32,
}

impl File {
    /// The file as a view (LLVM: `getCoverageForFile`).
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            segments: Cow::Borrowed(&self.segments),
            branches: Cow::Borrowed(&self.branches),
            expansions: Cow::Borrowed(&self.expansions),
            mcdc: Cow::Borrowed(&self.mcdc),
        }
    }
}

impl Coverage {
    /// One function alone: what lies in its main file (LLVM: `getCoverageForFunction`). Empty if
    /// it has no main file.
    #[must_use]
    pub fn function_view(&self, id: FunctionId) -> View<'_> {
        let function = self.function(id);
        let Some(main) = function.main_file else {
            return self.local_view(id, None);
        };
        let mut view = self.local_view(id, Some(main));
        let kept = self.kept(function);
        let mcdc = numbered(&function.mcdc)
            .filter(|(_, record)| record.file == main && kept.has_mcdc(record));
        view.mcdc = mcdc
            .map(|(record, _)| McdcId {
                function: id,
                record,
            })
            .collect();
        view
    }

    /// What an expansion expands to (LLVM: `getCoverageForExpansion`). It has no MC/DC decisions.
    #[must_use]
    pub fn expansion_view(&self, expansion: Expansion) -> View<'_> {
        let region = self.expansion_region(expansion);
        self.local_view(expansion.function, region.map(|region| region.expanded))
    }

    /// The region of an expansion; `None` if there is no such (LLVM: `ExpansionRecord::Region`).
    #[must_use]
    pub fn expansion_region(&self, expansion: Expansion) -> Option<&Region> {
        let function = self.function(expansion.function);
        function.regions.get(expansion.region as usize)
    }

    /// The decision with this id.
    ///
    /// # Panics
    /// If the id belongs to another `Coverage`.
    #[must_use]
    pub fn mcdc(&self, id: McdcId) -> &McdcRecord {
        &self.function(id.function).mcdc[id.record as usize]
    }

    /// What lies in one local file of a function; nothing without one.
    fn local_view(&self, id: FunctionId, file: Option<LocalFile>) -> View<'_> {
        let function = self.function(id);
        let regions = file.map_or(&[][..], |file| function.regions_in(file));
        let branches = file.map_or(&[][..], |file| function.branches_in(file));
        let expansions = file
            .into_iter()
            .flat_map(|file| function.expansions_in(id, file));
        let kept = self.kept(function);
        if kept.is_all() {
            return View {
                segments: Cow::Owned(segments(regions)),
                branches: Cow::Borrowed(branches),
                expansions: expansions.collect(),
                mcdc: Cow::Borrowed(&[]),
            };
        }
        let lines = file.map(|file| &kept.excluded(file).lines);
        let is_kept = |expansion: &Expansion| {
            let region = self.expansion_region(*expansion);
            region.is_some_and(|region| kept.has_region(region))
        };
        let branches = branches.iter().filter(|branch| kept.has_branch(branch));
        View {
            segments: Cow::Owned(cut(
                &segments(regions),
                lines.unwrap_or(&LineSet::default()),
            )),
            branches: branches.copied().collect(),
            expansions: expansions.filter(is_kept).collect(),
            mcdc: Cow::Borrowed(&[]),
        }
    }
}

impl Function {
    /// The regions in one of its files.
    #[must_use]
    pub fn regions_in(&self, file: LocalFile) -> &[Region] {
        if self.files.len() == 1 && file == LocalFile(0) {
            return &self.regions;
        }
        &self.regions[in_file(&self.regions, file, |region| region.file)]
    }

    /// The branches in one of its files.
    #[must_use]
    pub fn branches_in(&self, file: LocalFile) -> &[Branch] {
        &self.branches[in_file(&self.branches, file, |branch| branch.file)]
    }

    /// The expansions written in one of its files. `id` is the function's own.
    pub fn expansions_in(
        &self,
        id: FunctionId,
        file: LocalFile,
    ) -> impl Iterator<Item = Expansion> + '_ {
        let range = in_file(&self.regions, file, |region| region.file);
        let first = range.start;
        let regions = numbered(&self.regions[range]);
        let expansions = regions.filter(|(_, region)| region.kind == RegionKind::Expansion);
        expansions.map(move |(index, _)| Expansion {
            function: id,
            region: index.saturating_add(u32::try_from(first).unwrap_or(u32::MAX)),
        })
    }
}

/// Where the items of a file lie, among items that are sorted by file.
fn in_file<T>(
    items: &[T],
    file: LocalFile,
    file_of: impl Fn(&T) -> LocalFile,
) -> std::ops::Range<usize> {
    let start = items.partition_point(|item| file_of(item) < file);
    let len = items[start..].partition_point(|item| file_of(item) <= file);
    start..start + len
}

/// Items with their indices, of which a mapping has fewer than 2^32.
fn numbered<T>(items: &[T]) -> impl Iterator<Item = (u32, &T)> {
    (0..=u32::MAX).zip(items)
}
