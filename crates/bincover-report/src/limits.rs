//! Every bound on what is read here (patches, names to be demangled), and on what a few bytes of a model could ask
//! to be written. How much of something is shown is beside what shows it.

/// A symbol that would be longer in source form than this keeps its mangled name. A few bytes of
/// back references can stand for any length.
pub(crate) const MAX_DEMANGLED_BYTES: usize = 1 << 16;

/// The longest `diff --git` line that is read: two names of the longest path of Linux, with
/// prefixes. To find where the first name ends takes time that is quadratic in this.
pub(crate) const MAX_NAMES: usize = 2 * 4096 + 64;

/// The same of names in quotes, where a byte takes four.
pub(crate) const MAX_QUOTED_NAMES: usize = 4 * MAX_NAMES;

/// For Coveralls, a file with a line beyond this is left without lines, because all lines before it would have to
/// be written.
pub(crate) const MAX_LISTED_LINE: u32 = 1 << 22;

/// A longer name, in bytes, is matched by no pattern: no path of Linux is longer. To match one takes time that is not
/// linear in it.
pub(crate) const MAX_MATCHED_NAME: usize = 4096;

/// For llvm-cov's JSON: regions and files of functions, as they are repeated for each of their expansions. There are
/// programs that have a few million, and a small file may ask for any number.
pub(crate) const MAX_EXPANDED: u64 = 1 << 27;

/// For Cobertura: lines of methods, and branches on them, beside so many for each region. A region is a few bytes, and
/// may be as long as its file, in each of its functions; so is a function of a report, whose one line may have all
/// branches of it. Each of these is some 100 bytes of the document.
pub(crate) const MAX_METHOD_LINES: u64 = 1 << 22;

/// Regions of real programs are a few lines long. A function without any counts as one.
pub(crate) const MAX_METHOD_LINES_OF_REGION: u64 = 64;

/// Of a name that is repeated at each of its places (a function's in lists of what is missing, a file's in
/// annotations), no more is shown, in bytes. A name may be a good part of its file, and have as many places. An error tells
/// no more of what a patch says, either.
pub(crate) const MAX_REPEATED_NAME: usize = 4096;

/// Where nothing says how wide a table may be: columns to which names are padded. A longer one sticks out, rather than
/// to make all rows as long.
pub(crate) const MAX_PADDED_NAME: usize = 256;
