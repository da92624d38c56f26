//! See `bincover_fuzz::indexed`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::indexed(bytes));
