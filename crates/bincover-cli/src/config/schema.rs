//! The JSON schema of the file, from the commands' definitions.

use serde_json::{Map, Value, json};

use super::NAME;
use super::keys::{Key, Shape, sections, shared};

/// The schema, with a line feed at the end.
pub(crate) fn schema() -> String {
    let sections = sections();
    let mut properties = Map::new();
    for (name, holders) in shared(&sections) {
        let Some(key) = holders.first().and_then(|section| section.key(name)) else {
            continue;
        };
        let names: Vec<&str> = holders.iter().map(|section| &*section.name).collect();
        properties.insert(name.to_owned(), property(key, Some(&names)));
    }
    for section in &sections {
        let keys = section.keys();
        let keys: Map<String, Value> = keys
            .map(|key| (key.name.to_owned(), property(key, None)))
            .collect();
        let about = section.command.get_about().map(ToString::to_string);
        let table = json!({
            "description": about.unwrap_or_default(),
            "type": "object",
            "additionalProperties": false,
            "properties": keys,
        });
        properties.insert(section.name.clone(), table);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": NAME,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    let text = serde_json::to_string_pretty(&schema);
    text.expect("strings are valid JSON") + "\n"
}

fn property(key: Key<'_>, holders: Option<&[&str]>) -> Value {
    let mut words = key
        .arg
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Some(holders) = holders {
        words += &format!(" (for {})", holders.join(", "));
    }
    let possible = key.arg.get_possible_values();
    let possible = possible.iter().filter(|value| !value.is_hide_set());
    let possible: Vec<&str> = possible.map(|value| value.get_name()).collect();
    let one = match (key.shape, possible.is_empty()) {
        (Shape::Flag, _) => json!({ "type": "boolean" }),
        (_, false) => json!({ "enum": possible }),
        (Shape::OptionalValue, true) => json!({ "type": ["string", "number", "boolean"] }),
        (_, true) => json!({ "type": ["string", "number"] }),
    };
    let mut property = match key.shape {
        Shape::Values => json!({ "anyOf": [one, { "type": "array", "items": one }] }),
        _ => one,
    };
    property["description"] = Value::String(words);
    property
}
