//! `llvm-profdata show`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;

use bincover::profile::{
    CUTOFFS, FileKind, FileRecord, NameRef, ProfileKind, Reader, Sites, Summary, Trace,
    VALUE_KINDS, Visitor, text,
};

use super::{Failure, put, read, unreadable};
use crate::llvm::options::{Parsed, Program, Spec, Takes, parse};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("output", Takes::Text).or("o"),
    Spec::new("all-functions", Takes::Flag),
    Spec::new("counts", Takes::Flag),
    Spec::new("function", Takes::Text),
    Spec::new("ic-targets", Takes::Flag),
    Spec::new("memop-sizes", Takes::Flag),
    Spec::new("show-vtables", Takes::Flag),
    Spec::new("topn", Takes::Number),
    Spec::new("detailed-summary", Takes::Flag),
    Spec::new("detailed-summary-cutoffs", Takes::Text),
    Spec::new("hot-func-list", Takes::Flag),
    Spec::new("value-cutoff", Takes::Number),
    Spec::new("list-below-cutoff", Takes::Flag),
    Spec::new("covered", Takes::Flag),
    Spec::new("binary-ids", Takes::Flag),
    Spec::new("profile-version", Takes::Flag),
    Spec::new("temporal-profile-traces", Takes::Flag),
    Spec::new("showcs", Takes::Flag),
    Spec::new("text", Takes::Flag),
    Spec::new("json", Takes::Flag),
    Spec::new("show-format", Takes::OneOf(&["text", "json", "yaml"])),
    Spec::new("instr", Takes::Flag),
    Spec::new("sample", Takes::Flag),
    Spec::new("memory", Takes::Flag),
    Spec::new("debug-info", Takes::Text),
];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Failure> {
    let parsed = parse(program, SPECS, args)?;
    for (name, what) in [
        ("sample", "sample"),
        ("memory", "memory"),
        ("debug-info", "correlated"),
    ] {
        if parsed.value(name).is_some() {
            return Err(Failure::error(format_args!(
                "{what} profiles are not supported"
            )));
        }
    }
    let Some(path) = parsed.positional.first() else {
        return Err(Failure::error(
            "the positional argument '<profdata-file>' is required unless '--debug-info' is provided",
        ));
    };
    let bytes = read(path)?;
    match parsed.text("show-format").as_deref() {
        Some("json") => {
            return Err(Failure::error(
                "JSON output is not supported for instr profiles",
            ));
        }
        Some("yaml") => {
            return Err(Failure::error(
                "YAML output is not supported for instr profiles",
            ));
        }
        _ if parsed.flag("json") => {
            return Err(Failure::error(
                "JSON output is not supported for instr profiles",
            ));
        }
        _ => {}
    }
    let options = Options::new(&parsed)?;
    let mut names = Names::default();
    // If the file is damaged, the second reading says so.
    let _ = Reader::accepting_correlated().read(&bytes, &mut names);
    let is_indexed = FileKind::sniff(&bytes) == Some(FileKind::Indexed);
    let mut show = Show::new(&options, names.0, is_indexed);
    let result = Reader::accepting_correlated().read(&bytes, &mut show);
    let text = match result {
        Ok(()) => show.finish(&parsed),
        Err(failed) => {
            // What was shown before the damage stays shown.
            put(parsed.value("output"), &show.out)?;
            return Err(unreadable(path, &failed.error));
        }
    };
    put(parsed.value("output"), &text)
}

/// What is to be shown.
struct Options {
    all: bool,
    counts: bool,
    function: String,
    kinds: [bool; VALUE_KINDS],
    as_text: bool,
    covered: bool,
    context_sensitive: bool,
    cutoff: u64,
    only_below: bool,
    top: usize,
    hot: bool,
    detailed: bool,
    cutoffs: Vec<u32>,
}

impl Options {
    fn new(parsed: &Parsed) -> Result<Self, Failure> {
        let mut cutoffs = Vec::new();
        for list in parsed.values("detailed-summary-cutoffs") {
            for number in list.to_string_lossy().split(',') {
                cutoffs.push(number.parse().map_err(|_| {
                    Failure::from(format!("for the --detailed-summary-cutoffs option: '{number}' value invalid for uint argument!"))
                })?);
            }
        }
        let number = |name| parsed.number(name).unwrap_or(0);
        Ok(Self {
            all: parsed.flag("all-functions"),
            counts: parsed.flag("counts"),
            function: parsed.text("function").unwrap_or_default(),
            kinds: ["ic-targets", "memop-sizes", "show-vtables"].map(|name| parsed.flag(name)),
            as_text: parsed.flag("text"),
            covered: parsed.flag("covered"),
            context_sensitive: parsed.flag("showcs"),
            cutoff: number("value-cutoff"),
            only_below: parsed.flag("list-below-cutoff"),
            top: usize::try_from(number("topn")).unwrap_or(usize::MAX),
            hot: parsed.flag("hot-func-list"),
            detailed: parsed.flag("detailed-summary"),
            cutoffs: if cutoffs.is_empty() {
                CUTOFFS.to_vec()
            } else {
                cutoffs
            },
        })
    }

