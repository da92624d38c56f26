//! What the version, the byte order and the pointer width change. Decided once, in `header.rs`;
//! nothing further in compares versions.

use std::fmt;

use crate::bytes::Endian;

/// The newest raw version that this crate reads.
pub(crate) const NEWEST: u32 = 11;

/// One row of the table of raw versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) version: u32,
    pub(crate) endian: Endian,
    /// 4 or 8.
    pub(crate) pointer_bytes: u64,
    /// The header's size.
    pub(crate) header_bytes: u64,
    /// Binary ids follow the header (since 7).
    pub(crate) binary_ids: bool,
    /// Padding around the counters is stored in the header (since 5).
    pub(crate) padding: bool,
    /// Counter pointers are relative to their record (since 8).
    pub(crate) relative_counters: bool,
    /// MC/DC bitmaps (since 9).
    pub(crate) bitmaps: bool,
    /// VTables and a third kind of values (since 10).
    pub(crate) vtables: bool,
    /// Counters of how often a GPU's threads ran a block together (since 11).
    pub(crate) uniform_counters: bool,
    pub(crate) record: RecordLayout,
}

/// Offsets of the fields of a data record (LLVM: `__llvm_profile_data`). NameRef is at 0, FuncHash
/// at 8 and CounterPtr at 16 in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLayout {
    /// The C struct's size, tail padding included.
    pub(crate) bytes: u64,
    /// BitmapPtr and NumBitmapBytes.
    pub(crate) bitmap: Option<(usize, usize)>,
    pub(crate) function_pointer: usize,
    pub(crate) counter_count: usize,
    /// NumValueSites: a u16 for each kind of values.
    pub(crate) site_counts: usize,
    pub(crate) value_kinds: usize,
}

impl RecordLayout {
    fn new(version: u32, pointer_bytes: u64) -> Self {
        let value_kinds = if version >= 10 { 3 } else { 2 };
        match (version, pointer_bytes) {
            // UniformCounterPtr before BitmapPtr, OffloadDeviceWaveSize after the site counts.
            (11.., 8) => Self {
                bytes: 72,
                bitmap: Some((32, 68)),
                function_pointer: 40,
                counter_count: 56,
                site_counts: 60,
                value_kinds,
            },
            (11.., _) => Self {
                bytes: 56,
                bitmap: Some((24, 48)),
                function_pointer: 28,
                counter_count: 36,
                site_counts: 40,
                value_kinds,
            },
            (10, 8) => Self {
                bytes: 64,
                bitmap: Some((24, 60)),
                function_pointer: 32,
                counter_count: 48,
                site_counts: 52,
                value_kinds,
            },
            (10, _) => Self {
                bytes: 48,
                bitmap: Some((20, 44)),
                function_pointer: 24,
                counter_count: 32,
                site_counts: 36,
                value_kinds,
            },
            (9, 8) => Self {
                bytes: 64,
                bitmap: Some((24, 56)),
                function_pointer: 32,
                counter_count: 48,
                site_counts: 52,
                value_kinds,
            },
            (9, _) => Self {
                bytes: 48,
                bitmap: Some((20, 40)),
                function_pointer: 24,
                counter_count: 32,
                site_counts: 36,
                value_kinds,
            },
            (_, 8) => Self {
                bytes: 48,
                bitmap: None,
                function_pointer: 24,
                counter_count: 40,
                site_counts: 44,
                value_kinds,
            },
            (_, _) => Self {
                bytes: 40,
                bitmap: None,
                function_pointer: 20,
                counter_count: 28,
                site_counts: 32,
                value_kinds,
            },
        }
    }
}

impl Layout {
    /// `None` if the version is not one that this crate reads.
    pub(crate) fn new(version: u32, endian: Endian, pointer_bytes: u64) -> Option<Self> {
        let header_fields = match version {
            4 => 8,
            5 => 10,
            7 | 8 => 11,
            9 => 14,
            10 => 16,
            11 => 19,
            _ => return None,
        };
        Some(Self {
            version,
            endian,
            pointer_bytes,
            header_bytes: header_fields * 8,
            binary_ids: version >= 7,
            padding: version >= 5,
            relative_counters: version >= 8,
            bitmaps: version >= 9,
            vtables: version >= 10,
            uniform_counters: version >= 11,
            record: RecordLayout::new(version, pointer_bytes),
        })
    }

    /// The size of a vtable record (LLVM: `VTableProfileData`).
    pub(crate) fn vtable_bytes(&self) -> u64 {
        8 + 2 * self.pointer_bytes
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "raw profile version {}, {}, {}-bit",
            self.version,
            self.endian.name(),
            self.pointer_bytes * 8
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of LLVM's C structs.
    #[test]
    fn sizes() {
        let record = |version, width| {
            Layout::new(version, Endian::Little, width)
                .unwrap()
                .record
                .bytes
        };
        assert_eq!(
            [4, 5, 7, 8, 9, 10, 11].map(|v| record(v, 8)),
            [48, 48, 48, 48, 64, 64, 72]
        );
        assert_eq!(
            [4, 5, 7, 8, 9, 10, 11].map(|v| record(v, 4)),
            [40, 40, 40, 40, 48, 48, 56]
        );
        let header = |version| Layout::new(version, Endian::Big, 8).unwrap().header_bytes;
        assert_eq!(
            [4, 5, 7, 8, 9, 10, 11].map(header),
            [64, 80, 88, 88, 112, 128, 152]
        );
        assert_eq!(Layout::new(6, Endian::Little, 8), None);
        assert_eq!(
            Layout::new(10, Endian::Little, 8).unwrap().vtable_bytes(),
            24
        );
        assert_eq!(
            Layout::new(10, Endian::Little, 4).unwrap().vtable_bytes(),
            16
        );
    }
}
