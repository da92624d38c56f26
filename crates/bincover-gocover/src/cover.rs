//! What `go tool cover` makes of a profile and the sources: its list of functions, its page.

use std::collections::BTreeMap;

use bincover_model::Tally;
use bstr::ByteSlice;

use crate::listing::{Table, in_percent, statements};
use crate::profile::{Block, Profile};
use crate::source::{Declared, Source};

/// A source file, with the blocks that a profile has of it.
#[derive(Clone, Debug)]
pub struct CoveredFile<'p> {
    /// The import path and the base name.
    pub name: &'p [u8],
    /// By their starts.
    pub blocks: Vec<Block<'p>>,
    /// Its text.
    pub source: Vec<u8>,
}

/// The files of a profile, by name. `read` is given the name of each and the path of its module, and
/// gives the text; one that it does not have is left out.
pub fn files<'p>(
    profile: &'p Profile,
    mut read: impl FnMut(&[u8], &[u8]) -> Option<Vec<u8>>,
) -> Vec<CoveredFile<'p>> {
    let mut all: BTreeMap<&[u8], (&[u8], Vec<Block<'p>>)> = BTreeMap::new();
    for package in profile.packages() {
        for block in package.blocks() {
            let file = all.entry(block.file);
            let (_, blocks) = file.or_insert_with(|| (package.module(), Vec::new()));
            blocks.push(block);
        }
    }
    let mut found = Vec::new();
    for (name, (module, mut blocks)) in all {
        if let Some(source) = read(name, module) {
            blocks.sort_by_key(|block| (block.unit.start_line, block.unit.start_column));
            found.push(CoveredFile {
                name,
                blocks,
                source,
            });
        }
    }
    found
}

/// Statements covered, by the functions that the sources declare, and in all of these (`go tool cover
/// -func`). Methods go by their bare names. A block that touches two functions counts for both, and
/// literals outside of functions count for none.
#[must_use]
pub fn functions(files: &[CoveredFile<'_>]) -> Vec<u8> {
    let mut table = Table::default();
    let mut total = Tally::default();
    for file in files {
        let source = Source::parse(&file.source);
        let all = source.declared();
        // Declarations lie one after another, so a block touches some in a row: what is added at the first of them
        // is taken off after the last.
        let mut added = vec![Tally::default(); all.len() + 1];
        let mut taken_off = vec![Tally::default(); all.len() + 1];
        for block in &file.blocks {
            let unit = &block.unit;
            let (start, end) = (
                (unit.start_line, unit.start_column),
                (unit.end_line, unit.end_column),
            );
            // A declaration's end is where the last brace is; a block may end after it.
            let is_over = |one: &Declared| (one.end.0, one.end.1.saturating_add(1)) <= start;
            let first = all.partition_point(is_over);
            let after = all.partition_point(|one| one.start < end);
            if first < after {
                let tally = statements(std::iter::once(block));
                added[first] += tally;
                taken_off[after] += tally;
            }
        }
        let mut tally = Tally::default();
        for ((declared, added), taken_off) in all.iter().zip(added).zip(taken_off) {
            tally = Tally {
                covered: (tally.covered + added.covered).saturating_sub(taken_off.covered),
                total: (tally.total + added.total).saturating_sub(taken_off.total),
            };
            total += tally;
            let name = declared.name.rsplit_str(".").next().unwrap_or_default();
            table.add(file.name, declared.start.0, name, tally);
        }
    }
    table.add_total("total:", total);
    table.write()
}

/// A page with all sources, in which what ran is coloured (`go tool cover -html`). The list of files
/// and the sources are Go's to the byte, also where these are odd: blocks on a file's first line are
/// shifted by one column. The rest of the page is ours; it needs a script to go from file to file.
#[must_use]
pub fn page(files: &[CoveredFile<'_>]) -> Vec<u8> {
    let mut out = HEAD.as_bytes().to_vec();
    for (index, file) in files.iter().enumerate() {
        let percent = in_percent(statements(file.blocks.iter()));
        out.extend_from_slice(format!("<option value=\"file{index}\">").as_bytes());
        escape(file.name, &mut out);
        out.extend_from_slice(format!(" ({percent}%)</option>\n").as_bytes());
    }
    out.extend_from_slice(b"</select>\n</div>\n");
    for (index, file) in files.iter().enumerate() {
        let open = format!("<pre class=\"file\" id=\"file{index}\" style=\"display: none\">");
        out.extend_from_slice(open.as_bytes());
        body(file, &mut out);
        out.extend_from_slice(b"</pre>\n");
    }
    out.extend_from_slice(FOOT.as_bytes());
    out
}

/// Names stand between tags.
fn escape(name: &[u8], out: &mut Vec<u8>) {
    for &byte in name {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            _ => out.push(byte),
        }
    }
}

fn body(file: &CoveredFile<'_>, out: &mut Vec<u8>) {
    let most = file.blocks.iter().map(|block| block.count).max();
    let mut marks = marks(file).into_iter().peekable();
    for (at, &byte) in file.source.iter().enumerate() {
        while let Some(mark) = marks.next_if(|mark| mark.offset == at) {
            match mark.opens {
                Some(count) => {
                    let class = class(count, most.unwrap_or(0));
                    let span = format!("<span class=\"cov{class}\" title=\"{count}\">");
                    out.extend_from_slice(span.as_bytes());
                }
                None => out.extend_from_slice(b"</span>"),
            }
        }
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'\t' => out.extend_from_slice(b"        "),
            _ => out.push(byte),
        }
    }
}

