//! An order for the functions of a program in which it starts with few page faults, from temporal
//! traces: what `llvm-profdata order` prints, to the byte.
//!
//! Algorithm: LLVM `TemporalProfTraceTy::createBPFunctionNodes` in `llvm/lib/ProfileData/InstrProf.cpp`
//! and `llvm/lib/Support/BalancedPartitioning.cpp` at `llvmorg-22.1.8`; described in "Optimizing
//! Function Layout for Mobile Applications", <https://arxiv.org/abs/2211.09285>.
//!
//! A trace is cut where its length doubles: after 1, 2, 4, 8 functions and so on. Each piece is a
//! *moment*; a function belongs to the moment of its trace that it first ran in and to all later
//! ones of the trace. Functions that share moments want to be neighbours. The functions, in order
//! of their earliest place in any trace, are split in two halves, functions change sides in pairs as
//! long as that brings those of a moment together, and each half is split likewise.
//!
//! The result does not depend on threads, maps or unstable sorts: LLVM starts a generator of random
//! numbers with a seed of its own for each split, orders the functions completely before it, and
//! sorts gains stably. It does depend on single-precision sums, here added in LLVM's order, and on
//! `log2` of small integers rounded to single precision. A trace's weight does not count.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use crate::kind::ProfileKind;
use crate::names::{HashedMap, NameRef};
use crate::random::MersenneTwister;
use crate::read::{FileRecord, Visitor};
use crate::traces::Trace;

/// How to order functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderOptions {
    /// So many traces, the last ones, do not make the order but measure it
    /// (LLVM: `--num-test-traces`).
    pub test_traces: usize,
}

/// Functions in the order in which to lay them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Each function of a trace once.
    pub functions: Vec<NameRef>,
    /// With test traces, how many pages they had touched, summed up over each of their functions;
    /// a page is 32 functions (LLVM: "area under the page fault curve").
    pub page_fault_area: Option<u32>,
}

/// More test traces were asked for than can be spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "number of test traces: expected fewer than the {traces} of the profile, found {test_traces}"
)]
pub struct TooManyTestTraces {
    /// How many traces there are.
    pub traces: usize,
    /// How many were asked for.
    pub test_traces: usize,
}

/// Orders the functions of `traces`.
///
/// The traces of a merged [`Profile`](crate::Profile) are a sample; those of a file come whole from
/// [`OrderInput`].
///
/// # Errors
/// If there are test traces, and no others.
pub fn order(traces: &[Trace], options: &OrderOptions) -> Result<Order, TooManyTestTraces> {
    let test_traces = options.test_traces;
    if test_traces > 0 && test_traces >= traces.len() {
        return Err(TooManyTestTraces {
            traces: traces.len(),
            test_traces,
        });
    }
    let (training, test) = traces.split_at(traces.len() - test_traces);
    let (mut nodes, moments) = nodes(training);
    let logarithms = Logarithms::up_to(nodes.len() + 1);
    bisect(&mut nodes, moments, &logarithms, 0, 1);
    let functions: Vec<NameRef> = nodes.into_iter().map(|node| node.function).collect();
    let page_fault_area = (!test.is_empty()).then(|| page_fault_area(&functions, test));
    Ok(Order {
        functions,
        page_fault_area,
    })
}

/// Writes an order as `llvm-profdata order` does, ready for a linker's `-order_file`. A local
/// function's file comes before it, as a comment. A function that has no name is an empty line.
#[must_use]
pub fn write<'n>(order: &Order, name_of: impl Fn(NameRef) -> Option<&'n [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    write_all(&mut out, order, name_of).expect("writing to memory does not fail");
    out
}

fn write_all<'n>(
    out: &mut Vec<u8>,
    order: &Order,
    name_of: impl Fn(NameRef) -> Option<&'n [u8]>,
) -> std::io::Result<()> {
    writeln!(out, "# Ordered {} functions", order.functions.len())?;
    if let Some(area) = order.page_fault_area {
        let area = exponential(area);
        writeln!(out, "# Total area under the page fault curve: {area}")?;
    }
    writeln!(
        out,
        "# Warning: Mach-O may prefix symbols with \"_\" depending on the linkage and this output \
         does not take that into account. Some post-processing may be required before passing to \
         the linker via -order_file."
    )?;
    for &function in &order.functions {
        let name = name_of(function).unwrap_or_default();
        let (file, name) = split_name(name);
        if !file.is_empty() {
            out.extend_from_slice(b"# ");
            out.extend_from_slice(file);
            out.push(b'\n');
        }
        out.extend_from_slice(name);
        out.push(b'\n');
    }
    Ok(())
}

