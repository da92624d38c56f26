//! Binaries of Go that were built with coverage, in a process.
//!
//! Read after
//! [runtime/symtab.go](https://github.com/golang/go/blob/go1.27.3/src/runtime/symtab.go) and
//! [internal/coverage/rtcov/rtcov.go](https://github.com/golang/go/blob/go1.27.3/src/internal/coverage/rtcov/rtcov.go),
//! Go 1.20 to 1.27. Two things are wanted, and both are found by what they look like, since a stripped
//! program has no symbols:
//!
//! - where the counters are: the runtime's description of its own sections (`moduledata`) has four
//!   words in a row, which are where `.noptrbss` begins and ends, and where the counters in it do;
//! - which packages there are: a slice in `.bss` (`rtcov.Meta.List`; up to Go 1.21 `runtime.covMeta`), whose
//!   first element tells length and hash of the metadata that it points to, which begins with both.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bincover_profile::bytes::Endian;

use crate::elf::{GoSections, Section, Segment};
use crate::error::{Error, Result};
use crate::limits::{MAX_GO_PACKAGES, MAX_SECTION_BYTES};
use crate::maps::{self, Mapping};
use crate::memory::Memory;

/// A file of Go, and where in it the list of packages was found before.
#[derive(Debug)]
pub(crate) struct GoBinary {
    sections: GoSections,
    /// As the linker counts; 0 if it has not been found.
    list: AtomicU64,
}

impl GoBinary {
    pub(crate) fn new(sections: GoSections) -> Self {
        Self {
            sections,
            list: AtomicU64::new(0),
        }
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.sections.segments
    }

    /// An address in its segment of variables.
    pub(crate) fn address(&self) -> u64 {
        self.sections.module.address
    }
}

/// A binary of Go that was built with coverage and is mapped in a process.
#[derive(Clone, Debug)]
pub struct GoImage {
    path: PathBuf,
    is_program: bool,
    binary: Arc<GoBinary>,
    bias: u64,
    counters: Range<u64>,
}

/// A package of a Go program, as the program has registered it (Go: `rtcov.CovMetaBlob`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPackage {
    /// Go: `PkgID`, -1 if it has none of its own.
    pub id: i64,
    /// Go: `CounterMode`.
    pub mode: u8,
    /// Go: `CounterGranularity`.
    pub granularity: u8,
    /// Go: `Hash`, of its metadata.
    pub hash: [u8; 16],
    /// Where its metadata is, which does not change.
    metadata: Range<u64>,
}

impl GoImage {
    /// `None`: it was built without coverage.
    pub(crate) fn find(
        binary: &Arc<GoBinary>,
        bias: u64,
        path: &Path,
        is_program: bool,
        memory: &Memory,
        maps: &[Mapping],
    ) -> Result<Option<Self>> {
        let GoSections {
            module, noptrbss, ..
        } = binary.sections;
        let words = Words::of(binary);
        let area = section(memory, maps, path, module, bias, "its module data")?;
        let Some(start) = noptrbss.address.checked_add(bias) else {
            return Ok(None);
        };
        let values: Vec<u64> = words.all(&area).collect();
        let end = start.saturating_add(noptrbss.bytes);
        let found = values.windows(4).find(|values| {
            let [from, to, first, last] = **values else {
                return false;
            };
            from == start && from <= first && first <= last && last <= to && to <= end
        });
        let Some(&[_, _, first, last]) = found else {
            return Ok(None);
        };
        if first == last {
            return Ok(None);
        }
        if last - first > MAX_SECTION_BYTES || !maps::cover(maps, first..last) {
            let (path, bytes) = (path.display(), last - first);
            let reason =
                format_args!("`{path}`: {bytes} bytes of counters at {first:#x} are not mapped");
            return Err(Error::unreadable(memory.pid(), reason));
        }
        Ok(Some(Self {
            path: path.to_owned(),
            is_program,
            binary: Arc::clone(binary),
            bias,
            counters: first..last,
        }))
    }

    pub(crate) fn is(&self, binary: &Arc<GoBinary>, bias: u64) -> bool {
        self.bias == bias && Arc::ptr_eq(&self.binary, binary)
    }

