//! LLVM's regular expressions (POSIX extended) and globs, in the terms of the crate `regex`.

use regex::bytes::{Regex, RegexBuilder};

/// A POSIX extended regular expression; `None` if it is none. LLVM takes such a one as one that
/// matches nothing. References back to a group are refused too.
pub(super) fn posix(pattern: &[u8]) -> Option<Regex> {
    let text = std::str::from_utf8(pattern).ok()?;
    let mut translated = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut is_start = true;
    while let Some(letter) = rest.next() {
        let starts = std::mem::take(&mut is_start);
        match letter {
            '\\' => match rest.next()? {
                digit if digit.is_ascii_digit() && digit != '0' => return None,
                escaped => push_literal(&mut translated, escaped),
            },
            '[' => set(&mut rest, &mut translated)?,
            // What there is nothing before to repeat is a mistake; `regex` takes `(?` to be more.
            '*' | '+' | '?' if starts => return None,
            '(' | '|' => {
                is_start = true;
                translated.push(letter);
            }
            // A brace is a bound only before a digit.
            '{' if !rest.peek().is_some_and(char::is_ascii_digit) => translated.push_str("\\{"),
            '}' | '.' | '*' | '+' | '?' | '{' | ')' | '^' | '$' => translated.push(letter),
            _ => push_literal(&mut translated, letter),
        }
    }
    build(&translated)
}

/// A bracket expression, after its bracket; a backslash in it is no escape.
fn set(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut is_first = true;
    loop {
        let letter = rest.next()?;
        match letter {
            ']' if !is_first => break,
            '[' if rest.peek() == Some(&':') => {
                let mut class = String::from("[");
                for letter in rest.by_ref() {
                    class.push(letter);
                    if class.ends_with(":]") {
                        break;
                    }
                }
                out.push_str(&class);
            }
            '-' => out.push_str(match is_first || rest.peek() == Some(&']') {
                true => "\\-",
                false => "-",
            }),
            _ => push_literal(out, letter),
        }
        is_first = false;
    }
    out.push(']');
    Some(())
}

/// A shell pattern as LLVM reads it (LLVM: `GlobPattern`); the error is LLVM's.
pub(super) fn glob(pattern: &[u8]) -> Result<Regex, &'static str> {
    let text = std::str::from_utf8(pattern).map_err(|_| "invalid glob pattern")?;
    let mut translated = String::from("^(?:");
    let mut letters = text.chars().peekable();
    let mut depth = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '*' => translated.push_str(".*"),
            '?' => translated.push('.'),
            '\\' => {
                let escaped = letters.next();
                let stray = "invalid glob pattern, stray '\\'";
                push_literal(&mut translated, escaped.ok_or(stray)?);
            }
            '[' => {
                let mut members = letters.clone();
                let mut class = String::from("[");
                if members
                    .next_if(|first| matches!(first, '^' | '!'))
                    .is_some()
                {
                    class.push('^');
                }
                let mut is_first = true;
                loop {
                    let unmatched = "invalid glob pattern, unmatched '['";
                    let member = members.next().ok_or(unmatched)?;
                    match member {
                        ']' if !is_first => break,
                        '-' if !is_first && members.peek() != Some(&']') => class.push('-'),
                        _ => push_literal(&mut class, member),
                    }
                    is_first = false;
                }
                class.push(']');
                translated.push_str(&class);
                letters = members;
            }
            '{' => {
                depth += 1;
                translated.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                translated.push(')');
            }
            ',' if depth > 0 => translated.push('|'),
            _ => push_literal(&mut translated, letter),
        }
    }
    if depth > 0 {
        return Err("incomplete brace expansion");
    }
    translated.push_str(")$");
    build(&translated).ok_or("invalid glob pattern")
}

fn push_literal(out: &mut String, letter: char) {
    // `regex` takes `\<` and `\>` for the ends of a word.
    if letter.is_ascii_punctuation() && !matches!(letter, '<' | '>') {
        out.push('\\');
    }
    out.push(letter);
}

fn build(translated: &str) -> Option<Regex> {
    RegexBuilder::new(translated)
        .unicode(!translated.is_ascii())
        .dot_matches_new_line(true)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posix_expressions() {
        let table = [
            ("a.c", "xaxcx", true),
            ("^a.c$", "abc", true),
            (r"a\.c", "abc", false),
            (r"[\]x", r"a\x", true),
            ("[]a]+", "]", true),
            ("[^/]+/src", "a/src", true),
            ("[[:digit:]]{2}", "a12", true),
            ("x{y", "x{y", true),
            ("(a|b)c", "bc", true),
            (r"\d", "d", true),
            ("a-b", "a-b", true),
            ("/rustc/[0-9a-f]{4}/", "/rustc/12ab/x", true),
            ("", "anything", true),
        ];
        for (pattern, text, expected) in table {
            let regex = posix(pattern.as_bytes()).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!(
                regex.is_match(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
        for wrong in ["(", "[a", "*", "a|*", r"\", "a{2,1}"] {
            assert!(posix(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn globs() {
        let table = [
            ("ma*", "main", true),
            ("ma*", "xmain", false),
            ("?ain", "main", true),
            ("[!m]ain", "main", false),
            ("[a-n]ain", "main", true),
            ("{foo,main}", "main", true),
            (r"m\*", "m*", true),
            ("a.c", "abc", false),
        ];
        for (pattern, text, expected) in table {
            let regex = glob(pattern.as_bytes()).unwrap();
            assert_eq!(
                regex.is_match(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
        assert_eq!(
            glob(b"ma[").unwrap_err(),
            "invalid glob pattern, unmatched '['"
        );
    }
}
