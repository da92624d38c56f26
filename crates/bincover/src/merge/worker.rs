//! Reads files and adds what is read to sums: the part of a merge that several threads do.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bincover_profile::raw::{Frame, Identity, RawProfile};
use bincover_profile::{Chunks, NameTable, Sums, Unfit};

use super::ProfileInput;
use super::layouts::{FrameId, Layouts};

/// One thread's share: a buffer, the names it knows, and sums for each frame.
#[derive(Debug, Default)]
pub(super) struct Worker {
    buffer: Vec<u8>,
    names: Chunks,
    sums: Vec<Option<Sums>>,
}

/// The first file of a binary, read and added.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) frame: Arc<Frame>,
    pub(super) names: Arc<NameTable>,
    pub(super) sums: Sums,
}

/// What a look at a file's head showed.
#[derive(Debug)]
pub(super) enum Found {
    /// A run of a known binary; it is added.
    Added,
    /// A raw profile of a binary that has no frame yet.
    Raw(Identity),
    /// Something that has to be read as a whole.
    Other,
    /// A count would overflow, so that the order of the files matters.
    OrderMatters,
}

impl Worker {
    /// Looks at a file's head and, if it is of a known binary, adds the file.
    pub(super) fn look(&mut self, input: &ProfileInput, layouts: &Layouts) -> Found {
        self.try_look(input, layouts).unwrap_or(Found::Other)
    }

    fn try_look(&mut self, input: &ProfileInput, layouts: &Layouts) -> io::Result<Found> {
        let (file, file_bytes) = open(&input.path)?;
        let Some(identity) = identity(&file, file_bytes)? else {
            return Ok(Found::Other);
        };
        let Some((id, frame)) = layouts.frame_of(&identity) else {
            return Ok(Found::Raw(identity));
        };
        if file_bytes != frame.file_bytes() {
            return Ok(Found::Other);
        }
        self.add_part(&file, id, frame, input.weight)
    }

    /// Reads the first file of a binary, whose sums may use the memory of others. `None` if it has
    /// to be merged as a whole.
    pub(super) fn prepare(
        &mut self,
        input: &ProfileInput,
        spare: Option<Sums>,
    ) -> Option<Prepared> {
        let file = File::open(&input.path).ok()?;
        let file_bytes = file.metadata().ok()?.len();
        let bytes = read_range(&file, 0..file_bytes, &mut self.buffer).ok()?;
        let frame = Frame::of(bytes)?;
        let profile = RawProfile::parse(bytes, 0).ok()?;
        let names = profile.names_knowing(&mut self.names).ok()?;
        let part = frame.part();
        let position = |at: u64| usize::try_from(at).ok();
        let part = bytes.get(position(part.start)?..position(part.end)?)?;
        let mut sums = match spare {
            Some(sums) => sums.reusing(&frame),
            None => Sums::new(&frame),
        };
        sums.add(&frame, part, input.weight.get()).ok()?;
        Some(Prepared {
            frame: Arc::new(frame),
            names: Arc::new(names),
            sums,
        })
    }

    /// Takes over what was added up of a frame.
    pub(super) fn begin(&mut self, id: FrameId, sums: Sums) {
        self.make_room(id);
        self.sums[id.index()] = Some(sums);
    }

    fn make_room(&mut self, id: FrameId) {
        if self.sums.len() <= id.index() {
            self.sums.resize_with(id.index() + 1, || None);
        }
    }

    /// Adds a file that is said to be of this frame.
    pub(super) fn add(&mut self, input: &ProfileInput, id: FrameId, frame: &Frame) -> Found {
        self.try_add(input, id, frame).unwrap_or(Found::Other)
    }

    fn try_add(&mut self, input: &ProfileInput, id: FrameId, frame: &Frame) -> io::Result<Found> {
        // It was a regular file when its head was looked at.
        let file = File::open(&input.path)?;
        let file_bytes = file.metadata()?.len();
        let is_sibling = file_bytes == frame.file_bytes()
            && identity(&file, file_bytes)?.as_ref() == Some(frame.identity());
        match is_sibling {
            true => self.add_part(&file, id, frame, input.weight),
            false => Ok(Found::Other),
        }
    }

    fn add_part(
        &mut self,
        file: &File,
        id: FrameId,
        frame: &Frame,
        weight: NonZeroU64,
    ) -> io::Result<Found> {
        self.make_room(id);
        let part = read_range(file, frame.part(), &mut self.buffer)?;
        let sums = self.sums[id.index()].get_or_insert_with(|| Sums::new(frame));
        Ok(match sums.add(frame, part, weight.get()) {
            Ok(()) => Found::Added,
            Err(Unfit::Odd) => Found::Other,
            Err(Unfit::TooLarge) => Found::OrderMatters,
        })
    }

    /// What this worker has added up for a frame.
    pub(super) fn take_sums(&mut self, id: FrameId) -> Option<Sums> {
        self.sums.get_mut(id.index())?.take()
    }

    pub(super) fn forget_sums(&mut self) {
        self.sums.clear();
    }
}

/// Opens a regular file; a pipe is left to be read once, from front to back.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok((File::open(path)?, metadata.len()))
}

fn identity(file: &File, file_bytes: u64) -> io::Result<Option<Identity>> {
    let mut head = [0; Identity::HEAD_BYTES];
    let wanted = usize::try_from(file_bytes).map_or(head.len(), |len| len.min(head.len()));
    file.read_exact_at(&mut head[..wanted], 0)?;
    Ok(Identity::of(&head[..wanted]))
}

/// Reads a part of a file that is known to be that long.
fn read_range<'b>(file: &File, range: Range<u64>, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    file.read_exact_at(&mut buffer[..len], range.start)?;
    Ok(&buffer[..len])
}
