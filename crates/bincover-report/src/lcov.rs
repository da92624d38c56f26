//! The lcov tracefile, byte for byte as `llvm-cov export -format=lcov` writes it:
//! [its source](https://github.com/llvm/llvm-project/blob/llvmorg-22.1.8/llvm/tools/llvm-cov/CoverageExporterLcov.cpp).
//! Compared with LLVM 22.1.8, on the C program in the tests below; versions 14 and 19 print branches
//! inside macros differently.
//!
//! What surprises people, and is LLVM's choice:
//!
//! - `LF`, `LH`, `BRF`, `BRH`, `FNF` and `FNH` come from [`File::summary`], which counts
//!   instantiation groups; they need not agree with the `DA`, `BRDA` and `FN` lines above them;
//! - `FN` and `FNDA` list every instantiation, by its mangled name (but see
//!   [`Options::instantiations`] and [`Options::demangle`]);
//! - counts in `BRDA` are cut to 32 bits; a pair of which both are then 0 prints `-`.
//!
//! Names are raw bytes and go out as they came. The format has no quoting: a line feed in a file's
//! name breaks the record, as it does in LLVM's own report.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;

use bincover_model::{Coverage, File, FileId, FunctionId, Group, LineBranch, Outcome};
use bstr::ByteSlice;

use crate::{Instantiations, Options, Parts, demangled};

/// Writes an lcov tracefile. Reads [`Options::instantiations`] and [`Options::demangle`]; without
/// them it is llvm-cov's. With a policy, `FNF` and `FNH` count the `FN` and `FNDA` lines.
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = Vec::new();
    for file in coverage.measured_files() {
        emit_file(coverage, file, &Parts::default(), options, &mut text);
        write_if_full(&mut text, out)?;
    }
    out.write_all(&text)
}

/// Text is given to the writer in pieces of this size or more.
const PIECE: usize = 1 << 16;

fn write_if_full(text: &mut Vec<u8>, out: &mut dyn io::Write) -> io::Result<()> {
    if text.len() >= PIECE {
        out.write_all(text)?;
        text.clear();
    }
    Ok(())
}

/// Writes an lcov tracefile of these files, in this order.
///
/// # Errors
/// If the writer fails.
///
/// # Panics
/// If a file's id belongs to another `Coverage`.
pub fn emit_files(
    coverage: &Coverage,
    files: &[FileId],
    parts: &Parts,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut text = Vec::new();
    let options = Options::default();
    for id in files {
        emit_file(coverage, coverage.file(*id), parts, &options, &mut text);
        write_if_full(&mut text, out)?;
    }
    out.write_all(&text)
}

/// A line: a field, and its values with commas between them. Most of a tracefile are numbers, for
/// which `write!` is slow.
fn line<const N: usize>(text: &mut Vec<u8>, field: &str, values: [u64; N]) {
    numbers(text, field, values);
    text.push(b'\n');
}

fn numbers<const N: usize>(text: &mut Vec<u8>, field: &str, values: [u64; N]) {
    text.extend_from_slice(field.as_bytes());
    for (index, value) in values.into_iter().enumerate() {
        text.push(if index == 0 { b':' } else { b',' });
        number(text, value);
    }
}

fn number(text: &mut Vec<u8>, mut value: u64) {
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

fn emit_file(
    coverage: &Coverage,
    file: &File,
    parts: &Parts,
    options: &Options,
    text: &mut Vec<u8>,
) {
    let summary = file.summary;
    let functions = match options.instantiations {
        Some(Instantiations::Each) => summary.instantiations,
        _ => summary.functions,
    };
    text.extend_from_slice(b"SF:");
    text.extend_from_slice(&file.name);
    text.push(b'\n');
    if !parts.summary_only && !parts.skip_functions {
        emit_functions(&listed(coverage, file, options), text);
    }
    line(text, "FNF", [functions.total]);
    line(text, "FNH", [functions.covered]);
    if !parts.summary_only {
        for one in &file.lines {
            line(text, "DA", [one.number.into(), one.count]);
        }
    }
    if !parts.skip_branches {
        if !parts.summary_only && !file.outcomes.is_empty() {
            emit_outcomes(&file.outcomes, text);
        } else if !parts.summary_only {
            let branches = match parts.keep_instantiations {
                true => coverage.branches_by_line_each(file),
                false => coverage.branches_by_line(file),
            };
            emit_branches(&branches, text);
        }
        line(text, "BRF", [summary.branches.total]);
        line(text, "BRH", [summary.branches.covered]);
    }
    line(text, "LF", [summary.lines.total]);
    line(text, "LH", [summary.lines.covered]);
    text.extend_from_slice(b"end_of_record\n");
}

/// What `FN` and `FNDA` say of a function.
struct Listed<'c> {
    line: u32,
    last_line: Option<u32>,
    count: u64,
    name: Cow<'c, [u8]>,
}

