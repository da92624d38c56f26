//! What a running program holds of its coverage, as the files that it would write.
//!
//! Read after
//! [internal/coverage/cfile/emit.go](https://github.com/golang/go/blob/go1.27.3/src/internal/coverage/cfile/emit.go),
//! which is the same since Go 1.20 but for its place. A program has all its counters in one area of 32-bit
//! numbers. Each function has a piece of it: four words when it has been called, which are how many
//! counters it has, the number of its package, its own, and the first counter; and the other counters.
//! Before its first call all are zero. Which piece is whose is nowhere else.

use std::collections::HashMap;

use crate::counters::{Args, CounterFile, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Hash, Hasher};
use crate::meta::{hash_kind, meta_file};
use crate::mode::{Granularity, Mode};
use crate::program::Program;

/// A package as a program has registered it, before its own code runs (Go: `CovMetaBlob`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registered {
    /// A number that the compiler chose for it, below -1; -1 if it has only that of its place (Go:
    /// `PkgID`).
    pub id: i64,
    /// As in the header of a metadata file; or 4 or 5 for packages without counters.
    pub mode: u8,
    /// As in the header of a metadata file.
    pub granularity: u8,
    /// Of all that is in it.
    pub hash: Hash,
}

impl Program {
    /// A program whose packages have registered themselves in this order, each with its metadata: the
    /// file that it writes at its start.
    ///
    /// # Errors
    /// If none of them has counters, or their metadata contradicts itself.
    pub fn from_memory(packages: &[Registered], metadata: &[Vec<u8>]) -> Result<Self> {
        let mode = packages.iter().find_map(|one| Mode::from_number(one.mode));
        let granularities = packages.iter().map(|one| one.granularity);
        let granularity = granularities.clone().find_map(Granularity::from_number);
        let (Some(mode), Some(granularity)) = (mode, granularity) else {
            let expected = "a package with counters";
            let found = packages.len();
            return Err(Error::new(
                ErrorKind::Empty,
                "packages",
                None,
                expected,
                found,
            ));
        };
        let file = |hash| meta_file(hash, mode, granularity, metadata);
        let unnamed = Self::parse(file(Hash::default()))?;
        let first = unnamed.meta().packages.first();
        let mut hasher = Hasher::new(first.map(hash_kind).unwrap_or_default());
        for package in packages {
            hasher.update(&package.hash.0);
        }
        hasher.update(mode.word().as_bytes());
        hasher.update(granularity.word().as_bytes());
        Self::parse(file(hasher.finish()))
    }
}

impl CounterFile {
    /// What a program has counted, from the area with its counters. `baseline` is what lay there when
    /// the process began, if it was not empty: what a forked process had from its parent.
    ///
    /// A piece is taken if it fits the metadata. A program that is stopped in the first call of a
    /// function has written less than four words there; then the search goes on at the next word.
    /// Functions whose counters are all 0, since the program has set them back, or since the fork, are
    /// among the records; a program does not [write](Self::write) them.
    #[must_use]
    pub fn from_memory(
        program: &Program,
        packages: &[Registered],
        args: Args,
        area: &[u32],
        baseline: Option<&[u32]>,
    ) -> Self {
        let own_numbers = (0..=u32::MAX).zip(packages).filter(|(_, one)| one.id < -1);
        let own_numbers =
            own_numbers.filter_map(|(at, one)| Some((i32::try_from(one.id).ok()?, at)));
        let own_numbers: HashMap<i32, u32> = own_numbers.collect();
        let mut file = Self::new(program.meta().hash, args);
        let mut at = 0;
        while let Some(skipped) = area[at..].iter().position(|word| *word != 0) {
            at += skipped;
            let Some(&[count, package, function]) = area[at..].first_chunk() else {
                break;
            };
            let index = match package.cast_signed() {
                number @ ..0 => own_numbers.get(&number).copied(),
                // 0 is for none, so the first has 1.
                _ => package.checked_sub(1),
            };
            let start = at + 3;
            let end = start.checked_add(usize::try_from(count).unwrap_or(usize::MAX));
            let counters = end.and_then(|end| area.get(start..end));
            let record = index.zip(counters).map(|(package, counters)| Record {
                package,
                function,
                counters,
            });
            match record.filter(|record| program.fits(record)) {
                Some(record) => {
                    let own = own(record.counters, baseline.and_then(|all| all.get(start..)));
                    file.push_record(record.package, function, &own);
                    at = start + record.counters.len();
                }
                None => at += 1,
            }
        }
        file
    }
}

