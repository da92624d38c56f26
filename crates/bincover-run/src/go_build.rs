//! How a program of Go is built so that it counts: the go command as it was typed, with `-cover` and what
//! belongs to it.
//!
//! Decisions:
//!
//! - What is typed stays as it is, `-tags`, `-ldflags` and the rest; ours go before it, and Go takes the
//!   last of two.
//! - The mode is `count`, so that reports can say how often, or `atomic` with `-race`, which needs it.
//!   Go's own default is `set`.
//! - Without `-coverpkg` Go instruments the main module and what is named. With it, it instruments
//!   nothing else, and a program whose own package is not among that writes no coverage, without a word:
//!   so the main packages that are built are added.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};

/// A go command that makes programs.
#[derive(Clone, Debug)]
#[must_use = "nothing is built before its command is run"]
pub struct GoBuild {
    go: OsString,
    verb: Verb,
    /// The value of `-C`.
    folder: Option<OsString>,
    flags: Vec<Flag>,
    packages: Vec<OsString>,
    mode: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Build,
    Install,
    /// `go test -c`; its packages are among the flags, where Go takes them, too.
    TestBinary,
}

/// As it was typed.
#[derive(Clone, Debug)]
struct Flag {
    /// Without dashes; empty if it is none.
    name: String,
    value: Option<OsString>,
    words: Vec<OsString>,
}

/// A build that is ready.
#[derive(Debug)]
pub struct PreparedGoBuild {
    /// To be run.
    pub command: Command,
    /// What is to be known of this version of Go.
    pub warning: Option<String>,
    /// Where the programs will be.
    pub made: GoMade,
}

/// Where a go command puts programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoMade {
    /// Into this file.
    File(PathBuf),
    /// Into this folder, among others.
    Folder(PathBuf),
}

/// The flags of `go build` and `go test` whose value may be the next word.
const WITH_VALUE: &[&str] = &[
    "C",
    "p",
    "o",
    "asmflags",
    "bench",
    "benchtime",
    "blockprofile",
    "blockprofilerate",
    "buildmode",
    "compiler",
    "count",
    "covermode",
    "coverpkg",
    "coverprofile",
    "cpu",
    "cpuprofile",
    "exec",
    "fuzz",
    "fuzzminimizetime",
    "fuzztime",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "list",
    "memprofile",
    "memprofilerate",
    "mod",
    "modfile",
    "mutexprofile",
    "mutexprofilefraction",
    "outputdir",
    "overlay",
    "parallel",
    "pgo",
    "pkgdir",
    "run",
    "shuffle",
    "skip",
    "tags",
    "timeout",
    "toolexec",
    "trace",
    "vet",
];

/// The import paths of main packages, for `go list`.
const MAIN_PACKAGES: &str = "{{if eq .Name \"main\"}}{{.ImportPath}}{{end}}";

impl GoBuild {
    /// Reads a command line, program first; `None` if its program is not go.
    ///
    /// # Errors
    ///
    /// It is a go command that makes no program to be run later, such as `go run`.
    pub fn of(argv: &[OsString]) -> Option<Result<Self>> {
        let (go, rest) = argv.split_first()?;
        is_go(go).then(|| Self::parse(go, rest))
    }

    fn parse(go: &OsStr, rest: &[OsString]) -> Result<Self> {
        let verb = rest.first().and_then(|verb| verb.to_str()).unwrap_or("");
        let words = rest.get(1..).unwrap_or_default();
        let (flags, packages) = match verb {
            "test" => flags(words, true),
            _ => flags(words, false),
        };
        let has = |name: &str| flags.iter().any(|flag| flag.name == name);
        let verb = match verb {
            "build" => Verb::Build,
            "install" => Verb::Install,
            "test" if has("c") => Verb::TestBinary,
            other => {
                let action = format!("build with `go {other}`");
                let reason = "expected `go build`, `go install` or `go test -c`";
                let hint = match other {
                    "run" | "test" => Some(format!(
                        "what runs at once is not built for later: `bincover run -- go {other} -cover …`"
                    )),
                    _ => None,
                };
                return Err(Error::new(ErrorKind::Toolchain, action, reason).hinting(hint));
            }
        };
        let folder = flags.iter().find(|flag| flag.name == "C");
        Ok(Self {
            go: go.to_owned(),
            verb,
            folder: folder.and_then(|flag| flag.value.clone()),
            flags: flags.into_iter().filter(|flag| flag.name != "C").collect(),
            packages,
            mode: None,
        })
    }

