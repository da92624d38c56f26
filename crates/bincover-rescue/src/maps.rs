//! What is mapped in a process: `/proc/PID/maps`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::limits::MAX_MAPS_BYTES;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) addresses: Range<u64>,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
    pub(crate) is_shared: bool,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// Major and minor number.
    pub(crate) device: (u32, u32),
    /// 0 when no file is mapped.
    pub(crate) inode: u64,
    /// As the kernel says it, without its ` (deleted)`; empty when no file is mapped.
    pub(crate) path: PathBuf,
}

impl Mapping {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut rest = line;
        let mut next = || {
            let end = rest.iter().position(|byte| *byte == b' ')?;
            let (word, after) = rest.split_at(end);
            rest = after.trim_ascii_start();
            std::str::from_utf8(word).ok()
        };
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end) = next()?.split_once('-')?;
        let permissions = next()?.as_bytes();
        let offset = hex(next()?)?;
        let (major, minor) = next()?.split_once(':')?;
        let device = |text: &str| u32::from_str_radix(text, 16).ok();
        let device = (device(major)?, device(minor)?);
        // The line of memory without a file ends with the inode.
        let inode = next().map(str::to_owned);
        let (inode, path) = match inode {
            Some(inode) => (inode, rest),
            None => (std::str::from_utf8(rest).ok()?.to_owned(), &[][..]),
        };
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        Some(Self {
            addresses: hex(start)?..hex(end)?,
            is_readable: permissions.first() == Some(&b'r'),
            is_writable: permissions.get(1) == Some(&b'w'),
            is_shared: permissions.get(3) == Some(&b's'),
            offset,
            device,
            inode: inode.parse().ok()?,
            path: PathBuf::from(OsStr::from_bytes(path)),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.addresses.end.saturating_sub(self.addresses.start)
    }

    pub(crate) fn has_file(&self) -> bool {
        self.inode != 0 && self.path.is_absolute()
    }

    /// The same file as the other's.
    pub(crate) fn same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The mappings of a process or thread, in order of their addresses. None: its memory is gone.
pub(crate) fn read(pid: u32) -> io::Result<Vec<Mapping>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/maps"))?
        .take(MAX_MAPS_BYTES)
        .read_to_end(&mut text)?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(Mapping::parse)
        .collect())
}

/// All of `wanted` can be read.
pub(crate) fn cover(maps: &[Mapping], wanted: Range<u64>) -> bool {
    let mut at = wanted.start;
    for one in maps {
        if at >= wanted.end {
            break;
        }
        if one.is_readable && one.addresses.contains(&at) {
            at = one.addresses.end;
        }
    }
    at >= wanted.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = b"55d0a000-55d0b000 rw-p 00058000 fe:00 1234      /a b/c (deleted)";
        let one = Mapping::parse(line).unwrap();
        assert_eq!(one.addresses, 0x55d0_a000..0x55d0_b000);
        assert_eq!(
            (one.offset, one.device, one.inode),
            (0x58000, (0xfe, 0), 1234)
        );
        assert_eq!(one.path, PathBuf::from("/a b/c"));
        assert!(one.is_readable && one.is_writable && !one.is_shared && one.has_file());

        for line in [
            &b"7f00-8f00 rw-s 00000000 00:00 0 "[..],
            b"7f00-8f00 rw-s 00000000 00:00 0",
        ] {
            let one = Mapping::parse(line).unwrap();
            assert!(one.is_shared && !one.has_file());
        }
        for line in [
            &b""[..],
            b"x",
            b"1-2",
            b"1-2 rw-p",
            b"1-2 rw-p 0 0 0 a",
            b"1 r 0 0:0 0 a",
        ] {
            assert_eq!(Mapping::parse(line), None);
        }
    }

    #[test]
    fn ours_are_there() {
        let maps = read(std::process::id()).unwrap();
        assert!(maps.iter().any(Mapping::has_file));
        let one = &maps[0].addresses;
        assert!(cover(&maps, one.clone()));
        assert!(!cover(&maps, 0..16));
        assert!(!cover(&maps, one.start..u64::MAX));
    }
}
