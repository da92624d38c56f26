//! Tasks of the project: what CI runs, and how fixtures are made.
