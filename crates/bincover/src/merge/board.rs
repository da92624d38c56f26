//! What the threads of a merge know together: which file is next, what each file is, and the
//! binaries that were met, known by the identity of their raw profiles.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bincover_profile::raw::{Frame, Functions, Identity, ValueFrame};
use bincover_profile::{NameTable, Sums};

/// Frames and sums may take this much memory, in bytes; then further binaries are merged file by
/// file, and at the end of the batch it begins anew. A suite has a handful of binaries, of some
/// megabytes each.
const MEMORY: usize = 256 << 20;

/// How often the first file of a binary may turn out not to be one for others to be added to.
const TRIES: u8 = 3;

/// Names a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FrameId(usize);

/// Names a binary with value sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ValueId(usize);

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// A run of a binary whose first file comes before it; it is in the binary's sums.
    Added(FrameId),
    /// The first file of a binary, in its sums as well.
    First(FrameId, Box<First>),
    /// The first file of a binary with value sites.
    FirstValues(ValueId, Box<ValueFrame>),
    /// A run of such a binary, of so many bytes; only its head was looked at.
    Values(ValueId, u64),
    /// Something that has to be merged as a whole.
    Whole,
}

/// What the first file of a binary says of its functions. `None` if their names are damaged.
#[derive(Debug)]
pub(super) struct First {
    pub(super) functions: Functions,
    pub(super) names: Option<NameTable>,
}

/// What is known of the identity of a file.
#[derive(Debug)]
pub(super) enum Known<'b> {
    /// The binary's sums, to be added to and [put back](Board::put_back).
    Frame(FrameId, Arc<Frame>, Sums),
    /// It has value sites: the files of its binary are merged in their order.
    Values(ValueId),
    /// It is the first file of this identity.
    New(Claim<'b>),
    /// Files like it have to be merged as a whole.
    Odd,
}

/// A binary whose files are added up.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) frame: Arc<Frame>,
    /// Those to which no thread is adding now; there are as many as threads did so at a time.
    pub(super) sums: Vec<Sums>,
}

