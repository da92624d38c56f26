//! Instrumented programs: ours, and made-up ones, with their runs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bincover_testkit::rng::Rng;

use super::inputs::Site;
use crate::{Failure, command};

/// What rustc is given; the second is what bincover's own builds add.
const RUSTFLAGS: &str = "-Cinstrument-coverage -Cllvm-args=-runtime-counter-relocation";
const CLANG: &str = "clang-22";
/// Value profiles of calls, sizes and vtables, with room for some values at each site.
const CLANG_FLAGS: [&str; 6] = [
    "-O1",
    "-fprofile-generate",
    "-mllvm",
    "-enable-vtable-value-profiling",
    "-mllvm",
    "-vp-counters-per-site=4",
];

/// Runs a program with its profile put where we want it. How it ends does not matter; the profile does.
pub(super) fn run(program: &Path, args: &[&str], profile: &Path) -> Result<(), Failure> {
    run_all(program, args, profile)?;
    if profile.exists() {
        Ok(())
    } else {
        let program = program.display();
        Err(format!("{program} {args:?} left no {}", profile.display()).into())
    }
}

/// The same for a program that starts others: each has a file of its own where the pattern says so.
pub(super) fn run_all(program: &Path, args: &[&str], pattern: &Path) -> Result<(), Failure> {
    let mut run = Command::new(program);
    run.args(args)
        .env("LLVM_PROFILE_FILE", std::path::absolute(pattern)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    run.status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(())
}

/// When it was linked and how big it is: stands for the file in a key.
pub(super) fn identity(program: &Path) -> Result<String, Failure> {
    let metadata = fs::metadata(program)?;
    Ok(format!("{:?} {}", metadata.modified()?, metadata.len()))
}

/// `bincover-merge` in an instrumented debug build.
pub(super) fn bincover() -> Result<PathBuf, Failure> {
    let folder = Path::new("target/bench-report/self");
    let build = ["-p", "bincover-cli", "--bin", "bincover-merge", "--locked"];
    Ok(cargo_build(&build, folder)?.join("bincover-merge"))
}

/// Ten test binaries of this workspace. All of them have its library, and most have its tests' helpers.
pub(super) fn tests() -> Result<Vec<PathBuf>, Failure> {
    let folder = Path::new("target/bench-report/tests");
    let (mut build, _) = instrumented("test", folder)?;
    build
        .args(["--no-run", "--locked", "--message-format", "json"])
        // Coverage needs neither, and both need disk.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0");
    for (package, tests) in TESTS {
        build.args(["-p", package]);
        for test in *tests {
            build.args(["--test", test]);
        }
    }
    let here = std::env::current_dir()?;
    let mut programs = test_programs(&command::stdout(&mut build)?);
    for program in &mut programs {
        if let Ok(below) = program.strip_prefix(&here) {
            *program = below.to_owned();
        }
    }
    Ok(programs)
}

const TESTS: &[(&str, &[&str])] = &[
    ("bincover", &["coverage-goldens", "same-binary"]),
    (
        "bincover-cli",
        &[
            "bad-input",
            "report-ledger",
            "fold",
            "salvage",
            "fuzz-bodies",
        ],
    ),
    (
        "bincover-profile",
        &["malformed", "merge-goldens", "merge-laws"],
    ),
];

/// The test binaries among cargo's messages, one a line, sorted.
fn test_programs(messages: &str) -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> = messages
        .lines()
        .filter_map(|message| {
            let (_, profile) = message.split_once("\"profile\":{")?;
            let (profile, rest) = profile.split_once('}')?;
            let (_, path) = rest.split_once("\"executable\":\"")?;
            let path = path.split('"').next().map(PathBuf::from);
            path.filter(|_| profile.contains("\"test\":true"))
        })
        .collect();
    programs.sort();
    programs
}

/// Builds with coverage. Gives the folder of the programs.
fn cargo_build(args: &[&str], target_dir: &Path) -> Result<PathBuf, Failure> {
    let (mut build, programs) = instrumented("build", target_dir)?;
    command::run(build.args(args))?;
    Ok(programs)
}

