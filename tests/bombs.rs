//! Files that ask for more than they are: with 512 MB of address space and 5 seconds of processor time,
//! the readers of profiles, objects, Go's files, reports, patches, options and stores end by themselves, and say
//! what they found.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bincover_testkit::mapping::Region;
use bincover_testkit::raw::{Function, RawFile, Shape, binary, uleb};
use bincover_testkit::{elf, fixture, fixture_bytes, mapping};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use tempfile::TempDir;

#[path = "bombs/growth.rs"]
mod growth;
#[path = "bombs/names.rs"]
mod names;
#[path = "bombs/sources.rs"]
mod sources;

/// Files in a folder of their own.
struct Bombs(TempDir);

impl Bombs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs `bincover` under the limits. Gives its exit code, which is one of its own, and what it says.
    #[track_caller]
    fn run(&self, args: &[&str]) -> (i32, String) {
        self.run_program(env!("CARGO_BIN_EXE_bincover"), args)
    }

    #[track_caller]
    fn run_program(&self, program: &str, args: &[&str]) -> (i32, String) {
        let output = Command::new("sh")
            .args(["-c", "ulimit -v 524288; ulimit -t 5; exec \"$@\"", "sh"])
            .arg(program)
            .args(args)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        let code = code.unwrap_or_else(|| panic!("{args:?}: {}: {said}", output.status));
        assert!(code < 100, "{args:?}: exit code {code}: {said}");
        (code, said)
    }

    /// A profile as text and as a table, named so.
    #[track_caller]
    fn profiles(&self, name: &str, text: &str) {
        let (from, to) = (format!("{name}.proftext"), format!("{name}.profdata"));
        self.add(&from, text.as_bytes());
        let (code, said) = self.run(&["merge", "-o", &to, &from]);
        assert_eq!(code, 0, "{name}: {said}");
    }

    /// So many functions, and profiles "f" in and of the table in which each ran once.
    #[track_caller]
    fn functions(&self, count: usize) -> Vec<Function> {
        let name = |number| format!("f{number}");
        let text: String = (0..count)
            .map(|number| format!("{}\n7\n1\n1\n", name(number)))
            .collect();
        self.profiles("f", &text);
        (0..count)
            .map(|number| Function::new(&name(number), 7, [1]))
            .collect()
    }

    /// A file is left out of a merge, with these words, and the good one beside it is merged.
    #[track_caller]
    fn is_left_out(&self, name: &str, words: &str) {
        let good = fixture("raw/clang22-c/1.profraw");
        let good = good.to_str().unwrap();
        let (code, said) = self.run(&["merge", "-o", "out.profdata", good, name]);
        assert_eq!(code, 92, "{name}: {said}");
        assert!(said.contains(name) && said.contains(words), "{said}");
        assert!(fs::metadata(self.path("out.profdata")).unwrap().len() > 0);
        fs::remove_file(self.path("out.profdata")).unwrap();
    }

    /// A report with an object that is not to be had fails, or says what is wrong with it.
    #[track_caller]
    fn is_said_of(&self, object: &str, words: &str) {
        let profile = fixture("raw/clang22-c/merged.profdata");
        let profile = profile.to_str().unwrap();
        let report = ["report", "--profile", profile, "--object", object];
        let (code, said) = self.run(&report);
        assert_ne!(code, 0, "{object}: {said}");
        assert!(said.contains(words), "{object}: {said}");
    }
}

fn zeros(bytes: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 16];
    for _ in 0..bytes / block.len() {
        packed.write_all(&block).unwrap();
    }
    packed.finish().unwrap()
}

/// A chunk of names or of a file table that inflates to zeros.
fn chunk_of_zeros(bytes: usize) -> Vec<u8> {
    let packed = zeros(bytes);
    let mut chunk = uleb(bytes as u64);
    chunk.extend(uleb(packed.len() as u64));
    chunk.extend(packed);
    chunk
}

#[test]
fn raw_profiles_that_claim_much() {
    let bombs = Bombs::new();
    let functions = binary(1, 4, 3, true);
    let file = || RawFile::new(Shape::all().last().unwrap(), &functions).assemble();
    let fields = [
        "NumData",
        "NumCounters",
        "NumBitmapBytes",
        "NamesSize",
        "BinaryIdsSize",
    ];
    for field in fields {
        for value in [1 << 32, 1 << 60, u64::MAX - 7] {
            let mut file = file();
            file.set(field, value);
            bombs.add("claims.profraw", &file.bytes);
            bombs.is_left_out("claims.profraw", "expected");
        }
    }
}

