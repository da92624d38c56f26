//! The report, in Markdown, from what was measured and nothing else.

use std::fmt::Write as _;

use super::machine::Machine;
use super::race::{Race, Role, Times};
use super::statistics::{bytes, seconds, spread, times};
use super::workloads::{GROUPS, Workload};

/// What became of a workload.
pub(super) struct Outcome {
    pub(super) workload: &'static Workload,
    pub(super) race: Race,
    pub(super) times: Vec<Times>,
}

impl Outcome {
    /// The fastest in this role.
    pub(super) fn best(&self, role: Role) -> Option<&Times> {
        let all = self.times.iter().filter(|times| times.role == role);
        all.min_by(|one, other| one.median().total_cmp(&other.median()))
    }
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
    let rows = outcomes.iter().flat_map(|outcome| {
        let Outcome {
            workload,
            race,
            times: all,
        } = outcome;
        let what = format!(
            "`{}`: {} files, {}",
            workload.name,
            race.files,
            bytes(race.bytes as f64)
        );
        all.iter().enumerate().map(move |(index, racer)| {
            let ours = outcome.best(Role::Ours);
            let (least, greatest) = spread(&racer.seconds);
            let ratio = ours.map(|ours| times(racer.median() / ours.median()));
            vec![
                if index == 0 {
                    what.clone()
                } else {
                    String::new()
                },
                racer.name.clone(),
                format!(
                    "{} ({} to {})",
                    seconds(racer.median()),
                    seconds(least),
                    seconds(greatest)
                ),
                ratio.unwrap_or_default(),
                seconds(super::statistics::median(&racer.processor_seconds)),
                bytes(racer.peak()),
                match racer.is_equal {
                    None => "",
                    Some(true) => "yes",
                    Some(false) => "**no**",
                }
                .to_owned(),
            ]
        })
    });
    let head = [
        "workload",
        "program",
        "time",
        "to ours",
        "processor time",
        "peak memory",
        "our bytes",
    ];
    table(text, &head, rows);
}

/// Which inputs, how often, and what was typed.
fn commands(text: &mut String, outcomes: &[&Outcome]) {
    for outcome in outcomes {
        let rounds = outcome.times.first().map_or(0, |times| times.seconds.len());
        let _ = write!(
            text,
            "\n`{}`, {rounds} rounds: {}\n\n```sh\n",
            outcome.workload.name, outcome.workload.about
        );
        for racer in &outcome.race.racers {
            let words: Vec<_> = racer
                .command
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            let _ = writeln!(text, "{}", words.join(" "));
        }
        text.push_str("```\n");
    }
}

fn targets(text: &mut String, outcomes: &[Outcome]) {
    text.push_str("\n## Targets\n\n");
    let rows = outcomes.iter().flat_map(|outcome| {
        outcome.verdicts(outcomes).map(|verdict| {
            vec![
                format!("`{}`", outcome.workload.name),
                verdict.target,
                verdict.measured,
                if verdict.is_reached {
                    "reached"
                } else {
                    "**not reached**"
                }
                .to_owned(),
            ]
        })
    });
    table(text, &["workload", "target", "measured", ""], rows);
}

/// Everything above that does not speak for us, so that nobody has to look for it.
fn losses(text: &mut String, outcomes: &[Outcome]) {
    text.push_str("\n## Where we lose\n\n");
    let mut lost = Vec::new();
    for outcome in outcomes {
        let name = outcome.workload.name;
        if let Some(ours) = outcome.best(Role::Ours) {
            for other in outcome
                .times
                .iter()
                .filter(|times| matches!(times.role, Role::Theirs | Role::Also))
            {
                if other.median() < ours.median() {
                    let ratio = times(ours.median() / other.median());
                    lost.push(format!(
                        "`{name}`: {} is faster; we take {ratio} its time.",
                        other.name
                    ));
                }
                if other.peak() < ours.peak() {
                    let ratio = times(ours.peak() / other.peak());
                    lost.push(format!(
                        "`{name}`: {} needs less memory; we need {ratio} as much.",
                        other.name
                    ));
                }
                if other.is_equal == Some(false) {
                    lost.push(format!(
                        "`{name}`: the output differs from that of {}.",
                        other.name
                    ));
                }
            }
        }
        for verdict in outcome
            .verdicts(outcomes)
            .filter(|verdict| !verdict.is_reached)
        {
            lost.push(format!(
                "`{name}`: missed “{}”, at {}.",
                verdict.target, verdict.measured
            ));
        }
    }
    if lost.is_empty() {
        text.push_str("Nowhere in these tables.\n");
    }
    for line in lost {
        let _ = writeln!(text, "- {line}");
    }
}

impl Outcome {
    fn verdicts<'o>(
        &'o self,
        all: &'o [Outcome],
    ) -> impl Iterator<Item = super::targets::Verdict> + 'o {
        self.workload
            .targets
            .iter()
            .filter_map(|target| target.judge(self, all))
    }
}
