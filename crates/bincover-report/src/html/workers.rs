//! The same work for many items, by several threads.

use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls `work` with each item, in no particular order, on as many threads as were asked for or as
/// the machine runs. Each thread has a `state` of its own.
///
/// # Errors
/// One that `work` gave; what was not begun then is left.
pub(super) fn for_each<T: Sync, S>(
    items: &[T],
    threads: Option<NonZeroUsize>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let threads = threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get).min(items.len());
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = state();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Nobody finds an item beyond the last.
            let done = work(&mut state, item);
            done.inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let first = run();
        others.into_iter().fold(first, |result, other| {
            result.and(other.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_item_comes_once_on_any_number_of_threads() {
        for count in [0, 1, 2, 100] {
            let items: Vec<usize> = (0..count).collect();
            for threads in 1..6 {
                let seen = Mutex::new(Vec::new());
                let threads = NonZeroUsize::new(threads);
                for_each(
                    &items,
                    threads,
                    || (),
                    |(), item| {
                        seen.lock().unwrap().push(*item);
                        Ok(())
                    },
                )
                .unwrap();
                let mut seen = seen.into_inner().unwrap();
                seen.sort_unstable();
                assert_eq!(seen, items);
            }
        }
    }

    #[test]
    fn an_error_ends_it() {
        let items: Vec<usize> = (0..10_000).collect();
        for threads in 1..4 {
            let seen = AtomicUsize::new(0);
            let threads = NonZeroUsize::new(threads);
            let ended = for_each(
                &items,
                threads,
                || (),
                |(), item| {
                    seen.fetch_add(1, Ordering::Relaxed);
                    match item {
                        5 => Err(io::Error::other("no more")),
                        _ => Ok(()),
                    }
                },
            );
            assert_eq!(ended.unwrap_err().to_string(), "no more");
            assert!(seen.into_inner() < items.len());
        }
    }
}
