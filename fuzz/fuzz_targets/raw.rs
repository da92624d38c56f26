//! See `bincover_fuzz::raw`.

#![no_main]

use bincover_fuzz::mutate;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| bincover_fuzz::raw(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::raw(data, size, max_size, seed, &fuzzer_mutate)
});
