//! Test binaries of Go whose one test is the program's `main`, as the Go package
//! `github.com/confluentinc/bincover` makes them: how they are called, and what they say.
//!
//! The protocol is that of its release v0.2.0, with the marks that earlier ones had: arguments are
//! the lines of a file (white space around them and empty lines are dropped), after those of the
//! command line that are no flags of tests; and the output of `main` is followed by two lines with
//! JSON between them, which has the exit code that the program has given to the package. What the
//! test framework says comes after that.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bincover_gocover::Mode;
use bincover_report::printable;
use bincover_run::{Command, Ending, Output, Stream};
use bstr::ByteSlice;
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::input::map_object;

/// What comes before and after the JSON; the first is today's.
const MARKS: [(&str, &str); 3] = [
    ("START_BINCOVER_METADATA", "END_BINCOVER_METADATA"),
    ("START_BINCOVER_METADATA", "END_BINVCOVER_METADATA"),
    ("START_OF_METADATA", "END_OF_METADATA"),
];

/// What the framework says of a name that no test has.
const NO_TESTS: &[u8] = b"testing: warning: no tests to run";

/// Such a binary, with the arguments of one run.
#[derive(Debug)]
pub(crate) struct TestMain {
    program: OsString,
    test: String,
    /// Arguments that the file cannot hold, and those before them.
    before: Vec<OsString>,
    file: NamedTempFile,
}

/// What is between the marks.
#[derive(Debug, Deserialize)]
struct Metadata {
    /// Empty if it was built without `-cover`.
    cover_mode: String,
    exit_code: i64,
}

impl TestMain {
    /// `test` is the name of the test that calls `main`.
    pub(crate) fn new(program: &OsString, test: &str, args: &[OsString]) -> Result<Self> {
        let last = args.iter().rposition(|arg| !is_line(arg.as_bytes()));
        let (before, lines) = args.split_at(last.map_or(0, |last| last + 1));
        let fail = |reason: String| {
            let program = program.into();
            Error::TestMain { program, reason }
        };
        if let Some(arg) = unsuitable(before) {
            // Its value may be a secret.
            let arg = arg.to_string_lossy();
            let option = arg.split('=').next().unwrap_or_default();
            return Err(fail(format!(
                "the argument `{}` cannot be passed on, as another is empty or has white space at an \
                 end: expected a binary that `bincover go init` has helped to make",
                printable(option)
            )));
        }
        let write = || -> std::io::Result<NamedTempFile> {
            let mut file = NamedTempFile::with_prefix("bincover-args-")?;
            for line in lines {
                file.write_all(line.as_bytes())?;
                file.write_all(b"\n")?;
            }
            Ok(file)
        };
        Ok(Self {
            program: program.clone(),
            test: test.to_owned(),
            before: before.to_vec(),
            file: write().map_err(|error| fail(format!("arguments: {error}")))?,
        })
    }

    /// Gives a command without arguments its arguments. Coverage goes to `folder`.
    pub(crate) fn prepare(
        &self,
        command: Command,
        file: Option<&Path>,
        folder: Option<&Path>,
    ) -> Result<Command> {
        let mut command = command.arg(format!("-test.run=^{}$", self.test));
        if let Some(folder) = folder {
            let folder =
                std::path::absolute(folder).map_err(|source| Error::write(folder, source))?;
            let option = match file.is_none_or(has_folders) {
                true => word("-test.gocoverdir=", &folder),
                false => word("-test.coverprofile=", &folder.join("covtext.0.0")),
            };
            command = command.arg(option);
        }
        let file = word("-args-file=", self.file.path());
        Ok(command.arg(file).args(&self.before))
    }

    /// Makes of what it said what `main` said, and of its end that of `main`.
    pub(crate) fn settle(&self, output: &mut Output) -> Result<()> {
        if let Some((end, metadata)) = metadata(&output.stdout) {
            output.stdout.truncate(end);
            for chunk in &mut output.combined {
                if chunk.stream == Stream::Stdout {
                    chunk.range = chunk.range.start.min(end)..chunk.range.end.min(end);
                }
            }
            output.combined.retain(|chunk| !chunk.range.is_empty());
            if output.status.success() {
                // As the system does with what is given to `exit`.
                let code = i32::from(metadata.exit_code.to_le_bytes()[0]);
                output.status = Ending::Code(code);
            }
            return Ok(());
        }
        let says = |text: &[u8]| text.lines().any(|line| line == NO_TESTS);
        if says(&output.stderr) || says(&output.stdout) {
            return Err(Error::TestMain {
                program: (&self.program).into(),
                reason: format!("expected a test `{}` that runs main, found none", self.test),
            });
        }
        // `main` has called `os.Exit`, or worse.
        Ok(())
    }
}

