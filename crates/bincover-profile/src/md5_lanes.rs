//! MD5 of many short texts at a time. The steps of one MD5 wait for each other, so that a processor
//! could do several of them at once; here it does. The loops over lanes become vector instructions,
//! the widest that the processor has.

use fearless_simd::{Level, Simd, dispatch};

/// Texts that are hashed side by side.
const LANES: usize = 16;

/// Bytes that MD5 takes at a time.
const BLOCK: usize = 64;

type Lanes = [u32; LANES];

/// The state before the first block (RFC 1321, section 3.3).
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// By how much each step of the four rounds rotates, over and over.
const ROTATIONS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

/// RFC 1321's table: 2^32 times the sine of 1, 2, 3, …, without its sign.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// Calls `tell` with the index of each text and the first 8 bytes of its digest as a little-endian
/// number.
pub(crate) fn low64_of_all<'t>(
    count: usize,
    text: impl Fn(usize) -> &'t [u8],
    mut tell: impl FnMut(usize, u64),
) {
    // Texts of as many blocks go together, so that few lanes stand still.
    let mut order: Vec<(usize, usize)> = (0..count)
        .map(|index| (blocks_of(text(index)), index))
        .collect();
    order.sort_unstable();
    let level = Level::new();
    for group in order.chunks(LANES) {
        let mut texts = [&[][..]; LANES];
        for (slot, (_, index)) in texts.iter_mut().zip(group) {
            *slot = text(*index);
        }
        let hashes = dispatch!(level, simd => simd.vectorize(#[inline(always)] || low64(&texts)));
        for ((_, index), hash) in group.iter().zip(hashes) {
            tell(*index, hash);
        }
    }
}

/// A text is followed by one byte, zeros, and 8 bytes of its length.
#[inline(always)]
fn blocks_of(text: &[u8]) -> usize {
    (text.len() + 9).div_ceil(BLOCK)
}

#[inline(always)]
fn low64(texts: &[&[u8]; LANES]) -> [u64; LANES] {
    let blocks = texts.map(blocks_of);
    let most = blocks.into_iter().max().unwrap_or(0);
    let mut state = START.map(|word| [word; LANES]);
    for block in 0..most {
        let mut words = [[0; LANES]; 16];
        for (lane, text) in texts.iter().enumerate() {
            let bytes = block_of(text, block);
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                word[lane] = u32::from_le_bytes(*bytes);
            }
        }
        let next = compress(state, &words);
        for (old, new) in state.iter_mut().zip(&next) {
            for lane in 0..LANES {
                if block < blocks[lane] {
                    old[lane] = new[lane];
                }
            }
        }
    }
    let [low, high, ..] = state;
    std::array::from_fn(|lane| u64::from(high[lane]) << 32 | u64::from(low[lane]))
}

/// A block of a padded text.
#[inline(always)]
fn block_of(text: &[u8], block: usize) -> [u8; BLOCK] {
    let start = (block * BLOCK).min(text.len());
    let rest = &text[start..];
    if let Some(whole) = rest.first_chunk() {
        return *whole;
    }
    let mut bytes = [0; BLOCK];
    bytes[..rest.len()].copy_from_slice(rest);
    if start + rest.len() < (block + 1) * BLOCK && block * BLOCK <= text.len() {
        bytes[rest.len()] = 0x80;
    }
    if block + 1 == blocks_of(text) {
        let bits = text.len() as u64 * 8;
        bytes[BLOCK - 8..].copy_from_slice(&bits.to_le_bytes());
    }
    bytes
}

#[inline(always)]
fn compress(state: [Lanes; 4], words: &[Lanes; 16]) -> [Lanes; 4] {
    let mut mixed = state;
    mixed = round::<0>(mixed, words, |b, c, d| d ^ (b & (c ^ d)), |step| step);
    mixed = round::<1>(
        mixed,
        words,
        |b, c, d| c ^ (d & (b ^ c)),
        |step| 5 * step + 1,
    );
    mixed = round::<2>(mixed, words, |b, c, d| b ^ c ^ d, |step| 3 * step + 5);
    mixed = round::<3>(mixed, words, |b, c, d| c ^ (b | !d), |step| 7 * step);
    for (new, old) in mixed.iter_mut().zip(&state) {
        for (new, old) in new.iter_mut().zip(old) {
            *new = new.wrapping_add(*old);
        }
    }
    mixed
}

/// Sixteen steps.
#[inline(always)]
fn round<const ROUND: usize>(
    [mut a, mut b, mut c, mut d]: [Lanes; 4],
    words: &[Lanes; 16],
    mix: impl Fn(u32, u32, u32) -> u32,
    word: impl Fn(usize) -> usize,
) -> [Lanes; 4] {
    for step in 0..16 {
        let sine = SINES[16 * ROUND + step];
        let rotation = ROTATIONS[ROUND][step % 4];
        let word = &words[word(step) % 16];
        let mut next = [0; LANES];
        for lane in 0..LANES {
            let sum = a[lane]
                .wrapping_add(mix(b[lane], c[lane], d[lane]))
                .wrapping_add(sine)
                .wrapping_add(word[lane]);
            next[lane] = b[lane].wrapping_add(sum.rotate_left(rotation));
        }
        (a, b, c, d) = (d, next, b, c);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::md5_low64;

    #[test]
    fn each_length_hashes_as_by_itself() {
        let text: Vec<u8> = (0..400u32).map(|index| (index * 7 % 251) as u8).collect();
        for count in [0, 1, 7, 8, 9, 330] {
            let mut told = vec![None; count];
            let name = |index: usize| &text[index / 3..index / 3 + index];
            let name = |index: usize| {
                if index / 3 + index <= text.len() {
                    name(index)
                } else {
                    b"far"
                }
            };
            low64_of_all(count, name, |index, hash| told[index] = Some(hash));
            let expected: Vec<_> = (0..count)
                .map(|index| Some(md5_low64(name(index))))
                .collect();
            assert_eq!(told, expected, "{count}");
        }
    }
}
