//! See `bincover_fuzz::ratchet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::ratchet(bytes));
