//! What all commands take, and what is made of it before anything is read (LLVM:
//! `CodeCoverageTool::run`).

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use regex::bytes::Regex;

use super::filters::{AllowList, Filters, Name, Of, Percent};
use super::{Console, Stop, paths, patterns, print, say, shown};
use crate::exit::Exit;
use crate::limits::MAX_FOLDER_DEPTH;
use crate::llvm::options::{Parsed, Program, Spec, Takes, parse};
use crate::llvm::os_words;

const COMMON: &[Spec] = &[
    Spec::new("object", Takes::Text),
    Spec::new("dump-collected-objects", Takes::Flag),
    Spec::new("sources", Takes::Words),
    Spec::new("dump-collected-paths", Takes::Flag),
    Spec::new("instr-profile", Takes::Text),
    Spec::new("empty-profile", Takes::Flag),
    Spec::new("arch", Takes::Text),
    Spec::new("dump", Takes::Flag),
    Spec::new("debug-file-directory", Takes::Text),
    Spec::new("debuginfod", Takes::Flag),
    Spec::new("format", Takes::OneOf(&["text", "html", "lcov"])),
    Spec::new("path-equivalence", Takes::Text),
    Spec::new("name", Takes::Text),
    Spec::new("name-allowlist", Takes::Text),
    Spec::new("name-regex", Takes::Text),
    Spec::new("ignore-filename-regex", Takes::Text),
    Spec::new("region-coverage-lt", Takes::Real),
    Spec::new("region-coverage-gt", Takes::Real),
    Spec::new("line-coverage-lt", Takes::Real),
    Spec::new("line-coverage-gt", Takes::Real),
    Spec::new("use-color", Takes::Flag),
    Spec::new("color", Takes::Flag),
    Spec::new("Xdemangler", Takes::Text),
    Spec::new("show-region-summary", Takes::Flag),
    Spec::new("show-branch-summary", Takes::Flag),
    Spec::new("show-mcdc-summary", Takes::Flag),
    Spec::new("show-instantiation-summary", Takes::Flag),
    Spec::new("summary-only", Takes::Flag),
    Spec::new("num-threads", Takes::Number).or("j"),
    Spec::new("compilation-dir", Takes::Text),
    Spec::new("check-binary-ids", Takes::Flag),
    // Options of `show` that LLVM knows in every command.
    Spec::new("output-dir", Takes::Text).or("o"),
    Spec::new("tab-size", Takes::Number),
    Spec::new("project-title", Takes::Text),
    Spec::new("coverage-watermark", Takes::Text),
];

/// The options of a command, those of all commands first.
pub(super) fn specs(own: &[Spec]) -> Vec<Spec> {
    [COMMON, own].concat()
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Text,
    Html,
    Lcov,
}

/// Which columns summaries have (LLVM: `CoverageViewOptions`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) regions: bool,
    pub(super) branches: bool,
    pub(super) mcdc: bool,
    pub(super) instantiations: bool,
}

/// Pairs of where files were compiled and where they are.
pub(super) type Equivalences = Vec<(Vec<u8>, Vec<u8>)>;

/// A command line, decided.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) parsed: Parsed,
    pub(super) console: Console,
    pub(super) objects: Vec<OsString>,
    /// `None` stands for an empty profile.
    pub(super) profile: Option<PathBuf>,
    /// By object, or one for all; empty for whatever they are.
    pub(super) architectures: Vec<String>,
    pub(super) format: Format,
    pub(super) columns: Columns,
    pub(super) filters: Filters,
    /// Source files that are left out.
    pub(super) ignored: Vec<Regex>,
    /// Source files that were asked for, absolute.
    pub(super) sources: Vec<Vec<u8>>,
    pub(super) equivalences: Option<Equivalences>,
    /// The demangler and its arguments.
    pub(super) demangler: Vec<OsString>,
    pub(super) compilation_dir: Vec<u8>,
    /// `-dump`.
    pub(super) dump: bool,
}

