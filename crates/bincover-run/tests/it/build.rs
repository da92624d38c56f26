//! `cargo build` of small generated packages.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bincover_run::{CargoBuild, Command, ErrorKind, Mechanism, Signal};
use tempfile::TempDir;

use crate::support::{LONG, assert_profiles, files, shell};

/// A package in a folder with a space and a `%`, which has a build script and two executables.
struct Package {
    scratch: TempDir,
    folder: PathBuf,
}

impl Package {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let package = Self {
            folder: scratch.path().join("a b%p/pack age"),
            scratch,
        };
        package.write(
            "Cargo.toml",
            "[package]\nname = 'pack'\nedition = '2024'\n[features]\nloud = []\n[workspace]\n",
        );
        package.write(
            "build.rs",
            "fn main() { println!(\"cargo:rerun-if-changed=build.rs\"); }",
        );
        package.write(
            "src/main.rs",
            "fn main() { println!(\"{}\", cfg!(feature = \"loud\")); loop {} }",
        );
        package.write("src/bin/other.rs", "fn main() {}");
        package
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn build(&self) -> CargoBuild {
        CargoBuild::new(self.folder.join("Cargo.toml")).target_dir(self.target_dir())
    }

    /// Without a `%`: LLVM's linker cannot write to such a folder.
    fn target_dir(&self) -> PathBuf {
        self.scratch.path().join("else where")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).iter().map(name).collect()
}

#[test]
fn a_built_program_keeps_its_coverage_when_killed() {
    let package = Package::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let built = package
        .build()
        .package("pack")
        .bin("pack")
        .features(["loud"])
        .on_stderr(move |bytes| log.lock().unwrap().extend_from_slice(bytes))
        .run()
        .unwrap();
    assert_eq!(built.name, "pack");
    assert!(built.path.starts_with(package.target_dir()) && built.path.is_file());
    assert!(
        built
            .path
            .components()
            .any(|c| c.as_os_str() == built.target.as_str())
    );
    assert!(built.libraries.is_empty());
    assert_eq!(built.stderr.as_bytes(), *heard.lock().unwrap());
    // Neither the build script nor anything else has left a profile behind.
    assert_eq!(
        names(&package.folder),
        ["Cargo.lock", "Cargo.toml", "build.rs", "src"]
    );

    let profiles = package.folder.join("profiles");
    let output = Command::new(&built.path)
        .profiles(&profiles, Mechanism::Continuous)
        .timeout(LONG)
        .on_output(|_, _, process| {
            process.signal(Signal::KILL).unwrap();
        })
        .run()
        .unwrap();
    assert_eq!(output.stdout, b"true\n");
    assert_eq!(output.status.to_string(), "signal 9 (SIGKILL)");
    assert_profiles(&profiles, 1);
}

#[test]
fn release_and_target_folder_and_flags_of_the_user() {
    let package = Package::new();
    package.write(
        ".cargo/config.toml",
        "[build]\nrustflags = ['--cfg=of_the_user']\n",
    );
    package.write(
        "src/bin/other.rs",
        "fn main() { assert!(cfg!(of_the_user)); assert!(!cfg!(debug_assertions)); }",
    );
    let target_dir = package.scratch.path().join("for release");
    let built = package
        .build()
        .bin("other")
        .release(true)
        .target_dir(&target_dir);
    let built = built
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .run()
        .unwrap();
    assert!(built.path.starts_with(&target_dir));
    let profiles = package.folder.join("profiles");
    let run = Command::new(&built.path)
        .profiles(&profiles, Mechanism::Exit)
        .run()
        .unwrap();
    assert!(run.status.success());
    assert_profiles(&profiles, 1);
}

#[test]
fn several_executables_are_named() {
    let error = Package::new().build().run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SeveralExecutables);
    let text = error.to_string();
    assert!(
        text.contains("`pack`") && text.contains("`other`"),
        "{text}"
    );
    assert!(error.hint().is_some());
}

#[test]
fn a_library_has_no_executable_and_may_be_shared() {
    let package = Package::new();
    package.write("src/lib.rs", "");
    let manifest = std::fs::read_to_string(package.folder.join("Cargo.toml")).unwrap();
    package.write(
        "Cargo.toml",
        &format!("{manifest}[lib]\ncrate-type = ['cdylib', 'rlib']\n"),
    );
    let error = package.build().args(["--lib"]).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoExecutable);

    let built = package.build().bin("other").run().unwrap();
    assert_eq!(built.libraries.len(), 1, "{built:?}");
    assert!(built.libraries[0].is_file());
}

#[test]
fn a_failed_build_shows_its_last_lines() {
    let package = Package::new();
    package.write("src/main.rs", "fn main() { no_such_function(); }");
    let error = package.build().bin("pack").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    let text = error.to_string();
    assert!(text.contains("cargo ended with exit code 101:\n"), "{text}");
    assert!(text.contains("no_such_function"), "{text}");
    assert!(error.build_stderr().unwrap().contains("no_such_function"));
    assert_eq!(
        error.path(),
        Some(package.folder.join("Cargo.toml").as_path())
    );
}

#[test]
fn missing_manifest_and_missing_cargo() {
    let package = Package::new();
    let elsewhere = CargoBuild::new(package.folder.join("src/Cargo.toml"));
    assert_eq!(elsewhere.run().unwrap_err().kind(), ErrorKind::BuildFailed);
    let nowhere = CargoBuild::new("/no/such/Cargo.toml");
    assert_eq!(nowhere.run().unwrap_err().kind(), ErrorKind::WorkingFolder);
    let no_cargo = package
        .build()
        .cargo("/no/such/cargo")
        .target("x86_64-unknown-linux-gnu");
    assert_eq!(
        no_cargo.run().unwrap_err().kind(),
        ErrorKind::ProgramNotFound
    );
}

#[test]
fn a_toolchain_without_the_profiler_runtime_is_told() {
    let package = Package::new();
    // What rustc says then, from a cargo of our own.
    let script = "cat > ../cargo; chmod +x ../cargo";
    let cargo = "#!/bin/sh\necho \"error[E0463]: can't find crate for \\`profiler_builtins\\`\" >&2
        echo '= note: the compiler may have been built without the profiler runtime' >&2; exit 101\n";
    let made = shell(script)
        .stdin(bincover_run::Stdin::Bytes(cargo.into()))
        .current_dir(&package.folder)
        .run()
        .unwrap();
    assert!(made.status.success());
    let build = package.build().target("x86_64-unknown-linux-gnu");
    let error = build
        .cargo(package.folder.join("../cargo"))
        .run()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProfilerRuntime, "{error}");
    assert!(error.to_string().contains("no profiler runtime"));
}
