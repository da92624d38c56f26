//! Patterns of import paths, as `-pkg` takes them (Go: `MatchSimplePattern`).

/// True if the import path matches: `...` stands for any text, and `/...` at the end also for none.
#[must_use]
pub fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let whole = pattern.strip_suffix(b"/...");
    glob(pattern, path) || whole.is_some_and(|whole| glob(whole, path))
}

/// True if the import path matches one of those patterns in a list with commas; an empty pattern
/// matches nothing.
#[must_use]
pub fn matches_list(patterns: &[u8], path: &[u8]) -> bool {
    let mut patterns = patterns.split(|&byte| byte == b',');
    patterns.any(|pattern| !pattern.is_empty() && matches(pattern, path))
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let Some(first) = find(pattern, b"...") else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(&pattern[..first]) else {
        return false;
    };
    let mut rest = &pattern[first + 3..];
    // Each piece is taken where it occurs first; the last one is the end.
    while let Some(next) = find(rest, b"...") {
        let Some(at) = find(text, &rest[..next]) else {
            return false;
        };
        text = &text[at + next..];
        rest = &rest[next + 3..];
    }
    text.ends_with(rest)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("net", "net", true),
            ("net", "net/http", false),
            ("net/...", "net", true),
            ("net/...", "net/http", true),
            ("net/...", "netchan", false),
            ("net...", "netchan", true),
            ("...", "", true),
            (".../b", "a/b", true),
            ("a/.../b", "a/x/y/b", true),
            ("a/.../b", "a/b", false),
            ("a...a", "a", false),
            ("a...b...", "acbd", true),
            ("a.c", "abc", false),
        ] {
            let matched = matches(pattern.as_bytes(), path.as_bytes());
            assert_eq!(matched, expected, "{pattern} {path}");
        }
        assert!(matches_list(b"x,,net/...", b"net/http"));
        assert!(!matches_list(b"", b""));
    }
}
