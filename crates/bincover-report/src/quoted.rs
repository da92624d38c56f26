//! Strings of JSON, for the formats that are written as they are made.

/// A string of JSON, with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
