//! What is asked of an ELF file: where the profile's sections lie, which build ids it has, and three
//! symbols; and of a program of Go, where its variables lie.

use std::fs::File;

use bincover_profile::bytes::Endian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::{Endian as _, ReadCache, ReadRef, SectionIndex};

use crate::limits::{MAX_BUILD_ID_BYTES, MAX_BUILD_IDS};

/// A range of addresses as the linker chose them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
}

/// A part of the file that the loader maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) file_bytes: u64,
}

impl Segment {
    pub(crate) fn holds(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|at| at < self.file_bytes)
    }
}

/// An instrumented binary.
#[derive(Clone, Debug)]
pub(crate) struct Instrumented {
    pub(crate) endian: Endian,
    pub(crate) pointer_bytes: u64,
    pub(crate) build_ids: Vec<Vec<u8>>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) counters: Section,
    pub(crate) data: Section,
    pub(crate) bitmaps: Section,
    pub(crate) names: Section,
    pub(crate) vtables: Section,
    pub(crate) vtable_names: Section,
    /// `__llvm_prf_vnds`: room for value nodes. Of this only the size counts.
    pub(crate) value_nodes: Section,
    /// Addresses of symbols; none in a stripped binary.
    pub(crate) version: Option<u64>,
    pub(crate) counter_bias: Option<u64>,
    pub(crate) bitmap_bias: Option<u64>,
    /// `__start___llvm_prf_bits`, which a linker may define where there is no such section.
    pub(crate) bitmap_start: Option<u64>,
}

/// A binary of Go, instrumented or not: that shows in the process.
#[derive(Clone, Debug)]
pub(crate) struct GoSections {
    pub(crate) endian: Endian,
    pub(crate) pointer_bytes: u64,
    /// In Go's words (GOARCH).
    pub(crate) architecture: &'static str,
    pub(crate) segments: Vec<Segment>,
    /// What the runtime knows of its own sections (Go: `moduledata`) is in here: `.go.module` since
    /// Go 1.26, before in `.noptrdata`.
    pub(crate) module: Section,
    /// Variables with pointers, among them the list of packages.
    pub(crate) bss: Section,
    /// Variables without, the last of which are the counters.
    pub(crate) noptrbss: Section,
}

/// What a file is.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) llvm: Option<Instrumented>,
    pub(crate) go: Option<GoSections>,
}

/// `None`: no ELF file, or not instrumented, or so broken that its sections cannot be found.
pub(crate) fn parse(file: File) -> Option<Parsed> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let ident = data.read_bytes_at(0, 16).ok()?;
    if ident[..4] != elf::ELFMAG {
        return None;
    }
    match elf::FileClass(ident[4]) {
        elf::ELFCLASS32 => parse_class::<elf::FileHeader32<object::Endianness>, _>(data, 4),
        elf::ELFCLASS64 => parse_class::<elf::FileHeader64<object::Endianness>, _>(data, 8),
        _ => None,
    }
}

fn parse_class<'d, Elf, R>(data: R, pointer_bytes: u64) -> Option<Parsed>
where
    Elf: FileHeader<Endian = object::Endianness>,
    R: ReadRef<'d>,
{
    let header = Elf::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).ok()?;
    // At once, as with symbols.
    let names = header.shstrndx(endian, data).ok()?;
    let names = sections
        .section(SectionIndex(usize::try_from(names).ok()?))
        .ok()?;
    let names = names.data(endian, data).ok()?;
    let mut found = Instrumented {
        endian: match endian.is_little_endian() {
            true => Endian::Little,
            false => Endian::Big,
        },
        pointer_bytes,
        build_ids: Vec::new(),
        segments: Vec::new(),
        counters: Section::default(),
        data: Section::default(),
        bitmaps: Section::default(),
        names: Section::default(),
        vtables: Section::default(),
        vtable_names: Section::default(),
        value_nodes: Section::default(),
        version: None,
        counter_bias: None,
        bitmap_bias: None,
        bitmap_start: None,
    };
    let mut go = GoSections {
        endian: found.endian,
        pointer_bytes,
        architecture: go_architecture(header.e_machine(endian), found.endian),
        segments: Vec::new(),
        module: Section::default(),
        bss: Section::default(),
        noptrbss: Section::default(),
    };
    let mut noptrdata = Section::default();
    let mut build_info = Section::default();
    for section in sections.iter() {
        let flags = section.sh_flags(endian);
        if !flags.contains(elf::SHF_ALLOC) {
            continue;
        }
        let slot = match name_at(names, section.sh_name(endian)) {
            b"__llvm_prf_cnts" => &mut found.counters,
            b"__llvm_prf_data" => &mut found.data,
            b"__llvm_prf_bits" => &mut found.bitmaps,
            b"__llvm_prf_names" => &mut found.names,
            b"__llvm_prf_vtab" => &mut found.vtables,
            b"__llvm_prf_vns" => &mut found.vtable_names,
            b"__llvm_prf_vnds" => &mut found.value_nodes,
            b".go.buildinfo" => &mut build_info,
            b".go.module" => &mut go.module,
            b".noptrdata" => &mut noptrdata,
            b".bss" => &mut go.bss,
            b".noptrbss" => &mut go.noptrbss,
            _ => continue,
        };
        if slot.bytes == 0 {
            *slot = Section {
                address: section.sh_addr(endian).into(),
                bytes: section.sh_size(endian).into(),
            };
        }
    }
    if go.module.bytes == 0 {
        go.module = noptrdata;
    }
    let is_go = build_info.bytes > 0 && go.module.bytes > 0 && go.noptrbss.bytes > 0;
    if found.counters.bytes == 0 && !is_go {
        return None;
    }
    for segment in header.program_headers(endian, data).ok()? {
        match segment.p_type(endian) {
            elf::PT_LOAD => found.segments.push(Segment {
                address: segment.p_vaddr(endian).into(),
                offset: segment.p_offset(endian).into(),
                file_bytes: segment.p_filesz(endian).into(),
            }),
            elf::PT_NOTE => {
                if let Ok(Some(mut notes)) = segment.notes(endian, data) {
                    while let Ok(Some(note)) = notes.next() {
                        let is_build_id = note.n_type(endian) == elf::NT_GNU_BUILD_ID
                            && note.name() == elf::ELF_NOTE_GNU;
                        let id = note.desc();
                        if is_build_id
                            && id.len() <= MAX_BUILD_ID_BYTES
                            && found.build_ids.len() < MAX_BUILD_IDS
                        {
                            found.build_ids.push(id.to_vec());
                        }
                    }
                }
            }
            _ => {}
        }
    }
    go.segments.clone_from(&found.segments);
    let go = is_go.then_some(go);
    if found.counters.bytes == 0 {
        return Some(Parsed { llvm: None, go });
    }
    if let Some((symbols, names)) = symbols(&sections, endian, data) {
        for symbol in symbols {
            // Most names are told apart by their first bytes.
            let rest = rest_at(names, symbol.st_name(endian));
            let is_of_interest = rest.starts_with(b"__llvm_profile_")
                || rest.starts_with(b"__start___llvm_prf_bits");
            if !is_of_interest || symbol.is_undefined(endian) {
                continue;
            }
            let address = Some(symbol.st_value(endian).into());
            match name_at(names, symbol.st_name(endian)) {
                b"__llvm_profile_raw_version" => found.version = address,
                b"__llvm_profile_counter_bias" => found.counter_bias = address,
                b"__llvm_profile_bitmap_bias" => found.bitmap_bias = address,
                b"__start___llvm_prf_bits" => found.bitmap_start = address,
                _ => {}
            }
        }
    }
    Some(Parsed {
        llvm: Some(found),
        go,
    })
}

