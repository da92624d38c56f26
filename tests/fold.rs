//! A folder that is folded: nothing is lost and nothing counts twice, whoever else writes or folds
//! and wherever a fold is killed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bincover::profile::{WriteOptions, indexed};
use bincover::{Folder, ProfileInput, merge_files};
use bincover_testkit::raw::{self, RawFile, Shape};
use tempfile::TempDir;

/// One test at a time: a process that is being started has, for a moment, what is open in all of
/// this one's threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The bytes of a run of one of two small binaries.
fn profile(number: u64) -> Vec<u8> {
    let functions = raw::binary(number % 2, 5, 3, true);
    let functions = raw::run(&functions, number);
    let mut file = RawFile::new(Shape::CURRENT, &functions);
    file.binary_ids
        .push(vec![u8::from(number.is_multiple_of(2)); 20]);
    file.bytes()
}

/// A folder of profiles, of which two cannot be used.
fn write_profiles(folder: &Path, count: u64) -> Vec<PathBuf> {
    fs::create_dir_all(folder.join("run/deep")).unwrap();
    (0..count)
        .map(|number| {
            let path = match number % 3 {
                0 => folder.join(format!("{number}.profraw")),
                1 => folder.join(format!("run/{number}%.profraw")),
                _ => folder.join(format!("run/deep/{number}.profraw")),
            };
            let mut bytes = profile(number);
            match number {
                7 => bytes.truncate(100),
                8 => bytes = b"\x00\x01not a profile".to_vec(),
                _ => {}
            }
            fs::write(&path, bytes).unwrap();
            path
        })
        .collect()
}

fn merged(paths: &[PathBuf]) -> Vec<u8> {
    let merged = merge_files(paths.iter().cloned().map(ProfileInput::from));
    indexed::write(&merged.profile, &WriteOptions::default())
}

fn total_of(folder: &Path) -> Vec<u8> {
    fs::read(Folder::new(folder).total().unwrap().unwrap()).unwrap()
}

fn fold(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bincover"));
    command.arg("fold").arg(folder);
    command
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect()
}

/// What is left in a folder after a fold: the profiles that could not be used, and no other.
fn assert_folded(folder: &Path, count: u64, expected: &[u8]) {
    assert_eq!(Folder::new(folder).total_files().unwrap(), count);
    assert!(total_of(folder) == expected, "the total differs");
    let state = folder.join(".bincover-fold");
    let left_out = names_in(&state.join("left-out"));
    let original = |name: &String| name.split_once('-').unwrap().1.to_owned();
    let left_out: BTreeSet<String> = left_out.iter().map(original).collect();
    let expected = ["run%2F7%25.profraw", "run%2Fdeep%2F8.profraw"];
    assert_eq!(left_out, expected.map(str::to_owned).into());
    let here = names_in(&state);
    assert_eq!(here.len(), 4, "{here:?}");
    assert!(names_in(&state.join("waiting")).is_empty());
    let kept = bincover::profiles_below(folder).unwrap();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[test]
fn profiles_are_added_to_a_total_and_go() {
    let _alone = alone();
    let folder = folder();
    let paths = write_profiles(folder.path(), 30);
    let expected = merged(&paths);
    let output = fold(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(92), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("left out: run/7%.profraw: "), "{said}");
    assert!(said.contains("folded 30 profiles, 30 in all"), "{said}");
    assert_folded(folder.path(), 30, &expected);

    // More of the same, and the total is asked for.
    let more = folder.path().join("100.profraw");
    fs::write(&more, profile(100)).unwrap();
    let output_file = folder.path().join("merged.bin");
    let output = fold(folder.path())
        .arg("-o")
        .arg(&output_file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(&output_file).unwrap(), total_of(folder.path()));
    assert_eq!(Folder::new(folder.path()).total_files().unwrap(), 31);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("folded 1 profiles, 31 in all"), "{said}");
}

