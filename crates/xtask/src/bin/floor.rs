//! The floor: what a merge of raw profiles cannot do without, and nothing else. `floor THREADS LIST` opens each file of the
//! list, reads its header and its counters with positioned reads, and adds them. It decodes no names, checks nothing, writes
//! nothing. How far a merge is above it is what `cargo xtask bench-report` says.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Raw version 10, 64 bits, little-endian: LLVM 19 to 22 on what we run on.
const HEADER_BYTES: usize = 128;
const RECORD_BYTES: u64 = 64;
const COUNTER_BYTES: u64 = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [threads, list] = &args[..] else {
        return Err("usage: floor THREADS LIST".into());
    };
    let threads: usize = threads.parse()?;
    let list = std::fs::read_to_string(list)?;
    let paths: Vec<&str> = list.lines().collect();

    let added: Vec<Result<Sums, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let mine = paths.iter().skip(first).step_by(threads);
                scope.spawn(move || add_all(mine))
            })
            .collect();
        let joined = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        });
        joined.collect()
    });
    let mut total = Sums::default();
    for sums in added {
        total.absorb(sums?);
    }
    // Said, so that no compiler finds the sums useless.
    println!("{}", total.checksum());
    Ok(())
}

fn add_all<'p>(paths: impl Iterator<Item = &'p &'p str>) -> Result<Sums, String> {
    let mut sums = Sums::default();
    let mut buffer = Vec::new();
    for path in paths {
        add(path, &mut buffer, &mut sums).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(sums)
}

fn add(path: &str, buffer: &mut Vec<u8>, sums: &mut Sums) -> Result<(), Box<dyn Error>> {
    let file = File::open(path)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    let (words, _) = header.as_chunks();
    let word = |index: usize| words.get(index).copied().map_or(0, u64::from_le_bytes);
    let [id_bytes, records, padding, counters] = [word(2), word(3), word(4), word(5)];

    buffer.resize(usize::try_from(counters * COUNTER_BYTES)?, 0);
    let offset = HEADER_BYTES as u64 + id_bytes + records * RECORD_BYTES + padding;
    file.read_exact_at(buffer, offset)?;
    let (counters, _) = buffer.as_chunks();
    let sum = sums.of_layout([records, counters.len() as u64]);
    sum.resize(counters.len(), 0);
    for (sum, counter) in sum.iter_mut().zip(counters) {
        *sum = sum.wrapping_add(u64::from_le_bytes(*counter));
    }
    Ok(())
}

/// The sums for each binary. Those are told apart by their sizes alone, which a merge could not afford to do.
#[derive(Default)]
struct Sums(Vec<([u64; 2], Vec<u64>)>);

impl Sums {
    fn of_layout(&mut self, layout: [u64; 2]) -> &mut Vec<u64> {
        let place = self.0.iter().position(|(known, _)| *known == layout);
        let place = place.unwrap_or_else(|| {
            self.0.push((layout, Vec::new()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    fn absorb(&mut self, other: Self) {
        for (layout, counters) in other.0 {
            let sum = self.of_layout(layout);
            sum.resize(counters.len(), 0);
            for (sum, counter) in sum.iter_mut().zip(counters) {
                *sum = sum.wrapping_add(counter);
            }
        }
    }

    fn checksum(&self) -> u64 {
        let counters = self.0.iter().flat_map(|(_, counters)| counters);
        counters.fold(0, |sum, counter| sum.wrapping_add(*counter))
    }
}
