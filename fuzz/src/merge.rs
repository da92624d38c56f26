//! The body of `merge`: the laws of merging, on files that a recipe describes.

use std::num::NonZeroU64;

use bincover_profile::{Merged, WriteOptions, indexed};
use bincover_testkit::raw::{Function, RawFile, Shape};

use super::profile::{check_profile, merged, weighted};
use super::recipe::Recipe;

/// Makes raw files of one imagined binary by the recipe in `bytes` and merges them in every way
/// that must not matter.
pub fn merge(bytes: &[u8]) {
    let mut recipe = Recipe::new(bytes);
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

pub(crate) fn written(merged: &Merged) -> Vec<u8> {
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
