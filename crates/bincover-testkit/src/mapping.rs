//! Coverage mappings of functions, and objects that hold them.

use crate::elf;
use crate::raw::{Function, name_ref, names_blob, uleb};

/// Version 7, as the header has it.
const VERSION: u32 = 6;

/// A range of a source file.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// LLVM: the encoded counter and kind.
    head: u64,
    /// The encoded counters of a branch: true, false.
    sides: Option<[u64; 2]>,
    /// Line and column.
    start: (u64, u64),
    end: (u64, u64),
}

impl Region {
    /// Code that a counter counts.
    #[must_use]
    pub fn code(counter: u64, start: (u64, u64), end: (u64, u64)) -> Self {
        Self {
            head: of_counter(counter),
            sides: None,
            start,
            end,
        }
    }

    /// What stands for the regions of another file of the function.
    #[must_use]
    pub fn expansion(file: usize, start: (u64, u64), end: (u64, u64)) -> Self {
        Self {
            head: (file as u64) << 3 | 4,
            sides: None,
            start,
            end,
        }
    }

    /// A branch, of which each side has a counter.
    #[must_use]
    pub fn branch(sides: [u64; 2], start: (u64, u64), end: (u64, u64)) -> Self {
        Self {
            head: BRANCH << 3,
            sides: Some(sides.map(of_counter)),
            start,
            end,
        }
    }
}

/// LLVM: `BranchRegion`.
const BRANCH: u64 = 4;

/// LLVM: the encoded counter, without a kind.
fn of_counter(counter: u64) -> u64 {
    counter << 2 | 1
}

/// The mapping of a function without expressions: for each of its files the index in the object's files, and the regions,
/// ordered by their starts.
#[must_use]
pub fn function(files: &[(usize, Vec<Region>)]) -> Vec<u8> {
    let mut out = uleb(files.len() as u64);
    for (file, _) in files {
        // The folder is before them.
        out.extend(uleb(*file as u64 + 1));
    }
    out.extend(uleb(0));
    for (_, regions) in files {
        out.extend(uleb(regions.len() as u64));
        let mut line = 0;
        for region in regions {
            out.extend(uleb(region.head));
            region
                .sides
                .iter()
                .flatten()
                .for_each(|side| out.extend(uleb(*side)));
            out.extend(uleb(region.start.0 - line));
            out.extend(uleb(region.start.1));
            out.extend(uleb(region.end.0 - region.start.0));
            out.extend(uleb(region.end.1));
            line = region.start.0;
        }
    }
    out
}

/// An object of one translation unit: files in a folder, and functions with their mappings.
#[must_use]
pub fn object(
    folder: &str,
    files: &[String],
    functions: &[Function],
    mapping: impl Fn(usize) -> Vec<u8>,
) -> Vec<u8> {
    let table = file_table(folder, files);
    let mut covmap = Vec::new();
    for field in [0, length(&table), 0, VERSION] {
        covmap.extend(field.to_le_bytes());
    }
    covmap.extend(&table);
    covmap.resize(covmap.len().next_multiple_of(8), 0);

    let table_ref = name_ref(&table).to_le_bytes();
    let mut covfun = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        let data = mapping(index);
        covfun.extend(name_ref(&function.name).to_le_bytes());
        covfun.extend(length(&data).to_le_bytes());
        covfun.extend(function.hash.to_le_bytes());
        covfun.extend(table_ref);
        covfun.extend(data);
        covfun.resize(covfun.len().next_multiple_of(8), 0);
    }
    elf::build(&[
        ("__llvm_prf_names", &names_blob(functions)),
        ("__llvm_covmap", &covmap),
        ("__llvm_covfun", &covfun),
    ])
}

/// Not compressed.
fn file_table(folder: &str, files: &[String]) -> Vec<u8> {
    let mut names = Vec::new();
    for name in [folder].into_iter().chain(files.iter().map(String::as_str)) {
        names.extend(uleb(name.len() as u64));
        names.extend(name.as_bytes());
    }
    let mut table = uleb(files.len() as u64 + 1);
    table.extend(uleb(names.len() as u64));
    table.extend(uleb(0));
    table.extend(names);
    table
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_count_lines_from_the_one_before() {
        let regions = vec![
            Region::code(2, (10, 1), (200, 4)),
            Region::expansion(1, (12, 5), (12, 9)),
        ];
        let mapping = function(&[(0, regions), (1, vec![])]);
        let expected = [
            &[2, 1, 2, 0][..],
            &[2, 9, 10, 1, 0xbe, 1, 4],
            &[12, 2, 5, 0, 9],
            &[0],
        ];
        assert_eq!(mapping, expected.concat());
    }

    #[test]
    fn records_are_aligned_and_name_their_table() {
        let functions = [Function::new("f", 7, [0]), Function::new("g", 8, [0])];
        let object = object("/top", &["a.c".to_owned()], &functions, |_| vec![1; 9]);
        let covmap = elf::section(&object, "__llvm_covmap");
        let table = b"\x02\x09\x00\x04/top\x03a.c";
        assert_eq!(covmap[4..8], 12u32.to_le_bytes());
        assert_eq!(covmap[16..28], *table);
        let covfun = elf::section(&object, "__llvm_covfun");
        assert_eq!(covfun.len(), 80);
        assert_eq!(covfun[40..48], name_ref(b"g").to_le_bytes());
        assert_eq!(covfun[48..52], 9u32.to_le_bytes());
        assert_eq!(covfun[52..60], 8u64.to_le_bytes());
        assert_eq!(covfun[60..68], name_ref(table).to_le_bytes());
    }
}
