//! The order in which LLVM's `StringMap` holds strings: it decides the order of vtable names in a
//! merged profile (LLVM: `StringMap.cpp`, `xxh3_64bits`).

use xxhash_rust::xxh3::xxh3_64;

/// A set of strings that iterates like LLVM's.
#[derive(Clone, Debug, Default)]
pub(crate) struct StringMap {
    slots: Vec<Option<Box<[u8]>>>,
    len: usize,
}

const FIRST_SLOTS: usize = 16;

impl StringMap {
    pub(crate) fn insert(&mut self, text: &[u8]) {
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, None);
        }
        let slot = self.slot_of(text);
        if self.slots[slot].is_some() {
            return;
        }
        self.slots[slot] = Some(text.into());
        self.len += 1;
        if 4 * self.len > 3 * self.slots.len() {
            self.grow();
        }
    }

    /// The strings, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().flatten().map(AsRef::as_ref)
    }

    /// Where a string is, or would be put.
    fn slot_of(&self, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        // LLVM keeps the low 32 bits of the hash; the mask keeps fewer.
        let mut slot = usize::try_from(xxh3_64(text) & 0xffff_ffff & mask as u64).unwrap_or(0);
        let mut step = 1;
        while self.slots[slot]
            .as_deref()
            .is_some_and(|known| known != text)
        {
            slot = (slot + step) & mask;
            step += 1;
        }
        slot
    }

    fn grow(&mut self) {
        let twice = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![None; twice]);
        for text in old.into_iter().flatten() {
            let slot = self.slot_of(&text);
            self.slots[slot] = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_is_held_once() {
        let mut map = StringMap::default();
        for number in 0..1000u32 {
            map.insert(format!("name{}", number % 500).as_bytes());
        }
        let mut held: Vec<_> = map.iter().map(<[u8]>::to_vec).collect();
        held.sort();
        held.dedup();
        assert_eq!(held.len(), 500);
        assert_eq!(map.iter().count(), 500);
    }
}
