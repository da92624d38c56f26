//! Finds the three sections in an object file, and what else it says of its instrumentation.

use std::borrow::Cow;

use bincover_profile::NameTable;
use bincover_profile::bytes::Endian;
use object::{Endianness, File, FileKind, Object, ObjectSection, ObjectSymbol};

use crate::error::{Error, ErrorKind, Result};

pub(crate) const NAMES: &str = "__llvm_prf_names";
pub(crate) const COVMAP: &str = "__llvm_covmap";
pub(crate) const COVFUN: &str = "__llvm_covfun";

/// The sections of one object, as they lie in it.
pub(crate) struct Sections<'a> {
    pub(crate) endian: Endian,
    pub(crate) names: &'a [u8],
    pub(crate) covmap: &'a [u8],
    /// All sections of that name, each padded to 8 bytes; usually one, in relocatable objects one
    /// for each function.
    pub(crate) covfun: Cow<'a, [u8]>,
}

impl<'a> Sections<'a> {
    pub(crate) fn find(bytes: &'a [u8]) -> Result<Self> {
        let file = parse(bytes)?;
        let names = exactly_one(&file, NAMES)?;
        let covmap = exactly_one(&file, COVMAP)?;
        let mut covfun = Cow::Borrowed(&[][..]);
        for section in named(&file, COVFUN)? {
            if covfun.is_empty() {
                covfun = Cow::Borrowed(section);
            } else {
                let all = covfun.to_mut();
                all.resize(all.len().next_multiple_of(8), 0);
                all.extend_from_slice(section);
                // Sections do not overlap, so together they are no longer than the file.
                if all.len() > bytes.len() {
                    let message = "expected sections that do not overlap, found ones that do";
                    return Err(Error::new(ErrorKind::Malformed, message).in_section(COVFUN));
                }
            }
        }
        Ok(Self {
            endian: match file.endianness() {
                Endianness::Little => Endian::Little,
                Endianness::Big => Endian::Big,
            },
            names,
            covmap,
            covfun,
        })
    }
}

fn parse(bytes: &[u8]) -> Result<File<'_>> {
    let kind = FileKind::parse(bytes);
    if !matches!(kind, Ok(FileKind::Elf32 | FileKind::Elf64)) {
        let found = match kind {
            Ok(kind) => format!("{kind:?}"),
            Err(_) => format!("bytes {:02x?}", &bytes[..bytes.len().min(8)]),
        };
        let message = format!("expected an ELF object at offset 0x0, found {found}");
        return Err(Error::new(ErrorKind::NotAnObject, message));
    }
    File::parse(bytes).map_err(|error| {
        Error::new(
            ErrorKind::NotAnObject,
            format_args!("expected a well-formed ELF object, found: {error}"),
        )
    })
}

/// The contents of the sections of this name that are not empty, in header order.
fn named<'a>(file: &File<'a>, name: &'static str) -> Result<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    for section in file.sections() {
        if section.name_bytes() != Ok(name.as_bytes()) {
            continue;
        }
        let bytes = section.data().map_err(|error| {
            Error::new(
                ErrorKind::Malformed,
                format_args!("expected a section inside the file, found: {error}"),
            )
            .in_section(name)
        })?;
        if !bytes.is_empty() {
            found.push(bytes);
        }
    }
    Ok(found)
}

fn exactly_one<'a>(file: &File<'a>, name: &'static str) -> Result<&'a [u8]> {
    match named(file, name)?[..] {
        [section] => Ok(section),
        [] => Err(Error::new(
            ErrorKind::NoCoverageData,
            format_args!(
                "expected a section {name}, found none of that name: the binary is not instrumented for coverage, or was stripped of it"
            ),
        )),
        _ => Err(Error::new(
            ErrorKind::Malformed,
            "expected one section, found several of that name",
        )
        .in_section(name)),
    }
}

/// What an object says of its instrumentation, without its mapping being read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instrumentation {
    /// Has counters (section `__llvm_prf_cnts`).
    pub counters: bool,
    /// Has a coverage mapping (section `__llvm_covmap`).
    pub mapping: bool,
    /// Counters can be moved into a shared file mapping when the program starts, so that they
    /// survive its end (`-runtime-counter-relocation`). `None` if the object has no symbols that
    /// would tell.
    pub relocatable_counters: Option<bool>,
    /// The GNU build id, empty if there is none.
    pub build_id: Vec<u8>,
}

/// Looks at an ELF object's section and symbol tables.
///
/// # Errors
/// If it is not an ELF object.
pub fn inspect(bytes: &[u8]) -> Result<Instrumentation> {
    let file = parse(bytes)?;
    let has = |name: &str| {
        let name = Ok(name.as_bytes());
        file.sections().any(|section| section.name_bytes() == name)
    };
    Ok(Instrumentation {
        counters: has("__llvm_prf_cnts"),
        mapping: has(COVMAP),
        relocatable_counters: relocatable_counters(&file),
        build_id: file.build_id().ok().flatten().unwrap_or_default().to_vec(),
    })
}

/// The names of an instrumented binary's functions, and its build id.
///
/// # Errors
/// If it is not an ELF object, or has no names.
pub fn names(bytes: &[u8]) -> Result<(Vec<u8>, NameTable)> {
    let file = parse(bytes)?;
    let names = NameTable::decode(exactly_one(&file, NAMES)?, 0)
        .map_err(|error| Error::from(error).in_section(NAMES))?;
    let build_id = file.build_id().ok().flatten().unwrap_or_default();
    Ok((build_id.to_vec(), names))
}

/// The runtime defines `__llvm_profile_counter_bias` weakly, as another name of
/// `__llvm_profile_counter_bias_default`; code that can relocate its counters defines its own.
fn relocatable_counters(file: &File<'_>) -> Option<bool> {
    let address = |name: &str| {
        file.symbols()
            .find(|symbol| symbol.is_definition() && symbol.name_bytes() == Ok(name.as_bytes()))
            .map(|symbol| symbol.address())
    };
    let default = address("__llvm_profile_counter_bias_default")?;
    Some(address("__llvm_profile_counter_bias")? != default)
}
