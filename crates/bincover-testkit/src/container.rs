//! The least object files of every kind that hold the three coverage sections, and what holds
//! several of them: written by hand, so that a fuzzer reaches each and a test compares them.

use crate::elf::section;
use crate::raw::uleb;

/// The three sections of a 64-bit little-endian ELF file as one seed of a fuzzer, which so reaches them:
/// the lengths of names and covmap in 4 bytes each, names, covmap, covfun. `None` if it has no such
/// sections.
#[must_use]
pub fn split_object(object: &[u8]) -> Option<Vec<u8>> {
    let [names, covmap, covfun] = NAMES.map(|name| section(object, name));
    if covfun.is_empty() {
        return None;
    }
    let mut seed = Vec::new();
    for section in [&names, &covmap] {
        seed.extend(u32::try_from(section.len()).ok()?.to_le_bytes());
    }
    seed.extend([names, covmap, covfun].concat());
    Some(seed)
}

/// The contents of the coverage sections of one object.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'s> {
    /// LLVM: `__llvm_prf_names`.
    pub names: &'s [u8],
    /// LLVM: `__llvm_covmap`.
    pub covmap: &'s [u8],
    /// LLVM: `__llvm_covfun`.
    pub covfun: &'s [u8],
}

/// A kind of object file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// ELF of this width and byte order.
    Elf {
        /// 64 bits, else 32.
        wide: bool,
        /// Byte order.
        big_endian: bool,
    },
    /// Mach-O, likewise.
    MachO {
        /// 64 bits, else 32.
        wide: bool,
        /// Byte order.
        big_endian: bool,
    },
    /// A universal file of one slice.
    Universal,
    /// COFF.
    Coff,
    /// A PE image of 64 bits.
    Pe,
    /// A linked WebAssembly module.
    Wasm,
    /// An archive of an ELF file, after a member that is no object.
    Archive,
    /// An archive in an archive.
    Nested,
    /// What `llvm-cov convert-for-testing` writes, in its first version.
    Test1,
    /// The same with the size of the mapping.
    Test2,
}

impl Container {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::elf(true, false),
        Self::elf(true, true),
        Self::elf(false, false),
        Self::elf(false, true),
        Self::macho(true, false),
        Self::macho(true, true),
        Self::macho(false, false),
        Self::macho(false, true),
        Self::Universal,
        Self::Coff,
        Self::Pe,
        Self::Wasm,
        Self::Archive,
        Self::Nested,
        Self::Test1,
        Self::Test2,
    ];

    const fn elf(wide: bool, big_endian: bool) -> Self {
        Self::Elf { wide, big_endian }
    }

    const fn macho(wide: bool, big_endian: bool) -> Self {
        Self::MachO { wide, big_endian }
    }

    /// Whether its sections are read as little-endian numbers.
    #[must_use]
    pub fn is_little_endian(self) -> bool {
        !matches!(
            self,
            Self::Elf {
                big_endian: true,
                ..
            } | Self::MachO {
                big_endian: true,
                ..
            }
        )
    }

    /// A file of this kind that holds the sections.
    #[must_use]
    pub fn build(self, sections: &Sections<'_>) -> Vec<u8> {
        let elf64 = || elf(true, false, sections);
        match self {
            Self::Elf { wide, big_endian } => elf(wide, big_endian, sections),
            Self::MachO { wide, big_endian } => macho(wide, big_endian, sections),
            Self::Universal => universal(&macho(true, false, sections)),
            Self::Coff => coff(sections),
            Self::Pe => pe(sections),
            Self::Wasm => wasm(sections),
            Self::Archive => archive(&[("read.me", b"no object"), ("a.o", &elf64())]),
            Self::Nested => archive(&[("b.a", &archive(&[("a.o", &elf64())]))]),
            Self::Test1 => test(false, sections),
            Self::Test2 => test(true, sections),
        }
    }
}

/// Bytes in one byte order.
struct Out {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Out {
    fn new(big_endian: bool) -> Self {
        let bytes = Vec::new();
        Self { bytes, big_endian }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number in so many bytes.
    fn number(&mut self, width: usize, value: usize) {
        let mut bytes = (value as u64).to_le_bytes()[..width].to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        self.raw(&bytes);
    }

    fn numbers(&mut self, width: usize, values: &[usize]) {
        for value in values {
            self.number(width, *value);
        }
    }

    /// A name in a field of zeros.
    fn name(&mut self, width: usize, name: &str) {
        let mut field = name.as_bytes().to_vec();
        field.resize(width, 0);
        self.raw(&field);
    }

    fn pad8(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }
}

const NAMES: [&str; 3] = ["__llvm_prf_names", "__llvm_covmap", "__llvm_covfun"];

impl<'s> Sections<'s> {
    fn all(&self) -> [&'s [u8]; 3] {
        [self.names, self.covmap, self.covfun]
    }