#[test]
fn functions_that_share_their_counters() {
    let bombs = Bombs::new();
    // 8,000 functions of 16,000 counters each would be a gigabyte; all of them point to the first's.
    let mut functions = binary(1, 8000, 1, false);
    functions[0].counts = vec![1; 16000];
    let mut file = RawFile::new(Shape::all().last().unwrap(), &functions).assemble();
    let counters = file.get("record 0 CounterPtr");
    let record = (file.offset("record 1 NameRef") - file.offset("record 0 NameRef")) as u64;
    for index in 1..8000 {
        // Pointers are relative to the record that holds them.
        let pointer = counters.wrapping_sub(index * record);
        file.set(&format!("record {index} CounterPtr"), pointer);
        file.set(&format!("record {index} NumCounters"), 16000);
    }
    bombs.add("shared.profraw", &file.bytes);
    bombs.is_left_out("shared.profraw", "counters of all functions");
}

#[test]
fn names_that_inflate() {
    let bombs = Bombs::new();
    let functions = binary(1, 4, 3, false);
    let assembled = RawFile::new(Shape::all().last().unwrap(), &functions).assemble();
    let head = assembled.bytes[..assembled.offset("names")].to_vec();
    let names = chunk_of_zeros(256 << 20);
    let mut file = assembled.clone();
    file.bytes = head;
    file.set("NamesSize", names.len() as u64);
    file.bytes.extend(&names);
    file.bytes.resize(file.bytes.len().next_multiple_of(8), 0);
    bombs.add("names.profraw", &file.bytes);
    bombs.is_left_out("names.profraw", "more than names are compressed");
    // The same in an object; and many chunks that are large, of which none is too large. (Of a profile, only
    // names that are wanted are kept.)
    let object = object(&mapping::function(&[(
        0,
        vec![Region::code(0, (1, 1), (2, 1))],
    )]));
    let [covmap, covfun] =
        ["__llvm_covmap", "__llvm_covfun"].map(|name| elf::section(&object, name));
    let chunk = |index: usize| chunk_of_zeros((5 << 20) + (index << 16));
    let many: Vec<u8> = (0..8).flat_map(chunk).collect();
    for (name, names, words) in [
        ("one.o", &names, "more than names are compressed"),
        ("many.o", &many, "bytes of names"),
    ] {
        let object = elf::build(&[
            ("__llvm_prf_names", names),
            ("__llvm_covmap", &covmap),
            ("__llvm_covfun", &covfun),
        ]);
        bombs.add(name, &object);
        bombs.is_said_of(name, words);
    }
    // And in the table of its files.
    let mut table = uleb(2);
    table.extend(&names);
    let mut covmap = Vec::new();
    for field in [0, u32::try_from(table.len()).unwrap(), 0, 6] {
        covmap.extend(field.to_le_bytes());
    }
    covmap.extend(&table);
    covmap.resize(covmap.len().next_multiple_of(8), 0);
    let object = elf::build(&[("__llvm_prf_names", b"\x01\0f"), ("__llvm_covmap", &covmap)]);
    bombs.add("files.o", &object);
    bombs.is_said_of("files.o", "more than names are compressed");
}

