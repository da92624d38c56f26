//! Text profiles, as test binaries of releases before Go 1.20 leave them: of all with the same blocks,
//! the sum.

use bincover_gocover::{Error, Mode, Profile, TextProfile, text};
use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::Xxh3;

use super::database::{Damaged, Failure};
use super::go::Row;
use super::record::whole;
use super::totals::{compress, inflate};

/// A text profile, with each block once.
pub(super) struct Total {
    mode: Mode,
    text: Vec<u8>,
}

impl Total {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mode = TextProfile::parse(bytes)?.mode;
        let text = joined(mode, &[bytes])?;
        Ok(Self { mode, text })
    }

    /// Adds it to those with the same blocks.
    pub(super) fn add(&self, to: &Connection, program: Option<i64>) -> Result<(), Failure> {
        let key = self.key();
        let known: Option<Vec<u8>> = to
            .prepare_cached("SELECT counters FROM go_total WHERE hash = ?")?
            .query_row([&key], |row| row.get(0))
            .optional()?;
        let text = match known {
            Some(known) => joined(self.mode, &[&inflate(&known)?, &self.text]).map_err(broken)?,
            None => self.text.clone(),
        };
        to.prepare_cached(
            "INSERT INTO go_total (hash, program_id, meta, profiles, counters) VALUES (?, ?, ?, 1, ?) \
             ON CONFLICT (hash) DO UPDATE SET profiles = profiles + 1, \
             counters = excluded.counters, program_id = coalesce(excluded.program_id, program_id)",
        )?
        .execute(params![key, program, compress(&[]), compress(&text)])?;
        Ok(())
    }

    /// A hash of all but the counts.
    fn key(&self) -> String {
        let mut hash = Xxh3::new();
        for line in self.text.split(|&byte| byte == b'\n') {
            let end = line.iter().rposition(|&byte| byte == b' ');
            let is_mode = line.starts_with(b"mode: ");
            hash.update(&line[..end.filter(|_| !is_mode).unwrap_or(line.len())]);
            hash.update(b"\n");
        }
        format!("text-{:032x}", hash.digest128())
    }
}

/// A row of the totals is one of text if its metadata is empty.
pub(super) fn is_text(meta: &[u8]) -> Result<bool, Damaged> {
    /// Compressed, nothing is less than this.
    const MOST: usize = 32;
    Ok(meta.len() < MOST && inflate(meta)?.is_empty())
}

/// Checks that a total can be read.
pub(super) fn check(counters: &[u8]) -> Result<(), Damaged> {
    TextProfile::parse(&inflate(counters)?).map_err(broken)?;
    Ok(())
}

/// Two totals of the same blocks as one.
pub(super) fn sum(a: Row, b: Row) -> Result<Row, Failure> {
    let text = inflate(&a.1)?;
    let mode = TextProfile::parse(&text).map_err(broken)?.mode;
    let text = joined(mode, &[&text, &inflate(&b.1)?]).map_err(broken)?;
    let profiles = whole(u64::try_from(a.2.saturating_add(b.2)).unwrap_or(0));
    Ok((a.0, compress(&text), profiles))
}

fn joined(mode: Mode, texts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let mut profile = Profile::new(mode);
    for bytes in texts {
        profile.add_text(&TextProfile::parse(bytes)?);
    }
    Ok(text::write(&profile))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: Error) -> Damaged {
    Damaged(format!("expected a text profile, found: {error}"))
}
