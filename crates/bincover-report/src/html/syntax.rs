//! Colours for sources: a lexer of comments, strings, numbers and keywords, for Rust, C, C++ and Go.
//!
//! It knows no grammar, so it takes time in proportion to the bytes, with any bytes; a text that
//! ends in the middle of a string is one of its cases. A highlighter with grammars takes longer for
//! a page than all else together.

/// What a piece of source is. Other pieces have no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Comment,
    Text,
    Number,
    Keyword,
    /// Attributes and directives of the preprocessor.
    Meta,
}

impl Token {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Comment => "sc",
            Self::Text => "ss",
            Self::Number => "sn",
            Self::Keyword => "sk",
            Self::Meta => "sm",
        }
    }
}

/// A piece with a colour: bytes from, up to, and what it is.
pub(super) type Piece = (usize, usize, Token);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    C,
    Go,
}

fn is_rust_keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"Self"
            | b"as"
            | b"async"
            | b"await"
            | b"break"
            | b"const"
            | b"continue"
            | b"crate"
            | b"dyn"
            | b"else"
            | b"enum"
            | b"extern"
            | b"false"
            | b"fn"
            | b"for"
            | b"if"
            | b"impl"
            | b"in"
            | b"let"
            | b"loop"
            | b"match"
            | b"mod"
            | b"move"
            | b"mut"
            | b"pub"
            | b"ref"
            | b"return"
            | b"self"
            | b"static"
            | b"struct"
            | b"super"
            | b"trait"
            | b"true"
            | b"type"
            | b"union"
            | b"unsafe"
            | b"use"
            | b"where"
            | b"while"
    )
}
fn is_c_keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"alignas"
            | b"alignof"
            | b"auto"
            | b"bool"
            | b"break"
            | b"case"
            | b"catch"
            | b"char"
            | b"class"
            | b"concept"
            | b"const"
            | b"consteval"
            | b"constexpr"
            | b"constinit"
            | b"continue"
            | b"decltype"
            | b"default"
            | b"delete"
            | b"do"
            | b"double"
            | b"else"
            | b"enum"
            | b"explicit"
            | b"extern"
            | b"false"
            | b"float"
            | b"for"
            | b"friend"
            | b"goto"
            | b"if"
            | b"inline"
            | b"int"
            | b"long"
            | b"mutable"
            | b"namespace"
            | b"new"
            | b"noexcept"
            | b"nullptr"
            | b"operator"
            | b"override"
            | b"private"
            | b"protected"
            | b"public"
            | b"register"
            | b"requires"
            | b"restrict"
            | b"return"
            | b"short"
            | b"signed"
            | b"sizeof"
            | b"static"
            | b"struct"
            | b"switch"
            | b"template"
            | b"this"
            | b"throw"
            | b"true"
            | b"try"
            | b"typedef"
            | b"typename"
            | b"union"
            | b"unsigned"
            | b"using"
            | b"virtual"
            | b"void"
            | b"volatile"
            | b"while"
    )
}
fn is_go_keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"break"
            | b"case"
            | b"chan"
            | b"const"
            | b"continue"
            | b"default"
            | b"defer"
            | b"else"
            | b"fallthrough"
            | b"false"
            | b"for"
            | b"func"
            | b"go"
            | b"goto"
            | b"if"
            | b"import"
            | b"interface"
            | b"iota"
            | b"map"
            | b"nil"
            | b"package"
            | b"range"
            | b"return"
            | b"select"
            | b"struct"
            | b"switch"
            | b"true"
            | b"type"
            | b"var"
    )
}

fn language(name: &str) -> Option<Language> {
    match name.rsplit_once('.')?.1 {
        "rs" => Some(Language::Rust),
        "go" => Some(Language::Go),
        "c" | "h" | "cc" | "hh" | "cpp" | "hpp" | "cxx" | "hxx" | "c++" | "h++" | "inc" | "ipp"
        | "m" | "mm" => Some(Language::C),
        _ => None,
    }
}