    /// Offsets and sizes, if the sections lie one after another from `start` on, each at a multiple
    /// of 8.
    fn places(&self, start: usize) -> [(usize, usize); 3] {
        let mut at = start;
        self.all().map(|section| {
            at = at.next_multiple_of(8);
            let place = (at, section.len());
            at += section.len();
            place
        })
    }
}

/// Sections lie behind the header; then come their names, then the table of headers.
fn elf(wide: bool, big_endian: bool, sections: &Sections<'_>) -> Vec<u8> {
    let (header, entry, word) = if wide { (64, 64, 8) } else { (52, 40, 4) };
    let mut names = vec![0];
    let name_at = NAMES.map(|name| {
        let at = names.len();
        names.extend(name.bytes().chain([0]));
        at
    });
    let own_name = names.len();
    names.extend(b".shstrtab\0");
    let places = sections.places(header);
    let names_at = (places[2].0 + places[2].1).next_multiple_of(8);
    let table = (names_at + names.len()).next_multiple_of(8);

    let mut out = Out::new(big_endian);
    out.raw(b"\x7fELF");
    out.raw(&[1 + u8::from(wide), 1 + u8::from(big_endian), 1]);
    out.raw(&[0; 9]);
    let machine = match (wide, big_endian) {
        (true, false) => 62,
        (true, true) => 21,
        (false, false) => 3,
        (false, true) => 20,
    };
    // ET_REL, the machine, the version; then no entry point, no segments, the table of sections.
    out.numbers(2, &[1, machine]);
    out.number(4, 1);
    out.numbers(word, &[0, 0, table]);
    out.number(4, 0);
    out.numbers(2, &[header, 0, 0, entry, 5, 4]);
    for (section, (at, _)) in sections.all().iter().zip(places) {
        out.bytes.resize(at, 0);
        out.raw(section);
    }
    out.pad8();
    out.raw(&names);
    out.pad8();
    out.bytes.resize(table + entry, 0);
    for (name, (at, len)) in name_at.into_iter().zip(places) {
        // SHT_PROGBITS
        out.numbers(4, &[name, 1]);
        out.numbers(word, &[0, 0, at, len]);
        out.numbers(4, &[0, 0]);
        out.numbers(word, &[8, 0]);
    }
    // SHT_STRTAB
    out.numbers(4, &[own_name, 3]);
    out.numbers(word, &[0, 0, names_at, names.len()]);
    out.numbers(4, &[0, 0]);
    out.numbers(word, &[1, 0]);
    out.bytes
}

/// One load command, a segment with all sections.
fn macho(wide: bool, big_endian: bool, sections: &Sections<'_>) -> Vec<u8> {
    let (header, segment, section, word) = if wide {
        (32, 72, 80, 8)
    } else {
        (28, 56, 68, 4)
    };
    let command_bytes = segment + 3 * section;
    let places = sections.places(header + command_bytes);
    let end = places[2].0 + places[2].1;
    let mut out = Out::new(big_endian);
    out.number(4, 0xfeed_face + usize::from(wide));
    let processor = match (wide, big_endian) {
        (true, false) => 0x0100_0007,
        (false, false) => 7,
        (true, true) => 0x0100_0012,
        (false, true) => 18,
    };
    let subtype = if big_endian { 0 } else { 3 };
    // MH_OBJECT, of one command.
    out.numbers(4, &[processor, subtype, 1, 1, command_bytes, 0]);
    if wide {
        out.number(4, 0);
    }
    // LC_SEGMENT
    out.numbers(4, &[if wide { 0x19 } else { 1 }, command_bytes]);
    out.name(16, "");
    out.numbers(word, &[0, end, 0, end]);
    out.numbers(4, &[7, 7, 3, 0]);
    for (name, (at, len)) in NAMES.into_iter().zip(places) {
        out.name(16, name);
        out.name(16, "__LLVM_COV");
        out.numbers(word, &[0, len]);
        out.numbers(4, &[at, 3, 0, 0, 0, 0, 0]);
        if wide {
            out.number(4, 0);
        }
    }
    for (section, (at, _)) in sections.all().iter().zip(places) {
        out.bytes.resize(at, 0);
        out.raw(section);
    }
    out.bytes
}

fn universal(slice: &[u8]) -> Vec<u8> {
    let at = 4096;
    let mut out = Out::new(true);
    // One slice: x86-64, aligned to 2^12.
    out.numbers(4, &[0xcafe_babe, 1, 0x0100_0007, 3, at, slice.len(), 12]);
    out.bytes.resize(at, 0);
    out.raw(slice);
    out.bytes
}

/// What COFF calls the sections; all names fit in a header.
const COFF_NAMES: [&str; 3] = [".lprfn$M", ".lcovmap", ".lcovfun"];

fn coff_headers(out: &mut Out, addresses: usize, places: [(usize, usize); 3]) {
    for (index, (name, (at, len))) in COFF_NAMES.into_iter().zip(places).enumerate() {
        out.name(8, name);
        // An image has sizes and addresses in memory.
        let (size, address) = match addresses {
            0 => (0, 0),
            _ => (len, addresses * (1 + index)),
        };
        out.numbers(4, &[size, address, len, at, 0, 0]);
        out.numbers(2, &[0, 0]);
        // Initialised data that can be read.
        out.number(4, 0x4000_0040);
    }
}

fn coff(sections: &Sections<'_>) -> Vec<u8> {
    let mut out = Out::new(false);
    // x86-64, three sections, no symbols, no optional header.
    out.numbers(2, &[0x8664, 3]);
    out.numbers(4, &[0, 0, 0]);
    out.numbers(2, &[0, 0]);
    let places = sections.places(20 + 3 * 40);
    coff_headers(&mut out, 0, places);
    for (section, (at, _)) in sections.all().iter().zip(places) {
        out.bytes.resize(at, 0);
        out.raw(section);
    }
    out.bytes
}

/// The runtime of an image puts a zero before the names.
fn pe(sections: &Sections<'_>) -> Vec<u8> {
    let names = [&[0], sections.names].concat();
    let sections = Sections {
        names: &names,
        ..*sections
    };
    let mut out = Out::new(false);
    out.name(60, "MZ");
    // Where the PE header is.
    out.number(4, 64);
    out.raw(b"PE\0\0");
    // An executable image with an optional header of 112 bytes.
    out.numbers(2, &[0x8664, 3]);
    out.numbers(4, &[0, 0, 0]);
    out.numbers(2, &[112, 0x22]);
    let start = out.bytes.len();
    out.number(2, 0x20b);
    out.bytes.resize(start + 24, 0);
    // ImageBase, alignment of sections and in the file.
    out.number(8, 0x1_4000_0000);
    out.numbers(4, &[0x1000, 8]);
    out.bytes.resize(start + 112, 0);
    let places = sections.places(out.bytes.len() + 3 * 40);
    coff_headers(&mut out, 0x10_0000, places);
    for (section, (at, _)) in sections.all().iter().zip(places) {
        out.bytes.resize(at, 0);
        out.raw(section);
    }
    out.bytes
}

/// Names are the second data segment, after an active one.
fn wasm(sections: &Sections<'_>) -> Vec<u8> {
    let string = |bytes: &[u8]| [uleb(bytes.len() as u64), bytes.to_vec()].concat();
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, contents: &[u8]| {
        out.push(id);
        out.extend(string(contents));
    };
    let data = [
        // Two segments: one at an address (i32.const 16), and the names.
        &[2, 0, 0x41, 16, 0x0b][..],
        &string(b"abc"),
        &[1],
        &string(sections.names),
    ];
    section(11, &data.concat());
    let names = [&[1][..], &uleb(1), &string(NAMES[0].as_bytes())];
    let custom = [&string(b"name")[..], &[9], &string(&names.concat())];
    section(0, &custom.concat());
    for (name, contents) in NAMES.into_iter().zip(sections.all()).skip(1) {
        section(0, &[&string(name.as_bytes()), contents].concat());
    }
    out
}

/// An archive of these members (name, contents), as System V and GNU have it.
///
/// # Panics
/// If a name has more than 15 bytes.
#[must_use]
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, contents) in members {
        assert!(name.len() < 16, "no room for the name `{name}`");
        let name = format!("{name}/");
        let size = contents.len();
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        out.extend(header.bytes());
        out.extend_from_slice(contents);
        out.resize(out.len().next_multiple_of(2), b'\n');
    }
    out
}

