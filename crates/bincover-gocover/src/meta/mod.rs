//! Metadata files, `covmeta.<hash>`: which packages, functions and blocks a program has.
//!
//! Read and written after
//! [internal/coverage/defs.go](https://github.com/golang/go/blob/go1.27.3/src/internal/coverage/defs.go);
//! version 1, which is the only one, of Go 1.20 to 1.27.

mod reader;
mod writer;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use writer::{MetaBuilder, select};
pub(crate) use writer::{Strings, hash_kind, meta_file};

use crate::hash::Hash as MetaHash;
use crate::mode::{Granularity, Mode};

/// A name or a path, shared by all that refer to it. Nothing makes it UTF-8.
pub type Text = Arc<[u8]>;

/// A metadata file, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The hash in the header, by which counter files refer to it (Go: `MetaFileHash`).
    pub hash: MetaHash,
    /// What the counters mean.
    pub mode: Mode,
    /// What has a counter.
    pub granularity: Granularity,
    /// In the order in which counter files number them: that in which they are initialised.
    pub packages: Vec<Package>,
}

/// A package of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// As in an `import` declaration.
    pub import_path: Text,
    /// As in a `package` clause.
    pub name: Text,
    /// The path of its module; empty for the standard library, and outside modules.
    pub module: Text,
    /// Of all that is in it (Go: `MetaHash`).
    pub hash: MetaHash,
    /// In the order in which counter files number them.
    pub functions: Vec<Function>,
    /// The bytes that it was read from.
    blob: Arc<[u8]>,
}

impl Package {
    /// The package as it is in the file.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

/// A function declaration, with the function literals in it; or a literal outside of any (Go:
/// `FuncDesc`). The instances of a generic function are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// `F`, `T.M`, `*T.M`; not unique: methods of generic types are just `M`.
    pub name: Text,
    /// The import path and the base name of its file.
    pub file: Text,
    /// Its blocks, in the order of their counters. The first is where it is entered.
    pub units: Arc<[Unit]>,
    /// It is a literal outside of any function.
    pub literal: bool,
}

/// All of it, since a program may have very many functions that differ in any of their blocks. A block is given as its
/// bytes: one call is faster than five.
impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.file.hash(state);
        self.units.len().hash(state);
        for unit in &*self.units {
            state.write(unit.fields().map(u32::to_ne_bytes).as_flattened());
        }
        self.literal.hash(state);
    }
}

/// A block: a piece of source with a counter (Go: `CoverableUnit`). Lines and columns are 1-based;
/// columns count bytes; the end is exclusive. A column of 0 is unknown, and with `//line`
/// directives anything can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Where it begins.
    pub start_line: u32,
    /// Where it begins.
    pub start_column: u32,
    /// Where it ends.
    pub end_line: u32,
    /// Where it ends, exclusive.
    pub end_column: u32,
    /// How many statements it has (Go: `NxStmts`).
    pub statements: u32,
}

impl Meta {
    /// Reads a metadata file.
    ///
    /// # Errors
    /// If it is of another version or contradicts itself.
    pub fn parse(bytes: &[u8]) -> crate::Result<Self> {
        reader::parse(bytes)
    }

    /// How many functions all packages have.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.packages.iter().map(|one| one.functions.len()).sum()
    }
}
