//! The body of `mapping`: three ways to a coverage mapping, and what must be true of whatever is
//! evaluated.

use std::num::NonZeroUsize;

use bincover_mapping::{Evaluation, Mapping, evaluate};
use bincover_model::Coverage;
use bincover_profile::bytes::{Cursor, Endian};
use bincover_profile::{Profile, decode_blob, md5_low64};
use bincover_report::{Emit, FORMATS, Format, NoSources, Options, Outputs};
use bincover_testkit::elf;
use bincover_testkit::raw::{Function, RawFile, Shape, name_ref, names_blob};

use super::profile::merged;

const NAMES: &str = "__llvm_prf_names";
const COVMAP: &str = "__llvm_covmap";
const COVFUN: &str = "__llvm_covfun";

/// More lines than this are evaluated but not reported: the report would be all the time.
const MAX_REPORTED_LINES: usize = 2_000;

/// A recipe makes no more functions, of which each may be only three bytes: what is done with them
/// would be all the time.
const MAX_COOKED: usize = 64;

/// A thin archive's names take no more memory than this for each of its bytes: many members may have
/// one name.
const MOST_OF_A_NAME: usize = 128;

/// Takes the bytes as an object file, as the three sections of one
/// ([`split_object`](bincover_testkit::container::split_object)), and as
/// a recipe that keeps the hashes valid by which the sections refer to each other.
pub fn mapping(bytes: &[u8]) {
    if bytes.starts_with(b"\x7fELF") {
        let names = elf::section(bytes, NAMES);
        check_object(bytes, &profile_for(&names, &elf::section(bytes, COVFUN)));
        return;
    }
    check_object(bytes, &Profile::default());
    if let Some((names, covmap, covfun)) = split(bytes) {
        let object = elf::build(&[(NAMES, names), (COVMAP, covmap), (COVFUN, covfun)]);
        check_object(&object, &profile_for(names, covfun));
    }
    let cooked = cook(bytes, false);
    check_object(&cooked.object(), &cooked.profile);
}

/// What [`split_object`](bincover_testkit::container::split_object) made, taken apart.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (names_len, rest) = bytes.split_first_chunk()?;
    let (covmap_len, rest) = rest.split_first_chunk()?;
    let (names, rest) = rest.split_at_checked(u32::from_le_bytes(*names_len) as usize)?;
    let (covmap, covfun) = rest.split_at_checked(u32::from_le_bytes(*covmap_len) as usize)?;
    Some((names, covmap, covfun))
}

/// What a recipe makes.
pub(crate) struct Cooked {
    pub(crate) names: Vec<u8>,
    pub(crate) covmap: Vec<u8>,
    pub(crate) covfun: Vec<u8>,
    /// It counts all functions.
    pub(crate) profile: Profile,
}

impl Cooked {
    /// An ELF file with the sections.
    pub(crate) fn object(&self) -> Vec<u8> {
        elf::build(&[
            (NAMES, &self.names),
            (COVMAP, &self.covmap),
            (COVFUN, &self.covfun),
        ])
    }
}

/// Mapping version, number of files, then functions: a byte for the hash, one for the number of
/// counters, one for the length of the mapping data, the data; at most [`MAX_COOKED`] of them. All in
/// one byte order.
pub(crate) fn cook(bytes: &[u8], big_endian: bool) -> Cooked {
    let number = |value: u64, width: usize| {
        let mut bytes = value.to_le_bytes()[..width].to_vec();
        if big_endian {
            bytes.reverse();
        }
        bytes
    };
    let (head, mut rest) = bytes.split_at(bytes.len().min(2));
    let [version, files] = [0, 1].map(|at| head.get(at).copied().unwrap_or(0));
    let mut table = vec![b'/', b'w'];
    table.insert(0, 2);
    for file in 1..=files % 8 {
        table.extend([2, b'f', b'0' + file]);
    }
    let plain_bytes = u8::try_from(table.len()).unwrap_or(0);
    table.splice(0..0, [1 + files % 8, plain_bytes, 0]);
    let mut covmap = Vec::new();
    for field in [0, table.len() as u64, 0, 3 + u64::from(version % 4)] {
        covmap.extend(number(field, 4));
    }
    covmap.extend(&table);

    let mut functions = Vec::new();
    let mut covfun: Vec<u8> = Vec::new();
    while let Some((&[hash, counters, len], tail)) = rest.split_first_chunk()
        && functions.len() < MAX_COOKED
    {
        let (data, tail) = tail.split_at(tail.len().min(usize::from(len)));
        rest = tail;
        let name = format!("f{}", functions.len());
        covfun.resize(covfun.len().next_multiple_of(8), 0);
        covfun.extend(number(name_ref(name.as_bytes()), 8));
        covfun.extend(number(data.len() as u64, 4));
        covfun.extend(number(hash.into(), 8));
        covfun.extend(number(md5_low64(&table), 8));
        covfun.extend(data);
        let counts: Vec<u64> = (0..=u64::from(counters % 16)).collect();
        functions.push(Function::new(&name, u64::from(hash), counts));
    }
    Cooked {
        names: names_blob(&functions),
        covmap,
        covfun,
        profile: merged(&[&RawFile::new(Shape::CURRENT, &functions).bytes()]).profile,
    }
}

