//! Every bound that is not simply "no more than the bytes that are left".

/// What the store has compressed becomes no more than this many times longer. Profiles that are mostly zeros
/// become some fifty times shorter, zlib cannot do better than about 1032 to 1; so a file of a megabyte could
/// otherwise ask for a gigabyte. The zeros of a total's template are counted apart.
pub(crate) const MAX_KEPT_RATIO: u64 = 200;

/// What becomes no longer than this, in bytes, may have been compressed in any way.
pub(crate) const MAX_KEPT_ANYWAY: u64 = 64 << 20;

/// A larger source file is not shown, in bytes.
pub(crate) const MAX_SOURCE_BYTES: u64 = 64 << 20;

/// A longer report of another tool is not read, in bytes.
pub(crate) const MAX_REPORT_BYTES: u64 = 1 << 32;

/// A larger source of Rust is not parsed, in bytes.
pub(crate) const MAX_PARSED_BYTES: usize = 16 << 20;

/// How deep such a source may be, in calls of the parser that are open at once at most: its thread has a stack
/// for them.
pub(crate) const MAX_PARSED_DEPTH: usize = 8000;

/// Members that thin archives name, of all archives of a report together. One may name itself by many paths, so they
/// could go on for ever; each is mapped.
pub(crate) const MAX_THIN_MEMBERS: usize = 1 << 16;

/// So many of the files that end as a moved one does are named. A repository can have very many of them, and a report
/// very many such names.
pub(crate) const MAX_CANDIDATES: usize = 5;
