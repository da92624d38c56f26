//! Every bound that is not simply "no more than the bytes that are left".

/// The last line of a source file. Reports that list all lines of a file have one entry for each,
/// so a few bytes could otherwise ask for thousands of millions.
pub(crate) const MAX_LINE: u32 = 1 << 24;

/// The last lines of all files of a report together, for the same reason.
pub(crate) const MAX_LINES: u64 = 1 << 26;

/// The same for llvm-cov's JSON, whose lines are all listed when it is read: no more than this and one
/// for each byte. A line of code takes more.
pub(crate) const MAX_LINES_BESIDE_BYTES: u64 = 1 << 20;

/// Outcomes of a line's branches, where only their number is told.
pub(crate) const MAX_OUTCOMES_OF_LINE: u64 = 1 << 12;

/// Such outcomes of a report together.
pub(crate) const MAX_OUTCOMES: u64 = 1 << 22;

/// Elements inside each other in XML; Cobertura has eight.
pub(crate) const MAX_DEPTH: usize = 64;

/// A file's name, in bytes: no path of Linux is longer (`PATH_MAX`), and those of others are shorter still or unusual. A
/// report may name one file, or a folder of sources, for thousands of others that each take a few bytes.
pub(crate) const MAX_FILE_NAME: usize = 4096;

/// A function's name, in bytes. Symbols of Rust of more than 64 KB are known
/// ([rust#148452](https://github.com/rust-lang/rust/pull/148452)), and of D of 416 KB
/// ([dmd#12079](https://github.com/dlang/dmd/pull/12079)).
pub(crate) const MAX_FUNCTION_NAME: usize = 1 << 20;

/// What is gone through to find the branches of all expansions of an export: files, how deep they lie, regions and
/// branches, as often as they are expanded. Expansions that multiply (each of a file's two expands to two others, and so
/// on) could ask for more than there are atoms. Of a real program each is there once, so this is beside so many for
/// each byte.
pub(crate) const MAX_STEPS: u64 = 1 << 20;

/// Something of an expansion takes more than 15 bytes of JSON, and it lies in a few others.
pub(crate) const MAX_STEPS_OF_BYTE: u64 = 4;

/// How much of what was found a message shows, in bytes.
pub(crate) const MAX_FOUND: usize = 60;

/// The same of what a parser says, in characters.
pub(crate) const MAX_MESSAGE: usize = 300;

/// Folders of sources in which a file is looked for besides the first.
pub(crate) const MAX_SOURCES: usize = 1 << 10;

/// How often it is asked for a report whether a file exists: there may be as many folders of sources as there are
/// files. When no more is asked, files are in the first.
pub(crate) const MAX_LOOKS: u64 = 1 << 18;
