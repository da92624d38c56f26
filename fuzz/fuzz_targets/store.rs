//! See `bincover_fuzz::store`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::store(bytes));
