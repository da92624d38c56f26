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

/// For Cobertura: lines of methods, beside so many for each region. A region is a few bytes, and may be as long as
/// its file, in each of its functions.
pub(crate) const MAX_METHOD_LINES: u64 = 1 << 24;

/// Regions of real programs are a few lines long.
pub(crate) const MAX_METHOD_LINES_OF_REGION: u64 = 64;
