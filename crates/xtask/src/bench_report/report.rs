//! The report, in Markdown, from what was measured and nothing else.

use std::fmt::Write as _;

use super::machine::Machine;
use super::race::{Race, Role, Times};
use super::statistics::{bytes, median, ratio, seconds, spread};
use super::targets::Verdict;
use super::workloads::{GROUPS, Workload};

/// What became of a workload.
pub(super) struct Outcome {
    pub(super) workload: &'static Workload,
    pub(super) race: Race,
    pub(super) times: Vec<Times>,
}

const HEAD: &str = "\
# Results

Written by `cargo xtask bench-report`, from what it measured; [README.md](README.md) says how it works.

";

const HOW: &str = "
Whole processes, from start to end. In each round every program runs once, one after the other, after one round that is not
counted; so all of them have the inputs in the page cache. Times are medians, with the least and the greatest in brackets;
memory is the highest peak of all runs. Processor time counts all threads. The *floor* is
[a program](../crates/xtask/src/bin/floor.rs) that only opens each raw profile, reads its header and its counters, and adds
them, with one thread and with two; the faster one counts.
";

pub(super) fn write(machine: &Machine, outcomes: &[Outcome]) -> String {
    let mut text = HEAD.to_owned();
    table(
        &mut text,
        &["", ""],
        machine
            .0
            .iter()
            .map(|(name, value)| vec![(*name).to_owned(), value.clone()]),
    );
    text.push_str(HOW);
    for group in GROUPS {
        let rows: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| {
                group
                    .workloads
                    .iter()
                    .any(|workload| workload.name == outcome.workload.name)
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(text, "\n## {}\n\n{}\n\n", group.title, group.about);
            measured(&mut text, &rows);
            commands(&mut text, &rows);
        }
    }
    targets(&mut text, outcomes);
    losses(&mut text, outcomes);
    text
}

fn table(text: &mut String, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
}

fn measured(text: &mut String, outcomes: &[&Outcome]) {
    let head = [
        "workload",
        "program",
        "time",
        "ours beside it",
        "processor time",
        "peak memory",
        "our bytes",
    ];
    let rows = outcomes.iter().flat_map(|outcome| {
        let mut rows: Vec<_> = outcome
            .times
            .iter()
            .map(|times| row(outcome, times))
            .collect();
        if let Some(first) = rows.first_mut().and_then(|row| row.first_mut()) {
            *first = outcome.inputs();
        }
        rows
    });
    table(text, &head, rows);
}

/// What is said of one program, after an empty place for the workload.
fn row(outcome: &Outcome, times: &Times) -> Vec<String> {
    let (least, greatest) = spread(&times.seconds);
    let ours = outcome.best(Role::Ours);
    let beside = |ours: &Times| match times.role {
        Role::Ours | Role::Check => String::new(),
        Role::Theirs | Role::Also => {
            format!("{} as fast", ratio(times.median() / ours.median()))
        }
        Role::Floor => format!("{} its time", ratio(ours.median() / times.median())),
    };
    let equal = |ours: &Times| match ours.has_output_of(times) {
        _ if times.role == Role::Ours => "",
        None => "",
        Some(true) => "yes",
        Some(false) if times.is_stable() => "**no**",
        Some(false) => "**no**; its own vary",
    };
    vec![
        String::new(),
        times.name.clone(),
        format!(
            "{} ({} to {})",
            seconds(times.median()),
            seconds(least),
            seconds(greatest)
        ),
        ours.map(beside).unwrap_or_default(),
        seconds(median(&times.processor_seconds)),
        bytes(times.peak()),
        ours.map(equal).unwrap_or_default().to_owned(),
    ]
}

/// Which inputs, how often, and what was typed.
fn commands(text: &mut String, outcomes: &[&Outcome]) {
    for outcome in outcomes {
        let rounds = outcome.times.first().map_or(0, |times| times.seconds.len());
        let name = outcome.workload.name;
        let about = outcome.workload.about;
        let _ = write!(text, "\n`{name}`, {rounds} rounds: {about}.\n\n```sh\n");
        for racer in &outcome.race.racers {
            let mut words: Vec<_> = racer
                .command
                .iter()
                .map(|word| match word.to_string_lossy() {
                    word if word.contains(' ') => format!("'{word}'").into(),
                    word => word,
                })
                .collect();
            if let Some(stdout) = racer.stdout() {
                words.extend([">".into(), stdout.to_string_lossy()]);
            }
            let _ = writeln!(text, "{}", words.join(" "));
        }
        text.push_str("```\n");
    }
}

fn targets(text: &mut String, outcomes: &[Outcome]) {
    text.push_str("\n## Targets\n\n");
    let rows = outcomes.iter().flat_map(|outcome| {
        outcome.verdicts(outcomes).map(|verdict| {
            let reached = match verdict.is_reached {
                true => "reached",
                false => "**not reached**",
            };
            vec![
                format!("`{}`", outcome.workload.name),
                verdict.target,
                verdict.measured,
                reached.to_owned(),
            ]
        })
    });
    table(text, &["workload", "target", "measured", ""], rows);
}

fn losses(text: &mut String, outcomes: &[Outcome]) {
    text.push_str("\n## Where we lose\n\n[Why](README.md#targets-that-are-missed), as far as it is known.\n\n");
    let start = text.len();
    for outcome in outcomes {
        for line in outcome.losses(outcomes) {
            let _ = writeln!(text, "- `{}`: {line}", outcome.workload.name);
        }
    }
    if text.len() == start {
        text.push_str("Nowhere in these tables.\n");
    }
}

