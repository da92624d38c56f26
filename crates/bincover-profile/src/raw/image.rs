//! A raw profile made from what lies in a process's memory: what LLVM's runtime would have written.
//!
//! The runtime's own writer is `lprofWriteDataImpl` in `compiler-rt/lib/profile/InstrProfilingWriter.c`
//! at `llvmorg-22.1.8`, with `InstrProfilingBuffer.c` (paddings) and `InstrProfilingPlatformLinux.c`
//! (build ids) beside it. Written: every version that this crate reads.

use crate::bytes::{Endian, pad8};
use crate::kind::ProfileKind;
use crate::raw::header::RawHeader;
use crate::raw::layout::{Layout, RecordLayout};

/// The sections of one instrumented binary as they lie in a process.
///
/// In a binary without a section, its bytes are empty and its address is 0.
#[derive(Clone, Debug)]
pub struct RawImage<'a> {
    /// The value of the binary's `__llvm_profile_raw_version`: the version, and flags above.
    pub version_field: u64,
    /// The byte order of the process.
    pub endian: Endian,
    /// 4 or 8.
    pub pointer_bytes: u64,
    /// The build ids of the binary, in the order of their notes.
    pub build_ids: &'a [Vec<u8>],
    /// `__llvm_prf_data`.
    pub data: Placed<'a>,
    /// `__llvm_prf_cnts`. The address is that of the section, also when the runtime counts
    /// elsewhere (continuous mode).
    pub counters: Placed<'a>,
    /// `__llvm_prf_bits`.
    pub bitmaps: Placed<'a>,
    /// `__llvm_prf_names`.
    pub names: Placed<'a>,
    /// `__llvm_prf_vtab`.
    pub vtables: &'a [u8],
    /// `__llvm_prf_vns`.
    pub vtable_names: &'a [u8],
}

/// Bytes, and their address in the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placed<'a> {
    /// Where they lie in the process.
    pub address: u64,
    /// What lies there.
    pub bytes: &'a [u8],
}

/// What a version makes of the sections of a binary, without their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawShape {
    layout: Layout,
    counter_bytes: u64,
}

impl RawShape {
    /// `None`: the low 32 bits of `version_field` are no version that this crate knows, or
    /// `pointer_bytes` is neither 4 nor 8.
    #[must_use]
    pub fn new(version_field: u64, endian: Endian, pointer_bytes: u64) -> Option<Self> {
        if !matches!(pointer_bytes, 4 | 8) {
            return None;
        }
        let version = u32::try_from(version_field & 0xffff_ffff).ok()?;
        let kind = ProfileKind::from_version(version_field);
        Some(Self {
            layout: Layout::new(version, endian, pointer_bytes)?,
            counter_bytes: if kind.contains(ProfileKind::BYTE_COVERAGE) {
                1
            } else {
                8
            },
        })
    }

    /// The version field that fits `data`, for a binary whose `__llvm_profile_raw_version` cannot
    /// be found, because its symbols were stripped.
    ///
    /// A version fits if its records, taken one after another, tile the `counters`: each has some,
    /// each counter has one record. The newest one that fits is taken. Versions 9 and 10 have
    /// records of one size, and where there are neither bitmaps nor value sites they are the same
    /// in every byte. Of the flags, that of one-byte counters shows in the records; all others are
    /// taken to be clear, as in front-end coverage.
    #[must_use]
    pub fn deduce(
        data: Placed<'_>,
        counters: (u64, u64),
        bitmap_bytes: u64,
        endian: Endian,
        pointer_bytes: u64,
    ) -> Option<u64> {
        const BYTE_COVERAGE: u64 = 1 << 60;
        // Version 11 is left out, like 6: no compiler for a CPU has been seen to write it.
        let versions = [10_u64, 9, 8, 5].into_iter();
        let mut fields = versions.flat_map(|version| [version, version | BYTE_COVERAGE]);
        fields.find(|field| {
            Self::new(*field, endian, pointer_bytes)
                .is_some_and(|shape| shape.fits(data, counters, bitmap_bytes))
        })
    }

