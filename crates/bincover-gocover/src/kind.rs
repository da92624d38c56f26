//! What a file is, by its name or by its first bytes.

use bstr::ByteSlice;

use crate::mode::Mode;

/// The first four bytes of a metadata file (Go: `CovMetaMagic`).
pub(crate) const META_MAGIC: [u8; 4] = *b"\0cvm";
/// The first four bytes of a counter file (Go: `CovCounterMagic`).
pub(crate) const COUNTERS_MAGIC: [u8; 4] = *b"\0cwm";

/// The three kinds of files that hold Go coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `covmeta.*`
    Meta,
    /// `covcounters.*`
    Counters,
    /// What `go test -coverprofile` and `covdata textfmt` write.
    Text,
}

impl Kind {
    /// Judges by the first bytes; 32 of them are enough.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&META_MAGIC) {
            return Some(Self::Meta);
        }
        if bytes.starts_with(&COUNTERS_MAGIC) {
            return Some(Self::Counters);
        }
        let word = bytes.strip_prefix(b"mode: ")?.lines().next()?;
        let modes = [Mode::Set, Mode::Count, Mode::Atomic];
        let is_mode = modes.iter().any(|mode| mode.word().as_bytes() == word);
        is_mode.then_some(Self::Text)
    }
}

/// What the name of a file in a GOCOVERDIR says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName<'n> {
    /// What it is.
    pub kind: Kind,
    /// What the files of one program have in common: the hash of its metadata, in hexadecimal; but
    /// Go takes any text. Empty for text profiles.
    pub tag: &'n [u8],
}

impl<'n> FileName<'n> {
    /// Reads a name as Go's tools do: `covmeta.<tag>`, `covcounters.<tag>.<pid>.<nanoseconds>`; and
    /// `covtext.<pid>.<nanoseconds>`, as test binaries of `bincover go init` leave it with releases
    /// before Go 1.20. `None` for all other files, such as `tmp.covcounters…`, which a failed write
    /// leaves.
    #[must_use]
    pub fn parse(name: &'n [u8]) -> Option<Self> {
        let is_word = |text: &[u8]| !text.is_empty() && !text.iter().any(u8::is_ascii_whitespace);
        if let Some(tag) = name.strip_prefix(b"covmeta.") {
            return is_word(tag).then_some(Self {
                kind: Kind::Meta,
                tag,
            });
        }
        let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        if let Some(rest) = name.strip_prefix(b"covtext.") {
            let (pid, nanoseconds) = rest.split_once_str(b".")?;
            return (is_number(pid) && is_number(nanoseconds)).then_some(Self {
                kind: Kind::Text,
                tag: b"",
            });
        }
        let rest = name.strip_prefix(b"covcounters.")?;
        let mut parts = rest.rsplitn(3, |&byte| byte == b'.');
        let numbers = [parts.next()?, parts.next()?];
        let tag = parts.next()?;
        let is_named = numbers.iter().all(|part| is_number(part)) && is_word(tag);
        is_named.then_some(Self {
            kind: Kind::Counters,
            tag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let tag = |name: &'static str| FileName::parse(name.as_bytes()).map(|name| name.tag);
        assert_eq!(tag("covmeta.ab"), Some(&b"ab"[..]));
        assert_eq!(tag("covcounters.a.b.12.34"), Some(&b"a.b"[..]));
        assert_eq!(tag("covtext.12.34"), Some(&b""[..]));
        for other in [
            "covmeta.",
            "covmeta.a b",
            "covcounters.ab.12",
            "covcounters.ab.x.1",
            "covcounters..1.1",
            "tmp.covcounters.ab.1.1",
            "covcounters.ab.1.1.tmp",
            "covtext.12",
            "covtext.12.34.5",
        ] {
            assert_eq!(tag(other), None, "{other}");
        }
    }

    #[test]
    fn first_bytes() {
        assert_eq!(Kind::sniff(b"\0cvm...."), Some(Kind::Meta));
        assert_eq!(Kind::sniff(b"\0cwm"), Some(Kind::Counters));
        assert_eq!(Kind::sniff(b"mode: set\r\n"), Some(Kind::Text));
        assert_eq!(Kind::sniff(b"mode: atomic"), Some(Kind::Text));
        assert_eq!(Kind::sniff(b"mode: fast\n"), None);
        assert_eq!(Kind::sniff(b":ir\n"), None);
    }
}
