//! Value profiles: which callees, sizes or vtables a site saw, and how often.
//!
//! LLVM: `InstrProfValueSiteRecord`, `InstrProfRecord::mergeValueProfData`. The rules are section
//! 5.4 of the format notes; ties are broken as libstdc++'s `std::sort` breaks them, because that
//! decides bytes of the output.

use crate::limits::MAX_VALUES_PER_SITE;

/// How many kinds of values there are (LLVM: `IPVK_Last + 1`).
pub const VALUE_KINDS: usize = 3;

/// One value seen at a site (LLVM: `InstrProfValueData`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueCount {
    /// Kind 0: the callee's [`NameRef`](crate::NameRef); 1: a size; 2: the vtable's name hash.
    pub value: u64,
    /// How often.
    pub count: u64,
}

/// The sites of one kind, in order, their values in one array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    /// For each site, where its values end.
    ends: Vec<usize>,
    values: Vec<ValueCount>,
    order: Order,
}

/// In which order each site has its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// As they were given or ranked.
    #[default]
    Given,
    /// Ascending and each once, no more of them than are kept: while a merge goes on. LLVM ranks
    /// the values after each merge and sorts them before the next; to rank them once in the end
    /// is the same as long as none is dropped and none is there twice.
    ByValue,
}

/// The value sites of one function by kind: 0 indirect call targets (LLVM:
/// `IPVK_IndirectCallTarget`), 1 sizes of memory operations (`IPVK_MemOPSize`), 2 vtables
/// (`IPVK_VTableTarget`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values([Sites; VALUE_KINDS]);

impl Sites {
    /// How many sites there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There is no site.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The values of each site.
    pub fn iter(&self) -> impl Iterator<Item = &[ValueCount]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let site = &self.values[start..end];
            start = end;
            site
        })
    }

    /// Appends a site.
    pub(crate) fn push(&mut self, site: impl IntoIterator<Item = ValueCount>) {
        self.values.extend(site);
        self.ends.push(self.values.len());
    }

    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.values.clear();
        self.order = Order::Given;
    }

    /// Sorts each site by count, descending and stable, and keeps the first 255.
    fn rank(&mut self) {
        let mut kept = 0;
        let mut start = 0;
        for end in &mut self.ends {
            self.values[start..*end].sort_by_key(|value| std::cmp::Reverse(value.count));
            let len = (*end - start).min(MAX_VALUES_PER_SITE);
            self.values.copy_within(start..start + len, kept);
            start = *end;
            kept += len;
            *end = kept;
        }
        self.values.truncate(kept);
        self.order = Order::Given;
    }

    /// Multiplies every count; true if one saturated.
    fn scale(&mut self, weight: u64) -> bool {
        let mut overflowed = false;
        for value in &mut self.values {
            let (count, over) = scaled(value.count, weight);
            value.count = count;
            overflowed |= over;
        }
        overflowed
    }

    /// Merges site by site; the caller has checked that there are as many. True if a count
    /// saturated.
    fn merge(&mut self, incoming: &Self, weight: u64, scratch: &mut Scratch) -> bool {
        let Scratch {
            left,
            right,
            probes,
            out,
        } = scratch;
        let mut overflowed = false;
        let mut known = 0;
        if self.order == Order::ByValue {
            known = self.add_known(incoming, weight, probes, &mut overflowed);
            if known == self.len() {
                return overflowed;
            }
        }
        // Sites before `known` are as they should be.
        let kept = known.checked_sub(1).map_or(0, |last| self.ends[last]);
        out.clear();
        out.ends.extend_from_slice(&self.ends[..known]);
        out.values.extend_from_slice(&self.values[..kept]);
        let mut is_by_value = true;
        for (old, new) in self.iter().zip(incoming.iter()).skip(known) {
            let start = out.values.len();
            let old = match self.order {
                Order::ByValue => old,
                Order::Given => sorted_by_value(old, left),
            };
            overflowed |= out.push_merged(old, sorted_by_value(new, right), weight);
            let merged = &out.values[start..];
            is_by_value &= merged.len() <= MAX_VALUES_PER_SITE && is_ascending(merged);
        }
        match is_by_value {
            true => out.order = Order::ByValue,
            false => out.rank(),
        }
        self.ends.clone_from(&out.ends);
        self.values.clone_from(&out.values);
        self.order = out.order;
        overflowed
    }

    /// Adds to the counts that are there, up to the first site that has a new value. Returns how
    /// many sites it has done.
    fn add_known(
        &mut self,
        incoming: &Self,
        weight: u64,
        probes: &mut Vec<(usize, u64)>,
        overflowed: &mut bool,
    ) -> usize {
        // The values merged of a large program are larger than caches. Looked at all together, they
        // come together; else each would be waited for.
        probes.clear();
        let (mut start, mut new_start) = (0, 0);
        for (&end, &new_end) in self.ends.iter().zip(&incoming.ends) {
            let old = &self.values[start..end];
            probes.extend(incoming.values[new_start..new_end].iter().map(|value| {
                let guess = guess(old.len(), value.value);
                (guess, old.get(guess).map_or(0, |place| place.value))
            }));
            (start, new_start) = (end, new_end);
        }
        let (mut start, mut new_start) = (0, 0);
        for (index, (&end, &new_end)) in self.ends.iter().zip(&incoming.ends).enumerate() {
            let old = &mut self.values[start..end];
            let new = &incoming.values[new_start..new_end];
            let probes = &mut probes[new_start..new_end];
            if !find_all(old, new, probes) {
                return index;
            }
            for (value, (place, _)) in new.iter().zip(probes) {
                // Each was found.
                let slot = &mut old[*place];
                let (product, over) = scaled(value.count, weight);
                let (sum, over_sum) = product.overflowing_add(slot.count);
                slot.count = if over_sum { u64::MAX } else { sum };
                *overflowed |= over || over_sum;
            }
            (start, new_start) = (end, new_end);
        }
        self.len()
    }

    /// Two sorted sites as one. A value that only the new one has keeps its count unweighted: so
    /// LLVM does it.
    fn push_merged(&mut self, old: &[ValueCount], new: &[ValueCount], weight: u64) -> bool {
        let mut overflowed = false;
        let mut next = 0;
        for value in new {
            while next < old.len() && old[next].value < value.value {
                self.values.push(old[next]);
                next += 1;
            }
            let mut value = *value;
            if next < old.len() && old[next].value == value.value {
                let (product, over) = scaled(value.count, weight);
                let (sum, over_sum) = product.overflowing_add(old[next].count);
                value.count = if over_sum { u64::MAX } else { sum };
                overflowed |= over || over_sum;
                next += 1;
            }
            self.values.push(value);
        }
        self.values.extend_from_slice(&old[next..]);
        self.ends.push(self.values.len());
        overflowed
    }
}