    fn fits(&self, data: Placed<'_>, (at, bytes): (u64, u64), bitmap_bytes: u64) -> bool {
        let record = &self.layout.record;
        let (Ok(stride), Ok(width)) = (
            usize::try_from(record.bytes),
            usize::try_from(self.layout.pointer_bytes),
        ) else {
            return false;
        };
        if data.bytes.is_empty() || !data.bytes.len().is_multiple_of(stride) {
            return false;
        }
        let endian = self.layout.endian;
        let mut total = 0_u64;
        let mut bitmaps = 0_u64;
        let mut address = data.address;
        for one in data.bytes.chunks_exact(stride) {
            let pointer = match width {
                4 => u64::from(endian.u32(&one[16..])),
                _ => endian.u64(&one[16..]),
            };
            let start = match self.layout.relative_counters {
                true => pointer.wrapping_add(address),
                false => pointer,
            };
            let start = match width {
                4 => start & 0xffff_ffff,
                _ => start,
            };
            let own = u64::from(endian.u32(&one[record.counter_count..])) * self.counter_bytes;
            let inside = start
                .checked_sub(at)
                .and_then(|offset| offset.checked_add(own))
                .is_some_and(|end| end <= bytes);
            if own == 0 || !inside {
                return false;
            }
            if let Some((_, count)) = record.bitmap {
                bitmaps += u64::from(endian.u32(&one[count..]));
            }
            total += own;
            address = address.wrapping_add(record.bytes);
        }
        // The section's end may be rounded up when counters are bytes.
        (total..total + 8).contains(&bytes) && (bitmaps..bitmaps + 8).contains(&bitmap_bytes)
    }

    /// 8, or 1 for byte coverage.
    #[must_use]
    pub fn counter_bytes(&self) -> u64 {
        self.counter_bytes
    }

    /// The size of a data record.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.layout.record.bytes
    }
}

impl RawImage<'_> {
    /// The profile, byte for byte what the runtime would write now, except for value data: a value
    /// site is written without values, which lie in linked lists all over the process.
    ///
    /// `None`: the version or the pointer width is none that this crate knows.
    #[must_use]
    pub fn write(&self) -> Option<Vec<u8>> {
        let shape = RawShape::new(self.version_field, self.endian, self.pointer_bytes)?;
        let layout = &shape.layout;
        let mut out = Out {
            bytes: Vec::with_capacity(self.size_hint()),
            endian: self.endian,
        };
        self.write_header(&shape, &mut out);
        if layout.binary_ids {
            for id in self.build_ids {
                out.u64(id.len() as u64);
                out.padded(id);
            }
        }
        out.bytes.extend_from_slice(self.whole_records(layout));
        match layout.padding {
            true => out.padded(self.counters.bytes),
            false => out.bytes.extend_from_slice(self.counters.bytes),
        }
        if layout.bitmaps {
            out.padded(self.bitmaps.bytes);
        }
        out.padded(self.names.bytes);
        if layout.vtables {
            out.padded(self.whole_vtables(layout));
            out.padded(self.vtable_names);
        }
        self.write_empty_sites(&layout.record, &mut out);
        Some(out.bytes)
    }

    /// Enough for all but value sites.
    fn size_hint(&self) -> usize {
        let sections = [
            self.data.bytes,
            self.counters.bytes,
            self.bitmaps.bytes,
            self.names.bytes,
            self.vtables,
            self.vtable_names,
        ];
        let ids: usize = self.build_ids.iter().map(|id| id.len() + 16).sum();
        256 + ids + sections.iter().map(|bytes| bytes.len() + 8).sum::<usize>()
    }

    /// The runtime counts whole records, rounded up; a linker makes no others, so it is the same.
    fn whole_records(&self, layout: &Layout) -> &[u8] {
        whole(self.data.bytes, layout.record.bytes)
    }

    fn whole_vtables(&self, layout: &Layout) -> &[u8] {
        whole(self.vtables, layout.vtable_bytes())
    }

    /// The fields in the order in which `RawHeader::parse` reads them.
    fn write_header(&self, shape: &RawShape, out: &mut Out) {
        let layout = &shape.layout;
        let records = self.whole_records(layout).len() as u64 / layout.record.bytes;
        let is_correlated = records == 0 && self.names.bytes.is_empty();
        let distance = |from: Placed<'_>| {
            let delta = from.address.wrapping_sub(self.data.address);
            match layout.pointer_bytes {
                4 => delta & 0xffff_ffff,
                _ => delta,
            }
        };
        let counters_delta = match (is_correlated, layout.relative_counters) {
            (true, _) => 0,
            (false, true) => distance(self.counters),
            (false, false) => self.counters.address,
        };

        out.u64(magic(layout.pointer_bytes));
        out.u64(self.version_field);
        if layout.binary_ids {
            let ids = self.build_ids.iter().map(|id| id.len() as u64);
            out.u64(ids.map(|len| 8 + len + pad8(len)).sum());
        }
        out.u64(records);
        if layout.padding {
            out.u64(0);
        }
        let counter_bytes = self.counters.bytes.len() as u64;
        out.u64(counter_bytes / shape.counter_bytes);
        if layout.padding {
            out.u64(pad8(counter_bytes));
        }
        if layout.bitmaps {
            let bitmap_bytes = self.bitmaps.bytes.len() as u64;
            out.u64(bitmap_bytes);
            out.u64(pad8(bitmap_bytes));
        }
        if layout.uniform_counters {
            // Their number, their padding, their distance.
            out.bytes.extend([0; 24]);
        }
        out.u64(self.names.bytes.len() as u64);
        out.u64(counters_delta);
        if layout.bitmaps {
            out.u64(distance(self.bitmaps));
        }
        out.u64(if is_correlated { 0 } else { self.names.address });
        if layout.vtables {
            out.u64(self.whole_vtables(layout).len() as u64 / layout.vtable_bytes());
            out.u64(self.vtable_names.len() as u64);
        }
        // LLVM: `IPVK_Last`.
        out.u64(layout.record.value_kinds as u64 - 1);
    }

    /// For each record with value sites the block that a reader expects, with no value in any site.
    fn write_empty_sites(&self, record: &RecordLayout, out: &mut Out) {
        let Ok(stride) = usize::try_from(record.bytes) else {
            return;
        };
        for one in self.data.bytes.chunks_exact(stride) {
            let sites = |kind: usize| self.endian.u16(&one[record.site_counts + 2 * kind..]);
            let kinds = || (0..record.value_kinds).filter(|kind| sites(*kind) > 0);
            let kind_bytes = |kind| {
                let plain = 8 + u32::from(sites(kind));
                plain.next_multiple_of(8)
            };
            let count = kinds().count();
            if count == 0 {
                continue;
            }
            out.u32(8 + kinds().map(kind_bytes).sum::<u32>());
            out.u32(u32::try_from(count).unwrap_or(u32::MAX));
            for kind in kinds() {
                out.u32(u32::try_from(kind).unwrap_or(u32::MAX));
                out.u32(u32::from(sites(kind)));
                let filled = out.bytes.len() + kind_bytes(kind) as usize - 8;
                out.bytes.resize(filled, 0);
            }
        }
    }
}

