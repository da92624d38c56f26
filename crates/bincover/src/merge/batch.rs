//! How a merge goes through its files: a batch at a time, in three steps.
//!
//! 1. All threads look at the heads of the batch's files. Runs of binaries that are known already
//!    are added to the thread's sums at once.
//! 2. This thread takes the others in their order: the first file of each binary, and whatever is
//!    not a raw profile, is read as a whole and merged function by function.
//! 3. Meanwhile the other threads add the siblings of those first files to their sums.
//!
//! In the end the sums are added to the profile. Sums commute, and all else happens in the order
//! of the files; so neither the number of threads nor their speed changes the result. Where a sum
//! is not the same as one file after another (a count overflows, or the profile's kind changes so
//! that later files no longer fit), the merge says so, and is done again one by one.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use bincover_profile::raw::{Frame, Identity};
use bincover_profile::{Cause, Entry, Merged, Merger};

use super::layouts::{FrameId, Layouts};
use super::worker::{Found, Worker};
use super::{FileMerge, ProfileInput};

/// Files in a batch: what is kept of each is its head.
const BATCH: usize = 4096;

/// Merges the files, those of one binary as a sum; `None` if they have to be taken one by one.
pub(super) fn fast(job: &FileMerge, inputs: &[ProfileInput]) -> Option<Merged> {
    let mut merge = Merge::new(job, inputs);
    let workers = std::iter::repeat_with(Worker::default);
    let mut workers: Vec<Worker> = workers.take(job.thread_count(inputs.len())).collect();
    for start in (0..inputs.len()).step_by(BATCH) {
        let batch = start..inputs.len().min(start + BATCH);
        merge.batch(batch, &mut workers)?;
    }
    merge.settle(&mut workers)?;
    Some(merge.finish())
}

/// Merges the files, each by itself, in order.
pub(super) fn one_by_one(job: &FileMerge, inputs: &[ProfileInput]) -> Merged {
    let mut merge = Merge::new(job, inputs);
    for index in 0..inputs.len() {
        merge.add_whole(index);
    }
    merge.finish()
}

struct Merge<'a> {
    inputs: &'a [ProfileInput],
    merger: Merger,
    layouts: Layouts,
    salvages: bool,
    /// Raw profiles that end too early.
    cut: Vec<usize>,
    /// For each file that was merged as a whole: its index, and how long the ledger was before.
    noted: Vec<(usize, usize)>,
}

/// A file to be added to the sums of a frame.
struct Job {
    index: usize,
    id: FrameId,
    frame: Arc<Frame>,
}

impl<'a> Merge<'a> {
    fn new(job: &FileMerge, inputs: &'a [ProfileInput]) -> Self {
        Self {
            inputs,
            merger: job.merger(),
            layouts: Layouts::default(),
            salvages: job.salvages,
            cut: Vec::new(),
            noted: Vec::new(),
        }
    }

    /// `None` if the order of the files matters.
    fn batch(&mut self, batch: Range<usize>, workers: &mut [Worker]) -> Option<()> {
        let found = self.look(batch.clone(), workers)?;
        if found.iter().all(|found| matches!(found, Found::Added)) {
            return Some(());
        }
        for (index, id) in self.add_batch(batch.start, found, workers)? {
            // What a mistaken frame refused has been added in another way.
            if self.layouts.is_anchored(id) {
                self.add_whole(index);
            }
        }
        match self.layouts.is_full() {
            true => self.settle(workers),
            false => Some(()),
        }
    }

    /// Step 1: what each file of the batch is.
    fn look(&self, batch: Range<usize>, workers: &mut [Worker]) -> Option<Vec<Found>> {
        let next = AtomicUsize::new(batch.start);
        let look = |worker: &mut Worker| {
            let mut found = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= batch.end {
                    return found;
                }
                found.push((index, worker.look(&self.inputs[index], &self.layouts)));
            }
        };
        let mut found = std::thread::scope(|scope| {
            let (first, others) = workers.split_first_mut()?;
            let others: Vec<_> = others
                .iter_mut()
                .map(|worker| scope.spawn(|| look(worker)))
                .collect();
            let mut found = look(first);
            for thread in others {
                found.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            Some(found)
        })?;
        found.sort_unstable_by_key(|(index, _)| *index);
        let found: Vec<Found> = found.into_iter().map(|(_, found)| found).collect();
        let order_matters = |found: &Found| matches!(found, Found::OrderMatters);
        (!found.iter().any(order_matters)).then_some(found)
    }

