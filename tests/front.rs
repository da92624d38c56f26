//! The two processes of a `bincover run` whose program is followed: the one that was called, and the one behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

#[expect(unreachable_pub, reason = "shared by several test binaries")]
#[expect(dead_code, reason = "not all of it is needed here")]
mod support;

/// Whatever is waited for comes at once, or never.
const LONG: Duration = Duration::from_secs(60);

/// A program whose counters are in its memory until it ends: it is followed.
fn at_exit() -> &'static str {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| support::compile("front-at-exit", &["-Cinstrument-coverage"]));
    path.to_str().unwrap()
}

fn bincover(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command.env("BINCOVER_STORE", folder.join("store"));
    command
}

/// A shell's program is followed, unless `more` says otherwise.
fn run_shell(folder: &Path, more: &[&str], script: &str) -> Command {
    let mut command = bincover(folder, &["run"]);
    command.args(more).args(["--", "sh", "-c", script]);
    command
}

/// Starts it and waits for its first line.
fn first_line(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// It has ended, even if nobody has waited for it.
fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

/// How often the report says that a function of the program was called.
fn calls(folder: &Path, function: &str) -> Vec<String> {
    let output = bincover(folder, &["report", "--lcov", "-"])
        .output()
        .unwrap();
    let lcov = String::from_utf8(output.stdout).unwrap();
    let counts = lcov.lines().filter_map(|line| line.strip_prefix("FNDA:"));
    let counts = counts.filter(|line| line.contains(function));
    counts
        .filter_map(|line| Some(line.split_once(',')?.0.to_owned()))
        .collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Killed, it takes what it follows with it; nobody could say how that ended.
#[test]
fn the_program_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let script = "echo $$; exec sleep 100";
    let (mut child, program) = first_line(&mut run_shell(folder.path(), &[], script));
    assert!(!is_gone(&program));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    wait_until("the program is still there", || is_gone(&program));
}

#[test]
fn signals_are_passed_on() {
    let folder = TempDir::new().unwrap();
    for more in [&[][..], &["--rescue", "off"]] {
        for signal in [
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
        ] {
            let name = signal.as_str().trim_start_matches("SIG");
            let script = format!("trap 'exit 7' {name}; echo ready; while :; do sleep 0.01; done");
            let (mut child, ready) = first_line(&mut run_shell(folder.path(), more, &script));
            assert_eq!(ready, "ready");
            kill(pid_of(&child), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(7), "{more:?} {signal}");
        }
    }
}

/// At whatever moment SIGTERM comes, it ends all of it: before the program is there, or the program.
#[test]
fn no_signal_is_lost_at_the_start() {
    let folder = TempDir::new().unwrap();
    for more in [&[][..], &["--rescue", "off"]] {
        for delay in 0..40 {
            let mut command = run_shell(folder.path(), more, "exec sleep 100");
            let mut child = command.process_group(0).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(delay * 500));
            let start = Instant::now();
            kill(pid_of(&child), Signal::SIGTERM).unwrap();
            child.wait().unwrap();
            assert!(start.elapsed() < LONG, "{more:?}: it came after {delay}");
            // Nobody is left in the group.
            wait_until("something was left", || {
                killpg(pid_of(&child), None).is_err()
            });
        }
    }
}

/// Where the first process waits for nobody but its own, a process behind that ends later would stay for ever.
#[test]
fn nothing_is_left_to_be_adopted() {
    let folder = TempDir::new().unwrap();
    for _ in 0..20 {
        let mut command = run_shell(folder.path(), &["--rescue", "on"], "exit 3");
        let mut child = command.process_group(0).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert!(killpg(pid_of(&child), None).is_err(), "one is there");
    }
}