impl RawHeader {
    /// The size of the whole profile up to its value data, as the header claims it. `None` if no
    /// file can have that size.
    #[must_use]
    pub fn claimed_bytes(&self) -> Option<u64> {
        let sections = self.sections(u64::MAX / 2, 0).ok()?;
        u64::try_from(sections.end).ok()
    }

    /// Where the counters begin, in bytes from the header, if the header makes sense.
    #[must_use]
    pub fn counters_at(&self) -> Option<u64> {
        let sections = self.sections(u64::MAX / 2, 0).ok()?;
        u64::try_from(sections.counters.start).ok()
    }

    /// The size of the header itself, behind which the build ids lie.
    #[must_use]
    pub fn header_bytes(&self) -> u64 {
        self.layout.header_bytes
    }

    /// Reads the header at the start of a file whose first bytes are `head`. `None` if there is
    /// none of a known version.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        Self::parse(head, 0).ok()
    }
}

fn whole(bytes: &[u8], size: u64) -> &[u8] {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    &bytes[..bytes.len() - bytes.len() % size]
}

/// LLVM: `INSTR_PROF_RAW_MAGIC_64` and `INSTR_PROF_RAW_MAGIC_32`.
fn magic(pointer_bytes: u64) -> u64 {
    match pointer_bytes {
        4 => 0xff6c_7072_6f66_5281,
        _ => 0xff6c_7072_6f66_7281,
    }
}

struct Out {
    bytes: Vec<u8>,
    endian: Endian,
}

impl Out {
    fn u64(&mut self, value: u64) {
        match self.endian {
            Endian::Little => self.bytes.extend(value.to_le_bytes()),
            Endian::Big => self.bytes.extend(value.to_be_bytes()),
        }
    }