impl Settings {
    /// Reads a command line; `own` are the command's options beside those of all commands.
    pub(super) fn read(program: &Program, own: &[Spec], args: Vec<OsString>) -> Result<Self, Stop> {
        let plain = Console::default();
        let parsed = parse(program, &specs(own), args).map_err(|message| {
            say(format_args!("{message}\n"));
            Stop(Exit::Failure)
        })?;
        let profile = parsed.value("instr-profile").map(PathBuf::from);
        if profile.is_some() == parsed.flag("empty-profile") {
            return Err(
                plain.fatal("exactly one of -instr-profile and -empty-profile must be specified")
            );
        }
        if parsed.flag("debuginfod") {
            return Err(plain.fatal("the option --debuginfod is not supported by bincover"));
        }
        let first = parsed.positional.first();
        let objects: Vec<OsString> = first
            .filter(|first| !first.is_empty())
            .into_iter()
            .chain(parsed.values("object"))
            .cloned()
            .collect();
        if objects.is_empty() && parsed.value("debug-file-directory").is_none() {
            say("No filenames specified!\n");
            return Err(Stop(Exit::Failure));
        }
        if parsed.flag("dump-collected-objects") {
            let names = objects.iter().map(|name| format!("{}\n", name.display()));
            print(&names.collect::<String>())?;
            return Err(Stop(Exit::Done));
        }
        let (format, colours) = format_and_colours(&parsed);
        let console = Console { colours };
        let mut settings = Self {
            console,
            objects,
            profile,
            architectures: Vec::new(),
            format,
            columns: Columns {
                regions: parsed.switch("show-region-summary").unwrap_or(true),
                branches: parsed.switch("show-branch-summary").unwrap_or(true),
                mcdc: parsed.flag("show-mcdc-summary"),
                instantiations: parsed.flag("show-instantiation-summary"),
            },
            filters: Filters::default(),
            ignored: Vec::new(),
            sources: Vec::new(),
            equivalences: equivalences(&parsed, console)?,
            demangler: demangler(&parsed, console)?,
            compilation_dir: bytes_of(&parsed, "compilation-dir"),
            dump: parsed.flag("dump"),
            parsed,
        };
        settings.filters = filters(&settings.parsed, console);
        let ignored = settings.parsed.values("ignore-filename-regex");
        settings.ignored = ignored
            .filter_map(|regex| patterns::posix(regex.as_bytes()))
            .collect();
        settings.architectures = architectures(&settings)?;
        let named = settings.parsed.values("sources");
        let given: Vec<OsString> = named
            .chain(settings.parsed.positional.iter().skip(1))
            .cloned()
            .collect();
        for source in &given {
            settings.collect(source);
        }
        if settings.parsed.flag("dump-collected-paths") {
            let mut text = String::new();
            for source in &settings.sources {
                text += &format!("{}\n", shown(source));
            }
            print(&text)?;
            return Err(Stop(Exit::Done));
        }
        Ok(settings)
    }

    /// True for a source file that `-ignore-filename-regex` leaves out.
    pub(super) fn ignores(&self, file: &[u8]) -> bool {
        self.ignored.iter().any(|regex| regex.is_match(file))
    }

    /// Adds a source file, or all files below a folder.
    fn collect(&mut self, source: &OsStr) {
        let path = Path::new(source);
        let Ok(metadata) = std::fs::metadata(path) else {
            // It need not be here: it may be known by the name that it was compiled under.
            match self.equivalences {
                Some(_) => self.add_source(source.as_bytes()),
                None => self.console.warning(format_args!(
                    "{}: Source file doesn't exist, proceeded by ignoring it.",
                    source.display()
                )),
            }
            return;
        };
        if metadata.is_file() {
            self.add_source(source.as_bytes());
        } else if metadata.is_dir() {
            self.collect_below(source.as_bytes(), 0);
        }
    }

    /// In the order in which the folder lists them, as LLVM does.
    fn collect_below(&mut self, folder: &[u8], depth: u32) {
        let Ok(entries) = std::fs::read_dir(OsStr::from_bytes(folder)) else {
            return;
        };
        for entry in entries.flatten() {
            let mut path = folder.to_vec();
            paths::append(&mut path, entry.file_name().as_bytes());
            match std::fs::metadata(OsStr::from_bytes(&path)) {
                Ok(metadata) if metadata.is_file() => self.add_source(&path),
                Ok(metadata) if metadata.is_dir() && depth < MAX_FOLDER_DEPTH => {
                    self.collect_below(&path, depth + 1);
                }
                Ok(_) => {}
                Err(error) => {
                    self.console
                        .warning(format_args!("{}: {}", shown(&path), os_words(&error)));
                }
            }
        }
    }

    fn add_source(&mut self, path: &[u8]) {
        let mut absolute = path.to_vec();
        if !path.starts_with(b"/") {
            match std::env::current_dir() {
                Ok(folder) => {
                    absolute = folder.into_os_string().into_vec();
                    paths::append(&mut absolute, path);
                }
                Err(error) => {
                    self.console
                        .error(format_args!("{}: {}", shown(path), os_words(&error)));
                    return;
                }
            }
        }
        let clean = paths::remove_dots(&absolute);
        if !self.ignores(&clean) {
            self.sources.push(clean);
        }
    }
}

