//! What can be typed after `bincover go`, in the manner of Go's `flag` package.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use bincover::gocover::Mode;
use bincover::gocover::listing::Rows;
use bincover::gocover::pattern::matches_list;

pub(super) const HELP: &str = "\
bincover go: what `go tool covdata` does, without Go

  bincover go textfmt   -i=DIRS -o=FILE       coverage as a text profile
  bincover go percent   -i=DIRS [-o=FILE]     statements covered, by package
  bincover go func      -i=DIRS               statements covered, by function
  bincover go pkglist   -i=DIRS               import paths
  bincover go merge     -i=DIRS -o=DIR        the runs of each program as one
  bincover go subtract  -i=DIR,DIR -o=DIR     what only the first reached
  bincover go intersect -i=DIRS -o=DIR        what all reached
  bincover go debugdump -i=DIRS               everything, for people

  bincover go cover     -func=PROFILE         as `go tool cover` has it, and -html: cover -help
  bincover go init      [DIR]                 a test binary that is the program: init -help

  -i=DIR,DIR      folders that programs wrote into (GOCOVERDIR)
  -o=PATH         the output: a file, or a folder that exists
  -pkg=P,P        only packages that match; ... is any text
  -pcombine       merge: several programs as one
  -live           debugdump: only functions that ran
  -mode=set       textfmt: whether blocks ran, whatever the programs counted
  -by=name        func: rows as covdata has them; neighbours of one name are one
  -strict         write nothing if anything had to be left out

Exit code 92 means that something was left out (and listed). docs/go.md says where this
differs from covdata.
";

/// One of covdata's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Textfmt,
    Percent,
    Func,
    Pkglist,
    Merge,
    Subtract,
    Intersect,
    Debugdump,
}

impl Command {
    const ALL: [Self; 8] = [
        Self::Textfmt,
        Self::Percent,
        Self::Func,
        Self::Pkglist,
        Self::Merge,
        Self::Subtract,
        Self::Intersect,
        Self::Debugdump,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Textfmt => "textfmt",
            Self::Percent => "percent",
            Self::Func => "func",
            Self::Pkglist => "pkglist",
            Self::Merge => "merge",
            Self::Subtract => "subtract",
            Self::Intersect => "intersect",
            Self::Debugdump => "debugdump",
        }
    }

    /// All programs come into one result.
    pub(super) fn joins(self) -> bool {
        matches!(
            self,
            Self::Textfmt | Self::Percent | Self::Func | Self::Pkglist
        )
    }

    fn needs_output(self) -> bool {
        matches!(
            self,
            Self::Textfmt | Self::Merge | Self::Subtract | Self::Intersect
        )
    }
}

/// What was typed.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) command: Command,
    pub(super) inputs: Vec<PathBuf>,
    pub(super) output: Option<PathBuf>,
    packages: Option<OsString>,
    pub(super) pcombine: bool,
    pub(super) live: bool,
    pub(super) strict: bool,
    pub(super) rows: Rows,
    pub(super) to_set: bool,
    /// The options as they were typed.
    pub(super) words: Vec<OsString>,
}

impl Options {
    /// `None` if help was asked for.
    pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut words: Vec<OsString> = args.collect();
        if words.is_empty() {
            return Err("expected a command, found none".to_owned());
        }
        let word = words.remove(0);
        if is_help(&word) {
            return Ok(None);
        }
        let command = Command::ALL.into_iter().find(|one| word == one.name());
        let command = command.ok_or_else(|| format!("no command `{}`", word.display()))?;
        let mut options = Self {
            command,
            inputs: Vec::new(),
            output: None,
            packages: None,
            pcombine: false,
            live: false,
            strict: false,
            rows: Rows::default(),
            to_set: false,
            words: words.clone(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if is_help(&word) {
                return Ok(None);
            }
            options.flag(&word, &mut words)?;
        }
        options.check()?;
        Ok(Some(options))
    }

    /// The package is wanted, by its import path.
    pub(super) fn is_wanted(&self, path: &[u8]) -> bool {
        let patterns = self.packages.as_ref();
        patterns.is_none_or(|patterns| matches_list(patterns.as_bytes(), path))
    }

    /// Some packages may not be wanted.
    pub(super) fn selects(&self) -> bool {
        self.packages.is_some()
    }

