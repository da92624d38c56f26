//! A cursor over bytes that knows its offset in the file, and the two byte orders: the ground on
//! which the readers of this crate and of `bincover-mapping` stand.

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use crate::error::{Error, ErrorKind, Result};

/// The byte order of a file's integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// The first two bytes as an integer.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn u16(self, bytes: &[u8]) -> u16 {
        match self {
            Self::Little => LittleEndian::read_u16(bytes),
            Self::Big => BigEndian::read_u16(bytes),
        }
    }

    /// The first four bytes as an integer.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn u32(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Little => LittleEndian::read_u32(bytes),
            Self::Big => BigEndian::read_u32(bytes),
        }
    }

    /// The first eight bytes as an integer.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn u64(self, bytes: &[u8]) -> u64 {
        match self {
            Self::Little => LittleEndian::read_u64(bytes),
            Self::Big => BigEndian::read_u64(bytes),
        }
    }

    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        }
    }
}

/// Zero bytes that bring `len` to a multiple of 8.
#[must_use]
pub fn pad8(len: u64) -> u64 {
    len.wrapping_neg() & 7
}

/// Reads forward; every failure says where.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    offset: u64,
    endian: Endian,
}

impl<'a> Cursor<'a> {
    /// `offset` is where `bytes` begins in the file.
    #[must_use]
    pub fn new(bytes: &'a [u8], offset: u64, endian: Endian) -> Self {
        Self {
            rest: bytes,
            offset,
            endian,
        }
    }

    /// Where the next byte lies, from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes that are left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The byte order.
    #[must_use]
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads on in `bytes`, which lie where the cursor stands but end earlier.
    pub fn limit(&mut self, bytes: &'a [u8]) {
        self.rest = bytes;
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.rest.len() as u64
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// If fewer are left; `what` names them in the message. The other readers fail likewise.
    pub fn take(&mut self, len: u64, what: &'static str) -> Result<&'a [u8]> {
        let found = self.remaining();
        if len > found {
            return Err(Error::truncated(what, self.offset, len, found));
        }
        let split = usize::try_from(len).unwrap_or(usize::MAX);
        let (head, tail) = self.rest.split_at(split);
        self.rest = tail;
        self.offset += len;
        Ok(head)
    }

    /// `count` items of `size` bytes each: the product is checked before it is used.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn take_array(&mut self, count: u64, size: u64, what: &'static str) -> Result<&'a [u8]> {
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

    /// Skips zero bytes.
    pub fn skip_zeros(&mut self) {
        let zeros = self.rest.iter().take_while(|&&byte| byte == 0).count();
        self.rest = &self.rest[zeros..];
        self.offset += zeros as u64;
    }

    /// The next byte.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u8(&mut self, what: &'static str) -> Result<u8> {
        Ok(self.take(1, what)?[0])
    }

    /// The next two bytes as an integer.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u16(&mut self, what: &'static str) -> Result<u16> {
        let endian = self.endian;
        Ok(endian.u16(self.take(2, what)?))
    }

    /// The next four bytes as an integer.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32> {
        let endian = self.endian;
        Ok(endian.u32(self.take(4, what)?))
    }

    /// The next eight bytes as an integer.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u64(&mut self, what: &'static str) -> Result<u64> {
        let endian = self.endian;
        Ok(endian.u64(self.take(8, what)?))
    }

    /// An unsigned LEB128 number of at most 64 bits.
    ///
    /// # Errors
    /// If it is larger, or the bytes end inside it.
    #[inline]
    pub fn uleb(&mut self, what: &'static str) -> Result<u64> {
        if let [byte @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            self.offset += 1;
            return Ok(u64::from(*byte));
        }
        self.long_uleb(what)
    }

    fn long_uleb(&mut self, what: &'static str) -> Result<u64> {
        let start = self.offset;
        let mut value = 0u64;
        let mut shift = 0u32;
        loop {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            let lost = shift >= 64 || (bits << shift) >> shift != bits;
            if lost && bits != 0 {
                return Err(Error::new(
                    ErrorKind::Malformed,
                    what,
                    start,
                    "a LEB128 number of at most 64 bits",
                    "a larger one",
                ));
            }
            if shift < 64 {
                value |= bits << shift;
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uleb(bytes: &[u8]) -> Result<u64> {
        Cursor::new(bytes, 0x10, Endian::Little).uleb("number")
    }

    #[test]
    fn leb128() {
        assert_eq!(uleb(&[0x7f]).unwrap(), 127);
        assert_eq!(uleb(&[0xe5, 0x8e, 0x26]).unwrap(), 624_485);
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(uleb(&max).unwrap(), u64::MAX);
        let mut too_large = max;
        too_large[9] = 0x02;
        assert_eq!(uleb(&too_large).unwrap_err().offset(), Some(0x10));
        assert_eq!(uleb(&[0x80]).unwrap_err().kind(), ErrorKind::Truncated);
        // Superfluous zero bits are legal, however many.
        assert_eq!(
            uleb(&[
                0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00
            ])
            .unwrap(),
            1
        );
    }

    #[test]
    fn take_says_where_and_how_much() {
        let mut cursor = Cursor::new(&[1, 2, 3], 0x20, Endian::Big);
        cursor.u8("first").unwrap();
        let error = cursor.take_array(u64::MAX, 16, "records").unwrap_err();
        assert_eq!(
            error.to_string(),
            "records: expected 18446744073709551615 times 16 bytes at offset 0x21, found 2"
        );
        assert_eq!(
            cursor.u32("count").unwrap_err().to_string(),
            "count: expected 4 bytes at offset 0x21, found 2"
        );
    }

    #[test]
    fn padding() {
        assert_eq!([0, 1, 7, 8, 9].map(pad8), [0, 7, 1, 0, 7]);
    }
}
