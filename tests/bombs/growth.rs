//! Names, functions and regions that each are a few bytes, and very many together, of one kind or over each other:
//! the time that they take and what is written of them is in proportion, or they are refused.

use std::fs;

use bincover_testkit::mapping::{self, Region};
use bincover_testkit::raw::{Function, uleb};

use super::{Bombs, member};

/// What most of these read.
const FROM: [&str; 4] = ["--profile", "f.proftext", "--object", "f.o"];

/// An archive of objects with one function `f` each, of such a hash, in such a file, and with such regions.
fn objects_of_one_name(
    count: u64,
    hash: impl Fn(u64) -> u64,
    file: impl Fn(u64) -> String,
    region: impl Fn(u64) -> Region,
) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for number in 0..count {
        let functions = [Function::new("f", hash(number), [1])];
        let mapping = mapping::function(&[(0, vec![region(number)])]);
        let files = [file(number)];
        archive.extend(member(&mapping::object("/", &files, &functions, |_| {
            mapping.clone()
        })));
    }
    archive
}

/// However many records one name has, in objects or in a profile, the next one takes no longer.
#[test]
fn one_name_with_many_records() {
    let bombs = Bombs::new();
    let text: String = (0..30_000)
        .map(|hash| format!("f\n{hash}\n1\n1\n"))
        .collect();
    bombs.profiles("hashes", &text);
    let counts = "1\n".repeat(800_000);
    bombs.profiles("counts", &format!("f\n7\n800000\n{counts}"));
    let a = |_| "a.c".to_owned();
    let all = |_| Region::code(0, (1, 1), (9, 1));
    for (name, archive, profile) in [
        // Each hash is in the profile; none is; and there is one, but each object maps the function in its own way, or to
        // its own file.
        (
            "hashes",
            objects_of_one_name(20_000, |at| 29_999 - at, a, all),
            "hashes",
        ),
        (
            "others",
            objects_of_one_name(2_000, |at| at + 30_000, a, all),
            "hashes",
        ),
        (
            "regions",
            objects_of_one_name(40_000, |_| 7, a, |at| Region::code(0, (1, 1), (at + 1, 1))),
            "counts",
        ),
        (
            "files",
            objects_of_one_name(2_000, |_| 7, |at| format!("{at}.c"), all),
            "counts",
        ),
    ] {
        bombs.add("objects.a", &archive);
        let (text, indexed) = (format!("{profile}.proftext"), format!("{profile}.profdata"));
        let report = [
            "report",
            "--lcov",
            "out.info",
            "--profile",
            &text,
            "--object",
            "objects.a",
        ];
        let (code, said) = bombs.run(&report);
        assert_eq!(code, 0, "{name}: {code}: {said}");
        let instr_profile = format!("-instr-profile={indexed}");
        let export = [
            "llvm-cov",
            "export",
            "-format=lcov",
            "objects.a",
            &instr_profile,
        ];
        let (code, said) = bombs.run(&export);
        assert_eq!(code, 0, "{name}: {code}: {said}");
    }
    let (merge, hashes) = (env!("CARGO_BIN_EXE_bincover-merge"), "hashes.profdata");
    let (code, said) = bombs.run_program(merge, &["overlap", hashes, hashes]);
    assert_eq!(code, 0, "{said}");
}

/// A file of very many functions.
#[test]
fn functions_of_one_file() {
    let bombs = Bombs::new();
    let count = 10_000;
    let functions = bombs.functions(count);
    let files = ["a.c".to_owned()];
    let object = mapping::object("/", &files, &functions, |number| {
        let line = 3 * number as u64 + 1;
        mapping::function(&[(0, vec![Region::code(0, (line, 1), (line + 2, 1))])])
    });
    bombs.add("f.o", &object);
    for format in ["lcov", "cobertura", "json", "sonar", "clover", "codecov"] {
        let option = format!("--{format}");
        let report = [&["report", &option, "out"], &FROM[..]].concat();
        let (code, said) = bombs.run(&report);
        assert_eq!(code, 0, "{format}: {said}");
    }
}

