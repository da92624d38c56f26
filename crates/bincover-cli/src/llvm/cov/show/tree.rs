//! What is shown together: a file with what its lines expand to, its instantiations, its branches
//! and decisions (LLVM: `SourceCoverageView`).

use std::rc::Rc;

use bincover::model::{
    Branch, Expansion, FileId, Function, FunctionId, LocalFile, McdcRecord, Position, View,
};

use super::Shown;
use super::sources::Source;
use crate::limits::{MAX_EXPANSION_DEPTH, MAX_EXPANSIONS, MAX_NESTED_LINES};
use crate::llvm::cov::shown;

/// Source text, a view of it, and what hangs on its lines.
pub(super) struct Node<'a> {
    pub(super) name: &'a [u8],
    pub(super) source: Rc<Source>,
    pub(super) view: View<'a>,
    /// Sorted by where they are.
    pub(super) expansions: Vec<(Position, Node<'a>)>,
    /// Sorted by the line below which they are shown.
    pub(super) instantiations: Vec<Instantiation<'a>>,
    /// By line, sorted.
    pub(super) branches: Vec<(u32, Vec<Branch>)>,
    /// By the line in which they end, sorted.
    pub(super) mcdc: Vec<(u32, Vec<&'a McdcRecord>)>,
}

pub(super) struct Instantiation<'a> {
    pub(super) name: &'a [u8],
    pub(super) line: u32,
    /// `None` if it was not executed.
    pub(super) node: Option<Node<'a>>,
}

/// What may still hang on the lines of what is shown.
struct Budget {
    expansions: usize,
    lines: u64,
    /// It was not enough.
    is_spent: bool,
}

impl Budget {
    fn new() -> Self {
        Self {
            expansions: MAX_EXPANSIONS,
            lines: MAX_NESTED_LINES,
            is_spent: false,
        }
    }

    /// A view of so many expansions may be shown.
    fn allows(&mut self, view: &View<'_>, expansions: usize) -> bool {
        let ends = view.segments.first().zip(view.segments.last());
        let lines = ends.map_or(0, |(first, last)| {
            u64::from(last.start.line.saturating_sub(first.start.line)) + 1
        });
        let left = self.lines.checked_sub(lines);
        match left.zip(self.expansions.checked_sub(expansions)) {
            Some(left) => (self.lines, self.expansions) = left,
            None => self.is_spent = true,
        }
        !self.is_spent
    }
}

impl<'a> Shown<'a> {
    /// `None` if its source cannot be read, or nothing is known of it.
    pub(super) fn file_node(&self, id: FileId) -> Option<Node<'a>> {
        let loaded = self.loaded;
        let file = loaded.file(id);
        let source = self.sources.read(&file.name)?;
        if file.segments.is_empty() {
            return None;
        }
        let mut budget = Budget::new();
        let mut node = self.node(&file.name, source, file.view(), 0, &mut budget);
        if self.look.instantiations {
            self.add_instantiations(&mut node, id, &mut budget);
        }
        Some(self.within(budget, node))
    }

    fn add_instantiations(&self, node: &mut Node<'a>, id: FileId, budget: &mut Budget) {
        let loaded = self.loaded;
        let file = loaded.file(id);
        for group in file.groups.iter().filter(|group| group.members.len() > 1) {
            for id in &group.members {
                let function = loaded.coverage.function(*id);
                let name = loaded.readable(function);
                let view = (function.count > 0).then(|| loaded.coverage.function_view(*id));
                if view.as_ref().is_some_and(|view| !budget.allows(view, 0)) {
                    return;
                }
                let source = || Rc::clone(&node.source);
                let child = view.map(|view| self.node(name, source(), view, 0, budget));
                node.instantiations.push(Instantiation {
                    name,
                    line: last_line(function),
                    node: child,
                });
            }
        }
        node.instantiations.sort_by_key(|one| one.line);
    }

    /// What would be too long has only its own lines, and that is said.
    fn within(&self, budget: Budget, mut node: Node<'a>) -> Node<'a> {
        if budget.is_spent {
            node.expansions.clear();
            node.instantiations.clear();
            self.look.console.warning(format_args!(
                "{}: expansions and instantiations are not shown: they are more than {MAX_EXPANSIONS}, or have more than \
                 {MAX_NESTED_LINES} lines",
                shown(node.name)
            ));
        }
        node
    }

    /// `None` if there is nothing to show, or its source cannot be read.
    pub(super) fn function_node(&self, id: FunctionId) -> Option<Node<'a>> {
        let loaded = self.loaded;
        let function = loaded.coverage.function(id);
        let view = loaded.coverage.function_view(id);
        if view.segments.is_empty() {
            return None;
        }
        let source = self
            .sources
            .read(self.file_name(function, function.main_file?)?)?;
        let name = loaded.readable(function);
        let mut budget = Budget::new();
        let node = self.node(name, source, view, 0, &mut budget);
        Some(self.within(budget, node))
    }

    fn file_name(&self, function: &Function, file: LocalFile) -> Option<&'a [u8]> {
        let id = function.files.get(file.0 as usize)?;
        Some(&self.loaded.file(*id).name)
    }

    fn node(
        &self,
        name: &'a [u8],
        source: Rc<Source>,
        view: View<'a>,
        depth: usize,
        budget: &mut Budget,
    ) -> Node<'a> {
        let mut expansions = Vec::new();
        if self.look.expansions {
            for expansion in &*view.expansions {
                expansions.extend(self.expansion_node(*expansion, depth, budget));
            }
            expansions.sort_by_key(|(start, _)| *start);
        }
        let mut branches = Vec::new();
        if self.look.branches.is_some() {
            let by_line = view.branches.chunk_by(|a, b| a.start.line == b.start.line);
            branches.extend(by_line.map(|some| (some[0].start.line, some.to_vec())));
            branches.sort_by_key(|(line, _)| *line);
        }
        let mut mcdc = Vec::new();
        if self.look.mcdc {
            let records = view.mcdc.iter().map(|id| self.loaded.coverage.mcdc(*id));
            let records: Vec<&McdcRecord> = records.collect();
            let by_line = records.chunk_by(|a, b| a.end.line == b.end.line);
            mcdc.extend(by_line.map(|some| (some[0].end.line, some.to_vec())));
            mcdc.sort_by_key(|(line, _)| *line);
        }
        Node {
            name,
            source,
            view,
            expansions,
            instantiations: Vec::new(),
            branches,
            mcdc,
        }
    }

    fn expansion_node(
        &self,
        expansion: Expansion,
        depth: usize,
        budget: &mut Budget,
    ) -> Option<(Position, Node<'a>)> {
        let coverage = &self.loaded.coverage;
        let region = coverage.expansion_region(expansion)?;
        let function = coverage.function(expansion.function);
        if budget.is_spent {
            return None;
        }
        let view = coverage.expansion_view(expansion);
        if !budget.allows(&view, 1) || view.segments.is_empty() || depth >= MAX_EXPANSION_DEPTH {
            return None;
        }
        let source = self
            .sources
            .read(self.file_name(function, region.expanded)?)?;
        let node = self.node(&function.name, source, view, depth + 1, budget);
        Some((region.start, node))
    }
}

/// The last line of the regions in the file that the function begins in.
fn last_line(function: &Function) -> u32 {
    let first = function.regions.first().map(|region| region.file);
    let regions = first.map_or(&[][..], |file| function.regions_in(file));
    let lines = regions.iter().map(|region| region.end.line);
    lines.max().unwrap_or(0)
}