/// In the first version the header of the mapping says where it ends; in the second, the container.
fn test(has_size: bool, sections: &Sections<'_>) -> Vec<u8> {
    let mut out = Out::new(false);
    out.raw(b"llvmcovm");
    out.raw(match has_size {
        true => &[1, 0, 0, 0, 0, 0, 0, 0],
        false => b"testdata",
    });
    out.raw(&uleb(sections.names.len() as u64));
    out.raw(&uleb(0));
    out.raw(sections.names);
    if has_size {
        out.raw(&uleb(sections.covmap.len() as u64));
    }
    out.pad8();
    out.raw(sections.covmap);
    out.pad8();
    out.raw(sections.covfun);
    out.bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn all_hold_the_sections() {
        let sections = Sections {
            names: b"the names",
            covmap: b"the mapping",
            covfun: b"the functions",
        };
        for container in Container::ALL {
            let file = container.build(&sections);
            for section in sections.all() {
                let found = file.windows(section.len()).any(|window| window == section);
                assert!(found, "{container:?}");
            }
        }
        let file = Container::ALL[0].build(&sections);
        let split = split_object(&file).expect("it has sections");
        assert_eq!(split[..8], [9, 0, 0, 0, 11, 0, 0, 0]);
        assert_eq!(split[8..], *sections.all().concat());
    }
}
