//! Every bound on what is made of a model.

/// Positions that are gone through to list the branches of all files. Expansions that multiply (each of a
/// file's two expands to two others, and so on) could ask for more than there are atoms; what is
/// beyond is not listed. This is shared out among the files, beside [`MAX_STEPS_OF_REGION`].
pub(crate) const MAX_STEPS: u64 = 1 << 24;

/// The same for each region of a function. Of a real program each expansion is there once, and few are inside each other.
pub(crate) const MAX_STEPS_OF_REGION: u64 = 64;

/// The same for one expansion, beside those of its function's regions.
pub(crate) const MAX_STEPS_INSIDE: u64 = 1 << 16;