/// A profile with 64 counters for each function of a mapping, as far as it can be read.
pub(crate) fn profile_for(names: &[u8], covfun: &[u8]) -> Profile {
    let mut functions = Vec::new();
    let known = known_names(names);
    let mut cursor = Cursor::new(covfun, 0, Endian::Little);
    let mut next = || -> bincover_profile::Result<(u64, u64)> {
        let name = cursor.u64("NameRef")?;
        let len = cursor.u32("DataSize")?;
        let hash = cursor.u64("FuncHash")?;
        cursor.take(8 + u64::from(len), "mapping data")?;
        let padding = cursor.offset().wrapping_neg() & 7;
        cursor.take(padding.min(cursor.remaining()), "padding")?;
        Ok((name, hash))
    };
    while let Ok((wanted, hash)) = next() {
        if let Some(name) = known.iter().find(|name| name_ref(name) == wanted) {
            let counts: Vec<u64> = (0..64).collect();
            functions.push(Function {
                name: name.clone(),
                hash,
                counts,
                ..Function::default()
            });
        }
    }
    merged(&[&RawFile::new(Shape::CURRENT, &functions).bytes()]).profile
}

pub(crate) fn known_names(blob: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor::new(blob, 0, Endian::Little);
    let mut names = Vec::new();
    cursor.skip_zeros();
    while !cursor.is_empty() {
        let mut text = Vec::new();
        if decode_blob(&mut cursor, "names", &mut text).is_err() {
            break;
        }
        let chunk = text
            .split(|&byte| byte == 1)
            .filter(|name| !name.is_empty());
        names.extend(chunk.map(<[u8]>::to_vec));
        cursor.skip_zeros();
    }
    names
}

pub(crate) fn check_object(object: &[u8], profile: &Profile) {
    // It need not be an object, but looking must not panic.
    let _ = bincover_mapping::inspect(object);
    let _ = bincover_mapping::build_id(object);
    let _ = bincover_mapping::names(object);
    let members = bincover_mapping::thin_members(object, b"/w/lib.a");
    let room: usize = members.iter().map(|member| member.path.len()).sum();
    assert!(room <= object.len() * MOST_OF_A_NAME, "{room} bytes");
    let mapping = match Mapping::parse(object) {
        Ok(mapping) => mapping,
        Err(error) => return check_error(&error, object),
    };
    let mappings = [mapping];
    // One of the formats, by the bytes: all of them would be most of the time.
    let sum = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
    let format = &FORMATS[object.iter().fold(0, sum) % FORMATS.len()];
    for profile in [&Profile::default(), profile] {
        match evaluate(&mappings, profile) {
            Ok(evaluation) => {
                check_evaluation(&evaluation, mappings[0].function_count());
                check_report(&evaluation.coverage, format);
            }
            Err(error) => check_error(&error, object),
        }
    }
}

/// Offsets count from the start of a section, which may be inflated but not in these errors.
fn check_error(error: &bincover_mapping::Error, object: &[u8]) {
    assert!(!error.to_string().is_empty());
    if let (Some(_), Some(offset)) = (error.section(), error.offset()) {
        assert!(
            offset <= object.len() as u64,
            "{} bytes, but {error}",
            object.len()
        );
    }
}

fn check_evaluation(evaluation: &Evaluation, function_count: usize) {
    let coverage = &evaluation.coverage;
    assert!(coverage.functions.len() + evaluation.left_out.len() <= function_count);
    assert!(
        coverage.files.is_sorted_by(|a, b| a.name < b.name),
        "files are not in order"
    );
    for file in &coverage.files {
        assert!(
            file.segments.is_sorted_by_key(|segment| segment.start),
            "{:?}",
            file.segments
        );
        assert!(
            file.lines.is_sorted_by(|a, b| a.number < b.number),
            "{:?}",
            file.lines
        );
        assert!(file.groups.is_sorted_by(|a, b| a.start < b.start));
        assert!(file.groups.iter().all(|group| !group.members.is_empty()));
        for expansion in &file.expansions {
            let function = coverage.function(expansion.function);
            assert!(function.regions.len() > expansion.region as usize);
        }
    }
    let totals = coverage.totals();
    for tally in [
        totals.lines,
        totals.regions,
        totals.branches,
        totals.functions,
        totals.instantiations,
    ] {
        assert!(tally.covered <= tally.total, "{totals:?}");
    }
}

fn check_report(coverage: &Coverage, format: &Format) {
    let line_count: usize = coverage.files.iter().map(|file| file.lines.len()).sum();
    if line_count > MAX_REPORTED_LINES {
        return;
    }
    let mut report = Vec::new();
    let options = Options {
        threads: NonZeroUsize::new(1),
        ..Options::default()
    };
    let emitted = match format.emit {
        Emit::File(emit) => emit(coverage, &options, &mut report),
        Emit::Sourced(emit) => emit(coverage, &options, &NoSources, &mut report),
        Emit::Folder(emit) => emit(coverage, &options, &NoSources, &Nowhere),
    };
    assert!(emitted.is_ok(), "{}: {emitted:?}", format.name);
}

/// Where a report's pages go.
struct Nowhere;

impl Outputs for Nowhere {
    fn file(&self, name: &str, _: &[u8]) -> std::io::Result<()> {
        assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".." || part == "."));
        Ok(())
    }
}