    fn shows(&self, name: &[u8]) -> bool {
        let wanted = self.function.as_bytes();
        self.all || !wanted.is_empty() && name.windows(wanted.len()).any(|part| part == wanted)
    }
}

/// What the statistics of value sites count.
#[derive(Default)]
struct SiteStats {
    sites: u64,
    with_values: u64,
    values: u64,
    /// By number of values less one.
    histogram: Vec<u64>,
}

/// Collects what is shown while the file is read.
struct Show<'o> {
    options: &'o Options,
    out: Vec<u8>,
    kind: ProfileKind,
    version: u64,
    shown: u64,
    below: u64,
    summary: Summary,
    stats: [SiteStats; VALUE_KINDS],
    /// Names with their largest counts, in order.
    maxima: Vec<(Vec<u8>, u64)>,
    ids: Vec<Vec<u8>>,
    traces: Option<(Vec<Trace>, u64)>,
    names: HashMap<NameRef, Vec<u8>>,
    is_indexed: bool,
}

/// Collects the names of all functions: values and traces may name one that comes later.
#[derive(Default)]
struct Names(HashMap<NameRef, Vec<u8>>);

impl Visitor for Names {
    fn file(&mut self, _: ProfileKind, _: u64) -> bool {
        true
    }

    fn record(&mut self, record: &FileRecord<'_>) -> bool {
        self.0
            .entry(record.name_ref)
            .or_insert_with(|| record.name.to_vec());
        false
    }

    fn traces(&mut self, _: Vec<Trace>, _: u64, _: bool) {}

    fn binary_id(&mut self, _: &[u8]) {}
}

impl<'o> Show<'o> {
    fn new(options: &'o Options, names: HashMap<NameRef, Vec<u8>>, is_indexed: bool) -> Self {
        Self {
            options,
            names,
            is_indexed,
            out: Vec::new(),
            kind: ProfileKind::default(),
            version: 0,
            shown: 0,
            below: 0,
            summary: Summary::default(),
            stats: Default::default(),
            maxima: Vec::new(),
            ids: Vec::new(),
            traces: None,
        }
    }

    fn line(&mut self, text: impl std::fmt::Display) {
        writeln!(self.out, "{text}").expect("writing to memory does not fail");
    }

    fn is_ir(&self) -> bool {
        self.kind.contains(ProfileKind::IR)
    }
}

/// Hot or warm marks stand in the first count.
fn pseudo(counts: &[u64]) -> Option<&'static str> {
    match counts.first() {
        Some(&u64::MAX) => Some("<PseudoHot>"),
        Some(&count) if count == u64::MAX - 1 => Some("<PseudoWarm>"),
        _ => None,
    }
}

impl Visitor for Show<'_> {
    fn file(&mut self, kind: ProfileKind, version: u64) -> bool {
        self.kind = kind;
        self.version = version;
        if self.options.as_text && self.is_ir() {
            self.line(":ir");
        } else if self.options.only_below && !self.options.as_text {
            let cutoff = self.options.cutoff;
            self.line(format_args!(
                "The list of functions with the maximum counter less than {cutoff}:"
            ));
        }
        true
    }

    fn record(&mut self, record: &FileRecord<'_>) -> bool {
        if self.is_ir() && record.hash.has_context_bit() != self.options.context_sensitive {
            return false;
        }
        let counts = record.counts();
        let show = self.options.shows(record.name);
        if self.options.as_text {
            if show {
                self.out.extend(text::write_record(record, |name| {
                    self.names.get(&name).cloned()
                }));
            }
            return false;
        }
        self.summary.add_counts(&counts);
        if self.options.covered {
            if counts.iter().any(|&count| count != 0) {
                self.out.extend_from_slice(record.name);
                self.out.push(b'\n');
            }
            return false;
        }
        let head = |this: &mut Self| {
            if this.shown == 0 {
                this.line("Counters:");
            }
            this.shown += 1;
            this.out.extend_from_slice(b"  ");
            this.out.extend_from_slice(record.name);
            this.line(":");
            this.line(format_args!("    Hash: {:#018x}", record.hash.0));
        };
        if let Some(mark) = pseudo(&counts) {
            if show {
                head(self);
                self.line(format_args!("    Counters: {}    {mark}", counts.len()));
            }
            return false;
        }
        let max = counts.iter().copied().max().unwrap_or(0);
        if max < self.options.cutoff {
            self.below += 1;
            if self.options.only_below {
                let sum = counts
                    .iter()
                    .fold(0u64, |sum, count| sum.wrapping_add(*count));
                self.out.extend_from_slice(b"  ");
                self.out.extend_from_slice(record.name);
                self.line(format_args!(": (Max = {max} Sum = {sum})"));
            }
            return false;
        }
        if self.options.only_below {
            return false;
        }
        if self.options.top > 0 || self.options.hot {
            self.maxima.push((record.name.to_vec(), max));
        }
        if show {
            head(self);
            self.line(format_args!("    Counters: {}", counts.len()));
            self.details(record, &counts);
        }
        false
    }

    fn traces(&mut self, traces: Vec<Trace>, stream_size: u64, _has_weights: bool) {
        self.traces = Some((traces, stream_size));
    }

    fn binary_id(&mut self, id: &[u8]) {
        self.ids.push(id.to_vec());
    }
}

