//! Which run a counter file is of.

use bstr::{BString, ByteSlice};

/// What a program noted of its start. In a merged file, what all of its runs had in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The program as it was called, and its arguments.
    pub args: Vec<BString>,
    /// The operating system, in Go's words (GOOS).
    pub os: BString,
    /// The architecture, in Go's words (GOARCH).
    pub arch: BString,
}

impl Args {
    /// Forgets what another run has differently.
    pub fn keep_common(&mut self, other: &Self) {
        if self.args != other.args {
            self.args.clear();
        }
        if self.os != other.os {
            self.os.clear();
        }
        if self.arch != other.arch {
            self.arch.clear();
        }
    }

    /// From the pairs of a file.
    pub(super) fn from_pairs(pairs: &[(&[u8], &[u8])]) -> Self {
        let value = |key: &[u8]| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.as_bstr().to_owned())
        };
        // A number of arguments beyond the pairs that are there is a claim that nothing backs.
        let count = value(b"argc").and_then(|count| count.to_str().ok()?.parse::<usize>().ok());
        let count = count.unwrap_or(0).min(pairs.len());
        let arg = |index: usize| value(format!("argv{index}").as_bytes()).unwrap_or_default();
        Self {
            args: (0..count).map(arg).collect(),
            os: value(b"GOOS").unwrap_or_default(),
            arch: value(b"GOARCH").unwrap_or_default(),
        }
    }

    /// The pairs of a file, sorted by key.
    pub(super) fn pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Vec::new();
        if !self.args.is_empty() {
            pairs.push((b"argc".to_vec(), self.args.len().to_string().into_bytes()));
            for (index, arg) in self.args.iter().enumerate() {
                pairs.push((format!("argv{index}").into_bytes(), arg.to_vec()));
            }
        }
        for (key, value) in [(&b"GOOS"[..], &self.os), (b"GOARCH", &self.arch)] {
            if !value.is_empty() {
                pairs.push((key.to_vec(), value.to_vec()));
            }
        }
        pairs.sort();
        pairs
    }
}
