//! `bincover` as `llvm-cov`.
fn main() {}
