//! Programs that tests write, to run them.

use std::path::Path;
use std::process::Command;

/// Writes a program. Not in this process: another test that starts one meanwhile would have the file open
/// for writing for a moment, and what is written to cannot be run.
pub(crate) fn write_program(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("made");
    std::fs::write(&beside, bytes).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&beside, mode).unwrap();
    // What an earlier run of the tests left there may be anything.
    let _ = std::fs::remove_file(path);
    let status = Command::new("cp").args([&beside, path]).status().unwrap();
    assert!(status.success());
}
