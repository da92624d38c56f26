//! What llvm-cov-22 made of regions over C code; the notation is that of the format notes:
//! `C` code, `E` expansion, `S` skipped, `G` gap, `line:column-line:column=count`; segments
//! `line:column/count`, `-` for no count, `e` entry, `g` gap.

use crate::{LocalFile, Position, Region, RegionKind, Segment};

use super::{lines, segments, tally_lines};

fn region(text: &str) -> Region {
    let (kind, rest) = text.split_at(1);
    let (range, count) = rest.split_once('=').unwrap_or((rest, "0"));
    let (start, end) = range.split_once('-').expect("start-end");
    let mut region = Region {
        kind: match kind {
            "C" => RegionKind::Code,
            "E" => RegionKind::Expansion,
            "S" => RegionKind::Skipped,
            _ => RegionKind::Gap,
        },
        file: LocalFile(0),
        expanded: LocalFile(0),
        start: position(start),
        end: position(end),
        count: count.parse().expect("a count"),
    };
    // Columns 0 and 0 mean whole lines; the decoder has replaced them by then.
    if (region.start.column, region.end.column) == (0, 0) {
        (region.start.column, region.end.column) = (1, u32::MAX);
    }
    region
}

fn position(text: &str) -> Position {
    let (line, column) = text.split_once(':').expect("line:column");
    Position {
        line: line.parse().expect("a line"),
        column: column.parse().expect("a column"),
    }
}

fn shown(segment: &Segment) -> String {
    let count = match segment.has_count {
        true => segment.count.to_string(),
        false => "-".to_owned(),
    };
    format!(
        "{}:{}/{count}{}{}",
        segment.start.line,
        segment.start.column,
        if segment.is_gap { "g" } else { "" },
        if segment.is_entry { "e" } else { "" },
    )
}

fn check(regions: &str, expected_segments: &str, expected_lines: &str) {
    let parsed: Vec<Region> = regions.split_whitespace().map(region).collect();
    let segments = segments(&parsed);
    let listed: Vec<String> = segments.iter().map(shown).collect();
    assert_eq!(listed.join(" "), expected_segments, "{regions}");
    let tally = tally_lines(&segments);
    assert_eq!(tally.total, lines(&segments).len() as u64, "{regions}");
    let covered = lines(&segments)
        .iter()
        .filter(|line| line.count > 0)
        .count();
    assert_eq!(tally.covered, covered as u64, "{regions}");
    let listed: Vec<String> = lines(&segments)
        .iter()
        .map(|line| format!("{}={}", line.number, line.count))
        .collect();
    assert_eq!(listed.join(" "), expected_lines, "{regions}");
}

#[test]
fn as_llvm_cov() {
    check(
        "C1:1-5:2=5 C2:3-3:4=2",
        "1:1/5e 2:3/2e 3:4/5 5:2/-",
        "1=5 2=5 3=2 4=5 5=5",
    );
    check(
        "C1:1-3:2=5 C2:1-2:9=2 C2:1-2:9=3",
        "1:1/5e 2:1/5e 2:9/5 3:2/-",
        "1=5 2=5 3=5",
    );
    check(
        "C1:1-3:2=5 C2:1-2:9=2 E2:1-2:9=7",
        "1:1/5e 2:1/2e 2:9/5 3:2/-",
        "1=5 2=5 3=5",
    );
    check(
        "C1:1-3:2=5 E2:1-2:9=2 E2:1-2:9=7",
        "1:1/5e 2:1/9e 2:9/5 3:2/-",
        "1=5 2=9 3=5",
    );
    check(
        "C1:1-6:2=5 S2:1-4:7",
        "1:1/5e 2:1/-e 4:7/5 6:2/-",
        "1=5 5=5 6=5",
    );
    check(
        "C1:1-6:2=5 S3:1-3:9",
        "1:1/5e 3:1/-e 3:9/5 6:2/-",
        "1=5 2=5 4=5 5=5 6=5",
    );
    check(
        "C1:1-6:2=9 C2:3-2:10=4 G2:11-4:3=0 C4:3-4:8=0",
        "1:1/9e 2:3/4e 2:10/9 2:11/0g 4:3/0e 4:8/9 6:2/-",
        "1=9 2=9 3=0 4=0 5=9 6=9",
    );
    check(
        "C1:1-6:2=9 G2:1-4:1=0",
        "1:1/9e 2:1/0g 4:1/9 6:2/-",
        "1=9 2=9 3=0 4=0 5=9 6=9",
    );
    check("C1:1-3:2=5 C3:2-3:2=1", "1:1/5e 3:2/-e", "1=5 2=5");
    check(
        "C1:1-3:2=5 C4:1-4:1=1",
        "1:1/5e 3:2/- 4:1/-e",
        "1=5 2=5 3=5",
    );
    check(
        "C1:1-5:2=5 C2:4-2:4=1 C3:1-3:5=2",
        "1:1/5e 2:4/5e 3:1/2e 3:5/5 5:2/-",
        "1=5 2=5 3=5 4=5 5=5",
    );
    check(
        "C1:1-5:2=5 S2:4-2:4 C3:1-3:5=2",
        "1:1/5e 2:4/-e 2:4/5 3:1/2e 3:5/5 5:2/-",
        "1=5 3=5 4=5 5=5",
    );
    check(
        "C1:1-6:2=5 C2:1-3:4=1 C3:4-4:2=2",
        "1:1/5e 2:1/1e 3:4/2e 4:2/5 6:2/-",
        "1=5 2=5 3=2 4=2 5=5 6=5",
    );
    check(
        "C1:1-2:2=5 C4:1-6:2=0",
        "1:1/5e 2:2/- 4:1/0e 6:2/-",
        "1=5 2=5 4=0 5=0 6=0",
    );
    check(
        "C1:1-4:5=5 C2:1-6:3=2",
        "1:1/5e 2:1/2e 4:5/2 6:3/-",
        "1=5 2=5 3=2 4=2 5=2 6=2",
    );
    check(
        "C1:1-6:2=5 C2:1-4:1=2 C2:1-3:1=3",
        "1:1/5e 2:1/3e 3:1/2 4:1/5 6:2/-",
        "1=5 2=5 3=3 4=2 5=5 6=5",
    );
    check(
        "C1:1-6:2=5 C2:1-4:4=2 C3:1-4:4=3 C3:5-4:4=1",
        "1:1/5e 2:1/2e 3:1/3e 3:5/1e 4:4/5 6:2/-",
        "1=5 2=5 3=3 4=1 5=5 6=5",
    );
    check(
        "C1:1-6:2=5 C2:0-3:0=1",
        "1:1/5e 2:1/1e 3:4294967295/5 6:2/-",
        "1=5 2=5 3=1 4=5 5=5 6=5",
    );
}

#[test]
fn nothing_gives_nothing() {
    check("", "", "");
}
