//! See `bincover_fuzz::lcov`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::lcov(bytes));
