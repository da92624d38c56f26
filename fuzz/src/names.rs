//! The bodies of `names` and `symbols`: tables of function names, stored and compressed, and names in
//! source form.

use bincover_profile::{NameRef, NameTable};
use bincover_report::demangled;
use bincover_testkit::raw::{Function, names_blob, uleb};
use bstr::ByteSlice;

use super::mapping::known_names;

/// A table takes no more memory than this for each of its bytes, or a fixed amount.
const MOST_TEXT: usize = 1040;

/// Reads the bytes as a table of names. Each name in it is found by its hash, and so it is in a
/// table that has the same names stored, in one chunk.
pub fn names(bytes: &[u8]) {
    let table = match NameTable::decode(bytes, 0) {
        Ok(table) => table,
        Err(error) => {
            let offset = error.offset().expect("an error of a table has a place");
            assert!(offset <= bytes.len() as u64, "{error}");
            return;
        }
    };
    let known = known_names(bytes);
    let text: usize = known.iter().map(|name| name.len() + 1).sum();
    assert!(text <= bytes.len() * MOST_TEXT);
    assert!(table.len() <= known.len());
    assert_eq!(table.is_empty(), known.is_empty());
    for name in &known {
        assert_eq!(table.get(NameRef::of(name)), Some(&name[..]));
    }
    let functions: Vec<Function> = known
        .iter()
        .map(|name| Function {
            name: name.clone(),
            ..Function::default()
        })
        .collect();
    let stored = names_blob(&functions);
    let again = NameTable::decode(&stored, 0).expect("names that were read can be stored");
    assert_eq!(again.len(), table.len());
    for name in &known {
        assert_eq!(again.get(NameRef::of(name)), Some(&name[..]));
    }
    // Two chunks, with zeros between, are their names together. Zeros may not come first.
    let mut both = stored.clone();
    both.resize(stored.len() + if stored.is_empty() { 0 } else { 3 }, 0);
    both.extend(uleb(5));
    both.extend(b"\0extra");
    let both = NameTable::decode(&both, 0).expect("two chunks");
    assert_eq!(both.get(NameRef::of(b"extra")), Some(&b"extra"[..]));
    assert!(
        known
            .iter()
            .all(|name| both.get(NameRef::of(name)).is_some())
    );
}

/// The longest name in source form, beside what stays as it is.
const MOST_OF_A_SYMBOL: usize = 1 << 16;

/// Takes the bytes for symbols, one a line, and demangles each.
pub fn symbols(bytes: &[u8]) {
    for symbol in bytes.lines() {
        let readable = demangled(symbol.as_bstr());
        assert!(readable.len() <= MOST_OF_A_SYMBOL + 3 * symbol.len());
        assert_eq!(readable.is_empty(), symbol.is_empty());
    }
}
