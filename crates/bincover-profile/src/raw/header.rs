//! The header and where the sections lie (LLVM: `RawInstrProf::Header`).

use std::ops::Range;

use crate::bytes::{Cursor, pad8};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::{FileKind, ProfileKind};
use crate::raw::layout::{Layout, NEWEST};

/// A raw profile's header. Sizes are in bytes, counts in entries.
#[derive(Clone, Debug)]
pub struct RawHeader {
    pub(crate) layout: Layout,
    /// The version field: the version, and flags in the high bits (LLVM: `Version`).
    pub version_field: u64,
    /// The flags of the version field.
    pub kind: ProfileKind,
    /// Size of the build ids after the header (LLVM: `BinaryIdsSize`).
    pub binary_id_bytes: u64,
    /// Data records (LLVM: `NumData`).
    pub record_count: u64,
    /// LLVM: `PaddingBytesBeforeCounters`.
    pub padding_before_counters: u64,
    /// Counter entries, of 8 bytes or of one (LLVM: `NumCounters`).
    pub counter_count: u64,
    /// LLVM: `PaddingBytesAfterCounters`.
    pub padding_after_counters: u64,
    /// LLVM: `NumBitmapBytes`.
    pub bitmap_bytes: u64,
    /// LLVM: `PaddingBytesAfterBitmapBytes`.
    pub padding_after_bitmap: u64,
    /// Counters of a GPU's uniform branches, which are stepped over (LLVM: `NumUniformCounters`).
    pub uniform_counter_count: u64,
    /// LLVM: `PaddingBytesAfterUniformCounters`.
    pub padding_after_uniform_counters: u64,
    /// LLVM: `NamesSize`.
    pub name_bytes: u64,
    /// Distance from data to counters in the process, or the counters' address before version 8.
    pub counters_delta: u64,
    /// Distance from data to bitmaps; arbitrary if there are none.
    pub bitmap_delta: u64,
    /// LLVM: `NumVTables`.
    pub vtable_count: u64,
    /// LLVM: `VNamesSize`.
    pub vtable_name_bytes: u64,
}

/// Where the sections of one profile lie, in bytes from its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) binary_ids: Range<usize>,
    pub(crate) records: Range<usize>,
    pub(crate) counters: Range<usize>,
    pub(crate) bitmaps: Range<usize>,
    pub(crate) names: Range<usize>,
    pub(crate) vtables: Range<usize>,
    pub(crate) vtable_names: Range<usize>,
    /// Where value data begins.
    pub(crate) end: usize,
}

