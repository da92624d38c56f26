//! How a merge goes through its files.
//!
//! All threads do the same. Each takes the next file, looks at its head and, if it is a run of a
//! binary, adds it to the binary's sums; the first file of a binary shows where they are. And
//! whichever thread finds nobody else at it goes through the files that were looked at, in their
//! order: it makes room in the profile for the functions of each new binary, and merges, function
//! by function, whatever is not a raw profile or cannot be a sum.
//!
//! In the end the sums are added to the profile. Sums commute, and all else happens in the order
//! of the files; so neither the number of threads nor their speed changes the result. Where a sum
//! is not the same as one file after another (a count overflows, or the profile's kind changes so
//! that later files no longer fit), the merge says so, and is done again one by one.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use bincover_profile::raw::{ValueFrame, ValueRun};
use bincover_profile::{Anchor, Cause, Entry, Merged, Merger, ProfileKind, ValueAnchor};

use super::board::{Board, First, Found, FrameId, ValueId};
use super::worker::{self, Worker};
use super::{FileMerge, ProfileInput};

/// Files in a batch. Between two batches, sums that take much memory are moved into the profile.
const BATCH: usize = 4096;

/// Runs of a binary with value sites that are in memory together, in bytes; or one, if it is larger.
const GROUP_BYTES: u64 = 8 << 20;