/// A function without regions is nowhere, so it is left out.
fn listed<'c>(coverage: &'c Coverage, file: &File, options: &Options) -> Vec<Listed<'c>> {
    let itself = |id: &FunctionId| {
        let function = coverage.function(*id);
        Some(Listed {
            line: function.start()?.line,
            last_line: function.last_line,
            count: function.count,
            name: Cow::Borrowed(&function.name),
        })
    };
    let groups = file.groups.iter();
    let mut listed: Vec<Listed<'_>> = match options.instantiations {
        None => file.functions.iter().filter_map(itself).collect(),
        Some(Instantiations::Each) => {
            let members = groups.flat_map(|group| &group.members);
            members.filter_map(itself).collect()
        }
        Some(policy) => {
            let group = |group: &Group| {
                let first = coverage.function(*group.members.first()?);
                Some(Listed {
                    line: group.start.line,
                    last_line: first.last_line,
                    count: policy.count(coverage, group),
                    name: Cow::Borrowed(&first.name),
                })
            };
            groups.filter_map(group).collect()
        }
    };
    if options.demangle {
        demangle(&mut listed);
    }
    listed
}

/// Puts names into source form where that leaves them apart: readers tell functions by name.
fn demangle(listed: &mut [Listed<'_>]) {
    let names = listed.iter().map(|one| demangled(one.name.as_bstr()));
    let names: Vec<String> = names.collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *uses.entry(name).or_default() += 1;
    }
    for (one, name) in listed.iter_mut().zip(&names) {
        if uses[name.as_str()] == 1 {
            one.name = Cow::Owned(name.clone().into_bytes());
        }
    }
}

