//! Thin archives: they name their members, which lie beside them in files of their own (LLVM:
//! `Archive::Child::getFullName`).

use std::collections::HashMap;

use bstr::{BStr, BString};
use object::archive::{MAGIC, THIN_MAGIC};
use object::read::archive::ArchiveFile;

use crate::limits::{MAX_MEMBER_NAMES, MAX_NESTING};

/// The bytes begin as an archive does, be it one of eight bytes, without members.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || bytes.starts_with(&THIN_MAGIC)
}

/// The files that thin archives name. This crate opens none, so whoever does hands them in:
/// [`thin_members`] says which are needed.
#[derive(Clone, Debug, Default)]
pub struct Members<'a> {
    by_path: HashMap<BString, Result<&'a [u8], String>>,
}

impl<'a> Members<'a> {
    /// Adds what a file holds, or why it cannot be read, by the path that [`thin_members`] gave.
    pub fn insert(&mut self, path: BString, contents: Result<&'a [u8], String>) {
        self.by_path.insert(path, contents);
    }

    /// How many bytes they have together.
    pub(crate) fn bytes(&self) -> u64 {
        let contents = self.by_path.values().filter_map(|one| one.as_ref().ok());
        contents.map(|contents| contents.len() as u64).sum()
    }

    pub(crate) fn get(&self, path: &BStr) -> Result<&'a [u8], &str> {
        match self.by_path.get(path) {
            Some(Ok(contents)) => Ok(contents),
            Some(Err(reason)) => Err(reason),
            None => Err("none of that name"),
        }
    }
}

/// A file that a thin archive names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThinMember {
    /// Where it is: beside the archive, unless the name is absolute.
    pub path: BString,
    /// As the archive names it. If the member is an archive itself, this is what stands for its
    /// path, as in LLVM: what it names is not looked for beside it.
    pub name: BString,
}

/// The members of the thin archive at `path`, and of thin archives inside an archive. None if the
/// file is something else, or as far as it is well-formed.
#[must_use]
pub fn thin_members(bytes: &[u8], path: &[u8]) -> Vec<ThinMember> {
    let mut found = Vec::new();
    add(bytes, path, 0, &mut found);
    found
}

fn add(bytes: &[u8], path: &[u8], depth: usize, found: &mut Vec<ThinMember>) {
    if depth > MAX_NESTING || !is_archive(bytes) {
        return;
    }
    let Ok(archive) = ArchiveFile::parse(bytes) else {
        return;
    };
    let mut room = NameRoom::of(bytes);
    for member in archive.members().map_while(Result::ok) {
        let name = BStr::new(member.name());
        if !room.takes(path.len() + name.len()) {
            return;
        }
        if member.is_thin() {
            found.push(ThinMember {
                path: member_path(path, name),
                name: name.into(),
            });
        } else if let Ok(contents) = member.data(bytes) {
            add(contents, name, depth + 1, found);
        }
    }
}

/// How many bytes the names of an archive's members may still take.
pub(crate) struct NameRoom(usize);

impl NameRoom {
    pub(crate) fn of(archive: &[u8]) -> Self {
        Self(archive.len().saturating_mul(MAX_MEMBER_NAMES))
    }

    /// Whether there is room for a name of so many bytes, which is then taken.
    pub(crate) fn takes(&mut self, len: usize) -> bool {
        let left = self.0.checked_sub(len);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Where the member of this name is, of the archive at this path.
pub(crate) fn member_path(archive: &[u8], name: &BStr) -> BString {
    let slash = archive.iter().rposition(|&byte| byte == b'/');
    match slash {
        Some(slash) if !name.starts_with(b"/") => [&archive[..=slash], name].concat().into(),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_lie_beside_their_archive() {
        let table = [
            ("thin.a", "a.o", "a.o"),
            ("other/thin.a", "sub/a.o", "other/sub/a.o"),
            ("/thin.a", "a.o", "/a.o"),
            ("other/thin.a", "/else/a.o", "/else/a.o"),
            ("", "a.o", "a.o"),
        ];
        for (archive, name, expected) in table {
            assert_eq!(member_path(archive.as_bytes(), name.into()), expected);
        }
    }

    /// Each member takes 60 bytes and may have the name that all others have: one of 50 kB, here.
    #[test]
    fn members_of_one_long_name_take_no_more_than_the_file() {
        let name = "n".repeat(50_000);
        let header = |name: &str, size: usize| {
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644)
        };
        let members = header("/0", 0).repeat(2_000);
        for magic in ["!<thin>\n", "!<arch>\n"] {
            let table = format!("{name}/\n");
            let table = format!("{}{table}", header("//", table.len()));
            let archive = format!("{magic}{table}{members}").into_bytes();
            let found = thin_members(&archive, b"thin.a");
            let room: usize = found.iter().map(|member| member.path.len()).sum();
            assert!(room <= archive.len() * MAX_MEMBER_NAMES, "{room}");
            let error = crate::Mapping::parse(&archive).expect_err("too much of it");
            let is_thin = magic.contains("thin");
            assert!(is_thin || error.to_string().contains("names"), "{error}");
        }
    }

    #[test]
    fn what_is_no_archive_names_nothing() {
        for bytes in [&b""[..], b"!<thin>", b"!<thin>\n", b"\x7fELF"] {
            assert_eq!(thin_members(bytes, b"thin.a"), []);
        }
    }
}