#[test]
fn words_of_an_indexed_profile_made_enormous() {
    let bombs = Bombs::new();
    let indexed = fixture_bytes("indexed/names-2/input.profdata");
    let mut names = Vec::new();
    for at in (8..indexed.len().saturating_sub(8)).step_by(4) {
        for value in [1_u64 << 32, 1 << 60] {
            let mut copy = indexed.clone();
            copy[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let name = format!("{at}-{value:x}.profdata");
            bombs.add(&name, &copy);
            names.push(name);
        }
    }
    let good = fixture("raw/clang22-c/1.profraw");
    let mut args = vec!["merge", "-o", "out.profdata", good.to_str().unwrap()];
    args.extend(names.iter().map(String::as_str));
    let (code, said) = bombs.run(&args);
    assert_eq!(code, 92, "{said}");
}

#[test]
fn text_that_claims_much() {
    let bombs = Bombs::new();
    for (text, words) in [
        ("f\n1\n4000000000\n1\n", "expected"),
        ("f\n1\n1\n1\n$4000000000\n", "expected"),
        ("f\n1\n1\n1\n1\n0\n4000000000\n", "expected"),
    ] {
        bombs.add("claims.proftext", text.as_bytes());
        bombs.is_left_out("claims.proftext", words);
    }
}

/// An object of one function with this mapping.
fn object(mapping: &[u8]) -> Vec<u8> {
    let functions = [Function::new("f", 7, [1])];
    let files = ["a.c".to_owned(), "b.c".to_owned()];
    mapping::object("/", &files, &functions, |_| mapping.to_vec())
}

#[test]
fn mappings_that_claim_much() {
    let bombs = Bombs::new();
    let line = u64::from(u32::MAX);
    let long = mapping::function(&[(0, vec![Region::code(0, (1, 1), (line, 1))])]);
    bombs.add("long.o", &object(&long));
    bombs.is_said_of("long.o", "line");

    // One file, of which the first expression is the sum of itself twice; and a tower of sums.
    let with = |expressions: &[(u64, u64)], counter: u64| {
        let mut bytes = uleb(1);
        bytes.extend(uleb(1));
        bytes.extend(uleb(expressions.len() as u64));
        for (left, right) in expressions {
            bytes.extend(uleb(*left));
            bytes.extend(uleb(*right));
        }
        bytes.extend(uleb(1));
        for value in [counter, 1, 1, 1, 9] {
            bytes.extend(uleb(value));
        }
        bytes
    };
    // LLVM's encoding: a tag of two bits below the index; 1 is a counter, 3 a sum.
    let sum = |index: u64| index << 2 | 3;
    let tower: Vec<(u64, u64)> = (0..50_000)
        .map(|index| match index {
            0 => (1, 1),
            _ => (sum(index - 1), sum(index - 1)),
        })
        .collect();
    let profile = bombs.add("f.proftext", b"f\n7\n1\n1\n");
    for (name, mapping) in [
        ("cycle.o", with(&[(sum(0), sum(0))], sum(0))),
        ("tower.o", with(&tower, sum(49_999))),
    ] {
        bombs.add(name, &object(&mapping));
        let profile = profile.to_str().unwrap();
        bombs.run(&["report", "--profile", profile, "--object", name]);
    }
    for claim in [1 << 32, u64::MAX] {
        let mut files = uleb(claim);
        files.extend(uleb(1));
        let mut expressions = [uleb(1), uleb(1)].concat();
        expressions.extend(uleb(claim));
        let mut regions = [uleb(1), uleb(1), uleb(0)].concat();
        regions.extend(uleb(claim));
        for (name, mapping) in [
            ("files.o", files),
            ("expressions.o", expressions),
            ("regions.o", regions),
        ] {
            bombs.add(name, &object(&mapping));
            bombs.is_said_of(name, name);
        }
    }
}

#[test]
fn containers_that_claim_much() {
    let bombs = Bombs::new();
    // A million empty sections, there and only claimed: the count is in the first one's size.
    let mut object = elf::build(&[("__llvm_covmap", b"")]);
    object[60..62].fill(0);
    let table = object.len() as u64;
    object[40..48].copy_from_slice(&table.to_le_bytes());
    object.extend([0; 64]);
    let first = object.len() - 64;
    object[first + 32..first + 40].copy_from_slice(&1_000_000_u64.to_le_bytes());
    bombs.add("claimed.o", &object);
    bombs.is_said_of("claimed.o", "claimed.o");
    object.resize(object.len() + 999_999 * 64, 0);
    bombs.add("sections.o", &object);
    bombs.is_said_of("sections.o", "sections.o");

    let mut nested = fixture_bytes("object/clang22-c/app.elf");
    for _ in 0..40 {
        nested = archive(&nested);
    }
    bombs.add("nested.a", &nested);
    bombs.is_said_of("nested.a", "nested.a");
    // A hundred thousand members of nothing.
    let mut members = b"!<arch>\n".to_vec();
    for _ in 0..100_000 {
        members.extend(member(b""));
    }
    bombs.add("members.a", &members);
    bombs.is_said_of("members.a", "members.a");
}

/// Few bytes that could be opened millions of times.
#[test]
fn files_that_hold_themselves() {
    let bombs = Bombs::new();
    // A universal file whose hundred slices are all of it.
    let count = 100_u32;
    let size = 8 + 20 * count;
    let mut slices = vec![0xcafe_babe, count];
    for _ in 0..count {
        // x86-64, from the beginning, not aligned.
        slices.extend([0x0100_0007, 3, 0, size, 0]);
    }
    let slices: Vec<u8> = slices.into_iter().flat_map(u32::to_be_bytes).collect();
    bombs.add("slices.o", &slices);
    bombs.is_said_of("slices.o", "members and slices");
    // A thin archive that names itself.
    let mut thin = b"!<thin>\n".to_vec();
    let head = |name: &str, bytes: usize| {
        let numbers = format!("{:<12}{:<6}{:<6}{:<8}", 0, 0, 0, 644);
        format!("{name:<16}{numbers}{bytes:<10}`\n").into_bytes()
    };
    thin.extend(head("//", 8));
    thin.extend(b"thin.a/\n");
    for _ in 0..count {
        thin.extend(head("/0", 6076));
    }
    assert_eq!(thin.len(), 6076);
    bombs.add("thin.a", &thin);
    bombs.is_said_of("thin.a", "members and slices");
}

fn member(bytes: &[u8]) -> Vec<u8> {
    let mut member = format!(
        "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
        "m.a/",
        0,
        0,
        0,
        644,
        bytes.len()
    )
    .into_bytes();
    member.extend(bytes);
    member.resize(member.len().next_multiple_of(2), b'\n');
    member
}

fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    archive.extend(member(bytes));
    archive
}

