//! Function names: how they are stored, and the hash that stands for them.
//!
//! A *names blob* is a sequence of chunks, one for each object file that the linker joined:
//! LEB128 uncompressed size, LEB128 compressed size (0: stored), then the payload. Inflated, a
//! chunk is names joined by byte `0x01`. Between chunks lie any number of zero bytes.
//! (LLVM: `collectGlobalObjectNameStrings`, `readAndDecodeStrings` in `InstrProf.cpp`.)

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use md5::{Digest, Md5};
use memchr::memchr_iter;
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::{Cursor, Endian};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{MAX_INFLATE_RATIO, MAX_INFLATED, MAX_KNOWN_CHUNKS, MAX_NAMES_RATIO};
use crate::md5_lanes::low64_of_all;

/// The low 64 bits of a name's MD5: how every format refers to a function (LLVM: `NameRef`,
/// `IndexedInstrProf::ComputeHash`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameRef(pub u64);

impl NameRef {
    /// The hash of a name, prefix of local functions included.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        Self(md5_low64(name))
    }

    /// The hashes of many names, several at a time: calls `tell` with the index of each and its
    /// hash, in any order.
    pub fn of_all<'n>(
        count: usize,
        name: impl Fn(usize) -> &'n [u8],
        mut tell: impl FnMut(usize, Self),
    ) {
        low64_of_all(count, name, |index, hash| tell(index, Self(hash)));
    }
}

/// The first 8 bytes of the MD5 digest as a little-endian number. LLVM uses it for names and for
/// the file name tables of the coverage mapping.
#[must_use]
pub fn md5_low64(bytes: &[u8]) -> u64 {
    let digest = Md5::digest(bytes);
    digest
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Hashes keys that are hashes already, or claim to be: a file may have any numbers in their place. So they
/// are mixed with a number that nobody knows beforehand, which costs a multiplication.
#[derive(Clone, Copy, Debug)]
pub struct Mixing(u64);

/// The hasher of [`Mixing`].
#[derive(Clone, Copy, Debug)]
pub struct Mixed(u64);

/// Another one in each process.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

impl Default for Mixing {
    fn default() -> Self {
        Self(*SEED)
    }
}

impl BuildHasher for Mixing {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0)
    }
}

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Odd, with as many ones as zeros: 2^64 divided by the golden ratio. What a product owes to all of the
        // number is in its upper bytes, and a map looks at the lower ones.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ value).wrapping_mul(FACTOR).swap_bytes();
    }
}

/// A map from MD5 hashes. Its order is another one in each process.
pub type HashedMap<K, V> = HashMap<K, V, Mixing>;

/// The names of one blob, by hash.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    text: Vec<u8>,
    places: HashedMap<NameRef, Place>,
    /// How many names there are.
    len: usize,
}

/// Where a name lies in a text. Its length is 0 if it is wanted and was not met.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    len: u32,
}

/// Decodes one names blob after another, and knows the chunks that it has met before: programs
/// that share a library share its chunks. For
/// [`RawProfile::names_knowing`](crate::raw::RawProfile::names_knowing).
#[derive(Debug, Default)]
pub struct Chunks {
    inflater: Inflater,
    /// The chunk that was decoded last.
    last: Chunk,
    /// By the hash of their bytes. Those that were met once are noted, those that came again kept:
    /// most never do.
    known: HashedMap<u64, Option<KnownChunk>>,
    /// How much memory they take, in bytes.
    memory: usize,
}

/// A chunk as it lies in a file, and decoded.
type KnownChunk = (Box<[u8]>, Chunk);

/// The names of one chunk: those of one object file of the program.
#[derive(Clone, Debug, Default)]
struct Chunk {
    text: Vec<u8>,
    /// Where each name lies, in order.
    places: Vec<Place>,
    /// Each name's hash.
    hashes: Vec<NameRef>,
}

impl NameTable {
    /// Reads a names blob that lies at `offset` of its file.
    ///
    /// # Errors
    /// If a chunk is cut short, does not inflate to the size that it claims, or holds an empty
    /// name.
    pub fn decode(blob: &[u8], offset: u64) -> Result<Self> {
        let mut table = Self::default();
        table.decode_all(&mut Chunks::default(), blob, offset, true)?;
        Ok(table)
    }

    /// As [`NameTable::decode`]; chunks that are known are not decoded again.
    pub(crate) fn decode_knowing(chunks: &mut Chunks, blob: &[u8], offset: u64) -> Result<Self> {
        let mut table = Self::default();
        table.decode_all(chunks, blob, offset, true)?;
        Ok(table)
    }

