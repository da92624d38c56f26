//! Bytes to [`Meta`].

use std::sync::Arc;

use crate::bytes::{Cursor, u32_at};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hash;
use crate::kind::META_MAGIC;
use crate::limits::MAX_NAME;
use crate::meta::{Function, Meta, Package, Text, Unit};
use crate::mode::{Granularity, Mode};

/// The version that Go has written since 1.20 (Go: `MetaFileVersion`). Its reader takes lower
/// numbers too.
const VERSION: u32 = 1;

/// The fixed fields at the start of a blob (Go: `CovMetaHeaderSize`).
const BLOB_HEADER: u64 = 44;

pub(super) fn parse(bytes: &[u8]) -> Result<Meta> {
    if bytes.is_empty() {
        let expected = "a metadata file";
        return Err(Error::new(ErrorKind::Empty, "file", None, expected, "none"));
    }
    let mut cursor = Cursor::new(bytes, 0);
    let magic = cursor.take(4, "magic")?;
    if magic != META_MAGIC {
        let expected = "00 63 76 6d";
        let found = format!("{magic:02x?}");
        return Err(Error::new(ErrorKind::BadMagic, "magic", 0, expected, found));
    }
    let version = cursor.u32("version")?;
    if version > VERSION {
        let kind = ErrorKind::UnsupportedVersion;
        return Err(Error::new(kind, "version", 4, VERSION, version));
    }
    let length = cursor.u64("file length")?;
    if length != bytes.len() as u64 {
        let kind = ErrorKind::Truncated;
        let expected = format_args!("{length} bytes");
        return Err(Error::new(kind, "file", 8, expected, bytes.len()));
    }
    let package_count = cursor.u64("package count")?;
    let mut hash = Hash::default();
    hash.0.copy_from_slice(cursor.take(16, "file hash")?);
    let table_offset = cursor.u32("string table offset")?;
    let table_length = cursor.u32("string table length")?;
    let at = cursor.offset();
    let mode = cursor.u8("counter mode")?;
    let mode = Mode::from_number(mode)
        .ok_or_else(|| Error::malformed("counter mode", at, "1, 2 or 3", mode))?;
    let granularity = cursor.u8("granularity")?;
    let granularity = Granularity::from_number(granularity)
        .ok_or_else(|| Error::malformed("granularity", at + 1, "1 or 2", granularity))?;
    cursor.take(6, "padding")?;
    let offsets = cursor.take_array(package_count, 8, "package offsets")?;
    let lengths = cursor.take_array(package_count, 8, "package lengths")?;
    if u64::from(table_offset) != cursor.offset() {
        let expected = cursor.offset();
        let what = "string table offset";
        return Err(Error::malformed(what, 40, expected, table_offset));
    }
    // Nobody refers to this table.
    cursor.take(table_length.into(), "string table")?;

    let mut packages = Vec::new();
    for (offset, length) in offsets.chunks_exact(8).zip(lengths.chunks_exact(8)) {
        let [offset, length] = [offset, length].map(|bytes| {
            let halves = [u32_at(bytes), u32_at(&bytes[4..])].map(u64::from);
            halves[0] | halves[1] << 32
        });
        // Blobs lie end to end, so that no two share bytes: what is decoded is no more than what
        // is there.
        if offset != cursor.offset() {
            let expected = cursor.offset();
            return Err(Error::malformed("package offset", 56, expected, offset));
        }
        packages.push(package(cursor.take(length, "package")?, offset)?);
    }
    if cursor.remaining() > 0 {
        let what = "end of the file";
        let expected = "nothing after the last package";
        let found = format_args!("{} bytes", cursor.remaining());
        return Err(Error::malformed(what, cursor.offset(), expected, found));
    }
    Ok(Meta {
        hash,
        mode,
        granularity,
        packages,
    })
}

/// `start` is where the blob begins in the file.
fn package(blob: &[u8], start: u64) -> Result<Package> {
    let mut cursor = Cursor::new(blob, start);
    let length = cursor.u32("package length")?;
    if u64::from(length) != blob.len() as u64 {
        return Err(Error::malformed(
            "package length",
            start,
            blob.len(),
            length,
        ));
    }
    let name = cursor.u32("package name")?;
    let import_path = cursor.u32("import path")?;
    let module = cursor.u32("module path")?;
    let mut hash = Hash::default();
    hash.0.copy_from_slice(cursor.take(16, "package hash")?);
    // A byte of zero and three of padding, and a number that Go calls that of files.
    cursor.take(8, "package header")?;
    let function_count = cursor.u32("function count")?;
    debug_assert_eq!(cursor.offset() - start, BLOB_HEADER);
    let offsets = cursor.take_array(function_count.into(), 4, "function offsets")?;
    let strings = strings(&mut cursor)?;
    let string = |index: u32, what| {
        let string = usize::try_from(index).ok().and_then(|at| strings.get(at));
        let expected = format_args!("an index below {}", strings.len());
        string.ok_or_else(|| Error::malformed(what, start, expected, index))
    };
    let mut functions = Vec::new();
    for offset in offsets.chunks_exact(4).map(u32_at) {
        if start + u64::from(offset) != cursor.offset() {
            let expected = cursor.offset() - start;
            let what = "function offset";
            return Err(Error::malformed(
                what,
                start + BLOB_HEADER,
                expected,
                offset,
            ));
        }
        let at = cursor.offset();
        let unit_count = cursor.uleb32("block count")?;
        let name = cursor.uleb32("function name")?;
        let file = cursor.uleb32("file name")?;
        // Five numbers of at least a byte each.
        if u64::from(unit_count) > cursor.remaining() / 5 {
            let found = cursor.remaining();
            let len = u64::from(unit_count) * 5;
            return Err(Error::truncated("blocks", at, len, found));
        }
        let mut units = Vec::with_capacity(unit_count as usize);
        for _ in 0..unit_count {
            units.push(Unit {
                start_line: cursor.uleb32("line")?,
                start_column: cursor.uleb32("column")?,
                end_line: cursor.uleb32("line")?,
                end_column: cursor.uleb32("column")?,
                statements: cursor.uleb32("statement count")?,
            });
        }
        functions.push(Function {
            name: Arc::clone(string(name, "function name")?),
            file: Arc::clone(string(file, "file name")?),
            units: units.into(),
            literal: cursor.uleb32("literal")? != 0,
        });
    }
    if cursor.remaining() > 0 {
        let what = "end of the package";
        let expected = "nothing after the last function";
        let found = format_args!("{} bytes", cursor.remaining());
        return Err(Error::malformed(what, cursor.offset(), expected, found));
    }
    Ok(Package {
        import_path: Arc::clone(string(import_path, "import path")?),
        name: Arc::clone(string(name, "package name")?),
        module: Arc::clone(string(module, "module path")?),
        hash,
        functions,
        blob: blob.into(),
    })
}

