//! A program's metadata and the sums of its counters: what the files of one pod come to.

use crate::counters::{Args, CounterFile, Record};
use crate::error::Result;
use crate::ledger::Cause;
use crate::meta::{Function, Meta};
use crate::mode::Mode;

/// The metadata of a program, and where the counters of its functions lie in [`Sums`].
#[derive(Clone, Debug)]
pub struct Program {
    meta: Meta,
    bytes: Vec<u8>,
    /// By package, the number of functions in those before it.
    first_functions: Vec<usize>,
    /// By function, of all packages, where its counters begin; and where the last ones end.
    offsets: Vec<usize>,
}

impl Program {
    /// Reads a metadata file.
    ///
    /// # Errors
    /// As [`Meta::parse`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self> {
        let meta = Meta::parse(&bytes)?;
        let mut first_functions = Vec::with_capacity(meta.packages.len());
        let mut offsets = vec![0];
        let mut end = 0;
        for package in &meta.packages {
            first_functions.push(offsets.len() - 1);
            for function in &package.functions {
                end += function.units.len();
                offsets.push(end);
            }
        }
        Ok(Self {
            meta,
            bytes,
            first_functions,
            offsets,
        })
    }

    /// What the file says.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn counter_count(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// All functions in order, each with its place in [`Sums`].
    fn functions(&self) -> impl Iterator<Item = (u32, u32, &Function)> {
        let packages = (0..=u32::MAX).zip(&self.meta.packages);
        packages.flat_map(|(package, one)| {
            let functions = (0..=u32::MAX).zip(&one.functions);
            functions.map(move |(function, one)| (package, function, one))
        })
    }

    /// The record can be of this program: it has the function, with as many blocks, and in set mode
    /// nothing above 1.
    #[must_use]
    pub fn fits(&self, record: &Record<'_>) -> bool {
        self.check(record).is_ok()
    }

    /// The function that a record is of, by its place, if the record can be of it.
    fn check(&self, record: &Record<'_>) -> Result<usize, Cause> {
        let packages = self.meta.packages.len();
        let index = usize::try_from(record.package).unwrap_or(usize::MAX);
        let Some(package) = self.meta.packages.get(index) else {
            let found = record.package;
            return Err(Cause::NoPackage { packages, found });
        };
        let at = usize::try_from(record.function).unwrap_or(usize::MAX);
        let Some(function) = package.functions.get(at) else {
            return Err(Cause::NoFunction {
                package: package.import_path.clone(),
                functions: package.functions.len(),
                found: record.function,
            });
        };
        let named = || (function.name.clone(), function.file.clone());
        let (expected, found) = (function.units.len(), record.counters.len());
        if expected != found {
            let (function, file) = named();
            return Err(Cause::CounterMismatch {
                function,
                file,
                expected,
                found,
            });
        }
        if self.meta.mode == Mode::Set
            && let Some(&found) = record.counters.iter().find(|&&counter| counter > 1)
        {
            let (function, file) = named();
            return Err(Cause::NotASet {
                function,
                file,
                found,
            });
        }
        Ok(self.first_functions[index] + at)
    }
}

/// The counters of a program, of any number of runs added up. Adding commutes, so that threads may
/// each have their own, which are joined in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    mode: Mode,
    counts: Vec<u32>,
    /// By function: a run wrote counters for it.
    seen: Vec<bool>,
    /// What the runs had in common; `None` before the first.
    args: Option<Args>,
    overflowed: bool,
}

impl Sums {
    /// No runs. Counters are added as in this mode: its own, or that of the programs that it is
    /// joined with.
    #[must_use]
    pub fn new(program: &Program, mode: Mode) -> Self {
        Self {
            mode,
            counts: vec![0; program.counter_count()],
            seen: vec![false; program.meta.function_count()],
            args: None,
            overflowed: false,
        }
    }

    /// Adds a run. Each record is checked against the metadata: a program that ends while another
    /// goroutine counts writes half records, and wrong ones. What does not fit is left out.
    pub fn add(&mut self, program: &Program, file: &CounterFile, left_out: &mut Vec<Cause>) {
        for record in file.records() {
            let function = match program.check(&record) {
                Ok(function) => function,
                Err(cause) => {
                    left_out.push(cause);
                    continue;
                }
            };
            self.seen[function] = true;
            let start = program.offsets[function];
            let sums = &mut self.counts[start..start + record.counters.len()];
            self.overflowed |= add(self.mode, sums, record.counters);
        }
        self.add_args(&file.args);
    }

    fn add_args(&mut self, args: &Args) {
        match &mut self.args {
            Some(common) => common.keep_common(args),
            None => self.args = Some(args.clone()),
        }
    }

    /// Adds the runs of another, of the same program.
    ///
    /// # Panics
    /// If it is of another program.
    pub fn join(&mut self, other: &Self) {
        assert_eq!(self.counts.len(), other.counts.len());
        self.overflowed |= add(self.mode, &mut self.counts, &other.counts) | other.overflowed;
        for (seen, other) in self.seen.iter_mut().zip(&other.seen) {
            *seen |= other;
        }
        if let Some(args) = &other.args {
            self.add_args(args);
        }
    }

