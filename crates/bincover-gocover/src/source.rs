//! What a Go source file says of itself: where code is, and where functions are declared. No parser:
//! comments, literals and brackets are enough.

use std::ops::Range;

use bstr::{BString, ByteSlice};

/// A source file, looked through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// By line (the first is 0), the columns (1-based) where code is that is more than `{`, `}` or
    /// `;`.
    code: Vec<Vec<Range<u32>>>,
    /// Function declarations, in order.
    declared: Vec<Declared>,
}

/// A function declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Where `func` is.
    pub(crate) start: (u32, u32),
    /// Where the last brace is.
    pub(crate) end: (u32, u32),
    /// As metadata has it: `F`, `T.M`, `*T.M`, and `M` for methods of generic types.
    pub(crate) name: BString,
}

impl Source {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut scanner = Scanner {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            source: Self::default(),
        };
        scanner.run();
        scanner.source
    }

    /// The function declarations, in order.
    pub(crate) fn declared(&self) -> &[Declared] {
        &self.declared
    }

    pub(crate) fn line_count(&self) -> u32 {
        u32::try_from(self.code.len()).unwrap_or(u32::MAX)
    }

    /// Code lies on this line between these columns (1-based, the end exclusive).
    pub(crate) fn has_code(&self, line: u32, columns: Range<u32>) -> bool {
        let index = line
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        let code = index.and_then(|index| self.code.get(index));
        let code = code.map_or(&[][..], Vec::as_slice);
        // They lie one after another.
        let first = code.partition_point(|one| one.end <= columns.start);
        code.get(first).is_some_and(|one| one.start < columns.end)
    }

    /// The declaration that holds this place.
    pub(crate) fn function_at(&self, line: u32, column: u32) -> Option<&Declared> {
        let after = self
            .declared
            .partition_point(|one| one.start <= (line, column));
        let last = self.declared.get(after.checked_sub(1)?)?;
        ((line, column) <= last.end).then_some(last)
    }
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    /// Where that line begins.
    line_start: usize,
    source: Source,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Word,
    Literal,
    Open(u8),
    Close(u8),
    Other,
}

impl Scanner<'_> {
    fn run(&mut self) {
        self.source.code.push(Vec::new());
        // How many brackets of all kinds are open.
        let mut depth = 0u32;
        let mut open: Option<Open> = None;
        let mut is_line_start = true;
        let mut last_line = 0;
        while let Some((token, range, place)) = self.next() {
            if place.0 > last_line {
                is_line_start = true;
                // Where a line ends after a closing brace, so does the declaration.
                self.close(&mut open, depth);
            }
            // Declarations may share a line.
            let is_end = depth == 0 && self.text[range.clone()] == *b";";
            if is_end {
                self.close(&mut open, depth);
            }
            match token {
                Token::Open(_) => depth += 1,
                Token::Close(bracket) => {
                    depth = depth.saturating_sub(1);
                    if let Some(open) = &mut open {
                        open.ends = (depth == 0 && bracket == b'}').then_some(place);
                    }
                }
                _ => {
                    if let Some(open) = &mut open {
                        open.ends = None;
                    }
                }
            }
            let word = &self.text[range.clone()];
            if depth == 0 && is_line_start && token == Token::Word && word == b"func" {
                open = Some(Open {
                    start: place,
                    after: range.end,
                    ends: None,
                });
            }
            is_line_start = is_end;
            self.mark(&range, token, place);
            last_line = self.line;
        }
        self.close(&mut open, depth);
        // The last line has no code if the text ends with a line feed.
        if self.text.is_empty() || self.text.ends_with(b"\n") {
            self.source.code.pop();
        }
    }

    fn close(&mut self, open: &mut Option<Open>, depth: u32) {
        if depth > 0 || open.as_ref().is_none_or(|open| open.ends.is_none()) {
            return;
        }
        if let Some(Open {
            start,
            after,
            ends: Some(end),
        }) = open.take()
        {
            let name = declared_name(&self.text[after..]);
            self.source.declared.push(Declared { start, end, name });
        }
    }

    /// Notes where the token is, on each of its lines; `place` is that of its beginning.
    fn mark(&mut self, range: &Range<usize>, token: Token, place: (u32, u32)) {
        let is_brace = matches!(token, Token::Open(b'{') | Token::Close(b'}'));
        if is_brace || self.text[range.clone()] == *b";" {
            return;
        }
        let (mut line, first) = place;
        let mut start = first;
        for piece in self.text[range.clone()].split(|&byte| byte == b'\n') {
            let end = start + column(piece.len()) - 1;
            let index = usize::try_from(line - 1).unwrap_or(usize::MAX);
            if let Some(code) = self.source.code.get_mut(index) {
                match code.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => code.push(start..end),
                }
            }
            line += 1;
            start = 1;
        }
    }

    /// The next token, and the line and column of its beginning; white space and comments are passed over.
    fn next(&mut self) -> Option<(Token, Range<usize>, (u32, u32))> {
        loop {
            let rest = &self.text[self.at..];
            let &first = rest.first()?;
            if first.is_ascii_whitespace() {
                self.advance(1);
            } else if rest.starts_with(b"//") {
                let len = rest.find_byte(b'\n').unwrap_or(rest.len());
                self.advance(len);
            } else if rest.starts_with(b"/*") {
                let len = rest[2..].find(b"*/").map_or(rest.len(), |at| at + 4);
                self.advance(len);
            } else {
                let start = self.at;
                let place = (self.line, column(start - self.line_start));
                let (token, len) = match first {
                    b'`' => {
                        let end = rest[1..].find_byte(b'`');
                        (Token::Literal, end.map_or(rest.len(), |at| at + 2))
                    }
                    b'"' | b'\'' => (Token::Literal, quoted(rest)),
                    b'(' | b'[' | b'{' => (Token::Open(first), 1),
                    b')' | b']' | b'}' => (Token::Close(first), 1),
                    _ if is_word(first) => {
                        let end = rest.iter().position(|&byte| !is_word(byte));
                        (Token::Word, end.unwrap_or(rest.len()))
                    }
                    _ => (Token::Other, 1),
                };
                self.advance(len);
                return Some((token, start..self.at, place));
            }
        }
    }

    fn advance(&mut self, len: usize) {
        for index in self.at..self.at + len {
            if self.text[index] == b'\n' {
                self.line += 1;
                self.line_start = index + 1;
                self.source.code.push(Vec::new());
            }
        }
        self.at += len;
    }
}

