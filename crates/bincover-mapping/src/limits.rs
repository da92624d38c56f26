//! Every bound that is not simply "no more than the bytes that are left".

/// The last line of a source file. A mapping names lines by number, so a few crafted bytes could
/// otherwise ask for four thousand million of them.
pub(crate) const MAX_LINE: u32 = 1 << 24;
