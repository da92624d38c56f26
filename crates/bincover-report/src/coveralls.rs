//! The job that [Coveralls' interface](https://docs.coveralls.io/api-introduction) takes: for each
//! file, hits by line, and its branches.
//!
//! Who sends it adds what a report does not know, such as `repo_token`. A file whose source could
//! not be read has no `source_digest`. Coverage has an entry for each line up to the last one that
//! holds code; lines without code are `null`. Coveralls counts again, so the numbers are those of
//! the lines that are listed.

use std::io::{self, BufWriter, Write};

use bincover_model::Coverage;
use bstr::ByteSlice;
use md5::{Digest, Md5};

use crate::limits::MAX_LISTED_LINE;
use crate::listed::{Rates, listed};
use crate::paths::Names;
use crate::quoted::quoted;
use crate::{Options, Source, Sources};

/// Writes the document. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(
    coverage: &Coverage,
    options: &Options,
    sources: &dyn Sources,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    write!(out, "{{\"source_files\":[")?;
    for (index, file) in coverage.measured_files().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let name = quoted(&names.of(&file.name));
        write!(out, "{comma}\n{{\"name\":{name}")?;
        if let Source::Text { text, .. } = sources.read(file.name.as_bstr()) {
            write!(out, ",\"source_digest\":\"")?;
            for byte in Md5::digest(&text) {
                write!(out, "{byte:02x}")?;
            }
            write!(out, "\"")?;
        }
        let mut lines = listed(coverage, file);
        if lines.iter().any(|line| line.line.number > MAX_LISTED_LINE) {
            lines.clear();
        }
        write!(out, ",\"coverage\":[")?;
        let mut next: u32 = 1;
        for line in &lines {
            while next < line.line.number {
                write!(out, "{}null", if next == 1 { "" } else { "," })?;
                next += 1;
            }
            // A line that comes twice, or has no number, has no place in an array.
            if line.line.number == next {
                write!(
                    out,
                    "{}{}",
                    if next == 1 { "" } else { "," },
                    line.line.count
                )?;
                next += 1;
            }
        }
        write!(out, "]")?;
        if Rates::of(&lines).branches.total > 0 {
            // Line, block, branch, hits: a two-way branch is a block.
            write!(out, ",\"branches\":[")?;
            let mut comma = "";
            for line in &lines {
                for (block, branch) in line.branches.iter().enumerate() {
                    for (side, hits) in branch.sides().enumerate() {
                        write!(out, "{comma}{},{block},{side},{hits}", line.line.number)?;
                        comma = ",";
                    }
                }
            }
            write!(out, "]")?;
        }
        write!(out, "}}")?;
    }
    writeln!(out, "\n]}}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use bstr::BStr;

    use super::*;
    use crate::testing::one_of_everything;

    struct Empty;

    impl Sources for Empty {
        fn read(&self, name: &BStr) -> Source {
            assert_eq!(name, "/w/a.c");
            Source::Text {
                text: Vec::new(),
                is_changed: false,
            }
        }
    }

    #[test]
    fn files_have_a_digest_lines_and_branches() {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), &Empty, &mut out)
            .expect("a Vec takes everything");
        let expected = concat!(
            "{\"source_files\":[\n",
            "{\"name\":\"a.c\",\"source_digest\":\"d41d8cd98f00b204e9800998ecf8427e\",",
            "\"coverage\":[1,null,5,5,2,3,5,null,1,1,6,5,1,0,1,1],",
            "\"branches\":[1,0,0,0,1,0,1,1,1,1,0,0,1,1,1,0,4,0,0,2,4,0,1,3,4,1,0,2,4,1,1,0,11,0,0,5,11,0,1,1,13,0,0,0,13,0,1,1]}\n]}\n"
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
