//! Text profiles: what `go test -coverprofile` and `covdata textfmt` write.
//!
//! A line for each block: `FILE:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT`, after
//! [cmd/internal/cov](https://github.com/golang/go/blob/go1.27.3/src/cmd/vendor/golang.org/x/tools/cover/profile.go),
//! of Go 1.2 to 1.27.

mod reader;
mod writer;

pub use reader::{TextBlock, TextProfile};
pub use writer::write;