/// The threads' common knowledge.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The files of the batch at which no thread has looked.
    rest: Range<usize>,
    /// The files at whose heads threads are looking.
    heads: Vec<usize>,
    /// How many threads wait for a change.
    waiting: usize,
    /// What files of the batch are, until they are taken.
    found: HashMap<usize, Found>,
    identities: HashMap<Identity, Seen>,
    /// How often a frame of an identity was a mistake.
    tries: HashMap<Identity, u8>,
    layouts: Vec<Layout>,
    /// How many binaries with value sites there are.
    with_values: usize,
    memory: usize,
    order_matters: bool,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    /// A file that may stay the only one.
    Once,
    /// A thread is reading its first file.
    Reading,
    Frame(FrameId),
    Values(ValueId),
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what other threads may wait for.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// The next files to be looked at.
    pub(super) fn begin(&self, batch: Range<usize>) {
        self.lock().rest = batch;
    }

    /// The next file to be looked at; `None` if there is none.
    pub(super) fn next(&self) -> Option<Head<'_>> {
        let mut state = self.lock();
        if state.order_matters {
            return None;
        }
        let index = state.rest.next()?;
        state.heads.push(index);
        Some(Head { board: self, index })
    }

    /// What is known of the identity of a file. The first file of an identity is the first in the
    /// order of the files, however fast each thread is.
    /// Unless it `is_common` that there are more like it, the first one is merged as a whole.
    pub(super) fn meet(&self, head: Head<'_>, identity: &Identity, is_common: bool) -> Known<'_> {
        // The lock ends before the head, whose end needs it.
        let mut state = self.lock();
        loop {
            match state.identities.get(identity) {
                Some(Seen::Frame(id)) => {
                    let id = *id;
                    let layout = &mut state.layouts[id.0];
                    let frame = Arc::clone(&layout.frame);
                    let sums = layout.sums.pop();
                    if sums.is_none() {
                        state.memory += frame.sums_memory();
                    }
                    return Known::Frame(id, frame, sums.unwrap_or_default());
                }
                Some(Seen::Values(id)) => return Known::Values(*id),
                Some(Seen::Reading) => {}
                None if !is_common => {
                    state.identities.insert(identity.clone(), Seen::Once);
                    return Known::Odd;
                }
                None | Some(Seen::Once) if state.heads.iter().any(|other| *other < head.index) => {}
                None | Some(Seen::Once) => {
                    let tries = state.tries.get(identity);
                    if state.memory >= MEMORY || tries.is_some_and(|tries| *tries >= TRIES) {
                        return Known::Odd;
                    }
                    state.identities.insert(identity.clone(), Seen::Reading);
                    return Known::New(Claim {
                        board: self,
                        identity: identity.clone(),
                        is_published: false,
                    });
                }
            }
            state.waiting += 1;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Gives back sums that were [met](Self::meet).
    pub(super) fn put_back(&self, id: FrameId, sums: Sums) {
        self.lock().layouts[id.0].sums.push(sums);
    }

    /// Says what a file is.
    pub(super) fn put(&self, index: usize, found: Found) {
        self.lock().found.insert(index, found);
    }

    /// What a file is, if a thread has said so.
    pub(super) fn take(&self, index: usize) -> Option<Found> {
        self.lock().found.remove(&index)
    }

    /// The order of the files matters: no further one needs to be looked at.
    pub(super) fn give_up(&self) {
        self.lock().order_matters = true;
    }

    /// The order of the files matters.
    pub(super) fn is_given_up(&self) -> bool {
        self.lock().order_matters
    }

    /// There is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.lock().memory >= MEMORY
    }

    /// The frame of this name.
    pub(super) fn frame(&self, id: FrameId) -> Arc<Frame> {
        Arc::clone(&self.lock().layouts[id.0].frame)
    }

    /// Forgets the binaries; returns them in the order in which they were named.
    pub(super) fn forget(&self) -> impl Iterator<Item = (FrameId, Layout)> + use<> {
        let mut state = self.lock();
        state.identities.clear();
        state.with_values = 0;
        state.memory = 0;
        let layouts = std::mem::take(&mut state.layouts);
        (0..).map(FrameId).zip(layouts)
    }
}

/// A look at the head of a file. While it goes on, no later file can be the first of a binary.
#[derive(Debug)]
pub(super) struct Head<'b> {
    board: &'b Board,
    pub(super) index: usize,
}

impl Drop for Head<'_> {
    fn drop(&mut self) {
        self.board
            .change(|state| state.heads.retain(|index| *index != self.index));
    }
}

/// The right and the duty to read the first file of a binary, for which others wait.
#[derive(Debug)]
pub(super) struct Claim<'b> {
    board: &'b Board,
    identity: Identity,
    is_published: bool,
}

impl Claim<'_> {
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Files like the first one may be added from now on; `sums` are its own.
    pub(super) fn publish(mut self, frame: Frame, sums: Sums) -> FrameId {
        self.is_published = true;
        let mut id = FrameId(0);
        self.board.change(|state| {
            id = FrameId(state.layouts.len());
            state.memory += frame.memory() + frame.sums_memory();
            let seen = Seen::Frame(id);
            state.identities.insert(self.identity.clone(), seen);
            state.layouts.push(Layout {
                frame: Arc::new(frame),
                sums: vec![sums],
            });
        });
        id
    }

    /// The next files like the first one are [values](Found::Values).
    pub(super) fn publish_values(mut self, memory: usize) -> ValueId {
        self.is_published = true;
        let mut id = ValueId(0);
        self.board.change(|state| {
            id = ValueId(state.with_values);
            state.with_values += 1;
            state.memory += memory;
            let seen = Seen::Values(id);
            state.identities.insert(self.identity.clone(), seen);
        });
        id
    }
}

impl Drop for Claim<'_> {
    /// Nothing came of it, on whatever way: the next file of this identity may be tried.
    fn drop(&mut self) {
        if !self.is_published {
            self.board.change(|state| {
                state.identities.remove(&self.identity);
                *state.tries.entry(self.identity.clone()).or_default() += 1;
            });
        }
    }
}