/// File and function of a local function's name in an IR profile (LLVM: `getParsedIRPGOName`).
fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().position(|&byte| byte == b';') {
        Some(at) if at + 1 < name.len() => (&name[..at], &name[at + 1..]),
        _ => (&[], name),
    }
}

/// C's `%e` of the area in single precision.
fn exponential(area: u32) -> String {
    let text = format!("{:.6e}", f64::from(area as f32));
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{digits}e+{exponent:0>2}"),
        None => text,
    }
}

/// Collects what an order needs of a file: all its traces, and the names.
#[derive(Clone, Debug, Default)]
pub struct OrderInput {
    traces: Vec<Trace>,
    names: HashedMap<NameRef, Box<[u8]>>,
}

impl OrderInput {
    /// The traces.
    #[must_use]
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// The name of a function that has a record.
    #[must_use]
    pub fn name(&self, function: NameRef) -> Option<&[u8]> {
        self.names.get(&function).map(AsRef::as_ref)
    }
}

impl Visitor for OrderInput {
    fn file(&mut self, _: ProfileKind, _: u64) -> bool {
        true
    }

    fn record(&mut self, record: &FileRecord<'_>) -> bool {
        self.names
            .insert(record.name_ref, record.name.into())
            .is_some()
    }

    fn traces(&mut self, mut traces: Vec<Trace>, _: u64, _: bool) {
        self.traces.append(&mut traces);
    }

    fn binary_id(&mut self, _: &[u8]) {}
}

/// A function and the moments that it belongs to (LLVM: `BPFunctionNode`, utility nodes).
struct Node {
    function: NameRef,
    /// In ascending order at first; later, numbers of the moments that the split knows.
    moments: Vec<u32>,
    side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Left,
    Right,
}

