//! The instrumented binaries of a process, and their counters.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bincover_profile::bytes::Endian;
use bincover_profile::raw::{Placed, RawHeader, RawImage, RawShape};

use crate::Snapshot;
use crate::elf::{self, Instrumented, Section, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::go::{GoBinary, GoImage};
use crate::limits::{MAX_REMEMBERED, MAX_SECTION_BYTES};
use crate::maps::{self, Mapping};
use crate::memory::Memory;

/// Finds the instrumented binaries of processes, and remembers what it saw in their files.
#[derive(Debug, Default)]
pub struct Reader {
    known: Mutex<HashMap<FileKey, Binary>>,
}

/// What a file is; nothing, if it is not instrumented.
#[derive(Clone, Debug, Default)]
struct Binary {
    llvm: Option<Arc<Instrumented>>,
    go: Option<Arc<GoBinary>>,
}

/// What there is in a process.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// Binaries that LLVM has instrumented, in order of their addresses.
    pub llvm: Vec<Image>,
    /// Binaries of Go that were built with coverage, likewise.
    pub go: Vec<GoImage>,
}

/// A file that has these has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileKey {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl FileKey {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

impl Reader {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The instrumented binaries that are mapped in a process, the program and shared libraries, in
    /// order of their addresses. A thread's id does as well as the process's, and when the main
    /// thread has ended, only another thread's id does.
    ///
    /// A shared library whose file was deleted or replaced is found only where the system lets us
    /// open what is mapped, which takes root's rights.
    ///
    /// # Errors
    ///
    /// There is no such process, it may not be read, nothing in it is instrumented, or all that is
    /// instrumented is in some way broken.
    pub fn images(&self, pid: u32) -> Result<Vec<Image>> {
        let memory = Memory::open(pid)?;
        self.images_in(&memory)
    }

    /// [`images`](Self::images) of a process whose memory is open already.
    ///
    /// # Errors
    ///
    /// As [`images`](Self::images).
    pub fn images_in(&self, memory: &Memory) -> Result<Vec<Image>> {
        let images = self.all_in(memory)?.llvm;
        if images.is_empty() {
            return Err(not_instrumented(memory.pid()));
        }
        Ok(images)
    }

    /// The same with binaries of Go.
    ///
    /// # Errors
    ///
    /// As [`images`](Self::images).
    pub fn all_in(&self, memory: &Memory) -> Result<Images> {
        let pid = memory.pid();
        let maps =
            maps::read(pid).map_err(|error| Error::io(pid, "read what is mapped", &error))?;
        if maps.is_empty() {
            let reason = "its memory is gone";
            return Err(Error::new(ErrorKind::NoSuchProcess, pid, reason));
        }
        let program = Program::of(pid);
        let mut images = Images::default();
        let mut problem = None;
        let mut opened: Vec<(&Mapping, Binary)> = Vec::new();
        // Counters are written to, so they lie in a mapping that is private and writable.
        let private = |one: &&Mapping| one.is_writable && !one.is_shared && one.has_file();
        for mapping in maps.iter().filter(private) {
            let known = opened.iter().find(|(first, _)| first.same_file(mapping));
            let binary = match known {
                Some((_, binary)) => binary.clone(),
                None => {
                    let binary = self.binary(memory, &maps, mapping, &program);
                    opened.push((mapping, binary.clone()));
                    binary
                }
            };
            let is_program = program.is(mapping);
            if let Some(binary) = &binary.llvm
                && let Some(bias) = bias(&binary.segments, binary.counters.address, mapping)
                && !(images.llvm.iter())
                    .any(|image| image.bias == bias && Arc::ptr_eq(&image.binary, binary))
            {
                match Image::find(binary, bias, mapping, is_program, memory, &maps) {
                    Ok(image) => images.llvm.push(image),
                    Err(error) => problem = Some(error),
                }
            }
            if let Some(binary) = &binary.go
                && let Some(bias) = bias(binary.segments(), binary.address(), mapping)
                && !images.go.iter().any(|image| image.is(binary, bias))
            {
                match GoImage::find(binary, bias, &mapping.path, is_program, memory, &maps) {
                    Ok(image) => images.go.extend(image),
                    Err(error) => problem = Some(error),
                }
            }
        }
        match (images.llvm.is_empty() && images.go.is_empty(), problem) {
            (true, Some(problem)) => Err(problem),
            (true, None) => Err(not_instrumented(pid)),
            _ => Ok(images),
        }
    }

