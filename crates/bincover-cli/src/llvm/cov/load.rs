//! Objects and a profile to coverage, with LLVM's words for what is wrong (LLVM:
//! `CodeCoverageTool::load`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bincover::Objects;
use bincover::mapping::{
    self, BitmapLayout, Counted, Detail, ErrorKind, LeftOut, Mapping, Members, Options,
    ParseOptions, Reason, Source,
};
use bincover::model::{Coverage, File, FileId, Function};
use bincover::profile::indexed::IndexedProfile;
use bincover::profile::{FileKind, Profile, ProfileKind};
use bstr::{BStr, BString};

use super::settings::Settings;
use super::{Stop, demangle, paths, say, shown};
use crate::llvm::os_words;

/// What there is to report on.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) coverage: Coverage,
    /// The files that were asked for and are in it, in that order; empty if none is.
    given: Vec<FileId>,
    /// Where sources are that were compiled elsewhere.
    remapped: HashMap<BString, Vec<u8>>,
    demangled: HashMap<BString, BString>,
    /// The profile's counters say only whether they were reached.
    pub(super) is_byte_coverage: bool,
}

/// What a command needs of the coverage; less is faster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// All functions, rather than those in the files that are reported.
    pub(super) all_functions: bool,
    /// How much of each file.
    pub(super) detail: Detail,
}

impl Loaded {
    /// Reads everything that the settings name.
    pub(super) fn load(settings: &Settings, need: Need) -> Result<Self, Stop> {
        say_newer(settings);
        let counted = count(settings, need);
        let (kind, counted) = counted.map_err(|Unread(name, reason)| {
            settings
                .console
                .fatal(format_args!("failed to load coverage: '{name}': {reason}"))
        })?;
        let evaluation = counted.evaluation();
        let coverage = evaluation.coverage;
        let mismatches = mismatches(&evaluation.left_out);
        if !mismatches.is_empty() {
            settings.console.warning(format_args!(
                "{} functions have mismatched data",
                mismatches.len()
            ));
            if settings.dump {
                for (name, hash) in &mismatches {
                    say(format_args!(
                        "hash-mismatch: No profile record found for '{name}' with hash = 0x{hash:X}\n"
                    ));
                }
            }
        }
        let mut loaded = Self {
            remapped: HashMap::new(),
            given: Vec::new(),
            demangled: demangle::demangle(
                &settings.demangler,
                &coverage.functions,
                settings.console,
            ),
            is_byte_coverage: kind.contains(ProfileKind::BYTE_COVERAGE),
            coverage,
        };
        loaded.remap(settings);
        loaded.given = loaded.given_files(settings);
        Ok(loaded)
    }

    /// The files that a report lists: those given, or, if none of these is there, all that are
    /// not left out.
    pub(super) fn files(&self, settings: &Settings) -> Vec<FileId> {
        if self.given.is_empty() {
            return self.files_not_ignored(settings);
        }
        self.given.clone()
    }

    /// The files that were given and are there.
    pub(super) fn given(&self) -> &[FileId] {
        &self.given
    }

    /// All files that are not left out.
    pub(super) fn files_not_ignored(&self, settings: &Settings) -> Vec<FileId> {
        let all = (0..=u32::MAX).zip(&self.coverage.files);
        all.filter(|(_, file)| !settings.ignores(&file.name))
            .map(|(id, _)| FileId(id))
            .collect()
    }

    pub(super) fn file(&self, id: FileId) -> &File {
        self.coverage.file(id)
    }

    /// A function's name for people.
    pub(super) fn readable<'a>(&'a self, function: &'a Function) -> &'a [u8] {
        self.demangled.get(&function.name).unwrap_or(&function.name)
    }

    /// Where the source of a file is.
    pub(super) fn source_path<'a>(&'a self, file: &'a [u8]) -> &'a [u8] {
        self.remapped.get(BStr::new(file)).map_or(file, |path| path)
    }

    fn remap(&mut self, settings: &Settings) {
        let places = Places::new(settings);
        for file in &self.coverage.files {
            if let Some(place) = places.of(&file.name) {
                self.remapped.insert(file.name.clone(), place);
            }
        }
    }