fn word(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(path);
    word
}

/// It comes out of the file as it went in.
fn is_line(arg: &[u8]) -> bool {
    let text = String::from_utf8_lossy(arg);
    !text.is_empty() && !text.contains('\n') && text.trim() == text
}

/// One of these that does not come through on the command line: what looks like a flag of tests is
/// taken away, and a first one that looks like any flag is refused.
fn unsuitable(args: &[OsString]) -> Option<&OsString> {
    let is_flag = |arg: &OsString| arg.len() > 1 && arg.as_bytes().starts_with(b"-");
    let is_taken = |arg: &&OsString| {
        let bytes = arg.as_bytes();
        bytes.starts_with(b"-test.") || bytes.starts_with(b"-args-file")
    };
    let first = args.first().filter(|first| is_flag(first));
    first.or_else(|| args.iter().find(is_taken))
}

/// It was built with Go 1.20 or later, and writes files like those of `go build -cover`.
fn has_folders(file: &Path) -> bool {
    map_object(file).is_ok_and(|bytes| bytes.contains_str("test.gocoverdir"))
}

/// What stands between the last marks, and where these begin.
fn metadata(stdout: &[u8]) -> Option<(usize, Metadata)> {
    MARKS.iter().find_map(|(start, end)| {
        let at = stdout.rfind(format!("{start}\n"))?;
        let rest = &stdout[at + start.len() + 1..];
        let json = &rest[..rest.find(format!("\n{end}\n"))?];
        let metadata: Metadata = serde_json::from_slice(json).ok()?;
        let modes = [Mode::Set, Mode::Count, Mode::Atomic].map(Mode::word);
        let is_known = metadata.cover_mode.is_empty() || modes.contains(&&*metadata.cover_mode);
        is_known.then_some((at, metadata))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[track_caller]
    fn divided(given: &[&str], before: &[&str], lines: &str) {
        let made = TestMain::new(&"p".into(), "T", &args(given)).unwrap();
        assert_eq!(made.before, args(before));
        assert_eq!(std::fs::read_to_string(made.file.path()).unwrap(), lines);
    }

    #[test]
    fn arguments_are_divided() {
        divided(&[], &[], "");
        divided(&["-a", "b c"], &[], "-a\nb c\n");
        divided(&["a", "", "-c"], &["a", ""], "-c\n");
        divided(&["", "b\nc", "-test.d"], &["", "b\nc"], "-test.d\n");
        divided(&["-", " "], &["-", " "], "");
    }

    #[test]
    fn what_cannot_be_passed_on_is_said() {
        for given in [["-a", ""], ["-test.a", "b\n"], ["a", "-args-file= "]] {
            let error = TestMain::new(&"p".into(), "T", &args(&given)).unwrap_err();
            assert!(error.to_string().contains("`-"), "{error}");
        }
    }

    #[test]
    fn marks_are_the_last_ones() {
        let json = r#"{"cover_mode":"set","exit_code":3}"#;
        let of = |text: String| metadata(text.as_bytes()).map(|(at, m)| (at, m.exit_code));
        for (start, end) in MARKS {
            let marks = format!("{start}\n{json}\n{end}\n");
            assert_eq!(of(format!("text{marks}PASS\n")), Some((4, 3)));
            assert_eq!(of(format!("{marks}{marks}")), Some((marks.len(), 3)));
        }
        let (start, end) = MARKS[0];
        for text in [
            String::new(),
            format!("{start}\n"),
            format!("{start}\n{json}"),
            format!("{start}\n{end}\n"),
            format!("{start}\n{{}}\n{end}\n"),
            format!("{start}\n{}\n{end}\n", json.replace("set", "evil")),
        ] {
            assert_eq!(of(text.clone()), None, "{text}");
        }
    }
}
