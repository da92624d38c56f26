//! See `bincover_fuzz::reports`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::reports(bytes));
