//! How a merge goes through its files: a batch at a time, in three steps.
//!
//! 1. All threads look at the heads of the batch's files. Runs of binaries that are known already
//!    are added to the thread's sums at once.
//! 2. This thread takes the others in their order: the first file of each binary, and whatever is
//!    not a raw profile, is read as a whole and merged function by function.
//! 3. Meanwhile the other threads read those first files ahead, and add their siblings to their
//!    sums.
//!
//! In the end the sums are added to the profile. Sums commute, and all else happens in the order
//! of the files; so neither the number of threads nor their speed changes the result. Where a sum
//! is not the same as one file after another (a count overflows, or the profile's kind changes so
//! that later files no longer fit), the merge says so, and is done again one by one.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bincover_profile::raw::Identity;
use bincover_profile::{Cause, Entry, Merged, Merger};

use super::layouts::Layouts;
use super::queue::{Addition, Job, Queue};
use super::worker::{Found, Prepared, Worker};
use super::{FileMerge, ProfileInput};

/// Files in a batch: what is kept of each is its head.
const BATCH: usize = 4096;

/// Siblings that one thread adds in a row, so that few binaries need sums in several threads.
const SHARE: usize = 16;

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
        for index in self.add_batch(batch.start, found, workers)? {
            self.add_whole(index);
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
    ) -> Option<Vec<usize>> {
        let mut siblings: HashMap<&Identity, Vec<usize>> = HashMap::new();
        for (index, found) in (start..).zip(&found) {
            if let Found::Raw(identity) = found {
                siblings.entry(identity).or_default().push(index);
            }
        }
        let firsts = siblings
            .iter()
            .filter(|(identity, indices)| indices.len() > 1 || self.layouts.has_seen(identity));
        let mut firsts: Vec<usize> = firsts.map(|(_, indices)| indices[0]).collect();
        firsts.sort_unstable();
        let queue = Queue::new(firsts.into(), 2 * workers.len());
        let inputs = self.inputs;
        std::thread::scope(|scope| {
            let closing = queue.closing();
            let threads = workers.len();
            let (first, others) = workers.split_first_mut()?;
            let others: Vec<_> = others
                .iter_mut()
                .map(|worker| scope.spawn(|| work(worker, inputs, &queue)))
                .collect();
            for (index, found) in (start..).zip(&found) {
                match found {
                    Found::Raw(identity) if self.layouts.frame_of(identity).is_some() => {}
                    Found::Raw(identity) => {
                        let siblings = siblings.get(identity).map_or(&[][..], Vec::as_slice);
                        let later = siblings.partition_point(|sibling| *sibling <= index);
                        let siblings = &siblings[later..];
                        if self.layouts.wants_frame(identity, !siblings.is_empty()) {
                            let prepared = queue.take(index).unwrap_or_else(|| {
                                first.prepare(&inputs[index], None).map(Box::new)
                            });
                            self.add_first(index, identity, prepared, siblings, threads, &queue);
                        } else {
                            queue.take(index);
                            self.add_whole(index);
                        }
                    }
                    Found::Other => self.add_whole(index),
                    Found::Added | Found::OrderMatters => {}
                }
                self.add_finished(&queue)?;
            }
            drop(closing);
            let mut odd = work(first, inputs, &queue)?;
            for thread in others {
                odd.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            self.add_finished(&queue)?;
            odd.sort_unstable();
            Some(odd)
        })
    }

    /// Moves sums that are whole into the profile. `None` if the order of the files matters.
    fn add_finished(&mut self, queue: &Queue) -> Option<()> {
        for (id, sums) in queue.finished() {
            if !self.layouts.add_sums(id, &sums, &mut self.merger) {
                return None;
            }
            queue.recycle(sums);
        }
        Some(())
    }

    /// Makes room for a binary whose first file was read, and has its siblings added.
    fn add_first(
        &mut self,
        index: usize,
        identity: &Identity,
        prepared: Option<Box<Prepared>>,
        siblings: &[usize],
        threads: usize,
        queue: &Queue,
    ) {
        let prepared = prepared.filter(|prepared| prepared.frame.identity() == identity);
        let anchored = prepared.and_then(|prepared| {
            let anchor = self.merger.add_frame(&prepared.frame, &prepared.names)?;
            Some((prepared, anchor))
        });
        let Some((prepared, anchor)) = anchored else {
            self.layouts.note_try(identity);
            return self.add_whole(index);
        };
        let Prepared { frame, sums, .. } = *prepared;
        let id = self.layouts.publish(&frame, anchor, threads);
        let is_all = siblings.len() <= SHARE;
        // At least one, to take over the sums of the first file.
        let mut sums = Some(sums);
        let shares = siblings
            .chunks(SHARE)
            .chain(siblings.is_empty().then_some(siblings));
        queue.add(shares.map(|indices| Addition {
            indices: indices.to_vec(),
            id,
            frame: Arc::clone(&frame),
            sums: sums.take(),
            is_all,
        }));
    }

    /// Reads a file and merges it function by function.
    fn add_whole(&mut self, index: usize) {
        let ProfileInput { path, weight } = &self.inputs[index];
        let source = path.display().to_string();
        let left_out = self.merger.ledger().entries.len();
        self.noted.push((index, left_out));
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.merger.add_failure(&source, error),
        };
        self.merger.add(&source, &bytes, *weight);
        let has_entries = self.merger.ledger().entries.len() > left_out;
        if self.salvages && has_entries && self.merger.may_be_salvaged(&bytes) {
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

/// What the threads do meanwhile: step 3, and reading for step 2. Returns the files that could not
/// be added; `None` if the order of the files matters.
fn work(worker: &mut Worker, inputs: &[ProfileInput], queue: &Queue) -> Option<Vec<usize>> {
    let mut odd = Vec::new();
    let mut is_exact = true;
    while let Some(job) = queue.next() {
        match job {
            Job::Prepare(index, spare) => {
                let mut promise = queue.promise(index);
                promise.prepared = worker.prepare(&inputs[index], spare);
            }
            Job::Add(addition) => {
                let Addition {
                    indices,
                    id,
                    frame,
                    sums,
                    is_all,
                } = addition;
                if let Some(sums) = sums {
                    worker.begin(id, sums);
                }
                for index in indices {
                    match worker.add(&inputs[index], id, &frame) {
                        Found::Added => {}
                        Found::OrderMatters => is_exact = false,
                        Found::Raw(_) | Found::Other => odd.push(index),
                    }
                }
                if is_all && let Some(sums) = worker.take_sums(id) {
                    queue.finish(id, sums);
                }
            }
        }
    }
    is_exact.then_some(odd)
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
