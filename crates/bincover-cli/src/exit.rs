//! What the exit codes mean. Ours keep out of the way of the programs that are run.

use std::process::ExitCode;

use bincover::{Error, run};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: an unexpected failure.
    Failure,
    /// 2: the command line was not understood.
    Usage,
    /// 90: a threshold was missed.
    Threshold,
    /// 91: there was nothing to measure.
    Nothing,
    /// 92: done, but some inputs were left out, and listed.
    LeftOut,
    /// 126: the program is not executable (as shells say it).
    NotExecutable,
    /// 127: there is no such program (as shells say it).
    NoProgram,
    /// The program's own: its exit code, 128 and the number of the signal that ended it, or 124
    /// after a timeout (as `timeout` says it).
    Program(u8),
}

impl Exit {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::NothingToMeasure { .. } => Self::Nothing,
            Error::Run(error) => match error.kind() {
                run::ErrorKind::ProgramNotFound => Self::NoProgram,
                run::ErrorKind::NotExecutable => Self::NotExecutable,
                _ => Self::Failure,
            },
            _ => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Threshold => 90,
            Exit::Nothing => 91,
            Exit::LeftOut => 92,
            Exit::NotExecutable => 126,
            Exit::NoProgram => 127,
            Exit::Program(code) => code,
        }
    }
}
