//! The hashes that Go names programs by: MD5 up to Go 1.23, FNV-1a of 128 bits since 1.24. They
//! tell programs apart; what they are of is never checked, since nothing says which of the two one
//! is, and merged files have another.

use std::fmt;

use md5::{Digest, Md5};

/// A hash in a file (Go: `MetaHash`, `MetaFileHash`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 16]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which hash files that are written have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashKind {
    /// That of Go up to 1.23.
    Md5,
    /// That of Go since 1.24.
    #[default]
    Fnv,
}

/// Hashes bytes that come in pieces; nothing separates them.
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    Md5(Md5),
    Fnv(u128),
}

impl Hasher {
    pub(crate) fn new(kind: HashKind) -> Self {
        match kind {
            HashKind::Md5 => Self::Md5(Md5::new()),
            HashKind::Fnv => Self::Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(md5) => md5.update(bytes),
            Self::Fnv(state) => {
                for &byte in bytes {
                    *state ^= u128::from(byte);
                    *state = state.wrapping_mul(0x0100_0000_0000_0000_0000_013b);
                }
            }
        }
    }

    pub(crate) fn update_u32(&mut self, value: u32) {
        self.update(&value.to_le_bytes());
    }

    pub(crate) fn finish(self) -> Hash {
        Hash(match self {
            Self::Md5(md5) => md5.finalize().into(),
            Self::Fnv(state) => state.to_be_bytes(),
        })
    }

    pub(crate) fn of(kind: HashKind, bytes: &[u8]) -> Hash {
        let mut hasher = Self::new(kind);
        hasher.update(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds() {
        let of = |kind, text: &str| Hasher::of(kind, text.as_bytes()).to_string();
        assert_eq!(of(HashKind::Fnv, ""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(of(HashKind::Fnv, "a"), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(of(HashKind::Md5, "a"), "0cc175b9c0f1b6a831c399e269772661");
    }
}
