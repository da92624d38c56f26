//! What a workload should reach, and whether it did.

use super::race::{Role, Times};
use super::report::Outcome;
use super::statistics::{bytes, ratio, seconds};

/// A promise about a workload. Others are named that it is compared with.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// At least so many times as fast as theirs.
    Faster(f64),
    /// At most so many times the floor's time.
    AboveFloor(f64),
    /// At most so many seconds.
    Within(f64),
    /// Peak memory at most so many bytes.
    Memory(f64),
    /// Peak memory at most so many times theirs.
    OfTheirMemory(f64),
    /// Peak memory at most so many times ours on the other workload.
    MemoryOf(&'static str, f64),
    /// Peak memory below theirs on the other workload.
    MemoryBelowTheirs(&'static str),
    /// Time at most so many times ours on the other workload.
    TimeOf(&'static str, f64),
    /// Time for each file at most so many times ours on the other workload.
    TimePerFileOf(&'static str, f64),
}

pub(super) struct Verdict {
    pub(super) target: String,
    pub(super) measured: String,
    pub(super) is_reached: bool,
}

impl Target {
    /// None where something that it compares with was not measured.
    pub(super) fn judge(self, outcome: &Outcome, all: &[Outcome]) -> Option<Verdict> {
        let ours = outcome.best(Role::Ours)?;
        let other = |name: &str| all.iter().find(|outcome| outcome.workload.name == name);
        Some(match self {
            Self::Faster(wanted) => {
                let theirs = outcome.best(Role::Theirs)?;
                let times = theirs.median() / ours.median();
                let target = match wanted {
                    1.0 => format!("not slower than {}", theirs.name),
                    _ => format!("≥ {wanted} × as fast as {}", theirs.name),
                };
                Verdict {
                    target,
                    measured: ratio(times),
                    is_reached: times >= wanted,
                }
            }
            Self::AboveFloor(allowed) => {
                let times = ours.median() / outcome.best(Role::Floor)?.median();
                Verdict {
                    target: format!("≤ {allowed} × the floor's time"),
                    measured: ratio(times),
                    is_reached: times <= allowed,
                }
            }
            Self::Within(allowed) => Verdict {
                target: format!("≤ {}", seconds(allowed)),
                measured: seconds(ours.median()),
                is_reached: ours.median() <= allowed,
            },
            Self::Memory(allowed) => Verdict {
                target: format!("peak memory ≤ {}", bytes(allowed)),
                measured: bytes(ours.peak()),
                is_reached: ours.peak() <= allowed,
            },
            Self::OfTheirMemory(allowed) => {
                let theirs = outcome.best(Role::Theirs)?;
                let times = ours.peak() / theirs.peak();
                Verdict {
                    target: format!("peak memory ≤ {allowed} × {}'s", theirs.name),
                    measured: ratio(times),
                    is_reached: times <= allowed,
                }
            }
            Self::MemoryOf(name, allowed) => {
                let times = ours.peak() / other(name)?.best(Role::Ours)?.peak();
                Verdict {
                    target: format!("peak memory ≤ {allowed} × that of `{name}`"),
                    measured: ratio(times),
                    is_reached: times <= allowed,
                }
            }
            Self::MemoryBelowTheirs(name) => {
                let theirs = other(name)?.best(Role::Theirs)?;
                Verdict {
                    target: format!("peak memory below {}'s on `{name}`", theirs.name),
                    measured: format!("{} against {}", bytes(ours.peak()), bytes(theirs.peak())),
                    is_reached: ours.peak() < theirs.peak(),
                }
            }
            Self::TimeOf(name, allowed) => {
                let times = ours.median() / other(name)?.best(Role::Ours)?.median();
                Verdict {
                    target: format!("time ≤ {allowed} × that of `{name}`"),
                    measured: ratio(times),
                    is_reached: times <= allowed,
                }
            }
            Self::TimePerFileOf(name, allowed) => {
                let other = other(name)?;
                let here = per_file(outcome, ours);
                let there = per_file(other, other.best(Role::Ours)?);
                Verdict {
                    target: format!("time for each file ≤ {allowed} × that of `{name}`"),
                    measured: format!(
                        "{}: {} against {}",
                        ratio(here / there),
                        seconds(here),
                        seconds(there)
                    ),
                    is_reached: here <= allowed * there,
                }
            }
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands of files")]
fn per_file(outcome: &Outcome, ours: &Times) -> f64 {
    ours.median() / outcome.race.files as f64
}