/// What was counted since `before`, which may be missing; all of it, if a counter is smaller than it
/// was: then the program has set them back.
fn own(counters: &[u32], before: Option<&[u32]>) -> Vec<u32> {
    let Some(before) = before.and_then(|before| before.get(..counters.len())) else {
        return counters.to_vec();
    };
    let pairs = counters.iter().zip(before);
    let own: Option<Vec<u32>> = pairs
        .map(|(now, before)| now.checked_sub(*before))
        .collect();
    own.unwrap_or_else(|| counters.to_vec())
}

#[cfg(test)]
mod tests {
    use bincover_testkit::rng::Rng;

    use super::*;
    use crate::sample;

    fn registered(program: &Program, id: i64) -> Vec<Registered> {
        let packages = program.meta().packages.iter();
        let registered = packages.map(|package| Registered {
            id,
            mode: program.meta().mode as u8,
            granularity: 1,
            hash: package.hash,
        });
        registered.collect()
    }

    fn blobs(program: &Program) -> Vec<Vec<u8>> {
        let packages = program.meta().packages.iter();
        packages.map(|package| package.blob().to_vec()).collect()
    }

    fn read(mode: Mode, area: &[u32], baseline: Option<&[u32]>) -> Vec<(u32, u32, Vec<u32>)> {
        let program = sample::program(mode);
        let packages = registered(&program, -1);
        let file = CounterFile::from_memory(&program, &packages, sample::args(), area, baseline);
        let counted = |one: &Record<'_>| one.counters.iter().any(|counter| *counter != 0);
        let records = file.records().filter(counted);
        let records = records.map(|one| (one.package, one.function, one.counters.to_vec()));
        records.collect()
    }

    #[test]
    fn metadata_is_what_the_program_writes() {
        for mode in [Mode::Set, Mode::Count, Mode::Atomic] {
            let program = sample::program(mode);
            let registered = registered(&program, -1);
            let made = Program::from_memory(&registered, &blobs(&program)).unwrap();
            assert!(made.bytes() == program.bytes());
        }
        assert!(Program::from_memory(&[], &[]).is_err());
    }

    /// The program has F with one counter, and M with two; in another package a literal with one.
    #[test]
    fn pieces_are_found() {
        let area = [0, 1, 1, 0, 7, 0, 0, 2, 1, 1, 0, 9, 1, 2, 0, 3];
        let all = [(0, 0, vec![7]), (0, 1, vec![0, 9]), (1, 0, vec![3])];
        assert_eq!(read(Mode::Count, &area, None), all);
        // What was there at a fork.
        let mut before = area;
        (before[4], before[11], before[15]) = (6, 9, 0);
        let own = [(0, 0, vec![1]), (1, 0, vec![3])];
        assert_eq!(read(Mode::Count, &area, Some(&before)), own);
        // Set back since.
        before[4] = 8;
        assert_eq!(read(Mode::Count, &area, Some(&before))[0], all[0]);
    }

    #[test]
    fn half_a_head_hides_nothing() {
        let whole = [2, 1, 1, 5, 9];
        for written in 0..3 {
            let mut area = vec![1, 1, 0, 0];
            area[written..].fill(0);
            area.extend(whole);
            assert_eq!(
                read(Mode::Count, &area, None),
                [(0, 1, vec![5, 9])],
                "{area:?}"
            );
        }
        // A value that cannot be.
        assert_eq!(read(Mode::Set, &whole, None), []);
        // No counters, and none that moved.
        assert_eq!(read(Mode::Count, &[1, 1, 0, 0], None), []);
        assert_eq!(read(Mode::Count, &[], None), []);
    }

    #[test]
    fn numbers_that_the_compiler_chose() {
        let program = sample::program(Mode::Count);
        let mut packages = registered(&program, -1);
        packages[1].id = -7;
        let area = [
            1,
            (-7_i32).cast_unsigned(),
            0,
            4,
            1,
            (-9_i32).cast_unsigned(),
            0,
            4,
        ];
        let file = CounterFile::from_memory(&program, &packages, sample::args(), &area, None);
        let records: Vec<_> = file
            .records()
            .map(|one| (one.package, one.function))
            .collect();
        assert_eq!(records, [(1, 0)]);
    }

    #[test]
    fn anything_may_lie_there() {
        let program = sample::program(Mode::Count);
        let packages = registered(&program, -1);
        let mut random = Rng::new(9);
        for _ in 0..2000 {
            let len = random.below(40);
            let mut word = || match random.below(8) {
                0 => u32::MAX,
                _ => u32::try_from(random.below(4)).unwrap(),
            };
            let area: Vec<u32> = (0..len).map(|_| word()).collect();
            let file = CounterFile::from_memory(&program, &packages, Args::default(), &area, None);
            for record in file.records() {
                assert!(program.fits(&record));
            }
        }
    }
}
