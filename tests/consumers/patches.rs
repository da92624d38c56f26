//! What changed in repositories: diff-cover counts the same lines, and what git cannot tell is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bincover::GitChanges;
use bincover::model::{Coverage, File, Line};
use bincover::report::patch::{Patch, PatchCoverage};
use bincover::report::{Format, NoSources, Options};
use bincover_testkit::rng::Rng;
use bstr::{BString, ByteVec};
use libtest_mimic::Failed;
use serde_json::Value;

use super::{equal, run};

/// A repository whose first commit is `base`.
struct Repository {
    scratch: tempfile::TempDir,
}

impl Repository {
    fn new() -> Result<Self, Failed> {
        let repository = Self {
            scratch: tempfile::tempdir()?,
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(repository)
    }

    fn folder(&self) -> PathBuf {
        let path = self.scratch.path().canonicalize();
        path.unwrap_or_else(|_| self.scratch.path().to_owned())
    }

    fn git(&self, args: &[&str]) -> Result<String, Failed> {
        git(&self.folder(), args)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<(), Failed> {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().ok_or("a file in a folder")?)?;
        Ok(fs::write(path, text)?)
    }

    fn commit(&self, message: &str) -> Result<(), Failed> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message])?;
        Ok(())
    }

    fn options(&self) -> Options {
        Options {
            repository: Some(Vec::from_path_lossy(&self.folder()).into_owned().into()),
            ..Options::default()
        }
    }
}

/// As nobody, and without anybody's settings.
fn git(folder: &Path, args: &[&str]) -> Result<String, Failed> {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git.args(["-c", "user.name=a", "-c", "user.email=a@b"]);
    git.args([
        "-c",
        "core.autocrlf=false",
        "-c",
        "protocol.file.allow=always",
    ]);
    run(git.args(args).current_dir(folder))
}

/// Source text of which no two lines are alike, so that every diff is the same one.
///
/// DIFFERENCE: to diff-cover, git's remark that the old last line has no end (`\ No newline at end
/// of file`) is a line of the new version, and those after it have other numbers. So only new
/// versions go without; [`git_repositories`] has the other case.
struct Text {
    lines: Vec<String>,
    end: &'static str,
    has_last_end: bool,
}

impl Text {
    fn new(rng: &mut Rng) -> Self {
        let count = 8 + rng.below(40);
        Self {
            lines: (0..count).map(|_| line(rng)).collect(),
            end: if rng.below(3) == 0 { "\r\n" } else { "\n" },
            has_last_end: true,
        }
    }

    fn edit(&mut self, rng: &mut Rng) {
        for _ in 0..=rng.below(4) {
            let length = self.lines.len() as u64;
            let at = usize::try_from(rng.below(length + 1)).unwrap_or(0);
            match rng.below(4) {
                0 if at < self.lines.len() => self.lines[at] = line(rng),
                1 if at < self.lines.len() => {
                    let end = (at + 3).min(self.lines.len());
                    self.lines.drain(at..end);
                }
                2 => self.lines.push(line(rng)),
                _ => self.lines.insert(at, line(rng)),
            }
        }
        self.has_last_end = rng.below(3) > 0;
    }

    fn bytes(&self) -> String {
        let mut text = self.lines.join(self.end);
        if self.has_last_end {
            text += self.end;
        }
        text
    }
}

fn line(rng: &mut Rng) -> String {
    format!("    let x{:016x} = {};", rng.bits(), rng.below(100))
}

const NAMES: [&str; 8] = [
    "src/lib.rs",
    "src/with space.rs",
    "src/über/größe.rs",
    "src/deep/er/b/a/b.rs",
    "a/b/c.rs",
    "src/[x].rs",
    "src/日本.rs",
    "top.rs",
];

