use bincover_model::{
    Branch, Function, FunctionId, Group, Line, LocalFile, Position, Region, RegionKind, Summary,
};

use super::*;

/// Files by name.
struct Texts(Vec<(&'static str, String)>);

impl Sources for Texts {
    fn read(&self, name: &BStr) -> Source {
        let found = self.0.iter().find(|(known, _)| *known == name);
        match found {
            Some((_, text)) => Source::Text {
                text: text.clone().into_bytes(),
                is_changed: false,
            },
            None => Source::Missing {
                reason: "it is gone".to_owned(),
            },
        }
    }
}

/// Each line of these was executed as often as its number is odd, and holds a branch.
fn coverage(texts: &Texts) -> Coverage {
    let files = texts.0.iter().map(|(name, text)| {
        let lines = (1..).zip(text.lines());
        let lines: Vec<Line> = lines
            .map(|(number, _)| Line {
                number,
                count: u64::from(number % 2),
            })
            .collect();
        let branches = lines.iter().map(|line| {
            let start = position(line.number);
            Branch {
                file: LocalFile(0),
                start,
                end: start,
                true_count: 1,
                false_count: 0,
                true_folded: false,
                false_folded: false,
                is_condition: false,
            }
        });
        File {
            name: (*name).into(),
            branches: branches.collect(),
            lines,
            ..File::default()
        }
    });
    let mut files: Vec<File> = files.collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Coverage {
        files,
        functions: Vec::new(),
    }
}

fn position(line: u32) -> Position {
    Position { line, column: 1 }
}

/// The lines that are out, and those of which the branches alone are.
fn out(file: &File) -> (Vec<u32>, Vec<u32>) {
    let last = file.excluded.ranges.iter().map(|range| range.last).max();
    let all = 1..=last.unwrap_or(0).min(100_000);
    let excluded = &file.excluded;
    let lines: Vec<u32> = all
        .clone()
        .filter(|line| excluded.lines.contains(*line))
        .collect();
    let branches =
        all.filter(|line| excluded.branches.contains(*line) && !excluded.lines.contains(*line));
    (lines, branches.collect())
}

#[track_caller]
fn check(exclusions: &Exclusions, name: &'static str, text: &str, lines: &[u32], branches: &[u32]) {
    let texts = Texts(vec![(name, text.to_owned())]);
    let mut coverage = coverage(&texts);
    let notes = exclusions.apply(&mut coverage, &texts).unwrap();
    assert_eq!(notes, Vec::new());
    assert_eq!(out(&coverage.files[0]), (lines.to_vec(), branches.to_vec()));
}

fn markers() -> Exclusions {
    Exclusions {
        markers: true,
        ..Exclusions::default()
    }
}

fn skip(skip: Skip) -> Exclusions {
    Exclusions {
        skip: vec![skip],
        ..Exclusions::default()
    }
}

#[test]
fn the_line_of_a_start_is_out_and_that_of_a_stop_is_not() {
    let text = "a\nb // LCOV_EXCL_LINE\nc\nd /* GCOVR_EXCL_START */\ne\nf // GCOVR_EXCL_STOP\n\
                g // GCOV_EXCL_BR_LINE\nh // LCOV_EXCL_BR_START\ni\nj // LCOV_EXCL_BR_STOP\n\
                k // LCOV_EXCL_EXCEPTION_BR_LINE\nl\r\nm // LCOV_EXCL_LINE\r\n";
    check(&markers(), "a.c", text, &[2, 4, 5, 13], &[7, 8, 9]);
    // Both families on the same lines, for both tools.
    let text = "LCOV_EXCL_START GCOVR_EXCL_START\nb\nLCOV_EXCL_STOP GCOVR_EXCL_STOP\nd\n";
    check(&markers(), "a.c", text, &[1, 2], &[]);
    // Nothing lies between them.
    check(
        &markers(),
        "a.c",
        "a LCOV_EXCL_START LCOV_EXCL_STOP\nb\n",
        &[],
        &[],
    );
}

#[test]
fn unbalanced_markers_are_errors_with_all_their_places() {
    let texts = Texts(vec![
        (
            "a.c",
            "LCOV_EXCL_START\n\nLCOV_EXCL_START\nGCOV_EXCL_STOP\n".to_owned(),
        ),
        ("b.c", "x\nLCOV_EXCL_BR_STOP\nLCOV_EXCL_LINE\n".to_owned()),
    ]);
    let mut coverage = coverage(&texts);
    let before = coverage.clone();
    let error = markers().apply(&mut coverage, &texts).unwrap_err();
    assert_eq!(coverage, before);
    assert_eq!(
        error.to_string(),
        "markers are not balanced: \
         a.c:1: LCOV_EXCL_START without LCOV_EXCL_STOP after it; \
         a.c:3: LCOV_EXCL_START inside of what LCOV_EXCL_START began on line 1; \
         a.c:4: GCOV_EXCL_STOP without GCOV_EXCL_START before it; \
         b.c:2: LCOV_EXCL_BR_STOP without LCOV_EXCL_BR_START before it"
    );
}

#[test]
fn what_is_marked_unreachable_and_was_executed_stays_and_is_said() {
    let text = "a\nb // LCOV_UNREACHABLE_LINE\nLCOV_UNREACHABLE_START\nd\nLCOV_UNREACHABLE_STOP\n";
    let texts = Texts(vec![("a.c", text.to_owned())]);
    let mut coverage = coverage(&texts);
    let notes = markers().apply(&mut coverage, &texts).unwrap();
    assert_eq!(out(&coverage.files[0]), (vec![2, 4], vec![]));
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["a.c:3: it is marked as unreachable, and was executed"]
    );
}

#[test]
fn a_marker_leaves_out_the_function_that_begins_on_its_line() {
    let text = "int a;\nint f() { // GCOVR_EXCL_FUNCTION\n\n}\nint g; // GCOVR_EXCL_FUNCTION\n";
    let texts = Texts(vec![("a.c", text.to_owned())]);
    let mut coverage = coverage(&texts);
    let region = Region {
        kind: RegionKind::Code,
        file: LocalFile(0),
        expanded: LocalFile(0),
        start: position(2),
        end: position(4),
        count: 1,
    };
    coverage.functions.push(Function {
        files: vec![FileId(0)],
        main_file: Some(LocalFile(0)),
        regions: vec![region],
        ..Function::default()
    });
    coverage.files[0].groups.push(Group {
        start: position(2),
        members: vec![FunctionId(0)],
        count: 1,
        summary: Summary::default(),
    });
    let notes = markers().apply(&mut coverage, &texts).unwrap();
    assert_eq!(out(&coverage.files[0]), (vec![2, 3, 4], vec![]));
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (notes[0].line, &notes[0].cause),
        (Some(5), &ExclusionCause::NoFunction)
    );
}

