//! See `bincover_fuzz::sources`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::sources(bytes));
