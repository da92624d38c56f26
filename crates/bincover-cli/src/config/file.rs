//! Reads a configuration file and checks it against the commands' definitions.

use std::ffi::OsString;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bincover::report::printable;
use clap::error::ErrorKind;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, Section, Shape, shared};
use super::{VARIABLES, Wrong};
use crate::limits::MAX_CONFIG_BYTES;

/// A file, read and checked.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    /// Paths in it are relative to this, if that is not the working folder.
    folder: Option<PathBuf>,
    entries: Vec<Entry>,
}

/// A key with its value.
#[derive(Debug)]
struct Entry {
    /// The table; none before all tables.
    section: Option<String>,
    key: String,
    /// 1-based.
    line: usize,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Flag(bool),
    Words(Vec<String>),
}

/// The text with its path, for messages.
struct Text<'t> {
    path: &'t Path,
    text: &'t str,
}

impl Text<'_> {
    fn wrong(&self, at: usize, message: impl std::fmt::Display) -> Wrong {
        let (line, column) = self.place(at);
        let path = printable(&self.path.to_string_lossy());
        Wrong(format!("{path}:{line}:{column}: {message}"))
    }

    /// Line and column, 1-based.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let line = 1 + before.matches('\n').count();
        (line, 1 + before[start..].chars().count())
    }
}

type Item<'t, 'i> = (
    &'t Spanned<toml::de::DeString<'i>>,
    &'t Spanned<DeValue<'i>>,
);

/// The items of a table, in the order of the file.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Item<'t, 'i>> {
    let mut items: Vec<_> = table.iter().collect();
    items.sort_by_key(|(key, _)| key.span().start);
    items
}

/// The file is read without being asked for, in whatever repository this is.
fn read(path: &Path) -> std::io::Result<String> {
    let other = |text: String| Err(std::io::Error::other(text));
    if !std::fs::metadata(path)?.is_file() {
        return other("it is no regular file".to_owned());
    }
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_CONFIG_BYTES {
        true => other(format!("expected no more than {MAX_CONFIG_BYTES} bytes")),
        false => Ok(text),
    }
}

impl Config {
    /// Reads and checks a file; all tables, whichever command is asked for.
    pub(crate) fn read(path: &Path, here: &Path, sections: &[Section]) -> Result<Self, Wrong> {
        let text = read(path).map_err(|error| {
            let path = printable(&path.to_string_lossy());
            Wrong(format!("cannot read `{path}`: {error}"))
        })?;
        Self::parse(&text, path, here, sections)
    }

