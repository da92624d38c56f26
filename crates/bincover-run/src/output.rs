//! What a run leaves behind: how it ended, what it wrote, where its profiles are.

use crate::trace::Tracing;
use std::fmt;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::signal::signal_name;

/// One of the two streams that a child writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One piece of output, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where the child wrote it.
    pub stream: Stream,
    /// Its place in [`Output::stdout`] or [`Output::stderr`], in bytes.
    pub range: Range<usize>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned or called `exit`: 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// The system says that it wrote a core file.
        core_dumped: bool,
    },
    /// It was still running at the end of its time, and was told to end.
    TimedOut {
        /// The time that it had.
        after: Duration,
        /// What became of it then.
        then: ExitStatus,
    },
}

impl Ending {
    pub(crate) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(number)) => Self::Signal {
                number,
                core_dumped: status.core_dumped(),
            },
            // Only a stopped or continued process has neither, and nobody waits for those.
            (None, None) => Self::Code(status.into_raw()),
        }
    }

    /// It ended by itself, with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }

    /// The code that a shell would give: its own, 128+n for signal n, and 124 for a run that timed
    /// out (as timeout(1) does), so never 0 without [`success`](Self::success).
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Code(code) => *code,
            Self::Signal { number, .. } => 128 + number,
            Self::TimedOut { .. } => 124,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                number,
                core_dumped,
            } => {
                write!(f, "signal {number}")?;
                if let Some(name) = signal_name(*number) {
                    write!(f, " ({name})")?;
                }
                f.write_str(if *core_dumped { ", core dumped" } else { "" })
            }
            Self::TimedOut { after, .. } => write!(f, "timed out after {after:?}"),
        }
    }
}

/// Everything about a run that is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// How the process ended.
    pub status: Ending,
    /// All that was read from its standard output; empty when the output was inherited.
    pub stdout: Vec<u8>,
    /// All that was read from its standard error; empty when the output was inherited.
    pub stderr: Vec<u8>,
    /// Both streams in the order of arrival. Two writes to different streams that are ready at the
    /// same moment come as stdout, then stderr: pipes do not tell which was first.
    pub combined: Vec<Chunk>,
    /// From the start of the process to its end, without the time for draining its pipes.
    pub wall: Duration,
    /// The process id that it had. The system may have given it to another process since.
    pub pid: u32,
    /// What the caller named the run, else the program.
    pub label: String,
    /// The folder that its profiles went to, absolute. `None` when none was asked for, or when
    /// [`profile_file_overridden`](Self::profile_file_overridden).
    pub profiles: Option<PathBuf>,
    /// The caller's environment set `LLVM_PROFILE_FILE`, and that won over the profile folder.
    pub profile_file_overridden: bool,
    /// The caller's environment set `GOCOVERDIR`, and that won over the profile folder.
    pub go_folder_overridden: bool,
    /// When reading stopped, another process (a descendant of the child) still held a pipe open:
    /// what that one writes later is lost.
    pub pipes_left_open: bool,
    /// The processes that are followed, if the command has a
    /// [`tracer`](crate::Command::tracer). Some may still be there.
    pub tracing: Option<Tracing>,
    /// Keeps the other name of a profile folder with `%` alive for late writers.
    pub(crate) _alias: Option<Arc<TempDir>>,
}

impl Output {
    /// The bytes of one piece of [`combined`](Self::combined); empty for a range that is not ours.
    #[must_use]
    pub fn chunk_bytes(&self, chunk: &Chunk) -> &[u8] {
        let bytes = match chunk.stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        bytes.get(chunk.range.clone()).unwrap_or_default()
    }

    /// Both streams as one, in the order of arrival.
    #[must_use]
    pub fn combined_bytes(&self) -> Vec<u8> {
        let pieces: Vec<&[u8]> = self.combined.iter().map(|c| self.chunk_bytes(c)).collect();
        pieces.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_read_like_a_sentence() {
        let killed = Ending::Signal {
            number: 9,
            core_dumped: false,
        };
        let dumped = Ending::Signal {
            number: 6,
            core_dumped: true,
        };
        let late = Ending::TimedOut {
            after: Duration::from_secs(5),
            then: ExitStatus::from_raw(0),
        };
        assert_eq!(Ending::Code(1).to_string(), "exit code 1");
        assert_eq!(killed.to_string(), "signal 9 (SIGKILL)");
        assert_eq!(dumped.to_string(), "signal 6 (SIGABRT), core dumped");
        assert_eq!(late.to_string(), "timed out after 5s");
        assert_eq!((killed.exit_code(), late.exit_code()), (137, 124));
        assert!(!late.success());
    }

    #[test]
    fn raw_statuses_are_told_apart() {
        assert_eq!(Ending::of(ExitStatus::from_raw(0)), Ending::Code(0));
        assert_eq!(Ending::of(ExitStatus::from_raw(3 << 8)), Ending::Code(3));
        let aborted = Ending::Signal {
            number: 6,
            core_dumped: true,
        };
        assert_eq!(Ending::of(ExitStatus::from_raw(0x80 | 6)), aborted);
        let real_time = Ending::of(ExitStatus::from_raw(40));
        assert_eq!(real_time.to_string(), "signal 40");
    }
}