/// cargo with coverage for a target that is named: build scripts and macros are then left alone. Beside it, the folder of
/// the programs.
fn instrumented(subcommand: &str, target_dir: &Path) -> Result<(Command, PathBuf), Failure> {
    let version = command::stdout(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("`rustc -vV` names no host")?;
    let mut build = command::cargo();
    build
        .args([subcommand, "--target", host, "--target-dir"])
        .arg(target_dir)
        .env("RUSTFLAGS", RUSTFLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok((build, target_dir.join(host).join("debug")))
}

/// Small Rust programs that share a library, and so most of their functions.
pub(super) struct RustFamily {
    programs: usize,
    manifest: String,
    library: String,
}

impl RustFamily {
    pub(super) fn new(programs: usize, functions: usize) -> Self {
        let manifest = "[package]\nname = \"family\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
            [workspace]\n[profile.dev]\ndebug = false\nincremental = false\n";
        Self {
            programs,
            manifest: manifest.to_owned(),
            library: library(functions),
        }
    }

    /// All that the profiles depend on, but for the compiler.
    pub(super) fn sources(&self) -> String {
        let programs: String = (0..self.programs).map(program).collect();
        format!("{RUSTFLAGS}\n{}{}{programs}", self.manifest, self.library)
    }

    pub(super) fn build(&self, site: &Site) -> Result<Vec<PathBuf>, Failure> {
        let folder = site.path("family");
        let programs = folder.join("src/bin");
        fs::create_dir_all(&programs)?;
        fs::write(folder.join("Cargo.toml"), &self.manifest)?;
        fs::write(folder.join("src/lib.rs"), &self.library)?;
        let name = |index: usize| format!("program{index}");
        for index in 0..self.programs {
            fs::write(
                programs.join(name(index)).with_extension("rs"),
                program(index),
            )?;
        }
        let manifest = folder.join("Cargo.toml").display().to_string();
        let built = cargo_build(&["--manifest-path", &manifest], &folder.join("target"))?;
        Ok((0..self.programs)
            .map(|index| built.join(name(index)))
            .collect())
    }
}

/// Plain functions in a table, so that every program has them all, and generic ones, which each program has for types of its
/// choice.
fn library(functions: usize) -> String {
    let mut rng = Rng::new(60);
    let mut text = String::new();
    let generics = functions / 10;
    for index in 0..functions {
        let [a, b, c] = [2, 3, 5].map(|least| least + rng.below(9));
        let _ = write!(
            text,
            "pub fn f{index}(x: u64) -> u64 {{
    let mut sum = x;
    for step in 0..x % {a} {{
        if step % 2 == 0 {{ sum ^= step }} else if sum > {b} {{ sum /= 2 }}
    }}
    match sum % {c} {{ 0 => sum + 1, 1 if x > {b} => sum / 3, _ => sum }}
}}
"
        );
    }
    for index in 0..generics {
        let divisor = 2 + rng.below(9);
        let _ = write!(
            text,
            "pub fn g{index}<T: Copy + Into<u64>>(x: T) -> u64 {{
    let x = x.into();
    if x % {divisor} == 0 {{ x / {divisor} }} else {{ x + 1 }}
}}
"
        );
    }
    let list = |letter: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("{letter}{index}")).collect();
        names.join(", ")
    };
    let plain = list("f", functions);
    let generic = list("g", generics);
    let _ = write!(
        text,
        "static TABLE: [fn(u64) -> u64; {functions}] = [{plain}];
pub fn generics<T: Copy + Into<u64>>(x: T) -> u64 {{
    let all: [fn(T) -> u64; {generics}] = [{generic}];
    all.iter().fold(0, |sum, generic| sum ^ generic(x))
}}
pub fn run(seed: u64) -> u64 {{
    let mut sum = seed;
    for step in 0..{functions} {{
        let place = seed.wrapping_mul(2654435761).wrapping_add(step * 7919) % {functions};
        sum = TABLE[place as usize](sum % 1000);
    }}
    sum
}}
"
    );
    text
}

fn program(index: usize) -> String {
    let mut text = String::new();
    for own in 0..10 {
        let _ = writeln!(
            text,
            "fn own{own}(x: u64) -> u64 {{ if x % {} == {own} {{ x / 2 }} else {{ x }} }}",
            index + 11
        );
    }
    let kind = ["u8", "u16", "u32"][index % 3];
    let calls: Vec<String> = (0..10).map(|own| format!("own{own}(seed)")).collect();
    let _ = write!(
        text,
        "fn main() {{
    let seed: u64 = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!(\"{{}}\", family::run(seed) ^ family::generics(seed as {kind}) ^ {});
}}
",
        calls.join(" ^ ")
    );
    text
}

