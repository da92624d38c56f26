//! Every bound on what is made of a model.

/// Positions that are gone through to list a file's branches. Expansions that multiply (each of a
/// file's two expands to two others, and so on) could ask for more than there are atoms; what is
/// beyond is not listed.
pub(crate) const MAX_STEPS: u64 = 1 << 24;
