//! Temporal traces: in which order functions were first entered. The merge keeps a random sample
//! of the traces, drawn by LLVM's generator with LLVM's seed, so that the bytes are LLVM's
//! (LLVM: `InstrProfWriter::addTemporalProfileTraces`).

use crate::names::NameRef;
use crate::random::MersenneTwister;

/// One program run's trace (LLVM: `TemporalProfTraceTy`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How much the trace counts.
    pub weight: u64,
    /// Functions in the order of their first call.
    pub functions: Vec<NameRef>,
}

/// A sample of traces (LLVM: reservoir).
#[derive(Clone, Debug, Default)]
pub struct Traces {
    list: Vec<Trace>,
    stream_size: u64,
    random: MersenneTwister,
}

/// How many traces are kept (LLVM: `-temporal-profile-trace-reservoir-size`).
const RESERVOIR: usize = 100;

/// How long a kept trace is at most (LLVM: `-temporal-profile-max-trace-length`).
const MAX_LENGTH: usize = 10_000;

/// Bounds of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// How many traces are kept; LLVM's default is 100.
    pub reservoir: usize,
    /// How many functions of a trace are kept; LLVM's default is 10,000.
    pub length: usize,
}

impl Default for TraceLimits {
    fn default() -> Self {
        Self {
            reservoir: RESERVOIR,
            length: MAX_LENGTH,
        }
    }
}

impl Traces {
    /// The traces that were kept.
    #[must_use]
    pub fn list(&self) -> &[Trace] {
        &self.list
    }

    /// How many traces there were to choose from.
    #[must_use]
    pub fn stream_size(&self) -> u64 {
        self.stream_size
    }

    /// Adds traces that were themselves drawn from `stream_size` ones.
    pub(crate) fn add(&mut self, mut source: Vec<Trace>, stream_size: u64, limits: TraceLimits) {
        self.list.truncate(limits.reservoir);
        for trace in &mut source {
            trace.functions.truncate(limits.length);
        }
        source.retain(|trace| !trace.functions.is_empty());
        if source.is_empty() {
            return;
        }
        let room = limits.reservoir.saturating_sub(self.list.len());
        let rest = source.split_off(room.min(source.len()));
        self.list.append(&mut source);
        self.replace_some(rest, stream_size);
        self.stream_size = self.stream_size.saturating_add(stream_size);
    }

    /// Each further trace of the stream takes a random place, if that is inside the sample.
    fn replace_some(&mut self, mut rest: Vec<Trace>, stream_size: u64) {
        for first in 0..rest.len().saturating_sub(1) {
            let size = rest.len() - first;
            let offset = u64::from(self.random.next()) % size as u64;
            // Less than the length of a Vec.
            rest.swap(first, first + usize::try_from(offset).unwrap_or(0));
        }
        let mut rest = rest.into_iter();
        let mut index = self.list.len() as u64;
        while index < stream_size && rest.len() > 0 {
            let place = self.random.up_to(index);
            if let Some(slot) = usize::try_from(place)
                .ok()
                .and_then(|at| self.list.get_mut(at))
                && let Some(trace) = rest.next()
            {
                *slot = trace;
            }
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_traces_do_not_count() {
        let mut traces = Traces::default();
        let empty = Trace {
            weight: 1,
            functions: Vec::new(),
        };
        traces.add(vec![empty], 5, TraceLimits::default());
        assert_eq!((traces.list().len(), traces.stream_size()), (0, 0));
    }
}
