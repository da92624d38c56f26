//! What targets do to their inputs: a part is changed by libFuzzer's own mutations, and whatever says
//! where and how long the part is, is put right. Each falls back on libFuzzer's mutation of the whole
//! where the input has no such part, and now and then where it has.
//!
//! All are plain functions, with libFuzzer's mutation handed in, so that `tests/fuzz_bodies.rs` can
//! say that inputs stay plausible.

use std::io::Write;
use std::ops::Range;

use bincover_profile::bytes::{Cursor, Endian};
use bincover_profile::{FileKind, decode_blob};
use bincover_testkit::raw::uleb;
use bincover_testkit::rng::Rng;
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// libFuzzer's own mutation: of the first bytes, as many as the first number says, to at most as many
/// as the second says; tells how many there are then.
pub type Plain<'p> = &'p dyn Fn(&mut [u8], usize, usize) -> usize;

/// A mutation of bytes that knows their format; `None` if they are of another.
type Format = fn(&[u8], &mut Mutator<'_>) -> Option<Vec<u8>>;

struct Mutator<'p> {
    plain: Plain<'p>,
    rng: Rng,
}

impl Mutator<'_> {
    /// A part, changed. It grows by no more than its own length and 64 bytes.
    fn part(&self, part: &[u8]) -> Vec<u8> {
        let most = 2 * part.len() + 64;
        self.within(part, most)
    }

    /// A part, changed, of the same length.
    fn fixed(&self, part: &[u8]) -> Vec<u8> {
        let mut changed = self.within(part, part.len());
        changed.resize(part.len(), 0);
        changed
    }

    fn within(&self, part: &[u8], most: usize) -> Vec<u8> {
        if most == 0 {
            return Vec::new();
        }
        let mut room = part.to_vec();
        room.resize(most.max(part.len()), 0);
        let len = (self.plain)(&mut room, part.len(), most);
        room.truncate(len);
        room
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound.max(1) as u64)).unwrap_or(0)
    }

    /// Some bytes in a row, up to 64.
    fn window(&mut self, within: Range<usize>) -> Range<usize> {
        let start = within.start + self.below(within.len());
        let len = 1 + self.below(64);
        start..within.end.min(start + len)
    }
}

fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    plain: Plain<'_>,
    format: Format,
) -> usize {
    let mut mutator = Mutator {
        plain,
        rng: Rng::new(seed.into()),
    };
    let changed = match mutator.below(8) {
        0 => None,
        _ => format(&data[..size], &mut mutator),
    };
    match changed {
        Some(changed) if changed.len() <= max_size => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => plain(data, size, max_size),
    }
}

/// A raw profile: a section, with the size that its header tells; or the header, but for magic and
/// version; or the records, without a change of their number.
pub fn raw(data: &mut [u8], size: usize, max: usize, seed: u32, plain: Plain<'_>) -> usize {
    mutate(data, size, max, seed, plain, raw_section)
}

/// The numbers of a raw header behind magic and version, and which of its sections each measures.
struct RawLayout {
    big_endian: bool,
    header_bytes: usize,
    /// Offset of the field, offset and length of the section, and the length of what is counted.
    sections: Vec<(usize, Range<usize>, usize)>,
}

impl RawLayout {
    fn of(bytes: &[u8]) -> Option<Self> {
        let Some(FileKind::Raw { .. }) = FileKind::sniff(bytes) else {
            return None;
        };
        let big_endian = bytes[0] == 0xff;
        let word = |at: usize| {
            let word = *bytes.get(at..)?.first_chunk()?;
            usize::try_from(match big_endian {
                true => u64::from_be_bytes(word),
                false => u64::from_le_bytes(word),
            })
            .ok()
        };
        let version = word(8)? & 0xff;
        let wide = bytes[if big_endian { 6 } else { 1 }] == b'r';
        let record = match (version, wide) {
            (9.., true) => 64,
            (9.., _) | (_, true) => 48,
            _ => 40,
        };
        let counter = match bytes[if big_endian { 8 } else { 15 }] & 0x10 {
            0 => 8,
            _ => 1,
        };
        // In the order of the header; a size of 0 is one of padding.
        let fields: Vec<usize> = match version {
            4 => vec![record, counter, 1],
            5 | 6 => vec![record, 0, counter, 0, 1],
            7 | 8 => vec![1, record, 0, counter, 0, 1],
            9 | 10 => vec![1, record, 0, counter, 0, 1, 0, 1],
            _ => return None,
        };
        let header_bytes = match version {
            4 => 64,
            5 | 6 => 80,
            7 | 8 => 88,
            9 => 112,
            _ => 128,
        };
        let mut at: usize = header_bytes;
        let mut sections = Vec::new();
        for (index, unit) in fields.into_iter().enumerate() {
            let field = 16 + 8 * index;
            let len = word(field)?.checked_mul(unit.max(1))?;
            let end = at.checked_add(len).filter(|end| *end <= bytes.len())?;
            if unit > 0 {
                sections.push((field, at..end, unit));
            }
            at = end;
        }
        Some(Self {
            big_endian,
            header_bytes,
            sections,
        })
    }
}