impl RawHeader {
    /// Reads the header at the start of `bytes`, which lies at `offset` of its file.
    pub(crate) fn parse(bytes: &[u8], offset: u64) -> Result<Self> {
        let Some(FileKind::Raw {
            endian,
            pointer_bytes,
        }) = FileKind::sniff(bytes)
        else {
            return Err(Error::new(
                ErrorKind::BadMagic,
                "magic",
                offset,
                "a raw profile",
                "something else",
            ));
        };
        let bad_header = |error: Error| error.reclassify(ErrorKind::BadHeader);
        let mut cursor = Cursor::new(bytes, offset, endian);
        cursor.u64("magic").map_err(bad_header)?;
        let version_at = cursor.offset();
        let word = cursor.u64("version").map_err(bad_header)?;
        let version = u32::try_from(word & 0xffff_ffff).unwrap_or(u32::MAX);
        let Some(layout) = Layout::new(version, endian, pointer_bytes) else {
            return Err(unsupported(version, version_at));
        };

        let mut next = |what| {
            cursor
                .u64(what)
                .map_err(|error| bad_header(error).in_context(layout))
        };
        let binary_id_bytes = if layout.binary_ids {
            next("BinaryIdsSize")?
        } else {
            0
        };
        let record_count = next("NumData")?;
        let padding_before_counters = if layout.padding {
            next("PaddingBytesBeforeCounters")?
        } else {
            0
        };
        let counter_count = next("NumCounters")?;
        let padding_after_counters = if layout.padding {
            next("PaddingBytesAfterCounters")?
        } else {
            0
        };
        let (bitmap_bytes, padding_after_bitmap) = if layout.bitmaps {
            (
                next("NumBitmapBytes")?,
                next("PaddingBytesAfterBitmapBytes")?,
            )
        } else {
            (0, 0)
        };
        let (uniform_counter_count, padding_after_uniform_counters) = if layout.uniform_counters {
            let sizes = (
                next("NumUniformCounters")?,
                next("PaddingBytesAfterUniformCounters")?,
            );
            next("UniformCountersDelta")?;
            sizes
        } else {
            (0, 0)
        };
        let name_bytes = next("NamesSize")?;
        let counters_delta = next("CountersDelta")?;
        let bitmap_delta = if layout.bitmaps {
            next("BitmapDelta")?
        } else {
            0
        };
        next("NamesDelta")?;
        let (vtable_count, vtable_name_bytes) = if layout.vtables {
            (next("NumVTables")?, next("VNamesSize")?)
        } else {
            (0, 0)
        };
        next("ValueKindLast")?;

        Ok(Self {
            layout,
            version_field: word,
            kind: ProfileKind::from_version(word),
            binary_id_bytes,
            record_count,
            padding_before_counters,
            counter_count,
            padding_after_counters,
            bitmap_bytes,
            padding_after_bitmap,
            uniform_counter_count,
            padding_after_uniform_counters,
            name_bytes,
            counters_delta,
            bitmap_delta,
            vtable_count,
            vtable_name_bytes,
        })
    }

    /// The format's version (low 32 bits of LLVM's `Version`).
    #[must_use]
    pub fn version(&self) -> u32 {
        self.layout.version
    }

    /// 8, or 1 for byte coverage.
    #[must_use]
    pub fn counter_bytes(&self) -> u64 {
        if self.kind.contains(ProfileKind::BYTE_COVERAGE) {
            1
        } else {
            8
        }
    }

    /// Counters without records: names and records stayed in the debug info or the binary.
    #[must_use]
    pub fn is_correlated(&self) -> bool {
        self.record_count == 0 && self.counter_count > 0
    }

    /// Where the fields lie that hold addresses and so differ from run to run, in bytes from the
    /// header's start; each has 8 (LLVM: `NamesDelta`, and `BitmapDelta` if there are no bitmaps).
    pub(crate) fn addresses(&self) -> impl Iterator<Item = usize> + use<> {
        let fields_after_names_delta = if self.layout.vtables { 3 } else { 1 };
        let names_delta = usize::try_from(self.layout.header_bytes)
            .ok()
            .and_then(|header| header.checked_sub(8 * (fields_after_names_delta + 1)));
        let is_without_bitmaps = self.layout.bitmaps && self.bitmap_bytes == 0;
        let bitmap_delta = names_delta.filter(|_| is_without_bitmaps).map(|at| at - 8);
        names_delta.into_iter().chain(bitmap_delta)
    }

    /// Where the build ids lie; they are checked before anything else.
    pub(crate) fn binary_ids(&self, available: u64, offset: u64) -> Result<Range<usize>> {
        let layout = &self.layout;
        if !self.binary_id_bytes.is_multiple_of(8) {
            return Err(Error::new(
                ErrorKind::BadHeader,
                "BinaryIdsSize",
                offset + 0x10,
                "a multiple of 8",
                self.binary_id_bytes,
            )
            .in_context(layout));
        }
        let mut walk = Walk::new(available, offset, layout);
        walk.next("header", layout.header_bytes, 1)?;
        walk.next("binary ids", self.binary_id_bytes, 1)
    }

