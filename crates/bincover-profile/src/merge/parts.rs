//! Merges the runs of one binary that have value sites. Which values of a site are kept is decided by
//! the order of the files; so the functions are shared out among threads, and each goes through the
//! files in their order.

use crate::merge::Merger;
use crate::merge::merger::{Addend, Problem, merge_record};
use crate::names::NameRef;
use crate::profile::{RecordId, RecordsMut};
use crate::raw::{ValueFrame, ValueRun};
use crate::read::Bitmap;
use crate::values::{Scratch, Values};

/// Where the records of a binary are in a profile: each record, and which of the binary's it is. In
/// the order of the profile. It belongs to the merger that gave it.
#[derive(Clone, Debug)]
pub struct ValueAnchor(Box<[(RecordId, usize)]>);

/// Some functions of a binary, to be merged from its runs.
#[derive(Debug)]
pub struct Part<'m> {
    frame: &'m ValueFrame,
    records: RecordsMut<'m>,
    places: &'m [(RecordId, usize)],
    problems: Vec<Noted>,
}

/// Something wrong with a record: of which run, which of its records, and what.
#[derive(Debug)]
struct Noted {
    run: usize,
    index: usize,
    record: RecordId,
    problem: Problem,
}

/// What a part met.
#[derive(Debug)]
pub struct Problems(Vec<Noted>);

impl Part<'_> {
    /// Merges what the runs, in their order, say of these functions.
    pub fn merge(&mut self, runs: &[ValueRun<'_>]) {
        let mut values = Values::default();
        let mut scratch = Scratch::default();
        for &(record, index) in self.places {
            for (number, run) in runs.iter().enumerate() {
                let (counters, bitmap) = run.read(self.frame, index, &mut values);
                let addend = Addend {
                    counters,
                    bitmap: Bitmap::Bytes(bitmap),
                    values: &values,
                };
                let stored = self.records.record_mut(record);
                let problem = merge_record(stored, &addend, run.weight, &mut scratch);
                self.problems.extend(problem.map(|problem| Noted {
                    run: number,
                    index,
                    record,
                    problem,
                }));
            }
        }
    }

    /// What was wrong.
    #[must_use]
    pub fn problems(self) -> Problems {
        Problems(self.problems)
    }
}

impl Merger {
    /// Where the functions of a binary are, whose first file was [added](Merger::add) last.
    #[must_use]
    pub fn value_anchor(&self, frame: &ValueFrame) -> Option<ValueAnchor> {
        let names = self.reader.last_names()?;
        let spots = frame.functions().spots().iter().enumerate();
        let places = spots.map(|(index, spot)| {
            let (name, name_ref) = match names.get(spot.name) {
                Some(name) => (name, spot.name),
                None => (&b""[..], NameRef::of(b"")),
            };
            let (name, name_ref) = self.options.renamed(name, name_ref);
            Some((self.profile.find(name, name_ref, spot.hash)?, index))
        });
        let mut places: Box<[_]> = places.collect::<Option<_>>()?;
        places.sort_unstable();
        Some(ValueAnchor(places))
    }

    /// Shares the functions of a binary out in so many parts, which are to be
    /// [merged](Part::merge) from `runs`, at the same time or not.
    pub fn parts<'m>(
        &'m mut self,
        frame: &'m ValueFrame,
        anchor: &'m ValueAnchor,
        runs: &[ValueRun<'_>],
        count: usize,
    ) -> Vec<Part<'m>> {
        let work = |index: usize| runs.first().map_or(0, |run| run.work(index));
        let all: u64 = anchor.0.iter().map(|(_, index)| work(*index)).sum();
        let mut rest = &*anchor.0;
        let mut shares = Vec::with_capacity(count);
        let mut cuts = Vec::with_capacity(count);
        let mut done = 0;
        for part in 1..count as u64 {
            let wanted = all / count as u64 * part;
            let mut len = 0;
            while let Some((record, index)) = rest.get(len) {
                // All that belongs to one record is in one part.
                let is_whole = len > 0 && rest[len - 1].0 != *record;
                if done >= wanted && is_whole {
                    cuts.push(*record);
                    break;
                }
                done += work(*index);
                len += 1;
            }
            let (share, others) = rest.split_at(len);
            if others.is_empty() {
                break;
            }
            shares.push(share);
            rest = others;
        }
        shares.push(rest);
        let records = self.profile.split(&cuts).into_iter();
        let parts = records.zip(shares).map(|(records, places)| Part {
            frame,
            records,
            places,
            problems: Vec::new(),
        });
        parts.collect()
    }

    /// Takes note of what the parts met, once they are merged. `sources` name the runs, in their
    /// order.
    pub fn note_runs(&mut self, frame: &ValueFrame, sources: &[String], problems: Vec<Problems>) {
        let spots = frame.functions().spots();
        self.ledger.inputs += sources.len() as u64;
        self.ledger.records += sources.len() as u64 * spots.len() as u64;
        let mut problems: Vec<Noted> = problems.into_iter().flat_map(|of_part| of_part.0).collect();
        problems.sort_unstable_by_key(|noted| (noted.run, noted.index));
        for Noted {
            run,
            index,
            record,
            problem,
        } in problems
        {
            let stored = self.profile.record_mut(record);
            let wanted = (stored.counts.len(), stored.bitmap.len());
            let found = (spots[index].counters.len(), spots[index].bitmap.len());
            let cause = problem.cause(self.profile.function_name(record), wanted, found);
            self.ledger.add(&sources[run], cause);
        }
    }
}
