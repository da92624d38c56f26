//! The table of file names and how they are made absolute (LLVM: `RawCoverageFilenamesReader`).

use bincover_profile::Inflater;
use bincover_profile::bytes::{Cursor, Endian};
use bstr::BString;

use crate::error::{Error, Result};

/// How a table is stored, by mapping version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TableLayout {
    /// Names one after another (up to version 3).
    Plain,
    /// The same, in a blob that may be compressed (versions 4 and 5).
    Blob,
    /// The same; entry 0 is the directory of compilation and relative names are joined to it
    /// (since version 6).
    WithDirectory,
}

/// Reads one table. Relative names are joined to `compilation_dir`, if it is not empty, instead of
/// the table's own directory.
pub(crate) fn read(
    inflater: &mut Inflater,
    table: &[u8],
    offset: u64,
    layout: TableLayout,
    compilation_dir: &[u8],
) -> Result<Vec<BString>> {
    let mut cursor = Cursor::new(table, offset, Endian::Little);
    let count = cursor.uleb("number of file names")?;
    if count == 0 || count > cursor.remaining() {
        return Err(Error::malformed(
            offset,
            "number of file names",
            format_args!("1 to {}", cursor.remaining()),
            count,
        ));
    }
    let mut text = Vec::new();
    if layout != TableLayout::Plain {
        inflater.decode_blob(&mut cursor, "file names", &mut text)?;
        cursor = Cursor::new(&text, offset, Endian::Little);
    }
    let mut names: Vec<BString> = Vec::new();
    for index in 0..count {
        let len = cursor.uleb("length of a file name")?;
        let name = cursor.take(len, "file name")?;
        names.push(if layout == TableLayout::WithDirectory && index > 0 {
            let base = match compilation_dir {
                [] => &names[0][..],
                given => given,
            };
            absolute(base, name)
        } else {
            name.into()
        });
    }
    Ok(names)
}

/// Joins and cleans, as LLVM does on a Unix host; an absolute name stays as it is.
fn absolute(base: &[u8], name: &[u8]) -> BString {
    if name.starts_with(b"/") {
        return name.into();
    }
    let base_end = base.iter().rposition(|&byte| byte != b'/');
    let mut joined = match base_end {
        Some(last) => base[..=last].to_vec(),
        None => Vec::new(),
    };
    if !base.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    remove_dots(&joined)
}

/// Drops `.` and empty components and resolves `..` by the text alone.
fn remove_dots(path: &[u8]) -> BString {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            _ => kept.push(component),
        }
    }
    let mut clean = BString::from(kept.join(&b'/'));
    if rooted {
        clean.insert(0, b'/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::TableLayout::{Blob, Plain, WithDirectory};
    use super::*;

    /// Section 2.3 of the format notes.
    #[test]
    fn joining() {
        let table = [
            ("/src", "../../../a.c", "/a.c"),
            ("rel/dir", "../../../a.c", "../a.c"),
            ("/a/../b", "a.c", "/b/a.c"),
            ("", "./a.c", "a.c"),
            ("/src", "", "/src"),
            ("/src/", "x/../y/./z.rs", "/src/y/z.rs"),
            ("/src", "/x/../y.c", "/x/../y.c"),
            ("/src", r"C:\w\a.c", r"/src/C:\w\a.c"),
            ("/", "a.c", "/a.c"),
        ];
        for (base, name, expected) in table {
            assert_eq!(
                absolute(base.as_bytes(), name.as_bytes()),
                expected,
                "{base} {name}"
            );
        }
    }

    fn read(
        table: &[u8],
        offset: u64,
        layout: super::TableLayout,
        directory: &[u8],
    ) -> Result<Vec<BString>> {
        super::read(&mut Inflater::default(), table, offset, layout, directory)
    }

    #[test]
    fn a_table_cut_anywhere_is_an_error() {
        let text = b"\x02/w\x03e.c";
        let table: Vec<u8> = [&[2, 7, 0][..], text].concat();
        assert_eq!(
            read(&table, 0, WithDirectory, b"").unwrap(),
            ["/w", "/w/e.c"]
        );
        assert_eq!(
            read(&table, 0, WithDirectory, b"/else").unwrap(),
            ["/w", "/else/e.c"]
        );
        assert_eq!(read(&table, 0, Blob, b"").unwrap(), ["/w", "e.c"]);
        let plain: Vec<u8> = [&[2][..], text].concat();
        assert_eq!(read(&plain, 0, Plain, b"/else").unwrap(), ["/w", "e.c"]);
        for end in 0..table.len() {
            assert!(read(&table[..end], 0, WithDirectory, b"").is_err(), "{end}");
        }
    }
}
