//! What somebody else may have prepared: links where outputs go, names that a terminal obeys, stores that ask for
//! more than they are, files that never end; and that arguments and environments of runs stay where they are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover::report::FORMATS;
use bincover_testkit::fixture;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rusqlite::Connection;
use tempfile::TempDir;

const BINCOVER: &str = env!("CARGO_BIN_EXE_bincover");

/// A terminal's title, bell, a cleared screen, C1's CSI, the direction of writing, the end of a line, and what
/// GitHub takes for a command.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\r\n::error::x";

/// A folder in which to work, and one beside it that is nobody's business.
struct Bench {
    top: TempDir,
}

impl Bench {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("work/.git")).unwrap();
        fs::create_dir_all(top.path().join("theirs/deep")).unwrap();
        for name in ["a", "a.profraw", "deep/b.profraw", "fold.json", "store.db"] {
            fs::write(top.path().join("theirs").join(name), "theirs").unwrap();
        }
        Self { top }
    }

    fn work(&self) -> PathBuf {
        self.top.path().join("work")
    }

    fn theirs(&self) -> PathBuf {
        self.top.path().join("theirs")
    }

    fn add(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A program that is not instrumented.
    fn script(&self, name: &str, text: &str) {
        let path = self.add(name, format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BINCOVER);
        command.args(args).current_dir(self.work());
        command.env_remove("BINCOVER_STORE").output().unwrap()
    }

    /// Half a gigabyte of memory and five seconds.
    fn run_limited(&self, args: &[&str]) -> Output {
        Command::new("sh")
            .args(["-c", "ulimit -v 786432; ulimit -t 5; exec \"$@\"", "sh"])
            .arg(BINCOVER)
            .args(args)
            .current_dir(self.work())
            .output()
            .unwrap()
    }

    /// Everything that is not ours is as it was.
    #[track_caller]
    fn theirs_are_untouched(&self, what: &str) {
        let found = tree(&self.theirs());
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let expected = [
            "/a",
            "/a.profraw",
            "/deep",
            "/deep/b.profraw",
            "/fold.json",
            "/store.db",
        ];
        assert_eq!(names, expected, "{what}");
        let is_theirs = |text: &String| text == "theirs" || text == "folder";
        assert!(found.values().all(is_theirs), "{what}: {found:?}");
    }
}

fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((name, folder)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}/{}", entry.file_name().display());
            match entry.file_type().unwrap().is_dir() {
                true => {
                    found.insert(name.clone(), "folder".to_owned());
                    folders.push((name, entry.path()));
                }
                false => {
                    let bytes = fs::read(entry.path()).unwrap();
                    found.insert(name, String::from_utf8_lossy(&bytes).into_owned());
                }
            }
        }
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Nothing in it moves a terminal's cursor, and no name has begun a line.
#[track_caller]
fn assert_tame(said: &[u8], what: &str) {
    let said = text(said);
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}')
    };
    assert!(!said.contains(is_harmful), "{what}: {said:?}");
    let forged = said
        .lines()
        .find(|line| line.trim_start().starts_with("::error"));
    assert_eq!(forged, None, "{what}: {said:?}");
}

/// A report of llvm-cov's on one file with such a name, and a function.
fn hostile_json() -> String {
    let tally = r#"{"count":1,"covered":0,"percent":0}"#;
    let name = serde_json::Value::from(format!("/w/{HOSTILE}.c"));
    let function = serde_json::Value::from(HOSTILE);
    format!(
        r#"{{"type":"llvm.coverage.json.export","version":"2.0.1","data":[{{"files":[{{"filename":{name},
        "segments":[[1,1,0,true,true,false],[2,1,0,false,false,false]],"branches":[],"expansions":[],
        "summary":{{"lines":{tally},"functions":{tally},"instantiations":{tally},"regions":{tally}}}}}],
        "functions":[{{"name":{function},"count":0,"filenames":[{name}],"branches":[],
        "regions":[[1,1,2,1,0,0,0,0]]}}],"totals":{{}}}}]}}"#
    )
}

