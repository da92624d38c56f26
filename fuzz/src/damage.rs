//! The body of `damage`: a good file, damaged in one place, tells no count that it did not have.

use std::collections::HashSet;
use std::ops::Range;

use bincover_gocover::{Args, CounterFile, Mode, Program, Record, Sums, counters};
use bincover_profile::indexed::{self, IndexedProfile};
use bincover_profile::{MAX_COUNT, Values, WriteOptions};
use bincover_testkit::raw::{RawFile, Shape};

use super::go::sample;
use super::profile::merged;
use super::recipe::Recipe;

/// Makes a good file by a recipe and damages it once: it is cut anywhere; or, outside of its counters,
/// a byte is changed, a word is written over, or some bytes are taken out or are there twice. Then it
/// is merged.
///
/// Whatever comes of it, an error, an entry in the ledger or a profile: **each count is the value of
/// eight bytes that lie together in the counters of the good file**, for a raw or indexed profile. That
/// is as much as can be said. The formats have no checksum; damage to a counter cannot be seen, and
/// where a pointer to counters is damaged, it may point to those of another function, or between two.
/// But no other part of a file is ever taken for the counters of a function that has a name, and what
/// is read of a file that was cut is what was there. (A raw profile whose names are lost has functions
/// without one, here as in LLVM; no report has them.)
///
/// Of Go's counter file, in which numbers have no place of their own but follow each other, damage is to
/// the header or the footer, or it is cut; each count that is added up is one of the good file.
///
/// Text is left out: where a number ends is said by what may be damaged.
pub fn damage(bytes: &[u8]) {
    let mut recipe = Recipe::new(bytes);
    match recipe.below(8) {
        0 => of_go(&mut recipe),
        1..4 => check(&Good::indexed(&mut recipe), &mut recipe),
        _ => check(&Good::raw(&mut recipe), &mut recipe),
    }
}

/// A file and where its counters lie.
struct Good {
    bytes: Vec<u8>,
    counters: Vec<Range<usize>>,
    big_endian: bool,
}

impl Good {
    fn raw(recipe: &mut Recipe<'_>) -> Self {
        let shapes: Vec<Shape> = Shape::all().collect();
        let shape = shapes[recipe.below(shapes.len())];
        let mut functions = recipe.binary();
        for function in &mut functions {
            function.counts.fill_with(|| recipe.count());
            function.bitmap.fill_with(|| recipe.byte());
        }
        let mut file = RawFile::new(shape, &functions);
        let id = recipe.byte();
        file.binary_ids.extend((id % 2 == 1).then(|| vec![id; 20]));
        let file = file.assemble();
        let count: usize = functions.iter().map(|function| function.counts.len()).sum();
        let start = file.offset("counters");
        Self {
            bytes: file.bytes,
            counters: std::iter::once(start..start + 8 * count).collect(),
            big_endian: shape.big_endian,
        }
    }

    fn indexed(recipe: &mut Recipe<'_>) -> Self {
        let mut functions = recipe.binary();
        for function in &mut functions {
            function.counts.fill_with(|| recipe.count());
            function.bitmap.fill_with(|| recipe.byte());
        }
        let profile = merged(&[&RawFile::new(Shape::CURRENT, &functions).bytes()]).profile;
        let version = 10 + u32::from(recipe.byte() % 4);
        let options = WriteOptions {
            version: indexed::IndexedVersion::from_number(version).expect("one of 10 to 13"),
            ..WriteOptions::default()
        };
        let bytes = indexed::write(&profile, &options);
        let mut counters = Vec::new();
        let read = IndexedProfile::parse(&bytes).expect("we read what we wrote");
        let visited = read.for_each(&mut Values::default(), |record, _| {
            // Each name has one record: behind it come the function's hash and the number of counters.
            let name = record.name.as_ptr().addr() - bytes.as_ptr().addr();
            let start = name + record.name.len() + 16;
            counters.push(start..start + 8 * record.counters.len());
        });
        visited.expect("we read what we wrote");
        Self {
            bytes,
            counters,
            big_endian: false,
        }
    }

