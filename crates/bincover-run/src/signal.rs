//! Signal numbers and names.

use std::fmt;

use crate::dispositions::{Disposition, Dispositions};

/// A signal that can be sent. The numbers are those of the running system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(rustix::process::Signal);

impl Signal {
    /// `SIGHUP`: the terminal is gone.
    pub const HUP: Self = Self(rustix::process::Signal::HUP);
    /// `SIGINT`: Ctrl-C.
    pub const INT: Self = Self(rustix::process::Signal::INT);
    /// `SIGQUIT`: Ctrl-\.
    pub const QUIT: Self = Self(rustix::process::Signal::QUIT);
    /// `SIGABRT`: what `abort()` raises.
    pub const ABRT: Self = Self(rustix::process::Signal::ABORT);
    /// `SIGKILL`: ends the process without its doing.
    pub const KILL: Self = Self(rustix::process::Signal::KILL);
    /// `SIGSEGV`: a bad memory access.
    pub const SEGV: Self = Self(rustix::process::Signal::SEGV);
    /// `SIGTERM`: the request to end.
    pub const TERM: Self = Self(rustix::process::Signal::TERM);
    /// `SIGUSR1`.
    pub const USR1: Self = Self(rustix::process::Signal::USR1);
    /// `SIGUSR2`.
    pub const USR2: Self = Self(rustix::process::Signal::USR2);
    /// `SIGSTOP`: pauses the process.
    pub const STOP: Self = Self(rustix::process::Signal::STOP);
    /// `SIGCONT`: lets a paused process go on.
    pub const CONT: Self = Self(rustix::process::Signal::CONT);

    /// The signal with this number; `None` for real-time signals and numbers that are no signal.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        rustix::process::Signal::from_named_raw(number).map(Self)
    }

    /// Whether this process ignores it; programs that it starts do so too. Always false where there is no `/proc`.
    #[must_use]
    pub fn is_ignored(self) -> bool {
        Dispositions::read().of(self) == Disposition::Ignored
    }

    /// The number, for example 9.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0.as_raw()
    }

    /// The name, for example `SIGKILL`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        signal_name(self.number())
    }

    pub(crate) fn raw(self) -> rustix::process::Signal {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.number()),
        }
    }
}

/// The name of signal `number`, for example `SIGKILL` for 9; `None` for a signal without a name.
#[must_use]
pub fn signal_name(number: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_has_its_name_and_number() {
        let all = [
            (Signal::HUP, "SIGHUP"),
            (Signal::INT, "SIGINT"),
            (Signal::QUIT, "SIGQUIT"),
            (Signal::ABRT, "SIGABRT"),
            (Signal::KILL, "SIGKILL"),
            (Signal::SEGV, "SIGSEGV"),
            (Signal::TERM, "SIGTERM"),
            (Signal::USR1, "SIGUSR1"),
            (Signal::USR2, "SIGUSR2"),
            (Signal::STOP, "SIGSTOP"),
            (Signal::CONT, "SIGCONT"),
        ];
        for (signal, name) in all {
            assert_eq!(signal.to_string(), name);
            assert_eq!(Signal::from_number(signal.number()), Some(signal));
        }
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(-9), None);
    }
}
