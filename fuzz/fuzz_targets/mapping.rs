//! See `bincover_fuzz::mapping`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::mapping(bytes));
