//! Which objects a file holds: one, or those of an archive or a universal file, each with its
//! coverage sections (LLVM: `BinaryCoverageReader::create`, `loadBinaryFormat`).

use object::macho::{FatArch32, FatArch64};
use object::read::archive::ArchiveFile;
use object::read::macho::{FatArch, MachOFatFile};
use object::{Architecture, Endianness, File, FileKind, Object};

use bstr::{BStr, BString};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{COST_OF_OPENING, MAX_MEMBER_NAMES, MAX_NESTING, MAX_OPENED};
use crate::sections::Sections;
use crate::thin::{Members, NameRoom, is_archive, member_path};
use crate::{kept, test_container, wasm};

/// How a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParseOptions<'o> {
    /// Relative file names are resolved against this directory instead of the compiler's own
    /// record, unless it is empty (llvm-cov's `-compilation-dir`).
    pub compilation_dir: &'o [u8],
    /// The slice of a universal file, by LLVM's name (`arm64`, `x86_64`); other objects must be of
    /// it (llvm-cov's `-arch`).
    pub architecture: Option<&'o str>,
    /// Give up where llvm-cov does, though there is no need: at an archive's member without
    /// coverage data or that is no object, and at a universal file without an architecture. Else
    /// such members are passed over, and all slices are read.
    pub strict: bool,
    /// What a thin archive's names of members are relative to: the path of the archive.
    pub path: &'o [u8],
    /// The files that thin archives name; without them, such an archive is an error.
    pub members: Option<&'o Members<'o>>,
}

/// One object of a file.
pub(crate) struct Found<'a> {
    /// The member of the archive or the slice of the universal file, if it is in one.
    pub(crate) member: Option<BString>,
    pub(crate) sections: Sections<'a>,
}

/// The objects of a file that have coverage data, of which there is at least one.
pub(crate) fn open<'a>(bytes: &'a [u8], options: &ParseOptions<'a>) -> Result<Vec<Found<'a>>> {
    let mut found = Vec::new();
    let all = bytes.len() as u64 + options.members.map_or(0, Members::bytes);
    Opener {
        options,
        found: &mut found,
        left: all.saturating_mul(MAX_OPENED) + COST_OF_OPENING,
    }
    .open(bytes, options.path, None, 0)?;
    if found.is_empty() {
        return Err(Error::no_data("an object with coverage data", "none"));
    }
    Ok(found)
}

struct Opener<'a, 'o> {
    options: &'o ParseOptions<'a>,
    found: &'o mut Vec<Found<'a>>,
    /// How many bytes may still be opened.
    left: u64,
}