/// What merging needs beside what is merged, kept so that it is allocated once.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    left: Vec<ValueCount>,
    right: Vec<ValueCount>,
    /// For each incoming value a guess of its place, and the value there.
    probes: Vec<(usize, u64)>,
    out: Sites,
}

/// Where a value may be among so many sorted ones: most are hashes, so that a value says about
/// where it lies.
fn guess(len: usize, value: u64) -> usize {
    let place = (u128::from(value) * len as u128) >> 64;
    // Less than the length.
    usize::try_from(place).unwrap_or(0)
}

/// Finds the place of each of `new`, which is in no order, among `old`, which is sorted and has no
/// more values than are kept at a site. False if one is not there, or is there twice. `probes` are
/// the guesses and what was there, and then the places.
fn find_all(old: &[ValueCount], new: &[ValueCount], probes: &mut [(usize, u64)]) -> bool {
    if new.len() > old.len() {
        return false;
    }
    let mut seen = [0u64; MAX_VALUES_PER_SITE.div_ceil(64)];
    new.iter().zip(probes).all(|(value, (place, found))| {
        let value = value.value;
        while *found > value && *place > 0 {
            *place -= 1;
            *found = old[*place].value;
        }
        while *found < value && *place + 1 < old.len() {
            *place += 1;
            *found = old[*place].value;
        }
        let bit = 1 << (*place % 64);
        let word = &mut seen[*place / 64];
        let is_first = *word & bit == 0;
        *word |= bit;
        *found == value && is_first
    })
}

fn is_ascending(values: &[ValueCount]) -> bool {
    values.is_sorted_by(|one, next| one.value < next.value)
}

fn sorted_by_value<'s>(site: &'s [ValueCount], room: &'s mut Vec<ValueCount>) -> &'s [ValueCount] {
    if is_ascending(site) {
        return site;
    }
    room.clear();
    room.extend_from_slice(site);
    sort_like_libstdcxx(room, |value| value.value);
    room
}

fn scaled(count: u64, weight: u64) -> (u64, bool) {
    match count.checked_mul(weight) {
        Some(count) => (count, false),
        None => (u64::MAX, true),
    }
}

/// What merging value sites met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueOutcome {
    pub(crate) site_count_mismatch: bool,
    pub(crate) overflowed: bool,
}

impl Values {
    /// The sites of a kind (0, 1 or 2).
    ///
    /// # Panics
    /// If there is no such kind.
    #[must_use]
    pub fn kind(&self, kind: usize) -> &Sites {
        &self.0[kind]
    }

    pub(crate) fn kind_mut(&mut self, kind: usize) -> &mut Sites {
        &mut self.0[kind]
    }

