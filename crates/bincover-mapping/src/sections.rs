//! Finds the three sections in one object (LLVM: `lookupSections`).

use std::borrow::Cow;

use bincover_profile::bytes::Endian;
use object::{BinaryFormat, Endianness, File, Object, ObjectSection};

use crate::error::{Error, ErrorKind, Result};

pub(crate) const NAMES: &str = "__llvm_prf_names";
pub(crate) const COVMAP: &str = "__llvm_covmap";
pub(crate) const COVFUN: &str = "__llvm_covfun";
const COVNAMES: &str = "__llvm_covnames";

/// The sections of one object, as they lie in it.
pub(crate) struct Sections<'a> {
    pub(crate) endian: Endian,
    /// 4 or 8. It matters for mapping version 1 alone.
    pub(crate) pointer_bytes: u8,
    pub(crate) names: &'a [u8],
    /// Where the names are in memory: version 1 points at them.
    pub(crate) names_address: u64,
    pub(crate) covmap: &'a [u8],
    /// All sections of that name, each padded to 8 bytes; usually one, in relocatable objects one
    /// for each function.
    pub(crate) covfun: Cow<'a, [u8]>,
}

/// Which of LLVM's sections one is, by its ELF name; other formats have names of their own.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Names,
    CovNames,
    Covmap,
    Covfun,
    Counters,
}

impl Kind {
    fn elf(self) -> &'static str {
        match self {
            Self::Names => NAMES,
            Self::CovNames => COVNAMES,
            Self::Covmap => COVMAP,
            Self::Covfun => COVFUN,
            Self::Counters => "__llvm_prf_cnts",
        }
    }

    /// Without the `$M` that sorts it.
    fn coff(self) -> &'static str {
        match self {
            Self::Names => ".lprfn",
            Self::CovNames => ".lcovn",
            Self::Covmap => ".lcovmap",
            Self::Covfun => ".lcovfun",
            Self::Counters => ".lprfc",
        }
    }
}

/// A section's contents and address.
struct Contents<'a> {
    bytes: &'a [u8],
    address: u64,
}

impl<'a> Sections<'a> {
    pub(crate) fn find(file: &File<'a>, file_bytes: usize) -> Result<Self> {
        let names = match exactly_one(file, Kind::Names) {
            Ok(names) => names,
            // Left in the object for profiles that are put together with it. Without them there is
            // no data, even if there are names twice.
            Err(error) => {
                exactly_one(file, Kind::CovNames).map_err(|other| match other.kind() {
                    ErrorKind::NoCoverageData => error.of_kind(ErrorKind::NoCoverageData),
                    _ => other,
                })?
            }
        };
        let covmap = exactly_one(file, Kind::Covmap)?;
        let mut covfun = Cow::Borrowed(&[][..]);
        let mut total = 0;
        for section in named(file, Kind::Covfun)? {
            // Sections do not overlap, so together they are no longer than the file.
            total += section.bytes.len() as u64;
            if total > file_bytes as u64 {
                let expected = "sections that do not overlap";
                let error = Error::new(ErrorKind::Malformed, expected, "ones that do");
                return Err(error.in_section(COVFUN));
            }
            if covfun.is_empty() {
                covfun = Cow::Borrowed(section.bytes);
            } else {
                let all = covfun.to_mut();
                all.resize(all.len().next_multiple_of(8), 0);
                all.extend_from_slice(section.bytes);
            }
        }
        // The runtime of a PE image puts a zero before the names.
        let drop_first = file.format() == BinaryFormat::Pe;
        Ok(Self {
            endian: match file.endianness() {
                Endianness::Little => Endian::Little,
                Endianness::Big => Endian::Big,
            },
            pointer_bytes: if file.is_64() { 8 } else { 4 },
            names: names
                .bytes
                .get(usize::from(drop_first)..)
                .unwrap_or_default(),
            names_address: names.address,
            covmap: covmap.bytes,
            covfun,
        })
    }
}

/// The object has a section of this kind, empty or not.
pub(crate) fn has(file: &File<'_>, kind: Kind) -> bool {
    file.sections().any(|section| is_of(file, &section, kind))
}

/// The names of the functions.
pub(crate) fn names<'a>(file: &File<'a>) -> Result<&'a [u8]> {
    let names = exactly_one(file, Kind::Names)?.bytes;
    let drop_first = file.format() == BinaryFormat::Pe;
    Ok(names.get(usize::from(drop_first)..).unwrap_or_default())
}

fn is_of<'a>(file: &File<'a>, section: &object::Section<'a, '_>, kind: Kind) -> bool {
    let Ok(name) = section.name_bytes() else {
        return false;
    };
    match file.format() {
        BinaryFormat::Coff | BinaryFormat::Pe => {
            let end = name.iter().position(|&byte| byte == b'$');
            &name[..end.unwrap_or(name.len())] == kind.coff().as_bytes()
        }
        _ => name == kind.elf().as_bytes(),
    }
}

/// The contents of the sections of this kind that are not empty, in header order.
fn named<'a>(file: &File<'a>, kind: Kind) -> Result<Vec<Contents<'a>>> {
    let mut found = Vec::new();
    let is_coff = matches!(file.format(), BinaryFormat::Coff | BinaryFormat::Pe);
    for section in file.sections() {
        if !is_of(file, &section, kind) {
            continue;
        }
        let bytes = section.data().map_err(|error| {
            Error::new(ErrorKind::Malformed, "a section inside the file", error)
                .in_section(kind.elf())
        })?;
        // Two zeros are the beginning and the end of nothing.
        let is_empty = bytes.is_empty() || kind == Kind::Names && is_coff && bytes.len() == 2;
        if !is_empty {
            found.push(Contents {
                bytes,
                address: section.address(),
            });
        }
    }
    Ok(found)
}

fn exactly_one<'a>(file: &File<'a>, kind: Kind) -> Result<Contents<'a>> {
    let mut found = named(file, kind)?;
    match (found.pop(), found.is_empty()) {
        (Some(section), true) => Ok(section),
        (None, _) => Err(Error::no_section(kind.elf())),
        (Some(_), false) => {
            Err(
                Error::new(ErrorKind::Malformed, "one section", "several of that name")
                    .in_section(kind.elf())
                    .with_llvm_detail(match kind {
                        Kind::Covmap => "the size of name section is not one",
                        _ => "the size of coverage mapping section is not one",
                    }),
            )
        }
    }
}
