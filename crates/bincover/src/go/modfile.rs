//! What is needed of `go.mod` and `go.work`: which modules lie where.

use std::path::{Path, PathBuf};

/// The directives of a `go.mod` or `go.work` file
/// ([reference](https://go.dev/ref/mod#go-mod-file)) that tell where modules are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ModFile {
    /// `module`
    pub(super) module: Option<String>,
    /// `require`: modules and their versions.
    pub(super) require: Vec<(String, String)>,
    /// `replace` by a folder.
    pub(super) replaced: Vec<(String, PathBuf)>,
    /// `replace` by another module and its version.
    pub(super) renamed: Vec<(String, (String, String))>,
    /// `use`, of `go.work`.
    pub(super) members: Vec<PathBuf>,
}

impl ModFile {
    /// Reads one; `None` if it is not there.
    pub(super) fn read(path: &Path) -> Option<Self> {
        std::fs::read_to_string(path)
            .ok()
            .map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let mut words: Vec<&str> = line.split_whitespace().map(unquoted).collect();
            if words == [")"] {
                block = None;
                continue;
            }
            let directive = match &block {
                Some(directive) => directive.clone(),
                None if words.is_empty() => continue,
                None => words.remove(0).trim_end_matches('(').to_owned(),
            };
            if block.is_none() && line.trim_end().ends_with('(') {
                block = Some(directive);
                continue;
            }
            file.add(&directive, &words);
        }
        file
    }

    fn add(&mut self, directive: &str, words: &[&str]) {
        let is_folder =
            |word: &str| word.starts_with("./") || word.starts_with("../") || word.starts_with('/');
        match (directive, words) {
            ("module", [path]) => self.module = Some((*path).to_owned()),
            ("require", [path, version, ..]) => {
                self.require
                    .push(((*path).to_owned(), (*version).to_owned()));
            }
            ("use", [folder]) => self.members.push(folder.into()),
            ("replace", [old, .., "=>", folder])
                if is_folder(folder) || *folder == "." || *folder == ".." =>
            {
                self.replaced.push(((*old).to_owned(), folder.into()));
            }
            ("replace", [old, .., "=>", new, version]) => {
                let new = ((*new).to_owned(), (*version).to_owned());
                self.renamed.push(((*old).to_owned(), new));
            }
            _ => {}
        }
    }
}

fn unquoted(word: &str) -> &str {
    let inner = word.strip_prefix(['"', '`']);
    inner
        .and_then(|inner| inner.strip_suffix(['"', '`']))
        .unwrap_or(word)
}

/// A module's path or version as a folder's name in the module cache: a capital letter is `!` and
/// the small one.
pub(super) fn escaped(path: &str) -> String {
    let mut escaped = String::new();
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(letter.to_ascii_lowercase());
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        let file = ModFile::parse(
            "// c\nmodule \"example.com/m\" // x\ngo 1.27\nrequire (\n\ta.b/C v1.2.0 // indirect\n\td.e/f v2.0.0\n)\n\
             require g.h/i v0.0.1\nreplace a.b/C v1.2.0 => ../c\nreplace (\n\td.e/f => ./f\n\tg.h/i => j.k/l v1.0.0\n)\nuse ./x\nuse(\n./y\n)\n",
        );
        assert_eq!(file.module.as_deref(), Some("example.com/m"));
        assert_eq!(file.require.len(), 3);
        assert_eq!(file.require[0], ("a.b/C".into(), "v1.2.0".into()));
        let replaced = [
            ("a.b/C".into(), "../c".into()),
            ("d.e/f".into(), "./f".into()),
        ];
        assert_eq!(file.replaced, replaced);
        assert_eq!(file.renamed[0].1, ("j.k/l".into(), "v1.0.0".into()));
        assert_eq!(file.members, [PathBuf::from("./x"), "./y".into()]);
        assert_eq!(escaped("github.com/Azure/x"), "github.com/!azure/x");
    }
}
