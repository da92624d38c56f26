//! What a file is (sniffed from its first bytes) and what a profile counts (its flags).

use std::fmt;

use crate::bytes::Endian;

/// The formats of a profile file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Written by an instrumented program (`.profraw`).
    Raw {
        /// Byte order of all integers.
        endian: Endian,
        /// Width of the program's pointers: 4 or 8.
        pointer_bytes: u64,
    },
    /// Written by a merger (`.profdata`).
    Indexed,
    /// A memory profile (LLVM: raw memprof, or memprof as YAML), which this crate does not read.
    MemProf,
    /// Printable text, perhaps a `.proftext`.
    Text,
}

const RAW_64: u64 = 0xff6c_7072_6f66_7281;
const RAW_32: u64 = 0xff6c_7072_6f66_5281;
const INDEXED: u64 = 0x8169_666f_7270_6cff;
const MEMPROF: u64 = 0xff6d_7072_6f66_7281;

impl FileKind {
    /// Looks at the first 8 bytes, in LLVM's order of preference. `None` means: no profile.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"---") {
            return Some(Self::MemProf);
        }
        let head = &bytes[..bytes.len().min(8)];
        if let Ok(magic) = <[u8; 8]>::try_from(head) {
            let (little, big) = (u64::from_le_bytes(magic), u64::from_be_bytes(magic));
            if little == INDEXED {
                return Some(Self::Indexed);
            }
            if little == MEMPROF {
                return Some(Self::MemProf);
            }
            for (wanted, pointer_bytes) in [(RAW_64, 8), (RAW_32, 4)] {
                for (magic, endian) in [(little, Endian::Little), (big, Endian::Big)] {
                    if magic == wanted {
                        return Some(Self::Raw {
                            endian,
                            pointer_bytes,
                        });
                    }
                }
            }
        }
        let printable = |&byte: &u8| matches!(byte, 0x20..=0x7e | b'\t'..=b'\r');
        (!head.is_empty() && head.iter().all(printable)).then_some(Self::Text)
    }
}

/// What a profile's counters mean: the flags in the high bits of its version (LLVM:
/// `VARIANT_MASK_*`, `InstrProfKind`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ProfileKind(u64);

impl ProfileKind {
    /// Loop entry blocks are instrumented (LLVM: `VARIANT_MASK_INSTR_LOOP_ENTRIES`).
    pub const LOOP_ENTRIES: Self = Self(1 << 55);
    /// Instrumented in the middle end, for optimisation; else by the front end, for coverage
    /// (LLVM: `VARIANT_MASK_IR_PROF`).
    pub const IR: Self = Self(1 << 56);
    /// Holds context-sensitive records (LLVM: `VARIANT_MASK_CSIR_PROF`).
    pub const CONTEXT_SENSITIVE: Self = Self(1 << 57);
    /// Function entry blocks are always instrumented (LLVM: `VARIANT_MASK_INSTR_ENTRY`).
    pub const ENTRY_FIRST: Self = Self(1 << 58);
    /// Names and records are in the debug info (LLVM: `VARIANT_MASK_DBG_CORRELATE`); raw only.
    pub const DEBUG_INFO_CORRELATED: Self = Self(1 << 59);
    /// One byte a counter: reached or not (LLVM: `VARIANT_MASK_BYTE_COVERAGE`).
    pub const BYTE_COVERAGE: Self = Self(1 << 60);
    /// Function entries only (LLVM: `VARIANT_MASK_FUNCTION_ENTRY_ONLY`).
    pub const FUNCTION_ENTRY_ONLY: Self = Self(1 << 61);
    /// Carries a memory profile (LLVM: `VARIANT_MASK_MEMPROF`); indexed only.
    pub const MEMPROF: Self = Self(1 << 62);
    /// The first counter of each function is a time stamp (LLVM: `VARIANT_MASK_TEMPORAL_PROF`).
    pub const TEMPORAL: Self = Self(1 << 63);
    /// Said to be front-end (text format's `:fe`); binary formats have no such flag.
    pub const FRONT_END: Self = Self(1);

