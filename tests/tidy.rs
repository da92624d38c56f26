//! The shape of the house: which crate may know which, and small promises that no compiler checks.
//!
//! A test here that fails is no verdict: either the change is put where its layer is, or the table
//! below is changed in the same commit, with `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bincover_testkit::top;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Each crate, and which of ours it may use. Tests and benches may use any.
const ARROWS: &[(&str, &[&str])] = &[
    ("bincover-model", &[]),
    ("bincover-profile", &[]),
    ("bincover-mapping", &["bincover-profile", "bincover-model"]),
    ("bincover-gocover", &["bincover-model"]),
    ("bincover-import", &["bincover-model"]),
    ("bincover-report", &["bincover-model"]),
    ("bincover-run", &[]),
    ("bincover-rescue", &["bincover-profile"]),
    (
        "bincover",
        &[
            "bincover-model",
            "bincover-profile",
            "bincover-mapping",
            "bincover-gocover",
            "bincover-import",
            "bincover-report",
            "bincover-rescue",
            "bincover-run",
        ],
    ),
    (
        "bincover-cli",
        &[
            "bincover",
            "bincover-model",
            "bincover-profile",
            "bincover-mapping",
            "bincover-gocover",
            "bincover-import",
            "bincover-report",
            "bincover-rescue",
            "bincover-run",
        ],
    ),
    ("bincover-testkit", &[]),
    ("echo-arg", &[]),
    ("echo-arg-go", &[]),
    ("line-server", &[]),
    ("xtask", &["bincover-testkit"]),
];

/// What only these crates may depend on: whoever has it knows of something that the others have
/// never heard of.
const OWNED: &[(&str, &[&str], &str)] = &[
    ("clap", &["bincover-cli"], "a command line"),
    ("indicatif", &["bincover-cli"], "the terminal"),
    ("memmap2", &["bincover"], "mapping files"),
    (
        "object",
        &["bincover-mapping", "bincover-rescue"],
        "object files",
    ),
];

/// The files with unsafe code: forking, tracing, asking for a lease, mapping an object, mapping as programs do.
const UNSAFE: &[&str] = &[
    "crates/bincover-cli/src/front.rs",
    "crates/bincover-run/src/trace/sys.rs",
    "crates/bincover/src/fold/in_use.rs",
    "crates/bincover/src/input.rs",
    "tests/fold.rs",
    "tests/programs/rescue.rs",
    "tests/workspaces/drill/src/main.rs",
    "tests/workspaces/shop/crates/pricing/src/lib.rs",
];

/// Crates that speak to people, or are there to fail loudly.
const MAY_PRINT: &[&str] = &[
    "crates/bincover-cli",
    "crates/bincover-testkit",
    "crates/xtask",
];

/// The workspace's packages as their manifests declare them; nothing is resolved or downloaded.
fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(top().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("`cargo metadata` reads our manifests")
}

/// The dependencies of a package's own code; those of its tests and benches are left out.
fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let all = package.dependencies.iter();
    all.filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

/// Fails with all that was found, so that it can be put right in one go.
fn expect_none(found: &[String], advice: &str) {
    assert!(
        found.is_empty(),
        "\n\n  {}\n\n{advice}\n",
        found.join("\n  ")
    );
}

/// The files below these folders (from the top) with this suffix, sorted, as paths from the top.
fn files(folders: &[&str], suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&top().join(folder), suffix, &mut found);
    }
    let mut found: Vec<PathBuf> = found
        .iter()
        .map(|path| path.strip_prefix(top()).expect("below the top").to_owned())
        .collect();
    found.sort();
    assert!(
        !found.is_empty(),
        "no *{suffix} in {folders:?}: a test over nothing would pass"
    );
    found
}

