//! C and C++ compilers that can instrument.

use std::process::Command;

/// What clang needs to count, with counters that can live in a file.
pub(crate) const FLAGS: &str =
    "-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation";

/// What the linker needs besides.
pub(crate) const LINKER_FLAGS: &str = "-fprofile-instr-generate";

/// Versions that are looked for, the newest first.
const MAJORS: std::ops::RangeInclusive<u32> = 14..=40;

/// The major version of a compiler, if it is clang.
pub(crate) fn major_of(compiler: &str) -> Option<u32> {
    let mut words = compiler.split_whitespace();
    let output = Command::new(words.next()?)
        .args(words)
        .arg("--version")
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, version) = said.split_once("clang version ")?;
    version.split('.').next()?.parse().ok()
}

/// `clang` or `clang++`, as it is called here: of this major version, or of any.
pub(crate) fn find(program: &str, major: Option<u32>) -> Option<String> {
    let versioned = |major: u32| format!("{program}-{major}");
    let others: Vec<String> = match major {
        Some(major) => vec![versioned(major)],
        None => MAJORS.rev().map(versioned).collect(),
    };
    let fits = |candidate: &String| {
        let found = major_of(candidate);
        found.is_some() && (major.is_none() || found == major)
    };
    std::iter::once(program.to_owned()).chain(others).find(fits)
}

/// The value of the first of these variables that is set.
pub(crate) fn first_variable(names: &[&str]) -> Option<String> {
    let mut values = names.iter().filter_map(|name| std::env::var(name).ok());
    values.find(|value| !value.is_empty())
}

/// A variable's flags, and ours behind them.
pub(crate) fn with(before: Option<String>, ours: &str) -> String {
    match before {
        Some(before) => format!("{before} {ours}"),
        None => ours.to_owned(),
    }
}