    /// Steps 2 and 3. Returns the files that could not be added after all, in order.
    fn add_batch(
        &mut self,
        start: usize,
        found: Vec<Found>,
        workers: &mut [Worker],
    ) -> Option<Vec<(usize, FrameId)>> {
        let (sender, receiver) = channel();
        let receiver = Mutex::new(receiver);
        let inputs = self.inputs;
        std::thread::scope(|scope| {
            let threads = workers.len();
            let (first, others) = workers.split_first_mut()?;
            let others: Vec<_> = others
                .iter_mut()
                .map(|worker| scope.spawn(|| add_jobs(worker, inputs, &receiver)))
                .collect();
            self.add_in_order(start, found, threads, &sender);
            drop(sender);
            let mut odd = add_jobs(first, inputs, &receiver)?;
            for thread in others {
                odd.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            odd.sort_unstable_by_key(|(index, _)| *index);
            Some(odd)
        })
    }

    /// Step 2.
    fn add_in_order(
        &mut self,
        start: usize,
        found: Vec<Found>,
        threads: usize,
        jobs: &Sender<Job>,
    ) {
        let mut siblings: HashMap<&Identity, Vec<usize>> = HashMap::new();
        for (index, found) in (start..).zip(&found) {
            if let Found::Raw(identity) = found {
                siblings.entry(identity).or_default().push(index);
            }
        }
        for (index, found) in (start..).zip(&found) {
            match found {
                Found::Raw(identity) if self.layouts.frame_of(identity).is_some() => {}
                Found::Raw(identity) => {
                    let siblings = siblings.get(identity).map_or(&[][..], Vec::as_slice);
                    let later = siblings.partition_point(|sibling| *sibling <= index);
                    self.add_first(index, identity, &siblings[later..], threads, jobs);
                }
                Found::Other => self.add_whole(index),
                Found::Added | Found::OrderMatters => {}
            }
        }
    }

    /// Merges the first file of a binary, and sends its siblings to the other threads.
    fn add_first(
        &mut self,
        index: usize,
        identity: &Identity,
        siblings: &[usize],
        threads: usize,
        jobs: &Sender<Job>,
    ) {
        if !self.layouts.wants_frame(identity, !siblings.is_empty()) {
            return self.add_whole(index);
        }
        let Some(bytes) = self.read(index) else {
            return;
        };
        let Some(frame) = Frame::of(&bytes).filter(|frame| frame.identity() == identity) else {
            self.layouts.note_try(identity);
            return self.add_bytes(index, &bytes);
        };
        let frame = Arc::new(frame);
        let id = self.layouts.publish(&frame, threads);
        for &index in siblings {
            let frame = Arc::clone(&frame);
            // It fails only if no thread is left, and then nothing is.
            let _ = jobs.send(Job { index, id, frame });
        }
        let ProfileInput { path, weight } = &self.inputs[index];
        self.noted.push((index, self.merger.ledger().entries.len()));
        let source = path.display().to_string();
        let anchor = self.merger.add_first(&source, &bytes, *weight);
        self.layouts.anchor(id, anchor);
    }

    /// Reads a file and merges it function by function.
    fn add_whole(&mut self, index: usize) {
        if let Some(bytes) = self.read(index) {
            self.add_bytes(index, &bytes);
        }
    }

    fn read(&mut self, index: usize) -> Option<Vec<u8>> {
        let path = &self.inputs[index].path;
        match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.noted.push((index, self.merger.ledger().entries.len()));
                self.merger.add_failure(&path.display().to_string(), error);
                None
            }
        }
    }

    fn add_bytes(&mut self, index: usize, bytes: &[u8]) {
        let ProfileInput { path, weight } = &self.inputs[index];
        let left_out = self.merger.ledger().entries.len();
        self.noted.push((index, left_out));
        self.merger.add(&path.display().to_string(), bytes, *weight);
        let has_entries = self.merger.ledger().entries.len() > left_out;
        if self.salvages && has_entries && self.merger.may_be_salvaged(bytes) {
            self.cut.push(index);
        }
    }

    fn settle(&mut self, workers: &mut [Worker]) -> Option<()> {
        let is_exact = self.layouts.settle(workers, &mut self.merger);
        let overflowed = |entry: &Entry| matches!(entry.cause, Cause::CounterOverflow { .. });
        let order_matters =
            self.layouts.have_sums() && self.merger.ledger().entries.iter().any(overflowed);
        (is_exact && !order_matters).then_some(())
    }

    fn finish(mut self) -> Merged {
        // What is said of files when they are salvaged comes last.
        let len = self.merger.ledger().entries.len();
        self.noted.push((self.inputs.len(), len));
        for index in std::mem::take(&mut self.cut) {
            let ProfileInput { path, weight } = &self.inputs[index];
            // If it is gone by now, its entry in the ledger stands as it is.
            if let Ok(bytes) = std::fs::read(path) {
                self.merger
                    .salvage(&path.display().to_string(), &bytes, *weight);
            }
        }
        let mut merged = self.merger.finish();
        sort_entries(&mut merged.ledger.entries, &self.noted);
        merged
    }
}

/// Step 3: adds files as they come, and returns those that it could not add; `None` if the order
/// of the files matters.
fn add_jobs(
    worker: &mut Worker,
    inputs: &[ProfileInput],
    jobs: &Mutex<Receiver<Job>>,
) -> Option<Vec<(usize, FrameId)>> {
    let mut odd = Vec::new();
    let mut is_exact = true;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { index, id, frame }) = job else {
            return is_exact.then_some(odd);
        };
        match worker.add(&inputs[index], id, &frame) {
            Found::Added => {}
            Found::OrderMatters => is_exact = false,
            Found::Raw(_) | Found::Other => odd.push((index, id)),
        }
    }
}

/// Puts the entries of files that were merged late where those files were.
fn sort_entries(entries: &mut Vec<Entry>, noted: &[(usize, usize)]) {
    if noted.is_sorted() {
        return;
    }
    let ends = noted.iter().skip(1).map(|(_, start)| *start);
    let ends = ends.chain([entries.len()]);
    let mut taken = std::mem::take(entries).into_iter();
    let mut pieces: Vec<(usize, Vec<Entry>)> = Vec::with_capacity(noted.len());
    for ((index, start), end) in noted.iter().zip(ends) {
        pieces.push((*index, taken.by_ref().take(end - start).collect()));
    }
    pieces.sort_by_key(|(index, _)| *index);
    entries.extend(pieces.into_iter().flat_map(|(_, piece)| piece));
}
