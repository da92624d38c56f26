//! The body of `store`: the file that stores are exported to, which comes from other machines.

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use bincover::{Store, combine_stores};
use bincover_testkit::mapping::{Region, function, object};
use bincover_testkit::raw::{Function, RawFile, Shape};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::folder::folder;
use super::recipe::Recipe;

/// What is put where, in a store that was exported. The value comes from the fuzzer.
const CHANGES: &[&str] = &[
    "UPDATE object SET sections = ?1",
    "UPDATE object SET key = ?1",
    "INSERT INTO program (path, stamp, object_id, counters, go, last_run_ms) VALUES (?1, 's', 1, 1, 0, 0)",
    "INSERT INTO program (path, stamp, object_id, counters, go, last_run_ms) VALUES ('/p', ?1, 1, 1, 1, 7)",
    "UPDATE run SET name = ?1",
    "UPDATE run SET context = ?1",
    "UPDATE run SET argv = ?1",
    "UPDATE run SET program_id = ?1",
    "UPDATE run SET started_ms = ?1",
    "UPDATE run SET wall_us = ?1",
    "UPDATE run SET ended = ?1",
    "UPDATE run SET ended_with = ?1, ended = 'signal'",
    "UPDATE run SET obtained = ?1",
    "UPDATE run SET cause = ?1, obtained = 'none'",
    "UPDATE run SET profiles = ?1",
    "UPDATE run SET batch = ?1",
    "UPDATE total SET key = ?1",
    "UPDATE total SET object_key = ?1",
    "UPDATE total SET template = ?1",
    "UPDATE counts SET profiles = ?1",
    "UPDATE counts SET counters = ?1",
    "UPDATE counts SET bitmaps = ?1",
    "INSERT OR REPLACE INTO rest VALUES (1, ?1, 1)",
    "INSERT OR REPLACE INTO rest VALUES (1, zeroblob(0), ?1)",
    "INSERT INTO go_total (hash, meta, profiles, counters) VALUES ('00', ?1, 1, zeroblob(0))",
    "UPDATE go_total SET counters = ?1",
    "UPDATE go_total SET hash = ?1",
    "INSERT INTO snapshot (run, pid, part, taken_ms, profile) VALUES ('r', 1, 0, 0, ?1)",
    "INSERT INTO left_out (run, file, cause) VALUES ('r', ?1, 'c')",
    "PRAGMA user_version = 2",
];

/// Changes an exported store, or takes the bytes for one. It is refused, or it can be combined and
/// added to a store; and combined with nothing, it is the same file.
pub fn store(bytes: &[u8]) {
    let place = folder();
    let file = place.path().join("shard.bincover");
    let mut recipe = Recipe::new(bytes);
    let changes = recipe.byte() % 8;
    if changes == 0 {
        std::fs::write(&file, recipe.rest()).expect("a file in our folder");
    } else {
        std::fs::write(&file, exported()).expect("a file in our folder");
        change(&file, changes, &mut recipe);
    }
    let combined = place.path().join("combined");
    if combine_stores([&file], &combined).is_ok() {
        let again = place.path().join("again");
        combine_stores([&combined], &again).expect("we read what we wrote");
        let [one, two] = [&combined, &again].map(|path| std::fs::read(path).expect("a file"));
        assert!(one == two, "combined with nothing, it differs");
    }
    let store = Store::new(place.path().join("store"));
    if store.import([&file]).is_ok() {
        let _ = store.runs();
        let _ = store.tally();
        if let Ok(contents) = store.contents() {
            let _ = contents.coverage();
        }
    }
}

fn change(file: &Path, changes: u8, recipe: &mut Recipe<'_>) {
    let connection = Connection::open(file).expect("a database that we wrote");
    // It need not survive a failure of power.
    let _ = connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
    for left in (0..changes).rev() {
        let change = CHANGES[recipe.below(CHANGES.len())];
        let kind = recipe.byte();
        // The last value is the longest.
        let bytes = match left {
            0 => recipe.rest(),
            _ => {
                let len = usize::from(recipe.byte());
                recipe.take(len)
            }
        };
        let value = match kind % 4 {
            0 => Value::Blob(bytes.to_vec()),
            1 => Value::Blob(packed(bytes)),
            2 => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            _ => {
                let mut word = [0; 8];
                let len = bytes.len().min(8);
                word[..len].copy_from_slice(&bytes[..len]);
                Value::Integer(i64::from_le_bytes(word))
            }
        };
        // A value that the table does not take is not put there.
        if change.contains("?1") {
            let _ = connection.execute(change, [value]);
        } else {
            let _ = connection.execute_batch(change);
        }
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

/// A store with an object and a run of it, exported.
fn exported() -> &'static [u8] {
    static EXPORTED: OnceLock<Vec<u8>> = OnceLock::new();
    EXPORTED.get_or_init(|| {
        let place = folder();
        let functions = [Function::new("f", 1, [2, 0]), Function::new("g", 2, [5])];
        let regions = |index: usize| {
            let line = 1 + 10 * index as u64;
            vec![Region::code(0, (line, 1), (line + 4, 2))]
        };
        let mapping = |index| function(&[(0, regions(index))]);
        let program = object("/w", &["a.c".to_owned()], &functions, mapping);
        let binary = place.path().join("program");
        std::fs::write(&binary, program).expect("a file in our folder");
        let loose = place.path().join("loose");
        std::fs::create_dir(&loose).expect("a folder in our folder");
        let profile = RawFile::new(Shape::CURRENT, &functions).bytes();
        std::fs::write(loose.join("1.profraw"), profile).expect("a file in our folder");

        let store = Store::new(place.path().join("store"));
        store.add_binaries(&[binary]).expect("a program");
        let added = store.add_loose(&loose, Some("context")).expect("a profile");
        assert_eq!(added.profiles, 1);
        let file = place.path().join("exported");
        store.export(&file).expect("a store with a run");
        std::fs::read(file).expect("what was exported")
    })
}
