//! Markers, modules, names and rules that each are a few bytes, and very many together: what is asked to leave out, and
//! where files lie here, is found in proportion.

use std::fs;
use std::process::Command;

use super::Bombs;

/// Converts `in.info` with these options. Gives what is said.
#[track_caller]
fn convert(bombs: &Bombs, options: &[&str]) -> String {
    let args = ["convert", "in.info", "--lcov", "out.info"];
    let (code, said) = bombs.run(&[&args[..], options].concat());
    assert_eq!(code, 0, "{options:?}: {said}");
    said
}

/// A source, and the tracefile of what is known of it.
fn with_source(source: &str, text: &str, known: &str) -> Bombs {
    let bombs = Bombs::new();
    bombs.add(source, text.as_bytes());
    let report = format!("SF:{source}\n{known}end_of_record\n");
    bombs.add("in.info", report.as_bytes());
    bombs
}

/// Makes a repository of a folder.
fn init(bombs: &Bombs) {
    let mut git = Command::new("git");
    git.args(["init", "--quiet"]).current_dir(bombs.path(""));
    assert!(git.status().expect("git").success());
}

fn each(count: usize, of: impl Fn(usize) -> String) -> String {
    (1..=count).map(of).collect()
}

/// Were all functions of the file looked at for each marker, these would be 2^30 and more.
#[test]
fn functions_with_markers() {
    let count = 40_000;
    let text = "x // GCOVR_EXCL_FUNCTION\n".repeat(count);
    let known = each(count, |line| {
        format!("FN:{line},f{line}\nFNDA:{line},f{line}\nDA:{line},1\n")
    });
    let said = convert(&with_source("a.c", &text, &known), &["--markers"]);
    assert!(said.contains("GCOVR_EXCL_FUNCTION: 40000 lines"), "{said}");

    // All on one line.
    let text = format!("x //{}\n", " GCOVR_EXCL_FUNCTION".repeat(count));
    let known = each(count, |number| {
        format!("FN:1,f{number}\nFNDA:1,f{number}\n")
    });
    let said = convert(
        &with_source("a.c", &text, &(known + "DA:1,1\n")),
        &["--markers"],
    );
    assert!(said.contains("GCOVR_EXCL_FUNCTION: 1 line\n"), "{said}");
    assert!(said.lines().count() == 2, "{said}");
}

/// A rule for each second line of a long file.
#[test]
fn lines_by_an_expression() {
    let count = 80_000;
    let text = "aab\nxx\n".repeat(count);
    let known = each(2 * count, |line| format!("DA:{line},{}\n", line % 3));
    let said = convert(
        &with_source("a.c", &text, &known),
        &["--exclude-line", "aab"],
    );
    assert!(said.contains("80000 lines"), "{said}");
}

/// Ranges inside each other: each line is taken once.
#[test]
fn functions_inside_each_other() {
    let count = 15_000;
    let bombs = with_source(
        "a.c",
        &"x // GCOVR_EXCL_FUNCTION\n".repeat(count),
        "DA:1,1\n",
    );
    let functions = each(count, |line| {
        let region = format!("[{line},1,{},9,1,0,0,0]", 2 * count - line);
        let comma = if line == 1 { "" } else { "," };
        format!(
            "{comma}{{\"name\":\"f{line}\",\"count\":1,\"filenames\":[\"a.c\"],\"regions\":[{region}],\"branches\":[]}}"
        )
    });
    let tally = "{\"count\":1,\"covered\":1}";
    let summary = [
        "lines",
        "functions",
        "instantiations",
        "regions",
        "branches",
    ]
    .map(|name| format!("\"{name}\":{tally}"));
    let segments = format!(
        "[[1,1,1,true,true,false],[{},9,0,false,false,false]]",
        2 * count
    );
    let report = format!(
        "{{\"data\":[{{\"files\":[{{\"filename\":\"a.c\",\"segments\":{segments},\"branches\":[],\
         \"summary\":{{{}}}}}],\"functions\":[{functions}],\"totals\":{{}}}}],\
         \"type\":\"llvm.coverage.json.export\",\"version\":\"3.1.0\"}}",
        summary.join(",")
    );
    bombs.add("in.info", report.as_bytes());
    let said = convert(&bombs, &["--markers"]);
    assert!(said.contains("GCOVR_EXCL_FUNCTION: 29999 lines"), "{said}");
}

/// Were the names around it kept for each module, and made into names of files, these would be gigabytes.
#[test]
fn modules_in_other_files() {
    let count = 20_000;
    let long = "x".repeat(8 * count);
    let modules = "#[cfg(test)] mod a;\n".repeat(count);
    let in_one = format!("mod {long} {{\n{modules}}}\n");
    let depth = 1000;
    let in_many = format!("{}{modules}{}\n", "mod a{".repeat(depth), "}".repeat(depth));
    for text in [in_one, in_many] {
        let bombs = with_source("a.rs", &text, "DA:1,1\n");
        let said = convert(&bombs, &["--skip", "tests"]);
        assert!(said.is_empty(), "{said}");
    }
}

/// Names that could each be any of many files.
#[test]
fn names_that_end_as_many_files_do() {
    let bombs = Bombs::new();
    let count = 4000;
    init(&bombs);
    for number in 0..count {
        let path = bombs.path(&format!("c{number}/src"));
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("lib.rs"), "x\n").expect("a source");
    }
    let report = each(count, |number| {
        format!("SF:/ci/x{number}/src/lib.rs\nDA:1,1\nend_of_record\n")
    });
    bombs.add("in.info", report.as_bytes());
    let said = convert(&bombs, &["--find-moved", "--ledger", "ledger.json"]);
    assert!(said.is_empty(), "{said}");
}

/// Names of one file: what there is under each is put in order once for all.
#[test]
fn names_that_become_one() {
    let count = 20_000;
    let bombs = with_source("a.c", "x\n", "DA:1,1\n");
    let report = each(count, |number| {
        let line = number % 1000 + 1;
        format!(
            "SF:/x/{number}/a.c\nFN:{line},f{number}\nFNDA:1,f{number}\nDA:{line},1\nend_of_record\n"
        )
    });
    bombs.add("in.info", report.as_bytes());
    init(&bombs);
    let said = convert(&bombs, &["--find-moved"]);
    assert!(said.is_empty(), "{said}");
    let out = fs::read_to_string(bombs.path("out.info")).expect("a tracefile");
    let all = "FNF:20000\nFNH:20000\n";
    assert!(
        out.contains(all) && out.contains("LF:1000\n"),
        "{}",
        out.len()
    );
}