impl Show<'_> {
    fn details(&mut self, record: &FileRecord<'_>, counts: &[u64]) {
        let is_ir = self.is_ir();
        let sites = |kind: usize| record.values.kind(kind);
        if !is_ir {
            self.line(format_args!("    Function count: {}", counts[0]));
        }
        let [calls, sizes, vtables] = self.options.kinds;
        if calls {
            self.line(format_args!(
                "    Indirect Call Site Count: {}",
                sites(0).len()
            ));
        }
        if vtables {
            self.line(format_args!(
                "    Number of instrumented vtables: {}",
                sites(2).len()
            ));
        }
        let sizes = sizes && !sites(1).is_empty();
        if sizes {
            self.line(format_args!(
                "    Number of Memory Intrinsics Calls: {}",
                sites(1).len()
            ));
        }
        if self.options.counts {
            let from = usize::from(!is_ir);
            let list: Vec<String> = counts[from..].iter().map(u64::to_string).collect();
            self.line(format_args!("    Block counts: [{}]", list.join(", ")));
        }
        if calls {
            self.line("    Indirect Target Results:");
            self.sites(0, sites(0));
        }
        if vtables {
            self.line("    VTable Results:");
            self.sites(2, sites(2));
        }
        if sizes {
            self.line("    Memory Intrinsic Size Results:");
            self.sites(1, sites(1));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as LLVM computes percentages")]
    fn sites(&mut self, kind: usize, sites: &Sites) {
        let stats = &mut self.stats[kind];
        stats.sites += sites.len() as u64;
        for (index, site) in sites
            .iter()
            .enumerate()
            .filter(|(_, site)| !site.is_empty())
        {
            let stats = &mut self.stats[kind];
            stats.with_values += 1;
            stats.values += site.len() as u64;
            if stats.histogram.len() < site.len() {
                stats.histogram.resize(site.len(), 0);
            }
            stats.histogram[site.len() - 1] += 1;
            let sum = site
                .iter()
                .fold(0u64, |sum, value| sum.wrapping_add(value.count))
                .max(1);
            for value in site {
                write!(self.out, "\t[ {index:>2}, ").expect("memory");
                if kind == 1 {
                    write!(self.out, "{:>4}", value.value).expect("memory");
                } else {
                    let name = self.names.get(&NameRef(value.value));
                    self.out.extend_from_slice(name.map_or(&[], Vec::as_slice));
                }
                let share = value.count as f64 * 100.0 / sum as f64;
                self.line(format_args!(
                    ", {:>10} ] ({share:.2}%)",
                    value.count.cast_signed()
                ));
            }
        }
    }

    fn finish(mut self, parsed: &Parsed) -> Vec<u8> {
        let options = self.options;
        if options.as_text || options.covered {
            return self.out;
        }
        let is_ir = self.is_ir();
        let set = |kind: ProfileKind| u8::from(self.kind.contains(kind));
        let (entry, loops) = (
            set(ProfileKind::ENTRY_FIRST),
            set(ProfileKind::LOOP_ENTRIES),
        );
        match is_ir {
            true => self.line(format_args!("Instrumentation level: IR  entry_first = {entry}  instrument_loop_entries = {loops}")),
            false => self.line("Instrumentation level: Front-end"),
        }
        if options.all || !options.function.is_empty() {
            let shown = self.shown;
            self.line(format_args!("Functions shown: {shown}"));
        }
        let functions = self.summary.functions();
        self.line(format_args!("Total functions: {functions}"));
        let (max, internal) = (
            self.summary.max_function_count(),
            self.summary.max_internal_count(),
        );
        self.line(format_args!("Maximum function count: {max}"));
        self.line(format_args!("Maximum internal block count: {internal}"));
        let (blocks, total) = (self.summary.blocks(), self.summary.total());
        self.line(format_args!("Total number of blocks: {blocks}"));
        self.line(format_args!("Total count: {total}"));
        if options.cutoff > 0 {
            let (cutoff, below) = (options.cutoff, self.below);
            self.line(format_args!(
                "Number of functions with maximum count (< {cutoff}): {below}"
            ));
            let above = u64::from(functions).wrapping_sub(below);
            self.line(format_args!(
                "Number of functions with maximum count (>= {cutoff}): {above}"
            ));
        }
        self.top();
        self.statistics();
        self.hot();
        self.detailed();
        self.extras(parsed);
        self.out
    }

    fn top(&mut self) {
        let top = self.options.top;
        if top == 0 {
            return;
        }
        let mut maxima = std::mem::take(&mut self.maxima);
        maxima.sort_by_key(|(_, max)| std::cmp::Reverse(*max));
        self.line(format_args!(
            "Top {top} functions with the largest internal block counts: "
        ));
        for (name, max) in maxima.iter().take(top) {
            self.out.extend_from_slice(b"  ");
            self.out.extend_from_slice(name);
            self.line(format_args!(", max count = {max}"));
        }
        self.maxima = maxima;
    }

    fn statistics(&mut self) {
        let titles = [
            (0, "Statistics for indirect call sites profile:"),
            (2, "Statistics for vtable profile:"),
            (1, "Statistics for memory intrinsic calls sizes profile:"),
        ];
        for (kind, title) in titles {
            if self.shown == 0 || !self.options.kinds[kind] {
                continue;
            }
            let stats = std::mem::take(&mut self.stats[kind]);
            self.line(title);
            self.line(format_args!("  Total number of sites: {}", stats.sites));
            self.line(format_args!(
                "  Total number of sites with values: {}",
                stats.with_values
            ));
            self.line(format_args!(
                "  Total number of profiled values: {}",
                stats.values
            ));
            self.line("  Value sites histogram:\n\tNumTargets, SiteCount");
            for (index, count) in stats
                .histogram
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
            {
                self.line(format_args!("\t{}, {count}", index + 1));
            }
        }
    }

    fn hot(&mut self) {
        if !self.options.hot {
            return;
        }
        let cutoffs = self.options.cutoffs.clone();
        let hot = self
            .summary
            .entries(&cutoffs)
            .into_iter()
            .find(|entry| entry.cutoff >= 990_000);
        let threshold = hot.map_or(0, |entry| entry.min_count);
        let mut hot: Vec<_> = std::mem::take(&mut self.maxima);
        hot.retain(|(_, max)| *max >= threshold);
        hot.sort_by_key(|(_, max)| std::cmp::Reverse(*max));
        self.line(format_args!("# Hot count threshold: {threshold}"));
        for (name, _) in hot {
            self.out.extend_from_slice(&name);
            self.out.push(b'\n');
        }
    }

    fn detailed(&mut self) {
        if !self.options.detailed {
            return;
        }
        self.line("Detailed summary:");
        let cutoffs = self.options.cutoffs.clone();
        let all = self.summary.blocks();
        for entry in self.summary.entries(&cutoffs) {
            let share = match all {
                0 => 0.0,
                _ => 100.0 * f64::from(entry.blocks) / f64::from(all),
            };
            let percent = general(f64::from(entry.cutoff) / 10_000.0);
            self.line(format_args!(
                "{} blocks ({share:.2}%) with count >= {} account for {percent}% of the total counts.",
                entry.blocks, entry.min_count
            ));
        }
    }

    fn extras(&mut self, parsed: &Parsed) {
        if parsed.flag("binary-ids") && (!self.ids.is_empty() || self.is_indexed) {
            self.line("Binary IDs: ");
            for id in std::mem::take(&mut self.ids) {
                let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
                self.line(hex);
            }
        }
        if parsed.flag("profile-version") {
            // Indexed files show their version without the flags, raw ones with.
            let version = match self.is_indexed {
                true => self.version & 0xffff_ffff,
                false => self.version,
            };
            self.line(format_args!("Profile version: {version}"));
        }
        if parsed.flag("temporal-profile-traces") {
            let (traces, seen) = self.traces.take().unwrap_or_default();
            let samples = traces.len();
            self.line(format_args!(
                "Temporal Profile Traces (samples={samples} seen={seen}):"
            ));
            for (index, trace) in traces.iter().enumerate() {
                let count = trace.functions.len();
                let weight = trace.weight;
                self.line(format_args!(
                    "  Temporal Profile Trace {index} (weight={weight} count={count}):"
                ));
                for function in &trace.functions {
                    let name = self.names.get(function).cloned().unwrap_or_default();
                    self.out.extend_from_slice(b"    ");
                    self.out.extend_from_slice(&name);
                    self.out.push(b'\n');
                }
            }
        }
    }
}

/// C's `%0.6g`.
fn general(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let exponent = number.abs().log10().floor();
    let decimals = (5.0 - exponent).clamp(0.0, 17.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 17"
    )]
    let text = format!("{number:.*}", decimals as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
