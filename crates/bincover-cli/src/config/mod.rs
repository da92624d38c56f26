//! `bincover.toml`: options for all commands in a file. The command line wins.
//!
//! A key is a long option, and a table is a command. What the file says is put into the command line,
//! before what was typed there, so that nobody else needs to know of it.

mod file;
mod keys;
mod schema;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bincover::report::printable;
use clap::{ArgMatches, Command, CommandFactory};

use crate::args::Args;
use crate::cargo;
use keys::{Section, sections};

pub(crate) use file::Config;
pub(crate) use schema::schema;

/// The file's name.
pub(crate) const NAME: &str = "bincover.toml";

/// Options that an environment variable says, too: it is nearer than the file.
const VARIABLES: &[(&str, &str)] = &[("store", bincover::STORE_VARIABLE)];

/// What is wrong with the file: a whole message.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

/// The nearest file of the name, from this folder up to that of the repository. Outside of a
/// repository only this folder is looked at.
pub(crate) fn find(here: &Path) -> Option<PathBuf> {
    let root = here.ancestors().find(|folder| folder.join(".git").exists());
    let root = root.unwrap_or(here);
    let inside = here
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    inside
        .map(|folder| folder.join(NAME))
        .find(|path| path.is_file())
}

/// The file for the working folder, and that folder. Where it was deleted or cannot be told there is none.
pub(crate) fn found() -> Option<(PathBuf, PathBuf)> {
    let here = std::env::current_dir().ok()?;
    Some((find(&here)?, here))
}

/// Which file is read.
pub(crate) enum Choice<'a> {
    /// That of the working folder or one above.
    Found,
    Given(&'a Path),
    None,
}

impl<'a> Choice<'a> {
    pub(crate) fn of(path: Option<&'a Path>, is_none: bool) -> Self {
        match path {
            Some(path) => Self::Given(path),
            None if is_none => Self::None,
            None => Self::Found,
        }
    }

    /// There is no file, which takes no more than a look into some folders to know. Most runs end
    /// here, and should not pay for the rest.
    fn is_nothing(&self) -> bool {
        match self {
            Self::Found => found().is_none(),
            Self::Given(_) => false,
            Self::None => true,
        }
    }

    /// The file, read and checked.
    pub(crate) fn load(&self, sections: &[Section]) -> Result<Option<Config>, Wrong> {
        let (path, here) = match self {
            Self::Found => match found() {
                Some(found) => found,
                None => return Ok(None),
            },
            Self::Given(path) => {
                // Without a working folder nothing is relative to it, and an absolute path is all there is to know.
                let here = std::env::current_dir().unwrap_or_default();
                (here.join(path), here)
            }
            Self::None => return Ok(None),
        };
        Config::read(&path, &here, sections).map(Some)
    }
}

/// The command line with what the file says put into it.
pub(crate) fn with_options(args: Vec<OsString>) -> Result<Vec<OsString>, Wrong> {
    let first = first_word(&args);
    if first == 1 && Choice::Found.is_nothing() {
        return Ok(args);
    }
    let command = Args::command().ignore_errors(true);
    // Help and mistakes are for who parses it then.
    let Ok(matches) = command.try_get_matches_from(&args) else {
        return Ok(args);
    };
    let mut words = Vec::new();
    let mut innermost = &matches;
    while let Some((word, below)) = innermost.subcommand() {
        words.push(word);
        innermost = below;
    }
    let sections = sections();
    let name = words.join("-");
    let Some(section) = sections.iter().find(|section| section.name == name) else {
        return Ok(args);
    };
    let path = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
    let choice = Choice::of(path, matches.get_flag("no_config"));
    let Some(config) = choice.load(&sections)? else {
        return Ok(args);
    };
    let given = |section: &Section, id: &str| is_given(&section.command, innermost, id);
    let at = first + words.len();
    let mut with = args;
    with.splice(at..at, config.words(section, &given));
    Ok(with)
}

/// The same for `cargo bincover`, whose command line is partly cargo's.
pub(crate) fn with_cargo_options(args: Vec<OsString>) -> Result<Vec<OsString>, Wrong> {
    let is_help =
        |arg: &OsString| matches!(arg.to_str(), Some("-h" | "--help" | "-V" | "--version"));
    // Behind `--` stands what is the program's.
    let ours = || args.iter().take_while(|arg| *arg != "--");
    if ours().any(is_help) || Choice::Found.is_nothing() {
        return Ok(args);
    }
    let sections = sections();
    let config = Choice::Found.load(&sections)?;
    let section = sections.iter().find(|section| section.name == "cargo");
    let (Some(config), Some(section)) = (config, section) else {
        return Ok(args);
    };
    let typed = |section: &Section, id: &str| {
        let mut keys = section.keys().filter(|key| key.arg.get_id() == id);
        keys.any(|key| ours().any(|arg| is_option(arg, key.name)))
    };
    let mut words = match cargo::args::options_of_question(&args) {
        None => config.words(section, &typed),
        // A question has some of cargo's options, and others of the command that it is named after.
        Some((common, own, action)) => {
            let is_of = |command: &Command, id: &str| {
                let mut known = command.get_arguments();
                known.any(|arg| arg.get_id() == id)
            };
            let lacks_common =
                |section: &Section, id: &str| typed(section, id) || !is_of(&common, id);
            let mut words = config.words(section, &lacks_common);
            let lacks_own = |section: &Section, id: &str| typed(section, id) || !is_of(&own, id);
            let named = sections
                .iter()
                .find(|section| section.name == action.name());
            words.extend(
                named
                    .into_iter()
                    .flat_map(|section| config.words(section, &lacks_own)),
            );
            words
        }
    };
    words.extend(args);
    Ok(words)
}

fn is_option(arg: &OsStr, name: &str) -> bool {
    let option = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
    option.is_some_and(|option| option.split('=').next() == Some(name))
}

/// Whether an option was typed.
fn is_given(command: &Command, matches: &ArgMatches, id: &str) -> bool {
    let is_known = command.get_arguments().any(|arg| arg.get_id() == id);
    let typed = Some(clap::parser::ValueSource::CommandLine);
    is_known && matches.value_source(id) == typed
}

/// Where the first word stands that is the command's, behind the program's name and options for all.
fn first_word(args: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        match arg.to_str() {
            Some("--config") => at += 2,
            Some("--no-config") => at += 1,
            Some(arg) if arg.starts_with("--config=") => at += 1,
            _ => break,
        }
    }
    at
}

/// What `bincover config` shows: each option that a command gets, and the line that it comes from.
pub(crate) fn shown(choice: &Choice<'_>) -> Result<String, Wrong> {
    let sections = sections();
    let Some(config) = choice.load(&sections)? else {
        return Ok(format!("no {NAME} here or above, up to the repository\n"));
    };
    Ok(list(&config, &sections))
}

/// What [`shown`] shows of a file of this text. The commands are looked at once for all texts.
pub(crate) fn shown_of(text: &str) -> Result<String, Wrong> {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    let sections = SECTIONS.get_or_init(sections);
    let config = Config::parse(text, Path::new(NAME), Path::new(""), sections)?;
    Ok(list(&config, sections))
}

fn list(config: &Config, sections: &[Section]) -> String {
    let mut text = format!("{}\n", printable(&config.path().to_string_lossy()));
    for section in sections {
        for (line, words) in config.options(section) {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            let place = format!("line {line}");
            let words = printable(&words.join(" "));
            text += &format!("  {place:<9} {:<9} {words}\n", section.name);
        }
    }
    text
}
