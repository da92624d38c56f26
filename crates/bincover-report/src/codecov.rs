//! [Codecov's own JSON](https://docs.codecov.com/docs/codecov-custom-coverage-format): for each file,
//! hits by line.
//!
//! A line with branches of which some were not taken has `"covered/total"`, its branch sides, in
//! place of its hits, which is what Codecov calls partial. A service counts the lines again, so the
//! numbers are those of the lines that are listed.

use std::io::{self, BufWriter, Write};

use bincover_model::Coverage;

use crate::Options;
use crate::listed::listed;
use crate::paths::Names;
use crate::quoted::quoted;

/// Writes the document. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let names = Names::new(coverage, options);
    write!(out, "{{\"coverage\":{{")?;
    for (index, file) in coverage.measured_files().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\n{}:{{", quoted(&names.of(&file.name)))?;
        for (index, line) in listed(coverage, file).iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{}\":", line.line.number)?;
            let sides = line.conditions();
            match line.line.count > 0 && sides.covered < sides.total {
                true => write!(out, "\"{}/{}\"", sides.covered, sides.total)?,
                false => write!(out, "{}", line.line.count)?,
            }
        }
        write!(out, "}}")?;
    }
    writeln!(out, "\n}}}}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::one_of_everything;

    #[test]
    fn lines_have_hits_or_their_branches() {
        let mut out = Vec::new();
        emit(&one_of_everything(), &Options::default(), &mut out).expect("a Vec takes everything");
        let expected = concat!(
            "{\"coverage\":{\n",
            "\"a.c\":{\"1\":\"1/4\",\"3\":5,\"4\":\"3/4\",\"5\":2,\"6\":3,\"7\":5,\"9\":1,\"10\":1,",
            "\"11\":6,\"12\":5,\"13\":\"1/2\",\"14\":0,\"15\":1,\"16\":1}\n}}\n"
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