fn raw_section(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    let layout = RawLayout::of(bytes)?;
    let mut out = bytes.to_vec();
    let choice = mutator.below(layout.sections.len() + 1);
    let Some((field, range, unit)) = layout.sections.get(choice) else {
        let header = 16..layout.header_bytes;
        out[header.clone()].copy_from_slice(&mutator.fixed(&bytes[header]));
        return Some(out);
    };
    let section = &bytes[range.clone()];
    let is_names = choice + 1 == layout.sections.len();
    let mut changed = match mutator.below(3) {
        0 if is_names => chunk(section, mutator)?,
        1 => mutator.fixed(section),
        _ => mutator.part(section),
    };
    changed.truncate(changed.len() - changed.len() % unit);
    let count = (changed.len() / unit) as u64;
    // What follows the names is at a multiple of 8.
    let mut rest = bytes[range.end..].to_vec();
    if is_names {
        let old = range.len().next_multiple_of(8) - range.len();
        rest.drain(..old.min(rest.len()));
        rest.splice(
            0..0,
            vec![0; changed.len().next_multiple_of(8) - changed.len()],
        );
    }
    out.truncate(range.start);
    out.extend(changed);
    out.extend(rest);
    let count = match layout.big_endian {
        true => count.to_be_bytes(),
        false => count.to_le_bytes(),
    };
    out[*field..field + 8].copy_from_slice(&count);
    Some(out)
}

/// An indexed profile: some bytes behind the header, with all offsets that point behind them; or the
/// header, but for magic, version and the kind of hash.
pub fn indexed(data: &mut [u8], size: usize, max: usize, seed: u32, plain: Plain<'_>) -> usize {
    mutate(data, size, max, seed, plain, indexed_part)
}

