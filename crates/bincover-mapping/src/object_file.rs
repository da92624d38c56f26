//! What an object says of its instrumentation, without its mapping being read.

use bincover_profile::NameTable;
use object::{File, Object, ObjectSection, ObjectSymbol};

use crate::container::parse;
use crate::error::{Error, Result};
use crate::sections::{self, Kind, NAMES};

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
    /// `None` if it is no program of Go, else whether it was built with `-cover`: its build settings
    /// say so (`go version -m`), since Go 1.20.
    pub go_cover: Option<bool>,
    /// The version of Go that built it (`go version`), such as `go1.27.3`; since Go 1.18.
    pub go_version: Option<String>,
}

/// Looks at an object's section and symbol tables.
///
/// # Errors
/// If it is not an object file.
pub fn inspect(bytes: &[u8]) -> Result<Instrumentation> {
    let file = parse(bytes)?;
    Ok(Instrumentation {
        counters: sections::has(&file, Kind::Counters),
        mapping: sections::has(&file, Kind::Covmap),
        relocatable_counters: relocatable_counters(&file),
        build_id: build_id_of(&file),
        go_cover: go_cover(&file),
        go_version: go_version(&file),
    })
}

/// An object's GNU build id, empty if there is none.
///
/// # Errors
/// If it is not an object file.
pub fn build_id(bytes: &[u8]) -> Result<Vec<u8>> {
    parse(bytes).map(|file| build_id_of(&file))
}

/// What Go says of a build ([debug/buildinfo](https://github.com/golang/go/blob/go1.27.3/src/debug/buildinfo/buildinfo.go)).
fn go_build_info<'d>(file: &File<'d>) -> Option<&'d [u8]> {
    let names = [".go.buildinfo", "__go_buildinfo"];
    let section = names.iter().find_map(|name| file.section_by_name(name))?;
    Some(section.data().unwrap_or_default())
}

fn go_cover(file: &File<'_>) -> Option<bool> {
    const SETTING: &[u8] = b"build\t-cover=true\n";
    let settings = go_build_info(file)?;
    Some(settings.windows(SETTING.len()).any(|part| part == SETTING))
}

fn go_version(file: &File<'_>) -> Option<String> {
    // The rest is zero, or of no interest, up to the 32nd byte.
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    const IS_INLINE: u8 = 2;
    let info = go_build_info(file)?;
    if !info.starts_with(MAGIC) || info.get(15)? & IS_INLINE == 0 {
        return None;
    }
    // A length, in one byte, since versions are short.
    let (&len, rest) = info.get(32..)?.split_first()?;
    let version = rest.get(..len.into()).filter(|_| len < 0x80)?;
    String::from_utf8(version.to_vec()).ok()
}

fn build_id_of(file: &File<'_>) -> Vec<u8> {
    file.build_id().ok().flatten().unwrap_or_default().to_vec()
}

/// The names of an instrumented binary's functions, and its build id.
///
/// # Errors
/// If it is not an object file, or has no names.
pub fn names(bytes: &[u8]) -> Result<(Vec<u8>, NameTable)> {
    let file = parse(bytes)?;
    let names = NameTable::decode(sections::names(&file)?, 0)
        .map_err(|error| Error::from(error).in_section(NAMES))?;
    Ok((build_id_of(&file), names))
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