    /// Lays the sections out and checks that all of them are inside `available` bytes.
    pub(crate) fn sections(&self, available: u64, offset: u64) -> Result<Sections> {
        let layout = &self.layout;
        let mut walk = Walk::new(available, offset, layout);
        walk.next("header", layout.header_bytes, 1)?;
        let binary_ids = walk.next("binary ids", self.binary_id_bytes, 1)?;
        let records = walk.next("data records", self.record_count, layout.record.bytes)?;
        walk.next("padding before counters", self.padding_before_counters, 1)?;
        let counters = walk.next("counters", self.counter_count, self.counter_bytes())?;
        walk.next("padding after counters", self.padding_after_counters, 1)?;
        let bitmaps = walk.next("bitmaps", self.bitmap_bytes, 1)?;
        walk.next("padding after bitmaps", self.padding_after_bitmap, 1)?;
        walk.next("uniform counters", self.uniform_counter_count, 8)?;
        walk.next(
            "padding after uniform counters",
            self.padding_after_uniform_counters,
            1,
        )?;
        let names = walk.next("names", self.name_bytes, 1)?;
        walk.next("padding after names", pad8(self.name_bytes), 1)?;
        let vtables = walk.next("vtables", self.vtable_count, layout.vtable_bytes())?;
        walk.next("padding after vtables", pad8(vtables.len() as u64), 1)?;
        let vtable_names = walk.next("vtable names", self.vtable_name_bytes, 1)?;
        let end = walk.next(
            "padding after vtable names",
            pad8(self.vtable_name_bytes),
            1,
        )?;
        Ok(Sections {
            binary_ids,
            records,
            counters,
            bitmaps,
            names,
            vtables,
            vtable_names,
            end: end.end,
        })
    }
}

impl Sections {
    /// The part of each section that lies in the first `available` bytes; what lies behind is
    /// empty.
    pub(crate) fn clipped(&self, available: usize) -> Self {
        let clip = |range: &Range<usize>| range.start.min(available)..range.end.min(available);
        Self {
            binary_ids: clip(&self.binary_ids),
            records: clip(&self.records),
            counters: clip(&self.counters),
            bitmaps: clip(&self.bitmaps),
            names: clip(&self.names),
            vtables: clip(&self.vtables),
            vtable_names: clip(&self.vtable_names),
            end: self.end.min(available),
        }
    }
}

/// Steps from section to section.
struct Walk<'a> {
    at: u64,
    available: u64,
    offset: u64,
    layout: &'a Layout,
}

impl<'a> Walk<'a> {
    fn new(available: u64, offset: u64, layout: &'a Layout) -> Self {
        Self {
            at: 0,
            available,
            offset,
            layout,
        }
    }

    fn next(&mut self, what: &'static str, count: u64, size: u64) -> Result<Range<usize>> {
        let left = self.available - self.at;
        let bytes = count.checked_mul(size).filter(|bytes| *bytes <= left);
        let Some(bytes) = bytes else {
            let at = self.offset + self.at;
            let error = match count.checked_mul(size) {
                Some(wanted) => Error::truncated(what, at, wanted, left),
                None => {
                    Error::malformed(what, at, format_args!("{count} times {size} bytes"), left)
                }
            };
            return Err(error
                .reclassify(ErrorKind::BadHeader)
                .in_context(self.layout));
        };
        let start = self.at;
        self.at += bytes;
        // Both are at most `available`, the length of a slice.
        let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Ok(position(start)..position(self.at))
    }
}

#[cold]
fn unsupported(version: u32, offset: u64) -> Error {
    let found = if version > NEWEST {
        format!("{version}, newer than the newest known, {NEWEST}")
    } else {
        format!("{version}")
    };
    Error::new(
        ErrorKind::RawVersionMismatch,
        "raw profile version",
        offset,
        "4, 5, 7, 8, 9, 10 or 11",
        found,
    )
    // LLVM 22's words; its tools read version 10 alone.
    .with_detail(format_args!(
        "Profile uses raw profile format version = {version}; expected version = 10\n\
         PLEASE update this tool to version in the raw profile, or regenerate raw profile with expected version."
    ))
}