/// The coloured pieces of a source, in order and apart from each other.
pub(super) fn pieces(name: &str, text: &[u8]) -> Vec<Piece> {
    let Some(language) = language(name) else {
        return Vec::new();
    };
    let mut lexer = Lexer {
        text,
        at: 0,
        language,
    };
    let mut pieces = Vec::new();
    loop {
        lexer.skip_while(|byte| KINDS[usize::from(byte)] == Kind::None);
        let start = lexer.at;
        let Some(byte) = lexer.peek(0) else {
            return pieces;
        };
        let token = lexer.token(byte);
        // Whatever it is, it goes on.
        lexer.at = lexer.at.max(start + 1).min(text.len());
        if let Some(token) = token {
            pieces.push((start, lexer.at, token));
        }
    }
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    language: Language,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Nothing but white space stands before it in its line.
    fn is_line_start(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default().iter();
        let mut before = before.rev().skip_while(|byte| matches!(byte, b' ' | b'\t'));
        before.next().is_none_or(|byte| *byte == b'\n')
    }

    fn skip_while(&mut self, is_part: impl Fn(u8) -> bool) {
        let len = self
            .rest()
            .iter()
            .take_while(|byte| is_part(**byte))
            .count();
        self.at += len;
    }

    /// Goes behind the next `end`, or to the end of the text.
    fn skip_past(&mut self, end: &[u8]) {
        let found = memchr::memmem::find(self.rest(), end);
        self.at += found.map_or(self.rest().len(), |at| at + end.len());
    }

    /// Goes behind the token that begins here; `None` if it has no colour.
    fn token(&mut self, byte: u8) -> Option<Token> {
        let rest = self.rest();
        match byte {
            b'/' if rest.starts_with(b"//") => {
                self.skip_while(|byte| byte != b'\n');
                Some(Token::Comment)
            }
            b'/' if rest.starts_with(b"/*") => {
                self.block_comment();
                Some(Token::Comment)
            }
            b'#' if self.language == Language::C && self.is_line_start() => {
                self.at += 1;
                self.skip_while(|byte| byte == b' ' || byte == b'\t');
                self.skip_while(is_word);
                Some(Token::Meta)
            }
            b'#' if self.language == Language::Rust
                && (rest.starts_with(b"#[") || rest.starts_with(b"#![")) =>
            {
                self.skip_while(|byte| byte != b']' && byte != b'\n');
                self.at += usize::from(self.peek(0) == Some(b']'));
                Some(Token::Meta)
            }
            b'"' => {
                self.string(b'"', self.language == Language::Rust);
                Some(Token::Text)
            }
            b'`' if self.language == Language::Go => {
                self.at += 1;
                self.skip_past(b"`");
                Some(Token::Text)
            }
            b'\'' => self.quote(),
            b'0'..=b'9' => {
                // `0..10` is two numbers.
                let is_part = |at: usize| match self.text.get(at) {
                    Some(b'.') => self.text.get(at + 1) != Some(&b'.'),
                    Some(byte) => is_word(*byte),
                    None => false,
                };
                let end = (self.at..).find(|at| !is_part(*at));
                self.at = end.unwrap_or(self.at + 1);
                Some(Token::Number)
            }
            _ if is_word(byte) => self.word(),
            _ => {
                self.at += 1;
                None
            }
        }
    }

    /// Those of Rust nest.
    fn block_comment(&mut self) {
        self.at += 2;
        if self.language != Language::Rust {
            return self.skip_past(b"*/");
        }
        let mut depth = 1;
        while depth > 0 {
            let Some(next) = memchr::memchr2(b'*', b'/', self.rest()) else {
                self.at = self.text.len();
                return;
            };
            self.at += next;
            match self.rest() {
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                }
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
    }

    /// A string with escapes, from quote to quote; others than Rust's end with their line.
    fn string(&mut self, quote: u8, is_long: bool) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.at += 2,
                b'\n' if !is_long => return,
                _ => self.at += 1,
            }
            if byte == quote {
                return;
            }
        }
    }

    /// A character, or the beginning of a lifetime.
    fn quote(&mut self) -> Option<Token> {
        if self.language == Language::Rust {
            let is_character = match self.rest() {
                [_, b'\\', ..] => true,
                [_, first, rest @ ..] => {
                    let len = match first {
                        0x00..=0x7f => 0,
                        0xc0..=0xdf => 1,
                        0xe0..=0xef => 2,
                        _ => 3,
                    };
                    rest.get(len) == Some(&b'\'')
                }
                _ => false,
            };
            if !is_character {
                self.at += 1;
                self.skip_while(is_word);
                return None;
            }
        }
        self.string(b'\'', false);
        Some(Token::Text)
    }

    fn word(&mut self) -> Option<Token> {
        let start = self.at;
        self.skip_while(is_word);
        let word = self.text.get(start..self.at).unwrap_or_default();
        if self.language == Language::Rust && matches!(word, b"r" | b"br" | b"cr") {
            let hashes = self.rest().iter().take_while(|byte| **byte == b'#').count();
            if self.peek(hashes) == Some(b'"') {
                self.at += hashes + 1;
                let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                self.skip_past(&end);
                return Some(Token::Text);
            }
        }
        if self.language == Language::C && word.ends_with(b"R") && self.peek(0) == Some(b'"') {
            // The delimiter has at most 16 characters.
            let open = self.rest().iter().take(18).position(|byte| *byte == b'(');
            if let Some(open) = open {
                let delimiter = self.rest().get(1..open).unwrap_or_default();
                let end = [b")", delimiter, b"\""].concat();
                self.at += open;
                self.skip_past(&end);
                return Some(Token::Text);
            }
        }
        let is_keyword = match self.language {
            Language::Rust => is_rust_keyword(word),
            Language::C => is_c_keyword(word),
            Language::Go => is_go_keyword(word),
        };
        is_keyword.then_some(Token::Keyword)
    }
}

