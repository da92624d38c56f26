//! The order in which a view is told, line by line (LLVM: `SourceCoverageView::print`).

use std::io::{self, Write};

use bincover::model::{Branch, McdcRecord, Segment, line_stats};

use super::tree::{Instantiation, Node};

/// What of a view is printed around its lines, and how deep it lies in others.
pub(super) struct Frame {
    /// All lines of the file, rather than those of the view.
    pub(super) whole_file: bool,
    pub(super) source_name: bool,
    pub(super) title: bool,
    pub(super) depth: usize,
}

/// A line of source and what is known of it (LLVM: `LineRef`, `LineCoverageStats`).
pub(super) struct Line<'a> {
    pub(super) number: u32,
    pub(super) text: &'a [u8],
    /// `None` if it holds no code.
    pub(super) count: Option<u64>,
    pub(super) has_multiple_regions: bool,
    pub(super) segments: &'a [Segment],
    pub(super) wrapped: Option<Segment>,
}

impl Line<'_> {
    /// The counts of regions that differ from the line's: those that start and end in it.
    pub(super) fn marked(&self) -> impl Iterator<Item = &Segment> {
        let whole = match self.segments {
            [segments @ .., _] if !segments.is_empty() => segments,
            all => all,
        };
        let count = self.count.unwrap_or(0);
        whole
            .iter()
            .filter(move |segment| segment.is_entry && segment.count != count)
    }

    /// There is a region whose count is worth showing.
    pub(super) fn has_markers(&self) -> bool {
        let Some((_, whole)) = self.segments.split_last() else {
            return false;
        };
        let count = self.count.unwrap_or(0);
        whole
            .iter()
            .any(|segment| segment.is_entry && segment.has_count && segment.count != count)
    }
}

/// How a view looks.
pub(super) trait Skin {
    /// Of the files that it is written to.
    fn extension(&self) -> &'static str;
    /// `path` is the page's below the output folder; without one all goes to standard output.
    fn begin_page(&self, path: Option<&[u8]>, out: &mut dyn Write) -> io::Result<()>;
    fn end_page(&self, out: &mut dyn Write) -> io::Result<()>;
    fn title(&self, out: &mut dyn Write) -> io::Result<()>;
    fn begin_view(&self, node: &Node<'_>, frame: &Frame, out: &mut dyn Write) -> io::Result<()>;
    fn end_view(&self, out: &mut dyn Write) -> io::Result<()>;
    /// The line itself. `expansion` is the column of the first expansion in it.
    fn line(
        &self,
        node: &Node<'_>,
        line: &Line<'_>,
        expansion: Option<u32>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()>;
    fn end_line(&self, node: &Node<'_>, out: &mut dyn Write) -> io::Result<()>;
    /// Between what hangs on a line. `depth` is that of what hangs there.
    fn divider(&self, depth: usize, out: &mut dyn Write) -> io::Result<()>;
    /// The line again, before its second and further expansions.
    fn expansion_site(
        &self,
        line: &Line<'_>,
        expansion: u32,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()>;
    fn expansion(&self, node: &Node<'_>, depth: usize, out: &mut dyn Write) -> io::Result<()>;
    fn instantiation(
        &self,
        one: &Instantiation<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()>;
    fn branches(&self, branches: &[Branch], depth: usize, out: &mut dyn Write) -> io::Result<()>;
    fn mcdc(&self, records: &[&McdcRecord], depth: usize, out: &mut dyn Write) -> io::Result<()>;
}

/// Tells a view.
pub(super) fn print(
    skin: &dyn Skin,
    node: &Node<'_>,
    frame: &Frame,
    out: &mut dyn Write,
) -> io::Result<()> {
    if frame.title {
        skin.title(out)?;
    }
    skin.begin_view(node, frame, out)?;
    let segments = &*node.view.segments;
    let first = segments.first().map_or(0, |segment| segment.start.line);
    let from = if frame.whole_file { 1 } else { first.max(1) };
    let mut stats = line_stats(segments, from);
    let mut expansions = node.expansions.iter().peekable();
    let mut instantiations = node.instantiations.iter().peekable();
    let mut branches = node.branches.iter().peekable();
    let mut mcdc = node.mcdc.iter().peekable();
    let below = frame.depth + 1;
    for (number, text) in (from..=u32::MAX).zip(node.source.lines(from)) {
        let stats = stats.next();
        if !frame.whole_file && stats.is_none() {
            break;
        }
        let line = Line {
            number,
            text,
            count: stats.and_then(|stats| stats.count),
            has_multiple_regions: stats.is_some_and(|stats| stats.has_multiple_regions),
            segments: stats.map_or(&[], |stats| stats.segments),
            wrapped: stats.and_then(|stats| stats.wrapped),
        };
        let site = expansions.peek().filter(|(start, _)| start.line == number);
        let site = site.map(|(start, _)| start.column);
        skin.line(node, &line, site, frame.depth, out)?;
        let mut has_below = false;
        while let Some((start, child)) = expansions.next_if(|(start, _)| start.line == number) {
            skin.divider(below, out)?;
            if has_below {
                skin.expansion_site(&line, start.column, frame.depth, out)?;
                skin.divider(below, out)?;
            }
            skin.expansion(child, below, out)?;
            has_below = true;
        }
        while let Some(one) = instantiations.next_if(|one| one.line == number) {
            skin.divider(below, out)?;
            skin.instantiation(one, below, out)?;
            has_below = true;
        }
        while let Some((_, some)) = branches.next_if(|(at, _)| *at == number) {
            skin.divider(below, out)?;
            skin.branches(some, below, out)?;
            has_below = true;
        }
        while let Some((_, some)) = mcdc.next_if(|(at, _)| *at == number) {
            skin.divider(below, out)?;
            skin.mcdc(some, below, out)?;
            has_below = true;
        }
        if has_below {
            skin.divider(below, out)?;
        }
        skin.end_line(node, out)?;
    }
    skin.end_view(out)
}
