//! A source file's lines as HTML: tokens have colours, code that was not executed is marked, and
//! where a region begins that was executed more or less often than its line, its count stands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bincover_model::{Coverage, FileId, Segment};
use bstr::{ByteSlice, ByteVec};

use super::escape;
use super::syntax::{self, Piece};
use crate::text::short;
use crate::{Source, Sources};

/// Of a longer line the rest is not shown, which is said.
const MAX_LINE_BYTES: usize = 4000;
/// Sources that are kept in memory together.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Sources, each read once as long as there is room for them: macros are shown on other files'
/// pages.
pub(super) struct Texts<'s> {
    sources: &'s dyn Sources,
    kept: RefCell<Kept>,
}

/// By the files' names.
#[derive(Default)]
struct Kept {
    texts: HashMap<Vec<u8>, Rc<Result<Text, String>>>,
    bytes: usize,
}

impl<'s> Texts<'s> {
    pub(super) fn new(sources: &'s dyn Sources) -> Self {
        Self {
            sources,
            kept: RefCell::default(),
        }
    }

    /// The text of a file, or why there is none.
    pub(super) fn get(&self, name: &[u8]) -> Rc<Result<Text, String>> {
        let mut kept = self.kept.borrow_mut();
        if let Some(text) = kept.texts.get(name) {
            return Rc::clone(text);
        }
        let text = match self.sources.read(name.as_bstr()) {
            Source::Text { text, is_changed } => Ok(Text::new(name, text, is_changed)),
            Source::Missing { reason } => Err(reason),
        };
        let bytes = text.as_ref().map_or(0, |text| text.bytes.len()) + name.len();
        if kept.bytes + bytes > MAX_KEPT_BYTES {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        let text = Rc::new(text);
        kept.texts.insert(name.to_owned(), Rc::clone(&text));
        text
    }

    /// The text of a file of the model.
    pub(super) fn of(&self, coverage: &Coverage, id: FileId) -> Rc<Result<Text, String>> {
        self.get(&coverage.file(id).name)
    }
}

/// A source, cut into lines and tokens.
pub(super) struct Text {
    bytes: Vec<u8>,
    lines: Vec<LineStart>,
    pieces: Vec<Piece>,
    pub(super) is_changed: bool,
}

#[derive(Clone, Copy)]
struct LineStart {
    /// Its first byte.
    start: usize,
    /// The first of the pieces that ends behind that.
    first_piece: usize,
}

impl Text {
    fn new(name: &[u8], bytes: Vec<u8>, is_changed: bool) -> Self {
        let pieces = syntax::pieces(&name.to_str_lossy(), &bytes);
        let ends = memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1);
        // What comes after the last line feed is a line if it is something.
        let starts = [0]
            .into_iter()
            .chain(ends)
            .filter(|start| *start < bytes.len());
        let mut first_piece = 0;
        let lines = starts.map(|start| {
            let rest = pieces.get(first_piece..).unwrap_or_default().iter();
            first_piece += rest.take_while(|piece| piece.1 <= start).count();
            LineStart { start, first_piece }
        });
        Self {
            lines: lines.collect(),
            pieces,
            bytes,
            is_changed,
        }
    }

