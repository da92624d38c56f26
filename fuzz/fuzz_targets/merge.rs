//! See `bincover_fuzz::merge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::merge(bytes));
