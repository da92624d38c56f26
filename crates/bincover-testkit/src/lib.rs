//! Fixtures and byte builders for bincover's own tests.
