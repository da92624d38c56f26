//! Names as people read them.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use bstr::{BStr, ByteSlice};

use crate::limits::{MAX_DEMANGLED_BYTES, MAX_REPEATED_NAME};

/// A symbol's name in source form: Rust's, old and new mangling, without the hash that the
/// compiler appends; C++'s (Itanium), with its parameters; any other name as it is. The file that
/// LLVM puts before the name of a local function stays. Bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn demangled(name: &BStr) -> String {
    if let Some(readable) = of_symbol(name) {
        return readable;
    }
    // A local function: its file, `;` (`:` before LLVM 17), its name.
    if let Some(end) = name.rfind_byteset(b";:")
        && let Some(readable) = of_symbol(name[end + 1..].as_bstr())
    {
        return name[..=end].to_str_lossy().into_owned() + &readable;
    }
    name.to_str_lossy().into_owned()
}

/// A name as it is shown where it is repeated: the beginning, with an ellipsis, of one that is longer than
/// [`MAX_REPEATED_NAME`].
pub(crate) fn repeated(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_REPEATED_NAME {
        return name.into();
    }
    let end = name.floor_char_boundary(MAX_REPEATED_NAME);
    format!("{}…", &name[..end]).into()
}

fn of_symbol(symbol: &BStr) -> Option<String> {
    let mut readable = Bounded(String::new());
    let text = symbol.to_str().ok();
    if let Some(rust) = text.and_then(|text| rustc_demangle::try_demangle(text).ok()) {
        write!(readable, "{rust:#}").ok()?;
    } else {
        let is_cpp = symbol.starts_with(b"_Z") || symbol.starts_with(b"__Z");
        let cpp = is_cpp.then(|| cpp_demangle::Symbol::new(symbol).ok())??;
        let options = cpp_demangle::DemangleOptions::default();
        cpp.structured_demangle(&mut readable, &options).ok()?;
    }
    // `_ZNE` has no parts.
    (!readable.0.is_empty()).then_some(readable.0)
}

/// Text that does not grow beyond [`MAX_DEMANGLED_BYTES`].
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_DEMANGLED_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
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
    fn a_name_that_is_repeated_is_cut_at_a_character() {
        let most = "x".repeat(MAX_REPEATED_NAME);
        assert_eq!(repeated(&most), most);
        assert_eq!(repeated(&format!("{most}y")), format!("{most}…"));
        let wide = format!("x{}", "é".repeat(MAX_REPEATED_NAME));
        let cut = repeated(&wide);
        let start = cut.strip_suffix('…').expect("an ellipsis");
        assert_eq!(start.len(), MAX_REPEATED_NAME - 1);
        assert!(wide.starts_with(start));
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
    fn cpp_names_have_their_parameters() {
        check(b"_Z3addii", "add(int, int)");
        check(b"_ZN5shape4areaEv", "shape::area()");
        check(
            b"_Z6biggerIdET_S0_S0_",
            "double bigger<double>(double, double)",
        );
        check(b"__Z3addii", "add(int, int)");
    }

    #[test]
    fn local_functions_keep_their_file() {
        check(b"src/a.cpp;_ZL5innerv", "src/a.cpp;inner()");
        check(b"a.cpp:_ZL5innerv", "a.cpp:inner()");
        check(
            b"\xff.rs;_RNvCskwGfYPst2Cb_3foo3bar",
            "\u{fffd}.rs;foo::bar",
        );
    }

    #[test]
    fn other_names_stay() {
        check(b"main", "main");
        check(b"_Z", "_Z");
        check(b"_Z3addii trailing", "_Z3addii trailing");
        check(b"_Z9\xff", "_Z9\u{fffd}");
        check(b"a.c:\xff", "a.c:\u{fffd}");
        check(b"a.c;", "a.c;");
        check(b"_ZNE", "_ZNE");
        check(b"", "");
    }

    /// Each parameter is a template of twice the one before it: some hundred bytes, 2^30 words.
    #[test]
    fn names_that_would_be_long_stay() {
        // Substitutions: `a` is `S_`; then each `b<..>` adds one, after `b` itself.
        let mut name = "_Z1f1a1bIS_S_E".to_owned();
        for index in 1..30u32 {
            let id = char::from_digit(index, 36)
                .expect("a digit")
                .to_ascii_uppercase();
            name += &format!("S0_IS{id}_S{id}_E");
        }
        check(name.as_bytes(), &name);
        check(
            b"_Z1f1a1bIS_S_ES0_IS1_S1_E",
            "f(a, b<a, a>, b<b<a, a>, b<a, a> >)",
        );
    }

    /// Deep enough to be refused rather than to use up the stack.
    #[test]
    fn names_that_nest_deeply_stay() {
        for nested in ["P", "N1a", "I", "1aI", "S_I", "Dp", "FvP", "XL"] {
            for prefix in ["_Z1f", "_ZN", "_RNv", "_R"] {
                let name = prefix.to_owned() + &nested.repeat(20_000);
                check(name.as_bytes(), &name);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_is_too_much(
            start in "_Z|__Z|_Z1f|_ZN|_ZL|_ZZ|_ZTV|_ZGV|_R|_RN|_RIN|a.c;_Z",
            rest in "([0-4][a-z]{0,4}|[NIESTLKRPOCDXJFGMAU]|[0-9]_|S[0-9A-Zstab]?_?|[a-z_$.]){0,60}",
        ) {
            let name = start + &rest;
            let readable = demangled(name.as_bytes().as_bstr());
            proptest::prop_assert!(readable.len() <= MAX_DEMANGLED_BYTES + name.len());
        }
    }
}