/// A link that is moved may lead to nothing: links stay, and what is not in the total for it is said.
#[test]
fn links_stay_where_they_are() {
    let _alone = alone();
    let top = folder();
    let here = top.path().join("f");
    let elsewhere = top.path().join("elsewhere");
    fs::create_dir(&here).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::write(here.join("a.profraw"), profile(1)).unwrap();
    for (number, name) in [(2, "x.profraw"), (3, "y.profraw")] {
        fs::write(elsewhere.join(name), profile(number)).unwrap();
    }
    let expected = merged(&[here.join("a.profraw")]);
    let links = [
        ("absolute.profraw", elsewhere.join("x.profraw")),
        ("latest.profraw", "a.profraw".into()),
        ("relative.profraw", "../elsewhere/y.profraw".into()),
    ];
    for (name, target) in &links {
        std::os::unix::fs::symlink(target, here.join(name)).unwrap();
    }
    for _ in 0..2 {
        let output = fold(&here).output().unwrap();
        assert_eq!(output.status.code(), Some(92), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("relative.profraw` is left alone: it is a link"),
            "{said}"
        );
        assert!(
            said.contains("absolute.profraw` is left alone: it is a link"),
            "{said}"
        );
        // What it leads to is in the total.
        assert!(!said.contains("latest.profraw"), "{said}");
        assert!(total_of(&here) == expected);
        for (name, target) in &links {
            assert_eq!(&fs::read_link(here.join(name)).unwrap(), target);
        }
        assert_eq!(names_in(&elsewhere).len(), 2);
    }
}

#[test]
fn a_folder_without_profiles() {
    let _alone = alone();
    let folder = folder();
    let output = fold(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(91), "{output:?}");
    let nowhere = Folder::new(folder.path().join("nowhere"));
    assert_eq!(nowhere.fold().unwrap().files, 0);
    assert_eq!(nowhere.total().unwrap(), None);
}

#[test]
fn what_is_open_or_mapped_is_left_alone() {
    let _alone = alone();
    let folder = folder();
    let path = folder.path().join("live.profraw");
    fs::write(&path, profile(1)).unwrap();
    let here = Folder::new(folder.path());

    let open = File::options().read(true).write(true).open(&path).unwrap();
    let folded = here.fold().unwrap();
    assert_eq!((folded.files, folded.in_use), (0, vec![path.clone()]));

    // As a program with continuous counters has it.
    let mapped = map_shared(&open);
    drop(open);
    let folded = here.fold().unwrap();
    assert_eq!((folded.files, folded.in_use), (0, vec![path.clone()]));
    assert!(path.exists());

    drop(mapped);
    let reader = File::open(&path).unwrap();
    assert_eq!(here.fold().unwrap().files, 1);
    drop(reader);
    assert!(!path.exists());
    assert_eq!(here.total_files().unwrap(), 1);
}

/// A process opens a file by its name just before the fold moves it: the fold waits for it.
#[test]
fn what_is_opened_while_it_is_taken_is_waited_for() {
    let _alone = alone();
    let folder = folder();
    let state = folder.path().join(".bincover-fold");
    fs::create_dir_all(state.join("waiting")).unwrap();
    let taken = state.join("waiting/0-a.profraw");
    fs::write(&taken, profile(2)).unwrap();
    let writer = File::options().write(true).open(&taken).unwrap();
    let here = Folder::new(folder.path());
    let folded = here.fold().unwrap();
    let name = folder.path().join("a.profraw");
    assert_eq!((folded.files, folded.in_use), (0, vec![name]));
    drop(writer);
    assert_eq!(here.fold().unwrap().files, 1);
}

/// A total that cannot be read is not replaced, and what was to be added stays.
#[test]
fn a_damaged_total_is_kept() {
    let _alone = alone();
    let folder = folder();
    fs::write(folder.path().join("a.profraw"), profile(1)).unwrap();
    let here = Folder::new(folder.path());
    here.fold().unwrap();
    let total = here.total().unwrap().unwrap();
    fs::write(&total, b"broken").unwrap();
    fs::write(folder.path().join("b.profraw"), profile(2)).unwrap();
    for _ in 0..2 {
        let error = here.fold().unwrap_err().to_string();
        assert!(error.starts_with("cannot add to `"), "{error}");
    }
    assert_eq!(fs::read(&total).unwrap(), b"broken");
    let batch = folder.path().join(".bincover-fold/batch-2/0-b.profraw");
    assert_eq!(fs::read(batch).unwrap(), profile(2));
}