#[test]
fn go_files_that_claim_much() {
    let bombs = Bombs::new();
    bombs.add(
        "lines.txt",
        b"mode: set\na.go:1.1,4000000000.1 1 1\na.go:1.1,2.2 4000000000 1\n",
    );
    let (code, said) = bombs.run(&["report", "--profile", "lines.txt", "--lcov", "-"]);
    assert_eq!(code, 0, "{said}");

    let data = fixture("go/synthetic/uleb");
    for entry in files_of(&data) {
        let bytes = fs::read(&entry).unwrap();
        let name = entry.file_name().unwrap().to_owned();
        for at in (4..bytes.len().saturating_sub(4)).step_by(4) {
            let folder = bombs.path("data");
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).unwrap();
            for other in files_of(&data) {
                fs::copy(&other, folder.join(other.file_name().unwrap())).unwrap();
            }
            let mut copy = bytes.clone();
            copy[at..at + 4].fill(0xff);
            fs::write(folder.join(&name), &copy).unwrap();
            bombs.run(&["go", "textfmt", "-i=data", "-o=out.txt"]);
        }
    }
}

/// Reports of others that claim much, or are nested, or have lines in great number.
#[test]
fn reports_that_claim_much() {
    let bombs = Bombs::new();
    let record = |inner: &str| format!("SF:a.c\n{inner}end_of_record\n");
    let class = |lines: &str| {
        format!(
            "<coverage><packages><package><classes><class filename=\"a.c\"><lines>{lines}</lines></class>\
             </classes></package></packages></coverage>"
        )
    };
    let export = |data: &str| format!("{{\"type\":\"llvm.coverage.json.export\",\"data\":{data}}}");
    let entities: String = (1..60)
        .map(|level| format!("<!ENTITY a{level} \"&a{0};&a{0};\">", level - 1))
        .collect();
    let too_large = [
        ("line.info", record("DA:1000000000,1\n"), "0 to 16777216"),
        (
            "line-2.info",
            record("DA:18446744073709551616,1\n"),
            "2^64 - 1",
        ),
        (
            "last-lines.info",
            record("DA:16777216,1\n").replace("a.c", "b.c").repeat(9),
            "in all files",
        ),
        (
            "line.xml",
            class("<line number=\"4000000000\" hits=\"1\"/>"),
            "0 to 16777216",
        ),
        (
            "outcomes.xml",
            class("<line number=\"1\" hits=\"1\" condition-coverage=\"0% (0/4000000000)\"/>"),
            "no more than 4096",
        ),
        (
            "entities.xml",
            format!(
                "<!DOCTYPE coverage [<!ENTITY a0 \"ha\">{entities}]><coverage><sources><source>&a59;</source></sources></coverage>"
            ),
            "XML's own",
        ),
        (
            "deep.xml",
            format!("<coverage>{}", "<packages>".repeat(1_000_000)),
            "no more than 64",
        ),
        ("deep.json", export(&"[".repeat(1_000_000)), "JSON"),
        (
            "deep-2.json",
            export(&format!("[{{\"x\":{}", "[{\"x\":".repeat(1_000_000))),
            "JSON",
        ),
        (
            "number.json",
            export(&format!(
                "[{{\"files\":[{{\"filename\":\"a.c\",\"segments\":[[{},1,1,true,true]]",
                "9".repeat(10_000_000)
            )),
            "JSON",
        ),
        (
            "name.info",
            record("DA:1,1\n").replace("a.c", &"a/".repeat(2_000_000)),
            "file name: expected no more than 4096 bytes in line 1",
        ),
    ];
    let good = fixture("import/a.info");
    for (name, text, words) in too_large {
        bombs.add(name, text.as_bytes());
        let args = [
            "convert",
            good.to_str().unwrap(),
            name,
            "--lcov",
            "out.info",
        ];
        let (code, said) = bombs.run(&args);
        assert_eq!(code, 92, "{name}: {said}");
        assert!(
            said.contains(name) && said.contains(words),
            "{name}: {said}"
        );
    }

    // As much as there may be. The time is linear in the file, and so is the memory.
    let lines: String = (0..100_000)
        .map(|line| format!("DA:{},1\n", line % 1000 + 1))
        .collect();
    let functions: String = (0..50_000)
        .map(|number| format!("FN:1,f{number}\nFNDA:1,f{number}\n"))
        .collect();
    let outcomes: String = (0..100_000)
        .map(|number| format!("BRDA:1,0,{number},1\n"))
        .collect();
    let words: String = (0..100_000)
        .map(|number| format!("BRDA:1,0,x{number},1\n"))
        .collect();
    let files: String = (0..100_000)
        .map(|number| format!("SF:a{number}\nDA:1,1\nend_of_record\n"))
        .collect();
    let xml_lines = "<line number=\"7\" hits=\"1\"/>".repeat(100_000);
    let attributes: String = (0..100_000)
        .map(|number| format!(" a{number}=\"\""))
        .collect();
    for (name, text) in [
        ("lines.info", record(&lines)),
        ("functions.info", record(&functions)),
        ("outcomes.info", record(&outcomes)),
        ("words.info", record(&words)),
        ("files.info", files),
        ("same.info", record("DA:1,1\n").repeat(100_000)),
        (
            "folders.info",
            record("DA:1,1\n").replace("a.c", &"a/".repeat(2_048)),
        ),
        ("lines.xml", class(&xml_lines)),
        (
            "attributes.xml",
            class(&format!("<line number=\"1\" hits=\"1\"{attributes}/>")),
        ),
    ] {
        bombs.add(name, text.as_bytes());
        let (code, said) = bombs.run(&["convert", name, "--lcov", "out.info"]);
        assert_eq!(code, 0, "{name}: {said}");
    }
    // As many reports in one, none of which is of the build of another.
    let one = |number: u32| {
        format!(
            "{{\"files\":[],\"functions\":[{{\"name\":\"f{number}\",\"count\":1,\"filenames\":[\"{number}.c\"],\
             \"regions\":[[1,1,2,1,1,0,0,0]],\"branches\":[]}}]}}"
        )
    };
    let all: Vec<String> = (0..20_000).map(one).collect();
    bombs.add(
        "reports.json",
        export(&format!("[{}]", all.join(","))).as_bytes(),
    );
    let (code, said) = bombs.run(&["convert", "reports.json", "--lcov", "out.info"]);
    assert_eq!(code, 0, "{said}");
    // As many folders of sources as files.
    let sources: String = (0..20_000)
        .map(|number| format!("<source>/nowhere/{number}</source>"))
        .collect();
    let classes: String = (0..20_000)
        .map(|number| format!("<class filename=\"{number}.c\"><lines><line number=\"1\" hits=\"1\"/></lines></class>"))
        .collect();
    let report = format!(
        "<coverage><sources>{sources}</sources><packages><package><classes>{classes}</classes></package></packages>\
         </coverage>"
    );
    bombs.add("sources.xml", report.as_bytes());
    let (code, said) = bombs.run(&["convert", "sources.xml", "--lcov", "out.info"]);
    assert_eq!(code, 0, "{said}");
    // Names are matched with patterns in time that is linear in them, too.
    for pattern in ["**/x*y*/**/*.c", "*a*a*a*a*b", "**/**/**/**/b"] {
        let args = [
            "convert",
            "folders.info",
            "--exclude-files",
            pattern,
            "--lcov",
            "out.info",
        ];
        let (code, said) = bombs.run(&args);
        assert_eq!(code, 0, "{pattern}: {said}");
    }
}