/// The functions in order of their earliest place in a trace, and a bound of their moments.
fn nodes(traces: &[Trace]) -> (Vec<Node>, usize) {
    struct Found {
        earliest: usize,
        moments: Vec<u32>,
    }
    let mut found: HashedMap<NameRef, Found> = HashedMap::default();
    let mut first_moments: HashedMap<NameRef, u32> = HashedMap::default();
    let mut moment = 0;
    for trace in traces {
        let mut next_cut = 1;
        for (place, &function) in trace.functions.iter().enumerate() {
            if place >= next_cut {
                moment += 1;
                next_cut = 2 * place;
            }
            first_moments.entry(function).or_insert(moment);
            let found = found.entry(function).or_insert(Found {
                earliest: place,
                moments: Vec::new(),
            });
            found.earliest = found.earliest.min(place);
        }
        for (function, first) in first_moments.drain() {
            if let Some(found) = found.get_mut(&function) {
                found.moments.extend(first..=moment);
            }
        }
        moment += 1;
    }

    // Moments of one function, or of more than half of them, tell nothing.
    let mut members = vec![0usize; moment as usize];
    for &moment in found.values().flat_map(|found| &found.moments) {
        members[moment as usize] += 1;
    }
    let most = found.len() / 2;
    for found in found.values_mut() {
        found
            .moments
            .retain(|&moment| (2..=most).contains(&members[moment as usize]));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable_by_key(|(function, found)| (found.earliest, *function));
    let nodes = found.into_iter().map(|(function, found)| Node {
        function,
        moments: found.moments,
        side: Side::Left,
    });
    (nodes.collect(), members.len())
}

/// How often a set of functions is split (LLVM: `SplitDepth`).
const DEPTH: u32 = 18;

/// How often functions are exchanged for one split (LLVM: `IterationsPerSplit`).
const ROUNDS: u32 = 40;

/// How likely a function stays where it is, although to move it would help
/// (LLVM: `SkipProbability`).
const STAY: f32 = 0.1;

/// Orders `nodes`, whose moments are less than `moments`. `bucket` numbers the nodes of the tree
/// of splits: 1 is the root, 2n and 2n+1 are below n.
fn bisect(nodes: &mut [Node], moments: usize, logarithms: &Logarithms, depth: u32, bucket: u32) {
    if nodes.len() <= 1 || depth >= DEPTH {
        return;
    }
    let half = nodes.len().div_ceil(2);
    for (index, node) in nodes.iter_mut().enumerate() {
        node.side = if index < half {
            Side::Left
        } else {
            Side::Right
        };
    }
    let mut signatures = signatures(nodes, moments);
    let mut random = MersenneTwister::new(bucket);
    for _ in 0..ROUNDS {
        if exchange(nodes, &mut signatures, logarithms, &mut random) == 0 {
            break;
        }
    }
    // Within a side, the functions keep the order that they came in.
    nodes.sort_by_key(|node| node.side);
    let left = nodes.partition_point(|node| node.side == Side::Left);
    let (left, right) = nodes.split_at_mut(left);
    bisect(left, signatures.len(), logarithms, depth + 1, 2 * bucket);
    bisect(
        right,
        signatures.len(),
        logarithms,
        depth + 1,
        2 * bucket + 1,
    );
}

/// How many functions of a moment are on each side, and what it would gain if one went over
/// (LLVM: `UtilitySignature`).
#[derive(Clone, Copy, Default)]
struct Signature {
    left: u32,
    right: u32,
    /// To the right, to the left; `None` after a change.
    gains: Option<(f32, f32)>,
}

/// Forgets the moments of one function or of all, and numbers the others anew.
fn signatures(nodes: &mut [Node], moments: usize) -> Vec<Signature> {
    let mut members = vec![0usize; moments];
    for &moment in nodes.iter().flat_map(|node| &node.moments) {
        members[moment as usize] += 1;
    }
    let all = nodes.len();
    let mut numbers: Vec<Option<u32>> = vec![None; moments];
    let mut signatures: Vec<Signature> = Vec::new();
    let mut next = 0;
    for node in nodes {
        node.moments.retain_mut(|moment| {
            let index = *moment as usize;
            if members[index] == 1 || members[index] == all {
                return false;
            }
            *moment = *numbers[index].get_or_insert_with(|| {
                signatures.push(Signature::default());
                next += 1;
                next - 1
            });
            let signature = &mut signatures[*moment as usize];
            match node.side {
                Side::Left => signature.left += 1,
                Side::Right => signature.right += 1,
            }
            true
        });
    }
    signatures
}

/// One round: the functions with the largest gains change sides in pairs. Returns how many did.
fn exchange(
    nodes: &mut [Node],
    signatures: &mut [Signature],
    logarithms: &Logarithms,
    random: &mut MersenneTwister,
) -> usize {
    for signature in &mut *signatures {
        if signature.gains.is_none() {
            signature.gains = Some(logarithms.gains(signature.left, signature.right));
        }
    }
    let mut gains: Vec<(f32, usize)> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (gain(node, signatures), index))
        .collect();
    let left = partition(&mut gains, |&(_, index)| nodes[index].side == Side::Left);
    let (left, right) = gains.split_at_mut(left);
    for side in [&mut *left, &mut *right] {
        side.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));
    }
    let mut moved = 0;
    for (&(left_gain, left), &(right_gain, right)) in left.iter().zip(&*right) {
        if left_gain + right_gain <= 0.0 {
            break;
        }
        for index in [left, right] {
            if random.unit() > STAY {
                change_side(&mut nodes[index], signatures);
                moved += 1;
            }
        }
    }
    moved
}

/// What is gained if the node changes sides.
fn gain(node: &Node, signatures: &[Signature]) -> f32 {
    let mut sum = 0.0;
    for &moment in &node.moments {
        let (to_right, to_left) = signatures[moment as usize].gains.unwrap_or_default();
        sum += match node.side {
            Side::Left => to_right,
            Side::Right => to_left,
        };
    }
    sum
}

fn change_side(node: &mut Node, signatures: &mut [Signature]) {
    for &moment in &node.moments {
        let signature = &mut signatures[moment as usize];
        let (from, to) = match node.side {
            Side::Left => (&mut signature.left, &mut signature.right),
            Side::Right => (&mut signature.right, &mut signature.left),
        };
        *from -= 1;
        *to += 1;
        signature.gains = None;
    }
    node.side = match node.side {
        Side::Left => Side::Right,
        Side::Right => Side::Left,
    };
}

/// Moves the items that are wanted to the front and returns how many they are. The order of both
/// parts is what C++'s `std::partition` leaves: it swaps the first that is not wanted with the last
/// that is. Equal gains are told apart by it.
fn partition<T>(items: &mut [T], is_wanted: impl Fn(&T) -> bool) -> usize {
    let (mut first, mut end) = (0, items.len());
    loop {
        while first < end && is_wanted(&items[first]) {
            first += 1;
        }
        while first < end && !is_wanted(&items[end - 1]) {
            end -= 1;
        }
        if first == end {
            return first;
        }
        end -= 1;
        items.swap(first, end);
        first += 1;
    }
}

/// Logarithms to the base 2 in single precision.
struct Logarithms(Vec<f32>);

