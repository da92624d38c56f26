//! The body of `merge`: the laws of merging, on files that a recipe describes.

use std::num::NonZeroU64;

use bincover_profile::{MAX_COUNT, Merged, WriteOptions, indexed};
use bincover_testkit::raw::{Function, RawFile, Shape};

use super::profile::{check_profile, merged, weighted};

/// Makes raw files of one imagined binary by the recipe in `bytes` and merges them in every way
/// that must not matter.
pub fn merge(bytes: &[u8]) {
    let mut recipe = Recipe(bytes);
    let binary = recipe.binary();
    let runs: Vec<(Shape, Vec<Function>)> = (0..2 + recipe.below(3))
        .map(|_| recipe.run(&binary))
        .collect();
    let assembled: Vec<Vec<u8>> = runs
        .iter()
        .map(|(shape, functions)| RawFile::new(*shape, functions).bytes())
        .collect();
    let files: Vec<&[u8]> = assembled.iter().map(Vec::as_slice).collect();

    let all = merged(&files);
    let expected = written(&all);
    check_profile(&all.profile);

    let backwards: Vec<&[u8]> = files.iter().rev().copied().collect();
    assert!(
        written(&merged(&backwards)) == expected,
        "the order of files matters"
    );

    let (left, right) = files.split_at(1 + recipe.below(files.len() - 1));
    let (left, right) = (written(&merged(left)), written(&merged(right)));
    assert!(
        written(&merged(&[&left, &right])) == expected,
        "the grouping matters"
    );

    let nothing = written(&merged(&[]));
    assert!(
        written(&merged(&[&nothing, &expected, &[], &nothing])) == expected,
        "nothing matters"
    );

    check_weight(&runs[0].1);
    check_shapes(&runs[0].1);
}

/// Weight 3 is three times. Values are left out: as in LLVM, one that is new is not weighted.
fn check_weight(functions: &[Function]) {
    let functions: Vec<Function> = functions
        .iter()
        .map(|function| Function {
            values: Default::default(),
            ..function.clone()
        })
        .collect();
    let file = RawFile::new(Shape::CURRENT, &functions).bytes();
    let three = NonZeroU64::MIN.saturating_add(2);
    let once = written(&weighted(&[&file], three));
    assert!(
        written(&merged(&[&file, &file, &file])) == once,
        "weight 3 is not three times"
    );
}

/// Every version, byte order and width of the same functions is the same profile.
fn check_shapes(functions: &[Function]) {
    for has_bitmaps in [false, true] {
        let mut shapes = Shape::all().filter(|shape| shape.has_bitmaps() == has_bitmaps);
        let written = |shape: Shape| written(&merged(&[&RawFile::new(shape, functions).bytes()]));
        let first = shapes.next().map(written);
        for shape in shapes {
            assert!(Some(written(shape)) == first, "{shape:?} differs");
        }
    }
}

fn written(merged: &Merged) -> Vec<u8> {
    let refused = merged
        .ledger
        .entries
        .iter()
        .find(|entry| entry.cause.is_error());
    assert!(
        refused.is_none_or(|entry| entry.to_string().contains("suggests a damaged file")),
        "a valid file was refused: {refused:?}"
    );
    indexed::write(&merged.profile, &WriteOptions::default())
}

/// Takes decisions from bytes; zeros when there are no more.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// Up to eight functions, all counts zero. Different functions may share a hash.
    fn binary(&mut self) -> Vec<Function> {
        let count = 1 + self.below(8);
        let function = |index: usize| {
            let mut function =
                Function::new(&format!("f{index}"), u64::from(self.byte()) << 56, []);
            function.counts = vec![0; 1 + self.below(5)];
            function.bitmap = vec![0; self.below(4)];
            // Sizes of memory operations: the kind that needs no addresses.
            function.values[1] = vec![Vec::new(); self.below(3)];
            function
        };
        (0..count).map(function).collect()
    }

    /// A run: some of the functions, in any format.
    fn run(&mut self, binary: &[Function]) -> (Shape, Vec<Function>) {
        let shapes: Vec<Shape> = Shape::all().filter(Shape::has_bitmaps).collect();
        let shape = shapes[self.below(shapes.len())];
        let mask = self.byte();
        let mut functions: Vec<Function> = binary
            .iter()
            .enumerate()
            .filter(|(index, _)| mask >> index & 1 == 0)
            .map(|(_, function)| function.clone())
            .collect();
        for function in &mut functions {
            function.counts.fill_with(|| self.count());
            function.bitmap.fill_with(|| self.byte());
            for site in &mut function.values[1] {
                // Each value once: a real runtime counts a value in one place.
                *site = (0..self.below(4))
                    .map(|value| (value as u64, self.count()))
                    .collect();
                let turn = self.below(4).min(site.len());
                site.rotate_left(turn);
            }
        }
        (shape, functions)
    }

    /// Mostly small, now and then at one of the bounds; never one of the marks.
    fn count(&mut self) -> u64 {
        match self.byte() {
            small @ ..0xf0 => u64::from(small),
            near @ 0xf0..0xf8 => MAX_COUNT - u64::from(near - 0xf0),
            near @ 0xf8.. => (1 << 56) + u64::from(near) - 0xfc,
        }
    }
}
