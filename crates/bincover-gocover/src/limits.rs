//! Every bound that is not simply "no more than the bytes that are left".

/// A ULEB128 number of 64 bits has no more bytes than this; Go's writers never pad one.
pub(crate) const MAX_ULEB_BYTES: usize = 10;

/// The footer, at the end of each segment of a counter file.
pub(crate) const FOOTER_BYTES: u64 = 16;

/// A counter file is no shorter: header, the header of an empty segment with its string table and
/// arguments (one word each), footer.
pub(crate) const LEAST_COUNTER_FILE: u64 = 68;

/// A name in metadata (an import path, a file's, a function's) and a file's in a text profile, in bytes: no path of Linux
/// is longer (`PATH_MAX`), and functions are called as in the source. A few bytes make a function or a block, and
/// what is printed of each has the name of its file, or is as wide as the longest name.
pub(crate) const MAX_NAME: usize = 4096;

/// The longest cell of a table that makes its column as wide: such a name, and a line's number.
pub(crate) const MAX_WIDTH: usize = MAX_NAME + 16;

/// Lines of a file that are listed one by one in a report. A block that claims more is damaged: it
/// keeps its statements and gives no lines.
pub(crate) const MAX_LINE: u32 = 1 << 24;

/// Lines that the blocks of all source files may cover, counted with repetition; and those of all functions: so
/// many, and those below for each block. A block is a few bytes, and may be as long as a file can be.
pub(crate) const MAX_LINES: u64 = 1 << 22;

/// Blocks are some three lines long.
pub(crate) const MAX_LINES_OF_BLOCK: u64 = 64;