/// Very many instantiations at the end of a long file, each of which shows its own line.
#[test]
fn instantiations_at_the_end() {
    let bombs = Bombs::new();
    let (count, last) = (4_000, 50_000);
    bombs.add("a.c", &b"x\n".repeat(last));
    let functions = bombs.functions(count);
    let files = [bombs.path("a.c").display().to_string()];
    let line = last as u64;
    let mapping = mapping::function(&[(0, vec![Region::code(0, (line, 1), (line, 2))])]);
    bombs.add(
        "f.o",
        &mapping::object("/", &files, &functions, |_| mapping.clone()),
    );
    for options in [&[][..], &["-format=html"], &["-name-regex=f"]] {
        let show = ["llvm-cov", "show", "f.o", "-instr-profile=f.profdata"];
        let (code, said) = bombs.run(&[&show, options].concat());
        assert_eq!(code, 0, "{options:?}: {said}");
    }
}

/// Functions that lie over each other: each repeats the lines of those before, in Cobertura's methods and where llvm-cov
/// shows instantiations.
#[test]
fn functions_over_each_other() {
    let bombs = Bombs::new();
    let count = 8_000;
    bombs.add("a.c", &b"x\n".repeat(count + 1));
    let functions = bombs.functions(count);
    let files = [bombs.path("a.c").display().to_string()];
    let last = count as u64 + 1;
    for (object, is_one_group) in [("start.o", true), ("end.o", false)] {
        let region = |number: usize| match is_one_group {
            true => Region::code(0, (1, 1), (number as u64 + 2, 2)),
            false => Region::code(0, (number as u64 + 1, 1), (last, 2)),
        };
        let mapping = |number| mapping::function(&[(0, vec![region(number)])]);
        bombs.add(object, &mapping::object("/", &files, &functions, mapping));
        let from = ["--profile", "f.proftext", "--object", object];
        let cobertura = [&["report", "--cobertura", "out.xml"], &from[..]].concat();
        let (code, said) = bombs.run(&cobertura);
        assert_ne!(code, 0, "{object}");
        let words = "expected methods with 4706304 lines and branches at most, found 320";
        assert!(said.contains(words), "{object}: {said}");
        assert!(!bombs.path("out.xml").exists());
        let others = [
            "report", "--lcov", "out.info", "--html", "pages", "--clover", "out",
        ];
        let (code, said) = bombs.run(&[&others, &from[..]].concat());
        assert_eq!(code, 0, "{object}: {said}");
        let show = ["llvm-cov", "show", object, "-instr-profile=f.profdata"];
        let (code, said) = bombs.run(&show);
        assert_eq!(code, 0, "{object}: {said}");
        let words = "instantiations are not shown";
        assert_eq!(said.contains(words), is_one_group, "{object}: {said}");
    }
}

/// All names of a program in one bucket of the profile's table.
#[test]
fn a_bucket_of_65_535_names() {
    let bombs = Bombs::new();
    bombs.profiles("f", "f\n7\n1\n1\n");
    let mut profile = fs::read(bombs.path("f.profdata")).unwrap();
    // There is one bucket. It lies behind the numbers of buckets and names; HashOffset is the fifth word.
    let table = profile[32..40].try_into().map(u64::from_le_bytes).unwrap();
    let bucket = usize::try_from(table).unwrap() + 16;
    let here = profile.len() as u64;
    profile[bucket..bucket + 8].copy_from_slice(&here.to_le_bytes());
    profile.extend(u16::MAX.to_le_bytes());
    // Hashes, and names and data of no bytes.
    profile.resize(profile.len() + 24 * usize::from(u16::MAX), 0);
    bombs.add("bucket.profdata", &profile);
    let functions: Vec<Function> = (0..40_000)
        .map(|number| Function::new(&format!("f{number}"), 7, [1]))
        .collect();
    let mapping = mapping::function(&[(0, vec![Region::code(0, (1, 1), (9, 1))])]);
    let files = ["a.c".to_owned()];
    bombs.add(
        "a.o",
        &mapping::object("/", &files, &functions, |_| mapping.clone()),
    );
    for profile in ["f.profdata", "bucket.profdata"] {
        let profile = format!("-instr-profile={profile}");
        let (code, said) = bombs.run(&["llvm-cov", "export", "-format=lcov", "a.o", &profile]);
        let is_good = profile.ends_with("=f.profdata");
        assert_eq!(code == 0, is_good, "{profile}: {said}");
        assert!(is_good || said.contains("malformed"), "{said}");
    }
}