    /// What counters mean: `set`, `count` or `atomic`. The command line's own `-covermode` wins.
    pub fn mode(mut self, mode: impl Into<String>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// Asks the toolchain what it has to know, and makes the command.
    ///
    /// # Errors
    ///
    /// Go is missing, is older than 1.20, or cannot list the packages.
    pub fn prepare(&self) -> Result<PreparedGoBuild> {
        let told = self.ask(["env", "GOVERSION", "GOFLAGS"].map(OsString::from))?;
        let mut told = told.lines();
        let version = told.next().unwrap_or_default().to_owned();
        let usual = told.next().unwrap_or_default().to_owned();
        if release(&version).is_some_and(|release| release < (1, 20)) {
            let reason = format!("expected Go 1.20 or later, found {version}");
            return Err(Error::new(ErrorKind::Toolchain, self.action(), reason));
        }
        let coverpkg = self
            .last("coverpkg", &usual)
            .filter(|list| !list.is_empty());
        let coverpkg = match (coverpkg, self.verb) {
            (Some(list), Verb::Build | Verb::Install) => Some(self.with_main(&list)?),
            _ => None,
        };
        let is_set = |name| self.last(name, &usual).is_some();
        let mode = match (&self.mode, is_set("covermode")) {
            (_, true) => None,
            (Some(mode), false) => Some(mode.as_str()),
            (None, false) if is_set("race") => Some("atomic"),
            (None, false) => Some("count"),
        };

        let mut command = Command::new(&self.go).arg(self.verb.word());
        if let Some(folder) = &self.folder {
            command = command.arg("-C").arg(folder);
        }
        command = command.arg("-cover");
        if let Some(mode) = mode {
            command = command.arg(format!("-covermode={mode}"));
        }
        for flag in &self.flags {
            if flag.name != "coverpkg" || coverpkg.is_none() {
                command = command.args(&flag.words);
            }
        }
        if let Some(list) = coverpkg {
            let mut flag = OsString::from("-coverpkg=");
            flag.push(list);
            command = command.arg(flag);
        }
        Ok(PreparedGoBuild {
            // Ctrl-C is for go too.
            command: command.args(&self.packages).own_group(false),
            warning: warning(&version),
            made: self.made()?,
        })
    }

    fn action(&self) -> String {
        let go = Path::new(&self.go).display();
        format!("build with `{go} {}`", self.verb.word())
    }

    /// Runs go in the folder of the build; gives back what it printed.
    fn ask(&self, args: impl IntoIterator<Item = OsString>) -> Result<String> {
        let mut command = Command::new(&self.go).args(args).own_group(false);
        if let Some(folder) = &self.folder {
            command = command.current_dir(folder);
        }
        let output = command.run()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = format!("go ended with {}: {}", output.status, said.trim_end());
            return Err(Error::new(ErrorKind::Toolchain, self.action(), reason));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The value of a flag, empty if it has none: as it was typed, or else in GOFLAGS.
    fn last(&self, name: &str, usual: &str) -> Option<OsString> {
        let typed = self.flags.iter().rev().find(|flag| flag.name == name);
        if let Some(flag) = typed {
            return Some(flag.value.clone().unwrap_or_default());
        }
        let words = usual.split_whitespace().map(OsString::from);
        let (usual, _) = flags(&words.collect::<Vec<_>>(), true);
        let flag = usual.into_iter().rev().find(|flag| flag.name == name)?;
        Some(flag.value.unwrap_or_default())
    }

    /// A list of packages, and the main packages that are built.
    fn with_main(&self, list: &OsStr) -> Result<OsString> {
        let mut all = list.to_owned();
        let mut add = |package: &str| {
            all.push(",");
            all.push(package);
        };
        let of_version = |package: &OsString| Some(package.to_str()?.split_once('@')?.0.to_owned());
        let of_version: Vec<String> = self.packages.iter().filter_map(of_version).collect();
        if of_version.is_empty() {
            for package in self
                .list(MAIN_PACKAGES)?
                .lines()
                .filter(|line| !line.is_empty())
            {
                add(package);
            }
        }
        for package in of_version {
            add(&package);
        }
        Ok(all)
    }

    /// What `go list` says of the packages.
    fn list(&self, format: &str) -> Result<String> {
        let is_for_list =
            |flag: &&Flag| !matches!(&*flag.name, "o" | "cover" | "covermode" | "coverpkg");
        let mut args: Vec<OsString> = ["list", "-find", "-f", format].map(OsString::from).into();
        for flag in self.flags.iter().filter(is_for_list) {
            args.extend_from_slice(&flag.words);
        }
        args.extend_from_slice(&self.packages);
        self.ask(args)
    }

    fn made(&self) -> Result<GoMade> {
        let here = self
            .folder
            .as_deref()
            .map_or_else(PathBuf::new, PathBuf::from);
        let output = self.flags.iter().rev().find(|flag| flag.name == "o");
        if let Some(path) = output.and_then(|flag| flag.value.as_deref()) {
            let is_folder = path.as_encoded_bytes().ends_with(b"/");
            let path = here.join(path);
            return Ok(match is_folder || path.is_dir() {
                true => GoMade::Folder(path),
                false => GoMade::File(path),
            });
        }
        if self.verb == Verb::Install {
            let bin = self.ask(["env", "GOBIN", "GOPATH"].map(OsString::from))?;
            let mut lines = bin.lines();
            let bin = lines
                .next()
                .filter(|bin| !bin.is_empty())
                .map(PathBuf::from);
            // Of several, the first is installed into.
            let path = lines
                .next()
                .and_then(|all| std::env::split_paths(all).next());
            let bin = bin.or_else(|| Some(path?.join("bin")));
            return Ok(GoMade::Folder(bin.unwrap_or(here)));
        }
        Ok(GoMade::Folder(match here.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => here,
        }))
    }
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Install => "install",
            Self::TestBinary => "test",
        }
    }
}

