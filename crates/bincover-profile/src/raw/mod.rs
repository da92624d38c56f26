//! Raw profiles (`.profraw`): what an instrumented program writes.
//!
//! Layout: LLVM `compiler-rt/include/profile/InstrProfData.inc` at `llvmorg-22.1.8`; reader:
//! `RawInstrProfReader` in `llvm/lib/ProfileData/InstrProfReader.cpp`. Read: versions 4 (LLVM 9),
//! 5, 7, 8, 9, 10 (LLVM 19 to 22) and 11 (LLVM 23), both byte orders and pointer widths.
//!
//! Version 11 is that of LLVM pull request 190708. It adds what GPUs need: a section of uniform
//! counters with three header fields, and in each record `UniformCounterPtr` and
//! `OffloadDeviceWaveSize`. Programs that run on a CPU leave all of them zero. They are stepped
//! over: no other format here has a place for them. Tested with rewritten version 10 files, for
//! lack of a compiler that writes it.
//!
//! [`RawImage`] goes the other way: from a process's memory to the bytes that it would write.

mod frame;
mod head;
mod header;
mod image;
mod layout;
mod reader;
mod record;
mod value_frame;

pub(crate) use frame::Gathered;
pub(crate) use frame::Spot;
pub use frame::{Frame, Functions, Identity};
pub use head::RawHead;
pub use header::RawHeader;
pub use image::{Placed, RawImage, RawShape};
pub use reader::{RawProfile, RawProfiles, RawValues};
pub(crate) use reader::{binary_ids, read_value_block};
pub use record::{Counters, RawRecord, RawRecords};
pub use value_frame::{ValueFrame, ValueRun};

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use crate::{Merger, indexed};

    /// A little-endian profile of version 10 as the same program would write it in version 11, with
    /// `uniform` words in the new section.
    fn to_version_11(old: &[u8], uniform: usize) -> Vec<u8> {
        let word = |index: usize| u64::from_le_bytes(old[8 * index..][..8].try_into().unwrap());
        let size = |index: usize| usize::try_from(word(index)).unwrap();
        assert_eq!(word(1) & 0xffff_ffff, 10);
        let width = if old[1] == b'R' { 4 } else { 8 };
        let record = if width == 4 { 48 } else { 64 };
        let counter = if word(1) >> 60 & 1 == 1 { 1 } else { 8 };

        let mut new = old[..8].to_vec();
        new.extend((word(1) + 1).to_le_bytes());
        new.extend(&old[16..9 * 8]);
        new.extend(
            [uniform as u64, 0, 0x1234]
                .map(u64::to_le_bytes)
                .as_flattened(),
        );
        new.extend(&old[9 * 8..16 * 8 + size(2)]);

        let mut at = 16 * 8 + size(2);
        for index in 0..word(3) {
            let old = &old[at..at + record];
            // A record has moved by 8 bytes more than the one before it.
            let closer = |pointer: &[u8]| match width {
                4 => {
                    let far = u32::from_le_bytes(pointer.try_into().unwrap());
                    let near = far.wrapping_sub(8 * u32::try_from(index).unwrap());
                    near.to_le_bytes().to_vec()
                }
                _ => {
                    let far = u64::from_le_bytes(pointer.try_into().unwrap());
                    far.wrapping_sub(8 * index).to_le_bytes().to_vec()
                }
            };
            new.extend(&old[..16]);
            new.extend(closer(&old[16..16 + width]));
            new.extend(vec![0; width]);
            new.extend(closer(&old[16 + width..16 + 2 * width]));
            // Two pointers, counters, sites; the padding is the wave size now.
            new.extend(&old[16 + 2 * width..]);
            new.extend(vec![0; 8 - width]);
            at += record;
        }
        let names = at + size(4) + counter * size(5) + size(6) + size(7) + size(8);
        new.extend(&old[at..names]);
        new.extend(vec![0xaa; 8 * uniform]);
        new.extend(&old[names..]);
        new
    }

    fn merged(profile: &[u8]) -> Vec<u8> {
        let mut merger = Merger::new();
        merger.add("a.profraw", profile, NonZeroU64::MIN);
        let merged = merger.finish();
        assert_eq!(merged.ledger.entries.len(), 0);
        indexed::write(&merged.profile, &indexed::WriteOptions::default())
    }

    #[test]
    fn version_11() {
        macro_rules! case {
            ($name:literal) => {
                &include_bytes!(concat!("../../../../testdata/raw/", $name, "/1.profraw"))[..]
            };
        }
        for profile in [
            case!("clang22-c"),
            case!("clang22-32bit"),
            case!("clang22-mcdc"),
            case!("clang22-bytes"),
            case!("clang22-vtables"),
            case!("clang22-temporal"),
        ] {
            let expected = merged(profile);
            assert_eq!(merged(&to_version_11(profile, 0)), expected);
            assert_eq!(merged(&to_version_11(profile, 5)), expected);
        }
    }
}