/// A function in very many files, with very many decisions in one of them.
#[test]
fn decisions_and_files_of_one_function() {
    let bombs = Bombs::new();
    bombs.add("f.proftext", b"f\n7\n2\n1\n1\n");
    let count = 60_000;
    let mut mapping = uleb(count);
    for file in 0..count {
        mapping.extend(uleb(file + 1));
    }
    mapping.extend(uleb(0));
    mapping.extend(uleb(2 * count));
    for _ in 0..count {
        // A decision: its kind, bits up to the second, one condition, and where it is; then the condition: its kind, two
        // counters, its id, nothing after it.
        mapping.extend([5 << 3, 2, 1, 1, 1, 0, 9]);
        mapping.extend([6 << 3, 1, 5, 1, 0, 0, 0, 1, 0, 9]);
    }
    for _ in 1..count {
        mapping.extend([1, 1, 1, 1, 1, 9]);
    }
    let files: Vec<String> = (0..count).map(|number| format!("{number}.c")).collect();
    let functions = [Function::new("f", 7, [1, 1])];
    bombs.add(
        "a.o",
        &mapping::object("/", &files, &functions, |_| mapping.clone()),
    );
    let report = [
        "report",
        "--lcov",
        "out.info",
        "--profile",
        "f.proftext",
        "--object",
        "a.o",
    ];
    let (code, said) = bombs.run(&report);
    assert_eq!(code, 0, "{said}");
}

/// Regions of many shapes, in one function: whatever lies in or over or beside whatever, each report takes time in
/// proportion to it.
#[test]
fn shapes_of_a_function() {
    let bombs = Bombs::new();
    let count = 8_000;
    bombs.add("a.c", &b"x\n".repeat(2 * count));
    let counts: Vec<u64> = (0..count as u64).map(|number| number % 3).collect();
    let counts_of_text: String = counts.iter().map(|count| format!("{count}\n")).collect();
    let text = format!("f\n7\n{count}\n{counts_of_text}");
    bombs.profiles("f", &text);
    let functions = [Function::new("f", 7, counts)];
    let files = [bombs.path("a.c").display().to_string()];
    let n = count as u64;
    type Shape = fn(u64, u64) -> ((u64, u64), (u64, u64));
    let shapes: [(&str, Shape); 7] = [
        ("one below the other", |at, _| ((at + 1, 1), (at + 1, 9))),
        ("beside each other", |at, _| {
            ((1, 2 * at + 1), (1, 2 * at + 2))
        }),
        ("in each other", |at, n| ((at + 1, 1), (2 * n - at, 9))),
        ("in each other, in a line", |at, n| {
            ((1, at + 1), (1, 2 * n - at))
        }),
        ("with one start", |at, _| ((1, 1), (at + 1, 9))),
        ("with one end", |at, n| ((at + 1, 1), (n + 1, 9))),
        ("all the same", |_, n| ((1, 1), (n, 9))),
    ];
    for (name, shape) in shapes {
        let regions = (0..n).map(|at| {
            let (start, end) = shape(at, n);
            Region::code(at, start, end)
        });
        let mapping = mapping::function(&[(0, regions.collect())]);
        bombs.add(
            "f.o",
            &mapping::object("/", &files, &functions, |_| mapping.clone()),
        );
        let mut report = [&["report"], &FROM[..]].concat();
        for format in [
            "--lcov",
            "--cobertura",
            "--json",
            "--llvm-json",
            "--text",
            "--markdown",
            "--html",
            "--missing",
            "--codecov",
            "--sonar",
            "--clover",
            "--coveralls",
        ] {
            report.extend([format, &format[2..]]);
        }
        let (code, said) = bombs.run(&report);
        assert_eq!(code, 0, "{name}: {said}");
        let show = ["llvm-cov", "show", "f.o", "-instr-profile=f.profdata"];
        for options in [&[][..], &["-show-regions"], &["-format=html"]] {
            let (code, said) = bombs.run(&[&show, options].concat());
            assert_eq!(code, 0, "{name} {options:?}: {said}");
        }
    }
}

