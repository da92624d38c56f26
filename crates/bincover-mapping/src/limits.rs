//! Every bound that is not simply "no more than the bytes that are left".

/// The last line of a source file. A mapping names lines by number, so a few crafted bytes could
/// otherwise ask for four thousand million of them.
pub(crate) const MAX_LINE: u32 = 1 << 24;

/// Lines of all source files together. Each file may end at the line above and take a few bytes of
/// a mapping, and what is evaluated lists its lines.
pub(crate) const MAX_LINES: u64 = 1 << 26;
