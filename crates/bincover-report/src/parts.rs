//! What of the coverage the two exports of llvm-cov hold.

/// What is left out of an export, by llvm-cov's options of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Files have their numbers and nothing else (`-summary-only`).
    pub summary_only: bool,
    /// No functions (`-skip-functions`).
    pub skip_functions: bool,
    /// No branches; lcov only (`-skip-branches`).
    pub skip_branches: bool,
    /// No expansions; JSON only (`-skip-expansions`).
    pub skip_expansions: bool,
    /// Branches of instantiations are listed one by one; lcov only
    /// (`-unify-instantiations=false`).
    pub keep_instantiations: bool,
}
