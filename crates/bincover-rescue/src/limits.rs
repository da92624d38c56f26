//! Bounds on what processes and files may make us do.

/// The largest section that is read. A section must be mapped, too; but a mapping may be far larger
/// than the memory behind it. The largest programs known have counters of some 100 MB.
pub(crate) const MAX_SECTION_BYTES: u64 = 1 << 30;

/// Build ids of one binary, and the bytes of each. A linker writes one of 20 bytes.
pub(crate) const MAX_BUILD_IDS: usize = 64;
pub(crate) const MAX_BUILD_ID_BYTES: usize = 4096;

/// Mappings of one process, above the kernel's own default limit (`vm.max_map_count`).
pub(crate) const MAX_MAPS_BYTES: u64 = 1 << 28;

/// Binaries that a reader remembers.
pub(crate) const MAX_REMEMBERED: usize = 4096;

/// Packages of one Go program.
pub(crate) const MAX_GO_PACKAGES: u64 = 1 << 20;