/// Some files change, are renamed, deleted and made; a part of the lines of all of them is covered.
fn change(repository: &Repository, rng: &mut Rng) -> Result<Coverage, Failed> {
    let mut texts: BTreeMap<String, Text> = BTreeMap::new();
    for name in NAMES {
        let text = Text::new(rng);
        repository.write(name, text.bytes())?;
        texts.insert(name.to_owned(), text);
    }
    repository.commit("base")?;
    repository.git(&["tag", "base"])?;
    for name in NAMES {
        let what = rng.below(6);
        let Some(mut text) = texts.remove(name) else {
            continue;
        };
        let mut new_name = name.to_owned();
        if what == 0 {
            fs::remove_file(repository.folder().join(name))?;
            continue;
        }
        if what == 1 || what == 2 {
            new_name = format!("moved/{name}");
            fs::remove_file(repository.folder().join(name))?;
        }
        if what > 1 {
            text.edit(rng);
        }
        repository.write(&new_name, text.bytes())?;
        texts.insert(new_name, text);
    }
    let text = Text::new(rng);
    repository.write("src/new file.rs", text.bytes())?;
    texts.insert("src/new file.rs".to_owned(), text);
    let mut files: Vec<File> = Vec::new();
    for (name, text) in &texts {
        let numbers = (1..).take(text.lines.len());
        let mut with_code = |number| {
            let line = Line {
                number,
                count: rng.below(3).saturating_sub(1),
            };
            (rng.below(10) < 7).then_some(line)
        };
        let path = repository.folder().join(name);
        files.push(File {
            name: Vec::from_path_lossy(&path).into_owned().into(),
            lines: numbers.filter_map(&mut with_code).collect(),
            ..File::default()
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Coverage {
        files,
        functions: Vec::new(),
    })
}

/// By file: the changed lines that are not covered.
type Missed = BTreeMap<String, BTreeSet<u64>>;

/// What ours finds: covered, all, and which lines are not.
fn ours(repository: &Repository, coverage: &Coverage) -> Result<(u64, u64, Missed), Failed> {
    let changes = GitChanges::since(&repository.folder(), "base").map_err(|e| e.to_string())?;
    let patch = Patch::parse(&changes.patch).map_err(|error| error.to_string())?;
    let options = repository.options();
    let found = PatchCoverage::new(coverage, &options, &patch, None);
    let found = found.map_err(|error| error.to_string())?;
    let mut missed = Missed::new();
    for file in &found.files {
        let path = repository.folder().join(&file.name);
        let path: BString = Vec::from_path_lossy(&path).into_owned().into();
        let measured = coverage.files.iter().find(|file| file.name == path);
        let measured = measured.ok_or("a file of the coverage")?;
        for one in &file.uncovered {
            let within = one.place.first_line()..=one.place.last_line();
            let lines = measured.lines.iter();
            let lines = lines.filter(|line| line.count == 0 && within.contains(&line.number));
            let lines = lines.map(|line| u64::from(line.number));
            missed.entry(file.name.clone()).or_default().extend(lines);
        }
        let listed = missed.get(&file.name).map_or(0, BTreeSet::len) as u64;
        equal(&file.name, listed, file.lines.missed())?;
    }
    Ok((found.lines.covered, found.lines.total, missed))
}

/// What diff-cover finds in a report.
fn theirs(repository: &Repository, report: &str) -> Result<(u64, u64, Missed), Failed> {
    let mut command = Command::new("diff-cover");
    command.args([
        report,
        "--compare-branch",
        "base",
        "--format",
        "json:d.json",
    ]);
    run(command.current_dir(repository.folder()))?;
    let json: Value = serde_json::from_slice(&fs::read(repository.folder().join("d.json"))?)?;
    let number = |name: &str| json[name].as_u64().unwrap_or_default();
    let (total, missed) = (number("total_num_lines"), number("total_num_violations"));
    let mut lines = Missed::new();
    for (name, file) in json["src_stats"].as_object().into_iter().flatten() {
        let missed = file["violation_lines"].as_array().into_iter().flatten();
        let missed: BTreeSet<u64> = missed.filter_map(Value::as_u64).collect();
        if !missed.is_empty() {
            lines.insert(name.clone(), missed);
        }
    }
    Ok((total - missed, total, lines))
}

/// The same lines as diff-cover, by lcov and by Cobertura, committed and not.
pub(super) fn changed_lines() -> Result<(), Failed> {
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let repository = Repository::new()?;
        let coverage = change(&repository, &mut rng)?;
        repository.git(&["add", "--all"])?;
        if seed % 2 == 0 {
            repository.git(&["commit", "--quiet", "-m", "change"])?;
        }
        let format = if seed == 1 { "cobertura" } else { "lcov" };
        let mut report = Vec::new();
        let row = Format::named(format).ok_or("a format")?;
        row.write(&coverage, &Options::default(), &NoSources, &mut report)?;
        let name = match format {
            "lcov" => "report.info",
            _ => "report.xml",
        };
        repository.write(name, report)?;
        let found = ours(&repository, &coverage)?;
        if found.1 < 10 || found.0 == 0 || found.2.is_empty() {
            return Err(format!("seed {seed} changes too little: {found:?}").into());
        }
        let expected = theirs(&repository, name)?;
        equal(&format!("seed {seed}, {format}"), found, expected)?;
    }
    Ok(())
}

/// What `bincover diff` says of a base.
fn diff(folder: &Path, base: &str) -> Result<(Option<i32>, String), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.current_dir(folder).env("BINCOVER_STORE", "none");
    let output = command.args(["diff", "--base", base]).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.code(), stderr))
}

