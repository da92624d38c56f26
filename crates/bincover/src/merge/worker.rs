//! Reads files and adds what is read to sums: the part of a merge that several threads do.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bincover_profile::raw::{Frame, Identity, RawProfile};
use bincover_profile::{Chunks, Sums, Unfit};

use super::ProfileInput;
use super::board::{Board, Claim, First, Found, FrameId, Head, Known};

/// What a thread keeps from file to file: a buffer, and the names it knows.
#[derive(Debug, Default)]
pub(super) struct Worker {
    buffer: Vec<u8>,
    names: Chunks,
}

impl Worker {
    /// Looks at a file and, if it is a run of a binary, adds it to the binary's sums.
    pub(super) fn look(&mut self, input: &ProfileInput, head: Head<'_>, board: &Board) -> Found {
        // Whatever goes wrong is met again, and noted, when the file is merged as a whole.
        self.try_look(input, head, board).unwrap_or(Found::Whole)
    }

    fn try_look(
        &mut self,
        input: &ProfileInput,
        head: Head<'_>,
        board: &Board,
    ) -> io::Result<Found> {
        let (file, file_bytes) = open(&input.path)?;
        let Some(identity) = identity(&file, file_bytes)? else {
            return Ok(Found::Whole);
        };
        match board.meet(head, &identity) {
            Known::Odd => Ok(Found::Whole),
            Known::New(claim) => {
                let first = self.read_first(&file, file_bytes, input.weight, claim);
                Ok(first.map_or(Found::Whole, |(id, first)| {
                    Found::First(id, Box::new(first))
                }))
            }
            Known::Frame(id, frame, mut sums) => {
                let added = self.add(&file, file_bytes, input.weight, &frame, &mut sums);
                board.put_back(id, sums);
                if matches!(added, Ok(Err(Unfit::TooLarge))) {
                    board.give_up();
                }
                Ok(match added? {
                    Ok(()) => Found::Added(id),
                    Err(_) => Found::Whole,
                })
            }
        }
    }

    fn add(
        &mut self,
        file: &File,
        file_bytes: u64,
        weight: NonZeroU64,
        frame: &Frame,
        sums: &mut Sums,
    ) -> io::Result<Result<(), Unfit>> {
        if file_bytes != frame.file_bytes() {
            return Ok(Err(Unfit::Odd));
        }
        let part = read_range(file, frame.part(), &mut self.buffer)?;
        Ok(sums.add(frame, part, weight.get()))
    }

    /// Reads the first file of a binary. Its siblings may be added while its names are decoded.
    /// `None` if it has to be merged as a whole.
    fn read_first(
        &mut self,
        file: &File,
        file_bytes: u64,
        weight: NonZeroU64,
        claim: Claim<'_>,
    ) -> Option<(FrameId, First)> {
        let bytes = read_range(file, 0..file_bytes, &mut self.buffer).ok()?;
        let (frame, functions) = Frame::of(bytes)?;
        if frame.identity() != claim.identity() {
            return None;
        }
        let part = frame.part();
        let position = |at: u64| usize::try_from(at).ok();
        let part = bytes.get(position(part.start)?..position(part.end)?)?;
        let mut sums = Sums::new();
        sums.add(&frame, part, weight.get()).ok()?;
        let profile = RawProfile::parse(bytes, 0).ok()?;
        let id = claim.publish(frame, sums);
        let names = profile.names_of(&functions, &mut self.names).ok();
        Some((id, First { functions, names }))
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
