//! What a file is, by its first bytes.

use bstr::ByteSlice;

/// A format that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An lcov tracefile.
    Lcov,
    /// Cobertura's XML.
    Cobertura,
    /// The JSON of `llvm-cov export`.
    LlvmJson,
}

/// A byte order mark, as some write one.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

impl Kind {
    /// Looks at the beginning. A report that starts like one may still be none.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start();
        match bytes.first()? {
            b'<' => Some(Self::Cobertura),
            b'{' => Some(Self::LlvmJson),
            _ => {
                // Comments, and fields that stand before the first file.
                let mut lines = bytes.lines().map(<[u8]>::trim_ascii);
                let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
                let is_lcov = first.starts_with(b"TN:") || first.starts_with(b"SF:");
                is_lcov.then_some(Self::Lcov)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        assert_eq!(Kind::sniff(b"# made by me\n\nTN:\n"), Some(Kind::Lcov));
        assert_eq!(Kind::sniff(b"SF:a.c\n"), Some(Kind::Lcov));
        let xml = b"\xef\xbb\xbf<?xml version=\"1.0\"?>";
        assert_eq!(Kind::sniff(xml), Some(Kind::Cobertura));
        assert_eq!(Kind::sniff(b" {\"data\":[]}"), Some(Kind::LlvmJson));
        for other in [&b""[..], b"mode: set\n", b"\x81rforpl\xff", b"# nothing\n"] {
            assert_eq!(Kind::sniff(other), None);
        }
    }
}
