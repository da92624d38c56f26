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

/// Lines that the blocks of one source file may cover, counted with repetition.
pub(crate) const MAX_LINES_OF_FILE: u64 = 1 << 26;