fn collect(folder: &Path, suffix: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // What builds and fuzzing leave behind is not ours to judge.
            if !name.starts_with('.') && !matches!(&*name, "target" | "corpus" | "artifacts") {
                collect(&path, suffix, found);
            }
        } else if name.ends_with(suffix) {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    let path = top().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust code that we wrote, without the fixtures' sources.
fn rust_files() -> Vec<PathBuf> {
    files(&["crates", "examples", "tests", "benches", "fuzz"], ".rs")
}

#[test]
fn arrows_point_one_way() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| *of == name) else {
            wrong.push(format!("{name} is new: give it a row in ARROWS"));
            continue;
        };
        for used in dependencies(package).filter(|used| ours.contains(used)) {
            if !allowed.contains(&used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    expect_none(
        &wrong,
        "An arrow between our crates has turned round. The type that is wanted probably belongs \
         further down, in bincover-model; or the code that wants it further up, in bincover. If \
         the arrow is right after all, change the table in tests/tidy.rs and in ARCHITECTURE.md.",
    );
}

#[test]
fn what_one_crate_owns_no_other_depends_on() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        for used in dependencies(package) {
            for (name, owners, subject) in OWNED {
                if used == *name && !owners.contains(&package.name.as_str()) {
                    wrong.push(format!(
                        "{} uses {name}, but {subject} is for {owners:?}",
                        package.name
                    ));
                }
            }
        }
    }
    expect_none(
        &wrong,
        "Please let the crate that owns the subject do the work and hand over plain data.",
    );
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let mut wrong = Vec::new();
    for package in metadata().workspace_packages() {
        let manifest = package.manifest_path.as_std_path();
        let text = read(manifest);
        let lints = text
            .lines()
            .skip_while(|line| line.trim() != "[lints]")
            .nth(1);
        if lints.map(str::trim) != Some("workspace = true") {
            wrong.push(package.name.to_string());
        }
    }
    expect_none(
        &wrong,
        "Please add to its Cargo.toml:\n\n[lints]\nworkspace = true",
    );
}

#[test]
fn every_test_and_bench_at_the_top_is_declared() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let declared: BTreeSet<PathBuf> = packages
        .iter()
        .flat_map(|package| &package.targets)
        .map(|target| {
            let path = target.src_path.as_std_path();
            path.canonicalize().unwrap_or_else(|_| path.to_owned())
        })
        .collect();
    let mut orphans = Vec::new();
    for folder in ["tests", "benches"] {
        for entry in std::fs::read_dir(top().join(folder)).expect("a folder of ours") {
            let path = entry
                .expect("a readable entry")
                .path()
                .canonicalize()
                .expect("it exists");
            let is_rust = path.extension().is_some_and(|suffix| suffix == "rs");
            if is_rust && !declared.contains(&path) {
                orphans.push(path.display().to_string());
            }
        }
    }
    expect_none(
        &orphans,
        "Nobody builds these files, so they test nothing. Please declare each as [[test]] or \
         [[bench]] in the Cargo.toml of the crate that it exercises; a module that tests share \
         belongs in a folder, such as tests/support/.",
    );
}

#[test]
fn unsafe_code_is_in_named_files() {
    let mut wrong = Vec::new();
    for path in rust_files().iter().filter(|path| {
        !UNSAFE
            .iter()
            .any(|known| path.as_path() == Path::new(known))
    }) {
        wrong.extend(places(path, |line| {
            words(line).any(|word| word == "unsafe")
        }));
    }
    expect_none(
        &wrong,
        &format!(
            "All unsafe code is in {UNSAFE:?}. If there is no safe crate for what you need, say \
             why in SECURITY.md and change this test.",
        ),
    );
    for file in UNSAFE {
        let is_unsafe = |line: &str| words(line).any(|word| word == "unsafe");
        assert!(
            !places(Path::new(file), is_unsafe).is_empty(),
            "{file} has no unsafe code any more: good news for SECURITY.md"
        );
    }
}

