//! The floor of merging many small files: reading them. `read THREADS FOLDER` opens each file of the folder, reads it whole and
//! adds up its bytes, so that each was looked at.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [threads, folder] = &args[..] else {
        return Err("usage: read THREADS FOLDER".into());
    };
    let threads: usize = threads.parse()?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    let sums: Vec<Result<u64, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let mine = paths.iter().skip(first).step_by(threads);
                scope.spawn(move || read_all(mine))
            })
            .collect();
        let joined = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        });
        joined.collect()
    });
    let mut total = 0u64;
    for sum in sums {
        total = total.wrapping_add(sum?);
    }
    // Said, so that no compiler finds the sums useless.
    println!("{total}");
    Ok(())
}

fn read_all<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Result<u64, String> {
    let mut sum = 0u64;
    let mut buffer = Vec::new();
    for path in paths {
        buffer.clear();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut buffer));
        read.map_err(|error| format!("{}: {error}", path.display()))?;
        for byte in &buffer {
            sum = sum.wrapping_add(u64::from(*byte));
        }
    }
    Ok(sum)
}