    /// No kind has a site.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Sites::is_empty)
    }

    pub(crate) fn clear(&mut self) {
        for sites in &mut self.0 {
            sites.clear();
        }
    }

    /// As a first record stores it: weighted, ranked.
    pub(crate) fn first(&self, weight: u64) -> (Option<Box<Self>>, ValueOutcome) {
        if self.is_empty() {
            return (None, ValueOutcome::default());
        }
        let mut stored = Box::new(self.clone());
        let mut outcome = ValueOutcome::default();
        for sites in &mut stored.0 {
            if weight > 1 {
                outcome.overflowed |= sites.scale(weight);
            }
            sites.rank();
        }
        (Some(stored), outcome)
    }

    /// Ranks what merges have left in another order.
    pub(crate) fn settle(&mut self) {
        for sites in &mut self.0 {
            if sites.order == Order::ByValue {
                sites.rank();
            }
        }
    }

    /// Merges `incoming` into what is stored, which has to be [settled](Self::settle) in the end.
    pub(crate) fn merge_into(
        stored: &mut Option<Box<Self>>,
        incoming: &Self,
        weight: u64,
        scratch: &mut Scratch,
    ) -> ValueOutcome {
        let mut outcome = ValueOutcome::default();
        let Some(stored) = stored else {
            outcome.site_count_mismatch = !incoming.is_empty();
            return outcome;
        };
        for (old, new) in stored.0.iter_mut().zip(&incoming.0) {
            if old.len() == new.len() {
                outcome.overflowed |= old.merge(new, weight, scratch);
            } else {
                outcome.site_count_mismatch = true;
            }
        }
        outcome
    }
}

/// Sorts as libstdc++'s `std::sort` does with `<` on the key: not stable, and which of two equal
/// elements comes first is visible in LLVM's output.
pub(crate) fn sort_like_libstdcxx<T: Copy, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K + Copy) {
    const THRESHOLD: usize = 16;
    let len = items.len();
    if len < 2 {
        return;
    }
    intro_sort(items, 0, len, 2 * len.ilog2(), key);
    if len > THRESHOLD {
        guarded_insertion(items, 0, THRESHOLD, key);
        for position in THRESHOLD..len {
            unguarded_insert(items, position, key);
        }
    } else {
        guarded_insertion(items, 0, len, key);
    }
}

fn intro_sort<T: Copy, K: Ord>(
    items: &mut [T],
    low: usize,
    mut high: usize,
    mut depth: u32,
    key: impl Fn(&T) -> K + Copy,
) {
    while high - low > 16 {
        if depth == 0 {
            heap_sort(&mut items[low..high], key);
            return;
        }
        depth -= 1;
        let pivot = median_of_three(items, low + 1, low + (high - low) / 2, high - 1, key);
        items.swap(low, pivot);
        let cut = partition(items, low, high, key);
        intro_sort(items, cut, high, depth, key);
        high = cut;
    }
}

fn median_of_three<T, K: Ord>(
    items: &[T],
    a: usize,
    b: usize,
    c: usize,
    key: impl Fn(&T) -> K,
) -> usize {
    let less = |x: usize, y: usize| key(&items[x]) < key(&items[y]);
    if less(a, b) {
        if less(b, c) {
            b
        } else if less(a, c) {
            c
        } else {
            a
        }
    } else if less(a, c) {
        a
    } else if less(b, c) {
        c
    } else {
        b
    }
}

/// The pivot lies at `low`; the median of three guards both inner loops.
fn partition<T, K: Ord>(items: &mut [T], low: usize, high: usize, key: impl Fn(&T) -> K) -> usize {
    let (mut left, mut right) = (low + 1, high);
    loop {
        while key(&items[left]) < key(&items[low]) {
            left += 1;
        }
        right -= 1;
        while key(&items[low]) < key(&items[right]) {
            right -= 1;
        }
        if left >= right {
            return left;
        }
        items.swap(left, right);
        left += 1;
    }
}

fn guarded_insertion<T: Copy, K: Ord>(
    items: &mut [T],
    low: usize,
    high: usize,
    key: impl Fn(&T) -> K + Copy,
) {
    for position in low + 1..high {
        if key(&items[position]) < key(&items[low]) {
            items[low..=position].rotate_right(1);
        } else {
            unguarded_insert(items, position, key);
        }
    }
}

fn unguarded_insert<T: Copy, K: Ord>(items: &mut [T], position: usize, key: impl Fn(&T) -> K) {
    let mut hole = position;
    while hole > 0 && key(&items[position]) < key(&items[hole - 1]) {
        hole -= 1;
    }
    items[hole..=position].rotate_right(1);
}

fn heap_sort<T: Copy, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K + Copy) {
    for parent in (0..=(items.len() - 2) / 2).rev() {
        let value = items[parent];
        adjust_heap(items, parent, value, key);
    }
    for last in (1..items.len()).rev() {
        let value = items[last];
        items[last] = items[0];
        adjust_heap(&mut items[..last], 0, value, key);
    }
}