/// A declaration that has begun.
struct Open {
    start: (u32, u32),
    /// Where its name or its receiver comes.
    after: usize,
    /// Where it ends, if the line does so too.
    ends: Option<(u32, u32)>,
}

fn column(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The length of the quoted text at the start; it ends with its line at the latest.
fn quoted(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' if at + 1 < text.len() && text[at + 1] != b'\n' => at += 2,
            b'\n' => return at,
            byte if byte == text[0] => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The name of a function, from behind `func`.
fn declared_name(text: &[u8]) -> BString {
    let text = text.trim_ascii_start();
    let name = |text: &[u8]| -> BString {
        let end = text.iter().position(|&byte| !is_word(byte));
        text[..end.unwrap_or(text.len())].into()
    };
    let Some(receiver) = text.strip_prefix(b"(") else {
        return name(text);
    };
    let end = receiver.find_byte(b')').unwrap_or(receiver.len());
    let (receiver, rest) = receiver.split_at(end);
    let method = name(rest.get(1..).unwrap_or_default().trim_ascii_start());
    if receiver.contains(&b'[') {
        return method;
    }
    // A receiver may have no name; its type may be in a package of dots, but never is.
    let receiver = receiver.trim_ascii();
    let kind = receiver.rsplit(|byte| byte.is_ascii_whitespace()).next();
    let kind = kind.unwrap_or(receiver);
    let star = if receiver.contains(&b'*') { "*" } else { "" };
    let kind = name(kind.trim_start_with(|c| c == '*'));
    let mut full: BString = star.into();
    full.extend_from_slice(&kind);
    full.push(b'.');
    full.extend_from_slice(&method);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "package p // x
/* a
b */ var s = `x
}
y` + \"}\\\"{\" + \"\"

func F(a int) interface{} {
\tif a > 0 { // no
\t\treturn '{'
\t}
\treturn nil }

func (s *Stack[T]) Push() {}
func (t *T) M() struct {
\ta int
} {
\treturn f(func() {
\t\t_ = 1
\t})
}
func (T) N() { }; func O() {}
var g = func() {
}
";

    /// In time that is not quadratic in the length of a line: this one takes minutes then.
    #[test]
    fn a_long_line() {
        let mut text = b"func f() { x = `\n`; ".to_vec();
        text.extend(b"a + ".repeat(1 << 18));
        let source = Source::parse(&text);
        assert!(source.has_code(2, 1..2) && !source.has_code(2, 3..4));
        for at in 0..1 << 17 {
            assert!(source.has_code(2, 4 + 4 * at..5 + 4 * at));
            assert!(!source.has_code(2, 5 + 4 * at..6 + 4 * at));
        }
    }

    #[test]
    fn where_code_is() {
        let source = Source::parse(TEXT.as_bytes());
        assert_eq!(source.line_count(), 23);
        let lines: Vec<u32> = (1..=25)
            .filter(|&line| source.has_code(line, 1..u32::MAX))
            .collect();
        let expected = [1, 3, 4, 5, 7, 8, 9, 11, 13, 14, 15, 17, 18, 19, 21, 22];
        assert_eq!(lines, expected);
        assert!(source.has_code(8, 2..4) && !source.has_code(8, 11..99));
        assert!(!source.has_code(8, 1..2) && !source.has_code(1, 10..20));
        assert!(!source.has_code(0, 1..9));
    }

    #[test]
    fn declarations() {
        let source = Source::parse(TEXT.as_bytes());
        let found: Vec<_> = source
            .declared
            .iter()
            .map(|one| (one.name.to_string(), one.start.0, one.end))
            .collect();
        let expected = [
            ("F", 7, (11, 13)),
            ("Push", 13, (13, 28)),
            ("*T.M", 14, (20, 1)),
            ("T.N", 21, (21, 16)),
            ("O", 21, (21, 29)),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, start, end)| (name.to_owned(), start, end))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(source.function_at(9, 3).map(|one| one.start.0), Some(7));
        assert_eq!(source.function_at(12, 1), None);
        assert_eq!(source.function_at(6, 1), None);
    }

    #[test]
    fn anything_is_a_source() {
        for text in [
            "",
            "\n",
            "`",
            "\"\\",
            "'",
            "func",
            "func (",
            "}}}{{{ func f() {",
            "/*",
            "\"\\\n",
        ] {
            let source = Source::parse(text.as_bytes());
            assert!(!source.has_code(9, 1..9), "{text}");
        }
        for cut in 0..TEXT.len() {
            Source::parse(&TEXT.as_bytes()[..cut]);
        }
    }
}
