//! Runs real programs: the shell, and `helper.rs.txt` compiled by rustc with and without coverage.

mod build;
mod coverage;
mod endings;
mod inherit;
mod output;
mod spawn;
mod support;
mod timeouts;
