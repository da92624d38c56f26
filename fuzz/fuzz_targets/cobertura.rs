//! See `bincover_fuzz::cobertura`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::cobertura(bytes));