/// A report of one small file, to compare with.
fn small_report(bombs: &Bombs) -> [&'static str; 4] {
    bombs.add("f.proftext", b"f\n7\n1\n1\n");
    let mapping = mapping::function(&[(0, vec![Region::code(0, (1, 1), (9, 1))])]);
    bombs.add("f.o", &object(&mapping));
    ["--profile", "f.proftext", "--object", "f.o"]
}

#[test]
fn patches_that_claim_much() {
    let bombs = Bombs::new();
    let inputs = small_report(&bombs);
    let hunk = |range: &str, lines: &str| format!("--- a/a.c\n+++ b/a.c\n@@ {range} @@\n{lines}");
    let one = hunk("-1,0 +1 @@ f\n+x\n@@ -2,0 +3", "+y\n");
    let files: String = (0..100_000)
        .map(|number| format!("diff --git a/{number} b/{number}\n--- a/{number}\n+++ b/{number}\n@@ -1,0 +1 @@\n+x\n"))
        .collect();
    let renames: String = (0..100_000)
        .map(|number| format!("diff --git a/{number} b/x{number}\nsimilarity index 100%\nrename from {number}\nrename to x{number}\n"))
        .collect();
    let hunks: String = (0..100_000)
        .map(|number| format!("@@ -{0},0 +{1} @@\n+x\n", number, number * 2 + 1))
        .collect();
    for (name, text, words) in [
        (
            "length.patch",
            hunk("-1,1000000000 +1,1000000000", "-a\n+b\n"),
            Some("length.patch"),
        ),
        (
            "start.patch",
            hunk("-4294967295,0 +4294967295,1", "+b\n"),
            Some("line numbers"),
        ),
        (
            "huge.patch",
            hunk("-1,0 +99999999999999999999,1", "+b\n"),
            Some("huge.patch"),
        ),
        (
            "line.patch",
            hunk("-0,0 +1", &format!("+{}\n", "x".repeat(50_000_000))),
            None,
        ),
        (
            "names.patch",
            format!("diff --git a/{0} b/{0}\n", "x".repeat(50_000_000)),
            Some("expected names of at most"),
        ),
        (
            "garbage.patch",
            "x".repeat(50_000_000),
            Some("garbage.patch"),
        ),
        ("lines.patch", "\n".repeat(5_000_000) + &one, None),
        ("files.patch", files, None),
        ("renames.patch", renames, None),
        (
            "hunks.patch",
            format!("--- a/a.c\n+++ b/a.c\n{hunks}"),
            None,
        ),
        (
            "binary.patch",
            format!(
                "diff --git a/a b/a\nindex 1..2\nGIT binary patch\nliteral 1000000000000\n{}",
                "zzzzz\n".repeat(300_000)
            ),
            Some("binary.patch"),
        ),
    ] {
        bombs.add(name, text.as_bytes());
        let args = [&["diff", "--patch", name][..], &inputs].concat();
        let (code, said) = bombs.run(&args);
        match words {
            Some(words) => {
                assert_eq!(code, 1, "{name}: {said}");
                assert!(said.contains(words), "{name}: {said}");
            }
            None => assert_eq!(code, 0, "{name}: {said}"),
        }
    }
}

