//! The helper program, and what several tests ask.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bincover_run::{Command, RUSTC_FLAGS};

/// So generous that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(120);

static PLAIN: LazyLock<PathBuf> = LazyLock::new(|| compile("plain", &[]));
static COVERED: LazyLock<PathBuf> = LazyLock::new(|| compile("covered", &RUSTC_FLAGS));
static NOT_RELOCATABLE: LazyLock<PathBuf> =
    LazyLock::new(|| compile("not-relocatable", &RUSTC_FLAGS[..2]));

/// Into a place of its own, then renamed, so that another test run can use the old one meanwhile.
fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let scratch = tempfile::tempdir_in(target).unwrap();
    let made = scratch.path().join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/helper.rs.txt");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-name=helper"])
        .args(flags.iter().copied())
        .arg("-o")
        .args([&made, &source])
        .run()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let path = target.join(format!("bincover-run-helper-{name}"));
    std::fs::rename(made, &path).unwrap();
    path
}

/// The helper without coverage.
pub(crate) fn helper() -> Command {
    Command::new(&*PLAIN).timeout(LONG)
}

/// The helper, built as this crate says that programs should be. Without a profile folder it would
/// write to the current one.
pub(crate) fn helper_covered() -> Command {
    Command::new(&*COVERED).timeout(LONG)
}

/// The helper with coverage and without counter relocation.
pub(crate) fn helper_not_relocatable() -> Command {
    Command::new(&*NOT_RELOCATABLE).timeout(LONG)
}

pub(crate) fn shell(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script]).timeout(LONG)
}

/// The files in a profile folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The folder holds `count` raw profiles and nothing else.
pub(crate) fn assert_profiles(folder: &Path, count: usize) {
    let files = files(folder);
    assert_eq!(files.len(), count, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let magic = b"\x81rforpl\xff";
        assert!(
            bytes.starts_with(magic),
            "{} bytes in {file:?}",
            bytes.len()
        );
    }
}

/// Waits until a process that is not our child is gone, or dead and not yet reaped.
pub(crate) fn assert_goes_away(pid: u32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < LONG, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: u32) -> bool {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p"])
        .arg(pid.to_string())
        .run()
        .unwrap();
    !output.stdout.is_empty() && !output.stdout.starts_with(b"Z")
}

/// The number that a script has printed first.
pub(crate) fn first_number(bytes: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().next().unwrap().parse().unwrap()
}
