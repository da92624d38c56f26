//! See `bincover_fuzz::damage`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::damage(bytes));