/// With a function that begins on the first line, as a report without regions has it.
fn with_function(texts: &Texts, last_line: Option<u32>) -> Coverage {
    let mut coverage = coverage(texts);
    let declared = Position { line: 1, column: 0 };
    coverage.functions.push(Function {
        files: vec![FileId(0)],
        main_file: Some(LocalFile(0)),
        declared: Some(declared),
        last_line,
        ..Function::default()
    });
    let group = Group::new(declared, vec![FunctionId(0)], &coverage.functions);
    coverage.files[0].groups.push(group);
    coverage
}

/// Reports of Cobertura's format do not say where a function ends, nor do all of lcov's.
#[test]
fn that_the_end_of_a_function_is_not_known_is_said() {
    let marked = "void f() { // GCOVR_EXCL_FUNCTION GCOVR_EXCL_BR_FUNCTION GCOVR_EXCL_FUNCTION\n";
    let texts = Texts(vec![("a.c", format!("{marked} a();\n b();\n}}\n"))]);
    let mut coverage = with_function(&texts, None);
    let notes = markers().apply(&mut coverage, &texts).unwrap();
    assert_eq!(out(&coverage.files[0]), (vec![1], vec![]));
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "a.c:1: the marker leaves out a function, and the report does not say where it ends: only this \
          line is left out"
        ]
    );
    // One that is there twice takes no more.
    assert_eq!(coverage.files[0].excluded.ranges.len(), 2);
}

/// Of lcov's format, newer versions do.
#[test]
fn a_report_may_say_where_a_function_ends() {
    let texts = Texts(vec![(
        "a.c",
        "f // GCOVR_EXCL_FUNCTION\na\n}\ng\n".to_owned(),
    )]);
    let mut coverage = with_function(&texts, Some(3));
    let notes = markers().apply(&mut coverage, &texts).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(out(&coverage.files[0]).0, [1, 2, 3]);
}

