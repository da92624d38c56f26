//! See `bincover_fuzz::symbols`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::symbols(bytes));