fn is_word(byte: u8) -> bool {
    KINDS[usize::from(byte)] == Kind::Word
}

/// What a byte may be a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No token begins here.
    None,
    /// Names, keywords and numbers.
    Word,
    /// What begins here is to be looked at.
    Other,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::None; 256];
    let mut byte = u8::MAX;
    loop {
        kinds[byte as usize] = match byte {
            b'/' | b'#' | b'"' | b'`' | b'\'' => Kind::Other,
            b'_' | 0x80.. => Kind::Word,
            _ if byte.is_ascii_alphanumeric() => Kind::Word,
            _ => Kind::None,
        };
        if byte == 0 {
            break;
        }
        byte -= 1;
    }
    kinds
};

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &str) {
        let mut shown = String::new();
        let mut at = 0;
        for (start, end, token) in pieces(name, text.as_bytes()) {
            shown += &text[at..start];
            shown += &format!("<{} {}>", token.class(), &text[start..end]);
            at = end;
        }
        assert_eq!(shown + &text[at..], expected);
    }

    #[test]
    fn rust() {
        check(
            "a.rs",
            "fn f<'a>(x: &'a str) -> char { 'x' } // end",
            "<sk fn> f<'a>(x: &'a str) -> char { <ss 'x'> } <sc // end>",
        );
        check(
            "a.rs",
            "/* a /* b */ c */ if",
            "<sc /* a /* b */ c */> <sk if>",
        );
        check("a.rs", r##"r#"a"b"# 1"##, r##"<ss r#"a"b"#> <sn 1>"##);
        check(
            "a.rs",
            "for i in 0..10 {}",
            "<sk for> i <sk in> <sn 0>..<sn 10> {}",
        );
        check(
            "a.rs",
            "'\\'' \"a\\\"b\nc\" '\u{e9}'",
            "<ss '\\''> <ss \"a\\\"b\nc\"> <ss '\u{e9}'>",
        );
        check("a.rs", "#[test] 1.5e3", "<sm #[test]> <sn 1.5e3>");
    }

    #[test]
    fn c_and_go() {
        check("a.c", "  #define X 0x1f", "  <sm #define> X <sn 0x1f>");
        check("a.cc", "R\"x(a)\"b)x\" int", "<ss R\"x(a)\"b)x\"> <sk int>");
        check("a.c", "\"open\nint", "<ss \"open>\n<sk int>");
        check("a.go", "`a\nb` func", "<ss `a\nb`> <sk func>");
        check("a.txt", "if", "if");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_cut_into_pieces(
            text in proptest::collection::vec(proptest::sample::select(b"/*\"'\\#[]r`R()\n0.x \xff".to_vec()), 0..40)
        ) {
            for name in ["a.rs", "a.c", "a.go"] {
                let mut at = 0;
                for (start, end, _) in pieces(name, &text) {
                    proptest::prop_assert!(at <= start && start < end && end <= text.len());
                    at = end;
                }
            }
        }
    }
}
