//! The order of several records under one name: that of a hash map of LLVM's.

use crate::profile::FunctionHash;

/// In which order LLVM 22's `SmallDenseMap<uint64_t, InstrProfRecord, 4>` iterates over keys that
/// were inserted in the order given: indices into `hashes`.
pub(crate) fn slot_order(hashes: &[FunctionHash]) -> Vec<usize> {
    let mut slots: Vec<Option<usize>> = vec![None; 4];
    for key in 0..hashes.len() {
        if 4 * (key + 1) >= 3 * slots.len() {
            let size = (2 * slots.len()).max(64);
            let old = std::mem::replace(&mut slots, vec![None; size]);
            for key in old.into_iter().flatten() {
                place(&mut slots, key, hashes[key]);
            }
        }
        place(&mut slots, key, hashes[key]);
    }
    slots.into_iter().flatten().collect()
}

fn place(slots: &mut [Option<usize>], key: usize, hash: FunctionHash) {
    let mixed = hash.0.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 31) & 0xffff_ffff;
    let mask = slots.len() - 1;
    // The mask keeps fewer bits than a usize has.
    let mut slot = usize::try_from(mixed & mask as u64).unwrap_or(0);
    let mut step = 1;
    while slots[slot].is_some() {
        slot = (slot + step) & mask;
        step += 1;
    }
    slots[slot] = Some(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_appears_once() {
        for len in [0usize, 1, 2, 3, 47, 48, 95, 96, 500] {
            let hashes: Vec<_> = (0..len as u64).map(|key| FunctionHash(key << 32)).collect();
            let mut order = slot_order(&hashes);
            order.sort_unstable();
            assert_eq!(order, (0..len).collect::<Vec<_>>());
        }
    }
}
