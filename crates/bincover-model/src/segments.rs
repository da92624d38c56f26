//! Regions to segments, and segments to lines (LLVM: `SegmentBuilder`, `LineCoverageStats` in
//! `CoverageMapping.cpp`).

use std::cmp::Reverse;
use std::ops::Range;

use crate::{Line, Position, Region, RegionKind, Segment, Tally};

/// The segments of a view: where, over all its regions, the count changes.
#[must_use]
pub fn segments(regions: &[Region]) -> Vec<Segment> {
    let mut segmenter = Segmenter::default();
    segmenter.segments(regions);
    segmenter.segments
}

/// Makes segments of one view after another, and keeps its memory between them.
#[derive(Debug, Default)]
pub struct Segmenter {
    /// Memory for regions that are to be put in order.
    regions: Vec<Region>,
    segments: Vec<Segment>,
    /// Regions that have begun and not ended, by index, the innermost last.
    active: Vec<usize>,
    /// For each of these, the first end of it and those before it.
    first_ends: Vec<Position>,
    /// Of these, those that end now.
    ending: Vec<usize>,
}

impl Segmenter {
    /// As [`segments`]; they are there until the next call.
    pub fn segments(&mut self, regions: &[Region]) -> &[Segment] {
        self.segments.clear();
        self.active.clear();
        self.first_ends.clear();
        self.segments.reserve(regions.len() * 2);
        if are_in_order(regions) {
            self.build(regions);
        } else {
            let mut sorted = std::mem::take(&mut self.regions);
            sorted.clear();
            sorted.extend_from_slice(regions);
            sort(&mut sorted);
            combine(&mut sorted);
            self.build(&sorted);
            self.regions = sorted;
        }
        &self.segments
    }

    fn build(&mut self, regions: &[Region]) {
        for (index, region) in regions.iter().enumerate() {
            let next = regions.get(index + 1);
            self.finish_ended(regions, region.start);
            let is_gap = region.kind == RegionKind::Gap;
            if region.start == region.end {
                // An empty region is a point: it shows, and what was around it goes on.
                let skipped = next.is_none() || region.kind == RegionKind::Skipped;
                let around = self.active.last().map(|&index| &regions[index]);
                self.emit(around.unwrap_or(region), region.start, !is_gap, skipped);
                if let Some(around) = around.filter(|_| skipped) {
                    self.emit(around, region.start, false, false);
                }
                continue;
            }
            // Of several that start here, the innermost shows.
            if next.is_none_or(|next| next.start != region.start) {
                self.emit(region, region.start, !is_gap, false);
            }
            self.push_active(regions, index);
        }
        if !self.active.is_empty() {
            std::mem::swap(&mut self.active, &mut self.ending);
            self.active.clear();
            self.first_ends.clear();
            self.complete(regions, None);
        }
    }

    fn push_active(&mut self, regions: &[Region], index: usize) {
        let end = regions[index].end;
        let before = self.first_ends.last();
        self.first_ends
            .push(before.map_or(end, |&first| first.min(end)));
        self.active.push(index);
    }

    /// Takes regions that have ended before `start` off the stack.
    fn finish_ended(&mut self, regions: &[Region], start: Position) {
        if self.first_ends.last().is_none_or(|end| *end > start) {
            return;
        }
        // Regions lie in each other, so those that have ended are the last.
        let is_open = |index: &usize| regions[*index].end > start;
        let open = self.active.iter().rposition(is_open);
        let open = open.map_or(0, |last| last + 1);
        self.ending.clear();
        self.ending.extend(self.active.drain(open..));
        self.first_ends.truncate(open);
        // Unless they cross each other.
        if self.first_ends.last().is_some_and(|end| *end <= start) {
            let last = std::mem::take(&mut self.ending);
            let active = std::mem::take(&mut self.active);
            self.first_ends.clear();
            for index in active {
                match is_open(&index) {
                    true => self.push_active(regions, index),
                    false => self.ending.push(index),
                }
            }
            self.ending.extend(last);
        }
        if !self.ending.is_empty() {
            self.complete(regions, Some(start));
        }
    }

    /// Ends the regions that end now, of which each gives way to the next that is still open
    /// there; `start` is where the region begins that brought this about.
    fn complete(&mut self, regions: &[Region], start: Option<Position>) {
        let mut ending = std::mem::take(&mut self.ending);
        let end = |index: &usize| regions[*index].end;
        if ending.len() > 1 {
            ending.sort_by_key(end);
            // Of those that end together, the last one is the innermost, and where the ones before
            // them end, it goes on.
            let mut groups = ending.chunk_by(|a, b| end(a) == end(b)).peekable();
            while let Some(group) = groups.next() {
                let ended = end(&group[0]);
                let Some(innermost) = groups.peek().and_then(|next| next.last()) else {
                    break;
                };
                if start == Some(ended) {
                    break;
                }
                self.emit(&regions[*innermost], ended, false, false);
            }
        }
        if let Some(last) = ending.last() {
            let last = &regions[*last];
            match self.active.last() {
                Some(&around) if Some(last.end) != start => {
                    self.emit(&regions[around], last.end, false, false);
                }
                None if Some(last.end) != start => self.emit(last, last.end, false, true),
                _ => {}
            }
        }
        ending.clear();
        self.ending = ending;
    }

