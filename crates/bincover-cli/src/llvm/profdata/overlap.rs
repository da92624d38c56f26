//! `llvm-profdata overlap`.

use std::ffi::OsString;
use std::fmt::Write;
use std::num::NonZeroU64;

use bincover::profile::{
    ErrorKind, FileRecord, Merger, Profile, ProfileKind, Reader, Trace, VALUE_KINDS, Visitor,
};

use super::{Failure, os_words, put};
use crate::llvm::options::{Program, Spec, Takes, parse};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("output", Takes::Text).or("o"),
    Spec::new("cs", Takes::Flag),
    Spec::new("function", Takes::Text),
    Spec::new("value-cutoff", Takes::Number),
    Spec::new("similarity-cutoff", Takes::Number),
    Spec::new("instr", Takes::Flag),
    Spec::new("sample", Takes::Flag),
];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Failure> {
    let parsed = parse(program, SPECS, args)?;
    let Program { name, invoked } = program;
    if parsed.flag("sample") {
        return Err(Failure::error("sample profiles are not supported"));
    }
    let [base_path, test_path] = &parsed.positional[..] else {
        return Err(match parsed.positional.len() {
            0 | 1 => format!(
                "{name}: Not enough positional command line arguments specified!\nMust specify at least 2 positional arguments: See: {invoked} --help"
            ),
            _ => format!(
                "{name}: Too many positional arguments specified!\nCan specify at most 2 positional arguments: See: {invoked} --help"
            ),
        }
        .into());
    };
    let filter = Filter {
        context_sensitive: parsed.flag("cs"),
        name: parsed.text("function").unwrap_or_default(),
        value_cutoff: parsed.number("value-cutoff"),
    };
    let base_bytes = read(base_path)?;
    let test_bytes = read(test_path)?;
    let base_sum = sum(&base_bytes, &filter)?;
    let test_sum = sum(&test_bytes, &filter)?;
    // A profile without counts overlaps with nothing, and LLVM says nothing.
    if base_sum.edges < 1.0 || test_sum.edges < 1.0 {
        return Ok(());
    }
    let mut merger = Merger::new();
    merger.add("base", &base_bytes, NonZeroU64::MIN);
    let mut overlap = Overlap {
        base: merger.finish().profile,
        filter: &filter,
        base_sum,
        test_sum,
        is_ir: false,
        same: Sums::default(),
        mismatch: Sums::default(),
        unique: Sums::default(),
        text: String::new(),
    };
    Reader::accepting_correlated()
        .read(&test_bytes, &mut overlap)
        .map_err(|failed| failure(&failed.error))?;
    let text = overlap.program_level(&base_path.to_string_lossy(), &test_path.to_string_lossy());
    put(parsed.value("output"), text.as_bytes())
}

fn read(path: &OsString) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::error(format_args!(
            "error in getting profile count sums: {}",
            os_words(&error)
        ))
    })
}

fn failure(error: &bincover::profile::Error) -> Failure {
    Failure::error(format_args!(
        "error in getting profile count sums: {}",
        error.llvm_message()
    ))
}

/// What is compared, and what is shown function by function.
struct Filter {
    context_sensitive: bool,
    name: String,
    value_cutoff: Option<u64>,
}

/// Sums over counters ("edges") and values by kind.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    entries: u64,
    edges: f64,
    values: [f64; VALUE_KINDS],
}

