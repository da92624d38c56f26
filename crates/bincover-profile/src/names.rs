//! Function names: how they are stored, and the hash that stands for them.
//!
//! A *names blob* is a sequence of chunks, one for each object file that the linker joined:
//! LEB128 uncompressed size, LEB128 compressed size (0: stored), then the payload. Inflated, a
//! chunk is names joined by byte `0x01`. Between chunks lie any number of zero bytes.
//! (LLVM: `collectGlobalObjectNameStrings`, `readAndDecodeStrings` in `InstrProf.cpp`.)

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use md5::{Digest, Md5};
use memchr::memchr_iter;

use crate::bytes::{Cursor, Endian};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{MAX_INFLATE_RATIO, MAX_KNOWN_CHUNKS};

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

/// A hasher for keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A map from MD5 hashes. They are good hashes by themselves: whoever makes them collide on
/// purpose gets slow look-ups in a map of his own making.
pub type HashedMap<K, V> = HashMap<K, V, BuildHasherDefault<PassThrough>>;

/// The names of one blob, by hash.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    chunks: Vec<Arc<Chunk>>,
    /// In which chunk a name is, and which of its names it is.
    places: HashedMap<NameRef, (u32, u32)>,
}

/// The names of one chunk: those of one object file of the program.
#[derive(Debug, Default)]
struct Chunk {
    text: Vec<u8>,
    /// Each name's hash and where it lies, in order.
    names: Vec<(NameRef, usize, usize)>,
}

/// Decodes one names blob after another, and knows the chunks that it has decoded before: programs
/// that share a library share its chunks. For
/// [`RawProfile::names_knowing`](crate::raw::RawProfile::names_knowing).
#[derive(Debug, Default)]
pub struct Chunks {
    inflater: Inflater,
    known: HashMap<Box<[u8]>, Arc<Chunk>>,
    /// How much memory they take, in bytes.
    memory: usize,
}

impl NameTable {
    /// Reads a names blob that lies at `offset` of its file.
    ///
    /// # Errors
    /// If a chunk is cut short, does not inflate to the size that it claims, or holds an empty
    /// name.
    pub fn decode(blob: &[u8], offset: u64) -> Result<Self> {
        Self::decode_knowing(&mut Chunks::default(), blob, offset)
    }

    /// As [`NameTable::decode`]; chunks that are known are not decoded again.
    pub(crate) fn decode_knowing(chunks: &mut Chunks, blob: &[u8], offset: u64) -> Result<Self> {
        let mut table = Self::default();
        let mut cursor = Cursor::new(blob, offset, Endian::Little);
        while !cursor.is_empty() {
            table.add(chunks.next(&mut cursor)?);
            cursor.skip_zeros();
        }
        Ok(table)
    }

    fn add(&mut self, chunk: Arc<Chunk>) {
        // Each takes bytes of a blob in memory.
        let number = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        self.places.reserve(chunk.names.len());
        for (index, (name, ..)) in (0..).zip(&chunk.names) {
            self.places.entry(*name).or_insert((number, index));
        }
        self.chunks.push(chunk);
    }

    /// The name with this hash.
    #[must_use]
    pub fn get(&self, name: NameRef) -> Option<&[u8]> {
        self.places.get(&name).map(|place| self.at(*place))
    }

    fn at(&self, (chunk, index): (u32, u32)) -> &[u8] {
        let chunk = &self.chunks[chunk as usize];
        let (_, start, end) = chunk.names[index as usize];
        &chunk.text[start..end]
    }

    /// The names in the order in which they first appear.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &[u8]> {
        let mut places: Vec<(u32, u32)> = self.places.values().copied().collect();
        places.sort_unstable();
        places.into_iter().map(|place| self.at(place))
    }

    /// How many different names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// There are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl Chunks {
    /// Reads the chunk at which the cursor stands.
    fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<Arc<Chunk>> {
        let rest = cursor.rest();
        let mut end = cursor.clone();
        let extent = skip_blob(&mut end, "names").map(|()| rest.len() - end.rest().len());
        if let Ok(len) = extent
            && let Some(chunk) = self.known.get(&rest[..len])
        {
            *cursor = end;
            return Ok(Arc::clone(chunk));
        }
        let chunk = Arc::new(Chunk::decode(&mut self.inflater, cursor)?);
        if let Ok(len) = extent {
            self.memory +=
                len + chunk.text.len() + chunk.names.len() * size_of::<(NameRef, usize, usize)>();
            if self.memory > MAX_KNOWN_CHUNKS {
                self.known.clear();
                self.memory = 0;
            }
            self.known.insert(rest[..len].into(), Arc::clone(&chunk));
        }
        Ok(chunk)
    }
}

impl Chunk {
    fn decode(inflater: &mut Inflater, cursor: &mut Cursor<'_>) -> Result<Self> {
        let at = cursor.offset();
        let mut text = Vec::new();
        decode_blob_with(inflater, cursor, "names", &mut text)?;
        let mut names = Vec::new();
        let mut start = 0;
        for end in memchr_iter(1, &text).chain([text.len()]) {
            let name = &text[start..end];
            if name.is_empty() {
                return Err(Error::malformed("names", at, "a name", "an empty one")
                    .with_detail("symbol name is empty"));
            }
            names.push((NameRef::of(name), start, end));
            start = end + 1;
        }
        Ok(Self { text, names })
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

/// Reads `LEB128 uncompressed size, LEB128 compressed size, payload` and appends the plain text:
/// the form of names here and of file names in the coverage mapping. Nothing is allocated that
/// the payload cannot fill.
///
/// # Errors
/// If the payload is cut short or does not inflate to what it claims.
pub fn decode_blob(cursor: &mut Cursor<'_>, what: &'static str, out: &mut Vec<u8>) -> Result<()> {
    decode_blob_with(&mut Inflater::default(), cursor, what, out)
}

fn decode_blob_with(
    inflater: &mut Inflater,
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
    inflater.inflate(packed, plain_bytes, at, what, out)
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

/// Inflates one stream after another.
#[derive(Default)]
struct Inflater(Option<Decompress>);

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inflater")
    }
}

impl Inflater {
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
