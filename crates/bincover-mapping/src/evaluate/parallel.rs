//! The same work on many items, by several threads, with results in the items' order.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// As many threads as were asked for, or as the machine runs.
pub(super) fn thread_count(asked_for: Option<NonZeroUsize>) -> usize {
    let threads = asked_for.or_else(|| std::thread::available_parallelism().ok());
    threads.map_or(1, NonZeroUsize::get)
}

/// Calls `work` with each index below `len`. A thread takes `block` of them at a time, and has a `state` of its own, so that memory
/// can be kept from one item to the next.
pub(super) fn map<S: Default, R: Send>(
    len: usize,
    threads: usize,
    block: usize,
    work: impl Fn(&mut S, usize) -> R + Sync,
) -> Vec<R> {
    // Less than two blocks for each is not worth a thread.
    let threads = threads.min(len.div_ceil(2 * block));
    if threads <= 1 {
        let mut state = S::default();
        return (0..len).map(|index| work(&mut state, index)).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = S::default();
        let mut blocks: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let start = next.fetch_add(block, Ordering::Relaxed);
            if start >= len {
                return blocks;
            }
            let items = start..len.min(start + block);
            blocks.push((start, items.map(|index| work(&mut state, index)).collect()));
        }
    };
    let mut blocks: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut blocks = run();
        for other in others {
            match other.join() {
                Ok(more) => blocks.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        blocks
    });
    blocks.sort_unstable_by_key(|(start, _)| *start);
    let mut results = Vec::with_capacity(len);
    for (_, block) in blocks {
        results.extend(block);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::map;

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
}