/// Moves the hole down to a leaf, always to the larger child, then pushes `value` up.
fn adjust_heap<T: Copy, K: Ord>(items: &mut [T], top: usize, value: T, key: impl Fn(&T) -> K) {
    let len = items.len();
    let mut hole = top;
    let mut child = hole;
    while len > 0 && child < (len - 1) / 2 {
        child = 2 * (child + 1);
        if key(&items[child]) < key(&items[child - 1]) {
            child -= 1;
        }
        items[hole] = items[child];
        hole = child;
    }
    if len.is_multiple_of(2) && len >= 2 && child == (len - 2) / 2 {
        child = 2 * (child + 1);
        items[hole] = items[child - 1];
        hole = child - 1;
    }
    while hole > top && key(&items[(hole - 1) / 2]) < key(&value) {
        items[hole] = items[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    if let Some(slot) = items.get_mut(hole) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(values: &[(u64, u64)]) -> Values {
        let mut all = Values::default();
        all.kind_mut(0).push(
            values
                .iter()
                .map(|&(value, count)| ValueCount { value, count }),
        );
        all
    }

    fn listed(values: &Values) -> Vec<(u64, u64)> {
        values
            .kind(0)
            .iter()
            .flatten()
            .map(|v| (v.value, v.count))
            .collect()
    }

    #[test]
    fn weight_applies_to_shared_values_only() {
        let (mut stored, _) = site(&[(7, 1), (9, 5)]).first(1);
        let incoming = site(&[(9, 2), (8, 3)]);
        let outcome = Values::merge_into(&mut stored, &incoming, 10, &mut Scratch::default());
        assert_eq!(outcome, ValueOutcome::default());
        let mut stored = stored.unwrap();
        stored.settle();
        assert_eq!(listed(&stored), [(9, 25), (8, 3), (7, 1)]);
    }

    #[test]
    fn a_first_insertion_keeps_the_order_of_ties_and_255_values() {
        let many: Vec<(u64, u64)> = (0..300).map(|i| (1000 - i, 4)).collect();
        let (stored, _) = site(&many).first(1);
        let stored = listed(&stored.unwrap());
        assert_eq!(stored.len(), 255);
        assert_eq!(stored[0], (1000, 4));
    }

    #[test]
    fn another_number_of_sites_changes_nothing() {
        let (mut stored, _) = site(&[(7, 1)]).first(1);
        let mut two = site(&[(7, 1)]);
        two.kind_mut(0).push([]);
        let outcome = Values::merge_into(&mut stored, &two, 1, &mut Scratch::default());
        assert!(outcome.site_count_mismatch);
        assert_eq!(listed(&stored.unwrap()), [(7, 1)]);
    }

    /// LLVM ranks after each merge; ranking once gives the same, whatever is merged.
    #[test]
    fn ranking_once_is_enough() {
        let mut seed = 7u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for round in 0..300 {
            // Few values, so that some are there twice, or so many that some are dropped.
            let (bound, most) = [(5, 4), (40, 30), (900, 200), (100_000, 250)][round % 4];
            let spread = [1, 0x9e37_79b9_7f4a_7c15][round / 4 % 2];
            let mut once = None;
            let mut each_time = None;
            let mut scratch = Scratch::default();
            for _ in 0..6 {
                let mut incoming = Values::default();
                for _ in 0..3 {
                    let values: Vec<ValueCount> = (0..below(most))
                        .map(|_| ValueCount {
                            // As small as sizes, or spread like hashes.
                            value: below(bound).wrapping_mul(spread),
                            count: below(4),
                        })
                        .collect();
                    incoming.kind_mut(0).push(values);
                }
                for (stored, settles) in [(&mut once, false), (&mut each_time, true)] {
                    if stored.is_none() {
                        *stored = incoming.first(1).0;
                        continue;
                    }
                    Values::merge_into(stored, &incoming, 3, &mut scratch);
                    if settles {
                        stored.as_mut().unwrap().settle();
                    }
                }
            }
            let mut once = once.unwrap();
            once.settle();
            assert_eq!(once, each_time.unwrap(), "round {round}");
        }
    }

    #[test]
    fn the_sort_sorts() {
        let mut seed = 1u64;
        for len in [0usize, 1, 2, 15, 16, 17, 100, 1000] {
            for modulus in [2, 7, 1_000_000] {
                let mut items: Vec<u64> = (0..len)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (seed >> 33) % modulus
                    })
                    .collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                sort_like_libstdcxx(&mut items, |item| *item);
                assert_eq!(items, expected);
            }
        }
        let mut items: Vec<u64> = (0..200).rev().collect();
        heap_sort(&mut items, |item| *item);
        assert!(items.is_sorted());
    }
}
