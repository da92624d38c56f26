//! Text that is safe to show.

/// Text that is one line, whatever is in it: it cannot move a terminal's cursor, change colours, turn the direction of writing or
/// begin another line. Characters that could become U+FFFD.
///
/// ```
/// assert_eq!(bincover_report::printable("a\x1b[2Kb\n"), "a\u{fffd}[2Kb\u{fffd}");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    text.replace(is_harmful, "\u{fffd}")
}

/// Control characters, and those that turn the direction of writing or end a line.
pub(crate) fn is_harmful(c: char) -> bool {
    let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}