/// llvm-cov's JSON has all regions of a function for each of its expansions.
#[test]
fn expansions_of_one_function() {
    let bombs = Bombs::new();
    bombs.profiles("f", "f\n7\n2\n1\n1\n");
    let inside = |file| (file, vec![Region::code(0, (1, 1), (1, 9))]);
    for (count, words) in [(100, ""), (12_000, "expected expansions with 134217728")] {
        let expansions = (1..=count).map(|file| {
            let line = file as u64;
            Region::expansion(file, (line, 1), (line, 9))
        });
        let files: Vec<(usize, Vec<Region>)> = std::iter::once((0, expansions.collect()))
            .chain((0..count).map(|_| inside(1)))
            .collect();
        let functions = [Function::new("f", 7, [1, 1])];
        let names = ["a.c".to_owned(), "b.h".to_owned()];
        let mapping = mapping::function(&files);
        bombs.add(
            "f.o",
            &mapping::object("/", &names, &functions, |_| mapping.clone()),
        );
        let export = ["llvm-cov", "export", "f.o", "-instr-profile=f.profdata"];
        let report = [&["report", "--llvm-json", "out.json"], &FROM[..]].concat();
        for args in [&export[..], &report] {
            let (code, said) = bombs.run(args);
            assert_eq!(code == 0, words.is_empty(), "{count}: {said}");
            assert!(said.contains(words), "{said}");
        }
        let others = [
            "report", "--html", "pages", "--json", "out.json", "--text", "out",
        ];
        let (code, said) = bombs.run(&[&others, &FROM[..]].concat());
        assert_eq!(code, 0, "{count}: {said}");
    }
}

/// A function that runs, with so many regions that do not, each in a line of its own; its profile is "f.profdata".
fn missing_regions(bombs: &Bombs, object: &str, file: &str, function: &str, count: u64) {
    bombs.profiles("f", &format!("{function}\n7\n2\n1\n0\n"));
    let outer = Region::code(0, (1, 1), (2 * count + 2, 2));
    let inner = (1..=count).map(|at| Region::code(1, (2 * at, 1), (2 * at, 9)));
    let regions = std::iter::once(outer).chain(inner).collect();
    let mapping = mapping::function(&[(0, regions)]);
    let functions = [Function::new(function, 7, [1, 0])];
    let files = [file.to_owned()];
    bombs.add(
        object,
        &mapping::object("/", &files, &functions, |_| mapping.clone()),
    );
}

/// The bytes of a file, or of all in a folder.
fn size(bombs: &Bombs, name: &str) -> u64 {
    let path = bombs.path(name);
    if !path.is_dir() {
        return fs::metadata(path).unwrap().len();
    }
    let files = super::files_of(&path);
    files
        .iter()
        .map(|one| fs::metadata(one).unwrap().len())
        .sum()
}