    /// [`snapshot`](crate::snapshot) with what is remembered.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](crate::snapshot).
    pub fn snapshot(&self, pid: u32) -> Result<Snapshot> {
        let memory = Memory::open(readable_thread(pid))?;
        let images = self.images_in(&memory)?;
        let profile = |image: Image| {
            let counters = image.read(&memory)?;
            let profile = image.raw_profile(&memory, &counters)?;
            Ok((image, profile))
        };
        images.into_iter().map(profile).collect()
    }

    /// The file behind a mapping, if it is instrumented and is the one that is mapped.
    fn binary(
        &self,
        memory: &Memory,
        maps: &[Mapping],
        mapping: &Mapping,
        program: &Program,
    ) -> Binary {
        let pid = memory.pid();
        let path = match program.is(mapping) {
            true => Some(PathBuf::from(format!("/proc/{pid}/exe"))),
            false => library(memory, maps, mapping),
        };
        let binary = path.and_then(|path| self.binary_at(&path));
        binary.unwrap_or_default()
    }

    fn binary_at(&self, path: &Path) -> Option<Binary> {
        let key = FileKey::of(&path.metadata().ok()?);
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Some(known.clone());
        }
        let file = File::open(path).ok()?;
        let key = FileKey::of(&file.metadata().ok()?);
        let parsed = elf::parse(file).unwrap_or_default();
        let binary = Binary {
            llvm: parsed.llvm.map(Arc::new),
            go: parsed.go.map(|found| Arc::new(GoBinary::new(found))),
        };
        let mut known = lock();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(key, binary.clone());
        Some(binary)
    }
}

fn not_instrumented(pid: u32) -> Error {
    let reason = "nothing that is mapped in it was built with coverage";
    Error::new(ErrorKind::NotInstrumented, pid, reason)
}

/// What the process was started from.
struct Program {
    file: Option<(Metadata, PathBuf)>,
}

impl Program {
    fn of(pid: u32) -> Self {
        let link = format!("/proc/{pid}/exe");
        let file = std::fs::metadata(&link).and_then(|file| Ok((file, std::fs::read_link(&link)?)));
        Self { file: file.ok() }
    }

    fn is(&self, mapping: &Mapping) -> bool {
        self.file.as_ref().is_some_and(|(file, link)| {
            file.ino() == mapping.inode && (device(file) == mapping.device || *link == mapping.path)
        })
    }
}

/// Where a library can be opened that is mapped here. Its path is as the process sees it.
fn library(memory: &Memory, maps: &[Mapping], mapping: &Mapping) -> Option<PathBuf> {
    let pid = memory.pid();
    let below_root = mapping.path.strip_prefix("/").ok()?;
    let by_path = Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(below_root);
    if let Ok(file) = by_path.metadata()
        && file.is_file()
        && file.ino() == mapping.inode
        // Some file systems show the kernel another device than they show programs.
        && (device(&file) == mapping.device || begins_alike(&by_path, memory, maps, mapping))
    {
        return Some(by_path);
    }
    let Range { start, end } = mapping.addresses;
    let as_mapped = PathBuf::from(format!("/proc/{pid}/map_files/{start:x}-{end:x}"));
    let is_the_one = as_mapped
        .metadata()
        .is_ok_and(|file| file.is_file() && file.ino() == mapping.inode);
    is_the_one.then_some(as_mapped)
}

/// The file's first bytes, with its ELF header and mostly its build id, are those that are mapped.
fn begins_alike(path: &Path, memory: &Memory, maps: &[Mapping], mapping: &Mapping) -> bool {
    use std::os::unix::fs::FileExt;
    let mut wanted = [0; 1024];
    let mut mapped = [0; 1024];
    let begin = maps
        .iter()
        .find(|one| one.same_file(mapping) && one.offset == 0 && !one.is_writable);
    begin.is_some_and(|begin| {
        memory.peek(begin.addresses.start, &mut mapped)
            && File::open(path).is_ok_and(|file| file.read_exact_at(&mut wanted, 0).is_ok())
            && wanted == mapped
    })
}

