//! The profile: blocks and counts of all programs and text profiles together, by package (Go:
//! `cformat.Formatter`).

use std::collections::{BTreeMap, HashMap};

use bstr::{BString, ByteSlice};

use crate::ledger::Cause;
use crate::meta::{Function, Text, Unit};
use crate::mode::Mode;
use crate::program::{Program, Sums};
use crate::text::TextProfile;

/// Counts by package, function and block. Programs that share packages add up.
#[derive(Clone, Debug)]
pub struct Profile {
    mode: Mode,
    packages: BTreeMap<Text, Package>,
    /// Which package a file is of: mostly, but not always, the folder in its name.
    package_of: HashMap<Text, Text>,
}

/// A package of a [`Profile`].
#[derive(Clone, Debug, Default)]
pub struct Package {
    mode: Option<Mode>,
    module: Text,
    functions: Vec<FunctionCounts>,
    index: HashMap<Function, usize>,
    /// By file and place, the function and the block there; `None` until a text profile asks.
    places: Option<HashMap<(Text, Place), (usize, usize)>>,
    /// Blocks that only text profiles have, which know no functions.
    loose: BTreeMap<(Text, Place), Loose>,
}

/// A function and how often each of its blocks ran.
#[derive(Clone, Debug)]
pub struct FunctionCounts {
    /// The function.
    pub function: Function,
    /// By block; in [`Mode::Set`] 0 or 1.
    pub counts: Vec<u64>,
}

/// A block with its count, as a text profile lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'p> {
    /// The import path and the base name of the file.
    pub file: &'p [u8],
    /// The name of the function; empty where only a text profile has the block.
    pub function: &'p [u8],
    /// The function is a literal outside of any.
    pub literal: bool,
    /// Where it is, and how many statements it has.
    pub unit: Unit,
    /// How often it ran.
    pub count: u64,
}

/// Line and column of both ends.
type Place = [u32; 4];

#[derive(Clone, Copy, Debug)]
struct Loose {
    statements: u32,
    count: u64,
}

fn place(unit: &Unit) -> Place {
    let [a, b, c, d, _] = unit.fields();
    [a, b, c, d]
}

/// Adds as the mode has it.
fn added(mode: Mode, sum: u64, count: u64) -> u64 {
    match mode {
        Mode::Set => u64::from(sum != 0 || count != 0),
        _ => sum.saturating_add(count),
    }
}