    const IN_RAW: u64 = 0xff80_0000_0000_0000;
    const IN_INDEXED: u64 = Self::IN_RAW & !Self::DEBUG_INFO_CORRELATED.0;

    /// The flags of a raw or indexed file's version field. Unknown ones are dropped, as by LLVM.
    #[must_use]
    pub fn from_version(version: u64) -> Self {
        Self(version & Self::IN_RAW)
    }

    /// The flags as an indexed file's version field has them.
    pub(crate) fn indexed_bits(self) -> u64 {
        self.0 & Self::IN_INDEXED
    }

    /// All flags of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// No flag is set, as in a raw or indexed front-end profile.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the flags of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What a merged profile is, or `None` if the two cannot be merged (LLVM:
    /// `InstrProfWriter::mergeProfileKind`). Unknown joins anything, so the answer depends on the
    /// order: `:fe` text after a raw profile is fine, before it is not.
    #[must_use]
    pub fn join(self, incoming: Self) -> Option<Self> {
        let incoming = incoming.without(Self::DEBUG_INFO_CORRELATED);
        if self.is_unknown() {
            return Some(incoming);
        }
        if self.contains(Self::FRONT_END) != incoming.contains(Self::FRONT_END) {
            return None;
        }
        let entries_only = |kind: Self| kind.contains(Self::FUNCTION_ENTRY_ONLY);
        let blocks =
            |kind: Self| kind.contains(Self::ENTRY_FIRST) || kind.contains(Self::LOOP_ENTRIES);
        if entries_only(self) && blocks(incoming) || entries_only(incoming) && blocks(self) {
            return None;
        }
        Some(self.with(incoming))
    }
}

impl fmt::Debug for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::FRONT_END, "FRONT_END"),
            (Self::LOOP_ENTRIES, "LOOP_ENTRIES"),
            (Self::IR, "IR"),
            (Self::CONTEXT_SENSITIVE, "CONTEXT_SENSITIVE"),
            (Self::ENTRY_FIRST, "ENTRY_FIRST"),
            (Self::DEBUG_INFO_CORRELATED, "DEBUG_INFO_CORRELATED"),
            (Self::BYTE_COVERAGE, "BYTE_COVERAGE"),
            (Self::FUNCTION_ENTRY_ONLY, "FUNCTION_ENTRY_ONLY"),
            (Self::MEMPROF, "MEMPROF"),
            (Self::TEMPORAL, "TEMPORAL"),
        ];
        let set = names.iter().filter(|(flag, _)| self.contains(*flag));
        f.debug_set().entries(set.map(|(_, name)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sniffing() {
        let raw = *b"\x81rforpl\xff";
        let kind = |endian, pointer_bytes| {
            Some(FileKind::Raw {
                endian,
                pointer_bytes,
            })
        };
        assert_eq!(FileKind::sniff(&raw), kind(Endian::Little, 8));
        let mut swapped = raw;
        swapped.reverse();
        assert_eq!(FileKind::sniff(&swapped), kind(Endian::Big, 8));
        assert_eq!(FileKind::sniff(b"\x81Rforpl\xff"), kind(Endian::Little, 4));
        assert_eq!(
            FileKind::sniff(b"\xfflprofi\x81..."),
            Some(FileKind::Indexed)
        );
        assert_eq!(FileKind::sniff(b":ir\nma\x80"), None);
        assert_eq!(FileKind::sniff(b":ir\n"), Some(FileKind::Text));
        assert_eq!(FileKind::sniff(b""), None);
        assert_eq!(FileKind::sniff(b"\x7fELF\x02\x01\x01\x00"), None);
    }

    #[test]
    fn unknown_joins_anything_but_only_first() {
        let unknown = ProfileKind::default();
        let front_end = ProfileKind::FRONT_END;
        assert_eq!(unknown.join(front_end), Some(front_end));
        assert_eq!(front_end.join(unknown), None);
        assert_eq!(unknown.join(ProfileKind::IR), Some(ProfileKind::IR));
        assert_eq!(
            ProfileKind::FUNCTION_ENTRY_ONLY.join(ProfileKind::ENTRY_FIRST),
            None
        );
    }
}
