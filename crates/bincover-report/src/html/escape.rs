//! Text into HTML.

use bstr::{ByteSlice, ByteVec};

use crate::printable::is_harmful;

/// Appends bytes as text of a page. What could be markup is escaped, also in attributes with
/// quotes; bytes that are not UTF-8, control characters and those that turn the direction of
/// writing become U+FFFD.
pub(super) fn push(html: &mut Vec<u8>, text: &[u8]) {
    push_but(&PLAIN, html, text);
}

/// The same outside of attributes, where quotes are no markup: there are many in sources.
pub(super) fn push_content(html: &mut Vec<u8>, text: &[u8]) {
    push_but(&PLAIN_CONTENT, html, text);
}

fn push_but(plain: &[bool; 256], html: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| !plain[usize::from(*byte)]) {
        let (before, after) = rest.split_at(at);
        html.extend_from_slice(before);
        // ASCII ends a sequence of UTF-8, whether that is whole or not.
        let others = after.iter().take_while(|byte| !byte.is_ascii()).count();
        let (odd, after) = after.split_at(others.max(1));
        for c in odd.chars() {
            match c {
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '&' => html.push_str("&amp;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                _ if is_harmful(c) => html.push_char('\u{fffd}'),
                _ => html.push_char(c),
            }
        }
        rest = after;
    }
    html.extend_from_slice(rest);
}

/// The same as a string.
pub(super) fn escaped(text: &[u8]) -> String {
    let mut html = Vec::new();
    push(&mut html, text);
    html.into_string_lossy()
}

/// By byte: whether it stands for itself, in attributes too.
const PLAIN: [bool; 256] = plain(b"<>&\"'");
/// By byte: whether it stands for itself outside of attributes.
const PLAIN_CONTENT: [bool; 256] = plain(b"<>&");

/// All that is printable, and tabs, but for `markup`.
const fn plain(markup: &[u8]) -> [bool; 256] {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = true;
        byte += 1;
    }
    plain[b'\t' as usize] = true;
    let mut at = 0;
    while at < markup.len() {
        plain[markup[at] as usize] = false;
        at += 1;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: &str) {
        assert_eq!(escaped(text), expected);
    }

    #[test]
    fn nothing_is_markup() {
        check(b"a\tb", "a\tb");
        check(
            b"<script>'&\"</script>",
            "&lt;script&gt;&#39;&amp;&quot;&lt;/script&gt;",
        );
        check(b"\xff\x00\x1b[31m", "\u{fffd}\u{fffd}\u{fffd}[31m");
        check("\u{202e}x\u{e9}".as_bytes(), "\u{fffd}x\u{e9}");
        // The first byte of two, before ASCII and at the end.
        check(b"\xc3<\xc3", "\u{fffd}&lt;\u{fffd}");
    }
}