impl Outcome {
    /// The fastest in this role.
    pub(super) fn best(&self, role: Role) -> Option<&Times> {
        let all = self.times.iter().filter(|times| times.role == role);
        all.min_by(|one, other| one.median().total_cmp(&other.median()))
    }

    fn inputs(&self) -> String {
        let files = match self.race.files {
            0 => return format!("`{}`", self.workload.name),
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        let size = bytes(self.race.bytes as f64);
        format!("`{}`: {files}, {size}", self.workload.name)
    }

    fn verdicts<'o>(&'o self, all: &'o [Outcome]) -> impl Iterator<Item = Verdict> + 'o {
        let targets = self.workload.targets.iter();
        targets.filter_map(|target| target.judge(self, all))
    }

    /// Everything that does not speak for us, so that nobody has to look for it.
    fn losses(&self, all: &[Outcome]) -> Vec<String> {
        let mut lost = Vec::new();
        if let Some(ours) = self.best(Role::Ours) {
            for other in &self.times {
                lost.extend(self.losses_to(other, ours));
            }
        }
        for verdict in self.verdicts(all).filter(|verdict| !verdict.is_reached) {
            let (target, measured) = (verdict.target, verdict.measured);
            lost.push(format!("target missed: {target}; measured {measured}."));
        }
        lost
    }

    fn losses_to(&self, other: &Times, ours: &Times) -> Vec<String> {
        let mut lost = Vec::new();
        let name = &other.name;
        let does_the_same = matches!(other.role, Role::Theirs | Role::Also);
        if does_the_same && other.median() < ours.median() {
            let ratio = ratio(ours.median() / other.median());
            lost.push(format!("{name} is faster; we take {ratio} its time."));
        }
        if does_the_same && other.peak() < ours.peak() {
            let ratio = ratio(ours.peak() / other.peak());
            lost.push(format!(
                "{name} needs less memory; we need {ratio} as much."
            ));
        }
        if ours.has_output_of(other) == Some(false) {
            let mut others = self.times.iter().filter(|times| times.role != Role::Ours);
            let equal = others.find(|other| ours.has_output_of(other) == Some(true));
            let but = equal.map(|equal| format!("; it is that of {}", equal.name));
            let but = but.unwrap_or_default();
            lost.push(format!("our output is not that of {name}{but}."));
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::targets::Target;
    use super::*;

    const WORKLOAD: Workload = Workload {
        name: "made-up",
        about: "nothing",
        rounds: |rounds| rounds,
        prepare: |_| Err("made up".into()),
        targets: &[
            Target::Faster(2.0),
            Target::AboveFloor(3.0),
            Target::MemoryOf("made-up", 1.2),
            Target::MemoryBelowTheirs("made-up"),
            Target::TimePerFileOf("not measured", 1.2),
            Target::OfTheirMemory(1.5),
            Target::Within(3.0),
            Target::Memory(2e6),
        ],
    };

    fn times(role: Role, name: &str, seconds: f64, peak: f64, output: u64) -> Times {
        Times {
            role,
            name: name.to_owned(),
            seconds: vec![seconds],
            processor_seconds: vec![seconds],
            peak_bytes: vec![peak],
            outputs: (role != Role::Floor)
                .then_some(output)
                .into_iter()
                .collect(),
        }
    }

    fn outcome(times: Vec<Times>) -> Outcome {
        let race = Race {
            files: 10,
            bytes: 1000,
            racers: Vec::new(),
        };
        Outcome {
            workload: &WORKLOAD,
            race,
            times,
        }
    }

    #[test]
    fn losses_are_listed() {
        let all = [outcome(vec![
            times(Role::Ours, "ours", 4.0, 3e6, 1),
            times(Role::Theirs, "theirs", 2.0, 1e6, 2),
            times(Role::Also, "theirs -j 1", 8.0, 4e6, 1),
            times(Role::Floor, "slow floor", 2.0, 1e6, 3),
            times(Role::Floor, "floor", 1.0, 1e6, 3),
        ])];
        let expected = [
            "theirs is faster; we take 2.00 × its time.",
            "theirs needs less memory; we need 3.00 × as much.",
            "our output is not that of theirs; it is that of theirs -j 1.",
            "target missed: ≥ 2 × as fast as theirs; measured 0.50 ×.",
            "target missed: ≤ 3 × the floor's time; measured 4.00 ×.",
            "target missed: peak memory below theirs's on `made-up`; measured 3.0 MB against 1.0 MB.",
            "target missed: peak memory ≤ 1.5 × theirs's; measured 3.00 ×.",
            "target missed: ≤ 3.00 s; measured 4.00 s.",
            "target missed: peak memory ≤ 2.0 MB; measured 3.0 MB.",
        ];
        assert_eq!(all[0].losses(&all), expected);
    }

    #[test]
    fn nothing_is_lost_where_all_is_reached() {
        let all = [outcome(vec![
            times(Role::Ours, "ours", 1.0, 1e6, 1),
            times(Role::Theirs, "theirs", 2.0, 2e6, 1),
            times(Role::Floor, "floor", 1.0, 1e6, 3),
        ])];
        assert_eq!(all[0].losses(&all), [""; 0]);
        assert_eq!(all[0].verdicts(&all).count(), 7);
    }
}