/// Ends a fold before each of its calls that change the file system, and in the middle of each
/// write; then a second one, at another call; the third is left alone.
#[test]
fn killed_at_every_call() {
    let _alone = alone();
    let work = folder();
    let library = kill_at(work.path());
    let source = work.path().join("source");
    fs::create_dir(&source).unwrap();
    let count = 60;
    let paths = write_profiles(&source, count);
    let expected = merged(&paths);
    let killed = |folder: &Path, call: u64| -> Output {
        fold(folder)
            .env("LD_PRELOAD", &library)
            .env("KILL_AT", call.to_string())
            .output()
            .unwrap()
    };
    let mut points = 0;
    loop {
        let folder = work.path().join("folder");
        write_profiles(&folder, count);
        let output = killed(&folder, points + 1);
        if output.status.signal() != Some(9) {
            assert_eq!(output.status.code(), Some(92), "{output:?}");
            assert_folded(&folder, count, &expected);
            break;
        }
        points += 1;
        killed(&folder, 1 + points * 31 % 97);
        fold(&folder).output().unwrap();
        assert_folded(&folder, count, &expected);
        fs::remove_dir_all(&folder).unwrap();
    }
    assert!(points >= 200, "only {points} points");
}

fn kill_at(folder: &Path) -> PathBuf {
    let library = folder.join("kill_at.so");
    let source = bincover_testkit::top().join("tests/programs/kill_at.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .status()
        .expect("cc, which links Rust programs too");
    assert!(status.success());
    library
}

/// Four processes fold while others write, and some folds are killed at any moment.
#[test]
fn many_at_once() {
    let _alone = alone();
    const WRITERS: u64 = 4;
    const FILES: u64 = 60;
    let work = folder();
    let folder = work.path().join("profiles");
    let apart = work.path().join("apart");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(&apart).unwrap();
    let all: Vec<PathBuf> = (0..WRITERS * FILES)
        .map(|number| {
            let path = apart.join(format!("{number}.profraw"));
            fs::write(&path, profile(number)).unwrap();
            path
        })
        .collect();
    let expected = merged(&all);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for folder_number in 0..4u64 {
            let (folder, is_done) = (&folder, &is_done);
            scope.spawn(move || {
                let mut round = folder_number;
                while !is_done.load(Ordering::Relaxed) {
                    let mut child = fold(folder)
                        .args(["--follow", "--every", "1ms"])
                        .stderr(std::process::Stdio::null())
                        .spawn()
                        .unwrap();
                    round += 1;
                    std::thread::sleep(Duration::from_millis(7 + 13 * (round % 5)));
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
            });
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let folder = &folder;
                scope.spawn(move || {
                    for number in writer * FILES..(writer + 1) * FILES {
                        // In pieces, as a program writes.
                        let path = folder.join(format!("{number}.profraw"));
                        let mut file = File::create(path).unwrap();
                        for piece in profile(number).chunks(300) {
                            std::io::Write::write_all(&mut file, piece).unwrap();
                            std::thread::sleep(Duration::from_micros(500));
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    let folded = Folder::new(&folder).fold().unwrap();
    assert!(folded.in_use.is_empty(), "{folded:?}");
    assert_eq!(Folder::new(&folder).total_files().unwrap(), WRITERS * FILES);
    assert!(total_of(&folder) == expected, "the total differs");
    assert!(names_in(&folder.join(".bincover-fold/left-out")).is_empty());
}

/// It ends when it is told to, with all that was finished by then.
#[test]
fn following_ends_by_a_signal() {
    let _alone = alone();
    let folder = folder();
    let child = fold(folder.path())
        .args(["--follow", "--every", "10ms"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for number in 0..20 {
        fs::write(
            folder.path().join(format!("{number}.profraw")),
            profile(number),
        )
        .unwrap();
    }
    let here = Folder::new(folder.path());
    let start = Instant::now();
    while here.total_files().unwrap_or(0) < 20 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing is folded"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(folder.path().join("last.profraw"), profile(21)).unwrap();
    let process = rustix_pid(child.id());
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("folded 21 profiles, 21 in all"), "{said}");
}

#[expect(unsafe_code, reason = "a mapping, as programs have it")]
fn map_shared(file: &File) -> memmap2::MmapMut {
    // SAFETY: nobody else touches the file while it is mapped.
    unsafe { memmap2::MmapMut::map_mut(file) }.unwrap()
}

fn rustix_pid(id: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}