    /// The values of eight bytes that lie together in the counters.
    fn values(&self) -> HashSet<u64> {
        let windows = self.counters.iter().flat_map(|range| {
            let section = &self.bytes[range.clone()];
            section.windows(8)
        });
        windows
            .flat_map(|window| {
                let word = window.try_into().expect("eight bytes");
                let value = match self.big_endian {
                    true => u64::from_be_bytes(word),
                    false => u64::from_le_bytes(word),
                };
                // A merge has no larger ones.
                [value, value.min(MAX_COUNT)]
            })
            .collect()
    }

    /// The file with one damage.
    fn damaged(&self, recipe: &mut Recipe<'_>) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let is_outside = |at: &usize| !self.counters.iter().any(|range| range.contains(at));
        let outside: Vec<usize> = (0..bytes.len()).filter(is_outside).collect();
        let kind = recipe.below(5);
        let place = recipe.half();
        if kind == 0 {
            bytes.truncate(place % (bytes.len() + 1));
            return bytes;
        }
        let at = outside[place % outside.len()];
        // As far as the next counter.
        let ends = self.counters.iter().map(|range| range.start);
        let end = ends.filter(|start| *start > at).min();
        let end = end.unwrap_or(bytes.len());
        match kind {
            1 => bytes[at] ^= recipe.byte(),
            2 => {
                let word = at..end.min(at + 8 - at % 8);
                for byte in &mut bytes[word] {
                    *byte = recipe.byte();
                }
            }
            3 => {
                let some = at..end.min(at + 1 + recipe.below(64));
                bytes.drain(some);
            }
            _ => {
                let some = at..end.min(at + 1 + recipe.below(64));
                let again = bytes[some].to_vec();
                bytes.splice(at..at, again);
            }
        }
        bytes
    }
}

fn check(good: &Good, recipe: &mut Recipe<'_>) {
    let values = good.values();
    let damaged = good.damaged(recipe);
    let merged = merged(&[&damaged]);
    for record in merged.profile.records() {
        for count in record.counts.iter().filter(|_| !record.name.is_empty()) {
            assert!(
                values.contains(count),
                "{count:#x} of {:?} was not in the good file; {:?}",
                String::from_utf8_lossy(record.name),
                merged.ledger
            );
        }
    }
}

/// What is damaged is the header, of 32 bytes, or the footer, of 16.
fn of_go(recipe: &mut Recipe<'_>) {
    let program = Program::parse(sample(Mode::Count)).expect("a program");
    let hash = program.meta().hash;
    // Each package has functions of one, two and three blocks.
    let counts: Vec<(u32, u32, Vec<u32>)> = (0..2)
        .flat_map(|package| (0..3).map(move |function| (package, function)))
        .map(|(package, function)| {
            let counts = (0..=function).map(|_| u32::from(recipe.byte()));
            (package, function, counts.collect())
        })
        .collect();
    let records: Vec<Record<'_>> = counts
        .iter()
        .map(|(package, function, counters)| Record {
            package: *package,
            function: *function,
            counters,
        })
        .collect();
    let values: HashSet<u32> = counts
        .iter()
        .flat_map(|(_, _, counts)| counts.iter().copied())
        .chain([0])
        .collect();
    let mut bytes = counters::write(hash, &Args::default(), &records);
    let len = bytes.len();
    let place = recipe.half();
    match recipe.below(3) {
        0 => bytes.truncate(place % (len + 1)),
        1 => bytes[place % 32] ^= recipe.byte(),
        _ => bytes[len - 1 - place % 16] ^= recipe.byte(),
    }
    let Ok(file) = CounterFile::parse(&bytes) else {
        return;
    };
    let mut sums = Sums::new(&program, Mode::Count);
    sums.add(&program, &file, &mut Vec::new());
    for record in sums.records(&program) {
        for counter in record.counters {
            assert!(
                values.contains(counter),
                "{counter} was not in the good file"
            );
        }
    }
}