#[test]
fn own_expressions_are_found_anywhere_in_a_line_and_may_last_to_the_end() {
    let regexes = |text: &str| vec![Regex::new(text).unwrap()];
    let exclusions = Exclusions {
        line: regexes("assert|never"),
        start: regexes("coverage: off"),
        stop: regexes("coverage: on"),
        branch_line: regexes("^ *log"),
        branch_start: regexes("mod tests"),
        ..Exclusions::default()
    };
    let text = "assert\nb\n// coverage: off\nd\n// coverage: on\n  log\nnever\nmod tests {\ni\n";
    check(&exclusions, "a.c", text, &[1, 3, 4, 7], &[6, 8, 9]);
    let off = "x\ncoverage: off\ny\n";
    check(&exclusions, "a.c", off, &[2, 3], &[]);
    check(&exclusions, "a.c", "coverage: on\nx\n", &[], &[]);
}

#[test]
fn files_are_chosen_by_name_and_something_has_to_be_left() {
    let texts = Texts(
        ["src/a.c", "src/b.c", "tests/c.c"]
            .map(|name| (name, "x\n".to_owned()))
            .to_vec(),
    );
    let patterns = |patterns: &[&str]| -> Vec<FilePattern> {
        patterns.iter().map(|one| one.parse().unwrap()).collect()
    };
    let exclusions = Exclusions {
        include_files: patterns(&["src/**"]),
        exclude_files: patterns(&["b.c"]),
        ..Exclusions::default()
    };
    let mut less = coverage(&texts);
    exclusions.apply(&mut less, &texts).unwrap();
    let left: Vec<_> = less
        .measured_files()
        .map(|file| file.name.clone())
        .collect();
    assert_eq!(left, ["src/a.c"]);
    let rules: Vec<_> = less
        .excluded_files()
        .filter_map(|file| file.excluded.file_rule())
        .collect();
    assert_eq!(rules, ["exclude-files: b.c", "include-files"]);
    let by_rule = excluded_by_rule(&less);
    let tally = RuleTally {
        whole_files: 1,
        files: 1,
        lines: 1,
        branch_lines: 0,
    };
    assert_eq!(by_rule["include-files"], tally);

    let none = Exclusions {
        include_files: patterns(&["nothing"]),
        ..Exclusions::default()
    };
    check_left(&less).unwrap();
    let mut less = coverage(&texts);
    none.apply(&mut less, &texts).unwrap();
    let error = check_left(&less).unwrap_err().to_string();
    assert!(
        error.contains("all 3 files are left out: 3 by include-files"),
        "{error}"
    );
}

#[test]
fn sources_that_cannot_be_read_or_parsed_are_said() {
    let texts = Texts(vec![
        ("a.rs", "fn main() {\n    let = ;\n}\n".to_owned()),
        ("b.rs", "fn f() { ( }\n".to_owned()),
    ]);
    let mut coverage = coverage(&texts);
    coverage.files[1].name = "gone.rs".into();
    let notes = skip(Skip::Tests).apply(&mut coverage, &texts).unwrap();
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 2);
    assert!(
        notes[0]
            .starts_with("a.rs: nothing was skipped in it: it is not parsed as Rust, at line 2:"),
        "{notes:?}"
    );
    assert_eq!(
        notes[1],
        "gone.rs: nothing in it was left out, for it cannot be read: it is gone"
    );
    assert!(rust::read(b"fn a() { ( }", &[Skip::Tests]).is_err());
    assert!(
        rust::read(b"fn a\xff", &[Skip::Tests])
            .unwrap_err()
            .contains("UTF-8")
    );
}

const RUST: &str = "\
#!/usr/bin/env script
#[derive(
    Debug,
)]
struct A;

#[cfg(all(test, unix))]
fn helper() {
    work();
}

