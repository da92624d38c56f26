//! Mappings of a few bytes that ask for much: they must be answered soon, or refused. All mapping
//! versions; what is told of functions that are not counted.

use std::num::{NonZeroU64, NonZeroUsize};

use bincover_model::{Coverage, FileId, Function, Tally};
use bincover_profile::{Merger, NameRef, Profile, md5_low64};
use bincover_testkit::elf;
use bincover_testkit::raw::uleb;

use bstr::BStr;

use super::{Detail, Evaluation, Kept, Options, Reason, Unmapped, evaluate, evaluate_with};
use crate::{ErrorKind, Mapping, Result};

/// Evaluates functions `f0`, `f1` and so on, given the bytes of their mappings, over files `/0`,
/// `/1` and so on.
fn evaluated(files: u64, mappings: &[Vec<u8>]) -> Result<Evaluation> {
    let object = object(files, mappings);
    let mapping = Mapping::parse(&object)?;
    evaluate(&[mapping], &Profile::default())
}

fn object(files: u64, mappings: &[Vec<u8>]) -> Vec<u8> {
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
    elf::build(&[
        ("__llvm_prf_names", &names),
        ("__llvm_covmap", &covmap),
        ("__llvm_covfun", &covfun),
    ])
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

/// `int f(int x) { if (x) return 1; return 2; }` by clang 22, section 3.4 of the format notes.
const F: [u8; 51] = [
    0x01, 0x01, 0x01, 0x01, 0x05, 0x07, 0x01, 0x01, 0x0e, 0x04, 0x02, 0x01, 0x01, 0x07, 0x00, 0x08,
    0x20, 0x05, 0x02, 0x00, 0x07, 0x00, 0x08, 0x05, 0x00, 0x09, 0x01, 0x85, 0x80, 0x80, 0x80, 0x08,
    0x05, 0x01, 0x05, 0x00, 0x0d, 0x02, 0x00, 0x0e, 0x01, 0x83, 0x80, 0x80, 0x80, 0x08, 0x02, 0x01,
    0x03, 0x00, 0x0b,
];
const F_HASH: u64 = 0x0a49_8458;

/// A test container with `f` and `g`, which are mapped alike, in this mapping version's layout.
fn container(version: u32) -> Vec<u8> {
    const NAMES_ADDRESS: u64 = 0x1000;
    let table_text: Vec<u8> = [&b"\x02/w"[..], b"\x06/w/e.c"].concat();
    let table: Vec<u8> = match version {
        1..4 => [&[2][..], &table_text].concat(),
        _ => [&[2][..], &uleb(table_text.len() as u64), &[0], &table_text].concat(),
    };
    let text = b"f\x01g";
    let names = match version {
        1 => text.to_vec(),
        _ => [&uleb(text.len() as u64)[..], &[0], text].concat(),
    };
    let mut records = Vec::new();
    for (index, name) in [&b"f"[..], b"g"].into_iter().enumerate() {
        let len = u32::try_from(F.len()).expect("small").to_le_bytes();
        match version {
            1 => {
                records.extend((NAMES_ADDRESS + 2 * index as u64).to_le_bytes());
                records.extend(1u32.to_le_bytes());
            }
            _ => records.extend(md5_low64(name).to_le_bytes()),
        }
        records.extend(len);
        records.extend(F_HASH.to_le_bytes());
        if version >= 4 {
            records.extend(md5_low64(&table).to_le_bytes());
            records.extend(F);
            records.resize(records.len().next_multiple_of(8), 0);
        }
    }
    let is_old = version < 4;
    let small = |len: usize| u32::try_from(len).expect("small");
    let header = match is_old {
        true => [2, small(table.len()), small(2 * F.len()), version - 1],
        false => [0, small(table.len()), 0, version - 1],
    };
    let mut covmap = header.map(u32::to_le_bytes).concat();
    if is_old {
        covmap.extend(&records);
    }
    covmap.extend(&table);
    if is_old {
        covmap.extend([F, F].concat());
        records.clear();
    }
    let mut out = b"llvmcovm".to_vec();
    out.extend(1u64.to_le_bytes());
    out.extend(uleb(names.len() as u64));
    out.extend(uleb(NAMES_ADDRESS));
    out.extend(names);
    out.extend(uleb(covmap.len() as u64));
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(covmap);
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(records);
    out
}

fn profile(text: &str) -> Profile {
    let mut merger = Merger::new();
    merger.add("text", text.as_bytes(), NonZeroU64::MIN);
    merger.finish().profile
}

/// `f` twice run and `g` not in it.
fn f_alone() -> Profile {
    profile(&format!("f\n{F_HASH}\n2\n5\n3\n"))
}

#[test]
fn all_versions() {
    for version in 1..=7 {
        let object = container(version);
        let mapping = Mapping::parse(&object).unwrap();
        assert_eq!(mapping.function_count(), 2, "version {version}");
        let coverage = evaluate(&[mapping], &f_alone()).unwrap().coverage;
        let lines = coverage.files[0].lines.iter();
        let lines: Vec<(u32, u64)> = lines.map(|line| (line.number, line.count)).collect();
        assert_eq!(coverage.files[0].name, "/w/e.c", "version {version}");
        let expected = [(1, 5), (2, 5), (3, 3), (4, 2), (5, 5)];
        assert_eq!(lines, expected, "version {version}");
        assert_eq!(coverage.functions[1].count, 0, "version {version}");
    }
}

#[test]
fn containers_cut_anywhere_are_no_panic() {
    for version in 1..=7 {
        let object = container(version);
        for end in 0..object.len() {
            if let Ok(mapping) = Mapping::parse(&object[..end]) {
                let _ = evaluate(&[mapping], &f_alone());
            }
        }
    }
}

#[test]
fn unsupported_versions() {
    let error = Mapping::parse(&container(8)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert_eq!(error.llvm_message(), "unsupported coverage format version");
}

#[test]
fn what_is_not_counted_is_explained() {
    let object = container(7);
    let mapping = Mapping::parse(&object).unwrap();
    let again = Mapping::parse(&object).unwrap();
    let other = F_HASH + 1;
    let profile = profile(&format!("f\n{other}\n2\n5\n3\n\nh\n7\n1\n1\n"));
    let options = Options {
        explain: true,
        ..Options::default()
    };
    let evaluation = evaluate_with(&[mapping, again], &profile, &options).unwrap();
    let listed: Vec<String> = evaluation
        .left_out
        .iter()
        .map(|left| {
            format!(
                "{} in {} of mapping {}: {:?}, profile {:?}",
                left.function, left.file, left.mapping, left.reason, left.profile_hash
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            "f in /w/e.c of mapping 0: HashMismatch { hash: 172590168 }, profile Some(172590169)",
            "g in /w/e.c of mapping 0: NotInProfile, profile None",
            "f in /w/e.c of mapping 1: HashMismatch { hash: 172590168 }, profile Some(172590169)",
        ]
    );
    assert_eq!(evaluation.mismatch_count(), 2);
    let unmapped = Unmapped {
        function: "h".into(),
        hash: 7,
    };
    assert_eq!(evaluation.unmapped, [unmapped]);
}

/// A hash of 0 alone does not make a stub: a function without control flow may have it.
#[test]
fn a_stub_counts_nothing() {
    let is_stub = |counter: u64, hash: u64| {
        let mapping = [1, 1, 0, 1, counter, 1, 1, 1, 1].map(uleb).concat();
        let one: [u8; 8] = 1u64.to_le_bytes();
        let mut object = object(2, &[mapping]);
        // The hash is the only 1 of eight bytes that follows the length of the mapping.
        let at = object
            .windows(12)
            .position(|bytes| bytes[..4] == 9u32.to_le_bytes() && bytes[4..] == one);
        let at = at.expect("the record's length and hash") + 4;
        object[at..at + 8].copy_from_slice(&hash.to_le_bytes());
        let mapping = Mapping::parse(&object).unwrap();
        let options = Options {
            explain: true,
            ..Options::default()
        };
        let evaluation = evaluate_with(&[mapping], &Profile::default(), &options).unwrap();
        let [only] = &evaluation.left_out[..] else {
            panic!("{:?}", evaluation.left_out);
        };
        assert_eq!((only.hash, only.reason), (hash, Reason::NotInProfile));
        only.is_stub
    };
    assert!(is_stub(0, 0));
    assert!(!is_stub(1, 0));
    assert!(!is_stub(0, 7));
}

#[test]
fn files_that_are_not_wanted() {
    let object = container(7);
    let mappings = [Mapping::parse(&object).unwrap()];
    let evaluated = |wanted: bool| {
        let is_wanted = |_: &BStr| wanted;
        let options = Options {
            wanted: Some(&is_wanted),
            ..Options::default()
        };
        evaluate_with(&mappings, &f_alone(), &options)
            .unwrap()
            .coverage
    };
    assert_eq!(
        evaluated(true),
        evaluate(&mappings, &f_alone()).unwrap().coverage
    );
    assert_eq!(evaluated(false), Coverage::default());
    let options = Options {
        detail: Detail::Summaries,
        ..Options::default()
    };
    let short = evaluate_with(&mappings, &f_alone(), &options)
        .unwrap()
        .coverage;
    assert_eq!(short.totals(), evaluated(true).totals());
    assert!(short.files[0].segments.is_empty());
}

/// A function's copies, in many records of a few kinds.
#[test]
fn the_number_of_threads_changes_nothing() {
    let mappings: Vec<Vec<u8>> = (0..2000)
        .map(|index| one_region(1 + index % 7, 2 + index % 13))
        .collect();
    let object = object(8, &mappings);
    let mapping = [Mapping::parse(&object).unwrap()];
    let with = |threads| {
        let options = Options {
            threads: NonZeroUsize::new(threads),
            ..Options::default()
        };
        evaluate_with(&mapping, &Profile::default(), &options)
            .unwrap()
            .coverage
    };
    let one = with(1);
    assert_eq!(one.functions.len(), 2000);
    for threads in [2, 3, 8] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
}

/// A file expands to another, that to another, and so on; a branch is in the last.
#[test]
fn expansions_in_each_other() {
    const FILES: u64 = 100_000;
    let mut numbers: Vec<u64> = vec![FILES];
    numbers.extend((0..FILES).map(|_| 1));
    numbers.push(0);
    for file in 1..FILES {
        numbers.extend([1, file << 3 | 4, 1, 1, 0, 2]);
    }
    numbers.extend([1, 4 << 3, 1, 5, 1, 1, 0, 2]);
    let mapping: Vec<u8> = numbers.into_iter().flat_map(uleb).collect();
    let coverage = evaluated(2, &[mapping]).unwrap().coverage;
    let file = &coverage.files[0];
    assert_eq!(file.summary.branches.total, 2);
    // One as it is written in the file, and one inside the expansion of the main file.
    assert_eq!(coverage.branches_by_line(file).len(), 2);
    assert_eq!(coverage.branches_inside(file.expansions[0]).len(), 1);
}

/// What a report lists is bounded, whatever expansions multiply to.
#[test]
fn branches_of_expansions_that_multiply() {
    let coverage = evaluated(61, &[tower(false)]).unwrap().coverage;
    let listed = coverage.branches_by_line(&coverage.files[0]).len();
    assert!((1 << 10..1 << 20).contains(&listed), "{listed}");
}

/// Decisions that never get all their conditions, and as many conditions of none.
#[test]
fn decisions_that_stay_open() {
    let mut numbers: Vec<u64> = vec![1, 1, 0, 400_000];
    for _ in 0..200_000 {
        numbers.extend([5 << 3, 0, 2, 0, 1, 0, 9]);
    }
    for _ in 0..200_000 {
        numbers.extend([6 << 3, 1, 5, 9, 0, 0, 0, 1, 0, 2]);
    }
    let mapping: Vec<u8> = numbers.into_iter().flat_map(uleb).collect();
    let error = evaluated(2, &[mapping]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("MC/DC decisions: expected at most"),
        "{error}"
    );
}

/// If each were compared with all of its name, this would take minutes.
#[test]
fn functions_of_one_name_in_many_files() {
    let mut kept = Kept::new(0);
    let count = 1 << 17;
    let mut add = |file| {
        let function = Function {
            name: "f".into(),
            files: vec![FileId(0), FileId(file)],
            ..Function::default()
        };
        kept.add(function, NameRef::of(b"f"), 0)
    };
    assert!((0..count).all(&mut add));
    assert!(!add(0) && !add(count - 1) && add(count));
}
