//! What reaches the child, and what is said when there is no child.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use bincover_run::{Command, Ending, ErrorKind, Mechanism, Stdin};

use crate::support::{LONG, helper, shell};

#[test]
fn arguments_arrive_as_they_are() {
    let args = [
        OsString::new(),
        "two words".into(),
        "line\nbreak".into(),
        "$HOME `x` \"q\" 'q' *".into(),
        "-".into(),
        OsString::from_vec(vec![0xff, 0xfe, b' ']),
        OsString::new(),
    ];
    let output = helper().arg("args").args(args.clone()).run().unwrap();
    let mut expected = Vec::new();
    for arg in args {
        expected.extend_from_slice(format!("{}:", arg.len()).as_bytes());
        expected.extend(arg.into_vec());
    }
    assert_eq!(output.status, Ending::Code(0));
    assert_eq!(output.stdout, expected);
}

#[test]
fn variables_are_set_removed_and_cleared() {
    let script = "echo ${HOME-none} ${A-none} ${B-none} ${PATH+path}";
    let said = |command: Command| String::from_utf8(command.run().unwrap().stdout).unwrap();
    let base = shell(script).env("HOME", "h");
    assert_eq!(said(base.clone().env("A", "1")), "h 1 none path\n");
    assert_eq!(
        said(base.clone().env_remove("HOME")),
        "none none none path\n"
    );
    let cleared = base.env("A", "1").env_clear().env("B", "2 3");
    assert!(said(cleared).starts_with("none none 2 3"));
}

#[test]
fn the_profile_variable_survives_env_clear() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("d");
    let script = shell("printf %s \"$LLVM_PROFILE_FILE\"");
    let output = script
        .profiles(&folder, Mechanism::Continuous)
        .env_remove("LLVM_PROFILE_FILE")
        .env_clear()
        .run()
        .unwrap();
    let pattern = format!("{}/%p-%m%c.profraw", folder.display());
    assert_eq!(String::from_utf8_lossy(&output.stdout), pattern);
    assert!(!output.profile_file_overridden);
    assert!(folder.is_dir());
}

#[test]
fn an_explicit_profile_variable_wins_and_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("d");
    let script = shell("printf %s \"$LLVM_PROFILE_FILE\"");
    let output = script
        .env("LLVM_PROFILE_FILE", "/mine")
        .profiles(&folder, Mechanism::Exit)
        .run()
        .unwrap();
    assert_eq!(output.stdout, b"/mine");
    assert!(output.profile_file_overridden);
    assert_eq!(output.profiles, None);
    // It is there for programs of Go, which have a variable of their own.
    assert!(folder.is_dir());
    assert!(!output.go_folder_overridden);
}

#[test]
fn a_relative_program_does_not_move_with_the_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let output = Command::new(format!("{up}bin/sh"))
        .args(["-c", "pwd -P; echo $0"])
        .current_dir(scratch.path())
        .run()
        .unwrap();
    let folder = scratch.path().canonicalize().unwrap();
    let expected = format!("{}\n{up}bin/sh\n", folder.display());
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn standard_input_comes_from_bytes_files_or_nowhere() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("input");
    std::fs::write(&file, "from a file").unwrap();
    let read = |stdin| shell("cat").stdin(stdin).run().unwrap().stdout;
    assert_eq!(read(Stdin::Bytes(b"bytes".to_vec())), b"bytes");
    assert_eq!(read(Stdin::Bytes(Vec::new())), b"");
    assert_eq!(read(Stdin::File(file)), b"from a file");
    assert_eq!(read(Stdin::Null), b"");
    assert_eq!(shell("cat").run().unwrap().stdout, b"");

    let error = shell("cat")
        .stdin(Stdin::File("/no/such".into()))
        .run()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StdinFile);
    assert!(error.to_string().contains("/no/such"), "{error}");
}

#[test]
fn a_missing_program_is_told_with_its_path() {
    let error = Command::new("/no/such/program").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    assert_eq!(error.path(), Some(Path::new("/no/such/program")));
    assert!(
        error.to_string().starts_with("start `/no/such/program`: "),
        "{error}"
    );

    let error = Command::new("no-such-program-7").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    assert_eq!(
        error.to_string(),
        "start `no-such-program-7`: not found in PATH"
    );
    assert_eq!(error.hint(), None);
    assert_eq!(
        Command::new("").run().unwrap_err().kind(),
        ErrorKind::ProgramNotFound
    );
}

#[test]
fn a_file_of_that_name_in_the_current_folder_is_a_hint() {
    // Cargo runs tests in the package's folder.
    let error = Command::new("Cargo.toml").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    assert_eq!(
        error.hint(),
        Some("it is in the current folder: try `./Cargo.toml`")
    );
}

#[test]
fn what_cannot_be_executed_is_told_apart() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    // Written by another process: while one of ours had the file open, another test's child could
    // inherit it, and the system executes no file that is open for writing.
    let script = "printf x > plain; printf '#!/no/such' > script; printf '\\1\\2' > noise
        chmod +x script noise";
    let made = shell(script).current_dir(folder).run().unwrap();
    assert!(made.status.success());

    let reason = |name: &str| {
        let error = Command::new(folder.join(name)).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotExecutable, "{error}");
        error.to_string()
    };
    assert!(reason("plain").contains("ermission denied"));
    assert!(reason("script").ends_with("the interpreter or loader that it names does not exist"));
    assert!(reason("").ends_with("is a folder"));
    assert!(reason("noise").contains("noise"));
}

#[test]
fn whatever_the_system_has_against_a_program_it_is_not_executable() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let script = "ln -s two one; ln -s one two; cp /bin/sh busy; printf x > plain";
    assert!(
        shell(script)
            .current_dir(folder)
            .run()
            .unwrap()
            .status
            .success()
    );
    let long = "x".repeat(300);
    let _open = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.join("busy"))
        .unwrap();
    for name in ["one", "busy", "plain/below", &long] {
        let error = Command::new(folder.join(name)).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotExecutable, "{error}");
    }
    for command in [Command::new(long), shell("true").arg("x".repeat(1 << 20))] {
        let error = command.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotExecutable, "{error}");
    }
    // A folder of PATH that is none is no reason to say more of the program than that it is nowhere.
    let path = folder.join("plain");
    let error = Command::new("true").env("PATH", path).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error}");
}

#[test]
fn a_missing_folder_is_not_blamed_on_the_program() {
    let error = shell("true").current_dir("/no/such").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WorkingFolder);
    assert_eq!(error.path(), Some(Path::new("/no/such")));
}

#[test]
fn a_nul_byte_is_an_error() {
    let error = shell("true").arg("a\0b").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
}

#[test]
fn many_threads_at_once() {
    let run = |index: i32| {
        let input = vec![b'x'; 100_000];
        let script = format!("cat; echo err {index} >&2; exit {index}");
        let output = shell(&script)
            .stdin(Stdin::Bytes(input))
            .timeout(LONG)
            .run()
            .unwrap();
        assert_eq!(output.status, Ending::Code(index));
        assert_eq!(output.stdout.len(), 100_000);
        assert_eq!(output.stderr, format!("err {index}\n").as_bytes());
    };
    std::thread::scope(|scope| {
        for index in 0..64 {
            scope.spawn(move || run(index));
        }
    });
}
