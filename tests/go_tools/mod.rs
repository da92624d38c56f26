//! Go's own tools, where there is a Go toolchain: the oracle of the tests of Go's coverage.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Failed;

/// A toolchain is there.
pub(crate) fn is_there() -> bool {
    which::which("go").is_ok()
}

/// The `go` command, which downloads nothing here.
pub(crate) fn go() -> Command {
    let mut go = Command::new("go");
    go.envs([
        ("GOPROXY", "off"),
        ("GOTOOLCHAIN", "local"),
        ("GOWORK", "off"),
        ("GOTELEMETRY", "off"),
        ("CGO_ENABLED", "0"),
        ("LC_ALL", "C"),
    ]);
    go.env_remove("GOCOVERDIR").env_remove("GOFLAGS");
    go
}

/// Runs a command that has to succeed.
pub(crate) fn output(command: &mut Command) -> Result<Output, Failed> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}: {stderr}", output.status).into());
    }
    Ok(output)
}

/// `covdata`: it is no longer shipped.
pub(crate) fn covdata() -> Result<PathBuf, Failed> {
    tool("covdata")
}

/// One of Go's tools, built from the toolchain's source, once for each version.
pub(crate) fn tool(name: &str) -> Result<PathBuf, Failed> {
    let version = output(go().args(["env", "GOVERSION"]))?.stdout;
    let version = String::from_utf8(version)?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let tool = folder.join(format!("{name}-{}", version.trim()));
    if !tool.exists() {
        let scratch = tempfile::tempdir_in(folder)?;
        let made = scratch.path().join(name);
        let package = format!("cmd/{name}");
        let args: [&OsStr; 4] = [
            "build".as_ref(),
            "-o".as_ref(),
            made.as_ref(),
            package.as_ref(),
        ];
        output(go().args(args))?;
        std::fs::rename(made, &tool)?;
    }
    Ok(tool)
}