/// A C++ program with calls through pointers, copies of varied sizes and virtual calls, for IR-level instrumentation.
pub(super) struct CxxProgram {
    source: String,
}

impl CxxProgram {
    pub(super) fn new(functions: usize) -> Self {
        Self {
            source: cxx(functions),
        }
    }

    /// All that the profiles depend on, but for the compiler.
    pub(super) fn sources(&self) -> String {
        format!("{CLANG_FLAGS:?}\n{}", self.source)
    }

    pub(super) fn build(&self, site: &Site) -> Result<PathBuf, Failure> {
        let source = site.path("values.cpp");
        let program = site.path("values");
        fs::write(&source, &self.source)?;
        let mut build = Command::new(CLANG);
        build
            .args(CLANG_FLAGS)
            // Nothing of the C++ library is used; it may not be there.
            .args(["-fno-rtti", "-fno-exceptions", "-nostdlib++"])
            .arg(&source)
            .arg("-o")
            .arg(&program);
        command::run(&mut build)?;
        Ok(program)
    }
}

const CXX_HEAD: &str = "\
extern \"C\" void *memcpy(void *, const void *, unsigned long);
extern \"C\" int atoi(const char *);
extern \"C\" int printf(const char *, ...);
#define FUNCTION __attribute__((noinline)) static long
typedef long (*Function)(long);
extern Function table[];
static char from[256], to[256];
static long budget;
struct Base { virtual long first(long x) { return x; } virtual long second(long x) { return x + 1; } };
extern Base *objects[];
";

fn cxx(functions: usize) -> String {
    let mut rng = Rng::new(200);
    let classes = functions / 20;
    let mut text = CXX_HEAD.to_owned();
    for index in 0..functions {
        let [a, b, c] = [2, 3, 5].map(|least| least + rng.below(9));
        let value = match index % 5 {
            0 => format!("table[(x * {b} + budget * {a}) % {functions}](x / 2)"),
            1 => format!("(long)memcpy(to, from, (unsigned long)(x * {a} + budget) % 64) % 7"),
            2 => format!("objects[(x + budget * {c}) % {classes}]->first(x)"),
            _ => format!("x * {b} % 1000"),
        };
        let _ = write!(
            text,
            "FUNCTION f{index}(long x) {{
  if (--budget < 0) return x;
  long sum = 0;
  for (long step = 0; step < x % {a}; step++) sum += step % {c} ? step : {b};
  if (x % {b} == 1) sum += {value};
  else if (x % {c}) sum ^= {value};
  return sum < 0 ? -sum : sum;
}}
"
        );
    }
    let mut objects = Vec::new();
    for index in 0..classes {
        let divisor = 2 + rng.below(9);
        let _ = write!(
            text,
            "struct C{index} : Base {{
  long first(long x) override {{ return x % {divisor} ? second(x) : x; }}
  long second(long x) override {{ return table[(x + {index}) % {functions}](x / 3); }}
}} object{index};
"
        );
        objects.push(format!("&object{index}"));
    }
    let names: Vec<String> = (0..functions).map(|index| format!("f{index}")).collect();
    let _ = write!(
        text,
        "Function table[] = {{{}}};
Base *objects[] = {{{}}};
int main(int count, char **args) {{
  unsigned long seed = count > 1 ? atoi(args[1]) : 1;
  long sum = 0;
  for (int call = 0; call < 4 * {functions}; call++) {{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    budget = 20;
    sum += table[(seed >> 33) % {functions}]((seed >> 40) % 1000);
  }}
  printf(\"%ld\\n\", sum);
}}
",
        names.join(", "),
        objects.join(", ")
    );
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::test_programs;

    #[test]
    fn only_tests_are_tests() {
        let message = |test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"target\":{{\"name\":\"n\",\"test\":true}},\
                \"profile\":{{\"opt_level\":\"0\",\"test\":{test}}},\"filenames\":[],\"executable\":{executable},\
                \"fresh\":true}}\n"
            )
        };
        let messages = [
            message(true, "\"/there/deps/cli-2\""),
            message(false, "\"/there/bincover\""),
            message(false, "null"),
            message(true, "\"/there/deps/bad-1\""),
            "{\"reason\":\"build-finished\"}\n".to_owned(),
        ];
        let expected = ["/there/deps/bad-1", "/there/deps/cli-2"].map(Path::new);
        assert_eq!(test_programs(&messages.concat()), expected);
    }
}