/// `go`, or one of several, such as `go1.27.3`, by any path.
fn is_go(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str);
    name.and_then(|name| name.strip_prefix("go"))
        .is_some_and(|version| {
            version.is_empty() || version.starts_with(|c: char| c.is_ascii_digit())
        })
}

/// The flags, and what follows them; with `is_mixed`, words that are no flags are among them.
fn flags(words: &[OsString], is_mixed: bool) -> (Vec<Flag>, Vec<OsString>) {
    let mut flags = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let bytes = word.as_encoded_bytes();
        let flag = bytes.strip_prefix(b"-").filter(|rest| !rest.is_empty());
        if flag.is_none() && !is_mixed {
            break;
        }
        let flag = flag.map(|rest| rest.strip_prefix(b"-").unwrap_or(rest));
        let mut parts = flag.unwrap_or_default().splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let mut value = parts.next().map(lossy);
        let mut taken = vec![word.clone()];
        if value.is_none()
            && WITH_VALUE.contains(&&*name)
            && let Some(next) = words.get(at + 1)
        {
            value = Some(next.clone());
            taken.push(next.clone());
        }
        at += taken.len();
        flags.push(Flag {
            name,
            value,
            words: taken,
        });
    }
    (flags, words.get(at..).unwrap_or_default().to_vec())
}

/// The value after an `=`, whose bytes came from a word of the command line.
fn lossy(bytes: &[u8]) -> OsString {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        OsStr::from_bytes(bytes).to_owned()
    }
    #[cfg(not(unix))]
    {
        String::from_utf8_lossy(bytes).into_owned().into()
    }
}

/// The first two numbers of a version such as `go1.27.3`.
fn release(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.strip_prefix("go")?.split_once('.')?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..end].parse().ok()?))
}

/// Two releases count statements wrongly, <https://go.dev/issue/80974>, which cannot be mended later.
fn warning(version: &str) -> Option<String> {
    let is_one = release(version) == Some((1, 27)) && {
        let rest = version.strip_prefix("go1.27").unwrap_or_default();
        let patch = rest.strip_prefix('.').and_then(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse::<u32>().ok()
        });
        patch.is_none_or(|patch| patch < 2)
    };
    is_one.then(|| {
        format!(
            "{version} counts statements too often where blank lines or comments are between them \
             (golang/go#80974), so that percentages of statements are too high; 1.27.2 does not"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Option<Result<GoBuild>> {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        GoBuild::of(&words)
    }

    #[test]
    fn what_is_a_go_build() {
        for line in [
            &["go", "build"][..],
            &["/usr/lib/go/bin/go", "install", "./..."],
            &["go1.26.6", "test", "./a", "-c"],
        ] {
            assert!(matches!(parsed(line), Some(Ok(_))), "{line:?}");
        }
        for line in [&["make"][..], &["gofmt"], &["goreleaser", "build"], &[]] {
            assert!(parsed(line).is_none(), "{line:?}");
        }
        for (line, hint) in [
            (&["go", "run", "."][..], true),
            (&["go", "test", "./..."], true),
            (&["go", "vet"], false),
            (&["go"], false),
        ] {
            let error = parsed(line).unwrap().unwrap_err();
            assert_eq!(error.hint().is_some(), hint, "{line:?}");
        }
    }

    #[test]
    fn flags_and_packages_are_told_apart() {
        let line = "go build -C sub -o out -tags=a,b --race -ldflags -s ./cmd/a -x";
        let words: Vec<&str> = line.split(' ').collect();
        let build = parsed(&words).unwrap().unwrap();
        assert_eq!(build.folder.as_deref(), Some(OsStr::new("sub")));
        let names: Vec<&str> = build.flags.iter().map(|flag| &*flag.name).collect();
        assert_eq!(names, ["o", "tags", "race", "ldflags"]);
        assert_eq!(build.packages, ["./cmd/a", "-x"]);
        assert_eq!(build.last("tags", ""), Some("a,b".into()));
        assert_eq!(build.last("mod", "-trimpath -mod=mod"), Some("mod".into()));
        assert_eq!(build.last("race", ""), Some("".into()));
        assert_eq!(build.last("v", ""), None);
        assert_eq!(build.made().unwrap(), GoMade::File("sub/out".into()));
    }

    #[test]
    fn versions() {
        assert_eq!(release("go1.27.3"), Some((1, 27)));
        assert_eq!(release("go1.9rc1"), Some((1, 9)));
        assert_eq!(release("devel"), None);
        for version in [
            "go1.27",
            "go1.27rc2",
            "go1.27.0",
            "go1.27.1",
            "go1.27.1-custom",
        ] {
            assert!(warning(version).is_some(), "{version}");
        }
        for version in [
            "go1.27.2",
            "go1.27.10",
            "go1.26.1",
            "go1.28",
            "devel go1.27",
        ] {
            assert!(warning(version).is_none(), "{version}");
        }
    }
}