/// Merges the files, those of one binary as a sum; `None` if they have to be taken one by one.
pub(super) fn fast(job: &FileMerge, inputs: &[ProfileInput]) -> Option<Merged> {
    let mut merge = Merge::new(job, inputs);
    let board = Board::default();
    let workers = std::iter::repeat_with(Worker::default);
    let mut workers: Vec<Worker> = workers.take(job.thread_count(inputs.len())).collect();
    for start in (0..inputs.len()).step_by(BATCH) {
        let batch = start..inputs.len().min(start + BATCH);
        merge = share(merge, batch, &board, &mut workers);
        if board.is_given_up() {
            return None;
        }
        if board.is_full() {
            merge.settle(&board)?;
        }
    }
    merge.settle(&board)?;
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

/// Shares the files of a batch out among threads.
fn share<'a>(
    merge: Merge<'a>,
    batch: Range<usize>,
    board: &Board,
    workers: &mut [Worker],
) -> Merge<'a> {
    let inputs = merge.inputs;
    let merge = Mutex::new(merge);
    board.begin(batch);
    let work = |worker: &mut Worker| {
        loop {
            // If another thread is at it, or has panicked, that is its business.
            if let Ok(mut merge) = merge.try_lock() {
                merge.advance(board);
            }
            let Some(head) = board.next() else {
                return;
            };
            let index = head.index;
            board.put(index, worker.look(&inputs[index], head, board));
        }
    };
    std::thread::scope(|scope| {
        let Some((first, others)) = workers.split_first_mut() else {
            return;
        };
        let others: Vec<_> = others
            .iter_mut()
            .map(|worker| scope.spawn(|| work(worker)))
            .collect();
        work(first);
        for thread in others {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let mut merge = merge.into_inner().unwrap_or_else(PoisonError::into_inner);
    merge.advance(board);
    merge.catch_up();
    merge
}

struct Merge<'a> {
    inputs: &'a [ProfileInput],
    merger: Merger,
    /// The first file that is not merged.
    next: usize,
    /// Where the functions of binaries are in the profile; `None` for those whose files have to be
    /// merged one by one after all.
    anchors: HashMap<FrameId, Option<Anchor>>,
    /// The files that gave them.
    firsts: Vec<usize>,
    /// What the profiles count that were added as sums.
    kinds: Vec<ProfileKind>,
    /// Binaries with value sites.
    with_values: HashMap<ValueId, Arc<Binary>>,
    /// Runs of one of them, to be merged together.
    waiting: Vec<(ValueId, usize)>,
    waiting_bytes: u64,
    /// What they are read to.
    buffers: Vec<Vec<u8>>,
    threads: usize,
    salvages: bool,
    /// Raw profiles that end too early.
    cut: Vec<usize>,
}

/// A binary with value sites, and where its functions are in the profile.
struct Binary {
    frame: ValueFrame,
    anchor: ValueAnchor,
}

impl<'a> Merge<'a> {
    fn new(job: &FileMerge, inputs: &'a [ProfileInput]) -> Self {
        Self {
            inputs,
            merger: job.merger(),
            next: 0,
            anchors: HashMap::new(),
            firsts: Vec::new(),
            kinds: Vec::new(),
            with_values: HashMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            buffers: Vec::new(),
            threads: job.thread_count(inputs.len()),
            salvages: job.salvages,
            cut: Vec::new(),
        }
    }

    /// Goes through the files, in their order, as far as they were looked at.
    fn advance(&mut self, board: &Board) {
        while let Some(found) = board.take(self.next) {
            let is_merged = match found {
                Found::Added(id) => self.anchors.get(&id).is_some_and(Option::is_some),
                Found::First(id, first) => {
                    self.catch_up();
                    let anchor = self.anchor(id, &first, board);
                    let is_summed = anchor.is_some();
                    self.firsts.extend(is_summed.then_some(self.next));
                    self.anchors.insert(id, anchor);
                    is_summed
                }
                Found::FirstValues(id, frame) => {
                    self.catch_up();
                    let binary = self.add_first_values(self.next, *frame);
                    self.with_values.extend(binary.map(|binary| (id, binary)));
                    true
                }
                Found::Values(id, file_bytes) => {
                    let is_known = self.with_values.contains_key(&id);
                    if is_known {
                        self.wait_for_more(id, self.next, file_bytes);
                    }
                    is_known
                }
                Found::Whole => false,
            };
            if !is_merged {
                self.catch_up();
                self.add_whole(self.next);
            }
            self.next += 1;
        }
    }

    /// Merges the first file of a binary with value sites. `None` if it was of no use.
    fn add_first_values(&mut self, index: usize, frame: ValueFrame) -> Option<Arc<Binary>> {
        let failed = self.merger.ledger().failed_inputs();
        self.add_whole(index);
        let is_used = self.merger.ledger().failed_inputs() == failed;
        let anchor = self.merger.value_anchor(&frame).filter(|_| is_used)?;
        Some(Arc::new(Binary { frame, anchor }))
    }

    /// Puts a run of a binary with value sites off, until there are some to be merged together.
    fn wait_for_more(&mut self, id: ValueId, index: usize, file_bytes: u64) {
        if self.waiting.last().is_some_and(|(other, _)| *other != id) {
            self.catch_up();
        }
        self.waiting.push((id, index));
        self.waiting_bytes += file_bytes;
        if self.waiting_bytes >= GROUP_BYTES {
            self.catch_up();
        }
    }

    /// Merges the runs that were put off.
    fn catch_up(&mut self) {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let Some((id, _)) = waiting.first() else {
            return;
        };
        let Some(binary) = self.with_values.get(id).cloned() else {
            return;
        };
        let frame = &binary.frame;
        if !self.merger.still_takes(frame.kind()) {
            waiting
                .into_iter()
                .for_each(|(_, index)| self.add_whole(index));
            return;
        }
        let inputs = self.inputs;
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.resize_with(waiting.len().max(buffers.len()), Vec::new);
        let files: Vec<_> = waiting.iter().zip(&mut buffers).collect();
        let read = |(&(_, index), buffer): (&(_, usize), _)| {
            let ProfileInput { path, weight } = &inputs[index];
            let (file, file_bytes) = worker::open(path).ok()?;
            let bytes = worker::read_range(&file, 0..file_bytes, buffer).ok()?;
            frame.run_of(bytes, *weight)
        };
        let mut runs = Vec::with_capacity(waiting.len());
        let mut sources = Vec::with_capacity(waiting.len());
        let found = in_parallel(self.threads, files, read);
        for ((_, index), run) in waiting.iter().zip(found) {
            match run {
                Some(run) => {
                    runs.push(run);
                    sources.push(inputs[*index].path.display().to_string());
                }
                None => {
                    self.merge_runs(&binary, &mut runs, &mut sources);
                    self.add_whole(*index);
                }
            }
        }
        self.merge_runs(&binary, &mut runs, &mut sources);
        drop(runs);
        self.buffers = buffers;
    }

    /// Merges runs of one binary, each thread a part of its functions.
    fn merge_runs(
        &mut self,
        binary: &Binary,
        runs: &mut Vec<ValueRun<'_>>,
        sources: &mut Vec<String>,
    ) {
        let Binary { frame, anchor } = binary;
        let parts = self.merger.parts(frame, anchor, runs, self.threads);
        let problems = in_parallel(self.threads, parts, |mut part| {
            part.merge(runs);
            part.problems()
        });
        self.merger.note_runs(frame, sources, problems);
        runs.clear();
        sources.clear();
    }

    /// Makes room for the functions of a binary. `None` if its files have to be merged one by one.
    fn anchor(&mut self, id: FrameId, first: &First, board: &Board) -> Option<Anchor> {
        let frame = board.frame(id);
        let names = first.names.as_ref()?;
        let anchor = self.merger.add_frame(&frame, &first.functions, names)?;
        if !self.kinds.contains(&frame.kind()) {
            self.kinds.push(frame.kind());
        }
        Some(anchor)
    }

    /// Reads a file and merges it function by function.
    fn add_whole(&mut self, index: usize) {
        let ProfileInput { path, weight } = &self.inputs[index];
        let source = path.display().to_string();
        let left_out = self.merger.ledger().entries.len();
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

    /// Moves all sums into the profile and forgets the binaries. `None` if the order of the files
    /// would have mattered.
    fn settle(&mut self, board: &Board) -> Option<()> {
        self.with_values.clear();
        let mut is_exact = true;
        for (id, layout) in board.forget() {
            if let Some(Some(anchor)) = self.anchors.remove(&id) {
                for sums in &layout.sums {
                    is_exact &= self.merger.add_sums(&layout.frame, &anchor, sums);
                }
            }
        }
        is_exact &= self.kinds.iter().all(|kind| self.merger.still_takes(*kind));
        let overflowed = |entry: &Entry| matches!(entry.cause, Cause::CounterOverflow { .. });
        let order_matters =
            !self.kinds.is_empty() && self.merger.ledger().entries.iter().any(overflowed);
        (is_exact && !order_matters).then_some(())
    }

    fn finish(mut self) -> Merged {
        if !self.cut.is_empty() {
            // Names are needed now that were not kept.
            for index in &self.firsts {
                if let Ok(bytes) = std::fs::read(&self.inputs[*index].path) {
                    self.merger.learn_names_of(&bytes);
                }
            }
        }
        // What is said of files when they are salvaged comes last.
        for index in std::mem::take(&mut self.cut) {
            let ProfileInput { path, weight } = &self.inputs[index];
            // If it is gone by now, its entry in the ledger stands as it is.
            if let Ok(bytes) = std::fs::read(path) {
                self.merger
                    .salvage(&path.display().to_string(), &bytes, *weight);
            }
        }
        self.merger.finish()
    }
}

/// Does the same with all items, on so many threads.
fn in_parallel<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let share = items.len().div_ceil(threads).max(1);
    let mut items = items.into_iter();
    let mut next = || -> Vec<T> { items.by_ref().take(share).collect() };
    let first = next();
    std::thread::scope(|scope| {
        let others: Vec<_> = std::iter::repeat_with(next)
            .take_while(|share| !share.is_empty())
            .map(|share| scope.spawn(|| share.into_iter().map(&work).collect::<Vec<R>>()))
            .collect();
        let mut done: Vec<R> = first.into_iter().map(&work).collect();
        for thread in others {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}
