//! See `bincover_fuzz::go_counters`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::go_counters(bytes));
