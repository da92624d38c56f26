//! The same work on many items, by several threads, with results in the items' order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Blocks that a thread takes, of very many items: few enough that handing them over is no work, and many
/// enough that none waits long for the last.
const MOST_BLOCKS: usize = 128;

/// As many threads as were asked for, or as the machine runs.
pub(crate) fn thread_count(asked_for: Option<NonZeroUsize>) -> usize {
    let threads = asked_for.or_else(|| std::thread::available_parallelism().ok());
    threads.map_or(1, NonZeroUsize::get)
}

/// Calls `work` with each index below `len`, and gives the results back in order.
pub(crate) fn map<S: Default, R: Send>(
    len: usize,
    threads: usize,
    block: usize,
    work: impl Fn(&mut S, usize) -> R + Sync,
) -> Vec<R> {
    let mut results = Vec::with_capacity(len);
    let Ok(()) = for_each(len, threads, block, work, |_, result| {
        results.push(result);
        Ok::<_, std::convert::Infallible>(())
    });
    results
}

/// Calls `work` with each index below `len`, and `take` with the results, in the order of the
/// indices, on the thread that called, while the others work on. A thread works on `block` items
/// at a time, or more if there are very many, and has a `state` of its own, so that memory can be kept from one item to the next.
///
/// # Errors
/// The first that `take` gives; nothing is taken after it.
pub(crate) fn for_each<S: Default, R: Send, E>(
    len: usize,
    threads: usize,
    block: usize,
    work: impl Fn(&mut S, usize) -> R + Sync,
    mut take: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    // Less than two blocks for each is not worth a thread, and very many are handed over for nothing.
    let threads = threads.min(len.div_ceil(2 * block));
    let block = block.max(len / (MOST_BLOCKS * threads.max(1)));
    if threads <= 1 {
        let mut state = S::default();
        return (0..len).try_for_each(|index| take(index, work(&mut state, index)));
    }
    let next = AtomicUsize::new(0);
    // The next block, as its first index and what came of it.
    let next_block = |state: &mut S| -> Option<(usize, Vec<R>)> {
        let start = next.fetch_add(block, Ordering::Relaxed);
        let items = start..len.min(start.saturating_add(block));
        (start < len).then(|| (start, items.map(|index| work(state, index)).collect()))
    };
    let next_block = &next_block;
    std::thread::scope(|scope| {
        // Others wait when they are too far ahead of what is taken, which would be in memory.
        let (sender, receiver) = mpsc::sync_channel(4 * threads);
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || {
                    let mut state = S::default();
                    while let Some(done) = next_block(&mut state) {
                        if sender.send(done).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let mut state = S::default();
        let mut done: BTreeMap<usize, Vec<R>> = BTreeMap::new();
        let mut taken = 0;
        while taken < len {
            done.extend(receiver.try_iter());
            if let Some(results) = done.remove(&taken) {
                let count = results.len();
                for (index, result) in (taken..).zip(results) {
                    // The receiver is dropped, so the others end as well.
                    take(index, result)?;
                }
                taken += count;
            } else if let Some((start, results)) = next_block(&mut state) {
                done.insert(start, results);
            } else if let Ok((start, results)) = receiver.recv() {
                done.insert(start, results);
            } else {
                // Only a thread that panicked leaves its block undone.
                break;
            }
        }
        drop(receiver);
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::{for_each, map};

    #[test]
    fn results_are_in_order_for_any_number_of_threads() {
        for len in [0, 1, 31, 32, 33, 1000] {
            let expected: Vec<usize> = (0..len).map(|index| index * 3).collect();
            for threads in 0..6 {
                let results = map(len, threads, 7, |_: &mut (), index| index * 3);
                assert_eq!(results, expected, "{len} items, {threads} threads");
            }
        }
    }

    #[test]
    fn nothing_is_taken_after_an_error() {
        for threads in 1..6 {
            let mut taken = Vec::new();
            let work = |_: &mut (), index: usize| index;
            let ended = for_each(1000, threads, 7, work, |index, result| {
                assert_eq!(index, result);
                taken.push(result);
                if index == 300 { Err("enough") } else { Ok(()) }
            });
            assert_eq!(ended, Err("enough"));
            assert!(taken.iter().copied().eq(0..=300), "{threads} threads");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let work = |_: &mut (), index: usize| assert_ne!(index, 500, "this one");
        let ended = std::panic::catch_unwind(|| map(1000, 3, 7, work));
        assert!(ended.is_err());
    }
}
