//! Source files, from the disk, for reports that show them.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use bincover_report::{Source, Sources};
use bstr::{BStr, ByteSlice};

use crate::limits::MAX_SOURCE_BYTES;

/// Sources as they lie on the disk now. A relative name is looked up in the working folder. What
/// is no regular file is not opened, since a program may name anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceFiles {
    built: Option<SystemTime>,
}

impl SourceFiles {
    /// Knows when the newest of these programs was built, and so which sources were changed since.
    /// Programs that are gone say nothing.
    #[must_use]
    pub fn of<'p>(programs: impl IntoIterator<Item = &'p Path>) -> Self {
        let times = programs
            .into_iter()
            .filter_map(|path| fs::metadata(path).ok()?.modified().ok());
        Self { built: times.max() }
    }
}

impl Sources for SourceFiles {
    fn read(&self, name: &BStr) -> Source {
        let path = name.to_path_lossy();
        match self.try_read(&path) {
            Ok(source) => source,
            Err(reason) => Source::Missing { reason },
        }
    }
}

/// Reads a source file, which a profile or an object has named, and may name anything.
pub(crate) fn read_source(path: &Path) -> Result<Vec<u8>, String> {
    read_file(path).map(|(text, _)| text)
}

fn read_file(path: &Path) -> Result<(Vec<u8>, fs::Metadata), String> {
    let words = |error: std::io::Error| error.to_string();
    let metadata = fs::metadata(path).map_err(words)?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(words)?;
    file.take(MAX_SOURCE_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(words)?;
    if text.len() as u64 > MAX_SOURCE_BYTES {
        return Err(format!(
            "it has {} bytes, and no more than {MAX_SOURCE_BYTES} are shown",
            metadata.len()
        ));
    }
    Ok((text, metadata))
}

impl SourceFiles {
    fn try_read(&self, path: &Path) -> Result<Source, String> {
        let (text, metadata) = read_file(path)?;
        let changed = metadata.modified().ok();
        Ok(Source::Text {
            text,
            is_changed: self
                .built
                .is_some_and(|built| changed.is_some_and(|changed| changed > built)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(path: &Path) -> Vec<u8> {
        path.to_str().expect("text").into()
    }

    #[test]
    fn a_source_is_changed_if_it_is_newer_than_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let (program, source) = (folder.path().join("program"), folder.path().join("a.c"));
        fs::write(&program, "").unwrap();
        fs::write(&source, "int a;\n").unwrap();
        let sources = SourceFiles::of([program.as_path()]);
        let built = fs::metadata(&program).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&source).unwrap();
        for (time, expected) in [
            (built - Duration::from_secs(1), false),
            (built + Duration::from_secs(1), true),
        ] {
            file.set_modified(time).unwrap();
            let read = sources.read(name(&source).as_bstr());
            let text = b"int a;\n".to_vec();
            assert_eq!(
                read,
                Source::Text {
                    text,
                    is_changed: expected
                }
            );
        }
    }

    #[test]
    fn what_cannot_be_shown_has_a_reason() {
        let reason = |name: &[u8]| match SourceFiles::default().read(name.as_bstr()) {
            Source::Missing { reason } => reason,
            Source::Text { .. } => panic!("it is there"),
        };
        assert!(reason(b"/nowhere/a.c").starts_with("No such file"));
        assert_eq!(reason(b"/dev/zero"), "it is no regular file");
        assert!(reason(b"a\0b").to_lowercase().contains("nul"));

        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.c");
        let file = fs::File::create(&large).unwrap();
        file.set_len(MAX_SOURCE_BYTES + 1).unwrap();
        assert!(reason(&name(&large)).starts_with("it has 67108865 bytes"));
    }
}