#[test]
fn libraries_neither_print_nor_exit() {
    const LOUD: &[&str] = &[
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "dbg!",
        "process::exit",
    ];
    let is_library = |path: &&PathBuf| {
        let in_source = path
            .components()
            .nth(2)
            .is_some_and(|part| part.as_os_str() == "src");
        in_source && !MAY_PRINT.iter().any(|folder| path.starts_with(folder))
    };
    let files = files(&["crates"], ".rs");
    let mut wrong = Vec::new();
    for path in files.iter().filter(is_library) {
        wrong.extend(places(path, |line| {
            LOUD.iter().any(|loud| {
                let mut found = line.match_indices(loud);
                found
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
            })
        }));
    }
    expect_none(
        &wrong,
        "Libraries hand over what there is to say as data, such as an error or the ledger; \
         bincover-cli says it.",
    );
}

/// Limits that are no bounds on what is read: how much is shown, what LLVM's own sample keeps, how long a name is.
const OTHER_LIMITS: &[&str] = &[
    "crates/bincover-profile/src/traces.rs",
    "crates/bincover-report/src/html",
    "crates/bincover-report/src/markdown.rs",
    "crates/bincover/src/fold/state.rs",
];

#[test]
fn limits_have_a_file_in_each_crate() {
    let mut wrong = Vec::new();
    for path in &files(&["crates"], ".rs") {
        let is_other = OTHER_LIMITS.iter().any(|other| path.starts_with(other));
        if !is_other && !path.ends_with("limits.rs") {
            wrong.extend(places(path, |line| line.contains("const MAX_")));
        }
    }
    expect_none(
        &wrong,
        "Bounds on what is read are in the `limits.rs` of each crate, with their reasons, where they can be \
         looked through together.",
    );
}

#[test]
fn no_shell_is_asked() {
    let mut wrong = Vec::new();
    let is_product = |path: &&PathBuf| {
        let is_ours = !["crates/xtask", "crates/bincover-testkit"]
            .iter()
            .any(|other| path.starts_with(other));
        is_ours && path.components().any(|part| part.as_os_str() == "src")
    };
    for path in files(&["crates"], ".rs").iter().filter(is_product) {
        for (number, line) in read(path).lines().enumerate() {
            let is_shell = [
                "\"sh\"",
                "\"bash\"",
                "\"/bin/sh\"",
                "\"cmd\"",
                "\"cmd.exe\"",
            ]
            .iter()
            .any(|shell| line.contains(&format!("Command::new({shell})")));
            if is_shell && !line.trim_start().starts_with("//") {
                wrong.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    expect_none(
        &wrong,
        "Programs are started with their arguments, each as it is: a shell would take a name for a command.",
    );
}

/// What is built and tested, with all that it depends on, as the lock file has it. Nothing is downloaded.
fn dependencies_of_all() -> Metadata {
    let options = [
        "--locked",
        "--offline",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ];
    MetadataCommand::new()
        .manifest_path(top().join("Cargo.toml"))
        .other_options(options.map(str::to_owned))
        .exec()
        .expect("`cargo metadata` reads the lock file")
}

/// Whether a licence of an SPDX expression is one of these: `A OR (B AND C)`, or with `/` for `OR`, as old
/// manifests have it.
fn is_licensed(expression: &str, allowed: &[&str]) -> bool {
    fn any<'w>(
        words: &mut std::iter::Peekable<std::vec::IntoIter<&'w str>>,
        is: &dyn Fn(&str) -> bool,
    ) -> bool {
        let mut holds = all(words, is);
        while words.next_if(|word| ["OR", "/"].contains(word)).is_some() {
            holds |= all(words, is);
        }
        holds
    }
    fn all<'w>(
        words: &mut std::iter::Peekable<std::vec::IntoIter<&'w str>>,
        is: &dyn Fn(&str) -> bool,
    ) -> bool {
        let mut holds = true;
        loop {
            holds &= match words.next() {
                Some("(") => {
                    let inner = any(words, is);
                    words.next() == Some(")") && inner
                }
                Some(licence) if words.next_if(|word| *word == "WITH").is_some() => {
                    let exception = words.next().unwrap_or_default();
                    is(&format!("{licence} WITH {exception}"))
                }
                Some(licence) => is(licence),
                None => false,
            };
            if words.next_if(|word| *word == "AND").is_none() {
                return holds;
            }
        }
    }
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " / ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.into_iter().peekable();
    any(&mut words, &|licence| allowed.contains(&licence)) && words.next().is_none()
}

#[test]
fn licences_are_read() {
    let allowed = ["MIT", "Zlib"];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("Unlicense/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR Zlib) AND MIT", true),
        ("(GPL-3.0 AND Zlib) OR (MIT)", true),
        ("MIT WITH some-exception", false),
        ("", false),
        ("MIT)", false),
    ] {
        assert_eq!(is_licensed(expression, &allowed), expected, "{expression}");
    }
}

