//! Which functions `show` shows (LLVM: `CoverageFilters`).

use bincover::model::Function;
use regex::bytes::Regex;

use super::patterns;

/// Conditions on a function: it must meet one of each group that is not empty.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) names: Option<Vec<Name>>,
    pub(super) percents: Vec<Percent>,
}

/// A condition on a function's name, as the object has it.
#[derive(Debug)]
pub(super) enum Name {
    Contains(Vec<u8>),
    /// An expression that is none matches nothing.
    Matches(Option<Regex>),
    Listed(AllowList),
}

/// A condition on how much of a function was reached, in percent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percent {
    pub(super) of: Of,
    pub(super) is_above: bool,
    pub(super) threshold: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Regions,
    Lines,
}

impl Filters {
    /// Nothing is asked of a function.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_none() && self.percents.is_empty()
    }

    pub(super) fn matches(&self, function: &Function) -> bool {
        let name_matches = |name: &Name| match name {
            Name::Contains(part) => contains(&function.name, part),
            Name::Matches(regex) => regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(&function.name)),
            Name::Listed(list) => list.allows(&function.name),
        };
        let percent_matches = |percent: &Percent| {
            let tally = match percent.of {
                Of::Regions => function.summary.regions,
                Of::Lines => function.summary.lines,
            };
            match percent.is_above {
                true => tally.percent() > percent.threshold,
                false => tally.percent() < percent.threshold,
            }
        };
        self.names
            .as_ref()
            .is_none_or(|names| names.iter().any(name_matches))
            && (self.percents.is_empty() || self.percents.iter().any(percent_matches))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// Lists of functions in the form that sanitizers use (LLVM: `SpecialCaseList`).
#[derive(Debug, Default)]
pub(super) struct AllowList(Vec<Regex>);

impl AllowList {
    /// Adds the functions of one file's text; the error is LLVM's.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<(), String> {
        let uses_globs = !text.starts_with(b"#!special-case-list-v1\n");
        let mut is_ours = true;
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let number = index + 1;
            let line = line.trim_ascii();
            let shown = String::from_utf8_lossy(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if let Some(section) = line.strip_prefix(b"[") {
                let Some(section) = section.strip_suffix(b"]") else {
                    return Err(format!(
                        "malformed section header on line {number}: {shown}"
                    ));
                };
                let pattern = pattern(section, uses_globs).map_err(|problem| {
                    let section = String::from_utf8_lossy(section);
                    format!("malformed section at line {number}: '{section}': {problem}")
                })?;
                is_ours = pattern.is_match(b"llvmcov");
                continue;
            }
            let Some((prefix, rest)) = split(line, b':').filter(|(_, rest)| !rest.is_empty())
            else {
                return Err(format!("malformed line {number}: '{shown}'"));
            };
            let (entry, category) = split(rest, b'=').unwrap_or((rest, b""));
            let matcher = pattern(entry, uses_globs).map_err(|problem| {
                let kind = if uses_globs { "glob" } else { "regex" };
                let entry = String::from_utf8_lossy(entry);
                format!("malformed {kind} in line {number}: '{entry}': {problem}")
            })?;
            if is_ours && prefix == b"allowlist_fun" && category.is_empty() {
                self.0.push(matcher);
            }
        }
        Ok(())
    }

    fn allows(&self, function: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(function))
    }
}

fn pattern(text: &[u8], is_glob: bool) -> Result<Regex, &'static str> {
    if is_glob {
        return patterns::glob(text);
    }
    let mut regex = b"^(".to_vec();
    for &byte in text {
        match byte {
            b'*' => regex.extend_from_slice(b".*"),
            _ => regex.push(byte),
        }
    }
    regex.extend_from_slice(b")$");
    patterns::posix(&regex).ok_or("invalid regular expression")
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = text.iter().position(|&byte| byte == at)?;
    Some((&text[..index], &text[index + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn list(text: &str) -> Result<AllowList, String> {
        let mut list = AllowList::default();
        list.read(text.as_bytes()).map(|()| list)
    }

    #[test]
    fn lists() {
        let text = "# comment\nallowlist_fun:ma*\n[other]\nallowlist_fun:x\n[llvm*]\nallowlist_fun:y=category\nfun:z\nallowlist_fun:foo";
        let list = list(text).unwrap();
        let allowed = ["main", "foo", "x", "y", "z"].map(|name| list.allows(name.as_bytes()));
        assert_eq!(allowed, [true, true, false, false, false]);
    }

    /// What llvm-cov-22 says.
    #[test]
    fn mistakes() {
        let table = [
            ("foo", "malformed line 1: 'foo'"),
            ("[llvmcov\n", "malformed section header on line 1: [llvmcov"),
            (
                "[llvmcov]\nallowlist_fun:ma[",
                "malformed glob in line 2: 'ma[': invalid glob pattern, unmatched '['",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(list(text).unwrap_err(), expected);
        }
    }
}