/// A place where a span begins or ends.
struct Mark {
    offset: usize,
    /// The count of the block that begins.
    opens: Option<u64>,
}

fn marks(file: &CoveredFile<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let (mut line, mut column) = (1u32, 2u32);
    let mut at = 0;
    let mut blocks = file.blocks.iter().peekable();
    while at < file.source.len()
        && let Some(block) = blocks.peek()
    {
        let unit = &block.unit;
        if (unit.start_line, unit.start_column) == (line, column) {
            let opens = Some(block.count);
            marks.push(Mark { offset: at, opens });
        }
        if (unit.end_line, unit.end_column) == (line, column) || line > unit.end_line {
            let opens = None;
            marks.push(Mark { offset: at, opens });
            // The next may begin here.
            blocks.next();
            continue;
        }
        if file.source[at] == b'\n' {
            line = line.saturating_add(1);
            column = 0;
        }
        column = column.saturating_add(1);
        at += 1;
    }
    marks
}

/// 0 for what did not run, else 1 to 10, by the logarithm; 8 where nothing ran more than once.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a shade, from 0 to 10"
)]
fn class(count: u64, most: u64) -> u32 {
    let norm = match (count, most) {
        (0, _) => return 0,
        (_, 0 | 1) => 0.8,
        _ => (count as f64).ln() / (most as f64).ln(),
    };
    (norm * 9.0).floor() as u32 + 1
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<title>Coverage</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; font-family: system-ui, sans-serif; }
#bar { position: sticky; top: 0; padding: 0.5em 1em; background: Canvas; border-bottom: 1px solid; }
pre { margin: 1em; line-height: 1.4; }
.cov0 { color: light-dark(#b00020, #ff8a80); }
.cov1, .cov2, .cov3, .cov4, .cov5 { color: light-dark(#2e6b34, #9ad29f); }
.cov6, .cov7, .cov8, .cov9, .cov10 { color: light-dark(#00701a, #5cf07a); }
</style>
</head>
<body>
<div id=\"bar\">
<label for=\"files\">File</label>
<select id=\"files\">
";

const FOOT: &str = "<script>
const files = document.getElementById('files');
const show = () => {
  for (const file of document.querySelectorAll('.file')) {
    file.style.display = file.id === files.value ? 'block' : 'none';
  }
};
if (location.hash) files.value = location.hash.slice(1);
files.addEventListener('change', () => { location.hash = files.value; show(); });
show();
</script>
</body>
</html>
";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Mode, TextProfile, Unit};

    /// If all blocks were looked at for each function, this would take minutes; also if there is one around all of
    /// them.
    #[test]
    fn many_functions_of_a_file() {
        let count = 1 << 16;
        let mut source = String::new();
        let mut text = format!("mode: set\nm/t.go:1.1,{}.1 0 1\n", count + 1);
        for line in 1..=count {
            source += &format!("func a{line:06}() {{ x }}\n");
            text += &format!("m/t.go:{line}.16,{line}.19 1 {}\n", line % 2);
        }
        let text = TextProfile::parse(text.as_bytes()).unwrap();
        let mut profile = Profile::new(Mode::Set);
        profile.add_text(&text);
        let files = files(&profile, |_, _| Some(source.as_bytes().to_vec()));
        let listed = functions(&files);
        assert_eq!(listed.lines().count(), count + 1);
        assert!(listed.ends_with(b"50.0%\n"));
    }

    proptest! {
        /// Blocks are in a function if both begin before the other ends, however they lie to each other.
        #[test]
        fn blocks_are_in_the_functions_that_they_touch(
            blocks in prop::collection::vec((1..9_u32, 1..30_u32, 1..9_u32, 1..30_u32, 0..5_u32, 0..2_u64), 0..20),
        ) {
            let source = "func a() { x }\nfunc b() {\n}; func c() { y }\n\n\nfunc d() {\n}\n";
            let unit = |start_line, start_column, end_line, end_column, statements| Unit {
                start_line,
                start_column,
                end_line,
                end_column,
                statements,
            };
            let block = |(a, b, c, d, statements, count)| Block {
                file: b"m/t.go",
                function: b"",
                literal: false,
                unit: unit(a, b, c, d, statements),
                count,
            };
            let blocks: Vec<Block<'_>> = blocks.into_iter().map(block).collect();
            let mut table = Table::default();
            let mut total = Tally::default();
            for declared in Source::parse(source.as_bytes()).declared() {
                let end = (declared.end.0, declared.end.1 + 1);
                let touches = |block: &&Block<'_>| {
                    let unit = &block.unit;
                    (unit.start_line, unit.start_column) < end
                        && declared.start < (unit.end_line, unit.end_column)
                };
                let tally = statements(blocks.iter().filter(touches));
                total += tally;
                table.add(b"m/t.go", declared.start.0, &declared.name, tally);
            }
            table.add_total("total:", total);
            let file = CoveredFile {
                name: b"m/t.go",
                blocks,
                source: source.as_bytes().to_vec(),
            };
            let listed = functions(&[file]);
            let expected = table.write();
            prop_assert_eq!(listed.as_bstr(), expected.as_bstr());
            prop_assert_eq!(listed.lines().count(), 5);
        }
    }
}
