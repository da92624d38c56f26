//! The account of what a merge left out, and why.

use std::fmt;

use crate::error::Error;

/// Everything that a merge left out or changed, in the order in which it was met.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What was left out.
    pub entries: Vec<Entry>,
    /// Files that were given.
    pub inputs: u64,
    /// Records that were merged.
    pub records: u64,
    /// Inputs with an error of their own, as LLVM counts them.
    pub(super) failed: u64,
    /// The entry after the one that was replaced last.
    next: usize,
}

/// One thing that was left out.
#[derive(Debug)]
pub struct Entry {
    /// The input's name, as given to the merger.
    pub source: String,
    /// Why.
    pub cause: Cause,
}

/// Why something was left out. Function names are as the profile has them, made printable.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The file has no bytes: its program never wrote it.
    Empty,
    /// The file could not be opened or read.
    Inaccessible(std::io::Error),
    /// Nothing of the file could be used.
    Unreadable(Error),
    /// Only what came before the damage was used.
    Damaged {
        /// What was met.
        error: Error,
        /// Records that came before and were merged.
        kept: u64,
        /// Records that the file announced, if it did.
        announced: Option<u64>,
        /// Functions whose records are known to be lost.
        lost: Vec<String>,
    },
    /// Counters of another kind than those merged before (LLVM: kind mismatch); the file was
    /// left out.
    KindMismatch,
    /// A count so large that the file is probably damaged (LLVM: `counter_value_too_large`); it
    /// was merged all the same.
    SuspiciousCounter {
        /// Whose.
        function: String,
        /// The count.
        count: u64,
    },
    /// Another number of counters (LLVM: `count_mismatch`); the record was left out.
    CounterMismatch {
        /// Whose.
        function: String,
        /// Counters of the function as it was first met.
        expected: u64,
        /// Counters of this record.
        found: u64,
    },
    /// Another number of bitmap bytes (LLVM: `bitmap_mismatch`); the counts were merged.
    BitmapMismatch {
        /// Whose.
        function: String,
        /// Bytes of the function as it was first met.
        expected: u64,
        /// Bytes of this record.
        found: u64,
    },
    /// Another number of value sites (LLVM: `value_site_count_mismatch`); the rest was merged.
    ValueSiteMismatch {
        /// Whose.
        function: String,
    },
    /// What was said of the file when it was added to a total, which is now merged in its place.
    Earlier(String),
    /// A count went beyond 2^64 - 3 and stays there (LLVM: `counter_overflow`).
    CounterOverflow {
        /// Whose.
        function: String,
    },
}

impl Cause {
    /// LLVM counts this as an error of the file, so that `llvm-profdata merge` fails by default.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            Self::Inaccessible(_)
                | Self::Unreadable(_)
                | Self::Damaged { .. }
                | Self::KindMismatch
                | Self::SuspiciousCounter { .. }
        )
    }

    /// The whole file contributed nothing.
    #[must_use]
    pub fn is_whole_file(&self) -> bool {
        matches!(
            self,
            Self::Empty | Self::Inaccessible(_) | Self::Unreadable(_) | Self::KindMismatch
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "empty: its program never wrote it"),
            Self::Inaccessible(reason) => write!(f, "{reason}"),
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::Damaged {
                error,
                kept,
                announced,
                lost: _,
            } => {
                write!(f, "{error}; kept {kept}")?;
                if let Some(announced) = announced {
                    write!(f, " of {announced}")?;
                }
                write!(f, " functions")
            }
            Self::Earlier(reason) => f.write_str(&reason.replace(char::is_control, "\u{fffd}")),
            Self::KindMismatch => write!(
                f,
                "counts something else than the profiles before (IR against front end, or function entries against blocks)"
            ),
            Self::SuspiciousCounter { function, count } => write!(
                f,
                "{function}: a count of {count} suggests a damaged file; merged all the same"
            ),
            Self::CounterMismatch {
                function,
                expected,
                found,
            } => write!(f, "{function}: expected {expected} counters, found {found}"),
            Self::BitmapMismatch {
                function,
                expected,
                found,
            } => write!(
                f,
                "{function}: expected {expected} bitmap bytes, found {found}; counts were merged"
            ),
            Self::ValueSiteMismatch { function } => {
                write!(f, "{function}: another number of value sites")
            }
            Self::CounterOverflow { function } => {
                write!(
                    f,
                    "{function}: a counter overflowed and stays at its maximum"
                )
            }
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file may have any name.
        let source = self.source.replace(char::is_control, "\u{fffd}");
        write!(f, "{source}: {}", self.cause)
    }
}

impl Ledger {
    pub(super) fn add(&mut self, source: &str, cause: Cause) {
        self.entries.push(Entry {
            source: source.to_owned(),
            cause,
        });
    }

    /// Replaces what was said of a whole file. Files come in the order of their entries, so each is looked for
    /// after the one before.
    pub(super) fn replace(&mut self, source: &str, cause: Cause) {
        let is_it = |entry: &&mut Entry| entry.source == source && entry.cause.is_whole_file();
        let next = self.next.min(self.entries.len());
        let (before, after) = self.entries.split_at_mut(next);
        let (first, second) = (before.len(), 0);
        let found = after
            .iter_mut()
            .zip(first..)
            .find(|(entry, _)| is_it(entry));
        let found = found.or_else(|| {
            before
                .iter_mut()
                .zip(second..)
                .find(|(entry, _)| is_it(entry))
        });
        match found {
            Some((entry, at)) => {
                entry.cause = cause;
                self.next = at + 1;
            }
            None => self.add(source, cause),
        }
    }

    /// Something that was there was left out or changed. An empty file is a program that wrote
    /// nothing: there is nothing in it to be lost.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        let mut causes = self.entries.iter().map(|entry| &entry.cause);
        causes.any(|cause| !matches!(cause, Cause::Empty))
    }

    /// Nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Inputs that LLVM would count as failed.
    #[must_use]
    pub fn failed_inputs(&self) -> u64 {
        self.failed
    }

    /// Inputs of which nothing was used.
    #[must_use]
    pub fn unused_inputs(&self) -> u64 {
        let whole = |entry: &&Entry| entry.cause.is_whole_file();
        self.entries.iter().filter(whole).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If each file were looked for among all, this would take minutes.
    #[test]
    fn files_are_found_in_order() {
        let mut ledger = Ledger::default();
        let names: Vec<String> = (0..1 << 17).map(|number| number.to_string()).collect();
        for name in &names {
            ledger.add(name, Cause::Empty);
            ledger.add(name, Cause::Earlier(name.clone()));
        }
        for name in &names {
            ledger.replace(name, Cause::KindMismatch);
        }
        let (replaced, others): (Vec<&Entry>, Vec<&Entry>) = ledger
            .entries
            .iter()
            .partition(|entry| matches!(entry.cause, Cause::KindMismatch));
        assert!(replaced.iter().map(|entry| &entry.source).eq(&names));
        assert!(others.iter().map(|entry| &entry.source).eq(&names));
        // One that comes late, and one that is not there.
        ledger.replace("7", Cause::Empty);
        assert!(matches!(ledger.entries[14].cause, Cause::Empty));
        ledger.replace("x", Cause::Empty);
        assert_eq!(ledger.entries.last().unwrap().source, "x");
    }
}