impl Profile {
    /// An empty profile, whose counts are added as in this mode. That of several inputs is the
    /// highest of theirs; what was only set counts as 1 there.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            packages: BTreeMap::new(),
            package_of: HashMap::new(),
        }
    }

    /// What the counts mean.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The packages, by import path.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// The packages with their import paths.
    pub fn named_packages(&self) -> impl Iterator<Item = (&[u8], &Package)> {
        self.packages
            .iter()
            .map(|(path, package)| (&**path, package))
    }

    /// Adds those packages of a program that are wanted, by import path.
    pub fn add_program(
        &mut self,
        program: &Program,
        sums: &Sums,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) {
        for (index, one) in program.meta().packages.iter().enumerate() {
            if !is_wanted(&one.import_path) {
                continue;
            }
            let path = &one.import_path;
            let package = self.packages.entry(path.clone()).or_default();
            package.mode = Some(self.mode);
            if package.module.is_empty() {
                package.module = one.module.clone();
            }
            for (function, counts) in sums.by_package(program, index) {
                if !self.package_of.contains_key(&function.file) {
                    self.package_of.insert(function.file.clone(), path.clone());
                }
                package.add(self.mode, function, counts.unwrap_or_default());
            }
        }
    }

    /// Adds a text profile. Blocks that programs have too are the same; so programs are best added
    /// first.
    pub fn add_text(&mut self, text: &TextProfile<'_>) -> Vec<Cause> {
        let mut mismatch: Option<(BString, u32)> = None;
        let mut blocks = 0;
        // Lines of one file come together.
        let mut last: Option<(Text, Text)> = None;
        for block in &text.blocks {
            let (file, path) = match last.take() {
                Some((file, path)) if *file == *block.file => (file, path),
                _ => self.file_and_package(block.file),
            };
            let package = self.packages.entry(path.clone()).or_default();
            package.mode = Some(self.mode);
            if !package.add_loose(self.mode, &file, &block.unit, block.count) {
                blocks += 1;
                let first = || (file.as_bstr().to_owned(), block.unit.start_line);
                mismatch.get_or_insert_with(first);
            }
            last = Some((file, path));
        }
        let mut causes = Vec::new();
        if let Some((file, line)) = mismatch {
            causes.push(Cause::StatementMismatch { file, line, blocks });
        }
        if text.modes_differ {
            causes.push(Cause::ModesDiffer { mode: text.mode });
        }
        causes
    }

    fn file_and_package(&self, file: &[u8]) -> (Text, Text) {
        if let Some((file, path)) = self.package_of.get_key_value(file) {
            return (file.clone(), path.clone());
        }
        let end = file.rfind_byte(b'/').unwrap_or(0);
        (file.into(), file[..end].into())
    }

    /// Blocks that overlap others of their file without being the same, as the versions of a source
    /// or of Go do when they are put together: their statements count twice. How many there are, and
    /// the first.
    #[must_use]
    pub fn overlaps(&self) -> Option<(usize, Block<'_>)> {
        let mut found = 0;
        let mut first = None;
        for package in self.packages() {
            let mut blocks = package.blocks();
            let start = |block: &Block<'_>| (block.unit.start_line, block.unit.start_column);
            let end = |block: &Block<'_>| (block.unit.end_line, block.unit.end_column);
            blocks.retain(|block| block.unit.start_column > 0 && start(block) < end(block));
            blocks.sort_by_key(|block| (block.file, start(block), end(block)));
            for of_file in blocks.chunk_by(|a, b| a.file == b.file) {
                let mut last = (0, 0);
                for block in of_file {
                    if start(block) < last {
                        found += 1;
                        first.get_or_insert(*block);
                    }
                    last = last.max(end(block));
                }
            }
        }
        first.map(|first| (found, first))
    }
}

impl Package {
    /// The path of its module; empty for the standard library, outside modules, and if only text
    /// profiles have the package.
    #[must_use]
    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// Its functions, in the order in which they were met.
    #[must_use]
    pub fn functions(&self) -> &[FunctionCounts] {
        &self.functions
    }

    fn add(&mut self, mode: Mode, function: &Function, counts: &[u32]) {
        let at = match self.index.get(function) {
            Some(&at) => at,
            None => self.insert(mode, function),
        };
        let sums = &mut self.functions[at].counts;
        for (sum, &count) in sums.iter_mut().zip(counts) {
            *sum = added(mode, *sum, count.into());
        }
    }

    fn insert(&mut self, mode: Mode, function: &Function) -> usize {
        let at = self.functions.len();
        let mut counts = vec![0; function.units.len()];
        if !self.loose.is_empty() {
            for (count, unit) in counts.iter_mut().zip(function.units.iter()) {
                let key = (function.file.clone(), place(unit));
                if let Some(loose) = self.loose.remove(&key) {
                    *count = added(mode, *count, loose.count);
                }
            }
        }
        // Only text profiles ask by place.
        self.places = None;
        self.index.insert(function.clone(), at);
        self.functions.push(FunctionCounts {
            function: function.clone(),
            counts,
        });
        at
    }

    /// False if the block is known with another number of statements.
    fn add_loose(&mut self, mode: Mode, file: &Text, unit: &Unit, count: u64) -> bool {
        let places = self.places.get_or_insert_with(|| {
            let mut places = HashMap::new();
            for (at, one) in self.functions.iter().enumerate() {
                for (index, unit) in one.function.units.iter().enumerate() {
                    let key = (one.function.file.clone(), place(unit));
                    places.entry(key).or_insert((at, index));
                }
            }
            places
        });
        let key = (file.clone(), place(unit));
        if let Some(&(at, index)) = places.get(&key) {
            let one = &mut self.functions[at];
            one.counts[index] = added(mode, one.counts[index], count);
            return one.function.units[index].statements == unit.statements;
        }
        let statements = unit.statements;
        let loose = self.loose.entry(key).or_insert(Loose {
            statements,
            count: 0,
        });
        loose.count = added(mode, loose.count, count);
        let is_same = loose.statements == statements;
        loose.statements = loose.statements.max(statements);
        is_same
    }

