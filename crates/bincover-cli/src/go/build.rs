//! `bincover build --test-main`: builds a test binary that is the program itself.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bincover::run::Command;
use bincover::{Error, Stdin};
use bstr::ByteSlice;

use super::init::{TAG, TEST};
use crate::exit::Exit;
use crate::ui;

const NAME: &str = "bincover";

/// Runs `go test -c` with what counts.
pub(crate) fn test_main(words: &[OsString]) -> Result<Exit, Error> {
    let Some(typed) = Typed::parse(words) else {
        ui::say(format_args!(
            "{NAME}: error: expected `go test -c …` after --test-main --"
        ));
        return Ok(Exit::Usage);
    };
    let variables = ask(&typed, &["env", "GOFLAGS"])?;
    let packages = match typed.value("coverpkg", &variables) {
        Some(_) => None,
        None => Some(patterns(&ask(&typed, &["list", "-m"])?)),
    };
    let args = typed.with_ours(&variables, packages.as_deref());
    let command = Command::new(&words[0]).args(args).inherit();
    let began = SystemTime::now();
    let output = command.stdin(Stdin::Inherit).run()?;
    if !output.status.success() {
        let code = u8::try_from(output.status.exit_code()).unwrap_or(u8::MAX);
        return Ok(Exit::Program(code));
    }
    let made = typed.made(began);
    let runs_main = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        // The Go package bincover leaves the test's name to its users.
        bytes.contains_str(TEST) || bytes.contains_str("START_BINCOVER_METADATA")
    };
    if made.iter().any(runs_main) {
        return Ok(Exit::Done);
    }
    let what = match made.first() {
        Some(path) => format!("in `{}`", path.display()),
        None => "and a binary with it".to_owned(),
    };
    Err(Error::NothingToMeasure {
        reason: format!(
            "expected a test `{TEST}` {what}, found none; `bincover go init DIR` writes it into the \
             folder of a package main"
        ),
    })
}

/// What Go says; nothing if it fails, as outside modules.
fn ask(typed: &Typed<'_>, question: &[&str]) -> Result<String, Error> {
    let command = Command::new(&typed.words[0]).args(&question[..1]);
    let command = command.args(typed.folder.iter().flat_map(|folder| {
        let option = OsString::from("-C");
        [option, (*folder).to_owned()]
    }));
    let output = command.args(&question[1..]).run()?;
    let answer = match output.status.success() {
        true => output.stdout,
        false => Vec::new(),
    };
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// All packages of the main modules, which may be several in a workspace.
fn patterns(modules: &str) -> String {
    let named = modules.lines().map(str::trim);
    let patterns: Vec<String> = named
        .filter(|module| !module.is_empty() && *module != "command-line-arguments")
        .map(|module| format!("{module}/..."))
        .collect();
    match patterns.is_empty() {
        true => "./...".to_owned(),
        false => patterns.join(","),
    }
}

/// A `go test -c`.
struct Typed<'w> {
    words: &'w [OsString],
    /// Where it is to be done, by `-C`, which has to be the first option.
    folder: Option<&'w OsString>,
    /// Where the others begin.
    options: usize,
}

impl<'w> Typed<'w> {
    /// `None` if it is something else.
    fn parse(words: &'w [OsString]) -> Option<Self> {
        let is_test = words.get(1).is_some_and(|word| word == "test");
        let is_built = |word: &OsString| ["-c", "--c", "-c=true"].iter().any(|c| word == c);
        if !is_test || !words.iter().any(is_built) {
            return None;
        }
        let is_folder = words.get(2).is_some_and(|word| word == "-C");
        let folder = if is_folder { words.get(3) } else { None };
        let options = if folder.is_some() { 4 } else { 2 };
        Some(Self {
            words,
            folder,
            options,
        })
    }

    /// The last value of an option, and where it is: it may be given as one word or as two. Else that
    /// of `GOFLAGS`, which a command line replaces.
    fn value(&self, name: &str, variables: &str) -> Option<(Option<usize>, OsString)> {
        let own = (self.options..self.words.len()).rev().find_map(|at| {
            let given = option(self.words[at].as_bytes(), name)?;
            let value = match given {
                Some(value) => OsStr::from_bytes(value).to_owned(),
                None => self.words.get(at + 1)?.clone(),
            };
            Some((Some(at), value))
        });
        let of_variable = || {
            let mut words = variables.split_whitespace().rev();
            let word =
                words.find_map(|word| option(word.trim_matches(['\'', '"']).as_bytes(), name));
            let value = word.flatten()?;
            Some((None, OsStr::from_bytes(value).to_owned()))
        };
        own.or_else(of_variable)
    }