    /// As [`NameTable::decode_knowing`], but only names with one of these hashes are kept.
    pub(crate) fn decode_wanted(
        chunks: &mut Chunks,
        wanted: impl IntoIterator<Item = NameRef>,
        blob: &[u8],
        offset: u64,
    ) -> Result<Self> {
        let wanted = wanted.into_iter();
        let mut table = Self::default();
        table
            .places
            .extend(wanted.map(|name| (name, Place::default())));
        table.decode_all(chunks, blob, offset, false)?;
        Ok(table)
    }

    /// A table of these names, and the hash of each. `None` if two different names have one hash, or
    /// they are too long.
    pub(crate) fn of(names: &[&[u8]]) -> Option<(Self, Vec<NameRef>)> {
        let mut hashes = vec![NameRef::default(); names.len()];
        low64_of_all(
            names.len(),
            |index| names[index],
            |index, hash| hashes[index] = NameRef(hash),
        );
        let mut table = Self::default();
        table.places.reserve(names.len());
        for (name, hash) in names.iter().zip(&hashes) {
            match table.places.get(hash) {
                Some(place) if place.of(&table.text) == *name => {}
                Some(_) => return None,
                None => {
                    let start = table.text.len();
                    table.text.extend_from_slice(name);
                    let place = Place::new(start, table.text.len())?;
                    table.places.insert(*hash, place);
                    table.len += 1;
                }
            }
        }
        Some((table, hashes))
    }

    /// Unless it `takes_all` names, it takes those that have a place already.
    fn decode_all(
        &mut self,
        chunks: &mut Chunks,
        blob: &[u8],
        offset: u64,
        takes_all: bool,
    ) -> Result<()> {
        let mut cursor = Cursor::new(blob, offset, Endian::Little);
        while !cursor.is_empty() {
            let at = cursor.offset();
            let chunk = chunks.next(&mut cursor)?;
            self.add(chunk, takes_all).ok_or_else(|| too_long(at))?;
            let most = most_text(blob.len() as u64);
            if self.text.len() as u64 > most {
                let expected =
                    format_args!("at most {most} bytes of names in {} bytes", blob.len());
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "names",
                    at,
                    expected,
                    "more",
                ));
            }
            cursor.skip_zeros();
        }
        Ok(())
    }

    /// `None` if the text grows too long.
    fn add(&mut self, chunk: &Chunk, takes_all: bool) -> Option<()> {
        if takes_all {
            self.places.reserve(chunk.places.len());
        }
        for (name, place) in chunk.hashes.iter().zip(&chunk.places) {
            let slot = match takes_all {
                true => self.places.entry(*name).or_default(),
                false => match self.places.get_mut(name) {
                    Some(slot) => slot,
                    None => continue,
                },
            };
            if slot.len == 0 {
                slot.start = u32::try_from(self.text.len()).ok()?;
                slot.len = place.len;
                self.text.extend_from_slice(place.of(&chunk.text));
                self.len += 1;
            }
        }
        Some(())
    }

    /// The name with this hash.
    #[must_use]
    pub fn get(&self, name: NameRef) -> Option<&[u8]> {
        let place = self.places.get(&name).filter(|place| place.len > 0)?;
        Some(place.of(&self.text))
    }

    /// The names in the order in which they first appear.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.places.values().filter(|place| place.len > 0);
        let mut places: Vec<Place> = places.copied().collect();
        places.sort_unstable_by_key(|place| place.start);
        places.into_iter().map(|place| place.of(&self.text))
    }

    /// How many different names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// There are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cold]
fn too_long(at: u64) -> Error {
    Error::new(ErrorKind::TooLarge, "names", at, "less than 4 GiB", "more")
}

impl Place {
    /// `None` if it is 4 GiB from the start.
    fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: u32::try_from(start).ok()?,
            len: u32::try_from(end - start).ok()?,
        })
    }

    fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..][..self.len as usize]
    }
}

