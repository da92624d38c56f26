//! Environments as shells and services read them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;

use bincover::Error;

use crate::ui;

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// `NAME=value`, quoted as sh does.
    Plain,
    Sh,
    Csh,
    Fish,
    Nu,
    Xonsh,
    Pwsh,
    Json,
    /// The file that `GITHUB_ENV` names.
    GitHub,
}

/// Writes an environment to standard output, or to where the service wants it.
pub(crate) fn write(
    command: &str,
    environment: &BTreeMap<OsString, OsString>,
    shell: Shell,
) -> Result<(), Error> {
    let mut texts = Vec::new();
    for (name, value) in environment {
        let Some(value) = value.to_str() else {
            return Err(Error::Write {
                path: name.into(),
                source: std::io::Error::other("the value is not UTF-8, and shells differ on that"),
            });
        };
        texts.push((name.to_string_lossy().into_owned(), value));
    }
    let text = rendered(&texts, shell);
    if shell != Shell::GitHub {
        return ui::print(text.as_bytes());
    }
    let Some(path) = std::env::var_os("GITHUB_ENV").filter(|path| !path.is_empty()) else {
        return Err(Error::Write {
            path: "$GITHUB_ENV".into(),
            source: std::io::Error::other("expected the variable of a GitHub workflow, found none"),
        });
    };
    let append = || {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(&path)?;
        file.write_all(text.as_bytes())
    };
    append().map_err(|source| Error::Write {
        path: (&path).into(),
        source,
    })?;
    ui::say(format_args!(
        "{command}: added {} variables to {}",
        texts.len(),
        path.display()
    ));
    Ok(())
}

fn rendered(texts: &[(String, &str)], shell: Shell) -> String {
    if shell == Shell::Json {
        let map: BTreeMap<&str, &str> = texts.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let text = serde_json::to_string_pretty(&map);
        return text.expect("strings are JSON") + "\n";
    }
    let line = |(name, value): &(String, &str)| match shell {
        Shell::Plain => format!("{name}={}\n", sh_quoted(value)),
        Shell::Sh => format!("export {name}={}\n", sh_quoted(value)),
        Shell::Csh => {
            // `!` is history's even within quotes, and a line ends in them only after a backslash.
            let value = sh_quoted(value).replace('!', "\\!").replace('\n', "\\\n");
            format!("setenv {name} {value}\n")
        }
        Shell::Nu => format!("$env.{name} = {}\n", double_quoted(value)),
        Shell::Xonsh => format!("${name} = {}\n", double_quoted(value)),
        Shell::Fish => {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            format!("set -gx {name} '{value}'\n")
        }
        Shell::Pwsh => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
        Shell::GitHub | Shell::Json => github_line(name, value),
    };
    texts.iter().map(line).collect()
}

/// A string of nushell's, and of Python's.
fn double_quoted(value: &str) -> String {
    let mut text = String::from('"');
    for letter in value.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>:
/// the delimiter is to be no line of the value.
fn github_line(name: &str, value: &str) -> String {
    let mut delimiter = "bincover".to_owned();
    while value.lines().any(|line| line == delimiter) {
        delimiter.push('-');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

fn sh_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_quote() {
        let texts = [("A".to_owned(), r"it's \ 5 %")];
        let text = |shell| rendered(&texts, shell);
        assert_eq!(text(Shell::Plain), "A='it'\\''s \\ 5 %'\n");
        assert_eq!(text(Shell::Sh), "export A='it'\\''s \\ 5 %'\n");
        assert_eq!(text(Shell::Csh), "setenv A 'it'\\''s \\ 5 %'\n");
        assert_eq!(text(Shell::Nu), "$env.A = \"it's \\\\ 5 %\"\n");
        assert_eq!(text(Shell::Xonsh), "$A = \"it's \\\\ 5 %\"\n");
        assert_eq!(text(Shell::Fish), "set -gx A 'it\\'s \\\\ 5 %'\n");
        assert_eq!(text(Shell::Pwsh), "$env:A = 'it''s \\ 5 %'\n");
        assert_eq!(text(Shell::Json), "{\n  \"A\": \"it's \\\\ 5 %\"\n}\n");
        let texts = [("A".to_owned(), "1\nbincover\n2")];
        let found = rendered(&texts, Shell::GitHub);
        assert_eq!(found, "A<<bincover-\n1\nbincover\n2\nbincover-\n");
    }
}
