//! What the threads of a merge have to do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bincover_profile::Sums;
use bincover_profile::raw::Frame;

use super::layouts::FrameId;
use super::worker::Prepared;

/// Files to be added to the sums of a frame.
#[derive(Debug)]
pub(super) struct Addition {
    pub(super) indices: Vec<usize>,
    pub(super) id: FrameId,
    pub(super) frame: Arc<Frame>,
    /// What was added up so far: this begins with it.
    pub(super) sums: Option<Sums>,
    /// These are all files of the frame in the batch, so that its sums are whole then.
    pub(super) is_all: bool,
}

/// A piece of work.
#[derive(Debug)]
pub(super) enum Job {
    /// Read the first file of a binary; its sums may use this memory.
    Prepare(usize, Option<Sums>),
    Add(Addition),
}

/// First files come before siblings, since one thread waits for them; but only so many of them are
/// in memory at a time.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// How many first files may be prepared and not yet taken.
    window: usize,
}

#[derive(Debug, Default)]
struct State {
    firsts: VecDeque<usize>,
    /// First files that a thread is reading, or has read: then with what came of it.
    prepared: HashMap<usize, Option<Option<Box<Prepared>>>>,
    additions: VecDeque<Addition>,
    /// Sums that are whole.
    finished: Vec<(FrameId, Sums)>,
    /// Sums whose memory is free.
    spare: Vec<Sums>,
    is_closed: bool,
}

impl Queue {
    /// The first files of binaries, in order.
    pub(super) fn new(firsts: VecDeque<usize>, window: usize) -> Self {
        let state = State {
            firsts,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            window,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let state = self.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, additions: impl IntoIterator<Item = Addition>) {
        self.lock().additions.extend(additions);
        self.changed.notify_all();
    }

    /// Nothing more will come once what this returns is dropped, on whatever way: else the threads
    /// that wait for work would wait for ever.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.firsts.clear();
        self.changed.notify_all();
    }

    /// The next piece of work; waits for it. `None` when all is done.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.prepared.len() < self.window
                && let Some(index) = state.firsts.pop_front()
            {
                state.prepared.insert(index, None);
                let spare = state.spare.pop();
                return Some(Job::Prepare(index, spare));
            }
            if let Some(addition) = state.additions.pop_front() {
                return Some(Job::Add(addition));
            }
            if state.is_closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Hands over sums that are whole.
    pub(super) fn finish(&self, id: FrameId, sums: Sums) {
        self.lock().finished.push((id, sums));
    }

    /// The sums that are whole by now.
    pub(super) fn finished(&self) -> Vec<(FrameId, Sums)> {
        std::mem::take(&mut self.lock().finished)
    }

    /// Gives back the memory of sums.
    pub(super) fn recycle(&self, sums: Sums) {
        self.lock().spare.push(sums);
    }

    /// What came of a first file, handed over when it is dropped: whoever waits for it is told,
    /// also if nothing came of it.
    pub(super) fn promise(&self, index: usize) -> Promise<'_> {
        Promise {
            queue: self,
            index,
            prepared: None,
        }
    }

    /// What came of a first file that another thread has read or is reading; `None` if none does.
    pub(super) fn take(&self, index: usize) -> Option<Option<Box<Prepared>>> {
        let mut state = self.lock();
        loop {
            match state.prepared.get_mut(&index).map(Option::take) {
                Some(Some(prepared)) => {
                    state.prepared.remove(&index);
                    self.changed.notify_all();
                    return Some(prepared);
                }
                Some(None) => state = self.wait(state),
                None => {
                    state.firsts.retain(|first| *first != index);
                    return None;
                }
            }
        }
    }
}

/// Closes the queue.
#[derive(Debug)]
pub(super) struct Closing<'q>(&'q Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A first file that a thread is reading.
#[derive(Debug)]
pub(super) struct Promise<'q> {
    queue: &'q Queue,
    index: usize,
    pub(super) prepared: Option<Prepared>,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let prepared = self.prepared.take().map(Box::new);
        let mut state = self.queue.lock();
        state.prepared.insert(self.index, Some(prepared));
        self.queue.changed.notify_all();
    }
}
