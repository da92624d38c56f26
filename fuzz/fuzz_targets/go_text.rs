//! See `bincover_fuzz::go_text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::go_text(bytes));