    /// Where the binary was when it was mapped, as the process sees it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It is the program itself, no shared library.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.is_program
    }

    /// What it was built for, in Go's words (GOARCH); empty if that is not known here.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.binary.sections.architecture
    }

    /// The address of its counters, which tells the images of a process apart.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.counters.start
    }

    /// The area with its counters, as it is now.
    ///
    /// # Errors
    ///
    /// The process has ended, or has unmapped it.
    pub fn counters(&self, memory: &Memory) -> Result<Vec<u32>> {
        let bytes = self.counters.end - self.counters.start;
        let bytes = memory.read(self.counters.start, bytes, "its counters")?;
        let endian = self.binary.sections.endian;
        Ok(bytes.chunks_exact(4).map(|word| endian.u32(word)).collect())
    }

    /// The packages that are registered, in their order: those whose own code has begun, or is about
    /// to. None, if that is true of none.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn packages(&self, memory: &Memory) -> Result<Vec<GoPackage>> {
        let known = self.binary.list.load(Ordering::Relaxed);
        let bss = self.binary.sections.bss;
        let words = Words::of(&self.binary);
        if known != 0 {
            let at = known.wrapping_add(self.bias);
            let slice = memory.read(at, 3 * words.bytes, "its list of packages")?;
            return Ok(self.list(memory, &slice).unwrap_or_default());
        }
        if bss.bytes > MAX_SECTION_BYTES {
            return Ok(Vec::new());
        }
        let at = bss.address.wrapping_add(self.bias);
        let area = memory.read(at, bss.bytes, "its variables")?;
        let step = usize::try_from(words.bytes).unwrap_or(8);
        for (index, slice) in area.windows(3 * step).enumerate().step_by(step) {
            if let Some(packages) = self.list(memory, slice) {
                let found = bss.address.wrapping_add(index as u64);
                self.binary.list.store(found, Ordering::Relaxed);
                return Ok(packages);
            }
        }
        Ok(Vec::new())
    }

    /// The metadata of a package, as the program would write it.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn metadata(&self, memory: &Memory, package: &GoPackage) -> Result<Vec<u8>> {
        let Range { start, end } = package.metadata;
        memory.read(start, end - start, "its metadata")
    }

    /// The packages, if this is the slice with them.
    fn list(&self, memory: &Memory, slice: &[u8]) -> Option<Vec<GoPackage>> {
        let words = Words::of(&self.binary);
        let [start, count, room] = words.first(slice)?;
        if start == 0 || count == 0 || count > room || room > MAX_GO_PACKAGES {
            return None;
        }
        let shape = Shape::of(words);
        // Most slices are of something else, so their first element is looked at alone.
        let mut first = vec![0; usize::try_from(shape.bytes).ok()?];
        if !memory.peek(start, &mut first) {
            return None;
        }
        self.package(memory, &first, shape)?;
        if !memory.holds(start, count * shape.bytes) {
            return None;
        }
        let all = memory
            .read(start, count * shape.bytes, "its packages")
            .ok()?;
        let elements = all.chunks_exact(first.len());
        elements
            .map(|one| self.package(memory, one, shape))
            .collect()
    }

    /// An element, if the metadata that it points to has the length and the hash that it tells.
    fn package(&self, memory: &Memory, element: &[u8], shape: Shape) -> Option<GoPackage> {
        let endian = self.binary.sections.endian;
        let words = Words::of(&self.binary);
        let at = |offset: u64| element.get(usize::try_from(offset).ok()?..);
        let [address] = words.first(element)?;
        let length = endian.u32(at(shape.length)?.first_chunk::<4>()?);
        let hash = *at(shape.hash)?.first_chunk::<16>()?;
        let id = at(shape.id)?;
        let id = match words.bytes {
            4 => i64::from(endian.u32(id.first_chunk::<4>()?).cast_signed()),
            _ => endian.u64(id.first_chunk::<8>()?).cast_signed(),
        };
        let &[mode, granularity] = at(shape.mode)?.first_chunk()?;
        let mut head = [0; 32];
        if address == 0 || !memory.peek(address, &mut head) {
            return None;
        }
        // Metadata is little-endian everywhere.
        let is_told = Endian::Little.u32(&head) == length && head[16..] == hash;
        let end = address.checked_add(length.into())?;
        let is_there = length >= 32
            && u64::from(length) <= MAX_SECTION_BYTES
            && memory.holds(address, length.into());
        (is_told && is_there).then_some(GoPackage {
            id,
            mode,
            granularity,
            hash,
            metadata: address..end,
        })
    }
}

/// Where the parts of an element of the list are (Go: `CovMetaBlob`): a pointer, 4 bytes of length, 16
/// of hash, a string, a number as wide as a pointer, and two bytes.
#[derive(Clone, Copy)]
struct Shape {
    length: u64,
    hash: u64,
    id: u64,
    mode: u64,
    bytes: u64,
}

impl Shape {
    fn of(words: Words) -> Self {
        let word = words.bytes;
        let string = (word + 20).next_multiple_of(word);
        let mode = string + 3 * word;
        Self {
            length: word,
            hash: word + 4,
            id: string + 2 * word,
            mode,
            bytes: (mode + 2).next_multiple_of(word),
        }
    }
}

/// Words as wide as pointers.
#[derive(Clone, Copy)]
struct Words {
    endian: Endian,
    bytes: u64,
}

impl Words {
    fn of(binary: &GoBinary) -> Self {
        Self {
            endian: binary.sections.endian,
            bytes: binary.sections.pointer_bytes,
        }
    }

    fn all(self, area: &[u8]) -> impl Iterator<Item = u64> {
        let bytes = match self.bytes {
            4 => 4,
            _ => 8,
        };
        area.chunks_exact(bytes).map(move |word| match bytes {
            4 => self.endian.u32(word).into(),
            _ => self.endian.u64(word),
        })
    }

    fn first<const N: usize>(self, area: &[u8]) -> Option<[u64; N]> {
        let mut all = self.all(area);
        let mut first = [0; N];
        for word in &mut first {
            *word = all.next()?;
        }
        Some(first)
    }
}

/// A section as it lies in the process.
fn section(
    memory: &Memory,
    maps: &[Mapping],
    path: &Path,
    section: Section,
    bias: u64,
    what: &str,
) -> Result<Vec<u8>> {
    let Section { address, bytes } = section;
    let start = address.wrapping_add(bias);
    let is_mapped = start
        .checked_add(bytes)
        .is_some_and(|end| bytes <= MAX_SECTION_BYTES && maps::cover(maps, start..end));
    if !is_mapped {
        let path = path.display();
        let reason =
            format_args!("`{path}`: {what} of {bytes} bytes at {address:#x} is not mapped");
        return Err(Error::unreadable(memory.pid(), reason));
    }
    memory.read(start, bytes, what)
}
