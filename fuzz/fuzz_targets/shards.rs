//! See `bincover_fuzz::shards`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::shards(bytes));