    fn given_files(&self, settings: &Settings) -> Vec<FileId> {
        let by_place: HashMap<&[u8], &BString> = self
            .coverage
            .files
            .iter()
            .filter_map(|file| Some((&self.remapped.get(&file.name)?[..], &file.name)))
            .collect();
        let files = &self.coverage.files;
        let find = |source: &Vec<u8>| {
            let local = paths::native(source);
            let name = by_place.get(&local[..]).map_or(&source[..], |name| name);
            let found = files
                .binary_search_by(|file| file.name[..].cmp(name))
                .ok()?;
            u32::try_from(found).ok().map(FileId)
        };
        settings.sources.iter().filter_map(find).collect()
    }
}

/// Where sources are, by `-path-equivalence`.
struct Places(Vec<(Vec<u8>, Vec<u8>)>);

impl Places {
    fn new(settings: &Settings) -> Self {
        let with_slash = |path: &[u8]| {
            let mut clean = paths::remove_dots(&paths::native(path));
            if !clean.is_empty() && !clean.ends_with(b"/") {
                clean.push(b'/');
            }
            clean
        };
        let pairs = settings.equivalences.iter().flatten();
        Self(
            pairs
                .map(|(from, to)| (with_slash(from), with_slash(to)))
                .collect(),
        )
    }

    /// By the first pair that fits.
    fn of(&self, file: &[u8]) -> Option<Vec<u8>> {
        let name = paths::remove_dots(&paths::native(file));
        self.0.iter().find_map(|(from, to)| {
            let rest = name.strip_prefix(&from[..])?;
            Some([&to[..], rest].concat())
        })
    }
}

/// LLVM looks at the profile's date before anything else.
pub(super) fn check_profile(settings: &Settings) -> Result<(), Stop> {
    let Some(path) = &settings.profile else {
        return Ok(());
    };
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(settings.console.fatal(format_args!(
            "{}: could not read profile data!{}",
            path.display(),
            os_words(&error)
        ))),
    }
}

fn say_newer(settings: &Settings) {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let Some(Ok(profile)) = settings.profile.as_deref().map(modified) else {
        return;
    };
    for object in &settings.objects {
        if modified(object.as_ref()).is_ok_and(|time| time > profile) {
            settings.console.warning(format_args!(
                "{}: profile data may be out of date - object is newer",
                object.display()
            ));
        }
    }
}

/// A file that could not be used, and LLVM's reason.
struct Unread(String, String);

/// The bytes of the profile; none without one.
fn read_profile(settings: &Settings) -> Result<Option<Vec<u8>>, Unread> {
    let Some(path) = settings.profile.as_deref() else {
        return Ok(None);
    };
    let bytes = std::fs::read(path);
    bytes
        .map(Some)
        .map_err(|error| Unread(path.display().to_string(), os_words(&error)))
}

/// What of the profile is read at once; its records are, when they are needed.
fn parse_profile<'b>(bytes: &'b [u8], settings: &Settings) -> Result<IndexedProfile<'b>, Unread> {
    let path = settings.profile.as_deref().unwrap_or(Path::new(""));
    let fail = |reason: String| Unread(path.display().to_string(), reason);
    if !matches!(FileKind::sniff(bytes), Some(FileKind::Indexed)) {
        let bad_magic = bincover::profile::ErrorKind::BadMagic.llvm_text();
        return Err(fail(bad_magic.to_owned()));
    }
    let profile = IndexedProfile::parse(bytes);
    let profile = profile.map_err(|error| fail(error.llvm_message()))?;
    let traces = profile.traces();
    traces.map_err(|error| fail(error.llvm_message()))?;
    Ok(profile)
}

/// Opens an object, or reads it from standard input.
fn open(path: &OsStr) -> Result<Objects, String> {
    if path == "-" {
        let mut bytes = Vec::new();
        return std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)
            .map(|_| Objects::from_bytes("", bytes))
            .map_err(|error| os_words(&error));
    }
    Objects::open([path]).map_err(|error| match error {
        bincover::Error::Read { source, .. } => os_words(&source),
        other => other.to_string(),
    })
}