#[test]
fn names_in_reports() {
    let bench = Bench::new();
    bench.add("h.json", hostile_json());
    // Formats for programs have names as they are: lcov without any quoting, as LLVM's has.
    for format in FORMATS.iter().filter(|format| !format.is_folder()) {
        let output = bench.run(&["convert", "h.json", &format!("--{}", format.name), "-"]);
        let what = format.name;
        assert!(output.status.success(), "{what}: {}", text(&output.stderr));
        assert_tame(&output.stderr, what);
        match what {
            "lcov" => {}
            "json" | "llvm-json" | "codecov" | "coveralls" => {
                serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
                let is_raw = |byte: &u8| *byte < b' ' && *byte != b'\n';
                assert!(!output.stdout.iter().any(is_raw), "{what}");
            }
            "cobertura" | "sonar" | "clover" => {
                let text = text(&output.stdout);
                let mut reader = quick_xml::Reader::from_str(&text);
                while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
                let is_raw = |byte: &u8| *byte < b' ' && *byte != b'\n';
                assert!(!output.stdout.iter().any(is_raw), "{what}");
            }
            _ => assert_tame(&output.stdout, what),
        }
    }
    let output = bench.run(&["convert", "h.json", "--html", "pages"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_tame(&output.stderr, "html");
    for (name, page) in tree(&bench.work().join("pages")) {
        assert!(name.is_ascii() && !name.contains(".."), "{name}");
        let is_raw = |c: char| c.is_control() && !"\n\t".contains(c);
        assert!(!page.contains(is_raw), "{name}");
    }
}

#[test]
fn names_of_files_and_options() {
    let bench = Bench::new();
    let name = |suffix: &str| format!("{}{suffix}", HOSTILE.replace('/', ""));
    bench.add("h.json", hostile_json());
    bench.add(&name(".profraw"), "no profile");
    bench.add(&name(".info"), "no report");
    bench.add(&name(".toml"), "[wrong");
    let out = format!(
        "mode: set\n{}.go:1.1,2.2 1 0\n",
        HOSTILE.replace(['\r', '\n'], "")
    );
    bench.add(&name(".out"), &out);
    bench.add("h.out", &out);
    let hunk = "@@ -1 +1 @@\n-a\n+b\n";
    bench.add(
        "h.patch",
        format!("--- \"a/\\033[2J\\n::error::.go\"\n+++ \"b/\\033[2J\\n::error::.go\"\n{hunk}"),
    );
    bench.add(&name(".patch"), format!("--- a\n+++ b\n{hunk}"));
    let (raw, info, toml, go, patch) = (
        name(".profraw"),
        name(".info"),
        name(".toml"),
        name(".out"),
        name(".patch"),
    );
    let nowhere = format!("{HOSTILE}/nowhere");
    let option = format!("--{HOSTILE}");
    let commands: &[&[&str]] = &[
        &["merge", "-o", "out", &raw],
        &["merge", "-o", &nowhere, &raw],
        &["merge", "-o", "out", &nowhere],
        &["report", "--profile", &raw, "--object", &raw],
        &["report", "--profile", &nowhere],
        &["report", "--profile", &go],
        &["report", "--profile", &go, "--fail-under-file-lines", "100"],
        &["missing", "--profile", "h.out"],
        &["convert", &info],
        &["convert", &go, "--missing", "-"],
        &["convert", "h.json", "--fail-under-file-lines", "100"],
        &["convert", "h.json", "--exclude-files", "**"],
        &["convert", "h.json", "--only-found"],
        &["diff", "--patch", "h.patch", "--profile", "h.out"],
        &[
            "diff",
            "--patch",
            &patch,
            "--profile",
            "h.out",
            "--github",
            "-",
        ],
        &["diff", "--patch", &nowhere, "--profile", "h.out"],
        &["diff", "--base", HOSTILE, "--profile", "h.out"],
        &[
            "ratchet",
            "--file",
            "r.toml",
            "--profile",
            "h.out",
            "--update",
        ],
        &["ratchet", "--file", &toml, "--profile", "h.out"],
        &["paths", "explain", HOSTILE, "--profile", "h.out"],
        &["--config", &toml, "config"],
        &["--config", &nowhere, "report"],
        &["fold", &nowhere],
        &["runs", "--store", &nowhere],
        &["run", "--", &nowhere],
        &["report", &option],
        &[&option],
    ];
    for command in commands {
        let output = bench.run(command);
        let what = format!("{command:?}");
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{what}"
        );
        assert_tame(&output.stderr, &what);
        assert_tame(&output.stdout, &what);
    }
}

#[test]
fn names_in_a_store() {
    let bench = Bench::new();
    let program = HOSTILE.replace('/', "");
    bench.script(&program, "exit 3");
    let path = format!("./{program}");
    let run = ["run", "--context", HOSTILE, "--", &path, HOSTILE];
    assert_eq!(bench.run(&run).status.code(), Some(3));
    assert!(bench.run(&["store", "export", "a.store"]).status.success());
    let shard = Connection::open(bench.work().join("a.store")).unwrap();
    let sql = "INSERT INTO left_out (run, file, cause) VALUES (?, ?, ?)";
    shard.execute(sql, [HOSTILE, HOSTILE, HOSTILE]).unwrap();
    shard
        .execute("UPDATE run SET name = name || ?", [HOSTILE])
        .unwrap();
    drop(shard);
    for command in [
        &run[..],
        &["runs"],
        &["runs", "--show-args"],
        &["store", "merge", "a.store"],
        &["store", "merge", "a.store"],
        &["report"],
        &["clean"],
    ] {
        let output = bench.run(command);
        assert_tame(&output.stderr, &format!("{command:?}"));
        assert_tame(&output.stdout, &format!("{command:?}"));
    }
}

const INFO: &str = "TN:\nSF:/w/a.c\nDA:1,1\nLF:1\nLH:1\nend_of_record\n";

#[test]
fn links_in_the_place_of_outputs() {
    let bench = Bench::new();
    bench.add("a.info", INFO);
    bench.add("a.out", "mode: set\nm/a.go:1.1,2.2 1 1\n");
    bench.script("program", "exit 0");
    bench.run(&["run", "--", "./program"]);
    let good = fixture("raw/clang22-c/1.profraw");
    let good = good.to_str().unwrap();
    symlink("../theirs/a", bench.work().join("file")).unwrap();
    symlink("../theirs/deep", bench.work().join("folder")).unwrap();
    let commands: &[&[&str]] = &[
        &["convert", "a.info", "--lcov", "file"],
        &["convert", "a.info", "--badge", "file", "--markdown", "b.md"],
        &["convert", "a.info", "--html", "folder"],
        &["report", "--profile", "a.out", "--json", "file"],
        &["report", "--profile", "a.out", "--ledger", "file"],
        &["report", "--profile", good, "--profdata", "file"],
        &["merge", "-o", "file", good],
        &["merge", "--ledger", "file", "-o", "b", good],
        &["store", "export", "file"],
        &[
            "ratchet",
            "--profile",
            "a.out",
            "--update",
            "--file",
            "file",
        ],
    ];
    for command in commands {
        let output = bench.run(command);
        assert!(!output.status.success(), "{command:?}");
        bench.theirs_are_untouched(&format!("{command:?}"));
    }
    let said = text(&bench.run(commands[0]).stderr);
    assert!(
        said.contains("a link that leads out of its folder"),
        "{said}"
    );
}

/// Plants a link, and has each command that works with a store meet it.
#[test]
fn links_in_a_store() {
    for place in [
        "",
        "runs",
        "loose",
        "left-out",
        "known",
        "ended",
        "lock",
        "store.db",
        "store.db-journal",
    ] {
        let bench = Bench::new();
        bench.script("program", "exit 0");
        if !["", "runs"].contains(&place) {
            bench.run(&["run", "--", "./program"]);
        }
        let store = bench.work().join(".bincover");
        let path = store.join(place);
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
        if place == "runs" {
            fs::create_dir_all(&store).unwrap();
        }
        let target = match place {
            "" | "runs" | "loose" | "left-out" | "known" => bench.theirs(),
            "store.db" => bench.theirs().join("store.db"),
            _ => bench.theirs().join("a"),
        };
        let path = path.to_str().unwrap().trim_end_matches('/');
        symlink(target, path).unwrap();
        let mut failed = 0;
        for command in [
            &["run", "--", "./program"][..],
            &["report"],
            &["runs"],
            &["fold"],
            &["store", "export", "a.store"],
            &["clean"],
            &["run", "--", "./program"],
        ] {
            let output = bench.run(command);
            failed += usize::from(!output.status.success());
            bench.theirs_are_untouched(&format!("{place}: {command:?}"));
        }
        assert!(
            failed > 0 || ["left-out", "known"].contains(&place),
            "{place}"
        );
    }
}

#[test]
fn a_link_in_the_place_of_a_run_is_none() {
    let bench = Bench::new();
    bench.script("program", "exit 0");
    bench.run(&["run", "--", "./program"]);
    symlink(bench.theirs(), bench.work().join(".bincover/runs/1-x")).unwrap();
    for command in ["report", "runs", "clean"] {
        bench.run(&[command]);
        bench.theirs_are_untouched(command);
    }
}

/// A program that puts a link in its run's place, where the profiles of somebody else are.
#[test]
fn a_program_that_replaces_its_run_by_a_link() {
    let bench = Bench::new();
    let replace = format!(
        "d=${{LLVM_PROFILE_FILE%/*}}; rm -rf \"$d\" && ln -s '{}' \"$d\"",
        bench.theirs().display()
    );
    bench.script("program", &replace);
    let output = bench.run(&["run", "--", "./program"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    bench.theirs_are_untouched("run");
    for command in ["runs", "report", "clean"] {
        bench.run(&[command]);
        bench.theirs_are_untouched(command);
    }
}

/// Pipes in the place of a store's files: nobody waits for their other ends.
#[test]
fn pipes_in_a_store() {
    for place in [
        "lock",
        "ended",
        "store.db",
        "store.db-journal",
        "store.db-wal",
        "runs/1-x/run.json",
    ] {
        let bench = Bench::new();
        bench.script("program", "exit 0");
        bench.run(&["run", "--", "./program"]);
        let path = bench.work().join(".bincover").join(place);
        let _ = fs::remove_file(&path);
        // As if its runner had been killed.
        fs::create_dir_all(bench.work().join(".bincover/runs/1-x")).unwrap();
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let mut said = String::new();
        for command in [
            &["run", "--", "./program"][..],
            &["runs"],
            &["report"],
            &["fold"],
            &["store", "export", "a.store"],
            &["clean"],
        ] {
            let mut timed = Command::new("timeout");
            timed.args(["-s", "KILL", "20", BINCOVER]).args(command);
            timed.env_remove("BINCOVER_STORE");
            let output = timed.current_dir(bench.work()).output().unwrap();
            let code = output.status.code();
            assert!(code.is_some_and(|code| code < 100), "{place}: {command:?}");
            said += &text(&output.stderr);
        }
        let is_said = said.contains("found none that is regular");
        assert!(is_said || place.starts_with("runs"), "{place}: {said}");
    }
}

#[test]
fn links_where_profiles_are_folded() {
    let bench = Bench::new();
    let profiles = bench.work().join("p");
    for place in [
        "", "waiting", "left-out", "batch-1", "total-1", "new", "lock",
    ] {
        let _ = fs::remove_dir_all(&profiles);
        fs::create_dir(&profiles).unwrap();
        fs::copy(
            fixture("raw/clang22-c/1.profraw"),
            profiles.join("1.profraw"),
        )
        .unwrap();
        let state = profiles.join(".bincover-fold");
        if !place.is_empty() {
            fs::create_dir(&state).unwrap();
        }
        let target = match place {
            "lock" => bench.theirs().join("a"),
            _ => bench.theirs(),
        };
        let path = state.join(place);
        symlink(target, path.to_str().unwrap().trim_end_matches('/')).unwrap();
        for _ in 0..2 {
            bench.run(&["fold", "p", "--assume-finished"]);
            bench.theirs_are_untouched(place);
            // A second fold, and a merge, do not go there either.
            bench.run(&["merge", "-o", "m", "p"]);
            bench.theirs_are_untouched(place);
        }
        let is_lost = !profiles.join("1.profraw").exists() && fs::read_dir(&state).is_err();
        assert!(!is_lost, "{place}");
    }
}

#[test]
fn cargo_bincover_cleans_nothing_through_a_link() {
    let bench = Bench::new();
    bench.add(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    fs::create_dir_all(bench.work().join("src")).unwrap();
    bench.add("src/lib.rs", "");
    fs::create_dir_all(bench.work().join("target")).unwrap();
    symlink(bench.theirs(), bench.work().join("target/bincover-target")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-bincover"))
        .args(["bincover", "clean"])
        .current_dir(bench.work())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("it is a link"), "{said}");
    bench.theirs_are_untouched("clean");
}

#[test]
fn folders_are_private() {
    let bench = Bench::new();
    bench.script("program", "stat -c %a \"${LLVM_PROFILE_FILE%/*}\"");
    let output = bench.run(&["run", "--", "./program"]);
    assert_eq!(text(&output.stdout), "700\n", "{}", text(&output.stderr));
    let mode = |name: &str| fs::metadata(bench.work().join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode(".bincover"), 0o700);
    assert_eq!(mode(".bincover/runs"), 0o700);
    // A report is for others, too.
    bench.add("a.info", INFO);
    bench.run(&["convert", "a.info", "--html", "pages", "--lcov", "b.info"]);
    let usual = bench.work().join("usual");
    fs::create_dir(&usual).unwrap();
    assert_eq!(mode("pages"), mode("usual"));
    assert_eq!(mode("b.info"), mode("a.info"));
}

#[test]
fn arguments_and_environments_stay_where_they_are() {
    const ARGUMENT: &str = "hunter2";
    const VALUE: &str = "correct-horse";
    let bench = Bench::new();
    bench.script("program", "exit 0");
    let token = format!("--token={ARGUMENT}");
    let variable = format!("TOKEN={VALUE}");
    let run = ["run", "--env", &variable, "--", "./program", &token];
    let said = bench.run(&run);
    assert!(said.status.success());
    let has = |bytes: &[u8], word: &str| {
        let mut windows = bytes.windows(word.len());
        windows.any(|window| window == word.as_bytes())
    };
    let mut outputs = vec![said];
    for command in [
        &["runs"][..],
        &["runs", "--json"],
        &["report", "--ledger", "ledger.json"],
        &["store", "export", "a.store"],
        &["run", "--env", &variable, "--", "./nowhere", &token],
        &[
            "run",
            "--env",
            &variable,
            "--store",
            "/proc/nowhere",
            "--",
            "./program",
            &token,
        ],
    ] {
        outputs.push(bench.run(command));
    }
    for output in &outputs {
        for said in [&output.stdout, &output.stderr] {
            assert!(!has(said, ARGUMENT) && !has(said, VALUE), "{}", text(said));
        }
    }
    let shard = fs::read(bench.work().join("a.store")).unwrap();
    assert!(!has(&shard, ARGUMENT));
    // The store has the arguments, and gives them to whoever asks; no environment is anywhere.
    let asked = bench.run(&["runs", "--json", "--show-args"]);
    assert!(has(&asked.stdout, ARGUMENT));
    assert!(has(&bench.run(&["runs", "--show-args"]).stdout, ARGUMENT));
    bench.run(&["store", "export", "--with-args", "b.store"]);
    assert!(has(
        &fs::read(bench.work().join("b.store")).unwrap(),
        ARGUMENT
    ));
    let all = tree(&bench.work());
    assert!(all.len() > 3 && !all.values().any(|text| text.contains(VALUE)));
}

fn packed(bytes: &[u8], times: usize) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..times {
        encoder.write_all(bytes).unwrap();
    }
    encoder.finish().unwrap()
}

/// A shard to be changed, as another machine may send it.
fn shard(bench: &Bench) -> Connection {
    bench.script("program", "exit 0");
    let _ = fs::remove_dir_all(bench.work().join(".bincover"));
    bench.run(&["run", "--", "./program"]);
    let _ = fs::remove_file(bench.work().join("a.store"));
    assert!(bench.run(&["store", "export", "a.store"]).status.success());
    Connection::open(bench.work().join("a.store")).unwrap()
}

#[track_caller]
fn is_refused(bench: &Bench, words: &str) {
    for command in [
        &["store", "merge", "-o", "b.store", "a.store"][..],
        &["store", "merge", "--store", "new", "a.store"],
    ] {
        let output = bench.run_limited(command);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", output.status);
        assert!(said.contains(words) && said.contains("a.store"), "{said}");
        assert!(!bench.work().join("b.store").exists());
    }
}

#[test]
fn stores_with_other_tables() {
    let bench = Bench::new();
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x";
    for sql in [
        format!(
            "DROP TABLE object; CREATE VIEW object AS {endless} AS id, x AS key, x AS sections FROM c"
        ),
        "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END".to_owned(),
        "DROP TABLE rest; CREATE TABLE rest (id INTEGER PRIMARY KEY, profiles INTEGER NOT NULL, \
         profile BLOB NOT NULL AS (zeroblob(900000000))) STRICT"
            .to_owned(),
    ] {
        shard(&bench).execute_batch(&sql).unwrap();
        is_refused(&bench, "expected bincover's tables and nothing else");
    }
}

#[test]
fn stores_that_inflate() {
    let bench = Bench::new();
    let zeros = packed(&[0; 1 << 20], 2048);
    let to = shard(&bench);
    to.execute(
        "INSERT INTO rest (id, profile, profiles) VALUES (1, ?, 1)",
        [&zeros],
    )
    .unwrap();
    drop(to);
    is_refused(&bench, "compressed ones, found more");
    let to = shard(&bench);
    to.execute(
        "INSERT INTO total (key, template) VALUES ('x', ?)",
        [&zeros],
    )
    .unwrap();
    let id = 2 * to.last_insert_rowid();
    to.execute(
        "INSERT INTO counts (id, profiles, counters, bitmaps) VALUES (?, 1, x'', x'')",
        [id],
    )
    .unwrap();
    drop(to);
    is_refused(&bench, "compressed ones, found more");
}

/// The coverage sections of a program, as a store keeps them.
fn sections() -> Vec<u8> {
    let program = fs::read(fixture("object/rust-v10/app.elf")).unwrap();
    bincover::mapping::kept_sections(&program).unwrap()
}

/// Whatever a byte is damaged in, it is said at once and not when the store is to be reported on; and so it is of what
/// is something else.
#[test]
fn stores_with_a_damaged_byte() {
    let bench = Bench::new();
    let profile = fs::read(fixture("raw/clang22-c/1.profraw")).unwrap();
    let [meta, counters] = pod("go/data/go1.27/api");
    let meta_of_text: &[u8] = b"";
    let text_of_go: &[u8] = b"mode: set\nm/a.go:1.1,2.2 1 1\n";
    let object = "INSERT INTO object (key, sections) VALUES ('o', ?1)";
    let snapshot =
        "INSERT INTO snapshot (run, pid, part, taken_ms, profile) VALUES ('r', 1, 0, 1, ?1)";
    let rest = "INSERT INTO rest (id, profile, profiles) VALUES (1, ?1, 1)";
    let go = "INSERT INTO go_total (hash, meta, profiles, counters) VALUES ('h', ?1, 1, ?2)";
    let sections = sections();
    let rows: [(&str, Vec<&[u8]>); 5] = [
        (object, vec![&sections]),
        (snapshot, vec![&profile]),
        (rest, vec![&profile]),
        (go, vec![&meta, &counters]),
        (go, vec![meta_of_text, text_of_go]),
    ];
    for (sql, columns) in rows {
        let insert = |change: &dyn Fn(usize) -> Vec<u8>| {
            let to = shard(&bench);
            let columns = (0..columns.len()).map(change);
            to.execute(sql, rusqlite::params_from_iter(columns))
                .unwrap();
        };
        let whole = |column: usize| packed(columns[column], 1);
        insert(&whole);
        let output = bench.run_limited(&["store", "merge", "-o", "c.store", "a.store"]);
        assert!(output.status.success(), "{sql}: {}", text(&output.stderr));
        for damaged in 0..columns.len() {
            insert(&|column| {
                let mut bytes = whole(column);
                let at = bytes.len() / 2;
                bytes[at] ^= u8::from(column == damaged) * 0xff;
                bytes
            });
            is_refused(&bench, "expected");
            insert(&|column| match column == damaged {
                true => packed(b"something else", 1),
                false => whole(column),
            });
            is_refused(&bench, "expected");
        }
    }
}

/// Numbers as large as they can be: in one file, and in two that are added up.
#[test]
fn stores_with_large_numbers() {
    let bench = Bench::new();
    let empty = bincover::profile::indexed::write(
        &bincover::profile::Merger::new().finish().profile,
        &bincover::profile::indexed::WriteOptions::default(),
    );
    let mut shards = Vec::new();
    for name in ["x", "y"] {
        let to = shard(&bench);
        let most = i64::MAX;
        let changes = "UPDATE run SET name = ?1, started_ms = ?2, wall_us = ?2, profiles = ?2, batch = ?2, \
                       ended = 'signal', ended_with = 2147483647";
        to.execute(changes, rusqlite::params![name, most]).unwrap();
        let profile = packed(&empty, 1);
        to.execute(
            "INSERT INTO rest (id, profile, profiles) VALUES (1, ?, ?)",
            rusqlite::params![profile, most],
        )
        .unwrap();
        to.execute(
            "INSERT INTO object (key, sections) VALUES ('o', ?)",
            [packed(&sections(), 1)],
        )
        .unwrap();
        to.execute(
            "INSERT INTO total (key, object_key, template) VALUES ('t', 'o', ?)",
            [packed(b"x", 1)],
        )
        .unwrap();
        let counts = "INSERT INTO counts (id, profiles, counters, bitmaps) VALUES (?, ?, x'', x'')";
        to.execute(counts, rusqlite::params![2 * to.last_insert_rowid(), most])
            .unwrap();
        drop(to);
        fs::rename(bench.work().join("a.store"), bench.work().join(name)).unwrap();
        shards.push(name);
    }
    let merge = ["store", "merge", "--store", "new", shards[0], shards[1]];
    let output = bench.run_limited(&merge);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for command in [
        &["runs", "--store", "new", "--json"][..],
        &["report", "--store", "new"],
        &["store", "export", "--store", "new", "again"],
    ] {
        let output = bench.run_limited(command);
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| code < 100),
            "{command:?}: {}",
            text(&output.stderr)
        );
    }
}

/// The metadata of a program of Go, and the counters of a run.
fn pod(folder: &str) -> [Vec<u8>; 2] {
    ["covmeta.", "covcounters."].map(|prefix| {
        let files = fs::read_dir(fixture(folder)).unwrap();
        let mut paths = files.map(|file| file.unwrap().path());
        let is_it = |path: &PathBuf| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(prefix)
        };
        fs::read(paths.find(is_it).unwrap()).unwrap()
    })
}

