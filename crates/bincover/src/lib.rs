//! Coverage of binaries, embedded: collect runs, merge, report.