#[test]
fn baselines_and_ratchets_that_claim_much() {
    let bombs = Bombs::new();
    let inputs = small_report(&bombs);
    bombs.add("a.patch", b"--- a/a.c\n+++ b/a.c\n@@ -1,0 +1 @@\n+x\n");
    let (code, said) = bombs.run(&[&["report", "--json", "good.json"][..], &inputs].concat());
    assert_eq!(code, 0, "{said}");
    let good = fs::read_to_string(bombs.path("good.json")).unwrap();
    let version = good.find("\"version\"").unwrap();
    let version = good[version..].split([',', '}']).next().unwrap();
    let report = |files: &str| {
        format!(
            "{{{version},\"totals\":{{\"lines\":{{\"covered\":1,\"total\":1}}}},\"files\":[{files}]}}"
        )
    };
    let file = |lines: &str| report(&format!("{{\"name\":\"a.c\",\"lines\":[{lines}]}}"));
    let ranges: Vec<String> = (0..100_000)
        .map(|at| format!("[{0},{0},1]", 2 * at + 1))
        .collect();
    let files: Vec<String> = ["a".to_owned()]
        .into_iter()
        .chain((0..100_000).map(|number| number.to_string()))
        .map(|name| format!("{{\"name\":\"{name}.c\",\"lines\":[[1,1,1]]}}"))
        .collect();
    for (name, text, is_good) in [
        ("all.json", file("[1,4294967295,1]"), true),
        ("ranges.json", file(&ranges.join(",")), true),
        ("files.json", report(&files.join(",")), true),
        ("deep.json", "[".repeat(1_000_000), false),
        (
            "number.json",
            file(&format!("[{},1,1]", "9".repeat(10_000_000))),
            false,
        ),
        ("backwards.json", file("[5,4,1]"), false),
    ] {
        bombs.add(name, text.as_bytes());
        let args = [
            &["diff", "--patch", "a.patch", "--baseline", name][..],
            &inputs,
        ]
        .concat();
        let (code, said) = bombs.run(&args);
        assert_eq!(code == 0, is_good, "{name}: {code}: {said}");
        assert!(is_good || said.contains(name), "{name}: {said}");
    }

    let lines: String = (0..100_000)
        .map(|number| format!("\"{number}.c\" = [1, 2]\n"))
        .collect();
    for (name, text, is_good) in [
        ("files.toml", format!("version = 1\n[files]\n{lines}"), true),
        (
            "numbers.toml",
            format!("version = 1\n[files]\n\"a.c\" = [{0}, {0}]\n", i64::MAX),
            true,
        ),
        (
            "deep.toml",
            format!("version = 1\nx = {}", "[".repeat(1_000_000)),
            false,
        ),
        (
            "tables.toml",
            format!("version = 1\n[{}a]", "a.".repeat(100_000)),
            false,
        ),
        (
            "number.toml",
            format!("version = {}", "9".repeat(10_000_000)),
            false,
        ),
    ] {
        bombs.add(name, text.as_bytes());
        let (code, said) = bombs.run(&[&["ratchet", "--file", name][..], &inputs].concat());
        // Coverage may have fallen since.
        assert!(
            code == 0 || code == if is_good { 90 } else { 1 },
            "{name}: {code}: {said}"
        );
        assert!(is_good || said.contains(name), "{name}: {said}");
    }
}

