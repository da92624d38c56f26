//! The three sections as `llvm-cov convert-for-testing` writes them (LLVM:
//! `TestingFormatReader`). Always little-endian and 64-bit; only the magic decides.

use std::borrow::Cow;

use bincover_profile::bytes::{Cursor, Endian, pad8};

use crate::error::{Error, Result};
use crate::mapping::OLDEST_WITH_COVFUN;
use crate::sections::Sections;

const MAGIC: &[u8] = b"llvmcovm";
/// "testdata", as a number.
const VERSION_1: u64 = 0x6174_6164_7473_6574;
const VERSION_2: u64 = 1;
const HEADER_BYTES: usize = 16;

pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Sections<'_>> {
    let mut cursor = Cursor::new(bytes, 0, Endian::Little);
    cursor.take(MAGIC.len() as u64, "magic")?;
    let at = cursor.offset();
    let version = cursor.u64("version of the test container")?;
    if version != VERSION_1 && version != VERSION_2 {
        let expected = "\"testdata\" or 1";
        return Err(Error::malformed(at, "test container", expected, version));
    }
    let names_bytes = cursor.uleb("size of the names")?;
    let names_address = cursor.uleb("address of the names")?;
    let names = cursor.take(names_bytes, "names")?;
    let stated = match version {
        VERSION_2 => Some(cursor.uleb("size of the mapping")?),
        _ => None,
    };
    align(&mut cursor)?;
    let rest = cursor.rest();
    let mut covmap_bytes = stated.unwrap_or(cursor.remaining());
    if let Some(header) = rest.get(..HEADER_BYTES) {
        let word = |at: usize| Endian::Little.u32(&header[at..at + 4]);
        if word(12) >= OLDEST_WITH_COVFUN && stated.is_none() {
            covmap_bytes = HEADER_BYTES as u64 + u64::from(word(4));
        }
    }
    let covmap = cursor.take(covmap_bytes, "mapping")?;
    align(&mut cursor)?;
    Ok(Sections {
        endian: Endian::Little,
        pointer_bytes: 8,
        names,
        names_address,
        covmap,
        covfun: Cow::Borrowed(cursor.rest()),
    })
}

fn align(cursor: &mut Cursor<'_>) -> Result<()> {
    let padding = pad8(cursor.offset()).min(cursor.remaining());
    cursor.take(padding, "padding")?;
    Ok(())
}
