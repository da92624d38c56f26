//! What the tests of whole programs share. They need cargo, rustc and a linker, and no LLVM tool.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program that the tests run.
pub const SOURCE: &str = include_str!("../programs/endings.rs");

/// Compiles the program into this test binary's own place, then renames it, so that another run of
/// the tests can use the old one meanwhile.
pub fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    std::fs::create_dir_all(&folder).unwrap();
    let scratch = tempfile::tempdir_in(&folder).unwrap();
    let made = scratch.path().join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/endings.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-name=endings"])
        .args(flags)
        .arg("-o")
        .args([&made, &source])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let path = folder.join(name);
    std::fs::rename(made, &path).unwrap();
    path
}

/// The number of the program's line that ends in `// line: <name>`.
pub fn line_of(name: &str) -> u32 {
    let mark = format!("// line: {name}");
    let index = SOURCE.lines().position(|line| line.ends_with(&mark));
    let index = index.unwrap_or_else(|| panic!("no line ends in `{mark}`"));
    u32::try_from(index + 1).unwrap()
}

/// The names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries.map(|e| name(e).display().to_string()).collect();
    names.sort();
    names
}
