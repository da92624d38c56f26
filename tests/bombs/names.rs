//! Reports and Go's files with names of any length, and with very many things that are nearly alike: what is written of
//! them is in proportion, and so is the time; or they are refused.

use std::fs;
use std::path::PathBuf;

use bincover::gocover::meta::Function;
use bincover::gocover::{Granularity, HashKind, MetaBuilder, Mode, Unit};

use super::Bombs;

/// More than a name may have.
const LONG: usize = 100_000;

fn long() -> String {
    "x".repeat(LONG)
}

/// A report with one folder of sources, and files in it.
fn cobertura(source: &str, files: usize) -> String {
    let class = |number| {
        format!(
            "<class filename=\"{number}.c\"><lines><line number=\"1\" hits=\"1\"/></lines></class>"
        )
    };
    let classes: String = (0..files).map(class).collect();
    format!(
        "<coverage><sources><source>{source}</source></sources><packages><package><classes>{classes}</classes>\
         </package></packages></coverage>"
    )
}

/// A name that is longer than any of its kind is refused, with the place; the longest is taken.
#[test]
fn names_of_reports() {
    let bombs = Bombs::new();
    let long = long();
    for (name, text, words) in [
        (
            "source.xml",
            cobertura(&long, 10_000),
            "source: expected no more than 4096 bytes in line 1",
        ),
        (
            "file.xml",
            cobertura("/", 1).replace("0.c", &long),
            "file name: expected",
        ),
        (
            "file.info",
            format!("TN:\nSF:{long}\nend_of_record\n"),
            "file name: expected no more than 4096 bytes in line 2",
        ),
        (
            "function.info",
            format!("SF:a.c\nFN:1,{}\nend_of_record\n", "x".repeat(2_000_000)),
            "function name: expected no more than 1048576 bytes in line 2",
        ),
        (
            "file.json",
            format!(
                "{{\"type\":\"llvm.coverage.json.export\",\"data\":[{{\"files\":[\n{{\"filename\":\"{long}\"}}]}}]}}"
            ),
            "in line 2",
        ),
    ] {
        bombs.add(name, text.as_bytes());
        let (code, said) = bombs.run(&["convert", name, "--lcov", "out.info"]);
        assert_ne!(code, 0, "{name}: {said}");
        assert!(
            said.contains(name) && said.contains(words),
            "{name}: {said}"
        );
        assert!(!bombs.path("out.info").exists(), "{name}");
    }
    bombs.add(
        "longest.xml",
        cobertura(&"x".repeat(4_000), 10_000).as_bytes(),
    );
    let (code, said) = bombs.run(&["convert", "longest.xml", "--lcov", "out.info"]);
    assert_eq!(code, 0, "{said}");
}

impl Bombs {
    /// A program of Go with one package, in the folder "data".
    fn go_program(&self, path: &str, functions: impl IntoIterator<Item = Function>) {
        let mut builder = MetaBuilder::new(HashKind::Fnv);
        let [path, name, module] = [path, "p", "m"].map(|text| text.as_bytes().into());
        let package = builder.package(&path, &name, &module);
        for function in functions {
            builder.function(package, function);
        }
        let meta = builder.write(Mode::Count, Granularity::Block);
        let hash: String = meta[24..40]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let folder = self.folder("data");
        fs::write(folder.join(format!("covmeta.{hash}")), meta).unwrap();
    }

    /// An empty folder.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }
}

fn function(name: &str, file: &str, units: impl IntoIterator<Item = [u32; 4]>) -> Function {
    let unit = |[start_line, start_column, end_line, end_column]: [u32; 4]| Unit {
        start_line,
        start_column,
        end_line,
        end_column,
        statements: 1,
    };
    Function {
        name: name.as_bytes().into(),
        file: file.as_bytes().into(),
        units: units.into_iter().map(unit).collect(),
        literal: false,
    }
}

/// What the commands on folders print or write, each of which reads all metadata.
const GO: [&[&str]; 7] = [
    &["go", "func", "-i=data"],
    &["go", "percent", "-i=data"],
    &["go", "debugdump", "-i=data"],
    &["go", "textfmt", "-i=data", "-o=out.txt"],
    &["go", "merge", "-i=data", "-o=out"],
    &["go", "merge", "-pcombine", "-i=data", "-o=out"],
    &["report", "--profile", "data", "--lcov", "out.info"],
];