    /// Keeps the counters of those blocks that the other, of the same program, never reached.
    pub fn subtract(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            if *other != 0 {
                *count = 0;
            }
        }
        self.args = None;
    }

    /// Keeps the counters of those blocks that the other, of the same program, reached too.
    pub fn intersect(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            if *other == 0 {
                *count = 0;
            }
        }
        for (seen, other) in self.seen.iter_mut().zip(&other.seen) {
            *seen &= other;
        }
        self.args = None;
    }

    /// A count went beyond 2^32 - 1 and stays there.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// A run was added.
    #[must_use]
    pub fn has_runs(&self) -> bool {
        self.args.is_some()
    }

    /// What the runs had in common.
    #[must_use]
    pub fn args(&self) -> Args {
        self.args.clone().unwrap_or_default()
    }

    /// The same; `None` if there was no run.
    pub(crate) fn runs_args(&self) -> Option<&Args> {
        self.args.as_ref()
    }

    /// The functions for which a run wrote counters, in order.
    #[must_use]
    pub fn records<'s>(&'s self, program: &'s Program) -> Vec<Record<'s>> {
        let functions = program.functions().enumerate();
        let seen = functions.filter(|(at, _)| self.seen[*at]);
        seen.map(|(at, (package, function, _))| Record {
            package,
            function,
            counters: &self.counts[program.offsets[at]..program.offsets[at + 1]],
        })
        .collect()
    }

    /// By package, the counters of each of its functions; `None` for those that no run wrote.
    pub(crate) fn by_package<'s>(
        &'s self,
        program: &'s Program,
        package: usize,
    ) -> impl Iterator<Item = (&'s Function, Option<&'s [u32]>)> {
        let first = program.first_functions[package];
        let functions = program.meta.packages[package].functions.iter();
        functions.enumerate().map(move |(index, function)| {
            let at = first + index;
            let counts = &self.counts[program.offsets[at]..program.offsets[at + 1]];
            (function, self.seen[at].then_some(counts))
        })
    }
}

/// Adds counters as Go does (Go: `MergeCounters`); true if one overflows.
pub(crate) fn add(mode: Mode, sums: &mut [u32], counters: &[u32]) -> bool {
    let mut overflowed = false;
    for (sum, &counter) in sums.iter_mut().zip(counters) {
        if mode == Mode::Set {
            *sum |= u32::from(counter != 0);
        } else {
            let (added, overflows) = sum.overflowing_add(counter);
            overflowed |= overflows;
            *sum = if overflows { u32::MAX } else { added };
        }
    }
    overflowed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    #[track_caller]
    fn left_out(mode: Mode, record: (u32, u32, &[u32]), expected: &str) {
        let program = sample::program(mode);
        let file = CounterFile::parse(&sample::counter_bytes(&[(0, 0, &[1]), record])).unwrap();
        let mut sums = Sums::new(&program, mode);
        let mut causes = Vec::new();
        sums.add(&program, &file, &mut causes);
        let causes: Vec<String> = causes.iter().map(Cause::to_string).collect();
        assert_eq!(causes, [expected]);
        assert_eq!(sums.records(&program).len(), 1);
    }

    #[test]
    fn records_that_do_not_fit_are_left_out() {
        let end = "; the record was left out";
        left_out(
            Mode::Count,
            (2, 0, &[1]),
            &format!("package index: expected less than 2, found 2{end}"),
        );
        left_out(
            Mode::Count,
            (1, 1, &[1]),
            &format!("function index in example.com/m/b: expected less than 1, found 1{end}"),
        );
        left_out(
            Mode::Count,
            (0, 1, &[1]),
            &format!("*T.M in example.com/m/a/t.go: expected 2 counters, found 1{end}"),
        );
        left_out(
            Mode::Set,
            (0, 1, &[1, 2]),
            &format!("*T.M in example.com/m/a/t.go: expected counters of 0 or 1, found 2{end}"),
        );
    }

    fn run(program: &Program, mode: Mode, counts: [u32; 2]) -> Sums {
        let file = CounterFile::parse(&sample::counter_bytes(&[(0, 1, &counts)])).unwrap();
        let mut sums = Sums::new(program, mode);
        sums.add(program, &file, &mut Vec::new());
        sums
    }

    #[test]
    fn counts_stay_at_their_maximum() {
        let program = sample::program(Mode::Count);
        let mut sums = run(&program, Mode::Count, [u32::MAX, 5]);
        assert!(!sums.overflowed());
        sums.join(&run(&program, Mode::Count, [1, 1]));
        assert!(sums.overflowed());
        assert_eq!(sums.records(&program)[0].counters, [u32::MAX, 6]);
    }

    #[test]
    fn what_only_one_reached_and_what_both() {
        let program = sample::program(Mode::Count);
        let of = |counts| run(&program, Mode::Count, counts);
        let mut only = of([3, 4]);
        only.subtract(&of([0, 1]));
        assert_eq!(only.records(&program)[0].counters, [3, 0]);
        let mut both = of([3, 4]);
        both.intersect(&of([0, 1]));
        assert_eq!(both.records(&program)[0].counters, [0, 4]);
        both.intersect(&Sums::new(&program, Mode::Count));
        assert!(both.records(&program).is_empty());
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(
            runs in prop::collection::vec(prop::array::uniform2(0..=u32::MAX), 1..6),
            split in 0usize..6,
            is_set: bool,
        ) {
            let mode = if is_set { Mode::Set } else { Mode::Count };
            let program = sample::program(mode);
            let limit = |count: u32| if is_set { count & 1 } else { count };
            let sums: Vec<Sums> = runs.iter().map(|run| {
                self::run(&program, mode, run.map(limit))
            }).collect();
            let joined = |sums: &mut dyn Iterator<Item = &Sums>| {
                let mut all = Sums::new(&program, mode);
                sums.for_each(|one| all.join(one));
                all
            };
            let forward = joined(&mut sums.iter());
            prop_assert_eq!(&forward, &joined(&mut sums.iter().rev()));
            let split = split.min(sums.len());
            let halves = [joined(&mut sums[..split].iter()), joined(&mut sums[split..].iter())];
            prop_assert_eq!(&forward, &joined(&mut halves.iter()));
        }
    }
}
