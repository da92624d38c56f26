//! See `bincover_fuzz::baseline`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::baseline(bytes));
