//! Counter files, `covcounters.<hash>.<pid>.<nanoseconds>`: how often the blocks of a program ran.
//!
//! Read and written after
//! [internal/coverage/defs.go](https://github.com/golang/go/blob/go1.27.3/src/internal/coverage/defs.go);
//! version 1, which is the only one, of Go 1.20 to 1.27. Both flavours, both byte orders and any
//! number of segments are read, of which Go's own tools read the first alone; one segment of ULEB128
//! numbers is written, as Go does.

mod args;
mod reader;
mod writer;

pub use args::Args;
pub(crate) use reader::Visitor;
pub use reader::{CounterFile, CounterView, Record};
pub use writer::write;
