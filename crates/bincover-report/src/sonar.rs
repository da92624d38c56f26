//! SonarQube's generic coverage XML, after
//! [its documentation](https://docs.sonarsource.com/sonarqube-server/latest/analyzing-source-code/test-coverage/generic-test-data/).
//!
//! SonarQube counts the lines again, so the numbers are those of the lines that are listed.

use std::io;

use bincover_model::Coverage;

use crate::Options;
use crate::listed::listed;
use crate::paths::Names;
use crate::xml::{Xml, printable};

/// Writes the document. Reads [`Options::repository`].
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let names = Names::new(coverage, options);
    let mut xml = Xml::new(out);
    xml.prologue(None)?;
    xml.open("coverage", &[("version", "1".into())])?;
    for file in coverage.measured_files() {
        let path = printable(names.of(&file.name).as_bytes());
        xml.open("file", &[("path", (&path).into())])?;
        for line in listed(coverage, file) {
            let covered = match line.line.count {
                0 => "false",
                _ => "true",
            };
            let sides = line.conditions();
            let attributes = [
                ("lineNumber", line.line.number.into()),
                ("covered", covered.into()),
                ("branchesToCover", sides.total.into()),
                ("coveredBranches", sides.covered.into()),
            ];
            let shown = if sides.total > 0 { 4 } else { 2 };
            xml.empty("lineToCover", &attributes[..shown])?;
        }
        xml.close("file")?;
    }
    xml.close("coverage")?;
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, lines, one_of_everything};

    fn document(coverage: &Coverage) -> String {
        let mut out = Vec::new();
        emit(coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("the document says that it is UTF-8")
    }

    #[test]
    fn lines_say_whether_they_are_covered() {
        let document = document(&one_of_everything());
        assert!(document.starts_with(concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<coverage version=\"1\">\n",
            "  <file path=\"a.c\">\n    <lineToCover lineNumber=\"1\" covered=\"true\" branchesToCover=\"4\" coveredBranches=\"1\"/>\n"
        )));
        assert!(document.contains(concat!(
            "    <lineToCover lineNumber=\"13\" covered=\"true\" ",
            "branchesToCover=\"2\" coveredBranches=\"1\"/>\n",
            "    <lineToCover lineNumber=\"14\" covered=\"false\"/>\n"
        )));
    }

    #[test]
    fn names_are_escaped() {
        let coverage = Coverage {
            files: vec![file("<a&\"b\u{1}", lines(&[(1, 1)]))],
            functions: Vec::new(),
        };
        assert!(document(&coverage).contains("path=\"&lt;a&amp;&quot;b\u{fffd}\""));
    }
}
