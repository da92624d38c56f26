//! The fuzz targets' bodies over all of `testdata/` and over cheap damage to it, on stable.

use std::collections::HashSet;
use std::path::PathBuf;

use bincover_testkit::{fixtures_ending, mutate};

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library where it lives")]
mod bodies;

type Body = fn(&[u8]);

const BODIES: [Body; 4] = [bodies::raw, bodies::indexed, bodies::mapping, bodies::merge];

/// The files below `testdata/` that end in one of these, contents that repeat left out.
fn files(suffixes: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut seen = HashSet::new();
    let paths = suffixes
        .iter()
        .flat_map(|suffix| fixtures_ending("", suffix));
    let read = paths.map(|path| {
        let bytes = std::fs::read(&path).expect("a fixture");
        (path, bytes)
    });
    read.filter(|(_, bytes)| seen.insert(bytes.clone()))
        .collect()
}

/// The body over the bytes cut and flipped.
fn damaged(body: Body, bytes: &[u8]) {
    for end in mutate::cuts(bytes.len()) {
        body(&bytes[..end]);
    }
    for flipped in mutate::flips(bytes) {
        body(&flipped);
    }
}

fn all_damaged(suffixes: &[&str], body: Body) {
    for (path, bytes) in files(suffixes) {
        println!("{}", path.display());
        damaged(body, &bytes);
    }
}

#[test]
fn every_body_over_every_file() {
    for (path, bytes) in files(&[""]) {
        println!("{}", path.display());
        for body in BODIES {
            body(&bytes);
        }
    }
}

#[test]
fn damaged_raw_profiles() {
    all_damaged(&[".profraw"], bodies::raw);
}

#[test]
fn damaged_indexed_profiles() {
    all_damaged(&[".profdata"], bodies::indexed);
}

#[test]
fn damaged_objects() {
    all_damaged(&[".elf", ".o"], bodies::mapping);
}

#[test]
fn damaged_sections() {
    for (path, bytes) in files(&[".elf", ".o"]) {
        println!("{}", path.display());
        let sections = bodies::split_object(&bytes).expect("a fixture with a mapping");
        damaged(bodies::mapping, &sections);
    }
}
