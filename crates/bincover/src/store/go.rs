//! Go's coverage data: of each program its metadata, and the sum of its runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bincover_gocover::{Cause, CounterFile, FileName, Hash, Kind, Program, Sums, counters};
use bincover_profile::Merger;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Damaged, Failure};
use super::go_text;
use super::record::{column_path, whole};
use super::spool::original_name;
use super::totals::{Added, compress, inflate};
use crate::error::{Error, is_scarce};
use crate::go::{GoMerged, GoProgram};

/// A program, being added to.
struct Total {
    program: Program,
    sums: Sums,
    profiles: u64,
}

/// Adds the files of one run. `program` is the row of the program that was run.
pub(super) fn add(
    to: &Connection,
    files: &[&PathBuf],
    program: Option<i64>,
    added: &mut Added,
) -> Result<(), Failure> {
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    let mut counters: Vec<(&Path, Vec<u8>)> = Vec::new();
    let mut texts = Vec::new();
    for path in files {
        match std::fs::read(path) {
            Err(error) if is_scarce(&error) => return Err(Error::read(*path, error).into()),
            Err(error) => leave_out(added, path, &Cause::Inaccessible(error)),
            Ok(bytes) if is_text(path) => match go_text::Total::parse(&bytes) {
                Ok(total) => texts.push(total),
                Err(error) => leave_out(added, path, &Cause::Unreadable(error)),
            },
            Ok(bytes) if Kind::sniff(&bytes) == Some(Kind::Meta) => match Program::parse(bytes) {
                Err(error) => leave_out(added, path, &Cause::Unreadable(error)),
                Ok(program) => {
                    let key = program.meta().hash.to_string();
                    if let Some(known) = total_of(to, &key)? {
                        totals.insert(key, known);
                    } else {
                        let sums = Sums::new(&program, program.meta().mode);
                        let profiles = 0;
                        totals.entry(key).or_insert(Total {
                            program,
                            sums,
                            profiles,
                        });
                    }
                }
            },
            Ok(bytes) => counters.push((path, bytes)),
        }
    }
    let mut file = CounterFile::default();
    let mut causes = Vec::new();
    for (path, bytes) in counters {
        if let Err(error) = file.read(&bytes) {
            leave_out(added, path, &Cause::Unreadable(error));
            continue;
        }
        let key = file.hash.to_string();
        if !totals.contains_key(&key)
            && let Some(known) = total_of(to, &key)?
        {
            totals.insert(key.clone(), known);
        }
        let Some(total) = totals.get_mut(&key) else {
            let name = format!("covmeta.{key}").into();
            leave_out(added, path, &Cause::NoMetadata { name });
            continue;
        };
        total.sums.add(&total.program, &file, &mut causes);
        total.profiles += 1;
        added.profiles += 1;
        if !causes.is_empty() {
            let causes: Vec<String> = causes.drain(..).map(|cause| cause.to_string()).collect();
            added.left_out.push((path.to_owned(), causes.join("; ")));
        }
    }
    let program = match program {
        // Of several it is not known which one was run, and of none it was a script, say.
        Some(id) if totals.len() + texts.len() == 1 && is_go(to, id)? => Some(id),
        _ => None,
    };
    for text in texts {
        text.add(to, program)?;
        added.profiles += 1;
    }
    for (key, total) in &totals {
        write(to, key, total, program)?;
    }
    Ok(())
}

fn is_go(from: &Connection, program: i64) -> Result<bool, Failure> {
    let sql = "SELECT go FROM program WHERE id = ?";
    Ok(from.query_row(sql, [program], |row| row.get(0))?)
}

fn is_text(path: &Path) -> bool {
    FileName::parse(original_name(path).as_bytes()).is_some_and(|name| name.kind == Kind::Text)
}

fn leave_out(added: &mut Added, path: &Path, cause: &Cause) {
    added.left_out.push((path.to_owned(), cause.to_string()));
}

fn write(to: &Connection, key: &str, total: &Total, program: Option<i64>) -> Result<(), Failure> {
    let Total {
        program: of,
        sums,
        profiles,
    } = total;
    let counters = counters::write(of.meta().hash, &sums.args(), &sums.records(of));
    to.prepare_cached(
        "INSERT INTO go_total (hash, program_id, meta, profiles, counters) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (hash) DO UPDATE SET profiles = excluded.profiles, \
         counters = excluded.counters, program_id = coalesce(excluded.program_id, program_id)",
    )?
    .execute(params![
        key,
        program,
        compress(of.bytes()),
        whole(*profiles),
        compress(&counters)
    ])?;
    Ok(())
}

