//! See `bincover_fuzz::patch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::patch(bytes));