/// Major and minor number, as in `makedev(3)`.
fn device(file: &Metadata) -> (u32, u32) {
    let device = file.dev();
    let part = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    let major = (device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000);
    let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00);
    (part(major), part(minor))
}

/// By how much the process's addresses differ from the linker's, if `mapping` is of the segment with
/// this address.
fn bias(segments: &[Segment], address: u64, mapping: &Mapping) -> Option<u64> {
    let segment = segments.iter().find(|one| one.holds(address))?;
    let file_end = segment.offset.checked_add(segment.file_bytes)?;
    let mapping_end = mapping.offset.checked_add(mapping.len())?;
    let overlaps = mapping.offset < file_end && segment.offset < mapping_end;
    let at = mapping.addresses.start.wrapping_sub(mapping.offset);
    overlaps.then(|| {
        at.wrapping_add(segment.offset)
            .wrapping_sub(segment.address)
    })
}

/// The thread of a live process through which its memory can be read: not the main one, if that has
/// ended before the others.
fn readable_thread(pid: u32) -> u32 {
    let has_memory = |id: &u32| maps::read(*id).is_ok_and(|maps| !maps.is_empty());
    if has_memory(&pid) {
        return pid;
    }
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return pid;
    };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut ids = threads.flatten().filter_map(id);
    ids.find(has_memory).unwrap_or(pid)
}

/// An instrumented binary that is mapped in a process.
#[derive(Clone, Debug)]
pub struct Image {
    path: PathBuf,
    is_program: bool,
    binary: Arc<Instrumented>,
    bias: u64,
    version_field: u64,
    shape: RawShape,
    moved: Option<Moved>,
}

/// Where counters are in continuous mode: in a mapping of the profile.
#[derive(Clone, Debug)]
struct Moved {
    counters: u64,
    bitmaps: u64,
    file: PathBuf,
}

impl Image {
    fn find(
        binary: &Arc<Instrumented>,
        bias: u64,
        mapping: &Mapping,
        is_program: bool,
        memory: &Memory,
        maps: &[Mapping],
    ) -> Result<Self> {
        let pid = memory.pid();
        let broken = |reason: String| {
            let path = mapping.path.display();
            Error::unreadable(pid, format_args!("`{path}`: {reason}"))
        };
        for section in [
            binary.counters,
            binary.data,
            binary.bitmaps,
            binary.names,
            binary.vtables,
            binary.vtable_names,
        ] {
            let range = range(section, bias);
            let is_mapped = range
                .as_ref()
                .is_some_and(|range| maps::cover(maps, range.clone()));
            if section.bytes > MAX_SECTION_BYTES || !is_mapped {
                let Section { address, bytes } = section;
                return Err(broken(format!(
                    "a section of {bytes} bytes at {address:#x} is not mapped"
                )));
            }
        }
        let version_field = version_field(binary, bias, memory)?
            .ok_or_else(|| broken("its records are of no version that is known".to_owned()))?;
        let shape = RawShape::new(version_field, binary.endian, binary.pointer_bytes)
            .ok_or_else(|| broken(format!("raw version {version_field:#x} is not known")))?;
        let moved = match binary.version {
            Some(_) => moved_by_symbol(binary, bias, memory, maps),
            None => moved_into_a_profile(binary, memory, maps),
        };
        Ok(Self {
            path: mapping.path.clone(),
            is_program,
            binary: Arc::clone(binary),
            bias,
            version_field,
            shape,
            moved,
        })
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

    /// Its build ids (`NT_GNU_BUILD_ID`).
    #[must_use]
    pub fn build_ids(&self) -> &[Vec<u8>] {
        &self.binary.build_ids
    }

    /// Its raw version, and flags above (LLVM: `__llvm_profile_raw_version`).
    #[must_use]
    pub fn version_field(&self) -> u64 {
        self.version_field
    }

    /// In continuous mode, the profile that the counters are in, as the process sees it.
    #[must_use]
    pub fn continuous(&self) -> Option<&Path> {
        self.moved.as_ref().map(|moved| moved.file.as_path())
    }

    /// The address of its counters' section, which tells the images of a process apart.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.at(self.binary.counters)
    }