fn total_of(from: &Connection, key: &str) -> Result<Option<Total>, Failure> {
    let row: Option<Row> = from
        .prepare_cached("SELECT meta, counters, profiles FROM go_total WHERE hash = ?")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(row.map(read).transpose()?)
}

/// Metadata and counters, compressed, and the number of profiles.
pub(super) type Row = (Vec<u8>, Vec<u8>, i64);

fn read((meta, counters, profiles): Row) -> Result<Total, Damaged> {
    let broken = |error: bincover_gocover::Error| {
        Damaged(format!("expected a total of Go's coverage, found: {error}"))
    };
    let program = Program::parse(inflate(&meta)?).map_err(broken)?;
    let mut file = CounterFile::default();
    file.read(&inflate(&counters)?).map_err(broken)?;
    let mut sums = Sums::new(&program, program.meta().mode);
    if profiles > 0 {
        sums.add(&program, &file, &mut Vec::new());
    }
    Ok(Total {
        program,
        sums,
        profiles: u64::try_from(profiles).unwrap_or(0),
    })
}

/// Checks that a total can be read.
pub(super) fn check(row: &Row) -> Result<(), Damaged> {
    match go_text::is_text(&row.0)? {
        true => go_text::check(&row.1),
        false => read(row.clone()).map(drop),
    }
}

/// Two totals of one program as one.
pub(super) fn sum(a: Row, b: Row) -> Result<Row, Failure> {
    if go_text::is_text(&a.0)? && go_text::is_text(&b.0)? {
        return go_text::sum(a, b);
    }
    let (mut a, b) = (read(a)?, read(b)?);
    if a.program.bytes() != b.program.bytes() {
        let reason = "expected the same metadata of Go in two files, found two";
        return Err(Failure::Damaged(reason.to_owned()));
    }
    a.sums.join(&b.sums);
    let hash: Hash = a.program.meta().hash;
    let counters = counters::write(hash, &a.sums.args(), &a.sums.records(&a.program));
    let profiles = whole(a.profiles.saturating_add(b.profiles));
    Ok((compress(a.program.bytes()), compress(&counters), profiles))
}

/// All programs, but for builds of which the same file has a newer one. What is damaged is left out, as the merge's
/// account says.
pub(super) fn read_all(
    from: &Connection,
    merger: &mut Merger,
) -> Result<(GoMerged, Vec<PathBuf>), Failure> {
    let mut statement = from.prepare(
        "SELECT hash, meta, go_total.counters, profiles, own.path FROM go_total \
         LEFT JOIN program AS own ON own.id = program_id WHERE own.id IS NULL OR NOT EXISTS \
         (SELECT 1 FROM program AS newer JOIN go_total AS other ON other.program_id = newer.id \
          WHERE newer.path = own.path AND (newer.last_run_ms, newer.id) > (own.last_run_ms, own.id)) \
         ORDER BY hash",
    )?;
    let mut rows = statement.query([])?;
    let mut merged = GoMerged::default();
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let hash: String = row.get(0)?;
        let total: Row = (row.get(1)?, row.get(2)?, row.get(3)?);
        let profiles = match join(&mut merged, &hash, total) {
            Ok(profiles) => profiles,
            Err(damaged) => {
                merger.add_failure(&format!("the total {hash} of Go"), damaged.into());
                continue;
            }
        };
        files.extend(column_path(row.get_ref(4)?));
        merged.ledger.inputs = merged.ledger.inputs.saturating_add(profiles);
    }
    Ok((merged, files))
}

/// Adds a total to what is reported on, and returns how many profiles are in it.
fn join(merged: &mut GoMerged, hash: &str, total: Row) -> Result<u64, Damaged> {
    if go_text::is_text(&total.0)? {
        merged.add_text(hash.into(), inflate(&total.1)?);
        return Ok(u64::try_from(total.2).unwrap_or(0));
    }
    let total = read(total)?;
    merged.programs.push(GoProgram {
        path: PathBuf::from(format!("covmeta.{hash}")),
        program: total.program,
        sums: vec![total.sums],
    });
    Ok(total.profiles)
}