#[cfg(not(test))]
fn f(x: u8) -> u8 {
    match x {
        0 => unreachable!(),
        1 => {
            unreachable!(\"no {x}\");
        }
        2 => unsafe { core::hint::unreachable_unchecked() },
        _ => g(|| unreachable!()),
    }
}

impl A {
    #[test]
    fn t() {}
    #[cfg(any(test, feature = \"x\"))]
    fn u() {}
}

#[tokio::test]
async fn v() {
    let _ = 1;
}

mod inner {
    #[cfg(test)]
    mod checks {
        fn w() {}
    }
}
";

#[test]
fn rusts_tests_derives_and_unreachable_code() {
    let tests: Vec<u32> = [7..=10, 25..=26, 31..=34, 37..=40]
        .into_iter()
        .flatten()
        .collect();
    check(&skip(Skip::Tests), "a.rs", RUST, &tests, &[]);
    check(&skip(Skip::Derives), "a.rs", RUST, &[2, 3, 4], &[]);
    // Lines of an even number were not executed.
    check(&skip(Skip::Unreachable), "a.rs", RUST, &[16, 18, 20], &[]);
    // And nothing of what is no Rust.
    check(&skip(Skip::Tests), "a.c", "#[test]\nfn f() {}\n", &[], &[]);
}

#[test]
fn modules_for_tests_may_lie_in_other_files() {
    let file = |name, text: &str| (name, text.to_owned());
    let texts = Texts(vec![
        file(
            "/w/src/lib.rs",
            "#[cfg(test)]\nmod tests;\nmod a;\n#[cfg(test)]\n#[path = \"odd.rs\"]\nmod b;\n",
        ),
        file("/w/src/tests.rs", "mod deep;\nfn x() {}\n"),
        file("/w/src/tests/deep.rs", "fn y() {}\n"),
        file("/w/src/odd.rs", "fn y() {}\n"),
        file(
            "/w/src/a.rs",
            "mod b {\n#[cfg(test)]\nmod c;\n}\nmod deep;\n",
        ),
        file("/w/src/a/b/c.rs", "fn y() {}\n"),
        file("/w/src/a/deep.rs", "#![allow(unused)]\nfn y() {}\n"),
        file("/w/src/z.rs", "#![cfg(test)]\nfn y() {}\n"),
        file(
            "/w/src/c/mod.rs",
            "mod r#in { mod a { #[cfg(test)] #[path = \"odd.rs\"] mod b; }\n#[cfg(test)] mod r#do; }\n",
        ),
        file("/w/src/c/in/a/odd.rs", "fn y() {}\n"),
        file("/w/src/c/in/a/b.rs", "fn y() {}\n"),
        file("/w/src/c/in/do/mod.rs", "fn y() {}\n"),
    ]);
    let mut coverage = coverage(&texts);
    skip(Skip::Tests).apply(&mut coverage, &texts).unwrap();
    let left: Vec<_> = coverage
        .measured_files()
        .map(|file| file.name.clone())
        .collect();
    let expected = [
        "/w/src/a.rs",
        "/w/src/a/deep.rs",
        "/w/src/c/in/a/b.rs",
        "/w/src/c/mod.rs",
        "/w/src/lib.rs",
    ];
    assert_eq!(left, expected);
}

/// Sources that lead a parser as deep as they are long: none ends the process, and what is as deep
/// as may be is parsed.
#[test]
fn no_source_is_too_deep_for_the_stack() {
    let around =
        |before: &str, open: &str, middle: &str, close: &str, after: &str, times: usize| {
            [
                before,
                &open.repeat(times),
                middle,
                &close.repeat(times),
                after,
            ]
            .concat()
        };
    let cases: [(&str, &str, &str, &str, &str); 18] = [
        ("fn f() { ", "(", "1", ")", " }"),
        ("fn f() { ", "!", "1", "", " }"),
        ("fn f() { ", "&", "1", "", " }"),
        ("fn f() { ", "- #[a] ", "1", "", " }"),
        ("fn f() { ", "|a, b| ", "1", "", " }"),
        ("fn f() { ", "{", "1", "}", " }"),
        ("fn f() { ", "[", "1", "]", " }"),
        ("fn f() { 1", " + 1", "", "", " }"),
        ("fn f() { a", ".b()", "", "", " }"),
        ("fn f() { a", "?", "", "", " }"),
        ("fn f() { ", "if a {} else ", "{}", "", " }"),
        ("fn f() { ", "a = ", "1", "", " }"),
        ("fn f() { ", "match a { _ => ", "1", "}", " }"),
        ("type T = ", "A<X, ", "Y", ">", ";"),
        ("type T = ", "&", "Y", "", ";"),
        ("type T = ", "[", "Y", "]", ";"),
        ("", "mod a {", "", "}", ""),
        ("fn f() { let ", "(A, ", "b", ")", " = 1; }"),
    ];
    for (before, open, middle, close, after) in cases {
        let mut deepest = 0;
        for times in [400, 3900, 7900, 20_000] {
            let text = around(before, open, middle, close, after, times);
            match rust::read(
                text.as_bytes(),
                &[Skip::Tests, Skip::Unreachable, Skip::Derives],
            ) {
                Ok(_) => deepest = times,
                Err(why) => assert!(why.contains("too deep") || times > 400, "{open}: {why}"),
            }
        }
        assert!((400..20_000).contains(&deepest), "{open}: {deepest}");
    }
    // What is long and not deep is parsed.
    let long =
        "fn f() { if a { b(c, d) } match e { A | B => 1, _ => 2 } }\n/// Words.\n".repeat(4_000);
    let long = format!("{long}fn g() {{}}");
    rust::read(long.as_bytes(), &[Skip::Tests]).unwrap();
}
