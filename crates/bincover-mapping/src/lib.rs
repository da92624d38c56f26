//! LLVM coverage mapping: object files and a profile to evaluated coverage.
