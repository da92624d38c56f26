//! Random coverage mappings: ours and LLVM's llvm-cov say the same of each, to the byte.
//!
//! A fixed seed makes 200 of them; `BINCOVER_RANDOM_MAPPINGS=2000` makes more of the same sequence.
//! Each is an object (or two) with a covmap of its own and a profile that fits, mostly.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use bincover::profile::{Merger, WriteOptions, indexed, md5_low64};
use bincover_testkit::elf;
use bincover_testkit::raw::{Function, RawFile, Shape, name_ref, names_blob, uleb};
use bincover_testkit::rng::Rng;
use libtest_mimic::{Arguments, Failed, Trial};

const ORACLE: &str = "llvm-cov-22";
const OURS: &str = env!("CARGO_BIN_EXE_bincover");

/// Of each mapping all of these.
const COMMANDS: &[&str] = &[
    "export -format=lcov",
    "export",
    "report -show-functions -show-mcdc-summary SOURCES",
    "show -show-branches=count -show-expansions -show-mcdc -show-regions -show-instantiations",
];

const FILES: usize = 3;
const LINES: u64 = 30;
const COLUMNS: u64 = 40;

fn main() -> ExitCode {
    let is_required = std::env::var_os("BINCOVER_REQUIRE_ORACLES").is_some_and(|set| set == "1");
    let is_ignored = !is_required && which::which(ORACLE).is_err();
    let count = std::env::var("BINCOVER_RANDOM_MAPPINGS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(200u64);
    // In a few trials, so that the processors have something to do.
    let trials = (0..4)
        .map(|part| {
            let name = format!("mappings {part} of 4, {count} in all");
            let run = move || {
                // By version, whether one of its mappings had a file to show.
                let mut shown = [None; 7];
                for seed in (part..count).step_by(4) {
                    let (version, has_file) = same_as_tool(seed)?;
                    *shown[version].get_or_insert(false) |= has_file;
                }
                match shown.contains(&Some(false)) {
                    true => Err(format!("nothing was shown of a version: {shown:?}").into()),
                    false => Ok(()),
                }
            };
            Trial::test(name, run).with_ignored_flag(is_ignored)
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The version of the mapping, counted from 0, and whether there was a file in the reports.
fn same_as_tool(seed: u64) -> Result<(usize, bool), Failed> {
    let folder = tempfile::tempdir()?;
    let here = folder.path();
    let mut rng = Rng::new(seed);
    let program = Program::random(&mut rng, here);
    for (index, object) in program.objects().iter().enumerate() {
        fs::write(here.join(format!("{index}.o")), object)?;
    }
    fs::write(here.join("profdata"), program.profile())?;
    for file in 0..FILES {
        fs::write(here.join(file_name(file)), source())?;
    }
    let mut has_file = false;
    for command in COMMANDS {
        let mut words: Vec<String> = Vec::new();
        for word in command.split(' ') {
            match word {
                "SOURCES" => words.extend(
                    (0..FILES).map(|file| format!("{}/{}", here.display(), file_name(file))),
                ),
                word => words.push(word.to_owned()),
            }
        }
        words.splice(1..1, program.words());
        let theirs = run(Path::new(ORACLE), here, &words)?;
        let ours = run(Path::new(OURS), here, &words)?;
        if ours != theirs {
            let kept = folder.keep();
            return Err(format!(
                "seed {seed}: {} differs, in {}\n{}",
                words.join(" "),
                kept.display(),
                first_difference(&theirs, &ours)
            )
            .into());
        }
        has_file |= ours.starts_with("SF:");
    }
    Ok((program.version as usize, has_file))
}

fn run(tool: &Path, folder: &Path, words: &[String]) -> Result<String, Failed> {
    let output = Command::new(tool)
        .arg0(ORACLE)
        .args(words)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", tool.display()))?;
    Ok(format!(
        "{}\n--- stderr\n{}--- code {:?}\n",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code()
    ))
}

fn first_difference(theirs: &str, ours: &str) -> String {
    let mut lines = theirs.lines().zip(ours.lines()).enumerate();
    let mut text = String::new();
    if let Some((line, (theirs, ours))) = lines.find(|(_, (theirs, ours))| theirs != ours) {
        let _ = write!(
            text,
            "line {}\n  theirs: {theirs}\n  ours:   {ours}",
            line + 1
        );
    } else {
        let _ = write!(text, "one is longer:\n{theirs}\n---\n{ours}");
    }
    text
}

/// Lines as wide as the columns of regions go, some of them short.
fn source() -> String {
    let line = |number: u64| {
        let len = if number % 7 == 3 { 5 } else { COLUMNS + 5 };
        (0..len)
            .map(|column| char::from(b'a' + u8::try_from((number + column) % 26).unwrap_or(0)))
            .collect::<String>()
            + "\n"
    };
    (1..=LINES + 5).map(line).collect()
}

fn file_name(index: usize) -> String {
    ["a.c", "b.h", "dir.c"][index].to_owned()
}

/// What is measured: the functions of one object or two, and the counts.
struct Program {
    /// Mapping version minus 1.
    version: u32,
    folder: String,
    objects: Vec<Vec<Mapped>>,
    counted: Vec<Function>,
}

/// A function's record in an object.
#[derive(Clone)]
struct Mapped {
    name: String,
    hash: u64,
    data: Vec<u8>,
}

impl Program {
    fn random(rng: &mut Rng, folder: &Path) -> Self {
        let version = [6, 6, 6, 5, 4, 3, 2, 1, 0][index(rng, 9)];
        let mut objects: Vec<Vec<Mapped>> = Vec::new();
        let mut counted: Vec<Function> = Vec::new();
        for object in 0..1 + index(rng, 2) {
            let mut mapped = Vec::new();
            for number in 0..1 + index(rng, 8) {
                let is_shared = rng.below(4) == 0;
                let name = match is_shared {
                    true => format!("shared{}", rng.below(3)),
                    false => format!("f{object}_{number}"),
                };
                let mut shape = Shaped::default();
                let data = shape.function(rng);
                let hash = match rng.below(12) {
                    0 => 0,
                    _ => 1 + rng.below(3),
                };
                mapped.push(Mapped {
                    name: name.clone(),
                    hash,
                    data,
                });
                let is_known = counted
                    .iter()
                    .any(|function| function.name == name.as_bytes());
                if is_known && !is_shared || rng.below(10) == 0 {
                    continue;
                }
                let counters = match rng.below(15) {
                    0 => 1,
                    _ => COUNTERS,
                };
                let counts: Vec<u64> = (0..counters)
                    .map(|_| match rng.below(12) {
                        0..4 => 0,
                        4 => 1 << rng.below(55),
                        _ => rng.below(1200),
                    })
                    .collect();
                let hash = match rng.below(12) {
                    0 => 9,
                    1 => 1 << 60 | hash,
                    _ => hash,
                };
                let is_there = counted
                    .iter()
                    .any(|function| function.name == name.as_bytes() && function.hash == hash);
                if !is_there {
                    let bitmap = (0..BITMAP_BYTES).map(|_| rng.byte() & rng.byte()).collect();
                    counted.push(Function {
                        bitmap,
                        ..Function::new(&name, hash, counts)
                    });
                }
            }
            objects.push(mapped);
        }
        Self {
            version,
            folder: folder.display().to_string(),
            objects,
            counted,
        }
    }

    /// The objects and the profile as llvm-cov's words.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["0.o".to_owned(), "-instr-profile=profdata".to_owned()];
        words.extend((1..self.objects.len()).map(|index| format!("-object={index}.o")));
        words
    }

    fn profile(&self) -> Vec<u8> {
        let mut merger = Merger::new();
        let bytes = RawFile::new(Shape::CURRENT, &self.counted).bytes();
        merger.add("run", &bytes, std::num::NonZeroU64::MIN);
        let merged = merger.finish();
        assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
        indexed::write(&merged.profile, &WriteOptions::default())
    }

    fn objects(&self) -> Vec<Vec<u8>> {
        self.objects
            .iter()
            .map(|functions| self.object(functions))
            .collect()
    }

    fn object(&self, functions: &[Mapped]) -> Vec<u8> {
        // The compilation directory comes first since version 6.
        let mut names = Vec::new();
        if self.version >= 5 {
            names.push(self.folder.clone());
        }
        for file in 0..FILES {
            names.push(match self.version {
                5.. => file_name(file),
                _ => format!("{}/{}", self.folder, file_name(file)),
            });
        }
        // Functions count their files from the first that is one.
        let first = u64::from(self.version >= 5);
        let mut plain = Vec::new();
        for name in &names {
            plain.extend(uleb(name.len() as u64));
            plain.extend(name.as_bytes());
        }
        let mut table = uleb(names.len() as u64);
        if self.version < 3 {
            table.extend(plain);
            return self.old_object(&table, functions);
        }
        table.extend(uleb(plain.len() as u64));
        table.extend(uleb(0));
        table.extend(plain);

        let mut covmap = Vec::new();
        for field in [0, u32::try_from(table.len()).unwrap_or(0), 0, self.version] {
            covmap.extend(field.to_le_bytes());
        }
        covmap.extend(&table);
        covmap.resize(covmap.len().next_multiple_of(8), 0);
        let mut covfun: Vec<u8> = Vec::new();
        for function in functions {
            let data = with_file_base(&function.data, first);
            covfun.resize(covfun.len().next_multiple_of(8), 0);
            covfun.extend(name_ref(function.name.as_bytes()).to_le_bytes());
            covfun.extend(u32::try_from(data.len()).unwrap_or(0).to_le_bytes());
            covfun.extend(function.hash.to_le_bytes());
            covfun.extend(md5_low64(&table).to_le_bytes());
            covfun.extend(data);
        }
        let named: Vec<Function> = functions
            .iter()
            .map(|function| Function::new(&function.name, 1, [0]))
            .collect();
        elf::build(&[
            ("__llvm_prf_names", &names_blob(&named)),
            ("__llvm_covmap", &covmap),
            ("__llvm_covfun", &covfun),
        ])
    }
}

impl Program {
    /// Before version 4, records and their mappings are in the section of the file names, and before
    /// version 2 they point to their names, which are plain.
    fn old_object(&self, table: &[u8], functions: &[Mapped]) -> Vec<u8> {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (mut records, mut mappings): (Vec<u8>, Vec<u8>) = Default::default();
        let mut text: Vec<u8> = Vec::new();
        for function in functions {
            match self.version {
                0 => {
                    records.extend((text.len() as u64).to_le_bytes());
                    records.extend(small(function.name.len()).to_le_bytes());
                    text.extend(function.name.as_bytes());
                }
                _ => records.extend(name_ref(function.name.as_bytes()).to_le_bytes()),
            }
            records.extend(small(function.data.len()).to_le_bytes());
            records.extend(function.hash.to_le_bytes());
            mappings.extend(&function.data);
        }
        let sizes = [functions.len(), table.len(), mappings.len()].map(small);
        let header = [&sizes[..], &[self.version]].concat();
        let mut covmap: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
        covmap.extend(records);
        covmap.extend(table);
        covmap.extend(mappings);
        covmap.resize(covmap.len().next_multiple_of(8), 0);
        let named = functions.iter();
        let named: Vec<Function> = named
            .map(|function| Function::new(&function.name, 1, [0]))
            .collect();
        let names = match self.version {
            0 => text,
            _ => names_blob(&named),
        };
        elf::build(&[("__llvm_prf_names", &names), ("__llvm_covmap", &covmap)])
    }
}

/// The first byte of a function's data is the number of its files, then come those, one byte each.
fn with_file_base(data: &[u8], first: u64) -> Vec<u8> {
    let count = usize::from(data[0]);
    let mut out = data.to_vec();
    for file in &mut out[1..=count] {
        *file += u8::try_from(first).unwrap_or(0);
    }
    out
}

/// Counters of a function.
const COUNTERS: usize = 6;

/// Room for the test vectors of a few decisions.
const BITMAP_BYTES: usize = 12;

/// A function being made.
#[derive(Default)]
struct Shaped {
    expressions: Vec<(u64, u64)>,
    /// Bits of the bitmap that decisions have taken.
    bits: u64,
}

/// A region: start, end (line and column), gap or not, the head and what follows it.
struct Region {
    start: (u64, u64),
    end: (u64, u64),
    is_gap: bool,
    head: u64,
    rest: Vec<u64>,
}

impl Shaped {
    fn function(&mut self, rng: &mut Rng) -> Vec<u8> {
        if rng.below(25) == 0 {
            // As clang has it for unused functions: one file, one region that counts nothing.
            return vec![1, 0, 0, 1, 0, 1, 1, 2, 5];
        }
        for at in 0..rng.below(5) {
            let sides = (self.counter(rng, at), self.counter(rng, at));
            self.expressions.push(sides);
        }
        let files = 1 + index(rng, 4);
        let mut data = Vec::new();
        data.extend(uleb(files as u64));
        for file in 0..files {
            let is_first = file == 0 || rng.below(3) == 0;
            data.push(if is_first {
                0
            } else {
                u8::try_from(rng.below(FILES as u64)).unwrap_or(0)
            });
        }
        data.extend(uleb(self.expressions.len() as u64));
        for (left, right) in self.expressions.clone() {
            data.extend(uleb(left));
            data.extend(uleb(right));
        }
        for file in 0..files {
            let mut regions = self.regions(rng, file, files);
            regions.sort_by_key(|region| (region.start, std::cmp::Reverse(region.end)));
            data.extend(uleb(regions.len() as u64));
            let mut line = 0;
            for region in regions {
                data.extend(uleb(region.head));
                for word in &region.rest {
                    data.extend(uleb(*word));
                }
                data.extend(uleb(region.start.0 - line));
                line = region.start.0;
                data.extend(uleb(region.start.1));
                data.extend(uleb(region.end.0 - region.start.0));
                data.extend(uleb(region.end.1 | u64::from(region.is_gap) << 31));
            }
        }
        data
    }

    /// A counter; expressions refer to those before `expressions` only.
    fn counter(&self, rng: &mut Rng, expressions: u64) -> u64 {
        match rng.below(8) {
            0 => 0,
            1..4 if expressions > 0 => rng.below(expressions) << 2 | 2 | rng.below(2),
            _ => rng.below(COUNTERS as u64) << 2 | 1,
        }
    }

    fn any_counter(&self, rng: &mut Rng) -> u64 {
        if rng.below(200) == 0 {
            // There is no such counter.
            return 40 << 2 | 1;
        }
        self.counter(rng, self.expressions.len() as u64)
    }

    fn regions(&mut self, rng: &mut Rng, file: usize, files: usize) -> Vec<Region> {
        let mut regions = Vec::new();
        let whole = (
            (1 + rng.below(3), 1 + rng.below(9)),
            (LINES - rng.below(9), 1 + rng.below(COLUMNS)),
        );
        regions.push(Region {
            start: whole.0,
            end: whole.1,
            is_gap: false,
            head: self.any_counter(rng),
            rest: Vec::new(),
        });
        for target in file + 1..files {
            if rng.below(2) == 0 {
                let (start, end) = span(rng);
                let head = (target as u64) << 3 | 4;
                regions.push(Region {
                    start,
                    end,
                    is_gap: false,
                    head,
                    rest: Vec::new(),
                });
            }
        }
        for _ in 0..rng.below(9) {
            let (start, end) = span(rng);
            let (head, rest) = match rng.below(10) {
                0 => (2 << 3, Vec::new()),
                1..4 => (4 << 3, vec![self.any_counter(rng), self.any_counter(rng)]),
                _ => (self.any_counter(rng), Vec::new()),
            };
            let is_gap = head != 4 << 3 && head != 2 << 3 && rng.below(8) == 0;
            regions.push(Region {
                start,
                end,
                is_gap,
                head,
                rest,
            });
        }
        if rng.below(3) == 0 {
            self.decision(rng, &mut regions);
        }
        regions
    }

    /// A decision on a line of its own with its conditions: a chain of `&&` or of `||`.
    fn decision(&mut self, rng: &mut Rng, regions: &mut Vec<Region>) {
        let line = LINES + 1;
        let conditions = 2 + rng.below(3);
        // A chain of n conditions has n + 1 test vectors.
        self.bits += conditions + 1;
        regions.push(Region {
            start: (line, 1),
            end: (line, COLUMNS),
            is_gap: false,
            head: 5 << 3,
            rest: vec![self.bits, conditions],
        });
        let is_and = rng.below(2) == 0;
        for id in 1..=conditions {
            let next = if id < conditions { id + 1 } else { 0 };
            let (on_true, on_false) = if is_and { (next, 0) } else { (0, next) };
            let start = (line, 1 + 8 * (id - 1));
            regions.push(Region {
                start,
                end: (line, start.1 + 6),
                is_gap: false,
                head: 6 << 3,
                rest: vec![
                    self.counter(rng, 0),
                    self.counter(rng, 0),
                    id,
                    on_true,
                    on_false,
                ],
            });
        }
    }
}

/// A start and an end that is not before it.
fn span(rng: &mut Rng) -> ((u64, u64), (u64, u64)) {
    let start = (1 + rng.below(LINES - 3), 1 + rng.below(COLUMNS));
    let end = match rng.below(3) {
        0 => (start.0, start.1 + rng.below(COLUMNS - start.1 + 1)),
        _ => (start.0 + rng.below(LINES - start.0), 1 + rng.below(COLUMNS)),
    };
    (start, end.max(start))
}

fn index(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap_or(0)
}
