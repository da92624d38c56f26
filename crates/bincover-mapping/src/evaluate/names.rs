//! The names of the functions of all objects. A linker joins names blobs without reading them, so
//! binaries that share their dependencies share chunks, and each is inflated and hashed once.

use std::collections::HashSet;

use bincover_profile::bytes::{Cursor, Endian};
use bincover_profile::{HashedMap, NameRef, decode_blob};
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
        let read = |_: &mut (), index: usize| chunks[index].read();
        let mut names = Names::default();
        names.spans.reserve(records);
        parallel::for_each(
            chunks.len(),
            threads,
            1,
            read,
            |index, chunk: Result<Read>| {
                let (text, spans) = chunk?;
                names.texts.push(text);
                for (name, start, len) in spans {
                    names.spans.entry(name).or_insert((index, start, len));
                }
                Ok::<_, Error>(())
            },
        )?;
        Ok(names)
    }
}

/// A chunk's text, and where the names lie in it.
type Read = (Vec<u8>, Vec<(NameRef, usize, usize)>);

impl Chunk<'_> {
    fn read(&self) -> Result<Read> {
        let mut text = Vec::new();
        let mut cursor = Cursor::new(self.bytes, self.offset, Endian::Little);
        decode_blob(&mut cursor, "names", &mut text)
            .map_err(|error| locate(error, self.mapping))?;
        let mut spans = Vec::new();
        let mut start = 0;
        loop {
            let rest = &text[start..];
            let end = rest.find_byte(1);
            let name = &rest[..end.unwrap_or(rest.len())];
            if name.is_empty() {
                let error = Error::malformed(self.offset, "names", "a name", "an empty one");
                let llvm = "malformed instrumentation profile data: symbol name is empty";
                let error = error.in_section(NAMES).with_llvm_message(llvm);
                return Err(error.in_mapping(self.mapping));
            }
            spans.push((NameRef::default(), start, name.len()));
            if end.is_none() {
                break;
            }
            start += name.len() + 1;
        }
        let mut hashes = vec![NameRef::default(); spans.len()];
        let name = |index: usize| {
            let (_, start, len) = spans[index];
            &text[start..start + len]
        };
        NameRef::of_all(spans.len(), name, |index, hash| hashes[index] = hash);
        for (span, hash) in spans.iter_mut().zip(hashes) {
            span.0 = hash;
        }
        Ok((text, spans))
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
    /// Index into `texts`, start and length.
    spans: HashedMap<NameRef, (usize, usize, usize)>,
}

impl Names {
    pub(super) fn get(&self, name: NameRef) -> Option<&[u8]> {
        let &(text, start, len) = self.spans.get(&name)?;
        self.texts[text].get(start..start + len)
    }
}
