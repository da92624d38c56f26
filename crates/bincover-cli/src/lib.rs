//! The command line: bincover and bincover-merge.
