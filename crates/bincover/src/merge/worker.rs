//! Reads files and adds what is read to sums: the part of a merge that several threads do.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bincover_profile::raw::{Frame, Identity, RawProfile, ValueFrame};
use bincover_profile::{Chunks, Sums, Unfit};

use super::ProfileInput;
use super::board::{Board, Claim, First, Found, Head, Known};

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
        let Some((identity, is_common)) = identity(&file, file_bytes)? else {
            return Ok(Found::Whole);
        };
        match board.meet(head, &identity, is_common) {
            Known::Odd => Ok(Found::Whole),
            Known::New(claim) => {
                let first = self.read_first(&file, file_bytes, input.weight, claim);
                Ok(first.unwrap_or(Found::Whole))
            }
            Known::Values(id) => Ok(Found::Values(id, file_bytes)),
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
    ) -> Option<Found> {
        let bytes = read_range(file, 0..file_bytes, &mut self.buffer).ok()?;
        if let Some((frame, functions, names)) = Frame::of_indexed(bytes) {
            let sums = first_sums(&frame, bytes, weight, &claim)?;
            let names = Some(names);
            let id = claim.publish(frame, sums);
            return Some(Found::First(id, Box::new(First { functions, names })));
        }
        let Some((frame, functions)) = Frame::of(bytes) else {
            let frame = ValueFrame::of(bytes)?;
            let is_as_claimed = frame.identity() == claim.identity();
            return is_as_claimed.then(|| {
                let id = claim.publish_values(frame.memory());
                Found::FirstValues(id, Box::new(frame))
            });
        };
        let sums = first_sums(&frame, bytes, weight, &claim)?;
        let profile = RawProfile::parse(bytes, 0).ok()?;
        let id = claim.publish(frame, sums);
        let names = profile.names_of(&functions, &mut self.names).ok();
        Some(Found::First(id, Box::new(First { functions, names })))
    }
}

/// The sums of the first file of a binary alone.
fn first_sums(frame: &Frame, file: &[u8], weight: NonZeroU64, claim: &Claim<'_>) -> Option<Sums> {
    if frame.identity() != claim.identity() {
        return None;
    }
    let part = frame.part();
    let position = |at: u64| usize::try_from(at).ok();
    let part = file.get(position(part.start)?..position(part.end)?)?;
    let mut sums = Sums::new();
    sums.add(frame, part, weight.get()).ok()?;
    Some(sums)
}

/// Opens a regular file; a pipe is left to be read once, from front to back.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let file = File::open(path)?;
    // Of what was opened: there may be another file in its place by now.
    let file_bytes = file.metadata()?.len();
    Ok((file, file_bytes))
}

/// The identity of a profile, and whether others have it too: a binary is run again and again, while
/// each indexed profile may be of something else.
fn identity(file: &File, file_bytes: u64) -> io::Result<Option<(Identity, bool)>> {
    let mut head = [0; Identity::HEAD_BYTES];
    let wanted = usize::try_from(file_bytes).map_or(head.len(), |len| len.min(head.len()));
    file.read_exact_at(&mut head[..wanted], 0)?;
    let head = &head[..wanted];
    let raw = Identity::of(head).map(|identity| (identity, true));
    Ok(raw.or_else(|| Identity::of_indexed(head).map(|identity| (identity, false))))
}

/// Reads a part of a file that is known to be that long.
pub(super) fn read_range<'b>(
    file: &File,
    range: Range<u64>,
    buffer: &'b mut Vec<u8>,
) -> io::Result<&'b [u8]> {
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    file.read_exact_at(&mut buffer[..len], range.start)?;
    Ok(&buffer[..len])
}
