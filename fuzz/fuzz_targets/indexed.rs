//! See `bincover_fuzz::indexed`.

#![no_main]

use bincover_fuzz::mutate;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| bincover_fuzz::indexed(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::indexed(data, size, max_size, seed, &fuzzer_mutate)
});
