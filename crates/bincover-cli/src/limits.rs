//! Every bound that is not simply "no more than the bytes that are left".

/// A `bincover.toml` of more bytes is refused.
pub(crate) const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// A larger patch is not read, in bytes.
pub(crate) const MAX_PATCH_BYTES: u64 = 1 << 30;

/// How deep LLVM's response files may name each other.
pub(crate) const MAX_RESPONSE_DEPTH: u32 = 20;

/// How deep a folder of sources is gone through for `llvm-cov`: links may go round in circles.
pub(crate) const MAX_FOLDER_DEPTH: u32 = 64;

/// How many nested expansions a file, or a function asked for by name, may have in `llvm-cov show`: a few crafted bytes
/// could ask for millions.
pub(crate) const MAX_EXPANSIONS: usize = 1 << 17;

/// How many lines all its expansions and instantiations may have there.
pub(crate) const MAX_NESTED_LINES: u64 = 1 << 24;

/// How deep expansions may lie in each other there.
pub(crate) const MAX_EXPANSION_DEPTH: usize = 256;

/// Spaces before a marker there. A region may lie behind the end of its line, as when the source has changed, but
/// none is a megabyte wide.
pub(crate) const MAX_GAP: usize = 1 << 20;
