//! `docs/exits.md`, made from the tests.

use std::fmt::Write;

use bincover::Means;
use bincover::run::Mechanism;

use super::Named;
use super::endings::{self, Ending, Language};

const HEAD: &str = "\
# Every way out

What becomes of a run's coverage, however its processes end. This page is made from
[the tests](../tests/rescue/endings.rs): each row is run for each language and each kind of build that it
names, with a real program, and its counts must be right to the unit. A test compares the page with the
tests; `BLESS=1 cargo test -p bincover --test rescue` writes it anew.

- *Plain build*: `-C instrument-coverage`, `-fprofile-instr-generate`, under `bincover run` or a `Collector`
  on Linux. *Own profile* is what LLVM's runtime wrote; *rescued* means that the counters were read out of the
  process's memory before it was gone. Without us they would be lost, or, of forked processes that write to
  one file, some of them.
- *Continuous build*: built with `-runtime-counter-relocation`, as `CargoBuild` does. The counters are in a
  file all the time, and whatever happens to the process they stay there.

Programs of Go have [a table of their own](go.md#every-way-out).
";

const TAIL: &str = "
## What does not hold

- Plain builds are rescued on Linux only, and where one process may trace another. Where it may not, as in
  some containers, that is said once, and what has ended without writing its profile is recorded as `none`,
  with the cause. A process that a debugger follows already cannot be followed by us.
- A process that is killed by SIGKILL in the very moment in which we have stopped it, on a crowded machine,
  can be gone before it is read. It is recorded as lost. The storm above is killed forty times, with hundreds
  of processes, and its test bears three such; mostly there is none. Continuous builds are not concerned.
- What the kernel has not yet written is gone when the machine loses power.
- The kernel starts a set-user-ID program that is traced without its owner's rights, unless the tracer has
  more rights than usual. Run such a program with `--rescue off`, built continuously.
- Values that PGO profiles (indirect calls, sizes) are not rescued, counters are.
- LeakSanitizer, which AddressSanitizer brings along, refuses to work in a process that is traced, and ends the program with its
  own exit code. Build such a program continuously, then it is not followed; or use `--rescue off`, or `ASAN_OPTIONS=detect_leaks=0`.
- A program that was built continuously is not followed, so neither is what it starts: a plain build is not rescued then, nor the
  program itself where it executes itself with an empty environment. `--rescue on` follows all.
- SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 that are sent to `bincover run` alone are passed on. A program that is in the caller's group gets
  one that is sent to the whole group from there as well. SIGINT and SIGQUIT are not passed on: the terminal sends them to all.
- A program that is run has SIGPIPE as the system has it by default, and `/dev/null` where `bincover run` had no standard input or
  output. Whoever reads its output sees the end when the program has ended, not when it closes it.
- A process that is made with `CLONE_UNTRACED` by one that is followed cannot execute another program.
";

/// The page that the tests make.
pub(crate) fn page(tests: &[Named]) -> String {
    let mut page = HEAD.to_owned();
    for (heading, endings) in endings::all() {
        let _ = write!(
            page,
            "\n## {heading}\n\n\
             | what happens | in | it ends with | plain build | continuous build |\n\
             | --- | --- | --- | --- | --- |\n"
        );
        for ending in endings {
            row(&mut page, &ending);
        }
    }
    page += "\n## Tests of their own\n\n";
    for test in tests {
        let _ = writeln!(page, "- {}", test.told);
    }
    page + TAIL
}

fn row(page: &mut String, ending: &Ending) {
    let languages = match ending.languages == Language::ALL {
        true => "all four".to_owned(),
        false => {
            let told = ending.languages.iter().map(|language| language.told());
            told.collect::<Vec<_>>().join(", ")
        }
    };
    let with = |mechanism| match ending.means_with(mechanism) {
        Some(means) => told(means),
        None => match ending.continuous {
            Err(reason) => format!("cannot hold: {reason}"),
            Ok(_) => String::new(),
        },
    };
    let _ = writeln!(
        page,
        "| {} | {languages} | {} | {} | {} |",
        ending.what,
        ending.status,
        with(Mechanism::Exit),
        with(Mechanism::Continuous)
    );
}

/// How the coverage of processes was obtained.
fn told(means: &[Means]) -> String {
    let words = [
        (Means::Continuous, "continuous"),
        (Means::Rescued, "rescued"),
        (Means::Exit, "own profile"),
    ];
    let count = |wanted: &Means| means.iter().filter(|one| *one == wanted).count();
    let mut parts = Vec::new();
    for (wanted, word) in &words {
        match count(wanted) {
            0 => {}
            1 if means.len() == 1 => parts.push((*word).to_owned()),
            number => parts.push(format!("{number} {word}")),
        }
    }
    parts.join(", ")
}
