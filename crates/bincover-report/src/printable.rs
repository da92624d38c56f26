//! Text that is safe to show.

/// Text that is one line, whatever is in it: it cannot move a terminal's cursor, change colours, turn the direction of writing or
/// begin another line. Characters that could become U+FFFD.
///
/// ```
/// assert_eq!(bincover_report::printable("a\x1b[2Kb\n"), "a\u{fffd}[2Kb\u{fffd}");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    if text.as_bytes().iter().all(is_plain) {
        return text.to_owned();
    }
    text.replace(is_harmful, "\u{fffd}")
}

/// Of ASCII, and neither a control character nor white space other than a space: text of these alone, which most is, need
/// not be looked at further.
pub(crate) fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Control characters, and those that turn the direction of writing or end a line.
pub(crate) fn is_harmful(c: char) -> bool {
    let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}
