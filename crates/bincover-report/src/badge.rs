//! A badge with the percentage of lines: as SVG, and as
//! [an endpoint of shields.io](https://shields.io/badges/endpoint-badge).
//!
//! The percentage is rounded down to a whole number, so that only what is complete is 100%.

use std::io;

use bincover_model::{Coverage, Tally};

use crate::Options;

/// The percentage, or why there is none.
fn message(lines: Tally) -> String {
    match (u128::from(lines.covered) * 100).checked_div(u128::from(lines.total)) {
        Some(percent) => format!("{percent}%"),
        None => "unknown".to_owned(),
    }
}

/// The names are those of shields.io, with the colours that it has for them.
fn colour(lines: Tally) -> (&'static str, &'static str) {
    let reaches =
        |percent: u128| u128::from(lines.covered) * 100 >= u128::from(lines.total) * percent;
    match lines.total {
        0 => ("lightgrey", "#6b6b6b"),
        _ if reaches(90) => ("brightgreen", "#1f7a33"),
        _ if reaches(75) => ("green", "#4d7a1f"),
        _ if reaches(60) => ("yellow", "#8a6d00"),
        _ if reaches(40) => ("orange", "#a8520a"),
        _ => ("red", "#b3261e"),
    }
}

/// Writes the badge as SVG. Reads no option.
///
/// # Errors
/// If the writer fails.
pub fn emit_svg(coverage: &Coverage, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    const LABEL: usize = 64;
    let lines = coverage.totals().lines;
    let message = message(lines);
    let (_, fill) = colour(lines);
    let right = message.len() * 8 + 14;
    let width = LABEL + right;
    let middle = LABEL + right / 2;
    let svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="coverage: {message}">
<title>coverage: {message}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{LABEL}" height="20" fill="#444"/><rect x="{LABEL}" width="{right}" height="20" fill="{fill}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="32" y="14">coverage</text><text x="{middle}" y="14">{message}</text></g>
</svg>
"##
    );
    out.write_all(svg.as_bytes())?;
    out.flush()
}

/// Writes the badge as a JSON endpoint. Reads no option.
///
/// # Errors
/// If the writer fails.
pub fn emit_shields(coverage: &Coverage, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let lines = coverage.totals().lines;
    let (colour, _) = colour(lines);
    let message = message(lines);
    writeln!(
        out,
        r#"{{"schemaVersion":1,"label":"coverage","message":"{message}","color":"{colour}"}}"#
    )?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{one_of_everything, tally};

    #[test]
    fn a_badge_never_looks_better_than_it_is() {
        assert_eq!(message(tally(1999, 2000)), "99%");
        assert_eq!(message(tally(0, 0)), "unknown");
        assert_eq!(colour(tally(89, 100)).0, "green");
        assert_eq!(colour(tally(0, 0)).0, "lightgrey");
    }

    #[test]
    fn both_badges_say_the_same() {
        let (mut svg, mut json) = (Vec::new(), Vec::new());
        let coverage = one_of_everything();
        emit_svg(&coverage, &Options::default(), &mut svg).expect("a Vec takes everything");
        emit_shields(&coverage, &Options::default(), &mut json).expect("a Vec takes everything");
        assert!(String::from_utf8_lossy(&svg).contains(">92%</text>"));
        assert_eq!(
            String::from_utf8_lossy(&json),
            "{\"schemaVersion\":1,\"label\":\"coverage\",\"message\":\"92%\",\"color\":\"brightgreen\"}\n"
        );
    }
}
