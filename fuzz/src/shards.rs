//! The body of `shards`: however profiles come together, it is the same.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use bincover::{FileMerge, Folder, ProfileInput};
use bincover_profile::{Merged, Merger, ProfileKind, WriteOptions, indexed};
use bincover_testkit::raw::{Function, RawFile, Shape};

use super::folder::folder;
use super::profile::listed;
use super::recipe::Recipe;

/// Makes files of one or two binaries by the recipe in `bytes`. Merged one after another, all at
/// once by one thread or several, in two shards of which the results are merged, or folded in two
/// steps in the folder where they lie: the profile is the same, and nothing is left out of one that
/// is not left out of another. Where binaries disagree about a function, which of them is first decides: then all at once
/// is like one after another, and no more is promised.
pub fn shards(bytes: &[u8]) {
    let mut recipe = Recipe::new(bytes);
    let place = folder();
    let (files, binaries) = write_files(&mut recipe, place.path());
    let inputs: Vec<ProfileInput> = files.iter().cloned().map(ProfileInput::from).collect();
    let expected = one_by_one(&inputs);
    for threads in [1, 3] {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        let found = FileMerge::new().threads(threads).run(&inputs);
        assert_same(&found, &expected, "all at once");
        assert_eq!(
            format!("{:?}", found.ledger),
            format!("{:?}", expected.ledger)
        );
    }
    // What else is wrong with a record whose count is too large is not said.
    if binaries > 1 && !expected.ledger.entries.is_empty() {
        return;
    }
    let overflows = !expected.ledger.entries.is_empty();

    let at = recipe.below(files.len() + 1);
    let (left, right) = inputs.split_at(at);
    let shards: Vec<ProfileInput> = [left, right]
        .into_iter()
        .enumerate()
        .map(|(index, shard)| {
            let merged = FileMerge::new().run(shard);
            let path = place.path().join(format!("shard-{index}"));
            let profile = indexed::write(&merged.profile, &WriteOptions::default());
            std::fs::write(&path, profile).expect("a file in our folder");
            ProfileInput::from(path)
        })
        .collect();
    assert_same(&FileMerge::new().run(&shards), &expected, "in shards");

    let folded = fold(&place.path().join("folded"), &files, at);
    let total = ProfileInput::from(folded);
    let found = FileMerge::new().run(&[total]);
    assert!(overflows || found.ledger.is_empty(), "{:?}", found.ledger);
    assert_same(&found, &expected, "folded");
}

/// Up to 24 files of runs, and of how many binaries: some of them of another one, with or without a build id, which is each binary's own: of its runs,
/// what lies between it and the counters is taken on trust.
fn write_files(recipe: &mut Recipe<'_>, place: &Path) -> (Vec<PathBuf>, usize) {
    let shapes: Vec<Shape> = Shape::all().collect();
    let binaries: Vec<(Shape, Vec<Function>, Option<Vec<u8>>)> = (0..1 + recipe.byte() % 2)
        .map(|number| {
            let shape = shapes[recipe.below(shapes.len())];
            let byte = recipe.byte();
            let id = [&[number][..], &[byte; 15]].concat();
            let id = (!byte.is_multiple_of(4)).then_some(id);
            (shape, recipe.binary(), id)
        })
        .collect();
    let count = 2 + recipe.below(23);
    let files = (0..count)
        .map(|number| {
            let (shape, functions, id) = &binaries[recipe.below(binaries.len())];
            let mut functions = functions.clone();
            for function in &mut functions {
                function.counts.fill_with(|| recipe.count());
                function.bitmap.fill_with(|| recipe.byte());
                for site in &mut function.values[1] {
                    let values = 0..recipe.below(4);
                    *site = values.map(|value| (value as u64, recipe.count())).collect();
                }
            }
            let mut file = RawFile::new(*shape, &functions);
            file.binary_ids.extend(id.clone());
            let path = place.join(format!("{number:02}.profraw"));
            std::fs::write(&path, file.bytes()).expect("a file in our folder");
            path
        })
        .collect();
    (files, binaries.len())
}

fn one_by_one(inputs: &[ProfileInput]) -> Merged {
    let mut merger = Merger::new();
    for ProfileInput { path, .. } in inputs {
        let bytes = std::fs::read(path).expect("a file of ours");
        merger.add(&path.display().to_string(), &bytes, NonZeroU64::MIN);
    }
    merger.finish()
}

/// The total of a folder into which the first files came, and after a fold the others.
fn fold(place: &Path, files: &[PathBuf], first: usize) -> PathBuf {
    std::fs::create_dir(place).expect("a folder in our folder");
    let profiles = Folder::new(place).assume_finished();
    let (left, right) = files.split_at(first);
    let mut count = 0;
    for files in [left, right] {
        for file in files {
            let name = file.file_name().expect("it has a name");
            std::fs::copy(file, place.join(name)).expect("a file in our folder");
        }
        count += profiles.fold().expect("a fold").files;
    }
    assert_eq!(count, files.len() as u64);
    let total = profiles.total().expect("a folder of ours");
    total.expect("there is a total of what was folded")
}

fn assert_same(found: &Merged, expected: &Merged, how: &str) {
    // An indexed profile does not say it.
    let kind = |merged: &Merged| merged.profile.kind().without(ProfileKind::FRONT_END);
    assert_eq!(kind(found), kind(expected), "{how}");
    assert_eq!(listed(&found.profile), listed(&expected.profile), "{how}");
}
