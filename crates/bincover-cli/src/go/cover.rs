//! `bincover go cover`: what `go tool cover` makes of a profile: `-func` and `-html`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bincover::gocover::cover::{self, CoveredFile};
use bincover::{Error, GoInputs, GoModules, check_folder, write_atomically};
use bstr::{BStr, ByteSlice};

use crate::exit::Exit;
use crate::go::{convert, done};
use crate::ui;

const NAME: &str = "bincover go cover";

const HELP: &str = "\
bincover go cover: what `go tool cover` makes of coverage and the sources

  bincover go cover -func=PROFILE [-o=FILE]   statements covered, by function declared
  bincover go cover -html=PROFILE -o=FILE     one page with all sources

PROFILE is a text profile, or a folder that programs wrote into (GOCOVERDIR). Sources are looked for
in the module of the working folder, the modules that it names, and the standard library.
`bincover report --html` has pages with more in them.
";

/// What is made of the files of a profile.
type Make = fn(&[CoveredFile<'_>]) -> Vec<u8>;

struct Options {
    profile: PathBuf,
    output: Option<PathBuf>,
    make: Make,
}

/// Runs the command; `words` are what was typed after it.
pub(super) fn run(words: impl Iterator<Item = OsString>) -> Exit {
    let options = match parse(words) {
        Ok(Some(options)) => options,
        Ok(None) => {
            // If nobody listens any more, there is nobody to tell.
            let _ = ui::print(HELP.as_bytes());
            return Exit::Done;
        }
        Err(message) => {
            ui::say(format_args!("{NAME}: error: {message}"));
            ui::say("  hint: bincover go cover -help");
            return Exit::Usage;
        }
    };
    let result = write(&options);
    result.unwrap_or_else(|error| {
        ui::error(NAME, &error);
        Exit::of(&error)
    })
}

fn parse(words: impl Iterator<Item = OsString>) -> Result<Option<Options>, String> {
    let (mut functions, mut page, mut output) = (None, None, None);
    let mut words = words;
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        let flag = bytes
            .strip_prefix(b"--")
            .or_else(|| bytes.strip_prefix(b"-"));
        let Some(flag) = flag else {
            return Err(format!("unknown extra argument: `{}`", word.display()));
        };
        let (flag, given) = match flag.split_once_str(b"=") {
            Some((flag, value)) => (flag, Some(OsStr::from_bytes(value).to_owned())),
            None => (flag, None),
        };
        let slot = match flag {
            b"help" | b"h" => return Ok(None),
            b"func" => &mut functions,
            b"html" => &mut page,
            b"o" => &mut output,
            b"mode" | b"var" | b"pkgcfg" | b"outfilelist" => {
                return Err("instrumenting is the compiler's: `go build -cover`".to_owned());
            }
            _ => return Err(format!("no option `{}`", word.display())),
        };
        let name = OsString::from_vec(flag.to_vec());
        let value = given.or_else(|| words.next());
        *slot = Some(
            value
                .ok_or_else(|| format!("-{} needs a value", name.display()))?
                .into(),
        );
    }
    let (profile, make): (PathBuf, Make) = match (functions, page) {
        (Some(_), Some(_)) => return Err("either -func or -html".to_owned()),
        (Some(profile), None) => (profile, cover::functions),
        (None, Some(profile)) if output.is_some() => (profile, cover::page),
        (None, Some(_)) => return Err("select the page's file with -o".to_owned()),
        (None, None) => return Err("expected -func or -html, found neither".to_owned()),
    };
    Ok(Some(Options {
        profile,
        output,
        make,
    }))
}

fn write(options: &Options) -> Result<Exit, Error> {
    if let Some(path) = &options.output {
        check_folder(path)?;
    }
    let mut inputs = GoInputs::default();
    if !inputs.add(&options.profile)? {
        let reason = format!("`{}` is no coverage of Go", options.profile.display());
        return Err(Error::NothingToMerge { reason });
    }
    let mut merged = convert::read(NAME, &inputs);
    let profile = convert::profile(NAME, &mut merged)?;
    let modules = GoModules::of_environment().with_folder(Path::new("."));
    let mut lost = Vec::new();
    let files = cover::files(&profile, |file, module| {
        let located = modules.locate(BStr::new(file), BStr::new(module));
        if located.source.is_none() {
            lost.push(file.as_bstr().to_owned());
        }
        located.source
    });
    for file in &lost {
        ui::say(format_args!(
            "{NAME}: left out: {file}: its source was not found"
        ));
    }
    if files.is_empty() {
        let reason = "the sources of none of its files were found".to_owned();
        return Err(Error::NothingToMerge { reason });
    }
    let bytes = (options.make)(&files);
    match &options.output {
        Some(path) => write_atomically(path, |out| out.write_all(&bytes))?,
        None => ui::print(&bytes)?,
    }
    Ok(match lost.is_empty() {
        true => done(&merged.ledger),
        false => Exit::LeftOut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn words() {
        let options = parsed("-html c.out --o=page.html").unwrap().unwrap();
        assert_eq!(options.profile, PathBuf::from("c.out"));
        assert_eq!(options.output, Some("page.html".into()));
        assert!(parsed("-help").unwrap().is_none());
        for line in [
            "",
            "c.out",
            "-func",
            "-html=a",
            "-func=a -html=b -o=c",
            "-mode=set x.go",
            "-x=1",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
