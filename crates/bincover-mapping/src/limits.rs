//! Every bound that is not simply "no more than the bytes that are left".

/// The last line of a source file. A mapping names lines by number, so a few crafted bytes could
/// otherwise ask for four thousand million of them.
pub(crate) const MAX_LINE: u32 = 1 << 24;

/// Lines of all source files together. Each file may end at the line above and take a few bytes of
/// a mapping, and what is evaluated lists its lines.
pub(crate) const MAX_LINES: u64 = 1 << 26;

/// Values of conditions in executed test vectors, of all MC/DC decisions together. A bitmap has a
/// bit where a vector has a value for each condition, and decisions may share their bits.
pub(crate) const MAX_MCDC_VALUES: u64 = 1 << 27;

/// Steps to put MC/DC decisions together: regions looked up among open decisions, bits looked at,
/// pairs of vectors compared. LLVM's largest decision (32,767 vectors) needs 2^28 at most.
pub(crate) const MAX_MCDC_STEPS: u64 = 1 << 29;

/// Archives in archives and universal files.
pub(crate) const MAX_NESTING: usize = 4;

/// The names of an archive's members together take no more than this for each of its bytes. Members
/// may have one long name, in 60 bytes each.
pub(crate) const MAX_MEMBER_NAMES: usize = 64;

/// Conditions of a decision, and their ids as stored (LLVM: `int16_t`).
pub(crate) const MAX_CONDITIONS: u64 = 32_766;

/// How often a byte may be opened, on average: as part of a file, of an archive in that, and so on. Slices of a
/// universal file may overlap, and a thin archive may name itself, so few bytes could be millions of archives.
pub(crate) const MAX_OPENED: u64 = 2 * (MAX_NESTING as u64 + 1);

/// What it costs to open something, in bytes: less than the header of an archive's member has, or nearly so.
pub(crate) const COST_OF_OPENING: u64 = 64;
