//! Small models for tests.

use bincover_model::{
    Branch, Coverage, Expansion, File, FileId, Function, FunctionId, Group, Line, LocalFile,
    Position, Region, RegionKind, Summary, Tally,
};

pub(crate) fn tally(covered: u64, total: u64) -> Tally {
    Tally { covered, total }
}

pub(crate) fn position((line, column): (u32, u32)) -> Position {
    Position { line, column }
}

pub(crate) fn lines(numbers_and_counts: &[(u32, u64)]) -> Vec<Line> {
    let lines = numbers_and_counts.iter();
    lines
        .map(|&(number, count)| Line { number, count })
        .collect()
}

pub(crate) fn file(name: &str, lines: Vec<Line>) -> File {
    File {
        name: name.into(),
        lines,
        ..File::default()
    }
}

/// A code region in local file 0.
pub(crate) fn code(start: (u32, u32), end: (u32, u32), count: u64) -> Region {
    Region {
        kind: RegionKind::Code,
        file: LocalFile(0),
        expanded: LocalFile(0),
        start: position(start),
        end: position(end),
        count,
    }
}

/// A branch in local file 0; neither side is constant.
pub(crate) fn branch(
    start: (u32, u32),
    end: (u32, u32),
    true_count: u64,
    false_count: u64,
) -> Branch {
    Branch {
        file: LocalFile(0),
        start: position(start),
        end: position(end),
        true_count,
        false_count,
        true_folded: false,
        false_folded: false,
        is_condition: false,
    }
}

/// A function in file 0.
pub(crate) fn function(name: &str, count: u64, regions: Vec<Region>) -> Function {
    Function {
        name: name.into(),
        count,
        files: vec![FileId(0)],
        main_file: Some(LocalFile(0)),
        regions,
        ..Function::default()
    }
}

pub(crate) fn group(start: (u32, u32), members: &[u32], count: u64) -> Group {
    Group {
        start: position(start),
        members: members.iter().copied().map(FunctionId).collect(),
        count,
        summary: Summary::default(),
    }
}

/// A C program as clang 22 compiled it and llvm-cov 22 evaluated it, after one run without
/// arguments. It was compiled with
/// `clang-22 -fprofile-instr-generate -fcoverage-mapping -fcoverage-compilation-dir=/w a.c`:
///
/// ```c
/// #define BOTH(a, b) ((a) && (b))
///
/// static int inner(int x) {
///   if (x > 2 && x < 9)
///     return 1;
///   return 0;
/// }
///
/// int main(int argc, char **argv) {
///   int n = 0;
///   for (int i = 0; i < 5; i++)
///     n += inner(i);
///   if (BOTH(argc > 1, n))
///     return 1;
///   return 0;
/// }
/// ```
pub(crate) fn one_of_everything() -> Coverage {
    let gap = |start, end, count| Region {
        kind: RegionKind::Gap,
        ..code(start, end, count)
    };
    let in_macro = |start, end, count| Region {
        file: LocalFile(1),
        ..code(start, end, count)
    };
    let mut main = function(
        "main",
        1,
        vec![
            code((9, 33), (16, 2), 1),
            code((11, 19), (11, 24), 6),
            code((11, 26), (11, 29), 5),
            gap((11, 30), (12, 5), 5),
            code((12, 5), (12, 18), 5),
            Region {
                kind: RegionKind::Expansion,
                expanded: LocalFile(1),
                ..code((13, 7), (13, 11), 1)
            },
            gap((13, 25), (14, 5), 0),
            code((14, 5), (14, 13), 0),
            gap((14, 14), (15, 3), 1),
            code((15, 3), (15, 11), 1),
            in_macro((1, 20), (1, 32), 1),
            in_macro((1, 21), (1, 24), 1),
            in_macro((1, 28), (1, 31), 0),
        ],
    );
    main.files = vec![FileId(0); 2];
    main.branches = vec![
        branch((11, 19), (11, 24), 5, 1),
        Branch {
            file: LocalFile(1),
            ..branch((1, 21), (1, 24), 0, 1)
        },
        Branch {
            file: LocalFile(1),
            ..branch((1, 28), (1, 31), 0, 0)
        },
    ];
    let mut inner = function(
        "a.c:inner",
        5,
        vec![
            code((3, 25), (7, 2), 5),
            code((4, 7), (4, 12), 5),
            code((4, 7), (4, 21), 5),
            gap((4, 12), (4, 16), 2),
            code((4, 16), (4, 21), 2),
            gap((4, 22), (5, 5), 2),
            code((5, 5), (5, 13), 2),
            gap((5, 14), (6, 3), 3),
            code((6, 3), (6, 11), 3),
        ],
    );
    inner.branches = vec![
        branch((4, 7), (4, 12), 2, 3),
        branch((4, 16), (4, 21), 2, 0),
    ];

    let counts = [
        (1, 1),
        (3, 5),
        (4, 5),
        (5, 2),
        (6, 3),
        (7, 5),
        (9, 1),
        (10, 1),
        (11, 6),
        (12, 5),
        (13, 1),
        (14, 0),
        (15, 1),
        (16, 1),
    ];
    let mut file = file("/w/a.c", lines(&counts));
    file.branches = [&main.branches[..], &inner.branches].concat();
    file.expansions = vec![Expansion {
        function: FunctionId(0),
        region: 5,
    }];
    file.functions = vec![FunctionId(0), FunctionId(1)];
    file.groups = vec![group((3, 25), &[1], 5), group((9, 33), &[0], 1)];
    file.summary = Summary {
        regions: tally(13, 15),
        functions: tally(2, 2),
        instantiations: tally(2, 2),
        lines: tally(12, 13),
        branches: tally(6, 10),
        ..Summary::default()
    };
    Coverage {
        files: vec![file],
        functions: vec![main, inner],
    }
}
