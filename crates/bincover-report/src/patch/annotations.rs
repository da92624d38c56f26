//! Patch coverage as GitHub's workflow commands.

use std::cmp::Reverse;
use std::io::{self, BufWriter, Write};

use super::coverage::PatchCoverage;
use crate::Options;
use crate::annotations::warning;

/// Writes a warning for each place, that with the most lines first, since GitHub shows ten of a
/// step; what lost its coverage comes after what is new.
///
/// # Errors
/// If the writer fails.
pub(super) fn emit(
    found: &PatchCoverage,
    _options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut all = Vec::new();
    for file in &found.files {
        let new = file.uncovered.iter().map(|one| ("Not covered", file, one));
        all.extend(new);
        all.extend(file.lost.iter().map(|one| ("Covered before", file, one)));
    }
    all.sort_by_key(|(title, _, one)| (*title == "Covered before", Reverse(one.place.line_count)));
    for (title, file, one) in all {
        let function = one.function.as_deref();
        warning(title, &file.name, &one.place, function, &mut out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::super::coverage::tests::example;
    use super::*;

    #[test]
    fn what_is_new_comes_first() {
        let mut out = Vec::new();
        emit(&example(), &Options::default(), &mut out).expect("a Vec takes everything");
        let expected = "\
::warning file=src/a.rs,line=2,endLine=2,title=Not covered::region not reached
::warning file=src/a.rs,line=5,endLine=5,title=Not covered::region not reached
::warning file=src/a.rs,line=3,endLine=3,title=Covered before::region not reached
::warning file=src/b.rs,line=1,endLine=1,title=Covered before::region not reached
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