/// Metadata of Go under the hash of another: they have other numbers of counters.
#[test]
fn stores_that_disagree_on_go() {
    let bench = Bench::new();
    for (name, folder) in [
        ("x", "go/data/go1.27/api"),
        ("y", "go/data/go1.27/beta/count/c"),
    ] {
        let [meta, counters] = pod(folder);
        let to = shard(&bench);
        to.execute("UPDATE run SET name = ?", [name]).unwrap();
        let sql = "INSERT INTO go_total (hash, meta, profiles, counters) VALUES ('same', ?, 1, ?)";
        to.execute(sql, [packed(&meta, 1), packed(&counters, 1)])
            .unwrap();
        drop(to);
        fs::rename(bench.work().join("a.store"), bench.work().join(name)).unwrap();
    }
    let output = bench.run(&["store", "merge", "-o", "b.store", "x", "y"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the same metadata of Go"), "{said}");
}

/// SQLite deletes the file that a journal of several files names.
#[test]
fn a_journal_that_names_another_file() {
    let bench = Bench::new();
    bench.script("program", "exit 0");
    bench.run(&["run", "--", "./program"]);
    let victim = bench.theirs().join("a");
    let victim = victim.to_str().unwrap();
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let store = bench.work().join(".bincover");
    let pages = fs::metadata(store.join("store.db")).unwrap().len() / 8192;
    let mut journal = MAGIC.to_vec();
    for word in [0, 0, u32::try_from(pages).unwrap(), 512, 8192] {
        journal.extend(word.to_be_bytes());
    }
    journal.resize(512, 0);
    let len = u32::try_from(victim.len()).unwrap();
    let sum: u32 = victim.bytes().map(u32::from).sum();
    // The page with SQLite's locks, the name, its length, the sum of its bytes.
    journal.extend((0x4000_0000_u32 / 8192 + 1).to_be_bytes());
    journal.extend(victim.as_bytes());
    journal.extend(len.to_be_bytes());
    journal.extend(sum.to_be_bytes());
    journal.extend(MAGIC);
    fs::write(store.join("store.db-journal"), &journal).unwrap();
    let output = bench.run(&["runs"]);
    bench.theirs_are_untouched("runs");
    let said = text(&output.stderr);
    assert!(said.contains("a journal of this file alone"), "{said}");
    // What lies beside a shard is not for it to say.
    fs::copy(store.join("store.db"), bench.work().join("a.store")).unwrap();
    fs::write(bench.work().join("a.store-journal"), &journal).unwrap();
    let output = bench.run(&["store", "merge", "-o", "b.store", "a.store"]);
    assert!(!output.status.success());
    bench.theirs_are_untouched("merge");
}

/// Slices that are the whole file again, and a thin archive that names itself.
#[test]
fn archives_that_multiply() {
    let bench = Bench::new();
    let profile = fixture("raw/clang22-c/merged.profdata");
    let profile = profile.to_str().unwrap();
    let mut universal = 0xcafe_babe_u32.to_be_bytes().to_vec();
    let slices = 2000_u32;
    let len = 8 + 20 * slices;
    universal.extend(slices.to_be_bytes());
    for _ in 0..slices {
        for word in [0x0100_0007, 3, 0, len, 0] {
            universal.extend(u32::to_be_bytes(word));
        }
    }
    bench.add("universal", &universal);
    let mut thin = b"!<thin>\n".to_vec();
    for _ in 0..2000 {
        thin.extend(
            format!(
                "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                "t.a/", 0, 0, 0, 644, 8
            )
            .bytes(),
        );
    }
    bench.add("t.a", &thin);
    for name in ["universal", "t.a"] {
        let output = bench.run_limited(&["report", "--object", name, "--profile", profile]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", output.status);
        assert!(said.contains("no byte in more than"), "{said}");
    }
}

/// Files that never end, or wait for somebody: a pipe among profiles, in the place of a program or a source.
#[test]
fn files_that_never_end() {
    let bench = Bench::new();
    fs::create_dir(bench.work().join("p")).unwrap();
    let good = fixture("raw/clang22-c/1.profraw");
    fs::copy(&good, bench.work().join("p/1.profraw")).unwrap();
    for name in ["p/2.profraw", "pipe", "pipe.go"] {
        let made = Command::new("mkfifo").arg(bench.work().join(name)).status();
        assert!(made.unwrap().success());
    }
    symlink("/dev/zero", bench.work().join("p/3.profraw")).unwrap();
    let output = bench.run_limited(&["merge", "-o", "m", "p"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = bench.run_limited(&["fold", "p", "--assume-finished"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = bench.run_limited(&[
        "report",
        "--object",
        "pipe",
        "--profile",
        good.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    bench.add(
        "a.out",
        "mode: set\n/dev/zero:1.1,2.2 1 1\n./pipe.go:1.1,2.2 1 1\n",
    );
    let output = bench.run_limited(&["report", "--profile", "a.out"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // A file of options that is none is passed over, and one that is too large is said to be.
    let options = bench.work().join("bincover.toml");
    symlink("/dev/zero", &options).unwrap();
    let output = bench.run_limited(&["report", "--profile", "a.out"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::remove_file(&options).unwrap();
    fs::File::create(&options)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let output = bench.run_limited(&["report", "--profile", "a.out"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
