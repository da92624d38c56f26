//! Data records with the counters and bitmaps that they point to (LLVM:
//! `RawInstrProfReader::readNextRecord`).

use std::ops::Range;

use crate::bytes::Endian;
use crate::error::{Error, Result};
use crate::kind::ProfileKind;
use crate::limits::MAX_SHARED;
use crate::names::NameRef;
use crate::profile::FunctionHash;
use crate::raw::reader::RawProfile;

/// A function's counters as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub enum Counters<'a> {
    /// 8 bytes each.
    Words(&'a [u8], Endian),
    /// One byte each; 0 means reached.
    Bytes(&'a [u8]),
    /// Decoded already.
    Decoded(&'a [u64]),
}

impl Counters<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Words(bytes, _) => bytes.len() / 8,
            Self::Bytes(bytes) => bytes.len(),
            Self::Decoded(counts) => counts.len(),
        }
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The count of this index, without decoding the others.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u64> {
        match *self {
            Self::Words(bytes, endian) => {
                let words: &[[u8; 8]] = bytes.as_chunks().0;
                words.get(index).map(|word| endian.u64(word))
            }
            Self::Bytes(bytes) => bytes.get(index).map(|byte| u64::from(*byte == 0)),
            Self::Decoded(counts) => counts.get(index).copied(),
        }
    }

    /// Those of these indices.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::Words(bytes, endian) => {
                Self::Words(&bytes[8 * range.start..8 * range.end], endian)
            }
            Self::Bytes(bytes) => Self::Bytes(&bytes[range]),
            Self::Decoded(counts) => Self::Decoded(&counts[range]),
        }
    }

    /// Calls `visit` with each count and the slot of `target` that belongs to it. The loops are
    /// apart so that each can be a tight one.
    pub(crate) fn zip_into(&self, target: &mut [u64], mut visit: impl FnMut(&mut u64, u64)) {
        match *self {
            Self::Words(bytes, Endian::Little) => {
                for (slot, word) in target.iter_mut().zip(bytes.as_chunks().0) {
                    visit(slot, u64::from_le_bytes(*word));
                }
            }
            Self::Words(bytes, Endian::Big) => {
                for (slot, word) in target.iter_mut().zip(bytes.as_chunks().0) {
                    visit(slot, u64::from_be_bytes(*word));
                }
            }
            Self::Bytes(bytes) => {
                for (slot, byte) in target.iter_mut().zip(bytes) {
                    visit(slot, u64::from(*byte == 0));
                }
            }
            Self::Decoded(counts) => {
                for (slot, count) in target.iter_mut().zip(counts) {
                    visit(slot, *count);
                }
            }
        }
    }

    /// Appends the counts to `target`.
    pub fn decode_into(&self, target: &mut Vec<u64>) {
        match *self {
            Self::Words(bytes, Endian::Little) => {
                let words = bytes.as_chunks().0.iter();
                target.extend(words.map(|word| u64::from_le_bytes(*word)));
            }
            Self::Words(bytes, Endian::Big) => {
                let words = bytes.as_chunks().0.iter();
                target.extend(words.map(|word| u64::from_be_bytes(*word)));
            }
            Self::Bytes(bytes) => {
                target.extend(bytes.iter().map(|byte| u64::from(*byte == 0)));
            }
            Self::Decoded(counts) => target.extend_from_slice(counts),
        }
    }

    /// The first count, without decoding the others.
    pub(crate) fn first(&self) -> Option<u64> {
        self.get(0)
    }
}

/// One function's record.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// LLVM: `NameRef`.
    pub name: NameRef,
    /// LLVM: `FuncHash`.
    pub hash: FunctionHash,
    /// The counters, a time stamp taken off.
    pub counters: Counters<'a>,
    /// When the function was first entered, in a temporal profile; neither 0 nor all ones.
    pub timestamp: Option<u64>,
    /// MC/DC bitmap.
    pub bitmap: &'a [u8],
    /// The record announces value sites: a block of value data belongs to it.
    pub has_values: bool,
    /// Where the counters begin in their section, in bytes.
    pub(crate) counters_at: usize,
    /// Where the bitmap begins in its section; 0 if there is none.
    pub(crate) bitmap_at: usize,
}

/// The records of one raw profile, in file order. After an error it ends, unless it is to
/// [keep going](RawRecords::keep_going).
#[derive(Clone, Debug)]
pub struct RawRecords<'p, 'a> {
    profile: &'p RawProfile<'a>,
    index: u64,
    /// Bytes of the counters and bitmaps so far, those that are shared as often as they are.
    counted: u64,
    failed: bool,
    keeps_going: bool,
}

impl<'p, 'a> RawRecords<'p, 'a> {
    pub(crate) fn new(profile: &'p RawProfile<'a>) -> Self {
        Self {
            profile,
            index: 0,
            counted: 0,
            failed: false,
            keeps_going: false,
        }
    }

    /// Gives the records after a bad one too.
    #[must_use]
    pub fn keep_going(mut self) -> Self {
        self.keeps_going = true;
        self
    }

    /// The name of the record that was given last, good or bad.
    #[must_use]
    pub fn last_name(&self) -> Option<NameRef> {
        let layout = &self.profile.header().layout;
        let size = usize::try_from(layout.record.bytes).ok()?;
        let start = usize::try_from(self.index.checked_sub(1)?)
            .ok()?
            .checked_mul(size)?;
        let bytes = self.profile.records_section().get(start..start + size)?;
        Some(NameRef(layout.endian.u64(bytes)))
    }

    fn most_counted(&self) -> u64 {
        let sections = self.profile.counters().len() + self.profile.bitmaps().len();
        // Counters of one byte are 8 in memory.
        MAX_SHARED.max(16 * sections as u64)
    }

