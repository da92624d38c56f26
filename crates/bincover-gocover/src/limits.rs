//! Every bound that is not simply "no more than the bytes that are left".

/// A ULEB128 number of 64 bits has no more bytes than this; Go's writers never pad one.
pub(crate) const MAX_ULEB_BYTES: usize = 10;

/// The footer, at the end of each segment of a counter file.
pub(crate) const FOOTER_BYTES: u64 = 16;

/// A counter file is no shorter: header, the header of an empty segment with its string table and
/// arguments (one word each), footer.
pub(crate) const LEAST_COUNTER_FILE: u64 = 68;

/// Lines of a file that are listed one by one in a report. A block that claims more is damaged: it
/// keeps its statements and gives no lines.
pub(crate) const MAX_LINE: u32 = 1 << 24;

/// Lines that the blocks of all source files may cover, counted with repetition; and those of all functions: so
/// many, and those below for each block. A block is a few bytes, and may be as long as a file can be.
pub(crate) const MAX_LINES: u64 = 1 << 22;

/// Blocks are some three lines long.
pub(crate) const MAX_LINES_OF_BLOCK: u64 = 64;