fn bytes_of(parsed: &Parsed, name: &str) -> Vec<u8> {
    let value = parsed.value(name).cloned().unwrap_or_default();
    value.into_vec()
}

fn format_and_colours(parsed: &Parsed) -> (Format, bool) {
    let asked = parsed.switch("use-color");
    match parsed.text("format").as_deref() {
        Some("html") => {
            if asked == Some(false) {
                say("Color output cannot be disabled when generating html.\n");
            }
            (Format::Html, true)
        }
        Some("lcov") => {
            if asked == Some(true) {
                say("Color output cannot be enabled when generating lcov.\n");
            }
            (Format::Lcov, false)
        }
        _ => (Format::Text, asked.unwrap_or_else(stdout_has_colours)),
    }
}

/// A terminal that is not `dumb` (LLVM: `StandardOutHasColors`).
fn stdout_has_colours() -> bool {
    let terminal = std::env::var("TERM").unwrap_or_default();
    let families = [
        "ansi", "cygwin", "linux", "screen", "xterm", "vt100", "rxvt", "color", "tmux",
    ];
    std::io::stdout().is_terminal() && families.iter().any(|family| terminal.contains(family))
}

fn equivalences(parsed: &Parsed, console: Console) -> Result<Option<Equivalences>, Stop> {
    let mut pairs = Vec::new();
    for value in parsed.values("path-equivalence") {
        let bytes = value.as_bytes();
        let comma = bytes.iter().position(|&byte| byte == b',');
        let pair = comma.map(|comma| (&bytes[..comma], &bytes[comma + 1..]));
        match pair.filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
            Some((from, to)) => pairs.push((from.to_vec(), to.to_vec())),
            None => {
                return Err(console.fatal(format_args!(
                    "-path-equivalence: invalid argument '{}', must be in format 'from,to'",
                    value.display()
                )));
            }
        }
    }
    Ok(Some(pairs).filter(|pairs| !pairs.is_empty()))
}

/// The demangler's path is looked up where the shell would.
fn demangler(parsed: &Parsed, console: Console) -> Result<Vec<OsString>, Stop> {
    let mut words: Vec<OsString> = parsed.values("Xdemangler").cloned().collect();
    if let Some(program) = words.first_mut()
        && !program.as_bytes().contains(&b'/')
    {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(&*program))
            .find(|path| is_executable(path));
        let Some(found) = found else {
            return Err(console.fatal("No such file or directory: could not find the demangler!"));
        };
        *program = found.into_os_string();
    }
    Ok(words)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn filters(parsed: &Parsed, console: Console) -> Filters {
    let mut filters = Filters::default();
    let mut names: Vec<Name> = Vec::new();
    names.extend(
        parsed
            .values("name")
            .map(|name| Name::Contains(name.clone().into_vec())),
    );
    let lists: Vec<&OsString> = parsed.values("name-allowlist").collect();
    if !lists.is_empty() {
        match allow_list(&lists) {
            Ok(list) => names.push(Name::Listed(list)),
            Err(message) => console.error(message),
        }
    }
    names.extend(
        parsed
            .values("name-regex")
            .map(|regex| Name::Matches(patterns::posix(regex.as_bytes()))),
    );
    filters.names = Some(names).filter(|names| !names.is_empty());
    for (name, of, is_above) in [
        ("region-coverage-lt", Of::Regions, false),
        ("region-coverage-gt", Of::Regions, true),
        ("line-coverage-lt", Of::Lines, false),
        ("line-coverage-gt", Of::Lines, true),
    ] {
        filters
            .percents
            .extend(parsed.real(name).map(|threshold| Percent {
                of,
                is_above,
                threshold,
            }));
    }
    filters
}

fn allow_list(paths: &[&OsString]) -> Result<AllowList, String> {
    let mut list = AllowList::default();
    for path in paths {
        let shown = path.display();
        let text = std::fs::read(path)
            .map_err(|error| format!("can't open file '{shown}': {}", os_words(&error)))?;
        list.read(&text)
            .map_err(|problem| format!("error parsing file '{shown}': {problem}"))?;
    }
    Ok(list)
}

fn architectures(settings: &Settings) -> Result<Vec<String>, Stop> {
    let given = settings.parsed.values("arch");
    let names: Vec<String> = given
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    for name in &names {
        if !bincover::mapping::is_architecture(name) {
            let message = format_args!("unknown architecture: {name}");
            return Err(settings.console.fatal(message));
        }
    }
    if names.len() > 1 && names.len() != settings.objects.len() {
        return Err(settings
            .console
            .fatal("number of architectures doesn't match the number of objects"));
    }
    Ok(names)
}
