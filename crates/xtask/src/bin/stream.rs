//! A test suite that leaves more profiles than the disk holds: `stream FOLDER LIST PROGRAM [ARGS]...` starts the
//! program that empties the folder, copies the files of the list into the folder one after the other, and waits whenever
//! there are [`IN_FLIGHT`] of them. When all are gone, the program is told to end.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How many files may wait to be taken away. The program has about as many on its hands.
const IN_FLIGHT: usize = 100;

/// After so long without a file that goes, nobody is emptying the folder.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, list, program, rest @ ..] = &args[..] else {
        return Err("usage: stream FOLDER LIST PROGRAM [ARGS]...".into());
    };
    let folder = Path::new(folder);
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let list = fs::read_to_string(list)?;
    let mut child = Command::new(program).args(rest).spawn()?;
    let streamed = stream(folder, list.lines());

    kill(Pid::from_raw(child.id().try_into()?), Signal::SIGTERM)?;
    let status = child.wait()?;
    streamed?;
    if !status.success() {
        return Err(format!("{program} ended with {status}").into());
    }
    Ok(())
}

fn stream<'l>(folder: &Path, files: impl Iterator<Item = &'l str>) -> Result<(), Box<dyn Error>> {
    let mut there: Vec<PathBuf> = Vec::new();
    for (index, file) in files.enumerate() {
        if there.len() >= IN_FLIGHT {
            wait_below(IN_FLIGHT, &mut there)?;
        }
        let copy = folder.join(format!("{index:05}.profraw"));
        fs::copy(file, &copy)?;
        there.push(copy);
    }
    wait_below(1, &mut there)
}

/// Waits until there are fewer files than that.
fn wait_below(count: usize, there: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    loop {
        there.retain(|file| file.exists());
        if there.len() < count {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("nobody takes {} away", there[0].display()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
