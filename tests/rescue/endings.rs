//! The table of endings: what a program does, what is done to it, and what must come of it.

use bincover::Means;
use bincover::run::{Mechanism, Signal};

/// What programs are written in, and how they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    C,
    Cpp,
    Rust,
    /// With `-C panic=abort`.
    RustAbort,
}

use Language::{C, Cpp, Rust, RustAbort};

impl Language {
    pub(crate) const ALL: &[Self] = &[C, Cpp, Rust, RustAbort];

    pub(crate) fn told(self) -> &'static str {
        match self {
            C => "C",
            Cpp => "C++",
            Rust => "Rust",
            RustAbort => "Rust with `panic=abort`",
        }
    }
}

/// What is done to a program from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    /// It is sent when the program says that it is ready.
    Signal(Signal),
    /// It runs into its timeout.
    Timeout,
    /// It is stopped when it is ready, and continued 100 ms later.
    StopAndGo,
}

/// One ending.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// As the page says it.
    pub(crate) what: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) act: Act,
    pub(crate) languages: &'static [Language],
    /// How the status begins that is told.
    pub(crate) status: &'static str,
    /// How often `step` runs, in all processes together.
    pub(crate) steps: u64,
    /// How the coverage of the instrumented processes is obtained, in any order, from a build that
    /// writes its profile at its end.
    pub(crate) means: Vec<Means>,
    /// The same of a continuous build, or why that cannot hold.
    pub(crate) continuous: Result<Vec<Means>, &'static str>,
}

