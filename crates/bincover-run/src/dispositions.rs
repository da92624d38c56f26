//! What signals do to this process.

use crate::signal::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignored,
    Caught,
}

/// What signals do to this process now. Asking `sigaction` takes unsafe code, so this reads `/proc`;
/// where there is none, all do what the system does by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dispositions {
    /// Bit `number - 1` of each signal.
    ignored: u64,
    caught: u64,
}

impl Dispositions {
    pub(crate) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status");
        Self::parse(&status.unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let mask = |name: &str| {
            let mask = status.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(mask.unwrap_or("0").trim(), 16).unwrap_or(0)
        };
        Self {
            ignored: mask("SigIgn:"),
            caught: mask("SigCgt:"),
        }
    }

    pub(crate) fn of(&self, signal: Signal) -> Disposition {
        let is_in = |mask: u64| mask >> (signal.number() - 1) & 1 == 1;
        if is_in(self.ignored) {
            Disposition::Ignored
        } else if is_in(self.caught) {
            Disposition::Caught
        } else {
            Disposition::Default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_by_bit() {
        let status = "Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004000\n";
        let of = |signal| Dispositions::parse(status).of(signal);
        assert_eq!(of(Signal::HUP), Disposition::Ignored);
        assert_eq!(of(Signal::TERM), Disposition::Caught);
        assert_eq!(of(Signal::INT), Disposition::Default);
        let none = Dispositions::parse("");
        assert_eq!(none.of(Signal::INT), Disposition::Default);
    }
}