/// A long name of a file and one of a function, repeated at each of their places.
#[test]
fn long_names_with_many_places() {
    let bombs = Bombs::new();
    let (file, function) = ("x".repeat(100_000), "f".repeat(300_000));
    let count = 2_000;
    missing_regions(&bombs, "f.o", &format!("/{file}"), &function, count);
    let line_count = 4_002;
    let lines = "+x\n".repeat(line_count);
    let head = format!("--- {file}\n+++ {file}\n@@ -0,0 +1,{line_count} @@\n");
    bombs.add("f.patch", (head + &lines).as_bytes());
    for format in ["json", "missing", "github", "html"] {
        let option = format!("--{format}");
        let report = [&["report", &option, format], &FROM[..]].concat();
        let (code, said) = bombs.run(&report);
        assert_eq!(code, 0, "{format}: {said}");
        let size = size(&bombs, format);
        assert!(size < 32 << 20, "{format}: {size}");
    }
    for format in ["json", "github"] {
        let (option, out) = (format!("--{format}"), format!("diff.{format}"));
        let diff = [&["diff", "--patch", "f.patch", &option, &out], &FROM[..]].concat();
        let (code, said) = bombs.run(&diff);
        assert_eq!(code, 0, "{format}: {said}");
        let size = size(&bombs, &out);
        assert!(size > count << 12 && size < 32 << 20, "{format}: {size}");
    }
}

/// In many files is a function whose files each expand twice to the next, so that the branch in the last is there 65,536
/// times, or more often than can be listed.
#[test]
fn expansions_that_multiply() {
    let bombs = Bombs::new();
    let levels = 16;
    let files: Vec<(usize, Vec<Region>)> = (0..=levels)
        .map(|level| {
            let code = Region::code(0, (1, 1), (1, 9));
            let inside = match level == levels {
                true => vec![code, Region::branch([0, 0], (1, 2), (1, 3))],
                false => vec![
                    code,
                    Region::expansion(level + 1, (1, 2), (1, 3)),
                    Region::expansion(level + 1, (1, 4), (1, 5)),
                ],
            };
            (0, inside)
        })
        .collect();
    let count = 1_000;
    let names: Vec<String> = (0..count).map(|number| format!("{number}.c")).collect();
    let functions = bombs.functions(count);
    let mapping = |number| {
        let mut files = files.clone();
        files.iter_mut().for_each(|(file, _)| *file = number);
        mapping::function(&files)
    };
    let object = mapping::object("/", &names, &functions, mapping);
    bombs.add("f.o", &object);
    for format in ["lcov", "html", "json"] {
        let (option, out) = (format!("--{format}"), format!("out.{format}"));
        let (code, said) = bombs.run(&[&["report", &option, &out], &FROM[..]].concat());
        assert_eq!(code, 0, "{format}: {said}");
        let size = size(&bombs, &out);
        assert!(size < 64 << 20, "{format}: {size}");
    }
}

/// A long name beside very many short ones, in a table.
#[test]
fn a_long_name_in_a_table() {
    let bombs = Bombs::new();
    let functions = bombs.functions(3_000);
    let name = |number: usize| match number {
        0 => "x".repeat(100_000),
        _ => number.to_string(),
    };
    let files: Vec<String> = (0..functions.len()).map(name).collect();
    let object = mapping::object("/", &files, &functions, |number| {
        mapping::function(&[(number, vec![Region::code(0, (1, 1), (2, 1))])])
    });
    bombs.add("f.o", &object);
    let report = [&["report", "--table", "out"], &FROM[..]].concat();
    let (code, said) = bombs.run(&report);
    assert_eq!(code, 0, "{said}");
    let size = size(&bombs, "out");
    assert!(size > 3_000 * 256 && size < 2 << 20, "{size}");
}

