//! What a counter means.

use std::fmt;

/// The mode that a program was built for (`-covermode`; Go: `CounterMode`). The order is that in
/// which one gives way to the next when both meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Whether a block ran: 0 or 1.
    Set = 1,
    /// How often, not exact where goroutines count at once.
    Count = 2,
    /// How often, exact.
    Atomic = 3,
}

impl Mode {
    /// The word for it in text profiles.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Count => "count",
            Self::Atomic => "atomic",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Set, Self::Count, Self::Atomic]
            .into_iter()
            .find(|mode| *mode as u8 == number)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What has a counter (Go: `CounterGranularity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// Each block.
    Block = 1,
    /// Each function. No flag of Go's asks for it.
    Function = 2,
}

impl Granularity {
    /// Go's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "perblock",
            Self::Function => "perfunc",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Block, Self::Function]
            .into_iter()
            .find(|granularity| *granularity as u8 == number)
    }
}