/// What `deny.toml` says of licences, sources and crates, for whoever has no `cargo deny`.
#[test]
fn dependencies_are_as_agreed() {
    let agreed: toml::Table = read(Path::new("deny.toml")).parse().expect("TOML");
    let list = |table: &str, key: &str| agreed[table][key].as_array().expect("a list").clone();
    let allowed = list("licenses", "allow");
    let allowed: Vec<&str> = allowed.iter().filter_map(toml::Value::as_str).collect();
    let denied = list("bans", "deny");
    let denied: Vec<&str> = denied
        .iter()
        .filter_map(|one| one["crate"].as_str())
        .collect();
    assert!(!allowed.is_empty() && !denied.is_empty());
    let metadata = dependencies_of_all();
    assert!(metadata.packages.len() > 100);
    let mut wrong = Vec::new();
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.clone().unwrap_or_default();
        if !is_licensed(&licence, &allowed) {
            wrong.push(format!("{name}: {licence}"));
        }
        let without = |left_out: &str| {
            let others: Vec<&str> = allowed
                .iter()
                .copied()
                .filter(|one| *one != left_out)
                .collect();
            !is_licensed(&licence, &others)
        };
        needed.extend(allowed.iter().copied().filter(|one| without(one)));
        let is_registry =
            |source: &str| source == "registry+https://github.com/rust-lang/crates.io-index";
        if package
            .source
            .as_ref()
            .is_some_and(|source| !is_registry(&source.repr))
        {
            wrong.push(format!(
                "{name}: from {}",
                package.source.as_ref().expect("it has one").repr
            ));
        }
        if denied.contains(&package.name.as_str()) {
            wrong.push(format!("{name}: denied"));
        }
        for one in &package.dependencies {
            let is_ours = package.source.is_none() && one.path.is_none();
            if is_ours && one.req == cargo_metadata::semver::VersionReq::STAR {
                wrong.push(format!("{name}: any version of {}", one.name));
            }
        }
    }
    expect_none(
        &wrong,
        "deny.toml says what is taken from others: please take something else, or change it there with a reason.",
    );
    let unused: Vec<&&str> = allowed
        .iter()
        .filter(|one| !needed.contains(**one))
        .collect();
    // Either of these two would do for most.
    let unused: Vec<_> = unused
        .into_iter()
        .filter(|one| !["MIT", "Apache-2.0"].contains(one))
        .collect();
    assert!(
        unused.is_empty(),
        "deny.toml allows licences that nobody needs: {unused:?}"
    );
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled so that this file does not find itself.
    const MARKS: [&str; 3] = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!"),
    ];
    let mut files = rust_files();
    files.extend(documents());
    let mut wrong = Vec::new();
    for path in files {
        for (number, line) in read(&path).lines().enumerate() {
            if MARKS.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    expect_none(
        &wrong,
        "Please do it, or say in a whole sentence what is deliberately not there.",
    );
}

/// Markdown of the repository.
fn documents() -> Vec<PathBuf> {
    files(&["."], ".md")
}

#[test]
fn links_between_documents_resolve() {
    let mut wrong = Vec::new();
    for document in documents() {
        for (number, target) in links(&read(&document)) {
            let (path, section) = target.split_once('#').unwrap_or((&target, ""));
            let path = match path {
                "" => document.clone(),
                path => document.with_file_name("").join(path),
            };
            let place = || format!("{}:{number}: {target}", document.display());
            if !top().join(&path).exists() {
                wrong.push(place());
            } else if !section.is_empty() && !sections(&read(&path)).contains(section) {
                wrong.push(format!("{} (no such section)", place()));
            }
        }
    }
    expect_none(&wrong, "These links lead nowhere. Has a file moved?");
}

#[test]
fn files_that_documents_name_exist() {
    const TOPS: [&str; 6] = [
        "benches/",
        "crates/",
        "examples/",
        "fuzz/",
        "testdata/",
        "tests/",
    ];
    let is_path = |word: &&str| {
        TOPS.iter().any(|folder| word.starts_with(folder))
            // Patterns and made-up names are not paths.
            && !word.contains(|c: char| c.is_whitespace() || "<>*…".contains(c))
    };
    let mut wrong = Vec::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        let text = read(Path::new(name));
        for quoted in prose(&text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2)) {
            if is_path(&quoted) && !top().join(quoted).exists() {
                wrong.push(format!("{name}: `{quoted}`"));
            }
        }
    }
    expect_none(
        &wrong,
        "These documents name files that are not there. Have they moved?",
    );
}

