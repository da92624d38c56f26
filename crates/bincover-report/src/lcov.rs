//! The lcov tracefile, byte for byte as `llvm-cov export -format=lcov` writes it:
//! [its source](https://github.com/llvm/llvm-project/blob/llvmorg-22.1.8/llvm/tools/llvm-cov/CoverageExporterLcov.cpp).
//! Compared with LLVM 22.1.8, on the C program in the tests below; versions 14 and 19 print branches
//! inside macros differently.
//!
//! What surprises people, and is LLVM's choice:
//!
//! - `LF`, `LH`, `BRF`, `BRH`, `FNF` and `FNH` come from [`File::summary`], which counts
//!   instantiation groups; they need not agree with the `DA`, `BRDA` and `FN` lines above them;
//! - `FN` and `FNDA` list every instantiation, by its mangled name;
//! - counts in `BRDA` are cut to 32 bits; a pair of which both are then 0 prints `-`.
//!
//! Names are raw bytes and go out as they came. The format has no quoting: a line feed in a file's
//! name breaks the record, as it does in LLVM's own report.

use std::io::{self, BufWriter, Write};

use bincover_model::{Coverage, File, FileId, LineBranch};

use crate::{Options, Parts};

/// Writes an lcov tracefile. No option has any effect on it.
///
/// # Errors
/// If the writer fails.
pub fn emit(coverage: &Coverage, _options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for file in &coverage.files {
        emit_file(coverage, file, &Parts::default(), &mut out)?;
    }
    out.flush()
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
    let mut out = BufWriter::new(out);
    for id in files {
        emit_file(coverage, coverage.file(*id), parts, &mut out)?;
    }
    out.flush()
}

fn emit_file(
    coverage: &Coverage,
    file: &File,
    parts: &Parts,
    out: &mut impl Write,
) -> io::Result<()> {
    let summary = file.summary;
    out.write_all(b"SF:")?;
    out.write_all(&file.name)?;
    out.write_all(b"\n")?;
    if !parts.summary_only && !parts.skip_functions {
        emit_functions(coverage, file, out)?;
    }
    writeln!(out, "FNF:{}", summary.functions.total)?;
    writeln!(out, "FNH:{}", summary.functions.covered)?;
    if !parts.summary_only {
        for line in &file.lines {
            writeln!(out, "DA:{},{}", line.number, line.count)?;
        }
    }
    if !parts.skip_branches {
        if !parts.summary_only {
            let branches = match parts.keep_instantiations {
                true => coverage.branches_by_line_each(file),
                false => coverage.branches_by_line(file),
            };
            emit_branches(&branches, out)?;
        }
        writeln!(out, "BRF:{}", summary.branches.total)?;
        writeln!(out, "BRH:{}", summary.branches.covered)?;
    }
    writeln!(out, "LF:{}", summary.lines.total)?;
    writeln!(out, "LH:{}", summary.lines.covered)?;
    out.write_all(b"end_of_record\n")
}

/// All `FN` lines come first, then all `FNDA` lines. A function without regions is nowhere, so it
/// is left out of both.
fn emit_functions(coverage: &Coverage, file: &File, out: &mut impl Write) -> io::Result<()> {
    let functions = || {
        let functions = file.functions.iter().map(|id| coverage.function(*id));
        functions.filter_map(|function| Some((function.start()?.line, function)))
    };
    for (line, function) in functions() {
        write!(out, "FN:{line},")?;
        out.write_all(&function.name)?;
        out.write_all(b"\n")?;
    }
    for (_, function) in functions() {
        write!(out, "FNDA:{},", function.count)?;
        out.write_all(&function.name)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Two lines for each branch: true, then false. Both of their numbers start again at 0 on a new
/// line of source.
fn emit_branches(branches: &[LineBranch], out: &mut impl Write) -> io::Result<()> {
    for on_one_line in branches.chunk_by(|a, b| a.line == b.line) {
        for (pair, branch) in on_one_line.iter().enumerate() {
            let line = branch.line;
            let (on_true, on_false) = (
                low_32_bits(branch.true_count),
                low_32_bits(branch.false_count),
            );
            let (first, second) = (pair * 2, pair * 2 + 1);
            if on_true == 0 && on_false == 0 {
                writeln!(out, "BRDA:{line},{pair},{first},-")?;
                writeln!(out, "BRDA:{line},{pair},{second},-")?;
            } else {
                writeln!(out, "BRDA:{line},{pair},{first},{on_true}")?;
                writeln!(out, "BRDA:{line},{pair},{second},{on_false}")?;
            }
        }
    }
    Ok(())
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