    /// What the runtime puts for `%m` into the name of a profile, without the pool's number (LLVM:
    /// `lprofGetLoadModuleSignature`).
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn signature(&self, memory: &Memory) -> Result<u64> {
        let binary = &*self.binary;
        let first = match self.records() {
            0 => 0,
            _ => {
                let bytes = memory.read(self.at(binary.data), 8, "its first record")?;
                binary.endian.u64(&bytes)
            }
        };
        let counters = binary.counters.bytes / self.shape.counter_bytes();
        // A node is a value, a count and a pointer, aligned to the value.
        let nodes = binary.value_nodes.bytes / 24;
        let magic = match binary.pointer_bytes {
            4 => 0xff6c_7072_6f66_5281,
            _ => 0xff6c_7072_6f66_7281,
        };
        let sum = [
            binary.names.bytes << 40,
            counters << 30,
            self.records() << 20,
            nodes << 10,
            first,
            self.version_field,
            magic,
        ];
        Ok(sum.into_iter().fold(0, u64::wrapping_add))
    }

    /// A file that begins with `head` and has `bytes` bytes is a whole profile of this binary: its
    /// header tells of the same sections and the same build ids.
    #[must_use]
    pub fn wrote(&self, head: &[u8], bytes: u64) -> bool {
        let binary = &*self.binary;
        let Some(header) = RawHeader::of(head) else {
            return false;
        };
        let mut ids = Vec::new();
        for id in &binary.build_ids {
            let len = id.len() as u64;
            ids.extend(match binary.endian {
                Endian::Little => len.to_le_bytes(),
                Endian::Big => len.to_be_bytes(),
            });
            ids.extend(id);
            ids.resize(ids.len().next_multiple_of(8), 0);
        }
        let ids_at = header.header_bytes();
        header.version_field == self.version_field
            && header.record_count == self.records()
            && header.counter_count == binary.counters.bytes / self.shape.counter_bytes()
            && header.bitmap_bytes == binary.bitmaps.bytes
            && header.name_bytes == binary.names.bytes
            && (header.binary_id_bytes == 0
                || usize::try_from(ids_at)
                    .ok()
                    .and_then(|at| head.get(at..)?.get(..ids.len()))
                    .is_some_and(|found| found == ids))
            && header
                .claimed_bytes()
                .is_some_and(|claimed| claimed <= bytes)
    }

    fn records(&self) -> u64 {
        self.binary.data.bytes / self.shape.record_bytes()
    }

    fn at(&self, section: Section) -> u64 {
        address(section, self.bias)
    }

    /// The counters and bitmaps as they are now.
    ///
    /// # Errors
    ///
    /// The process has ended, or has unmapped them.
    pub fn read(&self, memory: &Memory) -> Result<Counters> {
        let binary = &*self.binary;
        let (counters, bitmaps) = match &self.moved {
            Some(moved) => (moved.counters, moved.bitmaps),
            None => (self.at(binary.counters), self.at(binary.bitmaps)),
        };
        Ok(Counters {
            counters: memory.read(counters, binary.counters.bytes, "its counters")?,
            bitmaps: memory.read(bitmaps, binary.bitmaps.bytes, "its bitmaps")?,
            counter_bytes: self.shape.counter_bytes(),
            endian: binary.endian,
        })
    }

