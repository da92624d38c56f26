//! LLVM's command lines: the same options, messages and exit codes, so that a script that calls
//! LLVM's tool can call ours.

pub(crate) mod options;
pub(crate) mod profdata;