#[test]
fn options_that_ask_for_much() {
    let bombs = Bombs::new();
    let inputs = small_report(&bombs);
    for (name, text) in [
        ("arrays.toml", format!("x = {}", "[".repeat(1_000_000))),
        ("tables.toml", format!("x = {}", "{x=".repeat(1_000_000))),
        ("dotted.toml", format!("{}x = 1", "x.".repeat(500_000))),
        ("header.toml", format!("[{}x]\ny = 1", "x.".repeat(100_000))),
        (
            "keys.toml",
            (0..200_000).map(|key| format!("k{key} = 1\n")).collect(),
        ),
        (
            "string.toml",
            format!("lcov = \"{}\"", "x".repeat(20_000_000)),
        ),
        (
            "words.toml",
            format!("[report]\nexclude-line = [{}]", "\"a\",".repeat(2000)),
        ),
        (
            "regex.toml",
            "[report]\nexclude-line = [\"(a{1000}){1000}\"]".to_owned(),
        ),
    ] {
        bombs.add(name, text.as_bytes());
        let args = [&["--config", name, "report"][..], &inputs].concat();
        let (code, said) = bombs.run(&args);
        assert!(code == 2 || name == "words.toml", "{name}: {code}: {said}");
    }
    // A source of one long line, and one of many, for markers and the user's expressions.
    let long = format!("/* {} */", "a".repeat(8_000_000));
    fs::write(bombs.path("a.c"), long.as_bytes()).unwrap();
    let profile = bombs
        .add("g.proftext", b"f\n7\n1\n1\n")
        .display()
        .to_string();
    let functions = [Function::new("f", 7, [1])];
    let files = ["a.c".to_owned()];
    let folder = bombs.0.path().to_str().unwrap();
    let one = mapping::function(&[(0, vec![Region::code(0, (1, 1), (9, 1))])]);
    bombs.add(
        "g.o",
        &mapping::object(folder, &files, &functions, |_| one.clone()),
    );
    let inputs = ["--profile", &profile, "--object", "g.o"];
    for (expression, is_good) in [
        ("(a{1000}){1000}", false),
        (
            "((((((((((a{10}){10}){10}){10}){10}){10}){10}){10}){10}){10})",
            false,
        ),
        ("(a|a)*(a|a)*(a|a)*b", true),
        ("(a*)*(a*)*(a*)*b", true),
        ("(?:a?){200}a{200}b", true),
        (".*.*.*.*.*=.*", true),
    ] {
        for option in ["--exclude-line", "--exclude-start", "--exclude-branch-line"] {
            let args = [
                &["report", option, expression, "--lcov", "out.info"][..],
                &inputs,
            ]
            .concat();
            let (code, said) = bombs.run(&args);
            let expected = if is_good { 0 } else { 2 };
            assert_eq!(code, expected, "{option} {expression}: {said}");
        }
    }
    let deep = "(".repeat(100_000);
    let (code, said) = bombs.run(&[&["report", "--exclude-line", &deep][..], &inputs].concat());
    assert_eq!(code, 2, "{said}");
    for pattern in [
        "**/".repeat(10_000) + "x",
        "*a".repeat(10_000),
        "[".repeat(10_000),
    ] {
        let args = [
            &["report", "--exclude-files", &pattern, "--lcov", "out.info"][..],
            &inputs,
        ]
        .concat();
        let (code, said) = bombs.run(&args);
        assert!(code == 0 || code == 2, "{code}: {said}");
    }
    let args = [
        &[
            "report",
            "--markers",
            "--lcov",
            "out.info",
            "--text",
            "out.txt",
            "--html",
            "pages",
        ][..],
        &inputs,
    ]
    .concat();
    let (code, said) = bombs.run(&args);
    assert_eq!(code, 0, "{said}");
}

