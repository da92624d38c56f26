//! Regions to segments, and segments to lines (LLVM: `SegmentBuilder`, `LineCoverageStats` in
//! `CoverageMapping.cpp`).

use std::cmp::Reverse;
use std::ops::Range;

use bincover_model::{Line, Position, Region, RegionKind, Segment, Tally};

/// The segments of a view: where, over all its regions, the count changes.
pub(super) fn segments(mut regions: Vec<Region>) -> Vec<Segment> {
    regions.sort_by_key(|region| (region.start, Reverse(region.end), region.kind));
    combine(&mut regions);
    let mut builder = Builder {
        segments: Vec::with_capacity(regions.len() * 2),
        active: Vec::new(),
    };
    builder.build(&regions);
    builder.segments
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

struct Builder<'r> {
    segments: Vec<Segment>,
    /// Regions that have begun and not ended, the innermost last.
    active: Vec<&'r Region>,
}

impl<'r> Builder<'r> {
    fn build(&mut self, regions: &'r [Region]) {
        for (index, region) in regions.iter().enumerate() {
            let next = regions.get(index + 1);
            self.finish_ended(region.start);
            let is_gap = region.kind == RegionKind::Gap;
            if region.start == region.end {
                // An empty region is a point: it shows, and what was around it goes on.
                let skipped = next.is_none() || region.kind == RegionKind::Skipped;
                let around = self.active.last().copied();
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
            self.active.push(region);
        }
        if !self.active.is_empty() {
            self.complete(None, 0);
        }
    }

    /// Takes regions that have ended before `start` off the stack.
    fn finish_ended(&mut self, start: Position) {
        if self.active.iter().all(|region| region.end > start) {
            return;
        }
        let (mut kept, mut ended): (Vec<_>, Vec<_>) =
            self.active.drain(..).partition(|region| region.end > start);
        let first = kept.len();
        kept.append(&mut ended);
        self.active = kept;
        self.complete(Some(start), first);
    }

    /// Ends the active regions from `first` on, of which each gives way to the next that is still
    /// open there; `start` is where the region begins that brought this about.
    fn complete(&mut self, start: Option<Position>, first: usize) {
        self.active[first..].sort_by_key(|region| region.end);
        let ending = self.active.split_off(first);
        for index in 1..ending.len() {
            let ended = ending[index - 1].end;
            if start == Some(ended) {
                break;
            }
            if ended == ending[index].end {
                continue;
            }
            // Of those that end together, the last one is the innermost.
            let same_end = ending[index..]
                .iter()
                .take_while(|region| region.end == ending[index].end);
            let innermost = same_end.last().unwrap_or(&ending[index]);
            self.emit(innermost, ended, false, false);
        }
        let Some(last) = ending.last() else { return };
        match self.active.last().copied() {
            Some(around) if Some(last.end) != start => self.emit(around, last.end, false, false),
            None if Some(last.end) != start => self.emit(last, last.end, false, true),
            _ => {}
        }
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

/// The lines that hold code, with their counts.
pub(super) fn lines(segments: &[Segment]) -> Vec<Line> {
    let mut lines = Vec::new();
    for_each_run(segments, |numbers, count| {
        lines.extend(numbers.map(|number| Line { number, count }));
    });
    lines
}

/// How many lines hold code, and how many of them were executed. They are not listed: a region of
/// a few bytes may have millions.
pub(super) fn tally_lines(segments: &[Segment]) -> Tally {
    let mut tally = Tally::default();
    for_each_run(segments, |numbers, count| {
        let len = u64::from(numbers.end - numbers.start);
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
            visit(number..number + 1, count);
        }
        wrapped = of_line.last().copied();
        // Lines up to the next segment are as the last one left things.
        if let (Some(next), Some(count)) = (groups.peek(), line_count(&[], wrapped)) {
            visit(number + 1..next[0].start.line, count);
        }
    }
}

/// A line's count, from the segments that start in it and the last one before; `None` if it holds
/// no code.
fn line_count(segments: &[Segment], wrapped: Option<Segment>) -> Option<u64> {
    let starts = |segment: &&Segment| segment.has_count && segment.is_entry && !segment.is_gap;
    let starts_skipped = segments
        .first()
        .is_some_and(|first| !first.has_count && first.is_entry);
    let continues = wrapped.is_some_and(|wrapped| wrapped.has_count);
    let is_mapped = !starts_skipped && (continues || segments.iter().any(|s| starts(&s)))
        || segments
            .iter()
            .any(|segment| segment.is_entry && segment.has_count);
    let wrapped_count = wrapped.map_or(0, |wrapped| wrapped.count);
    let started = segments.iter().filter(starts).map(|segment| segment.count);
    is_mapped.then(|| started.fold(wrapped_count, u64::max))
}

#[cfg(test)]
mod tests;
