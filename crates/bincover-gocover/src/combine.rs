//! Programs and their sums to the files of a GOCOVERDIR.

use std::collections::HashMap;

use crate::counters::{Args, Record, write};
use crate::hash::{Hash, HashKind};
use crate::meta::{Function, Meta, MetaBuilder, Text, select};
use crate::mode::{Granularity, Mode};
use crate::program::{Program, Sums, add};

/// A metadata file and a counter file that belong together.
#[derive(Clone, Debug)]
pub struct Pod {
    /// By which the second refers to the first.
    pub hash: Hash,
    /// The bytes of `covmeta.<hash>`.
    pub meta: Vec<u8>,
    /// The bytes of `covcounters.<hash>.<pid>.<nanoseconds>`.
    pub counters: Vec<u8>,
    /// A count went beyond 2^32 - 1 when programs were joined, and stays there.
    pub overflowed: bool,
}

impl Pod {
    /// A program as it is, and its sums (`covdata merge`).
    #[must_use]
    pub fn of(program: &Program, sums: &Sums) -> Self {
        let hash = program.meta().hash;
        Self {
            hash,
            meta: program.bytes().to_vec(),
            counters: write(hash, &sums.args(), &sums.records(program)),
            overflowed: false,
        }
    }

    /// Some packages of a program (`covdata merge -pkg`).
    #[must_use]
    pub fn of_packages(
        program: &Program,
        sums: &Sums,
        is_wanted: impl Fn(&[u8]) -> bool,
        kind: HashKind,
    ) -> Self {
        let packages = program.meta().packages.iter().enumerate();
        let wanted = packages.filter(|(_, package)| is_wanted(&package.import_path));
        let wanted: Vec<usize> = wanted.map(|(index, _)| index).collect();
        let meta = select(program.meta(), &wanted, kind);
        let mut records = sums.records(program);
        records.retain_mut(|record| {
            let index = usize::try_from(record.package).unwrap_or(usize::MAX);
            let place = wanted.binary_search(&index).ok();
            let place = place.and_then(|place| u32::try_from(place).ok());
            record.package = place.unwrap_or(record.package);
            place.is_some()
        });
        let hash = hash_of(&meta);
        Self {
            hash,
            counters: write(hash, &sums.args(), &records),
            meta,
            overflowed: false,
        }
    }

    /// Several programs as one (`covdata merge -pcombine`): equal functions of a package are one,
    /// and their counters are added. The mode of the result is the highest.
    #[must_use]
    pub fn combined(
        programs: &[(&Program, &Sums)],
        is_wanted: impl Fn(&[u8]) -> bool,
        kind: HashKind,
    ) -> Self {
        let metas = || programs.iter().map(|(program, _)| program.meta());
        let mode = metas().map(|meta| meta.mode).max().unwrap_or(Mode::Set);
        let granularity = metas().next().map_or(Granularity::Block, |m| m.granularity);
        let mut builder = MetaBuilder::new(kind);
        let mut packages: HashMap<Text, Combined> = HashMap::new();
        let mut args: Option<Args> = None;
        let mut overflowed = false;
        for (program, sums) in programs {
            if let Some(new) = sums.runs_args() {
                match &mut args {
                    Some(common) => common.keep_common(new),
                    None => args = Some(new.clone()),
                }
            }
            for (index, package) in program.meta().packages.iter().enumerate() {
                if !is_wanted(&package.import_path) {
                    continue;
                }
                let path = &package.import_path;
                let known = packages.entry(path.clone()).or_insert_with(|| Combined {
                    index: builder.package(path, &package.name, &package.module),
                    functions: HashMap::new(),
                    counters: Vec::new(),
                });
                for (function, counters) in sums.by_package(program, index) {
                    overflowed |= known.add(&mut builder, function, counters, mode);
                }
            }
        }
        let mut packages: Vec<Combined> = packages.into_values().collect();
        packages.sort_by_key(|package| package.index);
        let mut records = Vec::new();
        for (package, one) in (0..=u32::MAX).zip(&packages) {
            for (function, counters) in (0..=u32::MAX).zip(&one.counters) {
                if let Some(counters) = counters {
                    records.push(Record {
                        package,
                        function,
                        counters,
                    });
                }
            }
        }
        let meta = builder.write_merged(mode, granularity);
        let hash = hash_of(&meta);
        Self {
            hash,
            counters: write(hash, &args.unwrap_or_default(), &records),
            meta,
            overflowed,
        }
    }
}

/// The hash in the header of a file that was just written.
fn hash_of(meta: &[u8]) -> Hash {
    Meta::parse(meta).map_or_else(|_| Hash::default(), |meta| meta.hash)
}

/// A package of several programs.
struct Combined {
    index: usize,
    functions: HashMap<Function, usize>,
    /// By function; `None` where no run wrote any.
    counters: Vec<Option<Vec<u32>>>,
}

impl Combined {
    fn add(
        &mut self,
        builder: &mut MetaBuilder,
        function: &Function,
        counters: Option<&[u32]>,
        mode: Mode,
    ) -> bool {
        let at = match self.functions.get(function) {
            Some(&at) => at,
            None => {
                let at = builder.function(self.index, function.clone());
                self.functions.insert(function.clone(), at);
                self.counters.push(None);
                at
            }
        };
        let Some(counters) = counters else {
            return false;
        };
        match &mut self.counters[at] {
            Some(sums) => add(mode, sums, counters),
            empty => {
                *empty = Some(counters.to_vec());
                false
            }
        }
    }
}