    fn emit(&mut self, region: &Region, start: Position, is_entry: bool, force_skipped: bool) {
        let has_count = !force_skipped && region.kind != RegionKind::Skipped;
        if !is_entry
            && !force_skipped
            && let Some(last) = self.segments.last()
            && last.has_count == has_count
            && last.count == region.count
            && !last.is_entry
        {
            return;
        }
        self.segments.push(Segment {
            start,
            count: if has_count { region.count } else { 0 },
            has_count,
            is_entry,
            is_gap: has_count && region.kind == RegionKind::Gap,
        });
    }
}

/// By start; of those that start together, the longer ones first.
fn place(region: &Region) -> (u64, Reverse<u64>) {
    (region.start.number(), Reverse(region.end.number()))
}

/// Nothing is to be sorted or combined, as in most functions.
fn are_in_order(regions: &[Region]) -> bool {
    regions.is_sorted_by(|a, b| place(a) < place(b))
}

fn sort(regions: &mut [Region]) {
    regions.sort_by_key(|region| (place(region), region.kind));
}

/// Of regions over the same range, those of the first kind add up and the others go: code hides
/// an expansion, which hides what was skipped, which hides a gap.
fn combine(regions: &mut Vec<Region>) {
    regions.dedup_by(|next, kept| {
        let same_range = (next.start, next.end) == (kept.start, kept.end);
        if same_range && next.kind == kept.kind {
            kept.count = kept.count.wrapping_add(next.count);
        }
        same_range
    });
}

/// The lines that hold code, with their counts.
#[must_use]
pub fn lines(segments: &[Segment]) -> Vec<Line> {
    let mut lines = Vec::new();
    for_each_run(segments, |numbers, count| {
        lines.extend(numbers.map(|number| Line { number, count }));
    });
    lines
}

/// How many lines hold code, and how many of them were executed. They are not listed: a region of
/// a few bytes may have millions.
#[must_use]
pub fn tally_lines(segments: &[Segment]) -> Tally {
    let mut tally = Tally::default();
    for_each_run(segments, |numbers, count| {
        let len = u64::from(numbers.end.saturating_sub(numbers.start));
        tally.total += len;
        tally.covered += if count > 0 { len } else { 0 };
    });
    tally
}

/// Calls `visit` with lines in a row that hold code and have one count, in order.
fn for_each_run(segments: &[Segment], mut visit: impl FnMut(Range<u32>, u64)) {
    let mut wrapped: Option<Segment> = None;
    let mut groups = segments
        .chunk_by(|a, b| a.start.line == b.start.line)
        .peekable();
    while let Some(of_line) = groups.next() {
        let number = of_line[0].start.line;
        if let Some(count) = line_count(of_line, wrapped) {
            visit(number..number.saturating_add(1), count);
        }
        wrapped = of_line.last().copied();
        // Lines up to the next segment are as the last one left things.
        if let (Some(next), Some(count)) = (groups.peek(), line_count(&[], wrapped)) {
            visit(number.saturating_add(1)..next[0].start.line, count);
        }
    }
}

/// What a line's count is made of (LLVM: `LineCoverageStats`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineStats<'s> {
    /// 1-based.
    pub number: u32,
    /// Executions; `None` if the line holds no code (LLVM: not `isMapped`).
    pub count: Option<u64>,
    /// More than one region of code begins in it (LLVM: `hasMultipleRegions`).
    pub has_multiple_regions: bool,
    /// The segments that begin in it (LLVM: `getLineSegments`).
    pub segments: &'s [Segment],
    /// The last segment of the lines before (LLVM: `getWrappedSegment`).
    pub wrapped: Option<Segment>,
}

/// Line by line from `first` to the line of the last segment (LLVM: `LineCoverageIterator`).
/// llvm-cov begins at line 1 to show a file, and at the first segment's line to count lines.
pub fn line_stats(segments: &[Segment], first: u32) -> impl Iterator<Item = LineStats<'_>> {
    let end = segments
        .last()
        .map_or(0, |last| u64::from(last.start.line) + 1);
    let mut rest = segments;
    let mut wrapped = None;
    (u64::from(first)..end).map(move |number| {
        // Lines of segments are 32-bit, and the last one's is the end.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let before = rest.partition_point(|segment| segment.start.line < number);
        if let Some(last) = rest[..before].last() {
            wrapped = Some(*last);
        }
        rest = &rest[before..];
        let here = rest.partition_point(|segment| segment.start.line <= number);
        let of_line = &rest[..here];
        rest = &rest[here..];
        let stats = LineStats {
            number,
            count: line_count(of_line, wrapped),
            has_multiple_regions: of_line.iter().filter(|one| starts_code(one)).count() > 1,
            segments: of_line,
            wrapped,
        };
        if let Some(last) = of_line.last() {
            wrapped = Some(*last);
        }
        stats
    })
}

fn starts_code(segment: &Segment) -> bool {
    segment.has_count && segment.is_entry && !segment.is_gap
}

/// A line's count, from the segments that start in it and the last one before; `None` if it holds
/// no code.
fn line_count(segments: &[Segment], wrapped: Option<Segment>) -> Option<u64> {
    let starts_skipped = segments
        .first()
        .is_some_and(|first| !first.has_count && first.is_entry);
    let continues = wrapped.is_some_and(|wrapped| wrapped.has_count);
    let is_mapped = !starts_skipped && (continues || segments.iter().any(starts_code))
        || segments
            .iter()
            .any(|segment| segment.is_entry && segment.has_count);
    let wrapped_count = wrapped.map_or(0, |wrapped| wrapped.count);
    let started = segments
        .iter()
        .filter(|one| starts_code(one))
        .map(|segment| segment.count);
    is_mapped.then(|| started.fold(wrapped_count, u64::max))
}

#[cfg(test)]
mod tests;