impl Logarithms {
    /// Of 0 (unused) to `most`.
    #[expect(clippy::cast_possible_truncation, reason = "so does LLVM")]
    fn up_to(most: usize) -> Self {
        let of = |number: usize| {
            if number == 0 {
                0.0
            } else {
                (number as f64).log2() as f32
            }
        };
        Self((0..=most).map(of).collect())
    }

    /// What a moment of so many functions on each side costs (LLVM: `logCost`).
    fn cost(&self, left: u32, right: u32) -> f32 {
        let part = |count: u32| count as f32 * self.0[count as usize + 1];
        -(part(left) + part(right))
    }

    /// What is gained if one function goes to the right, and if one goes to the left.
    fn gains(&self, left: u32, right: u32) -> (f32, f32) {
        let cost = self.cost(left, right);
        let to_right = if left > 0 {
            cost - self.cost(left - 1, right + 1)
        } else {
            0.0
        };
        let to_left = if right > 0 {
            cost - self.cost(left + 1, right - 1)
        } else {
            0.0
        };
        (to_right, to_left)
    }
}

/// Pages of 32 functions that the traces touch (see [`Order::page_fault_area`]).
fn page_fault_area(functions: &[NameRef], traces: &[Trace]) -> u32 {
    const FUNCTIONS_OF_A_PAGE: usize = 32;
    let places: HashMap<NameRef, usize> = functions.iter().copied().zip(0..).collect();
    let mut area = 0u32;
    for trace in traces {
        let mut touched = HashSet::new();
        for place in trace
            .functions
            .iter()
            .filter_map(|function| places.get(function))
        {
            touched.insert(place / FUNCTIONS_OF_A_PAGE);
            area = area.wrapping_add(u32::try_from(touched.len()).unwrap_or(u32::MAX));
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Reader;

    fn check(profile: &[u8], options: &OrderOptions, expected: &[u8]) {
        let mut input = OrderInput::default();
        Reader::default()
            .read(profile, &mut input)
            .expect("the profile is sound");
        let order = order(input.traces(), options).expect("few test traces");
        let text = write(&order, |function| input.name(function));
        assert_eq!(
            String::from_utf8_lossy(&text),
            String::from_utf8_lossy(expected)
        );
    }

    macro_rules! golden {
        ($case:literal, $file:literal) => {
            include_bytes!(concat!("../../../testdata/order/", $case, "/", $file))
        };
    }

    #[test]
    fn names() {
        let expected = golden!("names", "expected-order.txt");
        check(
            golden!("names", "input.proftext"),
            &OrderOptions::default(),
            expected,
        );
    }

    #[test]
    fn several_traces() {
        let expected = golden!("traces", "expected-order.txt");
        check(
            golden!("traces", "input.proftext"),
            &OrderOptions::default(),
            expected,
        );
    }

    #[test]
    fn test_traces() {
        let options = OrderOptions { test_traces: 3 };
        let expected = golden!("test-traces", "expected-order.txt");
        check(golden!("test-traces", "input.proftext"), &options, expected);
    }

    #[test]
    fn a_raw_profile() {
        let profile = include_bytes!("../../../testdata/raw/clang22-temporal/merged.profdata");
        let expected = golden!("program", "expected-order.txt");
        check(profile, &OrderOptions::default(), expected);
    }

    #[test]
    fn without_traces() {
        assert_eq!(order(&[], &OrderOptions::default()), Ok(Order::default()));
        let one = [Trace::default()];
        let asked = |test_traces| order(&one, &OrderOptions { test_traces });
        assert_eq!(
            asked(1),
            Err(TooManyTestTraces {
                traces: 1,
                test_traces: 1
            })
        );
    }

    #[test]
    fn areas_as_c_prints_them() {
        let expected = [
            (0, "0.000000e+00"),
            (7, "7.000000e+00"),
            (1_234_567, "1.234567e+06"),
            (12_345_665, "1.234566e+07"),
            (12_345_675, "1.234568e+07"),
            (u32::MAX, "4.294967e+09"),
        ];
        for (area, text) in expected {
            assert_eq!(exponential(area), text);
        }
    }

    #[test]
    fn partitions_like_cplusplus() {
        let mut items = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(partition(&mut items, |item| item % 2 == 0), 4);
        assert_eq!(items, [8, 2, 6, 4, 5, 3, 7, 1]);
        assert_eq!(partition(&mut [1, 1], |_| true), 2);
        assert_eq!(partition(&mut [1, 1], |_| false), 0);
    }
}
