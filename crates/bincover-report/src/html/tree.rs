//! Files as a tree of folders.

use std::collections::BTreeMap;

use bincover_model::Summary;

use super::Entry;

/// Folders below this depth are part of a file's name: a program may name any number of them.
pub(super) const MAX_DEPTH: usize = 32;

/// A folder and what is in it.
#[derive(Default)]
pub(super) struct Folder<'a> {
    /// Parts with `/` between them, where a folder holds nothing but another one.
    pub(super) name: String,
    pub(super) summary: Summary,
    /// Sorted by name.
    pub(super) folders: Vec<Folder<'a>>,
    /// Sorted by name; with what is left of it in this folder.
    pub(super) files: Vec<(&'a str, &'a Entry)>,
}

#[derive(Default)]
struct Building<'a> {
    folders: BTreeMap<&'a str, Building<'a>>,
    files: Vec<(&'a str, &'a Entry)>,
}

/// The tree of all files.
pub(super) fn tree(files: &[Entry]) -> Folder<'_> {
    let mut root = Building::default();
    for file in files {
        let mut rest = file.name.as_str();
        let mut folder = &mut root;
        for depth in 0.. {
            // A name that begins with `/` begins with a folder that does.
            let start = rest.len() - rest.trim_start_matches('/').len();
            let end = rest.get(start..).and_then(|name| name.find('/'));
            let Some(end) = end.filter(|_| depth < MAX_DEPTH) else {
                break;
            };
            let from = if depth == 0 { 0 } else { start };
            folder = folder
                .folders
                .entry(rest.get(from..start + end).unwrap_or_default())
                .or_default();
            rest = rest.get(start + end + 1..).unwrap_or_default();
        }
        folder.files.push((rest, file));
    }
    finish(String::new(), root)
}

fn finish(name: String, building: Building<'_>) -> Folder<'_> {
    let mut folder = Folder {
        name,
        files: building.files,
        ..Folder::default()
    };
    folder.files.sort_by_key(|(name, _)| *name);
    for (name, inner) in building.folders {
        folder.folders.push(finish(name.to_owned(), inner));
    }
    // A folder in a folder of nothing else is shown as one.
    if folder.files.is_empty()
        && folder.folders.len() == 1
        && !folder.name.is_empty()
        && let Some(only) = folder.folders.pop()
    {
        let name = format!("{}/{}", folder.name, only.name);
        return Folder { name, ..only };
    }
    for inner in &folder.folders {
        folder.summary += inner.summary;
    }
    for (_, file) in &folder.files {
        folder.summary += file.summary;
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tally;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            page: String::new(),
            summary: Summary {
                lines: tally(1, 2),
                ..Summary::default()
            },
        }
    }

    fn shape(folder: &Folder<'_>) -> String {
        let mut parts = vec![format!("{}:{}", folder.name, folder.summary.lines.total)];
        parts.extend(folder.folders.iter().map(shape));
        parts.extend(folder.files.iter().map(|(name, _)| (*name).to_owned()));
        format!("({})", parts.join(" "))
    }

    #[test]
    fn folders_of_one_folder_are_one() {
        let files = ["src/a/b/c.rs", "src/a/b/d.rs", "src/e.rs", "/x/y/z.rs", "f"].map(entry);
        assert_eq!(
            shape(&tree(&files)),
            "(:10 (/x/y:2 z.rs) (src:6 (a/b:4 c.rs d.rs) e.rs) f)"
        );
    }

    #[test]
    fn depth_has_an_end() {
        let files = [entry(&"a/".repeat(100_000)), entry(&"a/".repeat(50_000))];
        assert_eq!(tree(&files).summary.lines.total, 4);
    }
}