#[test]
fn names_of_a_program_of_go() {
    let bombs = Bombs::new();
    let long = long();
    let count = 1_000;
    for (path, name, file) in [(&*long, "f", "f"), ("m/p", &long, "f"), ("m/p", "f", &long)] {
        let one = |line| function(name, file, [[line, 1, line, 9]]);
        bombs.go_program(path, (1..=count).map(one));
        for command in GO {
            bombs.folder("out");
            let (code, said) = bombs.run(command);
            assert_ne!(code, 0, "{command:?}: {said}");
            let words = "string: expected no more than 4096 bytes at offset 0x";
            assert!(said.contains(words), "{command:?}: {said}");
        }
    }
    let text = format!("mode: set\na.go:1.1,2.2 1 1\n{long}:1.1,2.2 1 1\n");
    bombs.add("long.txt", text.as_bytes());
    let (code, said) = bombs.run(&["report", "--profile", "long.txt", "--lcov", "out.info"]);
    assert_ne!(code, 0, "{said}");
    let words = "file name: expected no more than 4096 bytes at offset 0x1b";
    assert!(said.contains("long.txt") && said.contains(words), "{said}");
}

/// Functions that are the same but for one of their blocks, whichever it is.
#[test]
fn functions_of_go_that_are_nearly_alike() {
    let bombs = Bombs::new();
    let count = 12_000_u32;
    for differs in 0..3_u32 {
        let one = |number| {
            let end = |at| 9 + if at == differs { number } else { 0 };
            let unit = |at| [10 * at + 1, 1, 10 * at + 2, end(at)];
            function("f", "m/p/a.go", (0..3).map(unit))
        };
        bombs.go_program("m/p", (0..count).map(one));
        for command in GO {
            bombs.folder("out");
            let (code, said) = bombs.run(command);
            assert_eq!(code, 0, "{differs} {command:?}: {said}");
        }
    }
}

/// A block around all functions of a source.
#[test]
fn a_block_around_all_functions() {
    let bombs = Bombs::new();
    let count = 40_000;
    let source: String = (0..count)
        .map(|number| format!("func a{number}() {{ x }}\n"))
        .collect();
    bombs.add("a.go", format!("package p\n{source}").as_bytes());
    let blocks: String = (2..count + 2)
        .map(|line| format!("./a.go:{line}.14,{line}.20 1 {}\n", line % 2))
        .collect();
    let profile = format!("mode: set\n./a.go:1.1,{}.1 1 1\n{blocks}", count + 9);
    bombs.add("p.txt", profile.as_bytes());
    let (code, said) = bombs.run(&["go", "cover", "-func=p.txt"]);
    assert_eq!(code, 0, "{said}");
}

/// Each function's macros double 25 times.
#[test]
fn expansions_of_a_report_that_multiply() {
    let bombs = Bombs::new();
    let tally = "{\"count\":1,\"covered\":1}";
    let summary = format!(
        "{{\"lines\":{tally},\"functions\":{tally},\"instantiations\":{tally},\"regions\":{tally}}}"
    );
    let depth = 25;
    let mut regions = vec![format!("[1,1,9,9,1,{depth},0,0]")];
    for file in 0..depth {
        regions.push(format!("[1,1,9,9,1,{file},0,0]"));
        for line in [2, 3] {
            regions.push(format!("[{line},1,{line},2,1,{file},{},1]", file + 1));
        }
    }
    let regions = regions.join(",");
    for count in [1, 100] {
        let files: Vec<String> = (0..count)
            .map(|number| format!("{{\"filename\":\"{number}.c\",\"summary\":{summary}}}"))
            .collect();
        let functions: Vec<String> = (0..count)
            .map(|number| {
                let headers = ",\"a.h\"".repeat(depth);
                format!(
                    "{{\"name\":\"f\",\"count\":1,\"filenames\":[\"{number}.c\"{headers}],\"regions\":[{regions}],\
                     \"branches\":[[2,3,2,5,1,0,{depth},0,4]]}}"
                )
            })
            .collect();
        let text = format!(
            "{{\"type\":\"llvm.coverage.json.export\",\"data\":[{{\"files\":[{}],\"functions\":[{}]}}]}}",
            files.join(","),
            functions.join(",")
        );
        bombs.add("in.json", text.as_bytes());
        let (code, said) = bombs.run(&["convert", "in.json", "--lcov", "out.info"]);
        assert_ne!(code, 0, "{count}: {said}");
        let words = "expansions: expected branches of no more than";
        assert!(said.contains(words), "{count}: {said}");
    }
}