    fn u32(&mut self, value: u32) {
        match self.endian {
            Endian::Little => self.bytes.extend(value.to_le_bytes()),
            Endian::Big => self.bytes.extend(value.to_be_bytes()),
        }
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let padding = usize::try_from(pad8(bytes.len() as u64)).unwrap_or(0);
        self.bytes.resize(self.bytes.len() + padding, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::RawProfile;

    /// Takes a profile apart as if its sections lay in a process, and puts it together again.
    fn again(profile: &[u8]) -> (Vec<u8>, Option<u64>) {
        let header = RawHeader::parse(profile, 0).unwrap();
        let layout = header.layout;
        let sections = header.sections(profile.len() as u64, 0).unwrap();
        let mut ids = Vec::new();
        let mut rest = &profile[sections.binary_ids.clone()];
        while !rest.is_empty() {
            let len = usize::try_from(layout.endian.u64(rest)).unwrap();
            ids.push(rest[8..8 + len].to_vec());
            rest = &rest[8 + len.next_multiple_of(8)..];
        }
        // Any address will do for the data; the header says how far away the others are.
        let data = match layout.pointer_bytes {
            4 => 0x5000_0000,
            _ => 0x5555_0000_0000_u64,
        };
        let far = |delta: u64| match layout.pointer_bytes {
            4 => data.wrapping_add(delta) & 0xffff_ffff,
            _ => data.wrapping_add(delta),
        };
        let counters = match layout.relative_counters {
            true => far(header.counters_delta),
            false => header.counters_delta,
        };
        let words = usize::try_from(layout.header_bytes).unwrap();
        let names_delta = words - if layout.vtables { 32 } else { 16 };
        let placed = |address, range: &std::ops::Range<usize>| Placed {
            address,
            bytes: &profile[range.clone()],
        };
        let image = RawImage {
            version_field: header.version_field,
            endian: layout.endian,
            pointer_bytes: layout.pointer_bytes,
            build_ids: &ids,
            data: placed(data, &sections.records),
            counters: placed(counters, &sections.counters),
            bitmaps: placed(far(header.bitmap_delta), &sections.bitmaps),
            names: placed(layout.endian.u64(&profile[names_delta..]), &sections.names),
            vtables: &profile[sections.vtables.clone()],
            vtable_names: &profile[sections.vtable_names.clone()],
        };
        let deduced = RawShape::deduce(
            image.data,
            (image.counters.address, image.counters.bytes.len() as u64),
            image.bitmaps.bytes.len() as u64,
            image.endian,
            image.pointer_bytes,
        );
        (image.write().unwrap(), deduced)
    }

    #[test]
    fn what_the_runtime_wrote_comes_out_again() {
        let mut seen = std::collections::BTreeSet::new();
        for path in bincover_testkit::fixtures_ending("raw", ".profraw") {
            let bytes = std::fs::read(&path).unwrap();
            let Ok(header) = RawHeader::parse(&bytes, 0) else {
                continue;
            };
            // Several profiles in one file are written one after another; the first will do.
            let end = header.sections(bytes.len() as u64, 0).unwrap().end;
            let (ours, deduced) = again(&bytes);
            assert_eq!(ours[..end], bytes[..end], "{}", path.display());
            seen.insert((header.version(), header.layout.pointer_bytes));

            // With the values left out, a reader is still content.
            assert!(RawProfile::parse(&ours, 0).is_ok());

            // Of the flags, only that of one-byte counters can be seen in the records.
            let flags = header.version_field >> 32 & !(1 << 28);
            if flags == 0 && header.record_count > 0 {
                let wanted = match header.version() {
                    4 => header.version_field + 1,
                    7 => 5,
                    _ => header.version_field,
                };
                let deduced = deduced.unwrap_or_else(|| panic!("{}", path.display()));
                let bare = header.bitmap_bytes == 0 && ours.len() == end;
                match (header.version(), bare) {
                    (9, true) => assert_eq!(deduced & 0xffff_ffff, 10),
                    _ => assert_eq!(deduced, wanted, "{}", path.display()),
                }
            }
        }
        assert!(
            seen.contains(&(10, 8)) && seen.contains(&(10, 4)),
            "{seen:?}"
        );
    }

    #[test]
    fn unknown_versions_are_refused() {
        assert_eq!(RawShape::new(6, Endian::Little, 8), None);
        assert_eq!(RawShape::new(10, Endian::Little, 2), None);
        let empty = Placed::default();
        assert_eq!(RawShape::deduce(empty, (0, 0), 0, Endian::Little, 8), None);
    }
}