impl Chunks {
    /// Reads the chunk at which the cursor stands.
    fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<&Chunk> {
        let rest = cursor.rest();
        let mut end = cursor.clone();
        if skip_blob(&mut end, "names").is_err() {
            // Decoding it says what is wrong.
            return self.decode(cursor);
        }
        let bytes = &rest[..rest.len() - end.rest().len()];
        let hash = xxh3_64(bytes);
        let is_known = |(known, _): &KnownChunk| **known == *bytes;
        match self.known.get(&hash) {
            Some(Some(known)) if is_known(known) => {}
            None => {
                self.known.insert(hash, None);
                return self.decode(cursor);
            }
            Some(_) => {
                let chunk = self.decode(cursor)?.clone();
                self.memory += bytes.len() + chunk.memory();
                if self.memory > MAX_KNOWN_CHUNKS {
                    self.known.clear();
                    self.memory = bytes.len() + chunk.memory();
                }
                self.known.insert(hash, Some((bytes.into(), chunk)));
            }
        }
        *cursor = end;
        // It is there: known before, or from now on.
        Ok(self
            .known
            .get(&hash)
            .and_then(Option::as_ref)
            .map_or(&self.last, |(_, chunk)| chunk))
    }

    fn decode(&mut self, cursor: &mut Cursor<'_>) -> Result<&Chunk> {
        self.last.decode(&mut self.inflater, cursor)?;
        Ok(&self.last)
    }
}

impl Chunk {
    fn decode(&mut self, inflater: &mut Inflater, cursor: &mut Cursor<'_>) -> Result<()> {
        let at = cursor.offset();
        let Self {
            text,
            places,
            hashes,
        } = self;
        text.clear();
        places.clear();
        inflater.decode_blob(cursor, "names", text)?;
        let mut start = 0;
        for end in memchr_iter(1, text).chain([text.len()]) {
            if start == end {
                return Err(Error::malformed("names", at, "a name", "an empty one")
                    .with_detail("symbol name is empty"));
            }
            places.push(Place::new(start, end).ok_or_else(|| too_long(at))?);
            start = end + 1;
        }
        hashes.clear();
        hashes.resize(places.len(), NameRef::default());
        let name = |index: usize| places[index].of(text);
        NameRef::of_all(places.len(), name, |index, hash| hashes[index] = hash);
        Ok(())
    }

    fn memory(&self) -> usize {
        self.text.len() + self.places.len() * size_of::<(NameRef, Place)>()
    }
}

/// Steps over what [`decode_blob`] reads.
fn skip_blob(cursor: &mut Cursor<'_>, what: &'static str) -> Result<()> {
    let plain_bytes = cursor.uleb(what)?;
    let packed_bytes = cursor.uleb(what)?;
    let bytes = if packed_bytes == 0 {
        plain_bytes
    } else {
        packed_bytes
    };
    cursor.take(bytes, what).map(drop)
}

/// No more text than this comes from so many bytes of compressed names.
#[must_use]
pub fn most_text(packed_bytes: u64) -> u64 {
    MAX_INFLATED.max(packed_bytes.saturating_mul(MAX_NAMES_RATIO))
}

/// Reads `LEB128 uncompressed size, LEB128 compressed size, payload` and appends the plain text:
/// the form of names here and of file names in the coverage mapping. Nothing is allocated that
/// the payload cannot fill.
///
/// # Errors
/// If the payload is cut short or does not inflate to what it claims.
pub fn decode_blob(cursor: &mut Cursor<'_>, what: &'static str, out: &mut Vec<u8>) -> Result<()> {
    Inflater::default().decode_blob(cursor, what, out)
}

/// One chunk of names: joined by byte `0x01` and compressed as LLVM compresses them (zlib, level 9).
///
/// The bytes are those of the reference zlib for up to some hundred names. Beyond that our zlib
/// finds other matches: what is read back is the same.
pub(crate) fn encode_chunk(names: &[&[u8]]) -> Vec<u8> {
    let text = names.join(&1);
    let mut packed = Vec::with_capacity(text.len() + 64);
    let mut stream = Compress::new(Compression::best(), true);
    let status = stream.compress_vec(&text, &mut packed, FlushCompress::Finish);
    // Incompressible text grows by a few bytes in each 16 kB, for which there may be no room.
    let is_packed = matches!(status, Ok(Status::StreamEnd));
    let mut chunk = Vec::new();
    push_uleb(&mut chunk, text.len());
    push_uleb(&mut chunk, if is_packed { packed.len() } else { 0 });
    chunk.extend(if is_packed { packed } else { text });
    chunk
}

