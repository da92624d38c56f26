//! Every bound that is not simply "no more than the bytes that are left".

/// zlib cannot compress better than about 1032 to 1; a name table that claims more lies, and
/// nothing is allocated for it.
pub(crate) const MAX_INFLATE_RATIO: u64 = 1040;

/// Names that inflate to this many bytes may have been compressed as far as zlib can.
pub(crate) const MAX_INFLATED: u64 = 16 << 20;

/// Larger ones were not compressed more than this to one. Bincover's own are at 5 to one.
pub(crate) const MAX_NAMES_RATIO: u64 = 100;

/// The counters and bitmaps of all functions of a raw profile take no more bytes of memory than this, or not
/// more than 16 times those of their sections: functions may share counters, so a crafted file could
/// otherwise ask for much.
pub(crate) const MAX_SHARED: u64 = 64 << 20;

/// Decoded names of programs that may come again take this much memory, in bytes; then they are
/// forgotten.
pub(crate) const MAX_KNOWN_CHUNKS: usize = 64 << 20;

/// Names in one bucket of an indexed profile's table. Writers make more buckets than names, so that even with
/// 2^32 names no bucket of an honest file has 20; and each name that is looked up is compared with those of its bucket.
pub(crate) const MAX_BUCKET: u16 = 64;

/// Where the records under a name take more bytes than this, it is noted where which of them lies, so that they are
/// not read again for each hash that is looked up.
pub(crate) const LARGE_DATA: usize = 4 << 10;

/// Values kept at one value site (LLVM: `INSTR_PROF_MAX_NUM_VAL_PER_SITE`).
pub(crate) const MAX_VALUES_PER_SITE: usize = 255;

/// A raw counter above this is suspicious (LLVM: `counter_value_too_large`); exactly 2^56 is not.
pub(crate) const SUSPICIOUS_COUNTER: u64 = 1 << 56;

/// The largest ordinary count (LLVM: `getInstrMaxCountValue`); the two values above it are marks.
pub const MAX_COUNT: u64 = u64::MAX - 2;
