//! The order of names in the hash table's buckets (LLVM: `OnDiskChainedHashTableGenerator`).
//!
//! It depends on the history of insertions and resizes, so that history is replayed.

use crate::names::NameRef;

/// The end of a chain.
const NONE: usize = usize::MAX;

/// The buckets' contents: indices into the list of keys that was given, head to tail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    heads: Vec<usize>,
    next: Vec<usize>,
}

impl Buckets {
    /// Inserts the keys in the order given (which must be that of their names, ascending).
    pub(crate) fn build(hashes: &[NameRef]) -> Self {
        let mut table = Self {
            heads: vec![NONE; 64],
            next: vec![NONE; hashes.len()],
        };
        for key in 0..hashes.len() {
            if 4 * (key + 1) >= 3 * table.heads.len() {
                table.resize(table.heads.len() * 2, hashes);
            }
            table.push(key, hashes[key]);
        }
        let wanted = if hashes.len() <= 2 {
            1
        } else {
            (hashes.len() * 4 / 3 + 1).next_power_of_two()
        };
        if wanted != table.heads.len() {
            table.resize(wanted, hashes);
        }
        table
    }

    fn push(&mut self, key: usize, hash: NameRef) {
        // The number of buckets is a power of two, so the mask keeps what a usize holds.
        let bucket = usize::try_from(hash.0 & (self.heads.len() as u64 - 1)).unwrap_or(0);
        self.next[key] = self.heads[bucket];
        self.heads[bucket] = key;
    }

    fn resize(&mut self, size: usize, hashes: &[NameRef]) {
        let old = std::mem::replace(&mut self.heads, vec![NONE; size]);
        for head in old {
            let mut key = head;
            while key != NONE {
                let following = self.next[key];
                self.push(key, hashes[key]);
                key = following;
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// The keys of one bucket.
    pub(crate) fn bucket(&self, index: usize) -> impl Iterator<Item = usize> {
        let present = |key: usize| (key != NONE).then_some(key);
        std::iter::successors(present(self.heads[index]), move |&key| {
            present(self.next[key])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (keys, buckets) in [
            (0, 1),
            (1, 1),
            (2, 1),
            (3, 8),
            (5, 8),
            (6, 16),
            (23, 32),
            (24, 64),
            (48, 128),
        ] {
            let hashes: Vec<NameRef> = (0..keys).map(NameRef).collect();
            assert_eq!(Buckets::build(&hashes).len(), buckets, "{keys} keys");
        }
    }

    #[test]
    fn each_resize_turns_a_chain_round() {
        let same = [NameRef(5); 3];
        let table = Buckets::build(&same);
        assert_eq!(table.bucket(5).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
