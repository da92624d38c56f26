//! The names of the functions of all objects. A linker joins names blobs without reading them, so
//! binaries that share their dependencies share chunks, and each is inflated and hashed once.

use std::collections::HashSet;

use bincover_profile::bytes::{Cursor, Endian};
use bincover_profile::{HashedMap, Inflater, NameRef, most_text};
use bstr::ByteSlice;

use crate::error::{Error, Result};
use crate::parallel;
use crate::sections::NAMES;

/// A part of a names blob that was compressed by itself.
struct Chunk<'m> {
    /// Sizes and payload.
    bytes: &'m [u8],
    /// Where it begins in its section.
    offset: u64,
    /// Index of the mapping that it is in.
    mapping: usize,
}

/// Finds chunks, each once.
#[derive(Default)]
pub(super) struct Chunks<'m> {
    chunks: Vec<Chunk<'m>>,
    known: HashSet<&'m [u8]>,
}

impl<'m> Chunks<'m> {
    /// Adds those of a names section.
    pub(super) fn add(&mut self, section: &'m [u8], mapping: usize) -> Result<()> {
        let located = |error| locate(error, mapping);
        let mut cursor = Cursor::new(section, 0, Endian::Little);
        while !cursor.is_empty() {
            let offset = cursor.offset();
            let rest = cursor.rest();
            let plain = cursor.uleb("uncompressed size").map_err(located)?;
            let compressed = cursor.uleb("compressed size").map_err(located)?;
            let payload = match compressed {
                0 => plain,
                _ => compressed,
            };
            cursor.take(payload, "names").map_err(located)?;
            let bytes = &rest[..rest.len() - cursor.rest().len()];
            if self.known.insert(bytes) {
                self.chunks.push(Chunk {
                    bytes,
                    offset,
                    mapping,
                });
            }
            cursor.skip_zeros();
        }
        Ok(())
    }

    /// Reads them; there are about as many names as `records`.
    pub(super) fn read(self, records: usize, threads: usize) -> Result<Names> {
        let chunks = &self.chunks;
        let read = |inflater: &mut Inflater, index: usize| chunks[index].read(inflater);
        let mut names = Names::default();
        names.places.reserve(records);
        let packed: u64 = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
        let mut left = most_text(packed);
        parallel::for_each(
            chunks.len(),
            threads,
            1,
            read,
            |index, chunk: Result<Read>| {
                let (text, spans) = chunk?;
                left = left.checked_sub(text.len() as u64).ok_or_else(|| {
                    let expected = format!("at most {} bytes of names", most_text(packed));
                    chunks[index].malformed(&expected, "more")
                })?;
                // There are fewer chunks than bytes of a section.
                let chunk = u32::try_from(names.texts.len()).unwrap_or(u32::MAX);
                names.texts.push(text);
                for (name, span) in spans {
                    names.places.entry(name).or_insert((chunk, span));
                }
                Ok::<_, Error>(())
            },
        )?;
        Ok(names)
    }
}

/// Where a name lies in its chunk's text.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

/// A chunk's text, and the names in it.
type Read = (Vec<u8>, Vec<(NameRef, Span)>);

impl Chunk<'_> {
    fn read(&self, inflater: &mut Inflater) -> Result<Read> {
        let mut text = Vec::new();
        let mut cursor = Cursor::new(self.bytes, self.offset, Endian::Little);
        let decoded = inflater.decode_blob(&mut cursor, "names", &mut text);
        decoded.map_err(|error| locate(error, self.mapping))?;
        let mut spans = Vec::new();
        let mut start = 0;
        loop {
            let rest = &text[start..];
            let end = rest.find_byte(1);
            let name = &rest[..end.unwrap_or(rest.len())];
            if name.is_empty() {
                let llvm = "malformed instrumentation profile data: symbol name is empty";
                let error = self.malformed("a name", "an empty one");
                return Err(error.with_llvm_message(llvm));
            }
            let (Ok(at), Ok(len)) = (u32::try_from(start), u32::try_from(name.len())) else {
                return Err(self.malformed("less than 4 GiB", "more"));
            };
            spans.push((NameRef::default(), Span { start: at, len }));
            if end.is_none() {
                break;
            }
            start += name.len() + 1;
        }
        let mut hashes = vec![NameRef::default(); spans.len()];
        let name = |index: usize| spans[index].1.of(&text);
        NameRef::of_all(spans.len(), name, |index, hash| hashes[index] = hash);
        for (span, hash) in spans.iter_mut().zip(hashes) {
            span.0 = hash;
        }
        Ok((text, spans))
    }

    #[cold]
    fn malformed(&self, expected: &str, found: &str) -> Error {
        let error = Error::malformed(self.offset, "names", expected, found);
        error.in_section(NAMES).in_mapping(self.mapping)
    }
}

impl Span {
    fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..][..self.len as usize]
    }
}

#[cold]
fn locate(error: bincover_profile::Error, mapping: usize) -> Error {
    let llvm = error.llvm_message();
    let error = Error::from(error).in_section(NAMES);
    error.with_llvm_message(llvm).in_mapping(mapping)
}

/// Names by hash.
#[derive(Default)]
pub(super) struct Names {
    texts: Vec<Vec<u8>>,
    /// In which of the texts, and where there.
    places: HashedMap<NameRef, (u32, Span)>,
}

impl Names {
    pub(super) fn get(&self, name: NameRef) -> Option<&[u8]> {
        let &(text, span) = self.places.get(&name)?;
        Some(span.of(&self.texts[text as usize]))
    }
}