impl<'a> Opener<'a, '_> {
    /// `path` is what LLVM calls the file: a member of an archive has its name in there.
    fn open(
        &mut self,
        bytes: &'a [u8],
        path: &[u8],
        member: Option<BString>,
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_NESTING {
            let expected = format_args!("at most {MAX_NESTING} in each other");
            return Err(Error::of(
                ErrorKind::NotAnObject,
                "archives",
                expected,
                "more",
            ));
        }
        let cost = bytes.len() as u64 + COST_OF_OPENING;
        self.left = self.left.checked_sub(cost).ok_or_else(|| {
            let expected = format_args!("no byte in more than {MAX_OPENED} members and slices");
            Error::of(ErrorKind::Malformed, "archives", expected, "more")
        })?;
        if kept::is_one(bytes) {
            self.found.append(&mut kept::read(bytes)?);
            return Ok(());
        }
        if test_container::is_one(bytes) {
            let sections = test_container::read(bytes)?;
            self.found.push(Found { member, sections });
            return Ok(());
        }
        if is_archive(bytes) {
            return self.archive(bytes, path, member, depth);
        }
        match FileKind::parse(bytes) {
            Ok(FileKind::MachOFat32) => self.universal::<FatArch32>(bytes, depth),
            Ok(FileKind::MachOFat64) => self.universal::<FatArch64>(bytes, depth),
            _ if wasm::is_one(bytes) => {
                let wanted = self.options.architecture.map(architecture);
                if wanted.is_some_and(|wanted| wanted != Some((Architecture::Wasm32, false))) {
                    return Err(wrong_architecture("wasm32"));
                }
                let sections = wasm::sections(bytes)?;
                self.found.push(Found { member, sections });
                Ok(())
            }
            _ => self.object(bytes, member),
        }
    }

    fn object(&mut self, bytes: &'a [u8], member: Option<BString>) -> Result<()> {
        let file = parse(bytes)?;
        if let Some(name) = self.options.architecture {
            let found = (file.architecture(), file.endianness() == Endianness::Big);
            let found = match found {
                (Architecture::X86_64_X32, big) => (Architecture::X86_64, big),
                other => other,
            };
            if architecture(name) != Some(found) {
                return Err(wrong_architecture(format_args!("{:?}", found.0)));
            }
        }
        let sections = Sections::find(&file, bytes.len())?;
        self.found.push(Found { member, sections });
        Ok(())
    }

    fn archive(
        &mut self,
        bytes: &'a [u8],
        path: &[u8],
        outer: Option<BString>,
        depth: usize,
    ) -> Result<()> {
        let bad = |error: object::Error| {
            Error::new(ErrorKind::NotAnObject, "a well-formed archive", error)
        };
        let archive = ArchiveFile::parse(bytes).map_err(bad)?;
        let mut room = NameRoom::of(bytes);
        for member in archive.members() {
            let member = member.map_err(bad)?;
            let outer_bytes = outer.as_ref().map_or(0, |outer| outer.len());
            if !room.takes(outer_bytes + member.name().len()) {
                let expected =
                    format_args!("names of members of at most {MAX_MEMBER_NAMES} times its bytes");
                return Err(Error::of(
                    ErrorKind::NotAnObject,
                    "archive",
                    expected,
                    "more",
                ));
            }
            let mut name = outer.clone().unwrap_or_default();
            if !name.is_empty() {
                name.push(b'/');
            }
            name.extend_from_slice(member.name());
            let contents = match member.is_thin() {
                true => self.beside(path, member.name().into())?,
                false => member.data(bytes).map_err(bad)?,
            };
            let opened = self.open(contents, member.name(), Some(name), depth + 1);
            self.pass_over(opened)?;
        }
        Ok(())
    }

    /// What a thin archive's member holds.
    fn beside(&self, archive: &[u8], name: &BStr) -> Result<&'a [u8]> {
        let Some(members) = self.options.members else {
            let found = "a thin one, which only names them: give the members themselves";
            let expected = "an archive that holds its members";
            return Err(Error::new(ErrorKind::NotAnObject, expected, found));
        };
        members
            .get(member_path(archive, name).as_ref())
            .map_err(|reason| {
                let expected = format_args!("the file `{name}`, which this thin archive names");
                Error::new(ErrorKind::MissingMember, expected, reason)
                    .with_llvm_message(format!("'{name}': {reason}"))
            })
    }

    /// What is no object, or one without coverage data, is no error unless llvm-cov's manners are
    /// asked for.
    fn pass_over(&self, opened: Result<()>) -> Result<()> {
        match opened {
            Err(error)
                if !self.options.strict
                    && matches!(
                        error.kind(),
                        ErrorKind::NotAnObject
                            | ErrorKind::NoCoverageData
                            | ErrorKind::WrongArchitecture
                    ) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn universal<Fat: FatArch>(&mut self, bytes: &'a [u8], depth: usize) -> Result<()> {
        let bad = |error: object::Error| {
            Error::new(
                ErrorKind::NotAnObject,
                "a well-formed universal file",
                error,
            )
        };
        let fat = MachOFatFile::<Fat>::parse(bytes).map_err(bad)?;
        let mut names = Vec::new();
        let mut is_there = false;
        for slice in fat.arches() {
            let name = slice_name(slice.cputype().0, slice.cpusubtype().0);
            names.push(name);
            let is_wanted = match self.options.architecture {
                Some(wanted) => wanted == name,
                None => !self.options.strict,
            };
            if !is_wanted {
                continue;
            }
            is_there = true;
            let contents = slice.data(bytes).map_err(bad)?;
            let opened = self.open(contents, self.options.path, Some(name.into()), depth + 1);
            if self.options.architecture.is_some() {
                return opened;
            }
            self.pass_over(opened)?;
        }
        if is_there {
            return Ok(());
        }
        let names = names.join(", ");
        let expected = format_args!("the name of an architecture in this universal file ({names})");
        let found = self.options.architecture.unwrap_or("none");
        Err(Error::new(ErrorKind::ArchitectureNeeded, expected, found))
    }
}

#[cold]
fn wrong_architecture(found: impl std::fmt::Display) -> Error {
    let expected = "an object of the architecture asked for";
    let found = format_args!("one of {found}");
    Error::new(ErrorKind::WrongArchitecture, expected, found)
}

/// Reads the headers of one object.
pub(crate) fn parse(bytes: &[u8]) -> Result<File<'_>> {
    let kind = FileKind::parse(bytes);
    let is_object = matches!(
        kind,
        Ok(FileKind::Elf32
            | FileKind::Elf64
            | FileKind::MachO32
            | FileKind::MachO64
            | FileKind::Coff
            | FileKind::CoffBig
            | FileKind::Pe32
            | FileKind::Pe64)
    );
    if !is_object {
        let found = match kind {
            Ok(kind) => format!("{kind:?}"),
            Err(_) => format!("bytes {:02x?}", &bytes[..bytes.len().min(8)]),
        };
        let expected = "an object file at offset 0x0";
        return Err(Error::new(ErrorKind::NotAnObject, expected, found));
    }
    File::parse(bytes)
        .map_err(|error| Error::new(ErrorKind::NotAnObject, "a well-formed object file", error))
}

