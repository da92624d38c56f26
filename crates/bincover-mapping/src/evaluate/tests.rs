//! Mappings of a few bytes that ask for much: they must be answered soon, or refused.

use bincover_model::Tally;
use bincover_profile::{Profile, md5_low64};
use bincover_testkit::elf;
use bincover_testkit::raw::uleb;

use super::{Evaluation, evaluate};
use crate::{Mapping, Result};

/// Evaluates functions `f0`, `f1` and so on, given the bytes of their mappings, over files `/0`,
/// `/1` and so on.
fn evaluated(files: u64, mappings: &[Vec<u8>]) -> Result<Evaluation> {
    let mut text = Vec::new();
    for file in 0..files {
        let name = format!("/{file}");
        text.extend(uleb(name.len() as u64));
        text.extend(name.into_bytes());
    }
    let mut table = [uleb(files), uleb(text.len() as u64), vec![0]].concat();
    table.extend(text);
    let table_bytes = u32::try_from(table.len()).expect("a small table");
    let mut covmap: Vec<u8> = [0, table_bytes, 0, 6].map(u32::to_le_bytes).concat();
    covmap.extend(&table);

    let names: Vec<String> = (0..mappings.len())
        .map(|index| format!("f{index}"))
        .collect();
    let mut covfun: Vec<u8> = Vec::new();
    for (name, data) in names.iter().zip(mappings) {
        covfun.resize(covfun.len().next_multiple_of(8), 0);
        covfun.extend(md5_low64(name.as_bytes()).to_le_bytes());
        covfun.extend(u32::try_from(data.len()).expect("small data").to_le_bytes());
        covfun.extend(1u64.to_le_bytes());
        covfun.extend(md5_low64(&table).to_le_bytes());
        covfun.extend(data);
    }
    let names = names.join("\x01");
    let names = [uleb(names.len() as u64), vec![0], names.into_bytes()].concat();
    let object = elf::build(&[
        ("__llvm_prf_names", &names),
        ("__llvm_covmap", &covmap),
        ("__llvm_covfun", &covfun),
    ]);
    let mapping = Mapping::parse(&object)?;
    evaluate(&[mapping], &Profile::default())
}

/// A function in one file, with one region from line 1 to `last`, counted by counter 0.
fn one_region(file: u64, last: u64) -> Vec<u8> {
    let numbers = [1, file, 0, 1, 1, 1, 1, last - 1, 1];
    numbers.into_iter().flat_map(uleb).collect()
}

/// A thousand functions of four million lines each, all in one file.
#[test]
fn long_functions() {
    let mappings: Vec<Vec<u8>> = (0..1000).map(|_| one_region(1, 1 << 22)).collect();
    let evaluation = evaluated(2, &mappings).unwrap();
    let summary = evaluation.coverage.functions[999].summary;
    assert_eq!(summary.lines.total, 1 << 22);
    assert_eq!(evaluation.coverage.files[0].lines.len(), 1 << 22);
}

#[test]
fn long_files() {
    let mappings: Vec<Vec<u8>> = (1..6).map(|file| one_region(file, 1 << 24)).collect();
    assert_eq!(
        evaluated(6, &mappings).unwrap_err().to_string(),
        "section __llvm_covfun: source files: expected at most 67108864 lines, found 83886080"
    );
}

/// Each of 60 files expands the next one twice; the last one has a branch. With `ring`, the last
/// one expands the first.
fn tower(ring: bool) -> Vec<u8> {
    const FILES: u64 = 60;
    let mut numbers: Vec<u64> = vec![FILES];
    numbers.extend((0..FILES).map(|file| 1 + file));
    numbers.push(0);
    for file in 0..FILES {
        let expand = |expanded: u64| [expanded << 3 | 4, 1, 1, 0, 2];
        if file + 1 < FILES {
            numbers.push(2);
            numbers.extend(expand(file + 1));
            numbers.extend(expand(file + 1));
        } else {
            numbers.push(1 + u64::from(ring));
            // A branch: header, both counters, place.
            numbers.extend([4 << 3, 1, 5, 1, 1, 0, 2]);
            if ring {
                numbers.extend(expand(0));
            }
        }
    }
    numbers.into_iter().flat_map(uleb).collect()
}

#[test]
fn expansions_that_multiply() {
    let evaluation = evaluated(61, &[tower(false)]).unwrap();
    let branches = evaluation.coverage.functions[0].summary.branches;
    let expected = Tally {
        covered: 0,
        total: 2 << 59,
    };
    assert_eq!(branches, expected);
}

/// No file of it is the main one.
#[test]
fn expansions_in_a_ring() {
    let evaluation = evaluated(61, &[tower(true)]).unwrap();
    assert_eq!(evaluation.coverage.functions[0].main_file, None);
}