/// A string table (Go: `stringtab`).
fn strings(cursor: &mut Cursor<'_>) -> Result<Vec<Text>> {
    let at = cursor.offset();
    let count = cursor.uleb32("string count")?;
    if u64::from(count) > cursor.remaining() {
        let found = cursor.remaining();
        return Err(Error::truncated("strings", at, count.into(), found));
    }
    let mut strings = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let at = cursor.offset();
        let len = cursor.uleb32("string length")?;
        if len as usize > MAX_NAME {
            return Err(Error::too_long("string", at, MAX_NAME, len));
        }
        strings.push(cursor.take(len.into(), "string")?.into());
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use bincover_testkit::mutate;

    use super::*;
    use crate::HashKind;
    use crate::meta::MetaBuilder;
    use crate::sample;

    #[test]
    fn what_was_built_is_read() {
        let meta = sample::meta();
        assert_eq!(meta.packages.len(), 2);
        assert_eq!(&*meta.packages[1].import_path, b"example.com/m/b");
        assert_eq!(&*meta.packages[0].functions[1].name, b"*T.M");
        assert_eq!(meta.packages[0].functions[1].units.len(), 2);
        assert!(meta.packages[1].functions[0].literal);
        let again = MetaBuilder::rebuilt(&meta).write(meta.mode, meta.granularity);
        assert_eq!(Meta::parse(&again).unwrap(), meta);
    }

    #[test]
    fn cut_at_each_byte() {
        let bytes = sample::meta_bytes();
        for end in 0..bytes.len() {
            let error = Meta::parse(&bytes[..end]).unwrap_err();
            assert!(error.offset().is_none_or(|at| at <= end as u64), "{error}");
        }
    }

    #[test]
    fn flipped_at_each_byte() {
        let bytes = sample::meta_bytes();
        for flipped in mutate::flips(&bytes) {
            if let Err(error) = Meta::parse(&flipped) {
                assert!(error.offset().is_none_or(|at| at <= bytes.len() as u64));
            }
        }
    }

    #[track_caller]
    fn check(at: usize, value: u8, expected: &str) {
        let mut bytes = sample::meta_bytes();
        bytes[at] = value;
        assert_eq!(Meta::parse(&bytes).unwrap_err().to_string(), expected);
    }

    #[test]
    fn each_field_is_checked() {
        check(
            0,
            1,
            "magic: expected 00 63 76 6d at offset 0x0, found [01, 63, 76, 6d]",
        );
        check(4, 2, "version: expected 1 at offset 0x4, found 2");
        check(
            48,
            4,
            "counter mode: expected 1, 2 or 3 at offset 0x30, found 4",
        );
        check(
            49,
            0,
            "granularity: expected 1 or 2 at offset 0x31, found 0",
        );
        check(
            40,
            0,
            "string table offset: expected 88 at offset 0x28, found 0",
        );
        assert_eq!(Meta::parse(&[]).unwrap_err().kind(), ErrorKind::Empty);
    }

    #[test]
    fn names_have_an_end() {
        let of = |path: usize, function: usize, file: usize| {
            let [path, function, file] =
                [path, function, file].map(|bytes| Text::from("x".repeat(bytes).as_bytes()));
            let mut builder = MetaBuilder::new(HashKind::Fnv);
            let package = builder.package(&path, &b"p"[..].into(), &b""[..].into());
            let function = Function {
                name: function,
                file,
                units: [].into(),
                literal: false,
            };
            builder.function(package, function);
            Meta::parse(&builder.write(Mode::Set, Granularity::Block))
        };
        let (most, more) = (MAX_NAME, MAX_NAME + 1);
        assert!(of(most, most, most).is_ok());
        for (path, function, file) in [(more, 1, 1), (1, more, 1), (1, 1, more)] {
            let error = of(path, function, file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            let words = "string: expected no more than 4096 bytes at offset 0x";
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }
}
