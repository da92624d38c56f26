//! The binaries met so far, known by the identity of their raw profiles.

use std::collections::HashMap;
use std::sync::Arc;

use bincover_profile::raw::{Frame, Identity};
use bincover_profile::{Anchor, Merger, ProfileKind, Sums};

use super::worker::Worker;

/// Frames, anchors and sums may take this much memory, in bytes; then the sums go into the profile
/// and it begins anew. A suite has a handful of binaries, of some megabytes each.
const MEMORY: usize = 256 << 20;

/// How often the first file of a binary may turn out not to be one for others to be added to.
const TRIES: u8 = 3;

/// Names a frame among [`Layouts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameId(usize);

impl FrameId {
    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// All that is known of the binaries.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    known: HashMap<Identity, Known>,
    /// How often a frame of an identity was a mistake.
    tries: HashMap<Identity, u8>,
    frames: Vec<Layout>,
    memory: usize,
    /// What the profiles count that were added as sums.
    kinds: Vec<ProfileKind>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    /// Met, and perhaps the first of several.
    Seen,
    /// Files like this are added as sums.
    Frame(FrameId),
    /// Files like this cannot be added as sums.
    Odd,
}

#[derive(Debug)]
struct Layout {
    frame: Arc<Frame>,
    /// Where its functions are in the profile.
    anchor: Anchor,
}

impl Layouts {
    /// The frame of files of this identity, if there is one.
    pub(super) fn frame_of(&self, identity: &Identity) -> Option<(FrameId, &Arc<Frame>)> {
        match self.known.get(identity)? {
            Known::Frame(id) => Some((*id, &self.frames[id.0].frame)),
            Known::Seen | Known::Odd => None,
        }
    }

    /// A file of this identity was there before, and another may make a frame.
    pub(super) fn has_seen(&self, identity: &Identity) -> bool {
        matches!(self.known.get(identity), Some(Known::Seen))
    }

    /// Notes a file of this identity, which has no frame. True if a frame is wanted: there are
    /// more such files, `has_siblings` or met before, and there is room for it.
    pub(super) fn wants_frame(&mut self, identity: &Identity, has_siblings: bool) -> bool {
        match self.known.get(identity) {
            Some(Known::Seen) => !self.is_full(),
            Some(Known::Frame(_) | Known::Odd) => false,
            None => {
                self.known.insert(identity.clone(), Known::Seen);
                has_siblings && !self.is_full()
            }
        }
    }

    /// Adds a frame. Its sums may be in as many threads.
    pub(super) fn publish(
        &mut self,
        frame: &Arc<Frame>,
        anchor: Anchor,
        threads: usize,
    ) -> FrameId {
        let id = FrameId(self.frames.len());
        let known = Known::Frame(id);
        self.known.insert(frame.identity().clone(), known);
        self.memory += frame.memory() + anchor.memory() + threads * Sums::new(frame).memory();
        if !self.kinds.contains(&frame.kind()) {
            self.kinds.push(frame.kind());
        }
        self.frames.push(Layout {
            frame: Arc::clone(frame),
            anchor,
        });
        id
    }

    /// Notes that a file of this identity is not one for others to be added to.
    pub(super) fn note_try(&mut self, identity: &Identity) {
        let tries = self.tries.entry(identity.clone()).or_default();
        *tries += 1;
        let known = if *tries < TRIES {
            Known::Seen
        } else {
            Known::Odd
        };
        self.known.insert(identity.clone(), known);
    }

    /// Adds the sums of a frame to the profile. False if the order of the files would have mattered.
    #[must_use]
    pub(super) fn add_sums(&self, id: FrameId, sums: &Sums, merger: &mut Merger) -> bool {
        let Layout { frame, anchor } = &self.frames[id.0];
        merger.add_sums(frame, anchor, sums)
    }

    /// There is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.memory >= MEMORY
    }

    /// Any file was added as a sum.
    pub(super) fn have_sums(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// Moves all sums into the profile and forgets the frames. False if the order of the files
    /// would have mattered.
    #[must_use]
    pub(super) fn settle(&mut self, workers: &mut [Worker], merger: &mut Merger) -> bool {
        let mut is_exact = true;
        for (index, layout) in self.frames.drain(..).enumerate() {
            for worker in &mut *workers {
                if let Some(sums) = worker.take_sums(FrameId(index)) {
                    is_exact &= merger.add_sums(&layout.frame, &layout.anchor, &sums);
                }
            }
        }
        for worker in workers {
            worker.forget_sums();
        }
        for known in self.known.values_mut() {
            if matches!(known, Known::Frame(_)) {
                *known = Known::Seen;
            }
        }
        self.memory = 0;
        is_exact && self.kinds.iter().all(|kind| merger.still_takes(*kind))
    }
}
