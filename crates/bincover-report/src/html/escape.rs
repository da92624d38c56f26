//! Text into HTML.

use bstr::ByteSlice;

use crate::printable::is_harmful;

/// Appends bytes as text of a page. What could be markup is escaped, also in attributes with
/// quotes; bytes that are not UTF-8, control characters and those that turn the direction of
/// writing become U+FFFD.
pub(super) fn push(html: &mut String, text: &[u8]) {
    let is_plain = |byte: &u8| PLAIN[usize::from(*byte)];
    if text.iter().all(is_plain) {
        // All of it is ASCII.
        html.push_str(std::str::from_utf8(text).unwrap_or_default());
        return;
    }
    for c in text.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\t' => html.push('\t'),
            _ if is_harmful(c) => html.push('\u{fffd}'),
            _ => html.push(c),
        }
    }
}

/// By byte: whether it stands for itself.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'');
        byte += 1;
    }
    plain[b'\t' as usize] = true;
    plain
};

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: &str) {
        let mut html = String::new();
        push(&mut html, text);
        assert_eq!(html, expected);
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
    }
}
