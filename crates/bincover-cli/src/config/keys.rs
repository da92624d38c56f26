//! Which keys there are: the long options of each command, as clap has them. An option that is added to a
//! command is a key of its table from then on.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

use crate::args::Args;
use crate::cargo;

/// Commands without a table: others say what their options are, or the file has nothing to do with
/// them.
const WITHOUT: &[&str] = &[
    "go",
    "llvm-cov",
    "demo",
    "config",
    "completions",
    "man",
    "help",
];

/// The table of a command.
pub(crate) struct Section {
    /// The command's words with `-` between them; `cargo` for `cargo bincover`.
    pub(crate) name: String,
    /// Its definition.
    pub(crate) command: Command,
}

/// A key of a table.
#[derive(Clone, Copy)]
pub(crate) struct Key<'s> {
    pub(crate) name: &'s str,
    pub(crate) arg: &'s Arg,
    pub(crate) shape: Shape,
}

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Flag,
    /// A value, or `true` for the default.
    OptionalValue,
    /// A value.
    Value,
    /// A value, or a list of them.
    Values,
}

impl Shape {
    fn of(arg: &Arg) -> Option<Self> {
        let values = arg.get_num_args();
        match arg.get_action() {
            ArgAction::SetTrue => Some(Self::Flag),
            ArgAction::Append => Some(Self::Values),
            ArgAction::Set if values.is_some_and(|values| values.min_values() == 0) => {
                Some(Self::OptionalValue)
            }
            ArgAction::Set => Some(Self::Value),
            _ => None,
        }
    }

    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::OptionalValue => "a string, a number, true or false",
            Self::Value => "a string or a number",
            Self::Values => "a string, a number or a list of them",
        }
    }
}

impl Section {
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let options = self
            .command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set());
        options.filter_map(|arg| {
            Some(Key {
                name: arg.get_long()?,
                arg,
                shape: Shape::of(arg)?,
            })
        })
    }

    pub(crate) fn key(&self, name: &str) -> Option<Key<'_>> {
        self.keys().find(|key| key.name == name)
    }
}

impl Key<'_> {
    /// Its values are paths.
    pub(crate) fn is_path(&self) -> bool {
        let hint = self.arg.get_value_hint();
        matches!(
            hint,
            ValueHint::AnyPath
                | ValueHint::FilePath
                | ValueHint::DirPath
                | ValueHint::ExecutablePath
        )
    }
}

/// All tables, in the order of the commands.
pub(crate) fn sections() -> Vec<Section> {
    let mut all = Args::command();
    all.build();
    let mut sections = Vec::new();
    add_below(&all, "", &mut sections);
    let mut command = cargo::args::command(None);
    command.build();
    let name = "cargo".to_owned();
    sections.push(Section { name, command });
    sections.retain(|section| section.keys().next().is_some());
    sections
}

fn add_below(command: &Command, prefix: &str, sections: &mut Vec<Section>) {
    for below in command.get_subcommands() {
        let name = below.get_name();
        if WITHOUT.contains(&name) {
            continue;
        }
        let name = format!("{prefix}{name}");
        match below.has_subcommands() {
            true => add_below(below, &format!("{name}-"), sections),
            false => sections.push(Section {
                name,
                command: below.clone(),
            }),
        }
    }
}

/// Keys that may stand before all tables, each with the sections that it holds for: those that mean
/// the same to each command that has them.
pub(crate) fn shared(sections: &[Section]) -> BTreeMap<&str, Vec<&Section>> {
    let mut shapes: BTreeMap<&str, Vec<(Shape, &Section)>> = BTreeMap::new();
    for section in sections {
        for key in section.keys() {
            let of_key = shapes.entry(key.name).or_default();
            of_key.push((key.shape, section));
        }
    }
    let alike = shapes.into_iter().filter(|(name, found)| {
        // A table has its name already.
        let is_table = sections.iter().any(|section| section.name == *name);
        !is_table && found.len() > 1 && found.iter().all(|(shape, _)| *shape == found[0].0)
    });
    alike
        .map(|(name, found)| {
            (
                name,
                found.into_iter().map(|(_, section)| section).collect(),
            )
        })
        .collect()
}
