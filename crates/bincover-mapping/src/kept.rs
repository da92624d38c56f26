//! A container of our own: what of a binary is needed to report on it when it is gone.
//!
//! All numbers are little-endian. After the magic, for each object: a byte of flags (1: the
//! sections are big-endian; 2: it is a member of an archive or a slice), a byte with the size of a
//! pointer, the address of the names (8 bytes); then the member's name, the names, and the two
//! mapping sections, each with its length before it (8 bytes).

use std::borrow::Cow;

use bincover_profile::bytes::{Cursor, Endian};
use bstr::BString;

use crate::container::{self, Found, ParseOptions};
use crate::error::{Error, Result};
use crate::sections::Sections;

const MAGIC: &[u8] = b"bincover mapping 1\n";
const BIG_ENDIAN: u8 = 1;
const HAS_MEMBER: u8 = 2;

/// Copies the coverage sections out of an object file, an archive or a universal file. The copy can
/// be read in its place, by [`Mapping::parse`](crate::Mapping::parse).
///
/// # Errors
/// If it is no object file, or has no coverage sections.
pub fn kept_sections(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = MAGIC.to_vec();
    for Found { member, sections } in container::open(bytes, &ParseOptions::default())? {
        let mut flags = 0;
        if sections.endian == Endian::Big {
            flags |= BIG_ENDIAN;
        }
        if member.is_some() {
            flags |= HAS_MEMBER;
        }
        out.extend([flags, sections.pointer_bytes]);
        out.extend(sections.names_address.to_le_bytes());
        let member = member.unwrap_or_default();
        for part in [&member, sections.names, sections.covmap, &sections.covfun] {
            out.extend((part.len() as u64).to_le_bytes());
            out.extend_from_slice(part);
        }
    }
    Ok(out)
}

pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Found<'_>>> {
    let mut cursor = Cursor::new(bytes, 0, Endian::Little);
    cursor.take(MAGIC.len() as u64, "magic")?;
    let mut found = Vec::new();
    while !cursor.is_empty() {
        let at = cursor.offset();
        let flags = cursor.u8("flags")?;
        let pointer_bytes = cursor.u8("size of a pointer")?;
        if flags > (BIG_ENDIAN | HAS_MEMBER) || ![4, 8].contains(&pointer_bytes) {
            let expected = "flags up to 3 and a pointer of 4 or 8 bytes";
            let found = format_args!("{flags} and {pointer_bytes}");
            return Err(Error::malformed(at, "kept sections", expected, found));
        }
        let names_address = cursor.u64("address of the names")?;
        let mut part = |what| {
            let len = cursor.u64(what)?;
            cursor.take(len, what)
        };
        let member = part("name of the member")?;
        found.push(Found {
            member: (flags & HAS_MEMBER != 0).then(|| BString::from(member)),
            sections: Sections {
                endian: match flags & BIG_ENDIAN {
                    0 => Endian::Little,
                    _ => Endian::Big,
                },
                pointer_bytes,
                names_address,
                names: part("names")?,
                covmap: part("mapping")?,
                covfun: Cow::Borrowed(part("function records")?),
            },
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mapping;

    const BINARY: &[u8] = include_bytes!("../../../testdata/object/rust-v10/app.elf");

    #[test]
    fn a_copy_is_as_good() {
        let copy = kept_sections(BINARY).unwrap();
        assert!(copy.len() < BINARY.len());
        assert_eq!(
            Mapping::parse(&copy).unwrap().function_count(),
            Mapping::parse(BINARY).unwrap().function_count()
        );
        assert_eq!(kept_sections(&copy).unwrap(), copy);
    }

    #[test]
    fn cut_anywhere_it_is_an_error() {
        let copy = kept_sections(BINARY).unwrap();
        for end in (MAGIC.len() + 1..copy.len()).step_by(7) {
            assert!(Mapping::parse(&copy[..end]).is_err(), "{end}");
        }
    }
}
