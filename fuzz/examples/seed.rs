//! Copies `testdata/` into `fuzz/corpus/<target>/`. Run it from anywhere:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seed`.

use std::fs;
use std::io;
use std::path::Path;

use bincover_testkit::{fixtures_ending, top};

fn main() -> io::Result<()> {
    let corpus = top().join("fuzz/corpus");
    let mut count = 0;
    let mut put = |target: &str, name: &str, bytes: &[u8]| -> io::Result<()> {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        count += 1;
        fs::write(folder.join(name), bytes)
    };
    for path in fixtures_ending("", "") {
        let bytes = fs::read(&path)?;
        let name = flat_name(&path);
        if let Some(target) = of_go(&path) {
            put(target, &name, &bytes)?;
            continue;
        }
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("profraw") => put("raw", &name, &bytes)?,
            Some("profdata") => put("indexed", &name, &bytes)?,
            Some("proftext") => put("text", &name, &bytes)?,
            Some("elf" | "o") => {
                put("mapping", &name, &bytes)?;
                if let Some(sections) = bincover_fuzz::split_object(&bytes) {
                    put("mapping", &format!("{name}.sections"), &sections)?;
                }
            }
            Some("info" | "lcov" | "xml" | "json") => put("import", &name, &bytes)?,
            _ => {}
        }
    }
    // A recipe is any bytes; these have one of each.
    put("merge", "every-byte", &(0..=u8::MAX).collect::<Vec<u8>>())?;
    put("merge", "saturated", &[0xf0; 128])?;
    println!("{count} seeds in {}", corpus.display());
    Ok(())
}

/// The target for a file of `testdata/go/`.
fn of_go(path: &Path) -> Option<&'static str> {
    let below = path.strip_prefix(top().join("testdata/go")).ok()?;
    let name = below.file_name()?.to_string_lossy();
    if name.starts_with("covmeta.") {
        return Some("go_meta");
    }
    if name.contains("covcounters.") {
        return Some("go_counters");
    }
    // Sources too: the target takes its bytes for both.
    (name.ends_with(".out") || name.ends_with(".go")).then_some("go_text")
}

/// The path below `testdata/`, as one name.
fn flat_name(path: &Path) -> String {
    let below = path.strip_prefix(top().join("testdata")).unwrap_or(path);
    below.display().to_string().replace('/', "-")
}