impl Ending {
    /// One process that says nothing and is let alone.
    fn new(what: &'static str, args: &'static [&'static str], status: &'static str) -> Self {
        Self {
            what,
            args,
            act: Act::Nothing,
            languages: Language::ALL,
            status,
            steps: 1,
            means: vec![Means::Rescued],
            continuous: Ok(vec![Means::Continuous]),
        }
    }

    fn of(self, languages: &'static [Language]) -> Self {
        Self { languages, ..self }
    }

    fn steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    fn when(self, act: Act) -> Self {
        Self { act, ..self }
    }

    fn obtained(self, means: &[Means]) -> Self {
        Self {
            means: means.to_vec(),
            continuous: Ok(vec![Means::Continuous; means.len()]),
            ..self
        }
    }

    fn continuous(self, continuous: Result<&[Means], &'static str>) -> Self {
        let continuous = continuous.map(<[Means]>::to_vec);
        Self { continuous, ..self }
    }

    /// What must come of it with this kind of build; `None` where it cannot hold.
    pub(crate) fn means_with(&self, mechanism: Mechanism) -> Option<&[Means]> {
        match mechanism {
            Mechanism::Continuous => self.continuous.as_deref().ok(),
            _ => Some(&self.means),
        }
    }
}

/// All endings, under the page's headings.
pub(crate) fn all() -> Vec<(&'static str, Vec<Ending>)> {
    vec![
        ("By itself", by_itself()),
        ("By a signal", by_a_signal()),
        ("Another program in its place", exec()),
        ("Several processes", several()),
        ("Under difficulties", difficulties()),
    ]
}

const EXIT: &[Means] = &[Means::Exit];
const BOTH: &[Means] = &[Means::Rescued, Means::Rescued];
const RACE: &str = "processes that share one file and count at the same moment lose counts, \
                    as threads do: there is no lock";

fn by_itself() -> Vec<Ending> {
    let end = Ending::new;
    vec![
        end("return from `main`", &["return"], "exit code 0").obtained(EXIT),
        end("`exit(7)` from `main`", &["exit"], "exit code 7").obtained(EXIT),
        end(
            "`exit(3)` from another thread",
            &["exit-in-thread"],
            "exit code 3",
        )
        .steps(2)
        .obtained(EXIT),
        end(
            "`exit(8)` from a local object's destructor",
            &["exit-in-destructor"],
            "exit code 8",
        )
        .of(&[Cpp, Rust, RustAbort])
        .steps(2)
        .obtained(EXIT),
        end(
            "`_exit(6)` from a static object's destructor",
            &["destructor"],
            "exit code 6",
        )
        .of(&[Cpp])
        .steps(2),
        end(
            "`_exit(4)` from a function that `atexit` registered",
            &["leave-early"],
            "exit code 4",
        )
        .of(&[C, Cpp])
        .steps(2),
        end("`_exit(5)`", &["_exit"], "exit code 5"),
        end("`quick_exit(0)`", &["quick"], "exit code 0").of(&[C, Cpp]),
        end(
            "`main`'s thread ends before another one, which calls `_exit(0)`",
            &["main-first"],
            "exit code 0",
        )
        .of(&[C, Cpp])
        .steps(2),
        end("panic", &["panic"], "exit code 101")
            .of(&[Rust])
            .steps(2)
            .obtained(EXIT),
        end("panic", &["panic"], "signal 6 (SIGABRT)").of(&[RustAbort]),
        end(
            "panic in a thread that is waited for",
            &["panic-in-thread"],
            "exit code 0",
        )
        .of(&[Rust])
        .steps(2)
        .obtained(EXIT),
        end(
            "panic in a thread that is waited for",
            &["panic-in-thread"],
            "signal 6 (SIGABRT)",
        )
        .of(&[RustAbort]),
        end(
            "exception that nobody catches",
            &["throw"],
            "signal 6 (SIGABRT)",
        )
        .of(&[Cpp]),
        end("`abort()`", &["abort"], "signal 6 (SIGABRT)"),
        end(
            "`abort()` after 200 threads",
            &["threads", "200"],
            "signal 6 (SIGABRT)",
        )
        .steps(201),
        end("segmentation fault", &["segv"], "signal 11 (SIGSEGV)"),
        end("stack overflow", &["overflow"], "signal 11 (SIGSEGV)").of(&[C, Cpp]),
        end("stack overflow", &["overflow"], "signal 6 (SIGABRT)").of(&[Rust, RustAbort]),
    ]
}

fn by_a_signal() -> Vec<Ending> {
    let end = Ending::new;
    let sent = |what, signal, status| end(what, &["ready"], status).when(Act::Signal(signal));
    vec![
        end("SIGKILL from itself", &["raise", "9"], "signal 9 (SIGKILL)"),
        end(
            "SIGTERM from itself",
            &["raise", "15"],
            "signal 15 (SIGTERM)",
        ),
        end(
            "a real-time signal from itself",
            &["raise", "34"],
            "signal 34",
        ),
        sent("SIGTERM from outside", Signal::TERM, "signal 15 (SIGTERM)"),
        sent("SIGINT from outside", Signal::INT, "signal 2 (SIGINT)"),
        sent("SIGHUP from outside", Signal::HUP, "signal 1 (SIGHUP)"),
        sent("SIGQUIT from outside", Signal::QUIT, "signal 3 (SIGQUIT)"),
        sent("SIGKILL from outside", Signal::KILL, "signal 9 (SIGKILL)"),
        end("our timeout", &["ready"], "timed out").when(Act::Timeout),
        end("our timeout, SIGTERM ignored", &["deaf"], "timed out")
            .of(&[C, Cpp])
            .when(Act::Timeout),
        end(
            "stopped and continued from outside, then return",
            &["rest"],
            "exit code 0",
        )
        .of(&[C, Cpp])
        .steps(2)
        .when(Act::StopAndGo)
        .obtained(EXIT),
        end(
            "stopped by itself, continued from outside, then return",
            &["stop-self"],
            "exit code 0",
        )
        .of(&[C, Cpp])
        .steps(2)
        .when(Act::StopAndGo)
        .obtained(EXIT),
    ]
}

fn exec() -> Vec<Ending> {
    use Means::{Continuous, Exit, Rescued};
    let end = |what, args| Ending::new(what, args, "exit code 0");
    vec![
        end("exec of a program that is not instrumented", &["exec-true"]),
        end("exec of itself, which returns", &["exec-self"])
            .steps(2)
            .obtained(&[Rescued, Exit]),
        Ending::new(
            "exec of itself, which calls `_exit(5)`",
            &["exec-self-killed"],
            "exit code 5",
        )
        .steps(2)
        .obtained(BOTH),
        end("exec of itself from another thread", &["exec-in-thread"])
            .of(&[C, Cpp])
            .steps(3)
            .obtained(&[Rescued, Exit]),
        Ending::new(
            "exec of itself with an empty environment, which calls `_exit(5)`",
            &["empty-environment"],
            "exit code 5",
        )
        .steps(2)
        .obtained(BOTH)
        // The second does not know of the file.
        .continuous(Ok(&[Continuous, Rescued])),
        end("exec that fails, then `_exit(0)`", &["exec-fails"])
            .of(&[C, Cpp])
            .steps(2),
    ]
}

fn several() -> Vec<Ending> {
    use Means::{Exit, Rescued};
    let end = |what, args| Ending::new(what, args, "exit code 0");
    vec![
        end("fork, both return, one after the other", &["fork"])
            .steps(4)
            .obtained(BOTH),
        end("fork, both return at once", &["fork-at-once"])
            .of(&[C, Cpp])
            .steps(7)
            .obtained(BOTH)
            .continuous(Err(RACE)),
        end("eight forks that return at once", &["crowd"])
            .of(&[C, Cpp])
            .steps(17)
            .obtained(&[const { Rescued }; 9])
            .continuous(Err(RACE)),
        end("a chain of ten forks", &["chain"])
            .of(&[C, Cpp])
            .steps(11)
            .obtained(&[const { Rescued }; 11]),
        end("fork, the child is killed", &["fork-killed"])
            .steps(4)
            .obtained(BOTH),
        Ending::new(
            "fork, the parent is killed and the child returns later",
            &["fork-orphan"],
            "signal 9 (SIGKILL)",
        )
        .steps(4)
        .obtained(BOTH),
        end("a daemon that outlives its parents by 300 ms", &["daemon"])
            .steps(5)
            .obtained(&[const { Rescued }; 3]),
        end("vfork, the child calls `_exit(0)`", &["vfork"])
            .of(&[C, Cpp])
            .steps(3)
            .obtained(EXIT),
        end("fork, the child executes something else", &["fork-exec"])
            .of(&[C, Cpp])
            .steps(3)
            .obtained(&[Rescued, Exit]),
        end("posix_spawn of itself, then `_exit(0)`", &["spawn"])
            .of(&[C, Cpp])
            .steps(2)
            .obtained(&[Rescued, Exit]),
        Ending::new(
            "a child that aborts, then `abort()`",
            &["child"],
            "signal 6 (SIGABRT)",
        )
        .of(&[Rust, RustAbort])
        .steps(2)
        .obtained(BOTH),
        end(
            "a child of a child, each by fork and exec",
            &["generations"],
        )
        .steps(6)
        .obtained(&[Rescued, Rescued, Rescued, Exit, Exit]),
    ]
}

fn difficulties() -> Vec<Ending> {
    vec![
        Ending::new(
            "closes all descriptors, changes its folder, then `abort()`",
            &["close-all"],
            "signal 6 (SIGABRT)",
        )
        .steps(2),
        Ending::new(
            "becomes another user without rights, then `_exit(0)`",
            &["drop-rights"],
            "exit code 0",
        )
        .steps(2),
    ]
}
