//! Where a process writes its coverage that was not left to the run: into the folder of a run within
//! this one, or where somebody said. What is there counts there.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bincover_rescue::{Image, Memory};

use super::{Program, is_whole};

/// How much older than its process a file may look that it has written. Less than where files are the process's own:
/// a name without its number may be that of another which ended just before.
const TICK: Duration = Duration::from_millis(20);

/// The path that a variable of a process holds, as we reach it. `None` if it is not set, or empty.
pub(super) fn path_in(thread: u32, variable: &str) -> Option<PathBuf> {
    let environment = std::fs::read(format!("/proc/{thread}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    // Of several, LLVM's runtime and Go's take the first.
    let value = variables.find_map(|one| {
        one.strip_prefix(variable.as_bytes())?
            .strip_prefix(b"=")
            .map(OsStr::from_bytes)
    })?;
    if value.is_empty() {
        return None;
    }
    let value = Path::new(value);
    match value.strip_prefix("/") {
        Ok(below_root) => Some(Path::new(&format!("/proc/{thread}/root")).join(below_root)),
        // From where the process is now: if it was elsewhere when it began, nothing is found.
        Err(_) => Some(Path::new(&format!("/proc/{thread}/cwd")).join(value)),
    }
}

/// Both lead to the same folder.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// Whether the process has written an image's profile to where its `LLVM_PROFILE_FILE` leads, which is not `folder`.
pub(super) fn has_written(
    folder: &Path,
    image: &Image,
    memory: &Memory,
    process: &Program,
) -> bincover_rescue::Result<bool> {
    let Some(pattern) = path_in(memory.pid(), bincover_run::PROFILE_FILE_VARIABLE) else {
        return Ok(false);
    };
    if pattern
        .parent()
        .is_none_or(|parent| is_same(parent, folder))
    {
        return Ok(false);
    }
    if let Some(file) = image.continuous() {
        return Ok(file.exists());
    }
    let signature = image.signature(memory)?;
    Ok(
        expanded(&pattern, process.name, signature).is_some_and(|file| {
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| modified + TICK >= process.began)
                && is_whole(image, &file)
        }),
    )
}

/// The file that a pattern stands for. `None` if it holds what this does not know: `%h`, `%t`, `%b`, pools of several.
fn expanded(pattern: &Path, process: u32, signature: u64) -> Option<PathBuf> {
    let mut pieces = pattern.as_os_str().as_bytes().split(|byte| *byte == b'%');
    let mut path = pieces.next()?.to_vec();
    for piece in pieces {
        let (kind, rest) = piece.split_first()?;
        match kind {
            b'p' => path.extend(process.to_string().bytes()),
            b'm' => path.extend(format!("{signature}_0").bytes()),
            b'c' => {}
            _ => return None,
        }
        path.extend(rest);
    }
    Some(OsString::from_vec(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_as_the_runtime_does() {
        for (pattern, file) in [
            ("/a/x.profraw", Some("/a/x.profraw")),
            ("/a/%p-%m%c.profraw", Some("/a/12-34_0.profraw")),
            ("/a/%p%p", Some("/a/1212")),
            ("/a/%4m.profraw", None),
            ("/a/%h.profraw", None),
            ("/a/%", None),
        ] {
            let found = expanded(Path::new(pattern), 12, 34);
            assert_eq!(found.as_deref(), file.map(Path::new), "{pattern}");
        }
    }
}