    /// The raw profile with these counters. All else is what lies in the process now.
    ///
    /// Values of value profiling are left out: their sites are there, and empty.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn raw_profile(&self, memory: &Memory, counters: &Counters) -> Result<Vec<u8>> {
        let binary = &*self.binary;
        let read = |section: Section, what| memory.read(self.at(section), section.bytes, what);
        let data = read(binary.data, "its records")?;
        let names = read(binary.names, "its names")?;
        let vtables = read(binary.vtables, "its vtables")?;
        let vtable_names = read(binary.vtable_names, "its vtables' names")?;
        // A section that is not there has the address of a weak symbol that nobody defined.
        let placed = |section: Section, bytes| Placed {
            address: match section.bytes {
                0 => 0,
                _ => self.at(section),
            },
            bytes,
        };
        let image = RawImage {
            version_field: self.version_field,
            endian: binary.endian,
            pointer_bytes: binary.pointer_bytes,
            build_ids: &binary.build_ids,
            data: placed(binary.data, &data),
            counters: placed(binary.counters, &counters.counters),
            bitmaps: match (binary.bitmaps.bytes, binary.bitmap_start) {
                (0, Some(start)) => Placed {
                    address: start.wrapping_add(self.bias),
                    bytes: &[],
                },
                _ => placed(binary.bitmaps, &counters.bitmaps),
            },
            names: placed(binary.names, &names),
            vtables: &vtables,
            vtable_names: &vtable_names,
        };
        image.write().ok_or_else(|| {
            let version = self.version_field;
            Error::unreadable(memory.pid(), format_args!("raw version {version:#x}"))
        })
    }
}

/// The counters and bitmaps of an image at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    counters: Vec<u8>,
    bitmaps: Vec<u8>,
    counter_bytes: u64,
    endian: Endian,
}

impl Counters {
    /// What was counted since `baseline`: for a forked process, whose memory begins as a copy of its
    /// parent's, what it did itself.
    ///
    /// One-byte counters, which say only whether a block ran, and bitmaps stay as they are. If a
    /// counter is smaller than at the baseline, the program has set its counters back
    /// (`__llvm_profile_reset_counters`), and what there is now is its own; so it is when the two are
    /// not of one image.
    #[must_use]
    pub fn minus(mut self, baseline: &Self) -> Self {
        if self.counter_bytes != 8 || self.counters.len() != baseline.counters.len() {
            return self;
        }
        let endian = self.endian;
        let pairs = || {
            let before = baseline.counters.chunks_exact(8);
            self.counters.chunks_exact(8).zip(before)
        };
        if pairs().any(|(now, before)| endian.u64(now) < endian.u64(before)) {
            return self;
        }
        for (now, before) in self
            .counters
            .chunks_exact_mut(8)
            .zip(baseline.counters.chunks_exact(8))
        {
            let own = endian.u64(now) - endian.u64(before);
            now.copy_from_slice(&match endian {
                Endian::Little => own.to_le_bytes(),
                Endian::Big => own.to_be_bytes(),
            });
        }
        self
    }

    /// Nothing was executed.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let never = match self.counter_bytes {
            8 => 0,
            _ => 0xff,
        };
        self.counters.iter().all(|byte| *byte == never)
            && self.bitmaps.iter().all(|byte| *byte == 0)
    }
}

fn address(section: Section, bias: u64) -> u64 {
    section.address.wrapping_add(bias)
}

/// Where a section lies in the process. `None`: round the end of all addresses.
fn range(section: Section, bias: u64) -> Option<Range<u64>> {
    let start = match section.bytes {
        // An empty section is anywhere.
        0 => 0,
        _ => address(section, bias),
    };
    Some(start..start.checked_add(section.bytes)?)
}

fn version_field(binary: &Instrumented, bias: u64, memory: &Memory) -> Result<Option<u64>> {
    let Instrumented {
        endian,
        pointer_bytes,
        ..
    } = *binary;
    if let Some(version) = binary.version {
        let bytes = memory.read(version.wrapping_add(bias), 8, "its version")?;
        return Ok(Some(endian.u64(&bytes)));
    }
    let at = address(binary.data, bias);
    let data = memory.read(at, binary.data.bytes, "its records")?;
    let data = Placed {
        address: at,
        bytes: &data,
    };
    let counters = (address(binary.counters, bias), binary.counters.bytes);
    let bitmap_bytes = binary.bitmaps.bytes;
    Ok(RawShape::deduce(
        data,
        counters,
        bitmap_bytes,
        endian,
        pointer_bytes,
    ))
}

