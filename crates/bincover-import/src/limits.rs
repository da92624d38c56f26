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

/// How much of what was found a message shows, in bytes.
pub(crate) const MAX_FOUND: usize = 60;

/// The same of what a parser says, in characters.
pub(crate) const MAX_MESSAGE: usize = 300;

/// Folders of sources in which a file is looked for besides the first.
pub(crate) const MAX_SOURCES: usize = 1 << 10;

/// How often it is asked for a report whether a file exists: there may be as many folders of sources as there are
/// files. When no more is asked, files are in the first.
pub(crate) const MAX_LOOKS: u64 = 1 << 18;