/// Functions that the profile has with another hash, and their hashes.
fn mismatches(left_out: &[LeftOut]) -> Vec<(String, u64)> {
    let mismatches = left_out.iter().filter_map(|left| match left.reason {
        Reason::HashMismatch { hash } => Some((shown(&left.function).into_owned(), hash)),
        _ => None,
    });
    mismatches.collect()
}

/// An object, and which slice of it is wanted.
struct Opened {
    name: String,
    object: Objects,
    architecture: Option<String>,
}

impl Opened {
    fn bytes(&self) -> &[u8] {
        self.object.files().next().map_or(&[], |(_, bytes)| bytes)
    }
}

/// The objects up to the first that cannot be opened.
fn open_all(names: &[OsString], settings: &Settings, problem: &mut Option<Unread>) -> Vec<Opened> {
    let mut opened = Vec::new();
    for (index, path) in names.iter().enumerate() {
        let architectures = &settings.architectures;
        let architecture = architectures.get(index).or(architectures.first());
        let name = path.display().to_string();
        match open(path) {
            Ok(object) => opened.push(Opened {
                name,
                object,
                architecture: architecture.cloned(),
            }),
            Err(reason) => {
                *problem = Some(Unread(name, reason));
                break;
            }
        }
    }
    opened
}

/// What thin archives among objects name.
fn members_of(opened: &[Opened]) -> Vec<Members<'_>> {
    let objects = opened.iter().map(|one| &one.object);
    objects.map(|object| object.members(os_words)).collect()
}

/// The mappings of objects up to the first that is malformed. One without data is passed over.
fn parse_all<'o>(
    opened: &'o [Opened],
    members: &'o [Members<'o>],
    settings: &'o Settings,
    mappings: &mut Vec<Mapping<'o>>,
    owners: &mut Vec<String>,
    problem: &mut Option<Unread>,
) {
    let file = |(one, members): (&'o Opened, &'o Members<'o>)| {
        let (path, bytes) = one.object.files().next()?;
        let options = ParseOptions {
            compilation_dir: &settings.compilation_dir,
            architecture: one.architecture.as_deref(),
            strict: true,
            path: path.as_os_str().as_bytes(),
            members: Some(members),
        };
        Some((bytes, options))
    };
    let files: Vec<_> = opened.iter().zip(members).filter_map(file).collect();
    let parsed = Mapping::parse_all(&files, threads(settings));
    for (one, parsed) in opened.iter().zip(parsed) {
        match parsed {
            Ok(mapping) => {
                mappings.push(mapping);
                owners.push(one.name.clone());
            }
            Err(error) if error.kind() == ErrorKind::NoCoverageData => {}
            Err(error) => {
                *problem = Some(Unread(one.name.clone(), error.llvm_message().to_owned()));
                break;
            }
        }
    }
}

/// The build ids in a profile, sorted, each once.
fn binary_ids<'b>(
    profile: &IndexedProfile<'b>,
) -> Result<BTreeSet<&'b [u8]>, bincover::profile::Error> {
    profile.binary_ids()?.collect()
}