fn moved_by_symbol(
    binary: &Instrumented,
    bias: u64,
    memory: &Memory,
    maps: &[Mapping],
) -> Option<Moved> {
    let value = |symbol: Option<u64>| {
        let mut bytes = [0; 8];
        let width = usize::try_from(binary.pointer_bytes).ok()?;
        let is_read = memory.peek(symbol?.wrapping_add(bias), bytes.get_mut(..width)?);
        let value = match width {
            4 => u64::from(binary.endian.u32(&bytes)),
            _ => binary.endian.u64(&bytes),
        };
        let is_default = value == 0 || value == u64::MAX || (width == 4 && value == 0xffff_ffff);
        (is_read && !is_default).then_some(value)
    };
    let mask = match binary.pointer_bytes {
        4 => 0xffff_ffff,
        _ => u64::MAX,
    };
    let there = |section: Section, by: u64| address(section, bias).wrapping_add(by) & mask;
    let counters = there(binary.counters, value(binary.counter_bias)?);
    let bitmaps = match value(binary.bitmap_bias) {
        Some(by) => there(binary.bitmaps, by),
        None => address(binary.bitmaps, bias),
    };
    let end = counters.checked_add(binary.counters.bytes)?;
    let file = maps.iter().find(|one| one.addresses.contains(&counters))?;
    let bitmaps_end = bitmaps.checked_add(binary.bitmaps.bytes)?;
    let is_mapped = maps::cover(maps, counters..end)
        && (binary.bitmaps.bytes == 0 || maps::cover(maps, bitmaps..bitmaps_end));
    is_mapped.then(|| Moved {
        counters,
        bitmaps,
        file: file.path.clone(),
    })
}

/// Without symbols: a shared mapping that begins like a profile of this binary.
fn moved_into_a_profile(binary: &Instrumented, memory: &Memory, maps: &[Mapping]) -> Option<Moved> {
    let profiles = maps
        .iter()
        .filter(|one| one.is_shared && one.is_readable && one.has_file() && one.offset == 0);
    profiles.into_iter().find_map(|one| {
        let mut head = [0; 256];
        if !memory.peek(one.addresses.start, &mut head) {
            return None;
        }
        let header = RawHeader::of(&head)?;
        let bytes = header.counter_count.checked_mul(header.counter_bytes())?;
        let id_matches = binary.build_ids.is_empty()
            || binary.build_ids.iter().all(|id| {
                let mut parts = head.windows(id.len().max(1));
                parts.any(|part| part == id)
            });
        let is_ours = bytes == binary.counters.bytes
            && header.name_bytes == binary.names.bytes
            && header.bitmap_bytes == binary.bitmaps.bytes
            && id_matches;
        let counters = one.addresses.start.checked_add(header.counters_at()?)?;
        let after = bytes.checked_add(header.padding_after_counters)?;
        let bitmaps = counters.checked_add(after)?;
        let end = bitmaps.checked_add(binary.bitmaps.bytes)?;
        (is_ours && maps::cover(maps, counters..end)).then(|| Moved {
            counters,
            bitmaps,
            file: one.path.clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(values: &[u64], bitmaps: &[u8]) -> Counters {
        Counters {
            counters: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            bitmaps: bitmaps.to_vec(),
            counter_bytes: 8,
            endian: Endian::Little,
        }
    }

    #[test]
    fn a_baseline_is_taken_away() {
        let now = counters(&[7, 300, 0], &[5]);
        let before = counters(&[7, 1, 0], &[4]);
        assert_eq!(now.clone().minus(&before), counters(&[0, 299, 0], &[5]));
        assert!(before.clone().minus(&counters(&[7, 1, 0], &[])).bitmaps == [4]);
        assert!(
            counters(&[1, 1], &[])
                .minus(&counters(&[1, 1], &[]))
                .is_blank()
        );

        // Set back meanwhile, or not the same image.
        assert_eq!(before.clone().minus(&now), before);
        assert_eq!(now.clone().minus(&counters(&[1], &[])), now);

        let bytes = Counters {
            counter_bytes: 1,
            ..counters(&[0xff00], &[])
        };
        assert_eq!(bytes.clone().minus(&bytes), bytes);
    }

    #[test]
    fn no_process_and_no_coverage() {
        let gone = Reader::new().images(u32::MAX).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NoSuchProcess);
        // Unless the tests themselves are run for coverage.
        if let Err(plain) = Reader::new().snapshot(std::process::id()) {
            assert_eq!(plain.kind(), ErrorKind::NotInstrumented, "{plain}");
        }
    }
}