/// All `FN` lines come first, then all `FNDA` lines.
fn emit_functions(listed: &[Listed<'_>], text: &mut Vec<u8>) {
    let named = |text: &mut Vec<u8>, name: &[u8]| {
        text.push(b',');
        text.extend_from_slice(name);
        text.push(b'\n');
    };
    for function in listed {
        let line = function.line.into();
        match function.last_line {
            Some(last) => numbers(text, "FN", [line, last.into()]),
            None => numbers(text, "FN", [line]),
        }
        named(text, &function.name);
    }
    for function in listed {
        numbers(text, "FNDA", [function.count]);
        named(text, &function.name);
    }
}

/// Two lines for each branch: true, then false. Both of their numbers start again at 0 on a new
/// line of source.
fn emit_branches(branches: &[LineBranch], text: &mut Vec<u8>) {
    for on_one_line in branches.chunk_by(|a, b| a.line == b.line) {
        for (pair, branch) in (0..).zip(on_one_line) {
            let number = u64::from(branch.line);
            let (on_true, on_false) = (
                low_32_bits(branch.true_count),
                low_32_bits(branch.false_count),
            );
            let (first, second) = (pair * 2, pair * 2 + 1);
            if on_true == 0 && on_false == 0 {
                for side in [first, second] {
                    numbers(text, "BRDA", [number, pair, side]);
                    text.extend_from_slice(b",-\n");
                }
            } else {
                line(text, "BRDA", [number, pair, first, on_true.into()]);
                line(text, "BRDA", [number, pair, second, on_false.into()]);
            }
        }
    }
}

/// Outcomes that came from a tracefile go out as they came.
fn emit_outcomes(outcomes: &[Outcome], text: &mut Vec<u8>) {
    for one in outcomes {
        let place = [one.line, one.block, one.number].map(u64::from);
        numbers(text, "BRDA", place);
        text.push(b',');
        match one.count {
            Some(count) => number(text, count),
            None => text.push(b'-'),
        }
        text.push(b'\n');
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "llvm-cov keeps these counts in an `unsigned`, and we match its bytes"
)]
fn low_32_bits(count: u64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use bincover_model::{FileId, LocalFile};

    use super::*;
    use crate::testing::{branch, code, file, function, group, lines, one_of_everything, tally};

    #[track_caller]
    fn check(coverage: &Coverage, expected: &str) {
        let mut out = Vec::new();
        emit(coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn no_files_no_bytes() {
        check(&Coverage::default(), "");
    }

    #[test]
    fn a_file_without_functions() {
        let coverage = Coverage {
            files: vec![file("/w/fragment.inc", lines(&[(1, 7)]))],
            functions: Vec::new(),
        };
        check(
            &coverage,
            "SF:/w/fragment.inc\nFNF:0\nFNH:0\nDA:1,7\nBRF:0\nBRH:0\nLF:0\nLH:0\nend_of_record\n",
        );
    }

    /// The expected text is what llvm-cov 22 printed for the program that is shown beside the model.
    #[test]
    fn a_c_program_as_llvm_cov_prints_it() {
        check(
            &one_of_everything(),
            "\
SF:/w/a.c
FN:9,main
FN:3,a.c:inner
FNDA:1,main
FNDA:5,a.c:inner
FNF:2
FNH:2
DA:1,1
DA:3,5
DA:4,5
DA:5,2
DA:6,3
DA:7,5
DA:9,1
DA:10,1
DA:11,6
DA:12,5
DA:13,1
DA:14,0
DA:15,1
DA:16,1
BRDA:1,0,0,0
BRDA:1,0,1,1
BRDA:1,1,2,-
BRDA:1,1,3,-
BRDA:4,0,0,2
BRDA:4,0,1,3
BRDA:4,1,2,2
BRDA:4,1,3,0
BRDA:11,0,0,5
BRDA:11,0,1,1
BRDA:13,0,0,0
BRDA:13,0,1,1
BRF:10
BRH:6
LF:13
LH:12
end_of_record
",
        );
    }

    #[test]
    fn branch_counts_are_cut_to_32_bits() {
        let mut file = file("a.rs", lines(&[(2, 9), (3, 9)]));
        file.branches = vec![
            branch((2, 5), (2, 8), 0x1_0000_0003, u64::from(u32::MAX)),
            branch((2, 9), (2, 12), 0x1_0000_0000, 0),
            branch((3, 5), (3, 8), 0, 0x2_0000_0001),
        ];
        let coverage = Coverage {
            files: vec![file],
            functions: Vec::new(),
        };
        check(
            &coverage,
            "\
SF:a.rs
FNF:0
FNH:0
DA:2,9
DA:3,9
BRDA:2,0,0,3
BRDA:2,0,1,4294967295
BRDA:2,1,2,-
BRDA:2,1,3,-
BRDA:3,0,0,0
BRDA:3,0,1,1
BRF:0
BRH:0
LF:0
LH:0
end_of_record
",
        );
    }

    /// One generic function with two instantiations, one function without regions, and one that
    /// belongs to the other file.
    #[test]
    fn members_are_listed_and_groups_are_counted() {
        let functions = vec![
            function("generic::<u8>", 0, vec![code((1, 1), (3, 2), 0)]),
            function("generic::<u16>", 4, vec![code((1, 1), (3, 2), 4)]),
            function("nowhere", 9, Vec::new()),
            function("elsewhere", 1, vec![code((7, 1), (7, 9), 1)]),
        ];
        let mut a = file("a.rs", lines(&[(1, 4), (2, 4), (3, 4)]));
        a.functions = [0, 1, 2].map(bincover_model::FunctionId).to_vec();
        a.groups = vec![group((1, 1), &[0, 1], 4)];
        a.summary.functions = tally(1, 1);
        a.summary.instantiations = tally(1, 2);
        a.summary.lines = tally(3, 3);
        let mut b = file("b.rs", lines(&[(7, 1)]));
        b.functions = vec![bincover_model::FunctionId(3)];
        b.groups = vec![group((7, 1), &[3], 1)];
        b.summary.functions = tally(1, 1);
        b.summary.lines = tally(1, 1);
        let mut coverage = Coverage {
            files: vec![a, b],
            functions,
        };
        coverage.functions[3].files = vec![FileId(1)];
        coverage.functions[3].main_file = Some(LocalFile(0));
        check(
            &coverage,
            "\
SF:a.rs
FN:1,generic::<u8>
FN:1,generic::<u16>
FNDA:0,generic::<u8>
FNDA:4,generic::<u16>
FNF:1
FNH:1
DA:1,4
DA:2,4
DA:3,4
BRF:0
BRH:0
LF:3
LH:3
end_of_record
SF:b.rs
FN:7,elsewhere
FNDA:1,elsewhere
FNF:1
FNH:1
DA:7,1
BRF:0
BRH:0
LF:1
LH:1
end_of_record
",
        );
    }

    /// Two instantiations at one place, and another function whose name is the same in source form.
    fn instantiated() -> Coverage {
        let functions = vec![
            function(
                "_ZN1a3fun17h05af221e174051e9E",
                3,
                vec![code((1, 1), (3, 2), 3)],
            ),
            function(
                "_ZN1a3fun17h16bf221e174051e9E",
                4,
                vec![code((1, 1), (3, 2), 4)],
            ),
            function("_Z3addii", 0, vec![code((7, 1), (7, 9), 0)]),
        ];
        let mut a = file("a.rs", Vec::new());
        a.functions = [0, 1, 2].map(FunctionId).to_vec();
        a.groups = vec![group((1, 1), &[0, 1], 7), group((7, 1), &[2], 0)];
        a.summary.functions = tally(1, 2);
        a.summary.instantiations = tally(2, 3);
        Coverage {
            files: vec![a],
            functions,
        }
    }

    #[track_caller]
    fn check_functions(instantiations: Option<Instantiations>, demangle: bool, expected: &str) {
        let options = Options {
            instantiations,
            demangle,
            ..Options::default()
        };
        let mut out = Vec::new();
        emit(&instantiated(), &options, &mut out).expect("a Vec takes everything");
        let text = String::from_utf8_lossy(&out);
        let functions: Vec<&str> = text.lines().filter(|line| line.starts_with("FN")).collect();
        assert_eq!(functions, expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn each_policy_lists_and_counts_the_same_functions() {
        let each = "\
FN:1,_ZN1a3fun17h05af221e174051e9E
FN:1,_ZN1a3fun17h16bf221e174051e9E
FN:7,_Z3addii
FNDA:3,_ZN1a3fun17h05af221e174051e9E
FNDA:4,_ZN1a3fun17h16bf221e174051e9E
FNDA:0,_Z3addii
";
        check_functions(None, false, &format!("{each}FNF:2\nFNH:1\n"));
        let explicit = Some(Instantiations::Each);
        check_functions(explicit, false, &format!("{each}FNF:3\nFNH:2\n"));
        check_functions(
            Some(Instantiations::Union),
            false,
            "FN:1,_ZN1a3fun17h05af221e174051e9E\nFN:7,_Z3addii\n\
             FNDA:7,_ZN1a3fun17h05af221e174051e9E\nFNDA:0,_Z3addii\nFNF:2\nFNH:1\n",
        );
        check_functions(
            Some(Instantiations::Max),
            true,
            "FN:1,a::fun\nFN:7,add(int, int)\nFNDA:4,a::fun\nFNDA:0,add(int, int)\n\
             FNF:2\nFNH:1\n",
        );
    }

    #[test]
    fn names_that_would_be_the_same_stay_mangled() {
        check_functions(
            None,
            true,
            "\
FN:1,_ZN1a3fun17h05af221e174051e9E
FN:1,_ZN1a3fun17h16bf221e174051e9E
FN:7,add(int, int)
FNDA:3,_ZN1a3fun17h05af221e174051e9E
FNDA:4,_ZN1a3fun17h16bf221e174051e9E
FNDA:0,add(int, int)
FNF:2
FNH:1
",
        );
    }

    /// Newer versions of lcov have it, and readers that know nothing of it get it only from those.
    #[test]
    fn where_a_function_ends_goes_out_as_it_came() {
        let mut coverage = instantiated();
        for function in &mut coverage.functions {
            function.last_line = Some(9);
        }
        coverage.functions[2].last_line = None;
        for instantiations in [None, Some(Instantiations::Union)] {
            let options = Options {
                instantiations,
                demangle: true,
                ..Options::default()
            };
            let mut out = Vec::new();
            emit(&coverage, &options, &mut out).expect("a Vec takes everything");
            let text = String::from_utf8_lossy(&out);
            assert!(text.contains("FN:1,9,"), "{text}");
            assert!(text.contains("FN:7,add(int, int)\n"), "{text}");
        }
    }

    #[test]
    fn names_are_raw_bytes() {
        let mut coverage = Coverage {
            files: vec![file("", Vec::new())],
            functions: vec![function("", 0, vec![code((1, 1), (1, 2), 0)])],
        };
        coverage.files[0].name = b"\xff\x01<&>".as_slice().into();
        coverage.files[0].functions = vec![bincover_model::FunctionId(0)];
        coverage.functions[0].name = b"\xfe".as_slice().into();
        let mut out = Vec::new();
        emit(&coverage, &Options::default(), &mut out).expect("a Vec takes everything");
        assert!(out.starts_with(b"SF:\xff\x01<&>\nFN:1,\xfe\nFNDA:0,\xfe\nFNF:0\n"));
    }
}