    /// The blocks as text profiles list them: by file and place, of which the last line comes before
    /// the first column. Equal blocks of functions of one name are one.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mode = self.mode.unwrap_or(Mode::Set);
        let mut files: Vec<&Text> = self
            .functions
            .iter()
            .map(|one| &one.function.file)
            .collect();
        files.extend(self.loose.keys().map(|(file, _)| file));
        files.sort_unstable();
        files.dedup();
        let ranks: HashMap<&Text, usize> =
            files.iter().enumerate().map(|(at, f)| (*f, at)).collect();
        let mut blocks: Vec<(usize, Block<'_>)> = Vec::new();
        for one in &self.functions {
            let function = &one.function;
            let rank = ranks[&function.file];
            let units = function.units.iter().zip(&one.counts);
            blocks.extend(units.map(|(unit, &count)| {
                let block = Block {
                    file: &function.file,
                    function: &function.name,
                    literal: function.literal,
                    unit: *unit,
                    count,
                };
                (rank, block)
            }));
        }
        for ((file, place), loose) in &self.loose {
            let [start_line, start_column, end_line, end_column] = *place;
            let block = Block {
                file,
                function: b"",
                literal: false,
                unit: Unit {
                    start_line,
                    start_column,
                    end_line,
                    end_column,
                    statements: loose.statements,
                },
                count: loose.count,
            };
            blocks.push((ranks[file], block));
        }
        let order = |(rank, block): &(usize, Block<'_>)| {
            let unit = block.unit;
            (
                *rank,
                [
                    unit.start_line,
                    unit.end_line,
                    unit.start_column,
                    unit.end_column,
                    unit.statements,
                ],
            )
        };
        blocks.sort_by(|a, b| {
            let named = |block: &Block<'_>| (block.literal, block.function.len());
            let by_place = order(a).cmp(&order(b));
            by_place.then_with(|| {
                let by_name = a.1.function.cmp(b.1.function);
                by_name.then(named(&a.1).cmp(&named(&b.1)))
            })
        });
        blocks.dedup_by(|new, old| {
            let same = (new.0, new.1.unit, new.1.function, new.1.literal)
                == (old.0, old.1.unit, old.1.function, old.1.literal);
            if same {
                old.1.count = added(mode, old.1.count, new.1.count);
            }
            same
        });
        blocks.into_iter().map(|(_, block)| block).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::meta::{Function, MetaBuilder};
    use crate::sample;
    use crate::text;
    use crate::{Granularity, HashKind};

    const TEXT: &str = "mode: count\n\
        example.com/m/a/t.go:3.10,5.2 1 2\n\
        example.com/m/a/t.go:7.10,8.3 2 1\n\
        example.com/m/a/t.go:9.3,9.9 1 0\n";

    fn of(parts: &[&str], mode: Mode, program_at: Option<usize>) -> (Profile, Vec<Cause>) {
        let mut profile = Profile::new(mode);
        let mut causes = Vec::new();
        for at in 0..=parts.len() {
            if program_at == Some(at) {
                let program = sample::program(Mode::Count);
                let sums = Sums::new(&program, Mode::Count);
                profile.add_program(&program, &sums, |_| true);
            }
            if let Some(part) = parts.get(at) {
                let text = TextProfile::parse(part.as_bytes()).unwrap();
                causes.extend(profile.add_text(&text));
            }
        }
        (profile, causes)
    }

    #[track_caller]
    fn check(parts: &[&str], mode: Mode, expected: &str) -> Vec<Cause> {
        let (profile, causes) = of(parts, mode, None);
        assert_eq!(
            text::write(&profile).as_bstr(),
            expected.as_bytes().as_bstr()
        );
        causes
    }

    #[test]
    fn the_same_block_is_one() {
        let twice = TEXT.replace(" 2\n", " 4\n").replace("2 1\n", "2 2\n");
        assert!(check(&[TEXT, TEXT], Mode::Count, &twice).is_empty());
        let set = TEXT.replace("count", "set").replace(" 2\n", " 1\n");
        assert!(check(&[TEXT, TEXT], Mode::Set, &set).is_empty());
    }

    #[test]
    fn statements_that_differ_are_told() {
        let other = TEXT.replace("8.3 2 1", "8.3 5 1");
        let expected = TEXT.replace("8.3 2 1", "8.3 5 2").replace(" 2\n", " 4\n");
        let expected = expected.replace("8.3 5 4", "8.3 5 2");
        let causes = check(&[TEXT, &other], Mode::Count, &expected);
        assert_eq!(
            causes[0].to_string(),
            "example.com/m/a/t.go:7: another number of statements than in what was read before \
             (1 such blocks); the larger was kept"
        );
    }

    #[test]
    fn text_and_program_share_blocks_in_any_order() {
        for at in [0, 1] {
            let (profile, causes) = of(&[TEXT], Mode::Count, Some(at));
            assert!(causes.is_empty(), "{causes:?}");
            let package = profile.packages().next().unwrap();
            assert_eq!(package.functions()[0].counts, [2]);
            assert_eq!(package.functions()[1].counts, [1, 0]);
            assert_eq!(package.blocks().len(), 3);
            assert!(profile.overlaps().is_none());
        }
    }

    /// If the functions' blocks were gathered again for each line, this would take minutes.
    #[test]
    fn functions_without_blocks() {
        let count = 1 << 16;
        let mut builder = MetaBuilder::new(HashKind::Fnv);
        let [path, name, file] = ["m/a", "a", "m/a/t.go"].map(|text| Text::from(text.as_bytes()));
        let package = builder.package(&path, &name, &Text::default());
        for number in 0..count {
            builder.function(
                package,
                Function {
                    name: format!("f{number}").as_bytes().into(),
                    file: file.clone(),
                    units: [].into(),
                    literal: false,
                },
            );
        }
        let program = builder.write(Mode::Count, Granularity::Block);
        let program = Program::parse(program).unwrap();
        let mut profile = Profile::new(Mode::Count);
        profile.add_program(&program, &Sums::new(&program, Mode::Count), |_| true);
        let lines = (1..=count).map(|line| format!("m/a/t.go:{line}.1,{line}.9 1 1\n"));
        let text = format!("mode: count\n{}", lines.collect::<String>());
        assert!(
            profile
                .add_text(&TextProfile::parse(text.as_bytes()).unwrap())
                .is_empty()
        );
        assert_eq!(profile.packages().next().unwrap().blocks().len(), count);
    }

    #[test]
    fn versions_that_overlap_are_told() {
        let other = TEXT.replace("7.10,8.3", "7.12,8.3");
        let (profile, _) = of(&[TEXT, &other], Mode::Count, None);
        let (count, first) = profile.overlaps().unwrap();
        assert_eq!((count, first.unit.start_line), (1, 7));
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = (0..3u8, 1..5u32, 1..4u32, 0..9u64);
        prop::collection::vec(line, 0..12).prop_map(|lines| {
            let mut text = "mode: count\n".to_owned();
            for (file, line, len, count) in lines {
                text += &format!("m/{file}.go:{line}.1,{}.2 1 {count}\n", line + len);
            }
            text
        })
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(parts in prop::collection::vec(lines(), 1..5)) {
            let forward: Vec<&str> = parts.iter().map(String::as_str).collect();
            let backward: Vec<&str> = forward.iter().rev().copied().collect();
            let all = text::write(&of(&forward, Mode::Count, None).0);
            prop_assert_eq!(&all, &text::write(&of(&backward, Mode::Count, None).0));
            let first = text::write(&of(&forward[..1], Mode::Count, None).0);
            let first = String::from_utf8(first).unwrap();
            let mut grouped = vec![first.as_str()];
            grouped.extend_from_slice(&forward[1..]);
            prop_assert_eq!(&all, &text::write(&of(&grouped, Mode::Count, None).0));
            let joined = parts.concat();
            prop_assert_eq!(&all, &text::write(&of(&[&joined], Mode::Count, None).0));
        }
    }
}
