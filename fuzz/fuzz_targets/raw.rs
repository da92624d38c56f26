//! See `bincover_fuzz::raw`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::raw(bytes));