/// Functions that are all declared on one line, which has very many branches, in Cobertura's methods.
#[test]
fn functions_and_branches_on_one_line() {
    let bombs = Bombs::new();
    for (count, words) in [
        (200, ""),
        (5_000, "lines and branches at most, found 12505000"),
    ] {
        let functions = (0..count).map(|at| format!("FN:1,f{at}\nFNDA:1,f{at}\n"));
        let branches = (0..count).map(|at| format!("BRDA:1,0,{at},1\n"));
        let [functions, branches] = [functions.collect::<String>(), branches.collect()];
        let text = format!("SF:a.c\n{functions}DA:1,1\n{branches}end_of_record\n");
        bombs.add("in.info", text.as_bytes());
        let (code, said) = bombs.run(&["convert", "in.info", "--cobertura", "out.xml"]);
        assert_eq!(code == 0, words.is_empty(), "{count}: {said}");
        assert!(said.contains(words), "{said}");
    }
}

/// Very many macros on one line.
#[test]
fn expansions_on_one_line() {
    let bombs = Bombs::new();
    bombs.profiles("f", "f\n7\n1\n1\n");
    let count = 40_000;
    let expansions = (1..=count).map(|file| {
        let column = 2 * file as u64;
        Region::expansion(file, (1, column), (1, column + 1))
    });
    let inside = (0..count).map(|_| (1, vec![Region::code(0, (1, 1), (1, 9))]));
    let files: Vec<(usize, Vec<Region>)> = std::iter::once((0, expansions.collect()))
        .chain(inside)
        .collect();
    let functions = [Function::new("f", 7, [1])];
    let names = ["a.c".to_owned(), "b.h".to_owned()];
    let mapping = mapping::function(&files);
    bombs.add(
        "f.o",
        &mapping::object("/", &names, &functions, |_| mapping.clone()),
    );
    let (code, said) = bombs.run(&[&["report", "--html", "pages"], &FROM[..]].concat());
    assert_eq!(code, 0, "{said}");
}

/// A name of very many folders, in objects and in a patch.
#[test]
fn a_name_of_many_folders_in_a_patch() {
    let bombs = Bombs::new();
    let name = "a/".repeat(400_000);
    missing_regions(&bombs, "f.o", &format!("/{name}b"), "f", 1);
    let patch = format!("--- {name}c\n+++ {name}c\n@@ -1,0 +1 @@\n+x\n");
    bombs.add("f.patch", patch.as_bytes());
    let (code, said) = bombs.run(&[&["diff", "--patch", "f.patch"], &FROM[..]].concat());
    assert_eq!(code, 0, "{said}");
}

/// A file with a long name and very many lines, which were all executed once.
#[test]
fn a_long_name_in_a_baseline() {
    let bombs = Bombs::new();
    let (name, count) = ("x".repeat(1_000_000), 50_000);
    missing_regions(&bombs, "f.o", &format!("/{name}"), "f", count);
    bombs.add("f.patch", b"--- y\n+++ y\n@@ -1,0 +1 @@\n+x\n");
    let baseline = format!(
        r#"{{"version":1,"totals":{{"lines":{{"covered":1,"total":2}}}},"files":[{{"name":"/{name}","lines":[[1,{},1]]}}]}}"#,
        2 * count
    );
    bombs.add("f.json", baseline.as_bytes());
    let diff = ["diff", "--patch", "f.patch", "--baseline", "f.json"];
    let (code, said) = bombs.run(&[&diff[..], &FROM].concat());
    assert_eq!(code, 0, "{said}");
}

/// A long name of a file of which very many lines are left out.
#[test]
fn a_long_name_with_many_exclusions() {
    let bombs = Bombs::new();
    let count = 150_000;
    bombs.add("a.c", "LCOV_EXCL_LINE\n\n".repeat(count).as_bytes());
    let name = "./".repeat(2_000) + "a.c";
    let text = format!("SF:{name}\nDA:{},1\nend_of_record\n", 2 * count + 1);
    bombs.add("in.info", text.as_bytes());
    let convert = ["convert", "in.info", "--markers", "--html", "pages"];
    let (code, said) = bombs.run(&convert);
    assert_eq!(code, 0, "{said}");
}