fn push_uleb(out: &mut Vec<u8>, mut value: usize) {
    loop {
        // Seven bits fit in a byte.
        let bits = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        out.push(if value == 0 { bits } else { bits | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// Inflates one stream after another, in the same memory.
#[derive(Default)]
pub struct Inflater(Option<Decompress>);

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inflater")
    }
}

impl Inflater {
    /// As [`decode_blob`].
    ///
    /// # Errors
    /// As [`decode_blob`].
    pub fn decode_blob(
        &mut self,
        cursor: &mut Cursor<'_>,
        what: &'static str,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let at = cursor.offset();
        let plain_bytes = cursor.uleb(what)?;
        let packed_bytes = cursor.uleb(what)?;
        if packed_bytes == 0 {
            out.extend_from_slice(cursor.take(plain_bytes, what)?);
            return Ok(());
        }
        let cut_off = |error: Error| error.reclassify(ErrorKind::UncompressFailed);
        let packed = cursor.take(packed_bytes, what).map_err(cut_off)?;
        self.inflate(packed, plain_bytes, at, what, out)
    }

    /// Appends the `plain_bytes` bytes that the zlib stream `packed` holds.
    ///
    /// Fails if it holds more, or is no zlib stream; fewer are fine, as for LLVM. `offset` and
    /// `what` are for the message.
    fn inflate(
        &mut self,
        packed: &[u8],
        plain_bytes: u64,
        offset: u64,
        what: &'static str,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let fail = |found: String| {
            Error::new(
                ErrorKind::UncompressFailed,
                what,
                offset,
                format_args!("{plain_bytes} bytes from {} compressed ones", packed.len()),
                found,
            )
        };
        if plain_bytes / MAX_INFLATE_RATIO > packed.len() as u64 {
            return Err(fail("a claim that zlib cannot keep".into()));
        }
        if plain_bytes > most_text(packed.len() as u64) {
            return Err(fail("more than names are compressed".into()));
        }
        let start = out.len();
        let wanted = usize::try_from(plain_bytes).map_err(|_| fail("more than memory".into()))?;
        out.reserve(wanted);
        let stream = self.0.get_or_insert_with(|| Decompress::new(true));
        stream.reset(true);
        let status = stream.decompress_vec(packed, out, FlushDecompress::Finish);
        let found = match status {
            Ok(Status::StreamEnd) if out.len() - start <= wanted => return Ok(()),
            Ok(_) => format!(
                "{} bytes and a stream that does not end there",
                wanted.min(out.len() - start)
            ),
            Err(error) => error.to_string(),
        };
        out.truncate(start);
        Err(fail(found))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Numbers that differ in their upper halves alone. If they were their own hashes, all of them would be
    /// in one place, and this would take minutes.
    #[test]
    fn crafted_hashes_do_not_meet() {
        let mut map: HashedMap<NameRef, u64> = HashedMap::default();
        for number in 0..1 << 18 {
            map.insert(NameRef(number << 24), number);
        }
        assert_eq!(map.get(&NameRef(77 << 24)), Some(&77));
    }

    fn packed_chunk(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        let packed = encoder.finish().unwrap();
        let mut chunk = [text.len(), packed.len()]
            .map(|len| u8::try_from(len).unwrap())
            .to_vec();
        chunk.extend(packed);
        chunk
    }

    #[test]
    fn the_hash_of_main() {
        assert_eq!(NameRef::of(b"main"), NameRef(0xdb95_6436_e78d_d5fa));
    }

    #[test]
    fn several_chunks_with_zeros_between() {
        let mut blob = vec![9, 0];
        blob.extend(b"main\x01half");
        blob.extend([0, 0, 0]);
        blob.extend(packed_chunk(b"one\x01two\x01main"));
        blob.push(0);
        let table = NameTable::decode(&blob, 0).unwrap();
        assert_eq!(table.len(), 4);
        for name in [&b"main"[..], b"half", b"one", b"two"] {
            assert_eq!(table.get(NameRef::of(name)), Some(name));
        }
    }

    #[test]
    fn a_cut_blob_never_panics_and_mostly_fails() {
        let blob = packed_chunk(b"one\x01two\x01three");
        for end in 1..blob.len() {
            let error = NameTable::decode(&blob[..end], 0x40).unwrap_err();
            assert!((0x40..=0x40 + end as u64).contains(&error.offset().unwrap()));
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let error = NameTable::decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 2, 0x78, 0xda], 0);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::UncompressFailed);
    }

    #[test]
    fn an_empty_name_is_malformed() {
        let error = NameTable::decode(&[3, 0, b'a', 1, 1], 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}