/// A store that somebody exported.
#[test]
fn stores_that_inflate() {
    let bombs = Bombs::new();
    let folder = bombs.0.path();
    let store = bincover::Store::new(folder.join("store"));
    let args: Vec<std::ffi::OsString> = Vec::new();
    store
        .run("true".as_ref(), &args, None, |command| command)
        .unwrap();
    let packed = zeros(600 << 20);
    for (name, sql) in [
        (
            "rest.store",
            "INSERT INTO rest (id, profile, profiles) VALUES (1, ?, 1)",
        ),
        (
            "object.store",
            "INSERT INTO object (key, sections) VALUES ('ab', ?)",
        ),
        (
            "total.store",
            "INSERT INTO total (id, key, template) VALUES (1, 'ab', ?)",
        ),
    ] {
        let file = folder.join(name);
        store.export(&file).unwrap();
        let database = rusqlite::Connection::open(&file).unwrap();
        database.execute(sql, [&packed]).unwrap();
        if name == "total.store" {
            let counts =
                "INSERT INTO counts (id, profiles, counters, bitmaps) VALUES (2, 1, x'', x'')";
            database.execute(counts, []).unwrap();
        }
        if name == "object.store" {
            let program = "INSERT INTO program (path, stamp, object_id, counters, relocatable, go, last_run_ms) \
                           VALUES ('x', 'x', 1, 1, 1, 0, 1)";
            database.execute(program, []).unwrap();
        }
        drop(database);
        let (code, said) = bombs.run(&["store", "merge", name, "-o", "out.store"]);
        let merged = code == 0;
        assert!(merged || said.contains(name), "{name}: {said}");
        let (code, said) = bombs.run(&["store", "merge", name, "--store", "other"]);
        assert!(code == 0 || said.contains(name), "{name}: {said}");
        let (code, said) = bombs.run(&["report", "--store", "other", "--lcov", "out.info"]);
        assert_ne!(code, 0, "{name}: {said}");
        let _ = fs::remove_dir_all(bombs.path("other"));
    }
}

/// What can be named by an object of a stranger is a file or an error.
#[test]
fn a_thin_archive_names_a_pipe() {
    let bombs = Bombs::new();
    let pipe = bombs.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut thin = b"!<thin>\n".to_vec();
    for (name, bytes) in [("//", 6), ("/0", 100)] {
        let head = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{bytes:<10}`\n",
            0, 0, 0, 644
        );
        thin.extend(head.into_bytes());
        if name == "//" {
            thin.extend(b"pipe/\n");
        }
    }
    bombs.add("thin.a", &thin);
    bombs.is_said_of("thin.a", "a regular file");
    bombs.is_said_of("pipe", "a regular file");
}

#[test]
fn universal_and_other_files_that_claim_much() {
    let bombs = Bombs::new();
    for object in [
        "macho-universal/both.o",
        "macho/both.dylib",
        "coff/one.o",
        "pe/both.dll",
        "wasm/both.wasm",
        "elf32-be/both.o",
    ] {
        let bytes = fixture_bytes(&format!("object/{object}"));
        // Some of the first words, where counts and sizes are.
        for at in (4..bytes.len().min(160)).step_by(8) {
            let mut copy = bytes.clone();
            copy[at..at + 4].fill(0xff);
            bombs.add("claims.o", &copy);
            let profile = fixture("raw/clang22-c/merged.profdata");
            let profile = profile.to_str().unwrap();
            bombs.run(&["report", "--profile", profile, "--object", "claims.o"]);
        }
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect()
}
