//! [Codecov's own JSON](https://docs.codecov.com/docs/codecov-custom-coverage-format): for each file,
//! hits by line.
//!
//! A line with branches of which some were not taken has `"covered/total"`, its branch sides, in
//! place of its hits, which is what Codecov calls partial. A service counts the lines again, so the
//! numbers are those of the lines that are listed.
//!
//! Names are keys, and those that differ in bytes which are not UTF-8 are one: the hits and branches of
//! such files are added up, by line.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use bincover_model::{Coverage, File};

use crate::Options;
use crate::listed::{ListedLine, listed};
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
    for (index, (name, files)) in by_name(coverage, &names).iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\n{}:{{", quoted(name))?;
        for (index, line) in lines_of(coverage, files).iter().enumerate() {
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

/// Files by the name that they have here, in the order of the first of each.
fn by_name<'c>(coverage: &'c Coverage, names: &Names<'_>) -> Vec<(String, Vec<&'c File>)> {
    let mut found: Vec<(String, Vec<&File>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for file in coverage.measured_files() {
        let name = names.of(&file.name);
        let place = *places.entry(name.clone()).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, files)) => files.push(file),
            None => found.push((name, vec![file])),
        }
    }
    found
}

/// The lines of files together.
fn lines_of(coverage: &Coverage, files: &[&File]) -> Vec<ListedLine> {
    let all = files.iter().flat_map(|file| listed(coverage, file));
    let mut all: Vec<ListedLine> = all.collect();
    if files.len() > 1 {
        // Stable, so branches stay in the order of their files.
        all.sort_by_key(|one| one.line.number);
        all.dedup_by(|next, one| {
            let is_same = next.line.number == one.line.number;
            if is_same {
                one.line.count = one.line.count.saturating_add(next.line.count);
                one.branches.append(&mut next.branches);
            }
            is_same
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{branch, file, lines, one_of_everything};

    #[test]
    fn files_with_one_name_are_one_key() {
        let mut coverage = Coverage::default();
        for (name, counts, branches) in [
            (&b"/w/\xc3\x28.go"[..], &[(1, 1)][..], &[][..]),
            (
                b"/w/\xfe.go",
                &[(1, 2), (2, 1), (9, 0)],
                &[branch((2, 1), (2, 9), 1, 0)],
            ),
            (b"/w/z.go", &[(1, 1)], &[]),
            (
                b"/w/\xff.go",
                &[(1, 3), (2, 0), (4, 1)],
                &[branch((2, 1), (2, 9), 0, 0)],
            ),
        ] {
            let mut one = file("", lines(counts));
            one.name = name.into();
            one.branches = branches.to_vec();
            coverage.files.push(one);
        }
        let mut out = Vec::new();
        emit(&coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        let expected = concat!(
            "{\"coverage\":{\n",
            "\"\u{fffd}(.go\":{\"1\":1},\n",
            "\"\u{fffd}.go\":{\"1\":5,\"2\":\"1/4\",\"4\":1,\"9\":0},\n",
            "\"z.go\":{\"1\":1}\n}}\n"
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

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