impl Sums {
    fn of(counts: &[u64], values: Option<&bincover::profile::Values>) -> Self {
        let mut sums = Self {
            entries: counts.len() as u64,
            edges: total(counts.iter().copied()),
            ..Self::default()
        };
        if let Some(values) = values {
            for kind in 0..VALUE_KINDS {
                sums.values[kind] =
                    total(values.kind(kind).iter().flatten().map(|value| value.count));
            }
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.edges += other.edges;
        for kind in 0..VALUE_KINDS {
            self.values[kind] += other.values[kind];
        }
    }

    /// Counts one function more, as its share of the whole.
    fn add_share(&mut self, function: &Self, whole: &Self) {
        self.entries += 1;
        self.edges += function.edges / whole.edges;
        for kind in 0..VALUE_KINDS {
            if whole.values[kind] >= 1.0 {
                self.values[kind] += function.values[kind] / whole.values[kind];
            }
        }
    }
}

/// LLVM sums in wrapping integers and only then goes to floating point.
#[expect(clippy::cast_precision_loss, reason = "as LLVM")]
fn total(counts: impl Iterator<Item = u64>) -> f64 {
    counts.fold(0u64, u64::wrapping_add) as f64
}

/// The smaller of two shares.
#[expect(clippy::cast_precision_loss, reason = "as LLVM")]
fn score(base: u64, test: u64, base_sum: f64, test_sum: f64) -> f64 {
    if base_sum < 1.0 || test_sum < 1.0 {
        return 0.0;
    }
    (base as f64 / base_sum).min(test as f64 / test_sum)
}

/// The sums of a whole file.
fn sum(bytes: &[u8], filter: &Filter) -> Result<Sums, Failure> {
    struct Summing<'f> {
        filter: &'f Filter,
        is_ir: bool,
        sums: Sums,
    }
    impl Visitor for Summing<'_> {
        fn file(&mut self, kind: ProfileKind, _: u64) -> bool {
            self.is_ir = kind.contains(ProfileKind::IR);
            true
        }
        fn record(&mut self, record: &FileRecord<'_>) -> bool {
            if !self.is_ir || record.hash.has_context_bit() == self.filter.context_sensitive {
                self.sums
                    .add(&Sums::of(&record.counts(), Some(record.values)));
            }
            false
        }
        fn traces(&mut self, _: Vec<Trace>, _: u64, _: bool) {}
        fn binary_id(&mut self, _: &[u8]) {}
    }
    let mut summing = Summing {
        filter,
        is_ir: false,
        sums: Sums::default(),
    };
    match Reader::accepting_correlated().read(bytes, &mut summing) {
        Ok(()) => Ok(summing.sums),
        Err(failed) if failed.error.kind() == ErrorKind::Empty => Err(failure(&failed.error)),
        Err(failed) => Err(failure(&failed.error)),
    }
}

struct Overlap<'f> {
    base: Profile,
    filter: &'f Filter,
    base_sum: Sums,
    test_sum: Sums,
    is_ir: bool,
    same: Sums,
    mismatch: Sums,
    unique: Sums,
    text: String,
}

