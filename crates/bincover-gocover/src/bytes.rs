//! A cursor over little-endian bytes that knows its offset in the file.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::MAX_ULEB_BYTES;

/// Reads forward; every failure says where.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Cursor<'a> {
    /// `offset` is where `bytes` begins in the file.
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            rest: bytes,
            offset,
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.rest.len() as u64
    }

    pub(crate) fn take(&mut self, len: u64, what: &'static str) -> Result<&'a [u8]> {
        let found = self.remaining();
        let split = usize::try_from(len).ok().filter(|_| len <= found);
        let Some(split) = split else {
            return Err(Error::truncated(what, self.offset, len, found));
        };
        let (head, tail) = self.rest.split_at(split);
        self.rest = tail;
        self.offset += len;
        Ok(head)
    }

    /// `count` items of `size` bytes each: the product is checked before it is used.
    pub(crate) fn take_array(
        &mut self,
        count: u64,
        size: u64,
        what: &'static str,
    ) -> Result<&'a [u8]> {
        match count.checked_mul(size) {
            Some(len) => self.take(len, what),
            None => Err(Error::new(
                ErrorKind::Truncated,
                what,
                self.offset,
                format_args!("{count} times {size} bytes"),
                self.remaining(),
            )),
        }
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8> {
        Ok(self.take(1, what)?[0])
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32> {
        Ok(u32_at(self.take(4, what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64> {
        let bytes = self.take(8, what)?;
        let halves = [u32_at(bytes), u32_at(&bytes[4..])].map(u64::from);
        Ok(halves[0] | halves[1] << 32)
    }

    /// A ULEB128 number of 32 bits.
    #[inline]
    pub(crate) fn uleb32(&mut self, what: &'static str) -> Result<u32> {
        if let [byte @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            self.offset += 1;
            return Ok(u32::from(*byte));
        }
        if let [low, high @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            self.offset += 2;
            return Ok(u32::from(*low & 0x7f) | u32::from(*high) << 7);
        }
        self.long_uleb32(what)
    }

    fn long_uleb32(&mut self, what: &'static str) -> Result<u32> {
        let start = self.offset;
        let mut value = 0u64;
        for index in 0..MAX_ULEB_BYTES {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if index < 5 {
                value |= bits << (7 * index);
            } else if bits != 0 {
                break;
            }
            if byte & 0x80 == 0 {
                if let Ok(value) = u32::try_from(value) {
                    return Ok(value);
                }
                break;
            }
        }
        let expected = "a ULEB128 number of at most 32 bits";
        Err(Error::malformed(what, start, expected, "a larger one"))
    }
}

/// The first four bytes; zeros where there are fewer.
pub(crate) fn u32_at(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    let len = bytes.len().min(4);
    word[..len].copy_from_slice(&bytes[..len]);
    u32::from_le_bytes(word)
}

/// Appends a ULEB128 number, as short as can be.
pub(crate) fn put_uleb(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length as the 32 bits that the format has for it; what is larger was refused before.
pub(crate) fn put_u32(out: &mut Vec<u8>, value: usize) {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uleb(bytes: &[u8]) -> Result<u32> {
        Cursor::new(bytes, 0x10).uleb32("number")
    }

    #[test]
    fn uleb128() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u32::MAX] {
            let mut bytes = Vec::new();
            put_uleb(&mut bytes, value.into());
            assert_eq!(uleb(&bytes).unwrap(), value);
        }
        assert_eq!(uleb(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x00]).unwrap(), 1);
        let too_large = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(uleb(&too_large).unwrap_err().offset(), Some(0x10));
        assert!(uleb(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x01]).is_err());
        assert!(uleb(&[0x80; 12]).is_err());
        assert_eq!(uleb(&[0x80]).unwrap_err().kind(), ErrorKind::Truncated);
    }

    #[test]
    fn products_that_overflow_are_refused() {
        let error = Cursor::new(&[0; 4], 3).take_array(u64::MAX, 8, "offsets");
        assert_eq!(
            error.unwrap_err().to_string(),
            "offsets: expected 18446744073709551615 times 8 bytes at offset 0x3, found 4"
        );
    }
}