/// The lines of a markdown text outside its fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// The targets of a markdown text's links to files, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.contains("://") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The names by which a markdown text's headings can be linked to.
fn sections(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| line.strip_prefix('#'));
    let slug = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// The lines of a Rust file whose code (no comments, no strings) is as asked, as `path:line: text`.
fn places(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let text = read(path);
    let code = code_only(&text);
    let lines = (1..).zip(code.lines().zip(text.lines()));
    lines
        .filter(|(_, (code, _))| is_wanted(code))
        .map(|(number, (_, line))| format!("{}:{number}: {}", path.display(), line.trim()))
        .collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c != '_' && !c.is_alphanumeric())
}

/// Rust source with its comments, strings and characters made blank; lines stay where they are.
fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        // A name is taken whole, so that the `r` at its end begins no raw string.
        let name = rest
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(rest.len());
        let blank = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' => raw_string(rest).unwrap_or(0),
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        if blank > 0 {
            code.extend(
                rest[..blank]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[blank..];
        } else {
            let len = name.max(first.len_utf8());
            code.push_str(&rest[..len]);
            rest = &rest[len..];
        }
    }
    code
}

/// The length of the block comment at the start; comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string at the start, quotes included.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string at the start (`r"…"`, `br#"…"#`), if there is one.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let inside = after.trim_start_matches('#').strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(after.len() - inside.len() - 1));
    let begin = text.len() - inside.len();
    Some(
        inside
            .find(&end)
            .map_or(text.len(), |at| begin + at + end.len()),
    )
}

/// The length of the character at the start, if it is one and no lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let escaped = 2 + text[2..].chars().next()?.len_utf8();
        return Some(escaped + text[escaped..].find('\'')? + 1);
    }
    chars
        .next()
        .filter(|(_, c)| *c == '\'')
        .map(|(at, _)| at + 1)
}

#[test]
fn code_is_told_from_what_is_not() {
    for (source, expected) in [
        ("a // unsafe\nb", "a          \nb"),
        ("a /* x /* unsafe */ y */ b", "a                        b"),
        (r#"f("un\"safe") g"#, "f(          ) g"),
        (r###"f(r#"un"safe"#) g"###, "f(            ) g"),
        ("&'a str; '\"' '\\'' x", "&'a str;          x"),
        ("unsafe { r }", "unsafe { r }"),
        ("for r in b { \"q\" }", "for r in b {     }"),
    ] {
        assert_eq!(code_only(source), expected, "{source}");
    }
}

#[test]
fn links_are_found() {
    let text = "# A b's `c`\n[x](y.md#z) [web](https://example.org)\n```\n[no](no)\n```\n";
    assert_eq!(links(text), [(2, "y.md#z".to_owned())]);
    assert_eq!(sections(text), BTreeSet::from(["a-bs-c".to_owned()]));
}