    /// The same with the text of the file.
    pub(super) fn parse(
        text: &str,
        path: &Path,
        here: &Path,
        sections: &[Section],
    ) -> Result<Self, Wrong> {
        let folder = path.parent().filter(|folder| *folder != here);
        let mut config = Self {
            path: path.to_owned(),
            folder: folder.map(Path::to_owned),
            entries: Vec::new(),
        };
        let source = Text { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            source.wrong(at, error.message())
        })?;
        let shared = shared(sections);
        for (name, value) in in_order(table.get_ref()) {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            if let DeValue::Table(table) = value.get_ref() {
                let section = sections.iter().find(|section| section.name == name);
                let section = section.ok_or_else(|| {
                    let names = sections.iter().map(|section| &*section.name);
                    source.wrong(at, unknown("table", &format!("[{name}]"), name, names))
                })?;
                for (key, value) in in_order(table) {
                    config.add(&source, Some(section), &[section], key, value)?;
                }
                continue;
            }
            let Some(holders) = shared.get(name) else {
                return Err(source.wrong(at, misplaced(name, sections, shared.keys().copied())));
            };
            config.add(
                &source,
                None,
                holders,
                &Spanned::new(at..at, name.into()),
                value,
            )?;
        }
        Ok(config)
    }

    /// Checks a key's value with each of the commands that it is for.
    fn add(
        &mut self,
        source: &Text<'_>,
        section: Option<&Section>,
        holders: &[&Section],
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Wrong> {
        let at = key.span().start;
        let name = key.get_ref().as_ref();
        for holder in holders {
            let Some(found) = holder.key(name) else {
                let keys = holder.keys().map(|key| key.name);
                let shown = format!("`{name}` in [{}]", holder.name);
                return Err(source.wrong(at, unknown("key", &shown, name, keys)));
            };
            let value_at: Range<usize> = value.span();
            let read = read_value(found.shape, value.get_ref()).ok_or_else(|| {
                let (expected, there) = (found.shape.expected(), value.get_ref().type_str());
                let message = format!("`{name}`: expected {expected}, found {there}");
                source.wrong(value_at.start, message)
            })?;
            let entry = Entry {
                section: section.map(|section| section.name.clone()),
                key: name.to_owned(),
                line: source.place(at).0,
                value: read,
            };
            let words = self.words_of(found, &entry);
            if let Some(message) = refused(holder, words) {
                return Err(source.wrong(value_at.start, message));
            }
            if std::ptr::eq(*holder, holders[0]) {
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The options of a command, each with its line. Its own table wins over what is before all.
    pub(crate) fn options(&self, section: &Section) -> Vec<(usize, Vec<OsString>)> {
        let found = section.keys().filter_map(|key| {
            let (entry, _) = self.entry(section, key)?;
            Some((entry.line, self.words_of(key, entry)))
        });
        found.filter(|(_, words)| !words.is_empty()).collect()
    }

    /// The options of a command but those that were typed, or do not go with those. `given` says which
    /// were, by clap's id.
    pub(crate) fn words(
        &self,
        section: &Section,
        given: &dyn Fn(&Section, &str) -> bool,
    ) -> Vec<OsString> {
        let is_given = |arg: &clap::Arg| given(section, arg.get_id().as_str());
        let typed: Vec<&clap::Arg> = section
            .command
            .get_arguments()
            .filter(|arg| is_given(arg))
            .collect();
        let mut words = Vec::new();
        for key in section.keys() {
            let Some((entry, key)) = self.entry(section, key) else {
                continue;
            };
            let clashes = |typed: &&&clap::Arg| {
                typed.get_id() == key.arg.get_id() || do_clash(section, typed, key.arg)
            };
            if typed.iter().find(clashes).is_none() {
                words.extend(self.words_of(key, entry));
            }
        }
        words
    }

    fn entry<'c, 's>(&'c self, section: &Section, key: Key<'s>) -> Option<(&'c Entry, Key<'s>)> {
        let of = |section: Option<&str>| {
            let mut entries = self.entries.iter();
            entries.find(|entry| entry.key == key.name && entry.section.as_deref() == section)
        };
        let entry = of(Some(&section.name)).or_else(|| of(None))?;
        let mut variables = VARIABLES.iter().filter(|(name, _)| *name == key.name);
        let is_set = variables.any(|(_, variable)| std::env::var_os(variable).is_some());
        (!is_set).then_some((entry, key))
    }

    /// As on a command line.
    fn words_of(&self, key: Key<'_>, entry: &Entry) -> Vec<OsString> {
        let name = key.name;
        match &entry.value {
            Value::Flag(false) => Vec::new(),
            Value::Flag(true) => vec![format!("--{name}").into()],
            Value::Words(values) => {
                let option = |value: &String| {
                    let mut word = OsString::from(format!("--{name}="));
                    match &self.folder {
                        Some(folder) if key.is_path() && value != "-" => {
                            word.push(folder.join(value));
                        }
                        _ => word.push(value),
                    }
                    word
                };
                values.iter().map(option).collect()
            }
        }
    }
}

/// Two options that cannot both be given.
fn do_clash(section: &Section, one: &clap::Arg, other: &clap::Arg) -> bool {
    let command = &section.command;
    let has = |a: &clap::Arg, b: &clap::Arg| {
        let conflicts = command.get_arg_conflicts_with(a);
        conflicts
            .iter()
            .any(|conflict| conflict.get_id() == b.get_id())
    };
    let of_one_group = command.get_groups().any(|group| {
        let mut group = group.clone();
        let members = || group.get_args();
        let both =
            members().any(|id| id == one.get_id()) && members().any(|id| id == other.get_id());
        both && !group.is_multiple()
    });
    of_one_group || has(one, other) || has(other, one)
}

fn read_value(shape: Shape, value: &DeValue<'_>) -> Option<Value> {
    let one = |value: &DeValue<'_>| -> Option<String> {
        match value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            _ => None,
        }
    };
    match (shape, value) {
        (Shape::Flag | Shape::OptionalValue, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
        (Shape::Flag, _) => None,
        (Shape::Values, DeValue::Array(items)) => {
            let items = items.iter().map(|item| one(item.get_ref()));
            Some(Value::Words(items.collect::<Option<_>>()?))
        }
        (_, value) => Some(Value::Words(vec![one(value)?])),
    }
}

/// What the command has to say against these words, if it has.
fn refused(section: &Section, words: Vec<OsString>) -> Option<String> {
    let command = section.command.clone().no_binary_name(true);
    let error = command.try_get_matches_from(words).err()?;
    let is_about_values = matches!(
        error.kind(),
        ErrorKind::ValueValidation
            | ErrorKind::InvalidValue
            | ErrorKind::WrongNumberOfValues
            | ErrorKind::TooManyValues
            | ErrorKind::TooFewValues
            | ErrorKind::NoEquals
            | ErrorKind::UnknownArgument
    );
    is_about_values.then(|| {
        let text = error.to_string();
        let lines = text.lines().take_while(|line| !line.trim().is_empty());
        let lines: Vec<&str> = lines.map(str::trim).collect();
        lines.join(" ").trim_start_matches("error: ").to_owned()
    })
}

fn unknown<'n>(
    what: &str,
    shown: &str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> String {
    let scored = known.map(|known| (strsim::jaro_winkler(known, name), known));
    let nearest = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, nearest)) => format!("unknown {what} {shown}; the nearest is `{nearest}`"),
        None => format!("unknown {what} {shown}"),
    }
}

/// A key before all tables that is not for several commands.
fn misplaced<'n>(
    name: &str,
    sections: &[Section],
    shared: impl Iterator<Item = &'n str>,
) -> String {
    let holders = sections
        .iter()
        .filter(|section| section.key(name).is_some());
    let holders: Vec<String> = holders
        .map(|section| format!("[{}]", section.name))
        .collect();
    match holders.is_empty() {
        true => unknown("key", &format!("`{name}`"), name, shared),
        false => format!(
            "`{name}` does not mean the same to all commands: put it into the table of one, {}",
            holders.join(" or ")
        ),
    }
}