    fn record(&self, bytes: &'a [u8], offset: u64) -> Result<RawRecord<'a>> {
        let header = self.profile.header();
        let layout = &header.layout;
        let fields = &layout.record;
        let endian = layout.endian;
        let pointer = |at: usize| match layout.pointer_bytes {
            8 => endian.u64(&bytes[at..]),
            _ => u64::from(endian.u32(&bytes[at..])),
        };
        let place = Place {
            offset,
            // Each record has its own base: pointers are relative to the record that holds them.
            adjustment: if layout.relative_counters {
                self.index.wrapping_mul(fields.bytes)
            } else {
                0
            },
        };

        let count = u64::from(endian.u32(&bytes[fields.counter_count..]));
        if count == 0 {
            return Err(Error::malformed(
                "number of counters",
                offset + fields.counter_count as u64,
                "at least 1",
                0,
            )
            .with_detail("number of counters is zero"));
        }
        let (counters_at, counters) = place.slice(
            &COUNTERS,
            self.profile.counters(),
            pointer(16).wrapping_sub(header.counters_delta),
            count,
            header.counter_bytes(),
        )?;
        let (bitmap_at, bitmap) = match fields.bitmap {
            Some((at, size_at)) if endian.u32(&bytes[size_at..]) > 0 => place.slice(
                &BITMAPS,
                self.profile.bitmaps(),
                pointer(at).wrapping_sub(header.bitmap_delta),
                u64::from(endian.u32(&bytes[size_at..])),
                1,
            )?,
            _ => (0, &[][..]),
        };
        let (timestamp, counters) = self.split_timestamp(counters, offset)?;
        let sites = &bytes[fields.site_counts..fields.site_counts + 2 * fields.value_kinds];
        Ok(RawRecord {
            name: NameRef(endian.u64(bytes)),
            hash: FunctionHash(endian.u64(&bytes[8..])),
            counters: match header.counter_bytes() {
                1 => Counters::Bytes(counters),
                _ => Counters::Words(counters, endian),
            },
            timestamp,
            bitmap,
            has_values: sites.iter().any(|&byte| byte != 0),
            counters_at,
            bitmap_at,
        })
    }

    /// A temporal profile keeps a time stamp in the first 8 bytes of a function's counters.
    fn split_timestamp(&self, counters: &'a [u8], offset: u64) -> Result<(Option<u64>, &'a [u8])> {
        let header = self.profile.header();
        if !header.kind.contains(ProfileKind::TEMPORAL) {
            return Ok((None, counters));
        }
        let Some((stamp, rest)) = counters.split_first_chunk::<8>() else {
            return Err(Error::malformed(
                "number of counters",
                offset,
                "room for a time stamp of 8 bytes",
                counters.len(),
            ));
        };
        let stamp = header.layout.endian.u64(stamp);
        Ok(((stamp != 0 && stamp != u64::MAX).then_some(stamp), rest))
    }
}

impl<'a> Iterator for RawRecords<'_, 'a> {
    type Item = Result<RawRecord<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let size = usize::try_from(self.profile.header().layout.record.bytes).ok()?;
        let start = usize::try_from(self.index).ok()?.checked_mul(size)?;
        let bytes = self.profile.records_section().get(start..start + size)?;
        let offset = self.profile.records_offset() + start as u64;
        let mut record = self.record(bytes, offset);
        self.index += 1;
        if let Ok(read) = &record {
            self.counted += (8 * read.counters.len() + read.bitmap.len()) as u64;
            if self.counted > self.most_counted() {
                record = Err(Error::malformed(
                    "counters of all functions",
                    offset,
                    format_args!("at most {} bytes", self.most_counted()),
                    self.counted,
                ));
            }
        }
        self.failed = record.is_err() && !self.keeps_going;
        Some(record.map_err(|error| error.in_context(self.profile.header().layout)))
    }
}

/// The words for a section that records point into.
struct Pointed {
    offset: &'static str,
    count: &'static str,
}

const COUNTERS: Pointed = Pointed {
    offset: "counter offset",
    count: "number of counters",
};

const BITMAPS: Pointed = Pointed {
    offset: "bitmap offset",
    count: "number of bitmap bytes",
};

/// Where a record lies and how its pointers are to be corrected.
struct Place {
    offset: u64,
    adjustment: u64,
}

impl Place {
    /// `count` items of `size` bytes at the distance `raw` of the section, all inside it, and
    /// where they begin.
    fn slice<'a>(
        &self,
        words: &Pointed,
        section: &'a [u8],
        raw: u64,
        count: u64,
        size: u64,
    ) -> Result<(usize, &'a [u8])> {
        let at = raw.wrapping_add(self.adjustment);
        let len = section.len() as u64;
        if at.cast_signed() < 0 {
            return Err(
                Error::malformed(words.offset, self.offset, "0 or more", at.cast_signed())
                    .with_detail(format_args!(
                        "{} {} is negative",
                        words.offset,
                        at.cast_signed()
                    )),
            );
        }
        if at >= len {
            let most = len.cast_signed() - 1;
            return Err(Error::malformed(
                words.offset,
                self.offset,
                format_args!("at most {most}"),
                at,
            )
            .with_detail(format_args!(
                "{what} {at} is greater than the maximum {what} {most}",
                what = words.offset
            )));
        }
        let most = (len - at) / size;
        if count > most {
            return Err(Error::malformed(
                words.count,
                self.offset,
                format_args!("at most {most}"),
                count,
            )
            .with_detail(format_args!(
                "{what} {count} is greater than the maximum {what} {most}",
                what = words.count
            )));
        }
        // Both ends are inside the section, whose length is a usize.
        let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let start = position(at);
        Ok((start, &section[start..position(at + count * size)]))
    }
}
