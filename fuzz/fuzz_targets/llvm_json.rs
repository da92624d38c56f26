//! See `bincover_fuzz::llvm_json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bincover_fuzz::llvm_json(bytes));