/// Bases that are not there, settings that change diffs, submodules, merges, files that git does
/// not know.
pub(super) fn git_repositories() -> Result<(), Failed> {
    let repository = Repository::new()?;
    repository.write("one.rs", "1\n2\n3\n")?;
    repository.write("two.rs", "1\n2\n3\n")?;
    repository.write("end.rs", "1\n2")?;
    repository.commit("one")?;
    repository.git(&["tag", "one"])?;
    repository.write("one.rs", "1\n2\n3\n4\n")?;
    repository.commit("two")?;

    // A base that is not there, here and in a clone that has no history.
    let (code, said) = diff(&repository.folder(), "origin/main")?;
    equal(&said, code, Some(1))?;
    equal("the hint", said.contains("hint: `git fetch origin`"), true)?;
    equal("an option", diff(&repository.folder(), "--all")?.0, Some(2))?;
    let clones = tempfile::tempdir()?;
    let url = format!("file://{}", repository.folder().display());
    git(clones.path(), &["clone", "--quiet", "--depth=1", &url, "a"])?;
    let first = repository.git(&["rev-parse", "one"])?;
    for base in ["one", first.trim()] {
        let (code, said) = diff(&clones.path().join("a"), base)?;
        equal(&said, code, Some(1))?;
        equal(&said, said.contains("fetch-depth: 0"), true)?;
    }
    repository.git(&["checkout", "--quiet", "--orphan", "other"])?;
    repository.commit("without a parent")?;
    let (code, said) = diff(&repository.folder(), "main")?;
    equal(&said, code, Some(1))?;
    equal(&said, said.contains("no commit in common"), true)?;
    repository.git(&["checkout", "--quiet", "main"])?;
    equal("no repository", diff(clones.path(), "one")?.0, Some(1))?;

    // The branch went on: only what is ours counts.
    repository.git(&["checkout", "--quiet", "-b", "base", "one"])?;
    repository.write("two.rs", "0\n1\n2\n3\n")?;
    repository.commit("theirs")?;
    repository.git(&["checkout", "--quiet", "main"])?;
    for setting in [
        ["diff.noprefix", "true"],
        ["diff.mnemonicPrefix", "true"],
        ["diff.relative", "true"],
        ["diff.external", "false"],
        ["diff.context", "2"],
        ["diff.interHunkContext", "9"],
        ["diff.renames", "false"],
        ["diff.submodule", "log"],
        ["color.ui", "always"],
        ["core.quotePath", "false"],
        ["diff.suppressBlankEmpty", "true"],
    ] {
        repository.git(&["config", setting[0], setting[1]])?;
    }
    repository.write("end.rs", "1\n2\n3")?;
    repository.write("new ü.rs", "x\n")?;
    repository.write("ignored.rs", "x\n")?;
    repository.write(".git/info/exclude", "ignored.rs\n")?;
    repository.write("sub/three.rs", "\n\n3\n\n4\n")?;
    repository.git(&["add", "sub"])?;
    repository.git(&["mv", "one.rs", "sub/öne.rs"])?;
    let submodule = Repository::new()?;
    submodule.write("x.c", "1\n")?;
    submodule.commit("x")?;
    let url = submodule.folder();
    let url = url.to_str().ok_or("a name")?;
    repository.git(&["submodule", "--quiet", "add", url, "vendor"])?;
    let changes = GitChanges::since(&repository.folder().join("sub"), "base");
    let changes = changes.map_err(|error| error.to_string())?;
    equal("the base", changes.base.as_str(), first.trim())?;
    equal("untracked", &changes.untracked[..], &["new ü.rs".into()])?;
    let patch = Patch::parse(&changes.patch).map_err(|error| error.to_string())?;
    let mut names: Vec<String> = patch
        .files
        .iter()
        .map(|file| {
            let name = |name: &Option<BString>| name.as_ref().map(BString::to_string);
            let lines: u32 = file.edits.iter().map(|edit| edit.new.count).sum();
            format!(
                "{:?} {:?} {lines} {:?}",
                name(&file.old),
                name(&file.new),
                file.opaque
            )
        })
        .collect();
    names.sort();
    let expected = [
        r#"None Some(".gitmodules") 3 None"#,
        r#"None Some("sub/three.rs") 5 None"#,
        r#"None Some("vendor") 0 Some(Submodule)"#,
        r#"Some("end.rs") Some("end.rs") 2 None"#,
        r#"Some("one.rs") Some("sub/öne.rs") 1 None"#,
    ];
    equal("changes", names, expected.map(str::to_owned).to_vec())?;

    // A merge that is not finished has no two versions.
    repository.git(&["commit", "--quiet", "-a", "-m", "ours"])?;
    repository.write("two.rs", "1\n2\nours\n")?;
    repository.commit("ours")?;
    repository.git(&["checkout", "--quiet", "base"])?;
    repository.write("two.rs", "1\n2\ntheirs\n")?;
    repository.commit("theirs")?;
    equal(
        "a conflict",
        repository.git(&["merge", "main"]).is_err(),
        true,
    )?;
    for (diff, expected) in [
        (
            &["diff", "--no-ext-diff", "base", "main"][..],
            "has colours",
        ),
        (
            &["diff", "--color=never"][..],
            "`two.rs` is that of a merge",
        ),
        (
            &["diff", "--color=never", "--no-ext-diff", "--cached", "one"][..],
            "`two.rs` has a merge conflict",
        ),
    ] {
        let patch = repository.git(diff)?;
        let refused = Patch::parse(patch.as_bytes()).expect_err("no two versions");
        equal(
            &refused.to_string(),
            refused.to_string().contains(expected),
            true,
        )?;
    }
    Ok(())
}
