//! Six hundred profiles, five of them damaged in five ways: what is good is kept, what is lost is
//! named.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bincover::profile::{Merger, Profile};
use bincover_testkit::{fixture, fixture_bytes};

const GOOD: usize = 595;

/// Where the sections of the fixture begin: its header says.
struct Layout {
    counters: usize,
    counter_bytes: usize,
    names: usize,
}

fn layout(profile: &[u8]) -> Layout {
    let word = |at: usize| {
        let bytes = profile[at..at + 8].try_into().expect("8 bytes");
        usize::try_from(u64::from_le_bytes(bytes)).expect("a size")
    };
    let counters = 128 + word(0x10) + word(0x18) * 64 + word(0x20);
    let counter_bytes = word(0x28) * 8;
    let names = counters + counter_bytes + word(0x30) + word(0x38) + word(0x40);
    Layout {
        counters,
        counter_bytes,
        names,
    }
}

/// The folder's files: good ones and `empty`, `header`, `counters`, `names`, `version`.
fn fill(folder: &Path, profile: &[u8]) {
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).expect("a file in the scratch folder");
    };
    for number in 0..GOOD {
        put(&format!("good-{number:03}.profraw"), profile);
    }
    let layout = layout(profile);
    put("empty.profraw", b"");
    put("header.profraw", &profile[..128]);
    put(
        "counters.profraw",
        &profile[..layout.counters + layout.counter_bytes / 2],
    );
    put("names.profraw", &profile[..layout.names + 5]);
    let mut flipped = profile.to_vec();
    flipped[8] ^= 0xff;
    put("version.profraw", &flipped);
}

fn merge(folder: &Path, more: &[&str]) -> (Output, PathBuf) {
    let out = folder.with_extension("profdata");
    let output = Command::new(env!("CARGO_BIN_EXE_bincover"))
        .arg("merge")
        .arg(folder)
        .arg("-o")
        .arg(&out)
        .args(more)
        .output()
        .expect("bincover runs");
    (output, out)
}

fn read(path: &Path) -> Profile {
    let mut merger = Merger::new();
    merger.add(
        "merged",
        &std::fs::read(path).expect("a profile"),
        std::num::NonZeroU64::MIN,
    );
    let merged = merger.finish();
    assert!(merged.ledger.is_empty(), "{:?}", merged.ledger);
    merged.profile
}

fn profile_of(bytes: &[u8]) -> Profile {
    let mut merger = Merger::new();
    merger.add("one", bytes, std::num::NonZeroU64::MIN);
    merger.finish().profile
}

#[test]
fn everything_intact_is_kept_and_all_five_are_named() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("profiles");
    std::fs::create_dir(&folder).expect("a folder");
    let bytes = fixture_bytes("raw/rust-v10/1.profraw");
    fill(&folder, &bytes);
    let ledger = scratch.path().join("ledger.json");
    let (output, out) = merge(&folder, &["--ledger", ledger.to_str().expect("a name")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(92), "{stderr}");

    let json = std::fs::read_to_string(&ledger).expect("the ledger");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["inputs"], 600);
    let entries = json["entries"].as_array().expect("entries");
    let entry = |name: &str| {
        let ends =
            |file: &serde_json::Value| file.as_str().is_some_and(|file| file.ends_with(name));
        let found = entries.iter().find(|entry| ends(&entry["file"]));
        found.unwrap_or_else(|| panic!("no entry for {name}"))
    };
    assert_eq!(entries.len(), 5);
    for name in ["empty", "header", "counters", "names", "version"] {
        assert!(
            stderr.contains(&format!("/{name}.profraw: ")),
            "{name}: {stderr}"
        );
    }
    assert_eq!(entry("/empty.profraw")["cause"], "empty");
    assert_eq!(entry("/header.profraw")["cause"], "unreadable");
    assert_eq!(entry("/version.profraw")["cause"], "unreadable");
    assert_eq!(entry("/version.profraw")["offset"], 8);

    let one = profile_of(&bytes);
    let names = entry("/names.profraw");
    assert_eq!(names["cause"], "damaged");
    assert_eq!(names["kept"], one.record_count());
    assert_eq!(names["lost"], serde_json::Value::Null);
    let cut = entry("/counters.profraw");
    let lost = cut["lost"].as_array().expect("what was lost");
    let kept = usize::try_from(cut["kept"].as_u64().expect("what was kept")).expect("a count");
    assert!(kept > 0 && !lost.is_empty());
    assert_eq!(kept + lost.len(), one.record_count());

    // The file that is cut in its names counts in full, the one cut in its counters where they
    // are whole.
    let merged = read(&out);
    for record in one.records() {
        let is_lost = lost
            .iter()
            .any(|name| name.as_str().map(str::as_bytes) == Some(record.name));
        let times = GOOD as u64 + 1 + u64::from(!is_lost);
        let expected: Vec<u64> = record.counts.iter().map(|count| count * times).collect();
        let found = merged.lookup(record.name_ref).next().expect("the function");
        assert_eq!(found.counts, expected, "{}", record.name.escape_ascii());
    }
}

#[test]
fn strict_writes_nothing() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("profiles");
    std::fs::create_dir(&folder).expect("a folder");
    fill(&folder, &fixture_bytes("raw/rust-v10/1.profraw"));
    let (output, out) = merge(&folder, &["--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("5 entries in the ledger"), "{stderr}");
}

/// No sibling tells the names, but the binary does.
#[test]
fn names_come_from_the_binary() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("profiles");
    std::fs::create_dir(&folder).expect("a folder");
    let bytes = fixture_bytes("raw/clang22-c/1.profraw");
    let cut = &bytes[..layout(&bytes).names];
    std::fs::write(folder.join("cut.profraw"), cut).expect("a file");
    let (output, out) = merge(&folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists());

    let binary = fixture("object/clang22-c/app.elf");
    let (output, out) = merge(&folder, &["--object", binary.to_str().expect("a name")]);
    assert_eq!(
        output.status.code(),
        Some(92),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (saved, whole) = (read(&out), profile_of(&bytes));
    assert_eq!(saved.record_count(), whole.record_count());
    for record in whole.records() {
        let found = saved.lookup(record.name_ref).next().expect("the function");
        assert_eq!((found.name, found.counts), (record.name, record.counts));
    }
}
