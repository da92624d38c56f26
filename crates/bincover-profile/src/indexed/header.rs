//! The header (LLVM: `IndexedInstrProf::Header`).

use std::fmt;

use crate::bytes::{Cursor, Endian};
use crate::error::{Error, ErrorKind, Result};
use crate::indexed::NEWEST;
use crate::kind::ProfileKind;

/// The magic number as a little-endian integer.
pub(crate) const MAGIC: u64 = 0x8169_666f_7270_6cff;

/// An indexed profile's header. Offsets are from the start of the file.
#[derive(Clone, Debug)]
pub struct IndexedHeader {
    pub(crate) layout: Layout,
    /// The flags of the version field.
    pub kind: ProfileKind,
    /// Of the bucket table (LLVM: `HashOffset`).
    pub hash_offset: u64,
    /// Of the memory profile, since version 8.
    pub memprof_offset: Option<u64>,
    /// Of the binary ids, since version 9.
    pub binary_id_offset: Option<u64>,
    /// Of the temporal traces, since version 10.
    pub traces_offset: Option<u64>,
    /// Of the vtables' names, since version 12.
    pub vtable_names_offset: Option<u64>,
}

/// What the version changes; nothing further in compares versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) version: u32,
    pub(crate) header_bytes: u64,
    /// Records say how many counts they have (since 2).
    pub(crate) count_field: bool,
    /// Records carry value data (since 3).
    pub(crate) values: bool,
    /// A summary follows the header (since 4).
    pub(crate) summary: bool,
    /// Records carry bitmaps (since 11).
    pub(crate) bitmaps: bool,
    /// The names of vtables are kept (since 12).
    pub(crate) vtable_names: bool,
}

impl Layout {
    pub(crate) fn new(version: u32) -> Option<Self> {
        let header_fields = match version {
            1..=7 => 5,
            8 => 6,
            9 => 7,
            10 | 11 => 8,
            12..=NEWEST => 9,
            _ => return None,
        };
        Some(Self {
            version,
            header_bytes: header_fields * 8,
            count_field: version >= 2,
            values: version >= 3,
            summary: version >= 4,
            bitmaps: version >= 11,
            vtable_names: version >= 12,
        })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "indexed profile version {}", self.version)
    }
}

impl IndexedHeader {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, 0, Endian::Little);
        let magic = cursor.u64("magic")?;
        if magic != MAGIC {
            return Err(Error::new(
                ErrorKind::BadMagic,
                "magic",
                0,
                format_args!("{MAGIC:#x}"),
                format_args!("{magic:#x}"),
            ));
        }
        let word = cursor.u64("version")?;
        let version = u32::try_from(word & 0xffff_ffff).unwrap_or(u32::MAX);
        let layout = Layout::new(version).ok_or_else(|| {
            Error::new(
                ErrorKind::UnsupportedVersion,
                "indexed profile version",
                8,
                format_args!("1 to {NEWEST}"),
                version,
            )
        })?;
        cursor.u64("unused header field")?;
        let hash_type = cursor.u64("hash type")?;
        if hash_type & 0xffff_ffff != 0 {
            return Err(Error::new(
                ErrorKind::UnsupportedHashType,
                "hash type",
                0x18,
                "0 (MD5)",
                hash_type,
            ));
        }
        let mut next = |since: u64, what| {
            if layout.header_bytes > since {
                cursor.u64(what).map(Some)
            } else {
                Ok(None)
            }
        };
        let hash_offset = next(0x20, "HashOffset")?.unwrap_or(0);
        let memprof_offset = next(0x28, "MemProfOffset")?;
        let binary_id_offset = next(0x30, "BinaryIdOffset")?;
        let traces_offset = next(0x38, "TemporalProfTracesOffset")?;
        let vtable_names_offset = next(0x40, "VTableNamesOffset")?;
        Ok(Self {
            layout,
            kind: ProfileKind::from_version(word).without(ProfileKind::DEBUG_INFO_CORRELATED),
            hash_offset,
            memprof_offset,
            binary_id_offset,
            traces_offset,
            vtable_names_offset,
        })
    }

    /// The version field: the version, and flags in the high bits (LLVM: `Version`).
    #[must_use]
    pub fn version_field(&self) -> u64 {
        u64::from(self.layout.version) | self.kind.indexed_bits()
    }

    /// The format's version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.layout.version
    }
}