impl Visitor for Overlap<'_> {
    fn file(&mut self, kind: ProfileKind, _: u64) -> bool {
        self.is_ir = kind.contains(ProfileKind::IR);
        true
    }

    fn record(&mut self, record: &FileRecord<'_>) -> bool {
        if self.is_ir && record.hash.has_context_bit() != self.filter.context_sensitive {
            return false;
        }
        let counts = record.counts();
        let test = Sums::of(&counts, Some(record.values));
        let (name, name_ref) = (record.name, record.name_ref);
        if !self.base.lookup(name_ref).any(|known| known.name == name) {
            self.unique.add_share(&test, &self.test_sum);
            return false;
        }
        if test.edges < 1.0 {
            self.same.entries += 1;
            return false;
        }
        let Some(base) = self.base.record(name, name_ref, record.hash) else {
            self.mismatch.add_share(&test, &self.test_sum);
            return false;
        };
        let base_values = base.values.cloned().unwrap_or_default();
        let other_sites = (0..VALUE_KINDS)
            .any(|kind| base_values.kind(kind).len() != record.values.kind(kind).len());
        if base.counts.len() != counts.len() || other_sites {
            self.mismatch.add_share(&test, &self.test_sum);
            return false;
        }
        let base_function = Sums::of(base.counts, Some(&base_values));
        let mut function = Sums::default();
        for kind in 0..VALUE_KINDS {
            let (whole, own) =
                self.value_scores(kind, &base_values, record.values, &base_function, &test);
            self.same.values[kind] += whole;
            function.values[kind] += own;
        }
        for (&old, &new) in base.counts.iter().zip(&counts) {
            self.same.edges += score(old, new, self.base_sum.edges, self.test_sum.edges);
            function.edges += score(old, new, base_function.edges, test.edges);
        }
        self.same.entries += 1;
        function.entries = counts.len() as u64;
        let max = counts.iter().copied().max().unwrap_or(0);
        let is_named =
            !self.filter.name.is_empty() && contains(record.name, self.filter.name.as_bytes());
        let cutoff = self.filter.value_cutoff.unwrap_or(u64::MAX);
        if is_named || max >= cutoff {
            let name = String::from_utf8_lossy(record.name).into_owned();
            let _ = writeln!(
                self.text,
                "Function level:\n  Function: {name} (Hash={})",
                record.hash.0
            );
            let none = Sums::default();
            let text = levels(
                "edge counters",
                &function,
                &none,
                &none,
                &base_function,
                &test,
            );
            self.text.push_str(&text);
        }
        false
    }

    fn traces(&mut self, _: Vec<Trace>, _: u64, _: bool) {}

    fn binary_id(&mut self, _: &[u8]) {}
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl Overlap<'_> {
    /// The overlap of one kind's values, in the whole profile and in the function.
    fn value_scores(
        &self,
        kind: usize,
        base: &bincover::profile::Values,
        test: &bincover::profile::Values,
        base_function: &Sums,
        test_function: &Sums,
    ) -> (f64, f64) {
        let (mut whole, mut own) = (0.0, 0.0);
        for (old, new) in base.kind(kind).iter().zip(test.kind(kind).iter()) {
            let (mut old, mut new) = (old.to_vec(), new.to_vec());
            old.sort_by_key(|value| value.value);
            new.sort_by_key(|value| value.value);
            let (mut left, mut right) = (old.iter().peekable(), new.iter().peekable());
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                match a.value.cmp(&b.value) {
                    std::cmp::Ordering::Less => {
                        left.next();
                    }
                    std::cmp::Ordering::Greater => {
                        right.next();
                    }
                    std::cmp::Ordering::Equal => {
                        whole += score(
                            a.count,
                            b.count,
                            self.base_sum.values[kind],
                            self.test_sum.values[kind],
                        );
                        own += score(
                            a.count,
                            b.count,
                            base_function.values[kind],
                            test_function.values[kind],
                        );
                        left.next();
                        right.next();
                    }
                }
            }
        }
        (whole, own)
    }

    fn program_level(&self, base: &str, test: &str) -> String {
        format!(
            "{}Profile overlap information for base_profile: {base} and test_profile: {test}\nProgram level:\n{}",
            self.text,
            levels(
                "functions",
                &self.same,
                &self.mismatch,
                &self.unique,
                &self.base_sum,
                &self.test_sum
            )
        )
    }
}

/// The lines that both levels have.
fn levels(
    entries: &str,
    same: &Sums,
    mismatch: &Sums,
    unique: &Sums,
    base: &Sums,
    test: &Sums,
) -> String {
    let mut text = format!("  # of {entries} overlap: {}\n", same.entries);
    if mismatch.entries > 0 {
        let _ = writeln!(text, "  # of {entries} mismatch: {}", mismatch.entries);
    }
    if unique.entries > 0 {
        let _ = writeln!(
            text,
            "  # of {entries} only in test_profile: {}",
            unique.entries
        );
    }
    let mut kind = |name: &str, short: &str, pick: &dyn Fn(&Sums) -> f64| {
        let _ = writeln!(text, "  {name} profile overlap: {:.3}%", pick(same) * 100.0);
        if mismatch.entries > 0 {
            let _ = writeln!(
                text,
                "  Mismatched count percentage ({short}): {:.3}%",
                pick(mismatch) * 100.0
            );
        }
        if unique.entries > 0 {
            let _ = writeln!(
                text,
                "  Percentage of {name} profile only in test_profile: {:.3}%",
                pick(unique) * 100.0
            );
        }
        let _ = writeln!(text, "  {name} profile base count sum: {:.0}", pick(base));
        let _ = writeln!(text, "  {name} profile test count sum: {:.0}", pick(test));
    };
    kind("Edge", "Edge", &|sums| sums.edges);
    for (index, name) in ["IndirectCall", "MemOP", "VTable"].into_iter().enumerate() {
        if base.values[index] >= 1.0 || test.values[index] >= 1.0 {
            kind(name, name, &|sums| sums.values[index]);
        }
    }
    text
}
