//! What LLVM's runtime makes of our pattern, with programs that rustc has built.

use std::path::Path;

use bincover_run::{Command, Mechanism, Output, Signal};

use crate::support::{assert_profiles, files, helper_covered, helper_not_relocatable};

fn run_in(folder: &Path, mechanism: Mechanism, command: Command) -> Output {
    command.profiles(folder, mechanism).run().unwrap()
}

/// Runs the helper in a folder of its own; how many profiles does it leave?
#[track_caller]
fn check(mechanism: Mechanism, how: &str, count: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("profiles");
    let output = run_in(&folder, mechanism, helper_covered().arg(how));
    assert_eq!(output.profiles.as_deref(), Some(folder.as_path()));
    assert_profiles(&folder, count);
    if count > 0 {
        let prefix = format!("{}-", output.pid);
        let names = files(&folder);
        let mut names = names.iter().filter_map(|file| file.file_name()?.to_str());
        assert!(names.any(|name| name.starts_with(&prefix)));
    }
}

fn kill_at_first_output(command: Command) -> Command {
    command.on_output(|_, _, process| {
        process.signal(Signal::KILL).unwrap();
    })
}

#[test]
fn continuous_survives_every_ending() {
    check(Mechanism::Continuous, "return", 1);
    check(Mechanism::Continuous, "panic", 1);
    check(Mechanism::Continuous, "abort", 1);
}

#[test]
fn at_exit_needs_an_exit() {
    check(Mechanism::Exit, "return", 1);
    check(Mechanism::Exit, "panic", 1);
    check(Mechanism::Exit, "abort", 0);
}

#[test]
fn executing_itself_keeps_one_file() {
    check(Mechanism::Continuous, "exec", 1);
    check(Mechanism::Exit, "exec", 1);
}

#[test]
fn a_child_of_the_same_binary_has_its_own_file() {
    check(Mechanism::Continuous, "child", 2);
    check(Mechanism::Exit, "child", 2);
}

#[test]
fn continuous_survives_sigkill_in_the_middle() {
    let scratch = tempfile::tempdir().unwrap();
    let spin = || kill_at_first_output(helper_covered().arg("spin"));
    let output = run_in(
        &scratch.path().join("killed"),
        Mechanism::Continuous,
        spin(),
    );
    assert_eq!(output.status.to_string(), "signal 9 (SIGKILL)");
    run_in(
        &scratch.path().join("whole"),
        Mechanism::Continuous,
        helper_covered().arg("return"),
    );

    let size = |name: &str| {
        let folder = scratch.path().join(name);
        assert_profiles(&folder, 1);
        files(&folder)[0].metadata().unwrap().len()
    };
    assert_eq!(size("killed"), size("whole"));

    let at_exit = scratch.path().join("at-exit");
    run_in(&at_exit, Mechanism::Exit, spin());
    assert_profiles(&at_exit, 0);
}

#[test]
fn any_folder_will_do() {
    let scratch = tempfile::tempdir().unwrap();
    for name in [
        "50%",
        "%p",
        "%%m%",
        "two words",
        "line\nbreak",
        "é",
        "a/b/c",
    ] {
        for mechanism in [Mechanism::Continuous, Mechanism::Exit] {
            let folder = scratch.path().join(name).join(format!("{mechanism:?}"));
            let output = run_in(&folder, mechanism, helper_covered().arg("return"));
            assert_eq!(output.profiles.as_deref(), Some(folder.as_path()));
            assert_profiles(&folder, 1);
        }
    }
}

#[test]
fn llvm_has_no_escape_for_percent() {
    let scratch = tempfile::tempdir().unwrap();
    let pattern = scratch.path().join("a%%b/%p-%m%c.profraw");
    let output = helper_covered()
        .arg("return")
        .env("LLVM_PROFILE_FILE", pattern)
        .run()
        .unwrap();
    assert!(output.status.success());
    // When this fails, a newer runtime knows `%%`, and the symbolic link can go.
    assert_profiles(&scratch.path().join("ab"), 1);
}

#[test]
fn continuous_needs_counter_relocation() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("d");
    let command = helper_not_relocatable().arg("return");
    let output = run_in(&folder, Mechanism::Continuous, command);
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("LLVM Profile Error: "), "{stderr}");
    assert_profiles(&folder, 0);
}