/// LLVM knows an architecture of this name (LLVM: `Triple(Arch).getArch()`).
#[must_use]
pub fn is_architecture(name: &str) -> bool {
    architecture(name).is_some()
}

/// An architecture by LLVM's name, and whether it is big-endian.
fn architecture(name: &str) -> Option<(Architecture, bool)> {
    use Architecture as A;
    Some(match name {
        "i386" | "i486" | "i586" | "i686" | "i786" | "i886" | "i986" => (A::I386, false),
        "x86_64" | "amd64" | "x86_64h" => (A::X86_64, false),
        "aarch64" | "arm64" | "arm64e" => (A::Aarch64, false),
        "aarch64_be" => (A::Aarch64, true),
        "aarch64_32" | "arm64_32" => (A::Aarch64_Ilp32, false),
        "powerpc" | "ppc" | "ppc32" => (A::PowerPc, true),
        "powerpcle" | "ppcle" | "ppc32le" => (A::PowerPc, false),
        "powerpc64" | "ppc64" => (A::PowerPc64, true),
        "powerpc64le" | "ppc64le" => (A::PowerPc64, false),
        "mips" | "mipseb" => (A::Mips, true),
        "mipsel" => (A::Mips, false),
        "mips64" | "mips64eb" => (A::Mips64, true),
        "mips64el" => (A::Mips64, false),
        "riscv32" => (A::Riscv32, false),
        "riscv64" => (A::Riscv64, false),
        "loongarch32" => (A::LoongArch32, false),
        "loongarch64" => (A::LoongArch64, false),
        "s390x" | "systemz" => (A::S390x, true),
        "sparc" => (A::Sparc, true),
        "sparcv9" | "sparc64" => (A::Sparc64, true),
        "hexagon" => (A::Hexagon, false),
        "wasm32" => (A::Wasm32, false),
        "wasm64" => (A::Wasm64, false),
        "bpf" | "bpfel" => (A::Bpf, false),
        "bpfeb" => (A::Bpf, true),
        "msp430" => (A::Msp430, false),
        "avr" => (A::Avr, false),
        "armeb" | "thumbeb" => (A::Arm, true),
        _ if name.starts_with("arm") || name.starts_with("thumb") || name == "xscale" => {
            (A::Arm, false)
        }
        _ => return None,
    })
}

/// What LLVM calls a slice (LLVM: `MachOObjectFile::getArchTriple`); empty if it has no name.
fn slice_name(cpu: u32, subtype: u32) -> &'static str {
    match (cpu, subtype & 0x00ff_ffff) {
        (7, 3) => "i386",
        (0x0100_0007, 3) => "x86_64",
        (0x0100_0007, 8) => "x86_64h",
        (12, 5) => "armv4t",
        (12, 6) => "armv6",
        (12, 7) => "armv5e",
        (12, 8) => "xscale",
        (12, 9) => "armv7",
        (12, 11) => "armv7s",
        (12, 12) => "armv7k",
        (12, 14) => "armv6m",
        (12, 15) => "armv7m",
        (12, 16) => "armv7em",
        (0x0100_000c, 0) => "arm64",
        (0x0100_000c, 2) => "arm64e",
        (0x0200_000c, 1) => "arm64_32",
        (18, 0) => "ppc",
        (0x0100_0012, 0) => "ppc64",
        _ => "",
    }
}