/// Objects that ran, by their build ids in the profile, but were not given, from the folders for
/// debug files.
fn fetch(
    opened: &[Opened],
    with_data: &[String],
    settings: &Settings,
    profile: Option<&IndexedProfile<'_>>,
) -> Result<Vec<Opened>, Unread> {
    let ids = profile.map(binary_ids).unwrap_or(Ok(BTreeSet::new()));
    let ids = ids.map_err(|error| {
        let path = settings.profile.as_deref().unwrap_or(Path::new(""));
        Unread(path.display().to_string(), error.llvm_message())
    })?;
    let with_data = opened.iter().filter(|one| with_data.contains(&one.name));
    let known: Vec<Vec<u8>> = with_data
        .filter_map(|one| bincover::mapping::build_id(one.bytes()).ok())
        .collect();
    let given: Vec<PathBuf> = settings
        .parsed
        .values("debug-file-directory")
        .map(PathBuf::from)
        .collect();
    let folders = match given.is_empty() {
        true => vec![PathBuf::from("/usr/lib/debug")],
        false => given,
    };
    let mut paths = Vec::new();
    for id in ids {
        if known.iter().any(|known| known == id) {
            continue;
        }
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = hex.get(2..).and_then(|rest| {
            let file = format!(".build-id/{}/{rest}.debug", &hex[..2]);
            let mut candidates = folders.iter().map(|folder| folder.join(&file));
            candidates.find(|path| path.exists())
        });
        match path {
            Some(path) => paths.push(path.into_os_string()),
            None if settings.parsed.flag("check-binary-ids") => {
                let profile = settings.profile.as_deref().unwrap_or(Path::new(""));
                let reason = format!("Missing binary ID: {hex}");
                return Err(Unread(profile.display().to_string(), reason));
            }
            None => {}
        }
    }
    let mut problem = None;
    let mut fetched = open_all(&paths, settings, &mut problem);
    // One architecture is that of all objects; of several, none is theirs.
    for one in &mut fetched {
        one.architecture = match &settings.architectures[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
    }
    match problem {
        Some(problem) => Err(problem),
        None => Ok(fetched),
    }
}

/// How many threads there are to be, if it was said.
fn threads(settings: &Settings) -> Option<NonZeroUsize> {
    let threads = settings.parsed.number("num-threads").unwrap_or(0);
    usize::try_from(threads).ok().and_then(NonZeroUsize::new)
}

/// Reads profile and objects, which need no memory afterwards. The first object that is wrong is the
/// one that is named, unless it is the profile.
fn count(settings: &Settings, need: Need) -> Result<(ProfileKind, Counted), Unread> {
    let profile = read_profile(settings)?;
    let profile = match &profile {
        Some(bytes) => Some(parse_profile(bytes, settings)?),
        None => None,
    };
    let mut problem = None;
    let opened = open_all(&settings.objects, settings, &mut problem);
    let mut mappings = Vec::new();
    let mut owners = Vec::new();
    let members = members_of(&opened);
    parse_all(
        &opened,
        &members,
        settings,
        &mut mappings,
        &mut owners,
        &mut problem,
    );
    let fetched = match &problem {
        None => fetch(&opened, &owners, settings, profile.as_ref())?,
        Some(_) => Vec::new(),
    };
    let members = members_of(&fetched);
    parse_all(
        &fetched,
        &members,
        settings,
        &mut mappings,
        &mut owners,
        &mut problem,
    );
    if mappings.is_empty() && problem.is_none() {
        let names = settings.objects.iter().map(|name| name.to_string_lossy());
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(Unread(names, "no coverage data found".to_owned()));
    }
    let places = Places::new(settings);
    let sources: HashSet<&[u8]> = settings.sources.iter().map(|source| &source[..]).collect();
    let is_given = |file: &BStr| {
        let place = places.of(file);
        let name: &[u8] = file;
        sources.contains(place.as_deref().unwrap_or(name)) || sources.contains(name)
    };
    let is_not_ignored = |file: &BStr| !settings.ignores(file);
    let listed = || {
        for one in opened.iter().chain(&fetched) {
            one.object.release();
        }
    };
    let none = Profile::default();
    let source = profile.as_ref().map_or(Source::from(&none), Source::from);
    let version = profile.as_ref().map(|profile| profile.header().version());
    let mut options = Options {
        bitmap_layout: version
            .map(BitmapLayout::of_index_version)
            .unwrap_or_default(),
        threads: threads(settings),
        detail: need.detail,
        listed: Some(&listed),
        ..Options::default()
    };
    if !need.all_functions {
        options.wanted = match (sources.is_empty(), settings.ignored.is_empty()) {
            (false, _) => Some(&is_given),
            (true, false) => Some(&is_not_ignored),
            (true, true) => None,
        };
    }
    let fail = |error: bincover::mapping::Error| {
        let owner = owners.get(error.mapping()).cloned().unwrap_or_default();
        Unread(owner, error.llvm_message().to_owned())
    };
    let mut counted = mapping::count(&mappings, source, &options).map_err(fail)?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    if !sources.is_empty() && !counted.has_wanted() {
        // Sources of which none is there are as good as none given.
        options.wanted =
            (!settings.ignored.is_empty() && !need.all_functions).then_some(&is_not_ignored);
        counted = mapping::count(&mappings, source, &options).map_err(fail)?;
    }
    let kind = profile.map(|profile| profile.header().kind);
    Ok((kind.unwrap_or_default(), counted))
}

/// The bytes of a path.
pub(super) fn os(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