fn indexed_part(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    if FileKind::sniff(bytes) != Some(FileKind::Indexed) {
        return None;
    }
    let word = |bytes: &[u8], at: usize| {
        let word = *bytes.get(at..)?.first_chunk()?;
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    let header_bytes = match *bytes.get(8)? {
        ..=7 => 40,
        8 => 48,
        9 => 56,
        10 | 11 => 64,
        _ => 72,
    };
    let table = word(bytes, 32)?;
    if bytes.len() <= header_bytes || !(header_bytes..bytes.len()).contains(&table) {
        return None;
    }
    let mut out = bytes.to_vec();
    if mutator.below(4) == 0 {
        let header = 32..header_bytes;
        out[header.clone()].copy_from_slice(&mutator.fixed(&bytes[header]));
        return Some(out);
    }
    // Records are where most is to be found.
    let within = match mutator.below(4) {
        0 => header_bytes..bytes.len(),
        _ => header_bytes..table.max(header_bytes + 1),
    };
    let window = mutator.window(within);
    let changed = match mutator.below(2) {
        0 => mutator.fixed(&bytes[window.clone()]),
        _ => mutator.part(&bytes[window.clone()]),
    };
    let (old, new) = (window.len(), changed.len());
    out.splice(window.clone(), changed);
    let moved = |at: usize| match at >= window.end {
        // An offset that was damaged before may be any number.
        true => (at - old).wrapping_add(new),
        false => at,
    };
    let offsets = (32..header_bytes).step_by(8);
    let table_after = moved(table);
    let buckets = word(&out, table_after).unwrap_or(0).min(1 << 16);
    let buckets = (0..buckets).map(|bucket| table_after + 16 + 8 * bucket);
    for at in offsets.chain(buckets) {
        let Some(offset) = word(&out, at) else {
            break;
        };
        let offset = (moved(offset) as u64).to_le_bytes();
        out[at..at + 8].copy_from_slice(&offset);
    }
    Some(out)
}

/// A table of names: one of its chunks is inflated, changed and compressed again, or stored.
pub fn names(data: &mut [u8], size: usize, max: usize, seed: u32, plain: Plain<'_>) -> usize {
    mutate(data, size, max, seed, plain, chunk)
}

fn chunk(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut cursor = Cursor::new(bytes, 0, Endian::Little);
    cursor.skip_zeros();
    while !cursor.is_empty() {
        let start = cursor.offset();
        let mut text = Vec::new();
        if decode_blob(&mut cursor, "names", &mut text).is_err() {
            break;
        }
        let [start, end] = [start, cursor.offset()].map(|at| usize::try_from(at).unwrap_or(0));
        chunks.push((start..end, text));
        cursor.skip_zeros();
    }
    if chunks.is_empty() {
        return None;
    }
    let at = mutator.below(chunks.len());
    let (range, text) = chunks.swap_remove(at);
    let text = mutator.part(&text);
    let mut chunk = uleb(text.len() as u64);
    match mutator.below(3) {
        0 => {
            chunk.push(0);
            chunk.extend(text);
        }
        level => {
            let level = Compression::new(if level == 1 { 1 } else { 9 });
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(&text).ok()?;
            let packed = encoder.finish().ok()?;
            chunk.extend(uleb(packed.len() as u64));
            chunk.extend(packed);
        }
    }
    let mut out = bytes.to_vec();
    out.splice(range, chunk);
    Some(out)
}

/// An object file: what is inside one of its coverage sections. What
/// [`split_object`](bincover_testkit::container::split_object) makes: one of the sections, with its
/// length.
pub fn mapping(data: &mut [u8], size: usize, max: usize, seed: u32, plain: Plain<'_>) -> usize {
    mutate(data, size, max, seed, plain, object_section)
}

fn object_section(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    match bytes.starts_with(b"\x7fELF\x02\x01") {
        true => elf_section(bytes, mutator),
        false => split_section(bytes, mutator),
    }
}

/// In place, so that all else stays as it is.
fn elf_section(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    let word = |at: usize| {
        let word = *bytes.get(at..)?.first_chunk()?;
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    let half = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            *bytes.get(at..)?.first_chunk()?,
        )))
    };
    let (table, count) = (word(40)?, half(60)?);
    let place = |index: usize| {
        let header = table.checked_add(64 * index)?;
        let (start, len) = (
            word(header.checked_add(24)?)?,
            word(header.checked_add(32)?)?,
        );
        let end = start.checked_add(len).filter(|end| *end <= bytes.len())?;
        let name = *bytes.get(header..)?.first_chunk()?;
        Some((usize::try_from(u32::from_le_bytes(name)).ok()?, start..end))
    };
    let (_, names) = place(half(62)?)?;
    let found: Vec<Range<usize>> = (0..count)
        .filter_map(place)
        .filter(|(name, range)| {
            let name = bytes[names.clone()].get(*name..).unwrap_or_default();
            name.starts_with(b"__llvm_") && !range.is_empty()
        })
        .map(|(_, range)| range)
        .collect();
    if found.is_empty() {
        return None;
    }
    let section = found[mutator.below(found.len())].clone();
    let window = mutator.window(section);
    let mut out = bytes.to_vec();
    out[window.clone()].copy_from_slice(&mutator.fixed(&bytes[window]));
    Some(out)
}

/// Two lengths, and then the sections.
fn split_section(bytes: &[u8], mutator: &mut Mutator<'_>) -> Option<Vec<u8>> {
    let (names, covmap, covfun) = super::mapping::split(bytes)?;
    let mut sections = [names, covmap, covfun].map(<[u8]>::to_vec);
    let which = mutator.below(3);
    let section = &sections[which];
    let changed = match mutator.below(3) {
        0 if which == 0 => chunk(section, mutator)?,
        1 => mutator.fixed(section),
        _ => mutator.part(section),
    };
    sections[which] = changed;
    let mut out = Vec::new();
    for section in &sections[..2] {
        out.extend(u32::try_from(section.len()).ok()?.to_le_bytes());
    }
    out.extend(sections.concat());
    Some(out)
}

/// What [`container`](super::container()) takes: one of the sections, behind the kind of file and the
/// damage; or these.
pub fn container(data: &mut [u8], size: usize, max: usize, seed: u32, plain: Plain<'_>) -> usize {
    mutate(data, size, max, seed, plain, |bytes, mutator| {
        let damages = usize::from(bytes.get(1)? % 4);
        let (head, rest) = bytes.split_at_checked(2 + 3 * damages)?;
        if mutator.below(4) == 0 {
            return Some([mutator.fixed(head), rest.to_vec()].concat());
        }
        Some([head.to_vec(), split_section(rest, mutator)?].concat())
    })
}
