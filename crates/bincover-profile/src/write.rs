//! What both writers share: which records are written.

use crate::profile::{FunctionId, Profile, Record};

/// How to write a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Leave out names of which no record has a non-zero count or bitmap byte (LLVM: `--sparse`).
    pub sparse: bool,
    /// The version of an indexed profile; text has none.
    pub version: IndexedVersion,
}

/// The versions of the indexed format that can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexedVersion {
    /// LLVM 17. It has no bitmaps: those of the profile are not written.
    V10,
    /// LLVM 18.
    V11,
    /// LLVM 19 to 21.
    V12,
    /// LLVM 22.
    #[default]
    V13,
}

impl IndexedVersion {
    /// The number in the file.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::V10 => 10,
            Self::V11 => 11,
            Self::V12 => 12,
            Self::V13 => 13,
        }
    }

    /// The version of this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::V10, Self::V11, Self::V12, Self::V13]
            .into_iter()
            .find(|version| version.number() == number)
    }
}

/// The functions to be written, in the profile's order.
pub(crate) fn functions_to_write(
    profile: &Profile,
    options: &WriteOptions,
) -> impl Iterator<Item = FunctionId> {
    let sparse = options.sparse;
    profile.functions().filter(move |function| {
        !sparse
            || profile
                .records_under(*function)
                .any(|record| is_reached(&record))
    })
}

/// The records of those functions.
pub(crate) fn records_to_write<'a>(
    profile: &'a Profile,
    options: &WriteOptions,
) -> impl Iterator<Item = Record<'a>> {
    functions_to_write(profile, options).flat_map(|function| profile.records_under(function))
}

fn is_reached(record: &Record<'_>) -> bool {
    record.counts.iter().any(|&count| count != 0) || record.bitmap.iter().any(|&byte| byte != 0)
}