    fn flag(
        &mut self,
        word: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        let bytes = word.as_bytes();
        let flag = bytes
            .strip_prefix(b"--")
            .or_else(|| bytes.strip_prefix(b"-"));
        let flag = flag.filter(|flag| !flag.is_empty() && flag[0] != b'=');
        let Some(flag) = flag else {
            return Err(format!("unknown extra arguments: `{}`", word.display()));
        };
        let at = flag.iter().position(|&byte| byte == b'=');
        let (flag, given) = match at {
            Some(at) => (
                &flag[..at],
                Some(OsStr::from_bytes(&flag[at + 1..]).to_owned()),
            ),
            None => (flag, None),
        };
        let name = String::from_utf8_lossy(flag).into_owned();
        let is_of = |commands: &[Command]| match commands.contains(&self.command) {
            true => Ok(()),
            false => Err(format!("no option -{name} of {}", self.command.name())),
        };
        let mut value = || {
            given
                .clone()
                .or_else(|| rest.next())
                .ok_or_else(|| format!("-{name} needs a value"))
        };
        let switch = || match given.as_ref().map(|value| value.as_bytes()) {
            None | Some(b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True") => Ok(true),
            Some(b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False") => Ok(false),
            Some(_) => Err(format!("-{name} is either there or not")),
        };
        match name.as_str() {
            "i" => {
                let value = value()?.into_vec();
                let folders = value.split(|&byte| byte == b',');
                self.inputs = folders
                    .filter(|folder| !folder.is_empty())
                    .map(|folder| OsStr::from_bytes(folder).into())
                    .collect();
            }
            "o" => {
                is_of(&[
                    Command::Textfmt,
                    Command::Percent,
                    Command::Merge,
                    Command::Subtract,
                    Command::Intersect,
                ])?;
                self.output =
                    Some(value()?.into()).filter(|path: &PathBuf| *path != PathBuf::new());
            }
            "pkg" => self.packages = Some(value()?).filter(|patterns| !patterns.is_empty()),
            "pcombine" => {
                is_of(&[Command::Merge])?;
                self.pcombine = switch()?;
            }
            "live" => {
                is_of(&[Command::Debugdump])?;
                self.live = switch()?;
            }
            "strict" => self.strict = switch()?,
            "by" => {
                is_of(&[Command::Func])?;
                self.rows = match value()?.as_bytes() {
                    b"function" => Rows::Functions,
                    b"name" => Rows::Names,
                    _ => return Err("-by is function or name".to_owned()),
                };
            }
            "mode" => {
                is_of(&[Command::Textfmt])?;
                if value()? != Mode::Set.word() {
                    return Err("-mode is set".to_owned());
                }
                self.to_set = true;
            }
            // These look into covdata itself.
            "h" | "hw" => drop(switch()?),
            "v" | "cpuprofile" | "memprofile" | "memprofilerate" => drop(value()?),
            _ => return Err(format!("no option -{name}")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.inputs.is_empty() {
            return Err("select input directories with '-i' option".to_owned());
        }
        if self.command == Command::Subtract && self.inputs.len() != 2 {
            return Err("supply exactly two input dirs for subtract operation".to_owned());
        }
        if self.command.needs_output() && self.output.is_none() {
            return Err("select the output with '-o' option".to_owned());
        }
        Ok(())
    }
}

fn is_help(word: &OsStr) -> bool {
    ["-help", "--help", "help"].iter().any(|help| word == *help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn as_the_flag_package_has_them() {
        for line in [
            "merge -i=a,b -o=c -pcombine -pkg=x/...",
            "merge --i a,b --o c --pcombine=true -pkg x/... -v 3 -hw",
        ] {
            let options = parse(line).expect(line).expect(line);
            assert_eq!(options.inputs, [PathBuf::from("a"), "b".into()]);
            assert_eq!(options.output, Some("c".into()));
            assert!(options.pcombine && options.is_wanted(b"x/y") && !options.is_wanted(b"y"));
        }
        assert!(parse("help").expect("help").is_none());
        assert!(parse("func -help").expect("help").is_none());
    }

    #[test]
    fn mistakes() {
        for line in [
            "",
            "nothing -i=a",
            "func",
            "textfmt -i=a",
            "subtract -i=a -o=b",
            "func -i=a -o=b",
            "func -i=a -pcombine",
            "merge -i=a -o=b -pcombine=x",
            "func -i=a b",
            "func -i=a -by=x",
            "func -i",
            "func -i=a -unknown",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