    /// What follows the `go`: as it was typed, with the tag, and the packages if they were not said.
    fn with_ours(&self, variables: &str, packages: Option<&str>) -> Vec<OsString> {
        let mut args = self.words[1..].to_vec();
        let mut ours = Vec::new();
        match self.value("tags", variables) {
            Some((at, tags)) => {
                let mut tags = tags.into_vec();
                // Before Go 1.13 they were separated by blanks, which still works.
                tags.push(if tags.contains(&b' ') { b' ' } else { b',' });
                tags.extend(TAG.as_bytes());
                let mut all = b"-tags=".to_vec();
                all.extend(tags.strip_prefix(b",").unwrap_or(&tags));
                let all = OsString::from_vec(all);
                match at {
                    Some(at) => {
                        if option(self.words[at].as_bytes(), "tags") == Some(None) {
                            args.remove(at);
                        }
                        args[at - 1] = all;
                    }
                    None => ours.push(all),
                }
            }
            None => ours.push(format!("-tags={TAG}").into()),
        }
        if let Some(packages) = packages {
            ours.push(format!("-coverpkg={packages}").into());
        }
        args.splice(self.options - 1..self.options - 1, ours);
        args
    }

    /// What it has made: the file after `-o`, or test binaries that are new.
    fn made(&self, began: SystemTime) -> Vec<PathBuf> {
        let here = self.folder.map_or(Path::new("."), Path::new);
        let output = self.value("o", "").map(|(_, output)| here.join(output));
        let folder = match output {
            Some(file) if file.is_file() => return vec![file],
            Some(folder) => folder,
            None => here.to_owned(),
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_new = |path: &PathBuf| {
            let time = path.metadata().and_then(|metadata| metadata.modified());
            path.extension().is_some_and(|e| e == "test") && time.is_ok_and(|time| time >= began)
        };
        entries.map(|entry| entry.path()).filter(is_new).collect()
    }
}

/// A word is an option of this name; with a value, if that is in the same word.
fn option<'w>(word: &'w [u8], name: &str) -> Option<Option<&'w [u8]>> {
    let word = word.strip_prefix(b"-")?;
    let word = word.strip_prefix(b"-").unwrap_or(word);
    match word.strip_prefix(name.as_bytes())? {
        b"" => Some(None),
        rest => rest.strip_prefix(b"=").map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, variables: &str, expected: &str) {
        let words: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
        let typed = Typed::parse(&words).unwrap();
        let packages = typed.value("coverpkg", variables).is_none();
        let args = typed.with_ours(variables, packages.then_some("m/..."));
        let expected: Vec<OsString> = expected.split(' ').map(OsString::from).collect();
        assert_eq!(args, expected);
    }

    #[test]
    fn what_is_added() {
        let ours = "-tags=bincover -coverpkg=m/...";
        check("go test -c ./a", "", &format!("test {ours} -c ./a"));
        check("go test -C d -c .", "", &format!("test -C d {ours} -c ."));
        let cover = "-coverpkg=m/...";
        let tagged = format!("test {cover} -c -tags=a,b,bincover .");
        check("go test -c -tags a,b .", "", &tagged);
        check("go test -c --tags=a,b .", "-tags=c", &tagged);
        let inherited = format!("test -tags=c,bincover {cover} -c .");
        check("go test -c .", "-mod=mod -tags=c", &inherited);
        let theirs = "test -tags=bincover -c -coverpkg ./b .";
        check("go test -c -coverpkg ./b .", "", theirs);
    }

    #[test]
    fn what_is_no_build_of_a_test() {
        for line in ["go", "go build -c", "go test ./a", "make"] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert!(Typed::parse(&words).is_none(), "{line}");
        }
    }

    #[test]
    fn packages_of_modules() {
        assert_eq!(patterns("a\nb/c\n"), "a/...,b/c/...");
        for none in ["", "command-line-arguments\n"] {
            assert_eq!(patterns(none), "./...");
        }
    }
}