/// GOARCH by the machine of a program's header; empty for those that we do not know.
fn go_architecture(machine: elf::Machine, endian: Endian) -> &'static str {
    match (machine, endian) {
        (elf::EM_X86_64, _) => "amd64",
        (elf::EM_AARCH64, _) => "arm64",
        (elf::EM_386, _) => "386",
        (elf::EM_ARM, _) => "arm",
        (elf::EM_RISCV, _) => "riscv64",
        (elf::EM_LOONGARCH, _) => "loong64",
        (elf::EM_S390, _) => "s390x",
        (elf::EM_PPC64, Endian::Little) => "ppc64le",
        (elf::EM_PPC64, Endian::Big) => "ppc64",
        _ => "",
    }
}

/// A table of names from here on; nothing, if it is not that long.
fn rest_at(names: &[u8], at: u32) -> &[u8] {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    names.get(at..).unwrap_or_default()
}

/// The name that begins here.
fn name_at(names: &[u8], at: u32) -> &[u8] {
    let mut names = rest_at(names, at).split(|byte| *byte == 0);
    names.next().unwrap_or_default()
}

/// The symbols, and the table that their names are in. Each is read at once: of a large binary there are
/// a hundred thousand.
fn symbols<'d, Elf, R>(
    sections: &SectionTable<'d, Elf, R>,
    endian: Elf::Endian,
    data: R,
) -> Option<(&'d [Elf::Sym], &'d [u8])>
where
    Elf: FileHeader,
    R: ReadRef<'d>,
{
    let mut all = sections.iter();
    let table = all.find(|section| section.sh_type(endian) == elf::SHT_SYMTAB)?;
    let symbols = table.data_as_array(endian, data).ok()?;
    let names = sections.section(table.link(endian)).ok()?;
    Some((symbols, names.data(endian, data).ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bincover_testkit::{fixtures_ending, rng::Rng};

    use super::*;

    fn parsed(bytes: &[u8]) -> Option<Parsed> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        parse(file)
    }

    #[test]
    fn broken_files_are_no_harm() {
        let mut instrumented = 0;
        for path in fixtures_ending("object", "") {
            let bytes = std::fs::read(&path).unwrap();
            if !bytes.starts_with(&elf::ELFMAG) || bytes.len() > 200_000 {
                continue;
            }
            let Some(found) = parsed(&bytes).and_then(|parsed| parsed.llvm) else {
                continue;
            };
            instrumented += 1;
            assert!(found.counters.bytes > 0 && matches!(found.pointer_bytes, 4 | 8));
            let mut random = Rng::new(6);
            for _ in 0..40 {
                let below = |random: &mut Rng, end: usize| {
                    usize::try_from(random.below(end as u64)).unwrap()
                };
                let cut = below(&mut random, bytes.len());
                parsed(&bytes[..cut]);
                let mut changed = bytes.clone();
                for _ in 0..8 {
                    // The headers are at the start and at the end.
                    let near = below(&mut random, 512.min(changed.len()));
                    let at = match random.below(2) {
                        0 => near,
                        _ => changed.len() - 1 - near,
                    };
                    changed[at] = u8::try_from(random.below(256)).unwrap();
                }
                parsed(&changed);
            }
        }
        assert!(instrumented > 0, "no fixture is an instrumented ELF file");
    }
}
