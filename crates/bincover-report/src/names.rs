//! Names as people read them.

use std::fmt::Write as _;

use bstr::{BStr, ByteSlice};

/// A symbol's name in source form, without the hash that the compiler appends: Rust's, old and new
/// mangling; any other name as it is. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn demangled(name: &BStr) -> String {
    let name = name.to_str_lossy();
    let mut readable = String::new();
    match write!(readable, "{:#}", rustc_demangle::demangle(&name)) {
        Ok(()) => readable,
        Err(_) => name.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &[u8], expected: &str) {
        assert_eq!(demangled(name.as_bstr()), expected);
    }

    #[test]
    fn rust_names_lose_their_hash() {
        check(
            b"_RNvCskwGfYPst2Cb_3foo16example_function",
            "foo::example_function",
        );
        check(b"_ZN3foo3bar17h05af221e174051e9E", "foo::bar");
    }

    #[test]
    fn other_names_stay() {
        check(b"main", "main");
        check(b"_Z3addii", "_Z3addii");
        check(b"a.c:\xff", "a.c:\u{fffd}");
        check(b"", "");
    }
}