    pub(super) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Where a line begins, and where it ends, without what ends it.
    fn range(&self, number: u32) -> Option<(LineStart, usize)> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let line = *self.lines.get(index)?;
        let next = self.lines.get(index + 1).map(|next| next.start);
        let end = next.unwrap_or(self.bytes.len());
        let text = self.bytes.get(line.start..end)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some((line, line.start + text.len()))
    }

    /// A line's code. `count` is the line's; `wrapped` is the segment that it begins in, `segments`
    /// are those that begin in it.
    pub(super) fn push_line(
        &self,
        number: u32,
        count: Option<u64>,
        wrapped: Option<Segment>,
        segments: &[Segment],
        html: &mut Vec<u8>,
    ) {
        let Some((line, full_end)) = self.range(number) else {
            return;
        };
        let start = line.start;
        let end = self.boundary(full_end.min(start + MAX_LINE_BYTES), start);
        let at = |segment: &Segment| {
            let column = usize::try_from(segment.start.column).unwrap_or(usize::MAX);
            let at = start.saturating_add(column.saturating_sub(1)).min(end);
            self.boundary(at, start)
        };
        let pieces = self.pieces.get(line.first_piece..).unwrap_or_default();
        let mut pieces = pieces.iter().peekable();
        let mut segments = segments.iter().map(|segment| (at(segment), segment));
        let mut next = segments.next();
        // A line of which nothing was executed is marked as a whole.
        let is_missed =
            |segment: &Segment| segment.has_count && segment.count == 0 && !segment.is_gap;
        let marks = count.is_some_and(|count| count > 0);
        let mut missed = marks && wrapped.as_ref().is_some_and(is_missed);
        let mut from = start;
        while from < end {
            while let Some((_, segment)) = next.filter(|(at, _)| *at <= from) {
                next = segments.next();
                missed = marks && is_missed(segment);
                let is_other = segment.is_entry
                    && !segment.is_gap
                    && segment.count > 0
                    && count.is_some_and(|count| count != segment.count);
                if is_other {
                    html.push_str("<b>");
                    html.push_str(short(segment.count));
                    html.push_str("</b>");
                }
            }
            while pieces.next_if(|piece| piece.1 <= from).is_some() {}
            let (class, until) = match pieces.peek() {
                Some((begins, ends, token)) if *begins <= from => (Some(token.class()), *ends),
                Some((begins, ..)) => (None, *begins),
                None => (None, end),
            };
            let until = until.min(next.map_or(end, |(at, _)| at));
            let until = self.boundary(until.min(end), start).max(from + 1).min(end);
            if missed {
                html.push_str("<mark>");
            }
            let text = self.bytes.get(from..until).unwrap_or_default();
            match class {
                Some(class) => {
                    html.push_str("<i class=");
                    html.push_str(class);
                    html.push(b'>');
                    escape::push_content(html, text);
                    html.push_str("</i>");
                }
                None => escape::push_content(html, text),
            }
            if missed {
                html.push_str("</mark>");
            }
            from = until;
        }
        if full_end > end {
            html.push_str(format!("<em>… {} more bytes</em>", full_end - end));
        }
    }

    /// The last beginning of a character that is not after this place.
    fn boundary(&self, at: usize, start: usize) -> usize {
        let is_middle = |at: usize| self.bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let mut before = at;
        // A character has at most four bytes; others are none.
        while before > start && at - before < 3 && is_middle(before) {
            before -= 1;
        }
        if is_middle(before) { at } else { before }
    }
}

#[cfg(test)]
mod tests {
    use bincover_model::Position;

    use super::*;

    fn segment(column: u32, count: u64, is_entry: bool) -> Segment {
        Segment {
            start: Position { line: 1, column },
            count,
            has_count: true,
            is_entry,
            is_gap: false,
        }
    }

    fn line(text: &str, count: u64, segments: &[Segment]) -> String {
        let text = Text::new(b"a.c", text.into(), false);
        let mut html = Vec::new();
        text.push_line(1, Some(count), None, segments, &mut html);
        html.into_string().expect("pages are UTF-8")
    }

    #[test]
    fn regions_are_marked_and_counted() {
        let segments = [
            segment(1, 5, true),
            segment(6, 0, true),
            segment(9, 5, false),
        ];
        assert_eq!(
            line("f(a, if (x));", 5, &segments),
            "f(a, <mark><i class=sk>if</i></mark><mark> </mark>(x));"
        );
        let segments = [segment(1, 5, true), segment(3, 1000, true)];
        assert_eq!(line("a b\r\n", 5, &segments), "a <b>1.0k</b>b");
    }

    #[test]
    fn characters_stay_whole() {
        // The column is in the middle of one.
        let segments = [segment(1, 1, true), segment(2, 0, true)];
        assert_eq!(line("\u{6f22}", 1, &segments), "<mark>\u{6f22}</mark>");
    }

    #[test]
    fn long_lines_are_cut() {
        let html = line(&"x".repeat(1 << 20), 1, &[]);
        assert!(html.ends_with("x<em>… 1044576 more bytes</em>"));
        assert!(html.len() < 5000);
    }

    #[test]
    fn lines_are_counted() {
        let count = |text: &str| Text::new(b"a.c", text.into(), false).line_count();
        assert_eq!(
            [count(""), count("a"), count("a\n"), count("a\n\nb")],
            [0, 1, 1, 3]
        );
    }
}