/// What outlives the program outlives the caller's group as well, and its coverage is kept.
#[test]
fn a_daemon_outlives_the_group() {
    let folder = TempDir::new().unwrap();
    let script = format!(
        "setsid sh -c 'echo >begun; sleep 0.5; \"{}\" return; echo >end' & \
         until [ -e begun ]; do sleep 0.01; done; exit 5",
        at_exit()
    );
    let mut command = run_shell(folder.path(), &[], &script);
    let mut child = command.process_group(0).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    // There may be nobody left in it.
    let _ = killpg(pid_of(&child), Signal::SIGTERM);
    let end = folder.path().join("end");
    wait_until("the daemon was killed", || end.exists());
    wait_until("its coverage was lost", || {
        calls(folder.path(), "main") == ["1"]
    });
}

/// Whoever waits for the end of a pipe, or for a lock, does not wait for a daemon that has let go of it.
#[test]
fn descriptors_are_let_go_of() {
    let folder = TempDir::new().unwrap();
    let script =
        "setsid sh -c 'exec 9>&-; echo $$ >daemon; sleep 100' </dev/null >/dev/null 2>&1 & exit 5";
    let outer = format!(
        "\"{}\" run -- sh -c \"$0\" 9>&1 >/dev/null 2>&1",
        env!("CARGO_BIN_EXE_bincover")
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &outer, script])
        .current_dir(folder.path());
    command.env("BINCOVER_STORE", folder.path().join("store"));
    let start = Instant::now();
    // Until descriptor 9 is closed by all.
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(start.elapsed() < LONG);
    let daemon = folder.path().join("daemon");
    wait_until("no daemon", || {
        fs::read_to_string(&daemon).is_ok_and(|pid| pid.ends_with('\n'))
    });
    let daemon = fs::read_to_string(daemon).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
}

/// Where the one in front gets no thread, the program is run once, all the same.
#[test]
fn the_program_is_run_once() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("no_thread.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(bincover_testkit::top().join("tests/programs/no_thread.c"))
        .status()
        .expect("cc, which links Rust programs too");
    assert!(status.success());
    let output = run_shell(folder.path(), &[], "echo ran >>ran; exit 3")
        .env("LD_PRELOAD", &library)
        .env("NO_THREAD_IN", "bincover")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(
        fs::read_to_string(folder.path().join("ran")).unwrap(),
        "ran\n"
    );
}

/// A run within a run counts once, however it ends.
#[test]
fn a_run_within_a_run_counts_once() {
    for (how, code) in [(&["return"][..], 0), (&["exit", "3"], 3), (&["abort"], 134)] {
        let folder = TempDir::new().unwrap();
        let inner = env!("CARGO_BIN_EXE_bincover");
        let mut command = bincover(folder.path(), &["run", "--", inner, "run", "--", at_exit()]);
        let output = command.args(how).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{how:?}: {}",
            stderr(&output)
        );
        assert_eq!(calls(folder.path(), "main"), ["1"], "{how:?}");
        // Nobody has set a variable that could be unset.
        assert!(!stderr(&output).contains("unset"), "{how:?}");
    }
}

/// A profile that goes to where somebody said is not in the store as well.
#[test]
fn a_profile_that_was_written_elsewhere_counts_there() {
    let folder = TempDir::new().unwrap();
    let mut command = bincover(folder.path(), &["run", "--", at_exit(), "return"]);
    let output = command
        .env("LLVM_PROFILE_FILE", "there-%p.profraw")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("leads elsewhere"),
        "{}",
        stderr(&output)
    );
    assert_eq!(calls(folder.path(), "main"), Vec::<String>::new());
    let names = support::names_in(folder.path());
    assert!(
        names.iter().any(|name| name.starts_with("there-")),
        "{names:?}"
    );
}

/// What a process leaves is not written through a link that it has put in the place of its run's folder.
#[test]
fn nothing_is_rescued_through_a_link() {
    let folder = TempDir::new().unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    let script = format!(
        "run=\"${{LLVM_PROFILE_FILE%/*}}\"; rm -rf \"$run\"; ln -s \"{}\" \"$run\"; exec \"{}\" abort",
        theirs.display(),
        at_exit()
    );
    let output = run_shell(folder.path(), &[], &script).output().unwrap();
    assert_eq!(output.status.code(), Some(134), "{}", stderr(&output));
    assert_eq!(support::names_in(&theirs), Vec::<String>::new());
}
