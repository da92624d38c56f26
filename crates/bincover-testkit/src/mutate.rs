//! Cheap damage, the same each time: cut files and flipped bytes.

/// Where to cut a file of `len` bytes: at each byte if it is small, else at 200 places, evenly
/// spread; never at its end.
pub fn cuts(len: usize) -> impl Iterator<Item = usize> {
    const SMALL: usize = 2048;
    const PLACES: usize = 200;
    let places = if len < SMALL { len } else { PLACES };
    (0..places).map(move |place| place * len / places)
}

/// The file with one byte changed, at each of its first 256 offsets. All bits turn at even offsets
/// and the lowest at odd ones, so that both wild and near values occur.
pub fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len().min(256)).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= if at % 2 == 0 { 0xff } else { 0x01 };
        flipped
    })
}
